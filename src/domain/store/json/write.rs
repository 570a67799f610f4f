//! Values into JSON text: strings and numbers as Go's `encoding/json` prints
//! them (sops-compat 5.4), containers in a given [`Look`], so that new text
//! can take the layout of the file around it.

use crate::domain::scalar::{FloatStyle, Scalar, write_float};
use crate::domain::store::WriteError;
use crate::domain::value::{Entry, Value};

/// How containers are laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Look {
    /// What ends a line; `None` puts everything on one line.
    pub(super) newline: Option<&'static str>,
    /// What one level of nesting adds to the indentation.
    pub(super) unit: Vec<u8>,
    /// From a key to its value: the colon and the blanks around it.
    pub(super) colon: Vec<u8>,
    /// Behind a comma on one line.
    pub(super) space: Vec<u8>,
    /// Containers in a list take one line each.
    pub(super) short: bool,
}

impl Look {
    /// SOPS's own layout; `indent` spaces a level, or a tab.
    pub(super) fn of_sops(indent: Option<u8>) -> Self {
        let unit = match indent {
            None => b"\t".to_vec(),
            Some(width) => vec![b' '; width.into()],
        };
        Self { newline: Some("\n"), unit, colon: b": ".to_vec(), space: b" ".to_vec(), short: false }
    }

    /// Appends the break between two members at `depth` levels below `base`.
    pub(super) fn line(&self, base: &[u8], depth: usize, out: &mut Vec<u8>) {
        if let Some(newline) = self.newline {
            out.extend_from_slice(newline.as_bytes());
            out.extend_from_slice(base);
            for _ in 0..depth {
                out.extend_from_slice(&self.unit);
            }
        }
    }
}

/// One member on its way out.
enum Member<'v> {
    Pair(&'v str, &'v Value),
    Element(&'v Value),
}

/// Where the writer stands in a container.
struct Open<'v> {
    entries: std::slice::Iter<'v, Entry>,
    elements: std::slice::Iter<'v, Value>,
    map: bool,
    first: bool,
}

impl<'v> Open<'v> {
    fn of(value: &'v Value) -> Option<Self> {
        let (entries, elements, map): (&[Entry], &[Value], bool) = match value {
            Value::Map(entries) => (entries, &[], true),
            Value::List(elements) => (&[], elements, false),
            _ => return None,
        };
        Some(Self { entries: entries.iter(), elements: elements.iter(), map, first: true })
    }

    /// The next member; comments have no place in JSON.
    fn next(&mut self) -> Option<Member<'v>> {
        if self.map {
            self.entries.find_map(|entry| match entry {
                Entry::Pair(key, value) => Some(Member::Pair(key, value)),
                Entry::Comment(_) => None,
            })
        } else {
            self.elements.find(|value| !matches!(value, Value::Comment(_))).map(Member::Element)
        }
    }
}

/// Appends `value`, whose line is indented by `base`, in `look`.
///
/// # Errors
/// NaN and the infinities, which JSON cannot hold.
pub(super) fn write_value(
    value: &Value,
    look: &Look,
    base: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), WriteError> {
    let mut open: Vec<Open<'_>> = Vec::new();
    let mut next = Some(value);
    // How many containers are open around one that takes a single line.
    let mut short_below: Option<usize> = None;
    loop {
        if let Some(value) = next.take() {
            match Open::of(value) {
                Some(container) => {
                    if look.short && short_below.is_none() && open.last().is_some_and(|outer| !outer.map) {
                        short_below = Some(open.len());
                    }
                    out.push(if container.map { b'{' } else { b'[' });
                    open.push(container);
                }
                None => write_leaf(value, out)?,
            }
        }
        let depth = open.len();
        let one_line = look.newline.is_none() || short_below.is_some_and(|outer| depth > outer);
        let Some(container) = open.last_mut() else { return Ok(()) };
        match container.next() {
            Some(member) => {
                if !container.first {
                    out.push(b',');
                    if one_line {
                        out.extend_from_slice(&look.space);
                    }
                }
                container.first = false;
                if !one_line {
                    look.line(base, depth, out);
                }
                next = Some(match member {
                    Member::Pair(key, value) => {
                        write_string(key.as_bytes(), out);
                        out.extend_from_slice(&look.colon);
                        value
                    }
                    Member::Element(value) => value,
                });
            }
            None => {
                if !container.first && !one_line {
                    look.line(base, depth - 1, out);
                }
                out.push(if container.map { b'}' } else { b']' });
                open.pop();
                short_below = short_below.filter(|&outer| outer < open.len());
            }
        }
    }
}

