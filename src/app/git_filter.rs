//! Plaintext in the working tree, ciphertext in git: what git's filter does with
//! one file on its way in (`clean`) and out (`smudge`). Both ask nobody anything.
//!
//! On the way in, a file whose plaintext is the one that git holds becomes the very
//! bytes that git holds: else every file would look changed for ever. What cannot be
//! encrypted is an error, because git would take the plaintext. On the way out there
//! is no error: what does not open stays ciphertext, or no checkout would go on where
//! a key is missing.

use std::path::{Path, PathBuf};

use super::Deps;
use super::change;
use super::config::{self, NAME};
use super::encrypt;
use super::error::{Error, Place};
use super::open::{self, Input, Locked};
use super::ports::Asking;
use super::request::{
    Destination, Done, FileOptions, KeyOptions, Notice, OpenOptions, RuleOptions, Source, Task,
};
use super::reuse::{self, Onto};
use super::sealing::{Unsealed, Wanted};
use crate::domain::agent::audit::entry::Action;
use crate::domain::document::sink::Discard;
use crate::domain::search;
use crate::domain::secret::SecretBytes;
use crate::domain::store::Format;

/// Files that are never encrypted, whatever a rule matches: git and this program read them.
pub const NEVER: [&str; 5] = [NAME, ".gitattributes", ".gitignore", ".gitmodules", ".leaflock/names"];

/// True for what lies in a `.leaflock` folder: what is encrypted there is so already.
fn is_leaflocks(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == ".leaflock")
}

/// Which way a file goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Into git.
    Clean,
    /// Into the work tree.
    Smudge,
}

/// What to filter. The contents come from standard input.
#[derive(Clone, Debug)]
pub struct Request {
    /// Which way.
    pub way: Way,
    /// The file, as git names it from the top of the work tree.
    pub path: PathBuf,
    /// The config.
    pub file: FileOptions,
}

/// Filters standard input.
pub fn run(deps: &Deps<'_>, request: &Request) -> Result<(SecretBytes, Vec<Notice>), Error> {
    let Input { bytes, .. } = open::read_input(deps, &Source::Stdin, &FileOptions::default())?;
    let path = deps.files.absolute(&request.path).map_err(Error::Read)?;
    match request.way {
        Way::Clean => clean(deps, &path, bytes, &request.file),
        Way::Smudge => Ok((smudge(deps, &path, bytes), Vec::new())),
    }
}

/// The bytes that git is to hold for the file at `path`, absolute.
pub fn clean(
    deps: &Deps<'_>,
    path: &Path,
    bytes: SecretBytes,
    options: &FileOptions,
) -> Result<(SecretBytes, Vec<Notice>), Error> {
    if bytes.is_empty()
        || is_leaflocks(path)
        || NEVER.iter().any(|never| path.ends_with(never))
        || is_encrypted(&bytes, path)
    {
        return Ok((bytes, Vec::new()));
    }
    if has_ciphertext(&bytes) {
        return Err(Error::Other {
            place: Place::file(path),
            cause: "this is an encrypted file that was damaged, or is in an unfinished merge".into(),
            hints: vec![
                "finish the merge, or take the version that git has: `git checkout -- FILE`".to_owned(),
            ],
        });
    }
    let format = Format::of_path(&path.to_string_lossy());
    let former = reuse::former(deps, &Onto::Git, path)?;
    let input = Input { bytes, seen: None, path: None, name: path.to_owned() };
    if let Some(former) = former {
        if former.holds(deps, &input.bytes, format) {
            return Ok((former.into_bytes(), Vec::new()));
        }
        let found = config::find(deps, path, options, &mut Vec::new())?;
        let rule = match found.as_deref() {
            Some(found) => config::rule_if_any(found, path)?,
            None => None,
        };
        if rule.is_none() && format != Format::Binary {
            return as_before(deps, &former.into_bytes(), &input, format);
        }
    }
    // Not for standard output: what is returned in one piece was proven.
    let task = Task::single(Source::Stdin, options.clone(), Destination::InPlace);
    let request = encrypt::Request {
        task,
        output_format: None,
        keys: KeyOptions::default(),
        rules: RuleOptions::default(),
        onto: Onto::Git,
    };
    let outcome = encrypt::run_on(deps, &request, &input, &mut Discard)?;
    match outcome.done {
        Done::Returned(bytes) => Ok((bytes, outcome.notices)),
        _ => Err(Error::Other {
            place: Place::file(path),
            cause: "the file was not encrypted".into(),
            hints: Vec::new(),
        }),
    }
}

/// Locks a file that no rule is for, as its former state was, and seals it if that was.
fn as_before(
    deps: &Deps<'_>,
    former: &[u8],
    input: &Input,
    format: Format,
) -> Result<(SecretBytes, Vec<Notice>), Error> {
    let place = Place::file(&input.name);
    let keys = OpenOptions { only_looks: true, ..nobody(Action::Clean) };
    let file = Locked::parse(former, format, &place)?.unlock(deps, &keys)?;
    let opened = change::open(&file, &keys, false)?;
    let bytes = change::lock(deps, &file, &input.bytes, opened.known, &place)?.bytes;
    let wanted = Wanted::by_old(deps, &file.locked)?;
    let mut notices = Vec::new();
    Ok((Unsealed::again(&file, bytes).finish(deps, wanted, &mut notices)?, notices))
}

/// The bytes for the work tree: `bytes`, if they do not open.
pub fn smudge(deps: &Deps<'_>, path: &Path, bytes: SecretBytes) -> SecretBytes {
    let format = Format::of_path(&path.to_string_lossy());
    let keys = nobody(Action::Smudge);
    let opened = Locked::parse(&bytes, format, &Place::file(path))
        .and_then(|locked| locked.unlock(deps, &keys))
        .and_then(|file| change::open(&file, &keys, false));
    match opened {
        Ok(opened) => opened.plain,
        Err(_) => bytes,
    }
}

fn nobody(action: Action) -> OpenOptions {
    OpenOptions { asking: Asking::Nobody, ..OpenOptions::default() }.to(action)
}

/// True for an encrypted file.
pub fn is_encrypted(bytes: &[u8], path: &Path) -> bool {
    has(bytes, "sops") && {
        let format = Format::of_path(&path.to_string_lossy());
        Locked::parse(bytes, format, &Place::file(path)).is_ok()
    }
}

/// True for what has been an encrypted file, whole or not.
pub fn has_ciphertext(bytes: &[u8]) -> bool {
    has(bytes, "sops") && has(bytes, "lastmodified") && has(bytes, "ENC[AES256_GCM,data:")
}

fn has(bytes: &[u8], needle: &str) -> bool {
    search::memmem(needle.as_bytes(), bytes).is_some()
}
