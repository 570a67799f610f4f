//! Comments in place: tokens behind `#`, tokens that SOPS wrote as list elements,
//! and comments behind values that SOPS prints above them.

use super::chars::before_blanks;
use super::metadata::{line_break, line_start};
use crate::domain::scalar::Scalar;
use crate::domain::store::Plain;
use crate::domain::store::splice::Edit;
use crate::domain::tree::{Flags, Kind, NodeId, Span, Style, Tree};

/// Puts `token` in the place of comment `id`: behind `#`, or, with
/// [`Style::Element`], as a list element.
pub(super) fn lock(tree: &Tree<'_>, id: NodeId, style: Style, token: &str, out: &mut Vec<u8>) -> Span {
    out.extend_from_slice(if style == Style::Element { b"- " } else { b"#" });
    out.extend_from_slice(token.as_bytes());
    tree.node(id).span
}

/// Puts a comment's text in the place of its token.
pub(super) fn unlock(
    tree: &Tree<'_>,
    id: NodeId,
    style: Style,
    plain: &Plain<'_>,
    out: &mut Vec<u8>,
) -> Span {
    let text: &[u8] = match &plain.value {
        Scalar::Str(text) => text,
        _ => b"",
    };
    let node = tree.node(id);
    if node.kind == Kind::Comment {
        let column = node.span.start as usize - line_start(tree.source, node.span.start as usize);
        write_comment(tree, text, column, out);
        return node.span;
    }
    match Element::of(tree, id) {
        Some(element) if style == Style::Element => element.unlock(tree, text, out),
        Some(element) if style == Style::OwnLine => element.unlock_in_place(tree, text, out),
        // In brackets a comment has no place of its own: the token stays.
        _ => Span { start: node.span.start, end: node.span.start },
    }
}

/// `#` and the text; a line break in it, which no YAML file can hold, begins
/// another comment line at `column`.
fn write_comment(tree: &Tree<'_>, text: &[u8], column: usize, out: &mut Vec<u8>) {
    for (number, line) in text.split(|byte| matches!(byte, b'\n' | b'\r')).enumerate() {
        if number > 0 {
            out.extend_from_slice(line_break(tree));
            out.resize(out.len() + column, b' ');
            out.push(b'#');
        } else {
            out.push(b'#');
        }
        out.extend_from_slice(line);
    }
}

/// A block list element that is a comment's token, with its neighbours.
struct Element {
    id: NodeId,
    list: NodeId,
    dash: usize,
    end: usize,
    /// It is one of the comments that the list begins with.
    leads: bool,
    /// The element behind it, if that is no comment.
    next: Option<NodeId>,
    all_comments: bool,
}

impl Element {
    fn of(tree: &Tree<'_>, id: NodeId) -> Option<Self> {
        let node = tree.node(id);
        if node.flags.has(Flags::IN_FLOW) || tree.node(node.parent).kind != Kind::List {
            return None;
        }
        let dash = dash_before(tree, id)?;
        let head = tree.comment_head(node.parent);
        let leads = head.is_some_and(|behind| id < behind);
        let next = tree.behind(id).next().filter(|&next| !is_comment_token(tree, next));
        let all_comments = head == Some(tree.node(node.parent).end);
        let end = node.span.end as usize;
        Some(Self { id, list: node.parent, dash, end, leads, next, all_comments })
    }

    fn is_first(&self) -> bool {
        self.id == self.list + 1
    }

    fn unlock(&self, tree: &Tree<'_>, text: &[u8], out: &mut Vec<u8>) -> Span {
        let own_line = line_start(tree.source, self.dash);
        if self.all_comments {
            return self.unlock_alone(tree, text, own_line, out);
        }
        let first = tree.children(self.list).next().and_then(|first| dash_before(tree, first));
        if let Some(first) = first.filter(|_| self.leads) {
            let line = line_start(tree.source, first);
            let before = tree.source[line..first].trim_ascii_end();
            if before.ends_with(b"-") {
                let outer = line + before.len() - 1;
                return self.unlock_above(tree, text, (line, outer, first), out);
            }
        }
        self.unlock_in_place(tree, text, out)
    }

    /// The comment takes the place of the element, dash and all.
    fn unlock_in_place(&self, tree: &Tree<'_>, text: &[u8], out: &mut Vec<u8>) -> Span {
        let own_line = line_start(tree.source, self.dash);
        if self.all_comments {
            return self.unlock_alone(tree, text, own_line, out);
        }
        write_comment(tree, text, self.dash - own_line, out);
        Span::new(self.dash, self.end)
    }

    /// `- - token`: the comment goes in front of the dash of its list, and that dash
    /// to the first element that is none.
    fn unlock_above(
        &self,
        tree: &Tree<'_>,
        text: &[u8],
        (line, outer, first): (usize, usize, usize),
        out: &mut Vec<u8>,
    ) -> Span {
        let column = outer - line;
        let mut start = outer;
        if !self.is_first() {
            start = line_start(tree.source, self.dash);
            out.resize(out.len() + column, b' ');
        }
        write_comment(tree, text, column, out);
        let Some(next) = self.next.and_then(|next| dash_before(tree, next)) else {
            return Span::new(start, self.end);
        };
        out.extend_from_slice(line_break(tree));
        out.resize(out.len() + column, b' ');
        out.extend_from_slice(&tree.source[outer..first]);
        Span::new(start, next)
    }

