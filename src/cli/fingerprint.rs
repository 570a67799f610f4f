//! `leaflock fingerprint`.

use std::path::PathBuf;

use clap::Parser;
use serde_json::json;

use super::args::{General, Opening};
use super::argv::fields::{flags, words};
use super::envelope::Answer;
use super::report::Failure;
use super::{Cli, get, wire};
use crate::app::fingerprint::run as use_case;
use crate::app::get::Request;
use crate::domain::agent::audit::entry::Action;

/// Tell equal values of a file apart from others, without showing them
///
/// Prints a keyed fingerprint: HMAC-SHA256 of the value under a key derived from the
/// data key of its file, cut to 16 bytes. Values of one file are the same if their
/// fingerprints are; those of different files, or from before and after a new data
/// key, do not compare: `leaflock compare` does that. Nobody without the key can
/// guess by it. An agent needs `read` or `exec`.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "fingerprint", override_usage = "leaflock fingerprint [OPTIONS] PATH", after_help = EXAMPLES)]
pub struct Arguments {
    /// The keys that lead to the secret
    #[arg(value_name = "PATH")]
    pub path: Option<String>,
    /// The file that is meant, where several have PATH
    #[arg(long, value_name = "SOURCE")]
    pub file: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Keys and MAC.
    #[command(flatten)]
    pub opening: Opening,
    /// General flags.
    #[command(flatten)]
    pub general: General,
}

flags!(Arguments { file "file" "", json "json" "" } opening, general);

words!(Arguments, 1, path);

const EXAMPLES: &str = "\
Examples:
  leaflock fingerprint databases.postgres.password
  leaflock fingerprint api.token --json | jq -r .result.fingerprint";

/// Prints the fingerprint.
pub fn run(arguments: Arguments, cli: &mut Cli) -> Result<Answer, Failure> {
    let Some(path) = arguments.path else { return Err(get::no_path("fingerprint").into()) };
    let options = get::options(Action::Inspect, arguments.opening, arguments.general, cli)?;
    let request = Request { path, file: arguments.file, options };
    let outcome = wire::with_deps(&cli.env, |deps| Ok(use_case(deps, &request)?))?;
    let result = json!({
        "path": request.path,
        "source": outcome.source,
        "file": outcome.file,
        "fingerprint": outcome.fingerprint,
    });
    Ok(Answer::new(format!("{}\n", outcome.fingerprint), result).with_warnings(outcome.notices))
}
