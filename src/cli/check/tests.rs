//! The formats of `check`: what programs that read them rely on.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{github, json, sarif, text};
use crate::app::check::{Found, Outcome};
use crate::app::error::Error;
use crate::domain::check::{Finding, Kind};

/// A finding with everything, one with nothing, and a file that could not be checked.
fn outcome() -> Outcome {
    let whole = Finding::of_file(Kind::NotEncrypted, "100% clear");
    let placed = Finding::of_file(Kind::PlaintextComment, "a, b: c").at_line(Some(3)).at_key("[\"k\"]");
    let found = |path: &str, finding| Found { path: PathBuf::from(path), finding };
    Outcome {
        root: "/r".into(),
        checked: 2,
        encrypted: 1,
        findings: vec![
            found("/r/d, e:f%.yaml", Finding { column: Some(7), ..placed }),
            found("/r/two\nlines", whole),
        ],
        silenced: 1,
        failed: vec![("/r/x y.yaml".into(), Error::NoSuchFile("/r/x y.yaml".into()))],
    }
}

#[test]
fn every_finding_is_one_line_of_text() {
    let lines = text::render(&outcome(), Path::new("/r"));
    let expected = "d, e:f%.yaml:3:7: warning[plaintext-comment] [\"k\"]: a, b: c\n\
                    two\\nlines: error[not-encrypted]: 100% clear\n";
    assert_eq!(lines, expected);
    let summary = text::summary(&outcome(), true);
    let last = "2 files checked, 1 encrypted: 1 error, 1 warning, 1 finding reviewed in \
                .leaflock/check-ignore, 1 file could not be checked";
    assert_eq!(summary.lines().last(), Some(last));
    assert_eq!(summary.lines().count(), 3, "{summary}");
}

#[test]
fn workflow_commands_are_escaped() {
    let lines = github::render(&outcome());
    let mut lines = lines.lines();
    let first = lines.next().unwrap();
    let begin = "::warning file=d%2C e%3Af%25.yaml,line=3,col=7,title=plaintext-comment::[\"k\"]: a, b: c%0A";
    assert!(first.starts_with(begin), "{first}");
    let second = lines.next().unwrap();
    let begin = "::error file=two%0Alines,title=not-encrypted::100%25 clear%0A";
    assert!(second.starts_with(begin), "{second}");
    assert_eq!(lines.next(), None);
}

#[test]
fn json_has_a_version_and_all_fields() {
    let all: Value = serde_json::from_str(&json::render(&outcome())).unwrap();
    assert_eq!(all["version"], 1);
    assert_eq!(all["findings"][0]["key"], "[\"k\"]");
    assert_eq!(all["findings"][1]["line"], Value::Null);
    assert_eq!(all["failed"][0]["file"], "x y.yaml");
}

/// The members that SARIF 2.1.0 demands, and those that code scanning reads.
#[test]
fn sarif_has_what_its_schema_demands() {
    let log: Value = serde_json::from_str(&sarif::render(&outcome())).unwrap();
    assert_eq!(log["version"], "2.1.0");
    assert!(log["$schema"].as_str().unwrap().ends_with("sarif-schema-2.1.0.json"));
    let runs = log["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 1);
    let driver = &runs[0]["tool"]["driver"];
    assert!(driver["name"].is_string());
    let rules = driver["rules"].as_array().unwrap();
    assert_eq!(rules.len(), Kind::ALL.len());
    for rule in rules {
        assert!(rule["id"].is_string() && rule["shortDescription"]["text"].is_string());
        let level = rule["defaultConfiguration"]["level"].as_str().unwrap();
        assert!(["error", "warning", "note", "none"].contains(&level));
        assert!(rule["name"].as_str().unwrap().chars().all(|c| c.is_ascii_alphanumeric()));
    }
    let bases = runs[0]["originalUriBaseIds"].as_object().unwrap();
    for result in runs[0]["results"].as_array().unwrap() {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(result["ruleId"], rules[index]["id"]);
        assert!(result["message"]["text"].is_string());
        let place = &result["locations"][0]["physicalLocation"];
        let uri = place["artifactLocation"]["uri"].as_str().unwrap();
        let is_uri = |c: char| c.is_ascii_alphanumeric() || "-._~/%".contains(c);
        assert!(uri.chars().all(is_uri) && !uri.starts_with('/'), "{uri}");
        assert!(bases.contains_key(place["artifactLocation"]["uriBaseId"].as_str().unwrap()));
        let region = &place["region"];
        assert!(region.is_null() || region["startLine"].as_u64().unwrap() >= 1);
    }
    let uri = |index: usize| {
        let place = &runs[0]["results"][index]["locations"][0]["physicalLocation"];
        place["artifactLocation"]["uri"].as_str().unwrap().to_owned()
    };
    assert_eq!((uri(0).as_str(), uri(1).as_str()), ("d%2C%20e%3Af%25.yaml", "two%0Alines"));
    let invocation = &runs[0]["invocations"][0];
    assert_eq!(invocation["executionSuccessful"], false);
    let notification = &invocation["toolExecutionNotifications"][0];
    assert!(notification["message"]["text"].is_string() && notification["level"] == "error");
}

#[test]
fn the_manual_has_every_finding_as_the_code_has_it() {
    let page = include_str!("../../docs/check.md");
    let rows = page.lines().filter(|line| line.starts_with("| <a id="));
    let rows: Vec<Vec<&str>> = rows.map(|row| row.split(" | ").collect()).collect();
    assert_eq!(rows.len(), Kind::ALL.len());
    for (row, kind) in rows.iter().zip(Kind::ALL) {
        let id = kind.id();
        let first = format!("| <a id=\"{id}\"></a>`{id}`");
        let last = format!("{} |", kind.advice());
        let expected = [first.as_str(), kind.severity().name(), kind.title(), row[3], last.as_str()];
        assert_eq!(row[..], expected);
        assert!(row[3].len() > 10, "{id} has no reason");
        assert_eq!(Kind::of_id(id), Some(kind));
    }
}
