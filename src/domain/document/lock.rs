//! Plain file → encrypted file, in two passes: the plan counts every value for
//! the MAC and finds out which spellings a token cannot carry; the second pass
//! encrypts and writes.

use std::collections::{HashMap, HashSet};

use rand::{CryptoRng, RngCore};

use super::Notice;
use super::alias::{self, Anchors};
use super::order::SourceOrder;
use super::reuse::Ciphertexts;
use super::sink::{Sink, Splicer};
use super::spelling::SpellingList;
use super::walk::{IndexPaths, Walk, append_aad};
use crate::domain::crypto::cipher::Cipher;
use crate::domain::crypto::mac::Mac;
use crate::domain::lines::Lines;
use crate::domain::scalar::Scalar;
use crate::domain::secret::{SecretBytes, Text};
use crate::domain::select::{Selection, Stage};
use crate::domain::store::splice::Edit;
use crate::domain::store::{Format, Plain, Store};
use crate::domain::tree::{Flags, Kind, NodeId, Style, Tree};

/// A plain file with all that encrypting it takes. The leaves of `tree` are
/// marked by `selection`.
#[derive(Clone, Copy)]
pub struct PlainFile<'t, 's> {
    /// The format's store.
    pub store: &'static dyn Store,
    /// The file.
    pub tree: &'t Tree<'s>,
    /// The rules.
    pub selection: &'t Selection,
    /// Tokens may hold spellings that are not canonical: see
    /// [`super::open::Extras::keep_spellings`].
    pub keep_spellings: bool,
}

/// What encrypting a file will amount to.
#[derive(Debug)]
pub struct LockPlan {
    /// The MAC over the plain values.
    pub mac: Mac,
    /// Spellings to be kept in the metadata.
    pub spellings: SpellingList,
    /// What the user should hear about.
    pub notices: Vec<Notice>,
    /// How many values and comments get encrypted.
    pub encrypted: usize,
    /// How many values there are, nulls aside.
    pub leaves: usize,
    /// How many of them the rules select, empty strings included.
    pub selected: usize,
    /// Placeholders that keep a style other than their value's own, by node.
    styles: Vec<(NodeId, Style)>,
    /// Nodes whose key is an alias to a value that becomes a token.
    expanded_keys: Vec<NodeId>,
    /// Aliases that are written out, by node, which is also by place.
    expanded: Vec<NodeId>,
    /// How many of them, and of the keys, have no notice of their own.
    unnamed_aliases: usize,
}

/// So many aliases that are written out get a notice each.
const NAMED_ALIASES: usize = 100;

impl LockPlan {
    fn notice_alias(&mut self, path: String, line: usize) {
        match self.notices.len() < NAMED_ALIASES {
            true => self.notices.push(Notice::AliasExpanded { path, line }),
            false => self.unnamed_aliases += 1,
        }
    }

    /// A key that is written out, because it is an alias to a value that becomes a
    /// token, and that stands in its mapping a second time then, which no reader of the
    /// first document takes.
    pub fn repeated_key(&self, tree: &Tree<'_>) -> Option<NodeId> {
        if self.expanded_keys.is_empty() {
            return None;
        }
        let name = |id: NodeId| (tree.node(id).parent, tree.key(id));
        let mut counts = HashMap::new();
        let first = tree.documents.first().map_or(0, |first| tree.node(first.root).end);
        for id in (0..first).filter(|&id| tree.has_key(id)) {
            *counts.entry(name(id)).or_insert(0) += 1;
        }
        self.expanded_keys.iter().copied().find(|&id| counts.get(&name(id)).is_some_and(|count| *count > 1))
    }
}

/// What a leaf's token holds.
struct Payload<'a> {
    kind: &'static str,
    plain: Text<'a>,
    value: Scalar<'a>,
    is_spelled: bool,
}

impl<'a> Payload<'a> {
    fn as_plain(&self) -> Plain<'_> {
        Plain { value: self.value.clone(), spelling: self.is_spelled.then_some(&self.plain) }
    }
}

