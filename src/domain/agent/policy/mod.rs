//! `.leaflock/policy.yaml`: who may do what with which secret. This module holds what a policy says;
//! `read` reads it, `decision` answers from it.
//!
//! ```yaml
//! version: 1
//! repo: 6f0c51b2
//! serial: 42
//! valid_until: 2027-03-01T00:00:00Z
//! principals:
//!   humans/ana: { age: age1…, sign: ssh-ed25519 AAAA…, roles: [admin] }
//!   ops/deploy: { age: age1…, sign: ssh-ed25519 AAAA… }
//! access_control:
//!   secrets:
//!     databases.postgres: { allowed_agents: ["ops/*"], access_level: read }
//!   deny:
//!     - { agents: ["**"], secrets: cloud.aws, levels: read }
//! ```
//!
//! What no rule allows is denied, what several allow is their union, and a denial that
//! matches wins, however wide or narrow the rules are.

mod assertions;
mod decision;
pub mod edit;
mod levels;
mod lint;
mod read;
mod subtrees;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

pub use assertions::{Assertion, AssertionError, Verdict, assertions};
pub use decision::{Because, Compiled, Decision, Rights, RuleRef, RuleSource, Scope, Subject};
pub use levels::{Level, Levels};
pub use lint::{Finding, LintKind, Severity, lint};
pub use subtrees::{Subtree, subtrees};

use super::allowed_signers::AllowedSigners;
use super::pattern::{FilePattern, NamePattern, PathPattern, PatternError};
use super::place;
use super::public_key::PublicKey;
use crate::domain::check::is_recipient;
use crate::domain::keys::{recipient_kind, same_ssh_key};

/// Where the policy lies, from the folder that it governs.
pub const PLACE: &str = ".leaflock/policy.yaml";

/// Where signed denials lie, from the same folder.
pub const REVOCATIONS: &str = ".leaflock/revocations.jsonl";

/// A policy as it is written. Whether it counts is a matter of signatures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// A random name of the repository, which stops copies of policies between repositories.
    pub repo: Option<String>,
    /// Grows with every change.
    pub serial: Option<u64>,
    /// RFC 3339 in UTC with whole seconds: `2027-03-01T00:00:00Z`. Of two such texts the later
    /// time is the greater one.
    pub valid_until: Option<String>,
    /// Everybody who has keys, by name.
    pub principals: BTreeMap<String, Principal>,
    /// Names for several principals.
    pub groups: BTreeMap<String, Group>,
    /// Who can open every derived file: age recipients and names, as they are written.
    pub recovery: Vec<String>,
    /// The files that it governs; `None`: every encrypted file.
    pub sources: Option<Vec<SourceRule>>,
    /// The rules that allow.
    pub allows: Vec<Allow>,
    /// The rules that deny.
    pub denies: Vec<Deny>,
    /// True when a reason must be given for every use.
    pub require_reason: bool,
    /// The lines of the top-level keys that are there.
    pub lines: BTreeMap<&'static str, usize>,
}

/// Somebody with keys: an agent, a human, CI or a broker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Principal {
    /// Segments with `/` between them; also a path.
    pub name: String,
    /// Age recipients, for reading.
    pub age: Vec<String>,
    /// OpenSSH public keys, for signing.
    pub sign: Vec<String>,
    /// What it is besides an agent.
    pub roles: BTreeSet<Role>,
    /// Who holds what it may use without reading it.
    pub broker: Option<String>,
    /// One-based line of the policy.
    pub line: usize,
}

impl Principal {
    /// What it is. Of several roles a person's goes before a broker's, and that before
    /// a build's: whoever can be asked counts.
    pub fn kind(&self) -> PrincipalKind {
        let has = |role| self.roles.contains(&role);
        match () {
            () if has(Role::Admin) || has(Role::Human) => PrincipalKind::Human,
            () if has(Role::Broker) => PrincipalKind::Broker,
            () if has(Role::Ci) => PrincipalKind::Ci,
            () => PrincipalKind::Agent,
        }
    }

    /// The fingerprints of its keys to sign with.
    pub fn fingerprints(&self) -> impl Iterator<Item = String> {
        self.sign.iter().filter_map(|key| Some(PublicKey::parse(key).ok()?.fingerprint()))
    }

    /// True for those that are neither people nor machines that people trust.
    pub fn is_agent(&self) -> bool {
        self.kind() == PrincipalKind::Agent
    }
}

/// What a principal is first of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PrincipalKind {
    /// None of the others.
    Agent,
    /// A program that uses secrets for agents.
    Broker,
    /// A build machine.
    Ci,
    /// A person.
    Human,
}

impl PrincipalKind {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Broker => "broker",
            Self::Ci => "ci",
            Self::Human => "human",
        }
    }
}

