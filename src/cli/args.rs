//! The flags that commands share, as clap groups whose doc comments are the
//! help, and what they mean once the environment is merged in (sops-compat 10.2).

use std::path::PathBuf;

use clap::Args;

use super::argv::fields::{flags, parse_bool};
use super::env::{Environment, Variable};
use super::envelope;
use super::report::Usage;
use super::{Mode, exit};
use crate::app::request::{
    Destination, FileOptions, Intent, KeyOptions, NothingSelected, Notice, OpenOptions, RuleOptions,
    Strictness,
};
use crate::app::strangers::Strangers;
use crate::domain::agent::audit::entry::Reason;
use crate::domain::keys::kinds::KeyKind;
use crate::domain::store::Format;

/// Flags of every command.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "General")]
pub struct General {
    /// Config file, instead of searching for .sops.yaml [env: SOPS_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Program that asks for passphrases and PINs [env: LEAFLOCK_ASKPASS]
    #[arg(long, value_name = "PROGRAM", hide_short_help = true)]
    pub askpass: Option<PathBuf>,
    /// Spaces per level in YAML and JSON that is laid out anew
    #[arg(long, value_name = "N", hide_short_help = true)]
    pub indent: Option<i64>,
    /// Accepted for sops; there is nothing more to tell
    #[arg(long, hide = true)]
    pub verbose: bool,
    /// Accepted for sops; leaflock never looks for updates
    #[arg(long, hide = true)]
    pub disable_version_check: bool,
    /// Accepted for sops; leaflock never looks for updates
    #[arg(long, hide = true)]
    pub check_for_updates: bool,
}

flags!(General {
    config "config" "", askpass "askpass" "", indent "indent" "", verbose "verbose" "",
    disable_version_check "disable-version-check" "", check_for_updates "check-for-updates" ""
});

/// The key of commands that sign.
#[derive(Args, Clone, Debug, Default)]
pub struct SigningKey {
    /// Your private SSH key, its file [env: LEAFLOCK_SIGNING_KEY; else git's user.signingKey]
    #[arg(long, value_name = "FILE")]
    pub signing_key: Option<String>,
}

flags!(SigningKey { signing_key "signing-key" "" });

impl SigningKey {
    /// The file; empty is none.
    pub fn file(self) -> Option<String> {
        non_empty(self.signing_key)
    }
}

/// Flags of commands that sign and open nothing.
#[derive(Args, Clone, Debug, Default)]
pub struct Signing {
    /// The key.
    #[command(flatten)]
    pub key: SigningKey,
    /// Program that asks for passphrases and PINs [env: LEAFLOCK_ASKPASS]
    #[arg(long, value_name = "PROGRAM", hide_short_help = true)]
    pub askpass: Option<PathBuf>,
}

flags!(Signing { askpass "askpass" "" } key);

/// Which key services are asked.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "General")]
pub struct KeyServices {
    /// Use the keys of this machine [env: SOPS_ENABLE_LOCAL_KEYSERVICE]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true, hide_short_help = true)]
    pub enable_local_keyservice: Option<bool>,
    /// Also ask this key service (not in this build yet) [env: SOPS_KEYSERVICE]
    #[arg(long, value_name = "URI", hide_short_help = true)]
    pub keyservice: Vec<String>,
}

flags!(KeyServices { enable_local_keyservice "enable-local-keyservice" "", keyservice "keyservice" "" });

impl KeyServices {
    /// Refuses what only a remote key service could do.
    pub fn check(&self, env: &Environment) -> Result<(), Usage> {
        let local = match self.enable_local_keyservice {
            Some(value) => Some(value),
            None => match env.text(Variable::EnableLocalKeyService) {
                Some(value) => Some(parse_bool("enable-local-keyservice", &value)?),
                None => None,
            },
        };
        let from_env = env.text(Variable::KeyService);
        let remote = self.keyservice.iter().map(String::as_str).chain(from_env.as_deref());
        if remote.flat_map(|list| list.split(',')).any(|uri| !uri.trim().is_empty()) {
            return Err(Usage::new(
                "remote key services (--keyservice, SOPS_KEYSERVICE) are not in this build yet",
            )
            .hint("without them, the keys of this machine are used"));
        }
        if local == Some(false) {
            return Err(Usage::new("no key service is left to use: the local one is switched off")
                .hint("drop --enable-local-keyservice=false or unset SOPS_ENABLE_LOCAL_KEYSERVICE"));
        }
        Ok(())
    }
}

