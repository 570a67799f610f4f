//! Typed leaf values and their canonical texts, as SOPS encrypts and hashes
//! them (sops-compat 2.2): what Go's `strconv` and `time` print and parse.

use super::secret::Text;

/// One leaf value.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar<'a> {
    /// YAML or JSON null: never encrypted, absent from the MAC.
    Null,
    /// A boolean; canonical text `True` or `False`.
    Bool(bool),
    /// A signed 64-bit integer; canonical text decimal.
    Int(i64),
    /// A double; canonical text positional with the fewest digits that round-trip.
    Float(f64),
    /// A point in time with its offset; canonical text RFC 3339.
    Time(Timestamp),
    /// Text or bytes; canonical text as they are.
    Str(Text<'a>),
}

/// A date and time of day with its offset from UTC, to the nanosecond
/// (Go `time.Time`; YAML 1.1 timestamp).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timestamp {
    /// Year, 0 to 9999.
    pub year: u16,
    /// Month, 1 to 12.
    pub month: u8,
    /// Day of the month, 1 to 31.
    pub day: u8,
    /// Hour, 0 to 23.
    pub hour: u8,
    /// Minute, 0 to 59.
    pub minute: u8,
    /// Second, 0 to 59.
    pub second: u8,
    /// Nanoseconds within the second.
    pub nanosecond: u32,
    /// Offset east of UTC, in minutes.
    pub offset: i16,
}
