//! A secret never shows where it should not: not on stderr, not in the output
//! of a command that failed, not in a file that was left behind. A canary is
//! put into every place of every format, and into every other input that a
//! command takes, and looked for after commands that succeed and that fail.

use std::fs;
use std::path::Path;

use super::testkit::repository::Repository;
use super::testkit::sandbox::{ALICE, BOB, Output, Sandbox};

/// Nothing else in any output looks like it.
const CANARY: &str = "Zq7kW9xV2mT4bN8";
/// As few characters of it in a row are a leak.
const FRAGMENT: usize = 6;

/// Documents with the canary where a value, a comment or a mistake can stand.
const DOCUMENTS: [(&str, &str); 34] = [
    ("plain.yaml", "a: CANARY\nb: [CANARY, {c: CANARY}]\n"),
    ("quoted.yaml", "a: 'CANARY'\nb: \"CANARY\\n\"\n"),
    ("block.yaml", "a: |\n  CANARY\n  x\nb: >-\n  CANARY\n  y\n"),
    ("comment.yaml", "# CANARY\na: 1 # CANARY\nb:\n  # CANARY\n  - x # CANARY\n# CANARY\n"),
    ("number.yaml", "a: 1\nb: !!int CANARY\n"),
    ("tag.yaml", "a: !!bool CANARY\n"),
    ("time.yaml", "a: !!timestamp CANARY\n"),
    ("binary.yaml", "a: !!binary CANARY*\n"),
    ("tab.yaml", "a:\n\tb: CANARY\n"),
    ("unclosed.yaml", "a: \"CANARY\nb: c\n"),
    ("flow.yaml", "a: [CANARY\nb: CANARY\n"),
    ("colon.yaml", "a: CANARY: CANARY\n"),
    ("bare.yaml", "a: x\nCANARY\n"),
    ("alias.yaml", "a: *CANARY\n"),
    ("directive.yaml", "%CANARY 1\n---\na: 1\n"),
    ("escape.yaml", "a: \"CANARY \\q CANARY\"\n"),
    ("list.yaml", "- CANARY\n"),
    ("scalar.yaml", "CANARY\n"),
    ("nonstring.yaml", "1: CANARY\n"),
    ("second.yaml", "a: 1\n---\n- CANARY\n"),
    ("taken.yaml", "sops: CANARY\n"),
    ("plain.json", "{\"a\": \"CANARY\", \"b\": [\"CANARY\"]}\n"),
    ("comma.json", "{\"a\": \"CANARY\",}\n"),
    ("word.json", "{\"a\": CANARY}\n"),
    ("open.json", "{\"a\": \"CANARY\n"),
    ("escape.json", "{\"a\": \"CANARY\\qCANARY\"}\n"),
    ("array.json", "[\"CANARY\"]\n"),
    ("plain.env", "A=CANARY\n# CANARY\nB=\"CANARY\"\n"),
    ("bare.env", "A=x\nCANARY\n"),
    ("plain.ini", "; CANARY\n[s]\na = CANARY ; CANARY\nb = \"CANARY\"\n"),
    ("bare.ini", "[s]\nCANARY\n"),
    ("unclosed.ini", "[CANARY\na = b\n"),
    ("triple.ini", "[s]\na = \"\"\"CANARY\n"),
    ("plain.bin", "CANARY"),
];

fn shows_canary(text: &[u8]) -> bool {
    let canary = CANARY.as_bytes();
    text.windows(FRAGMENT).any(|window| canary.windows(FRAGMENT).any(|fragment| fragment == window))
}

/// Complains if an answer shows the canary: anywhere if the command failed or
/// its output must be ciphertext, on stderr always.
fn examine(output: &Output, may_print: bool, problems: &mut Vec<String>) {
    let printed = shows_canary(&output.stdout) && !(may_print && output.code == Some(0));
    if printed || shows_canary(output.stderr.as_bytes()) {
        problems.push(output.describe());
    }
    if output.code.is_none() || output.code == Some(101) || output.code == Some(134) {
        problems.push(format!("crashed: {}", output.describe()));
    }
}

/// The files below `folder` that hold the canary.
fn holders(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            holders(&path, found);
        } else if fs::read(&path).is_ok_and(|bytes| shows_canary(&bytes)) {
            found.push(path.display().to_string());
        }
    }
}

