//! What a dotenv file means to the programs that read one. Where `.` in a POSIX
//! shell assigns a variable, it means what it means there: quotes, escapes,
//! continued lines, `$NAME`, comments. Where a shell would run a command, it means
//! what Node's `dotenv` makes of it: blanks around `=`, several words, `;` and `&`
//! in a value, an apostrophe. Where following either in silence would damage a
//! value, the line is refused. `\n` in double quotes is a line break, as for every dotenv library, and
//! outside of quotes too, as for SOPS. `tests/run_dotenv.rs` has the table.
//!
//! No command is ever run, and no error shows a piece of a value.

use std::collections::HashMap;

use super::is_name;
use crate::domain::lines::Lines;
use crate::domain::search;
use crate::domain::secret::SecretBytes;
use crate::domain::store::{ReadError, ReadErrorKind};

/// One assignment.
#[derive(Debug)]
pub struct Assignment {
    /// The variable.
    pub name: String,
    /// Its value.
    pub value: SecretBytes,
}

/// Reads the assignments of `source` in order; of a repeated name the last counts.
/// `outer` gives the variables that the file does not set itself.
///
/// # Errors
/// A line that is no assignment, an open quote, a reference to a variable that is
/// not set, a command substitution: with its line.
pub fn read(
    source: &[u8],
    outer: &dyn Fn(&str) -> Option<SecretBytes>,
) -> Result<Vec<Assignment>, ReadError> {
    let text = without_returns(source.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(source));
    let mut reader = Reader { text: &text, at: 0, outer, known: HashMap::new() };
    let mut assignments: Vec<Assignment> = Vec::new();
    while let Some(name) = reader.name()? {
        let value = reader.value()?;
        if value.contains(&0) {
            return Err(reader.refused("a NUL byte, which no variable can hold", None));
        }
        reader.known.insert(name.clone(), value.clone());
        assignments.push(Assignment { name, value });
    }
    Ok(assignments)
}

/// The text with line feeds alone for line breaks, as Node's `dotenv` reads it.
fn without_returns(source: &[u8]) -> SecretBytes {
    let mut text = SecretBytes::new(Vec::with_capacity(source.len()));
    for (at, byte) in source.iter().enumerate() {
        if *byte != b'\r' || !matches!(source.get(at + 1), None | Some(b'\n')) {
            text.as_mut_vec().push(*byte);
        }
    }
    text
}

/// The first double quote in `text` that no backslash escapes.
fn closing_quote(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += search::memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

const QUOTE: &str = "put the value in single quotes, in which everything stands for itself";

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    outer: &'a dyn Fn(&str) -> Option<SecretBytes>,
    known: HashMap<String, SecretBytes>,
}

/// A value as far as it was read.
#[derive(Default)]
struct Word {
    bytes: SecretBytes,
    /// A part of it stood in quotes.
    quoted: bool,
    /// Something was read, be it an empty pair of quotes.
    started: bool,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn rest(&self) -> &[u8] {
        &self.text[self.at..]
    }

    fn skip(&mut self, while_in: &[u8]) {
        while self.peek().is_some_and(|byte| while_in.contains(&byte)) {
            self.at += 1;
        }
    }

    fn refused(&self, message: &str, hint: Option<&'static str>) -> ReadError {
        let line = Lines::new(self.text).of(self.at);
        ReadError { message: message.to_owned(), line: Some(line), hint, kind: ReadErrorKind::Syntax }
    }

    /// The name of the next assignment, and the way to its value.
    fn name(&mut self) -> Result<Option<String>, ReadError> {
        loop {
            self.skip(b" \t\n");
            match self.peek() {
                None => return Ok(None),
                Some(b'#') => self.skip_line(),
                Some(_) => {
                    if let Some(name) = self.assigned()? {
                        return Ok(Some(name));
                    }
                }
            }
        }
    }

    fn skip_line(&mut self) {
        self.at += search::memchr(b'\n', self.rest()).unwrap_or(self.rest().len());
    }

