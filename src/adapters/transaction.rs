//! Many files that change all together or not at all. Beside every file its new
//! state and a second name of its old one are made; then all is synced, a record
//! in the journal says "commit", and the files are renamed. From that record on a
//! process that dies leaves all it takes to go on, or back. A file that is new has
//! an empty file in place of the second name, one that goes has no new state.
//!
//! The journal lies in the root folder and is locked while its process lives. Its
//! last record says what is to be done about it: without any, or after `undo`,
//! the files go back to what they were; after `commit` somebody must decide, unless
//! the second names are being removed already. A record counts from its last byte
//! on.
#![expect(clippy::disallowed_methods, reason = "a home of replacing files")]

use std::collections::BTreeSet;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::app::ports::{FileError, Fingerprint, Staging, Transaction, Transactions, Unfinished};

use super::replace::{compare, copy_attributes, folder_of, target_of};
use super::signals::{self, Listed};
use super::staging::SystemStaging;
use super::system_error::file_error;
use super::unlinked;

mod journal;

use journal::{Journal, Mark, Stage, Way};

/// How long a reader waits for a change that is under way.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often it looks whether that is done.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// The folders of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemTransactions;

impl Transactions for SystemTransactions {
    fn begin<'t>(
        &'t self,
        root: &Path,
        command: &str,
        files: &[PathBuf],
    ) -> Result<Box<dyn Transaction + 't>, FileError> {
        signals::watch();
        let _no_signal = signals::hold();
        let targets = files.iter().map(|file| target_of(file)).collect::<Result<Vec<_>, _>>()?;
        let journal = Journal::create(root, command, targets)?;
        let listed = Mutex::new(vec![Listed::new(journal.path().to_owned())]);
        let staged = Mutex::new(vec![None; files.len()]);
        Ok(Box::new(Change { files: files.to_vec(), journal: Some(journal), staged, listed }))
    }

    fn unfinished<'t>(&'t self, root: &Path) -> Result<Option<Box<dyn Unfinished + 't>>, FileError> {
        let Some(journal) = Journal::open(root)? else { return Ok(None) };
        match journal.stage() {
            Stage::Commit(_) if is_done(&journal) => clean(journal).map(|()| None),
            Stage::Commit(_) => Ok(Some(Box::new(Left { journal }))),
            Stage::Prepare | Stage::Undo(_) => undo(journal).map(|_| None),
        }
    }

    fn wait(&self, path: &Path) {
        let until = Instant::now() + PATIENCE;
        while path.ancestors().any(journal::is_held) && Instant::now() < until {
            thread::sleep(LOOK_AGAIN);
        }
    }
}

/// A change whose process lives.
struct Change {
    /// As the caller named them; errors say this.
    files: Vec<PathBuf>,
    /// `None` once it is settled.
    journal: Option<Journal>,
    staged: Mutex<Vec<Option<Staged>>>,
    listed: Mutex<Vec<Listed>>,
}

/// One file whose new state lies beside it.
#[derive(Clone, Copy)]
struct Staged {
    seen: Option<Fingerprint>,
    mark: Mark,
}

impl Transaction for Change {
    fn stage(&self, index: usize, bytes: &[u8], seen: Option<Fingerprint>) -> Result<(), FileError> {
        let (Some(path), Some(journal)) = (self.files.get(index), &self.journal) else { return Ok(()) };
        let target = journal.target(index);
        let failed = |action, error: io::Error| file_error(action, path, &error);
        // What is made here is on the list before a signal can end the process.
        let _no_signal = signals::hold();
        let old = fs::symlink_metadata(target).map_err(|error| failed("open", error))?;
        compare(path, Some(&old), seen)?;
        let (new, kept) = (journal.new_state(index), journal.old_state(index));
        self.list([Listed::new(new.clone()), Listed::new(kept.clone())]);
        let made = private(&new).map_err(|error| failed("open", error))?;
        let mark = fill(made, bytes, target, &old).map_err(|error| failed("write", error))?;
        if fs::hard_link(target, &kept).is_err() {
            keep_copy(target, &old, &kept).map_err(|error| failed("link", error))?;
        }
        self.set(index, Staged { seen, mark });
        Ok(())
    }

