//! The user's signing key, for everything that is signed on command.

use std::path::Path;

use crate::app::Deps;
use crate::app::error::{Error, Place};
use crate::app::signers::SignerError;
use crate::domain::agent::allowed_signers::AllowedSigners;
use crate::domain::agent::denial::DenyCode;
use crate::domain::agent::policy::Policy;
use crate::domain::agent::public_key::PublicKey;

/// A key to sign with.
#[derive(Clone, Debug)]
pub struct Key {
    /// Its public half.
    pub public: PublicKey,
    chosen: Option<String>,
}

impl Key {
    /// The key at the path `chosen`, else the user's own. Nobody is asked anything yet.
    ///
    /// # Errors
    /// [`Error::NoIdentity`] if there is none, or it cannot be used.
    pub fn of(deps: &Deps<'_>, chosen: Option<&str>) -> Result<Self, Error> {
        let public = deps.signers.public_key(chosen).map_err(unusable)?;
        let public = public.ok_or_else(|| Error::NoIdentity {
            cause: "no key to sign with is chosen".into(),
            hints: vec![
                "--signing-key or LEAFLOCK_SIGNING_KEY names an SSH key, or git's user.signingKey with \
                 gpg.format ssh; `ssh-keygen -t ed25519 -f FILE` makes one"
                    .to_owned(),
            ],
        })?;
        Ok(Self { public, chosen: chosen.map(str::to_owned) })
    }

    /// How it was chosen: a path, or none for the user's own.
    pub fn chosen(&self) -> Option<&str> {
        self.chosen.as_deref()
    }

    /// Refuses a key whose signatures in `namespace` would not count; `what` is what it
    /// is to sign.
    ///
    /// # Errors
    /// [`Error::Denied`] with [`DenyCode::NotAllowed`].
    pub fn demand(
        &self,
        deps: &Deps<'_>,
        (policy, signers): (&Policy, &AllowedSigners),
        (namespace, what): (&str, &str),
    ) -> Result<(), Error> {
        let may = policy.signer(&self.public, (signers, namespace), &deps.clock.now());
        may.map(drop).map_err(|why| Error::Denied {
            code: DenyCode::NotAllowed,
            message: format!("{} may not sign {what}: {why}", self.public.fingerprint()),
            hints: vec![why.hint().to_owned()],
        })
    }

    /// The armoured signature of `message`.
    pub fn sign(&self, deps: &Deps<'_>, message: &[u8], namespace: &str) -> Result<String, Error> {
        let signed = deps.signers.sign(self.chosen.as_deref(), message, namespace).map_err(unusable)?;
        signed.ok_or_else(|| Error::NoIdentity {
            cause: "the key to sign with is gone".into(),
            hints: Vec::new(),
        })
    }
}

fn unusable(error: SignerError) -> Error {
    let hints = error.hint().map(str::to_owned).into_iter().collect();
    Error::NoIdentity { cause: error.into(), hints }
}

/// That a file is there already which would have to be made.
pub fn exists(path: &Path, hint: &str) -> Error {
    Error::Other {
        place: Place::file(path),
        cause: "the file is there already".into(),
        hints: vec![hint.to_owned()],
    }
}
