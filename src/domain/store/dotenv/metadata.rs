//! The `sops_…` lines of a dotenv file.

use memchr::memchr;

use super::{PREFIX, encode_into, lines};
use crate::domain::store::flatten::{flatten, unflatten};
use crate::domain::store::splice::Edit;
use crate::domain::store::{MetadataText, ReadError};
use crate::domain::tree::{Flags, NodeId, Span, Tree};
use crate::domain::value::Value;

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
        // A file that git or an editor turned to CRLF.
        let text = tree.text(tree.node(id).text);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        pairs.push((String::from_utf8_lossy(name).into_owned(), text.to_vec()));
    }
    if found { unflatten(&pairs).map(Some) } else { Ok(None) }
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
    if !source.is_empty() && !source.ends_with(b"\n") {
        text.pop();
        text.insert(0, b'\n');
    }
    vec![Edit::new(Span::new(source.len(), source.len()), text)]
}

/// Removes the metadata lines.
pub(super) fn detach(tree: &Tree<'_>) -> Vec<Edit> {
    let source = tree.source;
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for (id, _) in fields(tree) {
        let node = tree.node(id);
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
    runs.into_iter().map(|(start, end)| Edit::new(Span::new(start, end), "")).collect()
}

/// The metadata lines with `changes` applied, each with a line break.
pub(super) fn text(tree: &Tree<'_>, changes: &[(&str, Option<&str>)]) -> MetadataText {
    let mut text = Vec::new();
    for (id, _) in fields(tree) {
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
