//! `access_control`: the rules that allow, by the paths of the secrets, and those that deny.

use super::field::{Field, Reader};
use crate::domain::agent::pattern::{FilePattern, PathPattern};
use crate::domain::agent::policy::{Agents, Allow, Deny, Level, Levels, Policy, PolicyError};

/// The keys of a rule that allows.
const ALLOW: &[&str] =
    &["allowed_agents", "access_level", "file", "audit", "reason", "hosts", "require_lease"];

/// The keys of a rule that denies.
const DENY: &[&str] = &["agents", "secrets", "levels", "file"];

pub(super) fn read_all(reader: &Reader<'_>, section: &Field, policy: &mut Policy) -> Result<(), PolicyError> {
    for (key, field) in reader.known(section, &["secrets", "deny"])? {
        if key == "deny" {
            for field in reader.items(&field)? {
                policy.denies.push(deny(reader, &field, policy)?);
            }
            continue;
        }
        for (path, field) in reader.entries(&field)? {
            let pattern = PathPattern::parse(&path).map_err(|error| reader.pattern_fault(&field, error))?;
            let rules = if reader.is_list(&field)? { reader.items(&field)? } else { vec![field] };
            for field in rules {
                policy.allows.push(allow(reader, &field, pattern.clone(), policy)?);
            }
        }
    }
    Ok(())
}

fn allow(
    reader: &Reader<'_>,
    rule: &Field,
    path: PathPattern,
    policy: &Policy,
) -> Result<Allow, PolicyError> {
    let mut found = Allow {
        path,
        files: Vec::new(),
        agents: Agents::default(),
        levels: Level::Read.into(),
        only_post: false,
        audit: None,
        reason: false,
        lease: false,
        line: reader.line(rule),
    };
    let mut has_agents = false;
    for (key, field) in reader.known(rule, ALLOW)? {
        match key {
            "allowed_agents" => {
                found.agents = agents(reader, &field, policy)?;
                has_agents = true;
            }
            "access_level" => {
                found.levels = levels(reader, &field)?;
                let words = reader.texts(&field)?;
                found.only_post = !words.iter().any(|(word, _)| word == "use");
            }
            "file" => found.files = files(reader, &field)?,
            "audit" => found.audit = Some(reader.flag(&field)?),
            "reason" => found.reason = reader.flag(&field)?,
            "hosts" => {
                reader.items(&field)?;
            }
            _ => found.lease = reader.is_map(&field)? || reader.flag(&field)?,
        }
    }
    if !has_agents {
        let advice = "write `allowed_agents: [NAME, …]`; an empty list allows nobody";
        return Err(reader.fault(rule, "has no allowed_agents", Some(advice)));
    }
    Ok(found)
}

fn deny(reader: &Reader<'_>, rule: &Field, policy: &Policy) -> Result<Deny, PolicyError> {
    let mut who = None;
    let mut paths = Vec::new();
    let mut of_files = Vec::new();
    let mut denied = Levels::ALL;
    for (key, field) in reader.known(rule, DENY)? {
        match key {
            "agents" => who = Some(agents(reader, &field, policy)?),
            "secrets" => paths = reader.patterns(&field, PathPattern::parse)?,
            "levels" => denied = levels(reader, &field)?,
            _ => of_files = files(reader, &field)?,
        }
    }
    let missing =
        |what: &str| reader.fault(rule, what, Some("a denial names agents and secrets: \"**\" is all"));
    let agents = who.filter(|agents: &Agents| agents.entries().next().is_some());
    let agents = agents.ok_or_else(|| missing("has no agents"))?;
    if paths.is_empty() {
        return Err(missing("has no secrets"));
    }
    Ok(Deny { agents, paths, files: of_files, levels: denied, line: reader.line(rule) })
}

fn agents(reader: &Reader<'_>, field: &Field, policy: &Policy) -> Result<Agents, PolicyError> {
    let mut entries = Vec::new();
    for (text, field) in reader.texts(field)? {
        Agents::parse(std::slice::from_ref(&text), &policy.groups)
            .map_err(|error| reader.pattern_fault(&field, error))?;
        entries.push(text);
    }
    Agents::parse(&entries, &policy.groups).map_err(|error| reader.pattern_fault(field, error))
}

/// The files of a rule. None at all would read like all of them.
fn files(reader: &Reader<'_>, field: &Field) -> Result<Vec<FilePattern>, PolicyError> {
    let files = reader.patterns(field, FilePattern::parse)?;
    if files.is_empty() {
        return Err(reader.fault(field, "names no file", Some("leave it out where every source is meant")));
    }
    Ok(files)
}

fn levels(reader: &Reader<'_>, field: &Field) -> Result<Levels, PolicyError> {
    let advice = "the levels are read (readonly), exec, use (post) and write; read-write is read and write";
    let mut all = Levels::NONE;
    for (word, field) in reader.texts(field)? {
        let levels = Levels::parse(&word).ok_or_else(|| reader.fault(&field, "is no level", Some(advice)))?;
        all = all.with(levels);
    }
    if all.is_empty() {
        return Err(reader.fault(field, "names no level", Some(advice)));
    }
    Ok(all)
}
