//! `leaflock rotate`.

use std::path::PathBuf;

use clap::Parser;

use super::args::{
    FilenameOverride, General, InputType, KeyChanges, KeyServices, Opening, Output, OutputType,
};
use super::argv::fields::{flags, words};
use super::keychange::{Change, Many, Screen};
use super::report::{Failure, Usage};
use super::{Cli, args, files, wire};
use crate::app::derived::put;
use crate::app::error::Error;
use crate::app::rekey::{self, Rewritten};
use crate::app::request::{Destination, Done};
use crate::app::rotate::{self as use_case, Request};

/// Give a file a new data key
///
/// Every value is encrypted anew under fresh nonces, and the new data key goes to
/// the recipients of the file, without those of --rm-… and with those of --add-….
/// Prints to stdout unless told otherwise.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "rotate", override_usage = "leaflock rotate [OPTIONS] FILE\n       leaflock rotate -i [OPTIONS] FILE|DIRECTORY|PATTERN…\n       leaflock rotate -i [OPTIONS] --all\n       leaflock rotate --continue|--abort", after_help = EXAMPLES)]
pub struct Arguments {
    /// The file; with -i also several, directories and patterns
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The result's place.
    #[command(flatten)]
    pub output: Output,
    /// Keys that come and go.
    #[command(flatten)]
    pub changes: KeyChanges,
    /// Write the file although it has recipients that its rule does not list
    #[arg(long)]
    pub accept_recipients: bool,
    /// Context for --add-kms: key:value pairs, comma-separated
    #[arg(long, value_name = "PAIRS", hide_short_help = true)]
    pub encryption_context: Option<String>,
    /// Many files.
    #[command(flatten)]
    pub many: Many,
    /// Keys and MAC.
    #[command(flatten)]
    pub opening: Opening,
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
    /// General flags.
    #[command(flatten)]
    pub general: General,
    /// Set by the legacy form.
    #[arg(skip)]
    pub legacy: bool,
}

flags!(Arguments { accept_recipients "accept-recipients" "", encryption_context "encryption-context" "" }
    output, changes, many, opening, input_type, output_type, named, services, general);

words!(Arguments, usize::MAX, files);

const EXAMPLES: &str = "\
Examples:
  leaflock rotate -i config/prod.yaml
  leaflock rotate -i --rm-age age1… --add-age age1… config/prod.yaml
  leaflock rotate -i --all --dry-run";

/// Rotates one file, or many in place.
pub fn run(arguments: Arguments, cli: &mut Cli) -> Result<(), Failure> {
    let mut notices = Vec::new();
    arguments.services.check(&cli.env)?;
    let (files, many) = (arguments.files, arguments.many);
    let destination = arguments.output.resolve()?;
    let (general, input_type, named) = (arguments.general, arguments.input_type, arguments.named);
    let file = args::file_options(general, input_type, named, cli.mode, &cli.env, &mut notices)?;
    let output_type = arguments.output_type.output_type;
    let output_format = args::format("output-type", output_type, cli.mode, &mut notices)?;
    let (add, remove) = arguments.changes.resolve();
    let changes_keys = !add.is_empty() || !remove.is_empty();
    let request = Request {
        add,
        remove,
        context: args::encryption_context(arguments.encryption_context)?,
        output_format,
        strangers: args::strangers(arguments.accept_recipients, cli.mode),
    };
    let open = arguments.opening.resolve(&cli.env)?;
    cli.output.notices(&notices);
    let mode = cli.mode;
    let mut screen = Screen::new(&mut cli.output, &cli.env);
    let hint = if arguments.legacy { "`--kms` and `--pgp`" } else { "the `edit` subcommand" };
    wire::with_deps(&cli.env, |deps| {
        let change = Change { command: "rotate", many: &many, files: &files, file: &file, open: &open };
        if change.is_for_many(deps, mode) {
            if destination != Destination::InPlace && !many.dry_run && !many.go_on && !many.abort {
                return Err(Usage::new("several files need --in-place").hint("add -i").into());
            }
            return change.run(deps, &mut screen, &|path, notices| {
                use_case::plan(deps, path, &file, &request, notices)
            });
        }
        let path = files::required(files::only(files.clone(), mode, screen.output)?)?;
        let path = deps.files.absolute(&path).map_err(Error::Read)?;
        if deps.files.kind(&path).map_err(Error::Read)?.is_none() {
            return Err(missing(path, changes_keys.then_some(hint), arguments.legacy).into());
        }
        let mut notices = Vec::new();
        let plan = use_case::plan(deps, &path, &file, &request, &mut notices);
        screen.output.notices(&notices);
        let Rewritten { input, bytes, mut notices, data_key } = rekey::rewrite(deps, &plan?, &file, &open)?;
        let key = Some(&data_key);
        let done = put::deliver(deps, &destination, &input, bytes, key, &mut notices)?;
        screen.output.notices(&notices);
        match done {
            Done::Returned(bytes) => screen.output.data(&bytes),
            _ => Ok(()),
        }
    })
}

/// The error for a file that does not exist: SOPS has three.
fn missing(path: PathBuf, keys: Option<&'static str>, legacy: bool) -> Error {
    use crate::app::ports::{FileError, FileErrorKind};
    match keys {
        Some(hint) => Error::KeysOfNoFile { path, hint },
        None if legacy => Error::NoSuchFile(path),
        None => Error::Read(FileError {
            action: "open",
            path,
            kind: FileErrorKind::NotFound,
            reason: "no such file or directory".to_owned(),
        }),
    }
}
