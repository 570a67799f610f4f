//! How decisions of a policy are shown: as text for people, and as JSON.

use serde_json::{Value, json};

use super::keychange::count;
use crate::app::request::Notice;
use crate::domain::agent::pattern::show_path;
use crate::domain::agent::policy::{Because, Decision, Level, Levels, RuleRef, Subtree};

/// Rows in columns, two blanks between them, the last one as long as it likes.
pub fn table(indent: &str, rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        for (at, cell) in row.iter().enumerate() {
            let width = cell.chars().count();
            match widths.get_mut(at) {
                Some(widest) => *widest = width.max(*widest),
                None => widths.push(width),
            }
        }
    }
    let mut text = String::new();
    for row in rows {
        let mut line = indent.to_owned();
        for (at, cell) in row.iter().enumerate() {
            line.push_str(cell);
            if at + 1 < row.len() {
                let width = widths.get(at).copied().unwrap_or_default();
                line.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.chars().count()) + 2));
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// `databases.postgres`, `databases (12 values)`.
pub fn part<T>(part: &Subtree<T>) -> String {
    let path = show_path(&part.path);
    if part.leaves == 1 { path } else { format!("{path} ({})", count(part.leaves, "value")) }
}

/// `.leaflock/policy.yaml:4`
pub fn place(rule: &RuleRef) -> String {
    format!("{}:{}", rule.source.place(), rule.line)
}

/// `.leaflock/policy.yaml:4 allows read (databases.postgres)`
pub fn because(because: Because<'_>, level: Level) -> String {
    let level = level.as_str();
    let about = |rule: &RuleRef, what: &str| format!("{} {what} ({})", place(rule), rule.what);
    match because {
        Because::Allowed(rule) => about(rule, &format!("allows {level}")),
        Because::Implied(rule) => about(rule, &format!("allows read, and with it {level}")),
        Because::Denied(rule) => about(rule, &format!("denies {level}")),
        Because::NeedsLease(rule) => {
            about(rule, &format!("allows {level} during a lease, and there is none"))
        }
        Because::NoRule => "no rule allows it".to_owned(),
    }
}

/// The rules that grant levels, each once: `.leaflock/policy.yaml:4, .leaflock/policy.yaml:9`.
pub fn granting(decision: &Decision) -> String {
    let mut places: Vec<String> = Vec::new();
    for rule in decision.levels.iter().filter_map(|level| decision.because(level).rule()) {
        let place = place(rule);
        if !places.contains(&place) {
            places.push(place);
        }
    }
    places.join(", ")
}

/// What is granted: `read, exec`, `use (to send only)`.
pub fn levels(decision: &Decision) -> String {
    let only_post = if decision.only_post { " (POST only)" } else { "" };
    format!("{}{only_post}", decision.levels)
}

/// The levels as a list of words.
pub fn words(levels: Levels) -> Value {
    levels.iter().map(Level::as_str).collect::<Vec<_>>().into()
}

/// A rule that matched.
pub fn rule(rule: &RuleRef) -> Value {
    json!({
        "file": rule.source.place(),
        "line": rule.line,
        "secrets": rule.what,
        "levels": words(rule.levels),
        "lease": rule.lease,
    })
}

/// The rule that decides about a level.
pub fn deciding(decision: &Decision, level: Level) -> Value {
    let because = decision.because(level);
    let effect = match because {
        Because::Allowed(_) => "allowed",
        Because::Implied(_) => "implied_by_read",
        Because::Denied(_) => "denied",
        Because::NeedsLease(_) => "needs_lease",
        Because::NoRule => "no_rule",
    };
    json!({
        "level": level.as_str(),
        "granted": decision.levels.has(level),
        "because": effect,
        "rule": because.rule().map(rule),
    })
}

/// A part of a source and what is decided about it.
pub fn decided(part: &Subtree<Decision>) -> Value {
    let decision = &part.what;
    json!({
        "path": show_path(&part.path),
        "values": part.leaves,
        "levels": words(decision.levels),
        "decided": Level::ALL.map(|level| deciding(decision, level)),
        "only_post": decision.only_post,
        "needs_reason": decision.needs_reason,
        "needs_lease": decision.needs_lease,
    })
}

/// What to say of a name that is no principal's.
pub fn stranger(agent: &str, is_principal: bool) -> Option<Notice> {
    let text = format!("{agent} is no principal of the policy: it has no key, and gets no file");
    (!is_principal).then(|| {
        Notice::warning(text)
            .with_hint(format!("`leaflock agent add {agent} --out ~/.config/leaflock/agents` makes it one"))
    })
}
