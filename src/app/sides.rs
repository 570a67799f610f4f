//! The states that a merge is made of, opened; merged; and locked again. Nothing here
//! reads or writes a file.

use super::Deps;
use super::audit::record::{self, Recorded};
use super::binary;
use super::carrier::{self, Carrying};
use super::change;
use super::error::{Error, Place};
use super::lock::{self, LockedFile};
use super::open::{self, Locked, Unlocked};
use super::request::{FileOptions, Notice, OpenOptions};
use super::sealing::{Unsealed, Wanted};
use super::strangers::{self, Strangers};
use super::wrap;
use crate::domain::agent::audit::entry::Outcome;
use crate::domain::crypto::cipher::Cipher;
use crate::domain::crypto::data_key::DataKey;
use crate::domain::document::reuse::Ciphertexts;
use crate::domain::merge::{
    self, Before, Choice, Conflict, Disagreement, Held, KeyOf, MergedMetadata, Preference, Side, Wishes,
    merge_metadata,
};
use crate::domain::metadata::{MasterKey, Metadata, SEAL, SIGNATURE};
use crate::domain::search;
use crate::domain::secret::SecretBytes;
use crate::domain::select::Selection;
use crate::domain::store::{Format, with_metadata_fields};
use crate::domain::value::Value;

/// The bytes that a merge is made of.
#[derive(Clone, Copy, Debug)]
pub struct States<'i> {
    /// The common ancestor; empty if the sides added the file.
    pub base: Option<&'i [u8]>,
    /// The state that is merged into.
    pub ours: &'i [u8],
    /// The state that is merged.
    pub theirs: &'i [u8],
}

/// What a merge knows beside its states.
#[derive(Clone, Debug)]
pub struct Question {
    /// The format of all of them.
    pub format: Format,
    /// Where errors happened.
    pub place: Place,
    /// Keys and MAC.
    pub open: OpenOptions,
    /// Where the creation rules are.
    pub file: FileOptions,
}

/// One state.
enum State<'i> {
    /// Encrypted, and opened.
    Locked(Box<LockedState<'i>>),
    /// Never encrypted.
    Plain(&'i [u8]),
}

struct LockedState<'i> {
    file: Unlocked<'i>,
    /// The metadata as it stands in the file.
    block: Value,
    plain: SecretBytes,
    known: Ciphertexts,
}

impl State<'_> {
    fn plain(&self) -> &[u8] {
        match self {
            Self::Locked(state) => &state.plain,
            Self::Plain(plain) => plain,
        }
    }

    fn locked(&self) -> Option<&LockedState<'_>> {
        match self {
            Self::Locked(state) => Some(state),
            Self::Plain(_) => None,
        }
    }
}

/// Why the sides were not opened.
#[derive(Debug)]
pub enum Unopened {
    /// Neither side is encrypted: there is nothing to do here.
    Plain,
    /// A side cannot be opened.
    Side {
        /// Which.
        side: Side,
        /// Why.
        error: Error,
    },
}

/// Opened sides.
pub struct Sides<'i> {
    question: Question,
    base: Option<State<'i>>,
    ours: State<'i>,
    theirs: State<'i>,
    /// What differed already when the base was merged.
    doubtful: Vec<(String, Disagreement)>,
    unknown_base: bool,
    notices: Vec<Notice>,
}

/// A merge, before it is locked.
#[derive(Debug)]
pub struct Joined {
    /// Both texts with the metadata that belong to them.
    variants: [(SecretBytes, MergedMetadata); 2],
    /// The conflicts that nobody settled: of the metadata, then of the values.
    pub conflicts: Vec<Conflict>,
}

impl Joined {
    /// The plain text with this side in all conflicts.
    pub fn plain(&self, side: Side) -> &[u8] {
        &self.variants[usize::from(side == Side::Theirs)].0
    }
}

/// A locked file, and what there is to say.
#[derive(Debug)]
pub struct LockedPair {
    /// The file with ours in all conflicts.
    pub ours: SecretBytes,
    /// The file with theirs in all conflicts.
    pub theirs: SecretBytes,
    /// What the user should hear about.
    pub notices: Vec<Notice>,
}

