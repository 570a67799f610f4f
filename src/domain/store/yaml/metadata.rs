//! The `sops` block in a YAML file: where it stands, what it says, how it comes
//! and goes (sops-compat 4.5). Every document carries a copy at its end. A file
//! without a final line break gets one in front of the block and none behind it,
//! so that taking the block out gives the file back.

use std::sync::Arc;

use super::chars::{self, find_break, own_break, trailing_break};
use super::emit::{Blocks, emit_block};
use super::emit_scalar::{form_of, write_double, write_typed};
use super::resolve::resolve;
use crate::domain::scalar::Scalar;
use crate::domain::secret::{SecretBytes, Text};
use crate::domain::store::splice::Edit;
use crate::domain::store::{Layout, ReadError, ReadErrorKind};
use crate::domain::tree::{Document, Flags, Kind, NodeId, Span, Style, Tree};
use crate::domain::value::{Entry, Value};

/// The top-level key.
pub(super) const KEY: &str = "sops";

/// The field that only our files have. Where the same bytes from SOPS would
/// decrypt to something else, it decides.
const MARK: &[u8] = b"leaflock_source";

/// Deeper metadata is refused.
const DEPTH: usize = 64;

/// The file's own line break: that of its first line.
pub(super) fn line_break(tree: &Tree<'_>) -> &'static [u8] {
    own_break(tree.source)
}

/// The first byte of the line that `at` is in, behind a byte order mark.
pub(super) fn line_start(source: &[u8], at: usize) -> usize {
    let ends = |(_, byte): &(usize, &u8)| matches!(byte, b'\n' | b'\r' | 0x85 | 0xA8 | 0xA9);
    let mut breaks = source[..at].iter().enumerate().rev().filter(ends).map(|(at, _)| at + 1);
    match breaks.find(|end| ends_in_break(&source[..*end])) {
        Some(behind) => behind,
        None if source.starts_with(b"\xEF\xBB\xBF") => 3.min(at),
        None => 0,
    }
}

/// One past the line break of the line that `at` is in, or the end of the file.
pub(super) fn line_end(source: &[u8], at: usize) -> usize {
    match find_break(&source[at..]) {
        Some(found) => at + found + chars::line_break(source, at + found),
        None => source.len(),
    }
}

pub(super) fn ends_in_break(bytes: &[u8]) -> bool {
    trailing_break(bytes) > 0
}

/// The `sops` entry of a document.
pub(super) fn entry(tree: &Tree<'_>, document: &Document) -> Option<NodeId> {
    let root = document.root;
    let is_entry = |id: NodeId| tree.key(id) == KEY.as_bytes() && tree.node(id).flags.has(Flags::METADATA);
    // It is the last entry, as a rule.
    let mut last = tree.node(root).end - 1;
    while last > root && tree.node(last).parent != root {
        last = tree.node(last).parent;
    }
    if last > root && is_entry(last) {
        return Some(last);
    }
    tree.children(root).find(|id| is_entry(*id))
}

/// True if the file says that its layout is its owner's.
pub(super) fn is_marked(tree: &Tree<'_>) -> bool {
    let entry = tree.documents.first().and_then(|first| entry(tree, first));
    entry.is_some_and(|entry| tree.children(entry).any(|field| tree.key(field) == MARK))
}

/// True if the plain file ends at `at`, without a line break.
pub(super) fn is_plain_end(tree: &Tree<'_>, at: usize) -> bool {
    if ends_in_break(tree.source) {
        return false;
    }
    let rest = &tree.source[at..];
    if rest.is_empty() {
        return true;
    }
    let Some(last) = tree.documents.last() else { return false };
    let start = (at + line_break(tree).len()).min(tree.source.len());
    let (before, behind) = tree.source.split_at(start);
    let key = behind.trim_ascii_start();
    // The search for the entry goes through all keys of a plain file.
    ends_in_break(before)
        && key.strip_prefix(b"\"").or(key.strip_prefix(b"'")).unwrap_or(key).starts_with(KEY.as_bytes())
        && entry(tree, last).is_some_and(|entry| block_span(tree, entry).start as usize == at)
}

/// The whole lines of a block entry, with the line break before it in a file
/// without a final one.
fn block_span(tree: &Tree<'_>, entry: NodeId) -> Span {
    let node = tree.node(entry);
    let mut start = line_start(tree.source, node.key.start as usize);
    let end = tree.nodes[entry as usize..node.end as usize].iter().map(|node| node.span.end).max();
    let mut end = end.unwrap_or(node.span.end) as usize;
    if !ends_in_break(&tree.source[..end]) {
        end = line_end(tree.source, end);
    }
    if end == tree.source.len() && !ends_in_break(tree.source) {
        start -= trailing_break(&tree.source[..start]);
    }
    Span::new(start, end)
}

pub(super) fn is_flow(tree: &Tree<'_>, root: NodeId) -> bool {
    let node = tree.node(root);
    node.style == Style::Flow && tree.source.get(node.span.start as usize) == Some(&b'{')
}

/// See [`crate::domain::store::Store::metadata`].
pub(super) fn read(tree: &Tree<'_>) -> Result<Option<Value>, ReadError> {
    let Some(entry) = tree.documents.first().and_then(|first| entry(tree, first)) else { return Ok(None) };
    if tree.node(entry).kind != Kind::Map {
        return Err(error(tree, entry, "Found sops entry that is not a mapping"));
    }
    value_of(tree, entry, 0).map(Some)
}

fn error(tree: &Tree<'_>, id: NodeId, message: &str) -> ReadError {
    ReadError {
        message: message.to_owned(),
        line: Some(tree.line(tree.node(id).span.start)),
        hint: None,
        kind: ReadErrorKind::Syntax,
    }
}

fn value_of(tree: &Tree<'_>, id: NodeId, depth: usize) -> Result<Value, ReadError> {
    if depth > DEPTH {
        return Err(error(tree, id, "sops metadata is nested too deeply"));
    }
    let node = tree.node(id);
    match node.kind {
        Kind::Scalar => {
            let text = tree.text(node.text);
            Ok(Value::Scalar(match resolve(text, node.tag, node.style == Style::Plain) {
                Ok(Scalar::Str(Text::Borrowed(_))) | Err(_) => Scalar::Str(tree.lasting_text(node.text)),
                Ok(scalar) => scalar.into_owned(),
            }))
        }
        Kind::Alias => value_of(tree, node.text.start, depth + 1),
        Kind::Comment => Ok(Value::Comment(tree.lasting_text(node.text))),
        Kind::Map => {
            let children = || tree.children(id).filter(|child| tree.node(*child).kind != Kind::Comment);
            // A thousand recipients are as many maps of two.
            let mut entries = Vec::with_capacity(children().count());
            for child in children() {
                let key = String::from_utf8_lossy(tree.key(child)).into_owned();
                entries.push(Entry::Pair(key, value_of(tree, child, depth + 1)?));
            }
            Ok(Value::Map(entries))
        }
        Kind::List => {
            let items = tree.children(id).filter(|child| tree.node(*child).kind != Kind::Comment);
            items.map(|child| value_of(tree, child, depth + 1)).collect::<Result<_, _>>().map(Value::List)
        }
    }
}

/// See [`crate::domain::store::Store::detach`].
pub(super) fn detach(tree: &Tree<'_>) -> Vec<Edit> {
    let marked = is_marked(tree);
    let mut edits = Vec::new();
    for (number, document) in tree.documents.iter().enumerate() {
        let Some(entry) = entry(tree, document) else { continue };
        if is_flow(tree, document.root) {
            edits.push(Edit::new(flow_span(tree, document.root, entry), Vec::new()));
            continue;
        }
        let keys = tree.children(document.root).filter(|id| tree.node(*id).kind != Kind::Comment).count();
        // SOPS writes nothing for an empty document but the block, and `{}` when it
        // decrypts. Only our files have a `---` before the first one.
        let unmarked_start = number > 0 || document.span.start as usize == line_start(tree.source, 0);
        let text: &[u8] = if keys == 1 && unmarked_start && !marked { b"{}\n" } else { b"" };
        edits.push(Edit::new(block_span(tree, entry), text));
    }
    edits
}

/// The entry in braces, with the comma that came with it: the one behind it, or
/// else the one before it.
fn flow_span(tree: &Tree<'_>, root: NodeId, entry: NodeId) -> Span {
    let node = tree.node(entry);
    let (start, end) = (node.key.start as usize, node.span.end as usize);
    if tree.source.get(end) == Some(&b',') {
        return Span::new(start, end + 1);
    }
    let inside = tree.node(root).span.start as usize + 1;
    let before = &tree.source[inside.min(start)..start];
    let blanks = before.iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
    match before.len().checked_sub(blanks + 1) {
        Some(comma) if before[comma] == b',' => Span::new(start - blanks - 1, end),
        _ => Span::new(start, end),
    }
}

/// See [`crate::domain::store::Store::attach`].
pub(super) fn attach(tree: &Tree<'_>, metadata: &Value) -> Vec<Edit> {
    let first = tree.documents.first().map_or(0, |first| first.root);
    let first_is_block = takes_block(tree, first);
    // What a later change writes by the first document's text is what is written now.
    let mut last = None;
    let of = |document| match bare_braces(tree, document).filter(|_| first_is_block) {
        Some(line) => vec![Edit::new(line, block_text(metadata, root_column(tree, first)))],
        None => attach_to(tree, document, metadata, &mut last),
    };
    tree.documents.iter().flat_map(of).collect()
}

/// The line of an empty document in braces, if nothing else is on it, an LF ends it, and
/// no comment would become one of the block in its place, which SOPS drops.
pub(super) fn bare_braces(tree: &Tree<'_>, document: &Document) -> Option<Span> {
    let start = line_start(tree.source, tree.node(document.root).span.start as usize);
    let line = Span::new(start, line_end(tree.source, start));
    let is_bare = is_flow(tree, document.root) && tree.raw(line) == b"{}\n";
    let below = Span { start: line.end, end: document.span.end.max(line.end) };
    (is_bare && !tree.raw(below).split_inclusive(|byte| *byte == b'\n').any(joins_block)).then_some(line)
}

/// True if `line`, below a block, may be a comment of the block: indented, or without
/// the LF that ends it. Blanks that end the file make one of those above them.
fn joins_block(line: &[u8]) -> bool {
    let text = line.trim_ascii_start();
    let is_open = !line.ends_with(b"\n") || line.contains(&b'\r');
    match text.first() {
        None => is_open,
        Some(b'#') => is_open || text.len() < line.len(),
        Some(_) => false,
    }
}

fn block_text(metadata: &Value, column: usize) -> Vec<u8> {
    let block = Value::Map(vec![Entry::Pair(KEY.to_owned(), metadata.clone())]);
    emit_block(&block, column as i32, Layout::default(), Blocks::All)
}

/// The text of a block in lines, where it is put: its column, and whether the line in
/// front of it is open. Most documents of a file have the same.
pub(super) type LastBlock = Option<(usize, bool, Arc<SecretBytes>)>;

pub(super) fn attach_to(
    tree: &Tree<'_>,
    document: &Document,
    metadata: &Value,
    last: &mut LastBlock,
) -> Vec<Edit> {
    if is_flow(tree, document.root) {
        let mut text = format!("\"{KEY}\": ").into_bytes();
        write_flow(metadata, &mut text);
        return vec![insert_flow(tree, document.root, &text)];
    }
    let root = tree.node(document.root);
    if is_written_null(tree, document.root) {
        // Braces, which are what is left when the entry goes.
        let mut text = format!("{{\"{KEY}\": ").into_bytes();
        write_flow(metadata, &mut text);
        text.push(b'}');
        let mut edits = vec![Edit::new(root.span, text)];
        edits.extend(tabs_below(tree, document));
        return edits;
    }
    let place = (root_column(tree, document.root), is_open(tree, document));
    let text = match last {
        Some((column, open, text)) if (*column, *open) == place => Arc::clone(text),
        _ => {
            let text = Arc::new(SecretBytes::new(block_lines(tree, block_text(metadata, place.0), place.1)));
            *last = Some((place.0, place.1, Arc::clone(&text)));
            text
        }
    };
    vec![Edit::sharing(document.span.end as usize, &text)]
}

/// The blanks that lines below a written null may begin with, if tabs are among them:
/// no such line can stand below braces.
fn tabs_below<'t>(tree: &'t Tree<'_>, document: &Document) -> impl Iterator<Item = Edit> + use<'t> {
    let mut at = tree.node(document.root).span.end as usize;
    let end = document.span.end as usize;
    std::iter::from_fn(move || {
        while at < end {
            at = line_end(tree.source, at);
            let blanks = tree.source[at..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
            if at < end && tree.source[at..at + blanks].contains(&b'\t') {
                return Some(Edit::new(Span::new(at, at + blanks), Vec::new()));
            }
        }
        None
    })
}

/// Column of a block root's keys.
pub(super) fn root_column(tree: &Tree<'_>, root: NodeId) -> usize {
    let first = tree.children(root).find(|id| tree.node(*id).kind != Kind::Comment);
    first.map_or(0, |first| tree.node(first).indent.max(0) as usize)
}

/// Adds `text`, whole lines ending in LF, to the end of a document.
pub(super) fn insert_block(tree: &Tree<'_>, document: &Document, text: &[u8]) -> Vec<Edit> {
    let end = document.span.end as usize;
    vec![Edit::new(Span::new(end, end), block_lines(tree, text.to_vec(), is_open(tree, document)))]
}

/// True if no line break ends a document.
fn is_open(tree: &Tree<'_>, document: &Document) -> bool {
    let text = &tree.source[..document.span.end as usize];
    !text.is_empty() && !ends_in_break(text) && text != b"\xEF\xBB\xBF"
}

/// `text`, whole lines ending in LF, in lines as the file has them, for the end of a
/// document: behind an open line, a line break comes first and none last.
fn block_lines(tree: &Tree<'_>, text: Vec<u8>, open: bool) -> Vec<u8> {
    let line_break = line_break(tree);
    if !open && line_break == b"\n" {
        return text;
    }
    let mut out = Vec::with_capacity(text.len() + text.len() / 16 + 64);
    if open {
        out.extend_from_slice(line_break);
    }
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        match line.strip_suffix(b"\n") {
            Some(line) => {
                out.extend_from_slice(line);
                out.extend_from_slice(line_break);
            }
            None => out.extend_from_slice(line),
        }
    }
    if open {
        out.truncate(out.len() - line_break.len());
    }
    out
}

/// True if the metadata comes in lines of its own.
pub(super) fn takes_block(tree: &Tree<'_>, root: NodeId) -> bool {
    !is_flow(tree, root) && !is_written_null(tree, root)
}

/// True for a document that is nothing but `~` or `null`.
fn is_written_null(tree: &Tree<'_>, root: NodeId) -> bool {
    let node = tree.node(root);
    let bare = tree.children(root).all(|child| tree.node(child).kind == Kind::Comment);
    node.style == Style::Plain && !node.span.is_empty() && bare
}

/// Adds the entry `text` inside the braces of `root`. Behind a trailing comma the
/// entry brings one of its own, so that it can be told apart.
pub(super) fn insert_flow(tree: &Tree<'_>, root: NodeId, text: &[u8]) -> Edit {
    let at = (tree.node(root).span.end as usize).saturating_sub(1);
    let last = tree.children(root).filter(|id| tree.node(*id).kind != Kind::Comment).last();
    let mut out = Vec::with_capacity(text.len() + 2);
    match last {
        None => out.extend_from_slice(text),
        Some(last) if has_comma(tree, last, at) => {
            out.extend_from_slice(text);
            out.push(b',');
        }
        Some(_) => {
            out.extend_from_slice(b", ");
            out.extend_from_slice(text);
        }
    }
    Edit::new(Span::new(at, at), out)
}

/// True if a comma follows entry `last` before `end`.
fn has_comma(tree: &Tree<'_>, last: NodeId, end: usize) -> bool {
    let node = tree.node(last);
    let inner = tree.nodes[last as usize..node.end as usize].iter().filter(|node| node.kind != Kind::Comment);
    let start = inner.map(|node| node.span.end.max(node.key.end)).max().unwrap_or(0) as usize;
    let start = start.min(end);
    let mut rest = &tree.source[start..end];
    while let [first, tail @ ..] = rest {
        match first {
            b',' => return true,
            b'#' => rest = &rest[find_break(rest).unwrap_or(rest.len())..],
            _ => rest = tail,
        }
    }
    false
}

/// Appends `value` in flow style, as JSON would write it.
pub(super) fn write_flow(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Scalar(Scalar::Str(text)) if form_of(text) == super::emit_scalar::Form::Binary => {
            out.extend_from_slice(b"!!binary ");
            out.extend(super::emit_scalar::binary_text(text).iter().filter(|byte| **byte != b'\n'));
        }
        Value::Scalar(Scalar::Str(text)) => write_double(text, out),
        Value::Scalar(scalar) => write_typed(scalar, out),
        Value::Comment(_) => {}
        Value::Map(entries) => {
            out.push(b'{');
            let mut first = true;
            for entry in entries {
                let Entry::Pair(key, value) = entry else { continue };
                if !std::mem::take(&mut first) {
                    out.extend_from_slice(b", ");
                }
                write_double(key.as_bytes(), out);
                out.extend_from_slice(b": ");
                write_flow(value, out);
            }
            out.push(b'}');
        }
        Value::List(items) => {
            out.push(b'[');
            for (number, item) in items.iter().filter(|item| !matches!(item, Value::Comment(_))).enumerate() {
                if number > 0 {
                    out.extend_from_slice(b", ");
                }
                write_flow(item, out);
            }
            out.push(b']');
        }
    }
}
