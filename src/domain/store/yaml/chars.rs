//! The characters of YAML as go-yaml sees them: which bytes a file may hold,
//! what breaks a line (also NEL, LS and PS), what is blank, and where plain and
//! quoted scalars must look closer.

use crate::domain::search;

/// What a byte can mean inside a scalar.
pub(super) mod class {
    /// May end or interrupt a plain scalar in any context.
    pub(crate) const PLAIN: u8 = 1;
    /// May end a plain scalar inside a flow collection.
    pub(crate) const FLOW: u8 = 2;
    /// May end or interrupt a quoted scalar.
    pub(crate) const QUOTED: u8 = 4;
    /// A letter, digit, `_` or `-`.
    pub(crate) const WORD: u8 = 8;
    /// May stand in a tag beside the letters.
    pub(crate) const URI: u8 = 16;
}

/// The classes of every byte.
pub(super) static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    mark(&mut table, b"\t\n\r :\xC2\xE2", class::PLAIN);
    mark(&mut table, b"\t\n\r :\xC2\xE2,?[]{}", class::FLOW);
    mark(&mut table, b"\n\r\xC2\xE2'\"\\", class::QUOTED);
    mark(&mut table, b"0123456789_-abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", class::WORD);
    mark(&mut table, b";/?:@&=+$,.!~*'()[]%", class::URI);
    table
}

const fn mark(table: &mut [u8; 256], bytes: &[u8], class: u8) {
    let mut at = 0;
    while at < bytes.len() {
        table[bytes[at] as usize] |= class;
        at += 1;
    }
}

/// True when `byte` is in one of the classes of `mask`.
#[inline(always)]
pub(super) fn is(byte: u8, mask: u8) -> bool {
    CLASSES[byte as usize] & mask != 0
}

/// The length of the line break at `at`, 0 if there is none. CR LF is one break.
#[inline(always)]
pub(super) fn line_break(source: &[u8], at: usize) -> usize {
    match source.get(at) {
        Some(b'\n') => 1,
        Some(b'\r') => 1 + usize::from(source.get(at + 1) == Some(&b'\n')),
        Some(0xC2) => 2 * usize::from(source.get(at + 1) == Some(&0x85)),
        Some(0xE2) => 3 * usize::from(is_separator(source, at)),
        _ => 0,
    }
}

/// Where the first line break in `bytes` starts.
pub(super) fn find_break(bytes: &[u8]) -> Option<usize> {
    let near = search::memchr2(b'\n', b'\r', bytes);
    let line = &bytes[..near.unwrap_or(bytes.len())];
    search::memchr2_iter(0xC2, 0xE2, line).find(|at| line_break(bytes, *at) > 0).or(near)
}

/// The length of the line break that `bytes` end with.
pub(super) fn trailing_break(bytes: &[u8]) -> usize {
    match bytes {
        [.., b'\r', b'\n'] | [.., 0xC2, 0x85] => 2,
        [.., b'\n' | b'\r'] => 1,
        [.., 0xE2, 0x80, 0xA8 | 0xA9] => 3,
        _ => 0,
    }
}

/// A file's own line break: that of its first line.
pub(super) fn own_break(source: &[u8]) -> &'static [u8] {
    match search::memchr2(b'\n', b'\r', source) {
        Some(at) if source[at..].starts_with(b"\r\n") => b"\r\n",
        Some(at) if source[at] == b'\r' => b"\r",
        _ => b"\n",
    }
}

/// True at a LINE SEPARATOR or PARAGRAPH SEPARATOR, which are breaks that stay
/// what they are when lines are folded.
pub(super) fn is_separator(source: &[u8], at: usize) -> bool {
    matches!(source.get(at..at + 3), Some([0xE2, 0x80, 0xA8 | 0xA9]))
}

/// Where the blanks in front of `at` begin.
pub(super) fn before_blanks(source: &[u8], at: usize) -> usize {
    at - source[..at].iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t')).count()
}

