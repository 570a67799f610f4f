//! The only way to a policy that counts. Nothing of `.leaflock` is believed before it
//! is verified, and in this order: the list of allowed signers is the one that is
//! trusted outside of the repository, or a chain of signed changes leads to it; the
//! policy is signed by a key of that list, is this repository's, not older than one
//! that was seen, and not out of date; the manifest and the revocations are signed, and
//! none of them that was seen is gone. Whatever fails yields nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::age;
use super::former_agents;
use super::manifest_file;
use super::own_files;
use super::refusal::{self, refused, refused_at, untold};
use super::revocation_file;
use super::signer_chain;
use super::trust_store::TrustError;
use super::trusted_list::{By, Trust};
use crate::app::error::{Error, Place};
use crate::app::ports::Fingerprint;
use crate::app::request::Notice;
use crate::app::{Deps, leaflock_folders};
use crate::domain::agent::allowed_signers::AllowedSigners;
use crate::domain::agent::denial::DenyCode;
use crate::domain::agent::manifest::{self, Manifest};
use crate::domain::agent::policy::{self, NoSigner, Policy, PolicyError, Revocation};
use crate::domain::agent::public_key::PublicKey;
use crate::domain::agent::trust::{Mark, Marks, Pin};
use crate::domain::agent::{signer_list, sshsig};
use crate::domain::digest;

/// The signature of the policy, from the folder that it governs.
pub const SIGNATURE: &str = ".leaflock/policy.yaml.sig";

/// The namespace of the policy's signature.
pub const NAMESPACE: &str = "leaflock-policy@v1";

/// A policy that counts, and what belongs to it.
#[derive(Clone, Debug)]
pub struct Authority {
    /// The folder that the policy governs, absolute.
    pub root: PathBuf,
    /// The policy.
    pub policy: Policy,
    /// Its digest: `sha256:HEX`.
    pub policy_digest: String,
    /// Who signed it.
    pub signer: PublicKey,
    /// The manifest. It may have been made by an older policy: see
    /// [`Authority::current_manifest`].
    pub manifest: Option<Manifest>,
    /// The state of its file when it was read, whether it verifies or not; `None` where
    /// there is no such file.
    pub manifest_file: Option<Option<Fingerprint>>,
    /// The highest serial of a manifest that was seen; the next one has a higher.
    pub manifest_serial: u64,
    /// True while the manifest's file holds conflicts of a merge: what counts is our side.
    pub is_conflicted: bool,
    /// The highest serial that was seen, where this manifest has a lower one: it is another
    /// branch's, or work was thrown away.
    pub behind: Option<u64>,
    /// The denials beside the policy.
    pub revocations: Vec<Revocation>,
    /// The digests of those that were seen, or that the manifest heeds, whose lines are
    /// gone though no policy has taken their place. Always empty in what [`load`] returns.
    pub missing_revocations: BTreeSet<String>,
    /// Whose signatures count.
    pub signers: AllowedSigners,
    /// The digest of that list.
    pub signers_digest: String,
}

impl Authority {
    /// The random name of the repository.
    pub fn repo(&self) -> &str {
        self.policy.repo.as_deref().unwrap_or_default()
    }

    /// The manifest, if it was made by this policy.
    ///
    /// # Errors
    /// [`DenyCode::ManifestMismatch`] without one.
    pub fn current_manifest(&self) -> Result<&Manifest, Error> {
        let manifest = self.manifest.as_ref().filter(|it| it.policy == self.policy_digest);
        manifest.ok_or_else(|| {
            let cause = match self.manifest {
                Some(_) => "the policy was signed after the derived files were made",
                None => "no derived files were made by this policy yet",
            };
            let path = self.root.join(manifest::PLACE);
            refused(&path, DenyCode::ManifestMismatch, cause, "`leaflock agent sync` makes them anew")
        })
    }
}

/// What was found and verified so far.
#[derive(Debug, Default)]
pub struct Memory {
    roots: Mutex<BTreeMap<PathBuf, Option<PathBuf>>>,
    /// Roots whose files lie where they should.
    sound: Mutex<BTreeSet<PathBuf>>,
    loaded: Mutex<BTreeMap<PathBuf, Arc<Authority>>>,
    /// What [`super::root`] found gone, by the folder that was asked about.
    pub(super) vanished: Mutex<BTreeMap<PathBuf, Option<Vanished>>>,
    /// Whether somebody was told of it.
    pub(super) is_vanished_told: Mutex<bool>,
    /// Lists of signers that the person at the terminal was asked about and did not trust,
    /// by their digests.
    declined: Mutex<BTreeMap<String, Declined>>,
    /// True if the person at the terminal is not asked about signers: a program reads the
    /// answer of the call.
    is_silent: bool,
    /// True in calls that grant nothing to anybody.
    may_be_expired: AtomicBool,
    /// What is to be said of policies that count, by their folders.
    said: Mutex<BTreeMap<PathBuf, Vec<Notice>>>,
}

