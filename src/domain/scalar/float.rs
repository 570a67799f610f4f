//! Doubles as Go's `strconv` prints and parses them. The digits are always the
//! fewest that round-trip; formats differ in where they switch to an exponent.

use std::fmt::Write;

/// Where and how an exponent is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FloatStyle {
    /// Never an exponent: the canonical text (Go `'f'`).
    Positional,
    /// Below 1e-4 and from 1e6, as `1e+06`; `.inf`, `-.inf`, `.nan` (sops-compat 5.3).
    Yaml,
    /// Below 1e-6 and from 1e21, as `1e-7`. JSON has neither infinity nor NaN:
    /// callers refuse them first (sops-compat 5.4).
    Json,
    /// As YAML with `E`, and `.0` behind a number without point or exponent; `+Inf`,
    /// `-Inf`, `NaN` (sops-compat 5.6).
    Dotenv,
}

/// A number's shortest text in a fixed buffer: `{:e}` needs 24 bytes at most.
struct Short {
    bytes: [u8; 32],
    len: usize,
}

impl Write for Short {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.len + text.len();
        match self.bytes.get_mut(self.len..end) {
            Some(room) => room.copy_from_slice(text.as_bytes()),
            None => return Err(std::fmt::Error),
        }
        self.len = end;
        Ok(())
    }
}

/// The shortest decimal digits of a finite number, and the exponent of the first of them.
struct Decimal {
    digits: [u8; 24],
    count: usize,
    exponent: i32,
}

impl Decimal {
    fn of(value: f64) -> Self {
        let mut short = Short { bytes: [0; 32], len: 0 };
        let mut decimal = Self { digits: [b'0'; 24], count: 0, exponent: 0 };
        if write!(short, "{value:e}").is_err() {
            return decimal;
        }
        let text = &short.bytes[..short.len];
        let split = text.iter().position(|byte| *byte == b'e').unwrap_or(text.len());
        for digit in text[..split].iter().filter(|byte| byte.is_ascii_digit()) {
            if let Some(slot) = decimal.digits.get_mut(decimal.count) {
                *slot = *digit;
                decimal.count += 1;
            }
        }
        let exponent = text.get(split + 1..).and_then(|text| std::str::from_utf8(text).ok());
        decimal.exponent = exponent.and_then(|text| text.parse().ok()).unwrap_or(0);
        decimal
    }

    fn digits(&self) -> &[u8] {
        &self.digits[..self.count]
    }
}

/// Appends `value` in `style`.
pub fn write_float(value: f64, style: FloatStyle, out: &mut Vec<u8>) {
    if !value.is_finite() {
        out.extend_from_slice(non_finite(value, style));
        return;
    }
    if value.is_sign_negative() {
        out.push(b'-');
    }
    let value = value.abs();
    let limit = match style {
        FloatStyle::Positional | FloatStyle::Json => 9_007_199_254_740_992.0,
        FloatStyle::Yaml | FloatStyle::Dotenv => 1e6,
    };
    if value < limit && value.fract() == 0.0 {
        super::write_digits(value as u64, out);
        if style == FloatStyle::Dotenv {
            out.extend_from_slice(b".0");
        }
        return;
    }
    let decimal = Decimal::of(value);
    let exponent = decimal.exponent;
    match style {
        FloatStyle::Yaml if !(-4..6).contains(&exponent) => scientific(&decimal, b'e', 2, out),
        FloatStyle::Dotenv if !(-4..6).contains(&exponent) => scientific(&decimal, b'E', 2, out),
        FloatStyle::Json if !(1e-6..1e21).contains(&value) => scientific(&decimal, b'e', 1, out),
        _ => positional(&decimal, out),
    }
}

fn non_finite(value: f64, style: FloatStyle) -> &'static [u8] {
    match (style, value.is_nan(), value > 0.0) {
        (FloatStyle::Yaml, true, _) => b".nan",
        (FloatStyle::Yaml, false, true) => b".inf",
        (FloatStyle::Yaml, false, false) => b"-.inf",
        (_, true, _) => b"NaN",
        (_, false, true) => b"+Inf",
        (_, false, false) => b"-Inf",
    }
}

fn positional(decimal: &Decimal, out: &mut Vec<u8>) {
    let digits = decimal.digits();
    if decimal.exponent < 0 {
        out.extend_from_slice(b"0.");
        out.resize(out.len() + (-decimal.exponent - 1) as usize, b'0');
        out.extend_from_slice(digits);
        return;
    }
    let whole = decimal.exponent as usize + 1;
    match digits.split_at_checked(whole) {
        Some((head, [])) => out.extend_from_slice(head),
        Some((head, tail)) => {
            out.extend_from_slice(head);
            out.push(b'.');
            out.extend_from_slice(tail);
        }
        None => {
            out.extend_from_slice(digits);
            out.resize(out.len() + whole - digits.len(), b'0');
        }
    }
}

fn scientific(decimal: &Decimal, letter: u8, width: usize, out: &mut Vec<u8>) {
    if let Some((first, rest)) = decimal.digits().split_first() {
        out.push(*first);
        if !rest.is_empty() {
            out.push(b'.');
            out.extend_from_slice(rest);
        }
    }
    out.push(letter);
    out.push(if decimal.exponent < 0 { b'-' } else { b'+' });
    let exponent = decimal.exponent.unsigned_abs();
    if width == 2 && exponent < 10 {
        out.push(b'0');
    }
    super::write_digits(u64::from(exponent), out);
}

