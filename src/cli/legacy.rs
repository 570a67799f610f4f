//! The command line without a command word: `leaflock FILE` edits, `-d`, `-e`,
//! `--set` do what their commands do (sops-compat 10.2). SOPS ignores flags
//! behind the file here, with a warning; so do we under its name, while
//! `leaflock` takes them. Also the flags that may stand before a command.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser};

use super::args::{
    FilenameOverride, General, InputType, KeyChanges, KeyServices, Keys, Opening, Output, OutputType, Rules,
};
use super::argv::fields::{flags, words};
use super::argv::{self, Line, Reach, Reader};
use super::report::{Failure, Usage};
use super::{Cli, Mode, Verb, decrypt, edit, encrypt, exit, files, overview, rotate, set, wire};
use crate::app::Deps;
use crate::app::error::Error;
use crate::app::request::Notice;

/// Secrets in git, in files that keep the look their owner gave them
///
/// Encrypts the values of YAML, JSON, dotenv and INI files and leaves the rest of
/// every file as it is. Files are compatible with SOPS in both directions.
#[allow(rustdoc::broken_intra_doc_links, reason = "help texts show the index syntax, which looks like links")]
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "leaflock", override_usage = "leaflock COMMAND [OPTIONS] …\n       leaflock [OPTIONS] FILE", after_help = AFTER_HELP)]
pub struct Arguments {
    /// The file to edit, or to work on with one of the flags below
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Print the version
    #[arg(short = 'v', long)]
    pub version: bool,
    /// As the command `decrypt`
    #[arg(short, long, help_heading = "Old form")]
    pub decrypt: bool,
    /// As the command `encrypt`
    #[arg(short, long, help_heading = "Old form")]
    pub encrypt: bool,
    /// As the command `rotate`
    #[arg(short, long, help_heading = "Old form", hide = true)]
    pub rotate: bool,
    /// As the command `set`, with index and value in one: '["a"]["b"] "value"'
    #[arg(long, value_name = "INDEX VALUE", help_heading = "Old form")]
    pub set: Option<String>,
    /// As `decrypt --extract`
    #[arg(long, value_name = "INDEX", hide = true)]
    pub extract: Option<String>,
    /// As `edit --show-master-keys`
    #[arg(short, long, hide = true)]
    pub show_master_keys: bool,
    /// As `encrypt --allow-unencrypted`
    #[arg(long, hide = true)]
    pub allow_unencrypted: bool,
    /// As `edit --accept-recipients`
    #[arg(long, hide = true)]
    pub accept_recipients: bool,
    /// The flags of the commands.
    #[command(flatten)]
    pub shared: Shared,
    /// General flags.
    #[command(flatten)]
    pub general: General,
}

flags!(Arguments { 
    version "version" "v", decrypt "decrypt" "d", encrypt "encrypt" "e", rotate "rotate" "r", set "set" "",
    extract "extract" "", show_master_keys "show-master-keys" "s", allow_unencrypted "allow-unencrypted" "",
    accept_recipients "accept-recipients" ""
 } shared, general);

words!(Arguments, usize::MAX, files);

/// Flags that the old form shares with the commands. Its help leaves them to theirs.
#[derive(Args, Clone, Debug, Default)]
pub struct Shared {
    /// The result's place.
    #[command(flatten)]
    pub output: Output,
    /// Keys and MAC.
    #[command(flatten)]
    pub opening: Opening,
    /// Master keys.
    #[command(flatten)]
    pub keys: Keys,
    /// Selection rules.
    #[command(flatten)]
    pub rules: Rules,
    /// Input format.
    #[command(flatten)]
    pub input_type: InputType,
    /// Output format.
    #[command(flatten)]
    pub output_type: OutputType,
    /// Another name.
    #[command(flatten)]
    pub named: FilenameOverride,
    /// Key services.
    #[command(flatten)]
    pub services: KeyServices,
    /// Changes of keys.
    #[command(flatten)]
    pub changes: KeyChanges,
}

flags!(Shared {} output, opening, keys, rules, input_type, output_type, named, services, changes);

const AFTER_HELP: &str = "\
Examples:
  leaflock init                                  an identity and a .sops.yaml
  leaflock encrypt -i config/prod.yaml           encrypt a file in place
  leaflock config/prod.yaml                      edit it
  leaflock decrypt --output-type shell app.env   print it for eval

`leaflock COMMAND --help` explains a command; `leaflock help exit-codes` and
`leaflock help environment` list exit codes and environment variables.";

