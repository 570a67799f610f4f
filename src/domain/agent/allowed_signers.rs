//! Whose signatures count: OpenSSH's list of allowed signers (`ALLOWED SIGNERS` in
//! `ssh-keygen(1)`), read strictly. One line a key:
//!
//! ```text
//! # who                options                                        key
//! ana@example.org      namespaces="leaflock-*",valid-before="20271231Z" ssh-ed25519 AAAA…
//! ```
//!
//! What is refused instead of ignored: `cert-authority` (certificates are not
//! verified), options that nobody knows, kinds of key that cannot be verified, and
//! dates without a `Z`, which `ssh-keygen` takes in the time zone of whoever checks: a
//! list must mean the same on every machine.

use super::hidden_characters;
use super::public_key::{PublicKey, PublicKeyError};
use crate::domain::scalar::Timestamp;

/// Larger lists are refused.
const LARGEST: usize = 1024 * 1024;

/// A fault of a list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct AllowedSignersError {
    /// What is wrong; nothing of the line is repeated.
    pub message: &'static str,
    /// The line, from 1.
    pub line: usize,
    /// What to do.
    pub advice: &'static str,
}

/// A list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedSigners {
    /// Its keys in their order.
    pub signers: Vec<Signer>,
}

/// A line of a list: a key, whose it is, and what its signatures count for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// The line, from 1.
    pub line: usize,
    /// Whose key: a list of patterns, which OpenSSH calls principals.
    pub principals: String,
    /// The key.
    pub key: PublicKey,
    /// The namespaces that it may sign in, as a list of patterns; `None` is all.
    pub namespaces: Option<String>,
    /// From when on it counts: RFC 3339, UTC, whole seconds.
    pub valid_after: Option<String>,
    /// Until when it counts, that second included.
    pub valid_before: Option<String>,
}

impl Signer {
    /// True if signatures in `namespace` count at `now` (RFC 3339, UTC, whole seconds).
    fn may_sign(&self, namespace: &str, now: &str) -> bool {
        self.namespaces.as_ref().is_none_or(|patterns| matches_list(patterns, namespace))
            && self.valid_after.as_deref().is_none_or(|after| now >= after)
            && self.valid_before.as_deref().is_none_or(|before| now <= before)
    }

    /// True if `name` is among its principals.
    pub fn is_for(&self, name: &str) -> bool {
        matches_list(&self.principals, name)
    }
}

impl AllowedSigners {
    /// Reads a list.
    pub fn parse(bytes: &[u8]) -> Result<Self, AllowedSignersError> {
        let whole = |message| AllowedSignersError { message, line: 1, advice: "it is a text of UTF-8" };
        if bytes.len() > LARGEST {
            return Err(whole("the list of signers is larger than 1 MiB"));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| whole("the list of signers is no text"))?;
        if let Some((line, message)) = hidden_characters::first(text) {
            return Err(AllowedSignersError { message, line, advice: hidden_characters::ADVICE });
        }
        let mut signers = Vec::new();
        for (index, line) in text.split('\n').enumerate() {
            let line = line.strip_suffix('\r').unwrap_or(line).trim_start_matches(BLANK);
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let signer = read_line(line, index + 1);
            signers.push(signer.map_err(|Fault(message, advice)| AllowedSignersError {
                message,
                line: index + 1,
                advice,
            })?);
        }
        Ok(Self { signers })
    }

    /// The line by which signatures of `key` in `namespace` count at `now` (RFC 3339,
    /// UTC, whole seconds).
    pub fn allows(&self, key: &PublicKey, namespace: &str, now: &str) -> Option<&Signer> {
        self.signers.iter().find(|signer| signer.key == *key && signer.may_sign(namespace, now))
    }
}

const BLANK: [char; 2] = [' ', '\t'];

/// What is wrong with a line, and what to do.
struct Fault(&'static str, &'static str);

const FORM: &str = "a line is: NAME[,NAME…] [OPTION,…] KEY-TYPE KEY";
const CONFLICT: &str =
    "bring both sides together and take the markers out; then `leaflock trust sign` signs it";
const OPTIONS: &str = "the options are namespaces=\"…\", valid-after=\"…\" and valid-before=\"…\"";

fn read_line(line: &str, number: usize) -> Result<Signer, Fault> {
    if line.starts_with("<<<<<<< ") {
        return Err(Fault("a merge left conflicts in the list of signers", CONFLICT));
    }
    let (principals, rest) = match line.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"').ok_or(Fault("a quote is not closed", FORM))?,
        None => line.split_once(BLANK).ok_or(Fault("a line has no key", FORM))?,
    };
    if principals.is_empty() || principals.contains('"') {
        return Err(Fault("a line has no name that can be used", FORM));
    }
    let rest = rest.trim_start_matches(BLANK);
    let is_key = ["ssh-", "ecdsa-", "sk-"].iter().any(|kind| rest.starts_with(kind));
    let (options, key) = if is_key { ("", rest) } else { split_options(rest)? };
    let key = PublicKey::parse(key).map_err(|error| match error {
        PublicKeyError::NoKey => Fault("a line has no SSH public key", FORM),
        PublicKeyError::Unsupported => Fault("SSH keys of this kind cannot be verified", error.hint()),
    })?;
    let principals = principals.to_owned();
    let mut signer =
        Signer { line: number, principals, key, namespaces: None, valid_after: None, valid_before: None };
    read_options(options, &mut signer)?;
    Ok(signer)
}

