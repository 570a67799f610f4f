//! Documents in SOPS's own YAML layout, byte for byte (sops-compat 5.2 "Emission"
//! and 5.3): what go-yaml's emitter writes for the nodes that SOPS builds.
//!
//! The writer keeps go-yaml's few bits of state (column, whether only indicators
//! stand on the line, comments that wait for their place), because the placement
//! of comments follows from them. Containers live on a stack of its own, so that
//! depth costs no call frames.

use super::emit_scalar::{
    Form, binary_text, form_of, is_multi_line, write_block_lines, write_double, write_literal_header,
    write_single, write_typed,
};
use crate::domain::scalar::Scalar;
use crate::domain::secret::wipe;
use crate::domain::store::{Layout, WriteError};
use crate::domain::value::{Entry, Value};

/// Longer keys are written behind `? ` (go-yaml's limit, in bytes).
const LONGEST_SIMPLE_KEY: usize = 128;

/// SOPS's indentation where nothing else is said.
pub const DEFAULT_INDENT: u8 = 4;

/// The columns of a level in `layout`.
pub fn indent_of(layout: Layout) -> i32 {
    match layout.indent {
        None | Some(0) => i32::from(DEFAULT_INDENT),
        Some(indent @ 2..=9) => i32::from(indent),
        Some(_) => 2,
    }
}

/// Documents one behind the other, `---` between them.
///
/// # Errors
/// A document that is neither a map nor empty cannot stand in a SOPS file.
pub fn emit(documents: &[Value], layout: Layout) -> Result<Vec<u8>, WriteError> {
    let mut writer = Writer::new(indent_of(layout));
    for (number, document) in documents.iter().enumerate() {
        if !matches!(document, Value::Map(_)) {
            return Err(WriteError::new("a YAML document of a SOPS file must be a map"));
        }
        writer.document(document, number == 0);
    }
    Ok(writer.out)
}

/// One value: a string as its bytes, everything else as a YAML text with the
/// default indentation and a final line break (sops-compat 10.4).
pub fn emit_value(value: &Value) -> Vec<u8> {
    if let Value::Scalar(Scalar::Str(text)) = value {
        return text.to_vec();
    }
    let mut writer = Writer::new(4);
    writer.document(value, true);
    writer.out
}

/// A block collection at `column` columns, beginning at the start of a line, as
/// it stands in a document; for pieces that are put into a file. `inside` is a
/// value whose entries or elements are written.
pub fn emit_block(inside: &Value, column: i32, layout: Layout, blocks: Blocks) -> Vec<u8> {
    let mut writer = Writer::new(layout.indent.map_or(4, |indent| i32::from(indent.clamp(2, 9))));
    writer.blocks = blocks;
    // Metadata can hold a token of megabytes, which is not to be moved about.
    writer.out.reserve_exact(bytes_of(inside, 2));
    let lead = lead_of(inside);
    writer.wait_head(lead);
    writer.stack.push(Frame { node: inside, next: lead.len(), indent: column, foot: &[] });
    writer.run();
    writer.finish_document();
    writer.out
}

/// Bytes that the texts of a value have, as far as they stand in its first `levels`.
fn bytes_of(value: &Value, levels: usize) -> usize {
    /// What a line has beside a text.
    const LINE: usize = 32;
    let inner = |value: &Value| if levels > 0 { bytes_of(value, levels - 1) } else { 0 };
    match value {
        Value::Scalar(Scalar::Str(text)) | Value::Comment(text) => LINE + text.len() + text.len() / 16,
        Value::Scalar(_) => LINE,
        Value::Map(entries) => {
            entries.iter().filter_map(Entry::pair).map(|(_, value)| LINE + inner(value)).sum()
        }
        Value::List(items) => items.iter().map(inner).sum(),
    }
}

/// Which strings of several lines may be literal blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocks {
    /// All that SOPS writes so.
    All,
    /// None that keeps all its line breaks: it would take in blank lines behind it.
    Closed,
    /// None: a deeper comment behind it would become part of it.
    None,
}

