//! `leaflock encrypt`.

use std::path::PathBuf;

use clap::Parser;

use super::args::{FilenameOverride, General, InputType, KeyServices, Keys, Output, OutputType, Rules};
use super::argv::fields::{flags, words};
use super::report::{Failure, Usage};
use super::{Cli, Mode, args, exit, files, wire};
use crate::app::batch;
use crate::app::encrypt::{Request, run as use_case};
use crate::app::request::{Destination, Source, Task};
use crate::app::reuse::Onto;

/// Encrypt a file
///
/// Replaces the values and comments of a YAML, JSON, dotenv or INI file by
/// ciphertext and leaves every other byte as it is; any other file becomes one
/// encrypted value. The keys come from the first rule of .sops.yaml that matches
/// the file, or from --age. Without FILE, stdin is read.
///
/// Where git's index or HEAD holds the file encrypted for the same keys, by the same
/// rule, whatever did not change keeps its ciphertext: nothing changed, no diff. That
/// takes an identity which needs no passphrase, plugin or card; else the file is
/// encrypted anew, and a note says why.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "encrypt", override_usage = "leaflock encrypt [OPTIONS] [FILE]\n       leaflock encrypt -i [OPTIONS] FILE|DIRECTORY|PATTERN…", after_help = EXAMPLES)]
pub struct Arguments {
    /// The file to encrypt; with -i also several, directories and patterns
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The result's place.
    #[command(flatten)]
    pub output: Output,
    /// Encrypt even if the rule selects no value, which leaves all of it readable
    #[arg(long)]
    pub allow_unencrypted: bool,
    /// Encrypt everything anew: git is not asked for a former version to build on
    #[arg(long)]
    pub fresh: bool,
    /// Build on this encrypted file instead of git's version
    #[arg(long, value_name = "FILE")]
    pub onto: Option<PathBuf>,
    /// Add a seal over everything, comments, key names and recipients included
    #[arg(long)]
    pub seal: bool,
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
    /// General flags.
    #[command(flatten)]
    pub general: General,
    /// Set by the legacy form.
    #[arg(skip)]
    pub legacy: bool,
}

flags!(Arguments { allow_unencrypted "allow-unencrypted" "", fresh "fresh" "", onto "onto" "", seal "seal" "" } output, keys, rules, input_type, output_type, named, services, general);

words!(Arguments, usize::MAX, files);

const EXAMPLES: &str = "\
Examples:
  leaflock encrypt -i config/prod.yaml
  leaflock encrypt --age age1… secrets.env > secrets.enc.env
  leaflock encrypt -i 'deploy/**/secret.yaml' config/
  leaflock encrypt --onto secrets.enc.yaml --output secrets.enc.yaml secrets.yaml";

/// Encrypts one file, or many in place.
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
    let mut rules = arguments.rules.resolve(cli.mode, arguments.allow_unencrypted);
    rules.needs_creation_rule = arguments.legacy && cli.mode == Mode::Sops;
    rules.seal = arguments.seal;
    let output_format =
        args::format("output-type", arguments.output_type.output_type, cli.mode, &mut notices)?;
    let keys = arguments.keys.resolve(&cli.env)?;
    let onto = onto(arguments.fresh, arguments.onto, cli.mode)?;
    let task = Task::single(Source::Stdin, file, destination);
    if arguments.files.is_empty() {
        check_stdin(&task)?;
    }
    let request = Request { task, output_format, keys, rules, onto };
    cli.output.notices(&notices);
    wire::with_deps(&cli.env, |deps| {
        if matches!(request.onto, Onto::File(_)) && batch::is_batch(deps.files, &arguments.files) {
            return Err(Usage::new("--onto is for one file").hint("call the command once a file").into());
        }
        let on = (cli.mode, &mut cli.output);
        files::one_or_many(deps, arguments.files, request.task.clone(), "encrypted", on, &|task, stdout| {
            use_case(deps, &Request { task, ..request.clone() }, stdout)
        })
    })
}

/// The former state to build on. Under the name sops everything is encrypted anew, as
/// sops does.
fn onto(fresh: bool, onto: Option<PathBuf>, mode: Mode) -> Result<Onto, Usage> {
    match onto.filter(|path| !path.as_os_str().is_empty()) {
        Some(_) if fresh => {
            let message = "Error: cannot operate on both --fresh and --onto";
            Err(Usage::with_code(exit::CONFLICT, message).hint("leave one of them out"))
        }
        Some(path) => Ok(Onto::File(path)),
        None if fresh || mode == Mode::Sops => Ok(Onto::Nothing),
        None => Ok(Onto::Git),
    }
}

/// Refuses standard input where its format cannot be known.
fn check_stdin(task: &Task) -> Result<(), Usage> {
    if task.destination != Destination::InPlace && task.file.filename_override.is_none() {
        let message = "Error: must specify --filename-override when reading from stdin";
        return Err(Usage::with_code(exit::CONFLICT, message)
            .hint("the name picks the format and the rule, for example --filename-override secrets.yaml"));
    }
    Ok(())
}
