//! The sources of a policy: which files they are, and what they are called in it.

use std::path::{Path, PathBuf};

use crate::app::Deps;
pub use crate::app::agent::listed::name_of;
use crate::app::error::{Error, Place};
use crate::app::open::Locked;
use crate::app::ports::{Contents, FileKind, Fingerprint};
use crate::domain::agent::place::DERIVED;
use crate::domain::agent::policy::Policy;
use crate::domain::crypto::token;
use crate::domain::digest;
use crate::domain::metadata::{MasterKey, Metadata};
use crate::domain::secret::SecretBytes;
use crate::domain::store::Format;

/// What to do about one that is cut off or otherwise broken.
const DAMAGED: &str = "the file is damaged: bring it back from git, `git checkout -- FILE`, and sync then";

/// A source as it stands on the disk.
#[derive(Debug)]
pub struct Source {
    /// Its path from the policy's folder, with `/`.
    pub name: String,
    /// The file, absolute.
    pub path: PathBuf,
    /// Its bytes.
    pub bytes: SecretBytes,
    /// Its state when it was read.
    pub seen: Option<Fingerprint>,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
}

impl Source {
    /// Its format, by its name.
    pub fn format(&self) -> Format {
        Format::of_path(&self.name)
    }

    /// Where errors of it happened.
    pub fn place(&self) -> Place {
        Place::file(&self.path)
    }
}

/// The keys that a file is encrypted for, sorted, each once.
pub fn recipients(metadata: &Metadata) -> Vec<String> {
    let mut names: Vec<String> = metadata.keys().map(MasterKey::name).map(|it| it.into_owned()).collect();
    names.sort();
    names.dedup();
    names
}

/// Those of `recipients` whom the policy does not list for the source; none where it lists
/// nobody.
pub fn strangers(policy: &Policy, source: &str, recipients: &[String]) -> Vec<String> {
    let listed = policy.source_recipients(source);
    let is_stranger = |key: &&String| listed.as_ref().is_some_and(|listed| !listed.contains(key));
    recipients.iter().filter(is_stranger).cloned().collect()
}

/// The files that may be sources, sorted by name: those that git tracks, or would if they
/// were added, and that the policy governs. Whether they are encrypted is not looked at.
pub fn files(deps: &Deps<'_>, root: &Path, policy: &Policy) -> Result<Vec<(String, PathBuf)>, Error> {
    let files = match deps.repository.present(root).map_err(Error::Read)? {
        Some(files) => files,
        None => deps.files.expand(&[root.to_owned()]).map_err(Error::Read)?,
    };
    let mut found = Vec::new();
    for path in files {
        let Some(name) = name_of(root, &path).filter(|name| policy.governs(name)) else { continue };
        // What is behind a link is a source under its own name, or not of this repository.
        let is_regular = deps.files.kind(&path).map_err(Error::Read)? == Some(FileKind::Regular);
        if is_regular && !deps.files.is_link(&path) {
            found.push((name, path));
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// All sources, sorted by name: the encrypted ones of these files.
pub fn all(deps: &Deps<'_>, root: &Path, policy: &Policy) -> Result<Vec<Source>, Error> {
    let mut sources = Vec::new();
    for (name, path) in files(deps, root, policy)? {
        let contents = deps.files.read(&path).map_err(Error::Read)?;
        sources.extend(source(name, path, contents)?);
    }
    Ok(sources)
}

/// The file as a source; `None` if it is not encrypted.
fn source(name: String, path: PathBuf, contents: Contents) -> Result<Option<Source>, Error> {
    let Contents { bytes, fingerprint } = contents;
    if !token::occurs_in(&bytes) {
        return Ok(None);
    }
    match Locked::parse(&bytes, Format::of_path(&name), &Place::file(&path)) {
        Ok(_) => {}
        // A text that tells of tokens: this manual, for one.
        Err(Error::NotEncrypted(_)) => return Ok(None),
        Err(Error::Syntax { .. }) if Format::of_path(&name) == Format::Binary => return Ok(None),
        Err(mut error) => {
            if let Error::Metadata { hints, .. } = &mut error {
                hints.push(DAMAGED.to_owned());
            }
            if let Error::Syntax { error, .. } = &mut error {
                error.hint.get_or_insert(DAMAGED);
            }
            return Err(error);
        }
    }
    let sha256 = digest::hex_of(&bytes);
    Ok(Some(Source { name, path, bytes, seen: fingerprint, sha256 }))
}

/// The derived files that are on the disk: names from the policy's folder, and their
/// SHA-256; sorted.
pub fn derived(deps: &Deps<'_>, root: &Path) -> Result<Vec<(String, PathBuf)>, Error> {
    let mut found = Vec::new();
    let mut folders = vec![root.join(DERIVED)];
    while let Some(folder) = folders.pop() {
        for path in deps.files.entries(&folder).map_err(Error::Read)? {
            match deps.files.kind(&path) {
                Ok(Some(FileKind::Directory)) if !deps.files.is_link(&path) => folders.push(path),
                _ => found.extend(name_of(root, &path).map(|name| (name, path))),
            }
        }
    }
    found.sort();
    Ok(found)
}
