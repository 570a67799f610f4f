//! The shared locking: plain bytes become an encrypted file, anew or in the
//! metadata of its former state, and every file that replaces another is proven
//! to decrypt first.

use rand::{CryptoRng, RngCore};

use super::Deps;
use super::error::{Error, Place, While};
use super::open::{Locked, Unlocked, read_error};
use crate::domain::crypto::cipher::Cipher;
use crate::domain::crypto::data_key::DataKey;
use crate::domain::document::Notice;
use crate::domain::document::lock::{LockPlan, PlainFile};
use crate::domain::document::open::{Encrypted, Extras};
use crate::domain::document::reuse::Ciphertexts;
use crate::domain::document::sink::{Compare, Sink};
use crate::domain::document::source_field::{self, Deferred, Made};
use crate::domain::document::spelling::{self, SpellingList};
use crate::domain::document::walk::index_path;
use crate::domain::document::yaml_layout;
use crate::domain::metadata::Metadata;
use crate::domain::secret::SecretBytes;
use crate::domain::select::{Selection, Stage};
use crate::domain::store::{Format, Purpose, Store};
use crate::domain::tree::{Flags, Node, NodeId, Tree};

/// SOPS's text for a YAML key like `1:` or `true:`, which it can neither encrypt
/// nor decrypt.
const ODD_KEY: &str = "Error walking tree: Tree contains a non-string key. Only string keys are supported: \
                       put the key in quotes";

/// A plain file, parsed for encryption.
pub struct Plain<'s> {
    /// Where errors happened.
    pub place: Place,
    /// The format's store.
    pub store: &'static dyn Store,
    /// The file.
    pub tree: Tree<'s>,
}

impl<'s> Plain<'s> {
    /// Parses `bytes`; metadata in them is an error.
    pub fn parse(bytes: &'s [u8], format: Format, place: &Place) -> Result<Self, Error> {
        let store = format.store();
        let tree = store
            .read(bytes, Purpose::Encrypt)
            .map_err(|error| read_error(error, place, While::Encrypting))?;
        if tree.nodes.iter().any(|node| node.flags.has(Flags::METADATA)) {
            return Err(Error::AlreadyEncrypted(place.clone()));
        }
        if let Some(odd) = tree.nodes.iter().find(|node| node.flags.has(Flags::ODD_KEY)) {
            let line = tree.line(odd.key.start);
            return Err(Error::Encrypt { place: place.clone().at_line(Some(line)), cause: ODD_KEY.into() });
        }
        Ok(Self { place: place.clone(), store, tree })
    }
}

/// An encrypted file, ready to be written.
#[derive(Debug, Default)]
pub struct LockedFile {
    /// Its bytes.
    pub bytes: SecretBytes,
    /// What the user should hear about.
    pub notices: Vec<Notice>,
    /// What its `leaflock_source` holds.
    pub spellings: SpellingList,
    /// True when it has values, and none of them is one that the rules select.
    pub nothing_selected: bool,
}

/// The token of a MAC's hex digest.
pub fn mac_token(deps: &Deps<'_>, cipher: &Cipher, digest: String, last_modified: &str) -> String {
    let mut token = Vec::new();
    let mut digest = digest.into_bytes();
    cipher.seal(&mut digest, "str", last_modified.as_bytes(), &mut *deps.random.rng(), &mut token);
    String::from_utf8(token).unwrap_or_default()
}

/// The token of the owner's spellings in `source`; `None` when nothing needs it.
fn source_token(
    deps: &Deps<'_>,
    cipher: &Cipher,
    plan: &LockPlan,
    source: &[u8],
    marked: bool,
) -> Option<String> {
    let is_needed = marked || !plan.spellings.is_empty();
    is_needed.then(|| source_field::token(&plan.spellings, source, cipher, &mut *deps.random.rng()))
}

