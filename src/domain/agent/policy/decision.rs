//! What a policy decides: for a principal, a source and the path of a leaf in it.

use super::{Agents, Allow, Deny, Level, Levels, PLACE, Policy, REVOCATIONS, Revocation};
use crate::domain::agent::denial::DenyCode;
use crate::domain::agent::pattern::{FilePattern, PathPattern};

/// What is asked about.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The name of a principal.
    pub agent: &'a str,
    /// The file, from the folder that the policy governs.
    pub source: &'a str,
    /// The keys that lead to the leaf. Items of a list have no key: a leaf in one has the path of the
    /// list and the keys within the item.
    pub path: &'a [String],
}

/// The file that a rule stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleSource {
    /// The policy.
    Policy,
    /// The signed denials.
    Revocations,
}

impl RuleSource {
    /// Its path from the folder that the policy governs.
    pub fn place(self) -> &'static str {
        match self {
            Self::Policy => PLACE,
            Self::Revocations => REVOCATIONS,
        }
    }
}

/// A rule that matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleRef {
    /// Its file.
    pub source: RuleSource,
    /// Its one-based line.
    pub line: usize,
    /// The secrets that it is about, as it is written.
    pub what: String,
    /// What it allows or denies.
    pub levels: Levels,
    /// True when it holds during a lease only.
    pub lease: bool,
}

/// What is decided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// What is granted.
    pub levels: Levels,
    /// What is denied, whatever allows it.
    pub denied: Levels,
    /// The rules that allow and match, those that hold during a lease only included.
    pub allowed_by: Vec<RuleRef>,
    /// The rules that deny and match.
    pub denied_by: Vec<RuleRef>,
    /// True when a reason must be given.
    pub needs_reason: bool,
    /// True when a lease would grant more.
    pub needs_lease: bool,
    /// True when [`Level::Use`] is granted for sending only.
    pub only_post: bool,
}

/// Why a level is granted or not: the rule that decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because<'d> {
    /// A rule allows it.
    Allowed(&'d RuleRef),
    /// A rule allows to read, which implies [`Level::Exec`].
    Implied(&'d RuleRef),
    /// A rule denies it.
    Denied(&'d RuleRef),
    /// A rule allows it during a lease, and there is none.
    NeedsLease(&'d RuleRef),
    /// No rule allows it.
    NoRule,
}

impl<'d> Because<'d> {
    /// The rule, where one decides.
    pub fn rule(self) -> Option<&'d RuleRef> {
        match self {
            Self::Allowed(rule) | Self::Implied(rule) | Self::Denied(rule) | Self::NeedsLease(rule) => {
                Some(rule)
            }
            Self::NoRule => None,
        }
    }

    /// Why somebody may not: the code, and the rule in words if one says so.
    pub fn refusal(self) -> (DenyCode, Option<String>) {
        let at = |rule: &RuleRef| format!("{}:{}", rule.source.place(), rule.line);
        match self {
            Self::Denied(rule) => {
                let code = match rule.source {
                    RuleSource::Revocations => DenyCode::Revoked,
                    RuleSource::Policy => DenyCode::NotAllowed,
                };
                (code, Some(format!("{} denies it", at(rule))))
            }
            Self::NeedsLease(rule) => {
                let why = format!("{} allows it during a lease, and there is none", at(rule));
                (DenyCode::NoLease, Some(why))
            }
            Self::Allowed(_) | Self::Implied(_) | Self::NoRule => (DenyCode::NotAllowed, None),
        }
    }
}

impl Decision {
    /// The rule that decides about `level`; of several that do, the first.
    pub fn because(&self, level: Level) -> Because<'_> {
        let of = |level: Level, lease: bool| {
            self.allowed_by.iter().find(move |rule| rule.lease == lease && rule.levels.has(level))
        };
        if self.levels.has(level) {
            let implied = || of(Level::Read, false).map(Because::Implied);
            return of(level, false).map(Because::Allowed).or_else(implied).unwrap_or(Because::NoRule);
        }
        let denied = self.denied_by.iter().find(|rule| rule.levels.has(level)).map(Because::Denied);
        denied.or_else(|| of(level, true).map(Because::NeedsLease)).unwrap_or(Because::NoRule)
    }

    /// What is decided about a leaf that has another path besides, with another decision:
    /// only what both grant is granted.
    fn and(mut self, other: Self) -> Self {
        let with_lease = |it: &Self| {
            let leases = it.allowed_by.iter().filter(|rule| rule.lease);
            leases.fold(it.levels, |levels, rule| levels.with(rule.levels.without(it.denied)))
        };
        let possible = with_lease(&self).shared(with_lease(&other));
        let Rights { levels, denied } = self.rights().and(other.rights());
        self.needs_lease = !possible.without(denied).without(levels).is_empty();
        self.needs_reason |= other.needs_reason;
        self.only_post = levels.has(Level::Use) && (self.only_post || other.only_post);
        for (rules, more) in
            [(&mut self.allowed_by, other.allowed_by), (&mut self.denied_by, other.denied_by)]
        {
            let new: Vec<RuleRef> = more.into_iter().filter(|rule| !rules.contains(rule)).collect();
            rules.extend(new);
        }
        Self { levels, denied, ..self }
    }

    fn rights(&self) -> Rights {
        Rights { levels: self.levels, denied: self.denied }
    }
}

/// A decision without its reasons.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// What is granted.
    pub levels: Levels,
    /// What is denied, whatever allows it.
    pub denied: Levels,
}

