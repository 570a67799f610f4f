//! Changes to a plain document that leave the rest of its bytes alone: a value
//! replaced, an entry added, an entry removed. New text follows its neighbours:
//! indentation, quotes, lists under their key or indented, flow or block, line
//! ending. Comments stay, also those of what is removed.

mod flow;
mod place;

use super::block_scalar::Block;
use super::chars::{before_blanks, trailing_break};
use super::emit::{Blocks, emit_block};
use super::emit_scalar::{form_of, is_multi_line, write_double, write_single};
use super::lock::unlock;
use super::metadata::{ends_in_break, is_flow, line_break, line_end, line_start};
use crate::domain::scalar::Scalar;
use crate::domain::store::splice::Edit;
use crate::domain::store::{Layout, Plain, WriteError};
use crate::domain::tree::{Flags, Kind, NodeId, Span, Style, Tree};
use crate::domain::value::{Entry, Value};
use flow::FlowWriter;
pub(super) use place::settle_last_block;
use place::{Neighbours, content_end, inner_comments, item_start, value_start};

/// See [`crate::domain::store::Store::replace`].
pub(super) fn replace(tree: &Tree<'_>, id: NodeId, value: &Value) -> Result<Vec<Edit>, WriteError> {
    let node = tree.node(id);
    if node.parent == id {
        return Err(WriteError::new("a whole document cannot be replaced"));
    }
    if node.kind == Kind::Map || node.kind == Kind::List {
        place::check_aliases(tree, id)?;
    }
    let block_value = is_block_collection(value);
    match (node.kind, value) {
        (Kind::Scalar, Value::Scalar(scalar)) if !is_silent(tree, id) => {
            let mut out = Vec::new();
            let plain = Plain { value: scalar.clone(), spelling: None };
            let span = unlock(tree, id, node.style, &plain, &mut out);
            Ok(vec![Edit::new(span, out)])
        }
        _ if node.flags.has(Flags::IN_FLOW)
            || (node.style == Style::Flow && !is_empty(tree, id))
            || !block_value =>
        {
            replace_inline(tree, id, value)
        }
        _ => replace_by_block(tree, id, value),
    }
}

fn is_block_collection(value: &Value) -> bool {
    match value {
        Value::Map(entries) => entries.iter().any(|entry| matches!(entry, Entry::Pair(..))),
        Value::List(items) => items.iter().any(|item| !matches!(item, Value::Comment(_))),
        Value::Scalar(_) | Value::Comment(_) => false,
    }
}

/// True for a null of which nothing is written.
fn is_silent(tree: &Tree<'_>, id: NodeId) -> bool {
    tree.node(id).span.is_empty()
}

/// True for a collection without entries.
fn is_empty(tree: &Tree<'_>, id: NodeId) -> bool {
    tree.children(id).all(|child| tree.node(child).kind == Kind::Comment)
}

/// Puts `value`, written on one line, in the place of node `id`.
fn replace_inline(tree: &Tree<'_>, id: NodeId, value: &Value) -> Result<Vec<Edit>, WriteError> {
    let node = tree.node(id);
    let mut text = Vec::new();
    let mut edits: Vec<Edit> = place::drop_tag(tree, id).into_iter().collect();
    let block_scalar = !node.flags.has(Flags::IN_FLOW) && matches!(value, Value::Scalar(_));
    if block_scalar {
        write_inline_scalar(value, &mut text);
    } else {
        FlowWriter::like(tree, id).write(value, &mut text);
    }
    if is_silent(tree, id) {
        edits.push(fill(tree, id, &text)?);
        return Ok(edits);
    }
    let is_block = matches!(node.kind, Kind::Map | Kind::List) && node.style != Style::Flow;
    if !is_block {
        let mut span = Span { start: node.span.start, end: content_end(tree, id) as u32 };
        if let Some(block) = Block::of(tree, node) {
            block.write_trail(&mut text);
            span.end = block.content_end(tree) as u32;
        }
        edits.push(Edit::new(span, text));
        return Ok(edits);
    }
    if !tree.has_key(id) {
        // `- x: 1`: the value starts behind the dash.
        let span = Span::new(value_start(tree, id), content_end(tree, id));
        let kept =
            inner_comments(tree, span.start as usize, span.end as usize, node.indent.max(0) as usize + 2);
        if !kept.is_empty() {
            text.extend_from_slice(line_break(tree));
            text.extend_from_slice(kept.trim_ascii_end());
        }
        if ends_in_break(tree.raw(span)) {
            text.extend_from_slice(line_break(tree));
        }
        edits.push(Edit::new(span, text));
        return Ok(edits);
    }
    let colon = place::colon(tree, id)?;
    let at = place::behind_properties(tree, id, colon);
    edits.push(Edit::new(Span::new(at, at), [b" ", &text[..]].concat()));
    edits.push(drop_lines(tree, id, colon));
    Ok(edits)
}

