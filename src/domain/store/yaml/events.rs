//! Events: documents, collections and scalars as they begin and end.

use super::tokens::Mark;
use crate::domain::tree::{Properties, Span, Style, Tag};

/// What happens in a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EventKind {
    DocumentStart,
    DocumentEnd,
    Scalar,
    Alias,
    MappingStart,
    MappingEnd,
    SequenceStart,
    SequenceEnd,
    StreamEnd,
}

/// An event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    pub(super) kind: EventKind,
    pub(super) style: Style,
    pub(super) tag: Tag,
    /// It takes comments: see `Parser::comments`.
    pub(super) commented: bool,
    /// Where its content starts, tag and anchor excluded.
    pub(super) start: Mark,
    /// Offset behind its content.
    pub(super) end: u32,
    pub(super) text: Span,
    pub(super) properties: Properties,
}

impl Event {
    pub(super) fn new(kind: EventKind, start: Mark, end: u32) -> Self {
        Self {
            kind,
            style: Style::Plain,
            tag: Tag::None,
            commented: false,
            start,
            end,
            text: Span::default(),
            properties: Properties::default(),
        }
    }

    /// A plain scalar whose text is written as it stands in `span`.
    pub(super) fn scalar(start: Mark, span: Span) -> Self {
        Self { text: span, ..Self::new(EventKind::Scalar, start, span.end) }
    }

    /// True when it has a tag or an anchor.
    pub(super) fn has_properties(&self) -> bool {
        !self.properties.tag.is_empty() || !self.properties.anchor.is_empty()
    }
}

/// Comment lines (indexes of the scanner's `remark_lines`) by their role.
#[derive(Debug, Default)]
pub(super) struct Comments {
    pub(super) head: Vec<u32>,
    pub(super) line: Vec<u32>,
    pub(super) foot: Vec<u32>,
}

impl Comments {
    pub(super) fn is_empty(&self) -> bool {
        self.head.is_empty() && self.line.is_empty() && self.foot.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.head.clear();
        self.line.clear();
        self.foot.clear();
    }
}
