//! Reads the text of a policy: its sections one after the other, then what their names
//! lead to.

mod field;
mod rules;

use std::collections::{BTreeMap, BTreeSet};

use super::{Group, Policy, PolicyError, Principal, Role, SourceRule};
use crate::domain::agent::hidden_characters;
use crate::domain::agent::pattern::{FilePattern, NamePattern, PatternError, check_name};
use crate::domain::agent::public_key::{PublicKey, PublicKeyError};
use crate::domain::keys::{recipient_kind, same_ssh_key};
use crate::domain::scalar::{LARGEST_EXACT, Timestamp};
use crate::domain::store::{Format, Purpose, ReadErrorKind};
use field::{Field, Reader};

/// The keys at the top.
const TOP: &[&str] = &[
    "version",
    "repo",
    "serial",
    "valid_until",
    "principals",
    "groups",
    "recovery",
    "sources",
    "access_control",
    "require_reason",
];

pub(super) fn read(bytes: &[u8]) -> Result<Policy, PolicyError> {
    if let Some(at) = bytes.split(|byte| *byte == b'\n').position(|line| line.starts_with(b"<<<<<<< ")) {
        let message = "a merge left conflicts in the policy".to_owned();
        return Err(PolicyError { message, line: Some(at + 1), advice: Some(CONFLICT.to_owned()) });
    }
    if let Some((line, what)) = hidden_characters::first(&String::from_utf8_lossy(bytes)) {
        let advice = Some(hidden_characters::ADVICE.to_owned());
        return Err(PolicyError { message: format!("there is {what}"), line: Some(line), advice });
    }
    let tree = Format::Yaml.store().read(bytes, Purpose::AsIs).map_err(|error| {
        let nothing = error.kind == ReadErrorKind::Empty || error.message == "EOF";
        let advice =
            if nothing { Some(EMPTY) } else { error.hint.or_else(|| syntax_advice(bytes, error.line)) };
        PolicyError { message: error.message, line: error.line, advice: advice.map(str::to_owned) }
    })?;
    let reader = Reader::new(&tree);
    let root = reader.root()?;
    let mut policy = Policy::default();
    for (key, field) in reader.known(&root, TOP)? {
        policy.lines.insert(key, reader.line(&field));
        match key {
            "version" => version(&reader, &field)?,
            "repo" => policy.repo = Some(repo(&reader, &field)?),
            "serial" => policy.serial = Some(serial(&reader, &field)?),
            "valid_until" => policy.valid_until = Some(valid_until(&reader, &field)?),
            "principals" => policy.principals = principals(&reader, &field)?,
            "groups" => policy.groups = groups(&reader, &field)?,
            "recovery" => policy.recovery = reader.texts(&field)?.into_iter().map(|(text, _)| text).collect(),
            "sources" => policy.sources = Some(sources(&reader, &field)?),
            "require_reason" => policy.require_reason = reader.flag(&field)?,
            _ => {}
        }
    }
    // Names first: the rules are read by the groups, wherever those stand.
    check_groups(&reader, &root, &policy)?;
    check_principals(&reader, &root, &policy)?;
    check_recipients(&reader, &root, &policy)?;
    match reader.entry(&root, "access_control")? {
        Some(field) => rules::read_all(&reader, &field, &mut policy)?,
        None => return Err(reader.fault(&root, "has no access_control", Some(EMPTY))),
    }
    Ok(policy)
}

const CONFLICT: &str = "bring both sides together and take the markers out; then `leaflock policy sign --bump` signs \
                        it, and `leaflock agent sync` makes what belongs to it anew";

const EMPTY: &str = "a policy has at least `access_control: {secrets: {}}`, which allows nothing";

/// The usual reasons for a syntax error.
fn syntax_advice(bytes: &[u8], line: Option<usize>) -> Option<&'static str> {
    let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    let at = line.and_then(|line| line.checked_sub(1)).and_then(|at| lines.get(at));
    if at.is_some_and(|line| line.contains(&b'*')) {
        return Some("a text that begins with `*` stands in quotes: \"ops/*\", \"**\"");
    }
    let is_text = |line: &&&[u8]| !matches!(line.trim_ascii().first(), None | Some(b'#'));
    let indent = |line: &[u8]| line.iter().take_while(|byte| **byte == b' ').count();
    let texts: Vec<&[u8]> = lines.iter().filter(is_text).copied().collect();
    let is_filled = texts
        .windows(2)
        .any(|pair| pair[0].trim_ascii_end().ends_with(b": {}") && indent(pair[1]) > indent(pair[0]));
    Some(match is_filled {
        true => "`{}` is an empty map: take it away behind the colon before you write entries below it",
        false => "a policy is YAML: look at the indentation of this line and of those before it",
    })
}

fn version(reader: &Reader<'_>, field: &Field) -> Result<(), PolicyError> {
    match reader.number(field)? {
        1 => Ok(()),
        _ => Err(reader.fault(field, "is not 1", Some("this build knows version 1 of the syntax only"))),
    }
}

