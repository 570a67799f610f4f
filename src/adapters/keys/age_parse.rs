//! Age identities as text: what a line or an SSH private key file stands for,
//! and what a passphrase makes of a locked one (sops-compat 6.2).

use std::io::Read;
use std::sync::OnceLock;

use age::secrecy::SecretString;
use age::ssh::{EncryptedKey, UnsupportedKey};

use super::age_hybrid::HybridIdentity;
use super::age_plugin::PluginIdentity;
use crate::app::ports::{Prompt, PromptError};
use crate::domain::keys::report::NOBODY_TO_ASK;
use crate::domain::keys::{RecipientKind, WrappedKey, go_quoted, recipient_kind, same_ssh_key};
use crate::domain::secret::SecretBytes;

/// The longest SSH private key file: 64 KiB is a 300,000 bit RSA key.
const LONGEST_SSH_KEY: usize = 64 << 10;

/// The largest scrypt work factor of a passphrase, as Go's age has it: 2^22,
/// some 20 seconds and 4 GiB.
const MOST_SCRYPT_WORK: u8 = 22;

/// One identity, ready or locked.
pub(super) enum Identity {
    /// `AGE-SECRET-KEY-1…`
    Native { key: age::x25519::Identity, public: OnceLock<String> },
    /// `AGE-SECRET-KEY-PQ-1…`
    Hybrid(HybridIdentity),
    /// An SSH private key without a passphrase.
    Ssh { key: Box<age::ssh::Identity>, public: String },
    /// An SSH private key with one.
    LockedSsh { key: Box<EncryptedKey>, public: String, path: String, unlocked: Unlocked },
    /// An identity file encrypted to a passphrase.
    LockedFile { contents: SecretBytes, location: String, unlocked: Unlocked },
    /// `AGE-PLUGIN-NAME-1…`
    Plugin(PluginIdentity),
}

/// What a passphrase gave: asked once, good or bad.
type Unlocked = OnceLock<Result<Vec<Identity>, String>>;

impl Identity {
    fn native(key: age::x25519::Identity) -> Self {
        Self::Native { key, public: OnceLock::new() }
    }

    /// An identity file that begins like an age file.
    pub(super) fn locked_file(contents: SecretBytes, location: &str) -> Self {
        Self::LockedFile { contents, location: location.to_owned(), unlocked: OnceLock::new() }
    }

    /// A plugin's identity.
    pub(super) fn plugin(&self) -> Option<&PluginIdentity> {
        match self {
            Self::Plugin(identity) => Some(identity),
            _ => None,
        }
    }

    /// For the age library, if no passphrase and no plugin is needed.
    pub(super) fn open(&self) -> Option<&dyn age::Identity> {
        match self {
            Self::Native { key, .. } => Some(key),
            Self::Hybrid(key) => Some(key),
            Self::Ssh { key, .. } => Some(&**key),
            Self::LockedSsh { .. } | Self::LockedFile { .. } | Self::Plugin(_) => None,
        }
    }

    /// Whether it opens post-quantum recipients.
    pub(super) fn is_hybrid(&self) -> bool {
        matches!(self, Self::Hybrid(_))
    }

    /// Whether a passphrase would help.
    pub(super) fn is_locked(&self) -> bool {
        matches!(self, Self::LockedSsh { .. } | Self::LockedFile { .. })
    }

    /// The recipient that belongs to it, as far as it is known without a passphrase.
    pub(super) fn public(&self) -> Option<&str> {
        match self {
            Self::Native { key, public } => Some(public.get_or_init(|| key.to_public().to_string())),
            Self::Hybrid(key) => Some(key.recipient()),
            Self::Ssh { public, .. } | Self::LockedSsh { public, .. } => Some(public),
            Self::LockedFile { .. } | Self::Plugin(_) => None,
        }
    }

    /// What a passphrase opens: asked for the first time, remembered after.
    pub(super) fn unlock(&self, prompt: &dyn Prompt) -> Result<&[Identity], &str> {
        let result = match self {
            Self::LockedSsh { key, path, public, unlocked } => {
                unlocked.get_or_init(|| unlock_ssh(key, path, public, prompt))
            }
            Self::LockedFile { contents, location, unlocked } => {
                unlocked.get_or_init(|| unlock_file(contents, location, prompt))
            }
            _ => return Ok(&[]),
        };
        result.as_deref().map_err(String::as_str)
    }

    /// Adds what can be shown of it: public keys, never more.
    pub(super) fn describe(&self, into: &mut Vec<String>) {
        match self {
            Self::LockedFile { unlocked, .. } => match unlocked.get() {
                Some(Ok(identities)) => identities.iter().for_each(|identity| identity.describe(into)),
                Some(Err(reason)) => into.push(format!("an identity file with a passphrase ({reason})")),
                None => into.push("an identity file with a passphrase".to_owned()),
            },
            Self::LockedSsh { public, unlocked, .. } => match unlocked.get() {
                Some(Err(reason)) => into.push(format!("{public} ({reason})")),
                Some(Ok(_)) => into.push(public.clone()),
                None => into.push(format!("{public} (locked, not a recipient)")),
            },
            Self::Plugin(identity) => into.push(format!("an identity of age-plugin-{}", identity.plugin())),
            _ => into.extend(self.public().map(str::to_owned)),
        }
    }
}

/// True when `key` is wrapped for the recipient of `identity`, by its text.
pub(super) fn belongs(key: &WrappedKey<'_>, identity: &Identity) -> bool {
    // A post-quantum identity is not made to work out its recipient for nothing.
    if identity.is_hybrid() && recipient_kind(key.recipient) != Ok(RecipientKind::Hybrid) {
        return false;
    }
    identity.public().is_some_and(|public| {
        if public.starts_with("ssh-") { same_ssh_key(key.recipient, public) } else { key.recipient == public }
    })
}

