//! Who can open which files: the recipients of files, and the files of a
//! recipient. No key is needed: recipients stand in the clear.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::Deps;
use super::batch::{self, Item};
use super::error::Error;
use super::names;
use super::open::{self, Locked};
use super::parallel;
use super::request::{FileOptions, Named, Source};
use crate::domain::keys::kinds::KeyKind;
use crate::domain::keys::names::Names;
use crate::domain::search;

/// What to look at.
#[derive(Clone, Debug)]
pub struct Request {
    /// Files, directories and patterns.
    pub paths: Vec<PathBuf>,
    /// Only files of this recipient, named by key or name.
    pub recipient: Option<String>,
    /// Formats, config.
    pub file: FileOptions,
}

/// One key of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its kind.
    pub kind: KeyKind,
    /// The recipient, fingerprint, ARN or URL.
    pub key: String,
    /// Whose it is.
    pub name: Option<String>,
}

/// The keys of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileKeys {
    /// The file, as it was named or found.
    pub path: PathBuf,
    /// Its groups. With a recipient that was asked for, only its keys.
    pub groups: Vec<Vec<Key>>,
    /// How many groups are needed, where there are several.
    pub threshold: Option<usize>,
}

/// What was found.
#[derive(Debug)]
pub struct Outcome {
    /// The files.
    pub files: Vec<FileKeys>,
    /// Files that were named and could not be looked at.
    pub failed: Vec<(PathBuf, Error)>,
}

/// Looks at files.
pub fn run(deps: &Deps<'_>, request: &Request) -> Result<Outcome, Error> {
    let items = batch::expand(deps.files, &request.paths)?;
    let (seen, failed) = look(deps, items, &request.file);
    let book = Book::of(deps, seen.iter().map(|(path, _)| path.as_path()), &request.file)?;
    let mut files = Vec::with_capacity(seen.len());
    let mut known = false;
    for (path, metadata) in seen {
        let names = book.of_file(&path);
        let mut groups: Vec<Vec<Key>> = metadata.groups;
        for key in groups.iter_mut().flatten() {
            key.name = names.of(&key.key).map(str::to_owned);
        }
        if let Some(wanted) = &request.recipient {
            known |= names.known().any(|name| name.to_lowercase() == wanted.to_lowercase());
            groups.iter_mut().for_each(|group| group.retain(|key| names.means(wanted, &key.key)));
            if groups.iter().all(Vec::is_empty) {
                continue;
            }
        }
        files.push(FileKeys { path, groups, threshold: metadata.threshold });
    }
    match &request.recipient {
        Some(wanted) if files.is_empty() && failed.is_empty() && !known && !looks_like_a_key(wanted) => {
            Err(nobody(wanted, &book))
        }
        _ => Ok(Outcome { files, failed }),
    }
}

/// What `who` needs of a file's metadata.
struct Seen {
    groups: Vec<Vec<Key>>,
    threshold: Option<usize>,
}

type Looked = (Vec<(PathBuf, Seen)>, Vec<(PathBuf, Error)>);

/// The metadata of all files that are encrypted. One that was named and is not
/// is a failure.
fn look(deps: &Deps<'_>, items: Vec<Item>, options: &FileOptions) -> Looked {
    let results = parallel::map(&items, false, |item| keys_of(deps, &item.path, options));
    let mut looked = Looked::default();
    for (item, result) in items.into_iter().zip(results) {
        match result {
            Ok(seen) => looked.0.push((item.path, seen)),
            Err(_) if item.named != Named::Directly => {}
            Err(error) => looked.1.push((item.path, error)),
        }
    }
    looked
}

fn keys_of(deps: &Deps<'_>, path: &Path, options: &FileOptions) -> Result<Seen, Error> {
    let input = open::read_input(deps, &Source::File(path.to_owned()), options)?;
    let format = options.input_format.unwrap_or_else(|| input.format());
    // Most files of a folder are not encrypted, and need not be parsed to see it.
    if search::memmem(b"sops", &input.bytes).is_none() {
        return Err(Error::NotEncrypted(input.place()));
    }
    let metadata = Locked::parse(&input.bytes, format, &input.place())?.metadata;
    let key = |key: &crate::domain::metadata::MasterKey| Key {
        kind: key.kind,
        key: key.name().into_owned(),
        name: None,
    };
    let groups: Vec<Vec<Key>> = metadata.groups.iter().map(|group| group.iter().map(key).collect()).collect();
    let count = groups.len();
    Ok(Seen { groups, threshold: (count > 1).then(|| metadata.shamir_threshold.unwrap_or(count)) })
}

/// The names that hold in each folder.
struct Book {
    by_folder: HashMap<PathBuf, Names>,
}

impl Book {
    fn of<'f>(
        deps: &Deps<'_>,
        files: impl Iterator<Item = &'f Path>,
        options: &FileOptions,
    ) -> Result<Self, Error> {
        let mut by_folder = HashMap::new();
        for file in files {
            let folder = file.parent().unwrap_or(file).to_owned();
            if let std::collections::hash_map::Entry::Vacant(place) = by_folder.entry(folder) {
                let absolute = deps.files.absolute(file).map_err(Error::Read)?;
                place.insert(names::of(deps, &absolute, options).0);
            }
        }
        Ok(Self { by_folder })
    }

    fn of_file(&self, file: &Path) -> &Names {
        const NOBODY: &Names = &Names::nobody();
        self.by_folder.get(file.parent().unwrap_or(file)).unwrap_or(NOBODY)
    }
}

/// True for what is a key rather than a name.
fn looks_like_a_key(text: &str) -> bool {
    let digits = text.trim_start_matches("0x").chars().filter(|c| !c.is_whitespace() && *c != '!');
    text.starts_with("age1")
        || text.starts_with("ssh-")
        || text.contains([':', '/'])
        || (text.len() >= 16 && digits.clone().all(|c| c.is_ascii_hexdigit()))
}

fn nobody(wanted: &str, book: &Book) -> Error {
    let mut known: Vec<&str> = book.by_folder.values().flat_map(Names::known).collect();
    known.sort_unstable();
    known.dedup();
    let hint = match &known[..] {
        [] => format!(
            "no key has a name here: write names as comments beside the keys in .sops.yaml, or into {}",
            names::PLACE
        ),
        known => format!("known names: {}", known.join(", ")),
    };
    Error::Other {
        place: super::error::Place::default(),
        cause: format!("{wanted:?} is no recipient and no known name").into(),
        hints: vec![hint],
    }
}
