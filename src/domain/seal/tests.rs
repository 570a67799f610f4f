//! Tests of the seal: the encoding to the byte, that it can be read back, the
//! vectors of `fixtures/seal`, and what the changes of two states are.

use proptest::prelude::*;

use super::changes::{Change, Kind, of_documents, of_metadata};
use super::{SealError, Sealable, encoding, signature};
use crate::domain::crypto::data_key::DataKey;
use crate::domain::metadata::{SEAL, SIGNATURE};
use crate::domain::scalar::Scalar;
use crate::domain::store::{Format, Layout, Purpose};
use crate::domain::value::{Entry, Value};

/// Calls `look` with a file that was read.
fn read<T>(source: &[u8], format: Format, look: impl FnOnce(&Sealable<'_, '_>) -> T) -> T {
    let store = format.store();
    let tree = store.read(source, Purpose::AsIs).unwrap();
    let metadata = store.metadata(&tree).unwrap().unwrap_or(Value::Map(Vec::new()));
    look(&Sealable { store, tree: &tree, metadata: &metadata })
}

fn encoded(file: &Sealable<'_, '_>) -> Vec<u8> {
    let mut out = Vec::new();
    encoding::write(file, &[SEAL, SIGNATURE], &mut |bytes| out.extend_from_slice(bytes));
    out
}

fn key() -> DataKey {
    let bytes: Vec<u8> = (0..32).collect();
    DataKey::from_bytes(&bytes).unwrap()
}

/// A text of the encoding.
fn text(mark: &str, text: &str) -> Vec<u8> {
    [mark.as_bytes(), &(text.len() as u64).to_be_bytes(), text.as_bytes()].concat()
}

#[test]
fn the_encoding_is_what_the_manual_says() {
    let source = "# x\na: 1\nb: [é, ~, true, 1.50, 2024-01-02]\nc: !T z\nsops: {version: 1.2.3, mac: m, leaflock_seal: s}\n";
    let expected = [
        b"d{".to_vec(),
        text("c", " x"),
        text("k", "a"),
        text("i", "1"),
        text("k", "b"),
        b"[".to_vec(),
        text("s", "é"),
        b"n".to_vec(),
        text("b", "True"),
        text("f", "1.5"),
        text("t", "2024-01-02T00:00:00Z"),
        b"]".to_vec(),
        text("k", "c"),
        text("g", "!T"),
        text("s", "z"),
        b"}m{".to_vec(),
        text("k", "mac"),
        text("s", "m"),
        text("k", "version"),
        text("s", "1.2.3"),
        b"}".to_vec(),
    ];
    assert_eq!(read(source.as_bytes(), Format::Yaml, encoded), expected.concat());
}

#[test]
fn the_vectors_hold() {
    for (name, format) in [
        ("small.yaml", Format::Yaml),
        ("small.json", Format::Json),
        ("small.env", Format::Dotenv),
        ("small.ini", Format::Ini),
    ] {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/seal/");
        #[allow(clippy::disallowed_methods, reason = "a fixture")]
        let read_file = |name: &str| std::fs::read(format!("{folder}{name}")).unwrap();
        let expected = String::from_utf8(read_file(&format!("{name}.expected"))).unwrap();
        read(&read_file(name), format, |file| {
            let hex: String = encoded(file).iter().map(|byte| format!("{byte:02x}")).collect();
            let found = format!("encoding {hex}\nseal {}\nsigned {}", file.seal(&key()), file.message());
            assert_eq!(found, expected, "{name}");
        });
    }
}

#[test]
fn a_seal_is_for_one_key_one_version_and_one_state() {
    let other = DataKey::from_bytes(&[7; 32]).unwrap();
    let seal = read(b"{\"a\": 1}", Format::Json, |file| file.seal(&key()));
    read(b"{\"a\":   1}\n", Format::Json, |file| {
        assert_eq!(file.verify(&seal, &key()), Ok(()));
        assert_eq!(file.verify(&seal, &other), Err(SealError::Broken));
        assert_eq!(file.verify(&seal.replace("v1:", "v2:"), &key()), Err(SealError::Unknown));
        assert_eq!(file.verify("v1:", &key()), Err(SealError::Broken));
        assert_eq!(file.verify("v1:%", &key()), Err(SealError::Unknown));
        assert_eq!(file.verify(&seal[..seal.len() - 8], &key()), Err(SealError::Broken));
    });
    read(b"{\"a\": \"1\"}", Format::Json, |file| {
        assert_eq!(file.verify(&seal, &key()), Err(SealError::Broken));
    });
}

