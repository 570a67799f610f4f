//! Private directories for plaintext: 0700 with 0600 files, on a memory file
//! system where there is one, wiped and removed on every way out of the process
//! (dropped, panic, signals; see [`super::signals`]).
//!
//! Places in order: `$XDG_RUNTIME_DIR` and `/dev/shm`, if they are tmpfs or
//! ramfs, else the directory for temporary files, whose bytes a disk may keep
//! in spite of the wiping.
//!
//! Only SIGKILL and a crash of the machine leave a directory behind. Each is
//! locked while its process lives; the next one wipes what nobody holds.
#![expect(clippy::disallowed_methods, reason = "the home of private directories")]

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use crate::app::ports::{FileError, FileErrorKind, PrivateDir, PrivateFiles};
use crate::domain::secret::SecretBytes;

use super::files::{file_error, read};
use super::signals;
use super::wipe::wipe_tree;

/// How the names of private directories begin, and of nothing else: what bears
/// such a name and is held by nobody gets wiped.
const PREFIX: &str = "leaflock-private-";

/// Directories younger than this may not be locked yet.
const SETTLED: Duration = Duration::from_secs(10);

/// Makes private directories.
#[derive(Clone, Debug)]
pub struct SystemPrivateFiles {
    runtime: Option<PathBuf>,
    temporary: PathBuf,
}

impl SystemPrivateFiles {
    /// `runtime` is `$XDG_RUNTIME_DIR`; `temporary` is `$TMPDIR` or the system's
    /// directory for temporary files.
    pub fn new(runtime: Option<PathBuf>, temporary: PathBuf) -> Self {
        Self { runtime: runtime.filter(|folder| folder.is_absolute()), temporary }
    }

    fn make(&self) -> io::Result<(PathBuf, bool)> {
        let shared = Path::new("/dev/shm");
        for base in self.runtime.as_deref().into_iter().chain([shared]) {
            if is_memory(base)
                && let Ok(folder) = make_in(base)
            {
                return Ok((folder, true));
            }
        }
        Ok((make_in(&self.temporary)?, is_memory(&self.temporary)))
    }
}

impl PrivateFiles for SystemPrivateFiles {
    fn create(&self) -> Result<Box<dyn PrivateDir>, FileError> {
        signals::watch();
        let mut pending = signals::pending();
        let (folder, in_memory) =
            self.make().map_err(|error| file_error("mkdir", &self.temporary, &error))?;
        pending.folders.push((folder.clone(), in_memory));
        let claim = claim(&folder);
        if let Some(base) = folder.parent() {
            sweep(base, in_memory);
        }
        Ok(Box::new(Folder { path: folder, _claim: claim }))
    }
}

/// A private directory that exists.
struct Folder {
    path: PathBuf,
    /// Locked as long as this process lives.
    _claim: Option<File>,
}

impl Folder {
    fn path(&self, name: &str) -> Result<PathBuf, FileError> {
        let mut parts = Path::new(name).components();
        if let (Some(Component::Normal(only)), None) = (parts.next(), parts.next())
            && only == name
        {
            return Ok(self.path.join(name));
        }
        let reason = "not a plain file name".to_owned();
        Err(FileError { action: "open", path: PathBuf::from(name), kind: FileErrorKind::Other, reason })
    }
}

impl PrivateDir for Folder {
    fn write(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, FileError> {
        let path = self.path(name)?;
        let _no_cleaning = signals::pending();
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        let mut file = options.open(&path).map_err(|error| file_error("open", &path, &error))?;
        file.write_all(bytes).map_err(|error| file_error("write", &path, &error))?;
        Ok(path)
    }

    fn read(&self, name: &str) -> Result<SecretBytes, FileError> {
        Ok(read(&self.path(name)?)?.bytes)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let mut pending = signals::pending();
        pending.folders.retain(|(folder, in_memory)| {
            let mine = *folder == self.path;
            if mine {
                wipe_tree(folder, *in_memory);
            }
            !mine
        });
    }
}

/// Locks a directory, unless somebody else has.
fn claim(folder: &Path) -> Option<File> {
    let opened = File::open(folder).ok()?;
    opened.try_lock().ok().map(|()| opened)
}

/// Wipes the private directories in `base` that were left by processes of this
/// user that were killed.
fn sweep(base: &Path, in_memory: bool) {
    for entry in fs::read_dir(base).into_iter().flatten().flatten() {
        if !entry.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes()) {
            continue;
        }
        let Ok(found) = entry.metadata() else { continue };
        let age = found.modified().ok().and_then(|time| time.elapsed().ok()).unwrap_or_default();
        if found.is_dir() && is_private(&found) && age > SETTLED {
            let path = entry.path();
            if let Some(_claim) = claim(&path) {
                wipe_tree(&path, in_memory);
            }
        }
    }
}

/// Whether this user owns it and nobody else can look inside.
fn is_private(found: &fs::Metadata) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        found.mode() & 0o7777 == 0o700 && found.uid() == rustix::process::geteuid().as_raw()
    }
    #[cfg(not(unix))]
    {
        let _ = found;
        false
    }
}

fn make_in(base: &Path) -> io::Result<PathBuf> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o700));
    }
    builder.tempdir_in(base).map(tempfile::TempDir::keep)
}

/// Whether a directory is on a file system that lives in memory.
fn is_memory(folder: &Path) -> bool {
    #[cfg(target_os = "linux")]
    {
        const TMPFS: i128 = 0x0102_1994;
        const RAMFS: i128 = 0x8584_58F6;
        rustix::fs::statfs(folder).is_ok_and(|found| [TMPFS, RAMFS].contains(&i128::from(found.f_type)))
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = folder;
        false
    }
}

#[cfg(test)]
mod tests;
