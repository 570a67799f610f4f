//! Signatures in OpenSSH's format (its `PROTOCOL.sshsig`), made and checked here
//! without another program; `ssh-keygen -Y sign` and `-Y verify` agree.
//!
//! A signature belongs to one namespace, so that one made for anything else never
//! passes. It carries the key it was made with: whether that key counts is for
//! [`super::allowed_signers`] to say.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rsa::pkcs1v15;
use rsa::sha2::Sha512;
use rsa::signature::{SignatureEncoding as _, Signer as _};
use ssh_key::private::KeypairData;
use ssh_key::{Algorithm, HashAlg, LineEnding, PrivateKey, Signature, SshSig};

use super::public_key::{PublicKey, PublicKeyError};
use crate::domain::secret::SecretBytes;

const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";
const END: &str = "-----END SSH SIGNATURE-----";

/// Characters of a line of armour, as OpenSSH writes it.
const WIDTH: usize = 70;

/// Longer texts are no signatures: that of an RSA key of 16384 bits has 6000 bytes.
const LONGEST: usize = 16 * 1024;

/// Why a signature does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// It is no signature in OpenSSH's format.
    #[error("this is no signature in OpenSSH's format")]
    NoSignature,
    /// It is by a kind of key that cannot be verified here.
    #[error("the signature is by a kind of key that cannot be verified")]
    UnsupportedKey,
    /// It was made for another purpose.
    #[error("the signature was made in another namespace")]
    Namespace,
    /// It is of other bytes, or forged.
    #[error("the signature does not fit")]
    Mismatch,
}

/// Checks a signature, armoured or as [`to_line`] writes it, and tells whose it is.
pub fn verify(signature: &str, message: &[u8], namespace: &str) -> Result<PublicKey, SignatureError> {
    let line = to_line(signature).ok_or(SignatureError::NoSignature)?;
    let blob = STANDARD.decode(&line).map_err(|_| SignatureError::NoSignature)?;
    let fields = Fields::read(&blob).ok_or(SignatureError::NoSignature)?;
    if fields.namespace != namespace.as_bytes() {
        return Err(SignatureError::Namespace);
    }
    let key = PublicKey::from_blob(fields.key).map_err(|error| match error {
        PublicKeyError::Unsupported => SignatureError::UnsupportedKey,
        PublicKeyError::NoKey => SignatureError::NoSignature,
    })?;
    let signature = Signature::try_from(fields.signature).map_err(|_| SignatureError::NoSignature)?;
    let parsed = SshSig::new(key.0.clone(), namespace, fields.hash, signature)
        .map_err(|_| SignatureError::NoSignature)?;
    ssh_key::PublicKey::new(key.0.clone(), "")
        .verify(namespace, message, &parsed)
        .map(|()| key)
        .map_err(|_| SignatureError::Mismatch)
}

/// The parts of a signature. Read here, for the crate takes lengths that do not fit,
/// versions that do not exist, and signs reserved bytes, which OpenSSH leaves out.
struct Fields<'b> {
    key: &'b [u8],
    namespace: &'b [u8],
    hash: HashAlg,
    /// Algorithm and number, with the flags and the counter of a security key.
    signature: &'b [u8],
}

impl<'b> Fields<'b> {
    /// `None` for what is no signature of version 1.
    fn read(blob: &'b [u8]) -> Option<Self> {
        let mut rest = blob.strip_prefix(b"SSHSIG")?.strip_prefix(&SshSig::VERSION.to_be_bytes())?;
        let (key, namespace) = (string(&mut rest)?, string(&mut rest)?);
        let (reserved, hash, signature) = (string(&mut rest)?, string(&mut rest)?, string(&mut rest)?);
        let hash = match hash {
            b"sha256" => HashAlg::Sha256,
            b"sha512" => HashAlg::Sha512,
            _ => return None,
        };
        let mut inner = signature;
        let trailer = if string(&mut inner)?.starts_with(b"sk-") { SECURITY_KEY_TRAILER } else { 0 };
        string(&mut inner)?;
        let is_whole = rest.is_empty() && reserved.is_empty() && inner.len() == trailer;
        is_whole.then_some(Self { key, namespace, hash, signature })
    }
}

/// Flags and counter behind the signature of a security key, in bytes.
const SECURITY_KEY_TRAILER: usize = 5;

/// The next string: four bytes of length, big endian, and as many bytes.
fn string<'b>(rest: &mut &'b [u8]) -> Option<&'b [u8]> {
    let (length, behind) = rest.split_first_chunk::<4>()?;
    let (string, behind) = behind.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    *rest = behind;
    Some(string)
}

/// The base64 of a signature on one line; `None` if it is neither that nor armoured.
pub fn to_line(signature: &str) -> Option<String> {
    let text = signature.trim();
    if text.len() > LONGEST {
        return None;
    }
    let body = match text.strip_prefix(BEGIN) {
        Some(rest) => rest.strip_suffix(END)?,
        None => text,
    };
    let line: String = body.split_ascii_whitespace().collect();
    STANDARD.decode(&line).ok().filter(|blob| blob.starts_with(b"SSHSIG")).map(|_| line)
}

