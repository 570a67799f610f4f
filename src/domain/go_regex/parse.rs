//! The grammar of Go's `regexp/syntax` in its Perl mode, with its errors.

use super::PatternError;
use super::class;
use super::syntax::{Node, Place};

pub(super) const INVALID_RANGE: &str = "invalid character class range";
pub(super) const MISSING_BRACKET: &str = "missing closing ]";
const INVALID_ESCAPE: &str = "invalid escape sequence";
const INVALID_NAME: &str = "invalid named capture";
const INVALID_PERL: &str = "invalid or unsupported Perl syntax";
const INVALID_REPEAT: &str = "invalid nested repetition operator";
const INVALID_COUNT: &str = "invalid repeat count";
const MISSING_PAREN: &str = "missing closing )";
const MISSING_OPERAND: &str = "missing argument to repetition operator";
const TRAILING_BACKSLASH: &str = "trailing backslash at end of expression";
const UNEXPECTED_PAREN: &str = "unexpected )";
const TOO_DEEP: &str = "expression nests too deeply";

/// Counts in a repetition, and the product of nested ones.
const MOST_REPEATS: u32 = 1000;
/// Levels of groups and repetitions.
const MOST_LEVELS: u32 = 1000;

/// The switches of `(?imsU)` that decide whether there is a match.
#[derive(Clone, Copy, Default)]
pub(super) struct Flags {
    pub(super) fold: bool,
    lines: bool,
    dot_newline: bool,
}

/// What is left of a pattern.
pub(super) struct Cursor<'p> {
    rest: &'p str,
}

impl<'p> Cursor<'p> {
    /// The rest of the pattern.
    pub(super) fn rest(&self) -> &'p str {
        self.rest
    }

    /// Steps over `bytes` bytes.
    pub(super) fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or("");
    }

    /// Steps over one character.
    pub(super) fn next(&mut self) -> Option<char> {
        let character = self.rest.chars().next()?;
        self.skip(character.len_utf8());
        Some(character)
    }

    /// An error that blames everything from `start` to here.
    pub(super) fn error_since(&self, reason: &'static str, start: &str) -> PatternError {
        PatternError { reason, part: start[..start.len() - self.rest.len()].to_owned() }
    }

    /// Reads the escape of one character; the cursor stands on the backslash.
    pub(super) fn escape(&mut self) -> Result<u32, PatternError> {
        let start = self.rest;
        self.skip(1);
        let Some(character) = self.next() else {
            return Err(PatternError { reason: TRAILING_BACKSLASH, part: String::new() });
        };
        let found = match character {
            '1'..='7' if !self.rest.starts_with(|c| matches!(c, '0'..='7')) => None,
            '0'..='7' => Some(self.octal(character)),
            'x' => self.hexadecimal(),
            'a' => Some(0x07),
            'f' => Some(0x0C),
            'n' => Some(0x0A),
            'r' => Some(0x0D),
            't' => Some(0x09),
            'v' => Some(0x0B),
            other if other.is_ascii() && !other.is_ascii_alphanumeric() => Some(u32::from(other)),
            _ => None,
        };
        found.ok_or_else(|| self.error_since(INVALID_ESCAPE, start))
    }

    fn octal(&mut self, first: char) -> u32 {
        let mut value = u32::from(first) - u32::from('0');
        for _ in 0..2 {
            let Some(digit) = self.rest.chars().next().and_then(|c| c.to_digit(8)) else { break };
            value = value * 8 + digit;
            self.skip(1);
        }
        value
    }

    fn hexadecimal(&mut self) -> Option<u32> {
        let first = self.next()?;
        if first != '{' {
            let second = self.next()?;
            return Some(first.to_digit(16)? * 16 + second.to_digit(16)?);
        }
        let mut value = 0;
        let mut digits = 0;
        loop {
            let character = self.next()?;
            if character == '}' {
                return (digits > 0).then_some(value);
            }
            value = value * 16 + character.to_digit(16)?;
            if value > u32::from(char::MAX) {
                return None;
            }
            digits += 1;
        }
    }

    /// Reads `{n}`, `{n,}` or `{n,m}`; anything else is no repetition. A count of
    /// nine digits or more reads as one over the limit.
    fn counts(&mut self) -> Option<(u32, Option<u32>)> {
        let start = self.rest;
        let counts = self.counts_or_less();
        if counts.is_none() {
            self.rest = start;
        }
        counts
    }

    fn counts_or_less(&mut self) -> Option<(u32, Option<u32>)> {
        self.skip(1);
        let min = self.count()?;
        let mut max = Some(min);
        if self.rest.starts_with(',') {
            self.skip(1);
            max = if self.rest.starts_with('}') { None } else { Some(self.count()?) };
        }
        if !self.rest.starts_with('}') {
            return None;
        }
        self.skip(1);
        Some((min, max))
    }

    fn count(&mut self) -> Option<u32> {
        let digits = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let text = &self.rest[..digits];
        if digits == 0 || (digits > 1 && text.starts_with('0')) {
            return None;
        }
        self.skip(digits);
        Some(text.parse().unwrap_or(u32::MAX))
    }
}

