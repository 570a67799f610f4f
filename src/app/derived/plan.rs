//! The next state of all derived files and of the manifest, by the policy and the sources
//! as they stand, or are about to.
//!
//! A derived file is kept byte for byte as long as it is what the manifest lists, for the
//! recipients that it should have, and its mark says that it holds what it should.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::compile::{self, Opened};
use super::sources::{self, Source};
use crate::app::Deps;
use crate::app::agent::authority::Authority;
use crate::app::agent::manifest_file;
use crate::app::agent::overtaken;
use crate::app::agent::revocation_file;
use crate::app::agent::write::Write;
use crate::app::error::{Error, Place};
use crate::app::open::Locked;
use crate::app::request::{Notice, OpenOptions};
use crate::app::sealing::Wanted;
use crate::domain::agent::audit::entry::Action;
use crate::domain::agent::denial::DenyCode;
use crate::domain::agent::leaves;
use crate::domain::agent::manifest::{self, Derived, Manifest, derived_path};
use crate::domain::agent::pattern::show_path;
use crate::domain::agent::policy::{Compiled, Principal};
use crate::domain::agent::view::View;
use crate::domain::crypto::data_key::DataKey;
use crate::domain::digest;
use crate::domain::scalar::LARGEST_EXACT;
use crate::domain::secret::SecretBytes;
use crate::domain::store::Format;
use crate::domain::tree::Kind;

/// A source in the state that it is about to get.
pub struct Fresh<'f> {
    /// The file, absolute.
    pub path: &'f Path,
    /// Its new bytes.
    pub bytes: &'f [u8],
    /// Their data key; without it, the file is opened as others are.
    pub data_key: Option<&'f DataKey>,
}

/// What is to be done.
#[derive(Debug, Default)]
pub struct Plan {
    /// The new manifest; its serial has grown if it is another one.
    pub manifest: Manifest,
    /// False when everything is as it should be.
    pub is_change: bool,
    /// Derived files that are made or go.
    pub writes: Vec<Write>,
    /// The names of derived files that are new or made anew.
    pub made: Vec<String>,
    /// How many stay as they are.
    pub kept: usize,
    /// The names of files below `.leaflock/agents` that go.
    pub removed: Vec<String>,
    /// Sources that the old manifest did not hold, or held in another state.
    pub accepted: Vec<String>,
    /// What to say on the side.
    pub notices: Vec<Notice>,
}

/// Which sources may differ from the manifest.
#[derive(Clone, Debug, Default)]
pub struct Accept {
    /// These, by their names.
    pub names: BTreeSet<String>,
    /// Revocations may be gone, if the policy is newer than they are: it takes their place.
    pub revocations: bool,
}

