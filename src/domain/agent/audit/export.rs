//! Entries for other programs: as the lines that they are, or as CSV (RFC 4180,
//! but for line ends: a line feed alone).

use super::entry::{Access, Entry, Reason};
use crate::domain::agent::denial::DenyCode;

/// The columns of the CSV.
pub const COLUMNS: [&str; 22] = [
    "timestamp",
    "agent_id",
    "action",
    "access_type",
    "secret_path",
    "file",
    "outcome",
    "deny_code",
    "reason",
    "program",
    "arguments",
    "exit",
    "actor_kind",
    "actor_key",
    "asserted",
    "os_user",
    "isolation",
    "session",
    "policy",
    "file_digest",
    "writer",
    "seq",
];

/// The first line of the CSV.
pub fn header() -> String {
    format!("{}\n", COLUMNS.join(","))
}

/// An entry as a line of the CSV. Paths of secrets stand in one cell, a blank between
/// two of them.
pub fn csv(entry: &Entry) -> String {
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    let target = entry.target.as_ref();
    let cells = [
        entry.timestamp.clone(),
        text(entry.agent_id.as_deref()),
        entry.action.as_str().to_owned(),
        text(entry.access.map(Access::as_str)),
        entry.secret_path.join(" "),
        text(entry.file.as_deref()),
        entry.outcome.as_str().to_owned(),
        text(entry.deny_code.map(DenyCode::as_str)),
        text(entry.reason.as_ref().map(Reason::as_str)),
        text(target.map(|target| target.program.as_str())),
        target.map(|target| target.arguments.to_string()).unwrap_or_default(),
        target.and_then(|target| target.exit).map(|exit| exit.to_string()).unwrap_or_default(),
        entry.actor.kind.as_str().to_owned(),
        entry.actor.key.clone(),
        entry.actor.asserted.to_string(),
        text(entry.actor.os_user.as_deref()),
        entry.isolation.to_string(),
        entry.session.clone(),
        text(entry.policy.as_deref()),
        text(entry.file_digest.as_deref()),
        entry.writer.clone(),
        entry.seq.to_string(),
    ];
    let cells: Vec<String> = cells.iter().map(|text| cell(text)).collect();
    format!("{}\n", cells.join(","))
}

/// Quoted where it must be. A text that a spreadsheet would take for a formula gets
/// an apostrophe: names in a log may come from somebody who knows that trick.
fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains(['"', ',', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_where_they_must_be() {
        assert_eq!(cell("a b"), "a b");
        assert_eq!(cell("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(cell("=1+1"), "'=1+1");
    }

    #[test]
    fn a_line_has_a_cell_for_every_column() {
        assert_eq!(header().matches(',').count() + 1, COLUMNS.len());
    }
}