/// The answer to a call without a file (exit 100).
pub fn no_file() -> Usage {
    Usage::with_code(exit::NO_FILE, "Error: no file specified").hint("leaflock help lists the commands")
}

/// Runs a command line whose first word, at `at`, is no command.
pub fn run(
    word: &str,
    arguments: &[OsString],
    leading: &Line,
    at: usize,
    cli: &mut Cli,
) -> Result<(), Failure> {
    let acts = |flag: &argv::Flag| ["decrypt", "encrypt", "rotate", "set"].contains(&flag.name.as_str());
    if !leading.flags.iter().any(acts) {
        refuse_mistyped_command(word, cli)?;
    }
    let line = match cli.mode {
        Mode::Leaflock => read(arguments, Reach::Line)?,
        Mode::Sops => only_first(leading, &arguments[at..], cli),
    };
    if line.help.is_some() {
        return overview(cli);
    }
    cli.env.heed(&line.flags);
    let mut parsed = Arguments::default();
    argv::fields::fill(&mut parsed, line.flags.iter(), line.words)?;
    if parsed.files.is_empty() {
        return Err(no_file().into());
    }
    match action(&parsed, cli)? {
        Action::Set => set(parsed, cli),
        Action::Decrypt => decrypt::run(
            decrypt::Arguments {
                files: parsed.files,
                output: parsed.shared.output,
                extract: parsed.extract,
                opening: parsed.shared.opening,
                input_type: parsed.shared.input_type,
                output_type: parsed.shared.output_type.output_type,
                named: parsed.shared.named,
                services: parsed.shared.services,
                general: parsed.general,
                legacy: true,
            },
            cli,
        ),
        Action::Encrypt => encrypt::run(
            encrypt::Arguments {
                files: parsed.files,
                output: parsed.shared.output,
                allow_unencrypted: parsed.allow_unencrypted,
                fresh: false,
                onto: None,
                seal: false,
                keys: parsed.shared.keys,
                rules: parsed.shared.rules,
                input_type: parsed.shared.input_type,
                output_type: parsed.shared.output_type,
                named: parsed.shared.named,
                services: parsed.shared.services,
                general: parsed.general,
                legacy: true,
            },
            cli,
        ),
        Action::Rotate => rotate(parsed, cli),
        Action::Edit => edit(parsed, cli),
    }
}

fn rotate(parsed: Arguments, cli: &mut Cli) -> Result<(), Failure> {
    rotate::run(
        rotate::Arguments {
            files: parsed.files,
            output: parsed.shared.output,
            changes: parsed.shared.changes,
            accept_recipients: parsed.accept_recipients,
            encryption_context: parsed.shared.keys.encryption_context,
            opening: parsed.shared.opening,
            input_type: parsed.shared.input_type,
            output_type: parsed.shared.output_type,
            named: parsed.shared.named,
            services: parsed.shared.services,
            general: parsed.general,
            legacy: true,
            ..rotate::Arguments::default()
        },
        cli,
    )
}

fn edit(mut parsed: Arguments, cli: &mut Cli) -> Result<(), Failure> {
    let file = one_file(&mut parsed)?;
    edit::run(
        edit::Arguments {
            file: Some(file),
            show_master_keys: parsed.show_master_keys,
            allow_unencrypted: parsed.allow_unencrypted,
            accept_recipients: parsed.accept_recipients,
            opening: parsed.shared.opening,
            keys: parsed.shared.keys,
            rules: parsed.shared.rules,
            input_type: parsed.shared.input_type,
            output_type: parsed.shared.output_type,
            services: parsed.shared.services,
            general: parsed.general,
            filename_override: parsed.shared.named.filename_override,
            legacy: true,
        },
        cli,
    )
}

/// Takes a command line apart by the flags of the old form.
pub fn read(arguments: &[OsString], reach: Reach) -> Result<Line, Usage> {
    let reader = Reader { command: "", flags: &Arguments::default(), may_dash: &|_| false, reach };
    reader.read(arguments)
}

/// What the flags ask for.
enum Action {
    Rotate,
    Edit,
    Encrypt,
    Decrypt,
    Set,
}

