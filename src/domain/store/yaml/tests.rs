//! The write side of the store: where tokens, values and metadata go, byte by byte.

use super::Yaml;
use crate::domain::scalar::Scalar;
use crate::domain::store::splice::{Edit, apply};
use crate::domain::store::{MetadataText, Plain, Purpose, Store, WriteError};
use crate::domain::tree::{Flags, Kind, NodeId, Style, Tree};
use crate::domain::value::{Entry, Value};

fn read(source: &[u8]) -> Tree<'_> {
    Yaml.read(source, Purpose::AsIs).unwrap()
}

fn find(tree: &Tree<'_>, key: &str) -> NodeId {
    let mut ids = 0..tree.nodes.len() as NodeId;
    ids.find(|id| tree.key(*id) == key.as_bytes() && tree.node(*id).kind != Kind::Comment).unwrap()
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

/// `source` with `TOKEN` in the place of the value of `k`, and what that unlocks to.
fn lock_and_unlock(source: &str) -> (String, String) {
    let tree = read(source.as_bytes());
    let id = find(&tree, "k");
    let style = Yaml.token_style(&tree, id);
    let mut out = Vec::new();
    let span = Yaml.lock(&tree, id, style, "TOKEN", &mut out);
    let locked = apply(source.as_bytes(), vec![Edit::new(span, out)]);
    let value = Yaml.scalar(&tree, id);
    let encrypted = read(&locked);
    let id = find(&encrypted, "k");
    let mut out = Vec::new();
    let plain = Plain { value, spelling: None };
    let span = Yaml.unlock(&encrypted, id, encrypted.node(id).style, &plain, &mut out);
    let unlocked = apply(&locked, vec![Edit::new(span, out)]);
    (text(locked), text(unlocked))
}

#[test]
fn tokens_keep_the_style_of_values() {
    // Source, locked, and unlocked where that differs from the source.
    let table: &[(&str, &str, Option<&str>)] = &[
        ("k: v # c\n", "k: TOKEN # c\n", None),
        ("k: 'v'\n", "k: 'TOKEN'\n", None),
        ("k: \"a\\tb\"\n", "k: \"TOKEN\"\n", None),
        ("- &a\n", "", None),
        ("l:\n- k:  'it''s'\n", "l:\n- k:  'TOKEN'\n", None),
        ("k: | # c\n  a\n\n  b\n\n\nz: 1\n", "k: | # c\n  TOKEN\n\n\nz: 1\n", None),
        ("k: |2-\n   a\n  b\nz: 1\n", "k: |2-\n  TOKEN\nz: 1\n", None),
        ("k: |+\n a\n\n\nz: 1\n", "k: |+\n TOKEN\nz: 1\n", None),
        ("k: |\n\n  a\n", "k: |\n  TOKEN\n", None),
        ("k: >\n  a\n  b\n\n  c\n", "k: >\n  TOKEN\n", Some("k: >\n  a b\n\n  c\n")),
        ("k: |\r\n  a\r\n  b\r\n", "k: |\r\n  TOKEN\r\n", None),
        ("k: |\n  a", "k: |\n  TOKEN", None),
        ("f: {k: v, z: 1}\n", "f: {k: 'TOKEN', z: 1}\n", None),
        ("f: {k: 'v'}\n", "f: {k: 'TOKEN'}\n", Some("f: {k: v}\n")),
        ("f: {k: \"v\"}\n", "f: {k: \"TOKEN\"}\n", None),
        ("f: {k: http://h:80/p}\n", "f: {k: 'TOKEN'}\n", None),
        ("f: {k: 1.5}\n", "f: {k: 'TOKEN'}\n", None),
        ("k: !!int 5\n", "k: TOKEN\n", Some("k: 5\n")),
        ("k: !!int &a 5\n", "k: &a TOKEN\n", Some("k: &a 5\n")),
        ("k: &a !!int 5\n", "k: &a TOKEN\n", Some("k: &a 5\n")),
        ("k: !!str 5\n", "k: !!str TOKEN\n", Some("k: !!str \"5\"\n")),
        ("k: !mine v\n", "k: !mine TOKEN\n", None),
        ("k: !!binary /w==\n", "k: TOKEN\n", None),
        ("k: !!binary |\n  /w==\n", "k: |\n  TOKEN\n", Some("k: !!binary /w==\n")),
        ("k: a\n  b\n", "k: TOKEN\n", Some("k: a b\n")),
        ("k: a\n\n  b\n", "k: TOKEN\n", Some("k: |-\n    a\n    b\n")),
        ("k: a\n\n  b # c\n", "k: TOKEN # c\n", Some("k: \"a\\nb\" # c\n")),
        ("k: 2024-01-02\n", "k: TOKEN\n", Some("k: 2024-01-02T00:00:00Z\n")),
        ("\u{feff}k: v\n", "\u{feff}k: TOKEN\n", None),
    ];
    for (source, locked, unlocked) in table.iter().filter(|row| !row.1.is_empty()) {
        let result = lock_and_unlock(source);
        assert_eq!(result.0, *locked, "{source}");
        assert_eq!(result.1, unlocked.unwrap_or(source), "{source}");
    }
}

#[test]
fn a_spelling_must_be_the_value_and_nothing_else() {
    let int = Scalar::Int(31);
    let string = |text: &'static str| Scalar::Str(text.into());
    // The encrypted file, a spelling, the value, and the file with the spelling if it fits.
    let table: &[(&str, &str, Scalar<'_>, Option<&str>)] = &[
        ("k: T\n", "0x1F", int.clone(), Some("k: 0x1F\n")),
        ("k: T\n", "0x1E", int.clone(), None),
        ("k: T\n", "!!int \"31\"", int.clone(), Some("k: !!int \"31\"\n")),
        ("k: &a T\n", "!!int &a 0x1F", int.clone(), Some("k: !!int &a 0x1F\n")),
        ("k: &a T\n", "!!int &b 0x1F", int.clone(), None),
        ("k: T\n", "31 # c", int.clone(), None),
        ("k: T\n", "31\nz: 1", int, None),
        ("k: T # c\n", "a\n  b", string("a b"), Some("k: a\n  b # c\n")),
        ("k: T\n", "a\nb", string("a b"), None),
        ("m:\n    k: T\n", "a\n  b", string("a b"), None),
        ("m:\n  k: T\n", "a\n   b", string("a b"), Some("m:\n  k: a\n   b\n")),
        ("k: \"T\"\n", "\"\\x41\"", string("A"), Some("k: \"\\x41\"\n")),
        ("k: \"T\"\n", "\"A", string("A"), None),
        ("f: {k: 'T'}\n", "'a'", string("a"), Some("f: {k: 'a'}\n")),
        ("f: {k: 'T'}\n", "a, b: c", string("a"), None),
        ("k: !!str T\n", "12", string("12"), Some("k: !!str 12\n")),
        ("k: >\n  T\nz: 1\n", "  a\n  b", string("a b\n"), Some("k: >\n  a\n  b\nz: 1\n")),
        ("k: >\n  T\nz: 1\n", "  a\nz: b", string("a\n"), None),
        ("k: | # c\n  T\n", "!!binary |\n  aGVsbG8=", string("hello"), Some("k: !!binary |\n  aGVsbG8=\n")),
    ];
    for (source, spelling, value, expected) in table {
        let tree = read(source.as_bytes());
        let span = Yaml.spelled(&tree, find(&tree, "k"), spelling.as_bytes(), value);
        let done =
            span.map(|span| text(apply(source.as_bytes(), vec![Edit::new(span, spelling.as_bytes())])));
        assert_eq!(done.as_deref(), *expected, "{source:?} {spelling:?}");
    }
}

fn metadata(mark: bool) -> Value {
    let field = |key: &str, value: Value| Entry::Pair(key.into(), value);
    let key = vec![
        field("enc", Value::text("-----BEGIN\nx\n-----END\n")),
        field("recipient", Value::text("age1x")),
    ];
    let mut fields = vec![field("age", Value::List(vec![Value::Map(key)]))];
    fields.push(field("lastmodified", Value::text("2026-11-22T01:33:00Z")));
    if mark {
        fields.push(field("leaflock_source", Value::text("ENC[x]")));
    }
    fields.push(field("mac", Value::text("ENC[y]")));
    fields.push(field("version", Value::text("3.13.2")));
    Value::Map(fields)
}

fn attached(source: &[u8], mark: bool) -> Vec<u8> {
    apply(source, Yaml.attach(&read(source), &metadata(mark)))
}

fn detached(source: &[u8]) -> Vec<u8> {
    apply(source, Yaml.detach(&read(source)))
}

#[test]
fn a_last_block_without_a_line_break_says_so_before_a_line_follows_it() {
    assert_eq!(text(detached(&attached(b"a: |\n  x", true))), "a: |-\n  x");
}

#[test]
fn detach_gives_back_what_attach_got() {
    for source in [
        "a: 1\n",
        "a: 1",
        "a: 1\r\nb: 2\r\n",
        "a: 1\r\nb: 2",
        "---\na: 1\n",
        "a: 1\n\n\n# end\n",
        "  a: 1\n  b: |+\n   x\n\n",
        "\u{feff}a: 1\n",
        "a: 1\n---\nb: 2\n...\n---\nc: 3\n",
        "a: 1\n---\n# only\n---\n",
        "---\n",
        "---",
        "{a: 1, b: [x, 'y']}\n",
        "{a: 1,}",
        "{ }\n",
        "{}",
        "{\n  \"a\": 1, # c\n  \"b\": {\"x\": 2} # d\n  # e\n}\n",
        "{a: 1 # c\n , }\n",
        "a: {x: 1}\n",
        "a:\n  - b\n    # deep\n",
    ] {
        let file = attached(source.as_bytes(), true);
        let tree = read(&file);
        assert_eq!(Yaml.metadata(&tree).unwrap(), Some(metadata(true)), "{source}\n{}", text(file.clone()));
        assert_eq!(text(detached(&file)), source, "{}", text(file.clone()));
        for document in &tree.documents {
            let last = tree.children(document.root).last().unwrap();
            assert!(tree.node(last).flags.has(Flags::METADATA), "{source}");
        }
    }
}

#[test]
fn a_block_in_clear_at_the_end_keeps_its_text() {
    let file = attached(b"a: |\n  x", true);
    let tree = read(&file);
    assert_eq!(tree.text(tree.node(1).text), b"x");
    assert_eq!(text(detached(&file)), "a: |-\n  x");
}

#[test]
fn the_block_looks_as_sops_writes_it() {
    let file = text(attached(b"a: 1\n", false));
    let expected = "a: 1\nsops:\n    age:\n        - enc: |\n            -----BEGIN\n            x\n            -----END\n          recipient: age1x\n    lastmodified: \"2026-11-22T01:33:00Z\"\n    mac: ENC[y]\n    version: 3.13.2\n";
    assert_eq!(file, expected);
    // No line break at the end: none behind the block either.
    assert_eq!(text(attached(b"a: 1", false)), expected.trim_end());
    assert!(
        text(attached(b"{a: 1}", false))
            .starts_with("{a: 1, \"sops\": {\"age\": [{\"enc\": \"-----BEGIN\\nx\\n")
    );
}

#[test]
fn empty_documents_of_sops_print_braces() {
    let file = text(attached(b"---\n", false));
    let block = file.strip_prefix("---\n").unwrap();
    assert_eq!(text(detached(block.as_bytes())), "{}\n");
    assert_eq!(text(detached(file.as_bytes())), "---\n");
    let two = format!("a: 1\n{block}---\n# c\n{block}");
    assert_eq!(text(detached(two.as_bytes())), "a: 1\n---\n# c\n{}\n");
    // And `{}` takes the block again.
    let kept = Yaml.metadata_text(&read(two.as_bytes()), &[]);
    let plain = detached(two.as_bytes());
    assert_eq!(text(apply(&plain, Yaml.attach_text(&read(&plain), &kept))), two);
}

#[test]
fn kept_metadata_changes_in_the_named_fields_only() {
    for source in ["a: 1\n", "a: 1", "a: 1\r\n", "  a: 1\n", "{a: 1}\n", "{a: 1,}", "{}", "a: 1\n---\nb: 2\n"]
    {
        let file = attached(source.as_bytes(), false);
        let tree = read(&file);
        let same = Yaml.metadata_text(&tree, &[]);
        let plain = detached(&file);
        assert_eq!(
            text(apply(&plain, Yaml.attach_text(&read(&plain), &same))),
            text(file.clone()),
            "{source}"
        );
        let changes = [
            ("mac", Some("ENC[new]")),
            ("lastmodified", Some("2027-01-01T00:00:00Z")),
            ("leaflock_source", Some("ENC[s]")),
        ];
        let text_changed = Yaml.metadata_text(&tree, &changes);
        let changed = apply(&plain, Yaml.attach_text(&read(&plain), &text_changed));
        let expected = text(file.clone())
            .replace("ENC[y]", "ENC[new]")
            .replace("2026-11-22T01:33:00Z", "2027-01-01T00:00:00Z");
        let read_back = read(&changed);
        let without = Yaml.metadata_text(&read_back, &[("leaflock_source", None)]);
        let plain = apply(&changed, Yaml.detach(&read_back));
        assert_eq!(text(apply(&plain, Yaml.attach_text(&read(&plain), &without))), expected, "{source}");
    }
    let file = attached(b"a: 1\n", false);
    let MetadataText(changed) = Yaml.metadata_text(&read(&file), &[("leaflock_source", Some("ENC[s]"))]);
    assert!(text(changed).contains("01:33:00Z\"\n    leaflock_source: ENC[s]\n    mac: ENC[y]\n"));
}

#[test]
fn comments_as_list_elements() {
    let token = "ENC[AES256_GCM,data:x,iv:x,tag:x,type:comment]";
    // With ↯ for a comment's token; what `sops decrypt` (3.11.0) prints.
    let table: &[(&str, &str)] = &[
        ("a:\n    - ↯\n    - x\n", "a:\n    # c\n    - x\n"),
        ("a:\n    - x\n    - ↯\nb: 1\n", "a:\n    - x\n    # c\nb: 1\n"),
        ("a:\n    - ↯\n    - k: 1\n", "a:\n    # c\n    - k: 1\n"),
        ("a:\n    - - ↯\n      - x\n", "a:\n    # c\n    - - x\n"),
        ("a:\n    - - ↯\n      - ↯\n      - x\n", "a:\n    # c\n    # c\n    - - x\n"),
        ("a:\n    - - - ↯\n        - x\n", "a:\n    - # c\n      - - x\n"),
        ("a:\n    - ↯\nb: 1\n", "a: []\n# c\nb: 1\n"),
        ("m:\n    a:\n        - ↯\n        - ↯\n    b: 1\n", "m:\n    a: []\n    # c\n    # c\n    b: 1\n"),
    ];
    for (source, expected) in table {
        let source = source.replace('↯', token);
        let tree = read(source.as_bytes());
        let plain = Plain { value: Scalar::Str(" c".into()), spelling: None };
        let ids =
            (0..tree.nodes.len() as NodeId).filter(|id| tree.text(tree.node(*id).text) == token.as_bytes());
        let edits = ids.map(|id| {
            let mut out = Vec::new();
            let span = Yaml.unlock(&tree, id, Style::Element, &plain, &mut out);
            Edit::new(span, out)
        });
        assert_eq!(text(apply(source.as_bytes(), edits.collect())), *expected, "{source}");
    }
}

#[test]
fn many_comments_of_sops_in_one_list_stay_linear() {
    let token = "ENC[AES256_GCM,data:AA==,iv:AA==,tag:AA==,type:comment]";
    let comments = format!("    - {token}\n").repeat(60_000);
    for source in [format!("a:\n{comments}    - x\n"), format!("a:\n{comments}b: 1\n")] {
        let tree = read(source.as_bytes());
        let plain = Plain { value: Scalar::Str(" c".into()), spelling: None };
        let mut out = Vec::new();
        for id in 2..60_002 {
            Yaml.unlock(&tree, id, Style::Element, &plain, &mut out);
        }
        assert_eq!(out.iter().filter(|byte| **byte == b'c').count(), 60_000);
    }
}

#[test]
fn comments_behind_values_move_above() {
    for (source, expected) in [
        ("a: T #T\n", "# c\na: T\n"),
        ("m:\n    a: T  #T\n", "m:\n    # c\n    a: T\n"),
        ("l:\n    - #T\n      - k: T\n      - j\n", "l:\n    # c\n    - - k: T\n      - j\n"),
        ("l:\n    - k: T #T\n      j: 1\n", "l:\n    # c\n    - k: T\n      j: 1\n"),
    ] {
        let tree = read(source.as_bytes());
        let mut ids = 0..tree.nodes.len() as NodeId;
        let id = ids.find(|id| tree.node(*id).kind == Kind::Comment).unwrap();
        assert_eq!(text(apply(source.as_bytes(), Yaml.hoist(&tree, id, b" c"))), expected);
    }
}

#[derive(Clone, Copy)]
enum Op {
    Replace(&'static str),
    Insert(&'static str, &'static str),
    Append(&'static str),
    Remove(&'static str),
}

fn changed(source: &str, op: Op, value: &Value) -> Result<String, WriteError> {
    let tree = read(source.as_bytes());
    let place = |key: &str| if key.is_empty() { tree.documents[0].root } else { find(&tree, key) };
    let edits = match op {
        Op::Replace(key) => Yaml.replace(&tree, place(key), value),
        Op::Insert(map, key) => Yaml.insert(&tree, place(map), key, value),
        Op::Append(list) => Yaml.append(&tree, place(list), value),
        Op::Remove(key) => Yaml.remove(&tree, place(key)),
    };
    Ok(text(apply(source.as_bytes(), edits?)))
}

#[test]
fn changes_follow_their_neighbours() {
    let map = Value::Map(vec![Entry::Pair("q".into(), Value::text("v"))]);
    let list = Value::List(vec![Value::text("v")]);
    let string = Value::text("v");
    let table: &[(&str, Op, &Value, &str)] = &[
        ("a: 'x' # c\n", Op::Replace("a"), &string, "a: 'v' # c\n"),
        ("a: \"x\"\nb: 1\n", Op::Replace("a"), &string, "a: \"v\"\nb: 1\n"),
        ("a: |\n  x\nb: 1\n", Op::Replace("a"), &string, "a: |-\n  v\nb: 1\n"),
        ("a: | # c\n  x\nb: 1\n", Op::Replace("a"), &Value::Scalar(Scalar::Int(5)), "a: 5 # c\nb: 1\n"),
        ("a:\nb: 1\n", Op::Replace("a"), &string, "a: v\nb: 1\n"),
        ("a: x # c\nm:\n  y: 1\n", Op::Replace("a"), &map, "a: # c\n  q: v\nm:\n  y: 1\n"),
        ("a:\n  x: 1\nb: 1\n", Op::Replace("a"), &string, "a: v\nb: 1\n"),
        ("a: {x: 1}\n", Op::Replace("x"), &map, "a: {x: {q: v}}\n"),
        ("a: 1\n", Op::Insert("", "b"), &string, "a: 1\nb: v\n"),
        ("a: 1", Op::Insert("", "b"), &string, "a: 1\nb: v"),
        ("a: 1\r\n", Op::Insert("", "b"), &map, "a: 1\r\nb:\r\n    q: v\r\n"),
        ("a: \"x\"\n", Op::Insert("", "b"), &string, "a: \"x\"\nb: \"v\"\n"),
        ("a: 'x'\n", Op::Insert("", "b"), &string, "a: 'x'\nb: 'v'\n"),
        ("\"a\": x\n", Op::Insert("", "b"), &string, "\"a\": x\n\"b\": v\n"),
        (
            "m:\n  a: 1\n\n# next\nz: 1\n",
            Op::Insert("m", "b"),
            &map,
            "m:\n  a: 1\n  b:\n    q: v\n\n# next\nz: 1\n",
        ),
        ("m: {}\n", Op::Insert("m", "b"), &string, "m:\n    b: v\n"),
        ("{}\n", Op::Insert("", "b"), &string, "b: v\n"),
        ("m: {a: 1}\n", Op::Insert("m", "b"), &string, "m: {a: 1, b: v}\n"),
        ("m: {a: 1,}\n", Op::Insert("m", "b"), &string, "m: {a: 1, b: v,}\n"),
        (
            "{\n  \"a\": \"x\" # c\n}\n",
            Op::Insert("", "b"),
            &string,
            "{\n  \"a\": \"x\", # c\n  \"b\": \"v\"\n}\n",
        ),
        ("l:\n- a\nz: 1\n", Op::Append("l"), &string, "l:\n- a\n- v\nz: 1\n"),
        ("l:\n  - a\n", Op::Append("l"), &list, "l:\n  - a\n  - - v\n"),
        ("l: [a, b]\n", Op::Append("l"), &string, "l: [a, b, v]\n"),
        ("l: []\nm:\n- a\n", Op::Append("l"), &string, "l:\n- v\nm:\n- a\n"),
        ("a: 1\nb: 2\n", Op::Remove("a"), &string, "b: 2\n"),
        ("# c\na: 1 # d\nb: 2\n", Op::Remove("a"), &string, "# c\n# d\nb: 2\n"),
        ("m:\n  a: 1\nb: 2\n", Op::Remove("a"), &string, "m: {}\nb: 2\n"),
        ("l:\n  - a: 1\n    b: 2\n", Op::Remove("a"), &string, "l:\n  - b: 2\n"),
        ("a: 1\nb: 2", Op::Remove("b"), &string, "a: 1"),
        ("m: {a: 1, b: 2}\n", Op::Remove("b"), &string, "m: {a: 1}\n"),
        ("m: {a: 1, b: 2}\n", Op::Remove("a"), &string, "m: {b: 2}\n"),
        ("a: 1\n", Op::Remove("a"), &string, "{}\n"),
    ];
    for (source, op, value, expected) in table {
        assert_eq!(changed(source, *op, value).as_deref(), Ok(*expected), "{source}");
    }
    assert!(changed("a: &x 1\nb: *x\n", Op::Remove("a"), &string).is_err());
    assert!(changed("a: 1\n", Op::Append("a"), &string).is_err());
    assert!(changed("a: 1\n", Op::Insert("a", "b"), &string).is_err());
}
