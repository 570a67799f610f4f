//! `leaflock who-can`.

use std::fmt::Write as _;

use clap::Parser;
use serde_json::json;

use super::argv::fields::{flags, words};
use super::envelope::Answer;
use super::report::{Failure, Usage};
use super::{Cli, args, can, decisions, wire};
use crate::app::who_can::{Outcome, Request, Right, run as use_case};
use crate::domain::agent::policy::Subtree;

/// Tell who may do what with a secret
///
/// Prints for every source that holds PATH who is granted what of it, and the rules
/// that grant it. Needs no key, and no signature: a policy that is not signed yet is
/// asked the same way. Humans and CI that open the sources themselves are not granted
/// anything here: `leaflock who FILE` lists them.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "who-can", override_usage = "leaflock who-can [OPTIONS] PATH", after_help = EXAMPLES)]
pub struct Arguments {
    /// The keys that lead to a secret, or to several
    #[arg(value_name = "PATH")]
    pub path: Option<String>,
    /// Only those who may read, exec, use or write
    #[arg(long, value_name = "LEVEL", value_parser = ["read", "exec", "use", "write", "readonly", "post"], hide_possible_values = true)]
    pub level: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

flags!(Arguments { level "level" "", json "json" "" });

words!(Arguments, 1, path);

const EXAMPLES: &str = "\
Examples:
  leaflock who-can databases.postgres.password
  leaflock who-can databases --level read --json | jq -r '.result.rights[].agent'";

/// Answers.
pub fn run(arguments: Arguments, cli: &mut Cli) -> Result<Answer, Failure> {
    let level = can::level(args::non_empty(arguments.level))?;
    let Some(path) = arguments.path else {
        return Err(Usage::new("`who-can` needs a path").hint("leaflock who-can PATH").into());
    };
    let request = Request { path, level };
    let outcome = wire::with_deps(&cli.env, |deps| Ok(use_case(deps, &request)?))?;
    let answer = Answer::new(as_text(&outcome), as_json(&request, &outcome));
    Ok(answer.with_warnings(outcome.notices))
}

fn as_text(outcome: &Outcome) -> String {
    if outcome.rights.is_empty() {
        return "nobody\n".to_owned();
    }
    let mut text = String::new();
    for rights in outcome.rights.chunk_by(|one, other| one.source == other.source) {
        let _ = writeln!(text, "{}", rights[0].source);
        let mut rows = Vec::new();
        for right in rights {
            let keyless = if right.is_principal { "" } else { " (no principal)" };
            rows.extend(right.parts.iter().map(|part| {
                vec![
                    format!("{}{keyless}", right.agent),
                    decisions::levels(&part.what),
                    decisions::part(part),
                    decisions::granting(&part.what),
                ]
            }));
        }
        text.push_str(&decisions::table("  ", &rows));
    }
    text
}

fn as_json(request: &Request, outcome: &Outcome) -> serde_json::Value {
    let right = |right: &Right| {
        let parts: Vec<_> = right.parts.iter().map(|part: &Subtree<_>| decisions::decided(part)).collect();
        json!({
            "source": right.source,
            "agent": right.agent,
            "is_principal": right.is_principal,
            "parts": parts,
        })
    };
    json!({
        "path": request.path,
        "level": request.level.map(|level| level.as_str()),
        "is_in_force": outcome.is_in_force,
        "rights": outcome.rights.iter().map(right).collect::<Vec<_>>(),
    })
}
