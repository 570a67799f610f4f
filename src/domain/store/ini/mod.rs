//! The INI store (sops-compat 5.7): sections of keys, comments in between, all
//! values strings.
//!
//! A token stands in the quotes of the value that it replaces. The lines of a
//! comment block are one comment for SOPS and become one line in an encrypted
//! file; so do the lines of a continued or multi-line value.

use crate::domain::search;

mod edit;
mod read;
#[cfg(test)]
mod tests;
mod text;
mod write;

use super::splice::Edit;
use super::{Format, Layout, MetadataText, Plain, Purpose, ReadError, Store, WriteError};
use crate::domain::scalar::Scalar;
use crate::domain::secret::Text;
use crate::domain::tree::{Kind, Node, NodeId, Span, Style, Tree};
use crate::domain::value::Value;
use text::{is_marker, marker};
use write::{CommentLook, write_comment};

/// The INI store.
#[derive(Clone, Copy, Debug)]
pub struct Ini;

/// The line break of the file: that of its first line.
fn newline_of(source: &[u8]) -> &'static str {
    match search::memchr(b'\n', source) {
        Some(at) if at > 0 && source[at - 1] == b'\r' => "\r\n",
        _ => "\n",
    }
}

/// Where the line that holds `offset` begins, behind a byte order mark.
fn line_start(source: &[u8], offset: usize) -> usize {
    let first = if source.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    search::memrchr(b'\n', &source[..offset]).map_or(first, |at| at + 1)
}

/// The blanks in front of `start` on its line.
fn indent_at(source: &[u8], start: usize) -> &[u8] {
    &source[line_start(source, start)..start]
}

/// Where the line that holds `offset` ends, its line feed excluded.
fn line_end(source: &[u8], offset: usize) -> usize {
    search::memchr(b'\n', &source[offset..]).map_or(source.len(), |at| offset + at)
}

/// The marker that a comment starts with, and the blanks behind it.
fn prefix<'s>(tree: &Tree<'s>, node: &Node) -> Vec<u8> {
    let raw: &'s [u8] = tree.raw(node.span);
    let length = marker(raw);
    let first = raw.first().copied().unwrap_or(b';');
    match raw.get(length) {
        // A first line without text: the text starts further down.
        Some(b'\n' | b'\r') => vec![first, b' '],
        _ => raw[..length].to_vec(),
    }
}

/// True when `written` can stand in the place of value `id` and is read as `text`.
fn fits(tree: &Tree<'_>, id: NodeId, written: &[u8], text: &[u8]) -> bool {
    let node = tree.node(id);
    let end = node.span.end as usize;
    let before = &tree.source[node.key.end as usize..node.span.start as usize];
    // A blank line behind the value ends its continuation: keep one that is there.
    let line = line_end(tree.source, end);
    let blank = tree.source.get(line + 1..).is_none_or(|rest| {
        let next = &rest[..line_end(rest, 0)];
        text::leading(next) == next.len()
    });
    let behind = [&tree.source[end..line], if blank { b"\n" } else { b"" }].concat();
    write::reads_as(before, written, &behind, text)
}

/// `text` as value `id`, in `style` if that can hold it.
fn written_value(tree: &Tree<'_>, id: NodeId, style: Style, text: &[u8]) -> Vec<u8> {
    let preferred = if style == Style::Plain { None } else { Some(style) };
    write::quoted(text, preferred, |candidate| fits(tree, id, candidate, text))
}

/// The text of an own-line comment without its last line, if that is a comment
/// behind the key which stands in the file besides.
fn without_inline<'t>(tree: &Tree<'_>, id: NodeId, text: &'t [u8]) -> &'t [u8] {
    let own = tree.node(id);
    let Some(next) = tree.nodes.get(id as usize + 1).filter(|_| own.indent == read::JOINED) else {
        return text;
    };
    let raw = tree.raw(next.span);
    let inline = &raw[marker(raw)..];
    let locked = text::is_locked(inline);
    let Some(at) = search::memrchr(b'\n', text) else {
        // Lines that hold nothing but their marker.
        return if locked || inline == text { b"" } else { text };
    };
    let last = &text[at + 1..];
    let locked = locked && last.first().copied().is_some_and(is_marker);
    let before = &text[..at];
    if locked || last == raw { &before[..write::line_length(before)] } else { text }
}

