//! What the JSON store reads, keeps and prints. Expected texts of SOPS were
//! recorded from its releases.

use proptest::prelude::*;

use super::{Json, sops_indent};
use crate::domain::scalar::Scalar;
use crate::domain::store::splice::apply;
use crate::domain::store::{Layout, Plain, Purpose, Store};
use crate::domain::tree::{Flags, Kind, NodeId, Style, Tree};
use crate::domain::value::{Entry, Value};

fn read(source: &[u8]) -> Tree<'_> {
    Json.read(source, Purpose::Encrypt).unwrap_or_else(|error| panic!("{error} in {source:?}"))
}

fn metadata() -> Value {
    let key = Value::Map(vec![
        Entry::Pair("enc".into(), Value::text("a\nb")),
        Entry::Pair("recipient".into(), Value::text("age1")),
    ]);
    Value::Map(vec![
        Entry::Pair("age".into(), Value::List(vec![key])),
        Entry::Pair("lastmodified".into(), Value::text("then")),
        Entry::Pair("mac".into(), Value::text("ENC[x]")),
        Entry::Pair("mac_only_encrypted".into(), Value::Scalar(Scalar::Bool(true))),
    ])
}

fn scalar_of(literal: &str) -> Scalar<'static> {
    let source = format!("{{\"k\": {literal}}}");
    let tree = read(source.as_bytes());
    Json.scalar(&tree, 1).into_owned()
}

/// Layouts that the owner of a file may have chosen.
const LAYOUTS: [&str; 18] = [
    "{}",
    "{}\n",
    "{ }",
    "{\n}\n",
    "{\t\r\n }\r\n",
    " {}",
    "{\"a\":1}",
    "{\"a\": 1, \"b\": [1, 2]}\n",
    "{ \"a\" : \"x\" }",
    "{\n\t\"a\": 1\n}\n",
    "{\n  \"a\": {\n    \"b\": []\n  },\n  \"c\": [\n    1\n  ]\n}",
    "{\r\n    \"a\": 1\r\n}\r\n",
    "{\n\"a\": 1\n}\n",
    "{\"a\": 1\n, \"b\": 2\n}",
    "{\n\n  \"a\": 1,\n\n  \"b\": 2\n\n}\n\n",
    "  {\n    \"a\": 1\n  }\n",
    "{\"a\": {\n}}",
    "{\n \"a\" :\n 1 }",
];

#[test]
fn metadata_comes_and_goes_without_a_trace() {
    for source in LAYOUTS {
        let plain = read(source.as_bytes());
        let locked = apply(source.as_bytes(), Json.attach(&plain, &metadata()));
        let tree = read(&locked);
        assert_eq!(Json.metadata(&tree).unwrap(), Some(metadata()), "{source:?}");
        let bare = apply(&locked, Json.detach(&tree));
        assert_eq!(String::from_utf8(bare).unwrap(), source);
        let kept = Json.metadata_text(&tree, &[]);
        assert_eq!(apply(source.as_bytes(), Json.attach_text(&plain, &kept)), locked, "{source:?}");
    }
}

#[test]
fn metadata_takes_the_indentation_of_the_file() {
    let source = b"{\n  \"a\": 1\n}\n";
    let locked = apply(source, Json.attach(&read(source), &metadata()));
    let expected = "{\n  \"a\": 1,\n  \"sops\": {\n    \"age\": [\n      {\"enc\": \"a\\nb\", \"recipient\": \
                    \"age1\"}\n    ],\n    \"lastmodified\": \"then\",\n    \"mac\": \"ENC[x]\",\n    \
                    \"mac_only_encrypted\": true\n  }\n}\n";
    assert_eq!(String::from_utf8(locked.clone()).unwrap(), expected);
    assert_eq!(sops_indent(&read(&locked)), None);
}

#[test]
fn files_of_sops_are_told_by_their_metadata() {
    let document = Value::Map(vec![Entry::Pair("sops".into(), metadata())]);
    for indent in [None, Some(0), Some(2), Some(4)] {
        let file = Json.emit(std::slice::from_ref(&document), Layout { indent }).unwrap();
        assert_eq!(sops_indent(&read(&file)), indent);
    }
}

