//! The shared opening: read the file, choose the store, parse tree and
//! metadata, unwrap the data key.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use super::Deps;
use super::agent::{listed, root};
use super::audit::record::{self, Opening, Recorded};
use super::error::{Error, Place, While};
use super::integrity::Subject;
use super::names;
use super::parallel::{self, LARGE};
use super::ports::{Asking, Contents, Durability, FileErrorKind, Fingerprint, Others};
use super::request::{Destination, Done, FileOptions, Notice, OpenOptions, Source, Together};
use crate::domain::agent::leaves;
use crate::domain::crypto::cipher::{Cipher, PIECE};
use crate::domain::crypto::data_key::DataKey;
use crate::domain::crypto::mac::Mac;
use crate::domain::crypto::shamir;
use crate::domain::crypto::token::{self, Token};
use crate::domain::digest;
use crate::domain::document;
use crate::domain::document::open::{Encrypted, TreeError};
use crate::domain::document::spelling::{self, Spellings};
use crate::domain::keys::kinds::KeyKind;
use crate::domain::keys::names::Names;
use crate::domain::keys::report::{self, GroupOutcome};
use crate::domain::keys::{Refusal, SealedKey, WrappedKey};
use crate::domain::merge;
use crate::domain::metadata::{MasterKey, Metadata, MetadataError};
use crate::domain::secret::SecretBytes;
use crate::domain::select::Stage;
use crate::domain::store::splice::Edit;
use crate::domain::store::{Format, Purpose, ReadError, ReadErrorKind, Store, binary};
use crate::domain::tree::{Flags, Tree};

/// The bytes of an input and what is known of it.
#[derive(Debug)]
pub struct Input {
    /// The bytes.
    pub bytes: SecretBytes,
    /// The file's state when it was read.
    pub seen: Option<Fingerprint>,
    /// The file, absolute; `None` for standard input.
    pub path: Option<PathBuf>,
    /// The absolute path that formats and rules go by.
    pub name: PathBuf,
}

impl Input {
    /// Where errors of this input happened.
    pub fn place(&self) -> Place {
        Place { path: self.path.clone(), ..Place::default() }
    }

    /// The format that its name says.
    pub fn format(&self) -> Format {
        Format::of_path(&self.name.to_string_lossy())
    }
}

/// Reads the input of a command. A missing file ends in exit 100 as it does for
/// SOPS's `encrypt` and `decrypt`.
pub fn read_input(deps: &Deps<'_>, source: &Source, options: &FileOptions) -> Result<Input, Error> {
    let absolute = |path: &Path| deps.files.absolute(path).map_err(Error::Read);
    let (contents, path) = match source {
        Source::Stdin => (deps.files.read(Path::new("/dev/stdin")).map_err(Error::Read)?, None),
        Source::File(path) => {
            let path = absolute(path)?;
            let contents = deps.files.read(&path).map_err(|error| match error.kind {
                FileErrorKind::NotFound => Error::NoSuchFile(path.clone()),
                _ => Error::Read(error),
            })?;
            (contents, Some(path))
        }
    };
    let name = name_of(deps, path.as_deref(), options)?;
    let Contents { bytes, fingerprint } = contents;
    Ok(Input { bytes, seen: fingerprint, path, name })
}

/// The absolute path that formats and rules go by; empty for standard input without
/// another name. `path` is the file, absolute.
pub fn name_of(deps: &Deps<'_>, path: Option<&Path>, options: &FileOptions) -> Result<PathBuf, Error> {
    match (&options.filename_override, path) {
        (Some(name), _) => deps.files.absolute(name).map_err(Error::Read),
        (None, path) => Ok(path.map(Path::to_owned).unwrap_or_default()),
    }
}

