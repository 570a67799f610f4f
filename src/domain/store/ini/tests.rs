//! What the INI store reads, keeps and prints. Expected texts of SOPS were
//! recorded from its releases.

use proptest::prelude::*;

use super::Ini;
use crate::domain::scalar::Scalar;
use crate::domain::store::splice::{Edit, apply};
use crate::domain::store::{Layout, Plain, Purpose, Store};
use crate::domain::tree::{Flags, Kind, NodeId, Tree};
use crate::domain::value::{Entry, Value};

fn read(source: &[u8]) -> Tree<'_> {
    Ini.read(source, Purpose::Encrypt)
        .unwrap_or_else(|error| panic!("{error} in {:?}", String::from_utf8_lossy(source)))
}

fn pair(key: &str, value: Value) -> Entry {
    Entry::Pair(key.into(), value)
}

fn metadata() -> Value {
    let key = Value::Map(vec![pair("enc", Value::text("a\nb\n")), pair("recipient", Value::text("age1"))]);
    Value::Map(vec![
        pair("age", Value::List(vec![key])),
        pair("encrypted_regex", Value::text("^(a|b;)#`")),
        pair("mac_only_encrypted", Value::Scalar(Scalar::Bool(true))),
    ])
}

/// The nodes of a file: section, key or `;`, text; `!` marks what SOPS reads
/// differently, `~` what a later key shadows.
fn show(tree: &Tree<'_>) -> Vec<String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (2..tree.nodes.len() as NodeId)
        .map(|id| {
            let node = tree.node(id);
            let mark = match node.flags {
                flags if flags.has(Flags::AMBIGUOUS) => "!",
                flags if flags.has(Flags::SHADOWED) => "~",
                _ => "",
            };
            match node.kind {
                Kind::Map => format!("[{}]", text(tree.key(id))),
                Kind::Comment => format!(";{}", text(tree.text(node.text))),
                _ => format!("{mark}{}={}", text(tree.key(id)), text(tree.text(node.text))),
            }
        })
        .collect()
}

/// `text` with tokens that look like those of comments.
fn with_tokens(text: &str) -> String {
    let token = |name: &str| format!("ENC[AES256_GCM,data:{name},iv:{name},tag:{name},type:comment]");
    text.replace("ENC[x]", &token("x")).replace("ENC[y]", &token("y"))
}

#[test]
fn values_are_read_as_sops_reads_them_unless_that_would_lose_something() {
    let cases: [(&str, &[&str]); 33] = [
        ("a=1", &["a=1"]),
        ("a : two words ", &["a=two words"]),
        ("a\u{a0}= x\u{a0}", &["a=x"]),
        ("a=", &["a="]),
        ("a=b=c:d", &["a=b=c:d"]),
        ("a=\"q\"", &["a=q"]),
        ("a='q'", &["a=q"]),
        ("a=\"q\" x", &["a=\"q\" x"]),
        ("a=\"p\"q\"", &["a=\"p\"q\""]),
        ("a=\"", &["a=\""]),
        ("a=x ; c", &["a=x", ";c"]),
        ("a=x\t## c ;d", &["a=x", ";c ;d"]),
        ("a= ; c", &["a=", ";c"]),
        ("a=x;y", &["!a=x;y"]),
        ("a=UJ&J#22222", &["!a=UJ&J#22222"]),
        ("a=#fff", &["!a=#fff"]),
        ("a = #fff", &["a=", ";fff"]),
        ("a=\"x;y\"", &["!a=x;y"]),
        ("a='x # y' # c", &["!a=x # y", ";c"]),
        ("a=\"q\";c", &["a=q", ";c"]),
        ("a=\"un ; c", &["a=\"un", ";c"]),
        ("a=`b ; q`", &["a=b ; q"]),
        ("a=`b`q`", &["a=b`q"]),
        ("a=`b` ; c", &["a=b", ";c"]),
        ("a=\"\"\"t\"u\"\"\"", &["a=t\"u"]),
        ("a=\"\"\"m1\n m2\n\"\"\" # c\nb=1", &["a=m1\n m2\n", ";c", "b=1"]),
        ("a=`m1\nm2`", &["a=m1\nm2"]),
        ("a=x \\\n  y\\\nz\nb=1", &["a=x yz", "b=1"]),
        ("a=x \\\n\nb=1", &["a=x ", "b=1"]),
        ("a=\"x \\\n y\" ; z", &["a=\"x y\" ; z"]),
        ("`k=1`=2\n\"q k\" =3\n\"\"\"t:k\"\"\":4", &["k=1=2", "q k=3", "t:k=4"]),
        ("  a = 1\n\tb=2", &["a=1", "b=2"]),
        ("\u{feff}a=1\r\nb=2\r\n", &["a=1", "b=2"]),
    ];
    for (source, expected) in cases {
        let shown = show(&read(with_tokens(source).as_bytes()));
        let expected: Vec<String> = expected.iter().map(|line| with_tokens(line)).collect();
        assert_eq!(shown, expected, "{source:?}");
    }
}

