//! What the use cases need from the world, as traits: files, time, randomness,
//! questions, the editor and progress. The adapters implement them; tests fake
//! them. Nothing pure gets a trait.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rand::{CryptoRng, RngCore};

use super::variables::Variables;
use crate::domain::agent::redact::Patterns;
use crate::domain::keys::kinds::KeyKind;
use crate::domain::keys::report::{NOBODY_TO_ASK, Tried};
use crate::domain::keys::survey::{Opener, Survey};
use crate::domain::keys::{KeyError, Refusal, SealedKey, WrappedKey};
use crate::domain::secret::SecretBytes;

/// The state of a file when it was read, so that a later write can tell
/// whether somebody else wrote it in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// Device number (0 where the system has none).
    pub device: u64,
    /// Inode number (0 where the system has none).
    pub inode: u64,
    /// Last change of the contents, nanoseconds since 1970.
    pub modified: i128,
    /// Size in bytes.
    pub size: u64,
}

/// A file's bytes and its state at that moment.
#[derive(Debug)]
pub struct Contents {
    /// The bytes.
    pub bytes: SecretBytes,
    /// What [`Files::replace`] compares with. `None` for what is not a regular
    /// file: a FIFO, a device, `/dev/stdin`.
    pub fingerprint: Option<Fingerprint>,
}

/// What stands at a path, links followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
    /// A FIFO, device or socket.
    Other,
}

/// How much a write waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Whole after a crash of the program: the file is the old one or the new
    /// one. After a loss of power the file system decides.
    #[default]
    Process,
    /// Whole after a loss of power as well: file and folder are synced, which
    /// costs milliseconds.
    Power,
}

/// What a caller may tell apart about a failed file operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileErrorKind {
    /// Nothing is there.
    NotFound,
    /// A directory stands where a file is wanted.
    Directory,
    /// Not allowed, or the file system is read-only.
    Denied,
    /// Something is there already.
    Exists,
    /// The file was changed by somebody else since it was read.
    Changed,
    /// The disk or quota is full, or a size limit was reached.
    Full,
    /// Everything else.
    Other,
}

/// A failed file operation. Prints as Go does, because clients of SOPS match on
/// it: `open /x/y: no such file or directory`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{action} {}: {reason}", path.display())]
pub struct FileError {
    /// What was tried, as Go names the system call: `open`, `read`, `rename`.
    pub action: &'static str,
    /// The path it was tried on.
    pub path: PathBuf,
    /// What a caller may act on.
    pub kind: FileErrorKind,
    /// The system's reason, in lower case.
    pub reason: String,
}

impl FileError {
    /// True where somebody else writes the same now, or was faster.
    pub fn is_race(&self) -> bool {
        self.kind == FileErrorKind::Changed || self.kind == FileErrorKind::Exists && self.action == "lock"
    }
}

/// Whether new bytes are what they are to be. Keeps its reasons to itself.
pub type Proof<'p> = &'p mut (dyn FnMut() -> bool + Send);

/// Files and folders.
pub trait Files: Sync {
    /// Reads a whole file; also standard input by the name `/dev/stdin`, and FIFOs.
    fn read(&self, path: &Path) -> Result<Contents, FileError>;

