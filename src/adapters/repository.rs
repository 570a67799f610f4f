//! What git knows of the files, asked of the `git` program.
#![expect(clippy::disallowed_methods, reason = "the home of git")]

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::app::ports::{FileError, Repository};

use super::system_error::file_error;

/// The `git` on the PATH.
#[derive(Clone, Copy, Debug, Default)]
pub struct Git;

impl Repository for Git {
    fn tracked(&self, folder: &Path) -> Result<Option<Vec<PathBuf>>, FileError> {
        let mut command = Command::new("git");
        command.arg("-C").arg(folder).args(["ls-files", "-z"]).stdin(Stdio::null()).stderr(Stdio::null());
        let listed = match command.output() {
            Ok(done) if done.status.success() => done.stdout,
            Ok(_) => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(file_error("exec", Path::new("git"), &error)),
        };
        let names = listed.split(|byte| *byte == 0).filter(|name| !name.is_empty());
        let mut files: Vec<PathBuf> = names.map(|name| folder.join(path_of(name))).collect();
        files.sort();
        files.dedup();
        Ok(Some(files))
    }
}

#[cfg(unix)]
fn path_of(name: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    std::ffi::OsStr::from_bytes(name).into()
}

#[cfg(not(unix))]
fn path_of(name: &[u8]) -> PathBuf {
    String::from_utf8_lossy(name).into_owned().into()
}