fn check(problems: &[String]) {
    assert!(problems.is_empty(), "{} leaks:\n{}", problems.len(), problems.join("\n\n"));
}

#[test]
fn encrypting_never_shows_a_value() {
    let mut problems = Vec::new();
    for (name, text) in DOCUMENTS {
        let sandbox = Sandbox::with_key();
        sandbox.write(name, text.replace("CANARY", CANARY));
        let age = ["--age", ALICE.recipient];
        examine(&sandbox.ours(&[&["encrypt"][..], &age, &[name]].concat()), false, &mut problems);
        let regex = ["encrypt", "--encrypted-regex", "^nothing$", "--age", ALICE.recipient, name];
        examine(&sandbox.ours(&regex), false, &mut problems);
        for format in ["yaml", "json", "dotenv", "ini", "binary"] {
            let typed = ["encrypt", "--input-type", format, "--output-type", "json"];
            let mut output = sandbox.ours(&[&typed[..], &age, &[name]].concat());
            if (name, format) == ("array.json", "ini") {
                // To INI, `["…"]` is the header of a section, and names stay readable: there only.
                let text = String::from_utf8(output.stdout).unwrap();
                output.stdout = text.replacen(&format!("\"\\\"{CANARY}\\\"\": "), "", 1).into_bytes();
            }
            examine(&output, false, &mut problems);
        }
        for command in ["decrypt", "filestatus", "edit"] {
            examine(&sandbox.ours(&[command, name]), false, &mut problems);
        }
        examine(&sandbox.ours(&["config", "explain", name]), false, &mut problems);
        examine(&sandbox.ours(&[&["encrypt", "-i"][..], &age, &[name]].concat()), false, &mut problems);
        let mut left = Vec::new();
        for folder in ["tmp", "home"] {
            holders(&sandbox.folder().join(folder), &mut left);
        }
        problems.extend(left.iter().map(|path| format!("{name}: left in {path}")));
    }
    check(&problems);
}

#[test]
fn opening_never_shows_a_value_where_it_fails() {
    let mut problems = Vec::new();
    for (name, text) in DOCUMENTS {
        let sandbox = Sandbox::with_key();
        sandbox.write(name, text.replace("CANARY", CANARY));
        let locked = sandbox.ours(&["encrypt", "-i", "--age", ALICE.recipient, name]);
        if locked.code != Some(0) {
            continue;
        }
        let commands: [&[&str]; 9] = [
            &["decrypt", name],
            &["decrypt", "--extract", "[\"a\"]", name],
            &["decrypt", "--extract", "[\"zz\"]", name],
            &["decrypt", "--extract", "[\"a\"][\"b\"][0]", name],
            &["decrypt", "--output-type", "shell", name],
            &["decrypt", "--output-type", "dotenv", name],
            &["decrypt", "--output-type", "ini", name],
            &["decrypt", "--output-type", "binary", name],
            &["unset", name, "[\"zz\"]"],
        ];
        for command in commands {
            examine(&sandbox.ours(command), true, &mut problems);
        }
        // The same file, damaged at every tenth byte, may open to nothing or fail.
        let whole = sandbox.read(name);
        for at in (0..whole.len()).step_by(whole.len() / 10 + 1) {
            let mut damaged = whole.clone();
            damaged[at] = if damaged[at] == b'A' { b'B' } else { b'A' };
            sandbox.write(name, &damaged);
            examine(&sandbox.ours(&["decrypt", name]), true, &mut problems);
        }
        // A plain value slipped in by hand is not echoed.
        let text = String::from_utf8_lossy(&whole).into_owned();
        if let Some((before, after)) =
            text.split_once("ENC[").and_then(|(before, rest)| Some((before, rest.split_once(']')?.1)))
        {
            sandbox.write(name, format!("{before}{CANARY}{after}"));
            examine(&sandbox.ours(&["decrypt", name]), true, &mut problems);
            examine(&sandbox.ours(&["set", name, "[\"n\"]", "1"]), false, &mut problems);
        }
        problems.extend((sandbox.read(name).is_empty()).then(|| format!("{name} was emptied")));
    }
    check(&problems);
}

