//! go-yaml's events and SOPS's answers, recorded, against ours; limits and refusals.

use std::fs;
use std::path::PathBuf;

use super::read;
use crate::domain::scalar::Scalar;
use crate::domain::store::yaml::resolve::resolve;
use crate::domain::store::{Purpose, ReadErrorKind};
use crate::domain::tree::{Flags, Kind, NodeId, Style, Tag, Tree};

fn corpus() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/corpus")
}

fn tree(source: &str) -> Tree<'_> {
    read(source.as_bytes(), Purpose::AsIs).unwrap_or_else(|error| panic!("{error}: {source}"))
}

fn refusal(source: &str) -> String {
    read(source.as_bytes(), Purpose::AsIs).expect_err(source).message
}

/// The keys above `id`, each followed by a colon, as SOPS authenticates them.
fn path(tree: &Tree<'_>, id: NodeId) -> String {
    let mut keys = Vec::new();
    let mut at = id;
    while tree.node(at).parent != at {
        if tree.has_key(at) {
            keys.push(String::from_utf8(tree.key(at).to_vec()).unwrap());
        }
        at = tree.node(at).parent;
    }
    keys.reverse();
    keys.join(":") + ":"
}

fn text(tree: &Tree<'_>, id: NodeId) -> String {
    String::from_utf8(tree.text(tree.node(id).text).to_vec()).unwrap()
}

/// What SOPS encrypts, in its order: type, text (where it is canonical), path.
fn encrypted(tree: &Tree<'_>) -> Vec<[String; 3]> {
    let mut found = Vec::new();
    for id in 0..tree.nodes.len() as NodeId {
        let node = tree.node(id);
        let bytes = tree.text(node.text);
        let (kind, value) = match node.kind {
            Kind::Comment if !bytes.is_empty() => ("comment", text(tree, id)),
            Kind::Scalar => match resolve(bytes, node.tag, node.style == Style::Plain).unwrap() {
                Scalar::Str(text) if !text.is_empty() => ("str", String::from_utf8(text.to_vec()).unwrap()),
                Scalar::Bool(value) => ("bool", value.to_string()),
                Scalar::Int(value) => ("int", value.to_string()),
                Scalar::Float(_) => ("float", String::new()),
                Scalar::Time(_) => ("time", String::new()),
                _ => continue,
            },
            _ => continue,
        };
        found.push([kind.to_owned(), value, path(tree, id)]);
    }
    found
}

fn comments(tree: &Tree<'_>) -> Vec<[String; 2]> {
    encrypted(tree)
        .into_iter()
        .filter(|item| item[0] == "comment")
        .map(|[_, text, path]| [text, path])
        .collect()
}

#[test]
fn values_and_comments_are_where_sops_found_them() {
    let recorded = fs::read_to_string(corpus().join("yaml-comments.jsonl")).unwrap();
    let mut cases = 0;
    for line in recorded.lines() {
        let case: serde_json::Value = serde_json::from_str(line).unwrap();
        let source = case["yaml"].as_str().unwrap();
        let wanted: Vec<[String; 3]> = serde_json::from_value(case["sops"].clone()).unwrap();
        assert_eq!(encrypted(&tree(source)), wanted, "{source}");
        let wanted: Vec<[String; 2]> = serde_json::from_value(case["encrypted"].clone()).unwrap();
        let ahead = read(source.as_bytes(), Purpose::Encrypt).unwrap();
        assert_eq!(comments(&ahead), wanted, "for encryption: {source}");
        cases += 1;
    }
    assert!(cases >= 260, "{cases} cases");
}

/// One scalar or alias of a `.goev` file.
struct Recorded {
    start: Option<usize>,
    end: Option<usize>,
    text: Option<String>,
}

fn recorded(line: &str) -> Option<Recorded> {
    let alias = line.starts_with("=ALI ");
    let rest = line.strip_prefix("=VAL ").or(line.strip_prefix("=ALI "))?;
    let mut parts = rest.splitn(3, ' ');
    let start = parts.next()?.parse().ok();
    let end = parts.next()?.parse().ok();
    let rest = parts.next()?;
    if alias {
        return Some(Recorded { start, end, text: None });
    }
    let bare = !rest.starts_with(['&', '!', '<']);
    let quote = rest
        .char_indices()
        .find(|&(at, character)| ":'\"|>".contains(character) && rest[at + 1..].starts_with('"'))?;
    let block = matches!(quote.1, '|' | '>');
    Some(Recorded {
        start: start.filter(|_| bare),
        end: end.filter(|_| !block),
        text: unquoted(&rest[quote.0 + 1..]),
    })
}

