//! stub
use crate::domain::store::WriteError;
use crate::domain::store::splice::Edit;
use crate::domain::tree::{NodeId, Tree};
use crate::domain::value::Value;
pub(super) fn replace(_: &Tree<'_>, _: NodeId, _: &Value) -> Result<Vec<Edit>, WriteError> {
    Err(WriteError::new(""))
}
pub(super) fn insert(_: &Tree<'_>, _: NodeId, _: &str, _: &Value) -> Result<Vec<Edit>, WriteError> {
    Err(WriteError::new(""))
}
pub(super) fn append(_: &Tree<'_>, _: NodeId, _: &Value) -> Result<Vec<Edit>, WriteError> {
    Err(WriteError::new(""))
}
pub(super) fn remove(_: &Tree<'_>, _: NodeId) -> Result<Vec<Edit>, WriteError> {
    Err(WriteError::new(""))
}
