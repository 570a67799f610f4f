//! Recipients, threshold and rules of three states of a file become one. Who was added
//! by one side is in, who was removed by one side is out, and the data key is one that
//! nobody who is out ever held.

use super::conflict::{Choice, Conflict, Disagreement, Side, Trio};
use crate::domain::keys::kinds::KeyKind;
use crate::domain::metadata::{MasterKey, Metadata};
use crate::domain::select::{MAC_ONLY_ENCRYPTED, RuleKind};
use crate::domain::value::{Entry, Value};

/// The metadata of one side.
#[derive(Clone, Copy, Debug)]
pub struct Held<'m> {
    /// What was read of it.
    pub metadata: &'m Metadata,
    /// Its block as it stands in the file.
    pub block: &'m Value,
    /// Which data key it has: equal numbers are equal keys.
    pub key: usize,
}

/// Where the data key of the merged file comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyOf {
    /// It is that of this side.
    Side(Side),
    /// Whoever was removed held every key there is.
    Nobody,
}

/// Merged metadata.
#[derive(Clone, Debug)]
pub struct MergedMetadata {
    /// The keys of each group, with what they wrap where that is the data key.
    pub groups: Vec<Vec<MasterKey>>,
    /// Those of them, by group and place, that nothing is wrapped for yet.
    pub unwrapped: Vec<(usize, usize)>,
    /// How many groups are needed.
    pub threshold: Option<usize>,
    /// The other fields, in the order of ours.
    pub block: Value,
    /// Where the data key comes from.
    pub key: KeyOf,
    /// Who was removed, by one side or both.
    pub removed: Vec<MasterKey>,
    /// Conflicts that nobody settled.
    pub conflicts: Vec<Conflict>,
}

/// What a merge of metadata goes by.
#[derive(Clone, Copy, Debug)]
pub struct Preference<'c> {
    /// Conflicts that were settled.
    pub choices: &'c [Choice],
    /// The side that all others take.
    pub prefer: Side,
    /// The rules are a conflict if they differ at all.
    pub rules_in_doubt: bool,
    /// Recipients are a conflict if they differ at all: some cannot be given the key here.
    pub keys_in_doubt: bool,
}

/// Merges the metadata of three sides. An absent base is one without keys and rules.
pub fn merge_metadata(
    base: Option<Held<'_>>,
    ours: Held<'_>,
    theirs: Held<'_>,
    terms: Preference<'_>,
) -> MergedMetadata {
    let mut merge = Merge { sides: [base, Some(ours), Some(theirs)], terms, conflicts: Vec::new() };
    let (groups, taken) = merge.groups();
    let threshold = merge.threshold(&groups);
    let block = merge.block();
    // Recipients that a side put there get no other key than that of the side.
    let key = taken.map_or_else(|| merge.key(&groups), KeyOf::Side);
    let (groups, unwrapped) = merge.wrapped(groups, key);
    MergedMetadata {
        removed: merge.removed(&groups),
        groups,
        unwrapped,
        threshold,
        block,
        key,
        conflicts: merge.conflicts,
    }
}

struct Merge<'m> {
    sides: Trio<Held<'m>>,
    terms: Preference<'m>,
    conflicts: Vec<Conflict>,
}

type Groups = Vec<Vec<MasterKey>>;

