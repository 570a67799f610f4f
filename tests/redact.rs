//! Redaction through the built program: what Python, bash and base64 make of a value,
//! however it is cut into pieces, on pipes and on a terminal. That nothing else changes,
//! and that a redactor which looks at one piece at a time fails the same battery.
#![cfg(unix)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use expectrl::{Eof, Expect, Session};

use super::testkit::sandbox::{ALICE, Sandbox};

const OURS: &str = env!("CARGO_BIN_EXE_leaflock");

/// A value with everything that encoders trip over.
const VALUE: &str = "p4$s \"w'ö/r&d<>\\ +Z%Q`";

/// Encoders that know nothing of ours: name, and what they make of `v`, as Python.
const ENCODERS: &[(&str, &str)] = &[
    ("raw", "v"),
    ("json", "json.dumps(v, ensure_ascii=False)[1:-1]"),
    ("json-ascii", "json.dumps(v)[1:-1]"),
    ("json-slash", "json.dumps(v)[1:-1].replace('/', '\\\\/')"),
    ("json-twice", "json.dumps(json.dumps(v))[1:-1]"),
    ("json-every", "''.join('\\\\u%04x' % ord(c) for c in v)"),
    ("json-every-upper", "''.join('\\\\u%04X' % ord(c) for c in v)"),
    (
        "json-markup",
        "json.dumps(v, ensure_ascii=False)[1:-1].replace('<', '\\\\u003c').replace('>', '\\\\u003e').replace('&', '\\\\u0026')",
    ),
    ("shell-single", "shlex.quote(v)[1:-1]"),
    ("shell-single-posix", "v.replace(\"'\", \"'\\\\''\")"),
    ("shell-double", "re.sub(r'([\\\\\"$`])', r'\\\\\\1', v)"),
    ("shell-dollar", "bash('printf %q \"$1\"', 'C', v + '\\x01')[2:-5]"),
    ("shell-backslash", "bash('printf %q \"$1\"', 'C.UTF-8', v)"),
    ("shell-trace", "bash('echo \"${1@Q}\"', 'C.UTF-8', v)[1:-2]"),
    ("repr", "repr(v + '\"\\'')[1:-4]"),
    ("repr-bytes", "repr(b + b'\"\\'')[2:-4]"),
    ("percent", "urllib.parse.quote(v, safe='')"),
    ("percent-lower", "re.sub('%[0-9A-F]{2}', lambda m: m[0].lower(), urllib.parse.quote(v, safe=''))"),
    ("percent-path", "urllib.parse.quote(v)"),
    ("percent-plus", "urllib.parse.quote_plus(v)"),
    ("percent-every", "''.join('%%%02X' % c for c in b)"),
    ("percent-twice", "urllib.parse.quote(urllib.parse.quote(v, safe=''), safe='')"),
    ("html", "html.escape(v)"),
    ("html-text", "html.escape(v, quote=False)"),
    ("html-numeric", "''.join('&#%d;' % ord(c) for c in v)"),
    ("html-hex", "''.join('&#x%x;' % ord(c) for c in v)"),
    ("xml", "xml.sax.saxutils.escape(v, {'\"': '&quot;', \"'\": '&apos;'})"),
    ("hex", "b.hex()"),
    ("hex-upper", "b.hex().upper()"),
    ("hex-colon", "b.hex(':')"),
    ("bytes-x", "''.join('\\\\x%02x' % c for c in b)"),
    ("octal", "''.join('\\\\%03o' % c for c in b)"),
    ("numbers", "json.dumps(list(b))[1:-1]"),
    ("base64", "base64.b64encode(b).decode()"),
    ("base64-bare", "base64.b64encode(b).decode().rstrip('=')"),
    ("base64-url", "base64.urlsafe_b64encode(b).decode()"),
    ("base64-inside-1", "base64.b64encode(b'x' + b + b'yz').decode()[1:]"),
    ("base64-inside-2", "base64.b64encode(b'xy' + b + b'z').decode()[2:]"),
    ("basic", "base64.b64encode(b'user:' + b).decode()[6:]"),
    ("basic-long", "base64.b64encode(b'admin:' + b).decode()[6:]"),
    ("utf-16le", "v.encode('utf-16-le')"),
    ("utf-16be", "v.encode('utf-16-be')"),
];