impl<'i> Sides<'i> {
    /// Opens all states. A base that cannot be opened or whose MAC does not fit is an
    /// unknown one.
    pub fn open(deps: &Deps<'_>, states: States<'i>, question: Question) -> Result<Self, Unopened> {
        let ours = parsed(states.ours, &question);
        let theirs = parsed(states.theirs, &question);
        if let (Err(Error::NotEncrypted(_)), Err(Error::NotEncrypted(_))) = (&ours, &theirs) {
            return Err(Unopened::Plain);
        }
        let failed = |side: Side| move |error| Unopened::Side { side, error };
        let mut keys: Vec<DataKey> = Vec::new();
        let mut notices = Vec::new();
        let ours = opened(deps, ours, states.ours, &question, &mut keys, &mut notices)
            .map_err(failed(Side::Ours))?;
        let theirs = opened(deps, theirs, states.theirs, &question, &mut keys, &mut notices)
            .map_err(failed(Side::Theirs))?;
        let mut sides =
            Self { question, base: None, ours, theirs, doubtful: Vec::new(), unknown_base: true, notices };
        sides.open_base(deps, states.base, &mut keys);
        Ok(sides)
    }

    fn open_base(&mut self, deps: &Deps<'_>, bytes: Option<&'i [u8]>, keys: &mut Vec<DataKey>) {
        let Some(bytes) = bytes else { return };
        let question = &self.question;
        if bytes.is_empty() {
            self.unknown_base = false;
            return;
        }
        if let Ok(state) = opened(deps, parsed(bytes, question), bytes, question, keys, &mut Vec::new()) {
            self.base = Some(state);
            self.unknown_base = false;
        }
    }

    /// Opens the sides above a base that is a merge with conflicts itself: git merges
    /// several ancestors into one. What differs in it is a conflict wherever ours and
    /// theirs differ.
    pub fn open_above(
        deps: &Deps<'_>,
        states: States<'i>,
        bases: [&'i [u8]; 2],
        question: Question,
    ) -> Result<Self, Unopened> {
        let nested = States { base: None, ours: bases[0], theirs: bases[1] };
        let doubtful = Sides::open(deps, nested, question.clone())
            .ok()
            .and_then(|sides| sides.join(deps, &[]).ok())
            .map(|joined| joined.conflicts.into_iter().map(|it| (it.path, Disagreement::Changed)).collect());
        let base = if doubtful.is_some() { Some(bases[0]) } else { None };
        let mut sides = Self::open(deps, States { base, ..states }, question)?;
        sides.doubtful = doubtful.unwrap_or_default();
        Ok(sides)
    }

    fn state(&self, side: Side) -> Option<&State<'i>> {
        match side {
            Side::Base => self.base.as_ref(),
            Side::Ours => Some(&self.ours),
            Side::Theirs => Some(&self.theirs),
        }
    }

