//! Values that a merge of rules would leave in clear, although they were encrypted
//! wherever they come from.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use crate::domain::document::walk::IndexPaths;
use crate::domain::select::{Selection, Stage};
use crate::domain::store::{Format, Purpose};
use crate::domain::tree::{Flags, Kind, NodeId, Tree};

/// The key paths of the values and comments of `plain` that `selection` leaves in clear
/// and no side does: of comments, what they stand in. The sides are plain texts with
/// the rules that they are encrypted by, if they are.
pub fn exposed(
    format: Format,
    plain: &[u8],
    selection: &Selection,
    sides: &[(&[u8], Option<&Selection>)],
) -> Vec<String> {
    let is_theirs =
        |rules: &Option<&Selection>| rules.is_some_and(|it| it.settings() == selection.settings());
    if format == Format::Binary || sides.iter().all(|(_, rules)| is_theirs(rules)) {
        return Vec::new();
    }
    let hasher = RandomState::new();
    let mut clear: HashSet<u64> = HashSet::new();
    for (text, rules) in sides {
        let Ok(mut tree) = format.store().read(text, Purpose::Encrypt) else { continue };
        if let Some(rules) = rules {
            rules.mark(&mut tree, Stage::Plain);
        }
        clear.extend(in_clear(&tree, format).map(|id| fingerprint(&tree, id, &hasher)));
    }
    let Ok(mut tree) = format.store().read(plain, Purpose::Encrypt) else { return Vec::new() };
    selection.mark(&mut tree, Stage::Plain);
    let mut index = IndexPaths::new(&tree);
    let mut paths: Vec<String> = in_clear(&tree, format)
        .filter(|&id| !clear.contains(&fingerprint(&tree, id, &hasher)))
        .map(|id| match tree.node(id).kind {
            Kind::Comment => index.of(tree.node(id).parent),
            _ => index.of(id),
        })
        .collect();
    paths.dedup();
    paths
}

/// The values and comments that are stored in clear, empty ones aside.
fn in_clear<'a>(tree: &'a Tree<'a>, format: Format) -> impl Iterator<Item = NodeId> + 'a {
    (0..tree.nodes.len() as NodeId).filter(move |&id| {
        let node = tree.node(id);
        let is_leaf = match node.kind {
            Kind::Scalar => format.store().scalar(tree, id).type_name().is_some(),
            Kind::Comment => true,
            Kind::Map | Kind::List | Kind::Alias => false,
        };
        is_leaf && !node.flags.has(Flags::SELECTED) && !tree.text(node.text).is_empty()
    })
}

/// A number for a value or comment and the keys that lead to it; the places in lists do
/// not count.
fn fingerprint(tree: &Tree<'_>, id: NodeId, hasher: &RandomState) -> u64 {
    let mut keys = Vec::new();
    let mut at = id;
    while tree.node(at).parent != at {
        keys.push(tree.key(at));
        at = tree.node(at).parent;
    }
    hasher.hash_one((keys, tree.text(tree.node(id).text)))
}
