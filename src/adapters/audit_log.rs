//! Files that only grow, synced before anybody relies on them.
#![expect(clippy::disallowed_methods, reason = "the home of the audit trail's files")]

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use crate::app::audit::log::{AuditLog, Ends, Held};
use crate::app::ports::FileError;
use crate::domain::agent::audit::entry::LONGEST_LINE;

use super::accounts;
use super::replace::TEMPORARY_PREFIX;
use super::system_error::file_error;

/// The file that is locked, in the folder of chains.
const LOCK: &str = "lock";

/// Bytes read at a time, from the end of a file backwards.
const BLOCK: u64 = 8 * 1024;

/// The files of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemAuditLog;

/// The lock of a folder: the system lets go of it with the file.
struct Locked {
    _file: File,
}

impl Held for Locked {}

impl AuditLog for SystemAuditLog {
    fn lock(&self, folder: &Path) -> Result<Box<dyn Held>, FileError> {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::DirBuilderExt as _;
            builder.mode(0o700);
        }
        builder.create(folder).map_err(|error| file_error("mkdir", folder, &error))?;
        let path = folder.join(LOCK);
        let file = private().read(true).write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(|error| file_error("open", &path, &error))?;
        file.lock().map_err(|error| file_error("lock", &path, &error))?;
        Ok(Box::new(Locked { _file: file }))
    }

    fn append(&self, path: &Path, bytes: &[u8]) -> Result<(), FileError> {
        let failed = |action: &'static str| move |error: io::Error| file_error(action, path, &error);
        let is_new = !path.exists();
        let mut file = private().append(true).create(true).open(path).map_err(failed("open"))?;
        let before = file.metadata().map_err(failed("stat"))?.len();
        let written = file.write_all(bytes).map_err(failed("write"));
        let synced = written.and_then(|()| file.sync_all().map_err(failed("sync")));
        let kept = synced.and_then(|()| match path.parent().filter(|_| is_new) {
            Some(folder) => sync_folder(folder).map_err(failed("sync")),
            None => Ok(()),
        });
        if kept.is_err() {
            // A part of a line that stays is taken out by the next writer.
            let _ = file.set_len(before);
        }
        kept
    }

    fn cut_torn(&self, path: &Path) -> Result<(), FileError> {
        let failed = |error: io::Error| file_error("truncate", path, &error);
        let mut file = OpenOptions::new().read(true).write(true).open(path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        let whole = last_line_feed(&mut file, length).map_err(failed)?.map_or(0, |at| at + 1);
        file.set_len(whole).and_then(|()| file.sync_all()).map_err(failed)
    }

    fn ends(&self, path: &Path) -> Result<Option<Ends>, FileError> {
        match File::open(path) {
            Ok(mut file) => read_ends(&mut file).map(Some).map_err(|error| file_error("read", path, &error)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(file_error("open", path, &error)),
        }
    }

    fn list(&self, folder: &Path) -> Result<Vec<(String, u64)>, FileError> {
        let failed = |error: io::Error| file_error("open", folder, &error);
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let size = entry.metadata().map_err(failed)?.len();
            found.push((entry.file_name().to_string_lossy().into_owned(), size));
        }
        found.sort();
        Ok(found)
    }

    fn sweep(&self, folder: &Path) {
        let names = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
        let is_left = |name: &OsString| name.as_encoded_bytes().starts_with(TEMPORARY_PREFIX.as_bytes());
        for name in names.map(|entry| entry.file_name()).filter(is_left) {
            // What stays is in nobody's way.
            let _ = fs::remove_file(folder.join(name));
        }
    }

    #[cfg(unix)]
    fn user(&self) -> Option<String> {
        let number = rustix::process::getuid().as_raw();
        Some(accounts::name_of(number).unwrap_or_else(|| number.to_string()))
    }

    #[cfg(not(unix))]
    fn user(&self) -> Option<String> {
        None
    }
}

/// Options for a file that only its owner can read.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

fn read_ends(file: &mut File) -> io::Result<Ends> {
    let length = file.metadata()?.len();
    let Some(end) = last_line_feed(file, length)? else {
        return Ok(Ends { torn: length, ..Ends::default() });
    };
    Ok(Ends { first: first_line(file, end)?, last: last_line(file, end)?, torn: length - end - 1 })
}

/// The first line of a file with a line feed at `end`; empty if it is longer than an
/// entry may be.
fn first_line(file: &mut File, end: u64) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    while line.len() <= LONGEST_LINE {
        let at = line.len() as u64;
        let block = read_at(file, at, BLOCK.min(end + 1 - at))?;
        let feed = block.iter().position(|byte| *byte == b'\n');
        line.extend(&block[..feed.unwrap_or(block.len())]);
        if feed.is_some() {
            break;
        }
    }
    Ok(if line.len() <= LONGEST_LINE { line } else { Vec::new() })
}

