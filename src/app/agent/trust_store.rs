//! What this user trusts and this machine has seen, as the use cases see it.

use std::path::PathBuf;

use crate::domain::agent::trust::{Marks, Pins};

/// Why neither can be told or changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// No home folder, and no variable that names one.
    #[error("there is no home folder to keep in it what is trusted")]
    NoPlace,
    /// The file cannot be read, or is not what was written.
    #[error("what is trusted cannot be read ({}): {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The file cannot be written.
    #[error("what is trusted cannot be written ({}): {reason}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The digests of the environment are none.
    #[error("LEAFLOCK_TRUST is no list of digests")]
    Variable,
}

impl TrustError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoPlace => "set HOME, or XDG_CONFIG_HOME and XDG_STATE_HOME, or in CI LEAFLOCK_TRUST",
            Self::Unreadable { .. } => {
                "an unreadable file is never taken for an empty one; restore it, or delete it and trust \
                 the repositories again with `leaflock trust add`"
            }
            Self::Unwritable { .. } => {
                "without it an older policy would not be recognised; in CI, LEAFLOCK_TRUST does without"
            }
            Self::Variable => {
                "it holds digests as `leaflock trust list` shows them, with commas between: sha256:HEX"
            }
        }
    }
}

/// Pins and marks, both outside of every repository. A file that is not there is empty.
pub trait TrustStore: Sync {
    /// The digests that the environment trusts for this call.
    fn announced(&self) -> Result<Vec<String>, TrustError>;

    /// The lists of signers that are pinned.
    fn pins(&self) -> Result<Pins, TrustError>;

    /// How far repositories were.
    fn marks(&self) -> Result<Marks, TrustError>;

    /// Changes the pins; nobody else does so at the same time.
    fn change_pins(&self, change: &mut dyn FnMut(&mut Pins)) -> Result<(), TrustError>;

    /// Changes the marks; nobody else does so at the same time.
    fn change_marks(&self, change: &mut dyn FnMut(&mut Marks)) -> Result<(), TrustError>;
}
