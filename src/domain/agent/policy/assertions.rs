//! What must be true of a policy, a line each, as people write it into a file of assertions:
//!
//! ```text
//! # Deploys read their database, and nobody else of ops does.
//! ops/deploy can read databases.postgres.password in secrets/prod.yaml
//! ops/watch cannot reach databases
//! dev/** must not reach secrets/prod.yaml
//! ```
//!
//! `reach` is to have any right. An agent is a name, a group or a pattern. A pattern behind `can`
//! stands for the principals there are; behind `cannot` also for all that could be added.

use std::collections::BTreeSet;

use super::{Agents, Because, Decision, Level, Levels, Policy, Revocation, RuleRef, Scope};
use crate::domain::agent::leaves::Source;
use crate::domain::agent::pattern::{FilePattern, NamePattern, PathPattern, PatternError, show_path};

/// One assertion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assertion {
    /// Its one-based line.
    pub line: usize,
    /// As it is written, blanks at both ends aside.
    pub text: String,
    agents: String,
    /// True for `can`.
    grants: bool,
    /// `None`: any, `reach`.
    levels: Option<Levels>,
    /// `None`: the whole file.
    path: Option<PathPattern>,
    file: Option<FilePattern>,
}

/// A line that is no assertion.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct AssertionError {
    /// Its one-based number.
    pub line: usize,
    /// What is wrong with it.
    pub message: String,
    /// What to write.
    pub advice: &'static str,
}

/// Whether an assertion holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// True if it does.
    pub holds: bool,
    /// For whom, where and for which leaf that was decided, if it was.
    pub because: String,
    /// The rule that decides, where there is one.
    pub rule: Option<RuleRef>,
}

const SYNTAX: &str = "write `AGENT can LEVEL PATH [in FILE]`, `AGENT cannot LEVEL PATH [in FILE]` or `AGENT must \
                      not reach FILE`; LEVEL is read, exec, use, write or reach";

/// Reads a file of assertions. Empty lines, and what stands behind `#` at the start of a line or
/// behind a blank, say nothing.
///
/// # Errors
/// For the first line that is none.
pub fn assertions(text: &str) -> Result<Vec<Assertion>, AssertionError> {
    let mut found = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line = match line.find(" #").or(line.starts_with('#').then_some(0)) {
            Some(comment) => line[..comment].trim(),
            None => line.trim(),
        };
        if !line.is_empty() {
            found.push(assertion(at + 1, line)?);
        }
    }
    Ok(found)
}

fn assertion(line: usize, text: &str) -> Result<Assertion, AssertionError> {
    let wrong = |message: &str| AssertionError { line, message: message.to_owned(), advice: SYNTAX };
    let of_pattern =
        |error: PatternError| AssertionError { line, message: error.message, advice: error.advice };
    let mut words = text.split_ascii_whitespace();
    let agents = words.next().unwrap_or_default().to_owned();
    NamePattern::parse(&agents).map_err(of_pattern)?;
    let mut assertion = Assertion {
        line,
        text: text.to_owned(),
        agents,
        grants: false,
        levels: None,
        path: None,
        file: None,
    };
    match words.next() {
        Some("can") => assertion.grants = true,
        Some("cannot") => {}
        Some("must") => {
            let [Some("not"), Some("reach"), Some(file), None] = [(); 4].map(|()| words.next()) else {
                return Err(wrong("behind `must` stands `not reach FILE`"));
            };
            assertion.file = Some(FilePattern::parse(file).map_err(of_pattern)?);
            return Ok(assertion);
        }
        _ => return Err(wrong("behind the agent stands can, cannot or must")),
    }
    match words.next() {
        Some("reach") => {}
        Some(word) => {
            assertion.levels = Some(Levels::parse(word).ok_or_else(|| wrong("that is no level"))?);
        }
        None => return Err(wrong("the level is missing")),
    }
    let path = words.next().ok_or_else(|| wrong("the path is missing"))?;
    assertion.path = Some(PathPattern::parse(path).map_err(of_pattern)?);
    match [(); 3].map(|()| words.next()) {
        [None, ..] => {}
        [Some("in"), Some(file), None] => {
            assertion.file = Some(FilePattern::parse(file).map_err(of_pattern)?)
        }
        _ => return Err(wrong("behind the path stands nothing, or `in FILE`")),
    }
    Ok(assertion)
}

