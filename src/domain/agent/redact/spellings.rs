//! How a value may be spelled in the output of a program: as it is, and as the
//! common encoders and quoters write it. Each is made in full, so that encoders
//! which differ in what they leave alone are all met; most spellings of most values
//! are the same, and the caller keeps one of them.
//!
//! White space around a value belongs to no spelling: programs strip it, and what
//! is left of it tells nothing.

use std::io::Write as _;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};

use super::{SHORTEST, SHORTEST_LINE};
use crate::domain::secret::SecretBytes;

/// Values of more bytes, files rather than passwords, are looked for in fewer
/// spellings, which bounds the memory.
const LARGE: usize = 16 * 1024;

/// Takes the spellings.
type Each<'e> = &'e mut dyn FnMut(&[u8]);

/// Calls `each` with all spellings of `value`, some of them more than once, and of
/// each of its lines that is long enough.
pub(super) fn each(value: &[u8], each: Each<'_>) {
    let value = value.trim_ascii();
    of_part(value, each);
    if value.contains(&b'\n') {
        for line in value.split(|byte| *byte == b'\n') {
            let line = line.trim_ascii();
            if line.len() >= SHORTEST_LINE && !is_frame(line) {
                of_part(line, each);
            }
        }
    }
}

/// True for the first and last line of a PEM file, which are the same in all of them.
fn is_frame(line: &[u8]) -> bool {
    line.starts_with(b"-----") && line.ends_with(b"-----")
}

/// The spellings of one piece of text.
fn of_part(value: &[u8], each: Each<'_>) {
    let each = &mut |spelling: &[u8]| {
        if spelling.len() < SHORTEST {
            return;
        }
        each(spelling);
        // A terminal ends lines in its own way, and files may have been converted.
        if spelling.contains(&b'\n') {
            let lines: Vec<&[u8]> = spelling
                .split(|byte| *byte == b'\n')
                .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
                .collect();
            each(&SecretBytes::new(lines.join(&b"\n"[..])));
            each(&SecretBytes::new(lines.join(&b"\r\n"[..])));
        }
    };
    each(value);
    base64(value, each);
    hex(value, each);
    if value.len() > LARGE {
        return;
    }
    shell(value, each);
    literals(value, each);
    percent(value, each);
    numbers(value, each);
    if let Ok(text) = std::str::from_utf8(value) {
        json(text, each);
        html(text, each);
        utf16(text, each);
    }
}

/// What every unit becomes, joined.
fn spelled<T>(
    units: impl Iterator<Item = T>,
    size: usize,
    mut unit: impl FnMut(T, &mut Vec<u8>),
) -> SecretBytes {
    /// Most bytes that one byte becomes.
    const GROWTH: usize = 8;
    let mut out = SecretBytes::new(Vec::with_capacity(size * GROWTH));
    for it in units {
        unit(it, out.as_mut_vec());
    }
    out
}

/// Text into bytes, which never fails.
fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(text);
}

