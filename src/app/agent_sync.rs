//! Derived files and their manifest are brought up to date, or looked at without a key.

use std::path::{Path, PathBuf};

use super::Deps;
use super::agent::authority::{self, Authority};
use super::agent::refusal::untold;
use super::audit::record;
use super::derived::plan::{self, Accept, Plan};
use super::derived::{put, sources, stale};
use super::error::{Error, Place};
use super::open::Locked;
use super::ports::FileKind;
use super::request::{Notice, OpenOptions};
use super::trust;
use crate::domain::agent::audit::entry::Action;
use crate::domain::agent::denial::DenyCode;
use crate::domain::agent::manifest::Manifest;
use crate::domain::agent::policy;
use crate::domain::diff::ciphertext::{self, What};
use crate::domain::digest;
use crate::domain::secret::SecretBytes;
use crate::domain::store::Format;

pub use super::derived::stale::{Reason, Stale};

/// What to do.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Sources that somebody else changed or put there, and that are taken over; the file
    /// of revocations, if lines of it are gone and the policy takes their place.
    pub accept: Vec<PathBuf>,
    /// Write nothing.
    pub dry_run: bool,
    /// The signing key, if it is not the user's own.
    pub signing_key: Option<String>,
    /// Keys of the sources.
    pub open: OpenOptions,
}

/// A source that is taken over as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Its name from the policy's folder.
    pub name: String,
    /// What changed since the state that the manifest holds; `None` where git does not
    /// know that state, or there is none.
    pub changes: Option<Vec<(What, String)>>,
}

/// What was done, or would be.
#[derive(Debug)]
pub struct Outcome {
    /// Whether anything changed.
    pub changed: bool,
    /// The serial of the manifest.
    pub serial: u64,
    /// Derived files that were made.
    pub made: Vec<String>,
    /// Files below `.leaflock/agents` that went.
    pub removed: Vec<String>,
    /// How many derived files stayed as they were.
    pub kept: usize,
    /// How many sources there are.
    pub sources: usize,
    /// Sources that were taken over.
    pub accepted: Vec<Accepted>,
    /// What to say on the side.
    pub notices: Vec<Notice>,
}

/// The folder of the policy around the working folder.
fn root(deps: &Deps<'_>) -> Result<PathBuf, Error> {
    trust::root(deps, Path::new("."))
}

/// What is out of date. No key is needed.
pub fn check(deps: &Deps<'_>) -> Result<Vec<Stale>, Error> {
    record::attempt_to(deps, Action::Sync);
    stale::all(deps, &*authority::load(deps, &root(deps)?)?)
}

/// Finishes what a call that was killed began, or undoes it; the number of its files,
/// and those that somebody else changed since.
pub fn settle(deps: &Deps<'_>, forward: bool) -> Result<Option<(usize, Vec<PathBuf>)>, Error> {
    let failed = |error| Error::Write { in_place: true, error };
    let Some(left) = deps.transactions.unfinished(&root(deps)?).map_err(failed)? else { return Ok(None) };
    let count = left.files().len();
    Ok(Some((count, left.settle(forward).map_err(failed)?)))
}

/// Brings everything up to date: all of it, or nothing.
pub fn run(deps: &Deps<'_>, request: &Request) -> Result<Outcome, Error> {
    let root = root(deps)?;
    record::attempt_to(deps, Action::Sync);
    if !request.dry_run {
        put::finish_unfinished(deps, &root)?;
    }
    let authority = to_remake(deps, &root)?;
    let accept = accept(deps, &authority, request)?;
    let plan = plan::plan(deps, &authority, &[], &accept, &request.open)?;
    let accepted =
        plan.accepted.iter().map(|name| accepted(deps, &authority, name)).collect::<Result<_, _>>()?;
    let outcome = outcome(&plan, accepted);
    if !request.dry_run && plan.is_change {
        put::write(deps, &authority, plan, Vec::new(), request.signing_key.as_deref())?;
    }
    Ok(outcome)
}

