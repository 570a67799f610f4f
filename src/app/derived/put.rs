//! Encrypted files are written together with what is made from them: where a policy
//! governs a file, its derived files and the signed manifest change in the same
//! transaction, or nothing does.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::plan::{self, Accept, Fresh, Plan};
use super::sources;
use crate::app::Deps;
use crate::app::agent::authority::{self, Authority};
use crate::app::agent::signing;
use crate::app::agent::write::{self, Write};
use crate::app::audit::log::Held;
use crate::app::error::Error;
use crate::app::open;
use crate::app::ports::Fingerprint;
use crate::app::repository::Place;
use crate::app::request::{Destination, Done, Notice, OpenOptions};
use crate::domain::agent::manifest::{NAMESPACE, PLACE, SIGNATURE};
use crate::domain::crypto::data_key::DataKey;
use crate::domain::secret::SecretBytes;

/// Threads of a batch write one after the other: each reads the manifest of the last.
static TURN: Mutex<()> = Mutex::new(());

/// An encrypted file that is about to be written.
pub struct NewState<'n> {
    /// The file, absolute.
    pub path: &'n Path,
    /// Its new bytes.
    pub bytes: &'n [u8],
    /// Their data key; without it, the file is opened as others are.
    pub data_key: Option<&'n DataKey>,
    /// Its state before; `None` if it is new, or was not read.
    pub seen: Option<Fingerprint>,
}

/// The policy that governs `path`, if there is one and there was a sync. Before the
/// first, no file is made from another.
pub fn governing(deps: &Deps<'_>, path: &Path) -> Result<Option<Arc<Authority>>, Error> {
    Ok(governing_all(deps, &[path])?.pop().map(|(authority, _)| authority))
}

/// A policy that governs some files of a list, and their places in it.
pub type Governing = (Arc<Authority>, Vec<usize>);

/// The policies that govern some of `paths`.
pub fn governing_all(deps: &Deps<'_>, paths: &[&Path]) -> Result<Vec<Governing>, Error> {
    let mut roots: BTreeMap<PathBuf, Vec<usize>> = BTreeMap::new();
    let real = |path: &&Path| deps.files.real(path).map_err(Error::Read);
    let targets = paths.iter().map(real).collect::<Result<Vec<PathBuf>, Error>>()?;
    for (at, path) in targets.iter().enumerate() {
        let Some(folder) = path.parent() else { continue };
        if let Some(root) = authority::find_root(deps, folder)? {
            roots.entry(root).or_default().push(at);
        }
    }
    let mut found = Vec::new();
    for (root, mut places) in roots {
        let authority = authority::load(deps, &root)?;
        if authority.manifest.is_none() {
            continue;
        }
        places.retain(|&at| {
            let name = sources::name_of(&root, &targets[at]);
            name.is_some_and(|name| authority.policy.governs(&name))
        });
        if !places.is_empty() {
            found.push((authority, places));
        }
    }
    Ok(found)
}

/// Waits until no other call of this clone changes what the policy of `root` governs;
/// dropped, the next one may. Without a repository there is no such turn: the states that
/// were read still tell who was slower.
pub fn turn(deps: &Deps<'_>, root: &Path) -> Result<Option<Box<dyn Held>>, Error> {
    let place = deps.repository.place(root).map_err(Error::Read)?;
    let lock = |place: Place| deps.audit_log.lock(&place.common_dir.join(LOCKED));
    place.map(lock).transpose().map_err(|error| Error::Write { in_place: false, error })
}

/// The folder of the lock, from git's own.
const LOCKED: &str = "leaflock";

/// The same for the policy around `path`, absolute, if there is one that can be locked. To be
/// taken before the file is read, by what ends without a person's doing. Without it, a call
/// that was slower is refused.
pub fn turn_of_file(deps: &Deps<'_>, path: &Path) -> Result<Option<Box<dyn Held>>, Error> {
    let path = deps.files.real(path).map_err(Error::Read)?;
    let root = path.parent().map(|folder| authority::find_root(deps, folder)).transpose()?.flatten();
    match root.map(|root| turn(deps, &root)).transpose() {
        Err(Error::Write { .. }) => Ok(None),
        turn => Ok(turn?.flatten()),
    }
}