/// A scalar on the line of its key.
fn write_inline_scalar(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Scalar(Scalar::Str(text)) if form_of(text) == super::emit_scalar::Form::Literal => {
            write_double(text, out);
        }
        _ => {
            let mut text = emit_block(&Value::List(vec![value.clone()]), 0, Layout::default(), Blocks::None);
            let line = text.strip_prefix(b"- ").unwrap_or(&text);
            out.extend_from_slice(line.trim_ascii_end());
            crate::domain::secret::wipe(&mut text);
        }
    }
}

/// The edit that writes `text` where a null stands of which nothing is written.
fn fill(tree: &Tree<'_>, id: NodeId, text: &[u8]) -> Result<Edit, WriteError> {
    let at = if tree.has_key(id) {
        match place::colon(tree, id) {
            Ok(colon) => colon,
            Err(_) if tree.node(id).flags.has(Flags::IN_FLOW) => {
                let end = tree.node(id).key.end as usize;
                return Ok(Edit::new(Span::new(end, end), [b": ", text].concat()));
            }
            Err(error) => return Err(error),
        }
    } else {
        place::dash(tree, id)? + 1
    };
    let at = place::behind_properties(tree, id, at);
    Ok(Edit::new(Span::new(at, at), [b" ", text].concat()))
}

/// Removes the lines of block collection `id` below its key's, but for comments.
fn drop_lines(tree: &Tree<'_>, id: NodeId, colon: usize) -> Edit {
    let start = line_end(tree.source, colon);
    let end = content_end(tree, id);
    let end = if ends_in_break(&tree.source[..end]) { end } else { line_end(tree.source, end) };
    let mut kept = inner_comments(tree, start, end, tree.node(id).indent.max(0) as usize);
    if end == tree.source.len() && !ends_in_break(tree.source) {
        // The file keeps its missing last line break.
        drop_breaks(&mut kept);
        if kept.is_empty() {
            let before = start - trailing_break(&tree.source[..start]);
            return Edit::new(Span::new(before, end), kept);
        }
    }
    Edit::new(Span::new(start.min(end), end), kept)
}

/// Puts the block collection `value` in the place of node `id`.
fn replace_by_block(tree: &Tree<'_>, id: NodeId, value: &Value) -> Result<Vec<Edit>, WriteError> {
    let node = tree.node(id);
    let neighbours = Neighbours::of(tree).before(tree, content_end(tree, id));
    let parent = node.indent.max(0) as usize;
    let same_kind = matches!((node.kind, value), (Kind::Map, Value::Map(_)) | (Kind::List, Value::List(_)));
    let former = tree.children(id).find(|child| tree.node(*child).kind != Kind::Comment);
    let is_block = matches!(node.kind, Kind::Map | Kind::List) && node.style != Style::Flow;
    let mut edits: Vec<Edit> = place::drop_tag(tree, id).into_iter().collect();
    if !tree.has_key(id) {
        return replace_element(tree, id, value, &neighbours, edits);
    }
    let column = match former {
        Some(child) if is_block && same_kind => tree.node(child).indent.max(0) as usize,
        _ => neighbours.child_column(parent, matches!(value, Value::List(_))),
    };
    let colon = place::colon(tree, id)?;
    let mut text = neighbours.render(value, column);
    if is_block {
        let lines = drop_lines(tree, id, colon);
        let at_end = lines.span.end as usize == tree.source.len() && !ends_in_break(tree.source);
        if at_end {
            drop_last_break(tree, &mut text, value);
            let start = line_end(tree.source, colon) as u32;
            edits.push(Edit::new(Span { start, end: lines.span.end }, text));
        } else {
            text.extend_from_slice(&lines.text);
            edits.push(Edit::new(lines.span, text));
        }
        return Ok(edits);
    }
    let mut end = content_end(tree, id).max(colon);
    let mut trail = Vec::new();
    if let Some(block) = Block::of(tree, node) {
        end = block.content_end(tree);
        block.write_trail(&mut trail);
    }
    let value_from = if is_silent(tree, id) { colon } else { value_start(tree, id) };
    let with_properties = node.flags.has(Flags::PROPERTIES);
    let from = if with_properties { value_from } else { before_blanks(tree.source, value_from).max(colon) };
    if end > from && !is_silent(tree, id) {
        edits.push(Edit::new(Span::new(from, end), trail));
    }
    edits.extend(insert_lines(tree, end, text, value, Some(id)));
    Ok(edits)
}

