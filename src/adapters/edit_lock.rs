//! One editing session at a time and file. The lock is on a small file in the
//! user's runtime directory, named by a hash of the edited file's real path, so
//! that nothing is left beside the file itself; it says who holds it. The system
//! lets go of it when the process ends, however it ends.
//!
//! Sessions of different users don't see each other's lock; for them, and for
//! every other program, the comparison before the file is replaced remains.
#![expect(clippy::disallowed_methods, reason = "the home of lock files")]

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::app::ports::{EditLock, EditLockError, EditLocks, FileError, FileErrorKind};

use super::lock_file::is_still_at;
use super::system_error::file_error;
use crate::domain::digest;

/// Attempts to get a lock file that others remove at the same time.
const ATTEMPTS: usize = 100;

/// Bytes of a holder's note that are read.
const NOTE_LIMIT: u64 = 200;

/// Lock files in the user's runtime directory.
#[derive(Clone, Debug)]
pub struct SystemEditLocks {
    runtime: Option<PathBuf>,
    temporary: PathBuf,
    user: Option<String>,
}

impl SystemEditLocks {
    /// `runtime` is `$XDG_RUNTIME_DIR`, `temporary` the directory for temporary
    /// files, `user` the name that others see.
    pub fn new(runtime: Option<PathBuf>, temporary: PathBuf, user: Option<String>) -> Self {
        let runtime = runtime.filter(|folder| folder.is_absolute());
        Self { runtime, temporary, user }
    }

    fn folder(&self) -> PathBuf {
        match &self.runtime {
            Some(runtime) if runtime.is_dir() => runtime.join("leaflock"),
            _ => self.temporary.join(format!("leaflock-locks-{}", user_number())),
        }
    }

    fn note(&self) -> String {
        let user = self.user.clone().filter(|name| !name.is_empty()).unwrap_or_else(user_number);
        format!("{user} (process {})", std::process::id())
    }

    /// Makes the directory, and refuses one that somebody else put there.
    fn prepare(&self) -> Result<PathBuf, FileError> {
        let folder = self.folder();
        let failed = |error: &io::Error| file_error("mkdir", &folder, error);
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        {
            use std::os::unix::fs::DirBuilderExt;
            builder.mode(0o700);
        }
        match builder.create(&folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(&error)),
            _ => {}
        }
        let found = fs::symlink_metadata(&folder).map_err(|error| failed(&error))?;
        if found.is_dir() && is_own(&found) {
            return Ok(folder);
        }
        let reason = "belongs to somebody else".to_owned();
        Err(FileError { action: "mkdir", path: folder, kind: FileErrorKind::Denied, reason })
    }
}

impl EditLocks for SystemEditLocks {
    fn lock(&self, path: &Path) -> Result<Box<dyn EditLock>, EditLockError> {
        let place = self.prepare()?.join(lock_name(&real_path(path)));
        for _ in 0..ATTEMPTS {
            let failed = |error: &io::Error| file_error("lock", &place, error);
            let mut file = open(&place).map_err(|error| failed(&error))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    return Err(EditLockError::Held { path: path.to_owned(), holder: holder(&file) });
                }
                Err(TryLockError::Error(error)) => return Err(failed(&error).into()),
            }
            if is_still_at(&file, &place) {
                let note = self.note();
                file.set_len(0).and_then(|()| file.write_all(note.as_bytes())).map_err(|e| failed(&e))?;
                return Ok(Box::new(Held { place, _file: file }));
            }
        }
        Err(file_error("lock", &place, &io::ErrorKind::TimedOut.into()).into())
    }
}

/// The claim; removing the lock file before letting go keeps the folder clean.
struct Held {
    place: PathBuf,
    _file: File,
}

impl EditLock for Held {}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.place);
    }
}

fn open(place: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(place)
}

fn holder(file: &File) -> String {
    let mut note = String::new();
    match file.take(NOTE_LIMIT).read_to_string(&mut note) {
        Ok(_) if !note.is_empty() => note,
        _ => "another process".to_owned(),
    }
}

/// The path behind all links; of a file that does not exist yet, its folder's.
fn real_path(path: &Path) -> PathBuf {
    if let Ok(real) = fs::canonicalize(path) {
        return real;
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match (fs::canonicalize(folder), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path.to_owned(),
    }
}

fn lock_name(real: &Path) -> String {
    format!("{}.lock", digest::hex_of(real.as_os_str().as_encoded_bytes()))
}

#[cfg(unix)]
fn is_own(found: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    found.uid() == rustix::process::geteuid().as_raw()
}

#[cfg(not(unix))]
fn is_own(_found: &fs::Metadata) -> bool {
    true
}

#[cfg(unix)]
fn user_number() -> String {
    rustix::process::geteuid().as_raw().to_string()
}

#[cfg(not(unix))]
fn user_number() -> String {
    "user".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locks(folder: &Path, user: &str) -> SystemEditLocks {
        SystemEditLocks::new(Some(folder.to_owned()), folder.to_owned(), Some(user.to_owned()))
    }

    #[test]
    fn the_second_session_is_told_who_holds_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secrets.yaml");
        fs::write(&file, "a: 1").unwrap();
        let link = folder.path().join("link.yaml");
        #[cfg(unix)]
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let first = locks(folder.path(), "alice").lock(&file).unwrap();
        for path in [&file, &link] {
            let message = locks(folder.path(), "bob").lock(path).err().unwrap().to_string();
            let expected =
                format!("{} is being edited by alice (process {})", path.display(), std::process::id());
            assert_eq!(message, expected);
        }
        drop(first);
        drop(locks(folder.path(), "bob").lock(&file).unwrap());
        assert_eq!(fs::read_dir(folder.path().join("leaflock")).unwrap().count(), 0);
    }

    #[test]
    fn new_files_are_locked_by_their_future_place() {
        let folder = tempfile::tempdir().unwrap();
        let (direct, roundabout) = (folder.path().join("new.yaml"), folder.path().join("./new.yaml"));
        let other = folder.path().join("other.yaml");
        let _first = locks(folder.path(), "alice").lock(&direct).unwrap();
        assert!(locks(folder.path(), "alice").lock(&roundabout).is_err());
        assert!(locks(folder.path(), "alice").lock(&other).is_ok());
        assert!(!direct.exists());
    }

    #[test]
    fn many_sessions_never_overlap() {
        let folder = tempfile::tempdir().unwrap();
        let inside = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        if let Ok(_claim) = locks(folder.path(), "x").lock(&folder.path().join("f")) {
                            let others = inside.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                            assert_eq!(others, 0);
                            inside.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                        }
                    }
                });
            }
        });
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_is_a_link_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/", folder.path().join("leaflock")).unwrap();
        assert!(locks(folder.path(), "x").lock(&folder.path().join("f")).is_err());
    }
}
