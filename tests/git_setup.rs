//! `git setup` with a real git: what it writes makes git treat encrypted files
//! as it should, beside whatever hooks and attributes are there, and goes away
//! to the last byte.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use leaflock::domain::go_regex::{Globs, GoRegex, globs};

use super::testkit::repository::Repository;
use super::testkit::sandbox::ALICE;

/// Every file below `folder` with its bytes and mode.
fn snapshot(folder: &Path) -> BTreeMap<PathBuf, (Vec<u8>, u32)> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() && !entry.is_symlink() {
                waiting.push(entry);
            } else if let Ok(bytes) = fs::read(&entry) {
                let mode = fs::metadata(&entry).unwrap().permissions().mode();
                found.insert(entry, (bytes, mode));
            }
        }
    }
    // Git's own index has times in it.
    found.retain(|path, _| !path.ends_with(".git/index"));
    found
}

#[test]
fn a_repository_is_set_up_once_and_restored_to_the_last_byte() {
    let repository = Repository::new();
    repository.rules(&[r"\.enc\.yaml$", r"^secrets/.*\.env$"]);
    repository.sandbox.write(".gitattributes", "* text=auto");
    repository.commit("first");
    let before = snapshot(&repository.sandbox.path(""));
    let shown = repository.sandbox.ours(&["git", "setup", "--dry-run"]).text();
    for line in [
        "change   .gitattributes",
        "    *.enc.yaml diff=leaflock merge=leaflock\n    /secrets/**/*.env diff=leaflock merge=leaflock\n",
        "change   .git/config",
        "create   .git/hooks/pre-commit\n    leaflock check --staged\n",
    ] {
        assert!(shown.contains(line), "{shown}");
    }
    assert_eq!(snapshot(&repository.sandbox.path("")), before);
    assert!(repository.setup(&[]).ends_with("done\n"));
    let attributes = String::from_utf8(repository.sandbox.read(".gitattributes")).unwrap();
    assert!(attributes.starts_with("* text=auto\n# >>> leaflock git setup (joined) >>>\n"), "{attributes}");
    let mode = fs::metadata(repository.sandbox.path(".git/hooks/pre-commit")).unwrap().permissions().mode();
    assert_eq!(mode & 0o100, 0o100);

    let after = snapshot(&repository.sandbox.path(""));
    assert!(repository.setup(&[]).ends_with("nothing to change\n"));
    assert_eq!(snapshot(&repository.sandbox.path("")), after);
    // New rules renew the lines.
    repository.rules(&[r"\.enc\.json$"]);
    repository.setup(&[]);
    let attributes = String::from_utf8(repository.sandbox.read(".gitattributes")).unwrap();
    assert!(attributes.contains("*.enc.json") && !attributes.contains("*.enc.yaml"), "{attributes}");
    repository.rules(&[r"\.enc\.yaml$", r"^secrets/.*\.env$"]);

    assert!(repository.setup(&["--remove"]).ends_with("done\n"));
    assert_eq!(snapshot(&repository.sandbox.path("")), before);
    assert!(repository.setup(&["--remove"]).ends_with("nothing to change\n"));
}

#[test]
fn settings_of_the_user_are_never_touched() {
    let mut repository = Repository::new();
    let global = repository.sandbox.folder().join("home/.gitconfig");
    fs::write(&global, "[user]\n\tname = g\n[diff \"leaflock\"]\n\ttextconv = other\n").unwrap();
    repository.sandbox.set_env("GIT_CONFIG_GLOBAL", global.to_str().unwrap());
    let before = fs::read(&global).unwrap();
    repository.rules(&[r"\.enc\.yaml$"]);
    repository.setup(&[]);
    assert!(repository.git(&["config", "--local", "diff.leaflock.textconv"]).contains("leaflock textconv"));
    repository.setup(&["--remove"]);
    assert_eq!(fs::read(&global).unwrap(), before);
}

