//! The file arguments: one file where one is wanted, and the batches of
//! `encrypt -i` and `decrypt -i`, with what is said about them.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::PathBuf;

use super::output::Output;
use super::report::{self, Failure, Usage};
use super::{Mode, exit};
use crate::app::Deps;
use crate::app::batch::{self, Finished, Item};
use crate::app::error::Error;
use crate::app::request::{Done, Notice};
use crate::domain::secret::SecretBytes;

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

/// Prints the result, if it goes to stdout.
pub fn print(bytes: Option<SecretBytes>, output: &mut Output) -> Result<(), Failure> {
    match bytes {
        Some(bytes) => output.data(&bytes),
        None => Ok(()),
    }
}

/// True when the arguments ask for several files.
pub fn is_batch(deps: &Deps<'_>, files: &[PathBuf]) -> bool {
    batch::is_batch(deps.files, files)
}

/// What one file of a batch came to.
type FileResult = Result<(Done, Vec<Notice>), Error>;

/// The files that `arguments` stand for.
pub fn expand(deps: &Deps<'_>, arguments: &[PathBuf]) -> Result<Vec<Item>, Failure> {
    Ok(batch::expand(deps.files, arguments)?)
}

/// Works on every file and says how it went. `verb` is what happened to the files, for the summary.
pub fn run_batch(
    deps: &Deps<'_>,
    items: Vec<Item>,
    output: &mut Output,
    verb: &str,
    work: &(dyn Fn(&Item) -> FileResult + Sync),
) -> Result<(), Failure> {
    let finished = batch::run(items, deps.progress, work);
    let summary = Summary::of(&finished);
    for file in &finished {
        match &file.result {
            Ok((_, notices)) => {
                for notice in notices {
                    let text = format!("{}: {}", file.item.path.display(), notice.text);
                    output.notice(&Notice { text, ..notice.clone() });
                }
            }
            Err(error) => output.talk(&failure(&file.item, error)),
        }
    }
    output.talk(&summary.line(verb));
    match summary.worst {
        0 => Ok(()),
        code => Err(Failure::Batch { code }),
    }
}

/// A failed file: its path, then its report, indented.
fn failure(item: &Item, error: &Error) -> String {
    let mut report = String::new();
    report::render_error(error, true, &mut report);
    let mut text = format!("{}:\n", item.path.display());
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
    fn of(finished: &[Finished<(Done, Vec<Notice>)>]) -> Self {
        let mut summary = Self::default();
        for file in finished {
            match &file.result {
                Ok((Done::Written(_) | Done::Returned, _)) => summary.written += 1,
                Ok((Done::Unchanged, _)) => summary.unchanged += 1,
                Ok((Done::Skipped(why), _)) => {
                    match summary.skipped.iter_mut().find(|(known, _)| known == why) {
                        Some((_, count)) => *count += 1,
                        None => summary.skipped.push((why, 1)),
                    }
                }
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