/// Hands the result of a command on.
pub fn deliver(
    deps: &Deps<'_>,
    destination: &Destination,
    input: &Input,
    bytes: SecretBytes,
) -> Result<Done, Error> {
    match (destination, &input.path) {
        (Destination::Stdout, _) | (Destination::InPlace | Destination::Staged, None) => {
            Ok(Done::Returned(bytes))
        }
        (Destination::File(path), _) => {
            deps.files
                .write(path, &bytes, Durability::Power)
                .map_err(|error| Error::Write { in_place: false, error })?;
            Ok(Done::Written(path.clone()))
        }
        (Destination::InPlace, Some(path)) => {
            deps.files
                .replace(path, &bytes, input.seen, Durability::Power)
                .map_err(|error| Error::Write { in_place: true, error })?;
            Ok(Done::Written(path.clone()))
        }
        (Destination::Staged, Some(path)) => deps
            .staging
            .stage(path, &bytes, input.seen)
            .map(Done::Staged)
            .map_err(|error| Error::Write { in_place: true, error }),
    }
}

/// An encrypted file, parsed.
pub struct Locked<'s> {
    /// Where errors happened.
    pub place: Place,
    /// The file's format.
    pub format: Format,
    /// The store that reads it: for binary files, JSON's.
    pub store: &'static dyn Store,
    /// The file; its leaves are marked by its own rules.
    pub tree: Tree<'s>,
    /// Its metadata.
    pub metadata: Metadata,
}

impl<'s> Locked<'s> {
    /// Parses `bytes`.
    pub fn parse(bytes: &'s [u8], format: Format, place: &Place) -> Result<Self, Error> {
        let store = format.encrypted_store();
        let tree = store.read(bytes, Purpose::AsIs).map_err(|mut error| {
            if merge::split(bytes).is_some() {
                error.hint = Some("it has conflicts of a merge: `leaflock resolve FILE` opens both sides");
            }
            read_error(error, place, While::Decrypting)
        })?;
        let mut locked = Self::with_tree(store, format, tree, place)?;
        locked.metadata.selection.mark(&mut locked.tree, Stage::Encrypted);
        Ok(locked)
    }

    fn with_tree(
        store: &'static dyn Store,
        format: Format,
        tree: Tree<'s>,
        place: &Place,
    ) -> Result<Self, Error> {
        let block = store
            .metadata(&tree)
            .map_err(|error| Error::Metadata {
                place: place.clone().at_line(error.line),
                cause: Box::new(error),
                hints: Vec::new(),
            })?
            .ok_or_else(|| Error::NotEncrypted(place.clone()))?;
        let metadata = Metadata::parse(block).map_err(|error| metadata_error(error, place))?;
        Ok(Self { place: place.clone(), format, store, tree, metadata })
    }

    /// The file for the checks that need no cipher.
    pub fn subject(&self) -> Subject<'_, 's> {
        let Self { place, store, tree, metadata, .. } = self;
        Subject { place, store: *store, tree, metadata }
    }

    /// Writes down that the file is opened, unwraps the data key, and checks manifest and
    /// seal.
    pub fn unlock(self, deps: &Deps<'_>, options: &OpenOptions) -> Result<Unlocked<'s>, Error> {
        self.unlock_by(deps, options, data_key)
    }

    /// The same with a data key that is known already: that of another state of the file.
    pub fn unlock_with(
        self,
        deps: &Deps<'_>,
        options: &OpenOptions,
        data_key: DataKey,
    ) -> Result<Unlocked<'s>, Error> {
        self.unlock_by(deps, options, |_, _, _, _| Ok(data_key))
    }

