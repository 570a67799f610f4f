//! The first policy of a repository: a random name, serial 1, the caller as its
//! administrator and only signer, signed and trusted. Nothing that exists is
//! overwritten.

use std::path::{Path, PathBuf};

use super::Deps;
use super::agent::refusal::untold;
use super::agent::write::{self, Write};
use super::agent::{authority, own_files, signing};
use super::error::{Error, Place};
use super::ports::{Contents, FileKind};
use super::trust;
use crate::domain::agent::pattern::check_name;
use crate::domain::agent::{policy, signer_list};
use crate::domain::digest;
use crate::domain::managed_block::{AUDIT_TRAIL, Position};

/// Whose policy, and where.
#[derive(Clone, Debug)]
pub struct Request {
    /// The folder that it is to govern.
    pub folder: PathBuf,
    /// The name of the caller as a principal.
    pub name: String,
    /// His age recipients.
    pub age: Vec<String>,
    /// The path of his signing key, instead of his own one.
    pub key: Option<String>,
}

/// What was made.
#[derive(Clone, Debug)]
pub struct Made {
    /// The folder that the policy governs.
    pub root: PathBuf,
    /// The files, in order.
    pub files: Vec<PathBuf>,
    /// The file that lines were added to, if it was there before.
    pub changed: Option<PathBuf>,
    /// The name of the repository.
    pub repo: String,
    /// The digest of the list of allowed signers.
    pub signers: String,
    /// Who may sign: a fingerprint.
    pub signer: String,
}

/// Bytes of the random name.
const NAME_LENGTH: usize = 16;

/// Makes the first policy.
pub fn run(deps: &Deps<'_>, request: &Request) -> Result<Made, Error> {
    let root = deps.files.absolute(&request.folder).map_err(Error::Read)?;
    if deps.files.kind(&root).map_err(Error::Read)? != Some(FileKind::Directory) {
        return Err(Error::NoSuchFile(root));
    }
    check_name(&request.name).map_err(|error| Error::SetArgument {
        message: format!("--name: {error}"),
        hints: vec![
            "a name has segments of letters, digits and ._- with / between them: humans/ana".to_owned(),
        ],
    })?;
    own_files::refuse_links(deps, &root)?;
    let places = [policy::PLACE, authority::SIGNATURE, signer_list::PLACE, signer_list::SIGNATURE];
    for path in places.map(|place| root.join(place)) {
        if deps.files.kind(&path).map_err(Error::Read)?.is_some() {
            return Err(signing::exists(&path, "`leaflock policy sign` signs a policy that is there"));
        }
    }
    if deps.repository.place(&root).map_err(Error::Read)?.is_none() {
        return Err(Error::NotFound {
            place: Place::file(&root),
            message: "this folder is in no git repository".to_owned(),
            hints: vec![
                "`git init` begins one: where a policy is, the audit trail lies in git's directory"
                    .to_owned(),
            ],
        });
    }
    let key = signing::Key::of(deps, request.key.as_deref())?;
    let repo = random_name(deps);
    let text = policy_text(request, &repo, &key.public.to_string(), &deps.clock.now());
    let path = root.join(policy::PLACE);
    authority::read_policy(&path, text.as_bytes())?;
    let list = format!(
        "# Who may sign the policy and what belongs to it; see `ALLOWED SIGNERS` in ssh-keygen(1).\n\
         # A change of this file is signed by `leaflock trust sign`.\n\
         {} namespaces=\"leaflock-*\" {}\n",
        request.name, key.public
    );
    let attributes = attributes(deps, &root)?;
    let signature = key.sign(deps, text.as_bytes(), authority::NAMESPACE)?;
    let mut writes = vec![
        Write::new(path, text.into_bytes()),
        Write::new(root.join(authority::SIGNATURE), signature.into_bytes()),
        Write::new(root.join(signer_list::PLACE), list.clone().into_bytes()),
    ];
    let mut changed = None;
    let Attributes { path, was, bytes } = attributes;
    match was {
        Some(was) if was.bytes[..] == bytes[..] => {}
        Some(was) => {
            changed = Some(path.clone());
            writes.push(Write::read(path, bytes, was.fingerprint));
        }
        None => writes.push(Write::new(path, bytes)),
    }
    let files = writes.iter().filter(|write| !write.exists).map(|write| write.path.clone()).collect();
    // What cannot be trusted afterwards is not begun.
    deps.trust.pins().map_err(untold)?;
    write::commit(deps, write::COMMAND, &root, &writes)?;
    trust::add(deps, &root, &trust::What::Anything)?;
    Ok(Made {
        root,
        files,
        changed,
        repo,
        signers: digest::of(list.as_bytes()),
        signer: key.public.fingerprint(),
    })
}

