//! Key groups are added to a file and deleted from it (sops-compat 10.7).

use std::path::Path;

use super::Deps;
use super::error::Error;
use super::open::Locked;
use super::rekey::{self, KeyPlan};
use super::request::FileOptions;
use crate::domain::keys::kinds::{KeyKind, KeySpec};
use crate::domain::metadata::MasterKey;

/// What to do.
#[derive(Clone, Debug)]
pub enum Action {
    /// Add a group of these keys.
    Add(Vec<KeySpec>),
    /// Delete the group at this place, from 0.
    Delete(usize),
}

/// What to do, and how many groups are needed afterwards.
#[derive(Clone, Debug)]
pub struct Request {
    /// The group.
    pub action: Action,
    /// `--shamir-secret-sharing-threshold`; `None` leaves it.
    pub threshold: Option<usize>,
    /// Whoever loses access keeps what he could read, and everything that is added.
    pub keep_data_key: bool,
}

/// Keys as they are named on the command line, one a flag.
///
/// # Errors
/// The first that is no key. SOPS leaves it out, and the group's share is lost.
pub fn keys(
    named: &[(KeyKind, String)],
    context: &[(String, String)],
    profile: &str,
) -> Result<Vec<KeySpec>, Error> {
    let keys = rekey::named_keys(named, context, profile)?;
    if keys.is_empty() {
        return Err(Error::Recipients {
            cause: "the new group has no key: its share would be lost".into(),
            hints: vec!["name its keys, for example --age RECIPIENT".to_owned()],
        });
    }
    Ok(keys)
}

/// Plans the change of one file.
pub fn plan(
    deps: &Deps<'_>,
    path: &Path,
    options: &FileOptions,
    request: &Request,
) -> Result<KeyPlan, Error> {
    let input = rekey::read(deps, path, options)?;
    let format = options.input_format.unwrap_or_else(|| input.format());
    let metadata = Locked::parse(&input.bytes, format, &input.place())?.metadata;
    let mut groups = metadata.groups.clone();
    let mut threshold = request.threshold.or(metadata.shamir_threshold);
    match &request.action {
        Action::Add(keys) => {
            // One group becomes two, of which both are needed.
            if groups.len() == 1 && threshold.is_none() {
                threshold = Some(2);
            }
            groups.push(keys.iter().map(MasterKey::new).collect());
        }
        Action::Delete(index) if *index < groups.len() => drop(groups.remove(*index)),
        Action::Delete(index) => {
            let count = groups.len();
            return Err(failed(&format!("there is no group {index}: the file has {count}, counted from 0")));
        }
    }
    let count = groups.len();
    if count == 0 {
        return Err(failed("this is the only group: nobody could open the file any more"));
    }
    if let Some(threshold) = threshold.filter(|threshold| *threshold > count) {
        return Err(failed(&format!(
            "removing this key group will make the Shamir threshold impossible to satisfy: Shamir \
             threshold is {threshold}, but we only have {count} key groups"
        )));
    }
    if count == 1 && request.threshold.is_none() {
        threshold = None;
    }
    let mut plan = KeyPlan::new(&input, &metadata, groups, threshold);
    plan.check_mac = false;
    plan.new_data_key = plan.access.takes_away_keys() && !request.keep_data_key;
    Ok(plan)
}

fn failed(reason: &str) -> Error {
    let hint = "--shamir-secret-sharing-threshold says how many groups are needed".to_owned();
    Error::Recipients { cause: reason.to_owned().into(), hints: vec![hint] }
}
