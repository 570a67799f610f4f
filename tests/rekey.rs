//! Changes of keys: `updatekeys`, `rotate` and `groups`, beside the real sops, and
//! the attacks that they must stop.

use std::fs;

use crate::testkit::sandbox::{ALICE, BOB, CAROL, Key, Sandbox};

/// A file a format, with what sops makes of it.
const FORMATS: [(&str, &str); 5] = [
    ("f.yaml", "# top\nname: a # in\nlist:\n    - one\n    # c\n    - two\nnested:\n    n: 1.5\n"),
    ("f.json", "{\n\t\"a\": \"x\",\n\t\"b\": {\n\t\t\"c\": 12,\n\t\t\"d\": true\n\t}\n}\n"),
    ("f.env", "A=1\n# comment\nB=two words\n"),
    ("f.ini", "[section]\na = 1\n; comment\nb = two\n"),
    ("f.bin", "anything \u{0} at all"),
];

fn rule(keys: &[Key]) -> String {
    let keys: Vec<&str> = keys.iter().map(|key| key.recipient).collect();
    format!("creation_rules:\n  - age: {}\n", keys.join(","))
}

/// What the holder of `key` reads of a file with the real sops, if he can.
fn read_by(sandbox: &Sandbox, key: Key, file: &str) -> Option<Vec<u8>> {
    let mut other = Sandbox::new();
    let keys = other.write("keys.txt", key.identity);
    other.set_env("SOPS_AGE_KEY_FILE", keys.to_str().unwrap());
    let path = sandbox.path(file);
    let done = other.sops(&["decrypt", path.to_str().unwrap()]);
    (done.code == Some(0)).then_some(done.stdout)
}

/// The values of a file, without its metadata: the lines before it.
fn body(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let end = ["\nsops", "\n[sops]", "\n\t\"sops\""].iter().filter_map(|mark| text.find(mark)).min();
    text[..end.unwrap_or(text.len())].to_owned()
}

#[test]
fn a_recipient_is_swapped_in_every_format_and_sops_agrees() {
    for by_sops in [true, false] {
        for (name, plain) in FORMATS {
            let sandbox = Sandbox::with_key();
            sandbox.write("plain", plain);
            sandbox.write(".sops.yaml", rule(&[ALICE, BOB]));
            sandbox.write(name, plain);
            if by_sops {
                sandbox.sops(&["encrypt", "-i", name]).ok();
            } else {
                sandbox.ours(&["encrypt", "-i", name]).ok();
            }
            let before = sandbox.read(name);
            let shown = read_by(&sandbox, ALICE, name).unwrap();
            sandbox.write(".sops.yaml", rule(&[ALICE, CAROL]));
            let done = sandbox.ours(&["updatekeys", "--yes", name]);
            assert!(done.stderr.contains("synced with new keys"), "{}", done.describe());
            let asked = done.text();
            for line in [
                format!("    {}", ALICE.recipient),
                format!("+++ {}", CAROL.recipient),
                format!("--- {}", BOB.recipient),
            ] {
                assert!(asked.lines().any(|had| had == line), "{asked}");
            }
            assert_eq!(read_by(&sandbox, ALICE, name).unwrap(), shown, "{name}");
            assert_eq!(read_by(&sandbox, CAROL, name).unwrap(), shown, "{name}");
            assert_eq!(read_by(&sandbox, BOB, name), None, "{name}");
            // Nothing is encrypted under the key that Bob knows.
            let after = sandbox.read(name);
            let tokens = |bytes: &[u8]| -> Vec<String> {
                let text = body(bytes);
                text.split("ENC[").skip(1).map(|rest| rest.split(']').next().unwrap().to_owned()).collect()
            };
            let old = tokens(&before);
            assert!(!old.is_empty() && tokens(&after).iter().all(|token| !old.contains(token)), "{name}");
            // sops finds nothing left to do.
            let again = sandbox.sops(&["updatekeys", "--yes", name]);
            assert!(again.stderr.contains("already up to date"), "{}", again.describe());
        }
    }
}

