//! `leaflock who`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Parser;
use serde_json::json;

use super::args::{General, InputType};
use super::argv::fields::{flags, words};
use super::output::{Output, escape};
use super::report::{self, Failure, Usage};
use super::{Cli, args, exit, wire};
use crate::app::who::{FileKeys, Key, Outcome, Request, run as use_case};

/// Tell who can open files, and which files somebody can open
///
/// Prints the recipients of each FILE, with their names. With --recipient, prints
/// the files that it can open, one a line. Needs no key. Names are the comments
/// beside the keys in .sops.yaml, the lines of .leaflock/names (a key, then the
/// name), and the comments of SSH keys.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "who", override_usage = "leaflock who [OPTIONS] FILE|DIRECTORY|PATTERN…\n       leaflock who [OPTIONS] --recipient RECIPIENT|NAME [PATH…]", after_help = EXAMPLES)]
pub struct Arguments {
    /// Files, directories and patterns; with --recipient, by default everything here
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Only the files of this recipient, by its key or its name
    #[arg(long, value_name = "RECIPIENT|NAME")]
    pub recipient: Option<String>,
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

flags!(Arguments { recipient "recipient" "", json "json" "" } input_type, general);

words!(Arguments, usize::MAX, files);

const EXAMPLES: &str = "\
Examples:
  leaflock who config/prod.yaml
  leaflock who --recipient 'Alice Example'
  leaflock who --json secrets/ | jq -r '.files[].path'";

/// Looks at files.
pub fn run(arguments: Arguments, cli: &mut Cli) -> Result<(), Failure> {
    let recipient = args::non_empty(arguments.recipient);
    let mut paths = arguments.files;
    if paths.is_empty() && recipient.is_some() {
        paths.push(PathBuf::from("."));
    }
    if paths.is_empty() {
        let usage = Usage::with_code(exit::NO_FILE, "Error: no file specified");
        return Err(usage.hint("name the files to look at, or a recipient with --recipient").into());
    }
    let request =
        Request { paths, recipient, file: cli.file_options(arguments.general, arguments.input_type)? };
    wire::with_deps(&cli.env, |deps| {
        let outcome = use_case(deps, &request)?;
        let text = match (arguments.json, &request.recipient) {
            (true, _) => as_json(&outcome),
            (false, Some(_)) => outcome.files.iter().map(|file| shown(&file.path) + "\n").collect(),
            (false, None) => escape(&as_text(&outcome)).into_owned(),
        };
        cli.output.text(&text)?;
        failures(&outcome, &mut cli.output)
    })
}

fn failures(outcome: &Outcome, output: &mut Output) -> Result<(), Failure> {
    let mut code = exit::SUCCESS;
    for (path, error) in &outcome.failed {
        let mut text = format!("{}: ", path.display());
        report::render_error(error, true, &mut text);
        output.talk(&text);
        code = code.max(exit::of_error(error));
    }
    if code == exit::SUCCESS { Ok(()) } else { Err(Failure::Batch { code }) }
}

/// A path without the folder that everything is in.
fn shown(path: &Path) -> String {
    path.strip_prefix(".").unwrap_or(path).display().to_string()
}

fn as_text(outcome: &Outcome) -> String {
    let mut text = String::new();
    for file in &outcome.files {
        let _ = writeln!(text, "{}", shown(&file.path));
        for (number, group) in file.groups.iter().enumerate() {
            if let Some(threshold) = file.threshold {
                let _ = writeln!(text, "  group {number} ({threshold} of {} are needed)", file.groups.len());
            }
            let indent = if file.threshold.is_some() { "    " } else { "  " };
            for key in group {
                let _ = writeln!(text, "{indent}{}", line(key));
            }
        }
    }
    text
}

/// `age  age1… (Alice)`
fn line(key: &Key) -> String {
    let kind = key.kind.metadata_field();
    match &key.name {
        Some(name) if !key.key.ends_with(name.as_str()) => format!("{kind:<5} {} ({name})", key.key),
        _ => format!("{kind:<5} {}", key.key),
    }
}

fn as_json(outcome: &Outcome) -> String {
    let key = |key: &Key| json!({ "kind": key.kind.metadata_field(), "key": key.key, "name": key.name });
    let file = |file: &FileKeys| {
        let groups: Vec<Vec<_>> = file.groups.iter().map(|group| group.iter().map(key).collect()).collect();
        json!({ "path": shown(&file.path), "groups": groups, "threshold": file.threshold })
    };
    let files: Vec<_> = outcome.files.iter().map(file).collect();
    format!("{:#}\n", json!({ "version": 1, "files": files }))
}
