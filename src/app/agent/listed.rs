//! Files that the signed manifest knows are opened only as it knows them: a source that
//! somebody else changed, or a file among the derived ones that nobody signed for, may be
//! encrypted for the right recipients and still be planted.

use std::path::{Path, PathBuf};

use super::authority::{self, Authority};
use super::overtaken;
use super::refusal;
use crate::app::Deps;
use crate::app::error::{Error, Place};
use crate::app::leaflock_folders;
use crate::domain::agent::denial::DenyCode;
use crate::domain::agent::manifest::{self, Verdict};

/// Refuses the file at `path`, absolute, if the manifest around it speaks against
/// `bytes`, or does not hold them though they are a source. Where no policy is, this is one
/// look at the folders above it.
///
/// # Errors
/// [`DenyCode::ManifestMismatch`]; all of [`authority::load`].
pub fn check(deps: &Deps<'_>, path: Option<&Path>, bytes: &[u8]) -> Result<(), Error> {
    let Some(path) = path else { return Ok(()) };
    for (number, place) in places(deps, path)?.iter().enumerate() {
        let Some(folder) = place.parent() else { continue };
        let Some(root) = authority::find_root(deps, folder)? else { continue };
        let authority = authority::load(deps, &root)?;
        let Some(name) = name_of(&authority.root, place) else { continue };
        // A link to a source is none itself, unless somebody signed for one in its place.
        let is_link =
            number > 0 && !authority.manifest.as_ref().is_some_and(|it| it.sources.contains_key(&name));
        if !is_link {
            verdict(deps, &authority, (place, &name), bytes).map_err(|error| match error {
                Error::Integrity { .. } => overtaken::confirm(deps, &authority, Some((place, bytes)), error),
                error => error,
            })?;
        }
    }
    Ok(())
}

/// Where a file is, whatever links were followed to it: its own place first; then, if that
/// is another, the place of the link that was named, which a policy may know as well.
pub fn places(deps: &Deps<'_>, path: &Path) -> Result<Vec<PathBuf>, Error> {
    let real = || deps.files.real(path).map_err(Error::Read);
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Ok(vec![real()?]) };
    let named = leaflock_folders::real(deps, folder)?.join(name);
    if !deps.files.is_link(path) {
        return Ok(vec![named]);
    }
    let mut places = vec![real()?, named];
    places.dedup();
    Ok(places)
}

/// What to end with where `bytes` do not even read as an encrypted file: that it is not what
/// was signed for says more.
pub fn unreadable(deps: &Deps<'_>, path: Option<&Path>, bytes: &[u8], error: Error) -> Error {
    check(deps, path, bytes).err().unwrap_or(error)
}

/// Refuses what the manifest speaks against.
fn verdict(
    deps: &Deps<'_>,
    authority: &Authority,
    (path, name): (&Path, &str),
    bytes: &[u8],
) -> Result<(), Error> {
    let refuse = |cause: &str, hints: Vec<String>| {
        let code = DenyCode::ManifestMismatch;
        Err(Error::Integrity { place: Place::file(path), code, cause: cause.into(), hints })
    };
    let accept = || format!("`leaflock agent sync --accept {name}` takes it over");
    let Some(manifest) = &authority.manifest else {
        return match manifest::is_derived(name) {
            true => refuse("nobody has signed for this file: there is no manifest", vec![SYNC.to_owned()]),
            false => Ok(()),
        };
    };
    let verdict = manifest.verdict(name, bytes);
    if verdict == Verdict::Changed
        && refusal::with_lf(bytes).is_some_and(|bytes| manifest.verdict(name, &bytes) == Verdict::Held)
    {
        return Err(refusal::line_ends(path, DenyCode::ManifestMismatch));
    }
    match verdict {
        Verdict::Held => Ok(()),
        Verdict::Unknown if !authority.policy.governs(name) || is_ignored(deps, path)? => Ok(()),
        Verdict::Unknown => refuse("nobody has signed for this source: the manifest does not hold it", vec![
            "somebody put it there, or moved it there, by another program".to_owned(),
            accept(),
        ]),
        Verdict::Planted => refuse("nobody has signed for this file: the manifest does not hold it", vec![
            "`leaflock agent sync` removes what does not belong there".to_owned(),
        ]),
        Verdict::Changed if manifest::is_derived(name) => {
            refuse("this is not the file that was signed for", vec![SYNC.to_owned()])
        }
        Verdict::Changed => refuse("this is not the state that was signed for", vec![
            "another program changed it, or somebody put another file there: `leaflock diff --names` shows what \
             changed"
                .to_owned(),
            accept(),
        ]),
    }
}

/// True for a file that git leaves out: it is nobody's source.
fn is_ignored(deps: &Deps<'_>, path: &Path) -> Result<bool, Error> {
    let Some(folder) = path.parent() else { return Ok(false) };
    let present = deps.repository.present(folder).map_err(Error::Read)?;
    Ok(present.is_some_and(|present| !present.iter().any(|it| it == path)))
}

/// What makes derived files anew.
const SYNC: &str = "`leaflock agent sync`, run by somebody who may sign, makes it anew";

/// The path of `path` from `root`, as policy and manifest write it; `None` if it is not
/// below, or no text.
pub fn name_of(root: &Path, path: &Path) -> Option<String> {
    let segments = path.strip_prefix(root).ok()?.components();
    let segments = segments.map(|it| it.as_os_str().to_str()).collect::<Option<Vec<_>>>()?;
    (!segments.is_empty()).then(|| segments.join("/"))
}