#[test]
fn who_only_comes_changes_the_metadata_alone() {
    for (name, plain) in FORMATS {
        let sandbox = Sandbox::with_key();
        sandbox.write(".sops.yaml", rule(&[ALICE]));
        sandbox.write(name, plain);
        sandbox.sops(&["encrypt", "-i", name]).ok();
        let before = sandbox.read(name);
        sandbox.write(".sops.yaml", rule(&[ALICE, BOB]));
        sandbox.ours(&["updatekeys", "-y", name]).ok();
        let after = sandbox.read(name);
        assert_eq!(body(&after), body(&before), "{name}");
        assert_eq!(read_by(&sandbox, BOB, name), read_by(&sandbox, ALICE, name), "{name}");
        let line = |bytes: &[u8], what: &str| -> Vec<String> {
            let text = String::from_utf8_lossy(bytes).into_owned();
            text.lines().filter(|line| line.contains(what)).map(|line| line.replace(' ', "")).collect()
        };
        for field in ["lastmodified", "mac", "version"] {
            assert_eq!(line(&after, field), line(&before, field), "{name}");
        }
    }
}

#[test]
fn the_question_is_that_of_sops() {
    let run = |ours: bool, answer: &[u8]| {
        let sandbox = Sandbox::with_key();
        sandbox.write(".sops.yaml", rule(&[ALICE, BOB]));
        sandbox.write("f.yaml", "a: b\n");
        sandbox.sops(&["encrypt", "-i", "f.yaml"]).ok();
        let before = sandbox.read("f.yaml");
        sandbox.write(".sops.yaml", rule(&[ALICE, CAROL]));
        let program = if ours {
            env!("CARGO_BIN_EXE_leaflock").into()
        } else {
            crate::testkit::sops::program().to_owned()
        };
        let done = sandbox.run(&program, &["updatekeys", "f.yaml"], answer);
        let stderr: Vec<String> = done
            .stderr
            .lines()
            .filter(|line| !line.starts_with("hint:"))
            .map(|line| match line.starts_with("20") {
                true => line[20..].replace(sandbox.path("").to_str().unwrap(), ""),
                false => line.to_owned(),
            })
            .collect();
        (done.code, String::from_utf8(done.stdout).unwrap(), stderr, sandbox.read("f.yaml") == before)
    };
    for answer in [&b"y\n"[..], b"n\n", b"what\ny\n", b"what\nn\n", b""] {
        assert_eq!(run(true, answer), run(false, answer), "{answer:?}");
    }
}

#[test]
fn groups_and_thresholds_follow_the_rule() {
    let mut sandbox = Sandbox::with_key();
    let both = sandbox.write("both.txt", format!("{}{}", ALICE.identity, BOB.identity));
    sandbox.set_env("SOPS_AGE_KEY_FILE", both.to_str().unwrap());
    let groups = |threshold: &str, keys: &[&[Key]]| {
        let mut text = format!("creation_rules:\n  - {threshold}key_groups:\n");
        for group in keys {
            let list: Vec<&str> = group.iter().map(|key| key.recipient).collect();
            text.push_str(&format!("    - age: [{}]\n", list.join(", ")));
        }
        text
    };
    sandbox.write(".sops.yaml", rule(&[ALICE]));
    sandbox.write("f.yaml", "a: b\n");
    sandbox.sops(&["encrypt", "-i", "f.yaml"]).ok();
    sandbox.write(".sops.yaml", groups("shamir_threshold: 2\n    ", &[&[ALICE], &[BOB], &[CAROL]]));
    sandbox.ours(&["updatekeys", "-y", "f.yaml"]).ok();
    assert_eq!(sandbox.sops(&["decrypt", "f.yaml"]).text(), "a: b\n");
    assert_eq!((read_by(&sandbox, ALICE, "f.yaml"), read_by(&sandbox, BOB, "f.yaml")), (None, None));
    assert!(String::from_utf8(sandbox.read("f.yaml")).unwrap().contains("shamir_threshold: 2\n"));
    // And back to one group.
    sandbox.write(".sops.yaml", rule(&[BOB]));
    sandbox.ours(&["updatekeys", "-y", "f.yaml"]).ok();
    assert_eq!(read_by(&sandbox, BOB, "f.yaml").unwrap(), b"a: b\n");
    assert_eq!(read_by(&sandbox, ALICE, "f.yaml"), None);
}

