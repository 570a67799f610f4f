//! From events to the node table, with go-yaml's and SOPS's refusals: root
//! types, duplicate keys, keys that are collections, unknown and recursive
//! aliases, excessive aliasing. Comments are noted beside the table, by the node
//! and slot that go-yaml puts them in; `comments` lays them into it.

use std::collections::HashMap;

use super::chars::{find_break, line_break};
use super::comments::{Assignment, Slot};
use super::events::{Comments, Event, EventKind};
use super::parse::Parser;
use super::resolve::is_plain_string;
use super::scan::Scan;
use super::seen_keys::{SeenKey, hash};
use super::tokens::{bad_key, fault};
use crate::domain::search;
use crate::domain::tree::{Document, Flags, Kind, Node, NodeId, Properties, Span, Style, Tag};

/// A document that is being read.
pub(super) struct Composer<'s> {
    pub(super) parser: Parser<'s>,
    pub(super) nodes: Vec<Node>,
    pub(super) documents: Vec<Document>,
    pub(super) properties: Vec<(NodeId, Properties)>,
    /// Comment lines by slot: ranges of `assigned`.
    pub(super) assignments: Vec<Assignment>,
    pub(super) assigned: Vec<u32>,
    frames: Vec<Frame>,
    pub(super) keys: Vec<SeenKey>,
    anchors: HashMap<&'s [u8], usize>,
    targets: Vec<Target>,
    decodes: Decodes,
    end: u32,
    /// Plain lines are taken without tokens.
    pub(super) by_line: bool,
}

/// How much a file will take, so that no table grows by being copied.
struct Room {
    /// Nodes and comments, if there is one a line, or a few on long lines.
    nodes: usize,
    /// Lines of comments.
    comments: usize,
}

impl Room {
    fn of(source: &[u8]) -> Self {
        let comments = search::memchr_iter(b'#', source).count();
        let lines = search::memchr_iter(b'\n', source).count() + comments;
        Self { nodes: lines.max(source.len() / 48) + 16, comments }
    }
}

/// A container that is open.
struct Frame {
    id: NodeId,
    flow: bool,
    map: bool,
    metadata: bool,
    line_or_foot: bool,
    /// Column of the innermost block collection from here on.
    indent: i32,
    key: Option<Key>,
    /// The value of the last complete pair.
    previous: Option<NodeId>,
    first_key: usize,
    target: Option<usize>,
    decodes: u64,
}

/// A key whose value comes next.
#[derive(Clone, Copy, Default)]
struct Key {
    span: Span,
    text: Span,
    odd: bool,
    foot: bool,
    /// `<<`: the value must be maps.
    merge: bool,
}

/// What an anchor names.
#[derive(Clone, Copy)]
struct Target {
    node: NodeId,
    /// How many nodes it stands for with its aliases expanded; 0 while open.
    weight: u64,
    /// The anchor is on a key: its text, and whether it is a string by style or tag.
    key: Option<(Span, bool)>,
}

/// go-yaml's count of decoding steps, against alias bombs.
#[derive(Clone, Copy, Default)]
struct Decodes {
    total: u64,
    aliased: u64,
}

impl Decodes {
    fn excessive(self) -> bool {
        if self.aliased <= 100 || self.total <= 1000 {
            return false;
        }
        let (low, high) = (400_000.0, 4_000_000.0);
        let total = self.total as f64;
        let allowed = 0.99 - 0.89 * ((total - low) / (high - low)).clamp(0.0, 1.0);
        self.aliased as f64 / total > allowed
    }
}

impl<'s> Composer<'s> {
    /// A composer before the first event.
    pub(super) fn new(mut parser: Parser<'s>) -> Self {
        let room = Room::of(parser.scanner.source);
        parser.scanner.remark_lines.reserve_exact(room.comments);
        Self {
            parser,
            nodes: Vec::with_capacity(room.nodes),
            documents: Vec::new(),
            properties: Vec::new(),
            assignments: Vec::with_capacity(room.comments),
            assigned: Vec::with_capacity(room.comments),
            frames: Vec::new(),
            keys: Vec::with_capacity(room.nodes),
            anchors: HashMap::new(),
            targets: Vec::new(),
            decodes: Decodes::default(),
            end: 0,
            by_line: true,
        }
    }

