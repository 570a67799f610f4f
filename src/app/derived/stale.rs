//! What of the derived files is out of date, told without any key: by the manifest, the
//! policy, and the bytes on the disk. Names, never values.

use std::collections::BTreeSet;
use std::path::Path;

use super::plan;
use super::sources;
use crate::app::Deps;
use crate::app::agent::authority::Authority;
use crate::app::error::Error;
use crate::app::open::Locked;
use crate::domain::agent::leaves;
use crate::domain::agent::manifest::{Derived, Manifest, derived_path};
use crate::domain::agent::pattern::show_path;
use crate::domain::digest;
use crate::domain::tree::Kind;

/// Why something is stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// There is no manifest: nothing was ever synced.
    NoManifest,
    /// The manifest holds conflicts of a merge.
    Conflict,
    /// The policy is not the one that the manifest was made by.
    Policy,
    /// A right was taken away since.
    Revocation,
    /// A source is not what the manifest holds.
    SourceChanged,
    /// A source that the manifest does not hold.
    SourceUnlisted,
    /// A source of the manifest is not there, or is none any more.
    SourceGone,
    /// A derived file is not what the manifest holds.
    DerivedChanged,
    /// A derived file of the manifest is not there.
    DerivedMissing,
    /// A file where derived files lie that the manifest does not hold.
    DerivedUnlisted,
    /// A source or derived file has other recipients than the policy says.
    Recipients,
    /// A derived file holds other secrets than the policy says, or should not be there.
    Secrets,
}

impl Reason {
    /// For programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoManifest => "no_manifest",
            Self::Conflict => "conflict",
            Self::Policy => "policy",
            Self::Revocation => "revocation",
            Self::SourceChanged => "source_changed",
            Self::SourceUnlisted => "source_unlisted",
            Self::SourceGone => "source_gone",
            Self::DerivedChanged => "derived_changed",
            Self::DerivedMissing => "derived_missing",
            Self::DerivedUnlisted => "derived_unlisted",
            Self::Recipients => "recipients",
            Self::Secrets => "secrets",
        }
    }

    /// For people, behind the name of the file.
    pub fn text(self) -> &'static str {
        match self {
            Self::NoManifest => "does not exist: nothing was synced yet",
            Self::Conflict => "has conflicts of a merge",
            Self::Policy => "is newer than the manifest",
            Self::Revocation => "takes something away that the derived files still hold",
            Self::SourceChanged => "changed, and nobody signed for it",
            Self::SourceUnlisted => "is new, and nobody signed for it",
            Self::SourceGone => "is no source any more",
            Self::DerivedChanged => "is not the file that was signed for",
            Self::DerivedMissing => "is missing",
            Self::DerivedUnlisted => "is a file that nobody signed for",
            Self::Recipients => "is for other recipients than the policy says",
            Self::Secrets => "holds other secrets than the policy says",
        }
    }

    /// True where somebody may have put something in the place of what was signed.
    pub fn is_mismatch(self) -> bool {
        matches!(
            self,
            Self::SourceChanged | Self::SourceUnlisted | Self::DerivedChanged | Self::DerivedUnlisted
        )
    }
}

/// Something that is stale.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stale {
    /// The file, from the policy's folder.
    pub file: String,
    /// Why.
    pub reason: Reason,
}

