//! The entries of a log, by time, those that are asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::material::{self, Log};
use crate::app::Deps;
use crate::app::agent::root;
use crate::app::error::Error;
use crate::domain::agent::audit::entry::{Action, Entry, Outcome as Ending};
use crate::domain::agent::audit::segments;
use crate::domain::agent::pattern::{FilePattern, NamePattern, PathPattern, parse_path};
use crate::domain::agent::policy::{self, Policy};
use crate::domain::digest;

/// Which entries are wanted; an empty field means any.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// The principal.
    pub agents: Vec<NamePattern>,
    /// A file, or the path of a secret.
    pub paths: Vec<PathFilter>,
    /// Not before: the beginning of an RFC 3339 time.
    pub since: Option<String>,
    /// Not after: the same; all that it is the beginning of counts.
    pub until: Option<String>,
    /// How it ended.
    pub outcomes: Vec<Ending>,
    /// What was done.
    pub actions: Vec<Action>,
}

/// A file, or the path of a secret, whichever it fits.
#[derive(Clone, Debug)]
pub struct PathFilter {
    /// As a file.
    pub file: Option<FilePattern>,
    /// As a path of secrets.
    pub secret: Option<PathPattern>,
}

impl PathFilter {
    /// Reads a pattern; `None` if it is neither of both.
    pub fn parse(text: &str) -> Option<Self> {
        let (file, secret) = (FilePattern::parse(text).ok(), PathPattern::parse(text).ok());
        (file.is_some() || secret.is_some()).then_some(Self { file, secret })
    }

    fn fits(&self, entry: &Entry) -> bool {
        let file = self.file.as_ref().zip(entry.file.as_deref());
        let literal = self.secret.as_ref().and_then(PathPattern::literal);
        let secret = |path: &String| {
            let Some((pattern, path)) = self.secret.as_ref().zip(parse_path(path).ok()) else { return false };
            // An entry may name the subtree that the secret is in.
            pattern.covers(&path) || literal.as_ref().is_some_and(|literal| literal.starts_with(&path))
        };
        file.is_some_and(|(pattern, file)| pattern.matches(file)) || entry.secret_path.iter().any(secret)
    }
}

impl Filter {
    /// True for an entry that is wanted.
    pub fn fits(&self, entry: &Entry) -> bool {
        let named = |agent: &String| self.agents.iter().any(|pattern| pattern.matches(agent));
        let until = |until: &String| entry.timestamp <= *until || entry.timestamp.starts_with(until.as_str());
        (self.agents.is_empty() || entry.agent_id.as_ref().is_some_and(named))
            && (self.paths.is_empty() || self.paths.iter().any(|path| path.fits(entry)))
            && self.since.as_ref().is_none_or(|since| entry.timestamp >= *since)
            && self.until.as_ref().is_none_or(until)
            && (self.outcomes.is_empty() || self.outcomes.contains(&entry.outcome))
            && (self.actions.is_empty() || self.actions.contains(&entry.action))
    }
}

/// A line that is wanted.
#[derive(Clone, Debug)]
pub struct Line {
    /// Read.
    pub entry: Entry,
    /// As it stands, without its line feed.
    pub text: String,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// By time; at one time, by writer and number.
    pub lines: Vec<Line>,
    /// Lines that are no entries, or that two places tell differently.
    pub unreadable: usize,
    /// Whose keys signed entries in the name of others: the principals of the policy that
    /// is there, which is not verified either, by fingerprints.
    pub owners: BTreeMap<String, String>,
}

/// The entries of all writers, of the work tree and of this clone, each once. None of
/// them is verified. `last` takes that many from the end.
pub fn run(deps: &Deps<'_>, filter: &Filter, last: Option<usize>) -> Result<Outcome, Error> {
    let root = root::here(deps)?;
    let mut outcome = of(&material::read(deps, &root)?, filter, last);
    outcome.owners = owners(deps, &root, &outcome.lines)?;
    Ok(outcome)
}

fn owners(deps: &Deps<'_>, root: &Path, lines: &[Line]) -> Result<BTreeMap<String, String>, Error> {
    let asserted = lines.iter().filter(|line| line.entry.actor.asserted);
    let keys: BTreeSet<&str> = asserted.map(|line| &*line.entry.actor.key).collect();
    if keys.is_empty() {
        return Ok(BTreeMap::new());
    }
    let contents = deps.files.read_if_there(&root.join(policy::PLACE)).map_err(Error::Read)?;
    let policy = contents.and_then(|contents| Policy::parse(&contents.bytes).ok()).unwrap_or_default();
    let mut owners = BTreeMap::new();
    for principal in policy.principals.values() {
        let own = principal.fingerprints();
        owners.extend(own.filter(|key| keys.contains(&**key)).map(|key| (key, principal.name.clone())));
    }
    Ok(owners)
}

/// The same of a log that is read already.
pub fn of(log: &Log, filter: &Filter, last: Option<usize>) -> Outcome {
    let mut seen = BTreeSet::new();
    let mut numbers = BTreeSet::new();
    let mut outcome = Outcome::default();
    for held in log.tree.iter().chain(&log.chains) {
        let (lines, torn) = segments::lines(&held.bytes);
        outcome.unreadable += usize::from(!torn.is_empty());
        for line in lines {
            if !seen.insert(digest::of(line)) {
                continue;
            }
            let read = Entry::parse(line).zip(std::str::from_utf8(line).ok());
            let Some(((entry, _), text)) = read else {
                outcome.unreadable += 1;
                continue;
            };
            outcome.unreadable += usize::from(!numbers.insert((entry.writer.clone(), entry.seq)));
            if filter.fits(&entry) {
                outcome.lines.push(Line { entry, text: text.to_owned() });
            }
        }
    }
    outcome.lines.sort_by(|a, b| key(a).cmp(&key(b)));
    if let Some(last) = last {
        outcome.lines.drain(..outcome.lines.len().saturating_sub(last));
    }
    outcome
}

/// What lines are sorted by.
fn key(line: &Line) -> (&str, &str, u64) {
    (&line.entry.timestamp, &line.entry.writer, line.entry.seq)
}