    fn unlock_by(
        self,
        deps: &Deps<'_>,
        options: &OpenOptions,
        key: impl FnOnce(&Deps<'_>, &Self, &OpenOptions, &Recorded) -> Result<DataKey, Error>,
    ) -> Result<Unlocked<'s>, Error> {
        let recorded = self.record(deps, options)?;
        let path = self.place.path.as_deref();
        let listed = match options.only_looks {
            true => Ok(()),
            false => listed::check(deps, path, self.tree.source),
        };
        let opened = listed.and_then(|()| {
            let key = key(deps, &self, options, &recorded)?;
            let notices = self.subject().check(deps, &key, options)?;
            Ok((notices, key))
        });
        match opened {
            Ok((mut notices, data_key)) => {
                notices.extend(unruled(deps, path, &recorded));
                let cipher = Cipher::new(&data_key);
                Ok(Unlocked { locked: self, cipher, data_key, notices, recorded })
            }
            Err(error) => {
                recorded.failed(deps, path, &error);
                Err(error)
            }
        }
    }

    /// Writes down that the file is about to be opened, and the other files of the call.
    fn record(&self, deps: &Deps<'_>, options: &OpenOptions) -> Result<Recorded, Error> {
        let opening = Opening {
            path: self.place.path.as_deref(),
            bytes: self.tree.source,
            leaves: &|| leaves::paths(&self.tree),
            is_for_people: options.is_for_people,
            others: &|| digests(deps, &options.together),
        };
        record::opening(deps, &options.intent, &opening)
    }

    /// The owner's spellings, if the file has any.
    pub fn spellings(&self, cipher: &Cipher) -> Spellings {
        self.spelling_json(cipher).map(|json| Spellings::from_json(&json)).unwrap_or_default()
    }

    /// The decrypted field that holds them.
    pub fn spelling_json(&self, cipher: &Cipher) -> Option<SecretBytes> {
        let token = Token::parse(self.metadata.source.as_ref()?.as_bytes())?;
        let mut json = SecretBytes::default();
        cipher.open(&token, spelling::AAD, json.as_mut_vec()).ok()?;
        Some(json)
    }

    /// Compares the MAC over what was read with the stored one (sops-compat 3.3).
    /// Unlike SOPS's, the message does not hold the digests: they would let a
    /// reader of logs test guesses of short values.
    pub fn check_mac(&self, cipher: &Cipher, computed: &Mac) -> Result<(), Error> {
        if computed.matches(&self.stored_mac(cipher)?) {
            return Ok(());
        }
        Err(self.mac_error("MAC mismatch. File has a MAC of other values".to_owned()))
    }

    /// The hex digest that the file's MAC holds.
    pub fn stored_mac(&self, cipher: &Cipher) -> Result<SecretBytes, Error> {
        let Metadata { mac, last_modified, .. } = &self.metadata;
        if mac.is_empty() {
            return Err(self.mac_error("MAC mismatch. File has no MAC".to_owned()));
        }
        let Some(token) = Token::parse(mac.as_bytes()) else {
            return Err(self
                .mac_error("Cannot decrypt MAC: Input string does not match sops' data format".to_owned()));
        };
        let mut stored = SecretBytes::default();
        cipher
            .open(&token, last_modified.as_bytes(), stored.as_mut_vec())
            .map_err(|error| self.mac_error(format!("Cannot decrypt MAC: {error}")))?;
        Ok(stored)
    }

    fn mac_error(&self, message: String) -> Error {
        Error::Mac { place: self.place.clone(), cause: message.into() }
    }
}

/// That the policy is gone which would have said whether the file may be opened.
fn unruled(deps: &Deps<'_>, path: Option<&Path>, recorded: &Recorded) -> Option<Notice> {
    let folder = path.and_then(Path::parent).unwrap_or(Path::new("."));
    if recorded.is_under_policy() { None } else { root::vanished_notice(deps, folder) }
}

/// A buffer for the plain text, which is no longer than the file without what
/// `detach` takes out of it: all of it is wiped in the end, so it is no longer than that.
pub fn plain_buffer(locked: &Locked<'_>, detach: &[Edit]) -> SecretBytes {
    let taken: usize = detach.iter().map(|edit| (edit.span.end - edit.span.start) as usize).sum();
    SecretBytes::new(Vec::with_capacity(locked.tree.source.len().saturating_sub(taken) + 64))
}

