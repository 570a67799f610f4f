//! The `sops` block (sops-compat 4): typed model ⇄ nested values. Fields that
//! are not understood, and keys of kinds that this build cannot use, are kept.

use std::borrow::Cow;

use crate::domain::document::spelling;
use crate::domain::keys::kinds::{KeyKind, KeySpec};
use crate::domain::scalar::{Scalar, Timestamp};
use crate::domain::select::{SelectError, Selection};
use crate::domain::value::{Entry, Value};

/// The SOPS version that new files name: the newest whose layout they follow.
pub const VERSION: &str = "3.13.2";

/// The field of the seal.
pub const SEAL: &str = "leaflock_seal";

/// The field of the signature.
pub const SIGNATURE: &str = "leaflock_signature";

/// Why metadata was not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// There is none.
    #[error("sops metadata not found")]
    Missing,
    /// The `sops` entry is a list or a scalar.
    #[error("Found sops entry that is not a mapping")]
    NotAMap,
    /// `lastmodified` is absent or no timestamp.
    #[error(
        "parsing time \"\" as \"2006-01-02T15:04:05Z07:00\": lastmodified is missing or not an RFC 3339 time"
    )]
    LastModified,
    /// `version` is absent.
    #[error("Version string empty")]
    NoVersion,
    /// `version` is not `X.Y.Z`.
    #[error("No Major.Minor.Patch elements found")]
    Version,
    /// Neither keys nor key groups.
    #[error("No keys found in file")]
    NoKeys,
    /// A field of the wrong type.
    #[error("sops.{field}: expected {expected}")]
    Type {
        /// The field.
        field: String,
        /// What belongs there.
        expected: &'static str,
    },
    /// More than one selection rule.
    #[error(transparent)]
    Rules(#[from] SelectError),
}

/// One master key with the data key wrapped for it.
#[derive(Clone, Debug, PartialEq)]
pub struct MasterKey {
    /// Its kind.
    pub kind: KeyKind,
    /// Its fields in file order.
    pub fields: Vec<Entry>,
}

impl MasterKey {
    /// A key that nothing is wrapped for yet.
    pub fn new(key: &KeySpec) -> Self {
        Self { kind: key.kind, fields: key.fields.clone() }
    }

    /// The key as it is named, shown and compared.
    pub fn spec(&self) -> KeySpec {
        let is_name = |field: &&Entry| !matches!(name_of(field), "enc" | "created_at");
        KeySpec { kind: self.kind, fields: self.fields.iter().filter(is_name).cloned().collect() }
    }

    /// The same key with another data key wrapped for it. A new one gets its
    /// fields in the order of SOPS 3.13, alphabetical, and the time of `created`
    /// (RFC 3339); age entries have no such field (sops-compat 4.3).
    pub fn wrapped(mut self, enc: &str, created: &str) -> Self {
        for field in &mut self.fields {
            if let Entry::Pair(name, value) = field
                && name == "enc"
            {
                *value = Value::text(enc);
                return self;
            }
        }
        self.fields.push(Entry::Pair("enc".into(), Value::text(enc)));
        if self.kind != KeyKind::Age {
            self.fields.push(Entry::Pair("created_at".into(), Value::text(created)));
        }
        self.fields.sort_by(|one, other| name_of(one).cmp(name_of(other)));
        self
    }

    /// True for the same fields in any order: flattened metadata has none.
    pub fn equals(&self, other: &Self) -> bool {
        self.kind == other.kind
            && self.fields.len() == other.fields.len()
            && self.fields.iter().all(|field| other.fields.contains(field))
    }

