//! The dotenv store (sops-compat 5.6): a line is a key, `=` and a value, and
//! nothing is trimmed or unquoted. A `#` in the first column makes a comment;
//! the two characters `\n` in a value are a line break, and there is no other
//! escape. Metadata are the lines whose key starts with `sops_`.
//!
//! SOPS knows no value of several lines. A plain file may hold one in quotes all the
//! same: it is encrypted as one value, which SOPS prints on one line, and cannot
//! stay in clear.
//!
//! A carriage return is part of its value or comment, as it is for SOPS. A
//! line that holds nothing else is blank for us but an error for SOPS, so that
//! `metadata` keeps those out of encrypted files.

mod metadata;
#[cfg(test)]
mod tests;

use memchr::memmem;

use super::flat_names::{Line, lines as flat_lines};
use super::splice::Edit;
use super::{Format, Layout, MetadataText, Plain, Purpose, ReadError, ReadErrorKind, Store, WriteError};
use crate::domain::scalar::{FloatStyle, Scalar, write_float};
use crate::domain::search::{self, memchr, memchr_iter, memchr2};
use crate::domain::secret::Text;
use crate::domain::tree::{Document, Flags, Kind, Node, NodeId, Span, Style, Tag, Tree};
use crate::domain::value::Value;

/// What the keys of metadata start with.
const PREFIX: &[u8] = b"sops_";

/// The dotenv store.
#[derive(Clone, Copy, Debug)]
pub struct Dotenv;

/// The offsets of the lines of `source`, without their line feeds.
fn lines(source: &[u8]) -> impl Iterator<Item = (usize, usize)> + '_ {
    let mut start = 0;
    memchr_iter(b'\n', source).chain(std::iter::once(source.len())).map(move |end| {
        let line = (start, end);
        start = end + 1;
        line
    })
}

fn read(source: &[u8], purpose: Purpose) -> Result<Tree<'_>, ReadError> {
    if source.len() >= (u32::MAX / 2) as usize {
        return Err(ReadError::syntax(1, "the file is larger than 2 GiB"));
    }
    let mut tree = Tree::new(source);
    let whole = Span::new(0, source.len());
    let root = Node {
        kind: Kind::Map,
        style: Style::Block,
        tag: Tag::None,
        flags: Flags::default(),
        parent: 0,
        end: 1,
        key: Span::default(),
        key_text: Span::default(),
        span: whole,
        text: Span::default(),
        indent: 0,
    };
    tree.nodes.push(root);
    let mut read_up_to = 0;
    for (number, (start, end)) in lines(source).enumerate() {
        if start < read_up_to {
            continue;
        }
        let line = &source[start..end];
        let id = tree.nodes.len() as NodeId;
        let mut node = Node { end: id + 1, span: Span::new(start, end), ..root };
        match line.first() {
            None => continue,
            Some(b'\r') if line.len() == 1 => continue,
            Some(b'#') => {
                node.kind = Kind::Comment;
                node.style = Style::OwnLine;
                node.text = Span::new(start + 1, end);
            }
            Some(_) => {
                let Some(equals) = memchr(b'=', line) else { return Err(no_equals(number + 1)) };
                node.kind = Kind::Scalar;
                node.style = Style::Plain;
                node.key = Span::new(start, start + equals);
                node.key_text = node.key;
                let value = start + equals + 1;
                let last = if purpose == Purpose::Encrypt { end_of_lines(source, value, end) } else { None };
                if let Some(last) = last {
                    node.flags.set(Flags::AMBIGUOUS);
                    read_up_to = last;
                }
                node.span = Span::new(value, last.unwrap_or(end));
                node.text = decode(&mut tree, node.span);
                if line.starts_with(PREFIX) {
                    node.flags.set(Flags::METADATA);
                }
            }
        }
        tree.nodes.push(node);
    }
    tree.nodes[0].end = tree.nodes.len() as NodeId;
    tree.documents.push(Document { root: 0, span: whole });
    Ok(tree)
}

