//! age's post-quantum keys, `age1pq1…` and `AGE-SECRET-KEY-PQ-1…` (stanza
//! `mlkem768x25519` of age 1.3): X-Wing, that is ML-KEM-768 and X25519 together
//! (draft-connolly-cfrg-xwing-kem), as the KEM of HPKE in base mode (RFC 9180)
//! with HKDF-SHA256 and ChaCha20-Poly1305.
//!
//! The age crate has the traits but not the keys. Crates that have X-Wing or
//! HPKE with it need a later `kem` than the one that age pins, so the two
//! constructions are spelled out here on the primitives that age brings along.

use std::collections::HashSet;
use std::sync::OnceLock;

use age::{DecryptError, EncryptError};
use age_core::format::{FileKey, Stanza};
use age_core::secrecy::ExposeSecret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bech32::{FromBase32, ToBase32, Variant};
use chacha20poly1305::aead::{AeadInPlace, KeyInit};
use chacha20poly1305::{ChaCha20Poly1305, Nonce, Tag};
use hkdf::{Hkdf, HkdfExtract};
use ml_kem::kem::{Decapsulate, Encapsulate};
use ml_kem::{Ciphertext, EncodedSizeUser, KemCore, MlKem768};
use rand::rngs::OsRng;
use sha2::Sha256;
use sha3::digest::{ExtendableOutput, Update, XofReader};
use sha3::{Digest, Sha3_256, Shake256};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::{Zeroize, Zeroizing};

use crate::domain::keys::low_order::is_low_order;

/// Name of the stanza.
const STANZA: &str = "mlkem768x25519";
/// HPKE's `info`.
const INFO: &[u8] = b"age-encryption.org/mlkem768x25519";
/// What recipients begin with, before the separator `1`.
const RECIPIENT_PREFIX: &str = "age1pq";
/// What identities begin with, before the separator `1`; lower case as bech32 decodes it.
const IDENTITY_PREFIX: &str = "age-secret-key-pq-";
/// Bytes of an encoded ML-KEM-768 encapsulation key (FIPS 203, table 3).
const LATTICE_KEY: usize = 1184;
/// Bytes of an ML-KEM-768 ciphertext.
const LATTICE_CIPHERTEXT: usize = 1088;
/// Bytes of a Curve25519 point.
const POINT: usize = 32;
/// Bytes of an age file key.
const FILE_KEY: usize = 16;
/// Bytes of a Poly1305 tag.
const TAG: usize = 16;
/// `HPKE`, then the identifiers of X-Wing, HKDF-SHA256 and ChaCha20-Poly1305.
const SUITE: &[u8] = b"HPKE\x64\x7a\x00\x01\x00\x03";

type LatticeSecret = <MlKem768 as KemCore>::DecapsulationKey;
type LatticePublic = <MlKem768 as KemCore>::EncapsulationKey;

/// The public half.
pub(super) struct HybridRecipient {
    lattice: LatticePublic,
    point: [u8; POINT],
}

impl HybridRecipient {
    /// Reads `age1pq1…`.
    ///
    /// # Errors
    /// The reason, in the words of sops where it has any.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        const INVALID: &str = "invalid MLKEM768-X25519 public key";
        let bytes = decoded(text, RECIPIENT_PREFIX).ok_or("invalid Bech32 encoding")?;
        let (lattice, point) = bytes.split_at_checked(LATTICE_KEY).ok_or(INVALID)?;
        let point = <[u8; POINT]>::try_from(point).map_err(|_| INVALID)?;
        let key = LatticePublic::from_bytes(&lattice.try_into().map_err(|_| INVALID)?);
        // Coefficients that are not reduced (FIPS 203, section 7.2) do not come back as they were.
        if key.as_bytes().as_slice() != lattice {
            return Err(INVALID);
        }
        if is_low_order(point) {
            return Err("low order point");
        }
        Ok(Self { lattice: key, point })
    }

    /// Seals `file_key`: the encapsulated key, then the ciphertext with its tag.
    fn seal(&self, file_key: &[u8; FILE_KEY]) -> Option<(Vec<u8>, Vec<u8>)> {
        let (ciphertext, mut lattice) = self.lattice.encapsulate(&mut OsRng).ok()?;
        let ephemeral = StaticSecret::random_from_rng(OsRng);
        let shared = ephemeral.diffie_hellman(&PublicKey::from(self.point));
        let sent = PublicKey::from(&ephemeral);
        let secret = combined(&lattice, shared.as_bytes(), sent.as_bytes(), &self.point);
        lattice.as_mut_slice().zeroize();
        let (cipher, nonce) = schedule(&secret)?;
        let mut body = file_key.to_vec();
        let tag = cipher.encrypt_in_place_detached(&nonce, b"", &mut body).ok()?;
        body.extend_from_slice(&tag);
        Some(([ciphertext.as_slice(), sent.as_bytes()].concat(), body))
    }
}

