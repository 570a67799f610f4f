//! `leaflock doctor`.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Parser;
use serde_json::{Value, json};

use super::args::{General, InputType};
use super::argv::fields::{flags, words};
use super::output::escape;
use super::report::Failure;
use super::{Cli, exit, wire};
use crate::app::doctor::{Outcome, Problem, Request, Verdict, run as use_case};
use crate::app::who::FileKeys;
use crate::domain::keys::sources::Outcome as Looked;
use crate::domain::keys::survey::{Opener, Place};

/// Find out why a file does not open, or whether all do
///
/// Shows every place where identities are looked for, what is there and who may
/// read it, the programs that keys need, which encrypted files here can be opened
/// with what, and for each thing that is wrong the command that mends it. Asks
/// nothing, decrypts nothing, and never shows a secret key. Ends with exit code 1
/// if something is wrong.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "doctor", override_usage = "leaflock doctor [OPTIONS] [FILE|DIRECTORY|PATTERN…]", after_help = EXAMPLES)]
pub struct Arguments {
    /// The files to look at [default: everything here]
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Input format.
    #[command(flatten)]
    pub input_type: InputType,
    /// General flags.
    #[command(flatten)]
    pub general: General,
}

flags!(Arguments { json "json" "" } input_type, general);

words!(Arguments, usize::MAX, files);

const EXAMPLES: &str = "\
Examples:
  leaflock doctor
  leaflock doctor config/prod.yaml
  leaflock doctor --json | jq -r '.problems[].mend'";

/// Looks at everything.
pub fn run(arguments: Arguments, cli: &mut Cli) -> Result<(), Failure> {
    let mut paths = arguments.files;
    if paths.is_empty() {
        paths.push(PathBuf::from("."));
    }
    let request = Request { paths, file: cli.file_options(arguments.general, arguments.input_type)? };
    wire::with_deps(&cli.env, |deps| {
        let outcome = use_case(deps, &request)?;
        match arguments.json {
            true => cli.output.text(&as_json(&outcome))?,
            false => cli.output.text(&escape(&as_text(&outcome)))?,
        }
        match outcome.problems.is_empty() {
            true => Ok(()),
            false => Err(Failure::Batch { code: exit::GENERIC }),
        }
    })
}

fn as_text(outcome: &Outcome) -> String {
    let mut text = String::from("Identities\n");
    for (place, mode) in outcome.survey.places.iter().zip(&outcome.modes) {
        let _ = writeln!(text, "  {}: {}", name(place), state(place, *mode));
        for identity in &place.identities {
            let _ = writeln!(text, "    {identity}");
        }
    }
    for plugin in &outcome.survey.plugins {
        let found = plugin.path.as_ref().map_or("not found".to_owned(), |path| path.display().to_string());
        let _ = writeln!(text, "  age-plugin-{}: {found}", plugin.name);
    }
    if let Some(gpg) = &outcome.survey.gpg {
        let keys = gpg.keys.as_deref().unwrap_or_default();
        let _ = writeln!(text, "  {}: {} secret keys", gpg.program, keys.len());
        for key in keys {
            let _ = writeln!(text, "    {key}");
        }
    }
    let shown =
        |path: &Option<PathBuf>| path.as_ref().map_or("none".to_owned(), |it| it.display().to_string());
    let _ = writeln!(text, "Config\n  .sops.yaml: {}", shown(&outcome.config));
    let _ = writeln!(text, "  .leaflock/names: {}", shown(&outcome.names));
    files(outcome, &mut text);
    problems(&outcome.problems, &mut text);
    text
}

/// The variable or path of a place.
fn name(place: &Place) -> String {
    match (place.source.variable(), &place.path) {
        (Some(variable), _) => variable.to_owned(),
        (None, Some(path)) => path.display().to_string(),
        (None, None) => String::new(),
    }
}

/// What was found in a place, in a few words.
fn state(place: &Place, mode: Option<u32>) -> String {
    let state = match &place.outcome {
        None => "a command, run when a file needs it".to_owned(),
        Some(Looked::Absent) if place.source.variable().is_some() => "not set".to_owned(),
        Some(Looked::Absent) => "not there".to_owned(),
        Some(Looked::Unreadable(_)) => "cannot be read".to_owned(),
        Some(Looked::Malformed(_)) => "cannot be understood".to_owned(),
        Some(Looked::Found(1)) => "1 identity".to_owned(),
        Some(Looked::Found(count)) => format!("{count} identities"),
    };
    let mode = mode.map(|mode| format!(", mode {mode:04o}")).unwrap_or_default();
    match (place.source.variable(), &place.path, &place.outcome) {
        (_, _, Some(Looked::Absent)) | (None, _, _) | (_, None, _) => format!("{state}{mode}"),
        (Some(_), Some(path), _) => format!("{}: {state}{mode}", path.display()),
    }
}

