//! LAYER 3: the words a user types. The first word picks the command, and only
//! that command's flags are ever built, so that a call costs next to nothing
//! before its work begins; the whole tree is built for help, completions and
//! man pages alone.
//!
//! The program answers to two names. As `leaflock` it refuses what is probably
//! a mistake; as `sops` (by link or rename) it does what SOPS does, and warns.

pub mod args;
pub mod argv;
pub mod completion;
pub mod config_explain;
pub mod decrypt;
pub mod edit;
pub mod encrypt;
pub mod env;
pub mod exit;
pub mod files;
pub mod filestatus;
pub mod help;
pub mod init;
pub mod legacy;
pub mod man;
pub mod output;
pub mod report;
pub mod set;
pub mod unset;
pub mod wire;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser};

use crate::app::error::Error;
use crate::app::request::Notice;
use argv::{Flag, Line, Reach};
use env::Environment;
use output::Output;
use report::{Failure, Usage};

/// The SOPS release whose behaviour and file format this build follows.
pub const SOPS_VERSION: &str = "3.13.2";

/// The name that the program was called by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// `leaflock`, or anything else.
    Leaflock,
    /// `sops`: as SOPS does, wherever that loses nothing.
    Sops,
}

impl Mode {
    /// The mode of a program name.
    pub fn of_program(name: &Path) -> Self {
        if name.file_stem().is_some_and(|stem| stem == "sops") { Self::Sops } else { Self::Leaflock }
    }

    /// The name to print.
    pub fn program(self) -> &'static str {
        match self {
            Self::Leaflock => "leaflock",
            Self::Sops => "sops",
        }
    }
}

/// One call of the program.
pub struct Cli {
    /// Whose manners.
    pub mode: Mode,
    /// The environment.
    pub env: Environment,
    /// Where to print.
    pub output: Output,
}

/// Runs the process's command line.
pub fn main() -> ExitCode {
    wire::harden();
    let mut arguments = env::arguments().into_iter();
    let program = arguments.next().unwrap_or_default();
    let mode = Mode::of_program(Path::new(&program));
    let mut cli = Cli { mode, env: Environment::of_process(), output: Output::of_process() };
    ExitCode::from(call(&arguments.collect::<Vec<_>>(), &mut cli))
}

/// Runs one command line (without the program's name) and returns its exit code.
pub fn call(arguments: &[OsString], cli: &mut Cli) -> u8 {
    match dispatch(arguments, cli) {
        Ok(()) => exit::SUCCESS,
        Err(failure) => {
            cli.output.failure(&failure);
            exit::code(&failure)
        }
    }
}

/// The commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// `encrypt`
    Encrypt,
    /// `decrypt`
    Decrypt,
    /// `edit`
    Edit,
    /// `set`
    Set,
    /// `unset`
    Unset,
    /// `filestatus`
    Filestatus,
    /// `config explain`
    ConfigExplain,
    /// `init`
    Init,
    /// `completion`
    Completion,
    /// `man`
    Man,
    /// `help`
    Help,
}

