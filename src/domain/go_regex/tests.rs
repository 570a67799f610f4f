//! Go's own answers: the probe table, and cases recorded from sops (built with Go 1.25).

use super::GoRegex;

const PATTERNS: &str = include_str!("../../../fixtures/corpus/tables/regex-probes.in");
const ANSWERS: &str = include_str!("../../../fixtures/corpus/tables/regex-probes.go.out");

/// The texts of the table are quoted as Go's `%q` does.
fn unquote(text: &str) -> Vec<u8> {
    let json = text.replace(r"\v", r"\u000b");
    serde_json::from_str::<String>(&json).unwrap().into_bytes()
}

#[test]
fn the_probe_table_agrees_with_go() {
    let (mut seen, mut newer) = (0, 0);
    for (question, answer) in PATTERNS.lines().zip(ANSWERS.lines()) {
        let (pattern, text) = question.split_once('\t').unwrap();
        let expected = answer.rsplit('\t').next().unwrap();
        assert!(answer.starts_with(question), "{question}");
        seen += 1;
        let found = match GoRegex::new(pattern) {
            Ok(regex) => regex.is_match(&unquote(text)).to_string(),
            Err(error) => format!("ERR {error}"),
        };
        if pattern == "(?<n>a)" {
            // The table is by Go 1.19; Go 1.22 and with it sops learnt this spelling.
            assert_eq!(found, "true");
            newer += 1;
        } else {
            assert_eq!(found, expected, "{question}");
        }
    }
    assert_eq!((seen, newer), (75, 1));
}

#[test]
fn faults_are_named_as_go_names_them() {
    for (pattern, expected) in [
        ("(a", "missing closing ): `(a`"),
        ("a)b", "unexpected ): `a)b`"),
        ("[a", "missing closing ]: `[a`"),
        ("x[^]", "missing closing ]: `[^]`"),
        ("\\", "trailing backslash at end of expression: ``"),
        ("[\\", "trailing backslash at end of expression: ``"),
        ("[z-a]", "invalid character class range: `z-a`"),
        ("[[:foo:]]", "invalid character class range: `[:foo:]`"),
        (r"\p{Foo}x", r"invalid character class range: `\p{Foo}`"),
        (r"\p{Grek}", r"invalid character class range: `\p{Grek}`"),
        (r"\p{Is_Greek}", r"invalid character class range: `\p{Is_Greek}`"),
        (r"\p{gc=L}", r"invalid character class range: `\p{gc=L}`"),
        (r"\p{{L}", r"invalid character class range: `\p{{L}`"),
        (r"\p{^}", r"invalid character class range: `\p{^}`"),
        (r"\p{Greek", r"invalid character class range: `\p{Greek`"),
        (r"\pé", r"invalid character class range: `\pé`"),
        (r"\p", r"invalid character class range: `\p`"),
        (r"\é", r"invalid escape sequence: `\é`"),
        (r"\x", r"invalid escape sequence: `\x`"),
        (r"\x1", r"invalid escape sequence: `\x1`"),
        (r"\x{110000}", r"invalid escape sequence: `\x{110000`"),
        (r"\x{}", r"invalid escape sequence: `\x{}`"),
        (r"\8", r"invalid escape sequence: `\8`"),
        ("(?P<n", "invalid named capture: `(?P<n`"),
        ("(?P<a b>x)", "invalid named capture: `(?P<a b>`"),
        ("(?P=n)", "invalid or unsupported Perl syntax: `(?P`"),
        ("(?i", "invalid or unsupported Perl syntax: `(?i`"),
        ("(?", "invalid or unsupported Perl syntax: `(?`"),
        ("(?i-)", "invalid or unsupported Perl syntax: `(?i-)`"),
        ("(?i-s-m)", "invalid or unsupported Perl syntax: `(?i-s-`"),
        ("(?i)*", "missing argument to repetition operator: `*`"),
        ("(*?)", "missing argument to repetition operator: `*?`"),
        ("a+?*", "invalid nested repetition operator: `+?*`"),
        ("a{1001}", "invalid repeat count: `{1001}`"),
        ("a{2,1}", "invalid repeat count: `{2,1}`"),
        ("a{100000000000}", "invalid repeat count: `{100000000000}`"),
        ("(a{100}){11}", "invalid repeat count: `{11}`"),
        ("((a{2}){50}|b{3}){11}", "invalid repeat count: `{11}`"),
    ] {
        let error = GoRegex::new(pattern).unwrap_err();
        assert_eq!(error.to_string(), format!("error parsing regexp: {expected}"), "{pattern}");
    }
}