impl Assertion {
    /// Whether it holds for the leaves of `sources`. One that is about nobody or about nothing
    /// does not hold: it is a typing error, or the secret went elsewhere.
    pub fn check(&self, policy: &Policy, revocations: &[Revocation], sources: &[Source]) -> Verdict {
        let fails = |because: String| Verdict { holds: false, because, rule: None };
        let agents = match self.agents(policy) {
            Ok(agents) if agents.is_empty() => {
                return fails(format!("{} is no principal, and no rule is about it", self.agents));
            }
            Ok(agents) => agents,
            Err(error) => return fails(error.message),
        };
        let about = |source: &&Source| self.file.as_ref().is_none_or(|file| file.matches(&source.path));
        let sources: Vec<&Source> = sources.iter().filter(about).collect();
        if let (Some(file), true) = (&self.file, sources.is_empty()) {
            return fails(format!("no source is {file}"));
        }
        let mut example: Option<Verdict> = None;
        for source in sources {
            let scope = |agent: &String| policy.scope(revocations, agent, &source.path);
            let scopes: Vec<Scope<'_>> = agents.iter().map(scope).collect();
            let leaves = source.leaves.iter();
            for leaf in leaves.filter(|leaf| self.path.as_ref().is_none_or(|path| path.covers(leaf))) {
                for (agent, scope) in agents.iter().zip(&scopes) {
                    let verdict = self.verdict(agent, source, leaf, &scope.decide(leaf));
                    if !verdict.holds {
                        return verdict;
                    }
                    // An example with a rule says more than one without.
                    if example.as_ref().is_none_or(|it| it.rule.is_none() && verdict.rule.is_some()) {
                        example = Some(verdict);
                    }
                }
            }
        }
        example.unwrap_or_else(|| match &self.path {
            Some(path) => fails(format!("no source holds {path}")),
            None => fails("the file holds no secret".to_owned()),
        })
    }

    /// The names that it is about.
    fn agents(&self, policy: &Policy) -> Result<Vec<String>, PatternError> {
        let asked = Agents::parse(std::slice::from_ref(&self.agents), &policy.groups)?;
        let mut names: BTreeSet<String> = policy.known_names();
        if !self.grants {
            let of_rules = policy.allows.iter().flat_map(|rule| rule.agents.patterns());
            names.extend(of_rules.chain(asked.patterns()).flat_map(NamePattern::samples));
        }
        names.retain(|name| asked.covers(name));
        Ok(names.into_iter().collect())
    }

    fn verdict(&self, agent: &str, source: &Source, leaf: &[String], decision: &Decision) -> Verdict {
        let wanted: Vec<Level> = self.levels.unwrap_or(Levels::ALL).iter().collect();
        let has = |level: &&Level| decision.levels.has(**level);
        let (holds, decisive) = match (self.grants, self.levels) {
            // To reach is to have one of them, to be able to do is to have each.
            (true, None) => (wanted.iter().any(|it| has(&it)), wanted.iter().find(has)),
            (true, Some(_)) => {
                let missing = wanted.iter().find(|it| !has(it));
                (missing.is_none(), missing.or(wanted.first()))
            }
            (false, _) => {
                let granted = wanted.iter().find(has);
                (granted.is_none(), granted)
            }
        };
        let level =
            decisive.or_else(|| wanted.iter().find(|level| decision.because(**level) != Because::NoRule));
        let level = level.or(wanted.first()).copied().unwrap_or(Level::Read);
        let because = decision.because(level);
        let verb = match (decision.levels.has(level), because) {
            (true, _) => format!("may {level}", level = level.as_str()),
            (false, Because::NeedsLease(_)) => format!("needs a lease to {}", level.as_str()),
            (false, Because::Denied(_)) => format!("is denied {}", level.as_str()),
            (false, _) => format!("is granted no {}", level.as_str()),
        };
        Verdict {
            holds,
            because: format!("{agent} {verb}: {} in {}", show_path(leaf), source.path),
            rule: because.rule().cloned(),
        }
    }
}