impl<'m> Merge<'m> {
    fn side(&self, side: Side) -> Option<Held<'m>> {
        self.sides[side as usize]
    }

    /// What `of` says of each side.
    fn each<T>(&self, of: impl Fn(Held<'m>) -> T) -> Trio<T> {
        self.sides.map(|side| side.map(&of))
    }

    /// The side that a conflict about the field `name` takes, which is noted.
    fn take(&mut self, name: &str) -> Side {
        let path = format!("[\"sops\"][\"{name}\"]");
        let chosen = self.terms.choices.iter().rev().find(|choice| choice.is_about(&path));
        if let Some(choice) = chosen {
            return choice.side;
        }
        let known = self.conflicts.iter().any(|conflict| conflict.path == path);
        if !known {
            self.conflicts.push(Conflict { path, kind: Disagreement::Changed });
        }
        self.terms.prefer
    }

    /// The merged groups; with a side, if they are that side's because of a conflict.
    fn groups(&mut self) -> (Groups, Option<Side>) {
        let [base, Some(ours), Some(theirs)] = self.each(|held| &held.metadata.groups) else {
            return (Vec::new(), None);
        };
        if same_groups(ours, theirs) {
            return (ours.clone(), None);
        }
        let doubt = self.terms.keys_in_doubt;
        if !doubt && base.is_some_and(|base| same_groups(base, ours)) {
            return (theirs.clone(), None);
        }
        if !doubt && base.is_some_and(|base| same_groups(base, theirs)) {
            return (ours.clone(), None);
        }
        let none = vec![Vec::new()];
        let merged = match (&base.unwrap_or(&none)[..], &ours[..], &theirs[..]) {
            ([base], [ours], [theirs]) if !doubt => merged_group(base, ours, theirs),
            _ => Vec::new(),
        };
        if !merged.is_empty() {
            return (vec![merged], None);
        }
        let several = ours.len() > 1 || theirs.len() > 1;
        let name = if several { "key_groups" } else { kind_of_difference(ours, theirs) };
        match self.take(name) {
            Side::Theirs => (theirs.clone(), Some(Side::Theirs)),
            _ => (ours.clone(), Some(Side::Ours)),
        }
    }

    fn threshold(&mut self, groups: &Groups) -> Option<usize> {
        let [base, Some(ours), Some(theirs)] = self.each(|held| held.metadata.shamir_threshold) else {
            return None;
        };
        let (ours_groups, theirs_groups) = match self.each(|held| &held.metadata.groups) {
            [_, Some(ours), Some(theirs)] => (ours, theirs),
            _ => return ours,
        };
        // A threshold goes with its groups.
        if groups.len() != ours_groups.len() || groups.len() != theirs_groups.len() {
            return if groups.len() == theirs_groups.len() { theirs } else { ours };
        }
        if ours == theirs || base == Some(theirs) {
            ours
        } else if base == Some(ours) {
            theirs
        } else {
            match self.take("shamir_threshold") {
                Side::Theirs => theirs,
                _ => ours,
            }
        }
    }

    /// The fields that say neither keys nor times: rules, version, and what others put there.
    fn block(&mut self) -> Value {
        let fields = self.each(|held| fields_of(held.block));
        let [base, Some(ours), Some(theirs)] = fields else { return Value::Map(Vec::new()) };
        let rules = self.rules();
        let mut entries = Vec::new();
        let names: Vec<&str> = ours.iter().chain(&theirs).map(|(name, _)| *name).collect();
        for (at, name) in names.iter().enumerate() {
            if names[..at].contains(name) {
                continue;
            }
            let find = |fields: &[(&str, &'m Value)]| {
                fields.iter().find(|(it, _)| it == name).map(|(_, value)| *value)
            };
            let (old, one, other) = (base.as_deref().and_then(find), find(&ours), find(&theirs));
            let value = if is_rule(name) {
                let fields = if rules == Side::Theirs { &theirs } else { &ours };
                find(fields)
            } else if is_kept_by_others(name) {
                one.or(other)
            } else if one == other || old == other {
                one
            } else if old == one {
                other
            } else if *name == "version" {
                newer(one, other)
            } else {
                match self.take(name) {
                    Side::Theirs => other,
                    _ => one,
                }
            };
            entries.extend(value.map(|value| Entry::Pair((*name).to_owned(), value.clone())));
        }
        Value::Map(entries)
    }

    /// Whose rules are in force.
    fn rules(&mut self) -> Side {
        let [base, Some(ours), Some(theirs)] = self.each(|held| held.metadata.selection.settings()) else {
            return Side::Ours;
        };
        if ours == theirs {
            return Side::Ours;
        }
        if !self.terms.rules_in_doubt {
            if base == Some(theirs) {
                return Side::Ours;
            }
            if base == Some(ours) {
                return Side::Theirs;
            }
        }
        let name =
            ours.chosen().chain(theirs.chosen()).next().map_or(MAC_ONLY_ENCRYPTED, |(kind, _)| kind.name());
        self.take(name)
    }

    /// The side whose data key nobody holds who is not in `groups`: that both sides
    /// still have, else that of a side that made a new one.
    fn key(&self, groups: &Groups) -> KeyOf {
        let [base, Some(ours), Some(theirs)] = self.sides else { return KeyOf::Side(Side::Ours) };
        let is_clean = |key: usize| {
            let holders = self.sides.iter().flatten().filter(|held| held.key == key);
            holders.flat_map(|held| held.metadata.keys()).all(|key| is_in(groups, key))
        };
        let theirs_is_new = base.is_some_and(|base| base.key == ours.key && base.key != theirs.key);
        let order = if theirs_is_new { [Side::Theirs, Side::Ours] } else { [Side::Ours, Side::Theirs] };
        let found =
            order.into_iter().find(|side| is_clean(if *side == Side::Ours { ours.key } else { theirs.key }));
        found.map_or(KeyOf::Nobody, KeyOf::Side)
    }

    /// The groups with the entries that wrap the data key, and those that lack it.
    fn wrapped(&self, groups: Groups, key: KeyOf) -> (Groups, Vec<(usize, usize)>) {
        let number = match key {
            KeyOf::Side(side) => self.side(side).map(|held| held.key),
            KeyOf::Nobody => None,
        };
        let holders: Vec<Held<'_>> = [Side::Ours, Side::Theirs, Side::Base]
            .into_iter()
            .filter_map(|side| self.side(side))
            .filter(|held| Some(held.key) == number)
            .collect();
        // Shares fit together only as one side made them.
        if groups.len() > 1 {
            let whole = holders.iter().find(|held| same_groups(&held.metadata.groups, &groups));
            if let Some(held) = whole {
                return (held.metadata.groups.clone(), Vec::new());
            }
        }
        let shared = groups.len() > 1;
        let mut lacking = Vec::new();
        let mut made = groups;
        for (at, group) in made.iter_mut().enumerate() {
            for (place, key) in group.iter_mut().enumerate() {
                let had = holders
                    .iter()
                    .filter(|held| held.metadata.groups.len() == 1 && !shared)
                    .find_map(|held| held.metadata.keys().find(|it| is_same(it, key)));
                match had {
                    Some(had) => *key = had.clone(),
                    None => lacking.push((at, place)),
                }
            }
        }
        (made, lacking)
    }

    /// Everybody whom a side held and the merged groups do not.
    fn removed(&self, groups: &Groups) -> Vec<MasterKey> {
        let mut removed: Vec<MasterKey> = Vec::new();
        for key in self.sides.iter().flatten().flat_map(|held| held.metadata.keys()) {
            if !is_in(groups, key) && !removed.iter().any(|it| is_same(it, key)) {
                removed.push(key.clone());
            }
        }
        removed
    }
}

/// What is in one group when both sides changed it.
fn merged_group(base: &[MasterKey], ours: &[MasterKey], theirs: &[MasterKey]) -> Vec<MasterKey> {
    let holds = |group: &[MasterKey], key: &MasterKey| group.iter().any(|it| is_same(it, key));
    let kept = ours.iter().filter(|key| holds(theirs, key) || !holds(base, key));
    let added = theirs.iter().filter(|key| !holds(ours, key) && !holds(base, key));
    kept.chain(added).cloned().collect()
}

fn is_same(one: &MasterKey, other: &MasterKey) -> bool {
    one.kind == other.kind && one.spec().identity() == other.spec().identity()
}

fn is_in(groups: &Groups, key: &MasterKey) -> bool {
    groups.iter().flatten().any(|it| is_same(it, key))
}

/// True when both have the same keys in the same groups, in any order.
fn same_groups(one: &[Vec<MasterKey>], other: &[Vec<MasterKey>]) -> bool {
    one.len() == other.len()
        && one.iter().zip(other).all(|(one, other)| {
            one.len() == other.len() && one.iter().all(|key| other.iter().any(|it| is_same(it, key)))
        })
}

/// The metadata field of the first key that only one of them has.
fn kind_of_difference(ours: &Groups, theirs: &Groups) -> &'static str {
    let only = |one: &Groups, other: &Groups| {
        one.iter().flatten().find(|key| !is_in(other, key)).map(|key| key.kind)
    };
    only(ours, theirs).or_else(|| only(theirs, ours)).unwrap_or(KeyKind::Age).metadata_field()
}

fn fields_of(block: &Value) -> Vec<(&str, &Value)> {
    match block {
        Value::Map(entries) => entries.iter().filter_map(Entry::pair).collect(),
        _ => Vec::new(),
    }
}

fn is_rule(name: &str) -> bool {
    name == MAC_ONLY_ENCRYPTED || RuleKind::ALL.iter().any(|kind| kind.name() == name)
}

/// True for the fields that are made anew with every change of keys or values.
fn is_kept_by_others(name: &str) -> bool {
    crate::domain::metadata::changes(name)
}

/// The higher of two versions.
fn newer<'v>(one: Option<&'v Value>, other: Option<&'v Value>) -> Option<&'v Value> {
    let numbers = |value: Option<&Value>| -> Vec<u64> {
        let Some(Value::Scalar(crate::domain::scalar::Scalar::Str(text))) = value else { return Vec::new() };
        String::from_utf8_lossy(text).split('.').map(|part| part.parse().unwrap_or(0)).collect()
    };
    if numbers(other) > numbers(one) { other } else { one }
}

#[cfg(test)]
mod tests;