#[test]
fn globs_match_what_rules_match() {
    let repository = Repository::new();
    let patterns = [
        r"\.enc\.yaml$",
        r"\.enc\.(ya?ml|json)$",
        r"^secrets/.*\.yaml$",
        r"^secrets/",
        "secrets/",
        r"(^|/)secrets/",
        r"\.dev\.",
        r"^a/.+/b\.env$",
        r"^a.*b$",
        r"^a.+b$",
        r"^.+\.yaml$",
        r".+\.yaml$",
        "^a/.+",
        "/a$",
        "a/$",
        r"[^/]+\.env$",
        r"^[^/]*\.env$",
        r"(?i)\.ENV$",
        "secrets.yaml",
        r"^(dev|prod)/[a-z]\.ini$",
        "a.*/b",
        "a/.*/b$",
        r"^a\[1\]\*",
        r"x{2}\.yaml",
        "^a/(b/)?c$",
        ".a",
        "a.",
        "^a.b$",
        "a.*b.*c",
        r"env\.[0-9a-f]$",
        "^/a",
    ];
    let paths = [
        "a",
        "b",
        "a/b",
        "a/b/c",
        "a/c",
        "a.yaml",
        "a.enc.yaml",
        "d/a.enc.yml",
        ".enc.yaml",
        "x.enc.json",
        "x.enc.yamls",
        "secrets/a.yaml",
        "secrets/d/e/a.yaml",
        "secrets",
        "my-secrets/x",
        "d/secrets/x",
        "secrets.yaml",
        "d/secrets/yaml",
        "a.dev.yaml",
        "d.dev.x/y",
        "a/b.env",
        "a/x/b.env",
        "a/x/y/b.env",
        "ab",
        "axb",
        "a/xb",
        "axx/y/zb",
        ".env",
        "d/.env",
        "d/x.env",
        "x.ENV",
        "d/y.Env",
        "dev/a.ini",
        "prod/b.ini",
        "dev/ab.ini",
        "a/x/b",
        "ax/b",
        "ax/y/b",
        "a[1]*",
        "a[1]x",
        "xx.yaml",
        "x.yaml",
        "d/xxx.yaml",
        "a/b/cx",
        "1a",
        "d/a",
        "aaxb/c",
        "a/b/xc",
        "env.0",
        "env.g",
        ".yaml",
        "d/.yaml",
    ];
    let mut said = 0;
    for pattern in patterns {
        let Globs::Some(globs) = globs(pattern).unwrap() else { panic!("{pattern}") };
        let line = |glob: &String| {
            let rest = glob.strip_prefix("**/").filter(|rest| !rest.contains('/')).map(str::to_owned);
            format!(
                "{} x\n",
                rest.unwrap_or(if glob.starts_with("**/") { glob.clone() } else { format!("/{glob}") })
            )
        };
        repository.sandbox.write(".gitattributes", globs.iter().map(line).collect::<String>());
        let told = repository.git(&[&["check-attr", "x", "--"], &paths[..]].concat());
        let rule = GoRegex::new(pattern).unwrap();
        for (path, told) in paths.iter().zip(told.lines()) {
            let expected = rule.is_match(path.as_bytes());
            assert_eq!(told.ends_with(": set"), expected, "{pattern} {path} {globs:?}");
            said += usize::from(expected);
        }
    }
    assert!(said > 150, "{said}");
}

#[test]
fn what_no_glob_says_is_named() {
    let repository = Repository::new();
    repository.rules(&[r"^prod[0-9]+/", ""]);
    for name in ["prod1/a b.yaml", "prod22/[x]*.env", "q\"uote.yaml", "plain.yaml", "#x.yaml", "!y.yaml"] {
        repository.sandbox.write(name, "a: 1\n");
    }
    for name in ["q\"uote.yaml", "#x.yaml", "!y.yaml"] {
        repository.sandbox.ours(&["encrypt", "-i", name]).ok();
    }
    repository.commit("first");
    let shown = repository.sandbox.ours(&["git", "setup", "--yes"]);
    let notes = &shown.stderr;
    assert!(notes.contains(".sops.yaml, line 2: no glob says `^prod[0-9]+/`, so the files"), "{notes}");
    assert!(notes.contains(".sops.yaml has a rule for all paths"), "{notes}");
    let told = repository.git(&["-c", "core.quotePath=false", "ls-files", "--", ":(attr:diff=leaflock)"]);
    let expected = "!y.yaml\n#x.yaml\nprod1/a b.yaml\nprod22/[x]*.env\n\"q\\\"uote.yaml\"\n";
    assert_eq!(told, expected);
    assert!(repository.setup(&[]).ends_with("nothing to change\n"));
    // One more file is one more line.
    repository.sandbox.write("prod3/c.yaml", "c: 1\n");
    repository.git(&["add", "."]);
    assert!(repository.setup(&[]).contains("    /prod3/c.yaml diff=leaflock merge=leaflock\n"));
}