#[test]
fn comments_hang_where_sops_hangs_them() {
    let cases: [(&str, &[&str]); 12] = [
        ("; c\na=1", &["a=1", ";c"]),
        (";; c  \n# d\n\n  ;e\na=1", &["a=1", ";c  \n# d\n;e"]),
        ("; c\na=1 # d", &["a=1", ";c\n# d", ";d"]),
        ("; c\n[s]\na=1", &["[s]", ";c", "a=1"]),
        ("; c\n[s] # d\na=1", &["[s]", ";c\n# d", "a=1"]),
        ("[s] # d\na=1", &["[s]", ";d", "a=1"]),
        ("a=1\n; end", &["a=1", ";end"]),
        ("[s]\n; end\n\n[sops]\nmac=x", &["[s]", ";end", "[sops]", "mac=x"]),
        (";\n; T\n;\na=1", &["a=1", ";T\n;"]),
        (";\n;\na=1", &["a=1", ";;"]),
        (";\na=1", &["a=1", ";"]),
        ("; ENC[x]\na=1 ; ENC[y]", &["a=1", ";ENC[x]", ";ENC[y]"]),
    ];
    for (source, expected) in cases {
        let shown = show(&read(with_tokens(source).as_bytes()));
        let expected: Vec<String> = expected.iter().map(|line| with_tokens(line)).collect();
        assert_eq!(shown, expected, "{source:?}");
    }
}

#[test]
fn sections_stay_apart_and_repeated_keys_stand_where_sops_has_them() {
    let source = "t=1\n[s]\na=1\n; c\nb=2 ; d\na=3\nb=4\n; e\nb=5\n[s]\na=6\n[DEFAULT]\nx=7\n; end\n";
    let tree = read(source.as_bytes());
    let expected = [
        "t=1",
        "[s]",
        "a=3",
        "~a=1",
        "b=5",
        "~b=2",
        "~b=4",
        ";e",
        ";c\n; d",
        ";d",
        "[s]",
        "a=6",
        "[DEFAULT]",
        "x=7",
        ";end",
    ];
    assert_eq!(show(&tree), expected);
    assert_eq!(tree.key(1), b"DEFAULT");
    for id in 1..tree.nodes.len() as NodeId {
        let node = tree.node(id);
        let parent = tree.node(node.parent);
        assert!(node.parent < id && id < parent.end && node.end <= parent.end);
    }
}

#[test]
fn what_sops_cannot_read_or_would_drop_is_refused() {
    let cases = [
        ("novalue\n", 1, "key-value delimiter not found"),
        ("\n[a\nb=1\n", 2, "unclosed section"),
        ("[]\n", 1, "empty section name"),
        ("=1\n", 1, "empty key name"),
        ("\"a\n", 1, "missing closing key quote"),
        ("`a=1\n", 1, "missing closing key quote"),
        ("a=`x\ny\n", 2, "missing closing key quote"),
        ("a=1\n-=1\n", 2, "a key is named `-`"),
        ("a=`x` y\n", 1, "there is text behind a closing quote"),
        ("\u{feff}\u{feff}x", 1, "key-value delimiter not found"),
    ];
    for (source, line, message) in cases {
        let error = Ini.read(source.as_bytes(), Purpose::Encrypt).unwrap_err();
        assert_eq!((error.line, error.message.as_str()), (Some(line), message), "{source:?}");
    }
    assert!(Ini.read(b"\xff\xfea\0", Purpose::Encrypt).is_err());
}

