//! INI text into a tree: the rules of ini.v1 1.67 as SOPS uses it (sops-compat
//! 5.7), with the bytes that each key, value and comment is written in.
//!
//! Two rules are ours. A `#` or `;` begins a comment behind a value only after
//! white space or a closing quote, and never inside quotes; where SOPS would
//! read another value from that line, the node is [`Flags::AMBIGUOUS`]. And
//! comments that SOPS loses (at the end of the file, of repeated keys, behind a
//! closing backquote) are nodes like all others.

use std::collections::HashMap;

use memchr::memmem;

use super::text::{is_locked, is_marker, leading, marker, surrounded, trim, trimmed};
use crate::domain::search::{memchr, memchr2, memrchr};
use crate::domain::store::{ReadError, ReadErrorKind};
use crate::domain::tree::{Document, Flags, Kind, Node, NodeId, Span, Style, Tag, Tree};

/// The name of the section of keys that stand before any header.
pub(super) const DEFAULT: &[u8] = b"DEFAULT";

/// The section of the metadata.
pub(super) const METADATA: &[u8] = b"sops";

/// Reads an INI file.
pub(super) fn read(source: &[u8]) -> Result<Tree<'_>, ReadError> {
    if source.len() >= (u32::MAX / 2) as usize {
        return Err(ReadError::syntax(1, "the file is larger than 2 GiB"));
    }
    if source.starts_with(b"\xfe\xff") || source.starts_with(b"\xff\xfe") {
        return Err(hinted(1, "the file is UTF-16", "save it as UTF-8"));
    }
    let at = if source.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let mut reader =
        Reader { tree: Tree::new(source), at, line: 0, section: 0, keys: Vec::new(), comment: None };
    reader.tree.nodes.reserve(source.len() / 150 + 4);
    let root = reader.push(Kind::Map, Style::Block, 0);
    reader.tree.nodes[root as usize].span = Span::new(0, source.len());
    let name = reader.tree.push_decoded(DEFAULT);
    reader.section = reader.push(Kind::Map, Style::Block, root);
    reader.tree.nodes[reader.section as usize].key_text = name;
    reader.tree.nodes[reader.section as usize].span = Span::new(at, at);
    while let Some((start, end)) = reader.next_line() {
        reader.one_line(start, end)?;
    }
    reader.flush_trailing();
    reader.close_section();
    reader.tree.nodes[root as usize].end = reader.tree.nodes.len() as NodeId;
    reader.tree.documents.push(Document { root, span: Span::new(0, source.len()) });
    Ok(reader.tree)
}

fn hinted(line: usize, message: &str, hint: &'static str) -> ReadError {
    ReadError { message: message.into(), line: Some(line), hint: Some(hint), kind: ReadErrorKind::Syntax }
}

/// Comment lines that wait for the key or section that they belong to.
struct Comment {
    start: usize,
    /// Of its text.
    end: usize,
    /// Of what is written anew with it.
    covered: usize,
    /// True when the lines follow each other without blanks between them.
    solid: bool,
    /// The lines, each from its marker on.
    lines: Vec<Span>,
}

/// A value, before it becomes a node.
struct Value {
    span: Span,
    text: Span,
    style: Style,
    /// A comment behind it.
    comment: Option<Span>,
    ambiguous: bool,
}

struct Reader<'s> {
    tree: Tree<'s>,
    at: usize,
    line: usize,
    section: NodeId,
    /// The keys of the open section, by a hash of their names.
    keys: Vec<(u64, NodeId)>,
    comment: Option<Comment>,
}

impl<'s> Reader<'s> {
    fn fail(&self, message: &str) -> ReadError {
        ReadError::syntax(self.line, message)
    }

    /// The next line without its line feed.
    fn next_line(&mut self) -> Option<(usize, usize)> {
        let source = self.tree.source;
        if self.at >= source.len() {
            return None;
        }
        let start = self.at;
        let end = memchr(b'\n', &source[start..]).map_or(source.len(), |at| start + at);
        self.at = end + 1;
        self.line += 1;
        Some((start, end))
    }

    fn push(&mut self, kind: Kind, style: Style, parent: NodeId) -> NodeId {
        let id = self.tree.nodes.len() as NodeId;
        let empty = Span::default();
        let flags = Flags::default();
        let (key, key_text, span, text) = (empty, empty, empty, empty);
        let node = Node {
            kind,
            style,
            tag: Tag::None,
            flags,
            parent,
            end: id + 1,
            key,
            key_text,
            span,
            text,
            indent: 0,
        };
        self.tree.nodes.push(node);
        id
    }

