//! The secrets that there are, and what the caller may do with them. No key is needed.

use std::path::PathBuf;

use super::Deps;
use super::can::wrong;
use super::error::Error;
use super::lookup::{self, Caller};
use super::request::Notice;
use crate::domain::agent::pattern::PathPattern;
use crate::domain::agent::policy::Decision;

/// Which secrets.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// At and below these paths; wildcards as in policies. `None` is all.
    pub prefix: Option<String>,
    /// In this file only.
    pub file: Option<PathBuf>,
}

/// A secret.
#[derive(Clone, Debug, PartialEq)]
pub struct Secret {
    /// Its path.
    pub path: Vec<String>,
    /// The file that holds it.
    pub source: String,
    /// What the policy decides for the caller; `None` for people, whom it does not bind.
    pub decision: Option<Decision>,
}

/// What there is.
#[derive(Debug)]
pub struct Outcome {
    /// Who asks.
    pub caller: Caller,
    /// By file, then by path.
    pub secrets: Vec<Secret>,
    /// What to say on the side.
    pub notices: Vec<Notice>,
}

/// Looks.
///
/// # Errors
/// A prefix that is no path, a file that is not known.
pub fn run(deps: &Deps<'_>, request: &Request) -> Result<Outcome, Error> {
    let prefix = request.prefix.as_deref().map(PathPattern::parse).transpose().map_err(wrong)?;
    let site = lookup::site(deps)?;
    let only = request.file.as_ref().map(|file| site.source(deps, file)).transpose()?;
    let mut secrets = Vec::new();
    for source in site.sources.iter().filter(|it| only.is_none_or(|only| only.path == it.path)) {
        for path in source.leaves.iter().filter(|leaf| prefix.as_ref().is_none_or(|it| it.covers(leaf))) {
            secrets.push(Secret {
                path: path.clone(),
                source: source.path.clone(),
                decision: site.decide(&source.path, path),
            });
        }
    }
    if let (true, Some(prefix)) = (secrets.is_empty(), &prefix)
        && let Some(literal) = prefix.literal()
    {
        site.holders(deps, &literal, request.file.as_deref())?;
    }
    Ok(Outcome { caller: site.caller, secrets, notices: site.notices })
}
