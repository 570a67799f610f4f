//! A piece of a chain, line by line: the first one that is not as it was written, and
//! what was done to it.
//!
//! A line is *the writer's* if it is written as lines are, names this writer and this
//! repository, and is signed by the writer's key: then it stood in the chain once, in
//! the place that its number and `prev` say. What else happened is told from the
//! lines around it: they name their predecessors.

use std::collections::HashMap;
use std::rc::Rc;

use super::entry::{self, Entry, split_line};
use super::segments;
use crate::domain::agent::public_key::PublicKey;
use crate::domain::agent::report::event::seconds_of;
use crate::domain::agent::sshsig::{self, SignatureError};
use crate::domain::digest;

/// What is wrong with a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A line has other bytes than when it was written.
    Edited,
    /// Lines are gone from the middle.
    Deleted,
    /// A line stands there that is not of this chain.
    Inserted,
    /// Lines stand in another order.
    Reordered,
    /// A line stands there twice.
    Duplicated,
    /// Lines are gone from the end.
    Truncated,
    /// A file, or a run of entries that filled files, is gone.
    SegmentMissing,
    /// Nothing of a writer is there.
    WriterMissing,
    /// The writer signed two different lines with one number.
    Forked,
    /// A line fits the chain, and is not signed by whom it must be.
    BadSignature,
    /// An entry of another repository.
    ForeignRepo,
    /// An entry says an earlier time than the one before it.
    ClockBack,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Edited,
        Self::Deleted,
        Self::Inserted,
        Self::Reordered,
        Self::Duplicated,
        Self::Truncated,
        Self::SegmentMissing,
        Self::WriterMissing,
        Self::Forked,
        Self::BadSignature,
        Self::ForeignRepo,
        Self::ClockBack,
    ];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Edited => "edited",
            Self::Deleted => "deleted",
            Self::Inserted => "inserted",
            Self::Reordered => "reordered",
            Self::Duplicated => "duplicated",
            Self::Truncated => "truncated",
            Self::SegmentMissing => "segment_missing",
            Self::WriterMissing => "writer_missing",
            Self::Forked => "forked",
            Self::BadSignature => "bad_signature",
            Self::ForeignRepo => "foreign_repo",
            Self::ClockBack => "clock_back",
        }
    }
}

/// Something wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub kind: Kind,
    /// The chain.
    pub writer: String,
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: Option<usize>,
    /// What was found, in a sentence without values.
    pub detail: String,
}

/// A file, or a version of one, with lines of one writer.
#[derive(Clone, Debug)]
pub struct Piece<'p> {
    /// As it is shown.
    pub file: String,
    /// The number of its first entry, by its name.
    pub first: Option<u64>,
    /// What it holds.
    pub bytes: &'p [u8],
    /// A last line without an end may be one that was being written when the machine
    /// stopped.
    pub may_be_torn: bool,
}

/// What is known of a piece from elsewhere.
pub struct Known<'k> {
    /// The digest of the line with a number, as far as it is known.
    pub reference: &'k dyn Fn(u64) -> Option<String>,
    /// The number of the last entry that the file had when it was finished.
    pub last: Option<u64>,
}

/// Whose lines they must be.
#[derive(Clone, Debug)]
pub struct Owner<'o> {
    /// The chain.
    pub writer: &'o str,
    /// The repository, where known.
    pub repo: Option<&'o str>,
    /// The key, where known.
    pub key: Option<PublicKey>,
}

/// A line as it stands, read and checked by itself.
#[derive(Debug)]
pub struct Checked {
    /// Its digest.
    pub digest: String,
    /// What it says, if it is written as lines are.
    pub entry: Option<Entry>,
    /// Who signed it.
    pub signer: Result<PublicKey, SignatureError>,
}

impl Checked {
    /// The entry, if it was signed by whom it names: a line that somebody wrote.
    pub fn genuine(&self) -> Option<(&Entry, &PublicKey)> {
        match (&self.entry, &self.signer) {
            (Some(entry), Ok(key)) if entry.actor.key == key.fingerprint() => Some((entry, key)),
            _ => None,
        }
    }

    /// The entry, if the line is of `owner`'s chain.
    pub fn of<'c>(&'c self, owner: &Owner<'_>) -> Option<&'c Entry> {
        let (entry, key) = self.genuine()?;
        let right_key = owner.key.as_ref().is_none_or(|own| own == key);
        let first = (entry.seq == 1) == entry.genesis.is_some() && (entry.seq == 1) == entry.prev.is_none();
        let named = entry.genesis.as_ref().is_none_or(|genesis| genesis.key == key.to_string());
        (right_key && first && named && entry.writer == owner.writer && is_here(entry, owner))
            .then_some(entry)
    }
}

/// True for an entry of this repository. Those from before its policy had an id name none.
fn is_here(entry: &Entry, owner: &Owner<'_>) -> bool {
    match (&entry.repo, owner.repo) {
        (Some(repo), Some(own)) => repo == own,
        _ => true,
    }
}