/// What counts, with the manifest that is there. One that does not verify, or is gone
/// though this machine has seen it, holds nothing: every source has to be taken over.
fn to_remake(deps: &Deps<'_>, root: &Path) -> Result<Authority, Error> {
    let mut authority = authority::load_to_remake(deps, root)?;
    if authority.manifest.is_none() {
        let marks = deps.trust.marks().map_err(untold)?;
        let seen = marks.repositories.get(authority.repo()).and_then(|mark| mark.manifest);
        authority.manifest = seen.map(|serial| Manifest { serial, ..Manifest::default() });
    }
    Ok(authority)
}

fn outcome(plan: &Plan, accepted: Vec<Accepted>) -> Outcome {
    let Plan { manifest, is_change, made, kept, removed, notices, .. } = plan;
    Outcome {
        changed: *is_change,
        serial: manifest.serial,
        made: made.clone(),
        removed: removed.clone(),
        kept: *kept,
        sources: manifest.sources.len(),
        accepted,
        notices: notices.clone(),
    }
}

/// The names of the files to be taken over.
fn accept(deps: &Deps<'_>, authority: &Authority, request: &Request) -> Result<Accept, Error> {
    let mut accept = Accept::default();
    for path in &request.accept {
        let path = deps.files.absolute(path).map_err(Error::Read)?;
        if path == authority.root.join(policy::REVOCATIONS) {
            accept.revocations = true;
            continue;
        }
        match deps.files.kind(&path).map_err(Error::Read)? {
            None => return Err(Error::NoSuchFile(path)),
            Some(FileKind::Directory) => {
                let all = sources::all(deps, &authority.root, &authority.policy)?;
                let below = all.into_iter().filter(|source| source.path.starts_with(&path));
                accept.names.extend(below.map(|source| source.name));
                continue;
            }
            Some(_) => {}
        }
        let name = sources::name_of(&authority.root, &path);
        let name = name.filter(|name| sources::may_be(&authority.policy, name));
        accept.names.insert(name.ok_or_else(|| Error::Other {
            place: Place::file(&path),
            cause: "this file is no source of the policy".into(),
            hints: vec![
                "`sources:` of the policy says which files are; without it, every encrypted one".to_owned(),
            ],
        })?);
    }
    Ok(accept)
}

/// What changed in a source since the state that was signed for, by its ciphertext.
fn accepted(deps: &Deps<'_>, authority: &Authority, name: &str) -> Result<Accepted, Error> {
    let known = authority.manifest.as_ref().and_then(|manifest| manifest.sources.get(name));
    let old = match known {
        Some(known) => signed_state(deps, authority, name, &known.sha256)?,
        None => None,
    };
    let path = authority.root.join(name);
    let place = Place::file(&path);
    let new = deps.files.read(&path).map_err(Error::Read)?.bytes;
    let format = Format::of_path(name);
    let changes = old.and_then(|old| {
        let (old, new) =
            (Locked::parse(&old, format, &place).ok()?, Locked::parse(&new, format, &place).ok()?);
        let changes = ciphertext::compare((old.store, &old.tree), (new.store, &new.tree), false);
        Some(changes.changes.into_iter().map(|change| (change.what, change.key)).collect())
    });
    Ok(Accepted { name: name.to_owned(), changes })
}

/// The state of a source with that SHA-256, from git's history.
fn signed_state(
    deps: &Deps<'_>,
    authority: &Authority,
    name: &str,
    wanted: &str,
) -> Result<Option<SecretBytes>, Error> {
    let path = authority.root.join(name);
    let history = deps.repository.history(&authority.root).map_err(Error::Read)?.unwrap_or_default();
    let mut blobs: Vec<String> =
        history.into_iter().filter(|version| version.path == path).map(|version| version.blob).collect();
    blobs.sort();
    blobs.dedup();
    let mut found = None;
    if !blobs.is_empty() {
        let mut take = |_: &str, bytes: SecretBytes| {
            if digest::hex_of(&bytes) == wanted {
                found = Some(bytes);
            }
        };
        deps.repository.contents(&authority.root, &blobs, &mut take).map_err(Error::Read)?;
    }
    Ok(found)
}

/// The code of what a check found: whether somebody may have planted a file.
pub fn verdict(found: &[Stale]) -> Option<DenyCode> {
    found.iter().any(|it| it.reason.is_mismatch()).then_some(DenyCode::ManifestMismatch)
}