    /// A list of nothing but comments: SOPS prints it empty, and the comments behind.
    fn unlock_alone(&self, tree: &Tree<'_>, text: &[u8], own_line: usize, out: &mut Vec<u8>) -> Span {
        let column = tree.node(self.list).indent.max(0) as usize;
        let mut start = own_line;
        if self.is_first() {
            start = self.dash;
            while start > 0 && matches!(tree.source[start - 1], b' ' | b'\t' | b'\n' | b'\r') {
                start -= 1;
            }
            out.extend_from_slice(b" []");
            out.extend_from_slice(line_break(tree));
        }
        out.resize(out.len() + column, b' ');
        write_comment(tree, text, column, out);
        Span::new(start, tree.node(self.id).span.end as usize)
    }
}

/// See [`Tree::comment_heads`].
pub(super) fn heads(tree: &Tree<'_>) -> Vec<(NodeId, NodeId)> {
    let lists = (0..tree.nodes.len() as NodeId).filter(|&id| tree.node(id).kind == Kind::List);
    let heads = lists.map(|list| {
        let head = tree.children(list).take_while(|&child| is_comment_token(tree, child));
        (list, head.last().map_or(list + 1, |last| tree.node(last).end))
    });
    heads.filter(|(list, behind)| *behind > list + 1).collect()
}

/// True for a comment's token that is a list element.
pub(super) fn is_comment_element(tree: &Tree<'_>, id: NodeId) -> bool {
    tree.node(tree.node(id).parent).kind == Kind::List && is_comment_token(tree, id)
}

/// A token of a comment, by its type.
fn is_comment_token(tree: &Tree<'_>, id: NodeId) -> bool {
    let node = tree.node(id);
    let text = tree.text(node.text);
    node.kind == Kind::Scalar
        && text.starts_with(b"ENC[AES256_GCM,data:")
        && text.ends_with(b",type:comment]")
}

/// The dash of list element `id`, if it stands on the element's line.
pub(super) fn dash_before(tree: &Tree<'_>, id: NodeId) -> Option<usize> {
    let mut start = tree.node(id).span.start;
    let properties = tree.properties_of(id);
    for span in [properties.tag, properties.anchor] {
        if !span.is_empty() {
            start = start.min(span.start);
        }
    }
    let before = tree.source.get(..start as usize)?;
    let dash = before_blanks(before, before.len());
    (dash > 0 && before[dash - 1] == b'-').then(|| dash - 1)
}

/// The edits that show comment `id`, which stands behind a value, with `text` on a
/// line of its own above the line that the value's entry starts on.
pub(super) fn hoist(tree: &Tree<'_>, id: NodeId, text: &[u8]) -> Vec<Edit> {
    let node = tree.node(id);
    let start = node.span.start as usize;
    if let Some(edit) = hoist_off_dash(tree, id, text) {
        return vec![edit];
    }
    let entry = entry_behind(tree, id).filter(|entry| *entry <= start).unwrap_or(start);
    let line = line_start(tree.source, entry);
    let column = tree.source[line..].iter().take_while(|byte| **byte == b' ').count();
    let mut above = Vec::new();
    above.resize(column, b' ');
    write_comment(tree, text, column, &mut above);
    above.extend_from_slice(line_break(tree));
    vec![
        Edit::new(Span::new(line, line), above),
        Edit::new(Span { start: before_blanks(tree.source, start) as u32, end: node.span.end }, Vec::new()),
    ]
}

/// `- #token` and a list or map below: the comment goes in front of the dash, and
/// what is below joins the dash.
fn hoist_off_dash(tree: &Tree<'_>, id: NodeId, text: &[u8]) -> Option<Edit> {
    let span = tree.node(id).span;
    let before = tree.source[..span.start as usize].trim_ascii_end();
    let dash = before.len().checked_sub(1).filter(|dash| before[*dash] == b'-')?;
    let line = line_start(tree.source, dash);
    if line_start(tree.source, span.start as usize) != line {
        return None;
    }
    let below = &tree.source[span.end as usize..];
    let next = span.end as usize + below.len() - below.trim_ascii_start().len();
    let column = next.checked_sub(line_start(tree.source, next))?;
    let joins =
        column == span.start as usize - line && tree.source.get(next).is_some_and(|byte| *byte != b'#');
    if !joins || !tree.source[line..dash].iter().all(|byte| matches!(byte, b' ' | b'-')) {
        return None;
    }
    let mut out = Vec::new();
    write_comment(tree, text, dash - line, &mut out);
    out.extend_from_slice(line_break(tree));
    out.resize(out.len() + dash - line, b' ');
    out.extend_from_slice(&tree.source[dash..span.start as usize]);
    Some(Edit::new(Span::new(dash, next), out))
}

/// Where the entry that comment `id` precedes in the table starts.
fn entry_behind(tree: &Tree<'_>, id: NodeId) -> Option<usize> {
    let next = tree.behind(id).find(|sibling| tree.node(*sibling).kind != Kind::Comment)?;
    if tree.has_key(next) {
        return Some(tree.node(next).key.start as usize);
    }
    dash_before(tree, next)
}
