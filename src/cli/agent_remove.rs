//! `leaflock agent remove`.

use std::fmt::Write as _;

use clap::Parser;
use serde_json::json;

use super::args::{Reading, SigningKey};
use super::argv::fields::{flags, words};
use super::envelope::{Action, Answer};
use super::report::Failure;
use super::revoke::Report;
use super::{Cli, agent_add, wire};
use crate::app::agent_remove::{Outcome, Request, run as use_case};

/// Take an agent out of the policy, and list what it could ever read
///
/// The principal goes out of the policy, with its name wherever a rule, a group or a
/// list of recipients has it; its derived files go; where its key was a recipient of a
/// source or stands in .sops.yaml, it goes as well and the file gets a new data key.
/// Policy and manifest are signed: all of it happens, or nothing. What the agent could
/// read it may know still, until it is changed where it comes from: that is listed.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "agent remove", override_usage = "leaflock agent remove [OPTIONS] NAME", after_help = EXAMPLES)]
pub struct Arguments {
    /// Its name
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// Say what would change, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Signing.
    #[command(flatten)]
    pub signing: SigningKey,
    /// Answer in JSON
    #[arg(long)]
    pub json: bool,
    /// How the files are read.
    #[command(flatten)]
    pub reading: Reading,
}

flags!(Arguments {
    dry_run "dry-run" "", json "json" ""
} signing, reading);

words!(Arguments, 1, name);

const EXAMPLES: &str = "\
Examples:
  leaflock agent remove --dry-run ops/release-manager
  leaflock agent remove ops/release-manager";

/// Removes a principal.
pub fn answer(arguments: Arguments, cli: &mut Cli) -> Result<Answer, Failure> {
    let mut notices = Vec::new();
    let name = agent_add::named(arguments.name)?;
    let dry_run = arguments.dry_run;
    let (file, open) = arguments.reading.resolve(cli.mode, &cli.env, &mut notices)?;
    let signing_key = arguments.signing.file();
    let request = Request { name, dry_run, signing_key, file, open };
    let answer = wire::with_deps(&cli.env, |deps| {
        let report = Report::of_agent(deps, &request.name)?;
        let outcome = use_case(deps, &request)?;
        Ok(told(&report, &request, outcome))
    })?;
    Ok(answer.with_warnings(notices))
}

fn told(report: &Report, request: &Request, outcome: Outcome) -> Answer {
    let Outcome { removed, rekeyed, configs, exposure, notices } = outcome;
    let verb = if request.dry_run { "would leave" } else { "left" };
    let mut text = format!("{} {verb} the policy\n", request.name);
    for name in &removed {
        let _ = writeln!(text, "removed {name}");
    }
    let rekeyed: Vec<String> = rekeyed.iter().map(|path| report.path(path)).collect();
    let configs: Vec<String> = configs.iter().map(|path| report.path(path)).collect();
    rekeyed.iter().for_each(|path| {
        let _ = writeln!(text, "new data key for {path}");
    });
    configs.iter().for_each(|path| {
        let _ = writeln!(text, "took its key out of {path}");
    });
    report.secrets(&exposure, &mut text);
    let result = json!({
        "name": request.name,
        "written": !request.dry_run,
        "removed": removed,
        "rekeyed": rekeyed,
        "configs": configs,
        "exposure": report.as_json(&exposure, None),
    });
    let again = ["agent", "exposure", &request.name];
    Answer::new(text, result)
        .with_warnings(notices)
        .then(Action::leaflock(again, "lists again what is still to be changed"))
}
