//! Which values are encrypted: the six rules of SOPS and `mac_only_encrypted`
//! (sops-compat 1.3), as they stand in metadata, in `.sops.yaml` and on the
//! command line. How they are applied to a tree is in `walk`.

mod memo;
mod walk;

pub use walk::{Below, Stage};

use super::go_regex::{GoRegex, PatternError};
use super::scalar::Scalar;
use super::value::Value;

#[cfg(test)]
mod tests;

/// The suffix that SOPS assumes where no rule is set.
pub const DEFAULT_SUFFIX: &str = "_unencrypted";

/// The name of the setting beside the rules.
pub const MAC_ONLY_ENCRYPTED: &str = "mac_only_encrypted";

/// The rules, of which a file has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleKind {
    /// All but what is below a key with that end.
    UnencryptedSuffix,
    /// What is below a key with that end.
    EncryptedSuffix,
    /// All but what is below a key that matches.
    UnencryptedRegex,
    /// What is below a key that matches.
    EncryptedRegex,
    /// All but what a comment that matches governs.
    UnencryptedCommentRegex,
    /// What a comment that matches governs.
    EncryptedCommentRegex,
}

impl RuleKind {
    /// All of them, in the order of SOPS's metadata.
    pub const ALL: [Self; 6] = [
        Self::UnencryptedSuffix,
        Self::EncryptedSuffix,
        Self::UnencryptedRegex,
        Self::EncryptedRegex,
        Self::UnencryptedCommentRegex,
        Self::EncryptedCommentRegex,
    ];

    /// Its name in metadata and in `.sops.yaml`.
    pub fn name(self) -> &'static str {
        match self {
            Self::UnencryptedSuffix => "unencrypted_suffix",
            Self::EncryptedSuffix => "encrypted_suffix",
            Self::UnencryptedRegex => "unencrypted_regex",
            Self::EncryptedRegex => "encrypted_regex",
            Self::UnencryptedCommentRegex => "unencrypted_comment_regex",
            Self::EncryptedCommentRegex => "encrypted_comment_regex",
        }
    }

    /// True for the rules that pick out what is encrypted, false for those that
    /// pick out what is not.
    pub fn picks_encrypted(self) -> bool {
        matches!(self, Self::EncryptedSuffix | Self::EncryptedRegex | Self::EncryptedCommentRegex)
    }

    /// True for the rules about comments.
    pub fn reads_comments(self) -> bool {
        matches!(self, Self::UnencryptedCommentRegex | Self::EncryptedCommentRegex)
    }

    fn is_suffix(self) -> bool {
        matches!(self, Self::UnencryptedSuffix | Self::EncryptedSuffix)
    }
}

/// Why settings make no selection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    /// More than one rule is set (SOPS's text without its `Error: `, exit 8).
    #[error("cannot use more than one of {} in the same file", RULE_NAMES)]
    Several,
    /// More than one rule is set in a file's metadata (exit 1).
    #[error("Cannot use more than one of {} in the same file", RULE_NAMES)]
    SeveralInFile,
    /// The rule's pattern does not compile; SOPS takes it as one that never matches.
    #[error("{} does not compile: {error}", rule.name())]
    Pattern {
        /// The rule.
        rule: RuleKind,
        /// Go's complaint.
        error: PatternError,
    },
    /// A field of the metadata has another type than SOPS gives it.
    #[error("'{0}' in the metadata has the wrong type")]
    Type(&'static str),
}

/// The rules as SOPS lists them in its messages.
pub const RULE_NAMES: &str = "encrypted_suffix, unencrypted_suffix, encrypted_regex, unencrypted_regex, \
                              encrypted_comment_regex, or unencrypted_comment_regex";

/// The settings as somebody wrote them: not yet checked. A rule with an empty
/// text is one that is not set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    rules: [String; 6],
    /// The MAC covers encrypted values only.
    pub mac_only_encrypted: bool,
}

