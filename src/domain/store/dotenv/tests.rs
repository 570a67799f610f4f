//! What the dotenv store reads, keeps and prints. Expected texts of SOPS were
//! recorded from its releases.

use proptest::prelude::*;

use super::Dotenv;
use crate::domain::scalar::{Scalar, Timestamp};
use crate::domain::store::splice::{Edit, apply};
use crate::domain::store::{Layout, Plain, Purpose, Store};
use crate::domain::tree::{Flags, Kind, NodeId, Tree};
use crate::domain::value::{Entry, Value};

fn read(source: &[u8]) -> Tree<'_> {
    Dotenv.read(source, Purpose::Encrypt).unwrap_or_else(|error| panic!("{error} in {source:?}"))
}

fn pair(key: &str, value: Value) -> Entry {
    Entry::Pair(key.into(), value)
}

fn metadata() -> Value {
    let key = Value::Map(vec![pair("enc", Value::text("a\nb")), pair("recipient", Value::text("age1"))]);
    Value::Map(vec![
        pair("age", Value::List(vec![key])),
        pair("mac", Value::text("ENC[x]")),
        pair("mac_only_encrypted", Value::Scalar(Scalar::Bool(true))),
        pair("shamir_threshold", Value::Scalar(Scalar::Int(2))),
    ])
}

const METADATA: &str = "sops_age__list_0__map_enc=a\\nb\nsops_age__list_0__map_recipient=age1\nsops_mac=ENC[x]\n\
                        sops_mac_only_encrypted=true\nsops_shamir_threshold=2\n";

/// Files and what stands in them: keys, values, comments.
const FILES: [(&str, &[(&str, &str)]); 12] = [
    ("", &[]),
    ("\n\n", &[]),
    ("A=1\n", &[("A", "1")]),
    ("A=1", &[("A", "1")]),
    ("A = v \n LEAD=x\n", &[("A ", " v "), (" LEAD", "x")]),
    ("# c\n#\n  # i=1\n", &[("#", " c"), ("#", ""), ("  # i", "1")]),
    ("Q=\"d\"\nS='s'\nE=\n=v\n", &[("Q", "\"d\""), ("S", "'s'"), ("E", ""), ("", "v")]),
    ("export B=a=b=c\n", &[("export B", "a=b=c")]),
    ("N=l1\\nl2\nB=b\\\\nc\nT=\\t\\\n", &[("N", "l1\nl2"), ("B", "b\\\nc"), ("T", "\\t\\")]),
    ("D=1\nD=2\n\nH=x # y\n", &[("D", "1"), ("D", "2"), ("H", "x # y")]),
    ("A=1\r\n#c\r\nE=\r\n", &[("A", "1\r"), ("#", "c\r"), ("E", "\r")]),
    ("U=é😀\n", &[("U", "é😀")]),
];

#[test]
fn lines_are_read_as_sops_reads_them() {
    for (source, expected) in FILES {
        let tree = read(source.as_bytes());
        let found: Vec<(&[u8], &[u8])> = (1..tree.nodes.len() as NodeId)
            .map(|id| {
                let key = if tree.node(id).kind == Kind::Comment { b"#" } else { tree.key(id) };
                (key, tree.text(tree.node(id).text))
            })
            .collect();
        let expected: Vec<(&[u8], &[u8])> =
            expected.iter().map(|(k, v)| (k.as_bytes(), v.as_bytes())).collect();
        assert_eq!(found, expected, "{source:?}");
    }
}

#[test]
fn lines_without_a_key_are_refused() {
    for (source, line) in [("A=1\nnovalue\n", 2), (" \n", 1), ("PEM=\"-----BEGIN\nabc\n", 2), ("\r\r\n", 1)] {
        let error = Dotenv.read(source.as_bytes(), Purpose::Encrypt).unwrap_err();
        assert_eq!(error.line, Some(line));
        assert!(error.message.starts_with("invalid dotenv input line") && error.hint.is_some());
    }
}

