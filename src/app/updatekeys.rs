//! The keys of a file become those of its creation rule (sops-compat 10.7).

use std::path::Path;

use super::Deps;
use super::config;
use super::error::{Error, Place};
use super::open::Locked;
use super::rekey::{self, KeyPlan};
use super::request::{FileOptions, Notice};
use crate::domain::metadata::MasterKey;

/// What SOPS says without a config.
pub const NO_CONFIG: &str = "config file not found";

/// Compares `path` with its creation rule. With `keep_data_key`, those who lose
/// access keep what they could read, and everything that is added.
///
/// # Errors
/// No config, no rule for the file, a rule without keys.
pub fn plan(
    deps: &Deps<'_>,
    path: &Path,
    options: &FileOptions,
    keep_data_key: bool,
    notices: &mut Vec<Notice>,
) -> Result<KeyPlan, Error> {
    let input = rekey::read(deps, path, options)?;
    let missing = |cause: String| Error::Config {
        place: Place::default(),
        cause: cause.into(),
        hints: vec!["`leaflock init` makes a .sops.yaml; its rules say who may open which file".to_owned()],
    };
    let found =
        config::find(deps, &input.name, options, notices)?.ok_or_else(|| missing(NO_CONFIG.to_owned()))?;
    let format = options.input_format.unwrap_or_else(|| input.format());
    let metadata = Locked::parse(&input.bytes, format, &input.place())?.metadata;
    let rule = config::rule_for(&found, &input.name)?.ok_or_else(|| {
        let path = found.path.display();
        missing(format!("The config file {path} does not contain any creation rule"))
    })?;
    let recipients = rule.key_groups(&[]).map_err(|error| config::config_error(error, &found.path))?;
    let groups: Vec<Vec<MasterKey>> = recipients
        .iter()
        .map(|group| group.iter().map(|recipient| kept(&metadata.groups, &recipient.key)).collect())
        .collect();
    let in_rule = usize::try_from(rule.shamir_threshold).ok().filter(|threshold| *threshold > 0);
    let threshold = match groups.len() {
        // SOPS leaves the number in files with one group, where it means nothing.
        0 | 1 => metadata.shamir_threshold.map(|threshold| threshold.min(groups.len())),
        count => Some(in_rule.or(metadata.shamir_threshold).unwrap_or(count).min(count)),
    };
    let mut plan = KeyPlan::new(&input, &metadata, groups, threshold);
    plan.new_data_key = plan.access.takes_away() && !keep_data_key;
    Ok(plan)
}

/// The key as the file has it already, with what else its entry holds; else anew.
fn kept(groups: &[Vec<MasterKey>], key: &crate::domain::keys::kinds::KeySpec) -> MasterKey {
    let identity = key.identity();
    let had = groups.iter().flatten().find(|had| had.kind == key.kind && had.spec().identity() == identity);
    had.cloned().unwrap_or_else(|| MasterKey::new(key))
}
