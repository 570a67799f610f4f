//! What `edit`, `set` and `unset` share: an encrypted file becomes plain text,
//! the text changes, and the file is locked again around it.

use std::path::Path;

use super::Deps;
use super::agent::listed;
use super::audit::log::Held;
use super::derived::put::{self, NewState};
use super::error::{Error, Place, While};
use super::lock::{self, Expected, LockedFile, Plain};
use super::open::{self, Input, Locked, Unlocked};
use super::ports::Durability;
use super::replace::{self, Replaced};
use super::request::{FileOptions, Notice, OpenOptions, Source};
use super::sealing::{Unsealed, Wanted};
use crate::domain::document::change::{self, Change};
use crate::domain::document::open::Extras;
use crate::domain::document::reuse::Ciphertexts;
use crate::domain::index::Component;
use crate::domain::scalar::Scalar;
use crate::domain::secret::{SecretBytes, Text};
use crate::domain::store::{Format, Layout, Store};
use crate::domain::tree::{NodeId, Tree};

/// [`put::turn_of_file`] for a file as it was named.
pub fn turn(deps: &Deps<'_>, path: &Path) -> Result<Option<Box<dyn Held>>, Error> {
    put::turn_of_file(deps, &deps.files.absolute(path).map_err(Error::Read)?)
}

/// Reads an existing encrypted file. A missing one ends in exit 2, as it does
/// for SOPS's `set` and `unset`.
pub fn read(deps: &Deps<'_>, path: &Path, options: &FileOptions) -> Result<Input, Error> {
    match open::read_input(deps, &Source::File(path.to_owned()), options) {
        Err(Error::NoSuchFile(path)) => match deps.files.read(&path) {
            Err(error) => Err(Error::Read(error)),
            Ok(_) => Err(Error::NoSuchFile(path)),
        },
        input => input,
    }
}

/// Parses and unlocks `input`.
pub fn unlock<'i>(
    deps: &Deps<'_>,
    input: &'i Input,
    options: &FileOptions,
    keys: &OpenOptions,
) -> Result<Unlocked<'i>, Error> {
    let format = options.input_format.unwrap_or_else(|| input.format());
    Locked::parse(&input.bytes, format, &input.place())
        .map_err(|error| listed::unreadable(deps, input.path.as_deref(), &input.bytes, error))?
        .unlock(deps, keys)
}

/// A file's plain text, its ciphertexts to be used again, and what was noticed.
pub struct Opened {
    /// The plain text in the file's own layout; with the metadata if asked for.
    pub plain: SecretBytes,
    /// The tokens.
    pub known: Ciphertexts,
    /// What the user should hear about.
    pub notices: Vec<Notice>,
}

/// Decrypts `file` for a change.
pub fn open(file: &Unlocked<'_>, keys: &OpenOptions, with_metadata: bool) -> Result<Opened, Error> {
    let locked = &file.locked;
    if locked.format == Format::Binary {
        return open_binary(file, keys);
    }
    let mut known = Ciphertexts::default();
    let extras = Extras {
        spellings: locked.spellings(&file.cipher),
        keep_spellings: locked.metadata.keeps_spellings(),
        hoist: false,
        recorder: Some(&mut known),
    };
    let detach = if with_metadata { Vec::new() } else { locked.store.detach(&locked.tree) };
    let mut plain = open::plain_buffer(locked, &detach);
    let findings =
        file.file().write_plain(extras, detach, &mut plain).map_err(|error| file.tree_error(error))?;
    if !keys.ignore_mac {
        locked.check_mac(&file.cipher, &findings.mac)?;
    }
    let found = findings.notices.iter().map(|it| open::notice(&locked.place, it));
    let notices = file.notices.iter().cloned().chain(found).collect();
    Ok(Opened { plain, known, notices })
}

/// The bytes of a binary file.
fn open_binary(file: &Unlocked<'_>, keys: &OpenOptions) -> Result<Opened, Error> {
    if let Some((plain, mac)) = file.binary() {
        if !keys.ignore_mac {
            file.locked.check_mac(&file.cipher, &mac)?;
        }
        return Ok(Opened { plain, known: Ciphertexts::default(), notices: file.notices.clone() });
    }
    let (mut documents, findings) = file.file().to_values().map_err(|error| file.tree_error(error))?;
    if !keys.ignore_mac {
        file.locked.check_mac(&file.cipher, &findings.mac)?;
    }
    let emitted = Format::Binary.store().emit(&documents, Layout::default());
    documents.clear();
    let place = file.locked.place.clone();
    let plain = emitted.map_err(|error| Error::Emit { place, during: While::Decrypting, error })?;
    let notices = file.notices.clone();
    Ok(Opened { plain: SecretBytes::new(plain), known: Ciphertexts::default(), notices })
}