impl age::Recipient for HybridRecipient {
    fn wrap_file_key(&self, file_key: &FileKey) -> Result<(Vec<Stanza>, HashSet<String>), EncryptError> {
        let failed = || EncryptError::Io(std::io::Error::other("post-quantum encapsulation failed"));
        let (sent, body) = self.seal(file_key.expose_secret()).ok_or_else(failed)?;
        let stanza = Stanza { tag: STANZA.to_owned(), args: vec![STANDARD_NO_PAD.encode(sent)], body };
        Ok((vec![stanza], HashSet::from(["postquantum".to_owned()])))
    }
}

/// The secret half: a seed, and the keys that grow from it when they are needed.
pub(super) struct HybridIdentity {
    seed: Zeroizing<[u8; 32]>,
    grown: OnceLock<Box<Grown>>,
}

struct Grown {
    lattice: LatticeSecret,
    scalar: StaticSecret,
    point: PublicKey,
    recipient: String,
}

impl HybridIdentity {
    /// Reads `AGE-SECRET-KEY-PQ-1…`; nothing if it does not decode to 32 bytes.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(decoded(text, IDENTITY_PREFIX)?);
        let seed = Zeroizing::new(<[u8; 32]>::try_from(bytes.as_slice()).ok()?);
        Some(Self { seed, grown: OnceLock::new() })
    }

    /// The public half, `age1pq1…`.
    pub(super) fn recipient(&self) -> &str {
        &self.grown().recipient
    }

    fn grown(&self) -> &Grown {
        self.grown.get_or_init(|| Box::new(Grown::from_seed(&self.seed)))
    }

    /// Opens the body of a stanza; `None` if it was sealed for somebody else.
    fn open(&self, sent: &[u8; LATTICE_CIPHERTEXT + POINT], body: &[u8; FILE_KEY + TAG]) -> Option<FileKey> {
        let own = self.grown();
        let (ciphertext, point) = sent.split_at_checked(LATTICE_CIPHERTEXT)?;
        let ciphertext = Ciphertext::<MlKem768>::try_from(ciphertext).ok()?;
        let point = <[u8; POINT]>::try_from(point).ok()?;
        let shared = own.scalar.diffie_hellman(&PublicKey::from(point));
        if !shared.was_contributory() {
            return None;
        }
        let mut lattice = own.lattice.decapsulate(&ciphertext).ok()?;
        let secret = combined(&lattice, shared.as_bytes(), &point, own.point.as_bytes());
        lattice.as_mut_slice().zeroize();
        let (cipher, nonce) = schedule(&secret)?;
        let (sealed, tag) = body.split_at_checked(FILE_KEY)?;
        FileKey::try_init_with_mut(|key| {
            key.copy_from_slice(sealed);
            cipher.decrypt_in_place_detached(&nonce, b"", key, Tag::from_slice(tag))
        })
        .ok()
    }
}

