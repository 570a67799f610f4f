//! `leaflock config explain`.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Parser;

use super::args::{FilenameOverride, General, InputType};
use super::argv::fields::{flags, words};
use super::report::Failure;
use super::{Cli, args, files, wire};
use crate::app::config_explain::{Outcome, Request, run as use_case};

/// Show which rule applies to a file, and what it would encrypt
///
/// Prints the config file, the rule that matches FILE and why, its recipients,
/// and every key of FILE with what encryption would do to it. FILE need not
/// exist. Nothing is decrypted and no key is needed.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "config explain", override_usage = "leaflock config explain [OPTIONS] FILE", after_help = EXAMPLES)]
pub struct Arguments {
    /// The file to explain
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Input format.
    #[command(flatten)]
    pub input_type: InputType,
    /// Another name.
    #[command(flatten)]
    pub named: FilenameOverride,
    /// General flags.
    #[command(flatten)]
    pub general: General,
}

flags!(Arguments {  } input_type, named, general);

words!(Arguments, 1, file);

const EXAMPLES: &str = "\
Examples:
  leaflock config explain config/prod.yaml
  leaflock config explain --config other/.sops.yaml config/prod.yaml";

/// Explains one file.
pub fn run(arguments: Arguments, cli: &mut Cli) -> Result<(), Failure> {
    let mut notices = Vec::new();
    let path = files::required(arguments.file)?;
    let request = Request {
        path,
        file: args::file_options(
            arguments.general,
            arguments.input_type,
            arguments.named,
            cli.mode,
            &cli.env,
            &mut notices,
        )?,
    };
    cli.output.notices(&notices);
    wire::with_deps(&cli.env, |deps| {
        let outcome = use_case(deps, &request)?;
        cli.output.notices(&outcome.notices);
        cli.output.text(&render(&outcome))
    })
}

/// The explanation as text.
fn render(outcome: &Outcome) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "config      {} ({})", outcome.config.display(), outcome.config_found);
    let _ = writeln!(text, "path        {}", outcome.matched_path);
    for rule in &outcome.rules {
        let line = rule.line.map(|line| format!(" (line {line})")).unwrap_or_default();
        let verdict = if rule.applies { "applies" } else { "does not match" };
        let regex = match &rule.path_regex {
            Some(regex) => format!("path_regex {regex}"),
            None => "no path_regex, matches every path".to_owned(),
        };
        let _ = writeln!(text, "rule {:<6} {verdict}{line}: {regex}", rule.number);
    }
    for (index, group) in outcome.groups.iter().enumerate() {
        for key in group {
            let name = if outcome.groups.len() > 1 { format!("group {index}") } else { "key".to_owned() };
            let _ = writeln!(text, "{name:<11} {key}");
        }
    }
    if let Some(threshold) = outcome.shamir_threshold {
        let _ = writeln!(text, "threshold   {threshold} of {} groups", outcome.groups.len());
    }
    let _ = writeln!(text, "encrypts    {}", outcome.selection);
    if outcome.mac_only_encrypted {
        let _ = writeln!(text, "mac         covers encrypted values only");
    }
    if let Some(leaves) = &outcome.leaves {
        let _ = writeln!(text);
        for leaf in leaves {
            let verdict = if leaf.encrypted { "encrypted" } else { "plain" };
            let line = leaf.line.map(|line| format!(":{line}")).unwrap_or_default();
            let _ = writeln!(text, "{verdict:<11} {}{line}", leaf.path);
        }
        let encrypted = leaves.iter().filter(|leaf| leaf.encrypted).count();
        let _ = writeln!(text, "{encrypted} of {} values encrypted", leaves.len());
    }
    text
}