/// Splits at the first blank outside of quotes.
fn split_options(rest: &str) -> Result<(&str, &str), Fault> {
    let mut quoted = false;
    let mut escaped = false;
    for (at, byte) in rest.bytes().enumerate() {
        match byte {
            b'"' if !escaped => quoted = !quoted,
            b' ' | b'\t' if !quoted => return Ok((&rest[..at], &rest[at..])),
            _ => {}
        }
        escaped = byte == b'\\' && !escaped;
    }
    Err(Fault(if quoted { "a quote is not closed" } else { "a line has no key" }, FORM))
}

/// Reads `name="value",…` into `signer`.
fn read_options(mut options: &str, signer: &mut Signer) -> Result<(), Fault> {
    while !options.is_empty() {
        let end = options.find(['=', ',']).unwrap_or(options.len());
        let name = options[..end].to_ascii_lowercase();
        if name == "cert-authority" {
            return Err(Fault(
                "certificates are not supported, and so is no cert-authority",
                "list the keys themselves",
            ));
        }
        let slot = match name.as_str() {
            "namespaces" => &mut signer.namespaces,
            "valid-after" => &mut signer.valid_after,
            "valid-before" => &mut signer.valid_before,
            _ => return Err(Fault("a line has an option that is none", OPTIONS)),
        };
        let quoted =
            options[end..].strip_prefix("=\"").ok_or(Fault("an option has no quoted value", OPTIONS))?;
        let (value, rest) = unquote(quoted).ok_or(Fault("a quote is not closed", OPTIONS))?;
        let value = if name == "namespaces" { value } else { moment(&value)? };
        if value.is_empty() || slot.replace(value).is_some() {
            return Err(Fault("an option is empty or stands twice", OPTIONS));
        }
        options = match rest.strip_prefix(',') {
            Some("") => return Err(Fault("an option is missing behind a comma", OPTIONS)),
            Some(rest) => rest,
            None if rest.is_empty() => rest,
            None => return Err(Fault("a comma is missing between options", OPTIONS)),
        };
    }
    match (&signer.valid_after, &signer.valid_before) {
        (Some(after), Some(before)) if before <= after => {
            Err(Fault("valid-before is not later than valid-after", "the key would never count"))
        }
        _ => Ok(()),
    }
}

/// The value up to the closing quote, `\"` within it being a quote, and what follows.
fn unquote(quoted: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' if quoted[at + 1..].starts_with('"') => {
                characters.next();
                value.push('"');
            }
            other => value.push(other),
        }
    }
    None
}

/// `YYYYMMDD[HHMM[SS]]` with a `Z` or `UTC` behind it, as RFC 3339.
fn moment(text: &str) -> Result<String, Fault> {
    const WRONG: Fault = Fault("a date is none", "write YYYYMMDDZ, YYYYMMDDHHMMZ or YYYYMMDDHHMMSSZ");
    let upper = text.to_ascii_uppercase();
    let digits = upper.strip_suffix('Z').or_else(|| upper.strip_suffix("UTC"));
    let has_zone = digits.is_some();
    let digits = digits.unwrap_or(&upper);
    if !matches!(digits.len(), 8 | 12 | 14) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(WRONG);
    }
    if !has_zone {
        return Err(Fault(
            "a date without a time zone means something else on every machine",
            "put a Z behind it: YYYYMMDDZ is the day's first second in UTC",
        ));
    }
    let padded = format!("{digits:0<14}");
    let part = |from: usize, to: usize| &padded[from..to];
    let time = format!(
        "{}-{}-{}T{}:{}:{}Z",
        part(0, 4),
        part(4, 6),
        part(6, 8),
        part(8, 10),
        part(10, 12),
        part(12, 14)
    );
    Timestamp::parse_rfc3339(time.as_bytes()).map(|_| time).ok_or(WRONG)
}

/// OpenSSH's `match_pattern_list`: patterns between commas; one behind a `!` that
/// matches wins over all others.
fn matches_list(patterns: &str, text: &str) -> bool {
    let mut found = false;
    for pattern in patterns.split(',') {
        match pattern.strip_prefix('!') {
            Some(not) if matches_pattern(not, text) => return false,
            Some(_) => {}
            None => found |= matches_pattern(pattern, text),
        }
    }
    found
}

