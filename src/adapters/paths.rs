//! What a path means by itself, and what metadata says of the file there.

use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::app::ports::{FileKind, Fingerprint};

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

pub(super) fn same_file(one: &fs::Metadata, other: &fs::Metadata) -> bool {
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

/// Removes `.`, `..` and double slashes by text alone, as Go's `filepath.Clean`.
pub(super) fn clean(path: &Path) -> PathBuf {
    let mut cleaned = PathBuf::with_capacity(path.as_os_str().len());
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
