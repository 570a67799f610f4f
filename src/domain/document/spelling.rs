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
use crate::domain::tree::{Document, Kind, Node, Style, Tree};

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

/// Spellings to be stored, in file order.
#[derive(Debug, Default)]
pub struct SpellingList {
    entries: Vec<(String, SecretBytes)>,
    patch: Option<Patch>,
}

impl SpellingList {
    /// Adds the spelling of the leaf at `path`.
    pub fn push(&mut self, path: String, spelling: &[u8]) {
        self.entries.push((path, SecretBytes::new(spelling.to_vec())));
    }

    /// True when nothing needs to be stored.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The paths that have one.
    pub fn paths(&self) -> HashSet<String> {
        self.entries.iter().map(|(path, _)| path.clone()).collect()
    }

    /// Drops the spellings at `paths`.
    pub fn forget(&mut self, paths: HashSet<&str>) {
        self.entries.retain(|(path, _)| !paths.contains(path.as_str()));
    }

    /// Puts `patch` in the place of the one that the list has.
    pub fn set_patch(&mut self, patch: Option<Patch>) {
        self.patch = patch;
    }

    /// True when the list has a patch.
    pub fn has_patch(&self) -> bool {
        self.patch.is_some()
    }

    /// The JSON text to encrypt.
    pub fn to_json(&self) -> SecretBytes {
        let patch = self.patch.as_ref().map(|patch| (patch.path(), patch.piece()));
        let entries = self.entries.iter().map(|(path, spelling)| (path.as_str(), &spelling[..]));
        let pairs = entries.chain(patch.iter().map(|(path, piece)| (path.as_str(), *piece)));
        let texts: Option<Vec<(&str, &str)>> =
            pairs.clone().map(|(path, text)| Some((path, std::str::from_utf8(text).ok()?))).collect();
        let json = match texts {
            Some(texts) => serde_json::to_vec(&texts),
            None => {
                let mut texts: Vec<(&str, String)> = vec![(LATIN1, String::new())];
                texts.extend(
                    pairs.map(|(path, bytes)| (path, bytes.iter().copied().map(char::from).collect())),
                );
                let json = serde_json::to_vec(&texts);
                for (_, text) in texts {
                    wipe(&mut text.into_bytes());
                }
                json
            }
        };
        // Pairs of texts always have a JSON form.
        SecretBytes::new(json.unwrap_or_default())
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

impl Drop for SpellingList {
    fn drop(&mut self) {
        for (path, _) in &mut self.entries {
            let mut path = std::mem::take(path).into_bytes();
            wipe(&mut path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Patch, SpellingList, Spellings};

    #[test]
    fn spellings_come_back_in_order_and_only_where_they_fit() {
        let mut list = SpellingList::default();
        list.push("[\"a\"]".into(), b"0x1F");
        list.push("[\"a\"]".into(), "\"caf\\u00e9\"\n".as_bytes());
        let mut read = Spellings::from_json(&list.to_json());
        assert!(read.take("[\"a\"]", |text| (text == b"other").then_some(())).is_none());
        let (text, ()) = read.take("[\"a\"]", |text| text.starts_with(b"\"").then_some(())).unwrap();
        assert_eq!(&text[..], "\"caf\\u00e9\"\n".as_bytes());
        let (text, ()) = read.take("[\"a\"]", |_| Some(())).unwrap();
        assert_eq!(&text[..], b"0x1F");
        assert!(Spellings::from_json(b"{").is_empty());
    }

    #[test]
    fn spellings_that_are_no_utf8_come_back_too() {
        let mut list = SpellingList::default();
        list.push("#".into(), b"; K\xfcche");
        list.push("[\"a\"]".into(), "k\u{fc}che".as_bytes());
        list.set_patch(Some(Patch::between(b"x", b"\xff")));
        let mut read = Spellings::from_json(&list.to_json());
        assert_eq!(&read.take("#", |_| Some(())).unwrap().0[..], b"; K\xfcche");
        assert_eq!(&read.take("[\"a\"]", |_| Some(())).unwrap().0[..], "k\u{fc}che".as_bytes());
        assert_eq!(&read.take_patch().unwrap().apply(b"x").unwrap()[..], b"\xff");
    }
}
