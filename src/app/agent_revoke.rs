//! Takes rights away by a signed line beside the policy: no administrator and no new
//! policy is needed, and no line gives anything. Who may sign manifests takes the secrets
//! out of the agents' files in the same step.

use std::path::{Path, PathBuf};

use super::Deps;
use super::agent::authority::{self, Authority};
use super::agent::root;
use super::agent::signing;
use super::agent::write::{self, Write};
use super::audit::log::Held;
use super::audit::record;
use super::derived::plan::{self, Accept};
use super::derived::put;
use super::error::{Error, Place};
use super::request::{Notice, OpenOptions};
use crate::domain::agent::audit::entry::Action;
use crate::domain::agent::denial::DenyCode;
use crate::domain::agent::manifest;
use crate::domain::agent::pattern::NamePattern;
use crate::domain::agent::policy::{self, Level, Policy};
use crate::domain::agent::revocations::{self, Signed, Statement};

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
    /// Keys of the sources.
    pub open: OpenOptions,
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
    /// What became of the agents' files.
    pub files: AgentFiles,
    /// What to say on the side.
    pub notices: Vec<Notice>,
}

/// What became of the files that agents have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentFiles {
    /// They were made anew, these of them, and these went.
    Synced {
        /// By their names.
        made: Vec<String>,
        /// By their names.
        removed: Vec<String>,
    },
    /// There are none: nothing was synced yet.
    None,
    /// They still hold what was taken away, for this reason.
    Stale(String),
}

/// Signs a revocation and appends it.
pub fn run(deps: &Deps<'_>, request: &Request) -> Result<Revoked, Error> {
    let root = root::here(deps)?;
    record::attempt_to(deps, Action::Revoke);
    deps.authorities.take_expired();
    let turn = turn(deps, &root)?;
    write::finish_unfinished(deps, &root)?;
    let authority = authority::load(deps, &root)?;
    // Somebody may be asked for a passphrase now, and others need not wait for that.
    drop(turn);
    let principals = principals(&authority.policy, &request.agent)?;
    let key = signing::Key::of(deps, request.key.as_deref())?;
    let statement = statement(deps, &authority, request)?;
    let signature = key.sign(deps, statement.message().as_bytes(), revocations::NAMESPACE)?;
    let line = statement.to_line(&signature).ok_or_else(|| Error::Other {
        place: Place::default(),
        cause: "there came no signature".into(),
        hints: Vec::new(),
    })?;
    let path = root.join(policy::REVOCATIONS);
    let signed = revocations::read(line.as_bytes(), 0).map_err(|error| Error::Other {
        place: Place::file(&path),
        cause: error.into(),
        hints: Vec::new(),
    })?;
    demand(&authority, &signed)?;
    let _turn = self::turn(deps, &root)?;
    let mut races = 0;
    let (number, files, mut notices) = loop {
        match append(deps, &root, &key, (&line, &signed), &request.open) {
            // Not another revocation, which has its turn, but git or an editor.
            Err(error) if write::is_race(&error) && races < RACES => races += 1,
            appended => break appended?,
        }
    };
    authority::load(deps, &root)?;
    notices.extend(record::changed(deps, Action::Revoke, &path));
    let signer = key.public.fingerprint();
    Ok(Revoked { path, line: number, digest: signed.digest, statement, principals, signer, files, notices })
}

/// How often somebody else may be faster.
const RACES: u32 = 10;

/// Waits for the turn of this call, and for what others wrote until then.
fn turn(deps: &Deps<'_>, root: &Path) -> Result<Option<Box<dyn Held>>, Error> {
    let turn = put::turn(deps, root)?;
    // What was verified before may not be what is there by now.
    authority::forget(deps);
    Ok(turn)
}

fn statement(deps: &Deps<'_>, authority: &Authority, request: &Request) -> Result<Statement, Error> {
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
    Ok(statement)
}

/// Refuses a signer who may not say this.
fn demand(authority: &Authority, signed: &Signed) -> Result<(), Error> {
    if signed.is_allowed(&authority.signers, &authority.policy) {
        return Ok(());
    }
    let Signed { statement, key, .. } = signed;
    Err(Error::Denied {
        code: DenyCode::NotAllowed,
        message: format!("{} may not take rights away from {}", key.fingerprint(), statement.agent),
        hints: vec!["administrators and responders may, and an agent may about itself".to_owned()],
    })
}

/// Brings the line to the disk behind those that are there, and the agents' files with it
/// where that is possible: together, or the line alone. Returns its number.
fn append(
    deps: &Deps<'_>,
    root: &Path,
    key: &signing::Key,
    (line, signed): (&str, &Signed),
    open: &OpenOptions,
) -> Result<(usize, AgentFiles, Vec<Notice>), Error> {
    authority::forget(deps);
    let mut authority = (*authority::load(deps, root)?).clone();
    demand(&authority, signed)?;
    let path = root.join(policy::REVOCATIONS);
    let found = deps.files.read_if_there(&path).map_err(Error::Read)?;
    let mut bytes = found.as_ref().map(|contents| contents.bytes.to_vec()).unwrap_or_default();
    if !bytes.is_empty() && !bytes.ends_with(b"\n") {
        bytes.push(b'\n');
    }
    let number = bytes.iter().filter(|byte| **byte == b'\n').count() + 1;
    bytes.extend_from_slice(line.as_bytes());
    let mut writes = vec![match found {
        Some(found) => Write::read(path, bytes, found.fingerprint),
        None => Write::new(path, bytes),
    }];
    let denial = signed.denial(&authority.policy).map_err(|error| Error::Other {
        place: Place::default(),
        cause: error.into(),
        hints: Vec::new(),
    })?;
    authority.revocations.push(denial);
    let (files, notices) = match synced(deps, &authority, key, open) {
        Ok((files, more, notices)) => {
            writes.extend(more);
            (files, notices)
        }
        // A right is taken away whether or not its files can be made anew here.
        Err(error) => {
            drop(record::refusal(deps));
            (AgentFiles::Stale(error.to_string()), Vec::new())
        }
    };
    write::commit(deps, write::COMMAND, root, &writes)?;
    Ok((number, files, notices))
}

/// The agents' files as they are to be under `authority`.
fn synced(
    deps: &Deps<'_>,
    authority: &Authority,
    key: &signing::Key,
    open: &OpenOptions,
) -> Result<(AgentFiles, Vec<Write>, Vec<Notice>), Error> {
    if authority.manifest.is_none() {
        return Ok((AgentFiles::None, Vec::new(), Vec::new()));
    }
    // Before anything is opened for whoever may not sign in the end.
    key.demand(deps, (&authority.policy, &authority.signers), (manifest::NAMESPACE, "manifests"))?;
    let mut plan = plan::plan(deps, authority, &[], &Accept::default(), open)?;
    let notices = std::mem::take(&mut plan.notices);
    let files = AgentFiles::Synced { made: plan.made.clone(), removed: plan.removed.clone() };
    Ok((files, put::finished(deps, authority, plan, key.chosen())?, notices))
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
