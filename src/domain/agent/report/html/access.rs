//! Who can reach what: the matrix.

use super::super::super::policy::PrincipalKind;
use super::super::Report;
use super::super::page::Page;
use super::super::reach::{Block, Cell, Column, Reach};
use crate::domain::agent::policy::Level;

/// Writes the section.
pub(super) fn reach(page: &mut Page, report: &Report) {
    let reach = &report.reach;
    if reach.columns.is_empty() || reach.secrets() == 0 {
        let what =
            if reach.columns.is_empty() { "The policy names no principal." } else { "There are no secrets." };
        page.markup("<p class=\"empty\">").markup(what).markup("</p>\n");
        return;
    }
    page.markup(
        "<p>A filled letter: the key of this principal opens the value, with any program. An outlined one: a right \
         without the value. Rights are those that the policy grants today; old commits keep what they held.</p>\n\
         <ul class=\"legend\">",
    );
    for (class, letter, meaning) in LEGEND {
        page.markup("<li><span class=\"chip ").markup(class).markup("\">").markup(letter).markup("</span>");
        page.markup(meaning).markup("</li>");
    }
    page.markup("</ul>\n");
    page.markup(
        "<form class=\"bar\" id=\"matrix-bar\" hidden>\
         <label>Secrets<input type=\"search\" id=\"by-secret\" placeholder=\"part of a path or file\" autocomplete=\"off\"></label>\
         <label>Principals<input type=\"search\" id=\"by-who\" placeholder=\"part of a name\" autocomplete=\"off\"></label>\
         <label class=\"tick\"><input type=\"checkbox\" id=\"by-grant\">only what somebody shown has</label>\
         <output id=\"matrix-count\" aria-live=\"polite\"></output></form>\n",
    );
    page.markup(
        "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-labelledby=\"c-matrix\">\n<table id=\"matrix\">\
         <caption id=\"c-matrix\">Rights of ",
    );
    page.counted(reach.columns.len(), "principal", "principals").markup(" to ");
    page.counted(reach.secrets(), "secret", "secrets").markup(" in ");
    page.counted(reach.blocks.len(), "source", "sources").markup("</caption>\n");
    heads(page, reach);
    for block in &reach.blocks {
        rows(page, block, &reach.columns);
    }
    page.markup("<tfoot><tr><th scope=\"row\">secrets its key opens</th>");
    for column in &reach.columns {
        page.markup("<td>").count(column.opens).markup("</td>");
    }
    page.markup("</tr></tfoot>\n</table>\n</div>\n");
    remarks(page, reach);
}

const LEGEND: &[(&str, &str, &str)] = &[
    ("read holds", "R", "read, which includes exec"),
    ("exec holds", "X", "exec: into a program"),
    ("use", "U", "use: by the broker"),
    ("write", "W", "write: may propose a value"),
    ("source holds", "S", "opens the whole source"),
    ("copy holds", "C", "a copy: broker or recovery"),
    ("lease", "L", "during a lease only"),
    ("read denied", "R", "granted, and denied by another rule"),
];

const KINDS: &[(PrincipalKind, &str)] = &[
    (PrincipalKind::Agent, "Agents"),
    (PrincipalKind::Broker, "Brokers"),
    (PrincipalKind::Ci, "CI"),
    (PrincipalKind::Human, "People"),
];

fn heads(page: &mut Page, reach: &Reach) {
    page.markup("<thead><tr><th rowspan=\"2\" scope=\"col\">Secret</th>");
    for (kind, name) in KINDS {
        let count = reach.of_kind(*kind);
        if count > 0 {
            page.markup("<th class=\"kind\" scope=\"colgroup\" data-kind=\"").markup(kind.as_str());
            page.markup("\" colspan=\"").count(count).markup("\">").markup(name).markup("</th>");
        }
    }
    page.markup("</tr>\n<tr>");
    for (at, column) in reach.columns.iter().enumerate() {
        page.markup(if is_edge(&reach.columns, at) { "<th class=\"who edge\"" } else { "<th class=\"who\"" });
        page.markup(" scope=\"col\" data-kind=\"").markup(column.kind.as_str());
        page.markup("\"><span>").text(&column.name).markup("</span></th>");
    }
    page.markup("</tr></thead>\n");
}

