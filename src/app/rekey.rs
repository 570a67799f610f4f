//! New keys for an encrypted file: what is to change is told first, then the file
//! is written anew. Where nobody loses anything, only its metadata changes; a new
//! data key means new ciphertext, under fresh nonces, for everything.

use std::path::PathBuf;

use super::Deps;
use super::binary;
use super::change;
use super::encrypt;
use super::error::{Error, Place, While};
use super::lock::{self, Expected, LockedFile, Plain};
use super::open::{self, Input, Locked, Unlocked};
use super::ports::{FileError, FileErrorKind, Fingerprint};
use super::request::{FileOptions, Notice, OpenOptions, Source};
use super::sealing::{Unsealed, Wanted};
use super::wrap;
use crate::domain::agent::audit::entry::Action;
use crate::domain::crypto::cipher::Cipher;
use crate::domain::crypto::data_key::DataKey;
use crate::domain::document;
use crate::domain::document::lock::PlainFile;
use crate::domain::keys::access::AccessChange;
use crate::domain::keys::kinds::{KeyKind, KeySpec};
use crate::domain::keys::split_recipients;
use crate::domain::metadata::{MasterKey, Metadata};
use crate::domain::secret::SecretBytes;
use crate::domain::select::Stage;
use crate::domain::store::splice::apply;
use crate::domain::store::{Format, Purpose, Store};

/// What becomes of one file's keys. Made without a key, so that it can be shown
/// before anything is asked for.
#[derive(Clone, Debug)]
pub struct KeyPlan {
    /// The file, absolute.
    pub path: PathBuf,
    /// Its state when the plan was made.
    pub seen: Option<Fingerprint>,
    /// Who comes and goes.
    pub access: AccessChange,
    /// The keys of the new state.
    pub groups: Vec<Vec<MasterKey>>,
    /// Its threshold.
    pub threshold: Option<usize>,
    /// Whether everything gets a new data key.
    pub new_data_key: bool,
    /// Whether the MAC must fit.
    pub check_mac: bool,
    /// The format of the new state, if it is not the file's own.
    pub output_format: Option<Format>,
}

impl KeyPlan {
    /// A plan for `input`, from the keys that it has to `groups`.
    pub fn new(
        input: &Input,
        metadata: &Metadata,
        groups: Vec<Vec<MasterKey>>,
        threshold: Option<usize>,
    ) -> Self {
        let names = |groups: &[Vec<MasterKey>]| -> Vec<Vec<KeySpec>> {
            groups.iter().map(|group| group.iter().map(MasterKey::spec).collect()).collect()
        };
        let thresholds = [metadata.shamir_threshold, threshold];
        Self {
            path: input.path.clone().unwrap_or_default(),
            seen: input.seen,
            access: AccessChange::between(&names(&metadata.groups), &names(&groups), thresholds),
            groups,
            threshold,
            new_data_key: false,
            check_mac: true,
            output_format: None,
        }
    }

    /// False when the file is as it should be.
    pub fn is_change(&self) -> bool {
        self.new_data_key || self.access.is_change()
    }
}

/// Reads a file for a plan. SOPS words a missing file as one that cannot be read.
pub fn read(deps: &Deps<'_>, path: &std::path::Path, options: &FileOptions) -> Result<Input, Error> {
    change::read(deps, path, options)
}

/// The keys that comma lists on the command line name.
///
/// # Errors
/// The first that is no key.
pub fn named_keys(
    lists: &[(KeyKind, String)],
    context: &[(String, String)],
    profile: &str,
) -> Result<Vec<KeySpec>, Error> {
    let refused = |cause: String| Error::Recipients { cause: cause.into(), hints: Vec::new() };
    let mut keys = Vec::with_capacity(lists.len());
    for (kind, list) in lists {
        if *kind == KeyKind::Age {
            split_recipients(list).map_err(|error| refused(error.to_string()))?;
        }
        let parsed = KeySpec::parse_list(*kind, list).map_err(|error| refused(error.to_string()))?;
        keys.extend(parsed.into_iter().map(|key| match kind {
            KeyKind::Kms => KeySpec::kms(key.text("arn"), key.text("role"), context, profile),
            _ => key,
        }));
    }
    Ok(keys)
}

