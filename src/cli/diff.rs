//! `leaflock diff`.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Parser;
use serde_json::{Value, json};

use super::args::{KeyServices, Opening};
use super::argv::fields::{Words, flags};
use super::env::Variable;
use super::output::{Output, escape};
use super::report::{Failure, Usage};
use super::{Cli, exit, wire};
use crate::app::Deps;
use crate::app::diff::{FileDiff, Outcome, Request, Side, run as use_case};
use crate::app::repository::Compared;
use crate::app::request::Notice;
use crate::domain::diff::access;
use crate::domain::diff::ciphertext::{Change, Changes};
use crate::domain::diff::hunks::{Line, unified};
use crate::domain::document::sink::Sink;
use crate::domain::keys::kinds::KeyKind;
use crate::domain::keys::names::Names;

/// Show what changed in encrypted files, decrypted
///
/// Compares as `git diff` does: the work tree with the index, with --staged the
/// index with HEAD, else with or between revisions. Shows files that are encrypted
/// on at least one side: their decrypted text, or, where no identity opens them
/// and with --names, what their ciphertext tells: keys that were added, removed,
/// changed or moved, recipients, rules. The exit code is 0, with --exit-code 1 if
/// something changed, and 128 for errors.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "diff", override_usage = "leaflock diff [OPTIONS] [REV [REV]|REV..REV|REV...REV] [--] [PATH…]", after_help = EXAMPLES)]
pub struct Arguments {
    /// Revisions, then files and folders
    #[arg(value_name = "REV|PATH")]
    pub words: Vec<PathBuf>,
    /// Files and folders
    #[arg(value_name = "PATH", last = true)]
    pub paths: Vec<PathBuf>,
    /// Compare the index instead of the work tree
    #[arg(long)]
    pub staged: bool,
    /// The same, as git calls it too
    #[arg(long, hide_short_help = true)]
    pub cached: bool,
    /// Only what the ciphertext tells, without a value: safe to paste into a review
    #[arg(long)]
    pub names: bool,
    /// Print that as JSON
    #[arg(long)]
    pub json: bool,
    /// End with 1 if something changed
    #[arg(long)]
    pub exit_code: bool,
    /// The same, and print nothing
    #[arg(long)]
    pub quiet: bool,
    /// Lines around a change [default: 3]
    #[arg(short = 'U', long, value_name = "N")]
    pub unified: Option<String>,
    /// Colours: auto, always or never
    #[arg(long, value_name = "WHEN")]
    pub color: Option<String>,
    /// Keys.
    #[command(flatten)]
    pub opening: Opening,
    /// Key services.
    #[command(flatten)]
    pub services: KeyServices,
}

flags!(Arguments {
    staged "staged" "", cached "cached" "", names "names" "", json "json" "", exit_code "exit-code" "", quiet "quiet" "",
    unified "unified" "U", color "color" ""
} opening, services);

impl Words for Arguments {
    fn limit(&self) -> usize {
        usize::MAX
    }

    fn may_dash(&self, _: usize) -> bool {
        false
    }

    fn take(&mut self, words: Vec<OsString>) {
        self.words = words.into_iter().map(PathBuf::from).collect();
    }

    fn take_command(&mut self, words: Vec<OsString>) {
        self.paths = words.into_iter().map(PathBuf::from).collect();
    }

    fn takes_command(&self) -> bool {
        true
    }
}

const EXAMPLES: &str = "\
Examples:
  leaflock diff
  leaflock diff --staged --exit-code config/prod.yaml
  leaflock diff main...HEAD
  leaflock diff --names v1.0 v1.1 -- secrets/";

/// Compares and prints.
pub fn run(arguments: Arguments, cli: &mut Cli) -> Result<(), Failure> {
    match compare(arguments, cli) {
        Err(failure @ (Failure::App(_) | Failure::Usage(_))) => {
            cli.output.failure(&failure);
            Err(Failure::Batch { code: exit::DIFF_FAILED })
        }
        result => result,
    }
}

fn compare(arguments: Arguments, cli: &mut Cli) -> Result<(), Failure> {
    arguments.services.check(&cli.env)?;
    let context = match arguments.unified.as_deref().map(str::parse) {
        None => 3,
        Some(Ok(lines)) => lines,
        Some(Err(_)) => return Err(Usage::new("--unified is a number of lines").into()),
    };
    let colours = match arguments.color.as_deref() {
        None | Some("auto") => cli.output.stdout_is_terminal() && cli.env.get(Variable::NoColor).is_none(),
        Some("always") => true,
        Some("never") => false,
        Some(_) => return Err(Usage::new("--color is one of auto, always, never").into()),
    };
    let open = arguments.opening.resolve(&cli.env)?;
    let (output, quiet) = (&mut cli.output, arguments.quiet);
    wire::with_deps(&cli.env, |deps| {
        let staged = arguments.staged || arguments.cached;
        let compared = compared(deps, staged, arguments.words, arguments.paths)?;
        let names = arguments.names || arguments.json || quiet;
        let outcome = use_case(deps, &Request { compared, names, open })?;
        match (quiet, arguments.json) {
            (true, _) => {}
            (false, true) => output.text(&as_json(&outcome))?,
            (false, false) => show(&outcome, arguments.names, context, Paint(colours), output)?,
        }
        let differs = !outcome.files.is_empty() && (quiet || arguments.exit_code);
        if differs { Err(Failure::Batch { code: exit::GENERIC }) } else { Ok(()) }
    })
}

