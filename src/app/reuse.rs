//! Encrypting a copy of a file that is encrypted already: its former state, which git
//! or the user holds, gives it the data key and the ciphertext of all that did not
//! change, so that a diff shows what did. Nobody is asked anything for that.
//!
//! The index comes before `HEAD`: what is encrypted next is compared with it, by
//! `git diff` and by the next commit.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::Deps;
use super::change;
use super::error::{Error, Place};
use super::lock::LockedFile;
use super::open::{self, Locked, Unlocked};
use super::ports::Asking;
use super::replace::{self, Replaced};
use super::repository::Objects;
use super::request::{FileOptions, Notice, OpenOptions, Source};
use super::sealing::{self, Unsealed};
use crate::domain::agent::audit::entry::Action;
use crate::domain::config::Plan;
use crate::domain::document::open::Extras;
use crate::domain::document::sink::Compare;
use crate::domain::index::Component;
use crate::domain::keys::access::AccessChange;
use crate::domain::keys::kinds::KeySpec;
use crate::domain::metadata::MasterKey;
use crate::domain::scalar::Scalar;
use crate::domain::search;
use crate::domain::secret::{SecretBytes, Text};
use crate::domain::store::Format;
use crate::domain::tree::{Flags, Kind};

/// Which former state counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Onto {
    /// None: everything is encrypted anew (`--fresh`).
    Nothing,
    /// The one of the index, else of `HEAD`.
    #[default]
    Git,
    /// This encrypted file (`--onto`).
    File(PathBuf),
}

/// The repositories that were asked in this call, by the top of their work tree.
#[derive(Default)]
pub struct Memory(Mutex<BTreeMap<PathBuf, Option<Box<dyn Objects>>>>);

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memory")
    }
}

/// A former state of a file.
pub struct Former {
    bytes: SecretBytes,
    /// True where its user named it, so that it cannot be passed over in silence.
    named: bool,
    /// The file, absolute.
    path: PathBuf,
}

impl Former {
    /// It is opened without asking anybody.
    fn keys(&self) -> OpenOptions {
        OpenOptions { asking: Asking::Nobody, ..OpenOptions::default() }.to(Action::Reuse).of_file(&self.path)
    }

    /// True if it decrypts to `plain`, without asking anybody.
    pub fn holds(&self, deps: &Deps<'_>, plain: &[u8], format: Format) -> bool {
        let keys = self.keys();
        let opened = Locked::parse(&self.bytes, format, &Place::default())
            .and_then(|locked| locked.unlock(deps, &keys))
            .and_then(|file| change::open(&file, &keys, false));
        opened.is_ok_and(|opened| *opened.plain == *plain)
    }

    /// Its bytes.
    pub fn into_bytes(self) -> SecretBytes {
        self.bytes
    }
}

/// The former state of `path`, absolute.
///
/// # Errors
/// `--onto` names a file that cannot be read.
pub fn former(deps: &Deps<'_>, onto: &Onto, path: &Path) -> Result<Option<Former>, Error> {
    match onto {
        Onto::Nothing => Ok(None),
        Onto::Git => {
            Ok(in_git(deps, path).map(|bytes| Former { bytes, named: false, path: path.to_owned() }))
        }
        Onto::File(file) => {
            let input = open::read_input(deps, &Source::File(file.clone()), &FileOptions::default())?;
            Ok(Some(Former { bytes: input.bytes, named: true, path: input.name }))
        }
    }
}

/// What git holds of `path`, if that looks encrypted. A `.git` is looked for first:
/// where there is none, no process is started.
fn in_git(deps: &Deps<'_>, path: &Path) -> Option<SecretBytes> {
    let has_git = |folder: &&Path| matches!(deps.files.kind(&folder.join(".git")), Ok(Some(_)));
    let top = path.ancestors().skip(1).find(has_git)?;
    let name = path.strip_prefix(top).ok()?;
    let mut known = deps.formers.0.lock().unwrap_or_else(PoisonError::into_inner);
    let open = || deps.repository.objects(top).ok().flatten();
    let objects = known.entry(top.to_owned()).or_insert_with(open).as_mut()?;
    [":0:", "HEAD:"].into_iter().find_map(|state| {
        let mut wanted = OsString::from(state);
        wanted.push(name);
        objects.read(&wanted).ok().flatten().filter(|bytes| looks_encrypted(bytes))
    })
}

/// True for every encrypted file, and for little else.
fn looks_encrypted(bytes: &[u8]) -> bool {
    search::memmem(b"lastmodified", bytes).is_some() && search::memmem(b"sops", bytes).is_some()
}

/// How the file is to be encrypted now.
pub struct Wanted<'w> {
    /// Its plain text.
    pub plain: &'w [u8],
    /// Its format.
    pub format: Format,
    /// Keys and rules.
    pub plan: &'w Plan,
    /// How many groups the file will need.
    pub threshold: Option<usize>,
    /// A file whose rule selects none of its values is encrypted nevertheless.
    pub allow_unencrypted: bool,
    /// The seal that a new file gets.
    pub sealing: sealing::Wanted,
    /// Where errors are.
    pub place: &'w Place,
}

