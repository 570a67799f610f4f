//! Wrapped data keys that nobody can open: no age or PGP message at all, or one
//! that is not for the recipient that it stands with, as far as its outside shows
//! (the age format, version 1; RFC 9580 for PGP).

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest, Sha256};

use super::encrypted::{Encrypted, metadata_line};
use super::findings::{Finding, Findings};
use super::kinds::Kind;
use crate::domain::document::walk::index_path;
use crate::domain::keys::kinds::KeyKind;
use crate::domain::keys::low_order::is_low_order;
use crate::domain::keys::{RecipientKind, recipient_kind};
use crate::domain::metadata::MasterKey;
use crate::domain::tree::{self, Flags, NodeId, Tree};

/// Bytes of a file key's ciphertext with its tag.
const SEALED_FILE_KEY: usize = 32;
/// Bytes of a point of Curve25519.
const POINT: usize = 32;
/// Bytes of the encapsulated key of an ML-KEM-768 with X25519.
const HYBRID_KEY: usize = 1088 + POINT;
/// Bytes of the nonce and the tag around a payload.
const AROUND_PAYLOAD: usize = 16 + 16;
/// Bytes of a data key; a share of one has one more.
const DATA_KEY: usize = 32;
/// Bytes that an SSH stanza has of the digest of its recipient.
const SSH_TAG: usize = 4;

/// Looks at every wrapped key.
pub(super) fn check(file: &Encrypted<'_>, findings: &mut Findings) {
    let payload = DATA_KEY + usize::from(file.metadata.groups.len() > 1);
    let mut seen: HashMap<&str, &MasterKey> = HashMap::new();
    let mut place = Places::new(&file.tree);
    for key in file.metadata.keys() {
        let enc = key.enc().trim();
        let problem = match key.kind {
            _ if enc.is_empty() => Some("no data key is wrapped for this recipient"),
            KeyKind::Age => age_problem(key, enc, payload),
            KeyKind::Pgp => pgp_problem(enc),
            _ => None,
        };
        if let Some(problem) = problem {
            findings.push(place.find(key, Finding::of_file(Kind::MalformedStanza, problem)));
        }
        if !matches!(key.kind, KeyKind::Age | KeyKind::Pgp) || enc.is_empty() {
            continue;
        }
        match seen.insert(enc, key) {
            Some(first) if first.spec() != key.spec() => {
                let message = "the wrapped data key is the very one of another recipient";
                findings.push(place.find(key, Finding::of_file(Kind::CopiedStanza, message)));
            }
            _ => {}
        }
    }
}

/// Where the keys of a file stand.
struct Places<'t, 's> {
    tree: &'t Tree<'s>,
    by_text: Option<HashMap<&'t [u8], NodeId>>,
}

impl<'t, 's> Places<'t, 's> {
    fn new(tree: &'t Tree<'s>) -> Self {
        Self { tree, by_text: None }
    }

    /// The finding at the field that names `key`.
    fn find(&mut self, key: &MasterKey, finding: Finding) -> Finding {
        let tree = self.tree;
        let by_text = self.by_text.get_or_insert_with(|| {
            let nodes = tree.nodes.iter().enumerate();
            let is_text =
                |node: &tree::Node| node.flags.has(Flags::METADATA) && node.kind == tree::Kind::Scalar;
            let texts = nodes.filter(|(_, node)| is_text(node));
            texts.map(|(id, node)| (tree.text(node.text), id as NodeId)).collect()
        });
        match by_text.get(key.name().as_bytes()) {
            Some(id) => {
                let line = tree.line(tree.node(*id).span.start);
                finding.at_line(Some(line)).at_key(index_path(tree, *id))
            }
            None => finding.at_line(metadata_line(tree)),
        }
    }
}

/// One stanza of an age header.
struct Stanza<'h> {
    kind: &'h str,
    arguments: Vec<&'h str>,
    body: usize,
}

/// What is wrong with the age message `enc` for `key`.
fn age_problem(key: &MasterKey, enc: &str, payload: usize) -> Option<&'static str> {
    let recipient = key.name();
    let Ok(kind) = recipient_kind(&recipient) else { return Some("this is no age recipient") };
    if !is_recipient(kind, &recipient) {
        return Some("this is no age recipient: it does not decode to a key");
    }
    let Some(message) = dearmored(enc) else { return Some("the wrapped data key is no armored age file") };
    let Some((stanzas, rest)) = header(&message) else {
        return Some("the wrapped data key has no header of an age file");
    };
    if rest != payload + AROUND_PAYLOAD {
        return Some("the wrapped data key has the length of no data key");
    }
    match kind {
        RecipientKind::Plugin | RecipientKind::Tag | RecipientKind::TagHybrid if stanzas.is_empty() => {
            Some("the wrapped data key is for nobody")
        }
        RecipientKind::Plugin | RecipientKind::Tag | RecipientKind::TagHybrid => None,
        _ if stanzas.iter().any(|stanza| fits(stanza, kind, &recipient)) => None,
        _ => Some("no stanza of the wrapped data key can be for this recipient"),
    }
}