    fn locked(&self, side: Side) -> Option<&LockedState<'_>> {
        self.state(side).and_then(State::locked)
    }

    /// What there is to say about the states.
    pub fn notices(&self) -> Vec<Notice> {
        let mut notices = self.notices.clone();
        let file =
            self.question.place.path.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
        for (side, name) in [(Side::Ours, "ours"), (Side::Theirs, "theirs")] {
            if self.locked(side).is_none() {
                let text = format!("{file}: {name} is not encrypted; the merged file is");
                let hint = "its values are in the history of the repository in clear: change them".to_owned();
                notices.push(Notice::warning(text).with_hint(hint));
            }
        }
        notices
    }

    /// Merges values and metadata. What nobody settled is a conflict.
    pub fn join(&self, deps: &Deps<'_>, choices: &[Choice]) -> Result<Joined, Error> {
        /// How often what would be exposed is looked for again.
        const ROUNDS: usize = 4;
        let mut doubtful = self.doubtful.clone();
        let mut doubts = self.keys_in_doubt(deps, choices);
        for round in 0..=ROUNDS {
            let [ours, theirs] =
                [Side::Ours, Side::Theirs].map(|prefer| self.metadata(prefer, choices, doubts));
            let before = match (&self.base, self.unknown_base) {
                (_, true) => Before::Unknown,
                (Some(base), _) => Before::Text(base.plain()),
                (None, _) => Before::Text(b""),
            };
            let wishes = Wishes { choices, doubtful: &doubtful };
            let (format, place) = (self.question.format, &self.question.place);
            let merged = merge::merge(format, before, self.ours.plain(), self.theirs.plain(), wishes)
                .map_err(|merge::SideError { error, .. }| {
                    open::read_error(error, place, super::error::While::Decrypting)
                })?;
            let mut exposed = self.exposed(&merged.ours, &ours)?;
            exposed.extend(self.exposed(&merged.theirs, &theirs)?);
            exposed.retain(|path| !doubtful.iter().any(|(known, _)| known == path));
            if exposed.is_empty() {
                let mut conflicts = ours.conflicts.clone();
                conflicts.extend(merged.conflicts);
                return Ok(Joined { variants: [(merged.ours, ours), (merged.theirs, theirs)], conflicts });
            }
            doubts.rules = true;
            let new = if round + 1 == ROUNDS { vec![String::new()] } else { exposed };
            doubtful.extend(new.into_iter().map(|path| (path, Disagreement::Exposed)));
        }
        Err(lock::refusal(&self.question.place, "its rules cannot be merged"))
    }

    fn held(&self, side: Side, keys: &mut Vec<DataKey>) -> Option<(&Metadata, &Value, usize)> {
        let state = self.locked(side)?;
        let key = &state.file.data_key;
        let number = keys.iter().position(|it| it.expose() == key.expose()).unwrap_or_else(|| {
            keys.push(key.clone());
            keys.len() - 1
        });
        Some((&state.file.locked.metadata, &state.block, number))
    }

    fn metadata(&self, prefer: Side, choices: &[Choice], doubts: Doubts) -> MergedMetadata {
        let mut keys = Vec::new();
        let mut held = |side: Side| {
            self.held(side, &mut keys).map(|(metadata, block, key)| Held { metadata, block, key })
        };
        let (base, ours, theirs) = (held(Side::Base), held(Side::Ours), held(Side::Theirs));
        let only = ours.or(theirs);
        let terms = Preference {
            choices,
            prefer,
            rules_in_doubt: doubts.rules,
            keys_in_doubt: doubts.keys || self.unknown_base,
        };
        match (ours.or(only), theirs.or(only)) {
            (Some(ours), Some(theirs)) => merge_metadata(base, ours, theirs, terms),
            // At least one side is encrypted.
            _ => MergedMetadata {
                groups: Vec::new(),
                unwrapped: Vec::new(),
                threshold: None,
                block: Value::Map(Vec::new()),
                key: KeyOf::Nobody,
                removed: Vec::new(),
                conflicts: Vec::new(),
            },
        }
    }

    /// Recipients that cannot be given the data key here, or that nobody vouches for, make
    /// a conflict of all of them.
    fn keys_in_doubt(&self, deps: &Deps<'_>, choices: &[Choice]) -> Doubts {
        let merged = self.metadata(Side::Ours, choices, Doubts::default());
        let keys = merged.conflicts.is_empty()
            && (self.has_strangers(deps, &merged) || self.wrapped(deps, &merged).is_err());
        Doubts { keys, rules: false }
    }

    /// True when the data key would be wrapped for somebody whom whoever can write to a
    /// file may have put there: no seal covers him, and the creation rule does not list him.
    fn has_strangers(&self, deps: &Deps<'_>, merged: &MergedMetadata) -> bool {
        let is_vouched_for = |key: &MasterKey| {
            [Side::Ours, Side::Theirs].into_iter().filter_map(|side| self.locked(side)).any(|state| {
                let metadata = &state.file.locked.metadata;
                let mut keys = metadata.keys();
                metadata.seal.is_some() && keys.any(|it| it.spec().identity() == key.spec().identity())
            })
        };
        let wanted = merged.unwrapped.iter().map(|&(group, place)| &merged.groups[group][place]);
        let unknown: Vec<MasterKey> = wanted.filter(|key| !is_vouched_for(key)).cloned().collect();
        let place = &self.question.place;
        let model = self.locked(Side::Ours).or_else(|| self.locked(Side::Theirs));
        let (Some(path), Some(state)) = (&place.path, model.filter(|_| !unknown.is_empty())) else {
            return false;
        };
        let metadata = Metadata { groups: vec![unknown], ..state.file.locked.metadata.clone() };
        let file = &self.question.file;
        strangers::check(deps, path, place, &metadata, file, Strangers::Refuse).is_err()
    }

    /// The data key of merged metadata, and its groups with all that wraps it.
    fn wrapped(
        &self,
        deps: &Deps<'_>,
        merged: &MergedMetadata,
    ) -> Result<(DataKey, Vec<Vec<MasterKey>>), Error> {
        let state = match merged.key {
            KeyOf::Side(side) => self.locked(side).or_else(|| self.locked(Side::Theirs)),
            KeyOf::Nobody => None,
        };
        let data_key = match state {
            Some(state) => state.file.data_key.clone(),
            None => DataKey::generate(&mut *deps.random.rng()),
        };
        if merged.unwrapped.is_empty() {
            return Ok((data_key, merged.groups.clone()));
        }
        if merged.groups.len() > 1 || state.is_none() {
            let groups = wrap::groups(deps, merged.groups.clone(), merged.threshold, &data_key)?;
            return Ok((data_key, groups));
        }
        let mut groups = merged.groups.clone();
        let lacking = merged.unwrapped.iter().map(|&(group, place)| groups[group][place].clone()).collect();
        let made = wrap::groups(deps, vec![lacking], None, &data_key)?.pop().unwrap_or_default();
        for &(group, place) in &merged.unwrapped {
            let key = &mut groups[group][place];
            let identity = key.spec().identity();
            if let Some(found) =
                made.iter().find(|it| it.kind == key.kind && it.spec().identity() == identity)
            {
                *key = found.clone();
            }
        }
        Ok((data_key, groups))
    }

    /// The key paths of values and comments of `plain` that the merged rules would leave in
    /// clear, although no side has them in clear.
    fn exposed(&self, plain: &[u8], merged: &MergedMetadata) -> Result<Vec<String>, Error> {
        let format = self.question.format;
        let selection = Selection::from_metadata(&merged.block).map_err(|error| Error::Metadata {
            place: self.question.place.clone(),
            cause: Box::new(error),
            hints: Vec::new(),
        })?;
        let sides = [&self.ours, &self.theirs]
            .map(|state| (state.plain(), state.locked().map(|state| &state.file.locked.metadata.selection)));
        Ok(merge::exposed(format, plain, &selection, &sides))
    }

    /// Locks both variants of `joined`: files that differ where the variants do.
    pub fn lock(&self, deps: &Deps<'_>, joined: &Joined) -> Result<LockedPair, Error> {
        let [(ours, ours_metadata), (theirs, theirs_metadata)] = &joined.variants;
        let mut notices = self.notices();
        let first = self.lock_variant(deps, ours, ours_metadata, None)?;
        notices.extend(self.said(ours_metadata, &first.notices));
        if joined.conflicts.is_empty() {
            return Ok(LockedPair { theirs: first.bytes.clone(), ours: first.bytes, notices });
        }
        let second = self.lock_variant(deps, theirs, theirs_metadata, Some(&first))?;
        Ok(LockedPair { ours: first.bytes, theirs: second.bytes, notices })
    }

    /// Locks `plain`, what somebody made of the variants of `joined`.
    pub fn lock_text(
        &self,
        deps: &Deps<'_>,
        joined: &Joined,
        plain: &[u8],
    ) -> Result<(SecretBytes, Vec<Notice>), Error> {
        let metadata = &joined.variants[0].1;
        let variant = self.lock_variant(deps, plain, metadata, None)?;
        let mut notices = self.notices();
        notices.extend(self.said(metadata, &variant.notices));
        Ok((variant.bytes, notices))
    }

    fn said(&self, metadata: &MergedMetadata, found: &[Notice]) -> Vec<Notice> {
        let mut notices = found.to_vec();
        if metadata.key == KeyOf::Nobody {
            let file =
                self.question.place.path.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
            let names: Vec<String> = metadata.removed.iter().map(|key| key.name().into_owned()).collect();
            notices.push(Notice::note(format!(
                "{file}: everything is encrypted anew, under a data key that {} never had",
                names.join(", ")
            )));
        }
        notices
    }

    fn lock_variant(
        &self,
        deps: &Deps<'_>,
        plain: &[u8],
        merged: &MergedMetadata,
        like: Option<&Variant>,
    ) -> Result<Variant, Error> {
        let Question { format, place, .. } = &self.question;
        let same_keys = like.filter(|like| like.metadata_is(merged));
        let (data_key, groups) = match same_keys {
            Some(like) => (like.data_key.clone(), like.groups.clone()),
            None => self.wrapped(deps, merged)?,
        };
        let metadata = MergedMetadata { groups, unwrapped: Vec::new(), ..merged.clone() };
        if *format == Format::Binary {
            return self.lock_binary(deps, plain, metadata, data_key);
        }
        let carrier = self.carrier(&metadata, &data_key)?;
        let locked = Locked::parse(&carrier, *format, place)?;
        let cipher = Cipher::new(&data_key);
        let recorded = self.recorded(deps)?;
        let file = Unlocked { locked, cipher, data_key, notices: Vec::new(), recorded };
        let mut known = Ciphertexts::default();
        if let Some(like) = like.filter(|like| like.data_key.expose() == file.data_key.expose()) {
            known.absorb(&like.known);
        }
        for side in [Side::Ours, Side::Theirs, Side::Base] {
            let state = self.locked(side).filter(|it| it.file.data_key.expose() == file.data_key.expose());
            if let Some(state) = state {
                known.absorb(&state.known);
            }
        }
        let locked = change::lock(deps, &file, plain, known, place)?;
        let LockedFile { bytes, notices, .. } = locked;
        let mut notices: Vec<Notice> = notices.iter().map(|it| open::notice(place, it)).collect();
        let data_key = file.data_key.clone();
        drop(file);
        let bytes = self.sealed(deps, bytes, &data_key, &mut notices)?;
        let made = Unlocked {
            locked: Locked::parse(&bytes, *format, place)?,
            cipher: Cipher::new(&data_key),
            data_key: data_key.clone(),
            notices: Vec::new(),
            recorded: self.recorded(deps)?,
        };
        let known = change::open(&made, &OpenOptions::default(), false)?.known;
        drop(made);
        Ok(Variant { bytes, known, notices, data_key, key: merged.key, groups: metadata.groups })
    }

    /// That the states which this file is made of are written down.
    fn recorded(&self, deps: &Deps<'_>) -> Result<Recorded, Error> {
        let sides = [Side::Ours, Side::Theirs, Side::Base];
        match sides.into_iter().find_map(|side| self.locked(side)) {
            Some(state) => Ok(state.file.recorded.clone()),
            None => {
                let path = self.question.place.path.as_deref();
                record::event(deps, &self.question.open.intent, path, Outcome::Granted)
            }
        }
    }

    /// A merged file has a seal if both sides have one, or the side that gave it one or
    /// took it away says so.
    fn sealed(
        &self,
        deps: &Deps<'_>,
        bytes: SecretBytes,
        data_key: &DataKey,
        notices: &mut Vec<Notice>,
    ) -> Result<SecretBytes, Error> {
        let Question { format, place, .. } = &self.question;
        let has = |side: Side| self.locked(side).map(|state| state.file.locked.metadata.seal.is_some());
        let sealed = match (has(Side::Base), has(Side::Ours), has(Side::Theirs)) {
            (base, Some(ours), Some(theirs)) if ours != theirs => base.is_some_and(|base| !base),
            (_, ours, theirs) => ours.or(theirs) == Some(true),
        };
        let model = [Side::Ours, Side::Theirs].into_iter().find(|side| has(*side) == Some(true));
        if let Some(state) = model.and_then(|side| self.locked(side)).filter(|_| sealed) {
            let wanted = Wanted::by_old(deps, &state.file.locked)?;
            return Unsealed { bytes, format: *format, place, data_key }.finish(deps, wanted, notices);
        }
        let locked = Locked::parse(&bytes, *format, place)?;
        if locked.metadata.seal.is_none() && locked.metadata.signature.is_none() {
            drop(locked);
            return Ok(bytes);
        }
        let without = with_metadata_fields(locked.store, &locked.tree, &[(SEAL, None), (SIGNATURE, None)]);
        without.ok_or_else(|| lock::refusal(place, "a seal cannot be taken out of it"))
    }

    /// A binary file: one side's, or made anew.
    fn lock_binary(
        &self,
        deps: &Deps<'_>,
        plain: &[u8],
        metadata: MergedMetadata,
        data_key: DataKey,
    ) -> Result<Variant, Error> {
        let place = &self.question.place;
        let carrier = self.carrier(&metadata, &data_key)?;
        let whole = [Side::Ours, Side::Theirs]
            .into_iter()
            .filter_map(|side| self.locked(side))
            .find(|state| *state.plain == *plain && *state.file.locked.tree.source == *carrier);
        let bytes = match whole {
            Some(_) => carrier.clone(),
            None => {
                let locked = Locked::parse(&carrier, Format::Binary, place)?;
                let mut merged = locked.metadata.clone();
                merged.former = locked.store.metadata(&locked.tree).ok().flatten();
                binary::lock_proven(deps, plain, &Cipher::new(&data_key), merged, place)?
            }
        };
        let (key, groups) = (metadata.key, metadata.groups);
        let mut notices = Vec::new();
        let bytes = match whole {
            Some(_) => bytes,
            None => self.sealed(deps, bytes, &data_key, &mut notices)?,
        };
        Ok(Variant { bytes, known: Ciphertexts::default(), notices, data_key, key, groups })
    }

    fn carrier(&self, metadata: &MergedMetadata, data_key: &DataKey) -> Result<SecretBytes, Error> {
        let states = [Side::Ours, Side::Theirs].into_iter().filter_map(|side| self.locked(side));
        let states: Vec<Carrying<'_>> =
            states.map(|state| Carrying { file: &state.file, block: &state.block }).collect();
        carrier::carrier(&states, metadata, data_key, &self.question.place)
    }
}

