//! Where things stand in the source: colons, dashes, the last byte of an entry;
//! and what the neighbours of a new entry look like.

use super::super::block_scalar::Block;
use super::super::chars::before_blanks;
use super::super::comment_place::dash_before;
use super::super::emit::{Blocks, emit_block};
use super::super::metadata::{ends_in_break, line_break, line_end, line_start};
use super::super::tags::with_blanks;
use crate::domain::scalar::Scalar;
use crate::domain::store::splice::Edit;
use crate::domain::store::{Layout, WriteError};
use crate::domain::tree::{Kind, NodeId, Span, Style, Tag, Tree};
use crate::domain::value::{Entry, Value};

/// One past the colon behind the key of `id`.
pub(super) fn colon(tree: &Tree<'_>, id: NodeId) -> Result<usize, WriteError> {
    let end = tree.node(id).key.end as usize;
    let rest = tree.source.get(end..).unwrap_or_default();
    let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let is_block = ends_in_break(tree.raw(tree.node(id).key));
    if rest.get(blanks) == Some(&b':') && !is_block {
        return Ok(end + blanks + 1);
    }
    if let Some(at) = colon_below(rest).filter(|_| !is_block && is_explicit(tree, id)) {
        return Ok(end + at + 1);
    }
    let line = tree.line(end as u32);
    Err(WriteError {
        message: format!("line {line}: the key is not followed by its colon on the same line"),
        hint: Some("write the entry as `key: value` first"),
    })
}

/// True if a `?` stands in front of the key.
fn is_explicit(tree: &Tree<'_>, id: NodeId) -> bool {
    let start = tree.node(id).key.start as usize;
    tree.source[line_start(tree.source, start)..start].trim_ascii_end().ends_with(b"?")
}

/// The colon of an explicit key, where it begins the next line that is no comment.
fn colon_below(behind: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let rest = &behind[at..];
        at += rest.len() - rest.trim_ascii_start().len();
        match behind.get(at)? {
            b'#' => at = line_end(behind, at),
            b':' => return Some(at),
            _ => return None,
        }
    }
}

/// The dash of list element `id`.
pub(super) fn dash(tree: &Tree<'_>, id: NodeId) -> Result<usize, WriteError> {
    dash_before(tree, id).ok_or_else(|| {
        let line = tree.line(tree.node(id).span.start);
        WriteError::new(format!("line {line}: the list element does not stand on the line of its dash"))
    })
}

/// The first byte of the entry: its key, or its dash.
pub(super) fn item_start(tree: &Tree<'_>, id: NodeId) -> Result<usize, WriteError> {
    if !tree.has_key(id) {
        return dash(tree, id);
    }
    let start = tree.node(id).key.start as usize;
    let before = &tree.source[line_start(tree.source, start)..start];
    let only_dashes = before.iter().all(|byte| matches!(byte, b' ' | b'-'));
    if only_dashes && (before.trim_ascii().is_empty() || before.ends_with(b" ")) {
        return Ok(start);
    }
    let line = tree.line(start as u32);
    Err(WriteError::new(format!("line {line}: the key has an anchor, a tag or a `?` in front of it")))
}

/// The first byte of the value itself, tag and anchor aside.
pub(super) fn value_start(tree: &Tree<'_>, id: NodeId) -> usize {
    let node = tree.node(id);
    let mut start = node.span.start as usize;
    if matches!(node.kind, Kind::Map | Kind::List)
        && node.style != Style::Flow
        && let Some(first) = tree.children(id).find(|child| tree.node(*child).kind != Kind::Comment)
        && let Ok(first) = item_start(tree, first)
    {
        start = first;
    }
    start
}

/// One past the last byte of the values in `id`, behind the last line break of a
/// block scalar.
pub(super) fn content_end(tree: &Tree<'_>, id: NodeId) -> usize {
    let nodes = &tree.nodes[id as usize..tree.node(id).end as usize];
    let ends = nodes.iter().map(|node| match (node.kind, node.style) {
        (Kind::Comment, _) => 0,
        (Kind::Map | Kind::List, Style::Flow) | (Kind::Scalar | Kind::Alias, _) => {
            node.span.end.max(node.key.end)
        }
        (Kind::Map | Kind::List, _) => node.key.end,
    });
    let mut end = ends.max().unwrap_or(0) as usize;
    // A null of which nothing is written ends behind its colon or dash.
    if let Some(last) = (id..tree.node(id).end).rev().find(|id| tree.node(*id).kind != Kind::Comment)
        && tree.node(last).span.is_empty()
    {
        let properties = tree.properties_of(last);
        end = end.max(properties.tag.end as usize).max(properties.anchor.end as usize);
        end = end.max(colon(tree, last).ok().filter(|_| tree.has_key(last)).unwrap_or(0));
    }
    end
}

