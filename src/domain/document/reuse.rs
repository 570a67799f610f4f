//! Ciphertexts of a file's former state, so that a value which did not change
//! keeps its token, byte for byte, and diffs show what changed.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};

use crate::domain::secret::{SecretBytes, wipe};
use crate::domain::tree::Style;

/// Tokens by path, type and plaintext. Equal siblings each keep their own, in
/// order, so that no nonce ever comes to serve two values.
#[derive(Clone, Debug, Default)]
pub struct Ciphertexts {
    hasher: RandomState,
    /// Entries by the hash of what they are found by, first in file last.
    by_hash: HashMap<u64, Bucket>,
    plain: SecretBytes,
    tokens: Vec<u8>,
    /// Tokens that were handed out and had several entries.
    taken: HashSet<usize>,
    /// The same for their styles.
    told: HashSet<usize>,
}

/// Entries of one hash; those at the end are used first.
#[derive(Clone, Debug, Default)]
struct Bucket {
    entries: Vec<Entry>,
    /// How many at the end have had their style told.
    told: usize,
}

#[derive(Clone, Debug)]
struct Entry {
    /// Start of associated data, type and plaintext in the buffer, and their ends.
    plain: [usize; 4],
    token: (usize, usize),
    style: Style,
    style_told: bool,
    /// The token has another entry.
    is_shared: bool,
}

impl Ciphertexts {
    /// Remembers that `token`, written in `style`, holds `plain` of type `kind` at `aad`.
    pub fn add(&mut self, aad: &[u8], kind: &str, plain: &[u8], token: &[u8], style: Style) {
        let token_at = self.tokens.len();
        self.tokens.extend_from_slice(token);
        self.enter(aad, kind, plain, (token_at, style, false));
    }

    /// Remembers a token of which the plain file says `written`, not the `plain` that
    /// it holds: it is found by either, once.
    pub fn add_both(
        &mut self,
        (aad, kind): (&[u8], &str),
        [plain, written]: [&[u8]; 2],
        token: &[u8],
        style: Style,
    ) {
        if plain == written {
            return self.add(aad, kind, plain, token, style);
        }
        let token_at = self.tokens.len();
        self.tokens.extend_from_slice(token);
        self.enter(aad, kind, plain, (token_at, style, true));
        self.enter(aad, kind, written, (token_at, style, true));
    }

    /// Enters the token that starts at `token_at` and was added last.
    fn enter(
        &mut self,
        aad: &[u8],
        kind: &str,
        plain: &[u8],
        (token_at, style, is_shared): (usize, Style, bool),
    ) {
        let hash = self.hasher.hash_one((aad, kind, plain));
        let buffer = self.plain.as_mut_vec();
        reserve_wiping(buffer, aad.len() + kind.len() + plain.len());
        let start = buffer.len();
        buffer.extend_from_slice(aad);
        let kind_at = buffer.len();
        buffer.extend_from_slice(kind.as_bytes());
        let plain_at = buffer.len();
        buffer.extend_from_slice(plain);
        self.by_hash.entry(hash).or_default().entries.push(Entry {
            plain: [start, kind_at, plain_at, buffer.len()],
            token: (token_at, self.tokens.len()),
            style,
            style_told: false,
            is_shared,
        });
    }

    /// Adds the tokens of `other` that are not known yet.
    pub fn absorb(&mut self, other: &Self) {
        let hasher = RandomState::new();
        let mut known: HashSet<u64> = HashSet::new();
        for (hash, bucket) in &self.by_hash {
            let tokens = bucket.entries.iter().map(|entry| self.token(entry.token));
            known.extend(tokens.map(|token| hasher.hash_one((hash, token))));
        }
        for entry in other.entries() {
            let [a, b, c, d] = entry.plain;
            let token = other.token(entry.token);
            let Ok(kind) = std::str::from_utf8(&other.plain[b..c]) else { continue };
            let (aad, plain) = (&other.plain[a..b], &other.plain[c..d]);
            let hash = self.hasher.hash_one((aad, kind, plain));
            if known.insert(hasher.hash_one((&hash, token))) {
                self.add(aad, kind, plain, token.as_bytes(), entry.style);
            }
        }
    }

    /// Puts the entries into the order in which they are handed out again.
    pub fn finish(&mut self) {
        for bucket in self.by_hash.values_mut() {
            bucket.entries.reverse();
        }
    }

    /// The style that the next token of this value at this path was written in.
    /// Answers for equal siblings in turn, once each, as [`Ciphertexts::take`] does.
    pub fn style(&mut self, aad: &[u8], kind: &str, plain: &[u8]) -> Option<Style> {
        let is_new = |entry: &Entry| !entry.style_told && !self.told.contains(&entry.token.0);
        let (hash, at) = self.find(aad, kind, plain, |bucket| bucket.told, is_new)?;
        let bucket = self.by_hash.get_mut(&hash)?;
        bucket.told += usize::from(at + bucket.told + 1 == bucket.entries.len());
        let entry = bucket.entries.get_mut(at)?;
        entry.style_told = true;
        if entry.is_shared {
            self.told.insert(entry.token.0);
        }
        Some(entry.style)
    }

