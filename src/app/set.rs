//! One value of an encrypted file is replaced or added, in place (sops-compat 10.5).

use std::path::{Path, PathBuf};

use super::Deps;
use super::change;
use super::error::{Error, Place};
use super::open::{Locked, Unlocked};
use super::replace::{self, Replaced};
use super::request::{Done, FileOptions, OpenOptions, Outcome, Source};
use super::strangers::{self, Strangers};
use crate::domain::agent::audit::entry::Action;
use crate::domain::document::change::Change;
use crate::domain::document::values::plain_values;
use crate::domain::index::{self, Component, Reached};
use crate::domain::scalar::Scalar;
use crate::domain::secret::SecretBytes;
use crate::domain::store::{Format, Purpose};
use crate::domain::tree::Kind;
use crate::domain::value::{Entry, Value};

/// What to set to what.
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
    /// The new value.
    pub value: NewValue,
    /// Keys and MAC.
    pub open: OpenOptions,
    /// `--idempotent`: an equal value leaves the file alone.
    pub idempotent: bool,
    /// Legacy `--set`, which is worded differently (exit 7, `Invalid --set …`).
    pub legacy: bool,
    /// Recipients that the creation rule does not list.
    pub strangers: Strangers,
    /// Legacy `--set` demands a matching creation rule where a config exists.
    pub needs_creation_rule: bool,
}

/// Where the JSON text of the new value is.
#[derive(Clone, Debug)]
pub enum NewValue {
    /// On the command line.
    Json(SecretBytes),
    /// In a file (`--value-file`) or on standard input (`--value-stdin`).
    Source(Source),
}

/// Sets one value.
pub fn run(deps: &Deps<'_>, request: &Request) -> Result<Outcome, Error> {
    let index = parse_index(request)?;
    let value = new_value(deps, request)?;
    let _turn = change::turn(deps, &request.path)?;
    let input = change::read(deps, &request.path, &request.file)?;
    let file = change::unlock(deps, &input, &request.file, &request.open.to(Action::Set).of_value(&index))?;
    let Locked { place, metadata, .. } = &file.locked;
    let mut notices = strangers::check(deps, &input.name, place, metadata, &request.file, request.strangers)?;
    let value = fit_format(&file, &index, value)?;
    let leaf = match &value {
        Value::Scalar(scalar) => replace::leaf(deps, &file, &index, scalar, request.open.ignore_mac)?,
        _ => Replaced::Elsewhere,
    };
    match leaf {
        Replaced::Unchanged => return Ok(Outcome { done: Done::Unchanged, notices }),
        Replaced::File(bytes, proof) => {
            notices.extend_from_slice(&file.notices);
            let prove = &mut |new: &[u8]| proof.of(&file, new);
            notices.extend(change::write(deps, &input, &file, bytes, prove)?);
        }
        Replaced::Elsewhere => {
            let opened = change::open(&file, &request.open, false)?;
            let plain = with_value(&file, &opened.plain, &index, &value)?;
            if *plain == *opened.plain {
                notices.extend(opened.notices);
                return Ok(Outcome { done: Done::Unchanged, notices });
            }
            notices.extend(opened.notices);
            notices.extend(change::save(deps, &input, &file, &plain, opened.known)?);
        }
    }
    drop(file);
    input.bytes.release();
    Ok(Outcome { done: Done::Written(request.path.clone()), notices })
}

fn parse_index(request: &Request) -> Result<Vec<Component>, Error> {
    let format = |hint: String| Error::SetArgument {
        message: if request.legacy { "Invalid --set format" } else { "Invalid set index format" }.to_owned(),
        hints: vec![hint],
    };
    let index = index::parse(&request.index).map_err(|error| format(error.to_string()))?;
    match index.first() {
        None => {
            Err(format("the index is empty: it must name a key, as in '[\"database\"][\"password\"]'".into()))
        }
        Some(Component::Key(key)) if key == "sops" => {
            Err(Error::AlreadyEncrypted(Place::file(&request.path)))
        }
        Some(_) => Ok(index),
    }
}

fn argument(message: impl Into<String>) -> Error {
    Error::SetArgument { message: message.into(), hints: Vec::new() }
}

