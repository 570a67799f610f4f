//! Literal and folded blocks in place: which bytes are the header, which the
//! body, and whether a header can carry a value. Tokens and values change the
//! body alone wherever that is possible, so that header, header comment and the
//! blank lines behind stay as they are.

use super::chars::{find_break, line_break, trailing_break};
use super::emit_scalar::{fits_block, write_block_lines};
use super::metadata;
use crate::domain::store::splice::Edit;
use crate::domain::tree::{Node, Span, Tree};

/// What happens to the line breaks at the end of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chomp {
    /// `-`: none is part of the value.
    Strip,
    /// One is.
    Clip,
    /// `+`: all are.
    Keep,
}

/// A block scalar's parts.
pub(super) struct Block<'s> {
    /// From the indicator to the end of the last line of the body, its break excluded.
    pub(super) whole: Span,
    /// From the first line of the body to the end of its last, that line's break excluded.
    pub(super) body: Span,
    folded: bool,
    digit: bool,
    sign_first: bool,
    chomp: Chomp,
    /// Column of the body.
    column: usize,
    /// The same, counted from the parent's.
    offset: usize,
    line_break: &'s [u8],
    /// There is no line below the header.
    bodiless: bool,
    /// What follows the indicators on their line: blanks and a comment.
    trail: &'s [u8],
    /// No line break follows in the plain file.
    at_end: bool,
}

