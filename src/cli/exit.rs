//! Exit codes, numerically equal to SOPS's (sops-compat 10.8): one table, and
//! one match from errors to it.

use crate::app::error::{Error, While};
use crate::app::ports::LaunchErrorKind;
use crate::domain::store::ReadErrorKind;

/// An exit code with its meaning, for `help exit-codes`.
pub struct Meaning {
    /// The code.
    pub code: u8,
    /// What it says.
    pub text: &'static str,
}

/// Success.
pub const SUCCESS: u8 = 0;
/// Anything unclassified: no metadata, config, keys, unknown flags, no such key.
pub const GENERIC: u8 = 1;
/// The input cannot be read or parsed.
pub const CANNOT_READ: u8 = 2;
/// The output cannot be written.
pub const CANNOT_WRITE: u8 = 3;
/// The result cannot be written in the wanted format.
pub const CANNOT_EMIT: u8 = 4;
/// Agent layer: the command line cannot be understood.
pub const USAGE: u8 = 2;
/// An agent may not.
pub const DENIED: u8 = 3;
/// Agent layer: no such file, key path or name.
pub const NO_SUCH_THING: u8 = 4;
/// Policy, manifest, allowed signers or audit trail do not verify.
pub const INTEGRITY: u8 = 5;
/// No identity or signing key.
pub const NO_IDENTITY: u8 = 7;
/// It cannot be written down, so nothing was opened.
pub const UNRECORDED: u8 = 9;
/// `--encryption-context` is malformed.
pub const ENCRYPTION_CONTEXT: u8 = 6;
/// Index or value of `set` and `unset`.
pub const SET_ARGUMENT: u8 = 7;
/// Parameters that contradict each other.
pub const CONFLICT: u8 = 8;
/// A value cannot be encrypted.
pub const CANNOT_ENCRYPT: u8 = 23;
/// A value cannot be decrypted.
pub const CANNOT_DECRYPT: u8 = 25;
/// Keys of a file that does not exist.
pub const NO_FILE_FOR_KEYS: u8 = 49;
/// The MAC does not match.
pub const MAC: u8 = 51;
/// `--extract` is malformed.
pub const EXTRACT_INDEX: u8 = 91;
/// No document.
pub const EMPTY: u8 = 92;
/// No file.
pub const NO_FILE: u8 = 100;
/// A repeated kind of key.
pub const DECRYPTION_ORDER: u8 = 112;
/// The command to run is no program, or may not be run.
pub const CANNOT_RUN: u8 = 126;
/// The command to run was not found.
pub const NOT_FOUND: u8 = 127;
/// No identity opens the file.
pub const DATA_KEY: u8 = 128;
/// `diff` could not compare, as git's.
pub const DIFF_FAILED: u8 = 128;
/// The reader of the output went away; what a shell reports for SIGPIPE.
pub const BROKEN_PIPE: u8 = 141;
/// Nothing was edited.
pub const FILE_NOT_CHANGED: u8 = 200;
/// No editor, or it failed.
pub const EDITOR: u8 = 201;
/// A signal ended the command of `exec-env` or `exec-file`.
pub const ENDED_BY_SIGNAL: u8 = 255;
/// There is no result of a merge, not even one with conflicts: git stops.
pub const MERGE_ABORTED: u8 = 254;
/// Encrypted already.
pub const ALREADY_ENCRYPTED: u8 = 203;

