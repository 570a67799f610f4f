//! Patterns that are no more than a set of words, possibly bound to the start
//! or the end: `^(data|stringData)$`, `password|token`, `\.dev\.yaml$`. They are
//! matched by looking the words up at every place where one can begin.

use super::syntax::{Node, Place};

/// More words than this are left to the automaton.
const MOST_WORDS: usize = 200;

/// A set of words, sorted, with the place of every first byte in it.
#[derive(Clone)]
pub(super) struct Words {
    words: Vec<Word>,
    /// The words with first byte `b` are `words[begin[b]..begin[b + 1]]`.
    begin: Box<[u8; 257]>,
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
        let mut words = expand(node)?;
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
        Some(Self { words, begin })
    }

    /// True when one of the words stands somewhere in `text`.
    pub(super) fn is_match(&self, text: &[u8]) -> bool {
        text.iter().enumerate().any(|(place, byte)| {
            let first = usize::from(self.begin[usize::from(*byte)]);
            let last = usize::from(self.begin[usize::from(*byte) + 1]);
            let rest = &text[place..];
            self.words[first..last].iter().any(|word| {
                (!word.start || place == 0)
                    && rest.starts_with(&word.text)
                    && (!word.end || rest.len() == word.text.len())
            })
        })
    }
}

/// All words that `node` stands for.
fn expand(node: &Node) -> Option<Vec<Word>> {
    let word = |text: &[u8]| Word { text: text.to_vec(), ..Word::default() };
    Some(match node {
        Node::Empty => vec![word(b"")],
        // In Go the replacement character also stands for any broken byte.
        Node::Literal { character, fold: false } if *character != char::REPLACEMENT_CHARACTER => {
            vec![word(character.encode_utf8(&mut [0; 4]).as_bytes())]
        }
        Node::Class { few, .. } if !few.is_empty() && !few.contains(&char::REPLACEMENT_CHARACTER) => {
            few.iter().map(|character| word(character.encode_utf8(&mut [0; 4]).as_bytes())).collect()
        }
        Node::Assert(Place::Start) => vec![Word { start: true, ..Word::default() }],
        Node::Assert(Place::End) => vec![Word { end: true, ..Word::default() }],
        Node::Concat(nodes) => {
            let mut words = vec![Word::default()];
            for node in nodes {
                words = append(&words, &expand(node)?)?;
            }
            words
        }
        Node::Alternate(nodes) => {
            let mut words = Vec::new();
            for node in nodes {
                words.extend(expand(node)?);
                if words.len() > MOST_WORDS {
                    return None;
                }
            }
            words
        }
        _ => return None,
    })
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
