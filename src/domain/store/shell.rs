//! Values for a POSIX shell: `export NAME='value'` lines that are safe under
//! `eval` whatever the values hold, and a judgement on dotenv text, which is not.

use std::collections::HashMap;

use super::WriteError;
use super::flat_names::{self, Case, Leaf};
use crate::domain::scalar::{FloatStyle, Scalar, write_float};
use crate::domain::search;
use crate::domain::secret::SecretBytes;
use crate::domain::value::Value;

/// A script of `export` lines.
#[derive(Debug)]
pub struct Script {
    /// Its text.
    pub text: SecretBytes,
    /// The names in it by which shells and the system are steered (`PATH`,
    /// `LD_PRELOAD`): worth a warning, since plain keys are not covered by the MAC.
    pub steering: Vec<String>,
}

/// Variables that shells keep read-only: assigning to them fails.
const READ_ONLY: [&str; 8] =
    ["BASHOPTS", "BASHPID", "BASH_VERSINFO", "EUID", "FUNCNAME", "PPID", "SHELLOPTS", "UID"];

/// Variables that change what programs run or how words are read.
const STEERING: [&str; 24] = [
    "BASH_ENV",
    "CDPATH",
    "EDITOR",
    "ENV",
    "GLOBIGNORE",
    "HOME",
    "IFS",
    "LD_AUDIT",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "NODE_OPTIONS",
    "PATH",
    "PERL5LIB",
    "PERL5OPT",
    "PROMPT_COMMAND",
    "PS1",
    "PS4",
    "PWD",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "RUBYOPT",
    "SHELL",
    "SSH_AUTH_SOCK",
    "TMPDIR",
];

/// The leaves of `value` as `export` lines, in document order. Names are the flat
/// names in upper case, with `_` for what a shell does not allow; values are text
/// as dotenv shows it, null is empty.
///
/// # Errors
/// Two keys of one name, a name that shells keep read-only, an empty name, a
/// value with a NUL byte, which no variable can hold.
pub fn emit(value: &Value) -> Result<Script, WriteError> {
    let leaves = flat_names::leaves(value)?;
    let mut seen: HashMap<String, &str> = HashMap::with_capacity(leaves.len());
    let size = leaves.iter().map(|leaf| leaf.name.len() + 24 + text_length(leaf.scalar)).sum();
    let mut script = Script { text: SecretBytes::new(Vec::with_capacity(size)), steering: Vec::new() };
    for leaf in &leaves {
        let name = identifier(leaf)?;
        if let Some(other) = seen.get(&name)
            && *other != leaf.path
        {
            return Err(WriteError {
                message: format!("{other} and {} would both be exported as {name}", leaf.path),
                hint: Some("rename one of the keys"),
            });
        }
        if STEERING.binary_search(&name.as_str()).is_ok() || name.starts_with("DYLD_") {
            script.steering.push(name.clone());
        }
        write_export(&name, leaf, script.text.as_mut_vec())?;
        seen.insert(name, &leaf.path);
    }
    Ok(script)
}

/// The variable that a leaf is exported as.
fn identifier(leaf: &Leaf<'_>) -> Result<String, WriteError> {
    let refused = |message: String| WriteError { message, hint: Some("rename the key") };
    let Some(name) = leaf.variable(Case::Upper) else {
        return Err(refused(format!("{} gives no name for a shell variable", leaf.path)));
    };
    if READ_ONLY.binary_search(&name.as_str()).is_ok() {
        return Err(refused(format!(
            "{} would be exported as {name}, which shells keep read-only",
            leaf.path
        )));
    }
    Ok(name)
}

/// The bytes that a value takes at most, for one allocation that never moves.
fn text_length(scalar: &Scalar<'_>) -> usize {
    match scalar {
        Scalar::Str(text) => text.len() + 3 * search::memchr_iter(b'\'', text).count(),
        _ => 360,
    }
}

/// `export NAME='value'`: within single quotes a shell reads nothing but the
/// closing quote, so only quotes are written differently.
fn write_export(name: &str, leaf: &Leaf<'_>, out: &mut Vec<u8>) -> Result<(), WriteError> {
    out.extend_from_slice(b"export ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"='");
    match leaf.scalar {
        Scalar::Str(text) => {
            if search::memchr(0, text).is_some() {
                let message = format!("{} holds a NUL byte, which no shell variable can hold", leaf.path);
                return Err(WriteError { message, hint: Some("read it with --extract") });
            }
            let mut done = 0;
            for quote in search::memchr_iter(b'\'', text) {
                out.extend_from_slice(&text[done..quote]);
                out.extend_from_slice(b"'\\''");
                done = quote + 1;
            }
            out.extend_from_slice(&text[done..]);
        }
        other => write_text(other, out),
    }
    out.extend_from_slice(b"'\n");
    Ok(())
}

/// Appends a value as a variable holds it: numbers as dotenv shows them, null empty.
pub fn write_text(scalar: &Scalar<'_>, out: &mut Vec<u8>) {
    match scalar {
        Scalar::Null => {}
        Scalar::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        Scalar::Float(value) => write_float(*value, FloatStyle::Dotenv, out),
        Scalar::Time(value) => value.write_whole_seconds(out),
        Scalar::Int(_) => scalar.write_canonical(out),
        Scalar::Str(text) => out.extend_from_slice(text),
    }
}

/// The first line of dotenv text that a shell would read as something else than
/// its name and its value: by `eval`, `source` or `export $(…)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsafe {
    /// The line, from 1.
    pub line: usize,
    /// What stands before `=`; bytes that are not UTF-8 are replaced.
    pub name: String,
}

