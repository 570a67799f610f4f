//! Character classes: `[…]`, `\d`, `[:alpha:]`, `\p{Greek}` by Go's rules, written
//! as classes of the `regex` crate. Perl and POSIX classes are ASCII; under `(?i)`
//! both dialects add the case variants before negating.

use super::PatternError;
use super::cursor::{Cursor, Flags, INVALID_RANGE, MISSING_BRACKET};
use super::syntax::{NOTHING, Node, write_character};

/// Above this many characters a class is not listed in [`Node::Class`].
const FEW: usize = 4;

/// A class while it is read.
#[derive(Default)]
struct Class {
    body: String,
    few: Vec<char>,
    many: bool,
}

impl Class {
    fn add_text(&mut self, text: &str) {
        self.body.push_str(text);
        self.many = true;
    }

    /// Adds `low..=high`. Surrogates, which Go can name but no text holds, are left out.
    fn add_range(&mut self, low: u32, high: u32) {
        let low = if (0xD800..0xE000).contains(&low) { 0xE000 } else { low };
        let high = if (0xD800..0xE000).contains(&high) { 0xD7FF } else { high };
        let (Some(first), Some(last)) = (char::from_u32(low), char::from_u32(high)) else { return };
        if first > last {
            return;
        }
        write_character(first, &mut self.body);
        if first != last {
            self.body.push('-');
            write_character(last, &mut self.body);
        }
        if (high - low) as usize + self.few.len() < FEW {
            self.few.extend(first..=last);
        } else {
            self.many = true;
        }
    }

    fn finish(self, negated: bool, fold: bool) -> Node {
        let few = if self.many || negated || fold { Vec::new() } else { self.few };
        let mut text = match (self.body.is_empty(), negated) {
            (true, false) => NOTHING.to_owned(),
            (true, true) => "(?s:.)".to_owned(),
            (false, false) => format!("[{}]", self.body),
            (false, true) => format!("[^{}]", self.body),
        };
        if fold {
            text = format!("(?i:{text})");
        }
        Node::Class { text, few }
    }
}

/// Reads `[…]`; the cursor stands on the bracket.
pub(super) fn bracket(cursor: &mut Cursor<'_>, flags: Flags) -> Result<Node, PatternError> {
    let whole = cursor.rest();
    cursor.skip(1);
    let negated = cursor.rest().starts_with('^');
    if negated {
        cursor.skip(1);
    }
    let mut class = Class::default();
    let mut first = true;
    while first || !cursor.rest().starts_with(']') {
        first = false;
        if let Some(text) = posix(cursor)? {
            class.add_text(text);
        } else if let Some(text) = unicode(cursor)? {
            class.add_text(&text);
        } else if let Some(text) = perl(cursor) {
            class.add_text(text);
        } else {
            range(cursor, whole, &mut class)?;
        }
    }
    cursor.skip(1);
    Ok(class.finish(negated, flags.fold))
}

/// Reads a class escape outside of brackets: `\d`, `\pL`.
pub(super) fn escape(cursor: &mut Cursor<'_>, flags: Flags) -> Result<Option<Node>, PatternError> {
    let text = match unicode(cursor)? {
        Some(text) => text,
        None => match perl(cursor) {
            Some(text) => text.to_owned(),
            None => return Ok(None),
        },
    };
    let mut class = Class::default();
    class.add_text(&text);
    Ok(Some(class.finish(false, flags.fold)))
}

fn range(cursor: &mut Cursor<'_>, whole: &str, class: &mut Class) -> Result<(), PatternError> {
    let start = cursor.rest();
    let low = member(cursor, whole)?;
    let mut high = low;
    let rest = cursor.rest();
    if rest.len() >= 2 && rest.starts_with('-') && !rest.starts_with("-]") {
        cursor.skip(1);
        high = member(cursor, whole)?;
        if high < low {
            return Err(cursor.error_since(INVALID_RANGE, start));
        }
    }
    class.add_range(low, high);
    Ok(())
}

fn member(cursor: &mut Cursor<'_>, whole: &str) -> Result<u32, PatternError> {
    if cursor.rest().is_empty() {
        return Err(PatternError { reason: MISSING_BRACKET, part: whole.to_owned() });
    }
    if cursor.rest().starts_with('\\') {
        return cursor.escape();
    }
    Ok(cursor.next().map_or(0, u32::from))
}

