//! What is wrong with a `.sops.yaml` in itself.

use super::findings::Finding;
use super::kinds::Kind;
use super::rulebook::takes_all;
use crate::domain::config::{Config, ConfigError, CreationRule};
use crate::domain::go_regex::GoRegex;
use crate::domain::select::Selection;

/// A config that cannot be read.
pub fn broken_config(error: &ConfigError) -> Finding {
    let found = Finding::of_file(Kind::BrokenConfig, error.message.clone());
    found.at_line(error.line).at_key(error.key.clone())
}

/// What is wrong with a config that can.
pub fn config(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut before: Option<&CreationRule> = None;
    for rule in config.rules.iter().flatten() {
        if let Some(before) = before {
            let message = format!("{} takes every file, so this rule never applies", before.path());
            let found = Finding::of_file(Kind::UnreachableRule, message);
            findings.push(found.at_line(Some(rule.line)).at_key(rule.path()));
        }
        findings.extend(broken_rule(rule));
        let takes_all = match rule.path_regex.as_str() {
            "" => true,
            pattern => GoRegex::new(pattern).is_ok_and(|pattern| takes_all(&pattern)),
        };
        if takes_all && before.is_none() {
            before = Some(rule);
        }
    }
    findings.extend(config.unknown.iter().map(|unknown| {
        let message = match unknown.meant {
            Some(meant) => format!("this key means nothing here; did you mean {meant}?"),
            None => "this key means nothing here".to_owned(),
        };
        let found = Finding::of_file(Kind::UnknownConfigKey, message);
        found.at_line(Some(unknown.line)).at_key(unknown.key.clone())
    }));
    findings
}

/// Why a rule cannot be used.
fn broken_rule(rule: &CreationRule) -> Option<Finding> {
    let error = match (rule.matches(""), rule.checked_settings(), rule.key_groups(&[])) {
        (Err(error), ..) | (_, Err(error), _) | (.., Err(error)) => error,
        (_, Ok(settings), _) => {
            let error = Selection::new(settings.clone().or_default()).err()?;
            let found = Finding::of_file(Kind::BrokenConfig, error.to_string());
            return Some(found.at_line(Some(rule.line)).at_key(rule.path()));
        }
    };
    Some(broken_config(&error))
}