/// What a principal is, and what else than reading it may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// A person who may sign the policy.
    Admin,
    /// A person.
    Human,
    /// A build machine.
    Ci,
    /// A program that uses secrets for agents which may not read them.
    Broker,
    /// May sign checkpoints of the audit log.
    Auditor,
    /// May sign revocations.
    Responder,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 6] =
        [Self::Admin, Self::Human, Self::Ci, Self::Broker, Self::Auditor, Self::Responder];

    /// Its word in the policy.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Human => "human",
            Self::Ci => "ci",
            Self::Broker => "broker",
            Self::Auditor => "auditor",
            Self::Responder => "responder",
        }
    }

    /// The role of that word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }
}

/// A name for several principals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Names and patterns of names; no groups.
    pub members: Vec<NamePattern>,
    /// One-based line of the policy.
    pub line: usize,
}

/// A source or several, and who opens them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceRule {
    /// Which files.
    pub file: FilePattern,
    /// Their recipients as they are written: names, groups, age recipients. Empty: not said.
    pub recipients: Vec<String>,
    /// One-based line of the policy.
    pub line: usize,
}

/// Whom a rule is about: patterns of names, and groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agents(Vec<Entry>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    text: NamePattern,
    /// Its members, if it is a group.
    members: Option<Vec<NamePattern>>,
}

impl Agents {
    /// Reads a list; an entry that is the name of a group stands for its members.
    ///
    /// # Errors
    /// For an entry that can match no name.
    pub fn parse(entries: &[String], groups: &BTreeMap<String, Group>) -> Result<Self, PatternError> {
        let entry = |text: &String| {
            let members = groups.get(text).map(|group| group.members.clone());
            Ok(Entry { text: NamePattern::parse(text)?, members })
        };
        entries.iter().map(entry).collect::<Result<_, _>>().map(Self)
    }

    /// True when `name` is one of them.
    pub fn covers(&self, name: &str) -> bool {
        self.0.iter().any(|entry| match &entry.members {
            Some(members) => members.iter().any(|member| member.matches(name)),
            None => entry.text.matches(name),
        })
    }

    /// The entries as they are written.
    pub fn entries(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|entry| entry.text.as_str())
    }

    /// The patterns that names are compared with, those of groups in place of the groups.
    pub fn patterns(&self) -> impl Iterator<Item = &NamePattern> {
        self.0.iter().flat_map(|entry| match &entry.members {
            Some(members) => members.as_slice(),
            None => std::slice::from_ref(&entry.text),
        })
    }
}

/// A rule that allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allow {
    /// Which secrets.
    pub path: PathPattern,
    /// Of which files; empty: of all.
    pub files: Vec<FilePattern>,
    /// Who.
    pub agents: Agents,
    /// What.
    pub levels: Levels,
    /// True when [`Level::Use`] is meant for sending only (`post`).
    pub only_post: bool,
    /// `audit`, if it is written. Everything is recorded, whatever it says.
    pub audit: Option<bool>,
    /// True when a reason must be given.
    pub reason: bool,
    /// True when it holds during a lease only: it is no standing grant.
    pub lease: bool,
    /// One-based line of the policy.
    pub line: usize,
}

/// A rule that denies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deny {
    /// Who.
    pub agents: Agents,
    /// Which secrets.
    pub paths: Vec<PathPattern>,
    /// Of which files; empty: of all.
    pub files: Vec<FilePattern>,
    /// What.
    pub levels: Levels,
    /// One-based line of the file that it stands in.
    pub line: usize,
}

/// A signed denial outside of the policy, of [`REVOCATIONS`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// What it takes away.
    pub deny: Deny,
    /// SHA-256 of its line: `sha256:HEX`.
    pub digest: String,
}

/// Why a key may not sign what gives rights.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSigner {
    /// The list of allowed signers does not allow it, in that namespace and now.
    #[error("the list of allowed signers does not allow it")]
    NotListed,
    /// It belongs to an agent: what an agent signs gives nobody any rights.
    #[error("it is the key of {0}, which is an agent")]
    Agent(String),
}

impl NoSigner {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotListed => {
                "--signing-key chooses another key; an administrator adds one as a line of .leaflock/allowed_signers \
                 (`NAME namespaces=\"leaflock-manifest@v1\" KEY` is enough for derived files), and runs `leaflock trust sign`"
            }
            Self::Agent(_) => {
                "--signing-key chooses another key; who is no agent has a role (admin, human, ci) in the policy"
            }
        }
    }
}

/// A fault of a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PolicyError {
    /// What is wrong, with the key path where it is known.
    pub message: String,
    /// One-based line, where known.
    pub line: Option<usize>,
    /// What belongs there.
    pub advice: Option<String>,
}

