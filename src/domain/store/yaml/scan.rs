//! From bytes to tokens, with the grammar of go-yaml v3 (libyaml's: block
//! structure from columns, keys found by looking ahead at most 1024 characters).
//!
//! Which comments belong to a token depends in go-yaml on how far its scanner
//! is ahead of its parser. The queue therefore keeps the same lookahead: two
//! tokens, or as many as it takes to know whether the next one starts a key.

use std::collections::VecDeque;

use super::super::ReadError;
use super::chars::{self, Census, is_blank, is_blank_or_end, line_break};
use super::scan_comments::{Remark, RemarkLine};
use crate::domain::secret::SecretBytes;
use crate::domain::tree::{Span, Style};

/// As deep as collections may be nested.
pub(super) const MAX_DEPTH: usize = 10_000;
/// As far as a `:` may be behind the start of its key, in characters.
const MAX_KEY: u32 = 1024;

/// A place in the source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// Byte offset.
    pub(super) index: u32,
    /// Zero-based line.
    pub(super) line: u32,
    /// Zero-based column, in characters.
    pub(super) column: u32,
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    StreamStart,
    StreamEnd,
    VersionDirective,
    TagDirective,
    DocumentStart,
    DocumentEnd,
    BlockSequenceStart,
    BlockMappingStart,
    BlockEnd,
    FlowSequenceStart,
    FlowSequenceEnd,
    FlowMappingStart,
    FlowMappingEnd,
    BlockEntry,
    FlowEntry,
    Key,
    Value,
    Alias,
    Anchor,
    Tag,
    Scalar,
}

/// A token.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    /// What it is.
    pub(super) kind: TokenKind,
    /// How a scalar is written.
    pub(super) style: Style,
    /// Where it starts.
    pub(super) start: Mark,
    /// Where it ends (offset).
    pub(super) end: u32,
    /// Scalars: the decoded text, a text span of the tree. Anchors and aliases:
    /// the name. Directives: their arguments.
    pub(super) text: Span,
}

impl Token {
    /// A token without text.
    pub(super) fn new(kind: TokenKind, start: Mark, end: usize) -> Self {
        Self { kind, style: Style::Plain, start, end: end as u32, text: Span::default() }
    }
}

/// A place where a key without `?` may have started.
#[derive(Clone, Copy, Debug, Default)]
struct SimpleKey {
    possible: bool,
    required: bool,
    token: u32,
    mark: Mark,
}

/// The scanner.
pub(super) struct Scanner<'s> {
    pub(super) source: &'s [u8],
    pub(super) census: Census,
    pub(super) pos: usize,
    pub(super) line: u32,
    /// The offset that column 0 of this line would have if all characters were
    /// of one byte.
    pub(super) line_start: usize,
    /// Line breaks since the last character that is not blank.
    pub(super) newlines: u32,
    pub(super) flow_level: usize,
    /// Column of the innermost block collection, -1 outside of any.
    pub(super) indent: i32,
    indents: Vec<i32>,
    pub(super) simple_key_allowed: bool,
    simple_keys: Vec<SimpleKey>,
    /// Token number → level of the simple key that starts there, ascending.
    keys_by_token: VecDeque<(u32, u32)>,
    pub(super) tokens: Vec<Token>,
    head: usize,
    parsed: u32,
    available: bool,
    started: bool,
    pub(super) remarks: Vec<Remark>,
    pub(super) remark_lines: Vec<RemarkLine>,
    pub(super) decoded: SecretBytes,
}

/// What every step of the scanner answers.
pub(super) type Scan<T> = Result<T, ReadError>;

impl<'s> Scanner<'s> {
    /// A scanner at the start of `source`, of which `census` holds.
    pub(super) fn new(source: &'s [u8], census: Census) -> Self {
        let start = if source.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
        Self {
            source,
            census,
            pos: start,
            line: 0,
            line_start: start,
            newlines: 0,
            flow_level: 0,
            indent: -1,
            indents: Vec::new(),
            simple_key_allowed: true,
            simple_keys: vec![SimpleKey::default()],
            keys_by_token: VecDeque::new(),
            tokens: Vec::with_capacity(64),
            head: 0,
            parsed: 0,
            available: false,
            started: false,
            remarks: Vec::new(),
            remark_lines: Vec::new(),
            decoded: SecretBytes::default(),
        }
    }

