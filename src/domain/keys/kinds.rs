//! The kinds of master key, one row each, and how a key is named on the command
//! line, in `.sops.yaml` and in metadata (sops-compat 4.3, 7, 9.3, 10.2). Whether a kind can be
//! used is up to the build; every kind can be read, named and kept.

use crate::domain::scalar::Scalar;
use crate::domain::value::{Entry, Value};

/// A kind of master key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyKind {
    /// AWS Key Management Service.
    Kms,
    /// Google Cloud Key Management Service.
    GcpKms,
    /// Huawei Cloud Key Management Service.
    Hckms,
    /// Azure Key Vault.
    AzureKv,
    /// HashiCorp Vault, transit engine.
    HcVault,
    /// OpenPGP.
    Pgp,
    /// age.
    Age,
}

/// What a kind is called in one place each.
struct Row {
    title: &'static str,
    metadata: &'static str,
    id: &'static str,
    flag: &'static str,
    variable: &'static str,
    rule: &'static str,
    group: &'static str,
}

impl KeyKind {
    /// All kinds, in the order in which SOPS loads a group from metadata (sops-compat 4.4).
    pub const ALL: [Self; 7] =
        [Self::Kms, Self::GcpKms, Self::Hckms, Self::AzureKv, Self::HcVault, Self::Pgp, Self::Age];

    /// The order of the one group that a rule's flat lists make (sops-compat 9.3).
    pub const RULE_ORDER: [Self; 7] =
        [Self::Age, Self::Pgp, Self::Kms, Self::GcpKms, Self::Hckms, Self::AzureKv, Self::HcVault];

    /// The order of the one group that flags make (sops-compat 9.3).
    pub const FLAG_ORDER: [Self; 7] =
        [Self::Kms, Self::GcpKms, Self::Hckms, Self::AzureKv, Self::Pgp, Self::HcVault, Self::Age];

    fn row(self) -> Row {
        let row = |[title, metadata, id, flag, variable, rule, group]: [&'static str; 7]| Row {
            title,
            metadata,
            id,
            flag,
            variable,
            rule,
            group,
        };
        row(match self {
            Self::Age => ["age", "age", "recipient", "age", "SOPS_AGE_RECIPIENTS", "age", "age"],
            Self::Pgp => ["PGP", "pgp", "fp", "pgp", "SOPS_PGP_FP", "pgp", "pgp"],
            Self::Kms => ["AWS KMS", "kms", "arn", "kms", "SOPS_KMS_ARN", "kms", "kms"],
            Self::GcpKms => {
                ["GCP KMS", "gcp_kms", "resource_id", "gcp-kms", "SOPS_GCP_KMS_IDS", "gcp_kms", "gcp_kms"]
            }
            Self::Hckms => {
                ["HuaweiCloud KMS", "hckms", "key_id", "hckms", "SOPS_HUAWEICLOUD_KMS_IDS", "hckms", "hckms"]
            }
            Self::AzureKv => [
                "Azure Key Vault",
                "azure_kv",
                "name",
                "azure-kv",
                "SOPS_AZURE_KEYVAULT_URLS",
                "azure_keyvault",
                "azure_keyvault",
            ],
            Self::HcVault => [
                "HashiCorp Vault",
                "hc_vault",
                "key_name",
                "hc-vault-transit",
                "SOPS_VAULT_URIS",
                "hc_vault_transit_uri",
                "hc_vault",
            ],
        })
    }

    /// Its name for people.
    pub fn title(self) -> &'static str {
        self.row().title
    }

    /// Its list in `sops` metadata; also its name in `--decryption-order`.
    pub fn metadata_field(self) -> &'static str {
        self.row().metadata
    }

    /// The field of a metadata entry that names the key (for Azure and Vault with others).
    pub fn id_field(self) -> &'static str {
        self.row().id
    }

    /// Its option, without dashes.
    pub fn flag(self) -> &'static str {
        self.row().flag
    }

    /// Its environment variable.
    pub fn variable(self) -> &'static str {
        self.row().variable
    }

    /// Its list in a creation rule.
    pub fn rule_field(self) -> &'static str {
        self.row().rule
    }

    /// Its list in a key group of a creation rule.
    pub fn group_field(self) -> &'static str {
        self.row().group
    }

    /// The kind with that list in metadata.
    pub fn of_metadata_field(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.metadata_field() == name)
    }
}

