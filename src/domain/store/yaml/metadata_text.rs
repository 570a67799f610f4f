//! The `sops` block as a piece of text that outlives an edit of its file: only
//! the fields that change do.

use super::emit_scalar::{Form, form_of, write_double};
use super::metadata::{
    self, KEY, attach_to, bare_braces, ends_in_break, entry, insert_block, insert_flow, is_flow, line_end,
    line_start, root_column, takes_block,
};
use super::read;
use crate::domain::search;
use crate::domain::store::splice::{Edit, apply};
use crate::domain::store::{MetadataText, Purpose};
use crate::domain::tree::{Document, Node, NodeId, Span, Style, Tree};

/// See [`crate::domain::store::Store::metadata_text`]. Lines of a block end in LF;
/// an entry in braces has no line break at its end.
pub(super) fn metadata_text(tree: &Tree<'_>, changes: &[(&str, Option<&str>)]) -> MetadataText {
    let Some((document, id)) = tree.documents.first().and_then(|first| Some((first, entry(tree, first)?)))
    else {
        return MetadataText(Vec::new());
    };
    let node = tree.node(id);
    let flow_root = is_flow(tree, document.root);
    let whole = if flow_root {
        Span { start: node.key.start, end: node.span.end }
    } else {
        let start = line_start(tree.source, node.key.start as usize);
        Span::new(start, last_line_end(tree, id))
    };
    let mut edits: Vec<Edit> = Vec::new();
    for (name, text) in changes {
        edits.extend(change(tree, id, name, *text));
    }
    // Text shifted so that it starts at the block.
    for edit in &mut edits {
        edit.span.start -= whole.start;
        edit.span.end -= whole.start;
    }
    let mut text = apply(tree.raw(whole), edits);
    if !flow_root {
        text = with_line_feeds(&text);
        if !text.ends_with(b"\n") {
            text.push(b'\n');
        }
    }
    MetadataText(text)
}

/// `text` with LF for every line break.
fn with_line_feeds(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = search::memchr(b'\r', rest) {
        out.extend_from_slice(&rest[..at]);
        out.push(b'\n');
        rest = rest[at + 1..].strip_prefix(b"\n").unwrap_or(&rest[at + 1..]);
    }
    out.extend_from_slice(rest);
    out
}

/// One past the last line of entry `id`.
fn last_line_end(tree: &Tree<'_>, id: NodeId) -> usize {
    let nodes = &tree.nodes[id as usize..tree.node(id).end as usize];
    let end = nodes.iter().map(|node| node.span.end.max(node.key.end)).max().unwrap_or(0) as usize;
    if ends_in_break(&tree.source[..end]) { end } else { line_end(tree.source, end) }
}

/// The edit that makes `text` the value of top-level field `name`.
fn change(tree: &Tree<'_>, entry: NodeId, name: &str, text: Option<&str>) -> Option<Edit> {
    let field = tree.children(entry).find(|id| tree.key(*id) == name.as_bytes());
    let flow = tree.node(entry).style == Style::Flow;
    match (field, text) {
        (None, None) => None,
        (Some(field), Some(text)) => {
            let node = tree.node(field);
            let mut out = Vec::new();
            write_in_style(node, flow, text, &mut out);
            let raw = tree.raw(node.span);
            let kept = raw.len() - raw.iter().rev().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
            Some(Edit::new(Span::new(node.span.start as usize, node.span.start as usize + kept), out))
        }
        (Some(field), None) if flow => Some(Edit::new(flow_field_span(tree, field), Vec::new())),
        (Some(field), None) => {
            let start = line_start(tree.source, tree.node(field).key.start as usize);
            Some(Edit::new(Span::new(start, last_line_end(tree, field)), Vec::new()))
        }
        (None, Some(text)) => add(tree, entry, flow, name, text),
    }
}

