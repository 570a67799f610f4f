//! The values that a program may get on behalf of a principal: those that the policy
//! grants it at level `exec` or `read`, out of files that are what the signed manifest
//! says. Of each source the first file counts that an identity here opens: the one that
//! was made for the principal, the one of its broker, the source itself.
//!
//! All is decided by what encrypted files show in clear, before any of them is opened.
//! What is refused goes into the audit trail.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Deps;
use super::absent::nothing_at;
use super::agent::authority::{self, Authority};
use super::agent::listed::name_of;
use super::agent::overtaken;
use super::agent::refusal::refused;
use super::agent::root;
use super::audit::record;
use super::error::{Error, Place, While};
use super::launch;
use super::open::{Locked, Unlocked};
use super::ports::FileKind;
use super::request::{Notice, OpenOptions};
use super::secret_values;
use crate::domain::agent::denial::DenyCode;
use crate::domain::agent::leaves;
use crate::domain::agent::manifest::derived_path;
use crate::domain::agent::pattern::{PathPattern, show_path};
use crate::domain::agent::policy::{self, Because, Decision, Level, Principal, Subject};
use crate::domain::agent::view::View;
use crate::domain::digest;
use crate::domain::document::values::plain_values;
use crate::domain::metadata::MasterKey;
use crate::domain::secret::SecretBytes;
use crate::domain::store::Format;
use crate::domain::store::flat_names::{self, Case};
use crate::domain::value::{Entry, Value};

/// What a key path is called.
type KeyPath = Vec<String>;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// The principal.
    pub agent: String,
    /// Sources; none is all.
    pub files: Vec<PathBuf>,
    /// What is wanted; none is all that is granted.
    pub paths: Vec<PathPattern>,
    /// Paths of which something must be granted, and be there.
    pub demanded: Vec<PathPattern>,
    /// The letters of names that keys become.
    pub case: Case,
    /// Keys, and what the audit trail says of it.
    pub open: OpenOptions,
}

/// A value, and what it is called.
#[derive(Debug)]
pub struct GrantedValue {
    /// Its source, from the folder of the policy.
    pub source: String,
    /// The keys that lead to it; the items of a list share theirs.
    pub path: KeyPath,
    /// The same as people write it.
    pub shown: String,
    /// The name of a variable that its keys and its place in lists make, if they do.
    pub name: Option<String>,
    /// The value as a variable holds it; still encrypted within a [`Plan`].
    pub value: SecretBytes,
}

/// What is granted, and which files have it. Nothing is opened yet.
#[derive(Debug)]
pub struct Plan {
    parts: Vec<Part>,
    options: OpenOptions,
    case: Case,
    /// What is granted and cannot be had here.
    pub notices: Vec<Notice>,
}

/// What is wanted of a source.
#[derive(Debug)]
struct Part {
    source: String,
    wanted: BTreeSet<KeyPath>,
    /// Files that have all of it, the first one first.
    files: Vec<Candidate>,
}

/// A file that has values of a source.
#[derive(Debug)]
struct Candidate {
    path: PathBuf,
    bytes: SecretBytes,
    /// Its documents with encrypted values.
    documents: Vec<Value>,
    /// Its leaves that are granted.
    granted: BTreeSet<KeyPath>,
    /// The others.
    withheld: BTreeSet<KeyPath>,
    /// Whether an identity here may open it.
    opens: bool,
    /// Whether it is the one that the manifest names.
    is_signed: bool,
}

