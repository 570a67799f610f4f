//! `check` finds what was planted, each fault by its name, file, line and key path,
//! and is silent on files that the real sops and we wrote, and on ordinary text.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::testkit::sandbox::{ALICE, BOB, CAROL, Output, Sandbox};

/// The findings of a call, as `id file:line key`.
pub(crate) fn findings(output: &Output) -> Vec<String> {
    let all: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", output.describe()));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut lines = Vec::new();
    for finding in all["findings"].as_array().unwrap() {
        let line = finding["line"].as_u64().map(|line| format!(":{line}")).unwrap_or_default();
        let key = text(&finding["key"]);
        let line = format!("{} {}{line} {key}", text(&finding["id"]), text(&finding["file"]));
        lines.push(line.trim_end().to_owned());
    }
    lines
}

/// The findings of `check` with these arguments.
#[track_caller]
pub(crate) fn check(sandbox: &Sandbox, arguments: &[&str]) -> Vec<String> {
    let output = sandbox.ours(&[&["check", "--json"][..], arguments].concat());
    let found = findings(&output);
    assert_eq!(output.code, Some(i32::from(!found.is_empty())), "{}", output.describe());
    found
}

/// Runs git in the folder of the sandbox.
pub(crate) fn git(sandbox: &Sandbox, arguments: &[&str]) {
    let name = ["-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main"];
    sandbox.run(Path::new("git"), &[&name[..], arguments].concat(), b"").ok();
}

/// A plain file.
pub(crate) const PLAIN: &str =
    "a: one\nb: two\nc: 3\nd:\n  e: true\n  f: 2020-01-02T03:04:05Z\n# note\ng: five\n";

/// A repository with a rule for `secrets/` and one encrypted file there, committed.
pub(crate) fn repository() -> Sandbox {
    let sandbox = Sandbox::with_key();
    let config = format!("creation_rules:\n  - path_regex: ^secrets/\n    age: {}\n", ALICE.recipient);
    sandbox.write(".sops.yaml", config);
    sandbox.write("README.md", "# A project\n");
    for name in ["a.yaml", "other.yaml"] {
        sandbox.write(&format!("secrets/{name}"), PLAIN);
    }
    let all = ["secrets/a.yaml", "secrets/other.yaml"];
    sandbox.ours(&[&["encrypt", "-i"][..], &all].concat()).ok();
    git(&sandbox, &["init", "-q"]);
    git(&sandbox, &["add", "."]);
    git(&sandbox, &["commit", "-q", "-m", "1"]);
    assert_eq!(check(&sandbox, &[]), Vec::<String>::new());
    sandbox
}

/// Text of a file with line `number` (from 1) changed.
fn with_line(text: &str, number: usize, change: impl Fn(&str) -> String) -> String {
    let lines = text.lines().enumerate();
    lines.map(|(at, line)| if at + 1 == number { change(line) } else { line.to_owned() } + "\n").collect()
}

/// The value of a field of the token on a line, replaced.
fn with_field(line: &str, field: &str, change: impl Fn(&str) -> String) -> String {
    let start = line.find(&format!("{field}:")).unwrap() + field.len() + 1;
    let end = start + line[start..].find([',', ']']).unwrap();
    format!("{}{}{}", &line[..start], change(&line[start..end]), &line[end..])
}

/// The value on a line.
fn value(text: &str, number: usize) -> String {
    text.lines().nth(number - 1).unwrap().split_once(": ").unwrap().1.to_owned()
}

type Change = fn(&str) -> String;

