//! The kinds of finding: a stable name each, how bad it is, what it says and what
//! to do about it. The manual explains the same table at more length.

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Probably not what was meant.
    Warning,
    /// A secret lies open, or a file cannot be trusted or opened.
    Error,
}

impl Severity {
    /// Its name in output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A creation rule wants the file encrypted.
    NotEncrypted,
    /// A value that is to be encrypted stands in clear.
    PlaintextValue,
    /// The same of a comment.
    PlaintextComment,
    /// No value of an encrypted file is encrypted.
    NothingEncrypted,
    /// Ciphertext where the rule leaves values in clear.
    UnselectedCiphertext,
    /// The file's own rule is not the creation rule's.
    RuleMismatch,
    /// A key that the rule does not list can read the file.
    UnlistedRecipient,
    /// A key that the rule lists cannot read it.
    MissingRecipient,
    /// The same keys in other groups.
    KeyGroupsDiffer,
    /// A token with impossible fields.
    MalformedCiphertext,
    /// One nonce, two ciphertexts.
    ReusedNonce,
    /// One ciphertext at two paths.
    CopiedCiphertext,
    /// A ciphertext that another path had before.
    MovedCiphertext,
    /// A ciphertext that was changed by hand.
    EditedCiphertext,
    /// A wrapped data key that cannot be for its recipient.
    MalformedStanza,
    /// One wrapped data key for two recipients.
    CopiedStanza,
    /// No MAC, or none that can be one.
    BadMac,
    /// No seal, where there must be one or was one.
    MissingSeal,
    /// Two selection rules in one file.
    TwoRules,
    /// The `sops` block cannot be understood.
    BrokenMetadata,
    /// Ciphertext without a `sops` block.
    MissingMetadata,
    /// An encrypted file that cannot be read.
    Unreadable,
    /// An unfinished merge in an encrypted file.
    MergeConflict,
    /// An age identity in clear.
    AgeIdentity,
    /// A private key in clear.
    PrivateKey,
    /// A token of a known service in clear.
    AccessToken,
    /// A plain copy of an encrypted file.
    DecryptedLeftover,
    /// A `.sops.yaml` that cannot be read, or a pattern in it that does not compile.
    BrokenConfig,
    /// A creation rule that never applies.
    UnreachableRule,
    /// A key of `.sops.yaml` that means nothing.
    UnknownConfigKey,
    /// A line of the file of reviewed findings that cannot be understood.
    BadIgnore,
    /// A line of it that silences nothing.
    StaleIgnore,
    /// Verified with a key: a value does not open.
    UndecryptableValue,
    /// Verified with a key: the MAC is one of other values.
    MacMismatch,
    /// Verified with a key: the seal is one of another state.
    BrokenSeal,
    /// A signature that does not fit or does not count, or none where one is wanted.
    BadSignature,
    /// A file of an agent's that the manifest does not list as it is.
    UnlistedDerivedFile,
}

/// A kind, in words.
struct Row {
    kind: Kind,
    id: &'static str,
    severity: Severity,
    title: &'static str,
    advice: &'static str,
}

const fn row(
    kind: Kind,
    id: &'static str,
    severity: Severity,
    title: &'static str,
    advice: &'static str,
) -> Row {
    Row { kind, id, severity, title, advice }
}

impl Kind {
    /// All of them, in the order of the manual.
    pub const ALL: [Self; TABLE.len()] = {
        let mut all = [Self::NotEncrypted; TABLE.len()];
        let mut at = 0;
        while at < all.len() {
            all[at] = TABLE[at].kind;
            at += 1;
        }
        all
    };

    /// Its stable name.
    pub fn id(self) -> &'static str {
        self.row().id
    }

    /// The kind of that name.
    pub fn of_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.id() == id)
    }

    /// How bad it is.
    pub fn severity(self) -> Severity {
        self.row().severity
    }

    /// What it is, in a sentence.
    pub fn title(self) -> &'static str {
        self.row().title
    }

    /// What to do about it, in a sentence.
    pub fn advice(self) -> &'static str {
        self.row().advice
    }

    fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }
}

