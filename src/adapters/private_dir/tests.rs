//! Private directories: who may look, where they are, and what is left of them.
#![cfg(unix)]

use std::os::unix::fs::{MetadataExt, symlink};

use super::*;
use crate::adapters::wipe::WIPE_CHUNK;

fn dirs(runtime: Option<&Path>, temporary: &Path) -> SystemPrivateFiles {
    SystemPrivateFiles::new(runtime.map(Path::to_owned), temporary.to_owned())
}

#[test]
fn only_the_user_can_look_and_nothing_is_left() {
    let base = tempfile::tempdir().unwrap();
    let private = dirs(None, base.path()).create().unwrap();
    let path = private.write("secrets.yaml", b"a: 1").unwrap();
    let folder = path.parent().unwrap().to_owned();
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o7777;
    assert_eq!((mode(&folder), mode(&path)), (0o700, 0o600));
    fs::write(folder.join(".secrets.yaml.swp"), "copy").unwrap();
    fs::create_dir(folder.join("backup")).unwrap();
    fs::write(folder.join("backup/old"), "copy").unwrap();
    assert_eq!(*private.read("secrets.yaml").unwrap(), *b"a: 1");
    drop(private);
    assert!(!folder.exists());
}

#[test]
fn memory_is_preferred() {
    if !is_memory(Path::new("/dev/shm")) {
        return;
    }
    let disk = tempfile::tempdir_in(".").unwrap();
    let runtime = tempfile::tempdir_in("/dev/shm").unwrap();
    for (given, expected) in [
        (Some(runtime.path()), runtime.path()),
        (Some(disk.path()), Path::new("/dev/shm")),
        (Some(Path::new("/not/there")), Path::new("/dev/shm")),
        (Some(Path::new("relative")), Path::new("/dev/shm")),
        (None, Path::new("/dev/shm")),
    ] {
        let private = dirs(given, disk.path()).create().unwrap();
        assert!(private.write("x", b"").unwrap().starts_with(expected));
    }
}

#[test]
fn files_are_overwritten_before_they_go() {
    let base = tempfile::tempdir().unwrap();
    let private = dirs(None, base.path()).create().unwrap();
    let size = WIPE_CHUNK * 2 + 17;
    let path = private.write("secret", &vec![b's'; size]).unwrap();
    let witness = path.parent().unwrap().parent().unwrap().join("leaflock-witness-of-wiping");
    fs::remove_file(&witness).ok();
    fs::hard_link(&path, &witness).unwrap();
    drop(private);
    let left = fs::read(&witness).unwrap();
    fs::remove_file(&witness).unwrap();
    assert_eq!(left, vec![0; size]);
}

#[test]
fn links_out_of_the_folder_are_not_followed() {
    let base = tempfile::tempdir().unwrap();
    let outside = base.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("kept"), "kept").unwrap();
    let private = dirs(None, base.path()).create().unwrap();
    let folder = private.write("x", b"").unwrap().parent().unwrap().to_owned();
    symlink(&outside, folder.join("folder")).unwrap();
    symlink(outside.join("kept"), folder.join("file")).unwrap();
    drop(private);
    assert!(!folder.exists());
    assert_eq!(fs::read(outside.join("kept")).unwrap(), b"kept");
}

#[test]
fn names_stay_inside() {
    let base = tempfile::tempdir().unwrap();
    let private = dirs(None, base.path()).create().unwrap();
    for name in ["", ".", "..", "a/b", "/etc/x", "a/", "./a"] {
        assert!(private.write(name, b"").is_err(), "{name}");
        assert!(private.read(name).is_err(), "{name}");
    }
}
