//! Plain copies of encrypted files: `x.dec.yaml` beside `x.yaml`, `x.yaml` beside
//! `x.enc.yaml`. Names alone prove nothing, so that the keys are compared too: they
//! stand in clear in the encrypted file.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::domain::crypto::token::is_token;
use crate::domain::document::walk::Walk;
use crate::domain::scalar::Scalar;
use crate::domain::store::{Format, Purpose, Store};
use crate::domain::tree::{Flags, Kind, Tree};

/// Parts of names that say "encrypted".
const ENCRYPTED: [&str; 5] = ["enc", "encrypted", "sops", "locked", "crypt"];
/// Parts of names that say "plain", or "an older state".
const PLAIN: [&str; 15] = [
    "dec",
    "decrypted",
    "plain",
    "plaintext",
    "clear",
    "cleartext",
    "unencrypted",
    "unlocked",
    "bak",
    "backup",
    "orig",
    "old",
    "tmp",
    "save",
    "copy",
];

/// A file name without the parts that say what state it is in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Related {
    /// What is left: the same for a file and its copies.
    pub stem: String,
    /// True if the name says that the file is encrypted, false if it says that it
    /// is not.
    pub says_encrypted: Option<bool>,
}

/// Takes a file name apart.
pub fn related_name(name: &str) -> Related {
    let bare = name.trim_end_matches('~');
    let mut says_encrypted = (bare.len() < name.len()).then_some(false);
    let mut stem: Vec<&str> = Vec::new();
    for part in bare.split('.') {
        if ENCRYPTED.contains(&part) && !stem.is_empty() {
            says_encrypted = Some(true);
        } else if PLAIN.contains(&part) && !stem.is_empty() {
            says_encrypted = Some(false);
        } else {
            stem.push(part);
        }
    }
    Related { stem: stem.join("."), says_encrypted }
}

/// Which keys of a file have values.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Digests of the key paths: of what is encrypted, or of everything in a plain file.
    paths: HashSet<u64>,
    /// The file is one value.
    is_binary: bool,
}

impl Shape {
    /// The shape of an encrypted file: its ciphertexts.
    pub fn of_encrypted(tree: &Tree<'_>, format: Format) -> Self {
        let store = format.encrypted_store();
        Self { paths: paths(tree, store, true), is_binary: format == Format::Binary }
    }

    /// The shape of a plain file; `None` if it does not follow its format.
    pub fn of_plain(bytes: &[u8], format: Format) -> Option<Self> {
        if format == Format::Binary {
            return (!bytes.is_empty()).then_some(Self { paths: HashSet::new(), is_binary: true });
        }
        let store = format.store();
        let tree = store.read(bytes, Purpose::AsIs).ok()?;
        Some(Self { paths: paths(&tree, store, false), is_binary: false })
    }
}

fn paths(tree: &Tree<'_>, store: &dyn Store, only_tokens: bool) -> HashSet<u64> {
    let mut walk = Walk::default();
    let mut paths = HashSet::new();
    for (id, node) in tree.nodes.iter().enumerate() {
        if node.kind == Kind::Comment || node.flags.has(Flags::METADATA) {
            continue;
        }
        let id = id as u32;
        let path = walk.enter(tree, id);
        let counts = match node.kind {
            Kind::Scalar if only_tokens => is_token(tree.text(node.text)),
            Kind::Scalar => match store.scalar(tree, id) {
                Scalar::Null => false,
                Scalar::Str(text) => !text.is_empty(),
                _ => true,
            },
            _ => false,
        };
        if counts {
            let mut hasher = DefaultHasher::new();
            path.hash(&mut hasher);
            paths.insert(hasher.finish());
        }
    }
    paths
}

/// Of five encrypted keys, how many a plain copy must have: somebody may have
/// gone on editing it.
const SHARED_OF_FIVE: usize = 4;

/// True when `plain` is a copy of `encrypted`, whose names have one stem. Of a
/// file that is one value there is only the name to go by.
pub fn leftover(encrypted: (&Related, &Shape), plain: (&Related, &Shape)) -> bool {
    let ((encrypted_name, encrypted), (plain_name, plain)) = (encrypted, plain);
    if encrypted.is_binary || plain.is_binary {
        return encrypted_name.says_encrypted == Some(true) || plain_name.says_encrypted == Some(false);
    }
    let shared = encrypted.paths.intersection(&plain.paths).count();
    shared > 0 && shared * 5 >= encrypted.paths.len() * SHARED_OF_FIVE
}