/// What stands above the header that comment `id` covers, and the header: the
/// comment's lines written by `write`, a line break, the header.
fn above_header(tree: &Tree<'_>, id: NodeId, write: impl FnOnce(&[u8], &mut Vec<u8>)) -> Vec<u8> {
    let node = tree.node(id);
    let start = node.span.start as usize;
    let indent = indent_at(tree.source, start);
    let mut out = Vec::new();
    write(indent, &mut out);
    out.extend_from_slice(newline_of(tree.source).as_bytes());
    out.extend_from_slice(indent);
    out.extend_from_slice(tree.raw(tree.node(node.parent).key));
    out
}

/// The text of a comment as it stands in the file.
fn written_comment(tree: &Tree<'_>, id: NodeId, style: Style, text: &[u8]) -> Vec<u8> {
    let node = tree.node(id);
    let start = node.span.start as usize;
    let mut out = Vec::new();
    let newline = newline_of(tree.source).as_bytes();
    if node.indent == read::HEADER {
        return above_header(tree, id, |indent, out| {
            let look = CommentLook { marker: b"; ", indent, newline, of_section: true, keeps_marker: false };
            write_comment(text, &look, out);
        });
    }
    let marker = prefix(tree, node);
    if node.style == Style::Inline {
        out.extend_from_slice(&marker);
        out.extend(text.iter().map(|&byte| if byte == b'\n' { b' ' } else { byte }));
        return out;
    }
    let indent = indent_at(tree.source, start);
    let of_section = id == node.parent + 1 && start < tree.node(node.parent).key.start as usize;
    let look =
        CommentLook { marker: &marker, indent, newline, of_section, keeps_marker: style == Style::Plain };
    write_comment(without_inline(tree, id, text), &look, &mut out);
    out
}

impl Store for Ini {
    fn format(&self) -> Format {
        Format::Ini
    }

