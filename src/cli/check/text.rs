//! The findings for people: one a line on standard output, and a summary on
//! standard error that says once for each kind what to do.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use crate::app::check::{Found, IGNORES, Outcome, shown_below};
use crate::cli::output::escape;
use crate::domain::check::{Finding, Kind, Severity};

/// The lines of the findings. Paths are relative to the working folder, if they lie
/// below it.
pub(super) fn render(outcome: &Outcome, here: &Path) -> String {
    let mut text = String::new();
    for Found { path, finding } in &outcome.findings {
        let shown = match path.strip_prefix(here) {
            Ok(below) => below.display().to_string(),
            Err(_) => shown_below(&outcome.root, path),
        };
        let line = format!("{}: {}", place(&shown, finding), sentence(finding));
        // A name with a line break must not look like two findings.
        let _ = writeln!(text, "{}", escape(&line).replace('\n', "\\n"));
    }
    text
}

/// `path:line:column`, as far as known.
fn place(path: &str, finding: &Finding) -> String {
    match (finding.line, finding.column) {
        (Some(line), Some(column)) => format!("{path}:{line}:{column}"),
        (Some(line), None) => format!("{path}:{line}"),
        _ => path.to_owned(),
    }
}

/// `error[id] key: message`
fn sentence(finding: &Finding) -> String {
    let Finding { kind, key, message, .. } = finding;
    let key = key.as_ref().map(|key| format!(" {key}")).unwrap_or_default();
    format!("{}[{}]{key}: {message}", kind.severity().name(), kind.id())
}

/// How the check went; with `advice`, what to do about each kind that was found.
pub(super) fn summary(outcome: &Outcome, advice: bool) -> String {
    let mut text = String::new();
    let kinds: BTreeSet<Kind> = outcome.findings.iter().map(|found| found.finding.kind).collect();
    if advice {
        for kind in &kinds {
            let _ = writeln!(text, "{}: {}", kind.id(), kind.advice());
        }
    }
    let silenced = match outcome.silenced {
        0 => String::new(),
        count => format!(", {} reviewed in {IGNORES}", counted(count, "finding")),
    };
    let failed = match outcome.failed.len() {
        0 => String::new(),
        count => format!(", {} could not be checked", counted(count, "file")),
    };
    let (checked, encrypted) = (counted(outcome.checked, "file"), outcome.encrypted);
    let of =
        |severity| outcome.findings.iter().filter(|found| found.finding.kind.severity() == severity).count();
    let found = match (of(Severity::Error), of(Severity::Warning)) {
        (0, 0) => "nothing found".to_owned(),
        (errors, 0) => counted(errors, "error"),
        (0, warnings) => counted(warnings, "warning"),
        (errors, warnings) => format!("{}, {}", counted(errors, "error"), counted(warnings, "warning")),
    };
    let _ = writeln!(text, "{checked} checked, {encrypted} encrypted: {found}{silenced}{failed}");
    text
}

fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