/// How an encrypted file is opened.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Opening")]
pub struct Opening {
    /// Open the file even if its MAC does not match
    #[arg(long)]
    pub ignore_mac: bool,
    /// Open only files with a seal that holds [env: LEAFLOCK_STRICT]
    #[arg(long, hide_short_help = true)]
    pub strict: bool,
    /// Kinds of key to try first [default: age,pgp] [env: SOPS_DECRYPTION_ORDER]
    #[arg(long, value_name = "KINDS", hide_short_help = true)]
    pub decryption_order: Option<String>,
    /// Why, for the audit trail of a policy [env: LEAFLOCK_REASON]
    #[arg(long, value_name = "TEXT", hide_short_help = true)]
    pub reason: Option<String>,
}

flags!(Opening {
    ignore_mac "ignore-mac" "", strict "strict" "", decryption_order "decryption-order" "", reason "reason" ""
});

impl Opening {
    /// The meaning; a repeated kind is an error (exit 112).
    pub fn resolve(self, env: &Environment) -> Result<OpenOptions, Usage> {
        let order = non_empty(self.decryption_order).or_else(|| env.text(Variable::DecryptionOrder));
        let kinds: Option<Vec<String>> = order.map(|list| list.split(',').map(str::to_owned).collect());
        for (index, kind) in kinds.iter().flatten().enumerate() {
            if kinds.iter().flatten().take(index).any(|earlier| earlier == kind) {
                let message = format!("Duplicate decryption key type: {kind}");
                return Err(Usage::with_code(exit::DECRYPTION_ORDER, message)
                    .hint("name every kind of key once in --decryption-order or SOPS_DECRYPTION_ORDER"));
            }
        }
        Ok(OpenOptions {
            ignore_mac: self.ignore_mac,
            decryption_order: kinds,
            strictness: strictness(self.strict, env)?,
            intent: Intent {
                reason: reason(self.reason, env)?,
                isolation: envelope::isolation(env),
                ..Intent::default()
            },
            ..OpenOptions::default()
        })
    }
}

/// The reason that the flag, or else the variable, gives.
fn reason(flag: Option<String>, env: &Environment) -> Result<Option<Reason>, Usage> {
    let Some(text) = non_empty(flag).or_else(|| env.text(Variable::Reason)) else { return Ok(None) };
    let longest = Reason::LONGEST;
    let unfit = || Usage::new(format!("--reason, LEAFLOCK_REASON: a reason has 1 to {longest} characters"));
    Reason::new(&text).map(Some).ok_or_else(unfit)
}

/// What `--strict` and its variable demand together: whichever demands more.
fn strictness(flag: bool, env: &Environment) -> Result<Strictness, Usage> {
    match env.text(Variable::Strict).as_deref() {
        Some("signature") => Ok(Strictness::Signature),
        Some("seal" | "1" | "true") => Ok(Strictness::Seal),
        None | Some("0" | "false") => Ok(if flag { Strictness::Seal } else { Strictness::AsConfigured }),
        Some(_) => Err(Usage::new("LEAFLOCK_STRICT has no such value")
            .hint("seal opens only files with a seal, signature only those with a signature that counts")),
    }
}

/// What the input is.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Formats")]
pub struct InputType {
    /// yaml, json, dotenv, ini or binary [default: by the file's name]
    #[arg(long, value_name = "TYPE")]
    pub input_type: Option<String>,
}

flags!(InputType { input_type "input-type" "" });

/// What the output is.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Formats")]
pub struct OutputType {
    /// yaml, json, dotenv, ini or binary [default: by the file's name]
    #[arg(long, value_name = "TYPE")]
    pub output_type: Option<String>,
}

flags!(OutputType { output_type "output-type" "" });

/// The names of the file formats, for messages.
const FORMATS: &str = "yaml, json, dotenv, ini, binary";

