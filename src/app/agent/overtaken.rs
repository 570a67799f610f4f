//! A call that reads while another one writes may see a file in one state and the manifest
//! in another. Neither is planted: what does not agree is looked at once more before it is
//! held against anybody.

use std::path::Path;

use super::authority::{self, Authority};
use crate::app::Deps;
use crate::app::error::Error;
use crate::app::ports::{FileError, FileErrorKind};
use crate::domain::agent::manifest;

/// How often it is read before others were faster too often.
const TRIES: u32 = 5;

/// What to end with where a file does not agree with `authority`: `error`, or if another
/// call has written the manifest since, or the file that was `read`, one that says so.
pub fn confirm(deps: &Deps<'_>, authority: &Authority, read: Option<(&Path, &[u8])>, error: Error) -> Error {
    deps.transactions.wait(read.map_or(&authority.root, |(path, _)| path));
    let place = authority.root.join(manifest::PLACE);
    let has_manifest_moved = deps
        .files
        .read_if_there(&place)
        .is_ok_and(|now| now.map(|file| file.fingerprint) != authority.manifest_file);
    let has_file_moved = |(path, bytes): (&Path, &[u8])| {
        deps.files.read_if_there(path).is_ok_and(|now| now.is_none_or(|now| *now.bytes != *bytes))
    };
    let moved = match read.filter(|read| has_file_moved(*read)) {
        Some((path, _)) => path,
        None if has_manifest_moved => &place,
        None => return error,
    };
    let reason = "another call changed the file since it was read".to_owned();
    let error = FileError { action: "read", path: moved.to_owned(), kind: FileErrorKind::Changed, reason };
    Error::Write { in_place: true, error }
}

/// Does what only reads, and does it again where another call was faster.
///
/// # Errors
/// Those of `read`; that of [`confirm`] if others are faster each time.
pub fn again<T>(deps: &Deps<'_>, mut read: impl FnMut() -> Result<T, Error>) -> Result<T, Error> {
    for _ in 1..TRIES {
        match read() {
            Err(error) if is_overtaken(&error) => authority::forget(deps),
            done => return done,
        }
    }
    read()
}

/// True for what [`confirm`] says of a file that another call has written.
fn is_overtaken(error: &Error) -> bool {
    matches!(
        error,
        Error::Write { error: FileError { action: "read", kind: FileErrorKind::Changed, .. }, .. }
    )
}
