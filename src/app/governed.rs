//! A policy and the files that it governs, for questions about it. No key is needed: keys of
//! encrypted files are in the clear. The policy need not be signed, because people ask while they write it;
//! whoever asks learns whether it counts.

use std::path::{Path, PathBuf};

use super::Deps;
use super::agent::{authority, root};
use super::derived;
use super::error::{Error, Place};
use super::open::Locked;
use super::parallel;
use super::request::Notice;
use crate::domain::agent::denial::DenyCode;
use crate::domain::agent::leaves::{self, Source};
use crate::domain::agent::policy::{PLACE, Policy, Revocation};
use crate::domain::crypto::token;
use crate::domain::keys::kinds::KeyKind;
use crate::domain::store::Format;

/// A policy, the files that it governs, and what there is to say about both.
#[derive(Debug)]
pub struct Governed {
    /// The folder that it governs.
    pub root: PathBuf,
    /// What it says.
    pub policy: Policy,
    /// Signed denials beside it.
    pub revocations: Vec<Revocation>,
    /// Its files, by path.
    pub sources: Vec<Source>,
    /// True if it counts: signed by somebody who is trusted here, and in date.
    pub is_in_force: bool,
    /// Why it does not count, and files that could not be looked at.
    pub notices: Vec<Notice>,
}

/// The policy of the working folder and its files.
///
/// # Errors
/// There is none, or it cannot be read.
pub fn load(deps: &Deps<'_>) -> Result<Governed, Error> {
    load_around(deps, Path::new("."))
}

/// The policy around a folder and its files.
///
/// # Errors
/// As [`load`].
pub fn load_around(deps: &Deps<'_>, folder: &Path) -> Result<Governed, Error> {
    let root = root::around(deps, folder)?;
    let path = root.join(PLACE);
    let policy = authority::read_draft(&path, &deps.files.read(&path).map_err(Error::Read)?.bytes)?;
    let (sources, mut notices) = sources(deps, &root, &policy)?;
    let (revocations, idle) = match standing(deps, &root)? {
        Ok(revocations) => (revocations, None),
        Err(notice) => (Vec::new(), Some(notice)),
    };
    let is_in_force = idle.is_none();
    notices.splice(0..0, idle);
    Ok(Governed { root, policy, revocations, sources, is_in_force, notices })
}

/// The signed denials beside a policy that counts, or why it does not count.
fn standing(deps: &Deps<'_>, root: &Path) -> Result<Result<Vec<Revocation>, Notice>, Error> {
    if deps.files.read_if_there(&root.join(authority::SIGNATURE)).map_err(Error::Read)?.is_none() {
        let text = "the policy is not signed: nothing of it is in force yet";
        return Ok(Err(Notice::warning(text).with_hint("`leaflock policy sign` puts it into force")));
    }
    match authority::load(deps, root) {
        Ok(authority) => Ok(Ok(authority.revocations.clone())),
        // What is signed and was taken back says nothing; what is being written is asked.
        Err(error @ Error::Integrity { code: DenyCode::PolicyStale, .. }) => Err(error),
        Err(error @ Error::Integrity { .. }) => {
            let notice = Notice::warning(format!("the policy is not in force: {error}"));
            Ok(Err(match error.hints().into_iter().next() {
                Some(hint) => notice.with_hint(hint),
                None => notice,
            }))
        }
        Err(error) => Err(error),
    }
}

/// The encrypted files that a policy governs, and what to say about others that it names.
///
/// # Errors
/// The files cannot be listed.
pub fn sources(deps: &Deps<'_>, root: &Path, policy: &Policy) -> Result<(Vec<Source>, Vec<Notice>), Error> {
    let files = derived::sources::files(deps, root, policy)?;
    let looked = parallel::map(&files, false, |(name, path)| source(deps, path, name));
    let mut notices = Vec::new();
    let mut sources = Vec::new();
    for ((name, _), result) in files.iter().zip(looked) {
        let is_named = policy.sources.iter().flatten().any(|rule| rule.file.literal() == Some(name));
        match result {
            Ok(Some(source)) => sources.push(source),
            Ok(None) if !is_named => {}
            Ok(None) => notices.push(
                Notice::warning(format!("{name} is a source of the policy and not encrypted"))
                    .with_hint(format!("`leaflock encrypt -i {name}` encrypts it")),
            ),
            Err(error) if is_named || is_encrypted_after_all(&error) => {
                notices.push(Notice::warning(format!("{name} cannot be looked at: {error}")));
            }
            Err(_) => {}
        }
    }
    Ok((sources, notices))
}

/// True for what is wrong with an encrypted file, not with one that merely speaks of sops.
fn is_encrypted_after_all(error: &Error) -> bool {
    matches!(error, Error::Metadata { .. })
}

/// A file as a source; `None` if it is not encrypted.
fn source(deps: &Deps<'_>, path: &Path, name: &str) -> Result<Option<Source>, Error> {
    let bytes = deps.files.read(path).map_err(Error::Read)?.bytes;
    // Most files of a folder are not encrypted, and need not be parsed to see it.
    if !token::occurs_in(&bytes) {
        return Ok(None);
    }
    let locked = match Locked::parse(&bytes, Format::of_path(name), &Place::file(path)) {
        Ok(locked) => locked,
        Err(Error::NotEncrypted(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    let keys = || locked.metadata.groups.iter().flatten();
    let age = keys().filter(|key| key.kind == KeyKind::Age).map(|key| key.name().into_owned());
    Ok(Some(Source {
        path: name.to_owned(),
        leaves: leaves::paths(&locked.tree),
        recipients: age.collect(),
        has_other_keys: keys().any(|key| key.kind != KeyKind::Age),
    }))
}