#[test]
fn metadata_comes_and_goes_without_a_trace() {
    let blanks = ["A=1\r\n\r\nB=2\r\n", "\r\n", "A=1\r\n\r", "\r", "\nA=1\n\r\n\n\r\n", "A=1\r\n\r\nB"];
    let files = FILES.iter().map(|(source, _)| *source).chain(blanks.into_iter().take(5));
    for source in files {
        let plain = read(source.as_bytes());
        let locked = apply(source.as_bytes(), Dotenv.attach(&plain, &metadata()));
        assert!(!locked.windows(3).any(|bytes| bytes == b"\n\r\n"), "SOPS refuses {source:?}");
        let tree = read(&locked);
        assert_eq!(Dotenv.metadata(&tree).unwrap(), Some(metadata()), "{source:?}");
        let bare = apply(&locked, Dotenv.detach(&tree));
        assert_eq!(String::from_utf8(bare).unwrap(), source);
        let kept = Dotenv.metadata_text(&tree, &[]);
        assert_eq!(kept.0, METADATA.as_bytes());
        assert_eq!(apply(source.as_bytes(), Dotenv.attach_text(&plain, &kept)), locked);
    }
}

#[test]
fn metadata_is_sorted_at_the_end_and_found_anywhere() {
    let locked = apply(b"A=1\n", Dotenv.attach(&read(b"A=1\n"), &metadata()));
    assert_eq!(String::from_utf8(locked).unwrap(), format!("A=1\n{METADATA}"));
    let mixed = "sops_version=3\nA=1\nsops_mac=m\n\nB=2\n";
    let tree = read(mixed.as_bytes());
    assert_eq!(apply(mixed.as_bytes(), Dotenv.detach(&tree)), b"A=1\n\nB=2\n");
    let expected = Value::Map(vec![pair("version", Value::text("3")), pair("mac", Value::text("m"))]);
    assert_eq!(Dotenv.metadata(&tree).unwrap(), Some(expected));
    assert_eq!(Dotenv.metadata(&read(b"sops=1\nSOPS_A=2\n")).unwrap(), None);
}

#[test]
fn metadata_fields_change_in_their_place() {
    let tree = read(b"A=1\nsops_mac=m\nsops_version=3\n");
    let text =
        |changes: &[(&str, Option<&str>)]| String::from_utf8(Dotenv.metadata_text(&tree, changes).0).unwrap();
    assert_eq!(text(&[("mac", Some("x\ny")), ("version", None)]), "sops_mac=x\\ny\n");
    assert_eq!(text(&[("no", Some("1"))]), "sops_mac=m\nsops_no=1\nsops_version=3\n");
    assert_eq!(
        text(&[("z", Some("1")), ("a", Some("2"))]),
        "sops_a=2\nsops_mac=m\nsops_version=3\nsops_z=1\n"
    );
}

#[test]
fn files_print_as_sops_prints_them() {
    let time = Timestamp::parse_rfc3339(b"2026-01-02T03:04:05.678+02:00").unwrap();
    let document = Value::Map(vec![
        Entry::Comment(" c".into()),
        pair("S", Value::text("a\nb\\n#\"é")),
        pair("I", Value::Scalar(Scalar::Int(-5))),
        pair("F", Value::Scalar(Scalar::Float(1.0))),
        pair("G", Value::Scalar(Scalar::Float(1e6))),
        pair("B", Value::Scalar(Scalar::Bool(true))),
        pair("T", Value::Scalar(Scalar::Time(time))),
        pair("N", Value::Scalar(Scalar::Null)),
    ]);
    let printed = Dotenv.emit(&[document], Layout::default()).unwrap();
    let expected =
        "# c\nS=a\\nb\\n#\"é\nI=-5\nF=1.0\nG=1E+06\nB=true\nT=2026-01-02T03:04:05+02:00\nN=<nil>\n";
    assert_eq!(String::from_utf8(printed).unwrap(), expected);
    let error = Dotenv.emit_value(&Value::Scalar(Scalar::Int(1)), Layout::default()).unwrap_err();
    assert_eq!(error.message, "the dotenv store only supports emitting strings, got int");
}

