//! Data keys wrapped and unwrapped with age (age-encryption.org/v1): native
//! X25519, post-quantum, tagged, plugin and SSH recipients, one armored age file
//! per recipient, as sops stores it (sops-compat 6.1).
//!
//! The cost is X25519: some 57 µs of the 65 µs that a recipient takes. So many
//! recipients are spread over the cores, and on the way back our own key is
//! found by the recipient's text before anything is unwrapped.

use std::io::Write;
use std::thread;

use age::armor::{ArmoredWriter, Format};
use age::secrecy::ExposeSecret;
use age::ssh::ParseRecipientKeyError;
use age::{EncryptError, Encryptor, Recipient};
use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use bech32::FromBase32;

use super::age_blob::open;
use super::age_hybrid::HybridRecipient;
use super::age_identity::Identities;
use super::age_parse::{Identity, belongs, parse_identities};
use super::age_plugin::{PluginIdentity, PluginRecipient, Plugins};
use super::low_order::is_low_order;
use super::plugin_round::Call;
use crate::app::ports::{Asking, Others};
use crate::domain::keys::{KeyError, RecipientKind, Refusal, WrappedKey, recipient_kind};
use crate::domain::secret::SecretBytes;

/// From this many recipients on a second thread pays for itself.
const MANY: usize = 32;

type BoxedRecipient<'p> = Box<dyn Recipient + Send + Sync + 'p>;

/// Wraps `data_key` for every recipient: one armored age file each, in the same
/// order, ending in a newline. All recipients are parsed before any is used.
///
/// # Errors
/// The first recipient that cannot be used: of no known kind, malformed, or of
/// a kind this build has not got.
pub(super) fn wrap<R: AsRef<str>>(
    recipients: &[R],
    data_key: &[u8],
    plugins: Plugins<'_>,
) -> Result<Vec<String>, KeyError> {
    let parsed =
        recipients.iter().map(|text| parse(text.as_ref(), plugins)).collect::<Result<Vec<_>, _>>()?;
    let cores = if parsed.len() < MANY { 1 } else { thread::available_parallelism().map_or(1, usize::from) };
    if cores == 1 {
        return seal_all(&parsed, data_key);
    }
    let share = parsed.len().div_ceil(cores).max(MANY / 2);
    thread::scope(|scope| {
        let mut shares = parsed.chunks(share);
        let own = shares.next().unwrap_or_default();
        let others: Vec<_> = shares.map(|part| scope.spawn(|| seal_all(part, data_key))).collect();
        let mut sealed = seal_all(own, data_key)?;
        for other in others {
            let part = other.join().map_err(|_| KeyError::Sealing("a thread ended early".to_owned()))?;
            sealed.extend(part?);
        }
        Ok(sealed)
    })
}

fn seal_all(recipients: &[BoxedRecipient<'_>], data_key: &[u8]) -> Result<Vec<String>, KeyError> {
    recipients.iter().map(|recipient| seal(recipient.as_ref(), data_key)).collect()
}

fn seal(recipient: &dyn Recipient, data_key: &[u8]) -> Result<String, KeyError> {
    let failed = |_| KeyError::Sealing("the armored file could not be written".to_owned());
    let encryptor = Encryptor::with_recipients(std::iter::once(recipient)).map_err(|error| match error {
        EncryptError::Io(error) => KeyError::Sealing(error.to_string()),
        _ => KeyError::Sealing("the recipient was refused".to_owned()),
    })?;
    let armor = ArmoredWriter::wrap_output(Vec::with_capacity(1024), Format::AsciiArmor).map_err(failed)?;
    let mut writer = encryptor.wrap_output(armor).map_err(failed)?;
    writer.write_all(data_key).map_err(failed)?;
    let armored = writer.finish().and_then(ArmoredWriter::finish).map_err(failed)?;
    String::from_utf8(armored).map_err(|_| KeyError::Sealing("the armored file is not text".to_owned()))
}

fn parse<'p>(recipient: &str, plugins: Plugins<'p>) -> Result<BoxedRecipient<'p>, KeyError> {
    let malformed = |reason| KeyError::MalformedRecipient { recipient: recipient.to_owned(), reason };
    match recipient_kind(recipient)? {
        RecipientKind::Plugin => Ok(Box::new(PluginRecipient::parse(recipient, plugins).map_err(malformed)?)),
        RecipientKind::Tag => Ok(Box::new(recipient.parse::<age::tag::Recipient>().map_err(malformed)?)),
        RecipientKind::TagHybrid => {
            Ok(Box::new(recipient.parse::<age::tagpq::Recipient>().map_err(malformed)?))
        }
        RecipientKind::Hybrid => Ok(Box::new(HybridRecipient::parse(recipient).map_err(malformed)?)),
        RecipientKind::X25519 => {
            let parsed: age::x25519::Recipient = recipient.parse().map_err(malformed)?;
            if point_of(recipient).is_some_and(is_low_order) {
                return Err(malformed("low order point"));
            }
            Ok(Box::new(parsed))
        }
        RecipientKind::Ssh => parse_ssh(recipient),
    }
}

