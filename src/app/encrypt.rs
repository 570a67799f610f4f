//! A plain file becomes an encrypted one, by its creation rule or by the keys
//! and rules of the command line (sops-compat 1, 2, 8, 9.5).

use super::Deps;
use super::error::Error;
use super::request::{Destination, Done, FileOptions, KeyOptions, Named, Notice, RuleOptions, Source};
use crate::domain::secret::SecretBytes;
use crate::domain::store::Format;

/// What to encrypt, for whom, and where to.
#[derive(Clone, Debug)]
pub struct Request {
    /// The plain input. Standard input comes with a filename override.
    pub source: Source,
    /// Formats, config, names.
    pub file: FileOptions,
    /// `--output-type`, else by name.
    pub output_format: Option<Format>,
    /// Where the encrypted file goes.
    pub destination: Destination,
    /// Keys from the command line.
    pub keys: KeyOptions,
    /// Rules from the command line.
    pub rules: RuleOptions,
    /// A file that is already encrypted is an error, or skipped in a batch.
    pub named: Named,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// The encrypted file, when it goes to stdout.
    pub output: Option<SecretBytes>,
    /// What happened.
    pub done: Done,
    /// What to say on the side.
    pub notices: Vec<Notice>,
}

/// Encrypts one file.
pub fn run(_deps: &Deps<'_>, _request: &Request) -> Result<Outcome, Error> {
    Err(Error::NotBuilt("`encrypt`"))
}
