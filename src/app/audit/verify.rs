//! Whether the log is what was written: its lines, its files, and whose keys signed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::material::{self, Log};
use super::record;
use crate::app::Deps;
use crate::app::agent::authority;
use crate::app::agent::root;
use crate::app::error::Error;
use crate::domain::agent::allowed_signers::AllowedSigners;
use crate::domain::agent::audit::chain::{Finding, Kind};
use crate::domain::agent::audit::checkpoint::{self, Checkpoint};
use crate::domain::agent::audit::entry::{Action, Actor, ActorKind, Entry, Outcome as Ending, split_line};
use crate::domain::agent::audit::segments;
use crate::domain::agent::audit::verify::{Material, Verdict, verify};
use crate::domain::agent::policy::{PLACE, Policy, Principal, Role};
use crate::domain::agent::public_key::PublicKey;
use crate::domain::agent::sshsig;
use crate::domain::digest;
use crate::domain::secret::SecretBytes;

/// What to compare with, beside what is in the repository.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Checkpoints that are kept elsewhere.
    pub checkpoints: Vec<PathBuf>,
}

/// What came out.
#[derive(Debug)]
pub struct Outcome {
    /// What is wrong, and how far each chain goes.
    pub verdict: Verdict,
    /// How many checkpoints the log was compared with.
    pub checkpoints: usize,
    /// The digests of checkpoints that no other one names.
    pub newest: Vec<String>,
}

/// A checkpoint whose signature holds.
struct Signed {
    file: String,
    digest: String,
    checkpoint: Checkpoint,
}

/// Checks the log of the policy around the working folder.
///
/// # Errors
/// There is no policy, it does not verify, or something cannot be read. What is wrong
/// with the log is no error.
pub fn run(deps: &Deps<'_>, request: &Request) -> Result<Outcome, Error> {
    let root = root::here(deps)?;
    deps.authorities.take_expired();
    let mut log = material::read(deps, &root)?;
    for path in &request.checkpoints {
        let bytes = deps.files.read(path).map_err(Error::Read)?.bytes.to_vec();
        log.checkpoints.push((path.display().to_string(), bytes));
    }
    of(deps, &log)
}

/// Checks a log that is read already.
///
/// # Errors
/// As [`run`].
pub fn of(deps: &Deps<'_>, log: &Log) -> Result<Outcome, Error> {
    let root = &log.root;
    let authority = authority::load(deps, root)?;
    let history = material::history(deps, root)?;
    let is_in_git = history.is_some();
    let history = history.unwrap_or_default();
    let mut policies = former_policies(deps, root, &authority.signers)?;
    policies.insert(authority.policy_digest.clone(), authority.policy.clone());
    let may_sign = |entry: &Entry, key: &PublicKey| may_sign(&policies, entry, key);
    let is_listed = |key: &PublicKey| {
        let key = key.to_string();
        policies.values().any(|policy| policy.principal_of_key(&key).is_some())
    };
    let (signed, findings) = checkpoints(log, &authority.policy);
    let material = Material {
        repo: authority.policy.repo.as_deref(),
        tree: material::pieces(&log.tree, false),
        past: material::pieces(&history.past, false),
        elsewhere: material::pieces(&history.elsewhere, false),
        chains: material::pieces(&log.chains, true),
        published: log.published.clone(),
        checkpoints: signed.iter().map(|one| (one.file.clone(), one.checkpoint.clone())).collect(),
        may_sign: &may_sign,
        is_listed: &is_listed,
    };
    let mut verdict = verify(&material);
    verdict.findings.extend(findings);
    if !is_in_git {
        verdict.notes.push(NO_HISTORY.to_owned());
    }
    let named = |digest: &String| signed.iter().any(|one| one.checkpoint.previous.contains(digest));
    let newest = signed.iter().map(|one| one.digest.clone()).filter(|digest| !named(digest)).collect();
    Ok(Outcome { verdict, checkpoints: signed.len(), newest })
}

/// What `audit verify` says where only the work tree is.
const NO_HISTORY: &str = "no git repository that git can read is here: the log is compared with no history, and \
                          with no chain of this clone";

