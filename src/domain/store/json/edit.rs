//! Changes to a JSON file that leave the rest of it as it is: the `sops` member
//! comes and goes, members are added, replaced and removed, all in the layout
//! of their neighbours.

use super::write::{Look, write_string, write_value};
use super::{Edit, metadata_node};
use crate::domain::search;
use crate::domain::store::splice::apply;
use crate::domain::store::{MetadataText, WriteError};
use crate::domain::tree::{Flags, Kind, NodeId, Span, Tree};
use crate::domain::value::Value;

/// Where a member begins: its key, or the value itself in a list.
fn start_of(tree: &Tree<'_>, id: NodeId) -> usize {
    let node = tree.node(id);
    if node.key.is_empty() { node.span.start as usize } else { node.key.start as usize }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// The blanks in front of `offset`.
fn blanks_before(source: &[u8], offset: usize) -> &[u8] {
    let length = source[..offset].iter().rev().take_while(|&&byte| is_blank(byte)).count();
    &source[offset - length..offset]
}

/// What stands behind the last line break of `blanks`.
fn last_line(blanks: &[u8]) -> Option<&[u8]> {
    blanks.iter().rposition(|&byte| byte == b'\n').map(|at| &blanks[at + 1..])
}

/// The indentation of the line that holds `offset`.
fn line_indent(source: &[u8], offset: usize) -> &[u8] {
    let start = search::memrchr(b'\n', &source[..offset]).map_or(0, |at| at + 1);
    let length = source[start..offset].iter().take_while(|&&byte| byte == b' ' || byte == b'\t').count();
    &source[start..start + length]
}

fn newline_of(source: &[u8]) -> &'static str {
    match search::memchr(b'\n', source) {
        Some(at) if at > 0 && source[at - 1] == b'\r' => "\r\n",
        _ => "\n",
    }
}

/// The look of container `id`, read off its last member; of an empty one, off
/// the root; of an empty file, SOPS's.
fn look_of(tree: &Tree<'_>, id: NodeId) -> Look {
    let root = tree.documents.first().map_or(0, |document| document.root);
    let member = tree.children(id).last().or_else(|| tree.children(root).last());
    let mut look = Look::of_sops(None);
    look.newline = Some(newline_of(tree.source));
    let Some(member) = member else { return look };
    let node = tree.node(member);
    let blanks = blanks_before(tree.source, start_of(tree, member));
    let keyed = (member..tree.nodes.len() as NodeId).chain(1..member).find(|&other| tree.has_key(other));
    if let Some(key) = keyed {
        let node = tree.node(key);
        let colon = &tree.source[node.key.end as usize..node.span.start as usize];
        if !colon.contains(&b'\n') {
            look.colon = colon.to_vec();
        }
    }
    match last_line(blanks) {
        Some(indent) => {
            let base = line_indent(tree.source, start_of(tree, node.parent));
            look.unit = indent.strip_prefix(base).unwrap_or(indent).to_vec();
        }
        None => {
            look.newline = None;
            let first = tree.children(node.parent).next() == Some(member);
            look.space = if first {
                if look.colon.ends_with(b" ") { b" ".to_vec() } else { Vec::new() }
            } else {
                blanks.to_vec()
            };
        }
    }
    look
}

/// The blanks in front of a new member of container `id`.
fn lead(tree: &Tree<'_>, id: NodeId, look: &Look) -> Vec<u8> {
    if look.newline.is_none() {
        return look.space.clone();
    }
    let mut out = Vec::new();
    look.line(&member_indent(tree, id, look), 0, &mut out);
    out
}

/// The indentation of members of container `id`.
fn member_indent(tree: &Tree<'_>, id: NodeId, look: &Look) -> Vec<u8> {
    if let Some(last) = tree.children(id).last()
        && let Some(indent) = last_line(blanks_before(tree.source, start_of(tree, last)))
    {
        return indent.to_vec();
    }
    [line_indent(tree.source, start_of(tree, id)), &look.unit].concat()
}

