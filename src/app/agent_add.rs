//! A principal comes: its public keys go into the policy, private ones that are made go to
//! a place outside of the repository.

use std::path::PathBuf;

use super::Deps;
use super::error::Error;
use super::principals::{self, Draft, Wanted};
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
    /// The key that signs the policy, if it is not the user's own.
    pub signing_key: Option<String>,
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
}

/// Adds a principal.
pub fn run(deps: &Deps<'_>, request: &Request) -> Result<Outcome, Error> {
    let draft = Draft::read(deps)?;
    let refused = |message: String, hint: &str| Error::SetArgument { message, hints: vec![hint.to_owned()] };
    check_name(&request.name).map_err(|error| {
        refused(error.to_string(), "a name has segments of letters, digits and ._- with / between them")
    })?;
    if draft.policy.principals.contains_key(&request.name) {
        let message = format!("the policy has a principal {} already", request.name);
        return Err(refused(message, "`leaflock agent rekey` gives it other keys"));
    }
    let made = principals::keys(deps, &draft.root, &request.name, &request.wanted)?;
    let roles: Vec<&str> = request.roles.iter().map(|role| role.as_str()).collect();
    let changed =
        draft.changed(deps, |bytes| edit::with_principal(bytes, &request.name, &made.keys, &roles))?;
    let signing_key = request.signing_key.as_deref();
    let unsigned = made.kept(deps, || principals::write(deps, &changed, signing_key))?;
    Ok(Outcome { files: made.places(), age: made.keys.age, sign: made.keys.sign, unsigned })
}
