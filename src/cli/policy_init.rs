//! `leaflock policy init`.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Parser;
use serde_json::json;

use super::args::Signing;
use super::argv::fields::{flags, words};
use super::env::Variable;
use super::envelope::{Action, Answer};
use super::report::Failure;
use super::{Cli, wire};
use crate::app::policy_init::{self as use_case, Request};

/// Make the first policy for agents
///
/// Writes .leaflock/policy.yaml with a random name of the repository, you as its
/// administrator, and no rules, which allows nothing; .leaflock/allowed_signers with
/// your key alone; and the signature of the policy. Adds a line to .gitattributes, so
/// that git changes no byte of the audit trail. Trusts the list on this machine. Never
/// overwrites anything.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "policy init", override_usage = "leaflock policy init [OPTIONS] [DIRECTORY]", after_help = EXAMPLES)]
pub struct Arguments {
    /// The folder that it governs, usually the top of the repository [default: the current one]
    #[arg(value_name = "DIRECTORY")]
    pub directory: Option<PathBuf>,
    /// Your name in the policy [default: humans/ and your user name]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Your age recipients [default: those of your identity file]
    #[arg(short, long, value_name = "RECIPIENT")]
    pub age: Vec<String>,
    /// Signing.
    #[command(flatten)]
    pub signing: Signing,
    /// Answer in JSON
    #[arg(long)]
    pub json: bool,
}

flags!(Arguments { name "name" "", age "age" "a", json "json" "" } signing);
words!(Arguments, 1, directory);

const EXAMPLES: &str = "\
Examples:
  leaflock policy init
  leaflock policy init --name humans/ana --signing-key ~/.ssh/id_ed25519";

/// Makes a policy.
pub fn answer(arguments: Arguments, cli: &mut Cli) -> Result<Answer, Failure> {
    let user = || Some(format!("humans/{}", cli.env.text(Variable::User)?));
    let name = arguments.name.or_else(user).ok_or_else(use_case::nameless)?;
    let identity_file = cli.env.identity_file();
    wire::with_deps(&cli.env, |deps| {
        let age = match (arguments.age.is_empty(), &identity_file) {
            (true, Some(path)) => use_case::recipients_of(deps, path)?,
            _ => arguments.age,
        };
        let request = Request {
            folder: arguments.directory.unwrap_or_else(|| PathBuf::from(".")),
            name,
            age,
            key: arguments.signing.key.file(),
        };
        let made = use_case::run(deps, &request)?;
        let mut text = String::new();
        for path in &made.files {
            let _ = writeln!(text, "created   {}", path.display());
        }
        if let Some(path) = &made.changed {
            let _ = writeln!(text, "changed   {}", path.display());
        }
        let _ = write!(
            text,
            "signed by {}\nsigners   {}\n\nNext:\n  \
             leaflock policy sign --bump        after each change of the policy\n  \
             git add .leaflock .gitattributes   share it\n\
             Others trust the signers with: leaflock trust add {}\n",
            made.signer, made.signers, made.signers
        );
        let files: Vec<_> = made.files.iter().map(|path| path.to_string_lossy()).collect();
        let result = json!({
            "root": made.root.to_string_lossy(),
            "files": files,
            "changed": made.changed.map(|path| path.to_string_lossy().into_owned()),
            "repo": made.repo,
            "signers": made.signers,
            "signer": made.signer,
        });
        let next = Action::leaflock(["policy", "sign", "--bump"], "signs the policy after a change");
        Ok(Answer::new(text, result).then(next))
    })
}