/// Every kind in the order of its declaration.
const TABLE: [Row; 37] = [
    row(
        Kind::NotEncrypted,
        "not-encrypted",
        Severity::Error,
        "A file that a creation rule is for is not encrypted",
        "`leaflock encrypt -i FILE`; if it was committed or shared before, change what it holds",
    ),
    row(
        Kind::PlaintextValue,
        "plaintext-value",
        Severity::Error,
        "A value that a rule selects stands in clear in an encrypted file",
        "change the secret where it is used, then `leaflock set FILE INDEX --value-stdin` writes the new one encrypted",
    ),
    row(
        Kind::PlaintextComment,
        "plaintext-comment",
        Severity::Warning,
        "A comment that the rule selects stands in clear in an encrypted file",
        "`leaflock edit FILE` encrypts it with the next change; take out what it should not say",
    ),
    row(
        Kind::NothingEncrypted,
        "nothing-encrypted",
        Severity::Error,
        "The rule of an encrypted file selects none of its values: all of them stand in clear",
        "`leaflock config explain FILE` shows what the rule selects; correct it, then decrypt and encrypt the file anew",
    ),
    row(
        Kind::UnselectedCiphertext,
        "unselected-ciphertext",
        Severity::Error,
        "A value is encrypted, but the rule of the file leaves it in clear: it will not be decrypted",
        "move the value to a key that the rule selects, or `leaflock set` it anew",
    ),
    row(
        Kind::RuleMismatch,
        "rule-mismatch",
        Severity::Warning,
        "A file was encrypted under another selection rule than the creation rule has",
        "decrypt the file and encrypt it anew, so that it follows the rule; or correct the rule",
    ),
    row(
        Kind::UnlistedRecipient,
        "unlisted-recipient",
        Severity::Error,
        "A recipient of the file is not in its creation rule",
        "`leaflock updatekeys FILE` takes it away; or add it to the rule in .sops.yaml",
    ),
    row(
        Kind::MissingRecipient,
        "missing-recipient",
        Severity::Error,
        "A recipient of the creation rule cannot read the file",
        "`leaflock updatekeys FILE` gives it access; or take it out of the rule in .sops.yaml",
    ),
    row(
        Kind::KeyGroupsDiffer,
        "key-groups-differ",
        Severity::Error,
        "The key groups of the file, or how many of them are needed, are not the creation rule's",
        "`leaflock updatekeys FILE` regroups its keys",
    ),
    row(
        Kind::MalformedCiphertext,
        "malformed-ciphertext",
        Severity::Error,
        "A token was damaged: it cannot be decrypted by anybody",
        "restore the line from git, or `leaflock set` the value anew",
    ),
    row(
        Kind::ReusedNonce,
        "reused-nonce",
        Severity::Error,
        "Two ciphertexts have one nonce: one of them was edited, or put together from pieces",
        "restore the file from git; if the writer of the file made it, `leaflock rotate -i FILE`",
    ),
    row(
        Kind::CopiedCiphertext,
        "copied-ciphertext",
        Severity::Error,
        "One ciphertext stands at two key paths: only at one of them does it decrypt",
        "restore the file from git, or `leaflock set` the copy to the value that it should have",
    ),
    row(
        Kind::MovedCiphertext,
        "moved-ciphertext",
        Severity::Error,
        "A ciphertext stands at another key path than in the last commit, where it does not decrypt",
        "restore the lines from git; values are moved with `leaflock edit`",
    ),
    row(
        Kind::EditedCiphertext,
        "edited-ciphertext",
        Severity::Error,
        "A ciphertext was changed since the last commit, but not by encrypting: its nonce is the old one",
        "restore the line from git, or `leaflock set` the value anew",
    ),
    row(
        Kind::MalformedStanza,
        "malformed-stanza",
        Severity::Error,
        "A wrapped data key is none, or cannot be for the recipient that it stands with",
        "`leaflock rotate -i FILE` wraps a new data key for all recipients; restore the file from git if nobody can open it",
    ),
    row(
        Kind::CopiedStanza,
        "copied-stanza",
        Severity::Error,
        "Two recipients have the same wrapped data key, which only one of them can open",
        "`leaflock rotate -i FILE` wraps a new data key for all recipients",
    ),
    row(
        Kind::BadMac,
        "bad-mac",
        Severity::Error,
        "The file has no MAC, or none that can be one: nobody can tell whether it was changed",
        "restore the file from git; `leaflock decrypt --ignore-mac` shows what it holds",
    ),
    row(
        Kind::MissingSeal,
        "missing-seal",
        Severity::Error,
        "A file has no seal, though the settings or the user ask for one or the last commit has it with one",
        "`leaflock seal FILE` shows what changed since the file was sealed, asks, and seals it again",
    ),
    row(
        Kind::TwoRules,
        "two-rules",
        Severity::Error,
        "The metadata of a file has two selection rules, or its documents have different ones",
        "keep the rule that the values were encrypted under, as after a merge that took both",
    ),
    row(
        Kind::BrokenMetadata,
        "broken-metadata",
        Severity::Error,
        "The sops block of a file cannot be understood",
        "restore the block from git",
    ),
    row(
        Kind::MissingMetadata,
        "missing-metadata",
        Severity::Error,
        "A file holds ciphertext, but no sops block: it cannot be decrypted",
        "restore the block from git",
    ),
    row(
        Kind::Unreadable,
        "unreadable",
        Severity::Error,
        "An encrypted file does not follow its format",
        "correct that line, or restore the file from git",
    ),
    row(
        Kind::MergeConflict,
        "merge-conflict",
        Severity::Error,
        "An encrypted file holds the marks of an unfinished merge",
        "choose one side (`git checkout --ours FILE`) and make the other side's changes with `leaflock edit`",
    ),
    row(
        Kind::AgeIdentity,
        "age-identity",
        Severity::Error,
        "An age identity lies in clear: whoever reads it can decrypt",
        "take it out of the file and of its history, and `leaflock revoke` its recipient",
    ),
    row(
        Kind::PrivateKey,
        "private-key",
        Severity::Error,
        "A private key lies in clear",
        "take it out of the file and of its history, and replace the key wherever it is used",
    ),
    row(
        Kind::AccessToken,
        "access-token",
        Severity::Error,
        "A token that opens a known service lies in clear",
        "revoke the token at the service, and keep the new one in an encrypted file",
    ),
    row(
        Kind::DecryptedLeftover,
        "decrypted-leftover",
        Severity::Error,
        "A plain copy of an encrypted file lies beside it",
        "remove it, and add its name to .gitignore; if it was committed, change what it holds",
    ),
    row(
        Kind::BrokenConfig,
        "broken-config",
        Severity::Error,
        "A .sops.yaml cannot be understood: no file can be compared with its rules",
        "correct that line; .sops.yaml.example shows every kind of rule",
    ),
    row(
        Kind::UnreachableRule,
        "unreachable-rule",
        Severity::Warning,
        "A creation rule stands behind one that takes every file, so it never applies",
        "move the rule up, above the one without path_regex",
    ),
    row(
        Kind::UnknownConfigKey,
        "unknown-config-key",
        Severity::Warning,
        "A key of .sops.yaml means nothing: probably a typing error",
        "correct the key, or remove it",
    ),
    row(
        Kind::BadIgnore,
        "bad-ignore",
        Severity::Error,
        "A line of .leaflock/check-ignore cannot be understood, or gives no reason",
        "write `ID FILE # REASON`, with `:LINE` or a key path behind the file where the finding has one",
    ),
    row(
        Kind::StaleIgnore,
        "stale-ignore",
        Severity::Warning,
        "A line of .leaflock/check-ignore silences nothing any more",
        "remove the line",
    ),
    row(
        Kind::UndecryptableValue,
        "undecryptable-value",
        Severity::Error,
        "A value does not open under the data key of its file: it was edited, moved or swapped",
        "restore the line from git, or `leaflock set` the value anew",
    ),
    row(
        Kind::MacMismatch,
        "mac-mismatch",
        Severity::Error,
        "The MAC of a file is one of other values: it was changed by somebody without a key",
        "compare it with the last commit; `leaflock edit --ignore-mac FILE` accepts the change",
    ),
    row(
        Kind::BrokenSeal,
        "broken-seal",
        Severity::Error,
        "The seal of a file does not fit: it was changed by somebody without a key, or by hand",
        "`leaflock seal FILE` shows what changed, asks, and seals it again; or restore it from git",
    ),
    row(
        Kind::BadSignature,
        "bad-signature",
        Severity::Error,
        "The signature of a file does not fit or does not count, or is not there and must be",
        "compare it with the last commit; `leaflock seal --sign FILE` signs it",
    ),
    row(
        Kind::UnlistedDerivedFile,
        "unlisted-derived-file",
        Severity::Error,
        "A file of an agent's is not the one that the manifest lists",
        "`leaflock agent sync --check` tells what is out of date, `leaflock agent sync` makes it anew",
    ),
];
