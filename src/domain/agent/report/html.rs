//! The report as one HTML page that needs nothing else: no network, no font, no image.
//! A content security policy says so to the browser, and names style and script by
//! their digests, so that nothing else in the page runs. The script filters tables; the
//! page is whole without it.

mod access;
mod activity;
mod review;
mod table;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::super::policy::PrincipalKind;
use super::event::seconds_of;
use super::page::Page;
use super::reach::Block;
use super::{Fate, Report};

const STYLE: &str = include_str!("html/page.css");
const SCRIPT: &str = include_str!("html/page.js");

/// A policy that ends this soon, in seconds, is to be looked at.
const SOON: i64 = 14 * 86_400;

/// The sections: their id and their name.
const SECTIONS: &[(&str, &str)] = &[
    ("look", "To look at"),
    ("reach", "Who can reach what"),
    ("activity", "Who did"),
    ("unused", "Grants never used"),
    ("rules", "Rules"),
    ("removed", "Removed keys"),
    ("trail", "Audit trail"),
];

/// Writes the page.
pub fn render(report: &Report) -> String {
    let mut page = Page::default();
    head(&mut page);
    title(&mut page, report);
    page.markup("<nav aria-label=\"Sections\"><ul>");
    for (id, name) in SECTIONS {
        page.markup("<li><a href=\"#").markup(id).markup("\">").markup(name).markup("</a></li>");
    }
    page.markup("</ul></nav>\n<main id=\"main\">\n");
    section(&mut page, 0, |page| look(page, report));
    section(&mut page, 1, |page| access::reach(page, report));
    section(&mut page, 2, |page| activity::activity(page, report));
    section(&mut page, 3, |page| review::unused(page, report));
    section(&mut page, 4, |page| review::rules(page, report));
    section(&mut page, 5, |page| review::removed(page, report));
    section(&mut page, 6, |page| review::trail(page, report));
    page.markup(
        "</main>\n<footer><p>Names, times and digests; no value of a secret is in this page. What it says is what \
         the signed policy, the files and the audit trail of one clone said when it was made: accesses by other \
         programs are in no trail, and those of other clones are here once they were pushed and \
         fetched.</p></footer>\n<script>",
    );
    page.markup(SCRIPT).markup("</script>\n</body>\n</html>\n");
    page.finish()
}

fn head(page: &mut Page) {
    let digest = |text: &str| STANDARD.encode(Sha256::digest(text));
    page.markup(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-",
    );
    page.text(&digest(STYLE)).markup("'; script-src 'sha256-").text(&digest(SCRIPT));
    page.markup(
        "'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n\
         <meta name=\"robots\" content=\"noindex\">\n<title>Access report</title>\n<style>",
    );
    page.markup(STYLE)
        .markup("</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#main\">Skip to the report</a>\n");
}

fn title(page: &mut Page, report: &Report) {
    page.markup("<header>\n<h1>Access report</h1>\n<ul class=\"facts\">");
    if let Some(repo) = &report.repo {
        page.markup("<li>Repository ").code(repo).markup("</li>");
    }
    page.markup("<li>Made ").time(&report.made).markup(" UTC</li><li>Policy ");
    if let Some(serial) = report.policy.serial {
        page.markup("serial ").number(serial).markup(", ");
    }
    page.code(report.policy.digest.get(..19).unwrap_or(&report.policy.digest)).markup("…");
    if let Some(until) = &report.policy.valid_until {
        page.markup(", valid until ").time(until);
    }
    page.markup("</li><li>Trail ");
    match &report.since {
        Some(since) => page.markup("since ").time(since),
        None => page.markup("from its beginning"),
    };
    page.markup("</li></ul>\n<dl class=\"tiles\">");
    let reach = &report.reach;
    let agents = reach.columns.iter().filter(|column| column.kind == PrincipalKind::Agent);
    let opened: usize = agents.map(|column| column.opens).sum();
    let tiles = [
        (reach.of_kind(PrincipalKind::Agent), "agent", "agents"),
        (reach.columns.len() - reach.of_kind(PrincipalKind::Agent), "other principal", "other principals"),
        (reach.secrets(), "secret", "secrets"),
        (opened, "agent and secret pair, by key", "agent and secret pairs, by key"),
        (report.activity.total.done, "thing done", "things done"),
        (report.activity.total.denied, "denial", "denials"),
    ];
    for (count, one, many) in tiles {
        let name = if count == 1 { one } else { many };
        page.markup("<div><dt>").markup(name).markup("</dt><dd>").count(count).markup("</dd></div>");
    }
    page.markup("</dl>\n</header>\n");
}

