//! Writing: entries at the end of a writer's chain in git's common directory, synced,
//! then in the work tree as segments.
//!
//! A line that a crash left without its end is taken out, and an entry `recover` says
//! so: as the line was not synced, nothing was opened for it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::log::Ends;
use super::state::{Span, State};
use crate::app::Deps;
use crate::app::agent::own_files;
use crate::app::error::{Cause, Error};
use crate::app::ports::{Durability, FileError, FileKind};
use crate::app::repository::Snapshot;
use crate::app::signers::SignerError;
use crate::domain::agent::audit::chain::{Owner, Reader};
use crate::domain::agent::audit::entry::{self, Action, Actor, Entry, Genesis, Head, LONGEST_LINE, Outcome};
use crate::domain::agent::audit::segments::{self, SegmentName};
use crate::domain::agent::policy::{Policy, Principal};
use crate::domain::agent::public_key::PublicKey;
use crate::domain::agent::sshsig;
use crate::domain::digest;
use crate::domain::scalar::LARGEST_EXACT;

/// The folder of chains, in git's common directory.
pub const FOLDER: &str = "leaflock/audit";

/// Who writes, where.
#[derive(Clone, Debug)]
pub struct Writer {
    /// The folder of the policy, absolute.
    pub root: PathBuf,
    /// The folder of chains, absolute.
    pub chains: PathBuf,
    /// The id of the policy, if it could be read and has one.
    pub repo: Option<String>,
    /// The digest of the policy.
    pub policy: Option<String>,
    /// The key that signs.
    pub key: PublicKey,
    /// Whose it is.
    pub actor: Actor,
    /// The principal, as far as the policy could tell.
    pub agent: Option<String>,
    /// The call.
    pub session: String,
    /// The fingerprints of the keys that the policy gives to somebody.
    pub listed: BTreeSet<String>,
}

impl Writer {
    /// An entry of this writer with nothing in it.
    pub fn blank(&self, action: Action) -> Entry {
        Entry {
            seq: 0,
            timestamp: String::new(),
            repo: self.repo.clone(),
            writer: String::new(),
            agent_id: self.agent.clone(),
            actor: self.actor.clone(),
            action,
            access: action.access(),
            secret_path: Vec::new(),
            file: None,
            file_digest: None,
            policy: self.policy.clone(),
            reason: None,
            target: None,
            isolation: 0,
            outcome: Outcome::Ok,
            deny_code: None,
            session: self.session.clone(),
            genesis: None,
            witness: BTreeMap::new(),
            prev: None,
        }
    }
}

/// Writes entries to the chain and to the work tree. When this returns, those of the
/// chain outlast a loss of power. What the work tree loses by one, the next call that
/// writes brings back from the chain.
pub fn write(deps: &Deps<'_>, writer: &Writer, entries: Vec<Entry>) -> Result<(), Error> {
    let _held = deps.audit_log.lock(&writer.chains).map_err(unwritable)?;
    deps.audit_log.sweep(&writer.chains);
    let found = find(deps, writer)?;
    let is_new = found.is_none();
    let (id, ends) =
        found.unwrap_or_else(|| (segments::writer_id(deps.random.rng().next_u64()), Ends::default()));
    let path = chain_path(&writer.chains, &id);
    let mut head = if is_new { None } else { Some(head_of(&ends, &path)?) };
    let repo = if is_new { writer.repo.clone() } else { repo_of(&ends) };
    let mut state = read_state(deps, &writer.chains, &id);
    let mut all = Vec::with_capacity(entries.len() + 2);
    if is_new {
        let mut genesis = writer.blank(Action::Genesis);
        let mut nonce = [0; 16];
        deps.random.rng().fill_bytes(&mut nonce);
        genesis.genesis = Some(Genesis { key: writer.key.to_string(), nonce: digest::to_hex(&nonce) });
        all.push(genesis);
    }
    if ends.torn > 0 {
        deps.audit_log.cut_torn(&path).map_err(unwritable)?;
        all.push(writer.blank(Action::Recover));
    }
    all.extend(entries);
    if let Some(first) = all.first_mut() {
        first.witness = witness(deps, writer, &id, &mut state);
    }
    let before = head.as_ref().map_or(0, |head| head.seq);
    let mut lines = Vec::new();
    for mut entry in all {
        entry.seq = head.as_ref().map_or(0, |head| head.seq) + 1;
        if entry.seq > LARGEST_EXACT {
            return Err(unrecorded(
                format!("{} has no number left for an entry", path.display()).into(),
                &[REWRITTEN],
            ));
        }
        entry.prev = head.map(|head| head.digest);
        entry.timestamp = deps.clock.now_exact();
        entry.writer.clone_from(&id);
        entry.repo.clone_from(&repo);
        let line = signed(deps, &entry)?;
        head = Some(Head { seq: entry.seq, digest: digest::of(line.as_bytes()) });
        lines.extend_from_slice(line.as_bytes());
        lines.push(b'\n');
    }
    deps.audit_log.append(&path, &lines).map_err(unwritable)?;
    let last = head.map_or(0, |head| head.seq);
    publish(deps, writer, &id, &New { before, last, lines: &lines }, &mut state)?;
    write_state(deps, writer, &id, &state)
}