/// The format that a flag names. An unknown name is an error, or ignored with a
/// warning under the name `sops`.
pub fn format(
    flag: &str,
    name: Option<String>,
    mode: Mode,
    notices: &mut Vec<Notice>,
) -> Result<Option<Format>, Usage> {
    let Some(name) = non_empty(name) else { return Ok(None) };
    match Format::of_name(&name) {
        Some(format) => Ok(Some(format)),
        None => unknown_format(flag, &name, FORMATS, mode, notices).map(|()| None),
    }
}

/// The answer to a format that does not exist.
pub fn unknown_format(
    flag: &str,
    name: &str,
    choices: &str,
    mode: Mode,
    notices: &mut Vec<Notice>,
) -> Result<(), Usage> {
    if mode == Mode::Sops {
        let text = format!("--{flag} {name} is not a known format and is ignored, as sops does");
        notices.push(Notice::warning(text).with_hint(format!("known are {choices}")));
        return Ok(());
    }
    Err(Usage::new(format!("unknown format {name:?} for --{flag}")).hint(format!("known are {choices}")))
}

/// Another name than the file's own.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Formats")]
pub struct FilenameOverride {
    /// Choose formats and creation rule as if the file were called this
    #[arg(long, value_name = "NAME")]
    pub filename_override: Option<PathBuf>,
}

flags!(FilenameOverride { filename_override "filename-override" "" });

