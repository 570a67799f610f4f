//! What `edit`, `set` and `unset` write beside the real `sops`'s files: nothing
//! but what changed, and a word where a layout cannot come back.

use super::testkit::sandbox::{ALICE, Output, Sandbox};

/// Puts `text` in the place of what the editor shows.
fn edit(sandbox: &mut Sandbox, name: &str, text: &str) -> Output {
    let new = sandbox.write("new", text);
    sandbox.set_env("SOPS_EDITOR", &format!("cp {}", new.display()));
    sandbox.ours(&["edit", name])
}

fn encrypt(sandbox: &Sandbox, name: &str, text: &str) {
    sandbox.write(name, text);
    let _ = sandbox.ours(&["encrypt", "-i", "--age", ALICE.recipient, name]).ok();
}

fn encrypt_with_sops(sandbox: &Sandbox, name: &str, text: &str) {
    sandbox.write(name, text);
    let _ = sandbox.sops(&["encrypt", "-i", "--age", ALICE.recipient, name]).ok();
}

/// The lines of `name` that hold tokens, those of the metadata aside.
fn tokens(sandbox: &Sandbox, name: &str) -> Vec<String> {
    let text = String::from_utf8(sandbox.read(name)).unwrap();
    text.lines()
        .filter(|line| line.contains("ENC[") && !line.trim_start().trim_start_matches('"').starts_with("mac"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn an_edited_layout_comes_back() {
    let mut sandbox = Sandbox::with_key();
    for (before, after) in [
        ("a: 1\n", "a: 1 # behind\nb: 0x1F\n"),
        ("a: 1\n---\nb: 2\n", "a: 1\n---\n# nothing\n"),
        ("a: 1\r\n", "a: 1\r\nb:   'x'   # y\r\n"),
        ("a: 1\rb: 2\r", "a: 1\rb: 3\r"),
        ("a: 1\n", "a: &an:chor 1\n"),
        ("a: &an:chor 1\n", "a: &an:chor 1\nb: 0x1F\n"),
        ("a: &an:chor 1\n", "a: 1\n"),
    ] {
        encrypt(&sandbox, "f.yaml", before);
        let edited = edit(&mut sandbox, "f.yaml", after);
        assert_eq!(edited.stderr, "", "{}", edited.describe());
        assert_eq!(sandbox.ours(&["decrypt", "f.yaml"]).text(), after);
        let _ = sandbox.sops(&["decrypt", "f.yaml"]).ok();
    }
}

/// Layouts that neither tokens nor single spellings bring back, with a value to set.
const PATCHED: [(&str, &str); 3] = [
    ("a: &a x\n? *a\n: 2\nb: 1\n", "[\"b\"]"),
    ("a: &an:chor 1\nb: 0x1F\n", "[\"b\"]"),
    ("b: 1\nc_unencrypted: |\n  last", "[\"b\"]"),
];

#[test]
fn a_layout_that_takes_a_patch_comes_back_and_stays() {
    let sandbox = Sandbox::with_key();
    for (text, index) in PATCHED {
        sandbox.write("g.yaml", text);
        let printed = sandbox.ours(&["encrypt", "--age", ALICE.recipient, "g.yaml"]);
        sandbox.write("g.yaml", printed.text());
        assert_eq!(sandbox.ours(&["decrypt", "g.yaml"]).text(), text);
        encrypt(&sandbox, "f.yaml", text);
        assert_eq!(sandbox.ours(&["decrypt", "f.yaml"]).text(), text);
        let _ = sandbox.sops(&["decrypt", "f.yaml"]).ok();
        let _ = sandbox.ours(&["set", "f.yaml", index, "2"]).ok();
        let changed = sandbox.ours(&["decrypt", "f.yaml"]).text();
        let changes = text.lines().zip(changed.lines()).filter(|(one, other)| one != other).count();
        assert_eq!((changes, changed.lines().count()), (1, text.lines().count()), "{text}\n{changed}");
        let _ = sandbox.ours(&["rotate", "-i", "f.yaml"]).ok();
        assert_eq!(sandbox.ours(&["decrypt", "f.yaml"]).text(), changed);
    }
}

#[test]
fn a_patch_does_not_outlive_what_it_was_for() {
    let mut sandbox = Sandbox::with_key();
    encrypt(&sandbox, "f.yaml", "a: &an:chor 1\nb: 1\n");
    let length = |sandbox: &Sandbox| {
        let text = String::from_utf8(sandbox.read("f.yaml")).unwrap();
        text.lines().find(|line| line.contains("leaflock_source")).map_or(0, str::len)
    };
    let patched = length(&sandbox);
    let _ = edit(&mut sandbox, "f.yaml", "a: 1\nb: 1\n").ok();
    assert!(length(&sandbox) + 60 < patched, "{patched}, then {}", length(&sandbox));
    assert_eq!(sandbox.ours(&["decrypt", "f.yaml"]).text(), "a: 1\nb: 1\n");
}

#[test]
fn blocks_that_sops_wrote_stay_when_another_value_changes() {
    let sandbox = Sandbox::with_key();
    let text = "a: |+\n\n\nb: \"\\n\"\nc: |+\n\n  l\n\nd: [\"\\n\\n\", \"x\\n\\n\"]\ne: |\n  l\n\nf: x\n";
    for change in [["set", "f.yaml", "[\"new\"]", "\"x\""].as_slice(), &["unset", "f.yaml", "[\"f\"]"]] {
        encrypt_with_sops(&sandbox, "f.yaml", text);
        let before = tokens(&sandbox, "f.yaml");
        let _ = sandbox.ours(change).ok();
        let after = tokens(&sandbox, "f.yaml");
        let kept = before.iter().filter(|line| after.contains(line)).count();
        assert!(kept + 1 >= before.len(), "{before:?}\n{after:?}");
        assert_eq!(
            after.iter().filter(|line| !before.contains(line)).count(),
            usize::from(change[0] == "set")
        );
    }
}

#[test]
fn sops_files_are_printed_in_the_indentation_that_is_set() {
    let sandbox = Sandbox::with_key();
    let rule = format!("creation_rules:\n  - age: {}\n", ALICE.recipient);
    // Of a file in the default indentation nobody can tell who laid it out: it stays.
    for indent in ["stores:\n  yaml:\n    indent: 2\n", "stores:\n  yaml:\n    indent: 7\n"] {
        sandbox.write(".sops.yaml", format!("{rule}{indent}"));
        sandbox.write(
            "f.yaml",
            "a:\n   - b: [x]\n     # note\n     c: \"l1\\nl2\\n\"\n   # end\nd: {e: 1} # f\n",
        );
        let _ = sandbox.sops(&["encrypt", "-i", "f.yaml"]).ok();
        for set in ["", "stores:\n  yaml:\n    indent: 3\n"] {
            sandbox.write(".sops.yaml", format!("{rule}{set}"));
            let expected = sandbox.sops(&["decrypt", "f.yaml"]).text();
            assert_eq!(sandbox.ours(&["decrypt", "f.yaml"]).text(), expected);
        }
    }
}

#[test]
fn a_block_in_clear_at_the_very_end_stays_the_same_text() {
    let sandbox = Sandbox::with_key();
    for text in ["a: x\nb_unencrypted: |\n  y", "a: x\nb_unencrypted: |+\n  y\n  ", "a: |\n  y"] {
        encrypt(&sandbox, "f.yaml", text);
        assert_eq!(sandbox.ours(&["decrypt", "f.yaml"]).text(), text);
        let json = ["decrypt", "--output-type", "json", "f.yaml"];
        assert!(sandbox.sops(&json).text().contains("\"y"));
    }
}

#[test]
fn numbers_and_times_that_have_no_type_are_refused_as_sops_does() {
    let sandbox = Sandbox::with_key();
    for value in
        ["18446744073709551615", "9223372036854775808", "0x8000000000000000", "2024-01-02T03:04:05+24:00"]
    {
        sandbox.write("f.yaml", format!("a: {value}\n"));
        let said = sandbox.ours(&["encrypt", "--age", ALICE.recipient, "f.yaml"]).fails(23);
        assert!(!said.contains(value), "{said}");
        let _ = sandbox.sops(&["encrypt", "--age", ALICE.recipient, "f.yaml"]).fails(23);
    }
    encrypt(
        &sandbox,
        "f.yaml",
        "a: 9223372036854775807\nb: '18446744073709551615'\nc: 18446744073709551616\n",
    );
}
