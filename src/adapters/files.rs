//! Files and folders: reading whole files, asking what stands at a path, making
//! paths absolute, and new private files. Writing over something that exists is
//! [`super::replace`]'s.
#![expect(clippy::disallowed_methods, reason = "the home of reading files")]

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use crate::app::ports::{Contents, Durability, FileError, FileErrorKind, FileKind, Files, Fingerprint};
use crate::domain::secret::{SecretBytes, wipe};

use super::{expand, replace};

/// First buffer for input of unknown size, in bytes.
const STREAM_START: usize = 64 * 1024;

/// The files of the machine.
#[derive(Clone, Debug, Default)]
pub struct SystemFiles {
    logical_folder: Option<PathBuf>,
}

impl SystemFiles {
    /// `logical_folder` is `$PWD`: where it names the working directory, paths are
    /// made absolute with it, links and all, as Go's `os.Getwd` does.
    pub fn new(logical_folder: Option<PathBuf>) -> Self {
        Self { logical_folder }
    }

    fn working_folder(&self) -> io::Result<PathBuf> {
        if let Some(logical) = &self.logical_folder
            && logical.is_absolute()
            && let (Ok(named), Ok(real)) = (fs::metadata(logical), fs::metadata("."))
            && same_file(&named, &real)
        {
            return Ok(logical.clone());
        }
        std::env::current_dir()
    }
}

impl Files for SystemFiles {
    fn read(&self, path: &Path) -> Result<Contents, FileError> {
        read(path)
    }

    fn kind(&self, path: &Path) -> Result<Option<FileKind>, FileError> {
        match fs::metadata(path) {
            Ok(found) => Ok(Some(kind_of(&found))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(file_error("stat", path, &error)),
        }
    }

    fn replace(
        &self,
        path: &Path,
        bytes: &[u8],
        seen: Option<Fingerprint>,
        durability: Durability,
    ) -> Result<(), FileError> {
        replace::replace(path, bytes, seen, durability)
    }

    fn write(&self, path: &Path, bytes: &[u8], durability: Durability) -> Result<(), FileError> {
        replace::write(path, bytes, durability)
    }

    fn create_private(&self, path: &Path, bytes: &[u8]) -> Result<(), FileError> {
        replace::create_private(path, bytes)
    }

    fn absolute(&self, path: &Path) -> Result<PathBuf, FileError> {
        if path.is_absolute() {
            return Ok(clean(path));
        }
        let folder = self.working_folder().map_err(|error| file_error("getwd", path, &error))?;
        Ok(clean(&folder.join(path)))
    }

    fn expand(&self, arguments: &[PathBuf]) -> Result<Vec<PathBuf>, FileError> {
        expand::expand(arguments)
    }
}

/// Reads a whole file into a buffer that wipes itself. See [`Files::read`].
pub fn read(path: &Path) -> Result<Contents, FileError> {
    let mut file = match standard_input(path) {
        Some(stdin) => stdin,
        None => File::open(path),
    }
    .map_err(|error| file_error("open", path, &error))?;
    let found = file.metadata().map_err(|error| file_error("stat", path, &error))?;
    if found.is_dir() {
        return Err(FileError {
            action: "read",
            path: path.to_owned(),
            kind: FileErrorKind::Directory,
            reason: "is a directory".to_owned(),
        });
    }
    let regular = found.is_file() && !is_descriptor(path);
    let expected = if found.is_file() { usize::try_from(found.len()).unwrap_or(0) } else { STREAM_START };
    let bytes = read_all(&mut file, expected).map_err(|error| file_error("read", path, &error))?;
    Ok(Contents { bytes, fingerprint: regular.then(|| fingerprint(&found)) })
}

/// Reads to the end. `expected` is a guess; the extra byte lets a right guess
/// see the end without growing. Grown buffers are wiped when left behind.
fn read_all(input: &mut impl Read, expected: usize) -> io::Result<SecretBytes> {
    let mut buffer = vec![0; expected.saturating_add(1)];
    let mut filled = 0;
    loop {
        if filled == buffer.len() {
            let mut larger = vec![0; buffer.len().saturating_mul(2)];
            larger[..filled].copy_from_slice(&buffer);
            wipe(&mut buffer);
            buffer = larger;
        }
        match input.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                wipe(&mut buffer);
                return Err(error);
            }
        }
    }
    buffer.truncate(filled);
    Ok(SecretBytes::new(buffer))
}

