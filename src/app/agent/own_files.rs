//! What belongs to a policy lies in one `.leaflock` of a repository, and in itself. Git
//! carries symbolic links, and one of them there would lead what is read, written, swept or
//! removed to wherever somebody who can push wants it.

use std::path::Path;

use super::refusal::refused;
use crate::app::error::Error;
use crate::app::ports::FileKind;
use crate::app::{Deps, leaflock_folders};
use crate::domain::agent::denial::DenyCode;
use crate::domain::agent::policy;

/// Refuses symbolic links in the `.leaflock` of `root`, itself included.
///
/// # Errors
/// [`DenyCode::PolicyInvalid`] for the first one.
pub fn refuse_links(deps: &Deps<'_>, root: &Path) -> Result<(), Error> {
    let own = root.join(leaflock_folders::NAME);
    match deps.files.first_link(&own).map_err(Error::Read)? {
        None => Ok(()),
        Some(link) => Err(refused(
            &link,
            DenyCode::PolicyInvalid,
            "a symbolic link stands here, and what belongs to a policy is never behind one",
            "`git log -- PATH` shows who made it; take it away, and restore what was there from git",
        )),
    }
}

/// Refuses a policy below another one: a copy of `.leaflock` in a folder below would be a
/// policy that is signed well, and whose manifest knows none of the files there.
///
/// # Errors
/// [`DenyCode::PolicyInvalid`] if there is one above `root`.
pub fn refuse_second(deps: &Deps<'_>, root: &Path) -> Result<(), Error> {
    for above in leaflock_folders::above(deps, root)?.iter().filter(|above| *above != root) {
        if is_there(deps, above)? {
            let cause = format!("a policy stands above this one, in {}", above.display());
            let hint =
                "a repository has one policy: take the folder away, or move its rules into that policy";
            return Err(refused(&root.join(policy::PLACE), DenyCode::PolicyInvalid, cause, hint));
        }
    }
    Ok(())
}

/// True if `folder` has a policy. A link that leads nowhere takes none away.
pub fn is_there(deps: &Deps<'_>, folder: &Path) -> Result<bool, Error> {
    let path = folder.join(policy::PLACE);
    let kind = deps.files.kind(&path).map_err(Error::Read)?;
    Ok(deps.files.is_link(&path) || kind.is_some_and(|kind| kind != FileKind::Directory))
}