    /// A text field.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.fields.iter().find_map(|field| match field {
            Entry::Pair(key, value) if key == name => text_of(value),
            _ => None,
        })
    }

    /// The wrapped data key.
    pub fn enc(&self) -> &str {
        self.text("enc").unwrap_or_default()
    }

    /// What names the key to people: the recipient, fingerprint, ARN or URL.
    pub fn name(&self) -> Cow<'_, str> {
        Cow::Owned(match self.kind {
            KeyKind::AzureKv => {
                ["vault_url", "name", "version"].map(|it| self.text(it).unwrap_or_default()).join("/")
            }
            KeyKind::HcVault => {
                let [address, engine, key] = ["vault_address", "engine_path", "key_name"];
                let field = |name| self.text(name).unwrap_or_default();
                format!("{}/v1/{}/keys/{}", field(address), field(engine), field(key))
            }
            kind => return Cow::Borrowed(self.text(kind.id_field()).unwrap_or_default()),
        })
    }
}

fn name_of(entry: &Entry) -> &str {
    match entry {
        Entry::Pair(name, _) => name,
        Entry::Comment(_) => "",
    }
}

/// The metadata of a file.
#[derive(Clone, Debug)]
pub struct Metadata {
    /// Key groups; most files have one.
    pub groups: Vec<Vec<MasterKey>>,
    /// How many groups are needed; `None` for all.
    pub shamir_threshold: Option<usize>,
    /// When the tree was encrypted last: the associated data of `mac`, RFC 3339.
    pub last_modified: String,
    /// The MAC's token; empty when absent.
    pub mac: String,
    /// The version that first encrypted the file.
    pub version: String,
    /// The selection rules.
    pub selection: Selection,
    /// The token that holds the owner's spellings.
    pub source: Option<String>,
    /// The seal ([`crate::domain::seal`]), which is made anew whenever a file is written.
    pub seal: Option<String>,
    /// The signature, of which the same holds.
    pub signature: Option<String>,
    /// The block that this one takes the place of: what is not understood in it is
    /// kept where it stands.
    pub former: Option<Value>,
}

impl Metadata {
    /// Reads the nested `sops` block, whose keys it takes over: there may be a thousand.
    pub fn parse(mut block: Value) -> Result<Self, MetadataError> {
        let Value::Map(entries) = &mut block else { return Err(MetadataError::NotAMap) };
        let flat = group(entries);
        let last_modified = last_modified(block.get("lastmodified"))?;
        let version = version(block.get("version"))?;
        let shamir_threshold = threshold(block.get("shamir_threshold"))?;
        let flat = flat?;
        let groups = if flat.is_empty() { key_groups(take(&mut block, "key_groups"))? } else { vec![flat] };
        if groups.is_empty() {
            return Err(MetadataError::NoKeys);
        }
        Ok(Self {
            groups,
            shamir_threshold,
            last_modified,
            mac: text_field(&block, "mac")?.unwrap_or_default(),
            version,
            selection: Selection::from_metadata(&block)?,
            source: text_field(&block, spelling::FIELD)?,
            seal: text_field(&block, SEAL)?,
            signature: text_field(&block, SIGNATURE)?,
            former: None,
        })
    }

    /// The block: of a new file in the order of SOPS 3.13, alphabetical; else the
    /// former block with keys, times and MAC set.
    pub fn to_value(&self) -> Value {
        let fields = self.new_fields();
        match &self.former {
            Some(Value::Map(former)) => over(former, fields),
            _ => map(fields),
        }
    }

    fn new_fields(&self) -> Vec<(String, Value)> {
        let mut fields: Vec<(String, Value)> = Vec::new();
        match &self.groups[..] {
            [group] => fields.extend(lists(group, false)),
            groups => {
                let groups = groups.iter().map(|group| map(lists(group, true))).collect();
                fields.push(("key_groups".into(), Value::List(groups)));
            }
        }
        if let Some(threshold) = self.shamir_threshold {
            fields.push(("shamir_threshold".into(), Value::Scalar(Scalar::Int(threshold as i64))));
        }
        fields.push(("lastmodified".into(), Value::text(self.last_modified.as_str())));
        fields.push(("mac".into(), Value::text(self.mac.as_str())));
        fields.push(("version".into(), Value::text(self.version.as_str())));
        if let Some(source) = &self.source {
            fields.push((spelling::FIELD.into(), Value::text(source.as_str())));
        }
        fields.extend(self.selection.to_metadata());
        fields
    }

