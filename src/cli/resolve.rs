//! `leaflock resolve`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Parser;
use serde_json::json;

use super::args::Reading;
use super::argv::fields::{flags, words};
use super::output::{Output, escape};
use super::report::{Failure, Usage};
use super::{Cli, exit, merge, wire};
use crate::app::error::Error;
use crate::app::request::Notice;
use crate::app::resolve::{Outcome, Request, run as use_case};
use crate::domain::index;
use crate::domain::merge::{Choice, Conflict, Side};

/// Solve the conflicts of encrypted files
///
/// Opens both sides in your editor, in clear and between git's markers, and
/// encrypts what you make of them. Also for files that git marked without the merge
/// driver. --ours and --theirs settle conflicts without an editor; a KEY is a key
/// path, '["database"]["password"]' or database.password, with all that is below
/// it. Then `git add FILE` tells git.
#[allow(rustdoc::broken_intra_doc_links, reason = "help texts show the index syntax, which looks like links")]
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "resolve", override_usage = "leaflock resolve [OPTIONS] FILE…", after_help = EXAMPLES)]
pub struct Arguments {
    /// The files that have conflicts
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Take ours at this key (repeatable)
    #[arg(long, value_name = "KEY")]
    pub ours: Vec<String>,
    /// Take theirs at this key (repeatable)
    #[arg(long, value_name = "KEY")]
    pub theirs: Vec<String>,
    /// Take ours in all other conflicts
    #[arg(long)]
    pub all_ours: bool,
    /// Take theirs in all other conflicts
    #[arg(long)]
    pub all_theirs: bool,
    /// Tell what is to solve, and change nothing
    #[arg(long)]
    pub list: bool,
    /// Tell it as JSON
    #[arg(long)]
    pub json: bool,
    /// How the files are read.
    #[command(flatten)]
    pub reading: Reading,
}

flags!(Arguments { ours "ours" "", theirs "theirs" "", all_ours "all-ours" "", all_theirs "all-theirs" "", list "list" "", json "json" "" } reading);

words!(Arguments, usize::MAX, files);

const EXAMPLES: &str = "\
Examples:
  leaflock resolve config/prod.yaml
  leaflock resolve --list config/prod.yaml
  leaflock resolve --theirs database.password --all-ours config/prod.yaml && git add config/prod.yaml";

/// Solves the conflicts of files, one after the other.
pub fn run(arguments: Arguments, cli: &mut Cli) -> Result<(), Failure> {
    let mut notices = Vec::new();
    let choices = choices(&arguments)?;
    let list = arguments.list || arguments.json;
    if list && !choices.is_empty() {
        let usage = Usage::new("--list changes nothing, so there is nothing to settle with it");
        return Err(usage.hint("call it without --ours, --theirs and their like").into());
    }
    let paths = arguments.files;
    if paths.is_empty() {
        let usage = Usage::with_code(exit::NO_FILE, "Error: no file specified");
        return Err(usage
            .hint("name the files whose conflicts are to be solved: git status lists them")
            .into());
    }
    let (file, open) = arguments.reading.resolve(cli.mode, &cli.env, &mut notices)?;
    cli.output.notices(&notices);
    wire::with_deps(&cli.env, |deps| {
        let mut outcomes = Vec::with_capacity(paths.len());
        for path in paths {
            let request =
                Request { path, choices: choices.clone(), list, file: file.clone(), open: open.clone() };
            let outcome =
                use_case(deps, &request).map_err(|error| failed(error, &outcomes, &mut cli.output))?;
            cli.output.notices(&outcome.notices);
            if !list {
                told(&request.path, &outcome, &mut cli.output);
            }
            outcomes.push((request.path, outcome.conflicts));
        }
        if list {
            cli.output.text(&if arguments.json { as_json(&outcomes) } else { as_text(&outcomes) })?;
            return Ok(());
        }
        let left = outcomes.iter().any(|(_, conflicts)| !conflicts.is_empty());
        if left { Err(Failure::Batch { code: exit::GENERIC }) } else { Ok(()) }
    })
}

/// What the flags settle. Keys come before all others.
fn choices(arguments: &Arguments) -> Result<Vec<Vec<Choice>>, Usage> {
    if arguments.all_ours && arguments.all_theirs {
        return Err(Usage::with_code(exit::CONFLICT, "--all-ours and --all-theirs contradict each other"));
    }
    let mut choices = Vec::new();
    for (all, side) in [(arguments.all_ours, Side::Ours), (arguments.all_theirs, Side::Theirs)] {
        if all {
            choices.push(vec![Choice { path: String::new(), side }]);
        }
    }
    for (keys, side) in [(&arguments.ours, Side::Ours), (&arguments.theirs, Side::Theirs)] {
        for key in keys {
            let spelled = index::spelled_out(key).map_err(|error| {
                Usage::new(format!("this is no key path: {error}"))
                    .hint("for example: --ours '[\"database\"][\"password\"]', --ours database.password")
            })?;
            choices.push(spelled.into_iter().map(|path| Choice { path, side }).collect());
        }
    }
    Ok(choices)
}

/// The error of one of several files, once what happened to the others was told.
fn failed(error: Error, done: &[(PathBuf, Vec<Conflict>)], output: &mut Output) -> Failure {
    if !done.is_empty() {
        output.notice(&Notice::note("the files above are done; those behind this one are as they were"));
    }
    Failure::App(error)
}

fn told(path: &Path, outcome: &Outcome, output: &mut Output) {
    let name = path.display();
    if outcome.conflicts.is_empty() {
        let text = format!("{name}: solved");
        output.notice(&Notice::note(text).with_hint(format!("git add {name}")));
        return;
    }
    let mut text = format!("{name}: {} left", merge::counted(outcome.conflicts.len()));
    merge::list(&outcome.conflicts, &mut text);
    text.push('\n');
    output.talk(&text);
}

fn as_text(files: &[(PathBuf, Vec<Conflict>)]) -> String {
    let mut text = String::new();
    for (path, conflicts) in files {
        let _ = write!(text, "{}: {}", path.display(), merge::counted(conflicts.len()));
        merge::list(conflicts, &mut text);
        text.push('\n');
    }
    escape(&text).into_owned()
}

fn as_json(files: &[(PathBuf, Vec<Conflict>)]) -> String {
    let conflict = |it: &Conflict| json!({ "path": it.path, "kind": it.kind.word() });
    let file = |(path, conflicts): &(PathBuf, Vec<Conflict>)| {
        let conflicts: Vec<_> = conflicts.iter().map(conflict).collect();
        json!({ "path": path.display().to_string(), "conflicts": conflicts })
    };
    let files: Vec<_> = files.iter().map(file).collect();
    format!("{:#}\n", json!({ "version": 1, "files": files }))
}