/// Why a text names no key, in the words of sops.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeySpecError {
    /// No Azure key URL.
    #[error("could not parse \"{0}\" into a valid Azure Key Vault MasterKey")]
    Azure(String),
    /// A Vault address without `http://` or `https://`.
    #[error(
        "missing scheme in Vault URL (should be like this: \
         +https://vault.example.com:8200/v1/transit/keys/keyName), got: {0}"
    )]
    VaultScheme(String),
    /// A Vault address with a path before `/v1`.
    #[error(
        "running Vault with a prefixed URL is not supported! (Format has to be like \
         https://vault.example.com:8200/v1/transit/keys/keyName)"
    )]
    VaultPrefix,
    /// A Vault address without engine and key.
    #[error(
        "vault path does not seem to be formatted correctly: (eg. \
         https://vault.example.com:8200/v1/transit/keys/keyName)"
    )]
    VaultPath,
    /// No `region:key-uuid`.
    #[error("invalid key ID format: expected 'region:key-uuid', got \"{0}\"")]
    Huawei(String),
    /// Nothing before the colon.
    #[error("region cannot be empty in key ID: \"{0}\"")]
    HuaweiRegion(String),
    /// Nothing behind the colon.
    #[error("key UUID cannot be empty in key ID: \"{0}\"")]
    HuaweiKey(String),
}

/// A master key as somebody names it: its kind, and the fields that a metadata entry of
/// this kind has besides `enc` and `created_at`.
#[derive(Clone, Debug, PartialEq)]
pub struct KeySpec {
    /// Its kind.
    pub kind: KeyKind,
    /// Its fields under their metadata names.
    pub fields: Vec<Entry>,
}

impl KeySpec {
    /// A key of `kind` with these text fields.
    fn new(kind: KeyKind, fields: &[(&str, &str)]) -> Self {
        let fields =
            fields.iter().map(|(name, text)| Entry::Pair((*name).to_owned(), Value::text(*text))).collect();
        Self { kind, fields }
    }

    /// The key that `text` names on the command line or in a list of `.sops.yaml`. Whether an age
    /// recipient, fingerprint or ARN is well-formed is found out when it is used.
    pub fn parse(kind: KeyKind, text: &str) -> Result<Self, KeySpecError> {
        Ok(match kind {
            KeyKind::Age => Self::new(kind, &[("recipient", text.trim())]),
            KeyKind::Pgp | KeyKind::GcpKms => Self::new(kind, &[(kind.id_field(), &text.replace(' ', ""))]),
            KeyKind::Kms => Self::kms(text, "", &[], ""),
            KeyKind::Hckms => {
                let id = text.trim();
                let (region, key) = id.split_once(':').ok_or_else(|| KeySpecError::Huawei(id.to_owned()))?;
                if region.trim().is_empty() {
                    return Err(KeySpecError::HuaweiRegion(id.to_owned()));
                }
                if key.trim().is_empty() {
                    return Err(KeySpecError::HuaweiKey(id.to_owned()));
                }
                Self::new(kind, &[("key_id", id)])
            }
            KeyKind::AzureKv => {
                let (url, name, version) =
                    azure_url(text.trim()).ok_or_else(|| KeySpecError::Azure(text.trim().to_owned()))?;
                Self::azure(url, name, version)
            }
            KeyKind::HcVault => {
                let (address, engine, key) = vault_uri(text)?;
                Self::new(kind, &[("vault_address", &address), ("engine_path", &engine), ("key_name", key)])
            }
        })
    }

    /// The keys of a comma list, as SOPS splits it: for age every piece counts, elsewhere
    /// empty pieces are dropped.
    pub fn parse_list(kind: KeyKind, list: &str) -> Result<Vec<Self>, KeySpecError> {
        if list.is_empty() {
            return Ok(Vec::new());
        }
        let pieces = list.split(',').map(str::trim);
        pieces
            .filter(|piece| kind == KeyKind::Age || !piece.is_empty())
            .map(|piece| Self::parse(kind, piece))
            .collect()
    }