/// Plans for `fresh` states of sources. If the manifest is of the policy in force, the
/// other files are not looked at; else, and without `fresh`, all of them are.
///
/// # Errors
/// [`DenyCode::ManifestMismatch`] for sources that the manifest does not hold, and between
/// the sides of a merge, unless the caller has accepted what it made of the sources.
pub fn plan(
    deps: &Deps<'_>,
    authority: &Authority,
    fresh: &[Fresh<'_>],
    accept: &Accept,
    open: &OpenOptions,
) -> Result<Plan, Error> {
    if authority.is_conflicted && accept.names.is_empty() {
        return Err(manifest_file::conflicted(&authority.root));
    }
    let old = authority.manifest.clone().unwrap_or_default();
    let is_current = authority.manifest.is_some()
        && old.policy == authority.policy_digest
        && old.revocations.keys().eq(&revocations(authority))
        && authority.missing_revocations.is_empty();
    let new = Manifest {
        repo: authority.policy.repo.clone().unwrap_or_default(),
        policy: authority.policy_digest.clone(),
        revocations: heeded(authority, &old),
        absorbed: absorbed(authority, &old, accept)?,
        ..old.clone()
    };
    let mut plan = Plan { manifest: new, ..Plan::default() };
    if let count @ 1.. = authority.missing_revocations.len() {
        let text = format!("the policy takes the place of {count} revocations that are gone");
        plan.notices.push(Notice::note(text));
    }
    let mut planner = Planner { deps, authority, old, accept, open, plan };
    match is_current && !fresh.is_empty() {
        true => planner.some(fresh)?,
        false => planner.all(fresh)?,
    }
    let Planner { mut plan, old, .. } = planner;
    let is_new = authority.manifest.is_none() || authority.is_conflicted;
    plan.is_change = is_new || plan.manifest != old || !plan.writes.is_empty();
    if plan.is_change {
        plan.manifest.serial = old.serial.max(authority.manifest_serial).saturating_add(1);
    }
    if plan.manifest.serial > LARGEST_EXACT {
        return Err(Error::Other {
            place: Place::file(authority.root.join(manifest::PLACE)),
            cause: "its serial is the highest there is".into(),
            hints: vec!["somebody who may sign made it so: fetch the manifest before it from git".to_owned()],
        });
    }
    Ok(plan)
}

/// The digests of the revocations in force.
pub fn revocations(authority: &Authority) -> BTreeSet<String> {
    authority.revocations.iter().map(|it| it.digest.clone()).collect()
}

/// The revocations that a manifest lists as heeded, each with the serial of the policy
/// under which it first was.
fn heeded(authority: &Authority, old: &Manifest) -> BTreeMap<String, u64> {
    let serial = authority.policy.serial.unwrap_or_default();
    let since = |digest: &String| old.revocations.get(digest).copied().unwrap_or(serial);
    revocations(authority).into_iter().map(|digest| (digest.clone(), since(&digest))).collect()
}

/// The revocations whose place policies have taken. One whose line is gone becomes one of
/// them if whoever signs says so, and if the policy is newer than what it denied: else an
/// empty file would give back what was taken. A line that is back denies again.
///
/// # Errors
/// [`DenyCode::PolicyStale`] for one that is merely gone.
fn absorbed(authority: &Authority, old: &Manifest, accept: &Accept) -> Result<BTreeMap<String, u64>, Error> {
    let serial = authority.policy.serial.unwrap_or_default();
    let is_newer = |gone: &String| match old.revocations.get(gone) {
        Some(heeded) => serial > *heeded,
        None => old.policy != authority.policy_digest,
    };
    let mut absorbed = old.absorbed.clone();
    let there = revocations(authority);
    absorbed.retain(|digest, _| !there.contains(digest));
    for gone in &authority.missing_revocations {
        if !accept.revocations || !is_newer(gone) {
            return Err(revocation_file::gone(&authority.root, authority.manifest.as_ref(), gone));
        }
        absorbed.insert(gone.clone(), serial);
    }
    Ok(absorbed)
}

/// The recipients of the derived files of `principal`, sorted, each once.
pub fn recipients(authority: &Authority, principal: &Principal) -> Vec<String> {
    let mut all = principal.age.clone();
    all.extend(authority.policy.recovery_recipients());
    all.sort();
    all.dedup();
    all
}

/// How many files are named one by one.
const FEW: usize = 3;

/// Names, the first few of them.
fn shown(names: &[&str]) -> String {
    match names.len() {
        ..=FEW => names.join(", "),
        count => format!("{} and {} more", names[..FEW].join(", "), count - FEW),
    }
}

struct Planner<'p> {
    deps: &'p Deps<'p>,
    authority: &'p Authority,
    old: Manifest,
    accept: &'p Accept,
    open: &'p OpenOptions,
    plan: Plan,
}

