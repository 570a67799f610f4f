//! Which creation rule applies to a file, why, for whom it encrypts, and which
//! keys of the file it would encrypt.

use std::path::PathBuf;

use super::Deps;
use super::error::Error;
use super::request::{FileOptions, Notice};

/// What to explain.
#[derive(Clone, Debug)]
pub struct Request {
    /// The file; it need not exist.
    pub path: PathBuf,
    /// Formats, config, names.
    pub file: FileOptions,
}

/// The explanation.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The config file in force.
    pub config: PathBuf,
    /// How it was found, in a few words: `--config`, `found from the working directory`.
    pub config_found: String,
    /// The path that rules are matched against.
    pub matched_path: String,
    /// Every rule up to and including the one that applies.
    pub rules: Vec<RuleVerdict>,
    /// Key groups of the rule that applies, one line a key: `age age1…`.
    pub groups: Vec<Vec<String>>,
    /// The threshold, where there is more than one group.
    pub shamir_threshold: Option<i64>,
    /// The selection rule in words: `encrypted_regex ^(password|token)$`, and where it comes from.
    pub selection: String,
    /// True when the MAC covers encrypted values only.
    pub mac_only_encrypted: bool,
    /// The leaves of the file with what would happen to them; `None` when there is no file.
    pub leaves: Option<Vec<Leaf>>,
    /// What to say on the side.
    pub notices: Vec<Notice>,
}

/// Why one rule applies or does not.
#[derive(Debug)]
pub struct RuleVerdict {
    /// Its number in the file, from 1.
    pub number: usize,
    /// Its line in the config file.
    pub line: Option<usize>,
    /// Its `path_regex`; `None` matches every path.
    pub path_regex: Option<String>,
    /// True for the rule that applies.
    pub applies: bool,
}

/// One leaf of the file.
#[derive(Debug)]
pub struct Leaf {
    /// Where it stands, as an index: `["database"]["password"]`.
    pub path: String,
    /// Its line in the file.
    pub line: Option<usize>,
    /// True when its value is encrypted.
    pub encrypted: bool,
}

/// Explains one file.
pub fn run(_deps: &Deps<'_>, _request: &Request) -> Result<Outcome, Error> {
    Err(Error::NotBuilt("`config explain`"))
}