impl Rights {
    fn and(self, other: Self) -> Self {
        let denied = self.denied.with(other.denied);
        Self { levels: self.levels.shared(other.levels).without(denied), denied }
    }

    /// True when a copy of the leaf goes into the file of a principal with these rights:
    /// it may read it, or start programs with it and nobody else is there to do so.
    fn is_own(self, has_broker: bool) -> bool {
        self.levels.has(Level::Read)
            || (self.levels.has(Level::Exec) && !has_broker && !self.denied.has(Level::Read))
    }
}

/// YAML's merge key.
const MERGE: &str = "<<";

/// The rules about one principal and one source: found once, asked about every leaf of it.
///
/// A leaf below a merge key (`<<`) is another leaf to applications: what is granted of it
/// must be granted under the path that SOPS gives it, and under the one without the merge
/// key.
#[derive(Clone, Debug)]
pub struct Scope<'p> {
    allows: Vec<&'p Allow>,
    denies: Vec<(RuleSource, &'p Deny)>,
    require_reason: bool,
}

impl Scope<'_> {
    /// Decides about the leaf at `path`. Default deny; what several rules allow is their
    /// union; any denial wins. Who may read may also start programs with the value, unless
    /// that is denied.
    pub fn decide(&self, path: &[String]) -> Decision {
        let decision = self.of_path(path);
        match merged(path) {
            Some(merged) => decision.and(self.of_path(&merged)),
            None => decision,
        }
    }

    fn of_path(&self, path: &[String]) -> Decision {
        let mut decision = Decision::default();
        let mut only_post = None;
        for rule in self.allows.iter().filter(|rule| rule.path.covers(path)) {
            decision.allowed_by.push(RuleRef {
                source: RuleSource::Policy,
                line: rule.line,
                what: rule.path.as_str().to_owned(),
                levels: rule.levels,
                lease: rule.lease,
            });
            decision.needs_reason |= rule.reason;
            if !rule.lease && rule.levels.has(Level::Use) {
                only_post = Some(rule.only_post && only_post.unwrap_or(true));
            }
        }
        for (source, deny) in &self.denies {
            let Some(pattern) = deny.pattern_of(path) else { continue };
            decision.denied_by.push(RuleRef {
                source: *source,
                line: deny.line,
                what: pattern.as_str().to_owned(),
                levels: deny.levels,
                lease: false,
            });
        }
        Rights { levels: decision.levels, denied: decision.denied } = self.rights_of_path(path);
        decision.only_post = decision.levels.has(Level::Use) && only_post == Some(true);
        decision.needs_reason |= self.require_reason;
        decision.needs_lease = decision.allowed_by.iter().any(|rule| {
            rule.lease && !rule.levels.without(decision.denied).without(decision.levels).is_empty()
        });
        decision
    }

    /// What [`Self::decide`] decides, without the rules by which it does: for many leaves.
    pub fn rights(&self, path: &[String]) -> Rights {
        let rights = self.rights_of_path(path);
        match merged(path) {
            Some(merged) => rights.and(self.rights_of_path(&merged)),
            None => rights,
        }
    }

    fn rights_of_path(&self, path: &[String]) -> Rights {
        let standing = self.allows.iter().filter(|rule| !rule.lease && rule.path.covers(path));
        let allowed = standing.fold(Levels::NONE, |levels, rule| levels.with(rule.levels));
        let denies = self.denies.iter().filter(|(_, deny)| deny.pattern_of(path).is_some());
        let denied = denies.fold(Levels::NONE, |levels, (_, deny)| levels.with(deny.levels));
        Rights { levels: settle(allowed, denied), denied }
    }
}