    /// True when a plaintext that is not canonical (`1.50`, `TRUE`) is its owner's
    /// spelling and is printed so. SOPS writes canonical texts only, and prints
    /// them whatever it finds; other writers name older versions.
    pub fn keeps_spellings(&self) -> bool {
        self.version == VERSION || self.source.is_some()
    }

    /// Every key of every group.
    pub fn keys(&self) -> impl Iterator<Item = &MasterKey> {
        self.groups.iter().flatten()
    }
}

/// `former` with the changing ones of `fields` in the places that they had, or
/// before the first field that follows in the alphabet.
fn over(former: &[Entry], mut fields: Vec<(String, Value)>) -> Value {
    fields.retain(|(name, _)| changes(name));
    fields.sort_by(|(one, _), (other, _)| one.cmp(other));
    let mut block: Vec<Entry> = Vec::with_capacity(former.len() + 1);
    for entry in former {
        let name = name_of(entry);
        match fields.iter().position(|(field, _)| field == name) {
            Some(at) => {
                let (name, value) = fields.remove(at);
                block.push(Entry::Pair(name, value));
            }
            None if changes(name) => {}
            None => block.push(entry.clone()),
        }
    }
    for (name, value) in fields {
        let behind = |entry: &Entry| !name_of(entry).is_empty() && name_of(entry) > name.as_str();
        let at = block.iter().position(behind).unwrap_or(block.len());
        block.insert(at, Entry::Pair(name, value));
    }
    Value::Map(block)
}

/// True for the fields that change when keys or values do.
pub fn changes(name: &str) -> bool {
    KeyKind::of_metadata_field(name).is_some()
        || ["key_groups", "shamir_threshold", "lastmodified", "mac", spelling::FIELD, SEAL, SIGNATURE]
            .contains(&name)
}

/// Sorted fields as a map.
fn map(mut fields: Vec<(String, Value)>) -> Value {
    fields.sort_by(|(one, _), (other, _)| one.cmp(other));
    Value::Map(fields.into_iter().map(|(key, value)| Entry::Pair(key, value)).collect())
}

/// A group's keys by list name. Inside `key_groups`, SOPS writes the age and
/// Vault lists even when they are empty.
fn lists(group: &[MasterKey], nested: bool) -> Vec<(String, Value)> {
    let mut lists = Vec::new();
    for kind in KeyKind::ALL {
        let keys: Vec<Value> =
            group.iter().filter(|key| key.kind == kind).map(|key| Value::Map(key.fields.clone())).collect();
        let always = nested && matches!(kind, KeyKind::Age | KeyKind::HcVault);
        if always || !keys.is_empty() {
            lists.push((kind.metadata_field().to_owned(), Value::List(keys)));
        }
    }
    lists
}

/// Takes the value of the first pair named `key` out of a map.
fn take(block: &mut Value, key: &str) -> Option<Value> {
    let Value::Map(entries) = block else { return None };
    take_entry(entries, key)
}

fn take_entry(entries: &mut [Entry], key: &str) -> Option<Value> {
    entries.iter_mut().find_map(|entry| match entry {
        Entry::Pair(name, value) if name == key => {
            Some(std::mem::replace(value, Value::Scalar(Scalar::Null)))
        }
        _ => None,
    })
}

/// The keys of one group, in SOPS's loading order. Their lists are left empty.
fn group(entries: &mut [Entry]) -> Result<Vec<MasterKey>, MetadataError> {
    let mut keys = Vec::new();
    for kind in KeyKind::ALL {
        let field = kind.metadata_field();
        match take_entry(entries, field) {
            None | Some(Value::Scalar(Scalar::Null)) => {}
            Some(Value::List(values)) => {
                keys.reserve(values.len());
                for value in values {
                    match value {
                        Value::Map(fields) => keys.push(MasterKey { kind, fields }),
                        Value::Comment(_) => {}
                        _ => return Err(wrong(field, "a list of mappings")),
                    }
                }
            }
            Some(_) => return Err(wrong(field, "a list")),
        }
    }
    Ok(keys)
}

