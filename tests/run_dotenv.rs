//! What a dotenv file means to `run`, beside the two that it has to agree with:
//! `.` in a shell, and Node's `dotenv`. Each row says which of them it follows, and
//! the test holds it to that; the manual's page `dotenv` is made from the rows.
#![cfg(unix)]

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::testkit::sandbox::{ALICE, Sandbox};
use super::testkit::{docs, tools};

/// Who reads the row as `run` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum With {
    Both,
    Shell,
    Node,
    Neither,
}
use With::{Both, Neither, Node, Shell};

/// A file that sets `V`, and its value; `None` is a refusal.
type Row = (&'static str, Option<&'static str>, With);

/// Read with `OUTER=outer` and `HOME=/home/x` in the environment.
const ROWS: &[(&str, &[Row])] = &[
    (
        "Plain values",
        &[
            ("V=abc", Some("abc"), Both),
            ("V=", Some(""), Both),
            ("V=a=b==", Some("a=b=="), Both),
            ("V=ünï", Some("ünï"), Both),
            ("V=https://u:p@h:1/d?x=1", Some("https://u:p@h:1/d?x=1"), Both),
            ("\u{feff}V=abc", Some("abc"), Node),
            ("  V=abc  ", Some("abc"), Both),
            ("V=1\nV=2", Some("2"), Both),
            ("V=a*b?c[d]{e,f}!", Some("a*b?c[d]{e,f}!"), Both),
        ],
    ),
    (
        "Comments and `export`",
        &[
            ("# V=no\n\n#\nV=abc", Some("abc"), Both),
            ("V=abc # comment", Some("abc"), Both),
            ("V=abc\t# it's", Some("abc"), Both),
            ("V= # comment", Some(""), Both),
            ("V=abc#def", Some("abc#def"), Shell),
            ("V=#abc", Some("#abc"), Shell),
            ("V='a # b' # c", Some("a # b"), Both),
            ("V=\"a # b\"# c", None, Neither),
            ("export V=abc", Some("abc"), Both),
            ("export  V=\"a b\"", Some("a b"), Both),
        ],
    ),
    (
        "Quotes",
        &[
            ("V='a b'", Some("a b"), Both),
            ("V=\"a b\"", Some("a b"), Both),
            ("V=''", Some(""), Both),
            ("V=\"\"", Some(""), Both),
            ("V='$OUTER \\n \"x\" `id`'", Some("$OUTER \\n \"x\" `id`"), Both),
            ("V=\"it's\"", Some("it's"), Both),
            ("V='say \"hi\"'", Some("say \"hi\""), Both),
            ("V=a'b c'\"d e\"f", Some("ab cd ef"), Shell),
            ("V='it'\\''s'", Some("it's"), Shell),
            ("V=\"a\\\"b\"", Some("a\"b"), Shell),
            ("V=\"a\\\\b\"", Some("a\\b"), Shell),
            ("V=\"C:\\dir\\x\"", Some("C:\\dir\\x"), Both),
            ("V=\"a\\tb\"", Some("a\\tb"), Both),
            ("V=\"a\\nb\"", Some("a\nb"), Node),
            ("V=\"a\\r\\nb\"", Some("a\r\nb"), Node),
            ("V='a\\nb'", Some("a\\nb"), Both),
        ],
    ),
    (
        "Several lines, CRLF",
        &[
            (
                "V=\"-----BEGIN X-----\nMIIB+/==\n-----END X-----\"",
                Some("-----BEGIN X-----\nMIIB+/==\n-----END X-----"),
                Both,
            ),
            ("V='a\n\n# no comment\nB=1'\nW=2", Some("a\n\n# no comment\nB=1"), Both),
            ("export V=\"a\nb\" # c", Some("a\nb"), Both),
            ("V=\"a\\\nb\"", Some("ab"), Shell),
            ("V=abc\r\nW=1\r\n", Some("abc"), Node),
            ("V=\"a b\"\r\n", Some("a b"), Node),
            ("V=\"a\r\nb\"\r\n", Some("a\nb"), Node),
            ("\r\n# c\r\nV=abc\r\n", Some("abc"), Node),
        ],
    ),
    (
        "Other variables",
        &[
            ("V=$OUTER", Some("outer"), Shell),
            ("V=\"${OUTER}x $OUTER\"", Some("outerx outer"), Shell),
            ("A_1=x\nV=$A_1/y", Some("x/y"), Shell),
            ("OUTER=inner\nV=$OUTER", Some("inner"), Shell),
            ("V=${NONE:-default}${NONE-}", Some("default"), Shell),
            ("V=${OUTER:-default}", Some("outer"), Shell),
            ("V=~/x:~", Some("/home/x/x:/home/x"), Shell),
            ("V=\"~\"", Some("~"), Both),
            ("V=\\$OUTER", Some("$OUTER"), Shell),
            ("V=\"\\$OUTER\"", Some("$OUTER"), Shell),
            ("V=a$", Some("a$"), Both),
            ("V=\"a$ b\"", Some("a$ b"), Both),
            ("V=a$%b", Some("a$%b"), Both),
            ("V=pa$5x", Some("pa$5x"), Node),
            ("V=pa$word", None, Neither),
            ("V=${OUTER#o}", None, Neither),
            ("V=$(id -u)", None, Neither),
            ("V=`id -u`", None, Neither),
        ],
    ),
    (
        "Lines that a shell takes for commands",
        &[
            ("V = abc", Some("abc"), Node),
            ("V= abc", Some("abc"), Node),
            ("V=a b  c # d", Some("a b  c"), Node),
            ("V=a;b&c|d", Some("a;b&c|d"), Node),
            ("V=(a)<b>", Some("(a)<b>"), Node),
            ("V=a\\nb", Some("a\nb"), Neither),
            ("V=1 W=2", None, Neither),
            ("V=1; export V", None, Neither),
            ("V=\"a\" b", None, Neither),
            ("V=it's", Some("it's"), Node),
            ("V=5\" x", Some("5\" x"), Node),
            ("V=\"abc", None, Neither),
            ("just words = 1", None, Neither),
        ],
    ),
];

