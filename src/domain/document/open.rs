//! Encrypted file → plain text, with the MAC over everything that was read.

use super::Notice;
use super::alias::{self, Anchors};
use super::leaf::{LeafError, LeafOpener, Opened};
use super::order::SourceOrder;
use super::reuse::Ciphertexts;
use super::sink::{Sink, Splicer};
use super::spelling::Spellings;
use super::walk::{IndexPaths, Walk, append_aad, index_path, spelling_path};
use crate::domain::crypto::cipher::Cipher;
use crate::domain::crypto::mac::Mac;
use crate::domain::crypto::token::{Token, is_token, trimmed};
use crate::domain::lines::Lines;
use crate::domain::scalar::Scalar;
use crate::domain::secret::{SecretBytes, Text};
use crate::domain::select::{Selection, Stage};
use crate::domain::store::splice::Edit;
use crate::domain::store::{Format, Plain, Store};
use crate::domain::tree::{Flags, Kind, Node, NodeId, Span, Style, Tree};

/// Why a file did not open: where, and what happened there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Error decrypting tree: Error walking tree: {cause}")]
pub struct TreeError {
    /// Key path in index syntax.
    pub path: String,
    /// One-based line.
    pub line: usize,
    /// What happened.
    pub cause: LeafError,
}

/// An encrypted file with all that opening it takes. The leaves of `tree` are
/// marked by the file's own rules.
#[derive(Clone, Copy)]
pub struct Encrypted<'t, 's> {
    /// The format's store.
    pub store: &'static dyn Store,
    /// The file.
    pub tree: &'t Tree<'s>,
    /// The file's rules.
    pub selection: &'t Selection,
    /// The data key's cipher.
    pub cipher: &'t Cipher,
}

/// What opening a file found beside its plaintext.
#[derive(Debug)]
pub struct Findings {
    /// The MAC over the values that were read.
    pub mac: Mac,
    /// What the user should hear about.
    pub notices: Vec<Notice>,
    /// True when the spellings had a patch and it was used.
    pub patched: bool,
}

/// What else a pass over an encrypted file does.
#[derive(Debug, Default)]
pub struct Extras<'r> {
    /// The owner's spellings.
    pub spellings: Spellings,
    /// Plaintexts that are not canonical are printed as they are.
    pub keep_spellings: bool,
    /// Comments go where SOPS prints them: those behind values above their keys,
    /// those that are the first elements of a list in a list above that.
    pub hoist: bool,
    /// Remembers all ciphertexts.
    pub recorder: Option<&'r mut Ciphertexts>,
}

impl<'t, 's> Encrypted<'t, 's> {
    /// Writes the plain file to `sink`. `detach` are the edits that take the
    /// metadata out.
    pub fn write_plain(
        &self,
        mut extras: Extras<'_>,
        detach: Vec<Edit>,
        sink: &mut (impl Sink + ?Sized),
    ) -> Result<Findings, TreeError> {
        let Some(patch) = extras.spellings.take_patch() else { return self.print(extras, detach, sink) };
        let mut printed = SecretBytes::new(Vec::with_capacity(self.tree.source.len()));
        let mut findings = self.print(extras, detach, &mut printed)?;
        let patched = patch.apply(&printed);
        findings.patched = patched.is_some();
        sink.push(&patched.unwrap_or(printed));
        Ok(findings)
    }

    /// The same without the patch.
    fn print(
        &self,
        extras: Extras<'_>,
        detach: Vec<Edit>,
        sink: &mut (impl Sink + ?Sized),
    ) -> Result<Findings, TreeError> {
        let order = SourceOrder::new(self.tree);
        let mut pass = Pass::new(*self, extras, order.is_document_order());
        let mut edits = detach;
        pass.hoist(&mut edits);
        pass.restore_aliases(&mut edits)?;
        let mut text = SecretBytes::default();
        let mut splicer = Splicer::new(self.tree.source, edits, sink);
        order.each(self.tree, |id| {
            text.as_mut_vec().clear();
            if let Some(span) = pass.visit(id, text.as_mut_vec())? {
                splicer.replace(span, &text);
            }
            Ok(())
        })?;
        splicer.finish();
        let mut findings = Findings { mac: pass.mac, notices: pass.notices, patched: false };
        if !order.is_document_order() {
            findings.mac = self.mac()?;
        }
        Ok(findings)
    }

