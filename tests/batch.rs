//! Many files in one call: whatever ends it, every file is the old one or the
//! new one, and nothing lies beside them.
#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::testkit::rng::Rng;
use crate::testkit::sandbox::{ALICE, BOB, CAROL, Key, Sandbox};

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

/// The tree, encrypted for Alice and Bob, with a rule for Alice and Carol.
fn swapped_tree() -> Sandbox {
    let sandbox = tree();
    sandbox.write(".sops.yaml", rule(&[ALICE, BOB]));
    sandbox.ours(&["encrypt", "-i", "tree"]).ok();
    sandbox.write(".sops.yaml", rule(&[ALICE, CAROL]));
    sandbox
}

fn rule(keys: &[Key]) -> String {
    let keys: Vec<&str> = keys.iter().map(|key| key.recipient).collect();
    format!("creation_rules:\n  - age: {}\n", keys.join(","))
}

fn contents(sandbox: &Sandbox) -> Vec<Vec<u8>> {
    (0..FILES).map(|number| sandbox.read(&name(number))).collect()
}

fn is_new(bytes: &[u8]) -> bool {
    let text = std::str::from_utf8(bytes).unwrap();
    text.contains(CAROL.recipient) && !text.contains(BOB.recipient)
}

#[test]
fn a_dry_run_changes_nothing() {
    let sandbox = swapped_tree();
    let before = (contents(&sandbox), count(&sandbox.path("")));
    let shown = sandbox.ours(&["updatekeys", "--dry-run", "tree"]).text();
    assert!(shown.contains(&format!("to {FILES} files:\n    tree/d0/f0.yaml\n")), "{shown}");
    assert!(shown.contains(&format!("+++ {}\n--- {}\n", CAROL.recipient, BOB.recipient)), "{shown}");
    let json = sandbox.ours(&["updatekeys", "--dry-run", "--json", "--all"]).text();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let files = json["files"].as_array().unwrap();
    assert_eq!(files.len(), FILES);
    assert_eq!(files[0]["gains"], serde_json::json!([CAROL.recipient]));
    assert_eq!(files[0]["loses"], serde_json::json!([BOB.recipient]));
    assert_eq!(files[0]["new_data_key"], true);
    // An answer of "no", and no answer, change nothing either.
    let asked = sandbox.ours_with_stdin(&["updatekeys", "tree"], b"n\n");
    assert!(asked.stderr.ends_with("nothing was changed\n"), "{}", asked.stderr);
    asked.ok();
    sandbox.ours(&["updatekeys", "tree"]).fails(1);
    assert!((contents(&sandbox), count(&sandbox.path(""))) == before);
}

#[test]
fn all_files_change_or_none() {
    let sandbox = swapped_tree();
    let before = contents(&sandbox);
    // One file that Alice cannot open.
    let text = String::from_utf8(before[7].clone()).unwrap();
    sandbox.write(&name(7), text.replace(ALICE.recipient, BOB.recipient).replace("YWdl", "YWxl"));
    let broken = contents(&sandbox);
    let said = sandbox.ours(&["updatekeys", "-y", "tree"]).fails(128);
    assert!(
        said.starts_with(&format!("{}/{}:\n", sandbox.path("").display(), name(7)).replace("//", "/")),
        "{said}"
    );
    assert!(said.ends_with("nothing was changed\n"), "{said}");
    assert!(contents(&sandbox) == broken);
    sandbox.write(&name(7), &before[7]);
    let done = sandbox.ours(&["updatekeys", "-y", "tree"]);
    assert_eq!(done.stderr, format!("{FILES} files changed\n"));
    assert!(contents(&sandbox).iter().all(|bytes| is_new(bytes)));
    assert_eq!(count(&sandbox.path("")), FILES + 1);
    let again = sandbox.ours(&["updatekeys", "-y", "tree"]);
    assert_eq!(again.stderr, format!("nothing to change, {FILES} up to date\n"));
    sandbox.ours(&["decrypt", "-i", "tree"]).ok();
    assert!((0..FILES).all(|number| sandbox.read(&name(number)) == plain(number).as_bytes()));
}

/// Waits until the journal says that files are being renamed, or the child ends.
fn wait_for_commit(sandbox: &Sandbox, child: &mut Child) {
    while child.try_wait().unwrap().is_none() {
        let journal = fs::read(sandbox.path(".leaflock-journal")).unwrap_or_default();
        if journal.windows(8).any(|text| text == b"\0commit ") {
            return;
        }
        std::thread::sleep(Duration::from_micros(200));
    }
}