/// Reads lines, each once, however often it stands somewhere.
#[derive(Debug, Default)]
pub struct Reader<'b> {
    known: HashMap<&'b [u8], Rc<Checked>>,
}

impl<'b> Reader<'b> {
    /// A line without its line feed.
    pub fn read(&mut self, line: &'b [u8]) -> Rc<Checked> {
        if let Some(known) = self.known.get(line) {
            return Rc::clone(known);
        }
        let signer = match split_line(line) {
            Some((message, signature)) => sshsig::verify(signature, &message, entry::NAMESPACE),
            None => Err(SignatureError::NoSignature),
        };
        let entry = Entry::parse(line).map(|(entry, _)| entry);
        let checked = Rc::new(Checked { digest: digest::of(line), entry, signer });
        self.known.insert(line, Rc::clone(&checked));
        checked
    }

    /// All whole lines of a piece.
    pub fn read_all(&mut self, bytes: &'b [u8]) -> Vec<Rc<Checked>> {
        segments::lines(bytes).0.into_iter().map(|line| self.read(line)).collect()
    }
}

/// What a walk along a piece found.
#[derive(Debug, Default)]
pub struct Walk {
    /// The writer's lines with their place in the piece, counted from 1. Behind a
    /// finding there may be more of them.
    pub lines: Vec<(usize, Rc<Checked>)>,
    /// The first line that is not as it was written.
    pub finding: Option<Finding>,
    /// Entries that go back in time.
    pub clock: Vec<Finding>,
    /// True if the last line has no end, as after a crash.
    pub torn: bool,
}

/// Clocks are put right by small steps; seconds back that are none.
const STEP: i64 = 120;

/// Walks along a piece.
pub fn walk<'b>(reader: &mut Reader<'b>, piece: &Piece<'b>, owner: &Owner<'_>, known: &Known<'_>) -> Walk {
    let (_, rest) = segments::lines(piece.bytes);
    let lines = reader.read_all(piece.bytes);
    let first = piece.first.or_else(|| lines.iter().find_map(|line| Some(line.of(owner)?.seq))).unwrap_or(1);
    let mut walk = Walk::default();
    let mut previous: Option<(&str, &str)> = None;
    for (expected, (at, line)) in (first..).zip(lines.iter().enumerate()) {
        let fits = line.of(owner).filter(|entry| {
            let follows = previous.is_none_or(|(digest, _)| entry.prev.as_deref() == Some(digest));
            entry.seq == expected && follows
        });
        let Some(entry) = fits else {
            let place = Place { lines: &lines, at, expected, previous: previous.map(|(digest, _)| digest) };
            let (kind, detail) = place.judge(owner, known);
            walk.finding = Some(finding(kind, owner, piece, at + 1, detail));
            break;
        };
        if let Some((_, before)) = previous
            && goes_back(before, &entry.timestamp)
        {
            let detail = format!("entry {} says an earlier time than the one before it", entry.seq);
            walk.clock.push(finding(Kind::ClockBack, owner, piece, at + 1, detail));
        }
        previous = Some((&line.digest, &entry.timestamp));
    }
    if walk.finding.is_none() && !rest.is_empty() {
        walk.torn = piece.may_be_torn;
        if !walk.torn {
            walk.finding = Some(unfinished(reader, rest, piece, owner, lines.len() + 1));
        }
    }
    let own = |(at, line): (usize, &Rc<Checked>)| line.of(owner).map(|_| (at + 1, Rc::clone(line)));
    walk.lines = lines.iter().enumerate().filter_map(own).collect();
    walk
}

/// A last line without its line feed: cut short, unless all of it is there and the
/// line feed became something else.
fn unfinished<'b>(
    reader: &mut Reader<'b>,
    rest: &'b [u8],
    piece: &Piece<'_>,
    owner: &Owner<'_>,
    at: usize,
) -> Finding {
    let all_but_last = &rest[..rest.len() - 1];
    let (kind, detail) = match reader.read(all_but_last).of(owner) {
        Some(entry) => {
            (Kind::Edited, format!("something stands behind entry {} in place of the line's end", entry.seq))
        }
        None => (Kind::Truncated, "the last line is not whole".to_owned()),
    };
    finding(kind, owner, piece, at, detail)
}

fn finding(kind: Kind, owner: &Owner<'_>, piece: &Piece<'_>, line: usize, detail: String) -> Finding {
    Finding { kind, writer: owner.writer.to_owned(), file: piece.file.clone(), line: Some(line), detail }
}

/// True if `later`, both RFC 3339 in UTC with milliseconds, is earlier by more than a
/// clock's small step.
fn goes_back(before: &str, later: &str) -> bool {
    match (seconds_of(before), seconds_of(later)) {
        (Some(before), Some(later)) => later + STEP < before,
        _ => later < before,
    }
}

/// A line that does not fit, among its neighbours.
struct Place<'p> {
    lines: &'p [Rc<Checked>],
    at: usize,
    /// The number it should have.
    expected: u64,
    /// The digest of the line before it, if that is in the piece.
    previous: Option<&'p str>,
}

