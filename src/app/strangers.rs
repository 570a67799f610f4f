//! Recipients of a file that its creation rule does not list. Whoever can write to
//! a file can add his own key to its metadata; nothing is wrapped for it until
//! somebody who has the data key writes the file, and then he reads everything.

use super::Deps;
use super::config;
use super::error::{Error, Place};
use super::names;
use super::request::{FileOptions, Notice};
use crate::domain::keys::access::is_same_holder;
use crate::domain::keys::kinds::KeySpec;
use crate::domain::metadata::{MasterKey, Metadata};

/// What to do about them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strangers {
    /// Nothing is written.
    #[default]
    Refuse,
    /// They are named (under the name `sops`, whose scripts must go on).
    Warn,
    /// They are welcome (`--accept-recipients`).
    Accept,
}

/// Compares the recipients of a file with its creation rule. Where there is no
/// rule for it, or one without keys, there is nothing to compare with.
///
/// # Errors
/// Strangers, if they are refused.
pub fn check(
    deps: &Deps<'_>,
    name: &std::path::Path,
    place: &Place,
    metadata: &Metadata,
    options: &FileOptions,
    strangers: Strangers,
) -> Result<Vec<Notice>, Error> {
    if strangers == Strangers::Accept {
        return Ok(Vec::new());
    }
    let listed = match listed(deps, name, options) {
        Ok(Some(listed)) => listed,
        Err(error) if strangers == Strangers::Refuse => return Err(error),
        Ok(None) | Err(_) => return Ok(Vec::new()),
    };
    let mut unknown: Vec<String> = metadata
        .keys()
        .map(MasterKey::spec)
        .filter(|key| !listed.iter().any(|known| is_same_holder(known, key)))
        .map(|key| key.identity())
        .collect();
    unknown.sort();
    unknown.dedup();
    if unknown.is_empty() {
        return Ok(Vec::new());
    }
    let (names, _) = names::of(deps, name, options);
    let unknown: Vec<String> = unknown.iter().map(|key| names.shown(key)).collect();
    let text = format!("the creation rule of this file does not list {}", unknown.join(", "));
    let remedy = "`updatekeys` takes away who is not in the rule; \
                  `--accept-recipients` writes the file for them too";
    match strangers {
        Strangers::Warn => Ok(vec![Notice::warning(text).with_hint(remedy)]),
        _ => Err(Error::Other {
            place: place.clone(),
            cause: format!("{text}: nothing was written, because they could read it").into(),
            hints: vec![remedy.to_owned()],
        }),
    }
}

/// The keys that the rule for a file lists.
fn listed(
    deps: &Deps<'_>,
    name: &std::path::Path,
    options: &FileOptions,
) -> Result<Option<Vec<KeySpec>>, Error> {
    let Some(found) = config::find(deps, name, options, &mut Vec::new())? else { return Ok(None) };
    let Some(rule) = config::rule_if_any(&found, name)? else { return Ok(None) };
    let groups = rule.key_groups(&[]).map_err(|error| config::config_error(error, &found.path))?;
    let keys: Vec<KeySpec> = groups.into_iter().flatten().map(|recipient| recipient.key).collect();
    Ok((!keys.is_empty()).then_some(keys))
}
