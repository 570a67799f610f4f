//! Encrypts and decrypts single values under a data key (sops-compat 2.1):
//! AES-256-GCM, a random 32-byte nonce, the value's path as associated data.
//!
//! A random 256-bit nonce is hashed to the initial counter block, so the chance
//! that two values of one key share it stays negligible far beyond the number
//! of values that any repository holds.

use std::fmt;

use aes_gcm::aead::consts::U32;
use aes_gcm::aes::Aes256;
use aes_gcm::{AeadInPlace, AesGcm, KeyInit};
use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use rand::{CryptoRng, RngCore};
use zeroize::Zeroize;

use super::data_key::DataKey;
use super::gcm::Gcm;
use super::token::{PREFIX, Token};
use crate::domain::secret::SecretBytes;

const NONCE_LENGTH: usize = 32;
/// Bytes of an authentication tag.
pub const TAG_LENGTH: usize = 16;

/// About as many bytes as a token has beside its data.
const REST: usize = 128;

/// How much of a large value is worked on at a time, in bytes: whole cipher
/// blocks, whole groups of base64, and small enough for a processor's cache.
pub const PIECE: usize = 48 * 1024;

/// Go's decoder demands padding but lets unused trailing bits be set.
const READER: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical)
        .with_decode_allow_trailing_bits(true),
);

/// Why a token did not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// A field is not base64, or the nonce or tag has an impossible length.
    #[error("{0} of the encrypted value is not valid base64 of the right length")]
    Malformed(&'static str),
    /// Other data key, other path, or changed ciphertext.
    #[error("Could not decrypt with AES_GCM: cipher: message authentication failed")]
    Authentication,
}

/// How many bytes the fields of a token hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lengths {
    /// The ciphertext, and so the plaintext.
    pub data: usize,
    /// The nonce.
    pub iv: usize,
    /// The authentication tag.
    pub tag: usize,
}

/// Decodes the fields of a token, without a key.
pub fn lengths(token: &Token<'_>) -> Result<Lengths, OpenError> {
    let length = |name, field: &[u8]| match READER.decode(field) {
        Ok(bytes) => Ok(bytes.len()),
        Err(_) => Err(OpenError::Malformed(name)),
    };
    Ok(Lengths {
        data: length("data", token.data)?,
        iv: length("iv", token.iv)?,
        tag: length("tag", token.tag)?,
    })
}

/// One key schedule, for any number of values.
pub struct Cipher {
    gcm: AesGcm<Aes256, U32>,
    block: Aes256,
}

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cipher(***)")
    }
}

impl Cipher {
    /// The cipher of `key`.
    pub fn new(key: &DataKey) -> Self {
        Self { gcm: AesGcm::new(key.expose().into()), block: Aes256::new(key.expose().into()) }
    }

    /// Encrypts `buffer` in place under a fresh nonce and appends the token text
    /// to `out`. `kind` is the type that goes into the token.
    pub fn seal(
        &self,
        buffer: &mut [u8],
        kind: &str,
        aad: &[u8],
        rng: &mut (impl RngCore + CryptoRng + ?Sized),
        out: &mut Vec<u8>,
    ) {
        let mut nonce = [0; NONCE_LENGTH];
        rng.fill_bytes(&mut nonce);
        let tag: [u8; TAG_LENGTH] = match self.gcm.encrypt_in_place_detached(&nonce.into(), aad, buffer) {
            Ok(tag) => tag.into(),
            // Only a plaintext over 64 GiB is refused; sources are below 4 GiB.
            Err(_) => unreachable!("value longer than a file can be"),
        };
        out.reserve(buffer.len().div_ceil(3) * 4 + REST);
        out.extend_from_slice(PREFIX);
        append_base64(buffer, out);
        append_rest(&nonce, &tag, kind, out);
    }

    /// Begins to encrypt a value of many megabytes under a fresh nonce.
    pub fn seal_large(&self, aad: &[u8], rng: &mut (impl RngCore + CryptoRng + ?Sized)) -> Sealing {
        let mut nonce = [0; NONCE_LENGTH];
        rng.fill_bytes(&mut nonce);
        let gcm = Gcm::new(&self.block, &nonce, aad);
        let buffer = SecretBytes::new(Vec::with_capacity(PIECE));
        let mut text = Vec::with_capacity(PIECE / 3 * 4 + PREFIX.len());
        text.extend_from_slice(PREFIX);
        Sealing { gcm, nonce, buffer, text }
    }