/// Encrypts a file onto its former state. `None` if that will not do: the notice says
/// why, where the former state is an encrypted file of this format at all.
///
/// # Errors
/// The plain text cannot be encrypted, or the user's file is not encrypted.
pub fn lock(
    deps: &Deps<'_>,
    former: Former,
    wanted: &Wanted<'_>,
    notices: &mut Vec<Notice>,
) -> Result<Option<LockedFile>, Error> {
    let mut fresh = |why: &str| {
        notices.push(Notice::note(format!("everything is encrypted anew: {why}")));
        Ok(None)
    };
    let locked = match Locked::parse(&former.bytes, wanted.format, &Place::default()) {
        Ok(locked) => locked,
        Err(Error::NotEncrypted(_)) if !former.named => return Ok(None),
        Err(Error::NotEncrypted(_)) => return fresh("the file of --onto is not encrypted"),
        Err(_) => return fresh("its former version does not read as an encrypted file"),
    };
    if let Some(why) = difference(&locked, wanted) {
        return fresh(why);
    }
    let keys = former.keys();
    let file = match locked.unlock(deps, &keys) {
        Ok(file) => file,
        Err(Error::Seal { .. }) => return fresh("its former version has no seal that holds"),
        Err(_) => return fresh("no identity opens its former version without asking somebody"),
    };
    let Ok(opened) = change::open(&file, &keys, false) else {
        return fresh("its former version does not decrypt, or has a MAC of other values");
    };
    let sealing = wanted.sealing.max(sealing::Wanted::by_old(deps, &file.locked)?);
    if *opened.plain == *wanted.plain || is_moved(&file, wanted.plain) {
        let nothing_selected = nothing_selected(&file.locked);
        if nothing_selected && !wanted.allow_unencrypted {
            return Ok(None);
        }
        let bytes = if sealing.is_had_by(&file.locked) {
            drop(file);
            former.bytes
        } else {
            Unsealed::again(&file, former.bytes.clone()).finish(deps, sealing, notices)?
        };
        return Ok(Some(LockedFile { bytes, nothing_selected, ..LockedFile::default() }));
    }
    let mut locked = match wanted.format {
        Format::Binary => match binary(deps, &file, wanted)? {
            Some(locked) => locked,
            None => return Ok(None),
        },
        _ => change::lock(deps, &file, wanted.plain, opened.known, wanted.place)?,
    };
    if locked.nothing_selected && !wanted.allow_unencrypted {
        return Ok(None);
    }
    locked.bytes = Unsealed::again(&file, locked.bytes).finish(deps, sealing, notices)?;
    Ok(Some(locked))
}

/// How the former state was encrypted otherwise than is wanted now.
fn difference(former: &Locked<'_>, wanted: &Wanted<'_>) -> Option<&'static str> {
    let metadata = &former.metadata;
    let old: Vec<Vec<KeySpec>> =
        metadata.groups.iter().map(|group| group.iter().map(MasterKey::spec).collect()).collect();
    let new: Vec<Vec<KeySpec>> =
        wanted.plan.groups.iter().map(|group| group.iter().map(|it| it.key.clone()).collect()).collect();
    let needed = |groups: usize, threshold: Option<usize>| {
        if groups > 1 { Some(threshold.unwrap_or(groups)) } else { None }
    };
    let thresholds = [needed(old.len(), metadata.shamir_threshold), needed(new.len(), wanted.threshold)];
    if AccessChange::between(&old, &new, thresholds).is_change() {
        return Some("it is for other recipients than its former version");
    }
    let same_rule = metadata.selection.settings() == wanted.plan.selection.settings();
    (wanted.format != Format::Binary && !same_rule)
        .then_some("its rule selects other values than that of its former version")
}

/// True if `plain` is what `decrypt` prints where SOPS moves comments.
fn is_moved(file: &Unlocked<'_>, plain: &[u8]) -> bool {
    let locked = &file.locked;
    if locked.format != Format::Yaml || locked.metadata.source.is_some() {
        return false;
    }
    let keep_spellings = locked.metadata.keeps_spellings();
    let extras = Extras { keep_spellings, hoist: true, ..Extras::default() };
    let mut compare = Compare::new(plain);
    let written = file.file().write_plain(extras, locked.store.detach(&locked.tree), &mut compare);
    written.is_ok() && compare.is_equal()
}

/// True when the file has values, and its rules select none.
fn nothing_selected(locked: &Locked<'_>) -> bool {
    let is_leaf = |flags: Flags, kind| kind == Kind::Scalar && !flags.has(Flags::METADATA);
    let mut leaves = (0..).zip(&locked.tree.nodes).filter(|(id, node)| {
        is_leaf(node.flags, node.kind) && locked.store.scalar(&locked.tree, *id) != Scalar::Null
    });
    let Some((_, first)) = leaves.next() else { return false };
    !first.flags.has(Flags::SELECTED) && leaves.all(|(_, node)| !node.flags.has(Flags::SELECTED))
}

/// A binary file, which is one value. Where it cannot be put in place of the former
/// one, nothing of that would be kept.
fn binary(deps: &Deps<'_>, file: &Unlocked<'_>, wanted: &Wanted<'_>) -> Result<Option<LockedFile>, Error> {
    let data = [Component::Key("data".to_owned())];
    match replace::leaf(deps, file, &data, &Scalar::Str(Text::Borrowed(wanted.plain)), false)? {
        Replaced::File(bytes, proof) => {
            proof.of(file, &bytes)?;
            Ok(Some(LockedFile { bytes, ..LockedFile::default() }))
        }
        Replaced::Unchanged | Replaced::Elsewhere => Ok(None),
    }
}
