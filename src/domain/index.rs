//! The index syntax of `--extract`, `set` and `unset`: `["a"]["b"][0]`
//! (sops-compat 10.4), and where an index leads in a tree or a value.

use crate::domain::tree::{Kind, NodeId, Tree};
use crate::domain::value::{Entry, Value};

/// One step of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Component {
    /// `["key"]`
    Key(String),
    /// `[0]`: the position in a list, comments counted.
    Position(i64),
}

/// Why a text is no index. The texts are SOPS's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IndexError {
    /// A component without its bracket.
    #[error("component \"{0}\" doesn't end with ]")]
    Unclosed(String),
    /// Neither quoted nor a number.
    #[error("strconv.Atoi: parsing \"{0}\": invalid syntax")]
    NotANumber(String),
}

/// Why an index leads nowhere. The texts are SOPS's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// No such key.
    #[error("component ['{0}'] not found")]
    NoKey(String),
    /// Past the end of the list, or negative.
    #[error("component [{0}] accesses out of bounds")]
    OutOfBounds(i64),
    /// A position in something that is no list.
    #[error("component [{0}] is integer, but tree part is not a slice")]
    NotAList(i64),
    /// A key in something that is no map.
    #[error("component ['{0}'] is a key, but tree part is not a map")]
    NotAMap(String),
}

/// Reads an index. An empty text is the empty index: the whole document.
pub fn parse(text: &str) -> Result<Vec<Component>, IndexError> {
    text.split('[')
        .filter(|piece| !piece.is_empty())
        .map(|piece| {
            let inner = piece.strip_suffix(']').ok_or_else(|| IndexError::Unclosed(piece.to_owned()))?;
            let mut chars = inner.chars();
            if inner.starts_with(['"', '\'']) {
                chars.next();
                chars.next_back();
                return Ok(Component::Key(chars.as_str().to_owned()));
            }
            inner.parse().map(Component::Position).map_err(|_| IndexError::NotANumber(inner.to_owned()))
        })
        .collect()
}

/// The texts that a key path may have meant, in the syntax of indices: as it stands, or
/// from the short form `database.hosts.0`, whose numbers are places or keys.
pub fn spelled_out(text: &str) -> Result<Vec<String>, IndexError> {
    if text.is_empty() || text.starts_with('[') {
        return Ok(vec![written(&parse(text)?)]);
    }
    // A document behind the first.
    if text.starts_with("---") {
        return Ok(vec![text.to_owned()]);
    }
    let keys = text.split('.').map(|key| Component::Key(key.to_owned())).collect::<Vec<_>>();
    let places = text.split('.').map(|key| match key.parse() {
        Ok(place) => Component::Position(place),
        Err(_) => Component::Key(key.to_owned()),
    });
    let mut spelled = vec![written(&keys), written(&places.collect::<Vec<_>>())];
    spelled.dedup();
    Ok(spelled)
}

/// An index as text.
fn written(index: &[Component]) -> String {
    let component = |component: &Component| match component {
        Component::Key(key) => format!("[\"{key}\"]"),
        Component::Position(at) => format!("[{at}]"),
    };
    index.iter().map(component).collect()
}

/// The part of `value` that `index` leads to.
pub fn look_up<'v>(mut value: &'v Value, index: &[Component]) -> Result<&'v Value, LookupError> {
    for component in index {
        value = match (component, value) {
            (Component::Key(key), Value::Map(entries)) => entries
                .iter()
                .find_map(|entry| match entry {
                    Entry::Pair(name, value) if name == key => Some(value),
                    _ => None,
                })
                .ok_or_else(|| LookupError::NoKey(key.clone()))?,
            (Component::Position(at), Value::List(values)) => usize::try_from(*at)
                .ok()
                .and_then(|at| values.get(at))
                .ok_or(LookupError::OutOfBounds(*at))?,
            (Component::Position(at), _) => return Err(LookupError::NotAList(*at)),
            (Component::Key(key), _) => return Err(LookupError::NotAMap(key.clone())),
        };
    }
    Ok(value)
}

