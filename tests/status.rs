//! `status` tells what a repository has and lacks, by what git itself answers,
//! and the commands that it names mend what it found.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::testkit::repository::Repository;

/// What `status` prints, and whether it found nothing wrong.
fn status(repository: &Repository) -> (String, bool) {
    let done = repository.sandbox.ours(&["status"]);
    let text = String::from_utf8(done.stdout.clone()).unwrap();
    let fine = text.ends_with("Nothing is missing\n");
    assert_eq!(done.code, Some(i32::from(!fine)), "{}", done.describe());
    (text, fine)
}

fn json(repository: &Repository, folder: &str) -> Value {
    let done = repository.sandbox.ours(&["status", "--json", folder]);
    serde_json::from_slice(&done.stdout).unwrap_or_else(|_| panic!("{}", done.describe()))
}

/// `name state` of each part.
fn parts(json: &Value) -> Vec<String> {
    let text = |it: &Value| it.as_str().unwrap().to_owned();
    json["parts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| format!("{} {}", text(&it["name"]), text(&it["state"])))
        .collect()
}

/// A repository with rules, an encrypted file and a plain one that no rule is for.
fn repository() -> Repository {
    let repository = Repository::new();
    repository.rules(&[r"\.enc\.yaml$"]);
    repository.sandbox.write("a.enc.yaml", "a: canary-1\nb: 2\n");
    repository.sandbox.write("other.yaml", "a: 1\n");
    repository.sandbox.ours(&["encrypt", "-i", "a.enc.yaml"]).ok();
    repository.commit("first");
    repository
}

#[test]
fn what_is_missing_is_told_with_what_mends_it() {
    let mut repository = repository();
    // No key is needed for any of it.
    repository.sandbox.set_env("XDG_CONFIG_HOME", "/nowhere");
    let (text, _) = status(&repository);
    for line in [
        "attributes  missing      .gitattributes\n",
        "settings    missing      .git/config\n",
        "hook        missing      .git/hooks/pre-commit\n",
        "files       1 encrypted\n",
        "  git is not told which files are encrypted\n    mend: leaflock git setup\n",
    ] {
        assert!(text.contains(line), "{text}");
    }
    repository.setup(&[]);
    assert!(status(&repository).1, "{}", status(&repository).0);
    repository.git(&["config", "--unset", "merge.leaflock.driver"]);
    assert!(status(&repository).0.contains("settings    out of date"));
    repository.setup(&[]);
    repository.rules(&[r"\.enc\.yaml$", r"\.enc\.json$"]);
    assert!(status(&repository).0.contains("attributes  out of date"));
    repository.setup(&[]);
    fs::remove_file(repository.sandbox.path(".git/hooks/pre-commit")).unwrap();
    assert!(status(&repository).0.contains("hook        missing"));
    repository.setup(&[]);
    // The program that git would run has gone.
    repository.unstub();
    assert!(status(&repository).0.contains("settings    out of date"));
    repository.setup(&[]);
    assert!(status(&repository).1, "{}", status(&repository).0);
}

#[test]
fn files_in_a_bad_state_are_told() {
    let repository = repository();
    repository.setup(&[]);
    repository.git(&["add", "."]);
    repository.sandbox.write("plain d/b.enc.yaml", "a: canary-2\n");
    repository.git(&["add", "."]);
    let (text, _) = status(&repository);
    let wrong = "  plain d/b.enc.yaml: a rule is for it, and it is not encrypted\n    mend: leaflock encrypt -i 'plain d/b.enc.yaml'\n";
    assert!(text.contains(wrong) && !text.contains("canary"), "{text}");
    repository.sandbox.ours(&["encrypt", "-i", "plain d/b.enc.yaml"]).ok();
    assert!(status(&repository).1);
    // Attributes in a folder win over ours.
    repository.sandbox.write("plain d/.gitattributes", "*.yaml -diff\n");
    assert!(status(&repository).0.contains("plain d/b.enc.yaml: another line gives it other attributes"));
    fs::remove_file(repository.sandbox.path("plain d/.gitattributes")).unwrap();

    repository.stub("exit 1");
    let commit = |text: &str| {
        repository.sandbox.write("a.enc.yaml", text);
        repository.git(&["commit", "-q", "--no-verify", "-am", "x"]);
    };
    let base = String::from_utf8(repository.sandbox.read("a.enc.yaml")).unwrap();
    repository.git(&["checkout", "-q", "-b", "side"]);
    commit(&base.replace("a: ENC", "a: x: ENC"));
    repository.git(&["checkout", "-q", "main"]);
    commit(&base.replace("a: ENC", "a: y: ENC"));
    let merged = repository.sandbox.run(Path::new("git"), &["merge", "-q", "side"], b"");
    assert_eq!(merged.code, Some(1), "{}", merged.describe());
    let (text, _) = status(&repository);
    assert!(
        text.contains("1 in an unfinished merge") && text.contains("a.enc.yaml: its merge is not finished"),
        "{text}"
    );
}

#[test]
fn every_kind_of_repository_is_told() {
    let repository = repository();
    repository.setup(&[]);
    repository.git(&["add", "."]);
    repository.stub("exit 0");
    repository.commit("set up");
    let told = json(&repository, ".");
    assert_eq!(told["version"], 1);
    assert_eq!(parts(&told), ["attributes ok", "settings ok", "hook ok"]);
    let file = serde_json::json!([{ "path": "a.enc.yaml", "state": "encrypted", "attributes": true }]);
    assert_eq!(told["files"], file);
    assert_eq!(told["problems"], serde_json::json!([]));
    repository.git(&["worktree", "add", "-q", "-b", "side", "../a work tree"]);
    assert_eq!(parts(&json(&repository, "../a work tree")), ["attributes ok", "settings ok", "hook ok"]);
    // A clone has what is committed, and lacks what is its own.
    repository.git(&["clone", "-q", ".", "../clone"]);
    assert_eq!(parts(&json(&repository, "../clone")), ["attributes ok", "settings missing", "hook missing"]);
    repository.git(&["clone", "-q", "--bare", ".", "../bare.git"]);
    let told = json(&repository, "../bare.git");
    assert_eq!(parts(&told), ["attributes missing", "settings missing", "hook not needed"]);
    assert_eq!(told["files"][0]["state"], "absent");
    let empty = Repository::new();
    assert_eq!(parts(&json(&empty, ".")), ["attributes not needed", "settings missing", "hook missing"]);
    let said = repository.sandbox.ours(&["status", "/"]).fails(1);
    assert!(said.contains("no git repository"), "{said}");
}

#[test]
fn hooks_that_others_write_are_told_with_the_lines_for_them() {
    let repository = repository();
    repository.sandbox.write(".pre-commit-config.yaml", "repos: []\n");
    repository.setup(&[]);
    let (text, _) = status(&repository);
    assert!(text.contains("  pre-commit writes the hook: add the check to .pre-commit-config.yaml\n    mend: - repo: local\n            hooks:\n"), "{text}");
    repository.sandbox.write(".pre-commit-config.yaml", "repos: [] # leaflock check --staged\n");
    assert!(status(&repository).0.contains("    mend: pre-commit install\n"));
    repository.hook(".git/hooks/pre-commit", "#!/bin/sh\n# File generated by pre-commit\n");
    assert!(status(&repository).1, "{}", status(&repository).0);
}
