//! The central promise, without a process around it: a file is locked and
//! unlocked in memory and must come back. The fuzz targets share it.

use leaflock::domain::crypto::cipher::Cipher;
use leaflock::domain::crypto::data_key::DataKey;
use leaflock::domain::document::change::purpose;
use leaflock::domain::document::lock::PlainFile;
use leaflock::domain::document::open::{Encrypted, Extras};
use leaflock::domain::document::reuse::Ciphertexts;
use leaflock::domain::document::source_field::Made;
use leaflock::domain::document::spelling::{self, Spellings};
use leaflock::domain::document::values::plain_values;
use leaflock::domain::secret::SecretBytes;
use leaflock::domain::select::{Selection, Stage};
use leaflock::domain::store::{Format, Purpose};
use leaflock::domain::tree::{Flags, Node};
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
    /// It came back by a patch: tokens and spellings alone would not do.
    Patched,
}

fn cipher() -> Cipher {
    Cipher::new(&DataKey::from_bytes(&[7; 32]).expect("a key of 32 bytes"))
}

fn metadata(marked: bool) -> Value {
    let fields = [("lastmodified", "2026-01-02T03:04:05Z"), ("mac", "ENC[x]"), ("version", "3.11.0")];
    let mark = marked.then_some((spelling::FIELD, "ENC[y]"));
    let fields = fields[..2].iter().chain(mark.as_ref()).chain(&fields[2..]);
    Value::Map(fields.map(|(name, text)| Entry::Pair((*name).into(), Value::text(*text))).collect())
}

/// What locking a file gives.
pub(crate) struct Locked {
    /// The encrypted file.
    pub(crate) bytes: Vec<u8>,
    mac: String,
    /// The owner's spellings, as they are stored.
    spellings: SecretBytes,
    /// Whether it took a patch beside them.
    is_patched: bool,
}

impl Locked {
    fn spellings(&self) -> Spellings {
        Spellings::from_json(&self.spellings)
    }
}

/// Encrypts every value of a file; `None` if it cannot be read.
pub(crate) fn lock(format: Format, source: &[u8]) -> Option<Locked> {
    let store = format.store();
    let mut tree = store.read(source, Purpose::Encrypt).ok()?;
    let refused = |node: &Node| node.flags.has(Flags::METADATA) || node.flags.has(Flags::ODD_KEY);
    if tree.nodes.iter().any(refused) {
        return None;
    }
    let selection = Selection::everything();
    selection.mark(&mut tree, Stage::Plain);
    let file = PlainFile { store, tree: &tree, selection: &selection, keep_spellings: true };
    let mut plan = file.plan(None);
    if plan.repeated_key(&tree).is_some() {
        return None;
    }
    let mut bytes = SecretBytes::default();
    let marked = !plan.spellings.is_empty() || spelling::needs_mark(format, &tree);
    let attach = store.attach(&tree, &metadata(marked));
    let rng = &mut StdRng::seed_from_u64(1);
    file.write(&plan, &cipher(), None, attach, rng, &mut bytes);
    let spellings = Spellings::from_json(&plan.spellings.to_json(source));
    let back = unlock(format, &bytes, spellings, None);
    if !back.is_ok_and(|(back, _)| back == source) {
        let made = Made { store, selection: &selection, cipher: &cipher(), source };
        bytes = made.completed(&bytes, &mut plan.spellings, rng).unwrap_or(bytes);
    }
    Some(Locked {
        bytes: bytes.to_vec(),
        mac: plan.mac.hex(),
        spellings: plan.spellings.to_json(source),
        is_patched: plan.spellings.has_patch(),
    })
}

/// Decrypts a file with the key that [`lock`] uses; the MAC is returned unchecked.
pub(crate) fn unlock(
    format: Format,
    bytes: &[u8],
    spellings: Spellings,
    recorder: Option<&mut Ciphertexts>,
) -> Result<(Vec<u8>, String), String> {
    let store = format.store();
    let mut tree = store.read(bytes, Purpose::AsIs).map_err(|error| error.to_string())?;
    let selection = Selection::everything();
    selection.mark(&mut tree, Stage::Encrypted);
    let cipher = cipher();
    let file = Encrypted { store, tree: &tree, selection: &selection, cipher: &cipher };
    let mut out = SecretBytes::default();
    let extras = Extras { spellings, keep_spellings: true, recorder, ..Extras::default() };
    let findings =
        file.write_plain(extras, store.detach(&tree), &mut out).map_err(|error| error.to_string())?;
    let (values, found) = file.to_values().map_err(|error| error.to_string())?;
    if found.mac.hex() != findings.mac.hex() {
        return Err("the MAC of the values is another than that of the text".into());
    }
    let plain = store.read(&out, purpose(format)).map_err(|error| format!("what came back: {error}"))?;
    let same = plain_values(store, &plain).iter().zip(&values).all(|(text, value)| text.same_data(value));
    if same {
        Ok((out.to_vec(), findings.mac.hex()))
    } else {
        Err(format!("the text says other values than the tokens\n{}\n{values:?}", show(&out)))
    }
}

fn show(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string().replace("\\n", "\\n\n")
}

/// Encrypts the plain text of `locked` again with the tokens that it had.
fn relock(format: Format, locked: &Locked, plain: &[u8], mut known: Ciphertexts) -> Option<Vec<u8>> {
    let store = format.store();
    let old = store.read(&locked.bytes, Purpose::AsIs).ok()?;
    let mut tree = store.read(plain, Purpose::Encrypt).ok()?;
    let selection = Selection::everything();
    selection.mark(&mut tree, Stage::Plain);
    known.finish();
    let file = PlainFile { store, tree: &tree, selection: &selection, keep_spellings: true };
    let plan = file.plan(Some(&mut known));
    let attach = store.attach_text(&tree, &store.metadata_text(&old, &[]));
    let mut out = SecretBytes::default();
    file.write(&plan, &cipher(), Some(&mut known), attach, &mut StdRng::seed_from_u64(2), &mut out);
    Some(out.to_vec())
}

/// Locks and unlocks a file, and says what broke the promise if something did.
pub(crate) fn round_trip(format: Format, source: &[u8]) -> Result<Fate, String> {
    let Some(locked) = lock(format, source) else { return Ok(Fate::Refused) };
    let mut known = Ciphertexts::default();
    let (back, mac) =
        unlock(format, &locked.bytes, locked.spellings(), Some(&mut known)).map_err(|error| {
            format!("our own file does not open: {error}\n{}\n{}", show(source), show(&locked.bytes))
        })?;
    if mac != locked.mac {
        return Err(format!("the values changed on the way\n{}\n{}", show(source), show(&locked.bytes)));
    }
    if back == source {
        let again = relock(format, &locked, source, known);
        if again.as_ref() != Some(&locked.bytes) {
            let again = again.map_or_else(|| "nothing".to_owned(), |again| show(&again));
            return Err(format!(
                "saving without a change changes the file\n--- before\n{}\n--- after\n{again}",
                show(&locked.bytes)
            ));
        }
        Ok(if locked.is_patched { Fate::Patched } else { Fate::CameBack })
    } else {
        Err(format!(
            "other bytes came back\n--- source\n{}\n--- back\n{}\n--- locked\n{}",
            show(source),
            show(&back),
            show(&locked.bytes)
        ))
    }
}
