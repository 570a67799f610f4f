//! Random policies for agents, with the files that they govern: names, paths and wildcards of a small
//! world, so that rules meet, overlap and deny each other all the time.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::rng::Rng;

/// A policy as data, from which its text is made.
#[derive(Clone, Debug, Default)]
pub(crate) struct TestPolicy {
    pub(crate) principals: Vec<TestPrincipal>,
    /// Names and their members.
    pub(crate) groups: Vec<(String, Vec<String>)>,
    pub(crate) allows: Vec<TestAllow>,
    pub(crate) denies: Vec<TestDeny>,
    pub(crate) sources: Vec<TestSource>,
}

/// Somebody.
#[derive(Clone, Debug)]
pub(crate) struct TestPrincipal {
    pub(crate) name: String,
    pub(crate) roles: Vec<&'static str>,
    pub(crate) broker: Option<String>,
}

/// A rule below `secrets`.
#[derive(Clone, Debug)]
pub(crate) struct TestAllow {
    pub(crate) path: String,
    pub(crate) agents: Vec<String>,
    /// The words of `access_level`; empty: it is left out.
    pub(crate) levels: Vec<&'static str>,
    /// Empty: `file` is left out.
    pub(crate) files: Vec<String>,
    pub(crate) lease: bool,
}

/// A rule of `deny`.
#[derive(Clone, Debug)]
pub(crate) struct TestDeny {
    pub(crate) paths: Vec<String>,
    pub(crate) agents: Vec<String>,
    /// Empty: `levels` is left out.
    pub(crate) levels: Vec<&'static str>,
    pub(crate) files: Vec<String>,
}

/// A file with secrets.
#[derive(Clone, Debug)]
pub(crate) struct TestSource {
    /// Its path from the policy's folder.
    pub(crate) path: String,
    /// What it holds. Every value is a text that is nowhere else.
    pub(crate) document: Value,
}

impl TestSource {
    /// The leaves: keys on the way, items of lists without one, and the value.
    pub(crate) fn leaves(&self) -> Vec<(Vec<String>, String)> {
        let mut leaves = Vec::new();
        collect(&self.document, &mut Vec::new(), &mut leaves);
        leaves
    }

    /// The text of the file.
    pub(crate) fn text(&self) -> String {
        if self.path.ends_with(".env") {
            return self.leaves().iter().map(|(path, value)| format!("{}={value}\n", path[0])).collect();
        }
        if self.path.ends_with(".json") {
            return format!("{:#}\n", self.document);
        }
        let mut text = String::new();
        block(&self.document, 0, &mut text);
        text
    }
}

fn collect(value: &Value, path: &mut Vec<String>, leaves: &mut Vec<(Vec<String>, String)>) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                path.push(key.clone());
                collect(value, path, leaves);
                path.pop();
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, path, leaves)),
        leaf => leaves.push((path.clone(), leaf.as_str().unwrap().to_owned())),
    }
}

/// YAML in blocks.
fn block(value: &Value, indent: usize, text: &mut String) {
    let margin = " ".repeat(indent);
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                let key = if key.contains('.') { json!(key).to_string() } else { key.clone() };
                let _ = write!(text, "{margin}{key}:");
                below(value, indent, text);
            }
        }
        Value::Array(items) => {
            for item in items {
                let _ = write!(text, "{margin}-");
                below(item, indent, text);
            }
        }
        leaf => panic!("{leaf} is no block"),
    }
}

fn below(value: &Value, indent: usize, text: &mut String) {
    match value {
        Value::String(leaf) => {
            let _ = writeln!(text, " {leaf}");
        }
        container => {
            text.push('\n');
            block(container, indent + 2, text);
        }
    }
}

const SEGMENTS: [&str; 8] = ["db", "api", "prod", "dev", "token", "password", "a.b", "prod-2"];
const TEAMS: [&str; 3] = ["ops", "dev", "sec"];
const PEOPLE: [&str; 4] = ["deploy", "watch", "deploy-2", "x"];
const FILES: [&str; 5] =
    ["secrets/prod.yaml", "secrets/dev.yaml", "app.json", "deep/er/prod.yaml", "flat.env"];
const LEVELS: [&str; 7] = ["read", "readonly", "exec", "use", "post", "write", "read-write"];

