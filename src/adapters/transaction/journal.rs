//! The journal of a transaction: which files, and what became of them.
#![expect(clippy::disallowed_methods, reason = "the home of the journal")]

use std::fmt;
use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use rand::RngCore;

use crate::app::ports::{FileError, FileErrorKind, Fingerprint, Random};
use crate::domain::search;

use super::super::lock_file::is_still_at;
use super::super::paths::fingerprint;
use super::super::random::SystemRandom;
use super::super::replace::{TEMPORARY_PREFIX, folder_of};
use super::super::system_error::file_error;

/// The file, in the root folder.
const NAME: &str = ".leaflock-journal";

/// Its first line.
const MAGIC: &[u8] = b"leaflock journal 2\n";

/// Attempts to get the journal where others make and remove theirs.
const ATTEMPTS: usize = 100;

/// What happens to a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Way {
    /// A new state takes the place of the old one.
    #[default]
    Replaced,
    /// There was none; the second name of its old state is an empty file.
    Created,
    /// It goes away.
    Removed,
}

impl Way {
    /// As the records end a mark: files that are replaced have nothing there.
    const WORDS: [(Self, &'static str); 2] = [(Self::Created, "created"), (Self::Removed, "removed")];
}

/// What tells a new state from what somebody else puts in its place, or into it. The
/// inode number alone does not: a file that is made soon after another was removed
/// often gets its number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    inode: u64,
    modified: i128,
    size: u64,
    /// What happens to the file.
    pub(super) way: Way,
}

impl Mark {
    pub(super) fn of(found: &Metadata) -> Self {
        let Fingerprint { inode, modified, size, .. } = fingerprint(found);
        Self { inode, modified, size, way: Way::Replaced }
    }

    /// The same for a file to which something else happens.
    pub(super) fn on(self, way: Way) -> Self {
        Self { way, ..self }
    }

    fn parse(word: &str) -> Option<Self> {
        let mut parts = word.split(':');
        let (inode, modified, size) = (parts.next()?, parts.next()?, parts.next()?);
        let way = match parts.next() {
            None => Way::Replaced,
            Some(word) => Way::WORDS.iter().find(|(_, known)| *known == word)?.0,
        };
        let mark = Self {
            inode: inode.parse().ok()?,
            modified: modified.parse().ok()?,
            size: size.parse().ok()?,
            way,
        };
        parts.next().is_none().then_some(mark)
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.inode, self.modified, self.size)?;
        match Way::WORDS.iter().find(|(way, _)| *way == self.way) {
            Some((_, word)) => write!(f, ":{word}"),
            None => Ok(()),
        }
    }
}

/// How far a transaction has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// No file has changed yet.
    Prepare,
    /// Files are being renamed.
    Commit(Vec<Mark>),
    /// They are being renamed back.
    Undo(Vec<Mark>),
}

/// The journal of one transaction, locked as long as this lives.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    command: String,
    id: String,
    targets: Vec<PathBuf>,
    stage: Stage,
}

