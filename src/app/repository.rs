//! Git, as the use cases see it: where a repository keeps what, which files it
//! tracks, the contents of files in the index, in a commit and in history, what it
//! makes of three files, and what it is set to do. Nothing is written but the
//! repository's own settings, and merges that were asked for.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::ports::FileError;
use crate::domain::merge::Labels;
use crate::domain::secret::SecretBytes;

/// The version control of the files.
pub trait Repository: Sync {
    /// Where things are, seen from `folder`; `None` where no repository is, or no git.
    fn place(&self, folder: &Path) -> Result<Option<Place>, FileError>;

    /// The files below `folder` that git tracks, sorted; `None` where no repository
    /// is, or no git.
    fn tracked(&self, folder: &Path) -> Result<Option<Vec<PathBuf>>, FileError>;

    /// The files below `folder` that git tracks, and those that it would if they were
    /// added: what it ignores is left out. Sorted; `None` where no repository is.
    fn present(&self, folder: &Path) -> Result<Option<Vec<PathBuf>>, FileError>;

    /// The tracked files below `folder` whose contents in the work tree differ from
    /// the last commit. None before the first one.
    fn changed(&self, folder: &Path) -> Result<Vec<PathBuf>, FileError>;

    /// The regular files of `snapshot` at or below `paths`, which are absolute
    /// and inside the repository that `folder` is in; of its whole work tree if
    /// there are none. In git's order. A commit that does not exist yet has none.
    ///
    /// # Errors
    /// [`super::ports::FileErrorKind::NotFound`], naming the revision, if there is no such.
    fn listing(
        &self,
        folder: &Path,
        snapshot: &Snapshot,
        paths: &[PathBuf],
    ) -> Result<Option<Vec<Entry>>, FileError>;

    /// Every version of every file below `folder` in all of history, oldest first;
    /// `None` where no repository is, or no git.
    fn history(&self, folder: &Path) -> Result<Option<Vec<Version>>, FileError>;

    /// Every version of the files at or below `below` (relative to `folder`) in the
    /// history of a revision, of all branches without one; oldest first. `None` where no
    /// repository is, or no git; a branch without commits has no versions.
    ///
    /// # Errors
    /// Git's own words, where it cannot read the history.
    fn history_of(
        &self,
        folder: &Path,
        below: &str,
        revision: Option<&str>,
    ) -> Result<Option<Vec<Version>>, FileError>;

    /// Hands the contents of blobs, by their full names, to `take`. Those that the
    /// repository has not got are left out.
    fn contents(
        &self,
        folder: &Path,
        blobs: &[String],
        take: &mut dyn FnMut(&str, SecretBytes),
    ) -> Result<(), FileError>;

    /// The same for blobs that may be named several times, or none: each is handed over
    /// once.
    fn each_content(
        &self,
        folder: &Path,
        mut blobs: Vec<String>,
        take: &mut dyn FnMut(&str, SecretBytes),
    ) -> Result<(), FileError> {
        blobs.sort_unstable();
        blobs.dedup();
        if blobs.is_empty() { Ok(()) } else { self.contents(folder, &blobs, take) }
    }

    /// The regular files that differ between two states, in git's order, renames
    /// found; as `git diff` seen from `folder` picks states and files.
    ///
    /// # Errors
    /// Git's own words, where it knows no such revision or file.
    fn changes(&self, folder: &Path, compared: &Compared) -> Result<Option<Vec<Change>>, FileError>;

