//! The `.leaflock` folders above a file, up to the top of its repository: settings and
//! policies lie in them. Each folder is looked at once a call, and where there is no
//! such folder that look is all that settings and policies cost.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::Deps;
use super::error::Error;
use super::ports::FileKind;

/// Its name.
pub const NAME: &str = ".leaflock";

/// What was found so far, by the folder that was asked about.
#[derive(Debug, Default)]
pub struct Memory {
    /// The folders that hold a `.leaflock`, nearest first.
    above: Mutex<BTreeMap<PathBuf, Arc<[PathBuf]>>>,
    /// Where a folder is, whatever links lead to it.
    real: Mutex<BTreeMap<PathBuf, PathBuf>>,
}

/// Where `folder` is, whatever links lead to it: many files share one.
pub fn real(deps: &Deps<'_>, folder: &Path) -> Result<PathBuf, Error> {
    let known = || deps.leaflock_folders.real.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(real) = known().get(folder) {
        return Ok(real.clone());
    }
    let real = deps.files.real(folder).map_err(Error::Read)?;
    known().insert(folder.to_owned(), real.clone());
    Ok(real)
}

/// The folders at and above `folder`, which is absolute, that hold a `.leaflock`;
/// nearest first, not past the one that holds `.git`.
pub fn above(deps: &Deps<'_>, folder: &Path) -> Result<Arc<[PathBuf]>, Error> {
    let mut known = deps.leaflock_folders.above.lock().unwrap_or_else(PoisonError::into_inner);
    let mut unknown = Vec::new();
    let mut found: Arc<[PathBuf]> = Arc::default();
    for at in folder.ancestors() {
        if let Some(answer) = known.get(at) {
            found = answer.clone();
            break;
        }
        let has_own = deps.files.kind(&at.join(NAME)).map_err(Error::Read)? == Some(FileKind::Directory);
        unknown.push((at, has_own));
        if deps.files.kind(&at.join(".git")).map_err(Error::Read)?.is_some() {
            break;
        }
    }
    for (at, has_own) in unknown.into_iter().rev() {
        if has_own {
            found = std::iter::once(at.to_owned()).chain(found.iter().cloned()).collect();
        }
        known.insert(at.to_owned(), found.clone());
    }
    Ok(found)
}

/// Forgets what was found: for a command that makes such a folder.
pub fn forget(deps: &Deps<'_>) {
    deps.leaflock_folders.above.lock().unwrap_or_else(PoisonError::into_inner).clear();
    deps.leaflock_folders.real.lock().unwrap_or_else(PoisonError::into_inner).clear();
}
