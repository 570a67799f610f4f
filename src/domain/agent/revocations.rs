//! `.leaflock/revocations.jsonl`: signed denials, one JSON object a line. They only
//! take away, so more people may sign them than may sign the policy: responders, and
//! an agent about itself. A line:
//!
//! ```json
//! {"v":1,"repo":"6f0c…","timestamp":"2026-11-22T01:02:03Z","agent":"ops/deploy","secrets":["**"],"levels":["read","exec","use","write"],"files":[],"reason":"key lost","sig":"U1NIU0lH…"}
//! ```
//!
//! `sig` stands last. It is a signature over the line up to `,"sig"`, closed by `}`,
//! without a line break.

use serde_json::{Map, Value, json};

use super::allowed_signers::AllowedSigners;
use super::pattern::{FilePattern, NamePattern, PathPattern};
use super::policy::{Agents, Deny, Level, Levels, Policy, Revocation, Role};
use super::public_key::PublicKey;
use super::sshsig::{self, SignatureError};
use crate::domain::digest;
use crate::domain::scalar::Timestamp;

/// The namespace of the signatures.
pub const NAMESPACE: &str = "leaflock-revoke@v1";

/// The version of the layout.
const VERSION: u64 = 1;

/// What comes before the signature.
const BEFORE_SIGNATURE: &str = ",\"sig\":\"";

/// What somebody takes away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The repository, as its policy names it.
    pub repo: String,
    /// When it was made: RFC 3339, UTC, whole seconds.
    pub timestamp: String,
    /// From whom: a name, or a pattern of names.
    pub agent: String,
    /// Which secrets: patterns of paths.
    pub secrets: Vec<String>,
    /// What.
    pub levels: Vec<Level>,
    /// Of which files; empty: of all.
    pub files: Vec<String>,
    /// Why.
    pub reason: String,
}

/// Why a line does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RevocationError {
    /// It is not in the form that revocations have.
    #[error("{0}")]
    Form(&'static str),
    /// Its signature does not count.
    #[error(transparent)]
    Signature(#[from] SignatureError),
}

/// A line whose signature fits. Whether its signer may is another question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// What it says.
    pub statement: Statement,
    /// Who signed it.
    pub key: PublicKey,
    /// SHA-256 of the line without its break: `sha256:HEX`.
    pub digest: String,
    /// One-based.
    pub line: usize,
}

impl Statement {
    /// What is signed.
    pub fn message(&self) -> String {
        let quoted = |text: &str| Value::from(text).to_string();
        let levels: Vec<&str> = self.levels.iter().map(|level| level.as_str()).collect();
        // By hand, for the order of the fields.
        format!(
            "{{\"v\":{VERSION},\"repo\":{},\"timestamp\":{},\"agent\":{},\"secrets\":{},\"levels\":{},\"files\":{},\"reason\":{}}}",
            quoted(&self.repo),
            quoted(&self.timestamp),
            quoted(&self.agent),
            json!(self.secrets),
            json!(levels),
            json!(self.files),
            quoted(&self.reason),
        )
    }

    /// The line, with its break.
    pub fn to_line(&self, signature: &str) -> Option<String> {
        let message = self.message();
        let open = message.strip_suffix('}')?;
        Some(format!("{open}{BEFORE_SIGNATURE}{}\"}}\n", sshsig::to_line(signature)?))
    }

    /// What it denies.
    ///
    /// # Errors
    /// For patterns that can match nothing.
    pub fn deny(&self, policy: &Policy, line: usize) -> Result<Deny, RevocationError> {
        let wrong = |_| RevocationError::Form("it has a pattern that can match nothing");
        let read = |texts: &[String]| texts.iter().map(|text| PathPattern::parse(text)).collect();
        let files = self.files.iter().map(|text| FilePattern::parse(text));
        Ok(Deny {
            agents: Agents::parse(std::slice::from_ref(&self.agent), &policy.groups).map_err(wrong)?,
            paths: Result::<Vec<_>, _>::map_err(read(&self.secrets), wrong)?,
            files: files.collect::<Result<_, _>>().map_err(wrong)?,
            levels: self.levels.iter().copied().collect::<Levels>(),
            line,
        })
    }