/// What makes a conflict of what could be merged otherwise.
#[derive(Clone, Copy, Debug, Default)]
struct Doubts {
    keys: bool,
    rules: bool,
}

/// A locked variant, and what the other one takes over from it.
struct Variant {
    bytes: SecretBytes,
    known: Ciphertexts,
    notices: Vec<Notice>,
    data_key: DataKey,
    key: KeyOf,
    groups: Vec<Vec<MasterKey>>,
}

impl Variant {
    fn metadata_is(&self, merged: &MergedMetadata) -> bool {
        let names = |groups: &[Vec<MasterKey>]| -> Vec<Vec<String>> {
            groups.iter().map(|group| group.iter().map(|key| key.spec().identity()).collect()).collect()
        };
        self.key == merged.key && names(&self.groups) == names(&merged.groups)
    }
}

/// Parses one state. What holds no token is not encrypted, whatever else it is.
fn parsed<'i>(bytes: &'i [u8], question: &Question) -> Result<Locked<'i>, Error> {
    let parsed = Locked::parse(bytes, question.format, &question.place);
    match parsed {
        Err(_) if search::memmem(b"ENC[AES256_GCM,", bytes).is_none() => {
            Err(Error::NotEncrypted(question.place.clone()))
        }
        parsed => parsed,
    }
}

