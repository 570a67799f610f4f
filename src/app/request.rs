//! What several commands ask for in the same way: where bytes come from and go
//! to, which keys and rules were given, and what is said on the side. Plain
//! data: flags and environment variables are already merged, empty means absent.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::ports::{Asking, Staged};
use crate::domain::agent::audit::entry::{Action, Reason, Target};
use crate::domain::agent::pattern::show_path;
use crate::domain::index::Component;
use crate::domain::keys::SealedKey;
use crate::domain::secret::SecretBytes;
use crate::domain::store::Format;

/// Where the input comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Standard input.
    Stdin,
    /// A file, as it was typed.
    File(PathBuf),
}

/// Where the result goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Destination {
    /// Back to the caller, who prints it.
    #[default]
    Stdout,
    /// A file of this name (`--output`).
    File(PathBuf),
    /// The input file itself (`--in-place`).
    InPlace,
    /// The same, together with the other files of a batch.
    Staged,
}

/// One input of a command that takes many, and where its result goes.
#[derive(Clone, Debug)]
pub struct Task {
    /// The input.
    pub source: Source,
    /// Formats, config, names.
    pub file: FileOptions,
    /// Where the result goes.
    pub destination: Destination,
    /// What does not apply to the file is an error, or skipped in a batch.
    pub named: Named,
    /// All files of the call; empty where there is but one input.
    pub batch: Arc<[PathBuf]>,
}

impl Task {
    /// The only input of a call.
    pub fn single(source: Source, file: FileOptions, destination: Destination) -> Self {
        Self { source, file, destination, named: Named::Directly, batch: Arc::default() }
    }
}

/// How the file is found, read and written; the same for every command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileOptions {
    /// `--filename-override`: picks formats and creation rule instead of the real name.
    pub filename_override: Option<PathBuf>,
    /// `--input-type`, else by name.
    pub input_format: Option<Format>,
    /// `--config` or `SOPS_CONFIG`, else searched for.
    pub config: Option<PathBuf>,
    /// `--indent` for output that is laid out anew, else `stores` in the config.
    pub indent: Option<u8>,
}

/// Master keys from flags or variables. Any of the lists replaces all keys of
/// the creation rule (sops-compat 9.5). Texts are comma lists as typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyOptions {
    /// `--age`, `SOPS_AGE_RECIPIENTS`.
    pub age: Option<String>,
    /// `--pgp`, `SOPS_PGP_FP`.
    pub pgp: Option<String>,
    /// `--kms`, `SOPS_KMS_ARN`.
    pub kms: Option<String>,
    /// `--aws-profile`.
    pub aws_profile: Option<String>,
    /// `--gcp-kms`, `SOPS_GCP_KMS_IDS`.
    pub gcp_kms: Option<String>,
    /// `--hckms`, `SOPS_HUAWEICLOUD_KMS_IDS`.
    pub hckms: Option<String>,
    /// `--azure-kv`, `SOPS_AZURE_KEYVAULT_URLS`.
    pub azure_kv: Option<String>,
    /// `--hc-vault-transit`, `SOPS_VAULT_URIS`.
    pub hc_vault_transit: Option<String>,
    /// `--encryption-context`, as pairs.
    pub encryption_context: Vec<(String, String)>,
    /// `--shamir-secret-sharing-threshold`, if not 0.
    pub shamir_threshold: Option<i64>,
}

impl KeyOptions {
    /// The lists of keys by the name of their kind in the file format, in the
    /// order of the group that flags build (sops-compat 9.3).
    pub fn lists(&self) -> [(&'static str, Option<&str>); 7] {
        [
            ("kms", self.kms.as_deref()),
            ("gcp_kms", self.gcp_kms.as_deref()),
            ("hckms", self.hckms.as_deref()),
            ("azure_kv", self.azure_kv.as_deref()),
            ("pgp", self.pgp.as_deref()),
            ("hc_vault", self.hc_vault_transit.as_deref()),
            ("age", self.age.as_deref()),
        ]
    }

    /// True when any key was given, so that the creation rule's keys do not count.
    pub fn any(&self) -> bool {
        self.lists().iter().any(|(_, list)| list.is_some())
    }
}

/// Selection rules from flags; each overrides the same field of the creation rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleOptions {
    /// `--unencrypted-suffix`.
    pub unencrypted_suffix: Option<String>,
    /// `--encrypted-suffix`.
    pub encrypted_suffix: Option<String>,
    /// `--unencrypted-regex`.
    pub unencrypted_regex: Option<String>,
    /// `--encrypted-regex`.
    pub encrypted_regex: Option<String>,
    /// `--unencrypted-comment-regex`.
    pub unencrypted_comment_regex: Option<String>,
    /// `--encrypted-comment-regex`.
    pub encrypted_comment_regex: Option<String>,
    /// `--mac-only-encrypted`.
    pub mac_only_encrypted: bool,
    /// What to do when the rule selects no value at all.
    pub nothing_selected: NothingSelected,
    /// The legacy command line demands a matching creation rule wherever a
    /// config exists, whatever it does (sops-compat 9.4).
    pub needs_creation_rule: bool,
    /// `--seal`: the file is sealed whatever the settings say.
    pub seal: bool,
}

/// What to do when a rule selects no value of the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NothingSelected {
    /// An error.
    #[default]
    Refuse,
    /// A loud warning (under the name `sops`).
    Warn,
    /// As asked for (`--allow-unencrypted`).
    Allow,
}