impl Journal {
    /// Makes the journal of a new transaction.
    pub(super) fn create(root: &Path, command: &str, targets: Vec<PathBuf>) -> Result<Self, FileError> {
        let path = root.join(NAME);
        let failed = |action, error: io::Error| file_error(action, &path, &error);
        let id = random_id();
        let mut text = [MAGIC, command.as_bytes(), b"\n", id.as_bytes(), b"\n"].concat();
        for target in &targets {
            let bytes =
                bytes_of(target).ok_or_else(|| failed("open", io::Error::other("a path is not text")))?;
            text.extend_from_slice(bytes);
            text.push(0);
        }
        text.push(0);
        for _ in 0..ATTEMPTS {
            let mut file = match OpenOptions::new().read(true).append(true).create_new(true).open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(under_way(&path)),
                Err(error) => return Err(failed("open", error)),
            };
            lock(&file, &path)?;
            // Before it was locked, another call may have cleared it away as one that was cut off.
            if !is_still_at(&file, &path) {
                continue;
            }
            if let Err(error) = file.write_all(&text) {
                let _ = fs::remove_file(&path);
                return Err(failed("write", error));
            }
            return Ok(Self { path, file, command: command.to_owned(), id, targets, stage: Stage::Prepare });
        }
        Err(under_way(&path))
    }

    /// The journal that a process left, if there is one and the process is gone.
    pub(super) fn open(root: &Path) -> Result<Option<Self>, FileError> {
        let path = root.join(NAME);
        let failed = |action, error: io::Error| file_error(action, &path, &error);
        if fs::symlink_metadata(&path).is_ok_and(|found| !found.is_file()) {
            return Err(failed("open", io::Error::other("this is no journal of leaflock")));
        }
        let Some(mut file) = open_locked(&path)? else { return Ok(None) };
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(|error| failed("read", error))?;
        match parse(&text) {
            Some((command, id, targets, stage)) => Ok(Some(Self { path, file, command, id, targets, stage })),
            // Cut off while it was made: nothing was done yet.
            None if !text.ends_with(b"\0\0") => {
                fs::remove_file(&path).map_err(|error| failed("remove", error))?;
                Ok(None)
            }
            None => Err(failed("read", io::Error::other("this is no journal of leaflock"))),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn command(&self) -> &str {
        &self.command
    }

    pub(super) fn stage(&self) -> &Stage {
        &self.stage
    }

    pub(super) fn targets(&self) -> &[PathBuf] {
        &self.targets
    }

    pub(super) fn target(&self, index: usize) -> &Path {
        &self.targets[index]
    }

    /// Where the new state of a file waits.
    pub(super) fn new_state(&self, index: usize) -> PathBuf {
        self.beside(index, "new")
    }

    /// The second name of the old state of a file.
    pub(super) fn old_state(&self, index: usize) -> PathBuf {
        self.beside(index, "old")
    }

    fn beside(&self, index: usize, what: &str) -> PathBuf {
        let name = format!("{TEMPORARY_PREFIX}{}-{index}.{what}", self.id);
        folder_of(self.target(index)).join(name)
    }

    /// The marks of the new states; none before they are put in place.
    pub(super) fn marks(&self) -> &[Mark] {
        match &self.stage {
            Stage::Commit(marks) | Stage::Undo(marks) => marks,
            Stage::Prepare => &[],
        }
    }

    /// Adds a record and waits until it is on the disk.
    pub(super) fn record(&mut self, stage: Stage) -> Result<(), FileError> {
        let mut line = match &stage {
            Stage::Prepare => return Ok(()),
            Stage::Commit(_) => "commit".to_owned(),
            Stage::Undo(_) => "undo".to_owned(),
        };
        self.stage = stage;
        for mark in self.marks() {
            line.push_str(&format!(" {mark}"));
        }
        line.push('\n');
        let written = self.file.write_all(line.as_bytes()).and_then(|()| self.file.sync_all());
        written.map_err(|error| file_error("write", &self.path, &error))
    }

    /// The transaction is settled.
    pub(super) fn remove(self) -> Result<(), FileError> {
        fs::remove_file(&self.path).map_err(|error| file_error("remove", &self.path, &error))
    }
}

/// True while a living process holds a journal in `folder`.
pub(super) fn is_held(folder: &Path) -> bool {
    let path = folder.join(NAME);
    let Ok(found) = fs::symlink_metadata(&path) else { return false };
    if !found.is_file() {
        return false;
    }
    // Without text it is being made: whoever does that is not to find it locked.
    found.len() == 0
        || File::open(path).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// Opens the journal that is there, for this process alone.
fn open_locked(path: &Path) -> Result<Option<File>, FileError> {
    for _ in 0..ATTEMPTS {
        let file = match OpenOptions::new().read(true).append(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(file_error("open", path, &error)),
        };
        lock(&file, path)?;
        // The call that held it may be through with it, and the next one have made its own.
        if is_still_at(&file, path) {
            return Ok(Some(file));
        }
    }
    Err(under_way(path))
}

fn under_way(path: &Path) -> FileError {
    FileError {
        action: "lock",
        path: path.to_owned(),
        kind: FileErrorKind::Exists,
        reason: "another call of leaflock is changing files here".to_owned(),
    }
}

/// Claims the journal for this process.
fn lock(file: &File, path: &Path) -> Result<(), FileError> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(under_way(path)),
        // A file system without locks: two calls at once are on their own.
        Err(TryLockError::Error(_)) => Ok(()),
    }
}

type Parsed = (String, String, Vec<PathBuf>, Stage);

fn parse(text: &[u8]) -> Option<Parsed> {
    let mut rest = text.strip_prefix(MAGIC)?;
    let mut line = || {
        let end = search::memchr(b'\n', rest)?;
        let line = std::str::from_utf8(&rest[..end]).ok()?.to_owned();
        rest = &rest[end + 1..];
        Some(line)
    };
    let (command, id) = (line()?, line()?);
    let is_id = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let mut targets = Vec::new();
    loop {
        let end = search::memchr(0, rest)?;
        let (path, behind) = (&rest[..end], &rest[end + 1..]);
        rest = behind;
        if path.is_empty() {
            break;
        }
        targets.push(path_of(path)?);
    }
    let stage = last_record(rest, targets.len())?;
    is_id.then_some((command, id, targets, stage))
}

/// The last complete record.
fn last_record(records: &[u8], count: usize) -> Option<Stage> {
    let complete = &records[..search::memrchr(b'\n', records).map_or(0, |end| end + 1)];
    let text = std::str::from_utf8(complete).ok()?;
    let Some(line) = text.lines().last() else { return Some(Stage::Prepare) };
    let mut words = line.split(' ');
    let name = words.next();
    let marks = words.map(Mark::parse).collect::<Option<Vec<Mark>>>()?;
    match (name, marks.len() == count) {
        (Some("commit"), true) => Some(Stage::Commit(marks)),
        (Some("undo"), true) => Some(Stage::Undo(marks)),
        _ => None,
    }
}

/// A name that no other transaction has.
fn random_id() -> String {
    format!("{:016x}", SystemRandom.rng().next_u64())
}

#[cfg(unix)]
fn bytes_of(path: &Path) -> Option<&[u8]> {
    use std::os::unix::ffi::OsStrExt;
    Some(path.as_os_str().as_bytes())
}

#[cfg(not(unix))]
fn bytes_of(path: &Path) -> Option<&[u8]> {
    path.to_str().map(str::as_bytes)
}

#[cfg(unix)]
fn path_of(bytes: &[u8]) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt;
    Some(PathBuf::from(std::ffi::OsStr::from_bytes(bytes)))
}

#[cfg(not(unix))]
fn path_of(bytes: &[u8]) -> Option<PathBuf> {
    std::str::from_utf8(bytes).ok().map(PathBuf::from)
}
