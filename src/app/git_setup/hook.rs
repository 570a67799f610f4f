//! The hook that checks what is about to be committed: where it belongs, beside
//! what is there already and beside the tools that manage hooks.

use std::path::{Path, PathBuf};

use crate::app::Deps;
use crate::app::error::Error;
use crate::app::ports::{Contents, FileKind};
use crate::app::quote;
use crate::app::repository::Place;
use crate::domain::managed_block::GIT_SETUP;

/// What the hook runs.
pub const CHECK: &str = "check --staged";

/// A new script begins like this.
pub const SHEBANG: &str = "#!/bin/sh\n";

/// Where the hook is to be.
#[derive(Debug)]
pub enum Home {
    /// A shell script of the repository.
    Script(Script),
    /// A file that is not ours and calls the check already; perhaps the command
    /// that lets git come to it.
    Called(PathBuf, Option<String>),
    /// Somewhere that is not ours to write.
    Elsewhere(Advice),
    /// Nothing is committed in a bare repository.
    Nowhere,
}

/// A script that gets a block.
#[derive(Debug)]
pub struct Script {
    /// Its path.
    pub path: PathBuf,
    /// What is there.
    pub now: Option<Contents>,
    /// It lies in the work tree, for everybody who clones.
    pub shared: bool,
    /// The command that lets git run it, where it does not do so yet.
    pub missing: Option<String>,
}

/// Something for the user to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// Why, and where.
    pub text: String,
    /// The lines.
    pub lines: Vec<String>,
}

/// What is written into the config of pre-commit.
const FRAMEWORK: [&str; 7] = [
    "- repo: local",
    "  hooks:",
    "    - id: leaflock-check",
    "      name: no secrets in plain text",
    "      entry: leaflock check --staged",
    "      language: system",
    "      pass_filenames: false",
];

/// What is written into the config of lefthook.
const LEFTHOOK: [&str; 3] = ["pre-commit:", "  jobs:", "    - run: leaflock check --staged"];

/// The configs of tools that write `pre-commit` themselves.
const MANAGED: [(&str, &str, &[&str]); 5] = [
    (".pre-commit-config.yaml", "pre-commit", &FRAMEWORK),
    ("lefthook.yml", "lefthook", &LEFTHOOK),
    (".lefthook.yml", "lefthook", &LEFTHOOK),
    ("lefthook.yaml", "lefthook", &LEFTHOOK),
    (".lefthook.yaml", "lefthook", &LEFTHOOK),
];

/// The name of the hook.
const HOOK: &str = "pre-commit";

/// The folder of husky.
const HUSKY: &str = ".husky";

/// Finds the hook's home.
pub fn home(deps: &Deps<'_>, place: &Place) -> Result<Home, Error> {
    let Some(top) = &place.top else { return Ok(Home::Nowhere) };
    for (name, tool, lines) in MANAGED {
        let path = top.join(name);
        if let Some(contents) = deps.files.read_if_there(&path).map_err(Error::Read)? {
            if memchr::memmem::find(&contents.bytes, b"leaflock").is_some() {
                let hook = place.hooks.join(HOOK);
                let runs = deps.files.kind(&hook).map_err(Error::Read)?.is_some();
                return Ok(Home::Called(path, (!runs).then(|| format!("{tool} install"))));
            }
            let text = format!("{tool} writes the hook: add the check to {name}");
            return Ok(Home::Elsewhere(Advice { text, lines: owned(lines) }));
        }
    }
    let husky = top.join(HUSKY);
    let is_husky = place.hooks.starts_with(&husky);
    if is_husky || deps.files.kind(&husky).map_err(Error::Read)? == Some(FileKind::Directory) {
        let path = husky.join(HOOK);
        let now = deps.files.read_if_there(&path).map_err(Error::Read)?;
        let missing = (!is_husky).then(|| "npx husky".to_owned());
        if calls_check(now.as_ref()) {
            return Ok(Home::Called(path, missing));
        }
        return Ok(Home::Script(Script { path, now, shared: true, missing }));
    }
    script(deps, place, top)
}

