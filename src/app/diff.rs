//! What changed in encrypted files between two states of a repository: their text,
//! where an identity opens both sides, else what their ciphertext tells. Files that
//! are encrypted on neither side are left to `git diff`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Deps;
use super::error::{Error, Place};
use super::names;
use super::open;
use super::repository::{Change, Compared, Objects, State};
use super::request::{OpenOptions, Together};
use super::textconv::{self, Contents};
use crate::domain::agent::audit::entry::Action;
use crate::domain::diff::access;
use crate::domain::diff::ciphertext::{self, Changes, What};
use crate::domain::keys::names::Names;
use crate::domain::secret::SecretBytes;
use crate::domain::store::{Purpose, Store};
use crate::domain::tree::Tree;

/// What to compare.
#[derive(Clone, Debug)]
pub struct Request {
    /// States and files.
    pub compared: Compared,
    /// Only what the ciphertext tells.
    pub names: bool,
    /// Keys.
    pub open: OpenOptions,
}

/// What one side of a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// It is not there.
    Absent,
    /// It is not encrypted.
    Plain,
    /// It is.
    Encrypted,
    /// It has ciphertext, and does not read as an encrypted file.
    Unreadable,
}

/// The difference of one file.
#[derive(Debug)]
pub struct FileDiff {
    /// Its names in both states; the same unless it was renamed.
    pub names: [PathBuf; 2],
    /// What it is in both.
    pub sides: [Side; 2],
    /// Recipients and rules.
    pub access: access::Change,
    /// What the ciphertext tells, where that is to be shown.
    pub changes: Option<Changes>,
    /// Both texts, where they are to be shown.
    pub texts: Option<[SecretBytes; 2]>,
    /// What stood in the way of showing more, and what is wrong with a side.
    pub problems: Vec<String>,
    /// True for the conflict of an unfinished merge, of which there is no more to tell.
    pub unmerged: bool,
}

/// All differences.
#[derive(Debug)]
pub struct Outcome {
    /// The files.
    pub files: Vec<FileDiff>,
    /// The names of keys.
    pub key_names: Names,
}

/// A file with the bytes of both sides.
struct Loaded {
    change: Change,
    bytes: [Option<SecretBytes>; 2],
}

impl Loaded {
    fn name(&self, side: usize) -> &Path {
        let [own, other] = if side == 0 {
            [&self.change.old, &self.change.new]
        } else {
            [&self.change.new, &self.change.old]
        };
        own.as_ref().or(other.as_ref()).map_or(Path::new(""), |state| &state.name)
    }

    fn contents(&self, side: usize) -> Option<Contents<'_>> {
        self.bytes[side].as_ref().map(|bytes| Contents::of(bytes, self.name(side)))
    }
}

/// Compares.
pub fn run(deps: &Deps<'_>, request: &Request) -> Result<Outcome, Error> {
    let folder = deps.files.absolute(Path::new(".")).map_err(Error::Read)?;
    let refused = |cause: String, hint: &str| Error::Other {
        place: Place::default(),
        cause: cause.into(),
        hints: vec![hint.to_owned()],
    };
    let changes = deps.repository.changes(&folder, &request.compared).map_err(|error| {
        refused(error.reason, "name revisions first, then files behind `--`, as for `git diff`")
    })?;
    let nowhere =
        || refused("no git repository is here".to_owned(), "`leaflock decrypt` shows a file as it is");
    let changes = changes.ok_or_else(nowhere)?;
    let mut objects = deps.repository.objects(&folder).map_err(Error::Read)?.ok_or_else(nowhere)?;
    let mut loaded = Vec::with_capacity(changes.len());
    for change in changes {
        let bytes = [read(deps, &mut *objects, &change.old)?, read(deps, &mut *objects, &change.new)?];
        let loading = Loaded { change, bytes };
        if (0..2).any(|side| {
            matches!(loading.contents(side), Some(Contents::Encrypted(_) | Contents::Unreadable(_)))
        }) {
            loaded.push(loading);
        }
    }
    let open = OpenOptions { together: together(&loaded, request.names), ..request.open.to(Action::Diff) };
    let files = loaded.into_iter().map(|file| difference(deps, file, request.names, &open)).collect();
    Ok(Outcome { files, key_names: names::listed(deps, &folder.join("x")) })
}

/// The bytes of one side.
fn read(
    deps: &Deps<'_>,
    objects: &mut dyn Objects,
    state: &Option<State>,
) -> Result<Option<SecretBytes>, Error> {
    let Some(state) = state else { return Ok(None) };
    match &state.blob {
        Some(blob) => objects.read(OsStr::new(blob)).map_err(Error::Read),
        None => {
            Ok(deps.files.read_if_there(&state.path).map_err(Error::Read)?.map(|contents| contents.bytes))
        }
    }
}