/// Decides what is granted and finds the files that have it.
///
/// # Errors
/// [`Error::Denied`] for what is not granted, [`Error::Integrity`] for files that are not
/// what was signed, [`Error::NoIdentity`] where no identity here opens a file,
/// [`Error::NotFound`] for a principal, a source or a path that there is not.
pub fn plan(deps: &Deps<'_>, request: &Request) -> Result<Plan, Error> {
    let root = root::here(deps)?;
    let mut options = request.open.clone();
    options.ignore_mac = false;
    options.intent.on_behalf = Some(request.agent.clone());
    let refuse = |error| record::denied(deps, &options.intent, Some(&root.join(policy::PLACE)), error);
    let authority = authority::load(deps, &root).map_err(refuse)?;
    authority.current_manifest().map_err(refuse)?;
    let principal = principal(&authority, &request.agent)?;
    let is_itself = caller_may(deps, &authority, principal).map_err(refuse)?;
    options.intent.isolation = options.intent.isolation.max(u8::from(!is_itself));
    let desk = Desk { deps, authority: authority.clone(), principal, options };
    let mut sources = Vec::new();
    for source in desk.sources(&request.files)? {
        let candidates = desk.candidates(&source)?;
        sources.push((source, candidates));
    }
    desk.check_paths(&sources, &request.demanded)?;
    let mut plan =
        Plan { parts: Vec::new(), options: desk.options.clone(), case: request.case, notices: Vec::new() };
    for (source, candidates) in sources {
        let granted: BTreeSet<KeyPath> =
            candidates.iter().flat_map(|it| it.granted.iter().cloned()).collect();
        let is_meant = |path: &KeyPath| request.paths.is_empty() || covers(&request.paths, path);
        let wanted: BTreeSet<KeyPath> = granted.into_iter().filter(is_meant).collect();
        if wanted.is_empty() {
            continue;
        }
        desk.demand_reason(&source, &wanted)?;
        let (mut part, missing) = choose(source, wanted, candidates);
        if !part.files.is_empty() {
            part.files.retain(|file| file.is_signed);
            if part.files.is_empty() {
                return Err(desk.mismatch(&part.source, true));
            }
        }
        if !missing.is_empty() {
            let text = unopened(&request.agent, &part.source, &missing);
            let is_demanded = missing.iter().any(|path| covers(&request.demanded, path));
            if is_demanded || part.files.is_empty() {
                return Err(Error::NoIdentity { cause: text.into(), hints: vec![WHO.to_owned()] });
            }
            plan.notices.push(Notice::warning(text).with_hint(WHO));
        }
        plan.parts.push(part);
    }
    Ok(plan)
}

const WHO: &str = "the agent's own identity opens what was made for it; what it may not read, its broker starts \
                   programs with";

fn unopened(agent: &str, source: &str, missing: &BTreeSet<KeyPath>) -> String {
    let paths: Vec<String> = missing.iter().map(|path| show_path(path)).collect();
    format!("no identity here opens a file that has {} of {source} for {agent}", paths.join(", "))
}

fn covers(patterns: &[PathPattern], path: &[String]) -> bool {
    patterns.iter().any(|pattern| pattern.covers(path))
}

/// Keeps the files that an identity here may open and that have all that is wanted;
/// where none has, those with the most of it. Returns what they do not have as well.
fn choose(
    source: String,
    mut wanted: BTreeSet<KeyPath>,
    candidates: Vec<Candidate>,
) -> (Part, BTreeSet<KeyPath>) {
    let share = |file: &Candidate| file.granted.intersection(&wanted).cloned().collect::<BTreeSet<KeyPath>>();
    let opening = candidates.into_iter().filter(|file| file.opens);
    let held: Vec<(BTreeSet<KeyPath>, Candidate)> = opening.map(|file| (share(&file), file)).collect();
    let most = held.iter().map(|(share, _)| share.len()).max().unwrap_or_default();
    // The first of those with the most decides what is had.
    let had = held.iter().find(|(share, _)| share.len() == most).map(|(share, _)| share.clone());
    let had = had.unwrap_or_default();
    let missing: BTreeSet<KeyPath> = wanted.difference(&had).cloned().collect();
    wanted.retain(|path| had.contains(path));
    let files = held.into_iter().filter(|(share, _)| !had.is_empty() && *share == had);
    (Part { source, wanted, files: files.map(|(_, file)| file).collect() }, missing)
}

/// The principal of that name.
fn principal<'a>(authority: &'a Authority, name: &str) -> Result<&'a Principal, Error> {
    authority.policy.principals.get(name).ok_or_else(|| {
        let known: Vec<&str> = authority.policy.principals.keys().map(String::as_str).collect();
        Error::NotFound {
            place: Place::file(authority.root.join(policy::PLACE)),
            message: format!("the policy has no principal {name}"),
            hints: vec![format!("it has {}", known.join(", "))],
        }
    })
}

/// Whether the caller is the principal itself. People, builds and its broker may act for
/// it; another agent may not. Who cannot be told is told so when it is written down.
fn caller_may(deps: &Deps<'_>, authority: &Authority, principal: &Principal) -> Result<bool, Error> {
    let key = deps.signers.public_key(None).ok().flatten();
    let caller = key.and_then(|key| authority.policy.principal_of_key(&key.to_string()));
    let Some(caller) = caller else { return Ok(false) };
    let is_itself = caller.name == principal.name;
    if !is_itself && caller.is_agent() && principal.broker.as_ref() != Some(&caller.name) {
        return Err(Error::Denied {
            code: DenyCode::NotAllowed,
            message: format!("{} may not act for {}: it is another agent", caller.name, principal.name),
            hints: vec![format!("`leaflock run --agent {}` is its own", caller.name)],
        });
    }
    Ok(is_itself)
}