/// A program that has the value in its environment and shows it in all spellings, one a
/// line, to `stream`. With `splits` each line comes in two pieces, cut at every place;
/// with `slow` the raw value comes one byte every 200 ms.
fn program(mode: &str, stream: &str) -> String {
    let made: Vec<String> = ENCODERS.iter().map(|(name, code)| format!("  ({name:?}, {code}),\n")).collect();
    format!(
        r#"
import base64, html, json, os, re, shlex, subprocess, sys, time, urllib.parse, xml.sax.saxutils
v = os.environ["TOKEN"]
b = v.encode()
def bash(line, locale, text):
    return subprocess.run(["bash", "-c", line, "-", text], env={{"LC_ALL": locale}}, capture_output=True).stdout.decode()
out = os.fdopen({stream}, "wb", buffering=0)
for name, made in [
{made}]:
    made = made if isinstance(made, bytes) else made.encode()
    line = name.encode() + b": " + made + b" |\n"
    if {mode:?} == "whole":
        out.write(line)
    elif {mode:?} == "splits":
        for at in range(len(name) + 2, len(line) - 3):
            out.write(line[:at])
            time.sleep(0.0005)
            out.write(line[at:])
            time.sleep(0.0002)
    elif name in ("raw", "base64"):
        for byte in line:
            out.write(bytes([byte]))
            time.sleep(0.2)
"#,
        made = made.concat()
    )
}

fn sandbox() -> Sandbox {
    let mut sandbox = Sandbox::with_key();
    sandbox.set_env("SOPS_AGE_RECIPIENTS", ALICE.recipient);
    sandbox.write("s.json", format!("{{\"token\": {}}}", serde_json::Value::from(VALUE)));
    sandbox.ours(&["encrypt", "-i", "s.json"]).ok();
    sandbox
}

/// The lines of a battery that show anything of the value: what is left around a label
/// is less than a character of base64 that the value shares with its neighbour.
fn leaks(shown: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(shown).replace(['\r', '\0'], "");
    let mut leaks = Vec::new();
    for line in text.lines() {
        let (name, rest) = line.split_once(": ").unwrap_or(("", line));
        let rest = rest.strip_suffix(" |").unwrap_or(rest);
        let left = rest.replacen("[REDACTED:token]", "", 1);
        if left.len() > 6 || left.len() == rest.len() {
            leaks.push(format!("{name}: {rest}"));
        }
    }
    leaks
}

fn run_line(mode: &str, stream: &str) -> Vec<String> {
    let program = program(mode, stream);
    ["run", "--redact", "s.json", "--", "python3", "-c", &program].map(str::to_owned).to_vec()
}

#[test]
fn no_spelling_passes_on_a_pipe() {
    let sandbox = sandbox();
    for mode in ["whole", "splits"] {
        let output = sandbox.ours(&run_line(mode, "1"));
        assert_eq!(leaks(&output.stdout), [""; 0], "{}", output.stderr);
        let lines = output.stdout.iter().filter(|byte| **byte == b'\n').count();
        assert!(output.code == Some(0) && lines >= ENCODERS.len(), "{lines} {}", output.stderr);
    }
    let output = sandbox.ours(&run_line("splits", "2"));
    assert_eq!(leaks(output.stderr.as_bytes()), [""; 0]);
    assert!(output.stdout.is_empty() && output.stderr.lines().count() > 500);
}

/// What the same battery shows on a terminal.
fn on_terminal(sandbox: &Sandbox, mode: &str) -> Vec<u8> {
    let mut command = Command::new(OURS);
    command.args(run_line(mode, "1")).current_dir(sandbox.path("")).env_clear().envs(sandbox.environment());
    let mut session = Session::spawn(command).unwrap();
    session.set_expect_timeout(Some(Duration::from_secs(50)));
    session.expect(Eof).unwrap().as_bytes().to_vec()
}

