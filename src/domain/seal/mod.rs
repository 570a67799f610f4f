//! The seal: a MAC over everything that SOPS's own leaves out (key names of clear
//! values, borders between values, comments, the metadata), in one field of the
//! metadata that SOPS reads past; and what a signature of the file is made of.
//! `src/docs/seal.md` describes both to the byte.
//!
//! A seal covers tokens, not what they hold: under the data key that it is made
//! with, a token opens to one value only, and whoever checks a seal has that key.

pub mod changes;
pub mod encoding;
pub mod signature;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::domain::crypto::data_key::DataKey;
use crate::domain::crypto::derived_mac::{DerivedMac, derived_mac};
use crate::domain::metadata::{SEAL, SIGNATURE};
use crate::domain::store::Store;
use crate::domain::tree::Tree;
use crate::domain::value::Value;

/// What the value of [`SEAL`] begins with: the version of all that follows.
pub const VERSION: &str = "v1:";

/// What the key of a seal is derived for: HKDF's `info`.
const PURPOSE: &[u8] = b"leaflock-seal@v1";

/// Why a seal does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// It is the seal of another state of the file.
    #[error("the seal does not fit: the file was changed after it was sealed")]
    Broken,
    /// It is none that this build knows.
    #[error("the seal is of a version that this build does not know, or damaged")]
    Unknown,
}

/// An encrypted file with its metadata: all that a seal and a signature cover.
#[derive(Clone, Copy)]
pub struct Sealable<'f, 's> {
    /// The store that reads it.
    pub store: &'static dyn Store,
    /// The file.
    pub tree: &'f Tree<'s>,
    /// The nested `sops` block.
    pub metadata: &'f Value,
}

impl Sealable<'_, '_> {
    /// The value of [`SEAL`] for this file.
    pub fn seal(&self, data_key: &DataKey) -> String {
        format!("{VERSION}{}", STANDARD.encode(self.mac(data_key).finish()))
    }

    /// Compares `seal`, the value of [`SEAL`], with what it should be; in constant time.
    pub fn verify(&self, seal: &str, data_key: &DataKey) -> Result<(), SealError> {
        let stored = seal.strip_prefix(VERSION).and_then(|text| STANDARD.decode(text).ok());
        let stored = stored.ok_or(SealError::Unknown)?;
        if self.mac(data_key).is(&stored) { Ok(()) } else { Err(SealError::Broken) }
    }

    /// HMAC-SHA256 of the encoding under a key that the data key yields.
    fn mac(&self, data_key: &DataKey) -> DerivedMac {
        let mut mac = derived_mac(data_key, PURPOSE);
        encoding::write(self, &[SEAL, SIGNATURE], &mut |bytes| mac.update(bytes));
        mac
    }
}

#[cfg(test)]
mod tests;