#[test]
fn keys_that_nobody_here_can_use_stay() {
    let sandbox = Sandbox::with_key();
    sandbox.write(".sops.yaml", rule(&[ALICE]));
    sandbox.write("f.yaml", "a: b\n");
    sandbox.ours(&["encrypt", "-i", "f.yaml"]).ok();
    let arn = "arn:aws:kms:eu-west-1:111122223333:key/a";
    let kms = format!(
        "    future: kept\n    kms:\n        - arn: {arn}\n          created_at: \"2026-01-01T00:00:00Z\"\n          \
         enc: AAAA\n          aws_profile: \"\"\n"
    );
    let text = String::from_utf8(sandbox.read("f.yaml")).unwrap();
    sandbox.write("f.yaml", text.replace("    lastmodified", &format!("{kms}    lastmodified")));
    let both = format!("{}    kms: {arn}\n", rule(&[ALICE, BOB]));
    sandbox.write(".sops.yaml", &both);
    sandbox.ours(&["updatekeys", "-y", "f.yaml"]).ok();
    let after = String::from_utf8(sandbox.read("f.yaml")).unwrap();
    assert!(after.contains(&kms.lines().nth(2).unwrap()[..20]) && after.contains("enc: AAAA"), "{after}");
    assert!(after.contains("    future: kept\n") && read_by(&sandbox, BOB, "f.yaml").is_some());
    // A new data key cannot be wrapped for it.
    sandbox.write(".sops.yaml", both.replace(BOB.recipient, CAROL.recipient));
    let before = sandbox.read("f.yaml");
    let refused = sandbox.ours(&["updatekeys", "-y", "f.yaml"]).fails(1);
    assert!(refused.contains(arn), "{refused}");
    assert_eq!(sandbox.read("f.yaml"), before);
}

#[test]
fn rotation_makes_everything_new_and_sops_reads_it() {
    for (name, plain) in FORMATS {
        let sandbox = Sandbox::with_key();
        sandbox.write("encrypted", "");
        sandbox.write(name, plain);
        sandbox
            .sops(&["encrypt", "-i", "--age", &format!("{},{}", ALICE.recipient, BOB.recipient), name])
            .ok();
        let before = sandbox.read(name);
        let shown = read_by(&sandbox, ALICE, name).unwrap();
        let printed = sandbox.ours(&["rotate", name]).ok();
        assert_eq!(sandbox.read(name), before, "to stdout");
        fs::write(sandbox.path(&format!("printed-{name}")), printed).unwrap();
        assert_eq!(read_by(&sandbox, BOB, &format!("printed-{name}")).unwrap(), shown);
        sandbox.ours(&["rotate", "-i", "--rm-age", BOB.recipient, "--add-age", CAROL.recipient, name]).ok();
        assert_eq!(read_by(&sandbox, ALICE, name).unwrap(), shown);
        assert_eq!(read_by(&sandbox, CAROL, name).unwrap(), shown);
        assert_eq!(read_by(&sandbox, BOB, name), None);
        let ivs = |bytes: &[u8]| -> Vec<String> {
            let text = String::from_utf8_lossy(bytes).into_owned();
            text.split("iv:").skip(1).map(|rest| rest.split(',').next().unwrap().to_owned()).collect()
        };
        let old = ivs(&before);
        assert!(!old.is_empty() && ivs(&sandbox.read(name)).iter().all(|iv| !old.contains(iv)), "{name}");
    }
}

#[test]
fn rotation_fails_as_in_sops() {
    let outcome = |sandbox: &Sandbox, ours: bool, arguments: &[&str]| {
        let done = if ours { sandbox.ours(arguments) } else { sandbox.sops(arguments) };
        (done.code, done.stderr.lines().next().unwrap_or_default().to_owned())
    };
    let sandbox = Sandbox::with_key();
    sandbox.write("f.yaml", "a: b\n");
    sandbox.sops(&["encrypt", "-i", "--age", ALICE.recipient, "f.yaml"]).ok();
    let plain = sandbox.write("plain.yaml", "a: b\n");
    assert!(plain.exists());
    for arguments in [
        &["rotate", "missing.yaml"][..],
        &["rotate", "--add-age", BOB.recipient, "missing.yaml"],
        &["-r", "missing.yaml"],
        &["-r", "--add-age", BOB.recipient, "missing.yaml"],
        &["rotate"],
        &["rotate", "--add-age", "nonsense", "f.yaml"],
        &["rotate", "--rm-age", "nonsense", "f.yaml"],
        &["rotate", "--rm-age", ALICE.recipient, "f.yaml"],
        &["rotate", "plain.yaml"],
        &["rotate", "-i", "--output", "x", "f.yaml"],
        &["updatekeys", "-y", "f.yaml"],
        &["updatekeys", "-y", "plain.yaml"],
        &["groups", "foo"],
        &["groups", "delete", "-f", "f.yaml"],
    ] {
        let (ours, theirs) = (outcome(&sandbox, true, arguments), outcome(&sandbox, false, arguments));
        assert_eq!(ours.0, theirs.0, "{arguments:?}: {ours:?} {theirs:?}");
        if !theirs.1.starts_with("20") {
            assert_eq!(ours.1, theirs.1, "{arguments:?}");
        }
    }
}

