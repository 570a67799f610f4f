//! `leaflock groups add` and `leaflock groups delete`.

use std::path::PathBuf;

use clap::Parser;

use super::args::Reading;
use super::argv::fields::{flags, words};
use super::keychange::{Change, Many, Screen};
use super::report::{Failure, Usage};
use super::{Cli, Mode, args, files, wire};
use crate::app::derived::put;
use crate::app::groups::{self as use_case, Action, Request};
use crate::app::rekey::{self, Rewritten};
use crate::app::request::{Destination, Done};
use crate::domain::keys::kinds::KeyKind;

/// What both have.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Shared {
    /// The file, as sops names it
    #[arg(short, long = "file", value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Write the result back to the file
    #[arg(short, long)]
    pub in_place: bool,
    /// Key groups that must come together to decrypt
    #[arg(long, value_name = "N")]
    pub shamir_secret_sharing_threshold: Option<i64>,
    /// Many files.
    #[command(flatten)]
    pub many: Many,
    /// How the files are read.
    #[command(flatten)]
    pub reading: Reading,
}

flags!(Shared {
    file "file" "f", in_place "in-place" "i",
    shamir_secret_sharing_threshold "shamir-secret-sharing-threshold" ""
} many, reading);

/// Add a key group to a file
///
/// The data key is split anew, one share a group. Prints to stdout unless told
/// otherwise.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "groups add", override_usage = "leaflock groups add [OPTIONS] --age RECIPIENT FILE\n       leaflock groups add -i [OPTIONS] --age RECIPIENT FILE|DIRECTORY|PATTERN…", after_help = ADD_EXAMPLES)]
pub struct Add {
    /// The file; with -i also several, directories and patterns
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// An age recipient of the new group; repeatable, as the other keys are
    #[arg(long, value_name = "RECIPIENT")]
    pub age: Vec<String>,
    /// A PGP fingerprint
    #[arg(long, value_name = "FINGERPRINT")]
    pub pgp: Vec<String>,
    /// An AWS KMS key
    #[arg(long, value_name = "ARN", hide_short_help = true)]
    pub kms: Vec<String>,
    /// A GCP KMS key
    #[arg(long, value_name = "ID", hide_short_help = true)]
    pub gcp_kms: Vec<String>,
    /// A Huawei Cloud KMS key
    #[arg(long, value_name = "ID", hide_short_help = true)]
    pub hckms: Vec<String>,
    /// An Azure Key Vault key
    #[arg(long, value_name = "URL", hide_short_help = true)]
    pub azure_kv: Vec<String>,
    /// A Vault transit key
    #[arg(long, value_name = "URI", hide_short_help = true)]
    pub hc_vault_transit: Vec<String>,
    /// AWS profile for --kms
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub aws_profile: Option<String>,
    /// Context for --kms: key:value pairs, comma-separated
    #[arg(long, value_name = "PAIRS", hide_short_help = true)]
    pub encryption_context: Option<String>,
    /// What both commands have.
    #[command(flatten)]
    pub shared: Shared,
}

flags!(Add {
    age "age" "", pgp "pgp" "", kms "kms" "", gcp_kms "gcp-kms" "", hckms "hckms" "", azure_kv "azure-kv" "",
    hc_vault_transit "hc-vault-transit" "", aws_profile "aws-profile" "", encryption_context "encryption-context" ""
} shared);

words!(Add, usize::MAX, files);

const ADD_EXAMPLES: &str = "\
Examples:
  leaflock groups add -i --age age1… config/prod.yaml
  leaflock groups add --file config/prod.yaml --pgp FINGERPRINT";

/// Delete a key group of a file
///
/// INDEX counts from 0. What is left gets a new data key, so that the keys of the
/// group are of no use any more. Prints to stdout unless told otherwise.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "groups delete", override_usage = "leaflock groups delete [OPTIONS] INDEX FILE\n       leaflock groups delete -i [OPTIONS] INDEX FILE|DIRECTORY|PATTERN…", after_help = DELETE_EXAMPLES)]
pub struct Delete {
    /// Which group
    #[arg(value_name = "INDEX")]
    pub index: Option<String>,
    /// The file; with -i also several, directories and patterns
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// What both commands have.
    #[command(flatten)]
    pub shared: Shared,
}