    /// `NAME =` or `export NAME=`; `None` for `export NAME` alone.
    fn assigned(&mut self) -> Result<Option<String>, ReadError> {
        let mut name = self.word();
        self.skip(b" \t");
        let exported = name == "export" && self.peek() != Some(b'=');
        if exported {
            name = self.word();
            self.skip(b" \t");
        }
        let bare = matches!(self.peek(), None | Some(b'\n' | b'#'));
        if exported && bare && !name.is_empty() {
            self.skip_line();
            return Ok(None);
        }
        if name.is_empty() || self.peek() != Some(b'=') {
            let hint = "every line is NAME=value, empty, or a comment that starts with #";
            return Err(self.refused("this line assigns nothing", Some(hint)));
        }
        self.at += 1;
        self.skip(b" \t");
        Ok(Some(name))
    }

    /// A name, with the dots and dashes that dotenv libraries allow in one.
    fn word(&mut self) -> String {
        let length = self
            .rest()
            .iter()
            .position(|byte| !byte.is_ascii_alphanumeric() && !b"_.-".contains(byte))
            .unwrap_or(self.rest().len());
        let word = String::from_utf8_lossy(&self.rest()[..length]).into_owned();
        self.at += length;
        word
    }

    /// The value at this place, up to the end of its line.
    fn value(&mut self) -> Result<SecretBytes, ReadError> {
        let mut word =
            Word { bytes: SecretBytes::new(Vec::with_capacity(self.line_length())), ..Word::default() };
        // A comment right behind `=` and a blank is one for a shell and for Node.
        if self.peek() == Some(b'#') && self.text[self.at - 1] != b'=' {
            self.skip_line();
        }
        while let Some(byte) = self.peek() {
            self.at += 1;
            match byte {
                b'\n' => break,
                b' ' | b'\t' => self.blanks(&mut word)?,
                b'\'' => self.single(&mut word)?,
                b'"' => self.double(&mut word)?,
                b'\\' => self.escaped(&mut word),
                b'$' => self.expansion(&mut word)?,
                b'`' => return Err(self.command()),
                b'~' if self.is_home(&word) => self.home(&mut word),
                b';' => self.separator(&mut word)?,
                _ => word.bytes.as_mut_vec().push(byte),
            }
            word.started = true;
        }
        Ok(word.bytes)
    }

    fn line_length(&self) -> usize {
        search::memchr(b'\n', self.rest()).unwrap_or(self.rest().len())
    }

    /// What blanks outside of quotes do: they end the value before a comment and the
    /// end of the line, and belong to it between words.
    fn blanks(&mut self, word: &mut Word) -> Result<(), ReadError> {
        let start = self.at - 1;
        self.skip(b" \t");
        match self.peek() {
            None | Some(b'\n') => return Ok(()),
            Some(b'#') => {
                self.skip_line();
                return Ok(());
            }
            Some(_) => {}
        }
        if word.quoted || matches!(self.peek(), Some(b'\'' | b'"')) {
            let hint = "put the whole value in quotes";
            return Err(self.refused("there is text behind the quoted value", Some(hint)));
        }
        if self.assignment_follows() {
            let hint = "put the value in quotes, or the second assignment on a line of its own";
            return Err(self.refused("this line could be one assignment or several", Some(hint)));
        }
        word.bytes.as_mut_vec().extend_from_slice(&self.text[start..self.at]);
        Ok(())
    }

    /// True when `NAME=` stands here.
    fn assignment_follows(&self) -> bool {
        let length = search::memchr(b'=', self.rest()).unwrap_or(0);
        std::str::from_utf8(&self.rest()[..length]).is_ok_and(is_name)
    }

    fn single(&mut self, word: &mut Word) -> Result<(), ReadError> {
        let length =
            search::memchr(b'\'', self.rest()).filter(|length| !word.started || *length < self.line_length());
        let Some(length) = length else { return self.lone_quote(word, b'\'') };
        word.bytes.as_mut_vec().extend_from_slice(&self.text[self.at..self.at + length]);
        word.quoted = true;
        self.at += length + 1;
        Ok(())
    }