/// A plain tree with one change.
pub fn changed(
    store: &'static dyn Store,
    tree: &Tree<'_>,
    id: NodeId,
    change: Change<'_>,
    place: &Place,
) -> Result<SecretBytes, Error> {
    change::changed(store, tree, id, change).map_err(|error| Error::Emit {
        place: place.clone(),
        during: While::Encrypting,
        error,
    })
}

/// A plain text read as it stands; in a dotenv file, values may span lines.
pub fn parse_plain<'p>(plain: &'p [u8], format: Format, place: &Place) -> Result<Tree<'p>, Error> {
    format
        .store()
        .read(plain, change::purpose(format))
        .map_err(|error| open::read_error(error, place, While::Encrypting))
}

/// Locks `plain`, the new state of `file`, proves it, and replaces the file.
pub fn save(
    deps: &Deps<'_>,
    input: &Input,
    file: &Unlocked<'_>,
    plain: &[u8],
    known: Ciphertexts,
) -> Result<Vec<Notice>, Error> {
    let Locked { place, format, .. } = &file.locked;
    if *format == Format::Binary {
        return save_binary(deps, input, file, plain);
    }
    let LockedFile { bytes, notices, .. } = lock(deps, file, plain, known, place)?;
    let mut notices: Vec<Notice> = notices.iter().map(|it| open::notice(place, it)).collect();
    notices.extend(write(deps, input, file, bytes, &mut |_| Ok(()))?);
    Ok(notices)
}

/// Locks `plain`, the new state of `file` at `place`, and proves it. For binary files
/// see [`replace::leaf`].
pub fn lock(
    deps: &Deps<'_>,
    file: &Unlocked<'_>,
    plain: &[u8],
    known: Ciphertexts,
    place: &Place,
) -> Result<LockedFile, Error> {
    let format = file.locked.format;
    let locked = lock::lock_again(deps, file, Plain::parse(plain, format, place)?, known)?;
    lock::proven(deps, locked, Expected { format, cipher: &file.cipher, plain, place, hoist: false })
}

/// A binary file has one leaf, and is written in JSON.
fn save_binary(
    deps: &Deps<'_>,
    input: &Input,
    file: &Unlocked<'_>,
    plain: &[u8],
) -> Result<Vec<Notice>, Error> {
    let data = [Component::Key("data".to_owned())];
    match replace::leaf(deps, file, &data, &Scalar::Str(Text::Borrowed(plain)), true)? {
        Replaced::File(bytes, proof) => write(deps, input, file, bytes, &mut |new| proof.of(file, new)),
        Replaced::Unchanged => Ok(Vec::new()),
        Replaced::Elsewhere => Err(Error::Other {
            place: file.locked.place.clone(),
            cause: "a binary file cannot become empty, or be filled again, in place".into(),
            hints: vec!["encrypt the new file instead: `leaflock encrypt -i FILE`".to_owned()],
        }),
    }
}

/// Replaces the input file by `bytes`, the new state of `file`, sealed if `file` was,
/// unless `prove` has something against them; with what is made from it. Returns what the user should hear about.
pub fn write(
    deps: &Deps<'_>,
    input: &Input,
    file: &Unlocked<'_>,
    mut bytes: SecretBytes,
    prove: &mut (dyn FnMut(&[u8]) -> Result<(), Error> + Send),
) -> Result<Vec<Notice>, Error> {
    let mut notices = Vec::new();
    let wanted = Wanted::by_old(deps, &file.locked)?;
    let is_sealed = wanted != Wanted::Nothing;
    if is_sealed {
        prove(&bytes)?;
        bytes = Unsealed::again(file, bytes).finish(deps, wanted, &mut notices)?;
    }
    let Some(path) = &input.path else { return Ok(notices) };
    if put::governing(deps, path)?.is_some() {
        prove(&bytes)?;
        let new = NewState { path, bytes: &bytes, data_key: Some(&file.data_key), seen: input.seen };
        notices.extend(put::source(deps, &new)?.unwrap_or_default());
        return Ok(notices);
    }
    let mut proven = Ok(());
    let mut proof = || {
        if !is_sealed {
            proven = prove(&bytes);
        }
        proven.is_ok()
    };
    let written = deps.files.replace_proven(path, &bytes, input.seen, Durability::Power, &mut proof);
    proven.and(written.map_err(|error| Error::Write { in_place: true, error }))?;
    bytes.release();
    Ok(notices)
}
