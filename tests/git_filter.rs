//! The filter with a real git: plaintext in the work tree, the same ciphertext in
//! git as long as nothing changes, and never a checkout that stops or a secret
//! among git's objects.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use super::testkit::repository::Repository;
use super::testkit::sandbox::{ALICE, Output};

/// What no object of git may hold.
const CANARY: &str = "kanarienvogel";

/// One file a format, each with a canary.
const FILES: [(&str, &str); 5] = [
    ("a.enc.yaml", "# note\nuser:   anna\npassword: \"kanarienvogel\" # kanarienvogel\nlist: [1, 2]\n"),
    ("d e/b.enc.json", "{\n\t\"a\": \"kanarienvogel\",  \"n\": 1.50\n}\n"),
    ("c.enc.env", "# x\nA=1\nB='kanarienvogel'\n"),
    ("c.enc.ini", "[s]\nk = kanarienvogel\n"),
    ("d.enc.bin", "\u{1}\u{2} kanarienvogel \r\n no line end"),
];

/// A repository with the filter on and all files committed.
fn repository() -> Repository {
    let repository = Repository::new();
    repository.rules(&[r"\.enc\."]);
    repository.setup(&["--filter"]);
    for (name, text) in FILES {
        repository.sandbox.write(name, text);
    }
    commit(&repository, "first");
    repository
}

fn commit(repository: &Repository, message: &str) {
    repository.git(&["add", "-A"]);
    repository.git(&["commit", "-q", "--no-verify", "-m", message]);
}

/// Git sees no change, even where it has to look at every byte.
#[track_caller]
fn assert_clean(repository: &Repository, folder: &str) {
    for (name, _) in FILES {
        let file = repository.sandbox.path(folder).join(name);
        if let Ok(file) = fs::File::options().append(true).open(file) {
            file.set_modified(SystemTime::now() + std::time::Duration::from_secs(100)).unwrap();
        }
    }
    assert_eq!(repository.git(&["-C", folder, "status", "--porcelain"]), "");
}

#[track_caller]
fn assert_plain(repository: &Repository, folder: &str) {
    for (name, text) in FILES {
        let found = fs::read(repository.sandbox.path(folder).join(name)).unwrap();
        assert!(found == text.as_bytes(), "{name}: {}", String::from_utf8_lossy(&found));
    }
}

#[track_caller]
fn assert_no_secret_in_git(repository: &Repository) {
    let objects = repository.sandbox.run(
        Path::new("git"),
        &["cat-file", "--batch-all-objects", "--batch", "--unordered"],
        b"",
    );
    let objects = objects.ok();
    assert!(objects.len() > 1000);
    assert!(!String::from_utf8_lossy(&objects).contains(CANARY));
}

fn git(repository: &Repository, arguments: &[&str]) -> Output {
    repository.sandbox.run(Path::new("git"), arguments, b"")
}

/// One value and the MAC, and the time unless all of it happened in one second.
fn assert_one_value_changed(repository: &Repository, name: &str) {
    let counts = repository.git(&["diff", "--cached", "--numstat"]);
    let expected = [2, 3].map(|lines| format!("{lines}\t{lines}\t{name}\n"));
    assert!(expected.contains(&counts), "{counts}");
}

#[test]
fn git_sees_no_change_where_there_is_none() {
    let repository = repository();
    assert_plain(&repository, ".");
    assert_clean(&repository, ".");
    assert_no_secret_in_git(&repository);
    for (name, _) in FILES {
        let held = repository.git(&["show", &format!("HEAD:{name}")]);
        repository.sandbox.write(&format!("../held/{name}"), held);
        let opened = repository.sandbox.sops(&["decrypt", &format!("../held/{name}")]).text();
        assert!(opened.contains(CANARY), "{name}: {opened}");
    }

    repository.git(&["checkout", "-q", "-b", "side"]);
    let changed = FILES[0].1.replace("anna", "bert");
    repository.sandbox.write(FILES[0].0, &changed);
    repository.git(&["add", "-A"]);
    assert_one_value_changed(&repository, "a.enc.yaml");
    repository.git(&["commit", "-q", "--no-verify", "-m", "second"]);
    assert_clean(&repository, ".");
    repository.git(&["checkout", "-q", "main"]);
    assert_plain(&repository, ".");
    assert_clean(&repository, ".");
    repository.git(&["checkout", "-q", "side"]);
    assert_eq!(repository.sandbox.read(FILES[0].0), changed.as_bytes());
    repository.git(&["checkout", "-q", "main"]);

    repository.sandbox.write(FILES[2].0, "# x\nA=2\nB='kanarienvogel'\n");
    repository.git(&["stash", "-q"]);
    assert_plain(&repository, ".");
    assert_clean(&repository, ".");
    repository.git(&["stash", "pop", "-q"]);
    assert_eq!(repository.sandbox.read(FILES[2].0), b"# x\nA=2\nB='kanarienvogel'\n");
    repository.git(&["checkout", "-q", "--", "."]);

    repository.git(&["worktree", "add", "-q", "-b", "third", "../w t"]);
    assert_plain(&repository, "../w t");
    assert_clean(&repository, "../w t");
    repository.sandbox.write("../w t/a.enc.yaml", &changed);
    repository.git(&["-C", "../w t", "commit", "-q", "--no-verify", "-am", "there"]);
    assert_clean(&repository, "../w t");
    repository.git(&["merge", "-q", "--no-edit", "third"]);
    assert_eq!(repository.sandbox.read(FILES[0].0), changed.as_bytes());
    assert_clean(&repository, ".");
    repository.git(&["reset", "-q", "--hard", "HEAD~1"]);
    assert_plain(&repository, ".");
    assert_no_secret_in_git(&repository);
    assert!(repository.setup(&[]).ends_with("nothing to change\n"));
    assert!(repository.setup(&["--filter"]).ends_with("nothing to change\n"));
    let told = repository.sandbox.ours(&["status"]);
    assert!(told.code == Some(0) && told.describe().contains("filter      ok"), "{}", told.describe());
}

