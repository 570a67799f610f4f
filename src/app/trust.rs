//! Whose signatures count for the policies on this machine: see, add, remove, and move
//! on to a list that was changed.

use std::path::{Path, PathBuf};

use super::Deps;
use super::agent::authority::{self, Authority};
use super::agent::refusal::{refused, untold};
use super::agent::root;
use super::agent::signer_chain;
use super::agent::signing;
use super::agent::write::{self, Write};
use super::audit::record;
use super::error::{Error, Place};
use super::ports::Contents;
use super::request::Notice;
use crate::domain::agent::allowed_signers::AllowedSigners;
use crate::domain::agent::audit::entry::Action;
use crate::domain::agent::denial::DenyCode;
use crate::domain::agent::policy;
use crate::domain::agent::signer_list;
use crate::domain::agent::trust::Pin;
use crate::domain::digest;

/// A repository whose signers are trusted.
#[derive(Clone, Debug)]
pub struct Trusted {
    /// The `repo` of its policy.
    pub repo: String,
    /// The digest of the list of allowed signers.
    pub digest: String,
    /// Since when: RFC 3339, UTC.
    pub since: String,
    /// Where the repository was then.
    pub place: String,
    /// The signers.
    pub signers: AllowedSigners,
    /// True for the repository that the call is made in.
    pub is_here: bool,
}

/// All pins, that of the repository around `folder` first.
pub fn list(deps: &Deps<'_>, folder: &Path) -> Result<Vec<Trusted>, Error> {
    let here = here(deps, folder)?;
    let pins = deps.trust.pins().map_err(untold)?;
    let mut all: Vec<Trusted> = pins.0.values().map(|pin| trusted(pin, here.as_deref())).collect();
    all.sort_by_key(|it| !it.is_here);
    Ok(all)
}

/// The `repo` of the policy around `folder`, as it says itself.
fn here(deps: &Deps<'_>, folder: &Path) -> Result<Option<String>, Error> {
    let Some(root) = authority::find_root(deps, folder)? else { return Ok(None) };
    let found = deps.files.read_if_there(&root.join(policy::PLACE)).map_err(Error::Read)?;
    Ok(found.and_then(|contents| policy::Policy::parse(&contents.bytes).ok()?.repo))
}

fn trusted(pin: &Pin, here: Option<&str>) -> Trusted {
    Trusted {
        repo: pin.repo.clone(),
        digest: pin.digest(),
        since: pin.since.clone(),
        place: pin.place.clone(),
        signers: AllowedSigners::parse(pin.list.as_bytes()).unwrap_or_default(),
        is_here: here == Some(pin.repo.as_str()),
    }
}

/// What to trust.
#[derive(Clone, Debug)]
pub enum What {
    /// The list with this digest: the one that is there, or one that the one there follows from.
    Digest(String),
    /// The list that is there, whatever it is.
    Anything,
    /// The list that is there, if the person at the terminal agrees.
    Ask,
}

/// Trusts a list of allowed signers of the repository around `folder`, once the policy
/// is shown to be signed by it.
pub fn add(deps: &Deps<'_>, folder: &Path, what: &What) -> Result<Trusted, Error> {
    let root = root::around(deps, folder)?;
    let path = root.join(signer_list::PLACE);
    let current = deps.files.read(&path).map_err(Error::Read)?.bytes.to_vec();
    let found = digest::of(&current);
    let list = match what {
        What::Digest(wanted) if *wanted != found => {
            let list = signer_chain::in_history(deps, &root, wanted)?.ok_or_else(|| {
                refused(
                    &path,
                    DenyCode::UntrustedSigners,
                    format!("the list of allowed signers here is another one: {found}"),
                    "ask whoever gave you the digest; somebody may have changed the list",
                )
            })?;
            let trusted = [(wanted.clone(), Some(list.clone()))].into();
            signer_chain::follow(deps, &root, &current, &trusted, &deps.clock.now())?;
            list
        }
        _ => current.clone(),
    };
    let candidate = authority::unpinned(deps, &root)?;
    if matches!(what, What::Ask) {
        authority::ask(deps, &candidate)?;
    }
    authority::pin(deps, &candidate, &list)?;
    let authority = authority::load_to_remake(deps, &root)?;
    let pins = deps.trust.pins().map_err(untold)?;
    pins.0.get(authority.repo()).map(|pin| trusted(pin, Some(authority.repo()))).ok_or_else(|| {
        refused(&path, DenyCode::UntrustedSigners, "the pin is gone again", "run the command once more")
    })
}

