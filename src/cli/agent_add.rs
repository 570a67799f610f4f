//! `leaflock agent add`.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Parser;
use serde_json::json;

use super::args;
use super::argv::fields::{flags, words};
use super::envelope::{Action, Answer};
use super::report::{Failure, Usage};
use super::{Cli, exit, wire};
use crate::app::agent_add::{Outcome, Request, run as use_case};
use crate::app::principals::Wanted;
use crate::app::request::Notice;
use crate::domain::agent::policy::Role;

/// Add an agent, or another principal, to the policy
///
/// Makes an age identity to read with and an Ed25519 key to sign with, unless
/// --recipient and --signing-key name public keys that exist. Private halves are
/// written to the folder of --out, outside of the repository, for their owner alone;
/// public ones to .leaflock/policy.yaml, in its own layout. The policy is signed in
/// the same step if your own key (LEAFLOCK_SIGNING_KEY, else git's user.signingKey)
/// may sign it. What the agent may have is up to the rules
/// of the policy; `leaflock agent sync` then makes its files.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "agent add", override_usage = "leaflock agent add [OPTIONS] NAME", after_help = EXAMPLES)]
pub struct Arguments {
    /// Its name: segments with / between them
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// An age recipient that it has; repeatable
    #[arg(long, value_name = "RECIPIENT")]
    pub recipient: Vec<String>,
    /// Its own SSH public key, or its .pub file; not the key that signs the policy
    #[arg(long, value_name = "PUBLIC-KEY|FILE")]
    pub signing_key: Option<String>,
    /// The folder for new private keys, outside of the repository; a file for one key
    #[arg(long, value_name = "FOLDER|FILE")]
    pub out: Option<PathBuf>,
    /// admin, human, ci, broker, auditor or responder; repeatable
    #[arg(long, value_name = "ROLE")]
    pub role: Vec<String>,
    /// Answer in JSON
    #[arg(long)]
    pub json: bool,
}

flags!(Arguments {
    recipient "recipient" "", signing_key "signing-key" "", out "out" "", role "role" "", json "json" ""
});

words!(Arguments, 1, name);

const EXAMPLES: &str = "\
Examples:
  leaflock agent add ops/release-manager --out ~/.config/leaflock/agents
  leaflock agent add ci/deploy --role ci --recipient age1… --signing-key deploy.pub";

/// Adds a principal.
pub fn answer(arguments: Arguments, cli: &mut Cli) -> Result<Answer, Failure> {
    let name = arguments.name.filter(|name| !name.is_empty()).ok_or_else(|| {
        Usage::with_code(exit::CANNOT_READ, "a new principal needs a name")
            .hint("leaflock agent add ops/deploy --out FOLDER")
    })?;
    let mut roles = Vec::new();
    for word in &arguments.role {
        roles.push(Role::parse(word).ok_or_else(|| {
            let words: Vec<&str> = Role::ALL.iter().map(|role| role.as_str()).collect();
            Usage::new("--role: there is no such role").hint(format!("the roles are {}", words.join(", ")))
        })?);
    }
    let wanted = Wanted {
        recipients: arguments.recipient,
        public_key: args::non_empty(arguments.signing_key),
        out: arguments.out,
    };
    let request = Request { name, wanted, roles };
    let outcome = wire::with_deps(&cli.env, |deps| Ok(use_case(deps, &request)?))?;
    Ok(told(&request.name, outcome, "is a principal of the policy"))
}

/// The one word of the line.
pub fn named(name: Option<String>) -> Result<String, Usage> {
    let name = name.filter(|name| !name.is_empty());
    name.ok_or_else(|| {
        Usage::with_code(exit::USAGE, "no agent is named").hint("`leaflock agent list` lists them")
    })
}

/// What became of a principal and its keys.
pub fn told(name: &str, outcome: Outcome, what: &str) -> Answer {
    let Outcome { age, sign, files, unsigned, notice } = outcome;
    let mut text = format!("{name} {what}\n");
    for key in age.iter().chain(&sign) {
        let _ = writeln!(text, "    {key}");
    }
    for path in &files {
        let _ = writeln!(text, "made {}: keep it secret", path.display());
    }
    let places: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
    let result = json!({
        "name": name,
        "age": age,
        "sign": sign,
        "files": places,
        "signed": unsigned.is_none(),
    });
    let answer = Answer::new(text, result).with_warnings(notice);
    match unsigned {
        None => answer.then(Action::leaflock(["agent", "sync"], "makes the files that it may read")),
        Some(error) => {
            let notice = Notice::warning(format!("the policy is not signed, and not in force: {error}"));
            answer
                .with_warnings([notice.with_hint("an administrator runs `leaflock policy sign`")])
                .then(Action::leaflock(["policy", "sign"], "puts the policy into force"))
        }
    }
}
