//! The files that a call looks at, in the work tree, in the index or in a commit:
//! their names, their bytes, and what stands beside them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use super::Deps;
use super::error::{Error, Place as ErrorPlace};
use super::parallel;
use super::ports::{FileError, FileErrorKind, FileKind};
use super::repository::{Entry, Place, Snapshot};
use crate::domain::secret::SecretBytes;

/// Which state of the files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// The work tree, and what git does not track there but would.
    #[default]
    WorkTree,
    /// The files of the index that differ from the last commit.
    Staged,
    /// A commit.
    Revision(String),
}

/// What is done with a file: with its path, its bytes, and those of the state before.
type Work<'w, T> = dyn Fn(&Path, &[u8], Option<&[u8]>) -> T + Sync + 'w;

/// What came of it.
type Done<T> = (PathBuf, Result<T, Error>);

/// Files read at one time from git: what is read is in memory.
const PORTION: usize = 1000;

/// The files of one state.
pub struct View<'d> {
    deps: &'d Deps<'d>,
    /// The top of the work tree; outside of git, the working folder.
    pub root: PathBuf,
    /// Every file there is, with the name of its contents if they are git's.
    all: BTreeMap<PathBuf, Option<String>>,
    /// The files that are looked at.
    pub chosen: BTreeSet<PathBuf>,
    /// Those that were named: what is wrong with reading them is told.
    named: BTreeSet<PathBuf>,
    /// True if everything that there is was asked for.
    pub is_whole: bool,
    /// The former contents of files that differ from the state before.
    former: BTreeMap<PathBuf, String>,
    /// The top as the user names it, which may be a link.
    logical_root: PathBuf,
    is_in_git: bool,
    is_on_disk: bool,
}

/// The names that make all files below their folder worth a look when they change.
const DECIDERS: [&str; 2] = [".sops.yaml", "check-ignore"];

impl<'d> View<'d> {
    /// The files of `scope` at or below `paths`; all of them if there are none.
    ///
    /// # Errors
    /// A path that is not there, no repository where one is needed, no such revision.
    pub fn open(deps: &'d Deps<'d>, scope: &Scope, paths: &[PathBuf]) -> Result<Self, Error> {
        let here = deps.files.absolute(Path::new(".")).map_err(Error::Read)?;
        let place = deps.repository.place(&here).map_err(Error::Read)?;
        let mut view = Self {
            deps,
            root: here.clone(),
            all: BTreeMap::new(),
            chosen: BTreeSet::new(),
            named: BTreeSet::new(),
            is_whole: paths.is_empty(),
            former: BTreeMap::new(),
            logical_root: here.clone(),
            is_in_git: place.is_some(),
            is_on_disk: *scope == Scope::WorkTree,
        };
        if let Some(Place { top: Some(top), prefix, .. }) = place {
            let depth = prefix.components().count();
            view.logical_root = here.ancestors().nth(depth).unwrap_or(&here).to_owned();
            view.root = top;
        } else if *scope != Scope::WorkTree {
            return Err(no_repository(&here));
        }
        match scope {
            Scope::WorkTree => view.work_tree(paths)?,
            Scope::Staged => view.staged(paths)?,
            Scope::Revision(revision) => view.revision(revision, paths)?,
        }
        Ok(view)
    }

    /// `path` as git spells it.
    fn real(&self, path: &Path) -> Result<PathBuf, Error> {
        let path = self.deps.files.absolute(path).map_err(Error::Read)?;
        Ok(match path.strip_prefix(&self.logical_root) {
            Ok(below) => self.root.join(below),
            Err(_) => path,
        })
    }

    fn work_tree(&mut self, paths: &[PathBuf]) -> Result<(), Error> {
        let deps = self.deps;
        if self.is_in_git
            && let Some(present) = deps.repository.present(&self.root).map_err(Error::Read)?
        {
            self.all = present.into_iter().map(|path| (path, None)).collect();
        }
        let here = [PathBuf::from(".")];
        let paths = if paths.is_empty() && !self.is_in_git { &here[..] } else { paths };
        if paths.is_empty() {
            self.chosen = self.all.keys().cloned().collect();
        }
        for path in paths {
            let real = self.real(path)?;
            let is_folder = deps.files.kind(path).map_err(Error::Read)? == Some(FileKind::Directory);
            if is_folder && self.is_in_git && real.starts_with(&self.root) {
                let below = self.all.keys().filter(|file| file.starts_with(&real));
                self.chosen.extend(below.cloned());
                continue;
            }
            let found = deps.files.expand(std::slice::from_ref(path)).map_err(not_found)?;
            for file in found {
                let file = self.real(&file)?;
                if file == real {
                    self.named.insert(file.clone());
                }
                self.all.entry(file.clone()).or_insert(None);
                self.chosen.insert(file);
            }
            if is_folder {
                self.add_config(&real)?;
            }
        }
        if self.is_in_git {
            self.former_of(&deps.repository.changed(&self.root).map_err(Error::Read)?)?;
        }
        Ok(())
    }