/// Why a list of signers was not trusted.
#[derive(Clone, Copy, Debug)]
enum Declined {
    /// The answer was no.
    Refused,
    /// There was none.
    Unanswered,
}

/// A policy that this machine has seen, and that is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Vanished {
    /// The folder that it governed.
    pub(super) root: PathBuf,
    /// The `repo` that it named.
    pub(super) repo: String,
}

impl Memory {
    /// One for a call whose answer a program reads, or a person.
    pub fn new(is_silent: bool) -> Self {
        Self { is_silent, ..Self::default() }
    }

    /// From here on a policy that is out of date counts in this call, which looks at it or
    /// takes rights away: both are wanted just then.
    pub fn take_expired(&self) {
        self.may_be_expired.store(true, Ordering::Relaxed);
    }

    fn say(&self, root: &Path, notice: Notice) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let said = said.entry(root.to_owned()).or_default();
        if !said.contains(&notice) {
            said.push(notice);
        }
    }

    /// What is to be said of the policies that were verified, once.
    pub fn release_notices(&self) -> Vec<Notice> {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *said).into_values().flatten().collect()
    }
}

/// The folder whose policy governs `folder`: the nearest one at or above it with a
/// policy, not above the top of the repository. Nothing is verified.
///
/// # Errors
/// [`DenyCode::PolicyInvalid`] where what belongs to the policy is behind a symbolic link,
/// or another policy stands above.
pub fn find_root(deps: &Deps<'_>, folder: &Path) -> Result<Option<PathBuf>, Error> {
    let Some(root) = nearest(deps, folder)? else { return Ok(None) };
    let sound = || deps.authorities.sound.lock().unwrap_or_else(PoisonError::into_inner);
    let is_known = sound().contains(&root);
    if !is_known {
        own_files::refuse_links(deps, &root)?;
        own_files::refuse_second(deps, &root)?;
        sound().insert(root.clone());
    }
    Ok(Some(root))
}

/// The same for whoever writes down that it was refused.
pub fn nearest(deps: &Deps<'_>, folder: &Path) -> Result<Option<PathBuf>, Error> {
    let folder = deps.files.absolute(folder).map_err(Error::Read)?;
    if let Some(root) = deps.authorities.roots.lock().unwrap_or_else(PoisonError::into_inner).get(&folder) {
        return Ok(root.clone());
    }
    // By whatever links it was reached: names are those from where it is.
    let real = leaflock_folders::real(deps, &folder)?;
    let mut roots = deps.authorities.roots.lock().unwrap_or_else(PoisonError::into_inner);
    let mut found = None;
    for above in leaflock_folders::above(deps, &real)?.iter() {
        if own_files::is_there(deps, above)? {
            found = Some(above.clone());
            break;
        }
    }
    roots.insert(folder, found.clone());
    Ok(found)
}

/// The policy of `root`, verified once a call. Where its signers were never seen, the
/// person at the terminal is asked.
///
/// # Errors
/// [`Error::Integrity`] for whatever does not verify.
pub fn load(deps: &Deps<'_>, root: &Path) -> Result<Arc<Authority>, Error> {
    let mut loaded = deps.authorities.loaded.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(authority) = loaded.get(root) {
        return Ok(authority.clone());
    }
    let authority = Arc::new(settled(deps, root)?);
    if let Some(seen) = authority.behind {
        let serial = authority.manifest.as_ref().map_or(0, |manifest| manifest.serial);
        let text = format!(
            "the manifest here has serial {serial}, and this machine has seen {seen}, of another branch or of work \
             that was thrown away"
        );
        deps.authorities.say(root, Notice::note(text));
    }
    if let Some(cause) = age::expired(&authority.policy, &deps.clock.now()) {
        deps.authorities
            .say(root, Notice::warning(format!("{cause}: it grants nothing any more")).with_hint(age::RENEW));
    }
    loaded.insert(root.to_owned(), authority.clone());
    Ok(authority)
}