#[test]
fn no_spelling_passes_on_a_terminal() {
    let sandbox = sandbox();
    let shown = on_terminal(&sandbox, "splits");
    assert_eq!(leaks(&shown), [""; 0]);
    let lines = shown.iter().filter(|byte| **byte == b'\n').count();
    assert!(lines > 500, "{}", String::from_utf8_lossy(&shown));
}

#[test]
fn a_slow_writer_outwaits_nothing() {
    let sandbox = sandbox();
    let check = |shown: &[u8]| {
        assert_eq!(leaks(shown), [""; 0]);
        assert_eq!(String::from_utf8_lossy(shown).matches("[REDACTED:token] |").count(), 2);
    };
    thread::scope(|scope| {
        scope.spawn(|| check(&sandbox.ours(&run_line("slow", "1")).stdout));
        scope.spawn(|| check(sandbox.ours(&run_line("slow", "2")).stderr.as_bytes()));
        scope.spawn(|| check(&on_terminal(&sandbox, "slow")));
    });
}

/// The control: a replacer of whole pieces, which knows every spelling.
#[test]
fn a_redactor_of_single_pieces_fails_the_battery() {
    let spelled = |mode: &str, each: &mut dyn FnMut(&[u8])| {
        let mut command = Command::new("python3");
        command.args(["-c", &program(mode, "1")]).env("TOKEN", VALUE).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut output = child.stdout.take().unwrap();
        let mut piece = [0; 65536];
        loop {
            match output.read(&mut piece).unwrap() {
                0 => break,
                count => each(&piece[..count]),
            }
        }
        assert!(child.wait().unwrap().success());
    };
    let mut whole = Vec::new();
    spelled("whole", &mut |piece| whole.extend_from_slice(piece));
    let whole = String::from_utf8_lossy(&whole).into_owned();
    let mut spellings: Vec<&str> =
        whole.lines().filter_map(|line| line.split_once(": ")?.1.strip_suffix(" |")).collect();
    spellings.sort_by_key(|spelling| std::cmp::Reverse(spelling.len()));
    assert!(spellings.len() >= 40);
    let mut shown = String::new();
    spelled("splits", &mut |piece| {
        let piece = String::from_utf8_lossy(piece).into_owned();
        shown += &spellings.iter().fold(piece, |text, spelling| text.replace(spelling, "[REDACTED:token]"));
    });
    assert!(leaks(shown.as_bytes()).len() > 100);
}

#[test]
fn everything_else_stays_byte_for_byte() {
    let sandbox = sandbox();
    let noise: Vec<u8> = (0..3_000_000_u32).map(|at| (at.wrapping_mul(0x9E37_79B1) >> 13) as u8).collect();
    sandbox.write("noise", &noise);
    let filtered = sandbox.ours(&["redact", "--with", "s.json", "noise"]);
    assert!(filtered.ok() == noise);
    let passed = sandbox.ours(&["run", "--redact", "s.json", "--", "cat", "noise"]);
    assert!(passed.ok() == noise);
    // Colours, carriage returns, the beginnings of a value, nothing at the end.
    let text = "\u{1b}[31mred\u{1b}[0m 50%\r100%\n\tp4$ p4$s p4$s \"w'";
    sandbox.write("text", text);
    assert_eq!(sandbox.ours(&["run", "--redact", "s.json", "--", "cat", "text"]).ok(), text.as_bytes());
    let both =
        ["run", "--redact", "s.json", "--", "sh", "-c", "echo out; echo err >&2; exec >&- 2>&-; exit 3"];
    let output = sandbox.ours(&both);
    assert_eq!((output.code, &output.stdout[..], &output.stderr[..]), (Some(3), &b"out\n"[..], "err\n"));
}