#[test]
fn building_on_what_git_holds_never_shows_a_value() {
    let mut problems = Vec::new();
    for (name, text) in DOCUMENTS {
        let sandbox = Sandbox::with_key();
        let git = |arguments: &[&str]| sandbox.run(Path::new("git"), arguments, b"").ok();
        git(&["init", "-q", "."]);
        let encrypt = ["encrypt", "-i", "--age", ALICE.recipient, name];
        sandbox.write(name, text.replace("CANARY", CANARY));
        if sandbox.ours(&encrypt).code != Some(0) {
            continue;
        }
        let whole = sandbox.read(name);
        for at in (0..whole.len()).step_by(whole.len() / 3 + 1) {
            let mut held = whole.clone();
            if at > 0 {
                held[at] = if held[at] == b'A' { b'B' } else { b'A' };
            }
            sandbox.write(name, &held);
            git(&["add", name]);
            sandbox.write(name, text.replace("CANARY", &format!("{CANARY}x")));
            examine(&sandbox.ours(&encrypt), false, &mut problems);
            for form in ["--names", "--json", "--quiet"] {
                examine(&sandbox.ours(&["diff", form]), false, &mut problems);
            }
            for command in [&["diff"][..], &["textconv", name]] {
                examine(&sandbox.ours(command), true, &mut problems);
            }
            fs::rename(sandbox.folder().join("home"), sandbox.folder().join("away")).unwrap();
            for command in [&["diff"][..], &["textconv", name]] {
                examine(&sandbox.ours(command), false, &mut problems);
            }
            fs::rename(sandbox.folder().join("away"), sandbox.folder().join("home")).unwrap();
        }
        let objects = git(&["cat-file", "--batch-all-objects", "--batch"]);
        if shows_canary(&objects) {
            problems.push(format!("{name}: in an object of git"));
        }
    }
    check(&problems);
}

#[test]
fn git_never_gets_a_value_through_the_filter() {
    let mut problems = Vec::new();
    for (name, text) in DOCUMENTS {
        let repository = Repository::new();
        repository.rules(&[r"\.(yaml|json|env|ini|bin)$"]);
        repository.sandbox.write(name, text.replace("CANARY", CANARY));
        for arguments in [&["git", "setup", "--yes", "--filter"][..], &["status"], &["status", "--json"]] {
            examine(&repository.sandbox.ours(arguments), false, &mut problems);
        }
        let typed = repository.sandbox.read(name);
        let cleaned = repository.sandbox.ours_with_stdin(&["git", "clean", name], &typed);
        examine(&cleaned, false, &mut problems);
        examine(&repository.sandbox.ours_with_stdin(&["git", "smudge", name], &typed), true, &mut problems);
        let added = repository.sandbox.run(Path::new("git"), &["add", "."], b"");
        examine(&added, false, &mut problems);
        for arguments in [&["git", "setup", "--yes", "--no-filter"][..], &["status"]] {
            examine(&repository.sandbox.ours(arguments), false, &mut problems);
        }
        let objects = repository.git(&["cat-file", "--batch-all-objects", "--batch"]);
        if shows_canary(objects.as_bytes()) {
            problems.push(format!("{name}: in an object of git"));
        }
    }
    check(&problems);
}

#[test]
fn sealing_names_what_changed_and_never_a_value() {
    let mut problems = Vec::new();
    for (name, text) in DOCUMENTS {
        let sandbox = Sandbox::with_key();
        sandbox.write(name, text.replace("CANARY", CANARY));
        if sandbox.ours(&["encrypt", "-i", "--seal", "--age", ALICE.recipient, name]).code != Some(0) {
            continue;
        }
        for arguments in [
            &["init", "-q"][..],
            &["add", "-A"],
            &["-c", "user.name=t", "-c", "user.email=t@t.test", "commit", "-qm", "x"],
        ] {
            sandbox.run(Path::new("git"), arguments, b"").ok();
        }
        let _ = sandbox.sops(&["set", name, "[\"new\"]", &format!("\"{CANARY}\"")]);
        examine(&sandbox.ours(&["seal", "--dry-run", name]), false, &mut problems);
        examine(&sandbox.ours(&["seal", "--yes", name]), false, &mut problems);
        let whole = sandbox.read(name);
        for at in (0..whole.len()).step_by(whole.len() / 6 + 1) {
            let mut damaged = whole.clone();
            damaged[at] = if damaged[at] == b'A' { b'B' } else { b'A' };
            sandbox.write(name, &damaged);
            examine(&sandbox.ours(&["seal", "--verify", name]), false, &mut problems);
            examine(&sandbox.ours(&["seal", "--dry-run", name]), false, &mut problems);
            examine(&sandbox.ours(&["seal", "--print", "message", name]), false, &mut problems);
        }
    }
    check(&problems);
}

