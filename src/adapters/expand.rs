//! From command line arguments to files. A directory stands for the regular
//! files in and below it, a glob pattern for the regular files that it matches;
//! everything else stands for itself, whether it exists or not.
//!
//! Hidden directories (`.git` among them) are not entered unless the pattern
//! names one, linked directories never. Hidden files count (`.env` holds
//! secrets), apart from `.sops.yaml`, which is no file to encrypt, and our own
//! temporary files.
#![expect(clippy::disallowed_methods, reason = "the home of walking folders")]

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};

use crate::app::ports::{FileError, FileErrorKind};
use crate::domain::globs;

use super::paths::clean;
use super::replace::TEMPORARY_PREFIX;
use super::system_error::file_error;

/// The files that `arguments` stand for. See [`crate::app::ports::Files::expand`].
pub fn expand(arguments: &[PathBuf]) -> Result<Vec<PathBuf>, FileError> {
    if let [only] = arguments
        && !is_pattern(only)
        && !only.is_dir()
    {
        return Ok(vec![only.clone()]);
    }
    let mut found = BTreeMap::new();
    for argument in arguments {
        if argument.is_dir() {
            walk(argument, usize::MAX, false, &mut |file| add(&mut found, file))?;
        } else if is_pattern(argument) && fs::symlink_metadata(argument).is_err() {
            expand_pattern(argument, &mut found)?;
        } else {
            add(&mut found, argument.clone());
        }
    }
    Ok(found.into_values().collect())
}

/// Files under their cleaned path, so that `a` and `./a` are one.
type Found = BTreeMap<PathBuf, PathBuf>;

fn add(found: &mut Found, file: PathBuf) {
    found.entry(clean(&file)).or_insert(file);
}

fn is_pattern(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().iter().any(|byte| b"*?[{".contains(byte))
}

fn expand_pattern(pattern: &Path, found: &mut Found) -> Result<(), FileError> {
    let mut base = PathBuf::new();
    let mut rest = PathBuf::new();
    for part in pattern.components() {
        let meta = is_pattern(Path::new(part.as_os_str()));
        let side = if meta || !rest.as_os_str().is_empty() { &mut rest } else { &mut base };
        side.push(part);
    }
    let matcher = matcher(pattern, &rest)?;
    let crosses = rest.as_os_str().as_encoded_bytes().windows(2).any(|two| two == b"**");
    let depth = if crosses { usize::MAX } else { rest.components().count() };
    let hidden = rest.components().any(|part| part.as_os_str().as_encoded_bytes().starts_with(b"."));
    let mut matched = false;
    let folder = if base.as_os_str().is_empty() { Path::new(".") } else { &base };
    if folder.is_dir() {
        walk(folder, depth, hidden, &mut |file| {
            let relative = file.strip_prefix(folder).unwrap_or(&file);
            if matcher.is_match(relative) {
                matched = true;
                add(found, base.join(relative));
            }
        })?;
    }
    if matched { Ok(()) } else { Err(bad_pattern(pattern, FileErrorKind::NotFound, "no file matches")) }
}

fn matcher(pattern: &Path, rest: &Path) -> Result<GlobMatcher, FileError> {
    let text = rest.to_str().ok_or_else(|| bad_pattern(pattern, FileErrorKind::Other, "not UTF-8"))?;
    globs::check(text).map_err(|error| bad_pattern(pattern, FileErrorKind::Other, error))?;
    let glob = GlobBuilder::new(text).literal_separator(true).build();
    let glob = glob.map_err(|error| bad_pattern(pattern, FileErrorKind::Other, &error.kind().to_string()))?;
    Ok(glob.compile_matcher())
}

fn bad_pattern(pattern: &Path, kind: FileErrorKind, reason: &str) -> FileError {
    FileError { action: "glob", path: pattern.to_owned(), kind, reason: reason.to_owned() }
}

/// Hands every regular file at most `depth` levels below `folder` to `each`.
fn walk(folder: &Path, depth: usize, hidden: bool, each: &mut dyn FnMut(PathBuf)) -> Result<(), FileError> {
    let mut folders = vec![(folder.to_owned(), depth)];
    while let Some((folder, depth)) = folders.pop() {
        let failed = |error: io::Error| file_error("open", &folder, &error);
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            let kind = entry.file_type().map_err(failed)?;
            if kind.is_dir() {
                let skipped = name == ".git" || (!hidden && name.as_encoded_bytes().starts_with(b"."));
                if depth > 1 && !skipped {
                    folders.push((entry.path(), depth - 1));
                }
            } else if !is_ours(name.as_encoded_bytes())
                && (kind.is_file() || (kind.is_symlink() && entry.path().is_file()))
            {
                each(entry.path());
            }
        }
    }
    Ok(())
}

fn is_ours(name: &[u8]) -> bool {
    name == b".sops.yaml" || name.starts_with(TEMPORARY_PREFIX.as_bytes())
}

#[cfg(test)]
mod tests;
