//! The valid documents of the YAML test suite, as they are and as the value of
//! a key (SOPS wants a mapping at the top): whatever SOPS accepts must hold the
//! same data for us, and whatever it refuses we refuse.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::compat;
use super::testkit::generate::Document;

/// The suite's documents by id.
fn cases() -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/yaml-test-suite/cases.json");
    let cases: Vec<Value> = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let text = |case: &Value, field: &str| case[field].as_str().unwrap().to_owned();
    cases.iter().map(|case| (text(case, "id"), text(case, "yaml"))).collect()
}

/// The document as the value of a key, if it is one document without markers.
fn nested(yaml: &str) -> Option<String> {
    let marked =
        yaml.lines().any(|line| line.starts_with("---") || line.starts_with("...") || line.starts_with('%'));
    if marked {
        return None;
    }
    let lines: Vec<String> = yaml.lines().map(|line| format!("  {line}").trim_end().to_owned()).collect();
    Some(format!("document:\n{}\nafter: x\n", lines.join("\n")))
}

#[test]
fn the_yaml_test_suite_holds_the_same_data() {
    let mut report = String::new();
    let mut failed = Vec::new();
    let mut run = 0;
    for (id, yaml) in cases() {
        let wrapped = nested(&yaml).map(|yaml| (format!("{id}-nested"), yaml));
        for (name, text) in [(id, yaml)].into_iter().chain(wrapped) {
            let document =
                Document { extension: "yaml".into(), rule: "all".into(), bytes: text.clone().into_bytes() };
            run += 1;
            if let Err(failure) = compat::check(&document) {
                report.push_str(&format!("\n##### {name}: {}\n{text}\n{}\n", failure.kind, failure.detail));
                failed.push(format!("{name} ({})", failure.kind));
            }
        }
    }
    assert!(run > 300, "only {run} cases");
    assert!(report.is_empty(), "{} of {run} differ: {failed:?}\n{report}", failed.len());
}
