//! Recipients, thresholds, rules and data keys of three sides.

use super::{Held, KeyOf, MergedMetadata, Preference, merge_metadata};
use crate::domain::merge::{Choice, Conflict, Side};
use crate::domain::metadata::Metadata;
use crate::domain::scalar::Scalar;
use crate::domain::value::{Entry, Value};

/// A side: its groups of recipients, the number of its data key, and other fields.
struct Made {
    metadata: Metadata,
    block: Value,
    key: usize,
}

fn pair(name: &str, value: Value) -> Entry {
    Entry::Pair(name.into(), value)
}

fn side(groups: &[&str], key: usize, more: &[(&str, &str)]) -> Made {
    let keys = |names: &str| {
        let key = |name: &str| {
            Value::Map(vec![
                pair("recipient", Value::text(name)),
                pair("enc", Value::text(format!("{name} {key}"))),
            ])
        };
        Value::List(names.split_whitespace().map(key).collect())
    };
    let mut fields = match groups {
        [group] => vec![pair("age", keys(group))],
        groups => {
            let groups = groups.iter().map(|group| Value::Map(vec![pair("age", keys(group))])).collect();
            vec![pair("key_groups", Value::List(groups))]
        }
    };
    fields.push(pair("lastmodified", Value::text("2026-01-01T00:00:00Z")));
    if more.iter().all(|(name, _)| *name != "version") {
        fields.push(pair("version", Value::text("3.9.0")));
    }
    for (name, value) in more {
        let number = value.parse().map(|number| Value::Scalar(Scalar::Int(number)));
        fields.push(pair(name, number.unwrap_or_else(|_| Value::text(*value))));
    }
    let block = Value::Map(fields);
    Made { metadata: Metadata::parse(block.clone()).unwrap(), block, key }
}

fn merged_by(base: &Made, ours: &Made, theirs: &Made, choices: &[Choice]) -> MergedMetadata {
    let held = |made: &Made| -> Held<'static> {
        let made = Box::leak(Box::new((made.metadata.clone(), made.block.clone(), made.key)));
        Held { metadata: &made.0, block: &made.1, key: made.2 }
    };
    let terms = Preference { choices, prefer: Side::Ours, rules_in_doubt: false, keys_in_doubt: false };
    merge_metadata(Some(held(base)), held(ours), held(theirs), terms)
}

fn merged(base: &Made, ours: &Made, theirs: &Made) -> MergedMetadata {
    merged_by(base, ours, theirs, &[])
}

fn names(merged: &MergedMetadata) -> Vec<String> {
    let group = |group: &Vec<_>| {
        group
            .iter()
            .map(|key: &crate::domain::metadata::MasterKey| key.name().into_owned())
            .collect::<Vec<_>>()
            .join(" ")
    };
    merged.groups.iter().map(group).collect()
}

fn paths(conflicts: &[Conflict]) -> Vec<&str> {
    conflicts.iter().map(|it| it.path.as_str()).collect()
}

#[test]
fn who_was_added_is_in_and_who_was_removed_is_out() {
    let base = side(&["a b c"], 0, &[]);
    let it = merged(&base, &side(&["a b c d"], 0, &[]), &side(&["a c e"], 1, &[]));
    assert_eq!(names(&it), ["a c d e"]);
    assert_eq!(it.key, KeyOf::Side(Side::Theirs));
    assert_eq!(it.unwrapped, [(0, 2)]);
    assert_eq!(it.groups[0][0].enc(), "a 1");
    assert_eq!(it.removed.iter().map(|key| key.name().into_owned()).collect::<Vec<_>>(), ["b"]);
    assert_eq!(it.conflicts, []);
}