impl<'t, 's> PlainFile<'t, 's> {
    /// Makes the plan. `known` are the ciphertexts of the file's former state.
    pub fn plan(&self, known: Option<&mut Ciphertexts>) -> LockPlan {
        let mut planner = Planner {
            file: *self,
            known,
            walk: Walk::default(),
            lines: Lines::new(self.tree.source),
            aad: Vec::new(),
            scratch: SecretBytes::default(),
            odd_comments: HashSet::new(),
            kept_values: 0,
            plan: LockPlan {
                mac: Mac::new(self.selection.mac_only_encrypted()),
                spellings: SpellingList::default(),
                notices: Vec::new(),
                encrypted: 0,
                leaves: 0,
                selected: 0,
                styles: Vec::new(),
                expanded_keys: Vec::new(),
                expanded: Vec::new(),
                unnamed_aliases: 0,
            },
        };
        let (anchors, mut paths) = (Anchors::of(self.tree), IndexPaths::new(self.tree));
        for id in 0..self.tree.nodes.len() as NodeId {
            let node = self.tree.node(id);
            if node.flags.has(Flags::METADATA) {
                continue;
            }
            planner.visit(id);
            if self.is_locked_key(&anchors, id) {
                let (path, line) = (paths.of(id), planner.lines.of(node.key.start as usize));
                planner.plan.expanded_keys.push(id);
                planner.plan.notice_alias(path, line);
            }
        }
        planner.keep_comments();
        planner.keep_duplicates();
        if planner.plan.unnamed_aliases > 0 {
            let count = planner.plan.unnamed_aliases;
            planner.plan.notices.push(Notice::AliasesExpanded { count });
        }
        planner.plan
    }

    /// Writes the encrypted file to `sink`; `attach` are the edits that add the
    /// metadata.
    pub fn write(
        &self,
        plan: &LockPlan,
        cipher: &Cipher,
        known: Option<&mut Ciphertexts>,
        attach: Vec<Edit>,
        rng: &mut (impl RngCore + CryptoRng + ?Sized),
        sink: &mut (impl Sink + ?Sized),
    ) {
        let order = SourceOrder::new(self.tree);
        let mut walk = Walk::default();
        let (mut aad, mut text) = (Vec::new(), Vec::new());
        let mut sealer = Sealer { cipher, known, rng, buffer: SecretBytes::default(), token: Vec::new() };
        let mut edits = attach;
        edits.extend(self.key_edits(plan));
        edits.extend(self.tag_edits());
        let mut splicer = Splicer::new(self.tree.source, edits, sink);
        let done: Result<(), std::convert::Infallible> = order.each(self.tree, |id| {
            let node = self.tree.node(id);
            aad.clear();
            if node.kind == Kind::Comment {
                if self.is_locked_comment(plan, id) {
                    self.comment_aad(plan, &walk, id, &mut aad);
                }
            } else if order.is_document_order() {
                aad.extend_from_slice(walk.enter(self.tree, id));
            } else {
                append_aad(self.tree, id, &mut aad);
            }
            text.clear();
            let span = match node.kind {
                Kind::Comment if self.is_locked_comment(plan, id) => {
                    let comment = self.comment(id);
                    self.lock(plan, id, sealer.seal(&comment, &aad), &mut text)
                }
                Kind::Scalar => {
                    let Some(payload) = self.payload(id) else { return Ok(()) };
                    self.lock(plan, id, sealer.seal(&payload, &aad), &mut text)
                }
                Kind::Alias if plan.expanded.binary_search(&id).is_ok() => {
                    let tokens = self.alias_tokens(id, &aad, &mut sealer);
                    self.store.expand(self.tree, id, &mut tokens.into_iter(), &mut text)
                }
                _ => return Ok(()),
            };
            splicer.replace(span, &text);
            Ok(())
        });
        let Ok(()) = done;
        splicer.finish();
    }

    /// True when the key of `id` is an alias to a value that becomes a token.
    fn is_locked_key(&self, anchors: &Anchors<'_>, id: NodeId) -> bool {
        let name = self.store.key_alias(self.tree, id);
        let target = name.and_then(|name| anchors.before(id, name));
        target.is_some_and(|target| self.payload(target).is_some())
    }

    /// The edits that write out such keys.
    fn key_edits(&self, plan: &LockPlan) -> impl Iterator<Item = Edit> {
        plan.expanded_keys.iter().map(|&id| {
            let mut text = Vec::new();
            self.store.write_key(self.tree.key(id), &mut text);
            Edit::new(self.tree.node(id).key, text)
        })
    }

    /// The edits that take tags away which no reader could take with a token.
    fn tag_edits(&self) -> impl Iterator<Item = Edit> {
        let locked = self.tree.properties.iter().filter(|(id, _)| self.payload(*id).is_some());
        let tags = locked.filter_map(|(id, _)| self.store.parted_tag(self.tree, *id));
        tags.map(|tag| Edit::new(tag, Vec::new()))
    }

