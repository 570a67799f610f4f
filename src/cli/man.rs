//! `leaflock man`: manual pages from the definitions that parse the command line.

use std::ffi::OsString;

use clap::Parser;

use super::argv::fields::{flags, words};
use super::report::{Failure, Usage};
use super::{Cli, Found, exit, find};

/// Print a manual page
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "man", override_usage = "leaflock man [COMMAND]", after_help = EXAMPLES)]
pub struct Arguments {
    /// The command to describe [default: leaflock itself]
    #[arg(value_name = "COMMAND")]
    pub command: Vec<String>,
}

flags!(Arguments {});

words!(Arguments, usize::MAX, command);

const EXAMPLES: &str = "\
Examples:
  leaflock man | man -l -
  leaflock man encrypt > leaflock-encrypt.1";

/// Prints one page.
pub fn run(arguments: Arguments, cli: &mut Cli) -> Result<(), Failure> {
    let words: Vec<OsString> = arguments.command.iter().map(OsString::from).collect();
    let command = match find(&words, cli.mode) {
        _ if words.is_empty() => super::tree(cli.mode),
        Some(Found::Verb(verb, count)) if count == words.len() => {
            verb.command().display_name(format!("leaflock-{}", verb.words().replace(' ', "-")))
        }
        Some(Found::Family(family)) if words.len() == 1 => {
            family.command(cli.mode).display_name(format!("leaflock-{}", family.word))
        }
        _ => {
            let message = format!("No help topic for '{}'", arguments.command.join(" "));
            return Err(Usage::with_code(exit::CANNOT_WRITE, message).into());
        }
    };
    let command = command.version(env!("CARGO_PKG_VERSION")).disable_version_flag(true);
    let mut page = Vec::with_capacity(16 * 1024);
    clap_mangen::Man::new(command).render(&mut page).map_err(Failure::Stdout)?;
    cli.output.data(&page)
}
