//! JSON text into a tree, in one pass and without recursion. The grammar is
//! RFC 8259 as Go's `encoding/json` applies it (sops-compat 5.4): nesting is
//! limited to 10,000 levels, lone surrogates decode to U+FFFD, duplicate keys
//! are kept. Stricter than SOPS in two places, because it would change data
//! silently there: bytes that are not UTF-8, and anything behind the object.

use crate::domain::lines::Lines;
use crate::domain::search::memchr2;
use crate::domain::store::{ReadError, ReadErrorKind};
use crate::domain::tree::{Document, Flags, Kind, Node, NodeId, Span, Style, Tag, Tree};

/// How deep objects and arrays may nest (Go's limit).
const NESTING: usize = 10_000;

/// How much of a string is looked at at a time, in bytes: small enough for a processor's
/// cache, because it is looked at twice.
const BLOCK: usize = 16 * 1024;

/// Reads a JSON file.
pub(super) fn read(source: &[u8]) -> Result<Tree<'_>, ReadError> {
    if source.len() >= (u32::MAX / 2) as usize {
        return Err(ReadError::syntax(1, "the file is larger than 2 GiB"));
    }
    if source.starts_with(b"\xef\xbb\xbf") {
        return Err(hinted(1, "the file starts with a byte order mark", "save it as UTF-8 without BOM"));
    }
    let mut reader = Reader { tree: Tree::new(source), at: 0, is_ascii: true };
    let read = reader.document();
    // Seldom in doubt, and as long as the reading: so it is looked at last.
    if (read.is_err() || !reader.is_ascii)
        && let Err(error) = std::str::from_utf8(source)
    {
        let line = Lines::new(source).of(error.valid_up_to());
        return Err(hinted(line, "the file is not valid UTF-8", "save it as UTF-8"));
    }
    read.map(|()| reader.tree)
}

/// The one scalar that `text` is, as a tree whose only node it is.
pub(super) fn read_scalar(text: &[u8]) -> Option<Tree<'_>> {
    std::str::from_utf8(text).ok()?;
    let mut reader = Reader { tree: Tree::new(text), at: 0, is_ascii: true };
    reader.scalar(0, Span::default(), Span::default()).ok()?;
    (reader.at == text.len()).then_some(reader.tree)
}

/// Flags every top-level `sops` member and all that is in it.
fn flag_metadata(tree: &mut Tree<'_>, root: NodeId) {
    let found: Vec<NodeId> = tree.children(root).filter(|&id| tree.key(id) == b"sops").collect();
    for id in found {
        for node in id..tree.node(id).end {
            tree.nodes[node as usize].flags.set(Flags::METADATA);
        }
    }
}

fn hinted(line: usize, message: &str, hint: &'static str) -> ReadError {
    ReadError { message: message.into(), line: Some(line), hint: Some(hint), kind: ReadErrorKind::Syntax }
}

/// What may come next in an open container.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expect {
    /// The first member, or the end.
    First,
    /// A member, behind a comma.
    Member,
    /// A comma, or the end.
    Comma,
}

struct Reader<'s> {
    tree: Tree<'s>,
    at: usize,
    /// No string so far has a byte that could be no UTF-8.
    is_ascii: bool,
}

