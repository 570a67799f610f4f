//! Words as a shell reads them.

/// A word that a shell takes for this text.
pub fn shell(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+@:,".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::shell;

    #[test]
    fn words_survive_a_shell() {
        assert_eq!(shell("/usr/bin/x-1.0"), "/usr/bin/x-1.0");
        assert_eq!(shell("/a b/it's"), r"'/a b/it'\''s'");
        assert_eq!(shell(""), "''");
    }
}
