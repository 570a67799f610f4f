//! What the commands share that change principals: the policy is changed in its owner's
//! layout, signed in the same step where that is possible, and keys are made for those
//! who have none.

use std::path::{Path, PathBuf};

use super::Deps;
use super::agent::age;
use super::agent::authority::{self, Authority};
use super::agent::refusal::{refused, untold};
use super::agent::root;
use super::agent::signing;
use super::agent::write::{self, Write};
use super::error::{Error, Place};
use super::ports::{FileError, FileErrorKind, FileKind, Fingerprint};
use crate::domain::agent::denial::DenyCode;
use crate::domain::agent::policy::edit::{self, Keys};
use crate::domain::agent::policy::{self, Policy, Principal};
use crate::domain::agent::public_key::PublicKey;
use crate::domain::agent::{new_key, signer_list};
use crate::domain::digest;
use crate::domain::keys::recipient_kind;
use crate::domain::secret::SecretBytes;
use crate::domain::store::WriteError;

/// A policy that is about to change.
pub struct Draft {
    /// The folder that it governs.
    pub root: PathBuf,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its state when it was read.
    pub seen: Option<Fingerprint>,
    /// What it says.
    pub policy: Policy,
    /// The digest of the policy as it was read, before any change.
    before: String,
}

impl Draft {
    /// The policy around the working folder, signed or not.
    pub fn read(deps: &Deps<'_>) -> Result<Self, Error> {
        let root = root::here(deps)?;
        let path = root.join(policy::PLACE);
        let contents = deps.files.read(&path).map_err(Error::Read)?;
        let bytes = contents.bytes.to_vec();
        let policy = read_policy(&path, &bytes)?;
        let before = digest::of(&bytes);
        Ok(Self { root, bytes, seen: contents.fingerprint, policy, before })
    }

    /// The policy itself.
    pub fn path(&self) -> PathBuf {
        self.root.join(policy::PLACE)
    }

    /// A principal.
    pub fn principal(&self, name: &str) -> Result<&Principal, Error> {
        self.policy.principals.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.policy.principals.keys().map(String::as_str).collect();
            Error::NotFound {
                place: Place::file(self.path()),
                message: format!("the policy has no principal {name}"),
                hints: match &known[..] {
                    [] => Vec::new(),
                    known => vec![format!("its principals: {}", known.join(", "))],
                },
            }
        })
    }

    /// The same with a change, and a higher serial where it has one.
    pub fn changed(
        &self,
        deps: &Deps<'_>,
        change: impl FnOnce(&[u8]) -> Result<Vec<u8>, WriteError>,
    ) -> Result<Self, Error> {
        let refused = |error: WriteError| Error::Other {
            place: Place::file(self.path()),
            cause: error.message.into(),
            hints: error.hint.map(str::to_owned).into_iter().collect(),
        };
        let mut bytes = change(&self.bytes).map_err(refused)?;
        if let Some(serial) = self.policy.serial {
            let repo = self.policy.repo.as_deref().unwrap_or_default();
            let seen = deps.trust.marks().ok().and_then(|marks| Some(marks.repositories.get(repo)?.serial));
            bytes = edit::with_serial(&bytes, serial.max(seen.unwrap_or(0)) + 1).map_err(refused)?;
        }
        let policy = read_policy(&self.path(), &bytes)?;
        Ok(Self { root: self.root.clone(), bytes, seen: self.seen, policy, before: self.before.clone() })
    }

    /// The files of the new state: with its signature, by the user's key or the one that
    /// `key` names.
    pub fn signed(&self, deps: &Deps<'_>, key: Option<&str>) -> Result<Vec<Write>, Error> {
        let mut writes = vec![self.own()];
        let path = self.path();
        authority::read_policy(&path, &self.bytes)?;
        if let Some(cause) = age::expired(&self.policy, &deps.clock.now()) {
            return Err(refused(&path, DenyCode::PolicyStale, cause, age::RENEW));
        }
        let list = self.root.join(signer_list::PLACE);
        let list = authority::read_signers(&list, &deps.files.read(&list).map_err(Error::Read)?.bytes)?;
        let key = signing::Key::of(deps, key)?;
        key.demand(deps, (&self.policy, &list), (authority::NAMESPACE, "policies"))?;
        self.demand_verified(deps)?;
        let signature = key.sign(deps, &self.bytes, authority::NAMESPACE)?;
        writes.push(Write::replacing(deps, self.root.join(authority::SIGNATURE), signature.into_bytes())?);
        Ok(writes)
    }

    /// True if the policy was signed before, whether that signature holds, or is still
    /// there, or not.
    fn was_signed(&self, deps: &Deps<'_>) -> Result<bool, Error> {
        if deps.files.kind(&self.root.join(authority::SIGNATURE)).map_err(Error::Read)?.is_some() {
            return Ok(true);
        }
        let known = deps.trust.marks().map_err(untold)?.clones;
        let versions = deps.repository.history_of(&self.root, authority::SIGNATURE, Some("HEAD"));
        Ok(known.contains_key(&authority::clone_of(deps, &self.root)?)
            || versions.map_err(Error::Read)?.is_some_and(|versions| !versions.is_empty()))
    }

    /// Refuses to sign a change of what nobody signed: who changes a principal has not
    /// looked at the rules. A policy that was never signed is new.
    fn demand_verified(&self, deps: &Deps<'_>) -> Result<(), Error> {
        if !self.was_signed(deps)?
            || authority::load_to_remake(deps, &self.root)?.policy_digest == self.before
        {
            return Ok(());
        }
        let cause = "the policy changed while this call was at it";
        Err(refused(&self.path(), DenyCode::PolicyInvalid, cause, "run the command once more"))
    }

    /// The policy's own new state.
    pub fn own(&self) -> Write {
        Write::read(self.path(), self.bytes.clone(), self.seen)
    }

    /// The authority that there will be, once this is signed.
    pub fn authority(&self, now: &Authority) -> Authority {
        Authority { policy: self.policy.clone(), policy_digest: digest::of(&self.bytes), ..now.clone() }
    }
}