#[test]
fn nesting_is_flattened_and_clashes_are_refused() {
    let inner = Value::Map(vec![
        pair("password", Value::text("p")),
        pair("hosts", Value::List(vec![Value::text("h")])),
    ]);
    let nested = vec![pair("database", inner)];
    let printed = Dotenv.emit(&[Value::Map(nested.clone())], Layout::default()).unwrap();
    assert_eq!(printed, b"database_password=p\ndatabase_hosts_0=h\n");
    let clash = [nested, vec![pair("database_password", Value::text("q"))]].concat();
    assert!(
        Dotenv
            .emit(&[Value::Map(clash)], Layout::default())
            .unwrap_err()
            .message
            .contains("database_password")
    );
    let twice = Value::Map(vec![pair("A", Value::text("1")), pair("A", Value::text("2"))]);
    assert_eq!(Dotenv.emit(&[twice], Layout::default()).unwrap(), b"A=1\nA=2\n");
    for key in ["a=b", "#a", "a\nb"] {
        assert!(Dotenv.emit(&[Value::Map(vec![pair(key, Value::text("1"))])], Layout::default()).is_err());
    }
}

#[test]
fn lines_come_and_go() {
    let insert = |source: &str| {
        let tree = read(source.as_bytes());
        let edits = Dotenv.insert(&tree, 0, "N", &Value::text("a\nb")).unwrap();
        String::from_utf8(apply(source.as_bytes(), edits)).unwrap()
    };
    assert_eq!(insert(""), "N=a\\nb\n");
    assert_eq!(insert("A=1"), "A=1\nN=a\\nb");
    assert_eq!(insert("A=1\n\nsops_mac=m\n"), "A=1\nN=a\\nb\n\nsops_mac=m\n");
    let source = b"A=1\n#c\nB=2";
    let tree = read(source);
    for (id, rest) in [(1, "#c\nB=2"), (2, "A=1\nB=2"), (3, "A=1\n#c")] {
        assert_eq!(apply(source, Dotenv.remove(&tree, id).unwrap()), rest.as_bytes());
    }
    assert_eq!(apply(source, Dotenv.replace(&tree, 3, &Value::text("x\ny")).unwrap()), b"A=1\n#c\nB=x\\ny");
    let error = Dotenv.replace(&tree, 3, &Value::Map(vec![])).unwrap_err();
    assert_eq!(error.message, "cannot use complex value in dotenv file; offending key B");
    assert!(Dotenv.insert(&tree, 0, "sops_x", &Value::text("1")).is_err());
}

#[test]
fn spellings_are_used_only_for_their_value() {
    let tree = read(b"A=ENC[]\n#ENC[]\n");
    let text = |text: &'static str| Scalar::Str(text.into());
    assert!(Dotenv.spelled(&tree, 1, b"a\\nb", &text("a\nb")).is_some());
    assert!(Dotenv.spelled(&tree, 1, b"a\nb", &text("a\nb")).is_none());
    assert!(Dotenv.spelled(&tree, 1, b"b", &text("a")).is_none());
    assert!(Dotenv.spelled(&tree, 2, b"#a", &text("a")).is_some());
    assert!(Dotenv.spelled(&tree, 2, b"a", &text("a")).is_none());
}

/// Lines of a file, odd ones included.
fn file() -> impl Strategy<Value = Vec<u8>> {
    let line = prop::sample::select(vec![
        "",
        "A=1",
        "B=",
        "=x",
        "# c",
        "#",
        "K = \\n v\\",
        "é=\"q\" #",
        "A=1\r",
        "\r",
        "#c\r",
        " x=y",
    ]);
    (prop::collection::vec(line, 0..8), any::<bool>()).prop_map(|(lines, end)| {
        let mut text = lines.join("\n").into_bytes();
        if end {
            text.push(b'\n');
        }
        text
    })
}

