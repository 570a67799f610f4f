//! Nothing is opened that is not written down. [`Recorded`] is the proof that it was,
//! and only this file makes one; what unwraps a data key asks for it.
//!
//! Where no folder above a file holds a policy, there is nothing to write and the
//! proof costs nothing. Where one does, the policy is verified, the entry signed,
//! synced and published; only then the proof is given. If any of that fails, there is
//! none, and the call ends.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::chains::{self, Writer};
use crate::app::Deps;
use crate::app::agent::authority::{self, Authority};
use crate::app::agent::listed;
use crate::app::agent::showing;
use crate::app::error::Error;
use crate::app::ports::FileKind;
use crate::app::request::{Intent, Notice};
use crate::domain::agent::audit::entry::{Action, Actor, ActorKind, Entry, Outcome, Target};
use crate::domain::agent::audit::paths;
use crate::domain::agent::denial::DenyCode;
use crate::domain::agent::pattern::show_path;
use crate::domain::agent::place;
use crate::domain::agent::policy::{Allow, Policy, Principal, PrincipalKind};
use crate::domain::digest;

/// What this process wrote so far, and what it knows of the folders of policies.
#[derive(Debug, Default)]
pub struct Memory {
    known: Mutex<Known>,
    /// One thread of a batch writes for all; the others wait for it.
    turn: Mutex<()>,
}

#[derive(Debug, Default)]
struct Known {
    session: Option<String>,
    /// By the folder of the policy.
    sites: BTreeMap<PathBuf, Arc<Site>>,
    /// What was granted.
    granted: BTreeSet<Granted>,
    /// The files whose opening may still fail.
    open: BTreeMap<PathBuf, Recorded>,
    /// The last opening.
    last: Option<Recorded>,
    /// Why something was not opened.
    refusal: Option<Error>,
    /// That states of history did not open was written down.
    is_exposure_told: bool,
    /// What the call is about.
    attempt: Option<Intent>,
    /// The refusals that were written down, or could not be: file and text.
    told: BTreeSet<(Option<PathBuf>, String)>,
}

/// What is granted needs no second entry.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Granted {
    /// The folder of the policy.
    root: PathBuf,
    file: Option<String>,
    file_digest: Option<String>,
    action: Action,
    secrets: Vec<String>,
}

/// A folder with a policy, and who works in it.
#[derive(Debug)]
struct Site {
    writer: Writer,
    authority: Arc<Authority>,
}

impl Site {
    /// Who works in it, if that is an agent.
    fn agent(&self) -> Option<&str> {
        let principal = self.authority.policy.principals.get(self.writer.agent.as_ref()?)?;
        principal.is_agent().then_some(principal.name.as_str())
    }
}

/// That it is written down, or need not be.
#[derive(Clone, Debug)]
pub struct Recorded(Option<(Arc<Site>, Entry)>);

/// A file that is about to be opened.
pub struct Opening<'o> {
    /// The file, absolute; `None` for standard input.
    pub path: Option<&'o Path>,
    /// Its bytes, encrypted.
    pub bytes: &'o [u8],
    /// The paths of all of its values.
    pub leaves: &'o dyn Fn() -> Vec<Vec<String>>,
    /// A verb of SOPS's shows it.
    pub is_for_people: bool,
    /// The other files of the call, each with the digest of its bytes. They are
    /// written down together with the first, at the price of one.
    pub others: &'o dyn Fn() -> Vec<(PathBuf, String)>,
}

/// Writes down that a file is opened, before it is.
///
/// # Errors
/// [`Error::Unrecorded`] if it cannot be written, [`Error::Integrity`] if the policy
/// does not verify, [`Error::Denied`] if it asks for a reason and there is none.
pub fn opening(deps: &Deps<'_>, intent: &Intent, opening: &Opening<'_>) -> Result<Recorded, Error> {
    let path = opening.path.or(intent.path.as_deref());
    let Some(root) = root(deps, path)? else { return Ok(Recorded(None)) };
    attempt(deps, intent);
    let written = open_under(deps, intent, opening, root);
    written.inspect_err(|error| {
        if !is_silent(intent.action) {
            lock(deps).refusal.get_or_insert_with(|| copy(error));
        }
    })
}

/// Whoever calls git does not ask for these: what does not open stays encrypted.
fn is_silent(action: Action) -> bool {
    matches!(action, Action::Textconv | Action::Smudge | Action::Clean | Action::Reuse)
}