    /// Reads all documents.
    pub(super) fn run(&mut self) -> Scan<()> {
        loop {
            if self.by_line {
                self.plain_lines()?;
            }
            let event = self.parser.next()?;
            match event.kind {
                EventKind::Scalar | EventKind::Alias => self.leaf(&event)?,
                EventKind::MappingStart | EventKind::SequenceStart => self.open(&event)?,
                EventKind::MappingEnd | EventKind::SequenceEnd => self.close(&event)?,
                EventKind::DocumentStart => self.open_document(&event),
                EventKind::DocumentEnd => self.close_document(&event)?,
                EventKind::StreamEnd => return Ok(()),
            }
        }
    }

    fn next_id(&self) -> NodeId {
        self.nodes.len() as NodeId
    }

    pub(super) fn text(&self, span: Span) -> &[u8] {
        let source = self.parser.scanner.source;
        if span.is_empty() {
            &[]
        } else if span.start as usize >= source.len() {
            &self.parser.scanner.decoded[span.start as usize - source.len()..span.end as usize - source.len()]
        } else {
            &source[span.range()]
        }
    }

    fn assign(&mut self, node: NodeId, slot: Slot, pick: fn(&Comments) -> &Vec<u32>) -> bool {
        let lines = pick(&self.parser.comments);
        let first = self.assigned.len() as u32;
        self.assigned.extend_from_slice(lines);
        let last = self.assigned.len() as u32;
        self.assignments.push(Assignment { node, slot, first, last });
        first != last
    }

    /// Notes that what `slot` of `node` held is replaced by nothing.
    fn clear_slot(&mut self, node: NodeId, slot: Slot) {
        self.assignments.push(Assignment { node, slot, first: 0, last: 0 });
    }

    fn open_document(&mut self, event: &Event) {
        let source = self.parser.scanner.source;
        let mut start = event.end as usize;
        if event.end > event.start.index {
            start = behind_marker_line(source, start);
        } else if self.documents.is_empty() {
            start = 0;
        }
        let root = self.next_id();
        if event.commented {
            self.assign(root, Slot::DocumentHead, |comments| &comments.head);
        }
        self.end = start as u32;
        self.documents.push(Document { root, span: Span::new(start, start) });
        self.decodes.total = self.decodes.total.saturating_add(1);
    }

    fn close_document(&mut self, event: &Event) -> Scan<()> {
        let Some(document) = self.documents.last_mut() else { return Ok(()) };
        document.span.end = event.start.index.max(document.span.start);
        let root = document.root;
        if event.commented {
            self.assign(root, Slot::DocumentFoot, |comments| &comments.foot);
        }
        self.check_root(root)
    }

    pub(super) fn leaf(&mut self, event: &Event) -> Scan<()> {
        if !matches!(event.tag, Tag::None | Tag::Str) {
            self.check_tag(event)?;
        }
        let alias = event.kind == EventKind::Alias;
        let expects_key = self.frames.last().is_some_and(|frame| frame.map && frame.key.is_none());
        self.decodes.total = self.decodes.total.saturating_add(1);
        let target = if alias { Some(self.resolve(event)?) } else { None };
        self.end = event.end;
        if expects_key {
            return self.key(event, target);
        }
        let mut node = self.blank_node(event, if alias { Kind::Alias } else { Kind::Scalar });
        node.style = event.style;
        node.tag = event.tag;
        node.text = event.text;
        if let Some(found) = target {
            let Target { node: id, key, .. } = self.targets[found];
            node.text = Span { start: id, end: id };
            if let Some((text, string)) = key {
                // An anchored key is no node: the alias stands for its text.
                node.kind = Kind::Scalar;
                node.text = text;
                node.tag = if string { Tag::Str } else { Tag::None };
            }
        }
        let id = self.next_id();
        node.end = id + 1;
        self.nodes.push(node);
        self.register(event, id, 1, None);
        if event.commented {
            self.node_comments(id);
        }
        self.complete(id, event.commented, |comments| &comments.foot)
    }

    fn node_comments(&mut self, id: NodeId) {
        if !self.parser.comments.head.is_empty() {
            self.assign(id, Slot::Head, |comments| &comments.head);
        }
        if !self.parser.comments.line.is_empty() {
            self.assign(id, Slot::Line, |comments| &comments.line);
        }
    }

