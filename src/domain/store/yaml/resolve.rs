//! The type of a YAML scalar, decided as go-yaml v3 decides it: a mix of YAML 1.1
//! and 1.2 (sops-compat 2.3). The first byte rules out all but a string for most texts.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

use crate::domain::scalar::{Scalar, Timestamp, parse_float};
use crate::domain::secret::Text;
use crate::domain::tree::Tag;

/// Why a scalar has no value that SOPS can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unresolved {
    /// Its tag asks for another type than its text has; go-yaml refuses the file.
    #[error("cannot decode {found} as a {wanted}")]
    Mismatch {
        /// The tag that the text resolves to.
        found: &'static str,
        /// The tag that is written.
        wanted: &'static str,
    },
    /// `!!binary` without base64; go-yaml refuses the file.
    #[error("!!binary value contains invalid base64 data")]
    Base64,
    /// An integer above the signed 64-bit range and within the unsigned one: SOPS
    /// fails to encrypt it.
    #[error("Cannot walk value, unknown type: uint64")]
    TooLarge,
    /// A timestamp with an offset of a day or more: SOPS fails to encrypt it.
    #[error("timezone hour outside of range [0,23]")]
    Offset,
}

impl Unresolved {
    /// True where SOPS reads the file and fails when it encrypts the value.
    pub fn is_readable(self) -> bool {
        matches!(self, Self::TooLarge | Self::Offset)
    }
}

/// Go's `base64.StdEncoding`: padding demanded, spare bits ignored.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// The value of the scalar `text` that carries `tag`. An untagged text in quotes
/// or in a block (`plain` false) is a string.
///
/// # Errors
/// See [`Unresolved`].
pub fn resolve(text: &[u8], tag: Tag, plain: bool) -> Result<Scalar<'_>, Unresolved> {
    match tag {
        Tag::None if plain => resolve_plain(text),
        Tag::None | Tag::Str | Tag::Merge | Tag::Collection => Ok(Scalar::Str(Text::Borrowed(text))),
        Tag::Binary => decode_binary(text),
        Tag::Null | Tag::Bool | Tag::Int | Tag::Float | Tag::Timestamp => resolve_as(text, tag),
    }
}

/// True if the plain `text` is a string: the quick half of [`resolve`].
pub fn is_plain_string(text: &[u8]) -> bool {
    matches!(resolve_plain(text), Ok(Scalar::Str(_)))
}

fn resolve_plain(text: &[u8]) -> Result<Scalar<'_>, Unresolved> {
    match text.first() {
        None => Ok(Scalar::Null),
        Some(b'0'..=b'9' | b'+' | b'-') => {
            if let Some(time) = Timestamp::parse_yaml(text) {
                return if time.is_encryptable() { Ok(Scalar::Time(time)) } else { Err(Unresolved::Offset) };
            }
            resolve_number(text)
        }
        Some(b't' | b'T' | b'f' | b'F' | b'n' | b'N' | b'~') => Ok(resolve_word(text)),
        Some(b'.') => Ok(resolve_point(text)),
        Some(_) => Ok(Scalar::Str(Text::Borrowed(text))),
    }
}

fn resolve_word(text: &[u8]) -> Scalar<'_> {
    match text {
        b"true" | b"True" | b"TRUE" => Scalar::Bool(true),
        b"false" | b"False" | b"FALSE" => Scalar::Bool(false),
        b"~" | b"null" | b"Null" | b"NULL" => Scalar::Null,
        _ => Scalar::Str(Text::Borrowed(text)),
    }
}

fn resolve_point(text: &[u8]) -> Scalar<'_> {
    match text {
        b".nan" | b".NaN" | b".NAN" => Scalar::Float(f64::NAN),
        b".inf" | b".Inf" | b".INF" => Scalar::Float(f64::INFINITY),
        _ => parse_float(text).map_or(Scalar::Str(Text::Borrowed(text)), Scalar::Float),
    }
}

