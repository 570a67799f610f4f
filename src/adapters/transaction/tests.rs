//! Transactions in real folders, left at every stage.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::SystemTransactions;
use super::journal::{self, Journal, Mark, Stage, Way};
use crate::adapters::files;
use crate::app::ports::{FileError, FileErrorKind, Fingerprint, Transaction, Transactions};

const NAMES: [&str; 3] = ["a.yaml", "sub/b.yaml", "c.yaml"];

fn folder() -> (tempfile::TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<PathBuf> = NAMES.iter().map(|name| folder.path().join(name)).collect();
    for path in &paths {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "old").unwrap();
    }
    (folder, paths)
}

fn seen(path: &Path) -> Option<Fingerprint> {
    files::read(path).unwrap().fingerprint
}

fn staged<'t>(root: &Path, paths: &[PathBuf]) -> Box<dyn Transaction + 't> {
    let change = SystemTransactions.begin(root, "rotate", paths).unwrap();
    for (index, path) in paths.iter().enumerate() {
        change.stage(index, b"new", seen(path)).unwrap();
    }
    change
}

fn all_are(paths: &[PathBuf], contents: &str) -> bool {
    paths.iter().all(|path| fs::read(path).unwrap() == contents.as_bytes())
}

/// Files in the folder and the one below it.
fn count(root: &Path) -> usize {
    [root.to_owned(), root.join("sub")]
        .iter()
        .filter_map(|folder| fs::read_dir(folder).ok())
        .flatten()
        .filter(|entry| entry.as_ref().unwrap().path().is_file())
        .count()
}

#[test]
fn all_change_together() {
    let (root, paths) = folder();
    let change = staged(root.path(), &paths);
    assert!(all_are(&paths, "old"));
    change.commit().unwrap();
    assert!(all_are(&paths, "new"));
    assert_eq!(count(root.path()), NAMES.len());
}

#[test]
fn what_is_dropped_leaves_nothing() {
    let (root, paths) = folder();
    drop(staged(root.path(), &paths));
    assert!(all_are(&paths, "old"));
    assert_eq!(count(root.path()), NAMES.len());
}

#[test]
fn a_file_that_changed_takes_all_others_back() {
    let (root, paths) = folder();
    let change = staged(root.path(), &paths);
    fs::write(&paths[2], "theirs").unwrap();
    let marks: Vec<Mark> = paths.iter().map(|path| Mark::of(&fs::metadata(path).unwrap())).collect();
    assert_eq!(change.commit().unwrap_err().kind, FileErrorKind::Changed);
    assert!(all_are(&paths[..2], "old") && all_are(&paths[2..], "theirs"));
    let now: Vec<Mark> = paths.iter().map(|path| Mark::of(&fs::metadata(path).unwrap())).collect();
    assert_eq!((now, count(root.path())), (marks, NAMES.len()));
}

#[test]
fn one_change_at_a_time() {
    let (root, paths) = folder();
    let first = staged(root.path(), &paths);
    let second = SystemTransactions.begin(root.path(), "rotate", &paths);
    assert_eq!(second.err().unwrap().kind, FileErrorKind::Exists);
    let waiting = SystemTransactions.unfinished(root.path());
    assert_eq!(waiting.err().unwrap().kind, FileErrorKind::Exists);
    drop(first);
    assert!(SystemTransactions.unfinished(root.path()).unwrap().is_none());
}

#[test]
fn who_waits_goes_on_when_the_change_is_done() {
    let (root, paths) = folder();
    left_behind(root.path(), &paths, Stage::Commit, 1);
    // Of a process that is gone nothing is to be expected.
    assert!(!journal::is_held(root.path()));
    assert_eq!(
        SystemTransactions.unfinished(root.path()).unwrap().unwrap().settle(false).unwrap(),
        [] as [PathBuf; 0]
    );
    let change = staged(root.path(), &paths);
    assert!(journal::is_held(root.path()));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            SystemTransactions.wait(&paths[1]);
            all_are(&paths, "new")
        });
        change.commit().unwrap();
        assert!(waiting.join().unwrap());
    });
}

