//! Tokens in the places of values and back: the owner's quotes and blocks stay,
//! so that decryption can tell them again.

use super::block_scalar::Block;
use super::chars::{find_break, is_blank_or_end, line_break, trailing_break};
use super::comment_place;
use super::emit::DEFAULT_INDENT;
use super::emit_scalar::{
    Form, binary_text, fits_plain_in_flow, fits_single_quotes, form_of, write_block_lines, write_double,
    write_literal_header, write_single, write_typed,
};
use super::metadata;
use super::resolve::resolve;
use super::tags::with_blanks;
use crate::domain::scalar::Scalar;
use crate::domain::search;
use crate::domain::secret::wipe;
use crate::domain::store::Plain;
use crate::domain::tree::{Flags, Kind, Node, NodeId, Span, Style, Tag, Tree};

/// See [`crate::domain::store::Store::token_style`]. A plain value in `[]` or `{}`
/// cannot stay plain, because tokens hold commas.
pub(super) fn token_style(tree: &Tree<'_>, id: NodeId) -> Style {
    let node = tree.node(id);
    match node.style {
        Style::Plain if node.flags.has(Flags::IN_FLOW) => Style::SingleQuoted,
        style => style,
    }
}

/// See [`crate::domain::store::Store::lock`].
pub(super) fn lock(tree: &Tree<'_>, id: NodeId, style: Style, token: &str, out: &mut Vec<u8>) -> Span {
    let node = tree.node(id);
    if node.kind == Kind::Comment {
        return comment_place::lock(tree, id, style, token, out);
    }
    let place = Place::of(tree, id, node);
    let block = match node.style {
        Style::Literal | Style::Folded => Block::of(tree, node),
        _ => None,
    };
    if matches!(style, Style::Literal | Style::Folded)
        && let Some(block) = &block
    {
        return place.put(tree, out, |out| {
            block.write_token(token, out);
            block.body
        });
    }
    place.put(tree, out, |out| {
        let quote = match style {
            Style::SingleQuoted => Some(b'\''),
            Style::DoubleQuoted => Some(b'"'),
            _ => None,
        };
        let anchor = tree.properties_of(id).anchor;
        if !anchor.is_empty() && anchor.end == node.span.start {
            // `&a:1` is the anchor `a` and the value `:1`.
            out.push(b' ');
        }
        out.extend(quote);
        out.extend_from_slice(token.as_bytes());
        out.extend(quote);
        leave_block(node, block.as_ref(), out)
    })
}

/// See [`crate::domain::store::Store::unlock`].
pub(super) fn unlock(
    tree: &Tree<'_>,
    id: NodeId,
    style: Style,
    plain: &Plain<'_>,
    out: &mut Vec<u8>,
) -> Span {
    let node = tree.node(id);
    if node.kind == Kind::Comment || matches!(style, Style::Element | Style::OwnLine) {
        return comment_place::unlock(tree, id, style, plain, out);
    }
    let mut place = Place::of(tree, id, node);
    let in_flow = node.flags.has(Flags::IN_FLOW);
    let block = match node.style {
        Style::Literal | Style::Folded => Block::of(tree, node),
        _ => None,
    };
    let Scalar::Str(text) = &plain.value else {
        if matches!(node.tag, Tag::Str | Tag::Collection) {
            place.take_tag(tree, id, node);
        }
        return place.put(tree, out, |out| {
            write_number(plain, out);
            if block.is_none() && tree.source.get(node.span.end as usize) == Some(&b'#') {
                // Behind a quote a comment needs no blank.
                out.push(b' ');
            }
            leave_block(node, block.as_ref(), out)
        });
    };
    let form = form_of(text);
    if form == Form::Binary {
        place.take_tag(tree, id, node);
        let one_line = in_flow || style != Style::Plain;
        return place.put(tree, out, |out| {
            write_binary(tree, id, text, one_line, out);
            leave_block(node, block.as_ref(), out)
        });
    }
    place.put(tree, out, |out| {
        if let (Some(block), Style::Literal | Style::Folded) = (&block, style)
            && let Some(span) = block.write_text(text, out)
        {
            return span;
        }
        match style {
            Style::SingleQuoted if in_flow && fits_plain_in_flow(text) => out.extend_from_slice(text),
            Style::SingleQuoted if fits_single_quotes(text) => write_single(text, out),
            Style::Plain if in_flow && fits_plain_in_flow(text) => out.extend_from_slice(text),
            Style::Plain if in_flow => write_quoted(text, out),
            Style::Plain => write_canonical(tree, id, text, form, out),
            _ => write_double(text, out),
        }
        leave_block(node, block.as_ref(), out)
    })
}