#[test]
fn groups_are_added_and_deleted() {
    let mut sandbox = Sandbox::with_key();
    let both = sandbox.write("both.txt", format!("{}{}", ALICE.identity, BOB.identity));
    sandbox.write("f.yaml", "a: b\n");
    sandbox.sops(&["encrypt", "-i", "--age", ALICE.recipient, "f.yaml"]).ok();
    sandbox.ours(&["groups", "add", "-i", "-f", "f.yaml", "--age", BOB.recipient]).ok();
    assert_eq!((read_by(&sandbox, ALICE, "f.yaml"), read_by(&sandbox, BOB, "f.yaml")), (None, None));
    sandbox.set_env("SOPS_AGE_KEY_FILE", both.to_str().unwrap());
    assert_eq!(sandbox.sops(&["decrypt", "f.yaml"]).text(), "a: b\n");
    let before = sandbox.read("f.yaml");
    let impossible = sandbox.ours(&["groups", "delete", "-i", "-f", "f.yaml", "0"]).fails(1);
    assert!(impossible.contains("Shamir threshold is 2, but we only have 1 key groups"), "{impossible}");
    sandbox.ours(&["groups", "delete", "-i", "-f", "f.yaml", "9"]).fails(1);
    assert_eq!(sandbox.read("f.yaml"), before);
    sandbox
        .ours(&["groups", "delete", "-i", "-f", "f.yaml", "--shamir-secret-sharing-threshold", "1", "0"])
        .ok();
    assert_eq!(read_by(&sandbox, BOB, "f.yaml").unwrap(), b"a: b\n");
    assert_eq!(read_by(&sandbox, ALICE, "f.yaml"), None);
}

/// The age entries of a YAML file's metadata, as text.
fn entry_of(text: &str, recipient: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let at = lines.iter().position(|line| line.contains(recipient)).unwrap();
    let is_start = |line: &&str| line.trim_start().starts_with("- ");
    let start = (0..=at).rev().find(|index| is_start(&lines[*index])).unwrap();
    let end = (at + 1..lines.len())
        .find(|index| is_start(&lines[*index]) || !lines[*index].starts_with("         "))
        .unwrap();
    lines[start..end].iter().map(|line| format!("{line}\n")).collect()
}

/// Bob keeps his old stanza, is taken off, and pastes it back.
fn grafted(update: impl Fn(&Sandbox)) -> Option<Vec<u8>> {
    let sandbox = Sandbox::with_key();
    sandbox.write(".sops.yaml", rule(&[ALICE, BOB]));
    sandbox.write("f.yaml", "a: old\n");
    sandbox.sops(&["encrypt", "-i", "f.yaml"]).ok();
    let stanza = entry_of(std::str::from_utf8(&sandbox.read("f.yaml")).unwrap(), BOB.recipient);
    sandbox.write(".sops.yaml", rule(&[ALICE]));
    update(&sandbox);
    sandbox.sops(&["set", "f.yaml", "[\"a\"]", "\"new\""]).ok();
    let text = String::from_utf8(sandbox.read("f.yaml")).unwrap();
    assert!(!text.contains(BOB.recipient));
    let alice = entry_of(&text, ALICE.recipient);
    let indent = |text: &str| text.len() - text.trim_start().len();
    let shift = " ".repeat(indent(&alice).saturating_sub(indent(&stanza)));
    let stanza: String = stanza.lines().map(|line| format!("{shift}{line}\n")).collect();
    sandbox.write("f.yaml", text.replace(&alice, &format!("{alice}{stanza}")));
    read_by(&sandbox, BOB, "f.yaml")
}

