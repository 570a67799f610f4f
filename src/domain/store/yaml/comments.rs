//! Comments laid into the node table where SOPS puts them among the items of a
//! map or list (its flattening of go-yaml's head, line and foot comments), one
//! node a line. What go-yaml loses goes before the next node, in its container.

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

    fn side(&self, assignment: &Assignment) -> Side {
        let node = &self.nodes[assignment.node as usize];
        let root = node.parent == assignment.node;
        let collection = matches!(node.kind, Kind::Map | Kind::List);
        let wraps = root || (collection && self.nodes[node.parent as usize].kind == Kind::Map);
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

    fn lay(self) -> Dressed {
        let mut layer = Layer {
            out: Vec::with_capacity(self.nodes.len() + self.lines.len()),
            ids: vec![0; self.nodes.len()],
            open: Vec::new(),
            cursor: 0,
        };
        for id in 0..self.nodes.len() as NodeId {
            layer.close(&self, id);
            let first = layer.cursor;
            while self.assignments.get(layer.cursor).is_some_and(|assignment| assignment.node == id) {
                layer.cursor += 1;
            }
            let node = self.nodes[id as usize];
            let group = first..layer.cursor;
            let outer = if node.parent == id { id } else { node.parent };
            layer.put(&self, group.clone(), Side::Before, outer);
            let new = layer.out.len() as NodeId;
            layer.ids[id as usize] = new;
            let parent = layer.ids[node.parent as usize];
            layer.out.push(Node { parent, end: new + 1, ..node });
            if group.is_empty() && node.end == id + 1 {
                continue;
            }
            layer.put(&self, group.clone(), Side::Inside, id);
            layer.open.push((id, node.end, group));
        }
        layer.close(&self, self.nodes.len() as NodeId);
        layer.finish(self)
    }
}

/// The table that is being written.
struct Layer {
    out: Vec<Node>,
    /// Old to new node ids.
    ids: Vec<NodeId>,
    /// Nodes that are not complete: id, end, and their assignments.
    open: Vec<(NodeId, NodeId, std::ops::Range<usize>)>,
    cursor: usize,
}

impl Layer {
    /// Completes all nodes that end before `next`.
    fn close(&mut self, bare: &Bare, next: NodeId) {
        while let Some((id, end, group)) = self.open.last().cloned() {
            if end > next {
                return;
            }
            self.open.pop();
            self.put(bare, group.clone(), Side::InsideLast, id);
            let new = self.ids[id as usize] as usize;
            self.out[new].end = self.out.len() as NodeId;
            self.put(bare, group, Side::Behind, bare.nodes[id as usize].parent);
        }
    }

    /// Writes the lines of the assignments in `group` that are on `side`.
    fn put(&mut self, bare: &Bare, group: std::ops::Range<usize>, side: Side, parent: NodeId) {
        for assignment in &bare.assignments[group] {
            if bare.side(assignment) != side {
                continue;
            }
            let owner = &bare.nodes[parent as usize];
            let first = bare.nodes.get(parent as usize + 1).filter(|first| first.parent == parent);
            let indent = first.map_or(owner.indent, |first| first.indent);
            for &line in &bare.assigned[assignment.first as usize..assignment.last as usize] {
                let line = bare.lines[line as usize];
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
                let id = self.out.len() as NodeId;
                self.out.push(Node {
                    kind: Kind::Comment,
                    style: if line.inline { Style::Inline } else { Style::OwnLine },
                    tag: Tag::None,
                    flags,
                    parent: self.ids[parent as usize],
                    end: id + 1,
                    key: Span::default(),
                    key_text: Span::default(),
                    span: line.span,
                    text: Span { start: line.span.start + 1, end: line.span.end },
                    indent,
                });
            }
        }
    }

    fn finish(mut self, bare: Bare) -> Dressed {
        for node in &mut self.out {
            if node.kind == Kind::Alias {
                let target = self.ids[node.text.start as usize];
                node.text = Span { start: target, end: target };
            }
        }
        let mut properties = bare.properties;
        for (id, _) in &mut properties {
            *id = self.ids[*id as usize];
        }
        let mut documents = bare.documents;
        for document in &mut documents {
            document.root = self.ids[document.root as usize];
        }
        Dressed { nodes: self.out, properties, documents }
    }
}
