//! SHA-256 of bytes as text: 64 hexadecimal digits, and in the agent layer `sha256:`
//! before them.

use sha2::{Digest as _, Sha256};

/// What every digest begins with.
pub const PREFIX: &str = "sha256:";

/// The digest of `bytes`, with what it begins with.
pub fn of(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(PREFIX.len() + 64);
    text.push_str(PREFIX);
    push_hex(&mut text, &Sha256::digest(bytes));
    text
}

/// The digest of `bytes` in hexadecimal alone.
pub fn hex_of(bytes: &[u8]) -> String {
    to_hex(&Sha256::digest(bytes))
}

/// The bytes themselves in hexadecimal, lower case.
pub fn to_hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    push_hex(&mut text, bytes);
    text
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from(b"0123456789abcdef"[usize::from(nibble)]));
        }
    }
}

/// True for a text that a digest could be.
pub fn is_one(text: &str) -> bool {
    text.strip_prefix(PREFIX).is_some_and(is_hex)
}

/// True for a text that the digits of a digest could be.
pub fn is_hex(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::{hex_of, is_hex, is_one, of, to_hex};

    #[test]
    fn digests_are_those_of_sha256sum() {
        let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(of(b""), empty);
        assert_eq!(hex_of(b""), empty[7..]);
        assert_eq!(to_hex(&[0, 0x9a, 0xff]), "009aff");
        assert!(is_hex(&empty[7..]) && !is_hex(empty) && !is_hex(&empty[8..]));
        assert!(is_one(empty) && is_one(&of(b"x")));
        for text in ["", "sha256:", &empty[7..], &empty[..70], &empty.to_uppercase(), "sha256:zz"] {
            assert!(!is_one(text), "{text}");
        }
    }
}
