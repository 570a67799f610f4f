//! What git knows of the files, asked of the `git` program: it opens every kind of
//! repository, and wherever files are in one, it is there.
#![expect(clippy::disallowed_methods, reason = "the home of git")]

use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use crate::app::ports::{FileError, FileErrorKind};
use crate::app::repository::{Commit, Entry, MergeFile, Place, Repository, Snapshot, Version};
use crate::domain::secret::SecretBytes;

use super::system_error::file_error;

/// The `git` on the PATH.
#[derive(Clone, Copy, Debug, Default)]
pub struct Git;

impl Repository for Git {
    fn place(&self, folder: &Path) -> Result<Option<Place>, FileError> {
        let asked = ["rev-parse", "--path-format=absolute", "--git-dir", "--git-common-dir"];
        let asked: Vec<&str> = asked.into_iter().chain(["--git-path", "hooks"]).collect();
        let Some(dirs) = output(folder, &asked)? else { return Ok(None) };
        let mut dirs = lines(&dirs);
        let (Some(git_dir), Some(common_dir), Some(hooks)) = (dirs.next(), dirs.next(), dirs.next()) else {
            return Ok(None);
        };
        // Fails in a bare repository.
        let top = output(folder, &["rev-parse", "--path-format=absolute", "--show-toplevel"])?;
        let top = top.as_deref().and_then(|top| lines(top).next());
        Ok(Some(Place { top, git_dir, common_dir, hooks }))
    }

    fn tracked(&self, folder: &Path) -> Result<Option<Vec<PathBuf>>, FileError> {
        let Some(listed) = output(folder, &["ls-files", "-z"])? else { return Ok(None) };
        let names = listed.split(|byte| *byte == 0).filter(|name| !name.is_empty());
        let mut files: Vec<PathBuf> = names.map(|name| folder.join(path_of(name))).collect();
        files.sort();
        files.dedup();
        Ok(Some(files))
    }

    fn listing(
        &self,
        folder: &Path,
        snapshot: &Snapshot,
        paths: &[PathBuf],
    ) -> Result<Option<Vec<Entry>>, FileError> {
        let Some(place) = self.place(folder)? else { return Ok(None) };
        let root = place.top.as_ref().unwrap_or(&place.git_dir);
        let mut command = git(root);
        command.arg("--literal-pathspecs");
        match snapshot {
            Snapshot::Index => command.args(["ls-files", "-z", "--stage", "--full-name"]),
            Snapshot::Revision(revision) => match tree(root, revision)? {
                Some(tree) => command.args(["ls-tree", "-r", "-z", "--full-tree", &tree]),
                None => return Ok(Some(Vec::new())),
            },
        };
        command.arg("--").args(paths.iter().map(|path| path.strip_prefix(root).unwrap_or(path)).map(named));
        Ok(finish(command)?.map(|listed| entries(root, &listed)))
    }

    fn history(&self, folder: &Path) -> Result<Option<Vec<Version>>, FileError> {
        let mut command = git(folder);
        command.args(["-c", "core.quotePath=false", "log", "--all", "--reverse"]);
        command.args(["--date-order", "--raw", "--no-abbrev", "--no-renames", "-m", "--relative"]);
        command.args(["--no-color", "--no-show-signature", "--format=commit %H %cI", "--", "."]);
        Ok(finish(command)?.map(|log| versions(folder, &log)))
    }

    fn contents(
        &self,
        folder: &Path,
        blobs: &[String],
        take: &mut dyn FnMut(&str, SecretBytes),
    ) -> Result<(), FileError> {
        let failed = |error: io::Error| file_error("exec", Path::new("git"), &error);
        let mut child = git(folder)
            .args(["cat-file", "--batch"])
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

    fn merge_file(&self, files: &MergeFile<'_>) -> Result<Option<(SecretBytes, bool)>, FileError> {
        /// Exit codes of conflicts end here: beyond are errors.
        const MOST_CONFLICTS: i32 = 127;
        let folder = files.ours.parent().unwrap_or(Path::new("/"));
        let mut command = git(folder);
        command.args(["merge-file", "--stdout", "--quiet"]);
        if files.labels.size > 0 {
            command.arg(format!("--marker-size={}", files.labels.size));
        }
        for label in [&files.labels.ours, "base", &files.labels.theirs] {
            command.args(["-L", label]);
        }
        match command.arg("--").args([files.ours, files.base, files.theirs]).output() {
            Ok(done) => Ok(match done.status.code() {
                Some(code @ 0..=MOST_CONFLICTS) => Some((SecretBytes::new(done.stdout), code > 0)),
                _ => None,
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(file_error("exec", Path::new("git"), &error)),
        }
    }
}

/// `git`, in `folder`.
fn git(folder: &Path) -> Command {
    let mut command = Command::new("git");
    // Whoever reads must not be in the way of who writes.
    command.arg("--no-optional-locks").arg("-C").arg(folder).stdin(Stdio::null()).stderr(Stdio::null());
    command
}

/// What `git` prints; `None` if it fails, or there is none.
fn finish(mut command: Command) -> Result<Option<Vec<u8>>, FileError> {
    match command.output() {
        Ok(done) => Ok(done.status.success().then_some(done.stdout)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(file_error("exec", Path::new("git"), &error)),
    }
}

fn output(folder: &Path, arguments: &[&str]) -> Result<Option<Vec<u8>>, FileError> {
    let mut command = git(folder);
    command.args(arguments);
    finish(command)
}

fn lines(text: &[u8]) -> impl Iterator<Item = PathBuf> {
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(path_of)
}

/// The name of a revision's tree; `None` for a branch without commits.
fn tree(folder: &Path, revision: &str) -> Result<Option<String>, FileError> {
    let resolve = ["rev-parse", "--verify", "--quiet", "--end-of-options"];
    let resolve = |wanted: &str| output(folder, &[&resolve[..], &[wanted]].concat());
    if let Some(name) = resolve(&format!("{revision}^{{tree}}"))? {
        return Ok(Some(String::from_utf8_lossy(&name).trim().to_owned()));
    }
    // A branch without commits is a name without an object.
    if revision == "HEAD"
        && output(folder, &["symbolic-ref", "--quiet", "HEAD"])?.is_some()
        && resolve("HEAD")?.is_none()
    {
        return Ok(None);
    }
    Err(FileError {
        action: "rev-parse",
        path: revision.into(),
        kind: FileErrorKind::NotFound,
        reason: "no such revision".to_owned(),
    })
}

/// Reads `MODE BLOB STAGE<TAB>PATH` of the index, `MODE blob BLOB<TAB>PATH` of a tree.
fn entries(root: &Path, listed: &[u8]) -> Vec<Entry> {
    let mut entries = Vec::new();
    for line in listed.split(|byte| *byte == 0) {
        let Some(tab) = line.iter().position(|byte| *byte == b'\t') else { continue };
        let fields = String::from_utf8_lossy(&line[..tab]).into_owned();
        let fields: Vec<&str> = fields.split(' ').collect();
        let (blob, stage) = match fields[..] {
            [mode, "blob", blob] if mode.starts_with("100") => (blob, 0),
            [mode, blob, stage] if mode.starts_with("100") => (blob, stage.parse().unwrap_or(0)),
            _ => continue,
        };
        entries.push(Entry { path: root.join(path_of(&line[tab + 1..])), blob: blob.to_owned(), stage });
    }
    entries
}

/// A path for git, which takes an empty one for a mistake.
fn named(path: &Path) -> &Path {
    if path.as_os_str().is_empty() { Path::new(".") } else { path }
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
mod tests;
