//! Files get a seal, or a new one after somebody else has changed them: what changed
//! since they were sealed last is shown first, as far as git knows.

use std::path::Path;

use super::Deps;
use super::change;
use super::derived::put;
use super::error::Error;
use super::integrity::{self, Standing};
use super::open::{Input, Locked, Unlocked};
use super::ports::Fingerprint;
use super::repository::Snapshot;
use super::request::{Destination, FileOptions, OpenOptions, Outcome, Strictness};
use super::sealing::{Unsealed, Wanted};
use super::signers::Verdict;
use crate::domain::agent::audit::entry::Action;
use crate::domain::crypto::token;
use crate::domain::metadata::SEAL;
use crate::domain::seal::changes::{self, Change};
use crate::domain::seal::{SealError, signature};
use crate::domain::search;
use crate::domain::secret::SecretBytes;
use crate::domain::settings::Level;
use crate::domain::value::Value;

/// What to do with files.
#[derive(Clone, Debug)]
pub struct Request {
    /// Formats and config.
    pub file: FileOptions,
    /// Keys.
    pub open: OpenOptions,
    /// `--sign`: a signature whatever the settings say.
    pub sign: bool,
}

/// What is to become of one file.
#[derive(Debug)]
pub enum Plan {
    /// It has all that it is to have.
    Nothing,
    /// It gets a seal.
    Seal(Renewal),
    /// It is not meant: why, in a few words.
    Skipped(&'static str),
}

/// A file before it is sealed.
#[derive(Debug)]
pub struct Renewal {
    /// Its state when it was looked at.
    seen: Option<Fingerprint>,
    /// Why it is sealed: that it has no seal, or one that does not fit.
    pub why: String,
    /// What differs from the state that was sealed last, and the commit that has it.
    pub since: Option<(String, Vec<Change>)>,
}

/// A file and its state for comparison.
struct State {
    documents: Vec<Value>,
    metadata: Value,
}

/// Reads `path` and opens it, whatever its seal says.
fn with_file<T>(
    deps: &Deps<'_>,
    path: &Path,
    request: &Request,
    work: impl FnOnce(&Input, &Unlocked<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let input = change::read(deps, path, &request.file)?;
    let open = OpenOptions { ignore_seal: true, ..request.open.to(Action::Seal) };
    let unlocked = change::unlock(deps, &input, &request.file, &open)?;
    work(&input, &unlocked)
}

/// What to do with one file; `directly` is false for one that was found in a folder.
pub fn plan(deps: &Deps<'_>, path: &Path, directly: bool, request: &Request) -> Result<Plan, Error> {
    let planned = with_file(deps, path, request, |input, file| {
        let subject = file.locked.subject();
        let wanted = wanted(deps, &file.locked, request)?;
        // A signature that cannot be checked here is left to those who can.
        let is_signed = || match subject.signature(deps) {
            Ok(Some(Verdict::Good(_))) | Err(_) => true,
            Ok(Some(Verdict::Unknown(_) | Verdict::Bad) | None) => false,
        };
        let why = match subject.seal(&file.data_key)? {
            Some(Ok(())) if wanted == Wanted::Seal || is_signed() => return Ok(Plan::Nothing),
            Some(Ok(())) => "the seal holds; the file gets a signature".to_owned(),
            Some(Err(error)) => error.to_string(),
            None => subject.missing(deps),
        };
        // A seal vouches for values as well: they must be right.
        let state = state(file)?;
        let since = last_sealed(deps, input, file, request).map(|(commit, old)| {
            let mut differences = changes::of_documents(&old.documents, &state.documents);
            differences.extend(changes::of_metadata(&old.metadata, &state.metadata));
            (commit, differences)
        });
        Ok(Plan::Seal(Renewal { seen: input.seen, why, since }))
    });
    match planned {
        Err(Error::NotEncrypted(_) | Error::Syntax { .. } | Error::Metadata { .. })
            if !directly && !has_tokens(deps, path)? =>
        {
            Ok(Plan::Skipped("not encrypted"))
        }
        planned => planned,
    }
}

/// True if tokens are in the file: it was encrypted once, whatever it is now.
pub fn has_tokens(deps: &Deps<'_>, path: &Path) -> Result<bool, Error> {
    Ok(token::occurs_in(&deps.files.read(path).map_err(Error::Read)?.bytes))
}

/// What the file is to have.
fn wanted(deps: &Deps<'_>, locked: &Locked<'_>, request: &Request) -> Result<Wanted, Error> {
    let settings = integrity::settings(deps, locked.place.path.as_deref())?;
    Ok(match (request.sign || settings.sign != Level::Off, &locked.metadata.signature) {
        (true, _) => Wanted::Signed,
        (false, Some(_)) => Wanted::SignedIfPossible,
        (false, None) => Wanted::Seal,
    })
}

/// The decrypted values and the metadata of `file`, whose MAC must fit.
fn state(file: &Unlocked<'_>) -> Result<State, Error> {
    let (documents, findings) = file.file().to_values().map_err(|error| file.tree_error(error))?;
    file.locked.check_mac(&file.cipher, &findings.mac)?;
    let metadata = file.locked.store.metadata(&file.locked.tree).ok().flatten();
    Ok(State { documents, metadata: metadata.unwrap_or(Value::Map(Vec::new())) })
}

/// The newest state of the file with a seal that holds, and its commit: what the
/// last commit has, else whatever history has. What cannot be opened does not count.
fn last_sealed(
    deps: &Deps<'_>,
    input: &Input,
    file: &Unlocked<'_>,
    request: &Request,
) -> Option<(String, State)> {
    let path = input.path.as_deref()?;
    let folder = path.parent()?;
    let first = |versions: Vec<(String, String)>| {
        let opened = |(commit, blob): (String, String)| {
            Some((commit, sealed_state(deps, folder, &blob, file, request)?))
        };
        versions.into_iter().find_map(opened)
    };
    let head = Snapshot::Revision("HEAD".to_owned());
    let entries = deps.repository.listing(folder, &head, &[path.to_owned()]).ok()??;
    let of_head = entries.into_iter().map(|entry| ("the last commit".to_owned(), entry.blob));
    first(of_head.collect()).or_else(|| {
        let history = deps.repository.history(folder).ok()??;
        let versions = history.into_iter().rev().filter(|version| version.path == path);
        first(versions.map(|it| (format!("commit {:.12}", it.commit.id), it.blob)).collect())
    })
}

/// The state in `blob`, if its seal holds.
fn sealed_state(
    deps: &Deps<'_>,
    folder: &Path,
    blob: &str,
    file: &Unlocked<'_>,
    request: &Request,
) -> Option<State> {
    let mut bytes = SecretBytes::default();
    deps.repository.contents(folder, &[blob.to_owned()], &mut |_, found| bytes = found).ok()?;
    search::memmem(SEAL.as_bytes(), &bytes)?;
    let open = OpenOptions { ignore_seal: true, only_looks: true, ..request.open.to(Action::Seal) };
    let old = Locked::parse(&bytes, file.locked.format, &file.locked.place).ok()?.unlock(deps, &open).ok()?;
    match old.locked.subject().seal(&old.data_key) {
        Ok(Some(Ok(()))) => state(&old).ok(),
        _ => None,
    }
}

/// Seals a file as planned. It must be what it was then.
pub fn renew(
    deps: &Deps<'_>,
    path: &Path,
    renewal: &Renewal,
    destination: &Destination,
    request: &Request,
) -> Result<Outcome, Error> {
    with_file(deps, path, request, |input, file| {
        let mut notices = Vec::new();
        state(file)?;
        let input = Input {
            bytes: SecretBytes::default(),
            seen: renewal.seen,
            path: input.path.clone(),
            name: input.name.clone(),
        };
        let wanted = wanted(deps, &file.locked, request)?;
        let bytes = SecretBytes::new(file.locked.tree.source.to_vec());
        let bytes = Unsealed::again(file, bytes).finish(deps, wanted, &mut notices)?;
        let key = Some(&file.data_key);
        let done = put::deliver(deps, destination, &input, bytes, key, &mut notices)?;
        Ok(Outcome { done, notices })
    })
}

/// What a check of one file found.
#[derive(Debug)]
pub struct Proof {
    /// Whether the seal holds; `None` without one, or without a key of the file.
    pub seal: Option<Result<(), SealError>>,
    /// True if there is a seal, but no key to check it with.
    pub no_key: bool,
    /// What can be told without a key.
    pub standing: Standing,
    /// Everything that is wrong, in a sentence each.
    pub faults: Vec<String>,
}

/// Checks one file, which must have a seal: that with a key of the file, the signature
/// without.
///
/// # Errors
/// A file without a signature that counts which no key here opens.
pub fn verify(deps: &Deps<'_>, path: &Path, request: &Request) -> Result<Proof, Error> {
    let input = change::read(deps, path, &request.file)?;
    let format = request.file.input_format.unwrap_or_else(|| input.format());
    let locked = Locked::parse(&input.bytes, format, &input.place())?;
    let strictness = match (request.sign, request.open.strictness) {
        (true, _) | (_, Strictness::Signature) => Strictness::Signature,
        _ => Strictness::Seal,
    };
    let standing = locked.subject().standing(deps, strictness)?;
    let faults = [&standing.signature_fault, &standing.seal_fault].into_iter().flatten().cloned().collect();
    let mut proof = Proof { seal: None, no_key: false, standing, faults };
    if locked.metadata.seal.is_none() {
        return Ok(proof);
    }
    let open = OpenOptions { ignore_seal: true, ..request.open.to(Action::Seal) };
    match locked.unlock(deps, &open) {
        Ok(file) => proof.seal = file.locked.subject().seal(&file.data_key)?,
        Err(Error::DataKey { .. }) if matches!(proof.standing.signature, Some(Verdict::Good(_))) => {
            proof.no_key = true;
        }
        Err(error) => return Err(error),
    }
    proof.faults.extend(proof.seal.and_then(Result::err).map(|error| error.to_string()));
    Ok(proof)
}

/// What is signed of a file, and the signature, for checks by hand.
#[derive(Debug)]
pub struct Signed {
    /// The message.
    pub message: String,
    /// The armoured signature, if there is one.
    pub signature: Option<String>,
}

/// Reads what a check by `ssh-keygen -Y verify` needs; no key of the file.
pub fn signed(deps: &Deps<'_>, path: &Path, request: &Request) -> Result<Signed, Error> {
    let input = change::read(deps, path, &request.file)?;
    let format = request.file.input_format.unwrap_or_else(|| input.format());
    let locked = Locked::parse(&input.bytes, format, &input.place())?;
    let signature = locked.metadata.signature.as_deref().and_then(signature::to_armour);
    Ok(Signed { message: locked.subject().message()?, signature })
}
