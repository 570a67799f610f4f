//! Changes to an INI file that leave the rest of it as it is: the `[sops]`
//! section comes and goes, keys and sections are added, replaced and removed.

use super::read::{METADATA, read};
use super::write::{quoted, reads_as, text_of, write_flat, write_header, write_section_body, written_key};
use super::{Edit, line_end, line_start, newline_of, written_value};
use crate::domain::store::dotenv::decode_into;
use crate::domain::store::flatten::{flatten, unflatten};
use crate::domain::store::{MetadataText, ReadError, WriteError};
use crate::domain::tree::{Flags, Kind, NodeId, Span, Style, Tree};
use crate::domain::value::{Entry, Value};

/// The `[sops]` section of the file.
fn section(tree: &Tree<'_>) -> Option<NodeId> {
    tree.children(0).find(|&id| tree.key(id) == METADATA)
}

/// True when `block` is comment lines and blank lines only, and is read as `text`.
pub(super) fn is_comment_block(block: &[u8], text: &[u8]) -> bool {
    let file = [block, b"\nz=1\n"].concat();
    let Ok(tree) = read(&file) else { return false };
    let [.., key, comment] = &tree.nodes[..] else { return false };
    tree.nodes.len() == 4
        && key.kind == Kind::Scalar
        && comment.kind == Kind::Comment
        && comment.span.start == 0
        && comment.span.end as usize == block.len()
        && tree.text(comment.text) == text
}

/// The span of comment `id` and of the header below it, if `block` is that
/// header with a comment behind it (and comment lines above) that is read as `text`.
pub(super) fn with_header(tree: &Tree<'_>, id: NodeId, block: &[u8], text: &[u8]) -> Option<Span> {
    let node = tree.node(id);
    let header = tree.node(node.parent).key;
    if header.is_empty() || header.start < node.span.end {
        return None;
    }
    let between = &tree.source[node.span.end as usize..header.start as usize];
    let file = [block, b"\nz=1\n"].concat();
    let read_back = read(&file).ok()?;
    let [_, _, section, comment, _] = &read_back.nodes[..] else { return None };
    let same = comment.kind == Kind::Comment
        && comment.span == Span::new(0, block.len())
        && read_back.text(comment.text) == text
        && read_back.raw(section.key) == tree.raw(header)
        && super::text::leading(between) == between.len();
    same.then_some(Span { start: node.span.start, end: header.end })
}

/// The metadata as nested values. Line breaks are written `\n`, or as they are
/// in triple quotes (SOPS 3.13.0).
pub(super) fn metadata(tree: &Tree<'_>) -> Result<Option<Value>, ReadError> {
    let Some(id) = section(tree) else { return Ok(None) };
    let mut pairs = Vec::new();
    for field in tree.children(id).filter(|&field| tree.node(field).kind == Kind::Scalar) {
        let mut text = Vec::new();
        decode_into(tree.text(tree.node(field).text), &mut text);
        let name = String::from_utf8_lossy(tree.key(field)).into_owned();
        // A file that git or an editor turned to CRLF has it in those breaks too.
        text.retain(|&byte| byte != b'\r');
        pairs.push((name, text));
    }
    unflatten(&pairs).map(Some)
}

/// The lines of the `[sops]` section: from its header to the end of its last
/// key, or of the file if nothing follows.
fn section_lines(tree: &Tree<'_>, id: NodeId) -> (usize, usize) {
    let source = tree.source;
    let start = line_start(source, tree.node(id).key.start as usize);
    let mut end = tree.node(id).key.end as usize;
    for field in tree.children(id) {
        if tree.node(field).kind == Kind::Scalar {
            end = end.max(tree.node(field).span.end as usize);
        }
    }
    let end = (line_end(source, end) + 1).min(source.len());
    if super::text::leading(&source[end..]) == source.len() - end {
        (start, source.len())
    } else {
        (start, end)
    }
}

/// The start of the line break that ends at `end`.
fn before_break(source: &[u8], end: usize) -> Option<usize> {
    let line = source[..end].strip_suffix(b"\n")?;
    Some(line.strip_suffix(b"\r").unwrap_or(line).len())
}

/// Removes the `[sops]` section and the blank line in front of it; at the end of
/// a file without a final line break, the line break before that too.
pub(super) fn detach(tree: &Tree<'_>) -> Vec<Edit> {
    let Some(id) = section(tree) else { return Vec::new() };
    let source = tree.source;
    let (mut start, end) = section_lines(tree, id);
    if let Some(blank) = before_break(source, start)
        && (blank == 0 || source[..blank].ends_with(b"\n"))
    {
        // The two line breaks are the same, and a lone return before them is the owner's.
        let newline = &source[blank..start];
        start = blank;
        if end == source.len() && !source.ends_with(b"\n") {
            start = source[..start].strip_suffix(newline).map_or(start, <[u8]>::len);
        }
    }
    vec![Edit::new(Span::new(start, end), "")]
}