/// An encrypted file with its data key.
pub struct Unlocked<'s> {
    /// The file.
    pub locked: Locked<'s>,
    /// Its cipher.
    pub cipher: Cipher,
    /// Its data key.
    pub data_key: DataKey,
    /// What its user should hear about.
    pub notices: Vec<Notice>,
    /// That it is written down.
    pub recorded: Recorded,
}

impl<'s> Unlocked<'s> {
    /// The file for the document layer.
    pub fn file(&self) -> Encrypted<'_, 's> {
        Encrypted {
            store: self.locked.store,
            tree: &self.locked.tree,
            selection: &self.locked.metadata.selection,
            cipher: &self.cipher,
        }
    }

    /// The bytes of a binary file and their digest, made a piece at a time; the digest
    /// of a large file on the second core. `None` for what is not the usual file or
    /// does not open: the document layer knows what to say of it.
    pub fn binary(&self) -> Option<(SecretBytes, Mac)> {
        let Locked { tree, metadata, .. } = &self.locked;
        let data = binary::data(tree).ok()?;
        let root = tree.documents.first()?.root;
        let is_alone = tree.documents.len() == 1
            && tree.children(root).all(|id| id == data || tree.node(id).flags.has(Flags::METADATA));
        let token = Token::of_line(tree.text(tree.node(data).text)).filter(|token| token.kind == b"str")?;
        if !is_alone || !tree.node(data).flags.has(Flags::SELECTED) {
            return None;
        }
        let mut opening = self.cipher.open_large(&token, binary::AAD)?;
        let mut plain = SecretBytes::new(vec![0; opening.length()]);
        let mut mac = Mac::new(metadata.selection.mac_only_encrypted());
        let large = plain.len() >= LARGE;
        let opened = parallel::pass_on(
            large,
            plain.as_mut_vec().chunks_mut(PIECE),
            |piece| opening.fill(piece),
            |piece| mac.add_canonical(piece, true),
        );
        (opened && opening.finish()).then_some((plain, mac))
    }

    /// The error of the document layer as one of this layer.
    pub fn tree_error(&self, error: TreeError) -> Error {
        let place = self.locked.place.clone().at_line(Some(error.line)).at_key(error.path.clone());
        Error::Decrypt { place, cause: Box::new(error) }
    }
}

/// Where identities are looked for without being asked, as messages name it.
const IDENTITY_FILE: &str = "~/.config/sops/age/keys.txt";

