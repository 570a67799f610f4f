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

impl Entry {
    /// The key and its value; `None` for a comment.
    pub fn pair(&self) -> Option<(&str, &Value)> {
        match self {
            Self::Pair(key, value) => Some((key, value)),
            Self::Comment(_) => None,
        }
    }
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

    /// True when both hold the same data; comments do not count.
    pub fn same_data(&self, other: &Value) -> bool {
        match (self, other) {
            (Self::Scalar(one), Self::Scalar(other)) => one.same(other),
            (Self::List(one), Self::List(other)) => {
                let is_data = |value: &&Value| !matches!(value, Value::Comment(_));
                one.iter().filter(is_data).count() == other.iter().filter(is_data).count()
                    && one
                        .iter()
                        .filter(is_data)
                        .zip(other.iter().filter(is_data))
                        .all(|(a, b)| a.same_data(b))
            }
            (Self::Map(one), Self::Map(other)) => {
                one.iter().filter_map(Entry::pair).count() == other.iter().filter_map(Entry::pair).count()
                    && one
                        .iter()
                        .filter_map(Entry::pair)
                        .zip(other.iter().filter_map(Entry::pair))
                        .all(|(a, b)| a.0 == b.0 && a.1.same_data(b.1))
            }
            _ => false,
        }
    }

    /// A string leaf.
    pub fn text(text: impl Into<Vec<u8>>) -> Value {
        Value::Scalar(Scalar::Str(Text::from(text.into())))
    }
}