/// The last of encrypt, decrypt, rotate and set, as in SOPS, which runs all of
/// them and shows the last result.
fn action(parsed: &Arguments, cli: &mut Cli) -> Result<Action, Failure> {
    let set = parsed.set.as_ref().is_some_and(|set| !set.is_empty());
    let count = [parsed.decrypt, parsed.encrypt, parsed.rotate, set].iter().filter(|given| **given).count();
    if count > 1 {
        let text = "More than one command (--encrypt, --decrypt, --rotate, --set) has been specified";
        if cli.mode == Mode::Leaflock {
            return Err(Usage::with_code(exit::CONFLICT, text).hint("give one of them").into());
        }
        let hint = "only the last of them in this order counts: encrypt, decrypt, rotate, set";
        cli.output.notice(&Notice::warning(text).with_hint(hint));
    }
    if parsed.shared.changes.any() && !parsed.rotate {
        refuse_keys_without_rotation(parsed, cli)?;
    }
    Ok(match (set, parsed.rotate, parsed.decrypt, parsed.encrypt) {
        (true, _, _, _) => Action::Set,
        (_, true, _, _) => Action::Rotate,
        (_, _, true, _) => Action::Decrypt,
        (_, _, _, true) => Action::Encrypt,
        _ => Action::Edit,
    })
}

/// Keys come and go with a rotation only. SOPS ignores the flags otherwise, but
/// for a file that does not exist.
fn refuse_keys_without_rotation(parsed: &Arguments, cli: &Cli) -> Result<(), Failure> {
    if cli.mode == Mode::Leaflock {
        let text = "--add-… and --rm-… change nothing without --rotate";
        return Err(Usage::with_code(exit::CONFLICT, text)
            .hint("leaflock rotate -i --add-age RECIPIENT FILE")
            .into());
    }
    let Some(file) = parsed.files.first() else { return Ok(()) };
    wire::with_deps(&cli.env, |deps: &Deps<'_>| {
        let path = deps.files.absolute(file).map_err(Error::Read)?;
        match deps.files.kind(&path) {
            Ok(None) => Err(Error::KeysOfNoFile { path, hint: "`--kms` and `--pgp`" }.into()),
            _ => Ok(()),
        }
    })
}

/// `--set 'INDEX VALUE'`: the index ends at the first `] `.
fn set(mut parsed: Arguments, cli: &mut Cli) -> Result<(), Failure> {
    let file = one_file(&mut parsed)?;
    let text = parsed.set.unwrap_or_default();
    let Some((index, value)) = text.split_once("] ") else {
        return Err(Usage::with_code(exit::SET_ARGUMENT, "Invalid --set format")
            .hint("write index and JSON value in one argument: --set '[\"port\"] 5432'")
            .into());
    };
    set::run(
        set::Arguments {
            file: Some(file),
            index: Some(format!("{index}]")),
            value: Some(value.into()),
            accept_recipients: parsed.accept_recipients,
            opening: parsed.shared.opening,
            input_type: parsed.shared.input_type,
            output_type: parsed.shared.output_type,
            services: parsed.shared.services,
            general: parsed.general,
            filename_override: parsed.shared.named.filename_override,
            legacy: true,
            ..set::Arguments::default()
        },
        cli,
    )
}

/// The one file of an action that cannot take more.
fn one_file(parsed: &mut Arguments) -> Result<PathBuf, Usage> {
    if parsed.files.len() > 1 {
        return Err(
            Usage::new("only one file can be edited at a time").hint("leaflock help lists the commands")
        );
    }
    files::required(parsed.files.pop())
}

/// SOPS's reading: the flags before the file count, the file, and nothing else.
fn only_first(leading: &Line, rest: &[OsString], cli: &mut Cli) -> Line {
    let (words, ignored) = rest.split_at(1.min(rest.len()));
    files::warn_of_ignored(ignored, &mut cli.output);
    Line { flags: leading.flags.clone(), words: words.to_vec(), ..Line::default() }
}

/// A first word that names no file and looks like a command was probably meant
/// to be one. SOPS opens an editor on a new file of that name.
fn refuse_mistyped_command(word: &str, cli: &Cli) -> Result<(), Failure> {
    if cli.mode == Mode::Sops || word.contains(['/', '\\', '.']) {
        return Ok(());
    }
    let words = Verb::all().map(Verb::word).chain(super::NOT_BUILT.iter().map(|(word, _)| *word));
    let Some(meant) = argv::closest(word, words) else { return Ok(()) };
    let there = wire::with_deps(&cli.env, |deps: &Deps<'_>| {
        Ok(matches!(deps.files.kind(word.as_ref()), Ok(Some(_))))
    })?;
    if there {
        return Ok(());
    }
    Err(Usage::with_code(exit::NO_FILE, format!("no command and no file is called {word:?}"))
        .hint(format!("did you mean `leaflock {meant}`?"))
        .hint(format!("to make a new file of that name: leaflock edit {word}"))
        .into())
}
