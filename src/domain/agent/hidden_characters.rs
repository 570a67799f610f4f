//! Characters that make a text read differently from what it says. Who signs a policy
//! reads it first: a line break that editors do not show turns half of a comment into a
//! rule, and marks of direction or width show words in another order, or not at all.

/// The first character that is not what it looks like, with its line, from 1, and what it
/// is. Lines end with LF, or CR LF; tabs are as good as spaces.
pub fn first(text: &str) -> Option<(usize, &'static str)> {
    let mut line = 1;
    let mut characters = text.chars().peekable();
    let mut is_start = true;
    while let Some(character) = characters.next() {
        let what = match character {
            '\n' => {
                line += 1;
                None
            }
            '\r' if characters.peek() == Some(&'\n') => None,
            '\t' => None,
            // Some editors begin texts with it.
            '\u{feff}' if is_start => None,
            '\r' => Some("a carriage return that ends no line"),
            '\u{85}' | '\u{2028}' | '\u{2029}' => Some("a line break that editors do not show"),
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                Some("a mark that changes the direction of text")
            }
            '\u{ad}'
            | '\u{34f}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200d}'
            | '\u{2060}'..='\u{2064}'
            | '\u{feff}'
            | '\u{e0000}'..='\u{e007f}' => Some("a character that is not shown"),
            _ if character.is_control() => Some("a control character"),
            _ => None,
        };
        if let Some(what) = what {
            return Some((line, what));
        }
        is_start = false;
    }
    None
}

/// What to do about one.
pub const ADVICE: &str =
    "it was put there on purpose or by a copy: `git blame` shows who wrote the line; write it anew";

#[cfg(test)]
mod tests {
    use super::first;

    #[test]
    fn texts_are_what_they_look_like() {
        for text in ["", "a: b\n", "\u{feff}a: \"ä €\" # 😀\r\n\tb\r\n"] {
            assert_eq!(first(text), None, "{text:?}");
        }
        for hidden in
            "\u{85}\u{2028}\u{2029}\r\u{202e}\u{2066}\u{200b}\u{feff}\u{e0041}\u{1b}\0\u{7f}".chars()
        {
            assert_eq!(first(&format!("a\r\nb {hidden}c\n")).unwrap().0, 2, "{hidden:?}");
        }
    }
}
