//! Git's conflict markers: two whole texts written as one with their differences marked,
//! and such a text taken apart again.

use similar::{Algorithm, DiffOp, capture_diff_slices};

use crate::domain::secret::SecretBytes;

/// How many characters a marker has, if nobody says otherwise.
const SIZE: usize = 7;

/// What stands behind the markers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels {
    /// Behind `<<<<<<<`.
    pub ours: String,
    /// Behind `>>>>>>>`.
    pub theirs: String,
    /// How many characters a marker has; 0 for the usual number.
    pub size: usize,
}

/// Writes both texts as one, their differences between markers.
pub fn marked(ours: &[u8], theirs: &[u8], labels: &Labels) -> SecretBytes {
    let (one, two) = (lines(ours), lines(theirs));
    let mut out = SecretBytes::new(Vec::with_capacity(ours.len() + theirs.len()));
    let text = out.as_mut_vec();
    for op in capture_diff_slices(Algorithm::Myers, &one, &two) {
        let (_, old, new) = op.as_tag_tuple();
        if let DiffOp::Equal { .. } = op {
            one[old].iter().for_each(|line| text.extend_from_slice(line));
            continue;
        }
        marker(b'<', labels.size, &labels.ours, text);
        one[old].iter().for_each(|line| put_line(line, text));
        marker(b'=', labels.size, "", text);
        two[new].iter().for_each(|line| put_line(line, text));
        marker(b'>', labels.size, &labels.theirs, text);
    }
    out
}

fn lines(text: &[u8]) -> Vec<&[u8]> {
    text.split_inclusive(|byte| *byte == b'\n').collect()
}

fn put_line(line: &[u8], text: &mut Vec<u8>) {
    text.extend_from_slice(line);
    if !line.ends_with(b"\n") {
        text.push(b'\n');
    }
}

fn marker(character: u8, size: usize, label: &str, text: &mut Vec<u8>) {
    let size = if size == 0 { SIZE } else { size };
    text.resize(text.len() + size, character);
    if !label.is_empty() {
        text.push(b' ');
        text.extend_from_slice(label.as_bytes());
    }
    text.push(b'\n');
}

/// A length of markers that no line of the texts could be taken for.
pub fn free_size(texts: &[&[u8]]) -> usize {
    let longest = texts.iter().flat_map(|text| lines(text)).map(|line| {
        let first = line.first().copied().filter(|byte| b"<=>|".contains(byte));
        line.iter().take_while(|byte| Some(**byte) == first).count()
    });
    longest.max().unwrap_or(0).max(SIZE - 1) + 1
}

/// The line, from 1, of the first marker of that length.
pub fn first_marker(text: &[u8], size: usize) -> Option<usize> {
    let is_marker = |line: &[u8]| b"<=>|".iter().any(|character| size_of(line, *character) == Some(size));
    lines(text).into_iter().position(is_marker).map(|at| at + 1)
}

/// What stood between markers, and around them.
#[derive(Debug, PartialEq, Eq)]
pub struct Marked {
    /// The text with the first of each pair.
    pub ours: SecretBytes,
    /// The text with the second.
    pub theirs: SecretBytes,
    /// The text with what git shows of the base (`merge.conflictStyle` is `diff3`), if it
    /// does so everywhere.
    pub base: Option<SecretBytes>,
    /// The labels of the first pair.
    pub labels: Labels,
}

/// Where a line stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Outside,
    Ours,
    Base,
    Theirs,
}

/// Takes a text with markers apart; `None` if it has none, or broken ones. Markers inside
/// of markers (of a merge of bases) stay in the base.
pub fn split(text: &[u8]) -> Option<Marked> {
    let size = lines(text).into_iter().find_map(|line| size_of(line, b'<'))?;
    let [mut ours, mut theirs, mut base] = [(); 3].map(|()| SecretBytes::new(Vec::with_capacity(text.len())));
    let (mut part, mut shows_base, mut pairs) = (Part::Outside, true, 0_usize);
    let mut labels: Option<Labels> = None;
    let (mut label, mut had_base) = (String::new(), false);
    for line in lines(text) {
        let is = |character: u8| size_of(line, character) == Some(size);
        match part {
            Part::Outside if is(b'<') => {
                label = label_of(line, size);
                (part, had_base) = (Part::Ours, false);
            }
            Part::Outside if is(b'>') || is(b'|') => return None,
            Part::Ours if is(b'|') => (part, had_base) = (Part::Base, true),
            Part::Ours | Part::Base if is(b'=') => part = Part::Theirs,
            Part::Ours | Part::Theirs if is(b'<') => return None,
            Part::Theirs if is(b'>') => {
                let theirs = label_of(line, size);
                labels.get_or_insert_with(|| Labels { ours: std::mem::take(&mut label), theirs, size });
                shows_base &= had_base;
                pairs += 1;
                part = Part::Outside;
            }
            Part::Outside => [&mut ours, &mut theirs, &mut base]
                .into_iter()
                .for_each(|it| it.as_mut_vec().extend_from_slice(line)),
            Part::Ours => ours.as_mut_vec().extend_from_slice(line),
            Part::Base => base.as_mut_vec().extend_from_slice(line),
            Part::Theirs => theirs.as_mut_vec().extend_from_slice(line),
        }
    }
    let labels = labels.filter(|_| part == Part::Outside && pairs > 0)?;
    Some(Marked { ours, theirs, base: shows_base.then_some(base), labels })
}

/// The length of the marker of this character that `line` is, if it is one.
fn size_of(line: &[u8], character: u8) -> Option<usize> {
    let size = line.iter().take_while(|byte| **byte == character).count();
    let is_alone = line.get(size).is_none_or(|byte| b" \r\n".contains(byte));
    (size >= SIZE && is_alone).then_some(size)
}

fn label_of(line: &[u8], size: usize) -> String {
    String::from_utf8_lossy(&line[size..]).trim().to_owned()
}
