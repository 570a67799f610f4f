//! Whether a policy is too old: older than one that this machine has seen, or out of date.

use std::path::Path;

use super::refusal::refused;
use crate::app::error::Error;
use crate::domain::agent::denial::DenyCode;
use crate::domain::agent::policy::Policy;
use crate::domain::agent::trust::Mark;

/// Refuses an older policy than the one that was `seen`, and, unless it may be, one that
/// is out of date at `now` (RFC 3339, UTC).
///
/// # Errors
/// [`DenyCode::PolicyStale`].
pub fn check(
    path: &Path,
    (policy, digest): (&Policy, &str),
    seen: &Mark,
    now: &str,
    may_be_expired: bool,
) -> Result<(), Error> {
    let serial = policy.serial.unwrap_or_default();
    let stale = |cause: String, hint: &str| Err(refused(path, DenyCode::PolicyStale, cause, hint));
    if serial < seen.serial {
        let cause = format!("the policy has serial {serial}, and this machine has seen {}", seen.serial);
        let hint = "fetch the newer policy; where that was thrown away, an administrator signs this one anew: \
                    `leaflock policy sign --bump`";
        return stale(cause, hint);
    }
    if serial == seen.serial && digest != seen.policy {
        let cause = format!("this machine has seen another policy with serial {serial}");
        return stale(cause, "a changed policy needs a higher serial: `leaflock policy sign --bump`");
    }
    match expired(policy, now) {
        Some(cause) if !may_be_expired => stale(cause, RENEW),
        _ => Ok(()),
    }
}

/// What to do about a policy that is out of date.
pub const RENEW: &str =
    "an administrator sets valid_until to a later time and runs `leaflock policy sign --bump`";

/// That a policy is out of date at `now`, if it is.
pub fn expired(policy: &Policy, now: &str) -> Option<String> {
    let until = policy.valid_until.as_ref().filter(|until| now > until.as_str())?;
    Some(format!("the policy was valid until {until}"))
}