fn key_groups(field: Option<Value>) -> Result<Vec<Vec<MasterKey>>, MetadataError> {
    match field {
        None | Some(Value::Scalar(Scalar::Null)) => Ok(Vec::new()),
        Some(Value::List(groups)) => groups
            .into_iter()
            .filter(|value| !matches!(value, Value::Comment(_)))
            .map(|value| match value {
                Value::Map(mut entries) => group(&mut entries),
                _ => Err(wrong("key_groups", "a list of mappings")),
            })
            .collect(),
        Some(_) => Err(wrong("key_groups", "a list")),
    }
}

fn wrong(field: &str, expected: &'static str) -> MetadataError {
    MetadataError::Type { field: field.to_owned(), expected }
}

/// The text of a scalar that SOPS reads as text.
fn text_of(value: &Value) -> Option<&str> {
    match value {
        Value::Scalar(Scalar::Str(text)) => std::str::from_utf8(text).ok(),
        _ => None,
    }
}

fn text_field(block: &Value, name: &str) -> Result<Option<String>, MetadataError> {
    match block.get(name) {
        None | Some(Value::Scalar(Scalar::Null)) => Ok(None),
        Some(value) => text_of(value).map(|text| Some(text.to_owned())).ok_or_else(|| wrong(name, "a text")),
    }
}

/// Text, or a timestamp that lost its quotes; normalised as SOPS does before it
/// serves as associated data: no fraction, `Z` for UTC.
fn last_modified(field: Option<&Value>) -> Result<String, MetadataError> {
    let time = match field {
        Some(Value::Scalar(Scalar::Time(time))) => Some(*time),
        Some(value) => text_of(value).and_then(|text| Timestamp::parse_rfc3339(text.as_bytes())),
        None => None,
    };
    let time = time.ok_or(MetadataError::LastModified)?;
    let mut text = Vec::with_capacity("2006-01-02T15:04:05+00:00".len());
    time.write_whole_seconds(&mut text);
    String::from_utf8(text).map_err(|_| MetadataError::LastModified)
}

fn version(field: Option<&Value>) -> Result<String, MetadataError> {
    let version = match field {
        None | Some(Value::Scalar(Scalar::Null)) => String::new(),
        Some(Value::Scalar(number @ (Scalar::Int(_) | Scalar::Float(_)))) => {
            let mut text = Vec::new();
            number.write_canonical(&mut text);
            String::from_utf8_lossy(&text).into_owned()
        }
        Some(value) => text_of(value).ok_or_else(|| wrong("version", "a text"))?.to_owned(),
    };
    if version.is_empty() {
        return Err(MetadataError::NoVersion);
    }
    // SOPS also accepts two numbers, for files from before 1.19.
    let numbers = version.split(['-', '+']).next().unwrap_or_default();
    let parts: Vec<&str> = numbers.split('.').collect();
    let numeric = parts.iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    let ancient = parts.len() == 2 && parts[0] == "1";
    if numeric && (parts.len() == 3 || ancient) { Ok(version) } else { Err(MetadataError::Version) }
}

/// An integer; also as the text or float that old releases wrote to flat formats.
fn threshold(field: Option<&Value>) -> Result<Option<usize>, MetadataError> {
    let number = match field {
        None | Some(Value::Scalar(Scalar::Null)) => return Ok(None),
        Some(Value::Scalar(Scalar::Int(number))) => usize::try_from(*number).ok(),
        Some(Value::Scalar(Scalar::Float(number)))
            if number.fract() == 0.0 && (0.0..256.0).contains(number) =>
        {
            Some(*number as usize)
        }
        Some(value) => {
            text_of(value).and_then(|text| text.strip_suffix(".000000").unwrap_or(text).parse().ok())
        }
    };
    match number {
        Some(0) => Ok(None),
        Some(number) => Ok(Some(number)),
        None => Err(wrong("shamir_threshold", "a number")),
    }
}