#[test]
fn what_is_typed_or_found_in_the_environment_is_not_repeated() {
    let mut problems = Vec::new();
    let mut sandbox = Sandbox::with_key();
    sandbox.write("f.yaml", "a: 1\nb: x\n");
    let _ = sandbox.ours(&["encrypt", "-i", "--age", ALICE.recipient, "f.yaml"]).ok();
    let quoted = format!("\"{CANARY}\"");
    for value in [
        CANARY,
        quoted.as_str(),
        &format!("[{quoted}]"),
        &format!("{{\"k\": {CANARY}}}"),
        &format!("{quoted} x"),
    ] {
        examine(&sandbox.ours(&["set", "f.yaml", "[\"b\"]", value]), false, &mut problems);
        examine(&sandbox.ours(&["set", "f.yaml", "b", value]), false, &mut problems);
        examine(&sandbox.ours(&["set", "f.yaml", "[\"a\"][\"x\"][3]", value]), false, &mut problems);
        examine(&sandbox.ours(&["--set", &format!("[\"b\"] {value}"), "f.yaml"]), false, &mut problems);
        let stdin = sandbox.ours_with_stdin(&["set", "--value-stdin", "f.yaml", "[\"b\"]"], value.as_bytes());
        examine(&stdin, false, &mut problems);
        sandbox.write("value.txt", value);
        examine(
            &sandbox.ours(&["set", "--value-file", "f.yaml", "[\"b\"]", "value.txt"]),
            false,
            &mut problems,
        );
    }
    for format in ["yaml", "json", "dotenv", "ini"] {
        let input = format!("{CANARY}\n{{[{CANARY}");
        let arguments =
            ["encrypt", "--age", ALICE.recipient, "--input-type", format, "--filename-override", "x.yaml"];
        examine(&sandbox.ours_with_stdin(&arguments, input.as_bytes()), false, &mut problems);
        examine(
            &sandbox.ours_with_stdin(&["decrypt", "--input-type", format], input.as_bytes()),
            false,
            &mut problems,
        );
    }
    // Identities that are none.
    sandbox.write("keys.txt", format!("AGE-SECRET-KEY-1{CANARY}\n"));
    let path = sandbox.path("keys.txt").to_str().unwrap().to_owned();
    let bare = Sandbox::new();
    bare.write("f.yaml", sandbox.read("f.yaml"));
    let mut bare = bare;
    for (variable, value) in [
        ("SOPS_AGE_KEY", format!("AGE-SECRET-KEY-1{CANARY}")),
        ("SOPS_AGE_KEY", CANARY.to_owned()),
        ("SOPS_AGE_KEY_FILE", path.clone()),
        ("SOPS_AGE_SSH_PRIVATE_KEY_FILE", path.clone()),
        ("SOPS_AGE_KEY_CMD", format!("cat {path}")),
    ] {
        bare.set_env(variable, &value);
        examine(&bare.ours(&["decrypt", "f.yaml"]), false, &mut problems);
    }
    sandbox.set_env("SOPS_AGE_KEY", BOB.identity);
    check(&problems);
}

