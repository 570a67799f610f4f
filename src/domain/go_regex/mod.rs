//! Go's regular expressions, as SOPS's rules use them: the syntax and meaning
//! of Go's `regexp` package (RE2), run by the `regex` crate.
//!
//! The two dialects read about a third of all unusual patterns differently,
//! and a rule read differently encrypts other values. So a pattern is parsed by
//! Go's grammar (`parse`), refused in Go's words, and written down again in the
//! few constructs that mean the same to both. Patterns that are no more than a
//! set of words skip the engine (`words`): most rules are, and building an
//! automaton costs more than a small file.

mod class;
mod cursor;
mod globs;
mod parse;
mod syntax;
mod words;

use std::borrow::Cow;
use std::sync::OnceLock;

pub use globs::{Globs, globs};
use words::Words;

/// A compiled pattern. Matching is an unanchored search, as Go's `Match`.
#[derive(Clone)]
pub struct GoRegex {
    pattern: String,
    words: Option<Words>,
    /// Built at once where there are no words, else for the first text that they cannot judge.
    engine: OnceLock<Engine>,
}

/// What runs a pattern that is not just words.
#[derive(Clone)]
enum Engine {
    Automaton(regex::Regex),
    Boundaries(regex::bytes::Regex),
    /// Too large.
    Never,
}

/// Why Go refuses a pattern, in Go's words. Patterns are not secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("error parsing regexp: {reason}: `{part}`")]
pub struct PatternError {
    /// Go's name for the fault.
    pub reason: &'static str,
    /// The part of the pattern that Go blames.
    pub part: String,
}

#[cfg(test)]
mod tests;

/// The largest automaton: Go allows 128 MB of program, of which the same
/// pattern needs a fraction here.
const SIZE_LIMIT: usize = 64 << 20;

impl GoRegex {
    /// Compiles `pattern`; refuses exactly what Go 1.25 (sops 3.13) refuses, except that
    /// the names of scripts with an underscore (`\p{Old_Italic}`), which it lost, are known.
    pub fn new(pattern: &str) -> Result<Self, PatternError> {
        let node = parse::parse(pattern)?;
        let words = Words::of(&node);
        let engine = OnceLock::new();
        if words.is_none() {
            let built = Engine::build(&node);
            if matches!(built, Engine::Never) {
                return Err(PatternError { reason: "expression too large", part: pattern.to_owned() });
            }
            engine.get_or_init(|| built);
        }
        Ok(Self { pattern: pattern.to_owned(), words, engine })
    }

    /// The pattern as it was given.
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// True when the pattern matches somewhere in `text`. Bytes that are not
    /// UTF-8 count as U+FFFD each, as in Go.
    pub fn is_match(&self, text: &[u8]) -> bool {
        if let Some(answer) = self.words.as_ref().and_then(|words| words.is_match(text)) {
            return answer;
        }
        let engine = self.engine.get_or_init(|| match parse::parse(&self.pattern) {
            Ok(node) => Engine::build(&node),
            Err(_) => Engine::Never,
        });
        match engine {
            Engine::Automaton(regex) => regex.is_match(&readable(text)),
            Engine::Boundaries(regex) => {
                let text = readable(text);
                // `\B` also holds between the bytes of a character, where Go never looks; a
                // match that starts there is always empty.
                regex.find_iter(text.as_bytes()).any(|found| text.is_char_boundary(found.start()))
            }
            Engine::Never => false,
        }
    }
}

impl Engine {
    fn build(node: &syntax::Node) -> Self {
        let mut text = String::new();
        node.write(&mut text);
        let levels = 4 * 1024;
        if node.has_no_word_boundary() {
            let built =
                regex::bytes::RegexBuilder::new(&text).size_limit(SIZE_LIMIT).nest_limit(levels).build();
            built.map_or(Self::Never, Self::Boundaries)
        } else {
            let built = regex::RegexBuilder::new(&text).size_limit(SIZE_LIMIT).nest_limit(levels).build();
            built.map_or(Self::Never, Self::Automaton)
        }
    }
}

/// `text` with every byte that is not UTF-8 replaced by U+FFFD, one for one.
fn readable(text: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(text) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for chunk in text.utf8_chunks() {
        out.push_str(chunk.valid());
        out.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    Cow::Owned(out)
}

impl std::fmt::Debug for GoRegex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "GoRegex({})", self.pattern)
    }
}

impl PartialEq for GoRegex {
    fn eq(&self, other: &Self) -> bool {
        self.pattern == other.pattern
    }
}