fn open_under(
    deps: &Deps<'_>,
    intent: &Intent,
    opening: &Opening<'_>,
    root: PathBuf,
) -> Result<Recorded, Error> {
    let _turn = deps.audit.turn.lock().unwrap_or_else(PoisonError::into_inner);
    let path = opening.path.or(intent.path.as_deref());
    let file = path.and_then(|path| below(deps, &root, path));
    // Of all states that history holds of a file, one entry tells.
    let written = |digest: String| (intent.action != Action::Exposure).then_some(digest);
    let of_bytes = written(digest::of(opening.bytes));
    let site = site(deps, &root, intent, file.as_deref())?;
    let mut entry = entry(&site, intent, file.clone(), of_bytes.clone());
    entry.secret_path = paths::shortened(&intent.secrets, opening.leaves);
    let recorded = Recorded(Some((Arc::clone(&site), entry.clone())));
    demand_levels(deps, &site, intent, file.as_deref(), opening)?;
    let granted = granted(&root, intent, file.clone(), of_bytes);
    if !lock(deps).granted.contains(&granted) {
        demand_reason(deps, &site, intent, file.as_deref(), opening)?;
        let mut all = vec![granted];
        let mut entries = vec![entry.clone()];
        for (path, of_bytes) in (opening.others)() {
            let Some(other) = below(deps, &root, &path).filter(|other| Some(other) != file.as_ref()) else {
                continue;
            };
            // Which of its leaves a rule is about shows when it is opened.
            if may_need_reason(&site, intent, Some(&other)) {
                continue;
            }
            let of_bytes = written(of_bytes);
            all.push(self::granted(&root, intent, Some(other.clone()), of_bytes.clone()));
            entries.push(Entry { file: Some(other), file_digest: of_bytes, ..entry.clone() });
        }
        chains::write(deps, &site.writer, entries)?;
        lock(deps).granted.extend(all);
    }
    let mut known = lock(deps);
    known.open.insert(path.unwrap_or(Path::new("")).to_owned(), recorded.clone());
    known.last = Some(recorded.clone());
    Ok(recorded)
}

fn granted(root: &Path, intent: &Intent, file: Option<String>, file_digest: Option<String>) -> Granted {
    let secrets = intent.secrets.clone();
    Granted { root: root.to_owned(), file, file_digest, action: intent.action, secrets }
}

/// Writes down that files are about to be written without being opened: `path`,
/// absolute, and in the same go the others of the call, `batch`.
///
/// # Errors
/// As [`opening`].
pub fn writing(
    deps: &Deps<'_>,
    intent: &Intent,
    path: Option<&Path>,
    batch: &[PathBuf],
) -> Result<Recorded, Error> {
    let Some(root) = root(deps, path)? else { return Ok(Recorded(None)) };
    attempt(deps, intent);
    let _turn = deps.audit.turn.lock().unwrap_or_else(PoisonError::into_inner);
    let file = path.and_then(|path| below(deps, &root, path));
    let site = site(deps, &root, intent, file.as_deref())?;
    let recorded = Recorded(Some((Arc::clone(&site), entry(&site, intent, file.clone(), None))));
    let key = |file: Option<String>| granted(&root, intent, file, None);
    if lock(deps).granted.contains(&key(file.clone())) {
        return Ok(recorded);
    }
    let mut files = vec![file];
    for other in batch {
        let other = below(deps, &root, &deps.files.absolute(other).map_err(Error::Read)?);
        files.extend(other.filter(|other| !files.iter().flatten().any(|file| file == other)).map(Some));
    }
    let entries = files.iter().map(|file| entry(&site, intent, file.clone(), None)).collect();
    chains::write(deps, &site.writer, entries)?;
    lock(deps).granted.extend(files.into_iter().map(key));
    Ok(recorded)
}

/// Writes down something that neither opens nor writes a secret: a policy that is
/// signed, a checkpoint. `path`, absolute, is the file; without one, the policy around
/// the working folder counts.
///
/// # Errors
/// As [`opening`].
pub fn event(
    deps: &Deps<'_>,
    intent: &Intent,
    path: Option<&Path>,
    outcome: Outcome,
) -> Result<Recorded, Error> {
    let Some(root) = root(deps, path)? else { return Ok(Recorded(None)) };
    let file = path.and_then(|path| below(deps, &root, path));
    let site = site(deps, &root, intent, file.as_deref())?;
    let mut entry = entry(&site, intent, file, None);
    entry.outcome = outcome;
    chains::write(deps, &site.writer, vec![entry.clone()])?;
    Ok(Recorded(Some((site, entry))))
}

