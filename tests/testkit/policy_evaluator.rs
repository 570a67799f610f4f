//! What a policy grants, by the words of `src/docs/policy.md` alone: slow, without any code of the
//! program. Wildcards are written out until none is left but `*` within a segment.

use std::collections::BTreeSet;

use super::gen_policy::TestPolicy;

/// Levels by their words: read, exec, use, write.
pub(crate) type Granted = BTreeSet<&'static str>;

/// What `agent` may do with a leaf.
pub(crate) fn granted(policy: &TestPolicy, agent: &str, source: &str, path: &[String]) -> Granted {
    let denied = denied(policy, agent, source, path);
    let mut granted = Granted::new();
    for rule in policy.allows.iter().filter(|rule| !rule.lease) {
        if is_about(
            policy,
            &rule.agents,
            &rule.files,
            std::slice::from_ref(&rule.path),
            (agent, source, path),
        ) {
            let words = if rule.levels.is_empty() { &["read"][..] } else { &rule.levels[..] };
            granted.extend(meant(words));
        }
    }
    let mut granted: Granted = granted.difference(&denied).copied().collect();
    if granted.contains("read") && !denied.contains("exec") {
        granted.insert("exec");
    }
    granted
}

/// What is denied to `agent`, whatever allows it.
pub(crate) fn denied(policy: &TestPolicy, agent: &str, source: &str, path: &[String]) -> Granted {
    let mut denied = Granted::new();
    for rule in &policy.denies {
        if is_about(policy, &rule.agents, &rule.files, &rule.paths, (agent, source, path)) {
            let all = ["read", "exec", "use", "write"];
            denied.extend(if rule.levels.is_empty() { all.into() } else { meant(&rule.levels) });
        }
    }
    denied
}

/// True if the file of `name` holds the leaf: what it may read; what it may run if there is no
/// broker to do so and reading is not denied; and what those whose broker it is may run or use, unless
/// that is denied to it.
pub(crate) fn is_held(policy: &TestPolicy, name: &str, source: &str, path: &[String]) -> bool {
    let Some(principal) = policy.principals.iter().find(|it| it.name == name) else { return false };
    let own = granted(policy, name, source, path);
    let denied = denied(policy, name, source, path);
    if own.contains("read") {
        return true;
    }
    if own.contains("exec") && principal.broker.is_none() && !denied.contains("read") {
        return true;
    }
    policy.principals.iter().filter(|it| it.broker.as_deref() == Some(name)).any(|agent| {
        let rights = granted(policy, &agent.name, source, path);
        ["exec", "use"].iter().any(|level| rights.contains(level) && !denied.contains(level))
    })
}

fn meant(words: &[&'static str]) -> Granted {
    let mut levels = Granted::new();
    for word in words {
        match *word {
            "readonly" => levels.extend(["read"]),
            "post" => levels.extend(["use"]),
            "read-write" => levels.extend(["read", "write"]),
            word => levels.extend([word]),
        }
    }
    levels
}

fn is_about(
    policy: &TestPolicy,
    agents: &[String],
    files: &[String],
    paths: &[String],
    (agent, source, path): (&str, &str, &[String]),
) -> bool {
    let split = |text: &str| text.split('/').map(str::to_owned).collect::<Vec<_>>();
    let is_file = |pattern: &String| matches_all(&split(pattern), &split(source));
    let is_name = |pattern: &String| matches_all(&split(pattern), &split(agent));
    let is_meant = |entry: &String| match policy.groups.iter().find(|(name, _)| name == entry) {
        Some((_, members)) => members.iter().any(is_name),
        None => is_name(entry),
    };
    // A path names a subtree: everything that begins with it.
    let covers = |pattern: &String| (0..=path.len()).any(|end| matches_path(pattern, &path[..end]));
    (files.is_empty() || files.iter().any(is_file)) && agents.iter().any(is_meant) && paths.iter().any(covers)
}

/// A segment in quotes is marked so that nothing in it is a wildcard.
const QUOTED: char = '\u{1}';

fn matches_path(pattern: &str, path: &[String]) -> bool {
    let mut segments: Vec<String> = Vec::new();
    let mut rest = pattern;
    while !rest.is_empty() {
        rest = rest.strip_prefix('.').unwrap_or(rest);
        if let Some(inner) = rest.strip_prefix("[\"") {
            let (key, behind) = inner.split_once("\"]").unwrap();
            segments.push(format!("{QUOTED}{key}"));
            rest = behind;
        } else {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            segments.push(rest[..end].to_owned());
            rest = &rest[end..];
        }
    }
    matches_all(&segments, path)
}

/// Whether one of the patterns without `**` and braces that `pattern` stands for is `path`.
fn matches_all(pattern: &[String], path: &[String]) -> bool {
    let mut patterns: Vec<Vec<String>> = vec![Vec::new()];
    for segment in pattern {
        let ways: Vec<Vec<String>> = match segment.as_str() {
            "**" => (0..=path.len()).map(|count| vec!["*".to_owned(); count]).collect(),
            _ if segment.starts_with(QUOTED) => vec![vec![segment.clone()]],
            _ => match segment.split_once('{') {
                Some((before, inner)) => {
                    let (inner, after) = inner.split_once('}').unwrap();
                    inner.split(',').map(|way| vec![format!("{before}{way}{after}")]).collect()
                }
                None => vec![vec![segment.clone()]],
            },
        };
        patterns = patterns
            .iter()
            .flat_map(|head| ways.iter().map(move |way| [head.as_slice(), way.as_slice()].concat()))
            .filter(|head| head.len() <= path.len())
            .collect();
    }
    patterns.iter().any(|pattern| {
        pattern.len() == path.len() && pattern.iter().zip(path).all(|(own, key)| matches_segment(own, key))
    })
}

fn matches_segment(pattern: &str, text: &str) -> bool {
    if let Some(literal) = pattern.strip_prefix(QUOTED) {
        return literal == text;
    }
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            let ends = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
            ends.into_iter().any(|at| matches_segment(after, &rest[at..]))
        }),
    }
}