impl Place<'_> {
    fn judge(&self, owner: &Owner<'_>, known: &Known<'_>) -> (Kind, String) {
        let line = &self.lines[self.at];
        let expected = self.expected;
        if self.lines.iter().filter(|other| other.digest == line.digest).count() > 1 {
            return (Kind::Duplicated, "this line stands in the file twice".to_owned());
        }
        if let Some(entry) = line.of(owner) {
            return self.judge_own(owner, entry);
        }
        let replaced = self.follower_has(expected + 1);
        match line.genuine() {
            Some((entry, _)) if !is_here(entry, owner) => {
                return (Kind::ForeignRepo, "this entry was written in another repository".to_owned());
            }
            Some((entry, _)) if entry.writer != owner.writer => {
                let kind = if replaced { Kind::Edited } else { Kind::Inserted };
                return (kind, format!("this entry is of writer {}", entry.writer));
            }
            _ => {}
        }
        if self.follower_closes() {
            return (
                Kind::Inserted,
                format!("the next line is entry {expected}, and follows the one before"),
            );
        }
        if self.fits_but_for_its_signature() && self.is_by_another(owner) {
            return (
                Kind::BadSignature,
                format!("entry {expected} fits the chain and is not signed by its writer"),
            );
        }
        if known.last.is_some_and(|last| last < expected) {
            return (Kind::Inserted, format!("the file ended with entry {} before this line", expected - 1));
        }
        let last = self.at + 1 == self.lines.len();
        let is_known = |seq| (known.reference)(seq).is_some();
        if last && !is_known(expected) && is_known(expected.saturating_sub(1)) {
            return (
                Kind::Inserted,
                format!("the chain ends before this line, which would be entry {expected}"),
            );
        }
        (Kind::Edited, format!("entry {expected} was changed after it was signed"))
    }

    /// A line of this writer's in a place that is not its own.
    fn judge_own(&self, owner: &Owner<'_>, entry: &Entry) -> (Kind, String) {
        let expected = self.expected;
        let later = |line: &Rc<Checked>| line.of(owner).is_some_and(|entry| entry.seq == expected);
        match entry.seq {
            seq if seq == expected => {
                (Kind::Forked, format!("entry {seq} was signed after another entry {}", seq - 1))
            }
            seq if self.lines[self.at + 1..].iter().any(later) => {
                (Kind::Reordered, format!("entry {seq} stands where entry {expected} should"))
            }
            seq if seq > expected && seq - expected == 1 => {
                (Kind::Deleted, format!("entry {expected} should stand before this line"))
            }
            seq if seq > expected => {
                (Kind::Deleted, format!("entries {expected} to {} should stand before this line", seq - 1))
            }
            seq => (Kind::Reordered, format!("entry {seq} stands where entry {expected} should")),
        }
    }

    fn follower(&self) -> Option<&Entry> {
        self.lines.get(self.at + 1)?.entry.as_ref()
    }

    /// True if the next line says to be entry `seq`.
    fn follower_has(&self, seq: u64) -> bool {
        self.follower().is_some_and(|next| next.seq == seq)
    }

    /// True if the chain is whole without this line.
    fn follower_closes(&self) -> bool {
        let follows = |next: &Entry| self.previous.is_none_or(|digest| next.prev.as_deref() == Some(digest));
        self.follower().is_some_and(|next| next.seq == self.expected && follows(next))
    }

    /// True if number, predecessor and successor are right.
    fn fits_but_for_its_signature(&self) -> bool {
        let line = &self.lines[self.at];
        let Some(entry) = &line.entry else { return false };
        let before = self.previous.is_none_or(|digest| entry.prev.as_deref() == Some(digest));
        let behind = self.follower().is_none_or(|next| next.prev.as_deref() == Some(&line.digest));
        entry.seq == self.expected && before && behind
    }

    /// True if the signature is whole, and not one of the writer's for a line.
    fn is_by_another(&self, owner: &Owner<'_>) -> bool {
        match &self.lines[self.at].signer {
            Ok(key) => owner.key.as_ref().is_some_and(|own| own != key),
            Err(SignatureError::Namespace | SignatureError::UnsupportedKey) => true,
            Err(SignatureError::NoSignature | SignatureError::Mismatch) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::goes_back;

    #[test]
    fn small_steps_back_are_none_at_the_end_of_a_month_either() {
        for (before, later, is_back) in [
            ("2026-11-22T01:02:03.456Z", "2026-11-22T01:02:03.455Z", false),
            ("2026-11-22T01:02:03.456Z", "2026-11-22T01:00:02.456Z", true),
            ("2026-03-01T00:00:01.000Z", "2026-02-28T23:59:59.000Z", false),
            ("2026-03-01T00:00:01.000Z", "2026-02-28T23:57:59.000Z", true),
            ("2027-01-01T00:00:00.000Z", "2026-12-31T23:59:00.000Z", false),
            ("no time", "a time", true),
        ] {
            assert_eq!(goes_back(before, later), is_back, "{before} {later}");
        }
    }
}