    /// Decrypts `token` a piece at a time. `None` unless its fields are what
    /// [`Cipher::open`] would take.
    pub fn open_large<'t>(&self, token: &Token<'t>, aad: &[u8]) -> Option<Opening<'t>> {
        let nonce = READER.decode(token.iv).ok().filter(|nonce| !nonce.is_empty())?;
        let tag = READER.decode(token.tag).ok()?.try_into().ok()?;
        let padding = token.data.iter().rev().take(2).take_while(|byte| **byte == b'=').count();
        let length = (token.data.len() / 4 * 3).checked_sub(padding)?;
        Some(Opening { rest: token.data, length, gcm: Gcm::new(&self.block, &nonce, aad), tag })
    }

    /// Decrypts `token` into `plain`, replacing what it held.
    pub fn open(&self, token: &Token<'_>, aad: &[u8], plain: &mut Vec<u8>) -> Result<(), OpenError> {
        plain.zeroize();
        plain.resize(base64::decoded_len_estimate(token.data.len()), 0);
        let length = READER.decode_slice(token.data, plain).map_err(|_| OpenError::Malformed("data"))?;
        plain.truncate(length);
        let mut tag = [0; TAG_LENGTH + 2];
        if READER.decode_slice(token.tag, &mut tag) != Ok(TAG_LENGTH) {
            return Err(OpenError::Malformed("tag"));
        }
        let mut short = [0; NONCE_LENGTH + 1];
        let tag: &[u8; TAG_LENGTH] = tag.first_chunk().ok_or(OpenError::Malformed("tag"))?;
        let opened = match READER.decode_slice(token.iv, &mut short) {
            Ok(NONCE_LENGTH) => {
                let nonce: &[u8; NONCE_LENGTH] = short.first_chunk().ok_or(OpenError::Malformed("iv"))?;
                self.gcm.decrypt_in_place_detached(nonce.into(), aad, plain, tag.into()).is_ok()
            }
            _ => {
                let nonce = READER.decode(token.iv).map_err(|_| OpenError::Malformed("iv"))?;
                if nonce.is_empty() {
                    return Err(OpenError::Malformed("iv"));
                }
                let mut gcm = Gcm::new(&self.block, &nonce, aad);
                gcm.decrypt(plain);
                gcm.verify(tag)
            }
        };
        if opened {
            return Ok(());
        }
        plain.zeroize();
        Err(OpenError::Authentication)
    }
}

/// A large value that is being encrypted: one [`PIECE`] at a time, while it is in the
/// processor's cache.
pub struct Sealing {
    gcm: Gcm,
    nonce: [u8; NONCE_LENGTH],
    /// Plain bytes that do not fill a piece yet.
    buffer: SecretBytes,
    /// The token's text that was not handed on yet.
    text: Vec<u8>,
}

impl Sealing {
    /// Takes the next bytes of the value, and hands what that completes to `out`.
    pub fn push(&mut self, mut plain: &[u8], out: &mut dyn FnMut(&[u8])) {
        while !plain.is_empty() {
            let buffer = self.buffer.as_mut_vec();
            let (now, rest) = plain.split_at(plain.len().min(PIECE - buffer.len()));
            buffer.extend_from_slice(now);
            plain = rest;
            if buffer.len() == PIECE {
                self.encrypt(out);
            }
        }
    }

    /// Hands on the rest of the token. `kind` is the type that goes into it.
    pub fn finish(mut self, kind: &str, out: &mut dyn FnMut(&[u8])) {
        self.encrypt(out);
        append_rest(&self.nonce, &self.gcm.tag(), kind, &mut self.text);
        out(&self.text);
    }

    fn encrypt(&mut self, out: &mut dyn FnMut(&[u8])) {
        let buffer = self.buffer.as_mut_vec();
        self.gcm.encrypt(buffer);
        append_base64(buffer, &mut self.text);
        buffer.clear();
        out(&self.text);
        self.text.clear();
    }
}

/// A large value that is being decrypted.
pub struct Opening<'t> {
    rest: &'t [u8],
    length: usize,
    gcm: Gcm,
    tag: [u8; TAG_LENGTH],
}

