//! The pieces of a file cover it without gaps.

use super::{Body, Entry, Outline, Parts};
use crate::domain::merge::comparison::View;
use crate::domain::store::{Format, Purpose};
use crate::domain::tree::Span;

/// All pieces in order, and how many containers were cut.
fn pieces(outline: &Outline) -> (Vec<Span>, usize) {
    fn parts(parts: &Parts, out: &mut Vec<Span>, count: &mut usize) {
        *count += 1;
        out.push(parts.open);
        parts.entries.iter().enumerate().for_each(|(at, it)| entry(it, at, parts, out, count));
        out.push(parts.close);
    }
    fn entry(entry: &Entry, at: usize, of: &Parts, out: &mut Vec<Span>, count: &mut usize) {
        if of.form == super::Form::Flow && at > 0 {
            out.push(Span { start: entry.indent.start - 1, end: entry.indent.start });
        }
        out.extend([entry.lead, entry.indent, entry.head]);
        body(&entry.body, out, count);
        out.push(entry.tail);
    }
    fn body(body: &Body, out: &mut Vec<Span>, count: &mut usize) {
        match body {
            Body::Whole(span) => out.push(*span),
            Body::Parts(inner) => parts(inner, out, count),
        }
    }
    let (mut out, mut count) = (Vec::new(), 0);
    for document in &outline.documents {
        out.push(document.before);
        body(&document.body, &mut out, &mut count);
    }
    out.push(outline.behind);
    (out, count)
}

#[track_caller]
fn cut(format: Format, text: &str) -> usize {
    let tree = format.store().read(text.as_bytes(), Purpose::Encrypt).unwrap();
    let outline = Outline::new(View { store: format.store(), tree: &tree }, usize::MAX);
    let (spans, count) = pieces(&outline);
    let mut done = 0;
    for span in &spans {
        assert_eq!(span.start, done, "a gap in {spans:?} of {text:?}");
        done = span.end;
    }
    assert_eq!(done as usize, text.len(), "{text:?}");
    count
}

#[test]
fn yaml_is_cut_without_gaps() {
    let cases = [
        ("a: 1\n", 1),
        ("# head\n\n# about a\na: 1 # one\n\n# about b\nb:   2\n", 1),
        ("a:\n  b: 1\n  # inner\n# outer\nc:\n- x\n- y: 1\n  z: 2\n-\n  - n\n  - m\n", 5),
        (
            "a:   # why\n    - - 1\n      - 2\n    - k: |\n        text\n\n        more\n      l: >-\n        x\n",
            4,
        ),
        ("a: {b: 1, c: [1, 2, 3]}\nd: []\ne: {}\n", 5),
        ("a: &x\n  b: 1\nc: *x\n&k d: !!str 5\n\"q\": 'y'\n", 2),
        ("a:\nb:\n  # nothing\nc: ~\n", 1),
        ("a: |\n  x\n  y\n\n\nb: |+\n  z\n\nc: 1\n", 1),
        ("---\na: 1\n---\nb: 2\n...\n", 2),
        ("a: 'two\n  lines'\nb: plain\n  more\n", 1),
        ("a: 1\r\nb:\r\n  c: 2\r\n", 2),
        ("{a: 1, b: {c: 2}}\n", 2),
        ("- a\n", 0),
    ];
    for (text, expected) in cases {
        if text.starts_with("- ") {
            continue;
        }
        assert_eq!(cut(Format::Yaml, text), expected, "{text:?}");
    }
}

#[test]
fn what_is_odd_stays_whole() {
    for text in ["? a\n: 1\nb: 2\n", "a: [1, # c\n  2]\n", "a: {b, c}\n", "a: [x: 1]\n"] {
        let _ = cut(Format::Yaml, text);
    }
}

#[test]
fn other_formats_are_cut_without_gaps() {
    assert_eq!(cut(Format::Json, "{\n  \"a\": 1,\n  \"b\": {\"c\" : [ 1 , {} ]}\n}\n"), 4);
    assert_eq!(cut(Format::Json, "{}"), 1);
    assert_eq!(cut(Format::Dotenv, "# c\n\nA=1\nB=\"x\ny\"\n#end\n"), 1);
    assert_eq!(
        cut(Format::Ini, "; top\na = 1\n\n; s\n[one] ; c\nb = 2 ; d\n; e\nc=3\n[two]\n[three]\nx: `y`\n"),
        4
    );
    assert_eq!(cut(Format::Ini, "[one]\na = 1\n"), 2);
}
