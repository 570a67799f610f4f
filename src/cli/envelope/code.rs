//! The stable words for what ends a call, their exit codes, and what to run then.

use super::Action;
use crate::app::error::Error;
use crate::app::ports::FileErrorKind;
use crate::cli::report::Failure;
use crate::cli::{Verb, exit};
use crate::domain::agent::denial::DenyCode;

/// What ended a call, for programs. A code keeps its meaning for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The command line cannot be understood.
    Usage,
    /// Parameters or rules contradict each other.
    Conflict,
    /// The policy refuses, or something that it rests on does not verify.
    Refused(DenyCode),
    /// No such file, key path or name.
    NotFound,
    /// No identity opens the file, or no signing key is there.
    NoIdentity,
    /// A file was changed since it was encrypted.
    FileChanged,
    /// A file is not encrypted.
    NotEncrypted,
    /// A file is encrypted already.
    AlreadyEncrypted,
    /// A file does not follow its format.
    Malformed,
    /// A file cannot be read.
    CannotRead,
    /// A file or stdout cannot be written.
    CannotWrite,
    /// Somebody else is at work on the same file.
    Busy,
    /// A config or a list of recipients cannot be used.
    BadConfig,
    /// A call that was killed has to be finished first.
    Unfinished,
    /// A person has to be asked, and there is none.
    NobodyToAsk,
    /// The program to run did not start or did not succeed.
    CommandFailed,
    /// The answer is no.
    No,
    /// A check found something.
    Findings,
    /// Not in this build.
    NotBuilt,
    /// Everything else.
    Failed,
}

impl Code {
    /// All of them but the refusals, which [`DenyCode::ALL`] lists.
    pub const OWN: [Self; 19] = [
        Self::Usage,
        Self::Conflict,
        Self::NotFound,
        Self::NoIdentity,
        Self::FileChanged,
        Self::NotEncrypted,
        Self::AlreadyEncrypted,
        Self::Malformed,
        Self::CannotRead,
        Self::CannotWrite,
        Self::Busy,
        Self::BadConfig,
        Self::Unfinished,
        Self::NobodyToAsk,
        Self::CommandFailed,
        Self::No,
        Self::Findings,
        Self::NotBuilt,
        Self::Failed,
    ];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Conflict => "conflict",
            Self::Refused(code) => code.as_str(),
            Self::NotFound => "not_found",
            Self::NoIdentity => "no_identity",
            Self::FileChanged => "file_changed",
            Self::NotEncrypted => "not_encrypted",
            Self::AlreadyEncrypted => "already_encrypted",
            Self::Malformed => "malformed",
            Self::CannotRead => "cannot_read",
            Self::CannotWrite => "cannot_write",
            Self::Busy => "busy",
            Self::BadConfig => "bad_config",
            Self::Unfinished => "unfinished",
            Self::NobodyToAsk => "nobody_to_ask",
            Self::CommandFailed => "command_failed",
            Self::No => "no",
            Self::Findings => "findings",
            Self::NotBuilt => "not_built",
            Self::Failed => "failed",
        }
    }

    /// What to run when a call of `words` ended so: a command of this build.
    pub fn next_action(self, words: &str) -> Option<Action> {
        let action = |words: &str, does| {
            let name: Vec<&str> = words.split(' ').filter(|word| !word.starts_with('-')).collect();
            let exists = Verb::all().any(|verb| verb.words() == name.join(" "));
            exists.then(|| Action::leaflock(words.split(' '), does))
        };
        let special = match self {
            Self::Usage | Self::Conflict => {
                let words = words.split(' ').filter(|word| !word.is_empty()).chain(["--help"]);
                return Some(Action::leaflock(words, "shows how the command is called"));
            }
            Self::NotFound if words.starts_with("agent ") && words != "agent list" => {
                action("agent list --json", "lists the principals of the policy")
            }
            Self::NotFound => action("list --json", "lists the secrets and what you may do with them"),
            Self::NoIdentity => action("agent guide", "tells how an identity is named"),
            Self::FileChanged => action("check", "finds what is wrong with encrypted files"),
            Self::Refused(code) => match code {
                DenyCode::NotAllowed | DenyCode::NoLease | DenyCode::Revoked | DenyCode::NoReason => {
                    action("list --json", "lists the secrets and what you may do with them")
                }
                DenyCode::PolicyInvalid if words == "policy verify" => {
                    action("policy lint --json", "tells what is wrong with the policy")
                }
                DenyCode::PolicyInvalid | DenyCode::PolicyStale | DenyCode::ForeignRepo => {
                    action("policy verify --json", "tells what is wrong with the policy")
                }
                DenyCode::ManifestMismatch => action("agent sync --check --json", "tells which files differ"),
                DenyCode::UntrustedSigners => {
                    let asks =
                        action("trust add", "shows the signers and asks a person whether to trust them");
                    asks.map(Action::dangerous)
                }
                DenyCode::NoSigner => action("agent guide", "tells how a signing key is named"),
                DenyCode::AuditUnwritable | DenyCode::AuditMismatch => {
                    action("audit verify --json", "tells what is wrong with the audit trail")
                }
            },
            _ => None,
        };
        special.or_else(|| Some(Action::leaflock(["help", "exit-codes"], "explains the exit codes")))
    }
}