/// The path of a chain.
pub fn chain_path(chains: &Path, writer: &str) -> PathBuf {
    chains.join(format!("{writer}.jsonl"))
}

fn state_path(chains: &Path, writer: &str) -> PathBuf {
    chains.join(format!("{writer}.state.json"))
}

/// What the clone remembers of a writer.
pub fn read_state(deps: &Deps<'_>, chains: &Path, id: &str) -> State {
    let contents = deps.files.read_if_there(&state_path(chains, id)).ok().flatten();
    contents.map(|contents| State::parse(&contents.bytes)).unwrap_or_default()
}

fn write_state(deps: &Deps<'_>, writer: &Writer, id: &str, state: &State) -> Result<(), Error> {
    let path = state_path(&writer.chains, id);
    deps.files.write(&path, &state.to_json(), Durability::Process).map_err(unwritable)
}

/// The chain of this key in this repository. Where the policy cannot be read, the
/// repository is not known, and any chain of the key will do.
fn find(deps: &Deps<'_>, writer: &Writer) -> Result<Option<(String, Ends)>, Error> {
    let key = writer.key.to_string();
    for (name, _) in deps.audit_log.list(&writer.chains).map_err(unwritable)? {
        let Some(id) = name.strip_suffix(".jsonl").filter(|id| segments::is_writer_id(id)) else { continue };
        let Some(ends) = deps.audit_log.ends(&writer.chains.join(&name)).map_err(unwritable)? else {
            continue;
        };
        let Some((first, _)) = Entry::parse(&ends.first) else { continue };
        let same_repo = first.repo == writer.repo || writer.policy.is_none();
        if same_repo && first.genesis.is_some_and(|genesis| genesis.key == key) {
            return Ok(Some((id.to_owned(), ends)));
        }
    }
    Ok(None)
}

/// The repository that a chain is bound to.
fn repo_of(ends: &Ends) -> Option<String> {
    Entry::parse(&ends.first).and_then(|(first, _)| first.repo)
}

fn head_of(ends: &Ends, path: &Path) -> Result<Head, Error> {
    match Entry::parse(&ends.last) {
        Some((last, _)) => Ok(Head { seq: last.seq, digest: digest::of(&ends.last) }),
        None => Err(unrecorded(
            format!("the last entry of {} cannot be read", path.display()).into(),
            &[REWRITTEN],
        )),
    }
}

const REWRITTEN: &str =
    "`leaflock audit verify` says what was done to it; once it is moved away, a new writer begins";

/// The line of an entry.
fn signed(deps: &Deps<'_>, entry: &Entry) -> Result<String, Error> {
    let message = entry.message();
    let armour = deps
        .signers
        .sign(None, message.as_bytes(), entry::NAMESPACE)
        .map_err(|error| unsigned(&error))?
        .ok_or_else(no_key)?;
    let signature = sshsig::to_line(&armour)
        .ok_or_else(|| unrecorded("there came no signature for the entry".into(), &[]))?;
    let line = entry::signed_line(&message, &signature);
    if line.len() > LONGEST_LINE {
        let cause = format!(
            "the entry for {} would take {} bytes, and the longest has {LONGEST_LINE}",
            entry.file.as_deref().unwrap_or("this call"),
            line.len()
        );
        return Err(unrecorded(cause.into(), &["shorten what it names: the file, the program"]));
    }
    Ok(line)
}

/// What was added to a chain.
struct New<'n> {
    /// The number of the last entry before it.
    before: u64,
    /// The number of its last entry.
    last: u64,
    /// The lines.
    lines: &'n [u8],
}

