//! `leaflock audit report`.

use std::path::PathBuf;

use clap::Parser;
use serde_json::{Value, json};

use super::argv::fields::{flags, words};
use super::audit::time;
use super::envelope::Answer;
use super::keychange::count;
use super::report::Failure;
use super::{Cli, args, wire};
use crate::app::audit_report::run as use_case;
use crate::app::error::Error;
use crate::app::ports::Durability;
use crate::domain::agent::report::{html, json as object};

/// Write a page that says who can reach which secret, and who did
///
/// One HTML page, for a browser without network: every principal against every secret,
/// by what the policy grants and by what the keys open; who did what and when, by the
/// audit trail; grants that nobody used; what is probably wrong with rules; what removed
/// keys could ever open; and whether the trail is what was written. Takes no key, opens
/// nothing, and holds no value.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "audit report", override_usage = "leaflock audit report [OPTIONS]", after_help = EXAMPLES)]
pub struct Arguments {
    /// Write the page to this file in place of stdout
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Look at the trail from this time on (UTC): 2026-11-22 or 2026-11-22T13:00
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Answer in one JSON object, which has what the page has [env: LEAFLOCK_OUTPUT=json]
    #[arg(long)]
    pub json: bool,
}

flags!(Arguments { out "out" "", since "since" "", json "json" "" });

words!(Arguments, 0);

const EXAMPLES: &str = "\
Examples:
  leaflock audit report --out access.html
  leaflock audit report --since 2026-11-01 --out november.html
  leaflock audit report --json | jq '.result.unused_grants'";

/// Writes the report.
pub fn run(arguments: Arguments, cli: &mut Cli) -> Result<Answer, Failure> {
    let since = args::non_empty(arguments.since).map(|text| time(text, "--since")).transpose()?;
    let is_object_wanted = cli.output.holds_notices();
    wire::with_deps(&cli.env, |deps| {
        let outcome = use_case(deps, since)?;
        let mut result = match is_object_wanted {
            true => object::render(&outcome.report),
            false => Value::Null,
        };
        let text = match &arguments.out {
            None if is_object_wanted => String::new(),
            None => html::render(&outcome.report),
            Some(out) => {
                let page = html::render(&outcome.report);
                let written = deps.files.write(out, page.as_bytes(), Durability::Process);
                written.map_err(|error| Error::Write { in_place: false, error })?;
                if is_object_wanted {
                    result["out"] = json!(out.to_string_lossy());
                }
                let reach = &outcome.report.reach;
                let principals = count(reach.columns.len(), "principal");
                let secrets = count(reach.secrets(), "secret");
                format!("{}: {principals}, {secrets}\n", out.display())
            }
        };
        Ok(Answer::new(text, result).with_warnings(outcome.notices))
    })
}
