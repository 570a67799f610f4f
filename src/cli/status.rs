//! `leaflock status`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Parser;
use serde_json::{Value, json};

use super::args::{General, InputType};
use super::argv::fields::{flags, words};
use super::env::Variable;
use super::output::escape;
use super::report::Failure;
use super::{Cli, exit, wire};
use crate::app::error::Error;
use crate::app::git_setup::{Part, Request};
use crate::app::status::{FileState, Outcome, State, run as use_case};

/// Show what git of this repository knows of encrypted files
///
/// Tells which parts of `leaflock git setup` are in place, which files are
/// encrypted, should be, or are in a merge that is not finished, and for each thing
/// that is wrong the command that mends it. Changes nothing and needs no key. Ends
/// with exit code 1 if something is wrong.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "status", override_usage = "leaflock status [OPTIONS] [DIRECTORY]", after_help = EXAMPLES)]
pub struct Arguments {
    /// The repository [default: that of the current folder]
    #[arg(value_name = "DIRECTORY")]
    pub directory: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// General flags.
    #[command(flatten)]
    pub general: General,
}

flags!(Arguments { json "json" "" } general);

words!(Arguments, 1, directory);

const EXAMPLES: &str = "\
Examples:
  leaflock status
  leaflock status --json | jq -r '.problems[].text'";

/// Looks at the repository.
pub fn run(arguments: Arguments, cli: &mut Cli) -> Result<(), Failure> {
    let file = cli.file_options(arguments.general, InputType::default())?;
    let search_path = cli.env.get(Variable::Path).unwrap_or_default();
    wire::with_deps(&cli.env, |deps| {
        let working = deps.files.absolute(Path::new(".")).map_err(Error::Read)?;
        let folder = arguments.directory.unwrap_or_else(|| working.clone());
        let outcome = use_case(deps, &Request { folder, remove: false, filter: None, search_path, file })?;
        match arguments.json {
            true => cli.output.text(&as_json(&outcome, &working))?,
            false => cli.output.text(&escape(&as_text(&outcome, &working)))?,
        }
        match outcome.problems.is_empty() {
            true => Ok(()),
            false => Err(Failure::Batch { code: exit::GENERIC }),
        }
    })
}

fn part_name(part: Part) -> &'static str {
    match part {
        Part::Attributes => "attributes",
        Part::Settings => "settings",
        Part::Hook => "hook",
        Part::Filter => "filter",
    }
}

fn state_name(state: State) -> &'static str {
    match state {
        State::Ok => "ok",
        State::Outdated => "out of date",
        State::Missing => "missing",
        State::Needless => "not needed",
    }
}

fn file_state_name(state: FileState) -> &'static str {
    match state {
        FileState::Encrypted => "encrypted",
        FileState::Plain => "plain",
        FileState::Conflict => "conflict",
        FileState::Absent => "absent",
    }
}

fn shown(path: &Path, folder: &Path) -> String {
    path.strip_prefix(folder).unwrap_or(path).display().to_string()
}

fn as_text(outcome: &Outcome, folder: &Path) -> String {
    let mut text = String::new();
    for (part, path, state) in &outcome.parts {
        let name = part_name(*part);
        let _ = writeln!(text, "{name:<11} {:<12} {}", state_name(*state), shown(path, folder));
    }
    let count = |state| outcome.files.iter().filter(|file| file.state == state).count();
    let mut counts = format!("{} encrypted", count(FileState::Encrypted));
    let others = [
        (FileState::Plain, "in plain text"),
        (FileState::Conflict, "in an unfinished merge"),
        (FileState::Absent, "not in the work tree"),
    ];
    for (state, words) in others.into_iter().filter(|(state, _)| count(*state) > 0) {
        let _ = write!(counts, ", {} {words}", count(state));
    }
    let _ = writeln!(text, "{:<11} {counts}", "files");
    if outcome.problems.is_empty() {
        text.push_str("Nothing is missing\n");
        return text;
    }
    text.push_str("Missing or wrong\n");
    for problem in &outcome.problems {
        let _ = writeln!(text, "  {}", problem.text);
        for (index, line) in problem.mend.iter().enumerate() {
            let _ = writeln!(text, "    {}{line}", if index == 0 { "mend: " } else { "      " });
        }
    }
    text
}

fn as_json(outcome: &Outcome, folder: &Path) -> String {
    let parts: Vec<Value> = outcome
        .parts
        .iter()
        .map(|(part, path, state)| {
            json!({ "name": part_name(*part), "path": shown(path, folder), "state": state_name(*state) })
        })
        .collect();
    let files: Vec<Value> = outcome
        .files
        .iter()
        .map(|file| {
            json!({
                "path": shown(&file.path, folder),
                "state": file_state_name(file.state),
                "attributes": file.attributes,
            })
        })
        .collect();
    let problems: Vec<Value> =
        outcome.problems.iter().map(|it| json!({ "text": it.text, "mend": it.mend })).collect();
    let place = &outcome.place;
    let all = json!({
        "version": 1,
        "top": place.top.as_ref().map(|top| top.display().to_string()),
        "git_dir": place.git_dir.display().to_string(),
        "parts": parts, "files": files, "problems": problems,
    });
    format!("{all:#}\n")
}