impl Grown {
    /// X-Wing's `expandDecapsulationKey`.
    fn from_seed(seed: &[u8; 32]) -> Self {
        let mut hasher = Shake256::default();
        hasher.update(seed);
        let mut bytes = Zeroizing::new([0; 96]);
        hasher.finalize_xof().read(bytes.as_mut_slice());
        let mut parts = [Zeroizing::new([0; 32]), Zeroizing::new([0; 32]), Zeroizing::new([0; 32])];
        for (part, bytes) in parts.iter_mut().zip(bytes.chunks_exact(32)) {
            part.copy_from_slice(bytes);
        }
        let [d, z, scalar] = parts;
        let (mut d, mut z) = ((*d).into(), (*z).into());
        let (lattice, public) = MlKem768::generate_deterministic(&d, &z);
        d.as_mut_slice().zeroize();
        z.as_mut_slice().zeroize();
        let scalar = StaticSecret::from(*scalar);
        let point = PublicKey::from(&scalar);
        let recipient = encoded(&[public.as_bytes().as_slice(), point.as_bytes()].concat());
        Self { lattice, scalar, point, recipient }
    }
}

impl age::Identity for HybridIdentity {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        if stanza.tag != STANZA {
            return None;
        }
        let [sent] = stanza.args.as_slice() else { return Some(Err(DecryptError::InvalidHeader)) };
        let sent = STANDARD_NO_PAD.decode(sent).ok().and_then(|bytes| bytes.try_into().ok());
        let (Some(sent), Ok(body)) = (sent, stanza.body.as_slice().try_into()) else {
            return Some(Err(DecryptError::InvalidHeader));
        };
        self.open(&sent, body).map(Ok)
    }
}

/// X-Wing's combiner: both shared secrets bound to what was sent over the curve.
fn combined(lattice: &[u8], shared: &[u8], sent: &[u8], point: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut hasher = Sha3_256::new();
    for part in [lattice, shared, sent, point, br"\.//^\"] {
        Digest::update(&mut hasher, part);
    }
    Zeroizing::new(hasher.finalize().into())
}

/// HPKE's key schedule without a pre-shared key (RFC 9180, section 5.1): the
/// cipher, and the nonce of its first message.
fn schedule(secret: &[u8; 32]) -> Option<(ChaCha20Poly1305, Nonce)> {
    let (nobody, _) = extracted(b"", b"psk_id_hash", b"");
    let (info, _) = extracted(b"", b"info_hash", INFO);
    let context = [&[0], nobody.as_slice(), info.as_slice()].concat();
    let (_, secret) = extracted(secret, b"secret", b"");
    let mut key = Zeroizing::new([0; 32]);
    expand(&secret, b"key", &context, key.as_mut_slice())?;
    let mut nonce = Nonce::default();
    expand(&secret, b"base_nonce", &context, &mut nonce)?;
    Some((ChaCha20Poly1305::new((&*key).into()), nonce))
}

/// `LabeledExtract` (RFC 9180, section 4): the key, and it ready for [`expand`].
fn extracted(salt: &[u8], label: &[u8], material: &[u8]) -> (Zeroizing<Vec<u8>>, Hkdf<Sha256>) {
    let mut extract = HkdfExtract::<Sha256>::new(Some(salt));
    for part in [b"HPKE-v1", SUITE, label, material] {
        extract.input_ikm(part);
    }
    let (key, expander) = extract.finalize();
    (Zeroizing::new(key.to_vec()), expander)
}

/// `LabeledExpand` (RFC 9180, section 4) into `out`.
fn expand(secret: &Hkdf<Sha256>, label: &[u8], context: &[u8], out: &mut [u8]) -> Option<()> {
    let length = u16::try_from(out.len()).ok()?.to_be_bytes();
    secret.expand_multi_info(&[&length, b"HPKE-v1", SUITE, label, context], out).ok()
}

/// The bytes of a bech32 text with that prefix.
fn decoded(text: &str, prefix: &str) -> Option<Vec<u8>> {
    let (found, data, variant) = bech32::decode(text).ok()?;
    let fits = found.eq_ignore_ascii_case(prefix) && variant == Variant::Bech32;
    fits.then(|| Vec::<u8>::from_base32(&data).ok()).flatten()
}

/// A recipient's text. The prefix is sound, so that encoding does not fail.
fn encoded(key: &[u8]) -> String {
    bech32::encode(RECIPIENT_PREFIX, key.to_base32(), Variant::Bech32).unwrap_or_default()
}

#[cfg(test)]
mod tests;