/// A file in its new state, which was proven to decrypt.
pub struct Rewritten {
    /// Its old state.
    pub input: Input,
    /// The new bytes.
    pub bytes: SecretBytes,
    /// What the user should hear about.
    pub notices: Vec<Notice>,
    /// Their data key.
    pub data_key: DataKey,
}

/// The file of `plan` in its new state.
pub fn rewrite(
    deps: &Deps<'_>,
    plan: &KeyPlan,
    file: &FileOptions,
    keys: &OpenOptions,
) -> Result<Rewritten, Error> {
    let input = open::read_input(deps, &Source::File(plan.path.clone()), file)?;
    if input.seen != plan.seen {
        let reason = "the file changed since it was read".to_owned();
        let error =
            FileError { action: "replace", path: plan.path.clone(), kind: FileErrorKind::Changed, reason };
        return Err(Error::Write { in_place: true, error });
    }
    let format = file.input_format.unwrap_or_else(|| input.format());
    let action = if plan.new_data_key { Action::Rotate } else { Action::Updatekeys };
    let keys = if keys.intent.action == Action::Decrypt { &keys.to(action) } else { keys };
    let unlocked = Locked::parse(&input.bytes, format, &input.place())?.unlock(deps, keys)?;
    let mut notices = unlocked.notices.clone();
    let wanted = Wanted::by_old(deps, &unlocked.locked)?;
    let mut made = None;
    let bytes = match plan.new_data_key || plan.output_format.is_some_and(|wanted| wanted != format) {
        true => {
            let data_key = DataKey::generate(&mut *deps.random.rng());
            let bytes = relocked(deps, &unlocked, plan, &data_key, keys, &mut notices)?;
            made = Some(data_key.clone());
            let (format, place) = (plan.output_format.unwrap_or(format), &unlocked.locked.place);
            Unsealed { bytes, format, place, data_key: &data_key }.finish(deps, wanted, &mut notices)?
        }
        false => {
            let bytes = with_other_keys(deps, &unlocked, plan)?;
            Unsealed::again(&unlocked, bytes).finish(deps, wanted, &mut notices)?
        }
    };
    let data_key = made.unwrap_or_else(|| unlocked.data_key.clone());
    drop(unlocked);
    Ok(Rewritten { input, bytes, notices, data_key })
}

/// The metadata with the keys of `plan`, `data_key` wrapped for them.
fn metadata(
    deps: &Deps<'_>,
    file: &Unlocked<'_>,
    plan: &KeyPlan,
    data_key: &DataKey,
) -> Result<Metadata, Error> {
    let locked = &file.locked;
    let mut metadata = locked.metadata.clone();
    metadata.former = locked.store.metadata(&locked.tree).ok().flatten();
    let one_group = plan.groups.len() == 1 && locked.metadata.groups.len() == 1;
    metadata.groups = if one_group && !plan.new_data_key {
        vec![with_kept(deps, &locked.metadata.groups[0], &plan.groups[0], data_key)?]
    } else {
        wrap::groups(deps, plan.groups.clone(), plan.threshold, data_key)?
    };
    metadata.shamir_threshold = match plan.groups.len() {
        0 | 1 => plan.threshold,
        count => plan.threshold.or(Some(count)),
    };
    Ok(metadata)
}

/// One group under the same data key: what is wrapped already stays as it is, so
/// that a key nobody here can use does no harm.
fn with_kept(
    deps: &Deps<'_>,
    old: &[MasterKey],
    new: &[MasterKey],
    data_key: &DataKey,
) -> Result<Vec<MasterKey>, Error> {
    let known = |key: &MasterKey| {
        old.iter().find(|had| had.kind == key.kind && had.spec().identity() == key.spec().identity())
    };
    let added: Vec<MasterKey> = new.iter().filter(|key| known(key).is_none()).cloned().collect();
    let mut added = match added.is_empty() {
        true => Vec::new(),
        false => wrap::groups(deps, vec![added], None, data_key)?.pop().unwrap_or_default(),
    };
    Ok(new.iter().filter_map(|key| known(key).cloned().or_else(|| take(&mut added, key))).collect())
}

