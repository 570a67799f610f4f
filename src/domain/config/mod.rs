//! `.sops.yaml`: what it says (`rules`, `groups`), which of its rules applies to a
//! file and what that means together with the command line (`plan`), and why (`explain`).
//!
//! The file is read as sops reads it, unknown keys ignored and
//! types converted where go-yaml converts them; its faults are told with sops's sentence first and
//! with line and key path behind it.

mod explain;
mod groups;
mod plan;
mod read;
mod rules;
mod template;
mod without;

#[cfg(test)]
mod tests;

pub use explain::{Explanation, Fate, Leaf, Verdict, explain};
pub use groups::Recipient;
pub use plan::{Flags, KeySource, Plan, PlanError, plan};
pub use rules::{CreationRule, NO_MATCH};
pub use template::{EXAMPLE, sops_yaml};
pub use without::without;

use crate::domain::keys::names::Names;
use crate::domain::store::{Format, Purpose, ReadErrorKind};
use read::{Field, Reader};

/// A fault of `.sops.yaml`. The message is sops's (exit 1).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConfigError {
    /// What sops says, its prefix included.
    pub message: String,
    /// One-based line of the file, where known.
    pub line: Option<usize>,
    /// The key path: `creation_rules[1].age`; empty for the file as a whole.
    pub key: String,
    /// What belongs there, or what to do.
    pub advice: Option<String>,
}

impl ConfigError {
    /// A fault at no particular place.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), line: None, key: String::new(), advice: None }
    }

    /// The place and the advice: `line 7, creation_rules[1].age: expected a list`.
    pub fn detail(&self) -> Option<String> {
        let mut place = Vec::new();
        if let Some(line) = self.line {
            place.push(format!("line {line}"));
        }
        if !self.key.is_empty() {
            place.push(self.key.clone());
        }
        match (place.is_empty(), &self.advice) {
            (true, advice) => advice.clone(),
            (false, None) => Some(place.join(", ")),
            (false, Some(advice)) => Some(format!("{}: {advice}", place.join(", "))),
        }
    }
}

/// A key that means nothing in its place: probably a typing error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// One-based line.
    pub line: usize,
    /// The key path.
    pub key: String,
    /// A known key that is spelled almost like it.
    pub meant: Option<&'static str>,
}

/// Indentation of files that are laid out anew: `stores` (sops-compat 9.2). `None`
/// where the file says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stores {
    /// `stores.yaml.indent`.
    pub yaml: Option<i64>,
    /// `stores.json.indent`.
    pub json: Option<i64>,
    /// `stores.json_binary.indent`.
    pub binary: Option<i64>,
}

impl Stores {
    /// The indentation of a format.
    pub fn indent(&self, format: Format) -> Option<i64> {
        match format {
            Format::Yaml => self.yaml,
            Format::Json => self.json,
            Format::Binary => self.binary,
            Format::Dotenv | Format::Ini => None,
        }
    }
}

/// A config file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// The rules in order; `None` when there is no `creation_rules`, as if there
    /// were no config.
    pub rules: Option<Vec<CreationRule>>,
    /// Indentation.
    pub stores: Stores,
    /// Keys that sops ignores.
    pub unknown: Vec<Unknown>,
}

impl Config {
    /// Reads the bytes of a `.sops.yaml`.
    pub fn parse(source: &[u8]) -> Result<Self, ConfigError> {
        let tree = match Format::Yaml.store().read(source, Purpose::AsIs) {
            Ok(tree) => tree,
            Err(error) if error.kind == ReadErrorKind::Empty => return Ok(Self::default()),
            Err(error) if error.message == "EOF" => return Ok(Self::default()),
            Err(error) => {
                let message = error.message.strip_prefix("yaml: ").unwrap_or(&error.message);
                return Err(ConfigError {
                    message: format!("{UNREADABLE}: yaml: {message}"),
                    line: error.line,
                    key: String::new(),
                    advice: error.hint.map(str::to_owned),
                });
            }
        };
        let Some(document) = tree.documents.first() else { return Ok(Self::default()) };
        let mut reader = Reader::new(&tree);
        let root = Field::root(document.root);
        let mut config = Self::default();
        for (name, field) in reader.entries(&root, "config.configFile")? {
            match name.as_str() {
                "creation_rules" => config.rules = rules::read_all(&mut reader, &field)?,
                "stores" => config.stores = stores(&mut reader, &field)?,
                "destination_rules" => {}
                _ => reader.unknown(&name, &field, &["creation_rules", "destination_rules", "stores"]),
            }
        }
        config.unknown = reader.into_unknown();
        Ok(config)
    }

    /// Adds the names that stand beside keys, of all rules.
    pub fn names(&self, into: &mut Names) {
        for key in self.rules.iter().flatten().flat_map(CreationRule::named) {
            if let Some(name) = &key.name {
                into.add(&key.key.identity(), name);
            }
        }
    }
}

/// How sops begins when a config does not fit.
const UNREADABLE: &str = "error loading config: Could not unmarshal config file";

fn stores(reader: &mut Reader<'_>, field: &Field) -> Result<Stores, ConfigError> {
    let mut stores = Stores::default();
    for (name, store) in reader.entries(field, "config.StoresConfig")? {
        let (slot, go_type) = match name.as_str() {
            "yaml" => (&mut stores.yaml, "config.YAMLStoreConfig"),
            "json" => (&mut stores.json, "config.JSONStoreConfig"),
            "json_binary" => (&mut stores.binary, "config.JSONBinaryStoreConfig"),
            "dotenv" | "ini" => continue,
            _ => {
                reader.unknown(&name, &store, &["yaml", "json", "json_binary", "dotenv", "ini"]);
                continue;
            }
        };
        for (name, value) in reader.entries(&store, go_type)? {
            match name.as_str() {
                "indent" => *slot = reader.int(&value)?,
                _ => reader.unknown(&name, &value, &["indent"]),
            }
        }
    }
    Ok(stores)
}
