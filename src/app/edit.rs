//! An encrypted file is opened in an editor and what changed is encrypted again;
//! a file that does not exist starts from a sample (sops-compat 10.6).

use std::path::PathBuf;

use super::Deps;
use super::error::Error;
use super::request::{FileOptions, KeyOptions, Notice, OpenOptions, RuleOptions};
use crate::domain::store::Format;

/// What to edit.
#[derive(Clone, Debug)]
pub struct Request {
    /// The file; it need not exist.
    pub path: PathBuf,
    /// Formats, config, names.
    pub file: FileOptions,
    /// `--output-type`, else by name.
    pub output_format: Option<Format>,
    /// Keys and MAC of an existing file.
    pub open: OpenOptions,
    /// Keys from the command line, for a new file.
    pub keys: KeyOptions,
    /// Rules from the command line, for a new file.
    pub rules: RuleOptions,
    /// `--show-master-keys`: the `sops` block is shown too.
    pub show_master_keys: bool,
}

/// What came of it. A session without a change is [`Error::FileNotChanged`].
#[derive(Debug)]
pub struct Outcome {
    /// True when the file was made.
    pub created: bool,
    /// What to say on the side.
    pub notices: Vec<Notice>,
}

/// Runs one editing session.
pub fn run(_deps: &Deps<'_>, _request: &Request) -> Result<Outcome, Error> {
    Err(Error::NotBuilt("`edit`"))
}
