//! Secrets by their paths: which encrypted files hold a path, who asks, and what the
//! policy lets them do with it. No key is needed. Where there is no policy, every
//! encrypted file of the repository counts, and nobody is an agent.

use std::path::{Path, PathBuf};

use super::Deps;
use super::absent::nothing_at;
use super::agent::refusal::not_granted;
use super::agent::root;
use super::agent::{authority, listed};
use super::can::wrong;
use super::error::{Error, Place};
use super::governed;
use super::request::Notice;
use crate::domain::agent::leaves::{Held, Source, holders};
use crate::domain::agent::pattern::{parse_path, show_path};
use crate::domain::agent::policy::{Decision, Level, Policy, Revocation, Subject};

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// An agent of the policy.
    Agent(String),
    /// Another principal, or somebody that the policy does not know.
    Other(Option<String>),
}

impl Caller {
    /// The name that the policy has for it.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Agent(name) => Some(name),
            Self::Other(name) => name.as_deref(),
        }
    }
}

/// The encrypted files around the working folder.
#[derive(Debug)]
pub struct Site {
    /// The folder that paths of files are told from.
    pub root: PathBuf,
    /// What the policy says, if there is one.
    pub policy: Option<Policy>,
    /// Signed denials beside it.
    pub revocations: Vec<Revocation>,
    /// Who asks.
    pub caller: Caller,
    /// The files.
    pub sources: Vec<Source>,
    /// Sources of the signed manifest that cannot be read as such any more.
    pub lost: Vec<PathBuf>,
    /// What to say on the side.
    pub notices: Vec<Notice>,
}

/// Looks at the files around the working folder.
///
/// # Errors
/// A policy that cannot be read, files that cannot be listed.
pub fn site(deps: &Deps<'_>) -> Result<Site, Error> {
    site_around(deps, Path::new("."))
}

fn site_around(deps: &Deps<'_>, folder: &Path) -> Result<Site, Error> {
    // Only where there is no policy at all nobody is bound by it: one that is gone by the
    // time it is read is an error.
    if authority::find_root(deps, folder)?.is_none() {
        root::refuse_vanished(deps, folder)?;
        return without_policy(deps);
    }
    let governed = governed::load_around(deps, folder)?;
    Ok(Site {
        root: governed.root,
        caller: caller(deps, &governed.policy),
        policy: Some(governed.policy),
        revocations: governed.revocations,
        sources: governed.sources,
        lost: Vec::new(),
        notices: governed.notices,
    })
}

/// The same for opening values: where a policy is, it must verify. The policy around
/// `file` counts, if one is named: it is the one that says who may have what is in there.
///
/// # Errors
/// [`Error::Integrity`] for whatever does not; else as [`site`].
pub fn site_to_open(deps: &Deps<'_>, file: Option<&Path>) -> Result<Site, Error> {
    let file = file.map(|file| deps.files.absolute(file)).transpose().map_err(Error::Read)?;
    let folder = file.as_deref().and_then(Path::parent).unwrap_or(Path::new("."));
    let Some(root) = authority::find_root(deps, folder)? else { return site_around(deps, folder) };
    let authority = authority::load(deps, &root)?;
    let (policy, revocations) = (authority.policy.clone(), authority.revocations.clone());
    let site = site_around(deps, folder)?;
    let listed = authority.manifest.iter().flat_map(|manifest| manifest.sources.keys());
    let lost = listed.filter(|name| site.sources.iter().all(|source| source.path != **name));
    let lost = lost.map(|name| authority.root.join(name)).collect();
    Ok(Site { caller: caller(deps, &policy), policy: Some(policy), revocations, lost, ..site })
}

fn without_policy(deps: &Deps<'_>) -> Result<Site, Error> {
    let here = deps.files.absolute(Path::new(".")).map_err(Error::Read)?;
    let place = deps.repository.place(&here).map_err(Error::Read)?;
    let root = place.and_then(|place| place.top).unwrap_or(here);
    let (sources, notices) = governed::sources(deps, &root, &Policy::default())?;
    let caller = Caller::Other(None);
    let lost = Vec::new();
    Ok(Site { root, policy: None, revocations: Vec::new(), caller, sources, lost, notices })
}

/// Who asks: the principal of the signing key, else that of an age identity. Somebody
/// who has the identities of agents beside one of his own is himself.
fn caller(deps: &Deps<'_>, policy: &Policy) -> Caller {
    let key = deps.signers.public_key(None).ok().flatten();
    let by_key = key.as_ref().and_then(|key| policy.principal_of_key(&key.to_string()));
    let principal = by_key.or_else(|| {
        let identities = deps.keys.survey(false).places;
        let has = |recipient: &String| identities.iter().any(|place| place.identities.contains(recipient));
        let own = || policy.principals.values().filter(|principal| principal.age.iter().any(has));
        own().find(|principal| !principal.is_agent()).or_else(|| own().next())
    });
    match principal {
        Some(principal) if principal.is_agent() => Caller::Agent(principal.name.clone()),
        principal => Caller::Other(principal.map(|principal| principal.name.clone())),
    }
}

