//! Recipient syntax, and the report of sops. The long texts were recorded from
//! sops 3.11.0.

use super::names::Names;
use super::report::{GroupOutcome, Tried, advice, data_key_failure, short_answer};
use super::sources::{Outcome, Source, Visit, loading_report};
use super::{KeyError, RecipientKind, Refusal, go_quoted, recipient_kind, same_ssh_key, split_recipients};

#[test]
fn recipients_are_told_apart_by_their_first_characters() {
    for (text, kind) in [
        ("age1quvunddcl2w2cnljza44nedq3ugul7uw9fxlezpwuk0duwwtwy3stj6wq9", RecipientKind::X25519),
        ("age1pq133pmy", RecipientKind::Hybrid),
        ("age1pq1", RecipientKind::Hybrid),
        ("age1yubikey1q2w3", RecipientKind::Plugin),
        ("age1tag1q2w3", RecipientKind::Tag),
        ("age1tagpq1q2w3", RecipientKind::TagHybrid),
        ("age1", RecipientKind::X25519),
        ("ssh-ed25519 AAAA me@here", RecipientKind::Ssh),
        ("ssh-rsa AAAA", RecipientKind::Ssh),
    ] {
        assert_eq!(recipient_kind(text).unwrap(), kind, "{text}");
    }
    for (text, shown) in [
        ("", "\"\""),
        ("AGE1QUV", "\"AGE1QUV\""),
        ("a\"b\\\n\u{1b}[31m\u{7f}\u{85}é\u{200b}", "\"a\\\"b\\\\\\n\\x1b[31m\\x7f\\u0085é\\u200b\""),
    ] {
        let error = recipient_kind(text).unwrap_err().to_string();
        assert_eq!(error, format!("failed to parse input, unknown recipient type: {shown}"));
    }
}

#[test]
fn lists_are_split_at_commas_and_trimmed() {
    assert_eq!(split_recipients("").unwrap(), Vec::<&str>::new());
    assert_eq!(split_recipients(" age1a ,\n age1b").unwrap(), ["age1a", "age1b"]);
    assert_eq!(split_recipients("ssh-rsa AA me, age1b").unwrap(), ["ssh-rsa AA me", "age1b"]);
    for list in ["age1a,", ",age1a", " ", "age1a,,age1b"] {
        assert_eq!(split_recipients(list), Err(KeyError::UnknownRecipient(String::new())), "{list}");
    }
}

#[test]
fn ssh_keys_are_compared_without_comment() {
    assert!(same_ssh_key("ssh-rsa AAAA= me", "ssh-rsa AAAA"));
    assert!(!same_ssh_key("ssh-rsa AAAB", "ssh-rsa AAAA"));
    assert!(!same_ssh_key("ssh-ed25519 AAAA", "ssh-rsa AAAA"));
    assert!(!same_ssh_key("ssh-rsa", "ssh-rsa"));
    assert!(!same_ssh_key("", ""));
}

