//! Writes that end early: killed at every step, a full disk, a read-only
//! folder, a file that cannot be renamed over. The file is the old one or the
//! new one, never less, and nothing lies beside it. And private plaintext that
//! must be gone however the process ends.
//!
//! The victims are this test binary, started again for one of its `victim_`
//! tests; without `LEAFLOCK_VICTIM` those do nothing.
#![cfg(unix)]

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use leaflock::adapters::editor::SystemEditor;
use leaflock::adapters::files::SystemFiles;
use leaflock::adapters::hardening::harden;
use leaflock::adapters::private_dir::SystemPrivateFiles;
use leaflock::adapters::replace::{Step, replace_with};
use leaflock::app::ports::{Durability, Editor, Files, PrivateFiles};
use rustix::process::{Pid, Signal, kill_process};

const VICTIM: &str = "LEAFLOCK_VICTIM";

/// Several write calls' worth, so that some steps are in the middle of the bytes.
fn contents(letter: u8) -> Vec<u8> {
    vec![letter; 5 * 1024 * 1024 / 2]
}

/// The command that runs one victim on `path`, told `word`.
fn victim(test: &str, path: &Path, word: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([&format!("crash::{test}"), "--exact", "--nocapture", "--quiet"]);
    command.env(VICTIM, path).env("LEAFLOCK_WORD", word);
    command
}

/// What a victim was told: its path and word. `None` in an ordinary test run.
fn told() -> Option<(PathBuf, String)> {
    Some((PathBuf::from(std::env::var_os(VICTIM)?), std::env::var("LEAFLOCK_WORD").unwrap()))
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// Kills this process before the step with the number that it was told.
#[test]
fn victim_killed_at_a_step() {
    let Some((path, word)) = told() else { return };
    harden();
    let (number, named) = word.split_once(' ').unwrap();
    let mut left: usize = number.parse().unwrap();
    let seen = SystemFiles::default().read(&path).unwrap().fingerprint;
    replace_with(&path, &contents(b'n'), seen, Durability::Power, &mut || true, &mut |step| {
        if left == 0 {
            println!("killed before {step:?}");
            io::stdout().flush().unwrap();
            kill_process(rustix::process::getpid(), Signal::KILL).unwrap();
        }
        left -= 1;
        if step == Step::CreateUnnamed && named == "named" { Err(io::Error::other("none")) } else { Ok(()) }
    })
    .unwrap();
}

#[test]
fn killed_at_every_step_the_file_is_old_or_new() {
    for named in ["unnamed", "named"] {
        let mut steps = BTreeSet::new();
        for number in 0.. {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("secrets.yaml");
            fs::write(&path, contents(b'o')).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
            let mut command = victim("victim_killed_at_a_step", &path, &format!("{number} {named}"));
            let output = command.output().unwrap();
            let there = fs::read(&path).unwrap();
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
            if output.status.success() {
                assert!(there == contents(b'n') && files_in(folder.path()).len() == 1);
                break;
            }
            assert_eq!(output.status.signal(), Some(9));
            let said = String::from_utf8(output.stdout).unwrap();
            let step = said.split("killed before ").nth(1).unwrap().trim().to_owned();
            let renamed = ["SyncFolder", "Done"].contains(&step.as_str());
            assert!(there == contents(if renamed { b'n' } else { b'o' }), "before {step}");
            let left = files_in(folder.path()).len() - 1;
            let may_be_left = step == "Rename" || (named == "named" && !renamed);
            assert!(left == 0 || may_be_left, "{named}: a file was left before {step}");
            for file in files_in(folder.path()) {
                assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o7, 0);
            }
            steps.insert(step);
        }
        for step in ["Write", "Attributes", "Sync", "Compare", "Name", "Rename", "SyncFolder", "Done"] {
            assert!(steps.contains(step), "{named}: never stopped before {step}");
        }
    }
}

#[test]
fn a_step_that_fails_leaves_the_old_file_alone() {
    for named in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets.yaml");
        let mut failing = 0;
        loop {
            fs::write(&path, contents(b'o')).unwrap();
            let seen = SystemFiles::default().read(&path).unwrap().fingerprint;
            let mut count = 0;
            let mut failed = None;
            let result =
                replace_with(&path, &contents(b'n'), seen, Durability::Power, &mut || true, &mut |step| {
                    if step == Step::CreateUnnamed {
                        return if named { Err(io::Error::other("none")) } else { Ok(()) };
                    }
                    count += 1;
                    if count == failing + 1 {
                        failed = Some(step);
                        return Err(io::ErrorKind::StorageFull.into());
                    }
                    Ok(())
                });
            assert_eq!(files_in(folder.path()).len(), 1, "{failed:?}");
            let there = fs::read(&path).unwrap();
            match failed {
                None => {
                    result.unwrap();
                    assert!(there == contents(b'n'));
                    break;
                }
                Some(step) => {
                    let error = result.unwrap_err().to_string();
                    assert!(error.contains(path.to_str().unwrap()), "{error}");
                    let renamed = [Step::SyncFolder, Step::Done].contains(&step);
                    assert!(there == contents(if renamed { b'n' } else { b'o' }), "{step:?}");
                }
            }
            failing += 1;
        }
        assert!(failing >= 9, "only {failing} steps");
    }
}