/// Judges dotenv text, line by line.
pub fn unsafe_under_eval(dotenv: &[u8]) -> Option<Unsafe> {
    for (index, line) in dotenv.split(|byte| *byte == b'\n').enumerate() {
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        let equals = search::memchr(b'=', line).unwrap_or(line.len());
        let (name, value) = line.split_at(equals);
        let is_name = name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
            && name.first().is_some_and(|first| !first.is_ascii_digit());
        if !is_name || value.is_empty() || !value.iter().all(|byte| is_literal(*byte)) {
            return Some(Unsafe { line: index + 1, name: String::from_utf8_lossy(name).into_owned() });
        }
    }
    None
}

/// True for a byte that stands for itself in an unquoted shell word.
fn is_literal(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_@%+=:,./-".contains(&byte) || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::{READ_ONLY, STEERING, emit, unsafe_under_eval};
    use crate::domain::scalar::Scalar;
    use crate::domain::value::{Entry, Value};

    fn flat(pairs: &[(&str, &str)]) -> Value {
        Value::Map(
            pairs.iter().map(|(key, value)| Entry::Pair((*key).to_owned(), Value::text(*value))).collect(),
        )
    }

    fn text(value: &Value) -> String {
        String::from_utf8(emit(value).unwrap().text.to_vec()).unwrap()
    }

    #[test]
    fn lists_are_sorted_for_the_search() {
        assert!(READ_ONLY.is_sorted() && STEERING.is_sorted());
    }

    #[test]
    fn names_are_upper_case_identifiers() {
        let value = flat(&[("db-host", "a"), ("1st", "b"), ("naïve.key", "c")]);
        assert_eq!(text(&value), "export DB_HOST='a'\nexport _1ST='b'\nexport NA_VE_KEY='c'\n");
    }

    #[test]
    fn every_kind_of_value_is_written_as_text() {
        let value = Value::Map(
            [
                ("n", Scalar::Null),
                ("b", Scalar::Bool(true)),
                ("i", Scalar::Int(-5)),
                ("f", Scalar::Float(1.5)),
                ("one", Scalar::Float(1.0)),
            ]
            .into_iter()
            .map(|(key, scalar)| Entry::Pair(key.to_owned(), Value::Scalar(scalar)))
            .collect(),
        );
        let expected = "export N=''\nexport B='true'\nexport I='-5'\nexport F='1.5'\nexport ONE='1.0'\n";
        assert_eq!(text(&value), expected);
    }

    #[test]
    fn clashes_and_impossible_names_are_errors_that_name_the_keys() {
        let message = |pairs: &[(&str, &str)]| emit(&flat(pairs)).unwrap_err().message;
        assert_eq!(
            message(&[("a-b", "1"), ("a_b", "2")]),
            r#"["a-b"] and ["a_b"] would both be exported as A_B"#
        );
        assert!(message(&[("uid", "0")]).contains("UID"));
        assert!(message(&[("", "0")]).contains("no name"));
        assert!(message(&[("ключ", "0")]).contains("no name"));
        let nul = emit(&flat(&[("key", "secret\0value")])).unwrap_err().message;
        assert!(nul.contains("NUL") && !nul.contains("secret"));
    }

    #[test]
    fn names_that_steer_a_shell_are_reported() {
        assert_eq!(emit(&flat(&[("path", "/x"), ("plain", "y")])).unwrap().steering, ["PATH"]);
    }

    /// The oracle is the shell itself.
    #[cfg(unix)]
    #[test]
    fn a_shell_reads_every_value_back() {
        let values = [
            "plain",
            "",
            " lead and trail ",
            "it's",
            "''",
            "'\\''",
            "$(touch /tmp/no)",
            "`id`",
            "a\nb\n",
            "\\",
            "\\n",
            "!x!!",
            "*?[a]{b,c}",
            "~root",
            "#no",
            "a;b&c|d<e>f",
            "\t\r",
            "ünïcode \u{1F600}",
            "-n",
            "%s",
        ];
        for value in values {
            let script = emit(&flat(&[("x", value)])).unwrap();
            let script = std::str::from_utf8(&script.text).unwrap().to_owned();
            let shell = std::process::Command::new("sh")
                .args(["-c", "eval \"$1\"; printf %s \"$X\"", "sh", &script])
                .output()
                .unwrap();
            assert_eq!(String::from_utf8(shell.stdout).unwrap(), value);
        }
    }

    #[test]
    fn dotenv_lines_are_judged_as_a_shell_would_read_them() {
        let cases: [(&str, Option<(usize, &str)>); 14] = [
            ("", None),
            ("#comment with 'quotes'\n\nA=1\nB=https://x.y/z,w\nC=a@b.c\nD=\n", None),
            ("A=1\nB=two words\n", Some((2, "B"))),
            ("A=$HOME\n", Some((1, "A"))),
            ("A=\"quoted\"\n", Some((1, "A"))),
            ("A=a\\nb\n", Some((1, "A"))),
            ("A=~/x\n", Some((1, "A"))),
            ("A=x#y\n", Some((1, "A"))),
            ("A=x;y\n", Some((1, "A"))),
            ("A=ü\n", None),
            ("a-b=1\n", Some((1, "a-b"))),
            ("1A=1\n", Some((1, "1A"))),
            ("export A=1\n", Some((1, "export A"))),
            ("=1\n", Some((1, ""))),
        ];
        for (dotenv, expected) in cases {
            let found = unsafe_under_eval(dotenv.as_bytes());
            let found = found.as_ref().map(|found| (found.line, found.name.as_str()));
            assert_eq!(found, expected, "{dotenv:?}");
        }
    }
}
