//! The text form of an encrypted leaf:
//! `ENC[AES256_GCM,data:…,iv:…,tag:…,type:…]` (sops-compat 2.1).

use crate::domain::search;

/// What every token starts with.
pub const PREFIX: &[u8] = b"ENC[AES256_GCM,data:";

/// The fields of a token, still in base64.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Token<'a> {
    /// Ciphertext.
    pub data: &'a [u8],
    /// Nonce.
    pub iv: &'a [u8],
    /// Authentication tag.
    pub tag: &'a [u8],
    /// `str`, `int`, `float`, `bool`, `time`, `comment` or `bytes`; not authenticated.
    pub kind: &'a [u8],
}

impl std::fmt::Debug for Token<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Token(type:{})", String::from_utf8_lossy(self.kind))
    }
}

impl<'a> Token<'a> {
    /// Reads a token from the start of `text`. What follows its last `]` on the
    /// same line, and further lines, are ignored, as SOPS does.
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        Self::of_line(&text[..search::memchr(b'\n', text).unwrap_or(text.len())])
    }

    /// The same for a text that has no line break; its fields are no base64 if it has one.
    pub fn of_line(line: &'a [u8]) -> Option<Self> {
        let rest = line.strip_prefix(PREFIX)?;
        let body = &rest[..search::memrchr(b']', rest)?];
        let (body, kind) = split_last(body, b",type:")?;
        let (body, tag) = split_last(body, b",tag:")?;
        let (data, iv) = split_last(body, b",iv:")?;
        let complete = [data, iv, tag, kind].iter().all(|field| !field.is_empty());
        complete.then_some(Self { data, iv, tag, kind })
    }
}

/// Splits at the last `separator`, as the greedy fields of SOPS's pattern do.
/// Separators start with a comma, which base64 has not got.
fn split_last<'a>(text: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let mut end = text.len();
    loop {
        end = search::memrchr(b',', &text[..end])?;
        if let Some(field) = text[end..].strip_prefix(separator) {
            return Some((&text[..end], field));
        }
    }
}

/// The token that `text` starts with, without what follows it (the line break
/// of a block scalar). All of `text` if there is none.
pub fn trimmed(text: &[u8]) -> &[u8] {
    let line = &text[..search::memchr(b'\n', text).unwrap_or(text.len())];
    search::memrchr(b']', line).map_or(text, |end| &text[..=end])
}

/// True when a token seems to begin anywhere in `bytes`: what a file that SOPS
/// encrypted holds even where it does not parse.
pub fn occurs_in(bytes: &[u8]) -> bool {
    search::memmem(b"ENC[AES256_GCM,", bytes).is_some()
}

/// True when `text` is a whole token: what a leaf that SOPS encrypted looks like.
pub fn is_token(text: &[u8]) -> bool {
    Token::parse(text).is_some()
}

#[cfg(test)]
mod tests {
    use super::Token;

    #[test]
    fn fields_are_greedy_and_the_end_is_open() {
        let token =
            Token::parse(b"ENC[AES256_GCM,data:YQ==,iv:aXY=,tag:dGFn,type:str] # tail\nmore").unwrap();
        assert_eq!((token.data, token.iv), (&b"YQ=="[..], &b"aXY="[..]));
        assert_eq!((token.tag, token.kind), (&b"dGFn"[..], &b"str"[..]));
        let odd = Token::parse(b"ENC[AES256_GCM,data:a,iv:b,iv:c,tag:d,type:str]]").unwrap();
        assert_eq!((odd.data, odd.iv, odd.kind), (&b"a,iv:b"[..], &b"c"[..], &b"str]"[..]));
    }

    #[test]
    fn what_follows_a_token_can_be_cut_off() {
        assert_eq!(super::trimmed(b"ENC[a,b]\n"), b"ENC[a,b]");
        assert_eq!(super::trimmed(b"ENC[a,b] x\n]"), b"ENC[a,b]");
        assert_eq!(super::trimmed(b"plain"), b"plain");
    }

    #[test]
    fn what_is_not_a_token_is_refused() {
        for text in [
            &b"ENC[AES256_GCM,data:,iv:b,tag:c,type:str]"[..],
            b" ENC[AES256_GCM,data:a,iv:b,tag:c,type:str]",
            b"ENC[AES256_GCM,data:a,iv:b,tag:c,type:str",
            b"ENC[AES256_GCM,data:a,iv:b,tag:c\n,type:str]",
            b"ENC[]",
            b"",
        ] {
            assert_eq!(Token::parse(text), None);
        }
    }
}
