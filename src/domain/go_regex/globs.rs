//! The patterns of `.gitattributes` that match the same paths as a pattern of
//! Go's dialect, where there are such: git knows `*`, `?`, classes and `**`
//! between slashes, no repetition and no choice, so that one pattern may become
//! several. Exact for paths of ASCII characters: git's `?` takes one byte.

use super::PatternError;
use super::parse;
use super::syntax::{Node, Place};

/// What a pattern is as globs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Globs {
    /// It matches every path.
    Everything,
    /// It matches what these match, relative to one folder; `**/x` is `x` at any depth.
    Some(Vec<String>),
    /// Globs cannot say it.
    None,
}

/// Ways through one pattern, and globs that are made of it; above that it is
/// better to name the files.
const MOST: usize = 24;

/// Bytes of a glob: git passes over lines of more than 2048.
const LONGEST: usize = 1024;

/// A piece of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    /// This character, perhaps a slash.
    Char(char),
    /// One of these.
    Class(String),
    /// One that is no slash.
    One,
    /// Any number of them.
    Many,
    /// Any text, slashes included.
    Deep,
    /// The same, and not the empty text.
    Deeper,
    /// The start of the path.
    Start,
    /// The end of the path.
    End,
}

type Way = Vec<Piece>;

/// The globs of a pattern that is searched in a path, as rules do.
///
/// # Errors
/// What Go refuses.
pub fn globs(pattern: &str) -> Result<Globs, PatternError> {
    let node = parse::parse(pattern)?;
    let Some(ways) = ways(&node) else { return Ok(Globs::None) };
    let mut found: Vec<String> = Vec::new();
    for way in ways {
        let Some(way) = anchored(way) else { return Ok(Globs::None) };
        if matches!(way[..], [Piece::Deep | Piece::Deeper]) {
            return Ok(Globs::Everything);
        }
        for glob in written(&way) {
            if !found.contains(&glob) {
                found.push(glob);
            }
        }
    }
    if found.len() > MOST || found.iter().any(|glob| glob.len() > LONGEST) {
        return Ok(Globs::None);
    }
    Ok(Globs::Some(found))
}

/// Every way through a node, without repetition and choice.
fn ways(node: &Node) -> Option<Vec<Way>> {
    match node {
        Node::Empty => Some(vec![Vec::new()]),
        Node::Literal { character, fold: false } => Some(vec![vec![Piece::Char(*character)]]),
        Node::Literal { character, fold: true } if character.is_ascii_alphabetic() => {
            let both = [character.to_ascii_lowercase(), character.to_ascii_uppercase()];
            Some(vec![vec![Piece::Class(both.iter().collect())]])
        }
        Node::Literal { character, .. } if character.is_ascii() => Some(vec![vec![Piece::Char(*character)]]),
        Node::Literal { .. } => None,
        Node::Class { .. } if is(node, "[^/]") => Some(vec![vec![Piece::One]]),
        Node::Class { .. } if is(node, ".") => Some(vec![vec![Piece::One], vec![Piece::Char('/')]]),
        Node::Class { text, .. } => Some(vec![vec![Piece::Class(simple_class(text)?.to_owned())]]),
        Node::Assert(Place::Start) => Some(vec![vec![Piece::Start]]),
        Node::Assert(Place::End) => Some(vec![vec![Piece::End]]),
        Node::Assert(_) => None,
        Node::Concat(nodes) => nodes.iter().try_fold(vec![Vec::new()], |before, node| {
            let after = ways(node)?;
            let joined: Vec<Way> = before
                .iter()
                .flat_map(|before| after.iter().map(move |after| [&before[..], &after[..]].concat()))
                .collect();
            (joined.len() <= MOST).then_some(joined)
        }),
        Node::Alternate(nodes) => {
            let all: Vec<Way> =
                nodes.iter().map(ways).collect::<Option<Vec<_>>>()?.into_iter().flatten().collect();
            (all.len() <= MOST).then_some(all)
        }
        Node::Repeat { node, min, max } => repeated(node, *min, *max),
    }
}

