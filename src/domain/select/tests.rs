//! What each rule selects. The trees are small; that the same rules agree with
//! sops on many trees is checked by the comparison tests.

use super::{DEFAULT_SUFFIX, RuleKind, SelectError, Selection, Settings, Stage};
use crate::domain::scalar::Scalar;
use crate::domain::tree::{Document, Flags, Kind, Node, NodeId, Span, Style, Tag, Tree};
use crate::domain::value::{Entry, Value};

/// A tree to build. Leaves and comments are named by their texts.
enum T {
    Map(Vec<(&'static str, T)>),
    List(Vec<T>),
    Leaf(&'static str),
    Comment(&'static str),
    /// Refers to the n-th node.
    Alias(NodeId),
    Metadata(Box<T>),
}

fn build(root: &T) -> Tree<'static> {
    let mut tree = Tree::new(b"");
    add(&mut tree, 0, "", root);
    let span = Span::default();
    tree.documents.push(Document { root: 0, span });
    tree
}

fn add(tree: &mut Tree<'_>, parent: NodeId, key: &str, item: &T) {
    let id = tree.nodes.len() as NodeId;
    let (kind, text) = match item {
        T::Map(_) => (Kind::Map, ""),
        T::List(_) => (Kind::List, ""),
        T::Leaf(text) => (Kind::Scalar, *text),
        T::Comment(text) => (Kind::Comment, *text),
        T::Alias(_) => (Kind::Alias, ""),
        T::Metadata(inner) => {
            add(tree, parent, key, inner);
            tree.nodes[id as usize].flags.set(Flags::METADATA);
            return;
        }
    };
    let key_text = if key.is_empty() { Span::default() } else { tree.push_decoded(key.as_bytes()) };
    let mut span = if text.is_empty() { Span::default() } else { tree.push_decoded(text.as_bytes()) };
    if let T::Alias(target) = item {
        span = Span { start: *target, end: *target };
    }
    tree.nodes.push(Node {
        kind,
        style: Style::Plain,
        tag: Tag::None,
        flags: Flags::default(),
        parent,
        end: id + 1,
        key: key_text,
        key_text,
        span: Span::default(),
        text: span,
        indent: 0,
    });
    match item {
        T::Map(entries) => entries.iter().for_each(|(key, value)| add(tree, id, key, value)),
        T::List(items) => items.iter().for_each(|value| add(tree, id, "", value)),
        _ => {}
    }
    tree.nodes[id as usize].end = tree.nodes.len() as NodeId;
}

fn settings(kind: RuleKind, text: &str) -> Settings {
    let mut settings = Settings::default();
    settings.set_rule(kind, text);
    settings
}

fn selection(kind: RuleKind, text: &str) -> Selection {
    Selection::new(settings(kind, text)).unwrap()
}

/// The texts of the selected leaves.
fn selected(selection: &Selection, root: &T, stage: Stage) -> Vec<String> {
    let mut tree = build(root);
    selection.mark(&mut tree, stage);
    let leaf =
        |node: &&Node| matches!(node.kind, Kind::Scalar | Kind::Comment) && node.flags.has(Flags::SELECTED);
    tree.nodes
        .iter()
        .filter(leaf)
        .map(|node| String::from_utf8_lossy(tree.text(node.text)).into_owned())
        .collect()
}

fn plain(kind: RuleKind, text: &str, root: &T) -> String {
    selected(&selection(kind, text), root, Stage::Plain).join(" ")
}

/// `#top` / `a: 1` / `b_u: {c: 2, #in, d: [3, #li, {e_u: 4}]}` / `f: {g: 5}`, and the metadata.
fn sample() -> T {
    T::Map(vec![
        ("", T::Comment("#top")),
        ("a", T::Leaf("1")),
        (
            "b_u",
            T::Map(vec![
                ("c", T::Leaf("2")),
                ("", T::Comment("#in")),
                ("d", T::List(vec![T::Leaf("3"), T::Comment("#li"), T::Map(vec![("e_u", T::Leaf("4"))])])),
            ]),
        ),
        ("f", T::Map(vec![("g", T::Leaf("5"))])),
        ("sops", T::Metadata(Box::new(T::Map(vec![("mac", T::Leaf("m"))])))),
    ])
}

#[test]
fn key_rules_look_at_every_component_of_the_path() {
    use RuleKind::{EncryptedRegex, EncryptedSuffix, UnencryptedRegex, UnencryptedSuffix};
    for (kind, text, expected) in [
        (UnencryptedSuffix, "_u", "#top 1 5"),
        (UnencryptedSuffix, "g", "#top 1 2 #in 3 #li 4"),
        (EncryptedSuffix, "_u", "2 #in 3 #li 4"),
        (EncryptedSuffix, "d", "3 #li 4"),
        (UnencryptedRegex, "^(b_u|f)$", "#top 1"),
        (UnencryptedRegex, "^$", "#top 1 2 #in 3 #li 4 5"),
        (EncryptedRegex, "_u$", "2 #in 3 #li 4"),
        (EncryptedRegex, "(?i)^[EG]", "4 5"),
        (EncryptedRegex, "^1$", ""),
    ] {
        assert_eq!(plain(kind, text, &sample()), expected, "{} {text}", kind.name());
    }
    let all = selected(&Selection::everything(), &sample(), Stage::Plain);
    assert_eq!(all.join(" "), "#top 1 2 #in 3 #li 4 5");
}

#[test]
fn comment_rules_govern_the_next_item_with_all_below() {
    use RuleKind::{EncryptedCommentRegex, UnencryptedCommentRegex};
    let tree = || {
        T::Map(vec![
            ("", T::Comment("#mark1")),
            ("", T::Comment("#second")),
            ("a", T::Map(vec![("b", T::Leaf("1")), ("", T::Comment("#x")), ("c", T::Leaf("2"))])),
            ("", T::Comment("#plain")),
            (
                "d",
                T::List(vec![
                    T::Comment("#mark2"),
                    T::Comment("#mark3"),
                    T::Leaf("3"),
                    T::Comment("#y"),
                    T::Leaf("4"),
                ]),
            ),
            ("e", T::Leaf("5")),
            ("", T::Comment("#mark4")),
        ])
    };
    assert_eq!(plain(EncryptedCommentRegex, "mark", &tree()), "#second 1 #x 2 #mark3 3");
    assert_eq!(plain(UnencryptedCommentRegex, "mark", &tree()), "#plain #y 4 5");
    assert_eq!(plain(EncryptedCommentRegex, "^#second$", &tree()), "1 #x 2");
}

#[test]
fn an_encrypted_list_comment_counts_as_a_comment() {
    let token = "ENC[AES256_GCM,data:AA==,iv:AA==,tag:AA==,type:comment]";
    let tree =
        T::Map(vec![("a", T::List(vec![T::Comment("#mark"), T::Leaf(token), T::Leaf("2"), T::Leaf("3")]))]);
    let rule = selection(RuleKind::EncryptedCommentRegex, "mark");
    assert_eq!(selected(&rule, &tree, Stage::Encrypted), [token, "2"]);
    assert_eq!(selected(&rule, &tree, Stage::Plain), [token]);
}

#[test]
fn an_alias_is_judged_under_its_own_path() {
    // a: {x: 1, s_u: 2}, b_u: *a, c: {d: *a}, e: *x
    let tree = T::Map(vec![
        ("a", T::Map(vec![("x", T::Leaf("1")), ("s_u", T::Leaf("2"))])),
        ("b_u", T::Alias(1)),
        ("c", T::Map(vec![("d", T::Alias(1))])),
        ("e", T::Alias(2)),
        ("f", T::List(vec![T::Map(vec![("n_u", T::Alias(6))])])),
    ]);
    let cases = [
        (RuleKind::UnencryptedSuffix, [(4, ""), (6, "1"), (7, "1"), (10, "")]),
        (RuleKind::EncryptedSuffix, [(4, "1 2"), (6, "2"), (7, ""), (10, "1 2")]),
    ];
    for (kind, expected) in cases {
        let selection = selection(kind, "_u");
        let mut tree = build(&tree);
        selection.mark(&mut tree, Stage::Plain);
        for (alias, expected) in expected {
            assert_eq!(tree.node(alias).kind, Kind::Alias);
            assert_eq!(
                selection.alias_holds_selected(&tree, alias, Stage::Plain),
                !expected.is_empty(),
                "{alias}"
            );
            if alias == 10 {
                continue;
            }
            let marks = selection.alias_marks(&tree, alias, Stage::Plain);
            assert_eq!(marks.iter().any(|mark| *mark), !expected.is_empty());
            let state = tree.node(alias).flags.has(Flags::SELECTED);
            let leaves: Vec<_> = selection
                .below_alias(&tree, alias, state, Stage::Plain)
                .filter(|(id, selected)| *selected && tree.node(*id).kind == Kind::Scalar)
                .map(|(id, _)| String::from_utf8_lossy(tree.text(tree.node(id).text)).into_owned())
                .collect();
            assert_eq!(leaves.join(" "), expected, "{alias}");
        }
    }
}

#[test]
fn a_copy_keeps_the_comments_that_decide() {
    // a: {#m, x: 1, #o, y: [#m, 2, 3]}, b: *a, and "#m" above c: *a
    let tree = T::Map(vec![
        (
            "a",
            T::Map(vec![
                ("", T::Comment("#m")),
                ("x", T::Leaf("1")),
                ("", T::Comment("#o")),
                ("y", T::List(vec![T::Comment("#m"), T::Leaf("2"), T::Leaf("3")])),
            ]),
        ),
        ("b", T::Alias(1)),
        ("", T::Comment("#m")),
        ("c", T::Alias(1)),
    ]);
    for (kind, b, c) in [
        (
            RuleKind::EncryptedCommentRegex,
            [true, true, false, true, true, false],
            [false, true, false, false, true, true],
        ),
        (
            RuleKind::UnencryptedCommentRegex,
            [true, false, false, true, false, true],
            [true, false, false, true, false, false],
        ),
        (RuleKind::EncryptedRegex, [false; 6], [false; 6]),
    ] {
        let selection = selection(kind, "m");
        let mut tree = build(&tree);
        selection.mark(&mut tree, Stage::Plain);
        assert_eq!(selection.alias_parts(&tree, 9, Stage::Plain), b);
        assert_eq!(selection.alias_parts(&tree, 11, Stage::Plain), c);
    }
}

#[test]
fn marking_again_forgets_the_old_rule() {
    let mut tree = build(&sample());
    Selection::everything().mark(&mut tree, Stage::Plain);
    selection(RuleKind::EncryptedSuffix, "zzz").mark(&mut tree, Stage::Plain);
    assert!(tree.nodes.iter().all(|node| !node.flags.has(Flags::SELECTED)));
}

#[test]
fn settings_exclude_each_other_and_default_to_the_suffix() {
    let both = settings(RuleKind::EncryptedRegex, "a").overridden(&settings(RuleKind::EncryptedSuffix, "b"));
    assert_eq!(
        Selection::new(both).unwrap_err().to_string(),
        "cannot use more than one of encrypted_suffix, unencrypted_suffix, encrypted_regex, \
         unencrypted_regex, encrypted_comment_regex, or unencrypted_comment_regex in the same file"
    );
    let same = settings(RuleKind::EncryptedRegex, "a").overridden(&settings(RuleKind::EncryptedRegex, "b"));
    assert_eq!(same.rule(RuleKind::EncryptedRegex), "b");
    assert_eq!(Settings::default().or_default().rule(RuleKind::UnencryptedSuffix), DEFAULT_SUFFIX);
    assert_eq!(settings(RuleKind::EncryptedRegex, "a").or_default().chosen().count(), 1);

    let error = Selection::new(settings(RuleKind::EncryptedRegex, "(")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "encrypted_regex does not compile: error parsing regexp: missing closing ): `(`"
    );
    let metadata = |fields: &[(&str, &str)]| {
        let pair = |(name, text): &(&str, &str)| Entry::Pair((*name).to_owned(), Value::text(*text));
        Value::Map(fields.iter().map(pair).collect())
    };
    let never = Selection::from_metadata(&metadata(&[("encrypted_regex", "(")])).unwrap();
    assert!(never.broken().is_some());
    assert!(selected(&never, &sample(), Stage::Plain).is_empty());
    let two = Selection::from_metadata(&metadata(&[("encrypted_regex", "a"), ("encrypted_suffix", "b")]));
    assert_eq!(two.unwrap_err(), SelectError::SeveralInFile);
}

#[test]
fn metadata_round_trips() {
    let mut settings = settings(RuleKind::EncryptedRegex, "^a$");
    settings.mac_only_encrypted = true;
    let fields = settings.to_metadata().into_iter();
    let metadata = Value::Map(fields.map(|(name, value)| Entry::Pair(name, value)).collect());
    assert_eq!(Settings::from_metadata(&metadata), Ok(settings));

    let empty = Settings::from_metadata(&Value::Map(vec![])).unwrap();
    assert_eq!(empty.rule(RuleKind::UnencryptedSuffix), DEFAULT_SUFFIX);
    let pair = |name: &str, value| Value::Map(vec![Entry::Pair(name.to_owned(), value)]);
    for (text, expected) in
        [("true", Some(true)), ("1", Some(true)), ("False", Some(false)), ("yes", None), ("", None)]
    {
        let read = Settings::from_metadata(&pair("mac_only_encrypted", Value::text(text)));
        assert_eq!(read.ok().map(|settings| settings.mac_only_encrypted), expected, "{text}");
    }
    let number = pair("encrypted_regex", Value::Scalar(Scalar::Int(1)));
    assert_eq!(Settings::from_metadata(&number), Err(SelectError::Type("encrypted_regex")));
}

#[test]
fn a_token_that_the_marker_matches_is_refused() {
    let rule = selection(RuleKind::UnencryptedCommentRegex, "A");
    assert!(rule.refuses_comment(b"ENC[AES256_GCM,data:..,type:comment]"));
    assert!(!selection(RuleKind::UnencryptedCommentRegex, "mark").refuses_comment(b"ENC[AES256_GCM]"));
    assert!(!selection(RuleKind::EncryptedCommentRegex, "A").refuses_comment(b"ENC[AES256_GCM]"));
}
