//! Who did reach what, and when: a line of bars for each principal, and the entries.

use super::super::Report;
use super::super::activity::{Activity, LISTED, Lane};
use super::super::event::{Event, shown_time};
use super::super::page::Page;
use super::table::Table;

/// The height of a chart, in its own units.
const HEIGHT: usize = 100;
/// How wide a bar is with the gap behind it, and without.
const STEP: usize = 10;
const BAR: usize = 8;
/// There is room for so many bars, however few there are.
const FEWEST: usize = 24;
/// The least height of what happened at all.
const LEAST: usize = 6;

/// So many characters of a writer's id tell it apart.
const WRITER: usize = 8;

/// So many paths of an entry are shown at once.
const PATHS: usize = 3;

/// Writes the section.
pub(super) fn activity(page: &mut Page, report: &Report) {
    let activity = &report.activity;
    if activity.lanes.is_empty() {
        page.markup("<p class=\"empty\">The trail has no entry for this time.</p>\n");
        return;
    }
    page.markup("<p>By the audit trail, in UTC. The bars go from ")
        .text(&shown_time(activity.start))
        .markup(" to ");
    page.text(&shown_time(activity.end())).markup("; each is ").markup(activity.width_name).markup(". ");
    for (class, name) in [("done-fill", "done"), ("denied-fill", "denied"), ("failed-fill", "failed")] {
        page.markup("<span class=\"key\"><span class=\"swatch ").markup(class).markup("\"></span>");
        page.markup(name).markup("</span> ");
    }
    page.markup("</p>\n");
    lanes(page, activity);
    page.markup("<h3 id=\"h-events\">Entries</h3>\n");
    if activity.total.all() > activity.listed.len() {
        page.markup("<p>The newest ").count(LISTED).markup(" of ").count(activity.total.all());
        page.markup(". <code>leaflock audit show</code> has all of them.</p>\n");
    }
    page.markup(
        "<form class=\"bar\" id=\"events-bar\" hidden>\
         <label>Entries<input type=\"search\" id=\"by-text\" placeholder=\"a name, path, program, reason\" autocomplete=\"off\"></label>\
         <label>Outcome<select id=\"by-end\"><option value=\"\">any</option><option>done</option>\
         <option>denied</option><option>failed</option></select></label>\
         <output id=\"events-count\" aria-live=\"polite\"></output></form>\n",
    );
    let columns = &["Time", "Who", "What", "Secret", "Outcome", "Reason", "Entry"];
    let mut table =
        Table::open(page, "events", "events", "Entries of the audit trail, newest first", columns);
    let mut day = None;
    for event in &activity.listed {
        let own = event.time.get(..10);
        if own != day || own.is_none() {
            if day.is_some() {
                table.end_group();
            }
            table.group(|page| {
                page.text(own.unwrap_or("no date"));
            });
            day = own.or(Some(""));
        }
        entry(&mut table, event);
    }
    table.end_group();
    table.close();
}

fn lanes(page: &mut Page, activity: &Activity) {
    let columns = &["Principal", "Over time", "Done", "Denied", "Failed", "Last"];
    let mut table = Table::open(page, "lanes", "lanes", "Entries of each principal over time", columns);
    table.body();
    let highest = activity.highest().max(1);
    for lane in &activity.lanes {
        table
            .row("")
            .heading(|page| who(page, lane.who.as_deref()))
            .cell("chart", |page| chart(page, lane, highest))
            .cell("number", |page| {
                page.count(lane.total.done);
            })
            .cell("number", |page| {
                page.count(lane.total.denied);
            })
            .cell("number", |page| {
                page.count(lane.total.failed);
            })
            .cell("", |page| {
                page.time(&lane.last);
            })
            .end_row();
    }
    table.end_group();
    table.close();
}

fn who(page: &mut Page, name: Option<&str>) {
    match name {
        Some(name) => page.code(name),
        None => page.markup("<span class=\"soft\">not known</span>"),
    };
}

/// The bars of one principal. The numbers stand beside it, so that who does not see it
/// misses nothing.
fn chart(page: &mut Page, lane: &Lane, highest: usize) {
    page.markup("<svg aria-hidden=\"true\" preserveAspectRatio=\"none\" viewBox=\"0 0 ");
    page.count(lane.bars.len().max(FEWEST) * STEP).markup(" ").count(HEIGHT).markup("\">");
    for (at, bar) in lane.bars.iter().enumerate() {
        let mut bottom = HEIGHT;
        for (class, count) in
            [("done-fill", bar.done), ("failed-fill", bar.failed), ("denied-fill", bar.denied)]
        {
            if count == 0 {
                continue;
            }
            let height = (count * (HEIGHT - 2 * LEAST) / highest).max(LEAST).min(bottom);
            bottom -= height;
            page.markup("<rect class=\"").markup(class).markup("\" x=\"").count(at * STEP).markup("\" y=\"");
            page.count(bottom)
                .markup("\" width=\"")
                .count(BAR)
                .markup("\" height=\"")
                .count(height)
                .markup("\"/>");
        }
    }
    page.markup("</svg>");
}

fn entry(table: &mut Table<'_>, event: &Event) {
    table
        .row(event.end.as_str())
        .heading(|page| {
            page.markup("<time datetime=\"").text(&event.time).markup("\">");
            page.text(event.time.get(11..19).unwrap_or(&event.time)).markup("</time>");
        })
        .cell("", |page| {
            who(page, event.who.as_deref());
            if event.asserted {
                page.markup(" <span class=\"soft\">(started by another)</span>");
            }
        })
        .cell("", |page| {
            page.markup(event.action);
            if let Some(program) = &event.program {
                page.markup(" ").code(program);
            }
        })
        .cell("", |page| secrets(page, event))
        .cell("", |page| {
            page.markup("<span class=\"badge ").markup(event.end.as_str()).markup("\">");
            page.markup(event.end.as_str());
            if let Some(code) = event.code {
                page.markup(": ").markup(code);
            }
            page.markup("</span>");
        })
        .cell("", |page| {
            if let Some(reason) = &event.reason {
                page.text(reason);
            }
        })
        .cell("", |page| {
            let short: String = event.writer.chars().take(WRITER).collect();
            page.markup("<code title=\"").text(&event.writer).markup("\">").text(&short).markup("</code> ");
            page.markup("<span class=\"soft\">").number(event.seq).markup("</span>");
        })
        .end_row();
}

fn secrets(page: &mut Page, event: &Event) {
    if let Some(file) = &event.file {
        page.code(file);
    }
    if event.paths.is_empty() {
        if event.file.is_some() && event.access.is_some() {
            page.markup(" <span class=\"soft\">whole</span>");
        }
        return;
    }
    let list = |page: &mut Page, paths: &[String]| {
        page.markup("<ul class=\"plain\">");
        for path in paths {
            page.markup("<li>").code(path).markup("</li>");
        }
        page.markup("</ul>");
    };
    let (shown, rest) = event.paths.split_at(event.paths.len().min(PATHS));
    list(page, shown);
    if !rest.is_empty() {
        page.markup("<details><summary>").count(rest.len()).markup(" more</summary>");
        list(page, rest);
        page.markup("</details>");
    }
}