/// Where the last line ends of the value that starts at `value`, if it stands in
/// quotes that close on a later line than the one that ends at `end`, with nothing
/// but a comment behind them.
fn end_of_lines(source: &[u8], value: usize, end: usize) -> Option<usize> {
    let open = value + source[value..end].iter().position(|byte| !b" \t".contains(byte))?;
    let quote = source[open];
    let close = match quote {
        b'\'' => memchr(quote, &source[open + 1..])? + open + 1,
        b'"' => closing_quote(source, open + 1)?,
        _ => return None,
    };
    if close < end {
        return None;
    }
    let last = memchr(b'\n', &source[close..]).map_or(source.len(), |length| close + length);
    let behind = &source[close + 1..last];
    let behind = behind.strip_suffix(b"\r").unwrap_or(behind);
    let comment = behind.iter().position(|byte| !b" \t".contains(byte));
    comment.is_none_or(|at| at > 0 && behind[at] == b'#').then_some(last)
}

/// The first double quote from `at` on that no backslash escapes.
fn closing_quote(source: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += memchr2(b'"', b'\\', source.get(at..)?)?;
        if source[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

fn no_equals(line: usize) -> ReadError {
    ReadError {
        message: "invalid dotenv input line: it has no `=`".into(),
        line: Some(line),
        hint: Some("a value of several lines stands in quotes, or has its line breaks written as \\n"),
        kind: ReadErrorKind::Syntax,
    }
}

/// The text span of the value in `span`.
fn decode(tree: &mut Tree<'_>, span: Span) -> Span {
    let source = tree.source;
    let raw = tree.raw(span);
    if memchr(b'\\', raw).is_none() || search::memmem(b"\\n", raw).is_none() {
        return span;
    }
    if tree.decoded.is_empty() {
        // Decoded text is shorter than what it was written as.
        tree.decoded_mut().reserve(source.len() - span.start as usize);
    }
    let begin = source.len() + tree.decoded.len();
    decode_into(raw, tree.decoded_mut());
    Span::new(begin, source.len() + tree.decoded.len())
}

/// Appends `raw` with each `\n` as a line break.
pub(super) fn decode_into(raw: &[u8], out: &mut Vec<u8>) {
    let mut done = 0;
    for at in memmem::find_iter(raw, b"\\n") {
        out.extend_from_slice(&raw[done..at]);
        out.push(b'\n');
        done = at + 2;
    }
    out.extend_from_slice(&raw[done..]);
}

/// Appends `text` with its line breaks as `\n`.
pub(super) fn encode_into(text: &[u8], out: &mut Vec<u8>) {
    let mut done = 0;
    for at in memchr_iter(b'\n', text) {
        out.extend_from_slice(&text[done..at]);
        out.extend_from_slice(b"\\n");
        done = at + 1;
    }
    out.extend_from_slice(&text[done..]);
}

/// Appends a value as SOPS prints it.
pub fn write_scalar(scalar: &Scalar<'_>, out: &mut Vec<u8>) {
    match scalar {
        Scalar::Null => out.extend_from_slice(b"<nil>"),
        Scalar::Bool(value) => out.extend_from_slice(value.to_string().as_bytes()),
        Scalar::Float(number) => write_float(*number, FloatStyle::Dotenv, out),
        Scalar::Int(_) => scalar.write_canonical(out),
        Scalar::Time(_) => {
            let mut text = Vec::new();
            scalar.write_canonical(&mut text);
            let fraction = memchr(b'.', &text).unwrap_or(text.len());
            let digits = text[fraction..].iter().skip(1).take_while(|byte| byte.is_ascii_digit()).count();
            out.extend_from_slice(&text[..fraction]);
            out.extend_from_slice(text.get(fraction + 1 + digits..).unwrap_or_default());
        }
        Scalar::Str(text) => encode_into(text, out),
    }
}

/// Appends comment lines, each with the line break that ends it.
fn write_comment(text: &[u8], out: &mut Vec<u8>) {
    for line in text.split(|&byte| byte == b'\n') {
        out.push(b'#');
        out.extend_from_slice(line);
        out.push(b'\n');
    }
}

fn complex(key: &str) -> WriteError {
    WriteError::new(format!("cannot use complex value in dotenv file; offending key {key}"))
}

/// Refuses keys that would read back as something else.
fn check_key(key: &str) -> Result<(), WriteError> {
    let broken = key.starts_with('#') || key.contains(['=', '\n']);
    if broken {
        let message = format!("the key {} cannot be written in a dotenv file", key.escape_default());
        return Err(WriteError::new(message));
    }
    Ok(())
}

/// The Go name of a value's type, which SOPS shows.
fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Scalar(Scalar::Null) => "<nil>",
        Value::Scalar(Scalar::Bool(_)) => "bool",
        Value::Scalar(Scalar::Int(_)) => "int",
        Value::Scalar(Scalar::Float(_)) => "float64",
        Value::Scalar(Scalar::Time(_)) => "time.Time",
        Value::Scalar(Scalar::Str(_)) => "string",
        Value::Map(_) => "sops.TreeBranch",
        Value::List(_) => "[]interface {}",
        Value::Comment(_) => "sops.Comment",
    }
}

