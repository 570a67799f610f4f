//! Patterns that are no more than a set of words, possibly bound to the start
//! or the end: `^(data|stringData)$`, `(?i)password|token`, `\.dev\.yaml$`, `^.*_key$`. They
//! are matched by looking the words up at every place where one can begin.
//!
//! Letter case and `.*` are only taken this short cut for plain texts, ASCII without
//! line breaks; other texts go to the automaton.

use super::syntax::{Node, Place};

/// More words than this are left to the automaton.
const MOST_WORDS: usize = 200;

/// A set of words, sorted, with the place of every first byte in it.
#[derive(Clone)]
pub(super) struct Words {
    words: Vec<Word>,
    /// The words with first byte `b` are `words[begin[b]..begin[b + 1]]`.
    begin: Box<[u8; 257]>,
    /// The words are in lower case, and case does not count.
    fold: bool,
    /// Holds for plain texts only.
    only_plain: bool,
}

#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Word {
    text: Vec<u8>,
    start: bool,
    end: bool,
}

impl Words {
    /// The words of a pattern, if it is made of them.
    pub(super) fn of(node: &Node) -> Option<Self> {
        let mut builder = Builder::default();
        let mut words = builder.expand(node, true)?;
        words.sort();
        words.dedup();
        // The empty word begins with no byte.
        if words.iter().any(|word| word.text.is_empty()) {
            return None;
        }
        let mut begin = Box::new([0; 257]);
        let mut next = 0;
        for (byte, slot) in begin.iter_mut().enumerate() {
            while words.get(next).is_some_and(|word| usize::from(word.text[0]) < byte) {
                next += 1;
            }
            *slot = u8::try_from(next).ok()?;
        }
        let fold = builder.fold == Some(true);
        Some(Self { words, begin, fold, only_plain: fold || builder.dots })
    }

    /// Whether one of the words stands somewhere in `text`; `None` when only the
    /// automaton can tell.
    pub(super) fn is_match(&self, text: &[u8]) -> Option<bool> {
        if self.only_plain && !text.iter().all(|byte| byte.is_ascii() && *byte != b'\n') {
            return None;
        }
        Some(text.iter().enumerate().any(|(place, byte)| {
            let byte = usize::from(if self.fold { byte.to_ascii_lowercase() } else { *byte });
            let (first, last) = (usize::from(self.begin[byte]), usize::from(self.begin[byte + 1]));
            self.words[first..last].iter().any(|word| self.stands(word, text, place))
        }))
    }

    fn stands(&self, word: &Word, text: &[u8], place: usize) -> bool {
        let Some(found) = text.get(place..place + word.text.len()) else { return false };
        (!word.start || place == 0)
            && (!word.end || place + word.text.len() == text.len())
            && (if self.fold { found.eq_ignore_ascii_case(&word.text) } else { found == word.text })
    }
}

/// Collects words.
#[derive(Default)]
struct Builder {
    /// Whether case counts, once a letter has told.
    fold: Option<bool>,
    /// A `.*` was left out that stops at line breaks.
    dots: bool,
}

impl Builder {
    /// All words that `node` stands for; `outer` when nothing stands beside it.
    fn expand(&mut self, node: &Node, outer: bool) -> Option<Vec<Word>> {
        Some(match node {
            Node::Empty => vec![Word::default()],
            Node::Literal { character, fold } => vec![self.letter(*character, *fold)?],
            Node::Class { few, .. } if !few.is_empty() => {
                few.iter().map(|character| self.letter(*character, false)).collect::<Option<_>>()?
            }
            Node::Assert(Place::Start) => vec![Word { start: true, ..Word::default() }],
            Node::Assert(Place::End) => vec![Word { end: true, ..Word::default() }],
            Node::Concat(nodes) => {
                let nodes = if outer { self.without_dots(nodes) } else { nodes };
                let mut words = vec![Word::default()];
                for node in nodes {
                    words = append(&words, &self.expand(node, outer && nodes.len() == 1)?)?;
                }
                words
            }
            Node::Alternate(nodes) => {
                let mut words = Vec::new();
                for node in nodes {
                    words.extend(self.expand(node, outer)?);
                    if words.len() > MOST_WORDS {
                        return None;
                    }
                }
                words
            }
            _ => return None,
        })
    }

    fn letter(&mut self, character: char, fold: bool) -> Option<Word> {
        // In Go the replacement character also stands for any broken byte.
        if character == char::REPLACEMENT_CHARACTER || (fold && !character.is_ascii()) {
            return None;
        }
        if character.is_ascii_alphabetic() && *self.fold.get_or_insert(fold) != fold {
            return None;
        }
        if !character.is_ascii() && *self.fold.get_or_insert(false) {
            return None;
        }
        let character = if fold { character.to_ascii_lowercase() } else { character };
        Some(Word { text: character.encode_utf8(&mut [0; 4]).as_bytes().to_vec(), ..Word::default() })
    }

    /// A `.*` at either end, bound or not, is as good as nothing in a text of one line.
    fn without_dots<'n>(&mut self, mut nodes: &'n [Node]) -> &'n [Node] {
        if let [Node::Assert(Place::Start), dots, rest @ ..] = nodes
            && is_dots(dots)
        {
            (nodes, self.dots) = (rest, true);
        }
        if let [rest @ .., dots, Node::Assert(Place::End)] = nodes
            && is_dots(dots)
        {
            (nodes, self.dots) = (rest, true);
        }
        if let [dots, rest @ ..] = nodes
            && is_dots(dots)
        {
            nodes = rest;
        }
        if let [rest @ .., dots] = nodes
            && is_dots(dots)
        {
            nodes = rest;
        }
        nodes
    }
}

fn is_dots(node: &Node) -> bool {
    let Node::Repeat { node, min: 0, max: None } = node else { return false };
    matches!(&**node, Node::Class { text, .. } if text == r"[^\n]" || text == "(?s:.)")
}

/// Every word of `left` followed by every word of `right`.
fn append(left: &[Word], right: &[Word]) -> Option<Vec<Word>> {
    if left.len() * right.len() > MOST_WORDS {
        return None;
    }
    let mut words = Vec::with_capacity(left.len() * right.len());
    for a in left {
        for b in right {
            // `a$b` and `a^b` match nothing; they are left to the automaton.
            if (a.end && !b.text.is_empty()) || (b.start && !a.text.is_empty()) {
                return None;
            }
            words.push(Word {
                text: [a.text.as_slice(), &b.text].concat(),
                start: a.start || b.start,
                end: a.end || b.end,
            });
        }
    }
    Some(words)
}