impl Policy {
    /// Reads the bytes of a policy. What it does not know is an error: a rule that is silently
    /// ignored protects nobody.
    ///
    /// # Errors
    /// For what is not YAML, unknown keys, values that do not fit, names that lead nowhere.
    pub fn parse(bytes: &[u8]) -> Result<Self, PolicyError> {
        read::read(bytes)
    }

    /// Whose signing key it is: `ssh-ed25519 AAAA…`, perhaps with a comment.
    pub fn principal_of_key(&self, openssh_public: &str) -> Option<&Principal> {
        self.principals
            .values()
            .find(|principal| principal.sign.iter().any(|key| same_ssh_key(key, openssh_public)))
    }

    /// Whose key it is, where it may sign policies and manifests; `None` if the policy
    /// does not know it. `now` is RFC 3339, UTC.
    ///
    /// # Errors
    /// `signers` do not allow it in `namespace`, or it is an agent's.
    pub fn signer(
        &self,
        key: &PublicKey,
        (signers, namespace): (&AllowedSigners, &str),
        now: &str,
    ) -> Result<Option<&Principal>, NoSigner> {
        if signers.allows(key, namespace, now).is_none() {
            return Err(NoSigner::NotListed);
        }
        match self.principal_of_key(&key.to_string()) {
            Some(agent) if agent.is_agent() => Err(NoSigner::Agent(agent.name.clone())),
            principal => Ok(principal),
        }
    }

    /// The age recipients of every derived file besides its owner.
    pub fn recovery_recipients(&self) -> Vec<String> {
        self.recipients(&self.recovery)
    }

    /// The age recipients that the policy names for a source; `None` where it names none.
    pub fn source_recipients(&self, source: &str) -> Option<Vec<String>> {
        let rules = self.sources.iter().flatten().filter(|rule| rule.file.matches(source));
        let words: Vec<String> = rules.flat_map(|rule| rule.recipients.iter().cloned()).collect();
        (!words.is_empty()).then(|| self.recipients(&words))
    }

    /// True when the policy governs that file, given that it is an encrypted one. What
    /// belongs to the policy itself is no source.
    pub fn governs(&self, source: &str) -> bool {
        let is_listed = |rules: &Vec<SourceRule>| rules.iter().any(|rule| rule.file.matches(source));
        !source.starts_with(place::OWN) && self.sources.as_ref().is_none_or(is_listed)
    }

    /// Looks whether something can be encrypted for every age recipient.
    ///
    /// # Errors
    /// The first that does not decode, with whose it is.
    pub fn check_recipients(&self) -> Result<(), PolicyError> {
        let of_principals = self.principals.values().flat_map(|principal| {
            let whose = format!("principals: {}", principal.name);
            principal.age.iter().map(move |key| (key, whose.clone(), Some(principal.line)))
        });
        let of_sources = self.sources.iter().flatten().flat_map(|rule| {
            let whose = format!("sources: {}", rule.file.as_str());
            rule.recipients.iter().map(move |key| (key, whose.clone(), Some(rule.line)))
        });
        let of_recovery = self.recovery.iter().map(|key| (key, "recovery".to_owned(), None));
        let is_damaged = |key: &str| recipient_kind(key).is_ok_and(|kind| !is_recipient(kind, key));
        let mut all = of_principals.chain(of_sources).chain(of_recovery);
        match all.find(|(key, ..)| is_damaged(key)) {
            Some((key, whose, line)) => Err(PolicyError {
                message: format!("{whose}: {key} is no age recipient: it does not decode"),
                line,
                advice: Some("copy it anew, whole: age1… in full, or a line of a .pub file".to_owned()),
            }),
            None => Ok(()),
        }
    }

    /// The names that it knows: of principals, and those that rules spell out. Sorted.
    pub fn known_names(&self) -> BTreeSet<String> {
        let principals = self.principals.keys().cloned();
        let of_rules =
            self.allows.iter().map(|rule| &rule.agents).chain(self.denies.iter().map(|it| &it.agents));
        let spelled = of_rules.flat_map(Agents::patterns).filter_map(NamePattern::literal).map(str::to_owned);
        principals.chain(spelled).collect()
    }

    /// The age recipients behind names, groups and recipients, each once and in their order.
    fn recipients(&self, words: &[String]) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        let mut add = |key: &String| {
            if !found.contains(key) {
                found.push(key.clone());
            }
        };
        for word in words {
            if recipient_kind(word).is_ok() && !self.principals.contains_key(word) {
                add(word);
            }
            self.members(word).flat_map(|principal| &principal.age).for_each(&mut add);
        }
        found
    }

    /// The principals that a name of a principal or of a group stands for.
    fn members(&self, word: &str) -> impl Iterator<Item = &Principal> {
        let group = self.groups.get(word);
        self.principals.values().filter(move |principal| match group {
            Some(group) => group.members.iter().any(|member| member.matches(&principal.name)),
            None => principal.name == word,
        })
    }
}
