//! Staged files in real folders.

use std::fs;
use std::path::{Path, PathBuf};

use super::SystemStaging;
use crate::adapters::files;
use crate::app::ports::{FileErrorKind, Staged, Staging};

fn folder_with(names: &[&str]) -> (tempfile::TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<PathBuf> = names.iter().map(|name| folder.path().join(name)).collect();
    for path in &paths {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "old").unwrap();
    }
    (folder, paths)
}

fn stage(path: &Path) -> Box<dyn Staged> {
    let seen = files::read(path).unwrap().fingerprint;
    SystemStaging.stage(path, b"new", seen).unwrap()
}

fn names_in(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

#[test]
fn nothing_is_new_before_it_is_put() {
    let (folder, paths) = folder_with(&["a.yaml", "sub/b.yaml"]);
    let staged: Vec<_> = paths.iter().map(|path| stage(path)).collect();
    let folders: Vec<&Path> = staged.iter().map(|staged| staged.folder()).collect();
    assert_eq!(folders, [folder.path(), &folder.path().join("sub")]);
    SystemStaging.sync(&folders).unwrap();
    assert!(paths.iter().all(|path| fs::read(path).unwrap() == b"old"));
    for staged in staged {
        staged.put().unwrap();
    }
    SystemStaging.sync(&[folder.path()]).unwrap();
    assert!(paths.iter().all(|path| fs::read(path).unwrap() == b"new"));
    assert_eq!(names_in(folder.path()), 2);
}

#[test]
fn what_is_dropped_was_never_there() {
    let (folder, paths) = folder_with(&["a.yaml"]);
    drop(stage(&paths[0]));
    assert_eq!((names_in(folder.path()), fs::read(&paths[0]).unwrap()), (1, b"old".to_vec()));
}

#[test]
fn a_file_that_changed_meanwhile_is_left_alone() {
    let (folder, paths) = folder_with(&["a.yaml"]);
    let staged = stage(&paths[0]);
    fs::write(&paths[0], "somebody else's").unwrap();
    assert_eq!(staged.put().unwrap_err().kind, FileErrorKind::Changed);
    assert_eq!((names_in(folder.path()), fs::read(&paths[0]).unwrap()), (1, b"somebody else's".to_vec()));
}

#[test]
fn there_is_room_for_many() {
    assert!(SystemStaging.room() >= 512);
}

#[test]
fn a_folder_that_is_gone_cannot_be_synced() {
    let error = SystemStaging.sync(&[Path::new("/nowhere/at/all")]).unwrap_err();
    assert_eq!((error.action, error.kind), ("sync", FileErrorKind::NotFound));
}
