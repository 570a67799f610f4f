//! `leaflock redact`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Parser;

use super::args::Reading;
use super::argv::fields::{flags, words};
use super::report::Failure;
use super::{Cli, run, wire};
use crate::app::redact::{self, Request, prepare};
use crate::app::request::Source;

/// Replace secrets in a text by their paths
///
/// Copies FILE, or standard input, to standard output; each value of the encrypted
/// files becomes `[REDACTED:<path>]`: as it is, and JSON-, shell-, percent- or
/// HTML-escaped, in hex, base64 or UTF-16. Everything else stays as it is, and is
/// passed on as it comes. Values of fewer than 6 bytes stay; they are named first.
///
/// This is no boundary: a value that is written backwards passes.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "redact", override_usage = "leaflock redact [OPTIONS] [FILE…]", after_help = EXAMPLES)]
pub struct Arguments {
    /// The texts, one after the other [default: standard input]
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The encrypted files whose values are looked for [default: all of the repository that open here]
    #[arg(long, value_name = "FILE")]
    pub with: Vec<PathBuf>,
    /// Look for what the policy grants this principal, in the files made for it; --with names sources
    #[arg(long, value_name = "NAME")]
    pub agent: Option<String>,
    /// Only the values at or below these paths, comma-separated
    #[arg(long, value_name = "PATHS")]
    pub only: Vec<String>,
    /// Print JSON if it fails before the first text is read
    #[arg(long)]
    pub json: bool,
    /// How the encrypted files are read.
    #[command(flatten)]
    pub reading: Reading,
}

flags!(Arguments { with "with" "", agent "agent" "", only "only" "", json "json" "" } reading);

words!(Arguments, usize::MAX, files);

const EXAMPLES: &str = "\
Examples:
  ./deploy 2>&1 | leaflock redact | tee deploy.log
  leaflock redact --with secrets/prod.yaml build.log > clean.log
  leaflock redact --only database core.txt
  agent-task 2>&1 | leaflock redact --agent ops/deploy";

/// True if a failure is to be told as the commands for agents tell theirs.
pub fn answers(rest: &[OsString]) -> bool {
    let flags = rest.iter().take_while(|word| *word != "--").filter_map(|word| word.to_str());
    run::agent::is_asked(rest)
        || flags.filter(|word| word.starts_with('-')).any(|word| word.ends_with("-json"))
}

/// Prints the texts without the secrets.
pub fn run(arguments: Arguments, cli: &mut Cli) -> Result<(), Failure> {
    let mut notices = Vec::new();
    let (file, open) = arguments.reading.resolve(cli.mode, &cli.env, &mut notices)?;
    let request = Request { with: arguments.with, agent: arguments.agent, only: arguments.only, file, open };
    let sources: Vec<Source> = match arguments.files.is_empty() {
        true => vec![Source::Stdin],
        false => arguments.files.into_iter().map(Source::File).collect(),
    };
    wire::with_deps(&cli.env, |deps| {
        let prepared = prepare(deps, &request)?;
        // From here on standard output has the texts, and no answer of ours.
        cli.output.hold_notices(false);
        cli.output.notices(&notices);
        cli.output.notices(&prepared.notices);
        for source in &sources {
            let mut failed = None;
            redact::run(deps, &prepared.patterns, source, &mut |bytes| {
                failed = cli.output.data(bytes).err();
                failed.is_none()
            })?;
            if let Some(failure) = failed {
                return Err(failure);
            }
        }
        Ok(())
    })
}