    /// The current place.
    #[inline(always)]
    pub(super) fn mark(&self) -> Mark {
        Mark { index: self.pos as u32, line: self.line, column: self.column() }
    }

    /// The current column.
    #[inline(always)]
    pub(super) fn column(&self) -> u32 {
        self.pos.saturating_sub(self.line_start) as u32
    }

    /// The byte `ahead` of the current place, 0 behind the end.
    #[inline(always)]
    pub(super) fn peek(&self, ahead: usize) -> u8 {
        self.source.get(self.pos + ahead).copied().unwrap_or(0)
    }

    /// True behind the last byte.
    #[inline(always)]
    pub(super) fn at_end(&self) -> bool {
        self.pos >= self.source.len()
    }

    /// Moves to `pos` on the same line, past something that is not blank.
    #[inline(always)]
    pub(super) fn advance_to(&mut self, pos: usize) {
        if !self.census.ascii {
            self.line_start += chars::continuations(&self.source[self.pos..pos]);
        }
        self.newlines = 0;
        self.pos = pos;
    }

    /// Skips spaces and tabs.
    pub(super) fn skip_blanks(&mut self) {
        while is_blank(self.source, self.pos) {
            self.pos += 1;
        }
    }

    /// Skips a line break; false if there is none.
    #[inline(always)]
    pub(super) fn skip_break(&mut self) -> bool {
        let length = line_break(self.source, self.pos);
        if length == 0 {
            return false;
        }
        self.pos += length;
        self.line_start = self.pos;
        self.line += 1;
        self.newlines += 1;
        true
    }

    /// Stores a decoded text and answers its text span.
    pub(super) fn push_decoded(&mut self, bytes: &[u8]) {
        if self.decoded.is_empty() {
            // Escapes grow a text by half at most (`\L`): never moved, so never left behind.
            let rest = self.source.len() - self.pos.min(self.source.len());
            self.decoded.as_mut_vec().reserve_exact(bytes.len() + rest + rest / 2 + 16);
        }
        self.decoded.as_mut_vec().extend_from_slice(bytes);
    }

    /// The text span of what was decoded since `start`.
    pub(super) fn decoded_since(&self, start: usize) -> Span {
        let base = self.source.len();
        Span::new(base + start, base + self.decoded.len())
    }

    /// An error at `mark`.
    pub(super) fn error<T>(&self, mark: Mark, problem: &str) -> Scan<T> {
        Err(fault(mark.line, problem))
    }

    /// The next token, which stays the next one until [`Scanner::consume`].
    #[inline(always)]
    pub(super) fn peek_token(&mut self) -> Scan<Token> {
        if !self.available {
            self.fetch_more()?;
        }
        Ok(self.tokens[self.head])
    }

    /// Takes the token that was peeked at.
    #[inline(always)]
    pub(super) fn consume(&mut self) {
        self.available = false;
        self.head += 1;
        self.parsed += 1;
    }

    fn fetch_more(&mut self) -> Scan<()> {
        if self.head >= 48 {
            self.tokens.drain(..self.head);
            self.head = 0;
        }
        while self.head + 2 >= self.tokens.len() || self.head_may_be_key()? {
            if self.tokens.last().is_some_and(|token| token.kind == TokenKind::StreamEnd) {
                if self.head < self.tokens.len() {
                    // Behind the end no key can be completed.
                    self.head_may_be_key()?;
                    break;
                }
                return self.error(self.mark(), "did not find expected <document start>");
            }
            self.fetch_next()?;
        }
        self.available = true;
        Ok(())
    }

    /// True when the next token may turn out to start a key.
    fn head_may_be_key(&mut self) -> Scan<bool> {
        while let Some(&(token, level)) = self.keys_by_token.front() {
            if token > self.parsed {
                return Ok(false);
            }
            if token == self.parsed {
                return match self.simple_keys.get(level as usize) {
                    Some(_) => self.simple_key_is_valid(level as usize),
                    None => Ok(false),
                };
            }
            self.keys_by_token.pop_front();
        }
        Ok(false)
    }

    fn push(&mut self, kind: TokenKind, start: Mark) {
        let end = self.pos;
        self.tokens.push(Token::new(kind, start, end));
    }

    fn insert(&mut self, number: u32, token: Token) {
        let at = self.head + number.saturating_sub(self.parsed) as usize;
        self.tokens.insert(at.min(self.tokens.len()), token);
    }

