//! The command line under the name `sops`, beside the real one: the same
//! arguments on the same files must end with the same exit code, the same
//! output, the same first line on stderr, and the same files changed.
//!
//! `=` the same; `~` the same but for the words of a parser; `!N` ours ends with
//! N, on purpose, for the reason above it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::testkit::sandbox::{ALICE, Output, Sandbox};
use super::testkit::sops;

const TABLE: &str = r#"
= decrypt e.yaml
= decrypt e.json
= decrypt e.env
= decrypt e.ini
= decrypt e.txt
= -d e.yaml
= --decrypt e.yaml
= decrypt -i e.yaml
= decrypt e.yaml -i
= -d -i e.yaml
= -d e.yaml -i
= decrypt --output o.yaml e.yaml
= decrypt --output o.yaml -i e.yaml
= decrypt --output /nonexistent/o.yaml e.yaml
= decrypt --extract '["b"]' e.yaml
= decrypt --extract '["c"]["d"][1]' e.yaml
= decrypt --extract '["c"]' e.yaml
= decrypt --extract '["zz"]' e.yaml
= decrypt --extract '["c"]["d"][7]' e.yaml
~ decrypt --extract b e.yaml
~ decrypt --extract [b] e.yaml
= decrypt --extract= e.yaml
= decrypt --output-type json e.yaml
= decrypt --output-type toml e.yaml
= decrypt --output-type json --extract '["c"]' e.yaml
~ decrypt --input-type json e.yaml
= decrypt --input-type toml e.yaml
= decrypt --ignore-mac e.yaml
= decrypt p.yaml
= decrypt p.json
= decrypt p.env
~ decrypt p.txt
~ decrypt bad.yaml
= decrypt empty.yaml
= decrypt missing.yaml
= decrypt folder
~ decrypt < e.yaml
= decrypt --input-type yaml < e.yaml
= decrypt --input-type yaml --output-type yaml < e.yaml
= decrypt --filename-override x.yaml < e.yaml
= decrypt -i < e.yaml
= decrypt e.yaml e.json
= decrypt e.yaml --zzz
= decrypt --zzz e.yaml
= decrypt ---x e.yaml
= decrypt --extract
= decrypt -- e.yaml
= decrypt --in-place=false e.yaml
~ decrypt --in-place=maybe e.yaml
= -d e.yaml --zzz
= -d --zzz e.yaml
= -i decrypt e.yaml
= --verbose decrypt e.yaml
= --age x decrypt e.yaml
= decrypt --decryption-order age,age e.yaml
= SOPS_DECRYPTION_ORDER=age,age decrypt e.yaml
= SOPS_DECRYPTION_ORDER= decrypt e.yaml
~ SOPS_ENABLE_LOCAL_KEYSERVICE=xx decrypt e.yaml
= SOPS_CONFIG=/nonexistent decrypt e.yaml
= SOPS_CONFIG= decrypt e.yaml
= --config /nonexistent decrypt e.yaml
~ --config bad.yaml decrypt e.yaml
~ decrypt --filename-override x.json e.yaml
= encrypt --age $ALICE p.yaml
= encrypt p.yaml --age $ALICE
= encrypt --age=$ALICE p.yaml
= encrypt -a $ALICE p.yaml
= encrypt -age $ALICE p.yaml
= SOPS_AGE_RECIPIENTS=$ALICE encrypt p.yaml
= SOPS_AGE_RECIPIENTS= encrypt p.yaml
= -e --age $ALICE p.yaml
= -e p.yaml --age $ALICE
= --age $ALICE encrypt p.yaml
= encrypt p.yaml
= encrypt --age $ALICE e.yaml
= encrypt --age $ALICE e.json
= encrypt --age $ALICE e.env
= encrypt --age $ALICE e.ini
= encrypt --age $ALICE e.txt
~ encrypt --age $ALICE bad.yaml
= encrypt --age $ALICE empty.yaml
= encrypt --age $ALICE missing.yaml
= encrypt --age $ALICE folder
= encrypt --age $ALICE -i p.yaml
= encrypt --age $ALICE --output o.yaml p.yaml
= encrypt --age $ALICE --output /nonexistent/o.yaml p.yaml
= encrypt --age xx p.yaml
~ encrypt --age age1xx p.yaml
= encrypt --age '' p.yaml
= encrypt --age $ALICE, p.yaml
= encrypt --age $ALICE --unencrypted-regex a --encrypted-regex b p.yaml
= encrypt --age $ALICE --encrypted-suffix _x p.yaml
= encrypt --age $ALICE --shamir-secret-sharing-threshold 3 p.yaml
= encrypt --age $ALICE --encryption-context foo p.yaml
= encrypt --age $ALICE < p.yaml
= encrypt --age $ALICE --filename-override x.yaml < p.yaml
~ encrypt --age $ALICE --filename-override x.json < p.yaml
= encrypt -i
= encrypt
= -d -e --age $ALICE p.yaml
= -d missing.yaml
= -e missing.yaml
= -e
= -d
= set e.yaml '["a"]' 2
= set e.yaml '["a"]' -5
= set e.yaml '["a"]' x
= set e.yaml a 2
= set e.yaml '["n"]["m"]' '"x"'
= set missing.yaml '["a"]' 2
= set p.yaml '["a"]' 2
= set e.yaml '["a"]'
= set e.yaml '["a"]' 1 2
= set --value-stdin e.yaml '["a"]' < p.json
= set --value-file e.yaml '["a"]' p.json
= set --value-file --value-stdin e.yaml '["a"]'
= set --idempotent e.yaml '["b"]' '"x"'
= --set '["a"] 2' e.yaml
= --set '["a"]' e.yaml
= --set '["a"] x' e.yaml
= unset e.yaml '["a"]'
= unset e.yaml '["zz"]'
= unset --idempotent e.yaml '["zz"]'
= unset e.yaml '["c"]["d"][9]'
~ unset e.yaml '["a"]["x"]'
= unset e.yaml a
= unset e.yaml
= unset missing.yaml '["a"]'
= filestatus e.yaml
= filestatus p.yaml
= filestatus e.txt
~ filestatus p.txt
= filestatus missing.yaml
~ filestatus bad.yaml
= filestatus
= filestatus e.yaml p.yaml
= filestatus --input-type json e.json
= EDITOR=true edit e.yaml
= EDITOR=true e.yaml
= EDITOR=false edit e.yaml
= EDITOR=true edit missing.yaml
= EDITOR=true edit --age $ALICE missing.yaml
= EDITOR=true SOPS_EDITOR=false edit e.yaml
= EDITOR=true edit
= EDITOR=true edit p.yaml
= EDITOR=true missing.yaml
= EDITOR=true decrpyt
= --
= help nothing
! A rule that does not compile would leave everything in plain text.
!1 encrypt --age $ALICE --encrypted-regex ( p.yaml
! An index into a map returned what sops keeps inside.
!1 decrypt --extract [0] e.yaml
! The usage error says more than "failed".
!1 decrypt --enable-local-keyservice=false e.yaml
! Arrays can be set.
!0 set e.yaml '["a"]' [1]
! Panics are errors.
!1 unset e.yaml '["c"]["d"]["x"]'
! Files that cannot be read are exit 2 everywhere.
!2 set --value-file e.yaml '["a"]' missing
"#;

/// The plain files, and beside each what sops made of it.
fn templates(sandbox: &Sandbox) -> BTreeMap<String, Vec<u8>> {
    let plain = [
        ("yaml", "a: 1\nb: x\nc:\n    d: [1, two]\n    e: \"q\"\n"),
        ("json", "{\"a\": 1, \"b\": \"x\"}\n"),
        ("env", "A=1\nB=two words\n"),
        ("ini", "[s]\na = 1\n"),
        ("txt", "hello\n"),
    ];
    let mut files = BTreeMap::from([
        ("bad.yaml".to_owned(), b"a: [1\n".to_vec()),
        ("empty.yaml".to_owned(), Vec::new()),
        ("folder/keep".to_owned(), Vec::new()),
    ]);
    for (extension, text) in plain {
        let name = format!("p.{extension}");
        let _ = sandbox.write(&name, text);
        let locked = sandbox.sops(&["encrypt", "--age", ALICE.recipient, &name]).ok();
        files.insert(name, text.into());
        files.insert(format!("e.{extension}"), locked);
    }
    files
}

/// One row, taken apart.
struct Case {
    environment: Vec<(String, String)>,
    words: Vec<String>,
    stdin: Option<String>,
}

impl Case {
    fn of(line: &str) -> Self {
        let line = line.replace("$ALICE", ALICE.recipient);
        let mut words = shlex::split(&line).unwrap();
        let is_variable = |word: &String| word.split_once('=').is_some_and(|(name, _)| is_upper(name));
        let variables = words.iter().take_while(|word| is_variable(word)).count();
        let environment = words
            .drain(..variables)
            .map(|word| {
                word.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())).unwrap()
            })
            .collect();
        let redirect = words.iter().position(|word| word == "<");
        let stdin = redirect.map(|at| words.drain(at..).nth(1).unwrap());
        Self { environment, words, stdin }
    }
}