/// Forgets what was verified: for a command that changed it.
pub fn forget(deps: &Deps<'_>) {
    leaflock_folders::forget(deps);
    deps.authorities.roots.lock().unwrap_or_else(PoisonError::into_inner).clear();
    deps.authorities.sound.lock().unwrap_or_else(PoisonError::into_inner).clear();
    deps.authorities.loaded.lock().unwrap_or_else(PoisonError::into_inner).clear();
}

/// The folder that names the clone: its common git directory, else the root itself.
pub fn clone_of(deps: &Deps<'_>, root: &Path) -> Result<String, Error> {
    Ok(places_of(deps, root)?.0)
}

/// The same, and the root from the top of the work tree.
fn places_of(deps: &Deps<'_>, root: &Path) -> Result<(String, String), Error> {
    let place = deps.repository.place(root).map_err(Error::Read)?;
    let (folder, prefix) = match place {
        Some(place) => (place.common_dir, place.prefix),
        None => (root.to_owned(), PathBuf::new()),
    };
    let real = deps.files.real(&folder).map_err(Error::Read)?;
    let prefix = prefix.to_string_lossy();
    Ok((real.to_string_lossy().into_owned(), prefix.trim_end_matches('/').to_owned()))
}

/// A file of the policy, which has to be there.
fn demanded(deps: &Deps<'_>, path: &Path, code: DenyCode, hint: &str) -> Result<Vec<u8>, Error> {
    let found = deps.files.read_if_there(path).map_err(Error::Read)?;
    let found = found.ok_or_else(|| refused(path, code, "the file is missing", hint))?;
    Ok(found.bytes.to_vec())
}

const SIGN: &str = "an administrator looks at the changes and runs `leaflock policy sign`";
const MAKE_LIST: &str = "`leaflock policy init` makes it; or fetch it from the branch that the policy is on";

/// A policy that somebody on the list has signed; nothing else is known of it yet.
fn signed(
    deps: &Deps<'_>,
    root: &Path,
    (bytes, policy): (&[u8], Policy),
    (list, signers): (&[u8], AllowedSigners),
    now: &str,
) -> Result<Authority, Error> {
    Ok(Authority {
        root: root.to_owned(),
        signer: policy_signer(deps, root, bytes, &policy, &signers, now)?,
        policy_digest: digest::of(bytes),
        policy,
        manifest: None,
        manifest_file: None,
        manifest_serial: 0,
        is_conflicted: false,
        behind: None,
        revocations: Vec::new(),
        missing_revocations: BTreeSet::new(),
        signers,
        signers_digest: digest::of(list),
    })
}

/// The policy of `root` as far as it agrees with itself, whoever its signers are: for
/// whoever is about to trust them, or has just signed it.
pub fn unpinned(deps: &Deps<'_>, root: &Path) -> Result<Authority, Error> {
    let now = deps.clock.now();
    let (path, list_path) = (root.join(policy::PLACE), root.join(signer_list::PLACE));
    let bytes = demanded(deps, &path, DenyCode::PolicyInvalid, SIGN)?;
    let list = demanded(deps, &list_path, DenyCode::UntrustedSigners, MAKE_LIST)?;
    let policy = read_policy(&path, &bytes)?;
    let signers = read_signers(&list_path, &list)?;
    let mut authority = signed(deps, root, (&bytes, policy), (&list, signers), &now)?;
    let found = read_manifest(deps, &mut authority, &Mark::default(), &now).unwrap_or_default();
    authority.manifest = found.map(|found| found.manifest);
    Ok(authority)
}

/// The policy of `root` for whoever makes the manifest anew: one that does not verify,
/// or is gone, is none, and revocations may be missing. Everything else is verified as by
/// [`load`].
pub fn load_to_remake(deps: &Deps<'_>, root: &Path) -> Result<Authority, Error> {
    verify(deps, root, false)
}

/// How often what does not verify is looked at.
const LOOKS: u32 = 5;

/// Verifies, and again where that fails: of files that belong together, another call may
/// have put only some in place.
fn settled(deps: &Deps<'_>, root: &Path) -> Result<Authority, Error> {
    for _ in 1..LOOKS {
        match verify(deps, root, true) {
            Err(Error::Integrity { .. }) => deps.transactions.wait(root),
            verified => return verified,
        }
    }
    verify(deps, root, true)
}