/// The policy in force, and for whom it is asked.
struct Desk<'d, 'p> {
    deps: &'d Deps<'d>,
    authority: Arc<Authority>,
    principal: &'p Principal,
    options: OpenOptions,
}

impl Desk<'_, '_> {
    fn decide(&self, source: &str, path: &[String]) -> Decision {
        let Authority { policy, revocations, .. } = &*self.authority;
        policy.decide(revocations, &Subject { agent: &self.principal.name, source, path })
    }

    fn grants(&self, source: &str, path: &[String]) -> bool {
        let levels = self.decide(source, path).levels;
        levels.has(Level::Exec) || levels.has(Level::Read)
    }

    /// Writes a refusal down.
    fn refuse(&self, file: &str, secrets: &[&KeyPath], error: Error) -> Error {
        let mut intent = self.options.intent.clone();
        intent.secrets = secrets.iter().map(|path| show_path(path)).collect();
        record::denied(self.deps, &intent, Some(&self.authority.root.join(file)), error)
    }

    /// The sources that `files` name, from the working folder or that of the policy.
    fn sources(&self, files: &[PathBuf]) -> Result<Vec<String>, Error> {
        let known = || self.authority.manifest.iter().flat_map(|manifest| manifest.sources.keys());
        if files.is_empty() {
            return Ok(known().cloned().collect());
        }
        let mut sources: Vec<String> = Vec::new();
        for file in files {
            let absolute = self.deps.files.absolute(file).map_err(Error::Read)?;
            let absolute = self.deps.files.real(&absolute).unwrap_or(absolute);
            let is_meant =
                |name: &&String| self.authority.root.join(name) == absolute || Path::new(name) == file;
            let meant = known().find(is_meant).ok_or_else(|| self.unknown(file, &absolute))?;
            if !sources.contains(meant) {
                sources.push(meant.clone());
            }
        }
        Ok(sources)
    }

    /// That a file is none of the sources that were signed for.
    fn unknown(&self, file: &Path, absolute: &Path) -> Error {
        let name = name_of(&self.authority.root, absolute);
        let is_there = self.deps.files.kind(absolute).is_ok_and(|kind| kind == Some(FileKind::Regular));
        let name = name.filter(|name| is_there && self.authority.policy.governs(name));
        let (message, hint) = match name {
            Some(name) => (
                format!("nobody has signed for {name} as a source of the policy"),
                format!("`leaflock agent sync --accept {name}`, run by somebody who may sign, takes it over"),
            ),
            None => (
                format!("{} is no source of the policy", file.display()),
                "`leaflock policy explain` lists the sources".to_owned(),
            ),
        };
        Error::NotFound { place: Place::default(), message, hints: vec![hint] }
    }

    /// The files that may have values of a source, verified.
    fn candidates(&self, source: &str) -> Result<Vec<Candidate>, Error> {
        let manifest = self.authority.current_manifest()?;
        let brokers = self.principal.broker.iter().map(String::as_str);
        let owners = std::iter::once(self.principal.name.as_str()).chain(brokers);
        let mut found = Vec::new();
        for name in owners.map(|owner| derived_path(owner, source)) {
            let signed = manifest.derived.get(&name).map(|derived| derived.sha256.as_str());
            found.extend(self.candidate(source, &name, signed)?);
        }
        let signed = manifest.sources.get(source).map(|source| source.sha256.as_str());
        found.extend(self.candidate(source, source, signed)?);
        Ok(found)
    }