/// Files whose every byte must come back.
const FILES: [&str; 28] = [
    "",
    "\u{feff}",
    "\n",
    "a=1\n",
    "a=1",
    "\u{feff}[s]\r\na = 1\r\n\r\n\r\n",
    "a=1\r\nb=2",
    "[s]\n\n\n[t]",
    "a = \"q\"\nb='q' \nc=`q`\nd=\"\"\"q\"\"\"\n",
    "a=x;y\nb = #fff\nc=#fff\nd=\"x;y\" ; c\n",
    "; c\na=1\n",
    "  ;c\n   # d\n\n\t; e\na=1 ; f\n",
    ";\n; T\n;\n[s] ; h\na=1\n",
    "##  x  \r\n; y\r\n[s]# h\r\na=1 # z\r\n",
    "a=x \\\n  y\nb=x \\\n\nc=1\n",
    "a=x \\\n\n\nb=1",
    "a=\"\"\"m\n n\n\"\"\" ; c\nb=`m\n`\n",
    "a=1\na = 2\n; c\na:3\n",
    "a=1\n; end\n\n;end2",
    "; only",
    ";\n;\na=1\n",
    ";\na=1 ; b\n",
    "; a\n;\nb=1 ; c\n",
    "`k=1` = 2\n\"q k\"=3\n",
    "a=\"  sp  \"\nb=tail\\ x\nc=\"it's\"\n",
    "a=ends\\",
    "[a]b] ; c\nx=1\n",
    "a\u{a0}=\u{2003}x\u{a0}\n",
];

#[test]
fn metadata_comes_and_goes_without_a_trace() {
    for source in FILES {
        let plain = read(source.as_bytes());
        let locked = apply(source.as_bytes(), Ini.attach(&plain, &metadata()));
        let tree = read(&locked);
        assert_eq!(Ini.metadata(&tree).unwrap(), Some(metadata()), "{source:?}");
        assert_eq!(String::from_utf8(apply(&locked, Ini.detach(&tree))).unwrap(), source);
        let kept = Ini.metadata_text(&tree, &[]);
        assert_eq!(apply(source.as_bytes(), Ini.attach_text(&plain, &kept)), locked, "{source:?}");
    }
}

#[test]
fn metadata_is_a_section_of_flat_names() {
    let locked = apply(b"a=1\n", Ini.attach(&read(b"a=1\n"), &metadata()));
    let expected = "a=1\n\n[sops]\nage__list_0__map_enc       = a\\nb\\n\nage__list_0__map_recipient = age1\n\
                    encrypted_regex            = \"\"\"^(a|b;)#`\"\"\"\nmac_only_encrypted         = true\n";
    assert_eq!(String::from_utf8(locked).unwrap(), expected);
    let real_newlines = b"[s]\na = 1\n\n[sops]\nx = \"\"\"l1\nl2\n\"\"\"\ny = l1\\nl2\n";
    let tree = read(real_newlines);
    let expected = Value::Map(vec![pair("x", Value::text("l1\nl2\n")), pair("y", Value::text("l1\nl2"))]);
    assert_eq!(Ini.metadata(&tree).unwrap(), Some(expected));
    assert_eq!(apply(real_newlines, Ini.detach(&tree)), b"[s]\na = 1\n");
    let middle = b"a=1\n\n[sops]\nx=1\n\n[t]\nb=2\n";
    assert_eq!(apply(middle, Ini.detach(&read(middle))), b"a=1\n\n[t]\nb=2\n");
    assert_eq!(Ini.metadata(&read(b"[s]\nsops=1\n")).unwrap(), None);
}

#[test]
fn metadata_fields_change_in_their_place() {
    let tree = read(b"a=1\n\n[sops]\nmac     = m\nversion = 3\n");
    let text =
        |changes: &[(&str, Option<&str>)]| String::from_utf8(Ini.metadata_text(&tree, changes).0).unwrap();
    assert_eq!(text(&[("mac", Some("x\ny"))]), "[sops]\nmac     = x\\ny\nversion = 3\n");
    assert_eq!(text(&[("mac", None), ("z", Some("1"))]), "[sops]\nversion = 3\nz       = 1\n");
    assert_eq!(
        text(&[("no", None), ("very_long", Some("1;"))]),
        "[sops]\nmac     = m\nversion = 3\nvery_long = `1;`\n"
    );
}

