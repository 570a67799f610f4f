//! A file as it was read: its nodes in document order, each with the exact
//! bytes it was written in.
//!
//! The tree is one flat table. A container is followed by everything below it,
//! up to its `end`; the children of a container are found by stepping from
//! `end` to `end`. Texts are spans of the source, or of a side buffer where
//! decoding changed them (escapes, folded lines), so that a leaf costs no
//! allocation.

use std::fmt;
use std::sync::Arc;

use super::secret::{SecretBytes, Text};
use crate::domain::lines::Lines;

/// Index of a node in [`Tree::nodes`].
pub type NodeId = u32;

/// A range of bytes: `start..end`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// A span from two offsets that are known to fit (sources are at most 4 GiB − 2).
    pub fn new(start: usize, end: usize) -> Self {
        Self { start: start as u32, end: end as u32 }
    }

    /// True when the span covers nothing.
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// The span as a slice index.
    pub fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A mapping, JSON object, INI section or the root of a flat file.
    Map,
    /// A sequence.
    List,
    /// A leaf.
    Scalar,
    /// A comment; `text` is what follows its marker. Belongs to the container
    /// that SOPS hangs it on, and stands in the table where SOPS puts it
    /// (before its key), which need not be its place in the source.
    Comment,
    /// A YAML alias; `text.start` is the [`NodeId`] it refers to.
    Alias,
}

/// How a node is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// No quotes: a plain YAML scalar, a JSON number, a dotenv or INI value.
    Plain,
    /// `'…'`.
    SingleQuoted,
    /// `"…"`.
    DoubleQuoted,
    /// YAML `|`.
    Literal,
    /// YAML `>`.
    Folded,
    /// INI `` `…` ``.
    Backquoted,
    /// INI `"""…"""`.
    TripleQuoted,
    /// A collection written by indentation, or an INI section.
    Block,
    /// A collection in `{}` or `[]`.
    Flow,
    /// A comment on a line of its own.
    OwnLine,
    /// A comment behind something on the same line.
    Inline,
    /// An encrypted comment that SOPS wrote as a list element: `- ENC[…,type:comment]`.
    /// Never produced by a reader: the type of a token is known only to the cipher layer.
    Element,
}

/// The tag of a YAML node, or of a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tag {
    /// No tag.
    #[default]
    None,
    /// `!!str` or a tag outside the core schema: the node is a string. (`!` alone
    /// is no tag to go-yaml: `! 12` is an integer.)
    Str,
    /// `!!null`.
    Null,
    /// `!!bool`.
    Bool,
    /// `!!int`.
    Int,
    /// `!!float`.
    Float,
    /// `!!timestamp`.
    Timestamp,
    /// `!!binary`.
    Binary,
    /// `!!merge`.
    Merge,
    /// `!!map`, `!!seq`, or another tag on a collection.
    Collection,
}

/// Properties of a node that hold for every format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(u8);

impl Flags {
    /// Part of the `sops` metadata.
    pub const METADATA: Flags = Flags(1);
    /// Chosen for encryption by the rules in force (set by `select`).
    pub const SELECTED: Flags = Flags(2);
    /// Inside a YAML flow collection.
    pub const IN_FLOW: Flags = Flags(4);
    /// A later duplicate replaces it: encrypted with the rest, absent from the
    /// MAC (INI).
    pub const SHADOWED: Flags = Flags(8);
    /// The key is not a string in the format's own typing (YAML `1:`).
    pub const ODD_KEY: Flags = Flags(16);
    /// The node has a YAML tag or anchor: see [`Tree::properties`].
    pub const PROPERTIES: Flags = Flags(32);
    /// SOPS reads another value from these bytes than we do (INI `a=x;y`, dotenv
    /// values of several lines): safe to encrypt, not to leave in clear.
    pub const AMBIGUOUS: Flags = Flags(64);
    /// A comment that SOPS's parser loses: it governs nothing.
    pub const LOST: Flags = Flags(128);

    /// True when every flag of `other` is set.
    pub fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// Sets the flags of `other`.
    pub fn set(&mut self, other: Flags) {
        self.0 |= other.0;
    }

    /// Clears the flags of `other`.
    pub fn clear(&mut self, other: Flags) {
        self.0 &= !other.0;
    }
}

/// One node. 48 bytes: a tree of a million leaves stays below 50 MB.
#[derive(Clone, Copy)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// How it is written.
    pub style: Style,
    /// Its tag (YAML).
    pub tag: Tag,
    /// Marks.
    pub flags: Flags,
    /// The container it stands in; a root is its own parent.
    pub parent: NodeId,
    /// One past its last descendant.
    pub end: NodeId,
    /// The bytes of its key with quotes; empty for list elements, comments and roots.
    pub key: Span,
    /// The key itself; a text span, see [`Tree::text`].
    pub key_text: Span,
    /// The bytes of the value: quotes, block header and body included, tag and
    /// anchor excluded. For a comment, its marker and text. A block scalar ends
    /// behind the line break of its last line of content (with `+`, of its last
    /// line), if there is one. Empty (at the place where a value would stand) for
    /// an empty plain value.
    pub span: Span,
    /// The decoded text; a text span, see [`Tree::text`].
    pub text: Span,
    /// YAML: the indentation (column) of the innermost enclosing block
    /// collection, -1 outside of any: lines that continue a scalar are indented
    /// deeper than this.
    pub indent: i32,
}

/// Where a YAML tag and anchor are written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Properties {
    /// `!…`, empty when absent.
    pub tag: Span,
    /// `&name`, empty when absent.
    pub anchor: Span,
}

