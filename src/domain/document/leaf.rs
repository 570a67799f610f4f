//! Opens one encrypted leaf: token, cipher, type.

use crate::domain::crypto::cipher::{self, Cipher};
use crate::domain::crypto::token::Token;
use crate::domain::scalar::{Scalar, ScalarError};
use crate::domain::secret::{Text, wipe};
use crate::domain::store::Plain;

/// Why a leaf that the rules select did not open. The texts are SOPS's, less
/// the value that it prints.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeafError {
    /// The token does not open under this data key at this path.
    #[error("Could not decrypt value: {0}")]
    Cipher(#[from] cipher::OpenError),
    /// A string that is no token.
    #[error("Could not decrypt value: Input string does not match sops' data format")]
    NotEncrypted,
    /// A number or boolean where a token should be.
    #[error("Expected encrypted value as string, but got {0}")]
    NotText(&'static str),
    /// The plaintext does not fit the token's type.
    #[error("Could not decrypt value: {0}")]
    Type(#[from] ScalarError),
    /// A comment's token where a value should be: its type was changed by hand.
    #[error("Could not decrypt value: a comment stands in the place of a value")]
    CommentAsValue,
}

/// What a token held.
#[derive(Debug)]
pub enum Opened<'a> {
    /// A value.
    Value(Plain<'a>),
    /// A comment's text.
    Comment(&'a [u8]),
}

/// Opens leaves one after the other, in buffers of its own.
#[derive(Debug)]
pub struct LeafOpener<'c> {
    cipher: &'c Cipher,
    plain: Vec<u8>,
    canonical: Vec<u8>,
}

impl<'c> LeafOpener<'c> {
    /// An opener under `cipher`.
    pub fn new(cipher: &'c Cipher) -> Self {
        Self { cipher, plain: Vec::new(), canonical: Vec::new() }
    }

    /// Opens `token`.
    pub fn open(&mut self, token: &Token<'_>, aad: &[u8]) -> Result<Opened<'_>, LeafError> {
        self.cipher.open(token, aad, &mut self.plain)?;
        if token.kind == b"str" || token.kind == b"bytes" {
            let value = Scalar::Str(Text::Borrowed(&self.plain));
            return Ok(Opened::Value(Plain { value, spelling: None }));
        }
        if token.kind == b"comment" {
            return Ok(Opened::Comment(&self.plain));
        }
        let kind = String::from_utf8_lossy(token.kind);
        let value = Scalar::parse(&kind, &self.plain)?.into_owned();
        wipe(&mut self.canonical);
        value.write_canonical(&mut self.canonical);
        let spelling = (self.canonical != self.plain).then_some(&self.plain[..]);
        Ok(Opened::Value(Plain { value, spelling }))
    }

    /// The plaintext of the token opened last.
    pub fn plaintext(&self) -> &[u8] {
        &self.plain
    }
}

impl Drop for LeafOpener<'_> {
    fn drop(&mut self) {
        wipe(&mut self.plain);
        wipe(&mut self.canonical);
    }
}