/// A fault in `secrets/a.yaml`, whose lines are those of [`PLAIN`]: what is done to
/// its text, and what is found.
const FAULTS: [(&str, Change, &[&str]); 27] = [
    ("a value written by hand", |t| with_line(t, 2, |_| "b: plain".into()), &["plaintext-value :2 [\"b\"]"]),
    ("a number by hand", |t| with_line(t, 3, |_| "c: 7".into()), &["plaintext-value :3 [\"c\"]"]),
    ("deep inside", |t| with_line(t, 5, |_| "  e: no".into()), &["plaintext-value :5 [\"d\"][\"e\"]"]),
    ("a comment by hand", |t| with_line(t, 7, |_| "# said".into()), &["plaintext-comment :7 #"]),
    (
        "ciphertext below a clear key",
        |t| with_line(t, 2, |line| line.replace("b:", "b_unencrypted:")),
        &["unselected-ciphertext :2 [\"b_unencrypted\"]", "moved-ciphertext :2 [\"b_unencrypted\"]"],
    ),
    (
        "broken base64",
        |t| with_line(t, 1, |line| with_field(line, "data", |_| "%%%".into())),
        &["malformed-ciphertext :1 [\"a\"]"],
    ),
    (
        "a short tag",
        |t| with_line(t, 1, |line| with_field(line, "tag", |tag| tag[4..].into())),
        &["malformed-ciphertext :1 [\"a\"]"],
    ),
    (
        "a short nonce",
        |t| with_line(t, 1, |line| with_field(line, "iv", |iv| iv[4..].into())),
        &["malformed-ciphertext :1 [\"a\"]"],
    ),
    (
        "a type that there is not",
        |t| with_line(t, 1, |line| with_field(line, "type", |_| "text".into())),
        &["malformed-ciphertext :1 [\"a\"]"],
    ),
    (
        "a boolean of many letters",
        |t| with_line(t, 6, |line| with_field(line, "type", |_| "bool".into())),
        &["malformed-ciphertext :6 [\"d\"][\"f\"]"],
    ),
    (
        "a comment's token as a value",
        |t| with_line(t, 2, |line| with_field(line, "type", |_| "comment".into())),
        &["malformed-ciphertext :2 [\"b\"]"],
    ),
    (
        "half a token",
        |t| with_line(t, 2, |line| line.split(",tag:").next().unwrap().into()),
        &["malformed-ciphertext :2 [\"b\"]"],
    ),
    (
        "text behind a token",
        |t| with_line(t, 2, |line| format!("{line}x")),
        &["malformed-ciphertext :2 [\"b\"]"],
    ),
    (
        "a copied value",
        |t| with_line(t, 2, |_| format!("b: {}", value(t, 1))),
        &["copied-ciphertext :2 [\"b\"]", "moved-ciphertext :2 [\"b\"]"],
    ),
    (
        "two values swapped",
        |t| {
            let half = with_line(t, 2, |_| format!("b: {}", value(t, 1)));
            with_line(&half, 1, |_| format!("a: {}", value(t, 2)))
        },
        &["moved-ciphertext :1 [\"a\"]", "moved-ciphertext :2 [\"b\"]"],
    ),
    (
        "a key renamed",
        |t| with_line(t, 2, |line| line.replace("b:", "bb:")),
        &["moved-ciphertext :2 [\"bb\"]"],
    ),
    (
        "one nonce for two",
        |t| {
            let tag = value(t, 1);
            let tag = tag.split(",iv:").nth(1).unwrap().split(',').next().unwrap();
            with_line(t, 2, |line| with_field(line, "iv", |_| tag.into()))
        },
        &["reused-nonce :2 [\"b\"]", "edited-ciphertext :2 [\"b\"]"],
    ),
    (
        "a ciphertext edited",
        |t| with_line(t, 2, |line| with_field(line, "data", flipped)),
        &["edited-ciphertext :2 [\"b\"]"],
    ),
    ("no MAC", |t| without(t, "    mac:"), &["bad-mac :9"]),
    (
        "a MAC of another length",
        |t| {
            t.lines()
                .map(|l| {
                    if l.starts_with("    mac:") {
                        format!("    mac: {}\n", value(t, 1))
                    } else {
                        format!("{l}\n")
                    }
                })
                .collect()
        },
        &["bad-mac :*"],
    ),
    ("two rules", |t| format!("{t}    encrypted_regex: ^x$\n"), &["two-rules :*"]),
    ("no version", |t| without(t, "    version:"), &["broken-metadata :9"]),
    ("no metadata", |t| t.split("sops:").next().unwrap().to_owned(), &["missing-metadata :1"]),
    ("no YAML", |t| format!("{t}x: [\n"), &["unreadable :*"]),
    (
        "an unfinished merge",
        |t| t.replacen("b:", "<<<<<<< ours\nb: x\n=======\nb:", 1).replacen("c:", ">>>>>>> theirs\nc:", 1),
        &["merge-conflict :2"],
    ),
    (
        "a rule that selects nothing",
        |t| {
            PLAIN.to_owned()
                + t.split_once("# ").map_or("", |_| "")
                + "sops:"
                + &t.split("sops:")
                    .nth(1)
                    .unwrap()
                    .replace("unencrypted_suffix: _unencrypted", "encrypted_regex: ^nothing$")
        },
        &[
            "nothing-encrypted :9",
            "rule-mismatch :9",
            "plaintext-value :1 [\"a\"]",
            "plaintext-value :2 [\"b\"]",
            "plaintext-value :3 [\"c\"]",
            "plaintext-value :5 [\"d\"][\"e\"]",
            "plaintext-value :6 [\"d\"][\"f\"]",
            "plaintext-value :8 [\"g\"]",
        ],
    ),
    (
        "another rule than the creation rule's",
        |t| t.replace("unencrypted_suffix: _unencrypted", "unencrypted_regex: ^zz$"),
        &["rule-mismatch :9"],
    ),
];

