//! Why something was refused, in words that programs act on.

use std::fmt;

/// The code of a refusal: in the audit trail, and in the errors of `--json`. A code
/// keeps its meaning for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DenyCode {
    /// The policy cannot be read, or is not signed by somebody who may.
    PolicyInvalid,
    /// The policy is older than one seen before, or out of date.
    PolicyStale,
    /// The list of allowed signers is not the one that was trusted here.
    UntrustedSigners,
    /// Policy, manifest or audit trail of another repository.
    ForeignRepo,
    /// A file is not what the signed manifest says.
    ManifestMismatch,
    /// The policy does not allow it.
    NotAllowed,
    /// The policy allows it for as long as a lease says, and there is none.
    NoLease,
    /// A right was taken away.
    Revoked,
    /// The policy asks for a reason, and none was given.
    NoReason,
    /// No signing key, or one that is no principal's.
    NoSigner,
    /// It cannot be written down.
    AuditUnwritable,
    /// What was written down is not what it was.
    AuditMismatch,
}

impl DenyCode {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::PolicyInvalid,
        Self::PolicyStale,
        Self::UntrustedSigners,
        Self::ForeignRepo,
        Self::ManifestMismatch,
        Self::NotAllowed,
        Self::NoLease,
        Self::Revoked,
        Self::NoReason,
        Self::NoSigner,
        Self::AuditUnwritable,
        Self::AuditMismatch,
    ];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PolicyInvalid => "policy_invalid",
            Self::PolicyStale => "policy_stale",
            Self::UntrustedSigners => "untrusted_signers",
            Self::ForeignRepo => "foreign_repo",
            Self::ManifestMismatch => "manifest_mismatch",
            Self::NotAllowed => "not_allowed",
            Self::NoLease => "no_lease",
            Self::Revoked => "revoked",
            Self::NoReason => "no_reason",
            Self::NoSigner => "no_signer",
            Self::AuditUnwritable => "audit_unwritable",
            Self::AuditMismatch => "audit_mismatch",
        }
    }

    /// The code that is written so.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == text)
    }
}

impl fmt::Display for DenyCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::DenyCode;

    #[test]
    fn codes_read_back() {
        for code in DenyCode::ALL {
            assert_eq!(DenyCode::parse(code.as_str()), Some(code));
        }
        assert_eq!(DenyCode::parse("no"), None);
    }
}
