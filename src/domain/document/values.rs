//! Encrypted file → owned values: for other formats, `--extract`, and
//! comparisons.

use super::Notice;
use super::alias;
use super::leaf::{LeafError, LeafOpener, Opened};
use super::open::{Encrypted, Findings, TreeError};
use super::walk::{Walk, append_aad};
use crate::domain::crypto::mac::Mac;
use crate::domain::crypto::token::{Token, is_token};
use crate::domain::lines::Lines;
use crate::domain::scalar::Scalar;
use crate::domain::secret::Text;
use crate::domain::select::Stage;
use crate::domain::store::Store;
use crate::domain::tree::{Flags, Kind, NodeId, Tree};
use crate::domain::value::{Entry, Value};

impl Encrypted<'_, '_> {
    /// All documents as values, without metadata, aliases written out, comments
    /// decrypted.
    pub fn to_values(&self) -> Result<(Vec<Value>, Findings), TreeError> {
        let mut builder = Builder::new(*self);
        let mut documents = Vec::with_capacity(self.tree.documents.len());
        for document in &self.tree.documents {
            documents.push(builder.build(document.root, &[])?);
        }
        Ok((documents, Findings { mac: builder.mac, notices: builder.notices, patched: false }))
    }

    /// The value of node `id`.
    pub fn value_of(&self, id: NodeId) -> Result<Value, TreeError> {
        let mut aad = Vec::new();
        append_aad(self.tree, id, &mut aad);
        Builder::new(*self).build(id, &aad)
    }
}

/// A plain tree as values, without metadata.
pub fn plain_values(store: &'static dyn Store, tree: &Tree<'_>) -> Vec<Value> {
    values_of(store, tree, Whole::Data)
}

/// How much of a file becomes values.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Whole {
    /// Its data with the comments.
    Data,
    /// Its data and its metadata, without comments.
    DataAndMetadata,
}

pub(super) fn values_of(store: &'static dyn Store, tree: &Tree<'_>, whole: Whole) -> Vec<Value> {
    let leaf = |id: NodeId| Value::Scalar(store.scalar(tree, id).into_owned());
    let build = |root| {
        let mut assembly = Assembly::new(tree, root);
        collect_plain(tree, root, whole, &mut assembly, &leaf);
        assembly.finish()
    };
    tree.documents.iter().map(|document| build(document.root)).collect()
}

fn collect_plain(
    tree: &Tree<'_>,
    root: NodeId,
    whole: Whole,
    assembly: &mut Assembly<'_, '_>,
    leaf: &dyn Fn(NodeId) -> Value,
) {
    for id in root..tree.node(root).end {
        let node = tree.node(id);
        if node.flags.has(Flags::METADATA) && whole == Whole::Data || node.flags.has(Flags::SHADOWED) {
            continue;
        }
        match node.kind {
            Kind::Map | Kind::List => assembly.open(id),
            Kind::Scalar => assembly.add(id, leaf(id)),
            Kind::Comment if whole == Whole::DataAndMetadata => {}
            Kind::Comment => assembly.comment(id, Text::Borrowed(tree.text(node.text)).into_owned()),
            Kind::Alias => {
                let target = alias::target(tree, id);
                if tree.is_null_root(target) {
                    assembly.add(id, Value::Scalar(Scalar::Null));
                    continue;
                }
                let mut copy = Assembly::new(tree, target);
                collect_plain(tree, target, whole, &mut copy, leaf);
                assembly.add(id, copy.finish());
            }
        }
    }
}

struct Builder<'t, 's> {
    file: Encrypted<'t, 's>,
    opener: LeafOpener<'t>,
    mac: Mac,
    lines: Lines<'t>,
    notices: Vec<Notice>,
}

impl<'t, 's> Builder<'t, 's> {
    fn new(file: Encrypted<'t, 's>) -> Self {
        let mac = Mac::new(file.selection.mac_only_encrypted());
        let lines = Lines::new(file.tree.source);
        Self { file, opener: LeafOpener::new(file.cipher), mac, lines, notices: Vec::new() }
    }

    /// The value of `root`, whose associated data is `base`, and what is below it.
    fn build(&mut self, root: NodeId, base: &[u8]) -> Result<Value, TreeError> {
        let tree = self.file.tree;
        let mut walk = Walk::below(tree, root, base);
        let mut assembly = Assembly::new(tree, root);
        let mut aad = Vec::new();
        for id in root..tree.node(root).end {
            let node = tree.node(id);
            if node.flags.has(Flags::METADATA) || node.flags.has(Flags::SHADOWED) {
                continue;
            }
            if node.kind == Kind::Comment {
                assembly.comment(id, self.comment(id));
                continue;
            }
            let entered = if id == root { base } else { walk.enter(tree, id) };
            aad.clear();
            aad.extend_from_slice(entered);
            match node.kind {
                Kind::Map | Kind::List => assembly.open(id),
                Kind::Alias => {
                    let copy = self.alias(id, &aad)?;
                    assembly.add(id, copy);
                }
                _ => {
                    let value = self.scalar(id, &aad)?;
                    assembly.add(id, value);
                }
            }
        }
        Ok(assembly.finish())
    }