#[test]
fn an_old_stanza_opens_nothing_after_updatekeys() {
    let by_sops = grafted(|sandbox| drop(sandbox.sops(&["updatekeys", "-y", "f.yaml"]).ok()));
    assert_eq!(by_sops.as_deref(), Some(&b"a: new\n"[..]), "the attack works against sops");
    let ours = grafted(|sandbox| drop(sandbox.ours(&["updatekeys", "-y", "f.yaml"]).ok()));
    assert_eq!(ours, None);
    let as_sops =
        grafted(|sandbox| drop(sandbox.ours(&["updatekeys", "-y", "--keep-data-key", "f.yaml"]).ok()));
    assert_eq!(as_sops.as_deref(), Some(&b"a: new\n"[..]), "as asked for");
}

/// Bob adds himself to the recipients with a key that opens nothing, and waits.
fn with_bogus_recipient() -> Sandbox {
    let sandbox = Sandbox::with_key();
    sandbox.write(".sops.yaml", rule(&[ALICE]));
    sandbox.write("f.yaml", "a: old\n");
    sandbox.sops(&["encrypt", "-i", "f.yaml"]).ok();
    let text = String::from_utf8(sandbox.read("f.yaml")).unwrap();
    let alice = entry_of(&text, ALICE.recipient);
    let bob = alice.replace(ALICE.recipient, BOB.recipient);
    sandbox.write("f.yaml", text.replace(&alice, &format!("{alice}{bob}")));
    assert_eq!(read_by(&sandbox, BOB, "f.yaml"), None);
    sandbox
}

#[test]
fn a_bogus_recipient_is_granted_nothing() {
    let sandbox = with_bogus_recipient();
    sandbox.sops(&["rotate", "-i", "f.yaml"]).ok();
    assert!(read_by(&sandbox, BOB, "f.yaml").is_some(), "the attack works against sops");

    for arguments in [
        &["rotate", "-i", "f.yaml"][..],
        &["set", "f.yaml", "[\"a\"]", "\"new\""],
        &["-r", "-i", "f.yaml"],
        &["edit", "f.yaml"],
    ] {
        let mut sandbox = with_bogus_recipient();
        sandbox.set_env("EDITOR", "sh -c 'echo a: new > \"$1\"' sh");
        let before = sandbox.read("f.yaml");
        let refused = sandbox.ours(arguments).fails(1);
        assert!(refused.contains(BOB.recipient) && refused.contains("--accept-recipients"), "{refused}");
        assert_eq!(sandbox.read("f.yaml"), before);
        let mut accepted = arguments.to_vec();
        accepted.insert(if arguments[0] == "-r" { 0 } else { 1 }, "--accept-recipients");
        sandbox.ours(&accepted).ok();
        assert_ne!(sandbox.read("f.yaml"), before);
    }
    let sandbox = with_bogus_recipient();
    sandbox.ours(&["updatekeys", "-y", "f.yaml"]).ok();
    sandbox.ours(&["rotate", "-i", "f.yaml"]).ok();
    assert_eq!(read_by(&sandbox, BOB, "f.yaml"), None);
}

#[test]
fn without_a_rule_there_is_nothing_to_compare_with() {
    let sandbox = with_bogus_recipient();
    sandbox.write(".sops.yaml", "creation_rules:\n  - path_regex: other\n    age: x\n");
    sandbox.ours(&["set", "f.yaml", "[\"a\"]", "\"new\""]).ok();
    fs::remove_file(sandbox.path(".sops.yaml")).unwrap();
    sandbox.ours(&["rotate", "-i", "f.yaml"]).ok();
}

#[test]
fn under_the_name_sops_a_stranger_is_a_warning() {
    let sandbox = with_bogus_recipient();
    let link = sandbox.folder().join("sops");
    fs::copy(env!("CARGO_BIN_EXE_leaflock"), &link).unwrap();
    let done = sandbox.run(&link, &["set", "f.yaml", "[\"a\"]", "\"new\""], b"");
    assert!(
        done.stderr.starts_with("warning: the creation rule of this file does not list"),
        "{}",
        done.stderr
    );
    done.ok();
}
