//! Takes rights away by a signed line beside the policy: no administrator and no new
//! policy is needed, and no line gives anything.

use std::path::{Path, PathBuf};

use super::Deps;
use super::agent::{authority, signing};
use super::audit::record;
use super::error::{Error, Place};
use super::request::Notice;
use super::trust;
use crate::domain::agent::audit::entry::Action;
use crate::domain::agent::denial::DenyCode;
use crate::domain::agent::pattern::NamePattern;
use crate::domain::agent::policy::{self, Level, Policy};
use crate::domain::agent::revocations::{self, Statement};

/// What to take away.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// From whom: a name, a group or a pattern.
    pub agent: String,
    /// Which secrets; none: all.
    pub secrets: Vec<String>,
    /// Which levels; none: all.
    pub levels: Vec<Level>,
    /// Of which files; none: of all.
    pub files: Vec<String>,
    /// Why.
    pub reason: String,
    /// The path of a key, instead of the user's own.
    pub key: Option<String>,
}

/// What was taken away.
#[derive(Clone, Debug)]
pub struct Revoked {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// The digest of the line.
    pub digest: String,
    /// What it says.
    pub statement: Statement,
    /// The principals that it is about.
    pub principals: Vec<String>,
    /// Who signed: a fingerprint.
    pub signer: String,
    /// That the audit trail has no entry of it.
    pub notice: Option<Notice>,
}

/// Signs a revocation and appends it.
pub fn run(deps: &Deps<'_>, folder: &Path, request: &Request) -> Result<Revoked, Error> {
    let root = trust::root(deps, folder)?;
    record::attempt_to(deps, Action::Revoke);
    deps.authorities.take_expired();
    let authority = authority::load(deps, &root)?;
    let principals = principals(&authority.policy, &request.agent)?;
    let key = signing::Key::of(deps, request.key.as_deref())?;
    let statement = Statement {
        repo: authority.repo().to_owned(),
        timestamp: deps.clock.now(),
        agent: request.agent.clone(),
        secrets: or_all(&request.secrets, || vec!["**".to_owned()]),
        levels: or_all(&request.levels, || Level::ALL.to_vec()),
        files: request.files.clone(),
        reason: request.reason.clone(),
    };
    statement.deny(&authority.policy, 0).map_err(|error| Error::SetArgument {
        message: format!("--secret, --file: {error}"),
        hints: vec![
            "a secret is a path: databases.postgres, \"**.password\"; a file is one below the policy"
                .to_owned(),
        ],
    })?;
    let signature = key.sign(deps, statement.message().as_bytes(), revocations::NAMESPACE)?;
    let line = statement.to_line(&signature).ok_or_else(|| Error::Other {
        place: Place::default(),
        cause: "there came no signature".into(),
        hints: Vec::new(),
    })?;
    let path = root.join(policy::REVOCATIONS);
    let found = deps.files.read_if_there(&path).map_err(Error::Read)?;
    let mut bytes = found.map(|contents| contents.bytes.to_vec()).unwrap_or_default();
    if !bytes.is_empty() && !bytes.ends_with(b"\n") {
        bytes.push(b'\n');
    }
    let number = bytes.iter().filter(|byte| **byte == b'\n').count() + 1;
    let signed = revocations::read(line.as_bytes(), number).map_err(|error| Error::Other {
        place: Place::file(&path),
        cause: error.into(),
        hints: Vec::new(),
    })?;
    let is_listed =
        authority.signers.allows(&key.public, revocations::NAMESPACE, &statement.timestamp).is_some();
    if !is_listed && !signed.may_be_said(&authority.policy) {
        return Err(Error::Denied {
            code: DenyCode::NotAllowed,
            message: format!("{} may not take rights away from {}", key.public.fingerprint(), request.agent),
            hints: vec!["administrators and responders may, and an agent may about itself".to_owned()],
        });
    }
    bytes.extend_from_slice(line.as_bytes());
    signing::write(deps, &path, &bytes)?;
    authority::forget(deps);
    authority::load(deps, &root)?;
    let signer = key.public.fingerprint();
    let notice = record::changed(deps, Action::Revoke, &path);
    Ok(Revoked { path, line: number, digest: signed.digest, statement, principals, signer, notice })
}

fn or_all<T: Clone>(given: &[T], all: impl Fn() -> Vec<T>) -> Vec<T> {
    if given.is_empty() { all() } else { given.to_vec() }
}

/// The principals that a name, a group or a pattern stands for; somebody has to be.
fn principals(policy: &Policy, agent: &str) -> Result<Vec<String>, Error> {
    let members = match policy.groups.get(agent) {
        Some(group) => group.members.clone(),
        None => vec![
            NamePattern::parse(agent)
                .map_err(|error| Error::SetArgument { message: error.to_string(), hints: Vec::new() })?,
        ],
    };
    let is_meant = |name: &&String| members.iter().any(|member| member.matches(name));
    let found: Vec<String> = policy.principals.keys().filter(is_meant).cloned().collect();
    if found.is_empty() {
        return Err(Error::NotFound {
            place: Place::file(policy::PLACE),
            message: "the policy has no principal of that name".to_owned(),
            hints: vec!["`principals:` of the policy lists them".to_owned()],
        });
    }
    Ok(found)
}
