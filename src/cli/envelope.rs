//! What a command of the agent layer answers: text for people, or with `--json`
//! one JSON object on stdout that tells its caller what came of the call, why it
//! failed, and what to run next. `src/docs/json.md` is its description.

use std::ffi::{OsStr, OsString};

use serde_json::{Value, json};

use super::argv::fields::parse_bool;
use super::env::{Environment, Variable};
use super::output::escape;
use super::report::{self, Failure};
use super::{Cli, Verb};
use crate::app::request::{Level, Notice};
use crate::domain::secret::SecretBytes;
use code::{Class, Code};

pub mod code;

/// The version of the object; it changes when a program that reads it would have to.
pub const SCHEMA: &str = "leaflock/v1";

/// What a command found out or did.
#[derive(Debug, Default)]
pub struct Answer {
    /// For people, with its final line break. Printed with what could command a
    /// terminal escaped.
    pub text: String,
    /// For programs: the `result` of the object.
    pub result: Value,
    /// What to say on the side: on stderr, or as `warnings`.
    pub warnings: Vec<Notice>,
    /// What to run next, the most useful first.
    pub next_actions: Vec<Action>,
    /// Why the call does not end with success all the same.
    pub verdict: Option<Verdict>,
    /// What mends what was found, for programs; the text says it as well.
    pub fix: Vec<String>,
    /// A value that was asked for. It is printed as it is before the text, and is the
    /// field `value` of the result.
    pub value: Option<SecretBytes>,
}

impl Answer {
    /// An answer in both forms.
    pub fn new(text: impl Into<String>, result: Value) -> Self {
        Self { text: text.into(), result, ..Self::default() }
    }

    /// The same with things to say on the side.
    pub fn with_warnings(mut self, warnings: impl IntoIterator<Item = Notice>) -> Self {
        self.warnings.extend(warnings);
        self
    }

    /// The same with something to run next.
    pub fn then(mut self, action: Action) -> Self {
        self.next_actions.push(action);
        self
    }

    /// The same with what to do about what was found.
    pub fn with_fix(mut self, fix: impl IntoIterator<Item = String>) -> Self {
        for line in fix {
            if !self.fix.contains(&line) {
                self.fix.push(line);
            }
        }
        self
    }

    /// The same, ending with the exit code of `code`: the call worked, and what it found
    /// is not what its caller hopes for.
    pub fn but(mut self, code: Code, message: impl Into<String>) -> Self {
        self.verdict = Some(Verdict { code, message: message.into() });
        self
    }
}

/// Why a call that worked does not end with success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// For programs; it has the exit code.
    pub code: Code,
    /// For people. The text of the answer says it as well, so it is in JSON alone.
    pub message: String,
}

/// A command line to run next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// The words, the program first. No shell is to see them: names in them come from
    /// the repository.
    pub argv: Vec<String>,
    /// What it does.
    pub description: String,
    /// True for what cannot be taken back: a person should decide.
    pub dangerous: bool,
}

impl Action {
    /// A call of this program.
    pub fn leaflock<W: Into<String>>(
        words: impl IntoIterator<Item = W>,
        description: impl Into<String>,
    ) -> Self {
        let program = std::iter::once("leaflock".to_owned());
        let argv = program.chain(words.into_iter().map(Into::into)).collect();
        Self { argv, description: description.into(), dangerous: false }
    }

    /// The same, marked as one that a person should decide.
    pub fn dangerous(mut self) -> Self {
        self.dangerous = true;
        self
    }

    fn to_json(&self) -> Value {
        json!({ "argv": self.argv, "description": self.description, "dangerous": self.dangerous })
    }
}

/// Runs a command of `words` (one, or a family without its command) that answers so:
/// nothing but the object gets to stdout if it is wanted, whatever goes wrong.
pub fn call(
    words: &str,
    rest: &[OsString],
    cli: &mut Cli,
    work: impl FnOnce(&mut Cli) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let wanted = is_wanted(rest, &cli.env);
    cli.output.hold_notices(wanted);
    let failure = match work(cli) {
        Ok(()) => return Ok(()),
        Err(failure @ (Failure::Told { .. } | Failure::BrokenPipe)) => return Err(failure),
        Err(failure) => failure,
    };
    let class = Class::of_failure(&failure);
    if cli.output.holds_notices() {
        let object = Object {
            words,
            result: Value::Null,
            error: Some((&class, message(&failure))),
            fix: hints(&failure),
            next_actions: class.code.next_action(words).into_iter().collect(),
        };
        object.print(None, cli)?;
    } else {
        cli.output.failure(&failure);
    }
    Err(Failure::Told { code: class.exit })
}