/// A Go `%q` string, if JSON reads it too.
fn unquoted(text: &str) -> Option<String> {
    if text.contains("\\\\x") {
        return None;
    }
    serde_json::from_str(&text.replace("\\x", "\\u00").replace("\\a", "\\u0007").replace("\\v", "\\u000b"))
        .ok()
}

#[test]
fn scalars_have_the_marks_of_go_yaml() {
    let mut compared = 0;
    for entry in fs::read_dir(corpus().join("yaml-nasty")).unwrap() {
        let file = entry.unwrap().path();
        if file.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let source = fs::read(&file).unwrap();
        let events = fs::read_to_string(file.with_extension("yaml.goev")).unwrap();
        let tree = match read(&source, Purpose::AsIs) {
            Ok(tree) => tree,
            Err(error) => {
                if let Some(wanted) = events.lines().find(|line| line.starts_with("ERR ")) {
                    let wanted = wanted.rsplit(": ").next().unwrap();
                    assert!(error.message.ends_with(wanted), "{name}: {error}");
                }
                continue;
            }
        };
        assert!(!events.contains("\nERR "), "{name}: go-yaml refuses it");
        let body = if source.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
        let mark = |at: u32| String::from_utf8_lossy(&source[body..(at as usize).max(body)]).chars().count();
        let mut ours = Vec::new();
        for id in 0..tree.nodes.len() as NodeId {
            let node = tree.node(id);
            if tree.has_key(id) {
                let key = String::from_utf8(tree.key(id).to_vec()).unwrap();
                ours.push((mark(node.key.start), mark(node.key.end), key));
            }
            if matches!(node.kind, Kind::Scalar | Kind::Alias) {
                let value = if node.kind == Kind::Alias { String::new() } else { text(&tree, id) };
                ours.push((mark(node.span.start), mark(node.span.end), value));
            }
        }
        let wanted: Vec<Recorded> = events.lines().filter_map(recorded).collect();
        assert_eq!(wanted.len(), ours.len(), "{name}");
        for (wanted, ours) in wanted.iter().zip(&ours) {
            assert!(wanted.start.is_none_or(|start| start == ours.0), "{name}: start of {ours:?}");
            assert!(wanted.end.is_none_or(|end| end == ours.1), "{name}: end of {ours:?}");
            assert!(
                wanted.text.as_ref().is_none_or(|text| *text == ours.2),
                "{name}: {:?} {ours:?}",
                wanted.text
            );
            compared += 1;
        }
    }
    assert!(compared > 250, "{compared} scalars compared");
}

#[test]
fn refusals_are_those_of_sops() {
    for (source, message) in [
        ("a: b: c\n", "yaml: line 1: mapping values are not allowed in this context"),
        ("a: 1\n b: 2\n", "yaml: line 2: mapping values are not allowed in this context"),
        ("a:\n  - b\n c: d\n", "yaml: line 3: did not find expected key"),
        ("a:\n  - b\n  c: 1\n", "yaml: line 3: did not find expected '-' indicator"),
        ("a: &k {b: 1}\n--- *k\n", "YAML documents that are aliases are not supported"),
        ("a: [b\nc: d\n", "yaml: line 2: did not find expected ',' or ']'"),
        ("a: 'b\n", "yaml: line 1: found unexpected end of stream"),
        ("a: \"\\q\"\n", "yaml: line 1: found unknown escape character"),
        ("a: 1\na\n", "yaml: line 2: could not find expected ':'"),
        ("a:\n\t- b\n", "yaml: line 2: found character that cannot start any token"),
        ("a: @b\n", "yaml: line 1: found character that cannot start any token"),
        ("a: *b\n", "yaml: line 1: unknown anchor referenced"),
        ("a: &b [*b]\n", "yaml: line 1: anchor value contains itself"),
        ("%YAML 1.2\n---\na: 1\n", "yaml: line 1: found incompatible YAML document"),
        (
            "a: 1\nb: 2\na: 3\n",
            "yaml: unmarshal errors:\n  line 3: mapping key \"a\" already defined at line 1",
        ),
        (
            "x:\n  a: 1\n  \"a\": 3\n",
            "yaml: unmarshal errors:\n  line 3: mapping key \"a\" already defined at line 2",
        ),
        ("? [a]\n: b\n", "yaml: unmarshal errors:\n  line 1: cannot unmarshal !!seq into string"),
        ("? {a: b}\n: b\n", "yaml: unmarshal errors:\n  line 1: cannot unmarshal !!map into string"),
        ("- a\n", "yaml: unmarshal errors:\n  line 1: cannot unmarshal !!seq into map[string]interface {}"),
        ("a\n", "yaml: unmarshal errors:\n  line 1: cannot unmarshal a value into map[string]interface {}"),
        ("a: 1\n---\n- b\n", "YAML documents that are sequences are not supported"),
        ("a: 1\n---\nb\n", "YAML documents that are values are not supported"),
        ("a: !!int x\n", "yaml: line 1: cannot decode !!str as a !!int"),
        ("<<: 1\n", "yaml: line 1: map merge requires map or sequence of maps as the value"),
        ("# only\n", "EOF"),
        ("a: \u{1}\n", "yaml: line 1: control characters are not allowed"),
    ] {
        assert_eq!(refusal(source), message, "{source:?}");
    }
    assert_eq!(read(b"", Purpose::AsIs).unwrap_err().kind, ReadErrorKind::Empty);
    assert!(read(b"a: \xFF\n", Purpose::AsIs).is_err());
    assert!(read(b"\xFF\xFEa\0", Purpose::AsIs).unwrap_err().hint.is_some());
}