/// The comments between two places, as lines of their own at `column`.
pub(super) fn inner_comments(tree: &Tree<'_>, from: usize, to: usize, column: usize) -> Vec<u8> {
    let inside = |span: &Span| span.start as usize >= from && span.end as usize <= to;
    let comments = tree.nodes.iter().filter(|node| node.kind == Kind::Comment).map(|node| node.span);
    let mut comments: Vec<Span> = comments.filter(inside).collect();
    comments.sort_by_key(|span| span.start);
    let mut out = Vec::new();
    for span in comments {
        out.resize(out.len() + column, b' ');
        out.extend_from_slice(tree.raw(span));
        out.extend_from_slice(line_break(tree));
    }
    out
}

/// Refuses to take away what an alias outside of `id` refers to.
pub(super) fn check_aliases(tree: &Tree<'_>, id: NodeId) -> Result<(), WriteError> {
    let inside = id..tree.node(id).end;
    let outside = |at: NodeId| !inside.contains(&at);
    for (at, node) in tree.nodes.iter().enumerate() {
        if node.kind == Kind::Alias && outside(at as NodeId) && inside.contains(&node.text.start) {
            return Err(WriteError {
                message: format!("the alias in line {} refers to it", tree.line(node.span.start)),
                hint: Some("write out the alias first"),
            });
        }
    }
    Ok(())
}

/// Refuses edits that would touch another entry: one that shares the line of `id`
/// by a line break which only YAML 1.1 knows.
pub(super) fn check_bystanders(tree: &Tree<'_>, id: NodeId, edits: &[Edit]) -> Result<(), WriteError> {
    let inside = id..tree.node(id).end;
    for (at, node) in tree.nodes.iter().enumerate() {
        let leaf = matches!(node.kind, Kind::Scalar | Kind::Alias) && !inside.contains(&(at as NodeId));
        let hit = |edit: &Edit| edit.span.start <= node.span.start && node.span.end < edit.span.end;
        if leaf && !node.span.is_empty() && edits.iter().any(hit) {
            let line = tree.line(node.span.start);
            return Err(WriteError::new(format!("line {line}: another entry stands on the same line")));
        }
    }
    Ok(())
}

/// The place behind the tag and the anchor of `id`, at least `at`.
pub(super) fn behind_properties(tree: &Tree<'_>, id: NodeId, at: usize) -> usize {
    let properties = tree.properties_of(id);
    let anchor = if properties.anchor.is_empty() { 0 } else { properties.anchor.end as usize };
    let tag = if properties.tag.is_empty() { 0 } else { properties.tag.end as usize };
    at.max(tag).max(anchor)
}

/// The edit that takes the tag of `id` away: it was the old value's.
pub(super) fn drop_tag(tree: &Tree<'_>, id: NodeId) -> Option<Edit> {
    let tag = tree.properties_of(id).tag;
    if tag.is_empty() {
        return None;
    }
    let node = tree.node(id);
    let scalar = node.kind == Kind::Scalar && !node.span.is_empty();
    if scalar {
        return Some(Edit::new(with_blanks(tree.source, tag, node.span.start), Vec::new()));
    }
    let blanks = before_blanks(tree.source, tag.start as usize);
    let indents = ends_in_break(&tree.source[..blanks]);
    let start = if indents { tag.start } else { blanks as u32 };
    Some(Edit::new(Span { start, end: tag.end }, Vec::new()))
}

/// True if the text of `value` in block style ends in a block scalar whose last
/// line break counts.
pub(super) fn ends_in_block(value: &Value) -> bool {
    let mut value = value;
    loop {
        value = match value {
            Value::Scalar(Scalar::Str(text)) => return text.ends_with(b"\n"),
            Value::Scalar(_) | Value::Comment(_) => return false,
            Value::List(items) => match items.iter().rev().find(|item| !matches!(item, Value::Comment(_))) {
                Some(item) => item,
                None => return false,
            },
            Value::Map(entries) => {
                let last = entries.iter().rev().find_map(|entry| match entry {
                    Entry::Pair(_, value) => Some(value),
                    Entry::Comment(_) => None,
                });
                match last {
                    Some(value) => value,
                    None => return false,
                }
            }
        };
    }
}

/// The edit that lets a block scalar at the end of the file stay what it is when
/// a line break comes behind it.
pub(in super::super) fn settle_last_block(tree: &Tree<'_>, stays: impl Fn(NodeId) -> bool) -> Option<Edit> {
    let last = (0..tree.nodes.len() as NodeId).max_by_key(|id| {
        let node = tree.node(*id);
        node.key.end.max(if node.kind == Kind::Scalar { node.span.end } else { 0 })
    })?;
    let mut node = *tree.node(last);
    if node.key.end > node.span.end || node.key.end == node.span.end && node.span.is_empty() {
        // A key without a value.
        node.span = node.key;
        node.text = node.key_text;
    } else if !stays(last) {
        return None;
    }
    Block::of(tree, &node)?.settle(tree, tree.text(node.text), node.span.end as usize)
}