/// Prints the answer of a command.
pub fn print(verb: &Verb, answer: Answer, cli: &mut Cli) -> Result<(), Failure> {
    let Answer { text, mut result, warnings, next_actions, verdict, fix, value } = answer;
    cli.output.notices(&warnings);
    let class = verdict.as_ref().map(|verdict| Class::of_code(verdict.code));
    if cli.output.holds_notices() {
        if let (Some(_), Some(fields)) = (&value, result.as_object_mut()) {
            fields.insert("value".to_owned(), Value::from(HERE));
        }
        let error = class.as_ref().zip(verdict).map(|(class, verdict)| (class, verdict.message));
        let object = Object { words: verb.words(), result, error, fix, next_actions };
        object.print(value, cli)?;
    } else {
        cli.output.data(&value.unwrap_or_default())?;
        cli.output.text(&escape(&text))?;
    }
    class.map_or(Ok(()), |class| Err(Failure::Told { code: class.exit }))
}

/// True when the object is asked for: by a flag, else by the environment. The line may
/// be one that cannot be read otherwise.
fn is_wanted(rest: &[OsString], env: &Environment) -> bool {
    let flags = rest.iter().take_while(|word| *word != "--").filter_map(|word| word.to_str());
    let switch = |word: &str| {
        let word = word.strip_prefix("--").or(word.strip_prefix('-'))?;
        match word.split_once('=') {
            None => (word == "json").then_some(true),
            Some(("json", value)) => parse_bool("json", value).ok(),
            Some(_) => None,
        }
    };
    let by_flag = flags.filter_map(switch).last();
    by_flag.unwrap_or_else(|| env.answers_in_json())
}

/// How far this call is kept apart from the program that makes it: 1 within a program
/// that `run --agent` started, else 0. The caller can set the variable as well: it tells
/// the well-meaning where they are, and grants nothing.
pub fn isolation(env: &Environment) -> u8 {
    u8::from(env.get(Variable::Isolation).as_deref() == Some(OsStr::new("1")))
}

/// What went wrong and where, for a reader who has no other lines.
fn message(failure: &Failure) -> String {
    let text = report::render(failure);
    let lines = text.lines().filter(|line| !line.starts_with("hint: ")).map(str::trim);
    match lines.collect::<Vec<_>>().join("\n") {
        empty if empty.is_empty() => "the call failed".to_owned(),
        text => text,
    }
}

/// What to do about it.
fn hints(failure: &Failure) -> Vec<String> {
    match failure {
        Failure::App(error) => error.hints(),
        Failure::Usage(usage) => usage.hints.clone(),
        _ => Vec::new(),
    }
}

/// One object, but for what the call knows of itself.
struct Object<'o> {
    words: &'o str,
    result: Value,
    error: Option<(&'o Class, String)>,
    fix: Vec<String>,
    next_actions: Vec<Action>,
}

/// Stands for the value until the last moment: memory of JSON values is not wiped.
const HERE: &str = "value";

impl Object<'_> {
    /// Prints it, with `value` in its place.
    fn print(self, value: Option<SecretBytes>, cli: &mut Cli) -> Result<(), Failure> {
        let error = self.error.as_ref().map(|(class, message)| {
            json!({ "code": class.code.as_str(), "message": message, "retryable": class.retryable })
        });
        let warning = |notice: &Notice| {
            let level = match notice.level {
                Level::Note => "note",
                Level::Warning => "warning",
            };
            json!({ "level": level, "message": notice.text, "fix": notice.hint })
        };
        let warnings: Vec<Value> = cli.output.release_notices().iter().map(warning).collect();
        let actions: Vec<Value> = self.next_actions.iter().map(Action::to_json).collect();
        let object = json!({
            "ok": error.is_none(),
            "command": format!("leaflock {}", self.words),
            "result": self.result,
            "error": error,
            "fix": (!self.fix.is_empty()).then(|| self.fix.join("\n")),
            "next_actions": actions,
            "warnings": warnings,
            "isolation": isolation(&cli.env),
            "schema": SCHEMA,
        });
        let text = printable(&format!("{object:#}\n"));
        match value {
            None => cli.output.text(&text),
            Some(value) => cli.output.data(&with_value(&text, &value)),
        }
    }
}

/// `text` with `value` where [`HERE`] stands as the field `value`: a place that no
/// string within the text can look like, because quotes in strings are escaped.
fn with_value(text: &str, value: &SecretBytes) -> SecretBytes {
    let place = format!("\"value\": \"{HERE}\"");
    let (before, after) = text.split_once(&place).unwrap_or((text, ""));
    let mut whole = SecretBytes::new(Vec::with_capacity(text.len() + 6 * value.len() + 16));
    let bytes = whole.as_mut_vec();
    bytes.extend_from_slice(before.as_bytes());
    bytes.extend_from_slice(b"\"value\": ");
    match std::str::from_utf8(value) {
        // Writing to memory cannot fail.
        Ok(text) => drop(serde_json::to_writer(&mut *bytes, text)),
        Err(_) => bytes.extend_from_slice(b"null"),
    }
    bytes.extend_from_slice(after.as_bytes());
    whole
}

/// JSON with the characters of its strings escaped that could command a terminal.
fn printable(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        match escape(c.encode_utf8(&mut [0; 4])) {
            std::borrow::Cow::Borrowed(_) => text.push(c),
            std::borrow::Cow::Owned(_) => text.push_str(&format!("\\u{:04x}", c as u32)),
        }
    }
    text
}

#[cfg(test)]
mod tests;
