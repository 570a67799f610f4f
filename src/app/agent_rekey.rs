//! A principal gets other keys: they take the place of its old ones in the policy, and its
//! derived files are made anew for them.

use super::Deps;
use super::agent::authority;
use super::agent_add::Outcome;
use super::derived::plan::{self, Accept};
use super::derived::put;
use super::error::Error;
use super::principals::{self, Draft, Wanted};
use super::request::OpenOptions;
use crate::domain::agent::policy::edit;

/// Who gets which keys.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Its name.
    pub name: String,
    /// Its keys.
    pub wanted: Wanted,
    /// The key that signs policy and manifest, if it is not the user's own.
    pub signing_key: Option<String>,
    /// Keys of the sources.
    pub open: OpenOptions,
}

/// Gives a principal other keys: policy, manifest and derived files change together.
pub fn run(deps: &Deps<'_>, request: &Request) -> Result<Outcome, Error> {
    let draft = Draft::read(deps)?;
    draft.principal(&request.name)?;
    put::finish_unfinished(deps, &draft.root)?;
    let authority = authority::load(deps, &draft.root)?;
    let made = principals::keys(deps, &draft.root, &request.name, &request.wanted)?;
    let changed = draft.changed(deps, |bytes| edit::with_keys(bytes, &request.name, &made.keys))?;
    let key = request.signing_key.as_deref();
    let next = changed.authority(&authority);
    let mut writes = changed.signed(deps, key)?;
    if authority.manifest.is_some() {
        let plan = plan::plan(deps, &next, &[], &Accept::default(), &request.open)?;
        writes.extend(put::finished(deps, &next, plan, key)?);
    }
    made.kept(deps, || put::commit(deps, put::COMMAND, &draft.root, &writes))?;
    Ok(Outcome { files: made.places(), age: made.keys.age, sign: made.keys.sign, unsigned: None })
}
