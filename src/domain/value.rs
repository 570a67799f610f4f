//! A document as owned values, detached from any file: what crosses from one
//! format to another, what `--extract` selects and what `set` inserts.

use super::scalar::Scalar;
use super::secret::Text;

/// A tree of values in document order.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A leaf.
    Scalar(Scalar<'static>),
    /// An ordered map; keys may repeat.
    Map(Vec<Entry>),
    /// A list. Comments may stand between its elements.
    List(Vec<Value>),
    /// A comment in a list: the text after its marker.
    Comment(Text<'static>),
}

/// One line of a map.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// A comment: the text after its marker, one line of it.
    Comment(Text<'static>),
    /// A key and its value.
    Pair(String, Value),
}

impl Value {
    /// The value of the first pair named `key`, if this is a map that has one.
    pub fn get(&self, key: &str) -> Option<&Value> {
        let Self::Map(entries) = self else { return None };
        entries.iter().find_map(|entry| match entry {
            Entry::Pair(name, value) if name == key => Some(value),
            _ => None,
        })
    }

    /// A string leaf.
    pub fn text(text: impl Into<Vec<u8>>) -> Value {
        Value::Scalar(Scalar::Str(Text::from(text.into())))
    }
}