    fn one_line(&mut self, start: usize, end: usize) -> Result<(), ReadError> {
        let source = self.tree.source;
        let start = start + leading(&source[start..end]);
        match source[start..end].first() {
            None => Ok(()),
            Some(b'#' | b';') => {
                self.comment_line(start, end);
                Ok(())
            }
            Some(b'[') => self.header(start, end),
            Some(_) => self.pair(start, end),
        }
    }

    fn comment_line(&mut self, start: usize, end: usize) {
        let source = self.tree.source;
        let stop = start + trimmed(&source[start..end]);
        match &mut self.comment {
            Some(comment) => {
                comment.solid &= comment.lines.last().is_some_and(|last| last.end as usize + 1 == start);
                comment.lines.push(Span::new(start, end));
                comment.end = stop;
                // SOPS writes a line without text with a space, which stands for it.
                let has_space = stop == start + 1 && source.get(stop) == Some(&b' ');
                comment.covered = if has_space { stop + 1 } else { stop };
            }
            None => {
                let lines = vec![Span::new(start, end)];
                self.comment = Some(Comment { start, end: stop, covered: stop, solid: true, lines });
            }
        }
    }

    fn header(&mut self, start: usize, end: usize) -> Result<(), ReadError> {
        let source = self.tree.source;
        let Some(close) = memrchr(b']', &source[start..end]).map(|at| start + at) else {
            return Err(self.fail("unclosed section"));
        };
        if close == start + 1 {
            return Err(self.fail("empty section name"));
        }
        if &source[start + 1..close] == METADATA {
            // Comments in front of the metadata end the section before.
            self.flush_trailing();
        }
        self.close_section();
        let id = self.push(Kind::Map, Style::Block, 0);
        let node = &mut self.tree.nodes[id as usize];
        node.key = Span::new(start, close + 1);
        node.key_text = Span::new(start + 1, close);
        node.span = Span::new(close + 1, close + 1);
        self.section = id;
        if let Some(at) = source[close + 1..end].iter().position(|&byte| is_marker(byte)) {
            self.header_comment(
                start,
                Span::new(close + 1 + at, close + 1 + trimmed(&source[close + 1..end])),
            );
        } else {
            self.flush_comment(None);
        }
        Ok(())
    }

    /// Makes a node of the comment `behind` a header at `start` and of the lines
    /// above it. A token cannot stand behind a header, whose name goes up to the
    /// last `]` of its line: the node covers the header, and `lock` puts
    /// the token above.
    fn header_comment(&mut self, start: usize, behind: Span) {
        let source = self.tree.source;
        let id = self.push(Kind::Comment, Style::Inline, self.section);
        let (from, text) = match self.comment.take() {
            Some(comment) => (comment.start, self.block_text(&comment, Some(behind))),
            None => {
                let text = behind.start as usize + marker(&source[behind.range()]);
                (start, Span::new(text, behind.end as usize))
            }
        };
        let node = &mut self.tree.nodes[id as usize];
        node.span = Span::new(from, behind.end as usize);
        node.text = text;
        node.indent = HEADER;
    }

    /// Puts a repeated key's last value where SOPS has it, and closes the section.
    fn close_section(&mut self) {
        let end = self.tree.nodes.len() as NodeId;
        let repeated = self.repeated_keys();
        if !repeated.is_empty() {
            self.reorder(end, repeated);
        }
        let section = self.section as usize;
        self.tree.nodes[section].end = end;
        if self.tree.text(self.tree.nodes[section].key_text) == METADATA {
            for node in &mut self.tree.nodes[section..] {
                node.flags.set(Flags::METADATA);
            }
        }
    }

    /// The nodes of each key that occurs more than once in the open section.
    fn repeated_keys(&mut self) -> Vec<Vec<NodeId>> {
        let mut keys = std::mem::take(&mut self.keys);
        keys.sort_unstable();
        let mut groups = Vec::new();
        for same_hash in keys.chunk_by(|(one, _), (other, _)| one == other) {
            if same_hash.len() > 1 {
                let mut nodes: Vec<NodeId> = same_hash.iter().map(|(_, id)| *id).collect();
                nodes.sort_by_key(|&id| (self.tree.key(id), id));
                let same_key = nodes.chunk_by(|&one, &other| self.tree.key(one) == self.tree.key(other));
                groups.extend(same_key.filter(|group| group.len() > 1).map(<[NodeId]>::to_vec));
            }
        }
        keys.clear();
        self.keys = keys;
        groups
    }

