//! What somebody could ever read: every secret of every version, in git's history,
//! of a file that was encrypted for a key of his, and whether it changed since.
//! Values are compared here and shown nowhere.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Deps;
use super::config;
use super::error::{Error, Place};
use super::names;
use super::open::{self, Locked};
use super::parallel;
use super::ports::FileKind;
use super::repository::{Commit, Version};
use super::request::{FileOptions, OpenOptions};
use crate::domain::agent::audit::entry::Action;
use crate::domain::agent::place;
use crate::domain::config::Config;
use crate::domain::crypto::token::{self, Token};
use crate::domain::document::walk::IndexPaths;
use crate::domain::keys::SealedKey;
use crate::domain::keys::names::Names;
use crate::domain::metadata::Metadata;
use crate::domain::scalar::Scalar;
use crate::domain::secret::SecretBytes;
use crate::domain::store::Format;
use crate::domain::tree::{Flags, Kind, NodeId, Tree};
use crate::domain::value::Value;

/// Whose reading is asked about, and where.
#[derive(Clone, Debug)]
pub struct Question {
    /// A key, or a name.
    pub wanted: String,
    /// These keys as well.
    pub keys: Vec<String>,
    /// The folder of the repository that is looked at.
    pub root: PathBuf,
    /// Only files at or below these, absolute; empty for all.
    pub paths: Vec<PathBuf>,
    /// Whether files count as they are now, committed or not.
    pub with_files: bool,
    /// Config.
    pub file: FileOptions,
    /// Keys.
    pub open: OpenOptions,
}

/// What became of a secret since it could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is what it was.
    Unchanged,
    /// It has another value.
    Changed,
    /// It is in no file any more.
    Removed,
    /// Nobody here can compare.
    Unknown,
}

/// One secret that could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    /// The file.
    pub path: PathBuf,
    /// Its key path: `["database"]["password"]`.
    pub key: String,
    /// The first commit in which it could be read; `None` if it never was committed.
    pub first: Option<Commit>,
    /// The last one.
    pub last: Option<Commit>,
    /// What became of it.
    pub state: State,
    /// False where it took the keys of others too (Shamir groups).
    pub alone: bool,
}

/// The answer.
#[derive(Debug, Default)]
pub struct Exposure {
    /// The secrets, by file and key path.
    pub secrets: Vec<Secret>,
    /// The keys that were meant, as files spell them.
    pub keys: Vec<String>,
    /// Their names.
    pub names: Names,
    /// Whether there is a history at all.
    pub has_history: bool,
}

/// A state of a file that could be read.
struct Readable<'b> {
    path: &'b Path,
    commit: Option<&'b Commit>,
    bytes: &'b SecretBytes,
    alone: bool,
}

/// The leaves of a state of a file, with their values where they could be opened.
type Leaves = Vec<(String, Option<SecretBytes>)>;

/// Finds out what could be read.
pub fn of(deps: &Deps<'_>, question: &Question) -> Result<Exposure, Error> {
    let history = deps.repository.history(&question.root).map_err(Error::Read)?;
    let has_history = history.is_some();
    let mut versions = history.unwrap_or_default();
    let (mut names, _) = names::of(deps, &question.root.join(config::NAME), &question.file);
    let blobs = contents(deps, question, &versions, &mut names)?;
    let is_asked =
        |path: &Path| question.paths.is_empty() || question.paths.iter().any(|asked| path.starts_with(asked));
    versions.retain(|version| is_asked(&version.path));
    let paths: HashSet<&Path> = versions.iter().map(|version| version.path.as_path()).collect();
    let mut now = HashMap::new();
    for path in paths.iter().copied().chain(question.paths.iter().map(PathBuf::as_path)) {
        for path in [Some(path.to_owned()), subject(deps, question, path)].into_iter().flatten() {
            if !now.contains_key(&path)
                && let Ok(contents) = deps.files.read(&path)
            {
                now.insert(path, contents.bytes);
            }
        }
    }
    let meant = |key: &str| names.means(&question.wanted, key) || question.keys.iter().any(|own| own == key);
    let mut keys = Vec::new();
    let mut readable = Vec::new();
    let committed = versions.iter().filter_map(|version| {
        Some((version.path.as_path(), Some(&version.commit), blobs.get(&version.blob)?))
    });
    let files = now.iter().filter(|_| question.with_files).map(|(path, bytes)| (path.as_path(), None, bytes));
    for (path, commit, bytes) in committed.chain(files) {
        let Some(metadata) = metadata_of(path, bytes) else { continue };
        let mut held = 0;
        for group in &metadata.groups {
            let own = group.iter().map(|key| key.name().into_owned()).filter(|key| meant(key));
            let before = keys.len();
            keys.extend(own);
            held += usize::from(keys.len() > before);
        }
        if held > 0 {
            let needed = if metadata.groups.len() > 1 {
                metadata.shamir_threshold.unwrap_or(metadata.groups.len())
            } else {
                1
            };
            readable.push(Readable { path, commit, bytes, alone: held >= needed });
        }
    }
    keys.sort();
    keys.dedup();
    let secrets = compare(deps, question, &readable, &now);
    Ok(Exposure { secrets, keys, names, has_history })
}

