//! LAYER 3: the words a user types. The first word picks the command; its flags
//! are compared with what it has, so that a call costs next to nothing before
//! its work begins. clap's definitions are built for help, completions and man
//! pages alone.
//!
//! The program answers to two names. As `leaflock` it refuses what is probably
//! a mistake; as `sops` (by link or rename) it does what SOPS does, and warns.

pub mod agent_add;
pub mod agent_exposure;
pub mod agent_guide;
pub mod agent_list;
pub mod agent_rekey;
pub mod agent_remove;
pub mod agent_revoke;
pub mod agent_show;
pub mod agent_sync;
pub mod args;
pub mod argv;
pub mod audit;
pub mod audit_report;
pub mod can;
pub mod check;
pub mod compare;
pub mod completion;
pub mod config_explain;
pub mod decisions;
pub mod decrypt;
pub mod diff;
pub mod doctor;
pub mod edit;
pub mod encrypt;
pub mod env;
pub mod envelope;
pub mod exec_env;
pub mod exec_file;
pub mod exists;
pub mod exit;
pub mod files;
pub mod filestatus;
pub mod fingerprint;
pub mod get;
pub mod git_filter;
pub mod git_setup;
pub mod groups;
pub mod help;
pub mod init;
pub mod keychange;
pub mod legacy;
pub mod list;
pub mod man;
pub mod merge;
pub mod output;
pub mod policy_explain;
pub mod policy_init;
pub mod policy_lint;
pub mod policy_sign;
pub mod policy_test;
pub mod redact;
pub mod report;
pub mod resolve;
pub mod revoke;
pub mod rotate;
pub mod run;
pub mod schema;
pub mod seal;
pub mod set;
pub mod status;
pub mod textconv;
pub mod trust;
pub mod unset;
pub mod updatekeys;
pub mod verbs;
pub mod what_can;
pub mod who;
pub mod who_can;
pub mod wire;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::CommandFactory as _;

use crate::app::error::Error;
use crate::app::git_setup::drivers;
use crate::app::request::{FileOptions, Notice};
use args::{FilenameOverride, General, InputType};
use argv::fields::{Fields, Flags, Words, fill};
use argv::{Flag, Help, Line, Reach, Reader};
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

impl Cli {
    /// What [`General`] and [`InputType`] mean together, for files that are called what
    /// they are; says what is to be said of it.
    fn file_options(&mut self, general: General, input: InputType) -> Result<FileOptions, Usage> {
        let mut notices = Vec::new();
        let named = FilenameOverride::default();
        let file = args::file_options(general, input, named, self.mode, &self.env, &mut notices)?;
        self.output.notices(&notices);
        Ok(file)
    }
}

/// Runs the process's command line.
pub fn main() -> ExitCode {
    wire::harden();
    let mut arguments = env::arguments().into_iter();
    let program = arguments.next().unwrap_or_default();
    if let Some(code) = wire::helper(arguments.as_slice()) {
        return ExitCode::from(code);
    }
    let mode = Mode::of_program(Path::new(&program));
    let mut cli = Cli { mode, env: Environment::of_process(), output: Output::of_process() };
    let word = word_of_program(Path::new(&program)).map(OsString::from);
    ExitCode::from(call(&word.into_iter().chain(arguments).collect::<Vec<_>>(), &mut cli))
}

/// The command that a name of the program stands for.
fn word_of_program(name: &Path) -> Option<&'static str> {
    name.file_stem().is_some_and(|stem| stem == drivers::TEXTCONV).then_some("textconv")
}

/// Runs one command line (without the program's name) and returns its exit code.
pub fn call(arguments: &[OsString], cli: &mut Cli) -> u8 {
    match dispatch(arguments, cli) {
        Ok(()) => exit::SUCCESS,
        Err(failure) => {
            cli.output.failure(&failure);
            failure.code()
        }
    }
}

/// Under which names of the program a command exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// SOPS has it.
    Sops,
    /// Ours: under the name `sops` its word is that of a file.
    Own,
}