    /// True when styles were told of all entries, once each, and there are `count` of
    /// them: with as many values as that, the file holds what it held.
    pub fn are_all_told(&self, count: usize) -> bool {
        self.entries().count() == count && self.entries().all(|entry| entry.style_told)
    }

    /// The next unused token of this value at this path; it is used up.
    pub fn take(&mut self, aad: &[u8], kind: &str, plain: &[u8]) -> Option<&str> {
        let is_left = |entry: &Entry| !self.taken.contains(&entry.token.0);
        let (hash, at) = self.find(aad, kind, plain, |_| 0, is_left)?;
        let bucket = self.by_hash.get_mut(&hash)?;
        let entry = bucket.entries.remove(at);
        bucket.told = bucket.told.min(bucket.entries.len() - at);
        if entry.is_shared {
            self.taken.insert(entry.token.0);
        }
        Some(self.token(entry.token))
    }

    fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.by_hash.values().flat_map(|bucket| &bucket.entries)
    }

    /// Where the next token of this value at this path is, those aside that a bucket
    /// has `done` with. A whole number that SOPS typed as a double is printed like an
    /// integer, and read back as one: it keeps its token.
    fn find(
        &self,
        aad: &[u8],
        kind: &str,
        plain: &[u8],
        done: impl Fn(&Bucket) -> usize,
        fits: impl Fn(&Entry) -> bool,
    ) -> Option<(u64, usize)> {
        let find = |kind: &str| {
            let hash = self.hasher.hash_one((aad, kind, plain));
            let bucket = self.by_hash.get(&hash)?;
            let entries = &bucket.entries[..bucket.entries.len() - done(bucket)];
            let at = entries.iter().rposition(|entry| fits(entry) && self.is(entry, aad, kind, plain))?;
            Some((hash, at))
        };
        find(kind).or_else(|| if kind == "int" { find("float") } else { None })
    }

    fn is(&self, entry: &Entry, aad: &[u8], kind: &str, plain: &[u8]) -> bool {
        let [a, b, c, d] = entry.plain;
        self.plain[a..b] == *aad && self.plain[b..c] == *kind.as_bytes() && self.plain[c..d] == *plain
    }

    fn token(&self, (start, end): (usize, usize)) -> &str {
        std::str::from_utf8(&self.tokens[start..end]).unwrap_or_default()
    }
}

/// Grows a buffer of secrets without leaving the old allocation behind.
fn reserve_wiping(buffer: &mut Vec<u8>, more: usize) {
    if buffer.capacity() - buffer.len() < more {
        let mut larger = Vec::with_capacity((buffer.len() + more) * 2 + 1024);
        larger.extend_from_slice(buffer);
        wipe(buffer);
        *buffer = larger;
    }
}

#[cfg(test)]
mod tests {
    use super::Ciphertexts;
    use crate::domain::tree::Style;

    #[test]
    fn equal_siblings_keep_their_own_tokens_in_order() {
        let mut known = Ciphertexts::default();
        known.add(b"list:", "str", b"x", b"first", Style::Plain);
        known.add(b"list:", "str", b"x", b"second", Style::DoubleQuoted);
        known.add(b"list:", "int", b"1", b"number", Style::Plain);
        known.finish();
        assert_eq!(known.style(b"list:", "str", b"x"), Some(Style::Plain));
        assert_eq!(known.style(b"list:", "str", b"x"), Some(Style::DoubleQuoted));
        assert_eq!(known.style(b"list:", "str", b"x"), None);
        assert!(!known.are_all_told(3));
        assert_eq!(known.style(b"list:", "int", b"1"), Some(Style::Plain));
        assert!(known.are_all_told(3) && !known.are_all_told(4));
        assert_eq!(known.take(b"list:", "str", b"x"), Some("first"));
        assert_eq!(known.take(b"list:", "str", b"x"), Some("second"));
        assert_eq!(known.take(b"list:", "str", b"x"), None);
        assert_eq!(known.take(b"list:", "str", b"1"), None);
        assert_eq!(known.take(b"other:", "int", b"1"), None);
    }

    #[test]
    fn a_token_with_two_texts_is_handed_out_once() {
        let mut known = Ciphertexts::default();
        known.add_both((b"a:", "comment"), [b"f\n#f", b"f"], b"first", Style::OwnLine);
        known.add(b"a:", "comment", b"f", b"second", Style::Inline);
        known.finish();
        assert_eq!(known.style(b"a:", "comment", b"f\n#f"), Some(Style::OwnLine));
        assert_eq!(known.style(b"a:", "comment", b"f"), Some(Style::Inline));
        assert_eq!(known.take(b"a:", "comment", b"f\n#f"), Some("first"));
        assert_eq!(known.take(b"a:", "comment", b"f"), Some("second"));
        assert_eq!(known.take(b"a:", "comment", b"f"), None);
    }
}
