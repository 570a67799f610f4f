//! One principal: see [`super::agent_list`].

use super::Deps;
use super::agent_list::{self, Listed};
use super::error::Error;
use super::principals::Draft;

/// The principal called `name`.
///
/// # Errors
/// [`Error::NotFound`] if there is none.
pub fn run(deps: &Deps<'_>, name: &str) -> Result<Listed, Error> {
    let draft = Draft::read(deps)?;
    Ok(agent_list::listed(deps, &draft)(draft.principal(name)?))
}