    /// Adds the config of a folder, which is left out where folders are walked.
    fn add_config(&mut self, folder: &Path) -> Result<(), Error> {
        let config = folder.join(DECIDERS[0]);
        if self.deps.files.kind(&config).map_err(Error::Read)?.is_some() {
            self.all.entry(config.clone()).or_insert(None);
            self.chosen.insert(config);
        }
        Ok(())
    }

    /// Remembers the last commit's contents of `files` among the chosen ones.
    fn former_of(&mut self, files: &[PathBuf]) -> Result<(), Error> {
        let files: Vec<PathBuf> = files.iter().filter(|file| self.chosen.contains(*file)).cloned().collect();
        if !files.is_empty() {
            let entries = self.listing(&Snapshot::Revision("HEAD".to_owned()), &files)?;
            self.former = entries.into_iter().map(|entry| (entry.path, entry.blob)).collect();
        }
        Ok(())
    }

    fn listing(&self, snapshot: &Snapshot, paths: &[PathBuf]) -> Result<Vec<Entry>, Error> {
        let listed = self.deps.repository.listing(&self.root, snapshot, paths).map_err(no_revision)?;
        Ok(listed.unwrap_or_default().into_iter().filter(|entry| entry.stage == 0).collect())
    }

    fn staged(&mut self, paths: &[PathBuf]) -> Result<(), Error> {
        let index = self.listing(&Snapshot::Index, &[])?;
        let head = self.listing(&Snapshot::Revision("HEAD".to_owned()), &[])?;
        self.take(index, paths)?;
        self.only_changed(head);
        Ok(())
    }

    fn revision(&mut self, revision: &str, paths: &[PathBuf]) -> Result<(), Error> {
        let entries = self.listing(&Snapshot::Revision(revision.to_owned()), &[])?;
        self.take(entries, paths)?;
        // The first commit has no parent.
        let parent = Snapshot::Revision(format!("{revision}^"));
        let before = self.deps.repository.listing(&self.root, &parent, &[]).ok().flatten();
        self.remember(before.unwrap_or_default());
        Ok(())
    }

    /// Takes a listing, of which the files at or below `paths` are chosen.
    fn take(&mut self, entries: Vec<Entry>, paths: &[PathBuf]) -> Result<(), Error> {
        self.all = entries.into_iter().map(|entry| (entry.path, Some(entry.blob))).collect();
        if paths.is_empty() {
            self.chosen = self.all.keys().cloned().collect();
        }
        for path in paths {
            let real = self.real(path)?;
            let below: Vec<PathBuf> =
                self.all.keys().filter(|file| file.starts_with(&real)).cloned().collect();
            if below.is_empty() {
                return Err(Error::NoSuchFile(path.clone()));
            }
            self.chosen.extend(below);
        }
        Ok(())
    }

    /// Keeps the chosen files that differ from `before`, and those whose config or
    /// list of reviewed findings does.
    fn only_changed(&mut self, before: Vec<Entry>) {
        let before: HashMap<PathBuf, String> =
            before.into_iter().map(|entry| (entry.path, entry.blob)).collect();
        let differs = |path: &Path| before.get(path) != self.all.get(path).and_then(Option::as_ref);
        let is_decider = |path: &Path| {
            let name = path.file_name().unwrap_or_default();
            DECIDERS.iter().any(|decider| name == *decider)
        };
        let gone = before.keys().filter(|path| !self.all.contains_key(*path));
        let there = self.all.keys().filter(|path| differs(path));
        let mut folders: Vec<PathBuf> = Vec::new();
        for path in gone.chain(there).filter(|path| is_decider(path)) {
            let is_config = path.ends_with(DECIDERS[0]);
            let folder = if is_config { path.parent().map(Path::to_owned) } else { None };
            folders.push(folder.unwrap_or_else(|| self.root.clone()));
        }
        let changed = |path: &PathBuf| differs(path) || folders.iter().any(|folder| path.starts_with(folder));
        self.is_whole &= folders.contains(&self.root);
        let chosen: BTreeSet<PathBuf> = self.chosen.iter().filter(|path| changed(path)).cloned().collect();
        self.former = former(&before, chosen.iter(), &differs);
        self.chosen = chosen;
    }

    /// Remembers the state before of the chosen files that differ from it.
    fn remember(&mut self, before: Vec<Entry>) {
        let before: HashMap<PathBuf, String> =
            before.into_iter().map(|entry| (entry.path, entry.blob)).collect();
        let differs = |path: &Path| before.get(path) != self.all.get(path).and_then(Option::as_ref);
        self.former = former(&before, self.chosen.iter(), &differs);
    }