/// Where the result goes.
#[derive(Args, Clone, Debug, Default)]
pub struct Output {
    /// Write the result back to the file
    #[arg(short, long)]
    pub in_place: bool,
    /// Write the result to this file instead of stdout
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

flags!(Output { in_place "in-place" "i", output "output" "" });

impl Output {
    /// The meaning; both at once contradict (exit 8).
    pub fn resolve(self) -> Result<Destination, Usage> {
        let output = self.output.filter(|path| !path.as_os_str().is_empty());
        match (self.in_place, output) {
            (true, Some(_)) => {
                let message = "Error: cannot operate on both --output and --in-place";
                Err(Usage::with_code(exit::CONFLICT, message).hint("leave one of them out"))
            }
            (true, None) => Ok(Destination::InPlace),
            (false, Some(path)) => Ok(Destination::File(path)),
            (false, None) => Ok(Destination::Stdout),
        }
    }
}

/// Heading of the keys that come later.
const OTHER_KEYS: &str = "Other keys (not in this build yet)";

/// Master keys.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Keys (any of them replaces the keys of .sops.yaml)")]
pub struct Keys {
    /// age recipients, comma-separated [env: SOPS_AGE_RECIPIENTS]
    #[arg(short, long, value_name = "RECIPIENTS")]
    pub age: Option<String>,
    /// PGP fingerprints, comma-separated [env: SOPS_PGP_FP]
    #[arg(short, long, value_name = "FINGERPRINTS")]
    pub pgp: Option<String>,
    /// AWS KMS keys [env: SOPS_KMS_ARN]
    #[arg(short, long, value_name = "ARNS", help_heading = OTHER_KEYS, hide_short_help = true)]
    pub kms: Option<String>,
    /// AWS profile for --kms
    #[arg(long, value_name = "NAME", help_heading = OTHER_KEYS, hide_short_help = true)]
    pub aws_profile: Option<String>,
    /// GCP KMS keys [env: SOPS_GCP_KMS_IDS]
    #[arg(long, value_name = "IDS", help_heading = OTHER_KEYS, hide_short_help = true)]
    pub gcp_kms: Option<String>,
    /// Huawei Cloud KMS keys [env: SOPS_HUAWEICLOUD_KMS_IDS]
    #[arg(long, value_name = "IDS", help_heading = OTHER_KEYS, hide_short_help = true)]
    pub hckms: Option<String>,
    /// Azure Key Vault keys [env: SOPS_AZURE_KEYVAULT_URLS]
    #[arg(long, value_name = "URLS", help_heading = OTHER_KEYS, hide_short_help = true)]
    pub azure_kv: Option<String>,
    /// Vault transit keys [env: SOPS_VAULT_URIS]
    #[arg(long, value_name = "URIS", help_heading = OTHER_KEYS, hide_short_help = true)]
    pub hc_vault_transit: Option<String>,
    /// Context for --kms: key:value pairs, comma-separated
    #[arg(long, value_name = "PAIRS", help_heading = OTHER_KEYS, hide_short_help = true)]
    pub encryption_context: Option<String>,
    /// Key groups that must come together to decrypt
    #[arg(long, value_name = "N", hide_short_help = true)]
    pub shamir_secret_sharing_threshold: Option<i64>,
}

flags!(Keys {
    age "age" "a", pgp "pgp" "p", kms "kms" "k", aws_profile "aws-profile" "", gcp_kms "gcp-kms" "",
    hckms "hckms" "", azure_kv "azure-kv" "", hc_vault_transit "hc-vault-transit" "",
    encryption_context "encryption-context" "",
    shamir_secret_sharing_threshold "shamir-secret-sharing-threshold" ""
});

impl Keys {
    /// The meaning, with the variables; a malformed context is exit 6.
    pub fn resolve(self, env: &Environment) -> Result<KeyOptions, Usage> {
        let or = |flag: Option<String>, variable| non_empty(flag).or_else(|| env.text(variable));
        Ok(KeyOptions {
            age: or(self.age, Variable::AgeRecipients),
            pgp: or(self.pgp, Variable::PgpFp),
            kms: or(self.kms, Variable::KmsArn),
            aws_profile: non_empty(self.aws_profile),
            gcp_kms: or(self.gcp_kms, Variable::GcpKmsIds),
            hckms: or(self.hckms, Variable::HuaweiKmsIds),
            azure_kv: or(self.azure_kv, Variable::AzureKeyVaultUrls),
            hc_vault_transit: or(self.hc_vault_transit, Variable::VaultUris),
            encryption_context: encryption_context(self.encryption_context)?,
            shamir_threshold: self.shamir_secret_sharing_threshold.filter(|threshold| *threshold != 0),
        })
    }
}

/// Keys to add and to remove.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Keys")]
pub struct KeyChanges {
    /// Add age recipients, comma-separated
    #[arg(long, value_name = "KEYS")]
    pub add_age: Option<String>,
    /// Remove age recipients, comma-separated
    #[arg(long, value_name = "KEYS")]
    pub rm_age: Option<String>,
    /// Add PGP fingerprints, comma-separated
    #[arg(long, value_name = "KEYS")]
    pub add_pgp: Option<String>,
    /// Remove PGP fingerprints, comma-separated
    #[arg(long, value_name = "KEYS")]
    pub rm_pgp: Option<String>,
    /// Add AWS KMS keys, comma-separated
    #[arg(long, value_name = "KEYS", hide_short_help = true, help_heading = OTHER_KEYS)]
    pub add_kms: Option<String>,
    /// Remove AWS KMS keys, comma-separated
    #[arg(long, value_name = "KEYS", hide_short_help = true, help_heading = OTHER_KEYS)]
    pub rm_kms: Option<String>,
    /// Add GCP KMS keys, comma-separated
    #[arg(long, value_name = "KEYS", hide_short_help = true, help_heading = OTHER_KEYS)]
    pub add_gcp_kms: Option<String>,
    /// Remove GCP KMS keys, comma-separated
    #[arg(long, value_name = "KEYS", hide_short_help = true, help_heading = OTHER_KEYS)]
    pub rm_gcp_kms: Option<String>,
    /// Add Huawei Cloud KMS keys, comma-separated
    #[arg(long, value_name = "KEYS", hide_short_help = true, help_heading = OTHER_KEYS)]
    pub add_hckms: Option<String>,
    /// Remove Huawei Cloud KMS keys, comma-separated
    #[arg(long, value_name = "KEYS", hide_short_help = true, help_heading = OTHER_KEYS)]
    pub rm_hckms: Option<String>,
    /// Add Azure Key Vault keys, comma-separated
    #[arg(long, value_name = "KEYS", hide_short_help = true, help_heading = OTHER_KEYS)]
    pub add_azure_kv: Option<String>,
    /// Remove Azure Key Vault keys, comma-separated
    #[arg(long, value_name = "KEYS", hide_short_help = true, help_heading = OTHER_KEYS)]
    pub rm_azure_kv: Option<String>,
    /// Add Vault transit keys, comma-separated
    #[arg(long, value_name = "KEYS", hide_short_help = true, help_heading = OTHER_KEYS)]
    pub add_hc_vault_transit: Option<String>,
    /// Remove Vault transit keys, comma-separated
    #[arg(long, value_name = "KEYS", hide_short_help = true, help_heading = OTHER_KEYS)]
    pub rm_hc_vault_transit: Option<String>,
}

flags!(KeyChanges {
    add_age "add-age" "", rm_age "rm-age" "", add_pgp "add-pgp" "",
    rm_pgp "rm-pgp" "", add_kms "add-kms" "", rm_kms "rm-kms" "",
    add_gcp_kms "add-gcp-kms" "", rm_gcp_kms "rm-gcp-kms" "", add_hckms "add-hckms" "",
    rm_hckms "rm-hckms" "", add_azure_kv "add-azure-kv" "", rm_azure_kv "rm-azure-kv" "",
    add_hc_vault_transit "add-hc-vault-transit" "", rm_hc_vault_transit "rm-hc-vault-transit" ""
});

/// Comma lists of keys by kind.
pub type KeyLists = Vec<(KeyKind, String)>;

impl KeyChanges {
    /// True when any was given.
    pub fn any(&self) -> bool {
        let (added, removed) = self.clone().resolve();
        !added.is_empty() || !removed.is_empty()
    }