fn files(outcome: &Outcome, text: &mut String) {
    let open = outcome.files.iter().filter(|(_, verdict)| matches!(verdict, Verdict::Opens(_))).count();
    let _ = writeln!(text, "Files\n  {open} of {} encrypted files here can be opened", outcome.files.len());
    for (file, verdict) in &outcome.files {
        let path = file.path.strip_prefix(".").unwrap_or(&file.path).display();
        let _ = match verdict {
            Verdict::Opens(by) => writeln!(text, "  {path}: opens with {}", shown(by)),
            Verdict::Perhaps(by) => writeln!(text, "  {path}: perhaps, with {}", shown(by)),
            Verdict::Closed => writeln!(text, "  {path}: closed; ask {}", holders(file)),
        };
    }
}

fn shown(openers: &[Opener]) -> String {
    let shown = openers.iter().map(|opener| match opener.needs {
        Some(needs) => format!("{} and {needs}", opener.location),
        None => opener.location.clone(),
    });
    shown.collect::<Vec<_>>().join(", ")
}

/// Who could open a file, by name where there is one.
fn holders(file: &FileKeys) -> String {
    const LISTED: usize = 4;
    let keys: Vec<&str> =
        file.groups.iter().flatten().map(|key| key.name.as_deref().unwrap_or(&key.key)).collect();
    let more = keys.len().saturating_sub(LISTED);
    let listed = keys[..keys.len() - more].join(", ");
    if more > 0 { format!("{listed} or {more} more") } else { listed }
}

fn problems(problems: &[Problem], text: &mut String) {
    if problems.is_empty() {
        text.push_str("Nothing is wrong\n");
        return;
    }
    text.push_str("Wrong\n");
    for problem in problems {
        let _ = writeln!(text, "  {}\n    mend: {}", problem.text, problem.mend);
    }
}

fn as_json(outcome: &Outcome) -> String {
    let places: Vec<Value> = outcome
        .survey
        .places
        .iter()
        .zip(&outcome.modes)
        .map(|(place, mode)| {
            let problem = match &place.outcome {
                Some(Looked::Unreadable(reason) | Looked::Malformed(reason)) => Some(reason),
                _ => None,
            };
            json!({
                "variable": place.source.variable(),
                "path": place.path.as_ref().map(|path| path.display().to_string()),
                "mode": mode.map(|mode| format!("{mode:04o}")),
                "state": state(place, None),
                "found": place.identities,
                "problem": problem,
            })
        })
        .collect();
    let plugins: Vec<Value> = outcome
        .survey
        .plugins
        .iter()
        .map(|plugin| json!({ "name": plugin.name, "path": plugin.path.as_ref().map(|it| it.display().to_string()) }))
        .collect();
    let gpg = outcome.survey.gpg.as_ref().map(|gpg| {
        json!({ "program": gpg.program, "keys": gpg.keys.as_ref().ok(), "problem": gpg.keys.as_ref().err() })
    });
    let files: Vec<Value> = outcome.files.iter().map(|(file, verdict)| file_json(file, verdict)).collect();
    let problems: Vec<Value> =
        outcome.problems.iter().map(|it| json!({ "text": it.text, "mend": it.mend })).collect();
    let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
    let all = json!({
        "version": 1, "places": places, "plugins": plugins, "gpg": gpg, "config": path(&outcome.config),
        "names": path(&outcome.names), "files": files, "problems": problems,
    });
    format!("{all:#}\n")
}

fn file_json(file: &FileKeys, verdict: &Verdict) -> Value {
    let (opens, by): (_, &[Opener]) = match verdict {
        Verdict::Opens(by) => ("yes", by),
        Verdict::Perhaps(by) => ("perhaps", by),
        Verdict::Closed => ("no", &[]),
    };
    let by: Vec<Value> =
        by.iter().map(|opener| json!({ "location": opener.location, "needs": opener.needs })).collect();
    let path = file.path.strip_prefix(".").unwrap_or(&file.path);
    json!({ "path": path.display().to_string(), "opens": opens, "with": by })
}