/// The new value, from JSON.
fn new_value(deps: &Deps<'_>, request: &Request) -> Result<Value, Error> {
    let read;
    let json: &[u8] = match &request.value {
        NewValue::Json(json) => json,
        NewValue::Source(source) => {
            let path = match source {
                Source::Stdin => Path::new("/dev/stdin"),
                Source::File(path) => path,
            };
            read = deps.files.read(path).map_err(Error::Read)?.bytes;
            &read
        }
    };
    let invalid = || Error::SetArgument {
        message: "Value for --set is not valid JSON".to_owned(),
        hints: vec!["a text needs quotes of its own: '\"secret\"'".to_owned()],
    };
    // The JSON store reads objects only, and keeps the order of keys.
    let mut wrapped = SecretBytes::new(Vec::with_capacity(json.len() + 8));
    wrapped.as_mut_vec().extend_from_slice(b"{\"v\":");
    wrapped.as_mut_vec().extend_from_slice(json);
    wrapped.as_mut_vec().push(b'}');
    let tree = Format::Json.store().read(&wrapped, Purpose::AsIs).map_err(|_| invalid())?;
    let root = tree.documents.first().map_or(0, |document| document.root);
    if tree.children(root).count() != 1 {
        return Err(invalid());
    }
    match plain_values(Format::Json.store(), &tree).pop() {
        Some(Value::Map(mut entries)) => match entries.pop() {
            Some(Entry::Pair(_, value)) => Ok(value),
            _ => Err(invalid()),
        },
        _ => Err(invalid()),
    }
}

/// Flat formats hold texts only: numbers and booleans become their texts there.
fn fit_format(file: &Unlocked<'_>, index: &[Component], value: Value) -> Result<Value, Error> {
    let depth = match file.locked.format {
        Format::Yaml | Format::Json => return Ok(value),
        Format::Dotenv | Format::Binary => 1,
        Format::Ini => 2,
    };
    let name = file.locked.format.name();
    if index.len() != depth || index.iter().any(|component| matches!(component, Component::Position(_))) {
        let shape = if depth == 1 { "[\"key\"]" } else { "[\"section\"][\"key\"]" };
        return Err(argument(format!("a value of a {name} file is named by an index of the form {shape}")));
    }
    match value {
        Value::Scalar(Scalar::Null) => Err(argument(format!("a {name} file cannot hold null"))),
        Value::Scalar(scalar @ Scalar::Str(_)) => Ok(Value::Scalar(scalar)),
        Value::Scalar(Scalar::Bool(value)) => Ok(Value::text(if value { "true" } else { "false" })),
        Value::Scalar(scalar) => {
            let mut text = Vec::new();
            scalar.write_canonical(&mut text);
            Ok(Value::text(text))
        }
        _ => Err(argument(format!("a {name} file cannot hold maps and lists"))),
    }
}

/// The plain text with the value in its place: replaced, or added with the
/// containers that the index asks for.
fn with_value(
    file: &Unlocked<'_>,
    plain: &[u8],
    index: &[Component],
    value: &Value,
) -> Result<SecretBytes, Error> {
    let Locked { format, store, place, .. } = &file.locked;
    let tree = change::parse_plain(plain, *format, place)?;
    let Some(document) = tree.documents.first() else { return Err(Error::Empty(place.clone())) };
    let Reached { node, depth } = index::reach(&tree, document.root, index);
    let rest = &index[depth..];
    let Some((next, below)) = rest.split_first() else {
        return change::changed(*store, &tree, node, Change::Replace(value), place);
    };
    let (inner, whole) = (nest(below, value.clone()), nest(rest, value.clone()));
    let change = match (tree.node(node).kind, next) {
        (Kind::Map, Component::Key(key)) => Change::Insert(key, &inner),
        (Kind::List, Component::Position(at)) if *at >= 0 => Change::Append(&inner),
        (Kind::List, Component::Key(key)) => {
            return Err(argument(format!(
                "component ['{key}'] is a key, but that part of the file is a list"
            )));
        }
        (_, Component::Position(at)) if *at < 0 => {
            return Err(argument(format!("component [{at}] is negative")));
        }
        (Kind::Map, Component::Position(at)) => {
            return Err(argument(format!(
                "component [{at}] is a position, but that part of the file is a map"
            )));
        }
        _ => Change::Replace(&whole),
    };
    change::changed(*store, &tree, node, change, place)
}

/// `value` inside the containers that `index` names.
fn nest(index: &[Component], value: Value) -> Value {
    index.iter().rev().fold(value, |value, component| match component {
        Component::Key(key) => Value::Map(vec![Entry::Pair(key.clone(), value)]),
        Component::Position(_) => Value::List(vec![value]),
    })
}
