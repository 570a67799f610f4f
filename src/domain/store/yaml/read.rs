//! The entry of the YAML reader.

use super::super::{Purpose, ReadError, ReadErrorKind};
use super::comment_place;
use super::draft::draft;
use super::preview::draft_for_encryption;
use super::resolve::resolve;
use crate::domain::tree::{Kind, Style, Tag, Tree};

/// The largest source: every offset, and every offset of a decoded text behind
/// it, must fit a [`crate::domain::tree::Span`].
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
    tree.comment_heads = comment_place::heads(&tree);
    if purpose == Purpose::Encrypt {
        check_types(&tree)?;
    }
    Ok(tree)
}

/// Shorter texts all have a type.
const SHORTEST: u32 = b"9223372036854775808".len() as u32 - 1;

/// Refuses numbers and times that go-yaml reads and SOPS has no type for.
fn check_types(tree: &Tree<'_>) -> Result<(), ReadError> {
    for node in &tree.nodes {
        let is_candidate = node.kind == Kind::Scalar && node.text.end - node.text.start >= SHORTEST;
        if !is_candidate || (node.style != Style::Plain && node.tag == Tag::None) {
            continue;
        }
        if let Err(problem) = resolve(tree.text(node.text), node.tag, node.style == Style::Plain)
            && problem.is_readable()
        {
            return Err(ReadError {
                message: format!("Error walking tree: {problem}"),
                line: Some(tree.line(node.span.start)),
                hint: Some("put the value in quotes: it is no number or time that SOPS can hold"),
                kind: ReadErrorKind::Unencryptable,
            });
        }
    }
    Ok(())
}

fn plain_error(message: &str, kind: ReadErrorKind) -> ReadError {
    ReadError { message: message.to_owned(), line: None, hint: None, kind }
}

#[cfg(test)]
mod tests;