#[test]
fn later_documents_may_repeat_keys() {
    let tree = tree("a: 1\n---\nb: 1\nb: 2\n");
    assert_eq!(tree.documents.len(), 2);
    assert_eq!(tree.children(tree.documents[1].root).count(), 2);
}

#[test]
fn documents_span_from_marker_to_marker() {
    let spans = |source: &str| -> Vec<(u32, u32)> {
        tree(source).documents.iter().map(|document| (document.span.start, document.span.end)).collect()
    };
    assert_eq!(spans("a: 1\n"), [(0, 5)]);
    assert_eq!(spans("---\na: 1\n...\n"), [(4, 9)]);
    assert_eq!(spans("--- # c\na: 1\n---\nb: 1"), [(8, 13), (17, 21)]);
    assert_eq!(spans("--- {a: 1}\n---\n"), [(3, 11), (15, 15)]);
    assert_eq!(spans("---\r\na: 1\r\n---\rb: 1\r"), [(5, 11), (15, 20)]);
    assert_eq!(spans("%YAML 1.1\n---\na: 1\n"), [(14, 19)]);
    assert_eq!(spans("# c\na: 1\n# d\n---\n---\n"), [(0, 13), (17, 17), (21, 21)]);
}

#[test]
fn an_empty_document_is_an_empty_map() {
    for source in ["---\n", "---\n# c\n", "--- null\n", "--- ~\n"] {
        let tree = tree(source);
        let root = tree.node(0);
        assert_eq!((root.kind, root.style), (Kind::Map, Style::Plain), "{source:?}");
    }
}

#[test]
fn nodes_say_what_they_are() {
    let source = "a: &x !!str 1\nb: {c: [*x, \"d\"]}\n? 1\n: ! 2\nsops:\n  e: |2-\n     f\n\n";
    let tree = tree(source);
    let show = |id: NodeId| {
        let node = tree.node(id);
        (node.kind, node.style, node.tag, node.indent, &source[node.span.range()])
    };
    assert_eq!(show(1), (Kind::Scalar, Style::Plain, Tag::Str, 0, "1"));
    let properties = tree.properties_of(1);
    assert_eq!((tree.raw(properties.anchor), tree.raw(properties.tag)), (&b"&x"[..], &b"!!str"[..]));
    assert_eq!(show(2), (Kind::Map, Style::Flow, Tag::None, 0, "{c: [*x, \"d\"]}"));
    assert_eq!(show(4), (Kind::Alias, Style::Plain, Tag::None, 0, "*x"));
    assert_eq!(tree.node(4).text.start, 1);
    assert!(tree.node(4).flags.has(Flags::IN_FLOW) && !tree.node(2).flags.has(Flags::IN_FLOW));
    assert_eq!(show(5), (Kind::Scalar, Style::DoubleQuoted, Tag::None, 0, "\"d\""));
    assert!(tree.node(6).flags.has(Flags::ODD_KEY) && tree.node(6).flags.has(Flags::PROPERTIES));
    assert_eq!(show(6), (Kind::Scalar, Style::Plain, Tag::None, 0, "2"));
    assert!(tree.node(7).flags.has(Flags::METADATA) && tree.node(8).flags.has(Flags::METADATA));
    assert_eq!(show(8), (Kind::Scalar, Style::Literal, Tag::None, 2, "|2-\n     f\n"));
    assert_eq!(text(&tree, 8), " f");
}

