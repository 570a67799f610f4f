//! `leaflock agent show`.

use std::fmt::Write as _;

use clap::Parser;

use super::argv::fields::{flags, words};
use super::envelope::Answer;
use super::report::Failure;
use super::{Cli, agent_add, agent_list, wire};
use crate::app::agent_show::run as use_case;

/// Show an agent: its keys, and the secrets in its files
///
/// Lists by source what the derived files of the agent hold, by the manifest: names of
/// secrets, never values. `leaflock what-can` tells what the policy allows.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "agent show", override_usage = "leaflock agent show [--json] NAME", after_help = EXAMPLES)]
pub struct Arguments {
    /// Its name
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// Answer in JSON
    #[arg(long)]
    pub json: bool,
}

flags!(Arguments { json "json" "" });

words!(Arguments, 1, name);

const EXAMPLES: &str = "\
Examples:
  leaflock agent show ops/release-manager";

/// Shows a principal.
pub fn answer(arguments: Arguments, cli: &mut Cli) -> Result<Answer, Failure> {
    let name = agent_add::named(arguments.name)?;
    let listed = wire::with_deps(&cli.env, |deps| Ok(use_case(deps, &name)?))?;
    let mut text = format!("{}  {}\n", listed.principal.name, agent_list::roles(&listed));
    for key in listed.principal.age.iter().chain(&listed.principal.sign) {
        let _ = writeln!(text, "    {key}");
    }
    if let Some(broker) = &listed.principal.broker {
        let _ = writeln!(text, "    used through {broker}");
    }
    for file in &listed.files {
        let _ = writeln!(text, "{}", file.source);
        file.secrets.iter().for_each(|secret| {
            let _ = writeln!(text, "    {secret}");
        });
    }
    Ok(Answer::new(text, agent_list::as_json(&listed)))
}
