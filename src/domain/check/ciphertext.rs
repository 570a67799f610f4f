//! Tokens that cannot be what was written: damaged fields, lengths that no value
//! has, one nonce for two ciphertexts, one ciphertext at two key paths.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::encrypted::{Encrypted, is_ciphertext};
use super::findings::Findings;
use super::kinds::Kind;
use super::lines::line_of;
use crate::domain::crypto::cipher::{self, TAG_LENGTH};
use crate::domain::crypto::token::{Token, trimmed};
use crate::domain::document::walk::Walk;
use crate::domain::tree::{self, NodeId};

/// A token that was seen: its text, its path, and where it stands.
struct Seen<'t> {
    data: &'t [u8],
    tag: &'t [u8],
    /// A digest of the associated data; `None` for comments, which hang on different
    /// containers before and after encryption.
    path: Option<u64>,
    id: NodeId,
}

/// Looks at every token.
pub(super) fn check(file: &Encrypted<'_>, findings: &mut Findings) {
    let tree = &file.tree;
    let mut seen: HashMap<&[u8], Seen<'_>> = HashMap::new();
    let mut walk = Walk::default();
    for (id, node) in file.data() {
        let is_comment = node.kind == tree::Kind::Comment;
        let path = if is_comment { None } else { Some(digest(walk.enter(tree, id))) };
        let text = tree.text(node.text);
        if !matches!(node.kind, tree::Kind::Scalar | tree::Kind::Comment) || !is_ciphertext(text) {
            continue;
        }
        let place = if is_comment {
            Place::Comment
        } else if tree.node(node.parent).kind == tree::Kind::List {
            Place::Element
        } else {
            Place::Value
        };
        let token = match sound(text, place) {
            Ok(token) => token,
            Err(message) => {
                findings.at_node(Kind::MalformedCiphertext, file.as_read(), id, || message);
                continue;
            }
        };
        let path = path.filter(|_| token.kind != b"comment");
        match seen.entry(token.iv) {
            Entry::Vacant(entry) => {
                entry.insert(Seen { data: token.data, tag: token.tag, path, id });
            }
            Entry::Occupied(entry) => compare(file, id, &token, path, entry.get(), findings),
        }
    }
}

/// A token whose nonce was there before.
fn compare(
    file: &Encrypted<'_>,
    id: NodeId,
    token: &Token<'_>,
    path: Option<u64>,
    first: &Seen<'_>,
    findings: &mut Findings,
) {
    let line = || line_of(&file.tree, first.id);
    if (first.data, first.tag) != (token.data, token.tag) {
        let message = || format!("the nonce of this ciphertext is that of another one, on line {}", line());
        findings.at_node(Kind::ReusedNonce, file.as_read(), id, message);
    } else if let (Some(path), Some(other)) = (path, first.path)
        && path != other
    {
        let message = || format!("the same ciphertext stands at another path, on line {}", line());
        findings.at_node(Kind::CopiedCiphertext, file.as_read(), id, message);
    }
}

/// A digest of a key path.
pub(super) fn digest(path: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    hasher.finish()
}

/// Where a token stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In a comment.
    Comment,
    /// In a list, where SOPS also puts comments.
    Element,
    /// Behind a key.
    Value,
}

/// Bytes of the nonces of SOPS (32), and of others who write its format.
const NONCES: [usize; 4] = [8, 12, 16, 32];
/// Bytes of the longest boolean: `False`.
const LONGEST_BOOL: usize = 5;
/// Bytes of the shortest time: a date.
const SHORTEST_TIME: usize = 8;

/// The token that `text` holds, if it can be one.
pub(super) fn sound(text: &[u8], place: Place) -> Result<Token<'_>, String> {
    let Some(token) = Token::parse(text) else {
        return Err("this ciphertext is incomplete: a token has data, iv, tag and type".to_owned());
    };
    if !text[trimmed(text).len()..].trim_ascii().is_empty() {
        return Err("text stands behind this ciphertext".to_owned());
    }
    let lengths = cipher::lengths(&token).map_err(|error| error.to_string())?;
    if lengths.tag != TAG_LENGTH {
        return Err(format!("the tag has {} bytes, not {TAG_LENGTH}", lengths.tag));
    }
    if !NONCES.contains(&lengths.iv) {
        return Err(format!("the nonce has {} bytes, which no writer makes", lengths.iv));
    }
    let fits = match token.kind {
        b"str" | b"bytes" => place != Place::Comment,
        b"int" | b"float" => place != Place::Comment,
        b"bool" => place != Place::Comment && lengths.data <= LONGEST_BOOL,
        b"time" => place != Place::Comment && lengths.data >= SHORTEST_TIME,
        b"comment" => place != Place::Value,
        _ => return Err("the type of this ciphertext is none that there is".to_owned()),
    };
    match fits {
        true => Ok(token),
        false => Err("no value of the type that it names has this length or place".to_owned()),
    }
}