/// A piece with what Go's limits count.
struct Piece {
    node: Node,
    /// The largest product of nested repetition counts.
    repeats: u32,
    /// Levels below and including this one.
    levels: u32,
}

impl Piece {
    fn leaf(node: Node) -> Self {
        Self { node, repeats: 1, levels: 1 }
    }
}

/// An open group.
#[derive(Default)]
struct Group {
    capture: bool,
    outer: Flags,
    done: Vec<Piece>,
    current: Vec<Piece>,
}

impl Group {
    fn end_branch(&mut self) {
        let pieces = std::mem::take(&mut self.current);
        self.done.push(join(pieces, Node::Concat));
    }

    fn close(mut self) -> Piece {
        self.end_branch();
        let mut piece = join(self.done, Node::Alternate);
        piece.levels += u32::from(self.capture);
        piece
    }
}

fn join(mut pieces: Vec<Piece>, wrap: fn(Vec<Node>) -> Node) -> Piece {
    match pieces.len() {
        0 => Piece::leaf(Node::Empty),
        1 => pieces.remove(0),
        _ => Piece {
            repeats: pieces.iter().map(|piece| piece.repeats).max().unwrap_or(1),
            levels: 1 + pieces.iter().map(|piece| piece.levels).max().unwrap_or(0),
            node: wrap(pieces.into_iter().map(|piece| piece.node).collect()),
        },
    }
}

struct Parser<'p> {
    pattern: &'p str,
    cursor: Cursor<'p>,
    flags: Flags,
    open: Vec<Group>,
    group: Group,
}

/// Reads a pattern as Go's `regexp.Compile` does.
pub(super) fn parse(pattern: &str) -> Result<Node, PatternError> {
    let mut parser = Parser {
        pattern,
        cursor: Cursor { rest: pattern },
        flags: Flags::default(),
        open: Vec::new(),
        group: Group::default(),
    };
    let mut repetition = None;
    while !parser.cursor.rest.is_empty() {
        repetition = parser.step(repetition)?;
    }
    if !parser.open.is_empty() {
        return Err(parser.whole(MISSING_PAREN));
    }
    let piece = parser.group.close();
    if piece.levels > MOST_LEVELS {
        return Err(PatternError { reason: TOO_DEEP, part: pattern.to_owned() });
    }
    Ok(piece.node)
}

impl<'p> Parser<'p> {
    fn whole(&self, reason: &'static str) -> PatternError {
        PatternError { reason, part: self.pattern.to_owned() }
    }

    fn push(&mut self, node: Node) {
        self.group.current.push(Piece::leaf(node));
    }

    fn place(&mut self, place: Place) {
        self.push(Node::Assert(place));
    }

    fn literal(&mut self, code: u32) {
        let fold = self.flags.fold;
        self.push(match char::from_u32(code) {
            Some(character) => Node::Literal { character, fold },
            None => Node::Class { text: super::syntax::NOTHING.to_owned(), few: Vec::new() },
        });
    }

