//! Where the policy around a folder lies. One that this machine has seen in a clone and that is
//! gone is told from none: without it nothing is refused and nothing is written down, so
//! whoever can delete a file could turn both off.

use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use super::authority::{self, Vanished};
use super::refusal::{refused, untold};
use super::trust_store::TrustError;
use crate::app::Deps;
use crate::app::error::{Error, Place};
use crate::app::request::Notice;
use crate::domain::agent::denial::DenyCode;
use crate::domain::agent::policy;

/// The folder whose policy governs `folder`, where there has to be one.
///
/// # Errors
/// [`Error::NotFound`] where there is none; as [`refuse_vanished`] where there was one.
pub fn around(deps: &Deps<'_>, folder: &Path) -> Result<PathBuf, Error> {
    if let Some(root) = authority::find_root(deps, folder)? {
        return Ok(root);
    }
    refuse_vanished(deps, folder)?;
    Err(Error::NotFound {
        place: Place::default(),
        message: format!("there is no {} here, nor in a folder above", policy::PLACE),
        hints: vec!["`leaflock policy init` begins one".to_owned()],
    })
}

/// The folder whose policy governs the working folder.
///
/// # Errors
/// As [`around`].
pub fn here(deps: &Deps<'_>) -> Result<PathBuf, Error> {
    around(deps, Path::new("."))
}

/// For the commands that exist by the policy.
///
/// # Errors
/// [`DenyCode::PolicyStale`] where there was a policy around `folder` and is none.
pub fn refuse_vanished(deps: &Deps<'_>, folder: &Path) -> Result<(), Error> {
    match find(deps, folder)? {
        Some(gone) => Err(refused(
            &gone.root.join(policy::PLACE),
            DenyCode::PolicyStale,
            "this machine has seen a policy here, and it is gone",
            &way_on(&gone),
        )),
        None => Ok(()),
    }
}

/// For the commands that work without a policy: a warning, once a call.
pub fn vanished_notice(deps: &Deps<'_>, folder: &Path) -> Option<Notice> {
    // What cannot be told stops nobody who never had a policy.
    let gone = find(deps, folder).ok().flatten()?;
    let mut is_told = deps.authorities.is_vanished_told.lock().unwrap_or_else(PoisonError::into_inner);
    if std::mem::replace(&mut *is_told, true) {
        return None;
    }
    let place = gone.root.join(policy::PLACE);
    let text = format!(
        "the policy {} is gone: nothing is refused by it, and nothing is written down",
        place.display()
    );
    Some(Notice::warning(text).with_hint(way_on(&gone)))
}

fn way_on(gone: &Vanished) -> String {
    format!(
        "restore it from git, or check out a branch that has it; where it was given up for good, \
         `leaflock trust remove {}` forgets it on this machine",
        gone.repo
    )
}

fn find(deps: &Deps<'_>, folder: &Path) -> Result<Option<Vanished>, Error> {
    let folder = deps.files.absolute(folder).map_err(Error::Read)?;
    if authority::find_root(deps, &folder)?.is_some() {
        return Ok(None);
    }
    let known = || deps.authorities.vanished.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(found) = known().get(&folder) {
        return Ok(found.clone());
    }
    let found = look(deps, &folder)?;
    known().insert(folder, found.clone());
    Ok(found)
}

fn look(deps: &Deps<'_>, folder: &Path) -> Result<Option<Vanished>, Error> {
    let marks = match deps.trust.marks() {
        Err(TrustError::NoPlace) => return Ok(None),
        marks => marks.map_err(untold)?,
    };
    if marks.roots.is_empty() {
        return Ok(None);
    }
    let Some(place) = deps.repository.place(folder).map_err(Error::Read)? else { return Ok(None) };
    let Some(top) = place.top else { return Ok(None) };
    let common = deps.files.real(&place.common_dir).map_err(Error::Read)?;
    let clone = common.to_string_lossy().into_owned();
    let (Some(repo), Some(roots)) = (marks.clones.get(&clone), marks.roots.get(&clone)) else {
        return Ok(None);
    };
    let mut roots = roots.iter().map(Path::new);
    let root = roots.find(|root| place.prefix.starts_with(root));
    Ok(root.map(|root| Vanished { root: top.join(root), repo: repo.clone() }))
}
