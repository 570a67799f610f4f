//! Lines that read back, and lines that must not pass.

use super::*;
use crate::domain::agent::sshsig::{KeptKey, SigningKey};
use crate::domain::digest;
use crate::domain::secret::SecretBytes;

/// A throwaway key, made by ssh-keygen.
const PLAIN: &str = "\
-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW
QyNTUxOQAAACCoRY1hRsIJzGC5xjT9yVA9aZ5gyDP5r6LUFtoj7fYsAQAAAIjxvKNt8byj
bQAAAAtzc2gtZWQyNTUxOQAAACCoRY1hRsIJzGC5xjT9yVA9aZ5gyDP5r6LUFtoj7fYsAQ
AAAEB6zBypmomucfccsKZc4UkveyJZgGTCuQ3nLtDv+8Jty6hFjWFGwgnMYLnGNP3JUD1p
nmDIM/mvotQW2iPt9iwBAAAAAWMBAgME
-----END OPENSSH PRIVATE KEY-----
";

fn key() -> SigningKey {
    KeptKey::parse(PLAIN.as_bytes()).unwrap().unlock(&SecretBytes::default()).unwrap()
}

fn statement() -> Statement {
    Statement {
        repo: "6f0c".to_owned(),
        timestamp: "2026-11-22T01:02:03Z".to_owned(),
        agent: "ops/deploy".to_owned(),
        secrets: vec!["db.**".to_owned(), "x[\"a.b\"]".to_owned()],
        levels: vec![Level::Read, Level::Exec],
        files: Vec::new(),
        reason: "key \"lost\"\n,\"sig\":\"x\"} ü".to_owned(),
    }
}

fn line(statement: &Statement) -> String {
    statement.to_line(&key().sign(statement.message().as_bytes(), NAMESPACE).unwrap()).unwrap()
}

fn policy(principals: &str) -> Policy {
    let text = format!("version: 1\nprincipals:\n{principals}access_control: {{secrets: {{}}}}\n");
    Policy::parse(text.replace("KEY", &key().public().to_string()).as_bytes()).unwrap()
}

#[test]
fn a_line_reads_back_with_its_signer() {
    let line = line(&statement());
    assert_eq!(line.matches('\n').count(), 1);
    let read = read(line.as_bytes(), 3).unwrap();
    assert_eq!((&read.statement, &read.key, read.line), (&statement(), key().public(), 3));
    assert_eq!(read.digest, digest::of(line.trim_end().as_bytes()));
    let denial = read.denial(&policy("  ops/deploy: {sign: KEY}\n")).unwrap();
    assert_eq!((denial.digest, denial.deny.line), (read.digest, 3));
    assert!(denial.deny.agents.covers("ops/deploy") && !denial.deny.agents.covers("ops/other"));
}

#[test]
fn no_changed_byte_passes() {
    let line = line(&statement());
    let bytes = line.trim_end().as_bytes();
    for at in 0..bytes.len() {
        for bit in [1, 0x20] {
            let mut changed = bytes.to_vec();
            changed[at] ^= bit;
            assert!(read(&changed, 1).is_err(), "{at}: {}", String::from_utf8_lossy(&changed));
        }
    }
    for changed in [
        line.replace(",\"files\"", ", \"files\""),
        line.replace("{\"v\"", "{\"more\":1,\"v\""),
        line.replace("{\"v\":1", "{\"v\":1,\"v\":1"),
        line.replace("03Z", "03+00:00"),
        line.trim_end().trim_end_matches('}').to_owned() + ",\"more\":1}",
    ] {
        assert!(read(changed.as_bytes(), 1).is_err(), "{changed}");
    }
    let other = statement().to_line(&key().sign(statement().message().as_bytes(), "git").unwrap()).unwrap();
    assert_eq!(read(other.as_bytes(), 1), Err(RevocationError::Signature(SignatureError::Namespace)));
}

#[test]
fn responders_and_administrators_speak_of_everybody_and_agents_of_themselves() {
    let read_for = |agent: &str| {
        let line = line(&Statement { agent: agent.to_owned(), ..statement() });
        read(line.as_bytes(), 1).unwrap()
    };
    for (principals, agent, may) in [
        ("  a/x: {sign: KEY}\n", "a/x", true),
        ("  a/x: {sign: KEY}\n", "a/y", false),
        ("  a/x: {sign: KEY}\n", "a/*", false),
        ("  a/x: {sign: KEY, roles: [human, ci, auditor, broker]}\n", "a/y", false),
        ("  a/x: {sign: KEY, roles: [responder]}\n", "**", true),
        ("  a/x: {sign: KEY, roles: [admin]}\n", "a/y", true),
        ("  a/x: {roles: [admin]}\n", "a/x", false),
    ] {
        assert_eq!(read_for(agent).may_be_said(&policy(principals)), may, "{principals} {agent}");
    }
}

#[test]
fn patterns_that_can_match_nothing_are_refused() {
    let policy = policy("  a/x: {sign: KEY}\n");
    for wrong in [
        Statement { agent: "/".to_owned(), ..statement() },
        Statement { secrets: vec!["a..b".to_owned()], ..statement() },
        Statement { files: vec!["/etc".to_owned()], ..statement() },
    ] {
        assert!(read(line(&wrong).as_bytes(), 1).unwrap().denial(&policy).is_err(), "{wrong:?}");
    }
}

#[test]
fn lines_are_counted_with_the_empty_ones() {
    let found: Vec<_> = lines(b"a\r\n\nb\n").collect();
    assert_eq!(found, [(1, &b"a"[..]), (3, b"b")]);
}
