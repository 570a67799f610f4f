//! The JSON store (sops-compat 5.4). Every leaf is replaced in place; what
//! stands between the values is never touched.
//!
//! Numbers are typed as SOPS 3.13.2 does: an integer if the literal fits 64
//! bits, else a double. Releases before read every number as a double, and the
//! MAC allows for both.

mod edit;
mod read;
#[cfg(test)]
mod tests;
mod write;

use super::splice::Edit;
use super::{Format, Layout, MetadataText, Plain, Purpose, ReadError, Store, WriteError};
use crate::domain::scalar::Scalar;
use crate::domain::secret::Text;
use crate::domain::tree::{Flags, Kind, NodeId, Span, Style, Tree};
use crate::domain::value::{Entry, Value};
use write::{Look, write_scalar, write_value};

/// How deep `sops` metadata may nest.
const METADATA_NESTING: usize = 64;

/// The JSON store.
#[derive(Clone, Copy, Debug)]
pub struct Json;

/// The indentation of a file that SOPS wrote with spaces (`stores.json.indent`,
/// `--indent`), which it prints in whatever layout is set when it decrypts.
/// `None` for files with tabs, and for our own: their metadata has each key in
/// one line, as SOPS never writes it.
pub fn sops_indent(tree: &Tree<'_>) -> Option<u8> {
    edit::sops_indent(tree)
}

/// The double that a number literal stands for; NaN for anything else.
fn float_of(literal: &[u8]) -> f64 {
    std::str::from_utf8(literal).ok().and_then(|text| text.parse().ok()).unwrap_or(f64::NAN)
}

/// The value of a literal without quotes.
fn scalar_of(literal: &[u8]) -> Scalar<'static> {
    match literal.first() {
        Some(b't') => return Scalar::Bool(true),
        Some(b'f') => return Scalar::Bool(false),
        Some(b'n') | None => return Scalar::Null,
        _ => {}
    }
    let integer = std::str::from_utf8(literal).ok().and_then(|text| text.parse().ok());
    integer.map_or_else(|| Scalar::Float(float_of(literal)), Scalar::Int)
}

/// True when `spelling` is JSON for exactly `value`; an integer literal may
/// also stand for the double that it is.
fn spells(spelling: &[u8], value: &Scalar<'_>) -> bool {
    let Some(tree) = read::read_scalar(spelling) else { return false };
    let found = Json.scalar(&tree, 0);
    match (&found, value) {
        (Scalar::Int(_), Scalar::Float(number)) => float_of(spelling).to_bits() == number.to_bits(),
        _ => found.same(value),
    }
}

/// The values below `id`, without comments.
fn value_of(tree: &Tree<'_>, id: NodeId, depth: usize) -> Result<Value, ReadError> {
    let node = tree.node(id);
    if depth > METADATA_NESTING {
        return Err(ReadError::syntax(tree.line(node.span.start), "the sops metadata nests too deep"));
    }
    Ok(match node.kind {
        Kind::Map => {
            let mut entries = Vec::new();
            for child in tree.children(id) {
                let key = String::from_utf8_lossy(tree.key(child)).into_owned();
                entries.push(Entry::Pair(key, value_of(tree, child, depth + 1)?));
            }
            Value::Map(entries)
        }
        Kind::List => {
            let mut elements = Vec::new();
            for child in tree.children(id) {
                elements.push(value_of(tree, child, depth + 1)?);
            }
            Value::List(elements)
        }
        _ => Value::Scalar(Json.scalar(tree, id).into_owned()),
    })
}

/// `value` as JSON on one line without blanks.
pub(super) fn write_compact(value: &Value) -> Result<Vec<u8>, WriteError> {
    let look =
        Look { newline: None, unit: Vec::new(), colon: b":".to_vec(), space: Vec::new(), short: false };
    let mut out = Vec::new();
    write_value(value, &look, b"", &mut out)?;
    Ok(out)
}

/// The `sops` member of the file, if there is one.
fn metadata_node(tree: &Tree<'_>) -> Option<NodeId> {
    let root = tree.documents.first()?.root;
    tree.children(root).find(|&id| tree.node(id).flags.has(Flags::METADATA))
}

impl Store for Json {
    fn format(&self) -> Format {
        Format::Json
    }