    /// The value, element or root `id` is complete; its foot comment, if any, is
    /// among the comments of the last event.
    fn complete(&mut self, id: NodeId, commented: bool, pick: fn(&Comments) -> &Vec<u32>) -> Scan<()> {
        let foot = commented && !pick(&self.parser.comments).is_empty();
        let mut slot = Slot::Foot;
        if let Some(frame) = self.frames.last_mut()
            && frame.map
        {
            let key = frame.key.take().unwrap_or_default();
            frame.previous = Some(id);
            if !key.foot {
                slot = Slot::KeyFoot;
            }
            if key.merge {
                self.check_merge(id)?;
            }
        }
        if foot {
            self.assign(id, slot, pick);
        }
        Ok(())
    }

    /// A node for `event` in the open container, without content.
    fn blank_node(&mut self, event: &Event, kind: Kind) -> Node {
        let id = self.next_id();
        let mut node = Node {
            kind,
            style: event.style,
            tag: Tag::None,
            flags: Flags::default(),
            parent: id,
            end: id + 1,
            key: Span::default(),
            key_text: Span::default(),
            span: Span { start: event.start.index, end: event.end },
            text: Span::default(),
            indent: -1,
        };
        if let Some(frame) = self.frames.last() {
            node.parent = frame.id;
            node.indent = frame.indent;
            if frame.flow {
                node.flags.set(Flags::IN_FLOW);
            }
            if let Some(key) = frame.key {
                node.key = key.span;
                node.key_text = key.text;
                if key.odd {
                    node.flags.set(Flags::ODD_KEY);
                }
            }
            if frame.metadata || (self.frames.len() == 1 && frame.map && self.text(node.key_text) == b"sops")
            {
                node.flags.set(Flags::METADATA);
            }
        }
        if event.has_properties() {
            node.flags.set(Flags::PROPERTIES);
            self.properties.push((id, event.properties));
        }
        node
    }

    fn key(&mut self, event: &Event, target: Option<usize>) -> Scan<()> {
        let value = self.next_id();
        let mut text = event.text;
        let mut string = event.style != Style::Plain || event.tag == Tag::Str;
        if let Some(found) = target {
            let Target { node, key, .. } = self.targets[found];
            let anchored = self.nodes.get(node as usize);
            (text, string) = match (key, anchored) {
                (Some(key), _) => key,
                (None, Some(node)) if node.kind == Kind::Scalar => {
                    (node.text, node.style != Style::Plain || node.tag == Tag::Str)
                }
                _ => return Err(bad_key(event.start.line, "map")),
            };
        }
        let odd = match event.tag {
            Tag::None | Tag::Str | Tag::Merge => !string && !is_plain_string(self.text(text)),
            Tag::Binary => false,
            _ => true,
        };
        self.register(event, value, 1, Some((text, string)));
        let span = Span { start: event.start.index, end: event.end };
        self.note_key(event, text);
        let merge = !string && self.documents.len() == 1 && self.text(text) == b"<<";
        let Some(frame) = self.frames.last_mut() else { return Ok(()) };
        let mut key = Key { span, text, odd, foot: false, merge };
        let (flow, previous) = (frame.flow, frame.previous);
        if event.commented {
            if !self.parser.comments.head.is_empty() {
                self.assign(value, Slot::KeyHead, |comments| &comments.head);
            }
            if !self.parser.comments.line.is_empty() {
                self.assign(value, Slot::KeyLine, |comments| &comments.line);
            }
            if !self.parser.comments.foot.is_empty() {
                match previous {
                    // Dedented: the foot of the pair before.
                    Some(previous) if !flow => {
                        self.assign(previous, Slot::KeyFoot, |comments| &comments.foot);
                    }
                    _ => key.foot = self.assign(value, Slot::KeyFoot, |comments| &comments.foot),
                }
            }
        }
        if let Some(frame) = self.frames.last_mut() {
            frame.key = Some(key);
        }
        Ok(())
    }

    fn note_key(&mut self, event: &Event, text: Span) {
        // go-yaml looks for duplicates in the first document only, and tells an
        // alias from the text that it stands for.
        if self.documents.len() == 1 {
            let alias = event.kind == EventKind::Alias;
            let text = if alias { event.text } else { text };
            let hash = hash(self.text(text), u64::from(alias));
            self.keys.push(SeenKey { hash, text, start: event.start.index });
        }
    }