    /// The lists to add and the lists to remove.
    pub fn resolve(self) -> (KeyLists, KeyLists) {
        let given = |lists: [(KeyKind, Option<String>); 7]| {
            lists.into_iter().filter_map(|(kind, list)| Some((kind, non_empty(list)?))).collect()
        };
        let added = [
            (KeyKind::Age, self.add_age),
            (KeyKind::Pgp, self.add_pgp),
            (KeyKind::Kms, self.add_kms),
            (KeyKind::GcpKms, self.add_gcp_kms),
            (KeyKind::Hckms, self.add_hckms),
            (KeyKind::AzureKv, self.add_azure_kv),
            (KeyKind::HcVault, self.add_hc_vault_transit),
        ];
        let removed = [
            (KeyKind::Age, self.rm_age),
            (KeyKind::Pgp, self.rm_pgp),
            (KeyKind::Kms, self.rm_kms),
            (KeyKind::GcpKms, self.rm_gcp_kms),
            (KeyKind::Hckms, self.rm_hckms),
            (KeyKind::AzureKv, self.rm_azure_kv),
            (KeyKind::HcVault, self.rm_hc_vault_transit),
        ];
        (given(added), given(removed))
    }
}

/// `a:b,c:d` as pairs; every piece has exactly one colon.
pub fn encryption_context(text: Option<String>) -> Result<Vec<(String, String)>, Usage> {
    let Some(text) = non_empty(text) else { return Ok(Vec::new()) };
    let pair = |piece: &str| match piece.split_once(':') {
        Some((key, value)) if !value.contains(':') => Some((key.to_owned(), value.to_owned())),
        _ => None,
    };
    text.split(',').map(pair).collect::<Option<_>>().ok_or_else(|| {
        Usage::with_code(exit::ENCRYPTION_CONTEXT, "Invalid KMS encryption context format").hint(
            "write key:value pairs separated by commas, for example --encryption-context Env:prod,Team:web",
        )
    })
}

/// Which values are encrypted.
#[derive(Args, Clone, Debug, Default)]
#[command(
    next_help_heading = "Which values are encrypted (one of them; replaces the same one of .sops.yaml)"
)]
pub struct Rules {
    /// All but those whose key has this suffix [default: _unencrypted]
    #[arg(long, value_name = "SUFFIX")]
    pub unencrypted_suffix: Option<String>,
    /// Only those whose key has this suffix
    #[arg(long, value_name = "SUFFIX")]
    pub encrypted_suffix: Option<String>,
    /// All but those whose key matches
    #[arg(long, value_name = "REGEX")]
    pub unencrypted_regex: Option<String>,
    /// Only those whose key matches
    #[arg(long, value_name = "REGEX")]
    pub encrypted_regex: Option<String>,
    /// All but those whose comment matches
    #[arg(long, value_name = "REGEX", hide_short_help = true)]
    pub unencrypted_comment_regex: Option<String>,
    /// Only those whose comment matches
    #[arg(long, value_name = "REGEX", hide_short_help = true)]
    pub encrypted_comment_regex: Option<String>,
    /// Leave plain values out of the MAC, so that they may be changed by hand
    #[arg(long)]
    pub mac_only_encrypted: bool,
}

