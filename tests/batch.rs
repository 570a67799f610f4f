//! Many files in one call: whatever ends it, every file is the old one or the
//! new one, and nothing lies beside them.
#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::testkit::rng::Rng;
use crate::testkit::sandbox::{ALICE, Sandbox};

const FILES: usize = 60;

fn plain(number: usize) -> String {
    format!("name: file {number}\nsecret: value-{number}\n")
}

/// A folder tree of plain files and a rule for them.
fn tree() -> Sandbox {
    let sandbox = Sandbox::with_key();
    sandbox.write(".sops.yaml", format!("creation_rules:\n  - age: {}\n", ALICE.recipient));
    for number in 0..FILES {
        sandbox.write(&name(number), plain(number));
    }
    sandbox
}

fn name(number: usize) -> String {
    format!("tree/d{}/f{number}.yaml", number % 3)
}

fn start(sandbox: &Sandbox, arguments: &[&str]) -> Child {
    let mut command = sandbox.command(Path::new(env!("CARGO_BIN_EXE_leaflock")));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// How many files lie in the tree, whatever their names.
fn count(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { count(&path) } else { 1 }).sum()
}

#[test]
fn a_batch_that_is_killed_leaves_whole_files_only() {
    let mut rng = Rng::new(7);
    for round in 0..18 {
        let signal = [Signal::INT, Signal::TERM, Signal::KILL][round % 3];
        let sandbox = tree();
        let mut child = start(&sandbox, &["encrypt", "-i", "tree"]);
        std::thread::sleep(Duration::from_millis(rng.below(120) as u64));
        let _ = kill_process(Pid::from_child(&child), signal);
        child.wait().unwrap();
        // What cannot be caught may leave the file that a thread was about to rename.
        let left =
            if signal == Signal::KILL { std::thread::available_parallelism().unwrap().get() } else { 0 };
        assert!(count(&sandbox.path("tree")) <= FILES + left, "{signal:?}");
        for number in 0..FILES {
            let bytes = sandbox.read(&name(number));
            let untouched = bytes == plain(number).as_bytes();
            assert!(untouched || bytes.ends_with(b"    version: 3.13.2\n"), "{signal:?}");
        }
        sandbox.ours(&["encrypt", "-i", "tree"]).ok();
        let decrypted = sandbox.ours(&["decrypt", "-i", "tree"]);
        assert_eq!(decrypted.stderr, format!("{FILES} files decrypted\n"));
        assert!((0..FILES).all(|number| sandbox.read(&name(number)) == plain(number).as_bytes()));
    }
}

#[test]
fn a_batch_keeps_modes_and_links() {
    use std::os::unix::fs::PermissionsExt;
    let sandbox = tree();
    let path = sandbox.path(&name(1));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let link = sandbox.path("tree/link.yaml");
    std::os::unix::fs::symlink("../other.yaml", &link).unwrap();
    sandbox.write("other.yaml", plain(0));
    sandbox.ours(&["encrypt", "-i", "tree"]).ok();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(sandbox.read("other.yaml").starts_with(b"name: ENC["));
}