/// A command.
pub struct Verb {
    words: &'static str,
    manner: Manner,
    command: fn() -> clap::Command,
    run: Run,
    /// The error of a command that wants an exact number of words.
    wants_exactly: Option<fn() -> Usage>,
    /// What a failure is to its caller.
    failed: fn(Failure, &mut Cli) -> Failure,
    /// It answers in an [`envelope`].
    answers: bool,
}

/// Runs a command with the flags before its word and everything behind it.
type Run = fn(&Verb, &[Flag], &[OsString], &mut Cli) -> Result<(), Failure>;

/// Commands that share their first word.
pub struct Family {
    /// That word.
    pub word: &'static str,
    /// What they are for.
    pub about: &'static str,
}

impl Family {
    /// The family of a word.
    pub fn of_word(word: &str, mode: Mode) -> Option<&'static Self> {
        verbs::FAMILIES.iter().find(|family| family.word == word && family.members(mode).next().is_some())
    }

    /// Its commands that exist under a name.
    pub fn members(&self, mode: Mode) -> impl Iterator<Item = &'static Verb> {
        let word = self.word;
        Verb::of_mode(mode).filter(move |verb| verb.word() == word && verb.words != word)
    }

    /// Its commands in one tree, for help, completions and man pages.
    pub fn command(&self, mode: Mode) -> clap::Command {
        let named = |verb: &'static Verb| verb.command().name(verb.last_word());
        clap::Command::new(self.word).about(self.about).subcommands(self.members(mode).map(named))
    }

    /// The error for a word that is none of its commands, or for none at all.
    fn misses(&self, word: Option<&str>, mode: Mode) -> Usage {
        let words: Vec<&str> = self.members(mode).map(Verb::last_word).collect();
        let hint = format!("leaflock {} {} …", self.word, words.join("|"));
        match word {
            Some(word) => {
                let usage = Usage::with_code(exit::CANNOT_WRITE, format!("No help topic for '{word}'"));
                match argv::closest(word, words.iter().copied()) {
                    Some(meant) => usage.hint(format!("did you mean `leaflock {} {meant}`?", self.word)),
                    None => usage,
                }
                .hint(hint)
            }
            None => Usage::new(format!("`{}` needs to know what to do", self.word)).hint(hint),
        }
    }
}

/// Prints as its words.
impl std::fmt::Debug for Verb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.words)
    }
}

/// What the first words of a line stand for.
pub enum Found {
    /// A command, and how many words it has.
    Verb(&'static Verb, usize),
    /// A family without one of its commands.
    Family(&'static Family),
}

/// The command at the front of `line`, where there is one. Under the name `sops`, the
/// words that SOPS does not have are names of files, as there.
pub fn find(line: &[OsString], mode: Mode) -> Option<Found> {
    let first = line.first()?.to_str()?;
    if let Some(family) = Family::of_word(first, mode) {
        let second = line.get(1).and_then(|word| word.to_str());
        let member = family.members(mode).find(|verb| Some(verb.last_word()) == second);
        return Some(member.map_or(Found::Family(family), |verb| Found::Verb(verb, 2)));
    }
    let first = if first == "h" { "help" } else { first };
    Verb::of_words(first, mode).map(|verb| Found::Verb(verb, 1))
}

/// Runs the command at the front of `line` with the flags `before` it; `None` where
/// there is none.
fn run_command(before: &[Flag], line: &[OsString], cli: &mut Cli) -> Option<Result<(), Failure>> {
    Some(match find(line, cli.mode)? {
        Found::Verb(verb, words) => {
            (verb.run)(verb, before, &line[words..], cli).map_err(|failure| (verb.failed)(failure, cli))
        }
        Found::Family(family) => match line.get(1).and_then(|word| word.to_str()) {
            Some("-h" | "--help" | "-help" | "help") => help::of_family(family, cli),
            word => {
                let misses = family.misses(word.filter(|word| !word.starts_with('-')), cli.mode);
                match family.members(cli.mode).any(Verb::answers) {
                    true => envelope::call(family.word, &line[1..], cli, |_| Err(misses.into())),
                    false => Err(misses.into()),
                }
            }
        },
    })
}

impl Verb {
    /// Its words.
    pub fn words(&self) -> &'static str {
        self.words
    }

    /// The first of them.
    pub fn word(&self) -> &'static str {
        self.words.split(' ').next().unwrap_or_default()
    }

