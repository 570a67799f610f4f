//! Tests of what the report finds out, and of the page that it becomes.

use super::activity::Activity;
use super::event::{End, Event};
use super::reach::{Cell, Reach};
use super::removed::{State, former_keys, removed};
use super::{Exposed, Fate, Fault, InForce, Removed, Report, RuleFinding, Trail, Writer, grants, html, json};
use crate::domain::agent::leaves::Source;
use crate::domain::agent::policy::{Level, Levels, Policy};

const ANA: &str = "age1lggyhqrw2nlhcxprm67z43rta597azn8gknawjehu9d9dl0jq3yqqvfafg";
const BO: &str = "age1qyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqs3290gq";

/// What nobody wants to see in a page.
const HOSTILE: &str = "</code><script>alert(1)</script>\"' onmouseover=x &amp;\u{202e}";

fn policy(rest: &str) -> Policy {
    Policy::parse(rest.as_bytes()).expect("a policy")
}

fn source(file: &str, recipients: &[&str], leaves: &[&str]) -> Source {
    Source {
        path: file.to_owned(),
        recipients: recipients.iter().map(|key| (*key).to_owned()).collect(),
        leaves: leaves.iter().map(|leaf| leaf.split('.').map(str::to_owned).collect()).collect(),
        has_other_keys: false,
    }
}

fn event(time: &str, who: &str, file: &str, paths: &[&str], end: End) -> Event {
    Event {
        time: time.to_owned(),
        who: Some(who.to_owned()),
        asserted: false,
        action: "decrypt",
        access: Some("read"),
        file: Some(file.to_owned()),
        paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        end,
        code: (end == End::Denied).then_some("not_allowed"),
        reason: None,
        program: None,
        isolation: 0,
        writer: "w-0011223344556677".to_owned(),
        seq: 1,
    }
}

fn cell(reach: &Reach, who: &str, path: &str) -> Cell {
    let at = reach.columns.iter().position(|column| column.name == who).expect("a column");
    let mut rows = reach.blocks.iter().flat_map(|block| &block.rows);
    rows.find(|row| row.path == path).expect("a row").cells[at]
}

fn example() -> (Policy, Vec<Source>) {
    let text = format!(
        "principals:\n  humans/ana: {{age: {ANA}, roles: [admin]}}\n  broker/b: {{age: {BO}, roles: [broker]}}\n  \
         ops/one: {{age: age1cy0su9fwf3gf9mw868g5yut09p6nytfmmnktexz2ya5uqg9vl9sss4euqm, broker: broker/b}}\n  \
         ops/two: {{age: age1yhm4gctwfmrpz87tdslm550wrx6m79y9f2hdzt0lndjnehwj0ukqrjpyx5}}\naccess_control:\n  secrets:\n    \
         db: {{allowed_agents: [\"ops/*\"], access_level: read}}\n    api: {{allowed_agents: [\"ops/*\"], access_level: [exec, use]}}\n    \
         lease: {{allowed_agents: [ops/two], access_level: read, require_lease: true}}\n  deny:\n    \
         - {{agents: [ops/two], secrets: [db.root], levels: [read, exec]}}\n"
    );
    (
        policy(&text),
        vec![source("s.yaml", &[ANA, "age1stranger"], &["db.user", "db.root", "api.key", "lease.it"])],
    )
}

