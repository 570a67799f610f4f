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
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::app::ports::{Account, FileError, FileErrorKind, PrivateDir, PrivateFiles};
use crate::domain::secret::SecretBytes;

use super::files::read;
use super::signals;
use super::system_error::file_error;
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
        Ok(Box::new(Folder { path: folder, _claim: claim, given_up: Arc::default() }))
    }
}

/// A private directory that exists.
struct Folder {
    path: PathBuf,
    /// Locked as long as this process lives.
    _claim: Option<File>,
    /// Nobody is to read from its FIFOs any more.
    given_up: Arc<AtomicBool>,
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

    /// Lets the threads end, and wipe what they hold, that still wait for a reader.
    fn release_writers(&self) {
        self.given_up.store(true, Ordering::Release);
        #[cfg(unix)]
        for entry in fs::read_dir(&self.path).into_iter().flatten().flatten() {
            use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
            if entry.file_type().is_ok_and(|kind| kind.is_fifo()) {
                let nonblocking = rustix::fs::OFlags::NONBLOCK.bits();
                let flags = i32::try_from(nonblocking).unwrap_or_default();
                let _ = OpenOptions::new().read(true).custom_flags(flags).open(entry.path());
            }
        }
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

    #[cfg(unix)]
    fn serve(&self, name: &str, bytes: SecretBytes) -> Result<PathBuf, FileError> {
        let path = self.path(name)?;
        {
            let _no_cleaning = signals::pending();
            make_fifo(&path).map_err(|error| file_error("mkfifo", &path, &error))?;
        }
        let (fifo, given_up) = (path.clone(), Arc::clone(&self.given_up));
        // Opening waits for the reader, who may never come.
        std::thread::spawn(move || {
            if let Ok(mut fifo) = OpenOptions::new().write(true).open(fifo)
                && !given_up.load(Ordering::Acquire)
            {
                let _ = fifo.write_all(&bytes);
            }
        });
        Ok(path)
    }

    #[cfg(not(unix))]
    fn serve(&self, name: &str, bytes: SecretBytes) -> Result<PathBuf, FileError> {
        self.write(name, &bytes)
    }

    #[cfg(unix)]
    fn give_to(&self, account: &Account) -> Result<(), FileError> {
        let give = |path: &Path| {
            std::os::unix::fs::lchown(path, Some(account.uid), Some(account.gid))
                .map_err(|error| file_error("chown", path, &error))
        };
        for entry in fs::read_dir(&self.path).into_iter().flatten().flatten() {
            give(&entry.path())?;
        }
        give(&self.path)
    }

    #[cfg(not(unix))]
    fn give_to(&self, account: &Account) -> Result<(), FileError> {
        let reason = format!("this system cannot give files to {}", account.name);
        Err(FileError { action: "chown", path: self.path.clone(), kind: FileErrorKind::Other, reason })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        self.release_writers();
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

#[cfg(all(unix, not(target_vendor = "apple")))]
fn make_fifo(path: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, Mode, mkfifoat};
    Ok(mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR)?)
}

/// Without unsafe code, only its program makes a FIFO there.
#[cfg(target_vendor = "apple")]
fn make_fifo(path: &Path) -> io::Result<()> {
    let made = std::process::Command::new("/usr/bin/mkfifo").args(["-m", "600"]).arg(path).status()?;
    if made.success() { Ok(()) } else { Err(io::Error::other("mkfifo failed")) }
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
