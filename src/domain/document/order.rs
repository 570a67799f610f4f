//! The order in which nodes stand in the source.
//!
//! The table holds SOPS's order: a comment behind a value comes before its key
//! there. Writing goes by the source, in one pass; only comments, and the
//! duplicate keys of INI files, stand elsewhere.

use crate::domain::tree::{Flags, Kind, NodeId, Style, Tree};

/// Node ids in source order.
#[derive(Debug)]
pub struct SourceOrder {
    comments: Vec<NodeId>,
    /// Every node by place, if nodes other than comments are out of order.
    sorted: Option<Vec<NodeId>>,
}

impl SourceOrder {
    /// The order of `tree`.
    pub fn new(tree: &Tree<'_>) -> Self {
        let mut comments = Vec::new();
        let mut sorted = true;
        let mut last = 0;
        for (id, node) in tree.nodes.iter().enumerate() {
            if node.kind == Kind::Comment {
                comments.push(id as NodeId);
            } else if node.kind == Kind::Scalar {
                sorted &= node.span.start >= last;
                last = node.span.start;
            }
        }
        let place = |id: &NodeId| place(tree, *id);
        if sorted {
            comments.sort_by_key(place);
            return Self { comments, sorted: None };
        }
        let mut all: Vec<NodeId> = (0..tree.nodes.len() as NodeId).collect();
        all.sort_by_key(place);
        Self { comments: Vec::new(), sorted: Some(all) }
    }

    /// True when all leaves stand in the source as in the table.
    pub fn is_document_order(&self) -> bool {
        self.sorted.is_none()
    }

    /// Calls `visit` for every node outside the metadata, in source order.
    pub fn each<E>(&self, tree: &Tree<'_>, mut visit: impl FnMut(NodeId) -> Result<(), E>) -> Result<(), E> {
        let mut visit = |id: NodeId| {
            if tree.node(id).flags.has(Flags::METADATA) { Ok(()) } else { visit(id) }
        };
        if let Some(all) = &self.sorted {
            return all.iter().try_for_each(|&id| visit(id));
        }
        let mut comments = self.comments.iter().copied().peekable();
        for (id, node) in tree.nodes.iter().enumerate() {
            match node.kind {
                Kind::Comment => continue,
                Kind::Map | Kind::List => {}
                Kind::Scalar | Kind::Alias => {
                    let place = place(tree, id as NodeId);
                    while let Some(comment) = comments.next_if(|&c| tree.node(c).span.start < place) {
                        visit(comment)?;
                    }
                }
            }
            visit(id as NodeId)?;
        }
        comments.try_for_each(visit)
    }
}

/// Where the text of a node stands that gets replaced. The header of a block
/// scalar stays, and a comment in it comes before the body.
fn place(tree: &Tree<'_>, id: NodeId) -> u32 {
    let node = tree.node(id);
    match (node.kind, node.style) {
        (Kind::Scalar, Style::Literal | Style::Folded) => node.span.end,
        _ => node.span.start,
    }
}
