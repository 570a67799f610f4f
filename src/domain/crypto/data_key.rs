//! The data key: the one key that encrypts every value of a file, itself
//! wrapped for each recipient (sops-compat 8).

use std::fmt;

use rand::{CryptoRng, RngCore};
use zeroize::Zeroizing;

/// Length of a data key in bytes (AES-256).
pub const LENGTH: usize = 32;

/// A data key; wiped when dropped, never printed.
#[derive(Clone)]
pub struct DataKey(Zeroizing<[u8; LENGTH]>);

impl DataKey {
    /// A fresh random key.
    pub fn generate(rng: &mut (impl RngCore + CryptoRng + ?Sized)) -> Self {
        let mut bytes = Zeroizing::new([0; LENGTH]);
        rng.fill_bytes(bytes.as_mut_slice());
        Self(bytes)
    }

    /// The key that a recipient unwrapped; `None` unless it is [`LENGTH`] bytes long.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut key = Zeroizing::new([0; LENGTH]);
        if bytes.len() != LENGTH {
            return None;
        }
        key.copy_from_slice(bytes);
        Some(Self(key))
    }

    /// The key, for wrapping it and for the cipher.
    pub fn expose(&self) -> &[u8; LENGTH] {
        &self.0
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(***)")
    }
}
