//! Grants that nobody made use of: a rule, a principal that it names, and no entry in
//! the trail that a secret of it was opened. They are what a review takes away first.

use std::collections::{BTreeMap, BTreeSet};

use super::super::leaves::Source;
use super::super::pattern::show_path;
use super::super::policy::{Levels, Policy, PrincipalKind};
use super::event::{End, Event};

/// A grant without a use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unused {
    /// Who may.
    pub who: String,
    /// The secrets, as the rule writes them.
    pub what: String,
    /// What is granted.
    pub levels: Levels,
    /// How many secrets that are today.
    pub secrets: usize,
    /// The line of the rule in the policy, from 1.
    pub line: usize,
}

/// The grants to agents, brokers and builds: how many there are, and which of them
/// nobody used. People have what they need in an emergency, used or not. Grants that match no
/// secret are the lint's, and those of a lease do not stand.
pub fn unused(policy: &Policy, sources: &[Source], events: &[Event]) -> (usize, Vec<Unused>) {
    let mut grants = 0;
    let mut found = Vec::new();
    // Each source with its leaves as entries write them.
    let shown: Vec<Vec<String>> =
        sources.iter().map(|source| source.leaves.iter().map(|leaf| show_path(leaf)).collect()).collect();
    let mut used_by: BTreeMap<&str, BTreeMap<&str, Vec<&Event>>> = BTreeMap::new();
    for event in events.iter().filter(|event| event.end == End::Done && event.access.is_some()) {
        if let (Some(who), Some(source)) = (event.who.as_deref(), event.source()) {
            used_by.entry(who).or_default().entry(source).or_default().push(event);
        }
    }
    for principal in policy.principals.values().filter(|it| it.kind() != PrincipalKind::Human) {
        let used: Vec<Used> = sources
            .iter()
            .zip(&shown)
            .map(|(source, shown)| {
                let own = used_by.get(principal.name.as_str()).and_then(|own| own.get(source.path.as_str()));
                Used::of(own.map_or(&[], Vec::as_slice), shown)
            })
            .collect();
        for allow in policy.allows.iter().filter(|allow| !allow.lease && allow.agents.covers(&principal.name))
        {
            let mut secrets = 0;
            let mut is_used = false;
            for (source, used) in sources.iter().zip(&used) {
                if !allow.files.is_empty() && !allow.files.iter().any(|file| file.matches(&source.path)) {
                    continue;
                }
                for at in (0..source.leaves.len()).filter(|at| allow.path.covers(&source.leaves[*at])) {
                    secrets += 1;
                    is_used |= used.has(at);
                }
            }
            grants += usize::from(secrets > 0);
            if secrets > 0 && !is_used {
                found.push(Unused {
                    who: principal.name.clone(),
                    what: allow.path.as_str().to_owned(),
                    levels: allow.levels,
                    secrets,
                    line: allow.line,
                });
            }
        }
    }
    (grants, found)
}

/// Which leaves of a source somebody made use of.
enum Used {
    None,
    All,
    /// By their numbers.
    Some(Vec<bool>),
}

impl Used {
    /// Of the `events` of a source whose leaves are `shown`: sorted as paths are, not as
    /// their texts.
    fn of(events: &[&Event], shown: &[String]) -> Self {
        if events.is_empty() {
            return Self::None;
        }
        if events.iter().any(|event| event.paths.is_empty()) {
            return Self::All;
        }
        let named: BTreeSet<&str> =
            events.iter().flat_map(|event| &event.paths).map(String::as_str).collect();
        // A path is at or below those that it begins with, up to its end or a border.
        let borders = |path: &str| {
            let inner = path.bytes().enumerate().filter(|(_, byte)| matches!(byte, b'.' | b'['));
            inner.map(|(at, _)| at).chain([path.len()]).collect::<Vec<_>>()
        };
        Self::Some(
            shown.iter().map(|path| borders(path).iter().any(|at| named.contains(&path[..*at]))).collect(),
        )
    }

    fn has(&self, leaf: usize) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Some(leaves) => leaves[leaf],
        }
    }
}