/// Writes a new state of a source with what is made from it; `None`, and nothing is done,
/// if no policy governs it.
pub fn source(deps: &Deps<'_>, new: &NewState<'_>) -> Result<Option<Vec<Notice>>, Error> {
    if governing(deps, new.path)?.is_none() {
        return Ok(None);
    }
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    // Another thread may have written a manifest since.
    let Some(authority) = governing(deps, new.path)? else { return Ok(None) };
    let fresh = [Fresh { path: new.path, bytes: new.bytes, data_key: new.data_key }];
    let open = OpenOptions::default();
    let plan = plan::plan(deps, &authority, &fresh, &Accept::default(), &open)?;
    let path = deps.files.real(new.path).map_err(Error::Read)?;
    let exists = deps.files.kind(&path).map_err(Error::Read)?.is_some();
    let own = Write { path, bytes: Some(SecretBytes::new(new.bytes.to_vec())), seen: new.seen, exists };
    let notices = plan.notices.clone();
    write(deps, &authority, plan, vec![own], None)?;
    Ok(Some(notices))
}

/// [`open::deliver`] for an encrypted file.
pub fn deliver(
    deps: &Deps<'_>,
    destination: &Destination,
    input: &open::Input,
    bytes: SecretBytes,
    data_key: Option<&DataKey>,
    notices: &mut Vec<Notice>,
) -> Result<Done, Error> {
    let (path, seen) = match (destination, &input.path) {
        (Destination::File(path), _) => (deps.files.absolute(path).map_err(Error::Read)?, None),
        (Destination::InPlace | Destination::Staged, Some(path)) => (path.clone(), input.seen),
        _ => return open::deliver(deps, destination, input, bytes),
    };
    match source(deps, &NewState { path: &path, bytes: &bytes, data_key, seen })? {
        None => open::deliver(deps, destination, input, bytes),
        Some(said) => {
            notices.extend(said);
            Ok(Done::Written(path))
        }
    }
}

/// Brings `plan` and `others` to the disk, with the manifest and its signature: all of it
/// or nothing. `key` names the signing key, if it is not the user's own.
pub fn write(
    deps: &Deps<'_>,
    authority: &Authority,
    plan: Plan,
    others: Vec<Write>,
    key: Option<&str>,
) -> Result<(), Error> {
    let root = &authority.root;
    write::finish_unfinished(deps, root)?;
    let mut writes = others;
    writes.extend(finished(deps, authority, plan, key)?);
    write::commit(deps, write::COMMAND, root, &writes)
}

/// The files of `plan`, the manifest and its signature among them.
pub fn finished(
    deps: &Deps<'_>,
    authority: &Authority,
    plan: Plan,
    key: Option<&str>,
) -> Result<Vec<Write>, Error> {
    let mut writes = plan.writes;
    if !plan.is_change {
        return Ok(writes);
    }
    let bytes = plan.manifest.to_bytes();
    let signature = sign(deps, authority, &bytes, key)?;
    for (place, bytes) in [(PLACE, bytes), (SIGNATURE, signature.into_bytes())] {
        let path = authority.root.join(place);
        writes.push(match place {
            // The manifest in the state in which the plan knows it: another call may have
            // written one since.
            PLACE => match authority.manifest_file {
                Some(seen) => Write::read(path, bytes, seen),
                None => Write::new(path, bytes),
            },
            _ => Write::replacing(deps, path, bytes)?,
        });
    }
    Ok(writes)
}

/// The signature of a manifest by the user's key, or the one that `key` names.
///
/// # Errors
/// [`Error::NoIdentity`] without a key, [`Error::Denied`] where it may not sign manifests.
fn sign(deps: &Deps<'_>, authority: &Authority, bytes: &[u8], key: Option<&str>) -> Result<String, Error> {
    let key = signing::Key::of(deps, key)?;
    key.demand(deps, (&authority.policy, &authority.signers), (NAMESPACE, "manifests"))?;
    key.sign(deps, bytes, NAMESPACE)
}