#[test]
fn many_changes_never_overlap() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("a.yaml");
    fs::write(&path, "0").unwrap();
    let (done, inside) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let change = || -> Result<(), FileError> {
        assert!(SystemTransactions.unfinished(root.path())?.is_none());
        let change = SystemTransactions.begin(root.path(), "rotate", std::slice::from_ref(&path))?;
        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
        let count: usize = fs::read_to_string(&path).unwrap().parse().unwrap();
        change.stage(0, (count + 1).to_string().as_bytes(), seen(&path)).unwrap();
        inside.fetch_sub(1, Ordering::SeqCst);
        change.commit()
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..100 {
                    match change() {
                        Ok(()) => drop(done.fetch_add(1, Ordering::SeqCst)),
                        Err(error) => assert!(error.is_race(), "{error}"),
                    }
                }
            });
        }
    });
    assert_eq!(fs::read_to_string(&path).unwrap(), done.into_inner().to_string());
    assert_eq!(count(root.path()), 1);
}

/// What a process leaves that dies with `renamed` files in their new state.
fn left_behind(root: &Path, paths: &[PathBuf], stage: impl FnOnce(Vec<Mark>) -> Stage, renamed: usize) {
    let mut journal = Journal::create(root, "rotate", paths.to_vec()).unwrap();
    let mut marks = Vec::new();
    for (index, path) in paths.iter().enumerate() {
        let new = journal.new_state(index);
        fs::write(&new, "new").unwrap();
        marks.push(Mark::of(&fs::metadata(&new).unwrap()));
        fs::hard_link(path, journal.old_state(index)).unwrap();
    }
    journal.record(stage(marks)).unwrap();
    for (index, path) in paths.iter().enumerate().take(renamed) {
        fs::rename(journal.new_state(index), path).unwrap();
    }
}

#[test]
fn what_somebody_wrote_into_a_new_state_is_left_alone() {
    let (root, paths) = folder();
    left_behind(root.path(), &paths, Stage::Commit, NAMES.len());
    // The number stays, as it may for a file that was removed and made again.
    fs::write(&paths[1], "theirs").unwrap();
    let unfinished = SystemTransactions.unfinished(root.path()).unwrap().unwrap();
    assert_eq!(unfinished.settle(false).unwrap(), [paths[1].clone()]);
    assert_eq!(fs::read(&paths[1]).unwrap(), b"theirs");
    assert!(all_are(&paths[..1], "old") && all_are(&paths[2..], "old"));
    assert_eq!(count(root.path()), NAMES.len());
}

#[test]
fn a_change_that_was_cut_off_goes_on_or_back() {
    for renamed in 0..=NAMES.len() {
        for forward in [true, false] {
            let (root, paths) = folder();
            left_behind(root.path(), &paths, Stage::Commit, renamed);
            let left = SystemTransactions.unfinished(root.path()).unwrap().unwrap();
            assert_eq!((left.command(), left.files().len(), left.done()), ("rotate", NAMES.len(), renamed));
            assert_eq!(left.settle(forward).unwrap(), Vec::<PathBuf>::new());
            assert!(all_are(&paths, if forward { "new" } else { "old" }));
            assert_eq!(count(root.path()), NAMES.len());
        }
    }
}

#[test]
fn what_needs_no_decision_is_put_right_at_once() {
    for (stage, renamed) in [((|_| Stage::Prepare) as fn(Vec<Mark>) -> Stage, 0), (Stage::Undo, 2)] {
        let (root, paths) = folder();
        left_behind(root.path(), &paths, stage, renamed);
        assert!(SystemTransactions.unfinished(root.path()).unwrap().is_none());
        assert!(all_are(&paths, "old"));
        assert_eq!(count(root.path()), NAMES.len());
    }
    // Killed while the second names were removed: all was done.
    let (root, paths) = folder();
    left_behind(root.path(), &paths, Stage::Commit, NAMES.len());
    let journal = Journal::open(root.path()).unwrap().unwrap();
    fs::remove_file(journal.old_state(0)).unwrap();
    drop(journal);
    assert!(SystemTransactions.unfinished(root.path()).unwrap().is_none());
    assert!(all_are(&paths, "new"));
    assert_eq!(count(root.path()), NAMES.len());
}

#[test]
fn a_record_counts_from_its_last_byte_on() {
    let (root, paths) = folder();
    left_behind(root.path(), &paths, |_| Stage::Prepare, 0);
    let path = root.path().join(".leaflock-journal");
    let mut text = fs::read(&path).unwrap();
    let marks: Vec<Mark> = paths.iter().map(|path| Mark::of(&fs::metadata(path).unwrap())).collect();
    let words: Vec<String> = marks.iter().map(Mark::to_string).collect();
    text.extend_from_slice(format!("commit {}", words.join(" ")).as_bytes());
    fs::write(&path, &text).unwrap();
    assert_eq!(Journal::open(root.path()).unwrap().unwrap().stage(), &Stage::Prepare);
    text.push(b'\n');
    fs::write(&path, &text).unwrap();
    assert_eq!(Journal::open(root.path()).unwrap().unwrap().stage(), &Stage::Commit(marks));
}