    /// The MAC over all values, in document order.
    pub fn mac(&self) -> Result<Mac, TreeError> {
        self.mac_with(None)
    }

    /// The same, and beside it the MAC of the file in which one leaf has another
    /// value: see [`Mac::changed_hex`].
    pub fn mac_with(&self, change: Option<(NodeId, &Scalar<'_>)>) -> Result<Mac, TreeError> {
        let mut pass = Pass { only_mac: true, ..Pass::new(*self, Extras::default(), true) };
        let mut text = SecretBytes::default();
        for id in 0..self.tree.nodes.len() as NodeId {
            let node = self.tree.node(id);
            if node.kind != Kind::Comment && !node.flags.has(Flags::METADATA) {
                if let Some((changed, value)) = change
                    && changed == id
                {
                    pass.mac.change_next(value, node.flags.has(Flags::SELECTED));
                }
                text.as_mut_vec().clear();
                pass.visit(id, text.as_mut_vec())?;
            }
        }
        Ok(pass.mac)
    }

    /// The error `cause` at node `id`.
    pub fn error(&self, id: NodeId, cause: LeafError) -> TreeError {
        let node = self.tree.node(id);
        TreeError { path: index_path(self.tree, id), line: self.tree.line(node.span.start), cause }
    }

    /// The value of a leaf that the rules leave in clear, or that is never
    /// encrypted; counted in `mac`.
    pub fn clear_value(&self, id: NodeId, mac: &mut Mac) -> Scalar<'t> {
        let selected = self.tree.node(id).flags.has(Flags::SELECTED);
        let value = self.store.scalar(self.tree, id);
        match value {
            Scalar::Int(number) if self.store.format() == Format::Json => {
                mac.add_json_integer(number, selected)
            }
            _ => mac.add(&value, selected),
        }
        value
    }

    /// What a selected leaf that is no token holds: null or an empty string,
    /// which are never encrypted, or an error.
    pub fn unencrypted(&self, id: NodeId) -> Result<Scalar<'t>, LeafError> {
        match self.store.scalar(self.tree, id) {
            Scalar::Null => Ok(Scalar::Null),
            Scalar::Str(text) if text.is_empty() => Ok(Scalar::Str(text)),
            Scalar::Str(_) => Err(LeafError::NotEncrypted),
            other => Err(LeafError::NotText(other.type_name().unwrap_or("null"))),
        }
    }

    /// Opens comment `id`. SOPS decides what a comment belongs to by its place,
    /// so when the container that it hangs on does not fit, those around it are
    /// tried.
    pub fn open_comment<'o>(&self, opener: &'o mut LeafOpener<'_>, id: NodeId) -> Option<CommentText<'o>> {
        let node = self.tree.node(id);
        let token = Token::parse(self.tree.text(node.text))?;
        let mut tried = Vec::new();
        let nodes = || std::iter::once(node.parent).chain(around(self.tree, id));
        let aad = nodes().find_map(|near| {
            let first = tried.len();
            climb(self.tree, near, &mut tried);
            let mut new = tried[first..].iter();
            new.find(|aad| matches!(opener.open(&token, aad), Ok(Opened::Comment(_)))).cloned()
        })?;
        Some(CommentText { text: opener.plaintext(), aad })
    }
}

/// A comment that was opened, and the associated data that opened it.
#[derive(Debug)]
pub struct CommentText<'o> {
    /// The text behind the marker.
    pub text: &'o [u8],
    /// Path of the container that it was encrypted for.
    pub aad: Vec<u8>,
}