#[test]
fn our_own_files_are_never_meant() {
    let repository = Repository::new();
    repository.rules(&[r"\.yaml$", "^\\."]);
    repository.sandbox.write(".leaflock/names", "");
    repository.sandbox.write("a.yaml", "a: 1\n");
    repository.commit("first");
    repository.setup(&[]);
    let meant = repository.git(&["ls-files", "--", ":(attr:diff=leaflock)"]);
    assert_eq!(meant, "a.yaml\n");
}

#[test]
fn configs_in_folders_are_for_their_folders() {
    let repository = Repository::new();
    repository.sandbox.write("deploy/.sops.yaml", Repository::config(&[r"^prod/.*\.yaml$", r"\.enc$"]));
    for name in ["deploy/prod/a.yaml", "deploy/x/b.enc", "prod/c.yaml", "d.enc"] {
        repository.sandbox.write(name, "a: 1\n");
    }
    repository.commit("first");
    repository.setup(&[]);
    let meant = repository.git(&["ls-files", "--", ":(attr:merge=leaflock)"]);
    assert_eq!(meant, "deploy/prod/a.yaml\ndeploy/x/b.enc\n");
    // Set up from a folder inside, it is the same.
    let inside = repository.sandbox.ours(&["git", "setup", "--yes", "deploy/x"]).text();
    assert!(inside.ends_with("nothing to change\n"), "{inside}");
}

#[test]
fn every_kind_of_repository_is_set_up() {
    let repository = Repository::new();
    repository.rules(&[r"\.enc\.yaml$"]);
    repository.sandbox.write("a.enc.yaml", "a: 1\n");
    repository.sandbox.write("odd.yaml", "a: 1\n");
    repository
        .sandbox
        .ours(&["encrypt", "-i", "--age", ALICE.recipient, "--config", "/dev/null", "odd.yaml"])
        .ok();
    repository.commit("first");
    let origin = format!("file://{}", repository.sandbox.path("").display());
    let git = |arguments: &[&str]| repository.git(arguments);
    let set_up = |folder: &str| {
        let done = repository.sandbox.ours(&["git", "setup", "--yes", folder]).text();
        assert!(done.ends_with("done\n"), "{folder}: {done}");
        let again = repository.sandbox.ours(&["git", "setup", "--yes", folder]).text();
        assert!(again.ends_with("nothing to change\n"), "{folder}: {again}");
        let told = git(&["-C", folder, "check-attr", "diff", "--", "a.enc.yaml", "odd.yaml", "other.yaml"]);
        assert_eq!(
            told,
            "a.enc.yaml: diff: leaflock\nodd.yaml: diff: leaflock\nother.yaml: diff: unspecified\n"
        );
        assert!(
            git(&["-C", folder, "config", "--local", "merge.leaflock.driver"]).contains("leaflock merge")
        );
    };
    git(&["worktree", "add", "-q", "-b", "side", "../a work tree"]);
    set_up("../a work tree");
    assert!(repository.sandbox.path(".git/hooks/pre-commit").exists());
    git(&["clone", "-q", "--bare", &origin, "../bare.git"]);
    set_up("../bare.git");
    assert!(!repository.sandbox.path("../bare.git/hooks/pre-commit").exists());
    assert!(repository.sandbox.path("../bare.git/info/attributes").exists());
    git(&["config", "uploadpack.allowFilter", "true"]);
    git(&["clone", "-q", "--filter=blob:none", &origin, "../partial"]);
    set_up("../partial");
    git(&["clone", "-q", "--filter=blob:none", "--no-checkout", "--sparse", &origin, "../sparse"]);
    git(&["-C", "../sparse", "checkout", "-q"]);
    set_up("../sparse");
    git(&["init", "-q", "../outer"]);
    git(&[
        "-C",
        "../outer",
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "--quiet",
        "add",
        &origin,
        "sub mod",
    ]);
    set_up("../outer/sub mod");
    assert!(repository.sandbox.path("../outer/.git/modules/sub mod/hooks/pre-commit").exists());
    git(&["clone", "-q", "--template=", &origin, "../bald"]);
    set_up("../bald");
    for folder in ["../bare.git", "../bald", "../outer/sub mod"] {
        let done = repository.sandbox.ours(&["git", "setup", "--yes", "--remove", folder]).text();
        assert!(done.ends_with("done\n"), "{folder}: {done}");
    }
    assert!(!repository.sandbox.path("../bare.git/info/attributes").exists());
}

