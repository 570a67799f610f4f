//! Anchors, aliases, tags and directives.

use super::chars::{class, is, is_blank, is_blank_or_end, line_break};
use super::scan::{Scan, Scanner};
use super::tokens::{Mark, Token, TokenKind};
use crate::domain::search;
use crate::domain::tree::{Span, Style};

impl Scanner<'_> {
    /// `&name` or `*name`.
    pub(super) fn scan_anchor(&mut self, kind: TokenKind) -> Scan<()> {
        let start = self.mark();
        let name = self.pos + 1;
        let end = self.run_end(name, class::WORD);
        let follows = self.source.get(end).is_some_and(|byte| b"?:,]}%@`".contains(byte));
        if end == name || !(follows || is_blank_or_end(self.source, end)) {
            return self.error(start, "did not find expected alphabetic or numeric character");
        }
        self.advance_to(end);
        let text = Span::new(name, end);
        self.tokens.push(Token { kind, style: Style::Plain, start, end: end as u32, text });
        Ok(())
    }

    /// `!tag`; its text is all of it.
    pub(super) fn scan_tag(&mut self) -> Scan<()> {
        let start = self.mark();
        if self.peek(1) == b'<' {
            let uri = self.pos + 2;
            let end = self.scan_uri(uri, start)?;
            if end == uri {
                return self.error(start, "did not find expected tag URI");
            }
            if self.source.get(end) != Some(&b'>') {
                return self.error(start, "did not find the expected '>'");
            }
            self.advance_to(end + 1);
        } else {
            let word = self.run_end(self.pos + 1, class::WORD);
            let named = self.source.get(word) == Some(&b'!');
            let suffix = if named { word + 1 } else { word };
            let end = self.scan_uri(suffix, start)?;
            if named && end == suffix {
                return self.error(start, "did not find expected tag URI");
            }
            self.advance_to(end);
        }
        if !is_blank_or_end(self.source, self.pos) {
            return self.error(start, "did not find expected whitespace or line break");
        }
        let text = Span::new(start.index as usize, self.pos);
        self.tokens.push(Token {
            kind: TokenKind::Tag,
            style: Style::Plain,
            start,
            end: self.pos as u32,
            text,
        });
        Ok(())
    }

    /// The end of the URI characters at `at`.
    fn scan_uri(&self, at: usize, start: Mark) -> Scan<usize> {
        let end = self.run_end(at, class::WORD | class::URI);
        let mut escape = at;
        while let Some(found) = search::memchr(b'%', &self.source[escape..end]) {
            escape += found + 3;
            let digits = self.source.get(escape - 2..escape);
            if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                return self.error(start, "did not find URI escaped octet");
            }
            escape = escape.min(end);
        }
        Ok(end)
    }

    fn run_end(&self, mut at: usize, mask: u8) -> usize {
        while self.source.get(at).is_some_and(|&byte| is(byte, mask)) {
            at += 1;
        }
        at
    }

    /// `%YAML 1.1` or `%TAG !handle! prefix` up to the end of its line; the text is
    /// what stands behind the name.
    pub(super) fn scan_directive(&mut self) -> Scan<()> {
        let start = self.mark();
        let name = self.pos + 1;
        let name_end = self.run_end(name, class::WORD);
        if name_end == name {
            return self.error(start, "could not find expected directive name");
        }
        if !is_blank_or_end(self.source, name_end) {
            return self.error(start, "found unexpected non-alphabetical character");
        }
        let kind = match &self.source[name..name_end] {
            b"YAML" => TokenKind::VersionDirective,
            b"TAG" => TokenKind::TagDirective,
            _ => return self.error(start, "found unknown directive name"),
        };
        self.advance_to(name_end);
        self.skip_blanks();
        let arguments = self.pos;
        if kind == TokenKind::VersionDirective {
            self.scan_version(start)?;
        } else {
            self.scan_tag_directive(start)?;
        }
        let end = self.pos;
        self.skip_blanks();
        if self.peek(0) == b'#' {
            // go-yaml drops this comment.
            self.take_comment_line();
        }
        if !self.at_end() && !self.skip_break() {
            return self.error(start, "did not find expected comment or line break");
        }
        let text = Span::new(arguments, end);
        self.tokens.push(Token { kind, style: Style::Plain, start, end: end as u32, text });
        Ok(())
    }

    fn scan_version(&mut self, start: Mark) -> Scan<()> {
        for part in 0..2 {
            if part == 1 {
                if self.peek(0) != b'.' {
                    return self.error(start, "did not find expected digit or '.' character");
                }
                self.advance_to(self.pos + 1);
            }
            let digits = self.source[self.pos..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            if digits > 2 {
                return self.error(start, "found extremely long version number");
            }
            if digits == 0 {
                return self.error(start, "did not find expected version number");
            }
            self.advance_to(self.pos + digits);
        }
        Ok(())
    }

    fn scan_tag_directive(&mut self, start: Mark) -> Scan<()> {
        if self.peek(0) != b'!' {
            return self.error(start, "did not find expected '!'");
        }
        let word = self.run_end(self.pos + 1, class::WORD);
        if self.source.get(word) == Some(&b'!') {
            self.advance_to(word + 1);
        } else if word == self.pos + 1 {
            self.advance_to(word);
        } else {
            return self.error(start, "did not find expected '!'");
        }
        if !is_blank(self.source, self.pos) {
            return self.error(start, "did not find expected whitespace");
        }
        self.skip_blanks();
        let end = self.scan_uri(self.pos, start)?;
        if end == self.pos {
            return self.error(start, "did not find expected tag URI");
        }
        self.advance_to(end);
        if !is_blank(self.source, end) && !self.at_end() && line_break(self.source, end) == 0 {
            return self.error(start, "did not find expected whitespace or line break");
        }
        Ok(())
    }
}
