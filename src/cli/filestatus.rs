//! `leaflock filestatus`.

use std::path::PathBuf;

use clap::Parser;

use super::args::{FilenameOverride, General, InputType};
use super::argv::fields::{flags, words};
use super::report::Failure;
use super::{Cli, args, files, wire};
use crate::app::filestatus::{Request, run as use_case};

/// Tell whether a file is encrypted
///
/// Prints {"encrypted":true} or {"encrypted":false}. Needs no key.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "filestatus", override_usage = "leaflock filestatus [OPTIONS] FILE", after_help = EXAMPLES)]
pub struct Arguments {
    /// The file to look at
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Input format.
    #[command(flatten)]
    pub input_type: InputType,
    /// General flags.
    #[command(flatten)]
    pub general: General,
}

flags!(Arguments {  } input_type, general);

words!(Arguments, 1, file);

const EXAMPLES: &str = "\
Examples:
  leaflock filestatus config/prod.yaml
  leaflock filestatus --input-type json config/prod.conf";

/// Looks at one file.
pub fn run(arguments: Arguments, cli: &mut Cli) -> Result<(), Failure> {
    let mut notices = Vec::new();
    let path = files::required(arguments.file)?;
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
    };
    cli.output.notices(&notices);
    wire::with_deps(&cli.env, |deps| {
        let outcome = use_case(deps, &request)?;
        cli.output.notices(&outcome.notices);
        cli.output.text(&format!("{{\"encrypted\":{}}}\n", outcome.encrypted))
    })
}
