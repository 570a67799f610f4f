//! age plugins: files go both ways between us, the real `sops` and the real
//! `age`; a plugin is asked once for all files of a call; what it asks reaches
//! the person, or fails at once where there is none.

use std::path::Path;
use std::process::Command;

use expectrl::{Eof, Expect, Session};

use super::keys::crosses_both_ways;
use super::testkit::askpass;
use super::testkit::plugin::{FOREIGN, IDENTITY, Plugin, RECIPIENT};
use super::testkit::sandbox::{ALICE, BOB, Sandbox};

fn with_plugin() -> (Sandbox, Plugin) {
    let mut sandbox = Sandbox::new();
    let plugin = Plugin::install(&mut sandbox);
    (sandbox, plugin)
}

/// Encrypts `count` files in folder `d` for `recipients`.
fn encrypted_files(sandbox: &Sandbox, count: usize, recipients: &str) {
    for number in 0..count {
        sandbox.write(&format!("d/{number}.yaml"), format!("number: {number}\n"));
    }
    sandbox.ours(&["encrypt", "-i", "--age", recipients, "d"]).ok();
}

#[test]
fn plugin_files_cross_both_ways() {
    let (sandbox, plugin) = with_plugin();
    crosses_both_ways(&sandbox, &["--age", RECIPIENT]);
    crosses_both_ways(&sandbox, &["--age", &format!("{},{FOREIGN},{RECIPIENT}", BOB.recipient)]);
    assert!(plugin.log().iter().any(|line| line == "unwrap"));
}

#[test]
fn the_real_age_reads_what_we_wrap_and_we_read_what_it_wraps() {
    let (sandbox, _plugin) = with_plugin();
    sandbox.write("a.yaml", "a: 1\n");
    let locked = sandbox.ours(&["encrypt", "--age", RECIPIENT, "a.yaml"]).text();
    let start = locked.find("-----BEGIN AGE").unwrap();
    let end = locked.find("-----END AGE ENCRYPTED FILE-----").unwrap() + 32;
    let blob: String = locked[start..end].lines().map(|line| format!("{}\n", line.trim())).collect();
    sandbox.write("blob", blob.as_bytes());
    sandbox.write("id", format!("{IDENTITY}\n"));
    let key = sandbox.run(Path::new("age"), &["-d", "-i", "id", "blob"], b"").ok();
    assert_eq!(key.len(), 32);
    let again = sandbox.run(Path::new("age"), &["-a", "-r", RECIPIENT], &key).text();
    let indent = " ".repeat(locked[..start].len() - locked[..start].rfind('\n').unwrap() - 1);
    let again = again.trim_end().replace('\n', &format!("\n{indent}"));
    sandbox.write("b.yaml", format!("{}{again}{}", &locked[..start], &locked[end..]));
    assert_eq!(sandbox.ours(&["decrypt", "b.yaml"]).ok(), b"a: 1\n");
}

#[test]
fn a_plugin_asks_once_for_a_hundred_files() {
    let (mut sandbox, plugin) = with_plugin();
    let both = format!("{},{RECIPIENT}", BOB.recipient);
    encrypted_files(&sandbox, 100, &both);
    plugin.log();
    sandbox.set_env("AGE_PLUGIN_TEST", "pin");
    let program = askpass::program(&sandbox, "echo 123456");
    sandbox.ours(&["decrypt", "-i", "--askpass", &program, "d"]).ok();
    assert_eq!(plugin.log(), ["unwrap", "files 100", "pin"]);
    assert_eq!(askpass::asked(&sandbox), ["age-plugin-test: Enter the PIN of key number 7: |"]);
    assert_eq!(sandbox.read("d/99.yaml"), b"number: 99\n");
}