    /// Of a key that repeats, the last value comes first, at the place of the
    /// key's first occurrence; the shadowed ones follow it, and their comments
    /// stand at the end.
    fn reorder(&mut self, end: NodeId, groups: Vec<Vec<NodeId>>) {
        let mut moved: Vec<NodeId> = groups.iter().flat_map(|group| group[1..].iter().copied()).collect();
        moved.sort_unstable();
        let order: HashMap<NodeId, Vec<NodeId>> = groups.into_iter().map(|group| (group[0], group)).collect();
        let old: Vec<Node> = self.tree.nodes.drain(self.section as usize + 1..).collect();
        let base = self.section + 1;
        let comments_of = |id: NodeId| {
            let from = (id - base) as usize + 1;
            old[from..].iter().take_while(|node| node.kind == Kind::Comment && node.indent != 0).copied()
        };
        let mut new: Vec<Node> = Vec::with_capacity(old.len());
        let mut late: Vec<Node> = Vec::new();
        let mut id = base;
        while id < end {
            let comments: Vec<Node> = comments_of(id).collect();
            let node = old[(id - base) as usize];
            let step = 1 + comments.len() as NodeId;
            if let Some(group) = order.get(&id) {
                let last = group.last().copied().unwrap_or(id);
                new.push(old[(last - base) as usize]);
                for &shadowed in group.iter().filter(|&&other| other != last) {
                    let mut node = old[(shadowed - base) as usize];
                    node.flags.set(Flags::SHADOWED);
                    new.push(node);
                    late.extend(comments_of(shadowed));
                }
                new.extend(comments_of(last));
            } else if moved.binary_search(&id).is_err() {
                new.push(node);
                new.extend(comments);
            }
            id += step;
        }
        new.extend(late);
        for (index, node) in new.iter_mut().enumerate() {
            node.end = base + index as NodeId + 1;
        }
        self.tree.nodes.extend(new);
    }

    fn pair(&mut self, start: usize, end: usize) -> Result<(), ReadError> {
        let source = self.tree.source;
        let (key, key_text, from) = self.key(start, end)?;
        let name = &source[key_text.range()];
        if name.is_empty() {
            return Err(self.fail("empty key name"));
        }
        if name == b"-" {
            let hint = "SOPS numbers such keys and cannot decrypt them; give the key a name";
            return Err(hinted(self.line, "a key is named `-`", hint));
        }
        let value = self.value(from, end)?;
        let id = self.push(Kind::Scalar, value.style, self.section);
        let node = &mut self.tree.nodes[id as usize];
        node.key = key;
        node.key_text = key_text;
        node.span = value.span;
        node.text = value.text;
        if value.ambiguous {
            node.flags.set(Flags::AMBIGUOUS);
        }
        self.keys.push((hash(name), id));
        self.flush_comment(value.comment);
        Ok(())
    }

    /// The key of a line: its bytes, its name, and where its delimiter ends.
    fn key(&self, start: usize, end: usize) -> Result<(Span, Span, usize), ReadError> {
        let source = self.tree.source;
        let line = &source[start..end];
        // The line break counts for the length that triple quotes need.
        let length = line.len() + usize::from(end < source.len());
        let quote: &[u8] = match line {
            [b'"', b'"', b'"', ..] if length > 6 => b"\"\"\"",
            [b'"', ..] => b"\"",
            [b'`', ..] => b"`",
            _ => b"",
        };
        if quote.is_empty() {
            let Some(at) = memchr2(b'=', b':', line) else {
                return Err(self.fail("key-value delimiter not found"));
            };
            let key = Span::new(start, start + trimmed(&line[..at]));
            return Ok((key, key, start + at + 1));
        }
        let open = start + quote.len();
        let Some(close) = memmem::find(&source[open..end], quote).map(|at| open + at) else {
            return Err(self.fail("missing closing key quote"));
        };
        let behind = close + quote.len();
        let Some(at) = source.get(behind..end).and_then(|tail| memchr2(b'=', b':', tail)) else {
            return Err(self.fail("key-value delimiter not found"));
        };
        let inner = &source[open..close];
        let from = open + leading(inner);
        let name = Span::new(from, from + trim(inner).len());
        Ok((Span::new(start, behind), name, behind + at + 1))
    }

