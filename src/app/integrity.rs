//! What is demanded of an encrypted file beside its MAC, and whether it holds: the
//! seal needs the data key, the signature does not.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::Deps;
use super::error::{Error, Place};
use super::leaflock_folders;
use super::repository::Snapshot;
use super::request::{Notice, OpenOptions, Strictness};
use super::signers::Verdict;
use crate::domain::crypto::data_key::DataKey;
use crate::domain::metadata::{Metadata, SEAL};
use crate::domain::seal::{SealError, Sealable, signature};
use crate::domain::search;
use crate::domain::settings::{Level, Settings};
use crate::domain::store::Store;
use crate::domain::tree::Tree;

/// Where the settings stand, in a folder at or above the file.
pub const PLACE: &str = ".leaflock/config.yaml";

/// The settings that were read so far, by folder.
#[derive(Debug, Default)]
pub struct Memory(Mutex<BTreeMap<PathBuf, Settings>>);

/// What the repository that `file` is in asks for; for standard input, the one
/// around the working folder.
pub fn settings(deps: &Deps<'_>, file: Option<&Path>) -> Result<Settings, Error> {
    let folder = match file.and_then(Path::parent) {
        Some(folder) => folder.to_owned(),
        None => deps.files.absolute(Path::new(".")).map_err(Error::Read)?,
    };
    let mut known = deps.settings.0.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(settings) = known.get(&folder) {
        return Ok(*settings);
    }
    let settings = search(deps, &folder)?;
    known.insert(folder, settings);
    Ok(settings)
}

/// The nearest file of settings, up to the top of the repository.
fn search(deps: &Deps<'_>, start: &Path) -> Result<Settings, Error> {
    for folder in leaflock_folders::above(deps, start)?.iter() {
        let path = folder.join(PLACE);
        if let Some(contents) = deps.files.read_if_there(&path).map_err(Error::Read)? {
            return Settings::parse(&contents.bytes).map_err(|error| Error::Config {
                place: Place::file(&path).at_line(error.line),
                hints: error.advice.map(str::to_owned).into_iter().collect(),
                cause: Box::new(error),
            });
        }
    }
    Ok(Settings::default())
}

/// An encrypted file that is looked at.
#[derive(Clone, Copy)]
pub struct Subject<'f, 's> {
    /// Where errors happened.
    pub place: &'f Place,
    /// The store that reads it.
    pub store: &'static dyn Store,
    /// The file.
    pub tree: &'f Tree<'s>,
    /// Its metadata.
    pub metadata: &'f Metadata,
}

impl Subject<'_, '_> {
    /// Calls `work` with all that a seal covers.
    fn sealable<T>(&self, work: impl FnOnce(&Sealable<'_, '_>) -> T) -> Result<T, Error> {
        let block = self.store.metadata(self.tree).ok().flatten();
        let metadata = block.ok_or_else(|| Error::NotEncrypted(self.place.clone()))?;
        Ok(work(&Sealable { store: self.store, tree: self.tree, metadata: &metadata }))
    }

    /// The level of each demand, from settings and command line.
    pub fn demand(&self, deps: &Deps<'_>, strictness: Strictness) -> Result<Settings, Error> {
        let Settings { seal, sign } = settings(deps, self.place.path.as_deref())?;
        Ok(match strictness {
            Strictness::AsConfigured => Settings { seal, sign },
            Strictness::Seal => Settings { seal: Level::Strict, sign },
            Strictness::Signature => Settings { seal: Level::Strict, sign: Level::Strict },
        })
    }

    /// Whose signature the file has; `None` without one.
    pub fn signature(&self, deps: &Deps<'_>) -> Result<Option<Verdict>, Error> {
        let Some(field) = &self.metadata.signature else { return Ok(None) };
        let Some(armoured) = signature::to_armour(field) else { return Ok(Some(Verdict::Bad)) };
        let message = self.message()?;
        let file = self.place.path.as_deref();
        let verdict = deps.signers.verify(file, message.as_bytes(), signature::NAMESPACE, &armoured);
        verdict.map(Some).map_err(|error| Error::Seal {
            place: self.place.clone(),
            hints: error.hint().map(str::to_owned).into_iter().collect(),
            cause: Box::new(error),
        })
    }

    /// Whether the seal holds; `None` without one.
    pub fn seal(&self, data_key: &DataKey) -> Result<Option<Result<(), SealError>>, Error> {
        let Some(seal) = &self.metadata.seal else { return Ok(None) };
        self.sealable(|file| file.verify(seal, data_key)).map(Some)
    }

    /// What is signed, for checks by hand.
    pub fn message(&self) -> Result<String, Error> {
        self.sealable(|file| file.message())
    }

