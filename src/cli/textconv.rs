//! `leaflock textconv`.

use std::path::PathBuf;

use clap::Parser;

use super::argv::fields::{flags, words};
use super::report::Failure;
use super::{Cli, files, wire};
use crate::app::textconv::run as use_case;

/// Show a file as text, for git's diff, log, show and blame
///
/// Prints an encrypted file decrypted, its recipients and its rule as comments
/// behind it; without a key, with a placeholder for each value that changes when
/// its ciphertext does; any other file as it is. Whatever the file holds, it
/// succeeds, and nobody is asked anything. `leaflock diff` asks.
///
/// The driver for git, which `leaflock git setup` writes, is:
///   git config diff.leaflock.textconv 'leaflock textconv'
///   echo '*.enc.yaml diff=leaflock' >> .gitattributes
/// Called as `leaflock-textconv`, by a symbolic link, the program is the driver alone:
/// git needs no shell for that name.
/// Do not set diff.leaflock.cachetextconv: it would store plaintext in git.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "textconv", override_usage = "leaflock textconv FILE", after_help = EXAMPLES)]
pub struct Arguments {
    /// The file
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
}

flags!(Arguments {});

words!(Arguments, 1, file);

const EXAMPLES: &str = "\
Examples:
  leaflock textconv secrets.yaml
  git -c diff.leaflock.textconv='leaflock textconv' log -p secrets.yaml";

/// Prints the text.
pub fn run(arguments: Arguments, cli: &mut Cli) -> Result<(), Failure> {
    let path = files::required(arguments.file)?;
    wire::with_deps(&cli.env, |deps| {
        let text = use_case(deps, &path)?;
        cli.output.data(&text)
    })
}
