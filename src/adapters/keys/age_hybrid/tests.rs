//! Both halves against a file that sops 3.11.0 wrote (`fixtures/vectors/30`),
//! against each other, and against what an attacker may send. That sops opens
//! what is wrapped here is shown by the integration tests.

use std::io::Read;

use age::armor::ArmoredReader;
use age::{Decryptor, Identity, Recipient};
use age_core::secrecy::ExposeSecret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bech32::{ToBase32, Variant};
use rand::RngCore;
use rand::rngs::OsRng;

use super::{HybridIdentity, HybridRecipient, LATTICE_CIPHERTEXT, LATTICE_KEY, STANZA, decoded};

const KEY: &str = include_str!("../../../../fixtures/vectors/30-age-pq-hybrid/key.txt");
const LOCKED: &str = include_str!("../../../../fixtures/vectors/30-age-pq-hybrid/encrypted.yaml");

fn identity() -> HybridIdentity {
    HybridIdentity::parse(KEY.lines().last().unwrap()).unwrap()
}

fn recipient() -> &'static str {
    KEY.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap()
}

/// The stanza that [`HybridRecipient`] makes for a file key, and that key.
fn stanza() -> (super::Stanza, [u8; 16]) {
    let mut key = [0; 16];
    OsRng.fill_bytes(&mut key);
    let file_key = super::FileKey::new(Box::new(key));
    let (mut stanzas, labels) =
        HybridRecipient::parse(recipient()).unwrap().wrap_file_key(&file_key).unwrap();
    assert!(labels.contains("postquantum") && labels.len() == 1 && stanzas.len() == 1);
    (stanzas.remove(0), key)
}

#[test]
fn the_public_half_grows_from_the_seed() {
    assert_eq!(identity().recipient(), recipient());
}

#[test]
fn a_key_that_sops_wrapped_opens() {
    let armored: String = LOCKED
        .lines()
        .map(str::trim)
        .skip_while(|line| !line.starts_with("-----BEGIN"))
        .take_while(|line| !line.starts_with("lastmodified"))
        .flat_map(|line| [line, "\n"])
        .collect();
    let decryptor = Decryptor::new_buffered(ArmoredReader::new(armored.as_bytes())).unwrap();
    let identity = identity();
    let mut opened = Vec::new();
    decryptor.decrypt(std::iter::once(&identity as &dyn Identity)).unwrap().read_to_end(&mut opened).unwrap();
    assert_eq!(opened.len(), 32);
}

#[test]
fn what_is_wrapped_opens_and_only_for_its_recipient() {
    let (stanza, key) = stanza();
    let opened = identity().unwrap_stanza(&stanza).unwrap().unwrap();
    assert_eq!(opened.expose_secret(), &key);
    let seed = bech32::encode("age-secret-key-pq-", [7; 32].to_base32(), Variant::Bech32).unwrap();
    let other = HybridIdentity::parse(&seed.to_uppercase()).unwrap();
    assert!(other.unwrap_stanza(&stanza).is_none());
    let foreign = super::Stanza { tag: "X25519".to_owned(), ..stanza };
    assert!(identity().unwrap_stanza(&foreign).is_none());
}

#[test]
fn no_changed_byte_opens() {
    let (stanza, _) = stanza();
    let identity = identity();
    let sent = STANDARD_NO_PAD.decode(&stanza.args[0]).unwrap();
    for place in [0, 500, LATTICE_CIPHERTEXT - 1, LATTICE_CIPHERTEXT, LATTICE_CIPHERTEXT + 30] {
        let mut sent = sent.clone();
        sent[place] ^= 1;
        let args = vec![STANDARD_NO_PAD.encode(&sent)];
        let changed = super::Stanza { tag: STANZA.to_owned(), args, body: stanza.body.clone() };
        assert!(identity.unwrap_stanza(&changed).is_none(), "byte {place}");
    }
    for place in [0, 15, 16, 31] {
        let mut body = stanza.body.clone();
        body[place] ^= 0x80;
        let changed = super::Stanza { tag: STANZA.to_owned(), args: stanza.args.clone(), body };
        assert!(identity.unwrap_stanza(&changed).is_none(), "byte {place}");
    }
    let mut low_order = sent.clone();
    low_order[LATTICE_CIPHERTEXT..].fill(0);
    let changed = super::Stanza { args: vec![STANDARD_NO_PAD.encode(low_order)], ..stanza };
    assert!(identity.unwrap_stanza(&changed).is_none());
}

#[test]
fn stanzas_of_another_shape_are_errors() {
    let (stanza, _) = stanza();
    let identity = identity();
    let sent = stanza.args[0].clone();
    let shapes = [
        (vec![], stanza.body.clone()),
        (vec![sent.clone(), sent.clone()], stanza.body.clone()),
        (vec![sent[..sent.len() - 4].to_owned()], stanza.body.clone()),
        (vec!["!".to_owned()], stanza.body.clone()),
        (vec![sent.clone()], stanza.body[..31].to_vec()),
        (vec![sent], Vec::new()),
    ];
    for (args, body) in shapes {
        let stanza = super::Stanza { tag: STANZA.to_owned(), args, body };
        assert!(matches!(identity.unwrap_stanza(&stanza), Some(Err(_))));
    }
}

#[test]
fn bad_texts_are_refused_with_the_reason_that_sops_gives() {
    let bytes = decoded(recipient(), "age1pq").unwrap();
    let made =
        |prefix: &str, bytes: &[u8]| bech32::encode(prefix, bytes.to_base32(), Variant::Bech32).unwrap();
    let unreduced = [vec![0xff; LATTICE_KEY], bytes[LATTICE_KEY..].to_vec()].concat();
    let low_order = [bytes[..LATTICE_KEY].to_vec(), vec![0; 32]].concat();
    let invalid = "invalid MLKEM768-X25519 public key";
    for (text, reason) in [
        ("age1pq1abc".to_owned(), "invalid Bech32 encoding"),
        (made("age1pq", &bytes[..100]), invalid),
        (made("age1pq", &[bytes.clone(), vec![0]].concat()), invalid),
        (made("age1pq", &unreduced), invalid),
        (made("age1pq", &low_order), "low order point"),
        (made("age1pq", b""), invalid),
    ] {
        assert_eq!(HybridRecipient::parse(&text).err(), Some(reason), "{text}");
    }
    for text in [
        "AGE-SECRET-KEY-PQ-1".to_owned(),
        made("age-secret-key-pq-", &[1; 31]),
        made("age-secret-key-pq-", &[1; 33]),
        made("age-secret-key-", &[1; 32]),
    ] {
        assert!(HybridIdentity::parse(&text.to_uppercase()).is_none(), "{text}");
    }
}
