//! `leaflock unset`.

use std::path::PathBuf;

use clap::Parser;

use super::args::{FilenameOverride, General, InputType, KeyServices, Opening, OutputType};
use super::argv::fields::{flags, words};
use super::report::{Failure, Usage};
use super::{Cli, args, exit, wire};
use crate::app::unset::{Request, run as use_case};

/// Remove one value from an encrypted file
///
/// Removes the value with its key; no other line changes but the MAC's.
#[allow(rustdoc::broken_intra_doc_links, reason = "help texts show the index syntax, which looks like links")]
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "unset", override_usage = "leaflock unset [OPTIONS] FILE INDEX", after_help = EXAMPLES)]
pub struct Arguments {
    /// The file to change
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Which value, for example '["database"]["password"]' or '["hosts"][0]'
    #[arg(value_name = "INDEX")]
    pub index: Option<String>,
    /// Succeed if there is no such value
    #[arg(long)]
    pub idempotent: bool,
    /// Keys and MAC.
    #[command(flatten)]
    pub opening: Opening,
    /// Input format.
    #[command(flatten)]
    pub input_type: InputType,
    /// Output format.
    #[command(flatten)]
    pub output_type: OutputType,
    /// Accepted for sops, without effect
    #[arg(long, value_name = "N", hide = true)]
    pub shamir_secret_sharing_threshold: Option<i64>,
    /// Key services.
    #[command(flatten)]
    pub services: KeyServices,
    /// General flags.
    #[command(flatten)]
    pub general: General,
}

flags!(Arguments { idempotent "idempotent" "", shamir_secret_sharing_threshold "shamir-secret-sharing-threshold" "" } opening, input_type, output_type, services, general);

words!(Arguments, 2, file, index);

const EXAMPLES: &str = "\
Examples:
  leaflock unset config/prod.yaml '[\"database\"][\"password\"]'
  leaflock unset --idempotent config/prod.yaml '[\"hosts\"][2]'";

/// Removes one value.
pub fn run(arguments: Arguments, cli: &mut Cli) -> Result<(), Failure> {
    let mut notices = Vec::new();
    let (Some(path), Some(index)) = (arguments.file, arguments.index) else {
        return Err(missing().into());
    };
    arguments.services.check(&cli.env)?;
    let output_type = arguments.output_type.output_type;
    let request = Request {
        path,
        file: args::file_options(
            arguments.general,
            arguments.input_type,
            FilenameOverride::default(),
            cli.mode,
            &cli.env,
            &mut notices,
        )?,
        output_format: args::format("output-type", output_type, cli.mode, &mut notices)?,
        index,
        open: arguments.opening.resolve(&cli.env)?,
        idempotent: arguments.idempotent,
    };
    cli.output.notices(&notices);
    wire::with_deps(&cli.env, |deps| {
        let outcome = use_case(deps, &request)?;
        cli.output.notices(&outcome.notices);
        Ok(())
    })
}

/// The error for a wrong number of words (exit 100).
pub fn missing() -> Usage {
    Usage::with_code(exit::NO_FILE, "Error: no file specified, or index is missing")
        .hint("leaflock unset FILE INDEX, for example: leaflock unset secrets.yaml '[\"port\"]'")
}
