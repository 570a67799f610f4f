//! What a review goes through: grants, rules, those who left, and the trail itself.

use super::super::page::Page;
use super::super::{Fate, Removed, Report};
use super::table::Table;
use crate::domain::agent::policy;

/// Writes the grants that nobody used.
pub(super) fn unused(page: &mut Page, report: &Report) {
    page.markup("<p>A grant is a rule and an agent, broker or build that it names. Of ");
    page.counted(report.grants, "grant", "grants").markup(", ").count(report.unused.len());
    page.markup(if report.unused.len() == 1 { " has" } else { " have" }).markup(" no entry in the trail");
    match report.since.as_deref().or(report.activity.first.as_deref()) {
        Some(since) => page.markup(", which was looked at from ").time(since).markup(" on"),
        None => page.markup(", which is empty"),
    };
    page.markup(". What is not used can be taken away, and given again.</p>\n");
    if report.unused.is_empty() {
        page.markup("<p class=\"empty\">Every grant was used.</p>\n");
        return;
    }
    let columns = &["Principal", "Secrets", "Granted", "How many", "Rule"];
    let mut table = Table::open(page, "unused-table", "", "Grants without a use", columns);
    table.body();
    for grant in &report.unused {
        table
            .row("")
            .heading(|page| {
                page.code(&grant.who);
            })
            .cell("", |page| {
                page.code(&grant.what);
            })
            .cell("", |page| {
                page.text(&grant.levels.to_string());
            })
            .cell("number", |page| {
                page.count(grant.secrets);
            })
            .cell("", |page| line(page, policy::PLACE, Some(grant.line)))
            .end_row();
    }
    table.end_group();
    table.close();
}

fn line(page: &mut Page, file: &str, line: Option<usize>) {
    page.code(file);
    if let Some(line) = line {
        page.markup(", line ").count(line);
    }
}

/// Writes what is wrong with rules.
pub(super) fn rules(page: &mut Page, report: &Report) {
    page.markup("<p>").counted(report.policy.allows, "rule allows", "rules allow").markup(", ");
    page.counted(report.policy.denies, "denies", "deny").markup("; ");
    page.counted(report.policy.revocations, "signed revocation", "signed revocations");
    page.markup(". <code>leaflock policy lint</code> says of them:</p>\n");
    if report.rules.is_empty() {
        page.markup("<p class=\"empty\">Nothing.</p>\n");
        return;
    }
    let columns = &["Finding", "What", "Where"];
    let mut table = Table::open(page, "rules-table", "", "Findings on rules", columns);
    table.body();
    for finding in &report.rules {
        table
            .row("")
            .heading(|page| {
                page.markup(if finding.serious {
                    "<span class=\"badge bad\">"
                } else {
                    "<span class=\"badge note\">"
                });
                page.text(&finding.kind).markup("</span>");
            })
            .cell("", |page| {
                page.text(&finding.message);
                if let Some(advice) = &finding.advice {
                    page.markup(" <span class=\"soft\">").text(advice).markup("</span>");
                }
            })
            .cell("", |page| line(page, &finding.file, finding.line))
            .end_row();
    }
    table.end_group();
    table.close();
}

/// Writes what those could read who are no principals any more.
pub(super) fn removed(page: &mut Page, report: &Report) {
    if !report.has_history {
        page.markup("<p class=\"empty\">There is no history of commits to look into.</p>\n");
        return;
    }
    page.markup(
        "<p>Keys that an older policy gives to somebody and that nobody has now, with every secret that they could \
         ever open, by git's history and not by the trail. Taking a right away makes nothing unread. Whether what \
         was encrypted anew has another value, <code>leaflock agent exposure</code> tells with a key.</p>\n",
    );
    if report.removed.is_empty() {
        page.markup("<p class=\"empty\">No key was removed.</p>\n");
    }
    for (number, one) in report.removed.iter().enumerate() {
        of_one(page, number, one);
    }
}

