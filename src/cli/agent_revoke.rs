//! `leaflock agent revoke`.

use std::fmt::Write as _;

use clap::Parser;
use serde_json::json;

use super::args::{Opening, Signing};
use super::argv::fields::{flags, words};
use super::envelope::{Action, Answer};
use super::report::{Failure, Usage};
use super::{Cli, exit, wire};
use crate::app::agent_revoke::{AgentFiles, Request, Revoked, run as use_case};
use crate::app::request::Notice;
use crate::domain::agent::policy::{Level, Levels};

/// Take rights away from an agent, without a new policy
///
/// Appends a signed line to .leaflock/revocations.jsonl that denies: by default every
/// secret at every level. Administrators and responders may sign it, and an agent
/// about itself. If your key may also sign manifests and opens the sources, the agents'
/// files are made anew in the same step, as `leaflock agent sync` does it; else the line
/// is written alone, and the answer says who has to sync. No line gives anything, and one
/// that a machine has seen may not go again before an administrator has taken it into
/// the policy. What the agent has opened before stays known to it: `leaflock agent
/// exposure` lists that.
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
    let usage = |text: &str, hint: &str| Usage::with_code(exit::USAGE, text).hint(hint);
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
    let opening = Opening { reason: Some(reason.clone()), ..Opening::default() };
    let request = Request {
        agent,
        secrets: arguments.secret,
        levels: levels.iter().collect::<Vec<Level>>(),
        files: arguments.file,
        reason,
        key: arguments.signing.key.file(),
        open: opening.resolve(&cli.env)?,
    };
    Ok(told(wire::with_deps(&cli.env, |deps| Ok(use_case(deps, &request)?))?))
}

fn told(revoked: Revoked) -> Answer {
    let Revoked { path, line, digest, statement, principals, signer, files, notices } = revoked;
    let levels: Vec<&str> = statement.levels.iter().map(|level| level.as_str()).collect();
    let mut text = format!(
        "{}:{line} denies {} of {} to {}\nsigned by {signer}\n",
        path.display(),
        levels.join(", "),
        statement.secrets.join(", "),
        principals.join(", "),
    );
    let (state, made, removed) = match &files {
        AgentFiles::Synced { made, removed } => ("synced", &made[..], &removed[..]),
        AgentFiles::None => ("none", &[][..], &[][..]),
        AgentFiles::Stale(_) => ("stale", &[][..], &[][..]),
    };
    for (did, name) in
        made.iter().map(|name| ("made", name)).chain(removed.iter().map(|name| ("removed", name)))
    {
        let _ = writeln!(text, "{did} {name}");
    }
    text.push_str("commit and push: machines that fetch it heed it\n");
    let result = json!({
        "digest": digest,
        "line": line,
        "agent": statement.agent,
        "principals": principals,
        "secrets": statement.secrets,
        "levels": levels,
        "files": statement.files,
        "reason": statement.reason,
        "signer": signer,
        "agent_files": state,
        "made": made,
        "removed": removed,
    });
    let answer = Answer::new(text, result).with_warnings(notices);
    match files {
        AgentFiles::Stale(why) => {
            let text = format!("the agents' files still hold what was taken away: {why}");
            let hint = "somebody who may sign manifests, and whose keys open the sources, runs `leaflock agent sync`";
            let next = Action::leaflock(["agent", "sync"], "takes the secrets out of the agents' files");
            answer.with_warnings([Notice::warning(text).with_hint(hint)]).then(next)
        }
        AgentFiles::Synced { .. } | AgentFiles::None => answer,
    }
}
