//! AES-256-GCM under a nonce of any length (NIST SP 800-38D, section 7), a piece
//! of the text at a time.
//!
//! SOPS writes 32-byte nonces, which the `aes-gcm` crate takes as a type, and
//! whole values, which it takes as one buffer. Two things it cannot do: nonces of
//! any length, which SOPS reads, and values of many megabytes without a second
//! buffer of that size. For those the mode is put together here from its two
//! parts, counter mode and GHASH.

use aes_gcm::aes::Aes256;
use aes_gcm::aes::cipher::{BlockEncrypt, InnerIvInit, StreamCipher};
use ctr::{Ctr32BE, CtrCore};
use ghash::GHash;
use ghash::universal_hash::{KeyInit, UniversalHash};
use subtle::ConstantTimeEq;

type Block = [u8; 16];

/// Encrypts or decrypts one text.
pub struct Gcm {
    hash: GHash,
    stream: Ctr32BE<Aes256>,
    mask: Block,
    aad: usize,
    text: usize,
}

impl Gcm {
    /// Begins a text.
    pub fn new(cipher: &Aes256, nonce: &[u8], aad: &[u8]) -> Self {
        let mut hash_key = Block::default();
        cipher.encrypt_block((&mut hash_key).into());
        let mut hash = GHash::new(&hash_key.into());
        let counter = initial_counter(&hash, nonce);
        hash.update_padded(aad);
        let mut stream = Ctr32BE::from_core(CtrCore::inner_iv_init(cipher.clone(), &counter.into()));
        let mut mask = Block::default();
        stream.apply_keystream(&mut mask);
        Self { hash, stream, mask, aad: aad.len(), text: 0 }
    }

    /// Encrypts the next piece in place. Every piece but the last has whole blocks
    /// of 16 bytes.
    pub fn encrypt(&mut self, piece: &mut [u8]) {
        self.stream.apply_keystream(piece);
        self.hash.update_padded(piece);
        self.text += piece.len();
    }

    /// Decrypts the next piece in place. What comes out is not to be trusted, nor
    /// shown, until [`Gcm::verify`] has said so.
    pub fn decrypt(&mut self, piece: &mut [u8]) {
        self.hash.update_padded(piece);
        self.stream.apply_keystream(piece);
        self.text += piece.len();
    }

    /// The tag of the text.
    pub fn tag(mut self) -> Block {
        self.hash.update(&[lengths(self.aad, self.text).into()]);
        for (byte, hash) in self.mask.iter_mut().zip(self.hash.finalize()) {
            *byte ^= hash;
        }
        self.mask
    }

    /// True when the text that was decrypted has this tag.
    pub fn verify(self, tag: &Block) -> bool {
        bool::from(self.tag().ct_eq(tag))
    }
}

/// The pre-counter block J0: the nonce and a one for 96 bits, else its GHASH.
fn initial_counter(hash: &GHash, nonce: &[u8]) -> Block {
    let mut counter = Block::default();
    if nonce.len() == 12 {
        counter[..12].copy_from_slice(nonce);
        counter[15] = 1;
        return counter;
    }
    let mut ghash = hash.clone();
    ghash.update_padded(nonce);
    ghash.update(&[lengths(0, nonce.len()).into()]);
    ghash.finalize().into()
}

/// Two byte counts as the 64-bit big-endian bit counts that GHASH ends with.
fn lengths(first: usize, second: usize) -> Block {
    let mut block = Block::default();
    block[..8].copy_from_slice(&(first as u64 * 8).to_be_bytes());
    block[8..].copy_from_slice(&(second as u64 * 8).to_be_bytes());
    block
}

#[cfg(test)]
mod tests {
    use aes_gcm::aead::consts::{U8, U12, U16, U32};
    use aes_gcm::aead::generic_array::{ArrayLength, GenericArray};
    use aes_gcm::aes::Aes256;
    use aes_gcm::aes::cipher::KeyInit;
    use aes_gcm::{AeadInPlace, AesGcm};

    use super::Gcm;

    fn agrees_with_the_library<N: ArrayLength<u8>>() {
        let key = [7u8; 32];
        let nonce = GenericArray::<u8, N>::from_iter((0..N::USIZE).map(|i| i as u8 * 3 + 1));
        for length in [0, 1, 15, 16, 17, 32, 100] {
            let plain: Vec<u8> = (0..length).map(|i| i as u8).collect();
            let mut buffer = plain.clone();
            let library = AesGcm::<Aes256, N>::new(&key.into());
            let tag = library.encrypt_in_place_detached(&nonce, b"a:b:", &mut buffer).unwrap();
            let cipher = Aes256::new(&key.into());
            let mut opened = buffer.clone();
            let mut gcm = Gcm::new(&cipher, &nonce, b"a:b:");
            opened.chunks_mut(32).for_each(|piece| gcm.decrypt(piece));
            assert!(gcm.verify(&tag.into()));
            assert_eq!(opened, plain);
            let mut gcm = Gcm::new(&cipher, &nonce, b"a:b:");
            opened.chunks_mut(16).for_each(|piece| gcm.encrypt(piece));
            assert_eq!((&opened, gcm.tag()), (&buffer, tag.into()));
            let mut gcm = Gcm::new(&cipher, &nonce, b"a:c:");
            gcm.decrypt(&mut buffer);
            assert!(!gcm.verify(&tag.into()));
        }
    }

    #[test]
    fn nonces_of_every_length_open_as_the_library_seals_them() {
        agrees_with_the_library::<U8>();
        agrees_with_the_library::<U12>();
        agrees_with_the_library::<U16>();
        agrees_with_the_library::<U32>();
    }
}
