//! The manifest that counts. While a merge is unfinished it is the one of our side. One
//! with a lower serial than this machine has seen is another branch's, or work was thrown
//! away; unless the history of the branch has a later one: then somebody brought it back.

use std::ffi::OsString;
use std::path::Path;

use super::refusal::{refused, refused_at};
use crate::app::Deps;
use crate::app::error::{Error, Place};
use crate::domain::agent::denial::DenyCode;
use crate::domain::agent::manifest::{Manifest, PLACE, SIGNATURE};
use crate::domain::agent::place;
use crate::domain::merge;
use crate::domain::secret::SecretBytes;

const CODE: DenyCode = DenyCode::ManifestMismatch;
const REMAKE: &str = "look at what changed (`leaflock diff --names`), then `leaflock agent sync --accept .`, run by \
                      somebody who may sign, makes it anew";

/// A manifest that counts.
#[derive(Debug, Default)]
pub struct Found {
    /// What it says.
    pub manifest: Manifest,
    /// The highest serial of the sides of a merge.
    pub highest: u64,
    /// True while the file itself holds conflicts: this is our side, and nothing is added
    /// to it.
    pub is_conflicted: bool,
    /// The serial that was seen, if it is a higher one.
    pub behind: Option<u64>,
}

/// Says whether a signature is one of a manifest by somebody who may sign it.
pub type Verify<'v> = dyn Fn(&[u8], Option<&[u8]>) -> Result<(), Error> + 'v;

/// Reads the manifest of the policy `repo` in `root`, of which `seen` is the highest
/// serial so far; `None` before the first. `file` is what stands in its place.
///
/// # Errors
/// [`DenyCode::ManifestMismatch`] for one that is gone, not signed, or was brought back.
pub fn read(
    deps: &Deps<'_>,
    root: &Path,
    file: Option<SecretBytes>,
    (repo, seen): (&str, Option<u64>),
    verify: &Verify<'_>,
) -> Result<Option<Found>, Error> {
    let path = root.join(PLACE);
    let Some(bytes) = file else {
        return match gone(deps, root, seen)? {
            None => Ok(None),
            Some(cause) => Err(refused(&path, CODE, cause, RESTORE)),
        };
    };
    let signature = deps.files.read_if_there(&root.join(SIGNATURE)).map_err(Error::Read)?;
    let there = Signed { manifest: bytes, signature: signature.map(|it| it.bytes) };
    let read = |signed: &Signed| {
        verify(&signed.manifest, signed.signature.as_deref())?;
        let manifest = Manifest::parse(&signed.manifest)
            .map_err(|error| refused_at(Place::file(&path).at_line(error.line), CODE, error, REMAKE))?;
        if manifest.repo != repo {
            let cause = "the manifest is of another repository";
            return Err(refused(&path, DenyCode::ForeignRepo, cause, REMAKE));
        }
        Ok(manifest)
    };
    let mut found = match there.is_conflicted() {
        false => Found { manifest: read(&there)?, ..Found::default() },
        true => between(deps, root, &there, &read).ok_or_else(|| conflicted(root))?,
    };
    let serial = found.manifest.serial;
    found.highest = found.highest.max(serial);
    if let Some(seen) = seen.filter(|seen| serial < *seen) {
        if was_later(deps, root, repo, serial)? {
            let cause = format!("the manifest has serial {serial}, and this machine has seen {seen}");
            return Err(refused(&path, CODE, cause, BROUGHT_BACK));
        }
        found.behind = Some(seen);
    }
    Ok(Some(found))
}

const BROUGHT_BACK: &str = "the commits before have a newer one, which somebody took back: restore it with all that \
                            belongs to it (`git log -- .leaflock/manifest.json`); or, where that was meant, \
                            `leaflock agent sync --accept .` signs for what is here";