    fn read<'s>(&self, source: &'s [u8], _purpose: Purpose) -> Result<Tree<'s>, ReadError> {
        read::read(source)
    }

    fn scalar<'t>(&self, tree: &'t Tree<'_>, id: NodeId) -> Scalar<'t> {
        Scalar::Str(Text::Borrowed(tree.text(tree.node(id).text)))
    }

    fn token_style(&self, tree: &Tree<'_>, id: NodeId) -> Style {
        tree.node(id).style
    }

    fn lock(&self, tree: &Tree<'_>, id: NodeId, style: Style, token: &str, out: &mut Vec<u8>) -> Span {
        let node = tree.node(id);
        if node.indent == read::HEADER {
            let write =
                |_: &[u8], out: &mut Vec<u8>| out.extend_from_slice(&[b"; ", token.as_bytes()].concat());
            out.extend_from_slice(&above_header(tree, id, write));
        } else if node.kind == Kind::Comment {
            out.extend_from_slice(&prefix(tree, node));
            out.extend_from_slice(token.as_bytes());
        } else {
            out.extend_from_slice(&write::enclosed(token.as_bytes(), style));
        }
        node.span
    }

    fn unlock(
        &self,
        tree: &Tree<'_>,
        id: NodeId,
        style: Style,
        plain: &Plain<'_>,
        out: &mut Vec<u8>,
    ) -> Span {
        let node = tree.node(id);
        let text: &[u8] = &match &plain.value {
            Scalar::Str(text) => Text::Borrowed(text),
            value => Text::from(write::text_of(value)),
        };
        if node.kind == Kind::Comment {
            out.extend_from_slice(&written_comment(tree, id, style, text));
        } else if style == Style::Plain && write::is_simple(text) {
            out.extend_from_slice(text);
        } else {
            out.extend_from_slice(&written_value(tree, id, style, text));
        }
        node.span
    }

    fn comment_text<'w>(&self, written: &'w [u8]) -> &'w [u8] {
        let text = &written[marker(written)..];
        &text[..text::trimmed(text)]
    }

    fn hoist(&self, tree: &Tree<'_>, id: NodeId, text: &[u8]) -> Vec<Edit> {
        let node = tree.node(id);
        let start = node.span.start as usize;
        let line = line_start(tree.source, start);
        let behind = write::line_length(&tree.source[line..start]) + line;
        let mut above = Vec::new();
        let look = CommentLook {
            marker: b"; ",
            indent: b"",
            newline: b"\n",
            of_section: false,
            keeps_marker: false,
        };
        write_comment(text, &look, &mut above);
        above.extend_from_slice(newline_of(tree.source).as_bytes());
        vec![
            Edit::new(Span::new(line, line), above),
            Edit::new(Span { start: behind as u32, end: node.span.end }, ""),
        ]
    }

    fn spelled(&self, tree: &Tree<'_>, id: NodeId, spelling: &[u8], value: &Scalar<'_>) -> Option<Span> {
        let Scalar::Str(text) = value else { return None };
        let node = tree.node(id);
        let reads_back = match (node.kind, node.style) {
            (Kind::Scalar, _) => fits(tree, id, spelling, text),
            (_, Style::Inline) => {
                let length = marker(spelling);
                length > 0
                    && search::memchr(b'\n', spelling).is_none()
                    && spelling.get(length..) == Some(&text[..])
            }
            _ => {
                let text = without_inline(tree, id, text);
                let bare = text.is_empty() && edit::is_comment_block(spelling, b";");
                if !bare && !edit::is_comment_block(spelling, text) {
                    return edit::with_header(tree, id, spelling, text);
                }
                true
            }
        };
        reads_back.then_some(node.span)
    }

    fn metadata(&self, tree: &Tree<'_>) -> Result<Option<Value>, ReadError> {
        edit::metadata(tree)
    }

    fn detach(&self, tree: &Tree<'_>) -> Vec<Edit> {
        edit::detach(tree)
    }

    fn attach(&self, tree: &Tree<'_>, metadata: &Value) -> Vec<Edit> {
        edit::attach(tree, metadata)
    }

    fn metadata_text(&self, tree: &Tree<'_>, changes: &[(&str, Option<&str>)]) -> MetadataText {
        edit::metadata_text(tree, changes)
    }

    fn attach_text(&self, tree: &Tree<'_>, metadata: &MetadataText) -> Vec<Edit> {
        edit::attach_text(tree, metadata)
    }

    fn replace(&self, tree: &Tree<'_>, id: NodeId, value: &Value) -> Result<Vec<Edit>, WriteError> {
        edit::replace(tree, id, value)
    }

    fn insert(&self, tree: &Tree<'_>, id: NodeId, key: &str, value: &Value) -> Result<Vec<Edit>, WriteError> {
        edit::insert(tree, id, key, value)
    }

    fn append(&self, _tree: &Tree<'_>, _id: NodeId, _value: &Value) -> Result<Vec<Edit>, WriteError> {
        Err(WriteError::new("an INI file has no lists"))
    }

    fn remove(&self, tree: &Tree<'_>, id: NodeId) -> Result<Vec<Edit>, WriteError> {
        edit::remove(tree, id)
    }

    fn emit(&self, documents: &[Value], _layout: Layout) -> Result<Vec<u8>, WriteError> {
        documents.first().map_or_else(|| Ok(Vec::new()), write::emit)
    }

    fn emit_value(&self, value: &Value, layout: Layout) -> Result<Vec<u8>, WriteError> {
        match value {
            Value::Map(_) => self.emit(std::slice::from_ref(value), layout),
            Value::Scalar(Scalar::Str(text)) => Ok(text.to_vec()),
            _ => super::json::write_compact(value),
        }
    }
}