#[test]
fn metadata_may_stand_anywhere() {
    let cases = [
        ("{\"sops\": {}, \"a\": 1}", "{\"a\": 1}"),
        ("{\"a\": 1, \"sops\": {}, \"b\": 2}", "{\"a\": 1, \"b\": 2}"),
        ("{\n\t\"sops\": {}\n}\n", "{}\n"),
        ("{\"a\": 1}", "{\"a\": 1}"),
    ];
    for (locked, plain) in cases {
        let tree = read(locked.as_bytes());
        assert_eq!(apply(locked.as_bytes(), Json.detach(&tree)), plain.as_bytes(), "{locked}");
    }
}

#[test]
fn broken_metadata_is_refused_in_the_words_of_sops() {
    for (source, message) in [
        ("{\"sops\": {}, \"sops\": {}}", "Found duplicate sops entry"),
        ("{\"sops\": 1}", "Found sops entry that is not a mapping"),
    ] {
        assert_eq!(Json.metadata(&read(source.as_bytes())).unwrap_err().message, message);
    }
    assert_eq!(Json.metadata(&read(b"{\"a\": {\"sops\": {}}}")).unwrap(), None);
}

#[test]
fn metadata_fields_change_in_their_place() {
    let source =
        "{\n  \"a\": 1,\n  \"sops\": {\n    \"x\": \"1\",\n    \"mac\": \"m\",\n    \"n\": [1]\n  }\n}\n";
    let tree = read(source.as_bytes());
    let text =
        |changes: &[(&str, Option<&str>)]| String::from_utf8(Json.metadata_text(&tree, changes).0).unwrap();
    let lead = "\n  \"sops\": {\n    ";
    type Changes<'a> = &'a [(&'a str, Option<&'a str>)];
    let cases: [(Changes<'_>, &str); 5] = [
        (&[], "\"x\": \"1\",\n    \"mac\": \"m\",\n    \"n\": [1]\n  }"),
        (&[("mac", Some("q\"")), ("x", None)], "\"mac\": \"q\\\"\",\n    \"n\": [1]\n  }"),
        (&[("mac", None), ("n", None)], "\"x\": \"1\"\n  }"),
        (&[("z", Some("2"))], "\"x\": \"1\",\n    \"mac\": \"m\",\n    \"n\": [1],\n    \"z\": \"2\"\n  }"),
        (&[("y", None)], "\"x\": \"1\",\n    \"mac\": \"m\",\n    \"n\": [1]\n  }"),
    ];
    for (changes, expected) in cases {
        assert_eq!(text(changes), format!("{lead}{expected}"));
    }
}

#[test]
fn what_is_not_a_json_object_is_refused() {
    let cases: [(&[u8], usize); 22] = [
        (b"", 1),
        (b" \n", 2),
        (b"[1]", 1),
        (b"1", 1),
        (b"\xef\xbb\xbf{}", 1),
        (b"{\"a\": \"\xff\"}", 1),
        (b"{} {}", 1),
        (b"{}\n\nx", 3),
        (b"{\"a\": 1,}", 1),
        (b"{\"a\": [1,]}", 1),
        (b"{\"a\" 1}", 1),
        (b"{a: 1}", 1),
        (b"{\"a\": 01}", 1),
        (b"{\"a\": 1.}", 1),
        (b"{\"a\": +1}", 1),
        (b"{\"a\": 1e}", 1),
        (b"{\"a\":\n\n1e400}", 3),
        (b"{\"a\": nul}", 1),
        (b"{\"a\": \"\t\"}", 1),
        (b"{\"a\": \"\\x\"}", 1),
        (b"{\"a\": \"\\u12g4\"}", 1),
        (b"{\"a\": \"b", 1),
    ];
    for (source, line) in cases {
        let error = Json.read(source, Purpose::Encrypt).expect_err(&format!("{source:?}"));
        assert_eq!(error.line, Some(line), "{source:?}: {error}");
    }
}

#[test]
fn strings_decode_as_in_go() {
    let cases = [
        (r#""a\"b\\c\/d""#, "a\"b\\c/d"),
        (r#""\b\f\n\r\t""#, "\u{8}\u{c}\n\r\t"),
        (r#""\u00e9\u2028\u0000""#, "é\u{2028}\0"),
        (r#""\ud83d\ude00""#, "😀"),
        (r#""\ud83d""#, "\u{fffd}"),
        (r#""\ud83dx\ude00""#, "\u{fffd}x\u{fffd}"),
        (r#""\ud83d\u0041""#, "\u{fffd}A"),
        (r#""\ud83d\ud83d\ude00""#, "\u{fffd}😀"),
        ("\"\u{7f}é😀\"", "\u{7f}é😀"),
        ("\"\"", ""),
    ];
    for (literal, text) in cases {
        assert_eq!(scalar_of(literal), Scalar::Str(text.into()), "{literal}");
    }
}

#[test]
fn numbers_are_integers_where_they_fit() {
    let cases = [
        ("0", Scalar::Int(0)),
        ("-0", Scalar::Int(0)),
        ("9223372036854775807", Scalar::Int(i64::MAX)),
        ("-9223372036854775808", Scalar::Int(i64::MIN)),
        ("9223372036854775808", Scalar::Float(9_223_372_036_854_775_808.0)),
        ("1.0", Scalar::Float(1.0)),
        ("1e3", Scalar::Float(1000.0)),
        ("-1.5E-3", Scalar::Float(-0.0015)),
        ("1e-999", Scalar::Float(0.0)),
        ("true", Scalar::Bool(true)),
        ("false", Scalar::Bool(false)),
        ("null", Scalar::Null),
    ];
    for (literal, value) in cases {
        assert_eq!(scalar_of(literal), value, "{literal}");
    }
}

#[test]
fn files_print_as_sops_prints_them() {
    let source = concat!(
        r#"{"i":1,"f":1.50,"e21":1e21,"s":1e-7,"six":0.000001,"t":true,"nul":null,"emp":"","eo":{},"ea":[],"#,
        r#""html":"<a href=\"x\">&</a>","u":"\u2028\u00e9\ud83d\ude00\u0000\u0007\u007f/","nest":{"y":[1,[]]},"#,
        r#""dup":1,"dup":2}"#
    );
    let expected = concat!(
        "{\n\t\"i\": 1,\n\t\"f\": 1.5,\n\t\"e21\": 1e+21,\n\t\"s\": 1e-7,\n\t\"six\": 0.000001,\n\t\"t\": true,",
        "\n\t\"nul\": null,\n\t\"emp\": \"\",\n\t\"eo\": {},\n\t\"ea\": [],",
        "\n\t\"html\": \"\\u003ca href=\\\"x\\\"\\u003e\\u0026\\u003c/a\\u003e\",",
        "\n\t\"u\": \"\\u2028é😀\\u0000\\u0007\u{7f}/\",",
        "\n\t\"nest\": {\n\t\t\"y\": [\n\t\t\t1,\n\t\t\t[]\n\t\t]\n\t},\n\t\"dup\": 1,\n\t\"dup\": 2\n}\n"
    );
    let tree = read(source.as_bytes());
    let value = super::value_of(&tree, 0, 0).unwrap();
    let printed = Json.emit(std::slice::from_ref(&value), Layout::default()).unwrap();
    assert_eq!(String::from_utf8(printed).unwrap(), expected);
    let nest = value.get("nest").unwrap();
    let spaces = Json.emit_value(nest.get("y").unwrap(), Layout { indent: Some(1) }).unwrap();
    assert_eq!(spaces, b"[\n 1,\n []\n]");
    assert_eq!(Json.emit_value(&Value::text("a\"\n"), Layout::default()).unwrap(), b"a\"\n");
    assert_eq!(Json.emit(&[], Layout::default()).unwrap(), b"{}\n");
}

#[test]
fn comments_vanish_and_numbers_that_json_lacks_are_refused() {
    let document = Value::Map(vec![
        Entry::Comment("c".into()),
        Entry::Pair("a".into(), Value::List(vec![Value::Comment("d".into())])),
    ]);
    assert_eq!(Json.emit(&[document], Layout::default()).unwrap(), b"{\n\t\"a\": []\n}\n");
    for (number, name) in [(f64::NAN, "NaN"), (f64::INFINITY, "+Inf"), (f64::NEG_INFINITY, "-Inf")] {
        let document = Value::Map(vec![Entry::Pair("a".into(), Value::Scalar(Scalar::Float(number)))]);
        let error = Json.emit(&[document], Layout::default()).unwrap_err();
        assert_eq!(error.message, format!("json: unsupported value: {name}"));
    }
}

#[test]
fn bytes_that_are_not_text_print_as_in_go() {
    let mut out = Vec::new();
    super::write::write_string(b"a\xe2\x82\xff\xc3\xa9", &mut out);
    assert_eq!(String::from_utf8(out).unwrap(), "\"a\\ufffd\\ufffd\\ufffdé\"");
}

#[test]
fn spellings_are_used_only_for_their_value() {
    let tree = read(b"{\"a\": \"ENC[]\"}");
    let cases: [(&str, Scalar<'_>, bool); 12] = [
        ("\"\\u0061\"", Scalar::Str("a".into()), true),
        ("\"<\"", Scalar::Str("<".into()), true),
        ("\"a\" ", Scalar::Str("a".into()), false),
        ("\"a\", \"b\": \"a\"", Scalar::Str("a".into()), false),
        ("a", Scalar::Str("a".into()), false),
        ("1", Scalar::Str("1".into()), false),
        ("1.50", Scalar::Float(1.5), true),
        ("15e-1", Scalar::Float(1.5), true),
        ("1.5", Scalar::Float(1.25), false),
        ("-0", Scalar::Int(0), true),
        ("+5", Scalar::Int(5), false),
        ("5", Scalar::Float(5.0), true),
    ];
    for (spelling, value, fits) in cases {
        assert_eq!(Json.spelled(&tree, 1, spelling.as_bytes(), &value).is_some(), fits, "{spelling}");
    }
}

#[test]
fn values_unlock_with_their_type() {
    let tree = read(b"{\"a\": \"ENC[]\"}");
    let cases: [(Scalar<'_>, Option<&[u8]>, &str); 7] = [
        (Scalar::Str("a<".into()), None, "\"a\\u003c\""),
        (Scalar::Int(5), Some(b"+5"), "5"),
        (Scalar::Float(1.5), Some(b"1.50"), "1.50"),
        (Scalar::Float(1e21), None, "1e+21"),
        (Scalar::Float(f64::NAN), None, "\"NaN\""),
        (Scalar::Bool(true), Some(b"TRUE"), "true"),
        (Scalar::Null, None, "null"),
    ];
    for (value, spelling, text) in cases {
        let mut out = Vec::new();
        let span = Json.unlock(&tree, 1, Style::DoubleQuoted, &Plain { value, spelling }, &mut out);
        assert_eq!(tree.raw(span), b"\"ENC[]\"");
        assert_eq!(String::from_utf8(out).unwrap(), text);
    }
}

#[test]
fn members_come_and_go_in_the_layout_of_their_neighbours() {
    let one = || Value::Scalar(Scalar::Int(1));
    let map = || Value::Map(vec![Entry::Pair("k".into(), Value::List(vec![one()]))]);
    let insert = |source: &str, id: NodeId, value: Value| {
        let tree = read(source.as_bytes());
        String::from_utf8(apply(source.as_bytes(), Json.insert(&tree, id, "n", &value).unwrap())).unwrap()
    };
    let tabs = "{\n\t\"a\": {\n\t\t\"b\": 1\n\t},\n\t\"e\": {}\n}\n";
    assert_eq!(insert(tabs, 1, one()), tabs.replace("\"b\": 1", "\"b\": 1,\n\t\t\"n\": 1"));
    assert_eq!(insert(tabs, 3, one()), tabs.replace("{}", "{\n\t\t\"n\": 1\n\t}"));
    assert_eq!(
        insert(tabs, 0, map()),
        tabs.replace("{}", "{},\n\t\"n\": {\n\t\t\"k\": [\n\t\t\t1\n\t\t]\n\t}")
    );
    assert_eq!(insert("{}", 0, one()), "{\n\t\"n\": 1\n}");
    assert_eq!(insert("{\"a\":1}", 0, map()), "{\"a\":1,\"n\":{\"k\":[1]}}");
    assert_eq!(insert("{\"a\": 1}", 0, one()), "{\"a\": 1, \"n\": 1}");
    assert_eq!(insert("{\"a\": 1, \"sops\": {}}", 0, one()), "{\"a\": 1, \"n\": 1, \"sops\": {}}");
    assert_eq!(insert("{\n  \"sops\": {}\n}", 0, one()), "{\n  \"n\": 1,\n  \"sops\": {}\n}");

    let list = "{\r\n  \"a\": [\r\n    1\r\n  ], \"b\": []\r\n}";
    let tree = read(list.as_bytes());
    let appended = apply(list.as_bytes(), Json.append(&tree, 1, &Value::text("é<")).unwrap());
    assert_eq!(appended, list.replace("1\r\n", "1,\r\n    \"é\\u003c\"\r\n").as_bytes());
    assert!(Json.append(&tree, 0, &one()).is_err());
    assert!(Json.insert(&tree, 1, "k", &one()).is_err());
    assert!(Json.replace(&tree, 0, &one()).is_err());
    assert!(Json.remove(&tree, 0).is_err());
    let replaced = apply(list.as_bytes(), Json.replace(&tree, 3, &Value::List(vec![one()])).unwrap());
    assert_eq!(replaced, list.replace("[]", "[1]").as_bytes());

    for (id, rest) in [
        (1, "{\"b\": 2,\n \"c\": [3, 4]}"),
        (2, "{\"a\": 1,\n \"c\": [3, 4]}"),
        (4, "{\"a\": 1, \"b\": 2,\n \"c\": [4]}"),
    ] {
        let source = b"{\"a\": 1, \"b\": 2,\n \"c\": [3, 4]}";
        let tree = read(source);
        let removed = apply(source, Json.remove(&tree, id).unwrap());
        assert_eq!(String::from_utf8(removed).unwrap(), rest);
    }
}

#[test]
fn nesting_is_limited_and_costs_no_stack() {
    let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    let fits = nested(9_999);
    assert_eq!(read(fits.as_bytes()).nodes.len(), 10_000);
    for source in [nested(10_000), format!("{{\"a\":{}", "[".repeat(1_000_000))] {
        let error = Json.read(source.as_bytes(), Purpose::AsIs).unwrap_err();
        assert_eq!(error.message, "exceeded max depth");
    }
    let deep = format!("{{\"sops\":{}}}", "{\"a\":".repeat(100) + "1" + &"}".repeat(100));
    assert!(Json.metadata(&read(deep.as_bytes())).is_err());
}

/// JSON-like bytes, so that errors happen deep inside.
fn jsonish() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"a\"",
        "\"\\u00e9\"",
        "\"\\ud83d",
        "\\",
        "\"",
        "1",
        "-",
        "1e5",
        "0.5",
        "true",
        "nul",
        " ",
        "\n",
        "é",
        "\"sops\"",
        "{\"a\": 1}",
        "\u{feff}",
    ]);
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat().into_bytes())
}

/// A value with everything in it.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<String>().prop_map(Value::text),
        any::<i64>().prop_map(|number| Value::Scalar(Scalar::Int(number))),
        any::<bool>().prop_map(|value| Value::Scalar(Scalar::Bool(value))),
        Just(Value::Scalar(Scalar::Null)),
        Just(Value::Scalar(Scalar::Float(0.5))),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
            prop::collection::vec((any::<String>(), inner), 0..4).prop_map(|pairs| {
                Value::Map(pairs.into_iter().map(|(key, value)| Entry::Pair(key, value)).collect())
            }),
        ]
    })
}

/// Every leaf locked; then unlocked with its own value, or by its spelling.
fn lock_and_unlock(source: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let tree = read(source);
    let mut edits = Json.attach(&tree, &metadata());
    for id in 0..tree.nodes.len() as NodeId {
        if tree.node(id).kind == Kind::Scalar {
            let mut out = Vec::new();
            let span = Json.lock(&tree, id, Json.token_style(&tree, id), "ENC[x]", &mut out);
            edits.push(crate::domain::store::splice::Edit::new(span, out));
        }
    }
    let locked = apply(source, edits);
    let encrypted = read(&locked);
    let mut edits = Json.detach(&encrypted);
    for id in 0..tree.nodes.len() as NodeId {
        assert_eq!(tree.node(id).kind, encrypted.node(id).kind);
        assert!(!encrypted.node(id).flags.has(Flags::METADATA));
        if tree.node(id).kind == Kind::Scalar {
            let value = Json.scalar(&tree, id);
            let spelling = tree.raw(tree.node(id).span);
            let span = Json.spelled(&encrypted, id, spelling, &value).unwrap();
            let mut own = Vec::new();
            let unlocked = Json.unlock(
                &encrypted,
                id,
                Style::DoubleQuoted,
                &Plain { value: value.clone(), spelling: None },
                &mut own,
            );
            assert_eq!(span, unlocked);
            assert!(Json.spelled(&encrypted, id, &own, &value).is_some());
            edits.push(crate::domain::store::splice::Edit::new(span, spelling));
        }
    }
    (apply(&locked, edits), locked)
}

#[test]
fn bytes_that_are_no_utf_8_are_told_before_what_they_break() {
    let sources: [(&[u8], usize); 5] = [
        (b"\xff\xfe{\0\"\0", 1),
        (b"{\xe9: 1}", 1),
        (b"{\n\"a\": \"\xe9\",\n}", 2),
        (b"{\"a\": 1,\n\"b\": \"\xe9", 2),
        (b"{\"a\": 1} \xff", 1),
    ];
    for (source, line) in sources {
        let error = Json.read(source, Purpose::Encrypt).unwrap_err();
        assert_eq!((&*error.message, error.line), ("the file is not valid UTF-8", Some(line)));
    }
}

#[test]
fn strings_of_any_length_are_what_another_reader_finds() {
    let block = 16 * 1024;
    for before in [block - 7, block - 2, block - 1, block, block + 1, 2 * block - 1, 3 * block] {
        let found = [
            &b"x"[..],
            b"\\n",
            b"\\u00e9",
            "\u{20ac}".as_bytes(),
            b"\xff",
            b"\x1f",
            b"\"",
            b"\\",
            b"\xe2\x82",
        ];
        for what in found {
            for behind in [0, 1, block] {
                let text = [&vec![b'a'; before][..], what, &vec![b'b'; behind]].concat();
                let source = [b"{\"k\": \"", &text[..], b"\"}"].concat();
                let other: Result<serde_json::Value, _> = serde_json::from_slice(&source);
                let ours = Json.read(&source, Purpose::Encrypt);
                assert_eq!(ours.is_ok(), other.is_ok(), "{before} {what:?} {behind}");
                if let (Ok(tree), Ok(other)) = (ours, other) {
                    assert_eq!(tree.text(tree.node(1).text), other["k"].as_str().unwrap().as_bytes());
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn no_input_panics(bytes in prop::collection::vec(any::<u8>(), 0..64), text in jsonish()) {
        for source in [&bytes, &text] {
            if let Ok(tree) = Json.read(source, Purpose::AsIs) {
                let _ = Json.metadata(&tree);
                let _ = apply(source, Json.detach(&tree));
                for id in 0..tree.nodes.len() as NodeId {
                    let _ = Json.remove(&tree, id);
                    let _ = Json.insert(&tree, id, "k", &Value::text("v"));
                }
            }
        }
    }

    #[test]
    fn what_is_printed_reads_back(value in value(), indent in prop::option::of(0_u8..5)) {
        let document = Value::Map(vec![Entry::Pair("k".into(), value)]);
        let printed = Json.emit(std::slice::from_ref(&document), Layout { indent }).unwrap();
        let tree = read(&printed);
        prop_assert_eq!(super::value_of(&tree, 0, 0).unwrap(), document);
        let (back, _) = lock_and_unlock(&printed);
        prop_assert_eq!(back, printed);
    }
}
