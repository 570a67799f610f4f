//! Nothing touches the network unasked: every system call of every command is looked
//! at. Not even the question for a newer version is asked, which sops asks.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::Path;

use super::testkit::sandbox::{ALICE, Output, Sandbox};
use super::testkit::tools;

/// The calls by which `program` could reach another machine, with what it answered.
fn watched(sandbox: &Sandbox, program: &Path, arguments: &[&str]) -> (Vec<String>, Output) {
    let log = sandbox.folder().join("calls");
    let mut line = vec!["-f", "-qq", "-e", "trace=socket,connect", "-o", log.to_str().unwrap()];
    line.push(program.to_str().unwrap());
    line.extend(arguments);
    let output = sandbox.run(&tools::program("strace"), &line, b"");
    let calls = fs::read_to_string(&log).unwrap();
    (calls.lines().filter(|call| call.contains("AF_INET")).map(str::to_owned).collect(), output)
}

#[test]
fn no_command_opens_a_connection() {
    let mut sandbox = Sandbox::with_key();
    sandbox.set_env("SOPS_AGE_RECIPIENTS", ALICE.recipient).set_env("EDITOR", "sed -i s/1/2/");
    // sops would look for updates.
    sandbox.set_env("SOPS_DISABLE_VERSION_CHECK", "");
    let ours = Path::new(env!("CARGO_BIN_EXE_leaflock"));
    let as_sops = sandbox.folder().join("sops");
    std::os::unix::fs::symlink(ours, &as_sops).unwrap();
    sandbox.write("a.yaml", "a: 1\n");
    sandbox.write("a.env", "A=1\n");
    for arguments in [
        &["--version"][..],
        &["--version", "--check-for-updates"],
        &["help"],
        &["encrypt", "-i", "a.yaml", "a.env"],
        &["decrypt", "a.yaml"],
        &["edit", "a.yaml"],
        &["set", "a.yaml", "[\"a\"]", "3"],
        &["filestatus", "a.yaml"],
        &["exec-env", "a.yaml", "true"],
        &["exec-file", "a.yaml", "cat {}"],
        &["run", "a.env", "--", "true"],
        &["run", "--file", "K=A", "a.env", "--", "true"],
        &["config", "explain", "a.yaml"],
    ] {
        let (calls, output) = watched(&sandbox, ours, arguments);
        assert!(calls.is_empty(), "{arguments:?}: {calls:?}");
        // No config file explains anything here; all else succeeds.
        assert!(output.code == Some(0) || arguments[0] == "config", "{}", output.describe());
    }
    for arguments in [&["--version"][..], &["-v"], &["-d", "a.yaml"]] {
        let (calls, output) = watched(&sandbox, &as_sops, arguments);
        assert!(calls.is_empty(), "{arguments:?}: {calls:?}");
        assert_eq!(output.stderr, "");
        output.ok();
    }
}

/// The control: the same look sees a connection where there is one.
#[test]
fn the_look_is_not_blind() {
    let sandbox = Sandbox::new();
    let script = "import socket; socket.socket(socket.AF_INET)";
    let (calls, _) = watched(&sandbox, &tools::python(), &["-c", script]);
    assert_eq!(calls.len(), 1, "{calls:?}");
}
