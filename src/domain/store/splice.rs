//! Puts new text into old bytes and touches nothing else.

use std::sync::Arc;

use crate::domain::search;
use crate::domain::secret::{SecretBytes, Text};
use crate::domain::tree::Span;

/// One change: the bytes of `span` become `text`.
#[derive(Clone, PartialEq, Eq)]
pub struct Edit {
    /// What is replaced; empty to insert.
    pub span: Span,
    /// What it becomes.
    pub text: Text<'static>,
}

impl std::fmt::Debug for Edit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Edit({}..{}, {} bytes)", self.span.start, self.span.end, self.text.len())
    }
}

impl Edit {
    /// An edit.
    pub fn new(span: Span, text: impl Into<Vec<u8>>) -> Self {
        Self { span, text: Text::from(text.into()) }
    }

    /// An insertion of a text that several edits share.
    pub fn sharing(at: usize, text: &Arc<SecretBytes>) -> Self {
        let whole = 0..text.len() as u32;
        Self { span: Span::new(at, at), text: Text::Shared(Arc::clone(text), whole) }
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
        // Should a store be wrong, nothing breaks here: what is made of its edits is
        // proven before anybody gets it.
        let start = (edit.span.start as usize).max(done);
        out.extend_from_slice(source.get(done..start).unwrap_or_default());
        out.extend_from_slice(&edit.text);
        done = start.max(edit.span.end as usize).min(source.len());
    }
    out.extend_from_slice(&source[done..]);
    out
}

/// Makes the first of `edits` that has `text` in it three, one of which is `text` alone.
pub fn isolate(edits: &mut Vec<Edit>, text: &[u8]) {
    let place = |edit: &Edit| search::memmem(text, &edit.text);
    let Some((at, start)) = edits.iter().enumerate().find_map(|(at, edit)| Some((at, place(edit)?))) else {
        return;
    };
    let Edit { span, text: whole } = edits.remove(at);
    let before = Span::new(span.start as usize, span.start as usize);
    let parts = [(before, &whole[..start]), (before, text), (span, &whole[start + text.len()..])];
    edits.splice(at..at, parts.map(|(span, part)| Edit::new(span, part)));
}

/// True when no two of `edits` are about the same bytes.
pub fn are_apart(edits: &[Edit]) -> bool {
    let mut spans: Vec<Span> = edits.iter().map(|edit| edit.span).collect();
    spans.sort_by_key(|span| (span.start, span.end));
    spans.windows(2).all(|pair| pair[0].end <= pair[1].start)
}

#[cfg(test)]
mod tests {
    use super::{Edit, apply, are_apart, isolate};
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
        assert!(are_apart(&edits));
        assert_eq!(apply(b"abcdef", edits), b"xAbcdEfyz");
    }

    #[test]
    fn an_edit_in_parts_is_the_same_edit() {
        let whole = vec![
            Edit::new(Span::new(1, 1), "<"),
            Edit::new(Span::new(1, 3), "one two three"),
            Edit::new(Span::new(3, 3), ">"),
        ];
        for text in ["one ", "two", " three", "one two three", "four"] {
            let mut parts = whole.clone();
            isolate(&mut parts, text.as_bytes());
            assert_eq!(parts.iter().any(|edit| *edit.text == *text.as_bytes()), text != "four");
            assert_eq!(apply(b"abcd", parts), b"a<one two three>d");
        }
    }

    #[test]
    fn edits_of_the_same_bytes_are_seen_and_break_nothing() {
        let edits = vec![Edit::new(Span::new(1, 4), "-"), Edit::new(Span::new(2, 3), "+")];
        assert!(!are_apart(&edits));
        assert_eq!(apply(b"abcdef", edits), b"a-+ef");
    }
}
