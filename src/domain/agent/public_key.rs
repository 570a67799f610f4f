//! The public half of an SSH key, as the policy, a list of allowed signers and
//! OpenSSH's `.pub` files write it: `TYPE BASE64`.
//!
//! The kinds are those that can be verified here: `ssh-ed25519`,
//! `ecdsa-sha2-nistp256`, `ssh-rsa` (2048 bits and more) and the two of security
//! keys, `sk-ssh-ed25519@openssh.com` and `sk-ecdsa-sha2-nistp256@openssh.com`.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ssh_key::public::KeyData;
use ssh_key::{EcdsaCurve, HashAlg};

/// Why a text is no public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublicKeyError {
    /// It is none at all.
    #[error("this is no SSH public key")]
    NoKey,
    /// It is one of a kind that cannot be verified here.
    #[error("SSH keys of this kind cannot be verified")]
    Unsupported,
}

impl PublicKeyError {
    /// What to do about it.
    pub fn hint(self) -> &'static str {
        match self {
            Self::NoKey => "a key is written as in a .pub file: ssh-ed25519 AAAA…",
            Self::Unsupported => {
                "take ssh-ed25519, ecdsa-sha2-nistp256, ssh-rsa, or the sk- kinds of security keys; \
                 no certificates"
            }
        }
    }
}

/// An SSH public key without its comment.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey(pub(super) KeyData);

impl PublicKey {
    /// Reads `TYPE BASE64`, and a comment behind it, which does not count.
    pub fn parse(text: &str) -> Result<Self, PublicKeyError> {
        let mut words = text.split([' ', '\t']).filter(|word| !word.is_empty());
        let (Some(kind), Some(body)) = (words.next(), words.next()) else {
            return Err(PublicKeyError::NoKey);
        };
        let blob = STANDARD.decode(body).map_err(|_| PublicKeyError::NoKey)?;
        match Self::from_blob(&blob)? {
            // The kind stands in the blob again.
            key if key.kind() == kind => Ok(key),
            _ => Err(PublicKeyError::NoKey),
        }
    }

    /// Reads the bytes that the base64 stands for (RFC 4253, section 6.6).
    pub(super) fn from_blob(blob: &[u8]) -> Result<Self, PublicKeyError> {
        let kind = blob.get(..4).and_then(|length| {
            let length = u32::from_be_bytes(length.try_into().ok()?) as usize;
            blob.get(4..)?.get(..length)
        });
        let kind = kind.ok_or(PublicKeyError::NoKey)?;
        if !KINDS.iter().any(|known| known.as_bytes() == kind) {
            return Err(PublicKeyError::Unsupported);
        }
        let key = ssh_key::PublicKey::from_bytes(blob).map_err(|_| PublicKeyError::NoKey)?;
        // Numbers have one spelling: the crate is not strict about it.
        if key.to_bytes().ok().as_deref() != Some(blob) {
            return Err(PublicKeyError::NoKey);
        }
        Self::from_data(key.key_data().clone())
    }

    /// The key, if it is of a kind that can be verified.
    pub(super) fn from_data(data: KeyData) -> Result<Self, PublicKeyError> {
        match &data {
            KeyData::Ed25519(_) | KeyData::Rsa(_) => Ok(Self(data)),
            KeyData::SkEd25519(_) | KeyData::SkEcdsaSha2NistP256(_) => Ok(Self(data)),
            KeyData::Ecdsa(key) if key.curve() == EcdsaCurve::NistP256 => Ok(Self(data)),
            _ => Err(PublicKeyError::Unsupported),
        }
    }

    /// The name of its kind: `ssh-ed25519`.
    pub fn kind(&self) -> &'static str {
        match &self.0 {
            KeyData::Ed25519(_) => KINDS[0],
            KeyData::Ecdsa(_) => KINDS[1],
            KeyData::Rsa(_) => KINDS[2],
            KeyData::SkEd25519(_) => KINDS[3],
            _ => KINDS[4],
        }
    }

    /// `SHA256:` and the base64 of the digest, as `ssh-keygen -l` shows it.
    pub fn fingerprint(&self) -> String {
        self.0.fingerprint(HashAlg::Sha256).to_string()
    }

    /// True for a key whose private half never leaves a security key.
    pub fn is_on_hardware(&self) -> bool {
        matches!(self.0, KeyData::SkEd25519(_) | KeyData::SkEcdsaSha2NistP256(_))
    }
}

/// The kinds that can be verified.
const KINDS: [&str; 5] = [
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ssh-rsa",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
];

/// `TYPE BASE64`, which parses back.
impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The crate writes a supported key without a comment into memory: nothing can fail.
        let text = ssh_key::PublicKey::new(self.0.clone(), "").to_openssh().unwrap_or_default();
        f.write_str(text.trim_end())
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.fingerprint())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by ssh-keygen.
    const ED25519: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPqnFbGuaQdz7dTZyBEMdmZTX0tVAbMEsAD8E6tQjsNd";

    #[test]
    fn a_key_reads_back_without_its_comment() {
        let key = PublicKey::parse(&format!("{ED25519}  ana@example.org x")).unwrap();
        assert_eq!(key.to_string(), ED25519);
        assert_eq!(PublicKey::parse(&key.to_string()).unwrap(), key);
        assert!(key.fingerprint().starts_with("SHA256:"));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let body = ED25519.split(' ').nth(1).unwrap();
        for text in [
            "",
            "ssh-ed25519",
            "ssh-ed25519 AAAA",
            "ssh-ed25519 ????",
            &format!("ssh-rsa {body}"),
            &format!("ssh-ed2551 {body}"),
            &format!("ssh-ed25519 {}", &body[..body.len() - 4]),
            &format!("ssh-ed25519 {body}AAAA"),
        ] {
            assert_eq!(PublicKey::parse(text), Err(PublicKeyError::NoKey), "{text}");
        }
    }

    #[test]
    fn kinds_that_cannot_be_verified_are_told_apart() {
        let blob = |kind: &str| {
            let mut blob = (kind.len() as u32).to_be_bytes().to_vec();
            blob.extend_from_slice(kind.as_bytes());
            blob.extend_from_slice(&[0, 0, 0, 0]);
            format!("{kind} {}", STANDARD.encode(blob))
        };
        for kind in ["ssh-dss", "ssh-ed25519-cert-v01@openssh.com", "ssh-ed448", "ecdsa-sha2-nistp521"] {
            assert_eq!(PublicKey::parse(&blob(kind)), Err(PublicKeyError::Unsupported), "{kind}");
        }
    }
}
