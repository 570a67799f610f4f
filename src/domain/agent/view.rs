//! A source cut to the leaves that one principal may have: what its derived file holds.
//!
//! Comments are left out, because they can hold anything. A map loses the keys below
//! which nothing is left; a list keeps its places as long as one of its items has
//! something left: an item that has nothing is an empty map, or an empty list if it was a
//! list. The documents of a YAML file keep their places in the same way. What was empty
//! in the source holds no leaf, and goes too.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::domain::crypto::data_key::DataKey;
use crate::domain::crypto::derived_mac::{DerivedMac, derived_mac};
use crate::domain::scalar::Scalar;
use crate::domain::secret::SecretBytes;
use crate::domain::value::{Entry, Value};

/// What the key of a mark is derived for: HKDF's `info`.
const PURPOSE: &[u8] = b"leaflock-manifest@v1";

/// Whether the leaf with this path is kept.
pub type Allowed<'a> = &'a dyn Fn(&[String]) -> bool;

/// A source that was cut.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// Its documents.
    pub documents: Vec<Value>,
    /// The paths of its leaves, sorted, each once: items of a list share theirs.
    pub paths: Vec<Vec<String>>,
}

impl View {
    /// Cuts the documents of a source; `None` if nothing is left.
    pub fn cut(documents: &[Value], allowed: Allowed<'_>) -> Option<Self> {
        let mut cutter = Cutter { allowed, path: Vec::new(), paths: Vec::new() };
        let documents: Vec<Option<Value>> = documents.iter().map(|document| cutter.cut(document)).collect();
        let mut paths = cutter.paths;
        if paths.is_empty() {
            return None;
        }
        paths.sort();
        paths.dedup();
        let documents = documents.into_iter().map(|it| it.unwrap_or(Value::Map(Vec::new()))).collect();
        Some(Self { documents, paths })
    }

    /// The mark of this view for `agent`, under the data key of its source: it tells
    /// whoever opens the source whether a derived file still holds this, and nobody
    /// else anything. HMAC-SHA256 under a key that HKDF-SHA256 yields, in base64.
    ///
    /// Its message is the name of the agent, then each document:
    ///
    /// ```text
    /// message  = text ("d" value)*
    /// value    = "n" | ("s" | "i" | "f" | "b" | "t" | "c") text
    ///          | "{" ("k" text value)* "}" | "[" value* "]"
    /// text     = length bytes        length: 8 bytes, most significant first
    /// ```
    pub fn mark(&self, agent: &str, data_key: &DataKey) -> String {
        let mut message = Message(derived_mac(data_key, PURPOSE));
        message.text(agent.as_bytes());
        for document in &self.documents {
            message.0.update(b"d");
            message.value(document);
        }
        STANDARD.encode(message.0.finish())
    }
}

struct Cutter<'a> {
    allowed: Allowed<'a>,
    path: Vec<String>,
    paths: Vec<Vec<String>>,
}

impl Cutter<'_> {
    /// What is left of `value`; `None` for nothing.
    fn cut(&mut self, value: &Value) -> Option<Value> {
        match value {
            Value::Scalar(_) => {
                if !(self.allowed)(&self.path) {
                    return None;
                }
                self.paths.push(self.path.clone());
                Some(value.clone())
            }
            Value::Comment(_) => None,
            Value::Map(entries) => {
                let mut kept = Vec::new();
                for (key, value) in entries.iter().filter_map(Entry::pair) {
                    self.path.push(key.to_owned());
                    let value = self.cut(value);
                    self.path.pop();
                    kept.extend(value.map(|value| Entry::Pair(key.to_owned(), value)));
                }
                (!kept.is_empty()).then_some(Value::Map(kept))
            }
            Value::List(items) => {
                let items = items.iter().filter(|item| !matches!(item, Value::Comment(_)));
                let cut: Vec<(bool, Option<Value>)> =
                    items.map(|item| (matches!(item, Value::List(_)), self.cut(item))).collect();
                if cut.iter().all(|(_, item)| item.is_none()) {
                    return None;
                }
                let place = |is_list| if is_list { Value::List(Vec::new()) } else { Value::Map(Vec::new()) };
                Some(Value::List(
                    cut.into_iter().map(|(is_list, item)| item.unwrap_or_else(|| place(is_list))).collect(),
                ))
            }
        }
    }
}

/// Takes the message of a mark, piece by piece.
struct Message(DerivedMac);

