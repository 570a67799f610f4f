//! SOPS's quirks, one line each: what it does, what we do instead (or that we
//! do the same, where files or scripts depend on it), and the proof.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::testkit::sandbox::{ALICE, Output, Sandbox};

/// One quirk.
struct Quirk {
    /// Its number in the list that the issue refers to.
    number: usize,
    /// What SOPS does.
    sops: &'static str,
    /// What we do.
    ours: &'static str,
    /// Fails if we don't.
    proof: fn(&Sandbox),
}

/// Quirks of commands that are not in this build; the list may only shrink.
const LATER: [usize; 4] = [28, 29, 30, 31];

#[rustfmt::skip]
const QUIRKS: &[Quirk] = &[
    Quirk { number: 1, sops: "3.13.2 hashes encrypted list comments", ours: "they are no values", proof: |s| comes_back(s, "f.yaml", "a:\n  # note\n  - x # more\n  # end\n") },
    Quirk { number: 2, sops: "the MAC knows no key names", ours: "the same, it is the format", proof: |s| {
        lock_with(s, "f.yaml", "a: x\nname_unencrypted: 1\n", &[]);
        s.write("f.yaml", text(s, "f.yaml").replace("name_unencrypted", "renamed_unencrypted"));
        assert!(decrypt(s, "f.yaml").contains("renamed_unencrypted: 1"));
    } },
    Quirk { number: 3, sops: "a value turned into a comment prints an internal record", ours: "refused", proof: |s| {
        lock(s, "f.yaml", "a: x\nb: y\n");
        s.write("f.yaml", text(s, "f.yaml").replacen("type:str", "type:comment", 1));
        let answer = s.ours(&["decrypt", "f.yaml"]);
        assert!(matches!(answer.code, Some(25 | 51)) && answer.stdout.is_empty(), "{}", answer.describe());
    } },
    Quirk { number: 4, sops: "a broken regex encrypts nothing, silently", ours: "an error", proof: |s| {
        s.write("f.yaml", "a: x\n");
        let said = s.ours(&["encrypt", "--age", ALICE.recipient, "--encrypted-regex", "(", "f.yaml"]).fails(1);
        assert!(said.contains("encrypted_regex") || said.contains("encrypted-regex"), "{said}");
    } },
    Quirk { number: 5, sops: "1.0 comes back as 1", ours: "as 1.0", proof: |s| comes_back(s, "f.yaml", "a: 1.0\nb: 1e3\nc: 5.\n") },
    Quirk { number: 6, sops: "dates gain a time", ours: "they don't", proof: |s| comes_back(s, "f.yaml", "a: 2024-01-02\nb: 2024-1-2\n") },
    Quirk { number: 7, sops: "3.11 types JSON integers as floats", ours: "integers, as 3.13.2", proof: |s| {
        comes_back(s, "f.json", "{\"a\": 9007199254740993, \"b\": 1.50}\n");
        lock(s, "f.json", "{\"a\": 9007199254740993}\n");
        assert!(text(s, "f.json").contains("type:int"));
        assert!(s.sops(&["decrypt", "f.json"]).text().contains("9007199254740993"));
    } },
    Quirk { number: 8, sops: "set 2 stores a float", ours: "an integer", proof: |s| {
        lock(s, "f.yaml", "a: x\n");
        let _ = set(s, "f.yaml", "[\"a\"]", "2").ok();
        assert!(text(s, "f.yaml").contains("type:int"));
        assert_eq!(decrypt(s, "f.yaml"), "a: 2\n");
    } },
    Quirk { number: 9, sops: "set refuses arrays", ours: "takes them", proof: |s| {
        lock(s, "f.yaml", "a: x\n");
        let _ = set(s, "f.yaml", "[\"b\"]", "[\"x\", 1]").ok();
        assert_eq!(s.ours(&["decrypt", "--extract", "[\"b\"][1]", "f.yaml"]).text().trim(), "1");
        assert_eq!(s.sops(&["decrypt", "--extract", "[\"b\"][0]", "f.yaml"]).text(), "x");
    } },
    Quirk { number: 10, sops: "emoji print as escapes", ours: "they stay", proof: |s| comes_back(s, "f.yaml", "a: 😀\nb: \"😀\"\n") },
    Quirk { number: 11, sops: "a multi-line string that leads with a tab prints as null", ours: "as itself", proof: |s| {
        comes_back(s, "f.yaml", "a: \"\\tx\\ny\\n\"\nb:\n  - |2\n      lead\n    x\n");
        s.write("f.json", "{\"a\": \"\\tx\\ny\", \"b\": [\"  lead\\nx\\n\"]}");
        let yaml = s.ours(&["encrypt", "--age", ALICE.recipient, "--output-type", "yaml", "f.json"]).ok();
        s.write("g.yaml", yaml);
        assert_eq!(s.ours(&["decrypt", "--extract", "[\"a\"]", "g.yaml"]).text(), "\tx\ny");
        s.write("h.yaml", decrypt(s, "g.yaml"));
        let _ = s.ours(&["encrypt", "-i", "--age", ALICE.recipient, "h.yaml"]).ok();
        assert_eq!(s.sops(&["decrypt", "--extract", "[\"a\"]", "h.yaml"]).text(), "\tx\ny");
        assert_eq!(s.sops(&["decrypt", "--extract", "[\"b\"][0]", "h.yaml"]).text(), "  lead\nx\n");
    } },
    Quirk { number: 12, sops: "y is quoted, << gets a tag", ours: "they stay", proof: |s| comes_back(s, "f.yaml", "y: n\nb: &b {p: q}\nc:\n  <<: *b\n") },
    Quirk { number: 13, sops: "comments in empty flow maps vanish", ours: "they stay", proof: |s| comes_back(s, "f.yaml", "e: {} # c\nf: [] # d\ng: { # e\n  }\n") },
    Quirk { number: 14, sops: "repeated keys pass from the second document on", ours: "the same, as files may hold them", proof: |s| {
        s.write("f.yaml", "a: 1\na: 2\n");
        let _ = encrypt(s, "f.yaml").fails(2);
    } },
    Quirk { number: 15, sops: "set and --extract touch the first document only", ours: "the same", proof: |s| {
        lock(s, "f.yaml", "a: 1\n---\na: 2\n");
        let _ = set(s, "f.yaml", "[\"a\"]", "3").ok();
        assert_eq!(decrypt(s, "f.yaml"), "a: 3\n---\na: 2\n");
    } },
    Quirk { number: 16, sops: "a binary is encrypted twice", ours: "the same", proof: |s| {
        lock(s, "f.bin", "x");
        let once = s.read("f.bin");
        let _ = encrypt(s, "f.bin").ok();
        s.write("once.bin", s.ours(&["decrypt", "f.bin"]).ok());
        assert_eq!(s.read("once.bin"), once);
    } },
    Quirk { number: 17, sops: "dotenv loses blank lines", ours: "they stay, and so do the blanks around =", proof: |s| comes_back(s, "f.env", "A = v\n\n\nB=1\n\n") },
    Quirk { number: 18, sops: "INI values are cut at ; and #", ours: "they stay", proof: |s| {
        comes_back(s, "f.ini", "a=x;y\nb = \"q ; y\"\n[s]\n; one\n; two\nc = d # e\n; last\n");
        lock(s, "g.ini", "[s]\na = x;y\n");
        assert!(!text(s, "g.ini").contains("x;y"));
    } },
    Quirk { number: 19, sops: "two INI keys named - cannot be decrypted", ours: "refused before they are locked", proof: |s| {
        s.write("f.ini", "[s]\n- = 1\n- = 2\n");
        let _ = encrypt(s, "f.ini").fails(2);
    } },
    Quirk { number: 20, sops: "recipients override a rule, but one must match", ours: "the same", proof: |s| {
        s.write(".sops.yaml", format!("creation_rules:\n  - path_regex: never\n    age: {}\n", ALICE.recipient));
        s.write("f.yaml", "a: x\n");
        let said = encrypt(s, "f.yaml").fails(1);
        assert!(said.contains("no matching creation rules found"), "{said}");
    } },
    Quirk { number: 21, sops: "the config is searched from the working directory only", ours: "else from the file's", proof: |s| {
        s.write("sub/.sops.yaml", format!("creation_rules:\n  - age: {}\n", ALICE.recipient));
        s.write("sub/f.yaml", "a: x\n");
        let _ = s.ours(&["encrypt", "-i", "sub/f.yaml"]).ok();
        assert_eq!(decrypt(s, "sub/f.yaml"), "a: x\n");
    } },
    Quirk { number: 22, sops: "flags work after the file name", ours: "the same", proof: |s| {
        lock(s, "f.yaml", "a: x\n");
        assert_eq!(s.ours(&["decrypt", "f.yaml", "--extract", "[\"a\"]"]).text(), "x");
    } },
    Quirk { number: 23, sops: "a mistyped command opens an editor", ours: "an error that names the command", proof: |s| {
        let answer = s.ours(&["decrpyt", "f.yaml"]);
        assert!(answer.code != Some(0) && answer.stderr.contains("decrypt"), "{}", answer.describe());
        assert!(!s.path("decrpyt").exists());
    } },
    Quirk { number: 24, sops: "an unknown --output-type is ignored", ours: "an error", proof: |s| {
        lock(s, "f.yaml", "a: x\n");
        let answer = s.ours(&["decrypt", "--output-type", "jsn", "f.yaml"]);
        assert!(answer.code != Some(0) && answer.stderr.contains("json"), "{}", answer.describe());
    } },
    Quirk { number: 25, sops: "stdin is decrypted as binary", ours: "the same", proof: |s| {
        lock(s, "f.bin", "x\n");
        assert_eq!(s.ours_with_stdin(&["decrypt"], &s.read("f.bin")).text(), "x\n");
        let said = s.ours_with_stdin(&["decrypt"], b"a: 1\n");
        assert!(said.code != Some(0), "{}", said.describe());
    } },
    Quirk { number: 26, sops: "edit -s throws the edits away", ours: "keeps them", proof: |s| {
        lock(s, "f.yaml", "a: one\n");
        let s = editing(s, "sed -i s/one/two/ \"$1\"");
        let _ = s.ours(&["edit", "-s", "f.yaml"]).ok();
        assert_eq!(decrypt(&s, "f.yaml"), "a: two\n");
    } },
    Quirk { number: 27, sops: "bad indexes and an empty SOPS_AGE_KEY_CMD panic", ours: "errors", proof: |s| {
        lock(s, "f.yaml", "a: x\nl: [1]\n");
        for index in ["[\"a\"][\"x\"]", "[]", "[\"l\"][-1]", "[0]"] {
            let answer = s.ours(&["decrypt", "--extract", index, "f.yaml"]);
            assert!(matches!(answer.code, Some(1 | 91)) && !answer.stderr.is_empty(), "{index}: {}", answer.describe());
        }
        let mut bare = Sandbox::new();
        bare.set_env("SOPS_AGE_KEY_CMD", "");
        bare.write("f.yaml", s.read("f.yaml"));
        let _ = bare.ours(&["decrypt", "f.yaml"]).fails(128);
    } },
    Quirk { number: 32, sops: ".sops.yml is only warned about", ours: "the same", proof: |s| {
        s.write(".sops.yml", format!("creation_rules:\n  - age: {}\n", ALICE.recipient));
        s.write("f.yaml", "a: x\n");
        let said = s.ours(&["encrypt", "f.yaml"]).fails(1);
        assert!(said.contains(".sops.yml"), "{said}");
    } },
    Quirk { number: 33, sops: "hckms in a rule must be a list", ours: "the same, and the error names the key", proof: |s| {
        s.write(".sops.yaml", "creation_rules:\n  - hckms: x\n");
        s.write("f.yaml", "a: x\n");
        let said = s.ours(&["encrypt", "f.yaml"]).fails(1);
        assert!(said.contains("hckms"), "{said}");
    } },
    Quirk { number: 34, sops: "filestatus fails on an ordinary binary", ours: "the same code", proof: |s| {
        s.write("f.bin", "x");
        s.write("f.yaml", "a: x\n");
        let _ = s.ours(&["filestatus", "f.bin"]).fails(1);
        assert_eq!(s.ours(&["filestatus", "f.yaml"]).text(), "{\"encrypted\":false}\n");
    } },
    Quirk { number: 35, sops: "--extract ends a number with a newline, a string not", ours: "the same", proof: |s| {
        lock(s, "f.yaml", "a: x\nb: 1\n");
        lock(s, "f.json", "{\"b\": 1}");
        for (index, file) in [("[\"a\"]", "f.yaml"), ("[\"b\"]", "f.yaml"), ("[\"b\"]", "f.json")] {
            let extract = ["decrypt", "--extract", index, file];
            assert_eq!(s.ours(&extract).text(), s.sops(&extract).text(), "{index} of {file}");
        }
    } },
];

