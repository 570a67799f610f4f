//! `leaflock exec-env`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Parser;

use super::args::Reading;
use super::argv::fields::{flags, words};
use super::report::{Failure, Usage};
use super::{Cli, args, exit, wire};
use crate::app::exec_env::{Manner, Request, run as use_case};
use crate::app::ports::Ending;
use crate::app::request::Notice;
use crate::app::variables::Variables;

/// Run a command in a shell, with the values of a file in its environment
///
/// Names and values are taken as SOPS takes them: a dotenv value keeps its quotes,
/// and nested values are refused. `leaflock run` reads dotenv files as a shell does,
/// flattens, and starts the command itself.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "exec-env", override_usage = "leaflock exec-env [OPTIONS] FILE COMMAND", after_help = EXAMPLES)]
pub struct Arguments {
    /// The encrypted file
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// The command line for /bin/sh, in one word
    #[arg(value_name = "COMMAND")]
    pub command: Option<OsString>,
    /// Nothing but the file's values in the environment
    #[arg(long)]
    pub pristine: bool,
    /// Run it as this user
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// Run it in this process: signals reach it, its exit code is passed on in silence
    #[arg(long)]
    pub same_process: bool,
    /// Do not wait for it (deprecated)
    #[arg(long)]
    pub background: bool,
    /// How the files are read.
    #[command(flatten)]
    pub reading: Reading,
}

flags!(Arguments {
    pristine "pristine" "", user "user" "", same_process "same-process" "", background "background" ""
} reading);

words!(Arguments, 2, file, command);

const EXAMPLES: &str = "\
Examples:
  leaflock exec-env secrets.env 'npm start'
  leaflock exec-env --pristine secrets.yaml 'printenv | sort'";

/// Runs the command.
pub fn run(arguments: Arguments, cli: &mut Cli) -> Result<(), Failure> {
    let mut notices = Vec::new();
    let (Some(path), Some(command)) = (arguments.file, arguments.command) else {
        return Err(missing("exec-env").into());
    };
    if arguments.background {
        notices.push(deprecated("exec-env"));
    }
    let manner = match (arguments.same_process, arguments.background) {
        (true, true) => {
            cli.output.notices(&notices);
            let message = "Error: The --same-process flag cannot be used with --background";
            return Err(Usage::with_code(exit::CONFLICT, message).hint("leave one of them out").into());
        }
        (true, false) => Manner::SameProcess,
        (false, true) => Manner::Background,
        (false, false) => Manner::Child,
    };
    let (file, open) = arguments.reading.resolve(cli.mode, &cli.env, &mut notices)?;
    let request = Request {
        path,
        file,
        open,
        command,
        inherited: if arguments.pristine { Variables::default() } else { cli.env.all() },
        user: args::non_empty(arguments.user),
        manner,
    };
    cli.output.notices(&notices);
    let output = &mut cli.output;
    let mut tell = |notice| output.notice(&notice);
    wire::with_deps(&cli.env, |deps| ended(use_case(deps, &request, &mut tell)?))
}

/// The error for a wrong number of words, in SOPS's words.
pub fn missing(command: &str) -> Usage {
    Usage::new("error: missing file to decrypt").hint(format!(
        "leaflock {command} FILE COMMAND, the command in one word: leaflock {command} secrets.env 'npm start'"
    ))
}

/// SOPS's warning about `--background`.
pub fn deprecated(command: &str) -> Notice {
    let text = "option is deprecated and will be removed in a future version of sops";
    Notice::warning(format!("{command}'s --background {text}"))
}

/// The answer to an ending, in SOPS's words: a command that a signal ended is 255.
pub fn ended(ending: Option<Ending>) -> Result<(), Failure> {
    match ending {
        None | Some(Ending::Code(0)) => Ok(()),
        Some(Ending::Code(code)) => {
            Err(Failure::Command { code, message: Some(format!("exit status {code}")) })
        }
        Some(Ending::Signal(signal)) => {
            let message = format!("signal: {}", signal_name(signal));
            Err(Failure::Command { code: exit::ENDED_BY_SIGNAL, message: Some(message) })
        }
    }
}

/// Go's name of a signal.
fn signal_name(signal: i32) -> String {
    let known = [
        "hangup",
        "interrupt",
        "quit",
        "illegal instruction",
        "trace/breakpoint trap",
        "aborted",
        "bus error",
        "floating point exception",
        "killed",
        "user defined signal 1",
        "segmentation fault",
        "user defined signal 2",
        "broken pipe",
        "alarm clock",
        "terminated",
    ];
    let index = usize::try_from(signal).unwrap_or_default().wrapping_sub(1);
    known.get(index).map_or_else(|| format!("signal {signal}"), |name| (*name).to_owned())
}
