//! The denials beside a policy: which lines of `revocations.jsonl` count, and whether one is
//! gone that no policy has taken the place of.

use std::collections::BTreeSet;
use std::path::Path;

use super::refusal::{refused, refused_at};
use crate::app::Deps;
use crate::app::error::{Error, Place};
use crate::domain::agent::allowed_signers::AllowedSigners;
use crate::domain::agent::denial::DenyCode;
use crate::domain::agent::manifest::Manifest;
use crate::domain::agent::policy::{Policy, REVOCATIONS, Revocation};
use crate::domain::agent::revocations;
use crate::domain::agent::trust::Mark;

const RESTORE: &str = "restore the file from git; to give the right back, sign a policy with a higher serial, take \
                       the line out, and run `leaflock agent sync --accept .leaflock/revocations.jsonl`";

/// What the file says.
#[derive(Debug, Default)]
pub struct Found {
    /// The denials in force.
    pub denials: Vec<Revocation>,
    /// The digests of lines that should be there and are not.
    pub missing: BTreeSet<String>,
}

/// That a revocation is gone which no policy has taken the place of.
pub fn gone(root: &Path, manifest: Option<&Manifest>, gone: &str) -> Error {
    let lists = |it: &Manifest| it.revocations.contains_key(gone) || it.absorbed.contains_key(gone);
    let is_listed = manifest.is_some_and(lists);
    let by = if is_listed { "the signed manifest lists" } else { "this machine has seen" };
    let path = root.join(REVOCATIONS);
    refused(&path, DenyCode::PolicyStale, format!("a revocation that {by} is gone ({gone})"), RESTORE)
}

/// The denials in force under a policy whose signers and manifest are verified.
///
/// A line counts if its signer may revoke, or if the signed manifest heeds it: whoever
/// signed that vouches for it, also when its signer has left since.
///
/// # Errors
/// [`DenyCode::PolicyInvalid`] and [`DenyCode::ForeignRepo`] for a line that does not count.
pub fn read(
    deps: &Deps<'_>,
    root: &Path,
    (policy, signers, manifest): (&Policy, &AllowedSigners, Option<&Manifest>),
    seen: &Mark,
) -> Result<Found, Error> {
    let path = root.join(REVOCATIONS);
    let contents = deps.files.read_if_there(&path).map_err(Error::Read)?;
    let bytes = contents.map(|contents| contents.bytes).unwrap_or_default();
    let Manifest { revocations: heeded, absorbed, .. } = manifest.cloned().unwrap_or_default();
    let serial = policy.serial.unwrap_or_default();
    let is_absorbed = |digest: &String| absorbed.get(digest).is_some_and(|by| *by <= serial);
    let mut found = Vec::new();
    let mut digests = BTreeSet::new();
    for (number, line) in revocations::lines(&bytes) {
        let digest = revocations::digest_of(line);
        let wrong = |code: DenyCode, cause: String| {
            refused_at(Place::file(&path).at_line(Some(number)), code, cause, RESTORE)
        };
        let denial = revocations::read(line, number)
            .map_err(|error| wrong(DenyCode::PolicyInvalid, error.to_string()))
            .and_then(|signed| {
                if signed.statement.repo != policy.repo.as_deref().unwrap_or_default() {
                    let cause = "the revocation is of another repository".to_owned();
                    return Err(wrong(DenyCode::ForeignRepo, cause));
                }
                if !signed.is_allowed(signers, policy) && !heeded.contains_key(&signed.digest) {
                    let cause = format!("{} may not revoke this", signed.key.fingerprint());
                    return Err(wrong(DenyCode::PolicyInvalid, cause));
                }
                signed.denial(policy).map_err(|error| wrong(DenyCode::PolicyInvalid, error.to_string()))
            });
        match denial {
            Ok(denial) => found.push(denial),
            // Who signed it may be gone since then; the policy has taken its place.
            Err(_) if is_absorbed(&digest) => {}
            Err(error) => return Err(error),
        }
        digests.insert(digest);
    }
    let is_gone = |digest: &&String| !digests.contains(*digest) && !is_absorbed(digest);
    // Of an older policy, the manifest of a newer one tells what must not be missing.
    let known = seen.revocations.iter().chain(heeded.keys()).chain(absorbed.keys());
    let missing = known.filter(is_gone).cloned().collect();
    Ok(Found { denials: found, missing })
}
