//! Stub.

use crate::domain::store::splice::Edit;
use crate::domain::store::{Format, Layout, MetadataText, Plain, Purpose, ReadError, Store, WriteError};
use crate::domain::scalar::Scalar;
use crate::domain::tree::{NodeId, Span, Style, Tree};
use crate::domain::value::Value;

/// Stub.
#[derive(Clone, Copy, Debug)]
pub struct Ini;

impl Store for Ini {
    fn format(&self) -> Format {
        Format::Ini
    }

    fn read<'s>(&self, source: &'s [u8], purpose: Purpose) -> Result<Tree<'s>, ReadError> {
        unimplemented!()
    }

    fn scalar<'t>(&self, tree: &'t Tree<'_>, id: NodeId) -> Scalar<'t> {
        unimplemented!()
    }

    fn token_style(&self, tree: &Tree<'_>, id: NodeId) -> Style {
        unimplemented!()
    }

    fn lock(&self, tree: &Tree<'_>, id: NodeId, style: Style, token: &str, out: &mut Vec<u8>) -> Span {
        unimplemented!()
    }

    fn unlock(
        &self,
        tree: &Tree<'_>,
        id: NodeId,
        style: Style,
        plain: &Plain<'_>,
        out: &mut Vec<u8>,
    ) -> Span {
        unimplemented!()
    }

    fn hoist(&self, tree: &Tree<'_>, id: NodeId, text: &[u8]) -> Vec<Edit> {
        unimplemented!()
    }

    fn spelled(&self, tree: &Tree<'_>, id: NodeId, spelling: &[u8], value: &Scalar<'_>) -> Option<Span> {
        unimplemented!()
    }

    fn metadata(&self, tree: &Tree<'_>) -> Result<Option<Value>, ReadError> {
        unimplemented!()
    }

    fn detach(&self, tree: &Tree<'_>) -> Vec<Edit> {
        unimplemented!()
    }

    fn attach(&self, tree: &Tree<'_>, metadata: &Value) -> Vec<Edit> {
        unimplemented!()
    }

    fn metadata_text(&self, tree: &Tree<'_>, changes: &[(&str, Option<&str>)]) -> MetadataText {
        unimplemented!()
    }

    fn attach_text(&self, tree: &Tree<'_>, metadata: &MetadataText) -> Vec<Edit> {
        unimplemented!()
    }

    fn replace(&self, tree: &Tree<'_>, id: NodeId, value: &Value) -> Result<Vec<Edit>, WriteError> {
        unimplemented!()
    }

    fn insert(&self, tree: &Tree<'_>, id: NodeId, key: &str, value: &Value) -> Result<Vec<Edit>, WriteError> {
        unimplemented!()
    }

    fn append(&self, tree: &Tree<'_>, id: NodeId, value: &Value) -> Result<Vec<Edit>, WriteError> {
        unimplemented!()
    }

    fn remove(&self, tree: &Tree<'_>, id: NodeId) -> Result<Vec<Edit>, WriteError> {
        unimplemented!()
    }

    fn emit(&self, documents: &[Value], layout: Layout) -> Result<Vec<u8>, WriteError> {
        unimplemented!()
    }

    fn emit_value(&self, value: &Value, layout: Layout) -> Result<Vec<u8>, WriteError> {
        unimplemented!()
    }
}