    fn lock(
        &self,
        plan: &LockPlan,
        id: NodeId,
        token: &str,
        text: &mut Vec<u8>,
    ) -> crate::domain::tree::Span {
        let style = match plan.styles.binary_search_by_key(&id, |(node, _)| *node) {
            Ok(found) => plan.styles[found].1,
            Err(_) => self.store.token_style(self.tree, id),
        };
        self.store.lock(self.tree, id, style, token, text)
    }

    /// What is encrypted at scalar `id`, if anything: never null nor an empty string.
    fn payload(&self, id: NodeId) -> Option<Payload<'t>> {
        let node = self.tree.node(id);
        if node.kind != Kind::Scalar || !node.flags.has(Flags::SELECTED) {
            return None;
        }
        payload(self.store.scalar(self.tree, id), self.spelling(id))
    }

    /// The alias right before comment `id` that becomes a flow collection: SOPS will hang the
    /// comment into that.
    fn copy_before(&self, plan: &LockPlan, id: NodeId) -> Option<NodeId> {
        let node = self.tree.node(id);
        if plan.expanded.is_empty() || node.style != Style::Inline {
            return None;
        }
        let start = node.span.start;
        let before = plan.expanded.partition_point(|alias| self.tree.node(*alias).span.end <= start);
        let alias = *plan.expanded.get(before.checked_sub(1)?)?;
        let found = self.tree.node(alias);
        let between = &self.tree.source[found.span.end as usize..start as usize];
        let is_container = self.tree.node(found.text.start).kind != Kind::Scalar;
        (is_container && between.iter().all(|byte| b" \t".contains(byte))).then_some(alias)
    }

    /// The associated data of comment `id`.
    fn comment_aad(&self, plan: &LockPlan, walk: &Walk, id: NodeId, aad: &mut Vec<u8>) {
        match self.copy_before(plan, id) {
            Some(alias) => {
                aad.clear();
                append_aad(self.tree, alias, aad);
            }
            None => walk.comment_aad(self.tree, self.tree.node(id).parent, aad),
        }
    }

    /// The text of a scalar as far as its token may keep it.
    fn spelling(&self, id: NodeId) -> &'t [u8] {
        if self.keep_spellings { self.tree.text(self.tree.node(id).text) } else { b"" }
    }

    fn is_locked_comment(&self, plan: &LockPlan, id: NodeId) -> bool {
        let judged = self.copy_before(plan, id).unwrap_or(id);
        self.tree.node(judged).flags.has(Flags::SELECTED) && !self.tree.node(id).text.is_empty()
    }

    fn comment(&self, id: NodeId) -> Payload<'t> {
        let text = Text::Borrowed(self.tree.text(self.tree.node(id).text));
        Payload { kind: "comment", plain: text.clone(), value: Scalar::Str(text), is_spelled: false }
    }

    fn alias_tokens(
        &self,
        id: NodeId,
        aad: &[u8],
        sealer: &mut Sealer<'_, impl RngCore + CryptoRng + ?Sized>,
    ) -> Vec<Option<Vec<u8>>> {
        let mut parts = self.selection.alias_parts(self.tree, id, Stage::Plain).into_iter();
        let mut tokens = Vec::new();
        let done: Result<(), std::convert::Infallible> =
            alias::each_part(self.tree, id, aad, &mut |leaf, aad| {
                let selected = parts.next().unwrap_or(false);
                let node = self.tree.node(leaf);
                if node.kind == Kind::Comment {
                    tokens.push(selected.then(|| self.tree.text(node.text).to_vec()));
                    return Ok(());
                }
                let value = self.store.scalar(self.tree, leaf);
                let payload = selected.then(|| payload(value, self.spelling(leaf))).flatten();
                tokens.push(payload.map(|payload| sealer.seal(&payload, aad).as_bytes().to_vec()));
                Ok(())
            });
        let Ok(()) = done;
        tokens
    }
}

/// The plaintext of a value: its canonical text, or its own spelling where SOPS
/// reads that as the same value (`1.50`, `+5`, `TRUE`).
fn payload<'t>(value: Scalar<'t>, text: &'t [u8]) -> Option<Payload<'t>> {
    let kind = value.type_name()?;
    if let Scalar::Str(plain) = &value {
        let plain = plain.clone();
        return (!plain.is_empty()).then_some(Payload { kind, plain, value, is_spelled: false });
    }
    let mut canonical = SecretBytes::default();
    value.write_canonical(canonical.as_mut_vec());
    let carried = *canonical != *text
        && !matches!(value, Scalar::Time(_))
        && !text.contains(&b'_')
        && Scalar::parse(kind, text).is_ok_and(|parsed| parsed.same(&value));
    let plain = if carried { Text::Borrowed(text) } else { Text::Owned(canonical) };
    Some(Payload { kind, plain, value, is_spelled: carried })
}