/// Locks every leaf, then unlocks it again, by its spelling where its own text
/// would not come back.
fn lock_and_unlock(source: &[u8]) -> Vec<u8> {
    let tree = read(source);
    let mut edits = Ini.attach(&tree, &metadata());
    let mut spelled = Vec::new();
    let leaf = |id: NodeId| tree.node(id).kind != Kind::Map && !tree.node(id).text.is_empty();
    for id in (0..tree.nodes.len() as NodeId).filter(|&id| leaf(id)) {
        let style = Ini.token_style(&tree, id);
        let (mut out, mut back) = (Vec::new(), Vec::new());
        let span = Ini.lock(&tree, id, style, &with_tokens("ENC[x]"), &mut out);
        let plain = Plain { value: Ini.scalar(&tree, id), spelling: None };
        assert_eq!(Ini.unlock(&tree, id, style, &plain, &mut back), span);
        if back != tree.raw(span) {
            spelled.push((id, tree.raw(span)));
        }
        edits.push(Edit::new(span, out));
    }
    let locked = apply(source, edits);
    let encrypted = read(&locked);
    let mut edits = Ini.detach(&encrypted);
    for id in (0..tree.nodes.len() as NodeId).filter(|&id| leaf(id)) {
        let node = encrypted.node(id);
        assert_eq!((node.kind, encrypted.key(id)), (tree.node(id).kind, tree.key(id)));
        assert_eq!(encrypted.text(node.text), with_tokens("ENC[x]").as_bytes());
        let value = Ini.scalar(&tree, id);
        let spelling = spelled.iter().find(|(spelled, _)| *spelled == id);
        let mut out = Vec::new();
        let span = match spelling {
            Some((_, text)) => {
                out.extend_from_slice(text);
                Ini.spelled(&encrypted, id, text, &value)
                    .unwrap_or_else(|| panic!("{:?}", String::from_utf8_lossy(source)))
            }
            None => Ini.unlock(&encrypted, id, node.style, &Plain { value, spelling: None }, &mut out),
        };
        edits.push(Edit::new(span, out));
    }
    apply(&locked, edits)
}

#[test]
fn every_byte_comes_back() {
    for source in FILES {
        assert_eq!(String::from_utf8(lock_and_unlock(source.as_bytes())).unwrap(), source);
    }
}

#[test]
fn tokens_keep_the_quotes_and_the_marker() {
    let source = "  ;; c\n; d\na = 'x' # e\nb=`y`\n\n[s] ; h\n";
    let tree = read(source.as_bytes());
    let mut edits = Vec::new();
    for id in 2..tree.nodes.len() as NodeId {
        if tree.node(id).kind != Kind::Map {
            let mut out = Vec::new();
            let span = Ini.lock(&tree, id, Ini.token_style(&tree, id), "ENC[x]", &mut out);
            edits.push(Edit::new(span, out));
        }
    }
    let locked = String::from_utf8(apply(source.as_bytes(), edits)).unwrap();
    assert_eq!(locked, "  ;; ENC[x]\na = 'ENC[x]' # ENC[x]\nb=`ENC[x]`\n\n; ENC[x]\n[s]\n");
}

#[test]
fn values_unlock_in_quotes_that_read_back() {
    let tree = read(b"[s]\nk   = ENC[x]\nq = \"ENC[x]\"\n");
    let unlock = |id: NodeId, text: &str| {
        let mut out = Vec::new();
        let plain = Plain { value: Scalar::Str(text.into()), spelling: None };
        Ini.unlock(&tree, id, tree.node(id).style, &plain, &mut out);
        String::from_utf8(out).unwrap()
    };
    let cases = [
        ("x", "x", "\"x\""),
        ("a b", "a b", "\"a b\""),
        ("x;y", "`x;y`", "\"x;y\""),
        (" x ", "\" x \"", "\" x \""),
        ("l1\nl2", "\"\"\"l1\nl2\"\"\"", "\"\"\"l1\nl2\"\"\""),
        ("it`s", "\"\"\"it`s\"\"\"", "\"it`s\""),
        ("\"x\"", "`\"x\"`", "`\"x\"`"),
        ("x\\", "`x\\`", "\"x\\\""),
        ("say \"hi\"", "say \"hi\"", "say \"hi\""),
        ("'", "'", "\"'\""),
    ];
    for (text, plain, quoted) in cases {
        assert_eq!(unlock(3, text), plain, "{text:?}");
        assert_eq!(unlock(4, text), quoted, "{text:?}");
    }
}

