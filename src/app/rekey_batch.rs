//! New keys for many files in one step: every plan is made before anything is
//! asked, every new file is made and proven before the first replaces its old
//! self, and all of them do or none.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::Deps;
use super::agent::write::{self, Write};
use super::batch::{self, Finished, Item};
use super::config;
use super::derived::plan::{Accept, Fresh};
use super::derived::put::Governing;
use super::derived::{self, put};
use super::error::Error;
use super::parallel;
use super::ports::{FileKind, Fingerprint, Unfinished};
use super::rekey::{self, KeyPlan, Rewritten};
use super::request::{FileOptions, Named, Notice, OpenOptions, Together};
use crate::domain::agent::audit::entry::Action;
use crate::domain::crypto::token;

/// What is planned for one file.
#[derive(Debug)]
pub enum Planned {
    /// Its new keys, and what to say on the side.
    Plan(Box<KeyPlan>, Vec<Notice>),
    /// It is not meant: why, in a few words.
    Skipped(&'static str),
}

/// How a command plans for one file.
pub type Planner<'p> = dyn Fn(&Path, &mut Vec<Notice>) -> Result<KeyPlan, Error> + Sync + 'p;

/// Plans for every file. What nobody can have meant is skipped: plain files in a
/// folder, files that no rule is for, a second name of the same file.
pub fn plan(deps: &Deps<'_>, items: Vec<Item>, planner: &Planner<'_>) -> Vec<Finished<Planned>> {
    let mut finished = batch::run(deps, items, &|item| {
        let mut notices = Vec::new();
        match planner(&item.path, &mut notices) {
            Ok(plan) => Ok(Planned::Plan(Box::new(plan), notices)),
            Err(error) if item.named != Named::Directly => skipped(deps, item, error),
            Err(error) => Err(error),
        }
    });
    let mut seen = BTreeSet::new();
    for file in &mut finished {
        if let Ok(Planned::Plan(plan, _)) = &file.result
            && let Some(state) = plan.seen
            && !seen.insert((state.device, state.inode))
        {
            file.result = Ok(Planned::Skipped("named twice"));
        }
    }
    finished
}

fn skipped(deps: &Deps<'_>, item: &Item, error: Error) -> Result<Planned, Error> {
    match &error {
        error if config::is_no_match(error) => Ok(Planned::Skipped("no rule is for them")),
        Error::NotEncrypted(_) => Ok(Planned::Skipped("not encrypted")),
        Error::Syntax { .. } | Error::Metadata { .. } => {
            let contents = deps.files.read(&item.path).map_err(Error::Read)?;
            match token::occurs_in(&contents.bytes) {
                true => Err(error),
                false => Ok(Planned::Skipped("not encrypted")),
            }
        }
        _ => Err(error),
    }
}

/// A file that changes with the others, and is no encrypted one: a config.
#[derive(Debug)]
pub struct Other {
    /// Which, absolute.
    pub path: PathBuf,
    /// Its new state.
    pub bytes: Vec<u8>,
    /// Its old one.
    pub seen: Option<Fingerprint>,
}

/// Changes all files of `plans` and `others`, or none of them. Returns what the
/// user should hear about.
///
/// # Errors
/// One for every file that could not be made; or the one of the disk, alone.
pub fn change(
    deps: &Deps<'_>,
    command: &str,
    plans: &[&KeyPlan],
    others: &[Other],
    file: &FileOptions,
    keys: &OpenOptions,
) -> Result<Vec<Notice>, Vec<(PathBuf, Error)>> {
    let alone = |path: &Path, error| vec![(path.to_owned(), error)];
    let mut paths: Vec<PathBuf> = plans.iter().map(|plan| plan.path.clone()).collect();
    // A key that asks a person asks once for all of them.
    let together =
        Together { paths: paths.clone().into(), input_format: file.input_format, ..keys.together.clone() };
    let action = if command == "rotate" { Action::Rotate } else { Action::Updatekeys };
    let keys = &OpenOptions { together, ..keys.to(action) };
    paths.extend(others.iter().map(|other| other.path.clone()));
    let Some(first) = paths.first() else { return Ok(Vec::new()) };
    let root = root(deps).map_err(|error| alone(first, error))?;
    let changing: Vec<&Path> = plans.iter().map(|plan| plan.path.as_path()).collect();
    let governed = put::governing_all(deps, &changing).map_err(|error| alone(first, error))?;
    if !governed.is_empty() {
        let job = Governed { command, plans, others, file, keys, policies: governed };
        return job.change(deps, &root);
    }
    let write = |error| Error::Write { in_place: true, error };
    let transaction =
        deps.transactions.begin(&root, command, &paths).map_err(|error| alone(&root, write(error)))?;
    deps.progress.start(paths.len());
    let indices: Vec<usize> = (0..paths.len()).collect();
    let made = parallel::map(&indices, false, |&index| {
        let staged = match plans.get(index) {
            Some(plan) => {
                let Rewritten { input, bytes, notices, .. } = rekey::rewrite(deps, plan, file, keys)?;
                transaction.stage(index, &bytes, input.seen).map_err(write)?;
                Ok(notices)
            }
            None => {
                let other = &others[index - plans.len()];
                transaction.stage(index, &other.bytes, other.seen).map_err(write)?;
                Ok(Vec::new())
            }
        };
        deps.progress.step();
        staged
    });
    deps.progress.finish();
    let mut notices = Vec::new();
    let mut failed: Vec<(PathBuf, Error)> = Vec::new();
    for (path, made) in paths.iter().zip(made) {
        match made {
            Ok(more) => notices.extend(more),
            Err(error) => failed.push((path.clone(), error)),
        }
    }
    if !failed.is_empty() {
        return Err(failed);
    }
    transaction.commit().map_err(|error| alone(&error.path.clone(), write(error)))?;
    Ok(notices)
}

/// The same where policies govern some of the files: what is made from them changes with
/// them.
struct Governed<'g> {
    command: &'g str,
    plans: &'g [&'g KeyPlan],
    others: &'g [Other],
    file: &'g FileOptions,
    keys: &'g OpenOptions,
    /// With the places of their files in `plans`.
    policies: Vec<Governing>,
}

