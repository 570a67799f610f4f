//! The `sops_…` lines of a dotenv file, and what is noted there besides.
//!
//! A blank line in a CRLF file holds a carriage return, which SOPS takes for a
//! broken line. In an encrypted file those lines are empty, and one field of
//! the metadata, unknown to SOPS and ignored by it, tells which they were.

use super::{PREFIX, encode_into, lines};
use crate::domain::search::memchr;
use crate::domain::store::flatten::{flatten, unflatten};
use crate::domain::store::splice::Edit;
use crate::domain::store::{MetadataText, ReadError};
use crate::domain::tree::{Flags, NodeId, Span, Tree};
use crate::domain::value::Value;

/// The field that tells the blank lines which held a carriage return: `r` for
/// each that did, `n` for each that did not, or `crlf` if all did.
const BLANK_LINES: &str = "leaflock_blank_lines";

/// The metadata lines: node, name without prefix.
fn fields<'t>(tree: &'t Tree<'_>) -> impl Iterator<Item = (NodeId, &'t [u8])> {
    tree.children(0)
        .filter(|&id| tree.node(id).flags.has(Flags::METADATA))
        .map(|id| (id, tree.key(id).strip_prefix(PREFIX).unwrap_or_default()))
}

/// The metadata as nested values.
pub(super) fn read(tree: &Tree<'_>) -> Result<Option<Value>, ReadError> {
    let mut pairs = Vec::new();
    let mut found = false;
    for (id, name) in fields(tree) {
        found = true;
        if name == BLANK_LINES.as_bytes() {
            continue;
        }
        // A file that git or an editor turned to CRLF.
        let text = tree.text(tree.node(id).text);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        pairs.push((String::from_utf8_lossy(name).into_owned(), text.to_vec()));
    }
    if found { unflatten(&pairs).map(Some) } else { Ok(None) }
}

/// For each blank line outside of values, where it starts and whether it holds a
/// carriage return.
fn blank_lines<'t>(tree: &'t Tree<'_>) -> impl Iterator<Item = (usize, bool)> + 't {
    let source = tree.source;
    let mut values = tree.nodes[1..].iter().map(|node| node.span.range()).peekable();
    lines(source).filter_map(move |(start, end)| {
        while values.next_if(|value| value.end < start).is_some() {}
        let is_inside = values.peek().is_some_and(|value| value.start < start);
        match &source[start..end] {
            _ if is_inside => None,
            b"" if end < source.len() => Some((start, false)),
            b"\r" => Some((start, true)),
            _ => None,
        }
    })
}

/// What [`BLANK_LINES`] says of a file, if anything.
fn note(tree: &Tree<'_>) -> Option<String> {
    let note: String = blank_lines(tree).map(|(_, cr)| if cr { 'r' } else { 'n' }).collect();
    if !note.contains('r') {
        return None;
    }
    Some(if note.contains('n') { note } else { "crlf".into() })
}

fn write_field(name: &str, value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(PREFIX);
    out.extend_from_slice(name.as_bytes());
    out.push(b'=');
    encode_into(value, out);
    out.push(b'\n');
}

/// Adds `metadata` behind the last line.
pub(super) fn attach(tree: &Tree<'_>, metadata: &Value) -> Vec<Edit> {
    let mut text = Vec::new();
    for (name, value) in flatten(metadata).unwrap_or_default() {
        write_field(&name, &value, &mut text);
    }
    attach_text(tree, &MetadataText(text))
}

/// Adds kept metadata lines behind the last line. A file without a final line
/// break keeps none, so that [`detach`] can tell.
pub(super) fn attach_text(tree: &Tree<'_>, metadata: &MetadataText) -> Vec<Edit> {
    let source = tree.source;
    let mut text = metadata.0.clone();
    let mut edits = Vec::new();
    if let Some(note) = note(tree) {
        text = with_field(&text, BLANK_LINES, Some(&note));
        let returns = blank_lines(tree).filter(|(_, cr)| *cr);
        edits.extend(returns.map(|(at, _)| Edit::new(Span::new(at, at + 1), "")));
    }
    if !source.is_empty() && !source.ends_with(b"\n") {
        text.pop();
        text.insert(0, b'\n');
    }
    edits.push(Edit::new(Span::new(source.len(), source.len()), text));
    edits
}

/// Removes the metadata lines and puts the carriage returns of blank lines back.
pub(super) fn detach(tree: &Tree<'_>) -> Vec<Edit> {
    let source = tree.source;
    let mut runs: Vec<(usize, usize)> = Vec::new();
    let mut note: &[u8] = b"";
    for (id, name) in fields(tree) {
        let node = tree.node(id);
        if name == BLANK_LINES.as_bytes() {
            note = tree.text(node.text);
        }
        let start = node.key.start as usize;
        let end = (node.span.end as usize + 1).min(source.len());
        match runs.last_mut() {
            Some(run) if run.1 == start => run.1 = end,
            _ => runs.push((start, end)),
        }
    }
    if let Some(run) = runs.last_mut()
        && run.1 == source.len()
        && !source.ends_with(b"\n")
    {
        run.0 = run.0.saturating_sub(1);
    }
    let mut edits: Vec<Edit> = Vec::new();
    if !note.is_empty() {
        let all = note.starts_with(b"crlf");
        for (index, (at, _)) in blank_lines(tree).filter(|(_, cr)| !cr).enumerate() {
            if all || note.get(index) == Some(&b'r') {
                edits.push(Edit::new(Span::new(at, at), "\r"));
            }
        }
    }
    edits.extend(runs.into_iter().map(|(start, end)| Edit::new(Span::new(start, end), "")));
    edits
}

/// The metadata lines with `changes` applied, each with a line break.
pub(super) fn text(tree: &Tree<'_>, changes: &[(&str, Option<&str>)]) -> MetadataText {
    let mut text = Vec::new();
    for (id, name) in fields(tree) {
        if name == BLANK_LINES.as_bytes() {
            continue;
        }
        let node = tree.node(id);
        text.extend_from_slice(&tree.source[node.key.start as usize..node.span.end as usize]);
        text.push(b'\n');
    }
    for (name, value) in changes {
        text = with_field(&text, name, *value);
    }
    MetadataText(text)
}

/// `text` with the field `name` replaced, added in its place by name, or removed.
fn with_field(text: &[u8], name: &str, value: Option<&str>) -> Vec<u8> {
    let mut field = Vec::new();
    if let Some(value) = value {
        write_field(name, value.as_bytes(), &mut field);
    }
    let mut out = Vec::with_capacity(text.len() + field.len());
    let mut written = false;
    for (start, end) in lines(text).filter(|(start, end)| start < end) {
        let line = &text[start..end];
        let key = line.get(PREFIX.len()..memchr(b'=', line).unwrap_or(line.len())).unwrap_or_default();
        if !written && key >= name.as_bytes() {
            out.extend_from_slice(&field);
            written = true;
        }
        if key != name.as_bytes() {
            out.extend_from_slice(line);
            out.push(b'\n');
        }
    }
    if !written {
        out.extend_from_slice(&field);
    }
    out
}
