//! Whether a secret is there, and where. No key is needed.

use std::path::PathBuf;

use super::Deps;
use super::error::Error;
use super::lookup;
use super::request::Notice;
use crate::domain::agent::leaves;

/// Which secret.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its path, perhaps of several.
    pub path: String,
    /// In this file only.
    pub file: Option<PathBuf>,
}

/// A file that holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The file.
    pub source: String,
    /// How many values are at and below the path; items of a list count once.
    pub values: usize,
}

/// What was found.
#[derive(Debug)]
pub struct Outcome {
    /// The files that hold it; none if it is nowhere.
    pub found: Vec<Found>,
    /// Why it is nowhere, and what is there.
    pub missing: Option<String>,
    /// What to say on the side.
    pub notices: Vec<Notice>,
}

/// Looks.
///
/// # Errors
/// A path that is none, a file that is not known.
pub fn run(deps: &Deps<'_>, request: &Request) -> Result<Outcome, Error> {
    let path = lookup::path(&request.path)?;
    let site = lookup::site(deps)?;
    if let Some(file) = &request.file {
        site.source(deps, file)?;
    }
    let (found, missing) = match site.holders(deps, &path, request.file.as_deref()) {
        Ok(holders) => {
            let found = |(source, leaves): leaves::Held<'_>| Found {
                source: source.path.clone(),
                values: leaves.len(),
            };
            (holders.into_iter().map(found).collect(), None)
        }
        Err(error @ Error::NotFound { .. }) => (Vec::new(), Some(error.to_string())),
        Err(error) => return Err(error),
    };
    Ok(Outcome { found, missing, notices: site.notices })
}