    fn create(&self, index: usize, bytes: &[u8]) -> Result<(), FileError> {
        let (Some(path), Some(journal)) = (self.files.get(index), &self.journal) else { return Ok(()) };
        let failed = |action, error: io::Error| file_error(action, path, &error);
        let _no_signal = signals::hold();
        refuse_taken(path, journal.target(index))?;
        let folder = folder_of(journal.target(index));
        fs::create_dir_all(folder).map_err(|error| failed("mkdir", error))?;
        let (new, kept) = (journal.new_state(index), journal.old_state(index));
        self.list([Listed::new(new.clone()), Listed::new(kept.clone())]);
        // What others may do with a new file is what the umask leaves, as for any other.
        let made = OpenOptions::new().write(true).create_new(true).open(&new);
        let mut made = made.map_err(|error| failed("open", error))?;
        let written = made.write_all(bytes).and_then(|()| match cfg!(target_os = "linux") {
            true => Ok(()),
            false => made.sync_all(),
        });
        written.map_err(|error| failed("write", error))?;
        let found = made.metadata().map_err(|error| failed("stat", error))?;
        private(&kept).map_err(|error| failed("open", error))?;
        self.set(index, Staged { seen: None, mark: Mark::of(&found).on(Way::Created) });
        Ok(())
    }

    fn remove(&self, index: usize, seen: Option<Fingerprint>) -> Result<(), FileError> {
        let (Some(path), Some(journal)) = (self.files.get(index), &self.journal) else { return Ok(()) };
        let target = journal.target(index);
        let failed = |action, error: io::Error| file_error(action, path, &error);
        let _no_signal = signals::hold();
        let old = fs::symlink_metadata(target).map_err(|error| failed("open", error))?;
        compare(path, Some(&old), seen)?;
        let kept = journal.old_state(index);
        self.list([Listed::new(kept.clone()), Listed::new(journal.new_state(index))]);
        if fs::hard_link(target, &kept).is_err() {
            keep_copy(target, &old, &kept).map_err(|error| failed("link", error))?;
        }
        self.set(index, Staged { seen, mark: Mark::default().on(Way::Removed) });
        Ok(())
    }

    fn commit(mut self: Box<Self>) -> Result<(), FileError> {
        let _no_signal = signals::hold();
        let Some(mut journal) = self.journal.take() else { return Ok(()) };
        let staged: Vec<Option<Staged>> =
            std::mem::take(self.staged.get_mut().unwrap_or_else(PoisonError::into_inner));
        let folders = folders(&journal);
        let marks =
            staged.iter().map(|staged| staged.map_or_else(Mark::default, |staged| staged.mark)).collect();
        let synced = SystemStaging.sync(&folders.iter().map(PathBuf::as_path).collect::<Vec<_>>());
        let result = synced.and_then(|()| journal.record(Stage::Commit(marks))).and_then(|()| {
            let renamed = |(index, staged): (usize, &Option<Staged>)| match staged {
                Some(staged) => self.put(&journal, index, staged),
                None => Ok(()),
            };
            staged.iter().enumerate().try_for_each(renamed)
        });
        match result {
            Ok(()) => finish(journal),
            Err(error) => {
                let marks = staged
                    .iter()
                    .map(|staged| staged.map_or_else(Mark::default, |staged| staged.mark))
                    .collect();
                // A disk that takes no record takes no rename either.
                let _ = journal.record(Stage::Undo(marks));
                undo(journal)?;
                Err(error)
            }
        }
    }
}

impl Change {
    fn list(&self, more: [Listed; 2]) {
        self.listed.lock().unwrap_or_else(PoisonError::into_inner).extend(more);
    }

    fn set(&self, index: usize, staged: Staged) {
        self.staged.lock().unwrap_or_else(PoisonError::into_inner)[index] = Some(staged);
    }

