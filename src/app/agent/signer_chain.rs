//! How trust moves: from a list of allowed signers that is pinned to the one in the
//! repository, over every list between them. Each has to name the one before and to be
//! signed by one of its keys; the lists between come from git's history.

use std::collections::BTreeMap;
use std::path::Path;

use super::refusal::refused;
use crate::app::Deps;
use crate::app::error::Error;
use crate::domain::agent::allowed_signers::AllowedSigners;
use crate::domain::agent::denial::DenyCode;
use crate::domain::agent::{signer_list, sshsig};
use crate::domain::digest;

/// More lists than that are not followed.
const LONGEST: usize = 1000;

/// Lists that are trusted, by their digests; of those that only the environment knows,
/// the text is looked for in git's history.
pub type Trusted = BTreeMap<String, Option<Vec<u8>>>;

/// Refuses `current` unless a chain of signed changes leads to it from a list that is
/// trusted. `now` is RFC 3339, UTC.
pub fn follow(
    deps: &Deps<'_>,
    root: &Path,
    current: &[u8],
    trusted: &Trusted,
    now: &str,
) -> Result<(), Error> {
    let path = root.join(signer_list::PLACE);
    let fault = |cause: &str| refused(&path, DenyCode::UntrustedSigners, cause.to_owned(), COMPARE);
    let own = deps.files.read_if_there(&root.join(signer_list::SIGNATURE)).map_err(Error::Read)?;
    let own = own.map(|contents| String::from_utf8_lossy(&contents.bytes).into_owned());
    let mut history = None;
    let mut list = current.to_vec();
    for step in 0..LONGEST {
        let before = signer_list::previous(&list)
            .ok_or_else(|| fault("the list of allowed signers is not the one that is trusted here"))?;
        let text = match trusted.get(&before) {
            Some(Some(text)) => Some(text.clone()),
            _ => known(&mut history, deps, root)?.lists.get(&before).cloned(),
        };
        let text = text.ok_or_else(|| {
            fault("the list of allowed signers was changed, and the one before is not in git's history")
        })?;
        let signers = AllowedSigners::parse(&text)
            .map_err(|_| fault("a list of allowed signers of git's history cannot be read"))?;
        let signed = |signature: &String| {
            sshsig::verify(signature, &list, signer_list::NAMESPACE)
                .is_ok_and(|key| signers.allows(&key, signer_list::NAMESPACE, now).is_some())
        };
        let is_signed = own.iter().filter(|_| step == 0).any(signed)
            || (step > 0 && known(&mut history, deps, root)?.signatures.iter().any(signed));
        if !is_signed {
            return Err(fault(
                "the list of allowed signers was changed, and nobody on the one before has signed that",
            ));
        }
        if trusted.contains_key(&before) {
            return Ok(());
        }
        list = text;
    }
    Err(fault("the list of allowed signers is not the one that is trusted here"))
}

const COMPARE: &str = "if you changed it yourself, `leaflock trust sign` signs the change; else somebody else may \
                       have put it there: ask the administrators, compare the digest with theirs, and only then \
                       `leaflock trust add DIGEST`";

/// All lists and their signatures that git knows.
#[derive(Default)]
struct History {
    lists: BTreeMap<String, Vec<u8>>,
    signatures: Vec<String>,
}

/// The history, read once and only where it is needed.
fn known<'h>(history: &'h mut Option<History>, deps: &Deps<'_>, root: &Path) -> Result<&'h History, Error> {
    if history.is_none() {
        *history = Some(read(deps, root)?);
    }
    Ok(history.get_or_insert_default())
}

fn read(deps: &Deps<'_>, root: &Path) -> Result<History, Error> {
    read_of(deps, root, None)
}

/// The same in the commits that a revision comes from.
fn read_of(deps: &Deps<'_>, root: &Path, revision: Option<&str>) -> Result<History, Error> {
    let mut history = History::default();
    let contents = |place: &str, take: &mut dyn FnMut(Vec<u8>)| -> Result<(), Error> {
        let versions = deps.repository.history_of(root, place, revision).map_err(Error::Read)?;
        let blobs = versions.into_iter().flatten().map(|version| version.blob).collect();
        deps.repository.each_content(root, blobs, &mut |_, bytes| take(bytes.to_vec())).map_err(Error::Read)
    };
    contents(signer_list::PLACE, &mut |bytes| drop(history.lists.insert(digest::of(&bytes), bytes)))?;
    contents(signer_list::SIGNATURE, &mut |bytes| {
        history.signatures.push(String::from_utf8_lossy(&bytes).into_owned());
    })?;
    Ok(history)
}

/// Refuses `current` where the history of what is checked out has another list that
/// follows, signed, from the same one: somebody whom that other list took off, or who did
/// not know of it, goes on from the old one.
///
/// # Errors
/// [`DenyCode::UntrustedSigners`].
pub fn refuse_forked(
    deps: &Deps<'_>,
    root: &Path,
    current: &[u8],
    trusted: &Trusted,
    now: &str,
) -> Result<(), Error> {
    let history = read_of(deps, root, Some("HEAD"))?;
    // From the list that is there back to the nearest one that is trusted.
    let mut path = BTreeMap::new();
    let mut next = Some(current.to_vec());
    while let Some(list) = next.take() {
        let digest = digest::of(&list);
        let before = signer_list::previous(&list);
        if !trusted.contains_key(&digest) && path.len() < LONGEST {
            let text = |digest: &String| trusted.get(digest).cloned().flatten();
            next = before.and_then(|digest| text(&digest).or_else(|| history.lists.get(&digest).cloned()));
        }
        path.insert(digest, list);
    }
    for (digest, other) in history.lists.iter().filter(|(digest, _)| !path.contains_key(*digest)) {
        let before = signer_list::previous(other).and_then(|digest| path.get(&digest));
        let Some(Ok(signers)) = before.map(|list| AllowedSigners::parse(list)) else { continue };
        let is_signed = history.signatures.iter().any(|signature| {
            sshsig::verify(signature, other, signer_list::NAMESPACE)
                .is_ok_and(|key| signers.allows(&key, signer_list::NAMESPACE, now).is_some())
        });
        if is_signed {
            let cause = format!("another list of allowed signers, {digest}, was signed in place of this one");
            let hint = "ask the administrators which of both counts, then set its digest anew on every machine: \
                        `leaflock trust add DIGEST`, and LEAFLOCK_TRUST in CI";
            return Err(refused(&root.join(signer_list::PLACE), DenyCode::UntrustedSigners, cause, hint));
        }
    }
    Ok(())
}

/// The list of that digest, from git's history.
pub fn in_history(deps: &Deps<'_>, root: &Path, wanted: &str) -> Result<Option<Vec<u8>>, Error> {
    Ok(read(deps, root)?.lists.remove(wanted))
}
