//! One round of questions for all files of a call. A plugin's session takes the
//! stanzas of many files, so a hardware key asks for its PIN and its touch once,
//! whatever the number of files and threads: the first file that needs a plugin
//! has it open the keys of all of them, and the others find theirs here.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};

use ::age::DecryptError;
use ::age::secrecy::ExposeSecret;
use age_core::format::{FileKey, Stanza};

use super::age_blob;
use super::age_plugin::{self, PluginIdentity, Plugins, Unwrapped};
use crate::app::ports::Others;
use crate::domain::keys::{KeyError, SealedKey, WrappedKey, plugin_of_recipient};
use crate::domain::secret::SecretBytes;

/// What plugins opened so far in this process, and what they did not.
#[derive(Default)]
pub(super) struct Rounds {
    /// By the identities that a plugin was given.
    rounds: Mutex<HashMap<u64, Round>>,
}

/// The same of one plugin; wrapped keys are known by their text.
#[derive(Default)]
struct Round {
    opened: HashMap<String, SecretBytes>,
    failed: HashMap<String, KeyError>,
    /// It did not understand that there is more than one file.
    one_by_one: bool,
}

/// What a round needs to know of the call.
pub(super) struct Call<'c> {
    pub(super) plugins: Plugins<'c>,
    pub(super) others: &'c Others<'c>,
    /// True for a key that opens without a plugin.
    pub(super) opens_anyway: &'c dyn Fn(&WrappedKey<'_>) -> bool,
}

