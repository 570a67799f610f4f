//! What a creation rule and the command line together ask for (sops-compat 9.5): for
//! whom a file is encrypted, and what of it.

use super::{ConfigError, CreationRule, Recipient};
use crate::domain::keys::kinds::{KeyKind, KeySpec, KeySpecError};
use crate::domain::select::{RuleKind, SelectError, Selection, Settings};

/// What the command line asks for; empty means that it does not say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Flags {
    /// Comma lists of keys, by kind.
    pub keys: Vec<(KeyKind, String)>,
    /// The profile of AWS keys from the command line.
    pub aws_profile: String,
    /// The encryption context of AWS keys.
    pub context: Vec<(String, String)>,
    /// The context also goes to the AWS keys of a rule: the legacy command line.
    pub context_for_rule: bool,
    /// How many key groups are needed; 0 when it does not say.
    pub shamir_threshold: i64,
    /// Selection rules.
    pub settings: Settings,
}

/// Where the keys of a plan come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// The command line or environment: the rule's keys do not count.
    Flags,
    /// The creation rule.
    Rule,
}

/// How a file is encrypted.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Key groups; none of them empty.
    pub groups: Vec<Vec<Recipient>>,
    /// Where they come from.
    pub keys_from: KeySource,
    /// How many groups are needed; `None` when nobody said.
    pub shamir_threshold: Option<i64>,
    /// What is encrypted.
    pub selection: Selection,
    /// sops's warnings about rules that a binary file has no use for.
    pub warnings: Vec<String>,
}

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The rule is at fault (exit 1).
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A key of the command line does not parse (exit 1).
    #[error("{error}")]
    Key {
        /// Its kind.
        kind: KeyKind,
        /// What is wrong.
        error: KeySpecError,
    },
    /// No config, no rules in it, and no keys on the command line (exit 1).
    #[error(
        "config file not found, or has no creation rules, and no keys provided through command line options"
    )]
    NoKeys,
    /// The rules of the config and the command line exclude each other (exit 8).
    #[error("Error: {0}")]
    Clash(SelectError),
    /// The selection rule does not compile (exit 1; sops would encrypt nothing, or everything).
    #[error("{0}")]
    Pattern(SelectError),
}

/// Joins a rule (`None`: there is no config, or it has no rules) and the command line. A
/// `binary` file is encrypted whole: rules are left out of its plan, with sops's warnings.
pub fn plan(rule: Option<&CreationRule>, flags: &Flags, binary: bool) -> Result<Plan, PlanError> {
    let base = match rule {
        Some(rule) => rule.checked_settings()?.clone(),
        None => Settings::default(),
    };
    // sops resolves the keys of a rule even where those of the command line replace them.
    let context: &[(String, String)] = if flags.context_for_rule { &flags.context } else { &[] };
    let from_rule = rule.map(|rule| rule.key_groups(context)).transpose()?;
    let from_flags = flag_group(flags)?;
    let (groups, keys_from) = match (from_flags, from_rule) {
        (Some(group), _) => (vec![group], KeySource::Flags),
        (None, Some(groups)) => (groups, KeySource::Rule),
        (None, None) => return Err(PlanError::NoKeys),
    };
    if groups.iter().any(Vec::is_empty) {
        let message = "Could not generate data key: [empty key group provided]";
        return Err(PlanError::Config(match rule {
            Some(rule) => rule.error(message, "the rule names no key; add one under age, say"),
            None => ConfigError::new(message),
        }));
    }
    let (selection, warnings) = select(base.overridden(&flags.settings), binary)?;
    let rule_threshold = rule.map_or(0, |rule| rule.shamir_threshold);
    let threshold = if flags.shamir_threshold != 0 { flags.shamir_threshold } else { rule_threshold };
    let shamir_threshold = (threshold != 0).then_some(threshold);
    Ok(Plan { groups, keys_from, shamir_threshold, selection, warnings })
}

/// The group that the command line names, in sops's order.
fn flag_group(flags: &Flags) -> Result<Option<Vec<Recipient>>, PlanError> {
    let mut group = Vec::new();
    let mut any = false;
    for kind in KeyKind::FLAG_ORDER {
        for (_, list) in flags.keys.iter().filter(|(it, list)| *it == kind && !list.is_empty()) {
            any = true;
            let keys = KeySpec::parse_list(kind, list).map_err(|error| PlanError::Key { kind, error })?;
            group.extend(keys.into_iter().map(|key| {
                let key = match kind {
                    KeyKind::Kms => {
                        KeySpec::kms(key.text("arn"), key.text("role"), &flags.context, &flags.aws_profile)
                    }
                    _ => key,
                };
                Recipient { key, name: None, line: None, path: String::new() }
            }));
        }
    }
    Ok(any.then_some(group))
}

fn select(settings: Settings, binary: bool) -> Result<(Selection, Vec<String>), PlanError> {
    if binary {
        let warnings = settings.chosen().map(|(kind, _)| useless(kind)).collect();
        return Ok((Selection::everything(), warnings));
    }
    match Selection::new(settings.or_default()) {
        Ok(selection) => Ok((selection, Vec::new())),
        Err(error @ SelectError::Several) => Err(PlanError::Clash(error)),
        Err(error) => Err(PlanError::Pattern(error)),
    }
}

/// sops's warning about a rule for a binary file.
fn useless(kind: RuleKind) -> String {
    let name = match kind {
        RuleKind::UnencryptedSuffix => "unencrypted suffix",
        RuleKind::EncryptedSuffix => "encrypted suffix",
        RuleKind::UnencryptedRegex => "unencrypted regex",
        RuleKind::EncryptedRegex => "encrypted regex",
        RuleKind::UnencryptedCommentRegex => "unencrypted comment regex",
        RuleKind::EncryptedCommentRegex => "encrypted comment regex",
    };
    format!(
        "Using an {name} does not make sense with the input store (the binary store produces one key that \
         should always be encrypted) and will be ignored."
    )
}
