//! Key sources: one file per kind of master key, each keeping the contract of
//! [`crate::domain::keys`].

pub mod age;
mod age_blob;
mod age_hybrid;
pub mod age_identity;
mod age_parse;
mod age_plugin;
mod low_order;
pub mod pgp;
mod plugin_round;

use std::sync::OnceLock;

use crate::app::ports::{Asking, Files, Keys, NewIdentity, Others, Prompt};
use crate::domain::keys::kinds::KeyKind;
use crate::domain::keys::names::same_key;
use crate::domain::keys::report::Tried;
use crate::domain::keys::sources::{AgeEnvironment, PgpEnvironment};
use crate::domain::keys::survey::{Gnupg, Opener, Survey};
use crate::domain::keys::{KeyError, Refusal, WrappedKey};
use crate::domain::secret::SecretBytes;
use age_identity::Identities;

/// The key sources of this machine.
pub struct KeySources<'e> {
    identities: Identities<'e>,
    pgp: PgpEnvironment,
    agent: pgp::Agent,
    secret_keys: OnceLock<Result<Vec<String>, String>>,
}

impl KeySources<'_> {
    /// The secret keys that gpg lists; it is run once.
    fn secret_keys(&self) -> &Result<Vec<String>, String> {
        self.secret_keys.get_or_init(|| pgp::secret_keys(&self.pgp))
    }
}

impl<'e> KeySources<'e> {
    /// Sources as the environment names them. Nothing is read or run yet.
    pub fn new(
        age: AgeEnvironment,
        pgp: PgpEnvironment,
        files: &'e dyn Files,
        prompt: &'e dyn Prompt,
    ) -> Self {
        Self {
            identities: Identities::new(age, files, prompt),
            pgp,
            agent: pgp::Agent::default(),
            secret_keys: OnceLock::new(),
        }
    }
}

/// What is said of kinds that nothing here can use.
fn not_yet(kind: KeyKind) -> String {
    format!("{} keys are not in this build yet", kind.title())
}

impl Keys for KeySources<'_> {
    fn wrap(&self, kind: KeyKind, keys: &[String], secret: &[u8]) -> Result<Vec<String>, KeyError> {
        match kind {
            KeyKind::Age => age::wrap(keys, secret, self.identities.plugins()),
            KeyKind::Pgp => pgp::wrap(keys, secret, &self.pgp),
            _ => match keys.first() {
                Some(key) => Err(KeyError::Refused { key: key.clone(), reason: not_yet(kind) }),
                None => Ok(Vec::new()),
            },
        }
    }

    fn unwrap(
        &self,
        kind: KeyKind,
        keys: &[WrappedKey<'_>],
        others: &Others<'_>,
        asking: Asking,
    ) -> Result<SecretBytes, Vec<Refusal>> {
        match kind {
            KeyKind::Age => age::unwrap(keys, &self.identities, others, asking),
            KeyKind::Pgp => pgp::unwrap(keys, &self.pgp, &self.agent, asking),
            _ => {
                let refusal = |key: &WrappedKey<'_>| Refusal {
                    key: key.recipient.to_owned(),
                    reasons: vec![not_yet(kind)],
                    problem: Some(not_yet(kind)),
                };
                Err(keys.iter().map(refusal).collect())
            }
        }
    }

    fn tried(&self) -> Vec<Tried> {
        self.identities.tried()
    }

    fn survey(&self, pgp: bool) -> Survey {
        let gpg = pgp.then(|| Gnupg {
            program: self.pgp.program().to_string_lossy().into_owned(),
            keys: self.secret_keys().clone(),
        });
        Survey { gpg, ..self.identities.survey() }
    }

    fn opener(&self, kind: KeyKind, key: &str) -> Option<Opener> {
        match kind {
            KeyKind::Age => self.identities.opener(key),
            KeyKind::Pgp => {
                let has =
                    self.secret_keys().as_ref().is_ok_and(|keys| keys.iter().any(|own| same_key(own, key)));
                has.then(|| Opener {
                    location: self.pgp.program().to_string_lossy().into_owned(),
                    certain: true,
                    needs: None,
                })
            }
            _ => None,
        }
    }

    fn recipients_of(&self, identity_file: &[u8]) -> Vec<String> {
        age::recipients_of(identity_file)
    }

    fn generate(&self, created: &str) -> NewIdentity {
        let age::Generated { file, recipient } = age::generate(created);
        NewIdentity { file, recipient }
    }
}