    /// An AWS key: its ARN, which may carry `+role`, unless `role` gives it.
    pub fn kms(arn: &str, role: &str, context: &[(String, String)], profile: &str) -> Self {
        let arn = arn.replace(' ', "");
        let (arn, role) = match arn.find("+arn:") {
            Some(place) if role.is_empty() => (arn[..place].to_owned(), arn[place + 1..].to_owned()),
            _ => (arn, role.to_owned()),
        };
        let mut fields = vec![Entry::Pair("arn".to_owned(), Value::text(arn))];
        if !role.is_empty() {
            fields.push(Entry::Pair("role".to_owned(), Value::text(role)));
        }
        if !context.is_empty() {
            let pairs =
                context.iter().map(|(name, text)| Entry::Pair(name.clone(), Value::text(text.as_str())));
            fields.push(Entry::Pair("context".to_owned(), Value::Map(pairs.collect())));
        }
        fields.push(Entry::Pair("aws_profile".to_owned(), Value::text(profile)));
        Self { kind: KeyKind::Kms, fields }
    }

    /// An Azure key; an empty version means the current one.
    pub fn azure(url: &str, name: &str, version: &str) -> Self {
        Self::new(KeyKind::AzureKv, &[("vault_url", url), ("name", name), ("version", version)])
    }

    /// A text field; empty when absent.
    pub fn text(&self, name: &str) -> &str {
        self.fields
            .iter()
            .find_map(|field| match field {
                Entry::Pair(key, Value::Scalar(Scalar::Str(text))) if key == name => {
                    std::str::from_utf8(text).ok()
                }
                _ => None,
            })
            .unwrap_or("")
    }

    /// What sops calls the key: by this it is shown, compared and removed (sops-compat 7).
    pub fn identity(&self) -> String {
        match self.kind {
            KeyKind::AzureKv => {
                format!("{}/keys/{}/{}", self.text("vault_url"), self.text("name"), self.text("version"))
            }
            KeyKind::HcVault => {
                let [address, engine, key] = ["vault_address", "engine_path", "key_name"];
                format!("{}/v1/{}/keys/{}", self.text(address), self.text(engine), self.text(key))
            }
            KeyKind::Kms => self.kms_identity(),
            kind => self.text(kind.id_field()).to_owned(),
        }
    }

    /// `arn[+role]`, then `|context` and `|profile` where there are any.
    fn kms_identity(&self) -> String {
        let mut text = self.text("arn").to_owned();
        if !self.text("role").is_empty() {
            text = format!("{text}+{}", self.text("role"));
        }
        let mut context: Vec<String> = Vec::new();
        for field in &self.fields {
            let Entry::Pair(name, Value::Map(entries)) = field else { continue };
            if name != "context" {
                continue;
            }
            for entry in entries {
                if let Entry::Pair(name, Value::Scalar(Scalar::Str(value))) = entry {
                    context.push(format!("{name}:{}", String::from_utf8_lossy(value)));
                }
            }
        }
        context.sort();
        let profile = self.text("aws_profile");
        if !context.is_empty() || !profile.is_empty() {
            text = format!("{text}|{}", context.join(","));
        }
        if !profile.is_empty() {
            text = format!("{text}|{profile}");
        }
        text
    }
}

/// `https://vault/keys/name[/version]` in its parts.
fn azure_url(url: &str) -> Option<(&str, &str, &str)> {
    let host = url.strip_prefix("https://")?.split('/').next()?;
    let vault = &url["https://".len() + host.len()..];
    let rest = vault.strip_prefix("/keys/")?;
    let (name, version) = rest.split_once('/').unwrap_or((rest, ""));
    let fits = !host.is_empty() && !name.is_empty() && !version.contains('/');
    fits.then_some((&url[..url.len() - vault.len()], name, version))
}

