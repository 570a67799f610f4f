//! Where things stand: lines, columns and key paths of nodes.

use crate::domain::document::walk::index_path;
use crate::domain::store::Format;
use crate::domain::tree::{Kind, NodeId, Tree};

/// The one-based line and column of a byte; columns count characters.
pub(super) fn position(source: &[u8], offset: usize) -> (usize, usize) {
    let before = &source[..offset.min(source.len())];
    let start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
    let line = 1 + memchr::memchr_iter(b'\n', before).count();
    (line, 1 + String::from_utf8_lossy(&before[start..]).chars().count())
}

/// The line of node `id`: of its key, if it has one.
pub(super) fn line_of(tree: &Tree<'_>, id: NodeId) -> usize {
    let node = tree.node(id);
    tree.line(if node.key.is_empty() { node.span.start } else { node.key.start })
}

/// The key path of node `id`, as an index. `None` where what stands in front of `=`
/// need not be a name: the second line of a secret that was pasted into a dotenv file.
pub(super) fn path_of(tree: &Tree<'_>, id: NodeId, format: Format) -> Option<String> {
    let node = tree.node(id);
    if format == Format::Dotenv && node.kind != Kind::Comment && !is_name(tree.key(id)) {
        return None;
    }
    Some(index_path(tree, id))
}

/// The longest name of a variable that is shown.
const LONGEST_NAME: usize = 64;

fn is_name(key: &[u8]) -> bool {
    key.len() <= LONGEST_NAME
        && !key.first().is_none_or(u8::is_ascii_digit)
        && key.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(byte))
}