#[test]
fn spellings_are_used_only_for_their_value() {
    let file = with_tokens("; ENC[x]\na = ENC[x] ; ENC[y]\nb=ENC[x]\n");
    let tree = read(file.as_bytes());
    let fits = |id: NodeId, spelling: &str, text: &'static str| {
        Ini.spelled(&tree, id, spelling.as_bytes(), &Scalar::Str(text.into())).is_some()
    };
    assert!(fits(5, "x \\\n  y", "x y"));
    assert!(!fits(2, "x \\\n  y", "x y"));
    assert!(!fits(2, "x y\nz=2", "x y"));
    assert!(!fits(2, "#fff", "#fff"));
    assert!(fits(5, "#fff", "#fff"));
    assert!(!fits(5, "y", "x"));
    assert!(fits(3, "; c\n\n  ;; d", "c\n;; d\n; e"));
    assert!(!fits(3, "; c\nz=1", "c\n; e"));
    assert!(!fits(3, "; d", "c\n; e"));
    assert!(fits(4, "#e", "e"));
    assert!(!fits(4, "e", "e"));
}

#[test]
fn files_print_as_sops_prints_them() {
    let section = Value::Map(vec![
        Entry::Comment("sec".into()),
        pair("a", Value::text("1")),
        Entry::Comment("c\n# d".into()),
        pair("e=", Value::text("x;y")),
        pair("long key", Value::text("")),
        pair("f", Value::Scalar(Scalar::Float(1.0))),
        pair("t", Value::Scalar(Scalar::Bool(true))),
        pair("sp", Value::text(" ")),
        pair("m", Value::text("l1\nl2")),
    ]);
    let document = Value::Map(vec![
        pair("DEFAULT", Value::Map(vec![pair("top", Value::text("0"))])),
        pair("s", section),
        pair("empty", Value::Map(vec![])),
    ]);
    let expected = "top = 0\n\n; sec\n[s]\n; c\n# d\na        = 1\n`e=`     = `x;y`\nlong key = \nf        = 1.0\n\
                    t        = true\nsp       = \" \"\nm        = \"\"\"l1\nl2\"\"\"\n\n[empty]\n";
    let printed = Ini.emit(&[document], Layout::default()).unwrap();
    assert_eq!(String::from_utf8(printed).unwrap(), expected);
    let bare = Value::Map(vec![pair("DEFAULT", Value::Map(vec![])), pair("s", Value::Map(vec![]))]);
    assert_eq!(Ini.emit(&[bare], Layout::default()).unwrap(), b"[s]\n");
    let error = Ini.emit(&[Value::Map(vec![pair("a", Value::text("1"))])], Layout::default()).unwrap_err();
    assert!(error.message.ends_with("Section values should always be TreeBranches"));
}

#[test]
fn names_that_need_quotes_get_them_or_are_refused() {
    for key in ["#k", ";k", "[k", " k ", "a=b", "a:b", "a`b", "\"k", "é"] {
        let document = Value::Map(vec![pair("s", Value::Map(vec![pair(key, Value::text("1"))]))]);
        match Ini.emit(&[document], Layout::default()) {
            Ok(printed) => assert_eq!(read(&printed).key(3), key.as_bytes()),
            Err(error) => assert!(error.message.contains("cannot be written"), "{key:?}: {error}"),
        }
    }
    for key in ["", "-", "a\nb"] {
        let document = Value::Map(vec![pair("s", Value::Map(vec![pair(key, Value::text("1"))]))]);
        assert!(Ini.emit(&[document], Layout::default()).is_err(), "{key:?}");
    }
}

