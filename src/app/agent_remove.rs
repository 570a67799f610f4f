//! A principal goes: out of the policy with its grants, its derived files with it; where it
//! was a recipient of a source, that gets a new data key. All of it, or nothing. What it
//! could read it knows still: that is listed.

use std::path::PathBuf;

use super::Deps;
use super::agent::authority;
use super::agent::write::{self, Write};
use super::agent_exposure;
use super::audit::record;
use super::derived::plan::{self, Accept, Fresh};
use super::derived::{put, sources};
use super::error::{Error, Place};
use super::exposure::Exposure;
use super::open::Locked;
use super::principals::Draft;
use super::rekey::{self, KeyPlan, Rewritten};
use super::request::{FileOptions, Notice, OpenOptions};
use super::revoke;
use super::strangers::Strangers;
use crate::domain::agent::audit::entry::Action;
use crate::domain::agent::policy::edit;

/// Who goes.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Its name.
    pub name: String,
    /// Write nothing.
    pub dry_run: bool,
    /// The key that signs policy and manifest, if it is not the user's own.
    pub signing_key: Option<String>,
    /// Formats, config.
    pub file: FileOptions,
    /// Keys of the sources.
    pub open: OpenOptions,
}

/// What was done, or would be.
#[derive(Debug)]
pub struct Outcome {
    /// The derived files that went.
    pub removed: Vec<String>,
    /// The sources with a new data key.
    pub rekeyed: Vec<PathBuf>,
    /// The configs that changed.
    pub configs: Vec<PathBuf>,
    /// What could be read.
    pub exposure: Exposure,
    /// What to say on the side.
    pub notices: Vec<Notice>,
}

/// Removes a principal.
pub fn run(deps: &Deps<'_>, request: &Request) -> Result<Outcome, Error> {
    record::attempt_to(deps, Action::PolicyChange);
    let draft = Draft::read(deps)?;
    let principal = draft.principal(&request.name)?;
    refuse_broker(&draft, &request.name)?;
    if !request.dry_run {
        write::finish_unfinished(deps, &draft.root)?;
    }
    let authority = authority::load(deps, &draft.root)?;
    let keys = agent_exposure::keys(deps, &draft, &request.name)?;
    let exposure = agent_exposure::of(deps, &draft, &request.name, keys, (&request.file, &request.open))?;
    let changed = draft.changed(deps, |bytes| edit::without_principal(bytes, &request.name))?;
    let next = changed.authority(&authority);
    let meant = |key: &str| principal.age.iter().any(|own| own == key);
    let plans = plans(deps, &draft, request, &meant)?;
    let question = revoke::Request {
        wanted: request.name.clone(),
        paths: Vec::new(),
        strangers: Strangers::default(),
        file: request.file.clone(),
        open: request.open.clone(),
    };
    let paths: Vec<PathBuf> = plans.iter().map(|plan| plan.path.clone()).collect();
    let configs = revoke::configs(deps, &question, &paths, &meant)?;
    let mut outcome = Outcome {
        removed: Vec::new(),
        rekeyed: paths,
        configs: configs.iter().map(|config| config.path.clone()).collect(),
        exposure,
        notices: Vec::new(),
    };
    let files = plans
        .iter()
        .map(|plan| rekey::rewrite(deps, plan, &request.file, &request.open))
        .collect::<Result<Vec<Rewritten>, Error>>()?;
    let key = request.signing_key.as_deref();
    let mut writes = Vec::new();
    if authority.manifest.is_some() {
        let fresh: Vec<Fresh<'_>> = plans
            .iter()
            .zip(&files)
            .map(|(plan, file)| Fresh {
                path: &plan.path,
                bytes: &file.bytes,
                data_key: Some(&file.data_key),
            })
            .collect();
        let plan = plan::plan(deps, &next, &fresh, &Accept::default(), &request.open)?;
        outcome.removed.clone_from(&plan.removed);
        outcome.notices.extend(plan.notices.iter().cloned());
        if !request.dry_run {
            writes.extend(put::finished(deps, &next, plan, key)?);
        }
    }
    if request.dry_run {
        return Ok(outcome);
    }
    for (plan, file) in plans.iter().zip(files) {
        outcome.notices.extend(file.notices);
        writes.push(Write::read(plan.path.clone(), file.bytes, file.input.seen));
    }
    let configs = configs.into_iter();
    writes.extend(configs.map(|config| Write::read(config.path, config.bytes, config.seen)));
    writes.extend(changed.signed(deps, key)?);
    write::commit(deps, write::COMMAND, &draft.root, &writes)?;
    outcome.notices.extend(record::changed(deps, Action::PolicyChange, &draft.path()));
    Ok(outcome)
}

/// Without its broker, an agent would get what it may use in its own file.
fn refuse_broker(draft: &Draft, name: &str) -> Result<(), Error> {
    let served = edit::served_by(&draft.policy, name);
    if served.is_empty() {
        return Ok(());
    }
    Err(Error::Other {
        place: Place::file(draft.path()),
        cause: format!("{name} is the broker of {}", served.join(", ")).into(),
        hints: vec!["give them another broker, or none, first".to_owned()],
    })
}

/// New data keys for the sources that the principal can open itself.
fn plans(
    deps: &Deps<'_>,
    draft: &Draft,
    request: &Request,
    meant: &dyn Fn(&str) -> bool,
) -> Result<Vec<KeyPlan>, Error> {
    let mut plans = Vec::new();
    for source in sources::all(deps, &draft.root, &draft.policy)? {
        let input = rekey::read(deps, &source.path, &request.file)?;
        let place = input.place();
        let metadata = Locked::parse(&input.bytes, source.format(), &place)?.metadata;
        let mut groups = metadata.groups.clone();
        groups.iter_mut().for_each(|group| group.retain(|key| !meant(&key.name())));
        if groups.iter().flatten().count() == metadata.keys().count() {
            continue;
        }
        if groups.iter().any(Vec::is_empty) {
            return Err(Error::Other {
                place,
                cause: "nobody would be left in a group of this file: nothing was written".into(),
                hints: vec![
                    "give it another recipient first: `leaflock rotate -i --add-age RECIPIENT FILE`"
                        .to_owned(),
                ],
            });
        }
        let mut plan = KeyPlan::new(&input, &metadata, groups, metadata.shamir_threshold);
        plan.new_data_key = true;
        plans.push(plan);
    }
    Ok(plans)
}