/// The span of a value that is written without its block, whose header comment stays.
fn leave_block(node: &Node, block: Option<&Block<'_>>, out: &mut Vec<u8>) -> Span {
    match block {
        Some(block) => {
            block.write_trail(out);
            block.whole
        }
        None => node.span,
    }
}

/// Where a value stands together with a core tag, which go-yaml could not read in
/// front of a token: `!!int 5`. Other tags stay, and so do anchors.
struct Place {
    /// Start of the tag that goes.
    start: Option<u32>,
    /// What stands between the tag and the value: an anchor, perhaps.
    kept: Span,
    /// A tag with a comment behind it, which has a token of its own: an edit of its own
    /// takes the tag away.
    parted: Option<Span>,
    value: u32,
}

/// See [`crate::domain::store::Store::parted_tag`].
pub(super) fn parted_tag(tree: &Tree<'_>, id: NodeId) -> Option<Span> {
    Place::of(tree, id, tree.node(id)).parted
}

/// True if a comment stands among the properties in `between`.
fn has_comment(between: &[u8]) -> bool {
    search::memchr_iter(b'#', between).any(|at| at == 0 || is_blank_or_end(between, at - 1))
}

impl Place {
    fn of(tree: &Tree<'_>, id: NodeId, node: &Node) -> Self {
        let mut place = Self { start: None, kept: Span::default(), parted: None, value: node.span.start };
        let core = matches!(
            node.tag,
            Tag::Null | Tag::Bool | Tag::Int | Tag::Float | Tag::Timestamp | Tag::Binary | Tag::Merge
        );
        if core {
            place.take_tag(tree, id, node);
        }
        place
    }

    /// Lets the tag go, whatever it is.
    fn take_tag(&mut self, tree: &Tree<'_>, id: NodeId, node: &Node) {
        if !node.flags.has(Flags::PROPERTIES) {
            return;
        }
        let tag = tree.properties_of(id).tag;
        if tag.is_empty() || tag.end > node.span.start {
            return;
        }
        let tag = with_blanks(tree.source, tag, node.span.start);
        let kept = Span { start: tag.end, end: node.span.start };
        if has_comment(tree.raw(kept)) {
            self.parted = Some(tag);
        } else {
            (self.start, self.kept) = (Some(tag.start), kept);
        }
    }

    /// Lets `write` put the new value, and returns the span that all of `out` replaces.
    fn put(&self, tree: &Tree<'_>, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> Span) -> Span {
        let Some(start) = self.start else { return write(out) };
        out.extend_from_slice(tree.raw(self.kept));
        let mut value = Vec::new();
        let span = write(&mut value);
        // A block's header stays.
        out.extend_from_slice(tree.raw(Span { start: self.value, end: span.start.max(self.value) }));
        out.extend_from_slice(&value);
        wipe(&mut value);
        Span { start, end: span.end }
    }
}

/// A number, boolean, time or null: in its own spelling where YAML reads that as the same value.
fn write_number(plain: &Plain<'_>, out: &mut Vec<u8>) {
    if let Some(spelling) = plain.spelling {
        let safe = spelling.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_.+-".contains(byte));
        if safe && resolve(spelling, Tag::None, true).is_ok_and(|value| value.same(&plain.value)) {
            out.extend_from_slice(spelling);
            return;
        }
    }
    write_typed(&plain.value, out);
}