/// Tells revisions from files as git does: words behind `--` are files, and so is
/// everything from the first word on that is one.
fn compared(
    deps: &Deps<'_>,
    staged: bool,
    mut words: Vec<PathBuf>,
    mut paths: Vec<PathBuf>,
) -> Result<Compared, Failure> {
    if paths.is_empty() {
        let is_file = |word: &PathBuf| deps.files.kind(word).is_ok_and(|kind| kind.is_some());
        paths = words.split_off(words.iter().position(is_file).unwrap_or(words.len()));
    }
    let most = if staged { 1 } else { 2 };
    if words.len() > most {
        let text = format!("{} is neither a file nor one of at most {most} revisions", words[most].display());
        return Err(Usage::new(text).hint("write `--` before files that are not there any more").into());
    }
    let revisions = words.into_iter().map(|word| word.to_string_lossy().into_owned()).collect();
    Ok(Compared { staged, revisions, paths })
}

/// Colours, or none.
#[derive(Clone, Copy)]
struct Paint(bool);

impl Paint {
    const HEAD: &'static str = "1";
    const HUNK: &'static str = "36";
    const REMOVED: &'static str = "31";
    const ADDED: &'static str = "32";

    /// A line with its mark; the colour ends before the line does.
    fn line(self, colour: &str, mark: &str, line: &[u8], to: &mut dyn Sink) {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        if self.0 && !colour.is_empty() {
            to.push(format!("\u{1b}[{colour}m{mark}").as_bytes());
            to.push(text);
            to.push(b"\x1b[m\n");
        } else {
            to.push(mark.as_bytes());
            to.push(text);
            to.push(b"\n");
        }
    }

    fn head(self, text: &str, to: &mut dyn Sink) {
        self.line(Self::HEAD, "", escape(text).as_bytes(), to);
    }
}

fn show(
    outcome: &Outcome,
    names: bool,
    context: usize,
    paint: Paint,
    output: &mut Output,
) -> Result<(), Failure> {
    for file in &outcome.files {
        let path = file.names[1].display();
        for problem in &file.problems {
            output.notice(&Notice::note(format!("{path}: {problem}")));
        }
        let mut printer = output.printer();
        if names {
            paint.head(&path.to_string(), &mut printer);
        } else {
            paint.head(&format!("diff --git a/{} b/{path}", file.names[0].display()), &mut printer);
        }
        let indent = if names { "  " } else { "" };
        for line in heads(file, &outcome.key_names) {
            paint.head(&format!("{indent}{line}"), &mut printer);
        }
        if let Some(changes) = &file.changes {
            key_lines(changes, indent, paint, &mut printer);
        }
        text_lines(file, context, paint, &mut printer);
        printer.finish()?;
    }
    Ok(())
}

/// What there is to say of the file as a whole.
fn heads(file: &FileDiff, names: &Names) -> Vec<String> {
    let mut lines = Vec::new();
    let [old, new] = &file.names;
    if old != new {
        lines.push(format!("rename from {}", old.display()));
        lines.push(format!("rename to {}", new.display()));
    }
    lines.extend(state(file).map(str::to_owned));
    let named = |(kind, key): &(KeyKind, String)| {
        let name = names.of(key).filter(|name| !key.ends_with(*name));
        let name = name.map(|name| format!(" ({name})")).unwrap_or_default();
        format!("{} {key}{name}", kind.metadata_field())
    };
    let access::Change { gained, lost, regrouped, threshold, rules, new_data_key } = &file.access;
    lines.extend(gained.iter().map(|key| format!("recipient added: {}", named(key))));
    lines.extend(lost.iter().map(|key| format!("recipient removed: {}", named(key))));
    if *regrouped {
        lines.push("recipients moved to other groups".to_owned());
    }
    if let Some([old, new]) = threshold {
        let count = |needed: &Option<usize>| needed.map_or("one".to_owned(), |needed| needed.to_string());
        lines.push(format!("groups needed: {}, were {}", count(new), count(old)));
    }
    if let Some([old, new]) = rules {
        let list =
            |rules: &[String]| if rules.is_empty() { "the default".to_owned() } else { rules.join(", ") };
        lines.push(format!("rule: {}, was {}", list(new), list(old)));
    }
    if *new_data_key {
        lines.push("new data key".to_owned());
    }
    lines
}

