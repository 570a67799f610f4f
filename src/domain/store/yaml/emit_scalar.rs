//! How a string is written in YAML: the style that SOPS gives it (sops-compat 5.3)
//! and the text in that style. Where SOPS's own choice loses data (a multi-line
//! string led by a tab, U+2028 and U+2029), double quotes are used.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::resolve::is_plain_string;
use crate::domain::scalar::{FloatStyle, Scalar, write_float, write_int};

/// The style of a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As it is.
    Plain,
    /// As it is, behind `!!merge`: the string `<<`.
    Merge,
    /// `'…'`.
    Single,
    /// `"…"` on one line.
    Double,
    /// `|`.
    Literal,
    /// `!!binary` and base64: the bytes are not UTF-8.
    Binary,
}

/// What one pass over a string finds in it.
#[derive(Default)]
struct Features {
    line_feed: bool,
    break_like: bool,
    separator: bool,
    unprintable: bool,
    tab: bool,
    space_before_break: bool,
    plain_refused: bool,
}

/// The style that SOPS gives `text`.
pub fn form_of(text: &[u8]) -> Form {
    let Ok(string) = std::str::from_utf8(text) else { return Form::Binary };
    let features = scan(string);
    if features.line_feed {
        let loses = features.unprintable || features.space_before_break || features.separator;
        return if loses || text[0] == b'\t' || text.ends_with(b" ") { Form::Double } else { Form::Literal };
    }
    if text == b"<<" {
        return Form::Merge;
    }
    if text.is_empty() || !is_plain_string(text) || is_old_bool(text) || is_base60(text) {
        return Form::Double;
    }
    if features.unprintable || features.tab || features.separator {
        return Form::Double;
    }
    if features.plain_refused { Form::Single } else { Form::Plain }
}

/// True if `text` holds what go-yaml counts as a line break: such a key needs `? `.
pub fn is_multi_line(text: &[u8]) -> bool {
    match std::str::from_utf8(text) {
        Ok(string) => scan(string).break_like,
        Err(_) => text.len() > 51,
    }
}

/// True if `text` can stand between single quotes on one line: printable, without tabs and breaks.
pub fn fits_single_quotes(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|string| {
        let features = scan(string);
        !features.unprintable && !features.break_like && !features.tab
    })
}

/// True if `text` can be the content of a block scalar: every character printable or
/// a tab, and no line break but LF.
pub fn fits_block(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|string| {
        let features = scan(string);
        !features.unprintable && !features.separator
    })
}

/// True if `text` is itself as a plain value inside `[]` and `{}`, too.
pub fn fits_plain_in_flow(text: &[u8]) -> bool {
    form_of(text) == Form::Plain
        && !matches!(text, [b'?' | b':', ..])
        && !text.iter().any(|byte| matches!(byte, b',' | b'[' | b']' | b'{' | b'}'))
        && !text.windows(2).any(|pair| matches!(pair, b"? "))
}

fn scan(text: &str) -> Features {
    let bytes = text.as_bytes();
    let mut found = Features {
        plain_refused: starts_refused(bytes) || bytes.first() == Some(&b' ') || bytes.last() == Some(&b' '),
        ..Features::default()
    };
    for (at, byte) in bytes.iter().copied().enumerate() {
        if ORDINARY[usize::from(byte)] {
            continue;
        }
        let before = if at == 0 { b' ' } else { bytes[at - 1] };
        match byte {
            b'\n' => {
                found.line_feed = true;
                found.break_like = true;
                found.space_before_break |= before == b' ' && at > 0;
            }
            b'\t' => found.tab = true,
            b':' => found.plain_refused |= matches!(bytes.get(at + 1), None | Some(b' ' | b'\t')),
            b'#' => found.plain_refused |= matches!(before, b' ' | b'\t' | b'\n' | 0) && at > 0,
            0..=0x7f => {
                found.unprintable = true;
                found.break_like |= byte == b'\r';
            }
            _ => scan_wide(bytes, at, before, &mut found),
        }
    }
    found
}

