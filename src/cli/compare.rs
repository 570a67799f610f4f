//! `leaflock compare`.

use std::path::PathBuf;

use clap::Parser;
use serde_json::json;

use super::args::{self, General, Opening};
use super::argv::fields::{flags, words};
use super::envelope::Answer;
use super::envelope::code::Code;
use super::report::{Failure, Usage};
use super::{Cli, get, wire};
use crate::app::compare::{Request, run as use_case};
use crate::domain::agent::audit::entry::Action;

/// Ask whether two secrets have the same value
///
/// Compares the value at PATH with the one at the same path, or another one, of
/// another file, and prints `same` or `different`: no value is shown. Ends with 0 if
/// they are the same, with 1 if not. An agent needs `read` or `exec` for both, and
/// both must be in files that the policy governs: with a file of its own making it
/// could guess.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "compare", override_usage = "leaflock compare [OPTIONS] PATH --with FILE[:PATH]", after_help = EXAMPLES)]
pub struct Arguments {
    /// The keys that lead to the secret
    #[arg(value_name = "PATH")]
    pub path: Option<String>,
    /// The encrypted file to compare with, and the path if it is another one there
    #[arg(long, value_name = "FILE[:PATH]")]
    pub with: Option<String>,
    /// The file that PATH is of, where several have it
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

flags!(Arguments { with "with" "", file "file" "", json "json" "" } opening, general);

words!(Arguments, 1, path);

const EXAMPLES: &str = "\
Examples:
  leaflock compare databases.postgres.password --with secrets/staging.yaml
  leaflock compare api.token --file prod.yaml --with prod.yaml:legacy.token
  if leaflock compare db.password --with dev.yaml; then echo rotate it; fi";

/// Compares.
pub fn run(arguments: Arguments, cli: &mut Cli) -> Result<Answer, Failure> {
    let Some(path) = arguments.path else { return Err(get::no_path("compare").into()) };
    let Some(with) = args::non_empty(arguments.with) else {
        let usage = Usage::new("`compare` needs something to compare with");
        return Err(usage.hint("--with FILE, or --with FILE:PATH for another path").into());
    };
    let (with, with_path) = match with.split_once(':') {
        Some((file, path)) => (file.to_owned(), Some(path.to_owned())),
        None => (with, None),
    };
    let options = get::options(Action::Inspect, arguments.opening, arguments.general, cli)?;
    let request = Request { path, file: arguments.file, with: PathBuf::from(with), with_path, options };
    let outcome = wire::with_deps(&cli.env, |deps| Ok(use_case(deps, &request)?))?;
    let result = json!({
        "path": request.path,
        "source": outcome.source,
        "with": { "source": outcome.with, "path": request.with_path.as_ref().unwrap_or(&request.path) },
        "same": outcome.same,
    });
    let word = if outcome.same { "same\n" } else { "different\n" };
    let answer = Answer::new(word, result).with_warnings(outcome.notices);
    Ok(if outcome.same { answer } else { answer.but(Code::No, "the values are different") })
}
