//! Everything that can end a use case, by the classes that SOPS's exit codes
//! tell apart (sops-compat 10.8). The first line of a text is SOPS's own, because
//! clients match on it; where it happened, deeper causes and advice follow.

use std::path::{Path, PathBuf};

use super::ports::{EditLockError, EditorError, FileError, LaunchError, LaunchErrorKind, PromptError};
use crate::domain::agent::denial::DenyCode;
use crate::domain::store::{ReadError, WriteError};

/// Where in a file something is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub path: Option<PathBuf>,
    /// The line, from 1.
    pub line: Option<usize>,
    /// The key, as an index: `["database"]["password"]`.
    pub key: Option<String>,
}

impl Place {
    /// A file.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self { path: Some(path.into()), line: None, key: None }
    }

    /// The same at a line, where known.
    pub fn at_line(mut self, line: Option<usize>) -> Self {
        self.line = line;
        self
    }

    /// The same at a key.
    pub fn at_key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }
}

/// What was being done when a file could not be understood; SOPS words it
/// differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum While {
    /// Reading a plain file to encrypt it.
    Encrypting,
    /// Reading an encrypted file.
    Decrypting,
}

/// Any error with its texts; the cause of an app error.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why a use case failed. The text is the first line for the user.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not in this build.
    #[error("{0} is not in this build yet")]
    NotBuilt(&'static str),

    /// Exit 100: no such file.
    #[error("Error: cannot operate on non-existent file \"{}\"", .0.display())]
    NoSuchFile(PathBuf),

    /// Exit 2: the input cannot be read.
    #[error("Error reading file: {0}")]
    Read(FileError),

    /// Exit 2 when encrypting, 1 when decrypting: the input does not follow its format.
    #[error("{}{error}", match .during {
        While::Encrypting => "Error unmarshalling file: ",
        While::Decrypting => "Error unmarshalling input: ",
    })]
    Syntax {
        /// The file and line.
        place: Place,
        /// What was being done.
        during: While,
        /// What is wrong.
        error: Box<ReadError>,
    },

    /// Exit 92: no document.
    #[error("File cannot be completely empty, it must contain at least one document")]
    Empty(Place),

    /// Exit 203: the input has `sops` metadata already. Texts as in SOPS.
    #[error("{}", ALREADY_ENCRYPTED)]
    AlreadyEncrypted(Place),

    /// Exit 1: no metadata.
    #[error("sops metadata not found")]
    NotEncrypted(Place),

    /// Exit 1: the metadata cannot be used.
    #[error("{cause}")]
    Metadata {
        /// The file and key.
        place: Place,
        /// What is wrong.
        cause: Cause,
        /// Advice.
        hints: Vec<String>,
    },

    /// Exit 1: the config cannot be used, has no matching rule, or names no keys.
    #[error("{cause}")]
    Config {
        /// The config file, line and key.
        place: Place,
        /// What is wrong, with SOPS's prefix (`error loading config: …`).
        cause: Cause,
        /// Advice.
        hints: Vec<String>,
    },

    /// Exit 1: a recipient does not parse, or the data key could not be encrypted.
    #[error("{cause}")]
    Recipients {
        /// What is wrong.
        cause: Cause,
        /// Advice.
        hints: Vec<String>,
    },

    /// Exit 1: the rule in force selects no value of the file.
    #[error("the rule selects no value of this file: it would be stored in plain text")]
    NothingSelected {
        /// The file.
        place: Place,
        /// The rule and what it selects.
        rule: String,
        /// Advice.
        hints: Vec<String>,
    },

    /// Exit 23: a value or key cannot be encrypted.
    #[error("Error encrypting tree: {cause}")]
    Encrypt {
        /// The file, line and key.
        place: Place,
        /// What is wrong.
        cause: Cause,
    },

    /// Exit 25: a value cannot be decrypted.
    #[error("{cause}")]
    Decrypt {
        /// The file, line and key.
        place: Place,
        /// What is wrong, from `Error decrypting tree: ` on.
        cause: Cause,
    },

    /// Exit 51: the MAC does not match or cannot be read.
    #[error("{cause}")]
    Mac {
        /// The file.
        place: Place,
        /// SOPS's text.
        cause: Cause,
    },

    /// Exit 51: the seal or signature does not hold, or is not there and must be.
    #[error("{cause}")]
    Seal {
        /// The file.
        place: Place,
        /// What is wrong.
        cause: Cause,
        /// Advice.
        hints: Vec<String>,
    },

    /// Exit 128: no identity opens the file. The cause is one short answer;
    /// the hints say which identities were tried and what to do.
    #[error("{cause}")]
    DataKey {
        /// The file.
        place: Place,
        /// SOPS's first line and what was tried.
        cause: Cause,
        /// Advice.
        hints: Vec<String>,
    },

    /// Exit 4: the result cannot be written in the wanted format.
    #[error("{}{error}", match .during {
        While::Encrypting => "Could not marshal tree: ",
        While::Decrypting => "Error dumping file: ",
    })]
    Emit {
        /// The file.
        place: Place,
        /// What was being done.
        during: While,
        /// What is wrong.
        error: WriteError,
    },

    /// Exit 3: the result cannot be written.
    #[error("{}{error}", unwritten(*.in_place, error))]
    Write {
        /// True for the input file itself.
        in_place: bool,
        /// What happened.
        error: FileError,
    },

    /// Exit 91: `--extract` is not an index.
    #[error("error parsing --extract path: {0}")]
    ExtractIndex(String),

    /// Exit 7: the index or value of `set`, `unset` or `--set` is not valid.
    #[error("{message}")]
    SetArgument {
        /// SOPS's text.
        message: String,
        /// Advice.
        hints: Vec<String>,
    },

    /// Exit 1: the index leads nowhere.
    #[error("{message}")]
    NotFound {
        /// The file and key.
        place: Place,
        /// SOPS's text.
        message: String,
        /// Advice: the keys that are there.
        hints: Vec<String>,
    },

    /// Exit 200: nothing was edited.
    #[error("File has not changed, exiting.")]
    FileNotChanged,

    /// Exit 201: no editor, or it failed.
    #[error("{0}")]
    Editor(EditorError),

    /// Exit 1: somebody else edits the file.
    #[error("{0}")]
    EditLock(EditLockError),

    /// Exit 1: a question could not be asked.
    #[error("{0}")]
    Prompt(PromptError),

    /// Exit 8: parameters or rules that contradict each other.
    #[error("{message}")]
    Conflict {
        /// SOPS's text.
        message: String,
        /// Advice.
        hints: Vec<String>,
    },

    /// Exit 1: `filestatus` could not look at the file, whatever the reason.
    #[error("cannot check file status: cannot load encrypted file: {0}")]
    FileStatus(Box<Error>),

    /// Exit 127, 126 or 1: a program did not start.
    #[error("{message}")]
    Launch {
        /// Which, and why.
        error: LaunchError,
        /// The same as text, in SOPS's words where it has any.
        message: String,
        /// Bytes of its environment.
        total: usize,
        /// The largest variables with their sizes.
        largest: Vec<String>,
        /// True for commands that SOPS has, which end as they do there.
        as_sops: bool,
    },

    /// Exit 49: keys of a file that does not exist are to change.
    #[error(
        "Error: cannot add or remove keys on non-existent file \"{}\", use {hint} instead.", path.display()
    )]
    KeysOfNoFile {
        /// The file.
        path: PathBuf,
        /// What SOPS recommends.
        hint: &'static str,
    },

    /// Exit 1: a call that was killed left some files changed.
    #[error("a call of `{command}` was killed when {done} of {total} files were changed")]
    Unfinished {
        /// Its command.
        command: String,
        /// How many files it had changed.
        done: usize,
        /// How many it was to change.
        total: usize,
    },

    /// Exit 3: whoever asks may not.
    #[error("{message}")]
    Denied {
        /// Why, for programs.
        code: DenyCode,
        /// Why, for people.
        message: String,
        /// Advice.
        hints: Vec<String>,
    },

    /// Exit 5: policy, manifest, allowed signers or audit trail do not verify.
    #[error("{cause}")]
    Integrity {
        /// The file.
        place: Place,
        /// What is wrong, for programs.
        code: DenyCode,
        /// What is wrong, for people.
        cause: Cause,
        /// Advice.
        hints: Vec<String>,
    },

    /// Exit 7: no identity or signing key, where one is needed.
    #[error("{cause}")]
    NoIdentity {
        /// What is missing.
        cause: Cause,
        /// Advice.
        hints: Vec<String>,
    },

    /// Exit 9: nothing was opened, because it cannot be written down.
    #[error("{cause}")]
    Unrecorded {
        /// Why the audit trail cannot be written.
        cause: Cause,
        /// Advice.
        hints: Vec<String>,
    },

    /// Exit 1: everything else.
    #[error("{cause}")]
    Other {
        /// Where.
        place: Place,
        /// What.
        cause: Cause,
        /// Advice.
        hints: Vec<String>,
    },
}

