//! `leaflock agent revoke`.

use std::path::Path;

use clap::Parser;
use serde_json::json;

use super::args::Signing;
use super::argv::fields::{flags, words};
use super::envelope::{Action, Answer};
use super::report::{Failure, Usage};
use super::{Cli, exit, wire};
use crate::app::agent_revoke::{Request, run as use_case};
use crate::domain::agent::policy::{Level, Levels};

/// Take rights away from an agent, without a new policy
///
/// Appends a signed line to .leaflock/revocations.jsonl that denies: by default every
/// secret at every level. Administrators and responders may sign it, and an agent
/// about itself. No line gives anything, and one that a machine has seen may not go
/// again before an administrator has taken it into the policy. What the agent has
/// opened before stays known to it: `leaflock agent exposure` lists that.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "agent revoke", override_usage = "leaflock agent revoke [OPTIONS] --reason TEXT AGENT", after_help = EXAMPLES)]
pub struct Arguments {
    /// Name of the agent, a group, or a pattern: "ops/*"
    #[arg(value_name = "AGENT")]
    pub agent: Option<String>,
    /// Only the secrets at and below this path
    #[arg(long, value_name = "PATH")]
    pub secret: Vec<String>,
    /// Only this level: read, exec, use or write
    #[arg(long, value_name = "LEVEL", value_parser = ["read", "exec", "use", "write"], hide_possible_values = true)]
    pub level: Vec<String>,
    /// Only in this file, from the policy's folder, or in the files of a pattern
    #[arg(long, value_name = "FILE")]
    pub file: Vec<String>,
    /// Why; everybody who can read the repository reads it
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Signing.
    #[command(flatten)]
    pub signing: Signing,
    /// Answer in JSON
    #[arg(long)]
    pub json: bool,
}

flags!(Arguments {
    secret "secret" "", level "level" "", file "file" "", reason "reason" "", json "json" ""
} signing);
words!(Arguments, 1, agent);

const EXAMPLES: &str = "\
Examples:
  leaflock agent revoke ops/deploy --reason 'laptop stolen'
  leaflock agent revoke 'ops/*' --secret databases --level read --reason 'incident 7'";

/// Revokes.
pub fn answer(arguments: Arguments, cli: &mut Cli) -> Result<Answer, Failure> {
    let usage = |text: &str, hint: &str| Usage::with_code(exit::CANNOT_READ, text).hint(hint);
    let agent = arguments.agent.filter(|agent| !agent.is_empty());
    let agent =
        agent.ok_or_else(|| usage("no agent is named", "leaflock agent revoke AGENT --reason TEXT"))?;
    let reason = arguments.reason.filter(|reason| !reason.trim().is_empty());
    let reason = reason
        .ok_or_else(|| usage("no reason is given", "--reason says why, for those who read it later"))?;
    let mut levels = Levels::NONE;
    for word in &arguments.level {
        let level = Levels::parse(word).ok_or_else(|| {
            usage("--level: there is no such level", "the levels are read, exec, use and write")
        })?;
        levels = levels.with(level);
    }
    let request = Request {
        agent,
        secrets: arguments.secret,
        levels: levels.iter().collect::<Vec<Level>>(),
        files: arguments.file,
        reason,
        key: arguments.signing.signing_key,
    };
    wire::with_deps(&cli.env, |deps| {
        let revoked = use_case(deps, Path::new("."), &request)?;
        let levels: Vec<&str> = revoked.statement.levels.iter().map(|level| level.as_str()).collect();
        let text = format!(
            "{}:{} denies {} of {} to {}\nsigned by {}\ncommit and push it: machines that fetch it heed it; \
             `leaflock agent sync` takes the secrets out of the agents' files\n",
            revoked.path.display(),
            revoked.line,
            levels.join(", "),
            revoked.statement.secrets.join(", "),
            revoked.principals.join(", "),
            revoked.signer
        );
        let result = json!({
            "digest": revoked.digest,
            "line": revoked.line,
            "agent": revoked.statement.agent,
            "principals": revoked.principals,
            "secrets": revoked.statement.secrets,
            "levels": levels,
            "files": revoked.statement.files,
            "reason": revoked.statement.reason,
            "signer": revoked.signer,
        });
        let next = Action::leaflock(["agent", "sync"], "takes the secrets out of the agents' files");
        Ok(Answer::new(text, result).with_warnings(revoked.notice).then(next))
    })
}
