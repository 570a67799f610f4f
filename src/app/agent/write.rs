//! Files of the policy change in one way: each in the state in which it was read, several
//! all or none. What somebody else wrote in between is never lost: the change is refused.

use std::path::{Path, PathBuf};

use super::authority;
use crate::app::Deps;
use crate::app::error::Error;
use crate::app::ports::{FileError, FileErrorKind, Fingerprint};
use crate::domain::agent::manifest::{self, Manifest};
use crate::domain::secret::SecretBytes;

/// What the journal calls a change that goes on by itself.
pub const COMMAND: &str = "agent sync";

/// A file that changes.
#[derive(Debug)]
pub struct Write {
    /// The file, absolute.
    pub path: PathBuf,
    /// Its new bytes; `None` if it goes.
    pub bytes: Option<SecretBytes>,
    /// Its state before; `None` if it is new, or was not read.
    pub seen: Option<Fingerprint>,
    /// False if it is new.
    pub exists: bool,
}

impl Write {
    /// New bytes for a file that was read in the state `seen`.
    pub fn read(path: PathBuf, bytes: impl Into<SecretBytes>, seen: Option<Fingerprint>) -> Self {
        Self { path, bytes: Some(bytes.into()), seen, exists: true }
    }

    /// A file in place of nothing.
    pub fn new(path: PathBuf, bytes: impl Into<SecretBytes>) -> Self {
        Self { path, bytes: Some(bytes.into()), seen: None, exists: false }
    }

    /// New bytes for whatever is there now; a new file where nothing is.
    pub fn replacing(deps: &Deps<'_>, path: PathBuf, bytes: impl Into<SecretBytes>) -> Result<Self, Error> {
        let there = deps.files.read_if_there(&path).map_err(Error::Read)?;
        Ok(match there {
            Some(there) => Self::read(path, bytes, there.fingerprint),
            None => Self::new(path, bytes),
        })
    }

    /// A file that goes, read in the state `seen`.
    pub fn removing(path: PathBuf, seen: Option<Fingerprint>) -> Self {
        Self { path, bytes: None, seen, exists: true }
    }
}

/// What a call that was killed left of one source, or of a sync, is complete and signed:
/// it goes on before anything else is read to be changed. What changes many files by a
/// question to the user waits for his answer.
pub fn finish_unfinished(deps: &Deps<'_>, root: &Path) -> Result<(), Error> {
    match deps.transactions.unfinished(root).map_err(failed)? {
        Some(left) if left.command() == COMMAND => {
            left.settle(true).map_err(failed)?;
            authority::forget(deps);
            Ok(())
        }
        Some(left) => Err(Error::Unfinished {
            command: left.command().to_owned(),
            done: left.done(),
            total: left.files().len(),
        }),
        None => Ok(()),
    }
}

/// Brings files to the disk, by `command`: all of them or none.
///
/// # Errors
/// One for which [`is_race`] holds if somebody else wrote one of them since it was read.
pub fn commit(deps: &Deps<'_>, command: &str, root: &Path, writes: &[Write]) -> Result<(), Error> {
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
    let manifest = writes.iter().find(|write| write.path == root.join(manifest::PLACE));
    if let Some(Ok(manifest)) = manifest.and_then(|it| it.bytes.as_deref()).map(Manifest::parse) {
        authority::wrote_manifest(deps, &manifest.repo, manifest.serial);
    }
    authority::forget(deps);
    Ok(())
}

/// True for what ends a change because somebody else was faster: once more, it may work.
pub fn is_race(error: &Error) -> bool {
    let is_one = |error: &FileError| matches!(error.kind, FileErrorKind::Changed | FileErrorKind::Exists);
    matches!(error, Error::Write { error, .. } if is_one(error))
}

fn failed(error: FileError) -> Error {
    Error::Write { in_place: true, error }
}
