//! The entry of the YAML reader.

use super::super::{Purpose, ReadError, ReadErrorKind};
use super::draft::draft;
use super::preview::draft_for_encryption;
use crate::domain::tree::Tree;

/// The largest source: every offset, and every offset of a decoded text behind
/// it, must fit a span of the tree.
const MAX_SIZE: usize = u32::MAX as usize / 5 * 2;

/// Reads YAML as go-yaml v3.0.4 and SOPS read it.
///
/// # Errors
/// What SOPS refuses, in its words where they hold nothing of the input
/// (sops-compat 5.1), and sources of 1.6 GiB or more.
pub fn read(source: &[u8], purpose: Purpose) -> Result<Tree<'_>, ReadError> {
    if source.len() >= MAX_SIZE {
        return Err(plain_error("the file is too large", ReadErrorKind::Syntax));
    }
    if source.is_empty() {
        let message = "File cannot be completely empty, it must contain at least one document";
        return Err(plain_error(message, ReadErrorKind::Empty));
    }
    let draft = match purpose {
        Purpose::AsIs => draft(source)?,
        Purpose::Encrypt => draft_for_encryption(source)?,
    };
    let dressed = draft.bare.dress();
    let mut tree = Tree::new(source);
    tree.decoded = draft.decoded;
    tree.nodes = dressed.nodes;
    tree.properties = dressed.properties;
    tree.documents = dressed.documents;
    Ok(tree)
}

fn plain_error(message: &str, kind: ReadErrorKind) -> ReadError {
    ReadError { message: message.to_owned(), line: None, hint: None, kind }
}

#[cfg(test)]
mod tests;