/// A policy and its files.
pub(crate) fn policy(rng: &mut Rng) -> TestPolicy {
    let mut policy = TestPolicy::default();
    principals(rng, &mut policy);
    let mut paths: BTreeSet<&str> = BTreeSet::new();
    for _ in 0..rng.within(1, 3) {
        paths.insert(rng.text(&FILES));
    }
    let mut count = 0;
    for path in paths {
        let depth = if path.ends_with(".env") { 1 } else { 4 };
        policy.sources.push(TestSource { path: path.to_owned(), document: map(rng, depth, &mut count) });
    }
    for _ in 0..rng.within(0, 7) {
        let rule = TestAllow {
            path: path(rng, &policy),
            agents: agents(rng, &policy),
            levels: if rng.chance(15) { Vec::new() } else { levels(rng) },
            files: files(rng),
            lease: rng.chance(8),
        };
        policy.allows.push(rule);
    }
    for _ in 0..rng.within(0, 3) {
        let rule = TestDeny {
            paths: (0..rng.within(1, 2)).map(|_| path(rng, &policy)).collect(),
            agents: agents(rng, &policy),
            levels: if rng.chance(40) { Vec::new() } else { levels(rng) },
            files: files(rng),
        };
        policy.denies.push(rule);
    }
    policy
}

fn principals(rng: &mut Rng, policy: &mut TestPolicy) {
    let mut names = BTreeSet::new();
    for _ in 0..rng.within(1, 5) {
        names.insert(format!("{}/{}", rng.text(&TEAMS), rng.text(&PEOPLE)));
    }
    if rng.chance(30) {
        names.insert("solo".to_owned());
    }
    let brokers = rng.below(3);
    for name in names {
        let broker = (brokers > 0 && rng.chance(45)).then(|| format!("broker/{}", rng.below(brokers)));
        let roles = if rng.chance(20) { vec!["human"] } else { Vec::new() };
        policy.principals.push(TestPrincipal { name, roles, broker });
    }
    for number in 0..brokers {
        let name = format!("broker/{number}");
        policy.principals.push(TestPrincipal { name, roles: vec!["broker"], broker: None });
    }
    for name in ["team", "all-of/them"].into_iter().take(rng.below(3)) {
        let members = (0..rng.within(0, 2)).map(|_| name_pattern(rng, policy)).collect();
        policy.groups.push((name.to_owned(), members));
    }
}

fn map(rng: &mut Rng, depth: usize, count: &mut usize) -> Value {
    let mut entries = Map::new();
    for _ in 0..rng.within(1, 3) {
        let key = if depth == 1 { rng.text(&["token", "password", "prod"]) } else { rng.text(&SEGMENTS) };
        let value = match rng.below(10) {
            0..4 if depth > 1 => map(rng, depth - 1, count),
            4 if depth > 1 => {
                let mut item = |_| {
                    if rng.chance(50) {
                        leaf(count)
                    } else {
                        map(rng, depth - 2 + usize::from(depth < 3), count)
                    }
                };
                Value::Array((0..2).map(&mut item).collect())
            }
            _ => leaf(count),
        };
        entries.insert(key.to_owned(), value);
    }
    Value::Object(entries)
}

fn leaf(count: &mut usize) -> Value {
    *count += 1;
    json!(format!("canary-{count}-value"))
}

fn levels(rng: &mut Rng) -> Vec<&'static str> {
    (0..rng.within(1, 2)).map(|_| rng.text(&LEVELS)).collect()
}

fn files(rng: &mut Rng) -> Vec<String> {
    let count = if rng.chance(65) { 0 } else { rng.within(1, 2) };
    let wild = ["secrets/*", "**/prod.yaml", "*", "**", "secrets/{dev,prod}.yaml", "*.json"];
    let file = |rng: &mut Rng| if rng.chance(50) { rng.text(&FILES) } else { rng.text(&wild) };
    (0..count).map(|_| file(rng).to_owned()).collect()
}

fn agents(rng: &mut Rng, policy: &TestPolicy) -> Vec<String> {
    let entry = |rng: &mut Rng| match policy.groups.len() {
        0 => name_pattern(rng, policy),
        count if rng.chance(25) => policy.groups[rng.below(count)].0.clone(),
        _ => name_pattern(rng, policy),
    };
    (0..rng.within(1, 2)).map(|_| entry(rng)).collect()
}

