//! A plain file that a creation rule is for.

use super::findings::Finding;
use super::kinds::Kind;
use super::lines::{line_of, path_of};
use super::rulebook::Rule;
use crate::domain::scalar::Scalar;
use crate::domain::select::Stage;
use crate::domain::store::{Format, Purpose, Store};
use crate::domain::tree::{self, Flags, NodeId, Tree};

/// What is wrong with a plain file, whose path below its config is `path`: a rule
/// says that it is to be encrypted, and selects something in it.
pub fn plain(bytes: &[u8], format: Format, path: &str, rule: &Rule) -> Option<Finding> {
    if bytes.is_empty() || !rule.wants_encrypted(path) || is_for_tools(path) {
        return None;
    }
    let by = format!("{} is for this file, and it is not encrypted", rule.path);
    let selection = rule.selection.as_ref()?;
    if format == Format::Binary {
        return Some(Finding::of_file(Kind::NotEncrypted, by));
    }
    let store = format.store();
    let mut tree = match store.read(bytes, Purpose::AsIs) {
        Ok(tree) => tree,
        Err(error) => {
            let message = format!("{by}; nor can it be read as {}", format.name());
            return Some(Finding::of_file(Kind::NotEncrypted, message).at_line(error.line));
        }
    };
    selection.mark(&mut tree, Stage::Plain);
    let ids = || (0..tree.nodes.len() as NodeId).filter(|id| is_secret(store, &tree, *id));
    let first = ids().next()?;
    let message = match ids().count() {
        1 => format!("{by}: the rule selects one value"),
        count => format!("{by}: the rule selects {count} values, of which this is the first"),
    };
    let key = path_of(&tree, first, format).unwrap_or_default();
    let found = Finding::of_file(Kind::NotEncrypted, message).at_line(Some(line_of(&tree, first)));
    // The key is where to look; the finding is the file's.
    Some(Finding { message: with_key(found.message.clone(), &key), ..found })
}

fn with_key(message: String, key: &str) -> String {
    if key.is_empty() { message } else { format!("{message} ({key})") }
}

fn is_secret(store: &dyn Store, tree: &Tree<'_>, id: NodeId) -> bool {
    let node = tree.node(id);
    if node.kind != tree::Kind::Scalar || !node.flags.has(Flags::SELECTED) {
        return false;
    }
    match store.scalar(tree, id) {
        Scalar::Null => false,
        Scalar::Str(text) => !text.is_empty(),
        _ => true,
    }
}

/// Files that rules and git themselves are made of.
fn is_for_tools(path: &str) -> bool {
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    name == ".sops.yaml"
        || name.starts_with(".git")
        || path.split(['/', '\\']).any(|part| part == ".leaflock")
}
