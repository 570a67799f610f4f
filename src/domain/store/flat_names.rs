//! Nested values under flat names, for formats that have no nesting: the keys on
//! the way to a leaf, and positions in lists, joined by `_`
//! (`database.password` becomes `database_password`). SOPS refuses nesting there.

use super::WriteError;
use crate::domain::scalar::Scalar;
use crate::domain::value::{Entry, Value};

/// How deep values may be nested; deeper ones are refused, not followed.
const DEPTH: usize = 128;

/// The letters of a variable's name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Case {
    /// In upper case.
    #[default]
    Upper,
    /// As the keys have them.
    Keep,
}

/// One leaf of a nested value.
#[derive(Debug)]
pub struct Leaf<'v> {
    /// Where it stands, as an index: `["database"]["hosts"][0]`.
    pub path: String,
    /// The same with dots: `database.hosts.0`.
    pub dotted: String,
    /// Its flat name: `database_hosts_0`.
    pub name: String,
    /// Its value.
    pub scalar: &'v Scalar<'static>,
}

/// The leaves of `value` in document order; comments have no name and are left
/// out, as are maps and lists without a leaf.
///
/// # Errors
/// When `value` is a leaf itself, which has no name, or nested too deeply.
pub fn leaves(value: &Value) -> Result<Vec<Leaf<'_>>, WriteError> {
    let mut found = Vec::new();
    match value {
        Value::Map(_) | Value::List(_) => collect(value, &Leaf::root(), 0, &mut found)?,
        Value::Scalar(_) | Value::Comment(_) => {
            return Err(WriteError::new("a single value has no name to be written under"));
        }
    }
    Ok(found)
}

impl Leaf<'_> {
    /// The place above everything.
    fn root() -> Leaf<'static> {
        Leaf { path: String::new(), dotted: String::new(), name: String::new(), scalar: &Scalar::Null }
    }

    /// The place of child `key` below this place; `step` is it as an index component.
    fn child(&self, key: &str, step: &str) -> Leaf<'static> {
        let joined = |above: &str, joint: char| {
            if self.path.is_empty() { key.to_owned() } else { format!("{above}{joint}{key}") }
        };
        let (dotted, name) = (joined(&self.dotted, '.'), joined(&self.name, '_'));
        Leaf { path: format!("{}[{step}]", self.path), dotted, name, scalar: &Scalar::Null }
    }

    /// The variable that the leaf becomes: `_` for what a shell does not allow in a
    /// name. `None` if nothing of the name is left.
    pub fn variable(&self, case: Case) -> Option<String> {
        let allowed = |c: char| match (c.is_ascii_alphanumeric(), case) {
            (true, Case::Upper) => c.to_ascii_uppercase(),
            (true, Case::Keep) => c,
            (false, _) => '_',
        };
        let mut name: String = self.name.chars().map(allowed).collect();
        if name.starts_with(|first: char| first.is_ascii_digit()) {
            name.insert(0, '_');
        }
        name.contains(|c: char| c != '_').then_some(name)
    }
}

/// Adds the leaves below `value`, which stands at `at`.
fn collect<'v>(
    value: &'v Value,
    at: &Leaf<'_>,
    depth: usize,
    found: &mut Vec<Leaf<'v>>,
) -> Result<(), WriteError> {
    if depth > DEPTH {
        return Err(WriteError::new(format!("values are nested more than {DEPTH} levels deep")));
    }
    match value {
        Value::Scalar(scalar) => found.push(Leaf {
            path: at.path.clone(),
            dotted: at.dotted.clone(),
            name: at.name.clone(),
            scalar,
        }),
        Value::Comment(_) => {}
        Value::Map(entries) => {
            for entry in entries {
                if let Entry::Pair(key, value) = entry {
                    collect(value, &at.child(key, &format!("\"{key}\"")), depth + 1, found)?;
                }
            }
        }
        Value::List(elements) => {
            for (index, element) in
                elements.iter().filter(|one| !matches!(one, Value::Comment(_))).enumerate()
            {
                let index = index.to_string();
                collect(element, &at.child(&index, &index), depth + 1, found)?;
            }
        }
    }
    Ok(())
}

/// Refuses two leaves of different places under one name. A key that is repeated
/// in one map (dotenv allows it) is no clash.
pub fn check_clashes(leaves: &[Leaf<'_>]) -> Result<(), WriteError> {
    let mut sorted: Vec<&Leaf<'_>> = leaves.iter().collect();
    sorted.sort_by(|a, b| (&a.name, &a.path).cmp(&(&b.name, &b.path)));
    for pair in sorted.windows(2) {
        if let [one, other] = pair
            && one.name == other.name
            && one.path != other.path
        {
            return Err(WriteError {
                message: format!("{} and {} would both be written as {}", one.path, other.path, one.name),
                hint: Some("rename one of the keys, or choose a format with nesting (yaml, json)"),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{check_clashes, leaves};
    use crate::domain::scalar::Scalar;
    use crate::domain::value::{Entry, Value};

    fn pair(key: &str, value: Value) -> Entry {
        Entry::Pair(key.to_owned(), value)
    }

    fn map(entries: Vec<Entry>) -> Value {
        Value::Map(entries)
    }

    #[test]
    fn keys_and_positions_are_joined() {
        let value = map(vec![
            Entry::Comment("top".into()),
            pair("a", Value::text("1")),
            pair(
                "db",
                map(vec![
                    pair("password", Value::text("2")),
                    pair(
                        "hosts",
                        Value::List(vec![
                            Value::Comment("c".into()),
                            Value::text("3"),
                            map(vec![pair("x", Value::Scalar(Scalar::Null))]),
                        ]),
                    ),
                    pair("empty", map(vec![])),
                ]),
            ),
        ]);
        let found: Vec<_> = leaves(&value).unwrap().into_iter().map(|leaf| (leaf.name, leaf.path)).collect();
        let expected = [
            ("a", r#"["a"]"#),
            ("db_password", r#"["db"]["password"]"#),
            ("db_hosts_0", r#"["db"]["hosts"][0]"#),
            ("db_hosts_1_x", r#"["db"]["hosts"][1]["x"]"#),
        ];
        assert_eq!(found, expected.map(|(name, path)| (name.to_owned(), path.to_owned())));
    }

    #[test]
    fn a_clash_names_both_places_and_a_repeated_key_is_none() {
        let clash =
            map(vec![pair("a_b", Value::text("1")), pair("a", map(vec![pair("b", Value::text("2"))]))]);
        let error = check_clashes(&leaves(&clash).unwrap()).unwrap_err();
        assert_eq!(error.message, r#"["a"]["b"] and ["a_b"] would both be written as a_b"#);
        let repeated = map(vec![pair("a", Value::text("1")), pair("a", Value::text("2"))]);
        assert!(check_clashes(&leaves(&repeated).unwrap()).is_ok());
    }

    #[test]
    fn what_has_no_name_or_no_end_is_refused() {
        assert!(leaves(&Value::text("x")).is_err());
        let mut deep = Value::text("x");
        for _ in 0..10_000 {
            deep = Value::List(vec![deep]);
        }
        assert!(leaves(&deep).is_err());
        // Taken apart level by level: dropping it whole would recurse.
        while let Value::List(mut inner) = deep {
            deep = inner.remove(0);
        }
    }
}