#[test]
fn existing_hooks_run_behind_the_check_and_come_back_as_they_were() {
    for former in [
        "#!/bin/sh\necho former\nexit 0\n",
        "#!/usr/bin/env bash\nset -eu\nexec echo former",
        "echo former\n",
        "#!/bin/sh\r\necho former # \r\n",
    ] {
        let repository = Repository::new();
        repository.rules(&[r"\.enc\.yaml$"]);
        repository.hook(".git/hooks/pre-commit", former);
        repository.setup(&[]);
        repository.stub("exit 0");
        // Elsewhere than on Windows, no such script runs.
        if former.contains('\r') {
            repository.setup(&["--remove"]);
            assert_eq!(repository.sandbox.read(".git/hooks/pre-commit"), former.as_bytes());
            continue;
        }
        assert!(repository.tries_to_commit().stderr.contains("former"), "{former}");
        repository.stub("echo refused by \"$*\" >&2; exit 1");
        let refused = repository.tries_to_commit();
        assert!(
            refused.code == Some(1) && refused.stderr.contains("refused by check --staged"),
            "{}",
            refused.describe()
        );
        assert!(!refused.stderr.contains("former"));
        repository.setup(&["--remove"]);
        assert_eq!(repository.sandbox.read(".git/hooks/pre-commit"), former.as_bytes());
    }
}

#[test]
fn a_hook_that_is_no_shell_script_is_left_alone() {
    for (former, mode, said) in [
        ("#!/usr/bin/env python3\nprint('former')\n", 0o755, "is no shell script"),
        ("\u{7f}ELF\0\0", 0o755, "is no shell script"),
        ("#!/bin/sh\n", 0o644, "may not be run"),
    ] {
        let repository = Repository::new();
        repository.rules(&[r"\.enc\.yaml$"]);
        repository.hook(".git/hooks/pre-commit", former);
        let hook = repository.sandbox.path(".git/hooks/pre-commit");
        fs::set_permissions(&hook, fs::Permissions::from_mode(mode)).unwrap();
        let shown = repository.setup(&[]);
        assert!(shown.contains(said) && shown.contains("    leaflock check --staged || exit 1\n"), "{shown}");
        assert_eq!(fs::read(&hook).unwrap(), former.as_bytes());
    }
}

#[test]
fn hooks_of_others_are_met_where_they_are() {
    // A folder of hooks that is committed: those who have no leaflock can commit.
    let repository = Repository::new();
    repository.rules(&[r"\.enc\.yaml$"]);
    repository.git(&["config", "core.hooksPath", "tools/hooks"]);
    repository.setup(&[]);
    assert!(!repository.sandbox.path(".git/hooks/pre-commit").exists());
    repository.unstub();
    let done = repository.tries_to_commit();
    assert!(done.code == Some(0) && done.stderr.contains("leaflock is not installed"), "{}", done.describe());
    repository.stub("exit 1");
    assert_eq!(repository.tries_to_commit().code, Some(1));
    // Where hooks move to, ours goes too.
    repository.git(&["config", "--unset", "core.hooksPath"]);
    repository.setup(&[]);
    assert!(repository.sandbox.path(".git/hooks/pre-commit").exists());

    // Folders of the user are the user's.
    let repository = Repository::new();
    repository.rules(&[r"\.enc\.yaml$"]);
    let hooks = repository.sandbox.folder().join("home/hooks");
    repository.git(&["config", "core.hooksPath", hooks.to_str().unwrap()]);
    let shown = repository.setup(&[]);
    assert!(shown.contains("is outside of this repository"), "{shown}");
    assert!(!hooks.exists());
    repository
        .hook(hooks.join("pre-commit").to_str().unwrap(), "#!/bin/sh\nleaflock check --staged || exit 1\n");
    let shown = repository.setup(&[]);
    assert!(!shown.contains("yours") && shown.contains("nothing to change"), "{shown}");
}

