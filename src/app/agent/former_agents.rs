//! Who was an agent before a policy that is to be believed. A policy says itself who is one;
//! an agent whose key stands on the list of signers could call itself a person, and sign
//! that. So the last policy that this machine accepted is asked as well.

use std::collections::BTreeSet;
use std::path::Path;

use super::refusal::refused;
use crate::app::error::Error;
use crate::domain::agent::denial::DenyCode;
use crate::domain::agent::policy::{Policy, Principal};
use crate::domain::agent::public_key::PublicKey;
use crate::domain::agent::trust::Mark;

/// The fingerprints of the keys that agents of `policy` sign with.
pub fn keys(policy: &Policy) -> BTreeSet<String> {
    let agents = policy.principals.values().filter(|principal| principal.is_agent());
    agents.flat_map(Principal::fingerprints).collect()
}

/// Refuses a policy that is signed, in the file at `path`, by a key that was an agent's in
/// the last policy that was `seen`.
///
/// # Errors
/// [`DenyCode::PolicyInvalid`].
pub fn refuse(path: &Path, signer: &PublicKey, seen: &Mark) -> Result<(), Error> {
    let fingerprint = signer.fingerprint();
    if !seen.agents.contains(&fingerprint) {
        return Ok(());
    }
    let cause = format!(
        "it is signed by {fingerprint}, which was an agent's key in the last policy that counted here"
    );
    let hint = "nobody makes himself a person: somebody who was none of its agents looks at the changes and runs \
                `leaflock policy sign`";
    Err(refused(path, DenyCode::PolicyInvalid, cause, hint))
}