/// A character as it is.
fn plain(c: char, out: &mut Vec<u8>) {
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

/// JSON strings (RFC 8259, section 7), in all the ways in which encoders differ:
/// `/` escaped (PHP), only ASCII (Python, PHP), no markup (Go, PHP, Rails), digits in
/// upper case, everything as `\uXXXX`; and each of them as a string in a string.
fn json(text: &str, each: Each<'_>) {
    let unicode = |c: char, is_upper: bool, out: &mut Vec<u8>| {
        for unit in c.encode_utf16(&mut [0; 2]) {
            if is_upper {
                put(out, format_args!("\\u{unit:04X}"));
            } else {
                put(out, format_args!("\\u{unit:04x}"));
            }
        }
    };
    let mut both = |spelling: &[u8]| {
        each(spelling);
        each(&spelled(spelling.iter(), spelling.len(), |byte, out| {
            if matches!(byte, b'"' | b'\\') {
                out.push(b'\\');
            }
            out.push(*byte);
        }));
    };
    for ways in 0..32_u8 {
        let [slash, ascii, markup, apostrophe, upper] = [1, 2, 4, 8, 16].map(|bit| ways & bit != 0);
        both(&spelled(text.chars(), text.len(), |c, out| match c {
            '"' | '\\' => out.extend_from_slice(&[b'\\', c as u8]),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            '\u{8}' => out.extend_from_slice(b"\\b"),
            '\u{c}' => out.extend_from_slice(b"\\f"),
            '/' if slash => out.extend_from_slice(b"\\/"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' if markup => unicode(c, upper, out),
            '\'' if apostrophe => unicode(c, upper, out),
            c if c < ' ' || (ascii && !c.is_ascii()) => unicode(c, upper, out),
            c => plain(c, out),
        }));
    }
    for is_upper in [false, true] {
        both(&spelled(text.chars(), text.len(), |c, out| unicode(c, is_upper, out)));
    }
}

/// Words of a shell: within `'…'` (also as Python closes it), `"…"` and `$'…'`, and
/// with backslashes as bash (`printf %q`) and Ruby (`Shellwords`) put them.
fn shell(value: &[u8], each: Each<'_>) {
    let replaced = |from: u8, to: &[u8]| {
        spelled(value.iter(), value.len(), |byte, out| match *byte {
            byte if byte == from => out.extend_from_slice(to),
            byte => out.push(byte),
        })
    };
    each(&replaced(b'\'', b"'\\''"));
    each(&replaced(b'\'', b"'\"'\"'"));
    let before = |special: &dyn Fn(u8) -> bool| {
        spelled(value.iter(), value.len(), |byte, out| {
            if special(*byte) {
                out.push(b'\\');
            }
            out.push(*byte);
        })
    };
    each(&before(&|byte| b"\\\"$`".contains(&byte)));
    each(&before(&|byte| b"\\\"$`!".contains(&byte)));
    each(&before(&|byte| b" \t'\"\\|&;()<>!{}*[]?^$`,#~".contains(&byte)));
    each(&before(&|byte| b" \t'\"\\|&;()<>!{}*[]?^$`,".contains(&byte)));
    each(&before(&|byte| byte.is_ascii() && !byte.is_ascii_alphanumeric() && !b"_-.,:+/@\n".contains(&byte)));
    each(&before(&|byte| byte.is_ascii_punctuation() || byte == b' '));
    for is_ascii in [false, true] {
        each(&spelled(value.iter(), value.len(), |byte, out| match *byte {
            b'\\' | b'\'' => out.extend_from_slice(&[b'\\', *byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x1b => out.extend_from_slice(b"\\E"),
            byte if byte < b' ' || byte == 0x7f || (is_ascii && !byte.is_ascii()) => {
                put(out, format_args!("\\{byte:03o}"));
            }
            byte => out.push(byte),
        }));
    }
}

/// Literals of programming languages and of configuration files: quotes escaped or
/// doubled, `$` doubled, bytes as `\xNN` or in octal.
fn literals(value: &[u8], each: Each<'_>) {
    for doubled in [b'\'', b'"', b'$', b'\\', b'%'] {
        if value.contains(&doubled) {
            each(&spelled(value.iter(), value.len(), |byte, out| {
                if *byte == doubled {
                    out.push(*byte);
                }
                out.push(*byte);
            }));
        }
    }
    for (quote, is_ascii) in [(b'\'', false), (b'\'', true), (b'"', true), (b'\\', true), (b'\\', false)] {
        each(&spelled(value.iter(), value.len(), |byte, out| match *byte {
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            byte if byte == quote || byte == b'\\' => out.extend_from_slice(&[b'\\', byte]),
            byte if byte < b' ' || byte == 0x7f || (is_ascii && !byte.is_ascii()) => {
                put(out, format_args!("\\x{byte:02x}"));
            }
            byte => out.push(byte),
        }));
    }
    each(&spelled(value.iter(), value.len(), |byte, out| put(out, format_args!("\\x{byte:02x}"))));
    each(&spelled(value.iter(), value.len(), |byte, out| put(out, format_args!("\\x{byte:02X}"))));
    each(&spelled(value.iter(), value.len(), |byte, out| put(out, format_args!("\\{byte:03o}"))));
}

/// Percent-encoding (RFC 3986) and forms (`+` for a space), by what encoders leave
/// alone, in both cases, and a second time over the first.
fn percent(value: &[u8], each: Each<'_>) {
    /// RFC 3986; Python; encodeURIComponent; encodeURI; a path's segment; the WHATWG's
    /// forms; PHP.
    const KEPT: [&[u8]; 7] =
        [b"-._~", b"-._~/", b"-_.!~*'()", b"-_.!~*'();,/?:@&=+$#", b"-._~!$&'()*+,;=:@", b"*-._", b"-_."];
    let mut escaped = |is_kept: &dyn Fn(u8) -> bool, space: &[u8], is_upper: bool| {
        let once = spelled(value.iter(), value.len(), |byte, out| match *byte {
            b' ' if !space.is_empty() => out.extend_from_slice(space),
            byte if is_kept(byte) => out.push(byte),
            byte if is_upper => put(out, format_args!("%{byte:02X}")),
            byte => put(out, format_args!("%{byte:02x}")),
        });
        each(&once);
        each(&spelled(once.iter(), once.len(), |byte, out| match byte {
            b'%' => out.extend_from_slice(b"%25"),
            byte => out.push(*byte),
        }));
    };
    for is_upper in [true, false] {
        for kept in KEPT {
            for space in [&b""[..], b"+"] {
                escaped(&|byte| byte.is_ascii_alphanumeric() || kept.contains(&byte), space, is_upper);
            }
        }
        escaped(&|_| false, b"", is_upper);
    }
}

/// HTML and XML: the markup escaped by name or number, quotes in all the ways of
/// which encoders know, and everything by number.
fn html(text: &str, each: Each<'_>) {
    const QUOTES: [(&str, &str); 9] = [
        ("\"", "'"),
        ("&quot;", "'"),
        ("&quot;", "&#39;"),
        ("&quot;", "&#x27;"),
        ("&quot;", "&#039;"),
        ("&quot;", "&apos;"),
        ("&#34;", "&#39;"),
        ("&#x22;", "&#x27;"),
        ("&#34;", "'"),
    ];
    for (double, single) in QUOTES {
        for beyond_ascii in 0..3 {
            each(&spelled(text.chars(), text.len(), |c, out| match c {
                '&' => out.extend_from_slice(b"&amp;"),
                '<' => out.extend_from_slice(b"&lt;"),
                '>' => out.extend_from_slice(b"&gt;"),
                '"' => out.extend_from_slice(double.as_bytes()),
                '\'' => out.extend_from_slice(single.as_bytes()),
                c if c.is_ascii() || beyond_ascii == 0 => plain(c, out),
                c if beyond_ascii == 1 => put(out, format_args!("&#{};", u32::from(c))),
                c => put(out, format_args!("&#x{:x};", u32::from(c))),
            }));
        }
    }
    each(&spelled(text.chars(), text.len(), |c, out| put(out, format_args!("&#{};", u32::from(c)))));
    each(&spelled(text.chars(), text.len(), |c, out| put(out, format_args!("&#x{:x};", u32::from(c)))));
    each(&spelled(text.chars(), text.len(), |c, out| put(out, format_args!("&#x{:X};", u32::from(c)))));
}

/// Hexadecimal digits in both cases: together, with `:` or a space between the bytes,
/// and in the lines of `xxd -p`.
fn hex(value: &[u8], each: Each<'_>) {
    const COLUMNS: usize = 60;
    for separator in [&b""[..], b":", b" "] {
        for is_upper in [false, true] {
            let mut out = spelled(value.iter(), value.len(), |byte, out| {
                if is_upper {
                    put(out, format_args!("{byte:02X}"));
                } else {
                    put(out, format_args!("{byte:02x}"));
                }
                out.extend_from_slice(separator);
            });
            let length = out.len() - separator.len();
            out.as_mut_vec().truncate(length);
            each(&out);
            if separator.is_empty() && length > COLUMNS {
                out.chunks(COLUMNS).for_each(&mut *each);
            }
        }
    }
}

/// Bytes as lists of decimal numbers, as JavaScript, Python and Go print them.
fn numbers(value: &[u8], each: Each<'_>) {
    for separator in [",", ", ", " "] {
        let mut out =
            spelled(value.iter(), value.len(), |byte, out| put(out, format_args!("{byte}{separator}")));
        let length = out.len() - separator.len();
        out.as_mut_vec().truncate(length);
        each(&out);
    }
}

/// Base64 (RFC 4648, sections 4 and 5): wherever the value stands in what is encoded,
/// three ways of falling on groups of three bytes. Characters that hold bits of a
/// neighbour belong to the spelling only where the neighbour is known: at the end,
/// and with the `:` before the password of HTTP's Basic. Long values also by the
/// lines of `base64` and of PEM.
fn base64(value: &[u8], each: Each<'_>) {
    const COLUMNS: [usize; 2] = [76, 64];
    let basic = SecretBytes::new([b":", value].concat());
    for alphabet in [alphabet::STANDARD, alphabet::URL_SAFE] {
        let engine = |is_padded| {
            GeneralPurpose::new(&alphabet, GeneralPurposeConfig::new().with_encode_padding(is_padded))
        };
        for part in [value, &basic] {
            for shift in 0..3 {
                let before = SecretBytes::new([&[0; 2][..shift], part].concat());
                let foreign = (shift * 8).div_ceil(6);
                let padded = SecretBytes::new(engine(true).encode(&*before).into_bytes());
                each(&padded[foreign..]);
                let ends = padded.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
                each(&padded[foreign..ends]);
                each(&padded[foreign..before.len() * 8 / 6]);
            }
        }
        let lines = SecretBytes::new(engine(true).encode(value).into_bytes());
        for columns in COLUMNS {
            if lines.len() > columns {
                lines.chunks(columns).for_each(&mut *each);
            }
        }
    }
}

/// UTF-16 without a mark. Of ASCII both byte orders are the same but for the zero
/// at one end, which is left out; so one spelling serves both.
fn utf16(text: &str, each: Each<'_>) {
    let little = spelled(text.encode_utf16(), text.len(), |unit, out| out.extend(unit.to_le_bytes()));
    let big = spelled(text.encode_utf16(), text.len(), |unit, out| out.extend(unit.to_be_bytes()));
    each(little.strip_suffix(&[0]).unwrap_or(&little));
    each(big.strip_prefix(&[0]).unwrap_or(&big));
}
