//! Bytes that must not outlive their use: wiped when dropped, masked in
//! `Debug`, and without `Display`, so that no log, panic or error can show them.

use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

use zeroize::optimization_barrier;

/// Owned secret bytes, wiped when dropped.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SecretBytes(Vec<u8>);

impl SecretBytes {
    /// Takes ownership of `bytes`; they are wiped with this value.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes, for appending in place.
    ///
    /// A vector that grows leaves its old allocation behind unwiped: reserve
    /// the final size first wherever it is known.
    pub fn as_mut_vec(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }

    /// Makes room for `more` bytes, and twice what there was if that takes another
    /// allocation; the old one is wiped.
    pub fn grow(&mut self, more: usize) {
        if self.0.capacity() - self.0.len() < more {
            let room = self.0.len().saturating_mul(2).max(self.0.len() + more);
            let mut larger = Vec::with_capacity(room);
            larger.extend_from_slice(&self.0);
            wipe(&mut self.0);
            self.0 = larger;
        }
    }

    /// Appends `bytes` where there is room, or grows.
    pub fn append(&mut self, bytes: &[u8]) {
        self.grow(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    /// Frees bytes that turned out to be an encrypted file's, and need no wiping.
    pub fn release(mut self) {
        self.0 = Vec::new();
    }
}

impl Drop for SecretBytes {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

impl Deref for SecretBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretBytes(***)")
    }
}

impl From<Vec<u8>> for SecretBytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self::new(bytes)
    }
}

/// Secret text that is a slice of a buffer which wipes itself, or owned and wiped
/// when dropped. Holds any bytes: SOPS strings need not be UTF-8.
#[derive(Clone)]
pub enum Text<'a> {
    /// A slice of somebody else's buffer.
    Borrowed(&'a [u8]),
    /// Bytes of its own.
    Owned(SecretBytes),
    /// A part of a buffer that wipes itself when nothing shares it any more.
    Shared(Arc<SecretBytes>, Range<u32>),
}

impl Text<'_> {
    /// The same text without the borrow.
    pub fn into_owned(self) -> Text<'static> {
        match self {
            Self::Borrowed(bytes) => Text::Owned(SecretBytes::new(bytes.to_vec())),
            Self::Owned(bytes) => Text::Owned(bytes),
            Self::Shared(buffer, range) => Text::Shared(buffer, range),
        }
    }
}

impl Deref for Text<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Owned(bytes) => bytes,
            Self::Shared(buffer, range) => &buffer[range.start as usize..range.end as usize],
        }
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        self[..] == other[..]
    }
}

impl Eq for Text<'_> {}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Text(***)")
    }
}

impl From<Vec<u8>> for Text<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Owned(SecretBytes::new(bytes))
    }
}

impl<'a> From<&'a [u8]> for Text<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Borrowed(bytes)
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self::Borrowed(text.as_bytes())
    }
}

/// Wipes a plain buffer that held a secret, with its spare capacity, before its
/// memory is reused. It is empty afterwards and keeps its allocation.
///
/// Whole blocks at a time: the single volatile writes of `Zeroize` take twice as
/// long, which shows in large files. The barrier makes the compiler keep the blocks.
pub fn wipe(buffer: &mut Vec<u8>) {
    buffer.fill(0);
    buffer.resize(buffer.capacity(), 0);
    optimization_barrier(buffer.as_slice());
    buffer.clear();
}
