//! The file as it will be once encrypted: tokens on one line in the places of
//! values, metadata at the end of every document. SOPS hangs comments on what
//! it reads there, so that is where they must be hung before encryption.
//!
//! Most files differ from their preview only in what is appended, so one pass over
//! that gives nodes and comments at once. Where that is not so, the comments'
//! places are taken from the preview and the rest from the file.

use super::super::ReadError;
use super::chars::own_break;
use super::comments::{Assignment, Bare, Slot};
use super::draft::{Draft, draft};
use super::{lock, metadata};
use crate::domain::scalar::Scalar;
use crate::domain::search;
use crate::domain::secret::SecretBytes;
use crate::domain::store::splice::{self, Edit};
use crate::domain::tree::{Flags, Kind, Node, NodeId, Style};
use crate::domain::value::{Entry, Value};

/// Stands for a token.
const TOKEN: &str = "x";
/// Stand for the metadata, in lines of their own.
const METADATA: [&[u8]; 2] = [b"sops:", b"    version: 1"];
/// Nodes that the metadata adds to a document.
const ADDED: u32 = 2;

/// A draft of `source` with its comments hung as in the encrypted file.
pub(super) fn draft_for_encryption(source: &[u8]) -> Result<Draft, ReadError> {
    if search::memchr(b'#', source).is_none() {
        return draft(source);
    }
    if let Some(found) = draft_appended(source) {
        return Ok(found);
    }
    let mut plain = draft(source)?;
    if plain.bare.lines.is_empty() {
        return Ok(plain);
    }
    let text = preview(source, &mut plain);
    let shown = draft(&text);
    drop(text);
    if let Ok(shown) = shown
        && shown.bare.lines.len() == plain.bare.lines.len()
        && shown.bare.nodes.len() == plain.bare.nodes.len() + plain.bare.documents.len() * ADDED as usize
    {
        adopt(&mut plain.bare, shown.bare);
    }
    Ok(plain)
}

/// The draft of a single document in block style without values of several
/// lines, by way of the file with metadata appended. `None` for any other file.
fn draft_appended(source: &[u8]) -> Option<Draft> {
    let mut shown = SecretBytes::new(Vec::with_capacity(source.len() + 64));
    shown.append(source);
    append_metadata(source, shown.as_mut_vec());
    let end = shown.len();
    let mut found = draft(&shown);
    // What follows sorts, in memory of this size.
    drop(shown);
    let draft = found.as_mut().ok()?;
    let bare = &mut draft.bare;
    let total = bare.nodes.len() as u32;
    let [document] = bare.documents.as_mut_slice() else { return None };
    let metadata = total.checked_sub(ADDED).filter(|&id| id > 1)?;
    let root = bare.nodes[0];
    let fits = bare.nodes[metadata as usize].key.start as usize >= source.len()
        && bare.nodes[metadata as usize].parent == 0
        && root.kind == Kind::Map
        && root.style == Style::Block
        && document.span.end as usize == end
        // A block that is a key takes in the line break in front of the metadata.
        && bare.nodes[..metadata as usize].iter().all(|node| node.key.end as usize <= source.len())
        && !bare.nodes.iter().any(|node| spans_lines(source, node));
    if !fits {
        return None;
    }
    bare.nodes.truncate(metadata as usize);
    bare.nodes[0].end = metadata;
    document.span.end = source.len() as u32;
    let last_end = content_end(&bare.nodes);
    bare.nodes[0].span.end = last_end;
    draft.rebase(end as u32, (end - source.len()) as u32);
    let bare = &mut draft.bare;
    bare.settle();
    bare.find_lost();
    bare.settled = true;
    hang_on_root(&mut bare.assignments, |id| if id >= metadata { None } else { Some(id) }, |_| 0);
    found.ok()
}

/// True for a value that covers several lines.
fn spans_lines(source: &[u8], node: &Node) -> bool {
    node.kind == Kind::Scalar
        && (matches!(node.style, Style::Literal | Style::Folded)
            || source.get(node.span.range()).is_some_and(|raw| search::memchr2(b'\n', b'\r', raw).is_some()))
}

/// Appends the stand-in for the metadata.
fn append_metadata(source: &[u8], out: &mut Vec<u8>) {
    let line_break = own_break(source);
    if !metadata::ends_in_break(out) && out != b"\xEF\xBB\xBF" {
        out.extend_from_slice(line_break);
    }
    for line in METADATA {
        out.extend_from_slice(line);
        out.extend_from_slice(line_break);
    }
}

/// Where the last leaf ends.
fn content_end(nodes: &[Node]) -> u32 {
    nodes.iter().skip(1).map(|node| node.span.end).max().unwrap_or(0)
}

/// The file with stand-ins for tokens and metadata, put where these will be. The edits
/// that do so need no comments.
fn preview(source: &[u8], plain: &mut Draft) -> SecretBytes {
    let tree = plain.lend(source);
    let mut edits = metadata::attach(&tree, &stand_in());
    for (id, node) in tree.nodes.iter().enumerate() {
        if !node.flags.has(Flags::METADATA) && !node.text.is_empty() && spans_lines(source, node) {
            let mut text = Vec::new();
            let id = id as NodeId;
            let span = lock::lock(&tree, id, lock::token_style(&tree, id), TOKEN, &mut text);
            edits.push(Edit::new(span, text));
        }
    }
    plain.take_back(tree);
    SecretBytes::new(splice::apply(source, edits))
}

/// Metadata with [`ADDED`] nodes.
fn stand_in() -> Value {
    Value::Map(vec![Entry::Pair("version".to_owned(), Value::Scalar(Scalar::Int(1)))])
}

/// Takes the comments' places from the preview.
fn adopt(plain: &mut Bare, mut shown: Bare) {
    shown.settle();
    shown.find_lost();
    let roots: Vec<NodeId> = shown.documents.iter().map(|document| document.root).collect();
    let ends: Vec<NodeId> = roots.iter().map(|&root| shown.nodes[root as usize].end).collect();
    let document_of = |id: NodeId| roots.partition_point(|&root| root <= id).saturating_sub(1);
    let kept = |id: NodeId| {
        let document = document_of(id);
        (id + ADDED < ends[document] || id == roots[document]).then(|| id - ADDED * document as u32)
    };
    let root_of = |id: NodeId| {
        let document = document_of(id);
        roots[document] - ADDED * document as u32
    };
    hang_on_root(&mut shown.assignments, kept, root_of);
    plain.assignments = shown.assignments;
    plain.assigned = shown.assigned;
    plain.settled = true;
}

/// Renumbers the nodes; what belongs to the metadata comes last in its document.
fn hang_on_root(
    assignments: &mut [Assignment],
    kept: impl Fn(NodeId) -> Option<NodeId>,
    root_of: impl Fn(NodeId) -> NodeId,
) {
    for assignment in assignments.iter_mut() {
        match kept(assignment.node) {
            Some(node) => assignment.node = node,
            None => {
                assignment.node = root_of(assignment.node);
                assignment.slot = Slot::Tail;
            }
        }
    }
    assignments.sort_by_key(|assignment| (assignment.node, assignment.slot));
}