impl Verb {
    /// All of them, in the order of the help.
    pub const ALL: &'static [Verb] = &[
        Verb::Init,
        Verb::Encrypt,
        Verb::Decrypt,
        Verb::Edit,
        Verb::Set,
        Verb::Unset,
        Verb::Filestatus,
        Verb::ConfigExplain,
        Verb::Completion,
        Verb::Man,
        Verb::Help,
    ];

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Encrypt => "encrypt",
            Self::Decrypt => "decrypt",
            Self::Edit => "edit",
            Self::Set => "set",
            Self::Unset => "unset",
            Self::Filestatus => "filestatus",
            Self::ConfigExplain => "config",
            Self::Init => "init",
            Self::Completion => "completion",
            Self::Man => "man",
            Self::Help => "help",
        }
    }

    /// The command of a word. Under the name `sops`, the words that SOPS does not
    /// have are names of files, as there.
    pub fn of_word(word: &str, mode: Mode) -> Option<Self> {
        let word = if word == "h" { "help" } else { word };
        let verb = Self::ALL.iter().copied().find(|verb| verb.word() == word)?;
        let ours = matches!(verb, Self::ConfigExplain | Self::Init | Self::Man);
        (mode == Mode::Leaflock || !ours).then_some(verb)
    }

    /// Its flags and help.
    pub fn command(self) -> clap::Command {
        match self {
            Self::Encrypt => encrypt::Arguments::command(),
            Self::Decrypt => decrypt::Arguments::command(),
            Self::Edit => edit::Arguments::command(),
            Self::Set => set::Arguments::command(),
            Self::Unset => unset::Arguments::command(),
            Self::Filestatus => filestatus::Arguments::command(),
            Self::ConfigExplain => config_explain::Arguments::command(),
            Self::Init => init::Arguments::command(),
            Self::Completion => completion::Arguments::command(),
            Self::Man => man::Arguments::command(),
            Self::Help => help::Arguments::command(),
        }
    }

    /// The error of a command that wants an exact number of words (exit 100).
    fn wants_exactly(self) -> Option<Usage> {
        match self {
            Self::Set => Some(set::missing(set::VALUE_MISSING)),
            Self::Unset => Some(unset::missing()),
            _ => None,
        }
    }

    /// Runs it on a command line that was taken apart.
    fn run(self, line: &Line, cli: &mut Cli) -> Result<(), Failure> {
        match self {
            Self::Encrypt => encrypt::run(read(self, line, cli)?, cli),
            Self::Decrypt => decrypt::run(read(self, line, cli)?, cli),
            Self::Edit => edit::run(read(self, line, cli)?, cli),
            Self::Set => set::run(read(self, line, cli)?, cli),
            Self::Unset => unset::run(read(self, line, cli)?, cli),
            Self::Filestatus => filestatus::run(read(self, line, cli)?, cli),
            Self::ConfigExplain => config_explain::run(read(self, line, cli)?, cli),
            Self::Init => init::run(read(self, line, cli)?, cli),
            Self::Completion => completion::run(&read(self, line, cli)?, cli),
            Self::Man => man::run(&read(self, line, cli)?, cli),
            Self::Help => help::run(&read(self, line, cli)?, cli),
        }
    }
}

/// Commands of SOPS that come later.
const NOT_BUILT: [(&str, &str); 7] = [
    ("rotate", "`rotate`"),
    ("updatekeys", "`updatekeys`"),
    ("groups", "`groups`"),
    ("exec-env", "`exec-env`"),
    ("exec-file", "`exec-file`"),
    ("publish", "`publish`"),
    ("keyservice", "`keyservice`"),
];

/// Finds the command word and runs its command.
fn dispatch(arguments: &[OsString], cli: &mut Cli) -> Result<(), Failure> {
    if arguments.last().is_some_and(|word| word == completion::CALLBACK) {
        return completion::answer(arguments, cli);
    }
    let leading = leading(arguments)?;
    if leading.help.is_some() {
        return help::top(cli);
    }
    if leading.flags.iter().any(|flag| flag.name == "version") {
        return cli.output.text(&version(cli.mode));
    }
    let Some(at) = leading.stopped_at else { return Err(legacy::no_file().into()) };
    let word = arguments[at].to_string_lossy();
    if let Some((_, name)) = NOT_BUILT.iter().find(|(known, _)| *known == word) {
        return Err(Error::NotBuilt(name).into());
    }
    match Verb::of_word(&word, cli.mode) {
        Some(verb) => subcommand(verb, &leading.flags, &arguments[at + 1..], cli),
        None => legacy::run(&word, arguments, &leading, at, cli),
    }
}

/// The flags before the first word.
fn leading(arguments: &[OsString]) -> Result<Line, Usage> {
    match arguments.first() {
        None => Ok(Line::default()),
        Some(first) if !first.as_encoded_bytes().starts_with(b"-") => {
            Ok(Line { stopped_at: Some(0), ..Line::default() })
        }
        Some(_) => argv::parse(&legacy::Arguments::command(), arguments, Reach::FirstWord),
    }
}

/// The flags that reach a command from before its word (sops-compat 10.1).
const REACHING: &[&str] =
    &["config", "disable-version-check", "check-for-updates", "indent", "mac-only-encrypted", "verbose"];

