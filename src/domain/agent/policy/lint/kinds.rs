//! The kinds of finding and how bad they are.

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing works, or not as it is written.
    Error,
    /// Probably not what was meant.
    Warning,
    /// Good to know.
    Note,
}

impl Severity {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $name:ident $id:literal $severity:ident,)*) => {
        /// What a finding is about.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum LintKind {
            $($(#[doc = $doc])+ $name,)*
        }

        impl LintKind {
            /// All kinds.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Its name, which stays.
            pub fn id(self) -> &'static str {
                match self { $(Self::$name => $id,)* }
            }

            /// How bad it is.
            pub fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)* }
            }
        }
    };
}

kinds! {
    /// The policy cannot be read.
    Unreadable "unreadable" Error,
    /// `valid_until` is over.
    Expired "expired" Error,
    /// A key is missing without which a policy cannot be signed.
    Unsignable "unsignable" Warning,
    /// There is no `valid_until`.
    NoExpiry "no-expiry" Warning,
    /// Somebody is granted secrets and has no key.
    NoIdentity "no-identity" Warning,
    /// Everything, or production, is granted to everybody.
    TooWide "too-wide" Warning,
    /// A source that no human can open.
    NoPerson "no-person" Warning,
    /// A path or a file that no source has.
    MatchesNothing "matches-nothing" Warning,
    /// A name or a pattern that is nobody's.
    MatchesNobody "matches-nobody" Warning,
    /// A right to use without a broker that could.
    NoBroker "no-broker" Warning,
    /// A right to run that nothing can be compiled for.
    ExecUnavailable "exec-unavailable" Warning,
    /// A rule of which denials leave nothing.
    DeniedAway "denied-away" Warning,
    /// `audit: false`.
    AuditOff "audit-off" Warning,
    /// A right that needs a lease, which this build does not give.
    LeaseUnavailable "lease-unavailable" Note,
    /// A right of a kind that no command uses.
    NotUsed "not-used" Note,
    /// A group that nothing names.
    UnusedGroup "unused-group" Note,
    /// A principal that nothing is granted to.
    NeverGranted "never-granted" Note,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::LintKind;

    #[test]
    fn names_are_told_apart() {
        let names: BTreeSet<&str> = LintKind::ALL.iter().map(|kind| kind.id()).collect();
        assert_eq!(names.len(), LintKind::ALL.len());
    }
}
