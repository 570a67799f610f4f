//! What git knows of the files, asked of the `git` program.
#![expect(clippy::disallowed_methods, reason = "the home of git")]

use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use crate::app::ports::{Commit, FileError, Repository, Version};
use crate::domain::secret::SecretBytes;

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

    fn history(&self, folder: &Path) -> Result<Option<Vec<Version>>, FileError> {
        let mut command = Command::new("git");
        command.arg("-C").arg(folder).args(["-c", "core.quotePath=false", "log", "--all", "--reverse"]);
        command.args(["--date-order", "--raw", "--no-abbrev", "--no-renames", "-m", "--relative"]);
        command.args(["--no-color", "--no-show-signature", "--format=commit %H %cI", "--", "."]);
        match command.stdin(Stdio::null()).stderr(Stdio::null()).output() {
            Ok(done) if done.status.success() => Ok(Some(versions(folder, &done.stdout))),
            Ok(_) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(file_error("exec", Path::new("git"), &error)),
        }
    }

    fn contents(
        &self,
        folder: &Path,
        blobs: &[String],
        take: &mut dyn FnMut(&str, SecretBytes),
    ) -> Result<(), FileError> {
        let failed = |error: io::Error| file_error("exec", Path::new("git"), &error);
        let mut command = Command::new("git");
        command.arg("-C").arg(folder).args(["cat-file", "--batch"]);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let read = thread::scope(|scope| {
            scope.spawn(move || {
                // A git that ends early is seen where its answers are read.
                let _ = stdin.map(|mut stdin| blobs.iter().try_for_each(|blob| writeln!(stdin, "{blob}")));
            });
            match stdout {
                Some(stdout) => answers(BufReader::new(stdout), take),
                None => Ok(()),
            }
        });
        let ended = child.wait();
        read.and(ended.map(drop)).map_err(failed)
    }
}

/// Reads git's answers: `ID blob SIZE`, the contents, a line break.
fn answers(mut from: impl BufRead, take: &mut dyn FnMut(&str, SecretBytes)) -> io::Result<()> {
    let mut line = String::new();
    loop {
        line.clear();
        if from.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let mut words = line.split_ascii_whitespace();
        let (Some(id), Some(kind), Some(size)) = (words.next(), words.next(), words.next()) else { continue };
        let size: usize = size.parse().map_err(|_| io::Error::other("git answered with no size"))?;
        let mut contents = vec![0; size + 1];
        from.read_exact(&mut contents)?;
        contents.truncate(size);
        if kind == "blob" {
            take(id, SecretBytes::new(contents));
        }
    }
}

/// Reads `commit ID DATE` lines, each with its `:MODE MODE OLD NEW STATUS<TAB>PATH` lines.
fn versions(folder: &Path, log: &[u8]) -> Vec<Version> {
    let mut versions: Vec<Version> = Vec::new();
    let mut commit = Commit { id: String::new(), date: String::new() };
    for line in log.split(|byte| *byte == b'\n') {
        if let Some(header) = line.strip_prefix(b"commit ") {
            let header = String::from_utf8_lossy(header).into_owned();
            let (id, date) = header.split_once(' ').unwrap_or((&header, ""));
            commit = Commit { id: id.to_owned(), date: date.to_owned() };
        } else if let Some(change) = line.strip_prefix(b":") {
            let Some(tab) = change.iter().position(|byte| *byte == b'\t') else { continue };
            let fields = String::from_utf8_lossy(&change[..tab]).into_owned();
            let fields: Vec<&str> = fields.split(' ').collect();
            let [_, mode, _, blob, status] = fields[..] else { continue };
            // Regular files only; what was deleted has no contents.
            if !mode.starts_with("100") || status == "D" {
                continue;
            }
            let path = folder.join(path_of(&unquoted(&change[tab + 1..])));
            versions.push(Version { path, blob: blob.to_owned(), commit: commit.clone() });
        }
    }
    versions
}

/// A path as git prints it: in quotes, with C's escapes, if it has odd characters.
fn unquoted(path: &[u8]) -> Vec<u8> {
    let Some(inner) = path.strip_prefix(b"\"").and_then(|path| path.strip_suffix(b"\"")) else {
        return path.to_vec();
    };
    let mut out = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter().copied();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        match bytes.next() {
            Some(digit @ b'0'..=b'3') => {
                let rest = [bytes.next(), bytes.next()].map(|digit| digit.unwrap_or(b'0').wrapping_sub(b'0'));
                out.push((digit - b'0') << 6 | rest[0] << 3 | rest[1]);
            }
            Some(b'n') => out.push(b'\n'),
            Some(b't') => out.push(b'\t'),
            Some(b'r') => out.push(b'\r'),
            Some(b'a') => out.push(7),
            Some(b'b') => out.push(8),
            Some(b'v') => out.push(11),
            Some(b'f') => out.push(12),
            Some(other) => out.push(other),
            None => {}
        }
    }
    out
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

#[cfg(test)]
mod tests {
    use super::{unquoted, versions};

    #[test]
    fn paths_of_git_come_out_of_their_quotes() {
        assert_eq!(unquoted(b"plain.yaml"), b"plain.yaml");
        assert_eq!(unquoted(b"\"a\\tb\\\"c\\\\d\\303\\244\""), "a\tb\"c\\dä".as_bytes());
    }

    #[test]
    fn logs_become_versions_without_deletions_and_links() {
        let log = b"commit c1 2026-01-02T03:04:05Z\n\n:000000 100644 0000 aaaa A\tx y.yaml\n\
            :000000 120000 0000 bbbb A\tlink\ncommit c2 2026-01-03T03:04:05Z\n\n:100644 000000 aaaa 0000 D\tx y.yaml\n";
        let found = versions("/r".as_ref(), log);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].path.to_str(), found[0].blob.as_str()), (Some("/r/x y.yaml"), "aaaa"));
        assert_eq!(
            (found[0].commit.id.as_str(), found[0].commit.date.as_str()),
            ("c1", "2026-01-02T03:04:05Z")
        );
    }
}