#[test]
fn the_editor_leaves_nothing_behind() {
    let mut problems = Vec::new();
    for (ending, body) in [
        ("unchanged", "exit 0"),
        ("failing", "echo >> \"$1\"; exit 3"),
        ("killed", "kill -TERM $PPID; sleep 1"),
        ("changed", "sed -i s/one/two/ \"$1\""),
    ] {
        let mut sandbox = Sandbox::with_key();
        let seen = sandbox.path("seen").to_str().unwrap().to_owned();
        let script = format!(
            "#!/bin/sh\necho \"$1\" > {seen}\nls -ld \"$1\" \"$(dirname \"$1\")\" >> {seen}\n{body}\n"
        );
        let editor = sandbox.write("editor", script);
        let _ = sandbox.run(Path::new("/bin/chmod"), &["+x", editor.to_str().unwrap()], b"").ok();
        sandbox.write("f.yaml", format!("a: {CANARY}\nb: one\n"));
        let _ = sandbox.ours(&["encrypt", "-i", "--age", ALICE.recipient, "f.yaml"]).ok();
        sandbox.set_env("SOPS_EDITOR", editor.to_str().unwrap());
        examine(&sandbox.ours(&["edit", "f.yaml"]), false, &mut problems);
        let seen = String::from_utf8(sandbox.read("seen")).unwrap();
        let mut lines = seen.lines();
        let plain = Path::new(lines.next().unwrap());
        if plain.exists() || plain.parent().unwrap().exists() && plain.parent().unwrap() != sandbox.path("") {
            problems.push(format!("{ending}: {} is still there", plain.display()));
        }
        let modes: Vec<&str> = lines.collect();
        let is_private = |mode: &str| modes.iter().any(|line| line.starts_with(mode));
        if modes.len() != 2 || !is_private("-rw-------") || !is_private("drwx------") {
            problems.push(format!("{ending}: not private: {seen}"));
        }
        let mut left = Vec::new();
        holders(sandbox.folder(), &mut left);
        problems.extend(left.iter().map(|path| format!("{ending}: left in {path}")));
    }
    check(&problems);
}

#[test]
fn checking_never_shows_a_value() {
    let mut problems = Vec::new();
    for (name, text) in DOCUMENTS {
        let sandbox = Sandbox::with_key();
        let rule = format!("creation_rules:\n  - path_regex: ^d/\n    age: {}\n", ALICE.recipient);
        sandbox.write(".sops.yaml", rule);
        let name = format!("d/{name}");
        let plain = text.replace("CANARY", CANARY);
        sandbox.write(&name, &plain);
        let look = |problems: &mut Vec<String>| {
            for more in
                [&[][..], &["--json"], &["--format", "github"], &["--format", "sarif"], &["--decrypt"]]
            {
                examine(&sandbox.ours(&[&["check"], more].concat()), false, problems);
            }
        };
        look(&mut problems);
        if sandbox.ours(&["encrypt", "-i", &name]).code != Some(0) {
            continue;
        }
        sandbox.write(&format!("{name}.bak"), &plain);
        look(&mut problems);
        let whole = String::from_utf8_lossy(&sandbox.read(&name)).into_owned();
        for (at, _) in whole.match_indices("ENC[").take(3) {
            let end = at + whole[at..].find(']').map_or(0, |end| end + 1);
            sandbox.write(&name, format!("{}{CANARY}{}", &whole[..at], &whole[end..]));
            look(&mut problems);
        }
        for at in (0..whole.len()).step_by(whole.len() / 10 + 1) {
            let mut damaged = whole.clone().into_bytes();
            damaged[at] = if damaged[at] == b'A' { b'B' } else { b'A' };
            sandbox.write(&name, &damaged);
            look(&mut problems);
        }
    }
    check(&problems);
}

/// Dotenv files that `run` refuses, and one that it takes.
const DIALECT: [(&str, &str); 11] = [
    ("unset.env", "A=x$CANARY\n"),
    ("braces.env", "A=${CANARY%x}\n"),
    ("command.env", "A=$(CANARY)\n"),
    ("backquote.env", "A=\"`CANARY`\"\n"),
    ("apostrophe.env", "A=CANARY'x\n"),
    ("open.env", "A=\"CANARY\n"),
    ("behind.env", "A='CANARY' CANARY\n"),
    ("two.env", "A=1 B=CANARY\n"),
    ("name.env", "CANARY CANARY=CANARY\n"),
    ("lines.env", "A=\"CANARY\nCANARY\"\n"),
    ("clear.env", "A_unencrypted=\"CANARY\nCANARY\"\n"),
];