    /// The same, or `None` if nothing is there.
    fn read_if_there(&self, path: &Path) -> Result<Option<Contents>, FileError> {
        match self.read(path) {
            Ok(contents) => Ok(Some(contents)),
            Err(error) if error.kind == FileErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Hands what is read to `take`, piece by piece as it comes, until that says to
    /// stop.
    fn read_pieces(&self, path: &Path, take: &mut dyn FnMut(&[u8]) -> bool) -> Result<(), FileError> {
        take(&self.read(path)?.bytes);
        Ok(())
    }

    /// The permission bits of what stands at `path`, links followed; `None` where
    /// there are none.
    fn mode(&self, path: &Path) -> Option<u32> {
        let _ = path;
        None
    }

    /// True when a symbolic link stands at `path`.
    fn is_link(&self, path: &Path) -> bool {
        let _ = path;
        false
    }

    /// What stands at `path`, or `None`.
    fn kind(&self, path: &Path) -> Result<Option<FileKind>, FileError>;

    /// Replaces an existing file whole: at every moment, and after every failure,
    /// the path holds either all the old bytes or all the new ones. Mode, owner
    /// (where permitted) and a symbolic link to the file are kept. With `seen`,
    /// a file that changed since is left alone ([`FileErrorKind::Changed`]).
    fn replace(
        &self,
        path: &Path,
        bytes: &[u8],
        seen: Option<Fingerprint>,
        durability: Durability,
    ) -> Result<(), FileError> {
        self.replace_proven(path, bytes, seen, durability, &mut || true)
    }

    /// [`Files::replace`] by bytes that `proof` is still out for: it runs while they
    /// are brought to the disk. Unless it holds, the old file stays.
    fn replace_proven(
        &self,
        path: &Path,
        bytes: &[u8],
        seen: Option<Fingerprint>,
        durability: Durability,
        proof: Proof<'_>,
    ) -> Result<(), FileError>;

    /// Writes an output file: a new one gets mode `0666 & !umask`, as SOPS does;
    /// a regular file is replaced whole; FIFOs and devices are written straight.
    fn write(&self, path: &Path, bytes: &[u8], durability: Durability) -> Result<(), FileError>;

    /// Makes a new file that only its owner can read (0600), with the folders
    /// above it (0700). Never overwrites ([`FileErrorKind::Exists`]).
    fn create_private(&self, path: &Path, bytes: &[u8]) -> Result<(), FileError>;

    /// Makes a new file with the folders above it, one that can be run if
    /// `program`. Never overwrites ([`FileErrorKind::Exists`]).
    fn create(&self, path: &Path, bytes: &[u8], program: bool) -> Result<(), FileError>;

    /// Takes a file away.
    fn remove(&self, path: &Path) -> Result<(), FileError>;

    /// What is in a folder, sorted; nothing if there is no such folder.
    fn entries(&self, folder: &Path) -> Result<Vec<PathBuf>, FileError> {
        let _ = folder;
        Ok(Vec::new())
    }

    /// The first symbolic link at `path` or below it, in any order; none is followed.
    fn first_link(&self, path: &Path) -> Result<Option<PathBuf>, FileError> {
        Ok(self.is_link(path).then(|| path.to_owned()))
    }

    /// The place itself, behind all symbolic links; what is not there need not be.
    fn real(&self, path: &Path) -> Result<PathBuf, FileError>;

    /// The absolute path, cleaned of `.`, `..` and double slashes by text alone,
    /// as Go's `filepath.Abs` does.
    fn absolute(&self, path: &Path) -> Result<PathBuf, FileError>;

    /// The files that command line arguments stand for: a file itself, a
    /// directory's files in and below it (no hidden entries, no linked
    /// directories), a glob pattern's matches. Sorted, without duplicates.
    fn expand(&self, arguments: &[PathBuf]) -> Result<Vec<PathBuf>, FileError>;
}

/// The new state of a file, complete and waiting to take its place. Dropped, it
/// is gone and the old file is what it was.
pub trait Staged: fmt::Debug + Send {
    /// The file as the caller named it.
    fn path(&self) -> &Path;

    /// The folder that the file itself is in.
    fn folder(&self) -> &Path;

    /// Puts the new state in place of the old one, unless the file changed since
    /// it was read ([`FileErrorKind::Changed`]).
    fn put(self: Box<Self>) -> Result<(), FileError>;
}

/// [`Files::replace`] for many files at the cost of one sync: stage all of them,
/// sync, put all of them in place, sync again.
pub trait Staging: Sync {
    /// How many files may be staged at one time.
    fn room(&self) -> usize;

    /// Writes the new state of an existing file beside it.
    fn stage(
        &self,
        path: &Path,
        bytes: &[u8],
        seen: Option<Fingerprint>,
    ) -> Result<Box<dyn Staged>, FileError>;

    /// Returns when everything that was staged or put in these folders outlasts
    /// a loss of power.
    fn sync(&self, folders: &[&Path]) -> Result<(), FileError>;
}

/// Many files that change all together or not at all, whatever ends the process.
/// A journal in `root` says how far the change has come.
pub trait Transactions: Sync {
    /// Begins a change of `files`, absolute and each once, by `command`.
    ///
    /// # Errors
    /// [`FileErrorKind::Exists`] where another one is unfinished or under way.
    fn begin<'t>(
        &'t self,
        root: &Path,
        command: &str,
        files: &[PathBuf],
    ) -> Result<Box<dyn Transaction + 't>, FileError>;

    /// What a process that was killed left in `root`. What needs no decision is put
    /// right on the way.
    ///
    /// # Errors
    /// [`FileErrorKind::Exists`] where the process still lives.
    fn unfinished<'t>(&'t self, root: &Path) -> Result<Option<Box<dyn Unfinished + 't>>, FileError>;

