//! `run`: a program must not be able to tell that it was started by it, and nothing
//! of the secrets may stay behind.
#![cfg(unix)]

use std::fs;
use std::io::Read as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use expectrl::session::OsSession;
use expectrl::{Eof, Expect, Session};
use rustix::process::{Pid, Signal, kill_process};

use super::testkit::sandbox::{ALICE, Sandbox};

const OURS: &str = env!("CARGO_BIN_EXE_leaflock");

/// A sandbox with encrypted files.
fn sandbox() -> Sandbox {
    let mut sandbox = Sandbox::with_key();
    sandbox.set_env("SOPS_AGE_RECIPIENTS", ALICE.recipient);
    for (name, content) in [
        ("s.yaml", "database:\n  password: hunter2\n  hosts: [a, b]\nport: 5432\nnone: null\n"),
        ("s.env", "TOKEN='t0p secret'\nexport lower=1\n"),
        ("t.env", "TOKEN=other\nTWICE=\"$TOKEN-$lower\"\n"),
        (".env", "DEFAULT=yes\n"),
        ("s.ini", "[web]\nkey=value\n"),
        ("s.bin", "raw"),
    ] {
        sandbox.write(name, content);
        let mut arguments = vec!["encrypt", "-i", name];
        arguments.extend(if name == ".env" { &["--input-type", "dotenv"][..] } else { &[] });
        sandbox.ours(&arguments).ok();
    }
    sandbox
}

/// A command in the sandbox whose streams and signals the test has.
fn command(sandbox: &Sandbox, arguments: &[&str]) -> Command {
    let mut command = Command::new(OURS);
    command.arg("run").args(arguments).env_clear().current_dir(sandbox.path(""));
    command.env("PATH", "/usr/bin:/bin").env("HOME", sandbox.folder().join("home"));
    command.env("TMPDIR", sandbox.folder().join("tmp"));
    command
}

/// Waits until the program says `ready` on its standard output.
fn started(mut command: Command) -> Child {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut word = [0; 6];
    child.stdout.as_mut().unwrap().read_exact(&mut word).unwrap();
    assert_eq!(&word, b"ready\n");
    child
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap(), signal).unwrap();
}

fn rest(mut child: Child) -> (std::process::ExitStatus, String) {
    let mut said = String::new();
    child.stdout.as_mut().unwrap().read_to_string(&mut said).unwrap();
    (child.wait().unwrap(), said)
}

/// The ways in which a program is run: in this process, beside a file, behind a redactor.
const WAYS: [&[&str]; 3] = [
    &["s.env", "--"],
    &["--file", "KEY=TOKEN", "s.env", "--"],
    &["--redact", "--only", "TOKEN", "s.env", "--"],
];

