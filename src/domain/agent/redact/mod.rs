//! Secrets found in a stream of bytes and replaced by their names.
//!
//! Every spelling of every value (`spellings`) is searched at once ([`Patterns`]),
//! whatever pieces the stream comes in. A byte is held back only while it could
//! still belong to a spelling, and let go by the byte that decides, or by the end:
//! there is no timer that a slow writer could wait out. Everything that no spelling
//! covers passes as it is.
//!
//! This prevents accidents. It is no boundary: who wants to get a value past it
//! writes it backwards.

mod patterns;
mod spellings;

use std::fmt;
use std::sync::Arc;

use crate::domain::secret::SecretBytes;
pub use patterns::{Named, Patterns};

/// Values of fewer bytes, white space around them apart, are not redacted: they
/// occur in any text by chance.
pub const SHORTEST: usize = 6;

/// Lines of fewer bytes are not redacted for themselves, only with the value that
/// they are a part of.
pub const SHORTEST_LINE: usize = 8;

/// Bytes that are looked at in one go.
const PIECE: usize = 64 * 1024;

/// True for a value that is too short to be redacted.
pub fn is_too_short(value: &[u8]) -> bool {
    value.trim_ascii().len() < SHORTEST
}

/// One stream on its way through. Pieces go in, what may be shown comes out.
pub struct Redactor {
    patterns: Arc<Patterns>,
    /// Bytes that may become a spelling. Never grows beyond its capacity, which
    /// would leave a copy behind.
    held: SecretBytes,
    /// How many of them, at the front, a spelling has covered already.
    covered: usize,
}

impl Redactor {
    /// The start of a stream.
    pub fn new(patterns: Arc<Patterns>) -> Self {
        let room = patterns.longest() + PIECE;
        Self { patterns, held: SecretBytes::new(Vec::with_capacity(room)), covered: 0 }
    }

    /// Takes the next bytes of the stream and adds to `out` what is decided.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        for piece in bytes.chunks(PIECE) {
            self.held.as_mut_vec().extend_from_slice(piece);
            self.scan(false, out);
        }
    }

    /// The stream has ended: adds what was held back.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.scan(true, out);
    }

    /// Looks at every place in order. Of the spellings that begin at one place the
    /// longest counts; one that begins inside another and ends behind it is replaced
    /// as well, so that no byte of either is left.
    fn scan(&mut self, has_ended: bool, out: &mut Vec<u8>) {
        let text = &self.held[..];
        let mut shown = self.covered;
        let mut at = 0;
        loop {
            at = self.patterns.next_candidate(text, at);
            if at >= text.len() {
                break;
            }
            let found = self.patterns.longest_at(&text[at..]);
            if found.may_go_on && !has_ended {
                break;
            }
            if let Some((length, label)) = found.longest
                && at + length > shown
            {
                out.extend_from_slice(text.get(shown..at).unwrap_or_default());
                out.extend_from_slice(label.as_bytes());
                shown = at + length;
            }
            at += 1;
        }
        let decided = at.min(text.len());
        out.extend_from_slice(text.get(shown..decided).unwrap_or_default());
        self.covered = shown.saturating_sub(decided);
        self.held.as_mut_vec().drain(..decided);
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redactor(***)")
    }
}

#[cfg(test)]
mod tests;
