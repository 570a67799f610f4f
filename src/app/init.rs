//! A first identity, a `.sops.yaml` with one rule an environment, and the lines
//! of `.gitignore` that keep plaintext out of git. Nothing that exists is
//! overwritten.

use std::path::{Path, PathBuf};

use super::Deps;
use super::config::NAME;
use super::error::{Error, Place};
use super::ports::Durability;
use super::request::Notice;
use crate::domain::config::sops_yaml;
use crate::domain::keys::{KeyError, split_recipients};

/// Where to set up.
#[derive(Clone, Debug)]
pub struct Request {
    /// The folder that gets `.sops.yaml` and `.gitignore`.
    pub directory: PathBuf,
    /// SOPS's default place for identities (sops-compat 6.2).
    pub identity_path: PathBuf,
    /// Recipients besides the own one (`--age`), as a comma list.
    pub extra_recipients: Option<String>,
}

/// What was set up.
#[derive(Debug)]
pub struct Outcome {
    /// The recipient of the identity.
    pub recipient: String,
    /// Every file that was looked at, in order.
    pub steps: Vec<Step>,
    /// What to say on the side.
    pub notices: Vec<Notice>,
}

/// What was done to one file.
#[derive(Debug)]
pub struct Step {
    /// The file.
    pub path: PathBuf,
    /// What happened.
    pub action: Action,
}

/// What happened to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It was made.
    Created,
    /// Lines were added.
    Extended,
    /// It had everything already.
    Kept,
}

/// What must stay out of git: identities, and the names under which people keep
/// plaintext beside encrypted files.
const IGNORED: [&str; 6] = [".leaflock-*", "keys.txt", "*.agekey", "*.dec.*", "*.decrypted.*", "*.plain.*"];

/// Above the lines that are added to `.gitignore`.
const IGNORE_TITLE: &str = "# identities and plaintext stay out of git";

/// Sets up one folder.
pub fn run(deps: &Deps<'_>, request: &Request) -> Result<Outcome, Error> {
    let mut notices = Vec::new();
    let (recipient, identity) = identity(deps, request)?;
    let mut recipients = vec![recipient.clone()];
    if let Some(extra) = &request.extra_recipients {
        for extra in split_recipients(extra).map_err(|error| recipients_error(&error))? {
            recipients.push(extra.to_owned());
        }
    }
    let config = config(deps, request, &recipients, &mut notices)?;
    let ignore = ignore(deps, request)?;
    Ok(Outcome { recipient, steps: vec![identity, config, ignore], notices })
}

/// The recipient of the identity at SOPS's default place, which is made if it is
/// not there.
fn identity(deps: &Deps<'_>, request: &Request) -> Result<(String, Step), Error> {
    let path = request.identity_path.clone();
    if let Some(contents) = deps.files.read_if_there(&path).map_err(Error::Read)? {
        let recipient = deps.keys.recipients_of(&contents.bytes).into_iter().next();
        let recipient = recipient.ok_or_else(|| Error::Other {
            place: Place::file(&path),
            cause: "the file of identities holds no age identity that is readable without a passphrase"
                .into(),
            hints: vec!["add one: `age-keygen >> FILE`".to_owned()],
        })?;
        return Ok((recipient, Step { path, action: Action::Kept }));
    }
    let new = deps.keys.generate(&deps.clock.now());
    deps.files.create_private(&path, &new.file).map_err(|error| Error::Write { in_place: false, error })?;
    Ok((new.recipient, Step { path, action: Action::Created }))
}

fn config(
    deps: &Deps<'_>,
    request: &Request,
    recipients: &[String],
    notices: &mut Vec<Notice>,
) -> Result<Step, Error> {
    let path = request.directory.join(NAME);
    if let Some(contents) = deps.files.read_if_there(&path).map_err(Error::Read)? {
        if let Some(missing) =
            recipients.iter().find(|it| memchr::memmem::find(&contents.bytes, it.as_bytes()).is_none())
        {
            notices.push(
                Notice::note(format!("{} does not name {missing}", path.display()))
                    .with_hint("add it under `age` of the rules whose files it should read"),
            );
        }
        return Ok(Step { path, action: Action::Kept });
    }
    let named: Vec<(&str, &str)> = recipients.iter().map(|recipient| (recipient.as_str(), "")).collect();
    let text = sops_yaml(&named);
    write(deps, &path, text.as_bytes())?;
    Ok(Step { path, action: Action::Created })
}

/// Adds the lines that `.gitignore` lacks.
fn ignore(deps: &Deps<'_>, request: &Request) -> Result<Step, Error> {
    let path = request.directory.join(".gitignore");
    let former = deps.files.read_if_there(&path).map_err(Error::Read)?;
    let mut text = former.as_ref().map(|contents| contents.bytes.to_vec()).unwrap_or_default();
    let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).collect();
    let missing: Vec<&str> = IGNORED.into_iter().filter(|line| !lines.contains(&line.as_bytes())).collect();
    if missing.is_empty() {
        return Ok(Step { path, action: Action::Kept });
    }
    if !text.is_empty() && !text.ends_with(b"\n") {
        text.push(b'\n');
    }
    for line in std::iter::once(IGNORE_TITLE).chain(missing) {
        text.extend_from_slice(line.as_bytes());
        text.push(b'\n');
    }
    write(deps, &path, &text)?;
    let action = if former.is_some() { Action::Extended } else { Action::Created };
    Ok(Step { path, action })
}

fn write(deps: &Deps<'_>, path: &Path, bytes: &[u8]) -> Result<(), Error> {
    deps.files.write(path, bytes, Durability::Power).map_err(|error| Error::Write { in_place: false, error })
}

fn recipients_error(error: &KeyError) -> Error {
    Error::Recipients { cause: error.to_string().into(), hints: Vec::new() }
}