impl Settings {
    /// The text of a rule; empty when it is not set.
    pub fn rule(&self, kind: RuleKind) -> &str {
        &self.rules[kind as usize]
    }

    /// Sets a rule, or clears it with an empty text.
    pub fn set_rule(&mut self, kind: RuleKind, text: impl Into<String>) {
        self.rules[kind as usize] = text.into();
    }

    /// The rules that are set.
    pub fn chosen(&self) -> impl Iterator<Item = (RuleKind, &str)> {
        RuleKind::ALL.into_iter().map(|kind| (kind, self.rule(kind))).filter(|(_, text)| !text.is_empty())
    }

    /// These settings with SOPS's default rule if none is set.
    pub fn or_default(mut self) -> Self {
        if self.chosen().next().is_none() {
            self.set_rule(RuleKind::UnencryptedSuffix, DEFAULT_SUFFIX);
        }
        self
    }

    /// These settings overridden by `other`, rule by rule, as SOPS lays flags over
    /// a creation rule (sops-compat 9.5): two different rules remain a clash.
    pub fn overridden(mut self, other: &Self) -> Self {
        for (kind, text) in other.chosen() {
            self.set_rule(kind, text);
        }
        self.mac_only_encrypted |= other.mac_only_encrypted;
        self
    }

    /// The settings in `sops` metadata, the default rule included. Unknown fields are
    /// not looked at; `mac_only_encrypted` may be a text, as dotenv and INI have it.
    pub fn from_metadata(metadata: &Value) -> Result<Self, SelectError> {
        let mut settings = Self::default();
        for kind in RuleKind::ALL {
            match metadata.get(kind.name()) {
                None | Some(Value::Scalar(Scalar::Null)) => {}
                Some(Value::Scalar(Scalar::Str(text))) => {
                    let text = std::str::from_utf8(text).map_err(|_| SelectError::Type(kind.name()))?;
                    settings.set_rule(kind, text);
                }
                Some(_) => return Err(SelectError::Type(kind.name())),
            }
        }
        settings.mac_only_encrypted = match metadata.get(MAC_ONLY_ENCRYPTED) {
            None | Some(Value::Scalar(Scalar::Null)) => false,
            Some(Value::Scalar(Scalar::Bool(only))) => *only,
            Some(Value::Scalar(Scalar::Str(text))) => match Scalar::parse("bool", text) {
                Ok(Scalar::Bool(only)) => only,
                _ => return Err(SelectError::Type(MAC_ONLY_ENCRYPTED)),
            },
            Some(_) => return Err(SelectError::Type(MAC_ONLY_ENCRYPTED)),
        };
        Ok(settings.or_default())
    }

    /// The fields of these settings for `sops` metadata, in SOPS's order.
    pub fn to_metadata(&self) -> Vec<(String, Value)> {
        let mut fields: Vec<_> =
            self.chosen().map(|(kind, text)| (kind.name().to_owned(), Value::text(text))).collect();
        if self.mac_only_encrypted {
            fields.push((MAC_ONLY_ENCRYPTED.to_owned(), Value::Scalar(Scalar::Bool(true))));
        }
        fields
    }
}

/// What a rule compares a key or comment with.
#[derive(Clone, Debug)]
enum Matcher {
    Suffix(Vec<u8>),
    Regex(GoRegex),
    /// A pattern that does not compile, as SOPS takes it.
    Never,
}

impl Matcher {
    fn is_match(&self, text: &[u8]) -> bool {
        match self {
            Self::Suffix(suffix) => text.ends_with(suffix),
            Self::Regex(regex) => regex.is_match(text),
            Self::Never => false,
        }
    }
}

/// Checked settings, ready to be applied.
#[derive(Clone, Debug)]
pub struct Selection {
    settings: Settings,
    rule: Option<(RuleKind, Matcher)>,
    broken: Option<PatternError>,
}

impl Selection {
    /// Everything is encrypted: a binary file, which has no rule.
    pub fn everything() -> Self {
        Self { settings: Settings::default(), rule: None, broken: None }
    }

