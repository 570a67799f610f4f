//! A branch is merged where the host of the repository cannot do it, because its merge
//! button runs no drivers: `leaflock merge --ci`.

use std::path::{Path, PathBuf};

use super::Deps;
use super::error::{Error, Place};
use super::git_setup::drivers;
use super::repository::{BranchMerge, MergeBranch};

/// What to merge.
#[derive(Clone, Debug)]
pub struct Request {
    /// The revision that is merged into the one that is checked out.
    pub revision: String,
}

/// Merges the revision with the driver, whatever git is set to do, and commits. With
/// conflicts the work tree is what it was.
pub fn run(deps: &Deps<'_>, request: &Request) -> Result<Vec<PathBuf>, Error> {
    /// Files that `.gitattributes` says nothing of are looked at too: those that are not
    /// encrypted are merged as git does it.
    const ATTRIBUTES: &[u8] = b"* merge=leaflock\n";
    let folder = deps.files.absolute(Path::new(".")).map_err(Error::Read)?;
    let private = deps.private_files.create().map_err(Error::Read)?;
    let attributes = private.write("attributes", ATTRIBUTES).map_err(Error::Read)?;
    let program = deps.processes.own_program().unwrap_or_else(|| PathBuf::from("leaflock"));
    let settings = drivers::wanted(&program.to_string_lossy(), false);
    let question = MergeBranch { revision: &request.revision, settings: &settings, attributes: &attributes };
    match deps.repository.merge_branch(&folder, &question).map_err(Error::Read)? {
        BranchMerge::Merged => Ok(Vec::new()),
        BranchMerge::Conflicts(files) => Ok(files),
        BranchMerge::Failed => Err(Error::Other {
            place: Place::default(),
            cause: format!("git could not merge {}", request.revision).into(),
            hints: vec![
                "git says above why; a shallow clone lacks the commit where the branches part: fetch all of it"
                    .to_owned(),
            ],
        }),
    }
}
