//! What is probably a mistake in a policy that can be read: grants that reach nobody or nothing, that
//! reach too much, that nobody can make use of.

mod kinds;
mod rules;

pub use kinds::{LintKind, Severity};

use std::collections::BTreeSet;

use super::{Policy, PolicyError, Role};
use crate::domain::agent::leaves::Source;
use rules::Rules;

/// One thing that is probably wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What kind of thing.
    pub kind: LintKind,
    /// One-based line of the policy, where there is one.
    pub line: Option<usize>,
    /// What is wrong here.
    pub message: String,
    /// What to do.
    pub advice: String,
}

impl Finding {
    fn new(
        kind: LintKind,
        line: Option<usize>,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self { kind, line, message: message.into(), advice: advice.into() }
    }

    /// The finding that a policy cannot be read.
    pub fn unreadable(error: PolicyError) -> Self {
        let advice =
            error.advice.unwrap_or_else(|| "correct it: nothing is granted by such a policy".to_owned());
        Self::new(LintKind::Unreadable, error.line, error.message, advice)
    }
}

/// What is probably wrong, by line. `sources` are the files that it governs, `now` the time as
/// RFC 3339 in UTC with whole seconds.
pub fn lint(policy: &Policy, sources: &[Source], now: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    validity(policy, now, &mut findings);
    principals(policy, &mut findings);
    groups(policy, &mut findings);
    files(policy, sources, &mut findings);
    people(policy, sources, &mut findings);
    Rules { policy, sources }.check(&mut findings);
    findings.sort_by(|one, other| {
        (one.line, one.kind, &one.message).cmp(&(other.line, other.kind, &other.message))
    });
    findings.dedup();
    findings
}

fn validity(policy: &Policy, now: &str, findings: &mut Vec<Finding>) {
    let line = policy.lines.get("valid_until").copied();
    match &policy.valid_until {
        None => findings.push(Finding::new(
            LintKind::NoExpiry,
            None,
            "valid_until is missing: an old copy of this policy never goes out of date",
            "write valid_until: and a time some months from now",
        )),
        Some(end) if end.as_str() <= now => findings.push(Finding::new(
            LintKind::Expired,
            line,
            format!("the policy is out of date since {end}: nothing is granted"),
            "write a later valid_until, a higher serial, and sign it again",
        )),
        Some(_) => {}
    }
    let missing = [("repo", policy.repo.is_none()), ("serial", policy.serial.is_none())];
    for (key, _) in missing.into_iter().filter(|(_, missing)| *missing) {
        findings.push(Finding::new(
            LintKind::Unsignable,
            None,
            format!("{key} is missing: the policy cannot be signed without"),
            match key {
                "repo" => "write repo: and some random letters and digits, once for the repository",
                _ => "write serial: 1, and a higher one with every change",
            },
        ));
    }
}

fn principals(policy: &Policy, findings: &mut Vec<Finding>) {
    let served: BTreeSet<&str> = policy.principals.values().filter_map(|it| it.broker.as_deref()).collect();
    for principal in policy.principals.values() {
        let name = &principal.name;
        let line = Some(principal.line);
        let is_granted = policy.allows.iter().any(|rule| rule.agents.covers(name));
        if principal.age.is_empty() && is_granted {
            findings.push(Finding::new(
                LintKind::NoIdentity,
                line,
                format!("{name} is granted secrets and has no age recipient: it gets no file"),
                format!("`leaflock agent rekey {name}` gives it keys"),
            ));
        }
        let is_unused = match principal.roles.contains(&Role::Broker) {
            true => !served.contains(name.as_str()) && !is_granted,
            false => principal.is_agent() && !is_granted && !served.contains(name.as_str()),
        };
        if is_unused {
            findings.push(Finding::new(
                LintKind::NeverGranted,
                line,
                format!("{name} is granted nothing, and is nobody's broker"),
                "grant it something, or remove it",
            ));
        }
        let broker = principal.broker.as_ref().and_then(|broker| policy.principals.get(broker));
        if let Some(broker) = broker.filter(|broker| !broker.roles.contains(&Role::Broker)) {
            findings.push(Finding::new(
                LintKind::NoBroker,
                line,
                format!("the broker of {name}, {}, does not have the role broker", broker.name),
                format!("write roles: [broker] for {}", broker.name),
            ));
        }
        if broker.is_some_and(|broker| broker.age.is_empty()) {
            findings.push(Finding::new(
                LintKind::NoBroker,
                line,
                format!("the broker of {name} has no age recipient: what {name} may use is unavailable"),
                "give the broker keys",
            ));
        }
    }
}

fn groups(policy: &Policy, findings: &mut Vec<Finding>) {
    let mut used: BTreeSet<&str> = policy.recovery.iter().map(String::as_str).collect();
    used.extend(
        policy.sources.iter().flatten().flat_map(|source| source.recipients.iter().map(String::as_str)),
    );
    used.extend(policy.allows.iter().flat_map(|rule| rule.agents.entries()));
    used.extend(policy.denies.iter().flat_map(|rule| rule.agents.entries()));
    for (name, group) in &policy.groups {
        let line = Some(group.line);
        if !used.contains(name.as_str()) {
            findings.push(Finding::new(
                LintKind::UnusedGroup,
                line,
                format!("nothing names the group {name}"),
                "use it, or remove it",
            ));
        }
        let is_known =
            |member: &super::NamePattern| policy.principals.keys().any(|principal| member.matches(principal));
        for member in group.members.iter().filter(|member| !is_known(member)) {
            findings.push(Finding::new(
                LintKind::MatchesNobody,
                line,
                format!("{member} in the group {name} is no principal"),
                "add it to `principals`, or correct the name",
            ));
        }
    }
}

fn files(policy: &Policy, sources: &[Source], findings: &mut Vec<Finding>) {
    for rule in policy.sources.iter().flatten() {
        if !sources.iter().any(|source| rule.file.matches(&source.path)) {
            findings.push(Finding::new(
                LintKind::MatchesNothing,
                Some(rule.line),
                format!("no encrypted file is {}", rule.file),
                "correct the name, or encrypt the file",
            ));
        }
    }
}

/// Sources that no person could open if every agent were gone.
fn people(policy: &Policy, sources: &[Source], findings: &mut Vec<Finding>) {
    let is_person = |roles: &BTreeSet<Role>| roles.contains(&Role::Human) || roles.contains(&Role::Admin);
    let mut trusted: BTreeSet<String> = policy.recovery_recipients().into_iter().collect();
    let persons = policy.principals.values().filter(|principal| is_person(&principal.roles));
    trusted.extend(persons.flat_map(|principal| principal.age.iter().cloned()));
    for source in sources.iter().filter(|source| !source.has_other_keys) {
        if source.recipients.iter().any(|key| trusted.contains(key)) {
            continue;
        }
        findings.push(Finding::new(
            LintKind::NoPerson,
            policy.lines.get("sources").copied(),
            format!("{} opens for no human of the policy and no recovery recipient", source.path),
            "add a principal with the role human, or `recovery`, and run `leaflock updatekeys`",
        ));
    }
}
