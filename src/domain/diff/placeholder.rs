//! An encrypted file for people without a key: each token becomes a short placeholder
//! that is another one when the ciphertext is, so that a diff shows where values changed.

use crate::domain::crypto::token::{PREFIX, Token};
use crate::domain::search;

/// Characters of a token's tag that stand for it.
const SHOWN: usize = 8;

/// `bytes` with their tokens abbreviated: `ENC[str, 12 bytes, a1B2c3D4]` tells type and
/// length, which every token does, and the end of its authentication tag.
pub fn abbreviated(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() / 2);
    let mut rest = bytes;
    while let Some(at) = search::memmem(PREFIX, rest) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        let end = memchr::memchr(b']', rest).map_or(rest.len(), |end| end + 1);
        match Token::parse(&rest[..end]) {
            Some(token) => out.extend_from_slice(placeholder(&token).as_bytes()),
            None => out.extend_from_slice(&rest[..end]),
        }
        rest = &rest[end..];
    }
    out.extend_from_slice(rest);
    out
}

/// The placeholder of one token.
pub fn placeholder(token: &Token<'_>) -> String {
    let padding = token.data.iter().rev().take_while(|byte| **byte == b'=').count();
    let length = (token.data.len() / 4 * 3).saturating_sub(padding);
    let tag: Vec<u8> = token.tag.iter().copied().filter(|byte| *byte != b'=').collect();
    let mark = &tag[tag.len().saturating_sub(SHOWN)..];
    let kind = String::from_utf8_lossy(token.kind);
    let bytes = if length == 1 { "byte" } else { "bytes" };
    format!("ENC[{kind}, {length} {bytes}, {}]", String::from_utf8_lossy(mark))
}

#[cfg(test)]
mod tests {
    use super::abbreviated;

    #[test]
    fn tokens_become_short_and_the_rest_stays() {
        let text = b"a: ENC[AES256_GCM,data:YWI=,iv:aXY=,tag:0123456789abcdef==,type:str] # x\nb: ENC[AES256_GCM,data:broken]\nENC[AES256_GCM,data:";
        let expected =
            "a: ENC[str, 2 bytes, 89abcdef] # x\nb: ENC[AES256_GCM,data:broken]\nENC[AES256_GCM,data:";
        assert_eq!(String::from_utf8(abbreviated(text)).unwrap(), expected);
    }
}
