//! Scalars: plain, quoted and block. A text that its spelling leaves alone is a
//! slice of the source; where lines are folded, escapes decoded or indentation
//! dropped, it goes to the side buffer.

use super::chars::{class, continuations, is, is_blank, is_blank_or_end, is_separator, line_break, line_end};
use super::scan::{Scan, Scanner};
use super::tokens::{Mark, Token, TokenKind};
use crate::domain::search;
use crate::domain::tree::{Span, Style};

/// Blanks before the lines of a block; deeper ones are rare.
const MARGIN: &[u8] = &[b' '; 64];

/// What `+` and `-` in a block scalar's header do with its last line breaks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Chomping {
    Strip,
    Clip,
    Keep,
}

impl Scanner<'_> {
    #[inline(always)]
    fn push_scalar(&mut self, style: Style, start: Mark, end: usize, text: Span) -> Scan<()> {
        self.tokens.push(Token { kind: TokenKind::Scalar, style, start, end: end as u32, text });
        Ok(())
    }

    /// Moves to `pos`, behind the text of a scalar that started on this line or
    /// whose last line starts at the current `line_start`.
    fn finish_line(&mut self, from: usize, pos: usize) {
        if !self.census.ascii {
            self.line_start += continuations(&self.source[from..pos]);
        }
        self.pos = pos;
    }

    /// A plain scalar.
    pub(super) fn scan_plain(&mut self) -> Scan<()> {
        let source = self.source;
        let start = self.mark();
        let mask = if self.flow_level > 0 { class::FLOW } else { class::PLAIN };
        let decoded_start = self.decoded.len();
        let mut decoding = false;
        let mut segment = self.pos;
        let mut end = self.pos;
        let mut counted = self.pos;
        let mut pos = self.pos;
        let mut broken = false;
        loop {
            if broken && self.pos == self.line_start {
                let byte = source.get(pos).copied().unwrap_or(0);
                if matches!(byte, b'-' | b'.') && self.at_document_indicator(byte) {
                    break;
                }
            }
            if source.get(pos) == Some(&b'#') {
                break;
            }
            let word = pos;
            pos = plain_word_end(source, pos, mask);
            if pos > word {
                if broken {
                    if !decoding {
                        decoding = true;
                        self.push_decoded(&source[segment..end]);
                    }
                    self.fold(end, word);
                    segment = word;
                    broken = false;
                } else if decoding {
                    // Blanks within a line stay as they are.
                    self.push_decoded(&source[end..word]);
                    segment = word;
                }
                if decoding {
                    self.push_decoded(&source[word..pos]);
                }
                end = pos;
                self.newlines = 0;
            }
            if pos >= source.len() || !(is_blank(source, pos) || line_break(source, pos) > 0) {
                break;
            }
            if !self.census.ascii && pos > counted {
                self.line_start += continuations(&source[counted..pos]);
            }
            // Blanks and breaks.
            self.pos = pos;
            loop {
                match source.get(self.pos) {
                    Some(b' ') => self.pos += 1,
                    Some(b'\t') => {
                        if broken && (self.column() as i32) < self.indent + 1 {
                            return self.error(start, "found a tab character that violates indentation");
                        }
                        self.pos += 1;
                    }
                    _ if self.skip_break() => broken = true,
                    _ => break,
                }
            }
            pos = self.pos;
            counted = pos;
            if broken && self.flow_level == 0 && (self.column() as i32) < self.indent + 1 {
                break;
            }
        }
        let from = counted.min(pos);
        self.finish_line(from, pos);
        if broken {
            self.simple_key_allowed = true;
        }
        let text =
            if decoding { self.decoded_since(decoded_start) } else { Span::new(start.index as usize, end) };
        self.push_scalar(Style::Plain, start, end, text)
    }

    /// Appends what the blanks and breaks in `from..to` mean inside a plain or
    /// quoted scalar: one break is a space, more are all but the first.
    fn fold(&mut self, from: usize, to: usize) {
        let source = self.source;
        let mut at = from;
        let mut breaks = 0;
        let mut first_kept = false;
        while at < to {
            let length = line_break(source, at);
            if length == 0 {
                at += 1;
                continue;
            }
            let separator = is_separator(source, at);
            if breaks == 0 {
                first_kept = separator;
                if separator {
                    self.push_decoded(&source[at..at + length]);
                }
            } else if separator {
                self.push_decoded(&source[at..at + length]);
            } else {
                self.push_decoded(b"\n");
            }
            breaks += 1;
            at += length;
        }
        if breaks == 1 && !first_kept {
            self.push_decoded(b" ");
        }
    }

    /// A quoted scalar.
    pub(super) fn scan_quoted(&mut self, single: bool) -> Scan<()> {
        let source = self.source;
        let start = self.mark();
        let quote = if single { b'\'' } else { b'"' };
        let style = if single { Style::SingleQuoted } else { Style::DoubleQuoted };
        let open = self.pos + 1;
        let mut pos = open;
        while pos < source.len() && !is(source[pos], class::QUOTED) {
            pos += 1;
        }
        loop {
            match source.get(pos) {
                Some(&byte) if byte == quote => {
                    if single && source.get(pos + 1) == Some(&b'\'') {
                        break;
                    }
                    self.advance_to(pos + 1);
                    return self.push_scalar(style, start, pos + 1, Span::new(open, pos));
                }
                None => break,
                Some(b'\\') if !single => break,
                Some(b'\\' | b'\'' | b'"') => pos += 1,
                Some(_) if line_break(source, pos) > 0 => break,
                Some(_) => pos += 1,
            }
            while pos < source.len() && !is(source[pos], class::QUOTED) {
                pos += 1;
            }
        }
        self.scan_quoted_slowly(single, style, start)
    }

    /// A quoted scalar with escapes or more than one line.
    fn scan_quoted_slowly(&mut self, single: bool, style: Style, start: Mark) -> Scan<()> {
        let source = self.source;
        let decoded_start = self.decoded.len();
        self.newlines = 0;
        self.pos += 1;
        loop {
            if self.column() == 0 && (self.at_document_indicator(b'-') || self.at_document_indicator(b'.')) {
                return self.error(start, "found unexpected document indicator");
            }
            if self.at_end() {
                return self.error(start, "found unexpected end of stream");
            }
            let escaped_break = self.quoted_words(single, start)?;
            if !escaped_break && source.get(self.pos) == Some(&if single { b'\'' } else { b'"' }) {
                break;
            }
            let blanks = self.pos;
            let mut broken = false;
            loop {
                if is_blank(source, self.pos) {
                    self.pos += 1;
                } else if self.skip_break() {
                    broken = true;
                } else {
                    break;
                }
            }
            if escaped_break {
                self.fold_after_escape(blanks, self.pos);
            } else if broken {
                self.fold(blanks, self.pos);
            } else {
                self.push_decoded(&source[blanks..self.pos]);
            }
        }
        self.advance_to(self.pos + 1);
        let text = self.decoded_since(decoded_start);
        self.push_scalar(style, start, self.pos, text)
    }

    /// Behind an escaped line break all further breaks count.
    fn fold_after_escape(&mut self, from: usize, to: usize) {
        let source = self.source;
        let mut at = from;
        while at < to {
            let length = line_break(source, at);
            if length == 0 {
                at += 1;
                continue;
            }
            if is_separator(source, at) {
                self.push_decoded(&source[at..at + length]);
            } else {
                self.push_decoded(b"\n");
            }
            at += length;
        }
    }

    /// Decodes up to a blank, break or the closing quote; true behind an
    /// escaped line break.
    fn quoted_words(&mut self, single: bool, start: Mark) -> Scan<bool> {
        let source = self.source;
        loop {
            let mut pos = self.pos;
            while pos < source.len() && !is(source[pos], class::QUOTED) && !is_blank(source, pos) {
                pos += 1;
            }
            if let Some(0xC2 | 0xE2) = source.get(pos)
                && line_break(source, pos) == 0
            {
                pos += 1;
            }
            match source.get(pos) {
                Some(b'"' | b'\\') if single => pos += 1,
                Some(b'\'') if !single => pos += 1,
                _ => {}
            }
            if pos > self.pos {
                self.push_decoded(&source[self.pos..pos]);
                self.advance_to(pos);
                continue;
            }
            match self.peek(0) {
                b'\'' if self.peek(1) == b'\'' && single => {
                    self.push_decoded(b"'");
                    self.advance_to(self.pos + 2);
                }
                b'\\' if !single => {
                    self.advance_to(self.pos + 1);
                    if self.skip_break() {
                        return Ok(true);
                    }
                    self.unescape(start)?;
                }
                _ => return Ok(false),
            }
        }
    }

    /// Decodes the escape behind a backslash.
    fn unescape(&mut self, start: Mark) -> Scan<()> {
        let decoded: &[u8] = match self.peek(0) {
            b'0' => b"\0",
            b'a' => b"\x07",
            b'b' => b"\x08",
            b't' | b'\t' => b"\t",
            b'n' => b"\n",
            b'v' => b"\x0B",
            b'f' => b"\x0C",
            b'r' => b"\r",
            b'e' => b"\x1B",
            b' ' => b" ",
            b'"' => b"\"",
            b'\'' => b"'",
            b'\\' => b"\\",
            b'N' => b"\xC2\x85",
            b'_' => b"\xC2\xA0",
            b'L' => b"\xE2\x80\xA8",
            b'P' => b"\xE2\x80\xA9",
            b'x' => return self.unescape_hex(start, 2),
            b'u' => return self.unescape_hex(start, 4),
            b'U' => return self.unescape_hex(start, 8),
            _ => return self.error(start, "found unknown escape character"),
        };
        self.push_decoded(decoded);
        self.advance_to(self.pos + 1);
        Ok(())
    }

    fn unescape_hex(&mut self, start: Mark, digits: usize) -> Scan<()> {
        let first = self.pos + 1;
        let text = self.source.get(first..first + digits).and_then(|text| std::str::from_utf8(text).ok());
        let text = text.filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let Some(code) = text.and_then(|text| u32::from_str_radix(text, 16).ok()) else {
            return self.error(start, "did not find expected hexdecimal number");
        };
        let Some(character) = char::from_u32(code) else {
            return self.error(start, "found invalid Unicode character escape code");
        };
        self.push_decoded(character.encode_utf8(&mut [0; 4]).as_bytes());
        self.advance_to(first + digits);
        Ok(())
    }

    /// A `|` or `>` scalar.
    pub(super) fn scan_block_scalar(&mut self, literal: bool) -> Scan<()> {
        let source = self.source;
        let start = self.mark();
        self.advance_to(self.pos + 1);
        let (chomping, increment) = self.scan_block_header(start)?;
        self.skip_blanks();
        if self.peek(0) == b'#' {
            self.scan_line_comment(start);
        }
        if !self.at_end() && !self.skip_break() {
            return self.error(start, "did not find expected comment or line break");
        }
        let body = self.pos;
        let mut indent = match increment {
            0 => 0,
            more => self.indent.max(0) + more,
        };
        let decoded_start = self.decoded.len();
        // Breaks not yet appended: the one behind the last line, then empty lines.
        let mut end = body;
        let mut breaks = body..body;
        let mut lines_end = self.block_breaks(&mut indent, start)?;
        let mut trailing = body..lines_end;
        let mut leading_blank = false;
        while self.column() as i32 == indent && !self.at_end() {
            let blank = is_blank(source, self.pos);
            let first = breaks.start == breaks.end;
            let folds = !literal && !leading_blank && !blank && !first && !is_separator(source, breaks.start);
            if folds {
                if trailing_is_empty(source, &trailing) {
                    self.push_decoded(b" ");
                }
            } else {
                self.push_breaks(&breaks);
            }
            self.push_breaks(&trailing);
            leading_blank = blank;
            if literal && self.census.only_lf {
                self.take_even_lines(indent as usize);
            }
            let line = self.pos;
            let eol = line_end(source, line, self.census.only_lf);
            self.push_decoded(&source[line..eol]);
            if source[line..eol].iter().any(|&byte| byte != b' ' && byte != b'\t') {
                self.newlines = 0;
            }
            self.pos = eol;
            self.skip_break();
            end = self.pos;
            breaks = eol..self.pos;
            lines_end = self.block_breaks(&mut indent, start)?;
            trailing = end..lines_end;
        }
        if chomping != Chomping::Strip {
            self.push_breaks(&breaks);
        }
        if chomping == Chomping::Keep {
            self.push_breaks(&trailing);
            end = lines_end;
        }
        let text = self.decoded_since(decoded_start);
        let style = if literal { Style::Literal } else { Style::Folded };
        self.push_scalar(style, start, end, text)
    }

    /// Takes in this line of a literal block, and those behind it, as long as the
    /// next one begins at the block's column with something that is not blank:
    /// most lines of most blocks. LF must be the only line break.
    fn take_even_lines(&mut self, indent: usize) {
        let source = self.source;
        let Some(margin) = MARGIN.get(..indent) else { return };
        let start = self.pos;
        for at in search::memchr_iter(b'\n', &source[start..]) {
            let end = start + at + 1;
            let Some(first) = source.get(end + indent) else { return };
            if matches!(first, b' ' | b'\t' | b'\n') || source[end..end + indent] != *margin {
                return;
            }
            self.push_decoded(&source[self.pos..end]);
            self.line_start = end;
            self.pos = end + indent;
            self.line += 1;
        }
    }

    /// Chomping and indentation indicators, in either order.
    fn scan_block_header(&mut self, start: Mark) -> Scan<(Chomping, i32)> {
        let mut chomping = Chomping::Clip;
        let mut increment = 0;
        for _ in 0..2 {
            match self.peek(0) {
                b'+' if chomping == Chomping::Clip => chomping = Chomping::Keep,
                b'-' if chomping == Chomping::Clip => chomping = Chomping::Strip,
                b'0' if increment == 0 => {
                    return self.error(start, "found an indentation indicator equal to 0");
                }
                digit @ b'1'..=b'9' if increment == 0 => increment = i32::from(digit - b'0'),
                _ => break,
            }
            self.advance_to(self.pos + 1);
        }
        Ok((chomping, increment))
    }

    /// Skips indentation and empty lines before a line of a block scalar, and
    /// finds its indentation if `indent` is still 0. Answers the offset behind the
    /// last break that was skipped.
    fn block_breaks(&mut self, indent: &mut i32, start: Mark) -> Scan<usize> {
        let mut end = self.pos;
        let mut deepest = 0;
        loop {
            while (*indent == 0 || (self.column() as i32) < *indent) && self.peek(0) == b' ' {
                self.pos += 1;
            }
            deepest = deepest.max(self.column() as i32);
            if (*indent == 0 || (self.column() as i32) < *indent) && self.peek(0) == b'\t' {
                return self.error(start, "found a tab character where an indentation space is expected");
            }
            if !self.skip_break() {
                break;
            }
            end = self.pos;
        }
        if *indent == 0 {
            *indent = deepest.max(self.indent + 1).max(1);
        }
        Ok(end)
    }

    /// Appends the line breaks in `range`, which holds nothing else but blanks.
    fn push_breaks(&mut self, range: &std::ops::Range<usize>) {
        self.fold_after_escape(range.start, range.end);
    }
}

