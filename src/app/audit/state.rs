//! What a clone remembers of a writer beside its chain: which segments it wrote into
//! which work tree, and which heads of other writers it has already told of. All of it
//! could be found again by reading; what is damaged counts as empty.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::domain::agent::audit::entry::number;
use crate::domain::scalar::LARGEST_EXACT;

/// A segment as it was written last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The number of its first entry.
    pub first: u64,
    /// The number of its last entry.
    pub last: u64,
    /// Its size in bytes.
    pub size: u64,
}

/// The memory of a writer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// By the folder of the policy, absolute, and the segment's name.
    pub trees: BTreeMap<String, BTreeMap<String, Span>>,
    /// By writer, the newest number that was told of.
    pub witnessed: BTreeMap<String, u64>,
}

impl State {
    /// Reads what [`State::to_json`] wrote.
    pub fn parse(bytes: &[u8]) -> Self {
        let value: Value = serde_json::from_slice(bytes).unwrap_or_default();
        let object = |value: Option<&Value>| value.and_then(Value::as_object).cloned().unwrap_or_default();
        let span = |value: &Value| {
            let number = |name: &str| number(value, name);
            Some(Span { first: number("first")?, last: number("last")?, size: number("size")? })
        };
        let mut state = Self::default();
        for (root, files) in object(value.get("trees")) {
            let files = object(Some(&files));
            let spans = files.iter().filter_map(|(name, value)| Some((name.clone(), span(value)?)));
            state.trees.insert(root, spans.collect());
        }
        for (writer, seq) in object(value.get("witnessed")) {
            let seq = seq.as_u64().filter(|seq| *seq <= LARGEST_EXACT);
            state.witnessed.extend(seq.map(|seq| (writer, seq)));
        }
        state
    }

    /// As JSON.
    pub fn to_json(&self) -> Vec<u8> {
        let trees: Map<String, Value> = self
            .trees
            .iter()
            .map(|(root, files)| {
                let files: Map<String, Value> = files
                    .iter()
                    .map(|(name, span)| {
                        let span = json!({ "first": span.first, "last": span.last, "size": span.size });
                        (name.clone(), span)
                    })
                    .collect();
                (root.clone(), Value::Object(files))
            })
            .collect();
        let mut text = json!({ "trees": trees, "witnessed": self.witnessed }).to_string().into_bytes();
        text.push(b'\n');
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_reads_back() {
        let mut state = State::default();
        assert_eq!(State::parse(&state.to_json()), state);
        let files =
            BTreeMap::from([("00000001-00000000.jsonl".to_owned(), Span { first: 1, last: 9, size: 7 })]);
        state.trees.insert("/r".to_owned(), files);
        state.witnessed.insert("w-0".to_owned(), 3);
        assert_eq!(State::parse(&state.to_json()), state);
        assert_eq!(State::parse(b"damaged"), State::default());
        let too_large =
            State { witnessed: BTreeMap::from([("w-0".to_owned(), u64::MAX)]), ..State::default() };
        assert_eq!(State::parse(&too_large.to_json()), State::default());
    }
}
