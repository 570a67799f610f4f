//! `exec-env` and `exec-file` beside the real `sops`: the same streams, exit codes
//! and texts, but for what is a defect there.
#![cfg(unix)]

use super::testkit::sandbox::{ALICE, Output, Sandbox};

const YAML: &str = "\
# comment
str: hello
int: 5
float: 1.5
bool: true
lines: |
  a
  b
date: 2024-01-02
quoted: '\"x y\"'
empty: ''
";

/// A sandbox with files that sops encrypted.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::with_key();
    for (name, content) in [
        ("s.yaml", YAML),
        ("null.yaml", "a: null\n"),
        ("nested.yaml", "a: 1\nb: {c: d}\n"),
        ("equals.yaml", "\"a=b\": secret\n"),
        ("nul.yaml", "a: \"x\\0y\"\n"),
        ("two.yaml", "a: first\n---\nb: second\n"),
        ("path.yaml", "PATH: /nowhere\nHOME: /elsewhere\n"),
        ("s.env", "A=\"quoted\"\n#c\nexport B=1\nC=a\\nb\nA=again\n"),
        ("s.json", "{\"a\": \"b\", \"n\": 1.5}"),
        ("s.ini", "[a]\nb=c\n"),
        ("s.bin", "raw\n"),
    ] {
        let path = sandbox.write(name, content);
        let path = path.to_str().unwrap();
        sandbox.sops(&["encrypt", "--age", ALICE.recipient, "-i", path]).ok();
    }
    sandbox.write("plain.yaml", "a: 1\n");
    sandbox
}

/// What a script can tell apart; sops's log lines have times in them, and its
/// paths end in random numbers.
fn answer(output: &Output) -> (Option<i32>, String, String) {
    let said =
        output.stderr.lines().find(|line| !line.starts_with("[CMD]") && !line.starts_with("warning: "));
    let said = said.unwrap_or_default();
    let said = match said.split_once("level=fatal msg=\"") {
        Some((_, message)) => message.trim_end_matches('"'),
        None => said,
    };
    (output.code, String::from_utf8_lossy(&output.stdout).into_owned(), said.to_owned())
}

#[track_caller]
fn same(sandbox: &Sandbox, arguments: &[&str]) {
    let (theirs, ours) = (sandbox.sops(arguments), sandbox.ours(arguments));
    assert_eq!(answer(&ours), answer(&theirs), "{}\n{}", theirs.describe(), ours.describe());
}

#[test]
fn exec_env_answers_as_sops_does() {
    let mut sandbox = sandbox();
    sandbox.set_env("INHERITED", "yes");
    let print = "env | grep -v ^PWD= | grep -v ^_= | sort";
    for file in ["s.yaml", "null.yaml", "two.yaml", "s.env", "s.json", "s.bin"] {
        same(&sandbox, &["exec-env", "--pristine", file, print]);
        same(&sandbox, &["exec-env", file, "echo $INHERITED; printenv str A a"]);
    }
    for arguments in [
        &["exec-env", "path.yaml", "echo $PATH $HOME"][..],
        &["exec-env", "nested.yaml", "true"],
        &["exec-env", "equals.yaml", "true"],
        &["exec-env", "nul.yaml", "true"],
        &["exec-env", "s.yaml"],
        &["exec-env", "s.yaml", "echo", "two"],
        &["exec-env", "s.yaml", ""],
        &["exec-env", "--", "s.yaml", "echo $str"],
        &["exec-env", "s.yaml", "--", "echo $str"],
        &["exec-env", "s.yaml", "echo $str; exit 7"],
        &["exec-env", "s.yaml", "no-such-program"],
        &["exec-env", "s.yaml", "kill -TERM $$"],
        &["exec-env", "s.yaml", "kill -KILL $$"],
        &["exec-env", "s.yaml", "kill -USR1 $$"],
        &["exec-env", "--same-process", "s.yaml", "echo $str; exit 7"],
        &["exec-env", "--same-process", "s.yaml", "kill -TERM $$"],
        &["exec-env", "--same-process", "--background", "s.yaml", "true"],
        &["exec-env", "--background", "s.yaml", "echo unheard; exit 7"],
        &["exec-env", "--user", "no-such-user", "s.yaml", "true"],
        &["exec-env", "plain.yaml", "true"],
        &["exec-env", "missing.yaml", "true"],
        &["--config", "/dev/null", "exec-env", "s.yaml", "echo $str"],
    ] {
        same(&sandbox, arguments);
    }
}

