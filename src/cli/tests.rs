//! Whole calls, in both manners, up to where a use case would begin.

use std::cell::RefCell;
use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::rc::Rc;

use super::env::Environment;
use super::output::Output;
use super::{Cli, Found, Mode, Verb, call, find, tree};

/// A stream that keeps what is written to it.
#[derive(Clone, Default)]
struct Kept(Rc<RefCell<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Exit code, stdout and stderr of a call.
fn run(mode: Mode, line: &[&str], environment: &[(&str, &str)]) -> (u8, String, String) {
    let (stdout, stderr) = (Kept::default(), Kept::default());
    let output = Output::new(Box::new(stdout.clone()), Box::new(stderr.clone()));
    let mut cli = Cli { mode, env: Environment::of_pairs(environment), output };
    let words: Vec<OsString> = line.iter().map(OsString::from).collect();
    let code = call(&words, &mut cli);
    let text = |kept: Kept| String::from_utf8(kept.0.borrow().clone()).unwrap();
    (code, text(stdout), text(stderr))
}

const NO_SUCH: &str = "/nonexistent/leaflock/x.yaml";

#[test]
fn the_program_s_name_picks_its_manners() {
    assert_eq!(Mode::of_program(Path::new("/usr/bin/sops")), Mode::Sops);
    assert_eq!(Mode::of_program(Path::new("sops.exe")), Mode::Sops);
    assert_eq!(Mode::of_program(Path::new("leaflock")), Mode::Leaflock);
    assert_eq!(Mode::of_program(Path::new("sops-3")), Mode::Leaflock);
}

#[test]
fn scripts_can_read_the_version_of_sops() {
    let (code, stdout, _) = run(Mode::Sops, &["--version", "--disable-version-check"], &[]);
    assert_eq!((code, stdout.lines().next()), (0, Some("sops 3.13.2")));
    let (code, stdout, _) = run(Mode::Leaflock, &["-v"], &[]);
    assert_eq!(code, 0);
    assert!(stdout.starts_with("leaflock "));
}

#[test]
fn sops_warns_where_leaflock_refuses() {
    let cases: &[(&[&str], &str, &str)] = &[
        (&["decrypt", "--output-type", "toml", NO_SUCH], "unknown format", "warning: --output-type toml"),
        (&["decrypt", NO_SUCH, "b.yaml"], "several files need", "warning: More than one positional"),
        (&["edit", NO_SUCH, "b"], "`edit` takes one word", "warning: More than one positional"),
        (
            &["decrypt", NO_SUCH, "--zzz"],
            "flag provided but not defined: -zzz",
            "warning: More than one positional",
        ),
        (&["-d", "-e", NO_SUCH], "More than one command", "warning: More than one command"),
        (
            &["--age", "x", "filestatus", NO_SUCH],
            "--age is no flag of `filestatus`",
            "warning: --age before the command",
        ),
    ];
    for (line, refusal, warning) in cases {
        let (code, stdout, stderr) = run(Mode::Leaflock, line, &[]);
        assert!(code != 0 && stdout.is_empty() && stderr.starts_with(refusal), "{line:?}: {stderr}");
        let (_, _, stderr) = run(Mode::Sops, line, &[]);
        assert!(stderr.starts_with(warning), "{line:?}: {stderr}");
    }
}

#[test]
fn late_flags_of_the_old_form_are_ignored_by_sops_with_two_warnings() {
    let (_, _, stderr) = run(Mode::Sops, &["-d", NO_SUCH, "--zzz"], &[]);
    assert_eq!(stderr.matches("warning: ").count(), 2, "{stderr}");
    assert!(stderr.contains("one of the ignored positional argument is \"--zzz\""));
    let (_, _, stderr) = run(Mode::Leaflock, &["-d", NO_SUCH, "--zzz"], &[]);
    assert!(stderr.starts_with("flag provided but not defined: -zzz"), "{stderr}");
}

#[test]
fn variables_count_like_flags_and_empty_ones_do_not() {
    let with = |name, value| run(Mode::Leaflock, &["decrypt", NO_SUCH], &[(name, value)]);
    assert_eq!(with("SOPS_DECRYPTION_ORDER", "age,age").0, 112);
    assert_ne!(with("SOPS_DECRYPTION_ORDER", "").0, 112);
    assert!(with("SOPS_KEYSERVICE", "tcp://x:1").2.contains("remote key services"));
    assert!(!with("SOPS_KEYSERVICE", "").2.contains("remote key services"));
    assert!(with("SOPS_ENABLE_LOCAL_KEYSERVICE", "false").2.contains("no key service is left"));
    assert!(with("SOPS_ENABLE_LOCAL_KEYSERVICE", "maybe").2.contains("invalid boolean value"));
}

#[test]
fn words_that_sops_does_not_know_are_files_under_its_name() {
    let find = |word: &str, mode| find(&[word.into()], mode);
    for word in ["init", "config", "man", "run"] {
        assert!(find(word, Mode::Leaflock).is_some());
        assert!(find(word, Mode::Sops).is_none());
    }
    assert!(matches!(find("h", Mode::Sops), Some(Found::Verb(verb, 1)) if verb.words() == "help"));
}

#[test]
fn the_completion_scripts_of_sops_still_get_answers() {
    let (code, stdout, _) = run(Mode::Sops, &["--generate-bash-completion"], &[]);
    assert_eq!(code, 0);
    assert!(stdout.contains("decrypt\n") && !stdout.contains("init\n"));
    let (_, stdout, _) = run(Mode::Sops, &["decrypt", "--", "--generate-bash-completion"], &[]);
    assert!(stdout.contains("--extract\n"));
    let (_, stdout, _) = run(Mode::Leaflock, &["run", NO_SUCH, "--", "x", "--generate-bash-completion"], &[]);
    assert_eq!(stdout, "");
}

/// A call of `word` on a command.
fn with(word: &'static str, verb: &'static Verb) -> Vec<&'static str> {
    std::iter::once(word).chain(verb.words().split(' ')).collect()
}