/// Writes down that the policy, or what belongs to it, was changed at `path`, absolute.
/// The change is done and counts; if it cannot be written down, the notice says so.
pub fn changed(deps: &Deps<'_>, action: Action, path: &Path) -> Option<Notice> {
    // What was verified before the change is not what is in force.
    lock(deps).sites.clear();
    let intent = Intent { action, ..Intent::default() };
    let error = event(deps, &intent, Some(path), Outcome::Ok).err()?;
    let notice = Notice::warning(format!("the change is not in the audit trail: {error}"));
    Some(match error.hints().into_iter().next() {
        Some(hint) => notice.with_hint(hint),
        None => notice,
    })
}

/// Says what the call is about, for a refusal that comes before anything is opened.
pub fn attempt(deps: &Deps<'_>, intent: &Intent) {
    lock(deps).attempt = Some(intent.clone());
}

/// The same with an action alone.
pub fn attempt_to(deps: &Deps<'_>, action: Action) {
    attempt(deps, &Intent { action, ..Intent::default() });
}

/// Writes down a refusal and hands its error back. The policy need not verify: then
/// nobody knows whose key it is that signs, and the entry names no principal.
pub fn denied(deps: &Deps<'_>, intent: &Intent, path: Option<&Path>, error: Error) -> Error {
    let (Error::Denied { code, .. } | Error::Integrity { code, .. }) = &error else { return error };
    // What the refusal is about may be what `find_root` refuses.
    let root = |path| root_by(deps, path, authority::nearest).ok()?;
    let found = path.and_then(|path| Some((root(Some(path))?, Some(path))));
    let Some((root, path)) = found.or_else(|| Some((root(None)?, None))) else { return error };
    let known = lock(deps).sites.get(&root).cloned();
    let writer = match known {
        Some(site) => Ok(site.writer.clone()),
        None => writer(deps, &root, verified(deps, &root, intent.action).ok().as_deref()),
    };
    let file = path.and_then(|path| below(deps, &root, path));
    let written = writer.and_then(|writer| write_denial(deps, &writer, intent, file, *code));
    told(deps, error, written)
}

/// Writes down the refusal that a call ends with, unless that was done where it arose.
pub fn ended_refused(deps: &Deps<'_>, error: Error) -> Error {
    if !matches!(error, Error::Denied { .. } | Error::Integrity { .. }) {
        return error;
    }
    let (is_told, attempt) = {
        let known = lock(deps);
        (known.told.contains(&name_of(&error)), known.attempt.clone())
    };
    if is_told {
        return error;
    }
    let intent = attempt.unwrap_or_else(|| Intent { action: Action::Inspect, ..Intent::default() });
    let path = error.place().path.or_else(|| intent.path.clone());
    denied(deps, &intent, path.as_deref(), error)
}

impl Recorded {
    /// True where a policy is.
    pub fn is_under_policy(&self) -> bool {
        self.0.is_some()
    }

    /// The caller, if it is an agent.
    pub fn agent(&self) -> Option<&str> {
        self.0.as_ref().and_then(|(site, _)| site.agent())
    }

    /// Writes down how it ended. What was granted stays written down even if this fails.
    ///
    /// # Errors
    /// [`Error::Unrecorded`].
    pub fn ended(
        &self,
        deps: &Deps<'_>,
        action: Action,
        outcome: Outcome,
        target: Option<Target>,
    ) -> Result<(), Error> {
        let Some((site, entry)) = &self.0 else { return Ok(()) };
        let mut entry = entry.clone();
        entry.action = action;
        entry.outcome = outcome;
        entry.target = target.or(entry.target);
        chains::write(deps, &site.writer, vec![entry])
    }

    /// Writes down how the program ended that got values.
    ///
    /// # Errors
    /// [`Error::Unrecorded`].
    pub fn program_ended(&self, deps: &Deps<'_>, outcome: Outcome, exit: Option<u8>) -> Result<(), Error> {
        let Some((_, entry)) = &self.0 else { return Ok(()) };
        let target = entry.target.clone().map(|target| Target { exit, ..target });
        self.ended(deps, Action::ExecEnd, outcome, target)
    }