/// Reads a file as a shell does, and prints `V`.
const SOURCE: &str = ". ./plain.env 2>/dev/null; [ \"${V+x}\" ] && printf 'V:%s' \"$V\"";

/// The value of `V` by name of reader; `None` where it is not set or all fails.
type Readings = BTreeMap<&'static str, Option<String>>;

struct Readers {
    sandbox: Sandbox,
    modules: PathBuf,
}

impl Readers {
    fn new() -> Self {
        let mut sandbox = Sandbox::with_key();
        sandbox.set_env("OUTER", "outer").set_env("SOPS_AGE_RECIPIENTS", ALICE.recipient);
        let keys = sandbox.folder().join("home/.config/sops/age/keys.txt");
        sandbox.set_env("SOPS_AGE_KEY_FILE", keys.to_str().unwrap()).set_env("HOME", "/home/x");
        let modules = tools::node_modules();
        Self { sandbox, modules }
    }

    fn script(&self, program: &str, script: &str) -> Option<String> {
        let flag = if program == "node" { "-e" } else { "-c" };
        let output = self.sandbox.run(&tools::program(program), &[flag, script], b"");
        String::from_utf8(output.stdout).unwrap().strip_prefix("V:").map(str::to_owned)
    }

    fn read(&self, file: &str) -> Readings {
        self.sandbox.write("plain.env", file);
        let mut readings = Readings::new();
        readings.insert("sh", self.script("sh", SOURCE));
        readings.insert("bash", self.script("bash", &format!("set -o posix; {SOURCE}")));
        let node = format!(
            "const v = require('{}/dotenv').parse(require('fs').readFileSync('plain.env')).V; \
             if (v !== undefined) process.stdout.write('V:' + v)",
            self.modules.display()
        );
        readings.insert("node", self.script("node", &node));
        let encrypted = self.sandbox.ours(&["encrypt", "plain.env", "--output", "locked.env"]);
        if encrypted.code == Some(0) {
            assert_eq!(self.sandbox.ours(&["decrypt", "locked.env"]).text(), file);
            let value = |output: super::testkit::sandbox::Output| {
                let text = String::from_utf8(output.stdout).unwrap();
                text.strip_prefix("V:").map(str::to_owned)
            };
            let print = "[ \"${V+x}\" ] && printf 'V:%s' \"$V\"";
            readings.insert("run", value(self.sandbox.ours(&["run", "locked.env", "--", "sh", "-c", print])));
            readings.insert("exec-env", value(self.sandbox.ours(&["exec-env", "locked.env", print])));
            let theirs = value(self.sandbox.sops(&["exec-env", "locked.env", print]));
            assert_eq!(readings["exec-env"], theirs, "{file:?}");
        }
        readings
    }
}

