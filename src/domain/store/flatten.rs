//! Nested metadata as a flat list of names and texts, for the formats without
//! nesting (sops-compat 4.5): a step into a map adds `__map_KEY`, a step into a
//! list `__list_INDEX`.

use std::collections::BTreeMap;

use super::{ReadError, ReadErrorKind, WriteError};
use crate::domain::scalar::Scalar;
use crate::domain::value::{Entry, Value};

const MAP: &str = "__map_";
const LIST: &str = "__list_";

/// How many steps a name may have.
const STEPS: usize = 64;

/// Flattens the fields of `metadata`, sorted by name as SOPS writes them. Nulls,
/// empty maps and empty lists have no flat form.
///
/// # Errors
/// Metadata that is not a map, or that nests more than 64 levels deep.
pub fn flatten(metadata: &Value) -> Result<Vec<(String, Vec<u8>)>, WriteError> {
    let Value::Map(entries) = metadata else {
        return Err(WriteError::new("the sops metadata is not a map"));
    };
    let mut flat = Vec::new();
    for entry in entries {
        if let Entry::Pair(key, value) = entry {
            descend(key.clone(), value, 0, &mut flat)?;
        }
    }
    flat.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(flat)
}

fn descend(
    name: String,
    value: &Value,
    depth: usize,
    flat: &mut Vec<(String, Vec<u8>)>,
) -> Result<(), WriteError> {
    if depth > STEPS {
        return Err(WriteError::new("the sops metadata nests too deep"));
    }
    match value {
        Value::Scalar(Scalar::Null) | Value::Comment(_) => {}
        Value::Scalar(Scalar::Bool(value)) => flat.push((name, value.to_string().into_bytes())),
        Value::Scalar(scalar) => {
            let mut text = Vec::new();
            scalar.write_canonical(&mut text);
            flat.push((name, text));
        }
        Value::Map(entries) => {
            for entry in entries {
                if let Entry::Pair(key, value) = entry {
                    descend(format!("{name}{MAP}{key}"), value, depth + 1, flat)?;
                }
            }
        }
        Value::List(elements) => {
            let ordinary = elements.iter().filter(|element| !matches!(element, Value::Comment(_)));
            for (index, element) in ordinary.enumerate() {
                descend(format!("{name}{LIST}{index}"), element, depth + 1, flat)?;
            }
        }
    }
    Ok(())
}

/// One step of a flat name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step<'n> {
    Key(&'n str),
    Index(usize),
}

/// A tree that grows name by name.
enum Branch {
    Leaf(Vec<u8>),
    Map(Vec<(String, Branch)>),
    List(BTreeMap<usize, Branch>),
}

/// The nested metadata behind flat names. `shamir_threshold` and
/// `mac_only_encrypted` become an integer and a boolean, as far as their texts
/// allow (sops-compat 4.6): `2.000000` is 2, and booleans have Go's spellings.
/// Gaps in a list close.
///
/// # Errors
/// A name that is both a value and a container, or one with a broken index.
pub fn unflatten(pairs: &[(String, Vec<u8>)]) -> Result<Value, ReadError> {
    let mut root = Vec::new();
    for (name, text) in pairs {
        let steps = steps(name)?;
        let mut branch = Branch::Map(std::mem::take(&mut root));
        place(&mut branch, &steps, text)?;
        if let Branch::Map(entries) = branch {
            root = entries;
        }
    }
    let entries = root.into_iter().map(|(key, branch)| {
        let value = match (key.as_str(), branch) {
            ("shamir_threshold", Branch::Leaf(text)) => threshold(text),
            ("mac_only_encrypted", Branch::Leaf(text)) => boolean(text),
            (_, branch) => nested(branch),
        };
        Entry::Pair(key, value)
    });
    Ok(Value::Map(entries.collect()))
}

fn failed(message: &str) -> ReadError {
    ReadError {
        message: format!("Error while unflattening: {message}"),
        line: None,
        hint: Some("the sops metadata was damaged; restore it from version control"),
        kind: ReadErrorKind::Syntax,
    }
}

fn steps(name: &str) -> Result<Vec<Step<'_>>, ReadError> {
    let mut steps = Vec::new();
    let mut rest = name;
    let mut index = false;
    loop {
        let cut = match (rest.find(MAP), rest.find(LIST)) {
            (Some(map), Some(list)) => Some(map.min(list)),
            (map, list) => map.or(list),
        };
        let step = &rest[..cut.unwrap_or(rest.len())];
        steps.push(if index {
            Step::Index(step.parse().map_err(|_| failed("a list index is not a number"))?)
        } else {
            Step::Key(step)
        });
        if steps.len() > STEPS {
            return Err(failed("a name has too many steps"));
        }
        let Some(cut) = cut else { return Ok(steps) };
        let tail = &rest[cut..];
        index = tail.starts_with(LIST);
        rest = tail.strip_prefix(if index { LIST } else { MAP }).unwrap_or(tail);
    }
}

