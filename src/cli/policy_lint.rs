//! `leaflock policy lint`.

use std::fmt::Write as _;

use clap::Parser;
use serde_json::json;

use super::argv::fields::{flags, words};
use super::envelope::{Answer, code};
use super::keychange::count;
use super::report::Failure;
use super::{Cli, wire};
use crate::app::policy_lint::{Outcome, run as use_case};
use crate::domain::agent::policy::{Finding, PLACE, Severity};

/// Find what is probably wrong with the policy for agents
///
/// Looks at .leaflock/policy.yaml and at the keys of the files that it governs: rules
/// that reach nobody or nothing, or too much; rights that nobody can make use of;
/// agents without keys; sources that no human can open. Needs no key and no signature.
/// Ends with 1 if there is an error or a warning.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "policy lint", override_usage = "leaflock policy lint [OPTIONS]", after_help = EXAMPLES)]
pub struct Arguments {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

flags!(Arguments { json "json" "" });

words!(Arguments, 0);

const EXAMPLES: &str = "\
Examples:
  leaflock policy lint
  leaflock policy lint --json | jq -r '.result.findings[] | \"\\(.line) \\(.id)\"'";

/// Looks.
pub fn run(_: Arguments, cli: &mut Cli) -> Result<Answer, Failure> {
    let outcome = wire::with_deps(&cli.env, |deps| Ok(use_case(deps)?))?;
    let answer = Answer::new(as_text(&outcome), as_json(&outcome));
    let bad = of_severity(&outcome, Severity::Error) + of_severity(&outcome, Severity::Warning);
    let answer = answer.with_warnings(outcome.notices.iter().cloned());
    if bad == 0 {
        return Ok(answer);
    }
    let bad_ones = outcome.findings.iter().filter(|finding| finding.kind.severity() != Severity::Note);
    let answer = answer.with_fix(bad_ones.map(|finding| finding.advice.clone()));
    Ok(answer.but(code::Code::Findings, format!("{} to look at", count(bad, "finding"))))
}

fn of_severity(outcome: &Outcome, severity: Severity) -> usize {
    outcome.findings.iter().filter(|finding| finding.kind.severity() == severity).count()
}

fn as_text(outcome: &Outcome) -> String {
    let mut text = String::new();
    for Finding { kind, line, message, advice } in &outcome.findings {
        let line = line.map(|line| format!(":{line}")).unwrap_or_default();
        let _ = writeln!(text, "{PLACE}{line}: {}: {message} [{}]", kind.severity().as_str(), kind.id());
        let _ = writeln!(text, "  {advice}");
    }
    let counts = [Severity::Error, Severity::Warning, Severity::Note]
        .map(|severity| count(of_severity(outcome, severity), severity.as_str()));
    let sources = outcome.sources.map(|sources| format!("; {}", count(sources, "source")));
    let _ = writeln!(text, "{}{}", counts.join(", "), sources.unwrap_or_default());
    text
}

fn as_json(outcome: &Outcome) -> serde_json::Value {
    let finding = |finding: &Finding| {
        json!({
            "id": finding.kind.id(),
            "severity": finding.kind.severity().as_str(),
            "file": PLACE,
            "line": finding.line,
            "message": finding.message,
            "advice": finding.advice,
        })
    };
    json!({
        "findings": outcome.findings.iter().map(finding).collect::<Vec<_>>(),
        "sources": outcome.sources,
    })
}
