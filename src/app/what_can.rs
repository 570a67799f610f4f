//! What somebody may do: every secret that is granted, and by which rules.

use super::Deps;
use super::can::{decide, demand_known, wrong};
use super::error::Error;
use super::governed;
use super::request::Notice;
use crate::domain::agent::pattern;
use crate::domain::agent::policy::{Decision, Subtree};

/// What is granted of one source.
#[derive(Clone, Debug, PartialEq)]
pub struct Granted {
    /// The source.
    pub source: String,
    /// Its parts that are granted.
    pub parts: Vec<Subtree<Decision>>,
}

/// The answer.
#[derive(Debug)]
pub struct Outcome {
    /// By source; without sources of which nothing is granted.
    pub granted: Vec<Granted>,
    /// True if the agent is a principal.
    pub is_principal: bool,
    /// True if the policy is in force.
    pub is_in_force: bool,
    /// What to say on the side.
    pub notices: Vec<Notice>,
}

/// Asks the policy about `agent`.
///
/// # Errors
/// No policy, or a name that it does not know.
pub fn run(deps: &Deps<'_>, agent: &str) -> Result<Outcome, Error> {
    pattern::check_name(agent).map_err(wrong)?;
    let governed = governed::load(deps)?;
    demand_known(&governed, agent)?;
    let mut granted = Vec::new();
    for source in &governed.sources {
        let mut parts = decide(&governed, agent, source, &source.leaves.iter().collect::<Vec<_>>(), 0);
        parts.retain(|part| !part.what.levels.is_empty());
        if !parts.is_empty() {
            granted.push(Granted { source: source.path.clone(), parts });
        }
    }
    let is_principal = governed.policy.principals.contains_key(agent);
    Ok(Outcome { granted, is_principal, is_in_force: governed.is_in_force, notices: governed.notices })
}
