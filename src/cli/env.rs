//! Every environment variable that Leaflock knows, and the only code that reads
//! the environment and the arguments of the process. `leaflock help environment`
//! prints this table.
#![expect(clippy::disallowed_methods, reason = "the home of the environment and the arguments")]

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use Variable as V;

use super::argv::Flag;
use crate::app::variables::Variables;

/// The variables (sops-compat 10.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variable {
    /// Identities.
    AgeKey,
    /// File of identities.
    AgeKeyFile,
    /// Command that prints identities.
    AgeKeyCmd,
    /// SSH key.
    AgeSshPrivateKeyFile,
    /// Command that prints an SSH key.
    AgeSshPrivateKeyCmd,
    /// The program for PGP keys.
    GpgExec,
    /// Folder of GnuPG.
    GnupgHome,
    /// Terminal of GnuPG.
    GpgTty,
    /// Program that asks.
    Askpass,
    /// ssh's program that asks.
    SshAskpass,
    /// When ssh's program asks.
    SshAskpassRequire,
    /// X11 display.
    Display,
    /// Wayland display.
    WaylandDisplay,
    /// age recipients.
    AgeRecipients,
    /// PGP fingerprints.
    PgpFp,
    /// KMS keys.
    KmsArn,
    /// GCP KMS keys.
    GcpKmsIds,
    /// Huawei KMS keys.
    HuaweiKmsIds,
    /// Azure keys.
    AzureKeyVaultUrls,
    /// Vault keys.
    VaultUris,
    /// The config file.
    Config,
    /// Order of key kinds.
    DecryptionOrder,
    /// Key services.
    KeyService,
    /// The key service of this process.
    EnableLocalKeyService,
    /// The editor of SOPS.
    SopsEditor,
    /// The editor.
    Editor,
    /// Home folder.
    Home,
    /// Folder of configuration.
    XdgConfigHome,
    /// Folder of state.
    XdgStateHome,
    /// Folder in memory for private files.
    XdgRuntimeDir,
    /// Folder of temporary files.
    TmpDir,
    /// Search path of programs.
    Path,
    /// The working folder by its logical name.
    Pwd,
    /// The user's name.
    User,
    /// The git directory of the repository.
    GitDir,
    /// The work tree of the repository.
    GitWorkTree,
    /// What files must have.
    Strict,
    /// Why something is opened.
    Reason,
    /// The key to sign with.
    SigningKey,
    /// Whose signatures count.
    AllowedSigners,
    /// Lists of allowed signers that are trusted.
    Trust,
    /// The form of answers.
    Output,
    /// How far a call is kept apart from its caller.
    Isolation,
    /// No colours.
    NoColor,
}