/// The keys of all sides, so that whoever must be asked is asked once.
fn together(files: &[Loaded], names: bool) -> Together {
    let mut groups = Vec::new();
    for file in files.iter().filter(|_| !names) {
        for side in 0..2 {
            if let Some(Contents::Encrypted(locked)) = file.contents(side) {
                groups.extend(open::sealed_groups(&locked.metadata));
            }
        }
    }
    Together { groups: Arc::from(groups), ..Together::default() }
}

/// The difference of one file.
fn difference(deps: &Deps<'_>, file: Loaded, names: bool, keys: &OpenOptions) -> FileDiff {
    let contents = [file.contents(0), file.contents(1)];
    let metadata = |side: &Option<Contents<'_>>| match side {
        Some(Contents::Encrypted(locked)) => Some(locked.metadata.clone()),
        _ => None,
    };
    let access = access::Change::between(metadata(&contents[0]).as_ref(), metadata(&contents[1]).as_ref());
    let mut problems: Vec<String> = contents
        .iter()
        .flatten()
        .filter_map(|side| match side {
            Contents::Unreadable(why) => Some(why.clone()),
            _ => None,
        })
        .collect();
    let sides = [side(&contents[0]), side(&contents[1])];
    let mut texts = None;
    let mut changes = None;
    if !names && !file.change.unmerged && problems.is_empty() {
        texts = both_texts(deps, &file, keys, &mut problems);
    }
    if texts.is_none() {
        changes = told(&file, &contents, access.new_data_key);
    }
    let unmerged = file.change.unmerged;
    drop(contents);
    let names = [file.name(0).to_owned(), file.name(1).to_owned()];
    FileDiff { names, sides, access, changes, texts, problems, unmerged }
}

fn side(contents: &Option<Contents<'_>>) -> Side {
    match contents {
        None => Side::Absent,
        Some(Contents::Plain) => Side::Plain,
        Some(Contents::Encrypted(_)) => Side::Encrypted,
        Some(Contents::Unreadable(_)) => Side::Unreadable,
    }
}

/// The keys, for one side of a file.
fn of(file: &Loaded, side: usize, keys: &OpenOptions) -> OpenOptions {
    let state = if side == 0 { &file.change.old } else { &file.change.new };
    match state {
        Some(state) => keys.clone().of_file(&state.path),
        None => keys.clone(),
    }
}

/// Both texts, if both can be had.
fn both_texts(
    deps: &Deps<'_>,
    file: &Loaded,
    keys: &OpenOptions,
    problems: &mut Vec<String>,
) -> Option<[SecretBytes; 2]> {
    let mut texts = [SecretBytes::default(), SecretBytes::default()];
    for (side, text) in texts.iter_mut().enumerate() {
        match file.contents(side) {
            Some(Contents::Encrypted(locked)) => match textconv::opened(deps, *locked, &of(file, side, keys))
            {
                Ok(opened) => {
                    *text = opened.text;
                    let side = ["before", "after"][side];
                    problems.extend(opened.problems.iter().map(|problem| format!("{side}: {problem}")));
                }
                Err(why) => {
                    problems.push(format!("{why}; what its ciphertext tells is shown"));
                    return None;
                }
            },
            _ => {
                if let Some(bytes) = &file.bytes[side] {
                    *text = SecretBytes::new(bytes.to_vec());
                }
            }
        }
    }
    Some(texts)
}

/// What the ciphertext tells. A side in clear has keys, and no more is told of it.
fn told(file: &Loaded, contents: &[Option<Contents<'_>>; 2], new_data_key: bool) -> Option<Changes> {
    if contents.iter().flatten().any(|side| matches!(side, Contents::Unreadable(_))) {
        return None;
    }
    let store = contents.iter().flatten().find_map(|side| match side {
        Contents::Encrypted(locked) => Some(locked.store),
        _ => None,
    })?;
    let nothing = Tree::new(b"");
    let plain = [0, 1].map(|side| {
        let bytes = file.bytes[side].as_ref().filter(|_| matches!(contents[side], Some(Contents::Plain)));
        bytes.and_then(|bytes| store.read(bytes, Purpose::AsIs).ok())
    });
    let tree = |side: usize| -> (&dyn Store, &Tree<'_>) {
        match (&contents[side], &plain[side]) {
            (Some(Contents::Encrypted(locked)), _) => (locked.store, &locked.tree),
            (_, Some(tree)) => (store, tree),
            _ => (store, &nothing),
        }
    };
    let mut changes = ciphertext::compare(tree(0), tree(1), new_data_key);
    if plain.iter().any(Option::is_some) {
        changes.changes.retain(|change| matches!(change.what, What::Added | What::Removed));
    }
    Some(changes)
}