#[test]
fn a_wrong_answer_is_not_asked_for_again() {
    let (mut sandbox, plugin) = with_plugin();
    encrypted_files(&sandbox, 10, RECIPIENT);
    plugin.log();
    sandbox.set_env("AGE_PLUGIN_TEST", "pin");
    let program = askpass::program(&sandbox, "echo 999999");
    let said = sandbox.ours(&["decrypt", "-i", "--askpass", &program, "d"]).fails(128);
    assert_eq!(plugin.log(), ["unwrap", "files 10", "pin"]);
    assert_eq!(said.matches("age-plugin-test: that PIN is wrong").count(), 10, "{said}");
    assert!(said.contains("10 failed") && !said.contains("999999"), "{said}");
}

#[test]
fn plugins_that_know_one_file_only_are_asked_file_by_file() {
    for manner in ["first", "strict"] {
        let (mut sandbox, plugin) = with_plugin();
        encrypted_files(&sandbox, 5, RECIPIENT);
        plugin.log();
        sandbox.set_env("AGE_PLUGIN_TEST", manner);
        sandbox.ours(&["decrypt", "-i", "d"]).ok();
        let sessions = plugin.log().iter().filter(|line| *line == "unwrap").count();
        assert!((5..=6).contains(&sessions), "{manner}: {sessions}");
        assert_eq!(sandbox.read("d/4.yaml"), b"number: 4\n");
    }
}

#[test]
fn plugins_are_left_alone_where_another_key_does_the_work() {
    let (mut sandbox, plugin) = with_plugin();
    encrypted_files(&sandbox, 3, &format!("{RECIPIENT},{}", ALICE.recipient));
    plugin.log();
    sandbox.set_env("SOPS_AGE_KEY", ALICE.identity.lines().last().unwrap());
    sandbox.ours(&["decrypt", "-i", "d"]).ok();
    assert_eq!(plugin.log(), Vec::<String>::new());
}

#[test]
fn files_that_another_key_opens_are_not_shown_to_a_plugin() {
    let (mut sandbox, plugin) = with_plugin();
    encrypted_files(&sandbox, 3, RECIPIENT);
    sandbox.write("d/x.yaml", "x: 1\n");
    sandbox.ours(&["encrypt", "-i", "--age", &format!("{RECIPIENT},{}", ALICE.recipient), "d/x.yaml"]).ok();
    plugin.log();
    sandbox.set_env("SOPS_AGE_KEY", ALICE.identity.lines().last().unwrap());
    sandbox.ours(&["decrypt", "-i", "d"]).ok();
    assert_eq!(plugin.log(), ["unwrap", "files 3"]);
}

#[test]
fn groups_are_opened_together() {
    let (mut sandbox, plugin) = with_plugin();
    sandbox.write(
        ".sops.yaml",
        format!(
            "creation_rules:\n  - shamir_threshold: 2\n    key_groups:\n      - age: [{RECIPIENT}]\n      - age: [{FOREIGN}]\n      - age: [{RECIPIENT}]\n"
        ),
    );
    sandbox.write("a.yaml", "a: 1\n");
    sandbox.ours(&["encrypt", "-i", "a.yaml"]).ok();
    plugin.log();
    sandbox.set_env("AGE_PLUGIN_TEST", "pin");
    let program = askpass::program(&sandbox, "echo 123456");
    assert_eq!(sandbox.ours(&["decrypt", "--askpass", &program, "a.yaml"]).ok(), b"a: 1\n");
    assert_eq!(plugin.log(), ["unwrap", "files 3", "pin"]);
    sandbox.set_env("AGE_PLUGIN_TEST", "");
    assert_eq!(sandbox.sops(&["decrypt", "a.yaml"]).ok(), b"a: 1\n");
}

