//! One value of an encrypted file is removed, in place (sops-compat 10.5).

use std::path::PathBuf;

use super::Deps;
use super::error::Error;
use super::request::{Done, FileOptions, Notice, OpenOptions};
use crate::domain::store::Format;

/// What to remove.
#[derive(Clone, Debug)]
pub struct Request {
    /// The file.
    pub path: PathBuf,
    /// Formats, config, names.
    pub file: FileOptions,
    /// `--output-type`, else by name.
    pub output_format: Option<Format>,
    /// Which value: an index as typed (sops-compat 10.4).
    pub index: String,
    /// Keys and MAC.
    pub open: OpenOptions,
    /// `--idempotent`: a missing value is a success.
    pub idempotent: bool,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// What happened.
    pub done: Done,
    /// What to say on the side.
    pub notices: Vec<Notice>,
}

/// Removes one value.
pub fn run(_deps: &Deps<'_>, _request: &Request) -> Result<Outcome, Error> {
    Err(Error::NotBuilt("`unset`"))
}
