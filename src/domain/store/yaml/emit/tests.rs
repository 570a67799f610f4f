//! Texts recorded from `sops decrypt` (3.11.0) of the same values.

use super::{emit, emit_value};
use crate::domain::scalar::{Scalar, Timestamp};
use crate::domain::store::Layout;
use crate::domain::store::yaml::emit_scalar::fits_plain_in_flow;
use crate::domain::value::{Entry, Value};

fn text(value: &str) -> Value {
    Value::text(value)
}

fn map(entries: Vec<(&str, Value)>) -> Value {
    Value::Map(entries.into_iter().map(|(key, value)| pair(key, value)).collect())
}

fn pair(key: &str, value: Value) -> Entry {
    match key.strip_prefix('#') {
        Some(comment) if value == Value::Scalar(Scalar::Null) => {
            Entry::Comment(comment.as_bytes().to_vec().into())
        }
        _ => Entry::Pair(key.into(), value),
    }
}

const HASH: Value = Value::Scalar(Scalar::Null);

fn note(comment: &str) -> Value {
    Value::Comment(comment.as_bytes().to_vec().into())
}

fn int(value: i64) -> Value {
    Value::Scalar(Scalar::Int(value))
}

fn printed(document: Value) -> String {
    String::from_utf8(emit(&[document], Layout::default()).unwrap()).unwrap()
}

#[test]
fn strings_take_the_style_that_sops_gives_them() {
    let table: &[(&str, &str)] = &[
        ("it's", "it's"),
        ("'x", "'''x'"),
        ("say \"hi\"", "say \"hi\""),
        ("\"hi\"", "'\"hi\"'"),
        ("a: b", "'a: b'"),
        ("a:", "'a:'"),
        ("a #b", "'a #b'"),
        ("#b", "'#b'"),
        ("- a", "'- a'"),
        ("-", "'-'"),
        ("? x", "'? x'"),
        ("?", "'?'"),
        ("?x", "?x"),
        (":x", ":x"),
        ("@x", "'@x'"),
        ("%x", "'%x'"),
        ("---x", "'---x'"),
        ("...", "'...'"),
        ("a, b", "a, b"),
        ("=", "="),
        ("a\\b", "a\\b"),
        ("1.2.3", "1.2.3"),
        ("a#b", "a#b"),
        ("x]", "x]"),
        ("~", "\"~\""),
        ("null", "\"null\""),
        ("true", "\"true\""),
        ("12", "\"12\""),
        ("1_000", "\"1_000\""),
        ("0x1f", "\"0x1f\""),
        ("1e3", "\"1e3\""),
        ("2024-01-02", "\"2024-01-02\""),
        ("n", "\"n\""),
        ("Off", "\"Off\""),
        ("12:30:45", "\"12:30:45\""),
        ("12:30", "\"12:30\""),
        ("12:60", "12:60"),
        ("18446744073709551615", "\"18446744073709551615\""),
        ("", "\"\""),
        (" lead", "' lead'"),
        ("trail ", "'trail '"),
        ("a\tb", "\"a\\tb\""),
        ("a\r\nb", "\"a\\r\\nb\""),
        ("ends \nnext", "\"ends \\nnext\""),
        ("\u{1f600}", "\"\\U0001F600\""),
        ("\u{feff}x", "\"\\uFEFF\\x78\""),
        ("\u{a0}é", "\u{a0}é"),
        ("\u{85}\u{a0}", "\"\\N\u{a0}\""),
        ("\u{7f}\u{0}\u{1b}", "\"\\x7F\\0\\e\""),
        ("<<", "!!merge <<"),
        ("a\tb\nc", "|-\n    a\tb\n    c"),
        ("\n", "|4+\n"),
        ("\n\n", "|4+\n\n"),
        ("\nabc", "|4-\n\n    abc"),
        ("a\n\nb\n", "|\n    a\n\n    b"),
        ("a\n\n", "|+\n    a\n"),
        (" a\nb", "|4-\n     a\n    b"),
        // Where SOPS loses or breaks the value we write what reads back.
        ("\ta\nb", "\"\\ta\\nb\""),
        ("a\u{2028}b", "\"a\\Lb\""),
        ("a\nb\u{2029}", "\"a\\nb\\P\""),
    ];
    for (value, expected) in table {
        let printed = printed(map(vec![("v", text(value))]));
        assert_eq!(printed, format!("v: {expected}\n"), "{value:?}");
    }
}

#[test]
fn other_scalars() {
    let time = Timestamp::parse_rfc3339(b"2024-01-02T03:04:05.10+02:00").unwrap();
    let document = map(vec![
        ("a", HASH),
        ("b", Value::Scalar(Scalar::Bool(true))),
        ("c", int(-5)),
        ("d", Value::Scalar(Scalar::Float(1e6))),
        ("e", Value::Scalar(Scalar::Time(time))),
        ("f", Value::Scalar(Scalar::Str(vec![0xff].into()))),
        ("g", Value::Scalar(Scalar::Str(vec![0xff; 54].into()))),
    ]);
    let packed = "/".repeat(70);
    assert_eq!(
        printed(document),
        format!(
            "a: null\nb: true\nc: -5\nd: 1e+06\ne: 2024-01-02T03:04:05.1+02:00\nf: !!binary /w==\n\
             g: !!binary |\n    {packed}\n    //\n"
        )
    );
}

