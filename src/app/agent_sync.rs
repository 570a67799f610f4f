//! Derived files and their manifest are brought up to date, or looked at without a key.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use super::Deps;
use super::agent::authority::{self, Authority};
use super::agent::refusal::untold;
use super::agent::root;
use super::agent::write;
use super::audit::record;
use super::derived::plan::{self, Accept, Plan};
use super::derived::{put, sources, stale};
use super::error::{Error, Place};
use super::open::Locked;
use super::ports::FileKind;
use super::request::{Notice, OpenOptions};
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

/// What is out of date. No key is needed.
pub fn check(deps: &Deps<'_>) -> Result<Vec<Stale>, Error> {
    record::attempt_to(deps, Action::Sync);
    stale::all(deps, &*authority::load(deps, &root::here(deps)?)?)
}

/// Finishes what a call that was killed began, or undoes it; the number of its files,
/// and those that somebody else changed since.
pub fn settle(deps: &Deps<'_>, forward: bool) -> Result<Option<(usize, Vec<PathBuf>)>, Error> {
    let failed = |error| Error::Write { in_place: true, error };
    let Some(left) = deps.transactions.unfinished(&root::here(deps)?).map_err(failed)? else {
        return Ok(None);
    };
    let count = left.files().len();
    Ok(Some((count, left.settle(forward).map_err(failed)?)))
}

/// Brings everything up to date: all of it, or nothing.
pub fn run(deps: &Deps<'_>, request: &Request) -> Result<Outcome, Error> {
    let root = root::here(deps)?;
    record::attempt_to(deps, Action::Sync);
    if !request.dry_run {
        write::finish_unfinished(deps, &root)?;
    }
    let authority = to_remake(deps, &root)?;
    let mut accept = accept(deps, &authority, request)?;
    ask_first(deps, &authority, &mut accept, request.dry_run)?;
    let plan = plan::plan(deps, &authority, &[], &accept, &request.open)?;
    let accepted = accepted(deps, &authority, &plan.accepted)?;
    let outcome = outcome(&plan, accepted);
    if !request.dry_run && plan.is_change {
        put::write(deps, &authority, plan, Vec::new(), request.signing_key.as_deref())?;
    }
    Ok(outcome)
}

/// What counts, with the manifest that is there. Without one that verifies, nobody has
/// signed for any source: each has to be taken over.
fn to_remake(deps: &Deps<'_>, root: &Path) -> Result<Authority, Error> {
    let mut authority = authority::load_to_remake(deps, root)?;
    if authority.manifest.is_none() {
        let marks = deps.trust.marks().map_err(untold)?;
        let seen = marks.repositories.get(authority.repo()).and_then(|mark| mark.manifest);
        authority.manifest = Some(Manifest { serial: seen.unwrap_or_default(), ..Manifest::default() });
    }
    Ok(authority)
}

/// At the first sync of all, the person at the terminal is asked whether the sources are
/// what they should be.
///
/// # Errors
/// [`DenyCode::ManifestMismatch`] if nobody is there, or says no.
fn ask_first(
    deps: &Deps<'_>,
    authority: &Authority,
    accept: &mut Accept,
    dry_run: bool,
) -> Result<(), Error> {
    if authority.manifest_file.is_some() || authority::load(deps, &authority.root).is_err() {
        return Ok(());
    }
    let all = sources::all(deps, &authority.root, &authority.policy)?;
    let unsigned: Vec<String> =
        all.into_iter().map(|source| source.name).filter(|name| !accept.names.contains(name)).collect();
    if unsigned.is_empty() {
        return Ok(());
    }
    let list: String = unsigned.iter().map(|name| format!("  {name}\n")).collect();
    let question = format!(
        "Nobody has signed for these files yet, which may have come from anybody:\n{list}\
         Your signature says that they are what they should be."
    );
    if dry_run
        || matches!(deps.prompt.choose(&question, "sign for them as they are", Some("do not")), Ok(true))
    {
        accept.names.extend(unsigned);
        return Ok(());
    }
    Err(Error::Integrity {
        place: Place::file(authority.root.join(&unsigned[0])),
        code: DenyCode::ManifestMismatch,
        cause: format!("nobody has signed for {} yet", unsigned.join(", ")).into(),
        hints: vec![
            "look at them first: whoever wrote them, agents get what they say".to_owned(),
            "`leaflock agent sync --accept .` takes all of them over as they are".to_owned(),
        ],
    })
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
        let path = deps.files.absolute(path).and_then(|path| deps.files.real(&path)).map_err(Error::Read)?;
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
        let name = name.filter(|name| authority.policy.governs(name));
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

/// What changed in each of these sources since the state that was signed for, by their
/// ciphertext.
fn accepted(deps: &Deps<'_>, authority: &Authority, names: &[String]) -> Result<Vec<Accepted>, Error> {
    let mut signed = signed_states(deps, authority, names)?;
    let one = |name: &String| {
        let path = authority.root.join(name);
        let new = deps.files.read(&path).map_err(Error::Read)?.bytes;
        let changes = signed.remove(name).and_then(|old| changes(&old, &new, name, &Place::file(&path)));
        Ok(Accepted { name: name.clone(), changes })
    };
    names.iter().map(one).collect()
}

fn changes(old: &[u8], new: &[u8], name: &str, place: &Place) -> Option<Vec<(What, String)>> {
    let format = Format::of_path(name);
    let (old, new) = (Locked::parse(old, format, place).ok()?, Locked::parse(new, format, place).ok()?);
    let changes = ciphertext::compare((old.store, &old.tree), (new.store, &new.tree), false);
    Some(changes.changes.into_iter().map(|change| (change.what, change.key)).collect())
}

/// The states of sources that the manifest holds, as far as git's history has them. It is
/// gone through once for all.
fn signed_states(
    deps: &Deps<'_>,
    authority: &Authority,
    names: &[String],
) -> Result<HashMap<String, SecretBytes>, Error> {
    let known = |name: &String| Some((name.clone(), authority.manifest.as_ref()?.sources.get(name)?));
    let wanted: HashMap<String, _> = names.iter().filter_map(known).collect();
    let mut found = HashMap::new();
    if wanted.is_empty() {
        return Ok(found);
    }
    let history = deps.repository.history(&authority.root).map_err(Error::Read)?.unwrap_or_default();
    let mut names_of: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for version in history {
        let name = sources::name_of(&authority.root, &version.path);
        if let Some(name) = name.filter(|name| wanted.contains_key(name)) {
            names_of.entry(version.blob).or_default().insert(name);
        }
    }
    let blobs = names_of.keys().cloned().collect();
    let mut take = |blob: &str, bytes: SecretBytes| {
        let sha256 = digest::hex_of(&bytes);
        for name in names_of.get(blob).into_iter().flatten().filter(|name| wanted[*name].sha256 == sha256) {
            found.insert(name.clone(), bytes.clone());
        }
    };
    deps.repository.each_content(&authority.root, blobs, &mut take).map_err(Error::Read)?;
    Ok(found)
}

/// The code of what a check found: whether somebody may have planted a file.
pub fn verdict(found: &[Stale]) -> Option<DenyCode> {
    found.iter().any(|it| it.reason.is_mismatch()).then_some(DenyCode::ManifestMismatch)
}
