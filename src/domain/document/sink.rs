//! Where a rewritten file goes: into a buffer, or against the bytes that it is
//! expected to equal.

use crate::domain::secret::SecretBytes;
use crate::domain::store::splice::Edit;
use crate::domain::tree::Span;

/// Takes the bytes of a file from first to last.
pub trait Sink {
    /// Appends `bytes`.
    fn push(&mut self, bytes: &[u8]);
}

impl Sink for SecretBytes {
    fn push(&mut self, bytes: &[u8]) {
        self.as_mut_vec().extend_from_slice(bytes);
    }
}

/// Compares instead of storing: a proof that needs no second buffer.
#[derive(Debug)]
pub struct Compare<'a> {
    rest: &'a [u8],
    equal: bool,
}

impl<'a> Compare<'a> {
    /// Expects `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, equal: true }
    }

    /// True when exactly the expected bytes came.
    pub fn is_equal(&self) -> bool {
        self.equal && self.rest.is_empty()
    }
}

impl Sink for Compare<'_> {
    fn push(&mut self, bytes: &[u8]) {
        match self.rest.strip_prefix(bytes) {
            Some(rest) if self.equal => self.rest = rest,
            _ => self.equal = false,
        }
    }
}

/// Discards what it gets, for a pass that only checks.
#[derive(Debug)]
pub struct Discard;

impl Sink for Discard {
    fn push(&mut self, _bytes: &[u8]) {}
}

/// Copies a source to a sink and replaces spans on the way, first to last.
#[derive(Debug)]
pub struct Splicer<'s, 'k, K: ?Sized> {
    source: &'s [u8],
    done: usize,
    /// Edits known beforehand, last first.
    waiting: Vec<Edit>,
    sink: &'k mut K,
}

impl<'s, 'k, K: Sink + ?Sized> Splicer<'s, 'k, K> {
    /// A splicer that also makes the edits `waiting` in their places.
    pub fn new(source: &'s [u8], mut waiting: Vec<Edit>, sink: &'k mut K) -> Self {
        waiting.sort_by_key(|edit| edit.span.start);
        waiting.reverse();
        Self { source, done: 0, waiting, sink }
    }

    /// Replaces `span` by `text`.
    pub fn replace(&mut self, span: Span, text: &[u8]) {
        while let Some(edit) = self.waiting.pop_if(|edit| edit.span.start <= span.start) {
            self.put(edit.span, &edit.text);
        }
        self.put(span, text);
    }

    /// Copies what is left.
    pub fn finish(mut self) {
        while let Some(edit) = self.waiting.pop() {
            self.put(edit.span, &edit.text);
        }
        self.sink.push(&self.source[self.done..]);
    }

    fn put(&mut self, span: Span, text: &[u8]) {
        // Edits never overlap; should a store be wrong, later bytes win and the
        // proof that follows every write refuses the result.
        let start = (span.start as usize).max(self.done);
        self.sink.push(&self.source[self.done..start]);
        self.sink.push(text);
        self.done = start.max(span.end as usize);
    }
}
