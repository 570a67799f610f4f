//! Values compared without being shown.

use subtle::ConstantTimeEq as _;

use crate::domain::crypto::data_key::DataKey;
use crate::domain::crypto::derived_mac::derived_mac;
use crate::domain::digest::to_hex;

/// What the key of a fingerprint is derived for: HKDF's `info`.
const PURPOSE: &[u8] = b"leaflock-fingerprint@v1";

/// Bytes of a fingerprint.
const LENGTH: usize = 16;

/// The fingerprint of a value of a file with this data key: the first 16 bytes, in
/// hexadecimal behind `fp1:`, of HMAC-SHA256 over its text. The HMAC's key is what
/// HKDF-SHA256 yields from the data key with the info `leaflock-fingerprint@v1` and no
/// salt: 32 bytes.
///
/// Two values of one file have the same fingerprint if, and but for a chance of 2^-128
/// only if, their texts are the same. Without the data key nobody can tell which value
/// a fingerprint is of, however few there could be; whoever has the data key can open
/// the value itself.
pub fn of(data_key: &DataKey, text: &[u8]) -> String {
    let mut mac = derived_mac(data_key, PURPOSE);
    mac.update(text);
    format!("fp1:{}", to_hex(&mac.finish()[..LENGTH]))
}

/// True if two texts are the same, in a time that depends on their lengths alone.
pub fn same(one: &[u8], other: &[u8]) -> bool {
    bool::from(one.ct_eq(other))
}

#[cfg(test)]
mod tests {
    use super::{of, same};
    use crate::domain::crypto::data_key::DataKey;

    #[test]
    fn a_fingerprint_is_what_another_implementation_makes_of_it() {
        // Python: HKDF by RFC 5869 and HMAC from its standard library.
        let key = DataKey::from_bytes(&[7; 32]).unwrap();
        assert_eq!(of(&key, b"correct horse"), "fp1:dc2584fed7421618d8c25a8b1a8090a6");
        assert_ne!(of(&key, b"correct horse"), of(&key, b"correct horse "));
        let other = DataKey::from_bytes(&[8; 32]).unwrap();
        assert_ne!(of(&key, b"x"), of(&other, b"x"));
    }

    #[test]
    fn same_is_the_same() {
        assert!(same(b"", b"") && same(b"ab", b"ab"));
        assert!(!same(b"ab", b"aB") && !same(b"ab", b"abc"));
    }
}