/// Encrypts `plain` for the keys in `metadata`, whose MAC and time are set here.
/// The file goes to `stdout`, or into a buffer where there is none: nothing can
/// fail any more once it is being written. For binary files see [`super::binary`].
pub fn lock_new(
    deps: &Deps<'_>,
    plain: &Plain<'_>,
    data_key: &DataKey,
    mut metadata: Metadata,
    plan: LockPlan,
    stdout: Option<&mut dyn Sink>,
) -> Result<LockedFile, Error> {
    refuse_ambiguous(plain)?;
    refuse_repeated_key(plain, &plan)?;
    let cipher = Cipher::new(data_key);
    // A file that SOPS laid out stays so.
    let marked = metadata.source.is_some()
        || (metadata.former.is_none() && spelling::needs_mark(plain.store.format(), &plain.tree));
    metadata.last_modified = deps.clock.now();
    metadata.mac = mac_token(deps, &cipher, plan.mac.hex(), &metadata.last_modified);
    // Every document has a copy of the token, so it must be at hand for several.
    let may_defer = !plan.spellings.is_empty() && plain.tree.documents.len() <= 1;
    let stand_in = may_defer.then(|| source_field::empty(&cipher, &mut *deps.random.rng()));
    metadata.source =
        stand_in.clone().or_else(|| source_token(deps, &cipher, &plan, plain.tree.source, marked));
    let (keep_spellings, is_marked) = (metadata.keeps_spellings(), metadata.source.is_some());
    let selection = metadata.selection.clone();
    let mut attach = plain.store.attach(&plain.tree, &metadata.to_value());
    let file = PlainFile { store: plain.store, tree: &plain.tree, selection: &selection, keep_spellings };
    let mut bytes = SecretBytes::default();
    let may_need_mark = !is_marked && yaml_layout::may_be_sops_layout(plain.store, &plain.tree);
    let rng = &mut *deps.random.rng();
    let write = |sink: &mut dyn Sink| match stand_in {
        Some(stand_in) => {
            let mut sink =
                Deferred::new(&plan.spellings, plain.tree.source, stand_in, &mut attach, &cipher, rng, sink);
            file.write(&plan, &cipher, None, attach, rng, &mut sink);
        }
        None => file.write(&plan, &cipher, None, attach, rng, sink),
    };
    match stdout {
        Some(stdout) if !may_need_mark => write(stdout),
        stdout => {
            bytes = with_room(plain, &plan);
            write(&mut bytes);
            // Room that was never used need not be wiped, which would touch it.
            bytes.as_mut_vec().shrink_to_fit();
            if may_need_mark {
                bytes = with_mark(rng, bytes, &cipher, &selection, plain, || false);
            }
            if let Some(stdout) = stdout {
                stdout.push(&std::mem::take(&mut bytes));
            }
        }
    }
    Ok(LockedFile {
        bytes,
        nothing_selected: nothing_selected(&plan),
        notices: plan.notices,
        spellings: plan.spellings,
    })
}

/// True when a file has values, and its rules select none.
pub fn nothing_selected(plan: &LockPlan) -> bool {
    plan.selected == 0 && plan.leaves > 0
}

/// `bytes`, with the mark that says whose layout they have if without it they would
/// not decrypt to `plain` byte for byte. A file that `was_otherwise` before gets none.
fn with_mark(
    rng: &mut (impl RngCore + CryptoRng + ?Sized),
    bytes: SecretBytes,
    cipher: &Cipher,
    selection: &Selection,
    plain: &Plain<'_>,
    was_otherwise: impl FnOnce() -> bool,
) -> SecretBytes {
    let store = plain.store;
    let marked = || {
        let mut tree = store.read(&bytes, Purpose::AsIs).ok()?;
        selection.mark(&mut tree, Stage::Encrypted);
        let file = Encrypted { store, tree: &tree, selection, cipher };
        if !yaml_layout::is_printed_otherwise(&file, plain.tree.source) || was_otherwise() {
            return None;
        }
        let token = source_field::empty(cipher, rng);
        source_field::with_token(store, &bytes, &token)
    };
    let marked = marked();
    marked.unwrap_or(bytes)
}

