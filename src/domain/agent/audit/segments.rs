//! How a chain comes into the work tree: as files that are written once. While git
//! does not know the newest one it grows; from then on nothing changes it, and the
//! next entries get a new one. Segments of a writer may overlap: on a branch that
//! lacks some, they are written again under another name. So branches never have
//! two contents for one name, and a merge only ever adds files.

use std::fmt;

use crate::domain::scalar::LARGEST_EXACT;

/// The folder of all published segments, below that of the policy.
pub const FOLDER: &str = ".leaflock/audit";

/// The folder of checkpoints, in [`FOLDER`].
pub const CHECKPOINTS: &str = "checkpoints";

/// A segment of this size, in bytes, grows no more: it is written whole each time.
pub const FULL: usize = 256 * 1024;

/// What stands before the hex digits of a writer's id.
const WRITER: &str = "w-";

/// Hex digits of a writer's id.
const WRITER_DIGITS: usize = 16;

/// Hex digits behind the number in a segment's name.
const TAG_DIGITS: usize = 8;

/// The id of a writer made of these bytes.
pub fn writer_id(random: u64) -> String {
    format!("{WRITER}{random:016x}")
}

/// True for the id of a writer, which is also the name of its folder.
pub fn is_writer_id(name: &str) -> bool {
    name.strip_prefix(WRITER).is_some_and(|digits| digits.len() == WRITER_DIGITS && is_hex(digits))
}

fn is_hex(digits: &str) -> bool {
    digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The name of a segment: `00000017-91bc03aa.jsonl`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SegmentName {
    /// The number of its first entry.
    pub first: u64,
    /// Random hex digits: two clones, or two branches, never take the same name.
    pub tag: String,
}

impl SegmentName {
    /// A new name.
    pub fn new(first: u64, random: u32) -> Self {
        Self { first, tag: format!("{random:08x}") }
    }

    /// Reads a file name.
    pub fn parse(name: &str) -> Option<Self> {
        let (first, tag) = name.strip_suffix(".jsonl")?.split_once('-')?;
        let valid = tag.len() == TAG_DIGITS && is_hex(tag) && first.bytes().all(|byte| byte.is_ascii_digit());
        let parsed = Self { first: first.parse().ok()?, tag: tag.to_owned() };
        (valid && parsed.first <= LARGEST_EXACT && parsed.to_string() == name).then_some(parsed)
    }
}

impl fmt::Display for SegmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08}-{}.jsonl", self.first, self.tag)
    }
}

/// The whole lines of a piece, and what stands behind the last line feed.
pub fn lines(bytes: &[u8]) -> (Vec<&[u8]>, &[u8]) {
    let whole = memchr::memrchr(b'\n', bytes).map_or(0, |at| at + 1);
    let (body, rest) = bytes.split_at(whole);
    let mut lines: Vec<&[u8]> = body.split(|byte| *byte == b'\n').collect();
    // What stands behind the last line feed is not a line.
    lines.pop();
    (lines, rest)
}

/// The last entry up to which the spans, each from its first to its last entry, hold
/// all of them; 0 if the first is in none.
pub fn held(spans: &[(u64, u64)]) -> u64 {
    let mut sorted = spans.to_vec();
    sorted.sort_unstable();
    sorted.iter().fold(0, |held, (first, last)| if *first <= held + 1 { held.max(*last) } else { held })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        let name = SegmentName::new(17, 0x91bc_03aa);
        assert_eq!(name.to_string(), "00000017-91bc03aa.jsonl");
        assert_eq!(SegmentName::parse(&name.to_string()), Some(name));
        let long = SegmentName::new(123_456_789_012, 1);
        assert_eq!(SegmentName::parse(&long.to_string()), Some(long));
        for other in [
            "",
            "17-91bc03aa.jsonl",
            "00000017-91BC03AA.jsonl",
            "00000017-91bc03aa.json",
            "+0000017-91bc03aa.jsonl",
            "9007199254740992-91bc03aa.jsonl",
            "18446744073709551615-91bc03aa.jsonl",
        ] {
            assert_eq!(SegmentName::parse(other), None, "{other}");
        }
        assert!(is_writer_id(&writer_id(7)));
        assert!(!is_writer_id("checkpoints") && !is_writer_id("w-00"));
    }

    #[test]
    fn lines_end_with_a_line_feed() {
        assert_eq!(lines(b"a\n\nb\nrest"), (vec![&b"a"[..], b"", b"b"], &b"rest"[..]));
        assert_eq!(lines(b""), (Vec::new(), &b""[..]));
        assert_eq!(lines(b"rest"), (Vec::new(), &b"rest"[..]));
    }

    #[test]
    fn what_is_held_has_no_hole() {
        assert_eq!(held(&[]), 0);
        assert_eq!(held(&[(2, 9)]), 0);
        assert_eq!(held(&[(4, 6), (1, 3)]), 6);
        assert_eq!(held(&[(1, 3), (2, 5), (7, 9)]), 5);
    }
}