/// A text that starts with a digit or a sign and is no timestamp.
fn resolve_number(text: &[u8]) -> Result<Scalar<'_>, Unresolved> {
    match text {
        b"+.inf" | b"+.Inf" | b"+.INF" => return Ok(Scalar::Float(f64::INFINITY)),
        b"-.inf" | b"-.Inf" | b"-.INF" => return Ok(Scalar::Float(f64::NEG_INFINITY)),
        _ => {}
    }
    let digits = match text.contains(&b'_') {
        true => Cow::Owned(text.iter().copied().filter(|byte| *byte != b'_').collect()),
        false => Cow::Borrowed(text),
    };
    let mut resolved = integer(&digits);
    if resolved.is_none() && is_decimal_float(&digits) {
        resolved = parse_float(&digits).map(|value| Ok(Scalar::Float(value)));
    }
    if resolved.is_none() {
        resolved = signed_prefix(&digits).map(|value| Ok(Scalar::Int(value)));
    }
    if let Cow::Owned(mut digits) = digits {
        crate::domain::secret::wipe(&mut digits);
    }
    resolved.unwrap_or(Ok(Scalar::Str(Text::Borrowed(text))))
}

/// Go's `ParseInt` and `ParseUint` with base 0; `None` if the text is no integer or
/// fits neither.
fn integer(text: &[u8]) -> Option<Result<Scalar<'static>, Unresolved>> {
    let (sign, digits) = match text {
        [sign @ (b'+' | b'-'), rest @ ..] => (Some(*sign), rest),
        _ => (None, text),
    };
    let (base, digits) = match digits {
        [b'0', b'x' | b'X', rest @ ..] if !rest.is_empty() => (16, rest),
        [b'0', b'b' | b'B', rest @ ..] if !rest.is_empty() => (2, rest),
        [b'0', b'o' | b'O', rest @ ..] if !rest.is_empty() => (8, rest),
        [b'0', rest @ ..] => (8, rest),
        [] => return None,
        _ => (10, digits),
    };
    let value = unsigned(digits, base)?;
    match sign {
        Some(b'-') => 0_i64.checked_sub_unsigned(value).map(|value| Ok(Scalar::Int(value))),
        _ => match (i64::try_from(value), sign) {
            (Ok(value), _) => Some(Ok(Scalar::Int(value))),
            (Err(_), None) => Some(Err(Unresolved::TooLarge)),
            (Err(_), Some(_)) => None,
        },
    }
}

/// Digits of `base`, none of them counting as zero; `None` beyond 64 bits.
fn unsigned(digits: &[u8], base: u32) -> Option<u64> {
    let mut value = 0_u64;
    for byte in digits {
        let digit = (*byte as char).to_digit(base)?;
        value = value.checked_mul(u64::from(base))?.checked_add(u64::from(digit))?;
    }
    Some(value)
}

