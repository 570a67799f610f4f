//! What a ciphertext cannot carry of the owner's spelling: hexadecimal
//! integers, dates without time, fold points, escape choices, dropped tags.
//!
//! Kept, encrypted, in the optional metadata field `leaflock_source`, as a JSON
//! list of `[key path, spelling]` pairs in file order. SOPS ignores the field,
//! and drops it when it rewrites the file. A spelling is only a proposal: it is
//! used where it reads back as the very value that was decrypted, so an old or
//! misplaced one does no harm. Where even that does not bring the file back, a
//! [`Patch`] is the last pair.

use std::collections::{HashMap, HashSet, VecDeque};

use super::patch::Patch;
use crate::domain::secret::{SecretBytes, wipe};
use crate::domain::store::Format;
use crate::domain::tree::{Document, Kind, Node, Span, Style, Tree};

/// Name of the metadata field. Its presence also says that the layout of the
/// file is its owner's where the same bytes from SOPS would mean something else.
pub const FIELD: &str = "leaflock_source";

/// Associated data of the field's token.
pub const AAD: &[u8] = b"leaflock_source";

/// The path in the first pair of a list with spellings that are not UTF-8, which JSON
/// cannot hold: there, the characters up to U+00FF stand for bytes.
const LATIN1: &str = "latin1";

/// True when the encrypted file must say that its layout is its owner's: SOPS
/// would move comments behind values above their keys, and show a document
/// without entries as `{}`.
pub fn needs_mark(format: Format, tree: &Tree<'_>) -> bool {
    let inline = |node: &Node| node.kind == Kind::Comment && node.style == Style::Inline;
    let is_bare = |document: &Document| {
        let root = document.root;
        (root > 0 || document.span.start == 0)
            && tree.node(root).style != Style::Flow
            && tree.children(root).all(|child| tree.node(child).kind == Kind::Comment)
    };
    format == Format::Yaml && (tree.nodes.iter().any(inline) || tree.documents.iter().any(is_bare))
}

/// Spellings to be stored, in file order: where they stand in the plain file, which is
/// asked for again when they are written out.
#[derive(Debug, Default)]
pub struct SpellingList {
    /// All of them but the patch. Blocks, because there may be as many as values, and
    /// one long text would leave the shorter ones behind that it grew out of.
    blocks: Vec<Block>,
    patch: Option<Patch>,
}

/// Bytes that the paths of a block have, unless one path takes more.
const BLOCK: usize = 64 * 1024;

#[derive(Debug, Default)]
struct Block {
    /// One behind the other.
    paths: String,
    spellings: Vec<Spelling>,
}

#[derive(Clone, Copy, Debug)]
struct Spelling {
    /// Where its path ends in the block's.
    path_end: u32,
    /// Where it stands in the plain file.
    span: Span,
}

impl Block {
    fn push(&mut self, path: &str, span: Span) {
        self.paths.push_str(path);
        self.spellings.push(Spelling { path_end: self.paths.len() as u32, span });
    }

    /// Every path with the place of its spelling.
    fn iter(&self) -> impl Iterator<Item = (&str, Span)> + Clone {
        let starts = std::iter::once(0).chain(self.spellings.iter().map(|spelling| spelling.path_end));
        starts
            .zip(&self.spellings)
            .map(|(start, spelling)| (&self.paths[start as usize..spelling.path_end as usize], spelling.span))
    }
}

impl SpellingList {
    /// Adds the spelling of the leaf at `path`.
    pub fn push(&mut self, path: &str, span: Span) {
        if self.blocks.last().is_none_or(|last| last.paths.len() + path.len() > BLOCK) {
            // Most lists are short: the first block grows.
            let room = if self.blocks.is_empty() { path.len() } else { BLOCK.max(path.len()) };
            self.blocks.push(Block { paths: String::with_capacity(room), spellings: Vec::new() });
        }
        if let Some(block) = self.blocks.last_mut() {
            block.push(path, span);
        }
    }

    /// Every path with the place of its spelling.
    fn iter(&self) -> impl Iterator<Item = (&str, Span)> + Clone {
        self.blocks.iter().flat_map(Block::iter)
    }

    /// True when nothing needs to be stored.
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// The paths that have one.
    pub fn paths(&self) -> HashSet<String> {
        self.iter().map(|(path, _)| path.to_owned()).collect()
    }

    /// Drops the spellings at `paths`.
    pub fn forget(&mut self, paths: &HashSet<&str>) {
        let mut kept = Self { patch: self.patch.take(), ..Self::default() };
        for (path, span) in self.iter().filter(|(path, _)| !paths.contains(path)) {
            kept.push(path, span);
        }
        *self = kept;
    }

