//! `leaflock help`, `--help` and the help topics, made from the definitions that
//! parse the command line and from the tables of exit codes and variables.

use std::ffi::OsString;
use std::fmt::Write as _;

use clap::Parser;

use super::argv::Help;
use super::argv::fields::{flags, words};
use super::env::Variable;
use super::report::{Failure, Usage};
use super::{Cli, Family, Found, Mode, NOT_BUILT, Verb, exit, find, overview};

/// Explain a command or a topic
///
/// Topics besides the commands: exit-codes, environment.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "help", override_usage = "leaflock help [COMMAND|TOPIC]")]
pub struct Arguments {
    /// A command, exit-codes or environment
    #[arg(value_name = "COMMAND|TOPIC")]
    pub topics: Vec<String>,
}

flags!(Arguments {});

words!(Arguments, usize::MAX, topics);

/// Explains one topic.
pub fn run(arguments: Arguments, cli: &mut Cli) -> Result<(), Failure> {
    let Some(topic) = arguments.topics.first() else { return overview(cli) };
    match topic.as_str() {
        "exit-codes" => cli.output.text(&exit_codes()),
        "environment" => cli.output.text(&environment()),
        word => match find(&arguments.topics.iter().map(OsString::from).collect::<Vec<_>>(), cli.mode) {
            Some(Found::Verb(verb, _)) => of_command(verb.command(), Help::Long, cli),
            Some(Found::Family(family)) => of_family(family, cli),
            None => {
                let message = format!("No help topic for '{word}'");
                let hint = "leaflock help lists the commands; other topics are exit-codes and environment";
                Err(Usage::with_code(exit::CANNOT_WRITE, message).hint(hint).into())
            }
        },
    }
}

/// The help of one command.
pub fn of_command(command: clap::Command, how_much: Help, cli: &mut Cli) -> Result<(), Failure> {
    let text = render(command, how_much, cli);
    cli.output.text(&text)
}

/// The help of the commands that share a word.
pub fn of_family(family: &Family, cli: &mut Cli) -> Result<(), Failure> {
    let mut text = format!("{}\n\nCommands:\n", family.about);
    list(family.members(cli.mode), &mut text);
    let _ = writeln!(text, "\n`leaflock {} COMMAND --help` explains one of them.", family.word);
    cli.output.text(&named(&text, cli.mode))
}

/// Commands, a line each.
fn list(verbs: impl Iterator<Item = &'static Verb>, text: &mut String) {
    for verb in verbs {
        let command = verb.command();
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        if !command.is_hide_set() {
            let _ = writeln!(text, "  {:<16} {about}", verb.words());
        }
    }
}

/// The help of the program; `command` is its form without a command word.
pub fn top(command: clap::Command, cli: &mut Cli) -> Result<(), Failure> {
    let mut text = String::new();
    let about = command.get_long_about().map(ToString::to_string).unwrap_or_default();
    let _ = writeln!(text, "{about}\n");
    let _ =
        writeln!(text, "Usage: leaflock COMMAND [OPTIONS] …\n       leaflock [OPTIONS] FILE\n\nCommands:");
    list(Verb::of_mode(cli.mode), &mut text);
    let _ = writeln!(text, "\nNot in this build yet: {}", NOT_BUILT.map(|(word, _)| word).join(", "));
    let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let _ = writeln!(text, "\n{after}");
    let text = named(&text, cli.mode);
    cli.output.text(&text)
}

/// clap's help, one line a flag, in colour on a terminal.
fn render(command: clap::Command, how_much: Help, cli: &Cli) -> String {
    let mut command = command.term_width(WIDTH);
    if how_much == Help::Long {
        let about = command.get_long_about().or(command.get_about()).cloned().unwrap_or_default();
        command = command.about(about).mut_args(|arg| arg.hide_short_help(false));
    }
    let styled = command.render_help();
    let colours = cli.output.stdout_is_terminal() && cli.env.get(Variable::NoColor).is_none();
    let text = if colours { styled.ansi().to_string() } else { styled.to_string() };
    named(&text, cli.mode)
}

/// Columns of the help: wide enough that every flag stays on one line.
const WIDTH: usize = 1000;

/// The examples under the name that the program was called by.
fn named(text: &str, mode: Mode) -> String {
    match mode {
        Mode::Leaflock => text.to_owned(),
        Mode::Sops => {
            let lines = text.lines().filter(|line| !line.contains("leaflock init"));
            lines.map(|line| line.replace("leaflock ", "sops ") + "\n").collect()
        }
    }
}

/// `help exit-codes`.
fn exit_codes() -> String {
    let mut text = String::from("Exit codes, the same as those of sops:\n\n");
    for meaning in exit::MEANINGS {
        let _ = writeln!(text, "  {:>3}  {}", meaning.code, meaning.text);
    }
    text.push_str("\nA call on several files ends with the highest code among the files that failed.\n");
    text
}

/// `help environment`.
fn environment() -> String {
    let mut text = String::from("Environment variables; a flag wins over its variable:\n\n");
    for variable in Variable::ALL {
        let _ = writeln!(text, "  {:<29}  {}", variable.name(), variable.meaning());
    }
    text
}
