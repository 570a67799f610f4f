//! `leaflock init`.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Parser;

use super::argv::fields::{flags, words};
use super::env::Variable;
use super::report::{Failure, Usage};
use super::{Cli, args, wire};
use crate::app::init::{Action, Outcome, Request, run as use_case};

/// Set up a folder: identity, .sops.yaml, .gitignore
///
/// Makes an age identity at sops's default place if there is none, a .sops.yaml
/// with rules for *.dev.*, *.staging.*, *.prod.* and everything else, and the
/// lines of .gitignore that keep plaintext out of git. Never overwrites anything.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "init", override_usage = "leaflock init [OPTIONS] [DIRECTORY]", after_help = EXAMPLES)]
pub struct Arguments {
    /// The folder to set up [default: the current one]
    #[arg(value_name = "DIRECTORY")]
    pub directory: Option<PathBuf>,
    /// More age recipients for every rule, comma-separated
    #[arg(short, long, value_name = "RECIPIENTS")]
    pub age: Option<String>,
}

flags!(Arguments { age "age" "a" } );

words!(Arguments, 1, directory);

const EXAMPLES: &str = "\
Examples:
  leaflock init
  leaflock init --age age1… deploy/";

/// Sets up one folder.
pub fn run(arguments: Arguments, cli: &mut Cli) -> Result<(), Failure> {
    let Some(identity_path) = cli.env.identity_file() else {
        return Err(Usage::new("there is no place for the identity: HOME is not set")
            .hint("set HOME or XDG_CONFIG_HOME")
            .into());
    };
    let request = Request {
        directory: arguments.directory.unwrap_or_else(|| PathBuf::from(".")),
        identity_path,
        extra_recipients: args::non_empty(arguments.age).or_else(|| cli.env.text(Variable::AgeRecipients)),
    };
    wire::with_deps(&cli.env, |deps| {
        let outcome = use_case(deps, &request)?;
        cli.output.notices(&outcome.notices);
        cli.output.text(&render(&outcome))
    })
}

/// What was done, and the next three commands.
fn render(outcome: &Outcome) -> String {
    let mut text = String::new();
    for step in &outcome.steps {
        let action = match step.action {
            Action::Created => "created",
            Action::Extended => "extended",
            Action::Kept => "kept",
        };
        let _ = writeln!(text, "{action:<9} {}", step.path.display());
    }
    let _ = write!(
        text,
        "your recipient is {}\n\nNext:\n  \
         leaflock edit secrets.dev.yaml       make an encrypted file\n  \
         leaflock decrypt secrets.dev.yaml    read it\n  \
         git add .sops.yaml secrets.dev.yaml  share it\n",
        outcome.recipient
    );
    text
}