#[test]
fn exec_file_answers_as_sops_does() {
    let sandbox = sandbox();
    let look = "stat -c '%F %a' {}; cat {}";
    for file in ["two.yaml", "s.env", "s.json", "s.ini", "s.bin"] {
        same(&sandbox, &["exec-file", file, look]);
        same(&sandbox, &["exec-file", "--no-fifo", file, "stat -c '%F %a' {}; cat {} {}"]);
    }
    for arguments in [
        &["exec-file", "s.env", "basename {}; cat {}"][..],
        &["exec-file", "--filename", "x.env", "s.env", "basename {}; cat {}"],
        &[
            "exec-file",
            "--no-fifo",
            "--filename",
            "x.env",
            "s.env",
            "basename {}; stat -c %a $(dirname {}) {}; cat {}",
        ],
        &["exec-file", "--output-type", "json", "s.env", "cat {}"],
        &["exec-file", "--input-type", "json", "--output-type", "yaml", "s.json", "cat {}"],
        &["exec-file", "s.env"],
        &["exec-file", "s.env", "a", "b"],
        &["exec-file", "--no-fifo", "s.env", ""],
        &["exec-file", "s.env", "cat {}; exit 7"],
        &["exec-file", "s.env", "cat {}; kill -KILL $$"],
        &["exec-file", "--user", "no-such-user", "s.env", "true"],
        &["exec-file", "plain.yaml", "true"],
        &["exec-file", "missing.yaml", "true"],
    ] {
        same(&sandbox, arguments);
    }
    // Where nobody reads the pipe, sops opens it while it takes it away, and fails or not.
    for (command, code) in [("", 0), ("exit 7", 7), ("kill -KILL $$", 255)] {
        let unread = sandbox.ours(&["exec-file", "s.env", command]);
        assert_eq!(unread.code, Some(code), "{}", unread.describe());
    }
}

#[test]
fn standard_input_passes_through() {
    let sandbox = sandbox();
    for arguments in [&["exec-env", "s.yaml", "cat"][..], &["exec-file", "s.env", "cat"]] {
        let output = sandbox.ours_with_stdin(arguments, b"from outside\n");
        assert_eq!(output.text(), "from outside\n");
    }
}

#[test]
fn a_fifo_that_nobody_reads_keeps_nobody_waiting() {
    let sandbox = sandbox();
    sandbox.ours(&["exec-file", "s.env", "true"]).ok();
    let left = std::fs::read_dir(sandbox.folder().join("tmp")).unwrap().count();
    assert_eq!(left, 0);
}

/// sops's own temporary directory is gone before the command looks at it.
#[cfg(target_os = "linux")]
#[test]
fn in_the_background_the_file_is_there() {
    let sandbox = sandbox();
    sandbox.ours(&["exec-file", "--background", "s.bin", "sleep 0.3; cat {} {} > out; mv out done"]).ok();
    let done = sandbox.path("done");
    for _ in 0..600 {
        if done.exists() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(sandbox.read("done"), b"raw\nraw\n");
}

/// Only root can become somebody else; the sandbox must let that user in.
#[cfg(target_os = "linux")]
#[test]
fn another_user_gets_the_file_and_a_home() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let sandbox = sandbox();
    let show = "id -un; id -Gn; echo $HOME $USER $LOGNAME";
    let expected = "nobody\nnogroup\n/nonexistent nobody nobody\n";
    assert_eq!(sandbox.ours(&["exec-env", "--user", "nobody", "s.yaml", show]).text(), expected);
    let same_process = ["exec-env", "--same-process", "--user", "nobody", "s.yaml", show];
    assert_eq!(sandbox.ours(&same_process).text(), expected);
    let files = ["exec-file", "--no-fifo", "--user", "nobody", "s.bin", "stat -c '%U %a' {}"];
    assert_eq!(sandbox.ours(&files).text(), "nobody 600\n");
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let sandbox = sandbox();
    for name in ["../x", "/tmp/x", "a/b"] {
        let said = sandbox.ours(&["exec-file", "--filename", name, "s.env", "true"]).fails(1);
        assert!(said.starts_with("The provided filename is not a local path."), "{said}");
    }
}

#[test]
fn an_environment_that_is_too_large_is_explained() {
    let sandbox = sandbox();
    let path = sandbox.write("big.yaml", format!("small: x\nbig: {}\n", "secret".repeat(40_000)));
    sandbox.sops(&["encrypt", "--age", ALICE.recipient, "-i", path.to_str().unwrap()]).ok();
    same(&sandbox, &["exec-env", "big.yaml", "true"]);
    let said = sandbox.ours(&["exec-env", "big.yaml", "true"]).fails(1);
    assert!(said.contains("big (240005 bytes)") && !said.contains("secretsecret"), "{said}");
}