#[test]
fn quoting_escapes_like_go() {
    assert_eq!(go_quoted("a\u{7}\u{8}\u{c}\u{b}\t\r"), r#""a\a\b\f\v\t\r""#);
    assert_eq!(go_quoted("\u{feff}\u{e0001}"), r#""\ufeff\U000e0001""#);
}

/// Visits with nothing anywhere; `found` overrides some.
fn visits(found: &[(Source, Outcome)]) -> Vec<Visit> {
    [
        (Source::SshKeyFile, "SOPS_AGE_SSH_PRIVATE_KEY_FILE"),
        (Source::HomeEd25519, "/h/.ssh/id_ed25519"),
        (Source::HomeRsa, "/h/.ssh/id_rsa"),
        (Source::Key, "SOPS_AGE_KEY"),
        (Source::KeyFile, "SOPS_AGE_KEY_FILE"),
        (Source::KeyCmd, "SOPS_AGE_KEY_CMD"),
        (Source::DefaultKeyFile, "/h/.config/sops/age/keys.txt"),
    ]
    .into_iter()
    .map(|(source, location)| Visit {
        source,
        location: location.to_owned(),
        outcome: found.iter().find(|(s, _)| *s == source).map_or(Outcome::Absent, |(_, o)| o.clone()),
    })
    .collect()
}

#[test]
fn loading_is_reported_as_sops_does() {
    let unreadable = |text: &str| Outcome::Unreadable(text.to_owned());
    let malformed = |text: &str| Outcome::Malformed(text.to_owned());
    let ssh = "'SOPS_AGE_SSH_PRIVATE_KEY_FILE', '/h/.ssh/id_ed25519', '/h/.ssh/id_rsa'";
    let keys = "'/h/.config/sops/age/keys.txt'";
    for (found, expected) in [
        (
            vec![],
            format!(
                ". Did not find keys in locations {ssh}, 'SOPS_AGE_KEY', 'SOPS_AGE_KEY_FILE', \
                 'SOPS_AGE_KEY_CMD', and {keys}."
            ),
        ),
        (
            vec![(Source::KeyFile, Outcome::Found(1))],
            format!(". Did not find keys in locations {ssh}, 'SOPS_AGE_KEY', and 'SOPS_AGE_KEY_CMD'."),
        ),
        (
            vec![(Source::KeyFile, Outcome::Found(0))],
            format!(
                ". Did not find keys in locations {ssh}, 'SOPS_AGE_KEY', 'SOPS_AGE_KEY_CMD', and \
                 'SOPS_AGE_KEY_FILE'."
            ),
        ),
        (
            vec![(
                Source::Key,
                malformed("failed to parse 'SOPS_AGE_KEY' age identities: unknown identity type"),
            )],
            format!(
                ". Errors while loading age identities: failed to parse 'SOPS_AGE_KEY' age identities: \
                 unknown identity type. Did not find keys in locations {ssh}, 'SOPS_AGE_KEY_FILE', and \
                 'SOPS_AGE_KEY_CMD'."
            ),
        ),
        (
            vec![(Source::KeyCmd, unreadable("failed to execute"))],
            format!(
                ". Errors while loading age identities: failed to execute. Did not find keys in locations \
                 {ssh}, 'SOPS_AGE_KEY', 'SOPS_AGE_KEY_FILE', and {keys}."
            ),
        ),
        (
            vec![(Source::Key, malformed("second")), (Source::KeyFile, unreadable("first"))],
            format!(
                ". Errors while loading age identities: first; second. Did not find keys in locations \
                 {ssh}, and 'SOPS_AGE_KEY_CMD'."
            ),
        ),
        (
            vec![(Source::SshKeyFile, Outcome::Found(1))],
            ". Did not find keys in locations '/h/.ssh/id_ed25519', '/h/.ssh/id_rsa', 'SOPS_AGE_KEY', \
             'SOPS_AGE_KEY_FILE', and 'SOPS_AGE_KEY_CMD'."
                .to_owned(),
        ),
    ] {
        assert_eq!(loading_report(&visits(&found)), expected);
    }
    let two = [visits(&[])[0].clone(), visits(&[])[3].clone()];
    assert_eq!(
        loading_report(&two),
        ". Did not find keys in locations 'SOPS_AGE_SSH_PRIVATE_KEY_FILE' and 'SOPS_AGE_KEY'."
    );
    assert_eq!(loading_report(&two[1..]), ". Did not find keys in location 'SOPS_AGE_KEY'.");
    assert_eq!(loading_report(&[]), "");
}

const WRONG_KEY: &str = "failed to create reader for decrypting sops data key with age: identity did not \
    match any of the recipients: incorrect identity for recipient block. Did not find keys in locations \
    'SOPS_AGE_SSH_PRIVATE_KEY_FILE', '/home/engineering/.ssh/id_ed25519', '/home/engineering/.ssh/id_rsa', \
    'SOPS_AGE_KEY', and 'SOPS_AGE_KEY_CMD'.";

const NOBODY: &Names = &Names::nobody();

fn refusal(key: &str) -> Refusal {
    Refusal { key: key.to_owned(), reasons: vec![WRONG_KEY.to_owned()], problem: None }
}

#[test]
fn a_wrong_key_is_reported_as_sops_does() {
    let groups = [GroupOutcome::Failed(vec![
        refusal("age1quvunddcl2w2cnljza44nedq3ugul7uw9fxlezpwuk0duwwtwy3stj6wq9"),
        refusal("age1a75svy23ku4f4c3d2dqp0n34u3utrgsx6kg9kr4ldwfxypggjsrqwnulru"),
    ])];
    let recorded = "\
Failed to get the data key required to decrypt the SOPS file.

Group 0: FAILED
  age1quvunddcl2w2cnljza44nedq3ugul7uw9fxlezpwuk0duwwtwy3stj6wq9: FAILED
    - | failed to create reader for decrypting sops data key with
      | age: identity did not match any of the recipients: incorrect
      | identity for recipient block. Did not find keys in locations
      | 'SOPS_AGE_SSH_PRIVATE_KEY_FILE',
      | '/home/engineering/.ssh/id_ed25519',
      | '/home/engineering/.ssh/id_rsa', 'SOPS_AGE_KEY', and
      | 'SOPS_AGE_KEY_CMD'.
\u{20} 
  age1a75svy23ku4f4c3d2dqp0n34u3utrgsx6kg9kr4ldwfxypggjsrqwnulru: FAILED
    - | failed to create reader for decrypting sops data key with
      | age: identity did not match any of the recipients: incorrect
      | identity for recipient block. Did not find keys in locations
      | 'SOPS_AGE_SSH_PRIVATE_KEY_FILE',
      | '/home/engineering/.ssh/id_ed25519',
      | '/home/engineering/.ssh/id_rsa', 'SOPS_AGE_KEY', and
      | 'SOPS_AGE_KEY_CMD'.

Recovery failed because no master key was able to decrypt the file. In
order for SOPS to recover the file, at least one key has to be successful,
but none were.";
    assert_eq!(data_key_failure(&groups, 0, NOBODY, false), recorded);
    let coloured = data_key_failure(&groups, 0, NOBODY, true);
    assert_eq!(coloured.matches("\u{1b}[31mFAILED\u{1b}[0m").count(), 3);
}

#[test]
fn missing_shares_are_reported_as_sops_does() {
    let groups = [
        GroupOutcome::Recovered,
        GroupOutcome::Failed(vec![refusal("age1h2ullr4kqn50p8jkqhfc5fk8el6nj9v3hx0ljk9rl2pe3tqjrdtqa4sgtt")]),
        GroupOutcome::Failed(vec![Refusal {
            key: "x".to_owned(),
            reasons: vec!["a".into(), "b".into()],
            problem: None,
        }]),
    ];
    let recorded = "\
Failed to get the data key required to decrypt the SOPS file.

Group 0: SUCCESS

Group 1: FAILED
  age1h2ullr4kqn50p8jkqhfc5fk8el6nj9v3hx0ljk9rl2pe3tqjrdtqa4sgtt: FAILED
    - | failed to create reader for decrypting sops data key with
      | age: identity did not match any of the recipients: incorrect
      | identity for recipient block. Did not find keys in locations
      | 'SOPS_AGE_SSH_PRIVATE_KEY_FILE',
      | '/home/engineering/.ssh/id_ed25519',
      | '/home/engineering/.ssh/id_rsa', 'SOPS_AGE_KEY', and
      | 'SOPS_AGE_KEY_CMD'.

Group 2: FAILED
  x: FAILED
    - | a
\u{20}   
    - | b

Recovery failed because the file was encrypted with a Shamir threshold of
2, but only 1 part(s) were successfully recovered, one for each successful
key group. In order for SOPS to recover the file, at least 2 groups have to
be successful. In order for a group to be successful, decryption has to
succeed with any of the keys in that key group.";
    assert_eq!(data_key_failure(&groups, 2, NOBODY, false), recorded);
}

#[test]
fn a_file_cannot_steer_the_terminal() {
    let groups = [GroupOutcome::Failed(vec![Refusal {
        key: "a\u{1b}[2J\r".into(),
        reasons: vec!["b\u{9b}c".into()],
        problem: Some("d\u{1b}e".into()),
    }])];
    let report = data_key_failure(&groups, 0, NOBODY, false);
    let answer = short_answer(&[], &[&groups[0].refusals()[0]], &["a\u{1b}[2J\r"], NOBODY);
    for text in [report, answer] {
        assert!(!text.contains(['\u{1b}', '\r', '\u{9b}']));
    }
}

#[test]
fn the_short_answer_names_identities_places_and_recipients() {
    let place = |location: &str, identities: &[&str], problem: Option<&str>| Tried {
        location: location.to_owned(),
        identities: identities.iter().map(|&identity| identity.to_owned()).collect(),
        problem: problem.map(str::to_owned),
    };
    let tried = [
        place("/h/.ssh/id_rsa", &[], None),
        place("SOPS_AGE_KEY_FILE", &["age1me"], None),
        place("SOPS_AGE_KEY_CMD", &[], Some("failed to execute")),
    ];
    let recipients: Vec<String> = (0..12).map(|n| format!("age1r{n}")).collect();
    let recipients: Vec<&str> = recipients.iter().map(String::as_str).collect();
    assert_eq!(
        short_answer(&tried, &[], &recipients[..2], NOBODY),
        "identities tried:\n  age1me from SOPS_AGE_KEY_FILE\nnot usable: failed to execute\n\
         the file can be opened by:\n  age1r0\n  age1r1"
    );
    assert!(short_answer(&tried, &[], &recipients, NOBODY).ends_with("  age1r9\n  and 2 more"));
    let nothing = [place("/h/.ssh/id_rsa", &[], None), place("SOPS_AGE_KEY", &[], None)];
    assert_eq!(
        short_answer(&nothing, &[], &recipients[..1], NOBODY),
        "no age identity found in /h/.ssh/id_rsa, SOPS_AGE_KEY\nthe file can be opened by:\n  age1r0"
    );

    let remedies = |tried: &[Tried], recipients: &[&str]| advice(tried, recipients, "/c/keys.txt").join("\n");
    assert!(remedies(&tried, &recipients).contains("into /c/keys.txt"));
    assert!(remedies(&tried, &recipients).contains("add age1me to its recipients"));
    assert!(remedies(&nothing, &recipients).contains("leaflock init"));
    assert!(remedies(&tried, &["ssh-rsa AAAA"]).contains("SOPS_AGE_SSH_PRIVATE_KEY_FILE"));
    assert!(remedies(&tried, &["age1yubikey1abc"]).contains("age-plugin-yubikey"));
    let refused = |key: &str, problem: &str| Refusal { problem: Some(problem.to_owned()), ..refusal(key) };
    let refused = [refused("age1a", "PIN is wrong"), refused("age1b", "PIN is wrong"), refusal("age1c")];
    let answer = short_answer(&tried, &refused.iter().collect::<Vec<_>>(), &recipients[..1], NOBODY);
    assert!(answer.contains("\nnot opened: age1a: PIN is wrong\nthe file can"), "{answer}");
}
