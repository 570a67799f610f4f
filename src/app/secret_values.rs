//! The values of an encrypted file by their key paths: what is handed to programs,
//! and what is looked for in their output.

use super::error::Error;
use super::open::Unlocked;
use crate::domain::agent::leaves::path_of;
use crate::domain::crypto::token::Token;
use crate::domain::scalar::Scalar;
use crate::domain::secret::SecretBytes;
use crate::domain::store::shell;
use crate::domain::tree::{Flags, Kind, NodeId};
use crate::domain::value::Value;

/// One value.
#[derive(Debug)]
pub struct SecretValue {
    /// The keys that lead to it. Places in lists have none, as in SOPS's associated
    /// data, so that the items of a list share a path.
    pub path: Vec<String>,
    /// The value as a variable holds it: numbers as dotenv shows them, null empty.
    pub value: SecretBytes,
    /// False for what the file shows in clear.
    pub is_encrypted: bool,
}

/// All values, in the order of the file. Its MAC is the caller's business.
pub fn of(unlocked: &Unlocked<'_>) -> Result<Vec<SecretValue>, Error> {
    let file = unlocked.file();
    let tree = file.tree;
    let is_leaf = |id: &NodeId| {
        let node = tree.node(*id);
        node.kind == Kind::Scalar && !node.flags.has(Flags::METADATA)
    };
    let mut found = Vec::new();
    for id in (0..tree.nodes.len() as NodeId).filter(is_leaf) {
        let is_encrypted = Token::parse(tree.text(tree.node(id).text)).is_some();
        let value = if is_encrypted {
            match file.value_of(id).map_err(|error| unlocked.tree_error(error))? {
                Value::Scalar(scalar) => text(&scalar),
                _ => continue,
            }
        } else {
            text(&file.store.scalar(tree, id))
        };
        found.push(SecretValue { path: path_of(tree, id), value, is_encrypted });
    }
    Ok(found)
}

/// The value as a variable holds it.
pub fn text(scalar: &Scalar<'_>) -> SecretBytes {
    /// Bytes of the longest number or time.
    const NUMBER: usize = 400;
    let room = match scalar {
        Scalar::Str(text) => text.len(),
        _ => NUMBER,
    };
    let mut out = SecretBytes::new(Vec::with_capacity(room));
    shell::write_text(scalar, out.as_mut_vec());
    out
}
