//! `leaflock merge`: git's merge driver.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Parser;

use super::args::Reading;
use super::argv::fields::{flags, words};
use super::report::{self, Failure, Usage};
use super::{Cli, exit, wire};
use crate::app::branch;
use crate::app::merge::{Ending, Outcome, Request, run as use_case};
use crate::domain::merge::{Conflict, Labels, Side};

/// Merge three states of an encrypted file
///
/// Merges values, comments and recipients, key by key, and leaves the result in
/// OURS: git calls it where a file has the attribute merge=leaflock. What both
/// sides changed differently is named, never shown, and stands between markers;
/// `leaflock resolve` opens it. Where no key is at hand, the file is merged line by
/// line, as git does on its own.
///
/// With --ci, merges REVISION into what is checked out and commits, with the driver
/// even where git knows none: for hosts whose merge button runs no drivers. With
/// conflicts, everything is put back.
///
/// Exit code 0 means merged, 1 means conflicts; with any other there is no result.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "merge", override_usage = "leaflock merge [OPTIONS] BASE OURS THEIRS\n       leaflock merge --ci REVISION", after_help = EXAMPLES)]
pub struct Arguments {
    /// The common ancestor; an empty file if both sides added theirs
    #[arg(value_name = "BASE")]
    pub base: Option<PathBuf>,
    /// The state that is merged into, replaced by the result
    #[arg(value_name = "OURS")]
    pub ours: Option<PathBuf>,
    /// The state that is merged
    #[arg(value_name = "THEIRS")]
    pub theirs: Option<PathBuf>,
    /// The file that these are states of: for its format and for messages
    #[arg(long, value_name = "FILE")]
    pub path: Option<PathBuf>,
    /// How many characters a conflict marker has [default: 7]
    #[arg(long, value_name = "N")]
    pub marker_size: Option<i64>,
    /// Print the result instead of replacing OURS
    #[arg(short = 'p', long)]
    pub stdout: bool,
    /// Merge a branch into the one that is checked out
    #[arg(long)]
    pub ci: bool,
    /// How the files are read.
    #[command(flatten)]
    pub reading: Reading,
}

flags!(Arguments { path "path" "", marker_size "marker-size" "", stdout "stdout" "p", ci "ci" "" } reading);

words!(Arguments, 3, base, ours, theirs);

const EXAMPLES: &str = "\
Examples:
  git config merge.leaflock.driver 'leaflock merge --marker-size=%L --path=%P %O %A %B'
  leaflock merge --stdout base.yaml ours.yaml theirs.yaml > merged.yaml
  git checkout feature && leaflock merge --ci origin/main && git push";

/// Merges one file.
pub fn run(arguments: Arguments, cli: &mut Cli) -> Result<(), Failure> {
    if arguments.ci {
        return merge_branch(arguments, cli);
    }
    let mut notices = Vec::new();
    let (Some(base), Some(ours), Some(theirs)) = (arguments.base, arguments.ours, arguments.theirs) else {
        return Err(Usage::new("`merge` takes three files: BASE OURS THEIRS")
            .hint("git calls it; `leaflock merge --help` shows how it is told to")
            .into());
    };
    let size = usize::try_from(arguments.marker_size.unwrap_or(0));
    let Ok(size @ 0..=MOST_CHARACTERS) = size else {
        return Err(Usage::new("--marker-size is a number from 0 to 1000").into());
    };
    let (file, open) = arguments.reading.resolve(cli.mode, &cli.env, &mut notices)?;
    cli.output.notices(&notices);
    let request = Request {
        base,
        ours,
        theirs,
        name: arguments.path.filter(|path| !path.as_os_str().is_empty()),
        labels: Labels { ours: "ours".to_owned(), theirs: "theirs".to_owned(), size },
        to_stdout: arguments.stdout,
        choices: Vec::new(),
        file,
        open,
    };
    wire::with_deps(&cli.env, |deps| {
        let outcome = use_case(deps, &request)?;
        cli.output.notices(&outcome.notices);
        if let Some(bytes) = &outcome.printed {
            cli.output.data(bytes)?;
        }
        told(&outcome)
    })
}

/// Merges a branch.
fn merge_branch(arguments: Arguments, cli: &mut Cli) -> Result<(), Failure> {
    let (Some(revision), None) = (arguments.base, arguments.ours) else {
        return Err(Usage::new("`merge --ci` takes one revision: the branch to merge")
            .hint("for example: leaflock merge --ci origin/main")
            .into());
    };
    arguments.reading.services.check(&cli.env)?;
    let request = branch::Request { revision: revision.to_string_lossy().into_owned() };
    wire::with_deps(&cli.env, |deps| {
        let conflicts = branch::run(deps, &request)?;
        if conflicts.is_empty() {
            return Ok(());
        }
        let files: Vec<String> = conflicts.iter().map(|path| format!("\n  {}", path.display())).collect();
        let message = format!(
            "{} cannot be merged without a decision; everything is as it was{}\nhint: merge it in a clone, solve the \
             conflicts there with `leaflock resolve FILE`, and push",
            request.revision,
            files.concat()
        );
        Err(Failure::Command { code: exit::GENERIC, message: Some(message) })
    })
}

/// No marker needs more.
const MOST_CHARACTERS: usize = 1000;

/// What there is to say of the end of a merge, as its exit code wants it.
fn told(outcome: &Outcome) -> Result<(), Failure> {
    let name = outcome.name.display();
    let mut text = match &outcome.ending {
        Ending::Merged | Ending::ByLines { conflicts: false, .. } => return Ok(()),
        Ending::ByLines { cause: None, .. } => {
            format!("{name}: not encrypted, and merged line by line: conflicts")
        }
        Ending::Conflicts(conflicts) => {
            let mut text = format!("{name}: {}", counted(conflicts.len()));
            list(conflicts, &mut text);
            text
        }
        Ending::ByLines { cause: Some((side, error)), .. } => {
            let whose = if *side == Side::Theirs { "theirs" } else { "ours" };
            let mut text = format!("{name}: {whose} cannot be opened, so the file is merged line by line\n");
            report::render_error(error, true, &mut text);
            text.trim_end().to_owned()
        }
    };
    if !matches!(outcome.ending, Ending::ByLines { cause: None, .. }) {
        let _ = write!(
            text,
            "\nhint: `leaflock resolve {name}`{}",
            match outcome.ending {
                Ending::Conflicts(_) => " opens both sides in the editor",
                _ => " merges it where it can be opened",
            }
        );
    }
    Err(Failure::Command { code: exit::GENERIC, message: Some(text) })
}

/// The number of conflicts in words.
pub fn counted(number: usize) -> String {
    format!("{number} {}", if number == 1 { "conflict" } else { "conflicts" })
}

/// One line for each conflict.
pub fn list(conflicts: &[Conflict], text: &mut String) {
    for Conflict { path, kind } in conflicts {
        let path = if path.is_empty() { "the whole file" } else { path };
        let _ = write!(text, "\n  {path}: {kind}");
    }
}

/// A failure that leaves no result must not look like a merge with conflicts to git.
pub fn aborted(failure: Failure, _: &mut Cli) -> Failure {
    match failure {
        Failure::Command { .. } => failure,
        failure => {
            let text = report::render(&failure).trim_end().to_owned();
            Failure::Command {
                code: exit::MERGE_ABORTED,
                message: Some(text).filter(|text| !text.is_empty()),
            }
        }
    }
}