/// `0b-101` and `0o+7`: go-yaml parses what follows the prefix with a sign of its own.
fn signed_prefix(text: &[u8]) -> Option<i64> {
    let (base, sign, digits) = match text {
        [b'0', b'b', sign @ (b'+' | b'-'), rest @ ..] => (2, sign, rest),
        [b'0', b'o', sign @ (b'+' | b'-'), rest @ ..] => (8, sign, rest),
        _ => return None,
    };
    if digits.is_empty() {
        return None;
    }
    let value = unsigned(digits, base)?;
    match sign {
        b'-' => 0_i64.checked_sub_unsigned(value),
        _ => i64::try_from(value).ok(),
    }
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_decimal_float(text: &[u8]) -> bool {
    fn skip_digits(text: &[u8]) -> (usize, &[u8]) {
        let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        (count, &text[count..])
    }
    fn skip_sign(text: &[u8]) -> &[u8] {
        match text {
            [b'+' | b'-', rest @ ..] => rest,
            _ => text,
        }
    }
    let (whole, mut rest) = skip_digits(skip_sign(text));
    if let [b'.', tail @ ..] = rest {
        let (fraction, tail) = skip_digits(tail);
        if whole + fraction == 0 {
            return false;
        }
        rest = tail;
    } else if whole == 0 {
        return false;
    }
    match rest {
        [] => true,
        [b'e' | b'E', tail @ ..] => {
            let (exponent, tail) = skip_digits(skip_sign(tail));
            exponent > 0 && tail.is_empty()
        }
        _ => false,
    }
}

fn resolve_as(text: &[u8], tag: Tag) -> Result<Scalar<'_>, Unresolved> {
    let hinted = matches!(text.first(), Some(b'0'..=b'9' | b'+' | b'-'));
    // Under a tag other than !!timestamp a date is not looked for.
    let found = if hinted && tag != Tag::Timestamp { resolve_number(text) } else { resolve_plain(text) };
    let (name, matches) = match &found {
        Ok(Scalar::Null) => ("!!null", tag == Tag::Null),
        Ok(Scalar::Bool(_)) => ("!!bool", tag == Tag::Bool),
        Ok(Scalar::Int(_)) => ("!!int", tag == Tag::Int || tag == Tag::Float),
        Ok(Scalar::Float(_)) => ("!!float", tag == Tag::Float),
        Ok(Scalar::Time(_)) | Err(Unresolved::Offset) => ("!!timestamp", tag == Tag::Timestamp),
        Ok(Scalar::Str(_)) => ("!!str", false),
        Err(_) => ("!!int", tag == Tag::Int),
    };
    if !matches {
        return Err(Unresolved::Mismatch { found: name, wanted: tag_name(tag) });
    }
    match (found, tag) {
        (Ok(Scalar::Int(value)), Tag::Float) => Ok(Scalar::Float(value as f64)),
        (found, _) => found,
    }
}

fn tag_name(tag: Tag) -> &'static str {
    match tag {
        Tag::None => "",
        Tag::Str => "!!str",
        Tag::Null => "!!null",
        Tag::Bool => "!!bool",
        Tag::Int => "!!int",
        Tag::Float => "!!float",
        Tag::Timestamp => "!!timestamp",
        Tag::Binary => "!!binary",
        Tag::Merge => "!!merge",
        Tag::Collection => "!!map",
    }
}

fn decode_binary(text: &[u8]) -> Result<Scalar<'_>, Unresolved> {
    let mut packed: Vec<u8> = Vec::with_capacity(text.len());
    packed.extend(text.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')));
    let decoded = BASE64.decode(&packed).map_err(|_| Unresolved::Base64);
    crate::domain::secret::wipe(&mut packed);
    decoded.map(|bytes| Scalar::Str(Text::from(bytes)))
}

#[cfg(test)]
mod tests {
    use super::{Unresolved, resolve};
    use crate::domain::scalar::{FloatStyle, Scalar, write_float};
    use crate::domain::tree::Tag;

    /// Type and printed text as `sops -d` shows them, without its quotes.
    fn shown(text: &str, tag: Tag, plain: bool) -> Result<(&'static str, String), Unresolved> {
        let scalar = resolve(text.as_bytes(), tag, plain)?;
        let mut out = Vec::new();
        match &scalar {
            Scalar::Null => out.extend_from_slice(b"null"),
            Scalar::Bool(value) => out.extend_from_slice(value.to_string().as_bytes()),
            Scalar::Float(value) => write_float(*value, FloatStyle::Yaml, &mut out),
            _ => scalar.write_canonical(&mut out),
        }
        Ok((scalar.type_name().unwrap_or("PLAIN null"), String::from_utf8(out).unwrap()))
    }

    /// The rows of the corpus table: name, source, type, printed.
    fn row(line: &str) -> (String, String, String, String) {
        let cut = |from: usize, to: usize| {
            let chars: Vec<char> = line.chars().collect();
            chars.get(from.min(chars.len())..to.min(chars.len())).unwrap().iter().collect::<String>()
        };
        let kind = cut(45, 58);
        let kind = if kind.starts_with("ERROR") { "ERROR".to_owned() } else { kind.trim().to_owned() };
        (cut(0, 10).trim().into(), cut(10, 45).trim().into(), kind, cut(58, 95).trim().into())
    }