#[test]
fn readers_see_whole_files_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secrets.yaml");
    fs::write(&path, contents(b'a')).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut reads = 0;
            while !stop.load(Ordering::Relaxed) {
                let there = fs::read(&path).unwrap();
                assert_eq!(there.len(), contents(b'a').len());
                assert!(there.iter().all(|byte| *byte == there[0]));
                reads += 1;
            }
            reads
        });
        for letter in b'a'..=b'z' {
            SystemFiles::default().replace(&path, &contents(letter), None, Durability::Process).unwrap();
        }
        stop.store(true, Ordering::Relaxed);
        assert!(reader.join().unwrap() > 0);
    });
}

/// Replaces the file and expects the error that it was told; then replaces it
/// without the part that may be forbidden, to show that the check can fail.
#[test]
fn victim_of_the_system() {
    let Some((path, word)) = told() else { return };
    let before = fs::read(&path).unwrap();
    for durability in [Durability::Process, Durability::Power] {
        let error = SystemFiles::default().replace(&path, &contents(b'n'), None, durability).unwrap_err();
        assert!(error.to_string().contains(&word), "{error}");
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
        assert!(fs::read(&path).unwrap() == before);
    }
    println!("the old file is whole");
}

/// Runs the victim behind a shell line that prepares its surroundings; the line
/// ends in `exec "$@"`. False if this system does not let us prepare them.
fn run_prepared(wrapper: &[&str], line: &str, path: &Path, expected: &str) -> bool {
    let inner = victim("victim_of_the_system", path, expected);
    let folder = path.parent().unwrap();
    let mut command = Command::new(wrapper[0]);
    command.args(&wrapper[1..]).args(["sh", "-c", line, "sh"]);
    command.arg(inner.get_program()).args(inner.get_args());
    command.env(VICTIM, path).env("LEAFLOCK_WORD", expected).env("FOLDER", folder).env("FILE", path);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    if errors.contains("unshare") || output.status.code() == Some(77) {
        eprintln!("skipped, no private mounts here: {errors}");
        return false;
    }
    assert!(said.contains("the old file is whole"), "{expected}: {said}{errors}");
    true
}

fn old_file() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secrets.yaml");
    fs::write(&path, "old").unwrap();
    (folder, path)
}

#[test]
fn a_size_limit_leaves_the_old_file() {
    let (folder, path) = old_file();
    let line = "trap '' XFSZ; ulimit -f 1024 && exec \"$@\"";
    assert!(run_prepared(&["env"], line, &path, "file too large"));
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert_eq!(files_in(folder.path()).len(), 1);
}

/// A namespace of mounts that ends with the command; as a user, one of users too.
fn private_mounts() -> Vec<&'static str> {
    let mut words = vec!["unshare", "-m"];
    if !rustix::process::geteuid().is_root() {
        words.push("-r");
    }
    words
}

#[test]
fn a_full_disk_leaves_the_old_file() {
    let (folder, path) = old_file();
    let line = "mount -t tmpfs -o size=1m tmpfs \"$FOLDER\" || exit 77
        printf old > \"$FILE\"; \"$@\" || exit 1; test \"$(ls -A \"$FOLDER\")\" = secrets.yaml";
    run_prepared(&private_mounts(), line, &path, "no space left on device");
    assert_eq!(files_in(folder.path()).len(), 1);
}

#[test]
fn a_read_only_folder_leaves_the_old_file() {
    let (_folder, path) = old_file();
    let line = "mount --bind \"$FOLDER\" \"$FOLDER\" && mount -o remount,ro,bind \"$FOLDER\" || exit 77
        exec \"$@\"";
    run_prepared(&private_mounts(), line, &path, "read-only file system");
    assert_eq!(fs::read(&path).unwrap(), b"old");
}

#[test]
fn a_folder_without_write_permission_leaves_the_old_file() {
    let (folder, path) = old_file();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o555)).unwrap();
    if rustix::process::geteuid().is_root() {
        // Root may write everywhere: ask as somebody else, who must reach the test binary.
        let binary = std::env::temp_dir().join(format!("leaflock-crash-{}", std::process::id()));
        fs::copy(std::env::current_exe().unwrap(), &binary).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        let expected = "permission denied (a file is replaced whole";
        let output = Command::new("setpriv")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(&binary)
            .args(["crash::victim_of_the_system", "--exact", "--nocapture"])
            .envs([(VICTIM, path.as_os_str()), ("LEAFLOCK_WORD", expected.as_ref())])
            .output();
        fs::remove_file(&binary).unwrap();
        let said = String::from_utf8(output.unwrap().stdout).unwrap();
        assert!(said.contains("the old file is whole"), "{said}");
    } else {
        let error = SystemFiles::default().replace(&path, b"new", None, Durability::Process).unwrap_err();
        assert!(error.to_string().contains("permission denied"), "{error}");
    }
    assert_eq!(fs::read(&path).unwrap(), b"old");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
}