/// Makes tokens, or takes them from the file's former state.
struct Sealer<'a, R: ?Sized> {
    cipher: &'a Cipher,
    known: Option<&'a mut Ciphertexts>,
    rng: &'a mut R,
    buffer: SecretBytes,
    token: Vec<u8>,
}

impl<R: RngCore + CryptoRng + ?Sized> Sealer<'_, R> {
    /// The token of `payload` at `aad`. Tokens are ASCII.
    fn seal(&mut self, payload: &Payload<'_>, aad: &[u8]) -> &str {
        self.token.clear();
        let known = self.known.as_mut().and_then(|known| known.take(aad, payload.kind, &payload.plain));
        if let Some(token) = known {
            self.token.extend_from_slice(token.as_bytes());
        } else {
            let buffer = self.buffer.as_mut_vec();
            buffer.clear();
            buffer.extend_from_slice(&payload.plain);
            self.cipher.seal(buffer, payload.kind, aad, self.rng, &mut self.token);
        }
        std::str::from_utf8(&self.token).unwrap_or_default()
    }
}

struct Planner<'k, 't, 's> {
    /// Texts of comments that decryption would write differently.
    odd_comments: HashSet<&'t [u8]>,
    /// How many values and aliases have their spelling kept.
    kept_values: usize,
    file: PlainFile<'t, 's>,
    known: Option<&'k mut Ciphertexts>,
    walk: Walk,
    lines: Lines<'t>,
    aad: Vec<u8>,
    scratch: SecretBytes,
    plan: LockPlan,
}

impl<'t> Planner<'_, 't, '_> {
    fn visit(&mut self, id: NodeId) {
        let PlainFile { store, tree, .. } = self.file;
        let node = tree.node(id);
        match node.kind {
            Kind::Map | Kind::List => {
                self.walk.enter(tree, id);
            }
            Kind::Comment if self.file.is_locked_comment(&self.plan, id) => {
                self.plan.encrypted += 1;
                let mut aad = Vec::new();
                self.file.comment_aad(&self.plan, &self.walk, id, &mut aad);
                let comment = self.file.comment(id);
                if !self.comes_back(id, &comment, &aad) {
                    self.odd_comments.insert(tree.text(node.text));
                }
            }
            Kind::Comment => {}
            Kind::Scalar => {
                let mut aad = std::mem::take(&mut self.aad);
                aad.clear();
                aad.extend_from_slice(self.walk.enter(tree, id));
                let selected = node.flags.has(Flags::SELECTED);
                let value = store.scalar(tree, id);
                if !node.flags.has(Flags::SHADOWED) {
                    self.plan.mac.add(&value, selected);
                }
                if value != Scalar::Null {
                    self.plan.leaves += 1;
                    self.plan.selected += usize::from(selected);
                }
                if selected && let Some(payload) = payload(value, self.file.spelling(id)) {
                    self.plan.encrypted += 1;
                    if !self.comes_back(id, &payload, &aad) {
                        let path = self.walk.spelling_path(tree, id);
                        self.kept_values += 1;
                        self.keep_spelling(id, &path);
                    }
                }
                self.aad = aad;
            }
            Kind::Alias => {
                let aad = self.walk.enter(tree, id).to_vec();
                self.alias(id, &aad);
            }
        }
    }

    /// True when decryption will write the source's own bytes for `id`, either in
    /// the style of its former placeholder or in its own.
    fn comes_back(&mut self, id: NodeId, payload: &Payload<'_>, aad: &[u8]) -> bool {
        let PlainFile { store, tree, .. } = self.file;
        let own = store.token_style(tree, id);
        let former = self.known.as_mut().and_then(|known| known.style(aad, payload.kind, &payload.plain));
        for style in former.into_iter().filter(|style| *style != own).chain([own]) {
            self.scratch.as_mut_vec().clear();
            let span = store.unlock(tree, id, style, &payload.as_plain(), self.scratch.as_mut_vec());
            if *self.scratch == *tree.raw(span) {
                if style != own {
                    self.plan.styles.push((id, style));
                }
                return true;
            }
        }
        false
    }

