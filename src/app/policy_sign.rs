//! Signs the policy, once it is one that may be signed, and verifies it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Deps;
use super::agent::age;
use super::agent::authority::{self, Authority};
use super::agent::refusal::{refused, untold};
use super::agent::root;
use super::agent::signing;
use super::agent::write::{self, Write};
use super::audit::record;
use super::error::Error;
use super::ports::Contents;
use super::request::Notice;
use crate::domain::agent::allowed_signers::AllowedSigners;
use crate::domain::agent::audit::entry::Action;
use crate::domain::agent::denial::DenyCode;
use crate::domain::agent::policy::{self, edit};
use crate::domain::agent::{manifest, signer_list, sshsig};
use crate::domain::digest;

/// What to sign with, and how.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The path of a key, instead of the user's own.
    pub key: Option<String>,
    /// Raise `serial` if the policy was changed since it was signed.
    pub bump: bool,
}

/// A policy that was signed.
#[derive(Clone, Debug)]
pub struct Signed {
    /// The signature.
    pub path: PathBuf,
    /// The digest of the policy.
    pub digest: String,
    /// Its serial.
    pub serial: u64,
    /// The serial before, if it was raised.
    pub raised_from: Option<u64>,
    /// Who signed: a fingerprint.
    pub signer: String,
    /// The digest of the list of allowed signers.
    pub signers: String,
    /// True if this machine trusts that list; else `leaflock trust add` is the next step.
    pub is_trusted: bool,
    /// True if derived files were made by another policy.
    pub needs_sync: bool,
    /// That the audit trail has no entry of it.
    pub notice: Option<Notice>,
}

/// Signs the policy around the working folder.
pub fn sign(deps: &Deps<'_>, request: &Request) -> Result<Signed, Error> {
    let root = root::here(deps)?;
    record::attempt_to(deps, Action::PolicyChange);
    write::finish_unfinished(deps, &root)?;
    let path = root.join(policy::PLACE);
    let Contents { bytes, fingerprint } = deps.files.read(&path).map_err(Error::Read)?;
    let mut bytes = bytes.to_vec();
    let mut policy = authority::read_policy(&path, &bytes)?;
    let key = signing::Key::of(deps, request.key.as_deref())?;
    let signers = signers(deps, &root)?;
    key.demand(deps, (&policy, &signers), (authority::NAMESPACE, "policies"))?;
    let mark =
        policy.repo.as_ref().and_then(|repo| Some(deps.trust.marks().ok()?.repositories.get(repo)?.clone()));
    let seen = mark.unwrap_or_default();
    let serial = policy.serial.unwrap_or_default();
    let is_changed = !is_signed(deps, &root, &bytes)?;
    // Also what was signed once: whoever has thrown a newer one away puts it into force again.
    let is_behind = serial < seen.serial || serial == seen.serial && digest::of(&bytes) != seen.policy;
    let raised_from = (request.bump && (is_changed || is_behind)).then_some(serial);
    if raised_from.is_some() {
        bytes = edit::with_serial(&bytes, serial.max(seen.serial).saturating_add(1)).map_err(|_| {
            let hint = "write `serial: N` on a line of its own, and raise it by hand";
            refused(&path, DenyCode::PolicyInvalid, "the serial cannot be raised in place", hint)
        })?;
        policy = authority::read_policy(&path, &bytes)?;
    }
    let serial = policy.serial.unwrap_or_default();
    let digest = digest::of(&bytes);
    if serial < seen.serial || (serial == seen.serial && digest != seen.policy) {
        let cause = format!("serial is {serial}, and a policy with {} was signed before", seen.serial);
        let hint = "raise `serial:` with every change of the policy; --bump does it";
        return Err(refused(&path, DenyCode::PolicyStale, cause, hint));
    }
    if let Some(cause) = age::expired(&policy, &deps.clock.now()) {
        return Err(refused(&path, DenyCode::PolicyStale, cause, age::RENEW));
    }
    let signature = key.sign(deps, &bytes, authority::NAMESPACE)?;
    let signature_path = root.join(authority::SIGNATURE);
    let mut writes = vec![Write::replacing(deps, signature_path.clone(), signature.into_bytes())?];
    if raised_from.is_some() {
        writes.push(Write::read(path.clone(), bytes, fingerprint));
    }
    write::commit(deps, write::COMMAND, &root, &writes)?;
    let candidate = authority::unpinned(deps, &root)?;
    let is_trusted = is_trusted(deps, &candidate)?;
    if is_trusted {
        authority::load_to_remake(deps, &root)?;
    }
    let manifest = deps.files.kind(&root.join(manifest::PLACE)).map_err(Error::Read)?;
    Ok(Signed {
        path: signature_path,
        digest,
        serial,
        raised_from,
        signer: key.public.fingerprint(),
        signers: candidate.signers_digest.clone(),
        is_trusted,
        needs_sync: manifest.is_some() && candidate.current_manifest().is_err(),
        // Where its signers are not trusted, the policy is not in force yet.
        notice: is_trusted.then(|| record::changed(deps, Action::PolicyChange, &path)).flatten(),
    })
}

/// Verifies the policy around the working folder, and all that belongs to it.
pub fn verify(deps: &Deps<'_>) -> Result<Arc<Authority>, Error> {
    authority::load(deps, &root::here(deps)?)
}

/// Whose signatures the list that lies there allows.
fn signers(deps: &Deps<'_>, root: &Path) -> Result<AllowedSigners, Error> {
    let path = root.join(signer_list::PLACE);
    authority::read_signers(&path, &deps.files.read(&path).map_err(Error::Read)?.bytes)
}

/// True if the signature that is there is of these bytes.
fn is_signed(deps: &Deps<'_>, root: &Path, bytes: &[u8]) -> Result<bool, Error> {
    let found = deps.files.read_if_there(&root.join(authority::SIGNATURE)).map_err(Error::Read)?;
    Ok(found.is_some_and(|signature| {
        let signature = String::from_utf8_lossy(&signature.bytes);
        sshsig::verify(&signature, bytes, authority::NAMESPACE).is_ok()
    }))
}

fn is_trusted(deps: &Deps<'_>, authority: &Authority) -> Result<bool, Error> {
    let pins = deps.trust.pins().map_err(untold)?;
    let announced = deps.trust.announced().map_err(untold)?;
    Ok(pins.0.contains_key(authority.repo()) || announced.contains(&authority.signers_digest))
}
