//! The findings for programs.

use serde_json::{Value, json};

use crate::app::check::{Found, Outcome, shown_below};

/// One object; paths are relative to the top of the repository.
pub(super) fn render(outcome: &Outcome) -> String {
    let finding = |Found { path, finding }: &Found| {
        json!({
            "id": finding.kind.id(),
            "severity": finding.kind.severity().name(),
            "file": shown_below(&outcome.root, path),
            "line": finding.line,
            "column": finding.column,
            "key": finding.key,
            "message": finding.message,
            "advice": finding.kind.advice(),
        })
    };
    let findings: Vec<Value> = outcome.findings.iter().map(finding).collect();
    let failed = outcome
        .failed
        .iter()
        .map(|(path, error)| json!({ "file": shown_below(&outcome.root, path), "error": error.to_string() }));
    let all = json!({
        "version": 1,
        "checked": outcome.checked,
        "encrypted": outcome.encrypted,
        "silenced": outcome.silenced,
        "findings": findings,
        "failed": failed.collect::<Vec<Value>>(),
    });
    format!("{all:#}\n")
}
