//! Who can read a file, beside who should by its creation rule.

use super::encrypted::{Encrypted, metadata_line};
use super::findings::Finding;
use super::kinds::Kind;
use super::rulebook::Rule;
use crate::domain::document::walk::index_path;
use crate::domain::keys::access::is_same_holder;
use crate::domain::keys::kinds::KeySpec;
use crate::domain::metadata::MasterKey;
use crate::domain::tree::{self, Flags, NodeId};

/// Compares the keys of a file with its creation rule; `shown` is how a key is
/// shown to people. A rule without keys says nothing.
pub fn recipients(file: &Encrypted<'_>, rule: &Rule, shown: &dyn Fn(&str) -> String) -> Vec<Finding> {
    let Some(groups) = &rule.groups else { return Vec::new() };
    let listed: Vec<Vec<&KeySpec>> =
        groups.iter().map(|group| group.iter().map(|recipient| &recipient.key).collect()).collect();
    let present: Vec<Vec<KeySpec>> =
        file.metadata.groups.iter().map(|group| group.iter().map(MasterKey::spec).collect()).collect();
    let mut findings = Vec::new();
    let mut told: Vec<&KeySpec> = Vec::new();
    for key in present.iter().flatten() {
        if has(listed.iter().flatten().copied(), key) || has(told.iter().copied(), key) {
            continue;
        }
        told.push(key);
        let identity = key.identity();
        let message = format!("{} can read this file, and {} does not list it", shown(&identity), rule.path);
        let found = Finding::of_file(Kind::UnlistedRecipient, message);
        findings.push(match node_of(file, key) {
            Some(id) => {
                let line = file.tree.line(file.tree.node(id).span.start);
                found.at_line(Some(line)).at_key(index_path(&file.tree, id))
            }
            None => found.at_line(metadata_line(&file.tree)).at_key(identity),
        });
    }
    let mut missed: Vec<&KeySpec> = Vec::new();
    for recipient in groups.iter().flatten() {
        if has(present.iter().flatten(), &recipient.key) || has(missed.iter().copied(), &recipient.key) {
            continue;
        }
        missed.push(&recipient.key);
        let message =
            format!("{} cannot read this file, and {} lists it", shown(&recipient.key.identity()), rule.path);
        let found = Finding::of_file(Kind::MissingRecipient, message).at_line(metadata_line(&file.tree));
        findings.push(found.at_key(recipient.path.clone()));
    }
    if findings.is_empty() {
        findings.extend(grouped(file, rule, &present, &listed));
    }
    findings
}

fn has<'k>(mut keys: impl Iterator<Item = &'k KeySpec>, key: &KeySpec) -> bool {
    keys.any(|known| is_same_holder(known, key))
}

/// The field of the metadata that names a key.
fn node_of(file: &Encrypted<'_>, key: &KeySpec) -> Option<NodeId> {
    let tree = &file.tree;
    let wanted = key.text(key.kind.id_field());
    let is_it = |(_, node): &(usize, &tree::Node)| {
        node.flags.has(Flags::METADATA)
            && node.kind == tree::Kind::Scalar
            && tree.text(node.text) == wanted.as_bytes()
    };
    let (id, _) = tree.nodes.iter().enumerate().find(is_it).filter(|_| !wanted.is_empty())?;
    Some(id as NodeId)
}

/// The same keys in other groups, or another number of groups that are needed.
fn grouped(
    file: &Encrypted<'_>,
    rule: &Rule,
    present: &[Vec<KeySpec>],
    listed: &[Vec<&KeySpec>],
) -> Option<Finding> {
    if present.len() < 2 && listed.len() < 2 {
        return None;
    }
    let same = |present: &Vec<KeySpec>, listed: &Vec<&KeySpec>| {
        present.iter().all(|key| has(listed.iter().copied(), key))
            && listed.iter().all(|key| has(present.iter(), key))
    };
    let needed = |threshold: Option<usize>, groups: usize| threshold.unwrap_or(groups);
    let (has, wants) =
        (needed(file.metadata.shamir_threshold, present.len()), needed(rule.threshold, listed.len()));
    let message = if present.len() != listed.len()
        || !present.iter().zip(listed).all(|(present, listed)| same(present, listed))
    {
        format!("its keys are in other groups than {} has", rule.path)
    } else if has != wants {
        format!("{has} of its groups are needed, and {} says {wants}", rule.path)
    } else {
        return None;
    };
    Some(Finding::of_file(Kind::KeyGroupsDiffer, message).at_line(metadata_line(&file.tree)))
}
