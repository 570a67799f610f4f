//! The heads of all chains, signed by somebody whose key the writers do not hold.

use std::path::PathBuf;

use super::verify::{self, may_check};
use super::{chains, record};
use crate::app::Deps;
use crate::app::agent::authority;
use crate::app::agent::root;
use crate::app::error::{Error, Place};
use crate::app::request::Intent;
use crate::domain::agent::audit::checkpoint::{self, Checkpoint};
use crate::domain::agent::audit::entry::{Action, Outcome, signed_line};
use crate::domain::agent::audit::segments;
use crate::domain::agent::denial::DenyCode;
use crate::domain::agent::sshsig;
use crate::domain::digest;

/// A checkpoint that was made.
#[derive(Clone, Debug)]
pub struct Made {
    /// Its file.
    pub path: PathBuf,
    /// What it says.
    pub checkpoint: Checkpoint,
}

/// Verifies the log and signs its heads.
///
/// # Errors
/// [`Error::Denied`] for a key that is no administrator's or auditor's, and
/// [`Error::Integrity`] for a log that does not verify.
pub fn run(deps: &Deps<'_>) -> Result<Made, Error> {
    let root = root::here(deps)?;
    let policy_path = root.join(crate::domain::agent::policy::PLACE);
    let authority = authority::load(deps, &root)?;
    let key = deps.signers.public_key(None).map_err(|error| chains::unsigned(&error))?;
    let key = key.ok_or_else(chains::no_key)?;
    let intent = Intent { action: Action::Checkpoint, ..Intent::default() };
    let signer = authority.policy.principal_of_key(&key.to_string()).filter(|owner| may_check(&owner.roles));
    let Some(signer) = signer else {
        let error = Error::Denied {
            code: DenyCode::NotAllowed,
            message: "checkpoints are signed by an administrator or an auditor".to_owned(),
            hints: vec![
                "LEAFLOCK_SIGNING_KEY names the key of a principal with one of these roles".to_owned(),
            ],
        };
        return Err(record::denied(deps, &intent, Some(&policy_path), error));
    };
    // The entry of the checkpoint is below the heads that it signs.
    record::event(deps, &intent, Some(&policy_path), Outcome::Granted)?;
    let found = verify::run(deps, &verify::Request::default())?;
    if let Some(finding) = found.verdict.findings.first() {
        let error = Error::Integrity {
            place: Place::file(root.join(&finding.file)).at_line(finding.line),
            code: DenyCode::AuditMismatch,
            cause: format!("the log does not verify: {}: {}", finding.kind.as_str(), finding.detail).into(),
            hints: vec!["`leaflock audit verify` lists all that is wrong; nothing was signed".to_owned()],
        };
        return Err(record::denied(deps, &intent, Some(&policy_path), error));
    }
    let writers = found.verdict.writers.into_iter().filter_map(|state| Some((state.writer, state.head?)));
    let checkpoint = Checkpoint {
        timestamp: deps.clock.now_exact(),
        repo: authority.policy.repo.clone(),
        signer: signer.name.clone(),
        key: key.fingerprint(),
        policy: authority.policy_digest.clone(),
        writers: writers.collect(),
        previous: found.newest,
    };
    let message = checkpoint.message();
    let armour = deps
        .signers
        .sign(None, message.as_bytes(), checkpoint::NAMESPACE)
        .map_err(|error| chains::unsigned(&error))?
        .ok_or_else(chains::no_key)?;
    let signature = sshsig::to_line(&armour).ok_or_else(chains::no_key)?;
    let line = signed_line(&message, &signature);
    let name = checkpoint.file_name(&digest::of(line.as_bytes()));
    let path = root.join(segments::FOLDER).join(segments::CHECKPOINTS).join(name);
    deps.files
        .create(&path, format!("{line}\n").as_bytes(), false)
        .map_err(|error| Error::Write { in_place: false, error })?;
    Ok(Made { path, checkpoint })
}