/// Adds `metadata` as the last member of the file.
pub(super) fn attach(tree: &Tree<'_>, metadata: &Value) -> Vec<Edit> {
    let Some(document) = tree.documents.first() else { return Vec::new() };
    let look = Look { short: true, ..look_of(tree, document.root) };
    let mut text = lead(tree, document.root, &look);
    write_string(b"sops", &mut text);
    text.extend_from_slice(&look.colon);
    let indent = member_indent(tree, document.root, &look);
    // Metadata holds text, integers and booleans only, all of which JSON can hold.
    let _ = write_value(metadata, &look, &indent, &mut text);
    attach_text(tree, &MetadataText(text))
}

/// See [`super::sops_indent`].
pub(super) fn sops_indent(tree: &Tree<'_>) -> Option<u8> {
    let metadata = metadata_node(tree)?;
    let list = tree.children(metadata).find(|&id| {
        tree.node(id).kind == Kind::List && tree.children(id).any(|key| tree.node(key).kind == Kind::Map)
    })?;
    let key = tree.children(list).find(|&id| tree.node(id).kind == Kind::Map)?;
    let field = tree.children(key).next()?;
    let indent = |id: NodeId| {
        let spaces = blanks_before(tree.source, start_of(tree, id)).strip_prefix(b"\n")?;
        spaces.iter().all(|&byte| byte == b' ').then_some(spaces.len())
    };
    let unit = indent(metadata)?;
    let expanded = [list, key, field].iter().zip(2..).all(|(&id, depth)| indent(id) == Some(unit * depth));
    if expanded { u8::try_from(unit).ok() } else { None }
}

/// Adds kept metadata as the last member of the file: the blanks in front of
/// it, its key and its value.
///
/// In an object that is empty but for blanks, the blanks stay in front of the
/// member and the closing brace follows it at once; that tells [`detach`] that
/// they are the owner's.
pub(super) fn attach_text(tree: &Tree<'_>, metadata: &MetadataText) -> Vec<Edit> {
    let Some(document) = tree.documents.first() else { return Vec::new() };
    let text = &metadata.0;
    if let Some(last) = tree.children(document.root).last() {
        let at = tree.node(last).span.end as usize;
        return vec![Edit::new(Span::new(at, at), [b",", &text[..]].concat())];
    }
    let root = tree.node(document.root).span;
    let at = root.end as usize - 1;
    let member = text.trim_ascii_start();
    if at > root.start as usize + 1 {
        return vec![Edit::new(Span::new(at, at), member)];
    }
    let blanks = &text[..text.len() - member.len()];
    let lead: &[u8] = if last_line(blanks).is_some() { blanks } else { b"\n\t" };
    let newline = newline_of(tree.source);
    vec![Edit::new(Span::new(at, at), [lead, member, newline.as_bytes()].concat())]
}

/// Removes the metadata.
pub(super) fn detach(tree: &Tree<'_>) -> Vec<Edit> {
    metadata_node(tree).map(|id| cut(tree, id, true)).unwrap_or_default()
}

/// The edit that takes member `id` out with its comma.
fn cut(tree: &Tree<'_>, id: NodeId, keep_blanks: bool) -> Vec<Edit> {
    let node = tree.node(id);
    let end = node.span.end as usize;
    let mut previous = None;
    let mut next = None;
    for child in tree.children(node.parent) {
        if child < id {
            previous = Some(child);
        } else if child > id && next.is_none() {
            next = Some(child);
        }
    }
    let parent = tree.node(node.parent).span;
    let span = match (previous, next) {
        (Some(previous), _) => Span::new(tree.node(previous).span.end as usize, end),
        (None, Some(next)) => Span::new(start_of(tree, id), start_of(tree, next)),
        (None, None) if keep_blanks && end == parent.end as usize - 1 => Span::new(start_of(tree, id), end),
        (None, None) => Span::new(parent.start as usize + 1, parent.end as usize - 1),
    };
    vec![Edit::new(span, "")]
}

