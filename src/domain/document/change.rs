//! One change in a plain file, proven: what comes out reads as the same data with
//! that change. A layout in which a change would go wrong is refused.

use super::values::plain_values;
use crate::domain::scalar::Scalar;
use crate::domain::secret::SecretBytes;
use crate::domain::store::splice::{apply, are_apart};
use crate::domain::store::{Format, Purpose, Store, WriteError};
use crate::domain::tree::{Flags, Kind, NodeId, Tree};
use crate::domain::value::{Entry, Value};

/// What is done to a node.
#[derive(Clone, Copy, Debug)]
pub enum Change<'v> {
    /// It gets another value.
    Replace(&'v Value),
    /// A map gets another entry, behind those that it has.
    Insert(&'v str, &'v Value),
    /// A list gets another element, behind those that it has.
    Append(&'v Value),
    /// It goes, with its key.
    Remove,
}

/// What to do about a change that is refused.
const HINT: &str = "change it in an editor: `leaflock edit FILE`";

/// How a plain file is read for a change: values of a dotenv file may span lines.
pub fn purpose(format: Format) -> Purpose {
    if format == Format::Dotenv { Purpose::Encrypt } else { Purpose::AsIs }
}

/// The plain file `tree` with `change` made at node `id`.
///
/// # Errors
/// What the format cannot hold, and a place where the change would come out as
/// another one.
pub fn changed(
    store: &'static dyn Store,
    tree: &Tree<'_>,
    id: NodeId,
    change: Change<'_>,
) -> Result<SecretBytes, WriteError> {
    let edits = match change {
        Change::Replace(value) => store.replace(tree, id, value),
        Change::Insert(key, value) => store.insert(tree, id, key, value),
        Change::Append(value) => store.append(tree, id, value),
        Change::Remove => store.remove(tree, id),
    };
    let edits = edits?;
    let is_clear = are_apart(&edits);
    let changed = SecretBytes::new(apply(tree.source, edits));
    if !is_clear || is_provable(tree) && reads_as(store, tree, id, change, &changed) == Some(false) {
        let line = tree.line(tree.node(id).key.start.max(tree.node(id).span.start));
        let message = format!("line {line}: what stands here cannot be changed in its place");
        return Err(WriteError { message, hint: Some(HINT) });
    }
    Ok(changed)
}

/// True if no value depends on another place: an alias follows what it refers to, and
/// a shadowed value shows when the one that shadows it goes.
fn is_provable(tree: &Tree<'_>) -> bool {
    !tree.nodes.iter().any(|node| node.kind == Kind::Alias || node.flags.has(Flags::SHADOWED))
}

/// Whether `text` reads as the data of `tree` with `change`, and has its comments where
/// nothing is removed; `None` if the data has no such place.
fn reads_as(
    store: &'static dyn Store,
    tree: &Tree<'_>,
    id: NodeId,
    change: Change<'_>,
    text: &[u8],
) -> Option<bool> {
    let mut expected = plain_values(store, tree);
    let document = tree.documents.iter().rposition(|document| document.root <= id)?;
    let places = places(tree, id);
    let root = expected.get_mut(document)?;
    match (change, at(root, &places)?) {
        (Change::Replace(value), old) => *old = value.clone(),
        (Change::Insert(key, value), Value::Map(entries)) => {
            entries.push(Entry::Pair(key.to_owned(), value.clone()));
        }
        (Change::Append(value), Value::List(values)) => values.push(value.clone()),
        (Change::Remove, _) => {
            let (last, above) = places.split_last()?;
            match at(root, above)? {
                Value::Map(entries) => {
                    let is_pair = |place: &usize| entries[*place].pair().is_some();
                    let place = (0..entries.len()).filter(is_pair).nth(*last)?;
                    entries.remove(place);
                }
                Value::List(values) => {
                    let is_value = |place: &usize| !matches!(values[*place], Value::Comment(_));
                    let place = (0..values.len()).filter(is_value).nth(*last)?;
                    values.remove(place);
                }
                _ => return None,
            }
        }
        _ => return None,
    }
    let Ok(again) = store.read(text, purpose(store.format())) else { return Some(false) };
    let comments = |tree: &Tree<'_>| tree.nodes.iter().filter(|node| node.kind == Kind::Comment).count();
    if !matches!(change, Change::Remove) && comments(&again) < comments(tree) {
        return Some(false);
    }
    let found = plain_values(store, &again);
    Some(found.len() == expected.len() && found.iter().zip(&expected).all(|(a, b)| is_alike(a, b)))
}

/// The places of `id` and of the nodes around it among their siblings, from the root
/// down; comments do not count.
fn places(tree: &Tree<'_>, mut id: NodeId) -> Vec<usize> {
    let mut places = Vec::new();
    while tree.node(id).parent != id {
        let is_data = |sibling: &NodeId| {
            let node = tree.node(*sibling);
            node.kind != Kind::Comment && !node.flags.has(Flags::METADATA)
        };
        let before = tree.children(tree.node(id).parent).take_while(|sibling| *sibling != id);
        places.push(before.filter(is_data).count());
        id = tree.node(id).parent;
    }
    places.reverse();
    places
}

/// The part of `value` at `places`.
fn at<'v>(mut value: &'v mut Value, places: &[usize]) -> Option<&'v mut Value> {
    for place in places {
        value = match value {
            Value::Map(entries) => entries
                .iter_mut()
                .filter_map(|entry| match entry {
                    Entry::Pair(_, value) => Some(value),
                    Entry::Comment(_) => None,
                })
                .nth(*place)?,
            Value::List(values) => {
                values.iter_mut().filter(|value| !matches!(value, Value::Comment(_))).nth(*place)?
            }
            Value::Scalar(_) | Value::Comment(_) => return None,
        };
    }
    Some(value)
}

/// Equality of data in which a whole number is the same as integer and as double.
fn is_alike(one: &Value, other: &Value) -> bool {
    let number = |value: &Value| match value {
        Value::Scalar(Scalar::Int(number)) => Some(*number as f64),
        Value::Scalar(Scalar::Float(number)) => Some(*number),
        _ => None,
    };
    match (one, other) {
        (Value::Map(one), Value::Map(other)) => {
            let (one, other) = (one.iter().filter_map(Entry::pair), other.iter().filter_map(Entry::pair));
            one.clone().count() == other.clone().count()
                && one.zip(other).all(|(a, b)| a.0 == b.0 && is_alike(a.1, b.1))
        }
        (Value::List(one), Value::List(other)) => {
            let is_data = |value: &&Value| !matches!(value, Value::Comment(_));
            let (one, other) = (one.iter().filter(is_data), other.iter().filter(is_data));
            one.clone().count() == other.clone().count() && one.zip(other).all(|(a, b)| is_alike(a, b))
        }
        _ => one.same_data(other) || number(one).is_some() && number(one) == number(other),
    }
}