fn verify(deps: &Deps<'_>, root: &Path, needs_manifest: bool) -> Result<Authority, Error> {
    own_files::refuse_links(deps, root)?;
    own_files::refuse_second(deps, root)?;
    let now = deps.clock.now();
    let path = root.join(policy::PLACE);
    let bytes = demanded(deps, &path, DenyCode::PolicyInvalid, SIGN)?;
    let policy = read_policy(&path, &bytes)?;
    let repo = policy.repo.clone().unwrap_or_default();
    let list_path = root.join(signer_list::PLACE);
    let list = demanded(deps, &list_path, DenyCode::UntrustedSigners, MAKE_LIST)?;
    let places = places_of(deps, root)?;
    let clone = &places.0;
    let marks = deps.trust.marks().map_err(untold)?;
    if marks.clones.get(clone).is_some_and(|known| *known != repo) {
        return Err(refused(
            &path,
            DenyCode::ForeignRepo,
            "this clone had the policy of another repository before",
            "restore the policy; if the clone really became another repository, `leaflock trust remove` \
             forgets what it was",
        ));
    }
    let trust = Trust::of(deps, &repo, &list)?;
    let seen = marks.repositories.get(&repo).cloned().unwrap_or_default();
    let is_followed = trust.by == By::Chain;
    if is_followed {
        if refusal::with_lf(&list).is_some_and(|list| trust.lists.contains_key(&digest::of(&list))) {
            return Err(refusal::line_ends(&list_path, DenyCode::UntrustedSigners));
        }
        // What cannot be read, such as conflicts of a merge, is told apart.
        read_signers(&list_path, &list)?;
        signer_chain::follow(deps, root, &list, &trust.lists, &now)?;
    }
    let signers = read_signers(&list_path, &list)?;
    let mut authority = signed(deps, root, (&bytes, policy), (&list, signers), &now)?;
    former_agents::refuse(&root.join(SIGNATURE), &authority.signer, &seen)?;
    let may_be_expired = deps.authorities.may_be_expired.load(Ordering::Relaxed);
    age::check(&path, (&authority.policy, &authority.policy_digest), &seen, &now, may_be_expired)?;
    let found = match read_manifest(deps, &mut authority, &seen, &now) {
        Err(_) if !needs_manifest => None,
        found => found?,
    };
    authority.manifest_serial = found.as_ref().map(|it| it.highest).max(seen.manifest).unwrap_or_default();
    if let Some(found) = found {
        authority.is_conflicted = found.is_conflicted;
        authority.behind = found.behind;
        authority.manifest = Some(found.manifest);
    }
    // Under a pinned list, what was accepted before was looked at then.
    let serial = authority.manifest.as_ref().map(|manifest| manifest.serial);
    let is_news = seen.policy != authority.policy_digest || seen.manifest != serial;
    if trust.by != By::Nobody && (trust.by != By::Pin || is_news) {
        signer_chain::refuse_forked(deps, root, &list, &trust.lists, &now)?;
    }
    let under = (&authority.policy, &authority.signers, authority.manifest.as_ref());
    let found = revocation_file::read(deps, root, under, &seen)?;
    (authority.revocations, authority.missing_revocations) = (found.denials, found.missing);
    if let (true, Some(gone)) = (needs_manifest, authority.missing_revocations.first()) {
        return Err(revocation_file::gone(root, authority.manifest.as_ref(), gone));
    }
    if trust.by == By::Nobody {
        ask(deps, &authority)?;
    }
    let is_announced = trust.by == By::Environment;
    if is_followed && trust.is_pinned || trust.by == By::Nobody {
        pin(deps, &authority, &list)?;
    }
    remember(deps, &authority, &marks, &places, is_announced || !trust.is_pinned && is_followed)?;
    Ok(authority)
}

/// Reads a policy for whoever writes it or asks about it: it need not be one that can be
/// signed.
pub fn read_draft(path: &Path, bytes: &[u8]) -> Result<Policy, Error> {
    Policy::parse(bytes).map_err(|error| fault(path, error))
}

/// What is wrong with a policy that is only read.
pub fn fault(path: &Path, error: PolicyError) -> Error {
    Error::Config {
        place: Place::file(path).at_line(error.line),
        hints: error.advice.clone().into_iter().collect(),
        cause: Box::new(error),
    }
}