/// A code with what goes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    /// The code.
    pub code: Code,
    /// The exit code of the process.
    pub exit: u8,
    /// True when the same call may succeed later.
    pub retryable: bool,
}

impl Class {
    /// What goes with a code.
    pub fn of_code(code: Code) -> Self {
        let exit = match code {
            Code::Usage | Code::Conflict => exit::USAGE,
            Code::Refused(code) => match code {
                DenyCode::NotAllowed | DenyCode::NoLease | DenyCode::Revoked | DenyCode::NoReason => {
                    exit::DENIED
                }
                DenyCode::NoSigner => exit::NO_IDENTITY,
                DenyCode::AuditUnwritable => exit::UNRECORDED,
                DenyCode::PolicyInvalid
                | DenyCode::PolicyStale
                | DenyCode::UntrustedSigners
                | DenyCode::ForeignRepo
                | DenyCode::ManifestMismatch
                | DenyCode::AuditMismatch => exit::INTEGRITY,
            },
            Code::NotFound => exit::NO_SUCH_THING,
            Code::NoIdentity => exit::NO_IDENTITY,
            Code::FileChanged => exit::INTEGRITY,
            _ => exit::GENERIC,
        };
        Self { code, exit, retryable: code == Code::Busy }
    }

    /// What ended a call.
    pub fn of_failure(failure: &Failure) -> Self {
        match failure {
            Failure::App(error) => Self::of_error(error),
            Failure::Usage(_) => Self::of_code(Code::Usage),
            Failure::Command { code, .. } => Self { exit: *code, ..Self::of_code(Code::CommandFailed) },
            Failure::Batch { code } | Failure::Told { code } => {
                Self { exit: *code, ..Self::of_code(Code::Failed) }
            }
            Failure::BrokenPipe => Self { exit: exit::BROKEN_PIPE, ..Self::of_code(Code::CannotWrite) },
            Failure::Stdout(_) => Self::of_code(Code::CannotWrite),
        }
    }

    fn of_error(error: &Error) -> Self {
        let code = match error {
            Error::Denied { code, .. } => {
                return Self { exit: exit::DENIED, ..Self::of_code(Code::Refused(*code)) };
            }
            Error::Integrity { code, .. } => {
                return Self { exit: exit::INTEGRITY, ..Self::of_code(Code::Refused(*code)) };
            }
            Error::Launch { .. } => {
                return Self { exit: exit::of_error(error), ..Self::of_code(Code::CommandFailed) };
            }
            Error::FileStatus(error) => return Self::of_error(error),
            Error::Unrecorded { .. } => Code::Refused(DenyCode::AuditUnwritable),
            Error::NoIdentity { .. } | Error::DataKey { .. } => Code::NoIdentity,
            Error::NoSuchFile(_) | Error::NotFound { .. } | Error::KeysOfNoFile { .. } => Code::NotFound,
            Error::Read(error) if error.kind == FileErrorKind::NotFound => Code::NotFound,
            Error::Read(_) => Code::CannotRead,
            Error::Write { error, .. } if error.is_race() => Code::Busy,
            Error::Write { .. } | Error::Emit { .. } => Code::CannotWrite,
            Error::Mac { .. } | Error::Seal { .. } | Error::Decrypt { .. } => Code::FileChanged,
            Error::NotEncrypted(_) => Code::NotEncrypted,
            Error::AlreadyEncrypted(_) => Code::AlreadyEncrypted,
            Error::Syntax { .. } | Error::Empty(_) | Error::Metadata { .. } => Code::Malformed,
            Error::Config { .. } | Error::Recipients { .. } | Error::NothingSelected { .. } => {
                Code::BadConfig
            }
            Error::ExtractIndex(_) | Error::SetArgument { .. } => Code::Usage,
            Error::Conflict { .. } => Code::Conflict,
            Error::EditLock(_) => Code::Busy,
            Error::Unfinished { .. } => Code::Unfinished,
            Error::Prompt(_) => Code::NobodyToAsk,
            Error::NotBuilt(_) => Code::NotBuilt,
            Error::Encrypt { .. } | Error::FileNotChanged | Error::Editor(_) | Error::Other { .. } => {
                Code::Failed
            }
        };
        Self::of_code(code)
    }
}
