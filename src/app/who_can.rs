//! Who may do what with a secret, and by which rules.

use super::Deps;
use super::can::{decide, holders, wrong};
use super::error::Error;
use super::governed;
use super::request::Notice;
use crate::domain::agent::pattern;
use crate::domain::agent::policy::{Decision, Level, Subtree};

/// A question.
#[derive(Clone, Debug)]
pub struct Request {
    /// A path, perhaps of a subtree.
    pub path: String,
    /// Only those who may do this; `None`: who may do anything.
    pub level: Option<Level>,
}

/// The rights of one principal in one source.
#[derive(Clone, Debug, PartialEq)]
pub struct Right {
    /// The source.
    pub source: String,
    /// The name.
    pub agent: String,
    /// False for a name that rules know and that has no keys.
    pub is_principal: bool,
    /// The path, or those parts of it that are granted.
    pub parts: Vec<Subtree<Decision>>,
}

/// The answer.
#[derive(Debug)]
pub struct Outcome {
    /// By source, then by name. Without those who may do nothing.
    pub rights: Vec<Right>,
    /// True if the policy is in force.
    pub is_in_force: bool,
    /// What to say on the side.
    pub notices: Vec<Notice>,
}

/// Asks the policy.
///
/// # Errors
/// No policy, no such path.
pub fn run(deps: &Deps<'_>, request: &Request) -> Result<Outcome, Error> {
    let path = pattern::parse_path(&request.path).map_err(wrong)?;
    let governed = governed::load(deps)?;
    let mut rights = Vec::new();
    for (source, leaves) in holders(&governed, &path)? {
        for agent in governed.policy.known_names() {
            let mut parts = decide(&governed, &agent, source, &leaves, path.len());
            parts.retain(|part| match request.level {
                Some(level) => part.what.levels.has(level),
                None => !part.what.levels.is_empty(),
            });
            if !parts.is_empty() {
                let is_principal = governed.policy.principals.contains_key(&agent);
                rights.push(Right { source: source.path.clone(), agent, is_principal, parts });
            }
        }
    }
    Ok(Outcome { rights, is_in_force: governed.is_in_force, notices: governed.notices })
}