impl Blocks {
    fn take(self, text: &[u8]) -> bool {
        match self {
            Self::All => true,
            Self::Closed => !text.ends_with(b"\n\n") && text != b"\n",
            Self::None => false,
        }
    }
}

/// Texts of comments that stand together, as a slice of their container.
#[derive(Clone, Copy)]
enum Comments<'v> {
    Entries(&'v [Entry]),
    Values(&'v [Value]),
}

impl<'v> Comments<'v> {
    fn len(self) -> usize {
        match self {
            Self::Entries(entries) => entries.len(),
            Self::Values(values) => values.len(),
        }
    }

    fn push_onto(self, texts: &mut Vec<&'v [u8]>) {
        match self {
            Self::Entries(entries) => texts.extend(entries.iter().filter_map(|entry| match entry {
                Entry::Comment(text) => Some(&text[..]),
                Entry::Pair(..) => None,
            })),
            Self::Values(values) => texts.extend(values.iter().filter_map(|value| match value {
                Value::Comment(text) => Some(&text[..]),
                _ => None,
            })),
        }
    }
}

/// The comments before the first real entry of a container.
fn lead_of(value: &Value) -> Comments<'_> {
    run_at(value, 0)
}

/// The comments of a container from place `from` to the next real entry.
fn run_at(value: &Value, from: usize) -> Comments<'_> {
    match value {
        Value::Map(entries) => {
            let rest = entries.get(from..).unwrap_or_default();
            let count = rest.iter().take_while(|entry| matches!(entry, Entry::Comment(_))).count();
            Comments::Entries(&rest[..count])
        }
        Value::List(items) => {
            let rest = items.get(from..).unwrap_or_default();
            let count = rest.iter().take_while(|item| matches!(item, Value::Comment(_))).count();
            Comments::Values(&rest[..count])
        }
        Value::Scalar(_) | Value::Comment(_) => Comments::Values(&[]),
    }
}

fn length_of(value: &Value) -> usize {
    match value {
        Value::Map(entries) => entries.len(),
        Value::List(items) => items.len(),
        Value::Scalar(_) | Value::Comment(_) => 0,
    }
}

/// An open block collection.
struct Frame<'v> {
    node: &'v Value,
    /// The next child to write.
    next: usize,
    indent: i32,
    /// Comments that follow the collection in the list around it.
    foot: &'v [Value],
}

/// What a node stands behind.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Root,
    Key,
    SimpleKey,
    Value,
    Item,
}

struct Writer<'v> {
    out: Vec<u8>,
    best_indent: i32,
    column: i32,
    /// The last character was a blank, or nothing that needs one behind it.
    whitespace: bool,
    /// Only blanks and indicators stand on the line.
    indention: bool,
    /// A comment ended a collection at this column: a line at the same one keeps its distance.
    foot_indent: i32,
    blocks: Blocks,
    head: Vec<&'v [u8]>,
    foot: Vec<&'v [u8]>,
    stack: Vec<Frame<'v>>,
}

impl<'v> Writer<'v> {
    fn new(best_indent: i32) -> Self {
        Self {
            out: Vec::new(),
            best_indent,
            column: 0,
            whitespace: true,
            indention: true,
            foot_indent: -1,
            blocks: Blocks::All,
            head: Vec::new(),
            foot: Vec::new(),
            stack: Vec::new(),
        }
    }

    fn document(&mut self, root: &'v Value, first: bool) {
        if !first {
            self.write_indent(0);
            self.indicator(b"---", true, false, false);
            self.write_indent(0);
        }
        self.wait_head(lead_of(root));
        self.process_head(-1);
        self.node(root, -1, Place::Root, &[]);
        self.process_foot(-1);
        self.run();
        self.finish_document();
    }

    fn finish_document(&mut self) {
        self.process_head(-1);
        self.foot_indent = 0;
        self.process_foot(-1);
        self.foot_indent = -1;
        self.write_indent(-1);
    }

