//! `leaflock agent list`.

use std::fmt::Write as _;

use clap::Parser;
use serde_json::{Value, json};

use super::argv::fields::{flags, words};
use super::envelope::Answer;
use super::keychange::count;
use super::report::Failure;
use super::{Cli, wire};
use crate::app::agent_list::{self as use_case, Listed};

/// List agents, and the other principals of the policy
///
/// Shows names, roles and the number of derived files that each has. No key is
/// needed, and the policy need not be signed.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "agent list", override_usage = "leaflock agent list [--json]", after_help = EXAMPLES)]
pub struct Arguments {
    /// Answer in JSON
    #[arg(long)]
    pub json: bool,
}

flags!(Arguments { json "json" "" });

words!(Arguments, 0);

const EXAMPLES: &str = "\
Examples:
  leaflock agent list
  leaflock agent list --json | jq -r '.result.principals[].name'";

/// Lists principals.
pub fn answer(_: Arguments, cli: &mut Cli) -> Result<Answer, Failure> {
    let all = wire::with_deps(&cli.env, |deps| Ok(use_case::run(deps)?))?;
    let mut text = String::new();
    for listed in &all {
        let files = count(listed.files.len(), "file");
        let _ = writeln!(text, "{}  {}  {files}", listed.principal.name, roles(listed));
    }
    if all.is_empty() {
        text.push_str("the policy has no principals\n");
    }
    let principals: Vec<Value> = all.iter().map(as_json).collect();
    Ok(Answer::new(text, json!({ "principals": principals })))
}

/// The roles in words.
pub fn roles(listed: &Listed) -> String {
    let roles: Vec<&str> = listed.principal.roles.iter().map(|role| role.as_str()).collect();
    if roles.is_empty() { "agent".to_owned() } else { roles.join(", ") }
}

/// A principal for programs.
pub fn as_json(listed: &Listed) -> Value {
    let principal = &listed.principal;
    let roles: Vec<&str> = principal.roles.iter().map(|role| role.as_str()).collect();
    let files: Vec<Value> = listed
        .files
        .iter()
        .map(|file| json!({ "source": file.source, "secrets": file.secrets, "recipients": file.recipients }))
        .collect();
    json!({
        "name": principal.name,
        "agent": principal.is_agent(),
        "roles": roles,
        "age": principal.age,
        "sign": principal.sign,
        "broker": principal.broker,
        "files": files,
    })
}
