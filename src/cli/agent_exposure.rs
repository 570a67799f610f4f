//! `leaflock agent exposure`.

use clap::Parser;

use super::args::Reading;
use super::argv::fields::{flags, words};
use super::envelope::Answer;
use super::report::Failure;
use super::revoke::Report;
use super::{Cli, agent_add, wire};
use crate::app::agent_exposure::run as use_case;

/// List what an agent could ever read
///
/// Every secret and version, in the derived files and sources of git's whole history,
/// that a key could open which any state of the policy gave to the agent; with the
/// first and the last commit, and whether the value changed since. Values are compared
/// as far as your keys open them, and never shown.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "agent exposure", override_usage = "leaflock agent exposure [OPTIONS] NAME", after_help = EXAMPLES)]
pub struct Arguments {
    /// Its name; it may have left the policy
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// Answer in JSON
    #[arg(long)]
    pub json: bool,
    /// How the files are read.
    #[command(flatten)]
    pub reading: Reading,
}

flags!(Arguments { json "json" "" } reading);

words!(Arguments, 1, name);

const EXAMPLES: &str = "\
Examples:
  leaflock agent exposure ops/release-manager
  leaflock agent exposure --json ops/x | jq -r '.result.secrets[] | select(.state==\"unchanged\").key'";

/// Lists what a principal could read.
pub fn answer(arguments: Arguments, cli: &mut Cli) -> Result<Answer, Failure> {
    let mut notices = Vec::new();
    let name = agent_add::named(arguments.name)?;
    let (file, open) = arguments.reading.resolve(cli.mode, &cli.env, &mut notices)?;
    let answer = wire::with_deps(&cli.env, |deps| {
        let report = Report::of_agent(deps, &name)?;
        let exposure = use_case(deps, &name, &file, &open)?;
        let mut text = String::new();
        report.secrets(&exposure, &mut text);
        Ok(Answer::new(text, report.as_json(&exposure, None)))
    })?;
    Ok(answer.with_warnings(notices))
}
