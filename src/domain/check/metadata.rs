//! The `sops` block itself: its MAC, its rule, and its copies in the documents of
//! a YAML file.

use super::ciphertext::{self, Place};
use super::encrypted::{Encrypted, metadata_line};
use super::findings::{Finding, Findings};
use super::kinds::Kind;
use crate::domain::crypto::cipher;
use crate::domain::crypto::token::Token;
use crate::domain::document::spelling;
use crate::domain::select::RuleKind;
use crate::domain::tree::{self, Flags, NodeId, Tree};

/// Characters of a SHA-512 in hexadecimal, which is what the MAC's token holds.
const MAC_LENGTH: usize = 128;

/// Looks at the block.
pub(super) fn check(file: &Encrypted<'_>, findings: &mut Findings) {
    let tree = &file.tree;
    let metadata = &file.metadata;
    if let Some(message) = bad_mac(&metadata.mac) {
        let line = field(tree, "mac").map(|id| tree.line(tree.node(id).span.start));
        findings.push(Finding::of_file(Kind::BadMac, message).at_line(line.or_else(|| metadata_line(tree))));
    }
    if let Some(source) = &metadata.source
        && let Err(message) = ciphertext::sound(source.as_bytes(), Place::Value)
    {
        let line = field(tree, spelling::FIELD).map(|id| tree.line(tree.node(id).span.start));
        findings.push(Finding::of_file(Kind::MalformedCiphertext, message).at_line(line));
    }
    if let Some(error) = metadata.selection.broken() {
        let message = format!("the pattern of its rule does not compile, so it never matches: {error}");
        findings.push(Finding::of_file(Kind::BrokenMetadata, message).at_line(metadata_line(tree)));
    }
    if let Some(line) = other_rule(tree) {
        let message = "this document has another rule than the first, whose rule decides";
        findings.push(Finding::of_file(Kind::TwoRules, message).at_line(Some(line)));
    }
}

/// What is wrong with the token of a MAC.
fn bad_mac(mac: &str) -> Option<String> {
    if mac.is_empty() {
        return Some("the file has no MAC".to_owned());
    }
    let token = Token::parse(mac.as_bytes())?;
    match ciphertext::sound(mac.as_bytes(), Place::Value) {
        Err(message) => Some(format!("the MAC is damaged: {message}")),
        Ok(_) => match cipher::lengths(&token) {
            Ok(lengths) if lengths.data == MAC_LENGTH => None,
            _ => Some(format!("the MAC is none: it does not hold {MAC_LENGTH} digits")),
        },
    }
}

/// The name of a field of the block, in every format.
fn name<'t>(tree: &'t Tree<'_>, id: NodeId) -> &'t [u8] {
    let key = tree.key(id);
    key.strip_prefix(b"sops_").unwrap_or(key)
}

/// The first field of the block of this name.
fn field(tree: &Tree<'_>, wanted: &str) -> Option<NodeId> {
    fields(tree).find(|id| name(tree, *id) == wanted.as_bytes())
}

fn fields<'t>(tree: &'t Tree<'_>) -> impl Iterator<Item = NodeId> + 't {
    let nodes = tree.nodes.iter().enumerate();
    let fields = nodes.filter(|(_, node)| node.flags.has(Flags::METADATA) && node.kind == tree::Kind::Scalar);
    fields.map(|(id, _)| id as NodeId)
}

/// The fields that are selection rules.
fn rules<'t>(tree: &'t Tree<'_>) -> impl Iterator<Item = NodeId> + 't {
    let is_rule = |id: &NodeId| {
        let name = name(tree, *id);
        let node = tree.node(*id);
        RuleKind::ALL.iter().any(|kind| kind.name().as_bytes() == name) && !tree.text(node.text).is_empty()
    };
    fields(tree).filter(is_rule)
}

/// The line of the second rule of the block.
pub(super) fn second_rule(tree: &Tree<'_>) -> Option<usize> {
    rules(tree).nth(1).map(|id| tree.line(tree.node(id).span.start))
}

/// The line of a rule in a later document that the first has not got.
fn other_rule(tree: &Tree<'_>) -> Option<usize> {
    let second = tree.documents.get(1)?.root;
    let same = |one: NodeId, other: NodeId| {
        tree.key(one) == tree.key(other) && tree.text(tree.node(one).text) == tree.text(tree.node(other).text)
    };
    let first: Vec<NodeId> = rules(tree).take_while(|id| *id < second).collect();
    let other = rules(tree).find(|id| *id > second && !first.iter().any(|known| same(*known, *id)))?;
    Some(tree.line(tree.node(other).span.start))
}