/// `https://host:port/vN/engine/keys/name` as address, engine path and key name.
fn vault_uri(uri: &str) -> Result<(String, String, &str), KeySpecError> {
    let Some((scheme, rest)) = uri.split_once("://") else {
        return Err(KeySpecError::VaultScheme(uri.to_owned()));
    };
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let parts: Vec<&str> = path.trim_end_matches('/').split('/').collect();
    let version = |part: &str| {
        part.strip_prefix('v').is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    };
    match parts.iter().position(|part| version(part)) {
        Some(0) if parts.len() >= 4 && parts.iter().all(|part| !part.is_empty()) => {}
        Some(place) if place > 0 && parts.len() >= place + 4 => return Err(KeySpecError::VaultPrefix),
        _ => return Err(KeySpecError::VaultPath),
    }
    let (engine, key) = (&parts[1..parts.len() - 2], parts[parts.len() - 1]);
    Ok((format!("{scheme}://{host}"), engine.join("/"), key))
}

#[cfg(test)]
mod tests {
    use super::{KeyKind, KeySpec};

    #[test]
    fn names_of_keys_come_apart_and_together() {
        // Identities as sops 3.11.0 prints them in its errors and diffs.
        for (kind, text, identity) in [
            (KeyKind::Age, " age1x ", "age1x"),
            (KeyKind::Pgp, "FBC7 B9E2", "FBC7B9E2"),
            (KeyKind::Kms, "arn:aws:kms:a:1:key/b", "arn:aws:kms:a:1:key/b"),
            (
                KeyKind::Kms,
                "arn:aws:kms:a:1:key/b+arn:aws:iam::1:role/c",
                "arn:aws:kms:a:1:key/b+arn:aws:iam::1:role/c",
            ),
            (KeyKind::GcpKms, "projects/p", "projects/p"),
            (KeyKind::Hckms, "tr-west-1:abc", "tr-west-1:abc"),
            (KeyKind::AzureKv, "https://v.azure.net/keys/k/1", "https://v.azure.net/keys/k/1"),
            (KeyKind::AzureKv, "https://v.azure.net/keys/k", "https://v.azure.net/keys/k/"),
            (KeyKind::HcVault, "https://v:8200/v1/transit/keys/k", "https://v:8200/v1/transit/keys/k"),
            (KeyKind::HcVault, "http://v/v2/a/b/keys/k/", "http://v/v1/a/b/keys/k"),
        ] {
            assert_eq!(KeySpec::parse(kind, text).unwrap().identity(), identity);
        }
        let context = [("b".to_owned(), "2".to_owned()), ("a".to_owned(), "1".to_owned())];
        assert_eq!(KeySpec::kms("arn", "role", &context, "").identity(), "arn+role|a:1,b:2");
        assert_eq!(KeySpec::kms("arn", "", &[], "p").identity(), "arn||p");
    }

    #[test]
    fn what_names_no_key_is_refused_in_the_words_of_sops() {
        for (kind, text, expected) in [
            (KeyKind::AzureKv, "foo", "could not parse \"foo\" into a valid Azure Key Vault MasterKey"),
            (
                KeyKind::HcVault,
                "foo",
                "missing scheme in Vault URL (should be like this: \
                 +https://vault.example.com:8200/v1/transit/keys/keyName), got: foo",
            ),
            (
                KeyKind::HcVault,
                "http://x/y/v1/transit/keys/k",
                "running Vault with a prefixed URL is not supported! (Format has to be like \
                 https://vault.example.com:8200/v1/transit/keys/keyName)",
            ),
            (
                KeyKind::HcVault,
                "http://x/v1/transit",
                "vault path does not seem to be formatted correctly: (eg. \
                 https://vault.example.com:8200/v1/transit/keys/keyName)",
            ),
            (KeyKind::Hckms, "foo", "invalid key ID format: expected 'region:key-uuid', got \"foo\""),
            (KeyKind::Hckms, "a:", "key UUID cannot be empty in key ID: \"a:\""),
            (KeyKind::Hckms, ":a", "region cannot be empty in key ID: \":a\""),
        ] {
            assert_eq!(KeySpec::parse(kind, text).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn lists_are_split_as_sops_splits_them() {
        let list = |kind, text| -> Vec<String> {
            KeySpec::parse_list(kind, text).unwrap().iter().map(KeySpec::identity).collect()
        };
        assert_eq!(list(KeyKind::Age, "a, b ,,c"), ["a", "b", "", "c"]);
        assert_eq!(list(KeyKind::Pgp, "a, b ,,c"), ["a", "b", "c"]);
        assert!(list(KeyKind::Age, "").is_empty());
    }
}