    fn put(&self, journal: &Journal, index: usize, staged: &Staged) -> Result<(), FileError> {
        let path = &self.files[index];
        let target = journal.target(index);
        if staged.mark.way == Way::Created {
            refuse_taken(path, target)?;
        } else {
            compare(path, fs::symlink_metadata(target).ok().as_ref(), staged.seen)?;
        }
        if staged.mark.way == Way::Removed {
            return fs::remove_file(target).map_err(|error| file_error("remove", path, &error));
        }
        fs::rename(journal.new_state(index), target).map_err(|error| file_error("rename", path, &error))
    }
}

impl Drop for Change {
    fn drop(&mut self) {
        if let Some(journal) = self.journal.take() {
            let _no_signal = signals::hold();
            let _ = undo(journal);
        }
    }
}

/// What a process left that died between `commit` and `done`.
struct Left {
    journal: Journal,
}

impl Unfinished for Left {
    fn command(&self) -> &str {
        self.journal.command()
    }

    fn files(&self) -> &[PathBuf] {
        self.journal.targets()
    }

    fn done(&self) -> usize {
        (0..self.files().len()).filter(|&index| is_put(&self.journal, index)).count()
    }

    fn settle(self: Box<Self>, forward: bool) -> Result<Vec<PathBuf>, FileError> {
        let _no_signal = signals::hold();
        let mut journal = self.journal;
        if !forward {
            journal.record(Stage::Undo(journal.marks().to_vec()))?;
            return undo(journal);
        }
        let mut left = Vec::new();
        for index in 0..journal.targets().len() {
            let (target, new) = (journal.target(index), journal.new_state(index));
            if is_put(&journal, index) {
                continue;
            }
            let way = way(&journal, index);
            let is_untouched = match way {
                Way::Created => !is_there(target),
                Way::Replaced | Way::Removed => is_untouched(target, &journal.old_state(index)),
            };
            // A journal can come with a clone; the states that it tells of were never there.
            let is_ours = way == Way::Removed || is_as_recorded(&journal, index);
            match way {
                _ if !is_untouched || !is_ours => {
                    left.push(target.to_owned());
                    remove(&new)?;
                }
                Way::Removed => remove(target)?,
                Way::Created | Way::Replaced => {
                    fs::rename(&new, target).map_err(|error| file_error("rename", target, &error))?;
                }
            }
        }
        finish(journal).map(|()| left)
    }
}

/// True when the new state of a file is the one that the journal tells of.
fn is_as_recorded(journal: &Journal, index: usize) -> bool {
    let found = fs::symlink_metadata(journal.new_state(index)).map(|found| Mark::of(&found));
    let recorded = journal.marks().get(index).map(|mark| mark.on(Way::Replaced));
    found.is_ok_and(|found| recorded == Some(found))
}

/// True when `target` is still the old state that `kept` is a second name of, or a
/// copy.
fn is_untouched(target: &Path, kept: &Path) -> bool {
    let (Ok(now), Ok(old)) = (fs::symlink_metadata(target), fs::symlink_metadata(kept)) else { return false };
    Mark::of(&now) == Mark::of(&old)
        || (now.len() == old.len() && fs::read(target).ok() == fs::read(kept).ok())
}

/// All files are in their new state.
fn finish(journal: Journal) -> Result<(), FileError> {
    let folders = folders(&journal);
    SystemStaging.sync(&folders.iter().map(PathBuf::as_path).collect::<Vec<_>>())?;
    clean(journal)
}

/// True once second names are being removed: then all files were renamed, and
/// that is on the disk.
fn is_done(journal: &Journal) -> bool {
    let is_clean = |index| !is_there(&journal.new_state(index)) && !is_there(&journal.old_state(index));
    (0..journal.targets().len()).any(is_clean)
}

/// Removes the second names, then the journal.
fn clean(journal: Journal) -> Result<(), FileError> {
    for index in 0..journal.targets().len() {
        let old = journal.old_state(index);
        unlinked::keep(&old);
        remove(&old)?;
        if way(&journal, index) == Way::Removed {
            remove_empty(&journal, index);
        }
    }
    unlinked::let_go();
    journal.remove()
}