#[test]
fn a_terminal_keeps_its_size_and_the_streams_stay_apart() {
    let sandbox = sandbox();
    let script = "test -t 0 && test -t 1 && ! test -t 2 && stty size && printf %s \"$TOKEN\" >&2";
    let mut command = Command::new("sh");
    // Whoever makes the session gives its terminal a size a moment after the shell was started.
    let line =
        format!("read line; stty rows 33 cols 77; {OURS} run --redact s.json -- sh -c '{script}' 2>errors");
    command.args(["-c", &line]).current_dir(sandbox.path("")).env_clear().envs(sandbox.environment());
    let mut session = Session::spawn(command).unwrap();
    session.set_expect_timeout(Some(Duration::from_secs(30)));
    session.send_line("").unwrap();
    session.expect("33 77").unwrap();
    session.expect(Eof).unwrap();
    assert_eq!(sandbox.read("errors"), b"[REDACTED:token]");
}

#[test]
fn what_a_program_leaves_behind_does_not_keep_us() {
    let sandbox = sandbox();
    let line = "(sleep 0.2; echo late; sleep 600; echo never) & echo started";
    let output = sandbox.ours(&["run", "--redact", "s.json", "--", "sh", "-c", line]);
    assert_eq!(output.text(), "started\nlate\n");
}

#[test]
fn a_reader_that_goes_away_ends_the_program() {
    let sandbox = sandbox();
    let line = format!("{OURS} run --redact s.json -- yes | head -n 1; echo ${{PIPESTATUS[0]}}");
    let mut command = Command::new("bash");
    command.args(["-c", &line]).current_dir(sandbox.path("")).env_clear().envs(sandbox.environment());
    let output = command.output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "y\n141\n", "{output:?}");
}

#[test]
fn a_filter_passes_on_what_comes_as_it_comes() {
    let sandbox = sandbox();
    let mut command = Command::new(OURS);
    command.args(["redact", "--with", "s.json"]).current_dir(sandbox.path(""));
    command.env_clear().envs(sandbox.environment()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut shown = [0; 20];
    input.write_all(b"first\n").unwrap();
    output.read_exact(&mut shown[..6]).unwrap();
    assert_eq!(&shown[..6], b"first\n");
    input.write_all(format!("a {VALUE}").as_bytes()).unwrap();
    output.read_exact(&mut shown[..18]).unwrap();
    assert_eq!(&shown[..18], b"a [REDACTED:token]");
    drop(input);
    assert!(child.wait().unwrap().success());
}

#[test]
fn the_files_of_the_repository_say_what_is_secret() {
    let sandbox = sandbox();
    let redact =
        |arguments: &[&str]| sandbox.ours_with_stdin(&[&["redact"], arguments].concat(), VALUE.as_bytes());
    let said = redact(&[]).fails(1);
    assert!(said.contains("no git repository"), "{said}");
    let git = Command::new("git").args(["init", "-q"]).current_dir(sandbox.path("")).status().unwrap();
    assert!(git.success());
    assert_eq!(redact(&[]).ok(), b"[REDACTED:token]");
    let said = redact(&["--only", "nothing"]).fails(1);
    assert!(said.contains("nothing"), "{said}");
    std::fs::remove_dir_all(sandbox.folder().join("home/.config")).unwrap();
    let output = redact(&[]);
    assert!(output.stdout.is_empty());
    assert!(output.fails(7).contains("nothing would be redacted"));
}

#[test]
fn a_program_whose_output_cannot_be_watched_does_not_start() {
    let sandbox = sandbox();
    let mut refused = 0;
    for limit in 5..40 {
        // Who is left behind holds the error stream, and is waited for.
        let script = format!("exec 4>&2; ulimit -n {limit}; exec \"$@\"");
        let program = [OURS, "run", "--redact", "s.json", "--", "sh", "-c", ": >started"];
        let words = [&["-c", &script, "bash"], &program[..]].concat();
        let output = sandbox.run(Path::new("bash"), &words, b"");
        let started = sandbox.path("started");
        assert_eq!(started.exists(), output.code == Some(0), "{limit}: {}", output.describe());
        match started.exists() {
            true => fs::remove_file(started).unwrap(),
            false => refused += 1,
        }
    }
    assert!((1..35).contains(&refused), "{refused}");
}
