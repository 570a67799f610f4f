//! Programs that are found by name on the search path, `PATH`.
#![expect(clippy::disallowed_methods, reason = "a home of files: it looks whether programs are there")]

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// The first program called `name` in a folder of `search_path`. Relative
/// folders are passed over: a program in the working folder is nobody's choice.
pub(super) fn find(search_path: &OsStr, name: &str) -> Option<PathBuf> {
    std::env::split_paths(search_path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(name))
        .find(|path| is_executable(path))
}

fn is_executable(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    }
    #[cfg(not(unix))]
    path.is_file()
}
