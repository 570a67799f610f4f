//! Entries of `{}` and `[]`: added behind the last one, on its line or below it
//! as the others stand; removed with the comma that goes with them.

use super::super::chars::find_break;
use super::super::emit_scalar::{
    Form, binary_text, fits_plain_in_flow, form_of, write_double, write_single, write_typed,
};
use super::super::metadata::{line_break, line_end, line_start};
use super::place::{content_end, quotes_of};
use crate::domain::scalar::Scalar;
use crate::domain::store::WriteError;
use crate::domain::store::splice::Edit;
use crate::domain::tree::{Kind, NodeId, Span, Style, Tree};
use crate::domain::value::{Entry, Value};

/// Writes values in flow style.
pub(super) struct FlowWriter {
    double_keys: bool,
    values: Option<Style>,
}

impl FlowWriter {
    /// In the quotes of the collection that `id` stands in, or is.
    pub(super) fn like(tree: &Tree<'_>, id: NodeId) -> Self {
        let node = tree.node(id);
        let flow = matches!(node.kind, Kind::Map | Kind::List) && node.style == Style::Flow;
        let quotes = quotes_of(tree, if flow { id } else { node.parent });
        Self { double_keys: quotes.keys, values: quotes.values }
    }

    /// Appends `value` on one line. Comments have no place there.
    pub(super) fn write(&self, value: &Value, out: &mut Vec<u8>) {
        match value {
            Value::Scalar(Scalar::Str(text)) => self.string(text, self.values, out),
            Value::Scalar(scalar) => write_typed(scalar, out),
            Value::Comment(_) => {}
            Value::Map(entries) => {
                out.push(b'{');
                let pairs = entries.iter().filter_map(|entry| match entry {
                    Entry::Pair(key, value) => Some((key, value)),
                    Entry::Comment(_) => None,
                });
                for (number, (key, value)) in pairs.enumerate() {
                    if number > 0 {
                        out.extend_from_slice(b", ");
                    }
                    self.pair(key, value, out);
                }
                out.push(b'}');
            }
            Value::List(items) => {
                out.push(b'[');
                let items = items.iter().filter(|item| !matches!(item, Value::Comment(_)));
                for (number, item) in items.enumerate() {
                    if number > 0 {
                        out.extend_from_slice(b", ");
                    }
                    self.write(item, out);
                }
                out.push(b']');
            }
        }
    }

    fn pair(&self, key: &str, value: &Value, out: &mut Vec<u8>) {
        self.string(key.as_bytes(), self.double_keys.then_some(Style::DoubleQuoted), out);
        out.extend_from_slice(b": ");
        self.write(value, out);
    }

    fn string(&self, text: &[u8], quotes: Option<Style>, out: &mut Vec<u8>) {
        match (form_of(text), quotes) {
            (Form::Binary, _) => {
                out.extend_from_slice(b"!!binary ");
                out.extend(binary_text(text).iter().filter(|byte| **byte != b'\n'));
            }
            (Form::Double | Form::Literal | Form::Merge, _) | (_, Some(Style::DoubleQuoted)) => {
                write_double(text, out)
            }
            (_, Some(_)) => write_single(text, out),
            (Form::Plain, None) if fits_plain_in_flow(text) => out.extend_from_slice(text),
            (Form::Plain | Form::Single, None) => write_single(text, out),
        }
    }
}

/// Adds an entry at the end of flow collection `id`.
///
/// # Errors
/// A pair that stands in a list without braces of its own takes no second entry.
pub(super) fn insert(
    tree: &Tree<'_>,
    id: NodeId,
    key: Option<&str>,
    value: &Value,
) -> Result<Vec<Edit>, WriteError> {
    if !has_brackets(tree, id) {
        let line = tree.line(tree.node(id).span.start);
        return Err(WriteError {
            message: format!("line {line}: the map has no braces"),
            hint: Some("write the pair as `{key: value}` first"),
        });
    }
    let writer = FlowWriter::like(tree, id);
    let mut text = Vec::new();
    match key {
        Some(key) => writer.pair(key, value, &mut text),
        None => writer.write(value, &mut text),
    }
    let node = tree.node(id);
    let close = (node.span.end as usize).saturating_sub(1);
    let last = tree.children(id).filter(|child| tree.node(*child).kind != Kind::Comment).last();
    let Some(last) = last else {
        let open = node.span.start as usize + 1;
        // Blanks between empty brackets stay in front.
        let only_blanks = tree.source[open..close].iter().all(|byte| matches!(byte, b' ' | b'\t'));
        let at = if only_blanks { open } else { close };
        return Ok(vec![Edit::new(Span::new(at, at), text)]);
    };
    let end = content_end(tree, last);
    let comma = next_comma(tree, end, close);
    let behind = comma.map_or(end, |comma| comma + 1);
    let lead = match entry_line(tree, last) {
        Some(column) => [line_break(tree), &vec![b' '; column]].concat(),
        None => b" ".to_vec(),
    };
    let own_line = lead.len() > 1 || lead[0] != b' ';
    // Below the line, behind a comment on it.
    let below = if own_line { behind_comment(tree, behind, close) } else { behind };
    let mut entry = lead;
    entry.extend_from_slice(&text);
    Ok(match comma {
        Some(_) => {
            entry.push(b',');
            vec![Edit::new(Span::new(below, below), entry)]
        }
        None if below == end => {
            entry.insert(0, b',');
            vec![Edit::new(Span::new(end, end), entry)]
        }
        None => {
            vec![Edit::new(Span::new(end, end), b",".to_vec()), Edit::new(Span::new(below, below), entry)]
        }
    })
}

