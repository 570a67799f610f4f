//! `leaflock policy test`.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Parser;
use serde_json::json;

use super::argv::fields::{flags, words};
use super::envelope::{Answer, code};
use super::report::{Failure, Usage};
use super::{Cli, decisions, exit, wire};
use crate::app::policy_test::{Outcome, Tested, run as use_case};

/// Check what must be true of the policy for agents
///
/// Every line of FILE is an assertion: `AGENT can LEVEL PATH`, `AGENT cannot LEVEL
/// PATH`, each perhaps with `in SOURCE` behind it, or `AGENT must not reach SOURCE`.
/// LEVEL is read, exec, use, write, or reach for any of them; names, paths and sources
/// take `*` and `**`. Prints each line with the rule that decides, and ends with 1 if
/// one does not hold. Needs no key and no signature.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "policy test", override_usage = "leaflock policy test [OPTIONS] FILE…", after_help = EXAMPLES)]
pub struct Arguments {
    /// Files of assertions
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

flags!(Arguments { json "json" "" });

words!(Arguments, usize::MAX, files);

const EXAMPLES: &str = "\
Examples:
  leaflock policy test .leaflock/policy.test
  echo 'dev/** must not reach secrets/prod.yaml' | leaflock policy test /dev/stdin";

/// Checks.
pub fn run(arguments: Arguments, cli: &mut Cli) -> Result<Answer, Failure> {
    if arguments.files.is_empty() {
        let usage = Usage::with_code(exit::NO_FILE, "Error: no file specified");
        return Err(usage.hint("leaflock policy test FILE").into());
    }
    let outcome = wire::with_deps(&cli.env, |deps| Ok(use_case(deps, &arguments.files)?))?;
    let answer = Answer::new(as_text(&outcome), as_json(&outcome));
    let failed = failed(&outcome);
    let answer = answer.with_warnings(outcome.notices);
    if failed == 0 {
        return Ok(answer);
    }
    Ok(answer.but(
        code::Code::Findings,
        format!(
            "{} not hold",
            match failed {
                1 => "1 assertion does".to_owned(),
                _ => format!("{failed} assertions do"),
            }
        ),
    ))
}

fn failed(outcome: &Outcome) -> usize {
    outcome.tested.iter().filter(|tested| !tested.verdict.holds).count()
}

fn as_text(outcome: &Outcome) -> String {
    let mut text = String::new();
    for Tested { file, line, text: assertion, verdict } in &outcome.tested {
        let word = if verdict.holds { "ok  " } else { "FAIL" };
        let _ = writeln!(text, "{word} {}:{line}: {assertion}", file.display());
        let by = verdict.rule.as_ref().map(|rule| format!(" ({})", decisions::place(rule)));
        let _ = writeln!(text, "     {}{}", verdict.because, by.unwrap_or_default());
    }
    let failed = failed(outcome);
    let _ = writeln!(text, "{} of {} assertions hold", outcome.tested.len() - failed, outcome.tested.len());
    text
}

fn as_json(outcome: &Outcome) -> serde_json::Value {
    let tested = |tested: &Tested| {
        json!({
            "file": tested.file.display().to_string(),
            "line": tested.line,
            "assertion": tested.text,
            "holds": tested.verdict.holds,
            "because": tested.verdict.because,
            "rule": tested.verdict.rule.as_ref().map(decisions::rule),
        })
    };
    json!({
        "assertions": outcome.tested.iter().map(tested).collect::<Vec<_>>(),
        "failed": failed(outcome),
        "is_in_force": outcome.is_in_force,
    })
}
