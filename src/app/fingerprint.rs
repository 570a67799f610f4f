//! What tells equal values of a file, and nothing else about them.

use super::Deps;
use super::audit::record;
use super::error::Error;
use super::get::Request;
use super::lookup;
use super::opened_value;
use crate::domain::agent::fingerprint;
use crate::domain::agent::policy::Level;

/// What was found.
#[derive(Debug)]
pub struct Outcome {
    /// The source.
    pub source: String,
    /// The file whose data key the fingerprint is made with: only fingerprints of the
    /// same file compare.
    pub file: String,
    /// The fingerprint.
    pub fingerprint: String,
    /// What to say on the side.
    pub notices: Vec<super::request::Notice>,
}

/// The levels at which an agent may ask: who holds the value already.
pub const LEVELS: [Level; 2] = [Level::Read, Level::Exec];

/// Opens the value and tells its fingerprint.
///
/// # Errors
/// As for `get`, with the levels `read` and `exec`.
pub fn run(deps: &Deps<'_>, request: &Request) -> Result<Outcome, Error> {
    let path = lookup::path(&request.path)?;
    record::attempt(deps, &opened_value::recorded(&request.options, &path).intent);
    let site = lookup::site_to_open(deps, request.file.as_deref())?;
    let source = site.holder(deps, &path, request.file.as_deref())?;
    let value = opened_value::of_source(deps, &site, source, &path, &LEVELS, &request.options)?;
    Ok(Outcome {
        source: source.path.clone(),
        fingerprint: fingerprint::of(&value.data_key, &value.text),
        file: value.file,
        notices: value.notices,
    })
}
