//! `leaflock completion`, and the callback of the completion scripts of SOPS.

use std::ffi::OsString;

use clap::{CommandFactory as _, Parser};
use clap_complete::Shell;

use super::argv::fields::{flags, words};
use super::report::{Failure, Usage};
use super::{Cli, Found, Verb, exit, find, legacy};

/// What the completion scripts of SOPS put at the end of the line to ask for
/// candidates.
pub const CALLBACK: &str = "--generate-bash-completion";

/// Print a completion script for your shell
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "completion", override_usage = "leaflock completion bash|zsh|fish|powershell|elvish", after_help = EXAMPLES)]
pub struct Arguments {
    /// bash, zsh, fish, powershell or elvish
    #[arg(value_name = "SHELL")]
    pub shell: Option<String>,
}

flags!(Arguments {});

words!(Arguments, 1, shell);

const EXAMPLES: &str = "\
Examples:
  leaflock completion bash > ~/.local/share/bash-completion/completions/leaflock
  leaflock completion zsh > \"${fpath[1]}/_leaflock\"
  leaflock completion fish > ~/.config/fish/completions/leaflock.fish";

/// Prints one script.
pub fn run(arguments: Arguments, cli: &mut Cli) -> Result<(), Failure> {
    let shells = "bash, zsh, fish, powershell, elvish";
    let shell = match arguments.shell.as_deref() {
        Some("bash") => Shell::Bash,
        Some("zsh") => Shell::Zsh,
        Some("fish") => Shell::Fish,
        Some("powershell" | "pwsh") => Shell::PowerShell,
        Some("elvish") => Shell::Elvish,
        Some(other) => {
            let message = format!("No help topic for '{other}'");
            return Err(Usage::with_code(exit::CANNOT_WRITE, message)
                .hint(format!("completions exist for {shells}"))
                .into());
        }
        None => return Err(Usage::new("which shell?").hint(format!("one of {shells}")).into()),
    };
    let mut script = Vec::with_capacity(64 * 1024);
    clap_complete::generate(shell, &mut super::tree(cli.mode), cli.mode.program(), &mut script);
    cli.output.data(&script)
}

/// Answers a completion script of SOPS: the command words, or the flags of the
/// command in the line when a flag is being typed.
pub fn answer(arguments: &[OsString], cli: &mut Cli) -> Result<(), Failure> {
    let typed = &arguments[..arguments.len().saturating_sub(1)];
    let found = (0..typed.len()).find_map(|at| find(&typed[at..], cli.mode));
    let flag = typed.last().is_some_and(|word| word.as_encoded_bytes().starts_with(b"-"));
    let mut candidates = String::new();
    match found {
        _ if flag => {
            let command = match found {
                Some(Found::Verb(verb, _)) => verb.command(),
                Some(Found::Family(family)) => family.command(cli.mode),
                None => legacy::Arguments::command(),
            };
            let shown = command.get_arguments().filter(|arg| !arg.is_hide_set());
            shown.filter_map(clap::Arg::get_long).for_each(|name| candidates.extend(["--", name, "\n"]));
        }
        Some(Found::Verb(..)) => {}
        Some(Found::Family(family)) => {
            family.members(cli.mode).for_each(|verb| candidates.extend([verb.last_word(), "\n"]));
        }
        None => {
            let mut words: Vec<&str> = Verb::of_mode(cli.mode).map(Verb::word).collect();
            words.dedup();
            words.into_iter().for_each(|word| candidates.extend([word, "\n"]));
        }
    }
    cli.output.text(&candidates)
}
