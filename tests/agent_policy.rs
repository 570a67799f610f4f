//! Policies for agents: random ones decide as the manual says, whoever reads it; known ones load, and
//! the schema for editors takes what the program takes.

use std::collections::BTreeSet;

use leaflock::domain::agent::leaves;
use leaflock::domain::agent::pattern::show_path;
use leaflock::domain::agent::policy::{Level, Policy, Subject, assertions};
use leaflock::domain::store::{Format, Purpose};
use serde_json::Value;

use super::testkit::gen_policy::{self, TestPolicy};
use super::testkit::json_schema;
use super::testkit::policy_evaluator;
use super::testkit::rng::Rng;

/// A policy that the program reads.
fn read(policy: &TestPolicy) -> (String, Policy) {
    let text = policy.text("", |_| String::new());
    let parsed = Policy::parse(text.as_bytes());
    (text.clone(), parsed.unwrap_or_else(|error| panic!("{error:?}\n{text}")))
}

#[test]
fn random_policies_decide_as_the_manual_says() {
    let mut rng = Rng::new(5);
    let (mut decided, mut granted, mut held) = (0, 0, 0);
    for _ in 0..800 {
        let made = gen_policy::policy(&mut rng);
        let (text, policy) = read(&made);
        let mut names: BTreeSet<String> = made.principals.iter().map(|it| it.name.clone()).collect();
        names.extend(["ops/nobody".to_owned(), "else".to_owned()]);
        for source in &made.sources {
            for (path, _) in source.leaves() {
                for name in &names {
                    let subject = Subject { agent: name, source: &source.path, path: &path };
                    let own = policy.decide(&[], &subject).levels;
                    let expected = policy_evaluator::granted(&made, name, &source.path, &path);
                    let words: BTreeSet<&str> = own.iter().map(Level::as_str).collect();
                    let place = format!("{name}, {}, {}\n{text}", source.path, show_path(&path));
                    assert_eq!(words, expected, "{place}");
                    let holds = policy.is_compiled_for(&[], name, &source.path, &path);
                    assert_eq!(holds, policy_evaluator::is_held(&made, name, &source.path, &path), "{place}");
                    decided += 1;
                    granted += usize::from(!own.is_empty());
                    held += usize::from(holds);
                }
            }
        }
    }
    // The comparison means something only while the answers differ.
    assert!(granted * 10 > decided && granted * 10 < decided * 9, "{granted} of {decided} granted");
    assert!(held * 20 > decided, "{held} of {decided} held");
}

#[test]
fn the_secrets_of_a_file_are_the_keys_that_lead_to_its_leaves() {
    let mut rng = Rng::new(8);
    for _ in 0..200 {
        for source in gen_policy::policy(&mut rng).sources {
            let text = source.text();
            let store = Format::of_path(&source.path).store();
            let tree =
                store.read(text.as_bytes(), Purpose::AsIs).unwrap_or_else(|error| panic!("{error}: {text}"));
            let expected: BTreeSet<Vec<String>> = source.leaves().into_iter().map(|(path, _)| path).collect();
            assert_eq!(leaves::paths(&tree), expected.into_iter().collect::<Vec<_>>(), "{text}");
        }
    }
}

#[test]
fn reasons_name_rules_that_are_there() {
    let mut rng = Rng::new(6);
    for _ in 0..200 {
        let made = gen_policy::policy(&mut rng);
        let (text, policy) = read(&made);
        let lines: Vec<&str> = text.lines().collect();
        for source in &made.sources {
            for (path, _) in source.leaves() {
                for principal in &made.principals {
                    let subject = Subject { agent: &principal.name, source: &source.path, path: &path };
                    let decision = policy.decide(&[], &subject);
                    for level in Level::ALL {
                        let because = decision.because(level);
                        assert!(!decision.levels.has(level) || because.rule().is_some(), "{text}");
                        let Some(rule) = because.rule() else { continue };
                        let line = lines[rule.line - 1];
                        assert!(line.contains("\"agents\"") || line.contains("\"allowed_agents\""), "{line}");
                    }
                }
            }
        }
    }
}

const SCHEMA: &str = include_str!("../src/docs/policy.schema.json");
const KNOWN: [&str; 2] =
    [include_str!("../fixtures/policy/seed.yaml"), include_str!("../fixtures/policy/full.yaml")];

#[test]
fn the_schema_takes_what_the_program_takes() {
    let mut rng = Rng::new(7);
    let mut texts: Vec<String> = KNOWN.iter().map(|text| (*text).to_owned()).collect();
    texts.extend((0..50).map(|_| gen_policy::policy(&mut rng).text("", |_| String::new())));
    for text in &texts {
        Policy::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error:?}\n{text}"));
    }
    let instances: Vec<Value> = texts.iter().map(|text| Value::from(text.as_str())).collect();
    for (text, fault) in texts.iter().zip(json_schema::faults(SCHEMA, &instances)) {
        assert_eq!(fault, None, "{text}");
    }
}

#[test]
fn schema_and_program_refuse_the_same() {
    let refused: Vec<Value> = include_str!("../fixtures/policy/refused.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let policies: Vec<Value> = refused.iter().map(|case| case["policy"].clone()).collect();
    for (case, fault) in refused.iter().zip(json_schema::faults(SCHEMA, &policies)) {
        assert!(fault.is_some(), "the schema takes {}", case["why"]);
        assert!(Policy::parse(case["policy"].to_string().as_bytes()).is_err(), "taken: {}", case["why"]);
    }
}

/// The base64 of an Ed25519 key, another one for each number.
fn public_key(number: u8) -> String {
    let field = |bytes: &[u8]| [&(bytes.len() as u32).to_be_bytes()[..], bytes].concat();
    let blob = [field(b"ssh-ed25519"), field(&[number; 32])].concat();
    base64::Engine::encode(&base64::engine::general_purpose::STANDARD, blob)
}

/// Every example of the manual is one.
#[test]
fn the_manual_shows_policies_and_assertions_that_are_read() {
    let manual = include_str!("../src/docs/policy.md");
    let blocks = |kind: &str| {
        let fence = format!("```{kind}\n");
        let parts = manual.split(&fence).skip(1);
        parts.map(|part| part.split("```").next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for text in blocks("yaml") {
        let keys = ["ana", "manager", "changelog", "laptop"];
        let mut parts = text.split("age1…");
        let mut filled = parts.next().unwrap().to_owned();
        for (part, key) in parts.zip(keys) {
            filled += &format!("age1{key}{}", part.replace("AAAA…", &public_key(key.len() as u8)));
        }
        Policy::parse(filled.as_bytes()).unwrap_or_else(|error| panic!("{error:?}\n{filled}"));
    }
    for text in blocks("text") {
        assert_eq!(assertions(&text).unwrap().len(), text.lines().count());
    }
}
