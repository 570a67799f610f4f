//! `leaflock exec-file`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Parser;

use super::args::Reading;
use super::argv::fields::{flags, words};
use super::report::Failure;
use super::{Cli, args, decrypt, exec_env, wire};
use crate::app::decrypt::Request as DecryptRequest;
use crate::app::exec_file::{Request, run as use_case};
use crate::app::request::{Destination, Source, Task};

/// Run a command in a shell, with the plaintext of a file at the path {}
///
/// The path is a FIFO that can be read once, or with --no-fifo a file that only you
/// can read, in memory where the system has such a place. It is gone when the
/// command ends.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "exec-file", override_usage = "leaflock exec-file [OPTIONS] FILE COMMAND", after_help = EXAMPLES)]
pub struct Arguments {
    /// The encrypted file
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// The command line for /bin/sh, in one word; {} in it is the path
    #[arg(value_name = "COMMAND")]
    pub command: Option<OsString>,
    /// A file that can be read again and again, instead of a FIFO
    #[arg(long)]
    pub no_fifo: bool,
    /// Its name, for commands that look at it [default: tmp-file]
    #[arg(long, value_name = "NAME")]
    pub filename: Option<String>,
    /// Run it as this user
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// Do not wait for it (deprecated)
    #[arg(long)]
    pub background: bool,
    /// How the files are read.
    #[command(flatten)]
    pub reading: Reading,
    /// yaml, json, dotenv, ini, binary, or shell for export NAME='value' lines
    #[arg(long, value_name = "TYPE", help_heading = "Formats")]
    pub output_type: Option<String>,
}

flags!(Arguments {
    no_fifo "no-fifo" "", filename "filename" "", user "user" "", background "background" "",
    output_type "output-type" ""
} reading);

words!(Arguments, 2, file, command);

const EXAMPLES: &str = "\
Examples:
  leaflock exec-file tls.key 'nginx-check {}'
  leaflock exec-file --no-fifo --filename kubeconfig.yaml cluster.yaml 'kubectl --kubeconfig {} get pods'";

/// Runs the command.
pub fn run(arguments: Arguments, cli: &mut Cli) -> Result<(), Failure> {
    let mut notices = Vec::new();
    let (Some(path), Some(command)) = (arguments.file, arguments.command) else {
        return Err(exec_env::missing("exec-file").into());
    };
    if arguments.background {
        notices.push(exec_env::deprecated("exec-file"));
    }
    let (file, open) = arguments.reading.resolve(cli.mode, &cli.env, &mut notices)?;
    let request = Request {
        decrypt: DecryptRequest {
            task: Task::single(Source::File(path), file, Destination::Stdout),
            output_format: decrypt::output_format(arguments.output_type, cli.mode, &mut notices)?,
            extract: None,
            open,
            terminal: true,
        },
        command,
        inherited: cli.env.all(),
        user: args::non_empty(arguments.user),
        name: args::non_empty(arguments.filename),
        fifo: !arguments.no_fifo,
        background: arguments.background,
    };
    cli.output.notices(&notices);
    wire::with_deps(&cli.env, |deps| {
        let outcome = use_case(deps, &request)?;
        cli.output.notices(&outcome.notices);
        exec_env::ended(outcome.ending)
    })
}
