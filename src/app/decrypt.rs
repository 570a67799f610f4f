//! An encrypted file becomes plain again: whole, one value of it, or in another
//! format (sops-compat 3.3, 10.3, 10.4).

use super::Deps;
use super::error::Error;
use super::request::{Destination, Done, FileOptions, Named, Notice, OpenOptions, Source};
use crate::domain::secret::SecretBytes;
use crate::domain::store::Format;

/// What to decrypt and how to show it.
#[derive(Clone, Debug)]
pub struct Request {
    /// The encrypted input. Standard input without other information is binary.
    pub source: Source,
    /// Formats, config, names.
    pub file: FileOptions,
    /// How to write the result; `None` is by name.
    pub output_format: Option<OutputFormat>,
    /// `--extract`: an index as typed (sops-compat 10.4); `None` is the whole file.
    pub extract: Option<String>,
    /// Where the plaintext goes.
    pub destination: Destination,
    /// Keys and MAC.
    pub open: OpenOptions,
    /// True when stdout is a terminal: nobody evals what is printed there.
    pub terminal: bool,
    /// A file that is not encrypted is an error, or skipped in a batch.
    pub named: Named,
}

/// What plaintext can be written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputFormat {
    /// One of the file formats.
    File(Format),
    /// `export NAME='value'` lines.
    Shell,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// The plaintext, when it goes to stdout.
    pub output: Option<SecretBytes>,
    /// What happened.
    pub done: Done,
    /// What to say on the side.
    pub notices: Vec<Notice>,
}

/// Decrypts one file.
pub fn run(_deps: &Deps<'_>, _request: &Request) -> Result<Outcome, Error> {
    Err(Error::NotBuilt("`decrypt`"))
}