flags!(Delete {} shared);

words!(Delete, usize::MAX, index, files);

const DELETE_EXAMPLES: &str = "\
Examples:
  leaflock groups delete -i --shamir-secret-sharing-threshold 2 1 config/prod.yaml
  leaflock groups delete --file config/prod.yaml 0";

/// Adds a group.
pub fn add(arguments: Add, cli: &mut Cli) -> Result<(), Failure> {
    let lists = [
        (KeyKind::Kms, arguments.kms),
        (KeyKind::GcpKms, arguments.gcp_kms),
        (KeyKind::Hckms, arguments.hckms),
        (KeyKind::AzureKv, arguments.azure_kv),
        (KeyKind::Pgp, arguments.pgp),
        (KeyKind::HcVault, arguments.hc_vault_transit),
        (KeyKind::Age, arguments.age),
    ];
    let named: Vec<(KeyKind, String)> =
        lists.into_iter().flat_map(|(kind, list)| list.into_iter().map(move |key| (kind, key))).collect();
    let context = args::encryption_context(arguments.encryption_context)?;
    let profile = arguments.aws_profile.unwrap_or_default();
    let settled = arguments.shared.many.go_on || arguments.shared.many.abort;
    let keys = if settled { Vec::new() } else { use_case::keys(&named, &context, &profile)? };
    run(Action::Add(keys), arguments.files, arguments.shared, cli)
}

/// Deletes a group.
pub fn delete(arguments: Delete, cli: &mut Cli) -> Result<(), Failure> {
    let settled = arguments.shared.many.go_on || arguments.shared.many.abort;
    let index = match (&arguments.index, settled) {
        (_, true) => 0,
        (Some(index), false) => index.parse().map_err(|_| {
            let message = format!("failed to parse [index] argument: {index:?} is no number");
            Usage::new(message).hint("groups are counted from 0")
        })?,
        (None, false) => {
            return Err(Usage::new("error: exactly one positional argument (index) required")
                .hint("leaflock groups delete INDEX FILE")
                .into());
        }
    };
    run(Action::Delete(index), arguments.files, arguments.shared, cli)
}

fn run(action: Action, words: Vec<PathBuf>, shared: Shared, cli: &mut Cli) -> Result<(), Failure> {
    let mut notices = Vec::new();
    let command = if matches!(action, Action::Add(_)) { "groups add" } else { "groups delete" };
    let files: Vec<PathBuf> = shared.file.into_iter().chain(words).collect();
    let many = &shared.many;
    let threshold = shared.shamir_secret_sharing_threshold.filter(|threshold| *threshold != 0);
    let threshold = threshold
        .map(usize::try_from)
        .transpose()
        .map_err(|_| Usage::new("--shamir-secret-sharing-threshold is a number of groups"))?;
    let (file, open) = shared.reading.resolve(cli.mode, &cli.env, &mut notices)?;
    // SOPS never makes a new data key here.
    let request = Request { action, threshold, keep_data_key: many.keep_data_key || cli.mode == Mode::Sops };
    cli.output.notices(&notices);
    let mode = cli.mode;
    let mut screen = Screen::new(&mut cli.output, &cli.env);
    wire::with_deps(&cli.env, |deps| {
        let change = Change { command, many, files: &files, file: &file, open: &open };
        if change.is_for_many(deps, mode) {
            if !shared.in_place && !many.dry_run && !many.go_on && !many.abort {
                return Err(Usage::new("several files need --in-place").hint("add -i").into());
            }
            return change.run(deps, &mut screen, &|path, _| use_case::plan(deps, path, &file, &request));
        }
        let path = files::required(files::only(files.clone(), mode, screen.output)?)?;
        let plan = use_case::plan(deps, &path, &file, &request)?;
        let Rewritten { input, bytes, mut notices, data_key } = rekey::rewrite(deps, &plan, &file, &open)?;
        let destination = if shared.in_place { Destination::InPlace } else { Destination::Stdout };
        let key = Some(&data_key);
        let done = put::deliver(deps, &destination, &input, bytes, key, &mut notices)?;
        screen.output.notices(&notices);
        match done {
            Done::Returned(bytes) => screen.output.data(&bytes),
            _ => Ok(()),
        }
    })
}
