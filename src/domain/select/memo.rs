//! Remembers what a rule said of a key: files repeat their keys, and a look-up
//! is cheaper than an automaton.
//!
//! A key has one slot, found by a hash of its ends, and keys that share one
//! push each other out. So no input can make a look-up slow; it can only make
//! the memory useless.

use super::Matcher;
use crate::domain::tree::{Span, Tree};

/// Answers by key text.
pub(super) struct Memo {
    slots: Vec<(Span, bool)>,
}

impl Memo {
    /// A memory for a tree of `nodes` nodes. Suffixes need none: they are compared faster than found.
    pub(super) fn new(matcher: &Matcher, nodes: usize) -> Self {
        let slots = match matcher {
            Matcher::Regex(_) => nodes.next_power_of_two().clamp(16, 4096),
            _ => 0,
        };
        Self { slots: vec![(Span::default(), false); slots] }
    }

    /// Whether `matcher` matches the key `span` of `tree`.
    pub(super) fn is_match(&mut self, matcher: &Matcher, tree: &Tree<'_>, span: Span) -> bool {
        let text = tree.text(span);
        if self.slots.is_empty() || text.is_empty() {
            return matcher.is_match(text);
        }
        let place = (hash(text) >> 20) as usize & (self.slots.len() - 1);
        let (known, answer) = self.slots[place];
        if !known.is_empty() && tree.text(known) == text {
            return answer;
        }
        let answer = matcher.is_match(text);
        self.slots[place] = (span, answer);
        answer
    }
}

/// Mixes the length, the first eight and the last eight bytes.
fn hash(text: &[u8]) -> u64 {
    let word = |bytes: &[u8]| bytes.iter().fold(0u64, |word, byte| word << 8 | u64::from(*byte));
    let (head, tail) = match (text.first_chunk::<8>(), text.last_chunk::<8>()) {
        (Some(head), Some(tail)) => (u64::from_le_bytes(*head), u64::from_le_bytes(*tail)),
        _ => (word(text), 0),
    };
    let mixed = (head ^ tail.rotate_left(29) ^ text.len() as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed ^ (mixed >> 31)).wrapping_mul(0xBF58_476D_1CE4_E5B9)
}