/// The contents of all versions that are encrypted files; names of keys are read
/// on the way, because a config of today may not know who left.
fn contents(
    deps: &Deps<'_>,
    question: &Question,
    versions: &[Version],
    names: &mut Names,
) -> Result<HashMap<String, SecretBytes>, Error> {
    let wanted = versions.iter().map(|version| version.blob.clone()).collect();
    let ending = |version: &&Version, name: &str| version.path.ends_with(name);
    let of_names = |name| -> HashSet<&str> {
        versions.iter().filter(|it| ending(it, name)).map(|it| it.blob.as_str()).collect()
    };
    let (configs, books) = (of_names(config::NAME), of_names(names::PLACE));
    let mut kept = HashMap::new();
    let mut take = |blob: &str, bytes: SecretBytes| {
        if configs.contains(blob) {
            if let Ok(config) = Config::parse(&bytes) {
                config.names(names);
            }
        } else if books.contains(blob) {
            names.add_lines(&String::from_utf8_lossy(&bytes));
        } else if token::occurs_in(&bytes) {
            kept.insert(blob.to_owned(), bytes);
        }
    };
    deps.repository.each_content(&question.root, wanted, &mut take).map_err(Error::Read)?;
    Ok(kept)
}

/// Where a secret of `path` is changed: the file itself, of a derived file its source.
/// `None` if that source is gone.
fn subject(deps: &Deps<'_>, question: &Question, path: &Path) -> Option<PathBuf> {
    let name = path.to_string_lossy().replace('\\', "/");
    let Some((root, rest)) = name.split_once(&format!("/{}", place::DERIVED)) else {
        return Some(path.to_owned());
    };
    let own = rest.strip_prefix(&question.wanted).and_then(|rest| rest.strip_prefix('/'));
    // Whose file it is need not be who is asked about: recovery recipients open all of them.
    let others = rest.match_indices('/').map(|(at, _)| &rest[at + 1..]);
    let mut sources = own.into_iter().chain(others).map(|name| Path::new(root).join(name));
    sources.find(|source| deps.files.kind(source).is_ok_and(|kind| kind == Some(FileKind::Regular)))
}

fn format_of(path: &Path) -> Format {
    Format::of_path(&path.to_string_lossy())
}

fn metadata_of(path: &Path, bytes: &[u8]) -> Option<Metadata> {
    if !token::occurs_in(bytes) {
        return None;
    }
    Locked::parse(bytes, format_of(path), &Place::file(path)).ok().map(|locked| locked.metadata)
}

