//! `leaflock man`: manual pages from the definitions that parse the command line.

use clap::{CommandFactory as _, Parser};

use super::argv::fields::{flags, words};
use super::report::{Failure, Usage};
use super::{Cli, Verb, config_explain, exit, groups};

/// Print a manual page
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "man", override_usage = "leaflock man [COMMAND]", after_help = EXAMPLES)]
pub struct Arguments {
    /// The command to describe [default: leaflock itself]
    #[arg(value_name = "COMMAND")]
    pub command: Option<String>,
}

flags!(Arguments {});

words!(Arguments, 1, command);

const EXAMPLES: &str = "\
Examples:
  leaflock man | man -l -
  leaflock man encrypt > leaflock-encrypt.1";

/// Prints one page.
pub fn run(arguments: Arguments, cli: &mut Cli) -> Result<(), Failure> {
    let command = match arguments.command.as_deref() {
        None => super::tree(cli.mode),
        Some(word) => match Verb::of_word(word, cli.mode) {
            Some(Verb::ConfigExplain) => {
                config_explain::Arguments::command().display_name("leaflock-config-explain")
            }
            Some(Verb::GroupsAdd | Verb::GroupsDelete) => groups::parent().display_name("leaflock-groups"),
            Some(verb) => verb.command().display_name(format!("leaflock-{word}")),
            None => {
                let message = format!("No help topic for '{word}'");
                return Err(Usage::with_code(exit::CANNOT_WRITE, message).into());
            }
        },
    };
    let command = command.version(env!("CARGO_PKG_VERSION")).disable_version_flag(true);
    let mut page = Vec::with_capacity(16 * 1024);
    clap_mangen::Man::new(command).render(&mut page).map_err(Failure::Stdout)?;
    cli.output.data(&page)
}