/// What stands in front of comment `id` and behind it, other comments left out.
fn around(tree: &Tree<'_>, id: NodeId) -> impl Iterator<Item = NodeId> {
    let is_comment = |id: &NodeId| tree.node(*id).kind == Kind::Comment;
    let before = move || (0..id).rev().find(|id| !is_comment(id));
    let behind = move || (id + 1..tree.nodes.len() as NodeId).find(|id| !is_comment(id));
    std::iter::once_with(before).chain(std::iter::once_with(behind)).flatten()
}

/// Adds the associated data for comments of `id` and everything above it.
fn climb(tree: &Tree<'_>, mut id: NodeId, candidates: &mut Vec<Vec<u8>>) {
    loop {
        let mut aad = Vec::new();
        append_aad(tree, id, &mut aad);
        if aad.is_empty() {
            aad.push(b':');
        }
        if !candidates.contains(&aad) {
            candidates.push(aad);
        }
        let parent = tree.node(id).parent;
        if parent == id {
            return;
        }
        id = parent;
    }
}

struct Pass<'r, 't, 's> {
    file: Encrypted<'t, 's>,
    extras: Extras<'r>,
    opener: LeafOpener<'t>,
    walk: Walk,
    lines: Lines<'t>,
    paths: IndexPaths<'t, 's>,
    in_order: bool,
    /// Nothing is written.
    only_mac: bool,
    aad: Vec<u8>,
    /// Comments that were moved, by node.
    moved: Vec<NodeId>,
    /// Nodes whose copy became an alias again, in the table's order.
    restored: Vec<std::ops::Range<NodeId>>,
    mac: Mac,
    notices: Vec<Notice>,
}

impl<'r, 't, 's> Pass<'r, 't, 's> {
    fn new(file: Encrypted<'t, 's>, extras: Extras<'r>, in_order: bool) -> Self {
        Self {
            file,
            extras,
            opener: LeafOpener::new(file.cipher),
            walk: Walk::default(),
            lines: Lines::new(file.tree.source),
            paths: IndexPaths::new(file.tree),
            in_order,
            only_mac: false,
            aad: Vec::new(),
            moved: Vec::new(),
            restored: Vec::new(),
            mac: Mac::new(file.selection.mac_only_encrypted()),
            notices: Vec::new(),
        }
    }

    fn is_restored(&self, id: NodeId) -> bool {
        let behind = self.restored.partition_point(|range| range.start <= id);
        self.restored[..behind].last().is_some_and(|range| id < range.end)
    }

    /// Opens node `id`: counts it, and appends the text that replaces the span
    /// that is returned.
    fn visit(&mut self, id: NodeId, text: &mut Vec<u8>) -> Result<Option<Span>, TreeError> {
        let node = self.file.tree.node(id);
        if node.kind == Kind::Comment {
            return Ok(self.comment(id, text));
        }
        self.aad.clear();
        if self.in_order {
            let aad = self.walk.enter(self.file.tree, id);
            if node.kind == Kind::Scalar || node.kind == Kind::Alias {
                self.aad.extend_from_slice(aad);
            }
        } else {
            append_aad(self.file.tree, id, &mut self.aad);
        }
        match node.kind {
            Kind::Map | Kind::List | Kind::Comment => Ok(None),
            Kind::Alias => self.alias(id).map(|()| None),
            Kind::Scalar if node.flags.has(Flags::SELECTED) => self.selected(id, node, text),
            Kind::Scalar if node.flags.has(Flags::SHADOWED) => Ok(None),
            Kind::Scalar => {
                self.file.clear_value(id, &mut self.mac);
                Ok(None)
            }
        }
    }