    /// What a quote means that is not closed. Lines may break in quotes that the value
    /// begins with. Inside of a value, an apostrophe must not swallow the lines up to the
    /// next one as it does in a shell: it stands for itself, as for Node.
    fn lone_quote(&self, word: &mut Word, quote: u8) -> Result<(), ReadError> {
        if word.started {
            word.bytes.as_mut_vec().push(quote);
            return Ok(());
        }
        let hint = "close it; a quote that belongs to the value stands in quotes of the other kind";
        Err(self.refused("a quote is opened and not closed", Some(hint)))
    }

    fn double(&mut self, word: &mut Word) -> Result<(), ReadError> {
        let closes = closing_quote(self.rest()).is_some_and(|at| !word.started || at < self.line_length());
        if !closes {
            return self.lone_quote(word, b'"');
        }
        while let Some(byte) = self.peek() {
            self.at += 1;
            match (byte, self.peek()) {
                (b'"', _) => break,
                (b'`', _) => return Err(self.command()),
                (b'$', _) => self.expansion(word)?,
                (b'\\', Some(next @ (b'$' | b'`' | b'"' | b'\\'))) => self.push(word, next),
                (b'\\', Some(b'n')) => self.push(word, b'\n'),
                (b'\\', Some(b'r')) => self.push(word, b'\r'),
                (b'\\', Some(b'\n')) => self.at += 1,
                _ => word.bytes.as_mut_vec().push(byte),
            }
        }
        word.quoted = true;
        Ok(())
    }

    /// Adds `byte` for the escape that ends here.
    fn push(&mut self, word: &mut Word, byte: u8) {
        word.bytes.as_mut_vec().push(byte);
        self.at += 1;
    }

    fn escaped(&mut self, word: &mut Word) {
        match self.peek() {
            None => word.bytes.as_mut_vec().push(b'\\'),
            Some(b'\n') => self.at += 1,
            Some(b'n') => self.push(word, b'\n'),
            Some(byte) => self.push(word, byte),
        }
    }

    fn command(&self) -> ReadError {
        self.refused("a command substitution, which is not run here", Some(QUOTE))
    }

    /// `A=1; export A`, which only a shell can read. Other semicolons are part of
    /// connection strings.
    fn separator(&mut self, word: &mut Word) -> Result<(), ReadError> {
        let rest = self.rest();
        let blanks = rest.iter().take_while(|byte| **byte == b' ').count();
        if rest[blanks..].starts_with(b"export ") {
            return Err(self.refused("a second command behind `;`", Some("write `export NAME=value`")));
        }
        word.bytes.as_mut_vec().push(b';');
        Ok(())
    }

    /// True for a `~` that a shell takes for the home folder.
    fn is_home(&self, word: &Word) -> bool {
        let starts = !word.started || (!word.quoted && word.bytes.last() == Some(&b':'));
        starts && matches!(self.peek(), None | Some(b'/' | b':' | b' ' | b'\t' | b'\n'))
    }

    fn home(&mut self, word: &mut Word) {
        match self.variable("HOME") {
            Some(home) => word.bytes.as_mut_vec().extend_from_slice(&home),
            None => word.bytes.as_mut_vec().push(b'~'),
        }
    }

    fn variable(&self, name: &str) -> Option<SecretBytes> {
        self.known.get(name).cloned().or_else(|| (self.outer)(name))
    }

    /// `$NAME`, `${NAME}`, `${NAME:-text}`, `${NAME-text}`. Any other `$` stands for
    /// itself, as in `$5` or at the end.
    fn expansion(&mut self, word: &mut Word) -> Result<(), ReadError> {
        match self.peek() {
            Some(b'(') => return Err(self.command()),
            Some(b'{') => return self.braced(word),
            _ => {}
        }
        let name = self.reference();
        if name.is_empty() {
            word.bytes.as_mut_vec().push(b'$');
            return Ok(());
        }
        let value = self.variable(&name).ok_or_else(|| self.not_set())?;
        word.bytes.as_mut_vec().extend_from_slice(&value);
        Ok(())
    }

    /// The longest name that stands here.
    fn reference(&mut self) -> String {
        let starts = self.peek().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
        let is_part = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_';
        let length = if starts { self.rest().iter().take_while(is_part).count() } else { 0 };
        let name = String::from_utf8_lossy(&self.rest()[..length]).into_owned();
        self.at += length;
        name
    }

