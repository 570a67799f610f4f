//! The principals of a policy, and what files they have.

use super::Deps;
use super::agent::authority;
use super::error::Error;
use super::principals::Draft;
use crate::domain::agent::manifest::{Derived, Manifest};
use crate::domain::agent::policy::Principal;

/// Somebody.
#[derive(Clone, Debug)]
pub struct Listed {
    /// As the policy has it.
    pub principal: Principal,
    /// Its derived files, by source.
    pub files: Vec<Derived>,
}

/// All principals, or the one called `name`.
pub fn run(deps: &Deps<'_>, name: Option<&str>) -> Result<Vec<Listed>, Error> {
    let draft = Draft::read(deps)?;
    let manifest = manifest(deps, &draft);
    let listed = |principal: &Principal| Listed {
        principal: principal.clone(),
        files: manifest
            .iter()
            .flat_map(|manifest| manifest.derived.values())
            .filter(|file| file.agent == principal.name)
            .cloned()
            .collect(),
    };
    match name {
        Some(name) => Ok(vec![listed(draft.principal(name)?)]),
        None => Ok(draft.policy.principals.values().map(listed).collect()),
    }
}

/// The manifest, if it counts: a policy that is being written has none.
fn manifest(deps: &Deps<'_>, draft: &Draft) -> Option<Manifest> {
    authority::unpinned(deps, &draft.root).ok()?.manifest
}
