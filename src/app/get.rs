//! One value, for people; for agents only what they may read.

use std::path::PathBuf;

use super::Deps;
use super::audit::record;
use super::error::Error;
use super::lookup;
use super::opened_value::{self, OpenedValue, Options};
use crate::domain::agent::policy::Level;

/// Which value.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its path.
    pub path: String,
    /// Its file, where several have the path.
    pub file: Option<PathBuf>,
    /// How files are opened.
    pub options: Options,
}

/// The value and the source that holds it.
#[derive(Debug)]
pub struct Outcome {
    /// The source.
    pub source: String,
    /// The value.
    pub value: OpenedValue,
}

/// Opens it.
///
/// # Errors
/// No such path, more than one value, an agent without the level `read`, a file that
/// does not open.
pub fn run(deps: &Deps<'_>, request: &Request) -> Result<Outcome, Error> {
    let path = lookup::path(&request.path)?;
    record::attempt(deps, &opened_value::recorded(&request.options, &path).intent);
    let site = lookup::site_to_open(deps, request.file.as_deref())?;
    let source = site.holder(deps, &path, request.file.as_deref())?;
    let value = opened_value::of_source(deps, &site, source, &path, &[Level::Read], &request.options)?;
    Ok(Outcome { source: source.path.clone(), value })
}