    /// One such file; `None` if it is not there. A source may be in any state as long as
    /// it is not the file that is opened.
    fn candidate(&self, source: &str, name: &str, signed: Option<&str>) -> Result<Option<Candidate>, Error> {
        let path = self.authority.root.join(name);
        let Some(contents) = self.deps.files.read_if_there(&path).map_err(Error::Read)? else {
            return Ok(None);
        };
        let is_signed = signed == Some(digest::hex_of(&contents.bytes).as_str());
        let mismatch = || self.mismatch(name, signed.is_some());
        if !is_signed && name != source {
            return Err(mismatch());
        }
        let locked = match Locked::parse(&contents.bytes, Format::of_path(name), &Place::file(&path)) {
            Ok(locked) => locked,
            Err(error) if is_signed => return Err(error),
            Err(_) => return Err(mismatch()),
        };
        let documents = plain_values(locked.store, &locked.tree);
        let view = View::cut(&documents, &|path| self.grants(source, path));
        let granted: BTreeSet<KeyPath> =
            view.map(|view| view.paths).unwrap_or_default().into_iter().collect();
        let mut withheld: BTreeSet<KeyPath> = leaves::paths(&locked.tree).into_iter().collect();
        withheld.retain(|path| !granted.contains(path));
        let may_open = |key: &MasterKey| self.deps.keys.opener(key.kind, &key.name()).is_some();
        let opens = !granted.is_empty() && locked.metadata.keys().any(may_open);
        Ok(Some(Candidate { path, bytes: contents.bytes, documents, granted, withheld, opens, is_signed }))
    }

    /// That a file is not what was signed.
    fn mismatch(&self, name: &str, is_listed: bool) -> Error {
        let cause = match is_listed {
            true => "the file is not the one that the signed manifest names",
            false => "the signed manifest names no such file",
        };
        let hint = "find out who changed it; `leaflock agent sync`, run by somebody who may sign, makes the \
                    manifest anew";
        let path = self.authority.root.join(name);
        let mismatch = refused(&path, DenyCode::ManifestMismatch, cause, hint);
        match overtaken::confirm(self.deps, &self.authority, None, mismatch) {
            mismatch @ Error::Integrity { .. } => self.refuse(name, &[], mismatch),
            overtaken => overtaken,
        }
    }

    /// Refuses paths of which nothing is granted.
    fn check_paths(&self, sources: &[(String, Vec<Candidate>)], paths: &[PathPattern]) -> Result<(), Error> {
        let all = || sources.iter().flat_map(|(source, files)| files.iter().map(move |file| (source, file)));
        if paths.is_empty() && all().all(|(_, file)| file.granted.is_empty()) {
            let mut withheld =
                all().flat_map(|(source, file)| file.withheld.iter().map(move |path| (source, path)));
            let telling =
                |(source, path): &(&String, &KeyPath)| code_of(&self.decide(source, path)).1.is_some();
            let found = withheld.clone().find(telling).or_else(|| withheld.next());
            return Err(match found {
                Some((source, path)) => self.denied(source, path),
                None => self.refuse(policy::PLACE, &[], nothing(&self.principal.name)),
            });
        }
        for pattern in paths {
            if all().any(|(_, file)| file.granted.iter().any(|path| pattern.covers(path))) {
                continue;
            }
            let mut withheld =
                all().flat_map(|(source, file)| file.withheld.iter().map(move |path| (source, path)));
            if let Some((source, path)) = withheld.find(|(_, path)| pattern.covers(path)) {
                return Err(self.denied(source, path));
            }
            // The keys of sources are in the clear: what is in none of them is nowhere.
            let leaves = all().flat_map(|(_, file)| file.granted.iter().chain(&file.withheld));
            let path = pattern.literal().unwrap_or_default();
            return Err(nothing_at(format!("no source holds {}", pattern.as_str()), &path, leaves));
        }
        Ok(())
    }

    /// That a leaf is not granted, by the rule that decides.
    fn denied(&self, source: &str, path: &KeyPath) -> Error {
        let agent = &self.principal.name;
        let shown = show_path(path);
        let decision = self.decide(source, path);
        let (code, rule) = code_of(&decision);
        let why = match rule {
            Some(rule) => rule,
            None => "no rule allows it".to_owned(),
        };
        let error = Error::Denied {
            code,
            message: format!("{agent} may not use {shown} of {source} in a program: {why}"),
            hints: vec![format!(
                "`leaflock policy explain {agent} {shown}` tells what is allowed; administrators change it"
            )],
        };
        self.refuse(source, &[path], error)
    }

    /// Refuses to go on without a reason where a rule asks for one.
    fn demand_reason(&self, source: &str, wanted: &BTreeSet<KeyPath>) -> Result<(), Error> {
        if self.options.intent.reason.is_some() {
            return Ok(());
        }
        let Some(path) = wanted.iter().find(|path| self.decide(source, path).needs_reason) else {
            return Ok(());
        };
        let error = Error::Denied {
            code: DenyCode::NoReason,
            message: format!("the policy asks for a reason for {} of {source}", show_path(path)),
            hints: vec![
                "--reason TEXT, or LEAFLOCK_REASON, says why; it is written into the audit trail".to_owned(),
            ],
        };
        Err(self.refuse(source, &[path], error))
    }
}