fn repeated(node: &Node, min: u32, max: Option<u32>) -> Option<Vec<Way>> {
    /// Repetitions that are written out.
    const WRITTEN_OUT: u32 = 4;
    match (min, max) {
        (0, None) if is(node, "[^/]") => Some(vec![vec![Piece::Many]]),
        (1, None) if is(node, "[^/]") => Some(vec![vec![Piece::One, Piece::Many]]),
        (0, None) if is(node, ".") => Some(vec![vec![Piece::Deep]]),
        (1, None) if is(node, ".") => Some(vec![vec![Piece::Deeper]]),
        (min, Some(max)) if max <= WRITTEN_OUT => {
            let mut all = Vec::new();
            for count in min..=max {
                let nodes = vec![node.clone(); count as usize];
                all.extend(ways(&Node::Concat(nodes))?);
            }
            (all.len() <= MOST).then_some(all)
        }
        _ => None,
    }
}

/// True when `node` means the same as `pattern`.
fn is(node: &Node, pattern: &str) -> bool {
    parse::parse(pattern).is_ok_and(|meant| meant == *node)
}

/// The inside of a class that globs write in the same way: letters, digits and ranges of them.
fn simple_class(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('[')?.strip_suffix(']')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_plain = !inner.is_empty() && inner.chars().all(|c| plain(c) || c == '-');
    is_plain.then_some(inner).filter(|inner| inner.starts_with(plain) && inner.ends_with(plain))
}

/// The way with all text before and behind it that a search passes over; `None`
/// where an end of the path stands in the middle.
fn anchored(way: Way) -> Option<Way> {
    let starts = way.iter().take_while(|piece| **piece == Piece::Start).count();
    let ends = way.iter().rev().take_while(|piece| **piece == Piece::End).count();
    let inner = way.get(starts..way.len().checked_sub(ends)?)?;
    if inner.iter().any(|piece| matches!(piece, Piece::Start | Piece::End)) {
        return None;
    }
    let before = (starts == 0).then_some(Piece::Deep);
    let behind = (ends == 0).then_some(Piece::Deep);
    let mut out: Way = Vec::new();
    for piece in before.into_iter().chain(inner.iter().cloned()).chain(behind) {
        let last = out.last().cloned();
        match (last, piece) {
            (Some(Piece::Deep | Piece::Deeper), Piece::Deep | Piece::Many) => {}
            (Some(Piece::Many), Piece::Many) => {}
            (Some(Piece::Deep | Piece::Many), wider @ (Piece::Deep | Piece::Deeper)) => {
                out.pop();
                out.push(wider);
            }
            (Some(Piece::Many), Piece::One) => {
                out.pop();
                out.extend([Piece::One, Piece::Many]);
            }
            (_, piece) => out.push(piece),
        }
    }
    Some(out)
}

/// What stands beside text of any length.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beside {
    Nothing,
    Slash,
    Other,
}

/// Writes a way as globs; none, if no path is like it.
fn written(way: &[Piece]) -> Vec<String> {
    let slash = Piece::Char('/');
    let impossible = way.first() == Some(&slash)
        || way.last() == Some(&slash)
        || way.windows(2).any(|two| two == [slash.clone(), slash.clone()])
        || way.is_empty();
    if impossible {
        return Vec::new();
    }
    let beside = |piece: Option<&Piece>| match piece {
        None => Beside::Nothing,
        Some(piece) if *piece == slash => Beside::Slash,
        Some(_) => Beside::Other,
    };
    let mut globs = vec![String::new()];
    for (at, piece) in way.iter().enumerate() {
        let before = beside(at.checked_sub(1).and_then(|before| way.get(before)));
        let choices = texts(piece, before, beside(way.get(at + 1)));
        globs =
            globs.iter().flat_map(|glob| choices.iter().map(move |more| format!("{glob}{more}"))).collect();
        if globs.len() > MOST {
            break;
        }
    }
    globs.iter().map(|glob| shortened(glob)).collect()
}