#[test]
fn without_a_key_the_work_tree_holds_ciphertext() {
    let mut repository = repository();
    repository.git(&["clone", "-q", ".", "../clone"]);
    repository.sandbox.set_env("XDG_CONFIG_HOME", "/nowhere");
    repository.sandbox.ours(&["git", "setup", "--yes", "--filter", "../clone"]).ok();
    let folder = repository.sandbox.path("../clone");
    let locked =
        |name: &str| String::from_utf8(fs::read(folder.join(name)).unwrap()).unwrap().contains("ENC[");
    let checked_out_anew = || {
        for (name, _) in FILES {
            fs::remove_file(folder.join(name)).unwrap();
        }
        repository.git(&["-C", "../clone", "checkout", "-q", "--", "."]);
    };
    checked_out_anew();
    assert!(FILES.iter().all(|(name, _)| locked(name)));
    assert_eq!(repository.git(&["-C", "../clone", "status", "--porcelain", "--", "*.enc.*"]), "");
    assert_clean_of(&repository, "../clone");
    repository.git(&["-C", "../clone", "worktree", "add", "-q", "-b", "new", "../clone tree"]);
    assert_clean_of(&repository, "../clone tree");
    // One's own new file is encrypted by its rule nevertheless.
    repository.sandbox.write("../clone/new.enc.yaml", "a: kanarienvogel\n");
    repository.git(&["-C", "../clone", "add", "new.enc.yaml"]);
    let staged = repository.git(&["-C", "../clone", "show", ":new.enc.yaml"]);
    assert!(
        staged.contains("ENC[") && staged.contains(ALICE.recipient) && !staged.contains(CANARY),
        "{staged}"
    );
    // With a key, the same call brings plaintext.
    repository.sandbox.set_env("SOPS_AGE_KEY", ALICE.identity.lines().last().unwrap());
    let text = repository.sandbox.ours(&["git", "setup", "--yes", "--filter", "../clone"]).text();
    assert!(text.contains("unlock   "), "{text}");
    assert_plain(&repository, "../clone");
    assert_clean_of(&repository, "../clone");
}

/// Like [`assert_clean`], for a clone whose attributes are not committed.
#[track_caller]
fn assert_clean_of(repository: &Repository, folder: &str) {
    let changed =
        repository.git(&["-C", folder, "status", "--porcelain", "--untracked-files=no", "--", "*.enc.*"]);
    assert!(changed.lines().all(|line| line.starts_with("A ")), "{changed}");
}

#[test]
fn what_cannot_be_encrypted_never_gets_into_git() {
    let repository = repository();
    let refused = |text: &str, said: &str| {
        repository.sandbox.write("a.enc.yaml", text);
        let added = git(&repository, &["add", "a.enc.yaml"]);
        assert!(added.code != Some(0) && added.stderr.contains(said), "{}", added.describe());
        assert!(!added.stderr.contains(CANARY), "{}", added.stderr);
        assert_no_secret_in_git(&repository);
    };
    refused("a: [kanarienvogel\nb: {\n", "clean filter 'leaflock' failed");
    let held = repository.git(&["show", "HEAD:a.enc.yaml"]);
    refused(&held.replace("user:", "<<<<<<< ours\nuser:"), "in an unfinished merge");
    repository.git(&["checkout", "-q", "--", "a.enc.yaml"]);
    // Ciphertext stays what it is, and so do empty files.
    repository.sandbox.write("e.enc.yaml", "");
    repository.sandbox.write("a.enc.yaml", &held);
    repository.git(&["add", "-A"]);
    assert_eq!(repository.git(&["status", "--porcelain"]), "A  e.enc.yaml\n");
    assert_eq!(repository.git(&["show", ":e.enc.yaml"]), "");
    // The program has gone: checkouts go on, plaintext stays out.
    repository.unstub();
    for (name, _) in FILES {
        fs::remove_file(repository.sandbox.path(name)).unwrap();
    }
    repository.git(&["checkout", "-q", "--", "."]);
    assert!(String::from_utf8(repository.sandbox.read("a.enc.yaml")).unwrap().contains("ENC["));
    refused("a: kanarienvogel\n", "clean filter 'leaflock' failed");
}