/// Parses identities, one a line; empty lines and lines that begin with `#` are
/// skipped. `SOPS_AGE_KEY` may hold several on a line. One bad line spoils all
/// (sops-compat 6.2). The error names the line, never its text.
pub(super) fn parse_identities(text: &[u8], many_a_line: bool) -> Result<Vec<Identity>, String> {
    let mut identities = Vec::new();
    for (number, line) in text.split(|&b| b == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() || line[0] == b'#' {
            continue;
        }
        let failed = |reason: &str| format!("{reason} at line {}", number + 1);
        let line = std::str::from_utf8(line).map_err(|_| failed("unknown identity type"))?;
        if many_a_line {
            for word in line.split_whitespace() {
                identities.push(parse_identity(word).map_err(failed)?);
            }
        } else {
            identities.push(parse_identity(line).map_err(failed)?);
        }
    }
    Ok(identities)
}

fn parse_identity(text: &str) -> Result<Identity, &'static str> {
    if text.starts_with("AGE-SECRET-KEY-PQ-1") {
        HybridIdentity::parse(text).map(Identity::Hybrid).ok_or("malformed secret key")
    } else if text.starts_with("AGE-PLUGIN-") {
        PluginIdentity::parse(text).map(Identity::Plugin).ok_or("malformed plugin identity")
    } else if text.starts_with("AGE-SECRET-KEY-1") {
        text.parse().map(Identity::native).map_err(|_| "malformed secret key")
    } else {
        Err("unknown identity type")
    }
}

/// Decrypts an identity file with a passphrase from the terminal.
fn unlock_file(contents: &[u8], location: &str, prompt: &dyn Prompt) -> Result<Vec<Identity>, String> {
    let passphrase = ask(prompt, &format!("Enter passphrase for identity '{location}'"))?;
    let mut scrypt = age::scrypt::Identity::new(passphrase);
    scrypt.set_max_work_factor(MOST_SCRYPT_WORK);
    let unreadable = "failed to decrypt identity file: it is not an age file, or damaged";
    let decryptor =
        age::Decryptor::new_buffered(age::armor::ArmoredReader::new(contents)).map_err(|_| unreadable)?;
    if !decryptor.is_scrypt() {
        return Err("failed to decrypt identity file: it is not encrypted to a passphrase".to_owned());
    }
    let mut reader =
        decryptor.decrypt(std::iter::once(&scrypt as &dyn age::Identity)).map_err(|error| match error {
            age::DecryptError::ExcessiveWork { .. } => {
                "failed to decrypt identity file: its scrypt work factor is too large"
            }
            age::DecryptError::InvalidHeader | age::DecryptError::InvalidMac => unreadable,
            _ => "incorrect passphrase",
        })?;
    // The plaintext is shorter than the file, so the vector never moves.
    let mut text = SecretBytes::new(Vec::with_capacity(contents.len()));
    reader.read_to_end(text.as_mut_vec()).map_err(|_| unreadable)?;
    parse_identities(&text, false)
        .map_err(|reason| format!("failed to parse '{location}' age identities: {reason}"))
}

fn ask(prompt: &dyn Prompt, question: &str) -> Result<SecretString, String> {
    let secret = prompt.secret(question).map_err(|error| match error {
        PromptError::NoTerminal { .. } => format!("could not read passphrase: {NOBODY_TO_ASK}"),
        PromptError::Failed { reason, .. } => format!("could not read passphrase: {reason}"),
    })?;
    let text = std::str::from_utf8(&secret).map_err(|_| "could not read passphrase: it is not UTF-8")?;
    Ok(SecretString::from(text.to_owned()))
}

/// Parses an SSH private key: OpenSSH format, or PEM with an RSA key.
pub(super) fn parse_ssh(contents: &[u8], location: &str) -> Result<Vec<Identity>, String> {
    if contents.len() > LONGEST_SSH_KEY {
        return Err("file too long".to_owned());
    }
    let key = age::ssh::Identity::from_buffer(contents, None)
        .map_err(|_| "ssh: no key found (OpenSSH and PKCS#1 PEM keys are understood)")?;
    if let age::ssh::Identity::Unsupported(why) = &key {
        return Err(match why {
            UnsupportedKey::EncryptedPem => {
                "encrypted in the old PEM format; rewrite it with: ssh-keygen -p -f FILE".to_owned()
            }
            UnsupportedKey::EncryptedSsh(cipher) => format!("unsupported cipher {}", go_quoted(cipher)),
            UnsupportedKey::Hardware(kind) | UnsupportedKey::Type(kind) => {
                format!("unsupported SSH identity type: {}", go_quoted(kind))
            }
        });
    }
    let public =
        age::ssh::Recipient::try_from(key.clone()).map_err(|_| "unsupported SSH identity type")?.to_string();
    Ok(vec![match key {
        age::ssh::Identity::Encrypted(key) => Identity::LockedSsh {
            key: Box::new(key),
            public,
            path: location.to_owned(),
            unlocked: OnceLock::new(),
        },
        key => Identity::Ssh { key: Box::new(key), public },
    }])
}

fn unlock_ssh(
    key: &EncryptedKey,
    path: &str,
    public: &str,
    prompt: &dyn Prompt,
) -> Result<Vec<Identity>, String> {
    let passphrase = ask(prompt, &format!("Enter passphrase for {}", go_quoted(path)))?;
    let key = key
        .decrypt(passphrase)
        .map_err(|_| "failed to decrypt SSH key file: x509: decryption password incorrect".to_owned())?;
    Ok(vec![Identity::Ssh { key: Box::new(key.into()), public: public.to_owned() }])
}
