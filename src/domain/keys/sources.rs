//! The places where age identities and PGP keys are looked for, and what sops says about
//! them when none of them helped (sops-compat 6.2 and 6.3). The reading is done
//! by an adapter; the order and the words are here.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::path::PathBuf;

use crate::domain::secret::SecretBytes;

/// What the environment says about age identities, as plain data. `Some` means
/// the variable is set, even if to nothing.
#[derive(Clone, Debug, Default)]
pub struct AgeEnvironment {
    /// `SOPS_AGE_KEY`: identities themselves.
    pub key: Option<SecretBytes>,
    /// `SOPS_AGE_KEY_FILE`: a file of identities.
    pub key_file: Option<PathBuf>,
    /// `SOPS_AGE_KEY_CMD`: a command that prints identities.
    pub key_cmd: Option<String>,
    /// `SOPS_AGE_SSH_PRIVATE_KEY_FILE`: an SSH private key.
    pub ssh_key_file: Option<PathBuf>,
    /// `SOPS_AGE_SSH_PRIVATE_KEY_CMD`: a command that prints an SSH private key.
    pub ssh_key_cmd: Option<String>,
    /// The user's home directory, for `.ssh/id_ed25519` and `.ssh/id_rsa`.
    pub home: Option<PathBuf>,
    /// The default file of identities, `<config dir>/sops/age/keys.txt`.
    pub default_key_file: Option<PathBuf>,
    /// `PATH`, where plugins are found.
    pub search_path: OsString,
}

/// What the environment says about GnuPG, as plain data.
#[derive(Clone, Debug, Default)]
pub struct PgpEnvironment {
    /// `SOPS_GPG_EXEC`: the program that is run instead of `gpg`.
    pub program: Option<OsString>,
    /// `GNUPGHOME`: where GnuPG keeps its keys; it knows its default itself.
    pub home: Option<PathBuf>,
    /// `GPG_TTY`: the terminal on which its agent asks, if not this one.
    pub terminal: Option<OsString>,
}

impl PgpEnvironment {
    /// The program to run.
    pub fn program(&self) -> &OsStr {
        self.program.as_deref().unwrap_or(OsStr::new("gpg"))
    }
}

/// One place where identities may be, in the order of sops-compat 6.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// `SOPS_AGE_SSH_PRIVATE_KEY_FILE`
    SshKeyFile,
    /// `SOPS_AGE_SSH_PRIVATE_KEY_CMD`
    SshKeyCmd,
    /// `~/.ssh/id_ed25519`
    HomeEd25519,
    /// `~/.ssh/id_rsa`
    HomeRsa,
    /// `SOPS_AGE_KEY`
    Key,
    /// `SOPS_AGE_KEY_FILE`
    KeyFile,
    /// `SOPS_AGE_KEY_CMD`
    KeyCmd,
    /// `<config dir>/sops/age/keys.txt`
    DefaultKeyFile,
}

impl Source {
    /// The variable that names the place, where one does.
    pub fn variable(self) -> Option<&'static str> {
        match self {
            Self::SshKeyFile => Some("SOPS_AGE_SSH_PRIVATE_KEY_FILE"),
            Self::SshKeyCmd => Some("SOPS_AGE_SSH_PRIVATE_KEY_CMD"),
            Self::Key => Some("SOPS_AGE_KEY"),
            Self::KeyFile => Some("SOPS_AGE_KEY_FILE"),
            Self::KeyCmd => Some("SOPS_AGE_KEY_CMD"),
            Self::HomeEd25519 | Self::HomeRsa | Self::DefaultKeyFile => None,
        }
    }

    /// True for the places that hold an SSH private key.
    pub fn is_ssh(self) -> bool {
        self <= Self::HomeRsa
    }
}

/// What came of looking in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The variable is unset or the file does not exist.
    Absent,
    /// The place could not be read.
    Unreadable(String),
    /// The place was read, but what it holds is no identity.
    Malformed(String),
    /// This many identities; zero is possible.
    Found(usize),
}

/// One place with its outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    /// Which place.
    pub source: Source,
    /// Its name for people: the variable, or the path of a default place.
    pub location: String,
    /// What came of it.
    pub outcome: Outcome,
}

/// What sops appends to the error of a key: the errors of loading, and the
/// locations where nothing was found. Empty if there is nothing to say.
///
/// Visits come in the order of [`Source`].
pub fn loading_report(visits: &[Visit]) -> String {
    let mut errors: Vec<&str> = Vec::new();
    let mut nothing_at: Vec<&str> = Vec::new();
    let mut empty: Vec<&str> = Vec::new();
    let ssh_found = visits
        .iter()
        .any(|visit| matches!(visit.outcome, Outcome::Found(n) if visit.source.is_ssh() && n > 0));
    let mut read = false;
    for visit in visits {
        match &visit.outcome {
            Outcome::Absent => {
                let listed = match visit.source {
                    Source::DefaultKeyFile => !read && !ssh_found,
                    Source::SshKeyCmd => false,
                    _ => true,
                };
                if listed {
                    nothing_at.push(&visit.location);
                }
            }
            Outcome::Unreadable(reason) => errors.push(reason),
            Outcome::Malformed(reason) if visit.source.is_ssh() => errors.push(reason),
            Outcome::Malformed(_) => read = true,
            Outcome::Found(_) if visit.source.is_ssh() => {}
            Outcome::Found(count) => {
                read = true;
                if *count == 0 {
                    empty.push(&visit.location);
                }
            }
        }
    }
    // sops parses what it could open only after it has opened everything.
    errors.extend(visits.iter().filter_map(|visit| match &visit.outcome {
        Outcome::Malformed(reason) if !visit.source.is_ssh() => Some(reason.as_str()),
        _ => None,
    }));
    nothing_at.extend(empty);

    let mut report = String::new();
    if !errors.is_empty() {
        report.push_str(". Errors while loading age identities: ");
        report.push_str(&errors.join("; "));
    }
    match nothing_at.as_slice() {
        [] => {}
        [one] => _ = write!(report, ". Did not find keys in location '{one}'."),
        [one, two] => _ = write!(report, ". Did not find keys in locations '{one}' and '{two}'."),
        [most @ .., last] => {
            _ = write!(report, ". Did not find keys in locations '{}', and '{last}'.", most.join("', '"));
        }
    }
    report
}
