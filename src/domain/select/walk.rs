//! Applies a rule to a tree: one pass in document order, in which a node gets
//! from above whether what lies below is encrypted, and turns that around where
//! the rule finds its own key or a comment.
//!
//! The state that a container hands down is all that its inside depends on,
//! so what an alias stands for is judged by walking its target with the state
//! of the alias.

use super::memo::Memo;
use super::{Matcher, RuleKind, Selection};
use crate::domain::tree::{Flags, Kind, Node, NodeId, Tree};

/// Which tree is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// A plain tree.
    Plain,
    /// An encrypted tree: tokens of type `comment` in lists are comments.
    Encrypted,
}

/// An open container.
struct Frame {
    end: NodeId,
    is_map: bool,
    /// Whether a leaf in here is encrypted, as far as is known from above.
    selected: bool,
    /// Comment rules: a comment that matches is active for the next item.
    marked: bool,
}

/// The walk through one subtree.
struct Walk<'a> {
    selection: &'a Selection,
    stage: Stage,
    memo: Memo,
    frames: Vec<Frame>,
}

impl<'a> Walk<'a> {
    fn new(selection: &'a Selection, stage: Stage, nodes: usize) -> Self {
        let memo = match &selection.rule {
            Some((_, matcher)) => Memo::new(matcher, nodes),
            None => Memo::new(&Matcher::Never, 0),
        };
        Self { selection, stage, memo, frames: Vec::new() }
    }

    fn open(&mut self, node: &Node, selected: bool) {
        let is_map = node.kind == Kind::Map;
        self.frames.push(Frame { end: node.end, is_map, selected, marked: false });
    }

    /// Whether node `id`, the next in document order, is encrypted; for a container or
    /// an alias, whether what stands directly below is.
    fn judge(&mut self, tree: &Tree<'_>, id: NodeId, node: &Node) -> bool {
        while self.frames.last().is_some_and(|frame| id >= frame.end) {
            self.frames.pop();
        }
        let selected = match (&self.selection.rule, self.frames.last_mut()) {
            (None, _) => true,
            (Some((kind, _)), None) => !kind.picks_encrypted(),
            (Some((kind, _)), Some(frame)) if kind.reads_comments() && node.flags.has(Flags::LOST) => {
                frame.selected
            }
            (Some((kind, matcher)), Some(frame)) if kind.reads_comments() => {
                let comment = is_comment(tree, node, frame, self.stage);
                commented(*kind, matcher, tree, node, frame, comment)
            }
            (Some((kind, matcher)), Some(frame)) => {
                let picks = kind.picks_encrypted();
                let decided = frame.selected == picks;
                let keyed = frame.is_map && node.kind != Kind::Comment;
                if !decided && keyed && self.memo.is_match(matcher, tree, node.key_text) {
                    picks
                } else {
                    frame.selected
                }
            }
        };
        if matches!(node.kind, Kind::Map | Kind::List) {
            self.open(node, selected);
        }
        selected
    }
}

/// The comment rules: a comment governs the next item of its container with all below.
fn commented(
    kind: RuleKind,
    matcher: &Matcher,
    tree: &Tree<'_>,
    node: &Node,
    frame: &mut Frame,
    comment: bool,
) -> bool {
    let picks = kind.picks_encrypted();
    // The marker of `encrypted_comment_regex` does not govern itself, that of
    // `unencrypted_comment_regex` does.
    let before = frame.marked;
    if comment && !frame.marked {
        frame.marked = matcher.is_match(tree.text(node.text));
    }
    let marked = if comment && picks { before } else { frame.marked };
    if !comment {
        frame.marked = false;
    }
    if marked { picks } else { frame.selected }
}

fn is_comment(tree: &Tree<'_>, node: &Node, frame: &Frame, stage: Stage) -> bool {
    match node.kind {
        Kind::Comment => true,
        Kind::Scalar if stage == Stage::Encrypted && !frame.is_map => {
            let text = tree.text(node.text);
            text.starts_with(b"ENC[AES256_GCM,") && text.ends_with(b",type:comment]")
        }
        _ => false,
    }
}

impl Selection {
    /// Flags with [`Flags::SELECTED`] what is chosen for encryption: scalars and comments,
    /// and the containers and aliases whose inside is encrypted unless the rule
    /// says otherwise further down. Null and empty values are judged like others. `sops` metadata
    /// is left out.
    pub fn mark(&self, tree: &mut Tree<'_>, stage: Stage) {
        let mut nodes = std::mem::take(&mut tree.nodes);
        let mut walk = Walk::new(self, stage, nodes.len());
        let mut id = 0;
        while let Some(node) = nodes.get_mut(id) {
            if node.flags.has(Flags::METADATA) {
                id = (id + 1).max(node.end as usize);
                continue;
            }
            if walk.judge(tree, id as NodeId, node) {
                node.flags.set(Flags::SELECTED);
            } else {
                node.flags.clear(Flags::SELECTED);
            }
            id += 1;
        }
        tree.nodes = nodes;
    }

