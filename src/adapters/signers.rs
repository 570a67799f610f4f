//! Signatures by OpenSSH's `ssh-keygen`, as git makes and checks them: it knows every
//! kind of key, agents and hardware among them, certificates, and the dates and
//! namespaces of a list of allowed signers. Its exit status is all that is believed.
#![expect(clippy::disallowed_methods, reason = "the home of ssh-keygen, and of its list of signers")]

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};

use crate::app::ports::{FileError, PrivateDir, PrivateFiles};
use crate::app::signers::{SignerError, Signers, Verdict};

use super::system_error::reason;

/// The `ssh-keygen` on the PATH.
pub struct SshKeygen<'p> {
    key: Option<String>,
    list: Option<PathBuf>,
    private_files: &'p dyn PrivateFiles,
    /// One signature at a time: for each, somebody may be asked something.
    asking: Mutex<()>,
}

impl<'p> SshKeygen<'p> {
    /// `key` and `list` are those of the environment, which win over git's.
    pub fn new(key: Option<String>, list: Option<PathBuf>, private_files: &'p dyn PrivateFiles) -> Self {
        Self { key, list, private_files, asking: Mutex::default() }
    }

    /// The list of allowed signers, if it is there and outside of the repository
    /// around `file`.
    fn allowed(&self, file: Option<&Path>) -> Result<PathBuf, SignerError> {
        let list = self.list.clone().or_else(|| users_own("gpg.ssh.allowedSignersFile").map(PathBuf::from));
        let list = list.ok_or(SignerError::NoList)?;
        let real = list.canonicalize().map_err(|_| SignerError::Unreadable(list.clone()))?;
        let folder = file.and_then(Path::parent).unwrap_or(Path::new("."));
        let top = folder.canonicalize().ok().and_then(|folder| {
            folder.ancestors().find(|above| above.join(".git").exists()).map(Path::to_owned)
        });
        match top {
            Some(top) if real.starts_with(&top) => Err(SignerError::ListInside(list)),
            _ => Ok(real),
        }
    }
}

impl Signers for SshKeygen<'_> {
    fn sign(&self, message: &[u8], namespace: &str) -> Result<Option<String>, SignerError> {
        let Some(key) = self.key.clone().or_else(key_of_git) else { return Ok(None) };
        let _asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        let mut command = keygen("sign", namespace);
        command.arg("-q").stderr(Stdio::inherit());
        let folder;
        match literal(&key) {
            // A key that stands in the setting itself is one of the agent's.
            Some(public) => {
                folder = self.private_files.create().map_err(failed)?;
                command.arg("-U").arg("-f").arg(folder.write("key.pub", public.as_bytes()).map_err(failed)?);
            }
            None => drop(command.arg("-f").arg(&key)),
        }
        let done = finish(command, message)?;
        if !done.status.success() {
            return Err(SignerError::Program(format!("it could not sign ({})", done.status)));
        }
        Ok(Some(String::from_utf8_lossy(&done.stdout).into_owned()))
    }

    fn verify(
        &self,
        file: Option<&Path>,
        message: &[u8],
        namespace: &str,
        armoured: &str,
    ) -> Result<Verdict, SignerError> {
        let folder = self.private_files.create().map_err(failed)?;
        let signature = write(&*folder, armoured)?;
        let mut command = keygen("check-novalidate", namespace);
        let checked = finish(with(&mut command, "-s", &signature), message)?;
        if !checked.status.success() {
            return Ok(Verdict::Bad);
        }
        let list = self.allowed(file)?;
        let mut command = keygen("find-principals", namespace);
        let found = finish(with(with(&mut command, "-s", &signature), "-f", &list), b"")?;
        let names = String::from_utf8_lossy(&found.stdout).into_owned();
        for name in names.split(['\n', ',']).map(str::trim).filter(|name| !name.is_empty()) {
            let mut command = keygen("verify", namespace);
            with(with(&mut command, "-s", &signature), "-f", &list).args(["-I", name]);
            if finish(&mut command, message)?.status.success() {
                return Ok(Verdict::Good(name.to_owned()));
            }
        }
        let words = String::from_utf8_lossy(&checked.stdout).into_owned();
        Ok(Verdict::Unknown(words.trim().rsplit_once(" with ").map(|(_, key)| key.to_owned())))
    }
}

fn write(folder: &dyn PrivateDir, armoured: &str) -> Result<PathBuf, SignerError> {
    folder.write("signature", armoured.as_bytes()).map_err(failed)
}

fn failed(error: FileError) -> SignerError {
    SignerError::Program(error.to_string())
}

/// `ssh-keygen -Y ACTION`.
fn keygen(action: &str, namespace: &str) -> Command {
    let mut command = Command::new("ssh-keygen");
    command.args(["-Y", action, "-n", namespace]).stderr(Stdio::null());
    command
}

fn with<'c>(command: &'c mut Command, flag: &str, path: &Path) -> &'c mut Command {
    command.arg(flag).arg(path)
}

/// Gives `input` to the program and waits for its end.
fn finish(mut command: impl std::borrow::BorrowMut<Command>, input: &[u8]) -> Result<Output, SignerError> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => SignerError::Program("there is no such program".to_owned()),
        _ => SignerError::Program(reason(&error)),
    };
    let mut child =
        command.borrow_mut().stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        // One line fits any pipe; a program that ends early says so by its status.
        let _ = stdin.write_all(input);
    }
    child.wait_with_output().map_err(failed)
}

/// The key that git signs with, if it signs by SSH.
fn key_of_git() -> Option<String> {
    settings("gpg.format").pop().filter(|(_, format)| format == "ssh")?;
    settings("user.signingKey").pop().map(|(_, key)| key)
}

/// A setting of git's that comes from the user: what stands in a repository may
/// have come with it.
fn users_own(name: &str) -> Option<String> {
    let own = |(scope, _): &(String, String)| !matches!(scope.as_str(), "local" | "worktree");
    settings(name).into_iter().rfind(own).map(|(_, value)| value)
}

/// The values of a setting of git's with their scopes; the last counts.
fn settings(name: &str) -> Vec<(String, String)> {
    let mut command = Command::new("git");
    command.args(["config", "--show-scope", "-z", "--type=path", "--get-all", name]);
    let Ok(done) = command.stdin(Stdio::null()).stderr(Stdio::null()).output() else { return Vec::new() };
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    let mut fields = text.split('\0').filter(|field| !field.is_empty()).map(str::to_owned);
    let mut settings = Vec::new();
    while let (Some(scope), Some(value)) = (fields.next(), fields.next()) {
        settings.push((scope, value));
    }
    settings
}

/// The public key in a setting that holds it instead of a path, as git allows.
fn literal(key: &str) -> Option<&str> {
    let kinds = ["ssh-", "ecdsa-", "sk-"];
    key.strip_prefix("key::").or_else(|| kinds.iter().any(|kind| key.starts_with(kind)).then_some(key))
}
