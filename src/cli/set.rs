//! `leaflock set`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Parser;

use super::args::{FilenameOverride, General, InputType, KeyServices, Opening, OutputType};
use super::argv::fields::{flags, words};
use super::report::{Failure, Usage};
use super::{Cli, Mode, args, exit, wire};
use crate::app::request::Source;
use crate::app::set::{NewValue, Request, run as use_case};
use crate::domain::secret::SecretBytes;

/// Set one value of an encrypted file
///
/// VALUE is JSON: '"text"', 5432, true or a whole object. Only that value's line
/// and the MAC change. Values on the command line can be seen by other users of
/// the machine while the command runs: --value-stdin and --value-file avoid that.
#[allow(rustdoc::broken_intra_doc_links, reason = "help texts show the index syntax, which looks like links")]
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "set", override_usage = "leaflock set [OPTIONS] FILE INDEX VALUE\n       leaflock set --value-stdin [OPTIONS] FILE INDEX", after_help = EXAMPLES)]
pub struct Arguments {
    /// The file to change
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Which value, for example '["database"]["password"]' or '["hosts"][0]'
    #[arg(value_name = "INDEX")]
    pub index: Option<String>,
    /// The new value as JSON, or a file that holds it with --value-file
    #[arg(value_name = "VALUE", allow_hyphen_values = true)]
    pub value: Option<OsString>,
    /// VALUE is the path of a file that holds the value
    #[arg(long)]
    pub value_file: bool,
    /// Read the value from stdin
    #[arg(long)]
    pub value_stdin: bool,
    /// Leave the file alone if the value is equal already
    #[arg(long)]
    pub idempotent: bool,
    /// Write the file although it has recipients that its rule does not list
    #[arg(long)]
    pub accept_recipients: bool,
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
    /// Another name (legacy form).
    #[arg(skip)]
    pub filename_override: Option<PathBuf>,
    /// Set by the legacy form.
    #[arg(skip)]
    pub legacy: bool,
}

flags!(Arguments { value_file "value-file" "", value_stdin "value-stdin" "", idempotent "idempotent" "", accept_recipients "accept-recipients" "",
    shamir_secret_sharing_threshold "shamir-secret-sharing-threshold" "" } opening, input_type, output_type, services, general);

words!(Arguments, 3, file, index, value);

const EXAMPLES: &str = "\
Examples:
  leaflock set config/prod.yaml '[\"database\"][\"port\"]' 5432
  leaflock set config/prod.yaml '[\"hosts\"][0]' '\"db.example.org\"'
  jq -R . password.txt | leaflock set --value-stdin config/prod.yaml '[\"password\"]'";

/// Sets one value.
pub fn run(arguments: Arguments, cli: &mut Cli) -> Result<(), Failure> {
    let mut notices = Vec::new();
    let (path, index, value) = positionals(
        arguments.file,
        arguments.index,
        arguments.value,
        arguments.value_file,
        arguments.value_stdin,
    )?;
    arguments.services.check(&cli.env)?;
    let named = FilenameOverride { filename_override: arguments.filename_override };
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
        index,
        value,
        open: arguments.opening.resolve(&cli.env)?,
        idempotent: arguments.idempotent,
        strangers: args::strangers(arguments.accept_recipients, cli.mode),
        legacy: arguments.legacy,
        needs_creation_rule: arguments.legacy && cli.mode == Mode::Sops,
    };
    cli.output.notices(&notices);
    wire::with_deps(&cli.env, |deps| {
        let outcome = use_case(deps, &request)?;
        cli.output.notices(&outcome.notices);
        Ok(())
    })
}

/// What three words are wanted for.
pub const VALUE_MISSING: &str = "Need precisely 3 positional arguments.";
/// What two words are wanted for.
const STDIN_VALUE: &str = "Need precisely 2 positional arguments since --value-stdin is used.";

/// The error for a wrong number of words (exit 100).
pub fn missing(need: &str) -> Usage {
    let message = format!("Error: no file specified, or index and value are missing. {need}");
    Usage::with_code(exit::NO_FILE, message)
        .hint("leaflock set FILE INDEX VALUE, for example: leaflock set secrets.yaml '[\"port\"]' 5432")
}

/// File, index and value, in whichever way the value is given.
fn positionals(
    file: Option<PathBuf>,
    index: Option<String>,
    value: Option<OsString>,
    from_file: bool,
    from_stdin: bool,
) -> Result<(PathBuf, String, NewValue), Usage> {
    if from_file && from_stdin {
        return Err(Usage::new("Error: cannot use both --value-file and --value-stdin"));
    }
    match (file, index, value) {
        (Some(_), Some(_), Some(_)) if from_stdin => Err(missing(STDIN_VALUE)),
        (Some(file), Some(index), None) if from_stdin => Ok((file, index, NewValue::Source(Source::Stdin))),
        (Some(file), Some(index), Some(value)) if from_file => {
            Ok((file, index, NewValue::Source(Source::File(value.into()))))
        }
        (Some(file), Some(index), Some(value)) => {
            Ok((file, index, NewValue::Json(SecretBytes::new(value.into_encoded_bytes()))))
        }
        _ if from_stdin => Err(missing(STDIN_VALUE)),
        _ => Err(missing(VALUE_MISSING)),
    }
}