/// A string that cannot be plain: single quotes if it fits, else double.
fn write_quoted(text: &[u8], out: &mut Vec<u8>) {
    match form_of(text) {
        Form::Double | Form::Literal => write_double(text, out),
        _ => write_single(text, out),
    }
}

/// A string as SOPS writes it in this place of a block collection.
fn write_canonical(tree: &Tree<'_>, id: NodeId, text: &[u8], form: Form, out: &mut Vec<u8>) {
    match form {
        Form::Plain => out.extend_from_slice(text),
        Form::Merge if has_tag(tree, id) => write_double(text, out),
        Form::Merge => out.extend_from_slice(b"!!merge <<"),
        Form::Single => write_single(text, out),
        Form::Literal if takes_literal(tree, id, text) => write_literal(tree, id, text, out),
        Form::Double | Form::Literal | Form::Binary => write_double(text, out),
    }
}

fn has_tag(tree: &Tree<'_>, id: NodeId) -> bool {
    !tree.properties_of(id).tag.is_empty()
}

/// Column of a literal block behind a key or a dash, and of what it stands in: as SOPS indents.
fn literal_column(tree: &Tree<'_>, id: NodeId) -> (usize, usize) {
    let node = tree.node(id);
    let parent = node.indent.max(0) as usize;
    let in_list = tree.node(node.parent).kind == Kind::List;
    (parent, if in_list { parent + 2 } else { 4 * ((parent + 4) / 4) })
}

/// A literal block without its last line break: that of the line it replaces follows.
fn write_literal(tree: &Tree<'_>, id: NodeId, text: &[u8], out: &mut Vec<u8>) {
    let (parent, column) = literal_column(tree, id);
    let line_break = metadata::line_break(tree);
    // As the emitter does: blank lines alone keep SOPS's digit.
    let is_blank = text.iter().all(|byte| *byte == b'\n');
    let offset = if is_blank { usize::from(DEFAULT_INDENT) } else { column - parent };
    write_literal_header(text, offset, out);
    out.extend_from_slice(line_break);
    write_block_lines(text.strip_suffix(b"\n").unwrap_or(text), column, line_break, out);
}

/// True if nothing follows the value on its line or below that would become part
/// of a block. An encrypted comment on the line does not count: it is moved above.
fn takes_literal(tree: &Tree<'_>, id: NodeId, text: &[u8]) -> bool {
    let node = tree.node(id);
    let raw = tree.raw(node.span);
    // A block's span ends behind its last line break.
    let end = match node.style {
        Style::Literal | Style::Folded => raw.len() - trailing_break(raw),
        _ => raw.len(),
    };
    let rest = &tree.source[node.span.start as usize + end..];
    let Some(end) = find_break(rest) else { return false };
    let behind = &rest[..end];
    let comment = behind.trim_ascii_start().starts_with(b"#ENC[");
    if !behind.is_empty() && (!comment || metadata::is_marked(tree)) {
        return false;
    }
    let below = &rest[end..];
    let below = &below[line_break(below, 0)..];
    let next = below.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
    let Some(next) = next else { return !text.ends_with(b"\n\n") && text != b"\n" || below.is_empty() };
    let blank = below[..next].iter().rposition(|byte| matches!(byte, b'\n' | b'\r'));
    let keeps = text.ends_with(b"\n\n") || text == b"\n";
    let column = next - blank.map_or(0, |at| at + 1);
    !(keeps && blank.is_some()) && (below[next] != b'#' || column < literal_column(tree, id).1)
}

/// Bytes that are not UTF-8.
fn write_binary(tree: &Tree<'_>, id: NodeId, bytes: &[u8], one_line: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(b"!!binary ");
    let mut packed = binary_text(bytes);
    if packed.ends_with(b"\n") && !one_line && takes_literal(tree, id, &packed) {
        write_literal(tree, id, &packed, out);
    } else {
        out.extend(packed.iter().filter(|byte| **byte != b'\n'));
    }
    wipe(&mut packed);
}
