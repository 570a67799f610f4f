//! An encrypted file, and what the rules ask of it.

use crate::domain::metadata::Metadata;
use crate::domain::scalar::Scalar;
use crate::domain::store::{Format, Store};
use crate::domain::tree::{self, Flags, NodeId, Tree};

/// An encrypted file.
pub struct Encrypted<'s> {
    /// The format that it is read in.
    pub format: Format,
    /// The store of its encrypted form.
    pub store: &'static dyn Store,
    /// The file; its leaves are marked by its own rule.
    pub tree: Tree<'s>,
    /// Its metadata.
    pub metadata: Metadata,
}

/// The line that the metadata begins in.
pub(super) fn metadata_line(tree: &Tree<'_>) -> Option<usize> {
    let node = tree.nodes.iter().find(|node| node.flags.has(Flags::METADATA))?;
    Some(tree.line(if node.key.is_empty() { node.span.start } else { node.key.start }))
}

impl Encrypted<'_> {
    /// The file as it was read, for places in it.
    pub(super) fn as_read(&self) -> (&Tree<'_>, Format) {
        (&self.tree, self.format)
    }

    /// The nodes that are no metadata, in order.
    pub(super) fn data(&self) -> impl Iterator<Item = (NodeId, &tree::Node)> {
        let nodes = self.tree.nodes.iter().enumerate().map(|(id, node)| (id as NodeId, node));
        nodes.filter(|(_, node)| !node.flags.has(Flags::METADATA))
    }

    /// True when scalar `id` holds a value that is not encrypted and could be: null
    /// and empty texts never are.
    pub(super) fn is_open(&self, id: NodeId) -> bool {
        if is_ciphertext(self.tree.text(self.tree.node(id).text)) {
            return false;
        }
        match self.store.scalar(&self.tree, id) {
            Scalar::Null => false,
            Scalar::Str(text) => !text.is_empty(),
            _ => true,
        }
    }
}

/// True for what begins as a token, whole or not.
pub(super) fn is_ciphertext(text: &[u8]) -> bool {
    text.starts_with(b"ENC[AES256_GCM")
}
