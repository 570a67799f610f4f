//! The variables of a process, among which are secrets: wiped, and never printed.

use std::ffi::{OsStr, OsString};
use std::fmt;

use crate::domain::secret::wipe;

/// Names and values in order; the last of a name counts.
#[derive(Clone, Default)]
pub struct Variables(Vec<(OsString, OsString)>);

impl Variables {
    /// Takes ownership of `pairs`; the values are wiped with this.
    pub fn new(pairs: Vec<(OsString, OsString)>) -> Self {
        Self(pairs)
    }

    /// Adds one.
    pub fn push(&mut self, name: impl Into<OsString>, value: impl Into<OsString>) {
        self.0.push((name.into(), value.into()));
    }

    /// Removes those of this name.
    pub fn remove(&mut self, name: &str) {
        while let Some(at) = self.0.iter().position(|(known, _)| known == name) {
            let (_, value) = self.0.remove(at);
            wipe(&mut value.into_encoded_bytes());
        }
    }

    /// The value of `name`.
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.iter().filter(|(known, _)| *known == name).last().map(|(_, value)| value)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.0.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }
}

impl Drop for Variables {
    fn drop(&mut self) {
        for (_, value) in &mut self.0 {
            wipe(&mut std::mem::take(value).into_encoded_bytes());
        }
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Variables({} of them)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::Variables;

    #[test]
    fn the_last_of_a_name_counts_and_none_is_printed() {
        let mut variables = Variables::new(vec![("A".into(), "secret".into()), ("B".into(), "2".into())]);
        variables.push("A", "3");
        assert_eq!(variables.get("A").unwrap(), "3");
        assert_eq!(format!("{variables:?}"), "Variables(3 of them)");
        variables.remove("A");
        assert!(variables.get("A").is_none() && variables.iter().count() == 1);
    }
}