fn is_upper(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c == '_')
}

/// The answer of `program`, and the files that it changed.
fn answer(program: &Path, case: &Case, files: &BTreeMap<String, Vec<u8>>) -> (Output, Vec<String>, PathBuf) {
    let mut sandbox = Sandbox::with_key();
    for (name, value) in &case.environment {
        sandbox.set_env(name, value);
    }
    for (name, bytes) in files {
        let _ = sandbox.write(name, bytes);
    }
    let stdin = case.stdin.as_ref().map(|name| files[name].clone()).unwrap_or_default();
    let output = sandbox.run(program, &case.words, &stdin);
    let mut changed = Vec::new();
    for entry in fs::read_dir(sandbox.path("")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if sandbox.path(&name).is_file() && files.get(&name) != Some(&sandbox.read(&name)) {
            changed.push(name);
        }
    }
    changed.sort();
    (output, changed, sandbox.path(""))
}

/// The first line that is no warning, without the log's prefix and the sandbox's path.
fn first_line(stderr: &str, folder: &Path) -> String {
    let aside = |line: &&str| {
        line.is_empty()
            || line.contains("level=warning")
            || ["warning: ", "note: ", "hint: "].iter().any(|prefix| line.starts_with(prefix))
    };
    let line = stderr.lines().find(|line| !aside(line)).unwrap_or_default();
    let message = line.split_once("level=fatal msg=\"").map_or(line, |(_, rest)| rest.trim_end_matches('"'));
    message.replace("\\\"", "\"").replace(folder.to_str().unwrap().trim_end_matches('/'), "[WORK]")
}

