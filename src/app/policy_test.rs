//! Whether what must be true of the policy is true.

use std::path::PathBuf;

use super::Deps;
use super::error::{Error, Place};
use super::governed;
use super::open::read_input;
use super::request::{FileOptions, Notice, Source};
use crate::domain::agent::policy::{Verdict, assertions};

/// One assertion and whether it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tested {
    /// Its file, as it was named.
    pub file: PathBuf,
    /// Its one-based line.
    pub line: usize,
    /// As it is written.
    pub text: String,
    /// Whether it holds, and why.
    pub verdict: Verdict,
}

/// What came of the assertions.
#[derive(Debug)]
pub struct Outcome {
    /// In the order of the files and lines.
    pub tested: Vec<Tested>,
    /// True if the policy is in force.
    pub is_in_force: bool,
    /// What to say on the side.
    pub notices: Vec<Notice>,
}

/// Checks the assertions of `files`.
///
/// # Errors
/// No policy, a file that cannot be read, a line that is no assertion.
pub fn run(deps: &Deps<'_>, files: &[PathBuf]) -> Result<Outcome, Error> {
    let governed = governed::load(deps)?;
    let mut tested = Vec::new();
    for file in files {
        let input = read_input(deps, &Source::File(file.clone()), &FileOptions::default())?;
        let text = String::from_utf8_lossy(&input.bytes);
        let found = assertions(&text).map_err(|error| Error::Config {
            place: Place::file(file).at_line(Some(error.line)),
            hints: vec![error.advice.to_owned()],
            cause: Box::new(error),
        })?;
        if found.is_empty() {
            return Err(Error::SetArgument {
                message: format!("{} asserts nothing", file.display()),
                hints: vec!["a line is an assertion: `ops/deploy can read databases`; `leaflock policy test --help` shows all forms".to_owned()],
            });
        }
        tested.extend(found.into_iter().map(|assertion| Tested {
            file: file.clone(),
            line: assertion.line,
            verdict: assertion.check(&governed.policy, &governed.revocations, &governed.sources),
            text: assertion.text,
        }));
    }
    Ok(Outcome { tested, is_in_force: governed.is_in_force, notices: governed.notices })
}