    /// Remembers the comments that decryption would write differently, and those
    /// of the same text, which could not be told from them.
    fn keep_comments(&mut self) {
        let tree = self.file.tree;
        if self.odd_comments.is_empty() {
            return;
        }
        let is_odd = |id: &NodeId| {
            let node = tree.node(*id);
            node.kind == Kind::Comment
                && !node.flags.has(Flags::METADATA)
                && self.file.is_locked_comment(&self.plan, *id)
                && self.odd_comments.contains(tree.text(node.text))
        };
        let mut odd: Vec<NodeId> = (0..tree.nodes.len() as NodeId).filter(is_odd).collect();
        odd.sort_by_key(|id| tree.node(*id).span.start);
        let mut paths = IndexPaths::new(tree);
        for id in odd {
            self.keep_spelling(id, &paths.of(id));
        }
    }

    /// Where keys stand twice, a kept spelling could be taken by the wrong one:
    /// then all values at its path keep theirs, in order.
    fn keep_duplicates(&mut self) {
        let PlainFile { store, tree, .. } = self.file;
        if self.kept_values == 0 || store.format() == Format::Yaml && tree.documents.len() == 1 {
            return;
        }
        let kept = self.plan.spellings.paths();
        let mut walk = Walk::default();
        let mut found = Vec::new();
        for id in 0..tree.nodes.len() as NodeId {
            let node = tree.node(id);
            if node.kind == Kind::Comment || node.flags.has(Flags::METADATA) {
                continue;
            }
            walk.enter(tree, id);
            let locked = self.plan.expanded.binary_search(&id).is_ok() || self.file.payload(id).is_some();
            if locked
                && let path = walk.spelling_path(tree, id)
                && kept.contains(&path)
            {
                found.push((id, path));
            }
        }
        if found.len() > self.kept_values {
            // As decryption meets them.
            found.sort_by_key(|(id, _)| tree.node(*id).span.start);
            self.plan.spellings.forget(&found.iter().map(|(_, path)| path.as_str()).collect());
            for (id, path) in found {
                if tree.node(id).kind == Kind::Alias {
                    self.plan.spellings.push(&path, tree.node(id).span);
                } else {
                    self.keep_spelling(id, &path);
                }
            }
        }
    }

    /// Remembers the source text of `id`, as far as its token replaces it.
    fn keep_spelling(&mut self, id: NodeId, path: &str) {
        let PlainFile { store, tree, .. } = self.file;
        let span = store.lock(tree, id, store.token_style(tree, id), "", &mut Vec::new());
        self.plan.spellings.push(path, span);
    }

    /// True when the target of `alias` gets tokens at its own path, or the metadata, so
    /// that the alias would stand for those even where its copy stays in clear.
    fn target_is_locked(&self, alias: NodeId) -> bool {
        let target = alias::target(self.file.tree, alias);
        let is_root = self.file.tree.node(target).parent == target;
        is_root
            || (target..self.file.tree.node(target).end).any(|id| match self.file.tree.node(id).kind {
                Kind::Scalar => self.file.payload(id).is_some(),
                Kind::Comment => self.file.is_locked_comment(&self.plan, id),
                Kind::Alias => self.plan.expanded.binary_search(&id).is_ok(),
                Kind::Map | Kind::List => false,
            })
    }

    fn alias(&mut self, id: NodeId, aad: &[u8]) {
        let PlainFile { store, tree, selection, .. } = self.file;
        let marks = selection.alias_marks(tree, id, Stage::Plain);
        let mut marks = marks.into_iter();
        let (mut locked, mut leaves) = (0, 0);
        let (file, mac, known) = (&self.file, &mut self.plan.mac, &mut self.known);
        let done: Result<(), std::convert::Infallible> = alias::each_leaf(tree, id, aad, &mut |leaf, aad| {
            let selected = marks.next().unwrap_or(false);
            let value = store.scalar(tree, leaf);
            mac.add(&value, selected);
            leaves += 1;
            if selected && let Some(payload) = payload(value, file.spelling(leaf)) {
                locked += 1;
                // The style of this token is not that of an equal value behind it.
                known.as_mut().map(|known| known.style(aad, payload.kind, &payload.plain));
            }
            Ok(())
        });
        let Ok(()) = done;
        self.plan.leaves += leaves;
        self.plan.selected += locked;
        if locked == 0 && !self.target_is_locked(id) {
            return;
        }
        self.plan.encrypted += locked;
        self.plan.expanded.push(id);
        let span = tree.node(id).span;
        let path = self.walk.spelling_path(tree, id);
        let line = self.lines.of(span.start as usize);
        self.kept_values += 1;
        self.plan.spellings.push(&path, span);
        self.plan.notice_alias(path, line);
    }
}
