//! Runs of comment lines, as the scanner hands them to the composer.

use super::tokens::Mark;
use crate::domain::tree::Span;

/// What a run of comment lines is to the nodes around it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Role {
    /// Taken by a node already.
    #[default]
    Spent,
    Head,
    Line,
    Foot,
}

/// A run of comment lines.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Remark {
    pub(super) role: Role,
    /// Where the scanner stood when it began to look for it (offset).
    pub(super) scan: u32,
    /// The offset from which on a token takes it.
    pub(super) token: u32,
    /// Its `#`; the column counts from one, except for [`Role::Line`].
    pub(super) start: Mark,
    /// Where the search went on (offset).
    pub(super) end: u32,
    /// Its lines: a range of the scanner's `remark_lines`.
    pub(super) first: u32,
    pub(super) last: u32,
}

/// One line of a comment.
#[derive(Clone, Copy, Debug)]
pub(super) struct RemarkLine {
    /// From `#` to the end of the line.
    pub(super) span: Span,
    /// A blank line follows within its run.
    pub(super) gap: bool,
    /// Something else stands before it on its line.
    pub(super) inline: bool,
}