/// In the order that SOPS 3.13 gives the fields: alphabetical.
fn add(tree: &Tree<'_>, entry: NodeId, flow: bool, name: &str, text: &str) -> Option<Edit> {
    let behind = tree.children(entry).find(|id| tree.has_key(*id) && tree.key(*id) > name.as_bytes());
    let next = behind.or_else(|| tree.children(entry).next())?;
    let node = tree.node(next);
    let mut out = Vec::new();
    if flow {
        write_double(name.as_bytes(), &mut out);
        out.extend_from_slice(b": ");
        write_double(text.as_bytes(), &mut out);
        out.extend_from_slice(b", ");
        return Some(Edit::new(Span { start: node.key.start, end: node.key.start }, out));
    }
    let line = line_start(tree.source, node.key.start as usize);
    out.extend_from_slice(&tree.source[line..node.key.start as usize]);
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    write_plain_or_double(text, &mut out);
    out.push(b'\n');
    let at = match behind {
        Some(_) => line,
        None => last_line_end(tree, entry),
    };
    if at > 0 && !ends_in_break(&tree.source[..at]) {
        out.insert(0, b'\n');
    }
    Some(Edit::new(Span::new(at, at), out))
}

fn write_in_style(node: &Node, flow: bool, text: &str, out: &mut Vec<u8>) {
    match node.style {
        Style::Plain if !flow => write_plain_or_double(text, out),
        _ => write_double(text.as_bytes(), out),
    }
}

fn write_plain_or_double(text: &str, out: &mut Vec<u8>) {
    match form_of(text.as_bytes()) {
        Form::Plain => out.extend_from_slice(text.as_bytes()),
        _ => write_double(text.as_bytes(), out),
    }
}

/// A field in braces with the comma that goes with it.
fn flow_field_span(tree: &Tree<'_>, field: NodeId) -> Span {
    let node = tree.node(field);
    let rest = &tree.source[node.span.end as usize..];
    let blanks = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    if rest.get(blanks) == Some(&b',') {
        let behind = rest[blanks + 1..].iter().take_while(|byte| **byte == b' ').count();
        return Span { start: node.key.start, end: node.span.end + (blanks + 1 + behind) as u32 };
    }
    let before = &tree.source[..node.key.start as usize];
    let blanks = before.iter().rev().take_while(|byte| byte.is_ascii_whitespace()).count();
    let comma = usize::from(before.len() > blanks && before[before.len() - blanks - 1] == b',');
    Span { start: node.key.start - (blanks + comma) as u32 * comma as u32, end: node.span.end }
}

/// See [`crate::domain::store::Store::attach_text`].
pub(super) fn attach_text(tree: &Tree<'_>, text: &MetadataText) -> Vec<Edit> {
    let text = &text.0;
    let block = text.ends_with(b"\n");
    let mut edits = Vec::new();
    for document in &tree.documents {
        let flow = is_flow(tree, document.root);
        let indent = text.iter().take_while(|byte| **byte == b' ').count();
        if flow && !block {
            edits.push(insert_flow(tree, document.root, text));
        } else if let Some(line) = bare_braces(tree, document) {
            // What `detach` wrote for an empty document of SOPS.
            edits.push(Edit::new(line, text.clone()));
        } else if block && indent == root_column(tree, document.root) && takes_block(tree, document.root) {
            edits.extend(insert_block(tree, document, text));
        } else {
            edits.extend(attach_anew(tree, document, text));
        }
    }
    edits
}

/// Writes the metadata in the other style of collection.
fn attach_anew(tree: &Tree<'_>, document: &Document, text: &[u8]) -> Vec<Edit> {
    let mut source = Vec::with_capacity(text.len() + 2);
    let block = text.ends_with(b"\n");
    if !block {
        source.push(b'{');
    }
    source.extend_from_slice(text);
    if !block {
        source.push(b'}');
    }
    let value = match read::read(&source, Purpose::AsIs) {
        Ok(read) => metadata::read(&read).ok().flatten(),
        Err(_) => None,
    };
    debug_assert_eq!(KEY, "sops");
    value.map(|value| attach_to(tree, document, &value, &mut None)).unwrap_or_default()
}