    /// Writes what is left of the open collections.
    fn run(&mut self) {
        while let Some(mut frame) = self.stack.pop() {
            match frame.node {
                Value::Map(entries) => match entries.get(frame.next..) {
                    Some([Entry::Pair(key, value), ..]) => {
                        frame.next += 1;
                        let indent = frame.indent;
                        self.stack.push(frame);
                        self.pair(key, value, indent);
                    }
                    _ => self.comment_or_end(frame),
                },
                Value::List(items) => match items.get(frame.next) {
                    Some(item) if !matches!(item, Value::Comment(_)) => {
                        frame.next += 1;
                        let indent = frame.indent;
                        let foot = match run_at(frame.node, frame.next) {
                            Comments::Values(foot) if frame.next + foot.len() == items.len() => foot,
                            _ => &[],
                        };
                        frame.next += foot.len();
                        self.stack.push(frame);
                        self.item(item, indent, foot);
                    }
                    _ => self.comment_or_end(frame),
                },
                Value::Scalar(_) | Value::Comment(_) => {}
            }
        }
    }

    /// The next child is a comment, or there is none.
    fn comment_or_end(&mut self, mut frame: Frame<'v>) {
        let run = run_at(frame.node, frame.next);
        frame.next += run.len();
        if frame.next < length_of(frame.node) {
            self.wait_head(run);
            self.stack.push(frame);
            return;
        }
        let mut tail = Vec::new();
        run.push_onto(&mut tail);
        if !tail.is_empty() {
            self.write_indent(frame.indent);
            self.comments(&tail, frame.indent);
            self.foot_indent = frame.indent.max(0);
        }
        self.process_head(frame.indent);
        Comments::Values(frame.foot).push_onto(&mut self.foot);
    }

    fn pair(&mut self, key: &'v str, value: &'v Value, indent: i32) {
        let text = key.as_bytes();
        self.process_head(indent);
        self.write_indent(indent);
        let simple = text.len() <= LONGEST_SIMPLE_KEY && !is_multi_line(text);
        if simple {
            self.string(text, indent, Place::SimpleKey);
            self.indicator(b":", false, false, false);
        } else {
            self.indicator(b"?", true, false, true);
            self.string(text, indent, Place::Key);
            self.write_indent(indent);
            self.indicator(b":", true, false, true);
        }
        self.wait_head(lead_of(value));
        self.node(value, indent, Place::Value, &[]);
        self.process_foot(indent);
    }

    fn item(&mut self, item: &'v Value, indent: i32, foot: &'v [Value]) {
        self.wait_head(lead_of(item));
        self.process_head(indent);
        self.write_indent(indent);
        self.indicator(b"-", true, false, true);
        self.node(item, indent, Place::Item, foot);
        self.process_foot(indent);
    }

    fn node(&mut self, value: &'v Value, indent: i32, place: Place, foot: &'v [Value]) {
        let lead = lead_of(value).len();
        let empty = lead == length_of(value);
        match value {
            Value::Scalar(Scalar::Str(text)) => self.string(text, indent, place),
            Value::Scalar(scalar) => {
                self.need_blank();
                let before = self.out.len();
                write_typed(scalar, &mut self.out);
                self.wrote(before);
            }
            Value::Comment(_) => {}
            Value::List(_) if empty => {
                self.indicator(b"[", true, true, false);
                self.indicator(b"]", false, false, false);
            }
            Value::Map(_) if empty => {
                self.indicator(b"{", true, true, false);
                let inner = self.deeper(indent, place, true);
                self.process_head(inner);
                self.indicator(b"}", false, false, false);
            }
            Value::List(_) | Value::Map(_) => {
                let inner = self.deeper(indent, place, false);
                self.stack.push(Frame { node: value, next: lead, indent: inner, foot });
                return;
            }
        }
        Comments::Values(foot).push_onto(&mut self.foot);
    }

    /// The indentation inside a node at `place`.
    fn deeper(&self, indent: i32, place: Place, flow: bool) -> i32 {
        match (indent, place) {
            (..0, _) => {
                if flow {
                    self.best_indent
                } else {
                    0
                }
            }
            (_, Place::Item) => indent + 2,
            _ => self.best_indent * ((indent + self.best_indent) / self.best_indent),
        }
    }