/// Brings the work tree up to the end of the chain: see [`segments`].
fn publish(
    deps: &Deps<'_>,
    writer: &Writer,
    id: &str,
    new: &New<'_>,
    state: &mut State,
) -> Result<(), Error> {
    // Behind links nothing is written: the chain has the refusal of them, and the work tree
    // gets it once they are gone.
    if own_files::refuse_links(deps, &writer.root).is_err() {
        return Ok(());
    }
    let last = new.last;
    let folder = writer.root.join(segments::FOLDER).join(id);
    deps.audit_log.sweep(&folder);
    let root = writer.root.to_string_lossy().into_owned();
    let remembered = state.trees.remove(&root).unwrap_or_default();
    let mut spans: BTreeMap<String, Span> = BTreeMap::new();
    for (name, size) in deps.audit_log.list(&folder).map_err(unwritable)? {
        if SegmentName::parse(&name).is_none() {
            continue;
        }
        let span = match remembered.get(&name).filter(|span| span.size == size) {
            Some(span) => Some(*span),
            None => read_span(deps, writer, id, &folder.join(&name), size)?,
        };
        spans.extend(span.map(|span| (name, span)));
    }
    let held = segments::held(&spans.values().map(|span| (span.first, span.last)).collect::<Vec<_>>());
    if let Some((name, span)) = spans.iter().find(|(_, span)| span.last > last) {
        return Err(behind(&folder.join(name), span.last, &chain_path(&writer.chains, id), last));
    }
    if held < last {
        let added = match held == new.before {
            true => new.lines.to_vec(),
            false => lines_from(deps, &chain_path(&writer.chains, id), held)?,
        };
        let growing = spans.iter().filter(|(_, span)| span.last == held && span.size < segments::FULL as u64);
        let growing = growing.max_by_key(|(_, span)| span.first).map(|(name, span)| (name.clone(), *span));
        let growing = match growing {
            Some((name, span)) if held > 0 && !is_in_index(deps, &folder.join(&name))? => Some((name, span)),
            _ => None,
        };
        let (name, span) = match growing {
            Some((name, span)) => {
                let path = folder.join(&name);
                let old = deps.files.read(&path).map_err(unwritable)?;
                let bytes = [&old.bytes[..], &added].concat();
                deps.files
                    .replace(&path, &bytes, old.fingerprint, Durability::Process)
                    .map_err(unwritable)?;
                (name, Span { last, size: bytes.len() as u64, ..span })
            }
            None => {
                let name = SegmentName::new(held + 1, deps.random.rng().next_u32()).to_string();
                deps.files.create(&folder.join(&name), &added, false).map_err(unwritable)?;
                (name, Span { first: held + 1, last, size: added.len() as u64 })
            }
        };
        spans.insert(name, span);
    }
    state.trees.insert(root, spans);
    Ok(())
}

/// Which entries a segment holds, by its first and last line. Only what the writer signed
/// counts: anybody can put a file there.
fn read_span(
    deps: &Deps<'_>,
    writer: &Writer,
    id: &str,
    path: &Path,
    size: u64,
) -> Result<Option<Span>, Error> {
    if deps.files.kind(path).map_err(unwritable)? != Some(FileKind::Regular) {
        return Ok(None);
    }
    let Some(ends) = deps.audit_log.ends(path).map_err(unwritable)? else { return Ok(None) };
    let owner = Owner { writer: id, repo: writer.repo.as_deref(), key: Some(writer.key.clone()) };
    let mut reader = Reader::default();
    let mut seq = |line| reader.read(line).of(&owner).map(|entry| entry.seq);
    let (Some(first), Some(last)) = (seq(&ends.first), seq(&ends.last)) else { return Ok(None) };
    let named = path.file_name().and_then(|name| SegmentName::parse(name.to_str()?));
    let is_whole = ends.torn == 0 && named.is_some_and(|name| name.first == first);
    Ok(is_whole.then_some(Span { first, last, size }))
}

/// That the work tree has entries which the chain has not, though nobody but this writer
/// can sign them: the chain is not what it was.
fn behind(segment: &Path, seq: u64, chain: &Path, last: u64) -> Error {
    let (segment, chain) = (segment.display(), chain.display());
    let advice = format!(
        "that chain was cut, or is an old copy: put {chain} back as it was; where nobody has it, move it away, and a \
         new writer begins"
    );
    unrecorded(
        format!("{segment} has entry {seq} of this writer, and its chain in this clone ends with {last}")
            .into(),
        &["`leaflock audit verify` says what is wrong", &advice],
    )
}

