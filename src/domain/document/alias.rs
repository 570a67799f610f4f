//! Aliases. SOPS reads an alias as a full copy of what it refers to, at the
//! alias's own path; so do the MAC and the rules.

use super::walk::Walk;
use crate::domain::tree::{Kind, NodeId, Properties, Tree};

/// The node that `alias` refers to.
pub fn target(tree: &Tree<'_>, alias: NodeId) -> NodeId {
    tree.node(alias).text.start
}

/// Sees a node of a copy, and its associated data there.
type Visit<'v, E> = &'v mut dyn FnMut(NodeId, &[u8]) -> Result<(), E>;

/// Calls `visit` for every scalar of the copy that `alias`, at `aad`, stands
/// for, in SOPS's order, with the scalar's associated data. The reader refuses
/// aliases that contain themselves and those that grow out of proportion.
pub fn each_leaf<E>(tree: &Tree<'_>, alias: NodeId, aad: &[u8], visit: Visit<'_, E>) -> Result<(), E> {
    each_part(tree, alias, aad, &mut |id, aad| match tree.node(id).kind {
        Kind::Scalar => visit(id, aad),
        _ => Ok(()),
    })
}

/// As [`each_leaf`], but also for the comments inside the copy.
pub fn each_part<E>(tree: &Tree<'_>, alias: NodeId, aad: &[u8], visit: Visit<'_, E>) -> Result<(), E> {
    let target = target(tree, alias);
    let mut walk = Walk::below(tree, target, aad);
    for id in target..tree.node(target).end {
        let aad = if id == target { aad } else { walk.enter(tree, id) };
        match tree.node(id).kind {
            Kind::Scalar | Kind::Comment => visit(id, aad)?,
            Kind::Alias => {
                let aad = aad.to_vec();
                each_part(tree, id, &aad, visit)?;
            }
            Kind::Map | Kind::List => {}
        }
    }
    Ok(())
}

/// Which nodes carry which anchor.
#[derive(Debug)]
pub struct Anchors<'s> {
    /// Names with their nodes, ascending.
    named: Vec<(&'s [u8], NodeId)>,
}

impl<'s> Anchors<'s> {
    /// The anchors of `tree`.
    pub fn of(tree: &Tree<'s>) -> Self {
        let name = |(node, properties): &(NodeId, Properties)| {
            Some((tree.raw(properties.anchor).strip_prefix(b"&")?, *node))
        };
        let mut named: Vec<_> = tree.properties.iter().filter_map(name).collect();
        named.sort_unstable();
        Self { named }
    }

    /// The node that an alias at `id` to `name` refers to: the last one before it.
    pub fn before(&self, id: NodeId, name: &[u8]) -> Option<NodeId> {
        let before = self.named.partition_point(|anchor| *anchor < (name, id));
        self.named[..before].last().filter(|(found, _)| *found == name).map(|(_, node)| *node)
    }
}