/// Go's `strconv.ParseFloat(text, 64)`: decimal and hexadecimal notation,
/// underscores between digits, `inf`, `infinity` and `nan` in any case.
/// `None` where Go reports an error: bad syntax, or too large.
pub fn parse_float(text: &[u8]) -> Option<f64> {
    let (negative, rest) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    if rest.eq_ignore_ascii_case(b"inf") || rest.eq_ignore_ascii_case(b"infinity") {
        return Some(if negative { f64::NEG_INFINITY } else { f64::INFINITY });
    }
    if text.eq_ignore_ascii_case(b"nan") {
        return Some(f64::NAN);
    }
    let hex = matches!(rest, [b'0', b'x' | b'X', _, ..]);
    let mut clean = Vec::new();
    let mut digits = rest;
    if rest.contains(&b'_') {
        if !underscores_fit(rest) {
            return None;
        }
        clean.extend(rest.iter().copied().filter(|byte| *byte != b'_'));
        digits = &clean;
    }
    let value = match hex {
        true => parse_hex(&digits[2..])?,
        false => parse_decimal(digits)?,
    };
    crate::domain::secret::wipe(&mut clean);
    Some(if negative { -value } else { value })
}

/// An underscore stands between two digits, or between a base prefix and a digit.
fn underscores_fit(text: &[u8]) -> bool {
    let prefix = matches!(text, [b'0', b'b' | b'B' | b'o' | b'O' | b'x' | b'X', ..]);
    let hex = matches!(text, [b'0', b'x' | b'X', ..]);
    let mut before = if prefix { b'0' } else { b'.' };
    for byte in &text[if prefix { 2 } else { 0 }..] {
        let kind = match byte {
            b'_' => b'_',
            _ if byte.is_ascii_digit() || (hex && byte.is_ascii_hexdigit()) => b'0',
            _ => b'.',
        };
        if (kind == b'_' && before != b'0') || (before == b'_' && kind == b'.') {
            return false;
        }
        before = kind;
    }
    before != b'_'
}

fn parse_decimal(text: &[u8]) -> Option<f64> {
    // Rust's grammar is Go's without the words; a sign here would be a second one.
    if !matches!(text.first(), Some(b'0'..=b'9' | b'.')) {
        return None;
    }
    let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    value.is_finite().then_some(value)
}

/// `h.hhp±d` without its `0x`: the mantissa to 64 bits with a sticky last one,
/// then rounded once to the double.
fn parse_hex(text: &[u8]) -> Option<f64> {
    let split = text.iter().position(|byte| matches!(byte, b'p' | b'P'))?;
    let (mantissa, exponent) = (&text[..split], &text[split + 1..]);
    let mut bits = 0_u64;
    let mut shift = 0_i64;
    let mut point = None;
    let mut seen = false;
    for (at, byte) in mantissa.iter().enumerate() {
        if *byte == b'.' {
            if point.replace(at).is_some() {
                return None;
            }
            continue;
        }
        let digit = (*byte as char).to_digit(16)?;
        seen = true;
        if bits >> 59 == 0 {
            bits = bits << 4 | u64::from(digit);
            shift -= if point.is_some() { 4 } else { 0 };
        } else {
            bits |= u64::from(digit != 0);
            shift += if point.is_some() { 0 } else { 4 };
        }
    }
    if !seen {
        return None;
    }
    let (sign, digits) = match exponent {
        [b'-', rest @ ..] => (-1, rest),
        [b'+', rest @ ..] => (1, rest),
        _ => (1, exponent),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let power = digits.iter().fold(0_i64, |power, byte| match power < 10_000 {
        true => power * 10 + i64::from(byte - b'0'),
        false => power,
    });
    scale(bits, shift + sign * power)
}

/// `bits × 2^exponent`, rounded to nearest even; `None` if it is too large.
fn scale(bits: u64, exponent: i64) -> Option<f64> {
    if bits == 0 {
        return Some(0.0);
    }
    let zeros = i64::from(bits.leading_zeros());
    let bits = bits << zeros;
    // The value is 0.1… × 2^top; a normal double has top ≥ -1021 and 53 bits.
    let top = exponent - zeros + 64;
    let kept = (53 - (-1021 - top).max(0)).clamp(-1, 53);
    if kept < 0 {
        return Some(0.0);
    }
    let dropped = 64 - kept as u32;
    let (mut mantissa, rest, half) = match dropped {
        64 => (0, bits, 1_u64 << 63),
        _ => (bits >> dropped, bits & ((1 << dropped) - 1), 1 << (dropped - 1)),
    };
    if rest > half || (rest == half && mantissa & 1 == 1) {
        mantissa += 1;
    }
    let power = top - kept;
    // Two exact steps: the mantissa has at most 54 bits and the last step alone can overflow.
    let (first, second) = if power < -1000 { (-1000, power + 1000) } else { (0, power) };
    let value = mantissa as f64 * 2_f64.powi(second.clamp(-1074, 1100) as i32) * 2_f64.powi(first);
    value.is_finite().then_some(value)
}