fn serial(reader: &Reader<'_>, field: &Field) -> Result<u64, PolicyError> {
    match reader.number(field)? {
        number if number <= LARGEST_EXACT => Ok(number),
        _ => {
            let what = format!("is higher than {LARGEST_EXACT}");
            Err(reader.fault(field, &what, Some("count on from the serial before: git has it")))
        }
    }
}

fn repo(reader: &Reader<'_>, field: &Field) -> Result<String, PolicyError> {
    let text = reader.text(field)?;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if text.is_empty() || !text.bytes().all(fits) {
        return Err(reader.fault(
            field,
            "is no name of a repository",
            Some("write letters, digits, `.`, `_`, `-`"),
        ));
    }
    Ok(text)
}

/// A time as text that sorts as the time does.
fn valid_until(reader: &Reader<'_>, field: &Field) -> Result<String, PolicyError> {
    let text = reader.spelled(field)?;
    let mut canonical = Vec::new();
    let time =
        Timestamp::parse_rfc3339(text.as_bytes()).filter(|time| time.offset == 0 && time.nanosecond == 0);
    if let Some(time) = time {
        time.write_whole_seconds(&mut canonical);
    }
    if canonical != text.as_bytes() || !text.ends_with('Z') {
        let advice = "write a time in UTC with whole seconds: 2027-03-01T00:00:00Z";
        return Err(reader.fault(field, "is no such time", Some(advice)));
    }
    Ok(text)
}

fn principals(reader: &Reader<'_>, field: &Field) -> Result<BTreeMap<String, Principal>, PolicyError> {
    let mut found = BTreeMap::new();
    for (name, field) in reader.entries(field)? {
        check_name(&name).map_err(|error| reader.pattern_fault(&field, error))?;
        let line = reader.line(&field);
        let mut principal = Principal { name: name.clone(), line, ..Principal::default() };
        for (key, field) in reader.known(&field, &["age", "sign", "roles", "broker"])? {
            match key {
                "age" => principal.age = keys(reader, &field, check_recipient)?,
                "sign" => principal.sign = keys(reader, &field, check_signing_key)?,
                "roles" => principal.roles = roles(reader, &field)?,
                _ => principal.broker = Some(reader.text(&field)?),
            }
        }
        found.insert(name, principal);
    }
    Ok(found)
}

fn keys(
    reader: &Reader<'_>,
    field: &Field,
    check: fn(&str) -> Result<(), &'static str>,
) -> Result<Vec<String>, PolicyError> {
    let mut found: Vec<String> = Vec::new();
    for (text, field) in reader.texts(field)? {
        check(&text).map_err(|advice| reader.fault(&field, "is no such key", Some(advice)))?;
        if found.contains(&text) {
            return Err(reader.fault(&field, "is the same key again", None));
        }
        found.push(text);
    }
    Ok(found)
}

fn check_recipient(text: &str) -> Result<(), &'static str> {
    if text.starts_with("AGE-SECRET-KEY-") {
        return Err(
            "this is a private key, and it is in the file now: make another one; a policy holds age1…",
        );
    }
    match recipient_kind(text) {
        Ok(_) if !text.contains(',') => Ok(()),
        _ => Err("write an age recipient, age1… or ssh-…, or a list of them"),
    }
}

/// A key whose signatures can be verified: with any other nobody could ever sign.
fn check_signing_key(text: &str) -> Result<(), &'static str> {
    PublicKey::parse(text).map(drop).map_err(PublicKeyError::hint)
}

fn roles(reader: &Reader<'_>, field: &Field) -> Result<BTreeSet<Role>, PolicyError> {
    let advice = "the roles are admin, human, ci, broker, auditor and responder";
    let role = |(word, field): (String, Field)| {
        Role::parse(&word).ok_or_else(|| reader.fault(&field, "is no role", Some(advice)))
    };
    reader.texts(field)?.into_iter().map(role).collect()
}

fn groups(reader: &Reader<'_>, field: &Field) -> Result<BTreeMap<String, Group>, PolicyError> {
    let mut found = BTreeMap::new();
    for (name, field) in reader.entries(field)? {
        check_name(&name).map_err(|error| reader.pattern_fault(&field, error))?;
        let line = reader.line(&field);
        let member = |(text, field): (String, Field)| {
            NamePattern::parse(&text).map_err(|error| reader.pattern_fault(&field, error))
        };
        let members = reader.texts(&field)?.into_iter().map(member).collect::<Result<_, _>>()?;
        found.insert(name, Group { members, line });
    }
    Ok(found)
}

fn sources(reader: &Reader<'_>, field: &Field) -> Result<Vec<SourceRule>, PolicyError> {
    let mut found = Vec::new();
    for field in reader.items(field)? {
        let line = reader.line(&field);
        let mut file = None;
        let mut recipients = Vec::new();
        for (key, field) in reader.known(&field, &["file", "recipients"])? {
            match key {
                "file" => file = Some(reader.pattern(&field, FilePattern::parse)?),
                _ => recipients = reader.texts(&field)?.into_iter().map(|(text, _)| text).collect(),
            }
        }
        let Some(file) = file else {
            return Err(reader.fault(&field, "has no file", Some("write `file: secrets/prod.yaml`")));
        };
        found.push(SourceRule { file, recipients, line });
    }
    Ok(found)
}

