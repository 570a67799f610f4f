//! A plain file cut into pieces that cover it without gaps: containers into entries,
//! entries into the lines above, the key, the value and the rest of its line. What has a
//! shape that cannot be cut with certainty stays one piece.

use super::comparison::View;
use crate::domain::store::Format;
use crate::domain::tree::{Flags, Kind, Node, NodeId, Span, Style, Tree};

/// How deep containers are cut; what is deeper is one piece.
const DEPTH: usize = 100;

/// A container in pieces.
#[derive(Debug)]
pub(super) struct Parts {
    /// How its entries are told from each other.
    pub(super) form: Form,
    /// The column of its entries, where it is written by lines.
    pub(super) column: usize,
    /// Its first entry stands on the line that the container begins on: `- a: 1`.
    pub(super) compact: bool,
    /// Everything before its first entry.
    pub(super) open: Span,
    /// Its entries.
    pub(super) entries: Vec<Entry>,
    /// Everything behind its last entry.
    pub(super) close: Span,
}

/// How entries are told from each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// By line breaks.
    Lines,
    /// By commas, inside of brackets.
    Flow,
}

/// An entry in pieces.
#[derive(Debug)]
pub(super) struct Entry {
    /// The node of its value.
    pub(super) node: NodeId,
    /// The lines above that belong to it: comments and blank lines.
    pub(super) lead: Span,
    /// The blanks in front.
    pub(super) indent: Span,
    /// Its key and the colon, or its dash.
    pub(super) head: Span,
    /// Its value, with the blanks, tag and anchor in front.
    pub(super) body: Body,
    /// The rest of its line, line break included; before a comma, blanks.
    pub(super) tail: Span,
}

/// A value.
#[derive(Debug)]
pub(super) enum Body {
    /// In one piece.
    Whole(Span),
    /// In parts.
    Parts(Box<Parts>),
}

impl Body {
    /// All of it.
    pub(super) fn span(&self) -> Span {
        match self {
            Self::Whole(span) => *span,
            Self::Parts(parts) => Span { start: parts.open.start, end: parts.close.end },
        }
    }

    /// Its parts.
    pub(super) fn parts(&self) -> Option<&Parts> {
        match self {
            Self::Whole(_) => None,
            Self::Parts(parts) => Some(parts),
        }
    }
}

/// A document in pieces.
#[derive(Debug)]
pub(super) struct Document {
    /// What stands before it: the line of its marker.
    pub(super) before: Span,
    /// Its root node.
    pub(super) root: NodeId,
    /// The rest.
    pub(super) body: Body,
}

/// A file in pieces.
#[derive(Debug)]
pub(super) struct Outline {
    /// Its documents.
    pub(super) documents: Vec<Document>,
    /// What stands behind the last.
    pub(super) behind: Span,
}

impl Outline {
    /// Cuts `view`; containers that lie deeper than `depth` stay whole.
    pub(super) fn new(view: View<'_, '_>, depth: usize) -> Self {
        let cutter = Cutter { tree: view.tree, format: view.store.format(), depth: depth.min(DEPTH) };
        let mut documents = Vec::with_capacity(view.tree.documents.len());
        let mut done = 0;
        for document in &view.tree.documents {
            let Span { start, end } = document.span;
            let body = cutter.document(document.root, start as usize, end as usize);
            documents.push(Document { before: Span { start: done, end: start }, root: document.root, body });
            done = end;
        }
        Self { documents, behind: Span::new(done as usize, view.tree.source.len()) }
    }
}

struct Cutter<'t, 's> {
    tree: &'t Tree<'s>,
    format: Format,
    depth: usize,
}

