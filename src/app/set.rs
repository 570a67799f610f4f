//! One value of an encrypted file is replaced or added, in place (sops-compat 10.5).

use std::path::PathBuf;

use super::Deps;
use super::error::Error;
use super::request::{Done, FileOptions, Notice, OpenOptions, Source};
use crate::domain::secret::SecretBytes;
use crate::domain::store::Format;

/// What to set to what.
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
    /// The new value.
    pub value: NewValue,
    /// Keys and MAC.
    pub open: OpenOptions,
    /// `--idempotent`: an equal value leaves the file alone.
    pub idempotent: bool,
    /// Legacy `--set`, which is worded differently (exit 7, `Invalid --set …`).
    pub legacy: bool,
    /// Legacy `--set` demands a matching creation rule where a config exists.
    pub needs_creation_rule: bool,
}

/// Where the JSON text of the new value is.
#[derive(Clone, Debug)]
pub enum NewValue {
    /// On the command line.
    Json(SecretBytes),
    /// In a file (`--value-file`) or on standard input (`--value-stdin`).
    Source(Source),
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// What happened.
    pub done: Done,
    /// What to say on the side.
    pub notices: Vec<Notice>,
}

/// Sets one value.
pub fn run(_deps: &Deps<'_>, _request: &Request) -> Result<Outcome, Error> {
    Err(Error::NotBuilt("`set`"))
}