    fn string(&mut self, text: &[u8], indent: i32, place: Place) {
        match form_of(text) {
            Form::Plain => self.inline(|out| out.extend_from_slice(text)),
            Form::Merge => self.inline(|out| out.extend_from_slice(b"!!merge <<")),
            Form::Single => self.inline(|out| write_single(text, out)),
            Form::Double => self.inline(|out| write_double(text, out)),
            Form::Literal if !self.blocks.take(text) => self.inline(|out| write_double(text, out)),
            Form::Literal => self.literal(text, indent, place),
            Form::Binary => {
                self.inline(|out| out.extend_from_slice(b"!!binary"));
                let mut packed = binary_text(text);
                if packed.ends_with(b"\n") {
                    self.literal(&packed, indent, place);
                } else {
                    self.inline(|out| out.extend_from_slice(&packed));
                }
                wipe(&mut packed);
            }
        }
    }

    fn literal(&mut self, text: &[u8], indent: i32, place: Place) {
        let column = self.deeper(indent, place, true);
        // SOPS's digit is its indentation, which is wrong in a list: there it stays
        // where no line is indented by it.
        let is_blank = text.iter().all(|byte| *byte == b'\n');
        let offset = if is_blank { self.best_indent } else { column - indent.max(0) }.max(1) as usize;
        self.inline(|out| write_literal_header(text, offset, out));
        self.line_break();
        let before = self.out.len();
        write_block_lines(text, column.max(0) as usize, b"\n", &mut self.out);
        self.wrote(before);
        self.whitespace = true;
        if text.ends_with(b"\n") {
            self.column = 0;
            self.indention = true;
        }
    }

    fn wait_head(&mut self, comments: Comments<'v>) {
        comments.push_onto(&mut self.head);
    }

    fn process_head(&mut self, indent: i32) {
        if !self.head.is_empty() {
            let head = std::mem::take(&mut self.head);
            self.write_indent(indent);
            self.comments(&head, indent);
        }
    }

    fn process_foot(&mut self, indent: i32) {
        if !self.foot.is_empty() {
            let foot = std::mem::take(&mut self.foot);
            self.write_indent(indent);
            self.comments(&foot, indent);
            self.foot_indent = indent.max(0);
        }
    }

    fn comments(&mut self, texts: &[&[u8]], indent: i32) {
        for (number, text) in texts.iter().enumerate() {
            for (part, line) in text.split(|byte| *byte == b'\n').enumerate() {
                if number + part > 0 {
                    self.write_indent(indent);
                }
                if part == 0 {
                    self.out.push(b'#');
                } else if !line.starts_with(b"#") {
                    self.out.extend_from_slice(b"# ");
                }
                self.out.extend_from_slice(line);
                self.line_break();
            }
        }
        self.whitespace = true;
    }

    fn write_indent(&mut self, indent: i32) {
        let indent = indent.max(0);
        if !self.indention || self.column > indent || (self.column == indent && !self.whitespace) {
            self.line_break();
        }
        if self.foot_indent == indent {
            self.line_break();
        }
        if self.column < indent {
            let missing = (indent - self.column) as usize;
            self.out.resize(self.out.len() + missing, b' ');
            self.column = indent;
        }
        self.whitespace = true;
        self.foot_indent = -1;
    }

    fn line_break(&mut self) {
        self.out.push(b'\n');
        self.column = 0;
        self.indention = true;
    }

    fn indicator(&mut self, text: &[u8], need_blank: bool, is_blank: bool, is_indention: bool) {
        if need_blank {
            self.need_blank();
        }
        self.out.extend_from_slice(text);
        self.column += text.len() as i32;
        self.whitespace = is_blank;
        self.indention &= is_indention;
    }

    fn need_blank(&mut self) {
        if !self.whitespace {
            self.out.push(b' ');
            self.column += 1;
        }
    }

    /// Writes a scalar on the current line.
    fn inline(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.need_blank();
        let before = self.out.len();
        write(&mut self.out);
        self.wrote(before);
    }

    fn wrote(&mut self, before: usize) {
        self.column = self.column.saturating_add((self.out.len() - before).min(1 << 20) as i32);
        self.whitespace = false;
        self.indention = false;
    }
}

#[cfg(test)]
mod tests;
