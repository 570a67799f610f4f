//! A new key to sign with: Ed25519, in the files that `ssh-keygen` would write.

use rand::{CryptoRng, RngCore};
use ssh_key::private::{Ed25519Keypair, KeypairData};
use ssh_key::{LineEnding, PrivateKey};
use zeroize::Zeroizing;

use crate::domain::secret::SecretBytes;

/// A key pair.
#[derive(Debug)]
pub struct NewKey {
    /// The private half, as OpenSSH keeps it, without a passphrase.
    pub private: SecretBytes,
    /// The public half: `ssh-ed25519 AAAA…`.
    pub public: String,
}

/// Makes a key. `comment` names it to people; it is not secret.
///
/// # Errors
/// For a comment that cannot be one.
pub fn generate(rng: &mut (impl RngCore + CryptoRng + ?Sized), comment: &str) -> Option<NewKey> {
    let mut seed = Zeroizing::new([0; 32]);
    rng.fill_bytes(seed.as_mut_slice());
    let pair = KeypairData::Ed25519(Ed25519Keypair::from_seed(&seed));
    let key = PrivateKey::new(pair, comment).ok()?;
    let private = SecretBytes::new(key.to_openssh(LineEnding::LF).ok()?.as_bytes().to_vec());
    let public = ssh_key::PublicKey::new(key.public_key().key_data().clone(), "").to_openssh().ok()?;
    Some(NewKey { private, public })
}

#[cfg(test)]
mod tests {
    use super::generate;
    use crate::domain::agent::public_key::PublicKey;
    use crate::domain::agent::sshsig::{KeptKey, verify};

    #[test]
    fn a_new_key_signs() {
        let made = generate(&mut rand::rngs::OsRng, "ops/x").unwrap();
        let kept = KeptKey::parse(&made.private).unwrap();
        assert_eq!(kept.public().to_string(), made.public);
        let key = kept.unlock(&Vec::new().into()).unwrap();
        let signature = key.sign(b"text", "leaflock-manifest@v1").unwrap();
        let signer = verify(&signature, b"text", "leaflock-manifest@v1").unwrap();
        assert_eq!(signer, PublicKey::parse(&made.public).unwrap());
    }
}