    /// Waits while a living process changes files by a journal in `path` or in a folder
    /// above it, for a moment at most.
    fn wait(&self, path: &Path);
}

/// A change in the making; dropped, nothing has changed.
pub trait Transaction: Send + Sync {
    /// Writes the new state of the file with this index beside it.
    fn stage(&self, index: usize, bytes: &[u8], seen: Option<Fingerprint>) -> Result<(), FileError>;

    /// Writes a file that does not exist yet, with the folders above it.
    fn create(&self, index: usize, bytes: &[u8]) -> Result<(), FileError>;

    /// Says that the file with this index goes away.
    fn remove(&self, index: usize, seen: Option<Fingerprint>) -> Result<(), FileError>;

    /// Puts all new states in place. After an error all files are what they were.
    fn commit(self: Box<Self>) -> Result<(), FileError>;
}

/// A change that has some files in their new state and others in their old one.
pub trait Unfinished {
    /// The command that began it.
    fn command(&self) -> &str;

    /// All of its files.
    fn files(&self) -> &[PathBuf];

    /// How many of them are in their new state.
    fn done(&self) -> usize;

    /// Brings all files to their new state, or back to their old one. Those that
    /// somebody else changed since are left alone and returned.
    fn settle(self: Box<Self>, forward: bool) -> Result<Vec<PathBuf>, FileError>;
}

/// A private place for plaintext: only the user can read it, it is in memory
/// where the system has such a place, and it is wiped and removed on every way
/// out of the process, signals included.
pub trait PrivateFiles: Sync {
    /// Makes a new private directory.
    fn create(&self) -> Result<Box<dyn PrivateDir>, FileError>;
}

/// One private directory; dropping it wipes and removes it.
pub trait PrivateDir {
    /// Writes file `name` (a plain file name), mode 0600, and returns its path.
    fn write(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, FileError>;

    /// Reads file `name` back.
    fn read(&self, name: &str) -> Result<SecretBytes, FileError>;

    /// Makes FIFO `name`, mode 0600, that gives `bytes` to its first reader, and
    /// returns its path. Where the system has none, it is an ordinary file.
    fn serve(&self, name: &str, bytes: SecretBytes) -> Result<PathBuf, FileError>;

    /// Makes the directory and what is in it another user's.
    fn give_to(&self, account: &Account) -> Result<(), FileError>;
}

/// A user of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Login name.
    pub name: String,
    /// User number.
    pub uid: u32,
    /// Number of the primary group.
    pub gid: u32,
    /// Numbers of all groups.
    pub groups: Vec<u32>,
    /// Home folder.
    pub home: String,
}

/// What to start, without a shell.
#[derive(Debug)]
pub struct Launch {
    /// The program, and its arguments.
    pub words: Vec<OsString>,
    /// Its whole environment.
    pub environment: Variables,
    /// Where the program is looked for: the caller's `PATH`, whatever the
    /// environment's is. `None` is the system's own places.
    pub search_path: Option<OsString>,
    /// Who is to run it, if not the caller.
    pub account: Option<Account>,
    /// Files in memory that it can read; no other program of ours can.
    pub memory: Vec<Box<dyn MemoryFile>>,
}

/// A file in memory, gone when the last process that has it is. Dropped, this process
/// has it no more.
pub trait MemoryFile: fmt::Debug + Send + Sync {
    /// Where a process that inherits it finds it.
    fn path(&self) -> PathBuf;

