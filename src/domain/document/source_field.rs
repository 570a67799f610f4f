//! The metadata field `leaflock_source` of a finished file: written into it, and
//! completed by what the file would lack when it is decrypted.

use rand::{CryptoRng, RngCore};

use super::lock::PlainFile;
use super::open::{Encrypted, Extras};
use super::patch::Patch;
use super::reuse::Ciphertexts;
use super::sink::Sink;
use super::spelling::{AAD, FIELD, SpellingList, Spellings};
use crate::domain::crypto::cipher::{Cipher, Sealing};
use crate::domain::secret::SecretBytes;
use crate::domain::select::{Selection, Stage};
use crate::domain::store::splice::{self, Edit};
use crate::domain::store::{Purpose, Store, with_metadata_fields};

/// The token of `spellings`, which stand in `source`.
pub fn token(
    spellings: &SpellingList,
    source: &[u8],
    cipher: &Cipher,
    rng: &mut (impl RngCore + CryptoRng + ?Sized),
) -> String {
    let mut token = Vec::new();
    cipher.seal(spellings.to_json(source).as_mut_vec(), "str", AAD, rng, &mut token);
    String::from_utf8(token).unwrap_or_default()
}

/// The token of no spellings: where it is enough that there is a field, and where it
/// stands for a [`Deferred`] token. None is twice the same, as their nonces are random.
pub fn empty(cipher: &Cipher, rng: &mut (impl RngCore + CryptoRng + ?Sized)) -> String {
    token(&SpellingList::default(), b"", cipher, rng)
}

/// A way to a sink on which the token of a file's spellings takes the place of its
/// stand-in: it may be longer than all the rest of the file, and need not be held.
pub struct Deferred<'p, 'k, K: ?Sized> {
    spellings: &'p SpellingList,
    source: &'p [u8],
    stand_in: Vec<u8>,
    sealing: Option<Sealing>,
    sink: &'k mut K,
}

impl<'p, 'k, K: Sink + ?Sized> Deferred<'p, 'k, K> {
    /// The token of `spellings` in the place of `stand_in`, which one of `edits` has for it.
    pub fn new(
        spellings: &'p SpellingList,
        source: &'p [u8],
        stand_in: String,
        edits: &mut Vec<Edit>,
        cipher: &Cipher,
        rng: &mut (impl RngCore + CryptoRng + ?Sized),
        sink: &'k mut K,
    ) -> Self {
        let stand_in = stand_in.into_bytes();
        splice::isolate(edits, &stand_in);
        Self { spellings, source, stand_in, sealing: Some(cipher.seal_large(AAD, rng)), sink }
    }
}

impl<K: Sink + ?Sized> Sink for Deferred<'_, '_, K> {
    fn push(&mut self, bytes: &[u8]) {
        let Some(mut sealing) = self.sealing.take_if(|_| *bytes == self.stand_in) else {
            return self.sink.push(bytes);
        };
        let out = &mut |part: &[u8]| self.sink.push(part);
        self.spellings.write_json(self.source, &mut |json| sealing.push(json, out));
        sealing.finish("str", out);
    }
}

/// The encrypted file `bytes` with `token` in the field. `None` if it has no metadata.
pub fn with_token(store: &'static dyn Store, bytes: &[u8], token: &str) -> Option<SecretBytes> {
    let tree = store.read(bytes, Purpose::AsIs).ok()?;
    with_metadata_fields(store, &tree, &[(FIELD, Some(token))])
}

/// What an encrypted file is made of.
#[derive(Clone, Copy)]
pub struct Made<'a> {
    /// The format's store.
    pub store: &'static dyn Store,
    /// The rules.
    pub selection: &'a Selection,
    /// The data key's cipher.
    pub cipher: &'a Cipher,
    /// The plain file.
    pub source: &'a [u8],
}

impl Made<'_> {
    /// The encrypted file `bytes`, whose field gets `spellings` and whatever else it
    /// takes to decrypt to the plain file byte for byte. `None` for files that cannot
    /// be read.
    pub fn completed(
        &self,
        bytes: &[u8],
        spellings: &mut SpellingList,
        rng: &mut (impl RngCore + CryptoRng + ?Sized),
    ) -> Option<SecretBytes> {
        spellings.set_patch(None);
        let (_, tokens) = self.printed(bytes, spellings)?;
        let marked = self.locked_again(bytes, tokens, spellings, rng)?;
        // What a file with the field is printed like.
        let (printed, tokens) = self.printed(&marked, spellings)?;
        if *printed == *self.source {
            return Some(marked);
        }
        spellings.set_patch(Some(Patch::between(&printed, self.source)));
        self.locked_again(&marked, tokens, spellings, rng)
    }

    /// What `bytes` decrypt to, and the tokens in them.
    fn printed(&self, bytes: &[u8], spellings: &SpellingList) -> Option<(SecretBytes, Ciphertexts)> {
        let Self { store, selection, cipher, .. } = *self;
        let mut tree = store.read(bytes, Purpose::AsIs).ok()?;
        selection.mark(&mut tree, Stage::Encrypted);
        let mut tokens = Ciphertexts::default();
        let extras = Extras {
            spellings: Spellings::from_json(&spellings.to_json(self.source)),
            keep_spellings: true,
            hoist: false,
            recorder: Some(&mut tokens),
        };
        let mut printed = SecretBytes::new(Vec::with_capacity(bytes.len()));
        let file = Encrypted { store, tree: &tree, selection, cipher };
        file.write_plain(extras, store.detach(&tree), &mut printed).ok()?;
        tokens.finish();
        Some((printed, tokens))
    }

    /// The plain file with the metadata of `bytes` and with `tokens`, as it is saved
    /// when nothing has changed, and `spellings` in the field.
    fn locked_again(
        &self,
        bytes: &[u8],
        mut tokens: Ciphertexts,
        spellings: &SpellingList,
        rng: &mut (impl RngCore + CryptoRng + ?Sized),
    ) -> Option<SecretBytes> {
        let Self { store, selection, cipher, source } = *self;
        let old = store.read(bytes, Purpose::AsIs).ok()?;
        let metadata = store.metadata_text(&old, &[(FIELD, Some(&token(spellings, source, cipher, rng)))]);
        let mut tree = store.read(source, Purpose::Encrypt).ok()?;
        selection.mark(&mut tree, Stage::Plain);
        let file = PlainFile { store, tree: &tree, selection, keep_spellings: true };
        let plan = file.plan(Some(&mut tokens));
        let mut out = SecretBytes::new(Vec::with_capacity(bytes.len() + source.len()));
        let attach = store.attach_text(&tree, &metadata);
        file.write(&plan, cipher, Some(&mut tokens), attach, rng, &mut out);
        Some(out)
    }
}
