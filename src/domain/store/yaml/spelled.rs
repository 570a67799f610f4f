//! The owner's spelling of a value, proposed for the place of its token. It is
//! taken only if a small document made of it, indented as its place is, reads as
//! that one value and nothing else.

use super::block_scalar::Block;
use super::chars;
use super::metadata;
use super::read;
use super::resolve::resolve;
use crate::domain::scalar::Scalar;
use crate::domain::secret::SecretBytes;
use crate::domain::store::Purpose;
use crate::domain::tree::{Flags, Kind, Node, NodeId, Span, Style, Tag, Tree};

/// See [`crate::domain::store::Store::spelled`].
pub(super) fn spelled(tree: &Tree<'_>, id: NodeId, spelling: &[u8], value: &Scalar<'_>) -> Option<Span> {
    let node = tree.node(id);
    if node.kind != Kind::Scalar {
        return None;
    }
    let properties = tree.properties_of(id);
    if is_simple(spelling, value) && node.style == Style::Plain && properties.tag.is_empty() {
        return Some(node.span);
    }
    let block = match node.style {
        Style::Literal | Style::Folded => Block::of(tree, node),
        _ => None,
    };
    // A block's body starts with blanks or a line break, a whole value never does.
    let body = spelling.first() == Some(&b' ') || chars::line_break(spelling, 0) > 0;
    let (span, header) = match (&block, body) {
        (Some(block), true) => {
            let header = Span { start: node.span.start, end: block.body.start };
            (block.body, without_comment(tree.raw(header)))
        }
        (Some(block), false) => (block.whole, Vec::new()),
        (None, true) => return None,
        (None, false) => (node.span, Vec::new()),
    };
    let own_tag = !properties.tag.is_empty() && !spelling.starts_with(b"!");
    let tag = if own_tag { tree.raw(properties.tag) } else { b"" };
    let probe = Probe::new(tree, node, tag, &header, spelling);
    let anchor = probe.check(tree, value)?;
    let mut span = span;
    if !anchor.is_empty() {
        // `!!int &a 0x1F`: the anchor stands in the spelling and in the file.
        if tree.raw(properties.anchor) != &anchor[..] {
            return None;
        }
        span.start = properties.anchor.start;
    }
    Some(span)
}

/// A number, date or the like in characters that mean nothing else anywhere.
fn is_simple(spelling: &[u8], value: &Scalar<'_>) -> bool {
    !matches!(value, Scalar::Str(_) | Scalar::Null)
        && spelling.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_.+-".contains(byte))
        && resolve(spelling, Tag::None, true).is_ok_and(|found| found.same(value))
}

/// The header of a block without what follows its indicators.
fn without_comment(header: &[u8]) -> Vec<u8> {
    let indicators =
        header.iter().take_while(|byte| matches!(byte, b'|' | b'>' | b'+' | b'-' | b'0'..=b'9')).count();
    let mut out = header[..indicators].to_vec();
    out.extend_from_slice(&header[header.len() - chars::trailing_break(header)..]);
    out
}

/// An entry behind the value.
const TAIL: &[u8] = b"z: 0\n";

/// The line break at `at`, or a line feed.
fn next_break<'s>(tree: &Tree<'s>, at: usize) -> &'s [u8] {
    match chars::line_break(tree.source, at) {
        0 => b"\n",
        length => &tree.source[at..at + length],
    }
}

/// The small document.
struct Probe {
    text: SecretBytes,
    /// Where the value starts in it: at its block header, or at the spelling.
    start: usize,
    /// Where the spelling ends.
    end: usize,
    /// Nodes that it must read as.
    nodes: usize,
    tagged: bool,
}

impl Probe {
    fn new(tree: &Tree<'_>, node: &Node, tag: &[u8], header: &[u8], spelling: &[u8]) -> Self {
        let mut text = SecretBytes::default();
        let out = text.as_mut_vec();
        out.reserve_exact(spelling.len() + tag.len() + 2 * node.indent.max(0) as usize + 32);
        let column = node.indent.max(0) as usize;
        let in_list = tree.node(node.parent).kind == Kind::List;
        // Root, the innermost block collection unless it is the root, the value.
        let mut nodes = 2;
        if column > 0 || (in_list && !node.flags.has(Flags::IN_FLOW)) {
            out.extend_from_slice(b"k:\n");
            out.resize(out.len() + column, b' ');
            nodes += 1;
        }
        let behind: &[u8] = match (node.flags.has(Flags::IN_FLOW), in_list) {
            (false, true) => {
                out.extend_from_slice(b"- ");
                b""
            }
            (false, false) => {
                out.extend_from_slice(b"k: ");
                b""
            }
            (true, true) => {
                out.extend_from_slice(b"k: [");
                nodes += 1;
                b"]"
            }
            (true, false) => {
                out.extend_from_slice(b"k: {k: ");
                nodes += 1;
                b"}"
            }
        };
        if !tag.is_empty() {
            out.extend_from_slice(tag);
            out.push(b' ');
        }
        let start = out.len();
        out.extend_from_slice(header);
        out.extend_from_slice(spelling);
        let end = out.len();
        out.extend_from_slice(behind);
        let at_end = metadata::is_plain_end(tree, value_end(tree, node));
        if !at_end {
            // What follows must stay what it is.
            out.extend_from_slice(next_break(tree, value_end(tree, node)));
            out.extend_from_slice(TAIL);
            nodes += 1;
        }
        Self { text, start, end, nodes, tagged: !tag.is_empty() }
    }

    /// The anchor in the spelling, if it reads as `value`.
    fn check(&self, tree: &Tree<'_>, value: &Scalar<'_>) -> Option<Vec<u8>> {
        let read = read::read(&self.text, Purpose::AsIs).ok()?;
        let last = self.nodes - 1 - usize::from(self.text.ends_with(TAIL));
        let node = read.nodes.get(last)?;
        let comments = read.nodes.iter().any(|node| node.kind == Kind::Comment);
        if comments
            || read.nodes.len() != self.nodes
            || read.documents.len() != 1
            || node.kind != Kind::Scalar
        {
            return None;
        }
        let (start, end) = (node.span.start as usize, node.span.end as usize);
        let breaks = metadata::line_break(tree).len().max(3);
        let fits = end == self.end
            || (matches!(node.style, Style::Literal | Style::Folded)
                && end <= self.end + breaks
                && end > self.end);
        let properties = read.properties_of(last as NodeId);
        let begins = [properties.tag, properties.anchor].into_iter().filter(|span| !span.is_empty());
        let begin = begins.map(|span| span.start as usize).fold(start, usize::min);
        if !fits || begin > self.start || (begin < self.start && !self.tagged) {
            return None;
        }
        let found = resolve(read.text(node.text), node.tag, node.style == Style::Plain).ok()?;
        found.same(value).then(|| read.raw(properties.anchor).to_vec())
    }
}

/// Where a value's replaceable text ends.
fn value_end(tree: &Tree<'_>, node: &Node) -> usize {
    match Block::of(tree, node) {
        Some(block) => block.body.end as usize,
        None => node.span.end as usize,
    }
}