    /// Merges files line by line, as git does on its own, in the user's style of conflicts:
    /// what comes out, and whether it has conflicts. `None` without git, or where git does
    /// not merge: binary files.
    fn merge_file(&self, files: &MergeFile<'_>) -> Result<Option<(SecretBytes, bool)>, FileError>;

    /// Merges a revision into the work tree that `folder` is in, and commits; git says on
    /// the terminal what it does. With conflicts everything is put back.
    fn merge_branch(&self, folder: &Path, question: &MergeBranch<'_>) -> Result<BranchMerge, FileError>;

    /// The settings in force, name and value, the later before the earlier one; with
    /// `own` those of the repository alone. Names are in lower case up to the first
    /// and behind the last dot.
    fn settings(&self, folder: &Path, own: bool) -> Result<Vec<(String, String)>, FileError>;

    /// The tops of all work trees of the repository.
    fn work_trees(&self, folder: &Path) -> Result<Vec<PathBuf>, FileError>;

    /// Lets the index know that files which hold what it holds look otherwise now.
    fn refresh(&self, folder: &Path, paths: &[PathBuf]) -> Result<(), FileError>;

    /// Gives a setting of the repository its only value, or takes it away. Settings
    /// of the user and of the machine are never touched.
    fn set(&self, folder: &Path, name: &str, value: Option<&str>) -> Result<(), FileError>;

    /// The values of attributes of files, which are absolute: for each file those
    /// of `names` in order, `None` where nothing is said.
    fn attributes(
        &self,
        folder: &Path,
        names: &[&str],
        paths: &[PathBuf],
    ) -> Result<Vec<Vec<Option<String>>>, FileError>;

    /// Opens the repository that `folder` is in, to read one object after the other;
    /// `None` where there is no git.
    fn objects(&self, folder: &Path) -> Result<Option<Box<dyn Objects>>, FileError>;
}

/// The objects of a repository, one at a time.
pub trait Objects: Send {
    /// The contents of a blob, named as `git rev-parse` takes it: `:0:a/b` for a file
    /// of the index, `HEAD:a/b`. `None` if there is no such blob.
    fn read(&mut self, name: &OsStr) -> Result<Option<SecretBytes>, FileError>;
}

/// A merge of a branch.
#[derive(Clone, Copy, Debug)]
pub struct MergeBranch<'q> {
    /// What is merged.
    pub revision: &'q str,
    /// Settings for this merge alone.
    pub settings: &'q [(&'static str, String)],
    /// A file of attributes that hold where the repository says nothing.
    pub attributes: &'q Path,
}

/// How a merge of a branch ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BranchMerge {
    /// It is committed, or there was nothing to merge.
    Merged,
    /// These files, by their paths in the repository, have conflicts.
    Conflicts(Vec<PathBuf>),
    /// Git did not begin, or did not end.
    Failed,
}

/// Three states of a file, absolute paths.
#[derive(Clone, Copy, Debug)]
pub struct MergeFile<'f> {
    /// The common ancestor.
    pub base: &'f Path,
    /// The state that is merged into.
    pub ours: &'f Path,
    /// The state that is merged.
    pub theirs: &'f Path,
    /// What stands behind conflict markers.
    pub labels: &'f Labels,
}

/// The folders of a repository, absolute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The top of the work tree; `None` in a bare repository.
    pub top: Option<PathBuf>,
    /// The folder that was asked from, below the top.
    pub prefix: PathBuf,
    /// The git directory of this work tree.
    pub git_dir: PathBuf,
    /// The git directory that all work trees share.
    pub common_dir: PathBuf,
    /// Where git looks for hooks (`core.hooksPath` included).
    pub hooks: PathBuf,
}

/// A state of all files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Snapshot {
    /// What the next commit would hold.
    Index,
    /// A revision, as `git rev-parse` takes it.
    Revision(String),
}

/// A regular file of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The file, absolute, in the work tree; in a bare repository, below the git directory.
    pub path: PathBuf,
    /// The full name of its contents.
    pub blob: String,
    /// 0, or in an unfinished merge 1 for the base, 2 for ours, 3 for theirs.
    pub stage: u8,
}

/// Which states are compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// The index instead of the work tree.
    pub staged: bool,
    /// Revisions as git takes them (`A`, `A..B`, `A...B`, `A` and `B`). With none, the
    /// work tree is compared with the index, and the index with `HEAD`.
    pub revisions: Vec<String>,
    /// Only these files and folders; all if there are none.
    pub paths: Vec<PathBuf>,
}

/// A file that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The old state; `None` for a new file.
    pub old: Option<State>,
    /// The new state; `None` for a file that is gone.
    pub new: Option<State>,
    /// True for the conflict of an unfinished merge; the old state is ours.
    pub unmerged: bool,
}

/// A file in one state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Its path below the top of the work tree.
    pub name: PathBuf,
    /// The file itself, in the work tree.
    pub path: PathBuf,
    /// The full name of its contents; `None` where the work tree has them.
    pub blob: Option<String>,
}

/// A file as a commit left it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// The file, absolute, by its name then.
    pub path: PathBuf,
    /// The name of its contents.
    pub blob: String,
    /// The commit that wrote it.
    pub commit: Commit,
}

/// A commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Its full name.
    pub id: String,
    /// When it was made, RFC 3339.
    pub date: String,
}
