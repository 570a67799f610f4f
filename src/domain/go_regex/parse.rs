//! The grammar of Go's `regexp/syntax` in its Perl mode, with its errors.

use super::PatternError;
use super::class;
use super::cursor::{Cursor, Flags, INVALID_ESCAPE};
use super::syntax::{Node, Place};

const INVALID_NAME: &str = "invalid named capture";
const INVALID_PERL: &str = "invalid or unsupported Perl syntax";
const INVALID_REPEAT: &str = "invalid nested repetition operator";
const INVALID_COUNT: &str = "invalid repeat count";
const MISSING_PAREN: &str = "missing closing )";
const MISSING_OPERAND: &str = "missing argument to repetition operator";
const UNEXPECTED_PAREN: &str = "unexpected )";
const TOO_DEEP: &str = "expression nests too deeply";

/// Counts in a repetition, and the product of nested ones.
const MOST_REPEATS: u32 = 1000;
/// Levels of groups and repetitions.
const MOST_LEVELS: u32 = 1000;

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
        cursor: Cursor::new(pattern),
        flags: Flags::default(),
        open: Vec::new(),
        group: Group::default(),
    };
    let mut repetition = None;
    while !parser.cursor.rest().is_empty() {
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
        let start = self.cursor.rest();
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
        let rest = self.cursor.rest();
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
                self.cursor.back_to(rest);
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
        let start = self.cursor.rest();
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
        if self.cursor.rest().starts_with('?') {
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
        let start = self.cursor.rest();
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