/// Adds `metadata` as the last section.
pub(super) fn attach(tree: &Tree<'_>, metadata: &Value) -> Vec<Edit> {
    let newline = newline_of(tree.source).as_bytes();
    let mut text = [b"[sops]", newline].concat();
    write_flat(flatten(metadata).unwrap_or_default(), newline, &mut text);
    attach_text(tree, &MetadataText(text))
}

/// Adds a kept section as the last one, a blank line in front of it. A file
/// without a final line break keeps none, so that [`detach`] can tell.
pub(super) fn attach_text(tree: &Tree<'_>, metadata: &MetadataText) -> Vec<Edit> {
    let source = tree.source;
    let newline = newline_of(source).as_bytes();
    let text = &metadata.0[..];
    let at = Span::new(source.len(), source.len());
    let body = source.strip_prefix(b"\xef\xbb\xbf").unwrap_or(source);
    let text = if body.is_empty() {
        text.to_vec()
    } else if source.ends_with(b"\n") {
        [newline, text].concat()
    } else {
        [newline, newline, &text[..before_break(text, text.len()).unwrap_or(text.len())]].concat()
    };
    vec![Edit::new(at, text)]
}

/// The `[sops]` section with `changes` applied, ended by a line break.
pub(super) fn metadata_text(tree: &Tree<'_>, changes: &[(&str, Option<&str>)]) -> MetadataText {
    let Some(id) = section(tree) else { return MetadataText(Vec::new()) };
    let (start, end) = section_lines(tree, id);
    let newline = newline_of(tree.source).as_bytes();
    let mut text = tree.source[start..end].to_vec();
    if !text.ends_with(b"\n") {
        text.extend_from_slice(newline);
    }
    for (name, value) in changes {
        let Ok(tree) = read(&text) else { break };
        let Some(id) = section(&tree) else { break };
        let field = tree.children(id).find(|&field| tree.key(field) == name.as_bytes());
        let edits = match (field, value) {
            (Some(field), Some(value)) => {
                let mut encoded = Vec::new();
                crate::domain::store::dotenv::encode_into(value.as_bytes(), &mut encoded);
                let style = tree.node(field).style;
                vec![Edit::new(tree.node(field).span, written_value(&tree, field, style, &encoded))]
            }
            (Some(field), None) => remove(&tree, field).unwrap_or_default(),
            (None, Some(value)) => insert(&tree, id, name, &Value::text(*value)).unwrap_or_default(),
            (None, None) => continue,
        };
        text = crate::domain::store::splice::apply(tree.source, edits);
    }
    MetadataText(text)
}

/// Makes `value` the value of key `id`.
pub(super) fn replace(tree: &Tree<'_>, id: NodeId, value: &Value) -> Result<Vec<Edit>, WriteError> {
    let node = tree.node(id);
    let Value::Scalar(scalar) = value else { return Err(no_container()) };
    if node.kind != Kind::Scalar {
        return Err(no_container());
    }
    let mut written = written_value(tree, id, node.style, &text_of(scalar));
    let behind = tree.source.get(node.span.end as usize);
    if node.span.is_empty() && behind.is_some_and(|&byte| super::is_marker(byte)) {
        written.push(b' ');
    }
    Ok(vec![Edit::new(node.span, written)])
}

fn no_container() -> WriteError {
    WriteError::new("an INI section holds keys with single values only")
}

/// Adds a key at the end of section `id`, or a section at the end of the file,
/// in front of the metadata.
pub(super) fn insert(tree: &Tree<'_>, id: NodeId, key: &str, value: &Value) -> Result<Vec<Edit>, WriteError> {
    if tree.node(id).kind != Kind::Map {
        return Err(no_container());
    }
    match value {
        Value::Map(entries) if id == tree.node(id).parent => insert_section(tree, key, entries),
        Value::Scalar(scalar) if id != tree.node(id).parent => insert_key(tree, id, key, &text_of(scalar)),
        Value::Scalar(_) => Err(WriteError::new("an INI file holds sections only at its top level")),
        _ => Err(no_container()),
    }
}

