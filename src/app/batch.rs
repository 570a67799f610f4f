//! Many files in one call: the arguments are expanded once, the files are
//! worked on by as many threads as the machine has, and the results come back
//! in the order of the paths. One file's failure does not stop the others.

use std::path::{Path, PathBuf};

use super::error::Error;
use super::parallel;
use super::ports::{FileErrorKind, FileKind, Files, Progress};
use super::request::Named;

/// One file of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its path, as typed or as found.
    pub path: PathBuf,
    /// How it came to be here.
    pub named: Named,
}

/// What became of one file.
pub struct Finished<T> {
    /// The file.
    pub item: Item,
    /// What its use case returned.
    pub result: Result<T, Error>,
}

/// True when the arguments ask for a batch: several of them, a directory, or a
/// pattern that is not itself the name of a file.
pub fn is_batch(files: &dyn Files, arguments: &[PathBuf]) -> bool {
    let [only] = arguments else { return !arguments.is_empty() };
    match files.kind(only) {
        Ok(Some(kind)) => kind == FileKind::Directory,
        Ok(None) => is_pattern(only),
        Err(_) => false,
    }
}

/// True when `path` has characters of a glob pattern.
fn is_pattern(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().iter().any(|byte| matches!(byte, b'*' | b'?' | b'[' | b'{'))
}

/// The files that `arguments` stand for (see [`Files::expand`]).
pub fn expand(files: &dyn Files, arguments: &[PathBuf]) -> Result<Vec<Item>, Error> {
    let paths = files.expand(arguments).map_err(|error| match error.kind {
        FileErrorKind::NotFound => Error::NoSuchFile(error.path),
        _ => Error::Read(error),
    })?;
    let is_folder = |path: &&PathBuf| matches!(files.kind(path), Ok(Some(FileKind::Directory)));
    let folders: Vec<&PathBuf> = arguments.iter().filter(is_folder).collect();
    Ok(paths
        .into_iter()
        .map(|path| {
            let named = if arguments.contains(&path) {
                Named::Directly
            } else if folders.iter().any(|folder| path.starts_with(folder)) {
                Named::Walked
            } else {
                Named::Matched
            };
            Item { path, named }
        })
        .collect())
}

/// Runs `work` on every item, in parallel on large machines and batches.
pub fn run<T: Send>(
    items: Vec<Item>,
    progress: &dyn Progress,
    work: &(dyn Fn(&Item) -> Result<T, Error> + Sync),
) -> Vec<Finished<T>> {
    progress.start(items.len());
    let results = parallel::map(&items, false, |item| {
        let result = work(item);
        progress.step();
        result
    });
    progress.finish();
    items.into_iter().zip(results).map(|(item, result)| Finished { item, result }).collect()
}