    /// Writes down that the file did not open. The error that says why counts more
    /// than one of the log: nothing was opened.
    pub fn failed(&self, deps: &Deps<'_>, path: Option<&Path>, error: &Error) {
        let Some((site, entry)) = &self.0 else { return };
        let mut entry = entry.clone();
        entry.outcome = Outcome::Failed;
        if let Error::Denied { code, .. } | Error::Integrity { code, .. } = error {
            entry.outcome = Outcome::Denied;
            entry.deny_code = Some(*code);
            lock(deps).told.insert(name_of(error));
        }
        let mut is_told = false;
        if entry.action == Action::Exposure {
            // Most states of most files open to nobody here; one entry of the call says so.
            is_told = std::mem::replace(&mut lock(deps).is_exposure_told, true);
            entry.file = None;
        }
        if !is_told {
            let _ = chains::write(deps, &site.writer, vec![entry]);
        }
        lock(deps).open.remove(path.unwrap_or(Path::new("")));
    }
}

/// The last opening of this call, if a policy is where it was.
pub fn last(deps: &Deps<'_>) -> Option<Recorded> {
    lock(deps).last.clone()
}

/// Writes down that a file which was granted turned out not to be what it must: its
/// MAC does not fit, or a value does not decrypt. To be called with every error that
/// a file ends with; what is written down already is not written again.
pub fn file_failed(deps: &Deps<'_>, error: &Error) {
    let place = error.place();
    let path = place.path.as_deref();
    let open = lock(deps).open.remove(path.unwrap_or(Path::new("")));
    if let Some(recorded) = open {
        recorded.failed(deps, path, error);
    }
}

/// The first refusal of this call, for those that went on without what was refused.
pub fn refusal(deps: &Deps<'_>) -> Option<Error> {
    lock(deps).refusal.take()
}

/// The same refusal once more; other errors do not refuse.
fn copy(error: &Error) -> Error {
    let hints = error.hints();
    match error {
        Error::Denied { code, message, .. } => Error::Denied { code: *code, message: message.clone(), hints },
        Error::Integrity { place, code, cause, .. } => {
            Error::Integrity { place: place.clone(), code: *code, cause: cause.to_string().into(), hints }
        }
        other => Error::Unrecorded { cause: other.to_string().into(), hints },
    }
}

fn lock<'d>(deps: &Deps<'d>) -> std::sync::MutexGuard<'d, Known> {
    deps.audit.known.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The folder of the policy that counts for a file; for standard input, also under its
/// names in the system, the one around the working folder.
fn root(deps: &Deps<'_>, path: Option<&Path>) -> Result<Option<PathBuf>, Error> {
    root_by(deps, path, authority::find_root)
}

/// The same by `find`: [`authority::find_root`], or what stands behind it.
fn root_by<'d>(
    deps: &Deps<'d>,
    path: Option<&Path>,
    find: impl Fn(&Deps<'d>, &Path) -> Result<Option<PathBuf>, Error>,
) -> Result<Option<PathBuf>, Error> {
    let Some(path) = path else { return find(deps, Path::new(".")) };
    for place in listed::places(deps, path)? {
        if let Some(root) = place.parent().map(|folder| find(deps, folder)).transpose()?.flatten() {
            return Ok(Some(root));
        }
    }
    // What comes out of a pipe is where whoever reads it is.
    match deps.files.kind(path) {
        Ok(Some(FileKind::Other)) => find(deps, Path::new(".")),
        _ => Ok(None),
    }
}

/// The path below `root`, with `/`, of the file itself or of the link that leads out of
/// `root` to it.
fn below(deps: &Deps<'_>, root: &Path, path: &Path) -> Option<String> {
    let places = listed::places(deps, path).ok()?;
    let parts = places.iter().find_map(|place| place.strip_prefix(root).ok())?.components();
    let parts: Vec<String> = parts.map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
    Some(parts.join("/"))
}

/// Who works under the policy of `root`. A policy that does not verify is refused,
/// which is written down.
fn site(deps: &Deps<'_>, root: &Path, intent: &Intent, file: Option<&str>) -> Result<Arc<Site>, Error> {
    if let Some(site) = lock(deps).sites.get(root) {
        return Ok(Arc::clone(site));
    }
    let authority = match verified(deps, root, intent.action) {
        Ok(authority) => authority,
        Err(error) => {
            let Error::Integrity { code, .. } = &error else { return Err(error) };
            let written = writer(deps, root, None)
                .and_then(|writer| write_denial(deps, &writer, intent, file.map(str::to_owned), *code));
            return Err(told(deps, error, written));
        }
    };
    let writer = writer(deps, root, Some(&authority))?;
    if writer.agent.is_none() {
        let cause = format!("the policy gives the signing key {} to nobody", writer.actor.key);
        return Err(chains::unrecorded(
            cause.into(),
            &[
                "LEAFLOCK_SIGNING_KEY names the file of a key that the policy lists under `sign`",
                "an administrator adds you to the policy: `leaflock agent add humans/NAME --role human --recipient \
                 AGE --signing-key FILE.pub`, then `leaflock agent sync`",
            ],
        ));
    }
    let site = Arc::new(Site { writer, authority });
    lock(deps).sites.insert(root.to_owned(), Arc::clone(&site));
    Ok(site)
}

