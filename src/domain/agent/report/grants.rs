//! Grants that nobody made use of: a rule, a principal that it names, and no entry in
//! the trail that a secret of it was opened. They are what a review takes away first.

use super::super::leaves::Source;
use super::super::pattern::show_path;
use super::super::policy::{Levels, Policy, PrincipalKind, Subject};
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
    for principal in policy.principals.values().filter(|it| it.kind() != PrincipalKind::Human) {
        let mut own = events
            .iter()
            .filter(|event| event.end == End::Done && event.who.as_deref() == Some(&principal.name))
            .filter(|event| event.access.is_some())
            .collect::<Vec<_>>();
        own.sort_by(|a, b| a.file.cmp(&b.file));
        for allow in policy.allows.iter().filter(|allow| !allow.lease && allow.agents.covers(&principal.name))
        {
            let mut secrets = 0;
            let mut used = false;
            for source in sources {
                let here: Vec<&&Event> =
                    own.iter().filter(|event| event.source() == Some(&source.path)).collect();
                for leaf in &source.leaves {
                    let subject = Subject { agent: &principal.name, source: &source.path, path: leaf };
                    if allow.concerns(&subject) {
                        secrets += 1;
                        let path = show_path(leaf);
                        used = used || here.iter().any(|event| event.touches(&source.path, &path));
                    }
                }
            }
            grants += usize::from(secrets > 0);
            if secrets > 0 && !used {
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