/// The data key of a file (sops-compat 8). Where one age identity would do,
/// the answer to a failure is short: who was tried, who could, what to do. With
/// more groups or kinds of key it is SOPS's full report.
fn data_key(
    deps: &Deps<'_>,
    locked: &Locked<'_>,
    options: &OpenOptions,
    recorded: &Recorded,
) -> Result<DataKey, Error> {
    let Locked { metadata, place, .. } = locked;
    let mut outcomes = Vec::new();
    let mut parts = Vec::new();
    let count = metadata.groups.len();
    let needed = if count > 1 { metadata.shamir_threshold.unwrap_or(count) } else { 0 };
    for group in &metadata.groups {
        // A share more than needed would only ask somebody for nothing.
        if count > 1 && parts.len() >= needed.max(2) {
            break;
        }
        // What asks a person asks once for all groups of all files.
        let others = || [sealed_groups(metadata), age_groups(deps, &options.together)].concat();
        match unwrap_group(deps, group, options, &others, recorded) {
            Ok(part) => {
                parts.push(part);
                outcomes.push(GroupOutcome::Recovered);
            }
            Err(refusals) => outcomes.push(GroupOutcome::Failed(refusals)),
        }
    }
    if parts.len() < needed.max(1) && options.asking != Asking::Person {
        let cause = format!("{}\nno identity opens it without asking somebody", report::FIRST_LINE);
        return Err(Error::DataKey { place: place.clone(), cause: cause.into(), hints: Vec::new() });
    }
    let failed = |hints| {
        let cause = report::data_key_failure(&outcomes, needed, &names_for(deps, place), false);
        Err(Error::DataKey { place: place.clone(), cause: cause.into(), hints })
    };
    let key = match &parts[..] {
        [key] if count == 1 => Ok(key.clone()),
        parts if count > 1 && parts.len() >= needed => shamir::combine(parts),
        _ => {
            let recipients: Vec<Cow<'_, str>> = metadata.keys().map(MasterKey::name).collect();
            let recipients: Vec<&str> = recipients.iter().map(AsRef::as_ref).collect();
            if let Some(agent) = recorded.agent() {
                return failed(own_ways(agent));
            }
            let uses = |kind| metadata.keys().any(|key| key.kind == kind);
            let refusals: Vec<&Refusal> = outcomes.iter().flat_map(GroupOutcome::refusals).collect();
            let mut hints: Vec<String> = report::advice_to_be_asked(&refusals).into_iter().collect();
            if uses(KeyKind::Pgp) {
                hints.push("a PGP key opens it if `gpg --list-secret-keys` lists the key".to_owned());
            }
            if !uses(KeyKind::Age) {
                return failed(hints);
            }
            let tried = deps.keys.tried();
            hints.extend(report::advice(&tried, &recipients, IDENTITY_FILE));
            if count > 1 || metadata.keys().any(|key| key.kind != KeyKind::Age) {
                return failed(hints);
            }
            let answer = report::short_answer(&tried, &refusals, &recipients, &names_for(deps, place));
            let cause = format!("{}\n{answer}", report::FIRST_LINE);
            return Err(Error::DataKey { place: place.clone(), cause: cause.into(), hints });
        }
    };
    match key.ok().and_then(|key| DataKey::from_bytes(&key)) {
        Some(key) => Ok(key),
        None => {
            failed(vec!["the key that was unwrapped is no data key of this file: it is damaged".to_owned()])
        }
    }
}

/// What an agent does whose identity does not open a file: to be a recipient of it would
/// be to have all of it.
fn own_ways(agent: &str) -> Vec<String> {
    vec![
        format!(
            "what {agent} may read is in .leaflock/agents/{agent}/; `leaflock get PATH` prints a value of it"
        ),
        format!("`leaflock run --agent {agent} -- COMMAND` starts a program with what it may use"),
        format!("`leaflock what-can {agent}` lists both; administrators grant more"),
    ]
}

/// The names of the keys of a file.
fn names_for(deps: &Deps<'_>, place: &Place) -> Names {
    let path = place.path.as_deref().unwrap_or(Path::new("/"));
    names::of(deps, path, &FileOptions::default()).0
}

