//! The access report of the policy around the working folder. It takes no key and opens
//! nothing: names of secrets and their ciphertext stand in the clear, and what history
//! holds is compared by ciphertext.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::Deps;
use super::agent::authority::{self, Authority};
use super::agent::listed::name_of;
use super::agent::root;
use super::audit::material;
use super::audit::show::{self, Filter, Line};
use super::audit::verify;
use super::error::{Error, Place};
use super::governed;
use super::open::Locked;
use super::request::Notice;
use crate::domain::agent::audit::entry::{Action, Entry, Outcome as Ending, Reason};
use crate::domain::agent::leaves;
use crate::domain::agent::pattern::show_path;
use crate::domain::agent::policy::{self, Policy, Severity};
use crate::domain::agent::report::activity::Activity;
use crate::domain::agent::report::event::{End, Event};
use crate::domain::agent::report::reach::Reach;
use crate::domain::agent::report::removed::{Secrets, State, former_keys, removed};
use crate::domain::agent::report::{Fault, InForce, Removed, Report, RuleFinding, Trail, Writer, grants};
use crate::domain::crypto::token;
use crate::domain::keys::kinds::KeyKind;
use crate::domain::secret::SecretBytes;
use crate::domain::store::Format;
use crate::domain::tree::{Flags, Kind, NodeId, Tree};

/// The report, and what to say on the side.
#[derive(Debug)]
pub struct Outcome {
    /// The report.
    pub report: Report,
    /// Files that could not be looked at, and lines that are no entries.
    pub notices: Vec<Notice>,
}

/// Makes the report. `since` is the beginning of an RFC 3339 time, before which the
/// trail is not looked at; `None` is from its beginning.
///
/// # Errors
/// There is no policy, it does not verify, or files cannot be read. What is wrong with
/// the trail is in the report.
pub fn run(deps: &Deps<'_>, since: Option<String>) -> Result<Outcome, Error> {
    let root = root::here(deps)?;
    deps.authorities.take_expired();
    let authority = authority::load(deps, &root)?;
    let (policy, revocations) = (&authority.policy, &authority.revocations);
    let (sources, mut notices) = governed::sources(deps, &root, policy)?;
    let made = deps.clock.now();
    let log = material::read(deps, &root)?;
    let shown = show::of(&log, &Filter { since: since.clone(), ..Filter::default() }, None);
    if shown.unreadable > 0 {
        let lines = if shown.unreadable == 1 { "line" } else { "lines" };
        let text = format!("{} {lines} of the trail cannot be relied on", shown.unreadable);
        notices.push(Notice::warning(text).with_hint("`leaflock audit verify` tells which"));
    }
    let events: Vec<Event> = shown.lines.iter().filter_map(event).collect();
    let (grants, unused) = grants::unused(policy, &sources, &events);
    let (removed, has_history) = former(deps, &root, &authority)?;
    let rules = policy::lint(policy, &sources, &made).into_iter().map(finding).collect();
    let report = Report {
        repo: policy.repo.clone(),
        policy: InForce {
            digest: authority.policy_digest.clone(),
            serial: policy.serial,
            valid_until: policy.valid_until.clone(),
            allows: policy.allows.len(),
            denies: policy.denies.len(),
            revocations: revocations.len(),
        },
        reach: Reach::of(policy, revocations, &sources),
        activity: Activity::of(events, &made),
        made,
        since,
        grants,
        unused,
        rules,
        removed,
        has_history,
        trail: trail(deps, &log)?,
    };
    Ok(Outcome { report, notices })
}

fn finding(finding: policy::Finding) -> RuleFinding {
    RuleFinding {
        kind: finding.kind.id().to_owned(),
        serious: finding.kind.severity() != Severity::Note,
        message: finding.message,
        advice: Some(finding.advice),
        file: policy::PLACE.to_owned(),
        line: finding.line,
    }
}

/// An entry as the report tells it; `None` for those that a chain needs for itself, and
/// for the second one of a program that ended.
fn event(Line { entry, .. }: &Line) -> Option<Event> {
    if matches!(entry.action, Action::Genesis | Action::Recover | Action::ExecEnd) {
        return None;
    }
    let Entry { timestamp, agent_id, file, secret_path, writer, .. } = entry.clone();
    Some(Event {
        time: timestamp,
        who: agent_id,
        asserted: entry.actor.asserted,
        action: entry.action.as_str(),
        access: entry.access.map(|access| access.as_str()),
        file,
        paths: secret_path,
        end: match entry.outcome {
            Ending::Granted | Ending::Ok => End::Done,
            Ending::Denied => End::Denied,
            Ending::Failed => End::Failed,
        },
        code: entry.deny_code.map(|code| code.as_str()),
        reason: entry.reason.as_ref().map(Reason::as_str).map(str::to_owned),
        program: entry.target.as_ref().map(|target| target.program.clone()),
        isolation: entry.isolation,
        writer,
        seq: entry.seq,
    })
}

