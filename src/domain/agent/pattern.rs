//! The patterns of a policy: names of principals (`ops/*`), key paths
//! (`databases.*.password`) and files (`secrets/**`).
//!
//! They share one small language: `*` is any text within a segment (alone: any one
//! segment), `**` alone is any number of segments, none too, and `{a,b}` is either. Every
//! other character means itself. Matching is exact in the case of letters.

use std::fmt;

use globset::{GlobBuilder, GlobMatcher};

use crate::domain::globs;

/// Why a text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PatternError {
    /// What is wrong with it.
    pub message: String,
    /// What to write.
    pub advice: &'static str,
}

impl PatternError {
    fn new(message: impl Into<String>, advice: &'static str) -> Self {
        Self { message: message.into(), advice }
    }
}

const NAMES: &str =
    "names are segments of A-Z, a-z, 0-9, `.`, `_` and `-`, with `/` between them: ops/deploy";
const PATHS: &str =
    "paths are keys with dots between them: databases.postgres; a key with a dot is [\"a.b\"]";
const FILES: &str = "files are named from the folder that holds .leaflock, with `/`: secrets/prod.yaml";
const WILDCARDS: &str = "`*` is any text within a segment, `**` alone any number of segments, {a,b} either";

/// Checks the name of a principal or a group: segments of `[A-Za-z0-9._-]` between
/// slashes, none of them empty, `.`, `..`, `.git` or beginning with `-`, so that a name is
/// also a path, and never an option.
///
/// # Errors
/// For anything else.
pub fn check_name(name: &str) -> Result<(), PatternError> {
    for segment in name.split('/') {
        let problem = if segment.is_empty() {
            "has an empty segment"
        } else if segment == "." || segment == ".." || segment.eq_ignore_ascii_case(".git") {
            "has a segment that is no folder of its own"
        } else if segment.starts_with('-') {
            "has a segment that begins with `-`"
        } else if !segment.bytes().all(is_name_byte) {
            "holds a character that no name has"
        } else {
            continue;
        };
        return Err(PatternError::new(format!("the name {name:?} {problem}"), NAMES));
    }
    Ok(())
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

/// One segment of a pattern.
#[derive(Clone)]
enum Segment {
    /// This text.
    Literal(String),
    /// Any text: `*`.
    One,
    /// Any number of segments: `**`.
    Many,
    /// Texts that a glob matches.
    Glob(GlobMatcher),
}

impl Segment {
    /// Reads a segment without quotes.
    fn parse(text: &str) -> Result<Self, PatternError> {
        match text {
            "*" => return Ok(Self::One),
            "**" => return Ok(Self::Many),
            _ if !is_wild(text) => return Ok(Self::Literal(text.to_owned())),
            _ if text.contains("**") => {
                return Err(PatternError::new(format!("`**` stands within a segment: {text:?}"), WILDCARDS));
            }
            _ => {}
        }
        glob(text, false).map(Self::Glob)
    }

    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Literal(own) => own == text,
            Self::One | Self::Many => true,
            Self::Glob(glob) => glob.is_match(text),
        }
    }
}

fn is_wild(text: &str) -> bool {
    text.contains(['*', '{', '}'])
}

/// A glob of globset, whose other characters mean themselves.
fn glob(text: &str, literal_separator: bool) -> Result<GlobMatcher, PatternError> {
    globs::check(text).map_err(|error| PatternError::new(error, WILDCARDS))?;
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '?' | '[' | ']' | '\\' | '!') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    GlobBuilder::new(&escaped)
        .literal_separator(literal_separator)
        .backslash_escape(true)
        .build()
        .map(|glob| glob.compile_matcher())
        .map_err(|_| PatternError::new(format!("{text:?} has a brace without its other half"), WILDCARDS))
}

/// How much of a text a pattern must match.
#[derive(Clone, Copy, PartialEq)]
enum Extent {
    All,
    /// The pattern may end before the text does: it names a subtree.
    Prefix,
}

/// Whether `pattern` matches `text`, in time proportional to the product of their lengths.
fn matches<S: AsRef<str>>(pattern: &[Segment], text: &[S], extent: Extent) -> bool {
    // `reached[i]`: the pattern so far matches the first `i` segments.
    let mut reached = vec![false; text.len() + 1];
    reached[0] = true;
    for segment in pattern {
        if matches!(segment, Segment::Many) {
            for at in 1..=text.len() {
                reached[at] = reached[at] || reached[at - 1];
            }
        } else {
            for at in (1..=text.len()).rev() {
                reached[at] = reached[at - 1] && segment.matches(text[at - 1].as_ref());
            }
            reached[0] = false;
        }
    }
    match extent {
        Extent::All => reached[text.len()],
        Extent::Prefix => reached.contains(&true),
    }
}