    /// Puts `patch` in the place of the one that the list has.
    pub fn set_patch(&mut self, patch: Option<Patch>) {
        self.patch = patch;
    }

    /// True when the list has a patch.
    pub fn has_patch(&self) -> bool {
        self.patch.is_some()
    }

    /// The JSON text to encrypt, of the spellings in `source`.
    pub fn to_json(&self, source: &[u8]) -> SecretBytes {
        let mut json = SecretBytes::default();
        self.write_json(source, &mut |piece| json.append(piece));
        json
    }

    /// Writes that text, a pair at a time.
    pub fn write_json(&self, source: &[u8], out: &mut dyn FnMut(&[u8])) {
        let patch = self.patch.as_ref().map(|patch| (patch.path(), patch.piece()));
        let patch = patch.iter().map(|(path, piece)| (path.as_str(), *piece));
        let spelled = |(path, span): (_, Span)| (path, source.get(span.range()).unwrap_or_default());
        let pairs = self.iter().map(spelled).chain(patch);
        let is_utf8 = pairs.clone().all(|(_, text)| std::str::from_utf8(text).is_ok());
        let mut out = Pairs { out, pair: SecretBytes::default(), mark: b'[' };
        if !is_utf8 {
            out.push(LATIN1, "");
        }
        for (path, bytes) in pairs {
            match std::str::from_utf8(bytes) {
                Ok(text) if is_utf8 => out.push(path, text),
                _ => {
                    let text: String = bytes.iter().copied().map(char::from).collect();
                    out.push(path, &text);
                    wipe(&mut text.into_bytes());
                }
            }
        }
        out.finish();
    }
}

/// Bytes that the JSON form of a pair has at most, and a mark in front of it.
fn room(path: &str, spelling: &str) -> usize {
    let escaped = |byte: u8| match byte {
        0..0x20 => 6,
        b'"' | b'\\' => 2,
        0x20.. => 1,
    };
    path.bytes().chain(spelling.bytes()).map(escaped).sum::<usize>() + b",[\"\",\"\"]".len()
}

/// A JSON list of pairs in the making.
struct Pairs<'o> {
    out: &'o mut dyn FnMut(&[u8]),
    /// The pair at hand.
    pair: SecretBytes,
    /// What comes in front of the next pair.
    mark: u8,
}

impl Pairs<'_> {
    fn push(&mut self, path: &str, text: &str) {
        self.pair.as_mut_vec().clear();
        self.pair.grow(room(path, text));
        self.pair.as_mut_vec().push(std::mem::replace(&mut self.mark, b','));
        // Texts always have a JSON form, and there is room for it.
        let _ = serde_json::to_writer(self.pair.as_mut_vec(), &(path, text));
        (self.out)(&self.pair);
    }

    fn finish(self) {
        (self.out)(if self.mark == b'[' { b"[]" } else { b"]" });
    }
}

/// Spellings read from a file, by path; several at one path (duplicate keys,
/// comments) are used in order.
#[derive(Debug, Default)]
pub struct Spellings {
    by_path: HashMap<String, VecDeque<SecretBytes>>,
    patch: Option<Patch>,
}

impl Spellings {
    /// Reads the decrypted field. Whatever is not understood counts as absent.
    pub fn from_json(json: &[u8]) -> Self {
        let mut read = Self::default();
        let mut pairs = serde_json::from_slice::<Vec<(String, String)>>(json).unwrap_or_default();
        let is_latin1 = pairs.first().is_some_and(|(path, _)| path == LATIN1);
        for (path, text) in pairs.drain(usize::from(is_latin1)..) {
            let mut spelling = SecretBytes::new(text.into_bytes());
            if is_latin1 {
                let text = std::str::from_utf8(&spelling).unwrap_or_default();
                let bytes: Option<Vec<u8>> = text.chars().map(|it| u8::try_from(it).ok()).collect();
                spelling = SecretBytes::new(bytes.unwrap_or_default());
            }
            match Patch::from_entry(&path, &spelling) {
                Some(patch) => read.patch = Some(patch),
                None => read.by_path.entry(path).or_default().push_back(spelling),
            }
        }
        read
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.by_path.is_empty() && self.patch.is_none()
    }

    /// The patch, which is the caller's from then on.
    pub fn take_patch(&mut self) -> Option<Patch> {
        self.patch.take()
    }

    /// True when there is a patch.
    pub fn has_patch(&self) -> bool {
        self.patch.is_some()
    }