fn with<'a>(way: &[&'a str], words: &[&'a str]) -> Vec<&'a str> {
    way.iter().chain(words).copied().collect()
}

#[test]
fn values_become_variables() {
    let sandbox = sandbox();
    let print = |arguments: &[&str]| {
        let mut line = vec!["run", "--pristine"];
        line.extend(arguments);
        line.extend(["--", "env"]);
        let text = sandbox.ours(&line).text();
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_unstable();
        lines.join(" ")
    };
    let all = "DATABASE_HOSTS_0=a DATABASE_HOSTS_1=b DATABASE_PASSWORD=hunter2 NONE= PORT=5432";
    assert_eq!(print(&["s.yaml"]), all);
    assert_eq!(
        print(&["--keep-case", "s.yaml", "--only", "port,database.password"]),
        "database_password=hunter2 port=5432"
    );
    assert_eq!(print(&["--prefix", "APP_", "s.yaml", "--only", "PORT"]), "APP_PORT=5432");
    assert_eq!(
        print(&["--only", "database.hosts", "--only=P*", "s.yaml"]),
        "DATABASE_HOSTS_0=a DATABASE_HOSTS_1=b PORT=5432"
    );
    assert_eq!(print(&["s.env", "t.env"]), "TOKEN=other TWICE=other-1 lower=1");
    assert_eq!(print(&["s.ini"]), "WEB_KEY=value");
    assert_eq!(print(&["s.bin"]), "DATA=raw");
    assert_eq!(print(&[]), "DEFAULT=yes");
}

#[test]
fn mistakes_are_explained_before_anything_starts() {
    let sandbox = sandbox();
    sandbox.write("clash.yaml", "a-b: secret\na_b: secret\n");
    sandbox.write("nul.yaml", "a: \"secret\\0\"\n");
    sandbox.write("unset.env", "A=1\nB=pa$secret\n");
    for name in ["clash.yaml", "nul.yaml", "unset.env"] {
        sandbox.ours(&["encrypt", "-i", name]).ok();
    }
    sandbox.write("plain.env", "A=1\n");
    for (arguments, code, expected) in [
        (&["clash.yaml"][..], 4, "would both be the variable A_B"),
        (&["nul.yaml"], 4, "NUL byte"),
        (&["unset.env"], 1, "unset.env:2"),
        (&["plain.env"], 1, "sops metadata not found"),
        (&["missing.env"], 100, "missing.env"),
        (&["--only", "nothing", "s.env"], 1, "no value is called nothing"),
        (&["--file", "X=nothing", "s.env"], 1, "no value is called nothing"),
        (&["--file", "X=database", "s.yaml"], 8, "means 3 values"),
        (&["--file", "X-Y=port", "s.yaml"], 8, "is no name"),
        (&["--file", "X", "s.yaml"], 1, "NAME=KEY"),
        (&["--file", "PORT=database.password", "s.yaml"], 8, "both the value"),
        (&["--prefix", "db.", "s.yaml"], 1, "--only 'database.*'"),
    ] {
        let line = with(&["run"], &with(arguments, &["--", "touch", "started"]));
        let said = sandbox.ours(&line).fails(code);
        assert!(said.contains(expected) && !said.contains("secret"), "{said}");
    }
    assert!(!sandbox.path("started").exists());
    let said = sandbox.ours(&["run", "s.env", "npm", "start"]).fails(1);
    assert!(said.contains("leaflock run s.env -- npm start"), "{said}");
    fs::remove_file(sandbox.path(".env")).unwrap();
    sandbox.ours(&["run", "--", "true"]).fails(100);
}

#[test]
fn the_exit_code_is_the_program_s_and_nothing_is_said() {
    let sandbox = sandbox();
    for way in WAYS {
        let output =
            sandbox.ours(&with(&["run"], &with(way, &["sh", "-c", "echo out; echo err >&2; exit 7"])));
        assert_eq!((output.code, &output.stdout[..], &output.stderr[..]), (Some(7), &b"out\n"[..], "err\n"));
        let missing = sandbox.ours(&with(&["run"], &with(way, &["no-such-program"])));
        assert!(missing.fails(127).starts_with("cannot run no-such-program: "));
        let no_program = sandbox.ours(&with(&["run"], &with(way, &["./s.env"])));
        assert!(no_program.fails(126).starts_with("cannot run ./s.env: "));
    }
}

#[test]
fn a_signal_that_ends_the_program_ends_us() {
    let sandbox = sandbox();
    for way in WAYS {
        for (name, number) in [("TERM", 15), ("KILL", 9), ("INT", 2), ("USR1", 10), ("SEGV", 11)] {
            let line = format!("kill -{name} $$");
            let status = command(&sandbox, &with(way, &["sh", "-c", &line])).status().unwrap();
            assert_eq!(status.signal(), Some(number), "{name}: {status}");
        }
    }
}

#[test]
fn a_program_that_traps_signals_gets_them() {
    let sandbox = sandbox();
    for way in WAYS {
        for (name, sent) in [
            ("TERM", Signal::TERM),
            ("HUP", Signal::HUP),
            ("INT", Signal::INT),
            ("USR1", Signal::USR1),
            ("USR2", Signal::USR2),
        ] {
            let script =
                format!("trap 'echo caught; exit 7' {name}; echo ready; while :; do sleep 0.05; done");
            // A session of its own has no terminal that would have sent the signal.
            let arguments = with(way, &["sh", "-c", &script]);
            let ours = command(&sandbox, &arguments);
            let mut detached = Command::new("setsid");
            detached.arg(OURS).args(ours.get_args()).current_dir(sandbox.path("")).env_clear();
            detached.envs(ours.get_envs().filter_map(|(name, value)| Some((name, value?))));
            let child = started(detached);
            signal(&child, sent);
            let (status, said) = rest(child);
            assert_eq!((status.code(), &said[..]), (Some(7), "caught\n"), "{name}");
        }
    }
}

#[test]
fn what_the_caller_ignores_stays_ignored() {
    let sandbox = sandbox();
    for way in WAYS {
        let line = format!("trap '' HUP; exec {OURS} run {} sh -c 'kill -HUP $$; echo alive'", way.join(" "));
        let mut shell = Command::new("sh");
        let ours = command(&sandbox, &[]);
        shell.args(["-c", &line]).current_dir(sandbox.path("")).env_clear();
        shell.envs(ours.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let output = shell.output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "alive\n");
    }
}

#[test]
fn limits_are_the_caller_s() {
    let sandbox = sandbox();
    for way in WAYS {
        let ours = command(&sandbox, &with(way, &["sh", "-c", "ulimit -S -c"]));
        let line = format!("ulimit -S -c 7; exec {OURS} \"$@\"");
        let mut shell = Command::new("sh");
        shell.args(["-c", &line, "sh"]).args(ours.get_args()).current_dir(sandbox.path("")).env_clear();
        shell.envs(ours.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let output = shell.output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "7\n", "{output:?}");
    }
}

#[test]
fn standard_input_is_the_program_s() {
    let sandbox = sandbox();
    for way in WAYS {
        let output = sandbox.ours_with_stdin(&with(&["run"], &with(way, &["cat"])), b"\0binary\n");
        assert_eq!(output.ok(), b"\0binary\n");
    }
}

#[test]
fn the_key_is_not_handed_on() {
    let mut sandbox = sandbox();
    fs::remove_file(sandbox.folder().join("home/.config/sops/age/keys.txt")).unwrap();
    sandbox.set_env("SOPS_AGE_KEY", ALICE.identity);
    let print = ["--", "sh", "-c", "echo \"${SOPS_AGE_KEY-none}\" | grep -v '^#'"];
    assert_eq!(sandbox.ours(&with(&["run", "s.env"], &print)).text(), "none\n");
    let kept = sandbox.ours(&with(&["run", "--keep-identity", "s.env"], &print)).text();
    assert!(kept.starts_with("AGE-SECRET-KEY-"), "{kept}");
}

#[test]
fn values_in_files_are_private_and_go() {
    let sandbox = sandbox();
    let look = "stat -c '%a' $KEY $(dirname $KEY); cat $KEY $KEY; echo; basename $KEY; echo ${DATABASE_PASSWORD-gone} $PORT; dirname $KEY >folder";
    let arguments = ["run", "--file", "KEY=database.password", "s.yaml", "--", "sh", "-c", look];
    let expected = "600\n700\nhunter2hunter2\nKEY.database.password\ngone 5432\n";
    assert_eq!(sandbox.ours(&arguments).text(), expected);
    let folder = String::from_utf8(sandbox.read("folder")).unwrap();
    assert!(!std::path::Path::new(folder.trim()).exists());
    for sent in [Signal::TERM, Signal::HUP] {
        let line = "echo ready; dirname $KEY; exec sleep 60";
        let child = started(command(&sandbox, &["--file", "KEY=TOKEN", "s.env", "--", "sh", "-c", line]));
        std::thread::sleep(Duration::from_millis(100));
        signal(&child, sent);
        let (status, said) = rest(child);
        assert_eq!(status.signal(), Some(sent.as_raw()));
        assert!(!std::path::Path::new(said.trim()).exists(), "{said}");
    }
}

#[test]
fn no_secret_is_among_the_arguments_or_left_on_disk() {
    let sandbox = sandbox();
    for way in WAYS {
        let look = "cat /proc/$$/cmdline /proc/$PPID/cmdline | tr '\\0' ' '; grep -rl 't0p' $TMPDIR . ; true";
        let shown = sandbox.ours(&with(&["run"], &with(way, &["sh", "-c", look]))).text();
        assert!(!shown.contains("t0p secret"), "{shown}");
    }
    let left = fs::read_dir(sandbox.folder().join("tmp")).unwrap().count();
    assert_eq!(left, 0);
}

#[test]
fn a_value_that_no_variable_can_hold_is_explained_and_fits_in_a_file() {
    let sandbox = sandbox();
    sandbox.write("big.yaml", format!("big: {}\nsmall: x\n", "secret".repeat(40_000)));
    sandbox.ours(&["encrypt", "-i", "big.yaml"]).ok();
    let said = sandbox.ours(&["run", "big.yaml", "--", "true"]).fails(126);
    assert!(said.contains("BIG (240005 bytes)") && said.contains("--file"), "{said}");
    assert!(!said.contains("secretsecret"));
    let size =
        sandbox.ours(&["run", "--file", "BIG=big", "big.yaml", "--", "sh", "-c", "wc -c <$BIG"]).text();
    assert_eq!(size.trim(), "240000");
}

/// A terminal of its own, as a person's shell has one.
fn terminal(sandbox: &Sandbox, words: &[&str]) -> OsSession {
    let ours = command(sandbox, words);
    let mut shell = Command::new("bash");
    shell.args(["--norc", "--noprofile", "-i", "-c", "\"$@\"; echo code $?; exit", "bash", OURS]);
    shell.args(ours.get_args()).current_dir(sandbox.path(""));
    shell.envs(ours.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut session = Session::spawn(shell).unwrap();
    session.set_expect_timeout(Some(Duration::from_secs(30)));
    session
}

#[test]
fn a_program_on_a_terminal_has_it_to_itself() {
    let sandbox = sandbox();
    for way in WAYS {
        // It is in front, sees the terminal, and reads keys as they are typed.
        let script = "test -t 0 && test -t 1 && stty -icanon -echo && echo ready && \
                      key=$(dd bs=1 count=1 2>/dev/null) && stty sane && echo key:$key:$TERM";
        let mut session = terminal(&sandbox, &with(way, &["sh", "-c", script]));
        session.expect("ready").unwrap();
        session.send("x").unwrap();
        session.expect("key:x:").unwrap();
        session.expect("code 0").unwrap();
        session.expect(Eof).unwrap();
    }
}

#[test]
fn keys_of_a_terminal_reach_the_program_once() {
    let sandbox = sandbox();
    for way in WAYS {
        // A read that a signal ends is tried again, one of a terminal that is gone is not.
        let script = "n=0; trap 'n=$((n+1)); echo interrupt:$n:' INT; echo ready; \
                      read x || read x || read x; echo line:$x:; exit 7";
        let mut session = terminal(&sandbox, &with(way, &["sh", "-c", script]));
        session.expect("ready").unwrap();
        session.send("\u{3}").unwrap();
        session.expect("interrupt:1:").unwrap();
        std::thread::sleep(Duration::from_millis(200));
        session.send_line("typed").unwrap();
        let found = session.expect("line:typed:").unwrap();
        let between = String::from_utf8_lossy(found.before()).into_owned();
        assert!(!between.contains("interrupt:2:"), "{between}");
        session.expect("code 7").unwrap();
    }
}

#[test]
fn a_call_that_is_killed_leaves_the_terminal_as_it_was() {
    let sandbox = sandbox();
    // dash puts nothing back by itself, as bash does.
    let mut shell = Command::new("dash");
    let ours = command(&sandbox, &[]);
    shell.env_clear().envs(ours.get_envs().filter_map(|(name, value)| Some((name, value?))));
    // Whoever makes the session sets its terminal up a moment after the shell was started.
    let line = format!(
        "read line; stty -a >before; {OURS} run --redact s.env -- sh -c 'cut -d\" \" -f4 /proc/$PPID/stat >pid; \
         stty -a; echo ready; read x'; read y; stty -a >after; echo done"
    );
    shell.args(["-c", &line]).current_dir(sandbox.path(""));
    let mut session = Session::spawn(shell).unwrap();
    session.set_expect_timeout(Some(Duration::from_secs(30)));
    session.send_line("").unwrap();
    session.expect("ready").unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let pid = String::from_utf8(sandbox.read("pid")).unwrap().trim().parse().unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    session.send_line("").unwrap();
    session.expect("done").unwrap();
    let [before, after] =
        ["before", "after"].map(|name| String::from_utf8_lossy(&sandbox.read(name)).into_owned());
    assert_eq!(after, before);
}

/// Waits for the state `T` of proc_pid_stat(5), which is behind the name.
fn wait_until_stopped(pid: &str) {
    let is_stopped = || {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        stat.rsplit(") ").next().unwrap().starts_with('T')
    };
    while !is_stopped() {
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn ctrl_z_stops_the_job_and_fg_goes_on() {
    let sandbox = sandbox();
    for way in WAYS {
        for stop in ["keyboard", "itself"] {
            let ours = command(&sandbox, way);
            let mut shell = Command::new("bash");
            shell.args(["--norc", "--noprofile", "-i"]).current_dir(sandbox.path(""));
            shell
                .envs(ours.get_envs().filter_map(|(name, value)| Some((name, value?))))
                .env("PS1", "prompt> ");
            let mut session = Session::spawn(shell).unwrap();
            session.set_expect_timeout(Some(Duration::from_secs(30)));
            session.expect("prompt> ").unwrap();
            let stops = if stop == "itself" { "kill -STOP $$; " } else { "" };
            // What is typed before the job goes on is the shell's.
            let goes_on = "trap \"echo ba''ck\" CONT";
            let reads = "read x || read x || read x";
            let begins = format!("echo $$ >job.pid; {goes_on}; echo rea''dy; {stops}");
            sandbox.write("job.sh", format!("{begins}{reads}; echo li''ne:$x:\n"));
            session.send_line(format!("{OURS} run {} sh job.sh", way.join(" "))).unwrap();
            session.expect("ready").unwrap();
            if stop == "keyboard" {
                std::thread::sleep(Duration::from_millis(300));
                session.send("\u{1a}").unwrap();
            }
            session.expect("Stopped").unwrap();
            session.expect("prompt> ").unwrap();
            // The shell is told by another process; the job may still be about to stop, and
            // read until then.
            wait_until_stopped(String::from_utf8(sandbox.read("job.pid")).unwrap().trim());
            session.send_line("fg").unwrap();
            session.expect("back").unwrap();
            session.send_line("typed").unwrap();
            session.expect("line:typed:").unwrap();
            session.expect("prompt> ").unwrap();
            session.send_line("exit").unwrap();
        }
    }
}

/// The victim of SIGKILL cannot clean up; the next call does.
#[test]
fn what_a_killed_call_left_is_wiped_by_the_next() {
    let sandbox = sandbox();
    let line = "echo ready; echo $$; dirname $KEY; exec sleep 60";
    let child = started(command(&sandbox, &["--file", "KEY=TOKEN", "s.env", "--", "sh", "-c", line]));
    std::thread::sleep(Duration::from_millis(100));
    signal(&child, Signal::KILL);
    let mut child = child;
    let mut said = [0; 200];
    let length = child.stdout.as_mut().unwrap().read(&mut said).unwrap();
    let said = String::from_utf8_lossy(&said[..length]).into_owned();
    let mut words = said.split_whitespace();
    let (program, folder) = (words.next().unwrap(), words.next().unwrap());
    Command::new("kill").arg(program).status().unwrap();
    child.wait().unwrap();
    assert!(std::path::Path::new(folder).exists());
    // Young directories may belong to a call that has not claimed them yet.
    Command::new("touch").args(["-d", "1 hour ago", folder]).status().unwrap();
    sandbox.ours(&["run", "--file", "KEY=TOKEN", "s.env", "--", "true"]).ok();
    assert!(!std::path::Path::new(folder).exists());
}
