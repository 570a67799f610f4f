//! Values into INI text, in the layout of ini.v1 (sops-compat 5.7): equal
//! signs aligned within a section, one blank line between sections. Where that
//! library would write what it cannot read back, other quotes are chosen.

use super::read::{DEFAULT, read};
use super::text::{is_marker, trim, trimmed};
use crate::domain::scalar::Scalar;
use crate::domain::store::WriteError;
use crate::domain::store::dotenv;
use crate::domain::store::flat_names::{Line, lines};
use crate::domain::tree::{Kind, Style};
use crate::domain::value::{Entry, Value};

/// The text of a value: strings as they are, the rest as SOPS prints it.
pub(super) fn text_of(scalar: &Scalar<'_>) -> Vec<u8> {
    if let Scalar::Str(text) = scalar {
        return text.to_vec();
    }
    let mut out = Vec::new();
    dotenv::write_scalar(scalar, &mut out);
    out
}

/// True when `text` needs no quotes in any style: no quote, marker, backslash
/// or line break in it, no white space around it.
pub(super) fn is_simple(text: &[u8]) -> bool {
    let special = |&byte: &u8| matches!(byte, b'"' | b'\'' | b'`' | b'#' | b';' | b'\n' | b'\r' | b'\\');
    !text.is_empty() && !text.iter().any(special) && trim(text).len() == text.len()
}

/// `text` between the quotes of `style`.
pub(super) fn enclosed(text: &[u8], style: Style) -> Vec<u8> {
    let quote: &[u8] = match style {
        Style::SingleQuoted => b"'",
        Style::DoubleQuoted => b"\"",
        Style::Backquoted => b"`",
        Style::TripleQuoted => b"\"\"\"",
        _ => b"",
    };
    [quote, text, quote].concat()
}

/// The style in which ini.v1 writes `text`.
fn native_style(text: &[u8]) -> Style {
    if text.iter().any(|&byte| byte == b'\n' || byte == b'`') {
        Style::TripleQuoted
    } else if text.iter().any(|&byte| is_marker(byte)) {
        Style::Backquoted
    } else if trim(text).len() != text.len() {
        Style::DoubleQuoted
    } else {
        Style::Plain
    }
}

/// `text` as ini.v1 writes it, or in the first quotes for which `fits` holds if
/// it does not for those; `preferred` is tried before.
pub(super) fn quoted(text: &[u8], preferred: Option<Style>, fits: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let native = native_style(text);
    if is_simple(text) {
        return enclosed(text, preferred.unwrap_or(Style::Plain));
    }
    let others =
        [Style::Plain, Style::Backquoted, Style::DoubleQuoted, Style::SingleQuoted, Style::TripleQuoted];
    let candidates = preferred.into_iter().chain([native]).chain(others);
    let found = candidates.map(|style| enclosed(text, style)).find(|candidate| fits(candidate));
    found.unwrap_or_else(|| enclosed(text, native))
}

/// True when `written` is read as exactly `text` behind `before` (a delimiter
/// and blanks) and in front of `behind` (the rest of the line).
pub(super) fn reads_as(before: &[u8], written: &[u8], behind: &[u8], text: &[u8]) -> bool {
    let line = [b"k", before, written, behind, b"\nz=1\n"].concat();
    let Ok(tree) = read(&line) else { return false };
    let start = 1 + before.len();
    let value = tree.nodes.iter().find(|node| node.kind == Kind::Scalar);
    value.is_some_and(|node| {
        node.span.start as usize == start
            && node.span.end as usize == start + written.len()
            && tree.text(node.text) == text
    }) && tree.nodes.iter().filter(|node| node.kind == Kind::Scalar).count() == 2
}

/// Appends a value behind ` = `.
pub(super) fn write_value(text: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&quoted(text, None, |candidate| {
        text.is_empty() || reads_as(b" = ", candidate, b"", text)
    }));
}

/// `key` with the quotes that it needs.
///
/// # Errors
/// A key that no quotes make readable.
pub(super) fn written_key(key: &str) -> Result<Vec<u8>, WriteError> {
    if key.is_empty() {
        return Err(WriteError::new(
            "Error marshaling to INI: Error encoding key: error creating new key: empty key name",
        ));
    }
    let native: &[Style] = if key.contains(['"', '=', ':']) {
        &[Style::Backquoted]
    } else if key.contains('`') {
        &[Style::TripleQuoted]
    } else {
        &[Style::Plain, Style::Backquoted, Style::DoubleQuoted]
    };
    for &style in native.iter().chain(&[Style::Backquoted, Style::TripleQuoted]) {
        let written = enclosed(key.as_bytes(), style);
        let line = [&written[..], b" = 1"].concat();
        if let Ok(tree) = read(&line)
            && tree.nodes.last().is_some_and(|node| tree.text(node.key_text) == key.as_bytes())
        {
            return Ok(written);
        }
    }
    Err(WriteError::new(format!("the key {} cannot be written in an INI file", key.escape_default())))
}

/// How the lines of a comment are written.
pub(super) struct CommentLook<'a> {
    /// In front of the first line, if that brings no marker of its own.
    pub(super) marker: &'a [u8],
    /// In front of the other lines.
    pub(super) indent: &'a [u8],
    /// Between lines.
    pub(super) newline: &'a [u8],
    /// The comment of a section, where ini.v1 does not trim lines.
    pub(super) of_section: bool,
    /// The first line gets `marker` even if it brings one, so that it is read back
    /// as the same text.
    pub(super) keeps_marker: bool,
}