fn text(sandbox: &Sandbox, name: &str) -> String {
    String::from_utf8(sandbox.read(name)).unwrap()
}

fn encrypt(sandbox: &Sandbox, name: &str) -> Output {
    sandbox.ours(&["encrypt", "-i", "--age", ALICE.recipient, name])
}

fn lock_with(sandbox: &Sandbox, name: &str, content: &str, flags: &[&str]) {
    sandbox.write(name, content);
    let _ = sandbox.ours(&[&["encrypt", "-i", "--age", ALICE.recipient], flags, &[name]].concat()).ok();
}

fn lock(sandbox: &Sandbox, name: &str, content: &str) {
    lock_with(sandbox, name, content, &[]);
}

fn decrypt(sandbox: &Sandbox, name: &str) -> String {
    sandbox.ours(&["decrypt", name]).text()
}

fn set(sandbox: &Sandbox, name: &str, index: &str, value: &str) -> Output {
    sandbox.ours(&["set", name, index, value])
}

fn comes_back(sandbox: &Sandbox, name: &str, content: &str) {
    lock(sandbox, name, content);
    assert_eq!(decrypt(sandbox, name), content);
}

/// A sandbox over the same files whose editor runs `script`.
fn editing(sandbox: &Sandbox, script: &str) -> Sandbox {
    let mut with_editor = Sandbox::with_key();
    with_editor.write("f.yaml", sandbox.read("f.yaml"));
    let editor = with_editor.write("editor", format!("#!/bin/sh\n{script}\n"));
    with_editor.set_env("SOPS_EDITOR", &format!("sh {}", editor.display()));
    with_editor
}