/// Reads a policy, and demands of it what one that is signed has.
pub fn read_policy(path: &Path, bytes: &[u8]) -> Result<Policy, Error> {
    let parsed = Policy::parse(bytes).and_then(|policy| policy.check_recipients().map(|()| policy));
    let policy = parsed.map_err(|error| {
        let hint = error.advice.clone().unwrap_or_else(|| SIGN.to_owned());
        refused_at(Place::file(path).at_line(error.line), DenyCode::PolicyInvalid, error, &hint)
    })?;
    for (is_there, what) in [(policy.repo.is_some(), "repo"), (policy.serial.is_some(), "serial")] {
        if !is_there {
            let cause = format!("the policy has no {what}, and a signed one needs it");
            let hint = "`leaflock policy init` makes a policy with both: `repo:` is a random name, `serial:` \
                        a number that grows with each change";
            return Err(refused(path, DenyCode::PolicyInvalid, cause, hint));
        }
    }
    Ok(policy)
}

/// Reads a list of allowed signers.
pub fn read_signers(path: &Path, bytes: &[u8]) -> Result<AllowedSigners, Error> {
    AllowedSigners::parse(bytes).map_err(|error| {
        let advice = error.advice;
        let place = Place::file(path).at_line(Some(error.line));
        refused_at(place, DenyCode::UntrustedSigners, error, advice)
    })
}

/// Who signed these bytes in `namespace`, if the list allows it and the signer is no
/// agent: what an agent signs gives nobody any rights.
fn signer_of(
    deps: &Deps<'_>,
    (signature_path, message, namespace): (&Path, &[u8], &str),
    (policy, signers): (&Policy, &AllowedSigners),
    code: DenyCode,
    now: &str,
) -> Result<PublicKey, Error> {
    let signature = demanded(deps, signature_path, code, SIGN)?;
    signed_by((signature_path, &signature), (message, namespace), (policy, signers), code, now)
}

/// The same for the text of a signature.
fn signed_by(
    (signature_path, signature): (&Path, &[u8]),
    (message, namespace): (&[u8], &str),
    (policy, signers): (&Policy, &AllowedSigners),
    code: DenyCode,
    now: &str,
) -> Result<PublicKey, Error> {
    let text = String::from_utf8_lossy(signature);
    let key = sshsig::verify(&text, message, namespace).map_err(|error| {
        let lf = |bytes: &[u8]| refusal::with_lf(bytes).unwrap_or_else(|| bytes.to_vec());
        let text = lf(signature);
        match sshsig::verify(&String::from_utf8_lossy(&text), &lf(message), namespace) {
            Ok(_) => refusal::line_ends(&signature_path.with_extension(""), code),
            Err(_) => refused(signature_path, code, error, SIGN),
        }
    })?;
    match policy.signer(&key, (signers, namespace), now) {
        Ok(_) => Ok(key),
        Err(NoSigner::NotListed) => {
            let cause = format!(
                "it is signed by {}, which the list of allowed signers does not allow now to sign in {namespace}",
                key.fingerprint()
            );
            Err(refused(signature_path, code, cause, SIGN))
        }
        Err(NoSigner::Agent(name)) => {
            let cause = format!("it is signed by {name}, which is an agent");
            let hint = "give that principal a role (admin, human, ci), or have somebody else sign";
            Err(refused(signature_path, code, cause, hint))
        }
    }
}

fn policy_signer(
    deps: &Deps<'_>,
    root: &Path,
    bytes: &[u8],
    policy: &Policy,
    signers: &AllowedSigners,
    now: &str,
) -> Result<PublicKey, Error> {
    let path = root.join(SIGNATURE);
    signer_of(deps, (&path, bytes, NAMESPACE), (policy, signers), DenyCode::PolicyInvalid, now)
}

fn read_manifest(
    deps: &Deps<'_>,
    authority: &mut Authority,
    seen: &Mark,
    now: &str,
) -> Result<Option<manifest_file::Found>, Error> {
    let path = authority.root.join(manifest::SIGNATURE);
    let file = deps.files.read_if_there(&authority.root.join(manifest::PLACE)).map_err(Error::Read)?;
    // Whoever writes the next one writes it in place of this one and of no other.
    authority.manifest_file = file.as_ref().map(|file| file.fingerprint);
    let by = (&authority.policy, &authority.signers);
    let verify = |message: &[u8], signature: Option<&[u8]>| {
        let code = DenyCode::ManifestMismatch;
        let signature = signature.ok_or_else(|| refused(&path, code, "the file is missing", SIGN))?;
        signed_by((&path, signature), (message, manifest::NAMESPACE), by, code, now).map(drop)
    };
    let seen = (authority.repo(), seen.manifest);
    manifest_file::read(deps, &authority.root, file.map(|file| file.bytes), seen, &verify)
}

