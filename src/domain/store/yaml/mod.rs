//! YAML: the reader and the resolver follow go-yaml v3; the store puts tokens,
//! values and metadata into the owner's bytes; the emitter writes SOPS's layout.

mod block_scalar;
mod change;
mod chars;
mod checks;
mod comment_place;
mod comments;
mod compose;
mod draft;
pub mod emit;
pub mod emit_scalar;
mod events;
mod expand;
mod fetch;
mod lock;
mod metadata;
mod metadata_text;
mod parse;
mod parse_flow;
mod plain_lines;
mod preview;
pub mod read;
mod remarks;
pub mod resolve;
mod scan;
mod scan_comments;
mod scan_scalars;
mod scan_tags;
mod seen_keys;
mod spelled;
mod tags;
mod tokens;

use super::splice::Edit;
use super::{Format, Layout, MetadataText, Plain, Purpose, ReadError, Store, WriteError};
use crate::domain::scalar::Scalar;
use crate::domain::tree::{Flags, Kind, NodeId, Span, Style, Tree};
use crate::domain::value::Value;

/// What a file that SOPS may have written looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SopsLook {
    /// Its indentation, told by its metadata.
    pub indent: u8,
    /// It holds comments. When SOPS reads its own file, some belong elsewhere than
    /// before, and are printed there.
    pub has_comments: bool,
    /// A list holds encrypted comments as elements, as only SOPS writes them.
    pub is_certain: bool,
}

/// How SOPS will have laid out `tree`, if it wrote it: `None` for our own files
/// that say so.
pub fn sops_look(tree: &Tree<'_>) -> Option<SopsLook> {
    if metadata::is_marked(tree) {
        return None;
    }
    let entry = metadata::entry(tree, tree.documents.first()?)?;
    let field = tree.children(entry).next()?;
    let indent = u8::try_from(tree.node(field).indent).ok()?;
    let is_certain = (0..tree.nodes.len() as NodeId).any(|id| comment_place::is_comment_element(tree, id));
    let has_comments = is_certain || tree.nodes.iter().any(|node| node.kind == Kind::Comment);
    Some(SopsLook { indent, has_comments, is_certain })
}

/// The YAML store.
#[derive(Clone, Copy, Debug)]
pub struct Yaml;

/// `attach`, and the edit that lets a block in clear at the end of a file stay what
/// it is when a line break and the metadata come behind it.
fn settled(tree: &Tree<'_>, mut attach: Vec<Edit>) -> Vec<Edit> {
    if !metadata::ends_in_break(tree.source) {
        // An empty text is never encrypted.
        let in_clear = |id: NodeId| {
            !tree.node(id).flags.has(Flags::SELECTED) || tree.text(tree.node(id).text).is_empty()
        };
        attach.extend(change::settle_last_block(tree, in_clear));
    }
    attach
}

impl Store for Yaml {
    fn format(&self) -> Format {
        Format::Yaml
    }

    fn read<'s>(&self, source: &'s [u8], purpose: Purpose) -> Result<Tree<'s>, ReadError> {
        read::read(source, purpose)
    }

    fn scalar<'t>(&self, tree: &'t Tree<'_>, id: NodeId) -> Scalar<'t> {
        let node = tree.node(id);
        let text = tree.text(node.text);
        resolve::resolve(text, node.tag, node.style == Style::Plain).unwrap_or(Scalar::Str(text.into()))
    }

    fn token_style(&self, tree: &Tree<'_>, id: NodeId) -> Style {
        lock::token_style(tree, id)
    }

    fn lock(&self, tree: &Tree<'_>, id: NodeId, style: Style, token: &str, out: &mut Vec<u8>) -> Span {
        lock::lock(tree, id, style, token, out)
    }

    fn parted_tag(&self, tree: &Tree<'_>, id: NodeId) -> Option<Span> {
        lock::parted_tag(tree, id)
    }

    fn unlock(
        &self,
        tree: &Tree<'_>,
        id: NodeId,
        style: Style,
        plain: &Plain<'_>,
        out: &mut Vec<u8>,
    ) -> Span {
        lock::unlock(tree, id, style, plain, out)
    }

    fn expand(
        &self,
        tree: &Tree<'_>,
        id: NodeId,
        tokens: &mut dyn Iterator<Item = Option<Vec<u8>>>,
        out: &mut Vec<u8>,
    ) -> Span {
        expand::expand(self, tree, id, tokens, out)
    }

    fn key_alias<'s>(&self, tree: &Tree<'s>, id: NodeId) -> Option<&'s [u8]> {
        tree.raw(tree.node(id).key).strip_prefix(b"*")
    }

    fn write_key(&self, key: &[u8], out: &mut Vec<u8>) {
        expand::write_quoted(key, out);
    }

    fn hoist(&self, tree: &Tree<'_>, id: NodeId, text: &[u8]) -> Vec<Edit> {
        comment_place::hoist(tree, id, text)
    }

    fn spelled(&self, tree: &Tree<'_>, id: NodeId, spelling: &[u8], value: &Scalar<'_>) -> Option<Span> {
        spelled::spelled(tree, id, spelling, value)
    }

    fn metadata(&self, tree: &Tree<'_>) -> Result<Option<Value>, ReadError> {
        metadata::read(tree)
    }

    fn detach(&self, tree: &Tree<'_>) -> Vec<Edit> {
        metadata::detach(tree)
    }

    fn attach(&self, tree: &Tree<'_>, metadata: &Value) -> Vec<Edit> {
        settled(tree, metadata::attach(tree, metadata))
    }

    fn metadata_text(&self, tree: &Tree<'_>, changes: &[(&str, Option<&str>)]) -> MetadataText {
        metadata_text::metadata_text(tree, changes)
    }

    fn attach_text(&self, tree: &Tree<'_>, metadata: &MetadataText) -> Vec<Edit> {
        settled(tree, metadata_text::attach_text(tree, metadata))
    }

    fn replace(&self, tree: &Tree<'_>, id: NodeId, value: &Value) -> Result<Vec<Edit>, WriteError> {
        change::replace(tree, id, value)
    }

    fn insert(&self, tree: &Tree<'_>, id: NodeId, key: &str, value: &Value) -> Result<Vec<Edit>, WriteError> {
        change::insert(tree, id, key, value)
    }

    fn append(&self, tree: &Tree<'_>, id: NodeId, value: &Value) -> Result<Vec<Edit>, WriteError> {
        change::append(tree, id, value)
    }

    fn remove(&self, tree: &Tree<'_>, id: NodeId) -> Result<Vec<Edit>, WriteError> {
        change::remove(tree, id)
    }

    fn emit(&self, documents: &[Value], layout: Layout) -> Result<Vec<u8>, WriteError> {
        emit::emit(documents, layout)
    }

    fn emit_value(&self, value: &Value, _layout: Layout) -> Result<Vec<u8>, WriteError> {
        Ok(emit::emit_value(value))
    }
}

#[cfg(test)]
mod tests;