/// A group is not a principal, and holds no groups.
fn check_groups(reader: &Reader<'_>, root: &Field, policy: &Policy) -> Result<(), PolicyError> {
    let Some(section) = reader.entry(root, "groups")? else { return Ok(()) };
    for (name, field) in reader.entries(&section)? {
        if policy.principals.contains_key(&name) {
            return Err(reader.fault(&field, "is the name of a principal", Some("rename the group")));
        }
        for (member, field) in reader.texts(&field)? {
            if policy.groups.contains_key(&member) {
                let advice = "groups hold principals: name its members, or a pattern";
                return Err(reader.fault(&field, "is a group", Some(advice)));
            }
        }
    }
    Ok(())
}

/// Names are folders beside each other, keys are somebody's alone, brokers are there.
fn check_principals(reader: &Reader<'_>, root: &Field, policy: &Policy) -> Result<(), PolicyError> {
    let Some(section) = reader.entry(root, "principals")? else { return Ok(()) };
    let mut lower: BTreeMap<String, &str> = BTreeMap::new();
    let mut keys: Vec<(&str, &str)> = Vec::new();
    for (name, field) in reader.entries(&section)? {
        let Some(principal) = policy.principals.get(&name) else { continue };
        if let Some(other) = lower.insert(name.to_lowercase(), &principal.name) {
            let what = format!("differs from {other} in the case of letters only");
            return Err(reader.fault(&field, &what, Some("rename one of them: names are folders")));
        }
        for own in principal.age.iter().chain(&principal.sign) {
            let same = |other: &str| other == own || same_ssh_key(other, own);
            if let Some((_, owner)) = keys.iter().find(|(key, owner)| *owner != principal.name && same(key)) {
                let what = format!("has a key of {owner}");
                return Err(reader.fault(&field, &what, Some("every principal has keys of its own")));
            }
            keys.push((own, &principal.name));
        }
        let Some(broker) = &principal.broker else { continue };
        let advice = match policy.principals.get(broker) {
            None => "the broker is no principal: add it to `principals`",
            Some(_) if *broker == name => "nobody is the broker of itself",
            Some(other) if other.broker.is_some() => "the broker has a broker: name the last one",
            Some(_) => continue,
        };
        return Err(reader.fault(&field, "has a broker that cannot be one", Some(advice)));
    }
    for name in policy.principals.keys() {
        let mut folder = name.to_lowercase();
        while let Some((above, _)) = folder.rsplit_once('/') {
            if let Some(other) = lower.get(above) {
                let at = reader.entries(&section)?.into_iter().find(|(it, _)| it == name).map(|(_, at)| at);
                let what = format!("lies below {other}, which is a principal too");
                let advice = Some("rename one of them: names are folders");
                return Err(reader.fault(at.as_ref().unwrap_or(&section), &what, advice));
            }
            folder = above.to_owned();
        }
    }
    Ok(())
}

/// Every name in a list of recipients has one.
fn check_recipients(reader: &Reader<'_>, root: &Field, policy: &Policy) -> Result<(), PolicyError> {
    let mut lists: Vec<Field> = reader.entry(root, "recovery")?.into_iter().collect();
    if let Some(section) = reader.entry(root, "sources")? {
        for source in reader.items(&section)? {
            lists.extend(reader.entry(&source, "recipients")?);
        }
    }
    for list in lists {
        for (word, field) in reader.texts(&list)? {
            if policy.recipients(std::slice::from_ref(&word)).is_empty() {
                let known = policy.principals.contains_key(&word) || policy.groups.contains_key(&word);
                let what = if known { "has no age recipient" } else { "is nobody" };
                let advice = "write an age recipient, or a principal or group that has some";
                return Err(reader.fault(&field, what, Some(advice)));
            }
            let is_name = policy.principals.contains_key(&word) || policy.groups.contains_key(&word);
            if !is_name {
                check_recipient(&word)
                    .map_err(|advice| reader.fault(&field, "is no such key", Some(advice)))?;
            }
        }
    }
    Ok(())
}

impl Reader<'_> {
    /// A pattern of any kind.
    fn pattern<P>(
        &self,
        field: &Field,
        parse: fn(&str) -> Result<P, PatternError>,
    ) -> Result<P, PolicyError> {
        parse(&self.text(field)?).map_err(|error| self.pattern_fault(field, error))
    }

    /// A list of patterns of any kind, or one.
    fn patterns<P>(
        &self,
        field: &Field,
        parse: fn(&str) -> Result<P, PatternError>,
    ) -> Result<Vec<P>, PolicyError> {
        let pattern =
            |(text, field): (String, Field)| parse(&text).map_err(|error| self.pattern_fault(&field, error));
        self.texts(field)?.into_iter().map(pattern).collect()
    }

    fn pattern_fault(&self, field: &Field, error: PatternError) -> PolicyError {
        self.fault_of(field, error.message, Some(error.advice))
    }
}
