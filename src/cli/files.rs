//! The file arguments: one file where one is wanted, and the batches of
//! `encrypt -i` and `decrypt -i`, with what is said about them.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::output::Output;
use super::report::{self, Failure, Usage};
use super::{Mode, exit};
use crate::app::Deps;
use crate::app::batch::{self, Finished};
use crate::app::error::Error;
use crate::app::request::{Destination, Done, Notice, Outcome, Source, Task};
use crate::domain::document::sink::{Discard, Sink};

/// The file that a command cannot do without (exit 100).
pub fn required(file: Option<PathBuf>) -> Result<PathBuf, Usage> {
    file.ok_or_else(|| {
        Usage::with_code(exit::NO_FILE, "Error: no file specified").hint("name the file to work on")
    })
}

/// The only file, or none for stdin. Several are refused; SOPS takes the first
/// and warns.
pub fn only(files: Vec<PathBuf>, mode: Mode, output: &mut Output) -> Result<Option<PathBuf>, Usage> {
    if files.len() > 1 {
        if mode == Mode::Leaflock {
            return Err(Usage::new(
                "several files need --in-place: their results cannot all go to one output",
            )
            .hint("add -i, or call the command once a file"));
        }
        let ignored: Vec<OsString> = files.iter().skip(1).map(|file| file.clone().into()).collect();
        warn_of_ignored(&ignored, output);
    }
    Ok(files.into_iter().next())
}

/// SOPS's warnings about words behind the file that are ignored.
pub fn warn_of_ignored(words: &[OsString], output: &mut Output) {
    if words.is_empty() {
        return;
    }
    let text = "More than one positional argument provided. Only the first one will be used!";
    output.notice(&Notice::warning(text));
    if let Some(flag) = words.iter().rev().find(|word| word.as_encoded_bytes().starts_with(b"-")) {
        let text = format!(
            "Note that one of the ignored positional argument is {:?}, which looks like a flag. \
             Flags must always be provided before the first positional argument!",
            flag.to_string_lossy()
        );
        output.notice(&Notice::warning(text));
    }
}

/// What a command does with one input. What it can print while it is made goes to
/// the sink.
type Work<'w> = dyn Fn(Task, &mut dyn Sink) -> Result<Outcome, Error> + Sync + 'w;

/// Runs `work` on the one file or stdin, or on all files in place.
/// `verb` is what happened to the files, for the summary.
pub fn one_or_many(
    deps: &Deps<'_>,
    files: Vec<PathBuf>,
    mut task: Task,
    verb: &str,
    (mode, output): (Mode, &mut Output),
    work: &Work<'_>,
) -> Result<(), Failure> {
    let in_place = task.destination == Destination::InPlace;
    if in_place && mode == Mode::Leaflock && batch::is_batch(deps.files, &files) {
        return many(deps, &files, &task, verb, output, work);
    }
    task.source = match only(files, mode, output)? {
        Some(path) => Source::File(path),
        None if in_place => {
            let message = "Error: cannot use --in-place when reading from stdin";
            return Err(Usage::with_code(exit::CONFLICT, message).into());
        }
        None => Source::Stdin,
    };
    let mut printer = output.printer();
    let outcome = work(task, &mut printer)?;
    printer.finish()?;
    output.notices(&outcome.notices);
    match outcome.done {
        Done::Returned(bytes) => output.data(&bytes),
        _ => Ok(()),
    }
}

/// Works on every file that `arguments` stand for and says how it went.
fn many(
    deps: &Deps<'_>,
    arguments: &[PathBuf],
    task: &Task,
    verb: &str,
    output: &mut Output,
    work: &Work<'_>,
) -> Result<(), Failure> {
    let items = batch::expand(deps.files, arguments)?;
    let batch = items.iter().map(|item| item.path.clone()).collect();
    let task = Task { batch, ..task.clone() };
    let finished = batch::in_place(deps, items, &|item| {
        let task = Task {
            source: Source::File(item.path.clone()),
            destination: Destination::Staged,
            named: item.named,
            ..task.clone()
        };
        work(task, &mut Discard)
    });
    let summary = Summary::of(&finished);
    for file in &finished {
        match &file.result {
            Ok(outcome) => {
                for notice in &outcome.notices {
                    let text = format!("{}: {}", file.item.path.display(), notice.text);
                    output.notice(&Notice { text, ..notice.clone() });
                }
            }
            Err(error) => output.talk(&failure(&file.item.path, error)),
        }
    }
    output.talk(&summary.line(verb));
    match summary.worst {
        0 => Ok(()),
        code => Err(Failure::Batch { code }),
    }
}

/// A failed file: its path, then its report, indented.
pub fn failure(path: &Path, error: &Error) -> String {
    let mut report = String::new();
    report::render_error(error, true, &mut report);
    let mut text = format!("{}:\n", path.display());
    for line in report.lines() {
        let _ = writeln!(text, "  {line}");
    }
    text
}

/// How a batch went.
#[derive(Debug, Default, PartialEq, Eq)]
struct Summary {
    written: usize,
    unchanged: usize,
    skipped: Vec<(&'static str, usize)>,
    failed: usize,
    worst: u8,
}

impl Summary {
    fn of(finished: &[Finished<Outcome>]) -> Self {
        let mut summary = Self::default();
        for file in finished {
            match file.result.as_ref().map(|outcome| &outcome.done) {
                Ok(Done::Written(_) | Done::Returned(_) | Done::Printed | Done::Staged(_)) => {
                    summary.written += 1
                }
                Ok(Done::Unchanged) => summary.unchanged += 1,
                Ok(Done::Skipped(why)) => match summary.skipped.iter_mut().find(|(known, _)| known == why) {
                    Some((_, count)) => *count += 1,
                    None => summary.skipped.push((why, 1)),
                },
                Err(error) => {
                    summary.failed += 1;
                    summary.worst = summary.worst.max(exit::of_error(error));
                }
            }
        }
        summary
    }

    /// `12 files encrypted, 3 skipped (already encrypted), 1 failed`.
    fn line(&self, verb: &str) -> String {
        let files = if self.written == 1 { "file" } else { "files" };
        let mut text = format!("{} {files} {verb}", self.written);
        if self.unchanged > 0 {
            let _ = write!(text, ", {} unchanged", self.unchanged);
        }
        for (why, count) in &self.skipped {
            let _ = write!(text, ", {count} skipped ({why})");
        }
        if self.failed > 0 {
            let _ = write!(text, ", {} failed", self.failed);
        }
        text.push('\n');
        text
    }
}
