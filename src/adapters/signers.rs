//! Signatures in OpenSSH's format. Those of a key whose private half can be read are
//! made here; for all others, in an agent or on hardware, OpenSSH's `ssh-keygen`
//! makes them. It also checks those of files against the user's list: it knows
//! every kind of key, certificates among them. Its exit status is all that is believed.
#![expect(clippy::disallowed_methods, reason = "the home of ssh-keygen, and of its list of signers")]

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use crate::app::ports::{FileError, PrivateDir, PrivateFiles, Prompt};
use crate::app::signers::{SignerError, Signers, Verdict};
use crate::domain::agent::public_key::PublicKey;
use crate::domain::agent::sshsig::{self, SigningKey};
use crate::domain::secret::SecretBytes;

use super::signing_key::{self, Found, Half};
use super::system_error::reason;

/// The signer of this machine: its keys, and the `ssh-keygen` on the PATH.
pub struct SystemSigners<'p> {
    key: Option<SecretBytes>,
    list: Option<PathBuf>,
    private_files: &'p dyn PrivateFiles,
    prompt: &'p dyn Prompt,
    /// The keys that were looked for, by how they were chosen.
    known: Mutex<BTreeMap<Option<String>, Outcome>>,
    /// One signature at a time of those for which somebody may be asked something.
    asking: Mutex<()>,
}

/// What became of the search for a key.
type Outcome = Result<Option<Arc<Known>>, SignerError>;

/// A key that was found.
struct Known {
    found: Found,
    /// Unlocked, or why it cannot be: whoever mistyped is not asked for every file.
    unlocked: Mutex<Option<Result<Arc<SigningKey>, SignerError>>>,
}

impl<'p> SystemSigners<'p> {
    /// `key`, a path or a key itself, and `list` are those of the environment, which
    /// win over git's.
    pub fn new(
        key: Option<SecretBytes>,
        list: Option<PathBuf>,
        private_files: &'p dyn PrivateFiles,
        prompt: &'p dyn Prompt,
    ) -> Self {
        Self { key, list, private_files, prompt, known: Mutex::default(), asking: Mutex::default() }
    }

    /// The key, looked for once.
    fn known(&self, chosen: Option<&str>) -> Outcome {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(outcome) = known.get(&chosen.map(str::to_owned)) {
            return outcome.clone();
        }
        let found = match (chosen, &self.key) {
            (Some(path), _) => signing_key::find(path.as_bytes(), path).map(Some),
            (None, Some(key)) => signing_key::find(key, VARIABLE).map(Some),
            (None, None) => key_of_git().map(|key| signing_key::find(key.as_bytes(), SETTING)).transpose(),
        };
        let outcome: Outcome =
            found.map(|found| found.map(|found| Arc::new(Known { found, unlocked: Mutex::default() })));
        known.insert(chosen.map(str::to_owned), outcome.clone());
        outcome
    }

    /// The private key, unlocked once.
    fn unlocked(&self, known: &Known) -> Option<Result<Arc<SigningKey>, SignerError>> {
        let Half::Private(kept) = &known.found.half else { return None };
        let mut unlocked = known.unlocked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(outcome) = &*unlocked {
            return Some(outcome.clone());
        }
        if kept.is_encrypted() && in_agent(kept.public()) {
            return None;
        }
        let place = &known.found.place;
        let unlock = || {
            let passphrase = match kept.is_encrypted() {
                true => self
                    .prompt
                    .secret(&format!("Enter passphrase for {place}"))
                    .map_err(|error| signing_key::unusable(place, &error, None))?,
                false => SecretBytes::default(),
            };
            kept.unlock(&passphrase).map(Arc::new).map_err(|error| signing_key::unusable(place, &error, None))
        };
        let outcome = unlock();
        *unlocked = Some(outcome.clone());
        Some(outcome)
    }

