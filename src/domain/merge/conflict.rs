//! What two sides of a merge disagree on: where and how, never what.

use std::fmt;

/// One of the three states that a merge is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The common ancestor.
    Base,
    /// The state that is merged into.
    Ours,
    /// The state that is merged.
    Theirs,
}

impl Side {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Base, Self::Ours, Self::Theirs];
}

/// One thing of each side, as far as it has it, by [`Side`].
pub(super) type Trio<T> = [Option<T>; 3];

/// How two sides disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disagreement {
    /// Both changed it.
    Changed,
    /// Both added it.
    Added,
    /// One side took it away, the other changed it.
    Removed {
        /// Who took it away.
        by: Side,
    },
    /// Both changed the comments at it.
    Comment,
    /// Both moved the same thing to different places.
    Moved,
    /// They differ, and nobody knows what there was before.
    Differs,
    /// Only one side has it, and nobody knows what there was before.
    Only {
        /// Who has it.
        side: Side,
    },
    /// By the rules of one side it would be stored in clear.
    Exposed,
}

impl Disagreement {
    /// Its word in machine output.
    pub fn word(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Added => "added",
            Self::Removed { by: Side::Theirs } => "removed-by-theirs",
            Self::Removed { .. } => "removed-by-ours",
            Self::Comment => "comment",
            Self::Moved => "moved",
            Self::Differs => "differs",
            Self::Only { side: Side::Theirs } => "only-theirs",
            Self::Only { .. } => "only-ours",
            Self::Exposed => "exposed",
        }
    }
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Changed => "changed on both sides",
            Self::Added => "added on both sides",
            Self::Removed { by: Side::Theirs } => "changed by ours, removed by theirs",
            Self::Removed { .. } => "removed by ours, changed by theirs",
            Self::Comment => "its comments were changed on both sides",
            Self::Moved => "moved to different places",
            Self::Differs => "the sides differ",
            Self::Only { side: Side::Theirs } => "only theirs has it",
            Self::Only { .. } => "only ours has it",
            Self::Exposed => "the rules of one side would store it in clear",
        })
    }
}

/// A thing that two sides disagree on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The key path in index syntax, by the indices of ours where ours has it; empty
    /// for the whole file. What stands in the metadata begins with `["sops"]`.
    pub path: String,
    /// How they disagree.
    pub kind: Disagreement,
}

/// A conflict that somebody settled: what is at `path` or below is that side's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// A key path in index syntax; empty for everything.
    pub path: String,
    /// Ours or theirs.
    pub side: Side,
}

impl Choice {
    /// True when the choice is about what is at `path`.
    pub fn is_about(&self, path: &str) -> bool {
        is_at_or_below(path, &self.path)
    }
}

/// True when `path` is `top`, or below it.
pub fn is_at_or_below(path: &str, top: &str) -> bool {
    path.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest.starts_with(['[', '#', '-']))
}