#[test]
fn the_filter_comes_and_goes_with_the_files() {
    let repository = Repository::new();
    repository.rules(&[r"\.enc\."]);
    for (name, text) in FILES {
        repository.sandbox.write(name, text);
        repository.sandbox.ours(&["encrypt", "-i", name]).ok();
    }
    // A file of sops's is laid out as sops does, and a file may have no rule.
    let told = ["encrypt", "-i", "--age", ALICE.recipient];
    repository.sandbox.write("s.enc.yaml", "# note\na:\n  - kanarienvogel # x\n  - 2\n");
    repository.sandbox.sops(&[&told[..], &["s.enc.yaml"]].concat()).ok();
    repository.sandbox.write("odd.yaml", "a: kanarienvogel\nb: 2\n");
    repository.sandbox.ours(&[&told[..], &["--config", "/dev/null", "odd.yaml"]].concat()).ok();
    repository.git(&["add", "-A"]);
    repository.setup(&[]);
    commit(&repository, "first");
    repository.git(&["worktree", "add", "-q", "-b", "other", "../w"]);
    let held = |name: &str| {
        (repository.sandbox.read(name), fs::read(repository.sandbox.path("../w").join(name)).unwrap())
    };
    let names: Vec<&str> = FILES.iter().map(|(name, _)| *name).chain(["s.enc.yaml", "odd.yaml"]).collect();
    let before: Vec<_> = names.iter().map(|name| held(name)).collect();

    repository.rules(&[r"\.enc\.", "^[0-9]+$"]);
    let warned = repository.sandbox.ours(&["git", "setup", "--filter", "--dry-run"]).stderr;
    assert!(warned.contains("warning: a new file that no glob stands for has no filter"), "{warned}");
    repository.git(&["checkout", "-q", "--", ".sops.yaml"]);
    let shown = repository.setup(&["--filter"]);
    assert!(shown.contains("    a.enc.yaml\n") && shown.contains("    odd.yaml\n"), "{shown}");
    assert_plain(&repository, ".");
    assert_clean(&repository, ".");
    assert_eq!(repository.sandbox.read("odd.yaml"), b"a: kanarienvogel\nb: 2\n");
    let attributes = String::from_utf8(repository.sandbox.read(".gitattributes")).unwrap();
    assert!(!attributes.contains("filter"), "{attributes}");
    // What is plaintext here is encrypted in git, and known by that.
    assert!(repository.setup(&[]).ends_with("nothing to change\n"));
    // A file without a rule keeps its keys when it changes.
    repository.sandbox.write("odd.yaml", "a: kanarienvogel\nb: 3\n");
    repository.git(&["add", "odd.yaml"]);
    assert_one_value_changed(&repository, "odd.yaml");
    repository.git(&["reset", "-q", "--hard"]);
    for name in &names {
        fs::remove_file(repository.sandbox.path("../w").join(name)).unwrap();
    }
    repository.git(&["-C", "../w", "checkout", "-q", "--", "."]);
    assert_plain(&repository, "../w");

    // Without the filter there is no plaintext left that git could take.
    let shown = repository.setup(&["--no-filter"]);
    assert!(shown.contains("lock     ../w\n") || shown.contains("/w\n"), "{shown}");
    for (name, before) in names.iter().zip(&before) {
        assert!(held(name) == *before, "{name}");
    }
    assert_clean(&repository, ".");
    assert_clean(&repository, "../w");
    assert!(!repository.sandbox.path(".git/info/attributes").exists());
    repository.setup(&["--filter"]);
    assert_plain(&repository, ".");
    repository.setup(&["--remove"]);
    for (name, before) in names.iter().zip(&before) {
        assert!(held(name) == *before, "{name}");
    }
    assert!(!repository.git(&["config", "--local", "--list"]).contains("leaflock"));
}

#[test]
fn mistakes_are_told() {
    let repository = Repository::new();
    let said = repository.sandbox.ours(&["git", "setup", "--filter", "--remove"]).fails(8);
    assert!(said.contains("exclude each other"), "{said}");
    repository.git(&["init", "-q", "--bare", "../bare"]);
    let said = repository.sandbox.ours(&["git", "setup", "--yes", "--filter", "../bare"]).fails(8);
    assert!(said.contains("no work tree"), "{said}");
    let said = repository.sandbox.ours(&["git", "clean"]).fails(100);
    assert!(said.contains("no file specified"), "{said}");
    // What is not encrypted goes through as it is.
    let through = repository.sandbox.ours_with_stdin(&["git", "smudge", "a.yaml"], b"a: 1\n").ok();
    assert_eq!(through, b"a: 1\n");
}
