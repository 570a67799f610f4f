//! The system's time: RFC 3339, UTC, in whole seconds as SOPS writes it, or in
//! milliseconds.
#![expect(clippy::disallowed_methods, reason = "the home of the system's time")]

use std::time::{SystemTime, UNIX_EPOCH};

use crate::app::ports::Clock;

/// Seconds of a day.
const DAY: u64 = 86_400;

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> String {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        rfc3339(since.as_secs())
    }

    fn now_exact(&self) -> String {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let seconds = rfc3339(since.as_secs());
        format!("{}.{:03}Z", seconds.trim_end_matches('Z'), since.subsec_millis())
    }
}

/// Seconds since 1970 as `2026-11-22T01:04:56Z`. Years beyond 9999 are written as
/// 9999, which RFC 3339 ends with.
pub fn rfc3339(seconds: u64) -> String {
    let seconds = seconds.min(253_402_300_799);
    let (year, month, day) = civil(seconds / DAY);
    let rest = seconds % DAY;
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Year, month and day of a day counted from 1970-01-01. Years are counted from
/// March, so that the leap day is the last of its year; 400 years are 146,097 days.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers of GNU `date -u -d @N +%FT%TZ`.
    #[test]
    fn matches_gnu_date() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_709_164_800, "2024-02-29T00:00:00Z"),
            (1_795_309_496, "2026-11-22T01:04:56Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
            (u64::MAX, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(rfc3339(seconds), text);
        }
    }

    #[test]
    fn every_day_follows_the_last() {
        let mut last = (1970, 1, 1);
        for day in 1..300_000 {
            let (year, month, of_month) = civil(day);
            let next_day = (year, month, of_month) == (last.0, last.1, last.2 + 1);
            let next_month = of_month == 1 && (28..=31).contains(&last.2);
            assert!(next_day || next_month, "day {day}: {last:?} then {year}-{month}-{of_month}");
            last = (year, month, of_month);
        }
    }
}