    /// The selection of `settings`. Without a rule, everything is encrypted: see
    /// [`Settings::or_default`]. Two rules or a pattern that does not compile
    /// are errors.
    pub fn new(settings: Settings) -> Result<Self, SelectError> {
        Self::build(settings, |rule, error| Err(SelectError::Pattern { rule, error }))
    }

    /// The selection by which an encrypted file was written. A pattern that does not
    /// compile never matches, as in SOPS, so that what SOPS wrote can be read: see
    /// [`Selection::broken`].
    pub fn from_metadata(metadata: &Value) -> Result<Self, SelectError> {
        let mut complaint = None;
        let built = Self::build(Settings::from_metadata(metadata)?, |_, error| {
            complaint = Some(error);
            Ok(Matcher::Never)
        });
        match built {
            Ok(selection) => Ok(Self { broken: complaint, ..selection }),
            Err(SelectError::Several) => Err(SelectError::SeveralInFile),
            Err(error) => Err(error),
        }
    }

    /// The rule's fields for `sops` metadata.
    pub fn to_metadata(&self) -> Vec<(String, Value)> {
        self.settings.to_metadata()
    }

    /// Why the pattern of an existing file does not compile.
    pub fn broken(&self) -> Option<&PatternError> {
        self.broken.as_ref()
    }

    fn build(
        settings: Settings,
        broken: impl FnOnce(RuleKind, PatternError) -> Result<Matcher, SelectError>,
    ) -> Result<Self, SelectError> {
        let mut chosen = settings.chosen();
        let rule = match (chosen.next(), chosen.next()) {
            (_, Some(_)) => return Err(SelectError::Several),
            (None, None) => None,
            (Some((kind, text)), None) if kind.is_suffix() => {
                Some((kind, Matcher::Suffix(text.as_bytes().to_vec())))
            }
            (Some((kind, text)), None) => match GoRegex::new(text) {
                Ok(regex) => Some((kind, Matcher::Regex(regex))),
                Err(error) => Some((kind, broken(kind, error)?)),
            },
        };
        drop(chosen);
        Ok(Self { settings, rule, broken: None })
    }

    /// The settings it was made from.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// True when the MAC covers encrypted values only.
    pub fn mac_only_encrypted(&self) -> bool {
        self.settings.mac_only_encrypted
    }

    /// The rule that decides; `None` when everything is encrypted.
    pub fn kind(&self) -> Option<RuleKind> {
        self.rule.as_ref().map(|(kind, _)| *kind)
    }

    /// True when the encrypted comment `token` would be taken for a marker on
    /// decryption, which then leaves in cipher what it governs: encryption must stop
    /// (exit 23) with [`Selection::refusal`].
    pub fn refuses_comment(&self, token: &[u8]) -> bool {
        match &self.rule {
            Some((RuleKind::UnencryptedCommentRegex, matcher)) => matcher.is_match(token),
            _ => false,
        }
    }

    /// SOPS's text for [`Selection::refuses_comment`].
    pub fn refusal(token: &str) -> String {
        format!(
            "Encrypted comment \"{token}\" matches UnencryptedCommentRegex! Make sure that \
             UnencryptedCommentRegex cannot match an encrypted comment."
        )
    }

    /// The rule and what it selects, for error texts.
    pub fn describe(&self) -> String {
        let Some((kind, _)) = &self.rule else { return "no rule: every value is encrypted".to_owned() };
        let what = match kind {
            RuleKind::UnencryptedSuffix => "every value except those below a key that ends in it",
            RuleKind::EncryptedSuffix => "the values below keys that end in it",
            RuleKind::UnencryptedRegex => "every value except those below a key that it matches",
            RuleKind::EncryptedRegex => "the values below keys that it matches",
            RuleKind::UnencryptedCommentRegex => "every value except those behind a comment that it matches",
            RuleKind::EncryptedCommentRegex => "the values behind comments that it matches",
        };
        format!("{} '{}' selects {what}", kind.name(), self.settings.rule(*kind))
    }
}
