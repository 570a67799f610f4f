//! A command in a shell, with the plaintext of a file at a path that `{}` in the
//! command stands for: a FIFO, or a file in private memory (sops-compat 10.7).

use std::ffi::{OsStr, OsString};
use std::path::{Component, Path};

use super::Deps;
use super::decrypt;
use super::error::{Error, Place};
use super::launch;
use super::ports::{Ending, FileError, Launch, PrivateDir};
use super::request::Notice;
use super::variables::Variables;
use crate::domain::secret::SecretBytes;

/// SOPS's name for a file that was given none.
pub const FALLBACK_NAME: &str = "tmp-file";

/// What to run.
#[derive(Clone, Debug)]
pub struct Request {
    /// What to decrypt, and how to write it.
    pub decrypt: decrypt::Request,
    /// The command line for the shell.
    pub command: OsString,
    /// The caller's environment.
    pub inherited: Variables,
    /// The login name of another user.
    pub user: Option<String>,
    /// The file's name, if not [`FALLBACK_NAME`].
    pub name: Option<String>,
    /// Whether the path is a FIFO, which can be read once.
    pub fifo: bool,
    /// Whether nobody waits for the command.
    pub background: bool,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// How the command ended; `None` for one in the background.
    pub ending: Option<Ending>,
    /// What to say on the side.
    pub notices: Vec<Notice>,
}

/// Runs the command.
pub fn run(deps: &Deps<'_>, request: &Request) -> Result<Outcome, Error> {
    let name = request.name.as_deref().unwrap_or(FALLBACK_NAME);
    check_name(name)?;
    let mut wanted = request.decrypt.clone();
    wanted.open = launch::keys_for(&launch::shell(request.command.clone()), &wanted.open);
    wanted.open.is_for_people = true;
    let mut decrypted = decrypt::run(deps, &wanted)
        .map_err(|error| launch::as_unreadable(error, &request.decrypt.task.source))?;
    let notices = std::mem::take(&mut decrypted.notices);
    let plaintext = decrypted.into_bytes();
    let account = launch::account(deps, request.user.as_deref())?;
    let mut environment = request.inherited.clone();
    launch::log_in(&mut environment, account.as_ref());
    let mut launch =
        Launch { words: Vec::new(), environment, search_path: None, account, memory: Vec::new() };
    let ending = if request.background {
        start(deps, request, &mut launch, name, &plaintext)?;
        None
    } else {
        let folder = deps.private_files.create().map_err(not_made)?;
        let path = if request.fifo {
            folder.serve(name, plaintext).map_err(not_made)?
        } else {
            folder.write(name, &plaintext).map_err(not_made)?
        };
        Some(run_with(deps, request, &mut launch, &*folder, &path)?)
    };
    Ok(Outcome { ending, notices })
}

fn run_with(
    deps: &Deps<'_>,
    request: &Request,
    launch: &mut Launch,
    folder: &dyn PrivateDir,
    path: &Path,
) -> Result<Ending, Error> {
    if let Some(account) = &launch.account {
        folder.give_to(account).map_err(not_made)?;
    }
    launch.words = launch::shell(with_path(&request.command, path));
    launch::waited(deps, launch, None).map_err(|error| launch::shell_failed(error, launch))
}

/// Starts a command that outlives this process, and so would every file on disk:
/// it gets a file in memory that is gone when its last reader is. Where there is no
/// such thing it finds nothing, as with SOPS.
fn start(
    deps: &Deps<'_>,
    request: &Request,
    launch: &mut Launch,
    name: &str,
    plaintext: &SecretBytes,
) -> Result<(), Error> {
    let folder;
    let path = match deps.processes.memory_file(plaintext) {
        Some(file) => {
            let path = file.path();
            launch.memory.push(file);
            path
        }
        None => {
            folder = deps.private_files.create().map_err(not_made)?;
            folder.write(name, plaintext).map_err(not_made)?
        }
    };
    launch.words = launch::shell(with_path(&request.command, &path));
    deps.processes.start(launch).map_err(|error| launch::shell_failed(error, launch))
}

/// Refuses a name that leads out of the private directory.
fn check_name(name: &str) -> Result<(), Error> {
    let mut parts = Path::new(name).components();
    if let (Some(Component::Normal(only)), None) = (parts.next(), parts.next())
        && only == name
    {
        return Ok(());
    }
    Err(Error::Other {
        place: Place::default(),
        cause: "The provided filename is not a local path.".into(),
        hints: vec!["--filename is the bare name of the file, without folders".to_owned()],
    })
}

fn not_made(error: FileError) -> Error {
    Error::Other { place: Place::default(), cause: Box::new(error), hints: Vec::new() }
}

/// `command` with `path` for every `{}`.
fn with_path(command: &OsStr, path: &Path) -> OsString {
    let mut whole = OsString::with_capacity(command.len() + path.as_os_str().len());
    let bytes = command.as_encoded_bytes();
    let mut done = 0;
    for at in memchr::memmem::find_iter(bytes, b"{}") {
        whole.push(slice(command, done, at));
        whole.push(path);
        done = at + 2;
    }
    whole.push(slice(command, done, bytes.len()));
    whole
}

#[cfg(unix)]
fn slice(text: &OsStr, start: usize, end: usize) -> OsString {
    use std::os::unix::ffi::OsStrExt as _;
    OsStr::from_bytes(&text.as_bytes()[start..end]).to_owned()
}

#[cfg(not(unix))]
fn slice(text: &OsStr, start: usize, end: usize) -> OsString {
    String::from_utf8_lossy(&text.as_encoded_bytes()[start..end]).into_owned().into()
}

#[cfg(test)]
mod tests {
    use super::{check_name, with_path};
    use std::ffi::OsStr;
    use std::path::Path;

    #[test]
    fn the_path_stands_in_every_place() {
        let text = |command: &str| with_path(OsStr::new(command), Path::new("/p q")).into_string().unwrap();
        assert_eq!(text("cat {} {}x{"), "cat /p q /p qx{");
        assert_eq!(text("{}{}"), "/p q/p q");
        assert_eq!(text(""), "");
    }

    #[test]
    fn names_stay_in_their_folder() {
        assert!(check_name("a.json").is_ok());
        for name in ["", ".", "..", "../x", "a/b", "/a", "a/"] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
