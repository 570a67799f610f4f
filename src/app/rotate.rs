//! A file gets a new data key, and with it new ciphertext for everything; keys are
//! added and removed on the way (sops-compat 10.7).

use std::path::Path;

use super::Deps;
use super::error::Error;
use super::open::Locked;
use super::rekey::{self, KeyPlan};
use super::request::{FileOptions, Notice};
use super::strangers::{self, Strangers};
use crate::domain::keys::access::holds;
use crate::domain::keys::kinds::{KeyKind, KeySpec};
use crate::domain::metadata::{MasterKey, Metadata};
use crate::domain::store::Format;

/// What to do besides.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// `--add-…`: comma lists by kind.
    pub add: Vec<(KeyKind, String)>,
    /// `--rm-…`.
    pub remove: Vec<(KeyKind, String)>,
    /// `--encryption-context` for AWS keys.
    pub context: Vec<(String, String)>,
    /// `--output-type`.
    pub output_format: Option<Format>,
    /// Recipients that the creation rule does not list.
    pub strangers: Strangers,
}

/// Plans a rotation. New keys join the first group; those that go leave every
/// group, and one that is in none is no error, as in SOPS.
pub fn plan(
    deps: &Deps<'_>,
    path: &Path,
    options: &FileOptions,
    request: &Request,
    notices: &mut Vec<Notice>,
) -> Result<KeyPlan, Error> {
    let added = rekey::named_keys(&request.add, &request.context, "")?;
    let removed = rekey::named_keys(&request.remove, &request.context, "")?;
    let input = rekey::read(deps, path, options)?;
    let format = options.input_format.unwrap_or_else(|| input.format());
    let place = input.place();
    let metadata = Locked::parse(&input.bytes, format, &place)?.metadata;
    let mut groups = metadata.groups.clone();
    for group in &mut groups {
        group.retain(|key| !holds(&removed, &key.spec()));
    }
    let found = strangers::check(
        deps,
        &input.name,
        &place,
        &Metadata { groups: groups.clone(), ..metadata.clone() },
        options,
        request.strangers,
    )?;
    notices.extend(found);
    if let Some(first) = groups.first_mut() {
        let had: Vec<KeySpec> = first.iter().map(MasterKey::spec).collect();
        first.extend(added.iter().filter(|key| !holds(&had, key)).map(MasterKey::new));
    }
    let mut plan = KeyPlan::new(&input, &metadata, groups, metadata.shamir_threshold);
    plan.new_data_key = true;
    plan.output_format = request.output_format;
    Ok(plan)
}