    fn selected(&mut self, id: NodeId, node: &Node, text: &mut Vec<u8>) -> Result<Option<Span>, TreeError> {
        let Encrypted { store, tree, .. } = self.file;
        let raw = tree.text(node.text);
        let Some(token) = Token::parse(raw) else {
            let value = self.file.unencrypted(id).map_err(|cause| self.file.error(id, cause))?;
            self.mac.add(&value, true);
            return Ok(None);
        };
        let restored = self.is_restored(id);
        match self.opener.open(&token, &self.aad).map_err(|cause| self.file.error(id, cause))? {
            Opened::Value(mut plain) => {
                if !node.flags.has(Flags::SHADOWED) {
                    self.mac.add(&plain.value, true);
                }
                if self.only_mac {
                    return Ok(None);
                }
                if let Some(recorder) = &mut self.extras.recorder {
                    let kind = plain.value.type_name().unwrap_or("str");
                    let bytes = plain_bytes(&plain);
                    recorder.add(&self.aad, kind, &bytes, trimmed(raw), node.style);
                }
                if !self.extras.keep_spellings {
                    plain.spelling = None;
                }
                let spelled = if self.extras.spellings.is_empty() {
                    None
                } else {
                    let path = if self.in_order {
                        self.walk.spelling_path(tree, id)
                    } else {
                        spelling_path(tree, id)
                    };
                    self.extras.spellings.take(&path, |it| store.spelled(tree, id, it, &plain.value))
                };
                if restored {
                    return Ok(None);
                }
                Ok(Some(match spelled {
                    Some((spelling, span)) => {
                        text.extend_from_slice(&spelling);
                        span
                    }
                    None => store.unlock(tree, id, node.style, &plain, text),
                }))
            }
            Opened::Comment(comment) if tree.node(node.parent).kind == Kind::List => {
                self.mac.add_list_comment(comment);
                if let Some(recorder) = &mut self.extras.recorder {
                    recorder.add(&self.aad, "comment", comment, trimmed(raw), Style::Element);
                }
                let plain = comment_plain(comment);
                let style = if self.extras.hoist { Style::Element } else { Style::OwnLine };
                Ok(Some(store.unlock(tree, id, style, &plain, text)))
            }
            Opened::Comment(_) => Err(self.file.error(id, LeafError::CommentAsValue)),
        }
    }

    /// Counts the copy that an alias stands for. Where the rules select a leaf
    /// of it, the token was made for another path and does not open.
    fn alias(&mut self, id: NodeId) -> Result<(), TreeError> {
        let Self { file, opener, mac, aad, .. } = self;
        let marks = file.selection.alias_marks(file.tree, id, Stage::Encrypted);
        let mut marks = marks.into_iter();
        alias::each_leaf(file.tree, id, aad, &mut |leaf, aad| {
            let selected = marks.next().unwrap_or(false);
            if !selected {
                mac.add(&file.store.scalar(file.tree, leaf), false);
                return Ok(());
            }
            let raw = file.tree.text(file.tree.node(leaf).text);
            let Some(token) = Token::parse(raw) else {
                let value = file.unencrypted(leaf).map_err(|cause| file.error(id, cause))?;
                mac.add(&value, true);
                return Ok(());
            };
            match opener.open(&token, aad).map_err(|cause| file.error(id, cause))? {
                Opened::Value(plain) => mac.add(&plain.value, true),
                Opened::Comment(comment) => mac.add_list_comment(comment),
            }
            Ok(())
        })
    }

