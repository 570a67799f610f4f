//! Errors of the system as the use cases see them.

use std::io;
use std::path::Path;

use crate::app::ports::{FileError, FileErrorKind};

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