#[test]
fn starting_a_command_never_shows_a_value() {
    let mut problems = Vec::new();
    let documents = DOCUMENTS.iter().filter(|(name, _)| name.starts_with("plain")).chain(&DIALECT);
    for (name, text) in documents {
        let sandbox = Sandbox::with_key();
        sandbox.write(name, text.replace("CANARY", CANARY));
        examine(&sandbox.ours(&["encrypt", "-i", "--age", ALICE.recipient, name]), false, &mut problems);
        for arguments in [
            &["run", name, "--", "true"][..],
            &["run", "--pristine", "--prefix", "P_", name, "--", "true"],
            &["run", "--only", "no-such", name, "--", "true"],
            &["run", "--file", "X=*", name, "--", "true"],
            &["run", "--file", "X=A", name, "--", "no-such-program"],
            &["run", name, "--", "no-such-program"],
            &["exec-env", name, "exit 3"],
            &["exec-env", "--same-process", name, "exit 3"],
            &["exec-env", "--background", name, "exit 3"],
            &["exec-file", name, "kill -KILL $$"],
            &["exec-file", "--no-fifo", "--output-type", "ini", name, "true"],
        ] {
            examine(&sandbox.ours(arguments), false, &mut problems);
        }
        let mut left = Vec::new();
        for folder in ["tmp", "home"] {
            holders(&sandbox.folder().join(folder), &mut left);
        }
        problems.extend(left.iter().map(|path| format!("{name}: left in {path}")));
    }
    check(&problems);
}

/// A copy of an encrypted file with another value or comment in it, if an editor finds
/// one to change.
fn changed_copy(sandbox: &mut Sandbox, name: &str, copy: &str, text: &str) {
    sandbox.write(copy, sandbox.read(name));
    let script = format!("#!/bin/sh\nsed -i 's/{CANARY}/{text}{CANARY}/' \"$1\"\n");
    let editor = sandbox.write("editor", script);
    let _ = sandbox.run(Path::new("/bin/chmod"), &["+x", editor.to_str().unwrap()], b"").ok();
    sandbox.set_env("SOPS_EDITOR", editor.to_str().unwrap());
    let _ = sandbox.ours(&["edit", copy]);
}

#[test]
fn merging_never_shows_a_value() {
    let mut problems = Vec::new();
    let mut conflicts = 0;
    for (name, text) in DOCUMENTS {
        let mut sandbox = Sandbox::with_key();
        sandbox.write(name, text.replace("CANARY", CANARY));
        if sandbox.ours(&["encrypt", "-i", "--age", ALICE.recipient, name]).code != Some(0) {
            continue;
        }
        let extension = name.rsplit_once('.').unwrap().1;
        let [ours, theirs, result] = ["ours", "theirs", "result"].map(|it| format!("{it}.{extension}"));
        changed_copy(&mut sandbox, name, &ours, "a");
        changed_copy(&mut sandbox, name, &theirs, "b");
        let whole = sandbox.read(&theirs);
        for at in (0..whole.len()).step_by(whole.len() / 5 + 1) {
            // Whole at first, then damaged.
            sandbox.write(&theirs, &whole);
            if at > 0 {
                let mut damaged = whole.clone();
                damaged[at] = if damaged[at] == b'A' { b'B' } else { b'A' };
                sandbox.write(&theirs, &damaged);
            }
            sandbox.write(&result, sandbox.read(&ours));
            let merged = sandbox.ours(&["merge", name, &result, &theirs]);
            conflicts += usize::from(merged.code == Some(1));
            examine(&merged, false, &mut problems);
            examine(&sandbox.ours(&["merge", "--stdout", name, &ours, &theirs]), false, &mut problems);
            if shows_canary(&sandbox.read(&result)) {
                problems.push(format!("{name}: the merged file is in clear"));
            }
            examine(&sandbox.ours(&["resolve", "--list", &result]), false, &mut problems);
            examine(&sandbox.ours(&["resolve", "--theirs", "a", &result]), false, &mut problems);
            examine(&sandbox.ours(&["resolve", &result]), false, &mut problems);
            examine(&sandbox.ours(&["resolve", "--all-ours", &result]), false, &mut problems);
        }
        let mut left = Vec::new();
        for folder in ["tmp", "home"] {
            holders(&sandbox.folder().join(folder), &mut left);
        }
        problems.extend(left.iter().map(|path| format!("{name}: left in {path}")));
    }
    assert!(conflicts > 20, "only {conflicts} conflicts");
    check(&problems);
}
