//! What the policy means: as a whole, for somebody, or for somebody and a secret.

use super::Deps;
use super::can::{demand_known, holders, wrong};
use super::error::Error;
use super::governed::{self, Governed};
use super::request::Notice;
use crate::domain::agent::leaves::Source;
use crate::domain::agent::pattern;
use crate::domain::agent::policy::{Compiled, Decision, Level, Levels, Policy, Principal, Subtree, subtrees};

/// What is asked about.
#[derive(Clone, Debug)]
pub struct Request {
    /// Somebody; `None`: the policy as a whole.
    pub agent: Option<String>,
    /// A path, perhaps of a subtree; `None`: all.
    pub path: Option<String>,
}

/// Where a copy of a secret is for the sake of somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// In the file of the agent itself.
    Agent,
    /// In that of its broker alone.
    Broker(String),
    /// Nowhere: there is no key, no broker, or no right that needs one.
    Nobody,
}

/// What is decided about a part of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// The decision.
    pub decision: Decision,
    /// Where the value is.
    pub holder: Holder,
}

/// One source as somebody sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The source.
    pub source: String,
    /// Its parts.
    pub parts: Vec<Subtree<Explained>>,
}

/// A rule, and what it comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleReach {
    /// Its line.
    pub line: usize,
    /// True if it denies.
    pub denies: bool,
    /// Which secrets, as it is written.
    pub what: String,
    /// Whom, as it is written.
    pub agents: Vec<String>,
    /// What.
    pub levels: Levels,
    /// The principals that it is about.
    pub principals: Vec<String>,
    /// How many leaves it is about.
    pub leaves: usize,
    /// True if it holds during a lease only.
    pub lease: bool,
}

/// The answer.
#[derive(Debug)]
pub enum Answer {
    /// About the policy as a whole.
    Policy {
        /// The rules, by line.
        rules: Vec<RuleReach>,
        /// The sources and how many leaves they have.
        sources: Vec<(String, usize)>,
    },
    /// About somebody.
    Agent {
        /// Who; `None` if it is no principal.
        principal: Option<Principal>,
        /// By source.
        seen: Vec<Seen>,
    },
}

/// What there is to say.
#[derive(Debug)]
pub struct Outcome {
    /// What the policy says.
    pub policy: Policy,
    /// The answer.
    pub answer: Answer,
    /// True if the policy is in force.
    pub is_in_force: bool,
    /// What to say on the side.
    pub notices: Vec<Notice>,
}

/// Explains the policy of the working folder.
///
/// # Errors
/// No policy, a word that is no name or path, a path that no source has.
pub fn run(deps: &Deps<'_>, request: &Request) -> Result<Outcome, Error> {
    let governed = governed::load(deps)?;
    let answer = match &request.agent {
        None => whole(&governed),
        Some(agent) => {
            pattern::check_name(agent).map_err(wrong)?;
            demand_known(&governed, agent)?;
            let path = request.path.as_deref().map(pattern::parse_path).transpose().map_err(wrong)?;
            let depth = path.as_ref().map_or(0, Vec::len);
            let sources = match &path {
                Some(path) => holders(&governed, path)?,
                None => governed.sources.iter().map(|it| (it, it.leaves.iter().collect())).collect(),
            };
            let seen =
                sources.into_iter().map(|(source, leaves)| see(&governed, agent, source, (&leaves, depth)));
            let principal = governed.policy.principals.get(agent).cloned();
            Answer::Agent { principal, seen: seen.collect() }
        }
    };
    let Governed { policy, is_in_force, notices, .. } = governed;
    Ok(Outcome { policy, answer, is_in_force, notices })
}

fn see(governed: &Governed, agent: &str, source: &Source, (leaves, depth): (&[&Vec<String>], usize)) -> Seen {
    let scope = governed.policy.scope(&governed.revocations, agent, &source.path);
    let holders = Holders::of(governed, agent, source);
    let explained = leaves.iter().map(|leaf| {
        let decision = scope.decide(leaf);
        let holder = holders.holder(leaf, &decision);
        ((*leaf).clone(), Explained { decision, holder })
    });
    Seen { source: source.path.clone(), parts: subtrees(&explained.collect::<Vec<_>>(), depth) }
}

fn whole(governed: &Governed) -> Answer {
    let policy = &governed.policy;
    let mut rules: Vec<RuleReach> = Vec::new();
    let allows = policy.allows.iter().map(|rule| {
        let paths = std::slice::from_ref(&rule.path);
        (rule.line, false, &rule.agents, paths, rule.levels, &rule.files, rule.lease)
    });
    let denies = policy
        .denies
        .iter()
        .map(|rule| (rule.line, true, &rule.agents, rule.paths.as_slice(), rule.levels, &rule.files, false));
    for (line, denies, agents, paths, levels, files, lease) in allows.chain(denies) {
        let is_about =
            |source: &&Source| files.is_empty() || files.iter().any(|file| file.matches(&source.path));
        let leaves = governed.sources.iter().filter(is_about).flat_map(|source| &source.leaves);
        let covered = leaves.filter(|leaf| paths.iter().any(|path| path.covers(leaf)));
        let shown: Vec<&str> = paths.iter().map(pattern::PathPattern::as_str).collect();
        rules.push(RuleReach {
            line,
            denies,
            what: shown.join(", "),
            agents: agents.entries().map(str::to_owned).collect(),
            levels,
            principals: policy.principals.keys().filter(|name| agents.covers(name)).cloned().collect(),
            leaves: covered.count(),
            lease,
        });
    }
    rules.sort_by_key(|rule| rule.line);
    let sources = governed.sources.iter().map(|source| (source.path.clone(), source.leaves.len()));
    Answer::Policy { rules, sources: sources.collect() }
}

/// Whose files may have copies of a source's secrets for the sake of somebody.
struct Holders<'g> {
    own: Option<Compiled<'g>>,
    broker: Option<(&'g String, Compiled<'g>)>,
}

impl<'g> Holders<'g> {
    fn of(governed: &'g Governed, agent: &str, source: &Source) -> Self {
        let Governed { policy, revocations, .. } = governed;
        let compiled = |name: &str| policy.compiled(revocations, name, &source.path);
        let principal = policy.principals.get(agent);
        let broker = principal.and_then(|principal| principal.broker.as_ref());
        Self {
            own: principal.filter(|principal| !principal.age.is_empty()).and_then(|_| compiled(agent)),
            broker: broker.and_then(|broker| Some((broker, compiled(broker)?))),
        }
    }

    fn holder(&self, path: &[String], decision: &Decision) -> Holder {
        let is_used = decision.levels.has(Level::Exec) || decision.levels.has(Level::Use);
        match (&self.own, &self.broker) {
            (Some(own), _) if own.holds(path) => Holder::Agent,
            (_, Some((name, broker))) if is_used && broker.holds(path) => Holder::Broker((*name).clone()),
            _ => Holder::Nobody,
        }
    }
}