/// The line whose line feed is at `end`; empty if it is longer than an entry may be.
fn last_line(file: &mut File, end: u64) -> io::Result<Vec<u8>> {
    let earliest = end.saturating_sub(LONGEST_LINE as u64 + 1);
    let before = read_at(file, earliest, end - earliest)?;
    Ok(match before.iter().rposition(|byte| *byte == b'\n') {
        Some(at) => before[at + 1..].to_vec(),
        None if before.len() <= LONGEST_LINE => before,
        None => Vec::new(),
    })
}

fn read_at(file: &mut File, at: u64, length: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(at))?;
    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Where the last line feed before `end` stands.
fn last_line_feed(file: &mut File, end: u64) -> io::Result<Option<u64>> {
    let mut end = end;
    while end > 0 {
        let start = end.saturating_sub(BLOCK);
        let block = read_at(file, start, end - start)?;
        if let Some(at) = block.iter().rposition(|byte| *byte == b'\n') {
            return Ok(Some(start + at as u64));
        }
        end = start;
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn chain(folder: &tempfile::TempDir, bytes: &[u8]) -> PathBuf {
        let path = folder.path().join("chain");
        fs::write(&path, bytes).unwrap();
        path
    }

    #[test]
    fn the_ends_of_a_file_are_found_however_long_its_lines_are() {
        let folder = tempfile::tempdir().unwrap();
        let long = "x".repeat(3 * BLOCK as usize + 7);
        for (bytes, first, last, torn) in [
            (String::new(), "", "", 0),
            ("torn".to_owned(), "", "", 4),
            ("a\n".to_owned(), "a", "a", 0),
            ("a\nb\nto".to_owned(), "a", "b", 2),
            (format!("a\n{long}\n"), "a", &long[..], 0),
            (format!("{long}\n{long}b\n{long}"), &long[..], &format!("{long}b")[..], long.len() as u64),
        ] {
            let path = chain(&folder, bytes.as_bytes());
            let ends = SystemAuditLog.ends(&path).unwrap().unwrap();
            assert_eq!(ends.first, first.as_bytes());
            assert_eq!(ends.last, last.as_bytes());
            assert_eq!(ends.torn, torn);
            SystemAuditLog.cut_torn(&path).unwrap();
            let whole = &bytes.as_bytes()[..bytes.len() - torn as usize];
            assert_eq!(fs::read(&path).unwrap(), whole);
        }
        assert_eq!(SystemAuditLog.ends(&folder.path().join("none")).unwrap(), None);
    }

    #[test]
    fn a_line_that_no_entry_may_have_is_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let longest = "x".repeat(LONGEST_LINE);
        for (bytes, first, last) in [
            (format!("{longest}\n"), &longest[..], &longest[..]),
            (format!("{longest}x\n"), "", ""),
            (format!("{longest}x\na\n"), "", "a"),
            (format!("a\n{longest}x\n"), "a", ""),
            (format!("a\n{longest}\nto"), "a", &longest),
        ] {
            let ends = SystemAuditLog.ends(&chain(&folder, bytes.as_bytes())).unwrap().unwrap();
            assert!(ends.first == first.as_bytes() && ends.last == last.as_bytes(), "{}", bytes.len());
        }
    }

    #[test]
    fn what_a_killed_call_left_is_swept_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        for name in [".leaflock-Xy12ab", "00000001-0a0b0c0d.jsonl", ".gitkeep", "leaflock-x"] {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        SystemAuditLog.sweep(folder.path());
        SystemAuditLog.sweep(&folder.path().join("none"));
        let names: Vec<String> =
            SystemAuditLog.list(folder.path()).unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, [".gitkeep", "00000001-0a0b0c0d.jsonl", "leaflock-x"]);
    }

    #[test]
    fn a_file_grows_and_only_its_owner_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let chains = folder.path().join("a/b");
        let _held = SystemAuditLog.lock(&chains).unwrap();
        let path = chains.join("chain");
        SystemAuditLog.append(&path, b"a\n").unwrap();
        SystemAuditLog.append(&path, b"b\n").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"a\nb\n");
        let names: Vec<String> =
            SystemAuditLog.list(&chains).unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["chain", LOCK]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            assert_eq!(fs::metadata(&chains).unwrap().permissions().mode() & 0o777, 0o700);
        }
    }
}