impl Site {
    /// The file that is called so, from the folder of the policy or from the working
    /// folder.
    ///
    /// # Errors
    /// It is none of these files.
    pub fn source(&self, deps: &Deps<'_>, file: &Path) -> Result<&Source, Error> {
        let absolute = deps.files.absolute(file).map_err(Error::Read)?;
        let real = |path: &Path| deps.files.real(path).unwrap_or_else(|_| path.to_owned());
        let (root, absolute) = (real(&self.root), real(&absolute));
        let is_meant = |it: &&Source| Path::new(&it.path) == file || root.join(&it.path) == absolute;
        self.sources.iter().find(is_meant).ok_or_else(|| Error::NotFound {
            place: Place::default(),
            message: format!("{} is no encrypted file that is known here", file.display()),
            hints: vec!["`leaflock list` names the files".to_owned()],
        })
    }

    /// The files that hold something at or below `path`.
    ///
    /// # Errors
    /// There is none, or the file that is asked about is unknown.
    pub fn holders(
        &self,
        deps: &Deps<'_>,
        path: &[String],
        file: Option<&Path>,
    ) -> Result<Vec<Held<'_>>, Error> {
        let only = file.map(|file| self.source(deps, file)).transpose()?;
        let asked = || self.sources.iter().filter(|it| only.is_none_or(|only| only.path == it.path));
        let held = holders(asked(), path);
        if !held.is_empty() {
            return Ok(held);
        }
        self.refuse_lost(deps)?;
        let message = format!("no encrypted file holds {}", show_path(path));
        Err(nothing_at(message, path, asked().flat_map(|source| &source.leaves)))
    }

    /// Refuses to say that nothing is there while a source is damaged.
    fn refuse_lost(&self, deps: &Deps<'_>) -> Result<(), Error> {
        for path in &self.lost {
            if let Some(contents) = deps.files.read_if_there(path).map_err(Error::Read)? {
                listed::check(deps, Some(path), &contents.bytes)?;
            }
        }
        Ok(())
    }

    /// The one file that holds the one value `path`.
    ///
    /// # Errors
    /// No file holds it, or several do, or it is more than a value.
    pub fn holder(&self, deps: &Deps<'_>, path: &[String], file: Option<&Path>) -> Result<&Source, Error> {
        let holders = self.holders(deps, path, file)?;
        let (exact, wider): (Vec<_>, Vec<_>) =
            holders.into_iter().partition(|(_, leaves)| leaves.iter().any(|leaf| leaf.as_slice() == path));
        let shown = show_path(path);
        match (&exact[..], &wider[..]) {
            ([(source, _)], _) => Ok(source),
            ([], wider) => {
                let count: usize = wider.iter().map(|(_, leaves)| leaves.len()).sum();
                Err(Error::Conflict {
                    message: format!("{shown} is not one value: {count} are below it"),
                    hints: vec![format!("`leaflock list {shown}` names them")],
                })
            }
            (several, _) => {
                let files: Vec<&str> = several.iter().map(|(source, _)| source.path.as_str()).collect();
                Err(Error::Conflict {
                    message: format!("{shown} is in several files: {}", files.join(", ")),
                    hints: vec!["--file SOURCE says which one is meant".to_owned()],
                })
            }
        }
    }

    /// What the policy lets the caller do with a leaf; `None` for those whom it does not
    /// bind: people open what their keys open.
    pub fn decide(&self, source: &str, path: &[String]) -> Option<Decision> {
        let (Some(policy), Caller::Agent(agent)) = (&self.policy, &self.caller) else { return None };
        Some(policy.decide(&self.revocations, &Subject { agent, source, path }))
    }

    /// Refuses an agent that may do none of `levels` with a leaf.
    ///
    /// # Errors
    /// [`Error::Denied`], with the rule that decides.
    pub fn demand(&self, source: &str, path: &[String], levels: &[Level]) -> Result<(), Error> {
        let (Some(decision), Caller::Agent(agent)) = (self.decide(source, path), &self.caller) else {
            return Ok(());
        };
        if levels.iter().any(|level| decision.levels.has(*level)) {
            return Ok(());
        }
        Err(not_granted(&Subject { agent, source, path }, &decision, levels))
    }
}

/// A path of the command line.
///
/// # Errors
/// It is none, or has wildcards.
pub fn path(text: &str) -> Result<Vec<String>, Error> {
    parse_path(text).map_err(wrong)
}