fn of_one(page: &mut Page, number: usize, one: &Removed) {
    let open = one.secrets.iter().filter(|secret| secret.fate == Fate::Unchanged).count();
    page.markup("<details")
        .markup(if open > 0 { " open" } else { "" })
        .markup("><summary>")
        .code(&one.name)
        .markup(": ");
    page.counted(one.secrets.len(), "secret", "secrets").markup(", ").count(open);
    page.markup(" still the same</summary>\n<p class=\"soft\">");
    for key in &one.keys {
        page.code(key).markup(" ");
    }
    page.markup("</p>\n");
    if one.secrets.is_empty() {
        page.markup("<p class=\"empty\">Its key could open nothing that was committed.</p></details>\n");
        return;
    }
    let columns = &["Secret", "File", "From", "Until", "Now"];
    let mut table = Table::nth(page, ("removed-", number), "What its key could open", columns);
    table.body();
    let mut secrets: Vec<_> = one.secrets.iter().collect();
    secrets.sort_by_key(|secret| secret.fate);
    for secret in secrets {
        table
            .row("")
            .heading(|page| {
                page.code(&secret.path);
            })
            .cell("", |page| {
                page.code(&secret.file);
            })
            .cell("", |page| {
                page.time(&secret.first);
            })
            .cell("", |page| {
                page.time(&secret.last);
            })
            .cell("", |page| fate(page, secret.fate))
            .end_row();
    }
    table.end_group();
    table.close();
    page.markup("</details>\n");
}

fn fate(page: &mut Page, fate: Fate) {
    page.markup("<span class=\"badge ").markup(fate.as_str()).markup("\">").markup(fate.as_str());
    page.markup("</span> <span class=\"soft\">").markup(fate.in_words()).markup("</span>");
}

/// Writes whether the trail is what was written.
pub(super) fn trail(page: &mut Page, report: &Report) {
    let trail = &report.trail;
    page.markup("<p>");
    if trail.faults.is_empty() {
        page.markup("The trail fits together in numbers, digests and signatures, as far as this clone has the entries. ");
    } else {
        page.markup("The trail is not what its writers wrote. ");
    }
    match trail.checkpoints {
        0 => page.markup(
            "There is no checkpoint: a writer can still cut off the end of its own chain. <code>leaflock audit checkpoint</code> \
             signs what is there.",
        ),
        count => page.markup("It was compared with ").counted(count, "signed checkpoint.", "signed checkpoints."),
    };
    page.markup("</p>\n");
    if !trail.faults.is_empty() {
        let columns = &["Fault", "What", "Where", "Writer"];
        let mut table = Table::open(page, "faults", "", "Faults of the trail", columns);
        table.body();
        for fault in &trail.faults {
            table
                .row("")
                .heading(|page| {
                    page.markup("<span class=\"badge bad\">").text(&fault.kind).markup("</span>");
                })
                .cell("", |page| {
                    page.text(&fault.detail);
                })
                .cell("", |page| line(page, &fault.file, fault.line))
                .cell("", |page| {
                    page.code(&fault.writer);
                })
                .end_row();
        }
        table.end_group();
        table.close();
    }
    if trail.writers.is_empty() {
        page.markup("<p class=\"empty\">Nobody wrote an entry.</p>\n");
        return;
    }
    let columns = &["Writer", "Principal", "Entries", "Digest of the last"];
    let mut table = Table::open(page, "writers", "", "Writers: one a clone and principal", columns);
    table.body();
    for writer in &trail.writers {
        table
            .row("")
            .heading(|page| {
                page.code(&writer.id);
            })
            .cell("", |page| {
                page.code(writer.principal.as_deref().unwrap_or("not known"));
            })
            .cell("number", |page| {
                page.number(writer.entries);
            })
            .cell("", |page| {
                page.code(&writer.head);
            })
            .end_row();
    }
    table.end_group();
    table.close();
}
