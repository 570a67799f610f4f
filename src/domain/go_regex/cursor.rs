//! The place in a pattern up to which it is read, and the switches in force there.

use super::PatternError;

pub(super) const INVALID_ESCAPE: &str = "invalid escape sequence";
pub(super) const INVALID_RANGE: &str = "invalid character class range";
pub(super) const MISSING_BRACKET: &str = "missing closing ]";
const TRAILING_BACKSLASH: &str = "trailing backslash at end of expression";

/// The switches of `(?imsU)` that decide whether there is a match.
#[derive(Clone, Copy, Default)]
pub(super) struct Flags {
    pub(super) fold: bool,
    pub(super) lines: bool,
    pub(super) dot_newline: bool,
}

/// What is left of a pattern.
pub(super) struct Cursor<'p> {
    rest: &'p str,
}

impl<'p> Cursor<'p> {
    /// A cursor at the start of `pattern`.
    pub(super) fn new(pattern: &'p str) -> Self {
        Self { rest: pattern }
    }

    /// The rest of the pattern.
    pub(super) fn rest(&self) -> &'p str {
        self.rest
    }

    /// Goes back to an earlier `rest`.
    pub(super) fn back_to(&mut self, rest: &'p str) {
        self.rest = rest;
    }

    /// Steps over `bytes` bytes.
    pub(super) fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or("");
    }

    /// Steps over one character.
    pub(super) fn next(&mut self) -> Option<char> {
        let character = self.rest.chars().next()?;
        self.skip(character.len_utf8());
        Some(character)
    }

    /// An error that blames everything from `start` to here.
    pub(super) fn error_since(&self, reason: &'static str, start: &str) -> PatternError {
        PatternError { reason, part: start[..start.len() - self.rest.len()].to_owned() }
    }

    /// Reads the escape of one character; the cursor stands on the backslash.
    pub(super) fn escape(&mut self) -> Result<u32, PatternError> {
        let start = self.rest;
        self.skip(1);
        let Some(character) = self.next() else {
            return Err(PatternError { reason: TRAILING_BACKSLASH, part: String::new() });
        };
        let found = match character {
            '1'..='7' if !self.rest.starts_with(|c| matches!(c, '0'..='7')) => None,
            '0'..='7' => Some(self.octal(character)),
            'x' => self.hexadecimal(),
            'a' => Some(0x07),
            'f' => Some(0x0C),
            'n' => Some(0x0A),
            'r' => Some(0x0D),
            't' => Some(0x09),
            'v' => Some(0x0B),
            other if other.is_ascii() && !other.is_ascii_alphanumeric() => Some(u32::from(other)),
            _ => None,
        };
        found.ok_or_else(|| self.error_since(INVALID_ESCAPE, start))
    }

    fn octal(&mut self, first: char) -> u32 {
        let mut value = u32::from(first) - u32::from('0');
        for _ in 0..2 {
            let Some(digit) = self.rest.chars().next().and_then(|c| c.to_digit(8)) else { break };
            value = value * 8 + digit;
            self.skip(1);
        }
        value
    }

    fn hexadecimal(&mut self) -> Option<u32> {
        let first = self.next()?;
        if first != '{' {
            let second = self.next()?;
            return Some(first.to_digit(16)? * 16 + second.to_digit(16)?);
        }
        let mut value = 0;
        let mut digits = 0;
        loop {
            let character = self.next()?;
            if character == '}' {
                return (digits > 0).then_some(value);
            }
            value = value * 16 + character.to_digit(16)?;
            if value > u32::from(char::MAX) {
                return None;
            }
            digits += 1;
        }
    }

    /// Reads `{n}`, `{n,}` or `{n,m}`; anything else is no repetition. A count of
    /// nine digits or more reads as one over the limit.
    pub(super) fn counts(&mut self) -> Option<(u32, Option<u32>)> {
        let start = self.rest;
        let counts = self.counts_or_less();
        if counts.is_none() {
            self.rest = start;
        }
        counts
    }

    fn counts_or_less(&mut self) -> Option<(u32, Option<u32>)> {
        self.skip(1);
        let min = self.count()?;
        let mut max = Some(min);
        if self.rest.starts_with(',') {
            self.skip(1);
            max = if self.rest.starts_with('}') { None } else { Some(self.count()?) };
        }
        if !self.rest.starts_with('}') {
            return None;
        }
        self.skip(1);
        Some((min, max))
    }

    fn count(&mut self) -> Option<u32> {
        let digits = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let text = &self.rest[..digits];
        if digits == 0 || (digits > 1 && text.starts_with('0')) {
            return None;
        }
        self.skip(digits);
        Some(text.parse().unwrap_or(u32::MAX))
    }
}
