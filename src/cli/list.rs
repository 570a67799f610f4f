//! `leaflock list`.

use std::path::PathBuf;

use clap::Parser;
use serde_json::{Value, json};

use super::argv::fields::{flags, words};
use super::envelope::Answer;
use super::report::Failure;
use super::{Cli, decisions, wire};
use crate::app::list::{Outcome, Request, Secret, run as use_case};
use crate::app::lookup::Caller;
use crate::domain::agent::pattern::show_path;

/// List the secrets, and what you may do with them
///
/// Prints the path of every secret and its file; for an agent of the policy also what
/// it may do with it: read, exec, use, write or nothing. Needs no key, because keys of
/// encrypted files are in the clear, and shows no value.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "list", override_usage = "leaflock list [OPTIONS] [PREFIX]", after_help = EXAMPLES)]
pub struct Arguments {
    /// Only secrets at and below this path; wildcards as in policies
    #[arg(value_name = "PREFIX")]
    pub prefix: Option<String>,
    /// Only those of this file
    #[arg(long, value_name = "SOURCE")]
    pub file: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

flags!(Arguments { file "file" "", json "json" "" });

words!(Arguments, 1, prefix);

const EXAMPLES: &str = "\
Examples:
  leaflock list
  leaflock list databases
  leaflock list '**.password' --json | jq -r '.result.secrets[].path'";

/// Lists.
pub fn run(arguments: Arguments, cli: &mut Cli) -> Result<Answer, Failure> {
    let request = Request { prefix: super::args::non_empty(arguments.prefix), file: arguments.file };
    let outcome = wire::with_deps(&cli.env, |deps| Ok(use_case(deps, &request)?))?;
    let answer = Answer::new(as_text(&outcome), as_json(&outcome));
    Ok(answer.with_warnings(outcome.notices))
}

fn as_text(outcome: &Outcome) -> String {
    let row = |secret: &Secret| {
        let mut row = vec![show_path(&secret.path), secret.source.clone()];
        row.extend(secret.decision.as_ref().map(decisions::levels));
        row
    };
    decisions::table("", &outcome.secrets.iter().map(row).collect::<Vec<_>>())
}

fn as_json(outcome: &Outcome) -> Value {
    let secret = |secret: &Secret| {
        let levels = secret.decision.as_ref().map(|decision| decisions::words(decision.levels));
        json!({ "path": show_path(&secret.path), "source": secret.source, "levels": levels })
    };
    json!({
        "caller": {
            "name": outcome.caller.name(),
            "is_agent": matches!(outcome.caller, Caller::Agent(_)),
        },
        "secrets": outcome.secrets.iter().map(secret).collect::<Vec<_>>(),
    })
}
