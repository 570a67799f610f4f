//! Whose keys are whose. A name stands beside the key in `.sops.yaml`, in
//! `.leaflock/names`, or behind an SSH key as in `authorized_keys`. Names are for
//! people: nothing is decided by them but which keys a person means.

use std::collections::BTreeMap;

use super::{RecipientKind, recipient_kind};

/// The digits that two spellings of one PGP key share: its key ID.
const KEY_ID: usize = 16;

/// Names of keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    by_key: BTreeMap<String, String>,
}

/// A line of `.leaflock/names` that names nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// Its number, from 1.
    pub line: usize,
}

impl Names {
    /// No names.
    pub const fn nobody() -> Self {
        Self { by_key: BTreeMap::new() }
    }

    /// Adds the name of a key, unless it has one.
    pub fn add(&mut self, key: &str, name: &str) {
        let name = name.trim();
        if !name.is_empty() {
            self.by_key.entry(canonical(key)).or_insert_with(|| name.to_owned());
        }
    }

    /// Adds the lines of a `.leaflock/names`: a key, blanks, a name; for an SSH key
    /// as in `authorized_keys`. Empty lines and lines that begin with `#` mean nothing.
    pub fn add_lines(&mut self, text: &str) -> Vec<BadLine> {
        let mut bad = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match split(line) {
                Some((key, name)) => self.add(key, name),
                None => bad.push(BadLine { line: number + 1 }),
            }
        }
        bad
    }

    /// The name of a key as it is shown: the one that was added, else the comment
    /// that an SSH key carries.
    pub fn of<'n>(&'n self, key: &'n str) -> Option<&'n str> {
        self.by_key.get(&canonical(key)).map(String::as_str).or_else(|| own_comment(key))
    }

    /// `key (name)`, or the key alone.
    pub fn shown(&self, key: &str) -> String {
        match self.of(key) {
            Some(name) if own_comment(key) != Some(name) => format!("{key} ({name})"),
            _ => key.to_owned(),
        }
    }

    /// True when `wanted` means `key`: the key itself in any spelling, or its name
    /// in any case.
    pub fn means(&self, wanted: &str, key: &str) -> bool {
        let wanted = wanted.trim();
        same_key(wanted, key) || self.of(key).is_some_and(|name| name.to_lowercase() == wanted.to_lowercase())
    }

    /// The names that are known.
    pub fn known(&self) -> impl Iterator<Item = &str> {
        self.by_key.values().map(String::as_str)
    }
}

/// True when both spellings are one key: SSH comments, spaces and case of PGP
/// fingerprints, and how much of them is given, do not matter.
pub fn same_key(one: &str, other: &str) -> bool {
    canonical(one) == canonical(other)
}

/// One spelling for all that mean the same key.
fn canonical(key: &str) -> String {
    let key = key.trim();
    if key.starts_with("ssh-") {
        let mut words = key.split_ascii_whitespace();
        let (kind, text) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        return format!("{kind} {}", text.trim_end_matches('='));
    }
    let digits: String = key.chars().filter(|c| !c.is_whitespace() && *c != '!').collect();
    let digits = digits.strip_prefix("0x").unwrap_or(&digits);
    if digits.len() >= KEY_ID && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return format!("0x{}", digits[digits.len() - KEY_ID..].to_ascii_uppercase());
    }
    key.to_owned()
}

/// A line's key and name.
fn split(line: &str) -> Option<(&str, &str)> {
    let words = if line.starts_with("ssh-") { 2 } else { 1 };
    let mut rest = line;
    for _ in 0..words {
        rest = rest.trim_start();
        rest = &rest[rest.find(char::is_whitespace)?..];
    }
    let name = rest.trim();
    let key = line[..line.len() - rest.len()].trim();
    (!name.is_empty()).then_some((key, name))
}

/// What stands behind the key of an SSH recipient.
fn own_comment(key: &str) -> Option<&str> {
    if recipient_kind(key) != Ok(RecipientKind::Ssh) {
        return None;
    }
    split(key.trim()).map(|(_, comment)| comment)
}

#[cfg(test)]
mod tests {
    use super::{BadLine, Names, same_key};

    const SSH: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA";

    #[test]
    fn names_come_from_lines_and_from_comments_of_ssh_keys() {
        let mut names = Names::default();
        let bad = names.add_lines(&format!(
            "# people\n\nage1abc  Alice Example <alice@example.org>\n0x7A0922C2948B6938 Bob\n{SSH} Carol\nage1alone\n{SSH}\n"
        ));
        assert_eq!(bad, [BadLine { line: 6 }, BadLine { line: 7 }]);
        names.add("age1abc", "somebody else");
        for (key, name) in [
            ("age1abc", Some("Alice Example <alice@example.org>")),
            ("FBC7B9E27A0922C2948B6938!", Some("Bob")),
            ("fbc7 b9e2 7a09 22c2 948b 6938", Some("Bob")),
            (SSH, Some("Carol")),
            ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA== on the laptop", Some("Carol")),
            ("ssh-ed25519 BBBB dave@host", Some("dave@host")),
            ("ssh-ed25519 BBBB", None),
            ("age1xyz", None),
        ] {
            assert_eq!(names.of(key), name, "{key}");
        }
        assert_eq!(names.shown("ssh-ed25519 BBBB dave@host"), "ssh-ed25519 BBBB dave@host");
        assert_eq!(names.shown("age1abc"), "age1abc (Alice Example <alice@example.org>)");
        assert!(names.means("carol", SSH) && names.means(SSH, &format!("{SSH} x")));
        assert!(!names.means("car", SSH) && !names.means("", "age1xyz"));
    }

    #[test]
    fn spellings_of_one_key_are_the_same() {
        assert!(same_key("7A09 22C2 948B 6938", "FBC7B9E27A0922C2948B6938!"));
        assert!(!same_key("7A0922C2948B6938", "7A0922C2948B6939"));
        assert!(!same_key("age1a", "age1b"));
    }
}