impl Variable {
    /// All of them, in the order of the help page.
    pub const ALL: &'static [Variable] = &[
        V::AgeRecipients,
        V::PgpFp,
        V::KmsArn,
        V::GcpKmsIds,
        V::HuaweiKmsIds,
        V::AzureKeyVaultUrls,
        V::VaultUris,
        V::AgeKey,
        V::AgeKeyFile,
        V::AgeKeyCmd,
        V::AgeSshPrivateKeyFile,
        V::AgeSshPrivateKeyCmd,
        V::GpgExec,
        V::GnupgHome,
        V::GpgTty,
        V::Askpass,
        V::SshAskpass,
        V::SshAskpassRequire,
        V::Display,
        V::WaylandDisplay,
        V::Config,
        V::DecryptionOrder,
        V::KeyService,
        V::EnableLocalKeyService,
        V::SopsEditor,
        V::Editor,
        V::Home,
        V::XdgConfigHome,
        V::XdgStateHome,
        V::XdgRuntimeDir,
        V::TmpDir,
        V::Path,
        V::Pwd,
        V::User,
        V::GitDir,
        V::GitWorkTree,
        V::Strict,
        V::Reason,
        V::SigningKey,
        V::AllowedSigners,
        V::Trust,
        V::Output,
        V::Isolation,
        V::NoColor,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        self.entry().0
    }

    /// What it does, in one line.
    pub fn meaning(self) -> &'static str {
        self.entry().1
    }

    /// Name and meaning.
    fn entry(self) -> (&'static str, &'static str) {
        match self {
            V::AgeRecipients => ("SOPS_AGE_RECIPIENTS", "age recipients to encrypt to, as --age"),
            V::PgpFp => ("SOPS_PGP_FP", "PGP fingerprints, as --pgp"),
            V::KmsArn => ("SOPS_KMS_ARN", "AWS KMS keys, as --kms"),
            V::GcpKmsIds => ("SOPS_GCP_KMS_IDS", "GCP KMS keys, as --gcp-kms"),
            V::HuaweiKmsIds => ("SOPS_HUAWEICLOUD_KMS_IDS", "Huawei Cloud KMS keys, as --hckms"),
            V::AzureKeyVaultUrls => ("SOPS_AZURE_KEYVAULT_URLS", "Azure Key Vault keys, as --azure-kv"),
            V::VaultUris => ("SOPS_VAULT_URIS", "Vault transit keys, as --hc-vault-transit"),
            V::AgeKey => ("SOPS_AGE_KEY", "age identities to decrypt with"),
            V::AgeKeyFile => ("SOPS_AGE_KEY_FILE", "file of age identities"),
            V::AgeKeyCmd => ("SOPS_AGE_KEY_CMD", "command that prints age identities"),
            V::AgeSshPrivateKeyFile => ("SOPS_AGE_SSH_PRIVATE_KEY_FILE", "SSH private key to decrypt with"),
            V::AgeSshPrivateKeyCmd => {
                ("SOPS_AGE_SSH_PRIVATE_KEY_CMD", "command that prints an SSH private key")
            }
            V::GpgExec => ("SOPS_GPG_EXEC", "the program for PGP keys, instead of gpg"),
            V::GnupgHome => ("GNUPGHOME", "where gpg has its keys, if not in ~/.gnupg"),
            V::GpgTty => ("GPG_TTY", "the terminal on which gpg asks, if not this one"),
            V::Askpass => ("LEAFLOCK_ASKPASS", "program that asks for passphrases, as --askpass"),
            V::SshAskpass => ("SSH_ASKPASS", "the same, where there is a display and no terminal"),
            V::SshAskpassRequire => {
                ("SSH_ASKPASS_REQUIRE", "when SSH_ASKPASS counts: never, prefer or force")
            }
            V::Display => ("DISPLAY", "an X11 display, for SSH_ASKPASS"),
            V::WaylandDisplay => ("WAYLAND_DISPLAY", "a Wayland display, for SSH_ASKPASS"),
            V::Config => ("SOPS_CONFIG", "the config file, as --config"),
            V::DecryptionOrder => ("SOPS_DECRYPTION_ORDER", "kinds of key to try, as --decryption-order"),
            V::KeyService => ("SOPS_KEYSERVICE", "key services, as --keyservice"),
            V::EnableLocalKeyService => {
                ("SOPS_ENABLE_LOCAL_KEYSERVICE", "true or false, as --enable-local-keyservice")
            }
            V::SopsEditor => ("SOPS_EDITOR", "the editor, before EDITOR"),
            V::Editor => ("EDITOR", "the editor; without it the first of vim, nano, vi"),
            V::Home => ("HOME", "where ~/.ssh and the default identities are"),
            V::XdgConfigHome => (
                "XDG_CONFIG_HOME",
                "where sops/age/keys.txt and leaflock/trust.json are, if not in ~/.config",
            ),
            V::XdgStateHome => {
                ("XDG_STATE_HOME", "where leaflock keeps what it has seen, if not in ~/.local/state")
            }
            V::XdgRuntimeDir => ("XDG_RUNTIME_DIR", "a folder in memory, for plaintext while it is edited"),
            V::TmpDir => ("TMPDIR", "temporary files where no folder is in memory"),
            V::Path => ("PATH", "where editors and commands are found"),
            V::Pwd => ("PWD", "the working folder as the shell names it, links and all"),
            V::User => ("USER", "the name that others see while a file is being edited"),
            V::GitDir => ("GIT_DIR", "the git directory, as git tells its hooks"),
            V::GitWorkTree => ("GIT_WORK_TREE", "the work tree that belongs to GIT_DIR"),
            V::Strict => {
                ("LEAFLOCK_STRICT", "what files must have to be opened: seal (as --strict) or signature")
            }
            V::Reason => ("LEAFLOCK_REASON", "why, for the audit trail, as --reason"),
            V::SigningKey => (
                "LEAFLOCK_SIGNING_KEY",
                "the SSH key to sign with, its path or text; else git's user.signingKey",
            ),
            V::AllowedSigners => (
                "LEAFLOCK_ALLOWED_SIGNERS",
                "whose signatures count, instead of git's gpg.ssh.allowedSignersFile",
            ),
            V::Trust => {
                ("LEAFLOCK_TRUST", "digests of lists of allowed signers to trust, for CI: sha256:HEX,…")
            }
            V::Output => ("LEAFLOCK_OUTPUT", "json: commands that have --json answer in JSON without it"),
            V::Isolation => (
                "LEAFLOCK_ISOLATION",
                "1 within a program of `run --agent`, which sets it; shown in answers, grants nothing",
            ),
            V::NoColor => ("NO_COLOR", "no colours in help, if set to anything"),
        }
    }
}

/// Reads one variable by name.
type Lookup = dyn Fn(&str) -> Option<OsString>;

/// The environment of a call: the process's, or a test's.
pub struct Environment {
    lookup: Box<Lookup>,
    all: Box<dyn Fn() -> Vec<(OsString, OsString)>>,
    /// What a flag of every command puts in a variable's place.
    replaced: Vec<(Variable, OsString)>,
}

impl Environment {
    /// The process's own.
    pub fn of_process() -> Self {
        Self {
            lookup: Box::new(|name| std::env::var_os(name)),
            all: Box::new(|| std::env::vars_os().collect()),
            replaced: Vec::new(),
        }
    }

