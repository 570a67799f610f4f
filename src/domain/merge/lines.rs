//! Comments and blank lines of three sides, merged line by line.

use std::hash::{BuildHasher, RandomState};

use super::sequence;
use crate::domain::secret::{SecretBytes, Text};

/// What became of the lines of three sides.
pub(super) struct MergedLines {
    /// The merged lines.
    pub(super) text: SecretBytes,
    /// Both sides changed the same lines, each its way.
    pub(super) clash: bool,
}

/// Merges lines; an absent base is an empty one.
pub(super) fn merge(base: &[u8], ours: &[u8], theirs: &[u8], hasher: &RandomState) -> MergedLines {
    let [base, ours, theirs] = [base, ours, theirs].map(split);
    let hashes = |lines: &[&[u8]]| lines.iter().map(|line| hasher.hash_one(line)).collect::<Vec<u64>>();
    let merged = sequence::lines(&hashes(&base), &hashes(&ours), &hashes(&theirs));
    let mut text = SecretBytes::default();
    let (mut replaced, mut added) = (false, [false; 2]);
    for slot in &merged.slots {
        let line = match *slot {
            [Some(_), Some(at), Some(_)] | [None, Some(at), Some(_)] => ours[at],
            [None, Some(at), None] => {
                added[0] |= !is_blank(ours[at]);
                ours[at]
            }
            [None, None, Some(at)] => {
                added[1] |= !is_blank(theirs[at]);
                theirs[at]
            }
            [Some(at), None, None] => {
                replaced |= !is_blank(base[at]);
                continue;
            }
            _ => continue,
        };
        text.as_mut_vec().extend_from_slice(line);
    }
    MergedLines { text, clash: merged.moved || replaced && added == [true; 2] }
}

fn split(text: &[u8]) -> Vec<&[u8]> {
    text.split_inclusive(|byte| *byte == b'\n').collect()
}

fn is_blank(line: &[u8]) -> bool {
    line.iter().all(u8::is_ascii_whitespace)
}

/// `text` with each line that begins in it moved right by `by` columns, or left as far as
/// there are spaces. Blank lines stay as they are.
pub(super) fn shifted(text: &[u8], by: isize, from_line_start: bool) -> Text<'_> {
    if by == 0 || !from_line_start && !text.contains(&b'\n') {
        return Text::Borrowed(text);
    }
    let mut moved = SecretBytes::new(Vec::with_capacity(text.len() + text.len() / 2 + 16));
    for (index, line) in split(text).into_iter().enumerate() {
        let is_start = index > 0 || from_line_start;
        let spaces = line.iter().take_while(|byte| **byte == b' ').count();
        let line = match (is_start && !is_blank(line), by) {
            (true, 1..) => {
                let wanted = moved.len() + by.unsigned_abs();
                moved.as_mut_vec().resize(wanted, b' ');
                line
            }
            (true, _) => &line[spaces.min(by.unsigned_abs())..],
            (false, _) => line,
        };
        moved.as_mut_vec().extend_from_slice(line);
    }
    Text::Owned(moved)
}

/// `source` with a line break at its end.
pub(super) fn ended(source: &[u8]) -> SecretBytes {
    let mut text = SecretBytes::new(Vec::with_capacity(source.len() + 1));
    text.as_mut_vec().extend_from_slice(source);
    if !source.is_empty() && !source.ends_with(b"\n") {
        text.as_mut_vec().push(b'\n');
    }
    text
}