flags!(Rules {
    unencrypted_suffix "unencrypted-suffix" "", encrypted_suffix "encrypted-suffix" "",
    unencrypted_regex "unencrypted-regex" "", encrypted_regex "encrypted-regex" "",
    unencrypted_comment_regex "unencrypted-comment-regex" "",
    encrypted_comment_regex "encrypted-comment-regex" "", mac_only_encrypted "mac-only-encrypted" ""
});

impl Rules {
    /// The meaning. Two rules at once are found where they meet the config's.
    pub fn resolve(self, mode: Mode, allow_unencrypted: bool) -> RuleOptions {
        let nothing_selected = match (allow_unencrypted, mode) {
            (true, _) => NothingSelected::Allow,
            (false, Mode::Sops) => NothingSelected::Warn,
            (false, Mode::Leaflock) => NothingSelected::Refuse,
        };
        RuleOptions {
            unencrypted_suffix: non_empty(self.unencrypted_suffix),
            encrypted_suffix: non_empty(self.encrypted_suffix),
            unencrypted_regex: non_empty(self.unencrypted_regex),
            encrypted_regex: non_empty(self.encrypted_regex),
            unencrypted_comment_regex: non_empty(self.unencrypted_comment_regex),
            encrypted_comment_regex: non_empty(self.encrypted_comment_regex),
            mac_only_encrypted: self.mac_only_encrypted,
            nothing_selected,
            needs_creation_rule: false,
            seal: false,
        }
    }
}

/// What to do about recipients that the creation rule does not list. Scripts that
/// call `sops` go on, with a warning.
pub fn strangers(accept: bool, mode: Mode) -> Strangers {
    match (accept, mode) {
        (true, _) => Strangers::Accept,
        (false, Mode::Sops) => Strangers::Warn,
        (false, Mode::Leaflock) => Strangers::Refuse,
    }
}

/// The widest indentation that `--indent` takes.
const MAX_INDENT: i64 = 64;

/// How the file is found and read: what [`General`], [`InputType`] and
/// [`FilenameOverride`] mean together.
pub fn file_options(
    general: General,
    input: InputType,
    named: FilenameOverride,
    mode: Mode,
    env: &Environment,
    notices: &mut Vec<Notice>,
) -> Result<FileOptions, Usage> {
    let indent = match general.indent {
        None => None,
        Some(indent @ 0..=MAX_INDENT) => Some(indent as u8),
        Some(_) => return Err(Usage::new("--indent is a number of spaces from 0 to 64")),
    };
    Ok(FileOptions {
        filename_override: named.filename_override.filter(|name| !name.as_os_str().is_empty()),
        input_format: format("input-type", input.input_type, mode, notices)?,
        config: general
            .config
            .filter(|path| !path.as_os_str().is_empty())
            .or_else(|| env.path(Variable::Config)),
        indent,
    })
}

/// How commands that open the files they are given find, read and unlock them.
#[derive(Args, Clone, Debug, Default)]
pub struct Reading {
    /// Keys and MAC.
    #[command(flatten)]
    pub opening: Opening,
    /// Input format.
    #[command(flatten)]
    pub input_type: InputType,
    /// Key services.
    #[command(flatten)]
    pub services: KeyServices,
    /// General flags.
    #[command(flatten)]
    pub general: General,
}

flags!(Reading {} opening, input_type, services, general);

impl Reading {
    /// The meaning.
    pub fn resolve(
        self,
        mode: Mode,
        env: &Environment,
        notices: &mut Vec<Notice>,
    ) -> Result<(FileOptions, OpenOptions), Usage> {
        self.services.check(env)?;
        let named = FilenameOverride::default();
        let file = file_options(self.general, self.input_type, named, mode, env, notices)?;
        Ok((file, self.opening.resolve(env)?))
    }
}

/// The text, unless it is empty: an empty flag is no flag.
pub fn non_empty(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}