/// Bytes that no rule looks at: printable ASCII but `:` and `#`, and what lies
/// within or starts characters that are always printable.
const ORDINARY: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b':' | b'#' => false,
            b' '..=b'~' | 0x80..=0xbf => true,
            0xc2 | 0xe2 | 0xef | 0xf0..=0xff => false,
            0xc0..=0xee => true,
            _ => false,
        };
        byte += 1;
    }
    table
};

/// The lead byte of a character beyond ASCII.
fn scan_wide(bytes: &[u8], at: usize, before: u8, found: &mut Features) {
    match (bytes[at], bytes.get(at + 1).copied().unwrap_or(0), bytes.get(at + 2).copied().unwrap_or(0)) {
        (0xc2, 0x85, _) => {
            found.unprintable = true;
            found.break_like = true;
        }
        (0xc2, 0x80..=0x9f, _) | (0xef, 0xbb, 0xbf) | (0xef, 0xbf, 0xbe | 0xbf) | (0xf0..=0xf7, _, _) => {
            found.unprintable = true;
        }
        (0xe2, 0x80, 0xa8 | 0xa9) => {
            found.separator = true;
            found.break_like = true;
            found.space_before_break |= before == b' ';
        }
        _ => {}
    }
}

/// A first character (or three) that a plain scalar cannot start with.
fn starts_refused(bytes: &[u8]) -> bool {
    matches!(
        bytes,
        [b'-', b'-', b'-', ..]
            | [b'.', b'.', b'.', ..]
            | [b'#' | b',' | b'[' | b']' | b'{' | b'}' | b'&' | b'*' | b'!' | b'|' | b'>', ..]
            | [b'\'' | b'"' | b'%' | b'@' | b'`', ..]
            | [b'-' | b'?' | b':']
            | [b'-' | b'?' | b':', b' ' | b'\t', ..]
    )
}

/// YAML 1.1's other booleans, which go-yaml reads as strings and writes in quotes.
fn is_old_bool(text: &[u8]) -> bool {
    const WORDS: [&[u8]; 16] = [
        b"y", b"Y", b"yes", b"Yes", b"YES", b"on", b"On", b"ON", b"n", b"N", b"no", b"No", b"NO", b"off",
        b"Off", b"OFF",
    ];
    text.len() <= 3 && WORDS.contains(&text)
}

/// `[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?`: a sexagesimal number of YAML 1.1.
fn is_base60(text: &[u8]) -> bool {
    let rest = match text {
        [b'+' | b'-', rest @ ..] => rest,
        _ => text,
    };
    if !rest.first().is_some_and(u8::is_ascii_digit) {
        return false;
    }
    let mut parts = rest.split(|byte| *byte == b':');
    if !parts.next().is_some_and(|head| head.iter().all(|byte| byte.is_ascii_digit() || *byte == b'_')) {
        return false;
    }
    let mut count = 0;
    let mut ended = false;
    for part in parts {
        if ended {
            return false;
        }
        let point = part.iter().position(|byte| *byte == b'.');
        let (digits, fraction) = part.split_at(point.unwrap_or(part.len()));
        ended = point.is_some();
        let fits = matches!(digits, [b'0'..=b'9'] | [b'0'..=b'5', b'0'..=b'9']);
        if !fits || !fraction.iter().skip(1).all(|byte| byte.is_ascii_digit() || *byte == b'_') {
            return false;
        }
        count += 1;
    }
    count > 0
}

/// Appends a value other than a string: null, boolean, number or time, as SOPS prints it.
pub fn write_typed(scalar: &Scalar<'_>, out: &mut Vec<u8>) {
    match scalar {
        Scalar::Null => out.extend_from_slice(b"null"),
        Scalar::Bool(true) => out.extend_from_slice(b"true"),
        Scalar::Bool(false) => out.extend_from_slice(b"false"),
        Scalar::Int(value) => write_int(*value, out),
        Scalar::Float(value) => write_float(*value, FloatStyle::Yaml, out),
        Scalar::Time(value) => value.write(out),
        Scalar::Str(text) => out.extend_from_slice(text),
    }
}

/// Appends `'…'`.
pub fn write_single(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'\'');
    for byte in text {
        if *byte == b'\'' {
            out.push(b'\'');
        }
        out.push(*byte);
    }
    out.push(b'\'');
}