    fn braced(&mut self, word: &mut Word) -> Result<(), ReadError> {
        self.at += 1;
        let name = self.reference();
        let end = search::memchr(b'}', self.rest());
        let inside = end.map(|end| &self.text[self.at..self.at + end]);
        let value = self.variable(&name);
        let plain = |text: &[u8]| !text.iter().any(|byte| b"$`\"'\\{\n".contains(byte));
        let bytes = match (inside, value) {
            (Some(b""), Some(value)) if !name.is_empty() => value,
            (Some(b""), None) if !name.is_empty() => return Err(self.not_set()),
            (Some([b':', b'-', default @ ..]), value) if !name.is_empty() && plain(default) => {
                let set = value.filter(|value| !value.is_empty());
                set.unwrap_or_else(|| SecretBytes::new(default.to_vec()))
            }
            (Some([b'-', default @ ..]), value) if !name.is_empty() && plain(default) => {
                value.unwrap_or_else(|| SecretBytes::new(default.to_vec()))
            }
            _ => {
                let message = "of the expansions in braces there are ${NAME} and ${NAME:-text}";
                return Err(self.refused(message, Some(QUOTE)));
            }
        };
        word.bytes.as_mut_vec().extend_from_slice(&bytes);
        self.at += end.map_or(0, |end| end + 1);
        Ok(())
    }

    fn not_set(&self) -> ReadError {
        let hint = "put the value in single quotes if the `$` belongs to it; ${NAME:-} is empty where NAME is not set";
        self.refused("a `$` refers to a variable that is not set", Some(hint))
    }
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::domain::secret::SecretBytes;

    fn outer(name: &str) -> Option<SecretBytes> {
        (name == "OUTER").then(|| SecretBytes::new(b"outer".to_vec()))
    }

    fn values(source: &str) -> Vec<(String, String)> {
        let found = read(source.as_bytes(), &outer).unwrap();
        let text = |bytes: &SecretBytes| String::from_utf8(bytes.to_vec()).unwrap();
        found.iter().map(|one| (one.name.clone(), text(&one.value))).collect()
    }

    #[test]
    fn assignments_come_in_order() {
        let found = values("A=1\n\n# c\n\texport B='2\n3'\nA=${A}-$OUTER\nexport A\nC=x\\\ny\nD=\"p\\\nq\"");
        let expected = [("A", "1"), ("B", "2\n3"), ("A", "1-outer"), ("C", "xy"), ("D", "pq")];
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn refusals_name_the_line_and_nothing_of_it() {
        for (source, line) in [
            ("A=1\nsecret", 2),
            ("A='1\n2'\nB=\"secret", 3),
            ("\n\nA=pa$secret", 3),
            ("A=pa$$secret", 1),
            ("A=$(secret)", 1),
            ("A=\"`secret`\"", 1),
            ("A=${OUTER%secret}", 1),
            ("A=${secret", 1),
            ("A=${}secret", 1),
            ("A='secret' B", 1),
            ("A=1 B=secret", 1),
            ("A=1; export secret", 1),
            ("A=secret\0", 1),
            ("é=secret", 1),
        ] {
            let error = read(source.as_bytes(), &outer).unwrap_err();
            assert_eq!(error.line, Some(line), "{source:?}: {error}");
            let said = format!("{error} {}", error.hint.unwrap_or_default());
            assert!(!said.contains("secret"), "{said}");
        }
    }

    #[test]
    fn quotes_inside_of_values_swallow_no_lines() {
        let found = values("A=it's\nB=that's\nC=5\" x\n");
        let expected = [("A", "it's"), ("B", "that's"), ("C", "5\" x")];
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn large_files_stay_linear() {
        let open = "A=x'\nB=x\"\n".repeat(50_000);
        assert_eq!(read(open.as_bytes(), &outer).unwrap().len(), 100_000);
        let source = "A=\"x\ny\" # c\nB=a b  c\nC='z'\n".repeat(50_000);
        assert_eq!(read(source.as_bytes(), &outer).unwrap().len(), 150_000);
    }
}
