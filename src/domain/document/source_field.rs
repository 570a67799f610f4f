//! The metadata field `leaflock_source` of a finished file: written into it, and
//! completed by what the file would lack when it is decrypted.

use rand::{CryptoRng, RngCore};

use super::lock::PlainFile;
use super::open::{Encrypted, Extras};
use super::patch::Patch;
use super::reuse::Ciphertexts;
use super::spelling::{AAD, FIELD, SpellingList, Spellings};
use crate::domain::crypto::cipher::Cipher;
use crate::domain::secret::SecretBytes;
use crate::domain::select::{Selection, Stage};
use crate::domain::store::{Purpose, Store, with_metadata_fields};

/// The token of `spellings`.
pub fn token(
    spellings: &SpellingList,
    cipher: &Cipher,
    rng: &mut (impl RngCore + CryptoRng + ?Sized),
) -> String {
    let mut token = Vec::new();
    cipher.seal(spellings.to_json().as_mut_vec(), "str", AAD, rng, &mut token);
    String::from_utf8(token).unwrap_or_default()
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
            spellings: Spellings::from_json(&spellings.to_json()),
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
        let metadata = store.metadata_text(&old, &[(FIELD, Some(&token(spellings, cipher, rng)))]);
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
