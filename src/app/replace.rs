//! Replaces one token in an encrypted file, and nothing else: no plain text of
//! the file is made, and no other leaf is written anew.

use super::Deps;
use super::error::Error;
use super::lock;
use super::open::{Locked, Unlocked};
use crate::domain::crypto::token::is_token;
use crate::domain::document::open::Encrypted;
use crate::domain::document::walk::{Walk, append_aad};
use crate::domain::index::{self, Component, Reached};
use crate::domain::scalar::Scalar;
use crate::domain::secret::SecretBytes;
use crate::domain::store::replace_metadata_field;
use crate::domain::store::splice::{Edit, apply};
use crate::domain::tree::{Flags, Kind, Node, NodeId, Style, Tree};
use crate::domain::value::Value;

/// What became of the attempt to replace one token.
pub enum Replaced<'v> {
    /// It has that value already.
    Unchanged,
    /// The new file, to be proven before it takes the old one's place.
    File(SecretBytes, LeafProof<'v>),
    /// The index does not lead to an encrypted leaf, or more than it changes.
    Elsewhere,
}

/// What a file with one leaf changed must be.
pub struct LeafProof<'v> {
    leaf: NodeId,
    value: &'v Scalar<'v>,
    digest: String,
}

/// Replaces one token in the encrypted file itself, without touching its plain
/// text: one pass over the values gives the old MAC and the new.
pub fn leaf<'v>(
    deps: &Deps<'_>,
    file: &Unlocked<'_>,
    index: &[Component],
    value: &'v Scalar<'v>,
    ignore_mac: bool,
) -> Result<Replaced<'v>, Error> {
    let Locked { tree, store, .. } = &file.locked;
    let Some(document) = tree.documents.first() else { return Ok(Replaced::Elsewhere) };
    let Reached { node: id, depth } = index::reach(tree, document.root, index);
    let node = tree.node(id);
    let Some(kind) = value.type_name() else { return Ok(Replaced::Elsewhere) };
    let selected = node.flags.has(Flags::SELECTED);
    let is_leaf = depth == index.len()
        && node.kind == Kind::Scalar
        && !node.flags.has(Flags::METADATA)
        && (!selected || is_token(tree.text(node.text)) || is_empty_text(file, id));
    let is_alone = tree.nodes.iter().all(|node| node.kind != Kind::Alias);
    if !is_leaf || !is_alone || has_spelling(file, id) {
        return Ok(Replaced::Elsewhere);
    }
    let mut plain = SecretBytes::default();
    value.write_canonical(plain.as_mut_vec());
    if plain.is_empty() {
        return Ok(Replaced::Elsewhere);
    }
    let encrypted = file.file();
    let mac = encrypted.mac_with(Some((id, value))).map_err(|error| file.tree_error(error))?;
    if !ignore_mac {
        file.locked.check_mac(&file.cipher, &mac)?;
    }
    match encrypted.value_of(id).map_err(|error| file.tree_error(error))? {
        Value::Scalar(old) if is_equal(&old, value) => return Ok(Replaced::Unchanged),
        Value::Scalar(_) => {}
        _ => return Ok(Replaced::Elsewhere),
    }
    let Some(digest) = mac.changed_hex() else { return Ok(Replaced::Elsewhere) };
    let mut aad = Vec::new();
    append_aad(tree, id, &mut aad);
    let mut edits = Vec::new();
    if selected {
        let mut token = Vec::new();
        file.cipher.seal(plain.as_mut_vec(), kind, &aad, &mut *deps.random.rng(), &mut token);
        let token = String::from_utf8_lossy(&token);
        let mut text = Vec::new();
        let span = store.lock(tree, id, node.style, &token, &mut text);
        edits.push(Edit::new(span, text));
    } else if !is_on_one_line(tree, node) {
        // Comments may belong elsewhere behind another value.
        return Ok(Replaced::Elsewhere);
    } else {
        match store.replace(tree, id, &Value::Scalar(value.clone().into_owned())) {
            Ok(clear) => edits.extend(clear),
            Err(_) => return Ok(Replaced::Elsewhere),
        }
    }
    let last_modified = deps.clock.now();
    let mac = lock::mac_token(deps, &file.cipher, digest.clone(), &last_modified);
    for (field, text) in [("mac", &mac), ("lastmodified", &last_modified)] {
        match replace_metadata_field(tree, field, text) {
            Some(more) => edits.extend(more),
            None => return Ok(Replaced::Elsewhere),
        }
    }
    let bytes = SecretBytes::new(apply(tree.source, edits));
    Ok(Replaced::File(bytes, LeafProof { leaf: id, value, digest }))
}