/// A file of attributes of git, as it is and as it is to be.
struct Attributes {
    path: PathBuf,
    was: Option<Contents>,
    bytes: Vec<u8>,
}

/// What git is to know of these files. Nothing is added where all lines are there already.
fn attributes(deps: &Deps<'_>, root: &Path) -> Result<Attributes, Error> {
    let path = root.join(".gitattributes");
    let was = deps.files.read_if_there(&path).map_err(Error::Read)?;
    let now = was.as_ref().map(|was| &was.bytes[..]);
    let has = |line: &str| {
        let mut lines = now.unwrap_or_default().split(|byte| *byte == b'\n');
        lines.any(|found| found.trim_ascii() == line.as_bytes())
    };
    let is_there = ATTRIBUTES.lines().all(has);
    let bytes = match (is_there, now) {
        (true, Some(now)) => now.to_vec(),
        _ => AUDIT_TRAIL.with(now, ATTRIBUTES, Position::End, "").map_err(|error| Error::Other {
            place: Place::file(&path).at_line(Some(error.line)),
            cause: error.into(),
            hints: vec!["take it out by hand: from that line to the last one that is ours".to_owned()],
        })?,
    };
    Ok(Attributes { path, was, bytes })
}

/// The lines for `.gitattributes`: files that are signed byte by byte keep their line
/// breaks, and revocations of two branches, each of which stands for itself, all hold.
const ATTRIBUTES: &str = ".leaflock/** -text\n.leaflock/revocations.jsonl merge=union\n";

fn random_name(deps: &Deps<'_>) -> String {
    let mut bytes = [0; NAME_LENGTH];
    deps.random.rng().fill_bytes(&mut bytes);
    digest::to_hex(&bytes)
}

/// The day of `now`, which is RFC 3339, in the year after it.
fn a_year_after(now: &str) -> String {
    let (year, day) = now.split_at_checked(4).unwrap_or(("2026", "-12-31"));
    let day = match day.get(..6) {
        // Not every year has it.
        Some("-02-29") | None => "-02-28",
        Some(day) => day,
    };
    format!("{:04}{day}T00:00:00Z", year.parse::<u16>().unwrap_or(2026).saturating_add(1))
}

fn policy_text(request: &Request, repo: &str, key: &str, now: &str) -> String {
    let age = match request.age.as_slice() {
        [] => String::new(),
        age => format!("    age: [{}]\n", age.join(", ")),
    };
    let recovery = match request.age.is_empty() {
        true => String::new(),
        false => {
            format!("# Who can open every derived file besides its agent.\nrecovery: [{}]\n", request.name)
        }
    };
    format!(
        "# Who may do what with which secret. Every change raises the serial and is signed:\n\
         # `leaflock policy sign --bump`. `leaflock policy lint` looks for mistakes.\n\
         version: 1\n\
         repo: \"{repo}\"\n\
         serial: 1\n\
         # Afterwards nothing is granted: a copy that nobody renews does not count for ever.\n\
         valid_until: {}\n\
         principals:\n\
         \x20 {}:\n\
         {age}\
         \x20   sign: {key}\n\
         \x20   roles: [admin, human]\n\
         {recovery}\
         access_control:\n\
         \x20 # What no rule allows is denied. A rule:\n\
         \x20 #   databases.postgres: {{ allowed_agents: [\"ops/*\"], access_level: read }}\n\
         \x20 secrets: {{}}\n",
        a_year_after(now),
        request.name
    )
}

/// The recipients of the identities in the file `path`, if it is there.
pub fn recipients_of(deps: &Deps<'_>, path: &Path) -> Result<Vec<String>, Error> {
    let found = deps.files.read_if_there(path).map_err(Error::Read)?;
    let recipients = found.map(|contents| deps.keys.recipients_of(&contents.bytes)).unwrap_or_default();
    Ok(recipients)
}

/// That the caller has no name.
pub fn nameless() -> Error {
    Error::Other {
        place: Place::default(),
        cause: "who you are is not known".into(),
        hints: vec!["--name says it: humans/ana".to_owned()],
    }
}