impl<'p> Planner<'p> {
    /// Only what is made from `fresh` sources.
    fn some(&mut self, fresh: &[Fresh<'_>]) -> Result<(), Error> {
        let of = |file: &Fresh<'_>| Some((self.source_of(file)?, file.data_key.cloned()));
        let new: Vec<(Source, Option<DataKey>)> = fresh.iter().filter_map(of).collect();
        let names = names_of(new.iter().map(|(source, _)| source));
        self.plan.manifest.derived.retain(|_, file| !names.contains(file.source.as_str()));
        for (source, data_key) in &new {
            self.source(source, data_key.as_ref())?;
        }
        Ok(())
    }

    /// Everything, with `fresh` sources in place of what they replace.
    fn all(&mut self, fresh: &[Fresh<'_>]) -> Result<(), Error> {
        let mut found = sources::all(self.deps, &self.authority.root, &self.authority.policy)?;
        let of = |file: &Fresh<'_>| Some((self.source_of(file)?, file.data_key.cloned()));
        let new: Vec<(Source, Option<DataKey>)> = fresh.iter().filter_map(of).collect();
        let replaced = names_of(new.iter().map(|(source, _)| source));
        found.retain(|source| !replaced.contains(source.name.as_str()));
        self.check(&found)?;
        let mut now = replaced;
        now.extend(names_of(&found));
        let (sources, derived) =
            (std::mem::take(&mut self.plan.manifest.sources), &mut self.plan.manifest.derived);
        derived.clear();
        self.plan.notices.extend(
            sources
                .keys()
                .filter(|name| !now.contains(name.as_str()))
                .map(|name| Notice::note(format!("{name} is no source any more"))),
        );
        for source in &found {
            self.source(source, None)?;
        }
        for (source, data_key) in &new {
            self.source(source, data_key.as_ref())?;
        }
        self.sweep()
    }

    fn source_of(&self, file: &Fresh<'_>) -> Option<Source> {
        // A source is known by its own name, not by those of links to it.
        let path = self.deps.files.real(file.path).ok()?;
        let name = sources::name_of(&self.authority.root, &path)?;
        Some(Source {
            name,
            path,
            bytes: SecretBytes::new(file.bytes.to_vec()),
            seen: None,
            sha256: digest::hex_of(file.bytes),
        })
    }

    /// Refuses sources that somebody changed or put there whom nobody has looked after.
    fn check(&mut self, found: &[Source]) -> Result<(), Error> {
        let differs =
            |source: &&Source| self.old.sources.get(&source.name).is_none_or(|it| it.sha256 != source.sha256);
        let (accepted, refused): (Vec<&Source>, Vec<&Source>) =
            found.iter().filter(differs).partition(|source| self.accept.names.contains(&source.name));
        self.plan.accepted = accepted.iter().map(|source| source.name.clone()).collect();
        let Some(first) = refused.first() else { return Ok(()) };
        let names: Vec<&str> = refused.iter().map(|source| source.name.as_str()).collect();
        let mismatch = Error::Integrity {
            place: first.place(),
            code: DenyCode::ManifestMismatch,
            cause: format!("the signed manifest does not hold this state of {}", shown(&names)).into(),
            hints: vec![
                "whoever wrote it has not signed for it: `leaflock diff --names` shows what changed"
                    .to_owned(),
                match names.len() {
                    1..=FEW => {
                        format!("`leaflock agent sync --accept {}` takes it over", names.join(" --accept "))
                    }
                    count => format!("`leaflock agent sync --accept .` takes all {count} over"),
                },
            ],
        };
        Err(overtaken::confirm(self.deps, self.authority, None, mismatch))
    }

    /// A source and what is made from it.
    fn source(&mut self, source: &Source, data_key: Option<&DataKey>) -> Result<(), Error> {
        let place = source.place();
        let locked = Locked::parse(&source.bytes, source.format(), &place)?;
        let entry = manifest::Source {
            sha256: source.sha256.clone(),
            recipients: sources::recipients(&locked.metadata),
        };
        self.refuse_strangers(source, &entry.recipients)?;
        self.plan.manifest.sources.insert(source.name.clone(), entry);
        let Authority { policy, revocations, .. } = self.authority;
        let of = |it: &'p Principal| Some((it, policy.compiled(revocations, &it.name, &source.name)?));
        let compiled: Vec<(&Principal, Compiled<'_>)> = policy.principals.values().filter_map(of).collect();
        let opened = match (is_wanted(&locked, &compiled), data_key) {
            (false, _) => None,
            (true, Some(data_key)) => Some(compile::made(&source.bytes, source.format(), &place, data_key)?),
            (true, None) => {
                // Whether somebody signed for it, or takes it over, is settled.
                let open = OpenOptions { only_looks: true, ..self.open.to(Action::Sync) };
                Some(compile::opened(&locked.unlock(self.deps, &open)?)?)
            }
        };
        for (principal, compiled) in &compiled {
            let view = opened.as_ref().and_then(|opened| self.view(principal, compiled, opened));
            match (view, &opened) {
                (Some(view), Some(opened)) => self.derived(source, principal, &view, opened)?,
                _ => self.gone(&derived_path(&principal.name, &source.name))?,
            }
        }
        Ok(())
    }

    /// Refuses a source that is encrypted for somebody whom the policy does not list; where
    /// it lists nobody, those who are new are named. `.sops.yaml` says for whom a file is
    /// encrypted, and nobody signs that.
    fn refuse_strangers(&mut self, source: &Source, recipients: &[String]) -> Result<(), Error> {
        let strangers = sources::strangers(&self.authority.policy, &source.name, recipients);
        if !strangers.is_empty() {
            return Err(Error::Integrity {
                place: source.place(),
                code: DenyCode::ManifestMismatch,
                cause: format!("the policy does not list {} for this source", strangers.join(", ")).into(),
                hints: vec![
                    "whose key it is has to be in `sources:` of the policy, under `recipients:`; if it does not \
                     belong there, look who put it into .sops.yaml, then `leaflock updatekeys` takes it out"
                        .to_owned(),
                ],
            });
        }
        let is_listed = self.authority.policy.source_recipients(&source.name).is_some();
        let Some(old) = self.old.sources.get(&source.name).filter(|_| !is_listed) else { return Ok(()) };
        let new: Vec<&str> =
            recipients.iter().filter(|key| !old.recipients.contains(key)).map(String::as_str).collect();
        if !new.is_empty() {
            let text = format!("{} can be opened by {} from now on", source.name, new.join(", "));
            let hint = "`sources:` with `recipients:` in the policy says who may; others are then refused";
            self.plan.notices.push(Notice::warning(text).with_hint(hint));
        }
        Ok(())
    }

    fn view(&mut self, principal: &Principal, compiled: &Compiled<'_>, opened: &Opened) -> Option<View> {
        let view = View::cut(&opened.documents, &|path| compiled.holds(path))?;
        if principal.age.is_empty() {
            let text = format!("{} has no age recipient: no file can be made for it", principal.name);
            let notice = Notice::warning(text);
            if !self.plan.notices.contains(&notice) {
                self.plan.notices.push(notice);
            }
            return None;
        }
        Some(view)
    }

    fn derived(
        &mut self,
        source: &Source,
        principal: &Principal,
        view: &View,
        opened: &Opened,
    ) -> Result<(), Error> {
        let name = derived_path(&principal.name, &source.name);
        let path = self.authority.root.join(&name);
        let mut secrets: Vec<String> = view.paths.iter().map(|path| show_path(path)).collect();
        secrets.sort();
        let mut entry = Derived {
            agent: principal.name.clone(),
            source: source.name.clone(),
            sha256: String::new(),
            recipients: recipients(self.authority, principal),
            secrets,
            mark: view.mark(&principal.name, &opened.data_key),
        };
        let there = self.deps.files.read_if_there(&path).map_err(Error::Read)?;
        if let (Some(old), Some(there)) = (self.old.derived.get(&name), &there) {
            entry.sha256.clone_from(&old.sha256);
            if entry == *old
                && digest::hex_of(&there.bytes) == old.sha256
                && self.is_sealed(source, &path, &there.bytes)?
            {
                self.plan.kept += 1;
                self.plan.manifest.derived.insert(name, entry);
                return Ok(());
            }
        }
        let place = Place::file(&path);
        let format = source.format();
        let bytes = compile::derived(self.deps, &view.documents, format, &entry.recipients, &place)?;
        entry.sha256 = digest::hex_of(&bytes);
        self.plan.manifest.derived.insert(name.clone(), entry);
        self.plan.made.push(name);
        self.plan.writes.push(match there {
            Some(there) => Write::read(path, bytes, there.fingerprint),
            None => Write::new(path, bytes),
        });
        Ok(())
    }

    /// True if the file has the seal that settings may ask for since it was made.
    fn is_sealed(&self, source: &Source, path: &Path, bytes: &[u8]) -> Result<bool, Error> {
        let wanted = Wanted::by_new(self.deps, Some(path), false)?;
        let format = Format::of_path(&source.name);
        Ok(Locked::parse(bytes, format, &Place::file(path)).is_ok_and(|file| wanted.is_had_by(&file)))
    }

    /// A derived file goes, if there is one.
    fn gone(&mut self, name: &str) -> Result<(), Error> {
        let path = self.authority.root.join(name);
        let Some(there) = self.deps.files.read_if_there(&path).map_err(Error::Read)? else { return Ok(()) };
        self.plan.removed.push(name.to_owned());
        self.plan.writes.push(Write::removing(path, there.fingerprint));
        Ok(())
    }

    /// Every other file below the folder of derived files goes.
    fn sweep(&mut self) -> Result<(), Error> {
        let planned: BTreeSet<PathBuf> = self.plan.writes.iter().map(|write| write.path.clone()).collect();
        for (name, path) in sources::derived(self.deps, &self.authority.root)? {
            if !planned.contains(&path) && !self.plan.manifest.derived.contains_key(&name) {
                self.gone(&name)?;
            }
        }
        Ok(())
    }
}

/// True if somebody may have something of the source: its keys are in the clear.
fn is_wanted(locked: &Locked<'_>, compiled: &[(&Principal, Compiled<'_>)]) -> bool {
    // What an alias stands for has paths of its own.
    locked.tree.nodes.iter().any(|node| node.kind == Kind::Alias)
        || leaves::paths(&locked.tree).iter().any(|path| compiled.iter().any(|(_, it)| it.holds(path)))
}

fn names_of<'s>(sources: impl IntoIterator<Item = &'s Source>) -> BTreeSet<&'s str> {
    sources.into_iter().map(|source| source.name.as_str()).collect()
}
