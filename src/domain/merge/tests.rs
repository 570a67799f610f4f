//! Merges of small files, written out.

use super::{Before, Choice, Disagreement, Merged, Side, Wishes, merge};
use crate::domain::store::Format;

fn three(format: Format, base: &str, ours: &str, theirs: &str) -> Merged {
    merge(format, Before::Text(base.as_bytes()), ours.as_bytes(), theirs.as_bytes(), Wishes::default())
        .unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[track_caller]
fn merges(format: Format, base: &str, ours: &str, theirs: &str, expected: &str) {
    for (ours, theirs) in [(ours, theirs), (theirs, ours)] {
        let merged = three(format, base, ours, theirs);
        assert_eq!(merged.conflicts, [], "{base:?} + {ours:?} + {theirs:?}");
        if ours < theirs {
            assert_eq!(text(&merged.ours), expected);
        }
    }
    let merged = three(format, base, ours, theirs);
    assert_eq!(text(&merged.ours), expected);
}

#[track_caller]
fn clashes(format: Format, base: &str, ours: &str, theirs: &str, expected: &[(&str, Disagreement)]) {
    let merged = three(format, base, ours, theirs);
    let found: Vec<(&str, Disagreement)> =
        merged.conflicts.iter().map(|it| (it.path.as_str(), it.kind)).collect();
    assert_eq!(found, expected);
}

const BASE: &str = "# Shop\n\n# the database\ndb:\n  host: a   # aligned\n  port: 1\n  users:\n  - ann\n  - bob\n\nname: x\n";

#[test]
fn edits_of_different_keys_merge() {
    merges(
        Format::Yaml,
        BASE,
        &BASE.replace("host: a ", "host: b "),
        &BASE.replace("port: 1", "port: 2"),
        &BASE.replace("host: a ", "host: b ").replace("port: 1", "port: 2"),
    );
    merges(
        Format::Yaml,
        BASE,
        &BASE.replace("host: a ", "host: b "),
        &BASE.replace("# aligned", "# by hand"),
        &BASE.replace("host: a   # aligned", "host: b   # by hand"),
    );
    merges(
        Format::Yaml,
        BASE,
        &BASE.replace("  - bob\n", "  - bob\n  - cid\n"),
        &BASE.replace("  - ann\n", ""),
        &BASE.replace("  - ann\n  - bob\n", "  - bob\n  - cid\n"),
    );
    merges(
        Format::Yaml,
        BASE,
        &BASE.replace("name: x\n", "name: x\nnew: 1\n"),
        &BASE.replace("name: x\n", "name: x\nother: 1\n"),
        &BASE.replace("name: x\n", "name: x\nnew: 1\nother: 1\n"),
    );
    merges(
        Format::Yaml,
        BASE,
        &BASE.replace("name: x\n", ""),
        &BASE.replace("name: x\n", "name: x\nother: 1\n"),
        &BASE.replace("\nname: x\n", "other: 1\n\n"),
    );
}

#[test]
fn one_side_may_lay_the_file_out_anew() {
    let anew = BASE
        .replace("\n  ", "\n    ")
        .replace("\n    - ", "\n        - ")
        .replace("host: a   #", "host: 'a' #");
    merges(
        Format::Yaml,
        BASE,
        &anew,
        &BASE.replace("port: 1", "port: 2\n  tls: true\n  deep:\n    er: 1"),
        &anew.replace("port: 1", "port: 2\n    tls: true\n    deep:\n      er: 1"),
    );
}

#[test]
fn what_both_change_is_a_conflict_and_nothing_else() {
    let ours = BASE.replace("host: a ", "host: b ").replace("port: 1", "port: 2");
    let theirs = BASE.replace("host: a ", "host: c ").replace("name: x", "name: y");
    clashes(Format::Yaml, BASE, &ours, &theirs, &[("[\"db\"][\"host\"]", Disagreement::Changed)]);
    let merged = three(Format::Yaml, BASE, &ours, &theirs);
    let expected = BASE.replace("port: 1", "port: 2").replace("name: x", "name: y");
    assert_eq!(text(&merged.ours), expected.replace("host: a ", "host: b "));
    assert_eq!(text(&merged.theirs), expected.replace("host: a ", "host: c "));
    let choices = [Choice { path: "[\"db\"]".into(), side: Side::Theirs }];
    let wishes = Wishes { choices: &choices, ..Wishes::default() };
    let merged =
        merge(Format::Yaml, Before::Text(BASE.as_bytes()), ours.as_bytes(), theirs.as_bytes(), wishes)
            .unwrap();
    assert_eq!(merged.conflicts, []);
    assert_eq!(text(&merged.ours), expected.replace("host: a ", "host: c "));
}

#[test]
fn removal_against_change_is_a_conflict() {
    let gone = BASE.replace("  port: 1\n", "");
    let changed = BASE.replace("port: 1", "port: 2");
    let path = "[\"db\"][\"port\"]";
    clashes(Format::Yaml, BASE, &gone, &changed, &[(path, Disagreement::Removed { by: Side::Ours })]);
    clashes(Format::Yaml, BASE, &changed, &gone, &[(path, Disagreement::Removed { by: Side::Theirs })]);
}

#[test]
fn both_may_empty_a_map() {
    merges(
        Format::Yaml,
        "m:\n  a: 1\n  b: 2\nz: 1\n",
        "m:\n  a: 1\nz: 1\n",
        "m:\n  b: 2\nz: 1\n",
        "m: {}\nz: 1\n",
    );
    merges(
        Format::Yaml,
        "l:\n- m: 1\n  n: 2\n- x\n",
        "l:\n- m: 1\n- x\n",
        "l:\n- n: 2\n- x\n",
        "l:\n- {}\n- x\n",
    );
}

#[test]
fn the_first_entry_behind_a_dash_may_go_or_come() {
    let base = "l:\n  - a: 1\n    b: 2\n    c: 3\n";
    merges(
        Format::Yaml,
        base,
        "l:\n  - b: 2\n    c: 3\n",
        "l:\n  - a: 1\n    b: 2\n    c: 4\n",
        "l:\n  - b: 2\n    c: 4\n",
    );
    merges(
        Format::Yaml,
        base,
        "l:\n  - n: 0\n    a: 1\n    b: 2\n    c: 3\n",
        "l:\n  - a: 1\n    b: 2\n    c: 4\n",
        "l:\n  - n: 0\n    a: 1\n    b: 2\n    c: 4\n",
    );
    merges(
        Format::Yaml,
        "l:\n  - a: 1\n    # about b\n    b: 2\n    c: 3\n",
        "l:\n  - # about b\n    b: 2\n    c: 3\n",
        "l:\n  - a: 1\n    # about b\n    b: 2\n    c: 4\n",
        "l:\n  - # about b\n    b: 2\n    c: 4\n",
    );
}

#[test]
fn files_that_both_added_merge_by_their_keys() {
    merges(Format::Yaml, "", "a: 1\nb: 2\n", "a: 1\nc: 3\n", "a: 1\nb: 2\nc: 3\n");
    clashes(Format::Yaml, "", "a: 1\n", "a: 2\n", &[("[\"a\"]", Disagreement::Added)]);
    clashes(Format::Yaml, "", "a: [1]\n", "a: [1, 2]\n", &[("[\"a\"]", Disagreement::Added)]);
}

#[test]
fn flow_and_json_merge_between_commas() {
    merges(
        Format::Yaml,
        "a: {x: 1, y: 2}\n",
        "a: {x: 2, y: 2}\n",
        "a: {x: 1, y: 2, z: 3}\n",
        "a: {x: 2, y: 2, z: 3}\n",
    );
    merges(Format::Yaml, "a: [1, 2]\n", "a: [2]\n", "a: [1, 2, 3]\n", "a: [2, 3]\n");
    let base = "{\n  \"a\": 1,\n  \"b\": {\n    \"c\": 2\n  }\n}\n";
    merges(
        Format::Json,
        base,
        &base.replace("\"c\": 2\n", "\"c\": 2,\n    \"d\": 3\n"),
        &base.replace("  \"a\": 1,\n", ""),
        "{\n  \"b\": {\n    \"c\": 2,\n    \"d\": 3\n  }\n}\n",
    );
    merges(Format::Json, "{}", "{\"a\": 1}", "{\"b\": 2}", "{\"a\": 1, \"b\": 2}");
}

#[test]
fn flat_formats_merge_by_lines() {
    merges(
        Format::Dotenv,
        "A=1\n# b\nB=2\n",
        "A=1\n# b\nB=3\nC=4\n",
        "A=2\n# b\nB=2\nD=5\n",
        "A=2\n# b\nB=3\nC=4\nD=5\n",
    );
    let base = "top = 1\n[one]\na = 1\nb = 2\n\n[two]\nc = 3\n";
    merges(
        Format::Ini,
        base,
        "top = 2\n[one]\na = 1\n\n[two]\nc = 3\n[three]\nd = 1\n",
        "top = 1\n[one]\na = 1\nb = 2\nb2 = 1\n\n[two]\nc = 4\n",
        "top = 2\n[one]\na = 1\nb2 = 1\n\n[two]\nc = 4\n[three]\nd = 1\n",
    );
}

#[test]
fn comments_merge_by_lines_or_clash() {
    let base = "# one\n# two\na: 1\nb: 2\n";
    merges(
        Format::Yaml,
        base,
        "# 1\n# two\na: 1\nb: 2\n",
        "# one\n# 2\na: 1\nb: 3\n",
        "# 1\n# 2\na: 1\nb: 3\n",
    );
    clashes(
        Format::Yaml,
        "k: 0\n# one\na: 1\n",
        "k: 0\n# eins\na: 1\n",
        "k: 0\n# un\na: 1\n",
        &[("[\"a\"]", Disagreement::Comment)],
    );
}

#[test]
fn a_base_that_nobody_knows_makes_every_difference_a_conflict() {
    let ours = "a: 1\nb:\n  c: 1\n  d: 2\nl: [1, 2]\nm: [1]\n";
    let theirs = "a: 1\nb:\n  c: 2\n  e: 2\nl: [1, 3]\nm: [1, 2]\n";
    let merged =
        merge(Format::Yaml, Before::Unknown, ours.as_bytes(), theirs.as_bytes(), Wishes::default()).unwrap();
    let found: Vec<(&str, Disagreement)> =
        merged.conflicts.iter().map(|it| (it.path.as_str(), it.kind)).collect();
    let only = |side| Disagreement::Only { side };
    assert_eq!(
        found,
        [
            ("[\"b\"][\"c\"]", Disagreement::Differs),
            ("[\"b\"][\"d\"]", only(Side::Ours)),
            ("[\"b\"][\"e\"]", only(Side::Theirs)),
            ("[\"l\"][1]", Disagreement::Differs),
            ("[\"m\"]", Disagreement::Differs),
        ]
    );
    assert_eq!(text(&merged.ours), ours);
    assert_eq!(text(&merged.theirs), theirs);
}

#[test]
fn aliases_keep_what_they_stand_for() {
    let base = "a: &x\n  k: 1\nb: *x\nc: 1\n";
    merges(
        Format::Yaml,
        base,
        "a: &x\n  k: 2\nb: *x\nc: 1\n",
        "a: &x\n  k: 1\nb: *x\nc: 1\nd: *x\n",
        "a: &x\n  k: 2\nb: *x\nc: 1\nd: *x\n",
    );
    // Without its anchor, theirs' alias stands for nothing.
    let merged = three(Format::Yaml, base, "c: 1\n", "a: &x\n  k: 1\nb: *x\nc: 1\nd: *x\n");
    assert!(!merged.conflicts.is_empty());
}

#[test]
fn files_without_a_last_line_break_stay_so() {
    merges(Format::Yaml, "a: 1\nb: 2", "a: 2\nb: 2", "a: 1\nb: 3", "a: 2\nb: 3");
    merges(Format::Yaml, "a: 1\nb: 2", "a: 2\nb: 2", "a: 1\nb: 2\nc: 3\n", "a: 2\nb: 2\nc: 3\n");
}

#[test]
fn a_block_scalar_at_the_very_end_is_not_changed_on_the_side() {
    let merged = three(Format::Yaml, "a: 1\nb: |\n  x", "a: 2\nb: |\n  x", "a: 1\nb: |\n  x");
    assert_eq!((text(&merged.ours), merged.conflicts.len()), ("a: 2\nb: |\n  x", 0));
    clashes(
        Format::Yaml,
        "a: 1\nb: |\n  x",
        "a: 2\nb: |\n  x",
        "a: 1\nb: |\n  y",
        &[("", Disagreement::Changed)],
    );
}

#[test]
fn several_documents_merge_one_by_one() {
    merges(Format::Yaml, "a: 1\n---\nb: 1\n", "a: 2\n---\nb: 1\n", "a: 1\n---\nb: 2\n", "a: 2\n---\nb: 2\n");
    clashes(
        Format::Yaml,
        "a: 1\n---\nb: 1\n",
        "a: 2\n---\nb: 1\n",
        "a: 1\n---\nb: 1\n---\nc: 1\n",
        &[("", Disagreement::Changed)],
    );
}
