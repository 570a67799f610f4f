//! Creation rules: what they say, and which one applies to a path (sops-compat 9.3, 9.4).

use super::groups::{self, Recipient, Written};
use super::read::{Field, Reader};
use super::{Config, ConfigError};
use crate::domain::go_regex::GoRegex;
use crate::domain::keys::kinds::KeyKind;
use crate::domain::select::{MAC_ONLY_ENCRYPTED, RULE_NAMES, RuleKind, Settings};

/// What sops says when no rule matches a path.
pub const NO_MATCH: &str = "error loading config: no matching creation rules found";

/// One entry of `creation_rules`.
#[derive(Clone, Debug, PartialEq)]
pub struct CreationRule {
    /// Its place in the list, from 0.
    pub index: usize,
    /// Its line.
    pub line: usize,
    /// Which paths it is for; empty matches all.
    pub path_regex: String,
    /// Its selection rule and `mac_only_encrypted`, unchecked.
    pub settings: Settings,
    /// How many groups are needed; 0 when it does not say.
    pub shamir_threshold: i64,
    path_line: usize,
    aws_profile: String,
    flat: Vec<(KeyKind, Result<Vec<Written>, ConfigError>)>,
    groups: Vec<Vec<Written>>,
}

/// All keys that mean something in a rule.
const RULE_KEYS: [&str; 18] = [
    "path_regex",
    "age",
    "pgp",
    "kms",
    "gcp_kms",
    "hckms",
    "azure_keyvault",
    "hc_vault_transit_uri",
    "aws_profile",
    "key_groups",
    "shamir_threshold",
    "unencrypted_suffix",
    "encrypted_suffix",
    "unencrypted_regex",
    "encrypted_regex",
    "unencrypted_comment_regex",
    "encrypted_comment_regex",
    MAC_ONLY_ENCRYPTED,
];

/// Reads `creation_rules`; `None` when it is null.
pub(super) fn read_all(
    reader: &mut Reader<'_>,
    field: &Field,
) -> Result<Option<Vec<CreationRule>>, ConfigError> {
    if reader.is_null(field) {
        return Ok(None);
    }
    let items = reader.items(field, "[]config.creationRule")?;
    let mut rules = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        rules.push(read(reader, item, index)?);
    }
    Ok(Some(rules))
}

fn read(reader: &mut Reader<'_>, field: &Field, index: usize) -> Result<CreationRule, ConfigError> {
    let line = reader.line(field);
    let mut rule = CreationRule {
        index,
        line,
        path_regex: String::new(),
        settings: Settings::default(),
        shamir_threshold: 0,
        path_line: line,
        aws_profile: String::new(),
        flat: Vec::new(),
        groups: Vec::new(),
    };
    for (name, value) in reader.entries(field, "config.creationRule")? {
        match name.as_str() {
            "path_regex" => {
                rule.path_regex = reader.string(&value)?;
                rule.path_line = reader.line(&value);
            }
            "aws_profile" => rule.aws_profile = reader.string(&value)?,
            "shamir_threshold" => rule.shamir_threshold = reader.int(&value)?.unwrap_or(0),
            MAC_ONLY_ENCRYPTED => rule.settings.mac_only_encrypted = reader.bool(&value)?,
            "key_groups" => {
                for group in reader.items(&value, "[]config.keyGroup")? {
                    rule.groups.push(groups::group(reader, &group)?);
                }
            }
            "plugins" | "timeout" => {}
            _ => rule.read_other(reader, &name, &value)?,
        }
    }
    rule.flat.sort_by_key(|(kind, _)| KeyKind::RULE_ORDER.iter().position(|it| it == kind));
    Ok(rule)
}

impl CreationRule {
    /// Its keys that have a name of their own. A name beside several keys is nobody's.
    pub(super) fn named(&self) -> Vec<Recipient> {
        let flat = self.flat.iter().filter_map(|(_, keys)| keys.as_ref().ok()).flatten();
        let mut named = Vec::new();
        for written in flat.chain(self.groups.iter().flatten()) {
            let mut keys = Vec::new();
            if written.resolve("", &[], &mut keys).is_ok() && keys.len() == 1 {
                named.append(&mut keys);
            }
        }
        named.retain(|key| key.name.is_some());
        named
    }

