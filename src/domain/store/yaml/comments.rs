//! Comments laid into the node table where SOPS puts them among the items of a
//! map or list (its flattening of go-yaml's head, line and foot comments), one
//! node a line. What go-yaml loses goes before the next node, in its container.

use std::ops::Range;

use super::remarks::RemarkLine;
use crate::domain::tree::{Document, Flags, Kind, Node, NodeId, Properties, Span, Style, Tag};

/// Where a comment stands at a node or its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Slot {
    DocumentHead,
    /// Lost by go-yaml.
    Lost,
    KeyHead,
    KeyLine,
    Head,
    Line,
    Foot,
    KeyFoot,
    /// Before the metadata that encryption adds.
    Tail,
    DocumentFoot,
}

/// The comment in one slot of one node: a range of the list of assigned lines.
/// A later assignment of the same slot replaces it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Assignment {
    pub(super) node: NodeId,
    pub(super) slot: Slot,
    pub(super) first: u32,
    pub(super) last: u32,
}

/// Where a slot's lines go, seen from its node.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Before,
    Inside,
    InsideLast,
    Behind,
}

/// A table without comments, and where they belong.
pub(super) struct Bare {
    pub(super) nodes: Vec<Node>,
    pub(super) properties: Vec<(NodeId, Properties)>,
    pub(super) documents: Vec<Document>,
    pub(super) assignments: Vec<Assignment>,
    pub(super) assigned: Vec<u32>,
    pub(super) lines: Vec<RemarkLine>,
    /// The assignments are sorted, one a slot, and hold every line.
    pub(super) settled: bool,
}

/// A table with its comments.
pub(super) struct Dressed {
    pub(super) nodes: Vec<Node>,
    pub(super) properties: Vec<(NodeId, Properties)>,
    pub(super) documents: Vec<Document>,
}

impl Bare {
    /// Lays the comments into the table.
    pub(super) fn dress(mut self) -> Dressed {
        if self.lines.is_empty() || self.nodes.is_empty() {
            let Self { nodes, properties, documents, .. } = self;
            return Dressed { nodes, properties, documents };
        }
        if !self.settled {
            self.settle();
            self.find_lost();
        }
        self.lay()
    }

    /// Sorts the assignments by node and slot; of several in one slot the last holds.
    pub(super) fn settle(&mut self) {
        self.assignments.sort_by_key(|assignment| (assignment.node, assignment.slot));
        self.assignments.reverse();
        self.assignments.dedup_by_key(|assignment| (assignment.node, assignment.slot));
        self.assignments.reverse();
    }

    /// Assigns the lines that are in no slot: before the node that follows them.
    pub(super) fn find_lost(&mut self) {
        let mut held = vec![false; self.lines.len()];
        for assignment in &self.assignments {
            for &line in &self.assigned[assignment.first as usize..assignment.last as usize] {
                held[line as usize] = true;
            }
        }
        let before = self.assignments.len();
        for (line, _) in held.iter().enumerate().filter(|(_, held)| !**held) {
            let (node, slot) = self.place_of_lost(self.lines[line].span.start);
            let first = self.assigned.len() as u32;
            self.assigned.push(line as u32);
            self.assignments.push(Assignment { node, slot, first, last: first + 1 });
        }
        if self.assignments.len() > before {
            self.assignments.sort_by_key(|assignment| (assignment.node, assignment.slot));
        }
    }

    fn place_of_lost(&self, at: u32) -> (NodeId, Slot) {
        let start = |node: &Node| if node.key.is_empty() { node.span.start } else { node.key.start };
        let next = self.nodes.partition_point(|node| start(node) <= at);
        match self.nodes.get(next) {
            Some(node) if node.parent as usize == next => (next as NodeId, Slot::DocumentHead),
            Some(_) => (next as NodeId, Slot::Lost),
            None => (self.documents.last().map_or(0, |document| document.root), Slot::DocumentFoot),
        }
    }

    /// The comments take their places among the nodes in two walks: one that counts,
    /// so that every node can move up, and one that fills the gaps.
    fn lay(mut self) -> Dressed {
        let count = self.nodes.len();
        let mut layer = Layer {
            ids: vec![0; count],
            ends: vec![0; count],
            open: Vec::new(),
            cursor: 0,
            next: 0,
            moved: false,
        };
        layer.walk(&mut self);
        self.nodes.resize(layer.next as usize, self.nodes[0]);
        for id in (0..count).rev() {
            self.nodes[layer.ids[id] as usize] = self.nodes[id];
        }
        (layer.cursor, layer.next, layer.moved) = (0, 0, true);
        layer.walk(&mut self);
        layer.finish(self)
    }
}

