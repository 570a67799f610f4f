//! Is a file encrypted? True when it has metadata with a version and a MAC
//! (sops-compat 10.7).

use std::path::PathBuf;

use super::Deps;
use super::error::Error;
use super::request::{FileOptions, Notice};

/// What to look at.
#[derive(Clone, Debug)]
pub struct Request {
    /// The file.
    pub path: PathBuf,
    /// Formats, config, names.
    pub file: FileOptions,
}

/// What was seen.
#[derive(Debug)]
pub struct Outcome {
    /// True when the file is encrypted.
    pub encrypted: bool,
    /// What to say on the side.
    pub notices: Vec<Notice>,
}

/// Looks at one file; needs no key.
pub fn run(_deps: &Deps<'_>, _request: &Request) -> Result<Outcome, Error> {
    Err(Error::NotBuilt("`filestatus`"))
}