/// Base64 with its first character changed.
fn flipped(data: &str) -> String {
    let first = if data.starts_with('A') { "B" } else { "A" };
    format!("{first}{}", &data[1..])
}

/// The text without the line that begins so.
fn without(text: &str, begin: &str) -> String {
    text.lines().filter(|line| !line.starts_with(begin)).map(|line| format!("{line}\n")).collect()
}

/// True when findings are those of `secrets/a.yaml` that are expected, in any order;
/// `:*` is any line.
fn same(found: &[String], expected: &[&str]) -> bool {
    let matches = |found: &String, expected: &str| {
        let (id, place) = expected.split_once(' ').unwrap();
        match place.strip_prefix(":*") {
            Some(_) => found.starts_with(&format!("{id} secrets/a.yaml:")),
            None => *found == format!("{id} secrets/a.yaml{place}"),
        }
    };
    found.len() == expected.len()
        && expected.iter().all(|expected| found.iter().any(|found| matches(found, expected)))
}

#[test]
fn faults_in_an_encrypted_file_are_found() {
    let sandbox = repository();
    let whole = String::from_utf8(sandbox.read("secrets/a.yaml")).unwrap();
    let mut problems = Vec::new();
    for (name, change, expected) in FAULTS {
        let changed = change(&whole);
        assert_ne!(changed, whole, "{name}");
        sandbox.write("secrets/a.yaml", changed);
        git(&sandbox, &["add", "."]);
        for arguments in [&[][..], &["--staged"], &["secrets/a.yaml"]] {
            let found = check(&sandbox, arguments);
            if !same(&found, expected) {
                problems.push(format!("{name} {arguments:?}\n  found {found:#?}\n  not {expected:#?}"));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    // The commit is as it was, and so is its check.
    assert_eq!(check(&sandbox, &["--rev", "HEAD"]), Vec::<String>::new());
}

#[test]
fn faults_of_wrapped_keys_are_found() {
    let sandbox = repository();
    let two = format!("{},{}", ALICE.recipient, BOB.recipient);
    let config = |keys: &str| format!("creation_rules:\n  - path_regex: ^secrets/\n    age: {keys}\n");
    sandbox.write(".sops.yaml", config(&two));
    sandbox.ours(&["updatekeys", "--yes", "secrets/a.yaml", "secrets/other.yaml"]).ok();
    assert_eq!(check(&sandbox, &[]), Vec::<String>::new());
    let whole = String::from_utf8(sandbox.read("secrets/a.yaml")).unwrap();
    let stanza = |number: usize| {
        let mut parts = whole.split("-----BEGIN AGE ENCRYPTED FILE-----").skip(number + 1);
        parts.next().unwrap().split("-----END").next().unwrap().to_owned()
    };
    let line = |text: &str, of: &str| 1 + text.lines().position(|line| line.contains(of)).unwrap();
    let bob = line(&whole, BOB.recipient);
    let at = |number| format!("[\"sops\"][\"age\"][{number}][\"recipient\"]");
    let first = stanza(0);
    // Whatever length the last line has, the end marker stays on a line of its own.
    let mut shorter = first.clone();
    for _ in 0..40 {
        shorter.truncate(shorter.trim_end().len());
        shorter.pop();
    }
    let shorter = shorter.trim_end().to_owned() + &first[first.trim_end().len()..];
    for (changed, id, number, key) in [
        (whole.replace(&stanza(1), &first), "copied-stanza", 1, BOB),
        (whole.replace(&first, &first.replacen("YWdl", "AAAA", 1)), "malformed-stanza", 0, ALICE),
        (whole.replace(&first, &shorter), "malformed-stanza", 0, ALICE),
    ] {
        assert_ne!(changed, whole);
        let expected = format!("{id} secrets/a.yaml:{} {}", line(&changed, key.recipient), at(number));
        sandbox.write("secrets/a.yaml", changed);
        assert_eq!(check(&sandbox, &["secrets/a.yaml"]), [expected]);
    }
    sandbox.write("secrets/a.yaml", &whole);
    // One more and one less than the rule lists.
    sandbox.write(".sops.yaml", config(&format!("{},{}", ALICE.recipient, CAROL.recipient)));
    sandbox.write(".leaflock/names", format!("{} Bob\n{} Carol\n", BOB.recipient, CAROL.recipient));
    let found = check(&sandbox, &["secrets/a.yaml"]);
    let unlisted = format!("unlisted-recipient secrets/a.yaml:{bob} {}", at(1));
    let missing = "missing-recipient secrets/a.yaml:9 creation_rules[0].age".to_owned();
    assert_eq!(found, [missing, unlisted]);
    let text = sandbox.ours(&["check", "secrets/a.yaml"]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("(Bob) can read this file") && text.contains("(Carol) cannot read"), "{text}");
    // The same keys, in other groups.
    let groups = format!(
        "creation_rules:\n  - path_regex: ^secrets/\n    key_groups:\n      - age: [{}]\n      - age: [{}]\n",
        ALICE.recipient, BOB.recipient
    );
    sandbox.write(".sops.yaml", groups);
    assert_eq!(check(&sandbox, &["secrets/a.yaml"]), ["key-groups-differ secrets/a.yaml:9"]);
}

/// A token of letters and digits that looks random.
fn token(prefix: &str, length: usize) -> String {
    let letters: Vec<char> = "k3Xq7Zr9TbVn2MwLf8HsJd4GpYc6RtEa5".chars().collect();
    format!("{prefix}{}", (0..length).map(|at| letters[(at * 7 + at / 33) % 33]).collect::<String>())
}

#[test]
fn keys_and_tokens_in_clear_are_found() {
    let sandbox = repository();
    let identity = ALICE.identity.lines().last().unwrap();
    let line = |length: usize| token("", length);
    let pem = |title: &str| {
        let dashes = "-----";
        format!("{dashes}BEGIN {title}{dashes}\n{}\n{}\n{dashes}END {title}{dashes}\n", line(64), line(40))
    };
    let upper = token("", 40).to_uppercase();
    let secrets: Vec<(String, &str)> = vec![
        (identity.to_owned(), "age-identity"),
        (pem("RSA PRIVATE KEY"), "private-key"),
        (pem("OPENSSH PRIVATE KEY"), "private-key"),
        (pem("PGP PRIVATE KEY BLOCK"), "private-key"),
        (pem("PRIVATE KEY").replace('\n', "\\n"), "private-key"),
        (format!("AKI{}", &format!("A{upper}")[..17]), "access-token"),
        (token("ghp_", 36), "access-token"),
        (token("github_pat_", 82), "access-token"),
        (token("glpat-", 20), "access-token"),
        (token("xoxb-123456789012-", 24), "access-token"),
        (token("sk_live_", 24), "access-token"),
        (token("AIza", 35), "access-token"),
        (token("npm_", 36), "access-token"),
        (token("pypi-AgEIcHlwaS5vcmc", 80), "access-token"),
        (token("sk-proj-", 60), "access-token"),
        (token("sk-ant-api03-", 95), "access-token"),
        (token("hf_", 34), "access-token"),
    ];
    for (secret, id) in secrets {
        // In a source file, and in the clear part of an encrypted one.
        sandbox.write("src/app.js", format!("// start\nconst x = \"{secret}\";\n"));
        assert_eq!(check(&sandbox, &[]), [format!("{id} src/app.js:2")], "{secret}");
        fs::remove_file(sandbox.path("src/app.js")).unwrap();
        let value = serde_json::to_string(&secret.replace("\\n", "\n")).unwrap();
        sandbox.write("secrets/c.yaml", format!("a: 1\nx_unencrypted: {value}\n"));
        sandbox.ours(&["encrypt", "-i", "secrets/c.yaml"]).ok();
        let expected = format!("{id} secrets/c.yaml:2 [\"x_unencrypted\"]");
        assert_eq!(check(&sandbox, &[]), [expected], "{secret}");
        fs::remove_file(sandbox.path("secrets/c.yaml")).unwrap();
    }
    for harmless in [
        format!("AKIA{}", "IOSFODNN7EXAMPLE"),
        format!("ghp_{}", "x".repeat(36)),
        format!("task-{}", line(48)),
        "-----BEGIN PRIVATE KEY-----\\n...\\n-----END PRIVATE KEY-----".to_owned(),
        "if text.starts_with(\"-----BEGIN RSA PRIVATE KEY-----\") {}".to_owned(),
        "AGE-SECRET-KEY-1…".to_owned(),
        format!("xoxb-{}", "your-token-goes-in-here-please"),
    ] {
        sandbox.write("docs.md", &harmless);
        assert_eq!(check(&sandbox, &[]), Vec::<String>::new(), "{harmless}");
    }
}

#[test]
fn plain_files_that_should_not_be_are_found() {
    let sandbox = repository();
    sandbox.write("secrets/new.json", "{\"list\": [1], \"z\": null}");
    sandbox.write("secrets/raw.bin", "secret");
    sandbox.write("secrets/empty.yaml", "");
    sandbox.write("secrets/.gitkeep", "x");
    sandbox.write("secrets/other.dec.yaml", PLAIN);
    sandbox.write("secrets/bad.yaml", "a: [\n");
    let expected = [
        "not-encrypted secrets/bad.yaml:2",
        "not-encrypted secrets/new.json:1",
        "decrypted-leftover secrets/other.dec.yaml",
        "not-encrypted secrets/other.dec.yaml:1",
        "not-encrypted secrets/raw.bin",
    ];
    assert_eq!(check(&sandbox, &[]), expected);
    assert_eq!(check(&sandbox, &["secrets/new.json"]), [expected[1]]);
    // What git ignores is looked at if it is named.
    sandbox.write(".gitignore", "*.json\n");
    assert!(!check(&sandbox, &[]).contains(&expected[1].to_owned()));
    assert_eq!(check(&sandbox, &["secrets/new.json"]), [expected[1]]);
    assert_eq!(check(&sandbox, &["--staged"]), Vec::<String>::new());
    git(&sandbox, &["add", "secrets"]);
    assert_eq!(check(&sandbox, &["--staged", "secrets/raw.bin"]), [expected[4]]);
}

#[test]
fn a_rule_for_all_files_makes_no_secret_of_the_others() {
    let sandbox = Sandbox::with_key();
    let rule = |more: &str| format!("creation_rules:\n  - age: {}\n{more}", ALICE.recipient);
    sandbox.write(".sops.yaml", rule(""));
    sandbox.write("package.json", "{\"name\": \"x\"}");
    sandbox.write("k8s/deploy.yaml", "kind: Deployment\n");
    assert_eq!(check(&sandbox, &[]), Vec::<String>::new());
    sandbox.write("db.enc.yaml", "password: x\n");
    assert_eq!(check(&sandbox, &[]), ["not-encrypted db.enc.yaml:1"]);
    sandbox.ours(&["encrypt", "-i", "db.enc.yaml"]).ok();
    sandbox.write("db.yaml", "password: y\n");
    assert_eq!(check(&sandbox, &[]), ["decrypted-leftover db.yaml"]);
    sandbox.write("db.yaml", "host: y\n");
    assert_eq!(check(&sandbox, &[]), Vec::<String>::new());
    // A rule that picks values by name means all files that have them.
    sandbox.write(".sops.yaml", rule("    encrypted_regex: ^(data|stringData)$\n"));
    sandbox.write("k8s/secret.yaml", "kind: Secret\nstringData:\n  a: x\n");
    let found = check(&sandbox, &["k8s"]);
    assert_eq!(found, ["not-encrypted k8s/secret.yaml:3"]);
}

#[test]
fn faults_of_the_config_are_found() {
    let sandbox = repository();
    let age = ALICE.recipient;
    for (config, expected) in [
        ("creation_rules: 5\n".to_owned(), "broken-config .sops.yaml:1 creation_rules"),
        (
            format!("creation_rules:\n  - path_regex: '('\n    age: {age}\n"),
            "broken-config .sops.yaml:2 creation_rules[0].path_regex",
        ),
        (
            format!("creation_rules:\n  - age: {age}\n  - path_regex: x\n    age: {age}\n"),
            "unreachable-rule .sops.yaml:3 creation_rules[1]",
        ),
        (
            format!("creation_rules:\n  - path_regx: ^secrets/\n    age: {age}\n"),
            "unknown-config-key .sops.yaml:2 creation_rules[0].path_regx",
        ),
        (
            format!("creation_rules:\n  - age: {age}\n    encrypted_regex: '('\n"),
            "broken-config .sops.yaml:2 creation_rules[0]",
        ),
        (
            format!("creation_rules:\n  - age: {age}\n    encrypted_regex: x\n    encrypted_suffix: y\n"),
            "broken-config .sops.yaml:2 creation_rules[0]",
        ),
    ] {
        sandbox.write(".sops.yaml", &config);
        assert_eq!(check(&sandbox, &[".sops.yaml"]), [expected], "{config}");
        let found = check(&sandbox, &[]);
        assert!(found.contains(&expected.to_owned()), "{config}: {found:?}");
    }
}
