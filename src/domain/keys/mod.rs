//! Master keys: what it means to wrap a data key for somebody and to unwrap it
//! again. This module holds the contract that every key source keeps, the words
//! of its errors, and the syntax of age recipients; the sources themselves are
//! adapters.
//!
//! The contract:
//!
//! - **wrap** takes recipients and the bytes to protect (a data key, or one
//!   Shamir share: a source never looks inside) and returns one text per
//!   recipient, in the same order, each made with fresh randomness of its own.
//!   It wraps for all of them or for none: one recipient that cannot be used is
//!   an error that names it.
//! - **unwrap** takes the wrapped keys of one group and finds the first that one
//!   of the user's identities opens. [`KeyError::NotMine`] means: this key and
//!   this identity do not belong together, try the next. [`KeyError::Damaged`]
//!   and [`KeyError::Tampered`] end the attempt on that key only. What fails for every key comes back as
//!   one [`Refusal`] a key, ready for [`report`].

pub mod access;
pub mod kinds;
pub mod low_order;
pub mod names;
pub mod report;
pub mod sources;
pub mod survey;

#[cfg(test)]
mod tests;

/// A data key (or share) as a file holds it: who can open it, and the sealed text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrappedKey<'a> {
    /// The key as the file spells it: the age recipient, SSH comment included, or
    /// what [`crate::domain::metadata::MasterKey::name`] says.
    pub recipient: &'a str,
    /// For age an armored age file (sops-compat 6.1), for PGP an armored message (7.1).
    pub enc: &'a str,
}

/// A [`WrappedKey`] with texts of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedKey {
    /// See [`WrappedKey::recipient`].
    pub recipient: String,
    /// See [`WrappedKey::enc`].
    pub enc: String,
}

impl SealedKey {
    /// The same, borrowed.
    pub fn as_wrapped(&self) -> WrappedKey<'_> {
        WrappedKey { recipient: &self.recipient, enc: &self.enc }
    }
}

/// Why one wrapped key could not be opened, in the words of sops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The key as it is shown to people: for age, its recipient.
    pub key: String,
    /// One text per attempt; at least one.
    pub reasons: Vec<String>,
    /// What stood in the way, in short, if it was more than that the key is
    /// nobody's here.
    pub problem: Option<String>,
}

/// What can go wrong with a master key. Recipients are public and may be shown;
/// nothing else of an input is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The text is no recipient of any known kind (sops-compat 6.1).
    #[error("failed to parse input, unknown recipient type: {}", go_quoted(.0))]
    UnknownRecipient(String),
    /// Begins like an age recipient, but does not decode to a public key.
    #[error(
        "failed to parse input as Bech32-encoded age public key: malformed recipient {}: {reason}",
        go_quoted(.recipient)
    )]
    MalformedRecipient {
        /// The recipient as given.
        recipient: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Begins like an SSH public key, but cannot be used as one.
    #[error(
        "failed to parse input as age-ssh public key: malformed SSH recipient: {}: {reason}",
        go_quoted(.recipient)
    )]
    MalformedSshRecipient {
        /// The recipient as given.
        recipient: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The sealing itself failed.
    #[error("failed to encrypt sops data key with age: {0}")]
    Sealing(String),
    /// Nothing could be wrapped for this key.
    #[error("failed to encrypt new data key with master key {}: {reason}", go_quoted(.key))]
    Refused {
        /// The key as it is shown to people.
        key: String,
        /// Why, perhaps in the words of another program.
        reason: String,
    },
    /// This key and this identity do not belong together: try the next.
    #[error("incorrect identity for recipient block")]
    NotMine,
    /// The identity fits, but what it opened was changed after it was sealed.
    #[error("failed to decrypt and authenticate payload chunk, file may be corrupted or tampered with")]
    Tampered,
    /// The wrapped key cannot be read, whoever tries.
    #[error("{0}")]
    Damaged(String),
}

/// The kinds of age recipient (sops-compat 6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecipientKind {
    /// `age1pq1…`: ML-KEM-768 with X25519.
    Hybrid,
    /// `age1tag1…`: P-256, opened by a plugin, wrapped without one.
    Tag,
    /// `age1tagpq1…`: the same with ML-KEM-768.
    TagHybrid,
    /// `age1NAME1…`: wrapped by the program `age-plugin-NAME`.
    Plugin,
    /// `age1…`.
    X25519,
    /// `ssh-ed25519 …` or `ssh-rsa …`, perhaps with a comment.
    Ssh,
}