#[test]
fn a_letter_is_filled_where_the_key_opens_the_value() {
    let (policy, sources) = example();
    let reach = Reach::of(&policy, &[], &sources);
    let names: Vec<&str> = reach.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["ops/one", "ops/two", "broker/b", "humans/ana"]);
    let read = Levels::from(Level::Read).with(Level::Exec.into());
    let exec = Levels::from(Level::Exec).with(Level::Use.into());
    let plain = Cell::default();
    assert_eq!(cell(&reach, "ops/one", "db.user"), Cell { levels: read, opens: true, ..plain });
    assert_eq!(cell(&reach, "ops/two", "db.root"), Cell { denied: read, ..plain });
    // With a broker, exec is the broker's; without one the value is in the agent's own file.
    assert_eq!(cell(&reach, "ops/one", "api.key"), Cell { levels: exec, ..plain });
    assert_eq!(cell(&reach, "ops/two", "api.key"), Cell { levels: exec, opens: true, ..plain });
    assert_eq!(cell(&reach, "broker/b", "api.key"), Cell { opens: true, ..plain });
    assert_eq!(cell(&reach, "ops/two", "lease.it"), Cell { lease: true, ..plain });
    assert_eq!(cell(&reach, "humans/ana", "lease.it"), Cell { source: true, opens: true, ..plain });
    assert_eq!(reach.blocks[0].strangers, ["age1stranger"]);
    let opens: Vec<usize> = reach.columns.iter().map(|column| column.opens).collect();
    // The broker also has what its agent may read: reading includes exec.
    assert_eq!(opens, [2, 2, 3, 4]);
}

#[test]
fn a_grant_is_used_by_an_entry_of_its_own_principal_and_secret() {
    let (policy, sources) = example();
    let unused = |events: &[Event]| {
        let (grants, found) = grants::unused(&policy, &sources, events);
        assert_eq!(grants, 4);
        found.into_iter().map(|one| format!("{} {}", one.who, one.what)).collect::<Vec<_>>()
    };
    let all = ["ops/one db", "ops/one api", "ops/two db", "ops/two api"];
    assert_eq!(unused(&[]), all);
    let time = "2026-11-22T01:02:03.456Z";
    assert_eq!(unused(&[event(time, "ops/one", "s.yaml", &["db.user"], End::Denied)]), all);
    assert_eq!(unused(&[event(time, "ops/one", "other.yaml", &["db.user"], End::Done)]), all);
    assert_eq!(unused(&[event(time, "ops/one", "s.yaml", &["database"], End::Done)]), all);
    assert_eq!(unused(&[event(time, "ops/one", "s.yaml", &["db.user"], End::Done)]), all[1..]);
    // The file of an agent stands for its source, a whole file for all that is in it.
    assert_eq!(
        unused(&[event(time, "ops/two", ".leaflock/agents/ops/two/s.yaml", &[], End::Done)]),
        all[..2]
    );
}

#[test]
fn bars_hold_every_entry_once() {
    let times = ["2026-01-31T23:59:59.000Z", "2026-02-01T00:00:00.000Z", "2026-03-01T12:00:00.000Z"];
    let events: Vec<Event> = times.iter().map(|time| event(time, "a", "f", &[], End::Done)).collect();
    let activity = Activity::of(events, "2026-03-02T00:00:00Z");
    assert_eq!(activity.width_name, "one day");
    let bars: Vec<usize> = activity.lanes[0].bars.iter().map(|bar| bar.done).collect();
    assert_eq!((bars.len(), bars[0], bars[1], bars[29]), (31, 1, 1, 1));
    assert_eq!(bars.iter().sum::<usize>(), 3);
    assert_eq!(activity.listed[0].time, times[2]);
    assert_eq!(Activity::of(Vec::new(), "2026-03-02T00:00:00Z").lanes, []);
}

