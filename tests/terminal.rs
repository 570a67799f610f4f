//! Questions on a terminal: a pseudo-terminal plays the person. The victim is
//! this test binary, started again, as in `crash.rs`.
#![cfg(unix)]

use std::io::{ErrorKind, Read};
use std::process::{Command, Stdio};

use expectrl::process::unix::WaitStatus;
use expectrl::session::OsSession;
use expectrl::{Eof, Expect, Session};
use leaflock::adapters::prompt::TerminalPrompt;
use leaflock::app::ports::Prompt;
use sha2::{Digest, Sha256};

const QUESTION: &str = "LEAFLOCK_QUESTION";

/// Asks, and prints a digest of the answer.
#[test]
fn victim_that_asks() {
    let Ok(question) = std::env::var(QUESTION) else { return };
    let answer = match question.as_str() {
        "secret" | "long" => TerminalPrompt::default()
            .secret(&format!("passphrase for /k{}", "/k".repeat(if question == "long" { 50_000 } else { 0 })))
            .map(|it| format!("{:x}", Sha256::digest(&*it))),
        "choose" => TerminalPrompt::default().choose("really?", "do", Some("no")).map(|it| it.to_string()),
        "confirm" => TerminalPrompt::default().confirm("really?").map(|yes| yes.to_string()),
        _ => TerminalPrompt::default().pause("press enter").map(|()| "went on".to_owned()),
    };
    match answer {
        Ok(answer) => println!("answer: {answer};"),
        Err(error) => println!("error: {error};"),
    }
}

fn victim(question: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["terminal::victim_that_asks", "--exact", "--nocapture", "--quiet"]);
    command.env(QUESTION, question);
    command
}

/// A terminal that echoes, as a person's does, with the victim on it.
fn terminal(question: &str) -> OsSession {
    let asking = victim(question);
    let mut command = Command::new("sh");
    command.args(["-c", "stty echo; exec \"$@\"", "sh"]).arg(asking.get_program()).args(asking.get_args());
    command.env(QUESTION, question);
    Session::spawn(command).unwrap()
}

#[test]
fn secrets_are_asked_without_echo() {
    let mut session = terminal("secret");
    session.expect("passphrase for /k: ").unwrap();
    session.send_line("correct horse").unwrap();
    let found = session.expect(";").unwrap();
    let shown = String::from_utf8_lossy(found.before()).into_owned();
    assert!(shown.contains(&format!("{:x}", Sha256::digest(b"correct horse"))), "{shown}");
    assert!(!shown.contains("horse"), "{shown}");
}

/// A question that the terminal can't take at once is seen before it is written.
#[test]
fn echo_is_off_before_the_question_is_seen() {
    let mut session = terminal("long");
    let mut seen = Vec::new();
    while !seen.ends_with(b"passphrase") {
        let mut byte = [0];
        match session.get_stream_mut().read(&mut byte) {
            Ok(count) => seen.extend_from_slice(&byte[..count]),
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    }
    assert!(!session.get_process().get_echo().unwrap());
}

#[test]
fn an_interrupted_question_gives_the_terminal_back() {
    let mut session = terminal("secret");
    session.expect("passphrase for /k: ").unwrap();
    session.get_process_mut().signal(expectrl::process::unix::Signal::SIGTERM).unwrap();
    let status = session.get_process().wait().unwrap();
    assert!(matches!(status, WaitStatus::Signaled(_, _, _)), "{status:?}");
    assert!(session.get_process().get_echo().unwrap());
}

#[test]
fn questions_wait_for_a_clear_answer() {
    let mut session = terminal("confirm");
    for answer in ["", "maybe", "y"] {
        session.expect("really? (y/n): ").unwrap();
        session.send_line(answer).unwrap();
    }
    session.expect("answer: true;").unwrap();
    let mut session = terminal("pause");
    session.expect("press enter").unwrap();
    session.send_line("").unwrap();
    session.expect("went on;").unwrap();
    session.expect(Eof).unwrap();
}

#[test]
fn a_choice_is_made_on_the_terminal_alone() {
    let asking = victim("choose");
    let mut command = Command::new("sh");
    command.args(["-c", "stty -echo; printf 'n\\nn\\n' | \"$@\"", "sh"]);
    command.arg(asking.get_program()).args(asking.get_args()).env(QUESTION, "choose");
    let mut session = Session::spawn(command).unwrap();
    session.expect("really? (y: do, n: no): ").unwrap();
    session.send_line("y").unwrap();
    session.expect("answer: true;").unwrap();
    // Nothing but standard input: nobody is there.
    let mut command = Command::new("setsid");
    command.args(["-w", "sh", "-c", "printf 'y\\ny\\n' | \"$@\"", "sh"]);
    command.arg(asking.get_program()).args(asking.get_args()).env(QUESTION, "choose");
    let shown = command.output().unwrap().stdout;
    assert!(String::from_utf8_lossy(&shown).contains("error: "), "{}", String::from_utf8_lossy(&shown));
}

#[test]
fn answers_may_come_from_standard_input() {
    for (input, expected) in [("y\n", "answer: true;"), ("x\nn\n", "answer: false;")] {
        let line = format!("printf '{}' | \"$@\"", input.replace('\n', "\\n"));
        let asking = victim("confirm");
        let mut command = Command::new("sh");
        command.args(["-c", &line, "sh"]).arg(asking.get_program()).args(asking.get_args());
        let output = command.env(QUESTION, "confirm").output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn without_a_terminal_the_error_says_what_was_wanted() {
    for (question, wanted) in
        [("secret", "passphrase for /k"), ("confirm", "really?"), ("pause", "press enter")]
    {
        let asking = victim(question);
        let mut command = Command::new("setsid");
        command.arg("--wait").arg(asking.get_program()).args(asking.get_args()).env(QUESTION, question);
        let output = command.stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains(&format!("error: {wanted}: there is no terminal to ask on;")), "{said}");
    }
}
