//! The findings as workflow commands, which GitHub shows beside the lines of a
//! pull request.

use std::fmt::Write as _;

use crate::app::check::{Found, Outcome, shown_below};
use crate::domain::check::Finding;

/// One command a finding; paths are relative to the top of the repository.
pub(super) fn render(outcome: &Outcome) -> String {
    let mut text = String::new();
    for Found { path, finding } in &outcome.findings {
        let Finding { kind, line, column, key, message } = finding;
        let mut properties = format!("file={}", property(&shown_below(&outcome.root, path)));
        for (name, value) in [("line", line), ("col", column)] {
            if let Some(value) = value {
                let _ = write!(properties, ",{name}={value}");
            }
        }
        let key = key.as_ref().map(|key| format!("{key}: ")).unwrap_or_default();
        let message = data(&format!("{key}{message}\n{}", kind.advice()));
        let (command, title) = (kind.severity().name(), kind.id());
        let _ = writeln!(text, "::{command} {properties},title={title}::{message}");
    }
    text
}

/// Text behind the second `::`.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Text of a property, which commas and colons end.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