    /// The value that stands behind the delimiter at `from`.
    fn value(&mut self, from: usize, end: usize) -> Result<Value, ReadError> {
        let source = self.tree.source;
        let start = from + leading(&source[from..end]);
        let line = &source[start..end];
        if line.is_empty() {
            let place = from + usize::from(source.get(from) == Some(&b' '));
            let span = Span::new(place, place);
            return Ok(Value { span, text: span, style: Style::Plain, comment: None, ambiguous: false });
        }
        let length = line.len() + usize::from(end < source.len());
        if line.starts_with(b"\"\"\"") && length > 3 {
            return self.fenced(start, end, b"\"\"\"", Style::TripleQuoted);
        }
        if line.starts_with(b"`") {
            return self.fenced(start, end, b"`", Style::Backquoted);
        }
        let stop = start + trimmed(line);
        if source[stop - 1] == b'\\' {
            return Ok(self.continued(start, stop));
        }
        Ok(self.simple(start, stop, start > from))
    }

    /// A value in backquotes or triple quotes, which may span lines.
    fn fenced(&mut self, start: usize, end: usize, quote: &[u8], style: Style) -> Result<Value, ReadError> {
        let source = self.tree.source;
        let open = start + quote.len();
        let mut close = memmem::rfind(&source[open..end], quote).map(|at| open + at);
        let mut last = end;
        while close.is_none() {
            let Some((next, stop)) = self.next_line() else {
                return Err(self.fail("missing closing key quote"));
            };
            close = memmem::rfind(&source[next..stop], quote).map(|at| next + at);
            last = stop;
        }
        let close = close.unwrap_or(open);
        let behind = close + quote.len();
        let from = behind + leading(&source[behind..last]);
        let tail = &source[from..last];
        let comment = match tail.first() {
            None => None,
            Some(&byte) if is_marker(byte) => Some(Span::new(from, from + trimmed(tail))),
            Some(_) => {
                let hint = "SOPS drops it; put a comment marker in front, or mend the quotes";
                return Err(hinted(self.line, "there is text behind a closing quote", hint));
            }
        };
        let span = Span::new(start, behind);
        Ok(Value { span, text: Span::new(open, close), style, comment, ambiguous: false })
    }

    /// A value whose lines end in a backslash.
    fn continued(&mut self, start: usize, stop: usize) -> Value {
        let source = self.tree.source;
        let mut text = source[start..stop - 1].to_vec();
        let mut end = stop;
        while let Some((next, line_end)) = self.next_line() {
            let from = next + leading(&source[next..line_end]);
            let line = trim(&source[from..line_end]);
            if line.is_empty() {
                break;
            }
            text.extend_from_slice(line);
            end = from + line.len();
            if text.pop_if(|byte| *byte == b'\\').is_none() {
                break;
            }
        }
        let decoded = self.tree.push_decoded(&text);
        crate::domain::secret::wipe(&mut text);
        let span = Span::new(start, end);
        Value { span, text: decoded, style: Style::Plain, comment: None, ambiguous: false }
    }

    /// A value on one line, plain or in `'` or `"`; `apart` tells that white
    /// space precedes it.
    fn simple(&self, start: usize, stop: usize, apart: bool) -> Value {
        let source = self.tree.source;
        let line = &source[start..stop];
        let marked = memchr2(b'#', b';', line);
        let (length, comment) = match marked {
            None => (line.len(), None),
            Some(first) => cut(line, first, apart),
        };
        let comment = comment.map(|at| Span::new(start + at, stop));
        let (text, style) = unquoted(&line[..length]);
        let ambiguous = marked.is_some_and(|first| {
            let theirs = &line[..first];
            unquoted(&theirs[..trimmed(theirs)]).0 != text
        });
        let inset = usize::from(style != Style::Plain);
        let text = Span::new(start + inset, start + length - inset);
        Value { span: Span::new(start, start + length), text, style, comment, ambiguous }
    }

    /// Makes a node of the comment lines that no key and no header follows.
    fn flush_trailing(&mut self) {
        let last = self.tree.nodes.len();
        self.flush_comment(None);
        for node in &mut self.tree.nodes[last..] {
            node.indent = 0;
        }
    }