impl Message {
    fn text(&mut self, text: &[u8]) {
        self.0.update(&(text.len() as u64).to_be_bytes());
        self.0.update(text);
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Scalar(scalar) => self.scalar(scalar),
            Value::Map(entries) => {
                self.0.update(b"{");
                for (key, value) in entries.iter().filter_map(Entry::pair) {
                    self.0.update(b"k");
                    self.text(key.as_bytes());
                    self.value(value);
                }
                self.0.update(b"}");
            }
            Value::List(items) => {
                self.0.update(b"[");
                items.iter().for_each(|item| self.value(item));
                self.0.update(b"]");
            }
            Value::Comment(_) => {}
        }
    }

    fn scalar(&mut self, scalar: &Scalar<'_>) {
        let Some(name) = scalar.type_name() else { return self.0.update(b"n") };
        self.0.update(&name.as_bytes()[..1]);
        let mut text = SecretBytes::new(Vec::with_capacity(match scalar {
            Scalar::Str(text) => text.len(),
            _ => 64,
        }));
        scalar.write_canonical(text.as_mut_vec());
        self.text(&text);
    }
}

#[cfg(test)]
mod tests {
    use super::View;
    use crate::domain::agent::pattern::show_path;
    use crate::domain::crypto::data_key::DataKey;
    use crate::domain::document::values::plain_values;
    use crate::domain::store::{Format, Layout, Purpose};

    fn view(format: Format, source: &str, kept: &[&str]) -> Option<View> {
        let tree = format.store().read(source.as_bytes(), Purpose::AsIs).unwrap();
        let documents = plain_values(format.store(), &tree);
        View::cut(&documents, &|path| kept.contains(&show_path(path).as_str()))
    }

    fn text(format: Format, source: &str, kept: &[&str]) -> String {
        let view = view(format, source, kept).unwrap();
        let text = format.store().emit(&view.documents, Layout { indent: Some(2) }).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn only_what_is_allowed_stays() {
        let source = "# for all\na: 1\nb:\n  # for b\n  c: null\n  d: x\ne: {}\nf: [1, 2]\n";
        assert_eq!(text(Format::Yaml, source, &["b.c"]), "b:\n  c: null\n");
        assert_eq!(text(Format::Yaml, source, &["a", "f"]), "a: 1\nf:\n  - 1\n  - 2\n");
        assert_eq!(view(Format::Yaml, source, &["b", "e", "x"]), None);
        assert_eq!(text(Format::Dotenv, "A=1\n# c\nB=2\n", &["B"]), "B=2\n");
        assert_eq!(view(Format::Ini, "[s]\nk=1\nl=2\n", &["s.l"]).unwrap().paths, [["s", "l"]]);
    }

    #[test]
    fn items_and_documents_keep_their_places() {
        let source = "l:\n  - x: 1\n    y: 2\n  - y: 3\n  - [{y: 4}]\n---\nm: 5\n";
        assert_eq!(text(Format::Yaml, source, &["l.x"]), "l:\n  - x: 1\n  - {}\n  - []\n---\n{}\n");
        assert_eq!(
            text(Format::Yaml, source, &["l.y"]),
            "l:\n  - \"y\": 2\n  - \"y\": 3\n  - - \"y\": 4\n---\n{}\n"
        );
        assert_eq!(text(Format::Yaml, source, &["m"]), "{}\n---\nm: 5\n");
        assert_eq!(view(Format::Yaml, source, &["l", "l.z"]), None);
    }

    #[test]
    fn a_mark_tells_agents_values_and_types_apart() {
        let key = DataKey::from_bytes(&[7; 32]).unwrap();
        let of = |source: &str, agent: &str| {
            view(Format::Yaml, source, &["a", "b", "a.b"]).unwrap().mark(agent, &key)
        };
        let marks = [
            of("a: 1\n", "x"),
            of("a: 1\n", "y"),
            of("a: '1'\n", "x"),
            of("a: [1]\n", "x"),
            of("b: 1\n", "x"),
            of("a: {b: 1}\n", "x"),
            of("a: null\n", "x"),
            of("a: ''\n", "x"),
            of("a: 1\n---\nb: 1\n", "x"),
            of("a: 1\nb: 1\n", "x"),
        ];
        for (at, mark) in marks.iter().enumerate() {
            assert!(!marks[..at].contains(mark), "{at}");
        }
        assert_eq!(of("a: 1 # new\nc: 3\n", "x"), marks[0]);
        let other = DataKey::from_bytes(&[8; 32]).unwrap();
        assert_ne!(view(Format::Yaml, "a: 1\n", &["a"]).unwrap().mark("x", &other), marks[0]);
    }
}
