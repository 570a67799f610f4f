//! `set` and `unset` without a process around them: one change in a plain file
//! must read back as that change of the data, and as nothing else. The fuzz
//! targets share it.

use leaflock::domain::document::change::{Change as Made, changed, purpose};
use leaflock::domain::document::values::plain_values;
use leaflock::domain::scalar::Scalar;
use leaflock::domain::secret::SecretBytes;
use leaflock::domain::store::{Format, Store, WriteError};
use leaflock::domain::tree::{Flags, Kind, NodeId, Tree};
use leaflock::domain::value::{Entry, Value};

/// Keys and texts that want quotes somewhere.
const TEXTS: [&str; 12] =
    ["plain", "two words", "", "a: b # c", "'q'", "\"d\"", "12", "true", "- x", "l1\nl2\n", "ключ", "{a}"];

/// What is done to which node.
pub(crate) struct Change {
    what: u8,
    node: u8,
    value: u8,
    key: u8,
}

impl Change {
    /// The change that some bytes stand for.
    pub(crate) fn new([what, node, value, key]: [u8; 4]) -> Self {
        Self { what, node, value, key }
    }

    fn value(&self, format: Format) -> Value {
        let text = Value::text(TEXTS[usize::from(self.value) % TEXTS.len()]);
        let nests = matches!(format, Format::Yaml | Format::Json);
        match self.value / 16 % 8 {
            0 if nests => Value::Scalar(Scalar::Int(-7)),
            1 if nests => Value::Scalar(Scalar::Bool(true)),
            2 if nests => Value::Scalar(Scalar::Null),
            3 if nests => Value::Map(vec![
                Entry::Pair("in".into(), text),
                Entry::Pair("ner".into(), Value::List(vec![Value::Scalar(Scalar::Float(1.5))])),
            ]),
            4 if nests => {
                Value::List(vec![text, Value::Map(vec![Entry::Pair("k".into(), Value::text("v"))])])
            }
            5 if nests => Value::Map(Vec::new()),
            _ => text,
        }
    }
}

/// Where a node is among values: the document, then places among siblings.
fn place_of(tree: &Tree<'_>, mut id: NodeId) -> (usize, Vec<usize>) {
    let mut places = Vec::new();
    while tree.node(id).parent != id {
        let is_before = |sibling: &NodeId| *sibling != id;
        let before = tree.children(tree.node(id).parent).take_while(is_before);
        places.push(before.filter(|sibling| is_data(tree, *sibling)).count());
        id = tree.node(id).parent;
    }
    places.reverse();
    let document = tree.documents.iter().rposition(|document| document.root <= id).unwrap_or(0);
    (document, places)
}

fn is_data(tree: &Tree<'_>, id: NodeId) -> bool {
    tree.node(id).kind != Kind::Comment && !tree.node(id).flags.has(Flags::METADATA)
}

/// What became of a change.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// There is nothing to change, or the format cannot hold it.
    NotMade,
    /// It was refused because it would have come out as another one.
    Refused,
    /// It was made.
    Made,
}

/// Makes `change` in a file and says what went wrong.
pub(crate) fn check(format: Format, source: &[u8], change: &Change) -> Result<Fate, String> {
    let store = format.store();
    let Ok(tree) = store.read(source, purpose(format)) else { return Ok(Fate::NotMade) };
    let odd = |flag: Flags| tree.nodes.iter().any(|node| node.flags.has(flag));
    // An alias follows what it refers to, and a shadowed value is not there.
    let is_plain = !odd(Flags::METADATA) && !odd(Flags::SHADOWED) && !odd(Flags::ODD_KEY);
    if !is_plain || tree.nodes.iter().any(|node| node.kind == Kind::Alias) {
        return Ok(Fate::NotMade);
    }
    let ids: Vec<NodeId> = (0..tree.nodes.len() as NodeId).filter(|id| is_data(&tree, *id)).collect();
    let id = ids[usize::from(change.node) % ids.len()];
    let mut expected = plain_values(store, &tree);
    let changed = match change_both(store, &tree, id, change, &mut expected) {
        Some(Ok(changed)) => changed,
        Some(Err(error)) if error.message.contains("in its place") => return Ok(Fate::Refused),
        Some(Err(_)) | None => return Ok(Fate::NotMade),
    };
    let show = |bytes: &[u8]| bytes.escape_ascii().to_string().replace("\\n", "\\n\n");
    let told = |what: &str| format!("{what}\n--- before\n{}\n--- after\n{}", show(source), show(&changed));
    let again = store.read(&changed, purpose(format)).map_err(|error| told(&error.to_string()))?;
    let found = plain_values(store, &again);
    if found.len() != expected.len() || !found.iter().zip(&expected).all(|(a, b)| a.same_data(b)) {
        return Err(told(&format!("other data\n{expected:?}\n{found:?}")));
    }
    let removes = change.what % 4 == 3;
    if !removes && comments(&again) < comments(&tree) {
        return Err(told("a comment is lost"));
    }
    Ok(Fate::Made)
}

fn comments(tree: &Tree<'_>) -> usize {
    tree.nodes.iter().filter(|node| node.kind == Kind::Comment).count()
}

/// The changed file, and the same change of the data. `None` if there is
/// nothing to do at that node.
fn change_both(
    store: &'static dyn Store,
    tree: &Tree<'_>,
    id: NodeId,
    change: &Change,
    data: &mut [Value],
) -> Option<Result<SecretBytes, WriteError>> {
    let node = tree.node(id);
    let value = change.value(store.format());
    let (document, places) = place_of(tree, id);
    // A replaced collection may take the comments in it along.
    match (change.what % 4, node.kind) {
        (0, Kind::Scalar) if node.parent != id => {
            *at(&mut data[document], &places)? = value.clone();
            Some(changed(store, tree, id, Made::Replace(&value)))
        }
        (1, Kind::Map) => {
            let key = format!("{} {}", TEXTS[usize::from(change.key) % TEXTS.len()], change.key);
            let Value::Map(entries) = at(&mut data[document], &places)? else { return None };
            if entries.iter().filter_map(Entry::pair).any(|(name, _)| name == key) {
                return None;
            }
            entries.push(Entry::Pair(key.clone(), value.clone()));
            Some(changed(store, tree, id, Made::Insert(&key, &value)))
        }
        (2, Kind::List) => {
            let Value::List(values) = at(&mut data[document], &places)? else { return None };
            values.push(value.clone());
            Some(changed(store, tree, id, Made::Append(&value)))
        }
        (3, _) if node.parent != id => {
            let (last, above) = places.split_last()?;
            match at(&mut data[document], above)? {
                Value::Map(entries) => {
                    let pair =
                        (0..entries.len()).filter(|place| entries[*place].pair().is_some()).nth(*last)?;
                    entries.remove(pair);
                }
                Value::List(values) => {
                    let is_value = |place: &usize| !matches!(values[*place], Value::Comment(_));
                    let element = (0..values.len()).filter(is_value).nth(*last)?;
                    values.remove(element);
                }
                _ => return None,
            }
            Some(changed(store, tree, id, Made::Remove))
        }
        _ => None,
    }
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
            _ => return None,
        };
    }
    Some(value)
}