impl<'t> Cutter<'t, '_> {
    fn document(&self, root: NodeId, start: usize, end: usize) -> Body {
        if self.depth == 0 {
            return Body::Whole(Span::new(start, end));
        }
        let parts = match self.format {
            Format::Binary => None,
            Format::Dotenv | Format::Ini => self.lines(root, start, end, 1),
            Format::Yaml | Format::Json if self.tree.node(root).style == Style::Flow => {
                self.flow(root, start, 1).map(|mut parts| {
                    parts.close.end = end as u32;
                    parts
                })
            }
            Format::Yaml | Format::Json => self.lines(root, start, end, 1),
        };
        match parts {
            Some(mut parts) => {
                self.keep_header(&mut parts);
                Body::Parts(Box::new(parts))
            }
            None => Body::Whole(Span::new(start, end)),
        }
    }

    /// The comment at the top of a file, up to its last blank line, is the file's own.
    fn keep_header(&self, parts: &mut Parts) {
        let Some(first) = parts.entries.first_mut().filter(|_| parts.form == Form::Lines && !parts.compact)
        else {
            return;
        };
        let mut at = first.lead.start as usize;
        let mut border = at;
        while at < first.lead.end as usize {
            let end = self.line_end(at);
            if self.is_blank(at, end) {
                border = end;
            }
            at = end;
        }
        parts.open.end = border as u32;
        first.lead.start = border as u32;
    }

    fn children(&self, id: NodeId) -> Vec<NodeId> {
        self.tree.children(id).filter(|&child| self.tree.node(child).kind != Kind::Comment).collect()
    }

    /// True for the section of the keys that stand before any header.
    fn is_nameless(&self, id: NodeId) -> bool {
        let node = self.tree.node(id);
        self.format == Format::Ini && node.kind == Kind::Map && node.key.is_empty()
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.tree.source.get(at).copied()
    }

    /// Behind the line break that ends the line of `at`.
    fn line_end(&self, at: usize) -> usize {
        memchr::memchr(b'\n', &self.tree.source[at..]).map_or(self.tree.source.len(), |found| at + found + 1)
    }

    fn line_start(&self, at: usize) -> usize {
        let first = if self.tree.source.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        memchr::memrchr(b'\n', &self.tree.source[..at]).map_or(first, |found| found + 1)
    }

    /// Behind the blanks (line breaks too, if `breaks`) from `at` on.
    fn behind_blanks(&self, mut at: usize, breaks: bool) -> usize {
        while self
            .byte(at)
            .is_some_and(|byte| byte == b' ' || byte == b'\t' || breaks && b"\r\n".contains(&byte))
        {
            at += 1;
        }
        at
    }

    fn is_blank(&self, start: usize, end: usize) -> bool {
        self.tree.source[start..end].iter().all(u8::is_ascii_whitespace)
    }

    fn is_spaces(&self, start: usize, end: usize) -> bool {
        self.tree.source[start..end].iter().all(|byte| *byte == b' ')
    }

    /// Where what belongs to value `id` ends, which begins behind `start`.
    fn content_end(&self, id: NodeId, start: usize) -> usize {
        let node = self.tree.node(id);
        let properties = self.tree.properties_of(id);
        let end = if node.span.is_empty() { 0 } else { node.span.end };
        end.max(properties.tag.end).max(properties.anchor.end).max(start as u32) as usize
    }

    /// Cuts a container that is written by lines, whose text is `start..limit`.
    fn lines(&self, id: NodeId, start: usize, limit: usize, level: usize) -> Option<Parts> {
        let mut children = self.children(id);
        // The section without a name stands nowhere if it is empty.
        children.retain(|&child| !(self.is_nameless(child) && self.children(child).is_empty()));
        let first = *children.first()?;
        let node = self.tree.node(id);
        if level > self.depth || node.style != Style::Block {
            return None;
        }
        let column = usize::try_from(self.tree.node(first).indent).ok()?;
        let places = self.places(&children, start, limit, column)?;
        let compact = self.line_start(places[0]) < start && self.format == Format::Yaml;
        let open_end = match compact {
            true => places[0],
            // The rest of the line that the container begins on, if it does on one.
            false if start > self.line_start(start) => self.line_end(start),
            false => start,
        };
        let mut entries = Vec::with_capacity(children.len());
        let mut lead = open_end;
        for (index, &child) in children.iter().enumerate() {
            let next = places.get(index + 1).map_or(limit, |&place| self.line_start(place));
            let is_on_first_line = compact && index == 0;
            let own = if is_on_first_line { places[0] } else { self.line_start(places[index]) };
            let (entry, end) = self.entry(child, (lead, own, places[index], next), column, level)?;
            entries.push(entry);
            lead = end;
        }
        let open = Span::new(start, open_end);
        let close = Span::new(lead, limit);
        (lead <= limit).then_some(Parts { form: Form::Lines, column, compact, open, entries, close })
    }

    /// Where each child's key or dash stands.
    fn places(&self, children: &[NodeId], start: usize, limit: usize, column: usize) -> Option<Vec<usize>> {
        let mut places = Vec::with_capacity(children.len());
        let mut after = start;
        for (index, &child) in children.iter().enumerate() {
            let place = self.place(child, after, column)?;
            let line = self.line_start(place);
            let is_compact = index == 0 && line < start;
            let is_indented = match self.format {
                Format::Yaml => self.is_spaces(line, place),
                _ => self.is_blank(line, place),
            };
            if place < after || place >= limit || !(is_compact || is_indented && line >= after) {
                return None;
            }
            places.push(place);
            let end = self.subtree_end(child, place);
            after = if end > 0 && self.byte(end - 1) == Some(b'\n') { end } else { self.line_end(end) };
        }
        Some(places)
    }

    /// Where the last value below `id` ends.
    fn subtree_end(&self, id: NodeId, start: usize) -> usize {
        let node = self.tree.node(id);
        (id..node.end)
            .filter(|&below| self.tree.node(below).kind != Kind::Comment)
            .map(|below| self.content_end(below, self.tree.node(below).key.end as usize))
            .max()
            .unwrap_or(0)
            .max(start)
    }

    fn place(&self, child: NodeId, after: usize, column: usize) -> Option<usize> {
        let node = self.tree.node(child);
        match (self.format, self.tree.has_key(child)) {
            (Format::Yaml, true) => {
                let place = self.line_start(node.key.start as usize) + column;
                // An explicit key (`? key`) is no simple line.
                let simple = place <= node.key.start as usize && self.byte(place) != Some(b'?');
                simple.then_some(place)
            }
            (Format::Yaml, false) => self.dash(node, after, column),
            (Format::Ini, true) if self.is_nameless(child) => Some(after),
            (_, true) => Some(node.key.start as usize),
            (_, false) => None,
        }
    }

    /// The dash of a list element, on its value's line or on one before.
    fn dash(&self, node: &Node, after: usize, column: usize) -> Option<usize> {
        let mut line = self.line_start(after);
        while line <= node.span.start as usize {
            let place = line + column;
            let is_dash = self.byte(place) == Some(b'-')
                && self.byte(place + 1).is_none_or(|byte| b" \t\r\n".contains(&byte));
            if is_dash && place >= after && (self.is_spaces(line, place) || line < after) {
                return Some(place);
            }
            let next = self.line_end(line);
            if next == line {
                return None;
            }
            line = next;
        }
        None
    }

    /// Cuts an entry. `bounds` are where the lines above it begin, where its own line
    /// does, where its key is, and where the line of the next entry begins. Returns the
    /// entry and where it ends.
    fn entry(
        &self,
        id: NodeId,
        bounds: (usize, usize, usize, usize),
        column: usize,
        level: usize,
    ) -> Option<(Entry, usize)> {
        let (lead, own, place, next) = bounds;
        let node = self.tree.node(id);
        let head_end = self.head_end(id, place)?;
        let last = self.subtree_end(id, head_end);
        let line_end = match last > 0 && self.byte(last - 1) == Some(b'\n') {
            true => last,
            false => self.line_end(last),
        };
        if line_end > next || lead > own {
            return None;
        }
        let is_block = node.style == Style::Block && matches!(node.kind, Kind::Map | Kind::List);
        let end = if is_block { self.inner_comments(line_end, next, column) } else { line_end };
        let (body, tail) = match is_block {
            true => {
                let parts = self.lines(id, head_end, end, level + 1);
                let whole = Body::Whole(Span::new(head_end, end));
                (parts.map_or(whole, |parts| Body::Parts(Box::new(parts))), end)
            }
            false => {
                let value_end = self.content_end(id, head_end);
                let flow = if self.is_flow(node) { self.flow(id, head_end, level + 1) } else { None };
                let whole = Body::Whole(Span::new(head_end, value_end));
                (flow.map_or(whole, |parts| Body::Parts(Box::new(parts))), value_end)
            }
        };
        let simple_tail = self.format != Format::Yaml || self.is_blank_or_comment(tail, end);
        let entry = Entry {
            node: id,
            lead: Span::new(lead, own),
            indent: Span::new(own, place),
            head: Span::new(place, head_end),
            body,
            tail: Span::new(tail, end),
        };
        simple_tail.then_some((entry, end))
    }

    fn is_flow(&self, node: &Node) -> bool {
        node.style == Style::Flow && matches!(node.kind, Kind::Map | Kind::List)
    }

    fn is_blank_or_comment(&self, start: usize, end: usize) -> bool {
        let at = self.behind_blanks(start, false).min(end);
        self.is_blank(start, end) || at > start && self.byte(at) == Some(b'#') || start == end
    }

    /// Behind the delimiter of the key, the dash, or the header of a section.
    fn head_end(&self, id: NodeId, place: usize) -> Option<usize> {
        let node = self.tree.node(id);
        if !self.tree.has_key(id) {
            return Some(place + 1);
        }
        let key_end = node.key.end as usize;
        match self.format {
            Format::Ini if node.kind == Kind::Map => Some(if self.is_nameless(id) { place } else { key_end }),
            Format::Ini => {
                let rest = &self.tree.source[key_end..];
                Some(key_end + memchr::memchr2(b'=', b':', rest)? + 1)
            }
            Format::Dotenv => (self.byte(key_end) == Some(b'=')).then_some(key_end + 1),
            _ => {
                let colon = self.behind_blanks(key_end, self.format == Format::Json);
                (self.byte(colon) == Some(b':')).then_some(colon + 1)
            }
        }
    }

    /// Behind the last comment in `from..to` that is indented deeper than `column`: it
    /// belongs to what is above it.
    fn inner_comments(&self, from: usize, to: usize, column: usize) -> usize {
        if self.format != Format::Yaml {
            return from;
        }
        let (mut at, mut end) = (from, from);
        while at < to {
            let next = self.line_end(at);
            let text = self.behind_blanks(at, false);
            if self.byte(text) == Some(b'#') && text - at > column {
                end = next;
            }
            at = next;
        }
        end.min(to)
    }

    /// Cuts a container in brackets, whose text begins at `start`.
    fn flow(&self, id: NodeId, start: usize, level: usize) -> Option<Parts> {
        let node = self.tree.node(id);
        let (open, end) = (node.span.start as usize, node.span.end as usize);
        let (bracket, closing) = if node.kind == Kind::Map { (b'{', b'}') } else { (b'[', b']') };
        let has_comment = (id..node.end).any(|below| self.tree.node(below).kind == Kind::Comment);
        let in_brackets =
            self.byte(open) == Some(bracket) && end > open + 1 && self.byte(end - 1) == Some(closing);
        if level > self.depth || has_comment || !in_brackets {
            return None;
        }
        let children = self.children(id);
        let mut entries = Vec::with_capacity(children.len());
        let mut at = open + 1;
        for (index, &child) in children.iter().enumerate() {
            let is_last = index + 1 == children.len();
            let (entry, next) = self.flow_entry(child, at, is_last, level)?;
            entries.push(entry);
            at = next;
        }
        let tail = self.tree.source.get(at..end - 1).filter(|_| start <= open)?;
        let commas = tail.iter().filter(|byte| **byte == b',').count();
        let simple = tail.iter().all(|byte| byte.is_ascii_whitespace() || *byte == b',')
            && commas <= usize::from(!children.is_empty());
        simple.then_some(Parts {
            form: Form::Flow,
            column: 0,
            compact: false,
            open: Span::new(start, open + 1),
            entries,
            close: Span::new(at, end),
        })
    }

    fn flow_entry(&self, id: NodeId, at: usize, is_last: bool, level: usize) -> Option<(Entry, usize)> {
        let node = self.tree.node(id);
        let place = self.behind_blanks(at, true);
        let head_end = if self.tree.has_key(id) { self.head_end(id, place)? } else { place };
        let value_end = self.content_end(id, head_end);
        if head_end < place || node.flags.has(Flags::SHADOWED) {
            return None;
        }
        let flow = if self.is_flow(node) { self.flow(id, head_end, level + 1) } else { None };
        let whole = Body::Whole(Span::new(head_end, value_end));
        let body = flow.map_or(whole, |parts| Body::Parts(Box::new(parts)));
        let comma = self.behind_blanks(value_end, true);
        let (tail, next) = match is_last {
            true => (value_end, value_end),
            false if self.byte(comma) == Some(b',') => (comma, comma + 1),
            false => return None,
        };
        let entry = Entry {
            node: id,
            lead: Span::new(at, at),
            indent: Span::new(at, place),
            head: Span::new(place, head_end),
            body,
            tail: Span::new(value_end, tail),
        };
        Some((entry, next))
    }
}

#[cfg(test)]
mod tests;