/// A single file mounted into a container.
#[test]
fn a_file_that_is_a_mount_point_is_left_alone() {
    let (folder, path) = old_file();
    let line = "mount --bind \"$FILE\" \"$FILE\" || exit 77; exec \"$@\"";
    run_prepared(&private_mounts(), line, &path, "resource busy");
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert_eq!(files_in(folder.path()).len(), 1);
}

/// Holds plaintext in a private directory while an editor or nothing runs.
#[test]
fn victim_with_plaintext() {
    let Some((base, editor)) = told() else { return };
    let private = SystemPrivateFiles::new(None, base).create().unwrap();
    let path = private.write("secrets.yaml", b"canary").unwrap();
    println!("plaintext at {}", path.display());
    io::stdout().flush().unwrap();
    if editor == "none" {
        std::thread::sleep(Duration::from_secs(60));
    } else {
        let ended = SystemEditor::new(Some(editor.into()), None, std::env::var_os("PATH")).edit(&path);
        println!("editor: {ended:?}");
    }
    drop(private);
    println!("went on");
}

struct Holder {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
    plaintext: PathBuf,
}

fn hold(base: &Path, editor: &str) -> Holder {
    let mut command = victim("victim_with_plaintext", base, editor);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    let plaintext = loop {
        line.clear();
        assert!(output.read_line(&mut line).unwrap() > 0);
        if let Some((_, path)) = line.trim_end().split_once("plaintext at ") {
            break PathBuf::from(path);
        }
    };
    assert_eq!(fs::read(&plaintext).unwrap(), b"canary");
    Holder { child, output, plaintext }
}

impl Holder {
    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for the end without looking at what is left.
    fn abandon(mut self) {
        self.child.wait().unwrap();
    }

    /// Waits for the end; its signal, and what it said until then.
    fn end(mut self) -> (Option<i32>, String) {
        let mut said = String::new();
        self.output.read_to_string(&mut said).unwrap();
        let status = self.child.wait().unwrap();
        assert!(!self.plaintext.parent().unwrap().exists(), "plaintext was left");
        (status.signal(), said)
    }
}

#[test]
fn plaintext_is_gone_after_every_signal() {
    let base = tempfile::tempdir().unwrap();
    for signal in [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT] {
        let holder = hold(base.path(), "none");
        holder.signal(signal);
        let (ended_by, said) = holder.end();
        assert_eq!(ended_by, Some(signal.as_raw()));
        assert!(!said.contains("went on"));
    }
}

#[test]
fn plaintext_of_a_killed_process_goes_with_the_next_session() {
    let base = tempfile::tempdir().unwrap();
    let (killed, alive) = (hold(base.path(), "none"), hold(base.path(), "none"));
    let (lost, kept) = (killed.plaintext.clone(), alive.plaintext.clone());
    kill_process(Pid::from_child(&killed.child), Signal::KILL).unwrap();
    killed.abandon();
    assert!(lost.exists());
    for path in [&lost, &kept] {
        let hour_ago = std::time::SystemTime::now() - Duration::from_secs(3600);
        fs::File::open(path.parent().unwrap()).unwrap().set_modified(hour_ago).unwrap();
    }
    drop(SystemPrivateFiles::new(None, base.path().to_owned()).create().unwrap());
    assert!(!lost.parent().unwrap().exists() && kept.exists());
    alive.signal(Signal::TERM);
    alive.end();
}

#[test]
fn the_editor_is_told_to_end_too() {
    let base = tempfile::tempdir().unwrap();
    for signal in [Signal::TERM, Signal::HUP] {
        let began = Instant::now();
        let holder = hold(base.path(), "sh -c 'exec sleep 60' sh");
        std::thread::sleep(Duration::from_millis(200));
        holder.signal(signal);
        holder.end();
        assert!(began.elapsed() < Duration::from_secs(30));
    }
}

#[test]
fn keys_that_interrupt_are_the_editors() {
    let base = tempfile::tempdir().unwrap();
    let holder = hold(base.path(), "sh -c 'sleep 1; printf edited > \"$1\"' sh");
    std::thread::sleep(Duration::from_millis(300));
    holder.signal(Signal::INT);
    holder.signal(Signal::QUIT);
    let (ended_by, said) = holder.end();
    assert_eq!(ended_by, None);
    assert!(said.contains("editor: Ok(())") && said.contains("went on"), "{said}");
}