/// Puts the block collection `value` in the place of list element `id`.
fn replace_element(
    tree: &Tree<'_>,
    id: NodeId,
    value: &Value,
    neighbours: &Neighbours,
    mut edits: Vec<Edit>,
) -> Result<Vec<Edit>, WriteError> {
    let node = tree.node(id);
    let dash = place::dash(tree, id)?;
    let silent = is_silent(tree, id);
    let start = if silent { place::behind_properties(tree, id, dash + 1) } else { value_start(tree, id) };
    let mut end = content_end(tree, id).max(start);
    let mut trail = Vec::new();
    if let Some(block) = Block::of(tree, node) {
        end = block.content_end(tree);
        block.write_trail(&mut trail);
    }
    let rest = &tree.source[end..line_end(tree.source, end)];
    let broken = end > 0 && ends_in_break(&tree.source[..end]);
    if node.flags.has(Flags::PROPERTIES) || !trail.is_empty() || (!broken && !rest.trim_ascii().is_empty()) {
        // An anchor, or a comment behind the value, stays on the line of the dash.
        let text = neighbours.render(value, node.indent.max(0) as usize + 2);
        edits.push(Edit::new(Span::new(start, end), trail));
        edits.extend(insert_lines(tree, end, text, value, Some(id)));
        return Ok(edits);
    }
    let line = line_start(tree.source, start);
    let column = start - line + usize::from(silent);
    let text = neighbours.render(value, column);
    let mut out = if silent { b" ".to_vec() } else { Vec::new() };
    out.extend_from_slice(&text[column.min(text.len())..]);
    if !broken && (end < tree.source.len() || !place::ends_in_block(value)) {
        out.truncate(out.len() - line_break(tree).len());
    }
    let kept = inner_comments(tree, start, end, column);
    if !kept.is_empty() && !place::ends_in_block(value) {
        out.truncate(out.trim_ascii_end().len());
        out.extend_from_slice(line_break(tree));
        out.extend_from_slice(if broken { &kept } else { kept.trim_ascii_end() });
    }
    edits.push(Edit::new(Span::new(start, end), out));
    Ok(edits)
}

/// Takes all line breaks off the end of `text`.
fn drop_breaks(text: &mut Vec<u8>) {
    while ends_in_break(text) {
        text.truncate(text.len() - trailing_break(text));
    }
}

/// Takes the last line break off `text`, unless that is part of the value.
fn drop_last_break(tree: &Tree<'_>, text: &mut Vec<u8>, value: &Value) {
    if !place::ends_in_block(value) {
        text.truncate(text.len() - line_break(tree).len());
    }
}

/// The edits that add whole lines, which end with `value`, behind the line that
/// `at` is in. The text of `replaced` goes by another edit.
fn insert_lines(
    tree: &Tree<'_>,
    at: usize,
    mut text: Vec<u8>,
    value: &Value,
    replaced: Option<NodeId>,
) -> Vec<Edit> {
    let end = if at > 0 && ends_in_break(&tree.source[..at]) { at } else { line_end(tree.source, at) };
    let mut edits = Vec::new();
    if end > 0 && !ends_in_break(&tree.source[..end]) {
        drop_last_break(tree, &mut text, value);
        text.splice(0..0, line_break(tree).iter().copied());
        let stays = |id| replaced.is_none_or(|it| !(it..tree.node(it).end).contains(&id));
        edits.extend(settle_last_block(tree, stays));
    }
    edits.push(Edit::new(Span::new(end, end), text));
    edits
}