/// Removes the folders of a file that are empty without it, below the journal's. What
/// stays of them does no harm.
fn remove_empty(journal: &Journal, index: usize) {
    for folder in folders_of(journal, index) {
        if fs::remove_dir(folder).is_err() {
            return;
        }
    }
}

/// The folders of a file, the innermost first, that are below the journal's.
fn folders_of(journal: &Journal, index: usize) -> impl Iterator<Item = &Path> {
    let root = folder_of(journal.path());
    let folders = folder_of(journal.target(index)).ancestors();
    folders.take_while(move |folder| folder.starts_with(root) && *folder != root)
}

/// Brings all files back to their old state; returns those that somebody else
/// changed since, which are left alone.
fn undo(journal: Journal) -> Result<Vec<PathBuf>, FileError> {
    let mut left = Vec::new();
    for index in 0..journal.targets().len() {
        let (target, new, old) = (journal.target(index), journal.new_state(index), journal.old_state(index));
        let was_put = is_there(&old) && is_put(&journal, index);
        if was_put {
            let now = fs::symlink_metadata(target).ok().map(|now| Mark::of(&now));
            let way = way(&journal, index);
            let ours = journal.marks().get(index).map(|mark| mark.on(Way::Replaced));
            if way == Way::Created {
                match now {
                    None => {}
                    now if now == ours => remove(target)?,
                    Some(_) => left.push(target.to_owned()),
                }
            } else if now == ours || way == Way::Removed && now.is_none() {
                fs::rename(&old, target).map_err(|error| file_error("rename", target, &error))?;
            } else if !is_untouched(target, &old) {
                left.push(target.to_owned());
            }
        }
        remove(&new)?;
        remove(&old)?;
        if !is_there(target) {
            remove_empty(&journal, index);
        }
    }
    journal.remove()?;
    Ok(left)
}

/// What happens to a file; before the record that says "commit", nothing does.
fn way(journal: &Journal, index: usize) -> Way {
    journal.marks().get(index).map(|mark| mark.way).unwrap_or_default()
}

/// True if a file is in its new state.
fn is_put(journal: &Journal, index: usize) -> bool {
    match way(journal, index) {
        Way::Removed => !is_there(journal.target(index)),
        Way::Created | Way::Replaced => !journal.marks().is_empty() && !is_there(&journal.new_state(index)),
    }
}

/// A new file takes nobody's place.
fn refuse_taken(path: &Path, target: &Path) -> Result<(), FileError> {
    match is_there(target) {
        true => Err(file_error("create", path, &io::Error::from(io::ErrorKind::AlreadyExists))),
        false => Ok(()),
    }
}

fn folders(journal: &Journal) -> BTreeSet<PathBuf> {
    let mut folders: BTreeSet<PathBuf> =
        journal.targets().iter().map(|target| folder_of(target).to_owned()).collect();
    // Folders may be new as well.
    for index in 0..journal.targets().len() {
        folders.extend(folders_of(journal, index).map(Path::to_owned));
    }
    folders.insert(folder_of(journal.path()).to_owned());
    folders
}

fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

fn remove(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(file_error("remove", path, &error)),
        _ => Ok(()),
    }
}

/// A new file that only its owner can read.
fn private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path)
}

/// Fills `made` with the new state of `target`; returns what tells it from others.
fn fill(mut made: File, bytes: &[u8], target: &Path, old: &Metadata) -> io::Result<Mark> {
    made.write_all(bytes)?;
    copy_attributes(target, old, &made)?;
    if cfg!(not(target_os = "linux")) {
        made.sync_all()?;
    }
    made.metadata().map(|made| Mark::of(&made))
}

/// A copy of the old state, where the file system has no second names.
fn keep_copy(target: &Path, old: &Metadata, kept: &Path) -> io::Result<()> {
    let bytes = fs::read(target)?;
    fill(private(kept)?, &bytes, target, old).map(drop)
}

#[cfg(test)]
mod tests;
