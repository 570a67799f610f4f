//! The file as it will be once encrypted: tokens on one line in the places of
//! values, metadata at the end of every document. SOPS hangs comments on what
//! it reads there, so that is where they must be hung before encryption.
//!
//! Most files differ from their preview only in what is appended, so one pass over
//! that gives nodes and comments at once. Where that is not so, the comments'
//! places are taken from the preview and the rest from the file.

use super::super::ReadError;
use super::chars::{own_break, trailing_break};
use super::comments::{Assignment, Bare, Slot};
use super::draft::{Draft, draft};
use crate::domain::search;
use crate::domain::secret::SecretBytes;
use crate::domain::tree::{Document, Flags, Kind, Node, NodeId, Style};

/// Stands for the metadata.
const METADATA: [&[u8]; 2] = [b"leaflock-preview-of-sops:", b"    version: 1"];
/// The same inside `{}`.
const FLOW_METADATA: &[u8] = b"leaflock-preview-of-sops: {version: 1}";
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
    let text = preview(source, &plain);
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
    append_metadata(source, 0, shown.as_mut_vec());
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

/// Where the last leaf ends.
fn content_end(nodes: &[Node]) -> u32 {
    nodes.iter().skip(1).map(|node| node.span.end).max().unwrap_or(0)
}

/// The file with stand-ins for tokens and metadata.
fn preview(source: &[u8], plain: &Draft) -> SecretBytes {
    let mut out = Vec::with_capacity(source.len() + plain.bare.documents.len() * 128);
    let mut from = 0;
    let documents = &plain.bare.documents;
    let mut current = 0;
    for (id, node) in plain.bare.nodes.iter().enumerate() {
        if documents.get(current + 1).is_some_and(|next| id as NodeId == next.root) {
            put_metadata(source, &plain.bare.nodes, &documents[current], &mut from, &mut out);
            current += 1;
        }
        if !node.flags.has(Flags::METADATA) && !node.text.is_empty() && spans_lines(source, node) {
            put_token(source, node, &mut from, &mut out);
        }
    }
    for document in &documents[current..] {
        put_metadata(source, &plain.bare.nodes, document, &mut from, &mut out);
    }
    out.extend_from_slice(&source[from..]);
    SecretBytes::new(out)
}

/// Writes the file up to the value `node`, and one line in its place.
fn put_token(source: &[u8], node: &Node, from: &mut usize, out: &mut Vec<u8>) {
    let raw = &source[node.span.range()];
    let start = node.span.start as usize;
    if matches!(node.style, Style::Literal | Style::Folded) {
        let Some(header) = raw.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else { return };
        let body = header + if raw[header..].starts_with(b"\r\n") { 2 } else { 1 };
        let digit = raw[1..header].iter().take(2).find(|byte| byte.is_ascii_digit());
        let column = match digit {
            Some(digit) => node.indent.max(0) as usize + usize::from(digit - b'0'),
            None => first_column(&raw[body..]).unwrap_or(node.indent.max(0) as usize + 2),
        };
        out.extend_from_slice(&source[*from..start + body]);
        out.resize(out.len() + column, b' ');
        out.push(b'x');
        *from = node.span.end as usize - trailing_break(raw);
    } else {
        out.extend_from_slice(&source[*from..start]);
        out.extend_from_slice(b"'x'");
        *from = node.span.end as usize;
    }
}

/// The column of the first line that holds more than spaces.
fn first_column(body: &[u8]) -> Option<usize> {
    body.split(|byte| matches!(byte, b'\n' | b'\r'))
        .find_map(|line| line.iter().position(|byte| *byte != b' '))
}

/// Writes the file up to the end of `document`, and metadata.
fn put_metadata(source: &[u8], nodes: &[Node], document: &Document, from: &mut usize, out: &mut Vec<u8>) {
    let root = &nodes[document.root as usize];
    if root.style == Style::Flow && root.kind == Kind::Map {
        let brace = (root.span.end as usize).saturating_sub(1);
        out.extend_from_slice(&source[*from..brace.max(*from)]);
        if root.end > document.root + 1 && !ends_with_comma(source, nodes, document.root, brace) {
            out.extend_from_slice(b", ");
        }
        out.extend_from_slice(FLOW_METADATA);
        *from = brace.max(*from);
        return;
    }
    let end = (document.span.end as usize).max(*from);
    if root.style == Style::Plain && root.kind == Kind::Map && !root.span.is_empty() {
        // A null that is written out makes room.
        out.extend_from_slice(&source[*from..root.span.start as usize]);
        *from = root.span.end as usize;
    }
    out.extend_from_slice(&source[*from..end]);
    let column = nodes.get(document.root as usize + 1).filter(|first| first.parent == document.root);
    append_metadata(source, column.map_or(0, |first| first.indent.max(0)) as usize, out);
    *from = end;
}

/// Appends metadata in block style, on lines of its own.
fn append_metadata(source: &[u8], column: usize, out: &mut Vec<u8>) {
    let line_break = own_break(source);
    if !matches!(out.last(), None | Some(b'\n' | b'\r')) && out != b"\xEF\xBB\xBF" {
        out.extend_from_slice(line_break);
    }
    for line in METADATA {
        out.resize(out.len() + column, b' ');
        out.extend_from_slice(line);
        out.extend_from_slice(line_break);
    }
}

/// True when the last entry of the flow mapping `root` is followed by a comma.
fn ends_with_comma(source: &[u8], nodes: &[Node], root: NodeId, brace: usize) -> bool {
    let last = content_end(&nodes[root as usize..nodes[root as usize].end as usize]) as usize;
    let mut at = last;
    while at < brace {
        match source[at] {
            b',' => return true,
            b'#' => at += search::memchr(b'\n', &source[at..brace]).unwrap_or(brace - at),
            _ => {}
        }
        at += 1;
    }
    false
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