#[test]
fn armour_comes_and_goes() {
    let field = format!("U1NIU0lH{}", "QUJD".repeat(40));
    let armoured = signature::to_armour(&field).unwrap();
    assert!(armoured.lines().all(|line| line.len() <= 70));
    assert_eq!(signature::to_field(&armoured), Some(field));
    assert_eq!(signature::to_armour("QUJD"), None);
    assert_eq!(signature::to_armour("%"), None);
    assert_eq!(signature::to_field("-----BEGIN SSH SIGNATURE-----\nQUJD\n"), None);
}

/// Reads a value of the encoding back: that this can be done is why no two files
/// have the same.
fn decode(from: &mut &[u8]) -> Value {
    let mark = take(from, 1)[0];
    let parse = |kind: &str, from: &mut &[u8]| {
        Value::Scalar(Scalar::parse(kind, &take_text(from)).unwrap().into_owned())
    };
    match mark {
        b'n' => Value::Scalar(Scalar::Null),
        b's' => parse("str", from),
        b'i' => parse("int", from),
        b'f' => parse("float", from),
        b'b' => parse("bool", from),
        b'{' => {
            let mut entries = Vec::new();
            while from[0] != b'}' {
                assert_eq!(take(from, 1), b"k");
                let key = String::from_utf8(take_text(from)).unwrap();
                entries.push(Entry::Pair(key, decode(from)));
            }
            take(from, 1);
            Value::Map(entries)
        }
        b'[' => {
            let mut values = Vec::new();
            while from[0] != b']' {
                values.push(decode(from));
            }
            take(from, 1);
            Value::List(values)
        }
        mark => panic!("no value begins with {mark}"),
    }
}

fn take<'b>(from: &mut &'b [u8], count: usize) -> &'b [u8] {
    let (taken, rest) = from.split_at(count);
    *from = rest;
    taken
}

fn take_text(from: &mut &[u8]) -> Vec<u8> {
    let length = u64::from_be_bytes(take(from, 8).try_into().unwrap());
    take(from, length as usize).to_vec()
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Scalar(Scalar::Null)),
        any::<bool>().prop_map(|value| Value::Scalar(Scalar::Bool(value))),
        any::<i64>().prop_map(|value| Value::Scalar(Scalar::Int(value))),
        (-1000_i32..1000).prop_map(|value| Value::Scalar(Scalar::Float(f64::from(value) + 0.5))),
        "[a-z{}\\[\\]kcdm]{0,6}".prop_map(Value::text),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
            prop::collection::vec(("[abk{}]{0,2}", inner), 0..4).prop_map(|pairs| {
                Value::Map(pairs.into_iter().map(|(key, value)| Entry::Pair(key, value)).collect())
            }),
        ]
    })
}

proptest! {
    #[test]
    fn every_file_can_be_read_back_from_its_encoding(value in values()) {
        let root = Value::Map(vec![Entry::Pair("root".to_owned(), value)]);
        let text = Format::Json.store().emit(std::slice::from_ref(&root), Layout::default()).unwrap();
        let bytes = read(&text, Format::Json, encoded);
        let mut rest = bytes.strip_prefix(b"d").unwrap();
        prop_assert_eq!(decode(&mut rest), root);
        prop_assert_eq!(rest, b"m{}");
    }
}

#[test]
fn changes_are_told_by_path() {
    let value = |source: &str| {
        let store = Format::Yaml.store();
        let tree = store.read(source.as_bytes(), Purpose::AsIs).unwrap();
        crate::domain::document::values::plain_values(store, &tree)
    };
    let old = value("a: 1\nb:\n  # why\n  c: x\n  d: y\nl: [1, 2]\ngone: 1\n");
    let new = value("b:\n  d: y\n  # why\n  c: z\na: '1'\nl: [1, 2, 3]\nmore: {}\n");
    let change = |path: &str, kind| Change { path: path.to_owned(), kind };
    assert_eq!(
        of_documents(&old, &new),
        [
            change("[\"gone\"]", Kind::Removed),
            change("[\"b\"][\"c\"]", Kind::Changed),
            change("[\"b\"]", Kind::Order),
            change("[\"a\"]", Kind::Type),
            change("[\"l\"][2]", Kind::Added),
            change("[\"more\"]", Kind::Added),
            change("", Kind::Order),
        ]
    );
    let commented = value("a: 1\nb:\n  c: x\n  # why\n  d: y\nl: [1, 2]\ngone: 1\n");
    assert_eq!(of_documents(&old, &commented), [change("[\"b\"]", Kind::Comments)]);
    assert_eq!(of_documents(&old, &old), []);
    let block = |text: &str| value(text).pop().unwrap();
    let found = of_metadata(&block("{mac: a, age: [x], version: 1}"), &block("{mac: b, age: [y], pgp: []}"));
    let expected = [("age", Kind::Changed), ("pgp", Kind::Added), ("version", Kind::Removed)];
    assert_eq!(found, expected.map(|(name, kind)| change(&format!("sops.{name}"), kind)));
}