/// Everything that a sync would change, sorted by file.
pub fn all(deps: &Deps<'_>, authority: &Authority) -> Result<Vec<Stale>, Error> {
    use crate::domain::agent::{manifest, policy};
    let mut found = Vec::new();
    let mut add = |file: &str, reason| found.push(Stale { file: file.to_owned(), reason });
    let Some(manifest) = &authority.manifest else {
        add(manifest::PLACE, Reason::NoManifest);
        return Ok(found);
    };
    if authority.is_conflicted {
        add(manifest::PLACE, Reason::Conflict);
    }
    if manifest.policy != authority.policy_digest {
        add(policy::PLACE, Reason::Policy);
    }
    if plan::revocations(authority).iter().any(|digest| !manifest.revocations.contains_key(digest)) {
        add(policy::REVOCATIONS, Reason::Revocation);
    }
    let sources = sources::all(deps, &authority.root, &authority.policy)?;
    let mut unchanged = BTreeSet::new();
    for source in &sources {
        match manifest.sources.get(&source.name) {
            None => add(&source.name, Reason::SourceUnlisted),
            Some(known) if known.sha256 != source.sha256 => add(&source.name, Reason::SourceChanged),
            Some(_) => {
                unchanged.insert(source.name.as_str());
                let locked = Locked::parse(&source.bytes, source.format(), &source.place())?;
                let recipients = sources::recipients(&locked.metadata);
                if !sources::strangers(&authority.policy, &source.name, &recipients).is_empty() {
                    add(&source.name, Reason::Recipients);
                }
                for (name, reason) in rights(authority, manifest, &source.name, &locked) {
                    add(&name, reason);
                }
            }
        }
    }
    let there: BTreeSet<&str> = sources.iter().map(|source| source.name.as_str()).collect();
    for name in manifest.sources.keys().filter(|name| !there.contains(name.as_str())) {
        add(name, Reason::SourceGone);
    }
    let is_nobodys = |file: &Derived| {
        unchanged.contains(file.source.as_str()) && !authority.policy.principals.contains_key(&file.agent)
    };
    for (name, _) in manifest.derived.iter().filter(|(_, file)| is_nobodys(file)) {
        add(name, Reason::Secrets);
    }
    for (name, reason) in files(deps, &authority.root, manifest)? {
        add(&name, reason);
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// The derived files of a source whose recipients or secrets are not those of the policy.
fn rights(
    authority: &Authority,
    manifest: &Manifest,
    source: &str,
    locked: &Locked<'_>,
) -> Vec<(String, Reason)> {
    let Authority { policy, revocations, .. } = authority;
    // What an alias stands for has paths that only the values tell.
    let has_alias = locked.tree.nodes.iter().any(|node| node.kind == Kind::Alias);
    let paths = leaves::paths(&locked.tree);
    let mut found = Vec::new();
    for principal in policy.principals.values() {
        let name = derived_path(&principal.name, source);
        let compiled = policy.compiled(revocations, &principal.name, source);
        let may_have = |path: &&Vec<String>| compiled.as_ref().is_some_and(|it| it.holds(path));
        let mut wanted: Vec<String> = paths.iter().filter(may_have).map(|path| show_path(path)).collect();
        wanted.sort();
        if principal.age.is_empty() {
            wanted.clear();
        }
        match manifest.derived.get(&name) {
            None if wanted.is_empty() || has_alias => {}
            Some(file) if file.secrets == wanted || has_alias => {
                if file.recipients != plan::recipients(authority, principal) {
                    found.push((name, Reason::Recipients));
                }
            }
            _ => found.push((name, Reason::Secrets)),
        }
    }
    found
}

/// The derived files that are not what the manifest holds.
fn files(deps: &Deps<'_>, root: &Path, manifest: &Manifest) -> Result<Vec<(String, Reason)>, Error> {
    let there = sources::derived(deps, root)?;
    let mut found = Vec::new();
    for (name, path) in &there {
        match manifest.derived.get(name) {
            None => found.push((name.clone(), Reason::DerivedUnlisted)),
            Some(known) => {
                let bytes = deps.files.read(path).map_err(Error::Read)?.bytes;
                if digest::hex_of(&bytes) != known.sha256 {
                    found.push((name.clone(), Reason::DerivedChanged));
                }
            }
        }
    }
    let there: BTreeSet<&String> = there.iter().map(|(name, _)| name).collect();
    let missing = manifest.derived.keys().filter(|name| !there.contains(name));
    found.extend(missing.map(|name| (name.clone(), Reason::DerivedMissing)));
    Ok(found)
}
