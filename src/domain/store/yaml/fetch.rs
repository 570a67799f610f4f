//! What stands at the current place: one token, or the tokens that a `-`, `?` or
//! `:` makes of it and of what stands before.

use super::chars::{is_blank, is_blank_or_end};
use super::scan::{MAX_DEPTH, Scan, Scanner, SimpleKey};
use super::tokens::{Token, TokenKind};

impl Scanner<'_> {
    pub(super) fn fetch_next(&mut self) -> Scan<()> {
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
        self.scan_anchor(kind)
    }

    fn fetch_tag(&mut self) -> Scan<()> {
        self.save_simple_key()?;
        self.simple_key_allowed = false;
        self.scan_tag()
    }

    fn fetch_directive(&mut self) -> Scan<()> {
        self.end_blocks()?;
        self.scan_directive()
    }

    fn fetch_block_scalar(&mut self, literal: bool) -> Scan<()> {
        self.remove_simple_key()?;
        self.simple_key_allowed = true;
        self.scan_block_scalar(literal)
    }

    fn fetch_quoted(&mut self, single: bool) -> Scan<()> {
        self.save_simple_key()?;
        self.simple_key_allowed = false;
        self.scan_quoted(single)
    }

    fn fetch_plain(&mut self) -> Scan<()> {
        self.save_simple_key()?;
        self.simple_key_allowed = false;
        self.scan_plain()
    }
}
