//! A first identity, a `.sops.yaml` with one rule an environment, and the lines
//! of `.gitignore` that keep plaintext out of git. Nothing that exists is
//! overwritten.

use std::path::PathBuf;

use super::Deps;
use super::error::Error;
use super::request::Notice;

/// Where to set up.
#[derive(Clone, Debug)]
pub struct Request {
    /// The folder that gets `.sops.yaml` and `.gitignore`.
    pub directory: PathBuf,
    /// SOPS's default place for identities (sops-compat 6.2).
    pub identity_path: PathBuf,
    /// Recipients besides the own one (`--age`), as a comma list.
    pub extra_recipients: Option<String>,
}

/// What was set up.
#[derive(Debug)]
pub struct Outcome {
    /// The recipient of the identity.
    pub recipient: String,
    /// Every file that was looked at, in order.
    pub steps: Vec<Step>,
    /// What to say on the side.
    pub notices: Vec<Notice>,
}

/// What was done to one file.
#[derive(Debug)]
pub struct Step {
    /// The file.
    pub path: PathBuf,
    /// What happened.
    pub action: Action,
}

/// What happened to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It was made.
    Created,
    /// Lines were added.
    Extended,
    /// It had everything already.
    Kept,
}

/// Sets up one folder.
pub fn run(_deps: &Deps<'_>, _request: &Request) -> Result<Outcome, Error> {
    Err(Error::NotBuilt("`init`"))
}
