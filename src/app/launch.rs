//! What the commands that start another program have in common: the file opened
//! and checked, the environment put together, the account looked up.

use std::ffi::OsString;
use std::path::PathBuf;

use super::Deps;
use super::audit::record;
use super::error::{Error, Place};
use super::open::{self, Locked, Unlocked};
use super::ports::{Account, Ending, FileError, FileErrorKind, Launch, LaunchError};
use super::request::{FileOptions, OpenOptions, Source};
use super::variables::Variables;
use crate::domain::agent::audit::entry::{Action, Outcome, Target};
use crate::domain::secret::SecretBytes;
use crate::domain::value::Value;

/// The first document of an encrypted file, checked against its MAC.
pub fn first_document(
    deps: &Deps<'_>,
    source: &Source,
    file: &FileOptions,
    open_options: &OpenOptions,
) -> Result<(Option<Value>, Place), Error> {
    let input = open::read_input(deps, source, file).map_err(|error| as_unreadable(error, source))?;
    let format = file.input_format.unwrap_or_else(|| input.format());
    let unlocked = Locked::parse(&input.bytes, format, &input.place())?.unlock(deps, open_options)?;
    let document = values(&unlocked, open_options)?.into_iter().next();
    Ok((document, input.place()))
}

/// The keys for a file whose values a program gets. The audit trail tells the name of
/// the program and how many arguments it has, and none of them: they may be secrets.
pub fn keys_for(command: &[OsString], keys: &OpenOptions) -> OpenOptions {
    let program = command.first().map(PathBuf::from).unwrap_or_default();
    let name = program.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let arguments = command.len().saturating_sub(1);
    let mut keys = keys.to(Action::ExecStart);
    keys.intent.target = Some(Target::new(&name, arguments));
    keys
}

/// Runs a program and waits for its end. Under a policy, the audit trail tells how it
/// ended.
pub fn waited(deps: &Deps<'_>, launch: &Launch) -> Result<Ending, LaunchError> {
    told(deps, deps.processes.run(launch))
}

/// How a program ended, written into the audit trail where a policy is.
pub fn told(deps: &Deps<'_>, ended: Result<Ending, LaunchError>) -> Result<Ending, LaunchError> {
    if let Some(recorded) = record::last(deps) {
        let exit = match &ended {
            Ok(Ending::Code(code)) => Some(*code),
            Ok(Ending::Signal(signal)) => u8::try_from(128 + signal).ok(),
            Err(_) => None,
        };
        let outcome = if ended.is_ok() { Outcome::Ok } else { Outcome::Failed };
        // The values were had, whether the end can be told of or not.
        let _ = recorded.program_ended(deps, outcome, exit);
    }
    ended
}

/// Becomes the program; returns only if that fails. Under a policy this process stays,
/// to tell how the program ended.
pub fn replaced(deps: &Deps<'_>, launch: &Launch) -> Result<Ending, LaunchError> {
    match record::last(deps) {
        Some(_) => waited(deps, launch),
        None => Err(deps.processes.become_program(launch)),
    }
}

/// All documents of a file, checked against its MAC.
pub fn values(unlocked: &Unlocked<'_>, options: &OpenOptions) -> Result<Vec<Value>, Error> {
    let (documents, findings) = unlocked.file().to_values().map_err(|error| unlocked.tree_error(error))?;
    if !options.ignore_mac {
        unlocked.locked.check_mac(&unlocked.cipher, &findings.mac)?;
    }
    Ok(documents)
}

/// SOPS ends with 2 here where the file is missing, not with 100, and names it as
/// it was typed.
pub fn as_unreadable(error: Error, source: &Source) -> Error {
    match (error, source) {
        (Error::NoSuchFile(_), Source::File(path)) => Error::Read(FileError {
            action: "open",
            path: path.clone(),
            kind: FileErrorKind::NotFound,
            reason: "no such file or directory".to_owned(),
        }),
        (error, _) => error,
    }
}

/// The account of `--user`.
pub fn account(deps: &Deps<'_>, name: Option<&str>) -> Result<Option<Account>, Error> {
    let Some(name) = name else { return Ok(None) };
    match deps.processes.account(name).map_err(Error::Read)? {
        Some(account) => Ok(Some(account)),
        None => Err(Error::Other {
            place: Place::default(),
            cause: format!("user: unknown user {name}").into(),
            hints: vec!["--user takes the login name of a user of this machine".to_owned()],
        }),
    }
}

/// Adds what an account's login would set.
pub fn log_in(environment: &mut Variables, account: Option<&Account>) {
    if let Some(account) = account {
        environment.push("HOME", &account.home);
        environment.push("USER", &account.name);
        environment.push("LOGNAME", &account.name);
    }
}

/// The words that run `command` in a shell, as SOPS does.
pub fn shell(command: OsString) -> Vec<OsString> {
    let (shell, flag) = if cfg!(windows) { ("cmd.exe", "/C") } else { ("/bin/sh", "-c") };
    vec![shell.into(), flag.into(), command]
}

/// Bytes as the value of a variable; `None` where the system cannot hold them.
#[cfg(unix)]
pub fn value(bytes: &SecretBytes) -> Option<OsString> {
    use std::os::unix::ffi::OsStringExt as _;
    (!bytes.contains(&0)).then(|| OsString::from_vec(bytes.to_vec()))
}

/// Bytes as the value of a variable; `None` where the system cannot hold them.
#[cfg(not(unix))]
pub fn value(bytes: &SecretBytes) -> Option<OsString> {
    let text = std::str::from_utf8(bytes).ok()?;
    (!text.contains('\0')).then(|| OsString::from(text))
}

/// The error of a shell that did not start, in SOPS's words.
pub fn shell_failed(error: LaunchError, launch: &Launch) -> Error {
    let message = format!("fork/exec {}: {}", error.program.display(), error.reason);
    with_sizes(error, message, launch)
}

/// The error of a program that did not start.
pub fn failed(error: LaunchError, launch: &Launch) -> Error {
    let message = error.to_string();
    with_sizes(error, message, launch)
}

/// Adds what may have filled the environment.
fn with_sizes(error: LaunchError, message: String, launch: &Launch) -> Error {
    /// How many names are worth showing.
    const SHOWN: usize = 3;
    let mut sizes: Vec<(usize, String)> = launch
        .environment
        .iter()
        .map(|(name, value)| (name.len() + value.len() + 2, name.to_string_lossy().into_owned()))
        .collect();
    sizes.sort_by(|a, b| b.cmp(a));
    let total = sizes.iter().map(|(size, _)| size).sum();
    let largest =
        sizes.into_iter().take(SHOWN).map(|(size, name)| format!("{name} ({size} bytes)")).collect();
    Error::Launch { error, message, total, largest }
}