fn trailing_is_empty(source: &[u8], range: &std::ops::Range<usize>) -> bool {
    !(range.start..range.end).any(|at| line_break(source, at) > 0)
}

/// The end of the run of characters at `pos` that belong to a plain scalar.
#[inline(always)]
pub(super) fn plain_word_end(source: &[u8], mut pos: usize, mask: u8) -> usize {
    loop {
        if mask == class::PLAIN {
            pos += quiet_bytes(&source[pos..]);
        }
        let Some(&byte) = source.get(pos) else { return pos };
        if is(byte, mask) {
            let goes_on = match byte {
                b':' => !is_blank_or_end(source, pos + 1),
                0xC2 | 0xE2 => line_break(source, pos) == 0,
                _ => false,
            };
            if !goes_on {
                return pos;
            }
        }
        pos += 1;
    }
}

/// The number of bytes, eight at a time, that are printable ASCII and no colon
/// (which is most of a token).
#[inline(always)]
fn quiet_bytes(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = 0x8080_8080_8080_8080;
    let mut length = 0;
    for chunk in bytes.chunks_exact(8) {
        let mut buffer = [0; 8];
        buffer.copy_from_slice(chunk);
        let word = u64::from_le_bytes(buffer);
        let colon = word ^ (ONES * 0x3A);
        let loud = word.wrapping_sub(ONES * 0x21) | colon.wrapping_sub(ONES) & !colon | word;
        let loud = loud & TOPS;
        if loud != 0 {
            // The lowest hit is exact; a borrow can only make later bytes loud.
            return length + loud.trailing_zeros() as usize / 8;
        }
        length += 8;
    }
    length
}