/// A pattern for names of principals: `ops/*`, `security/**`, `ops/deploy-*`.
#[derive(Clone)]
pub struct NamePattern {
    text: String,
    segments: Vec<Segment>,
}

impl NamePattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// For a text that can match no name.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if !is_wild(text) {
            check_name(text)?;
        }
        let segments = text
            .split('/')
            .map(|segment| {
                let known = |byte| is_name_byte(byte) || matches!(byte, b'*' | b'{' | b'}' | b',');
                if segment.is_empty() || !segment.bytes().all(known) {
                    return Err(PatternError::new(format!("{text:?} can match no name"), NAMES));
                }
                Segment::parse(segment)
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { text: text.to_owned(), segments })
    }

    /// True when it matches the whole of `name`.
    pub fn matches(&self, name: &str) -> bool {
        matches(&self.segments, &name.split('/').collect::<Vec<_>>(), Extent::All)
    }

    /// The one name that it matches; `None` if it has wildcards.
    pub fn literal(&self) -> Option<&str> {
        (!is_wild(&self.text)).then_some(&self.text)
    }

    /// A few names that it matches, one for each way through braces and for `**` those of no, one
    /// and two segments: whom it would be about if they were added.
    pub fn samples(&self) -> Vec<String> {
        let mut names = vec![String::new()];
        for segment in self.text.split('/') {
            let ways = match segment {
                "**" => vec![String::new(), ANY.to_owned(), format!("{ANY}/{ANY}")],
                _ => choices(segment).into_iter().map(|text| text.replace('*', ANY)).collect(),
            };
            let longer = names.iter().flat_map(|name| {
                ways.iter().map(move |way| match (name.is_empty(), way.is_empty()) {
                    (true, _) => way.clone(),
                    (false, true) => name.clone(),
                    (false, false) => format!("{name}/{way}"),
                })
            });
            names = longer.take(MOST_SAMPLES).collect();
        }
        names.retain(|name| check_name(name).is_ok() && self.matches(name));
        names.dedup();
        names
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// What stands for any text in a sample.
const ANY: &str = "any";
/// How many samples there may be at a time.
const MOST_SAMPLES: usize = 1000;

/// The texts that `{a,b}` stand for, one after the other; braces within braces are left.
fn choices(segment: &str) -> Vec<String> {
    let mut texts = vec![String::new()];
    let mut rest = segment;
    while let Some((before, (inner, behind))) =
        rest.split_once('{').and_then(|(before, inner)| Some((before, inner.split_once('}')?)))
    {
        let longer =
            texts.iter().flat_map(|text| inner.split(',').map(move |way| format!("{text}{before}{way}")));
        texts = longer.take(MOST_SAMPLES).collect();
        rest = behind;
    }
    texts.iter_mut().for_each(|text| text.push_str(rest));
    texts
}

/// A pattern for key paths: `databases.postgres`, `**.password`, `hosts["a.b"].token`.
/// It names subtrees: everything at and below the paths that it matches.
#[derive(Clone)]
pub struct PathPattern {
    text: String,
    segments: Vec<Segment>,
}

impl PathPattern {
    /// Reads a pattern: segments with dots between them, those in `["…"]` taken literally with
    /// the escapes of JSON.
    ///
    /// # Errors
    /// For what is not written so, and for places in lists, which paths do not have.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let segments = split_path(text)?
            .into_iter()
            .map(|piece| match piece {
                Piece::Quoted(key) => Ok(Segment::Literal(key)),
                Piece::Bare(segment) => Segment::parse(&segment),
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { text: text.to_owned(), segments })
    }

    /// True when `leaf` is at or below a path that the pattern matches.
    pub fn covers(&self, leaf: &[String]) -> bool {
        matches(&self.segments, leaf, Extent::Prefix)
    }

    /// The one path that it names; `None` if it has wildcards.
    pub fn literal(&self) -> Option<Vec<String>> {
        let key = |segment: &Segment| match segment {
            Segment::Literal(key) => Some(key.clone()),
            _ => None,
        };
        self.segments.iter().map(key).collect()
    }

    /// True when it covers every path there can be: `**`.
    pub fn is_everything(&self) -> bool {
        self.segments.iter().all(|segment| matches!(segment, Segment::Many))
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// The path that `text` names, in the form that [`show_path`] writes.
///
/// # Errors
/// As [`PathPattern::parse`], and for wildcards.
pub fn parse_path(text: &str) -> Result<Vec<String>, PatternError> {
    PathPattern::parse(text)?.literal().ok_or_else(|| {
        PatternError::new(
            format!("{text:?} has wildcards, where one path is asked for"),
            "a key with `*`, `{` or `}` in it is written [\"a*b\"]",
        )
    })
}

/// One segment of a path as it is written.
enum Piece {
    Bare(String),
    Quoted(String),
}

fn split_path(text: &str) -> Result<Vec<Piece>, PatternError> {
    let wrong = |what: &str| PatternError::new(format!("the path {text:?} {what}"), PATHS);
    let mut pieces = Vec::new();
    let mut rest = text;
    loop {
        if rest.starts_with('[') {
            let (key, behind) =
                quoted_key(rest).ok_or_else(|| wrong("has a bracket that holds no key in double quotes"))?;
            pieces.push(Piece::Quoted(key));
            rest = behind;
        } else {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            let segment = &rest[..end];
            if segment.is_empty() {
                return Err(wrong("has an empty segment"));
            }
            if segment.contains([']', '"']) || segment.trim() != segment {
                return Err(wrong("has a key that must stand in quotes"));
            }
            pieces.push(Piece::Bare(segment.to_owned()));
            rest = &rest[end..];
        }
        if rest.is_empty() {
            return Ok(pieces);
        }
        match rest.strip_prefix('.') {
            Some(behind) => rest = behind,
            None if rest.starts_with('[') => {}
            None => return Err(wrong("goes on behind a bracket without a dot")),
        }
    }
}

/// The key of `["key"]` at the start of `text`, and what follows.
fn quoted_key(text: &str) -> Option<(String, &str)> {
    let inner = text.strip_prefix('[')?;
    let mut strings = serde_json::Deserializer::from_str(inner).into_iter::<String>();
    let key = strings.next()?.ok()?;
    let behind = inner[strings.byte_offset()..].strip_prefix(']')?;
    Some((key, behind))
}

/// A path as people write it: keys with dots between them, and `["…"]` around a key that would
/// otherwise be read as something else. [`parse_path`] reads it back.
pub fn show_path(path: &[String]) -> String {
    let mut out = String::new();
    for key in path {
        let special = |c: char| c.is_control() || ".[]*{}\"\\".contains(c);
        if key.is_empty() || key.trim() != key || key.contains(special) {
            out.push('[');
            out.push_str(&serde_json::Value::from(key.as_str()).to_string());
            out.push(']');
        } else {
            if !out.is_empty() {
                out.push('.');
            }
            out.push_str(key);
        }
    }
    out
}

/// A pattern for files: paths from the folder that holds `.leaflock`, `/` between folders.
#[derive(Clone)]
pub struct FilePattern {
    text: String,
    segments: Vec<Segment>,
}

impl FilePattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// For paths that are absolute, or lead outside of the folder or into `.leaflock`.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let segments = text
            .split('/')
            .enumerate()
            .map(|(at, segment)| match segment {
                "" | "." | ".." => {
                    Err(PatternError::new(format!("{text:?} is no path below the policy's folder"), FILES))
                }
                ".leaflock" if at == 0 => {
                    Err(PatternError::new(format!("{text:?} is a file of Leaflock's own"), FILES))
                }
                _ => Segment::parse(segment),
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { text: text.to_owned(), segments })
    }

    /// True when it matches the whole of `path`.
    pub fn matches(&self, path: &str) -> bool {
        matches(&self.segments, &path.split('/').collect::<Vec<_>>(), Extent::All)
    }

    /// The one file that it matches; `None` if it has wildcards.
    pub fn literal(&self) -> Option<&str> {
        (!is_wild(&self.text)).then_some(&self.text)
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

macro_rules! is_its_text {
    ($($pattern:ty),*) => {$(
        impl PartialEq for $pattern {
            fn eq(&self, other: &Self) -> bool {
                self.text == other.text
            }
        }
        impl Eq for $pattern {}
        impl fmt::Debug for $pattern {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.text)
            }
        }
        impl fmt::Display for $pattern {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.text)
            }
        }
    )*};
}
is_its_text!(NamePattern, PathPattern, FilePattern);

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::{FilePattern, NamePattern, PathPattern, check_name, parse_path, show_path};

    #[test]
    fn names_match_by_segments() {
        let table: &[(&str, &[&str], &[&str])] = &[
            ("ops/x", &["ops/x"], &["ops", "ops/x/y", "ops/X"]),
            ("ops/*", &["ops/x", "ops/a.b"], &["ops", "ops/x/y", "dev/x"]),
            ("**", &["ops", "ops/x/y"], &[]),
            ("ops/**", &["ops", "ops/x", "ops/x/y"], &["opsx", "dev/ops"]),
            ("**/ci", &["ci", "a/b/ci"], &["ci/a"]),
            ("ops/deploy-*", &["ops/deploy-1", "ops/deploy-"], &["ops/deploy", "ops/deploy-1/x"]),
            ("{ops,dev}/x", &["ops/x", "dev/x"], &["{ops,dev}/x"]),
        ];
        for (pattern, hits, misses) in table {
            let parsed = NamePattern::parse(pattern).unwrap();
            for name in *hits {
                assert!(parsed.matches(name), "{pattern} must match {name}");
            }
            for name in *misses {
                assert!(!parsed.matches(name), "{pattern} must not match {name}");
            }
        }
        for text in
            ["", "/", "a//b", "a/../b", "-x", "a b", "ops/[ab]", "a**", "{a", "x/.GIT", "a\u{1b}", "ä"]
        {
            assert!(NamePattern::parse(text).is_err() && check_name(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn samples_are_names_that_match() {
        let samples = |text: &str| NamePattern::parse(text).unwrap().samples();
        assert_eq!(samples("ops/x"), ["ops/x"]);
        assert_eq!(samples("ops/**"), ["ops", "ops/any", "ops/any/any"]);
        assert_eq!(samples("{ops,dev}/ci-*"), ["ops/ci-any", "dev/ci-any"]);
        assert_eq!(samples("**"), ["any", "any/any"]);
    }

    #[test]
    fn paths_name_subtrees() {
        let table: &[(&str, &[&str], &[&str])] = &[
            ("a.b", &["a.b", "a.b.c"], &["a", "a.bc", "x.a.b"]),
            ("a.*", &["a.b", "a.b.c"], &["a", "b.a"]),
            ("**", &["a", "a.b"], &[]),
            ("a.**", &["a", "a.b.c"], &["b"]),
            ("**.password", &["password", "a.b.password", "a.password.x"], &["a.passwords"]),
            ("a.**.z", &["a.z", "a.b.c.z", "a.b.z.q"], &["a.b", "z"]),
            ("prod-*", &["prod-1", "prod-ä/b.c"], &["prod", "xprod-1"]),
            (r#"["a.b"].c"#, &[r#"["a.b"].c"#], &["a.b.c"]),
            (r#"x["*"]"#, &[r#"x["*"]"#], &["x.y"]),
            ("{a,b}.c", &["a.c", "b.c"], &["c"]),
        ];
        for (pattern, hits, misses) in table {
            let parsed = PathPattern::parse(pattern).unwrap();
            for path in *hits {
                assert!(parsed.covers(&parse_path(path).unwrap()), "{pattern} must cover {path}");
            }
            for path in *misses {
                assert!(!parsed.covers(&parse_path(path).unwrap()), "{pattern} must not cover {path}");
            }
        }
        let newline = ["prod-\n".to_owned()];
        assert!(PathPattern::parse("prod-*").unwrap().covers(&newline));
        for text in
            ["", ".", "a.", ".a", "a..b", "a[0]", "[a]", "[\"a\"", "[\"a\"]b", "a]", " a", "a**", "{a.b}"]
        {
            assert!(PathPattern::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn files_match_as_a_whole() {
        let matches = |pattern: &str, path: &str| FilePattern::parse(pattern).unwrap().matches(path);
        assert!(matches("secrets/prod.yaml", "secrets/prod.yaml") && matches("**/*.env", ".env"));
        assert!(matches("secrets/**", "secrets/a/b.yaml") && matches("a[1]?.yaml", "a[1]?.yaml"));
        assert!(!matches("secrets/*.yaml", "secrets/a/b.yaml") && !matches("a?.yaml", "ab.yaml"));
        for text in ["", "/etc/x", "../x", "a/./b", "a/", ".leaflock/agents/x"] {
            assert!(FilePattern::parse(text).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_shown_path_reads_back(path in proptest::collection::vec(any::<String>(), 1..5)) {
            proptest::prop_assert_eq!(parse_path(&show_path(&path)).unwrap(), path);
        }

        #[test]
        fn no_text_is_a_trap(text: String) {
            let _ = (NamePattern::parse(&text), PathPattern::parse(&text), FilePattern::parse(&text));
        }
    }
}
