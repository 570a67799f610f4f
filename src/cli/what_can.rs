//! `leaflock what-can`.

use std::fmt::Write as _;

use clap::Parser;
use serde_json::json;

use super::argv::fields::{flags, words};
use super::envelope::Answer;
use super::report::{Failure, Usage};
use super::{Cli, decisions, wire};
use crate::app::what_can::{Granted, Outcome, run as use_case};
use crate::domain::agent::policy::{Decision, Subtree};

/// Tell what somebody may do with which secrets
///
/// Prints for every source what AGENT is granted of it, and the rules that grant it.
/// Needs no key, and no signature: a policy that is not signed yet is asked the same
/// way.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "what-can", override_usage = "leaflock what-can [OPTIONS] AGENT", after_help = EXAMPLES)]
pub struct Arguments {
    /// The name of a principal
    #[arg(value_name = "AGENT")]
    pub agent: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

flags!(Arguments { json "json" "" });

words!(Arguments, 1, agent);

const EXAMPLES: &str = "\
Examples:
  leaflock what-can ops/deploy
  leaflock what-can ops/deploy --json | jq -r '.result.sources[].parts[].path'";

/// Answers.
pub fn run(arguments: Arguments, cli: &mut Cli) -> Result<Answer, Failure> {
    let Some(agent) = arguments.agent else {
        return Err(Usage::new("`what-can` needs a name").hint("leaflock what-can AGENT").into());
    };
    let outcome = wire::with_deps(&cli.env, |deps| Ok(use_case(deps, &agent)?))?;
    let answer = Answer::new(as_text(&outcome), as_json(&agent, &outcome));
    Ok(answer.with_warnings(decisions::stranger(&agent, outcome.is_principal)).with_warnings(outcome.notices))
}

fn as_text(outcome: &Outcome) -> String {
    if outcome.granted.is_empty() {
        return "nothing\n".to_owned();
    }
    let mut text = String::new();
    for granted in &outcome.granted {
        let _ = writeln!(text, "{}", granted.source);
        let row = |part: &Subtree<Decision>| {
            vec![decisions::part(part), decisions::levels(&part.what), decisions::granting(&part.what)]
        };
        let rows: Vec<Vec<String>> = granted.parts.iter().map(row).collect();
        text.push_str(&decisions::table("  ", &rows));
    }
    text
}

fn as_json(agent: &str, outcome: &Outcome) -> serde_json::Value {
    let granted = |granted: &Granted| {
        let parts: Vec<_> = granted.parts.iter().map(decisions::decided).collect();
        json!({ "source": granted.source, "parts": parts })
    };
    json!({
        "agent": agent,
        "is_principal": outcome.is_principal,
        "is_in_force": outcome.is_in_force,
        "sources": outcome.granted.iter().map(granted).collect::<Vec<_>>(),
    })
}