/// True for a recipient that decodes; of kinds that programs beside this one know, any.
pub fn is_recipient(kind: RecipientKind, recipient: &str) -> bool {
    match kind {
        RecipientKind::X25519 => {
            use bech32::FromBase32;
            let Ok((prefix, data, _)) = bech32::decode(recipient) else { return false };
            let key = Vec::<u8>::from_base32(&data).ok().and_then(|key| <[u8; POINT]>::try_from(key).ok());
            prefix == "age" && key.is_some_and(|key| !is_low_order(key))
        }
        RecipientKind::Ssh => ssh_key(recipient).is_some(),
        RecipientKind::Hybrid | RecipientKind::Tag | RecipientKind::TagHybrid | RecipientKind::Plugin => true,
    }
}

/// The key of an SSH recipient in its wire form.
fn ssh_key(recipient: &str) -> Option<Vec<u8>> {
    STANDARD.decode(recipient.split_ascii_whitespace().nth(1)?).ok()
}

/// True when a stanza can be for a recipient.
fn fits(stanza: &Stanza<'_>, kind: RecipientKind, recipient: &str) -> bool {
    let argument = |index: usize| stanza.arguments.get(index).and_then(|it| STANDARD_NO_PAD.decode(it).ok());
    let is_point = |bytes: Option<Vec<u8>>| {
        let point = bytes.and_then(|bytes| <[u8; POINT]>::try_from(bytes).ok());
        point.is_some_and(|point| !is_low_order(point))
    };
    let count = stanza.arguments.len();
    let sealed = stanza.body == SEALED_FILE_KEY;
    match kind {
        RecipientKind::X25519 => stanza.kind == "X25519" && count == 1 && sealed && is_point(argument(0)),
        RecipientKind::Hybrid => {
            let is_key = argument(0).is_some_and(|key| key.len() == HYBRID_KEY);
            stanza.kind == "mlkem768x25519" && count == 1 && sealed && is_key
        }
        RecipientKind::Ssh => {
            let digest = ssh_key(recipient).map(|key| Sha256::digest(key)[..SSH_TAG].to_vec());
            let is_ours = argument(0) == digest;
            match (recipient.split_ascii_whitespace().next(), stanza.kind) {
                (Some("ssh-ed25519"), "ssh-ed25519") => {
                    count == 2 && sealed && is_ours && is_point(argument(1))
                }
                (Some("ssh-rsa"), "ssh-rsa") => count == 1 && is_ours && stanza.body > SEALED_FILE_KEY,
                _ => false,
            }
        }
        RecipientKind::Tag | RecipientKind::TagHybrid | RecipientKind::Plugin => true,
    }
}

/// The bytes of an armored age file.
fn dearmored(enc: &str) -> Option<Vec<u8>> {
    let body = enc.strip_prefix("-----BEGIN AGE ENCRYPTED FILE-----")?;
    let body = body.trim_end().strip_suffix("-----END AGE ENCRYPTED FILE-----")?;
    let text: Vec<u8> = body.bytes().filter(|byte| !matches!(byte, b'\n' | b'\r')).collect();
    STANDARD.decode(text).ok()
}

/// The stanzas of an age file, and how many bytes follow its header.
fn header(message: &[u8]) -> Option<(Vec<Stanza<'_>>, usize)> {
    const MAC: usize = 43;
    let mut rest = message.strip_prefix(b"age-encryption.org/v1\n")?;
    let mut stanzas: Vec<Stanza<'_>> = Vec::new();
    loop {
        let end = memchr::memchr(b'\n', rest)?;
        let line = std::str::from_utf8(&rest[..end]).ok()?;
        rest = &rest[end + 1..];
        if let Some(mac) = line.strip_prefix("--- ") {
            return (mac.len() == MAC).then_some((stanzas, rest.len()));
        }
        let mut words = line.strip_prefix("-> ")?.split(' ');
        let (kind, arguments) = (words.next()?, words.collect());
        let mut stanza = Stanza { kind, arguments, body: 0 };
        // A body ends with a line that is not full, which may be empty.
        loop {
            let end = memchr::memchr(b'\n', rest)?;
            let piece = STANDARD_NO_PAD.decode(&rest[..end]).ok()?;
            rest = &rest[end + 1..];
            stanza.body += piece.len();
            if end < 64 {
                break;
            }
        }
        stanzas.push(stanza);
    }
}

/// What is wrong with the PGP message `enc`.
fn pgp_problem(enc: &str) -> Option<&'static str> {
    const NO_MESSAGE: Option<&str> = Some("the wrapped data key is no PGP message");
    let Some(body) = enc.strip_prefix("-----BEGIN PGP MESSAGE-----") else { return NO_MESSAGE };
    let Some(body) = body.trim_end().strip_suffix("-----END PGP MESSAGE-----") else { return NO_MESSAGE };
    // Headers end with an empty line, the checksum begins with `=`.
    let lines = body.lines().map(str::trim).filter(|line| !line.contains(": ") && !line.starts_with('='));
    let Ok(bytes) = STANDARD.decode(lines.collect::<String>()) else { return NO_MESSAGE };
    const PUBLIC_KEY_ENCRYPTED: u8 = 1;
    let packet = match bytes.first() {
        Some(first) if first & 0xC0 == 0xC0 => first & 0x3F,
        Some(first) if first & 0x80 != 0 => (first & 0x3C) >> 2,
        _ => return NO_MESSAGE,
    };
    (packet != PUBLIC_KEY_ENCRYPTED).then_some("the wrapped data key is not encrypted to a PGP key")
}
