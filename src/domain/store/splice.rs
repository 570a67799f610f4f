//! Puts new text into old bytes and touches nothing else.

use crate::domain::secret::SecretBytes;
use crate::domain::tree::Span;

/// One change: the bytes of `span` become `text`.
#[derive(Clone, PartialEq, Eq)]
pub struct Edit {
    /// What is replaced; empty to insert.
    pub span: Span,
    /// What it becomes.
    pub text: SecretBytes,
}

impl std::fmt::Debug for Edit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Edit({}..{}, {} bytes)", self.span.start, self.span.end, self.text.len())
    }
}

impl Edit {
    /// An edit.
    pub fn new(span: Span, text: impl Into<Vec<u8>>) -> Self {
        Self { span, text: SecretBytes::new(text.into()) }
    }
}

/// Applies `edits` to `source`. They must not overlap; their order is free,
/// except that insertions at one place happen in the order given.
pub fn apply(source: &[u8], mut edits: Vec<Edit>) -> Vec<u8> {
    edits.sort_by_key(|edit| edit.span.start);
    let added: usize = edits.iter().map(|edit| edit.text.len()).sum();
    let mut out = Vec::with_capacity(source.len() + added);
    let mut done = 0;
    for edit in &edits {
        out.extend_from_slice(&source[done..edit.span.start as usize]);
        out.extend_from_slice(&edit.text);
        done = edit.span.end as usize;
    }
    out.extend_from_slice(&source[done..]);
    out
}

#[cfg(test)]
mod tests {
    use super::{Edit, apply};
    use crate::domain::tree::Span;

    #[test]
    fn edits_apply_in_source_order_and_insertions_keep_theirs() {
        let edits = vec![
            Edit::new(Span::new(4, 5), "E"),
            Edit::new(Span::new(0, 0), "x"),
            Edit::new(Span::new(0, 1), "A"),
            Edit::new(Span::new(6, 6), "y"),
            Edit::new(Span::new(6, 6), "z"),
        ];
        assert_eq!(apply(b"abcdef", edits), b"xAbcdEfyz");
    }
}
