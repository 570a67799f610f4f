//! Points in time: RFC 3339 as Go's `time` package reads and prints it, and the
//! looser forms that go-yaml accepts as timestamps (sops-compat 2.3, step 4).

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

/// How many digits a field may have.
#[derive(Clone, Copy, PartialEq)]
enum Width {
    OneOrTwo,
    Two,
}

impl Timestamp {
    /// RFC 3339 as Go's `UnmarshalText` takes it: one digit is enough for the hour, a
    /// comma may stand for the point, digits of the fraction beyond nine are dropped.
    pub fn parse_rfc3339(text: &[u8]) -> Option<Self> {
        let mut cursor = Cursor { rest: text };
        let mut time = cursor.date(Width::Two)?;
        cursor.literal(b'T')?;
        cursor.clock(Width::Two, &mut time)?;
        time.offset = cursor.zone()?;
        cursor.finish(time)
    }

    /// A YAML timestamp by go-yaml's four formats: a date; a date, `T` or `t`, a time
    /// and a zone; or a date, spaces and a time without zone (UTC).
    /// The offset may reach ±25 hours: see [`Timestamp::is_encryptable`].
    pub fn parse_yaml(text: &[u8]) -> Option<Self> {
        if text.get(4) != Some(&b'-') || !text[..4].iter().all(u8::is_ascii_digit) {
            return None;
        }
        let mut cursor = Cursor { rest: text };
        let mut time = cursor.date(Width::OneOrTwo)?;
        match cursor.rest.first() {
            None => return Some(time),
            Some(b'T' | b't') => {
                cursor.rest = &cursor.rest[1..];
                cursor.clock(Width::OneOrTwo, &mut time)?;
                time.offset = cursor.zone()?;
            }
            Some(b' ') => {
                while let [b' ', rest @ ..] = cursor.rest {
                    cursor.rest = rest;
                }
                cursor.clock(Width::OneOrTwo, &mut time)?;
            }
            Some(_) => return None,
        }
        cursor.finish(time)
    }

    /// False for an offset of a day or more, which YAML accepts and Go cannot print.
    pub fn is_encryptable(&self) -> bool {
        self.offset.unsigned_abs() < 24 * 60
    }

    /// Appends it as RFC 3339 with up to nine digits of fraction, trailing zeros
    /// trimmed; a zero offset is `Z`.
    pub fn write(&self, out: &mut Vec<u8>) {
        self.write_to_seconds(out);
        if self.nanosecond != 0 {
            let mut digits = [b'0'; 9];
            let mut value = self.nanosecond;
            for slot in digits.iter_mut().rev() {
                *slot = b'0' + (value % 10) as u8;
                value /= 10;
            }
            let used = digits.iter().rposition(|digit| *digit != b'0').map_or(0, |last| last + 1);
            out.push(b'.');
            out.extend_from_slice(&digits[..used]);
        }
        self.write_zone(out);
    }

    /// Appends it as RFC 3339 without a fraction (dotenv and INI, sops-compat 5.6).
    pub fn write_whole_seconds(&self, out: &mut Vec<u8>) {
        self.write_to_seconds(out);
        self.write_zone(out);
    }

    fn write_to_seconds(&self, out: &mut Vec<u8>) {
        two((self.year / 100 % 100) as u8, out);
        two((self.year % 100) as u8, out);
        for (mark, field) in [
            (b'-', self.month),
            (b'-', self.day),
            (b'T', self.hour),
            (b':', self.minute),
            (b':', self.second),
        ] {
            out.push(mark);
            two(field, out);
        }
    }

    fn write_zone(&self, out: &mut Vec<u8>) {
        if self.offset == 0 {
            out.push(b'Z');
            return;
        }
        let minutes = self.offset.unsigned_abs();
        out.push(if self.offset < 0 { b'-' } else { b'+' });
        two((minutes / 60) as u8, out);
        out.push(b':');
        two((minutes % 60) as u8, out);
    }
}

fn two(value: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(&[b'0' + value / 10 % 10, b'0' + value % 10]);
}

fn days_in(year: u16, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        _ => 31,
    }
}

struct Cursor<'a> {
    rest: &'a [u8],
}

impl Cursor<'_> {
    fn literal(&mut self, byte: u8) -> Option<()> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        (*first == byte).then_some(())
    }

    fn number(&mut self, width: Width) -> Option<u8> {
        match self.rest {
            [a @ b'0'..=b'9', b @ b'0'..=b'9', rest @ ..] => {
                self.rest = rest;
                Some((a - b'0') * 10 + (b - b'0'))
            }
            [a @ b'0'..=b'9', rest @ ..] if width == Width::OneOrTwo => {
                self.rest = rest;
                Some(a - b'0')
            }
            _ => None,
        }
    }

    fn date(&mut self, width: Width) -> Option<Timestamp> {
        let century = self.number(Width::Two)?;
        let year = u16::from(century) * 100 + u16::from(self.number(Width::Two)?);
        self.literal(b'-')?;
        let month = self.number(width).filter(|month| (1..=12).contains(month))?;
        self.literal(b'-')?;
        let day = self.number(width).filter(|day| (1..=days_in(year, month)).contains(day))?;
        Some(Timestamp { year, month, day, hour: 0, minute: 0, second: 0, nanosecond: 0, offset: 0 })
    }

    fn clock(&mut self, width: Width, time: &mut Timestamp) -> Option<()> {
        time.hour = self.number(Width::OneOrTwo).filter(|hour| *hour < 24)?;
        self.literal(b':')?;
        time.minute = self.number(width).filter(|minute| *minute < 60)?;
        self.literal(b':')?;
        time.second = self.number(width).filter(|second| *second < 60)?;
        if let [b'.' | b',', b'0'..=b'9', ..] = self.rest {
            let digits = self.rest[1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            let mut padded = self.rest[1..=digits].iter().map(|byte| u32::from(byte - b'0'));
            time.nanosecond = (0..9).fold(0, |value, _| value * 10 + padded.next().unwrap_or(0));
            self.rest = &self.rest[1 + digits..];
        }
        Some(())
    }

    fn zone(&mut self) -> Option<i16> {
        let sign = match self.rest.split_first()? {
            (b'Z', rest) => {
                self.rest = rest;
                return Some(0);
            }
            (b'+', rest) => {
                self.rest = rest;
                1
            }
            (b'-', rest) => {
                self.rest = rest;
                -1
            }
            _ => return None,
        };
        let hours = self.number(Width::Two).filter(|hours| *hours <= 24)?;
        self.literal(b':')?;
        let minutes = self.number(Width::Two).filter(|minutes| *minutes <= 60)?;
        Some(sign * (i16::from(hours) * 60 + i16::from(minutes)))
    }

    fn finish(&self, time: Timestamp) -> Option<Timestamp> {
        self.rest.is_empty().then_some(time)
    }
}