/// A section and its heading.
fn section(page: &mut Page, number: usize, body: impl FnOnce(&mut Page)) {
    let (id, name) = SECTIONS[number];
    page.markup("<section id=\"").markup(id).markup("\" aria-labelledby=\"h-").markup(id);
    page.markup("\">\n<h2 id=\"h-").markup(id).markup("\">").markup(name).markup("</h2>\n");
    body(page);
    page.markup("</section>\n");
}

/// What deserves a look.
struct Point {
    /// True if it is to be mended, not only known.
    is_bad: bool,
    /// The section that has more of it.
    section: &'static str,
    count: usize,
    /// What it is, if it is one, and if it is many.
    names: (&'static str, &'static str),
}

/// What of all this deserves a look, worst first.
fn points(report: &Report) -> Vec<Point> {
    let removed = |fate: Fate| {
        report.removed.iter().flat_map(|one| &one.secrets).filter(|secret| secret.fate == fate).count()
    };
    let serious = report.rules.iter().filter(|finding| finding.serious).count();
    let is_open = |block: &&Block| !block.strangers.is_empty() || block.has_other_keys;
    let bad = |section, count, one, many| Point { is_bad: true, section, count, names: (one, many) };
    let note = |section, count, one, many| Point { is_bad: false, section, count, names: (one, many) };
    let all = [
        bad("trail", report.trail.faults.len(), "fault in the audit trail", "faults in the audit trail"),
        bad(
            "removed",
            removed(Fate::Unchanged),
            "secret that a removed key could open is still the same",
            "secrets that removed keys could open are still the same",
        ),
        bad("rules", serious, "rule to mend", "rules to mend"),
        note("activity", report.activity.total.denied, "denial", "denials"),
        note(
            "reach",
            report.reach.blocks.iter().filter(is_open).count(),
            "source with recipients that are no principal's",
            "sources with recipients that are no principal's",
        ),
        note(
            "removed",
            removed(Fate::Anew),
            "secret that a removed key could open was encrypted anew: compare its value",
            "secrets that removed keys could open were encrypted anew: compare their values",
        ),
        note("unused", report.unused.len(), "grant that nobody used", "grants that nobody used"),
        note("rules", report.rules.len() - serious, "remark on a rule", "remarks on rules"),
    ];
    all.into_iter().filter(|point| point.count > 0).collect()
}

fn look(page: &mut Page, report: &Report) {
    let (points, left) = (points(report), ends_in(report));
    page.markup("<ul class=\"look\">");
    if let Some(days) = left {
        page.markup("<li class=\"bad\"><b>").number(days);
        page.markup(if days == 1 { "</b> day" } else { "</b> days" });
        page.markup(" until the policy ends: nothing is opened by it then. Sign a later one.</li>\n");
    }
    for Point { is_bad, section, count, names: (one, many) } in &points {
        page.markup(if *is_bad { "<li class=\"bad\"><b>" } else { "<li><b>" }).count(*count);
        page.markup("</b> <a href=\"#").markup(section).markup("\">");
        page.markup(if *count == 1 { one } else { many }).markup("</a></li>\n");
    }
    if points.is_empty() && left.is_none() {
        page.markup("<li class=\"good\">Nothing stands out.</li>\n");
    }
    page.markup("</ul>\n");
}

/// The whole days until the policy ends, if that is soon.
fn ends_in(report: &Report) -> Option<i64> {
    let until = seconds_of(report.policy.valid_until.as_deref()?)?;
    let left = until - seconds_of(&report.made)?;
    (left < SOON).then_some(left.max(0) / 86_400)
}

impl Fate {
    /// For people.
    fn in_words(self) -> &'static str {
        match self {
            Self::Unchanged => "still the same: change it where it is valid",
            Self::Anew => "encrypted anew since then",
            Self::Gone => "is in no source any more",
        }
    }
}
