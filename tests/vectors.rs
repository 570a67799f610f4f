//! Files that released SOPS versions wrote (`fixtures/vectors`): each must
//! decrypt to the very bytes that SOPS prints, and each tampered one must be
//! refused with SOPS's exit code and first line.

use std::fs;
use std::path::{Path, PathBuf};

use super::testkit::gpg::GpgHome;
use super::testkit::sandbox::{Output, Sandbox};

/// Vectors that we print otherwise than SOPS on purpose: `leaflock.EXT` beside
/// them is what we print.
const DIFFERENT: [(&str, &str); 1] = [(
    "18-yaml-unicode-quoting",
    "SOPS puts U+2028 raw into single quotes, which newer YAML reads as another text",
)];

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/vectors")
}

fn folders() -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(vectors())
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The file of `folder` that starts with `stem.`.
fn file(folder: &str, stem: &str) -> Option<PathBuf> {
    let prefix = format!("{stem}.");
    fs::read_dir(vectors().join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.file_name().unwrap().to_str().unwrap().starts_with(&prefix))
}

/// A sandbox whose only identity is the vector's `key`.
fn holding(folder: &str, key: &str) -> Sandbox {
    let mut sandbox = Sandbox::new();
    let path = vectors().join(folder).join(key);
    let text = fs::read_to_string(&path).unwrap();
    if text.contains("BEGIN PGP") {
        let home = GpgHome::new();
        home.import(&path);
        sandbox.adopt(home);
        return sandbox;
    }
    let ssh = text.contains("OPENSSH");
    let variable = if ssh { "SOPS_AGE_SSH_PRIVATE_KEY_FILE" } else { "SOPS_AGE_KEY_FILE" };
    sandbox.set_env(variable, path.to_str().unwrap());
    sandbox
}

fn decrypt(sandbox: &Sandbox, path: &Path) -> Output {
    sandbox.ours(&["decrypt", path.to_str().unwrap()])
}

#[test]
fn every_vector_decrypts_to_the_bytes_that_sops_prints() {
    let mut problems = Vec::new();
    let mut passed = 0;
    for folder in folders() {
        let (Some(encrypted), Some(plain)) = (file(&folder, "encrypted"), file(&folder, "plain")) else {
            problems.push(format!("{folder}: no encrypted or plain file"));
            continue;
        };
        let different = file(&folder, "leaflock");
        assert_eq!(different.is_some(), DIFFERENT.iter().any(|(name, _)| *name == folder), "{folder}");
        let plain = different.unwrap_or(plain);
        let sandbox = holding(&folder, "key.txt");
        let answer = decrypt(&sandbox, &encrypted);
        if answer.code != Some(0) || answer.stdout != fs::read(&plain).unwrap() {
            problems.push(format!("{folder}: {}", answer.describe()));
        } else {
            passed += 1;
        }
    }
    assert!(problems.is_empty(), "{passed} passed, {} failed\n{}", problems.len(), problems.join("\n\n"));
}

#[test]
fn what_was_encrypted_round_trips_byte_for_byte() {
    let mut problems = Vec::new();
    for folder in folders() {
        let Some(input) = file(&folder, "input") else { continue };
        let extension = input.extension().unwrap().to_str().unwrap();
        let sandbox = Sandbox::with_key();
        let name = format!("input.{extension}");
        let source = fs::read(&input).unwrap();
        sandbox.write(&name, &source);
        let recipient = super::testkit::sandbox::ALICE.recipient;
        let locked =
            sandbox.ours(&["encrypt", "--age", recipient, "--in-place", "--allow-unencrypted", &name]);
        if locked.code != Some(0) {
            problems.push(format!("{folder}: {}", locked.describe()));
            continue;
        }
        let opened = sandbox.ours(&["decrypt", &name]);
        if opened.code != Some(0) || opened.stdout != source {
            problems.push(format!("{folder}: {}", opened.describe()));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n\n"));
}

#[test]
fn tampered_files_are_refused_as_sops_refuses_them() {
    let folder = "33-negative";
    let messages = fs::read_to_string(vectors().join(folder).join("messages.txt")).unwrap();
    let mut problems = Vec::new();
    for line in messages.lines() {
        let (name, message) = line.split_once(": ").unwrap();
        let code: i32 = name.split(".exit").nth(1).unwrap().split('.').next().unwrap().parse().unwrap();
        let answer = decrypt(&holding(folder, "key.txt"), &vectors().join(folder).join(name));
        let first = answer.stderr.lines().next().unwrap_or("").to_owned();
        // SOPS prints digests of all values here; the words suffice.
        let message = message.split("<hex>").next().unwrap().split(", computed").next().unwrap();
        let said = code == 0 || matches(&first, message);
        if answer.code != Some(code) || !said {
            problems.push(format!("{name}: expected {code} and {message:?}: {}", answer.describe()));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n\n"));
}

/// Whether `line` starts with SOPS's `message`. Where SOPS quotes the input, we
/// do not.
fn matches(line: &str, message: &str) -> bool {
    line.starts_with(&message.replace("Input string plain does", "Input string does"))
}

#[test]
fn too_few_shares_open_nothing() {
    let folder = "27-shamir-2-of-3";
    let encrypted = file(folder, "encrypted").unwrap();
    for key in ["key1.txt", "key2.txt", "key3.txt"] {
        let said = decrypt(&holding(folder, key), &encrypted).fails(128);
        assert!(said.starts_with("Failed to get the data key required to decrypt the SOPS file."), "{said}");
    }
}

#[test]
fn each_of_two_recipients_opens_the_file() {
    let folder = "28-two-recipients";
    let plain = fs::read(file(folder, "plain").unwrap()).unwrap();
    let encrypted = file(folder, "encrypted").unwrap();
    for key in ["key.txt", "key2.txt"] {
        assert_eq!(decrypt(&holding(folder, key), &encrypted).ok(), plain, "with {key}");
    }
}