    /// Whether programs that are started from now on inherit it. At first they do not.
    fn set_inherited(&self, inherited: bool);
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With this exit code.
    Code(u8),
    /// By a signal of this number.
    Signal(i32),
}

/// What a caller may tell apart about a program that did not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaunchErrorKind {
    /// There is no such program.
    NotFound,
    /// It may not be run, or is no program.
    Denied,
    /// Arguments and environment are larger than the system allows.
    TooLarge,
    /// Everything else.
    Other,
}

/// A program that did not start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot run {}: {reason}", program.display())]
pub struct LaunchError {
    /// The program.
    pub program: PathBuf,
    /// What a caller may act on.
    pub kind: LaunchErrorKind,
    /// The system's reason, in lower case.
    pub reason: String,
}

/// Other programs.
pub trait Processes: Sync {
    /// The user of this login name, if there is one.
    fn account(&self, name: &str) -> Result<Option<Account>, FileError>;

    /// The program of that name on `search_path`.
    fn find(&self, name: &str, search_path: &OsStr) -> Option<PathBuf>;

    /// The file of this program, where the system tells.
    fn own_program(&self) -> Option<PathBuf>;

    /// Becomes the program: same process, same terminal, same parent. Returns
    /// only if that fails. Nothing is dropped: no private directory may be open.
    fn become_program(&self, launch: &Launch) -> LaunchError;

    /// Runs the program on the streams of this process and waits for its end. The
    /// signals that this process gets meanwhile are the program's.
    fn run(&self, launch: &Launch) -> Result<Ending, LaunchError>;

    /// The same, with the secrets taken out of everything that the program writes to
    /// its standard output and standard error. Each of them that is a terminal here is
    /// one there. What processes write that outlive the program is shown for a moment
    /// longer, then they have nobody to write to.
    fn run_redacted(&self, launch: &Launch, patterns: &Arc<Patterns>) -> Result<Ending, LaunchError>;

    /// Starts the program without streams and does not wait for it.
    fn start(&self, launch: &Launch) -> Result<(), LaunchError>;

    /// A file in memory with `bytes`; `None` where the system has no such thing.
    fn memory_file(&self, bytes: &[u8]) -> Option<Box<dyn MemoryFile>>;
}

/// Why an editor session did not happen. Prints what SOPS prints (exit 201).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Could not run editor: {0}")]
pub struct EditorError(pub String);

/// The user's text editor.
pub trait Editor: Sync {
    /// Opens `path` and waits until the editor ends.
    fn edit(&self, path: &Path) -> Result<(), EditorError>;
}

/// Why a file cannot be edited now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditLockError {
    /// Another session edits the file.
    #[error("{} is being edited by {holder}", path.display())]
    Held {
        /// The file.
        path: PathBuf,
        /// Who: user and process, as far as known.
        holder: String,
    },
    /// The lock itself failed.
    #[error(transparent)]
    File(#[from] FileError),
}

/// One editing session at a time and file.
pub trait EditLocks: Sync {
    /// Claims `path`, which need not exist, until the result is dropped. Never waits.
    fn lock(&self, path: &Path) -> Result<Box<dyn EditLock>, EditLockError>;
}

/// A claim on a file; dropping it gives it back.
pub trait EditLock {}

/// Why a question got no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PromptError {
    /// No terminal to ask on.
    #[error("{wanted}: {NOBODY_TO_ASK}")]
    NoTerminal {
        /// What the answer was wanted for, for example `passphrase for /home/x/id`.
        wanted: String,
    },
    /// The terminal failed or was closed.
    #[error("{wanted}: {reason}")]
    Failed {
        /// What the answer was wanted for.
        wanted: String,
        /// The system's reason.
        reason: String,
    },
}

/// Questions to the person at the terminal, never on standard input or output.
/// Texts may come from elsewhere: what could steer a terminal is taken out.
pub trait Prompt: Send + Sync {
    /// Asks for a secret without echo. `wanted` is the question's subject
    /// (`passphrase for /home/x/id`); it ends up in the error too.
    fn secret(&self, wanted: &str) -> Result<SecretBytes, PromptError>;