/// Encrypts `plain`, the new state of `old`, under its data key and in its
/// metadata; values that did not change keep their tokens, and where no value and no
/// comment did, the MAC and its time are kept as well.
pub fn lock_again(
    deps: &Deps<'_>,
    old: &Unlocked<'_>,
    mut plain: Plain<'_>,
    mut known: Ciphertexts,
) -> Result<LockedFile, Error> {
    let metadata = &old.locked.metadata;
    metadata.selection.mark(&mut plain.tree, Stage::Plain);
    refuse_ambiguous(&plain)?;
    known.finish();
    let file = PlainFile {
        store: plain.store,
        tree: &plain.tree,
        selection: &metadata.selection,
        keep_spellings: metadata.keeps_spellings(),
    };
    let mut plan = file.plan(Some(&mut known));
    refuse_repeated_key(&plain, &plan)?;
    // Whether it still fits is seen when the file is proven.
    plan.spellings.set_patch(old.locked.spellings(&old.cipher).take_patch());
    let is_old_mac = |old: SecretBytes| *old == *plan.mac.hex().as_bytes();
    // SOPS's MAC alone does not tell: `12` and `3` have the one of `1` and `23`.
    let same_values =
        known.are_all_told(plan.encrypted) && old.locked.stored_mac(&old.cipher).is_ok_and(is_old_mac);
    let source = match &metadata.source {
        Some(token)
            if old.locked.spelling_json(&old.cipher) == Some(plan.spellings.to_json(plain.tree.source)) =>
        {
            Some(token.clone())
        }
        marker => {
            let needs_mark = |tree| spelling::needs_mark(plain.store.format(), tree);
            let marked = marker.is_some() || needs_mark(&plain.tree) && !needs_mark(&old.locked.tree);
            source_token(deps, &old.cipher, &plan, plain.tree.source, marked)
        }
    };
    let last_modified = deps.clock.now();
    let mac = mac_token(deps, &old.cipher, plan.mac.hex(), &last_modified);
    let mut changes = Vec::new();
    if !same_values {
        changes.extend([("lastmodified", Some(last_modified.as_str())), ("mac", Some(mac.as_str()))]);
    }
    if source != metadata.source {
        changes.push((spelling::FIELD, source.as_deref()));
    }
    let kept = old.locked.store.metadata_text(&old.locked.tree, &changes);
    let attach = plain.store.attach_text(&plain.tree, &kept);
    let mut bytes = with_room(&plain, &plan);
    let rng = &mut *deps.random.rng();
    file.write(&plan, &old.cipher, Some(&mut known), attach, rng, &mut bytes);
    if source.is_none() && yaml_layout::may_be_sops_layout(plain.store, &plain.tree) {
        let was = || is_printed_otherwise(old);
        bytes = with_mark(rng, bytes, &old.cipher, &metadata.selection, &plain, was);
    }
    Ok(LockedFile {
        bytes,
        nothing_selected: nothing_selected(&plan),
        notices: plan.notices,
        spellings: plan.spellings,
    })
}

/// True if `file` is not printed as its values in their places would be.
fn is_printed_otherwise(file: &Unlocked<'_>) -> bool {
    let Locked { store, tree, metadata, .. } = &file.locked;
    let extras = Extras {
        spellings: file.locked.spellings(&file.cipher),
        keep_spellings: metadata.keeps_spellings(),
        ..Extras::default()
    };
    let mut plain = SecretBytes::default();
    file.file().write_plain(extras, store.detach(tree), &mut plain).is_ok()
        && yaml_layout::is_printed_otherwise(&file.file(), &plain)
}

/// What a file must decrypt to.
#[derive(Clone, Copy)]
pub struct Expected<'a> {
    /// Its format.
    pub format: Format,
    /// Its data key's cipher.
    pub cipher: &'a Cipher,
    /// The plain file.
    pub plain: &'a [u8],
    /// Where errors happened.
    pub place: &'a Place,
    /// What SOPS moves is moved, as `decrypt` shows it.
    pub hoist: bool,
}

