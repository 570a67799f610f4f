//! `check` reads the state that it is asked for: work tree, index or commit, from any
//! folder, in hooks and linked work trees; keeps quiet about what was reviewed; and
//! says when it could not check.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::check::{PLAIN, check, findings, git, repository};
use super::testkit::sandbox::{ALICE, BOB, Sandbox};

const NOTHING: [&str; 0] = [];

#[test]
fn each_state_is_judged_by_itself() {
    let sandbox = repository();
    let plain = "not-encrypted secrets/p.yaml:1";
    sandbox.write("secrets/p.yaml", "p: 1\n");
    assert_eq!(check(&sandbox, &[]), [plain]);
    assert_eq!(check(&sandbox, &["--staged"]), NOTHING);
    git(&sandbox, &["add", "."]);
    assert_eq!(check(&sandbox, &["--staged"]), [plain]);
    // Taken away from the work tree, it is still in the index.
    fs::remove_file(sandbox.path("secrets/p.yaml")).unwrap();
    assert_eq!(check(&sandbox, &[]), NOTHING);
    assert_eq!(check(&sandbox, &["--staged"]), [plain]);
    git(&sandbox, &["commit", "-q", "-m", "2"]);
    assert_eq!(check(&sandbox, &["--staged"]), NOTHING);
    assert_eq!(check(&sandbox, &["--rev", "HEAD"]), [plain]);
    assert_eq!(check(&sandbox, &["--rev", "HEAD", "secrets/a.yaml"]), NOTHING);
    assert_eq!(check(&sandbox, &["--rev", "HEAD~1"]), NOTHING);
    // The config is that of the same state.
    sandbox.write(".sops.yaml", format!("creation_rules:\n  - age: {}\n", BOB.recipient));
    assert_eq!(check(&sandbox, &["--rev", "HEAD"]), [plain]);
    assert_eq!(check(&sandbox, &["--staged"]), NOTHING);
    assert_eq!(check(&sandbox, &[]).len(), 4);
}

#[test]
fn a_staged_config_is_checked_with_all_that_obeys_it() {
    let sandbox = repository();
    let rule = format!("creation_rules:\n  - path_regex: ^secrets/\n    age: {}\n", BOB.recipient);
    sandbox.write(".sops.yaml", rule);
    git(&sandbox, &["add", ".sops.yaml"]);
    let found = check(&sandbox, &["--staged"]);
    assert_eq!(found.len(), 4, "{found:?}");
    assert!(found.iter().all(|line| line.contains("-recipient secrets/")), "{found:?}");
}

#[test]
fn the_nearest_config_decides_wherever_the_call_is_made() {
    let sandbox = repository();
    sandbox.write(
        "sub/.sops.yaml",
        format!("creation_rules:\n  - path_regex: s\\.yaml$\n    age: {}\n", BOB.recipient),
    );
    sandbox.write("sub/deep/s.yaml", "a: 1\n");
    let expected = ["not-encrypted sub/deep/s.yaml:1"];
    assert_eq!(check(&sandbox, &[]), expected);
    let inside = |folder: &str, arguments: &[&str]| {
        let script = format!("cd {folder} && exec \"$0\" check --json {}", arguments.join(" "));
        let program = env!("CARGO_BIN_EXE_leaflock");
        findings(&sandbox.run(Path::new("/bin/sh"), &["-c", script.as_str(), program], b""))
    };
    assert_eq!(inside("sub/deep", &[]), expected);
    assert_eq!(inside("sub/deep", &["s.yaml"]), expected);
    assert_eq!(inside("secrets", &["../sub"]), expected);
    assert_eq!(inside("secrets", &["."]), NOTHING);
    // By another name of the folder.
    std::os::unix::fs::symlink(sandbox.path(""), sandbox.folder().join("link")).unwrap();
    assert_eq!(inside("../link/sub", &[]), expected);
    assert_eq!(inside("../link/sub", &["deep"]), expected);
    // A link to a file is not looked at twice, nor is what it leads to elsewhere.
    std::os::unix::fs::symlink("deep/s.yaml", sandbox.path("sub/s.yaml")).unwrap();
    std::os::unix::fs::symlink("nowhere", sandbox.path("sub/dangling")).unwrap();
    assert_eq!(check(&sandbox, &[]), expected);
}