/// The path to applications of a leaf below a merge key.
fn merged(path: &[String]) -> Option<Vec<String>> {
    path.iter().any(|key| key == MERGE).then(|| path.iter().filter(|key| *key != MERGE).cloned().collect())
}

/// Which leaves of a source go into the derived file of a principal.
#[derive(Clone, Debug)]
pub struct Compiled<'p> {
    own: Scope<'p>,
    has_broker: bool,
    /// Of the agents whose broker it is.
    served: Vec<Scope<'p>>,
}

impl Compiled<'_> {
    /// True when the leaf goes into it: because of the principal's own rights, or because
    /// it is the broker of an agent that may use the leaf without reading it. What is
    /// denied to the broker itself it does not get for others either.
    pub fn holds(&self, path: &[String]) -> bool {
        let own = self.own.rights(path);
        if own.is_own(self.has_broker) {
            return true;
        }
        let handed = Levels::from_iter([Level::Exec, Level::Use]).without(own.denied);
        self.served.iter().any(|agent| !agent.rights(path).levels.shared(handed).is_empty())
    }
}

impl Policy {
    /// The rules about `agent` and a source.
    pub fn scope<'p>(&'p self, revocations: &'p [Revocation], agent: &str, source: &str) -> Scope<'p> {
        let is_about = |files: &[FilePattern], agents: &Agents| {
            (files.is_empty() || files.iter().any(|file| file.matches(source))) && agents.covers(agent)
        };
        let denies = self.denies.iter().map(|deny| (RuleSource::Policy, deny));
        let revoked = revocations.iter().map(|it| (RuleSource::Revocations, &it.deny));
        Scope {
            allows: self.allows.iter().filter(|rule| is_about(&rule.files, &rule.agents)).collect(),
            denies: denies.chain(revoked).filter(|(_, deny)| is_about(&deny.files, &deny.agents)).collect(),
            require_reason: self.require_reason,
        }
    }

    /// What [`Scope::decide`] says of one leaf.
    pub fn decide(&self, revocations: &[Revocation], subject: &Subject<'_>) -> Decision {
        self.scope(revocations, subject.agent, subject.source).decide(subject.path)
    }

    /// Which leaves of a source go into the derived file of a principal; `None` for a name
    /// that is none's.
    pub fn compiled<'p>(
        &'p self,
        revocations: &'p [Revocation],
        principal: &str,
        source: &str,
    ) -> Option<Compiled<'p>> {
        let own = self.principals.get(principal)?;
        let served = self.principals.values().filter(|agent| agent.broker.as_deref() == Some(principal));
        Some(Compiled {
            own: self.scope(revocations, principal, source),
            has_broker: own.broker.is_some(),
            served: served.map(|agent| self.scope(revocations, &agent.name, source)).collect(),
        })
    }

    /// What [`Compiled::holds`] says of one leaf.
    pub fn is_compiled_for(
        &self,
        revocations: &[Revocation],
        principal: &str,
        source: &str,
        path: &[String],
    ) -> bool {
        self.compiled(revocations, principal, source).is_some_and(|compiled| compiled.holds(path))
    }
}

/// What remains of `allowed`, with what it implies.
fn settle(allowed: Levels, denied: Levels) -> Levels {
    let granted = allowed.without(denied);
    if granted.has(Level::Read) { granted.with(Levels::from(Level::Exec).without(denied)) } else { granted }
}

impl Deny {
    /// The pattern by which it is about the leaf at `path`.
    fn pattern_of(&self, path: &[String]) -> Option<&PathPattern> {
        self.paths.iter().find(|pattern| pattern.covers(path))
    }
}