impl<'s> Block<'s> {
    /// The parts of `node`; `None` if it has no body.
    pub(super) fn of(tree: &Tree<'s>, node: &Node) -> Option<Self> {
        let raw = tree.raw(node.span);
        let folded = match raw.first()? {
            b'|' => false,
            b'>' => true,
            _ => return None,
        };
        let indicators = raw[1..].iter().take_while(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-')).count();
        let header = &raw[1..=indicators];
        let header_end = find_break(raw)?;
        let line_break = &raw[header_end..header_end + line_break(raw, header_end)];
        let start = header_end + line_break.len();
        let body = raw.get(start..)?;
        let kept = body.len() - trailing_break(body);
        let (body, start) = (&body[..kept], start + node.span.start as usize);
        let parent = node.indent.max(0) as usize;
        let digit = header.iter().find(|byte| byte.is_ascii_digit()).map(|byte| usize::from(byte - b'0'));
        let column = match digit {
            Some(digit) => parent + digit,
            // A break that only YAML 1.1 knows may hide the first line.
            None => first_column(body).unwrap_or_else(|| widest(body).max(parent + 2)).max(parent + 1),
        };
        let chomp = match (header.contains(&b'-'), header.contains(&b'+')) {
            (true, _) => Chomp::Strip,
            (_, true) => Chomp::Keep,
            _ => Chomp::Clip,
        };
        let end = start + kept;
        let bodiless = raw.len() == header_end + line_break.len();
        let whole_end = if bodiless { node.span.start as usize + header_end } else { end };
        Some(Self {
            whole: Span::new(node.span.start as usize, whole_end),
            bodiless,
            body: Span::new(start, end),
            folded,
            digit: digit.is_some(),
            sign_first: matches!(header.first(), Some(b'+' | b'-')),
            chomp,
            column,
            offset: column.saturating_sub(parent),
            line_break,
            trail: &raw[1 + indicators..header_end],
            at_end: metadata::is_plain_end(tree, end),
        })
    }

    /// Appends `token` as the body.
    pub(super) fn write_token(&self, token: &str, out: &mut Vec<u8>) {
        out.resize(out.len() + self.column, b' ');
        out.extend_from_slice(token.as_bytes());
    }

    /// Appends `text` as the body, or with a header of its own where the header at
    /// hand would change it. `None`, with nothing written, if no block can hold it here.
    pub(super) fn write_text(&self, text: &[u8], out: &mut Vec<u8>) -> Option<Span> {
        // Only a body whose lines end as the header's does is put together as it was.
        if self.bodiless
            || text.is_empty()
            || !fits_block(text)
            || !matches!(self.line_break, b"\n" | b"\r" | b"\r\n")
        {
            return None;
        }
        let trailing = text.iter().rev().take_while(|byte| **byte == b'\n').count();
        let lead = text.iter().find(|byte| **byte != b'\n');
        let needs_digit = matches!(text.iter().position(|byte| *byte != b'\n'), Some(at) if matches!(text[at], b' ' | b'\t'));
        let chomp = match (trailing, lead) {
            (0, _) if self.at_end && self.chomp != Chomp::Strip => self.chomp,
            (0, _) => Chomp::Strip,
            _ if self.at_end => return None,
            (1, Some(_)) if self.chomp != Chomp::Keep => Chomp::Clip,
            _ => Chomp::Keep,
        };
        if chomp == self.chomp && (self.digit || !needs_digit) {
            self.write_body(text, out);
            return Some(self.body);
        }
        // A header that keeps all breaks would take in the blank lines that follow.
        if chomp == Chomp::Keep || !(1..=9).contains(&self.offset) {
            return None;
        }
        out.push(if self.folded { b'>' } else { b'|' });
        if self.digit || needs_digit {
            out.push(b'0' + self.offset as u8);
        }
        if chomp == Chomp::Strip {
            out.push(b'-');
        }
        out.extend_from_slice(self.trail);
        out.extend_from_slice(self.line_break);
        self.write_body(text, out);
        Some(self.whole)
    }

    /// One past the last line that is not blank, or the end of the header.
    pub(super) fn content_end(&self, tree: &Tree<'_>) -> usize {
        self.whole.start as usize + tree.raw(self.whole).trim_ascii_end().len()
    }

    /// The edit that keeps the value `text` what it is when a line break comes behind a
    /// block that ends the file without one, or whose span ends at `end` with nothing but
    /// blanks behind it.
    pub(super) fn settle(&self, tree: &Tree<'_>, text: &[u8], end: usize) -> Option<Edit> {
        let tail = &tree.source[end..];
        let is_blank = !tail.is_empty() && tail.iter().all(|byte| matches!(byte, b' ' | b'\t'));
        let becomes_text = is_blank && self.chomp == Chomp::Keep;
        if self.chomp == Chomp::Strip || !self.at_end && !becomes_text {
            return None;
        }
        if becomes_text && (text.ends_with(b"\n\n") || text == b"\n") {
            // No other header says so: the line break that comes is the last one of the text.
            let end = self.whole.end as usize;
            let joins = |byte: &&u8| **byte == b'\r' && metadata::line_break(tree) == b"\n";
            let joined = tree.source[..end].iter().rev().take_while(joins).count();
            return Some(Edit::new(Span::new(end - joined, tree.source.len()), b"\n".repeat(joined)));
        }
        let start = self.whole.start as usize + 1;
        let at = start + usize::from(self.digit && !self.sign_first);
        let span = Span::new(at, at + usize::from(self.chomp == Chomp::Keep));
        let clips = !self.at_end && text.ends_with(b"\n");
        Some(Edit::new(span, if clips { b"".to_vec() } else { b"-".to_vec() }))
    }

    /// Appends what stood behind the indicators, for a value that leaves the block style.
    pub(super) fn write_trail(&self, out: &mut Vec<u8>) {
        if self.trail.starts_with(b"#") {
            out.push(b' ');
        }
        out.extend_from_slice(self.trail.trim_ascii_end());
    }

    fn write_body(&self, text: &[u8], out: &mut Vec<u8>) {
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        if !self.folded {
            write_block_lines(text, self.column, self.line_break, out);
            return;
        }
        // Between two lines that do not start with a blank, the reader takes one
        // break away (a single one becomes a blank); elsewhere all count.
        let mut before: Option<&[u8]> = None;
        let mut breaks = 0;
        for line in text.split(|byte| *byte == b'\n') {
            if !line.is_empty() {
                let folds = before.is_some_and(|before| !starts_blank(before)) && !starts_blank(line);
                for _ in 0..breaks + usize::from(folds) {
                    out.extend_from_slice(self.line_break);
                }
                breaks = 0;
                out.resize(out.len() + self.column, b' ');
                out.extend_from_slice(line);
                before = Some(line);
            }
            breaks += 1;
        }
        for _ in 1..breaks {
            out.extend_from_slice(self.line_break);
        }
    }
}

fn starts_blank(line: &[u8]) -> bool {
    matches!(line.first(), Some(b' ' | b'\t'))
}

/// The column that a body of blank lines has: that of its widest line. A comment
/// further left ends it.
fn widest(body: &[u8]) -> usize {
    body.split(|byte| matches!(byte, b'\n' | b'\r')).map(<[u8]>::len).max().unwrap_or(0)
}

/// The column of the first line that holds more than spaces.
fn first_column(body: &[u8]) -> Option<usize> {
    body.split(|byte| matches!(byte, b'\n' | b'\r')).find_map(|line| {
        let column = line.iter().position(|byte| *byte != b' ')?;
        Some(column)
    })
}
