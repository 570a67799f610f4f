//! What happened to the ciphertexts of a file since its last commit: encrypting
//! never moves one to another key path, and never keeps a nonce for another text.

use std::collections::{HashMap, HashSet};

use super::ciphertext::{Place, digest, sound};
use super::encrypted::Encrypted;
use super::findings::{Finding, Findings};
use super::kinds::Kind;
use crate::domain::crypto::token::Token;
use crate::domain::document::walk::Walk;
use crate::domain::metadata::MasterKey;
use crate::domain::tree::{self, NodeId};

/// A value's token, and a digest of its key path.
struct Held<'t> {
    id: NodeId,
    token: Token<'t>,
    path: u64,
}

/// Compares a file with its former state.
pub fn history(former: &Encrypted<'_>, file: &Encrypted<'_>) -> Vec<Finding> {
    let mut by_nonce: HashMap<&[u8], Vec<Held<'_>>> = HashMap::new();
    for held in tokens(former) {
        by_nonce.entry(held.token.iv).or_default().push(held);
    }
    // SOPS keeps nonces when it gives a file a new data key.
    let same_key = shares_a_wrapped_key(former, file);
    let mut findings = Findings::default();
    for held in tokens(file) {
        let Some(before) = by_nonce.get(held.token.iv) else { continue };
        let same_text = |it: &&Held<'_>| (it.token.data, it.token.tag) == (held.token.data, held.token.tag);
        if before.iter().any(|it| same_text(&it) && it.path == held.path) {
            continue;
        }
        if before.iter().any(|it| same_text(&it)) {
            let message = || "this ciphertext stood at another key path in the last commit".to_owned();
            findings.at_node(Kind::MovedCiphertext, file.as_read(), held.id, message);
        } else if same_key {
            let message = || "this ciphertext has the nonce of the one in the last commit, and another text";
            findings.at_node(Kind::EditedCiphertext, file.as_read(), held.id, || message().to_owned());
        }
    }
    findings.finish()
}

/// The tokens of values, but for comments: SOPS hangs those on other containers.
fn tokens<'t>(file: &'t Encrypted<'_>) -> Vec<Held<'t>> {
    let tree = &file.tree;
    let mut walk = Walk::default();
    let mut tokens = Vec::new();
    for (id, node) in file.data() {
        if node.kind == tree::Kind::Comment {
            continue;
        }
        let path = digest(walk.enter(tree, id));
        if node.kind != tree::Kind::Scalar {
            continue;
        }
        if let Ok(token) = sound(tree.text(node.text), Place::Element)
            && token.kind != b"comment"
        {
            tokens.push(Held { id, token, path });
        }
    }
    tokens
}

/// True when a wrapped key is the same in both: then so is the data key.
fn shares_a_wrapped_key(former: &Encrypted<'_>, file: &Encrypted<'_>) -> bool {
    let before: HashSet<&str> = former.metadata.keys().map(MasterKey::enc).collect();
    file.metadata.keys().any(|key| !key.enc().is_empty() && before.contains(key.enc()))
}