/// Standard input under one of its path names: opening those anew fails for
/// sockets and would start regular files from their beginning.
fn standard_input(path: &Path) -> Option<io::Result<File>> {
    if !["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"].iter().any(|name| path == Path::new(name)) {
        return None;
    }
    #[cfg(unix)]
    {
        use std::os::fd::AsFd;
        Some(io::stdin().as_fd().try_clone_to_owned().map(File::from))
    }
    #[cfg(windows)]
    {
        use std::os::windows::io::AsHandle;
        Some(io::stdin().as_handle().try_clone_to_owned().map(File::from))
    }
}

/// Whether the path names an open descriptor, not a place in a folder.
pub(super) fn is_descriptor(path: &Path) -> bool {
    ["/dev/stdin", "/dev/stdout", "/dev/stderr"].iter().any(|name| path == Path::new(name))
        || path.starts_with("/dev/fd")
        || (path.starts_with("/proc") && path.parent().is_some_and(|folder| folder.ends_with("fd")))
}

/// What metadata says of a file's kind.
pub(super) fn kind_of(found: &fs::Metadata) -> FileKind {
    if found.is_file() {
        FileKind::Regular
    } else if found.is_dir() {
        FileKind::Directory
    } else {
        FileKind::Other
    }
}

/// The state that a later write compares with.
pub(super) fn fingerprint(found: &fs::Metadata) -> Fingerprint {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        Fingerprint {
            device: found.dev(),
            inode: found.ino(),
            modified: i128::from(found.mtime()) * 1_000_000_000 + i128::from(found.mtime_nsec()),
            size: found.len(),
        }
    }
    #[cfg(not(unix))]
    {
        let modified = found.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        Fingerprint {
            device: 0,
            inode: 0,
            modified: modified.map_or(0, |age| i128::try_from(age.as_nanos()).unwrap_or(0)),
            size: found.len(),
        }
    }
}

fn same_file(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        one.dev() == other.dev() && one.ino() == other.ino()
    }
    #[cfg(not(unix))]
    {
        let _ = (one, other);
        false
    }
}

/// Wraps a system error: its kind, and its text in Go's spelling.
pub(super) fn file_error(action: &'static str, path: &Path, error: &io::Error) -> FileError {
    let kind = match error.kind() {
        io::ErrorKind::NotFound => FileErrorKind::NotFound,
        io::ErrorKind::IsADirectory => FileErrorKind::Directory,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => FileErrorKind::Denied,
        io::ErrorKind::AlreadyExists => FileErrorKind::Exists,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            FileErrorKind::Full
        }
        _ => FileErrorKind::Other,
    };
    FileError { action, path: path.to_owned(), kind, reason: reason(error) }
}

/// A system error's text as Go prints it: no code, first letter small.
pub(super) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// Removes `.`, `..` and double slashes by text alone, as Go's `filepath.Clean`.
pub(super) fn clean(path: &Path) -> PathBuf {
    let mut cleaned = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => match cleaned.components().next_back() {
                Some(Component::Normal(_)) => {
                    cleaned.pop();
                }
                Some(Component::RootDir | Component::Prefix(_)) => {}
                Some(Component::ParentDir | Component::CurDir) | None => cleaned.push(".."),
            },
            Component::Normal(_) | Component::RootDir | Component::Prefix(_) => cleaned.push(part),
        }
    }
    if cleaned.as_os_str().is_empty() { PathBuf::from(".") } else { cleaned }
}

#[cfg(test)]
mod tests;