fn insert_key(tree: &Tree<'_>, id: NodeId, key: &str, text: &[u8]) -> Result<Vec<Edit>, WriteError> {
    let source = tree.source;
    let newline = newline_of(source).as_bytes();
    let key = written_key(key)?;
    let node = tree.node(id);
    let last = tree
        .children(id)
        .filter(|&child| tree.node(child).kind == Kind::Scalar)
        .max_by_key(|&child| tree.node(child).key.start);
    let (end, mut line, separator) = match last {
        Some(last) => {
            let last = tree.node(last);
            let start = last.key.start as usize;
            let indent = super::indent_at(source, start);
            let between = &source[last.key.end as usize..last.span.start as usize];
            (
                last.span.end as usize,
                indent.to_vec(),
                aligned(between, last.key.end - last.key.start, key.len()),
            )
        }
        None => (node.key.end.max(node.span.start) as usize, Vec::new(), b" = ".to_vec()),
    };
    line.extend_from_slice(&key);
    line.extend_from_slice(&separator);
    line.extend_from_slice(&quoted(text, None, |written| {
        text.is_empty() || reads_as(&separator, written, b"", text)
    }));
    if last.is_none() && node.key.is_empty() {
        // Keys without a section stand at the start of the file.
        line.extend_from_slice(newline);
        return Ok(vec![Edit::new(Span::new(end, end), line)]);
    }
    let at = line_end(source, end);
    if at == source.len() {
        return Ok(vec![Edit::new(Span::new(at, at), [newline, &line].concat())]);
    }
    line.extend_from_slice(newline);
    Ok(vec![Edit::new(Span::new(at + 1, at + 1), line)])
}

/// The delimiter of a neighbour whose key has `width` bytes, with the blanks
/// before it set so that the delimiters align.
fn aligned(between: &[u8], width: u32, length: usize) -> Vec<u8> {
    let Some(at) = between.iter().position(|byte| matches!(byte, b'=' | b':')) else {
        return b" = ".to_vec();
    };
    let tail = &between[at..];
    // A neighbour without a value may lack the blank behind its delimiter.
    if at == 0 {
        return tail.to_vec();
    }
    let column = width as usize + at;
    let mut out = vec![b' '; column.saturating_sub(length).max(1)];
    out.extend_from_slice(tail);
    out
}

fn insert_section(tree: &Tree<'_>, name: &str, entries: &[Entry]) -> Result<Vec<Edit>, WriteError> {
    let source = tree.source;
    let newline = newline_of(source).as_bytes();
    let mut text = Vec::new();
    write_header(name, newline, &mut text)?;
    write_section_body(entries, newline, &mut text)?;
    if let Some(id) = section(tree) {
        let (start, _) = section_lines(tree, id);
        text.extend_from_slice(newline);
        return Ok(vec![Edit::new(Span::new(start, start), text)]);
    }
    Ok(attach_text(tree, &MetadataText(text)))
}

/// Removes a key with its line (and with those that it shadows), a section with
/// its keys and its comment, or a comment.
pub(super) fn remove(tree: &Tree<'_>, id: NodeId) -> Result<Vec<Edit>, WriteError> {
    let source = tree.source;
    let node = tree.node(id);
    if node.parent == id || (node.kind == Kind::Map && node.key.is_empty()) {
        return Err(WriteError::new("this section cannot be removed; remove its keys"));
    }
    match (node.kind, node.style) {
        (Kind::Map, _) => Ok(vec![Edit::new(section_span(tree, id), "")]),
        (Kind::Comment, Style::Inline) => {
            let start = node.span.start as usize;
            let line = line_start(source, start);
            let blanks = super::write::line_length(&source[line..start]);
            Ok(vec![Edit::new(Span::new(line + blanks, node.span.end as usize), "")])
        }
        (Kind::Comment, _) => Ok(vec![Edit::new(whole_lines(source, node.span), "")]),
        _ => {
            let shadowed = (id + 1..tree.node(node.parent).end)
                .take_while(|&next| tree.node(next).flags.has(Flags::SHADOWED))
                .filter(|_| !node.flags.has(Flags::SHADOWED));
            let lines = std::iter::once(id).chain(shadowed).map(|id| {
                let node = tree.node(id);
                whole_lines(source, Span { start: node.key.start, end: node.span.end })
            });
            Ok(lines.map(|span| Edit::new(span, "")).collect())
        }
    }
}

/// The lines that `span` stands on: with their line break, or, at the end of the
/// file, with the one before.
fn whole_lines(source: &[u8], span: Span) -> Span {
    let start = line_start(source, span.start as usize);
    let end = line_end(source, span.end as usize);
    if end < source.len() {
        Span::new(start, end + 1)
    } else {
        Span::new(before_break(source, start).unwrap_or(start), end)
    }
}

/// The lines of section `id`, from its comment to the next section's.
fn section_span(tree: &Tree<'_>, id: NodeId) -> Span {
    let source = tree.source;
    let start_of = |id: NodeId| {
        let comment = tree.node(id + 1 - u32::from(id + 1 == tree.nodes.len() as NodeId));
        let header = tree.node(id).key.start;
        let own = comment.kind == Kind::Comment && comment.parent == id && comment.span.start < header;
        line_start(source, if own { comment.span.start } else { header } as usize)
    };
    let start = start_of(id);
    let next = tree.node(id).end;
    let end = if (next as usize) < tree.nodes.len() { start_of(next) } else { source.len() };
    Span::new(start, end)
}
