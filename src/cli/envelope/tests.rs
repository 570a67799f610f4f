//! Answers and failures in both forms.

use std::cell::RefCell;
use std::ffi::OsString;
use std::io::Write;
use std::rc::Rc;

use serde_json::{Value, json};

use super::code::{Class, Code};
use super::{Action, Answer, call, is_wanted, print};
use crate::app::error::Error;
use crate::app::request::Notice;
use crate::cli::env::Environment;
use crate::cli::output::Output;
use crate::cli::report::{Failure, Usage};
use crate::cli::{Cli, Found, Mode, Verb, find};
use crate::domain::agent::denial::DenyCode;
use crate::domain::secret::SecretBytes;

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

/// Exit code, stdout and stderr of a call of `who` that ends as `work` does.
fn run(
    flags: &[&str],
    env: &[(&str, &str)],
    work: impl FnOnce(&mut Cli) -> Result<Answer, Failure>,
) -> (u8, String, String) {
    let (stdout, stderr) = (Kept::default(), Kept::default());
    let output = Output::new(Box::new(stdout.clone()), Box::new(stderr.clone()));
    let mut cli = Cli { mode: Mode::Leaflock, env: Environment::of_pairs(env), output };
    let rest: Vec<OsString> = flags.iter().map(OsString::from).collect();
    let verb = Verb::of_words("who", Mode::Leaflock).unwrap();
    let done = call("who", &rest, &mut cli, |cli| {
        let answer = work(cli)?;
        print(verb, answer, cli)
    });
    let text = |kept: Kept| String::from_utf8(kept.0.borrow().clone()).unwrap();
    (done.err().map_or(0, |failure| failure.code()), text(stdout), text(stderr))
}