/// Appends `"…"` on one line, with go-yaml's escapes. Bytes that are not UTF-8
/// cannot be written so: see [`Form::Binary`].
pub fn write_double(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let string = String::from_utf8_lossy(text);
    // go-yaml escapes every character of a string that starts with a byte order mark.
    let all = string.starts_with('\u{feff}');
    let mut rest = &*string;
    while !rest.is_empty() {
        let plain = if all { 0 } else { rest.bytes().position(is_not_plain).unwrap_or(rest.len()) };
        out.extend_from_slice(&rest.as_bytes()[..plain]);
        let mut behind = rest[plain..].chars();
        match behind.next() {
            Some(c) if all || needs_escape(c) => write_escape(c, out),
            Some(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            None => {}
        }
        rest = behind.as_str();
    }
    out.push(b'"');
}

/// True for a byte that begins something else than a character of ASCII that stands for
/// itself.
fn is_not_plain(byte: u8) -> bool {
    !matches!(byte, b' '..=b'~') || matches!(byte, b'"' | b'\\')
}

fn needs_escape(c: char) -> bool {
    match c {
        '"' | '\\' | '\u{feff}' | '\u{2028}' | '\u{2029}' | '\u{fffe}' | '\u{ffff}' => true,
        ' '..='~' => false,
        c => !('\u{a0}'..='\u{ffff}').contains(&c),
    }
}

fn write_escape(c: char, out: &mut Vec<u8>) {
    out.push(b'\\');
    let short = match c {
        '\0' => b'0',
        '\x07' => b'a',
        '\x08' => b'b',
        '\t' => b't',
        '\n' => b'n',
        '\x0b' => b'v',
        '\x0c' => b'f',
        '\r' => b'r',
        '\x1b' => b'e',
        '"' => b'"',
        '\\' => b'\\',
        '\u{85}' => b'N',
        '\u{a0}' => b'_',
        '\u{2028}' => b'L',
        '\u{2029}' => b'P',
        _ => 0,
    };
    if short != 0 {
        out.push(short);
        return;
    }
    let code = u32::from(c);
    let (letter, width) = match code {
        0..=0xff => (b'x', 2),
        0x100..=0xffff => (b'u', 4),
        _ => (b'U', 8),
    };
    out.push(letter);
    for place in (0..width).rev() {
        let digit = (code >> (4 * place) & 0xf) as u8;
        out.push(if digit < 10 { b'0' + digit } else { b'A' + digit - 10 });
    }
}

/// The base64 text of [`Form::Binary`], cut into lines of 70 from 70 characters on.
pub fn binary_text(bytes: &[u8]) -> Vec<u8> {
    let packed = STANDARD.encode(bytes).into_bytes();
    if packed.len() < 70 {
        return packed;
    }
    let mut out = Vec::with_capacity(packed.len() + packed.len() / 70 + 1);
    for line in packed.chunks(70) {
        out.extend_from_slice(line);
        out.push(b'\n');
    }
    out
}

/// Appends the header of a literal block for `text`, without its line break:
/// the indentation digit where the text needs one (`offset`, the columns between
/// the parent and the content), then the chomping.
pub fn write_literal_header(text: &[u8], offset: usize, out: &mut Vec<u8>) {
    out.push(b'|');
    if matches!(text.first(), Some(b' ' | b'\n')) {
        out.push(b'0' + (offset.clamp(1, 9)) as u8);
    }
    match text {
        [b'\n'] | [.., b'\n', b'\n'] => out.push(b'+'),
        [.., b'\n'] => {}
        _ => out.push(b'-'),
    }
}

/// Appends the lines of a block scalar's content, each but the empty ones behind
/// `column` blanks, separated by `line_break`. No break follows the last line;
/// every LF of `text` makes one.
pub fn write_block_lines(text: &[u8], column: usize, line_break: &[u8], out: &mut Vec<u8>) {
    for (number, line) in text.split(|byte| *byte == b'\n').enumerate() {
        if number > 0 {
            out.extend_from_slice(line_break);
        }
        if !line.is_empty() {
            out.resize(out.len() + column, b' ');
            out.extend_from_slice(line);
        }
    }
}
