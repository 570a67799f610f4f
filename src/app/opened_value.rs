//! One value of an encrypted file, opened for whoever may have it: for people from the
//! file itself, for agents from the file that was made for them.

use std::path::{Path, PathBuf};

use super::Deps;
use super::agent::listed;
use super::agent::overtaken;
use super::audit::record;
use super::error::{Error, Place};
use super::lookup::{Caller, Site};
use super::open::{self, Locked};
use super::request::{FileOptions, Notice, OpenOptions, Source as Input};
use super::secret_values::text;
use crate::domain::agent::audit::entry::Action;
use crate::domain::agent::leaves::Source;
use crate::domain::agent::manifest::derived_path;
use crate::domain::agent::pattern::show_path;
use crate::domain::agent::policy::Level;
use crate::domain::crypto::data_key::DataKey;
use crate::domain::scalar::Scalar;
use crate::domain::secret::SecretBytes;
use crate::domain::value::{Entry, Value};

/// How files are found and opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// Formats, config, names.
    pub file: FileOptions,
    /// Keys and MAC.
    pub open: OpenOptions,
    /// What is done with the value.
    pub action: Action,
}

/// A value.
#[derive(Debug)]
pub struct OpenedValue {
    /// The file that was opened, from the folder of the policy where it is below it.
    pub file: String,
    /// `str`, `int`, `float`, `bool`, `time` or `null`.
    pub kind: &'static str,
    /// The value as a variable holds it: numbers as dotenv shows them, null empty.
    pub text: SecretBytes,
    /// The data key of the file.
    pub data_key: DataKey,
    /// What to say on the side.
    pub notices: Vec<Notice>,
}

/// Opens the value `path` of `source` for the caller, who if it is an agent must have
/// one of `levels`.
///
/// # Errors
/// [`Error::Denied`]; no file was made for the agent; all that opening files can end with.
pub fn of_source(
    deps: &Deps<'_>,
    site: &Site,
    source: &Source,
    path: &[String],
    levels: &[Level],
    options: &Options,
) -> Result<OpenedValue, Error> {
    let file = site.root.join(&source.path);
    let intent = || recorded(options, path).intent;
    site.demand(&source.path, path, levels)
        .map_err(|error| record::denied(deps, &intent(), Some(&file), error))?;
    let name = match &site.caller {
        Caller::Agent(agent) => derived_path(agent, &source.path),
        Caller::Other(_) => source.path.clone(),
    };
    let file = site.root.join(&name);
    let opened = overtaken::again(deps, || of_file(deps, &file, name.clone(), path, options));
    match (&site.caller, opened) {
        (Caller::Agent(agent), Err(Error::NoSuchFile(_) | Error::NotFound { .. })) => Err(Error::NotFound {
            place: Place::default(),
            message: format!("{} of {} is in no file of {agent}", show_path(path), source.path),
            hints: vec![
                "`leaflock agent sync` makes it; whoever can open the source runs that".to_owned(),
                "an agent with a broker has files only for what it may read".to_owned(),
            ],
        }),
        (_, opened) => opened,
    }
}

/// Opens the value `path` of a file, absolute, that is shown as `name`.
///
/// # Errors
/// The file does not open, or the path is not one value of it.
pub fn of_file(
    deps: &Deps<'_>,
    file: &Path,
    name: String,
    path: &[String],
    options: &Options,
) -> Result<OpenedValue, Error> {
    let input = open::read_input(deps, &Input::File(PathBuf::from(file)), &options.file)?;
    let format = options.file.input_format.unwrap_or_else(|| input.format());
    let locked = Locked::parse(&input.bytes, format, &input.place())
        .map_err(|error| listed::unreadable(deps, Some(file), &input.bytes, error))?;
    let unlocked = locked.unlock(deps, &recorded(options, path))?;
    let (documents, findings) = unlocked.file().to_values().map_err(|error| unlocked.tree_error(error))?;
    if !options.open.ignore_mac {
        unlocked.locked.check_mac(&unlocked.cipher, &findings.mac)?;
    }
    let mut found = Vec::new();
    documents.iter().for_each(|document| collect(document, path, &mut found));
    let place = || input.place().at_key(show_path(path));
    let scalar = match found[..] {
        [scalar] => scalar,
        [] => {
            return Err(Error::NotFound {
                place: place(),
                message: format!("no value is at {}", show_path(path)),
                hints: vec!["`leaflock list` names the secrets".to_owned()],
            });
        }
        _ => {
            return Err(Error::Conflict {
                message: format!("{} is a list of {} values", show_path(path), found.len()),
                hints: vec!["`leaflock decrypt --extract '[\"key\"][0]' FILE` prints one of them".to_owned()],
            });
        }
    };
    let mut notices = unlocked.notices.clone();
    notices.extend(findings.notices.iter().map(|it| open::notice(&unlocked.locked.place, it)));
    let kind = scalar.type_name().unwrap_or("null");
    Ok(OpenedValue { file: name, kind, text: text(scalar), data_key: unlocked.data_key.clone(), notices })
}

/// The options of an opening, as the audit trail is to tell of it.
pub fn recorded(options: &Options, path: &[String]) -> OpenOptions {
    let mut open = options.open.to(options.action);
    open.intent.secrets = vec![show_path(path)];
    open
}

/// The scalars at `path`, which has no segments for places in lists.
fn collect<'v>(value: &'v Value, path: &[String], found: &mut Vec<&'v Scalar<'static>>) {
    match value {
        Value::Scalar(scalar) if path.is_empty() => found.push(scalar),
        Value::List(items) => items.iter().for_each(|item| collect(item, path, found)),
        Value::Map(entries) => {
            let Some((first, rest)) = path.split_first() else { return };
            let pairs = entries.iter().filter_map(Entry::pair);
            pairs.filter(|(key, _)| *key == first).for_each(|(_, value)| collect(value, rest, found));
        }
        Value::Scalar(_) | Value::Comment(_) => {}
    }
}