impl Store for Dotenv {
    fn format(&self) -> Format {
        Format::Dotenv
    }

    fn read<'s>(&self, source: &'s [u8], purpose: Purpose) -> Result<Tree<'s>, ReadError> {
        read(source, purpose)
    }

    fn scalar<'t>(&self, tree: &'t Tree<'_>, id: NodeId) -> Scalar<'t> {
        Scalar::Str(Text::Borrowed(tree.text(tree.node(id).text)))
    }

    fn token_style(&self, tree: &Tree<'_>, id: NodeId) -> Style {
        tree.node(id).style
    }

    fn lock(&self, tree: &Tree<'_>, id: NodeId, _style: Style, token: &str, out: &mut Vec<u8>) -> Span {
        if tree.node(id).kind == Kind::Comment {
            out.push(b'#');
        }
        out.extend_from_slice(token.as_bytes());
        tree.node(id).span
    }

    fn unlock(
        &self,
        tree: &Tree<'_>,
        id: NodeId,
        _style: Style,
        plain: &Plain<'_>,
        out: &mut Vec<u8>,
    ) -> Span {
        match (tree.node(id).kind, &plain.value) {
            (Kind::Comment, Scalar::Str(text)) => {
                write_comment(text, out);
                out.pop();
            }
            (_, value) => write_scalar(value, out),
        }
        tree.node(id).span
    }

    fn hoist(&self, _tree: &Tree<'_>, _id: NodeId, _text: &[u8]) -> Vec<Edit> {
        Vec::new()
    }

    fn spelled(&self, tree: &Tree<'_>, id: NodeId, spelling: &[u8], value: &Scalar<'_>) -> Option<Span> {
        let Scalar::Str(text) = value else { return None };
        if let Some(first) = memchr(b'\n', spelling)
            && (tree.node(id).kind == Kind::Comment
                || end_of_lines(spelling, 0, first) != Some(spelling.len()))
        {
            return None;
        }
        let reads_back = if tree.node(id).kind == Kind::Comment {
            spelling.strip_prefix(b"#") == Some(text)
        } else {
            let mut decoded = Vec::new();
            decode_into(spelling, &mut decoded);
            decoded == text[..]
        };
        reads_back.then(|| tree.node(id).span)
    }

    fn metadata(&self, tree: &Tree<'_>) -> Result<Option<Value>, ReadError> {
        metadata::read(tree)
    }

    fn detach(&self, tree: &Tree<'_>) -> Vec<Edit> {
        metadata::detach(tree)
    }

    fn attach(&self, tree: &Tree<'_>, metadata: &Value) -> Vec<Edit> {
        metadata::attach(tree, metadata)
    }

    fn metadata_text(&self, tree: &Tree<'_>, changes: &[(&str, Option<&str>)]) -> MetadataText {
        metadata::text(tree, changes)
    }

    fn attach_text(&self, tree: &Tree<'_>, metadata: &MetadataText) -> Vec<Edit> {
        metadata::attach_text(tree, metadata)
    }

    fn replace(&self, tree: &Tree<'_>, id: NodeId, value: &Value) -> Result<Vec<Edit>, WriteError> {
        let node = tree.node(id);
        let key = || String::from_utf8_lossy(tree.key(id)).into_owned();
        let mut text = Vec::new();
        match value {
            Value::Scalar(scalar) if node.kind == Kind::Scalar => write_scalar(scalar, &mut text),
            Value::Comment(comment) if node.kind == Kind::Comment => {
                write_comment(comment, &mut text);
                text.pop();
            }
            _ => return Err(complex(&key())),
        }
        Ok(vec![Edit::new(node.span, text)])
    }

    fn insert(
        &self,
        tree: &Tree<'_>,
        _id: NodeId,
        key: &str,
        value: &Value,
    ) -> Result<Vec<Edit>, WriteError> {
        check_key(key)?;
        let Value::Scalar(scalar) = value else { return Err(complex(key)) };
        if key.as_bytes().starts_with(PREFIX) {
            return Err(WriteError::new(format!("the name {key} is reserved for sops metadata")));
        }
        let mut line = key.as_bytes().to_vec();
        line.push(b'=');
        write_scalar(scalar, &mut line);
        let last = tree.children(0).filter(|&id| !tree.node(id).flags.has(Flags::METADATA)).last();
        let end = last.map_or(0, |last| tree.node(last).span.end as usize);
        // Behind the last line; in a file without lines, at its start.
        let at = if last.is_some() && end < tree.source.len() { end + 1 } else { end };
        if last.is_some() && at == end {
            line.insert(0, b'\n');
        } else {
            line.push(b'\n');
        }
        Ok(vec![Edit::new(Span::new(at, at), line)])
    }

    fn append(&self, _tree: &Tree<'_>, _id: NodeId, _value: &Value) -> Result<Vec<Edit>, WriteError> {
        Err(WriteError::new("a dotenv file has no lists"))
    }

    fn remove(&self, tree: &Tree<'_>, id: NodeId) -> Result<Vec<Edit>, WriteError> {
        let node = tree.node(id);
        if node.parent == id {
            return Err(WriteError::new("the whole file cannot be removed"));
        }
        let start = if node.kind == Kind::Comment { node.span.start } else { node.key.start } as usize;
        let end = node.span.end as usize;
        let span = if end < tree.source.len() {
            Span::new(start, end + 1)
        } else {
            Span::new(start.saturating_sub(1), end)
        };
        Ok(vec![Edit::new(span, "")])
    }

    fn emit(&self, documents: &[Value], _layout: Layout) -> Result<Vec<u8>, WriteError> {
        let Some(Value::Map(entries)) = documents.first() else { return Ok(Vec::new()) };
        let mut out = Vec::new();
        for line in flat_lines(entries)? {
            match line {
                Line::Comment(text) => write_comment(text, &mut out),
                Line::Leaf(leaf) => {
                    check_key(&leaf.name)?;
                    out.extend_from_slice(leaf.name.as_bytes());
                    out.push(b'=');
                    write_scalar(leaf.scalar, &mut out);
                    out.push(b'\n');
                }
            }
        }
        Ok(out)
    }

    fn emit_value(&self, value: &Value, layout: Layout) -> Result<Vec<u8>, WriteError> {
        match value {
            Value::Map(_) => self.emit(std::slice::from_ref(value), layout),
            Value::Scalar(Scalar::Str(text)) => Ok(text.to_vec()),
            other => Err(WriteError::new(format!(
                "the dotenv store only supports emitting strings, got {}",
                go_type(other)
            ))),
        }
    }
}
