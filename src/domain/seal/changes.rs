//! What differs between two states of a file, by key path; never a value.

use std::collections::HashMap;

use crate::domain::metadata::{SEAL, SIGNATURE};
use crate::domain::secret::Text;
use crate::domain::value::{Entry, Value};

/// How something differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It is there now.
    Added,
    /// It was there.
    Removed,
    /// It has another value.
    Changed,
    /// It has another type: a text was a number, a map was a list.
    Type,
    /// Its keys are the same in another order.
    Order,
    /// Its comments are others, or stand elsewhere.
    Comments,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Where, in index syntax; `sops.FIELD` for metadata. Empty for the whole document.
    pub path: String,
    /// How.
    pub kind: Kind,
}

/// Fields of keys that differ whenever the data key does.
const WRAPPING: [&str; 2] = ["enc", "created_at"];

/// Fields that differ whenever anything does.
const STAMPS: [&str; 4] = ["mac", "lastmodified", SEAL, SIGNATURE];

/// The differences between the decrypted documents of two states.
pub fn of_documents(old: &[Value], new: &[Value]) -> Vec<Change> {
    let mut changes = Vec::new();
    for at in 0..old.len().max(new.len()) {
        // SOPS has no index for a document; most files hold one.
        let path =
            if old.len().max(new.len()) > 1 { format!("document {}: ", at + 1) } else { String::new() };
        match (old.get(at), new.get(at)) {
            (Some(old), Some(new)) => compare(&path, old, new, &mut changes),
            (Some(_), None) => changes.push(Change { path, kind: Kind::Removed }),
            (None, _) => changes.push(Change { path, kind: Kind::Added }),
        }
    }
    changes
}

/// The differences between the metadata of two states.
pub fn of_metadata(old: &Value, new: &Value) -> Vec<Change> {
    let mut changes = Vec::new();
    let names = |block: &Value| -> Vec<String> {
        let Value::Map(entries) = block else { return Vec::new() };
        entries.iter().filter_map(Entry::pair).map(|(name, _)| name.to_owned()).collect()
    };
    let mut all = [names(old), names(new)].concat();
    all.sort();
    all.dedup();
    for name in all.iter().filter(|name| !STAMPS.contains(&name.as_str())) {
        let kind = match (old.get(name), new.get(name)) {
            (Some(old), Some(new)) if unwrapped(old).same_data(&unwrapped(new)) => continue,
            (Some(_), Some(_)) => Kind::Changed,
            (Some(_), None) => Kind::Removed,
            (None, _) => Kind::Added,
        };
        changes.push(Change { path: format!("sops.{name}"), kind });
    }
    changes
}

/// A field without what its keys are wrapped as.
fn unwrapped(field: &Value) -> Value {
    match field {
        Value::Map(entries) => {
            let kept = entries.iter().filter_map(Entry::pair).filter(|(name, _)| !WRAPPING.contains(name));
            Value::Map(kept.map(|(name, value)| Entry::Pair(name.to_owned(), unwrapped(value))).collect())
        }
        Value::List(values) => Value::List(values.iter().map(unwrapped).collect()),
        other => other.clone(),
    }
}

fn compare(path: &str, old: &Value, new: &Value, changes: &mut Vec<Change>) {
    let mut differs = |kind| changes.push(Change { path: path.to_owned(), kind });
    match (old, new) {
        (Value::Scalar(old), Value::Scalar(new)) if old.same(new) => {}
        (Value::Scalar(old), Value::Scalar(new)) if old.type_name() == new.type_name() => {
            differs(Kind::Changed);
        }
        (Value::Map(old), Value::Map(new)) => maps(path, old, new, changes),
        (Value::List(old), Value::List(new)) => lists(path, old, new, changes),
        _ => differs(Kind::Type),
    }
}

/// The pairs of a map, each with how many of its name stand before it: in JSON,
/// keys may repeat.
fn pairs(entries: &[Entry]) -> Vec<((&str, usize), &Value)> {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let number = |(name, value)| {
        let count = seen.entry(name).or_default();
        *count += 1;
        ((name, *count - 1), value)
    };
    entries.iter().filter_map(Entry::pair).map(number).collect()
}

fn maps(path: &str, old: &[Entry], new: &[Entry], changes: &mut Vec<Change>) {
    let (before, after) = (pairs(old), pairs(new));
    let had: HashMap<_, &Value> = before.iter().copied().collect();
    let has: HashMap<_, &Value> = after.iter().copied().collect();
    let below = |name: &str| format!("{path}[\"{name}\"]");
    for (key, _) in before.iter().filter(|(key, _)| !has.contains_key(key)) {
        changes.push(Change { path: below(key.0), kind: Kind::Removed });
    }
    for (key, value) in &after {
        match had.get(key) {
            Some(old) => compare(&below(key.0), old, value, changes),
            None => changes.push(Change { path: below(key.0), kind: Kind::Added }),
        }
    }
    let kept = before.iter().map(|(key, _)| key).filter(|key| has.contains_key(key));
    let keeps = after.iter().map(|(key, _)| key).filter(|key| had.contains_key(key));
    if !kept.eq(keeps) {
        changes.push(Change { path: path.to_owned(), kind: Kind::Order });
    }
    if comments_of_map(old) != comments_of_map(new) {
        changes.push(Change { path: path.to_owned(), kind: Kind::Comments });
    }
}

/// The comments of a map, each with the key that follows it.
fn comments_of_map(entries: &[Entry]) -> Vec<(&Text<'static>, Option<&str>)> {
    let mut next = None;
    let mut comments = Vec::new();
    for entry in entries.iter().rev() {
        match entry {
            Entry::Comment(text) => comments.push((text, next)),
            Entry::Pair(name, _) => next = Some(name.as_str()),
        }
    }
    comments
}

fn lists(path: &str, old: &[Value], new: &[Value], changes: &mut Vec<Change>) {
    fn elements(values: &[Value]) -> Vec<&Value> {
        values.iter().filter(|value| !matches!(value, Value::Comment(_))).collect()
    }
    let (before, after) = (elements(old), elements(new));
    for at in 0..before.len().max(after.len()) {
        let path = format!("{path}[{at}]");
        match (before.get(at), after.get(at)) {
            (Some(old), Some(new)) => compare(&path, old, new, changes),
            (Some(_), None) => changes.push(Change { path, kind: Kind::Removed }),
            (None, _) => changes.push(Change { path, kind: Kind::Added }),
        }
    }
    if comments_of_list(old) != comments_of_list(new) {
        changes.push(Change { path: path.to_owned(), kind: Kind::Comments });
    }
}

/// The comments of a list, each with the number of elements before it.
fn comments_of_list(values: &[Value]) -> Vec<(&Text<'static>, usize)> {
    let mut before = 0;
    let mut comments = Vec::new();
    for value in values {
        match value {
            Value::Comment(text) => comments.push((text, before)),
            _ => before += 1,
        }
    }
    comments
}