/// The armour that `ssh-keygen` reads, of a signature on one line.
pub fn to_armour(line: &str) -> String {
    let mut armour = String::with_capacity(line.len() + line.len() / WIDTH + BEGIN.len() + END.len() + 3);
    armour.push_str(BEGIN);
    armour.push('\n');
    for (at, character) in line.chars().enumerate() {
        if at > 0 && at % WIDTH == 0 {
            armour.push('\n');
        }
        armour.push(character);
    }
    armour.push('\n');
    armour.push_str(END);
    armour.push('\n');
    armour
}

/// Why a private key cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrivateKeyError {
    /// It is no private key in OpenSSH's format.
    #[error("this is no private key in OpenSSH's format")]
    NoKey,
    /// Its kind cannot be verified, so signatures by it would count nowhere.
    #[error("signatures by SSH keys of this kind cannot be verified")]
    Unsupported,
    /// The passphrase is wrong, or the key damaged.
    #[error("the passphrase is wrong")]
    Passphrase,
    /// The key itself is damaged.
    #[error("the private key is damaged")]
    Damaged,
}

/// A private key as it is kept: the public half is readable, the private one may
/// need a passphrase.
pub struct KeptKey {
    key: PrivateKey,
    public: PublicKey,
}

impl KeptKey {
    /// Reads a private key in OpenSSH's own format (`BEGIN OPENSSH PRIVATE KEY`).
    pub fn parse(text: &[u8]) -> Result<Self, PrivateKeyError> {
        let key = PrivateKey::from_openssh(text.trim_ascii()).map_err(|error| match error {
            ssh_key::Error::AlgorithmUnknown | ssh_key::Error::AlgorithmUnsupported { .. } => {
                PrivateKeyError::Unsupported
            }
            _ => PrivateKeyError::NoKey,
        })?;
        let public = PublicKey::from_data(key.public_key().key_data().clone())
            .map_err(|_| PrivateKeyError::Unsupported)?;
        Ok(Self { key, public })
    }

    /// The public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// True if it takes a passphrase to use it.
    pub fn is_encrypted(&self) -> bool {
        self.key.is_encrypted()
    }

    /// The key, ready to sign. `passphrase` counts if it is encrypted.
    pub fn unlock(&self, passphrase: &SecretBytes) -> Result<SigningKey, PrivateKeyError> {
        let key = match self.key.is_encrypted() {
            true => self.key.decrypt(&passphrase[..]).map_err(|_| PrivateKeyError::Passphrase)?,
            false => self.key.clone(),
        };
        let signer = match key.key_data() {
            KeypairData::Ed25519(_) | KeypairData::Ecdsa(_) => Signer::Crate(Box::new(key)),
            KeypairData::Rsa(pair) => Signer::Rsa(Box::new(rsa_key(pair).ok_or(PrivateKeyError::Damaged)?)),
            _ => return Err(PrivateKeyError::Unsupported),
        };
        Ok(SigningKey { signer, public: self.public.clone() })
    }
}

impl fmt::Debug for KeptKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeptKey({})", self.public.fingerprint())
    }
}

/// An unlocked private key; wiped when dropped.
pub struct SigningKey {
    signer: Signer,
    public: PublicKey,
}

/// Who computes.
enum Signer {
    Crate(Box<PrivateKey>),
    /// Version 0.6 of the SSH crate cannot sign with RSA: it takes one prime twice.
    Rsa(Box<pkcs1v15::SigningKey<Sha512>>),
}

impl SigningKey {
    /// The public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The armoured signature of `message`.
    pub fn sign(&self, message: &[u8], namespace: &str) -> Result<String, PrivateKeyError> {
        let signed = match &self.signer {
            Signer::Crate(key) => key.sign(namespace, HashAlg::Sha512, message),
            Signer::Rsa(key) => self.sign_rsa(key, message, namespace),
        };
        let signed = signed.and_then(|signature| signature.to_pem(LineEnding::LF));
        let armour = signed.map_err(|_| PrivateKeyError::Damaged)?;
        to_line(&armour).map(|line| to_armour(&line)).ok_or(PrivateKeyError::Damaged)
    }

    fn sign_rsa(
        &self,
        key: &pkcs1v15::SigningKey<Sha512>,
        message: &[u8],
        namespace: &str,
    ) -> ssh_key::Result<SshSig> {
        let data = SshSig::signed_data(namespace, HashAlg::Sha512, message)?;
        let signed = key.try_sign(&data).map_err(|_| ssh_key::Error::Crypto)?;
        let algorithm = Algorithm::Rsa { hash: Some(HashAlg::Sha512) };
        let signature = Signature::new(algorithm, signed.to_vec())?;
        SshSig::new(self.public.0.clone(), namespace, HashAlg::Sha512, signature)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public.fingerprint())
    }
}

/// The numbers of an RSA key, checked against each other.
fn rsa_key(pair: &ssh_key::private::RsaKeypair) -> Option<pkcs1v15::SigningKey<Sha512>> {
    let number = |number: &ssh_key::Mpint| number.as_positive_bytes().map(rsa::BigUint::from_bytes_be);
    let primes = vec![number(&pair.private.p)?, number(&pair.private.q)?];
    let (n, e, d) = (number(&pair.public.n)?, number(&pair.public.e)?, number(&pair.private.d)?);
    let key = rsa::RsaPrivateKey::from_components(n, e, d, primes).ok()?;
    key.validate().ok()?;
    Some(pkcs1v15::SigningKey::new(key))
}

#[cfg(test)]
mod tests;
