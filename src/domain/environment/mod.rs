//! Values as environment variables: the names that keys become, which of them are
//! wanted, and what no environment can hold.

pub mod dotenv;

use std::collections::HashMap;

use globset::{Glob, GlobMatcher};

use super::globs;
use super::secret::SecretBytes;
use super::store::flat_names::{self, Case, Leaf};
use super::store::{WriteError, shell};
use super::value::Value;

/// One variable.
#[derive(Debug)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Where its value stands, as an index: `["database"]["hosts"][0]`.
    pub path: String,
    /// The same with dots: `database.hosts.0`.
    pub dotted: String,
    /// Its value, without NUL bytes.
    pub value: SecretBytes,
}

/// The leaves of `document` as variables: flat names, in upper case unless they are
/// to be kept, with `_` for what no name may hold; null is empty.
///
/// # Errors
/// Two keys of one name, a key that gives no name, a value with a NUL byte.
pub fn of_document(document: &Value, case: Case) -> Result<Vec<Variable>, WriteError> {
    let mut paths: HashMap<String, String> = HashMap::new();
    let mut variables = Vec::new();
    for leaf in flat_names::leaves(document)? {
        let variable = of_leaf(&leaf, case)?;
        if let Some(other) = paths.insert(variable.name.clone(), leaf.path.clone())
            && other != leaf.path
        {
            let message = format!("{other} and {} would both be the variable {}", leaf.path, variable.name);
            return Err(WriteError {
                message,
                hint: Some("rename one of the keys, or leave it out with --only"),
            });
        }
        variables.push(variable);
    }
    Ok(variables)
}

fn of_leaf(leaf: &Leaf<'_>, case: Case) -> Result<Variable, WriteError> {
    let Some(name) = leaf.variable(case) else {
        let message = format!("{} gives no name for a variable", leaf.path);
        return Err(WriteError { message, hint: Some("rename the key, or leave it out with --only") });
    };
    let mut value = SecretBytes::default();
    shell::write_text(leaf.scalar, value.as_mut_vec());
    if value.contains(&0) {
        let message = format!("{} holds a NUL byte, which no variable can hold", leaf.path);
        return Err(WriteError { message, hint: Some("`leaflock exec-file` hands it over as a file") });
    }
    Ok(Variable { name, path: leaf.path.clone(), dotted: leaf.dotted.clone(), value })
}

/// The keys that a user names: a variable, a key or everything below it, with `*`
/// for any text.
#[derive(Debug)]
pub struct Pattern {
    /// As it was typed.
    pub text: String,
    matcher: Option<GlobMatcher>,
}

impl Pattern {
    /// The pattern of `text`.
    pub fn new(text: &str) -> Self {
        let is_glob = text.contains(['*', '?']) && globs::check(text).is_ok();
        let matcher = is_glob.then(|| Glob::new(text).ok()).flatten();
        Self { text: text.to_owned(), matcher: matcher.map(|glob| glob.compile_matcher()) }
    }

    /// True when it means `variable`.
    pub fn means(&self, variable: &Variable) -> bool {
        let is_below = |key: &str, separator: char| {
            key.strip_prefix(&self.text).is_some_and(|rest| rest.is_empty() || rest.starts_with(separator))
        };
        variable.name == self.text
            || is_below(&variable.dotted, '.')
            || (self.text.starts_with('[') && is_below(&variable.path, '['))
            || self
                .matcher
                .as_ref()
                .is_some_and(|glob| glob.is_match(&variable.name) || glob.is_match(&variable.dotted))
    }
}

/// True for what a shell takes as the name of a variable.
pub fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::{Pattern, is_name, of_document};
    use crate::domain::scalar::Scalar;
    use crate::domain::store::flat_names::Case;
    use crate::domain::value::{Entry, Value};

    fn pair(key: &str, value: Value) -> Entry {
        Entry::Pair(key.to_owned(), value)
    }

    fn document() -> Value {
        let database = Value::Map(vec![
            pair("pass-word", Value::text("a\nb")),
            pair("hosts", Value::List(vec![Value::text("x"), Value::Scalar(Scalar::Null)])),
        ]);
        Value::Map(vec![pair("database", database), pair("Port", Value::Scalar(Scalar::Int(5)))])
    }

    #[test]
    fn names_are_flat_and_follow_the_case() {
        let names = |case| -> Vec<String> {
            of_document(&document(), case).unwrap().into_iter().map(|it| it.name).collect()
        };
        assert_eq!(
            names(Case::Upper),
            ["DATABASE_PASS_WORD", "DATABASE_HOSTS_0", "DATABASE_HOSTS_1", "PORT"]
        );
        assert_eq!(names(Case::Keep), ["database_pass_word", "database_hosts_0", "database_hosts_1", "Port"]);
    }

    #[test]
    fn what_no_environment_can_hold_is_refused() {
        let message = |pairs: &[(&str, &str)]| {
            let entries = pairs.iter().map(|(key, value)| pair(key, Value::text(*value))).collect();
            of_document(&Value::Map(entries), Case::Upper).unwrap_err().message
        };
        assert!(message(&[("a-b", "1"), ("A_b", "2")]).ends_with("would both be the variable A_B"));
        assert!(message(&[("", "1")]).contains("no name"));
        let nul = message(&[("k", "secret\0x")]);
        assert!(nul.contains("NUL") && !nul.contains("secret"));
    }

    #[test]
    fn patterns_mean_names_keys_and_what_is_below() {
        let variables = of_document(&document(), Case::Upper).unwrap();
        let meant = |text: &str| -> Vec<usize> {
            let pattern = Pattern::new(text);
            (0..variables.len()).filter(|at| pattern.means(&variables[*at])).collect()
        };
        assert_eq!(meant("PORT"), [3]);
        assert_eq!(meant("Port"), [3]);
        assert_eq!(meant("database"), [0, 1, 2]);
        assert_eq!(meant("database.hosts"), [1, 2]);
        assert_eq!(meant("[\"database\"][\"hosts\"][0]"), [1]);
        assert_eq!(meant("DATABASE_*"), [0, 1, 2]);
        assert_eq!(meant("*.hosts.*"), [1, 2]);
        assert_eq!(meant("data"), [] as [usize; 0]);
    }

    #[test]
    fn names_are_those_of_a_shell() {
        assert!(is_name("_A1") && is_name("a"));
        assert!(!is_name("") && !is_name("1a") && !is_name("a-b") && !is_name("a=b"));
    }
}
