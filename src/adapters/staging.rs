//! Many files replaced in one go: every new state is written beside its file
//! first, then one sync a file system makes all of them last, and only then are
//! they renamed into place. A single file goes through [`super::replace`] alone.
//!
//! New states have no name where the system can do that, and cost an open file
//! each instead; a killed program leaves nothing behind. Signals wait while the
//! renames are made.
#![expect(clippy::disallowed_methods, reason = "the home of syncing folders")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::app::ports::{FileError, Fingerprint, Staged, Staging};

use super::system_error::file_error;
use super::{replace, signals, unlinked};

/// Open files that are left to everything else.
const RESERVE: usize = 128;

/// The most files that are staged at one time, so that a batch of any size has
/// a bounded number of them in the air.
const MOST: usize = 4096;

/// The file systems of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemStaging;

impl Staging for SystemStaging {
    fn room(&self) -> usize {
        open_files().saturating_sub(RESERVE).clamp(1, MOST)
    }

    fn stage(
        &self,
        path: &Path,
        bytes: &[u8],
        seen: Option<Fingerprint>,
    ) -> Result<Box<dyn Staged>, FileError> {
        signals::watch();
        let _no_signal = signals::hold();
        let waiting = replace::stage(path, bytes, seen)?;
        #[cfg(not(target_os = "linux"))]
        let waiting = {
            let mut waiting = waiting;
            waiting.sync()?;
            waiting
        };
        Ok(Box::new(waiting))
    }

    fn sync(&self, folders: &[&Path]) -> Result<(), FileError> {
        // What was put so far took the place of other files.
        unlinked::let_go();
        let mut file_systems: BTreeMap<u64, (File, PathBuf)> = BTreeMap::new();
        let mut folders = folders.to_vec();
        folders.sort_unstable();
        folders.dedup();
        for folder in folders {
            let failed = |error| file_error("sync", folder, &error);
            let device = device(&fs::metadata(folder).map_err(failed)?, file_systems.len());
            if let std::collections::btree_map::Entry::Vacant(free) = file_systems.entry(device) {
                free.insert((File::open(folder).map_err(failed)?, folder.to_owned()));
            }
        }
        file_systems.values().try_for_each(|(open, folder)| sync_file_system(open, folder))
    }
}

impl Staged for replace::Waiting {
    fn path(&self) -> &Path {
        self.path()
    }

    fn folder(&self) -> &Path {
        self.folder()
    }

    fn put(self: Box<Self>) -> Result<(), FileError> {
        let _no_signal = signals::hold();
        unlinked::keep(self.target());
        (*self).put()
    }
}

/// How many files this process may have open: as many as the system allows.
#[cfg(unix)]
fn open_files() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = (MOST + RESERVE) as u64;
    let possible = maximum.map_or(wanted, |maximum| maximum.min(wanted));
    let mut allowed = current.unwrap_or(wanted);
    if allowed < possible && setrlimit(Resource::Nofile, Rlimit { current: Some(possible), maximum }).is_ok()
    {
        allowed = possible;
    }
    usize::try_from(allowed).unwrap_or(MOST)
}

#[cfg(not(unix))]
fn open_files() -> usize {
    MOST
}

/// What a path is on, where the system can sync that in one call; else the folder itself.
fn device(found: &fs::Metadata, folders: usize) -> u64 {
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::fs::MetadataExt;
        let _ = folders;
        found.dev()
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = found;
        folders as u64
    }
}

/// Waits until everything on the file system of `folder` is on its disk; else
/// until the folder is. A system without that call syncs all of its disks.
fn sync_file_system(open: &File, folder: &Path) -> Result<(), FileError> {
    #[cfg(target_os = "linux")]
    {
        use rustix::io::Errno;
        match rustix::fs::syncfs(open) {
            Ok(()) => Ok(()),
            Err(Errno::NOSYS | Errno::INVAL | Errno::PERM) => {
                rustix::fs::sync();
                Ok(())
            }
            Err(error) => Err(file_error("sync", folder, &error.into())),
        }
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = open;
        replace::sync_folder(folder).map_err(|error| file_error("sync", folder, &error))
    }
}

#[cfg(test)]
mod tests;