    fn next_number(&self) -> u32 {
        self.parsed + (self.tokens.len() - self.head) as u32
    }

    #[expect(clippy::too_many_lines, reason = "one arm per kind of token")]
    fn fetch_next(&mut self) -> Scan<()> {
        if !self.started {
            self.started = true;
            let mark = self.mark();
            self.push(TokenKind::StreamStart, mark);
            return Ok(());
        }
        let scan_mark = self.mark();
        self.scan_to_next_token()?;
        let column = self.column();
        if self.indent > column as i32 {
            self.unroll_indent(column as i32, scan_mark);
        }
        if self.at_end() {
            return self.fetch_stream_end();
        }
        let first = self.peek(0);
        if column == 0 {
            match first {
                b'%' => return self.fetch_directive(),
                b'-' if self.at_document_indicator(b'-') => {
                    return self.fetch_document_indicator(TokenKind::DocumentStart);
                }
                b'.' if self.at_document_indicator(b'.') => {
                    return self.fetch_document_indicator(TokenKind::DocumentEnd);
                }
                _ => {}
            }
        }
        let in_flow = self.flow_level > 0;
        let mut comment_mark = self.mark();
        if (!in_flow && first == b':') || (in_flow && first == b',') {
            // A comment behind the indicator belongs to what stands before it.
            if let Some(last) = self.tokens.last() {
                comment_mark = last.start;
            }
        }
        match first {
            b'[' => self.fetch_flow_start(TokenKind::FlowSequenceStart)?,
            b'{' => self.fetch_flow_start(TokenKind::FlowMappingStart)?,
            b']' => self.fetch_flow_end(TokenKind::FlowSequenceEnd)?,
            b'}' => self.fetch_flow_end(TokenKind::FlowMappingEnd)?,
            b',' => self.fetch_flow_entry()?,
            b'-' if is_blank_or_end(self.source, self.pos + 1) => self.fetch_block_entry()?,
            b'?' if in_flow || is_blank_or_end(self.source, self.pos + 1) => self.fetch_key()?,
            b':' if in_flow || is_blank_or_end(self.source, self.pos + 1) => self.fetch_value()?,
            b'*' => self.fetch_anchor(TokenKind::Alias)?,
            b'&' => self.fetch_anchor(TokenKind::Anchor)?,
            b'!' => self.fetch_tag()?,
            b'|' if !in_flow => self.fetch_block_scalar(true)?,
            b'>' if !in_flow => self.fetch_block_scalar(false)?,
            b'\'' => self.fetch_quoted(true)?,
            b'"' => self.fetch_quoted(false)?,
            b'-' if is_blank(self.source, self.pos + 1) => return self.cannot_start(),
            b'\t' | b'#' | b'|' | b'>' | b'%' | b'@' | b'`' => return self.cannot_start(),
            _ => self.fetch_plain()?,
        }
        // A comment behind `-` is the head of what follows.
        if self.newlines == 0 && self.tokens.last().is_none_or(|last| last.kind != TokenKind::BlockEntry) {
            self.scan_line_comment(comment_mark);
        }
        Ok(())
    }

    fn cannot_start(&self) -> Scan<()> {
        self.error(self.mark(), "found character that cannot start any token")
    }

    /// True at `---` or `...` (three times `byte`) followed by a blank or the end.
    pub(super) fn at_document_indicator(&self, byte: u8) -> bool {
        self.source[self.pos..].starts_with(&[byte, byte, byte]) && is_blank_or_end(self.source, self.pos + 3)
    }

    fn simple_key_is_valid(&mut self, level: usize) -> Scan<bool> {
        let key = self.simple_keys[level];
        if !key.possible {
            return Ok(false);
        }
        if key.mark.line < self.line || key.mark.column + MAX_KEY < self.column() {
            if key.required {
                return self.error(key.mark, "could not find expected ':'");
            }
            self.simple_keys[level].possible = false;
            return Ok(false);
        }
        Ok(true)
    }

    fn save_simple_key(&mut self) -> Scan<()> {
        if self.simple_key_allowed {
            let key = SimpleKey {
                possible: true,
                required: self.flow_level == 0 && self.indent == self.column() as i32,
                token: self.next_number(),
                mark: self.mark(),
            };
            self.remove_simple_key()?;
            let level = self.simple_keys.len() - 1;
            self.simple_keys[level] = key;
            self.keys_by_token.push_back((key.token, level as u32));
        }
        Ok(())
    }