/// The policy of `root`. Signing it, or making its manifest anew, mends a manifest that
/// does not verify; everything else needs one that does.
fn verified(deps: &Deps<'_>, root: &Path, action: Action) -> Result<Arc<Authority>, Error> {
    match action {
        Action::Sync | Action::PolicyChange => authority::load_to_remake(deps, root).map(Arc::new),
        _ => authority::load(deps, root),
    }
}

/// Whose key writes, and where; who that is, as far as a policy tells.
fn writer(deps: &Deps<'_>, root: &Path, authority: Option<&Authority>) -> Result<Writer, Error> {
    let key = deps.signers.public_key(None).map_err(|error| chains::unsigned(&error))?;
    let key = key.ok_or_else(chains::no_key)?;
    let place = deps.repository.place(root).map_err(chains::unwritable)?;
    let place = place.ok_or_else(|| no_repository(root))?;
    let principal = authority.and_then(|known| known.policy.principal_of_key(&key.to_string()));
    Ok(Writer {
        root: root.to_owned(),
        chains: place.common_dir.join(chains::FOLDER),
        repo: authority.and_then(|known| known.policy.repo.clone()),
        policy: authority.map(|known| known.policy_digest.clone()),
        actor: Actor {
            kind: principal.map_or(ActorKind::Unknown, kind),
            key: key.fingerprint(),
            os_user: deps.audit_log.user(),
            asserted: false,
        },
        agent: principal.map(|principal| principal.name.clone()),
        session: session(deps),
        listed: authority.map(|known| chains::listed(&known.policy)).unwrap_or_default(),
        key,
    })
}

/// What a principal is.
pub fn kind(principal: &Principal) -> ActorKind {
    match principal.kind() {
        PrincipalKind::Agent => ActorKind::Agent,
        PrincipalKind::Broker => ActorKind::Broker,
        PrincipalKind::Ci => ActorKind::Ci,
        PrincipalKind::Human => ActorKind::Human,
    }
}

/// The name of this call: random, the same in all of its entries.
fn session(deps: &Deps<'_>) -> String {
    let random = deps.random.rng().next_u64();
    lock(deps).session.get_or_insert_with(|| format!("s-{random:016x}")).clone()
}

fn no_repository(root: &Path) -> Error {
    chains::unrecorded(
        format!("{} has a policy and is in no git repository that git can read", root.display()).into(),
        &["the audit trail is kept in the repository: `git init`, or take the folder `.leaflock` away"],
    )
}

/// The entry of something granted.
fn entry(site: &Site, intent: &Intent, file: Option<String>, digest: Option<String>) -> Entry {
    let mut entry = fill(site.writer.blank(intent.action), intent);
    entry.file = file;
    entry.file_digest = digest;
    entry.outcome = Outcome::Granted;
    entry
}

fn fill(mut entry: Entry, intent: &Intent) -> Entry {
    entry.secret_path = paths::shortened(&intent.secrets, &Vec::new);
    entry.reason.clone_from(&intent.reason);
    entry.target.clone_from(&intent.target);
    entry.isolation = intent.isolation;
    if let Some(agent) = &intent.on_behalf
        && entry.agent_id.as_ref() != Some(agent)
    {
        entry.agent_id = Some(agent.clone());
        entry.actor.asserted = true;
    }
    entry
}

fn write_denial(
    deps: &Deps<'_>,
    writer: &Writer,
    intent: &Intent,
    file: Option<String>,
    code: DenyCode,
) -> Result<(), Error> {
    let mut entry = fill(writer.blank(intent.action), intent);
    entry.file = file;
    entry.outcome = Outcome::Denied;
    entry.deny_code = Some(code);
    chains::write(deps, writer, vec![entry])
}

/// What tells one refusal of a call from another.
fn name_of(error: &Error) -> (Option<PathBuf>, String) {
    (error.place().path, error.to_string())
}