/// Asks whether signers that were never seen are to be trusted.
pub fn ask(deps: &Deps<'_>, authority: &Authority) -> Result<(), Error> {
    let path = authority.root.join(signer_list::PLACE);
    let digest = &authority.signers_digest;
    let question = format!(
        "The policy in {} is signed, but nobody has said on this machine whose signatures count.\n\
         Its list of allowed signers, which may have come from anybody:\n{}{digest}\n\
         Compare this with the administrators. Trust the list from now on?",
        authority.root.display(),
        shown(&authority.signers)
    );
    let refuse = |why: Declined| {
        let cause = match why {
            Declined::Refused => "the signers of the policy are not trusted",
            Declined::Unanswered => {
                "nobody has said on this machine whose signatures count for this repository"
            }
        };
        let hint = format!(
            "compare the digest of the list with the administrators, then `leaflock trust add {digest}`; in CI, \
             set LEAFLOCK_TRUST={digest}"
        );
        Err(refused(&path, DenyCode::UntrustedSigners, cause, &hint))
    };
    if deps.authorities.is_silent {
        return refuse(Declined::Unanswered);
    }
    // Once a call: the refusal is looked into again when it is written down.
    let mut declined = deps.authorities.declined.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(why) = declined.get(digest) {
        return refuse(*why);
    }
    // Not on standard input: whoever feeds that chose no signers.
    let why = match deps.prompt.choose(&question, "trust it", Some("do not")) {
        Ok(true) => return Ok(()),
        Ok(false) => Declined::Refused,
        Err(_) => Declined::Unanswered,
    };
    declined.insert(digest.clone(), why);
    refuse(why)
}

/// The signers, a line each, for people.
pub fn shown(signers: &AllowedSigners) -> String {
    let line = |signer: &crate::domain::agent::allowed_signers::Signer| {
        format!("  {}  {} ({})\n", signer.principals, signer.key.fingerprint(), signer.key.kind())
    };
    signers.signers.iter().map(line).collect()
}

/// Trusts the list from now on.
pub fn pin(deps: &Deps<'_>, authority: &Authority, list: &[u8]) -> Result<(), Error> {
    let pin = Pin {
        repo: authority.repo().to_owned(),
        list: String::from_utf8_lossy(list).into_owned(),
        since: deps.clock.now(),
        place: authority.root.to_string_lossy().into_owned(),
    };
    deps.trust.change_pins(&mut |pins| drop(pins.0.insert(pin.repo.clone(), pin.clone()))).map_err(untold)
}

/// Writes down that a manifest of `repo` was written: what was made here is not to be
/// replaced by what was before. Where it cannot be written down, the next call tries again.
pub fn wrote_manifest(deps: &Deps<'_>, repo: &str, serial: u64) {
    let mut move_on = |marks: &mut Marks| {
        if let Some(mark) = marks.repositories.get_mut(repo) {
            mark.manifest = mark.manifest.max(Some(serial));
        }
    };
    drop(deps.trust.change_marks(&mut move_on));
}

/// Writes down how far the repository is. Where `is_optional`, it need not be possible:
/// machines of CI start without a past.
fn remember(
    deps: &Deps<'_>,
    authority: &Authority,
    marks: &Marks,
    (clone, prefix): &(String, String),
    is_optional: bool,
) -> Result<(), Error> {
    let repo = authority.repo().to_owned();
    let mut move_on = |marks: &mut Marks| {
        marks.clones.insert(clone.clone(), repo.clone());
        marks.roots.entry(clone.clone()).or_default().insert(prefix.clone());
        let mark = marks.repositories.entry(repo.clone()).or_default();
        let serial = authority.policy.serial.unwrap_or_default();
        if serial >= mark.serial {
            mark.serial = serial;
            mark.policy.clone_from(&authority.policy_digest);
            mark.agents = former_agents::keys(&authority.policy);
        }
        mark.manifest = mark.manifest.max(authority.manifest.as_ref().map(|manifest| manifest.serial));
        if let Some(manifest) = &authority.manifest {
            mark.revocations.retain(|digest| !manifest.absorbed.contains_key(digest));
        }
        mark.revocations.extend(authority.revocations.iter().map(|it| it.digest.clone()));
    };
    let mut moved = marks.clone();
    move_on(&mut moved);
    if moved == *marks {
        return Ok(());
    }
    match deps.trust.change_marks(&mut move_on) {
        Err(TrustError::NoPlace | TrustError::Unwritable { .. }) if is_optional => Ok(()),
        changed => changed.map_err(untold),
    }
}