#[test]
fn tools_that_manage_hooks_are_told_how() {
    let repository = Repository::new();
    repository.rules(&[r"\.enc\.yaml$"]);
    repository.sandbox.write(".husky/pre-commit", "npm test\n");
    repository.sandbox.write(".husky/_/pre-commit", "#!/bin/sh\n. \"$(dirname \"$0\")/../pre-commit\"\n");
    assert!(repository.setup(&[]).contains("    npx husky\n"));
    repository.git(&["config", "core.hooksPath", ".husky/_"]);
    assert!(!repository.setup(&[]).contains("npx husky"));
    assert!(repository.sandbox.read(".husky/pre-commit").ends_with(b"npm test\n"));
    repository.setup(&["--remove"]);
    assert_eq!(repository.sandbox.read(".husky/pre-commit"), b"npm test\n");
    fs::remove_dir_all(repository.sandbox.path(".husky")).unwrap();
    repository.git(&["config", "--unset", "core.hooksPath"]);

    for (name, lines) in [
        (".pre-commit-config.yaml", "    - repo: local\n      hooks:\n        - id: leaflock-check\n"),
        ("lefthook.yml", "    pre-commit:\n      jobs:\n        - run: leaflock check --staged\n"),
    ] {
        repository.sandbox.write(name, "repos: []\n");
        let shown = repository.setup(&[]);
        assert!(shown.contains(&format!("add the check to {name}")) && shown.contains(lines), "{shown}");
        assert!(!repository.sandbox.path(".git/hooks/pre-commit").exists());
        repository.sandbox.write(name, "# leaflock check --staged\n");
        let shown = repository.setup(&[]);
        assert!(shown.contains(" install\n") && !shown.contains("add the check"), "{shown}");
        fs::remove_file(repository.sandbox.path(name)).unwrap();
    }
}

#[test]
fn git_goes_on_when_the_program_has_gone() {
    let repository = Repository::new();
    repository.rules(&[r"\.enc\.yaml$"]);
    repository.sandbox.write("a.enc.yaml", "a: 1\nb: 2\nc: 3\nd: 4\ne: 5\n");
    repository.commit("first");
    repository.setup(&[]);
    repository.git(&["add", "."]);
    repository.stub("exit 0");
    repository.commit("set up");
    repository.unstub();
    let commit = |text: &str| {
        repository.sandbox.write("a.enc.yaml", text);
        repository.git(&["commit", "-q", "--no-verify", "-am", "x"]);
    };
    repository.git(&["checkout", "-q", "-b", "other"]);
    commit("a: 1\nb: 2\nc: 3\nd: 4\ne: 6\n");
    repository.git(&["checkout", "-q", "-"]);
    commit("a: 0\nb: 2\nc: 3\nd: 4\ne: 5\n");
    assert!(repository.git(&["diff", "other"]).contains("+a: 0"));
    repository.git(&["merge", "-q", "--no-verify", "-m", "m", "other"]);
    assert_eq!(repository.sandbox.read("a.enc.yaml"), b"a: 0\nb: 2\nc: 3\nd: 4\ne: 6\n");
    let refused = repository.tries_to_commit();
    assert!(
        refused.code == Some(1) && refused.stderr.contains("not installed any more"),
        "{}",
        refused.describe()
    );
}

#[test]
fn a_program_that_is_not_on_the_path_is_called_by_its_path() {
    let repository = Repository::new();
    repository.rules(&[r"\.enc\.yaml$"]);
    repository.unstub();
    repository.setup(&[]);
    let textconv = repository.git(&["config", "diff.leaflock.textconv"]);
    let program = env!("CARGO_BIN_EXE_leaflock");
    assert!(textconv.contains(&format!("exec {program} textconv \"$@\"")), "{textconv}");
    let hook = String::from_utf8(repository.sandbox.read(".git/hooks/pre-commit")).unwrap();
    assert!(hook.contains(&format!("{program} check --staged || exit 1")), "{hook}");
}

