//! A principal comes: its public keys go into the policy, private ones that are made go to
//! a place outside of the repository.

use std::path::PathBuf;

use super::Deps;
use super::agent::write;
use super::audit::record;
use super::error::Error;
use super::principals::{self, Draft, Wanted};
use super::request::Notice;
use crate::domain::agent::audit::entry::Action;
use crate::domain::agent::pattern::check_name;
use crate::domain::agent::policy::{Role, edit};

/// Who comes.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Its name.
    pub name: String,
    /// Its keys.
    pub wanted: Wanted,
    /// Its roles.
    pub roles: Vec<Role>,
}

/// What was done.
#[derive(Debug)]
pub struct Outcome {
    /// Age recipients.
    pub age: Vec<String>,
    /// Public keys.
    pub sign: Vec<String>,
    /// The files of new private keys.
    pub files: Vec<PathBuf>,
    /// Why the policy is not signed, if it is not.
    pub unsigned: Option<Error>,
    /// That the audit trail has no entry of it.
    pub notice: Option<Notice>,
}

/// Adds a principal.
pub fn run(deps: &Deps<'_>, request: &Request) -> Result<Outcome, Error> {
    record::attempt_to(deps, Action::PolicyChange);
    let draft = Draft::read(deps)?;
    let refused = |message: String, hint: &str| Error::SetArgument { message, hints: vec![hint.to_owned()] };
    check_name(&request.name).map_err(|error| {
        refused(error.to_string(), "a name has segments of letters, digits and ._- with / between them")
    })?;
    if draft.policy.principals.contains_key(&request.name) {
        let message = format!("the policy has a principal {} already", request.name);
        return Err(refused(message, "`leaflock agent rekey` gives it other keys"));
    }
    write::finish_unfinished(deps, &draft.root)?;
    let made = principals::keys(deps, &draft.root, &request.name, &request.wanted)?;
    let roles: Vec<&str> = request.roles.iter().map(|role| role.as_str()).collect();
    let changed =
        draft.changed(deps, |bytes| edit::with_principal(bytes, &request.name, &made.keys, &roles))?;
    let unsigned = made.kept(deps, || principals::write(deps, &changed))?;
    let notice = match unsigned {
        None => record::changed(deps, Action::PolicyChange, &draft.path()),
        // Whoever signs it writes the entry.
        Some(_) => None,
    };
    Ok(Outcome { files: made.places(), age: made.keys.age, sign: made.keys.sign, unsigned, notice })
}