fn parse_ssh(recipient: &str) -> Result<BoxedRecipient<'static>, KeyError> {
    let malformed = |reason: &str| KeyError::MalformedSshRecipient {
        recipient: recipient.to_owned(),
        reason: reason.to_owned(),
    };
    if !ssh_key_is_sound(recipient) {
        return Err(malformed("the key does not decode"));
    }
    match recipient.parse::<age::ssh::Recipient>() {
        Ok(parsed) => Ok(Box::new(parsed)),
        Err(ParseRecipientKeyError::RsaModulusTooLarge) => Err(malformed("RSA key size is too large")),
        Err(ParseRecipientKeyError::RsaModulusTooSmall) => Err(malformed("RSA key size is too small")),
        Err(ParseRecipientKeyError::Unsupported(_)) => Err(malformed("unknown SSH recipient type")),
        Err(_) => Err(malformed("the key does not decode")),
    }
}

/// The point that an X25519 recipient encodes.
fn point_of(recipient: &str) -> Option<[u8; 32]> {
    let (_, data, _) = bech32::decode(recipient).ok()?;
    Vec::<u8>::from_base32(&data).ok()?.try_into().ok()
}

/// True when the key text of an SSH recipient is base64 of whole SSH strings,
/// none of them all zero: the age crate panics on a zero number in an RSA key.
fn ssh_key_is_sound(recipient: &str) -> bool {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let Some(Ok(blob)) = recipient.split_ascii_whitespace().nth(1).map(|text| LENIENT.decode(text)) else {
        return false;
    };
    let mut rest = blob.as_slice();
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        if after.len() < length || after[..length].iter().all(|&b| b == 0) {
            return false;
        }
        rest = &after[length..];
    }
    rest.is_empty()
}

/// Opens one of the keys of a group with one of the identities: the bytes that
/// were wrapped, or one refusal per key in the words of sops.
///
/// What opens is what sops would open; the order is by cost. First a key whose
/// recipient is ours by its text, native identities before SSH keys before
/// commands. Then every key with everything that needs nobody. Then plugins, each
/// once for all files of the call. Only then is a passphrase asked for, once in
/// the life of `identities`: for an SSH key that is among the recipients, and for
/// identity files. `asking` may end this before commands, or after them.
pub(super) fn unwrap(
    keys: &[WrappedKey<'_>],
    identities: &Identities<'_>,
    others: &Others<'_>,
    asking: Asking,
) -> Result<SecretBytes, Vec<Refusal>> {
    if let Some(found) = open_own(keys, identities.native()) {
        return Ok(found);
    }
    if keys.iter().any(|key| key.recipient.starts_with("ssh-"))
        && let Some(found) = open_own(keys, identities.ssh())
    {
        return Ok(found);
    }
    if asking != Asking::Nobody && identities.has_commands() {
        for key in keys {
            for place in identities.commands(key.recipient) {
                if let Some(found) = open_own(keys, &place.identities) {
                    return Ok(found);
                }
            }
        }
    }
    if asking == Asking::Person {
        return open_any(keys, identities, others);
    }
    let refused = |key: &WrappedKey<'_>| Refusal {
        key: key.recipient.to_owned(),
        reasons: vec!["no identity opens it without asking somebody".to_owned()],
        problem: None,
    };
    Err(keys.iter().map(refused).collect())
}

/// Opens a key whose recipient is, by its text, the public key of an identity
/// that needs no passphrase.
fn open_own<'i>(
    keys: &[WrappedKey<'_>],
    identities: impl IntoIterator<Item = &'i Identity>,
) -> Option<SecretBytes> {
    let mut identities = identities.into_iter().peekable();
    let first = identities.next()?;
    // With one of each, trying costs less than deriving the public key first.
    if let ([key], None) = (keys, identities.peek()) {
        return open(key, &[first.open()?]).ok();
    }
    std::iter::once(first).chain(identities).find_map(|identity| {
        let ready = identity.open()?;
        keys.iter().filter(|key| belongs(key, identity)).find_map(|key| open(key, &[ready]).ok())
    })
}