/// Runs `verb` with the flags before and behind its word.
fn subcommand(verb: Verb, before: &[Flag], rest: &[OsString], cli: &mut Cli) -> Result<(), Failure> {
    let command = verb.command();
    let rest = if verb == Verb::ConfigExplain { config_explain::behind(rest)? } else { rest };
    let reach = match cli.mode {
        Mode::Leaflock => Reach::Line,
        Mode::Sops => Reach::LineAsSops,
    };
    let mut line = argv::parse(&command, rest, reach)?;
    if let Some(how_much) = line.help {
        return help::of_verb(verb, how_much, cli);
    }
    let known = |flag: &Flag| command.get_arguments().any(|arg| arg.get_long() == Some(&flag.name));
    let mut flags = Vec::with_capacity(before.len() + line.flags.len());
    for flag in before {
        let reaches = REACHING.contains(&flag.name.as_str());
        match (reaches, known(flag), cli.mode) {
            (true, true, _) | (false, true, Mode::Leaflock) => flags.push(flag.clone()),
            (true, false, _) => {}
            (false, _, Mode::Sops) => {
                let text = format!("--{} before the command is ignored, as sops does", flag.name);
                let hint = format!("write it behind `{}`", verb.word());
                cli.output.notice(&Notice::warning(text).with_hint(hint));
            }
            (false, false, Mode::Leaflock) => {
                let message = format!("--{} is no flag of `{}`", flag.name, verb.word());
                let hint = format!("leaflock {} --help lists its flags", verb.word());
                return Err(Usage::new(message).hint(hint).into());
            }
        }
    }
    flags.append(&mut line.flags);
    line.flags = flags;
    verb.run(&line, cli)
}

/// Lets clap read a command line that was taken apart, with the number of words
/// that the command takes.
fn read<A: Parser>(verb: Verb, line: &Line, cli: &mut Cli) -> Result<A, Failure> {
    let command = A::command().no_binary_name(true).args_override_self(true).disable_help_flag(true);
    let limit = words_taken(&command);
    if line.words.len() > limit {
        if let Some(usage) = verb.wants_exactly() {
            return Err(usage.into());
        }
        if cli.mode == Mode::Leaflock {
            let takes = if limit == 1 { "one word".to_owned() } else { format!("{limit} words") };
            let message = format!("`{}` takes {takes}, {} were given", verb.word(), line.words.len());
            let hint = format!("leaflock {} --help shows how it is called", verb.word());
            return Err(Usage::new(message).hint(hint).into());
        }
        files::warn_of_ignored(&line.words[1..], &mut cli.output);
    }
    parse(command, &line.flags, line.words.iter().take(limit))
}

/// Parses flags and words that are known to exist.
fn parse<'w, A: Parser>(
    command: clap::Command,
    flags: &[Flag],
    words: impl Iterator<Item = &'w OsString>,
) -> Result<A, Failure> {
    let matches = command.try_get_matches_from(argv::for_clap(flags, words));
    let parsed = matches.and_then(|matches| A::from_arg_matches(&matches));
    parsed.map_err(|error| usage_of(&error).into())
}

/// How many words a command takes.
fn words_taken(command: &clap::Command) -> usize {
    let endless = |arg: &clap::Arg| matches!(arg.get_action(), clap::ArgAction::Append);
    if command.get_positionals().any(endless) { usize::MAX } else { command.get_positionals().count() }
}

/// clap's complaint in our form: a value that is no number, a choice that does
/// not exist. It names the flag, never the value.
fn usage_of(error: &clap::Error) -> Usage {
    use clap::error::{ContextKind, ContextValue};
    let flag = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(flag)) => flag.split(' ').next().unwrap_or_default(),
        _ => "a flag",
    };
    let usage = Usage::new(format!("invalid value for flag {flag}: parse error"));
    match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(choices)) if !choices.is_empty() => {
            usage.hint(format!("known are {}", choices.join(", ")))
        }
        _ => usage,
    }
}

/// What `--version` prints. Under the name `sops` the first line is SOPS's,
/// because scripts read the number off it.
pub fn version(mode: Mode) -> String {
    let own = env!("CARGO_PKG_VERSION");
    match mode {
        Mode::Leaflock => format!("leaflock {own} (follows sops {SOPS_VERSION})\n"),
        Mode::Sops => format!("sops {SOPS_VERSION}\nleaflock {own}\n"),
    }
}

/// Every command in one tree, for help, completions and man pages.
pub fn tree(mode: Mode) -> clap::Command {
    let mut top = legacy::Arguments::command()
        .name(mode.program())
        .bin_name(mode.program())
        .disable_help_subcommand(true);
    for verb in Verb::ALL {
        top = top.subcommand(match verb {
            Verb::ConfigExplain => config_explain::parent(),
            _ => verb.command(),
        });
    }
    top
}

#[cfg(test)]
mod tests;
