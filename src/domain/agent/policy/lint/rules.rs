//! The checks of single rules.

use super::{Finding, LintKind};
use crate::domain::agent::leaves::Source;
use crate::domain::agent::pattern::{FilePattern, NamePattern, PathPattern, show_path};
use crate::domain::agent::policy::{Agents, Allow, Deny, Level, Levels, Policy, Principal, Rights};

/// The rules of a policy and the files that they are about.
pub(super) struct Rules<'p> {
    pub(super) policy: &'p Policy,
    pub(super) sources: &'p [Source],
}

/// Words for which a path or file is taken to be a live system's.
const PRODUCTION: [&str; 3] = ["prod", "production", "live"];

impl<'p> Rules<'p> {
    pub(super) fn check(&self, findings: &mut Vec<Finding>) {
        for rule in &self.policy.allows {
            self.agents(&rule.agents, rule.line, findings);
            self.place(std::slice::from_ref(&rule.path), &rule.files, rule.line, findings);
            self.width(rule, findings);
            self.availability(rule, findings);
        }
        for rule in &self.policy.denies {
            self.place(&rule.paths, &rule.files, rule.line, findings);
            self.denied(rule, findings);
        }
    }

    /// Entries that are nobody's.
    fn agents(&self, agents: &Agents, line: usize, findings: &mut Vec<Finding>) {
        let one_by_one = agents.entries().map(|entry| [entry.to_owned()]);
        for entry in one_by_one {
            let Ok(alone) = Agents::parse(&entry, &self.policy.groups) else { continue };
            if self.policy.principals.keys().any(|name| alone.covers(name)) {
                continue;
            }
            let [entry] = entry;
            let is_name = alone.patterns().any(|pattern| pattern.literal() == Some(&entry));
            let (kind, message, advice) = if is_name {
                let message = format!("{entry} is granted secrets and is no principal: it has no key");
                (
                    LintKind::NoIdentity,
                    message,
                    format!("`leaflock agent add {entry} --out ~/.config/leaflock/agents` makes it one"),
                )
            } else {
                let message = format!("{entry} matches no principal");
                (LintKind::MatchesNobody, message, "add principals, or correct the pattern".to_owned())
            };
            findings.push(Finding::new(kind, Some(line), message, advice));
        }
        if agents.entries().next().is_none() {
            let message = "allowed_agents is empty: the rule grants nothing";
            findings.push(Finding::new(
                LintKind::MatchesNobody,
                Some(line),
                message,
                "name somebody, or remove it",
            ));
        }
    }

    /// Paths and files that are not there.
    fn place(&self, paths: &[PathPattern], files: &[FilePattern], line: usize, findings: &mut Vec<Finding>) {
        let mut add = |message: String| {
            let advice = "correct the name; `leaflock policy explain` lists the paths that there are";
            findings.push(Finding::new(LintKind::MatchesNothing, Some(line), message, advice));
        };
        for file in files.iter().filter(|file| !self.sources.iter().any(|it| file.matches(&it.path))) {
            add(format!("no source is {file}"));
        }
        for path in paths {
            if !self.sources(files).any(|source| source.leaves.iter().any(|leaf| path.covers(leaf))) {
                let of = if files.is_empty() { "no source" } else { "none of its files" };
                add(format!("{of} holds {path}"));
            }
        }
    }

