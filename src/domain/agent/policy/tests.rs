//! Policies as people write them, and what they decide.

use super::{Level, Levels, Policy, Revocation, Role, Subject};
use crate::domain::agent::pattern::parse_path;

/// The block that people know from elsewhere, which loads unchanged.
const SEED: &str = r#"access_control:
  secrets:
    databases.postgres.production:
      allowed_agents: [ops/release-manager, ops/deploy-validator]
      access_level: readonly
      audit: true
    communication.discord:
      allowed_agents: ["ops/*"]
      access_level: post
"#;

const FULL: &str = r#"
version: 1
repo: 6f0c51b2
serial: 42
valid_until: 2027-03-01T00:00:00Z
principals:
  humans/ana: { age: [age1ana], sign: "ssh-ed25519 AAAAana ana@host", roles: [admin, human] }
  humans/bo:  { age: age1bo, roles: [human] }
  ops/deploy: { age: [age1deploy], sign: ["ssh-ed25519 AAAAdeploy"], broker: broker/ana }
  ops/watch:  { age: [age1watch] }
  broker/ana: { age: [age1broker], roles: [broker] }
groups: { people: ["humans/*"] }
recovery: [people, age1paper, age1ana]
sources:
  - { file: "secrets/*.yaml", recipients: [people, broker/ana] }
access_control:
  secrets:
    databases:
      - { allowed_agents: [ops/deploy], access_level: exec, file: secrets/prod.yaml }
      - { allowed_agents: people, access_level: read-write }
      - { allowed_agents: ops/watch, access_level: [read, use], reason: true }
    tokens.github:
      allowed_agents: ["ops/**"]
      access_level: use
    tokens.npm:
      allowed_agents: ["ops/**"]
      access_level: read
      require_lease: { max_ttl: 1h }
  deny:
    - { agents: "**", secrets: [databases.root], levels: [read] }
    - { agents: [ops/watch], secrets: tokens, file: secrets/dev.yaml }
require_reason: false
"#;

fn parse(text: &str) -> Policy {
    Policy::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error:?}"))
}

fn decide(policy: &Policy, agent: &str, source: &str, path: &str) -> super::Decision {
    policy.decide(&[], &Subject { agent, source, path: &parse_path(path).unwrap() })
}

fn levels(policy: &Policy, agent: &str, path: &str) -> String {
    decide(policy, agent, "secrets/prod.yaml", path).levels.to_string()
}

#[test]
fn the_known_block_loads_unchanged() {
    let policy = parse(SEED);
    assert_eq!(
        levels(&policy, "ops/release-manager", "databases.postgres.production.password"),
        "read, exec"
    );
    assert_eq!(levels(&policy, "ops/x", "databases.postgres.production"), "nothing");
    let discord = decide(&policy, "ops/x", "any.yaml", "communication.discord.webhook");
    assert!(discord.only_post && discord.levels == Level::Use.into());
    assert_eq!(discord.allowed_by[0].line, 7);
    assert_eq!(levels(&policy, "dev/x", "communication.discord"), "nothing");
    assert!(!policy.is_compiled_for(&[], "ops/x", "any.yaml", &["communication".into()]));
}

#[test]
fn every_field_is_read() {
    let policy = parse(FULL);
    assert_eq!((policy.repo.as_deref(), policy.serial), (Some("6f0c51b2"), Some(42)));
    assert_eq!(policy.valid_until.as_deref(), Some("2027-03-01T00:00:00Z"));
    assert_eq!(policy.lines["principals"], 6);
    let ana = policy.principal_of_key("ssh-ed25519 AAAAana elsewhere").unwrap();
    assert_eq!((ana.name.as_str(), ana.line), ("humans/ana", 7));
    assert!(ana.roles.contains(&Role::Admin) && !ana.is_agent() && policy.principals["ops/watch"].is_agent());
    assert!(policy.principal_of_key("ssh-ed25519 AAAAother").is_none());
    assert_eq!(policy.recovery_recipients(), ["age1ana", "age1bo", "age1paper"]);
    let recipients = policy.source_recipients("secrets/prod.yaml").unwrap();
    assert_eq!(recipients, ["age1ana", "age1bo", "age1broker"]);
    assert!(policy.governs("secrets/x.yaml") && !policy.governs("other.yaml"));
}

#[test]
fn rules_unite_and_denials_win() {
    let policy = parse(FULL);
    assert_eq!(levels(&policy, "ops/deploy", "databases.main"), "exec");
    assert_eq!(levels(&policy, "humans/bo", "databases.main"), "read, exec, write");
    assert_eq!(levels(&policy, "humans/bo", "databases.root.password"), "write");
    assert_eq!(levels(&policy, "ops/watch", "databases.main"), "read, exec, use");
    assert!(decide(&policy, "ops/watch", "x.yaml", "databases.main").needs_reason);
    let leased = decide(&policy, "ops/watch", "x.yaml", "tokens.npm");
    assert!(leased.needs_lease && leased.levels.is_empty() && leased.allowed_by[0].lease);
    let denied = decide(&policy, "ops/watch", "secrets/dev.yaml", "tokens.github");
    assert!(denied.levels.is_empty() && denied.denied == Levels::ALL && denied.denied_by[0].line == 31);
}

