//! A file as one stream of bytes that no other file has: every text with its
//! length in front, every value with its type, every container with its end.
//!
//! ```text
//! file     = ("d" value)* "m" value      its documents, then its metadata
//! value    = "n"                         null
//!          | ("s" | "i" | "f" | "b" | "t") text
//!          | "{" ("k" text value | "c" text)* "}"
//!          | "[" (value | "c" text)* "]"
//!          | "g" text value              a value behind a YAML tag
//! text     = length bytes                length: 8 bytes, most significant first
//! ```

use super::Sealable;
use crate::domain::document::alias;
use crate::domain::scalar::Scalar;
use crate::domain::secret::wipe;
use crate::domain::store::Store;
use crate::domain::tree::{Flags, Kind, NodeId, Tree};
use crate::domain::value::{Entry, Value};

/// Takes the stream, piece by piece.
type Take<'t> = &'t mut dyn FnMut(&[u8]);

/// Hands the encoding of `file` to `take`; the fields `left_out` of its metadata
/// are not part of it.
pub fn write(file: &Sealable<'_, '_>, left_out: &[&str], take: Take<'_>) {
    let mut writer = Writer { take, scratch: Vec::new() };
    for document in &file.tree.documents {
        writer.put(b"d");
        writer.nodes(file.store, file.tree, document.root);
    }
    writer.put(b"m");
    writer.fields(file.metadata, left_out);
}

struct Writer<'t> {
    take: Take<'t>,
    scratch: Vec<u8>,
}

impl Writer<'_> {
    fn put(&mut self, bytes: &[u8]) {
        (self.take)(bytes);
    }

    /// A type or role and a text.
    fn text(&mut self, mark: u8, text: &[u8]) {
        let mut head = [mark; 9];
        head[1..].copy_from_slice(&(text.len() as u64).to_be_bytes());
        self.put(&head);
        self.put(text);
    }

    /// Node `root` of a file with what is below it, in the order of the table, where
    /// a comment stands before what it is about.
    fn nodes(&mut self, store: &'static dyn Store, tree: &Tree<'_>, root: NodeId) {
        let mut open: Vec<(NodeId, &[u8])> = Vec::new();
        for id in root..tree.node(root).end {
            while let Some((_, close)) = open.pop_if(|(end, _)| *end <= id) {
                self.put(close);
            }
            let node = tree.node(id);
            if node.flags.has(Flags::METADATA) {
                continue;
            }
            if id != root && tree.has_key(id) {
                self.text(b'k', tree.key(id));
            }
            let tag = if node.flags.has(Flags::PROPERTIES) {
                tree.properties_of(id).tag
            } else {
                Default::default()
            };
            if !tag.is_empty() {
                self.text(b'g', tree.raw(tag));
            }
            match node.kind {
                Kind::Map => {
                    self.put(b"{");
                    open.push((node.end, b"}"));
                }
                Kind::List => {
                    self.put(b"[");
                    open.push((node.end, b"]"));
                }
                Kind::Scalar => self.scalar(&store.scalar(tree, id)),
                Kind::Comment => self.text(b'c', tree.text(node.text)),
                Kind::Alias => self.nodes(store, tree, alias::target(tree, id)),
            }
        }
        while let Some((_, close)) = open.pop() {
            self.put(close);
        }
    }

    fn scalar(&mut self, value: &Scalar<'_>) {
        let mark = match value {
            Scalar::Null => return self.put(b"n"),
            Scalar::Str(text) => return self.text(b's', text),
            Scalar::Int(_) => b'i',
            Scalar::Float(_) => b'f',
            Scalar::Bool(_) => b'b',
            Scalar::Time(_) => b't',
        };
        let mut text = std::mem::take(&mut self.scratch);
        text.clear();
        value.write_canonical(&mut text);
        self.text(mark, &text);
        self.scratch = text;
    }

    /// The metadata: fields in the order of their names, because writers differ in it.
    fn fields(&mut self, value: &Value, left_out: &[&str]) {
        match value {
            Value::Map(entries) => {
                let mut fields: Vec<(&str, &Value)> = entries.iter().filter_map(Entry::pair).collect();
                fields.retain(|(name, _)| !left_out.contains(name));
                fields.sort_by_key(|(name, _)| *name);
                self.put(b"{");
                for (name, value) in fields {
                    self.text(b'k', name.as_bytes());
                    self.fields(value, &[]);
                }
                self.put(b"}");
            }
            Value::List(values) => {
                self.put(b"[");
                for value in values.iter().filter(|value| !matches!(value, Value::Comment(_))) {
                    self.fields(value, &[]);
                }
                self.put(b"]");
            }
            Value::Scalar(scalar) => self.scalar(scalar),
            Value::Comment(_) => {}
        }
    }
}

impl Drop for Writer<'_> {
    fn drop(&mut self) {
        wipe(&mut self.scratch);
    }
}