fn trail(deps: &Deps<'_>, log: &material::Log) -> Result<Trail, Error> {
    let found = verify::of(deps, log)?;
    let writer = |state: &crate::domain::agent::audit::verify::WriterState| {
        let (entries, head) = match &state.head {
            Some(head) => (head.seq, head.digest.clone()),
            None => (0, String::new()),
        };
        Writer { id: state.writer.clone(), principal: state.agent.clone(), entries, head }
    };
    let fault = |finding: &crate::domain::agent::audit::chain::Finding| Fault {
        kind: finding.kind.as_str().to_owned(),
        writer: finding.writer.clone(),
        file: finding.file.clone(),
        line: finding.line,
        detail: finding.detail.clone(),
    };
    Ok(Trail {
        writers: found.verdict.writers.iter().map(writer).collect(),
        faults: found.verdict.findings.iter().map(fault).collect(),
        checkpoints: found.checkpoints,
    })
}

/// Who had keys in former policies that nobody has now, with what they could open; and
/// whether there is a history.
fn former(deps: &Deps<'_>, root: &Path, authority: &Authority) -> Result<(Vec<Removed>, bool), Error> {
    let Some(mut versions) = deps.repository.history(root).map_err(Error::Read)? else {
        return Ok((Vec::new(), false));
    };
    let policy_path = root.join(policy::PLACE);
    let blobs = versions.iter().filter(|version| version.path == policy_path).map(|it| it.blob.clone());
    let mut policies = Vec::new();
    let mut take = |_: &str, bytes: SecretBytes| policies.extend(Policy::parse(&bytes).ok());
    deps.repository.each_content(root, blobs.collect(), &mut take).map_err(Error::Read)?;
    let keys = former_keys(&authority.policy, &policies);
    if keys.is_empty() {
        return Ok((Vec::new(), true));
    }
    versions.retain(|version| version.path != policy_path);
    let mut seen: HashMap<String, Vec<(usize, String, PathBuf)>> = HashMap::new();
    let mut commits: HashMap<String, usize> = HashMap::new();
    for version in versions {
        let next = commits.len();
        let order = *commits.entry(version.commit.id).or_insert(next);
        seen.entry(version.blob).or_default().push((order, version.commit.date, version.path));
    }
    let mut history = Vec::new();
    let mut take = |blob: &str, bytes: SecretBytes| {
        for (order, date, path) in seen.get(blob).into_iter().flatten() {
            let Some((recipients, secrets)) = looked_at(path, &bytes) else { continue };
            let Some(file) = name_of(root, path) else { continue };
            history.push(State { file, order: *order, date: date.clone(), recipients, secrets });
        }
    };
    deps.repository.each_content(root, seen.keys().cloned().collect(), &mut take).map_err(Error::Read)?;
    let mut now: BTreeMap<String, Secrets> = BTreeMap::new();
    for path in seen.values().flatten().map(|(_, _, path)| path) {
        let Some(name) = name_of(root, path) else { continue };
        if !now.contains_key(&name)
            && let Ok(contents) = deps.files.read(path)
            && let Some((_, secrets)) = looked_at(path, &contents.bytes)
        {
            now.insert(name, secrets);
        }
    }
    Ok((removed(&authority.policy, keys, &history, &now), true))
}

/// The age recipients and the secrets of an encrypted file; `None` for any other.
fn looked_at(path: &Path, bytes: &[u8]) -> Option<(Vec<String>, Secrets)> {
    if !token::occurs_in(bytes) {
        return None;
    }
    let locked = Locked::parse(bytes, Format::of_path(&path.to_string_lossy()), &Place::file(path)).ok()?;
    let keys = locked.metadata.groups.iter().flatten().filter(|key| key.kind == KeyKind::Age);
    Some((keys.map(|key| key.name().into_owned()).collect(), secrets_of(&locked.tree)))
}

/// The encrypted leaves: their shown paths, and the digest of their ciphertext. Items
/// of a list share a path, and a digest.
fn secrets_of(tree: &Tree<'_>) -> Secrets {
    let mut digests: BTreeMap<String, Sha256> = BTreeMap::new();
    for id in 0..tree.nodes.len() as NodeId {
        let node = tree.node(id);
        let text = tree.text(node.text);
        if node.kind == Kind::Scalar
            && !node.flags.has(Flags::METADATA)
            && token::Token::parse(text).is_some()
        {
            let digest = digests.entry(show_path(&leaves::path_of(tree, id))).or_default();
            digest.update(text);
            digest.update([0]);
        }
    }
    digests.into_iter().map(|(path, digest)| (path, digest.finalize().into())).collect()
}