/// How the file came, went, or changed its state.
fn state(file: &FileDiff) -> Option<&'static str> {
    Some(match file.sides {
        _ if file.unmerged => "unmerged: a conflict waits for its solution",
        [Side::Absent, _] => "new file",
        [_, Side::Absent] => "deleted file",
        [Side::Encrypted, Side::Plain] => "now in clear: it was encrypted",
        [Side::Plain, Side::Encrypted] => "now encrypted: it was in clear",
        [_, Side::Unreadable] => "it does not read as an encrypted file any more",
        [Side::Unreadable, _] => "it did not read as an encrypted file",
        _ => return None,
    })
}

/// `changed        ["a"]["b"]`
fn key_lines(changes: &Changes, indent: &str, paint: Paint, to: &mut dyn Sink) {
    for change in &changes.changes {
        let mut line = format!("{indent}{:<13} ", change.what.word());
        if change.is_comment {
            let _ = write!(line, "a comment, line {}", change.line);
        } else {
            match &change.from {
                Some(from) if !from.is_empty() => {
                    let _ = write!(line, "{from} to {}", change.key);
                }
                _ => line.push_str(&change.key),
            }
        }
        if !change.is_encrypted {
            line.push_str(" (in clear)");
        }
        paint.line("", "", escape(&line).as_bytes(), to);
    }
    if changes.all_anew > 0 {
        let line = format!("{indent}all {} values and comments have new ciphertext", changes.all_anew);
        paint.line("", "", line.as_bytes(), to);
    }
}

/// The hunks.
fn text_lines(file: &FileDiff, context: usize, paint: Paint, to: &mut dyn Sink) {
    let Some([old, new]) = &file.texts else { return };
    let lines = unified(old, new, context);
    if lines.is_empty() {
        if !file.access.is_change() && file.sides[0] == file.sides[1] {
            paint.head("the ciphertext changed, the text did not", to);
        }
        return;
    }
    let [old, new] = &file.names;
    let name = |side: Side, prefix: &str, name: &std::path::Path| match side {
        Side::Absent => "/dev/null".to_owned(),
        _ => format!("{prefix}/{}", name.display()),
    };
    paint.head(&format!("--- {}", name(file.sides[0], "a", old)), to);
    paint.head(&format!("+++ {}", name(file.sides[1], "b", new)), to);
    for line in lines {
        let text = match line {
            Line::Hunk(head) => {
                paint.line(Paint::HUNK, "", head.as_bytes(), to);
                continue;
            }
            Line::Context(text) => {
                paint.line("", " ", text, to);
                text
            }
            Line::Removed(text) => {
                paint.line(Paint::REMOVED, "-", text, to);
                text
            }
            Line::Added(text) => {
                paint.line(Paint::ADDED, "+", text, to);
                text
            }
        };
        if !text.ends_with(b"\n") {
            to.push(b"\\ No newline at end of file\n");
        }
    }
}

fn as_json(outcome: &Outcome) -> String {
    let names = &outcome.key_names;
    let key = |(kind, key): &(KeyKind, String)| json!({ "kind": kind.metadata_field(), "key": key, "name": names.of(key) });
    let side = |side: Side| match side {
        Side::Absent => "absent",
        Side::Plain => "plain",
        Side::Encrypted => "encrypted",
        Side::Unreadable => "unreadable",
    };
    let change = |change: &Change| -> Value {
        json!({
            "what": change.what.word(), "key": change.key, "from": change.from, "line": change.line,
            "comment": change.is_comment, "encrypted": change.is_encrypted,
        })
    };
    let file = |file: &FileDiff| {
        let access = &file.access;
        let changes = file.changes.as_ref();
        json!({
            "path": file.names[1].display().to_string(),
            "old_path": file.names[0].display().to_string(),
            "old": side(file.sides[0]),
            "new": side(file.sides[1]),
            "unmerged": file.unmerged,
            "changes": changes.map_or(&[][..], |it| &it.changes).iter().map(change).collect::<Vec<_>>(),
            "all_anew": changes.map_or(0, |it| it.all_anew),
            "recipients_added": access.gained.iter().map(key).collect::<Vec<_>>(),
            "recipients_removed": access.lost.iter().map(key).collect::<Vec<_>>(),
            "threshold": access.threshold.map(|[old, new]| json!({ "old": old, "new": new })),
            "rules": access.rules.as_ref().map(|[old, new]| json!({ "old": old, "new": new })),
            "regrouped": access.regrouped,
            "new_data_key": access.new_data_key,
            "problems": file.problems,
        })
    };
    let files: Vec<Value> = outcome.files.iter().map(file).collect();
    format!("{:#}\n", json!({ "version": 1, "files": files }))
}
