//! What the commands that start another program have in common: the file opened
//! and checked, the environment put together, the account looked up.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use super::Deps;
use super::audit::record;
use super::error::{Error, Place};
use super::open::{self, Locked, Unlocked};
use super::ports::{Account, Ending, FileError, FileErrorKind, Launch, LaunchError, PrivateDir};
use super::request::{FileOptions, Notice, OpenOptions, Source};
use super::variables::Variables;
use crate::domain::agent::audit::entry::{Action, Outcome, Target};
use crate::domain::agent::redact::Patterns;
use crate::domain::secret::SecretBytes;
use crate::domain::value::Value;

/// The first document of an encrypted file, checked against its MAC. `tell` hears what
/// there is to say about the file.
pub fn first_document(
    deps: &Deps<'_>,
    source: &Source,
    (file, open_options): (&FileOptions, &OpenOptions),
    tell: &mut dyn FnMut(Notice),
) -> Result<(Option<Value>, Place), Error> {
    let input = open::read_input(deps, source, file).map_err(|error| as_unreadable(error, source))?;
    let format = file.input_format.unwrap_or_else(|| input.format());
    let unlocked = Locked::parse(&input.bytes, format, &input.place())?.unlock(deps, open_options)?;
    unlocked.notices.iter().cloned().for_each(tell);
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

/// Runs a program and waits for its end; what `redacted` holds is taken out of its output.
/// Under a policy, the audit trail tells how it ended.
pub fn waited(
    deps: &Deps<'_>,
    launch: &Launch,
    redacted: Option<&Arc<Patterns>>,
) -> Result<Ending, LaunchError> {
    let ended = match redacted {
        Some(patterns) => deps.processes.run_redacted(launch, patterns),
        None => deps.processes.run(launch),
    };
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
        Some(_) => waited(deps, launch, None),
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

/// A wish for variables or files that cannot be granted.
pub fn conflict(message: String, hint: &str) -> Error {
    Error::Conflict { message, hints: vec![hint.to_owned()] }
}

/// Adds the variable `name` with the value at `path`. `file_flag` is the flag that puts a
/// value into a file: the way for values that no variable can hold.
///
/// # Errors
/// The system's environment cannot hold the value.
pub fn add_variable(
    environment: &mut Variables,
    name: String,
    value: &SecretBytes,
    path: &str,
    file_flag: &str,
) -> Result<(), Error> {
    let text = self::value(value).ok_or_else(|| Error::Other {
        place: Place::default().at_key(path.to_owned()),
        cause: "this system's environment cannot hold the value".into(),
        hints: vec![format!("{file_flag} hands it over as a file")],
    })?;
    environment.remove(&name);
    environment.push(name, text);
    Ok(())
}

/// A value that a program gets as a file, whose path is in a variable.
pub struct InFile<'v> {
    /// The variable.
    pub name: &'v str,
    /// The file, where it has a name.
    pub file: String,
    /// The value.
    pub value: &'v SecretBytes,
}

/// Where values for programs are put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// Files of a private folder, whose names programs may look at.
    Folder,
    /// Memory, where the system has such files; else a private folder.
    Memory,
}

/// Puts values into files that live as long as `launch` and the folder that is returned,
/// and their paths into the environment.
///
/// # Errors
/// A file that cannot be written.
pub fn hand_over(
    deps: &Deps<'_>,
    launch: &mut Launch,
    files: &[InFile<'_>],
    room: Room,
) -> Result<Option<Box<dyn PrivateDir>>, Error> {
    let mut folder: Option<Box<dyn PrivateDir>> = None;
    for InFile { name, file, value } in files {
        let in_memory = match room {
            Room::Memory => deps.processes.memory_file(value),
            Room::Folder => None,
        };
        let path = match in_memory {
            Some(memory) => {
                let path = memory.path();
                launch.memory.push(memory);
                path
            }
            None => {
                let folder = match &mut folder {
                    Some(folder) => folder,
                    none => none.insert(deps.private_files.create().map_err(Error::Read)?),
                };
                folder.write(file, value).map_err(Error::Read)?
            }
        };
        launch.environment.remove(name);
        launch.environment.push(name, path);
    }
    Ok(folder)
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

/// How long a variable may be on Linux: its name, `=`, its value and a zero byte.
#[cfg(target_os = "linux")]
const LONGEST_VARIABLE: usize = 128 * 1024;

/// Whether the system's environment can hold these bytes as the variable `name`.
pub fn fits(name: &str, bytes: &SecretBytes) -> bool {
    #[cfg(target_os = "linux")]
    if name.len() + bytes.len() + 2 > LONGEST_VARIABLE {
        return false;
    }
    value(bytes).is_some()
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
    with_sizes(error, message, launch, true)
}

/// The error of a program that did not start.
pub fn failed(error: LaunchError, launch: &Launch) -> Error {
    let message = error.to_string();
    with_sizes(error, message, launch, false)
}

/// Adds what may have filled the environment.
fn with_sizes(error: LaunchError, message: String, launch: &Launch, as_sops: bool) -> Error {
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
    Error::Launch { error, message, total, largest, as_sops }
}