#[test]
fn keys_and_sections_come_and_go() {
    let source = "top=1\n\n; c\n[s]\na   = 1\nbcd = \"2\" ; x\n\n[t]\n\n[sops]\nmac = m\n";
    let tree = read(source.as_bytes());
    let edited = |edits: Result<Vec<Edit>, _>| {
        let text = apply(
            source.as_bytes(),
            edits.unwrap_or_else(|error: crate::domain::store::WriteError| panic!("{error}")),
        );
        read(&text);
        String::from_utf8(text).unwrap()
    };
    let section = |name: &[u8]| tree.children(0).find(|&id| tree.key(id) == name).unwrap();
    let key = |name: &[u8]| (0..tree.nodes.len() as NodeId).find(|&id| tree.key(id) == name).unwrap();
    let text = Value::text("v");
    assert_eq!(
        edited(Ini.insert(&tree, section(b"s"), "n", &text)),
        source.replace("; x\n", "; x\nn   = v\n")
    );
    assert_eq!(
        edited(Ini.insert(&tree, section(b"s"), "longer", &text)),
        source.replace("; x\n", "; x\nlonger = v\n")
    );
    assert_eq!(edited(Ini.insert(&tree, section(b"t"), "n", &text)), source.replace("[t]\n", "[t]\nn = v\n"));
    assert_eq!(
        edited(Ini.insert(&tree, 1, "n", &Value::text("a;b"))),
        source.replace("top=1\n", "top=1\nn=`a;b`\n")
    );
    let new = Value::Map(vec![pair("k", text)]);
    assert_eq!(edited(Ini.insert(&tree, 0, "u", &new)), source.replace("[sops]", "[u]\nk = v\n\n[sops]"));
    assert_eq!(edited(Ini.replace(&tree, key(b"bcd"), &Value::text("9"))), source.replace("\"2\"", "\"9\""));
    assert_eq!(edited(Ini.remove(&tree, key(b"a"))), source.replace("a   = 1\n", ""));
    assert_eq!(edited(Ini.remove(&tree, section(b"s"))), "top=1\n\n[t]\n\n[sops]\nmac = m\n");
    assert!(Ini.insert(&tree, 0, "k", &Value::text("v")).is_err());
    assert!(Ini.append(&tree, 0, &Value::text("v")).is_err());
    assert!(Ini.remove(&tree, 1).is_err());
    let repeated = b"a=1\nb=2\na=3";
    assert_eq!(apply(repeated, Ini.remove(&read(repeated), 2).unwrap()), b"b=2");
}

/// Lines of a file, odd ones included.
fn file() -> impl Strategy<Value = String> {
    let line = prop::sample::select(vec![
        "",
        "  ",
        "; c",
        ";",
        "#  d ",
        "\t;; e ; f",
        "[s]",
        "[s] ; h",
        "[t]u] # [x]",
        "a=1",
        "a = \"q\" ; c",
        "b: 'q'",
        "c=`x ; y` # z",
        "d=\"\"\"m\nn\"\"\" ; o",
        "e=x \\\n  y",
        "f=x \\\n\n",
        "g=x;y",
        "h = #fff",
        "i=\"x;y\"",
        "\"k y\" = it's",
        "a=2 # again",
        "j=",
        "k=tail\\ x",
    ]);
    let lines = prop::collection::vec(line, 0..10);
    (lines, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(lines, end, crlf, bom)| {
        let text = lines.join("\n") + if end { "\n" } else { "" };
        let text = if crlf { text.replace('\n', "\r\n") } else { text };
        if bom { format!("\u{feff}{text}") } else { text }
    })
}

proptest! {
    #[test]
    fn no_input_panics(bytes in prop::collection::vec(any::<u8>(), 0..64), text in "[a=;#\"'`\\\\\n\\[\\] \r]{0,40}") {
        for source in [&bytes[..], text.as_bytes()] {
            if let Ok(tree) = Ini.read(source, Purpose::AsIs) {
                let _ = Ini.metadata(&tree);
                let _ = apply(source, Ini.detach(&tree));
                for id in 0..tree.nodes.len() as NodeId {
                    let _ = Ini.remove(&tree, id);
                    let _ = Ini.insert(&tree, id, "k", &Value::text("v"));
                }
            }
        }
    }

    #[test]
    fn files_come_back(source in file()) {
        prop_assert_eq!(String::from_utf8(lock_and_unlock(source.as_bytes())).unwrap(), source);
    }

    #[test]
    fn any_value_reads_back(text in "[a;#\"'`\\\\\n é\t]{1,8}", style in 3..5_u32) {
        let tree = read(b"[s]\nk = ENC[x]\nq = \"ENC[x]\"\n");
        let mut out = Vec::new();
        let plain = Plain { value: Scalar::Str(text.as_str().into()), spelling: None };
        let span = Ini.unlock(&tree, style, tree.node(style).style, &plain, &mut out);
        let file = apply(tree.source, vec![Edit::new(span, out)]);
        let again = read(&file);
        prop_assert_eq!(again.text(again.node(style).text), text.as_bytes());
    }
}
