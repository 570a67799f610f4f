//! Signatures in OpenSSH's format, as the use cases see them: who signs, and whose
//! signatures count, is said outside of the repository.

use std::path::{Path, PathBuf};

use crate::domain::agent::public_key::PublicKey;

/// Makes and checks signatures.
///
/// Where a key is `chosen`, it is named by the path of its file, private or public;
/// `None` is the key that environment or git name as the user's.
pub trait Signers: Sync {
    /// The public half of the key; `None` if no key was chosen. Nobody is asked anything.
    fn public_key(&self, chosen: Option<&str>) -> Result<Option<PublicKey>, SignerError>;

    /// The armoured signature of `message` by the key; `None` if no key was chosen.
    /// A passphrase is asked for once; then the key is in memory while this lives.
    fn sign(
        &self,
        chosen: Option<&str>,
        message: &[u8],
        namespace: &str,
    ) -> Result<Option<String>, SignerError>;

    /// Whose signature of `file` `armoured` is.
    ///
    /// # Errors
    /// [`SignerError::NoList`] where nobody said whose signatures count.
    fn verify(
        &self,
        file: Option<&Path>,
        message: &[u8],
        namespace: &str,
        armoured: &str,
    ) -> Result<Verdict, SignerError>;
}

/// What became of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is by this signer of the list.
    Good(String),
    /// Nobody on the list has made it, or may make it: the key, if it could be told.
    Unknown(Option<String>),
    /// It is of something else.
    Bad,
}

/// Why no signature could be made or checked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignerError {
    /// Nobody said whose signatures count.
    #[error("no list of allowed signers is set, so nobody's signature counts")]
    NoList,
    /// The list is a part of what it is to protect.
    #[error(
        "the list of allowed signers is in the repository ({}): whoever can push could add himself",
        .0.display()
    )]
    ListInside(PathBuf),
    /// The list cannot be read.
    #[error("the list of allowed signers cannot be read ({})", .0.display())]
    Unreadable(PathBuf),
    /// The key to sign with cannot be used.
    #[error("the signing key ({place}) cannot be used: {reason}")]
    Key {
        /// Where it is: a path, or a variable.
        place: String,
        /// What is wrong.
        reason: String,
        /// What to do.
        hint: Option<&'static str>,
    },
    /// There is no `ssh-keygen`, or it failed.
    #[error("ssh-keygen: {0}")]
    Program(String),
}

impl SignerError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoList | Self::ListInside(_) | Self::Unreadable(_) => Some(
                "LEAFLOCK_ALLOWED_SIGNERS, or `git config --global gpg.ssh.allowedSignersFile`, \
                 names a file outside of the repository; its lines: NAME KEY-TYPE KEY",
            ),
            Self::Key { hint, .. } => *hint,
            Self::Program(_) => Some("signatures need OpenSSH 8.2 or later"),
        }
    }
}