/// The `sops` member with the blanks in front of it, and `changes` applied.
pub(super) fn metadata_text(tree: &Tree<'_>, changes: &[(&str, Option<&str>)]) -> MetadataText {
    let Some(id) = metadata_node(tree) else { return MetadataText(Vec::new()) };
    let key = start_of(tree, id);
    let lead = key - blanks_before(tree.source, key).len();
    let value = tree.node(id).span;
    let mut text = tree.source[lead..value.start as usize].to_vec();
    text.extend_from_slice(&changed(tree.raw(value), changes));
    MetadataText(text)
}

/// The object `source` with `changes` applied, one after the other because
/// each may touch the comma of the next.
fn changed(source: &[u8], changes: &[(&str, Option<&str>)]) -> Vec<u8> {
    let mut text = source.to_vec();
    for (name, new) in changes {
        let Ok(tree) = super::read::read(&text) else { return text };
        let field = tree.children(0).find(|&field| tree.key(field) == name.as_bytes());
        let edits = match (field, new) {
            (Some(field), Some(new)) => {
                let mut out = Vec::new();
                write_string(new.as_bytes(), &mut out);
                vec![Edit::new(tree.node(field).span, out)]
            }
            (Some(field), None) => cut(&tree, field, false),
            (None, Some(new)) => add(&tree, 0, Some(name), &Value::text(*new)).unwrap_or_default(),
            (None, None) => continue,
        };
        text = apply(tree.source, edits);
    }
    text
}

/// Makes `value` the value of `id`.
pub(super) fn replace(tree: &Tree<'_>, id: NodeId, value: &Value) -> Result<Vec<Edit>, WriteError> {
    let node = tree.node(id);
    if node.parent == id && !matches!(value, Value::Map(_)) {
        return Err(WriteError::new("a JSON file holds an object at its top level"));
    }
    let look = look_of(tree, node.parent);
    let mut text = Vec::new();
    write_value(value, &look, line_indent(tree.source, start_of(tree, id)), &mut text)?;
    Ok(vec![Edit::new(node.span, text)])
}

/// Adds a member at the end of container `id`, in front of the metadata.
pub(super) fn add(
    tree: &Tree<'_>,
    id: NodeId,
    key: Option<&str>,
    value: &Value,
) -> Result<Vec<Edit>, WriteError> {
    let node = tree.node(id);
    let kind = if key.is_some() { Kind::Map } else { Kind::List };
    if node.kind != kind {
        return Err(WriteError::new("a member can only be added to an object, an element only to an array"));
    }
    let look = look_of(tree, id);
    let indent = member_indent(tree, id, &look);
    let mut member = Vec::new();
    if let Some(key) = key {
        write_string(key.as_bytes(), &mut member);
        member.extend_from_slice(&look.colon);
    }
    write_value(value, &look, &indent, &mut member)?;
    let blanks = lead(tree, id, &look);
    let ordinary = |&child: &NodeId| !tree.node(child).flags.has(Flags::METADATA);
    if let Some(last) = tree.children(id).filter(ordinary).last() {
        let at = tree.node(last).span.end as usize;
        return Ok(vec![Edit::new(Span::new(at, at), [b",", &blanks[..], &member].concat())]);
    }
    if let Some(metadata) = tree.children(id).next() {
        let at = start_of(tree, metadata);
        let blanks = blanks_before(tree.source, at);
        return Ok(vec![Edit::new(Span::new(at, at), [&member[..], b",", blanks].concat())]);
    }
    let inner = Span::new(node.span.start as usize + 1, node.span.end as usize - 1);
    let mut text = Vec::new();
    if look.newline.is_some() {
        text.extend_from_slice(&blanks);
    }
    text.extend_from_slice(&member);
    look.line(line_indent(tree.source, start_of(tree, id)), 0, &mut text);
    Ok(vec![Edit::new(inner, text)])
}

/// Removes `id` with its key.
pub(super) fn remove(tree: &Tree<'_>, id: NodeId) -> Result<Vec<Edit>, WriteError> {
    if tree.node(id).parent == id {
        return Err(WriteError::new("the whole file cannot be removed"));
    }
    Ok(cut(tree, id, false))
}