/// Tries everything on everything: plugins late, passphrases last.
fn open_any(
    keys: &[WrappedKey<'_>],
    identities: &Identities<'_>,
    others: &Others<'_>,
) -> Result<SecretBytes, Vec<Refusal>> {
    let mut failures = Vec::with_capacity(keys.len());
    for key in keys {
        let commands = identities.commands(key.recipient);
        let all: Vec<&Identity> = identities.everything(&commands).collect();
        let ready: Vec<&dyn age::Identity> = all.iter().filter_map(|identity| identity.open()).collect();
        match open(key, &ready) {
            Ok(found) => return Ok(found),
            Err(error) => failures.push((error, all.len())),
        }
    }
    let opens_anyway = |key: &WrappedKey<'_>| opens_alone(key, identities);
    let call = Call { plugins: identities.plugins(), others, opens_anyway: &opens_anyway };
    let commands: Vec<_> = keys.iter().flat_map(|key| identities.commands(key.recipient)).collect();
    let plugins: Vec<&PluginIdentity> =
        identities.everything(&commands).filter_map(Identity::plugin).collect();
    if let Some(found) = open_by_plugins(keys, &plugins, identities, &call, &mut failures) {
        return Ok(found);
    }
    if let Some(found) = open_locked(keys, identities, &call, &mut failures) {
        return Ok(found);
    }
    let refused = |(key, (error, tried)): (&WrappedKey<'_>, (KeyError, usize))| Refusal {
        key: key.recipient.to_owned(),
        reasons: vec![reason(&error, tried, &identities.loading_report(key.recipient))],
        problem: (error != KeyError::NotMine).then(|| error.to_string()),
    };
    Err(keys.iter().zip(failures).map(refused).collect())
}

/// True when `key` belongs to an identity that needs nobody.
fn opens_alone(key: &WrappedKey<'_>, identities: &Identities<'_>) -> bool {
    let ready = |identity: &Identity| identity.open().is_some() && belongs(key, identity);
    identities.native().any(ready) || (key.recipient.starts_with("ssh-") && identities.ssh().any(ready))
}

/// Has plugins open one of the keys; what they say of a key replaces its error.
fn open_by_plugins(
    keys: &[WrappedKey<'_>],
    plugins: &[&PluginIdentity],
    identities: &Identities<'_>,
    call: &Call<'_>,
    failures: &mut [(KeyError, usize)],
) -> Option<SecretBytes> {
    let reasons = match identities.rounds().open(keys, plugins, call) {
        Ok(found) => return Some(found),
        Err(reasons) => reasons,
    };
    for (key, failure) in keys.iter().zip(failures) {
        if let Some(reason) = reasons.get(key.enc).filter(|reason| **reason != KeyError::NotMine) {
            failure.0 = reason.clone();
        }
    }
    None
}

/// Asks for passphrases. `failures` has one error per key; a passphrase that
/// did not open its identity replaces it, as in sops.
fn open_locked(
    keys: &[WrappedKey<'_>],
    identities: &Identities<'_>,
    call: &Call<'_>,
    failures: &mut [(KeyError, usize)],
) -> Option<SecretBytes> {
    for (number, key) in keys.iter().enumerate() {
        let commands = identities.commands(key.recipient);
        for locked in identities.everything(&commands).filter(|identity| identity.is_locked()) {
            if locked.public().is_some() && !belongs(key, locked) {
                continue;
            }
            match locked.unlock(identities.prompt()) {
                Ok(unlocked) => {
                    let ready: Vec<&dyn age::Identity> = unlocked.iter().filter_map(Identity::open).collect();
                    let found = open_own(keys, unlocked).or_else(|| open(key, &ready).ok());
                    let plugins: Vec<&PluginIdentity> =
                        unlocked.iter().filter_map(Identity::plugin).collect();
                    let found = found.or_else(|| open_by_plugins(keys, &plugins, identities, call, failures));
                    if found.is_some() {
                        return found;
                    }
                }
                Err(reason) => failures[number].0 = KeyError::Damaged(reason.to_owned()),
            }
        }
    }
    None
}

/// The error of one key as sops words it, with what it says of the loading of
/// identities.
fn reason(error: &KeyError, identities: usize, loading: &str) -> String {
    const READER: &str = "failed to create reader for decrypting sops data key with age";
    match (error, identities) {
        (_, 0) => format!("failed to load age identities{loading}"),
        (KeyError::NotMine, 1) => {
            format!("{READER}: identity did not match any of the recipients: {error}{loading}")
        }
        (KeyError::NotMine, _) => format!("{READER}: no identity matched any of the recipients{loading}"),
        (KeyError::Tampered, _) => format!("failed to copy age decrypted data into bytes.Buffer: {error}"),
        (error, _) => format!("{READER}: {error}{loading}"),
    }
}

/// The recipients of the native identities in a file of identities: none if a
/// line of it is bad.
pub fn recipients_of(identity_file: &[u8]) -> Vec<String> {
    let identities = parse_identities(identity_file, false).unwrap_or_default();
    identities.iter().filter_map(Identity::public).map(str::to_owned).collect()
}

/// A new identity: the file that `age-keygen` would write, and its recipient.
#[derive(Debug)]
pub struct Generated {
    /// Three lines: time of creation, public key, secret key.
    pub file: SecretBytes,
    /// The public key, `age1…`.
    pub recipient: String,
}

/// Makes a new X25519 identity with the system's randomness. `created` is RFC
/// 3339, as `age-keygen` writes it.
pub fn generate(created: &str) -> Generated {
    let identity = age::x25519::Identity::generate();
    let recipient = identity.to_public().to_string();
    let secret = identity.to_string();
    let secret = secret.expose_secret();
    let mut file = Vec::with_capacity(created.len() + recipient.len() + secret.len() + 32);
    for part in ["# created: ", created, "\n# public key: ", &recipient, "\n", secret, "\n"] {
        file.extend_from_slice(part.as_bytes());
    }
    Generated { file: SecretBytes::new(file), recipient }
}

#[cfg(test)]
mod tests;