/// That nothing can be added to a manifest as long as it has conflicts.
pub fn conflicted(root: &Path) -> Error {
    let hint = "solve the sources first (`leaflock resolve FILE`); then `leaflock agent sync --accept .` makes it \
                anew, and `git add` takes it";
    refused(&root.join(PLACE), CODE, "the manifest has conflicts of a merge", hint)
}

const RESTORE: &str = "restore it from git with its signature; where it cannot be restored, `leaflock agent sync \
                       --accept .` makes one anew of the sources as they stand";

/// Why a manifest that is not there was there before; `None` where nothing was synced
/// yet. A machine without a past goes by what the repository still has of it.
fn gone(deps: &Deps<'_>, root: &Path, seen: Option<u64>) -> Result<Option<&'static str>, Error> {
    if seen.is_some() {
        return Ok(Some("the manifest that was seen before is gone"));
    }
    if !deps.files.entries(&root.join(place::DERIVED)).map_err(Error::Read)?.is_empty() {
        return Ok(Some("there are files of agents here, and the manifest of them is gone"));
    }
    let history = deps.repository.history_of(root, PLACE, Some("HEAD")).map_err(Error::Read)?;
    let had = history.is_some_and(|versions| !versions.is_empty());
    Ok(had.then_some("the repository had a manifest, and it is gone"))
}

/// A manifest and its signature.
struct Signed {
    manifest: SecretBytes,
    signature: Option<SecretBytes>,
}

impl Signed {
    /// Both sides of a merge signed theirs, so that one of the two files has markers.
    fn is_conflicted(&self) -> bool {
        let files = std::iter::once(&self.manifest).chain(&self.signature);
        files.into_iter().any(|bytes| merge::split(bytes).is_some())
    }

    /// One side of the conflicts in the files.
    fn side(&self, pick: fn(merge::Marked) -> SecretBytes) -> Self {
        let side = |bytes: &SecretBytes| merge::split(bytes).map_or_else(|| bytes.clone(), pick);
        Self { manifest: side(&self.manifest), signature: self.signature.as_ref().map(side) }
    }
}

/// Our side of a merge: the state of the last commit. The markers alone tell it where git
/// merged none of the manifest's lines by itself.
fn between(
    deps: &Deps<'_>,
    root: &Path,
    there: &Signed,
    read: &dyn Fn(&Signed) -> Result<Manifest, Error>,
) -> Option<Found> {
    let ours = || read(&committed(deps, root)?).ok();
    let manifest = ours().or_else(|| read(&there.side(|marked| marked.ours)).ok())?;
    let theirs = read(&there.side(|marked| marked.theirs)).map_or(0, |theirs| theirs.serial);
    Some(Found { manifest, highest: theirs, is_conflicted: true, behind: None })
}

/// The manifest of the last commit.
fn committed(deps: &Deps<'_>, root: &Path) -> Option<Signed> {
    let prefix = deps.repository.place(root).ok()??.prefix;
    let mut objects = deps.repository.objects(root).ok()??;
    let mut object = |place: &str| {
        let mut name = OsString::from("HEAD:");
        name.push(prefix.join(place));
        objects.read(&name).ok()?
    };
    Some(Signed { manifest: object(PLACE)?, signature: Some(object(SIGNATURE)?) })
}

/// True if the history of the branch that is checked out has a manifest of this
/// repository with a higher serial. Without git, nothing tells that it has none.
fn was_later(deps: &Deps<'_>, root: &Path, repo: &str, serial: u64) -> Result<bool, Error> {
    if deps.repository.place(root).map_err(Error::Read)?.is_none() {
        return Ok(true);
    }
    let versions = deps.repository.history_of(root, PLACE, Some("HEAD")).map_err(Error::Read)?;
    let blobs = versions.into_iter().flatten().map(|version| version.blob).collect();
    let mut is_later = false;
    let mut take = |_: &str, bytes: SecretBytes| {
        is_later |= Manifest::parse(&bytes).is_ok_and(|it| it.repo == repo && it.serial > serial);
    };
    deps.repository.each_content(root, blobs, &mut take).map_err(Error::Read)?;
    Ok(is_later)
}