#[test]
fn a_broker_gets_what_its_agents_may_use() {
    let policy = parse(FULL);
    let compiled = |name: &str, path: &str| {
        policy.is_compiled_for(&[], name, "secrets/prod.yaml", &parse_path(path).unwrap())
    };
    assert!(compiled("broker/ana", "databases.main") && !compiled("ops/deploy", "databases.main"));
    assert!(compiled("broker/ana", "tokens.github") && !compiled("ops/watch", "tokens.github"));
    assert!(compiled("ops/watch", "databases.main") && !compiled("ops/watch", "tokens.npm"));
    assert!(compiled("humans/bo", "databases.main") && !compiled("humans/bo", "databases.root"));
    assert!(!compiled("nobody", "databases.main"));
    // Without a broker, what may only be run goes to the agent itself, unless it may not read it.
    let alone = parse(&FULL.replace(", broker: broker/ana", ""));
    let has = |path: &str| {
        alone.is_compiled_for(&[], "ops/deploy", "secrets/prod.yaml", &parse_path(path).unwrap())
    };
    assert!(has("databases.main") && !has("databases.root") && !has("tokens.github"));
}

#[test]
fn revocations_take_away_and_reach_brokers() {
    let policy = parse(FULL);
    let revoke = |name: &str| {
        let text = format!("access_control: {{deny: [{{agents: {name}, secrets: '**'}}]}}");
        Revocation { deny: parse(&text).denies.remove(0), digest: String::new() }
    };
    let path = parse_path("databases.main").unwrap();
    let subject = Subject { agent: "humans/bo", source: "secrets/prod.yaml", path: &path };
    assert!(policy.decide(&[revoke("humans/bo")], &subject).levels.is_empty());
    let compiled =
        |revoked: &str| policy.is_compiled_for(&[revoke(revoked)], "broker/ana", "secrets/prod.yaml", &path);
    assert!(compiled("humans/bo") && !compiled("broker/ana") && !compiled("ops/deploy"));
}

#[test]
fn faults_name_their_line() {
    let with_principals = |text: &str| format!("principals:\n{text}\naccess_control: {{}}\n");
    let rule = |text: &str| format!("access_control:\n  secrets:\n    a.b:\n      {text}\n");
    let cases: &[(String, usize, &str)] = &[
        ("version: 2\naccess_control: {}\n".into(), 1, "is not 1"),
        ("\nacces_control: {}\n".into(), 2, "is unknown"),
        ("serial: -1\naccess_control: {}\n".into(), 1, "is no number"),
        ("valid_until: 2027-03-01\naccess_control: {}\n".into(), 1, "no such time"),
        ("valid_until: 2027-03-01T00:00:00+01:00\naccess_control: {}\n".into(), 1, "no such time"),
        ("repo: a b\naccess_control: {}\n".into(), 1, "no name"),
        ("version: 1\n".into(), 1, "no access_control"),
        ("access_control: {}\n---\na: 1\n".into(), 3, "second document"),
        ("access_control: {}\nrecovery: [age1x, who]\n".into(), 2, "is nobody"),
        ("a: &a {}\naccess_control: *a\n".into(), 1, "is unknown"),
        ("version: &a 1\nserial: *a\naccess_control: {}\n".into(), 2, "is an alias"),
        (with_principals("  a: {age: x}"), 2, "no such key"),
        (with_principals("  a: {age: AGE-SECRET-KEY-1}"), 2, "no such key"),
        (with_principals("  a: {sign: age1x}"), 2, "no such key"),
        (with_principals("  a: {roles: king}"), 2, "no role"),
        (with_principals("  a: {broker: b}"), 2, "broker"),
        (with_principals("  a: {}\n  b: {}\n  a/b/c: {}"), 4, "lies below a"),
        (with_principals("  a/x: {}\n  A/x: {}"), 3, "case of letters"),
        (with_principals("  a: {age: age1x}\n  b: {age: [age1y, age1x]}"), 3, "a key of a"),
        (with_principals("  a//b: {}"), 2, "empty segment"),
        (with_principals("  a: {}\ngroups: {a: []}"), 3, "name of a principal"),
        (with_principals("  a: {}\ngroups: {g: [h], h: []}"), 3, "is a group"),
        (rule("access_level: read"), 3, "no allowed_agents"),
        (rule("{allowed_agents: x, access_level: readwrite}"), 4, "no level"),
        (rule("{allowed_agents: x, file: []}"), 4, "names no file"),
        (rule("{allowed_agents: [x], hosts: discord.com}"), 4, "is no list"),
        (rule("{allowed_agents: ['a**']}"), 4, "within a segment"),
        ("access_control:\n  secrets:\n    a[0]: {}\n".into(), 3, "bracket"),
        ("access_control:\n  deny:\n    - {agents: x}\n".into(), 3, "no secrets"),
        ("access_control:\n  deny:\n    - {agents: [], secrets: x}\n".into(), 3, "no agents"),
    ];
    for (text, line, message) in cases {
        let error = Policy::parse(text.as_bytes()).expect_err(text);
        assert_eq!(error.line, Some(*line), "{text}: {error:?}");
        assert!(error.message.contains(message) && error.message.len() < 120, "{text}: {error:?}");
    }
    let star = Policy::parse(b"access_control:\n  deny: [{agents: [**], secrets: a}]\n").unwrap_err();
    assert!(star.advice.unwrap().contains("in quotes"), "{}", star.message);
    assert!(Policy::parse(b"").unwrap_err().advice.is_some());
}