/// The table of `help exit-codes`.
pub const MEANINGS: &[Meaning] = &[
    Meaning { code: SUCCESS, text: "success" },
    Meaning {
        code: GENERIC,
        text: "other errors: not encrypted, config, recipients, unknown flag, no such key",
    },
    Meaning { code: CANNOT_READ, text: "the input cannot be read or parsed" },
    Meaning { code: CANNOT_WRITE, text: "the output cannot be written; agents: not allowed" },
    Meaning { code: CANNOT_EMIT, text: "the result does not fit the output format" },
    Meaning {
        code: INTEGRITY,
        text: "the policy for agents, its manifest, the allowed signers or the audit trail do not verify",
    },
    Meaning { code: ENCRYPTION_CONTEXT, text: "malformed --encryption-context" },
    Meaning {
        code: SET_ARGUMENT,
        text: "malformed index or value for set or unset; agents: no identity or signing key",
    },
    Meaning { code: CONFLICT, text: "contradicting parameters" },
    Meaning { code: UNRECORDED, text: "nothing was opened, because the audit trail cannot be written" },
    Meaning { code: CANNOT_ENCRYPT, text: "a value cannot be encrypted" },
    Meaning { code: CANNOT_DECRYPT, text: "a value cannot be decrypted" },
    Meaning { code: NO_FILE_FOR_KEYS, text: "keys are to be added to or removed from a missing file" },
    Meaning {
        code: MAC,
        text: "the file was changed since it was encrypted (MAC mismatch), or its seal or signature does not hold",
    },
    Meaning { code: EXTRACT_INDEX, text: "malformed --extract" },
    Meaning { code: EMPTY, text: "the input has no document" },
    Meaning { code: NO_FILE, text: "no file was named, or it does not exist" },
    Meaning { code: DECRYPTION_ORDER, text: "repeated entry in --decryption-order" },
    Meaning { code: CANNOT_RUN, text: "the command to run is no program, or may not be run" },
    Meaning { code: NOT_FOUND, text: "the command to run was not found" },
    Meaning { code: DATA_KEY, text: "no identity opens the file; diff: it could not compare" },
    Meaning { code: FILE_NOT_CHANGED, text: "edit made no change" },
    Meaning { code: EDITOR, text: "the editor is missing or failed" },
    Meaning { code: ALREADY_ENCRYPTED, text: "the input is encrypted already" },
    Meaning { code: MERGE_ABORTED, text: "merge made no result, not even one with conflicts" },
    Meaning { code: ENDED_BY_SIGNAL, text: "a signal ended the command of exec-env or exec-file" },
];

/// The exit code of a use case's error.
pub fn of_error(error: &Error) -> u8 {
    match error {
        Error::NotBuilt(_)
        | Error::NotEncrypted(_)
        | Error::Metadata { .. }
        | Error::Config { .. }
        | Error::Recipients { .. }
        | Error::NothingSelected { .. }
        | Error::NotFound { .. }
        | Error::EditLock(_)
        | Error::Prompt(_)
        | Error::FileStatus(_)
        | Error::Unfinished { .. }
        | Error::Other { .. } => GENERIC,
        Error::Launch { error, as_sops, .. } => match error.kind {
            LaunchErrorKind::NotFound => NOT_FOUND,
            LaunchErrorKind::TooLarge if *as_sops => GENERIC,
            LaunchErrorKind::Denied | LaunchErrorKind::TooLarge => CANNOT_RUN,
            LaunchErrorKind::Other => GENERIC,
        },
        Error::NoSuchFile(_) => NO_FILE,
        Error::Read(_) => CANNOT_READ,
        Error::Syntax { during, error, .. } => match (error.kind, during) {
            (ReadErrorKind::Empty, _) => EMPTY,
            (ReadErrorKind::Unencryptable, While::Encrypting) => CANNOT_ENCRYPT,
            (_, While::Encrypting) => CANNOT_READ,
            (_, While::Decrypting) => GENERIC,
        },
        Error::Empty(_) => EMPTY,
        Error::AlreadyEncrypted(_) => ALREADY_ENCRYPTED,
        Error::Encrypt { .. } => CANNOT_ENCRYPT,
        Error::Decrypt { .. } => CANNOT_DECRYPT,
        Error::Mac { .. } | Error::Seal { .. } => MAC,
        Error::DataKey { .. } => DATA_KEY,
        Error::Emit { .. } => CANNOT_EMIT,
        Error::Write { .. } => CANNOT_WRITE,
        Error::ExtractIndex(_) => EXTRACT_INDEX,
        Error::SetArgument { .. } => SET_ARGUMENT,
        Error::Conflict { .. } => CONFLICT,
        Error::FileNotChanged => FILE_NOT_CHANGED,
        Error::Editor(_) => EDITOR,
        Error::KeysOfNoFile { .. } => NO_FILE_FOR_KEYS,
        Error::Denied { .. } => DENIED,
        Error::Integrity { .. } => INTEGRITY,
        Error::NoIdentity { .. } => NO_IDENTITY,
        Error::Unrecorded { .. } => UNRECORDED,
    }
}