/// One document of a file.
#[derive(Clone, Copy, Debug)]
pub struct Document {
    /// Its root node. In YAML always a map; one of [`Style::Plain`] stands for a
    /// document that holds nothing, or (with a span that is not empty) a null.
    pub root: NodeId,
    /// From the byte behind its `---` line, or the start of the file, to the
    /// start of the line of the marker (`---`, `...`) that ends it, or the end
    /// of the file. Outside YAML, the whole file.
    pub span: Span,
}

/// A file that was read. Borrows the source; the source outlives every text.
pub struct Tree<'s> {
    /// The bytes that were read.
    pub source: &'s [u8],
    /// Texts that decoding changed, one behind the other.
    pub decoded: Arc<SecretBytes>,
    /// All nodes of all documents, in document order.
    pub nodes: Vec<Node>,
    /// The documents; one, except in YAML.
    pub documents: Vec<Document>,
    /// Tags and anchors of the nodes flagged [`Flags::PROPERTIES`], by node,
    /// ascending; those of keys are not kept.
    pub properties: Vec<(NodeId, Properties)>,
    /// YAML: the lists that begin with comments' tokens as elements, as SOPS writes
    /// them, ascending, each with the node behind the last of those.
    pub comment_heads: Vec<(NodeId, NodeId)>,
}

impl<'s> Tree<'s> {
    /// A tree without nodes over `source`.
    pub fn new(source: &'s [u8]) -> Self {
        Self {
            source,
            decoded: Arc::default(),
            nodes: Vec::new(),
            documents: Vec::new(),
            properties: Vec::new(),
            comment_heads: Vec::new(),
        }
    }

    /// The node `id`.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id as usize]
    }

    /// The bytes of a text span: offsets below the length of the source are
    /// places in it, those above are places in [`Tree::decoded`].
    pub fn text(&self, span: Span) -> &[u8] {
        let length = self.source.len();
        if span.is_empty() {
            &[]
        } else if span.start as usize >= length {
            &self.decoded[span.start as usize - length..span.end as usize - length]
        } else {
            &self.source[span.range()]
        }
    }

    /// The same, to outlive the tree: what was decoded is shared, the rest is copied.
    pub fn lasting_text(&self, span: Span) -> Text<'static> {
        let length = self.source.len() as u32;
        if span.is_empty() || span.start < length {
            return Text::Borrowed(self.text(span)).into_owned();
        }
        Text::Shared(Arc::clone(&self.decoded), span.start - length..span.end - length)
    }

    /// [`Tree::decoded`], for appending in place.
    pub fn decoded_mut(&mut self) -> &mut Vec<u8> {
        Arc::make_mut(&mut self.decoded).as_mut_vec()
    }

    /// True when `id` is the root of a YAML document that is a null, written out or not:
    /// an empty document to SOPS, but null wherever an alias repeats it.
    pub fn is_null_root(&self, id: NodeId) -> bool {
        let node = self.node(id);
        node.parent == id && node.kind == Kind::Map && node.style == Style::Plain
    }

    /// The bytes of the source in `span`.
    pub fn raw(&self, span: Span) -> &'s [u8] {
        &self.source[span.range()]
    }

    /// The key of `id`; empty for a node that has none.
    pub fn key(&self, id: NodeId) -> &[u8] {
        self.text(self.node(id).key_text)
    }

    /// True when `id` stands behind a key.
    pub fn has_key(&self, id: NodeId) -> bool {
        let node = self.node(id);
        node.kind != Kind::Comment && node.parent != id && self.node(node.parent).kind == Kind::Map
    }

    /// The children of `id` in order, comments included.
    pub fn children(&self, id: NodeId) -> Children<'_, 's> {
        Children { tree: self, next: id + 1, end: self.node(id).end }
    }

    /// The place of the document that `id` is in.
    pub fn document_of(&self, id: NodeId) -> usize {
        self.documents.partition_point(|document| document.root <= id).saturating_sub(1)
    }

    /// The siblings of `id` that come after it.
    pub fn behind(&self, id: NodeId) -> Children<'_, 's> {
        let node = self.node(id);
        Children { tree: self, next: node.end, end: self.node(node.parent).end }
    }

    /// Adds `bytes` to the side buffer and returns their text span.
    pub fn push_decoded(&mut self, bytes: &[u8]) -> Span {
        let start = self.source.len() + self.decoded.len();
        self.decoded_mut().extend_from_slice(bytes);
        Span::new(start, start + bytes.len())
    }

    /// The tag and anchor of `id`.
    pub fn properties_of(&self, id: NodeId) -> Properties {
        match self.properties.binary_search_by_key(&id, |(node, _)| *node) {
            Ok(found) => self.properties[found].1,
            Err(_) => Properties::default(),
        }
    }

    /// The node behind the comments' tokens that list `id` begins with.
    pub fn comment_head(&self, id: NodeId) -> Option<NodeId> {
        let found = self.comment_heads.binary_search_by_key(&id, |(list, _)| *list).ok()?;
        Some(self.comment_heads[found].1)
    }

    /// The one-based line of byte `offset` of the source.
    pub fn line(&self, offset: u32) -> usize {
        Lines::new(self.source).of(offset as usize)
    }
}

impl fmt::Debug for Tree<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tree({} nodes)", self.nodes.len())
    }
}

/// Iterator over the children of a node, or the last of them.
#[derive(Debug)]
pub struct Children<'t, 's> {
    tree: &'t Tree<'s>,
    next: NodeId,
    end: NodeId,
}

impl Iterator for Children<'_, '_> {
    type Item = NodeId;

    fn next(&mut self) -> Option<NodeId> {
        if self.next >= self.end {
            return None;
        }
        let id = self.next;
        self.next = self.tree.node(id).end;
        Some(id)
    }
}