    fn read(fields: &Map<String, Value>) -> Option<Self> {
        const NAMES: [&str; 9] =
            ["v", "repo", "timestamp", "agent", "secrets", "levels", "files", "reason", "sig"];
        let is_known = fields.len() == NAMES.len() && NAMES.iter().all(|name| fields.contains_key(*name));
        let text = |name: &str| Some(fields.get(name)?.as_str()?.to_owned());
        let texts = |name: &str| -> Option<Vec<String>> {
            fields.get(name)?.as_array()?.iter().map(|it| it.as_str().map(str::to_owned)).collect()
        };
        let timestamp = text("timestamp")?;
        let is_time = timestamp.len() == "2026-11-22T01:02:03Z".len()
            && timestamp.ends_with('Z')
            && Timestamp::parse_rfc3339(timestamp.as_bytes()).is_some();
        if !is_known || !is_time || fields.get("v")?.as_u64()? != VERSION {
            return None;
        }
        let levels: Option<Vec<Level>> = texts("levels")?.iter().map(|word| Level::parse(word)).collect();
        let statement = Self {
            repo: text("repo")?,
            timestamp,
            agent: text("agent")?,
            secrets: texts("secrets")?,
            levels: levels?,
            files: texts("files")?,
            reason: text("reason")?,
        };
        (!statement.secrets.is_empty() && !statement.levels.is_empty()).then_some(statement)
    }
}

/// The lines of the file with their one-based numbers, without breaks and empty ones.
pub fn lines(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let lines = bytes.split(|byte| *byte == b'\n').enumerate();
    lines.map(|(index, line)| (index + 1, line.trim_ascii_end())).filter(|(_, line)| !line.is_empty())
}

/// The digest of a line.
pub fn digest_of(line: &[u8]) -> String {
    digest::of(line.trim_ascii_end())
}

/// Reads a line and checks its signature.
pub fn read(line: &[u8], number: usize) -> Result<Signed, RevocationError> {
    const FORM: RevocationError = RevocationError::Form("it is no revocation in the form that they have");
    let text = std::str::from_utf8(line).map_err(|_| FORM)?.trim_end();
    let fields: Map<String, Value> = serde_json::from_str(text).map_err(|_| FORM)?;
    let statement = Statement::read(&fields).ok_or(FORM)?;
    let (open, _) = text.rsplit_once(BEFORE_SIGNATURE).ok_or(FORM)?;
    let signature = fields.get("sig").and_then(Value::as_str).ok_or(FORM)?;
    let message = format!("{open}}}");
    // The bytes say nothing twice, and nothing that was not read.
    if message != statement.message()
        || statement.to_line(signature).as_deref().map(str::trim_end) != Some(text)
    {
        return Err(FORM);
    }
    let key = sshsig::verify(signature, message.as_bytes(), NAMESPACE)?;
    Ok(Signed { statement, key, digest: digest_of(line), line: number })
}

impl Signed {
    /// True if it counts: `signers` allow its key to revoke at the time that it names, or
    /// the policy lets its signer say this.
    pub fn is_allowed(&self, signers: &AllowedSigners, policy: &Policy) -> bool {
        signers.allows(&self.key, NAMESPACE, &self.statement.timestamp).is_some() || self.may_be_said(policy)
    }

    /// True if the policy lets its signer say this: a responder or an administrator,
    /// or somebody about himself.
    fn may_be_said(&self, policy: &Policy) -> bool {
        policy.principal_of_key(&self.key.to_string()).is_some_and(|signer| {
            let is_self = NamePattern::parse(&self.statement.agent)
                .is_ok_and(|agent| agent.literal() == Some(signer.name.as_str()))
                && !policy.groups.contains_key(&self.statement.agent);
            is_self || [Role::Admin, Role::Responder].iter().any(|role| signer.roles.contains(role))
        })
    }

    /// The denial, as decisions take it.
    pub fn denial(&self, policy: &Policy) -> Result<Revocation, RevocationError> {
        Ok(Revocation { deny: self.statement.deny(policy, self.line)?, digest: self.digest.clone() })
    }
}

#[cfg(test)]
mod tests;