    fn remove_simple_key(&mut self) -> Scan<()> {
        let level = self.simple_keys.len() - 1;
        let key = self.simple_keys[level];
        if key.possible {
            if key.required {
                return self.error(key.mark, "could not find expected ':'");
            }
            self.simple_keys[level].possible = false;
            self.forget_key_token(key.token);
        }
        Ok(())
    }

    #[inline(always)]
    fn forget_key_token(&mut self, token: u32) {
        if self.keys_by_token.back().is_some_and(|last| last.0 == token) {
            self.keys_by_token.pop_back();
        } else if let Ok(at) = self.keys_by_token.binary_search_by_key(&token, |entry| entry.0) {
            self.keys_by_token.remove(at);
        }
    }

    fn roll_indent(&mut self, mark: Mark, number: Option<u32>, kind: TokenKind) -> Scan<()> {
        let column = mark.column as i32;
        if self.flow_level > 0 || self.indent >= column {
            return Ok(());
        }
        self.indents.push(self.indent);
        self.indent = column;
        if self.indents.len() > MAX_DEPTH {
            return self.error(mark, "exceeded max depth of 10000");
        }
        let token = Token::new(kind, mark, mark.index as usize);
        match number {
            Some(number) => self.insert(number, token),
            None => self.tokens.push(token),
        }
        Ok(())
    }

    /// Ends the block collections that stand deeper than `column`. Each ends
    /// before the comments which stand at its own column: those are comments
    /// of what contains it.
    fn unroll_indent(&mut self, column: i32, scan_mark: Mark) {
        if self.flow_level > 0 {
            return;
        }
        let mut block_mark = scan_mark;
        block_mark.index = block_mark.index.saturating_sub(1);
        while self.indent > column {
            let mut stop = block_mark.index;
            for remark in self.remarks.iter().rev() {
                if remark.end < stop {
                    break;
                }
                if remark.start.column as i32 == self.indent + 1 {
                    block_mark = remark.start;
                }
                stop = remark.scan;
            }
            self.tokens.push(Token::new(TokenKind::BlockEnd, block_mark, block_mark.index as usize));
            self.indent = self.indents.pop().unwrap_or(-1);
        }
    }

    fn fetch_stream_end(&mut self) -> Scan<()> {
        if self.column() != 0 {
            self.line_start = self.pos;
            self.line += 1;
        }
        self.unroll_indent(-1, self.mark());
        self.remove_simple_key()?;
        self.simple_key_allowed = false;
        let mark = self.mark();
        self.push(TokenKind::StreamEnd, mark);
        Ok(())
    }

    /// Ends all block collections: a document marker or directive follows.
    pub(super) fn end_blocks(&mut self) -> Scan<()> {
        self.unroll_indent(-1, self.mark());
        self.remove_simple_key()?;
        self.simple_key_allowed = false;
        Ok(())
    }

    fn fetch_document_indicator(&mut self, kind: TokenKind) -> Scan<()> {
        self.end_blocks()?;
        let start = self.mark();
        self.advance_to(self.pos + 3);
        self.push(kind, start);
        Ok(())
    }

    fn fetch_flow_start(&mut self, kind: TokenKind) -> Scan<()> {
        self.save_simple_key()?;
        let start = self.mark();
        self.simple_keys.push(SimpleKey { token: self.next_number(), mark: start, ..SimpleKey::default() });
        self.flow_level += 1;
        if self.flow_level > MAX_DEPTH {
            return self.error(start, "exceeded max depth of 10000");
        }
        self.simple_key_allowed = true;
        self.advance_to(self.pos + 1);
        self.push(kind, start);
        Ok(())
    }

    fn fetch_flow_end(&mut self, kind: TokenKind) -> Scan<()> {
        self.remove_simple_key()?;
        if self.flow_level > 0 {
            self.flow_level -= 1;
            if let Some(last) = self.simple_keys.pop() {
                self.forget_key_token(last.token);
            }
        }
        self.simple_key_allowed = false;
        let start = self.mark();
        self.advance_to(self.pos + 1);
        self.push(kind, start);
        Ok(())
    }

    fn fetch_flow_entry(&mut self) -> Scan<()> {
        self.remove_simple_key()?;
        self.simple_key_allowed = true;
        let start = self.mark();
        self.advance_to(self.pos + 1);
        self.push(TokenKind::FlowEntry, start);
        Ok(())
    }