/// Tells the kind of a recipient by its first characters, as sops does: the
/// table of sops-compat 6.1, in order, with the tagged recipients of age 1.3,
/// which sops leaves to plugins. Whether the rest decodes is checked when
/// something is wrapped for it.
pub fn recipient_kind(recipient: &str) -> Result<RecipientKind, KeyError> {
    if recipient.starts_with("age1pq1") {
        Ok(RecipientKind::Hybrid)
    } else if recipient.starts_with("age1tag1") {
        Ok(RecipientKind::Tag)
    } else if recipient.starts_with("age1tagpq1") {
        Ok(RecipientKind::TagHybrid)
    } else if let Some(rest) = recipient.strip_prefix("age1") {
        Ok(if rest.contains('1') { RecipientKind::Plugin } else { RecipientKind::X25519 })
    } else if recipient.starts_with("ssh-") {
        Ok(RecipientKind::Ssh)
    } else {
        Err(KeyError::UnknownRecipient(recipient.to_owned()))
    }
}

/// The NAME of `age1NAME1…`, whose program is `age-plugin-NAME`; `None` if it is
/// no plugin's recipient.
pub fn plugin_of_recipient(recipient: &str) -> Option<&str> {
    let (name, _) = recipient.strip_prefix("age1")?.rsplit_once('1')?;
    is_plugin_name(name).then_some(name)
}

/// The same of an identity `AGE-PLUGIN-NAME-1…`, in lower case.
pub fn plugin_of_identity(identity: &str) -> Option<String> {
    let (name, _) = identity.strip_prefix("AGE-PLUGIN-")?.rsplit_once("-1")?;
    let name = name.to_ascii_lowercase();
    is_plugin_name(&name).then_some(name)
}

/// The names that age allows: they become part of a program's name.
fn is_plugin_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.' | b'_');
    !name.is_empty() && name.bytes().all(allowed)
}

/// Splits a comma-separated list of recipients as sops does: each one trimmed
/// and of a known kind; an empty list has none, an empty element is an error.
pub fn split_recipients(list: &str) -> Result<Vec<&str>, KeyError> {
    if list.is_empty() {
        return Ok(Vec::new());
    }
    list.split(',')
        .map(|element| {
            let recipient = element.trim();
            recipient_kind(recipient).map(|_| recipient)
        })
        .collect()
}

/// True when an SSH recipient and a public key are the same key: type and key
/// text agree, whatever the comment says.
pub fn same_ssh_key(recipient: &str, public: &str) -> bool {
    let mut left = recipient.split_ascii_whitespace();
    let mut right = public.split_ascii_whitespace();
    match (left.next(), left.next(), right.next(), right.next()) {
        (Some(left_type), Some(left_key), Some(right_type), Some(right_key)) => {
            left_type == right_type && left_key.trim_end_matches('=') == right_key.trim_end_matches('=')
        }
        _ => false,
    }
}

/// `text` in double quotes as Go's `%q` writes it: control characters and
/// quotes escaped, so that nothing reaches a terminal raw.
pub fn go_quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\u{b}' => out.push_str("\\v"),
            c if (c as u32) < 0x20 || c as u32 == 0x7f => out.push_str(&format!("\\x{:02x}", c as u32)),
            c if invisible(c) && c as u32 <= 0xffff => out.push_str(&format!("\\u{:04x}", c as u32)),
            c if invisible(c) => out.push_str(&format!("\\U{:08x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Characters that Go does not print as they are: C1 controls, spaces other
/// than the ASCII one, zero-width and direction marks, private use.
fn invisible(c: char) -> bool {
    matches!(c as u32,
        0x80..=0xa0 | 0xad | 0x1680 | 0x2000..=0x200f | 0x2028..=0x202f | 0x205f..=0x206f
        | 0x3000 | 0xe000..=0xf8ff | 0xfeff | 0xfff0..=0xfffb | 0xe0000..=0x10_ffff)
}