/// A report in which every text that can come from a repository is hostile.
fn hostile() -> Report {
    let (policy, mut sources) = example();
    sources[0].leaves.push(vec![HOSTILE.to_owned()]);
    sources[0].path = HOSTILE.to_owned();
    sources[0].recipients.push(HOSTILE.to_owned());
    let mut one = event(HOSTILE, HOSTILE, HOSTILE, &[HOSTILE; 5], End::Denied);
    one.reason = Some(HOSTILE.to_owned());
    one.program = Some(HOSTILE.to_owned());
    one.writer = HOSTILE.to_owned();
    let text = || HOSTILE.to_owned();
    let fates = [Fate::Unchanged, Fate::Anew, Fate::Gone];
    let exposed = |fate| Exposed { file: text(), path: text(), first: text(), last: text(), fate };
    let (grants, unused) = grants::unused(&policy, &sources, &[]);
    Report {
        repo: Some(text()),
        made: text(),
        since: Some(text()),
        policy: InForce { digest: text(), valid_until: Some(text()), ..InForce::default() },
        reach: Reach::of(&policy, &[], &sources),
        activity: Activity::of(vec![one], "2026-03-02T00:00:00Z"),
        grants,
        unused,
        rules: vec![RuleFinding {
            kind: text(),
            serious: true,
            message: text(),
            advice: Some(text()),
            file: text(),
            line: Some(1),
        }],
        removed: (0..2)
            .map(|_| Removed {
                name: text(),
                is_principal: true,
                keys: vec![text()],
                secrets: fates.map(exposed).to_vec(),
            })
            .collect(),
        has_history: true,
        trail: Trail {
            writers: vec![Writer { id: text(), principal: Some(text()), entries: 1, head: text() }],
            faults: vec![Fault { kind: text(), writer: text(), file: text(), line: Some(7), detail: text() }],
            checkpoints: 1,
        },
    }
}

/// The tags of a page in their order, with what stands in them; panics where they do
/// not nest. The text between them is checked to hold no `<`, by construction.
fn tags(page: &str) -> Vec<&str> {
    const VOID: [&str; 5] = ["wbr", "meta", "input", "rect", "!doctype"];
    let mut open = Vec::new();
    let mut found = Vec::new();
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        let end = at + rest[at..].find('>').expect("a tag ends");
        let tag = &rest[at + 1..end];
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap_or_default();
        found.push(tag);
        rest = &rest[end + 1..];
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "{found:?}");
        } else if !VOID.contains(&name) {
            open.push(name);
        }
        if matches!(tag, "style" | "script") {
            rest = &rest[rest.find("</").expect("its end")..];
        }
    }
    assert!(open.is_empty(), "{open:?}");
    found
}

#[test]
fn no_text_of_a_repository_becomes_markup() {
    let page = html::render(&hostile());
    let found = tags(&page);
    assert_eq!(found.iter().filter(|tag| tag.starts_with("script")).count(), 1);
    assert_eq!(found.iter().filter(|tag| tag.starts_with("style")).count(), 1);
    // An attribute with an event or a style would need a quote that was not escaped.
    for tag in &found {
        let bare: String = tag.split('"').step_by(2).collect();
        assert!(!bare.contains("onmouseover") && !bare.contains("style="), "{tag}");
    }
    assert!(!page.contains('\u{202e}'));
    assert!(
        page.contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39; onmouseover=x &amp;amp;\\u{202e}")
    );
    // The tables say the same when there is nothing to say.
    tags(&html::render(&Report::default()));
}

#[test]
fn the_page_needs_nothing_else() {
    for report in [hostile(), Report::default()] {
        let page = html::render(&report);
        for forbidden in ["http:", "https:", "url(", "@import", "src=", "<link", "<img", "<iframe", " style="]
        {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
        let between = |from: &str, to: &str| {
            let start = page.find(from).expect("a start") + from.len();
            page[start..start + page[start..].find(to).expect("an end")].to_owned()
        };
        use base64::Engine as _;
        use sha2::Digest as _;
        let digest =
            |text: String| base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(text));
        let csp = between("Content-Security-Policy\" content=\"", "\">");
        let style = digest(between("<style>", "</style>"));
        let script = digest(between("<script>", "</script>"));
        assert_eq!(
            csp,
            format!(
                "default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; base-uri 'none'; form-action 'none'"
            )
        );
    }
}