    /// What can be told of seal and signature without a key of the file, and what is
    /// wrong with that by the settings and `strictness`.
    ///
    /// # Errors
    /// The settings cannot be read.
    pub fn standing(&self, deps: &Deps<'_>, strictness: Strictness) -> Result<Standing, Error> {
        let demand = self.demand(deps, strictness)?;
        let mut standing = Standing::default();
        match self.signature(deps) {
            Ok(verdict) => standing.signature = verdict,
            Err(error) => standing.unchecked = Some(error.to_string()),
        }
        match (&standing.signature, &standing.unchecked) {
            (Some(Verdict::Good(_)), _) => {}
            (None, _) if demand.sign != Level::Strict => {}
            (None, Some(why)) => standing.signature_fault = Some(why.clone()),
            (verdict, _) => standing.signature_fault = Some(told(verdict.as_ref())),
        }
        if self.metadata.seal.is_none() && demand.seal == Level::Strict {
            standing.seal_fault = Some(self.missing(deps));
        }
        Ok(standing)
    }

    /// Refuses a file whose seal does not hold, or that lacks what is demanded.
    /// Returns what the user should hear about.
    pub fn check(
        &self,
        deps: &Deps<'_>,
        data_key: &DataKey,
        options: &OpenOptions,
    ) -> Result<Vec<Notice>, Error> {
        if options.ignore_seal {
            return Ok(Vec::new());
        }
        let demand = self.demand(deps, options.strictness)?;
        if demand.sign == Level::Strict {
            self.check_signature(deps)?;
        }
        match (self.seal(data_key)?, demand.seal) {
            (Some(Ok(())), _) | (None, Level::Off) => Ok(Vec::new()),
            (None, Level::On) => Ok(vec![Notice::warning(self.missing(deps)).with_hint(RENEW)]),
            (None, Level::Strict) => {
                Err(self.refused(format!("{}, and it must have one", self.missing(deps))))
            }
            (Some(Err(error)), _) if options.ignore_mac && demand.seal != Level::Strict => {
                Ok(vec![Notice::warning(error.to_string()).with_hint(RENEW)])
            }
            (Some(Err(error)), _) => Err(self.refused(error.to_string())),
        }
    }

    fn check_signature(&self, deps: &Deps<'_>) -> Result<(), Error> {
        match self.signature(deps)? {
            Some(Verdict::Good(_)) => Ok(()),
            verdict => {
                Err(self.refused(format!("{}, and it must have one that counts", told(verdict.as_ref()))))
            }
        }
    }

    fn refused(&self, cause: String) -> Error {
        Error::Seal { place: self.place.clone(), cause: cause.into(), hints: vec![RENEW.to_owned()] }
    }

    /// That there is no seal, and how that came about as far as git knows.
    pub fn missing(&self, deps: &Deps<'_>) -> String {
        match self.was_sealed(deps) {
            true => "the file has no seal any more: sops, or another program that does not know seals, has \
                     rewritten it since the last commit"
                .to_owned(),
            false => "the file has no seal".to_owned(),
        }
    }

    /// True if the last commit has the file with a seal.
    fn was_sealed(&self, deps: &Deps<'_>) -> bool {
        let Some(path) = &self.place.path else { return false };
        let Some(folder) = path.parent() else { return false };
        let head = Snapshot::Revision("HEAD".to_owned());
        let Ok(Some(entries)) = deps.repository.listing(folder, &head, std::slice::from_ref(path)) else {
            return false;
        };
        let blobs: Vec<String> = entries.into_iter().map(|entry| entry.blob).collect();
        let mut sealed = false;
        let read = deps.repository.contents(folder, &blobs, &mut |_, bytes| {
            sealed |= search::memmem(SEAL.as_bytes(), &bytes).is_some();
        });
        read.is_ok() && sealed
    }
}

/// What can be told of a file without a key of it.
#[derive(Debug, Default)]
pub struct Standing {
    /// Whose signature there is.
    pub signature: Option<Verdict>,
    /// Why the signature could not be checked, if there is one.
    pub unchecked: Option<String>,
    /// A signature that does not fit or does not count, or none where one must be.
    pub signature_fault: Option<String>,
    /// No seal where one must be.
    pub seal_fault: Option<String>,
}

/// What to do about a seal that is gone or does not fit.
const RENEW: &str =
    "`leaflock seal FILE` shows what changed since the file was sealed, asks, and seals it again";

/// A verdict in words.
pub fn told(verdict: Option<&Verdict>) -> String {
    match verdict {
        None => "the file has no signature".to_owned(),
        Some(Verdict::Good(signer)) => format!("the file is signed by {signer}"),
        Some(Verdict::Unknown(Some(key))) => {
            format!("the file is signed by nobody on the list of allowed signers ({key})")
        }
        Some(Verdict::Unknown(None)) => {
            "the file is signed by nobody on the list of allowed signers".to_owned()
        }
        Some(Verdict::Bad) => {
            "the signature does not fit: the file was changed after it was signed".to_owned()
        }
    }
}
