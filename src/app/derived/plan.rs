//! The next state of all derived files and of the manifest, by the policy and the sources
//! as they stand, or are about to.
//!
//! A derived file is kept byte for byte as long as it is what the manifest lists, for the
//! recipients that it should have, and its mark says that it holds what it should.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::compile::{self, Opened};
use super::sources::{self, Source};
use crate::app::Deps;
use crate::app::agent::authority::Authority;
use crate::app::agent::manifest_file;
use crate::app::error::{Error, Place};
use crate::app::open::Locked;
use crate::app::ports::Fingerprint;
use crate::app::request::{Notice, OpenOptions};
use crate::app::sealing::Wanted;
use crate::domain::agent::audit::entry::Action;
use crate::domain::agent::denial::DenyCode;
use crate::domain::agent::leaves;
use crate::domain::agent::manifest::{self, Derived, Manifest, derived_path};
use crate::domain::agent::pattern::show_path;
use crate::domain::agent::policy::{self, Principal};
use crate::domain::agent::view::{self, View};
use crate::domain::crypto::data_key::DataKey;
use crate::domain::digest;
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

/// A file that changes.
#[derive(Debug)]
pub struct Write {
    /// The file, absolute.
    pub path: PathBuf,
    /// Its new bytes; `None` if it goes.
    pub bytes: Option<SecretBytes>,
    /// Its state before; `None` if it is new.
    pub seen: Option<Fingerprint>,
    /// False if it is new.
    pub exists: bool,
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
        && old.revocations == revocations(authority);
    let new = Manifest {
        repo: authority.policy.repo.clone().unwrap_or_default(),
        policy: authority.policy_digest.clone(),
        revocations: listed(authority, &old),
        ..old.clone()
    };
    let plan = Plan { manifest: new, ..Plan::default() };
    let mut planner = Planner { deps, authority, old, accept, open, plan };
    match is_current && !fresh.is_empty() {
        true => planner.some(fresh)?,
        false => planner.all(fresh)?,
    }
    let Planner { mut plan, old, .. } = planner;
    refuse_gone(authority, &old, &plan.manifest)?;
    let is_new = authority.manifest.is_none() || authority.is_conflicted;
    plan.is_change = is_new || plan.manifest != old || !plan.writes.is_empty();
    if plan.is_change {
        plan.manifest.serial = old.serial.max(authority.manifest_serial).saturating_add(1);
    }
    Ok(plan)
}

/// The digests of the revocations in force.
pub fn revocations(authority: &Authority) -> BTreeSet<String> {
    authority.revocations.iter().map(|it| it.digest.clone()).collect()
}

/// The revocations that a manifest lists. Where a new policy has taken the place of some,
/// they are listed once more, so that others know that they may go.
fn listed(authority: &Authority, old: &Manifest) -> BTreeSet<String> {
    let mut listed = revocations(authority);
    if old.policy != authority.policy_digest {
        listed.extend(old.revocations.iter().cloned());
    }
    listed
}