/// Opens every state once, and compares each secret with what it is now.
fn compare(
    deps: &Deps<'_>,
    question: &Question,
    readable: &[Readable<'_>],
    now: &HashMap<PathBuf, SecretBytes>,
) -> Vec<Secret> {
    let groups: Vec<Vec<SealedKey>> = readable
        .iter()
        .map(|state| (state.path, state.bytes))
        .chain(now.iter().map(|(path, bytes)| (path.as_path(), bytes)))
        .filter_map(|(path, bytes)| metadata_of(path, bytes))
        .flat_map(|metadata| open::sealed_groups(&metadata))
        .collect();
    let mut keys = question.open.clone();
    keys.ignore_mac = true;
    keys.together.groups = Arc::from(groups);
    let files: Vec<&Path> = {
        let mut files: Vec<&Path> = readable.iter().map(|state| state.path).collect();
        files.sort();
        files.dedup();
        files
    };
    let todays = parallel::map(&files, false, |path| {
        let subject = subject(deps, question, path)?;
        Some(Today::of(deps, &subject, now.get(&subject)?, &keys))
    });
    let today: HashMap<&Path, Option<Today>> = files.iter().copied().zip(todays).collect();
    let opened = parallel::map(readable, false, |state| leaves(deps, state.path, state.bytes, &keys, true));
    let mut secrets: BTreeMap<(&Path, String), Secret> = BTreeMap::new();
    for (state, leaves) in readable.iter().zip(opened) {
        for (key, value) in leaves {
            let today = today.get(state.path).and_then(Option::as_ref);
            let found = today.map_or(State::Removed, |today| today.became(&key, value.as_ref()));
            let commit = state.commit.cloned();
            let secret = secrets.entry((state.path, key.clone())).or_insert_with(|| Secret {
                path: state.path.to_owned(),
                key,
                first: commit.clone(),
                last: commit.clone(),
                state: found,
                alone: false,
            });
            secret.last = commit.or(secret.last.take());
            secret.alone |= state.alone;
            secret.state = worse(secret.state, found);
        }
    }
    secrets.into_values().collect()
}

/// The state that asks for more.
fn worse(one: State, other: State) -> State {
    let rank = |state| match state {
        State::Unchanged => 3,
        State::Unknown => 2,
        State::Changed => 1,
        State::Removed => 0,
    };
    if rank(other) > rank(one) { other } else { one }
}

/// A file as it is now. One that is not encrypted any more has what it shows.
struct Today {
    /// Its values; `None` if it does not open here.
    values: Option<HashMap<String, SecretBytes>>,
    /// In derived files aliases are written out, so that values have other paths there.
    has_alias: bool,
}

impl Today {
    fn of(deps: &Deps<'_>, path: &Path, bytes: &SecretBytes, keys: &OpenOptions) -> Self {
        let leaves = leaves(deps, path, bytes, keys, false);
        let parsed = Locked::parse(bytes, format_of(path), &Place::file(path));
        Self {
            values: leaves.into_iter().map(|(key, value)| Some((key, value?))).collect(),
            has_alias: parsed.is_ok_and(|it| it.tree.nodes.iter().any(|node| node.kind == Kind::Alias)),
        }
    }

    /// What became of a value.
    fn became(&self, key: &str, value: Option<&SecretBytes>) -> State {
        let Some(values) = &self.values else { return State::Unknown };
        match (values.get(key), value) {
            (Some(now), Some(then)) if now == then => State::Unchanged,
            (Some(_), Some(_)) => State::Changed,
            (None, Some(then)) if self.has_alias && values.values().any(|now| now == then) => {
                State::Unchanged
            }
            (None, Some(_)) => State::Removed,
            (None, None) if !self.has_alias => State::Removed,
            (_, None) => State::Unknown,
        }
    }
}

/// The leaves of a state of a file; with `secrets`, only encrypted ones.
fn leaves(deps: &Deps<'_>, path: &Path, bytes: &[u8], keys: &OpenOptions, secrets: bool) -> Leaves {
    let place = Place::file(path);
    let Ok(locked) = Locked::parse(bytes, format_of(path), &place) else {
        return if secrets { Vec::new() } else { plain_leaves(path, bytes) };
    };
    let mut paths = IndexPaths::new(&locked.tree);
    let ids: Vec<(NodeId, String, bool)> = leaf_ids(&locked.tree)
        .map(|id| {
            let text = locked.tree.text(locked.tree.node(id).text);
            (id, paths.of(id), Token::parse(text).is_some())
        })
        .filter(|(_, _, encrypted)| *encrypted || !secrets)
        .collect();
    let clear = |id: NodeId| canonical(&locked.store.scalar(&locked.tree, id));
    let clear: Vec<Option<SecretBytes>> =
        ids.iter().map(|(id, _, encrypted)| (!encrypted).then(|| clear(*id))).collect();
    // What a key could read it could read with and without a seal.
    let keys = OpenOptions { ignore_seal: true, only_looks: true, ..keys.to(Action::Exposure) };
    let Ok(unlocked) = locked.unlock(deps, &keys) else {
        return ids.into_iter().zip(clear).map(|((_, key, _), value)| (key, value)).collect();
    };
    let file = unlocked.file();
    let value = |id: NodeId| match file.value_of(id) {
        Ok(Value::Scalar(scalar)) => Some(canonical(&scalar)),
        _ => None,
    };
    ids.into_iter()
        .zip(clear)
        .map(|((id, key, encrypted), clear)| (key, if encrypted { value(id) } else { clear }))
        .collect()
}

/// The leaves of a file that is no encrypted one.
fn plain_leaves(path: &Path, bytes: &[u8]) -> Leaves {
    let store = format_of(path).store();
    let Ok(tree) = store.read(bytes, crate::domain::store::Purpose::AsIs) else { return Vec::new() };
    let mut paths = IndexPaths::new(&tree);
    leaf_ids(&tree).map(|id| (paths.of(id), Some(canonical(&store.scalar(&tree, id))))).collect()
}

fn leaf_ids<'t>(tree: &'t Tree<'_>) -> impl Iterator<Item = NodeId> + 't {
    (0..tree.nodes.len() as NodeId).filter(|id| {
        let node = tree.node(*id);
        node.kind == Kind::Scalar && !node.flags.has(Flags::METADATA)
    })
}

fn canonical(scalar: &Scalar<'_>) -> SecretBytes {
    let mut text = SecretBytes::new(Vec::with_capacity(match scalar {
        Scalar::Str(text) => text.len(),
        _ => 64,
    }));
    scalar.write_canonical(text.as_mut_vec());
    text
}
