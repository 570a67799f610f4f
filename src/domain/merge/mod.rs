//! Three states of a plain file become one: what only one side changed is taken over
//! with its comments and its layout, what both changed differently is a conflict.
//!
//! The texts are cut into entries (`outline`), merged entry by entry (`weave`), and what
//! came out is read again and compared with the merge of the values (`proof`). Where that
//! fails, because a layout was not understood, larger pieces are tried, and in the end
//! the file is one conflict: no result is a guess.

mod comparison;
mod conflict;
mod exposure;
mod lines;
mod markers;
mod metadata;
mod outline;
mod proof;
mod sequence;
#[cfg(test)]
mod tests;
mod weave;

use std::hash::RandomState;

pub use conflict::{Choice, Conflict, Disagreement, Side, is_at_or_below};
pub use exposure::exposed;
pub use markers::{Labels, Marked, first_marker, free_size, marked, split};
pub use metadata::{Held, KeyOf, MergedMetadata, Preference, merge_metadata};

use super::secret::SecretBytes;
use super::store::{Format, Purpose, ReadError, ReadErrorKind};
use super::tree::Tree;
use comparison::View;
use outline::Outline;
use weave::{Terms, Woven, weave};

/// What was there before the sides parted.
#[derive(Clone, Copy, Debug)]
pub enum Before<'b> {
    /// This text; nothing, if it is empty: both sides added the file.
    Text(&'b [u8]),
    /// Nobody knows: whatever differs is a conflict.
    Unknown,
}

/// What a merge goes by, beside its sides.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wishes<'w> {
    /// Conflicts that were settled; of two about the same path the last one counts.
    pub choices: &'w [Choice],
    /// Key paths at and below which whatever differs is a conflict, and why.
    pub doubtful: &'w [(String, Disagreement)],
}

/// A merged file. Without conflicts both texts are the same.
#[derive(Debug)]
pub struct Merged {
    /// The file with ours in all conflicts.
    pub ours: SecretBytes,
    /// The file with theirs in all conflicts.
    pub theirs: SecretBytes,
    /// The conflicts that nobody settled, in the order of ours.
    pub conflicts: Vec<Conflict>,
}

/// Why there is nothing to merge: a side cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct SideError {
    /// Which side.
    pub side: Side,
    /// What is wrong with it.
    pub error: ReadError,
}

/// How deep containers are cut, one try after the other.
const DEPTHS: [usize; 4] = [usize::MAX, 3, 1, 0];

/// Merges the plain texts of two sides.
///
/// # Errors
/// A text that cannot be read.
pub fn merge(
    format: Format,
    before: Before<'_>,
    ours: &[u8],
    theirs: &[u8],
    wishes: Wishes<'_>,
) -> Result<Merged, SideError> {
    if format == Format::Binary {
        return Ok(whole(before, ours, theirs, wishes));
    }
    let base = match before {
        Before::Text(text) => Some(text),
        Before::Unknown => None,
    };
    let by_lines = format != Format::Json;
    let ended = |text: &[u8]| if by_lines { lines::ended(text) } else { SecretBytes::new(text.to_vec()) };
    let texts = [base.map(ended), Some(ended(ours)), Some(ended(theirs))];
    let sides = [Side::Base, Side::Ours, Side::Theirs];
    let mut trees = [None, None, None];
    for (at, text) in texts.iter().enumerate() {
        let Some(text) = text else { continue };
        trees[at] = read(format, text, sides[at])?;
    }
    let (Some(_), Some(_)) = (&trees[1], &trees[2]) else {
        // A side without any document is one side.
        return Ok(whole(before, ours, theirs, wishes));
    };
    // A block scalar at the end means something else with a line break behind it.
    let originals = [base, Some(ours), Some(theirs)];
    if by_lines && (0..3).any(|at| is_changed_by_ending(format, originals[at], trees[at].as_ref())) {
        return Ok(whole(before, ours, theirs, wishes));
    }
    let views = trees.each_ref().map(|tree| tree.as_ref().map(|tree| View { store: format.store(), tree }));
    let mut merged = None;
    for depth in DEPTHS {
        let outlines = views.map(|view| view.map(|view| Outline::new(view, depth)));
        merged = attempt(format, &views, &outlines, matches!(before, Before::Unknown), wishes);
        if merged.is_some() {
            break;
        }
    }
    let mut merged = merged.unwrap_or_else(|| whole(before, ours, theirs, wishes));
    if by_lines {
        let lacks = |text: &[u8]| !text.is_empty() && !text.ends_with(b"\n");
        // Whether there is one at the end, as the side has it that changed that.
        let (had, ours, theirs) = (base.is_some_and(lacks), lacks(ours), lacks(theirs));
        if if ours == had { theirs } else { ours } {
            unended(format, &mut merged.ours);
            unended(format, &mut merged.theirs);
        }
    }
    Ok(merged)
}