#[test]
fn families_have_help_and_say_what_is_missing() {
    let (code, stdout, _) = run(Mode::Leaflock, &["groups", "--help"], &[]);
    assert!(code == 0 && stdout.contains("groups add") && stdout.contains("groups delete"), "{stdout}");
    assert_eq!(run(Mode::Leaflock, &["help", "groups"], &[]).1, stdout);
    let (code, _, stderr) = run(Mode::Leaflock, &["git"], &[]);
    assert!(code == 1 && stderr.contains("leaflock git setup|clean|smudge"), "{stderr}");
    assert_eq!(run(Mode::Leaflock, &["groups", "x"], &[]).0, 3);
}

#[test]
fn every_command_is_well_formed_and_has_help_with_examples() {
    tree(Mode::Leaflock).debug_assert();
    for verb in Verb::all() {
        let command = verb.command();
        assert!(command.get_about().is_some(), "{verb:?}");
        assert!(verb.words() == "help" || command.get_after_help().is_some(), "{verb:?}");
        let (code, stdout, stderr) = run(Mode::Leaflock, &with("help", verb), &[]);
        assert_eq!((code, stderr.as_str()), (0, ""));
        assert!(stdout.lines().all(|line| line.chars().count() <= 120), "{verb:?}");
    }
}

#[test]
fn completions_and_manual_pages_are_made_for_every_command() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let (code, stdout, _) = run(Mode::Leaflock, &["completion", shell], &[]);
        assert!(code == 0 && stdout.contains("filestatus") && stdout.contains("explain"), "{shell}");
    }
    assert!(run(Mode::Leaflock, &["man"], &[]).1.contains(".TH leaflock 1"));
    for verb in Verb::all() {
        let (code, page, _) = run(Mode::Leaflock, &with("man", verb), &[]);
        assert!(code == 0 && page.starts_with(".ie"), "{verb:?}");
    }
}

#[test]
fn no_message_shows_the_value_of_set() {
    for line in [
        &["set", "x.yaml", "[\"a\"]", "\"canary\"", "extra"][..],
        &["set", "--value-stdin", "x.yaml", "[\"a\"]", "\"canary\""],
        &["--set", "\"canary\"", "x.yaml"],
    ] {
        let (code, stdout, stderr) = run(Mode::Leaflock, line, &[]);
        assert_ne!(code, 0);
        assert!(!stdout.contains("canary") && !stderr.contains("canary"), "{stderr}");
    }
}
