//! The access report: who can reach which secret, who did, and what of that deserves a
//! look. This module holds what the report says; `reach`, `activity` and `grants` find
//! it out from the policy, the secrets' names and the audit trail; `html` and `json`
//! write it. Nothing in here has room for the value of a secret.

pub mod event;
pub mod reach;
pub mod activity;
pub mod grants;
mod page;
pub mod html;
pub mod json;

#[cfg(test)]
mod tests;

use activity::Activity;
use grants::Unused;
use reach::Reach;

/// All of it.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The id of the repository, as its policy gives it.
    pub repo: Option<String>,
    /// When the report was made: RFC 3339, UTC.
    pub made: String,
    /// From when on the trail was looked at; `None`: all of it.
    pub since: Option<String>,
    /// The policy in force.
    pub policy: InForce,
    /// Who can reach what.
    pub reach: Reach,
    /// Who did, and when.
    pub activity: Activity,
    /// Grants that nobody made use of.
    pub unused: Vec<Unused>,
    /// Grants to agents, used or not.
    pub grants: usize,
    /// What is wrong with rules.
    pub rules: Vec<RuleFinding>,
    /// Those that had keys here and have none any more.
    pub removed: Vec<Removed>,
    /// Whether what was removed could be looked up: there is a history.
    pub has_history: bool,
    /// Whether the trail is what was written.
    pub trail: Trail,
}

/// The policy that counts. There is no report on one whose signature does not.
#[derive(Clone, Debug, Default)]
pub struct InForce {
    /// Its digest, `sha256:HEX`.
    pub digest: String,
    /// Its number.
    pub serial: Option<u64>,
    /// Until when it may be used, RFC 3339, UTC.
    pub valid_until: Option<String>,
    /// Rules that allow.
    pub allows: usize,
    /// Rules that deny.
    pub denies: usize,
    /// Signed revocations.
    pub revocations: usize,
}

/// What the lint of the policy says of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleFinding {
    /// The kind of finding, a word that stays.
    pub kind: String,
    /// True if it is to be mended; false if it is to be known.
    pub serious: bool,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub advice: Option<String>,
    /// The file.
    pub file: String,
    /// Its line, from 1.
    pub line: Option<usize>,
}

/// Somebody who could read something, and is no principal any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// The name that the policy gave.
    pub name: String,
    /// The recipients that were his.
    pub keys: Vec<String>,
    /// What they could ever open.
    pub secrets: Vec<Exposed>,
}

/// A secret that somebody could read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposed {
    /// The file it stood in.
    pub file: String,
    /// Its path in that file.
    pub path: String,
    /// When it could first be read, RFC 3339; `None` if it was never committed.
    pub first: Option<String>,
    /// When it last could.
    pub last: Option<String>,
    /// What became of it.
    pub fate: Fate,
}

/// What became of a secret that somebody could read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// It is what it was.
    Unchanged,
    /// Nobody here can compare.
    Unknown,
    /// It has another value.
    Changed,
    /// It is in no file any more.
    Gone,
}

impl Fate {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Unknown => "unknown",
            Self::Changed => "changed",
            Self::Gone => "gone",
        }
    }

    /// True if the secret may still be what somebody knows.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Unchanged | Self::Unknown)
    }
}

/// What the verification of the trail found.
#[derive(Clone, Debug, Default)]
pub struct Trail {
    /// One line a writer.
    pub writers: Vec<Writer>,
    /// What is wrong.
    pub faults: Vec<Fault>,
    /// When the newest checkpoint was signed, RFC 3339.
    pub checkpoint: Option<String>,
}

/// The chain of one writer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Writer {
    /// Its id.
    pub id: String,
    /// The principal that signs it.
    pub principal: Option<String>,
    /// Its entries.
    pub entries: u64,
    /// The digest of its last line.
    pub head: String,
}

/// Something that is wrong with the trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The kind, as `audit verify` names it.
    pub kind: String,
    /// The chain.
    pub writer: String,
    /// The file.
    pub file: String,
    /// Its line, from 1.
    pub line: Option<usize>,
    /// In a sentence.
    pub detail: String,
}