/// True if the leaf in front of `id` is a block, whose last line break counts.
pub(super) fn is_block_before(tree: &Tree<'_>, id: NodeId) -> bool {
    let before = (0..id).rev().map(|id| tree.node(id)).find(|node| node.kind != Kind::Comment);
    before.is_some_and(|node| matches!(node.style, Style::Literal | Style::Folded))
}

/// True if the leaf in front of `id` is a block that keeps all its line breaks.
pub(super) fn keeps_breaks_before(tree: &Tree<'_>, id: NodeId) -> bool {
    let before = (0..id).rev().map(|id| tree.node(id)).find(|node| node.kind != Kind::Comment);
    before.is_some_and(|node| {
        let raw = tree.raw(node.span);
        let header = raw.split(|byte| matches!(byte, b'\n' | b'\r' | b' ' | b'\t' | b'#')).next();
        matches!(node.style, Style::Literal | Style::Folded)
            && header.is_some_and(|header| header.contains(&b'+'))
    })
}

/// Quotes that all entries of a collection have.
pub(super) struct Quotes {
    /// Every key is in double quotes.
    pub(super) keys: bool,
    /// Every string value is in these quotes.
    pub(super) values: Option<Style>,
}

/// The quotes in collection `id`.
pub(super) fn quotes_of(tree: &Tree<'_>, id: NodeId) -> Quotes {
    let (mut keys, mut any) = (true, false);
    let mut style = None;
    let mut mixed = false;
    for child in tree.children(id).filter(|child| tree.node(*child).kind != Kind::Comment) {
        any = true;
        let node = tree.node(child);
        keys &= tree.has_key(child) && tree.source.get(node.key.start as usize) == Some(&b'"');
        let string = node.style != Style::Plain
            || super::super::resolve::is_plain_string(tree.text(node.text)) && node.tag == Tag::None;
        if node.kind == Kind::Scalar && string {
            mixed |= style.is_some_and(|style| style != node.style);
            style = Some(node.style);
        }
    }
    let quoted = style.filter(|style| !mixed && matches!(style, Style::SingleQuoted | Style::DoubleQuoted));
    Quotes { keys: keys && any, values: quoted }
}

/// How the file indents.
pub(super) struct Neighbours {
    step: usize,
    /// Columns of a list's dashes beyond its key.
    list_step: usize,
    line_break: &'static [u8],
    blocks: Blocks,
}

impl Neighbours {
    /// From the first nested block map and the first block list below a key.
    pub(super) fn of(tree: &Tree<'_>) -> Self {
        let mut step = None;
        let mut list_step = None;
        for (id, node) in tree.nodes.iter().enumerate() {
            let id = id as NodeId;
            let block = matches!(node.kind, Kind::Map | Kind::List) && node.style != Style::Flow;
            if !block || !tree.has_key(id) {
                continue;
            }
            let Some(child) = tree.children(id).find(|child| tree.node(*child).kind != Kind::Comment) else {
                continue;
            };
            let deeper = tree.node(child).indent - node.indent.max(0);
            let deeper = usize::try_from(deeper).unwrap_or(0);
            match node.kind {
                Kind::Map => step = step.or(Some(deeper).filter(|step| *step > 0)),
                _ => list_step = list_step.or(Some(deeper)),
            }
            if step.is_some() && list_step.is_some() {
                break;
            }
        }
        let step = step.or(list_step.filter(|step| *step > 0)).unwrap_or(4);
        Self {
            step,
            list_step: list_step.unwrap_or(step),
            line_break: line_break(tree),
            blocks: Blocks::Closed,
        }
    }

    /// The same for text that goes behind the line of byte `at`.
    pub(super) fn before(mut self, tree: &Tree<'_>, at: usize) -> Self {
        let broken = at > 0 && ends_in_break(&tree.source[..at]);
        let below = &tree.source[if broken { at } else { line_end(tree.source, at) }..];
        let next = below.trim_ascii_start();
        let blanks = &below[..below.len() - next.len()];
        if next.starts_with(b"#") && blanks.ends_with(b" ") {
            self.blocks = Blocks::None;
        }
        self
    }

    /// The same without block scalars.
    pub(super) fn without_blocks(mut self) -> Self {
        self.blocks = Blocks::None;
        self
    }

    /// The column of a collection below a key at column `parent`.
    pub(super) fn child_column(&self, parent: usize, list: bool) -> usize {
        parent + if list { self.list_step } else { self.step }
    }

    /// A block collection at `column`, whole lines.
    pub(super) fn render(&self, value: &Value, column: usize) -> Vec<u8> {
        let layout = Layout { indent: Some(self.step.clamp(2, 9) as u8) };
        let mut text = emit_block(value, column as i32, layout, self.blocks);
        if self.line_break == b"\n" {
            return text;
        }
        let mut out = Vec::with_capacity(text.len() + text.len() / 16);
        for byte in &text {
            match byte {
                b'\n' => out.extend_from_slice(self.line_break),
                _ => out.push(*byte),
            }
        }
        crate::domain::secret::wipe(&mut text);
        out
    }
}