    /// Reads one piece. `last` is where the repetition just before it began;
    /// returns that for the piece read.
    fn step(&mut self, last: Option<&'p str>) -> Result<Option<&'p str>, PatternError> {
        let start = self.cursor.rest;
        let byte = start.as_bytes().first().copied().unwrap_or(0);
        match byte {
            b'(' => self.open_group()?,
            b'[' => {
                let node = class::bracket(&mut self.cursor, self.flags)?;
                self.push(node);
            }
            b'\\' => self.backslash()?,
            b'*' | b'+' | b'?' | b'{' => return self.repetition(byte, last),
            b'|' | b')' | b'^' | b'$' | b'.' => {
                self.cursor.skip(1);
                self.operator(byte)?;
            }
            _ => {
                if let Some(character) = self.cursor.next() {
                    self.literal(u32::from(character));
                }
            }
        }
        Ok(None)
    }

    fn operator(&mut self, byte: u8) -> Result<(), PatternError> {
        match byte {
            b'|' => self.group.end_branch(),
            b')' => self.close_group()?,
            b'^' if self.flags.lines => self.place(Place::LineStart),
            b'^' => self.place(Place::Start),
            b'$' if self.flags.lines => self.place(Place::LineEnd),
            b'$' => self.place(Place::End),
            _ => {
                let text = if self.flags.dot_newline { "(?s:.)" } else { r"[^\n]" };
                self.push(Node::Class { text: text.to_owned(), few: Vec::new() });
            }
        }
        Ok(())
    }

    fn backslash(&mut self) -> Result<(), PatternError> {
        let rest = self.cursor.rest;
        match rest.as_bytes().get(1) {
            Some(b'A') => self.place(Place::Start),
            Some(b'b') => self.place(Place::WordBoundary),
            Some(b'B') => self.place(Place::NoWordBoundary),
            Some(b'z') => self.place(Place::End),
            Some(b'C') => {
                return Err(PatternError { reason: INVALID_ESCAPE, part: rest[..2].to_owned() });
            }
            Some(b'Q') => {
                let (text, rest) = rest[2..].split_once(r"\E").unwrap_or((&rest[2..], ""));
                text.chars().for_each(|character| self.literal(u32::from(character)));
                self.cursor.rest = rest;
                return Ok(());
            }
            _ => {
                match class::escape(&mut self.cursor, self.flags)? {
                    Some(node) => self.push(node),
                    None => {
                        let code = self.cursor.escape()?;
                        self.literal(code);
                    }
                }
                return Ok(());
            }
        }
        self.cursor.skip(2);
        Ok(())
    }

    fn repetition(&mut self, byte: u8, last: Option<&'p str>) -> Result<Option<&'p str>, PatternError> {
        let start = self.cursor.rest;
        let (min, max) = match byte {
            b'{' => match self.cursor.counts() {
                Some(counts) => counts,
                None => {
                    self.cursor.skip(1);
                    self.literal(u32::from('{'));
                    return Ok(None);
                }
            },
            _ => {
                self.cursor.skip(1);
                (u32::from(byte == b'+'), (byte == b'?').then_some(1))
            }
        };
        if min > MOST_REPEATS || max.is_some_and(|max| max > MOST_REPEATS || max < min) {
            return Err(self.cursor.error_since(INVALID_COUNT, start));
        }
        if self.cursor.rest.starts_with('?') {
            self.cursor.skip(1);
        }
        if let Some(last) = last {
            return Err(self.cursor.error_since(INVALID_REPEAT, last));
        }
        let Some(piece) = self.group.current.pop() else {
            return Err(self.cursor.error_since(MISSING_OPERAND, start));
        };
        let times = if byte == b'{' { max.unwrap_or(min.max(1)) } else { 1 };
        let repeats = piece.repeats.saturating_mul(times);
        if byte == b'{' && times >= 2 && repeats > MOST_REPEATS {
            return Err(self.cursor.error_since(INVALID_COUNT, start));
        }
        let levels = piece.levels + 1;
        if levels > MOST_LEVELS {
            return Err(self.whole(TOO_DEEP));
        }
        let node = Node::Repeat { node: Box::new(piece.node), min, max };
        self.group.current.push(Piece { node, repeats, levels });
        Ok(Some(start))
    }

    fn open_group(&mut self) -> Result<(), PatternError> {
        let start = self.cursor.rest;
        if !start.starts_with("(?") {
            self.cursor.skip(1);
            self.enter(true);
            return Ok(());
        }
        let name = if start.starts_with("(?P<") && start.len() > 4 {
            Some(4)
        } else if start.starts_with("(?<") && start.len() > 3 {
            Some(3)
        } else {
            None
        };
        match name {
            Some(name) => self.named_group(start, name),
            None => self.switches(start),
        }
    }

    fn named_group(&mut self, start: &str, name: usize) -> Result<(), PatternError> {
        let Some(end) = start.find('>') else {
            return Err(PatternError { reason: INVALID_NAME, part: start.to_owned() });
        };
        self.cursor.skip(end + 1);
        let name = start.get(name..end).unwrap_or("");
        if name.is_empty() || !name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric()) {
            return Err(self.cursor.error_since(INVALID_NAME, start));
        }
        self.enter(true);
        Ok(())
    }

    /// `(?i)`, `(?s-m:` and the like.
    fn switches(&mut self, start: &str) -> Result<(), PatternError> {
        self.cursor.skip(2);
        let mut flags = self.flags;
        let mut on = true;
        let mut any = false;
        loop {
            match self.cursor.next() {
                Some('i') => flags.fold = on,
                Some('m') => flags.lines = on,
                Some('s') => flags.dot_newline = on,
                Some('U') => {}
                Some('-') if on => {
                    on = false;
                    any = false;
                    continue;
                }
                Some(end @ (':' | ')')) if on || any => {
                    if end == ':' {
                        self.enter(false);
                    }
                    self.flags = flags;
                    return Ok(());
                }
                _ => return Err(self.cursor.error_since(INVALID_PERL, start)),
            }
            any = true;
        }
    }

    fn enter(&mut self, capture: bool) {
        let group = Group { capture, outer: self.flags, ..Group::default() };
        self.open.push(std::mem::replace(&mut self.group, group));
    }

    fn close_group(&mut self) -> Result<(), PatternError> {
        let Some(outer) = self.open.pop() else { return Err(self.whole(UNEXPECTED_PAREN)) };
        let group = std::mem::replace(&mut self.group, outer);
        self.flags = group.outer;
        let piece = group.close();
        if piece.levels > MOST_LEVELS {
            return Err(self.whole(TOO_DEEP));
        }
        self.group.current.push(piece);
        Ok(())
    }
}