    /// Every file there is, in order.
    pub fn all(&self) -> impl Iterator<Item = &Path> {
        self.all.keys().map(PathBuf::as_path)
    }

    /// The bytes of one file, if it is there. What lies outside of the state is
    /// looked up on disk.
    pub fn read(&self, path: &Path) -> Result<Option<SecretBytes>, Error> {
        let is_outside = !path.starts_with(&self.root);
        match self.all.get(path) {
            Some(Some(blob)) => Ok(self.blobs(std::slice::from_ref(blob))?.remove(blob)),
            None if !is_outside && !self.is_on_disk => Ok(None),
            _ => {
                let found = self.deps.files.read_if_there(path).map_err(Error::Read)?;
                Ok(found.map(|contents| contents.bytes))
            }
        }
    }

    fn blobs(&self, names: &[String]) -> Result<HashMap<String, SecretBytes>, Error> {
        let mut found = HashMap::new();
        let mut take = |name: &str, bytes: SecretBytes| {
            found.insert(name.to_owned(), bytes);
        };
        self.deps.repository.contents(&self.root, names, &mut take).map_err(Error::Read)?;
        Ok(found)
    }

    /// Runs `work` on the bytes of every one of `paths`, and on those that the file
    /// had in the state before, if it differs. What is no file (any more) is left out.
    pub fn each<T: Send>(&self, paths: &[PathBuf], work: &Work<'_, T>) -> Result<Vec<Done<T>>, Error> {
        let mut results = Vec::with_capacity(paths.len());
        for portion in paths.chunks(PORTION) {
            let mut wanted: Vec<String> =
                portion.iter().filter_map(|path| self.all.get(path).cloned().flatten()).collect();
            wanted.extend(portion.iter().filter_map(|path| self.former.get(path).cloned()));
            let blobs = if wanted.is_empty() { HashMap::new() } else { self.blobs(&wanted)? };
            let one = |path: &PathBuf| {
                let former = self.former.get(path).and_then(|blob| blobs.get(blob)).map(|bytes| &**bytes);
                match self.all.get(path) {
                    Some(Some(blob)) => match blobs.get(blob) {
                        Some(bytes) => Some(Ok(work(path, bytes, former))),
                        None => Some(Err(missing(path))),
                    },
                    _ => match self.deps.files.read(path) {
                        Ok(contents) => Some(Ok(work(path, &contents.bytes, former))),
                        Err(error) if self.is_nothing(path, &error) => None,
                        Err(error) => Some(Err(Error::Read(error))),
                    },
                }
            };
            let done = parallel::map(portion, false, one);
            let done = portion.iter().zip(done).filter_map(|(path, done)| Some((path.clone(), done?)));
            results.extend(done);
        }
        Ok(results)
    }

    /// True for what git lists and is no file: one that was deleted, a submodule, a
    /// link that leads nowhere.
    fn is_nothing(&self, path: &Path, error: &FileError) -> bool {
        let is_gone = matches!(error.kind, FileErrorKind::NotFound | FileErrorKind::Directory);
        is_gone && !self.named.contains(path)
    }
}

/// The names of the former contents of those of `chosen` that differ.
fn former<'p>(
    before: &HashMap<PathBuf, String>,
    chosen: impl Iterator<Item = &'p PathBuf>,
    differs: &dyn Fn(&Path) -> bool,
) -> BTreeMap<PathBuf, String> {
    let changed = chosen.filter(|path| differs(path));
    changed.filter_map(|path| Some((path.clone(), before.get(path)?.clone()))).collect()
}

fn missing(path: &Path) -> Error {
    Error::Read(FileError {
        action: "cat-file",
        path: path.to_owned(),
        kind: FileErrorKind::NotFound,
        reason: "git has not got its contents".to_owned(),
    })
}

fn no_repository(folder: &Path) -> Error {
    Error::Other {
        place: ErrorPlace::file(folder),
        cause: "there is no git repository with a work tree here, or no git".into(),
        hints: vec!["without --staged and --rev, files are read where they are".to_owned()],
    }
}

fn no_revision(error: FileError) -> Error {
    match error.kind {
        FileErrorKind::NotFound => Error::Other {
            place: ErrorPlace::default(),
            cause: format!("there is no revision {}", error.path.display()).into(),
            hints: vec!["`git log --oneline` lists commits".to_owned()],
        },
        _ => Error::Read(error),
    }
}

fn not_found(error: FileError) -> Error {
    match error.kind {
        FileErrorKind::NotFound => Error::NoSuchFile(error.path),
        _ => Error::Read(error),
    }
}
