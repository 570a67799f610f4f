//! For whom and by which rule a file is encrypted: as lines for people, and how two
//! states differ in it.

use crate::domain::keys::access::AccessChange;
use crate::domain::keys::kinds::{KeyKind, KeySpec};
use crate::domain::metadata::{MasterKey, Metadata};
use crate::domain::select::{DEFAULT_SUFFIX, MAC_ONLY_ENCRYPTED, RuleKind, Selection};

/// Recipients, groups and rule of a file, a line each. The rule that SOPS assumes where
/// none is set is left out.
pub fn lines(metadata: &Metadata) -> Vec<String> {
    let mut lines = Vec::new();
    let count = metadata.groups.len();
    for (number, group) in metadata.groups.iter().enumerate() {
        for key in group {
            let group = if count > 1 { format!("group {}: ", number + 1) } else { String::new() };
            lines.push(format!("encrypted for {group}{} {}", key.kind.metadata_field(), key.name()));
        }
    }
    if let Some(needed) = threshold(metadata) {
        lines.push(format!("{needed} of {count} groups are needed"));
    }
    lines.extend(rules(&metadata.selection));
    lines
}

/// How many groups are needed, where there are several.
fn threshold(metadata: &Metadata) -> Option<usize> {
    let count = metadata.groups.len();
    (count > 1).then(|| metadata.shamir_threshold.unwrap_or(count))
}

/// The rules that are not the default.
fn rules(selection: &Selection) -> Vec<String> {
    let settings = selection.settings();
    let is_default =
        |(kind, text): &(RuleKind, &str)| *kind == RuleKind::UnencryptedSuffix && *text == DEFAULT_SUFFIX;
    let chosen = settings.chosen().filter(|rule| !is_default(rule));
    let mut rules: Vec<String> = chosen.map(|(kind, text)| format!("{} '{text}'", kind.name())).collect();
    if settings.mac_only_encrypted {
        rules.push(MAC_ONLY_ENCRYPTED.to_owned());
    }
    rules
}

/// How two states of a file differ in recipients and rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Keys that only the new state is encrypted for: their kind and name.
    pub gained: Vec<(KeyKind, String)>,
    /// Keys that only the old state is encrypted for.
    pub lost: Vec<(KeyKind, String)>,
    /// The same keys, in other groups.
    pub regrouped: bool,
    /// How many groups are needed, before and after, where that changed.
    pub threshold: Option<[Option<usize>; 2]>,
    /// The rules before and after, where they changed.
    pub rules: Option<[Vec<String>; 2]>,
    /// True when no key has what it had wrapped before: a new data key, as after a rotation.
    pub new_data_key: bool,
}

impl Change {
    /// Compares two states; `None` is a file that is not there, or not encrypted.
    pub fn between(old: Option<&Metadata>, new: Option<&Metadata>) -> Self {
        let specs = |metadata: Option<&Metadata>| -> Vec<Vec<KeySpec>> {
            let groups = metadata.into_iter().flat_map(|metadata| &metadata.groups);
            groups.map(|group| group.iter().map(MasterKey::spec).collect()).collect()
        };
        // Of a file that went, or is in clear now, that says it all.
        let Some(new) = new else { return Self::default() };
        let thresholds = [old, Some(new)].map(|metadata| metadata.and_then(threshold));
        let change = AccessChange::between(&specs(old), &specs(Some(new)), thresholds);
        let name = |key: &KeySpec| (key.kind, MasterKey::new(key).name().into_owned());
        let gained: Vec<_> = change.gains().into_iter().map(name).collect();
        let lost: Vec<_> = change.loses().into_iter().map(name).collect();
        let is_same_set = gained.is_empty() && lost.is_empty() && thresholds[0] == thresholds[1];
        let Some(old) = old else { return Self { gained, lost, ..Self::default() } };
        let rules = [rules(&old.selection), rules(&new.selection)];
        Self {
            regrouped: is_same_set && change.is_change(),
            gained,
            lost,
            threshold: (thresholds[0] != thresholds[1]).then_some(thresholds),
            rules: (rules[0] != rules[1]).then_some(rules),
            new_data_key: !old.keys().any(|had| new.keys().any(|key| key.enc() == had.enc())),
        }
    }

    /// False when the same people can open the same values with the same data key.
    pub fn is_change(&self) -> bool {
        *self != Self::default()
    }
}
