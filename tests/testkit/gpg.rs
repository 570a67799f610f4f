//! A throw-away GnuPG home: its own keys and its own agent, which ends with it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// A GnuPG home; dropping it stops its agent and removes it.
pub(crate) struct GpgHome(tempfile::TempDir);

impl GpgHome {
    /// An empty one. Its path is short, because the agent's socket lies in it.
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("ll-gpg-").tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        Self(folder)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &str {
        self.0.path().to_str().unwrap()
    }

    /// Takes in an armored key.
    pub(crate) fn import(&self, key: &Path) {
        self.gpg(&["--import", key.to_str().unwrap()]);
    }

    /// Makes a key without a passphrase and tells its fingerprint.
    pub(crate) fn generate(&self, name: &str) -> String {
        let ask = ["--pinentry-mode", "loopback", "--passphrase", "", "--quick-generate-key"];
        self.gpg(&[&ask[..], &[name, "future-default", "default", "never"]].concat());
        self.fingerprint(name)
    }

    /// Makes a key with a passphrase that the agent does not know any more.
    pub(crate) fn generate_locked(&self, name: &str, passphrase: &str) -> String {
        let ask = ["--pinentry-mode", "loopback", "--passphrase", passphrase, "--quick-generate-key"];
        self.gpg(&[&ask[..], &[name, "future-default", "default", "never"]].concat());
        self.stop();
        self.fingerprint(name)
    }

    /// Has the agent ask through a program that writes down what it is told, and
    /// answers `answer` (a line of the Assuan protocol).
    pub(crate) fn pinentry(&self, log: &Path, answer: &str) {
        let script = format!(
            "#!/bin/sh\necho 'OK at your service'\nwhile read -r word rest; do\n  echo \"$word $rest\" >>{}\n  case \
             $word in\n  GETPIN) echo '{answer}'; echo OK ;;\n  BYE) echo OK; exit ;;\n  *) echo OK ;;\n  esac\ndone\n",
            log.display()
        );
        let program = self.0.path().join("pinentry");
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(self.0.path().join("gpg-agent.conf"), format!("pinentry-program {}\n", program.display()))
            .unwrap();
        self.stop();
    }

    fn stop(&self) {
        drop(Command::new("gpgconf").args(["--kill", "all"]).env("GNUPGHOME", self.path()).status());
    }

    /// The fingerprint of the first secret key whose name fits.
    pub(crate) fn fingerprint(&self, name: &str) -> String {
        let names: &[&str] = if name.is_empty() { &[] } else { &[name] };
        let listed = self.gpg(&[&["--with-colons", "--list-secret-keys"], names].concat());
        let line = listed.lines().find(|line| line.starts_with("fpr:")).unwrap();
        line.split(':').nth(9).unwrap().to_owned()
    }

    fn gpg(&self, arguments: &[&str]) -> String {
        let done = Command::new("gpg")
            .args(["--batch", "--quiet"])
            .args(arguments)
            .env("GNUPGHOME", self.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(done.status.success(), "gpg: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    }
}

impl Drop for GpgHome {
    fn drop(&mut self) {
        self.stop();
    }
}