/// The lines of a chain behind entry `held`.
fn lines_from(deps: &Deps<'_>, chain: &Path, held: u64) -> Result<Vec<u8>, Error> {
    let contents = deps.files.read(chain).map_err(unwritable)?;
    let (lines, _) = segments::lines(&contents.bytes);
    let mut added = Vec::new();
    for line in lines.iter().skip(usize::try_from(held).unwrap_or(usize::MAX)) {
        added.extend_from_slice(line);
        added.push(b'\n');
    }
    Ok(added)
}

/// True if git tracks the file, or is about to.
fn is_in_index(deps: &Deps<'_>, path: &Path) -> Result<bool, Error> {
    let folder = path.parent().unwrap_or(path);
    let listed = deps.repository.listing(folder, &Snapshot::Index, &[path.to_owned()]).map_err(unwritable)?;
    Ok(listed.is_some_and(|entries| !entries.is_empty()))
}

/// An entry tells of so many other writers; the next ones tell of the others.
const MOST_WITNESSED: usize = 256;

/// The heads of other writers that the work tree shows and that were not told of yet.
fn witness(deps: &Deps<'_>, writer: &Writer, own: &str, state: &mut State) -> BTreeMap<String, Head> {
    let folder = writer.root.join(segments::FOLDER);
    let mut heads = BTreeMap::new();
    for (other, _) in deps.audit_log.list(&folder).unwrap_or_default() {
        if heads.len() == MOST_WITNESSED {
            break;
        }
        if other == own || !segments::is_writer_id(&other) {
            continue;
        }
        let files = deps.audit_log.list(&folder.join(&other)).unwrap_or_default();
        let mut names: Vec<_> = files.iter().filter_map(|(name, _)| SegmentName::parse(name)).collect();
        names.sort();
        let told = state.witnessed.get(&other).copied().unwrap_or_default();
        let mut newest = names.iter().rev().map(|name| folder.join(&other).join(name.to_string()));
        let Some(head) = newest.find_map(|path| signed_head(deps, writer, &other, &path)) else { continue };
        if told < head.seq {
            state.witnessed.insert(other.clone(), head.seq);
            heads.insert(other, head);
        }
    }
    heads
}

/// The last entry of another writer's segment, if a key signed it that the policy lists.
/// What is witnessed speaks against a writer when it is gone.
fn signed_head(deps: &Deps<'_>, writer: &Writer, other: &str, path: &Path) -> Option<Head> {
    let ends = deps.audit_log.ends(path).ok()??;
    let owner = Owner { writer: other, repo: writer.repo.as_deref(), key: None };
    let line = Reader::default().read(&ends.last);
    let entry = line.of(&owner).filter(|entry| writer.listed.contains(&entry.actor.key))?;
    Some(Head { seq: entry.seq, digest: line.digest.clone() })
}

/// The fingerprints of the keys that a policy gives to somebody.
pub fn listed(policy: &Policy) -> BTreeSet<String> {
    policy.principals.values().flat_map(Principal::fingerprints).collect()
}

/// That the log cannot be written.
pub fn unrecorded(cause: Cause, hints: &[&str]) -> Error {
    Error::Unrecorded { cause, hints: hints.iter().map(|hint| (*hint).to_owned()).collect() }
}

/// A file of the log that cannot be written, or read.
pub fn unwritable(error: FileError) -> Error {
    unrecorded(
        format!("the audit trail cannot be written: {error}").into(),
        &["where a policy is, nothing is opened that cannot be written down"],
    )
}

/// A key that does not sign.
pub fn unsigned(error: &SignerError) -> Error {
    let hints: Vec<&str> = error.hint().into_iter().collect();
    unrecorded(format!("the entry of the audit trail cannot be signed: {error}").into(), &hints)
}

/// No key to sign with.
pub fn no_key() -> Error {
    unrecorded(
        "no signing key is set, and entries of the audit trail are signed".into(),
        &[
            "LEAFLOCK_SIGNING_KEY, or git's user.signingKey with gpg.format ssh, names the file of an SSH key \
             that the policy lists",
        ],
    )
}