/// Opens one state with a key that is known already, or with the user's.
fn opened<'i>(
    deps: &Deps<'_>,
    parsed: Result<Locked<'i>, Error>,
    bytes: &'i [u8],
    question: &Question,
    keys: &mut Vec<DataKey>,
    notices: &mut Vec<Notice>,
) -> Result<State<'i>, Error> {
    let locked = match parsed {
        Ok(locked) => locked,
        Err(Error::NotEncrypted(_)) => return Ok(State::Plain(bytes)),
        Err(error) => return Err(error),
    };
    // The right key opens the MAC, and no other does.
    let known = keys.iter().find(|key| locked.stored_mac(&Cipher::new(key)).is_ok()).cloned();
    let open = OpenOptions { only_looks: true, ..question.open.clone() };
    let file = match known {
        Some(data_key) => locked.unlock_with(deps, &open, data_key)?,
        None => locked.unlock(deps, &open)?,
    };
    keys.push(file.data_key.clone());
    let opened = change::open(&file, &question.open, false)?;
    notices.extend(opened.notices);
    let block = file.locked.store.metadata(&file.locked.tree).ok().flatten();
    let block = block.unwrap_or(Value::Map(Vec::new()));
    Ok(State::Locked(Box::new(LockedState { block, plain: opened.plain, known: opened.known, file })))
}
