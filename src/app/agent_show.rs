//! One principal: see [`super::agent_list`].

use super::Deps;
use super::agent_list::{self, Listed};
use super::error::Error;

/// The principal called `name`.
pub fn run(deps: &Deps<'_>, name: &str) -> Result<Option<Listed>, Error> {
    agent_list::run(deps, Some(name)).map(|mut found| found.pop())
}