#[test]
fn every_id_is_one_things_and_every_reference_leads_somewhere() {
    let page = html::render(&hostile());
    let attributes = |name: &str| -> Vec<String> {
        let from = format!(" {name}=\"");
        page.split(&from).skip(1).map(|rest| rest.split('"').next().unwrap_or_default().to_owned()).collect()
    };
    let ids = attributes("id");
    let mut unique = ids.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), ids.len());
    for wanted in attributes("aria-labelledby") {
        assert!(ids.contains(&wanted), "{wanted}");
    }
    for wanted in attributes("href") {
        assert!(ids.contains(&wanted.trim_start_matches('#').to_owned()), "{wanted}");
    }
}

#[test]
fn the_matrix_has_a_cell_for_each_column() {
    let report = hostile();
    let page = html::render(&report);
    let matrix = page.split("<table id=\"matrix\">").nth(1).and_then(|rest| rest.split("</table>").next());
    let columns = report.reach.columns.len();
    for row in matrix.expect("a matrix").split("<tr>").skip(3) {
        assert_eq!(row.matches("<td").count(), columns, "{row}");
    }
}

#[test]
fn json_says_the_same() {
    let (policy, sources) = example();
    let report = Report { reach: Reach::of(&policy, &[], &sources), ..Report::default() };
    let value = json::render(&report);
    let secret = &value["sources"][0]["secrets"][2];
    assert_eq!(secret["path"], "api.key");
    assert_eq!(secret["principals"]["ops/one"]["opens"], false);
    assert_eq!(secret["principals"]["broker/b"]["opens"], true);
    assert_eq!(secret["principals"]["ops/two"]["levels"], serde_json::json!(["exec", "use"]));
}

#[test]
fn a_removed_key_is_followed_through_history() {
    let (present, _) = example();
    let gone = "age1d8vfz0kmt2xv9mm5dvq38nmhe9n74skpjrlrrd7vjvgjjf3pyesqgqz0vg";
    let former = policy(&format!(
        "principals: {{ops/old: {{age: [{gone}, {ANA}]}}}}\naccess_control: {{secrets: {{}}}}\n"
    ));
    let keys = former_keys(&present, &[former.clone(), former]);
    assert_eq!(keys.len(), 1);
    assert_eq!(keys["ops/old"].iter().collect::<Vec<_>>(), [gone]);
    let state = |file: &str, order: usize, key: &str, secrets: &[(&str, u8)]| State {
        file: file.to_owned(),
        order,
        date: format!("2026-01-0{order}T00:00:00Z"),
        recipients: vec![key.to_owned()],
        secrets: secrets.iter().map(|(path, byte)| ((*path).to_owned(), [*byte; 32])).collect(),
    };
    let own = ".leaflock/agents/ops/old/s.yaml";
    let history = [
        state("s.yaml", 1, ANA, &[("a", 1), ("b", 1), ("c", 1), ("d", 1)]),
        state(own, 1, gone, &[("a", 7), ("b", 7)]),
        state("s.yaml", 2, ANA, &[("a", 1), ("b", 2), ("c", 1), ("d", 1)]),
        state(own, 2, gone, &[("b", 8), ("c", 8)]),
        state("s.yaml", 3, ANA, &[("a", 1), ("b", 2), ("c", 3), ("d", 1)]),
        state("other.yaml", 1, gone, &[("x", 1)]),
    ];
    let now = [("s.yaml".to_owned(), history[4].secrets.clone())].into();
    let found = removed(&present, keys, &history, &now);
    let told: Vec<_> = found[0]
        .secrets
        .iter()
        .map(|it| (it.file.as_str(), it.path.as_str(), &it.first[9..10], &it.last[9..10], it.fate))
        .collect();
    assert_eq!(
        told,
        [
            ("other.yaml", "x", "1", "1", Fate::Gone),
            ("s.yaml", "a", "1", "1", Fate::Unchanged),
            ("s.yaml", "b", "1", "2", Fate::Unchanged),
            ("s.yaml", "c", "2", "2", Fate::Anew),
        ]
    );
    assert!(!found[0].is_principal);
}
