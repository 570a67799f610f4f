//! What a principal could ever read, by every key that any state of the policy gave it.

use std::collections::BTreeSet;

use super::Deps;
use super::error::{Error, Place};
use super::exposure::{self, Exposure, Question};
use super::principals::Draft;
use super::request::{FileOptions, OpenOptions};
use crate::domain::agent::policy::{self, Policy};
use crate::domain::secret::SecretBytes;

/// Every secret and version that `name` could open.
///
/// # Errors
/// No state of the policy knows that name.
pub fn run(deps: &Deps<'_>, name: &str, file: &FileOptions, open: &OpenOptions) -> Result<Exposure, Error> {
    let draft = Draft::read(deps)?;
    let keys = keys(deps, &draft, name)?;
    of(deps, &draft, name, keys, (file, open))
}

/// The same for keys that are known.
pub fn of(
    deps: &Deps<'_>,
    draft: &Draft,
    name: &str,
    keys: BTreeSet<String>,
    (file, open): (&FileOptions, &OpenOptions),
) -> Result<Exposure, Error> {
    let question = Question {
        wanted: name.to_owned(),
        keys: keys.into_iter().collect(),
        root: draft.root.clone(),
        paths: Vec::new(),
        with_files: true,
        file: file.clone(),
        open: open.clone(),
    };
    exposure::of(deps, &question)
}

/// The age recipients of `name` in every state of the policy.
pub fn keys(deps: &Deps<'_>, draft: &Draft, name: &str) -> Result<BTreeSet<String>, Error> {
    let path = draft.path();
    let history = deps.repository.history_of(&draft.root, policy::PLACE, None).map_err(Error::Read)?;
    let blobs = history.into_iter().flatten().map(|version| version.blob).collect();
    let mut policies = vec![draft.policy.clone()];
    let mut take = |_: &str, bytes: SecretBytes| policies.extend(Policy::parse(&bytes));
    deps.repository.each_content(&draft.root, blobs, &mut take).map_err(Error::Read)?;
    let known: Vec<&policy::Principal> =
        policies.iter().filter_map(|policy| policy.principals.get(name)).collect();
    if known.is_empty() {
        return Err(Error::NotFound {
            place: Place::file(path),
            message: format!("no state of the policy has a principal {name}"),
            hints: vec!["`leaflock agent list` lists those that there are".to_owned()],
        });
    }
    Ok(known.into_iter().flat_map(|principal| principal.age.iter().cloned()).collect())
}
