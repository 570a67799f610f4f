//! `leaflock trust add`, `list`, `remove` and `sign`.

use std::fmt::Write as _;
use std::path::Path;

use clap::Parser;
use serde_json::{Value, json};

use super::args::Signing;
use super::argv::fields::{flags, words};
use super::envelope::{Action, Answer};
use super::report::{Failure, Usage};
use super::{Cli, exit, wire};
use crate::app::trust::{self as use_case, Trusted, What};
use crate::domain::digest;

/// Trust the signers of this repository's policy
///
/// Whose signatures count is said by .leaflock/allowed_signers, and which such list
/// counts on this machine by this command: it pins the list by its digest, in
/// ~/.config/leaflock/trust.json. Get DIGEST from the administrators, by another way
/// than the repository. Without it the signers are shown and you are asked; --yes
/// trusts whatever is there. In CI, LEAFLOCK_TRUST=DIGEST does the same for a call.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "trust add", override_usage = "leaflock trust add [OPTIONS] [DIGEST]", after_help = ADD_EXAMPLES)]
pub struct Add {
    /// Digest of the list of allowed signers: sha256:HEX
    #[arg(value_name = "DIGEST")]
    pub digest: Option<String>,
    /// Trust the list that is there, without asking
    #[arg(short, long)]
    pub yes: bool,
    /// Answer in JSON
    #[arg(long)]
    pub json: bool,
}

flags!(Add { yes "yes" "y", json "json" "" });
words!(Add, 1, digest);

const ADD_EXAMPLES: &str = "\
Examples:
  leaflock trust add sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
  leaflock trust add";

/// List whose signatures count
///
/// Prints for each repository the digest of its trusted list of allowed signers, and
/// who is on it.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "trust list", override_usage = "leaflock trust list [OPTIONS]", after_help = LIST_EXAMPLES)]
pub struct List {
    /// Answer in JSON
    #[arg(long)]
    pub json: bool,
}

flags!(List { json "json" "" });
words!(List, 0);

const LIST_EXAMPLES: &str = "\
Examples:
  leaflock trust list
  leaflock trust list --json | jq -r '.result.trusted[].digest'";

/// Stop trusting the signers of a repository
///
/// Forgets the pin of the repository around the current folder, or of the one with
/// that name or digest, and which repository its clones were. How new its policy was
/// stays known, so that an older one does not come back.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "trust remove", override_usage = "leaflock trust remove [OPTIONS] [REPOSITORY|DIGEST]", after_help = REMOVE_EXAMPLES)]
pub struct Remove {
    /// `repo` of a policy, or digest of a list [default: those of this repository]
    #[arg(value_name = "REPOSITORY|DIGEST")]
    pub which: Option<String>,
    /// Answer in JSON
    #[arg(long)]
    pub json: bool,
}

flags!(Remove { json "json" "" });
words!(Remove, 1, which);

const REMOVE_EXAMPLES: &str = "\
Examples:
  leaflock trust remove
  leaflock trust remove 6f0c51b2a3d44e5f";

/// Sign a changed list of allowed signers
///
/// Signs .leaflock/allowed_signers by a key of the list that is trusted so far, and
/// notes in its first line which list that was. Other machines that trust the former
/// list then follow to this one by themselves. Commit every signed list: machines that
/// were away go from one to the next.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "trust sign", override_usage = "leaflock trust sign [OPTIONS]", after_help = SIGN_EXAMPLES)]
pub struct Sign {
    /// Signing.
    #[command(flatten)]
    pub signing: Signing,
    /// Answer in JSON
    #[arg(long)]
    pub json: bool,
}

flags!(Sign { json "json" "" } signing);
words!(Sign, 0);

const SIGN_EXAMPLES: &str = "\
Examples:
  leaflock trust sign
  leaflock trust sign --signing-key ~/.ssh/id_ed25519";