    /// Makes nodes of the comment lines that wait and of `behind`, a comment on
    /// the line itself.
    fn flush_comment(&mut self, behind: Option<Span>) {
        let source = self.tree.source;
        if let Some(comment) = self.comment.take() {
            let id = self.push(Kind::Comment, Style::OwnLine, self.section);
            let text = self.block_text(&comment, behind);
            let node = &mut self.tree.nodes[id as usize];
            node.span = Span::new(comment.start, comment.covered);
            node.text = text;
            node.indent = if behind.is_some() { JOINED } else { TAKEN };
        }
        if let Some(span) = behind {
            let id = self.push(Kind::Comment, Style::Inline, self.section);
            let node = &mut self.tree.nodes[id as usize];
            node.span = span;
            node.text = Span { start: span.start + marker(&source[span.range()]) as u32, end: span.end };
            node.indent = TAKEN;
        }
    }

    /// The text of a block of comment lines as SOPS sees it: one text, the
    /// marker stripped from its start only; `behind`, the comment on the line of
    /// the key, is its last line. Leading lines that hold nothing but their
    /// marker are left out, because SOPS panics when it prints such a text.
    fn block_text(&mut self, comment: &Comment, behind: Option<Span>) -> Span {
        let source = self.tree.source;
        let first = comment.start + marker(&source[comment.start..comment.end]);
        let token = is_locked(&source[first..comment.end]);
        let behind = behind.filter(|_| !token);
        let bare = matches!(source.get(first), Some(b'\n' | b'\r')) && first < comment.end;
        if comment.solid && behind.is_none() && !bare {
            return Span::new(first, comment.end);
        }
        let mut block: Vec<u8> = Vec::new();
        for line in &comment.lines {
            block.extend_from_slice(&source[line.range()]);
            block.push(b'\n');
        }
        if let Some(behind) = behind {
            block.extend_from_slice(&source[behind.range()]);
        }
        block.truncate(trimmed(&block));
        let mut text = &block[marker(&block)..];
        while let [b'\n' | b'\r', ..] = text {
            text = &text[leading(text)..];
            text = &text[marker(text)..];
        }
        if text.is_empty() && comment.lines.len() + usize::from(behind.is_some()) > 1 {
            text = b";";
        }
        let span = self.tree.push_decoded(text);
        crate::domain::secret::wipe(&mut block);
        span
    }
}

/// In [`Node::indent`] of a comment: it belongs to the key or header before it,
/// and is not one that stands at the end of the section.
pub(super) const TAKEN: i32 = 1;

/// In [`Node::indent`] of comment lines: their text includes the comment behind
/// the key, which is the next node.
pub(super) const JOINED: i32 = 3;

/// In [`Node::indent`] of a comment behind a section header: its span covers
/// the header.
pub(super) const HEADER: i32 = 2;

/// A hash that tells most names apart; equal ones are compared.
fn hash(name: &[u8]) -> u64 {
    name.iter()
        .fold(0xcbf2_9ce4_8422_2325, |sum, &byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Where the value in `line` ends and a comment behind it starts; `first` is
/// the first marker in the line.
fn cut(line: &[u8], first: usize, apart: bool) -> (usize, Option<usize>) {
    if let [quote @ (b'"' | b'\''), rest @ ..] = line
        && let Some(close) = memchr(*quote, rest)
    {
        let behind = close + 2;
        let tail = behind + leading(&line[behind..]);
        match line.get(tail) {
            None => return (line.len(), None),
            Some(&byte) if is_marker(byte) => return (behind, Some(tail)),
            Some(_) => {}
        }
    }
    let mut at = first;
    loop {
        let length = trimmed(&line[..at]);
        if length < at || (at == 0 && apart) {
            return (length, Some(at));
        }
        match memchr2(b'#', b';', &line[at + 1..]) {
            Some(next) => at += 1 + next,
            None => return (line.len(), None),
        }
    }
}

/// The text in `value` without the quotes around it.
fn unquoted(value: &[u8]) -> (&[u8], Style) {
    if surrounded(value, b'\'') {
        (&value[1..value.len() - 1], Style::SingleQuoted)
    } else if surrounded(value, b'"') {
        (&value[1..value.len() - 1], Style::DoubleQuoted)
    } else {
        (value, Style::Plain)
    }
}