/// Refuses to give back what a revocation took, only because its line is gone: it takes
/// another policy.
fn refuse_gone(authority: &Authority, old: &Manifest, new: &Manifest) -> Result<(), Error> {
    let gone = old.revocations.difference(&new.revocations).next();
    let gains = |(name, file): (&String, &Derived)| {
        let had = old.derived.get(name).map(|file| file.secrets.as_slice()).unwrap_or_default();
        file.secrets.iter().any(|secret| !had.contains(secret))
    };
    if gone.is_none() || old.policy != new.policy || !new.derived.iter().any(gains) {
        return Ok(());
    }
    Err(Error::Integrity {
        place: Place::file(authority.root.join(policy::REVOCATIONS)),
        code: DenyCode::PolicyStale,
        cause: "a revocation that the derived files heed is gone, and its agent would get back what it took"
            .into(),
        hints: vec![
            "restore the file from git; who gives a right back signs a policy with a higher serial"
                .to_owned(),
        ],
    })
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

impl Planner<'_> {
    /// Only what is made from `fresh` sources.
    fn some(&mut self, fresh: &[Fresh<'_>]) -> Result<(), Error> {
        for file in fresh {
            let Some(source) = self.source_of(file) else { continue };
            self.source(&source, file.data_key)?;
        }
        Ok(())
    }

    /// Everything, with `fresh` sources in place of what they replace.
    fn all(&mut self, fresh: &[Fresh<'_>]) -> Result<(), Error> {
        let mut found = sources::all(self.deps, &self.authority.root, &self.authority.policy)?;
        let of = |file: &Fresh<'_>| Some((self.source_of(file)?, file.data_key.cloned()));
        let new: Vec<(Source, Option<DataKey>)> = fresh.iter().filter_map(of).collect();
        found.retain(|source| !new.iter().any(|(new, _)| new.name == source.name));
        self.check(&found)?;
        let (sources, derived) =
            (std::mem::take(&mut self.plan.manifest.sources), &mut self.plan.manifest.derived);
        derived.clear();
        self.plan.notices.extend(
            sources
                .keys()
                .filter(|name| {
                    let now = found.iter().chain(new.iter().map(|(source, _)| source));
                    !now.into_iter().any(|source| source.name == **name)
                })
                .map(|name| Notice::note(format!("{name} is no source any more"))),
        );
        for source in found {
            self.source(&source, None)?;
        }
        for (source, data_key) in &new {
            self.source(source, data_key.as_ref())?;
        }
        self.sweep()
    }

    fn source_of(&self, file: &Fresh<'_>) -> Option<Source> {
        // A source is known by its own name, not by those of links to it.
        let path = match self.deps.files.is_link(file.path) {
            true => self.deps.files.real(file.path).ok()?,
            false => file.path.to_owned(),
        };
        let name = sources::name_of(&self.authority.root, &path)?;
        Some(Source {
            name,
            path,
            bytes: SecretBytes::new(file.bytes.to_vec()),
            seen: None,
            sha256: digest::hex(file.bytes),
        })
    }

    /// Refuses sources that somebody changed or put there whom nobody has looked after.
    fn check(&mut self, found: &[Source]) -> Result<(), Error> {
        if self.authority.manifest.is_none() {
            self.plan.accepted = found.iter().map(|source| source.name.clone()).collect();
            return Ok(());
        }
        let differs =
            |source: &&Source| self.old.sources.get(&source.name).is_none_or(|it| it.sha256 != source.sha256);
        let (accepted, refused): (Vec<&Source>, Vec<&Source>) =
            found.iter().filter(differs).partition(|source| self.accept.names.contains(&source.name));
        self.plan.accepted = accepted.iter().map(|source| source.name.clone()).collect();
        let Some(first) = refused.first() else { return Ok(()) };
        let names: Vec<&str> = refused.iter().map(|source| source.name.as_str()).collect();
        Err(Error::Integrity {
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
        })
    }

    /// A source and what is made from it.
    fn source(&mut self, source: &Source, data_key: Option<&DataKey>) -> Result<(), Error> {
        let place = source.place();
        let locked = Locked::parse(&source.bytes, source.format(), &place)?;
        let entry = manifest::Source {
            sha256: source.sha256.clone(),
            recipients: sources::recipients(&locked.metadata),
        };
        self.plan.manifest.sources.insert(source.name.clone(), entry);
        self.plan.manifest.derived.retain(|_, file| file.source != source.name);
        let opened = match (self.is_wanted(source, &locked), data_key) {
            (false, _) => None,
            (true, Some(data_key)) => Some(compile::made(&source.bytes, source.format(), &place, data_key)?),
            (true, None) => {
                // Whether somebody signed for it, or takes it over, is settled.
                let open = OpenOptions { only_looks: true, ..self.open.to(Action::Sync) };
                Some(compile::opened(&locked.unlock(self.deps, &open)?)?)
            }
        };
        for principal in self.authority.policy.principals.values() {
            let view = opened.as_ref().and_then(|opened| self.view(source, principal, opened));
            match (view, &opened) {
                (Some(view), Some(opened)) => self.derived(source, principal, &view, opened)?,
                _ => self.gone(&derived_path(&principal.name, &source.name))?,
            }
        }
        Ok(())
    }

    /// True if somebody may have something of the source: its keys are in the clear.
    fn is_wanted(&self, source: &Source, locked: &Locked<'_>) -> bool {
        // What an alias stands for has paths of its own.
        locked.tree.nodes.iter().any(|node| node.kind == Kind::Alias)
            || leaves::paths(&locked.tree).iter().any(|path| {
                self.authority.policy.principals.values().any(|it| self.may_have(it, &source.name, path))
            })
    }

    fn may_have(&self, principal: &Principal, source: &str, path: &[String]) -> bool {
        let Authority { policy, revocations, .. } = self.authority;
        view::keeps(path, &|path| policy.is_compiled_for(revocations, &principal.name, source, path))
    }

    fn view(&mut self, source: &Source, principal: &Principal, opened: &Opened) -> Option<View> {
        let view = View::cut(&opened.documents, &|path| self.may_have(principal, &source.name, path))?;
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
                && digest::hex(&there.bytes) == old.sha256
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
        entry.sha256 = digest::hex(&bytes);
        self.plan.manifest.derived.insert(name.clone(), entry);
        self.plan.made.push(name);
        let exists = there.is_some();
        let seen = there.and_then(|there| there.fingerprint);
        self.plan.writes.push(Write { path, bytes: Some(bytes), seen, exists });
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
        self.plan.writes.push(Write { path, bytes: None, seen: there.fingerprint, exists: true });
        Ok(())
    }

    /// Every other file below the folder of derived files goes.
    fn sweep(&mut self) -> Result<(), Error> {
        for (name, path) in sources::derived(self.deps, &self.authority.root)? {
            let is_planned = self.plan.writes.iter().any(|write| write.path == path);
            if !is_planned && !self.plan.manifest.derived.contains_key(&name) {
                self.gone(&name)?;
            }
        }
        Ok(())
    }
}
