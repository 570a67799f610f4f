//! `check` has nothing to say about files that the real sops and we wrote, in every
//! format and under every kind of rule, also after edits, rotations and changes of
//! keys, nor about ordinary text.

use std::fs;
use std::path::Path;

use super::check::{check, findings, git};
use super::testkit::generate::{Document, EXTENSIONS};
use super::testkit::sandbox::{ALICE, Sandbox};

/// Documents a format; each is written by sops and by us.
const DOCUMENTS: u64 = 60;

const NOTHING: [&str; 0] = [];

/// The commands that change encrypted files, and whether sops runs them.
const CHANGES: [(bool, &[&str]); 4] =
    [(true, &["rotate", "-i"]), (true, &["edit"]), (false, &["rotate", "-i"]), (false, &["edit"])];

/// One document, written by us and by sops.
struct Pair {
    config: String,
    files: Vec<String>,
}

impl Pair {
    /// Writes document `seed` of a format. What one of both refuses (a rule that selects
    /// nothing) is no clean file of the other either.
    fn write(sandbox: &Sandbox, extension: &str, seed: u64) -> Self {
        let document = Document::generate(extension, seed);
        let folder = format!("{extension}{seed}");
        let config = sandbox.write(&format!("{folder}/.sops.yaml"), document.config());
        let mut pair = Self { config: config.to_str().unwrap().to_owned(), files: Vec::new() };
        for writer in ["ours", "theirs"] {
            let file = format!("{folder}/{writer}.{extension}");
            sandbox.write(&file, &document.bytes);
            if !pair.run(sandbox, writer == "theirs", &["encrypt", "-i"], &file) {
                fs::remove_file(sandbox.path(&file)).unwrap();
                break;
            }
            pair.files.push(file);
        }
        pair
    }

    fn run(&self, sandbox: &Sandbox, sops: bool, words: &[&str], file: &str) -> bool {
        let arguments = [&["--config", self.config.as_str()][..], words, &[file]].concat();
        let done = if sops { sandbox.sops(&arguments) } else { sandbox.ours(&arguments) };
        done.code == Some(0)
    }

    /// Changes both files; an edit that changes nothing in them may be refused.
    fn change(&self, sandbox: &Sandbox, number: usize) -> usize {
        let (sops, words) = CHANGES[number % CHANGES.len()];
        self.files.iter().filter(|file| self.run(sandbox, sops, words, file)).count()
    }
}

/// Runs `work` for every document, the formats side by side.
fn each<T: Send>(work: impl Fn(&str, u64) -> T + Sync) -> Vec<T> {
    let of_format = |extension| (0..DOCUMENTS).map(|seed| work(extension, seed)).collect::<Vec<T>>();
    std::thread::scope(|scope| {
        let formats = EXTENSIONS.map(|extension| scope.spawn(move || of_format(extension)));
        formats.into_iter().flat_map(|format| format.join().unwrap()).collect()
    })
}

#[test]
fn files_that_were_written_rightly_are_clean() {
    let mut sandbox = Sandbox::with_key();
    let editor = sandbox.write("editor.sh", "#!/bin/sh\nprintf '\\n' >> \"$1\"\n");
    let _ = sandbox.run(Path::new("/bin/chmod"), &["+x", editor.to_str().unwrap()], b"").ok();
    sandbox.set_env("SOPS_EDITOR", editor.to_str().unwrap());
    let sandbox = &sandbox;
    git(sandbox, &["init", "-q"]);
    let pairs = each(|extension, seed| {
        let pair = Pair::write(sandbox, extension, seed);
        let changed = pair.change(sandbox, seed as usize);
        (pair, changed)
    });
    let count: usize = pairs.iter().map(|(pair, _)| pair.files.len()).sum();
    let changed: usize = pairs.iter().map(|(_, changed)| changed).sum();
    assert!(count >= 500 && changed >= count / 2, "{count} files, {changed} changed");
    assert_eq!(check(sandbox, &[]), NOTHING);
    assert_eq!(check(sandbox, &["--decrypt"]), NOTHING);
    git(sandbox, &["add", "."]);
    assert_eq!(check(sandbox, &["--staged"]), NOTHING);
    git(sandbox, &["commit", "-q", "-m", "1"]);
    // The next state of each file is as clean, beside the last commit too.
    for (number, (pair, _)) in pairs.iter().enumerate().step_by(3) {
        pair.change(sandbox, number + 1);
    }
    assert_eq!(check(sandbox, &[]), NOTHING);
    git(sandbox, &["add", "."]);
    assert_eq!(check(sandbox, &["--staged"]), NOTHING);
}

/// Files that released versions of sops wrote, with every kind of key and rule.
#[test]
fn files_of_released_versions_are_clean() {
    let sandbox = Sandbox::new();
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/vectors");
    let mut count = 0;
    for folder in fs::read_dir(vectors).unwrap().map(|entry| entry.unwrap().path()) {
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        // What is damaged on purpose, and made by hand.
        if !folder.is_dir() || name.starts_with("33-") || name.starts_with("34-") {
            continue;
        }
        for file in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            let file_name = file.file_name().unwrap().to_str().unwrap();
            if file_name.starts_with("encrypted") {
                sandbox.write(&format!("{name}/{file_name}"), fs::read(&file).unwrap());
                count += 1;
            }
        }
    }
    assert!(count >= 35, "{count} files");
    let done = sandbox.ours(&["check", "--json"]);
    assert_eq!(findings(&done), NOTHING);
    let all: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(all["encrypted"], count);
}

/// Our own sources and pages, which speak of keys and tokens all the time.
#[test]
fn ordinary_text_is_clean() {
    let sandbox = Sandbox::new();
    sandbox.write(".sops.yaml", format!("creation_rules:\n  - age: {}\n", ALICE.recipient));
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut count = 0;
    for folder in ["src", "tests", "ci", ".github"] {
        let mut waiting = vec![root.join(folder)];
        while let Some(folder) = waiting.pop() {
            for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                if path.is_dir() {
                    waiting.push(path);
                    continue;
                }
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                // Transcripts begin with encrypted files for others.
                if !name.contains(".in/") && !name.contains(".out/") && !name.starts_with("tests/fuzz") {
                    sandbox.write(&name, fs::read(&path).unwrap());
                    count += 1;
                }
            }
        }
    }
    assert!(count > 250, "{count} files");
    // The throw-away keys of the tests are what they look like.
    let found = check(&sandbox, &["src", "tests", "ci", ".github"]);
    let places = [
        "age-identity src/adapters/keys/age/tests.rs",
        "private-key src/domain/agent/revocations/tests.rs",
        "private-key src/domain/agent/sshsig/tests.rs",
        "private-key src/domain/agent/sshsig/tests.rs",
        "private-key src/domain/agent/sshsig/tests.rs",
        "age-identity tests/testkit/plugin.rs",
    ];
    let expected = |(found, place): (&String, &str)| found.starts_with(&format!("{place}:"));
    assert!(found.len() == places.len() && found.iter().zip(places).all(expected), "{found:#?}");
}
