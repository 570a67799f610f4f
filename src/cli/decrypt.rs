//! `leaflock decrypt`.

use std::path::PathBuf;

use clap::Parser;

use super::args::{FilenameOverride, General, InputType, KeyServices, Opening, Output};
use super::argv::fields::{flags, words};
use super::report::{Failure, Usage};
use super::{Cli, Mode, args, files, wire};
use crate::app::decrypt::{OutputFormat, Request, run as use_case};
use crate::app::request::{Notice, OpenOptions, Source, Task, Together};
use crate::domain::store::Format;

/// Decrypt a file, or one value of it
///
/// Puts values and comments back exactly as they were. Prints to stdout unless
/// told otherwise. Without FILE, stdin is read, as binary unless --input-type or
/// --filename-override says what it is.
#[allow(rustdoc::broken_intra_doc_links, reason = "help texts show the index syntax, which looks like links")]
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "decrypt", override_usage = "leaflock decrypt [OPTIONS] [FILE]\n       leaflock decrypt -i [OPTIONS] FILE|DIRECTORY|PATTERN…", after_help = EXAMPLES)]
pub struct Arguments {
    /// The file to decrypt; with -i also several, directories and patterns
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The result's place.
    #[command(flatten)]
    pub output: Output,
    /// Only this value, for example '["database"]["password"]' or '["hosts"][0]'
    #[arg(long, value_name = "INDEX")]
    pub extract: Option<String>,
    /// Keys and MAC.
    #[command(flatten)]
    pub opening: Opening,
    /// Input format.
    #[command(flatten)]
    pub input_type: InputType,
    /// yaml, json, dotenv, ini, binary, or shell for export NAME='value' lines
    #[arg(long, value_name = "TYPE", help_heading = "Formats")]
    pub output_type: Option<String>,
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

flags!(Arguments { extract "extract" "", output_type "output-type" "" } output, opening, input_type, named, services, general);

words!(Arguments, usize::MAX, files);

const EXAMPLES: &str = "\
Examples:
  leaflock decrypt config/prod.yaml
  leaflock decrypt --extract '[\"database\"][\"password\"]' config/prod.yaml
  eval \"$(leaflock decrypt --output-type shell secrets.enc.env)\"";

/// Decrypts one file, or many in place.
pub fn run(arguments: Arguments, cli: &mut Cli) -> Result<(), Failure> {
    let mut notices = Vec::new();
    arguments.services.check(&cli.env)?;
    let destination = arguments.output.resolve()?;
    let file = args::file_options(
        arguments.general,
        arguments.input_type,
        arguments.named,
        cli.mode,
        &cli.env,
        &mut notices,
    )?;
    let request = Request {
        task: Task::single(Source::Stdin, file, destination),
        output_format: output_format(arguments.output_type, cli.mode, &mut notices)?,
        extract: args::non_empty(arguments.extract),
        open: arguments.opening.resolve(&cli.env)?,
        terminal: cli.output.stdout_is_terminal(),
    };
    cli.output.notices(&notices);
    wire::with_deps(&cli.env, |deps| {
        let on = (cli.mode, &mut cli.output);
        files::one_or_many(deps, arguments.files, request.task.clone(), "decrypted", on, &|task, _stdout| {
            let together = Together {
                paths: task.batch.clone(),
                input_format: task.file.input_format,
                ..Together::default()
            };
            let open = OpenOptions { together, ..request.open.clone() };
            use_case(deps, &Request { task, open, ..request.clone() })
        })
    })
}

/// The meaning of `--output-type`.
pub fn output_format(
    name: Option<String>,
    mode: Mode,
    notices: &mut Vec<Notice>,
) -> Result<Option<OutputFormat>, Usage> {
    let Some(name) = args::non_empty(name) else { return Ok(None) };
    if name == "shell" {
        return Ok(Some(OutputFormat::Shell));
    }
    match Format::of_name(&name) {
        Some(format) => Ok(Some(OutputFormat::File(format))),
        None => {
            let choices = "yaml, json, dotenv, ini, binary, shell";
            args::unknown_format("output-type", &name, choices, mode, notices).map(|()| None)
        }
    }
}
