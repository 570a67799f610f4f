//! Many patterns searched at once: the algorithm of Wu and Manber ("A fast
//! algorithm for multi-pattern searching", 1994) with sorted patterns in place of
//! its lists.
//!
//! Ordinary text is crossed in strides: a table says, for the last three bytes of
//! a window as long as the shortest pattern, how far away the nearest pattern can
//! begin. Where one may begin, the sorted patterns are narrowed down byte by byte,
//! which tells the longest that ends, and whether a longer one may still come.
//!
//! It is written here because its tables hold secrets. Automata of libraries keep
//! copies of the patterns in memory that nobody wipes, some forty times their size.

use std::fmt;
use std::ops::Range;

use super::{is_too_short, spellings};
use crate::domain::secret::SecretBytes;

/// Bytes whose hash is looked up at a time.
const GRAM: usize = 3;

/// The widest window: its strides fit a byte.
const WIDEST: usize = 64;

/// A value and what stands in its place.
#[derive(Clone, Copy)]
pub struct Named<'v> {
    /// Its path.
    pub path: &'v str,
    /// The value.
    pub value: &'v [u8],
}

/// What to look for: all spellings of all values. Wiped when dropped.
pub struct Patterns {
    /// The patterns, one behind the other.
    bytes: SecretBytes,
    /// Where each is, in the order of their bytes.
    sorted: Vec<Pattern>,
    /// Where the patterns with a first byte begin in `sorted`, by that byte.
    first: Vec<u32>,
    /// What replaces the values.
    labels: Vec<String>,
    /// How far a window can move on, by the hash of its last bytes.
    strides: SecretBytes,
    /// Bytes of a window: as many as the shortest pattern has.
    window: usize,
    /// Bytes of the longest pattern.
    longest: usize,
}

/// One pattern.
#[derive(Clone, Copy)]
struct Pattern {
    start: u32,
    length: u32,
    label: u32,
}

/// What begins at a place.
pub(super) struct Found<'p> {
    /// The longest pattern that is there in full: its length, what replaces it.
    pub(super) longest: Option<(usize, &'p str)>,
    /// True when the text ends inside of a longer one.
    pub(super) may_go_on: bool,
}

impl Patterns {
    /// The patterns of `values`; those that are too short are left out. Of a value
    /// that has two paths the first is named.
    pub fn new(values: &[Named<'_>]) -> Self {
        let mut labels = Vec::with_capacity(values.len());
        let mut bytes = SecretBytes::default();
        let mut sorted: Vec<Pattern> = Vec::new();
        for Named { path, value } in values.iter().filter(|named| !is_too_short(named.value)) {
            let label = u32::try_from(labels.len()).unwrap_or(u32::MAX);
            // A key can hold anything; what replaces it must not command a terminal.
            let path = path.replace(char::is_control, "\u{fffd}");
            labels.push(format!("[REDACTED:{path}]"));
            let before = sorted.len();
            spellings::each(value, &mut |spelling| {
                make_room(&mut bytes, spelling.len());
                let (Ok(start), Ok(length)) = (u32::try_from(bytes.len()), u32::try_from(spelling.len()))
                else {
                    return;
                };
                bytes.as_mut_vec().extend_from_slice(spelling);
                sorted.push(Pattern { start, length, label });
            });
            // Most spellings of most values are the same: they go at once.
            compact(&mut bytes, &mut sorted, before);
        }
        sorted.sort_by(|a, b| a.bytes(&bytes).cmp(b.bytes(&bytes)).then(a.label.cmp(&b.label)));
        sorted.dedup_by(|later, earlier| later.bytes(&bytes) == earlier.bytes(&bytes));
        let lengths = || sorted.iter().map(|pattern| pattern.length as usize);
        let window = lengths().min().unwrap_or(WIDEST).clamp(GRAM, WIDEST);
        let longest = lengths().max().unwrap_or(0);
        let first = (0..=256_u32)
            .map(|byte| {
                let is_before = |pattern: &Pattern| {
                    pattern.bytes(&bytes).first().is_some_and(|first| u32::from(*first) < byte)
                };
                u32::try_from(sorted.partition_point(is_before)).unwrap_or(u32::MAX)
            })
            .collect();
        let strides = strides(&bytes, &sorted, window);
        Self { bytes, sorted, first, labels, strides, window, longest }
    }

    /// True when there is nothing to look for.
    pub fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    /// Bytes of the longest pattern.
    pub(super) fn longest(&self) -> usize {
        self.longest
    }

    /// The first place from `from` on where a pattern may begin, or where the text
    /// that is left is too short to tell.
    pub(super) fn next_candidate(&self, text: &[u8], from: usize) -> usize {
        if self.is_empty() {
            return text.len();
        }
        let mut end = from + self.window;
        while let Some(gram) = text.get(end.saturating_sub(GRAM)..end) {
            match self.strides[hash(gram, self.strides.len())] {
                0 => break,
                stride => end += usize::from(stride),
            }
        }
        end - self.window
    }

    /// The patterns that `text` begins with.
    pub(super) fn longest_at(&self, text: &[u8]) -> Found<'_> {
        let mut longest = None;
        let Some(first) = text.first() else { return Found { longest, may_go_on: false } };
        let at = usize::from(*first);
        let mut range = self.first[at] as usize..self.first[at + 1] as usize;
        let mut depth = 1;
        loop {
            let Some(candidate) = self.sorted[range.clone()].first() else {
                return Found { longest, may_go_on: false };
            };
            let pattern = candidate.bytes(&self.bytes);
            if range.len() == 1 {
                let known = pattern.len().min(text.len());
                let agrees = pattern[depth..known] == text[depth..known];
                if agrees && known == pattern.len() {
                    longest = Some((known, self.label(*candidate)));
                }
                return Found { longest, may_go_on: agrees && known < pattern.len() };
            }
            if pattern.len() == depth {
                longest = Some((depth, self.label(*candidate)));
                range.start += 1;
                continue;
            }
            let Some(byte) = text.get(depth) else { return Found { longest, may_go_on: true } };
            range = self.narrow(range, depth, *byte);
            depth += 1;
        }
    }