    /// One made of `pairs`.
    pub fn of_pairs(pairs: &[(&str, &str)]) -> Self {
        let pairs: Vec<(String, OsString)> =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), OsString::from(value))).collect();
        let all = pairs.iter().map(|(name, value)| (OsString::from(name), value.clone())).collect::<Vec<_>>();
        let lookup =
            move |name: &str| pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        Self { lookup: Box::new(lookup), all: Box::new(move || all.clone()), replaced: Vec::new() }
    }

    /// Every variable, known or not, for the programs that are started.
    pub fn all(&self) -> Variables {
        Variables::new((self.all)())
    }

    /// The value, even an empty one: for variables where SOPS distinguishes
    /// empty from unset (identities).
    pub fn present(&self, variable: Variable) -> Option<OsString> {
        match self.replaced.iter().find(|(known, _)| *known == variable) {
            Some((_, value)) => Some(value.clone()),
            None => (self.lookup)(variable.name()),
        }
    }

    /// Lets `--askpass` and `--json` win over their variables, for all that is built from
    /// here on.
    pub fn heed<'f>(&mut self, flags: impl IntoIterator<Item = &'f Flag> + Clone) {
        let last = |name: &str| flags.clone().into_iter().filter(|flag| flag.name == name).last();
        let askpass = last("askpass").and_then(|flag| Some((V::Askpass, flag.value.clone()?)));
        let json = last("json").map(|_| (V::Output, OsString::from("json")));
        self.replaced.extend(askpass.into_iter().chain(json));
    }

    /// True where a program reads the answer: by `--json`, else by its variable.
    pub fn answers_in_json(&self) -> bool {
        self.get(V::Output).as_deref() == Some(OsStr::new("json"))
    }

    /// The value; empty is unset.
    pub fn get(&self, variable: Variable) -> Option<OsString> {
        self.present(variable).filter(|value| !value.is_empty())
    }

    /// The value as text; empty is unset. Bytes that are not UTF-8 are replaced.
    pub fn text(&self, variable: Variable) -> Option<String> {
        self.get(variable).map(|value| value.to_string_lossy().into_owned())
    }

    /// The value as a path; empty is unset.
    pub fn path(&self, variable: Variable) -> Option<PathBuf> {
        self.get(variable).map(PathBuf::from)
    }

    /// SOPS's default file of identities (sops-compat 6.2), if there is a home.
    pub fn identity_file(&self) -> Option<PathBuf> {
        let config = match self.path(V::XdgConfigHome) {
            Some(folder) => folder,
            None if cfg!(target_os = "macos") => self.path(V::Home)?.join("Library/Application Support"),
            None => self.path(V::Home)?.join(".config"),
        };
        Some(config.join("sops").join("age").join("keys.txt"))
    }

    /// Where the user's own settings of Leaflock are, if there is a home.
    pub fn config_folder(&self) -> Option<PathBuf> {
        self.own_folder(V::XdgConfigHome, ".config")
    }

    /// Where Leaflock keeps what it has seen, if there is a home.
    pub fn state_folder(&self) -> Option<PathBuf> {
        self.own_folder(V::XdgStateHome, ".local/state")
    }

    fn own_folder(&self, variable: Variable, default: &str) -> Option<PathBuf> {
        // Relative paths do not count, as the XDG specification demands.
        let named = self.path(variable).filter(|folder| folder.is_absolute());
        let folder = named.or_else(|| Some(self.path(V::Home)?.join(default)))?;
        Some(folder.join("leaflock"))
    }
}

/// The arguments of the process, its own name first.
pub fn arguments() -> Vec<OsString> {
    std::env::args_os().collect()
}

#[cfg(test)]
mod tests {
    use super::{Environment, Variable};

    #[test]
    fn empty_is_unset_where_sops_says_so() {
        let env = Environment::of_pairs(&[("SOPS_AGE_RECIPIENTS", ""), ("SOPS_AGE_KEY", "")]);
        assert_eq!(env.text(Variable::AgeRecipients), None);
        assert!(env.present(Variable::AgeKey).is_some());
        assert!(env.present(Variable::AgeKeyFile).is_none());
    }

    #[test]
    fn names_are_unique_and_every_variable_is_listed() {
        let mut names: Vec<_> = Variable::ALL.iter().map(|variable| variable.name()).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        assert_eq!(Variable::NoColor as usize + 1, count);
    }

    #[cfg(not(target_os = "macos"))]
    #[test]
    fn the_default_identity_file_follows_xdg_then_home() {
        let path = |pairs: &[(&str, &str)]| Environment::of_pairs(pairs).identity_file();
        assert_eq!(path(&[("HOME", "/h")]), Some("/h/.config/sops/age/keys.txt".into()));
        assert_eq!(path(&[("HOME", "/h"), ("XDG_CONFIG_HOME", "/c")]), Some("/c/sops/age/keys.txt".into()));
        assert_eq!(path(&[]), None);
    }
}