#[test]
fn every_quirk_has_its_line() {
    let mut numbers: Vec<usize> = QUIRKS.iter().map(|quirk| quirk.number).chain(LATER).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=35).collect::<Vec<_>>());
}

#[test]
fn quirks_are_answered() {
    let mut problems = Vec::new();
    for quirk in QUIRKS {
        let sandbox = Sandbox::with_key();
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| (quirk.proof)(&sandbox))) {
            let why = panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "?".to_owned());
            problems.push(format!("{}: sops: {}; ours: {}\n{why}", quirk.number, quirk.sops, quirk.ours));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n\n"));
}

/// SOPS writes such a key twice, and cannot read that.
#[test]
fn a_key_that_an_alias_to_a_secret_repeats_is_refused() {
    let sandbox = Sandbox::with_key();
    let source = "a: &x hunter2\nhunter2: 1\n? *x\n: v\n";
    sandbox.write("f.yaml", source);
    let theirs = sandbox.sops(&["encrypt", "--age", ALICE.recipient, "f.yaml"]).ok();
    sandbox.write("theirs.yaml", theirs);
    assert_ne!(sandbox.sops(&["decrypt", "theirs.yaml"]).code, Some(0));
    let refused = sandbox.ours(&["encrypt", "-i", "--age", ALICE.recipient, "f.yaml"]);
    assert!(refused.code == Some(23) && refused.stderr.contains("f.yaml:3"), "{}", refused.describe());
    assert!(!refused.stderr.contains("hunter2"), "{}", refused.describe());
    assert_eq!(text(&sandbox, "f.yaml"), source);
    // Behind the first document, nobody minds.
    comes_back(&sandbox, "f.yaml", "z: 1\n---\na: &x k\nk: 1\n? *x\n: v\n");
}