/// A policy whose recipients can all be encrypted for.
fn read_policy(path: &Path, bytes: &[u8]) -> Result<Policy, Error> {
    let policy = authority::read_draft(path, bytes)?;
    policy.check_recipients().map_err(|error| authority::fault(path, error))?;
    Ok(policy)
}

/// Which keys a principal gets, and where new ones are kept.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Age recipients; none: one is made.
    pub recipients: Vec<String>,
    /// A public key, or the file of one; `None`: one is made.
    pub public_key: Option<String>,
    /// The folder of the private halves that are made, or the file where it is one.
    pub out: Option<PathBuf>,
}

/// Keys of a principal, some of them new.
#[derive(Debug, Default)]
pub struct Made {
    /// Public halves, for the policy.
    pub keys: Keys,
    /// Private halves that are still to be written, each with its file.
    files: Vec<(PathBuf, SecretBytes)>,
}

impl Made {
    /// The files of the private halves.
    pub fn places(&self) -> Vec<PathBuf> {
        self.files.iter().map(|(path, _)| path.clone()).collect()
    }

    /// Writes the private halves, readable by their owner alone, in place of nothing. They
    /// go again if `after` fails.
    pub fn kept<T>(&self, deps: &Deps<'_>, after: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        let mut written: Vec<&Path> = Vec::new();
        let undo = |written: &[&Path]| written.iter().for_each(|path| drop(deps.files.remove(path)));
        for (path, bytes) in &self.files {
            if let Err(error) = deps.files.create_private(path, bytes) {
                undo(&written);
                return Err(Error::Write { in_place: false, error });
            }
            written.push(path);
        }
        after().inspect_err(|_| undo(&written))
    }
}