#[test]
fn without_a_terminal_a_plugin_fails_at_once() {
    let (mut sandbox, plugin) = with_plugin();
    sandbox.write("a.yaml", "a: 1\n");
    sandbox.ours(&["encrypt", "-i", "--age", RECIPIENT, "a.yaml"]).ok();
    plugin.log();
    for (manner, question) in
        [("pin", "Enter the PIN of key number 7"), ("confirm", "Really?"), ("public", "Which slot?")]
    {
        sandbox.set_env("AGE_PLUGIN_TEST", manner);
        let leaflock = env!("CARGO_BIN_EXE_leaflock");
        let done = sandbox.run(Path::new("setsid"), &["--wait", leaflock, "decrypt", "a.yaml"], b"");
        if manner == "public" {
            done.ok();
            assert_eq!(plugin.log().last().unwrap(), "public -> fail ");
            continue;
        }
        let said = done.fails(128);
        let expected = format!("age-plugin-test: {question}: there is no terminal to ask on");
        assert!(said.replace("\n      | ", " ").contains(&expected), "{said}");
        assert!(said.contains("--askpass"), "{said}");
    }
}

#[test]
fn askpass_programs_are_asked_as_ssh_asks_them() {
    let (mut sandbox, _plugin) = with_plugin();
    sandbox.write("a.yaml", "a: 1\n");
    sandbox.ours(&["encrypt", "-i", "--age", RECIPIENT, "a.yaml"]).ok();
    let yes = askpass::program(&sandbox, "echo yes");
    let leaflock = env!("CARGO_BIN_EXE_leaflock");
    let mut run = |manner: &str, variables: &[(&str, &str)]| {
        sandbox.set_env("AGE_PLUGIN_TEST", manner);
        for name in ["DISPLAY", "SSH_ASKPASS", "SSH_ASKPASS_REQUIRE", "LEAFLOCK_ASKPASS"] {
            let value = variables.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| *value);
            sandbox.set_env(name, value);
        }
        let done = sandbox.run(Path::new("setsid"), &["--wait", leaflock, "decrypt", "a.yaml"], b"");
        (done.code, askpass::asked(&sandbox))
    };
    let consent = vec!["age-plugin-test: Really? (y: go on, n: stop): : |confirm".to_owned()];
    for (variables, heard) in [
        (&[("LEAFLOCK_ASKPASS", yes.as_str())][..], true),
        (&[("SSH_ASKPASS", yes.as_str()), ("DISPLAY", ":0")], true),
        (&[("SSH_ASKPASS", yes.as_str())], false),
        (&[("SSH_ASKPASS", yes.as_str()), ("SSH_ASKPASS_REQUIRE", "FORCE")], true),
        (&[("SSH_ASKPASS", yes.as_str()), ("SSH_ASKPASS_REQUIRE", "prefer")], false),
        (&[("SSH_ASKPASS", yes.as_str()), ("SSH_ASKPASS_REQUIRE", "prefer"), ("DISPLAY", ":0")], true),
        (&[("SSH_ASKPASS", yes.as_str()), ("SSH_ASKPASS_REQUIRE", "never"), ("DISPLAY", ":0")], false),
    ] {
        let (code, questions) = run("confirm", variables);
        assert_eq!(code, Some(if heard { 0 } else { 128 }), "{variables:?}");
        assert_eq!(questions, if heard { consent.clone() } else { Vec::new() }, "{variables:?}");
    }
    let (code, questions) = run("public", &[("LEAFLOCK_ASKPASS", yes.as_str())]);
    assert_eq!((code, questions), (Some(0), vec!["age-plugin-test: Which slot?: |".to_owned()]));
    let refuses = askpass::program(&sandbox, "exit 1");
    let (code, _) = {
        sandbox.set_env("AGE_PLUGIN_TEST", "confirm").set_env("LEAFLOCK_ASKPASS", &refuses);
        let done = sandbox.run(Path::new(leaflock), &["decrypt", "a.yaml"], b"");
        (done.code, done.stderr)
    };
    assert_eq!(code, Some(128));
}

/// `leaflock decrypt a.yaml` on a terminal of its own.
fn on_a_terminal(sandbox: &Sandbox) -> expectrl::session::OsSession {
    let mut command = Command::new("sh");
    command.args(["-c", "stty echo; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_leaflock"), "decrypt", "a.yaml"]);
    command.env_clear().envs(sandbox.environment()).current_dir(sandbox.path(""));
    Session::spawn(command).unwrap()
}