impl Opening<'_> {
    /// Bytes that the value has.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Decrypts the next bytes into `piece`: [`PIECE`] of them, or the last ones.
    /// They are not to be shown before [`Opening::finish`]. False when they are
    /// not base64.
    pub fn fill(&mut self, piece: &mut [u8]) -> bool {
        let (text, rest) = self.rest.split_at(self.rest.len().min(piece.len().div_ceil(3) * 4));
        self.rest = rest;
        if READER.decode_slice(text, piece) != Ok(piece.len()) {
            return false;
        }
        self.gcm.decrypt(piece);
        true
    }

    /// True when all was decrypted, and the tag fits.
    pub fn finish(self) -> bool {
        self.rest.is_empty() && self.gcm.verify(&self.tag)
    }
}

/// What stands in a token behind its data.
fn append_rest(nonce: &[u8], tag: &[u8], kind: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b",iv:");
    append_base64(nonce, out);
    out.extend_from_slice(b",tag:");
    append_base64(tag, out);
    out.extend_from_slice(b",type:");
    out.extend_from_slice(kind.as_bytes());
    out.push(b']');
}

fn append_base64(bytes: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, b'=');
    // The buffer has the exact encoded length.
    let written = STANDARD.encode_slice(bytes, &mut out[start..]).unwrap_or(0);
    out.truncate(start + written);
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::{Cipher, OpenError, PIECE};
    use crate::domain::crypto::data_key::DataKey;
    use crate::domain::crypto::token::Token;

    #[test]
    fn a_sealed_value_opens_at_its_own_path_only() {
        let mut rng = StdRng::seed_from_u64(1);
        let cipher = Cipher::new(&DataKey::generate(&mut rng));
        let mut text = Vec::new();
        cipher.seal(&mut b"hunter2".to_vec(), "str", b"a:b:", &mut rng, &mut text);
        let token = Token::parse(&text).unwrap();
        let mut plain = Vec::new();
        cipher.open(&token, b"a:b:", &mut plain).unwrap();
        assert_eq!((&plain[..], token.kind), (&b"hunter2"[..], &b"str"[..]));
        assert_eq!(cipher.open(&token, b"a:c:", &mut plain), Err(OpenError::Authentication));
        assert_eq!(plain, b"");
    }

    #[test]
    fn a_large_value_is_the_same_in_pieces() {
        let mut rng = StdRng::seed_from_u64(1);
        let cipher = Cipher::new(&DataKey::generate(&mut rng));
        for length in [1, 2, 3, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 2 * PIECE + 47] {
            let plain: Vec<u8> = (0..length).map(|at| at as u8).collect();
            let mut text = Vec::new();
            let mut sealing = cipher.seal_large(b"data:", &mut rng);
            for part in plain.chunks(PIECE / 2 + 7) {
                sealing.push(part, &mut |part| text.extend_from_slice(part));
            }
            sealing.finish("str", &mut |part| text.extend_from_slice(part));
            let token = Token::parse(&text).unwrap();
            let mut whole = Vec::new();
            cipher.open(&token, b"data:", &mut whole).unwrap();
            assert!(whole == plain);
            let mut opening = cipher.open_large(&token, b"data:").unwrap();
            assert_eq!(opening.length(), length);
            let mut pieces = vec![0; length];
            assert!(pieces.chunks_mut(PIECE).all(|piece| opening.fill(piece)) && opening.finish());
            assert!(pieces == plain);
            assert!(!cipher.open_large(&token, b"other:").unwrap().finish());
            let at = super::PREFIX.len();
            text[at] ^= 1;
            let token = Token::parse(&text).unwrap();
            let changed = cipher.open_large(&token, b"data:");
            assert!(!changed.is_some_and(|mut opening| {
                pieces.chunks_mut(PIECE).all(|piece| opening.fill(piece)) && opening.finish()
            }));
        }
    }

    #[test]
    fn malformed_fields_are_named() {
        let mut rng = StdRng::seed_from_u64(1);
        let cipher = Cipher::new(&DataKey::generate(&mut rng));
        let open = |text: &str| cipher.open(&Token::parse(text.as_bytes()).unwrap(), b"a:", &mut Vec::new());
        let tag = "AAAAAAAAAAAAAAAAAAAAAA==";
        assert_eq!(
            open(&format!("ENC[AES256_GCM,data:*,iv:AAAA,tag:{tag},type:str]")),
            Err(OpenError::Malformed("data"))
        );
        assert_eq!(
            open(&format!("ENC[AES256_GCM,data:AA==,iv:*,tag:{tag},type:str]")),
            Err(OpenError::Malformed("iv"))
        );
        assert_eq!(
            open("ENC[AES256_GCM,data:AA==,iv:AAAA,tag:AAAA,type:str]"),
            Err(OpenError::Malformed("tag"))
        );
    }
}
