//! A finding, and the list that a file's findings are gathered in.

use super::kinds::Kind;
use super::lines::{line_of, path_of};
use crate::domain::store::Format;
use crate::domain::tree::{NodeId, Tree};

/// Something that is wrong in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub kind: Kind,
    /// The line, from 1; `None` for the file as a whole.
    pub line: Option<usize>,
    /// The column in characters, from 1, where known.
    pub column: Option<usize>,
    /// The key path, as an index, where there is one.
    pub key: Option<String>,
    /// What is wrong here, in a sentence without its full stop.
    pub message: String,
}

impl Finding {
    /// A finding about the file as a whole.
    pub fn of_file(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, line: None, column: None, key: None, message: message.into() }
    }

    /// The same on a line, where it is known.
    pub fn at_line(mut self, line: Option<usize>) -> Self {
        self.line = line;
        self
    }

    /// The same at a key, if it has a path.
    pub fn at_key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into()).filter(|key| !key.is_empty());
        self
    }
}

/// How many findings of one kind a file may have before they are only counted:
/// nobody reads more, and to look up each place takes its time.
const MOST: usize = 50;

/// The findings of one file.
#[derive(Debug, Default)]
pub(super) struct Findings {
    list: Vec<Finding>,
    counts: Vec<(Kind, usize)>,
}

impl Findings {
    /// Adds a finding at node `id` of a file; `message` is only asked for if it is shown.
    pub(super) fn at_node(
        &mut self,
        kind: Kind,
        (tree, format): (&Tree<'_>, Format),
        id: NodeId,
        message: impl FnOnce() -> String,
    ) {
        if self.has_room(kind) {
            let key = path_of(tree, id, format);
            let found = Finding::of_file(kind, message()).at_line(Some(line_of(tree, id)));
            self.list.push(Finding { key, ..found });
        }
    }

    /// Adds a finding.
    pub(super) fn push(&mut self, finding: Finding) {
        if self.has_room(finding.kind) {
            self.list.push(finding);
        }
    }

    fn has_room(&mut self, kind: Kind) -> bool {
        match self.counts.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, count)) => {
                *count += 1;
                *count <= MOST
            }
            None => {
                self.counts.push((kind, 1));
                true
            }
        }
    }

    /// The findings, and for each kind of which there were too many, one that says so.
    pub(super) fn finish(mut self) -> Vec<Finding> {
        for (kind, count) in &self.counts {
            if let Some(more) = count.checked_sub(MOST).filter(|more| *more > 0) {
                self.list.push(Finding::of_file(*kind, format!("the same {more} times more in this file")));
            }
        }
        self.list
    }
}