/// Trusts a list.
pub fn add(arguments: Add, cli: &mut Cli) -> Result<Answer, Failure> {
    let what = match (arguments.digest, arguments.yes) {
        (Some(text), _) if !digest::is_one(&text) => {
            return Err(Usage::with_code(exit::USAGE, "DIGEST is no digest of a list")
                .hint("a digest is sha256: and 64 hexadecimal digits")
                .into());
        }
        (Some(digest), _) => What::Digest(digest),
        (None, true) => What::Anything,
        (None, false) => What::Ask,
    };
    wire::with_deps(&cli.env, |deps| {
        let trusted = use_case::add(deps, Path::new("."), &what)?;
        Ok(Answer::new(format!("trusted from now on:\n{}", text(&trusted)), as_json(&trusted)))
    })
}

/// Lists what is trusted.
pub fn list(_: List, cli: &mut Cli) -> Result<Answer, Failure> {
    wire::with_deps(&cli.env, |deps| {
        let all = use_case::list(deps, Path::new("."))?;
        let shown = match all.is_empty() {
            true => "nobody's signatures count on this machine yet\n".to_owned(),
            false => all.iter().map(text).collect(),
        };
        let listed: Vec<Value> = all.iter().map(as_json).collect();
        Ok(Answer::new(shown, json!({ "trusted": listed })))
    })
}

/// Stops trusting.
pub fn remove(arguments: Remove, cli: &mut Cli) -> Result<Answer, Failure> {
    wire::with_deps(&cli.env, |deps| {
        let removed = use_case::remove(deps, Path::new("."), arguments.which.as_deref())?;
        let mut shown = String::new();
        for it in &removed {
            let _ = writeln!(shown, "not trusted any more: {} ({})", it.digest, it.place);
        }
        if removed.is_empty() {
            shown.push_str("no list was trusted; what this clone was is forgotten\n");
        }
        let removed: Vec<Value> = removed.iter().map(as_json).collect();
        Ok(Answer::new(shown, json!({ "removed": removed })))
    })
}

/// Signs a changed list.
pub fn sign(arguments: Sign, cli: &mut Cli) -> Result<Answer, Failure> {
    wire::with_deps(&cli.env, |deps| {
        let signed = use_case::sign(deps, Path::new("."), arguments.signing.key.file().as_deref())?;
        let Some(signed) = signed else {
            return Ok(Answer::new(
                "the list of allowed signers is the one that is trusted: nothing to sign\n",
                json!({ "changed": false }),
            ));
        };
        let mut shown = format!(
            "{} signed by {}\ndigest {}\nbefore {}\n",
            signed.path.display(),
            signed.signer,
            signed.digest,
            signed.previous
        );
        let result = json!({
            "changed": true,
            "digest": signed.digest,
            "previous": signed.previous,
            "signer": signed.signer,
            "policy_needs_signature": signed.needs_policy,
        });
        if !signed.needs_policy {
            return Ok(Answer::new(shown, result).with_warnings(signed.notice));
        }
        shown.push_str("the policy is not signed by anybody on it: `leaflock policy sign`\n");
        let action = Action::leaflock(["policy", "sign"], "signs the policy by a key of the new list");
        Ok(Answer::new(shown, result).then(action))
    })
}

fn text(trusted: &Trusted) -> String {
    let mut text = format!("{}{}\n", trusted.digest, if trusted.is_here { " (here)" } else { "" });
    let _ = writeln!(text, "  repository {}, since {}, {}", trusted.repo, trusted.since, trusted.place);
    for signer in &trusted.signers.signers {
        let _ =
            writeln!(text, "  {} {} ({})", signer.principals, signer.key.fingerprint(), signer.key.kind());
    }
    text
}

fn as_json(trusted: &Trusted) -> Value {
    let signer = |signer: &crate::domain::agent::allowed_signers::Signer| {
        json!({
            "principals": signer.principals,
            "fingerprint": signer.key.fingerprint(),
            "key": signer.key.to_string(),
            "namespaces": signer.namespaces,
            "valid_after": signer.valid_after,
            "valid_before": signer.valid_before,
        })
    };
    let signers: Vec<Value> = trusted.signers.signers.iter().map(signer).collect();
    json!({
        "repo": trusted.repo,
        "digest": trusted.digest,
        "since": trusted.since,
        "place": trusted.place,
        "here": trusted.is_here,
        "signers": signers,
    })
}