/// `*` is any number of characters, `?` one. Takes at most the product of both lengths.
fn matches_pattern(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut of, mut star) = (0, 0, None);
    while of < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, of));
                at += 1;
            }
            Some(wanted) if *wanted == b'?' || *wanted == text[of] => {
                at += 1;
                of += 1;
            }
            _ => match star {
                Some((back, taken)) => {
                    star = Some((back, taken + 1));
                    at = back + 1;
                    of = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|rest| *rest == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPqnFbGuaQdz7dTZyBEMdmZTX0tVAbMEsAD8E6tQjsNd";

    fn allows(line: &str, namespace: &str, now: &str) -> bool {
        let list = AllowedSigners::parse(line.as_bytes()).unwrap();
        list.allows(&PublicKey::parse(KEY).unwrap(), namespace, now).is_some()
    }

    #[test]
    fn lines_are_read_with_names_options_and_comments() {
        let text = format!(
            "# first\n\n  \tana,\"x\n{KEY}\n\"bo b\" {KEY} comment\nc*,!cy  NameSpaces=\"a,b-*\",VALID-AFTER=\"20260102Z\" {KEY}\r\n"
        );
        let fault = AllowedSigners::parse(text.as_bytes()).unwrap_err();
        assert_eq!(fault.line, 3);
        let list = AllowedSigners::parse(text.replace("ana,\"x\n", "ana ").as_bytes()).unwrap();
        let names: Vec<_> =
            list.signers.iter().map(|signer| (signer.line, signer.principals.as_str())).collect();
        assert_eq!(names, [(3, "ana"), (4, "bo b"), (5, "c*,!cy")]);
        assert_eq!(list.signers[2].namespaces.as_deref(), Some("a,b-*"));
        assert_eq!(list.signers[2].valid_after.as_deref(), Some("2026-01-02T00:00:00Z"));
        assert!(list.signers[2].is_for("carl") && !list.signers[2].is_for("cy"));
    }

    #[test]
    fn namespaces_and_dates_bound_what_counts() {
        let now = "2026-06-01T12:00:00Z";
        assert!(allows(&format!("a {KEY}"), "anything", now));
        let line = format!("a namespaces=\"x@v1,leaf-*,!leaf-no\" {KEY}");
        for (namespace, is_good) in [("x@v1", true), ("leaf-a", true), ("leaf-no", false), ("x@v2", false)] {
            assert_eq!(allows(&line, namespace, now), is_good, "{namespace}");
        }
        let line = format!("a valid-after=\"20260601120000Z\",valid-before=\"202606011201utc\" {KEY}");
        for (now, is_good) in [
            ("2026-06-01T11:59:59Z", false),
            ("2026-06-01T12:00:00Z", true),
            ("2026-06-01T12:01:00Z", true),
            ("2026-06-01T12:01:01Z", false),
        ] {
            assert_eq!(allows(&line, "x", now), is_good, "{now}");
        }
        assert!(!allows(
            "b ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINQm2vX1vOqhVDhXyjo2Gd8VZkM5YTQvDtmYc3cK8a9C",
            "x",
            now
        ));
    }

    #[test]
    fn what_is_not_understood_is_refused_with_its_line() {
        for line in [
            "a".to_owned(),
            format!("\"\" {KEY}"),
            format!("a cert-authority {KEY}"),
            format!("a Cert-Authority,namespaces=\"x\" {KEY}"),
            format!("a namespaces=x {KEY}"),
            format!("a namespaces=\"x\",namespaces=\"y\" {KEY}"),
            format!("a namespaces=\"\" {KEY}"),
            format!("a namespaces=\"x {KEY}"),
            format!("a namespaces=\"x\", {KEY}"),
            format!("a namespaces=\"x\"valid-after=\"20260101Z\" {KEY}"),
            format!("a no-such {KEY}"),
            format!("a valid-after=\"20260101\" {KEY}"),
            format!("a valid-after=\"20261301Z\" {KEY}"),
            format!("a valid-after=\"2026010Z\" {KEY}"),
            format!("a valid-after=\"20260102Z\",valid-before=\"20260101Z\" {KEY}"),
            "a ssh-ed25519 AAAA".to_owned(),
            "a ssh-dss AAAAB3NzaC1kc3MAAAAA".to_owned(),
            "a namespaces=\"x\"".to_owned(),
        ] {
            let fault = AllowedSigners::parse(format!("# c\n{line}\n").as_bytes()).unwrap_err();
            assert_eq!(fault.line, 2, "{line}");
        }
        assert!(AllowedSigners::parse(b"\xff").is_err());
    }

    #[test]
    fn an_evil_pattern_takes_no_time() {
        let pattern = "*a".repeat(2000);
        assert!(!matches_pattern(&pattern, &"a".repeat(1999)));
        assert!(matches_pattern(&pattern, &"a".repeat(2000)));
        assert!(matches_pattern("a?c*", "abc") && !matches_pattern("a?c", "ac") && matches_pattern("*", ""));
    }
}
