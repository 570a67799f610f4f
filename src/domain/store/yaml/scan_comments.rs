//! Comments as go-yaml scans them: cut into runs, each already told to be the
//! head of what follows, the foot of what stands before, or behind something on
//! its line. Blank lines, columns and the last token decide; so does a window of
//! 512 bytes, and CR LF counts as two lines here.

use super::chars::{is_blank, line_break, line_end};
use super::remarks::{Remark, RemarkLine, Role};
use super::scan::Scanner;
use super::tokens::{Mark, TokenKind};
use crate::domain::tree::Span;

/// As far as comments are searched for at once.
const WINDOW: usize = 512;

/// The state of a search for comment lines.
struct Search {
    scan: u32,
    token: u32,
    start: Mark,
    /// The first line of the run at hand; none if it equals the number of lines.
    first: u32,
}

impl Scanner<'_> {
    /// Takes a comment behind the token at hand, which is the comment of
    /// whatever starts at `token_mark`.
    pub(super) fn scan_line_comment(&mut self, token_mark: Mark) {
        if self.newlines > 0 {
            return;
        }
        let mut hash = self.pos;
        while hash < self.pos + WINDOW && is_blank(self.source, hash) {
            hash += 1;
        }
        if hash >= self.pos + WINDOW || self.source.get(hash) != Some(&b'#') {
            return;
        }
        self.pos = hash;
        let start = self.mark();
        let first = self.remark_lines.len() as u32;
        self.take_comment_line();
        self.remarks.push(Remark {
            role: Role::Line,
            scan: 0,
            token: token_mark.index,
            start,
            end: 0,
            first,
            last: first + 1,
        });
    }

    /// Takes the comment line at hand, up to its break.
    pub(super) fn take_comment_line(&mut self) {
        let end = line_end(self.source, self.pos, self.census.only_lf);
        let inline = self.is_inline(self.pos);
        self.remark_lines.push(RemarkLine { span: Span::new(self.pos, end), gap: false, inline });
        self.advance_to(end);
    }

    /// True when something stands before offset `at` on its line.
    pub(super) fn is_inline(&self, at: usize) -> bool {
        let before = self.source[..at].iter().rposition(|byte| !matches!(byte, b' ' | b'\t'));
        let Some(last) = before else { return false };
        match self.source[last] {
            b'\n' | b'\r' => false,
            0x85 => !self.source[..=last].ends_with(b"\xC2\x85"),
            0xA8 | 0xA9 => !matches!(self.source[..last], [.., 0xE2, 0x80]),
            0xBF => last != 2 || !self.source.starts_with(b"\xEF\xBB\xBF"),
            _ => true,
        }
    }

    /// A comment behind the `-` that starts a sequence is the head of its first
    /// element.
    pub(super) fn turn_line_comment_into_head(&mut self) {
        let [.., before, last] = self.tokens.as_slice() else { return };
        if before.kind != TokenKind::BlockSequenceStart || last.kind != TokenKind::BlockEntry {
            return;
        }
        if line_break(self.source, self.pos) > 0 {
            return;
        }
        let mark = self.mark();
        let Some(remark) = self.remarks.last_mut() else { return };
        if remark.role == Role::Line {
            remark.role = Role::Head;
            if remark.start.line + 1 == mark.line {
                remark.token = mark.index;
            }
        }
    }

    /// Takes all comment lines from here on, with the blank lines between them.
    /// `scan_mark` is where the search for the next token began.
    pub(super) fn scan_comments(&mut self, scan_mark: Mark) {
        let Some(mut token) = self.tokens.last().copied() else { return };
        if token.kind == TokenKind::FlowEntry && self.tokens.len() > 1 {
            token = self.tokens[self.tokens.len() - 2];
        }
        let mut run = Search {
            scan: scan_mark.index,
            token: token.start.index,
            start: Mark::default(),
            first: self.remark_lines.len() as u32,
        };
        let next_indent = i64::from(self.indent.max(0));
        let mut recent_empty = false;
        let mut first_empty = self.newlines <= 1;
        let mut line = self.line;
        let mut column = self.column();
        let foot_line = self.foot_line(scan_mark);

        let mut ahead = 0;
        while ahead < WINDOW {
            column += 1;
            let at = self.pos + ahead;
            if is_blank(self.source, at) {
                ahead += 1;
                continue;
            }
            let byte = self.source.get(at).copied();
            let closes = self.flow_level > 0 && matches!(byte, Some(b']' | b'}'));
            let breaks = line_break(self.source, at) > 0;
            let has_text = run.first < self.remark_lines.len() as u32;
            if closes || breaks || byte.is_none() {
                if closes || !recent_empty {
                    let below = run.start.line as i64 == foot_line && token.kind != TokenKind::Value;
                    let dedented = i64::from(run.start.column) - 1 < next_indent;
                    let ends = closes || (first_empty && (below || dedented));
                    if has_text && ends {
                        if dedented {
                            run.token = run.start.index;
                        }
                        self.end_foot(&mut run, at);
                    } else if has_text && byte.is_some() {
                        self.note_gap();
                    }
                }
                if !breaks {
                    break;
                }
                (first_empty, recent_empty) = (false, true);
                column = 0;
                line += 1;
                ahead += 1;
                continue;
            }
            if has_text && i64::from(column) - 1 < next_indent && column != run.start.column {
                // At another column than the lines before, which are the foot of
                // what stands before them.
                self.end_foot(&mut run, at);
            }
            if byte != Some(b'#') {
                break;
            }
            if run.first == self.remark_lines.len() as u32 {
                run.start = Mark { index: at as u32, line, column };
            }
            recent_empty = false;
            self.skip_to(at);
            self.take_comment_line();
            ahead = 1;
            column = 0;
            line = self.line;
        }
        self.end_head(&run, ahead);
    }

    /// What is left of a run is the head of what follows.
    fn end_head(&mut self, run: &Search, ahead: usize) {
        let last = self.remark_lines.len() as u32;
        if run.first < last {
            let end = (self.pos + ahead).saturating_sub(1) as u32;
            let Search { scan, start, first, .. } = *run;
            self.remarks.push(Remark { role: Role::Head, scan, token: start.index, start, end, first, last });
        }
    }

    /// The line where a comment must start to be the foot of what stands before:
    /// the line below it.
    fn foot_line(&self, scan_mark: Mark) -> i64 {
        if scan_mark.line == 0 {
            return -1;
        }
        let line = i64::from(self.line) - i64::from(self.newlines) + 1;
        line + i64::from(self.newlines == 0 && self.column() > 1)
    }

    fn end_foot(&mut self, run: &mut Search, at: usize) {
        let last = self.remark_lines.len() as u32;
        self.remarks.push(Remark {
            role: Role::Foot,
            scan: run.scan,
            token: run.token,
            start: run.start,
            end: at as u32,
            first: run.first,
            last,
        });
        run.scan = at as u32;
        run.token = at as u32;
        run.first = last;
    }

    fn note_gap(&mut self) {
        if let Some(last) = self.remark_lines.last_mut() {
            last.gap = true;
        }
    }

    /// Skips blanks and line breaks up to `at`.
    fn skip_to(&mut self, at: usize) {
        while self.pos < at {
            if !self.skip_break() {
                self.pos += 1;
            }
        }
    }
}