#[test]
fn a_journal_that_was_never_finished_says_nothing_was_done() {
    let (root, paths) = folder();
    left_behind(root.path(), &paths[..0], |_| Stage::Prepare, 0);
    let path = root.path().join(".leaflock-journal");
    fs::write(&path, "leaflock journal 2\nrotate\n0123\n/a/b").unwrap();
    assert!(Journal::open(root.path()).unwrap().is_none());
    assert!(!path.exists());
    fs::write(&path, "something else\0\0").unwrap();
    assert!(Journal::open(root.path()).is_err() && path.exists());
}

/// One file that changes, one that is new, in a folder that is, and one that goes.
fn three_ways() -> (tempfile::TempDir, Vec<PathBuf>) {
    let (root, mut paths) = folder();
    fs::remove_file(&paths[2]).unwrap();
    paths[2] = root.path().join("new/folder/c.yaml");
    (root, vec![paths[0].clone(), paths[2].clone(), paths[1].clone()])
}

fn stage_three_ways<'t>(root: &Path, paths: &[PathBuf]) -> Box<dyn Transaction + 't> {
    let change = SystemTransactions.begin(root, "sync", paths).unwrap();
    change.stage(0, b"new", seen(&paths[0])).unwrap();
    change.create(1, b"new").unwrap();
    change.remove(2, seen(&paths[2])).unwrap();
    change
}

fn is_new(root: &Path, paths: &[PathBuf]) -> bool {
    all_are(&paths[..2], "new") && !root.join("sub").exists()
}

fn is_old(root: &Path, paths: &[PathBuf]) -> bool {
    all_are(&[paths[0].clone(), paths[2].clone()], "old") && !root.join("new").exists()
}

#[test]
fn files_come_and_go() {
    let (root, paths) = three_ways();
    drop(stage_three_ways(root.path(), &paths));
    assert!(is_old(root.path(), &paths));
    stage_three_ways(root.path(), &paths).commit().unwrap();
    assert!(is_new(root.path(), &paths));
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 2);
}

#[test]
fn a_new_file_takes_nobodys_place() {
    let (root, paths) = three_ways();
    let change = stage_three_ways(root.path(), &paths);
    fs::write(&paths[1], "theirs").unwrap();
    assert_eq!(change.commit().unwrap_err().kind, FileErrorKind::Exists);
    assert_eq!(fs::read(&paths[1]).unwrap(), b"theirs");
    fs::remove_dir_all(root.path().join("new")).unwrap();
    assert!(is_old(root.path(), &paths));
}

#[test]
fn what_comes_and_goes_goes_on_or_back_as_well() {
    for done in 0..=3 {
        for forward in [true, false] {
            let (root, paths) = three_ways();
            let mut journal = Journal::create(root.path(), "sync", paths.clone()).unwrap();
            fs::create_dir_all(paths[1].parent().unwrap()).unwrap();
            let marks =
                [Way::Replaced, Way::Created, Way::Removed].into_iter().enumerate().map(|(at, way)| {
                    let (new, old) = (journal.new_state(at), journal.old_state(at));
                    match way {
                        Way::Created => fs::write(&old, "").unwrap(),
                        _ => fs::hard_link(&paths[at], &old).unwrap(),
                    }
                    if way == Way::Removed {
                        return Mark::default().on(way);
                    }
                    fs::write(&new, "new").unwrap();
                    Mark::of(&fs::metadata(&new).unwrap()).on(way)
                });
            let marks = marks.collect();
            journal.record(Stage::Commit(marks)).unwrap();
            for (at, path) in paths.iter().enumerate().take(done) {
                match at {
                    2 => fs::remove_file(path).unwrap(),
                    at => fs::rename(journal.new_state(at), path).unwrap(),
                }
            }
            drop(journal);
            let left = SystemTransactions.unfinished(root.path()).unwrap().unwrap();
            assert_eq!(left.done(), done);
            assert_eq!(left.settle(forward).unwrap(), Vec::<PathBuf>::new());
            assert!(if forward { is_new(root.path(), &paths) } else { is_old(root.path(), &paths) });
            assert_eq!(fs::read_dir(root.path()).unwrap().count(), 2);
        }
    }
}