#[test]
fn patterns_match_what_go_matches() {
    for (pattern, matching, other) in [
        ("", "a", ""),
        ("^$", "", "a"),
        ("^(data|stringData)$", "data", "metadata"),
        ("^(?:a|b|)$", "", "c"),
        ("password|token", "my_tokens", "tok"),
        (r"\.dev\.yaml$", "x.dev.yaml", "x.dev.yaml.bak"),
        ("[Pp]assw(or)?d", "Password", "PASSWORD"),
        ("^[ab][cd]$", "bd", "be"),
        ("a$b|c", "c", "ab"),
        ("(?i)k", "\u{212A}", "x"),
        (r"(?i)\w", "\u{17F}", "é"),
        (r"(?i)[^\W]", "\u{212A}", "é"),
        (r"(?i)\p{Lu}", "a", "1"),
        (r"(?i:a)b", "Ab", "AB"),
        ("(?i)a(?-i)b|c", "Ab", "C"),
        ("(a(?i)b)c", "aBc", "aBC"),
        ("a|(?i)b|c", "C", "A"),
        ("(?s)a.b", "a\nb", "ab"),
        ("a.b", "aéb", "a\nb"),
        ("(?m)^b$", "a\nb\nc", "ab"),
        (r"(?-m)^b$", "b", "b\n"),
        (r"\Aab\z", "ab", "ab\n"),
        (r"^\Bé", "é", "a"),
        (r"a\B", "ab", "aéa"),
        (r"\B", "é", "aéa"),
        (r"[[:^alpha:]]", "é", "e"),
        (r"[[:alpha:]-]", "-", "_"),
        (r"[[:alpha]", ":", "x"),
        (r"[^\d\s]", "a", "1 2"),
        (r"[\]\\-]", "\\", "x"),
        (r"^[a&&b]$", "&", "x"),
        (r"^[a~~b]+$", "~a", "-"),
        (r"\Q[a]+\E+", "[a]++", "[a]"),
        (r"a\Q\E*b", "aab", "a"),
        (r"x\Q", "x", "y"),
        (r"a{,2}", "a{,2}", "aa"),
        ("a{01}", "a{01}", "a"),
        ("^a{2,3}$", "aaa", "a"),
        ("^(a{10}){2}$", "aaaaaaaaaaaaaaaaaaaa", "aaaa"),
        (r"^\101\x42\x{43}$", "ABC", "ABc"),
        (r"\p{greek}", "α", "a"),
        (r"\p{^Greek}", "a", "α"),
        (r"\P{^Greek}", "α", "a"),
        (r"\pN\p{Letter}", "1a", "a1"),
        (r"\p{Any}", "a", ""),
        (r"[\p{Ascii}]", "a", "é"),
        (r"[\x{D800}-\x{DFFF}]|z", "z", "é"),
        (r"[^\x{D800}]", "é", ""),
        (r"[^\x00-\x{10FFFF}]|z", "z", "é"),
        (r"a(?i)*", "b", "\u{0}never"),
        (r"^(?P<n>a)(?<m>b)$", "ab", "a"),
        (r"(?U)^a+?$", "aa", "b"),
        ("\u{FFFD}", "\u{FFFD}", "a"),
    ] {
        let regex = GoRegex::new(pattern).unwrap();
        assert!(regex.is_match(matching.as_bytes()), "{pattern} on {matching}");
        if other == "\u{0}never" {
            continue;
        }
        if !pattern.is_empty() {
            assert!(!regex.is_match(other.as_bytes()), "{pattern} on {other}");
        }
    }
}

#[test]
fn broken_bytes_are_replacement_characters() {
    assert!(GoRegex::new("^.$").unwrap().is_match(b"\xFF"));
    assert!(GoRegex::new("^..$").unwrap().is_match(b"\xE2\x82"));
    assert!(GoRegex::new("\u{FFFD}").unwrap().is_match(b"a\xFF"));
    assert!(GoRegex::new("ab").unwrap().is_match(b"\xFFab"));
    assert!(!GoRegex::new(r"^\w+$").unwrap().is_match(b"a\xFF"));
}

#[test]
fn deep_and_wide_patterns_end_in_a_verdict() {
    let deep = |levels: usize| "(a|b".repeat(levels) + &")*".repeat(levels);
    assert!(GoRegex::new(&deep(240)).is_ok());
    let tail = "(?i:a".repeat(999) + &")".repeat(999);
    assert!(!GoRegex::new(&tail).unwrap().is_match(b"b"));
    let error = GoRegex::new(&deep(20_000)).unwrap_err();
    assert_eq!(error.reason, "expression nests too deeply");
    let plain = "(?:".repeat(50_000) + "a" + &")".repeat(50_000);
    assert!(GoRegex::new(&plain).unwrap().is_match(b"a"));
    assert!(GoRegex::new(&"(".repeat(100_000)).is_err());
    let wide = vec!["word"; 20_000].join("|");
    assert!(GoRegex::new(&wide).unwrap().is_match(b"a word"));
}

#[test]
fn the_short_cut_for_words_agrees_with_the_automaton() {
    let texts = [
        "pass",
        "PASS",
        "my_pass",
        "passkey",
        "x\npass",
        "pass\nx",
        "pa\u{17F}s",
        "\u{212A}ey",
        "key",
        "Key",
        "",
        "s",
        "a_enc",
        "a\n_enc",
        "_enc\n",
        "é",
        "ÉPASS",
        "a.b",
        "a-b",
    ];
    for pattern in [
        "(?i)pass",
        "(?i)^pass$|key",
        "(?i)^(pass|key)",
        "^.*_enc$",
        ".*pass.*",
        "^.*pass.*$",
        "(?s)^.*pass.*$",
        "^(.*pass|key.*)$",
        "(?i).*S$",
        "(?i)a.b|pass",
        "(?i)a-b",
        "(?i:p)ass",
        "p(?i:a)ss|(?i)é",
        "(^|_)pass($|key)",
        "^.*$",
        ".*",
    ] {
        let quick = GoRegex::new(pattern).unwrap();
        let slow = super::Engine::build(&super::parse::parse(pattern).unwrap());
        let super::Engine::Automaton(slow) = slow else { panic!("{pattern}") };
        for text in texts {
            assert_eq!(quick.is_match(text.as_bytes()), slow.is_match(text), "{pattern} on {text:?}");
        }
    }
}
