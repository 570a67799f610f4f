//! What a ciphertext cannot carry of the owner's spelling: hexadecimal
//! integers, dates without time, fold points, escape choices, dropped tags.
//!
//! Kept, encrypted, in the optional metadata field `leaflock_source`, as a JSON
//! list of `[key path, spelling]` pairs in file order. SOPS ignores the field,
//! and drops it when it rewrites the file. A spelling is only a proposal: it is
//! used where it reads back as the very value that was decrypted, so an old or
//! misplaced one does no harm.

use std::collections::{HashMap, HashSet};

use crate::domain::secret::{SecretBytes, wipe};
use crate::domain::store::Format;
use crate::domain::tree::{Document, Kind, Node, Style, Tree};

/// Name of the metadata field. Its presence also says that the layout of the
/// file is its owner's where the same bytes from SOPS would mean something else.
pub const FIELD: &str = "leaflock_source";

/// Associated data of the field's token.
pub const AAD: &[u8] = b"leaflock_source";

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
    binary: bool,
}

impl SpellingList {
    /// Adds the spelling of the leaf at `path`.
    pub fn push(&mut self, path: String, spelling: &[u8]) {
        self.binary |= std::str::from_utf8(spelling).is_err();
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

    /// The JSON text to encrypt; `None` if a spelling is not UTF-8, which JSON
    /// cannot hold.
    pub fn to_json(&self) -> Option<SecretBytes> {
        if self.binary {
            return None;
        }
        let pairs: Vec<(&str, &str)> = self
            .entries
            .iter()
            .map(|(path, spelling)| (path.as_str(), std::str::from_utf8(spelling).unwrap_or_default()))
            .collect();
        serde_json::to_vec(&pairs).ok().map(SecretBytes::new)
    }
}

/// Spellings read from a file, by path; several at one path (duplicate keys,
/// comments) are used in order.
#[derive(Debug, Default)]
pub struct Spellings {
    by_path: HashMap<String, Vec<SecretBytes>>,
}

impl Spellings {
    /// Reads the decrypted field. Whatever is not understood counts as absent.
    pub fn from_json(json: &[u8]) -> Self {
        let mut by_path: HashMap<String, Vec<SecretBytes>> = HashMap::new();
        if let Ok(pairs) = serde_json::from_slice::<Vec<(String, String)>>(json) {
            for (path, spelling) in pairs {
                by_path.entry(path).or_default().push(SecretBytes::new(spelling.into_bytes()));
            }
        }
        Self { by_path }
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.by_path.is_empty()
    }

    /// The first spelling at `path` that `fits`; it is used up.
    pub fn take<T>(
        &mut self,
        path: &str,
        mut fits: impl FnMut(&[u8]) -> Option<T>,
    ) -> Option<(SecretBytes, T)> {
        let candidates = self.by_path.get_mut(path)?;
        let (at, found) = candidates.iter().enumerate().find_map(|(at, text)| Some((at, fits(text)?)))?;
        Some((candidates.remove(at), found))
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
    use super::{SpellingList, Spellings};

    #[test]
    fn spellings_come_back_in_order_and_only_where_they_fit() {
        let mut list = SpellingList::default();
        list.push("[\"a\"]".into(), b"0x1F");
        list.push("[\"a\"]".into(), "\"caf\\u00e9\"\n".as_bytes());
        let mut read = Spellings::from_json(&list.to_json().unwrap());
        assert!(read.take("[\"a\"]", |text| (text == b"other").then_some(())).is_none());
        let (text, ()) = read.take("[\"a\"]", |text| text.starts_with(b"\"").then_some(())).unwrap();
        assert_eq!(&text[..], "\"caf\\u00e9\"\n".as_bytes());
        let (text, ()) = read.take("[\"a\"]", |_| Some(())).unwrap();
        assert_eq!(&text[..], b"0x1F");
        assert!(Spellings::from_json(b"{").is_empty());
    }
}
