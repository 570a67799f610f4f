//! The user's editor: `SOPS_EDITOR`, else `EDITOR`, split into words as a shell
//! would but run without one, the path appended; else the first of vim, nano
//! and vi on the search path. Texts as SOPS prints them (sops-compat 10.6).
#![expect(clippy::disallowed_methods, reason = "the home of the editor's process")]

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};

use crate::app::ports::{Editor, EditorError};

use super::files::reason;
use super::signals::{self, Manner};

/// Tried where no variable names an editor.
const FALLBACKS: [&str; 3] = ["vim", "nano", "vi"];

/// Runs the editor on the terminal of this process.
#[derive(Clone, Debug)]
pub struct SystemEditor {
    /// The variable's name and its words.
    configured: Option<(&'static str, OsString)>,
    search_path: OsString,
}

impl SystemEditor {
    /// From the variables `SOPS_EDITOR`, `EDITOR` and `PATH`; empty ones are as
    /// good as unset.
    pub fn new(sops_editor: Option<OsString>, editor: Option<OsString>, path: Option<OsString>) -> Self {
        let set = |value: &OsString| !value.is_empty();
        let sops_editor = sops_editor.filter(set).map(|value| ("SOPS_EDITOR", value));
        let configured = sops_editor.or_else(|| editor.filter(set).map(|value| ("EDITOR", value)));
        Self { configured, search_path: path.unwrap_or_default() }
    }

    fn words(&self) -> Result<Vec<OsString>, EditorError> {
        let Some((variable, value)) = &self.configured else {
            let found = FALLBACKS.iter().find_map(|name| self.find(name));
            return found.map(|path| vec![path.into_os_string()]).ok_or_else(none_available);
        };
        let words = value.to_str().and_then(shlex::split).unwrap_or_default();
        if words.is_empty() {
            let value = value.to_string_lossy();
            return Err(EditorError(format!("invalid ${variable}: {value}")));
        }
        Ok(words.into_iter().map(OsString::from).collect())
    }

    fn find(&self, name: &str) -> Option<PathBuf> {
        std::env::split_paths(&self.search_path)
            .filter(|folder| folder.is_absolute())
            .map(|folder| folder.join(name))
            .find(|path| is_executable(path))
    }
}

impl Editor for SystemEditor {
    fn edit(&self, path: &Path) -> Result<(), EditorError> {
        let words = self.words()?;
        let Some((program, arguments)) = words.split_first() else { return Err(none_available()) };
        let status = run(program, arguments, path).map_err(|error| not_started(program, &error))?;
        if status.success() { Ok(()) } else { Err(EditorError(ending(status))) }
    }
}

/// Starts the editor and waits for it; signals meant for it are left to it.
fn run(program: &OsStr, arguments: &[OsString], path: &Path) -> io::Result<ExitStatus> {
    signals::watch();
    let mut child: Child = {
        let mut pending = signals::pending();
        let child = Command::new(program).args(arguments).arg(path).spawn()?;
        pending.child = Some((child.id(), Manner::Editor));
        child
    };
    let status = child.wait();
    signals::pending().child = None;
    status
}

fn none_available() -> EditorError {
    EditorError(
        "no editor available: sops attempts to use the editor defined in the SOPS_EDITOR or EDITOR environment \
         variables, and if that's not set defaults to any of vim, nano, vi, but none of them could be found"
            .to_owned(),
    )
}

fn not_started(program: &OsStr, error: &io::Error) -> EditorError {
    let shown = program.to_string_lossy();
    let bare = Path::new(program).components().count() == 1;
    EditorError(if bare && error.kind() == io::ErrorKind::NotFound {
        format!("exec: \"{shown}\": executable file not found in $PATH")
    } else {
        format!("fork/exec {shown}: {}", reason(error))
    })
}

/// How a process ended, in Go's words.
fn ending(status: ExitStatus) -> String {
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt;
        if let Some(signal) = status.signal() {
            let name = match signal {
                1 => "hangup".to_owned(),
                2 => "interrupt".to_owned(),
                3 => "quit".to_owned(),
                6 => "aborted".to_owned(),
                9 => "killed".to_owned(),
                11 => "segmentation fault".to_owned(),
                15 => "terminated".to_owned(),
                other => format!("signal {other}"),
            };
            return format!("signal: {name}");
        }
    }
    format!("exit status {}", status.code().unwrap_or(1))
}

pub(super) fn is_executable(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    }
    #[cfg(not(unix))]
    path.is_file()
}

#[cfg(test)]
mod tests;