    fn fetch_block_entry(&mut self) -> Scan<()> {
        let start = self.mark();
        if self.flow_level == 0 {
            if !self.simple_key_allowed {
                return self.error(start, "block sequence entries are not allowed in this context");
            }
            self.roll_indent(start, None, TokenKind::BlockSequenceStart)?;
        }
        self.remove_simple_key()?;
        self.simple_key_allowed = true;
        self.advance_to(self.pos + 1);
        self.push(TokenKind::BlockEntry, start);
        Ok(())
    }

    fn fetch_key(&mut self) -> Scan<()> {
        let start = self.mark();
        if self.flow_level == 0 {
            if !self.simple_key_allowed {
                return self.error(start, "mapping keys are not allowed in this context");
            }
            self.roll_indent(start, None, TokenKind::BlockMappingStart)?;
        }
        self.remove_simple_key()?;
        self.simple_key_allowed = self.flow_level == 0;
        self.advance_to(self.pos + 1);
        self.push(TokenKind::Key, start);
        Ok(())
    }

    fn fetch_value(&mut self) -> Scan<()> {
        let level = self.simple_keys.len() - 1;
        let start = self.mark();
        if self.simple_key_is_valid(level)? {
            let key = self.simple_keys[level];
            self.insert(key.token, Token::new(TokenKind::Key, key.mark, key.mark.index as usize));
            self.roll_indent(key.mark, Some(key.token), TokenKind::BlockMappingStart)?;
            self.simple_keys[level].possible = false;
            self.forget_key_token(key.token);
            self.simple_key_allowed = false;
        } else {
            if self.flow_level == 0 {
                if !self.simple_key_allowed {
                    return self.error(start, "mapping values are not allowed in this context");
                }
                self.roll_indent(start, None, TokenKind::BlockMappingStart)?;
            }
            self.simple_key_allowed = self.flow_level == 0;
        }
        self.advance_to(self.pos + 1);
        self.push(TokenKind::Value, start);
        Ok(())
    }

    fn fetch_anchor(&mut self, kind: TokenKind) -> Scan<()> {
        self.save_simple_key()?;
        self.simple_key_allowed = false;
        let token = self.scan_anchor(kind)?;
        self.tokens.push(token);
        Ok(())
    }

    fn fetch_tag(&mut self) -> Scan<()> {
        self.save_simple_key()?;
        self.simple_key_allowed = false;
        let token = self.scan_tag()?;
        self.tokens.push(token);
        Ok(())
    }

    fn fetch_directive(&mut self) -> Scan<()> {
        self.end_blocks()?;
        let token = self.scan_directive()?;
        self.tokens.push(token);
        Ok(())
    }

    fn fetch_block_scalar(&mut self, literal: bool) -> Scan<()> {
        self.remove_simple_key()?;
        self.simple_key_allowed = true;
        let token = self.scan_block_scalar(literal)?;
        self.tokens.push(token);
        Ok(())
    }

    fn fetch_quoted(&mut self, single: bool) -> Scan<()> {
        self.save_simple_key()?;
        self.simple_key_allowed = false;
        let token = self.scan_quoted(single)?;
        self.tokens.push(token);
        Ok(())
    }

    fn fetch_plain(&mut self) -> Scan<()> {
        self.save_simple_key()?;
        self.simple_key_allowed = false;
        let token = self.scan_plain()?;
        self.tokens.push(token);
        Ok(())
    }

    fn scan_to_next_token(&mut self) -> Scan<()> {
        let scan_mark = self.mark();
        loop {
            let tabs = self.flow_level > 0 || !self.simple_key_allowed;
            while self.peek(0) == b' ' || (tabs && self.peek(0) == b'\t') {
                self.pos += 1;
            }
            if !self.remarks.is_empty() {
                self.turn_line_comment_into_head();
            }
            if self.peek(0) == b'#' {
                self.scan_comments(scan_mark);
            }
            if !self.skip_break() {
                return Ok(());
            }
            if self.flow_level == 0 {
                self.simple_key_allowed = true;
            }
        }
    }
}

/// A syntax error on zero-based `line`, in go-yaml's form.
pub(super) fn fault(line: u32, problem: &str) -> ReadError {
    let line = line as usize + 1;
    ReadError::syntax(line, format!("yaml: line {line}: {problem}"))
}
