//! Who can open a file before and after its keys change, group by group.

use super::kinds::{KeyKind, KeySpec};
use super::same_ssh_key;

/// How one key group changes; keys in the order of their files.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GroupChange {
    /// Keys that stay.
    pub kept: Vec<KeySpec>,
    /// Keys that come.
    pub added: Vec<KeySpec>,
    /// Keys that go.
    pub removed: Vec<KeySpec>,
}

/// How the keys of a file change.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AccessChange {
    /// Every group of either state, by its place.
    pub groups: Vec<GroupChange>,
    /// How many groups were needed, if the file said.
    pub old_threshold: Option<usize>,
    /// How many will be.
    pub new_threshold: Option<usize>,
}

impl AccessChange {
    /// Compares two states of the groups of a file, as sets of keys by place
    /// (sops-compat 10.7).
    pub fn between(old: &[Vec<KeySpec>], new: &[Vec<KeySpec>], thresholds: [Option<usize>; 2]) -> Self {
        let none = Vec::new();
        let group = |index: usize| {
            let (old, new) = (old.get(index).unwrap_or(&none), new.get(index).unwrap_or(&none));
            let without = |keys: &[KeySpec], others: &[KeySpec]| {
                keys.iter().filter(|key| !holds(others, key)).cloned().collect()
            };
            GroupChange {
                kept: old.iter().filter(|key| holds(new, key)).cloned().collect(),
                added: without(new, old),
                removed: without(old, new),
            }
        };
        Self {
            groups: (0..old.len().max(new.len())).map(group).collect(),
            old_threshold: thresholds[0],
            new_threshold: thresholds[1],
        }
    }

    /// False when nobody comes or goes and as many groups are needed as before.
    pub fn is_change(&self) -> bool {
        self.old_threshold != self.new_threshold
            || self.groups.iter().any(|group| !group.added.is_empty() || !group.removed.is_empty())
    }

    /// Keys that no group had before.
    pub fn gains(&self) -> Vec<&KeySpec> {
        self.only(|group| &group.added, |group| &group.removed)
    }

    /// Keys that no group has any more.
    pub fn loses(&self) -> Vec<&KeySpec> {
        self.only(|group| &group.removed, |group| &group.added)
    }

    /// True when somebody could do more before than after: a key goes, or more
    /// groups must come together.
    pub fn takes_away(&self) -> bool {
        let groups = |of: fn(&GroupChange) -> &Vec<KeySpec>| {
            self.groups.iter().filter(|group| !of(group).is_empty() || !group.kept.is_empty()).count()
        };
        let needed = |threshold: Option<usize>, groups: usize| {
            if groups > 1 { threshold.unwrap_or(groups) } else { 1 }
        };
        let old = needed(self.old_threshold, groups(|group| &group.removed));
        let new = needed(self.new_threshold, groups(|group| &group.added));
        new > old || self.groups.iter().any(|group| !group.removed.is_empty())
    }

    /// True when a key goes that no group has any more.
    pub fn takes_away_keys(&self) -> bool {
        !self.loses().is_empty()
    }

    /// The keys of one side that are nowhere on the other, once each.
    fn only(
        &self,
        side: fn(&GroupChange) -> &Vec<KeySpec>,
        other: fn(&GroupChange) -> &Vec<KeySpec>,
    ) -> Vec<&KeySpec> {
        let there = |key: &KeySpec| {
            self.groups.iter().any(|group| holds(other(group), key) || holds(&group.kept, key))
        };
        let mut only: Vec<&KeySpec> = Vec::new();
        for key in self.groups.iter().flat_map(side) {
            if !there(key) && !only.iter().any(|known| same(known, key)) {
                only.push(key);
            }
        }
        only
    }
}

/// True when `keys` has `key`, by kind and identity.
pub fn holds(keys: &[KeySpec], key: &KeySpec) -> bool {
    keys.iter().any(|known| same(known, key))
}

/// The same key in another spelling too: an SSH key with another comment, a PGP
/// fingerprint in other letters.
pub fn is_same_holder(one: &KeySpec, other: &KeySpec) -> bool {
    let (first, second) = (one.identity(), other.identity());
    let spelled_otherwise = match one.kind {
        KeyKind::Age => same_ssh_key(&first, &second),
        KeyKind::Pgp => first.eq_ignore_ascii_case(&second),
        _ => false,
    };
    one.kind == other.kind && (first == second || spelled_otherwise)
}

fn same(one: &KeySpec, other: &KeySpec) -> bool {
    one.kind == other.kind && one.identity() == other.identity()
}

#[cfg(test)]
mod tests {
    use super::{AccessChange, is_same_holder};
    use crate::domain::keys::kinds::{KeyKind, KeySpec};

    fn groups(texts: &[&[&str]]) -> Vec<Vec<KeySpec>> {
        let key = |text: &&str| KeySpec::parse(KeyKind::Age, text).unwrap();
        texts.iter().map(|group| group.iter().map(key).collect()).collect()
    }

    fn change(old: &[&[&str]], new: &[&[&str]], thresholds: [Option<usize>; 2]) -> AccessChange {
        AccessChange::between(&groups(old), &groups(new), thresholds)
    }

    fn names(keys: Vec<&KeySpec>) -> Vec<String> {
        keys.into_iter().map(KeySpec::identity).collect()
    }

    #[test]
    fn spellings_of_one_key_are_one_holder() {
        let key = |kind, text| KeySpec::parse(kind, text).unwrap();
        let (age, pgp) = (KeyKind::Age, KeyKind::Pgp);
        assert!(is_same_holder(&key(age, "ssh-ed25519 AAAA me"), &key(age, "ssh-ed25519 AAAA")));
        assert!(!is_same_holder(&key(age, "ssh-ed25519 AAAA me"), &key(age, "ssh-ed25519 AAAB me")));
        assert!(is_same_holder(&key(pgp, "fbc7 b9e2"), &key(pgp, "FBC7B9E2")));
        assert!(!is_same_holder(&key(age, "age1a"), &key(age, "age1b")));
        assert!(!is_same_holder(&key(pgp, "A"), &key(age, "A")));
    }

    #[test]
    fn order_is_no_change() {
        let same = change(&[&["a", "b"]], &[&["b", "a"]], [None, None]);
        assert!(!same.is_change() && !same.takes_away());
    }

    #[test]
    fn keys_come_and_go() {
        let swapped = change(&[&["a", "b"]], &[&["a", "c"]], [None, None]);
        assert!(swapped.is_change() && swapped.takes_away());
        assert_eq!((names(swapped.gains()), names(swapped.loses())), (vec!["c".into()], vec!["b".into()]));
        let added = change(&[&["a"]], &[&["a", "c"]], [None, None]);
        assert!(added.is_change() && !added.takes_away());
    }

    #[test]
    fn a_key_that_moves_between_groups_neither_comes_nor_goes() {
        let moved = change(&[&["a"], &["b"]], &[&["a", "b"], &["c"]], [Some(2), Some(2)]);
        assert!(moved.takes_away());
        assert_eq!((names(moved.gains()), names(moved.loses())), (vec!["c".into()], vec![]));
    }

    #[test]
    fn a_higher_threshold_takes_away() {
        assert!(change(&[&["a"]], &[&["a"], &["b"]], [None, None]).takes_away());
        assert!(change(&[&["a"], &["b"]], &[&["a"], &["b"]], [Some(1), Some(2)]).takes_away());
        let lower = change(&[&["a"], &["b"]], &[&["a"], &["b"]], [Some(2), Some(1)]);
        assert!(lower.is_change() && !lower.takes_away());
    }
}
