//! The report as JSON, for programs that judge by it.

use serde_json::{Value, json};

use super::Report;
use super::activity::Bar;
use super::event::Event;
use super::reach::{Block, Column, Row};
use crate::domain::agent::policy::{Level, Levels};

/// The same as the page has.
pub fn render(report: &Report) -> Value {
    let bar = |bar: Bar| json!({ "done": bar.done, "denied": bar.denied, "failed": bar.failed });
    let lanes: Vec<Value> = report
        .activity
        .lanes
        .iter()
        .map(|lane| json!({ "agent_id": lane.who, "entries": bar(lane.total), "last": lane.last }))
        .collect();
    json!({
        "repo": report.repo,
        "made": report.made,
        "since": report.since,
        "policy": {
            "digest": report.policy.digest,
            "serial": report.policy.serial,
            "valid_until": report.policy.valid_until,
            "allows": report.policy.allows,
            "denies": report.policy.denies,
            "revocations": report.policy.revocations,
        },
        "principals": report.reach.columns.iter().map(principal).collect::<Vec<_>>(),
        "sources": report.reach.blocks.iter().map(|block| source(block, &report.reach.columns)).collect::<Vec<_>>(),
        "activity": {
            "entries": bar(report.activity.total),
            "first": report.activity.first,
            "principals": lanes,
            "newest": report.activity.listed.iter().map(event).collect::<Vec<_>>(),
        },
        "grants": report.grants,
        "unused_grants": report.unused.iter().map(|grant| json!({
            "principal": grant.who, "secrets": grant.what, "levels": words(grant.levels),
            "count": grant.secrets, "line": grant.line,
        })).collect::<Vec<_>>(),
        "rules": report.rules.iter().map(|finding| json!({
            "kind": finding.kind, "serious": finding.serious, "message": finding.message,
            "advice": finding.advice, "file": finding.file, "line": finding.line,
        })).collect::<Vec<_>>(),
        "has_history": report.has_history,
        "removed": report.removed.iter().map(removed).collect::<Vec<_>>(),
        "trail": {
            "verified": report.trail.faults.is_empty(),
            "checkpoints": report.trail.checkpoints,
            "writers": report.trail.writers.iter().map(|writer| json!({
                "writer": writer.id, "principal": writer.principal, "entries": writer.entries, "head": writer.head,
            })).collect::<Vec<_>>(),
            "faults": report.trail.faults.iter().map(|fault| json!({
                "kind": fault.kind, "writer": fault.writer, "file": fault.file, "line": fault.line,
                "detail": fault.detail,
            })).collect::<Vec<_>>(),
        },
    })
}

fn words(levels: Levels) -> Vec<&'static str> {
    levels.iter().map(Level::as_str).collect()
}

fn principal(column: &Column) -> Value {
    json!({
        "name": column.name,
        "kind": column.kind.as_str(),
        "broker": column.broker,
        "recovery": column.recovers,
        "opens": column.opens,
    })
}

/// A source; of principals only those that have something of a secret.
fn source(block: &Block, columns: &[Column]) -> Value {
    let secret = |row: &Row| {
        let reached: serde_json::Map<String, Value> = columns
            .iter()
            .zip(&row.cells)
            .filter(|(_, cell)| **cell != super::reach::Cell::default())
            .map(|(column, cell)| {
                let value = json!({
                    "levels": words(cell.levels), "denied": words(cell.denied), "lease": cell.lease,
                    "opens": cell.opens, "opens_source": cell.source,
                });
                (column.name.clone(), value)
            })
            .collect();
        json!({ "path": row.path, "principals": reached })
    };
    json!({
        "file": block.file,
        "other_recipients": block.strangers,
        "has_other_keys": block.has_other_keys,
        "secrets": block.rows.iter().map(secret).collect::<Vec<_>>(),
    })
}

fn event(event: &Event) -> Value {
    json!({
        "timestamp": event.time, "agent_id": event.who, "action": event.action, "access_type": event.access,
        "file": event.file, "secret_path": event.paths, "outcome": event.end.as_str(), "deny_code": event.code,
        "reason": event.reason, "program": event.program, "isolation": event.isolation,
        "writer": event.writer, "seq": event.seq,
    })
}

fn removed(one: &super::Removed) -> Value {
    let secrets: Vec<Value> = one
        .secrets
        .iter()
        .map(|secret| {
            json!({
                "file": secret.file, "path": secret.path, "first": secret.first, "last": secret.last,
                "state": secret.fate.as_str(),
            })
        })
        .collect();
    json!({ "name": one.name, "is_principal": one.is_principal, "keys": one.keys, "secrets": secrets })
}
