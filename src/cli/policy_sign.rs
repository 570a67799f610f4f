//! `leaflock policy sign` and `leaflock policy verify`.

use std::fmt::Write as _;

use clap::Parser;
use serde_json::json;

use super::args::Signing;
use super::argv::fields::{flags, words};
use super::envelope::{Action, Answer};
use super::report::Failure;
use super::{Cli, wire};
use crate::app::policy_sign::{self as use_case, Request};
use crate::app::trust;

/// Sign the policy for agents
///
/// Looks whether .leaflock/policy.yaml may be signed (it reads, has a repo and a
/// serial that is higher than every one before, is not out of date) and whether your
/// key may sign it (it is on .leaflock/allowed_signers, and no agent's), and writes
/// .leaflock/policy.yaml.sig. Look at the changes first: `git diff`. Anybody checks
/// the signature with `ssh-keygen -Y verify -n leaflock-policy@v1`.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "policy sign", override_usage = "leaflock policy sign [OPTIONS]", after_help = EXAMPLES)]
pub struct Arguments {
    /// Raise the serial first, if the policy was changed since it was signed
    #[arg(long)]
    pub bump: bool,
    /// Signing.
    #[command(flatten)]
    pub signing: Signing,
    /// Answer in JSON
    #[arg(long)]
    pub json: bool,
}

flags!(Arguments { bump "bump" "", json "json" "" } signing);
words!(Arguments, 0);

const EXAMPLES: &str = "\
Examples:
  leaflock policy sign --bump
  leaflock policy sign --signing-key ~/.ssh/id_ed25519";

/// Verify the policy for agents and all that belongs to it
///
/// Demands what every command demands before it believes a policy: signers that are
/// trusted on this machine, their signature, the repository that was seen before, a
/// serial that is not lower, a policy that is not out of date, a signed manifest, and
/// every revocation that was seen. Exit code 5 names the first thing that is wrong.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "policy verify", override_usage = "leaflock policy verify [OPTIONS]", after_help = VERIFY_EXAMPLES)]
pub struct Verify {
    /// Answer in JSON
    #[arg(long)]
    pub json: bool,
}

flags!(Verify { json "json" "" });
words!(Verify, 0);

const VERIFY_EXAMPLES: &str = "\
Examples:
  leaflock policy verify
  LEAFLOCK_TRUST=sha256:… leaflock policy verify --json";

/// Signs.
pub fn sign(arguments: Arguments, cli: &mut Cli) -> Result<Answer, Failure> {
    let request = Request { key: arguments.signing.key.file(), bump: arguments.bump };
    wire::with_deps(&cli.env, |deps| {
        let signed = use_case::sign(deps, &request)?;
        let mut text = String::new();
        if let Some(before) = signed.raised_from {
            let _ = writeln!(text, "serial {before} → {}", signed.serial);
        }
        let _ = write!(
            text,
            "{} signed by {}\nserial {}, digest {}\n",
            signed.path.display(),
            signed.signer,
            signed.serial,
            signed.digest
        );
        let result = json!({
            "digest": signed.digest,
            "serial": signed.serial,
            "raised_from": signed.raised_from,
            "signer": signed.signer,
            "signers": signed.signers,
            "trusted": signed.is_trusted,
            "needs_sync": signed.needs_sync,
        });
        let mut actions = Vec::new();
        if !signed.is_trusted {
            let _ = writeln!(text, "its signers are not trusted on this machine: `leaflock trust add`");
            let words = ["trust", "add", &signed.signers];
            actions.push(Action::leaflock(words, "trusts the signers of this repository").dangerous());
        }
        if signed.needs_sync {
            let _ = writeln!(text, "the agents' files were made by another policy: `leaflock agent sync`");
            actions.push(Action::leaflock(["agent", "sync"], "makes the agents' files by this policy"));
        }
        let answer = Answer::new(text, result).with_warnings(signed.notice);
        Ok(actions.into_iter().fold(answer, Answer::then))
    })
}

/// Verifies.
pub fn verify(_: Verify, cli: &mut Cli) -> Result<Answer, Failure> {
    wire::with_deps(&cli.env, |deps| {
        let authority = use_case::verify(deps)?;
        let signer = trust::named(&authority);
        let serial = authority.policy.serial.unwrap_or_default();
        let mut text =
            format!("the policy holds: serial {serial}, {}, signed by {signer}\n", authority.policy_digest);
        if let Some(until) = &authority.policy.valid_until {
            let _ = writeln!(text, "valid until {until}");
        }
        let _ = writeln!(
            text,
            "{} in force",
            match authority.revocations.len() {
                0 => "no revocations".to_owned(),
                1 => "1 revocation".to_owned(),
                count => format!("{count} revocations"),
            }
        );
        let is_current = authority.current_manifest().is_ok();
        if authority.manifest.is_some() && !is_current {
            text.push_str("the agents' files were made by another policy: `leaflock agent sync`\n");
        }
        let revocations: Vec<&str> = authority.revocations.iter().map(|it| it.digest.as_str()).collect();
        let result = json!({
            "root": authority.root.to_string_lossy(),
            "repo": authority.repo(),
            "serial": serial,
            "digest": authority.policy_digest,
            "signer": signer,
            "signer_key": authority.signer.fingerprint(),
            "signers": authority.signers_digest,
            "valid_until": authority.policy.valid_until,
            "manifest": authority.manifest.as_ref().map(|manifest| manifest.serial),
            "manifest_is_current": is_current,
            "revocations": revocations,
        });
        Ok(Answer::new(text, result))
    })
}
