//! One value of an encrypted file is removed, in place (sops-compat 10.5).

use std::path::PathBuf;

use super::Deps;
use super::change::{self, Opened};
use super::error::Error;
use super::open::Locked;
use super::request::{Done, FileOptions, OpenOptions, Outcome};
use crate::domain::agent::audit::entry::Action;
use crate::domain::document::change::Change;
use crate::domain::index::{self, Component, Reached};
use crate::domain::store::Format;

/// What to remove.
#[derive(Clone, Debug)]
pub struct Request {
    /// The file.
    pub path: PathBuf,
    /// Formats, config, names.
    pub file: FileOptions,
    /// `--output-type`, else by name.
    pub output_format: Option<Format>,
    /// Which value: an index as typed (sops-compat 10.4).
    pub index: String,
    /// Keys and MAC.
    pub open: OpenOptions,
    /// `--idempotent`: a missing value is a success.
    pub idempotent: bool,
}

/// Removes one value.
pub fn run(deps: &Deps<'_>, request: &Request) -> Result<Outcome, Error> {
    let argument = |hint: String| Error::SetArgument {
        message: "Invalid unset index format".to_owned(),
        hints: vec![hint],
    };
    let index = index::parse(&request.index).map_err(|error| argument(error.to_string()))?;
    if index.is_empty() {
        return Err(argument("the index is empty: it must name a key, as in '[\"a\"][\"b\"]'".into()));
    };
    let _turn = change::turn(deps, &request.path)?;
    let input = change::read(deps, &request.path, &request.file)?;
    let file = change::unlock(deps, &input, &request.file, &request.open.to(Action::Unset).of_value(&index))?;
    let Opened { plain, known, mut notices } = change::open(&file, &request.open, false)?;
    let Locked { format, store, place, .. } = &file.locked;
    let tree = change::parse_plain(&plain, *format, place)?;
    let Some(document) = tree.documents.first() else { return Err(Error::Empty(place.clone())) };
    let Reached { node, depth } = index::reach(&tree, document.root, &index);
    if depth < index.len() {
        if request.idempotent {
            return Ok(Outcome { done: Done::Unchanged, notices });
        }
        let message = match &index[depth] {
            Component::Key(key) => format!("Key not found: {key}"),
            Component::Position(at) => format!("Index {at} out of bounds"),
        };
        return Err(Error::NotFound {
            place: place.clone().at_key(&request.index),
            message,
            hints: Vec::new(),
        });
    }
    let changed = change::changed(*store, &tree, node, Change::Remove, place)?;
    notices.extend(change::save(deps, &input, &file, &changed, known)?);
    Ok(Outcome { done: Done::Written(request.path.clone()), notices })
}