#[test]
fn containers_indent_as_in_sops() {
    let inner = map(vec![("b", int(2)), ("c", map(vec![]))]);
    let lists = Value::List(vec![Value::List(vec![Value::List(vec![int(1), inner])])]);
    let groups = Value::List(vec![map(vec![("x", Value::List(vec![map(vec![("enc", text("l1\nl2\n"))])]))])]);
    let document = map(vec![("a", lists), ("e", Value::List(vec![])), ("g", groups)]);
    let expected = "a:\n    - - - 1\n        - b: 2\n          c: {}\ne: []\ng:\n    - x:\n        - enc: |\n            l1\n            l2\n";
    assert_eq!(printed(document), expected);
    // SOPS writes 4 as the digit here, and cannot read it back.
    let document = map(vec![("l", Value::List(vec![text("  x\ny\n"), map(vec![("k", text(" x\ny"))])]))]);
    assert_eq!(printed(document), "l:\n    - |2\n        x\n      y\n    - k: |2-\n         x\n        y\n");
}

#[test]
fn long_and_multi_line_keys() {
    let long = "x".repeat(129);
    let document = map(vec![
        ("a\nb", map(vec![("c", int(1)), ("d", int(2))])),
        (&long, Value::List(vec![int(1), int(2)])),
        ("", int(0)),
        ("<<", int(0)),
        ("e\r", int(0)),
    ]);
    let expected = format!(
        "? |-\n    a\n    b\n:   c: 1\n    d: 2\n? {long}\n:   - 1\n    - 2\n\"\": 0\n!!merge <<: 0\n? \"e\\r\"\n: 0\n"
    );
    assert_eq!(printed(document), expected);
}

#[test]
fn comments_stand_where_go_yaml_puts_them() {
    let document = map(vec![
        ("# top", HASH),
        ("a", map(vec![("# head", HASH), ("b", int(1)), ("# tail", HASH)])),
        ("# mid", HASH),
        ("#", HASH),
        (
            "c",
            Value::List(vec![note(" one"), map(vec![("# two", HASH), ("x", int(1))]), int(2), note(" end")]),
        ),
        ("# last", HASH),
    ]);
    let expected = "# top\na:\n    # head\n    b: 1\n    # tail\n# mid\n#\nc:\n    # one\n    # two\n    - x: 1\n    - 2\n    # end\n# last\n";
    assert_eq!(printed(document), expected);
    // The foot of a nested list waits for the next scalar, or for the end.
    let list = || Value::List(vec![Value::List(vec![int(1)]), note(" c1")]);
    assert_eq!(printed(map(vec![("a", list())])), "a:\n    - - 1\n\n# c1\n");
    let document = map(vec![("a", list()), ("b", text("x")), ("c", text("y"))]);
    assert_eq!(printed(document), "a:\n    - - 1\nb: x\n# c1\n\nc: \"y\"\n");
    let document = map(vec![("a", list()), ("k", Value::List(vec![Value::List(vec![int(2)])]))]);
    assert_eq!(printed(document), "a:\n    - - 1\nk:\n# c1\n    - - 2\n");
    // SOPS drops the comment of an empty list in front of another comment.
    let document = map(vec![("d", Value::List(vec![note(" c")])), ("# e", HASH), ("e", int(1))]);
    assert_eq!(printed(document), "d: []\n# c\n# e\ne: 1\n");
    let document = map(vec![("d", Value::List(vec![note(" c")]))]);
    assert_eq!(printed(document), "d: []\n# c\n");
    assert_eq!(printed(map(vec![("# only", HASH)])), "# only\n{}\n");
}

#[test]
fn documents_and_single_values() {
    let documents = [map(vec![("a", text("x\n\n"))]), map(vec![]), map(vec![("b", int(1))])];
    let out = emit(&documents, Layout { indent: Some(2) }).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), "a: |+\n  x\n\n---\n{}\n---\nb: 1\n");
    assert!(emit(&[int(1)], Layout::default()).is_err());
    assert_eq!(emit_value(&text("a\nb")), b"a\nb");
    assert_eq!(emit_value(&int(1)), b"1\n");
    assert_eq!(emit_value(&Value::List(vec![int(1), text("y")])), b"- 1\n- \"y\"\n");
}

#[test]
fn depth_costs_no_stack() {
    let mut value = map(vec![("k", int(1))]);
    for _ in 0..2_000 {
        value = Value::List(vec![value]);
    }
    let out = printed(map(vec![("a", value)]));
    assert!(out.ends_with("k: 1\n"));
}

#[test]
fn plain_in_flow() {
    for (value, fits) in [
        ("abc", true),
        ("a b", true),
        ("a,b", false),
        ("-x", true),
        ("a:b", true),
        ("?x", false),
        ("a ? b", false),
        ("true", false),
    ] {
        assert_eq!(fits_plain_in_flow(value.as_bytes()), fits, "{value}");
    }
}
