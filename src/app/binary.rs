//! Binary files: a JSON object with their bytes at `data` (sops-compat 5.5), encrypted
//! and proven a piece at a time, so that they need not be held whole.

use std::path::Path;

use super::Deps;
use super::error::{Error, Place, While};
use super::lock;
use super::open::Locked;
use super::parallel;
use crate::domain::crypto::cipher::{Cipher, PIECE};
use crate::domain::crypto::mac::Mac;
use crate::domain::crypto::token::Token;
use crate::domain::document::sink::Sink;
use crate::domain::metadata::Metadata;
use crate::domain::secret::SecretBytes;
use crate::domain::store::{Format, Layout, binary};
use crate::domain::value::Value;

/// The bytes of a plain file.
#[derive(Clone, Copy)]
pub enum Content<'c> {
    /// At hand.
    Whole(&'c [u8]),
    /// Read as they are needed, absolute.
    File(&'c Path),
}

impl Content<'_> {
    fn each(self, deps: &Deps<'_>, take: &mut dyn FnMut(&[u8])) -> Result<(), Error> {
        match self {
            Self::Whole(bytes) => bytes.chunks(PIECE).for_each(take),
            Self::File(path) => {
                let mut next = |piece: &[u8]| {
                    take(piece);
                    true
                };
                deps.files.read_pieces(path, &mut next).map_err(Error::Read)?;
            }
        }
        Ok(())
    }
}

/// Encrypts `content` for the keys in `metadata`, whose MAC and time are set here.
/// Returns the digest of its one value.
///
/// # Errors
/// Metadata that JSON cannot hold; `out` got nothing then. A file that cannot be read:
/// then `out` has an unfinished file if the fault lies behind its beginning.
pub fn lock(
    deps: &Deps<'_>,
    content: Content<'_>,
    cipher: &Cipher,
    mut metadata: Metadata,
    place: &Place,
    out: &mut dyn Sink,
) -> Result<Mac, Error> {
    let failed = |error| Error::Emit { place: place.clone(), during: While::Encrypting, error };
    let (head, _) = binary::frame(&Value::Map(Vec::new()), Layout::default()).map_err(failed)?;
    // Asked now, because nothing may fail behind the head.
    binary::frame(&metadata.to_value(), Layout::default()).map_err(failed)?;
    let mut mac = Mac::new(false);
    let mut sealing = None;
    // Hash and cipher take about as long as each other.
    parallel::beside(
        |piece| mac.add_canonical(piece, true),
        |hash| {
            content.each(deps, &mut |piece| {
                hash(piece);
                let sealing = sealing.get_or_insert_with(|| {
                    out.push(&head);
                    cipher.seal_large(binary::AAD, &mut *deps.random.rng())
                });
                sealing.push(piece, &mut |part| out.push(part));
            })
        },
    )?;
    match sealing {
        Some(sealing) => sealing.finish("str", &mut |part| out.push(part)),
        // An empty text has no token.
        None => out.push(&head),
    }
    metadata.last_modified = deps.clock.now();
    metadata.mac = lock::mac_token(deps, cipher, mac.hex(), &metadata.last_modified);
    let (_, tail) = binary::frame(&metadata.to_value(), Layout::default()).map_err(failed)?;
    out.push(&tail);
    Ok(mac)
}

/// The encrypted form of `plain`, proven to decrypt.
///
/// # Errors
/// As [`lock()`], and a result that is not what it must be.
pub fn lock_proven(
    deps: &Deps<'_>,
    plain: &[u8],
    cipher: &Cipher,
    metadata: Metadata,
    place: &Place,
) -> Result<SecretBytes, Error> {
    let room = plain.len().div_ceil(3) * 4 + 64 * 1024;
    let mut bytes = SecretBytes::new(Vec::with_capacity(room));
    let mac = lock(deps, Content::Whole(plain), cipher, metadata, place, &mut bytes)?;
    prove(&bytes, cipher, plain, &mac, place)?;
    Ok(bytes)
}

/// The token of `bytes` opens to `expected`, and the MAC is that of `mac`, the digest
/// of `expected`.
fn prove(bytes: &[u8], cipher: &Cipher, expected: &[u8], mac: &Mac, place: &Place) -> Result<(), Error> {
    let refuse = |cause: String| lock::refusal(place, &cause);
    let locked = Locked::parse(bytes, Format::Binary, place).map_err(|error| refuse(error.to_string()))?;
    locked.check_mac(cipher, mac).map_err(|error| refuse(error.to_string()))?;
    let data = binary::data(&locked.tree).map_err(|error| refuse(error.to_string()))?;
    let text = locked.tree.text(locked.tree.node(data).text);
    if expected.is_empty() && text.is_empty() {
        return Ok(());
    }
    let opening = Token::parse(text).and_then(|token| cipher.open_large(&token, binary::AAD));
    let mut piece = SecretBytes::new(vec![0; PIECE]);
    let opens = opening.is_some_and(|mut opening| {
        opening.length() == expected.len()
            && expected.chunks(PIECE).all(|expected| {
                let piece = &mut piece.as_mut_vec()[..expected.len()];
                opening.fill(piece) && *piece == *expected
            })
            && opening.finish()
    });
    if opens { Ok(()) } else { Err(refuse("its value is another one".to_owned())) }
}
