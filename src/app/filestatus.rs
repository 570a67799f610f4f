//! Is a file encrypted? True when it has metadata with a version and a MAC
//! (sops-compat 10.7).

use std::path::{Path, PathBuf};

use super::Deps;
use super::batch::{self, Finished, Item};
use super::error::Error;
use super::open::{self, Locked};
use super::ports::{FileError, FileErrorKind};
use super::request::{FileOptions, Named, Notice, Source};

/// What to look at.
#[derive(Clone, Debug)]
pub struct Request {
    /// The file.
    pub path: PathBuf,
    /// Formats, config, names.
    pub file: FileOptions,
}

/// What was seen.
#[derive(Debug)]
pub struct Outcome {
    /// True when the file is encrypted.
    pub encrypted: bool,
    /// What to say on the side.
    pub notices: Vec<Notice>,
}

/// Looks at many files; what was found in a folder and is of no format that can be
/// read is not encrypted.
pub fn each(deps: &Deps<'_>, items: Vec<Item>, options: &FileOptions) -> Vec<Finished<bool>> {
    batch::run(deps, items, &|item| {
        let request = Request { path: item.path.clone(), file: options.clone() };
        match look(deps, &request) {
            Ok(outcome) => Ok(outcome.encrypted),
            Err(Error::Syntax { .. } | Error::Empty(_)) if item.named != Named::Directly => Ok(false),
            Err(error) => Err(failed(error, &item.path)),
        }
    })
}

/// Looks at one file; needs no key.
pub fn run(deps: &Deps<'_>, request: &Request) -> Result<Outcome, Error> {
    look(deps, request).map_err(|error| failed(error, &request.path))
}

fn failed(error: Error, path: &Path) -> Error {
    Error::FileStatus(Box::new(match error {
        Error::NoSuchFile(_) => Error::Read(FileError {
            action: "open",
            path: path.to_owned(),
            kind: FileErrorKind::NotFound,
            reason: "no such file or directory".to_owned(),
        }),
        error => error,
    }))
}

fn look(deps: &Deps<'_>, request: &Request) -> Result<Outcome, Error> {
    let source = Source::File(request.path.clone());
    let input = open::read_input(deps, &source, &request.file)?;
    let format = request.file.input_format.unwrap_or_else(|| input.format());
    let encrypted = match Locked::parse(&input.bytes, format, &input.place()) {
        Ok(locked) => !locked.metadata.mac.is_empty(),
        Err(Error::NotEncrypted(_) | Error::Metadata { .. }) => false,
        Err(error) => return Err(error),
    };
    Ok(Outcome { encrypted, notices: Vec::new() })
}