    /// The last of them.
    pub fn last_word(&self) -> &'static str {
        self.words.rsplit(' ').next().unwrap_or_default()
    }

    /// All of them, in the order of the help.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        verbs::VERBS.iter()
    }

    /// The commands that exist under a name.
    pub fn of_mode(mode: Mode) -> impl Iterator<Item = &'static Self> {
        Self::all().filter(move |verb| mode == Mode::Leaflock || verb.manner == Manner::Sops)
    }

    /// The command of these words.
    pub fn of_words(words: &str, mode: Mode) -> Option<&'static Self> {
        Self::of_mode(mode).find(|verb| verb.words == words)
    }

    /// True when it answers in an [`envelope`]: it has `--json`.
    pub fn answers(&self) -> bool {
        self.answers
    }

    /// Its flags and help.
    pub fn command(&self) -> clap::Command {
        (self.command)()
    }

    /// Reads the arguments of `work` and calls it, or prints its help.
    fn with<A: Flags + Words + Default>(
        &self,
        before: &[Flag],
        rest: &[OsString],
        cli: &mut Cli,
        work: impl FnOnce(A, &mut Cli) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut arguments = A::default();
        match self.read(before, rest, cli, &mut arguments)? {
            Some(how_much) => help::of_command(self.command(), how_much, cli),
            None => work(arguments, cli),
        }
    }

    /// Reads `arguments`, if not help is wanted.
    fn read(
        &self,
        before: &[Flag],
        rest: &[OsString],
        cli: &mut Cli,
        arguments: &mut dyn Fields,
    ) -> Result<Option<Help>, Failure> {
        let reach = match cli.mode {
            Mode::Leaflock => Reach::Line,
            Mode::Sops => Reach::LineAsSops,
        };
        let may_dash = |index| arguments.may_dash(index);
        let reader = Reader { command: self.words, flags: arguments, may_dash: &may_dash, reach };
        let mut line = reader.read(rest)?;
        if line.help.is_some() {
            return Ok(line.help);
        }
        let behind = if arguments.takes_command() { line.behind_dashes } else { 0 };
        let command = line.words.split_off(line.words.len() - behind);
        let reaching = self.reaching(before, arguments, cli)?;
        self.check_count(arguments.limit(), &mut line.words, cli)?;
        cli.env.heed(reaching.iter().copied().chain(&line.flags));
        fill(arguments, reaching.into_iter().chain(&line.flags), line.words)?;
        arguments.take_command(command);
        Ok(None)
    }

    /// The flags from before the word that reach the command (sops-compat 10.1).
    /// Under the name `sops` they are few, the others are ignored; otherwise all do.
    fn reaching<'f>(
        &self,
        before: &'f [Flag],
        own: &dyn Flags,
        cli: &mut Cli,
    ) -> Result<Vec<&'f Flag>, Usage> {
        let mut reaching = Vec::new();
        for flag in before {
            let global = REACHING.contains(&flag.name.as_str());
            match (global, own.find(&flag.name).is_some(), cli.mode) {
                (true, true, _) | (false, true, Mode::Leaflock) => reaching.push(flag),
                (true, false, _) => {}
                (false, _, Mode::Sops) => {
                    let text = format!("--{} before the command is ignored, as sops does", flag.name);
                    let hint = format!("write it behind `{}`", self.words);
                    cli.output.notice(&Notice::warning(text).with_hint(hint));
                }
                (false, false, Mode::Leaflock) => {
                    let message = format!("--{} is no flag of `{}`", flag.name, self.words);
                    let hint = format!("leaflock {} --help lists its flags", self.words);
                    return Err(Usage::new(message).hint(hint));
                }
            }
        }
        Ok(reaching)
    }

    /// Refuses more words than the command takes; under the name `sops` they are
    /// dropped with a warning.
    fn check_count(&self, limit: usize, words: &mut Vec<OsString>, cli: &mut Cli) -> Result<(), Usage> {
        if words.len() <= limit {
            return Ok(());
        }
        if let Some(wants_exactly) = self.wants_exactly {
            return Err(wants_exactly());
        }
        if cli.mode == Mode::Leaflock {
            let takes = match limit {
                0 => "no words".to_owned(),
                1 => "one word".to_owned(),
                _ => format!("{limit} words"),
            };
            let given = if words.len() == 1 { "one was".to_owned() } else { format!("{} were", words.len()) };
            let message = format!("`{}` takes {takes}, {given} given", self.words);
            let hint = format!("leaflock {} --help shows how it is called", self.words);
            return Err(Usage::new(message).hint(hint));
        }
        files::warn_of_ignored(&words[1..], &mut cli.output);
        words.truncate(limit);
        Ok(())
    }
}