#[test]
fn a_name_that_needs_no_shell_is_used_where_it_leads_to_the_program() {
    let repository = Repository::new();
    repository.rules(&[r"\.enc\.yaml$"]);
    repository.sandbox.write("a.enc.yaml", "a: clear-text\n");
    repository.sandbox.ours(&["encrypt", "-i", "a.enc.yaml"]).text();
    let link = repository.sandbox.folder().join("bin/leaflock-textconv");
    let textconv = || repository.git(&["config", "diff.leaflock.textconv"]).trim().to_owned();

    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_leaflock"), &link).unwrap();
    repository.setup(&[]);
    assert_eq!(textconv(), "leaflock-textconv");
    repository.commit("first");
    assert!(repository.git(&["log", "-p"]).contains("+a: clear-text\n"));
    assert!(repository.setup(&[]).ends_with("nothing to change\n"));

    // A program of that name that is another one is not ours to start.
    fs::remove_file(&link).unwrap();
    fs::copy("/bin/cat", &link).unwrap();
    repository.setup(&[]);
    assert!(textconv().contains("leaflock textconv \"$@\"; exec cat"), "{}", textconv());
}

#[test]
fn what_was_begun_is_finished() {
    let repository = Repository::new();
    repository.rules(&[r"\.enc\.yaml$"]);
    // No file can be made where a file stands.
    fs::remove_dir_all(repository.sandbox.path(".git/hooks")).unwrap();
    repository.sandbox.write(".git/hooks", "in the way");
    let said = repository.sandbox.ours(&["git", "setup", "--yes"]);
    assert_ne!(said.code, Some(0), "{}", said.describe());
    fs::remove_file(repository.sandbox.path(".git/hooks")).unwrap();
    repository.setup(&[]);
    assert!(repository.setup(&[]).ends_with("nothing to change\n"));
    // A block without an end is not guessed at.
    repository.sandbox.write(".gitattributes", "a\n# >>> leaflock git setup >>>\nb\n");
    let said = repository.sandbox.ours(&["git", "setup", "--yes"]).fails(1);
    assert!(said.contains(".gitattributes:2") && said.contains("has no end"), "{said}");
}

#[test]
fn mistakes_are_told() {
    let repository = Repository::new();
    repository.rules(&["("]);
    let said = repository.sandbox.ours(&["git", "setup", "--yes"]).fails(1);
    assert!(said.contains("can not compile regexp"), "{said}");
    repository.rules(&[r"\.enc\.yaml$"]);
    let said = repository.sandbox.ours(&["git", "setup"]).fails(1);
    assert!(said.contains("no terminal") && said.contains("--yes"), "{said}");
    let said = repository.sandbox.ours(&["git", "setup", "/"]).fails(1);
    assert!(said.contains("no git repository"), "{said}");
    let said = repository.sandbox.ours(&["git"]).fails(1);
    assert!(said.contains("leaflock git setup"), "{said}");
}

#[test]
fn the_programs_that_are_set_up_do_what_they_are_for() {
    let repository = Repository::new();
    repository.rules(&[r"\.enc\.yaml$"]);
    repository.sandbox.write("d e/a.enc.yaml", "a: canary-one\nb: 2\nc: 3\n");
    repository.sandbox.ours(&["encrypt", "-i", "d e/a.enc.yaml"]).ok();
    repository.setup(&[]);
    // The hook looks at it.
    repository.commit("first");
    repository.sandbox.ours(&["set", "d e/a.enc.yaml", "[\"a\"]", "\"canary-two\""]).ok();
    let diff = repository.git(&["diff", "-U0"]);
    assert!(diff.contains("-a: canary-one\n+a: canary-two\n") && !diff.contains("ENC["), "{diff}");
    repository.commit("second");
    assert!(repository.git(&["log", "-p", "-1"]).contains("+a: canary-two"));
    repository.sandbox.write("b.enc.yaml", "a: canary-three\n");
    repository.git(&["add", "-A"]);
    let refused = repository.tries_to_commit();
    assert!(
        refused.code == Some(1) && !refused.describe().contains("canary-three"),
        "{}",
        refused.describe()
    );
    // In a work tree of its own, and with another index.
    repository.git(&["reset", "-q"]);
    repository.git(&["worktree", "add", "-q", "-b", "side", "../w"]);
    repository.sandbox.write("../w/b.enc.yaml", "a: canary-four\n");
    repository.git(&["-C", "../w", "add", "-A"]);
    let refused = repository.sandbox.run(Path::new("git"), &["-C", "../w", "commit", "-q", "-m", "x"], b"");
    assert!(refused.code == Some(1) && refused.describe().contains("b.enc.yaml"), "{}", refused.describe());
}
