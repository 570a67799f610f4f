//! `leaflock run`.

pub mod agent;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Parser;

use super::args::Reading;
use super::argv::fields::{Words, flags};
use super::env::Variable;
use super::report::{Failure, Usage};
use super::{Cli, exit, wire};
use crate::app::error::Error;
use crate::app::ports::Ending;
use crate::app::run::{DEFAULT_FILE, Request, run as use_case};
use crate::app::variables::Variables;
use crate::domain::environment::is_name;
use crate::domain::store::flat_names::Case;

/// Run a command with the values of files in its environment
///
/// Starts the command itself, without a shell and in this process: signals, exit
/// code and terminal are the command's own. Maps are flattened (`database.password`
/// becomes DATABASE_PASSWORD); a dotenv file means what it means to a shell. Without
/// FILE it is .env. SOPS_AGE_KEY is not handed on: the command gets the values, not
/// the key to all others.
///
/// With --agent, the command gets what the policy grants that principal at level exec
/// or read, FILEs are sources of the policy, and without any all of them count. What
/// the command prints is redacted, credentials are taken out of its environment, and
/// the audit trail tells when it started and how it ended.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "run", override_usage = "leaflock run [OPTIONS] [FILE…] -- COMMAND [ARGUMENT…]", after_help = EXAMPLES)]
pub struct Arguments {
    /// The encrypted files; of a repeated name the last file's value counts
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The program and its arguments
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
    /// Only these, comma-separated: names, paths (a.b, or a for all below it), or with *
    #[arg(long, value_name = "KEYS")]
    pub only: Vec<String>,
    /// Put this before every name
    #[arg(long, value_name = "PREFIX")]
    pub prefix: Option<String>,
    /// Hand KEY's value over in a private file, gone with the command, its path in NAME
    #[arg(long, value_name = "NAME=KEY")]
    pub file: Vec<String>,
    /// Take the values out of what the command prints, in all their common spellings
    #[arg(long)]
    pub redact: bool,
    /// Nothing but the files' values in the environment
    #[arg(long)]
    pub pristine: bool,
    /// Keep the case of keys
    #[arg(long)]
    pub keep_case: bool,
    /// Hand SOPS_AGE_KEY on, for commands that decrypt files themselves
    #[arg(long)]
    pub keep_identity: bool,
    /// Hand over what the policy grants this principal
    #[arg(long, value_name = "NAME", help_heading = "For an agent")]
    pub agent: Option<String>,
    /// Hand PATH's value over as NAME, and beside such only what --file and --only name
    #[arg(long, value_name = "NAME=PATH", help_heading = "For an agent")]
    pub env: Vec<String>,
    /// Let the command inherit these variables, comma-separated, though they hold credentials
    #[arg(long, value_name = "NAMES", help_heading = "For an agent")]
    pub keep: Vec<String>,
    /// Do not take the values out of what the command prints
    #[arg(long, help_heading = "For an agent")]
    pub no_redact: bool,
    /// Print JSON if the command is not started
    #[arg(long, help_heading = "For an agent")]
    pub json: bool,
    /// How the files are read.
    #[command(flatten)]
    pub reading: Reading,
}

flags!(Arguments {
    only "only" "", prefix "prefix" "", file "file" "", redact "redact" "", pristine "pristine" "", keep_case "keep-case" "",
    keep_identity "keep-identity" "", agent "agent" "", env "env" "", keep "keep" "", no_redact "no-redact" "", json "json" ""
} reading);

impl Words for Arguments {
    fn limit(&self) -> usize {
        usize::MAX
    }

    fn may_dash(&self, _: usize) -> bool {
        false
    }

    fn take(&mut self, words: Vec<OsString>) {
        self.files = words.into_iter().map(PathBuf::from).collect();
    }

    fn take_command(&mut self, words: Vec<OsString>) {
        self.command = words;
    }

    fn takes_command(&self) -> bool {
        true
    }
}

const EXAMPLES: &str = "\
Examples:
  leaflock run -- npm start
  leaflock run --only database config/prod.yaml -- ./migrate
  leaflock run --file TLS_KEY=tls.key secrets.yaml -- ./serve --port 443
  leaflock run --redact secrets.yaml -- ./deploy
  leaflock run --agent ops/deploy --reason 'release 7' -- ./deploy
  leaflock run --agent ops/deploy --env PGPASSWORD=db.password secrets.yaml -- psql
  leaflock run base.env prod.env -- sh -c 'echo \"$DATABASE_URL\"'";