fn write_leaf(value: &Value, out: &mut Vec<u8>) -> Result<(), WriteError> {
    match value {
        Value::Scalar(Scalar::Float(number)) if !number.is_finite() => {
            let name = if number.is_nan() {
                "NaN"
            } else if *number > 0.0 {
                "+Inf"
            } else {
                "-Inf"
            };
            Err(WriteError::new(format!("json: unsupported value: {name}")))
        }
        Value::Scalar(scalar) => {
            write_scalar(scalar, out);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Appends a scalar. NaN and the infinities become strings.
pub(super) fn write_scalar(scalar: &Scalar<'_>, out: &mut Vec<u8>) {
    match scalar {
        Scalar::Null => out.extend_from_slice(b"null"),
        Scalar::Bool(true) => out.extend_from_slice(b"true"),
        Scalar::Bool(false) => out.extend_from_slice(b"false"),
        Scalar::Int(_) => scalar.write_canonical(out),
        Scalar::Float(number) if number.is_finite() => write_float(*number, FloatStyle::Json, out),
        Scalar::Float(_) | Scalar::Time(_) => {
            out.push(b'"');
            scalar.write_canonical(out);
            out.push(b'"');
        }
        Scalar::Str(text) => write_string(text, out),
    }
}

/// The bytes that a string cannot hold as they are: controls, `"`, `\`, the
/// three that Go escapes for HTML, and the start of anything beyond ASCII, which
/// is looked at.
const PLAIN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0x20;
    while byte < 0x80 {
        table[byte] = !matches!(byte as u8, b'"' | b'\\' | b'<' | b'>' | b'&');
        byte += 1;
    }
    table
};

/// Appends `text` in quotes with the escapes of Go's `encoding/json`; each byte
/// that is not UTF-8 becomes `\ufffd`.
pub(super) fn write_string(text: &[u8], out: &mut Vec<u8>) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    for chunk in text.utf8_chunks() {
        write_valid(chunk.valid().as_bytes(), out);
        for _ in chunk.invalid() {
            out.extend_from_slice(b"\\ufffd");
        }
    }
    out.push(b'"');
}

fn write_valid(text: &[u8], out: &mut Vec<u8>) {
    let mut done = 0;
    let mut at = 0;
    while at < text.len() {
        let byte = text[at];
        if PLAIN[byte as usize] {
            at += 1;
            continue;
        }
        let (escape, length): (&[u8], usize) = match byte {
            b'"' => (b"\\\"", 1),
            b'\\' => (b"\\\\", 1),
            0x08 => (b"\\b", 1),
            0x0c => (b"\\f", 1),
            b'\n' => (b"\\n", 1),
            b'\r' => (b"\\r", 1),
            b'\t' => (b"\\t", 1),
            0xe2 if text[at..].starts_with("\u{2028}".as_bytes()) => (b"\\u2028", 3),
            0xe2 if text[at..].starts_with("\u{2029}".as_bytes()) => (b"\\u2029", 3),
            0x80.. => {
                at += 1;
                continue;
            }
            _ => (b"", 1),
        };
        out.extend_from_slice(&text[done..at]);
        if escape.is_empty() {
            let hex = b"0123456789abcdef";
            out.extend_from_slice(b"\\u00");
            out.push(hex[usize::from(byte >> 4)]);
            out.push(hex[usize::from(byte & 15)]);
        } else {
            out.extend_from_slice(escape);
        }
        at += length;
        done = at;
    }
    out.extend_from_slice(&text[done..]);
}
