//! AES-256-GCM under a nonce of any length (NIST SP 800-38D, section 7).
//!
//! SOPS writes 32-byte nonces, which the `aes-gcm` crate takes as a type. It
//! reads a nonce of any length though, and other writers have used 12 bytes and
//! more, which no type can foresee: for those, and only for opening, the mode
//! is put together here from its two parts, counter mode and GHASH.

use aes_gcm::aes::Aes256;
use aes_gcm::aes::cipher::{BlockEncrypt, InnerIvInit, StreamCipher};
use ctr::{Ctr32BE, CtrCore};
use ghash::GHash;
use ghash::universal_hash::{KeyInit, UniversalHash};
use subtle::ConstantTimeEq;

type Block = [u8; 16];

/// Decrypts `buffer` in place. False, and the buffer is unspecified, when the
/// tag does not fit.
pub fn open_in_place(cipher: &Aes256, nonce: &[u8], aad: &[u8], buffer: &mut [u8], tag: &Block) -> bool {
    let mut hash_key = Block::default();
    cipher.encrypt_block((&mut hash_key).into());
    let hash = GHash::new(&hash_key.into());

    let counter = initial_counter(&hash, nonce);
    let expected = {
        let mut ghash = hash;
        ghash.update_padded(aad);
        ghash.update_padded(buffer);
        ghash.update(&[lengths(aad.len(), buffer.len()).into()]);
        ghash.finalize()
    };
    let mut stream = Ctr32BE::from_core(CtrCore::inner_iv_init(cipher.clone(), &counter.into()));
    let mut mask = Block::default();
    stream.apply_keystream(&mut mask);
    for (byte, hash) in mask.iter_mut().zip(expected) {
        *byte ^= hash;
    }
    if !bool::from(mask.ct_eq(tag)) {
        return false;
    }
    stream.apply_keystream(buffer);
    true
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

    fn agrees_with_the_library<N: ArrayLength<u8>>() {
        let key = [7u8; 32];
        let nonce = GenericArray::<u8, N>::from_iter((0..N::USIZE).map(|i| i as u8 * 3 + 1));
        for length in [0, 1, 15, 16, 17, 100] {
            let plain: Vec<u8> = (0..length).map(|i| i as u8).collect();
            let mut buffer = plain.clone();
            let library = AesGcm::<Aes256, N>::new(&key.into());
            let tag = library.encrypt_in_place_detached(&nonce, b"a:b:", &mut buffer).unwrap();
            let cipher = Aes256::new(&key.into());
            let mut opened = buffer.clone();
            assert!(super::open_in_place(&cipher, &nonce, b"a:b:", &mut opened, &tag.into()));
            assert_eq!(opened, plain);
            assert!(!super::open_in_place(&cipher, &nonce, b"a:c:", &mut buffer, &tag.into()));
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
