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

/// The folders that hold a `.leaflock`, nearest first, by the folder that is asked about.
#[derive(Debug, Default)]
pub struct Memory(Mutex<BTreeMap<PathBuf, Arc<[PathBuf]>>>);

/// The folders at and above `folder`, which is absolute, that hold a `.leaflock`;
/// nearest first, not past the one that holds `.git`.
pub fn above(deps: &Deps<'_>, folder: &Path) -> Result<Arc<[PathBuf]>, Error> {
    let mut known = deps.leaflock_folders.0.lock().unwrap_or_else(PoisonError::into_inner);
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
    deps.leaflock_folders.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
}