    fn comment(&mut self, id: NodeId, text: &mut Vec<u8>) -> Option<Span> {
        let Encrypted { store, tree, .. } = self.file;
        let node = tree.node(id);
        let raw = tree.text(node.text);
        let selected = node.flags.has(Flags::SELECTED);
        // A comment that SOPS's parser moved away from what selects it is still one.
        let moved = || self.extras.hoist && is_token(raw);
        if raw.is_empty() || self.moved.binary_search(&id).is_ok() || !selected && !moved() {
            return None;
        }
        if !is_token(raw) {
            self.notices.push(Notice::PlainComment { line: self.lines.of(node.span.start as usize) });
            return None;
        }
        let Some(comment) = self.file.open_comment(&mut self.opener, id) else {
            self.notices.push(Notice::UnreadableComment { line: self.lines.of(node.span.start as usize) });
            return None;
        };
        let plain = comment_plain(comment.text);
        if !self.extras.spellings.is_empty() {
            let path = self.paths.of(id);
            let found = self.extras.spellings.take(&path, |it| store.spelled(tree, id, it, &plain.value));
            if let Some((spelling, span)) = found {
                text.extend_from_slice(&spelling);
                if let Some(recorder) = &mut self.extras.recorder {
                    recorder.add(&comment.aad, "comment", comment.text, trimmed(raw), node.style);
                }
                return Some(span);
            }
        }
        let start = text.len();
        let mut span = store.unlock(tree, id, node.style, &plain, text);
        // What is read from the plain file again need not be the very text of the token.
        if !self.extras.hoist && store.comment_text(&text[start..]) != comment.text {
            text.truncate(start);
            span = store.unlock(tree, id, Style::Plain, &plain, text);
        }
        if let Some(recorder) = &mut self.extras.recorder {
            let texts = [comment.text, store.comment_text(&text[start..])];
            recorder.add_both((&comment.aad, "comment"), texts, trimmed(raw), node.style);
        }
        Some(span)
    }

    /// Moves encrypted comments behind values above their keys.
    fn hoist(&mut self, edits: &mut Vec<Edit>) {
        let Encrypted { store, tree, .. } = self.file;
        if !self.extras.hoist || store.format() != Format::Yaml {
            return;
        }
        for (id, node) in tree.nodes.iter().enumerate() {
            let inline = node.kind == Kind::Comment && node.style == Style::Inline;
            if inline && node.flags.has(Flags::SELECTED) && is_token(tree.text(node.text)) {
                let id = id as NodeId;
                if let Some(comment) = self.file.open_comment(&mut self.opener, id) {
                    edits.extend(store.hoist(tree, id, comment.text));
                    self.moved.push(id);
                }
            }
        }
    }

    /// Puts aliases back in the places of their copies, where the copy still
    /// holds what the anchor holds.
    fn restore_aliases(&mut self, edits: &mut Vec<Edit>) -> Result<(), TreeError> {
        let spellings = &mut self.extras.spellings;
        if !spellings.any(|text| text.starts_with(b"*")) {
            return Ok(());
        }
        let Encrypted { tree, .. } = self.file;
        let anchors = Anchors::of(tree);
        let mut walk = Walk::default();
        let mut after = 0;
        for id in 0..tree.nodes.len() as NodeId {
            let node = tree.node(id);
            if node.kind == Kind::Comment || node.flags.has(Flags::METADATA) {
                continue;
            }
            walk.enter(tree, id);
            if id < after {
                continue;
            }
            let path = walk.spelling_path(tree, id);
            let anchor = spellings.take(&path, |text| anchors.before(id, text.strip_prefix(b"*")?));
            let Some((text, anchor)) = anchor else { continue };
            if self.file.value_of(anchor)?.same_data(&self.file.value_of(id)?) {
                edits.push(Edit::new(node.span, text.to_vec()));
                after = node.end;
                self.restored.push(id..node.end);
            }
        }
        Ok(())
    }
}

/// A comment's text as a value, for the store.
fn comment_plain(text: &[u8]) -> Plain<'_> {
    Plain { value: Scalar::Str(Text::Borrowed(text)), spelling: None }
}

/// The plaintext of a token.
fn plain_bytes(plain: &Plain<'_>) -> SecretBytes {
    let mut bytes = SecretBytes::default();
    match plain.spelling {
        Some(spelling) => bytes.as_mut_vec().extend_from_slice(spelling),
        None => plain.value.write_canonical(bytes.as_mut_vec()),
    }
    bytes
}