/// How an encrypted file is opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenOptions {
    /// `--ignore-mac`.
    pub ignore_mac: bool,
    /// `--decryption-order`, `SOPS_DECRYPTION_ORDER`: kinds of key, first tried
    /// first. `None` is the default, `age` then `pgp`. Without repetitions.
    pub decryption_order: Option<Vec<String>>,
    /// What is demanded beside the MAC.
    pub strictness: Strictness,
    /// The seal is not looked at: whoever opens the file is about to renew it, or reads
    /// what history holds.
    pub ignore_seal: bool,
    /// All files of the call.
    pub together: Together,
    /// Who may be bothered.
    pub asking: Asking,
    /// What the audit trail says of it.
    pub intent: Intent,
    /// A person looks at what became of a file, which may be one that nobody signed
    /// for: see [`super::agent::listed`].
    pub only_looks: bool,
    /// A verb of SOPS's shows the values to whoever calls it, without taking them out of any
    /// output: see [`super::agent::showing`].
    pub is_for_people: bool,
}

/// What is done with a file, and why, as the audit trail tells it where a policy is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// What.
    pub action: Action,
    /// The paths of the secrets that are meant; none is the whole file.
    pub secrets: Vec<String>,
    /// Why, in the user's words (`--reason`, `LEAFLOCK_REASON`).
    pub reason: Option<Reason>,
    /// The program that gets the values.
    pub target: Option<Target>,
    /// The principal that the caller says to act for, if it is not the caller.
    pub on_behalf: Option<String>,
    /// How far the one who gets the values is shut in: 0 not at all.
    pub isolation: u8,
    /// The file that the bytes are of, absolute, where they come from elsewhere: from
    /// git, or from standard input.
    pub path: Option<PathBuf>,
}

impl Default for Intent {
    fn default() -> Self {
        Self {
            action: Action::Decrypt,
            secrets: Vec::new(),
            reason: None,
            target: None,
            on_behalf: None,
            isolation: 0,
            path: None,
        }
    }
}

impl OpenOptions {
    /// The same for another use.
    pub fn to(&self, action: Action) -> Self {
        let mut options = self.clone();
        options.intent.action = action;
        options
    }

    /// The same for the value at `index`.
    pub fn of_value(mut self, index: &[Component]) -> Self {
        let keys = index.iter().filter_map(|component| match component {
            Component::Key(key) => Some(key.clone()),
            // Items of a list have the path of the list.
            Component::Position(_) => None,
        });
        let path: Vec<String> = keys.collect();
        self.intent.secrets = if path.is_empty() { Vec::new() } else { vec![show_path(&path)] };
        self
    }

    /// The same for bytes that are of this file, absolute, and come from elsewhere.
    pub fn of_file(mut self, path: &Path) -> Self {
        self.intent.path = Some(path.to_owned());
        self
    }
}

/// What a file must have to be opened, whatever the settings of its repository say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strictness {
    /// What the settings say.
    #[default]
    AsConfigured,
    /// A seal (`--strict`, `LEAFLOCK_STRICT=seal`).
    Seal,
    /// A seal and a signature of an allowed signer (`LEAFLOCK_STRICT=signature`).
    Signature,
}

/// The files that a call opens, so that a key that asks a person asks once for
/// all of them. Empty for a single file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Together {
    /// The files.
    pub paths: Arc<[PathBuf]>,
    /// `--input-type`, else by name.
    pub input_format: Option<Format>,
    /// Groups of age keys from elsewhere: from older states of files.
    pub groups: Arc<[Vec<SealedKey>]>,
}

/// How the file came to be in a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Named {
    /// Named by the user: what does not apply to it is an error.
    #[default]
    Directly,
    /// Matched by a pattern of the user's: one that is encrypted already, or not
    /// encrypted, is skipped.
    Matched,
    /// Found in a directory: so are those that nobody could mean, a README beside
    /// the secrets.
    Walked,
}

/// Something to tell the user besides the result, on stderr.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// How loud.
    pub level: Level,
    /// What; names files, lines and key paths, never a value.
    pub text: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// How loud a notice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Worth knowing.
    Note,
    /// Probably not what was meant.
    Warning,
}

impl Notice {
    /// A note without a hint.
    pub fn note(text: impl Into<String>) -> Self {
        Self { level: Level::Note, text: text.into(), hint: None }
    }

    /// A warning without a hint.
    pub fn warning(text: impl Into<String>) -> Self {
        Self { level: Level::Warning, text: text.into(), hint: None }
    }

    /// The same with advice.
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// What came of a file.
#[derive(Debug)]
pub struct Outcome {
    /// What happened.
    pub done: Done,
    /// What to say on the side.
    pub notices: Vec<Notice>,
}

impl Outcome {
    /// The result that was left for the caller; empty if there is none.
    pub fn into_bytes(self) -> SecretBytes {
        match self.done {
            Done::Returned(bytes) => bytes,
            _ => SecretBytes::default(),
        }
    }
}

/// What happened to the file.
#[derive(Debug)]
pub enum Done {
    /// The result, for the caller to print.
    Returned(SecretBytes),
    /// The result was printed.
    Printed,
    /// A file was written.
    Written(PathBuf),
    /// The result waits beside its file ([`Destination::Staged`]).
    Staged(Box<dyn Staged>),
    /// Nothing had to change.
    Unchanged,
    /// Found in a batch, but the command does not apply to it: why, in a few words.
    Skipped(&'static str),
}
