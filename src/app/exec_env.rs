//! A command in a shell, with the values of a file in its environment
//! (sops-compat 10.7). What a dotenv file means here is SOPS's literal reading;
//! `run` is the command that reads it as a shell would.

use std::ffi::OsString;
use std::path::PathBuf;

use super::Deps;
use super::agent::overtaken;
use super::error::{Error, Place};
use super::launch;
use super::ports::{Ending, Launch};
use super::request::{FileOptions, Notice, OpenOptions, Source};
use super::variables::Variables;
use crate::domain::scalar::Scalar;
use crate::domain::secret::SecretBytes;
use crate::domain::store::dotenv;
use crate::domain::value::{Entry, Value};

/// What to run.
#[derive(Clone, Debug)]
pub struct Request {
    /// The encrypted file.
    pub path: PathBuf,
    /// Formats, config, names.
    pub file: FileOptions,
    /// Keys and MAC.
    pub open: OpenOptions,
    /// The command line for the shell.
    pub command: OsString,
    /// The caller's environment, if the command is to have it.
    pub inherited: Variables,
    /// The login name of another user.
    pub user: Option<String>,
    /// How it is started.
    pub manner: Manner,
}

/// How a command is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// In a process of its own that is waited for.
    Child,
    /// In this process.
    SameProcess,
    /// In a process of its own that nobody waits for.
    Background,
}

/// Runs the command. `None` is one in the background.
///
/// `tell` hears what is to be said before it starts.
pub fn run(
    deps: &Deps<'_>,
    request: &Request,
    tell: &mut dyn FnMut(Notice),
) -> Result<Option<Ending>, Error> {
    let source = Source::File(request.path.clone());
    let keys = launch::keys_for(&launch::shell(request.command.clone()), &request.open);
    let keys = OpenOptions { is_for_people: true, ..keys };
    let read = || launch::first_document(deps, &source, (&request.file, &keys), tell);
    let (document, place) = overtaken::again(deps, read)?;
    let account = launch::account(deps, request.user.as_deref())?;
    let mut environment = request.inherited.clone();
    launch::log_in(&mut environment, account.as_ref());
    add(&mut environment, document.as_ref(), &place)?;
    let launch = Launch {
        words: launch::shell(request.command.clone()),
        environment,
        search_path: None,
        account,
        memory: Vec::new(),
    };
    match request.manner {
        Manner::Child => launch::waited(deps, &launch, None).map(Some),
        Manner::SameProcess => launch::replaced(deps, &launch).map(Some),
        Manner::Background => deps.processes.start(&launch).map(|()| None),
    }
    .map_err(|error| launch::shell_failed(error, &launch))
}

/// Adds the pairs of the topmost map, in its order.
fn add(environment: &mut Variables, document: Option<&Value>, place: &Place) -> Result<(), Error> {
    let Some(Value::Map(entries)) = document else { return Ok(()) };
    for (key, value) in entries.iter().filter_map(Entry::pair) {
        environment.push(key, variable(key, value, place)?);
    }
    Ok(())
}

/// The value of the variable `key`.
fn variable(key: &str, value: &Value, place: &Place) -> Result<OsString, Error> {
    let refused = |message: String, hint: &str| {
        let place = place.clone().at_key(format!("[\"{key}\"]"));
        Error::Other { place, cause: message.into(), hints: vec![hint.to_owned()] }
    };
    let Value::Scalar(scalar) = value else {
        let message = format!("cannot use complex value in environment; offending key {key}");
        return Err(refused(message, "`leaflock run` flattens maps and lists: leaflock run FILE -- COMMAND"));
    };
    if key.contains('=') {
        let message = format!("cannot use keys with '=' in environment: {key}");
        return Err(refused(message, "rename the key"));
    }
    let text = match scalar {
        Scalar::Str(text) => SecretBytes::new(text.to_vec()),
        other => {
            let mut text = SecretBytes::default();
            dotenv::write_scalar(other, text.as_mut_vec());
            text
        }
    };
    match launch::value(&text) {
        Some(text) if !key.contains('\0') => Ok(text),
        _ => {
            let hint = "no variable can hold it; `leaflock exec-file` hands it over as a file";
            Err(refused("exec: environment variable contains NUL".to_owned(), hint))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Place, Variables, add};
    use crate::domain::scalar::Scalar;
    use crate::domain::value::{Entry, Value};

    #[test]
    fn values_are_written_as_sops_writes_them() {
        let pair = |key: &str, value: Scalar<'static>| Entry::Pair(key.to_owned(), Value::Scalar(value));
        let document = Value::Map(vec![
            pair("null", Scalar::Null),
            pair("one", Scalar::Float(1.0)),
            Entry::Comment("no".into()),
            pair("lines", Scalar::Str("a\nb\\n\"c\"".into())),
        ]);
        let mut found = Variables::default();
        add(&mut found, Some(&document), &Place::default()).unwrap();
        let found: Vec<_> = found.iter().map(|(name, value)| (name.to_str(), value.to_str())).collect();
        let expected = [("null", "<nil>"), ("one", "1.0"), ("lines", "a\nb\\n\"c\"")];
        assert_eq!(found, expected.map(|(name, value)| (Some(name), Some(value))));
    }
}