    /// The signature of a key that is not here.
    fn sign_elsewhere(&self, found: &Found, message: &[u8], namespace: &str) -> Result<String, SignerError> {
        let _asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        let mut command = keygen("sign", namespace);
        command.arg("-q").stderr(Stdio::inherit());
        let folder = self.private_files.create().map_err(failed)?;
        let in_agent = |command: &mut Command, public: &str| {
            let public = folder.write("key.pub", public.as_bytes()).map_err(failed)?;
            command.arg("-U").arg("-f").arg(public);
            Ok(())
        };
        match &found.half {
            Half::Elsewhere(path) => drop(command.arg("-f").arg(path)),
            Half::Agent(public) => in_agent(&mut command, public)?,
            Half::Private(kept) => in_agent(&mut command, &kept.public().to_string())?,
        }
        let done = finish(command, message)?;
        if !done.status.success() {
            return Err(SignerError::Program(format!("it could not sign ({})", done.status)));
        }
        let armour = String::from_utf8_lossy(&done.stdout).into_owned();
        match (sshsig::verify(&armour, message, namespace), &found.public) {
            (_, Err(_)) => Ok(armour),
            (Ok(key), Ok(public)) if key == *public => Ok(armour),
            _ => Err(signing_key::unusable(
                &found.place,
                &"ssh-keygen signed with another key than the public one that stands there",
                None,
            )),
        }
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

impl Signers for SystemSigners<'_> {
    fn public_key(&self, chosen: Option<&str>) -> Result<Option<PublicKey>, SignerError> {
        self.known(chosen)?.map(|known| known.found.public.clone()).transpose()
    }

    fn sign(
        &self,
        chosen: Option<&str>,
        message: &[u8],
        namespace: &str,
    ) -> Result<Option<String>, SignerError> {
        let Some(known) = self.known(chosen)? else { return Ok(None) };
        match self.unlocked(&known) {
            Some(key) => key?
                .sign(message, namespace)
                .map(Some)
                .map_err(|error| signing_key::unusable(&known.found.place, &error, None)),
            None => self.sign_elsewhere(&known.found, message, namespace).map(Some),
        }
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
    let stdin = child.stdin.take();
    // A manifest is larger than a pipe, and the program may write before it has read all.
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // A program that ends early says so by its status.
            let _ = stdin.map(|mut stdin| stdin.write_all(input));
        });
        child.wait_with_output().map_err(failed)
    })
}

/// The key that git signs with, if it signs by SSH.
fn key_of_git() -> Option<String> {
    let settings = settings(r"^(gpg\.format|user\.signingkey)$");
    let last = |name: &str| settings.iter().rfind(|it| it.name == name).map(|it| it.value.clone());
    last("gpg.format").filter(|format| format == "ssh")?;
    last("user.signingkey")
}

/// A setting of git's that comes from the user: what stands in a repository may
/// have come with it.
fn users_own(name: &str) -> Option<String> {
    let own = |it: &Setting| !matches!(it.scope.as_str(), "local" | "worktree");
    let found = settings(&format!("^{}$", name.to_ascii_lowercase().replace('.', r"\.")));
    found.into_iter().rfind(own).map(|it| it.value)
}

/// A setting of git's.
struct Setting {
    /// Where it comes from: `system`, `global`, `local`, `worktree`, `command`.
    scope: String,
    /// In lower case.
    name: String,
    value: String,
}

/// The settings whose names match; of several with one name the last counts.
fn settings(names: &str) -> Vec<Setting> {
    let mut command = Command::new("git");
    command.args(["config", "--show-scope", "-z", "--type=path", "--get-regexp", names]);
    let Ok(done) = command.stdin(Stdio::null()).stderr(Stdio::null()).output() else { return Vec::new() };
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    let mut fields = text.split('\0');
    let mut settings = Vec::new();
    while let (Some(scope), Some(setting)) = (fields.next(), fields.next()) {
        // One without a value has no line break, and says nothing here.
        if let Some((name, value)) = setting.split_once('\n') {
            settings.push(Setting {
                scope: scope.to_owned(),
                name: name.to_owned(),
                value: value.to_owned(),
            });
        }
    }
    settings
}

/// True if ssh's agent has the private half of the key.
fn in_agent(public: &PublicKey) -> bool {
    let mut command = Command::new("ssh-add");
    command.arg("-L").stdin(Stdio::null()).stderr(Stdio::null());
    let Ok(done) = command.output() else { return false };
    let list = String::from_utf8_lossy(&done.stdout).into_owned();
    list.lines().any(|line| PublicKey::parse(line).is_ok_and(|key| key == *public))
}

/// Where the user's key was named.
const VARIABLE: &str = "LEAFLOCK_SIGNING_KEY";
const SETTING: &str = "user.signingKey";
