//! `leaflock schema`.

use std::path::PathBuf;

use clap::Parser;
use serde_json::json;

use super::argv::fields::{flags, words};
use super::envelope::Answer;
use super::report::Failure;
use super::{Cli, args, decisions, wire};
use crate::app::schema::{Request, Shape, run as use_case};
use crate::domain::agent::pattern::show_path;

/// Show the types of secrets
///
/// Prints for every secret its type (str, int, float, bool, time, bytes, null), how
/// many values a list has, whether it is empty, and whether the file shows it in
/// clear. Needs no key: encrypted files show types to everybody. Lengths are not
/// told. The type stands outside of what a MAC protects: it is what the file says.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "schema", override_usage = "leaflock schema [OPTIONS] [PATH]", after_help = EXAMPLES)]
pub struct Arguments {
    /// Only secrets at and below this path; wildcards as in policies
    #[arg(value_name = "PATH")]
    pub path: Option<String>,
    /// Only those of this file
    #[arg(long, value_name = "SOURCE")]
    pub file: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

flags!(Arguments { file "file" "", json "json" "" });

words!(Arguments, 1, path);

const EXAMPLES: &str = "\
Examples:
  leaflock schema
  leaflock schema databases.postgres --json";

/// Shows the types.
pub fn run(arguments: Arguments, cli: &mut Cli) -> Result<Answer, Failure> {
    let request = Request { path: args::non_empty(arguments.path), file: arguments.file };
    let outcome = wire::with_deps(&cli.env, |deps| Ok(use_case(deps, &request)?))?;
    let shape = |it: &Shape| {
        json!({
            "path": show_path(&it.path),
            "source": it.source,
            "types": it.kinds,
            "values": it.values,
            "empty": it.is_empty,
            "encrypted": it.is_encrypted,
        })
    };
    let result = json!({ "secrets": outcome.shapes.iter().map(shape).collect::<Vec<_>>() });
    let text = decisions::table("", &outcome.shapes.iter().map(row).collect::<Vec<_>>());
    Ok(Answer::new(text, result).with_warnings(outcome.notices))
}

fn row(shape: &Shape) -> Vec<String> {
    let mut remarks = Vec::new();
    if shape.is_empty {
        remarks.push("empty");
    } else if !shape.is_encrypted {
        remarks.push("in clear");
    }
    let kinds = shape.kinds.join(", ");
    let kinds = if shape.values > 1 { format!("{} of {kinds}", shape.values) } else { kinds };
    vec![show_path(&shape.path), shape.source.clone(), kinds, remarks.join(", ")]
}
