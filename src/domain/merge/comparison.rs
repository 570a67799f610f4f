//! When two subtrees of two files hold the same, whatever they look like.

use std::hash::{BuildHasher, Hash, Hasher, RandomState};

use crate::domain::scalar::Scalar;
use crate::domain::store::Store;
use crate::domain::tree::{Kind, NodeId, Span, Tree};

/// A plain file that takes part in a merge.
#[derive(Clone, Copy)]
pub(super) struct View<'t, 's> {
    /// Its store.
    pub(super) store: &'static dyn Store,
    /// Its nodes.
    pub(super) tree: &'t Tree<'s>,
}

/// Whether comments count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compare {
    /// Values only.
    Data,
    /// Values and comments.
    All,
}

impl<'t, 's> View<'t, 's> {
    /// The bytes of `span`.
    pub(super) fn raw(&self, span: Span) -> &'s [u8] {
        self.tree.raw(span)
    }

    /// The values that stand directly in `id`.
    pub(super) fn values(&self, id: NodeId) -> Vec<NodeId> {
        self.tree.children(id).filter(|&child| self.tree.node(child).kind != Kind::Comment).collect()
    }

    /// The nodes of the subtree of `id`.
    fn nodes(&self, id: NodeId, compare: Compare) -> impl Iterator<Item = NodeId> + '_ {
        let counts = move |id: &NodeId| compare == Compare::All || self.tree.node(*id).kind != Kind::Comment;
        (id..self.tree.node(id).end).filter(counts)
    }

    /// How deep `id` lies below `root`.
    fn depth(&self, root: NodeId, id: NodeId) -> usize {
        let parents = std::iter::successors(Some(id), |id| Some(self.tree.node(*id).parent));
        parents.take_while(|&id| id != root).count()
    }

    /// What an alias stands for, as far as a merge must keep it: its name, and the keys
    /// that lead to its anchor.
    fn alias(&self, id: NodeId) -> (&'s [u8], Vec<&[u8]>) {
        let node = self.tree.node(id);
        let mut keys = Vec::new();
        let mut at = node.text.start;
        while self.tree.node(at).parent != at {
            keys.push(self.tree.key(at));
            at = self.tree.node(at).parent;
        }
        (self.raw(node.span), keys)
    }

    /// True when the subtrees hold the same under the same keys in the same order; the
    /// keys of the two themselves do not count.
    pub(super) fn same(&self, id: NodeId, other: &View<'_, '_>, other_id: NodeId, compare: Compare) -> bool {
        let mut theirs = other.nodes(other_id, compare);
        for node in self.nodes(id, compare) {
            let Some(found) = theirs.next() else { return false };
            if !self.same_node(node, other, found, node == id)
                || self.depth(id, node) != other.depth(other_id, found)
            {
                return false;
            }
        }
        theirs.next().is_none()
    }

    fn same_node(&self, id: NodeId, other: &View<'_, '_>, other_id: NodeId, is_root: bool) -> bool {
        let (one, two) = (self.tree.node(id), other.tree.node(other_id));
        if one.kind != two.kind || !is_root && self.tree.key(id) != other.tree.key(other_id) {
            return false;
        }
        match one.kind {
            Kind::Map | Kind::List => true,
            Kind::Comment => self.tree.text(one.text) == other.tree.text(two.text),
            Kind::Alias => self.alias(id) == other.alias(other_id),
            Kind::Scalar => self.scalar(id).same(&other.scalar(other_id)),
        }
    }

    fn scalar(&self, id: NodeId) -> Scalar<'t> {
        self.store.scalar(self.tree, id)
    }

    /// A number that is the same for subtrees that hold the same data.
    pub(super) fn hash(&self, id: NodeId, by: &RandomState) -> u64 {
        let mut hasher = by.build_hasher();
        for node in self.nodes(id, Compare::Data) {
            let kind = self.tree.node(node).kind;
            self.depth(id, node).hash(&mut hasher);
            (kind as u8).hash(&mut hasher);
            if node != id {
                self.tree.key(node).hash(&mut hasher);
            }
            match kind {
                Kind::Alias => self.alias(node).hash(&mut hasher),
                Kind::Scalar => {
                    let scalar = self.scalar(node);
                    scalar.type_name().hash(&mut hasher);
                    let mut text = crate::domain::secret::SecretBytes::default();
                    scalar.write_canonical(text.as_mut_vec());
                    text.hash(&mut hasher);
                }
                Kind::Map | Kind::List | Kind::Comment => {}
            }
        }
        hasher.finish()
    }

    /// True when two elements of lists are probably the same one in two states: maps of
    /// which half the entries are the same, or lists of which half the elements are.
    pub(super) fn resembles(&self, id: NodeId, other: &View<'_, '_>, other_id: NodeId) -> bool {
        let (one, two) = (self.tree.node(id), other.tree.node(other_id));
        if one.kind != two.kind || !matches!(one.kind, Kind::Map | Kind::List) {
            return false;
        }
        let (mine, theirs) = (self.values(id), other.values(other_id));
        let is_in = |&&mine: &&NodeId| {
            theirs.iter().any(|&it| {
                self.tree.key(mine) == other.tree.key(it) && self.same(mine, other, it, Compare::Data)
            })
        };
        let common = mine.iter().filter(is_in).count();
        common > 0 && common * 2 >= mine.len().max(theirs.len())
    }
}
