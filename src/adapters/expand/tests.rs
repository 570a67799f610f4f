//! What arguments stand for, on a small tree with traps.
#![cfg(unix)]

use std::os::unix::fs::symlink;

use super::*;

fn tree() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    for sub in ["b/deep/er", ".git/x", ".hidden", "odd[1]"] {
        fs::create_dir_all(root.join(sub)).unwrap();
    }
    for file in [
        "a.yaml",
        "z.yaml",
        ".env",
        ".sops.yaml",
        ".leaflock-x1",
        "b/c.yaml",
        "b/c.json",
        "b/deep/er/d.yaml",
        ".git/x/config.yaml",
        ".hidden/h.yaml",
        "odd[1]/o.yaml",
        "l*.yaml",
    ] {
        fs::write(root.join(file), "").unwrap();
    }
    symlink("b", root.join("linked")).unwrap();
    symlink("a.yaml", root.join("link.yaml")).unwrap();
    symlink("nowhere", root.join("dangling.yaml")).unwrap();
    folder
}

fn expanded(root: &Path, arguments: &[&str]) -> Result<Vec<String>, FileError> {
    let arguments: Vec<_> = arguments.iter().map(|argument| root.join(argument)).collect();
    let found = expand(&arguments)?;
    Ok(found.iter().map(|path| path.strip_prefix(root).unwrap().to_str().unwrap().to_owned()).collect())
}

#[test]
fn arguments_become_files() {
    let folder = tree();
    for (arguments, expected) in [
        (&["a.yaml"][..], &["a.yaml"][..]),
        (&["not-there.yaml"], &["not-there.yaml"]),
        (&["z.yaml", "a.yaml", "./a.yaml"], &["a.yaml", "z.yaml"]),
        (&["b"], &["b/c.json", "b/c.yaml", "b/deep/er/d.yaml"]),
        (&["b", "b/c.json"], &["b/c.json", "b/c.yaml", "b/deep/er/d.yaml"]),
        (&["linked"], &["linked/c.json", "linked/c.yaml", "linked/deep/er/d.yaml"]),
        (&["odd[1]"], &["odd[1]/o.yaml"]),
        (&["l*.yaml"], &["l*.yaml"]),
        (&["?.yaml"], &["a.yaml", "z.yaml"]),
        (&["b/*"], &["b/c.json", "b/c.yaml"]),
        (&["b/**/*.yaml"], &["b/c.yaml", "b/deep/er/d.yaml"]),
        (&["*/c.{yaml,json}"], &["b/c.json", "b/c.yaml"]),
        (&["*.env"], &[".env"]),
        (&[".hidden/*"], &[".hidden/h.yaml"]),
        (&[".h*/*"], &[".hidden/h.yaml"]),
        (
            &["."],
            &[
                ".env",
                "a.yaml",
                "b/c.json",
                "b/c.yaml",
                "b/deep/er/d.yaml",
                "l*.yaml",
                "link.yaml",
                "odd[1]/o.yaml",
                "z.yaml",
            ],
        ),
    ] {
        let found = expanded(folder.path(), arguments).unwrap();
        let found: Vec<_> = found.iter().map(|path| path.trim_start_matches("./")).collect();
        assert_eq!(found, expected, "{arguments:?}");
    }
}

#[test]
fn patterns_that_match_nothing_are_errors() {
    let folder = tree();
    for (pattern, text) in [("*.ini", "no file matches"), ("none/*.yaml", "no file matches")] {
        let error = expanded(folder.path(), &[pattern]).unwrap_err();
        assert_eq!(error.kind, FileErrorKind::NotFound);
        assert!(error.to_string().ends_with(text), "{error}");
    }
    let error = expanded(folder.path(), &["[z"]).unwrap_err();
    assert_eq!(error.kind, FileErrorKind::Other);
}
