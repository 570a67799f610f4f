//! One derived file: values that were cut out of a source become an ordinary SOPS file
//! with a data key of its own.

use crate::app::Deps;
use crate::app::binary;
use crate::app::error::{Error, Place, While};
use crate::app::lock::{self, Expected, Plain};
use crate::app::open::{self, Locked, Unlocked};
use crate::app::sealing::{Unsealed, Wanted};
use crate::app::wrap;
use crate::domain::agent::view::View;
use crate::domain::crypto::cipher::Cipher;
use crate::domain::crypto::data_key::DataKey;
use crate::domain::document::lock::PlainFile;
use crate::domain::document::open::Encrypted;
use crate::domain::document::values::plain_values;
use crate::domain::keys::kinds::{KeyKind, KeySpec};
use crate::domain::metadata::{self, MasterKey, Metadata};
use crate::domain::scalar::Scalar;
use crate::domain::secret::SecretBytes;
use crate::domain::select::{RuleKind, Selection, Settings, Stage};
use crate::domain::store::{Format, Layout, Purpose};
use crate::domain::value::{Entry, Value};

/// The rule of derived files: every value is encrypted, whatever its key is called.
const EVERYTHING: &str = ".*";

/// An encrypted file as values.
pub struct Opened {
    /// Its documents.
    pub documents: Vec<Value>,
    /// Its data key.
    pub data_key: DataKey,
}

/// The values of a file that was unlocked. The MAC must fit: what is copied from here
/// gets a new one.
pub fn opened(file: &Unlocked<'_>) -> Result<Opened, Error> {
    values(&file.locked, &file.cipher, &file.data_key)
}

/// The values of a file that was made here, by the data key that it was made with.
pub fn made(bytes: &[u8], format: Format, place: &Place, data_key: &DataKey) -> Result<Opened, Error> {
    values(&Locked::parse(bytes, format, place)?, &Cipher::new(data_key), data_key)
}

fn values(locked: &Locked<'_>, cipher: &Cipher, data_key: &DataKey) -> Result<Opened, Error> {
    let Locked { place, store, tree, metadata, .. } = locked;
    let file = Encrypted { store: *store, tree, selection: &metadata.selection, cipher };
    let (documents, findings) = file.to_values().map_err(|error| {
        let place = place.clone().at_line(Some(error.line)).at_key(error.path.clone());
        Error::Decrypt { place, cause: Box::new(error) }
    })?;
    locked.check_mac(cipher, &findings.mac)?;
    Ok(Opened { documents, data_key: data_key.clone() })
}

/// A derived file at `place` with `documents`, for `recipients`, which are age's.
pub fn derived(
    deps: &Deps<'_>,
    documents: &[Value],
    format: Format,
    recipients: &[String],
    place: &Place,
) -> Result<SecretBytes, Error> {
    let emitted = format.store().emit(documents, Layout::default()).map(SecretBytes::new);
    let plain =
        emitted.map_err(|error| Error::Emit { place: place.clone(), during: While::Encrypting, error })?;
    let data_key = DataKey::generate(&mut *deps.random.rng());
    let metadata = metadata(deps, recipients, &data_key)?;
    let draft = Draft { plain: &plain, documents, format, place };
    let bytes = draft.locked(deps, metadata, &data_key)?;
    let wanted = Wanted::by_new(deps, place.path.as_deref(), false)?;
    Unsealed { bytes, format, place, data_key: &data_key }.finish(deps, wanted, &mut Vec::new())
}

/// A derived file that is not encrypted yet.
struct Draft<'d> {
    plain: &'d [u8],
    /// What `plain` was printed from.
    documents: &'d [Value],
    format: Format,
    place: &'d Place,
}

impl Draft<'_> {
    fn locked(&self, deps: &Deps<'_>, metadata: Metadata, data_key: &DataKey) -> Result<SecretBytes, Error> {
        let Self { plain, documents, format, place } = *self;
        let cipher = Cipher::new(data_key);
        if format == Format::Binary {
            let metadata = Metadata { selection: Selection::everything(), ..metadata };
            return binary::lock_proven(deps, plain, &cipher, metadata, place);
        }
        refuse_other_values(plain, documents, format, place)?;
        let mut parsed = Plain::parse(plain, format, place)?;
        metadata.selection.mark(&mut parsed.tree, Stage::Plain);
        let selection = metadata.selection.clone();
        let file = PlainFile {
            store: parsed.store,
            tree: &parsed.tree,
            selection: &selection,
            keep_spellings: true,
        };
        let locking = file.plan(None);
        let locked = lock::lock_new(deps, &parsed, data_key, metadata, locking, None)?;
        let expected = Expected { format, cipher: &cipher, plain, place, hoist: true };
        Ok(lock::proven(deps, locked, expected)?.bytes)
    }
}

/// What is printed must read back as what was cut, or a wrong value would be handed out.
fn refuse_other_values(
    plain: &[u8],
    documents: &[Value],
    format: Format,
    place: &Place,
) -> Result<(), Error> {
    let store = format.store();
    let tree = store
        .read(plain, Purpose::Encrypt)
        .map_err(|error| open::read_error(error, place, While::Encrypting))?;
    // Some readers add sections that hold nothing.
    let read =
        View::cut(&plain_values(store, &tree), &|_| true).map(|view| view.documents).unwrap_or_default();
    let is_same =
        read.len() == documents.len() && read.iter().zip(documents).all(|(one, other)| reads_as(one, other));
    match is_same {
        true => Ok(()),
        false => Err(lock::refusal(place, "its values would read back otherwise")),
    }
}

/// Equality of data. SOPS takes every number of a JSON file for a float, and prints one
/// without a fraction as it prints an integer.
fn reads_as(one: &Value, other: &Value) -> bool {
    let number = |value: &Value| match value {
        Value::Scalar(scalar @ (Scalar::Int(_) | Scalar::Float(_))) => {
            let mut text = Vec::new();
            scalar.write_canonical(&mut text);
            Some(SecretBytes::new(text))
        }
        _ => None,
    };
    match (one, other) {
        (Value::Map(one), Value::Map(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .filter_map(Entry::pair)
                    .zip(other.iter().filter_map(Entry::pair))
                    .all(|((key, value), (other_key, other))| key == other_key && reads_as(value, other))
        }
        (Value::List(one), Value::List(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| reads_as(one, other))
        }
        _ => one.same_data(other) || number(one).is_some_and(|text| number(other).as_ref() == Some(&text)),
    }
}

fn metadata(deps: &Deps<'_>, recipients: &[String], data_key: &DataKey) -> Result<Metadata, Error> {
    let refused = |cause: String| Error::Recipients { cause: cause.into(), hints: Vec::new() };
    let mut keys = Vec::with_capacity(recipients.len());
    for recipient in recipients {
        let parsed = KeySpec::parse_list(KeyKind::Age, recipient);
        keys.extend(parsed.map_err(|error| refused(error.to_string()))?.iter().map(MasterKey::new));
    }
    let mut settings = Settings::default();
    settings.set_rule(RuleKind::EncryptedRegex, EVERYTHING);
    Ok(Metadata {
        groups: wrap::groups(deps, vec![keys], None, data_key)?,
        shamir_threshold: None,
        last_modified: String::new(),
        mac: String::new(),
        version: metadata::VERSION.to_owned(),
        selection: Selection::new(settings).map_err(|error| refused(error.to_string()))?,
        source: None,
        seal: None,
        signature: None,
        former: None,
    })
}
