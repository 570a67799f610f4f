//! The access report: who can reach which secret, who did, and what of that deserves a
//! look. This module holds what the report says; `reach`, `activity`, `grants` and `removed` find
//! it out from the policy, the secrets' names and the audit trail; `html` and `json`
//! write it. Nothing in here has room for the value of a secret.

pub mod event;
pub mod reach;
pub mod activity;
pub mod grants;
pub mod removed;
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

/// Keys that nobody has any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// Whose they were, by a policy of then.
    pub name: String,
    /// True if there is a principal of that name, with other keys.
    pub is_principal: bool,
    /// The recipients.
    pub keys: Vec<String>,
    /// What they could ever open.
    pub secrets: Vec<Exposed>,
}

/// A secret that somebody could read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposed {
    /// The source.
    pub file: String,
    /// Its path in that file.
    pub path: String,
    /// The time of the first commit in which it could be read, RFC 3339.
    pub first: String,
    /// That of the last one.
    pub last: String,
    /// What became of it.
    pub fate: Fate,
}

/// What became of a secret that somebody could read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// Its ciphertext is what it was, and so it is.
    Unchanged,
    /// It was encrypted anew; whether its value changed only a key tells.
    Anew,
    /// It is in no source any more.
    Gone,
}

impl Fate {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Anew => "anew",
            Self::Gone => "gone",
        }
    }
}

/// What the verification of the trail found.
#[derive(Clone, Debug, Default)]
pub struct Trail {
    /// One line a writer.
    pub writers: Vec<Writer>,
    /// What is wrong.
    pub faults: Vec<Fault>,
    /// How many checkpoints it was compared with.
    pub checkpoints: usize,
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