/// Puts comments into the table.
struct Layer {
    /// Old to new node ids.
    ids: Vec<NodeId>,
    /// The same of their ends.
    ends: Vec<NodeId>,
    /// Nodes that are not complete: id, end, and their assignments.
    open: Vec<(NodeId, NodeId, Range<usize>)>,
    cursor: usize,
    /// The new id of what comes next.
    next: NodeId,
    /// The nodes are at their new places.
    moved: bool,
}

impl Layer {
    fn walk(&mut self, bare: &mut Bare) {
        let count = self.ids.len() as NodeId;
        for id in 0..count {
            self.close(bare, id);
            let first = self.cursor;
            while bare.assignments.get(self.cursor).is_some_and(|assignment| assignment.node == id) {
                self.cursor += 1;
            }
            let group = first..self.cursor;
            let node = *self.node(bare, id);
            self.put(bare, group.clone(), Side::Before, node.parent);
            self.ids[id as usize] = self.next;
            self.next += 1;
            if group.is_empty() && node.end == id + 1 {
                self.ends[id as usize] = self.next;
                continue;
            }
            self.put(bare, group.clone(), Side::Inside, id);
            self.open.push((id, node.end, group));
        }
        self.close(bare, count);
    }

    /// The node of old `id`, which still names other nodes by their old ids.
    fn node<'b>(&self, bare: &'b Bare, id: NodeId) -> &'b Node {
        &bare.nodes[if self.moved { self.ids[id as usize] } else { id } as usize]
    }

    /// Completes all nodes that end before `next`.
    fn close(&mut self, bare: &mut Bare, next: NodeId) {
        while let Some((id, _, group)) = self.open.pop_if(|(_, end, _)| *end <= next) {
            self.put(bare, group.clone(), Side::InsideLast, id);
            self.ends[id as usize] = self.next;
            let parent = self.node(bare, id).parent;
            self.put(bare, group, Side::Behind, parent);
        }
    }

    /// Writes the lines of the assignments in `group` that are on `side`.
    fn put(&mut self, bare: &mut Bare, group: Range<usize>, side: Side, parent: NodeId) {
        for at in group {
            let assignment = bare.assignments[at];
            if self.side(bare, &assignment) != side {
                continue;
            }
            if !self.moved {
                self.next += assignment.last - assignment.first;
                continue;
            }
            let owner = self.node(bare, parent);
            let first = self.ids.get(parent as usize + 1).map(|_| self.node(bare, parent + 1));
            let indent =
                first.filter(|first| first.parent == parent).map_or(owner.indent, |first| first.indent);
            let mut flags = Flags::default();
            if owner.flags.has(Flags::METADATA) {
                flags.set(Flags::METADATA);
            }
            if owner.style == Style::Flow {
                flags.set(Flags::IN_FLOW);
            }
            if assignment.slot == Slot::Lost {
                flags.set(Flags::LOST);
            }
            for line in assignment.first..assignment.last {
                let line = bare.lines[bare.assigned[line as usize] as usize];
                bare.nodes[self.next as usize] = Node {
                    kind: Kind::Comment,
                    style: if line.inline { Style::Inline } else { Style::OwnLine },
                    tag: Tag::None,
                    flags,
                    parent: self.ids[parent as usize],
                    end: self.next + 1,
                    key: Span::default(),
                    key_text: Span::default(),
                    span: line.span,
                    text: Span { start: line.span.start + 1, end: line.span.end },
                    indent,
                };
                self.next += 1;
            }
        }
    }

    fn side(&self, bare: &Bare, assignment: &Assignment) -> Side {
        let node = self.node(bare, assignment.node);
        let root = node.parent == assignment.node;
        let collection = matches!(node.kind, Kind::Map | Kind::List);
        let wraps = root || (collection && self.node(bare, node.parent).kind == Kind::Map);
        match assignment.slot {
            Slot::DocumentHead => Side::Inside,
            Slot::Tail | Slot::DocumentFoot => Side::InsideLast,
            Slot::Lost | Slot::KeyHead | Slot::KeyLine => Side::Before,
            Slot::Head | Slot::Line if wraps => Side::Inside,
            Slot::Head | Slot::Line => Side::Before,
            Slot::Foot if wraps => Side::InsideLast,
            Slot::Foot | Slot::KeyFoot => Side::Behind,
        }
    }

    /// Names the nodes by their new ids.
    fn finish(self, bare: Bare) -> Dressed {
        let Bare { mut nodes, mut properties, mut documents, .. } = bare;
        let new = |id: NodeId| self.ids[id as usize];
        for (&id, &end) in self.ids.iter().zip(&self.ends) {
            let node = &mut nodes[id as usize];
            (node.parent, node.end) = (new(node.parent), end);
            if node.kind == Kind::Alias {
                let target = new(node.text.start);
                node.text = Span { start: target, end: target };
            }
        }
        for (id, _) in &mut properties {
            *id = new(*id);
        }
        for document in &mut documents {
            document.root = new(document.root);
        }
        Dressed { nodes, properties, documents }
    }
}
