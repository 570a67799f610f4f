//! `leaflock check`.

mod github;
mod json;
mod sarif;
mod text;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use clap::Parser;

use super::args::{General, InputType, Opening};
use super::argv::fields::{flags, words};
use super::report::{Failure, Usage};
use super::{Cli, args, exit, files, wire};
use crate::app::check::{Outcome, Request, run as use_case};
use crate::app::snapshot::Scope;

/// Find what is wrong with files, without a key
///
/// Looks at the files that git tracks, or would if they were added, and at those
/// that are named: for files and values that a creation rule wants encrypted and
/// that are not, recipients that the rule lacks and the other way round, damaged,
/// copied or moved ciphertext, plain copies of encrypted files, and keys and tokens
/// in clear text. Findings go to standard output, one a line, and never hold a
/// value. A finding that is none is listed in .leaflock/check-ignore with a reason.
///
/// Ends with exit code 0 if nothing was found, 1 if something was, 2 if something
/// could not be checked.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "check", override_usage = "leaflock check [OPTIONS] [PATH…]", after_help = EXAMPLES)]
pub struct Arguments {
    /// Files, folders and patterns [default: everything in the repository]
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Only what the next commit changes, as it stands in the index
    #[arg(long)]
    pub staged: bool,
    /// The files of a commit
    #[arg(long, value_name = "REVISION")]
    pub rev: Option<String>,
    /// Also decrypt everything with your keys, and compare the MACs
    #[arg(long)]
    pub decrypt: bool,
    /// text, json, github (annotations of a workflow) or sarif (SARIF 2.1.0) [default: text]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<String>,
    /// The same as --format json
    #[arg(long)]
    pub json: bool,
    /// Input format.
    #[command(flatten)]
    pub input_type: InputType,
    /// General flags.
    #[command(flatten)]
    pub general: General,
}

flags!(Arguments {
    staged "staged" "", rev "rev" "", decrypt "decrypt" "", format "format" "", json "json" ""
} input_type, general);

words!(Arguments, usize::MAX, paths);

const EXAMPLES: &str = "\
Examples:
  leaflock check
  leaflock check --staged
  leaflock check --rev origin/main --format sarif > check.sarif
  leaflock check --decrypt secrets/
  leaflock check --json | jq -r '.findings[].id' | sort | uniq -c";

/// What is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Text,
    Json,
    Github,
    Sarif,
}

/// Checks files.
pub fn run(arguments: Arguments, cli: &mut Cli) -> Result<(), Failure> {
    let format = format(arguments.format.as_deref(), arguments.json)?;
    let scope = match (arguments.staged, args::non_empty(arguments.rev)) {
        (true, Some(_)) => {
            let usage = Usage::with_code(exit::CANNOT_READ, "--staged and --rev name different files");
            return Err(usage.hint("give one of them").into());
        }
        (true, None) => Scope::Staged,
        (false, Some(revision)) => Scope::Revision(revision),
        (false, None) => Scope::WorkTree,
    };
    let open = Opening::default().resolve(&cli.env)?;
    let request = Request {
        scope,
        paths: arguments.paths,
        decrypt: arguments.decrypt,
        file: cli.file_options(arguments.general, arguments.input_type)?,
        open,
    };
    wire::with_deps(&cli.env, |deps| {
        let outcome = use_case(deps, &request)?;
        let here = deps.files.absolute(std::path::Path::new(".")).unwrap_or_default();
        let text = match format {
            Format::Text => text::render(&outcome, &here),
            Format::Json => json::render(&outcome),
            Format::Github => github::render(&outcome),
            Format::Sarif => sarif::render(&outcome),
        };
        cli.output.text(&text)?;
        for (path, error) in &outcome.failed {
            cli.output.talk(&files::failure(path, error));
        }
        cli.output.talk(&text::summary(&outcome, format == Format::Text));
        match code(&outcome) {
            exit::SUCCESS => Ok(()),
            code => Err(Failure::Batch { code }),
        }
    })
}

fn format(name: Option<&str>, json: bool) -> Result<Format, Usage> {
    match (name.filter(|name| !name.is_empty()), json) {
        (None, false) | (Some("text"), false) => Ok(Format::Text),
        (None | Some("json"), true) | (Some("json"), false) => Ok(Format::Json),
        (Some("github"), false) => Ok(Format::Github),
        (Some("sarif"), false) => Ok(Format::Sarif),
        (Some("text" | "github" | "sarif"), true) => {
            let usage = Usage::with_code(exit::CANNOT_READ, "--json and --format name different formats");
            Err(usage.hint("give one of them"))
        }
        (Some(name), _) => {
            let usage = Usage::with_code(exit::CANNOT_READ, format!("unknown format {name:?} for --format"));
            Err(usage.hint("known are text, json, github, sarif"))
        }
    }
}

/// What could not be checked weighs more than what was found.
fn code(outcome: &Outcome) -> u8 {
    match (outcome.failed.is_empty(), outcome.findings.is_empty()) {
        (false, _) => exit::CANNOT_READ,
        (true, false) => exit::GENERIC,
        (true, true) => exit::SUCCESS,
    }
}

/// A check that did not happen ends with exit code 2, whatever stood in its way:
/// 1 would say that something was found.
pub fn failed(failure: Failure, cli: &mut Cli) -> Failure {
    match failure {
        Failure::App(_) | Failure::Usage(_) => {
            cli.output.failure(&failure);
            Failure::Batch { code: exit::CANNOT_READ }
        }
        failure => failure,
    }
}
