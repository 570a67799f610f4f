//! HMAC-SHA256 under keys that a data key yields, one for each purpose: a MAC key tells
//! nothing of the cipher's, nor of that of another purpose.

use hkdf::Hkdf;
use hkdf::hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::data_key::DataKey;

/// Bytes of a derived key.
const LENGTH: usize = 32;

/// Bytes of a block of SHA-256. HMAC fills shorter keys with zeros up to it (RFC 2104).
const BLOCK: usize = 64;

/// A MAC under the 32 bytes that HKDF-SHA256 (RFC 5869) yields from the data key, without
/// salt and with `purpose` as its info.
pub fn derived_mac(data_key: &DataKey, purpose: &[u8]) -> DerivedMac {
    let mut key = Zeroizing::new([0; BLOCK]);
    #[expect(clippy::expect_used, reason = "HKDF refuses nothing up to 8160 bytes")]
    Hkdf::<Sha256>::new(None, data_key.expose())
        .expand(purpose, &mut key[..LENGTH])
        .expect("32 bytes are within HKDF's limit");
    DerivedMac(<Hmac<_> as Mac>::new((&*key).into()))
}

/// A MAC that takes its message piece by piece.
#[derive(Clone)]
pub struct DerivedMac(Hmac<Sha256>);

impl DerivedMac {
    /// The next piece of the message.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The MAC of the whole message.
    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into_bytes().into()
    }

    /// True if the MAC of the whole message is `stored`; in constant time.
    pub fn is(self, stored: &[u8]) -> bool {
        self.0.verify_slice(stored).is_ok()
    }
}
