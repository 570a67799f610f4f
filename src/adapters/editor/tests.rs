//! Which editor runs, with which words, and what SOPS says when it does not.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;

/// Texts recorded from SOPS 3.11.0.
#[test]
fn errors_are_those_of_sops() {
    let file = tempfile::NamedTempFile::new().unwrap();
    for (words, text) in [
        ("nope-no-such-editor", "exec: \"nope-no-such-editor\": executable file not found in $PATH"),
        ("false", "exit status 1"),
        ("sh -c 'exit 7'", "exit status 7"),
        ("sh -c 'kill -9 $$'", "signal: killed"),
        ("a \"b", "invalid $SOPS_EDITOR: a \"b"),
        ("/tmp", "fork/exec /tmp: permission denied"),
    ] {
        let editor = SystemEditor::new(Some(words.into()), Some("true".into()), None);
        let error = editor.edit(file.path()).unwrap_err();
        assert_eq!(error.to_string(), format!("Could not run editor: {text}"));
    }
    let error = SystemEditor::new(None, Some("a 'b".into()), None).edit(file.path()).unwrap_err();
    assert_eq!(error.to_string(), "Could not run editor: invalid $EDITOR: a 'b");
}

#[test]
fn the_path_is_the_last_word() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("with space;$(x)");
    fs::write(&file, "old").unwrap();
    let words = "sh -c 'printf %s \"$1\" > \"$2\"' 'name' \"two words\"";
    SystemEditor::new(Some("".into()), Some(words.into()), None).edit(&file).unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), "two words");
}

#[test]
fn fallbacks_are_looked_up_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    let search = Some(folder.path().as_os_str().to_owned());
    let editor = SystemEditor::new(None, None, search);
    assert!(editor.edit(&file).unwrap_err().0.starts_with("no editor available: "));
    for name in ["vi", "nano", "vim"] {
        let program = folder.path().join(name);
        fs::write(&program, format!("#!/bin/sh\nprintf {name} > \"$1\"\n")).unwrap();
        assert_ne!(fs::read_to_string(&file).unwrap_or_default(), name);
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        editor.edit(&file).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), name);
    }
}
