//! A real git repository in a sandbox, with a program called `leaflock` on the
//! search path that tests can put something else in the place of.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::sandbox::{ALICE, Output, Sandbox};

/// A repository in the sandbox's working folder, with [`ALICE`]'s identity.
pub(crate) struct Repository {
    /// The world around it.
    pub(crate) sandbox: Sandbox,
}

impl Repository {
    /// An empty one, on the branch `main`.
    pub(crate) fn new() -> Self {
        let mut sandbox = Sandbox::with_key();
        let folder = sandbox.folder().join("bin");
        fs::create_dir_all(&folder).unwrap();
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_leaflock"), folder.join("leaflock")).unwrap();
        sandbox.set_env("PATH", &format!("{}:/usr/local/bin:/usr/bin:/bin", folder.display()));
        let repository = Self { sandbox };
        repository.git(&["init", "-q", "-b", "main"]);
        repository.git(&["config", "user.name", "t"]);
        repository.git(&["config", "user.email", "t@t.test"]);
        repository
    }

    /// What git prints, if it succeeds.
    #[track_caller]
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        self.sandbox.run(Path::new("git"), arguments, b"").text()
    }

    /// Commits everything that is there.
    #[track_caller]
    pub(crate) fn commit(&self, message: &str) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", message]);
    }

    /// `.sops.yaml` with a rule for each pattern of paths.
    pub(crate) fn config(patterns: &[&str]) -> String {
        let rule = |pattern: &&str| match *pattern {
            "" => format!("  - age: {}\n", ALICE.recipient),
            pattern => format!("  - path_regex: '{pattern}'\n    age: {}\n", ALICE.recipient),
        };
        format!("creation_rules:\n{}", patterns.iter().map(rule).collect::<String>())
    }

    /// Writes that.
    pub(crate) fn rules(&self, patterns: &[&str]) {
        self.sandbox.write(".sops.yaml", Self::config(patterns));
    }

    /// `git setup --yes`, which must succeed.
    #[track_caller]
    pub(crate) fn setup(&self, more: &[&str]) -> String {
        self.sandbox.ours(&[&["git", "setup", "--yes"], more].concat()).text()
    }

    /// Writes a hook that can be run.
    pub(crate) fn hook(&self, path: &str, script: &str) {
        let path = self.sandbox.write(path, script);
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Puts a shell script in the place of the `leaflock` that git finds.
    pub(crate) fn stub(&self, script: &str) {
        self.unstub();
        let program = self.sandbox.folder().join("bin/leaflock");
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(program, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Takes the `leaflock` that git finds away.
    pub(crate) fn unstub(&self) {
        let program = self.sandbox.folder().join("bin/leaflock");
        if program.symlink_metadata().is_ok() {
            fs::remove_file(program).unwrap();
        }
    }

    /// Tries to commit without a change.
    pub(crate) fn tries_to_commit(&self) -> Output {
        self.sandbox.run(Path::new("git"), &["commit", "-q", "--allow-empty", "-m", "empty"], b"")
    }
}
