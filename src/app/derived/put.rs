//! Encrypted files are written together with what is made from them: where a policy
//! governs a file, its derived files and the signed manifest change in the same
//! transaction, or nothing does.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::plan::{self, Accept, Fresh, Plan, Write};
use super::sources;
use crate::app::Deps;
use crate::app::agent::authority::{self, Authority};
use crate::app::agent::signing;
use crate::app::error::Error;
use crate::app::open;
use crate::app::ports::Fingerprint;
use crate::app::request::{Destination, Done, Notice, OpenOptions};
use crate::domain::agent::denial::DenyCode;
use crate::domain::agent::manifest::{Manifest, NAMESPACE, PLACE, SIGNATURE};
use crate::domain::agent::policy::Principal;
use crate::domain::crypto::data_key::DataKey;
use crate::domain::secret::SecretBytes;

/// What the journal calls a change that goes on by itself.
pub const COMMAND: &str = "agent sync";

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
    let targets = paths.iter().map(|path| target(deps, path)).collect::<Result<Vec<PathBuf>, Error>>()?;
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
            name.is_some_and(|name| sources::may_be(&authority.policy, &name))
        });
        if !places.is_empty() {
            found.push((authority, places));
        }
    }
    Ok(found)
}

/// The file itself: a source is known by its own name, not by those of links to it.
fn target(deps: &Deps<'_>, path: &Path) -> Result<PathBuf, Error> {
    match deps.files.is_link(path) {
        true => deps.files.real(path).map_err(Error::Read),
        false => Ok(path.to_owned()),
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
    let exists = deps.files.kind(new.path).map_err(Error::Read)?.is_some();
    let own = Write {
        path: new.path.to_owned(),
        bytes: Some(SecretBytes::new(new.bytes.to_vec())),
        seen: new.seen,
        exists,
    };
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
    finish_unfinished(deps, root)?;
    let mut writes = others;
    writes.extend(finished(deps, authority, plan, key)?);
    commit(deps, COMMAND, root, &writes)
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
        let there = deps.files.read_if_there(&path).map_err(Error::Read)?;
        let seen = there.as_ref().and_then(|there| there.fingerprint);
        writes.push(Write { path, bytes: Some(SecretBytes::new(bytes)), seen, exists: there.is_some() });
    }
    Ok(writes)
}

/// The signature of a manifest by the user's key, or the one that `key` names.
///
/// # Errors
/// [`Error::NoIdentity`] without a key, [`Error::Denied`] where it may not sign manifests.
fn sign(deps: &Deps<'_>, authority: &Authority, bytes: &[u8], key: Option<&str>) -> Result<String, Error> {
    let key = signing::Key::of(deps, key)?;
    let is_listed = authority.signers.allows(&key.public, NAMESPACE, &deps.clock.now()).is_some();
    let principal = authority.policy.principal_of_key(&key.public.to_string());
    if !is_listed || principal.is_some_and(Principal::is_agent) {
        return Err(Error::Denied {
            code: DenyCode::NoSigner,
            message: format!(
                "{} may not sign for derived files, so nothing was written",
                key.public.fingerprint()
            ),
            hints: vec![
                "somebody whom .leaflock/allowed_signers lists, and who is no agent, makes this change"
                    .to_owned(),
                "to be listed: an administrator adds the line `NAME namespaces=\"leaflock-manifest@v1\" KEY` there, \
                 and runs `leaflock trust sign`"
                    .to_owned(),
            ],
        });
    }
    key.sign(deps, bytes, NAMESPACE)
}

/// What a call that was killed left of one source, or of a sync, is complete and signed:
/// it goes on before anything else is written. What changes many files by a question to
/// the user waits for his answer.
pub fn finish_unfinished(deps: &Deps<'_>, root: &Path) -> Result<(), Error> {
    let failed = |error| Error::Write { in_place: true, error };
    match deps.transactions.unfinished(root).map_err(failed)? {
        Some(left) if left.command() == COMMAND => left.settle(true).map(drop).map_err(failed),
        Some(left) => Err(Error::Unfinished {
            command: left.command().to_owned(),
            done: left.done(),
            total: left.files().len(),
        }),
        None => Ok(()),
    }
}

/// Brings files to the disk: all of them or none.
pub fn commit(deps: &Deps<'_>, command: &str, root: &Path, writes: &[Write]) -> Result<(), Error> {
    let failed = |error| Error::Write { in_place: true, error };
    if writes.is_empty() {
        return Ok(());
    }
    let paths: Vec<PathBuf> = writes.iter().map(|write| write.path.clone()).collect();
    let transaction = deps.transactions.begin(root, command, &paths).map_err(failed)?;
    for (index, write) in writes.iter().enumerate() {
        let staged = match (&write.bytes, write.exists) {
            (Some(bytes), true) => transaction.stage(index, bytes, write.seen),
            (Some(bytes), false) => transaction.create(index, bytes),
            (None, _) => transaction.remove(index, write.seen),
        };
        staged.map_err(failed)?;
    }
    transaction.commit().map_err(failed)?;
    let manifest = writes.iter().find(|write| write.path == root.join(PLACE));
    if let Some(Ok(manifest)) = manifest.and_then(|it| it.bytes.as_deref()).map(Manifest::parse) {
        authority::wrote_manifest(deps, &manifest.repo, manifest.serial);
    }
    authority::forget(deps);
    Ok(())
}
