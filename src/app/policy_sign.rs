//! Signs the policy, once it is one that may be signed, and verifies it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Deps;
use super::agent::age;
use super::agent::authority::{self, Authority};
use super::agent::refusal::{refused, untold};
use super::agent::signing;
use super::audit::record;
use super::error::Error;
use super::request::Notice;
use super::trust;
use crate::domain::agent::audit::entry::Action;
use crate::domain::agent::denial::DenyCode;
use crate::domain::agent::policy::{self, Policy};
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

/// Signs the policy at or above `folder`.
pub fn sign(deps: &Deps<'_>, folder: &Path, request: &Request) -> Result<Signed, Error> {
    let root = trust::root(deps, folder)?;
    record::attempt_to(deps, Action::PolicyChange);
    let path = root.join(policy::PLACE);
    let mut bytes = deps.files.read(&path).map_err(Error::Read)?.bytes.to_vec();
    let mut policy = authority::read_policy(&path, &bytes)?;
    let key = signing::Key::of(deps, request.key.as_deref())?;
    may_sign(deps, &root, &policy, &key)?;
    let mark =
        policy.repo.as_ref().and_then(|repo| Some(deps.trust.marks().ok()?.repositories.get(repo)?.clone()));
    let seen = mark.unwrap_or_default();
    let serial = policy.serial.unwrap_or_default();
    let is_changed = !is_signed(deps, &root, &bytes)?;
    // Also what was signed once: whoever has thrown a newer one away puts it into force again.
    let is_behind = serial < seen.serial || serial == seen.serial && digest::of(&bytes) != seen.policy;
    let raised_from = (request.bump && (is_changed || is_behind)).then_some(serial);
    if raised_from.is_some() {
        let next = serial.max(seen.serial).saturating_add(1);
        bytes = with_serial(&bytes, &policy, next).ok_or_else(|| {
            let cause = "the serial cannot be raised in place";
            refused(
                &path,
                DenyCode::PolicyInvalid,
                cause,
                "write `serial: N` on a line of its own, and raise it by hand",
            )
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
    if raised_from.is_some() {
        signing::write(deps, &path, &bytes)?;
    }
    let signature_path = root.join(authority::SIGNATURE);
    signing::write(deps, &signature_path, signature.as_bytes())?;
    authority::forget(deps);
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

/// Verifies the policy at or above `folder`, and all that belongs to it.
pub fn verify(deps: &Deps<'_>, folder: &Path) -> Result<Arc<Authority>, Error> {
    authority::load(deps, &trust::root(deps, folder)?)
}

/// Refuses a key whose signature would not count.
fn may_sign(deps: &Deps<'_>, root: &Path, policy: &Policy, key: &signing::Key) -> Result<(), Error> {
    let list_path = root.join(signer_list::PLACE);
    let list = deps.files.read(&list_path).map_err(Error::Read)?.bytes;
    let signers = authority::read_signers(&list_path, &list)?;
    let denied = |message: String, hint: &str| {
        Err(Error::Denied { code: DenyCode::NotAllowed, message, hints: vec![hint.to_owned()] })
    };
    let fingerprint = key.public.fingerprint();
    if signers.allows(&key.public, authority::NAMESPACE, &deps.clock.now()).is_none() {
        let message =
            format!("{fingerprint} may not sign policies: it is not on the list of allowed signers");
        return denied(
            message,
            "--signing-key chooses another key; an administrator adds keys to .leaflock/allowed_signers",
        );
    }
    match policy.principal_of_key(&key.public.to_string()).filter(|principal| principal.is_agent()) {
        Some(agent) => denied(
            format!("{fingerprint} is the key of {}, and agents sign no policies", agent.name),
            "--signing-key chooses another key",
        ),
        None => Ok(()),
    }
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

/// The policy with another serial and not a byte besides; `None` where the number
/// cannot be found.
fn with_serial(bytes: &[u8], policy: &Policy, serial: u64) -> Option<Vec<u8>> {
    let number = *policy.lines.get("serial")?;
    let start: usize = bytes.split_inclusive(|byte| *byte == b'\n').take(number - 1).map(<[u8]>::len).sum();
    let line = bytes[start..].split(|byte| *byte == b'\n').next()?;
    let key = memchr::memmem::find(line, b"serial")? + "serial".len();
    let gap = line[key..].iter().take_while(|byte| matches!(byte, b' ' | b':' | b'"' | b'\'')).count();
    let from = start + key + gap;
    let digits = bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let changed = [&bytes[..from], serial.to_string().as_bytes(), &bytes[from + digits..]].concat();
    let read = Policy::parse(&changed).ok()?;
    let is_alone = read == Policy { serial: Some(serial), ..policy.clone() };
    (digits > 0 && is_alone).then_some(changed)
}

#[cfg(test)]
mod tests {
    use super::with_serial;
    use crate::domain::agent::policy::Policy;

    #[test]
    fn the_serial_is_raised_and_nothing_else() {
        for (text, wanted) in [
            (
                "# serial: 1\nversion: 1\nserial:   41   # up\naccess_control: {secrets: {}}\n",
                Some("# serial: 1\nversion: 1\nserial:   100   # up\naccess_control: {secrets: {}}\n"),
            ),
            (
                "{version: 1, \"serial\": 7, access_control: {secrets: {}}}",
                Some("{version: 1, \"serial\": 100, access_control: {secrets: {}}}"),
            ),
            ("{repo: serial7, serial: 7, access_control: {secrets: {}}}", None),
            ("serial: !!int 7\naccess_control: {secrets: {}}\n", None),
            ("access_control: {secrets: {}}\n", None),
        ] {
            let Ok(policy) = Policy::parse(text.as_bytes()) else { continue };
            let changed = with_serial(text.as_bytes(), &policy, 100);
            assert_eq!(changed.as_deref(), wanted.map(str::as_bytes), "{text}");
        }
    }
}
