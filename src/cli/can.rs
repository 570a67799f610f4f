//! `leaflock can`.

use clap::Parser;
use serde_json::json;

use super::argv::fields::{flags, words};
use super::envelope::{self, code};
use super::report::{Failure, Usage};
use super::{Cli, args, decisions, wire};
use crate::app::can::{Outcome, Request, run as use_case};
use crate::domain::agent::denial::DenyCode;
use crate::domain::agent::policy::{Level, Levels};

/// Ask whether somebody may do something with a secret
///
/// Prints yes or no for every source that holds PATH, and the rule that decides.
/// Ends with 0 for yes, 3 for no; for a subtree, yes means all of it. Needs no key,
/// and no signature: a policy that is not signed yet is asked the same way.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "can", override_usage = "leaflock can [OPTIONS] AGENT PATH", after_help = EXAMPLES)]
pub struct Arguments {
    /// The name of a principal
    #[arg(value_name = "AGENT")]
    pub agent: Option<String>,
    /// The keys that lead to a secret, or to several
    #[arg(value_name = "PATH")]
    pub path: Option<String>,
    /// read, exec, use or write [default: read]
    #[arg(long, value_name = "LEVEL", value_parser = ["read", "exec", "use", "write", "readonly", "post"], hide_possible_values = true)]
    pub level: Option<String>,
    /// In this source only; it need not have the secret yet
    #[arg(long, value_name = "SOURCE")]
    pub file: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

flags!(Arguments { level "level" "", file "file" "", json "json" "" });

words!(Arguments, 2, agent, path);

const EXAMPLES: &str = "\
Examples:
  leaflock can ops/deploy databases.postgres.password
  leaflock can ops/deploy databases --level exec --file secrets/prod.yaml
  if leaflock can dev/test databases.root; then …";

/// Answers.
pub fn run(arguments: Arguments, cli: &mut Cli) -> Result<envelope::Answer, Failure> {
    let level = level(args::non_empty(arguments.level))?.unwrap_or(Level::Read);
    let (Some(agent), Some(path)) = (arguments.agent, arguments.path) else {
        return Err(Usage::new("`can` needs an agent and a path").hint("leaflock can AGENT PATH").into());
    };
    let request = Request { agent, path, level, file: args::non_empty(arguments.file) };
    let outcome = wire::with_deps(&cli.env, |deps| Ok(use_case(deps, &request)?))?;
    let answer = envelope::Answer::new(as_text(&outcome, level), as_json(&request, &outcome))
        .with_warnings(outcome.notices.iter().cloned())
        .with_warnings(decisions::stranger(&request.agent, outcome.is_principal));
    if outcome.allowed {
        return Ok(answer);
    }
    let message = format!("{} may not {} all of {}", request.agent, level.as_str(), request.path);
    let shown = format!("`leaflock policy explain {} {}`", request.agent, request.path);
    let answer =
        answer.with_fix([format!("{shown} tells which rules decide; an administrator changes those")]);
    Ok(answer.but(code::Code::Refused(DenyCode::NotAllowed), message))
}

/// The level of a `--level`.
pub fn level(word: Option<String>) -> Result<Option<Level>, Usage> {
    let parse = |word: String| {
        // The words of policies, as long as they mean one level.
        let levels: Vec<Level> =
            Levels::parse(&word).into_iter().flat_map(|levels| levels.iter().collect::<Vec<_>>()).collect();
        match levels[..] {
            [level] => Ok(level),
            _ => Err(Usage::new("--level is no level")
                .hint("the levels are read, exec, use and write, one at a time")),
        }
    };
    word.map(parse).transpose()
}

fn as_text(outcome: &Outcome, level: Level) -> String {
    let mut rows = Vec::new();
    for answer in &outcome.answers {
        for part in &answer.parts {
            let word = if part.what.levels.has(level) { "yes" } else { "no" };
            let new = if answer.exists { "" } else { " (not there yet)" };
            rows.push(vec![
                word.to_owned(),
                answer.source.clone(),
                format!("{}{new}", decisions::part(part)),
                decisions::because(part.what.because(level), level),
            ]);
        }
    }
    decisions::table("", &rows)
}

fn as_json(request: &Request, outcome: &Outcome) -> serde_json::Value {
    let answers = outcome.answers.iter().map(|answer| {
        let parts: Vec<_> = answer.parts.iter().map(decisions::decided).collect();
        json!({ "source": answer.source, "exists": answer.exists, "parts": parts })
    });
    json!({
        "agent": request.agent,
        "path": request.path,
        "level": request.level.as_str(),
        "allowed": outcome.allowed,
        "is_principal": outcome.is_principal,
        "is_in_force": outcome.is_in_force,
        "sources": answers.collect::<Vec<_>>(),
    })
}
