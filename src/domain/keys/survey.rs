//! What keys a user has and what is in their way, as plain data: every place
//! where an identity was looked for, the programs that open keys, and who would
//! open a key. Public keys only, never a secret.

use std::path::PathBuf;

use super::sources::{Outcome, Source};

/// Everything that was looked at.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// Places of age identities, in the order they are looked at.
    pub places: Vec<Place>,
    /// Plugins that identities ask for.
    pub plugins: Vec<Plugin>,
    /// GnuPG, if it was asked.
    pub gpg: Option<Gnupg>,
}

/// One place of age identities.
#[derive(Clone, Debug)]
pub struct Place {
    /// Which.
    pub source: Source,
    /// Its file, where it is one.
    pub path: Option<PathBuf>,
    /// What came of looking; `None` for a command, which is run when a file needs it.
    pub outcome: Option<Outcome>,
    /// The identities found: public keys, or a description.
    pub identities: Vec<String>,
}

/// The program of a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plugin {
    /// The NAME of `age-plugin-NAME`.
    pub name: String,
    /// Where it is; `None` if it is not on the search path.
    pub path: Option<PathBuf>,
}

/// GnuPG and its secret keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gnupg {
    /// The program.
    pub program: String,
    /// Fingerprints of keys and subkeys, or why it could not tell.
    pub keys: Result<Vec<String>, String>,
}

/// Who would open a wrapped key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opener {
    /// The place of the identity, or the program.
    pub location: String,
    /// False where only trying would tell.
    pub certain: bool,
    /// What a person must do for it: a passphrase, a touch.
    pub needs: Option<&'static str>,
}
