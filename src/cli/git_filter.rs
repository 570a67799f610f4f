//! `leaflock git clean` and `leaflock git smudge`, which git calls.

use std::path::PathBuf;

use clap::Parser;

use super::args::{General, InputType};
use super::argv::fields::{flags, words};
use super::report::Failure;
use super::{Cli, files, wire};
use crate::app::git_filter::{Request, Way, run as use_case};

/// Encrypt a file on its way into git (git calls this)
///
/// Reads the file from standard input and prints what git is to hold: the bytes that
/// it holds already where nothing changed, else the file encrypted by its creation
/// rule, with the ciphertext of all that did not change. What is encrypted already
/// is printed as it is. Asks nobody anything.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "git clean", override_usage = "leaflock git clean PATH", hide = true, after_help = CLEAN_EXAMPLES)]
pub struct Clean {
    /// The file, from the top of the work tree
    #[arg(value_name = "PATH")]
    pub file: Option<PathBuf>,
    /// General flags.
    #[command(flatten)]
    pub general: General,
}

flags!(Clean {} general);

words!(Clean, 1, file);

const CLEAN_EXAMPLES: &str = "\
Examples:
  leaflock git setup --filter
  leaflock git clean config/prod.yaml < config/prod.yaml";

/// Decrypt a file on its way out of git (git calls this)
///
/// Reads the file from standard input and prints its plaintext, or the file as it is
/// where no key opens it. Never fails, and asks nobody anything.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "git smudge", override_usage = "leaflock git smudge PATH", hide = true, after_help = SMUDGE_EXAMPLES)]
pub struct Smudge {
    /// The file, from the top of the work tree
    #[arg(value_name = "PATH")]
    pub file: Option<PathBuf>,
    /// General flags.
    #[command(flatten)]
    pub general: General,
}

flags!(Smudge {} general);

words!(Smudge, 1, file);

const SMUDGE_EXAMPLES: &str = "\
Examples:
  leaflock git setup --filter
  git show HEAD:config/prod.yaml | leaflock git smudge config/prod.yaml";

/// Filters a file on its way in.
pub fn clean(arguments: Clean, cli: &mut Cli) -> Result<(), Failure> {
    run(Way::Clean, arguments.file, arguments.general, cli)
}

/// Filters a file on its way out.
pub fn smudge(arguments: Smudge, cli: &mut Cli) -> Result<(), Failure> {
    run(Way::Smudge, arguments.file, arguments.general, cli)
}

fn run(way: Way, file: Option<PathBuf>, general: General, cli: &mut Cli) -> Result<(), Failure> {
    let path = files::required(file)?;
    let file = cli.file_options(general, InputType::default())?;
    wire::with_deps(&cli.env, |deps| {
        let (bytes, notices) = use_case(deps, &Request { way, path, file })?;
        cli.output.notices(&notices);
        cli.output.data(&bytes)
    })
}