/// Reads a text; `None` if it holds no document.
fn read(format: Format, text: &[u8], side: Side) -> Result<Option<Tree<'_>>, SideError> {
    match format.store().read(text, Purpose::Encrypt) {
        Ok(tree) => Ok(Some(tree)),
        Err(error) if error.kind == ReadErrorKind::Empty || text.is_empty() => Ok(None),
        Err(error) => Err(SideError { side, error }),
    }
}

/// Merges both ways, ours and theirs in all conflicts, and proves both.
fn attempt(
    format: Format,
    views: &[Option<View<'_, '_>>; 3],
    outlines: &[Option<Outline>; 3],
    two_way: bool,
    wishes: Wishes<'_>,
) -> Option<Merged> {
    let hasher = RandomState::new();
    let woven = |prefer: Side| {
        let terms = Terms { two_way, choices: wishes.choices, doubtful: wishes.doubtful, prefer };
        let woven: Woven = weave(views, outlines, &hasher, terms);
        let tree = read(format, &woven.text, prefer).ok().flatten()?;
        let merged = View { store: format.store(), tree: &tree };
        let holds = proof::holds(merged, views, &hasher, two_way, &woven.taken);
        drop(tree);
        holds.then_some(woven)
    };
    let ours = woven(Side::Ours)?;
    let theirs = match ours.conflicts.is_empty() {
        true => ours.text.clone(),
        false => woven(Side::Theirs)?.text,
    };
    Some(Merged { ours: ours.text, theirs, conflicts: ours.conflicts })
}

/// A file that is merged as one piece.
fn whole(before: Before<'_>, ours: &[u8], theirs: &[u8], wishes: Wishes<'_>) -> Merged {
    let is_base = |text: &[u8]| matches!(before, Before::Text(base) if base == text && !base.is_empty());
    let chosen = wishes.choices.iter().rev().find(|choice| choice.is_about(""));
    let side = if ours == theirs || is_base(theirs) && wishes.doubtful.is_empty() {
        Some(Side::Ours)
    } else if is_base(ours) && wishes.doubtful.is_empty() {
        Some(Side::Theirs)
    } else {
        chosen.map(|choice| choice.side)
    };
    let copy = |text: &[u8]| SecretBytes::new(text.to_vec());
    let kind = match before {
        Before::Unknown => Disagreement::Differs,
        Before::Text(b"") => Disagreement::Added,
        Before::Text(_) => Disagreement::Changed,
    };
    match side {
        Some(Side::Theirs) => Merged { ours: copy(theirs), theirs: copy(theirs), conflicts: Vec::new() },
        Some(_) => Merged { ours: copy(ours), theirs: copy(ours), conflicts: Vec::new() },
        None => {
            let conflicts = vec![Conflict { path: String::new(), kind }];
            Merged { ours: copy(ours), theirs: copy(theirs), conflicts }
        }
    }
}

/// True when the line break that was added to a text changes what it holds.
fn is_changed_by_ending(format: Format, original: Option<&[u8]>, ended: Option<&Tree<'_>>) -> bool {
    let (Some(original), Some(ended)) = (original, ended) else { return false };
    if original.len() == ended.source.len() {
        return false;
    }
    let Ok(Some(tree)) = read(format, original, Side::Ours) else { return true };
    !is_same(format, &tree, ended)
}

/// True when both hold the same values and comments.
fn is_same(format: Format, one: &Tree<'_>, other: &Tree<'_>) -> bool {
    let [one, other] = [one, other].map(|tree| View { store: format.store(), tree });
    let (mine, theirs) = (&one.tree.documents, &other.tree.documents);
    mine.len() == theirs.len()
        && mine
            .iter()
            .zip(theirs)
            .all(|(document, found)| one.same(document.root, &other, found.root, comparison::Compare::All))
}

/// Takes the line break at the end away, unless that changes a value.
fn unended(format: Format, text: &mut SecretBytes) {
    let Some(shorter) = text.strip_suffix(b"\n") else { return };
    let shorter = shorter.strip_suffix(b"\r").unwrap_or(shorter);
    let shorter = SecretBytes::new(shorter.to_vec());
    let same = match (read(format, text, Side::Ours), read(format, &shorter, Side::Ours)) {
        (Ok(Some(tree)), Ok(Some(other))) => is_same(format, &tree, &other),
        _ => return,
    };
    if same {
        *text = shorter;
    }
}
