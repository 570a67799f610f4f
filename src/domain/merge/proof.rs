//! The proof of a merge: what was written is read again and compared, value by value,
//! with what the three sides demand. It knows nothing of texts and outlines, so that no
//! mistake in writing can pass.

use std::collections::HashMap;
use std::hash::RandomState;

use super::comparison::{Compare, View};
use super::conflict::{Side, Trio};
use super::sequence;
use crate::domain::tree::{Kind, NodeId};

/// How deep containers are compared entry by entry.
const DEPTH: usize = 200;

const BASE: usize = Side::Base as usize;
const OURS: usize = Side::Ours as usize;
const THEIRS: usize = Side::Theirs as usize;

/// True when `merged` holds what merging `views` must give. `taken` are the nodes of the
/// conflicts with the side that each took.
pub(super) fn holds(
    merged: View<'_, '_>,
    views: &[Option<View<'_, '_>>; 3],
    hasher: &RandomState,
    two_way: bool,
    taken: &[(Trio<NodeId>, Side)],
) -> bool {
    let proof = Proof { merged, views, hasher, two_way, taken };
    let roots = |view: &View<'_, '_>| view.tree.documents.iter().map(|it| it.root).collect::<Vec<_>>();
    let found = roots(&merged);
    let sides = views.each_ref().map(|view| view.as_ref().map(roots));
    let [base, Some(ours), Some(theirs)] = &sides else { return false };
    let counts = [base.as_ref().map_or(ours.len(), Vec::len), ours.len(), theirs.len()];
    if counts.iter().any(|count| *count != counts[OURS]) {
        // Files of several documents that do not match are one conflict.
        let side = taken.first().map(|(_, side)| *side as usize).filter(|_| taken.len() == 1);
        return side.is_some_and(|side| proof.is_copy(&found, side, sides[side].as_deref()));
    }
    found.len() == counts[OURS]
        && (0..found.len()).all(|at| {
            proof.node(Some(found[at]), [base.as_ref().map(|it| it[at]), Some(ours[at]), Some(theirs[at])], 0)
        })
}

struct Proof<'a, 't, 's> {
    merged: View<'t, 's>,
    views: &'a [Option<View<'t, 's>>; 3],
    hasher: &'a RandomState,
    two_way: bool,
    taken: &'a [(Trio<NodeId>, Side)],
}

impl Proof<'_, '_, '_> {
    fn is_copy(&self, found: &[NodeId], side: usize, roots: Option<&[NodeId]>) -> bool {
        let Some((view, roots)) = self.views[side].zip(roots) else { return false };
        found.len() == roots.len()
            && found
                .iter()
                .zip(roots)
                .all(|(&one, &other)| self.merged.same(one, &view, other, Compare::Data))
    }

    /// True when the merged node is what the sides' nodes demand; `None` where there is none.
    fn node(&self, merged: Option<NodeId>, nodes: Trio<NodeId>, depth: usize) -> bool {
        let is = |side: usize| self.equals(merged, nodes, side);
        if let Some((_, side)) = self.taken.iter().find(|(taken, _)| *taken == nodes) {
            return is(*side as usize);
        }
        if self.same(nodes, OURS, THEIRS) {
            return is(OURS);
        }
        if !self.two_way && self.same(nodes, BASE, OURS) && !self.is_above_taken(nodes) {
            return is(THEIRS);
        }
        if !self.two_way && self.same(nodes, BASE, THEIRS) && !self.is_above_taken(nodes) {
            return is(OURS);
        }
        let (Some(id), [base, Some(ours), Some(theirs)]) = (merged, nodes) else { return false };
        let kind = self.merged.tree.node(id).kind;
        let of = |side: usize, node: NodeId| self.views[side].map(|view| view.tree.node(node).kind);
        let same_kind = of(OURS, ours) == Some(kind) && of(THEIRS, theirs) == Some(kind);
        let base = base.filter(|&base| of(BASE, base) == Some(kind));
        match kind {
            Kind::Map | Kind::List if same_kind && depth < DEPTH => {
                self.container(id, [base, Some(ours), Some(theirs)], depth)
            }
            _ => false,
        }
    }

    fn container(&self, merged: NodeId, nodes: Trio<NodeId>, depth: usize) -> bool {
        let values = [0, 1, 2].map(|side| match (self.views[side], nodes[side]) {
            (Some(view), Some(node)) => view.values(node),
            _ => Vec::new(),
        });
        let found = self.merged.values(merged);
        let entries = values.each_ref().map(|values| &values[..]);
        let node_of = |slot: sequence::Slot| [0, 1, 2].map(|side| slot[side].map(|at| values[side][at]));
        if self.merged.tree.node(merged).kind == Kind::Map {
            let names = [0, 1, 2].map(|side| match &self.views[side] {
                Some(view) => sequence::numbered(view, &values[side]),
                None => Vec::new(),
            });
            let keys = sequence::numbered(&self.merged, &found);
            let merged: HashMap<_, NodeId> = keys.into_iter().zip(found.iter().copied()).collect();
            let name = |slot: sequence::Slot| {
                [OURS, THEIRS, BASE].into_iter().find_map(|side| slot[side].map(|at| names[side][at]))
            };
            let mut used = 0;
            let all = sequence::keyed(self.views, entries).slots.into_iter().all(|slot| {
                let at = name(slot).and_then(|name| merged.get(&name).copied());
                used += usize::from(at.is_some());
                self.node(at, node_of(slot), depth + 1)
            });
            return all && used == found.len();
        }
        let slots = match self.two_way {
            true => (0..values[OURS].len()).map(|at| [None, Some(at), Some(at)]).collect(),
            false => sequence::listed(self.views, entries, self.hasher).slots,
        };
        let mut next = found.into_iter().peekable();
        for slot in slots {
            let nodes = node_of(slot);
            let at = if self.stays(nodes) { next.next() } else { None };
            if !self.node(at, nodes, depth + 1) {
                return false;
            }
        }
        next.next().is_none()
    }

    /// True when an element of the sides must be in the merged list.
    fn stays(&self, nodes: Trio<NodeId>) -> bool {
        match self.taken.iter().find(|(taken, _)| *taken == nodes) {
            Some((_, side)) => nodes[*side as usize].is_some(),
            None => {
                matches!(nodes, [_, Some(_), Some(_)] | [None, Some(_), None] | [None, None, Some(_)])
            }
        }
    }

    fn equals(&self, merged: Option<NodeId>, nodes: Trio<NodeId>, side: usize) -> bool {
        match (merged, self.views[side], nodes[side]) {
            (None, _, None) => true,
            (Some(id), Some(view), Some(node)) => self.merged.same(id, &view, node, Compare::Data),
            _ => false,
        }
    }

    /// True when the two sides hold the same, or both hold nothing.
    fn same(&self, nodes: Trio<NodeId>, one: usize, other: usize) -> bool {
        match (nodes[one], nodes[other], self.views[one], self.views[other]) {
            (None, None, ..) => true,
            (Some(node), Some(found), Some(view), Some(against)) => {
                view.same(node, &against, found, Compare::Data)
            }
            _ => false,
        }
    }

    /// True when a conflict lies below: then no side is taken whole.
    fn is_above_taken(&self, nodes: Trio<NodeId>) -> bool {
        let contains = |side: usize, inner: NodeId| {
            self.views[side]
                .zip(nodes[side])
                .is_some_and(|(view, node)| node < inner && inner < view.tree.node(node).end)
        };
        self.taken.iter().any(|(taken, _)| {
            [OURS, THEIRS].into_iter().any(|side| taken[side].is_some_and(|inner| contains(side, inner)))
        })
    }
}