    #[test]
    fn the_corpus_table_agrees() {
        let table = include_str!("../../../../fixtures/corpus/tables/yaml-types.table");
        let mut rows = 0;
        for line in table.lines().skip(1) {
            let (name, source, kind, printed) = row(line);
            let (tag, text) = match source.split_once(' ') {
                Some(("!!str", rest)) => (Tag::Str, rest),
                Some(("!custom", rest)) => (Tag::Str, rest),
                Some(("!!int", rest)) => (Tag::Int, rest),
                Some(("!!float", rest)) => (Tag::Float, rest),
                Some(("!!bool", rest)) => (Tag::Bool, rest),
                Some(("!!binary", rest)) => (Tag::Binary, rest),
                Some(("!!timestamp", rest)) => (Tag::Timestamp, rest),
                Some(("!!null", rest)) => (Tag::Null, rest),
                _ => (Tag::None, &source[..]),
            };
            let bare = text.trim_matches(['"', '\'']);
            let printed = printed.trim_start_matches("v: ").trim_start_matches("!!merge ").trim_matches('"');
            match shown(bare, tag, bare.len() == text.len()) {
                Ok((_, shown)) if kind == "PLAIN \"\"" => assert_eq!(shown, "", "{name}"),
                Ok((found, shown)) => assert_eq!((found, &shown[..]), (&kind[..], printed), "{name}"),
                Err(_) => assert_eq!(kind, "ERROR", "{name}"),
            }
            rows += 1;
        }
        assert_eq!(rows, 72);
    }

    #[test]
    fn odd_spellings_resolve_as_in_sops() {
        let table: &[(&str, &str, &str)] = &[
            ("08", "float", "8"),
            ("09.5", "float", "9.5"),
            ("0_8", "float", "8"),
            ("1_", "int", "1"),
            ("1e5_0", "float", "1e+50"),
            ("0_x1f", "int", "31"),
            ("0b-101", "int", "-5"),
            ("0o-7", "int", "-7"),
            ("-0b101", "int", "-5"),
            ("0b12", "str", "0b12"),
            ("0o8", "str", "0o8"),
            ("0b", "str", "0b"),
            ("_1", "str", "_1"),
            ("1e310", "str", "1e310"),
            ("-.inf", "float", "-.inf"),
            ("-.nan", "str", "-.nan"),
            (".iNF", "str", ".iNF"),
            ("tRUE", "str", "tRUE"),
            ("0x1.8p1", "str", "0x1.8p1"),
            ("1e-400", "float", "0"),
            ("-9223372036854775808", "int", "-9223372036854775808"),
            ("-9223372036854775809", "float", "-9.223372036854776e+18"),
            ("+9223372036854775808", "float", "9.223372036854776e+18"),
            (".5_0", "float", "0.5"),
            ("._5", "str", "._5"),
            ("-", "str", "-"),
            ("+", "str", "+"),
            ("-.5", "float", "-0.5"),
            (".", "str", "."),
            ("1.e5", "float", "100000"),
            ("2001-12-15   2:59:43", "time", "2001-12-15T02:59:43Z"),
            ("", "PLAIN null", "null"),
        ];
        for (text, kind, printed) in table {
            assert_eq!(shown(text, Tag::None, true), Ok((*kind, (*printed).to_owned())), "{text}");
        }
        for (text, tag, error) in [
            ("0xffffffffffffffff", Tag::None, Unresolved::TooLarge),
            ("2001-01-01T00:00:00+24:00", Tag::None, Unresolved::Offset),
            ("a", Tag::Binary, Unresolved::Base64),
            ("18446744073709551615", Tag::Float, Unresolved::Mismatch { found: "!!int", wanted: "!!float" }),
            ("2001-01-01", Tag::Int, Unresolved::Mismatch { found: "!!str", wanted: "!!int" }),
            ("", Tag::Float, Unresolved::Mismatch { found: "!!null", wanted: "!!float" }),
        ] {
            assert_eq!(shown(text, tag, true), Err(error), "{text}");
        }
        assert_eq!(shown("0x10", Tag::Float, true), Ok(("float", "16".into())));
        assert_eq!(shown("aGVs\nbG8=", Tag::Binary, false), Ok(("str", "hello".into())));
    }
}