proptest! {
    #[test]
    fn no_input_panics(bytes in prop::collection::vec(any::<u8>(), 0..64), text in "[a=#\\\\\nsops_\r]{0,40}") {
        for source in [&bytes[..], text.as_bytes()] {
            if let Ok(tree) = Dotenv.read(source, Purpose::AsIs) {
                let _ = Dotenv.metadata(&tree);
                let _ = apply(source, Dotenv.detach(&tree));
            }
        }
    }

    #[test]
    fn files_come_back(source in file()) {
        let tree = read(&source);
        let mut edits = Dotenv.attach(&tree, &metadata());
        let leaves: Vec<NodeId> = (1..tree.nodes.len() as NodeId).filter(|&id| !tree.node(id).text.is_empty()).collect();
        for &id in &leaves {
            let mut out = Vec::new();
            let span = Dotenv.lock(&tree, id, Dotenv.token_style(&tree, id), "ENC[x]", &mut out);
            edits.push(Edit::new(span, out));
        }
        let locked = apply(&source, edits);
        let encrypted = read(&locked);
        let mut edits = Dotenv.detach(&encrypted);
        for &id in &leaves {
            prop_assert!(!encrypted.node(id).flags.has(Flags::METADATA));
            prop_assert_eq!(encrypted.text(encrypted.node(id).text), b"ENC[x]");
            let mut out = Vec::new();
            let plain = Plain { value: Dotenv.scalar(&tree, id), spelling: None };
            let span = Dotenv.unlock(&encrypted, id, encrypted.node(id).style, &plain, &mut out);
            edits.push(Edit::new(span, out));
        }
        prop_assert_eq!(apply(&locked, edits), source);
    }
}

/// A plain file's values of several lines, and lines that only look like one.
#[test]
fn quotes_that_close_later_make_one_value() {
    let values = |source: &str| -> Vec<(String, String)> {
        let tree = read(source.as_bytes());
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        tree.children(0).map(|id| (text(tree.key(id)), text(tree.text(tree.node(id).text)))).collect()
    };
    for (source, expected) in [
        ("A=\"x\ny\"\nB=1\n", &[("A", "\"x\ny\""), ("B", "1")][..]),
        ("export A= 'x\n\n#y\nB=2' # c\nC=3", &[("export A", " 'x\n\n#y\nB=2' # c"), ("C", "3")]),
        ("A=\"x\\\"\n\\\\\"\n", &[("A", "\"x\\\"\n\\\\\"")]),
        ("A=\"x\r\ny\"\r\nB=1\r\n", &[("A", "\"x\r\ny\"\r"), ("B", "1\r")]),
        ("A=\"x\nB=\"y\"\n", &[("A", "\"x"), ("B", "\"y\"")]),
        ("A=\"x\nB=1\n", &[("A", "\"x"), ("B", "1")]),
        ("A='x\nB=it's\n", &[("A", "'x"), ("B", "it's")]),
        ("A=x\"\nB=\"\n", &[("A", "x\""), ("B", "\"")]),
        ("A=\"x\" \nB=\"\\\n", &[("A", "\"x\" "), ("B", "\"\\")]),
    ] {
        let found = values(source);
        let found: Vec<(&str, &str)> = found.iter().map(|(key, value)| (&key[..], &value[..])).collect();
        assert_eq!(found, expected, "{source:?}");
        let single = Dotenv.read(source.as_bytes(), Purpose::AsIs);
        assert!(single.is_err() || single.unwrap().nodes.len() >= expected.len());
    }
}

/// Blank CRLF lines inside of a value are the value's.
#[test]
fn metadata_stay_out_of_values() {
    let source = b"\r\nA=\"x\r\n\r\ny\"\r\n\r\n";
    let tree = read(source);
    let attached = apply(source, Dotenv.attach(&tree, &metadata()));
    assert!(attached.starts_with(b"\nA=\"x\r\n\r\ny\"\r\n\n"), "{}", String::from_utf8_lossy(&attached));
}

/// A quote that never closes is looked for once a kind, not once a line.
#[test]
fn open_quotes_stay_linear() {
    let source = "A=\"x\nB='y\n".repeat(100_000);
    assert_eq!(read(source.as_bytes()).nodes.len(), 200_001);
}
