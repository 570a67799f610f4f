//! Tokens and the places they stand in.

use super::super::{ReadError, ReadErrorKind};
use crate::domain::tree::{Span, Style};

/// A place in the source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// Byte offset.
    pub(super) index: u32,
    /// Zero-based line.
    pub(super) line: u32,
    /// Zero-based column, in characters.
    pub(super) column: u32,
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    StreamStart,
    StreamEnd,
    VersionDirective,
    TagDirective,
    DocumentStart,
    DocumentEnd,
    BlockSequenceStart,
    BlockMappingStart,
    BlockEnd,
    FlowSequenceStart,
    FlowSequenceEnd,
    FlowMappingStart,
    FlowMappingEnd,
    BlockEntry,
    FlowEntry,
    Key,
    Value,
    Alias,
    Anchor,
    Tag,
    Scalar,
}

/// A token.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    /// What it is.
    pub(super) kind: TokenKind,
    /// How a scalar is written.
    pub(super) style: Style,
    /// Where it starts.
    pub(super) start: Mark,
    /// Where it ends (offset).
    pub(super) end: u32,
    /// Scalars: the decoded text, a text span of the tree. Anchors and aliases:
    /// the name. Directives: their arguments.
    pub(super) text: Span,
}

impl Token {
    /// A token without text.
    pub(super) fn new(kind: TokenKind, start: Mark, end: usize) -> Self {
        Self { kind, style: Style::Plain, start, end: end as u32, text: Span::default() }
    }
}

/// A syntax error on zero-based `line`, in go-yaml's form.
#[cold]
pub(super) fn fault(line: u32, problem: &str) -> Box<ReadError> {
    let line = line as usize + 1;
    Box::new(ReadError::syntax(line, format!("yaml: line {line}: {problem}")))
}

/// The refusal of a key that is a collection.
pub(super) fn bad_key(line: u32, found: &str) -> Box<ReadError> {
    let line = line as usize + 1;
    Box::new(ReadError {
        message: format!("yaml: unmarshal errors:\n  line {line}: cannot unmarshal !!{found} into string"),
        line: Some(line),
        hint: Some("a key must be a scalar"),
        kind: ReadErrorKind::Syntax,
    })
}
