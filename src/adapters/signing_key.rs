//! Where the private half of a signing key is: a file of OpenSSH's, an agent, or
//! hardware. Told from what names it, without asking anybody anything.
#![expect(clippy::disallowed_methods, reason = "the home of the user's signing key")]

use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};

use crate::app::signers::SignerError;
use crate::domain::agent::public_key::PublicKey;
use crate::domain::agent::sshsig::{KeptKey, PrivateKeyError};
use crate::domain::secret::SecretBytes;

use super::system_error::reason;

/// A signing key.
pub struct Found {
    /// Its public half; why not, if it is of a kind that cannot be verified here:
    /// `ssh-keygen` may sign with it all the same.
    pub public: Result<PublicKey, SignerError>,
    /// Where it is, for people.
    pub place: String,
    /// Its private half.
    pub half: Half,
}

/// Where a private half is.
pub enum Half {
    /// Here, perhaps under a passphrase.
    Private(Box<KeptKey>),
    /// In ssh's agent: the public half as text.
    Agent(String),
    /// Where `ssh-keygen` finds it by this path: on hardware, or in a format or of a
    /// kind that is not read here.
    Elsewhere(PathBuf),
}

/// Finds the key that `named` stands for: a path, the text of a private key, or a
/// public key. `place` is where it was named.
pub fn find(named: &[u8], place: &str) -> Result<Found, SignerError> {
    if named.trim_ascii_start().starts_with(ARMOUR) {
        let kept = KeptKey::parse(named).map_err(|error| unusable(place, &error, advice(error)))?;
        return match kept.public().is_on_hardware() {
            true => Err(unusable(place, &"it is on hardware", Some(NAME_THE_FILE))),
            false => Ok(private(kept, place)),
        };
    }
    let text = std::str::from_utf8(named).map_err(|_| unusable(place, &"its name is no text", None))?;
    let kinds = ["ssh-", "ecdsa-", "sk-"];
    let literal = text
        .strip_prefix("key::")
        .or_else(|| kinds.iter().any(|kind| text.starts_with(kind)).then_some(text));
    match literal {
        None => in_file(Path::new(text)),
        Some(literal) => {
            let public =
                PublicKey::parse(literal.trim()).map_err(|error| unusable(place, &error, Some(error.hint())));
            Ok(Found { public, place: place.to_owned(), half: Half::Agent(literal.to_owned()) })
        }
    }
}

/// How a private key begins, whatever its format.
const ARMOUR: &[u8] = b"-----BEGIN ";

/// The same of OpenSSH's own.
const OPENSSH: &[u8] = b"-----BEGIN OPENSSH PRIVATE KEY-----";

const NAME_THE_FILE: &str = "the key is on hardware: name its file, so that ssh-keygen can use it";
const WHERE: &str =
    "LEAFLOCK_SIGNING_KEY, or git's user.signingKey with gpg.format ssh, names the file of an SSH key";

/// The key of a file, private or public.
fn in_file(path: &Path) -> Result<Found, SignerError> {
    let place = path.display().to_string();
    let bytes =
        SecretBytes::new(fs::read(path).map_err(|error| unusable(&place, &reason(&error), Some(WHERE)))?);
    if bytes.trim_ascii_start().starts_with(ARMOUR) {
        return in_private_file(path, &bytes, &place);
    }
    let public = public(&bytes, &place);
    let beside = path.with_extension("");
    let is_pub = path.extension().is_some_and(|extension| extension == "pub");
    if is_pub && let Ok(bytes) = fs::read(&beside).map(SecretBytes::new) {
        let found = in_private_file(&beside, &bytes, &beside.display().to_string())?;
        if public.is_ok() && found.public == public {
            return Ok(found);
        }
    }
    Ok(Found { public, place, half: Half::Elsewhere(path.to_owned()) })
}

fn in_private_file(path: &Path, bytes: &[u8], place: &str) -> Result<Found, SignerError> {
    if is_open_to_others(path) {
        return Err(unusable(
            place,
            &"others than its owner may read it",
            Some("`chmod 600` takes that away; ssh refuses such keys too"),
        ));
    }
    let elsewhere =
        |public| Found { public, place: place.to_owned(), half: Half::Elsewhere(path.to_owned()) };
    let beside = || {
        let mut path = path.as_os_str().to_owned();
        path.push(".pub");
        fs::read(&path).map(|bytes| public(&bytes, place)).ok()
    };
    if !bytes.trim_ascii_start().starts_with(OPENSSH) {
        // Older formats do not show their public half.
        return Ok(elsewhere(
            beside().unwrap_or_else(|| Err(unusable(place, &OLD_FORMAT, Some(NEW_FORMAT)))),
        ));
    }
    match KeptKey::parse(bytes) {
        Ok(kept) if kept.public().is_on_hardware() => Ok(elsewhere(Ok(kept.public().clone()))),
        Ok(kept) => Ok(private(kept, place)),
        Err(error @ PrivateKeyError::Unsupported) => {
            Ok(elsewhere(Err(unusable(place, &error, advice(error)))))
        }
        // ECDSA keys whose number is a short one are not read here, but by ssh-keygen.
        Err(error) => beside().map(elsewhere).ok_or_else(|| unusable(place, &error, advice(error))),
    }
}

const OLD_FORMAT: &str = "it is in another format than OpenSSH's own, and no public key stands beside it";
const NEW_FORMAT: &str = "`ssh-keygen -p -f FILE` writes it in OpenSSH's own format";

fn private(kept: KeptKey, place: &str) -> Found {
    Found { public: Ok(kept.public().clone()), place: place.to_owned(), half: Half::Private(Box::new(kept)) }
}

/// The first key of a file of public keys.
fn public(bytes: &[u8], place: &str) -> Result<PublicKey, SignerError> {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    PublicKey::parse(lines.next().unwrap_or_default())
        .map_err(|error| unusable(place, &error, Some(error.hint())))
}

/// OpenSSH's rule: a private key of one's own that others may read is not used.
#[cfg(unix)]
fn is_open_to_others(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let own = rustix::process::getuid().as_raw();
    fs::metadata(path).is_ok_and(|found| found.uid() == own && found.mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_open_to_others(_path: &Path) -> bool {
    false
}

fn advice(error: PrivateKeyError) -> Option<&'static str> {
    match error {
        PrivateKeyError::NoKey | PrivateKeyError::Damaged => Some(
            "`ssh-keygen -t ed25519 -f FILE` makes a key; the text of a key includes its first and last line",
        ),
        PrivateKeyError::Unsupported => Some("`ssh-keygen -t ed25519 -f FILE` makes a key that can be used"),
        PrivateKeyError::Passphrase => None,
    }
}

/// That a key cannot be used.
pub fn unusable(place: &str, reason: &dyn Display, hint: Option<&'static str>) -> SignerError {
    SignerError::Key { place: place.to_owned(), reason: reason.to_string(), hint }
}