/// The flags that reach a command from before its word (sops-compat 10.1).
const REACHING: &[&str] = &[
    "config",
    "askpass",
    "disable-version-check",
    "check-for-updates",
    "indent",
    "mac-only-encrypted",
    "verbose",
];

/// The help of the program.
fn overview(cli: &mut Cli) -> Result<(), Failure> {
    help::top(legacy::Arguments::command(), cli)
}

/// Commands of SOPS that come later.
const NOT_BUILT: [(&str, &str); 2] = [("publish", "`publish`"), ("keyservice", "`keyservice`")];

/// Finds the command word and runs its command.
fn dispatch(arguments: &[OsString], cli: &mut Cli) -> Result<(), Failure> {
    if arguments.last().is_some_and(|word| word == completion::CALLBACK) && !is_of_a_command(arguments) {
        return completion::answer(arguments, cli);
    }
    let leading = leading(arguments)?;
    if leading.help.is_some() {
        return overview(cli);
    }
    if leading.flags.iter().any(|flag| flag.name == "version") {
        return cli.output.text(&version(cli.mode));
    }
    let Some(at) = leading.stopped_at else { return Err(legacy::no_file().into()) };
    let word = arguments[at].to_string_lossy();
    if let Some((_, name)) = NOT_BUILT.iter().find(|(known, _)| *known == word) {
        return Err(Error::NotBuilt(name).into());
    }
    match run_command(&leading.flags, &arguments[at..], cli) {
        Some(done) => done,
        None => legacy::run(&word, arguments, &leading, at, cli),
    }
}

/// True when the last word is one of the program that `run` starts.
fn is_of_a_command(arguments: &[OsString]) -> bool {
    let dashes = arguments.iter().position(|word| word == "--");
    arguments.first().is_some_and(|word| word == "run") && dashes.is_some_and(|at| at + 2 < arguments.len())
}

/// The flags before the first word.
fn leading(arguments: &[OsString]) -> Result<Line, Usage> {
    match arguments.first() {
        None => Ok(Line::default()),
        Some(first) if !first.as_encoded_bytes().starts_with(b"-") => {
            Ok(Line { stopped_at: Some(0), ..Line::default() })
        }
        Some(_) => legacy::read(arguments, Reach::FirstWord),
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
    for verb in Verb::of_mode(mode) {
        let family = Family::of_word(verb.word(), mode);
        let family = family.map(|family| family.command(mode));
        let command = family.unwrap_or_else(|| verb.command());
        // A family comes with its first command.
        if top.find_subcommand(command.get_name()).is_none() {
            top = top.subcommand(command);
        }
    }
    top
}

#[cfg(test)]
mod tests;
