//! Typed leaf values and their canonical texts, as SOPS encrypts and hashes
//! them (sops-compat 2.2): what Go's `strconv` and `time` print and parse.

mod float;
mod time;

pub use float::{FloatStyle, parse_float, write_float};
pub use time::Timestamp;

use super::secret::Text;

/// The largest whole number that every reader of JSON takes without loss (RFC 8259,
/// section 6).
pub const LARGEST_EXACT: u64 = (1 << 53) - 1;

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

/// Why a decrypted text is not a value of its type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScalarError {
    /// The token names a type that SOPS does not know (cut to 32 characters, controls replaced).
    #[error("Unknown datatype: {0}")]
    UnknownType(String),
    /// The text is not written as its type demands.
    #[error("the decrypted text is not a value of type {0}")]
    Malformed(&'static str),
    /// The number does not fit its type.
    #[error("the decrypted number is out of the range of type {0}")]
    OutOfRange(&'static str),
}

impl<'a> Scalar<'a> {
    /// The `type:` of its token; `None` for null, which is never encrypted.
    pub fn type_name(&self) -> Option<&'static str> {
        Some(match self {
            Self::Null => return None,
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Time(_) => "time",
            Self::Str(_) => "str",
        })
    }

    /// Appends the bytes that are encrypted and hashed (sops-compat 2.2); none for null.
    pub fn write_canonical(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null => {}
            Self::Bool(true) => out.extend_from_slice(b"True"),
            Self::Bool(false) => out.extend_from_slice(b"False"),
            Self::Int(value) => write_int(*value, out),
            Self::Float(value) => write_float(*value, FloatStyle::Positional, out),
            Self::Time(value) => value.write(out),
            Self::Str(text) => out.extend_from_slice(text),
        }
    }

    /// The value of a decrypted `plaintext` of type `type_name`, in the spellings
    /// that SOPS accepts (Go's `Atoi`, `ParseFloat`, `ParseBool`, RFC 3339).
    /// `bytes` is read as text. `comment` is no value: callers look for it first.
    ///
    /// # Errors
    /// See [`ScalarError`].
    pub fn parse(type_name: &str, plaintext: &'a [u8]) -> Result<Self, ScalarError> {
        match type_name {
            "str" | "bytes" => Ok(Self::Str(Text::Borrowed(plaintext))),
            "int" => parse_int(plaintext).map(Self::Int),
            "float" => match parse_float(plaintext) {
                Some(value) => Ok(Self::Float(value)),
                None => Err(ScalarError::Malformed("float")),
            },
            "bool" => match plaintext {
                b"1" | b"t" | b"T" | b"TRUE" | b"true" | b"True" => Ok(Self::Bool(true)),
                b"0" | b"f" | b"F" | b"FALSE" | b"false" | b"False" => Ok(Self::Bool(false)),
                _ => Err(ScalarError::Malformed("bool")),
            },
            "time" => {
                Timestamp::parse_rfc3339(plaintext).map(Self::Time).ok_or(ScalarError::Malformed("time"))
            }
            _ => Err(ScalarError::UnknownType(shown_type(type_name))),
        }
    }

    /// The same value without the borrow.
    pub fn into_owned(self) -> Scalar<'static> {
        match self {
            Self::Null => Scalar::Null,
            Self::Bool(value) => Scalar::Bool(value),
            Self::Int(value) => Scalar::Int(value),
            Self::Float(value) => Scalar::Float(value),
            Self::Time(value) => Scalar::Time(value),
            Self::Str(text) => Scalar::Str(text.into_owned()),
        }
    }

    /// True when both are the same value of the same type: as `==`, but NaN equals
    /// NaN, and zero differs from minus zero, as their canonical texts do.
    pub fn same(&self, other: &Scalar<'_>) -> bool {
        match (self, other) {
            (Self::Float(a), Scalar::Float(b)) => a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()),
            (Self::Null, Scalar::Null) => true,
            (Self::Bool(a), Scalar::Bool(b)) => a == b,
            (Self::Int(a), Scalar::Int(b)) => a == b,
            (Self::Time(a), Scalar::Time(b)) => a == b,
            (Self::Str(a), Scalar::Str(b)) => a[..] == b[..],
            _ => false,
        }
    }
}

/// Appends `value` in decimal.
pub fn write_int(value: i64, out: &mut Vec<u8>) {
    if value < 0 {
        out.push(b'-');
    }
    write_digits(value.unsigned_abs(), out);
}

/// Appends `value` in decimal, with `-` if `negative`.
fn write_digits(mut value: u64, out: &mut Vec<u8>) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    for slot in digits.iter_mut().rev() {
        *slot = b'0' + (value % 10) as u8;
        value /= 10;
        at -= 1;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Go's `strconv.Atoi`: an optional sign and decimal digits, leading zeros allowed.
fn parse_int(text: &[u8]) -> Result<i64, ScalarError> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(ScalarError::Malformed("int"));
    }
    let mut value = 0_i64;
    for digit in digits {
        let digit = i64::from(digit - b'0');
        let next = value.checked_mul(10);
        let next = match negative {
            true => next.and_then(|value| value.checked_sub(digit)),
            false => next.and_then(|value| value.checked_add(digit)),
        };
        value = next.ok_or(ScalarError::OutOfRange("int"))?;
    }
    Ok(value)
}

fn shown_type(name: &str) -> String {
    name.chars().take(32).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests;