    /// The same with echo, for what is no secret.
    fn visible(&self, wanted: &str) -> Result<SecretBytes, PromptError>;

    /// Asks for one of two answers; true for `yes`. Without `no` there is only
    /// one to give.
    fn choose(&self, question: &str, yes: &str, no: Option<&str>) -> Result<bool, PromptError>;

    /// Tells the person something that cannot wait for the end of the call: to
    /// touch a key.
    fn tell(&self, message: &str);

    /// Asks until the answer is yes or no.
    fn confirm(&self, question: &str) -> Result<bool, PromptError>;

    /// The next line of standard input without its end, for questions that scripts
    /// answer; `None` at the end of the input.
    fn line(&self) -> Result<Option<String>, PromptError> {
        Ok(None)
    }

    /// Shows `message` and waits for Enter.
    fn pause(&self, message: &str) -> Result<(), PromptError>;
}

/// The system's time.
pub trait Clock: Sync {
    /// Now, in UTC, as RFC 3339 with whole seconds: `2026-11-22T01:04:56Z`.
    fn now(&self) -> String;

    /// The same with milliseconds: `2026-11-22T01:04:56.789Z`.
    fn now_exact(&self) -> String {
        format!("{}.000Z", self.now().trim_end_matches('Z'))
    }
}

/// A generator fit for keys and nonces.
pub trait SecureRng: RngCore + CryptoRng {}

impl<R: RngCore + CryptoRng> SecureRng for R {}

impl fmt::Debug for dyn SecureRng {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecureRng")
    }
}

/// The system's randomness.
pub trait Random: Sync {
    /// A generator for the calling thread.
    fn rng(&self) -> Box<dyn SecureRng>;
}

/// A display of how far a batch has come.
pub trait Progress: Sync {
    /// A batch of `total` files begins.
    fn start(&self, total: usize);
    /// One more file is done.
    fn step(&self);
    /// The batch is over; whatever was drawn is cleared.
    fn finish(&self);
}

/// A new age identity.
#[derive(Debug)]
pub struct NewIdentity {
    /// The file that `age-keygen` would write.
    pub file: SecretBytes,
    /// The public key.
    pub recipient: String,
}

/// Who may be bothered so that a key opens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Asking {
    /// The person: for passphrases, plugins, hardware.
    #[default]
    Person,
    /// Nobody, but key commands are run, of which nobody knows whom they ask.
    Commands,
    /// Nobody.
    Nobody,
}

/// The age keys of a call's groups, group by group; files are read only when this
/// is called.
pub type Others<'o> = dyn Fn() -> Vec<Vec<SealedKey>> + 'o;

/// The master keys that wrap data keys. See [`crate::domain::keys`] for the contract.
pub trait Keys: Sync {
    /// Wraps `secret` for each of the keys, which are of one kind and named as
    /// [`crate::domain::keys::kinds::KeySpec::identity`] says.
    fn wrap(&self, kind: KeyKind, keys: &[String], secret: &[u8]) -> Result<Vec<String>, KeyError>;

    /// Unwraps the first of `keys`, the keys of one kind of a group, that the user
    /// can open. `others` has the age keys of all groups of all files of the call:
    /// what must ask a person asks once for all of them, if `asking` lets it.
    fn unwrap(
        &self,
        kind: KeyKind,
        keys: &[WrappedKey<'_>],
        others: &Others<'_>,
        asking: Asking,
    ) -> Result<SecretBytes, Vec<Refusal>>;

    /// The age identities that were tried so far.
    fn tried(&self) -> Vec<Tried>;

    /// Looks at every place and program; GnuPG is run only if `pgp`. Nobody is asked
    /// anything.
    fn survey(&self, pgp: bool) -> Survey;

    /// Who would open a key of that kind and name; without asking anybody.
    fn opener(&self, kind: KeyKind, key: &str) -> Option<Opener>;

    /// The recipients of the identities in a file of identities, as far as they can
    /// be told without a passphrase.
    fn recipients_of(&self, identity_file: &[u8]) -> Vec<String>;

    /// Makes an identity. `created` is RFC 3339.
    fn generate(&self, created: &str) -> NewIdentity;
}
