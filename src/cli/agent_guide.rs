//! `leaflock agent guide`.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Parser;
use serde_json::{Value, json};

use super::argv::fields::{flags, words};
use super::envelope::{Action, Answer};
use super::report::{Failure, Usage};
use super::{Cli, Verb, wire};
use crate::app::agent_guide::{Request, caller, run as use_case};
use crate::app::lookup::Caller;

/// Print what an agent has to know, or put it where agents look
///
/// One page: how to find out about secrets, how to use one without reading it, what
/// exit codes mean, and what to do when something is refused. With --install, the
/// page is written between two comments into AGENTS.md at the top of the repository,
/// and into the folders of skills and rules that exist there; what else is in those
/// files stays as it is. Once more brings it up to date, --remove takes it out.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "agent guide", override_usage = "leaflock agent guide [OPTIONS]", after_help = EXAMPLES)]
pub struct Arguments {
    /// Write the page where agents look
    #[arg(long)]
    pub install: bool,
    /// Take it out again
    #[arg(long)]
    pub remove: bool,
    /// This file, instead of AGENTS.md and the others
    #[arg(long, value_name = "FILE")]
    pub target: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

flags!(Arguments { install "install" "", remove "remove" "", target "target" "", json "json" "" });

words!(Arguments, 0);

const EXAMPLES: &str = "\
Examples:
  leaflock agent guide
  leaflock agent guide --install
  leaflock agent guide --install --target docs/agents.md
  leaflock agent guide --remove";

/// The page, but for the commands.
const PAGE: &str = include_str!("../docs/agent-guide.md");

/// Prints or writes the page.
pub fn run(arguments: Arguments, cli: &mut Cli) -> Result<Answer, Failure> {
    if arguments.install && arguments.remove {
        return Err(Usage::new("--install and --remove contradict each other").into());
    }
    if !arguments.install && !arguments.remove {
        if arguments.target.is_some() {
            let usage = Usage::new("--target is for --install and --remove");
            return Err(usage.hint("leaflock agent guide --install --target FILE").into());
        }
        let caller = wire::with_deps(&cli.env, |deps| Ok(caller(deps)))?;
        return Ok(shown(caller.as_ref()));
    }
    let request = Request { page: page(), target: arguments.target, remove: arguments.remove };
    let done = wire::with_deps(&cli.env, |deps| Ok(use_case(deps, &request)?))?;
    let mut text = String::new();
    let mut files = Vec::new();
    for (path, change) in &done {
        let _ = writeln!(text, "{:<10} {}", change.as_str(), path.display());
        files.push(json!({ "path": path.display().to_string(), "change": change.as_str() }));
    }
    Ok(Answer::new(text, json!({ "page": null, "caller": null, "commands": [], "files": files })))
}

/// The page and who reads it.
fn shown(caller: Option<&Caller>) -> Answer {
    let mut text = page();
    match caller {
        Some(Caller::Agent(name)) => {
            let _ = writeln!(text, "\nYou are the agent {name}.");
        }
        Some(Caller::Other(Some(name))) => {
            let _ = writeln!(text, "\nYou are {name}, who is no agent.");
        }
        Some(Caller::Other(None)) => {
            text.push_str("\nThe policy does not know your signing key, nor an identity of yours.\n");
        }
        None => {}
    }
    let is_agent = matches!(caller, Some(Caller::Agent(_)));
    let who = caller.map(|caller| json!({ "name": caller.name(), "is_agent": is_agent }));
    let command =
        |verb: &Verb| json!({ "command": format!("leaflock {}", verb.words()), "about": about(verb) });
    let commands: Vec<Value> = commands().map(command).collect();
    let result = json!({ "page": page(), "caller": who, "commands": commands, "files": [] });
    let list = Action::leaflock(["list", "--json"], "lists the secrets and what you may do with them");
    Answer::new(text, result).then(list)
}

/// The page with the commands that answer in JSON.
fn page() -> String {
    let mut page = PAGE.to_owned();
    page.push_str("\nCommands with `--json`; `leaflock help COMMAND` explains one:\n\n");
    for verb in commands() {
        let _ = writeln!(page, "- `leaflock {}`: {}", verb.words(), about(verb));
    }
    page
}

fn commands() -> impl Iterator<Item = &'static Verb> {
    Verb::all().filter(|verb| verb.answers())
}

fn about(verb: &Verb) -> String {
    verb.command().get_about().map(ToString::to_string).unwrap_or_default()
}