/// Proves that `locked` decrypts as `expected`: every value opens, the MAC fits, and
/// the layout comes back. What tokens and spellings do not bring back of it is put
/// into the file here.
pub fn proven(deps: &Deps<'_>, mut locked: LockedFile, expected: Expected<'_>) -> Result<LockedFile, Error> {
    if comes_back(&locked, expected)? {
        return Ok(locked);
    }
    let Expected { format, cipher, plain, place, .. } = expected;
    let refuse = |error: Error| refusal(place, &error.to_string());
    let selection = Locked::parse(&locked.bytes, format, place).map_err(refuse)?.metadata.selection;
    let LockedFile { bytes, spellings, .. } = &mut locked;
    let made = Made { store: format.store(), selection: &selection, cipher, source: plain };
    if let Some(completed) = made.completed(bytes, spellings, &mut *deps.random.rng()) {
        *bytes = completed;
    }
    if !comes_back(&locked, expected)? {
        locked.notices.push(Notice::LayoutLost);
    }
    Ok(locked)
}

/// False when the values are right and the layout is not, or the file has a patch
/// that is of no use.
fn comes_back(file: &LockedFile, expected: Expected<'_>) -> Result<bool, Error> {
    let Expected { format, cipher, plain, place, hoist } = expected;
    let refuse = |cause: String| refusal(place, &cause);
    let locked = Locked::parse(&file.bytes, format, place).map_err(|error| refuse(error.to_string()))?;
    let has_patch = file.spellings.has_patch();
    let encrypted =
        Encrypted { store: locked.store, tree: &locked.tree, selection: &locked.metadata.selection, cipher };
    let spellings = locked.spellings(cipher);
    let extras = Extras {
        spellings,
        keep_spellings: locked.metadata.keeps_spellings(),
        hoist: hoist && locked.metadata.source.is_none(),
        recorder: None,
    };
    let mut compare = Compare::new(plain);
    let findings = encrypted
        .write_plain(extras, locked.store.detach(&locked.tree), &mut compare)
        .map_err(|error| refuse(error.to_string()))?;
    locked.check_mac(cipher, &findings.mac).map_err(|error| refuse(error.to_string()))?;
    Ok(compare.is_equal() && findings.patched == has_patch)
}

/// Nothing is written that was not proven to decrypt.
pub fn refusal(place: &Place, cause: &str) -> Error {
    Error::Other {
        place: place.clone(),
        cause: format!("the encrypted file would not decrypt, so nothing was written: {cause}").into(),
        hints: vec!["this is a defect of leaflock: please report it".to_owned()],
    }
}

/// A buffer with room for the encrypted file, so that it never moves.
fn with_room(plain: &Plain<'_>, plan: &LockPlan) -> SecretBytes {
    /// Bytes that a token has over its plaintext, base64 aside.
    const TOKEN: usize = 128;
    let source = plain.tree.source.len();
    SecretBytes::new(Vec::with_capacity(source + source / 3 + plan.encrypted * TOKEN + 16 * 1024))
}

/// Refuses a key that is an alias to an encrypted value and would repeat another key.
/// The key is such a value, so it is not named.
fn refuse_repeated_key(plain: &Plain<'_>, plan: &LockPlan) -> Result<(), Error> {
    let Some(id) = plan.repeated_key(&plain.tree) else { return Ok(()) };
    let line = plain.tree.line(plain.tree.node(id).key.start);
    let cause = "this key is an alias to a value that gets encrypted, so it is written out, and the mapping has \
                 such a key already: rename one of them";
    Err(Error::Encrypt { place: plain.place.clone().at_line(Some(line)), cause: cause.into() })
}

/// Refuses a value that would stay in clear and be another one for SOPS, which
/// could not verify the file.
fn refuse_ambiguous(plain: &Plain<'_>) -> Result<(), Error> {
    let unclear = |node: &Node| node.flags.has(Flags::AMBIGUOUS) && !node.flags.has(Flags::SELECTED);
    let Some(at) = plain.tree.nodes.iter().position(unclear) else { return Ok(()) };
    let line = plain.tree.line(plain.tree.nodes[at].span.start);
    let path = index_path(&plain.tree, at as NodeId);
    let cause = if plain.store.format() == Format::Dotenv {
        "sops reads no value of several lines, and this one would stay in clear: write its line breaks as \\n, \
         or let the rule encrypt it"
    } else {
        "sops takes a part of this value for a comment, and it would stay in clear: put it in backquotes, or \
         let the rule encrypt it"
    };
    Err(Error::Encrypt { place: plain.place.clone().at_line(Some(line)).at_key(path), cause: cause.into() })
}