fn place(branch: &mut Branch, steps: &[Step<'_>], text: &[u8]) -> Result<(), ReadError> {
    let mixed = || failed("a name is both a value and a container");
    let mut branch = branch;
    for (at, step) in steps.iter().enumerate() {
        let fresh = match steps.get(at + 1) {
            None => Branch::Leaf(text.to_vec()),
            Some(Step::Key(_)) => Branch::Map(Vec::new()),
            Some(Step::Index(_)) => Branch::List(BTreeMap::new()),
        };
        branch = match (branch, step) {
            (Branch::Map(entries), Step::Key(key)) => {
                let found = match entries.iter().position(|(name, _)| name == key) {
                    Some(found) => found,
                    None => {
                        entries.push(((*key).to_owned(), fresh));
                        entries.len() - 1
                    }
                };
                let Some((_, next)) = entries.get_mut(found) else { return Err(mixed()) };
                next
            }
            (Branch::List(elements), Step::Index(index)) => elements.entry(*index).or_insert(fresh),
            _ => return Err(mixed()),
        };
    }
    match branch {
        Branch::Leaf(leaf) => {
            *leaf = text.to_vec();
            Ok(())
        }
        _ => Err(mixed()),
    }
}

fn nested(branch: Branch) -> Value {
    match branch {
        Branch::Leaf(text) => Value::text(text),
        Branch::Map(entries) => {
            Value::Map(entries.into_iter().map(|(key, branch)| Entry::Pair(key, nested(branch))).collect())
        }
        Branch::List(elements) => Value::List(elements.into_values().map(nested).collect()),
    }
}

/// An integer; older releases wrote it as `2.000000`.
fn threshold(text: Vec<u8>) -> Value {
    let written = std::str::from_utf8(&text).unwrap_or_default();
    let whole = match written.split_once('.') {
        Some((whole, zeros)) if !zeros.is_empty() && zeros.bytes().all(|byte| byte == b'0') => whole,
        _ => written,
    };
    match whole.parse() {
        Ok(number) => Value::Scalar(Scalar::Int(number)),
        Err(_) => Value::text(text),
    }
}

fn boolean(text: Vec<u8>) -> Value {
    match Scalar::parse("bool", &text) {
        Ok(Scalar::Bool(value)) => Value::Scalar(Scalar::Bool(value)),
        _ => Value::text(text),
    }
}

#[cfg(test)]
mod tests {
    use super::{flatten, unflatten};
    use crate::domain::scalar::Scalar;
    use crate::domain::value::{Entry, Value};

    fn pair(key: &str, value: Value) -> Entry {
        Entry::Pair(key.into(), value)
    }

    fn sample() -> Value {
        let key = Value::Map(vec![pair("enc", Value::text("a\nb")), pair("recipient", Value::text("age1"))]);
        let group = Value::Map(vec![pair("age", Value::List(vec![key.clone(), key]))]);
        Value::Map(vec![
            pair("key_groups", Value::List(vec![group])),
            pair("mac_only_encrypted", Value::Scalar(Scalar::Bool(true))),
            pair("shamir_threshold", Value::Scalar(Scalar::Int(2))),
            pair("version", Value::text("3.13.2")),
        ])
    }

    #[test]
    fn names_are_those_of_sops_and_sorted() {
        let flat = flatten(&sample()).unwrap();
        let names: Vec<&str> = flat.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "key_groups__list_0__map_age__list_0__map_enc",
                "key_groups__list_0__map_age__list_0__map_recipient",
                "key_groups__list_0__map_age__list_1__map_enc",
                "key_groups__list_0__map_age__list_1__map_recipient",
                "mac_only_encrypted",
                "shamir_threshold",
                "version",
            ]
        );
        assert_eq!(unflatten(&flat).unwrap(), sample());
    }

    #[test]
    fn old_and_odd_spellings_are_typed() {
        let cases = [
            ("shamir_threshold", "2.000000", Scalar::Int(2)),
            ("shamir_threshold", "3", Scalar::Int(3)),
            ("shamir_threshold", "2.5", Scalar::Str("2.5".into())),
            ("mac_only_encrypted", "True", Scalar::Bool(true)),
            ("mac_only_encrypted", "0", Scalar::Bool(false)),
            ("version", "true", Scalar::Str("true".into())),
        ];
        for (name, text, value) in cases {
            let read = unflatten(&[(name.into(), text.into())]).unwrap();
            assert_eq!(read, Value::Map(vec![pair(name, Value::Scalar(value))]), "{name}={text}");
        }
    }

    #[test]
    fn gaps_close_and_indices_sort_as_numbers() {
        let pairs: Vec<(String, Vec<u8>)> =
            [10, 2, 7].iter().map(|n| (format!("age__list_{n}"), n.to_string().into())).collect();
        let Value::Map(read) = unflatten(&pairs).unwrap() else { panic!() };
        let list = Value::List(vec![Value::text("2"), Value::text("7"), Value::text("10")]);
        assert_eq!(read, vec![pair("age", list)]);
    }

    #[test]
    fn broken_names_are_errors() {
        for names in [&["a", "a__map_b"][..], &["a__map_b", "a"], &["a__list_x"], &["a__list_0", "a__map_b"]]
        {
            let pairs: Vec<(String, Vec<u8>)> = names.iter().map(|n| ((*n).into(), b"x".to_vec())).collect();
            assert!(unflatten(&pairs).is_err(), "{names:?}");
        }
        let deep = vec![("a__map_b".repeat(100), b"x".to_vec())];
        assert!(unflatten(&deep).is_err());
    }
}
