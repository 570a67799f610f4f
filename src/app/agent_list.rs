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

/// All principals.
pub fn run(deps: &Deps<'_>) -> Result<Vec<Listed>, Error> {
    let draft = Draft::read(deps)?;
    Ok(draft.policy.principals.values().map(listed(deps, &draft)).collect())
}

/// What a principal of `draft` is with its files.
pub fn listed(deps: &Deps<'_>, draft: &Draft) -> impl Fn(&Principal) -> Listed + use<> {
    let manifest = manifest(deps, draft).unwrap_or_default();
    move |principal| Listed {
        principal: principal.clone(),
        files: manifest.derived.values().filter(|file| file.agent == principal.name).cloned().collect(),
    }
}

/// The manifest, if it counts: a policy that is being written has none.
fn manifest(deps: &Deps<'_>, draft: &Draft) -> Option<Manifest> {
    authority::unpinned(deps, &draft.root).ok()?.manifest
}
