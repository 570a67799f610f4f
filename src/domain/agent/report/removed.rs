//! What keys could open that are nobody's any more, by the states of files that git's
//! history holds. Nothing is opened for it: names of secrets stand in the clear, and a
//! secret whose ciphertext is what it was is one that did not change.

use std::collections::{BTreeMap, BTreeSet};

use super::super::place;
use super::super::policy::Policy;
use super::{Exposed, Fate, Removed};

/// What stands in for the ciphertext of a secret: equal if that is equal.
pub type Ciphertext = [u8; 32];

/// The secrets of a state of a file: their shown paths, and the ciphertext of each.
pub type Secrets = BTreeMap<String, Ciphertext>;

/// A state of an encrypted file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The file, from the folder of the policy.
    pub file: String,
    /// The place of its commit in history, oldest first.
    pub order: usize,
    /// The time of that commit, RFC 3339.
    pub date: String,
    /// Who can open it.
    pub recipients: Vec<String>,
    /// Its secrets.
    pub secrets: Secrets,
}

/// The recipients that principals had in `former` policies and nobody has in `policy`,
/// by the names that they had.
pub fn former_keys(policy: &Policy, former: &[Policy]) -> BTreeMap<String, BTreeSet<String>> {
    let mut present: BTreeSet<&String> = policy.principals.values().flat_map(|it| &it.age).collect();
    present.extend(&policy.recovery);
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for principal in former.iter().flat_map(|policy| policy.principals.values()) {
        for key in principal.age.iter().filter(|key| !present.contains(key)) {
            found.entry(principal.name.clone()).or_default().insert(key.clone());
        }
    }
    found
}

/// What `former` keys could open in the states of `history`, and what became of it in
/// the files that are there `now`.
pub fn removed(
    policy: &Policy,
    former: BTreeMap<String, BTreeSet<String>>,
    history: &[State],
    now: &BTreeMap<String, Secrets>,
) -> Vec<Removed> {
    let of = |(name, keys): (String, BTreeSet<String>)| {
        let mut spans: BTreeMap<(&str, &str), (&State, &State)> = BTreeMap::new();
        let readable = history.iter().filter(|state| state.recipients.iter().any(|key| keys.contains(key)));
        for state in readable {
            for path in state.secrets.keys() {
                let span = spans.entry((source_of(&state.file, &name), path)).or_insert((state, state));
                if state.order < span.0.order {
                    span.0 = state;
                }
                if state.order >= span.1.order {
                    span.1 = state;
                }
            }
        }
        let exposed = |((file, path), (first, last)): ((&str, &str), (&State, &State))| Exposed {
            file: file.to_owned(),
            path: path.to_owned(),
            first: first.date.clone(),
            last: last.date.clone(),
            fate: fate(history, now, file, path, last.order),
        };
        let secrets = spans.into_iter().map(exposed).collect();
        let is_principal = policy.principals.contains_key(&name);
        Removed { name, is_principal, keys: keys.into_iter().collect(), secrets }
    };
    former.into_iter().map(of).collect()
}

/// The source that a file was made of for `agent`, else the file itself.
fn source_of<'f>(file: &'f str, agent: &str) -> &'f str {
    place::made_for(file, agent).unwrap_or(file)
}

/// What became of a secret that could be read until the commit `last`.
fn fate(history: &[State], now: &BTreeMap<String, Secrets>, file: &str, path: &str, last: usize) -> Fate {
    let Some(present) = now.get(file).and_then(|secrets| secrets.get(path)) else { return Fate::Gone };
    let mut then = history.iter().filter(|state| state.file == file && state.order <= last);
    match then.any(|state| state.secrets.get(path) == Some(present)) {
        true => Fate::Unchanged,
        false => Fate::Anew,
    }
}