impl Reader<'_> {
    /// Reads the whole file.
    fn document(&mut self) -> Result<(), ReadError> {
        let source = self.tree.source;
        self.blank();
        match self.peek() {
            Some(b'{') => {}
            Some(b'[') => return Err(self.fail("Expected JSON object start, got delimiter [ instead")),
            Some(_) => return Err(self.fail("Expected JSON object start")),
            None => return Err(self.fail("EOF")),
        }
        self.tree.nodes.reserve(source.len() / 120 + 8);
        let root = self.open(0, Span::default(), Span::default());
        self.members(root)?;
        self.blank();
        if self.at < source.len() {
            return Err(self.fail("there is more behind the JSON object"));
        }
        self.tree.documents.push(Document { root, span: Span::new(0, source.len()) });
        flag_metadata(&mut self.tree, root);
        Ok(())
    }

    fn fail(&self, message: &str) -> ReadError {
        ReadError::syntax(Lines::new(self.tree.source).of(self.at), message)
    }

    /// An error that names the end of the input where that is the reason.
    fn expected(&self, message: &str) -> ReadError {
        if self.at >= self.tree.source.len() {
            self.fail("unexpected end of JSON input")
        } else {
            self.fail(message)
        }
    }

    fn peek(&self) -> Option<u8> {
        self.tree.source.get(self.at).copied()
    }

    /// Skips white space.
    fn blank(&mut self) {
        let source = self.tree.source;
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = source.get(self.at) {
            self.at += 1;
        }
    }

    fn push(&mut self, kind: Kind, style: Style, parent: NodeId, key: Span, key_text: Span) -> NodeId {
        let id = self.tree.nodes.len() as NodeId;
        self.tree.nodes.push(Node {
            kind,
            style,
            tag: Tag::None,
            flags: Flags::default(),
            parent,
            end: id + 1,
            key,
            key_text,
            span: Span::default(),
            text: Span::default(),
            indent: 0,
        });
        id
    }

    /// Opens the container at the cursor.
    fn open(&mut self, parent: NodeId, key: Span, key_text: Span) -> NodeId {
        let kind = if self.peek() == Some(b'{') { Kind::Map } else { Kind::List };
        let id = self.push(kind, Style::Flow, parent, key, key_text);
        self.tree.nodes[id as usize].span = Span::new(self.at, self.at);
        self.at += 1;
        id
    }

    /// Reads everything below the container `root`, which was just opened, and
    /// its end.
    fn members(&mut self, root: NodeId) -> Result<(), ReadError> {
        let mut parent = root;
        let mut depth = 1;
        let mut expect = Expect::First;
        loop {
            self.blank();
            let map = self.tree.node(parent).kind == Kind::Map;
            let byte = self.peek();
            if expect != Expect::Member && byte == Some(if map { b'}' } else { b']' }) {
                self.at += 1;
                let end = self.tree.nodes.len() as NodeId;
                let node = &mut self.tree.nodes[parent as usize];
                node.end = end;
                node.span.end = self.at as u32;
                if parent == root {
                    return Ok(());
                }
                parent = node.parent;
                depth -= 1;
                expect = Expect::Comma;
                continue;
            }
            if expect == Expect::Comma {
                if byte != Some(b',') {
                    return Err(self.expected("expected a comma or the end of the object or array"));
                }
                self.at += 1;
                expect = Expect::Member;
                continue;
            }
            let (key, key_text) = if map { self.key()? } else { (Span::default(), Span::default()) };
            if matches!(self.peek(), Some(b'{' | b'[')) {
                depth += 1;
                if depth > NESTING {
                    return Err(self.fail("exceeded max depth"));
                }
                parent = self.open(parent, key, key_text);
                expect = Expect::First;
            } else {
                self.scalar(parent, key, key_text)?;
                expect = Expect::Comma;
            }
        }
    }

    /// Reads a key and its colon.
    fn key(&mut self) -> Result<(Span, Span), ReadError> {
        if self.peek() != Some(b'"') {
            return Err(self.expected("expected an object key in quotes"));
        }
        let found = self.string()?;
        self.blank();
        if self.peek() != Some(b':') {
            return Err(self.expected("expected a colon after an object key"));
        }
        self.at += 1;
        self.blank();
        Ok(found)
    }

    /// Reads the scalar at the cursor.
    fn scalar(&mut self, parent: NodeId, key: Span, key_text: Span) -> Result<(), ReadError> {
        let (style, (span, text)) = match self.peek() {
            Some(b'"') => (Style::DoubleQuoted, self.string()?),
            Some(b'-' | b'0'..=b'9') => (Style::Plain, self.number()?),
            Some(b't') => (Style::Plain, self.word(b"true")?),
            Some(b'f') => (Style::Plain, self.word(b"false")?),
            Some(b'n') => (Style::Plain, self.word(b"null")?),
            _ => return Err(self.expected("expected a value")),
        };
        let id = self.push(Kind::Scalar, style, parent, key, key_text);
        let node = &mut self.tree.nodes[id as usize];
        node.span = span;
        node.text = text;
        Ok(())
    }

    fn word(&mut self, word: &'static [u8]) -> Result<(Span, Span), ReadError> {
        let start = self.at;
        if !self.tree.source[start..].starts_with(word) {
            return Err(self.fail("expected a value"));
        }
        self.at += word.len();
        let span = Span::new(start, self.at);
        Ok((span, span))
    }

    fn digits(&mut self) -> Result<usize, ReadError> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == start {
            return Err(self.expected("a number lacks a digit"));
        }
        Ok(self.at - start)
    }

    fn number(&mut self) -> Result<(Span, Span), ReadError> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let leading_zero = self.peek() == Some(b'0');
        if self.digits()? > 1 && leading_zero {
            return Err(self.fail("a number starts with a superfluous zero"));
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        let mut exponent = false;
        if let Some(b'e' | b'E') = self.peek() {
            exponent = true;
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        let span = Span::new(start, self.at);
        if (exponent || self.at - start > 300) && !super::float_of(self.tree.raw(span)).is_finite() {
            return Err(self.fail("a number is out of the range of a double"));
        }
        Ok((span, span))
    }

    /// Reads the string at the cursor: its bytes with quotes, and its text.
    fn string(&mut self) -> Result<(Span, Span), ReadError> {
        let start = self.at + 1;
        self.plain(start)?;
        let text = match self.tree.source[self.at] {
            b'"' => Span::new(start, self.at),
            _ => self.escaped(start)?,
        };
        self.at += 1;
        Ok((Span::new(start - 1, self.at), text))
    }

    /// Goes from `start` to the next quote or backslash of a string. Refuses control
    /// characters on the way.
    fn plain(&mut self, start: usize) -> Result<(), ReadError> {
        let source = self.tree.source;
        self.at = start;
        loop {
            let block = &source[self.at..source.len().min(self.at + BLOCK)];
            let found = memchr2(b'"', b'\\', block);
            let text = &block[..found.unwrap_or(block.len())];
            let (mut lowest, mut all) = (u8::MAX, 0);
            for &byte in text {
                lowest = lowest.min(byte);
                all |= byte;
            }
            if lowest < 0x20 {
                self.at += text.iter().position(|&byte| byte < 0x20).unwrap_or(0);
                return Err(self.fail("a control character in a string"));
            }
            self.is_ascii &= all.is_ascii();
            self.at += text.len();
            if found.is_some() {
                return Ok(());
            }
            if self.at == source.len() {
                return Err(self.fail("unexpected end of JSON input"));
            }
        }
    }

    /// Decodes the string whose text begins at `start` and whose first
    /// backslash is at the cursor; stops at the closing quote.
    fn escaped(&mut self, start: usize) -> Result<Span, ReadError> {
        let source = self.tree.source;
        if self.tree.decoded.is_empty() {
            // Decoded text is never longer than what it was written as.
            self.tree.decoded_mut().reserve(source.len() - start);
        }
        let begin = self.tree.decoded.len();
        let mut from = start;
        loop {
            self.tree.decoded_mut().extend_from_slice(&source[from..self.at]);
            if source[self.at] == b'"' {
                let base = source.len();
                return Ok(Span::new(base + begin, base + self.tree.decoded.len()));
            }
            self.escape()?;
            from = self.at;
            self.plain(from)?;
        }
    }

    /// Decodes the escape at the cursor.
    fn escape(&mut self) -> Result<(), ReadError> {
        let byte = match self.tree.source.get(self.at + 1) {
            Some(b'b') => 0x08,
            Some(b'f') => 0x0c,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(&byte @ (b'"' | b'\\' | b'/')) => byte,
            Some(b'u') => return self.unicode_escape(),
            _ => return Err(self.fail("an unknown escape in a string")),
        };
        self.tree.decoded_mut().push(byte);
        self.at += 2;
        Ok(())
    }

    fn unicode_escape(&mut self) -> Result<(), ReadError> {
        let Some(first) = self.hex(self.at) else {
            return Err(self.fail("a \\u escape needs four hexadecimal digits"));
        };
        self.at += 6;
        let mut found = char::from_u32(first);
        if (0xd800..0xdc00).contains(&first)
            && let Some(second @ 0xdc00..=0xdfff) = self.hex(self.at)
        {
            found = char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00));
            self.at += 6;
        }
        let mut buffer = [0; 4];
        let text = found.unwrap_or('\u{fffd}').encode_utf8(&mut buffer);
        self.tree.decoded_mut().extend_from_slice(text.as_bytes());
        Ok(())
    }

    /// The number in a `\uXXXX` at `at`.
    fn hex(&self, at: usize) -> Option<u32> {
        let bytes = self.tree.source.get(at..at + 6)?;
        let digits = bytes.strip_prefix(b"\\u")?;
        digits.iter().try_fold(0, |sum, &digit| Some(sum * 16 + char::from(digit).to_digit(16)?))
    }
}
