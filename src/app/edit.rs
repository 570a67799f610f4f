//! An encrypted file is opened in an editor and what changed is encrypted again;
//! a file that does not exist starts from a sample (sops-compat 10.6).

use std::path::{Path, PathBuf};

use super::Deps;
use super::audit::record;
use super::change::{self, Opened};
use super::config;
use super::derived::put::{self, NewState};
use super::encrypt;
use super::error::{Error, Place};
use super::lock::Plain;
use super::open::Locked;
use super::ports::Durability;
use super::request::{FileOptions, Intent, KeyOptions, Notice, OpenOptions, RuleOptions};
use super::session;
use super::strangers::{self, Strangers};
use crate::domain::agent::audit::entry::Action;
use crate::domain::sample;
use crate::domain::secret::SecretBytes;
use crate::domain::store::Format;
use crate::domain::store::splice::apply;

/// What to edit.
#[derive(Clone, Debug)]
pub struct Request {
    /// The file; it need not exist.
    pub path: PathBuf,
    /// Formats, config, names.
    pub file: FileOptions,
    /// `--output-type`, else by name.
    pub output_format: Option<Format>,
    /// Keys and MAC of an existing file.
    pub open: OpenOptions,
    /// Keys from the command line, for a new file.
    pub keys: KeyOptions,
    /// Rules from the command line, for a new file.
    pub rules: RuleOptions,
    /// Recipients that the creation rule does not list.
    pub strangers: Strangers,
    /// `--show-master-keys`: the `sops` block is shown too.
    pub show_master_keys: bool,
}

/// What came of it. A session without a change is [`Error::FileNotChanged`].
#[derive(Debug)]
pub struct Outcome {
    /// True when the file was made.
    pub created: bool,
    /// What to say on the side.
    pub notices: Vec<Notice>,
}

/// Runs one editing session.
pub fn run(deps: &Deps<'_>, request: &Request) -> Result<Outcome, Error> {
    let path = deps.files.absolute(&request.path).map_err(Error::Read)?;
    let _claim = deps.edit_locks.lock(&path).map_err(Error::EditLock)?;
    match deps.files.kind(&path).map_err(Error::Read)? {
        Some(_) => edit_existing(deps, request),
        None => create(deps, request, &path),
    }
}

fn edit_existing(deps: &Deps<'_>, request: &Request) -> Result<Outcome, Error> {
    let input = change::read(deps, &request.path, &request.file)?;
    let file = change::unlock(deps, &input, &request.file, &request.open.to(Action::Edit))?;
    let Locked { format, place, metadata, .. } = &file.locked;
    let found = strangers::check(deps, &input.name, place, metadata, &request.file, request.strangers)?;
    let Opened { plain, known, mut notices } = change::open(&file, &request.open, request.show_master_keys)?;
    notices.extend(found);
    let edited = session::run(deps, &request.path, &plain, &mut |text| {
        let tree = change::parse_plain(text, *format, place)?;
        let without = SecretBytes::new(apply(text, format.store().detach(&tree)));
        let shown = if request.show_master_keys { without } else { SecretBytes::new(text.to_vec()) };
        Plain::parse(&shown, *format, place)?;
        Ok(shown)
    })?;
    notices.extend(change::save(deps, &input, &file, &edited, known)?);
    Ok(Outcome { created: false, notices })
}

/// A file that does not exist yet: a sample is edited, and encrypted by its
/// creation rule only if it was changed.
fn create(deps: &Deps<'_>, request: &Request, path: &Path) -> Result<Outcome, Error> {
    let format = request.file.input_format.unwrap_or_else(|| Format::of_path(&path.to_string_lossy()));
    let place = Place::file(path);
    let mut notices = Vec::new();
    let plan = config::plan(deps, path, format, &request.file, &request.keys, &request.rules, &mut notices)?;
    let intent = Intent { action: Action::Encrypt, ..request.open.intent.clone() };
    record::writing(deps, &intent, Some(path), &[])?;
    let edited = session::run(deps, &request.path, sample::text(format).as_bytes(), &mut |text| {
        Plain::parse(text, format, &place)?;
        Ok(SecretBytes::new(text.to_vec()))
    })?;
    let encrypt::NewFile { bytes, notices: found, data_key } =
        encrypt::lock(deps, &edited, format, &plan, &request.rules, &place, None)?;
    notices.extend(found);
    let new = NewState { path, bytes: &bytes, data_key: data_key.as_ref(), seen: None };
    if let Some(said) = put::source(deps, &new)? {
        notices.extend(said);
        return Ok(Outcome { created: true, notices });
    }
    deps.files
        .write(path, &bytes, Durability::Power)
        .map_err(|error| Error::Write { in_place: true, error })?;
    Ok(Outcome { created: true, notices })
}