/// See [`crate::domain::store::Store::insert`].
pub(super) fn insert(tree: &Tree<'_>, id: NodeId, key: &str, value: &Value) -> Result<Vec<Edit>, WriteError> {
    let node = tree.node(id);
    if node.kind != Kind::Map {
        return Err(WriteError::new("an entry can only be added to a map"));
    }
    let empty = is_empty(tree, id);
    let root = node.parent == id;
    if is_flow_here(tree, id) && (!empty || node.flags.has(Flags::IN_FLOW)) {
        return flow::insert(tree, id, Some(key), value);
    }
    let pair = Value::Map(vec![Entry::Pair(key.to_owned(), value.clone())]);
    if empty && !root {
        return replace_by_block(tree, id, &pair);
    }
    let neighbours = Neighbours::of(tree);
    if empty {
        let text = neighbours.render(&pair, 0);
        if is_flow(tree, id) {
            let end = node.span.end as usize;
            let bare = tree.source[end..line_end(tree.source, end)].trim_ascii().is_empty();
            let text = if bare { text } else { neighbours.without_blocks().render(&pair, 0) };
            let text = text[..text.len() - line_break(tree).len()].to_vec();
            return Ok(vec![Edit::new(node.span, text)]);
        }
        let document = tree.documents.iter().find(|document| document.root == id);
        let Some(document) = document else { return Err(WriteError::new("the map belongs to no document")) };
        let mut edits = Vec::new();
        if !node.span.is_empty() {
            edits.push(Edit::new(node.span, Vec::new()));
        }
        edits.extend(insert_at(tree, document.span.end as usize, text, value));
        return Ok(edits);
    }
    let Some(last) = last_entry(tree, id) else { return Err(WriteError::new("the map has no entry")) };
    let neighbours = neighbours.before(tree, content_end(tree, last));
    let column = tree.node(last).indent.max(0) as usize;
    let text = entry_text(tree, id, &neighbours, column, key, value);
    Ok(insert_lines(tree, content_end(tree, last), text, value, None))
}

/// The edit that adds lines at `at`, the end of a document.
fn insert_at(tree: &Tree<'_>, at: usize, text: Vec<u8>, value: &Value) -> Vec<Edit> {
    if at > 0 && !ends_in_break(&tree.source[..at]) {
        return insert_lines(tree, at, text, value, None);
    }
    vec![Edit::new(Span::new(at, at), text)]
}

fn is_flow_here(tree: &Tree<'_>, id: NodeId) -> bool {
    tree.node(id).style == Style::Flow
}

fn last_entry(tree: &Tree<'_>, id: NodeId) -> Option<NodeId> {
    tree.children(id).filter(|child| tree.node(*child).kind != Kind::Comment).last()
}

/// A line `key: value` in the quotes of the map's other entries.
fn entry_text(
    tree: &Tree<'_>,
    map: NodeId,
    neighbours: &Neighbours,
    column: usize,
    key: &str,
    value: &Value,
) -> Vec<u8> {
    let quotes = place::quotes_of(tree, map);
    let mut out = vec![b' '; column];
    let quoted_key = quotes.keys && !is_multi_line(key.as_bytes());
    let text = match value {
        Value::Scalar(Scalar::Str(text)) if quotes.values.is_some() => Some(text),
        _ => None,
    };
    if !quoted_key && text.is_none() || key.len() > 128 || is_multi_line(key.as_bytes()) {
        return neighbours.render(&Value::Map(vec![Entry::Pair(key.to_owned(), value.clone())]), column);
    }
    if quoted_key {
        write_double(key.as_bytes(), &mut out);
    } else {
        write_inline_scalar(&Value::text(key), &mut out);
    }
    out.push(b':');
    match text {
        Some(text) => {
            out.push(b' ');
            match quotes.values {
                Some(Style::SingleQuoted) if super::emit_scalar::fits_single_quotes(text) => {
                    write_single(text, &mut out)
                }
                _ => write_double(text, &mut out),
            }
            out.extend_from_slice(line_break(tree));
        }
        None => {
            // The rest of the line, and what follows it, as under a plain key.
            let pair = Value::Map(vec![Entry::Pair("k".to_owned(), value.clone())]);
            let text = neighbours.render(&pair, column);
            out.extend_from_slice(&text[(column + 2).min(text.len())..]);
        }
    }
    out
}

/// See [`crate::domain::store::Store::append`].
pub(super) fn append(tree: &Tree<'_>, id: NodeId, value: &Value) -> Result<Vec<Edit>, WriteError> {
    let node = tree.node(id);
    if node.kind != Kind::List {
        return Err(WriteError::new("an element can only be added to a list"));
    }
    let empty = is_empty(tree, id);
    if is_flow_here(tree, id) && (!empty || node.flags.has(Flags::IN_FLOW)) {
        return flow::insert(tree, id, None, value);
    }
    let list = Value::List(vec![value.clone()]);
    if empty {
        return replace_by_block(tree, id, &list);
    }
    let Some(last) = last_entry(tree, id) else { return Err(WriteError::new("the list has no element")) };
    let column = tree.node(last).indent.max(0) as usize;
    let quotes = place::quotes_of(tree, id);
    let text = match (value, quotes.values) {
        (Value::Scalar(Scalar::Str(text)), Some(style)) => {
            let mut out = vec![b' '; column];
            out.extend_from_slice(b"- ");
            match style {
                Style::SingleQuoted if super::emit_scalar::fits_single_quotes(text) => {
                    write_single(text, &mut out)
                }
                _ => write_double(text, &mut out),
            }
            out.extend_from_slice(line_break(tree));
            out
        }
        _ => Neighbours::of(tree).before(tree, content_end(tree, last)).render(&list, column),
    };
    Ok(insert_lines(tree, content_end(tree, last), text, value, None))
}

