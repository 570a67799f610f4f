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
    let mut history = History::default();
    let folder = root.join(crate::app::leaflock_folders::NAME);
    let Some(versions) = deps.repository.history(&folder).map_err(Error::Read)? else { return Ok(history) };
    let blobs = |place: &str| {
        let mut blobs: Vec<String> =
            versions.iter().filter(|it| it.path.ends_with(place)).map(|it| it.blob.clone()).collect();
        blobs.sort_unstable();
        blobs.dedup();
        blobs
    };
    deps.repository
        .contents(root, &blobs(signer_list::PLACE), &mut |_, bytes| {
            history.lists.insert(digest::of(&bytes), bytes.to_vec());
        })
        .map_err(Error::Read)?;
    deps.repository
        .contents(root, &blobs(signer_list::SIGNATURE), &mut |_, bytes| {
            history.signatures.push(String::from_utf8_lossy(&bytes).into_owned());
        })
        .map_err(Error::Read)?;
    Ok(history)
}

/// The list of that digest, from git's history.
pub fn in_history(deps: &Deps<'_>, root: &Path, wanted: &str) -> Result<Option<Vec<u8>>, Error> {
    Ok(read(deps, root)?.lists.remove(wanted))
}
