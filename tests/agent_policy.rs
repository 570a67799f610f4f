//! Policies for agents: random ones decide as the manual says, whoever reads it; known ones load, and
//! the schema for editors takes what the program takes.

use std::collections::BTreeSet;

use leaflock::domain::agent::pattern::show_path;
use leaflock::domain::agent::policy::{Level, Policy, Subject};

use super::testkit::gen_policy::{self, TestPolicy};
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
    for _ in 0..1500 {
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
