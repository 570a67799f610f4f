//! `leaflock get`.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Parser;
use serde_json::json;

use super::args::{General, InputType, Opening};
use super::argv::fields::{flags, words};
use super::envelope::Answer;
use super::report::{Failure, Usage};
use super::{Cli, wire};
use crate::app::get::{Request, run as use_case};
use crate::app::opened_value::Options;
use crate::domain::agent::audit::entry::Action;
use crate::domain::secret::SecretBytes;

/// Print one secret
///
/// Finds the encrypted file that holds PATH, opens it and prints the value, with a
/// line break. People get what their keys open. An agent of the policy gets what it
/// may read, from the file that was made for it; otherwise the call ends with exit
/// code 3 and the rule that decides, and opens nothing.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "get", override_usage = "leaflock get [OPTIONS] PATH", after_help = EXAMPLES)]
pub struct Arguments {
    /// The keys that lead to the secret
    #[arg(value_name = "PATH")]
    pub path: Option<String>,
    /// The file that is meant, where several have PATH
    #[arg(long, value_name = "SOURCE")]
    pub file: Option<PathBuf>,
    /// Print the value alone, without a line break
    #[arg(long)]
    pub raw: bool,
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

flags!(Arguments { file "file" "", raw "raw" "", json "json" "" } opening, general);

words!(Arguments, 1, path);

const EXAMPLES: &str = "\
Examples:
  leaflock get databases.postgres.password
  leaflock get 'hosts[\"db.example.org\"].token' --file secrets/prod.yaml
  leaflock get tls.key --raw > /dev/shm/tls.key";

/// Prints the value.
pub fn run(arguments: Arguments, cli: &mut Cli) -> Result<Answer, Failure> {
    let Some(path) = arguments.path else { return Err(no_path("get").into()) };
    if arguments.raw && arguments.json {
        let usage = Usage::new("--raw and --json contradict each other");
        return Err(usage.hint("--json has the value as a string, without a line break").into());
    }
    let options = options(Action::Get, arguments.opening, arguments.general, cli)?;
    let request = Request { path, file: arguments.file, options };
    let outcome = wire::with_deps(&cli.env, |deps| Ok(use_case(deps, &request)?))?;
    let value = outcome.value;
    let is_text = std::str::from_utf8(&value.text).is_ok();
    let result = json!({
        "path": request.path,
        "source": outcome.source,
        "file": value.file,
        "type": value.kind,
        "encoding": if is_text { "utf-8" } else { "base64" },
    });
    let text = if arguments.raw { "" } else { "\n" };
    let in_json = cli.output.holds_notices() && !is_text;
    let shown =
        if in_json { SecretBytes::new(STANDARD.encode(&*value.text).into_bytes()) } else { value.text };
    let answer = Answer { value: Some(shown), ..Answer::new(text, result) };
    Ok(answer.with_warnings(value.notices))
}

/// How files are found and opened.
pub fn options(
    action: Action,
    opening: Opening,
    general: General,
    cli: &mut Cli,
) -> Result<Options, Failure> {
    let open = opening.resolve(&cli.env)?;
    Ok(Options { file: cli.file_options(general, InputType::default())?, open, action })
}

/// The error of a command that is about a path and has none.
pub fn no_path(command: &str) -> Usage {
    Usage::new(format!("`{command}` needs the path of a secret"))
        .hint(format!("leaflock {command} databases.postgres.password"))
}
