//! `leaflock edit`, also plain `leaflock FILE`.

use std::path::PathBuf;

use clap::Parser;

use super::args::{FilenameOverride, General, InputType, KeyServices, Keys, Opening, OutputType, Rules};
use super::argv::fields::{flags, words};
use super::report::Failure;
use super::{Cli, Mode, args, files, wire};
use crate::app::edit::{Request, run as use_case};

/// Edit an encrypted file in your editor
///
/// Opens the plaintext in SOPS_EDITOR, EDITOR, or the first of vim, nano and vi,
/// and encrypts again what was changed; all other ciphertext stays as it is. The
/// plaintext lives in a private folder, in memory where the system has one. A
/// file that does not exist is made from a sample.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "edit", override_usage = "leaflock edit [OPTIONS] FILE\n       leaflock FILE", after_help = EXAMPLES)]
pub struct Arguments {
    /// The file to edit
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Show the sops block as well
    #[arg(short, long)]
    pub show_master_keys: bool,
    /// Encrypt a new file even if the rule selects no value
    #[arg(long)]
    pub allow_unencrypted: bool,
    /// Write the file although it has recipients that its rule does not list
    #[arg(long)]
    pub accept_recipients: bool,
    /// Keys and MAC.
    #[command(flatten)]
    pub opening: Opening,
    /// Master keys of a new file.
    #[command(flatten)]
    pub keys: Keys,
    /// Selection rules of a new file.
    #[command(flatten)]
    pub rules: Rules,
    /// Input format.
    #[command(flatten)]
    pub input_type: InputType,
    /// Output format.
    #[command(flatten)]
    pub output_type: OutputType,
    /// Key services.
    #[command(flatten)]
    pub services: KeyServices,
    /// General flags.
    #[command(flatten)]
    pub general: General,
    /// Another name (legacy form).
    #[arg(skip)]
    pub filename_override: Option<PathBuf>,
    /// Set by the legacy form.
    #[arg(skip)]
    pub legacy: bool,
}

flags!(Arguments { show_master_keys "show-master-keys" "s", accept_recipients "accept-recipients" "", allow_unencrypted "allow-unencrypted" "" } opening, keys, rules, input_type, output_type, services, general);

words!(Arguments, 1, file);

const EXAMPLES: &str = "\
Examples:
  leaflock edit config/prod.yaml
  leaflock config/prod.yaml
  EDITOR='code --wait' leaflock edit secrets.env";

/// Runs one editing session.
pub fn run(arguments: Arguments, cli: &mut Cli) -> Result<(), Failure> {
    let mut notices = Vec::new();
    let path = files::required(arguments.file)?;
    arguments.services.check(&cli.env)?;
    let named = FilenameOverride { filename_override: arguments.filename_override };
    let mut rules = arguments.rules.resolve(cli.mode, arguments.allow_unencrypted);
    rules.needs_creation_rule = arguments.legacy && cli.mode == Mode::Sops;
    let output_type = arguments.output_type.output_type;
    let request = Request {
        path,
        file: args::file_options(
            arguments.general,
            arguments.input_type,
            named,
            cli.mode,
            &cli.env,
            &mut notices,
        )?,
        output_format: args::format("output-type", output_type, cli.mode, &mut notices)?,
        open: arguments.opening.resolve(&cli.env)?,
        keys: arguments.keys.resolve(&cli.env)?,
        rules,
        show_master_keys: arguments.show_master_keys,
        strangers: args::strangers(arguments.accept_recipients, cli.mode),
    };
    cli.output.notices(&notices);
    wire::with_deps(&cli.env, |deps| {
        let outcome = use_case(deps, &request)?;
        cli.output.notices(&outcome.notices);
        Ok(())
    })
}