/// Appends the lines of a comment: a line keeps its own marker or gets one.
pub(super) fn write_comment(text: &[u8], look: &CommentLook<'_>, out: &mut Vec<u8>) {
    let lines = text.split(|&byte| byte == b'\n');
    let count = lines.clone().count();
    for (index, line) in lines.enumerate() {
        // The text of lines that ended in CRLF has the carriage returns.
        let broken = look.newline == b"\r\n" && index + 1 < count;
        let line = if broken { line.strip_suffix(b"\r").unwrap_or(line) } else { line };
        if index > 0 {
            out.extend_from_slice(look.newline);
            out.extend_from_slice(look.indent);
        }
        match line {
            [first, rest @ ..] if is_marker(*first) && !(index == 0 && look.keeps_marker) => {
                out.push(*first);
                out.push(b' ');
                out.extend_from_slice(trim(rest));
            }
            _ => {
                out.extend_from_slice(if index == 0 { look.marker } else { b"; " });
                out.extend_from_slice(if look.of_section { line } else { trim(line) });
            }
        }
    }
}

/// One key with its comments and value.
struct Pair {
    comments: Vec<Vec<u8>>,
    key: Vec<u8>,
    value: Vec<u8>,
}

/// Appends `pairs`, their equal signs aligned.
fn write_pairs(pairs: &[Pair], newline: &[u8], out: &mut Vec<u8>) {
    let width = pairs.iter().map(|pair| pair.key.len()).max().unwrap_or(0);
    for pair in pairs {
        write_comments(&pair.comments, newline, false, out);
        out.extend_from_slice(&pair.key);
        out.resize(out.len() + width - pair.key.len(), b' ');
        out.extend_from_slice(b" = ");
        write_value(&pair.value, out);
        out.extend_from_slice(newline);
    }
}

fn write_comments(comments: &[Vec<u8>], newline: &[u8], of_section: bool, out: &mut Vec<u8>) {
    let look = CommentLook { marker: b"; ", indent: b"", newline, of_section, keeps_marker: false };
    for comment in comments.iter().filter(|comment| !comment.is_empty()) {
        write_comment(comment, &look, out);
        out.extend_from_slice(newline);
    }
}

/// The comments of a section and its keys. A comment belongs to the key before
/// it, as in SOPS, and is written in front of that.
fn section_pairs(entries: &[Entry]) -> Result<(Vec<Vec<u8>>, Vec<Pair>), WriteError> {
    let mut comments = Vec::new();
    let mut pairs: Vec<Pair> = Vec::new();
    for line in lines(entries)? {
        match line {
            Line::Comment(text) => {
                pairs.last_mut().map_or(&mut comments, |pair| &mut pair.comments).push(text.to_vec());
            }
            Line::Leaf(leaf) => {
                let (key, value) = (written_key(&leaf.name)?, text_of(leaf.scalar));
                pairs.push(Pair { comments: Vec::new(), key, value });
            }
        }
    }
    Ok((comments, pairs))
}

/// Appends the keys of a section.
///
/// # Errors
/// A key that INI cannot hold.
pub(super) fn write_section_body(
    entries: &[Entry],
    newline: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), WriteError> {
    let (comments, pairs) = section_pairs(entries)?;
    write_comments(&comments, newline, true, out);
    write_pairs(&pairs, newline, out);
    Ok(())
}

/// Appends flat names and texts as keys, line breaks written as `\n`.
pub(super) fn write_flat(flat: Vec<(String, Vec<u8>)>, newline: &[u8], out: &mut Vec<u8>) {
    let pairs: Vec<Pair> = flat
        .into_iter()
        .map(|(key, text)| {
            let mut value = Vec::with_capacity(text.len());
            dotenv::encode_into(&text, &mut value);
            let key = written_key(&key).unwrap_or_else(|_| key.into_bytes());
            Pair { comments: Vec::new(), key, value }
        })
        .collect();
    write_pairs(&pairs, newline, out);
}

/// Appends a section header.
///
/// # Errors
/// A name that would not be read back.
pub(super) fn write_header(name: &str, newline: &[u8], out: &mut Vec<u8>) -> Result<(), WriteError> {
    if name.is_empty() || name.contains('\n') {
        let message =
            format!("the section name \"{}\" cannot be written in an INI file", name.escape_default());
        return Err(WriteError::new(message));
    }
    out.push(b'[');
    out.extend_from_slice(name.as_bytes());
    out.push(b']');
    out.extend_from_slice(newline);
    Ok(())
}

/// A whole document.
///
/// # Errors
/// Values outside of sections, and names that INI cannot hold.
pub(super) fn emit(document: &Value) -> Result<Vec<u8>, WriteError> {
    let Value::Map(entries) = document else { return Ok(Vec::new()) };
    let mut out = Vec::new();
    let mut first = true;
    for entry in entries {
        let Entry::Pair(name, value) = entry else { continue };
        let Value::Map(items) = value else {
            return Err(WriteError::new(
                "Error marshaling to INI: Error encoding section: Section values should always be TreeBranches",
            ));
        };
        let (comments, pairs) = section_pairs(items)?;
        let bare = std::mem::take(&mut first) && name.as_bytes() == DEFAULT;
        if bare && pairs.is_empty() && comments.is_empty() {
            continue;
        }
        if !out.is_empty() {
            out.push(b'\n');
        }
        write_comments(&comments, b"\n", true, &mut out);
        if !bare {
            write_header(name, b"\n", &mut out)?;
        }
        write_pairs(&pairs, b"\n", &mut out);
    }
    Ok(out)
}

/// How long `line` is without white space at its end.
pub(super) fn line_length(line: &[u8]) -> usize {
    trimmed(line)
}
