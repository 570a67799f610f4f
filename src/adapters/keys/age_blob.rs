//! A wrapped key: an armored age file of a few hundred bytes.

use std::io::Read;

use age::armor::ArmoredReader;
use age::{DecryptError, Decryptor};
use zeroize::Zeroizing;

use crate::domain::keys::{KeyError, WrappedKey};
use crate::domain::secret::SecretBytes;

/// The longest wrapped key that is read. One stanza takes 0.3 to 3 KB; age's
/// header parser is quadratic in a hostile header's lines.
const LONGEST_BLOB: usize = 64 * 1024;

/// The longest text that a wrapped key may hold: a data key has 32 bytes, a
/// Shamir share 33.
const LONGEST_SECRET: usize = 256;

/// Opens one wrapped key with any of `identities`.
pub(super) fn open(key: &WrappedKey<'_>, identities: &[&dyn age::Identity]) -> Result<SecretBytes, KeyError> {
    let armored = key.enc.trim();
    if armored.len() > LONGEST_BLOB {
        return Err(KeyError::Damaged("failed to read header: the wrapped key is too long".to_owned()));
    }
    let decryptor = Decryptor::new_buffered(ArmoredReader::new(armored.as_bytes())).map_err(damaged)?;
    let mut reader = decryptor.decrypt(identities.iter().copied()).map_err(damaged)?;
    let mut buffer = Zeroizing::new([0; LONGEST_SECRET + 1]);
    let mut length = 0;
    loop {
        let read = reader.read(&mut buffer[length..]).map_err(|_| KeyError::Tampered)?;
        length += read;
        if length > LONGEST_SECRET {
            return Err(KeyError::Damaged("the wrapped key holds more than a data key".to_owned()));
        }
        if read == 0 {
            return Ok(SecretBytes::new(buffer[..length].to_vec()));
        }
    }
}

/// The age library's error in the words of the Go library. Its own texts are
/// never rendered: they load a translation engine.
fn damaged(error: DecryptError) -> KeyError {
    let text = match error {
        DecryptError::NoMatchingKeys => return KeyError::NotMine,
        DecryptError::InvalidMac => "bad header MAC",
        DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed => {
            "failed to decrypt the file key"
        }
        DecryptError::ExcessiveWork { .. } => "the work factor of the passphrase is too large",
        DecryptError::UnknownFormat => "failed to read header: unknown age version",
        _ => "failed to read header: parsing age header: not an armored age file, or damaged",
    };
    KeyError::Damaged(text.to_owned())
}