/// See [`crate::domain::store::Store::remove`].
pub(super) fn remove(tree: &Tree<'_>, id: NodeId) -> Result<Vec<Edit>, WriteError> {
    let edits = remove_entry(tree, id)?;
    place::check_bystanders(tree, id, &edits)?;
    Ok(edits)
}

fn remove_entry(tree: &Tree<'_>, id: NodeId) -> Result<Vec<Edit>, WriteError> {
    let node = tree.node(id);
    if node.parent == id {
        return Err(WriteError::new("a whole document cannot be removed"));
    }
    place::check_aliases(tree, id)?;
    let parent = node.parent;
    let siblings: Vec<NodeId> =
        tree.children(parent).filter(|child| tree.node(*child).kind != Kind::Comment).collect();
    if node.flags.has(Flags::IN_FLOW) {
        return Ok(vec![flow::remove(tree, id, &siblings)]);
    }
    if siblings.len() == 1 {
        return remove_only(tree, id);
    }
    let start = item_start(tree, id)?;
    let line = line_start(tree.source, start);
    let end = content_end(tree, id).max(node.key.end as usize);
    let behind = &tree.source[end..line_end(tree.source, end)];
    let comment = behind.trim_ascii_start().starts_with(b"#") && !ends_in_break(&tree.source[..end]);
    let column = start - line;
    let own_line = tree.source[line..start].iter().all(|byte| *byte == b' ');
    let mut kept = inner_comments(tree, start, end, column);
    if own_line && !comment {
        let mut from = line;
        let mut to = if ends_in_break(&tree.source[..end]) { end } else { line_end(tree.source, end) };
        if kept.is_empty() && place::keeps_breaks_before(tree, id) {
            // Blank lines must not join the block above.
            while to < tree.source.len() && tree.source[to..line_end(tree.source, to)].trim_ascii().is_empty()
            {
                to = line_end(tree.source, to);
            }
        }
        if to == tree.source.len() && !ends_in_break(tree.source) {
            if kept.is_empty() && !place::is_block_before(tree, id) {
                from -= trailing_break(&tree.source[..from]);
            }
            drop_breaks(&mut kept);
        }
        return Ok(vec![Edit::new(Span::new(from, to), kept)]);
    }
    if own_line {
        // The comment behind it stays, on a line of its own.
        let blanks = behind.len() - behind.trim_ascii_start().len();
        if !kept.is_empty() {
            kept.drain(..column.min(kept.len()));
            kept.resize(kept.len() + column, b' ');
        }
        return Ok(vec![Edit::new(Span::new(start, end + blanks), kept)]);
    }
    // First in `- a: 1`: the next entry takes its place, if only blanks are between.
    let next = siblings.iter().copied().find(|child| *child > id);
    let next_start = next.map(|next| item_start(tree, next)).transpose()?;
    match next_start {
        Some(next) if kept.is_empty() && tree.source[end..next].iter().all(u8::is_ascii_whitespace) => {
            Ok(vec![Edit::new(Span::new(start, next), Vec::new())])
        }
        _ if ends_in_break(&tree.source[..end]) => {
            Ok(vec![Edit::new(Span::new(start, end), [line_break(tree), &kept].concat())])
        }
        _ => Ok(vec![
            Edit::new(Span::new(start, end), Vec::new()),
            Edit::new(Span::new(line_end(tree.source, end), line_end(tree.source, end)), kept),
        ]),
    }
}

/// Removes the only entry of a block collection, which becomes `{}` or `[]`.
fn remove_only(tree: &Tree<'_>, id: NodeId) -> Result<Vec<Edit>, WriteError> {
    let parent = tree.node(id).parent;
    let empty = match tree.node(parent).kind {
        Kind::List => Value::List(Vec::new()),
        _ => Value::Map(Vec::new()),
    };
    if tree.node(parent).parent != parent {
        return replace_inline(tree, parent, &empty);
    }
    let start = item_start(tree, id)?;
    let end = content_end(tree, id).max(tree.node(id).key.end as usize);
    let kept = inner_comments(tree, start, end, 0);
    let mut out = kept;
    out.extend_from_slice(b"{}");
    if ends_in_break(&tree.source[..end]) {
        out.extend_from_slice(line_break(tree));
    }
    Ok(vec![Edit::new(Span::new(start, end), out)])
}
