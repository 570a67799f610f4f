//! The keys of a creation rule: its flat lists, or `key_groups` with `merge` (sops-compat
//! 9.3). They are kept as written until the rule is used, because sops finds
//! fault with them only then.

use super::ConfigError;
use super::read::{Field, Reader};
use crate::domain::keys::kinds::{KeyKind, KeySpec};
use crate::domain::tree::Kind;

/// A master key of a rule, with what is known of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipient {
    /// The key.
    pub key: KeySpec,
    /// Who it is, by the comment or anchor beside it.
    pub name: Option<String>,
    /// Its line in the config; `None` when it comes from the command line.
    pub line: Option<usize>,
    /// Its key path in the config; empty when it comes from the command line.
    pub path: String,
}

/// A key as it is written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Written {
    kind: KeyKind,
    line: usize,
    path: String,
    name: Option<String>,
    text: Text,
}

/// What names a key.
#[derive(Clone, Debug, PartialEq)]
enum Text {
    /// A text, which may be a comma list.
    List(String),
    Kms {
        arn: String,
        role: String,
        context: Vec<(String, String)>,
        profile: String,
    },
    Azure {
        url: String,
        key: String,
        version: String,
    },
}

impl Written {
    fn new(reader: &Reader<'_>, kind: KeyKind, field: &Field, text: Text) -> Self {
        let (line, path) = (reader.line(field), field.path.clone());
        Self { kind, line, path, name: reader.name_of(field), text }
    }

    /// The keys that this names. AWS keys that are texts get `profile` and `context`.
    pub(super) fn resolve(
        &self,
        profile: &str,
        context: &[(String, String)],
        into: &mut Vec<Recipient>,
    ) -> Result<(), ConfigError> {
        let keys = match &self.text {
            Text::List(list) if self.kind == KeyKind::Kms => list
                .split(',')
                .map(str::trim)
                .filter(|arn| !arn.is_empty())
                .map(|arn| KeySpec::kms(arn, "", context, profile))
                .collect(),
            // An empty element of a list is an age key that does not parse.
            Text::List(list) if list.is_empty() && self.kind == KeyKind::Age => {
                vec![KeySpec::parse(self.kind, "").map_err(|error| self.error(&error))?]
            }
            Text::List(list) => KeySpec::parse_list(self.kind, list).map_err(|error| self.error(&error))?,
            Text::Kms { arn, role, context, profile } => vec![KeySpec::kms(arn, role, context, profile)],
            Text::Azure { url, key, version } => vec![KeySpec::azure(url, key, version)],
        };
        into.extend(keys.into_iter().map(|key| Recipient {
            key,
            name: self.name.clone(),
            line: Some(self.line),
            path: self.path.clone(),
        }));
        Ok(())
    }

    fn error(&self, error: &dyn std::error::Error) -> ConfigError {
        ConfigError {
            message: error.to_string(),
            line: Some(self.line),
            key: self.path.clone(),
            advice: None,
        }
    }
}

/// Reads a flat list of a rule: a comma list or a list of texts. Other types are sops's
/// error, told when the rule is used.
pub(super) fn flat(
    reader: &mut Reader<'_>,
    kind: KeyKind,
    field: &Field,
) -> Result<Vec<Written>, ConfigError> {
    if kind == KeyKind::Hckms {
        // The one list that sops declares as such; a text is refused with the whole file.
        let texts = reader.strings(field)?;
        return Ok(texts
            .into_iter()
            .map(|(text, item)| Written::new(reader, kind, &item, Text::List(text)))
            .collect());
    }
    match reader.kind(field) {
        _ if reader.is_null(field) => Ok(Vec::new()),
        Kind::List => {
            let mut keys = Vec::new();
            for item in reader.items(field, "[]interface {}")? {
                match reader.go_type(&item) {
                    Some("string") | None => {
                        let text = reader.string(&item)?;
                        keys.push(Written::new(reader, kind, &item, Text::List(text)));
                    }
                    Some(found) => {
                        return Err(mistyped(reader, kind, &item, "string in list", found));
                    }
                }
            }
            Ok(keys)
        }
        _ => match reader.go_type(field) {
            Some("string") => {
                let list = reader.string(field)?;
                let pieces: Vec<&str> = list.split(',').map(str::trim).filter(|it| !it.is_empty()).collect();
                if pieces.is_empty() {
                    return Ok(Vec::new());
                }
                Ok(vec![Written::new(reader, kind, field, Text::List(pieces.join(",")))])
            }
            found => Err(mistyped(reader, kind, field, "string, []string, or nil", found.unwrap_or("nil"))),
        },
    }
}