/// Why a program may not get a leaf: the code, and the rule if there is one.
fn code_of(decision: &Decision) -> (DenyCode, Option<String>) {
    let because = [Level::Exec, Level::Read].map(|level| decision.because(level));
    because.into_iter().find(|because| because.rule().is_some()).unwrap_or(Because::NoRule).refusal()
}

fn nothing(agent: &str) -> Error {
    Error::Denied {
        code: DenyCode::NotAllowed,
        message: format!("nothing is here that {agent} may use in a program"),
        hints: vec![format!("`leaflock what-can {agent}` lists what it may have")],
    }
}

impl Plan {
    /// What there is to open, with values still encrypted.
    ///
    /// # Errors
    /// Values that are nested too deeply.
    pub fn preview(&self) -> Result<Vec<GrantedValue>, Error> {
        let mut values = Vec::new();
        for part in &self.parts {
            let Some(file) = part.files.first() else { continue };
            part.take(&file.documents, &file.path, self.case, &mut values)?;
        }
        Ok(values)
    }

    /// Opens the files, each after it is written down that it is.
    ///
    /// # Errors
    /// [`Error::Unrecorded`], [`Error::NoIdentity`], a MAC that does not hold.
    pub fn open(&mut self, deps: &Deps<'_>) -> Result<Vec<GrantedValue>, Error> {
        let mut values = Vec::new();
        for part in &self.parts {
            let mut options = self.options.clone();
            options.intent.secrets = part.wanted.iter().map(|path| show_path(path)).collect();
            let mut failed = None;
            let mut is_open = false;
            for file in &part.files {
                let format = Format::of_path(&file.path.to_string_lossy());
                let locked = Locked::parse(&file.bytes, format, &Place::file(&file.path))?;
                let unlocked: Unlocked<'_> = match locked.unlock(deps, &options) {
                    Ok(unlocked) => unlocked,
                    Err(error @ Error::DataKey { .. }) => {
                        failed = Some(error);
                        continue;
                    }
                    Err(error) => return Err(error),
                };
                let documents = launch::values(&unlocked, &options)?;
                self.notices.extend(unlocked.notices.iter().cloned());
                part.take(&documents, &file.path, self.case, &mut values)?;
                is_open = true;
                break;
            }
            if !is_open {
                let cause = failed.map(|error| error.to_string()).unwrap_or_default();
                return Err(Error::NoIdentity { cause: cause.into(), hints: vec![WHO.to_owned()] });
            }
        }
        Ok(values)
    }
}

impl Part {
    /// Takes what is wanted out of the documents of a file.
    fn take(
        &self,
        documents: &[Value],
        file: &Path,
        case: Case,
        values: &mut Vec<GrantedValue>,
    ) -> Result<(), Error> {
        let Some(view) = View::cut(documents, &|path| self.wanted.contains(path)) else { return Ok(()) };
        for document in &view.documents {
            let leaves = flat_names::leaves(document).map_err(|error| Error::Emit {
                place: Place::file(file),
                during: While::Decrypting,
                error,
            })?;
            let mut paths = Vec::with_capacity(leaves.len());
            key_paths(document, &mut Vec::new(), &mut paths);
            for (leaf, path) in leaves.iter().zip(paths) {
                let value = secret_values::text(leaf.scalar);
                let shown = show_path(&path);
                values.push(GrantedValue {
                    source: self.source.clone(),
                    path,
                    shown,
                    name: leaf.variable(case),
                    value,
                });
            }
        }
        Ok(())
    }
}

/// The keys that lead to each leaf, in the order of the document.
fn key_paths(value: &Value, path: &mut KeyPath, paths: &mut Vec<KeyPath>) {
    match value {
        Value::Scalar(_) => paths.push(path.clone()),
        Value::Comment(_) => {}
        Value::List(items) => items.iter().for_each(|item| key_paths(item, path, paths)),
        Value::Map(entries) => {
            for (key, value) in entries.iter().filter_map(Entry::pair) {
                path.push(key.to_owned());
                key_paths(value, path, paths);
                path.pop();
            }
        }
    }
}
