//! What a policy decides: for a principal, a source and the path of a leaf in it.

use crate::domain::agent::denial::DenyCode;

use super::{Allow, Deny, Level, Levels, PLACE, Policy, REVOCATIONS, Revocation};

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

    /// True when a copy of the leaf goes into the file of a principal with these rights:
    /// it may read it, or start programs with it and nobody else is there to do so.
    fn is_own(&self, has_broker: bool) -> bool {
        self.levels.has(Level::Read)
            || (self.levels.has(Level::Exec) && !has_broker && !self.denied.has(Level::Read))
    }
}

impl Policy {
    /// Decides. Default deny; what several rules allow is their union; any denial wins. Who may read
    /// may also start programs with the value, unless that is denied.
    pub fn decide(&self, revocations: &[Revocation], subject: &Subject<'_>) -> Decision {
        let mut decision = Decision::default();
        let mut only_post = None;
        for rule in self.allows.iter().filter(|rule| rule.concerns(subject)) {
            let what = rule.path.as_str().to_owned();
            decision.allowed_by.push(RuleRef {
                source: RuleSource::Policy,
                line: rule.line,
                what,
                levels: rule.levels,
                lease: rule.lease,
            });
            decision.needs_reason |= rule.reason;
            if rule.lease {
                continue;
            }
            decision.levels = decision.levels.with(rule.levels);
            if rule.levels.has(Level::Use) {
                only_post = Some(rule.only_post && only_post.unwrap_or(true));
            }
        }
        let denies = self.denies.iter().map(|deny| (RuleSource::Policy, deny));
        let revoked = revocations.iter().map(|it| (RuleSource::Revocations, &it.deny));
        for (source, deny) in denies.chain(revoked) {
            let Some(what) = deny.concerns(subject) else { continue };
            decision.denied = decision.denied.with(deny.levels);
            let (line, levels) = (deny.line, deny.levels);
            decision.denied_by.push(RuleRef { source, line, what, levels, lease: false });
        }
        decision.levels = settle(decision.levels, decision.denied);
        decision.only_post = decision.levels.has(Level::Use) && only_post == Some(true);
        decision.needs_reason |= self.require_reason;
        decision.needs_lease = decision.allowed_by.iter().any(|rule| {
            rule.lease && !rule.levels.without(decision.denied).without(decision.levels).is_empty()
        });
        decision
    }

    /// True when the leaf goes into the derived file of `principal`: because of its own rights, or
    /// because it is the broker of an agent that may use it without reading it. What is denied
    /// to the broker itself it does not get for others either.
    pub fn is_compiled_for(
        &self,
        revocations: &[Revocation],
        principal: &str,
        source: &str,
        path: &[String],
    ) -> bool {
        let Some(own) = self.principals.get(principal) else { return false };
        let decide = |agent: &str| self.decide(revocations, &Subject { agent, source, path });
        let decision = decide(principal);
        if decision.is_own(own.broker.is_some()) {
            return true;
        }
        let handed = Levels::from_iter([Level::Exec, Level::Use]).without(decision.denied);
        self.principals
            .values()
            .filter(|agent| agent.broker.as_deref() == Some(principal))
            .any(|agent| !decide(&agent.name).levels.shared(handed).is_empty())
    }
}

/// What remains of `allowed`, with what it implies.
fn settle(allowed: Levels, denied: Levels) -> Levels {
    let granted = allowed.without(denied);
    if granted.has(Level::Read) { granted.with(Levels::from(Level::Exec).without(denied)) } else { granted }
}

impl Allow {
    /// True when it is about that principal, file and leaf.
    pub fn concerns(&self, subject: &Subject<'_>) -> bool {
        (self.files.is_empty() || self.files.iter().any(|file| file.matches(subject.source)))
            && self.path.covers(subject.path)
            && self.agents.covers(subject.agent)
    }
}

impl Deny {
    /// The pattern by which it is about that principal, file and leaf, as it is written.
    pub fn concerns(&self, subject: &Subject<'_>) -> Option<String> {
        if !(self.files.is_empty() || self.files.iter().any(|file| file.matches(subject.source)))
            || !self.agents.covers(subject.agent)
        {
            return None;
        }
        let path = self.paths.iter().find(|path| path.covers(subject.path))?;
        Some(path.as_str().to_owned())
    }
}
