//! Steps through a tree while keeping the path of the current node: as
//! associated data (sops-compat 2.1) and in index syntax (sops-compat 10.4).

use std::collections::HashMap;

use crate::domain::tree::{Kind, NodeId, Tree};

/// The path of the node that was entered last.
#[derive(Debug, Default)]
pub struct Walk {
    aad: Vec<u8>,
    frames: Vec<Frame>,
}

#[derive(Debug)]
struct Frame {
    id: NodeId,
    end: NodeId,
    /// Length of the associated data of the container itself.
    length: usize,
    /// Elements entered so far.
    count: usize,
}

impl Walk {
    /// A walk over the inside of `container` as a copy at `aad`: what an alias
    /// stands for.
    pub fn below(tree: &Tree<'_>, container: NodeId, aad: &[u8]) -> Self {
        let end = tree.node(container).end;
        let frame = Frame { id: container, end, length: aad.len(), count: 0 };
        Self { aad: aad.to_vec(), frames: vec![frame] }
    }

    /// Enters `id` and returns its associated data. All nodes but comments must
    /// be entered, in the order of the table.
    pub fn enter(&mut self, tree: &Tree<'_>, id: NodeId) -> &[u8] {
        while self.frames.last().is_some_and(|frame| frame.end <= id) {
            self.frames.pop();
        }
        let node = tree.node(id);
        if let Some(frame) = self.frames.last_mut() {
            frame.count += 1;
            self.aad.truncate(frame.length);
            if tree.node(frame.id).kind == Kind::Map && node.kind != Kind::Comment {
                self.aad.extend_from_slice(tree.text(node.key_text));
                self.aad.push(b':');
            }
        } else if node.parent == id {
            self.aad.clear();
        }
        if matches!(node.kind, Kind::Map | Kind::List) {
            self.frames.push(Frame { id, end: node.end, length: self.aad.len(), count: 0 });
        }
        &self.aad
    }

    /// The path of the leaf that was entered last, in index syntax; list indices
    /// count values only. The key of the table of spellings.
    pub fn spelling_path(&self, tree: &Tree<'_>, id: NodeId) -> String {
        let mut path = document_mark(tree, id);
        let inner = self.frames.iter().skip(1).map(|frame| frame.id);
        let keyed = inner.chain((!self.frames.iter().any(|frame| frame.id == id)).then_some(id));
        for (frame, child) in self.frames.iter().zip(keyed) {
            if tree.node(frame.id).kind == Kind::List {
                path.push_str(&format!("[{}]", frame.count.saturating_sub(1)));
            } else {
                push_key(tree, child, &mut path);
            }
        }
        path
    }

    /// The associated data of a comment that hangs on `container`, appended to `out`.
    pub fn comment_aad(&self, tree: &Tree<'_>, container: NodeId, out: &mut Vec<u8>) {
        out.clear();
        match self.frames.iter().rfind(|frame| frame.id == container) {
            Some(frame) => out.extend_from_slice(&self.aad[..frame.length]),
            None => append_aad(tree, container, out),
        }
        if out.is_empty() {
            out.push(b':');
        }
    }
}

/// The keys from the root down to `id`.
fn lineage(tree: &Tree<'_>, mut id: NodeId) -> Vec<NodeId> {
    let mut nodes = vec![id];
    while tree.node(id).parent != id {
        id = tree.node(id).parent;
        nodes.push(id);
    }
    nodes.reverse();
    nodes
}

/// Appends the associated data of `id`, found by climbing.
pub fn append_aad(tree: &Tree<'_>, id: NodeId, out: &mut Vec<u8>) {
    for ancestor in lineage(tree, id) {
        if tree.has_key(ancestor) {
            out.extend_from_slice(tree.key(ancestor));
            out.push(b':');
        }
    }
}

/// The path of `id` in index syntax, `["a"]["b"][0]`, for messages; documents
/// behind the first are marked `---1`. List indices count the comments between
/// the elements, as SOPS's do.
pub fn index_path(tree: &Tree<'_>, id: NodeId) -> String {
    IndexPaths::new(tree).of(id)
}

/// The same path as [`Walk::spelling_path`], found by climbing.
pub fn spelling_path(tree: &Tree<'_>, id: NodeId) -> String {
    climbed_path(tree, id, |list, item| {
        let before = tree.children(list).take_while(|&sibling| sibling != item);
        before.filter(|&sibling| tree.node(sibling).kind != Kind::Comment).count()
    })
}

/// [`index_path`] of many nodes: what was counted of a list for one of them is not
/// counted again for the next one behind it.
#[derive(Debug)]
pub struct IndexPaths<'t, 's> {
    tree: &'t Tree<'s>,
    /// The element of a list that was asked for last, and its index.
    counted: HashMap<NodeId, (NodeId, usize)>,
}

impl<'t, 's> IndexPaths<'t, 's> {
    /// Of the nodes of `tree`.
    pub fn new(tree: &'t Tree<'s>) -> Self {
        Self { tree, counted: HashMap::new() }
    }

    /// The path of `id`.
    pub fn of(&mut self, id: NodeId) -> String {
        let Self { tree, counted } = self;
        climbed_path(tree, id, |list, item| {
            let known = counted.get(&list).filter(|(known, _)| *known <= item);
            let (mut at, mut index) = known.copied().unwrap_or((list + 1, 0));
            while at < item {
                (at, index) = (tree.node(at).end, index + 1);
            }
            counted.insert(list, (item, index));
            index
        })
    }
}

/// The path of `id`; `index` tells that of an element in its list.
fn climbed_path(tree: &Tree<'_>, id: NodeId, mut index: impl FnMut(NodeId, NodeId) -> usize) -> String {
    let mut path = document_mark(tree, id);
    for pair in lineage(tree, id).windows(2) {
        let (parent, child) = (pair[0], pair[1]);
        if tree.node(child).kind == Kind::Comment {
            path.push('#');
        } else if tree.node(parent).kind == Kind::List {
            path.push_str(&format!("[{}]", index(parent, child)));
        } else {
            push_key(tree, child, &mut path);
        }
    }
    path
}

fn push_key(tree: &Tree<'_>, id: NodeId, path: &mut String) {
    path.push_str("[\"");
    path.push_str(&String::from_utf8_lossy(tree.key(id)));
    path.push_str("\"]");
}

fn document_mark(tree: &Tree<'_>, id: NodeId) -> String {
    match tree.document_of(id) {
        0 => String::new(),
        document => format!("---{document}"),
    }
}