fn mistyped(reader: &Reader<'_>, kind: KeyKind, field: &Field, expected: &str, found: &str) -> ConfigError {
    let outer = match kind {
        KeyKind::GcpKms => "gcpkms",
        KeyKind::HcVault => "vault",
        kind => kind.rule_field(),
    };
    let inner = kind.rule_field();
    let message = format!(
        "invalid {outer} key configuration: invalid {inner} key configuration: expected {expected}, got {found}"
    );
    reader.error(field, message, "expected a text (a comma list) or a list of texts")
}

const GROUP_KEYS: [&str; 8] =
    ["merge", "age", "pgp", "kms", "gcp_kms", "hckms", "azure_keyvault", "hc_vault"];

/// Reads one group: the groups in `merge` first, then its own lists in sops's order.
pub(super) fn group(reader: &mut Reader<'_>, field: &Field) -> Result<Vec<Written>, ConfigError> {
    let mut merged = Vec::new();
    let mut lists: Vec<(usize, Vec<Written>)> = Vec::new();
    for (name, list) in reader.entries(field, "config.keyGroup")? {
        let kind = match name.as_str() {
            "merge" => {
                for inner in reader.items(&list, "[]config.keyGroup")? {
                    merged.extend(group(reader, &inner)?);
                }
                continue;
            }
            "plugins" => continue,
            _ => KeyKind::ALL.into_iter().find(|kind| kind.group_field() == name),
        };
        let Some(kind) = kind else {
            reader.unknown(&name, &list, &GROUP_KEYS);
            continue;
        };
        let place = KeyKind::RULE_ORDER.iter().position(|it| *it == kind).unwrap_or(0);
        lists.push((place, group_list(reader, kind, &list)?));
    }
    lists.sort_by_key(|(place, _)| *place);
    merged.extend(lists.into_iter().flat_map(|(_, keys)| keys));
    Ok(merged)
}

fn group_list(reader: &mut Reader<'_>, kind: KeyKind, list: &Field) -> Result<Vec<Written>, ConfigError> {
    let go_type = match kind {
        KeyKind::Kms => "config.kmsKey",
        KeyKind::GcpKms => "config.gcpKmsKey",
        KeyKind::Hckms => "config.hckmsKey",
        KeyKind::AzureKv => "config.azureKVKey",
        _ => {
            let texts = reader.strings(list)?;
            let written =
                texts.into_iter().map(|(text, item)| Written::new(reader, kind, &item, Text::List(text)));
            return Ok(written.collect());
        }
    };
    let mut keys = Vec::new();
    for item in reader.items(list, &format!("[]{go_type}"))? {
        let text = match kind {
            KeyKind::Kms => kms(reader, &item, go_type)?,
            KeyKind::AzureKv => {
                let [url, key, version] = texts(reader, &item, go_type, ["vaultUrl", "key", "version"])?;
                Text::Azure { url, key, version }
            }
            kind => {
                let [id] = texts(reader, &item, go_type, [kind.id_field()])?;
                Text::List(id)
            }
        };
        keys.push(Written::new(reader, kind, &item, text));
    }
    Ok(keys)
}

/// The named text fields of a mapping; absent ones are empty.
fn texts<const N: usize>(
    reader: &mut Reader<'_>,
    field: &Field,
    go_type: &str,
    names: [&'static str; N],
) -> Result<[String; N], ConfigError> {
    let mut found = std::array::from_fn(|_| String::new());
    for (name, value) in reader.entries(field, go_type)? {
        match names.iter().position(|known| *known == name) {
            Some(place) => found[place] = reader.string(&value)?,
            None => reader.unknown(&name, &value, &names),
        }
    }
    Ok(found)
}

fn kms(reader: &mut Reader<'_>, field: &Field, go_type: &str) -> Result<Text, ConfigError> {
    let (mut arn, mut role, mut profile) = (String::new(), String::new(), String::new());
    let mut context = Vec::new();
    for (name, value) in reader.entries(field, go_type)? {
        match name.as_str() {
            "arn" => arn = reader.string(&value)?,
            "role" => role = reader.string(&value)?,
            "aws_profile" => profile = reader.string(&value)?,
            "context" => {
                for (name, value) in reader.entries(&value, "map[string]*string")? {
                    context.push((name, reader.string(&value)?));
                }
            }
            _ => reader.unknown(&name, &value, &["arn", "role", "aws_profile", "context"]),
        }
    }
    Ok(Text::Kms { arn, role, context, profile })
}

/// Leaves out keys that are in the group already, by kind and identity.
pub(super) fn without_repeats(keys: Vec<Recipient>) -> Vec<Recipient> {
    let mut seen = std::collections::HashSet::new();
    keys.into_iter().filter(|it| seen.insert((it.key.kind, it.key.identity()))).collect()
}
