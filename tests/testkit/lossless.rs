//! The central promise, without a process around it: a file is locked and
//! unlocked in memory and must come back. The fuzz targets share it.

use leaflock::domain::crypto::cipher::Cipher;
use leaflock::domain::crypto::data_key::DataKey;
use leaflock::domain::document::Notice;
use leaflock::domain::document::open::{Encrypted, Extras};
use leaflock::domain::document::seal::PlainFile;
use leaflock::domain::document::spelling::Spellings;
use leaflock::domain::secret::SecretBytes;
use leaflock::domain::select::{Selection, Stage};
use leaflock::domain::store::{Format, Purpose};
use leaflock::domain::tree::Flags;
use leaflock::domain::value::{Entry, Value};
use rand::SeedableRng;
use rand::rngs::StdRng;

/// What became of a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is no file of its format, or holds `sops` metadata already.
    Refused,
    /// It came back byte for byte.
    CameBack,
    /// It came back with other bytes, and that was announced.
    Announced,
}

fn cipher() -> Cipher {
    Cipher::new(&DataKey::from_bytes(&[7; 32]).expect("a key of 32 bytes"))
}

fn metadata() -> Value {
    let fields = [("lastmodified", "2026-01-02T03:04:05Z"), ("mac", "ENC[x]"), ("version", "3.11.0")];
    Value::Map(fields.map(|(name, text)| Entry::Pair(name.into(), Value::text(text))).into())
}

/// What locking a file gives.
pub(crate) struct Locked {
    /// The encrypted file.
    pub(crate) bytes: Vec<u8>,
    spellings: Spellings,
    mac: String,
    announced: bool,
}

/// Encrypts every value of a file; `None` if it cannot be read.
pub(crate) fn lock(format: Format, source: &[u8]) -> Option<Locked> {
    let store = format.store();
    let mut tree = store.read(source, Purpose::Encrypt).ok()?;
    if tree.nodes.iter().any(|node| node.flags.has(Flags::METADATA)) {
        return None;
    }
    let selection = Selection::everything();
    selection.mark(&mut tree, Stage::Plain);
    let file = PlainFile { store, tree: &tree, selection: &selection, keep_spellings: true };
    let plan = file.plan(None);
    let json = plan.spellings.to_json();
    let mut out = SecretBytes::default();
    let attach = store.attach(&tree, &metadata());
    file.write(&plan, &cipher(), None, attach, &mut StdRng::seed_from_u64(1), &mut out);
    Some(Locked {
        bytes: out.to_vec(),
        mac: plan.mac.hex(),
        announced: json.is_none() && !plan.spellings.is_empty() || plan.notices.contains(&Notice::LayoutLost),
        spellings: json.map_or_else(Spellings::default, |json| Spellings::from_json(&json)),
    })
}

/// Decrypts a file with the key that [`lock`] uses; the MAC is returned unchecked.
pub(crate) fn unlock(
    format: Format,
    bytes: &[u8],
    spellings: Spellings,
) -> Result<(Vec<u8>, String), String> {
    let store = format.store();
    let mut tree = store.read(bytes, Purpose::AsIs).map_err(|error| error.to_string())?;
    let selection = Selection::everything();
    selection.mark(&mut tree, Stage::Encrypted);
    let cipher = cipher();
    let file = Encrypted { store, tree: &tree, selection: &selection, cipher: &cipher };
    let mut out = SecretBytes::default();
    let extras = Extras { spellings, keep_spellings: true, ..Extras::default() };
    let findings =
        file.write_plain(extras, store.detach(&tree), &mut out).map_err(|error| error.to_string())?;
    Ok((out.to_vec(), findings.mac.hex()))
}

/// Locks and unlocks a file, and says what broke the promise if something did.
pub(crate) fn round_trip(format: Format, source: &[u8]) -> Result<Fate, String> {
    let Some(locked) = lock(format, source) else { return Ok(Fate::Refused) };
    let show = |bytes: &[u8]| bytes.escape_ascii().to_string().replace("\\n", "\\n\n");
    let (back, mac) = unlock(format, &locked.bytes, locked.spellings)
        .map_err(|error| format!("our own file does not open: {error}\n{}", show(&locked.bytes)))?;
    if mac != locked.mac {
        return Err(format!("the values changed on the way\n{}\n{}", show(source), show(&locked.bytes)));
    }
    if back == source {
        Ok(Fate::CameBack)
    } else if locked.announced {
        Ok(Fate::Announced)
    } else {
        Err(format!(
            "other bytes came back\n--- source\n{}\n--- back\n{}\n--- locked\n{}",
            show(source),
            show(&back),
            show(&locked.bytes)
        ))
    }
}