    fn open(&mut self, event: &Event) -> Scan<()> {
        let map = event.kind == EventKind::MappingStart;
        if self.frames.last().is_some_and(|frame| frame.map && frame.key.is_none()) {
            return Err(bad_key(event.start.line, if map { "map" } else { "seq" }));
        }
        let mut node = self.blank_node(event, if map { Kind::Map } else { Kind::List });
        if !event.properties.tag.is_empty() {
            node.tag = Tag::Collection;
        }
        node.span.end = node.span.start;
        let id = self.next_id();
        let flow = event.style == Style::Flow;
        let line_or_foot = event.commented && !self.parser.comments.line.is_empty();
        self.frames.push(Frame {
            id,
            flow,
            map,
            metadata: node.flags.has(Flags::METADATA),
            line_or_foot,
            indent: if flow { node.indent } else { event.start.column as i32 },
            key: None,
            previous: None,
            first_key: self.keys.len(),
            target: None,
            decodes: self.decodes.total,
        });
        self.decodes.total = self.decodes.total.saturating_add(1);
        self.nodes.push(node);
        let target = self.register(event, id, 0, None);
        if let Some(frame) = self.frames.last_mut() {
            frame.target = target;
        }
        if event.commented {
            self.node_comments(id);
        }
        Ok(())
    }

    fn close(&mut self, event: &Event) -> Scan<()> {
        let Some(frame) = self.frames.pop() else { return Ok(()) };
        if frame.map {
            self.check_duplicates(frame.first_key)?;
        }
        if frame.flow && event.end > event.start.index {
            self.end = event.end;
        }
        let end = self.next_id();
        let node = &mut self.nodes[frame.id as usize];
        node.end = end;
        node.span.end = self.end.max(node.span.start);
        if let Some(target) = frame.target {
            self.targets[target].weight = self.decodes.total - frame.decodes;
        }
        let commented = event.commented;
        if frame.line_or_foot {
            self.clear_slot(frame.id, Slot::Line);
        }
        if commented && !self.parser.comments.line.is_empty() {
            self.assign(frame.id, Slot::Line, |comments| &comments.line);
        }
        if let Some(last) = frame.previous.filter(|_| !frame.flow && commented) {
            // The foot of a block mapping is its last key's.
            if !self.parser.comments.foot.is_empty() {
                self.assign(last, Slot::KeyFoot, |comments| &comments.foot);
            }
            return self.complete(frame.id, false, |comments| &comments.foot);
        }
        self.complete(frame.id, commented, |comments| &comments.foot)
    }

    fn register(
        &mut self,
        event: &Event,
        node: NodeId,
        weight: u64,
        key: Option<(Span, bool)>,
    ) -> Option<usize> {
        if event.properties.anchor.is_empty() {
            return None;
        }
        let mut span = event.properties.anchor;
        span.start += 1;
        if self.targets.is_empty() {
            let rest = &self.parser.scanner.source[span.range().start..];
            self.targets.reserve_exact(search::memchr_iter(b'&', rest).count() + 1);
        }
        self.targets.push(Target { node, weight, key });
        let found = self.targets.len() - 1;
        self.anchors.insert(&self.parser.scanner.source[span.range()], found);
        Some(found)
    }

    /// The target of an alias.
    fn resolve(&mut self, event: &Event) -> Scan<usize> {
        let line = event.start.line;
        let Some(&found) = self.anchors.get(&self.parser.scanner.source[event.text.range()]) else {
            return Err(fault(line, "unknown anchor referenced"));
        };
        let weight = self.targets[found].weight;
        if weight == 0 {
            return Err(fault(line, "anchor value contains itself"));
        }
        self.decodes.total = self.decodes.total.saturating_add(weight);
        self.decodes.aliased = self.decodes.aliased.saturating_add(weight);
        if self.decodes.excessive() {
            return Err(fault(line, "document contains excessive aliasing"));
        }
        Ok(found)
    }
}

/// The offset behind the line of a `---` that ends at `at`, or `at` if there is
/// content on it.
fn behind_marker_line(source: &[u8], at: usize) -> usize {
    let rest = &source[at..];
    let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    match rest.get(blanks) {
        None | Some(b'\n' | b'\r' | b'#') => {
            let Some(found) = find_break(rest) else { return source.len() };
            at + found + line_break(source, at + found)
        }
        _ => at,
    }
}
