//! An askpass program that answers always the same, and writes down what it was
//! asked.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::sandbox::Sandbox;

/// The program; `answer` is what it does as a line of shell.
pub(crate) fn program(sandbox: &Sandbox, answer: &str) -> String {
    let log = sandbox.path("asked.log");
    let note = format!("printf '%s|%s\\n' \"$1\" \"${{SSH_ASKPASS_PROMPT-}}\" >>{}", log.display());
    let program = sandbox.write("askpass", format!("#!/bin/sh\n{note}\n{answer}\n"));
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    program.to_str().unwrap().to_owned()
}

/// What it was asked since this was asked last: question and manner.
pub(crate) fn asked(sandbox: &Sandbox) -> Vec<String> {
    let log = sandbox.path("asked.log");
    let text = fs::read_to_string(&log).unwrap_or_default();
    let _ = fs::remove_file(log);
    text.lines().map(str::to_owned).collect()
}
