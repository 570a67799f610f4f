//! Key sources: one file per kind of master key, each keeping the contract of
//! [`crate::domain::keys`].

pub mod age;
pub mod age_identity;
mod age_parse;

use crate::app::ports::{Files, Keys, NewIdentity, Prompt};
use crate::domain::keys::report::Tried;
use crate::domain::keys::sources::AgeEnvironment;
use crate::domain::keys::{KeyError, Refusal, WrappedKey};
use crate::domain::secret::SecretBytes;
use age_identity::Identities;

/// The key sources of this machine.
pub struct KeySources<'e> {
    identities: Identities<'e>,
}

impl<'e> KeySources<'e> {
    /// Sources as the environment names them. Nothing is read yet.
    pub fn new(env: AgeEnvironment, files: &'e dyn Files, prompt: &'e dyn Prompt) -> Self {
        Self { identities: Identities::new(env, files, prompt) }
    }
}

impl Keys for KeySources<'_> {
    fn wrap(&self, recipients: &[String], secret: &[u8]) -> Result<Vec<String>, KeyError> {
        age::wrap(recipients, secret)
    }

    fn unwrap(&self, keys: &[WrappedKey<'_>]) -> Result<SecretBytes, Vec<Refusal>> {
        age::unwrap(keys, &self.identities)
    }

    fn tried(&self) -> Vec<Tried> {
        self.identities.tried()
    }

    fn recipients_of(&self, identity_file: &[u8]) -> Vec<String> {
        age::recipients_of(identity_file)
    }

    fn generate(&self, created: &str) -> NewIdentity {
        let age::Generated { file, recipient } = age::generate(created);
        NewIdentity { file, recipient }
    }
}