    /// What `alias` stands for, judged under the path of the alias: every node of the
    /// target (itself, if it is a leaf) in document order. `selected` is the flag of the alias
    /// or, for an alias in such a copy, what the walk said of it. Aliases in the target are not
    /// followed: the caller does, and bounds it.
    pub fn below_alias<'a>(
        &'a self,
        tree: &'a Tree<'a>,
        alias: NodeId,
        selected: bool,
        stage: Stage,
    ) -> Below<'a> {
        let mut walk = Walk::new(self, stage, 0);
        let target = tree.node(alias).text.start;
        let Some(node) = tree.nodes.get(target as usize) else {
            return Below { tree, walk, next: 0, end: 0, leaf: None };
        };
        if matches!(node.kind, Kind::Map | Kind::List) {
            walk.open(node, selected);
            Below { tree, walk, next: target + 1, end: node.end, leaf: None }
        } else {
            Below { tree, walk, next: 0, end: 0, leaf: Some((target, selected)) }
        }
    }

    /// Whether each scalar that `alias` stands for is encrypted under the path of the
    /// alias, aliases in it followed, in SOPS's order. The reader must have refused aliases that
    /// contain themselves and those that grow out of proportion.
    pub fn alias_marks(&self, tree: &Tree<'_>, alias: NodeId, stage: Stage) -> Vec<bool> {
        let mut marks = Vec::new();
        self.each_below(tree, alias, stage, &mut |kind, selected, _| {
            if kind == Kind::Scalar {
                marks.push(selected);
            }
        });
        marks
    }

    /// As [`Selection::alias_marks`], with the comments in between: true for those
    /// that decide what is encrypted behind them, so that a written copy needs them.
    pub fn alias_parts(&self, tree: &Tree<'_>, alias: NodeId, stage: Stage) -> Vec<bool> {
        let mut parts = Vec::new();
        self.each_below(tree, alias, stage, &mut |kind, selected, text| match kind {
            Kind::Comment => parts.push(!selected && self.is_marker(text)),
            _ => parts.push(selected),
        });
        parts
    }

    /// True when the comment `text` is what a comment rule looks for.
    fn is_marker(&self, text: &[u8]) -> bool {
        self.rule.as_ref().is_some_and(|(kind, matcher)| kind.reads_comments() && matcher.is_match(text))
    }

    /// Visits the scalars and comments below `alias`, aliases followed.
    fn each_below(
        &self,
        tree: &Tree<'_>,
        alias: NodeId,
        stage: Stage,
        visit: &mut dyn FnMut(Kind, bool, &[u8]),
    ) {
        let selected = tree.node(alias).flags.has(Flags::SELECTED);
        let mut open = vec![self.below_alias(tree, alias, selected, stage)];
        while let Some(below) = open.last_mut() {
            let Some((id, selected)) = below.next() else {
                open.pop();
                continue;
            };
            let node = tree.node(id);
            match node.kind {
                Kind::Alias => open.push(self.below_alias(tree, id, selected, stage)),
                Kind::Scalar | Kind::Comment => visit(node.kind, selected, tree.text(node.text)),
                Kind::Map | Kind::List => {}
            }
        }
    }

    /// True when something below `alias`, aliases in it followed, is a scalar or
    /// comment chosen for encryption. Linear: no target is walked twice in one state.
    pub fn alias_holds_selected(&self, tree: &Tree<'_>, alias: NodeId, stage: Stage) -> bool {
        let mut seen = std::collections::HashSet::new();
        let mut open = vec![(alias, tree.node(alias).flags.has(Flags::SELECTED))];
        while let Some((alias, selected)) = open.pop() {
            if !seen.insert((tree.node(alias).text.start, selected)) {
                continue;
            }
            for (id, selected) in self.below_alias(tree, alias, selected, stage) {
                match tree.node(id).kind {
                    Kind::Scalar | Kind::Comment if selected => return true,
                    Kind::Alias => open.push((id, selected)),
                    _ => {}
                }
            }
        }
        false
    }
}

/// The nodes below an alias, each with whether it is encrypted there:
/// see [`Selection::below_alias`].
pub struct Below<'a> {
    tree: &'a Tree<'a>,
    walk: Walk<'a>,
    next: NodeId,
    end: NodeId,
    leaf: Option<(NodeId, bool)>,
}

impl Iterator for Below<'_> {
    type Item = (NodeId, bool);

    fn next(&mut self) -> Option<(NodeId, bool)> {
        if let Some(leaf) = self.leaf.take() {
            return Some(leaf);
        }
        if self.next >= self.end {
            return None;
        }
        let id = self.next;
        self.next += 1;
        Some((id, self.walk.judge(self.tree, id, self.tree.node(id))))
    }
}