fn object(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn denied() -> Failure {
    Failure::App(Error::Denied {
        code: DenyCode::NotAllowed,
        message: "no rule lets dev/x read a.b".to_owned(),
        hints: vec!["ask an administrator".to_owned(), "or use it by `run`".to_owned()],
    })
}

#[test]
fn the_object_is_asked_for_by_flag_or_environment() {
    let json = Environment::of_pairs(&[("LEAFLOCK_OUTPUT", "json")]);
    let none = Environment::of_pairs(&[("LEAFLOCK_OUTPUT", "text")]);
    let cases: [(&[&str], bool, bool); 7] = [
        (&[], false, true),
        (&["--json"], true, true),
        (&["-json", "x"], true, true),
        (&["--json=false"], false, false),
        (&["--json=false", "--json"], true, true),
        (&["--", "--json"], false, true),
        (&["--jsonx", "json"], false, true),
    ];
    for (words, without, with) in cases {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        assert_eq!((is_wanted(&words, &none), is_wanted(&words, &json)), (without, with), "{words:?}");
    }
}

#[test]
fn an_answer_is_text_or_one_object() {
    let answer = |cli: &mut Cli| {
        cli.output.notice(&Notice::note("first"));
        let action = Action::leaflock(["revoke", "x"], "takes it away").dangerous();
        Ok(Answer::new("two files\u{1b}[2J\n", json!({ "files": 2 }))
            .with_warnings([Notice::warning("second").with_hint("look")])
            .then(action))
    };
    let (code, stdout, stderr) = run(&[], &[], answer);
    assert_eq!(
        (code, stdout.as_str(), stderr.as_str()),
        (0, "two files\\u{1b}[2J\n", "note: first\nwarning: second\nhint: look\n")
    );
    let (code, stdout, stderr) = run(&["--json"], &[("LEAFLOCK_ISOLATION", "1")], answer);
    assert_eq!((code, stderr.as_str()), (0, ""));
    let expected = json!({
        "ok": true, "command": "leaflock who", "result": { "files": 2 }, "error": null, "fix": null,
        "next_actions": [
            { "argv": ["leaflock", "revoke", "x"], "description": "takes it away", "dangerous": true }
        ],
        "warnings": [
            { "level": "note", "message": "first", "fix": null },
            { "level": "warning", "message": "second", "fix": "look" },
        ],
        "isolation": 1, "schema": "leaflock/v1",
    });
    assert_eq!(object(&stdout), expected);
}

#[test]
fn a_failure_keeps_its_code_in_both_forms() {
    let (code, stdout, stderr) = run(&[], &[], |_| Err(denied()));
    assert_eq!((code, stdout.as_str()), (3, ""));
    assert!(stderr.starts_with("no rule lets dev/x read a.b\nhint: ask"), "{stderr}");
    let (code, stdout, stderr) = run(&[], &[("LEAFLOCK_OUTPUT", "json")], |_| Err(denied()));
    let told = object(&stdout);
    assert_eq!((code, stderr.as_str()), (3, ""));
    assert_eq!(
        told["error"],
        json!({ "code": "not_allowed", "message": "no rule lets dev/x read a.b", "retryable": false })
    );
    assert_eq!(told["fix"], "ask an administrator\nor use it by `run`");
    assert_eq!((&told["ok"], &told["result"]), (&Value::Bool(false), &Value::Null));

    let usage = || Failure::Usage(Usage::with_code(100, "no file").hint("name one"));
    let (code, stdout, _) = run(&["--json"], &[], |_| Err(usage()));
    assert_eq!((code, object(&stdout)["error"]["code"].as_str()), (2, Some("usage")));
    assert_eq!(object(&stdout)["next_actions"][0]["argv"], json!(["leaflock", "who", "--help"]));
    assert_eq!(run(&[], &[], |_| Err(usage())).0, 2);
}

#[test]
fn an_answer_that_is_no_keeps_its_result() {
    let answer = |_: &mut Cli| Ok(Answer::new("no\n", json!({ "same": false })).but(Code::No, "they differ"));
    assert_eq!(run(&[], &[], answer), (1, "no\n".to_owned(), String::new()));
    let (code, stdout, _) = run(&["--json"], &[], answer);
    let told = object(&stdout);
    assert_eq!((code, &told["ok"], &told["result"]["same"]), (1, &Value::Bool(false), &Value::Bool(false)));
    assert_eq!(told["error"]["code"], "no");
}

#[test]
fn a_value_gets_to_its_place_and_no_other() {
    for value in ["value", "\"value\": \"value\"", "a\"b\\c\n\u{202e}", ""] {
        let answer = |_: &mut Cli| {
            let mut answer =
                Answer::new("\n", json!({ "path": "\"value\": \"value\"", "value": null, "z": "value" }));
            answer.value = Some(SecretBytes::new(value.as_bytes().to_vec()));
            Ok(answer)
        };
        assert_eq!(run(&[], &[], answer).1, format!("{value}\n"));
        let told = object(&run(&["--json"], &[], answer).1);
        assert_eq!(told["result"]["value"], value);
        assert_eq!(told["result"]["path"], "\"value\": \"value\"");
        assert_eq!(told["result"]["z"], "value");
    }
}

#[test]
fn the_object_cannot_command_a_terminal() {
    let name = "a\u{202e}b\u{7f}c\u{1b}d";
    let (_, stdout, _) = run(&["--json"], &[], |_| Ok(Answer::new("", json!({ name: name }))));
    assert!(!stdout.contains(['\u{202e}', '\u{7f}', '\u{1b}']), "{stdout:?}");
    assert_eq!(object(&stdout)["result"][name], name);
}

#[test]
fn every_code_has_its_own_word_and_a_command_that_can_be_run() {
    let codes = Code::OWN.into_iter().chain(DenyCode::ALL.map(Code::Refused));
    let mut words: Vec<&str> = codes.clone().map(Code::as_str).collect();
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), Code::OWN.len() + DenyCode::ALL.len());
    for code in codes {
        assert_ne!(Class::of_code(code).exit, 0, "{code:?}");
        let action = code.next_action("who").unwrap();
        assert_eq!(action.argv[0], "leaflock");
        let line: Vec<OsString> = action.argv[1..].iter().map(OsString::from).collect();
        assert!(matches!(find(&line, Mode::Leaflock), Some(Found::Verb(..))), "{:?}", action.argv);
    }
}