    /// The first spelling at `path` that `fits`; it is used up.
    pub fn take<T>(
        &mut self,
        path: &str,
        mut fits: impl FnMut(&[u8]) -> Option<T>,
    ) -> Option<(SecretBytes, T)> {
        let candidates = self.by_path.get_mut(path)?;
        let (at, found) = candidates.iter().enumerate().find_map(|(at, text)| Some((at, fits(text)?)))?;
        candidates.remove(at).map(|text| (text, found))
    }

    /// True when a spelling is known for `path`.
    pub fn has(&self, path: &str) -> bool {
        self.by_path.contains_key(path)
    }

    /// True when a spelling is `like` that.
    pub fn any(&self, mut like: impl FnMut(&[u8]) -> bool) -> bool {
        self.by_path.values().flatten().any(|spelling| like(spelling))
    }
}

#[cfg(test)]
mod tests {
    use super::{Patch, Span, SpellingList, Spellings};

    /// A list, and the source that it is of.
    fn list_of<'a>(pairs: impl IntoIterator<Item = (String, &'a [u8])>) -> (SpellingList, Vec<u8>) {
        let (mut list, mut source) = (SpellingList::default(), b"source".to_vec());
        for (path, spelling) in pairs {
            let start = source.len();
            source.extend_from_slice(spelling);
            list.push(&path, Span::new(start, source.len()));
        }
        (list, source)
    }

    #[test]
    fn spellings_come_back_in_order_and_only_where_they_fit() {
        let path = || "[\"a\"]".to_owned();
        let (list, source) = list_of([(path(), &b"0x1F"[..]), (path(), b"\"caf\\u00e9\"\n")]);
        let mut read = Spellings::from_json(&list.to_json(&source));
        assert!(read.take("[\"a\"]", |text| (text == b"other").then_some(())).is_none());
        let (text, ()) = read.take("[\"a\"]", |text| text.starts_with(b"\"").then_some(())).unwrap();
        assert_eq!(&text[..], b"\"caf\\u00e9\"\n");
        let (text, ()) = read.take("[\"a\"]", |_| Some(())).unwrap();
        assert_eq!(&text[..], b"0x1F");
        assert!(Spellings::from_json(b"{").is_empty());
    }

    #[test]
    fn any_number_of_spellings_comes_back_but_what_is_forgotten() {
        assert!(SpellingList::default().is_empty());
        assert_eq!(&SpellingList::default().to_json(b"")[..], b"[]");
        // More than a block of them, and one path that is longer than a block.
        let long = "k".repeat(super::BLOCK);
        let path = |at: usize| format!("[\"k\\{}{at}\"]", if at == 7 { &long } else { "" });
        let text = |at: usize| format!("0x{at:X}\t\u{e9}\u{1}").into_bytes();
        let texts: Vec<Vec<u8>> = (0..9000).map(text).collect();
        let (mut list, source) = list_of((0..9000).map(|at| (path(at), &texts[at][..])));
        assert!(list.blocks.len() > 2);
        list.forget(&[path(0).as_str(), &path(8999), "[\"none\"]"].into());
        assert_eq!(list.paths().len(), 8998);
        let json = list.to_json(&source);
        let pairs: Vec<(String, String)> = serde_json::from_slice(&json).unwrap();
        assert_eq!(pairs[0], (path(1), "0x1\t\u{e9}\u{1}".to_owned()));
        let mut read = Spellings::from_json(&json);
        for (at, expected) in texts.iter().enumerate().take(8999).skip(1) {
            let (text, ()) = read.take(&path(at), |_| Some(())).unwrap();
            assert_eq!(&text[..], &expected[..]);
        }
        assert!(read.take(&path(8999), |_| Some(())).is_none());
    }

    #[test]
    fn spellings_that_are_no_utf8_come_back_too() {
        let a = "[\"a\"]";
        let pairs = [("#".to_owned(), &b"; K\xfcche"[..]), (a.to_owned(), "k\u{fc}che".as_bytes())];
        let (mut list, source) = list_of(pairs);
        list.set_patch(Some(Patch::between(b"x", b"\xff")));
        let mut read = Spellings::from_json(&list.to_json(&source));
        assert_eq!(&read.take("#", |_| Some(())).unwrap().0[..], b"; K\xfcche");
        assert_eq!(&read.take(a, |_| Some(())).unwrap().0[..], "k\u{fc}che".as_bytes());
        assert_eq!(&read.take_patch().unwrap().apply(b"x").unwrap()[..], b"\xff");
    }
}
