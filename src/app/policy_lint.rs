//! What is probably wrong with the policy.

use super::Deps;
use super::agent::root;
use super::error::Error;
use super::governed;
use super::request::Notice;
use crate::domain::agent::policy::{Finding, PLACE, Policy, lint};

/// What was found.
#[derive(Debug)]
pub struct Outcome {
    /// By line.
    pub findings: Vec<Finding>,
    /// How many sources it governs; `None` if it cannot be read.
    pub sources: Option<usize>,
    /// What to say on the side.
    pub notices: Vec<Notice>,
}

/// Looks at the policy of the working folder.
///
/// # Errors
/// There is none, or the files cannot be listed.
pub fn run(deps: &Deps<'_>) -> Result<Outcome, Error> {
    let root = root::here(deps)?;
    let contents = deps.files.read(&root.join(PLACE)).map_err(Error::Read)?;
    let policy = match Policy::parse(&contents.bytes) {
        Ok(policy) => policy,
        Err(error) => {
            let findings = vec![Finding::unreadable(error)];
            return Ok(Outcome { findings, sources: None, notices: Vec::new() });
        }
    };
    let (sources, notices) = governed::sources(deps, &root, &policy)?;
    let mut findings = lint(&policy, &sources, &deps.clock.now());
    findings.extend(policy.check_recipients().err().map(Finding::unreadable));
    findings.sort_by_key(|finding| finding.line);
    Ok(Outcome { findings, sources: Some(sources.len()), notices })
}
