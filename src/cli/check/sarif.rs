//! The findings as SARIF 2.1.0, which code scanning reads.

use serde_json::{Map, Value, json};

use crate::app::check::{Found, Outcome, shown_below};
use crate::domain::check::{Kind, Severity};

/// Where the paths of a log begin: at the top of the repository.
const BASE: &str = "%SRCROOT%";

/// One log with one run. What could not be checked is among its notifications.
pub(super) fn render(outcome: &Outcome) -> String {
    let rules: Vec<Value> = Kind::ALL.into_iter().map(rule).collect();
    let results: Vec<Value> = outcome.findings.iter().map(|found| result(outcome, found)).collect();
    let notifications: Vec<Value> = outcome
        .failed
        .iter()
        .map(|(path, error)| {
            let uri = uri(&shown_below(&outcome.root, path));
            let place = json!({ "artifactLocation": { "uri": uri, "uriBaseId": BASE } });
            json!({
                "level": "error",
                "message": { "text": error.to_string() },
                "locations": [{ "physicalLocation": place }],
            })
        })
        .collect();
    let log = json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "leaflock",
                "version": env!("CARGO_PKG_VERSION"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "originalUriBaseIds": { BASE: { "description": { "text": "The top of the repository" } } },
            "invocations": [{
                "executionSuccessful": outcome.failed.is_empty(),
                "toolExecutionNotifications": notifications,
            }],
            "results": results,
        }],
    });
    format!("{log:#}\n")
}

fn level(kind: Kind) -> &'static str {
    match kind.severity() {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn rule(kind: Kind) -> Value {
    json!({
        "id": kind.id(),
        "name": name(kind.id()),
        "shortDescription": { "text": kind.title() },
        "fullDescription": { "text": kind.title() },
        "help": { "text": kind.advice() },
        "defaultConfiguration": { "level": level(kind) },
        "properties": { "tags": ["security"] },
    })
}

/// `PlaintextValue` of `plaintext-value`.
fn name(id: &str) -> String {
    id.split('-')
        .flat_map(|word| word[..1].to_uppercase().chars().chain(word[1..].chars()).collect::<Vec<_>>())
        .collect()
}

fn result(outcome: &Outcome, found: &Found) -> Value {
    let Found { path, finding } = found;
    let uri = uri(&shown_below(&outcome.root, path));
    let mut place = json!({ "artifactLocation": { "uri": uri, "uriBaseId": BASE } });
    if let Some(line) = finding.line {
        let mut region = Map::from_iter([("startLine".to_owned(), line.into())]);
        region.extend(finding.column.map(|column| ("startColumn".to_owned(), column.into())));
        place["region"] = region.into();
    }
    let mut location = json!({ "physicalLocation": place });
    if let Some(key) = &finding.key {
        location["logicalLocations"] = json!([{ "fullyQualifiedName": key }]);
    }
    let text = match &finding.key {
        Some(key) => format!("{key}: {}", finding.message),
        None => finding.message.clone(),
    };
    json!({
        "ruleId": finding.kind.id(),
        "ruleIndex": Kind::ALL.iter().position(|kind| *kind == finding.kind),
        "level": level(finding.kind),
        "message": { "text": text },
        "locations": [location],
    })
}

/// A relative path as a URI reference.
fn uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}