#[test]
fn hooks_stop_commits_of_plaintext() {
    let sandbox = repository();
    let hook = sandbox.write(
        ".git/hooks/pre-commit",
        format!("#!/bin/sh\nexec {} check --staged\n", env!("CARGO_BIN_EXE_leaflock")),
    );
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    let shell = |script: &str| {
        let script = format!(
            "export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=A GIT_COMMITTER_EMAIL=a@b\n{script}"
        );
        sandbox.run(Path::new("/bin/sh"), &["-ec", script.as_str()], b"")
    };
    let plain = "not-encrypted";
    for (script, is_stopped) in [
        ("echo 'p: 1' > secrets/p.yaml; git add .; git commit -m x", true),
        // Of a file that is not staged, a hook says nothing.
        ("git rm -q --cached secrets/p.yaml; echo x > README.md; git commit -m x README.md", false),
        ("cd secrets; git add p.yaml; git commit -m x", true),
        ("cd secrets; git commit -m x -a", true),
        ("cd secrets; git commit -m x p.yaml", true),
        (
            "git rm -qf secrets/p.yaml; git worktree add -q ../w; cd ../w/secrets; echo 'p: 1' > p.yaml; git add .; git commit -m x",
            true,
        ),
        ("cd ../w/secrets; git rm -qf p.yaml; echo y > ../y; git add ..; git commit -m x", false),
    ] {
        let done = shell(script);
        assert_eq!(done.code, Some(i32::from(is_stopped)), "{script}: {}", done.describe());
        let said = format!("{}{}", String::from_utf8_lossy(&done.stdout), done.stderr);
        assert_eq!(said.contains(plain), is_stopped, "{script}: {said}");
    }
}