/// The texts that stand for a piece between two others.
fn texts(piece: &Piece, before: Beside, behind: Beside) -> Vec<String> {
    let texts: &[&str] = match (piece, before, behind) {
        (Piece::Char(character), _, _) => {
            let special = matches!(character, '*' | '?' | '[' | ']' | '\\');
            return vec![if special { format!("\\{character}") } else { character.to_string() }];
        }
        (Piece::Class(class), _, _) => return vec![format!("[{class}]")],
        (Piece::One, _, _) => &["?"],
        (Piece::Many, _, _) => &["*"],
        (Piece::Deep | Piece::Deeper, Beside::Slash | Beside::Nothing, Beside::Nothing) => &["**"],
        (Piece::Deep | Piece::Deeper, Beside::Slash | Beside::Nothing, Beside::Slash) => &["*/**"],
        (Piece::Deep, Beside::Slash | Beside::Nothing, Beside::Other) => &["**/*"],
        (Piece::Deeper, Beside::Slash | Beside::Nothing, Beside::Other) => &["?*", "*/**/*"],
        (Piece::Deep, Beside::Other, Beside::Nothing) => &["*", "*/**"],
        (Piece::Deeper, Beside::Other, Beside::Nothing) => &["?*", "*/**"],
        (Piece::Deep, Beside::Other, Beside::Slash) => &["*/**"],
        (Piece::Deeper, Beside::Other, Beside::Slash) => &["?*/**", "/*/**"],
        (Piece::Deep, Beside::Other, Beside::Other) => &["*", "*/**/*"],
        (Piece::Deeper, Beside::Other, Beside::Other) => &["?*", "*/**/*"],
        (Piece::Start | Piece::End, _, _) => &[""],
    };
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// Without stars that say nothing: two of them would mean something else.
fn shortened(glob: &str) -> String {
    let mut out = String::with_capacity(glob.len());
    for (index, part) in glob.split('/').enumerate() {
        if index > 0 {
            out.push('/');
        }
        if part == "**" {
            out.push_str(part);
            continue;
        }
        let mut escaped = false;
        for character in part.chars() {
            if !(character == '*' && !escaped && ends_with_star(&out)) {
                out.push(character);
            }
            escaped = character == '\\' && !escaped;
        }
    }
    out
}

/// True when the last character is a star that is not escaped.
fn ends_with_star(text: &str) -> bool {
    let Some(before) = text.strip_suffix('*') else { return false };
    let escapes = before.len() - before.trim_end_matches('\\').len();
    escapes % 2 == 0
}

#[cfg(test)]
mod tests {
    use super::{Globs, globs};

    fn some(pattern: &str) -> Vec<String> {
        match globs(pattern).unwrap() {
            Globs::Some(globs) => globs,
            other => panic!("{pattern}: {other:?}"),
        }
    }

    #[test]
    fn usual_rules_become_globs() {
        assert_eq!(some(r"\.enc\.yaml$"), ["**/*.enc.yaml"]);
        assert_eq!(some(r"\.enc\.(ya?ml|json)$"), ["**/*.enc.yml", "**/*.enc.yaml", "**/*.enc.json"]);
        assert_eq!(some(r"^secrets/.*\.yaml$"), ["secrets/**/*.yaml"]);
        assert_eq!(some(r"^secrets/.*"), ["secrets/**"]);
        assert_eq!(some(r"^secrets/[^/]+\.yaml$"), ["secrets/?*.yaml"]);
        assert_eq!(some(r"secrets/"), ["**/*secrets/**"]);
        assert_eq!(some(r"(^|/)secrets/"), ["secrets/**", "*/**/secrets/**"]);
        assert_eq!(some(r"\.dev\."), ["**/*.dev.*", "**/*.dev.*/**"]);
        assert_eq!(some(r"^config\.yaml$"), ["config.yaml"]);
        assert_eq!(some(r"^a/.+/b\.env$"), ["a/*/**/b.env"]);
        assert_eq!(some(r"^a.*b$"), ["a*b", "a*/**/*b"]);
        assert_eq!(some(r"^env\.[a-z0-9]$"), ["env.[a-z0-9]"]);
        assert_eq!(some(r"(?i)\.env$"), ["**/*.[eE][nN][vV]"]);
        assert_eq!(some(r"^a\*\[x\]$"), [r"a\*\[x\]"]);
    }

    #[test]
    fn what_matches_everything_is_said() {
        for pattern in ["", ".*", "^.*$", ".+", "^"] {
            assert_eq!(globs(pattern), Ok(Globs::Everything), "{pattern}");
        }
    }

    #[test]
    fn what_globs_cannot_say_is_told() {
        let long = format!("^{}$", "(a|b)".repeat(9));
        for pattern in [r"[0-9]+\.yaml$", r"\bprod\b", r"(ab)*c", r"[^a]$", "a{9}", "(a$|b)c", &long] {
            assert_eq!(globs(pattern), Ok(Globs::None), "{pattern}");
        }
        assert!(globs("(").is_err());
    }
}