    /// Those of `range` that have `byte` at `depth`; they are all longer than that.
    fn narrow(&self, range: Range<usize>, depth: usize, byte: u8) -> Range<usize> {
        let within = &self.sorted[range.clone()];
        let at = |pattern: &Pattern| pattern.bytes(&self.bytes).get(depth).copied();
        let low = within.partition_point(|pattern| at(pattern) < Some(byte));
        let high = low + within[low..].partition_point(|pattern| at(pattern) == Some(byte));
        range.start + low..range.start + high
    }

    fn label(&self, pattern: Pattern) -> &str {
        self.labels.get(pattern.label as usize).map_or("[REDACTED]", String::as_str)
    }
}

impl Pattern {
    fn bytes<'b>(&self, all: &'b [u8]) -> &'b [u8] {
        let start = self.start as usize;
        all.get(start..start + self.length as usize).unwrap_or_default()
    }
}

impl fmt::Debug for Patterns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Patterns({} of them)", self.sorted.len())
    }
}

/// Makes room for `more` bytes; where the old ones were is wiped.
fn make_room(bytes: &mut SecretBytes, more: usize) {
    if bytes.as_mut_vec().capacity() < bytes.len() + more {
        let mut larger = SecretBytes::new(Vec::with_capacity((bytes.len() + more) * 2));
        larger.as_mut_vec().extend_from_slice(bytes);
        *bytes = larger;
    }
}

/// Takes the repeated ones out of the patterns from `before` on, which are the last.
fn compact(bytes: &mut SecretBytes, patterns: &mut Vec<Pattern>, before: usize) {
    let mut added = patterns.split_off(before);
    added.sort_by(|a, b| a.bytes(bytes).cmp(b.bytes(bytes)));
    added.dedup_by(|later, earlier| later.bytes(bytes) == earlier.bytes(bytes));
    added.sort_by_key(|pattern| pattern.start);
    let mut end = patterns.last().map_or(0, |last| (last.start + last.length) as usize);
    for mut pattern in added {
        let start = pattern.start as usize;
        bytes.as_mut_vec().copy_within(start..start + pattern.length as usize, end);
        pattern.start = u32::try_from(end).unwrap_or(pattern.start);
        end += pattern.length as usize;
        patterns.push(pattern);
    }
    bytes.as_mut_vec().truncate(end);
}

/// The table of strides. A gram that begins no pattern's window lets it move past.
fn strides(bytes: &[u8], patterns: &[Pattern], window: usize) -> SecretBytes {
    /// Beyond this the table does not fit a core's cache.
    const LARGEST: usize = 1 << 17;
    /// Below this nothing is gained.
    const SMALLEST: usize = 1 << 12;
    let size = (patterns.len() * 8).next_power_of_two().clamp(SMALLEST, LARGEST);
    let widest = u8::try_from(window - GRAM + 1).unwrap_or(u8::MAX);
    let mut strides = SecretBytes::new(vec![widest; size]);
    for pattern in patterns {
        for (at, gram) in pattern.bytes(bytes)[..window].windows(GRAM).enumerate() {
            let left = u8::try_from(window - GRAM - at).unwrap_or(u8::MAX);
            let stride = &mut strides.as_mut_vec()[hash(gram, size)];
            *stride = left.min(*stride);
        }
    }
    strides
}

/// A place in a table of `size`, a power of two.
fn hash(gram: &[u8], size: usize) -> usize {
    let number = u32::from(gram[0]) | u32::from(gram[1]) << 8 | u32::from(gram[2]) << 16;
    // The multiplier is 2^32 divided by the golden ratio.
    (number.wrapping_mul(0x9E37_79B1) >> 15) as usize & (size - 1)
}
