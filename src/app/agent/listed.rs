//! Files that the signed manifest knows are opened only as it knows them: a source that
//! somebody else changed, or a file among the derived ones that nobody signed for, may be
//! encrypted for the right recipients and still be planted.

use std::path::Path;

use super::authority::{self, Authority};
use super::refusal;
use crate::app::Deps;
use crate::app::error::{Error, Place};
use crate::domain::agent::denial::DenyCode;
use crate::domain::agent::manifest::{self, Verdict};

/// Refuses the file at `path`, absolute, if the manifest around it speaks against
/// `bytes`. Where no policy is, this is one look at the folders above it.
///
/// # Errors
/// [`DenyCode::ManifestMismatch`]; all of [`authority::load`].
pub fn check(deps: &Deps<'_>, path: Option<&Path>, bytes: &[u8]) -> Result<(), Error> {
    let Some(folder) = path.and_then(Path::parent) else { return Ok(()) };
    match authority::find_root(deps, folder)? {
        Some(root) => verdict(&*authority::load(deps, &root)?, path.unwrap_or(folder), bytes),
        None => Ok(()),
    }
}

/// The same under an authority that was verified.
pub fn verdict(authority: &Authority, path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let Some(name) = name_of(&authority.root, path) else { return Ok(()) };
    let refuse = |cause: &str, hints: Vec<String>| {
        let code = DenyCode::ManifestMismatch;
        Err(Error::Integrity { place: Place::file(path), code, cause: cause.into(), hints })
    };
    let Some(manifest) = &authority.manifest else {
        return match manifest::is_derived(&name) {
            true => refuse("nobody has signed for this file: there is no manifest", vec![SYNC.to_owned()]),
            false => Ok(()),
        };
    };
    let verdict = manifest.verdict(&name, bytes);
    if verdict == Verdict::Changed
        && refusal::with_lf(bytes).is_some_and(|bytes| manifest.verdict(&name, &bytes) == Verdict::Held)
    {
        return Err(refusal::line_ends(path, DenyCode::ManifestMismatch));
    }
    match verdict {
        Verdict::Held | Verdict::Unknown => Ok(()),
        Verdict::Planted => refuse("nobody has signed for this file: the manifest does not hold it", vec![
            "`leaflock agent sync` removes what does not belong there".to_owned(),
        ]),
        Verdict::Changed if manifest::is_derived(&name) => {
            refuse("this is not the file that was signed for", vec![SYNC.to_owned()])
        }
        Verdict::Changed => refuse("this is not the state that was signed for", vec![
            "another program changed it, or somebody put another file there: `leaflock diff --names` shows what \
             changed"
                .to_owned(),
            format!("`leaflock agent sync --accept {name}` takes it over"),
        ]),
    }
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
