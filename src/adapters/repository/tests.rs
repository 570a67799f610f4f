//! The repository adapter on real repositories, and on texts that git prints.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Git, unquoted, versions};
use crate::app::ports::FileErrorKind;
use crate::app::repository::{Repository, Snapshot};

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
    assert_eq!((found[0].commit.id.as_str(), found[0].commit.date.as_str()), ("c1", "2026-01-02T03:04:05Z"));
}

/// A new repository with `a.yaml` and `d/*.yaml`, staged.
fn repository() -> (tempfile::TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let root = home.path().canonicalize().unwrap().join("r");
    fs::create_dir_all(root.join("d")).unwrap();
    run(&root, &["init", "-q"]);
    fs::write(root.join("a.yaml"), "a").unwrap();
    fs::write(root.join("d/*.yaml"), "d").unwrap();
    run(&root, &["add", "."]);
    (home, root)
}

fn run(folder: &Path, arguments: &[&str]) {
    let mut git = Command::new("git");
    git.current_dir(folder).args(["-c", "user.name=A", "-c", "user.email=a@example.com"]).args(arguments);
    assert!(git.output().unwrap().status.success(), "{arguments:?}");
}

#[test]
fn snapshots_list_their_files() {
    let (_home, root) = repository();
    let head = Snapshot::Revision("HEAD".to_owned());
    let list = |at: &Snapshot, paths: &[PathBuf]| {
        let entries = Git.listing(&root, at, paths).unwrap().unwrap();
        entries.into_iter().map(|entry| (entry.path, entry.stage)).collect::<Vec<_>>()
    };
    let all = [(root.join("a.yaml"), 0), (root.join("d/*.yaml"), 0)];
    assert_eq!(list(&Snapshot::Index, &[]), all);
    assert_eq!(list(&Snapshot::Index, std::slice::from_ref(&root)), all);
    assert_eq!(list(&head, &[]), []);
    run(&root, &["commit", "-q", "-m", "1"]);
    assert_eq!(list(&head, &[]), all);
    assert_eq!(list(&head, &[root.join("d/*.yaml")]), all[1..]);
    assert_eq!(list(&Snapshot::Index, &[root.join("*.yaml")]), []);
    let missing = Git.listing(&root, &Snapshot::Revision("--help".to_owned()), &[]).unwrap_err();
    assert_eq!(missing.kind, FileErrorKind::NotFound);
    assert_eq!(missing.to_string(), "rev-parse --help: no such revision");
}

#[test]
fn contents_come_by_the_names_of_a_listing() {
    let (_home, root) = repository();
    let entries = Git.listing(&root, &Snapshot::Index, &[]).unwrap().unwrap();
    let blobs: Vec<String> = entries.into_iter().map(|entry| entry.blob).collect();
    let mut found = Vec::new();
    Git.contents(&root, &blobs, &mut |blob, bytes| found.push((blob.to_owned(), bytes.to_vec()))).unwrap();
    assert_eq!(found, [(blobs[0].clone(), b"a".to_vec()), (blobs[1].clone(), b"d".to_vec())]);
}

#[test]
fn places_are_found_in_work_trees_and_bare_repositories() {
    let (home, root) = repository();
    let place = Git.place(&root.join("d")).unwrap().unwrap();
    assert_eq!(place.top.as_ref(), Some(&root));
    assert_eq!((&place.git_dir, &place.common_dir), (&root.join(".git"), &root.join(".git")));
    assert_eq!(place.hooks, root.join(".git/hooks"));
    run(&root, &["commit", "-q", "-m", "1"]);
    run(&root, &["worktree", "add", "-q", "../w"]);
    run(&root, &["config", "core.hooksPath", "/h"]);
    let second = Git.place(&root.join("../w")).unwrap().unwrap();
    assert_eq!(second.top, Some(root.join("../w").canonicalize().unwrap()));
    assert_eq!((second.git_dir, second.common_dir), (root.join(".git/worktrees/w"), root.join(".git")));
    assert_eq!(second.hooks, Path::new("/h"));
    run(&root, &["init", "-q", "--bare", "../b"]);
    assert_eq!(Git.place(&root.join("../b")).unwrap().unwrap().top, None);
    assert_eq!(Git.place(&home.path().join("..")).unwrap(), None);
}

#[test]
fn settings_are_the_repositorys_own() {
    let (_home, root) = repository();
    let value = |own| {
        let all = Git.settings(&root, own).unwrap();
        all.into_iter().find(|(name, _)| name == "diff.Own.textconv").map(|(_, value)| value)
    };
    assert_eq!(value(true), None);
    Git.set(&root, "diff.Own.textConv", Some("a \"b\"\nc")).unwrap();
    assert_eq!(value(true).as_deref(), Some("a \"b\"\nc"));
    run(&root, &["config", "--add", "diff.Own.textConv", "last"]);
    assert_eq!(value(false).as_deref(), Some("last"));
    Git.set(&root, "diff.Own.textconv", Some("only")).unwrap();
    assert_eq!(
        Git.settings(&root, true).unwrap().iter().filter(|(name, _)| name.starts_with("diff.")).count(),
        1
    );
    Git.set(&root, "diff.Own.textconv", None).unwrap();
    Git.set(&root, "diff.Own.textconv", None).unwrap();
    assert_eq!(value(true), None);
    fs::write(root.join(".git/config.lock"), "").unwrap();
    let error = Git.set(&root, "diff.Own.textconv", Some("x")).unwrap_err();
    assert!(error.to_string().starts_with("git config diff.Own.textconv: could not lock"), "{error}");
}

#[test]
fn attributes_come_file_by_file() {
    let (_home, root) = repository();
    fs::write(root.join(".gitattributes"), "*.yaml diff=x -merge\nd/** diff=y\n").unwrap();
    let asked = [root.join("a.yaml"), root.join("d/*.yaml"), root.join("not there")];
    let told = Git.attributes(&root.join("d"), &["diff", "merge"], &asked).unwrap();
    let value = |text: &str| Some(text.to_owned());
    assert_eq!(told, [[value("x"), value("unset")], [value("y"), value("unset")], [None, None]]);
}
