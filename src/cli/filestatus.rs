//! `leaflock filestatus`.

use std::path::PathBuf;

use clap::Parser;

use super::args::{General, InputType};
use super::argv::fields::{flags, words};
use super::output::Output;
use super::report::Failure;
use super::{Cli, Mode, exit, files, wire};
use crate::app::batch::{self, Finished};
use crate::app::filestatus::{self as use_case, Request};
use crate::app::rekey_batch;

/// Tell whether a file is encrypted
///
/// Prints {"encrypted":true} or {"encrypted":false}; for several files one line
/// each, with the file's path. Needs no key.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "filestatus", override_usage = "leaflock filestatus [OPTIONS] FILE|DIRECTORY|PATTERN…\n       leaflock filestatus [OPTIONS] --all", after_help = EXAMPLES)]
pub struct Arguments {
    /// The files to look at
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Every file that git tracks here
    #[arg(long)]
    pub all: bool,
    /// Input format.
    #[command(flatten)]
    pub input_type: InputType,
    /// General flags.
    #[command(flatten)]
    pub general: General,
}

flags!(Arguments { all "all" "" } input_type, general);

words!(Arguments, usize::MAX, files);

const EXAMPLES: &str = "\
Examples:
  leaflock filestatus config/prod.yaml
  leaflock filestatus --input-type json config/prod.conf
  leaflock filestatus --all";

/// Looks at one file, or at many.
pub fn run(arguments: Arguments, cli: &mut Cli) -> Result<(), Failure> {
    let file = cli.file_options(arguments.general, arguments.input_type)?;
    let (files, all, mode) = (arguments.files, arguments.all, cli.mode);
    let output = &mut cli.output;
    wire::with_deps(&cli.env, |deps| {
        if all || (mode == Mode::Leaflock && batch::is_batch(deps.files, &files)) {
            let mut items = if all { rekey_batch::all(deps)? } else { Vec::new() };
            items.extend(batch::expand(deps.files, &files)?);
            return many(use_case::each(deps, items, &file), output);
        }
        let path = files::required(files::only(files, mode, output)?)?;
        let outcome = use_case::run(deps, &Request { path, file })?;
        output.notices(&outcome.notices);
        output.text(&format!("{{\"encrypted\":{}}}\n", outcome.encrypted))
    })
}

/// One line a file; those that cannot be looked at are listed on stderr.
fn many(finished: Vec<Finished<bool>>, output: &mut Output) -> Result<(), Failure> {
    let mut worst = None;
    for Finished { item, result } in finished {
        match result {
            Ok(encrypted) => {
                let line = serde_json::json!({ "path": item.path.to_string_lossy(), "encrypted": encrypted });
                output.text(&format!("{line}\n"))?;
            }
            Err(error) => {
                worst = worst.max(Some(exit::of_error(&error)));
                output.talk(&files::failure(&item.path, &error));
            }
        }
    }
    worst.map_or(Ok(()), |code| Err(Failure::Batch { code }))
}
