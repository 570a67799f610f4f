//! LAYER 3: the words a user types. The first word picks the command; its flags
//! are compared with what it has, so that a call costs next to nothing before
//! its work begins. clap's definitions are built for help, completions and man
//! pages alone.
//!
//! The program answers to two names. As `leaflock` it refuses what is probably
//! a mistake; as `sops` (by link or rename) it does what SOPS does, and warns.

pub mod args;
pub mod argv;
pub mod check;
pub mod completion;
pub mod config_explain;
pub mod decrypt;
pub mod diff;
pub mod doctor;
pub mod edit;
pub mod encrypt;
pub mod env;
pub mod exec_env;
pub mod exec_file;
pub mod exit;
pub mod files;
pub mod filestatus;
pub mod git_filter;
pub mod git_setup;
pub mod groups;
pub mod help;
pub mod init;
pub mod keychange;
pub mod legacy;
pub mod man;
pub mod merge;
pub mod output;
pub mod report;
pub mod resolve;
pub mod revoke;
pub mod rotate;
pub mod run;
pub mod seal;
pub mod set;
pub mod status;
pub mod textconv;
pub mod unset;
pub mod updatekeys;
pub mod who;
pub mod wire;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::CommandFactory as _;

use crate::app::error::Error;
use crate::app::request::{FileOptions, Notice};
use args::{FilenameOverride, General, InputType};
use argv::fields::{Flags, Words};
use argv::{Flag, Line, Reach, Reader};
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
            failure.code()
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
    /// `run`
    Run,
    /// `exec-env`
    ExecEnv,
    /// `exec-file`
    ExecFile,
    /// `filestatus`
    Filestatus,
    /// `updatekeys`
    Updatekeys,
    /// `rotate`
    Rotate,
    /// `groups add`
    GroupsAdd,
    /// `groups delete`
    GroupsDelete,
    /// `check`
    Check,
    /// `seal`
    Seal,
    /// `diff`
    Diff,
    /// `textconv`
    Textconv,
    /// `who`
    Who,
    /// `doctor`
    Doctor,
    /// `revoke`
    Revoke,
    /// `merge`
    Merge,
    /// `resolve`
    Resolve,
    /// `config explain`
    ConfigExplain,
    /// `git setup`
    GitSetup,
    /// `git clean`
    GitClean,
    /// `git smudge`
    GitSmudge,
    /// `status`
    Status,
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
        Verb::Run,
        Verb::ExecEnv,
        Verb::ExecFile,
        Verb::Filestatus,
        Verb::Updatekeys,
        Verb::Rotate,
        Verb::GroupsAdd,
        Verb::GroupsDelete,
        Verb::Check,
        Verb::Seal,
        Verb::Diff,
        Verb::Textconv,
        Verb::Who,
        Verb::Doctor,
        Verb::Revoke,
        Verb::Merge,
        Verb::Resolve,
        Verb::ConfigExplain,
        Verb::GitSetup,
        Verb::GitClean,
        Verb::GitSmudge,
        Verb::Status,
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
            Self::Run => "run",
            Self::ExecEnv => "exec-env",
            Self::ExecFile => "exec-file",
            Self::Filestatus => "filestatus",
            Self::Updatekeys => "updatekeys",
            Self::Rotate => "rotate",
            Self::GroupsAdd | Self::GroupsDelete => "groups",
            Self::Check => "check",
            Self::Seal => "seal",
            Self::Diff => "diff",
            Self::Textconv => "textconv",
            Self::Who => "who",
            Self::Doctor => "doctor",
            Self::Revoke => "revoke",
            Self::Merge => "merge",
            Self::Resolve => "resolve",
            Self::ConfigExplain => "config",
            Self::GitSetup | Self::GitClean | Self::GitSmudge => "git",
            Self::Status => "status",
            Self::Init => "init",
            Self::Completion => "completion",
            Self::Man => "man",
            Self::Help => "help",
        }
    }

    /// Its words.
    pub fn words(self) -> &'static str {
        match self {
            Self::ConfigExplain => "config explain",
            Self::GitSetup => "git setup",
            Self::GitClean => "git clean",
            Self::GitSmudge => "git smudge",
            Self::GroupsAdd => "groups add",
            Self::GroupsDelete => "groups delete",
            verb => verb.word(),
        }
    }

    /// The command of a word. Under the name `sops`, the words that SOPS does not
    /// have are names of files, as there.
    pub fn of_word(word: &str, mode: Mode) -> Option<Self> {
        let word = if word == "h" { "help" } else { word };
        Self::of_mode(mode).find(|verb| verb.word() == word)
    }

    /// The commands that exist under a name.
    pub fn of_mode(mode: Mode) -> impl Iterator<Item = Self> {
        let ours = |verb: &Self| {
            matches!(
                verb,
                Self::Check
                    | Self::Seal
                    | Self::Who
                    | Self::Diff
                    | Self::Textconv
                    | Self::Doctor
                    | Self::Revoke
                    | Self::Merge
                    | Self::Resolve
                    | Self::ConfigExplain
                    | Self::GitSetup
                    | Self::GitClean
                    | Self::GitSmudge
                    | Self::Status
                    | Self::Init
                    | Self::Man
                    | Self::Run
            )
        };
        Self::ALL.iter().copied().filter(move |verb| mode == Mode::Leaflock || !ours(verb))
    }

    /// Its flags and help.
    pub fn command(self) -> clap::Command {
        match self {
            Self::Encrypt => encrypt::Arguments::command(),
            Self::Decrypt => decrypt::Arguments::command(),
            Self::Edit => edit::Arguments::command(),
            Self::Set => set::Arguments::command(),
            Self::Unset => unset::Arguments::command(),
            Self::Run => run::Arguments::command(),
            Self::ExecEnv => exec_env::Arguments::command(),
            Self::ExecFile => exec_file::Arguments::command(),
            Self::Filestatus => filestatus::Arguments::command(),
            Self::Updatekeys => updatekeys::Arguments::command(),
            Self::Rotate => rotate::Arguments::command(),
            Self::GroupsAdd => groups::Add::command(),
            Self::GroupsDelete => groups::Delete::command(),
            Self::Check => check::Arguments::command(),
            Self::Seal => seal::Arguments::command(),
            Self::Diff => diff::Arguments::command(),
            Self::Textconv => textconv::Arguments::command(),
            Self::Who => who::Arguments::command(),
            Self::Doctor => doctor::Arguments::command(),
            Self::Revoke => revoke::Arguments::command(),
            Self::Merge => merge::Arguments::command(),
            Self::Resolve => resolve::Arguments::command(),
            Self::ConfigExplain => config_explain::Arguments::command(),
            Self::GitSetup => git_setup::Arguments::command(),
            Self::GitClean => git_filter::Clean::command(),
            Self::GitSmudge => git_filter::Smudge::command(),
            Self::Status => status::Arguments::command(),
            Self::Init => init::Arguments::command(),
            Self::Completion => completion::Arguments::command(),
            Self::Man => man::Arguments::command(),
            Self::Help => help::Arguments::command(),
        }
    }

    /// The error of a command that wants an exact number of words.
    fn wants_exactly(self) -> Option<Usage> {
        match self {
            Self::Set => Some(set::missing(set::VALUE_MISSING)),
            Self::Unset => Some(unset::missing()),
            Self::ExecEnv | Self::ExecFile => Some(exec_env::missing(self.word())),
            _ => None,
        }
    }

    /// Runs it with the flags before its word and everything behind it.
    fn run(self, before: &[Flag], rest: &[OsString], cli: &mut Cli) -> Result<(), Failure> {
        match self {
            Self::Encrypt => self.with(before, rest, cli, encrypt::run),
            Self::Decrypt => self.with(before, rest, cli, decrypt::run),
            Self::Edit => self.with(before, rest, cli, edit::run),
            Self::Set => self.with(before, rest, cli, set::run),
            Self::Unset => self.with(before, rest, cli, unset::run),
            Self::Run => self.with(before, rest, cli, run::run),
            Self::ExecEnv => self.with(before, rest, cli, exec_env::run),
            Self::ExecFile => self.with(before, rest, cli, exec_file::run),
            Self::Filestatus => self.with(before, rest, cli, filestatus::run),
            Self::Updatekeys => self.with(before, rest, cli, updatekeys::run),
            Self::Rotate => self.with(before, rest, cli, rotate::run),
            Self::GroupsAdd | Self::GroupsDelete => match groups::word(rest)? {
                groups::Word::Add => Self::GroupsAdd.with(before, groups::behind(rest), cli, groups::add),
                groups::Word::Delete => {
                    Self::GroupsDelete.with(before, groups::behind(rest), cli, groups::delete)
                }
            },
            Self::Check => {
                self.with(before, rest, cli, check::run).map_err(|failure| check::failed(failure, cli))
            }
            Self::Seal => self.with(before, rest, cli, seal::run),
            Self::Diff => self.with(before, rest, cli, diff::run),
            Self::Textconv => self.with(before, rest, cli, textconv::run),
            Self::Who => self.with(before, rest, cli, who::run),
            Self::Doctor => self.with(before, rest, cli, doctor::run),
            Self::Revoke => self.with(before, rest, cli, revoke::run),
            Self::Merge => self.with(before, rest, cli, merge::run).map_err(merge::aborted),
            Self::Resolve => self.with(before, rest, cli, resolve::run),
            Self::ConfigExplain => self.with(before, config_explain::behind(rest)?, cli, config_explain::run),
            Self::GitSetup | Self::GitClean | Self::GitSmudge => match git_setup::word(rest)? {
                (git_setup::Word::Setup, rest) => Self::GitSetup.with(before, rest, cli, git_setup::run),
                (git_setup::Word::Clean, rest) => Self::GitClean.with(before, rest, cli, git_filter::clean),
                (git_setup::Word::Smudge, rest) => {
                    Self::GitSmudge.with(before, rest, cli, git_filter::smudge)
                }
            },
            Self::Status => self.with(before, rest, cli, status::run),
            Self::Init => self.with(before, rest, cli, init::run),
            Self::Completion => self.with(before, rest, cli, completion::run),
            Self::Man => self.with(before, rest, cli, man::run),
            Self::Help => self.with(before, rest, cli, help::run),
        }
    }

    /// Reads the arguments of `work` and calls it, or prints its help.
    fn with<A: Flags + Words + Default>(
        self,
        before: &[Flag],
        rest: &[OsString],
        cli: &mut Cli,
        work: impl FnOnce(A, &mut Cli) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let reach = match cli.mode {
            Mode::Leaflock => Reach::Line,
            Mode::Sops => Reach::LineAsSops,
        };
        let empty = A::default();
        let may_dash = |index| empty.may_dash(index);
        let reader = Reader { command: self.words(), flags: &empty, may_dash: &may_dash, reach };
        let mut line = reader.read(rest)?;
        if let Some(how_much) = line.help {
            return help::of_verb(self, how_much, cli);
        }
        let behind = if empty.takes_command() { line.behind_dashes } else { 0 };
        let command = line.words.split_off(line.words.len() - behind);
        let reaching = self.reaching(before, &empty, cli)?;
        self.check_count(A::LIMIT, &mut line.words, cli)?;
        cli.env.heed(reaching.iter().copied().chain(&line.flags));
        let mut arguments: A = fill(reaching.into_iter().chain(&line.flags), line.words)?;
        arguments.take_command(command);
        work(arguments, cli)
    }

    /// The flags from before the word that reach the command (sops-compat 10.1).
    /// Under the name `sops` they are few, the others are ignored; otherwise all do.
    fn reaching<'f>(
        self,
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
                    let hint = format!("write it behind `{}`", self.word());
                    cli.output.notice(&Notice::warning(text).with_hint(hint));
                }
                (false, false, Mode::Leaflock) => {
                    let message = format!("--{} is no flag of `{}`", flag.name, self.word());
                    let hint = format!("leaflock {} --help lists its flags", self.word());
                    return Err(Usage::new(message).hint(hint));
                }
            }
        }
        Ok(reaching)
    }

    /// Refuses more words than the command takes; under the name `sops` they are
    /// dropped with a warning.
    fn check_count(self, limit: usize, words: &mut Vec<OsString>, cli: &mut Cli) -> Result<(), Usage> {
        if words.len() <= limit {
            return Ok(());
        }
        if let Some(usage) = self.wants_exactly() {
            return Err(usage);
        }
        if cli.mode == Mode::Leaflock {
            let takes = if limit == 1 { "one word".to_owned() } else { format!("{limit} words") };
            let message = format!("`{}` takes {takes}, {} were given", self.word(), words.len());
            let hint = format!("leaflock {} --help shows how it is called", self.word());
            return Err(Usage::new(message).hint(hint));
        }
        files::warn_of_ignored(&words[1..], &mut cli.output);
        words.truncate(limit);
        Ok(())
    }
}

/// The help of the program.
fn overview(cli: &mut Cli) -> Result<(), Failure> {
    help::top(legacy::Arguments::command(), cli)
}

/// A command's arguments from flags that it has and words that it takes.
fn fill<'f, A: Flags + Words + Default>(
    flags: impl Iterator<Item = &'f Flag>,
    words: Vec<OsString>,
) -> Result<A, Usage> {
    let mut arguments = A::default();
    for flag in flags {
        arguments.set(flag)?;
    }
    arguments.take(words);
    Ok(arguments)
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
    match Verb::of_word(&word, cli.mode) {
        Some(verb) => verb.run(&leading.flags, &arguments[at + 1..], cli),
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
        top = match verb {
            Verb::ConfigExplain => top.subcommand(config_explain::parent()),
            Verb::GitSetup => top.subcommand(git_setup::parent()),
            Verb::GroupsAdd => top.subcommand(groups::parent()),
            // Together with the first of their word.
            Verb::GroupsDelete | Verb::GitClean | Verb::GitSmudge => top,
            _ => top.subcommand(verb.command()),
        };
    }
    top
}

#[cfg(test)]
mod tests;