/// `\d \D \s \S \w \W` as members of a class.
fn perl(cursor: &mut Cursor<'_>) -> Option<&'static str> {
    let text = match cursor.rest().get(..2)? {
        r"\d" => "0-9",
        r"\D" => "[^0-9]",
        r"\s" => r"\t\n\x0C\r\x20",
        r"\S" => r"[^\t\n\x0C\r\x20]",
        r"\w" => "0-9A-Za-z_",
        r"\W" => "[^0-9A-Za-z_]",
        _ => return None,
    };
    cursor.skip(2);
    Some(text)
}

/// `[:alpha:]` and `[:^alpha:]` as members of a class.
fn posix(cursor: &mut Cursor<'_>) -> Result<Option<&'static str>, PatternError> {
    let rest = cursor.rest();
    let Some(inner) = rest.strip_prefix("[:") else { return Ok(None) };
    let Some(length) = inner.find(":]") else { return Ok(None) };
    let text = match &inner[..length] {
        "alnum" => "0-9A-Za-z",
        "^alnum" => "[^0-9A-Za-z]",
        "alpha" => "A-Za-z",
        "^alpha" => "[^A-Za-z]",
        "ascii" => r"\x00-\x7F",
        "^ascii" => r"[^\x00-\x7F]",
        "blank" => r"\t\x20",
        "^blank" => r"[^\t\x20]",
        "cntrl" => r"\x00-\x1F\x7F",
        "^cntrl" => r"[^\x00-\x1F\x7F]",
        "digit" => "0-9",
        "^digit" => "[^0-9]",
        "graph" => r"\x21-\x7E",
        "^graph" => r"[^\x21-\x7E]",
        "lower" => "a-z",
        "^lower" => "[^a-z]",
        "print" => r"\x20-\x7E",
        "^print" => r"[^\x20-\x7E]",
        "punct" => r"\x21-\x2F\x3A-\x40\x5B-\x60\x7B-\x7E",
        "^punct" => r"[^\x21-\x2F\x3A-\x40\x5B-\x60\x7B-\x7E]",
        "space" => r"\x09-\x0D\x20",
        "^space" => r"[^\x09-\x0D\x20]",
        "upper" => "A-Z",
        "^upper" => "[^A-Z]",
        "word" => "0-9A-Za-z_",
        "^word" => "[^0-9A-Za-z_]",
        "xdigit" => "0-9A-Fa-f",
        "^xdigit" => "[^0-9A-Fa-f]",
        _ => return Err(PatternError { reason: INVALID_RANGE, part: rest[..length + 4].to_owned() }),
    };
    cursor.skip(length + 4);
    Ok(Some(text))
}

/// `\pL`, `\p{Greek}`, `\P{^Greek}` as members of a class.
fn unicode(cursor: &mut Cursor<'_>) -> Result<Option<String>, PatternError> {
    let rest = cursor.rest();
    let mut negated = match rest.get(..2) {
        Some(r"\p") => false,
        Some(r"\P") => true,
        _ => return Ok(None),
    };
    let length = match rest[2..].chars().next() {
        Some('{') => match rest.find('}') {
            Some(end) => end + 1,
            None => return Err(PatternError { reason: INVALID_RANGE, part: rest.to_owned() }),
        },
        Some(letter) => 2 + letter.len_utf8(),
        None => 2,
    };
    let inner = &rest[2..length];
    let mut name = inner.strip_prefix('{').and_then(|name| name.strip_suffix('}')).unwrap_or(inner);
    if let Some(positive) = name.strip_prefix('^') {
        negated = !negated;
        name = positive;
    }
    let Some(text) = unicode_class(name, negated) else {
        return Err(PatternError { reason: INVALID_RANGE, part: rest[..length].to_owned() });
    };
    cursor.skip(length);
    Ok(Some(text))
}

/// The class that Go knows as `name`: a general category by its short or long
/// name, or a script by its long name, in any case, with or without `_`, `-` and spaces.
fn unicode_class(name: &str, negated: bool) -> Option<String> {
    let plain: String =
        name.chars().filter(|c| !matches!(c, '_' | '-' | ' ')).map(|c| c.to_ascii_lowercase()).collect();
    let sign = if negated { 'P' } else { 'p' };
    match plain.as_str() {
        "any" => return Some(if negated { NOTHING } else { r"[\s\S]" }.to_owned()),
        "ascii" => return Some(if negated { r"[^\x00-\x7F]" } else { r"\x00-\x7F" }.to_owned()),
        "cs" | "surrogate" => return Some(if negated { r"[\s\S]" } else { NOTHING }.to_owned()),
        "assigned" => return Some(format!("\\{sign}{{assigned}}")),
        "lc" => return Some(format!("\\{sign}{{cased_letter}}")),
        _ if plain.is_empty()
            || plain.starts_with("is")
            || !plain.bytes().all(|b| b.is_ascii_lowercase()) =>
        {
            return None;
        }
        _ => {}
    }
    let category = format!("\\{sign}{{gc={plain}}}");
    if known(&category) {
        return Some(category);
    }
    // Go knows scripts by their long names; a short name has four letters.
    let long = plain.len() != 4 || ["ahom", "cham", "kawi", "lisu", "thai", "toto"].contains(&plain.as_str());
    let special = ["unknown", "katakanaorhiragana"].contains(&plain.as_str());
    let script = format!("\\{sign}{{sc={plain}}}");
    (long && !special && known(&script)).then_some(script)
}

/// True when the `regex` crate has that class.
fn known(class: &str) -> bool {
    regex::Regex::new(class).is_ok()
}
