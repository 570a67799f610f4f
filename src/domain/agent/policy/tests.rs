//! Policies as people write them, and what they decide.

use super::{Level, Levels, Policy, PrincipalKind, Revocation, Role, Subject, assertions, lint};
use crate::domain::agent::leaves::Source;
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
  humans/ana: { age: [age1ana], sign: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBTrQAg4bVy9hjI0Ix12gh8V0LF8SPgFTsW/6tEWfXru ana@host", roles: [admin, human] }
  humans/bo:  { age: age1bo, roles: [human] }
  ops/deploy: { age: [age1deploy], sign: ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINMt9uO4gr1FAWGsQPxXjWchiNIG98r2W1ps1OAYBOmx"], broker: broker/ana }
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
    let ana = policy
        .principal_of_key(
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBTrQAg4bVy9hjI0Ix12gh8V0LF8SPgFTsW/6tEWfXru elsewhere",
        )
        .unwrap();
    assert_eq!((ana.name.as_str(), ana.line), ("humans/ana", 7));
    assert!(ana.roles.contains(&Role::Admin) && !ana.is_agent() && policy.principals["ops/watch"].is_agent());
    assert!(
        policy
            .principal_of_key(
                "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJcFxZKB/sLrzNm3QjdONmXRvLZCyzSUB+C9GHCq7QS7"
            )
            .is_none()
    );
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

/// Sources with these leaves.
fn sources(files: &[(&str, &[&str])]) -> Vec<Source> {
    let source = |(path, leaves): &(&str, &[&str])| {
        let mut leaves: Vec<_> = leaves.iter().map(|leaf| parse_path(leaf).unwrap()).collect();
        leaves.sort();
        Source { path: (*path).to_owned(), leaves, recipients: vec!["age1ana".into()], has_other_keys: false }
    };
    files.iter().map(source).collect()
}

fn full_sources() -> Vec<Source> {
    sources(&[
        ("secrets/prod.yaml", &["databases.main", "databases.root.password", "tokens.github", "tokens.npm"]),
        ("secrets/dev.yaml", &["databases.main", "tokens.github"]),
    ])
}

#[test]
fn assertions_hold_or_say_why_not() {
    let policy = parse(FULL);
    let check = |line: &str| {
        let assertion = assertions(line).unwrap().remove(0);
        let verdict = assertion.check(&policy, &[], &full_sources());
        (verdict.holds, verdict.rule.map(|rule| rule.line), verdict.because)
    };
    for (line, holds, rule) in [
        ("ops/deploy can exec databases.main in secrets/prod.yaml", true, Some(19)),
        ("ops/deploy can exec databases.main", false, None),
        ("ops/deploy cannot read databases", true, Some(30)),
        ("people can read-write databases.main # both", true, Some(20)),
        ("humans/bo cannot read databases.root", true, Some(30)),
        ("humans/bo can read databases", false, Some(30)),
        ("ops/watch can exec databases.main", true, Some(21)),
        ("ops/watch cannot reach tokens in secrets/dev.yaml", true, Some(31)),
        ("ops/watch cannot read tokens.npm", true, Some(25)),
        ("dev/** must not reach secrets/prod.yaml", true, Some(30)),
        ("ops/* must not reach secrets/dev.yaml", false, Some(21)),
        ("ops/** cannot use tokens.github in secrets/prod.yaml", false, Some(22)),
        ("ops/** can use tokens.github in secrets/prod.yaml", true, Some(22)),
        ("ops/new can reach databases", false, None),
        ("ops/deploy cannot read databses", false, None),
        ("ops/deploy must not reach secrets/pord.yaml", false, None),
    ] {
        let (held, by, because) = check(line);
        assert_eq!((held, by), (holds, rule), "{line}: {because}");
    }
    // A pattern that matches nobody yet is about those who could be added.
    let open = parse("access_control: {secrets: {a: {allowed_agents: ['dev/*']}}}");
    let assertion = assertions("dev/** cannot read a").unwrap().remove(0);
    let verdict = assertion.check(&open, &[], &sources(&[("x.yaml", &["a.b"])]));
    assert!(!verdict.holds && verdict.because.contains("dev/any may read: a.b in x.yaml"), "{verdict:?}");
}

#[test]
fn lines_that_are_no_assertion_are_refused() {
    for (text, line) in [
        ("# x\n\nops/x may read a", 3),
        ("ops/x can read", 1),
        ("ops/x can see a", 1),
        ("ops/x can read a of b", 1),
        ("ops/x can read a in", 1),
        ("a b\n", 1),
        ("ops/x must not reach", 1),
        ("ops/x must reach a.yaml", 1),
        ("ops/x can read a..b", 1),
        ("-x can read a", 1),
        ("ops/x must not reach /etc/passwd", 1),
    ] {
        assert_eq!(assertions(text).expect_err(text).line, line, "{text}");
    }
    assert_eq!(assertions("\n# only a comment\n  \n").unwrap(), []);
}

/// The findings of a policy as `line kind`.
fn found(text: &str, sources: &[Source]) -> Vec<String> {
    let findings = lint(&parse(text), sources, "2026-11-22T00:00:00Z");
    findings.iter().map(|it| format!("{} {}", it.line.unwrap_or(0), it.kind.id())).collect()
}

#[test]
fn lint_finds_what_is_probably_wrong() {
    assert_eq!(
        found(FULL, &full_sources()),
        ["21 no-broker", "22 no-broker", "22 not-used", "25 lease-unavailable"]
    );
    let seed = found(SEED, &sources(&[("a.yaml", &["databases.postgres.production.password"])]));
    let expected = [
        "0 unsignable",
        "0 unsignable",
        "0 no-expiry",
        "0 no-person",
        "3 no-identity",
        "3 no-identity",
        "7 matches-nothing",
        "7 matches-nobody",
        "7 not-used",
    ];
    assert_eq!(seed, expected);
    let cases: &[(&str, &str, &str)] = &[
        ("valid_until: 2027-03-01", "valid_until: 2026-03-01", "5 expired"),
        ("recovery: [people, age1paper, age1ana]", "", "-"),
        (
            "groups: { people: [\"humans/*\"] }",
            "groups: { people: [\"humans/*\"], old: [x] }",
            "12 unused-group",
        ),
        ("access_level: exec,", "access_level: exec, audit: false,", "19 audit-off"),
        ("{ allowed_agents: [ops/deploy], access", "{ allowed_agents: ['**'], access", "19 too-wide"),
        ("tokens.github:", "'**':", "22 too-wide"),
        ("tokens.github:", "tokens.gitlab:", "22 matches-nothing"),
        ("file: secrets/dev.yaml", "file: secrets/dve.yaml", "31 matches-nothing"),
        ("secrets: [databases.root]", "secrets: [databases.toor]", "30 matches-nothing"),
        ("agents: [ops/watch], secrets", "agents: [ops/wacth], secrets", "31 matches-nobody"),
        (
            "levels: [read] }",
            "levels: [read, exec] }\n    - { agents: ops/deploy, secrets: databases }",
            "19 denied-away",
        ),
        ("roles: [broker] }", "roles: [] }", "9 no-broker"),
        (", broker: broker/ana }", " }", "11 never-granted"),
        ("{ age: [age1watch] }", "{}", "10 no-identity"),
        ("secrets/*.yaml", "secret/*.yaml", "15 matches-nothing"),
    ];
    for (from, to, finding) in cases {
        assert!(FULL.contains(from), "{from}");
        let found = found(&FULL.replace(from, to), &full_sources());
        assert!(*finding == "-" || found.iter().any(|it| it == finding), "{to}: {found:?}");
    }
    let blocked = "principals: {a: {age: age1x}}\naccess_control:\n  secrets:\n    b: {allowed_agents: a, access_level: exec}\n  deny: [{agents: a, secrets: b, levels: read}]\n";
    assert!(found(blocked, &sources(&[("s.yaml", &["b.c"])])).contains(&"4 exec-unavailable".to_owned()));
    let mut theirs = full_sources();
    theirs[0].recipients = vec!["age1stranger".into()];
    assert!(found(FULL, &theirs).contains(&"14 no-person".to_owned()));
}

#[test]
fn a_leaf_below_a_merge_key_is_granted_under_both_of_its_paths_only() {
    let policy = parse(
        "principals:\n  ops/x: {}\n  ops/broker: { roles: [broker] }\n  ops/y: { broker: ops/broker }\n\
         access_control:\n  secrets:\n    prod.<<.p: { allowed_agents: [\"ops/*\"], access_level: [read, use] }\n\
         \x20   prod.p: { allowed_agents: [\"ops/*\"], access_level: [exec, use], reason: true }\n\
         \x20   prod.<<.q: { allowed_agents: [\"ops/*\"] }\n    prod.r: { allowed_agents: [\"ops/*\"] }\n\
         \x20   prod.<<.s: { allowed_agents: [\"ops/*\"] }\n    prod.s: { allowed_agents: [\"ops/*\"] }\n\
         \x20 deny:\n    - { agents: [ops/x], secrets: prod.s }\n",
    );
    let decision = decide(&policy, "ops/x", "f", "prod.<<.p");
    assert_eq!(decision.levels.to_string(), "exec, use");
    assert!(decision.needs_reason && decision.allowed_by.len() == 2);
    for path in ["prod.<<.q", "prod.<<.r", "prod.<<.s"] {
        let decision = decide(&policy, "ops/x", "f", path);
        assert!(decision.levels.is_empty(), "{path}");
    }
    assert!(!decide(&policy, "ops/y", "f", "prod.<<.s").levels.is_empty());
    let compiled =
        |name: &str, path: &str| policy.is_compiled_for(&[], name, "f", &parse_path(path).unwrap());
    assert!(compiled("ops/x", "prod.<<.p") && compiled("ops/broker", "prod.<<.p"));
    assert!(!compiled("ops/x", "prod.<<.q") && !compiled("ops/x", "prod.<<.r"));
    assert!(!compiled("ops/x", "prod.<<.s") && compiled("ops/y", "prod.<<.s"));
}

#[test]
fn signing_keys_are_those_that_can_be_verified() {
    let with = |key: &str| {
        let text = format!("principals:\n  a:\n    sign: [\"{key}\"]\naccess_control: {{secrets: {{}}}}\n");
        Policy::parse(text.as_bytes())
    };
    assert!(
        with("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBTrQAg4bVy9hjI0Ix12gh8V0LF8SPgFTsW/6tEWfXru ana@host")
            .is_ok()
    );
    for key in [
        "ecdsa-sha2-nistp521 AAAAE2VjZHNhLXNoYTItbmlzdHA1MjEAAAAIbmlzdHA1MjEAAACFBAHFX6yONOI5RkMMaPgTVOAg/SiR9nUJuWJb7dvI6Kp6e4hmi7rn79GiE+AYtwI/e9GvjWB34ywsxbmUabKzgXfJuAFHY9YKl6u9N+sw4dYa6+rTRB4UUerHYlUd0mUYgo1iMnm8NFbUxhkbQyhrj7bj4tOjjEF8Nst2R2VqHhQHQNQpng==",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA",
        "ssh-ed25519 AAAAana",
        "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIBTrQAg4bVy9hjI0Ix12gh8V0LF8SPgFTsW/6tEWfXru",
        "ssh-ed25519",
    ] {
        let error = with(key).unwrap_err();
        assert_eq!((error.line, error.advice.is_some()), (Some(3), true), "{key}: {error:?}");
        assert!(error.message.contains("principals.a.sign"), "{error:?}");
    }
}

#[test]
fn a_serial_can_always_be_counted_on() {
    let with = |serial: &str| Policy::parse(format!("serial: {serial}\n{SEED}").as_bytes());
    assert_eq!(with("9007199254740991").unwrap().serial, Some(9_007_199_254_740_991));
    for serial in ["9007199254740992", "18446744073709551615", "-1"] {
        let error = with(serial).unwrap_err();
        assert!(error.line == Some(1) && error.message.starts_with("serial "), "{error:?}");
    }
}

#[test]
fn of_several_roles_a_persons_goes_first() {
    let kind = |roles: &[Role]| {
        super::Principal { roles: roles.iter().copied().collect(), ..Default::default() }.kind()
    };
    assert_eq!(kind(&[Role::Broker, Role::Ci, Role::Human]), PrincipalKind::Human);
    assert_eq!(kind(&[Role::Broker, Role::Admin]), PrincipalKind::Human);
    assert_eq!(kind(&[Role::Broker, Role::Ci]), PrincipalKind::Broker);
    assert_eq!(kind(&[Role::Ci, Role::Auditor]), PrincipalKind::Ci);
    assert_eq!(kind(&[Role::Responder]), PrincipalKind::Agent);
}