fn name_pattern(rng: &mut Rng, policy: &TestPolicy) -> String {
    let wild = ["**", "*", "ops/*", "dev/**", "*/deploy", "*/deploy-*", "{ops,sec}/*", "**/x", "broker/*"];
    match rng.below(10) {
        0..4 => rng.text(&wild).to_owned(),
        4 => format!("{}/{}", rng.text(&TEAMS), rng.text(&PEOPLE)),
        _ => policy.principals[rng.below(policy.principals.len())].name.clone(),
    }
}

/// A path as a policy writes it: often one that is there, or a part of it with wildcards in places.
fn path(rng: &mut Rng, policy: &TestPolicy) -> String {
    let source = &policy.sources[rng.below(policy.sources.len())];
    let leaves = source.leaves();
    let mut keys: Vec<String> = leaves[rng.below(leaves.len())].0.clone();
    keys.truncate(rng.within(1, keys.len()));
    let mut segments: Vec<String> = Vec::new();
    for key in keys {
        segments.push(match rng.below(12) {
            0 => "*".to_owned(),
            1 => "**".to_owned(),
            2 => "prod*".to_owned(),
            3 => "{db,api,token}".to_owned(),
            4 => "*o*d".to_owned(),
            _ if key.contains('.') || rng.chance(10) => format!("[\"{key}\"]"),
            _ => key,
        });
    }
    if rng.chance(15) {
        segments.insert(rng.below(segments.len() + 1), "**".to_owned());
    }
    let mut text = String::new();
    for segment in segments {
        let bracket = segment.starts_with('[') && rng.chance(50);
        text.push_str(if text.is_empty() || bracket { "" } else { "." });
        text.push_str(&segment);
    }
    text
}

impl TestPolicy {
    /// The text of the policy. `keys` are the fields of each principal: `age: age1…, sign: "ssh-…"`;
    /// `head` comes first.
    pub(crate) fn text(&self, head: &str, keys: impl Fn(&TestPrincipal) -> String) -> String {
        let mut text = format!("{head}principals:\n");
        for principal in &self.principals {
            let mut fields = vec![keys(principal)];
            fields
                .extend((!principal.roles.is_empty()).then(|| format!("roles: {}", json!(principal.roles))));
            fields.extend(principal.broker.as_ref().map(|broker| format!("broker: {broker}")));
            fields.retain(|field| !field.is_empty());
            let _ = writeln!(text, "  {}: {{ {} }}", principal.name, fields.join(", "));
        }
        let groups: Map<String, Value> =
            self.groups.iter().map(|(name, members)| (name.clone(), json!(members))).collect();
        let _ = writeln!(text, "groups: {}\naccess_control:\n  secrets:", Value::Object(groups));
        let mut written: BTreeSet<&str> = BTreeSet::new();
        for rule in &self.allows {
            if !written.insert(&rule.path) {
                continue;
            }
            let _ = writeln!(text, "    {}:", json!(rule.path));
            for rule in self.allows.iter().filter(|other| other.path == rule.path) {
                let mut fields = json!({ "allowed_agents": one_or_list(&rule.agents) });
                if !rule.levels.is_empty() {
                    fields["access_level"] = one_or_list(&rule.levels);
                }
                if !rule.files.is_empty() {
                    fields["file"] = one_or_list(&rule.files);
                }
                if rule.lease {
                    fields["require_lease"] = json!({ "max_ttl": "1h" });
                }
                let _ = writeln!(text, "      - {fields}");
            }
        }
        text.push_str("  deny:\n");
        for rule in &self.denies {
            let mut fields =
                json!({ "agents": one_or_list(&rule.agents), "secrets": one_or_list(&rule.paths) });
            if !rule.levels.is_empty() {
                fields["levels"] = one_or_list(&rule.levels);
            }
            if !rule.files.is_empty() {
                fields["file"] = one_or_list(&rule.files);
            }
            let _ = writeln!(text, "    - {fields}");
        }
        text
    }
}

fn one_or_list<T: AsRef<str>>(texts: &[T]) -> Value {
    match texts {
        [one] => json!(one.as_ref()),
        several => several.iter().map(|text| json!(text.as_ref())).collect(),
    }
}
