//! Directives, and what tags mean under them.

use super::parse::Parser;
use super::scan::Scan;
use super::tokens::{Token, TokenKind, fault};
use crate::domain::tree::{Span, Tag};

impl Parser<'_> {
    pub(super) fn default_directives(&mut self) {
        for (handle, prefix) in [(&b"!"[..], &b"!"[..]), (b"!!", b"tag:yaml.org,2002:")] {
            if !self.directives.iter().any(|(known, _)| *known == handle) {
                self.directives.push((handle, prefix));
            }
        }
    }

    pub(super) fn read_directives(&mut self) -> Scan<()> {
        let mut version = false;
        loop {
            let token = self.peek()?;
            if !matches!(token.kind, TokenKind::VersionDirective | TokenKind::TagDirective) {
                break;
            }
            let text = &self.scanner.source[token.text.range()];
            match token.kind {
                TokenKind::VersionDirective => {
                    if version {
                        return self.fail(token, "found duplicate %YAML directive");
                    }
                    version = true;
                    if !matches!(text, b"1.1" | b"01.1" | b"1.01" | b"01.01") {
                        let mut error = fault(token.start.line, "found incompatible YAML document");
                        error.hint = Some("SOPS reads YAML 1.1 only: remove the %YAML directive");
                        return Err(error);
                    }
                }
                _ => {
                    let split = text.iter().position(|byte| matches!(byte, b' ' | b'\t'));
                    let handle = &text[..split.unwrap_or(text.len())];
                    let prefix = text[handle.len()..].trim_ascii();
                    if self.directives.iter().any(|(known, _)| *known == handle) {
                        return self.fail(token, "found duplicate %TAG directive");
                    }
                    self.directives.push((handle, prefix));
                }
            }
            self.skip();
        }
        self.default_directives();
        Ok(())
    }

    /// What a tag token means.
    pub(super) fn resolve_tag(&self, token: Token) -> Scan<Tag> {
        let raw = &self.scanner.source[token.text.range()];
        if raw == b"!" {
            return Ok(Tag::None);
        }
        if let Some(verbatim) = raw.strip_prefix(b"!<") {
            return Ok(tag_of(verbatim.strip_suffix(b">").unwrap_or(verbatim)));
        }
        let second = raw.iter().skip(1).position(|&byte| byte == b'!').map(|at| at + 2);
        let word_end = 1 + raw[1..]
            .iter()
            .take_while(|&&byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
            .count();
        let split = match second {
            Some(end) if end == word_end + 1 => end,
            _ => 1,
        };
        let (handle, suffix) = raw.split_at(split);
        let found = self.directives.iter().find(|(known, _)| *known == handle);
        let Some((_, prefix)) = found else {
            return self.fail(token, "found undefined tag handle");
        };
        Ok(tag_of(&[prefix, suffix].concat()))
    }
}

/// The meaning of a tag written out.
fn tag_of(tag: &[u8]) -> Tag {
    let mut decoded = Vec::with_capacity(tag.len());
    let mut rest = tag;
    while let Some((&byte, behind)) = rest.split_first() {
        let escape = behind.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match escape.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(octet) if byte == b'%' => {
                decoded.push(octet);
                rest = &behind[2..];
            }
            _ => {
                decoded.push(byte);
                rest = behind;
            }
        }
    }
    let core = decoded.strip_prefix(b"tag:yaml.org,2002:").or_else(|| decoded.strip_prefix(b"!!"));
    match core {
        Some(b"null") => Tag::Null,
        Some(b"bool") => Tag::Bool,
        Some(b"int") => Tag::Int,
        Some(b"float") => Tag::Float,
        Some(b"timestamp") => Tag::Timestamp,
        Some(b"binary") => Tag::Binary,
        Some(b"merge") => Tag::Merge,
        _ => Tag::Str,
    }
}

/// `tag` with the blanks behind it, as far as they are in front of `limit`.
pub(super) fn with_blanks(source: &[u8], tag: Span, limit: u32) -> Span {
    let behind = &source[tag.end as usize..limit.max(tag.end) as usize];
    let blanks = behind.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count() as u32;
    Span { start: tag.start, end: tag.end + blanks }
}