/// True at a space or tab.
#[inline(always)]
pub(super) fn is_blank(source: &[u8], at: usize) -> bool {
    matches!(source.get(at), Some(b' ' | b'\t'))
}

/// True at a space, tab, line break or the end.
#[inline(always)]
pub(super) fn is_blank_or_end(source: &[u8], at: usize) -> bool {
    match source.get(at) {
        None | Some(b' ' | b'\t' | b'\n' | b'\r') => true,
        Some(0xC2 | 0xE2) => line_break(source, at) > 0,
        _ => false,
    }
}

/// The end of the line that `at` stands in: the offset of its break.
pub(super) fn line_end(source: &[u8], at: usize, only_lf: bool) -> usize {
    let rest = &source[at..];
    if only_lf {
        return at + search::memchr(b'\n', rest).unwrap_or(rest.len());
    }
    let mut end = at;
    while end < source.len() && !(is(source[end], class::QUOTED) && line_break(source, end) > 0) {
        end += 1;
    }
    end
}

/// What a source is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Census {
    /// No byte above 0x7F.
    pub(super) ascii: bool,
    /// LF is the only line break.
    pub(super) only_lf: bool,
}

/// A byte that no YAML file may hold: its offset and go-yaml's words for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadByte {
    /// Its offset.
    pub(super) at: usize,
    /// What is wrong.
    pub(super) problem: &'static str,
}

/// Checks that `source` is UTF-8 without control characters.
pub(super) fn census(source: &[u8]) -> Result<Census, BadByte> {
    // Most files hold nothing but printable ASCII and LF, which takes one test a byte.
    let quiet = |loud: bool, &byte: &u8| loud | (byte.wrapping_sub(0x20) >= 0x5F) & (byte != b'\n');
    if !source.chunks(4096).any(|chunk| chunk.iter().fold(false, quiet)) {
        return Ok(Census { ascii: true, only_lf: true });
    }
    let mut high = false;
    let mut returns = false;
    let mut control = false;
    for &byte in source {
        high |= byte >= 0x80;
        returns |= byte == b'\r';
        control |= (byte < 0x20 && byte != b'\n' && byte != b'\t' && byte != b'\r') || byte == 0x7F;
    }
    let mut only_lf = !returns;
    if high {
        only_lf &= check_high(source)?;
    }
    if control {
        let bad = |&byte: &u8| (byte < 0x20 && !matches!(byte, b'\n' | b'\t' | b'\r')) || byte == 0x7F;
        let at = source.iter().position(bad).unwrap_or(0);
        return Err(BadByte { at, problem: "control characters are not allowed" });
    }
    Ok(Census { ascii: !high, only_lf })
}

/// Checks the characters beyond ASCII; true when none of them breaks lines.
fn check_high(source: &[u8]) -> Result<bool, BadByte> {
    if let Err(error) = std::str::from_utf8(source) {
        return Err(BadByte { at: error.valid_up_to(), problem: "invalid UTF-8" });
    }
    if source.starts_with(b"\xEF\xBB\xBF\xEF\xBB\xBF") {
        return Err(BadByte { at: 3, problem: "two byte order marks" });
    }
    let mut plain = true;
    for at in search::memchr3_iter(0xC2, 0xE2, 0xEF, source) {
        match (source[at], source.get(at + 1), source.get(at + 2)) {
            (0xC2, Some(0x85), _) | (0xE2, Some(0x80), Some(0xA8 | 0xA9)) => plain = false,
            (0xC2, Some(0x80..=0x9F), _) | (0xEF, Some(0xBF), Some(0xBE | 0xBF)) => {
                return Err(BadByte { at, problem: "control characters are not allowed" });
            }
            _ => {}
        }
    }
    Ok(plain)
}

/// The number of bytes in `bytes` that continue a character.
pub(super) fn continuations(bytes: &[u8]) -> usize {
    bytes.iter().filter(|&&byte| byte & 0xC0 == 0x80).count()
}