/// Runs the command.
pub fn run(arguments: Arguments, cli: &mut Cli) -> Result<(), Failure> {
    if arguments.command.is_empty() {
        return Err(no_command(&arguments.files).into());
    }
    if let Some(agent) = arguments.agent.clone() {
        return agent::run(agent, arguments, cli);
    }
    agent::refuse(&arguments)?;
    let mut notices = Vec::new();
    let mut inherited = if arguments.pristine { Variables::default() } else { cli.env.all() };
    if !arguments.keep_identity {
        inherited.remove(Variable::AgeKey.name());
    }
    let by_default = arguments.files.is_empty();
    let files = if by_default { vec![DEFAULT_FILE.into()] } else { arguments.files };
    let (file, open) = arguments.reading.resolve(cli.mode, &cli.env, &mut notices)?;
    let mut request = Request {
        files,
        file,
        open,
        only: keys(&arguments.only),
        prefix: prefix(arguments.prefix)?,
        in_files: pairs(&arguments.file, FILE)?,
        case: if arguments.keep_case { Case::Keep } else { Case::Upper },
        redact: arguments.redact,
        command: arguments.command,
        inherited,
        search_path: cli.env.get(Variable::Path),
    };
    // A key that asks a person asks once for all of the files.
    request.open.together.paths = request.files.as_slice().into();
    cli.output.notices(&notices);
    let output = &mut cli.output;
    let mut tell = |notice| output.notice(&notice);
    let ended = wire::with_deps(&cli.env, |deps| match use_case(deps, &request, &mut tell) {
        Err(Error::NoSuchFile(_)) if by_default => Err(no_file().into()),
        ended => Ok(ended?),
    })?;
    end_as(ended)
}

/// Ends as the program did, where this process can die of a signal; else as a shell says
/// that it did.
fn end_as(ended: Ending) -> Result<(), Failure> {
    /// What shells add to the number of a signal.
    const SIGNALLED: u8 = 128;
    match ended {
        Ending::Code(0) => Ok(()),
        Ending::Code(code) => Err(Failure::Told { code }),
        Ending::Signal(signal) => {
            wire::die_of(signal);
            Err(Failure::Told { code: u8::try_from(signal).unwrap_or(0).saturating_add(SIGNALLED) })
        }
    }
}

fn no_command(files: &[PathBuf]) -> Usage {
    let words: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    let hint = match &words[..] {
        [file, command @ ..] if !command.is_empty() => {
            format!("leaflock run {file} -- {}", command.join(" "))
        }
        _ => "leaflock run FILE -- COMMAND, for example: leaflock run secrets.env -- npm start".to_owned(),
    };
    Usage::new("no command to run: it stands behind `--`").hint(hint)
}

fn no_file() -> Usage {
    let message = format!("Error: no file specified, and there is no {DEFAULT_FILE} here");
    Usage::with_code(exit::NO_FILE, message).hint("leaflock run FILE -- COMMAND")
}

/// What names may begin with.
fn prefix(text: Option<String>) -> Result<String, Usage> {
    let text = text.unwrap_or_default();
    if text.is_empty() || is_name(&text) {
        return Ok(text);
    }
    Err(Usage::new("--prefix is made of letters, digits and _, and starts with no digit")
        .hint("to pick keys by how they begin: --only 'database.*'"))
}

/// The words of comma-separated lists.
fn keys(lists: &[String]) -> Vec<String> {
    let words = lists.iter().flat_map(|list| list.split(','));
    words.map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// What `--file` wants, and an example.
const FILE: (&str, &str) =
    ("--file wants NAME=KEY", "for example --file TLS_KEY=tls.key: the file's path is in TLS_KEY");

/// The two sides of each `NAME=KEY`; `wanted` says what is wrong with others.
fn pairs(texts: &[String], wanted: (&str, &str)) -> Result<Vec<(String, String)>, Usage> {
    let pair = |text: &String| match text.split_once('=') {
        Some((name, key)) if !name.is_empty() && !key.is_empty() => Ok((name.to_owned(), key.to_owned())),
        _ => Err(Usage::new(wanted.0).hint(wanted.1)),
    };
    texts.iter().map(pair).collect()
}