#[test]
fn a_plugin_talks_on_the_terminal() {
    let (mut sandbox, plugin) = with_plugin();
    sandbox.write("a.yaml", "a: 1\n");
    sandbox.ours(&["encrypt", "-i", "--age", RECIPIENT, "a.yaml"]).ok();
    plugin.log();
    for (manner, question, answer, heard) in [
        ("pin", "age-plugin-test: Enter the PIN of key number 7: ", "123456", "pin"),
        ("confirm", "age-plugin-test: Really? (y: go on, n: stop): ", "y", "confirm -> ok yes"),
        ("public", "age-plugin-test: Which slot?: ", "9a", "public -> ok OWE"),
        ("msg", "age-plugin-test: please touch the key", "", "msg -> ok"),
    ] {
        sandbox.set_env("AGE_PLUGIN_TEST", manner);
        let mut session = on_a_terminal(&sandbox);
        session.expect(question).unwrap();
        session.send_line(answer).unwrap();
        let found = session.expect("a: 1").unwrap();
        let shown = String::from_utf8_lossy(found.before()).into_owned();
        assert!(!shown.contains("123456"), "{shown}");
        session.expect(Eof).unwrap();
        assert_eq!(plugin.log(), ["unwrap", "files 1", heard], "{manner}");
    }
}

#[test]
fn what_a_plugin_cannot_do_is_said() {
    let (mut sandbox, _plugin) = with_plugin();
    sandbox.write("a.yaml", "a: 1\n");
    sandbox.ours(&["encrypt", "-i", "--age", RECIPIENT, "a.yaml"]).ok();
    sandbox.set_env("AGE_PLUGIN_TEST", "dies");
    let said = sandbox.ours(&["decrypt", "a.yaml"]).fails(128);
    assert!(said.contains("age-plugin-test ended without an answer"), "{said}");
    sandbox.set_env("PATH", "/usr/bin:/bin");
    let said = sandbox.ours(&["decrypt", "a.yaml"]).fails(128);
    assert!(said.contains("\"age-plugin-test\": executable file not found in $PATH"), "{said}");
    sandbox.write("b.yaml", "b: 1\n");
    let said = sandbox.ours(&["encrypt", "--age", RECIPIENT, "b.yaml"]).fails(1);
    assert!(said.contains("\"age-plugin-test\": executable file not found in $PATH"), "{said}");
    let said = sandbox.ours(&["encrypt", "--age", &RECIPIENT.replace("axp", "axq"), "b.yaml"]).fails(1);
    assert!(said.contains("malformed recipient"), "{said}");
}

#[test]
fn commands_of_many_files_ask_once_too() {
    let (mut sandbox, plugin) = with_plugin();
    encrypted_files(&sandbox, 6, RECIPIENT);
    sandbox.write(".sops.yaml", format!("creation_rules:\n  - age: {RECIPIENT},{} # both\n", BOB.recipient));
    sandbox.write(".leaflock/names", format!("{} Bob Example\n", BOB.recipient));
    plugin.log();
    sandbox.set_env("AGE_PLUGIN_TEST", "pin");
    let program = askpass::program(&sandbox, "echo 123456");
    sandbox.set_env("LEAFLOCK_ASKPASS", &program);
    let text = sandbox.ours(&["updatekeys", "--yes", "d"]).text();
    assert!(text.contains(&format!("+++ {} (Bob Example)", BOB.recipient)), "{text}");
    let sessions = |log: Vec<String>| log.iter().filter(|line| *line == "pin").count();
    assert_eq!(sessions(plugin.log()), 1);
    let run = ["run", "d/0.yaml", "d/1.yaml", "d/2.yaml", "--", "sh", "-c", "echo $NUMBER"];
    assert_eq!(sandbox.ours(&run).text(), "2\n");
    assert_eq!(sessions(plugin.log()), 1);
}