#[test]
fn the_data_key_is_one_that_nobody_who_is_out_ever_held() {
    let base = side(&["a b c"], 0, &[]);
    // Nobody goes: the common one stays, or that of the side that made a new one.
    assert_eq!(merged(&base, &side(&["a b c d"], 0, &[]), &base).key, KeyOf::Side(Side::Ours));
    assert_eq!(merged(&base, &base, &side(&["a b c"], 1, &[])).key, KeyOf::Side(Side::Theirs));
    // Removed without a new key, as SOPS does it.
    assert_eq!(merged(&base, &side(&["a b"], 0, &[]), &base).key, KeyOf::Nobody);
    // Both made new ones: that of the side which removed is given to those who are left.
    let it = merged(&base, &side(&["a b c"], 1, &[]), &side(&["a b"], 2, &[]));
    assert_eq!((it.key, names(&it)), (KeyOf::Side(Side::Theirs), vec!["a b".to_owned()]));
    let it = merged(&base, &side(&["a c"], 1, &[]), &side(&["a b"], 2, &[]));
    assert_eq!((it.key, names(&it), it.unwrapped), (KeyOf::Nobody, vec!["a".to_owned()], vec![(0, 0)]));
}

#[test]
fn groups_are_taken_whole_or_are_a_conflict() {
    let base = side(&["a", "b"], 0, &[("shamir_threshold", "2")]);
    let ours = side(&["a", "b c"], 0, &[("shamir_threshold", "2")]);
    let it = merged(&base, &ours, &base);
    assert_eq!(
        (names(&it), it.threshold, it.unwrapped.len()),
        (vec!["a".to_owned(), "b c".to_owned()], Some(2), 0)
    );
    let theirs = side(&["a d", "b"], 0, &[("shamir_threshold", "2")]);
    assert_eq!(paths(&merged(&base, &ours, &theirs).conflicts), ["[\"sops\"][\"key_groups\"]"]);
    let choices = [Choice { path: "[\"sops\"]".into(), side: Side::Theirs }];
    let it = merged_by(&base, &ours, &theirs, &choices);
    assert_eq!((names(&it), it.conflicts), (vec!["a d".to_owned(), "b".to_owned()], vec![]));
    // A side's recipients never come to another key than its own.
    let rotated = side(&["a", "b c"], 1, &[("shamir_threshold", "2")]);
    let it = merged_by(&base, &rotated, &theirs, &choices);
    assert_eq!((it.key, it.unwrapped), (KeyOf::Side(Side::Theirs), vec![]));
    let (one, two) = (side(&["a", "b"], 0, &[("shamir_threshold", "1")]), side(&["a", "b"], 0, &[]));
    assert_eq!(paths(&merged(&base, &one, &two).conflicts), ["[\"sops\"][\"shamir_threshold\"]"]);
}

#[test]
fn fields_are_merged_one_by_one() {
    let base = side(&["a"], 0, &[("unencrypted_suffix", "_x"), ("other", "one")]);
    let ours = side(&["a"], 0, &[("unencrypted_suffix", "_x"), ("other", "two"), ("version", "3.13.2")]);
    let theirs = side(
        &["a"],
        0,
        &[("encrypted_regex", "^p$"), ("other", "one"), ("version", "3.10.1"), ("more", "x")],
    );
    let it = merged(&base, &ours, &theirs);
    let text = |name: &str| it.block.get(name).cloned();
    assert_eq!(it.conflicts, []);
    assert_eq!(text("other"), Some(Value::text("two")));
    assert_eq!(text("more"), Some(Value::text("x")));
    assert_eq!(text("version"), Some(Value::text("3.13.2")));
    assert_eq!(text("encrypted_regex"), Some(Value::text("^p$")));
    assert_eq!(text("unencrypted_suffix"), None);
    let clash = side(&["a"], 0, &[("encrypted_suffix", "_y"), ("other", "three")]);
    let it = merged(&base, &clash, &side(&["a"], 0, &[("encrypted_regex", "^p$"), ("other", "four")]));
    assert_eq!(paths(&it.conflicts), ["[\"sops\"][\"encrypted_suffix\"]", "[\"sops\"][\"other\"]"]);
}
