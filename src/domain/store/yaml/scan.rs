//! From bytes to tokens, with the grammar of go-yaml v3 (libyaml's: block
//! structure from columns, keys found by looking ahead at most 1024 characters).
//!
//! Which comments belong to a token depends in go-yaml on how far its scanner
//! is ahead of its parser. The queue therefore keeps the same lookahead: two
//! tokens, or as many as it takes to know whether the next one starts a key.

use std::collections::VecDeque;

use super::super::ReadError;
use super::chars::{self, Census, is_blank, line_break};

use super::remarks::{Remark, RemarkLine};
use super::tokens::{Mark, Token, TokenKind, fault};
use crate::domain::search;
use crate::domain::secret::SecretBytes;
use crate::domain::tree::Span;

/// As deep as collections may be nested.
pub(super) const MAX_DEPTH: usize = 10_000;
/// As far as a `:` may be behind the start of its key, in characters.
const MAX_KEY: u32 = 1024;

/// A place where a key without `?` may have started.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SimpleKey {
    pub(super) possible: bool,
    pub(super) required: bool,
    pub(super) token: u32,
    pub(super) mark: Mark,
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
    pub(super) simple_keys: Vec<SimpleKey>,
    /// Token number → level of the simple key that starts there, ascending.
    keys_by_token: VecDeque<(u32, u32)>,
    pub(super) tokens: Vec<Token>,
    head: usize,
    parsed: u32,
    available: bool,
    pub(super) started: bool,
    pub(super) remarks: Vec<Remark>,
    pub(super) remark_lines: Vec<RemarkLine>,
    pub(super) decoded: SecretBytes,
}

/// What every step of the scanner answers.
pub(super) type Scan<T> = Result<T, Box<ReadError>>;

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
            let rest = &self.source[self.pos.min(self.source.len())..];
            let growth = search::memchr(b'\\', rest).map_or(0, |at| (rest.len() - at) / 2);
            self.decoded.as_mut_vec().reserve_exact(bytes.len() + rest.len() + growth + 16);
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

    /// The tokens that have been scanned and not been taken.
    #[inline(always)]
    pub(super) fn ahead(&self) -> &[Token] {
        &self.tokens[self.head..]
    }

    /// Puts others in the place of as many tokens ahead, and answers those.
    pub(super) fn replace_ahead<const N: usize>(&mut self, tokens: [Token; N]) -> [Token; N] {
        let mut others = tokens;
        self.tokens[self.head..self.head + N].swap_with_slice(&mut others);
        others
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

    pub(super) fn push(&mut self, kind: TokenKind, start: Mark) {
        let end = self.pos;
        self.tokens.push(Token::new(kind, start, end));
    }

    pub(super) fn insert(&mut self, number: u32, token: Token) {
        let at = self.head + number.saturating_sub(self.parsed) as usize;
        self.tokens.insert(at.min(self.tokens.len()), token);
    }

    pub(super) fn next_number(&self) -> u32 {
        self.parsed + (self.tokens.len() - self.head) as u32
    }

    pub(super) fn simple_key_is_valid(&mut self, level: usize) -> Scan<bool> {
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

    pub(super) fn save_simple_key(&mut self) -> Scan<()> {
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

    pub(super) fn remove_simple_key(&mut self) -> Scan<()> {
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
    pub(super) fn forget_key_token(&mut self, token: u32) {
        if self.keys_by_token.back().is_some_and(|last| last.0 == token) {
            self.keys_by_token.pop_back();
        } else if let Ok(at) = self.keys_by_token.binary_search_by_key(&token, |entry| entry.0) {
            self.keys_by_token.remove(at);
        }
    }

    pub(super) fn roll_indent(&mut self, mark: Mark, number: Option<u32>, kind: TokenKind) -> Scan<()> {
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
    pub(super) fn unroll_indent(&mut self, column: i32, scan_mark: Mark) {
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

    pub(super) fn scan_to_next_token(&mut self) -> Scan<()> {
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