/// Stops trusting: the repository with that `repo` or list digest, else the one around
/// `folder`. What was seen of its policies is kept.
pub fn remove(deps: &Deps<'_>, folder: &Path, which: Option<&str>) -> Result<Vec<Trusted>, Error> {
    let root = authority::find_root(deps, folder)?;
    let clone = root.as_deref().map(|root| authority::clone_of(deps, root)).transpose()?;
    let own = match &clone {
        Some(clone) => deps.trust.marks().map_err(untold)?.clones.get(clone).cloned(),
        None => None,
    };
    let here = own.or(here(deps, folder)?);
    let is_meant = |pin: &Pin| match which {
        Some(which) => pin.repo == which || pin.digest() == which,
        None => here.as_deref() == Some(pin.repo.as_str()),
    };
    let pins = deps.trust.pins().map_err(untold)?;
    let removed: Vec<Trusted> =
        pins.0.values().filter(|pin| is_meant(pin)).map(|pin| trusted(pin, None)).collect();
    let is_gone = |repo: &String| {
        removed.iter().any(|it| it.repo == *repo)
            || which.map_or(here.as_ref() == Some(repo), |which| which == repo.as_str())
    };
    let marks = deps.trust.marks().map_err(untold)?;
    if removed.is_empty() && !marks.clones.values().any(is_gone) {
        return Err(Error::NotFound {
            place: Place::default(),
            message: "nothing of that name is trusted".to_owned(),
            hints: vec!["`leaflock trust list` shows what is".to_owned()],
        });
    }
    deps.trust.change_pins(&mut |pins| pins.0.retain(|_, pin| !is_meant(pin))).map_err(untold)?;
    deps.trust.change_marks(&mut |marks| marks.clones.retain(|_, repo| !is_gone(repo))).map_err(untold)?;
    authority::forget(deps);
    Ok(removed)
}

/// A list that was signed.
#[derive(Clone, Debug)]
pub struct SignedList {
    /// The list.
    pub path: PathBuf,
    /// Its digest.
    pub digest: String,
    /// The digest of the one before.
    pub previous: String,
    /// Who signed: a fingerprint.
    pub signer: String,
    /// True if the signer of the policy is not on the list any more.
    pub needs_policy: bool,
    /// That the audit trail has no entry of it.
    pub notice: Option<Notice>,
}

/// Signs a changed list of allowed signers by a key of the one that is trusted so far,
/// and trusts it from now on. `None`: nothing was changed.
pub fn sign(deps: &Deps<'_>, folder: &Path, key: Option<&str>) -> Result<Option<SignedList>, Error> {
    let root = root::around(deps, folder)?;
    record::attempt_to(deps, Action::PolicyChange);
    write::finish_unfinished(deps, &root)?;
    let path = root.join(signer_list::PLACE);
    let Contents { bytes: current, fingerprint } = deps.files.read(&path).map_err(Error::Read)?;
    let repo = here(deps, folder)?.unwrap_or_default();
    let pins = deps.trust.pins().map_err(untold)?;
    let pin = pins.0.get(&repo).ok_or_else(|| {
        let cause = "no list of allowed signers is trusted here yet, so that this one could follow from it";
        refused(&path, DenyCode::UntrustedSigners, cause, "`leaflock trust add` trusts a list")
    })?;
    let previous = pin.digest();
    if digest::of(&current) == previous {
        return Ok(None);
    }
    let key = signing::Key::of(deps, key)?;
    let before = authority::read_signers(&path, pin.list.as_bytes())?;
    if before.allows(&key.public, signer_list::NAMESPACE, &deps.clock.now()).is_none() {
        return Err(Error::Denied {
            code: DenyCode::NotAllowed,
            message: format!("{} is not on the list that is trusted so far", key.public.fingerprint()),
            hints: vec!["a change of signers is signed by one of those before".to_owned()],
        });
    }
    let list = signer_list::follow(&current, &previous);
    authority::read_signers(&path, &list)?;
    let signature = key.sign(deps, &list, signer_list::NAMESPACE)?;
    let writes = [
        Write::replacing(deps, root.join(signer_list::SIGNATURE), signature.into_bytes())?,
        Write::read(path.clone(), list.clone(), fingerprint),
    ];
    write::commit(deps, write::COMMAND, &root, &writes)?;
    let moved = Pin {
        list: String::from_utf8_lossy(&list).into_owned(),
        since: deps.clock.now(),
        place: root.to_string_lossy().into_owned(),
        repo: repo.clone(),
    };
    deps.trust.change_pins(&mut |pins| drop(pins.0.insert(repo.clone(), moved.clone()))).map_err(untold)?;
    authority::forget(deps);
    let needs_policy = match authority::load_to_remake(deps, &root) {
        Ok(_) => false,
        Err(Error::Integrity { code: DenyCode::PolicyInvalid, .. }) => true,
        Err(error) => return Err(error),
    };
    let digest = digest::of(&list);
    let signer = key.public.fingerprint();
    // Without a policy that holds, nobody is known who could have written the entry.
    let notice = (!needs_policy).then(|| record::changed(deps, Action::PolicyChange, &path)).flatten();
    Ok(Some(SignedList { path, digest, previous, signer, needs_policy, notice }))
}

/// What [`Authority`] says of itself, for people and programs.
pub fn named(authority: &Authority) -> String {
    match authority.policy.principal_of_key(&authority.signer.to_string()) {
        Some(principal) => principal.name.clone(),
        None => authority.signer.fingerprint(),
    }
}