/// The keys of `name`, as `wanted`.
pub fn keys(deps: &Deps<'_>, root: &Path, name: &str, wanted: &Wanted) -> Result<Made, Error> {
    let argument = |message: String, hint: &str| Error::SetArgument { message, hints: vec![hint.to_owned()] };
    let mut made = Made::default();
    for recipient in &wanted.recipients {
        recipient_kind(recipient).map_err(|error| {
            argument(format!("--recipient: {error}"), "a recipient begins with age1 or ssh-")
        })?;
        made.keys.age.push(recipient.clone());
    }
    let needed = usize::from(made.keys.age.is_empty()) + usize::from(wanted.public_key.is_none());
    let base = match (&wanted.out, needed) {
        (_, 0) => PathBuf::new(),
        (None, _) => {
            return Err(argument(
                "where are the private keys to be kept?".to_owned(),
                "--out FOLDER, outside of the repository; or --recipient and --signing-key take keys that exist",
            ));
        }
        (Some(out), _) => outside(deps, root, out)?,
    };
    let is_folder = needed > 1 || deps.files.kind(&base).map_err(Error::Read)? == Some(FileKind::Directory);
    let place = |ending: &str| match is_folder {
        true => base.join(format!("{}.{ending}", name.replace('/', "-"))),
        false => base.clone(),
    };
    if made.keys.age.is_empty() {
        let identity = deps.keys.generate(&deps.clock.now());
        made.keys.age.push(identity.recipient);
        made.files.push((place("age"), identity.file));
    }
    let public = match &wanted.public_key {
        Some(key) => public_key(deps, key)?,
        None => {
            let key = new_key::generate(&mut *deps.random.rng(), name).ok_or_else(|| {
                argument("no key can be made".to_owned(), "--signing-key takes one that exists")
            })?;
            made.files.push((place("ssh"), key.private));
            key.public
        }
    };
    made.keys.sign.push(public);
    for path in made.places() {
        if deps.files.kind(&path).map_err(Error::Read)?.is_some() {
            let reason = "file exists".to_owned();
            let error = FileError { action: "open", path, kind: FileErrorKind::Exists, reason };
            return Err(Error::Write { in_place: false, error });
        }
    }
    Ok(made)
}

/// A public key, named by its text or its file.
fn public_key(deps: &Deps<'_>, named: &str) -> Result<String, Error> {
    let text = match PublicKey::parse(named.trim()) {
        Ok(key) => return Ok(key.to_string()),
        Err(_) => deps.files.read(&deps.files.absolute(Path::new(named)).map_err(Error::Read)?),
    };
    let text = text.map_err(Error::Read)?.bytes;
    let key =
        PublicKey::parse(String::from_utf8_lossy(&text).trim()).map_err(|error| Error::SetArgument {
            message: format!("--signing-key: {error}"),
            hints: vec![
                "it takes a line like `ssh-ed25519 AAAA…`, or the .pub file that holds it".to_owned(),
            ],
        })?;
    Ok(key.to_string())
}

/// The place of private keys, which may not be in the repository.
fn outside(deps: &Deps<'_>, root: &Path, out: &Path) -> Result<PathBuf, Error> {
    let out = deps.files.absolute(out).map_err(Error::Read)?;
    let repository = deps.repository.place(root).map_err(Error::Read)?;
    let mut folders = vec![root.to_owned()];
    folders.extend(repository.and_then(|place| place.top));
    let real = deps.files.real(&out).map_err(Error::Read)?;
    let mut is_inside = is_of_clone(deps, root, &real)?;
    for folder in folders {
        let folder = deps.files.real(&folder).map_err(Error::Read)?;
        is_inside |= real.starts_with(&folder) || out.starts_with(&folder);
    }
    if is_inside {
        return Err(Error::SetArgument {
            message: "private keys do not belong into the repository".to_owned(),
            hints: vec![
                "--out names a folder outside of it, for example ~/.config/leaflock/agents".to_owned(),
            ],
        });
    }
    Ok(out)
}

/// True for what lies in another work tree of the same repository, or in its git
/// directory. What is not there yet is where the folder above it is.
fn is_of_clone(deps: &Deps<'_>, root: &Path, path: &Path) -> Result<bool, Error> {
    let is_folder = |path: &&Path| matches!(deps.files.kind(path), Ok(Some(FileKind::Directory)));
    let Some(folder) = path.ancestors().find(is_folder) else { return Ok(false) };
    Ok(match deps.repository.place(folder).map_err(Error::Read)? {
        Some(_) => authority::clone_of(deps, folder)? == authority::clone_of(deps, root)?,
        None => false,
    })
}

/// Brings a changed policy to the disk with its signature; without one where nobody here
/// may sign. Returns why, then.
pub fn write(deps: &Deps<'_>, draft: &Draft) -> Result<Option<Error>, Error> {
    let (writes, unsigned) = match draft.signed(deps, None) {
        Ok(writes) => (writes, None),
        Err(error @ Error::Integrity { .. }) if draft.was_signed(deps)? => return Err(error),
        Err(error) => (vec![draft.own()], Some(error)),
    };
    write::commit(deps, write::COMMAND, &draft.root, &writes)?;
    Ok(unsigned)
}