    /// The sources that `files` are about.
    fn sources<'f>(&self, files: &'f [FilePattern]) -> impl Iterator<Item = &'p Source> + use<'p, 'f> {
        let about =
            |source: &&Source| files.is_empty() || files.iter().any(|file| file.matches(&source.path));
        self.sources.iter().filter(about)
    }

    fn width(&self, rule: &Allow, findings: &mut Vec<Finding>) {
        if rule.audit == Some(false) {
            findings.push(Finding::new(
                LintKind::AuditOff,
                Some(rule.line),
                "audit: false has no effect: everything is recorded",
                "remove it",
            ));
        }
        let everybody =
            rule.agents.patterns().find(|it| ["*", "**", "*/*", "*/**", "**/*"].contains(&it.as_str()));
        let everything =
            rule.path.is_everything() && (rule.files.is_empty() || rule.files.iter().any(is_any));
        let is_live = || {
            let covers = |source: &Source| source.leaves.iter().any(|leaf| rule.path.covers(leaf));
            is_production(rule.path.as_str())
                || rule.files.iter().any(|file| is_production(file.as_str()))
                || self.sources(&rule.files).any(|source| is_production(&source.path) && covers(source))
        };
        let what = match (everybody, everything) {
            (Some(who), true) => format!("{who} is granted {} of every secret", rule.levels),
            (Some(who), false) if is_live() => {
                format!("{who} is granted {} of secrets of production", rule.levels)
            }
            (None, true) => format!("every secret of every source is granted ({})", rule.levels),
            _ => return,
        };
        let advice = "name agents and paths: whoever is added later gets it too";
        findings.push(Finding::new(LintKind::TooWide, Some(rule.line), what, advice));
    }

    /// Rights that nothing comes of.
    fn availability(&self, rule: &Allow, findings: &mut Vec<Finding>) {
        let line = Some(rule.line);
        let granted: Vec<&Principal> =
            self.policy.principals.values().filter(|it| rule.agents.covers(&it.name)).collect();
        if rule.lease {
            let message = "require_lease: this build has no leases, so the rule grants nothing";
            findings.push(Finding::new(
                LintKind::LeaseUnavailable,
                line,
                message,
                "leave it as it is until then",
            ));
            return;
        }
        if rule.levels.without(Levels::from(Level::Use).with(Level::Write.into())).is_empty() {
            let message = format!("{}: no command of this build uses that right yet", rule.levels);
            let advice = "leave it as it is until then; exec and read are what programs get values by";
            findings.push(Finding::new(LintKind::NotUsed, line, message, advice));
        }
        let alone: Vec<&str> =
            granted.iter().filter(|it| it.broker.is_none()).map(|it| it.name.as_str()).collect();
        if rule.levels.has(Level::Use) && !alone.is_empty() {
            findings.push(Finding::new(
                LintKind::NoBroker,
                line,
                format!("use is granted to {}, without a broker: it is unavailable", some(&alone)),
                "name a broker in `principals`, which then holds the value",
            ));
        }
        let pairs = || granted.iter().flat_map(|agent| self.rights(rule, agent));
        let remains = |levels: Levels| !rule.levels.without(levels).is_empty();
        if pairs().next().is_some() && !pairs().any(|pair| remains(pair.rights.denied)) {
            findings.push(Finding::new(
                LintKind::DeniedAway,
                line,
                format!("denials take away all that the rule for {} grants", rule.path),
                "remove the rule, or make the denials narrower",
            ));
            return;
        }
        let is_blocked = |Pair { agent, rights, .. }: &Pair<'_>| {
            agent.broker.is_none() && rights.levels.has(Level::Exec) && rights.denied.has(Level::Read)
        };
        if rule.levels.has(Level::Exec)
            && let Some(Pair { agent, leaf, .. }) = pairs().find(is_blocked)
        {
            let path = show_path(leaf);
            findings.push(Finding::new(
                LintKind::ExecUnavailable,
                line,
                format!("{} may run programs with {path} but not read it, and has no broker", agent.name),
                "name a broker in `principals`: without one the value would have to be in the agent's file",
            ));
        }
    }

    /// What the policy says of `agent` and each leaf that `rule` is about.
    fn rights<'r>(&'r self, rule: &'r Allow, agent: &'r Principal) -> impl Iterator<Item = Pair<'r>> {
        self.sources(&rule.files).flat_map(move |source| {
            let scope = self.policy.scope(&[], &agent.name, &source.path);
            let leaves = source.leaves.iter().filter(|leaf| rule.path.covers(leaf));
            leaves.map(move |leaf| Pair { agent, leaf, rights: scope.rights(leaf) })
        })
    }

    fn denied(&self, rule: &Deny, findings: &mut Vec<Finding>) {
        // Whom a denial names is not known by that alone.
        let of_rules = self.policy.allows.iter().flat_map(|rule| rule.agents.patterns());
        let mut known: Vec<String> = of_rules.flat_map(NamePattern::samples).collect();
        known.extend(self.policy.principals.keys().cloned());
        for entry in rule.agents.entries().filter(|entry| *entry != "**").map(|entry| [entry.to_owned()]) {
            let alone = Agents::parse(&entry, &self.policy.groups);
            if alone.is_ok_and(|alone| !known.iter().any(|name| alone.covers(name))) {
                let message = format!("{} matches nobody: the denial protects from no one", entry[0]);
                let advice = "correct the name";
                findings.push(Finding::new(LintKind::MatchesNobody, Some(rule.line), message, advice));
            }
        }
    }
}

/// What somebody may do with a leaf.
struct Pair<'r> {
    agent: &'r Principal,
    leaf: &'r [String],
    rights: Rights,
}

fn is_any(file: &FilePattern) -> bool {
    file.as_str() == "**"
}

fn is_production(text: &str) -> bool {
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric());
    words.any(|word| PRODUCTION.iter().any(|known| word.eq_ignore_ascii_case(known)))
}

/// The first few of many names.
fn some(names: &[&str]) -> String {
    match names {
        [first, second, third, rest @ ..] if !rest.is_empty() => {
            format!("{first}, {second}, {third} and {} more", rest.len())
        }
        _ => names.join(", "),
    }
}
