//! Somebody leaves: his key goes out of `.sops.yaml` and out of every file, each
//! with a new data key, all or nothing; and what he could ever read is listed,
//! because a value that he knows stays known until it is another one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Deps;
use super::batch;
use super::config;
use super::error::{Error, Place};
use super::exposure::{self, Exposure, Question};
use super::open::Locked;
use super::rekey::{self, KeyPlan};
use super::rekey_batch::{self, Other, Planned};
use super::request::{FileOptions, Notice, OpenOptions};
use super::strangers::{self, Strangers};
use crate::domain::config as rules;
use crate::domain::keys::names::Names;
use crate::domain::metadata::Metadata;

/// Who leaves, and which files he leaves.
#[derive(Clone, Debug)]
pub struct Request {
    /// A key, or a name.
    pub wanted: String,
    /// Files, directories and patterns; empty for everything that git tracks here.
    pub paths: Vec<PathBuf>,
    /// Recipients that no rule lists.
    pub strangers: Strangers,
    /// Formats, config.
    pub file: FileOptions,
    /// Keys.
    pub open: OpenOptions,
}

/// What is going to happen.
#[derive(Debug)]
pub struct Revocation {
    /// Files that change.
    pub plans: Vec<KeyPlan>,
    /// Configs that change.
    pub configs: Vec<Other>,
    /// What could be read.
    pub exposure: Exposure,
    /// What to say on the side.
    pub notices: Vec<Notice>,
}

/// What could ever be read, for `--check`.
pub fn check(deps: &Deps<'_>, request: &Request) -> Result<Exposure, Error> {
    let exposure = exposure::of(deps, &question(deps, request, Vec::new(), false)?)?;
    if exposure.keys.is_empty() {
        return Err(nobody(request, &exposure.names));
    }
    Ok(exposure)
}

/// Plans a revocation; nothing is written yet.
pub fn plan(deps: &Deps<'_>, request: &Request) -> Result<Revocation, Error> {
    let items = match request.paths.is_empty() {
        true => rekey_batch::all(deps)?,
        false => batch::expand(deps.files, &request.paths)?,
    };
    let mut files = Vec::with_capacity(items.len());
    for item in &items {
        files.push(deps.files.absolute(&item.path).map_err(Error::Read)?);
    }
    let exposure = exposure::of(deps, &question(deps, request, files.clone(), true)?)?;
    let meant = |key: &str| exposure.names.means(&request.wanted, key);
    let planned =
        rekey_batch::plan(deps, items, &|path, notices| plan_one(deps, path, request, &meant, notices));
    let mut plans = Vec::new();
    let mut notices = Vec::new();
    for file in planned {
        match file.result? {
            Planned::Plan(plan, said) if plan.is_change() => {
                notices.extend(said);
                plans.push(*plan);
            }
            Planned::Plan(..) | Planned::Skipped(_) => {}
        }
    }
    let configs = configs(deps, request, &files, &meant)?;
    if plans.is_empty() && configs.is_empty() && exposure.keys.is_empty() {
        return Err(nobody(request, &exposure.names));
    }
    Ok(Revocation { plans, configs, exposure, notices })
}

/// Does what was planned: all of it, or nothing. Returns what the user should hear
/// about.
pub fn run(
    deps: &Deps<'_>,
    request: &Request,
    revocation: &Revocation,
) -> Result<Vec<Notice>, Vec<(PathBuf, Error)>> {
    let plans: Vec<&KeyPlan> = revocation.plans.iter().collect();
    rekey_batch::change(deps, "revoke", &plans, &revocation.configs, &request.file, &request.open)
}

fn question(
    deps: &Deps<'_>,
    request: &Request,
    mut paths: Vec<PathBuf>,
    with_files: bool,
) -> Result<Question, Error> {
    // What was deleted lies in no folder any more that could be expanded.
    for path in &request.paths {
        paths.push(deps.files.absolute(path).map_err(Error::Read)?);
    }
    if request.paths.is_empty() && !with_files {
        paths.clear();
    }
    let root = rekey_batch::root(deps)?;
    if request.paths.is_empty() && with_files {
        paths.push(root.clone());
    }
    Ok(Question {
        wanted: request.wanted.clone(),
        keys: Vec::new(),
        root,
        paths,
        with_files,
        file: request.file.clone(),
        open: request.open.clone(),
    })
}

/// One file without the keys that go.
fn plan_one(
    deps: &Deps<'_>,
    path: &Path,
    request: &Request,
    meant: &dyn Fn(&str) -> bool,
    notices: &mut Vec<Notice>,
) -> Result<KeyPlan, Error> {
    let input = rekey::read(deps, path, &request.file)?;
    let format = request.file.input_format.unwrap_or_else(|| input.format());
    let place = input.place();
    let metadata = Locked::parse(&input.bytes, format, &place)?.metadata;
    let mut groups = metadata.groups.clone();
    groups.iter_mut().for_each(|group| group.retain(|key| !meant(&key.name())));
    let changes = groups.iter().flatten().count() < metadata.keys().count();
    if let Some(number) = groups.iter().position(Vec::is_empty).filter(|_| changes) {
        return Err(Error::Other {
            place,
            cause: format!("nobody would be left in group {number} of this file: nothing was written").into(),
            hints: vec![
                "give it another recipient first: `leaflock rotate -i --add-age RECIPIENT FILE`".to_owned(),
            ],
        });
    }
    if changes {
        let left = Metadata { groups: groups.clone(), ..metadata.clone() };
        let options = &request.file;
        notices.extend(strangers::check(deps, &input.name, &place, &left, options, request.strangers)?);
    }
    let mut plan = KeyPlan::new(&input, &metadata, groups, metadata.shamir_threshold);
    plan.new_data_key = changes;
    Ok(plan)
}

/// The configs in force for the files, without the keys that go.
pub fn configs(
    deps: &Deps<'_>,
    request: &Request,
    files: &[PathBuf],
    meant: &dyn Fn(&str) -> bool,
) -> Result<Vec<Other>, Error> {
    let mut found = BTreeMap::new();
    let here = rekey_batch::root(deps)?.join(config::NAME);
    for file in files.iter().chain([&here]) {
        if let Some(config) = config::find(deps, file, &request.file, &mut Vec::new())? {
            found.insert(config.path.clone(), ());
        }
    }
    let mut changed = Vec::new();
    for (path, ()) in found {
        let contents = deps.files.read(&path).map_err(Error::Read)?;
        let made =
            rules::without(&contents.bytes, meant).map_err(|error| config::config_error(error, &path))?;
        changed.extend(made.map(|bytes| Other { path, bytes, seen: contents.fingerprint }));
    }
    Ok(changed)
}

fn nobody(request: &Request, names: &Names) -> Error {
    let mut known: Vec<&str> = names.known().collect();
    known.sort_unstable();
    known.dedup();
    let hint = match &known[..] {
        [] => "`leaflock who PATH…` lists the recipients of files".to_owned(),
        known => format!("known names: {}", known.join(", ")),
    };
    Error::Other {
        place: Place::default(),
        cause: format!("no file, no config and no commit here knows the recipient {:?}", request.wanted)
            .into(),
        hints: vec![hint],
    }
}