    fn scalar(&mut self, id: NodeId, aad: &[u8]) -> Result<Value, TreeError> {
        let node = self.file.tree.node(id);
        if !node.flags.has(Flags::SELECTED) {
            return Ok(Value::Scalar(self.file.clear_value(id, &mut self.mac).into_owned()));
        }
        let Some(token) = Token::parse(self.file.tree.text(node.text)) else {
            let value = self.file.unencrypted(id).map_err(|cause| self.file.error(id, cause))?;
            self.mac.add(&value, true);
            return Ok(Value::Scalar(value.into_owned()));
        };
        match self.opener.open(&token, aad).map_err(|cause| self.file.error(id, cause))? {
            Opened::Value(plain) => {
                self.mac.add(&plain.value, true);
                Ok(Value::Scalar(plain.value.into_owned()))
            }
            Opened::Comment(text) if self.file.tree.node(node.parent).kind == Kind::List => {
                self.mac.add_list_comment(text);
                Ok(Value::Comment(Text::from(text.to_vec())))
            }
            Opened::Comment(_) => Err(self.file.error(id, LeafError::CommentAsValue)),
        }
    }

    fn comment(&mut self, id: NodeId) -> Text<'static> {
        let node = self.file.tree.node(id);
        let raw = self.file.tree.text(node.text);
        if raw.is_empty() || !node.flags.has(Flags::SELECTED) && !is_token(raw) {
            return Text::from(raw.to_vec());
        }
        if !is_token(raw) {
            self.notices.push(Notice::PlainComment { line: self.lines.of(node.span.start as usize) });
        } else if let Some(comment) = self.file.open_comment(&mut self.opener, id) {
            return Text::from(comment.text.to_vec());
        } else {
            self.notices.push(Notice::UnreadableComment { line: self.lines.of(node.span.start as usize) });
        }
        Text::from(raw.to_vec())
    }

    /// The copy that an alias stands for; see [`alias::each_leaf`].
    fn alias(&mut self, id: NodeId, aad: &[u8]) -> Result<Value, TreeError> {
        let tree = self.file.tree;
        let target = alias::target(tree, id);
        let marks = self.file.selection.alias_marks(tree, id, Stage::Encrypted);
        let mut values = Vec::with_capacity(marks.len());
        let mut marks = marks.into_iter();
        let Self { file, opener, mac, .. } = self;
        alias::each_leaf(tree, id, aad, &mut |leaf, aad| {
            let selected = marks.next().unwrap_or(false);
            let token = Token::parse(tree.text(tree.node(leaf).text)).filter(|_| selected);
            let value = match token {
                Some(token) => match opener.open(&token, aad).map_err(|cause| file.error(id, cause))? {
                    Opened::Value(plain) => plain.value.into_owned(),
                    Opened::Comment(_) => return Err(file.error(id, LeafError::CommentAsValue)),
                },
                None => file.store.scalar(tree, leaf).into_owned(),
            };
            mac.add(&value, selected);
            values.push(value);
            Ok(())
        })?;
        let values = std::cell::RefCell::new(values.into_iter());
        let mut assembly = Assembly::new(tree, target);
        collect_plain(tree, target, Whole::Data, &mut assembly, &|_| {
            Value::Scalar(values.borrow_mut().next().unwrap_or(Scalar::Null))
        });
        Ok(assembly.finish())
    }
}

/// Puts containers together from nodes in document order, without recursion.
struct Assembly<'t, 's> {
    tree: &'t Tree<'s>,
    root: NodeId,
    stack: Vec<(NodeId, Value)>,
    done: Option<Value>,
}

impl<'t, 's> Assembly<'t, 's> {
    fn new(tree: &'t Tree<'s>, root: NodeId) -> Self {
        Self { tree, root, stack: Vec::new(), done: None }
    }

    fn open(&mut self, id: NodeId) {
        self.close_before(id);
        let empty = match self.tree.node(id).kind {
            Kind::List => Value::List(Vec::new()),
            _ => Value::Map(Vec::new()),
        };
        self.stack.push((id, empty));
    }

    fn add(&mut self, id: NodeId, value: Value) {
        self.close_before(id);
        self.put(id, value);
    }

    fn comment(&mut self, id: NodeId, text: Text<'static>) {
        self.close_before(id);
        match self.stack.last_mut() {
            Some((_, Value::Map(entries))) => entries.push(Entry::Comment(text)),
            Some((_, Value::List(values))) => values.push(Value::Comment(text)),
            _ => {}
        }
    }

    fn close_before(&mut self, id: NodeId) {
        while let Some((open, value)) = self.stack.pop_if(|(open, _)| self.tree.node(*open).end <= id) {
            self.put(open, value);
        }
    }

    fn put(&mut self, id: NodeId, value: Value) {
        let key = self.tree.key(id);
        match self.stack.last_mut() {
            Some((_, Value::Map(entries))) => {
                entries.push(Entry::Pair(String::from_utf8_lossy(key).into_owned(), value));
            }
            Some((_, Value::List(values))) => values.push(value),
            _ => self.done = Some(value),
        }
    }

    fn finish(mut self) -> Value {
        while let Some((open, value)) = self.stack.pop() {
            self.put(open, value);
        }
        debug_assert!(self.done.is_some() || self.tree.node(self.root).kind == Kind::Comment);
        self.done.unwrap_or(Value::Map(Vec::new()))
    }
}