/// False for the pair in `[key: value]`.
fn has_brackets(tree: &Tree<'_>, id: NodeId) -> bool {
    matches!(tree.source.get(tree.node(id).span.start as usize), Some(b'{' | b'['))
}

/// The column of entry `id` if it stands first on its line.
fn entry_line(tree: &Tree<'_>, id: NodeId) -> Option<usize> {
    let start = entry_start(tree, id);
    let line = line_start(tree.source, start);
    let before = &tree.source[line..start];
    before.iter().all(|byte| *byte == b' ').then_some(before.len()).filter(|_| line > 0)
}

fn entry_start(tree: &Tree<'_>, id: NodeId) -> usize {
    let node = tree.node(id);
    if tree.has_key(id) {
        return node.key.start as usize;
    }
    let properties = tree.properties_of(id);
    let starts = [properties.tag, properties.anchor].into_iter().filter(|span| !span.is_empty());
    starts.map(|span| span.start).fold(node.span.start, u32::min) as usize
}

/// The comma between `from` and `close`, comments aside.
fn next_comma(tree: &Tree<'_>, from: usize, close: usize) -> Option<usize> {
    let mut at = from;
    while at < close {
        match tree.source[at] {
            b',' => return Some(at),
            b'#' => at = line_end(tree.source, at),
            b' ' | b'\t' | b'\n' | b'\r' => at += 1,
            _ => return None,
        }
    }
    None
}

/// Behind the comment on the rest of the line, if there is one.
fn behind_comment(tree: &Tree<'_>, at: usize, close: usize) -> usize {
    let rest = &tree.source[at..close];
    let line = &rest[..find_break(rest).unwrap_or(rest.len())];
    if line.trim_ascii_start().starts_with(b"#") { at + line.len() } else { at }
}

/// Removes entry `id` of a flow collection.
pub(super) fn remove(tree: &Tree<'_>, id: NodeId, siblings: &[NodeId]) -> Edit {
    let node = tree.node(id);
    let start = entry_start(tree, id);
    let end = content_end(tree, id);
    if !has_brackets(tree, node.parent) {
        return Edit::new(Span::new(start, end), b"{}".to_vec());
    }
    let close = (tree.node(node.parent).span.end as usize).saturating_sub(1);
    let comma = next_comma(tree, end, close);
    let place = siblings.iter().position(|sibling| *sibling == id).unwrap_or(0);
    let next = siblings.get(place + 1).map(|next| entry_start(tree, *next));
    let blank = |from: usize, to: usize| tree.source[from..to].iter().all(u8::is_ascii_whitespace);
    match (comma, next) {
        (Some(comma), Some(next)) if blank(comma + 1, next) => Edit::new(Span::new(start, next), Vec::new()),
        (Some(comma), Some(_)) => Edit::new(Span::new(start, comma + 1), Vec::new()),
        // The last one: the comma before it goes, unless a comma follows it too.
        (comma, _) => {
            let before = place.checked_sub(1).and_then(|before| siblings.get(before));
            let before = before.map(|before| content_end(tree, *before));
            let lead = before
                .filter(|before| next_comma(tree, *before, start).is_some_and(|at| blank(at + 1, start)));
            match (lead, comma) {
                (Some(before), Some(_)) => {
                    let from = next_comma(tree, before, start).map_or(start, |comma| comma + 1);
                    Edit::new(Span::new(from, comma.map_or(end, |comma| comma + 1)), Vec::new())
                }
                (Some(before), None) => {
                    let from = next_comma(tree, before, start).unwrap_or(start);
                    Edit::new(Span::new(from, end), Vec::new())
                }
                (None, Some(comma)) => Edit::new(Span::new(start, comma + 1), Vec::new()),
                (None, None) => Edit::new(Span::new(start, end), Vec::new()),
            }
        }
    }
}
