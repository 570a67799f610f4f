//! What the report takes from an entry of the audit trail.

use super::super::place;
use crate::domain::scalar::Timestamp;

/// How an access ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// It was done, or was about to be.
    Done,
    /// It was not allowed.
    Denied,
    /// It did not work.
    Failed,
}

impl End {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Denied => "denied",
            Self::Failed => "failed",
        }
    }
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When: RFC 3339, UTC.
    pub time: String,
    /// The principal; `None` if the policy could not tell.
    pub who: Option<String>,
    /// True where `who` is somebody that the signer says to act for.
    pub asserted: bool,
    /// What was done, by its word.
    pub action: &'static str,
    /// The kind of access, by its word; `None` if it was none.
    pub access: Option<&'static str>,
    /// The file, from the folder of the policy.
    pub file: Option<String>,
    /// The paths of the secrets; none is the whole file.
    pub paths: Vec<String>,
    /// How it ended.
    pub end: End,
    /// Why it was denied.
    pub code: Option<&'static str>,
    /// Why it was asked for.
    pub reason: Option<String>,
    /// The program that got values.
    pub program: Option<String>,
    /// How far the actor was shut in.
    pub isolation: u8,
    /// The chain.
    pub writer: String,
    /// The number in the chain.
    pub seq: u64,
}

impl Event {
    /// The source that it is about: a file of an agent is one of a source.
    pub fn source(&self) -> Option<&str> {
        let file = self.file.as_deref()?;
        let own = self.who.as_deref().and_then(|who| place::made_for(file, who));
        Some(own.unwrap_or(file))
    }

    /// True if it is about the secret of this shown path in that source.
    pub fn touches(&self, source: &str, path: &str) -> bool {
        self.source() == Some(source)
            && (self.paths.is_empty()
                || self.paths.iter().any(|own| {
                    path.strip_prefix(own.as_str())
                        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.') || rest.starts_with('['))
                }))
    }

    /// Seconds since 1970; `None` for a time that is none.
    pub fn seconds(&self) -> Option<i64> {
        seconds_of(&self.time)
    }
}

/// Seconds since 1970 of an RFC 3339 time.
pub fn seconds_of(time: &str) -> Option<i64> {
    let time = Timestamp::parse_rfc3339(time.as_bytes())?;
    // Days since 1970-03-01 minus 31 and 28: years begin in March, so that the leap
    // day is their last.
    let (year, month) = (i64::from(time.year), i64::from(time.month));
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year.div_euclid(4) - year.div_euclid(100)
        + year.div_euclid(400)
        + (month * 153 + 2) / 5
        + i64::from(time.day)
        - 719_469;
    let seconds = i64::from(time.hour) * 3600 + i64::from(time.minute) * 60 + i64::from(time.second);
    Some(days * 86_400 + seconds - i64::from(time.offset) * 60)
}

/// `2026-11-22 01:02`, of seconds since 1970.
pub fn shown_time(seconds: i64) -> String {
    let (days, rest) = (seconds.div_euclid(86_400) + 719_468, seconds.rem_euclid(86_400));
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}", rest / 3600, rest % 3600 / 60)
}

#[cfg(test)]
mod tests {
    use super::{seconds_of, shown_time};

    #[test]
    fn seconds_are_those_of_the_calendar() {
        // By `date -u -d … +%s`.
        for (time, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:00:00Z", 951_825_600),
            ("2026-11-22T01:02:03.456Z", 1_795_309_323),
            ("2100-03-01T00:00:00Z", 4_107_542_400),
            ("2026-11-22T01:02:03+01:00", 1_795_305_723),
        ] {
            assert_eq!(seconds_of(time), Some(seconds), "{time}");
        }
        assert_eq!(shown_time(951_825_600), "2000-02-29 12:00");
        assert_eq!(shown_time(4_107_542_400), "2100-03-01 00:00");
        assert_eq!(shown_time(1_795_309_323), "2026-11-22 01:02");
        assert_eq!(seconds_of("yesterday"), None);
    }

    #[test]
    fn every_day_reads_back() {
        for day in 0..60_000 {
            let shown = shown_time(day * 86_400);
            assert_eq!(seconds_of(&format!("{}T00:00:00Z", &shown[..10])), Some(day * 86_400), "{shown}");
        }
    }
}