#[test]
fn a_hundred_killed_calls_change_all_files_or_none() {
    let mut rng = Rng::new(11);
    let sandbox = swapped_tree();
    let before = contents(&sandbox);
    let (mut finished, mut undone) = (0, 0);
    for round in 0..100 {
        let mut child = start(&sandbox, &["updatekeys", "-y", "tree"]);
        if round % 2 == 0 {
            std::thread::sleep(Duration::from_millis(rng.below(250) as u64));
        } else {
            wait_for_commit(&sandbox, &mut child);
            std::thread::sleep(Duration::from_micros(rng.below(4000) as u64));
        }
        let _ = kill_process(Pid::from_child(&child), Signal::KILL);
        child.wait().unwrap();
        // Whoever reads now sees whole files.
        let seen = contents(&sandbox);
        assert!(seen.iter().zip(&before).all(|(now, old)| now == old || is_new(now)));
        let halfway = seen.iter().filter(|bytes| is_new(bytes)).count();
        let waiting = sandbox.ours(&["updatekeys", "-y", "--dry-run", "tree"]);
        if waiting.code == Some(1) {
            assert!(waiting.stderr.contains("was killed when"), "{}", waiting.describe());
            let forward = rng.chance(50);
            sandbox.ours(&["updatekeys", if forward { "--continue" } else { "--abort" }]).ok();
            finished += usize::from(forward);
            undone += usize::from(!forward);
            let settled = contents(&sandbox);
            let all_new = settled.iter().all(|bytes| is_new(bytes));
            assert!(if forward { all_new } else { settled == before }, "{forward}");
        } else {
            waiting.ok();
            assert!(halfway == 0 || halfway == FILES, "{halfway} files changed, and nobody knows");
        }
        assert_eq!(count(&sandbox.path("")), FILES + 1, "something was left");
        for (number, bytes) in before.iter().enumerate() {
            sandbox.write(&name(number), bytes);
        }
    }
    assert!(finished > 0 && undone > 0, "{finished} finished, {undone} undone: killed at the wrong moments");
}

#[test]
fn a_call_that_is_interrupted_leaves_nothing() {
    let sandbox = swapped_tree();
    let before = contents(&sandbox);
    let mut rng = Rng::new(3);
    for signal in [Signal::INT, Signal::TERM, Signal::HUP].repeat(5) {
        let mut child = start(&sandbox, &["updatekeys", "-y", "tree"]);
        std::thread::sleep(Duration::from_millis(rng.below(150) as u64));
        let _ = kill_process(Pid::from_child(&child), signal);
        child.wait().unwrap();
        assert_eq!(count(&sandbox.path("")), FILES + 1, "something was left");
        let now = contents(&sandbox);
        assert!(now == before || now.iter().all(|bytes| is_new(bytes)));
        for (number, bytes) in before.iter().enumerate() {
            sandbox.write(&name(number), bytes);
        }
    }
}

#[test]
fn what_somebody_else_changed_is_left_alone() {
    let sandbox = swapped_tree();
    let before = contents(&sandbox);
    let mut settled = 0;
    while settled < 2 {
        let mut child = start(&sandbox, &["updatekeys", "-y", "tree"]);
        wait_for_commit(&sandbox, &mut child);
        let _ = kill_process(Pid::from_child(&child), Signal::KILL);
        child.wait().unwrap();
        if sandbox.ours(&["updatekeys", "-y", "--dry-run", "tree"]).code == Some(1) {
            // Every file is somebody else's now, renamed or not.
            sandbox.write(&name(0), "theirs: 0\n");
            fs::remove_file(sandbox.path(&name(1))).unwrap();
            sandbox.write(&name(1), "theirs: 1\n");
            let word = ["--continue", "--abort"][settled];
            let said = sandbox.ours(&["updatekeys", word]);
            assert_eq!(sandbox.read(&name(1)), b"theirs: 1\n", "{}", said.describe());
            assert_eq!(count(&sandbox.path("")), FILES + 1);
            settled += 1;
        }
        for (number, bytes) in before.iter().enumerate() {
            sandbox.write(&name(number), bytes);
        }
    }
}

#[test]
fn all_means_what_git_tracks() {
    let sandbox = swapped_tree();
    let git = |arguments: &[&str]| drop(sandbox.run(Path::new("git"), arguments, b"").ok());
    git(&["init", "-q", "."]);
    git(&["add", "tree/d0"]);
    let done = sandbox.ours(&["updatekeys", "-y", "--all"]);
    assert_eq!(done.stderr, format!("{} files changed\n", FILES / 3), "{}", done.describe());
    assert!(is_new(&sandbox.read(&name(0))) && !is_new(&sandbox.read(&name(1))));
    let status = sandbox.ours(&["filestatus", "--all", "tree/d1"]).text();
    assert_eq!(status.lines().count(), 2 * FILES / 3);
    assert!(status.lines().all(|line| line.starts_with("{\"encrypted\":true,\"path\":")), "{status}");
}
