//! TEMP stub.
use crate::domain::tree::*;
use crate::domain::value::Value;
/// x
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("conflict")]
pub struct RuleConflict;
/// x
#[derive(Clone, Debug)]
pub struct Selection;
impl Selection {
    /// x
    pub fn mac_only_encrypted(&self) -> bool {
        false
    }
    /// x
    pub fn alias_marks(&self, _t: &Tree<'_>, _a: NodeId) -> Vec<bool> {
        vec![]
    }
    /// x
    pub fn from_metadata(_v: &Value) -> Result<Self, RuleConflict> {
        Ok(Selection)
    }
    /// x
    pub fn to_metadata(&self) -> Vec<(String, Value)> {
        vec![]
    }
    /// x
    pub fn mark(&self, t: &mut Tree<'_>) {
        for n in &mut t.nodes {
            if !n.flags.has(Flags::METADATA) && matches!(n.kind, Kind::Scalar | Kind::Comment) {
                n.flags.set(Flags::SELECTED)
            }
        }
    }
}