impl Governed<'_> {
    fn change(self, deps: &Deps<'_>, root: &Path) -> Result<Vec<Notice>, Vec<(PathBuf, Error)>> {
        deps.progress.start(self.plans.len());
        let made = parallel::map(self.plans, false, |plan| {
            let made = rekey::rewrite(deps, plan, self.file, self.keys);
            deps.progress.step();
            made
        });
        deps.progress.finish();
        let mut files = Vec::with_capacity(made.len());
        let mut failed = Vec::new();
        for (plan, made) in self.plans.iter().zip(made) {
            match made {
                Ok(made) => files.push(made),
                Err(error) => failed.push((plan.path.clone(), error)),
            }
        }
        if !failed.is_empty() {
            return Err(failed);
        }
        self.put(deps, root, files).map_err(|error| vec![(error.path().unwrap_or(root).to_owned(), error)])
    }

    fn put(&self, deps: &Deps<'_>, root: &Path, files: Vec<Rewritten>) -> Result<Vec<Notice>, Error> {
        let mut notices: Vec<Notice> = files.iter().flat_map(|file| file.notices.iter().cloned()).collect();
        let mut writes = Vec::new();
        for (authority, places) in &self.policies {
            let fresh = |at: &usize| Fresh {
                path: &self.plans[*at].path,
                bytes: &files[*at].bytes,
                data_key: Some(&files[*at].data_key),
            };
            let fresh: Vec<Fresh<'_>> = places.iter().map(fresh).collect();
            let planned = derived::plan::plan(deps, authority, &fresh, &Accept::default(), self.keys)?;
            notices.extend(planned.notices.iter().cloned());
            writes.extend(put::finished(deps, authority, planned, None)?);
        }
        for (plan, file) in self.plans.iter().zip(files) {
            writes.push(Write::read(plan.path.clone(), file.bytes, file.input.seen));
        }
        for other in self.others {
            writes.push(Write::read(other.path.clone(), other.bytes.clone(), other.seen));
        }
        write::commit(deps, self.command, root, &writes)?;
        Ok(notices)
    }
}

/// Refuses to begin where a call that was killed left some files changed.
pub fn refuse_unfinished(deps: &Deps<'_>) -> Result<(), Error> {
    match unfinished(deps)? {
        None => Ok(()),
        Some(left) => Err(Error::Unfinished {
            command: left.command().to_owned(),
            done: left.done(),
            total: left.files().len(),
        }),
    }
}

/// What became of the files of a call that was killed.
#[derive(Debug)]
pub struct Settled {
    /// All of its files.
    pub files: Vec<PathBuf>,
    /// Those that somebody else changed since: they were left alone.
    pub left: Vec<PathBuf>,
}

/// Finishes what a call that was killed began, or undoes it; `None` if there is
/// no such call.
pub fn settle(deps: &Deps<'_>, forward: bool) -> Result<Option<Settled>, Error> {
    let Some(left) = unfinished(deps)? else { return Ok(None) };
    let files = left.files().to_vec();
    let left = left.settle(forward).map_err(|error| Error::Write { in_place: true, error })?;
    Ok(Some(Settled { files, left }))
}

fn unfinished<'d>(deps: &Deps<'d>) -> Result<Option<Box<dyn Unfinished + 'd>>, Error> {
    let root = root(deps)?;
    deps.transactions.unfinished(&root).map_err(|error| Error::Write { in_place: true, error })
}

/// The folder that the journal lies in: the nearest one, from the working folder
/// upwards, that holds a `.sops.yaml` or a git repository; else the working folder.
pub fn root(deps: &Deps<'_>) -> Result<PathBuf, Error> {
    let working = deps.files.absolute(Path::new(".")).map_err(Error::Read)?;
    for folder in working.ancestors() {
        for name in [config::NAME, ".git"] {
            if deps.files.kind(&folder.join(name)).map_err(Error::Read)?.is_some() {
                return Ok(folder.to_owned());
            }
        }
    }
    Ok(working)
}

/// The files that `--all` stands for: those that git knows, else all that lie
/// below the root.
pub fn all(deps: &Deps<'_>) -> Result<Vec<Item>, Error> {
    let root = root(deps)?;
    let walked = |path| Item { path, named: Named::Walked };
    if let Some(tracked) = deps.repository.tracked(&root).map_err(Error::Read)? {
        let is_file = |path: &PathBuf| matches!(deps.files.kind(path), Ok(Some(FileKind::Regular)));
        return Ok(tracked.into_iter().filter(is_file).map(walked).collect());
    }
    batch::expand(deps.files, &[root])
}