/// How far an index leads into a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reached {
    /// The last node that exists.
    pub node: NodeId,
    /// How many components led there.
    pub depth: usize,
}

/// Follows `index` from `root` as far as it goes. Metadata is out of reach.
pub fn reach(tree: &Tree<'_>, root: NodeId, index: &[Component]) -> Reached {
    let mut reached = Reached { node: root, depth: 0 };
    for component in index {
        let kind = tree.node(reached.node).kind;
        let mut children = tree.children(reached.node);
        let child = match component {
            Component::Key(key) if kind == Kind::Map => {
                children.find(|&child| tree.has_key(child) && tree.key(child) == key.as_bytes())
            }
            Component::Position(at) if kind == Kind::List => {
                usize::try_from(*at).ok().and_then(|at| children.nth(at))
            }
            _ => None,
        };
        let Some(child) = child else { break };
        reached = Reached { node: child, depth: reached.depth + 1 };
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::{Component, IndexError, LookupError, look_up, parse};
    use crate::domain::value::{Entry, Value};

    fn key(text: &str) -> Component {
        Component::Key(text.into())
    }

    #[test]
    fn indices_are_read_as_sops_reads_them() {
        let table: &[(&str, &[Component])] = &[
            ("", &[]),
            ("[\"a\"]['b'][0]", &[key("a"), key("b"), Component::Position(0)]),
            ("[\"a]b\"][-1]", &[key("a]b"), Component::Position(-1)]),
            ("[\"a'][\"\"]", &[key("a"), key("")]),
        ];
        for (text, index) in table {
            assert_eq!(parse(text).unwrap(), *index, "{text}");
        }
        assert_eq!(parse("b"), Err(IndexError::Unclosed("b".into())));
        assert_eq!(parse("[\"b\""), Err(IndexError::Unclosed("\"b\"".into())));
        assert_eq!(parse("[\"b\"] [\"c\"]"), Err(IndexError::Unclosed("\"b\"] ".into())));
        assert_eq!(parse("[b]"), Err(IndexError::NotANumber("b".into())));
        assert_eq!(parse("[]"), Err(IndexError::NotANumber(String::new())));
    }

    #[test]
    fn key_paths_have_a_short_form() {
        let spelled = |text: &str| super::spelled_out(text).unwrap();
        assert_eq!(spelled("a.b"), ["[\"a\"][\"b\"]"]);
        assert_eq!(spelled("a.0"), ["[\"a\"][\"0\"]", "[\"a\"][0]"]);
        assert_eq!(spelled("['a'][0]"), ["[\"a\"][0]"]);
        assert_eq!(spelled("---1[\"a\"]"), ["---1[\"a\"]"]);
        assert_eq!(spelled(""), [""]);
        assert!(super::spelled_out("[a").is_err());
    }

    #[test]
    fn every_wrong_turn_is_an_error() {
        let list = Value::List(vec![Value::text("x")]);
        let value = Value::Map(vec![Entry::Pair("a".into(), list)]);
        let look = |text: &str| look_up(&value, &parse(text).unwrap()).cloned();
        assert_eq!(look("[\"a\"][0]"), Ok(Value::text("x")));
        assert_eq!(look("[\"zz\"]"), Err(LookupError::NoKey("zz".into())));
        assert_eq!(look("[\"a\"][5]"), Err(LookupError::OutOfBounds(5)));
        assert_eq!(look("[\"a\"][-1]"), Err(LookupError::OutOfBounds(-1)));
        assert_eq!(look("[0]"), Err(LookupError::NotAList(0)));
        assert_eq!(look("[\"a\"][\"x\"]"), Err(LookupError::NotAMap("x".into())));
        assert_eq!(look("[\"a\"][0][\"x\"]"), Err(LookupError::NotAMap("x".into())));
    }
}