impl LeafProof<'_> {
    /// Proves that in `bytes` the changed leaf opens to its new value, that every
    /// other node reads as it did in `file`, tokens and places and all, and that the
    /// MAC is the digest that was computed over those tokens and that value.
    pub fn of(&self, file: &Unlocked<'_>, bytes: &[u8]) -> Result<(), Error> {
        let refuse = |cause: &str| lock::refusal(&file.locked.place, cause);
        let locked = Locked::parse(bytes, file.locked.format, &file.locked.place)
            .map_err(|_| refuse("the changed file does not read back"))?;
        if !is_same_elsewhere(&file.locked.tree, &locked.tree, self.leaf) {
            return Err(refuse("more than the one value would change"));
        }
        let reopened = Encrypted { tree: &locked.tree, selection: &locked.metadata.selection, ..file.file() };
        match reopened.value_of(self.leaf) {
            Ok(Value::Scalar(found)) if found.same(self.value) => {}
            _ => return Err(refuse("the changed value does not read back")),
        }
        match locked.stored_mac(&file.cipher) {
            Ok(stored) if *stored == *self.digest.as_bytes() => Ok(()),
            _ => Err(refuse("the MAC does not verify")),
        }
    }
}

/// True if the trees differ in the value of scalar `changed`, the MAC and its
/// time, and in nothing else.
fn is_same_elsewhere(old: &Tree<'_>, new: &Tree<'_>, changed: NodeId) -> bool {
    let is_place = |one: &Node, other: &Node| {
        one.kind == other.kind
            && one.parent == other.parent
            && one.end == other.end
            && old.text(one.key_text) == new.text(other.key_text)
    };
    let is_value = |one: &Node, other: &Node| {
        one.style == other.style
            && one.tag == other.tag
            && one.flags == other.flags
            && old.text(one.text) == new.text(other.text)
    };
    let is_marked = |one: &Node, other: &Node| {
        [Flags::METADATA, Flags::SELECTED].iter().all(|flag| one.flags.has(*flag) == other.flags.has(*flag))
    };
    let is_stamp = |node: &Node| {
        let key = old.text(node.key_text);
        let name = key.strip_prefix(b"sops_").unwrap_or(key);
        node.flags.has(Flags::METADATA) && (name == b"mac" || name == b"lastmodified")
    };
    old.nodes.len() == new.nodes.len()
        && old.documents.len() == new.documents.len()
        && (0..).zip(old.nodes.iter().zip(&new.nodes)).all(|(id, (one, other))| {
            let may_differ = id == changed || is_stamp(one);
            is_place(one, other) && is_marked(one, other) && (is_value(one, other) || may_differ)
        })
}

/// Equality for `set`: a whole number is the same as integer and as double.
fn is_equal(old: &Scalar<'_>, new: &Scalar<'_>) -> bool {
    match (old, new) {
        (Scalar::Float(old), Scalar::Int(new)) => *old == *new as f64 && *old as i64 == *new,
        (Scalar::Int(old), Scalar::Float(new)) => *new == *old as f64 && *new as i64 == *old,
        _ => old.same(new),
    }
}

/// True for an empty text in quotes, which is never encrypted: the quotes stay.
fn is_empty_text(file: &Unlocked<'_>, id: NodeId) -> bool {
    let Locked { tree, store, .. } = &file.locked;
    let quoted = matches!(tree.node(id).style, Style::SingleQuoted | Style::DoubleQuoted);
    quoted && matches!(store.scalar(tree, id), Scalar::Str(text) if text.is_empty())
}

/// True for a value that is written, on one line.
fn is_on_one_line(tree: &Tree<'_>, node: &Node) -> bool {
    let raw = tree.raw(node.span);
    !raw.is_empty() && !raw.iter().any(|byte| matches!(byte, b'\n' | b'\r'))
}

/// True when the owner's spelling of `id` is kept in the metadata, or a patch of the
/// whole file, which then changes with the value.
fn has_spelling(file: &Unlocked<'_>, id: NodeId) -> bool {
    let spellings = file.locked.spellings(&file.cipher);
    if spellings.is_empty() || spellings.has_patch() {
        return spellings.has_patch();
    }
    let tree = &file.locked.tree;
    let mut walk = Walk::default();
    for before in (0..=id).filter(|&before| tree.node(before).kind != Kind::Comment) {
        walk.enter(tree, before);
    }
    spellings.has(&walk.spelling_path(tree, id))
}
