//! The last step of every command that writes an encrypted file: bytes that are
//! complete but for their seal get it, and the signature over it.

use std::path::Path;

use super::Deps;
use super::error::{Error, Place};
use super::integrity;
use super::lock;
use super::open::{Locked, Unlocked};
use super::request::Notice;
use crate::domain::crypto::data_key::DataKey;
use crate::domain::metadata::{SEAL, SIGNATURE};
use crate::domain::scalar::Scalar;
use crate::domain::seal::{Sealable, signature};
use crate::domain::secret::SecretBytes;
use crate::domain::settings::Level;
use crate::domain::store::splice::apply;
use crate::domain::store::{Format, with_metadata_fields};
use crate::domain::value::{Entry, Value};

/// What a file gets, from less to more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wanted {
    /// Nothing.
    Nothing,
    /// A seal.
    Seal,
    /// A seal, and a signature if the user has chosen a key.
    SignedIfPossible,
    /// A seal and a signature.
    Signed,
}

impl Wanted {
    /// For a new file: what the settings say; `asked` is `--seal`.
    pub fn by_new(deps: &Deps<'_>, path: Option<&Path>, asked: bool) -> Result<Self, Error> {
        let settings = integrity::settings(deps, path)?;
        Ok(match asked || settings.seal != Level::Off || settings.sign != Level::Off {
            true if settings.sign == Level::Off => Self::Seal,
            true => Self::Signed,
            false => Self::Nothing,
        })
    }

    /// True if `file` has what is wanted already.
    pub fn is_had_by(self, file: &Locked<'_>) -> bool {
        match self {
            Self::Nothing => true,
            Self::Seal => file.metadata.seal.is_some(),
            Self::SignedIfPossible | Self::Signed => file.metadata.signature.is_some(),
        }
    }

    /// For the new state of a file: what the old one had. A file without a seal gets
    /// none on the side: that it lacks one is how a change by others is seen.
    pub fn by_old(deps: &Deps<'_>, old: &Locked<'_>) -> Result<Self, Error> {
        if old.metadata.seal.is_none() {
            return Ok(Self::Nothing);
        }
        let settings = integrity::settings(deps, old.place.path.as_deref())?;
        Ok(match (settings.sign, &old.metadata.signature) {
            (Level::Off, None) => Self::Seal,
            (Level::Off, Some(_)) => Self::SignedIfPossible,
            _ => Self::Signed,
        })
    }
}

/// A file that is whole but for its seal.
pub struct Unsealed<'f> {
    /// Its bytes; a seal in them is that of an older state.
    pub bytes: SecretBytes,
    /// Its format.
    pub format: Format,
    /// Where errors happened.
    pub place: &'f Place,
    /// Its data key.
    pub data_key: &'f DataKey,
}

impl<'f> Unsealed<'f> {
    /// The new state of `old` under the same data key.
    pub fn again(old: &'f Unlocked<'_>, bytes: SecretBytes) -> Self {
        let Locked { format, place, .. } = &old.locked;
        Self { bytes, format: *format, place, data_key: &old.data_key }
    }

    /// Adds what is `wanted`, and proves that the file is otherwise the same.
    pub fn finish(
        self,
        deps: &Deps<'_>,
        wanted: Wanted,
        notices: &mut Vec<Notice>,
    ) -> Result<SecretBytes, Error> {
        if wanted == Wanted::Nothing {
            return Ok(self.bytes);
        }
        let refuse = |cause: &str| lock::refusal(self.place, cause);
        let locked = Locked::parse(&self.bytes, self.format, self.place)
            .map_err(|_| refuse("it does not read back"))?;
        let mut block = block(&locked).ok_or_else(|| refuse("its metadata does not read back"))?;
        let seal = sealable(&locked, &block).seal(self.data_key);
        set(&mut block, SEAL, &seal);
        let signature = match wanted {
            Wanted::Nothing | Wanted::Seal => None,
            wanted => self.sign(deps, &sealable(&locked, &block).message(), wanted, notices)?,
        };
        let message = signature.as_ref().map(|_| sealable(&locked, &block).message());
        let bytes = with_metadata_fields(
            locked.store,
            &locked.tree,
            &[(SEAL, Some(&seal)), (SIGNATURE, signature.as_deref())],
        )
        .ok_or_else(|| refuse("a seal cannot be put into it"))?;
        let made =
            Locked::parse(&bytes, self.format, self.place).map_err(|_| refuse("it does not read back"))?;
        let is_same = plain_bytes(&made) == plain_bytes(&locked) && made.metadata.signature == signature;
        let made_block = self::block(&made).ok_or_else(|| refuse("its metadata does not read back"))?;
        let made = sealable(&made, &made_block);
        if !is_same
            || made.verify(&seal, self.data_key).is_err()
            || message.is_some_and(|it| made.message() != it)
        {
            return Err(refuse("its seal would not hold"));
        }
        Ok(bytes)
    }

    fn sign(
        &self,
        deps: &Deps<'_>,
        message: &str,
        wanted: Wanted,
        notices: &mut Vec<Notice>,
    ) -> Result<Option<String>, Error> {
        const CHOOSE: &str = "LEAFLOCK_SIGNING_KEY, or git's user.signingKey with gpg.format ssh, names it";
        let failed = |cause: String, hint: Option<&str>| Error::Other {
            place: self.place.clone(),
            cause: format!("the file cannot be signed, so nothing was written: {cause}").into(),
            hints: hint.map(str::to_owned).into_iter().collect(),
        };
        let signed = deps
            .signers
            .sign(None, message.as_bytes(), signature::NAMESPACE)
            .map_err(|error| failed(error.to_string(), error.hint()))?;
        match signed.as_deref().map(signature::to_field) {
            Some(Some(field)) => Ok(Some(field)),
            Some(None) => Err(failed("there came no signature".to_owned(), None)),
            None if wanted == Wanted::Signed => {
                Err(failed("no key to sign with is chosen".to_owned(), Some(CHOOSE)))
            }
            None => {
                let text = "the file was signed and is not any more: no key to sign with is chosen";
                notices.push(Notice::warning(text).with_hint(CHOOSE));
                Ok(None)
            }
        }
    }
}

fn block(locked: &Locked<'_>) -> Option<Value> {
    locked.store.metadata(&locked.tree).ok().flatten()
}

fn sealable<'f, 's>(locked: &'f Locked<'s>, block: &'f Value) -> Sealable<'f, 's> {
    Sealable { store: locked.store, tree: &locked.tree, metadata: block }
}

/// Sets a text field of the metadata.
fn set(block: &mut Value, name: &str, text: &str) {
    let Value::Map(entries) = block else { return };
    entries.retain(|entry| entry.pair().is_none_or(|(key, _)| key != name));
    entries.push(Entry::Pair(name.to_owned(), Value::Scalar(Scalar::Str(text.as_bytes().to_vec().into()))));
}

/// The file without its metadata.
fn plain_bytes(locked: &Locked<'_>) -> SecretBytes {
    SecretBytes::new(apply(locked.tree.source, locked.store.detach(&locked.tree)))
}