/// The hook in the folder where git looks for it.
fn script(deps: &Deps<'_>, place: &Place, top: &Path) -> Result<Home, Error> {
    let path = place.hooks.join(HOOK);
    let real = |path: &Path| deps.files.real(path).map_err(Error::Read);
    let itself = real(&path)?;
    let own = itself.starts_with(real(&place.common_dir)?) || itself.starts_with(real(&place.git_dir)?);
    let shared = !own && itself.starts_with(real(top)?);
    let elsewhere = |why: String| {
        let lines = vec![format!("leaflock {CHECK} || exit 1")];
        Ok(Home::Elsewhere(Advice { text: format!("{why}: call the check there yourself"), lines }))
    };
    let now = deps.files.read_if_there(&path).map_err(Error::Read)?;
    if calls_check(now.as_ref()) {
        return Ok(Home::Called(path, None));
    }
    if !own && !shared {
        return elsewhere(format!("{} is outside of this repository", path.display()));
    }
    if let Some(contents) = &now {
        if !is_shell(&contents.bytes) {
            return elsewhere(format!("{} is no shell script", path.display()));
        }
        if deps.files.mode(&path).is_some_and(|mode| mode & 0o111 == 0) {
            return elsewhere(format!("{} may not be run, so that git passes over it", path.display()));
        }
    }
    Ok(Home::Script(Script { path, now, shared, missing: None }))
}

/// True for a script whose owner wrote the check into it.
fn calls_check(now: Option<&Contents>) -> bool {
    now.is_some_and(|now| {
        memchr::memmem::find(&now.bytes, b"leaflock check").is_some() && !GIT_SETUP.is_in(&now.bytes)
    })
}

/// Every place that a block of ours may be in.
pub fn candidates(place: &Place) -> Vec<PathBuf> {
    let mut paths = vec![place.hooks.join(HOOK), place.common_dir.join("hooks").join(HOOK)];
    paths.extend(place.top.as_ref().map(|top| top.join(HUSKY).join(HOOK)));
    paths.dedup();
    paths
}

/// The lines of the block. A script that is for everybody lets those commit who
/// have no leaflock; one's own does not.
pub fn body(program: &str, shared: bool) -> String {
    let program = quote::shell(if shared { "leaflock" } else { program });
    let missing = if shared {
        "  echo 'leaflock is not installed: nobody looks for secrets in plain text in this commit' >&2\n"
    } else {
        "  echo 'leaflock is not installed any more, so that nobody looks for secrets in plain text' >&2\n  \
           echo 'hint: install it, or commit with --no-verify' >&2\n  exit 1\n"
    };
    format!(
        "# No commit holds a secret in plain text. `leaflock git setup --remove` takes this out.\n\
         if command -v {program} >/dev/null; then\n  {program} {CHECK} || exit 1\nelse\n{missing}fi\n"
    )
}

/// True for a script that a shell of the Bourne family runs; without a first line
/// that says otherwise, git hands it to `sh`.
fn is_shell(script: &[u8]) -> bool {
    if script.contains(&0) {
        return false;
    }
    let Some(line) = script.strip_prefix(b"#!") else { return true };
    let line =
        String::from_utf8_lossy(line.split(|byte| *byte == b'\n').next().unwrap_or_default()).into_owned();
    let base = |word: &str| word.rsplit('/').next().unwrap_or_default().to_owned();
    let mut words = line.split_ascii_whitespace().map(base);
    let mut interpreter = words.next().unwrap_or_default();
    if interpreter == "env" {
        let is_program = |word: &String| !word.starts_with('-') && !word.contains('=');
        interpreter = words.find(is_program).unwrap_or_default();
    }
    ["sh", "bash", "dash", "ash", "zsh", "ksh", "mksh"].contains(&interpreter.trim_end_matches(".exe"))
}

fn owned(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::is_shell;

    #[test]
    fn shells_are_told_from_other_programs() {
        for script in [
            &b"#!/bin/sh\n"[..],
            b"#! /usr/bin/env bash\n",
            b"#!/usr/bin/env -S bash -e\n",
            b"#!/bin/sh -e",
            b"exit 0\n",
            b"",
            b"#!C:/Git/usr/bin/sh.exe\r\n",
        ] {
            assert!(is_shell(script), "{script:?}");
        }
        for program in [
            &b"#!/usr/bin/python3\n"[..],
            b"#!/usr/bin/env node\n",
            b"\x7fELF\0\0",
            b"#!\n",
            b"#!/usr/bin/env fish",
        ] {
            assert!(!is_shell(program), "{program:?}");
        }
    }
}
