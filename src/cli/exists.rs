//! `leaflock exists`.

use std::path::PathBuf;

use clap::Parser;
use serde_json::json;

use super::argv::fields::{flags, words};
use super::envelope::code::Code;
use super::envelope::{Action, Answer};
use super::report::Failure;
use super::{Cli, get, wire};
use crate::app::exists::{Found, Request, run as use_case};

/// Ask whether a secret is there
///
/// Prints the encrypted files that hold something at or below PATH, one a line. Ends
/// with 0 if there is one, with 1 if not. Needs no key, because keys of encrypted
/// files are in the clear, and says nothing about values.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "exists", override_usage = "leaflock exists [OPTIONS] PATH", after_help = EXAMPLES)]
pub struct Arguments {
    /// The keys that lead to the secret, or to several
    #[arg(value_name = "PATH")]
    pub path: Option<String>,
    /// Look in this file only
    #[arg(long, value_name = "SOURCE")]
    pub file: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

flags!(Arguments { file "file" "", json "json" "" });

words!(Arguments, 1, path);

const EXAMPLES: &str = "\
Examples:
  leaflock exists databases.postgres.password
  leaflock exists api.token --file secrets/prod.yaml || echo missing";

/// Looks.
pub fn run(arguments: Arguments, cli: &mut Cli) -> Result<Answer, Failure> {
    let Some(path) = arguments.path else { return Err(get::no_path("exists").into()) };
    let request = Request { path, file: arguments.file };
    let outcome = wire::with_deps(&cli.env, |deps| Ok(use_case(deps, &request)?))?;
    let found = |it: &Found| json!({ "source": it.source, "values": it.values });
    let result = json!({
        "path": request.path,
        "exists": !outcome.found.is_empty(),
        "found": outcome.found.iter().map(found).collect::<Vec<_>>(),
    });
    let text: String = outcome.found.iter().map(|found| format!("{}\n", found.source)).collect();
    let answer = Answer::new(text, result).with_warnings(outcome.notices);
    Ok(match outcome.missing {
        Some(why) => answer
            .but(Code::No, why)
            .then(Action::leaflock(["list", "--json"], "lists the secrets that there are")),
        None => answer,
    })
}
