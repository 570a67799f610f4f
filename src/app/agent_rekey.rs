//! A principal gets other keys: they take the place of its old ones in the policy, and its
//! derived files are made anew for them.

use super::Deps;
use super::agent::{authority, write};
use super::agent_add::Outcome;
use super::audit::record;
use super::derived::plan::{self, Accept};
use super::derived::put;
use super::error::Error;
use super::principals::{self, Draft, Wanted};
use super::request::OpenOptions;
use crate::domain::agent::audit::entry::Action;
use crate::domain::agent::policy::edit;

/// Who gets which keys.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Its name.
    pub name: String,
    /// Its keys.
    pub wanted: Wanted,
    /// Keys of the sources.
    pub open: OpenOptions,
}

/// Gives a principal other keys: policy, manifest and derived files change together.
pub fn run(deps: &Deps<'_>, request: &Request) -> Result<Outcome, Error> {
    record::attempt_to(deps, Action::PolicyChange);
    let draft = Draft::read(deps)?;
    draft.principal(&request.name)?;
    write::finish_unfinished(deps, &draft.root)?;
    let authority = authority::load(deps, &draft.root)?;
    let made = principals::keys(deps, &draft.root, &request.name, &request.wanted)?;
    let changed = draft.changed(deps, |bytes| edit::with_keys(bytes, &request.name, &made.keys))?;
    let next = changed.authority(&authority);
    let mut writes = changed.signed(deps, None)?;
    if authority.manifest.is_some() {
        let plan = plan::plan(deps, &next, &[], &Accept::default(), &request.open)?;
        writes.extend(put::finished(deps, &next, plan, None)?);
    }
    made.kept(deps, || write::commit(deps, write::COMMAND, &draft.root, &writes))?;
    let notice = record::changed(deps, Action::PolicyChange, &draft.path());
    Ok(Outcome { files: made.places(), age: made.keys.age, sign: made.keys.sign, unsigned: None, notice })
}