#[test]
fn what_was_reviewed_is_silent_until_it_is_gone() {
    let sandbox = repository();
    let text = String::from_utf8(sandbox.read("secrets/a.yaml")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    sandbox.write("secrets/a.yaml", text.replace(lines[1], "b: plain").replace(lines[2], "c: 7"));
    sandbox.write("x y.txt", ALICE.identity);
    let before = [
        "plaintext-value secrets/a.yaml:2 [\"b\"]",
        "plaintext-value secrets/a.yaml:3 [\"c\"]",
        "age-identity x y.txt:3",
    ];
    assert_eq!(check(&sandbox, &[]), before);
    let ignore = |text: &str| sandbox.write(".leaflock/check-ignore", text);
    ignore(
        "# reviewed\n\nplaintext-value secrets/a.yaml [\"b\"] # public\nage-identity \"x y.txt\":3 # of the tests\n",
    );
    assert_eq!(check(&sandbox, &[]), before[1..2]);
    let said = sandbox.ours(&["check"]);
    assert!(
        said.stderr.contains("1 error, 2 findings reviewed in .leaflock/check-ignore"),
        "{}",
        said.stderr
    );
    // Each line silences one finding: not another kind, key, line or file.
    for line in [
        "plaintext-comment secrets/a.yaml [\"c\"] # x",
        "plaintext-value secrets/a.yaml # x",
        "plaintext-value secrets/b.yaml [\"c\"] # x",
        "plaintext-value secrets/a.yaml:3 # x",
        "age-identity \"x y.txt\" # x",
        "age-identity \"x y.txt\":2 # x",
    ] {
        ignore(line);
        let found = check(&sandbox, &[]);
        assert_eq!(found[1..], before, "{line}");
        assert_eq!(found[0], "stale-ignore .leaflock/check-ignore:1", "{line}");
    }
    for line in [
        "plaintext-value",
        "plaintext-value a",
        "plaintext-value a #",
        "nothing a # x",
        "stale-ignore a # x",
        "private-key \"a # x",
    ] {
        ignore(line);
        assert_eq!(check(&sandbox, &[])[0], "bad-ignore .leaflock/check-ignore:1", "{line}");
    }
    // Where only some files are looked at, lines of others are not stale.
    ignore("plaintext-value secrets/other.yaml [\"b\"] # x");
    assert_eq!(check(&sandbox, &["secrets/a.yaml"]), before[..2]);
    assert_eq!(check(&sandbox, &["secrets/other.yaml"]), ["stale-ignore .leaflock/check-ignore:1"]);
    // The list is that of the state that is looked at.
    ignore("plaintext-value secrets/a.yaml [\"b\"] # x\nplaintext-value secrets/a.yaml [\"c\"] # x\n");
    git(&sandbox, &["add", "secrets"]);
    assert_eq!(check(&sandbox, &["--staged"]), before[..2]);
    git(&sandbox, &["add", ".leaflock"]);
    assert_eq!(check(&sandbox, &["--staged"]), NOTHING);
}

#[test]
fn with_a_key_everything_is_verified() {
    let sandbox = repository();
    for name in ["v.json", "v.env", "v.ini", "v.bin"] {
        let text = match name {
            "v.json" => "{\"a\": \"one\", \"b_unencrypted\": \"two\"}",
            "v.ini" => "[s]\na = one\nb_unencrypted = two\n",
            _ => "a=one\nb_unencrypted=two\n",
        };
        sandbox.write(&format!("secrets/{name}"), text);
        sandbox.ours(&["encrypt", "-i", &format!("secrets/{name}")]).ok();
    }
    git(&sandbox, &["add", "."]);
    assert_eq!(check(&sandbox, &["--decrypt"]), NOTHING);
    assert_eq!(check(&sandbox, &["--decrypt", "--staged"]), NOTHING);
    for name in ["v.json", "v.env", "v.ini"] {
        let path = format!("secrets/{name}");
        let whole = String::from_utf8(sandbox.read(&path)).unwrap();
        sandbox.write(&path, whole.replace("two", "three"));
        assert_eq!(check(&sandbox, &[]), NOTHING, "{name}");
        assert_eq!(check(&sandbox, &["--decrypt"]), [format!("mac-mismatch {path}")]);
        sandbox.write(&path, whole);
    }
    let swapped = |text: String| {
        let lines: Vec<&str> = text.lines().collect();
        let (a, b) = (lines[0].strip_prefix("a: ").unwrap(), lines[1].strip_prefix("b: ").unwrap());
        text.replace(a, "@").replace(b, a).replace('@', b)
    };
    let bare = Sandbox::with_key();
    bare.write("a.yaml", swapped(String::from_utf8(sandbox.read("secrets/a.yaml")).unwrap()));
    assert_eq!(check(&bare, &["a.yaml"]), NOTHING);
    assert_eq!(check(&bare, &["--decrypt", "a.yaml"]), ["undecryptable-value a.yaml:1 [\"a\"]"]);
}

#[test]
fn what_could_not_be_checked_ends_with_two() {
    let sandbox = repository();
    let code = |sandbox: &Sandbox, arguments: &[&str]| sandbox.ours(arguments).code;
    for arguments in [
        &["check", "no-such-file.yaml"][..],
        &["check", "--rev", "no-such-revision"],
        &["check", "--staged", "--rev", "HEAD"],
        &["check", "--staged", "no-such-file"],
        &["check", "--format", "xml"],
        &["check", "--json", "--format", "sarif"],
        &["check", "--no-such-flag"],
        &["check", "--config", "no-such-config"],
    ] {
        assert_eq!(code(&sandbox, arguments), Some(2), "{arguments:?}");
    }
    let outside = Sandbox::new();
    outside.write("a.yaml", "a: 1\n");
    assert_eq!(code(&outside, &["check"]), Some(0));
    for arguments in [&["check", "--staged"][..], &["check", "--rev", "HEAD"]] {
        assert!(outside.ours(arguments).fails(2).contains("there is no git repository"));
    }
    // A file that nobody here can open.
    outside.write("e.yaml", sandbox.read("secrets/a.yaml"));
    assert_eq!(code(&outside, &["check"]), Some(0));
    assert_eq!(code(&outside, &["check", "--decrypt"]), Some(2));
    let json = outside.ours(&["check", "--decrypt", "--json"]);
    let all: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(all["failed"][0]["file"], "e.yaml");
}

#[test]
fn a_repository_without_commits_has_an_index() {
    let sandbox = Sandbox::with_key();
    git(&sandbox, &["init", "-q"]);
    assert_eq!(check(&sandbox, &["--staged"]), NOTHING);
    sandbox
        .write(".sops.yaml", format!("creation_rules:\n  - path_regex: y$\n    age: {}\n", ALICE.recipient));
    sandbox.write("y", PLAIN);
    git(&sandbox, &["add", "."]);
    assert_eq!(check(&sandbox, &["--staged"]), ["not-encrypted y"]);
    assert_eq!(check(&sandbox, &[]), ["not-encrypted y"]);
}

#[test]
fn seals_are_missed_without_a_key_and_verified_with_one() {
    let sandbox = repository();
    let sops = |file: &str| sandbox.sops(&["rotate", "-i", file]).ok();
    sandbox.write("secrets/s.yaml", PLAIN);
    sandbox.ours(&["encrypt", "-i", "--seal", "secrets/s.yaml"]).ok();
    git(&sandbox, &["add", "."]);
    git(&sandbox, &["commit", "-q", "-m", "2"]);
    assert_eq!(check(&sandbox, &["--decrypt"]), NOTHING);
    let whole = String::from_utf8(sandbox.read("secrets/s.yaml")).unwrap();
    sandbox.write("secrets/s.yaml", whole.replacen("# ", "# so: ", 1).replacen("#ENC", "#x\n#ENC", 1));
    let found = check(&sandbox, &["--decrypt"]);
    assert!(found.contains(&"broken-seal secrets/s.yaml".to_owned()), "{found:?}");
    // SOPS drops what it does not know.
    sandbox.write("secrets/s.yaml", whole);
    let _ = sops("secrets/s.yaml");
    assert_eq!(check(&sandbox, &[]), ["missing-seal secrets/s.yaml"]);
    git(&sandbox, &["add", "."]);
    assert_eq!(check(&sandbox, &["--staged"]), ["missing-seal secrets/s.yaml"]);
    git(&sandbox, &["commit", "-q", "-m", "3"]);
    assert_eq!(check(&sandbox, &[]), NOTHING);
    sandbox.write(".leaflock/config.yaml", "seal: strict\n");
    let all = ["a", "other", "s"].map(|name| format!("missing-seal secrets/{name}.yaml"));
    assert_eq!(check(&sandbox, &[]), all);
    sandbox.write(".leaflock/config.yaml", "seals: strict\n");
    assert_eq!(check(&sandbox, &[]), ["broken-config .leaflock/config.yaml:1"]);
}