    fn read<'s>(&self, source: &'s [u8], _purpose: Purpose) -> Result<Tree<'s>, ReadError> {
        read::read(source)
    }

    fn scalar<'t>(&self, tree: &'t Tree<'_>, id: NodeId) -> Scalar<'t> {
        let node = tree.node(id);
        let text = tree.text(node.text);
        match node.style {
            Style::DoubleQuoted => Scalar::Str(Text::Borrowed(text)),
            _ => scalar_of(text),
        }
    }

    fn token_style(&self, _tree: &Tree<'_>, _id: NodeId) -> Style {
        Style::DoubleQuoted
    }

    fn lock(&self, tree: &Tree<'_>, id: NodeId, _style: Style, token: &str, out: &mut Vec<u8>) -> Span {
        out.push(b'"');
        out.extend_from_slice(token.as_bytes());
        out.push(b'"');
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
        match (&plain.value, plain.spelling) {
            (Scalar::Int(_) | Scalar::Float(_), Some(spelling)) if spells(spelling, &plain.value) => {
                out.extend_from_slice(spelling);
            }
            (value, _) => write_scalar(value, out),
        }
        tree.node(id).span
    }

    fn hoist(&self, _tree: &Tree<'_>, _id: NodeId, _text: &[u8]) -> Vec<Edit> {
        Vec::new()
    }

    fn spelled(&self, tree: &Tree<'_>, id: NodeId, spelling: &[u8], value: &Scalar<'_>) -> Option<Span> {
        spells(spelling, value).then(|| tree.node(id).span)
    }

    fn metadata(&self, tree: &Tree<'_>) -> Result<Option<Value>, ReadError> {
        let Some(id) = metadata_node(tree) else { return Ok(None) };
        let node = tree.node(id);
        // Counted only for an error: the lines above may be a hundred megabytes.
        let refuse = |message| Err(ReadError::syntax(tree.line(node.key.start), message));
        if tree.children(node.parent).filter(|&other| tree.node(other).flags.has(Flags::METADATA)).count() > 1
        {
            return refuse("Found duplicate sops entry");
        }
        if node.kind != Kind::Map {
            return refuse("Found sops entry that is not a mapping");
        }
        value_of(tree, id, 0).map(Some)
    }

    fn detach(&self, tree: &Tree<'_>) -> Vec<Edit> {
        edit::detach(tree)
    }

    fn attach(&self, tree: &Tree<'_>, metadata: &Value) -> Vec<Edit> {
        edit::attach(tree, metadata)
    }

    fn metadata_text(&self, tree: &Tree<'_>, changes: &[(&str, Option<&str>)]) -> MetadataText {
        edit::metadata_text(tree, changes)
    }

    fn attach_text(&self, tree: &Tree<'_>, metadata: &MetadataText) -> Vec<Edit> {
        edit::attach_text(tree, metadata)
    }

    fn replace(&self, tree: &Tree<'_>, id: NodeId, value: &Value) -> Result<Vec<Edit>, WriteError> {
        edit::replace(tree, id, value)
    }

    fn insert(&self, tree: &Tree<'_>, id: NodeId, key: &str, value: &Value) -> Result<Vec<Edit>, WriteError> {
        edit::add(tree, id, Some(key), value)
    }

    fn append(&self, tree: &Tree<'_>, id: NodeId, value: &Value) -> Result<Vec<Edit>, WriteError> {
        edit::add(tree, id, None, value)
    }

    fn remove(&self, tree: &Tree<'_>, id: NodeId) -> Result<Vec<Edit>, WriteError> {
        edit::remove(tree, id)
    }

    fn emit(&self, documents: &[Value], layout: Layout) -> Result<Vec<u8>, WriteError> {
        let empty = Value::Map(Vec::new());
        let mut out = Vec::new();
        write_value(documents.first().unwrap_or(&empty), &Look::of_sops(layout.indent), b"", &mut out)?;
        out.push(b'\n');
        Ok(out)
    }

    fn emit_value(&self, value: &Value, layout: Layout) -> Result<Vec<u8>, WriteError> {
        match value {
            Value::Map(_) => self.emit(std::slice::from_ref(value), layout),
            Value::Scalar(Scalar::Str(text)) => Ok(text.to_vec()),
            _ => {
                let mut out = Vec::new();
                write_value(value, &Look::of_sops(layout.indent), b"", &mut out)?;
                Ok(out)
            }
        }
    }
}
