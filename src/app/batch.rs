//! Many files in one call: the arguments are expanded once, the files are
//! worked on by as many threads as the machine has, and the results come back
//! in the order of the paths. One file's failure does not stop the others.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::Deps;
use super::audit::record;
use super::error::Error;
use super::parallel;
use super::ports::{FileError, FileErrorKind, FileKind, Files, Staging};
use super::request::{Done, Named, Outcome};

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
    deps: &Deps<'_>,
    items: Vec<Item>,
    work: &(dyn Fn(&Item) -> Result<T, Error> + Sync),
) -> Vec<Finished<T>> {
    deps.progress.start(items.len());
    let results = each(deps, &items, work);
    deps.progress.finish();
    items.into_iter().zip(results).map(|(item, result)| Finished { item, result }).collect()
}

fn each<T: Send>(
    deps: &Deps<'_>,
    items: &[Item],
    work: &(dyn Fn(&Item) -> Result<T, Error> + Sync),
) -> Vec<Result<T, Error>> {
    let results = parallel::map(items, false, |item| {
        let result = work(item);
        deps.progress.step();
        result
    });
    for error in results.iter().filter_map(|result| result.as_ref().err()) {
        record::file_failed(deps, error);
    }
    results
}

/// The same for work that stages its results ([`Done::Staged`]): as many as there
/// is room for are made, and put in place together.
pub fn in_place(
    deps: &Deps<'_>,
    items: Vec<Item>,
    work: &(dyn Fn(&Item) -> Result<Outcome, Error> + Sync),
) -> Vec<Finished<Outcome>> {
    deps.progress.start(items.len());
    let mut results = Vec::with_capacity(items.len());
    for portion in items.chunks(deps.staging.room()) {
        let made = each(deps, portion, work);
        results.extend(put_all(deps.staging, made));
    }
    deps.progress.finish();
    items.into_iter().zip(results).map(|(item, result)| Finished { item, result }).collect()
}

/// Puts what is staged in place. Where the disk fails, nothing is put.
fn put_all(staging: &dyn Staging, results: Vec<Result<Outcome, Error>>) -> Vec<Result<Outcome, Error>> {
    let staged = |result: &Result<Outcome, Error>| match result {
        Ok(Outcome { done: Done::Staged(staged), .. }) => Some(staged.folder().to_owned()),
        _ => None,
    };
    let folders: BTreeSet<PathBuf> = results.iter().filter_map(staged).collect();
    let folders: Vec<&Path> = folders.iter().map(PathBuf::as_path).collect();
    let written = staging.sync(&folders);
    let results = parallel::map_owned(results, |result| put(result, &written));
    match staging.sync(&folders) {
        Ok(()) => results,
        Err(error) => results.into_iter().map(|result| unsure(result, &error)).collect(),
    }
}

fn put(result: Result<Outcome, Error>, written: &Result<(), FileError>) -> Result<Outcome, Error> {
    let (staged, notices) = match result? {
        Outcome { done: Done::Staged(staged), notices } => (staged, notices),
        outcome => return Ok(outcome),
    };
    let path = staged.path().to_owned();
    let put = written.clone().and_then(|()| staged.put());
    put.map_err(|error| Error::Write { in_place: true, error })?;
    Ok(Outcome { done: Done::Written(path), notices })
}

/// A file that is in place, but may not outlast a loss of power.
fn unsure(result: Result<Outcome, Error>, error: &FileError) -> Result<Outcome, Error> {
    match result {
        Ok(Outcome { done: Done::Written(_), .. }) => {
            Err(Error::Write { in_place: true, error: error.clone() })
        }
        result => result,
    }
}