/// A refusal that was written down, or what kept it from that: the user is told.
fn told(deps: &Deps<'_>, mut error: Error, written: Result<(), Error>) -> Error {
    lock(deps).told.insert(name_of(&error));
    if let Error::Integrity { hints, .. } | Error::Denied { hints, .. } = &mut error
        && let Err(unwritten) = written
    {
        hints.push(format!("this refusal is not in the audit trail: {unwritten}"));
    }
    error
}

/// Refuses an agent what it may not be shown. What it may use on somebody's behalf is
/// decided where that is asked for.
fn demand_levels(
    deps: &Deps<'_>,
    site: &Site,
    intent: &Intent,
    file: Option<&str>,
    opening: &Opening<'_>,
) -> Result<(), Error> {
    let Some(agent) = site.agent().filter(|_| intent.on_behalf.is_none()) else { return Ok(()) };
    let Authority { policy, manifest, .. } = &*site.authority;
    // Standard input has no name; a file that was signed for is known by its bytes.
    let listed = || manifest.as_ref()?.holder(opening.bytes);
    let Some(file) = file.or_else(listed) else { return Ok(()) };
    let subject = (agent, source_of(policy, file));
    let shown = showing::check(&site.authority, subject, &(opening.leaves)(), intent, opening.is_for_people);
    let Err(error) = shown else { return Ok(()) };
    let Error::Denied { code, .. } = &error else { return Err(error) };
    let written = write_denial(deps, &site.writer, intent, Some(file.to_owned()), *code);
    Err(told(deps, error, written))
}

/// Refuses where the policy asks for a reason and none was given.
fn demand_reason(
    deps: &Deps<'_>,
    site: &Site,
    intent: &Intent,
    file: Option<&str>,
    opening: &Opening<'_>,
) -> Result<(), Error> {
    if !may_need_reason(site, intent, file) || !needs_reason(site, intent, file, opening) {
        return Ok(());
    }
    let of = match file {
        Some(file) if !site.authority.policy.require_reason => format!(" for secrets of {file}"),
        _ => String::new(),
    };
    let error = Error::Denied {
        code: DenyCode::NoReason,
        message: format!("the policy asks for a reason{of}"),
        hints: vec![
            "--reason TEXT, or LEAFLOCK_REASON, says why; it is written into the audit trail".to_owned(),
        ],
    };
    let written = write_denial(deps, &site.writer, intent, file.map(str::to_owned), DenyCode::NoReason);
    Err(told(deps, error, written))
}

/// Whether the policy may ask for a reason, as far as its leaves need not be known.
fn may_need_reason(site: &Site, intent: &Intent, file: Option<&str>) -> bool {
    let policy = &site.authority.policy;
    // Whoever brings the files of agents up to date sees no value.
    if intent.reason.is_some() || intent.action == Action::Sync {
        return false;
    }
    let (Some(file), Some(agent)) = (file, agent(site, intent)) else { return policy.require_reason };
    let source = source_of(policy, file);
    let is_of_source =
        |rule: &Allow| rule.files.is_empty() || rule.files.iter().any(|file| file.matches(source));
    let mut with_reason = policy.allows.iter().filter(|rule| rule.reason);
    policy.require_reason || with_reason.any(|rule| rule.agents.covers(agent) && is_of_source(rule))
}

fn needs_reason(site: &Site, intent: &Intent, file: Option<&str>, opening: &Opening<'_>) -> bool {
    let Authority { policy, revocations, .. } = &*site.authority;
    let (Some(file), Some(agent)) = (file, agent(site, intent)) else { return policy.require_reason };
    let source = source_of(policy, file);
    // Programs for agents get the secrets that are named, and no other of the file.
    let is_all = intent.on_behalf.is_none() || intent.secrets.is_empty();
    let named: BTreeSet<&str> = intent.secrets.iter().map(String::as_str).collect();
    let is_meant = |path: &&Vec<String>| is_all || named.contains(show_path(path).as_str());
    let scope = policy.scope(revocations, agent, source);
    policy.require_reason
        || (opening.leaves)().iter().filter(is_meant).any(|path| scope.decide(path).needs_reason)
}

/// The principal that something is done for.
fn agent<'s>(site: &'s Site, intent: &'s Intent) -> Option<&'s str> {
    intent.on_behalf.as_deref().or(site.writer.agent.as_deref())
}

/// The source that a file is made from: itself, but for those made for principals.
fn source_of<'f>(policy: &Policy, file: &'f str) -> &'f str {
    policy.principals.keys().find_map(|name| place::made_for(file, name)).unwrap_or(file)
}