#[test]
fn an_alias_as_a_key_stands_for_its_text() {
    let tree = tree("a: &x key\n*x : 1\n&y b: *y\n");
    assert_eq!(tree.key(2), b"key");
    assert_eq!((tree.node(3).kind, text(&tree, 3)), (Kind::Scalar, "b".to_owned()));
}

#[test]
fn no_comment_is_lost() {
    let source = "%YAML 1.1 # c1\n--- # c2\na: { # c3\n  b: 1, # c4\n  # c5\n} # c6\nd: [ # c7\n] # c8\n# c9\n\
                  e: {} # c10\n...\n# c11\n---\n# c12\n...\n# c13\n";
    for purpose in [Purpose::AsIs, Purpose::Encrypt] {
        let tree = read(source.as_bytes(), purpose).unwrap();
        let mut found: Vec<String> = (0..tree.nodes.len() as NodeId)
            .filter(|&id| tree.node(id).kind == Kind::Comment)
            .map(|id| text(&tree, id).trim().to_owned())
            .collect();
        found.sort_by_key(|name| name[1..].parse::<u32>().unwrap());
        let wanted: Vec<String> = (1..=13).map(|number| format!("c{number}")).collect();
        assert_eq!(found, wanted, "{purpose:?}");
    }
}

#[test]
fn comments_know_their_place_on_the_line() {
    let tree = tree("# c\na: 1 #d\nb: |\t# e\n  x\n");
    let found: Vec<(Style, &[u8], String)> = (0..tree.nodes.len() as NodeId)
        .filter(|&id| tree.node(id).kind == Kind::Comment)
        .map(|id| (tree.node(id).style, tree.raw(tree.node(id).span), text(&tree, id)))
        .collect();
    assert_eq!(
        found,
        [
            (Style::OwnLine, &b"# c"[..], " c".to_owned()),
            (Style::Inline, b"#d", "d".to_owned()),
            (Style::Inline, b"# e", " e".to_owned()),
        ]
    );
}

#[test]
fn depth_is_bounded() {
    let deep = |depth: usize| format!("a: {}{}\n", "[".repeat(depth), "]".repeat(depth));
    assert!(read(deep(9_999).as_bytes(), Purpose::AsIs).is_ok());
    assert!(refusal(&deep(10_001)).contains("exceeded max depth of 10000"));
    let mut block = String::new();
    for depth in 0..3_000 {
        block.extend(std::iter::repeat_n(' ', depth));
        block.push_str("a:\n");
    }
    assert!(read(block.as_bytes(), Purpose::AsIs).is_ok());
    let dashes = format!("a:\n  {}b\n", "- ".repeat(10_100));
    assert!(refusal(&dashes).contains("exceeded max depth of 10000"));
}

#[test]
fn alias_bombs_are_refused() {
    let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (name, before) in ('b'..='i').zip('a'..='h') {
        let items = vec![format!("*{before}"); 9].join(", ");
        bomb.push_str(&format!("{name}: &{name} [{items}]\n"));
    }
    assert!(refusal(&bomb).ends_with("document contains excessive aliasing"));
    // As many aliases as go-yaml takes.
    let few = format!("a: &a [x, x]\nb: [{}]\n", vec!["*a"; 200].join(", "));
    assert!(read(few.as_bytes(), Purpose::AsIs).is_ok());
}

#[test]
fn a_key_reaches_1024_characters() {
    let source = format!("{}: 1\n", "é".repeat(1024));
    assert!(read(source.as_bytes(), Purpose::AsIs).is_ok());
    let source = format!("{}: 1\n", "k".repeat(1025));
    assert_eq!(refusal(&source), "yaml: line 1: mapping values are not allowed in this context");
}

#[test]
fn large_shapes_stay_linear() {
    let keys: String = (0..30_000).map(|number| format!("key_{number}: {number}\n")).collect();
    assert_eq!(tree(&keys).nodes.len(), 30_001);
    let flow = format!("a: [{}]\n", "x, ".repeat(200_000));
    assert_eq!(tree(&flow).nodes.len(), 200_002);
    let comments = format!("a: 1\n{}b: 2\n", "# c\n".repeat(200_000));
    assert_eq!(read(comments.as_bytes(), Purpose::Encrypt).unwrap().nodes.len(), 200_003);
    // Without a last line break every block could be the one that ends the file.
    let blocks: Vec<String> = (0..30_000).map(|number| format!("key_{number}: |\n  a\n  b")).collect();
    let blocks = format!("# c\n{}", blocks.join("\n"));
    assert_eq!(read(blocks.as_bytes(), Purpose::Encrypt).unwrap().nodes.len(), 30_002);
}