/// Former policies by their digests, those that a key on the list signed.
fn former_policies(
    deps: &Deps<'_>,
    root: &Path,
    signers: &AllowedSigners,
) -> Result<BTreeMap<String, Policy>, Error> {
    let of = |place: &str| -> Result<Vec<Vec<u8>>, Error> {
        let versions = deps.repository.history_of(root, place, None).map_err(Error::Read)?;
        let blobs = versions.into_iter().flatten().map(|version| version.blob).collect();
        let mut found = Vec::new();
        let mut take = |_: &str, bytes: SecretBytes| found.push(bytes.to_vec());
        deps.repository.each_content(root, blobs, &mut take).map_err(Error::Read)?;
        Ok(found)
    };
    let signatures = of(authority::SIGNATURE)?;
    let mut former = BTreeMap::new();
    for bytes in of(PLACE)? {
        let is_signed = signatures.iter().any(|signature| {
            let text = String::from_utf8_lossy(signature);
            let signer = sshsig::verify(&text, &bytes, authority::NAMESPACE);
            signer.is_ok_and(|key| signers.signers.iter().any(|signer| signer.key == key))
        });
        if is_signed && let Ok(policy) = Policy::parse(&bytes) {
            former.insert(digest::of(&bytes), policy);
        }
    }
    Ok(former)
}

/// Whether a key may sign an entry, by the policy that the entry names; where nobody here
/// knows that one, by any of `policies`. The owner of the key writes in its own name; in
/// another principal's, people, builds and its broker do, and anybody what was refused.
/// Entries in nobody's name tell of refusals, and of the chain itself.
fn may_sign(policies: &BTreeMap<String, Policy>, entry: &Entry, key: &PublicKey) -> bool {
    let key = key.to_string();
    let Actor { kind, asserted, .. } = entry.actor;
    let is_of_chain = matches!(entry.action, Action::Genesis | Action::Recover);
    let claims_nothing = match entry.agent_id {
        None => entry.outcome == Ending::Denied || is_of_chain,
        Some(_) => entry.outcome == Ending::Denied && asserted,
    };
    let fits = |policy: &Policy, is_named: bool| {
        let owner = policy.principal_of_key(&key);
        let kind_fits = match owner {
            // Under a policy that is not known it may have been an agent still.
            Some(owner) => kind == record::kind(owner) || !is_named && kind == ActorKind::Agent,
            None => kind == ActorKind::Unknown,
        };
        let name_fits = match (owner, &entry.agent_id) {
            (Some(owner), Some(agent)) if asserted => {
                policy.principals.get(agent).is_some_and(|it| may_act_for(owner, it))
            }
            (Some(owner), Some(agent)) => owner.name == *agent,
            _ => false,
        };
        kind_fits && (name_fits || claims_nothing)
    };
    match entry.policy.as_ref().map(|digest| policies.get(digest)) {
        // It could not be read, so that nobody knew whose key it was.
        None => claims_nothing && kind == ActorKind::Unknown,
        Some(Some(policy)) => fits(policy, true),
        Some(None) => policies.values().any(|policy| fits(policy, false)),
    }
}

/// Whether what `owner` does may be written down as done for `principal`.
fn may_act_for(owner: &Principal, principal: &Principal) -> bool {
    !owner.is_agent() || principal.broker.as_ref() == Some(&owner.name)
}

/// The checkpoints that count, and what is wrong with the others.
fn checkpoints(log: &Log, policy: &Policy) -> (Vec<Signed>, Vec<Finding>) {
    let mut signed = Vec::new();
    let mut findings = Vec::new();
    let mut find = |kind: Kind, file: &str, detail: &str| {
        let writer = segments::CHECKPOINTS.to_owned();
        findings.push(Finding {
            kind,
            writer,
            file: file.to_owned(),
            line: Some(1),
            detail: detail.to_owned(),
        });
    };
    for (file, bytes) in &log.checkpoints {
        let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let read = Checkpoint::parse(line).zip(split_line(line));
        let Some(((checkpoint, _), (message, signature))) = read else {
            find(Kind::Edited, file, "this is no checkpoint as they are written");
            continue;
        };
        let key = match sshsig::verify(signature, &message, checkpoint::NAMESPACE) {
            Ok(key) => key,
            Err(_) => {
                find(Kind::Edited, file, "the checkpoint was changed after it was signed");
                continue;
            }
        };
        if checkpoint.repo != policy.repo {
            find(Kind::ForeignRepo, file, "this checkpoint was made in another repository");
        } else if !policy.principal_of_key(&key.to_string()).is_some_and(|owner| may_check(&owner.roles)) {
            find(Kind::BadSignature, file, "the key of this checkpoint is no administrator's or auditor's");
        } else {
            signed.push(Signed { file: file.clone(), digest: digest::of(line), checkpoint });
        }
    }
    let gone: Vec<&Signed> = signed
        .iter()
        .filter(|one| {
            one.checkpoint.previous.iter().any(|digest| signed.iter().all(|other| other.digest != *digest))
        })
        .collect();
    for one in gone {
        find(Kind::Deleted, &one.file, "the checkpoint before this one is not here");
    }
    (signed, findings)
}

/// Whose checkpoints count.
pub fn may_check(roles: &std::collections::BTreeSet<Role>) -> bool {
    roles.contains(&Role::Admin) || roles.contains(&Role::Auditor)
}
