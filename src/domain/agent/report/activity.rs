//! Who did reach what, and when: the entries of the audit trail, newest first, and for
//! each principal how much it did over time.

use std::collections::BTreeMap;

use super::event::{End, Event, seconds_of};

/// So many bars a principal has at most.
const BARS: i64 = 60;

/// How long a bar may be, in seconds, and how that is said.
const WIDTHS: &[(i64, &str)] = &[
    (60, "one minute"),
    (300, "five minutes"),
    (900, "a quarter of an hour"),
    (3600, "one hour"),
    (21_600, "six hours"),
    (86_400, "one day"),
    (604_800, "one week"),
    (2_419_200, "four weeks"),
    (31_449_600, "52 weeks"),
];

/// So many entries are listed; of more, the newest.
pub const LISTED: usize = 1000;

/// What happened in the time of a bar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bar {
    /// Entries that ended well.
    pub done: usize,
    /// Denials.
    pub denied: usize,
    /// Failures.
    pub failed: usize,
}

impl Bar {
    /// All of them.
    pub fn all(self) -> usize {
        self.done + self.denied + self.failed
    }

    fn count(&mut self, end: End) {
        match end {
            End::Done => self.done += 1,
            End::Denied => self.denied += 1,
            End::Failed => self.failed += 1,
        }
    }
}

/// One principal over time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    /// Its name; `None` for entries of somebody that the policy could not tell.
    pub who: Option<String>,
    /// How much it did.
    pub total: Bar,
    /// When it did something last.
    pub last: String,
    /// How much it did in each span of time.
    pub bars: Vec<Bar>,
}

/// All that happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// Each principal that did something, by name.
    pub lanes: Vec<Lane>,
    /// Seconds since 1970 at which the first bar begins.
    pub start: i64,
    /// Seconds that each bar is long.
    pub width: i64,
    /// The same in words.
    pub width_name: &'static str,
    /// The newest [`LISTED`] entries, newest first.
    pub listed: Vec<Event>,
    /// How much happened in all.
    pub total: Bar,
    /// The time of the oldest entry.
    pub first: Option<String>,
}

impl Activity {
    /// Sums up `events`. What programs did when they ended is no access of its own.
    pub fn of(mut events: Vec<Event>, made: &str) -> Self {
        events.sort_by(|a, b| (&b.time, &b.writer, b.seq).cmp(&(&a.time, &a.writer, a.seq)));
        let first = events.last().map(|event| event.time.clone());
        let now = seconds_of(made);
        let oldest = events.iter().filter_map(Event::seconds).min().or(now).unwrap_or(0);
        let newest = events.iter().filter_map(Event::seconds).chain(now).max().unwrap_or(oldest);
        let (width, width_name) = WIDTHS
            .iter()
            .copied()
            .find(|(width, _)| (newest - oldest) / width < BARS - 1)
            .unwrap_or(WIDTHS[WIDTHS.len() - 1]);
        let mut activity = Self { width, width_name, first, ..Self::default() };
        if events.is_empty() {
            return activity;
        }
        activity.start = oldest.div_euclid(width) * width;
        let count = usize::try_from((newest - activity.start) / width + 1).unwrap_or(1);
        let mut lanes: BTreeMap<Option<&str>, Lane> = BTreeMap::new();
        for event in &events {
            activity.total.count(event.end);
            let lane = lanes.entry(event.who.as_deref()).or_insert_with(|| Lane {
                who: event.who.clone(),
                total: Bar::default(),
                last: event.time.clone(),
                bars: vec![Bar::default(); count],
            });
            lane.total.count(event.end);
            let at = event.seconds().and_then(|time| usize::try_from((time - activity.start) / width).ok());
            if let Some(bar) = at.and_then(|at| lane.bars.get_mut(at)) {
                bar.count(event.end);
            }
        }
        activity.lanes = lanes.into_values().collect();
        events.truncate(LISTED);
        activity.listed = events;
        activity
    }

    /// The most that one principal did in the time of one bar.
    pub fn highest(&self) -> usize {
        self.lanes.iter().flat_map(|lane| &lane.bars).map(|bar| bar.all()).max().unwrap_or(0)
    }

    /// Seconds since 1970 at which the last bar ends.
    pub fn end(&self) -> i64 {
        let bars = self.lanes.first().map_or(0, |lane| lane.bars.len());
        self.start + self.width * i64::try_from(bars).unwrap_or(0)
    }
}