/// The data key, or the share of it, that a group holds: kinds in decryption
/// order, within a kind in file order. The only place where a data key is unwrapped:
/// it takes the proof that this is written down.
fn unwrap_group(
    deps: &Deps<'_>,
    group: &[MasterKey],
    options: &OpenOptions,
    others: &Others<'_>,
    _recorded: &Recorded,
) -> Result<SecretBytes, Vec<Refusal>> {
    let default = [KeyKind::Age.metadata_field().to_owned(), KeyKind::Pgp.metadata_field().to_owned()];
    let order = options.decryption_order.as_deref().unwrap_or(&default);
    let rank =
        |kind: KeyKind| order.iter().position(|name| name == kind.metadata_field()).unwrap_or(order.len());
    let mut kinds = KeyKind::ALL;
    kinds.sort_by_key(|kind| rank(*kind));
    let mut refusals = Vec::new();
    for kind in kinds {
        let keys: Vec<(Cow<'_, str>, &str)> =
            group.iter().filter(|key| key.kind == kind).map(|key| (key.name(), key.enc())).collect();
        if keys.is_empty() {
            continue;
        }
        let wrapped: Vec<WrappedKey<'_>> =
            keys.iter().map(|(recipient, enc)| WrappedKey { recipient, enc }).collect();
        match deps.keys.unwrap(kind, &wrapped, others, options.asking) {
            Ok(part) => return Ok(part),
            Err(refused) => refusals.extend(refused),
        }
    }
    Err(refusals)
}

/// The age keys of every group of every file that the call opens. What cannot be
/// read here says so when its turn comes.
fn age_groups(deps: &Deps<'_>, together: &Together) -> Vec<Vec<SealedKey>> {
    let mut groups = together.groups.to_vec();
    for path in together.paths.iter() {
        let options = FileOptions { input_format: together.input_format, ..FileOptions::default() };
        let Ok(input) = read_input(deps, &Source::File(path.clone()), &options) else { continue };
        let format = together.input_format.unwrap_or_else(|| input.format());
        let Ok(locked) = Locked::parse(&input.bytes, format, &input.place()) else { continue };
        groups.extend(sealed_groups(&locked.metadata));
    }
    groups
}

/// The encrypted files of the call with the digests of their bytes.
fn digests(deps: &Deps<'_>, together: &Together) -> Vec<(PathBuf, String)> {
    let digest = |path: &PathBuf| {
        let path = deps.files.absolute(path).ok()?;
        let bytes = deps.files.read(&path).ok()?.bytes;
        token::occurs_in(&bytes).then(|| (path, digest::of(&bytes)))
    };
    together.paths.iter().filter_map(digest).collect()
}

/// The age keys of a file, group by group.
pub fn sealed_groups(metadata: &Metadata) -> Vec<Vec<SealedKey>> {
    let sealed =
        |key: &MasterKey| SealedKey { recipient: key.name().into_owned(), enc: key.enc().to_owned() };
    let is_age = |key: &&MasterKey| key.kind == KeyKind::Age;
    metadata.groups.iter().map(|group| group.iter().filter(is_age).map(sealed).collect()).collect()
}

/// A reader's error as one of this layer.
pub fn read_error(error: ReadError, place: &Place, during: While) -> Error {
    let place = place.clone().at_line(error.line);
    match error.kind {
        ReadErrorKind::Empty if during == While::Encrypting => Error::Empty(place),
        ReadErrorKind::Empty => Error::NotEncrypted(place),
        ReadErrorKind::Unencryptable if during == While::Encrypting => {
            Error::Encrypt { place, cause: Box::new(error) }
        }
        _ => Error::Syntax { place, during, error: Box::new(error) },
    }
}

fn metadata_error(error: MetadataError, place: &Place) -> Error {
    match error {
        MetadataError::Missing => Error::NotEncrypted(place.clone()),
        error => Error::Metadata { place: place.clone(), cause: Box::new(error), hints: Vec::new() },
    }
}

/// A document's notice as text.
pub fn notice(place: &Place, notice: &document::Notice) -> Notice {
    let file = place.path.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
    let at = |line: &usize| format!("{file}, line {line}");
    match notice {
        document::Notice::AliasExpanded { path, line } => Notice::note(format!(
            "{}: the alias at {path} is written out as a copy, because what it refers to changes when it is encrypted",
            at(line)
        )),
        document::Notice::AliasesExpanded { count } => {
            Notice::note(format!("{file}: {count} more aliases are written out as copies"))
        }
        document::Notice::PlainComment { line } => {
            Notice::warning(format!("Found possibly unencrypted comment in file: {}", at(line)))
        }
        document::Notice::UnreadableComment { line } => {
            Notice::warning(format!("{}: this comment does not decrypt; it was left as it is", at(line)))
        }
        document::Notice::LayoutLost => Notice::note(format!(
            "{file}: values are safe, but decryption will not bring back every byte of this layout"
        )),
    }
}