    /// Reads a selection rule or a list of keys.
    fn read_other(&mut self, reader: &mut Reader<'_>, name: &str, value: &Field) -> Result<(), ConfigError> {
        if let Some(kind) = RuleKind::ALL.into_iter().find(|kind| kind.name() == name) {
            self.settings.set_rule(kind, reader.string(value)?);
        } else if let Some(kind) = KeyKind::ALL.into_iter().find(|kind| kind.rule_field() == name) {
            let keys = groups::flat(reader, kind, value);
            if kind == KeyKind::Hckms {
                keys.as_ref().map_err(Clone::clone)?;
            }
            self.flat.push((kind, keys));
        } else {
            reader.unknown(name, value, &RULE_KEYS);
        }
        Ok(())
    }

    /// Its key path: `creation_rules[1]`.
    pub fn path(&self) -> String {
        format!("creation_rules[{}]", self.index)
    }

    /// A fault of this rule.
    pub(super) fn error(&self, message: impl Into<String>, advice: &str) -> ConfigError {
        ConfigError {
            message: message.into(),
            line: Some(self.line),
            key: self.path(),
            advice: Some(advice.to_owned()),
        }
    }

    /// True when it is for `path`, which is relative to the config's directory.
    /// A pattern that does not compile is an error.
    pub fn matches(&self, path: &str) -> Result<bool, ConfigError> {
        if self.path_regex.is_empty() {
            return Ok(true);
        }
        let regex = GoRegex::new(&self.path_regex).map_err(|error| ConfigError {
            message: format!("can not compile regexp: {error}"),
            line: Some(self.path_line),
            key: format!("{}.path_regex", self.path()),
            advice: None,
        })?;
        Ok(regex.is_match(path.as_bytes()))
    }

    /// Its key groups; one, if it has no `key_groups`. `context` goes to AWS keys in flat
    /// lists. A rule without keys has one empty group.
    pub fn key_groups(&self, context: &[(String, String)]) -> Result<Vec<Vec<Recipient>>, ConfigError> {
        if self.groups.is_empty() {
            let mut group = Vec::new();
            for (_, keys) in &self.flat {
                for key in keys.as_ref().map_err(Clone::clone)? {
                    key.resolve(&self.aws_profile, context, &mut group)?;
                }
            }
            return Ok(vec![group]);
        }
        let mut groups = Vec::with_capacity(self.groups.len());
        for written in &self.groups {
            let mut group = Vec::new();
            for key in written {
                key.resolve("", &[], &mut group)?;
            }
            groups.push(groups::without_repeats(group));
        }
        Ok(groups)
    }

    /// Its selection settings; more than one rule is sops's error.
    pub fn checked_settings(&self) -> Result<&Settings, ConfigError> {
        if self.settings.chosen().nth(1).is_some() {
            let names: Vec<&str> = self.settings.chosen().map(|(kind, _)| kind.name()).collect();
            return Err(self.error(
                format!("error loading config: cannot use more than one of {RULE_NAMES} for the same rule"),
                &format!("keep one of {}", names.join(", ")),
            ));
        }
        Ok(&self.settings)
    }
}

impl Config {
    /// The path by which rules judge `file`: relative to the config's directory if it lies below
    /// it, else as it is. Both are absolute and clean.
    pub fn relative<'p>(directory: &str, file: &'p str) -> &'p str {
        match file.strip_prefix(directory) {
            Some(rest) if directory.ends_with(std::path::MAIN_SEPARATOR) => rest,
            Some(rest) => rest.strip_prefix(std::path::MAIN_SEPARATOR).unwrap_or(file),
            None => file,
        }
    }

    /// The first rule for `path` (see [`Config::relative`]). `None` when the config has
    /// no `creation_rules`; that none matches is an error ([`NO_MATCH`]), and so is a pattern
    /// that does not compile before one matches.
    pub fn rule_for(&self, path: &str) -> Result<Option<&CreationRule>, ConfigError> {
        let Some(rules) = &self.rules else { return Ok(None) };
        for rule in rules {
            if rule.matches(path)? {
                return Ok(Some(rule));
            }
        }
        Err(ConfigError {
            advice: Some(match rules.len() {
                0 => "creation_rules is empty".to_owned(),
                count => format!(
                    "none of the {count} creation rules has a path_regex that matches the file's path; \
                     a last rule without path_regex takes all other files"
                ),
            }),
            ..ConfigError::new(NO_MATCH)
        })
    }
}