/// Takes `key` out of `wrapped`.
fn take(wrapped: &mut Vec<MasterKey>, key: &MasterKey) -> Option<MasterKey> {
    let at = wrapped
        .iter()
        .position(|made| made.kind == key.kind && made.spec().identity() == key.spec().identity())?;
    Some(wrapped.remove(at))
}

/// The same values under the same data key, for other keys: every byte outside the
/// metadata stays.
fn with_other_keys(deps: &Deps<'_>, file: &Unlocked<'_>, plan: &KeyPlan) -> Result<SecretBytes, Error> {
    let locked = &file.locked;
    let store = locked.store;
    let metadata = metadata(deps, file, plan, &file.data_key)?;
    let body = SecretBytes::new(apply(locked.tree.source, store.detach(&locked.tree)));
    let tree = parse(store, &body, &locked.place)?;
    let bytes = SecretBytes::new(apply(&body, store.attach(&tree, &metadata.to_value())));
    let refuse = |cause: String| lock::refusal(&locked.place, &cause);
    let made =
        Locked::parse(&bytes, locked.format, &locked.place).map_err(|error| refuse(error.to_string()))?;
    let same_body = apply(made.tree.source, store.detach(&made.tree)) == *body;
    let same_groups = |one: &[Vec<MasterKey>], other: &[Vec<MasterKey>]| {
        one.len() == other.len()
            && one.iter().zip(other).all(|(one, other)| {
                one.len() == other.len() && one.iter().all(|key| other.iter().any(|it| it.equals(key)))
            })
    };
    let same_keys = same_groups(&made.metadata.groups, &metadata.groups)
        && made.metadata.shamir_threshold == metadata.shamir_threshold;
    let same_mac = (&made.metadata.mac, &made.metadata.last_modified, &made.metadata.source)
        == (&metadata.mac, &metadata.last_modified, &metadata.source);
    match same_body && same_keys && same_mac {
        true => Ok(bytes),
        false => Err(refuse("its metadata reads back otherwise".to_owned())),
    }
}

fn parse<'b>(
    store: &'static dyn Store,
    body: &'b [u8],
    place: &Place,
) -> Result<crate::domain::tree::Tree<'b>, Error> {
    store.read(body, Purpose::AsIs).map_err(|error| open::read_error(error, place, While::Decrypting))
}

/// The same values under `data_key`, a new one.
fn relocked(
    deps: &Deps<'_>,
    file: &Unlocked<'_>,
    plan: &KeyPlan,
    data_key: &DataKey,
    keys: &OpenOptions,
    notices: &mut Vec<Notice>,
) -> Result<SecretBytes, Error> {
    let place = &file.locked.place;
    let keys = OpenOptions { ignore_mac: !plan.check_mac || keys.ignore_mac, ..keys.clone() };
    let mut plain = change::open(file, &keys, false)?.plain;
    let mut metadata = metadata(deps, file, plan, data_key)?;
    let mut format = file.locked.format;
    if let Some(wanted) = plan.output_format.filter(|wanted| *wanted != format) {
        plain = encrypt::convert(&plain, format, wanted, place)?;
        metadata.former = None;
        format = wanted;
    }
    let cipher = Cipher::new(data_key);
    if format == Format::Binary {
        return binary::lock_proven(deps, &plain, &cipher, metadata, place);
    }
    let mut parsed = Plain::parse(&plain, format, place)?;
    metadata.selection.mark(&mut parsed.tree, Stage::Plain);
    let locking = PlainFile {
        store: parsed.store,
        tree: &parsed.tree,
        selection: &metadata.selection,
        keep_spellings: metadata.keeps_spellings(),
    }
    .plan(None);
    let locked = lock::lock_new(deps, &parsed, data_key, metadata, locking, None)?;
    drop(parsed);
    let expected = Expected { format, cipher: &cipher, plain: &plain, place, hoist: false };
    let LockedFile { bytes, notices: found, .. } = lock::proven(deps, locked, expected)?;
    // That aliases are written out was said when the file was encrypted.
    let is_news = |it: &&document::Notice| **it == document::Notice::LayoutLost;
    notices.extend(found.iter().filter(is_news).map(|it| open::notice(place, it)));
    Ok(bytes)
}
