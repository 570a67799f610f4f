//! What belongs to a policy lies in its `.leaflock` itself. Git carries symbolic links, and
//! one of them there would lead what is read, written, swept or removed to wherever
//! somebody who can push wants it.

use std::path::Path;

use super::refusal::refused;
use crate::app::error::Error;
use crate::app::{Deps, leaflock_folders};
use crate::domain::agent::denial::DenyCode;

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