impl Rounds {
    /// Opens one of the keys of a group, with their own plugins first: sops's
    /// files say whose they are. Else the reason for each key that a plugin
    /// refused.
    pub(super) fn open(
        &self,
        keys: &[WrappedKey<'_>],
        identities: &[&PluginIdentity],
        call: &Call<'_>,
    ) -> Result<SecretBytes, HashMap<String, KeyError>> {
        let mut reasons = HashMap::new();
        for named in [true, false] {
            for of_one_plugin in by_plugin(identities) {
                let fits = |key: &WrappedKey<'_>| is_for(key, of_one_plugin[0], named);
                let wanted: Vec<SealedKey> = keys.iter().filter(|key| fits(key)).map(sealed).collect();
                if wanted.is_empty() {
                    continue;
                }
                let mut rounds = self.rounds.lock().unwrap_or_else(PoisonError::into_inner);
                let round = rounds.entry(mark(&of_one_plugin)).or_default();
                if let Some(found) = round.of(wanted, &of_one_plugin, &fits, call) {
                    return Ok(found);
                }
                let known = keys.iter().filter_map(|key| Some((key.enc, round.failed.get(key.enc)?)));
                reasons.extend(known.map(|(enc, reason)| (enc.to_owned(), reason.clone())));
            }
        }
        Err(reasons)
    }
}

impl Round {
    /// What is or was found for a group; asks if nobody asked yet.
    fn of(
        &mut self,
        wanted: Vec<SealedKey>,
        identities: &[&PluginIdentity],
        fits: &dyn Fn(&WrappedKey<'_>) -> bool,
        call: &Call<'_>,
    ) -> Option<SecretBytes> {
        let found = |round: &Self| wanted.iter().find_map(|key| round.opened.get(&key.enc).cloned());
        if let Some(found) = found(self) {
            return Some(found);
        }
        if wanted.iter().all(|key| self.failed.contains_key(&key.enc)) {
            return None;
        }
        let mut groups = vec![wanted.clone()];
        if !self.one_by_one {
            groups.extend(self.open_groups(&wanted, fits, call));
        }
        if !self.ask(&groups, identities, call.plugins) {
            self.ask(&groups[..1], identities, call.plugins);
        }
        found(self)
    }

    /// The keys of the call's other groups that nothing opened yet.
    fn open_groups(
        &self,
        wanted: &[SealedKey],
        fits: &dyn Fn(&WrappedKey<'_>) -> bool,
        call: &Call<'_>,
    ) -> Vec<Vec<SealedKey>> {
        let is_open = |group: &Vec<SealedKey>| {
            group.iter().any(|key| {
                self.opened.contains_key(&key.enc)
                    || self.failed.contains_key(&key.enc)
                    || wanted.contains(key)
                    || (call.opens_anyway)(&key.as_wrapped())
            })
        };
        let mut groups = (call.others)();
        groups.retain(|group| !is_open(group));
        for group in &mut groups {
            group.retain(|key| fits(&key.as_wrapped()));
        }
        groups.retain(|group| !group.is_empty());
        groups
    }

    /// Has the plugin open `groups`; false if it did not cope with so many.
    fn ask(
        &mut self,
        groups: &[Vec<SealedKey>],
        identities: &[&PluginIdentity],
        plugins: Plugins<'_>,
    ) -> bool {
        let files: Vec<Vec<Stanza>> =
            groups.iter().map(|group| group.iter().flat_map(stanzas).collect()).collect();
        let Unwrapped { file_keys, problems, asked } = age_plugin::unwrap(identities, &files, plugins);
        let several = groups.len() > 1;
        let only_first = file_keys.keys().all(|index| *index == 0);
        // Where a person said no, it is no for all files; else it may be their number.
        let broke_off = several && !asked && problems.iter().any(|problem| problem.file.is_none());
        self.one_by_one |= broke_off || (several && only_first);
        for (number, group) in groups.iter().enumerate() {
            let refusal = match file_keys.get(&number) {
                Some(file_key) => match self.take(group, file_key) {
                    true => continue,
                    false => KeyError::Damaged("the plugin's file key opens nothing".to_owned()),
                },
                None if broke_off => continue,
                None => match problems.iter().find(|it| it.file.is_none_or(|file| file == number)) {
                    Some(problem) => KeyError::Damaged(problem.text.clone()),
                    // It may have looked at the first file alone.
                    None if several && only_first && number > 0 => continue,
                    None => KeyError::NotMine,
                },
            };
            self.failed.extend(group.iter().map(|key| (key.enc.clone(), refusal.clone())));
        }
        !broke_off || file_keys.contains_key(&0)
    }

    /// Opens the key of `group` that `file_key` is for.
    fn take(&mut self, group: &[SealedKey], file_key: &FileKey) -> bool {
        let known = Known(file_key);
        for key in group {
            if let Ok(secret) = age_blob::open(&key.as_wrapped(), &[&known]) {
                self.opened.insert(key.enc.clone(), secret);
                return true;
            }
        }
        false
    }
}

fn sealed(key: &WrappedKey<'_>) -> SealedKey {
    SealedKey { recipient: key.recipient.to_owned(), enc: key.enc.to_owned() }
}

/// Whether a key names the plugin of `identity`; without `named`, whether it
/// does not, for plugins that open what has another name.
fn is_for(key: &WrappedKey<'_>, identity: &PluginIdentity, named: bool) -> bool {
    (plugin_of_recipient(key.recipient) == Some(identity.plugin())) == named
}

/// The identities of each plugin.
fn by_plugin<'i>(identities: &[&'i PluginIdentity]) -> Vec<Vec<&'i PluginIdentity>> {
    let mut plugins: Vec<Vec<&PluginIdentity>> = Vec::new();
    for identity in identities {
        match plugins.iter_mut().find(|known| known[0].plugin() == identity.plugin()) {
            Some(known) if known.iter().any(|it| it.text() == identity.text()) => {}
            Some(known) => known.push(identity),
            None => plugins.push(vec![identity]),
        }
    }
    plugins
}

fn mark(identities: &[&PluginIdentity]) -> u64 {
    let mut hasher = DefaultHasher::new();
    identities.iter().for_each(|identity| identity.text().hash(&mut hasher));
    hasher.finish()
}

/// The stanzas of a wrapped key; none if it is damaged.
fn stanzas(key: &SealedKey) -> Vec<Stanza> {
    let collector = Collector::default();
    let _ = age_blob::open(&key.as_wrapped(), &[&collector]);
    collector.0.into_inner().unwrap_or_default()
}

/// An identity that opens nothing, and keeps what it was shown.
#[derive(Default)]
struct Collector(Mutex<Vec<Stanza>>);

impl ::age::Identity for Collector {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        let Stanza { tag, args, body } = stanza;
        let copy = Stanza { tag: tag.clone(), args: args.clone(), body: body.clone() };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(copy);
        None
    }
}

/// An identity whose file key is known already.
struct Known<'k>(&'k FileKey);

impl ::age::Identity for Known<'_> {
    fn unwrap_stanza(&self, _: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        Some(Ok(FileKey::init_with_mut(|key| key.copy_from_slice(self.0.expose_secret()))))
    }
}