#[test]
fn run_reads_dotenv_files_as_shells_and_libraries_do() {
    let readers = Readers::new();
    let mut page = String::from(PAGE);
    let mut wrong = Vec::new();
    for (title, rows) in ROWS {
        page += &format!(
            "\n## {title}\n\n| file | `sh` | Node's dotenv | `run` | `exec-env` |\n| --- | --- | --- | --- | --- |\n"
        );
        for (file, expected, with) in *rows {
            let readings = readers.read(file);
            let ours = readings.get("run").cloned().flatten();
            let is = |name: &str| readings[name].as_deref() == *expected && expected.is_some();
            let found = match (is("sh"), is("node")) {
                (true, true) => Both,
                (true, false) => Shell,
                (false, true) => Node,
                (false, false) => Neither,
            };
            let shells_agree = readings["sh"] == readings["bash"];
            if ours.as_deref() != *expected || found != *with || !shells_agree {
                wrong.push(format!("{file:?} should be {expected:?} with {with:?}: {readings:?}"));
            }
            page += &line(file, &readings);
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
    docs::check("src/docs/dotenv.md", &page);
}

const PAGE: &str = "\
# What a dotenv file means

`leaflock run` reads a dotenv file as `.` in a shell does, and as Node's `dotenv` where a shell would run a command
instead of setting a variable. Where following either in silence would damage a value, it refuses the line and says so:
a `$` before a name that is not set, a command, a value that begins with a quote and does not end. `exec-env` takes what stands behind `=` as it
is, quotes and all, because SOPS does. `decrypt` gives back the file byte for byte.

For SOPS a value is one line. Leaflock also encrypts values in quotes that span lines: as one value whose line breaks
SOPS shows as `\\n`, which means the same in double quotes. Such a value cannot stay in clear.

This page is made by a test that asks all four. `⏎` is a line break, `␍` a carriage return, `–` no value; the
environment holds `OUTER=outer` and `HOME=/home/x`.
";

fn line(file: &str, readings: &Readings) -> String {
    let cell = |name: &str| match readings.get(name).cloned().flatten() {
        Some(value) => code(&value),
        None if name == "run" => "refused".to_owned(),
        None => "–".to_owned(),
    };
    format!(
        "| {} | {} | {} | {} | {} |\n",
        code(file),
        cell("sh"),
        cell("node"),
        cell("run"),
        cell("exec-env")
    )
}

/// A piece of code in a table of Markdown.
fn code(text: &str) -> String {
    let shown = text.replace('\u{feff}', "U+FEFF ").replace('\r', "␍").replace('\n', "⏎").replace('\t', "→");
    let shown = shown.replace('|', "\\|");
    match (shown.is_empty(), shown.contains('`')) {
        (true, _) => "empty".to_owned(),
        (false, true) => format!("`` {shown} ``"),
        (false, false) => format!("`{shown}`"),
    }
}

const PEM: &str =
    "A=1\n\nexport KEY=\"-----BEGIN X-----\nMIIB+/==\n\n-----END X-----\" # c\nB='two\nlines'\nC=last";

/// A value of several lines is one value: for SOPS on one line, for us as it was.
#[test]
fn values_of_several_lines_survive_and_sops_reads_them() {
    let mut sandbox = Sandbox::with_key();
    sandbox.set_env("SOPS_AGE_RECIPIENTS", ALICE.recipient);
    for (name, plain) in [("lf.env", PEM.to_owned()), ("crlf.env", PEM.replace('\n', "\r\n"))] {
        sandbox.write(name, &plain);
        sandbox.ours(&["encrypt", "-i", name]).ok();
        assert_eq!(sandbox.ours(&["decrypt", name]).text(), plain);
        let theirs = sandbox.sops(&["decrypt", name]).text();
        assert!(theirs.contains("\\nMIIB+/==") && !theirs.contains("\nMIIB"), "{theirs}");
        sandbox.ours(&["set", name, "[\"C\"]", "\"x\\ny\""]).ok();
        let changed = sandbox.ours(&["decrypt", name]).text();
        assert_eq!(changed, plain.replace("last", "x\\ny"));
        sandbox.sops(&["set", name, "[\"C\"]", "\"z\""]).ok();
        let print = "printf '%s|%s' \"$KEY\" \"$C\"";
        let value = sandbox.ours(&["run", name, "--", "sh", "-c", print]).text();
        assert_eq!(value.replace('\r', ""), "-----BEGIN X-----\nMIIB+/==\n\n-----END X-----|z");
    }
}

/// sops could not read the file any more.
#[test]
fn values_of_several_lines_do_not_stay_in_clear() {
    let mut sandbox = Sandbox::with_key();
    sandbox.set_env("SOPS_AGE_RECIPIENTS", ALICE.recipient);
    sandbox.write("a.env", "KEY_unencrypted=\"secret\nlines\"\nB=1\n");
    let said = sandbox.ours(&["encrypt", "-i", "a.env"]).fails(23);
    assert!(said.contains("several lines") && said.contains("a.env:1") && !said.contains("secret"), "{said}");
    assert!(sandbox.read("a.env").starts_with(b"KEY_unencrypted=\"secret\n"));
}