/// What both printed, where it can be the same: ciphertext and usage texts cannot.
fn comparable(output: &Output) -> Vec<u8> {
    let text = String::from_utf8_lossy(&output.stdout);
    if text.contains("ENC[") {
        b"ciphertext".to_vec()
    } else if text.contains("NAME:\n") {
        Vec::new()
    } else {
        output.stdout.clone()
    }
}

#[test]
fn under_the_name_sops_the_command_line_is_that_of_sops() {
    let sandbox = Sandbox::with_key();
    let files = templates(&sandbox);
    let ours = sandbox.folder().join("sops");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_leaflock"), &ours).unwrap();
    let mut differences = Vec::new();
    for row in TABLE.lines() {
        let Some((mark, line)) = row.split_once(' ') else { continue };
        let case = Case::of(line);
        match mark {
            "!" => {}
            "=" | "~" => {
                let (theirs, their_files, their_folder) = answer(sops::program(), &case, &files);
                let (ours, our_files, our_folder) = answer(&ours, &case, &files);
                let words = |output: &Output, folder: &Path| first_line(&output.stderr, folder);
                let same = theirs.code == ours.code
                    && comparable(&theirs) == comparable(&ours)
                    && their_files == our_files
                    && (mark == "~" || words(&theirs, &their_folder) == words(&ours, &our_folder));
                if !same {
                    differences.push(format!(
                        "{row}\nfiles {their_files:?} and {our_files:?}\n{}\n{}",
                        theirs.describe(),
                        ours.describe()
                    ));
                }
            }
            _ => {
                let (ours, _, _) = answer(&ours, &case, &files);
                if ours.code != mark.trim_start_matches('!').parse().ok() {
                    differences.push(format!("{row}\n{}", ours.describe()));
                }
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n\n"));
}