/// True for the first column of a kind.
fn is_edge(columns: &[Column], at: usize) -> bool {
    at == 0 || columns[at - 1].kind != columns[at].kind
}

fn rows(page: &mut Page, block: &Block, columns: &[Column]) {
    page.markup("<tbody><tr class=\"group\"><th scope=\"rowgroup\" colspan=\"").count(columns.len() + 1);
    page.markup("\"><span class=\"file\">").code(&block.file).markup(" <span class=\"soft\">");
    page.counted(block.rows.len(), "secret", "secrets").markup("</span></span></th></tr>\n");
    for row in &block.rows {
        page.markup("<tr><th scope=\"row\">").code(&row.path).markup("</th>");
        for (at, cell) in row.cells.iter().enumerate() {
            page.markup(if is_edge(columns, at) { "<td class=\"edge\">" } else { "<td>" });
            chips(page, cell);
            page.markup("</td>");
        }
        page.markup("</tr>\n");
    }
    page.markup("</tbody>\n");
}

fn chips(page: &mut Page, cell: &Cell) {
    let mut chip = |class: &'static str, title: &'static str, letter: &'static str| {
        page.markup("<abbr class=\"chip ").markup(class).markup("\" title=\"").markup(title).markup("\">");
        page.markup(letter).markup("</abbr>");
    };
    let own = cell.levels.has(Level::Read) || cell.levels.has(Level::Exec);
    if cell.source {
        chip("source holds", "opens the whole source", "S");
    } else if cell.opens && !own {
        chip("copy holds", "holds a copy", "C");
    }
    for level in cell.levels.iter().filter(|level| *level != Level::Exec || !cell.levels.has(Level::Read)) {
        match (level, cell.opens) {
            (Level::Read, true) => chip("read holds", "read", "R"),
            (Level::Read, false) => chip("read", "read, but has no key", "R"),
            (Level::Exec, true) => chip("exec holds", "exec", "X"),
            (Level::Exec, false) => chip("exec", "exec, through the broker", "X"),
            (Level::Use, _) => chip("use", "use", "U"),
            (Level::Write, _) => chip("write", "write", "W"),
        }
    }
    for level in cell.denied.iter().filter(|level| *level != Level::Exec || !cell.denied.has(Level::Read)) {
        match level {
            Level::Read => chip("read denied", "read is denied", "R"),
            Level::Exec => chip("exec denied", "exec is denied", "X"),
            Level::Use => chip("use denied", "use is denied", "U"),
            Level::Write => chip("write denied", "write is denied", "W"),
        }
    }
    if cell.lease {
        chip("lease", "during a lease only", "L");
    }
}

/// What the matrix has no room for.
fn remarks(page: &mut Page, reach: &Reach) {
    let mut remarks = Page::default();
    for column in reach.columns.iter().filter(|column| column.recovers) {
        remarks
            .markup("<li>")
            .code(&column.name)
            .markup(" is a recovery recipient: its key opens the files of all agents.</li>\n");
    }
    for column in &reach.columns {
        if let Some(broker) = &column.broker {
            remarks
                .markup("<li>")
                .code(&column.name)
                .markup(" uses ")
                .code(broker)
                .markup(" as its broker.</li>\n");
        }
        if column.keyless {
            remarks.markup("<li>").code(&column.name).markup(" has no recipient: it opens nothing.</li>\n");
        }
    }
    for block in reach.blocks.iter().filter(|block| !block.strangers.is_empty()) {
        remarks.markup("<li>").code(&block.file).markup(" is also opened by ");
        remarks
            .counted(block.strangers.len(), "recipient that is", "recipients that are")
            .markup(" no principal's:");
        for stranger in &block.strangers {
            remarks.markup(" ").code(stranger);
        }
        remarks.markup("</li>\n");
    }
    for block in reach.blocks.iter().filter(|block| block.has_other_keys) {
        remarks.markup("<li>").code(&block.file);
        remarks.markup(" is also opened by keys of other kinds, of which the policy knows nothing.</li>\n");
    }
    if !remarks.is_empty() {
        page.markup("<h3>Also to know</h3>\n<ul>").append(remarks).markup("</ul>\n");
    }
}