/// SOPS's sentence for a file that has metadata already, wrapped as there.
const ALREADY_ENCRYPTED: &str = "\
The file you have provided contains a top-level entry called 'sops', or for
flat file formats top-level entries starting with 'sops_'.";

impl Error {
    /// Where it happened.
    pub fn place(&self) -> Place {
        match self {
            Self::Syntax { place, error, .. } => {
                let mut place = place.clone();
                place.line = place.line.or(error.line);
                place
            }
            Self::Empty(place) | Self::AlreadyEncrypted(place) | Self::NotEncrypted(place) => place.clone(),
            Self::FileStatus(error) => error.place(),
            Self::Metadata { place, .. }
            | Self::Config { place, .. }
            | Self::NothingSelected { place, .. }
            | Self::Encrypt { place, .. }
            | Self::Decrypt { place, .. }
            | Self::Mac { place, .. }
            | Self::Seal { place, .. }
            | Self::DataKey { place, .. }
            | Self::Emit { place, .. }
            | Self::NotFound { place, .. }
            | Self::Integrity { place, .. }
            | Self::Other { place, .. } => place.clone(),
            _ => Place::default(),
        }
    }

    /// The file it happened to, for a list of failures.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::NoSuchFile(path) => Some(path),
            Self::Read(error) | Self::Write { error, .. } => Some(&error.path),
            _ => None,
        }
    }

    /// The error below this one, whose own causes are worth showing.
    pub fn cause(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Metadata { cause, .. }
            | Self::Config { cause, .. }
            | Self::Recipients { cause, .. }
            | Self::Encrypt { cause, .. }
            | Self::Decrypt { cause, .. }
            | Self::Mac { cause, .. }
            | Self::DataKey { cause, .. }
            | Self::Integrity { cause, .. }
            | Self::NoIdentity { cause, .. }
            | Self::Unrecorded { cause, .. }
            | Self::Other { cause, .. } => cause.source(),
            _ => None,
        }
    }

    /// What to do about it, one remedy a line.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Metadata { hints, .. }
            | Self::Config { hints, .. }
            | Self::Recipients { hints, .. }
            | Self::NothingSelected { hints, .. }
            | Self::Seal { hints, .. }
            | Self::DataKey { hints, .. }
            | Self::SetArgument { hints, .. }
            | Self::NotFound { hints, .. }
            | Self::Conflict { hints, .. }
            | Self::Denied { hints, .. }
            | Self::Integrity { hints, .. }
            | Self::NoIdentity { hints, .. }
            | Self::Unrecorded { hints, .. }
            | Self::Other { hints, .. } => hints.clone(),
            Self::Syntax { error, .. } => error.hint.map(str::to_owned).into_iter().collect(),
            Self::Emit { error, .. } => error.hint.map(str::to_owned).into_iter().collect(),
            Self::Mac { .. } => vec![
                "the file was changed by hand or by a merge; `leaflock edit --ignore-mac FILE` opens it for a check and writes a new MAC".to_owned(),
            ],
            Self::AlreadyEncrypted(_) => vec![
                "it is probably encrypted already: `leaflock edit FILE` opens it, `leaflock filestatus FILE` tells"
                    .to_owned(),
                "if it is not, rename the entry: that name is taken by the metadata of encrypted files".to_owned(),
            ],
            Self::FileStatus(error) => error.hints(),
            Self::Launch { error, total, largest, .. } => launch_hints(error, *total, largest),
            Self::Unfinished { command, .. } => vec![
                format!("`leaflock {command} --continue` changes the others as well"),
                format!("`leaflock {command} --abort` brings all of them back to what they were"),
            ],
            Self::Write { error, .. } if error.is_race() => {
                vec!["another program or call was faster: run the command once more".to_owned()]
            }
            Self::NotEncrypted(_) => vec!["`leaflock encrypt -i FILE` encrypts it".to_owned()],
            _ => Vec::new(),
        }
    }
}

/// How a message begins that nothing could be written; SOPS's words where the file is at
/// fault.
fn unwritten(in_place: bool, error: &FileError) -> &'static str {
    match in_place {
        _ if error.is_race() => "Nothing was written: ",
        true => "Could not open in-place file for writing: ",
        false => "Could not open output file for writing: ",
    }
}

fn launch_hints(error: &LaunchError, total: usize, largest: &[String]) -> Vec<String> {
    match error.kind {
        LaunchErrorKind::TooLarge => vec![
            format!("the environment has {total} bytes, most of them in {}", largest.join(", ")),
            "Linux takes 128 KiB a variable; `leaflock run --file NAME=KEY` hands a value over as a file"
                .to_owned(),
        ],
        LaunchErrorKind::NotFound => {
            vec!["a program without folders in its name is looked for in PATH".to_owned()]
        }
        LaunchErrorKind::Denied | LaunchErrorKind::Other => Vec::new(),
    }
}
