//! From tokens to events, with go-yaml's grammar, and which comments come with
//! which event. All state is on explicit stacks.

use super::events::{Comments, Event, EventKind};
use super::remarks::{Remark, Role};
use super::scan::{Scan, Scanner};
use super::tokens::{Mark, Token, TokenKind, fault};
use crate::domain::tree::{Properties, Span, Style, Tag};

/// Where the parser stands in the grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    StreamStart,
    ImplicitDocumentStart,
    DocumentStart,
    DocumentContent,
    DocumentEnd,
    BlockNode,
    BlockSequenceFirst,
    BlockSequenceEntry,
    IndentlessEntry,
    BlockMappingFirst,
    BlockMappingKey,
    BlockMappingValue,
    FlowSequenceFirst,
    FlowSequenceEntry,
    FlowPairKey,
    FlowPairValue,
    FlowPairEnd,
    FlowMappingFirst,
    FlowMappingKey,
    FlowMappingValue,
    FlowMappingEmptyValue,
    End,
}

/// What [`Parser::node`] may find.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Context {
    Block,
    /// Block, where a sequence need not be indented.
    Indentless,
    Flow,
}

/// The parser.
pub(super) struct Parser<'s> {
    pub(super) scanner: Scanner<'s>,
    pub(super) state: State,
    pub(super) states: Vec<State>,
    /// The comments of the last event, if it is `commented`.
    pub(super) comments: Comments,
    pending: Comments,
    stem: Vec<u32>,
    next_remark: usize,
    pub(super) last_end: u32,
    pub(super) directives: Vec<(&'s [u8], &'s [u8])>,
}

impl<'s> Parser<'s> {
    /// A parser before the first token.
    pub(super) fn new(scanner: Scanner<'s>) -> Self {
        Self {
            scanner,
            state: State::StreamStart,
            states: Vec::new(),
            comments: Comments::default(),
            pending: Comments::default(),
            stem: Vec::new(),
            next_remark: 0,
            last_end: 0,
            directives: Vec::new(),
        }
    }

    /// The next event.
    pub(super) fn next(&mut self) -> Scan<Event> {
        match self.state {
            State::StreamStart => {
                self.peek()?;
                self.scanner.consume();
                self.state = State::ImplicitDocumentStart;
                self.document_start(true)
            }
            State::ImplicitDocumentStart => self.document_start(true),
            State::DocumentStart => self.document_start(false),
            State::DocumentContent => self.document_content(),
            State::DocumentEnd => self.document_end(),
            State::BlockNode => self.node(Context::Block),
            State::BlockSequenceFirst => self.block_sequence_entry(true),
            State::BlockSequenceEntry => self.block_sequence_entry(false),
            State::IndentlessEntry => self.indentless_entry(),
            State::BlockMappingFirst => self.block_mapping_key(true),
            State::BlockMappingKey => self.block_mapping_key(false),
            State::BlockMappingValue => self.block_mapping_value(),
            State::FlowSequenceFirst => self.flow_sequence_entry(true),
            State::FlowSequenceEntry => self.flow_sequence_entry(false),
            State::FlowPairKey => self.flow_pair_key(),
            State::FlowPairValue => self.flow_pair_value(),
            State::FlowPairEnd => self.flow_pair_end(),
            State::FlowMappingFirst => self.flow_mapping_key(true),
            State::FlowMappingKey => self.flow_mapping_key(false),
            State::FlowMappingValue => self.flow_mapping_value(false),
            State::FlowMappingEmptyValue => self.flow_mapping_value(true),
            State::End => Ok(Event::new(EventKind::StreamEnd, self.scanner.mark(), self.last_end)),
        }
    }

    #[inline(always)]
    pub(super) fn peek(&mut self) -> Scan<Token> {
        let token = self.scanner.peek_token()?;
        if self.next_remark < self.scanner.remarks.len() {
            self.unfold(token);
        }
        Ok(token)
    }

    #[inline(always)]
    pub(super) fn skip(&mut self) {
        self.scanner.consume();
    }

    /// True while comments wait for the token that takes them, or for its event.
    #[inline(always)]
    pub(super) fn has_comments(&self) -> bool {
        self.next_remark < self.scanner.remarks.len() || !self.pending.is_empty()
    }

    /// Takes the comments that belong to `token` or what stands before it.
    fn unfold(&mut self, token: Token) {
        while let Some(remark) = self.scanner.remarks.get_mut(self.next_remark) {
            if token.start.index < remark.token {
                break;
            }
            let lines = remark.first..remark.last;
            match remark.role {
                Role::Head if token.kind == TokenKind::BlockEnd => break,
                Role::Head => self.pending.head.extend(lines),
                Role::Line => self.pending.line.extend(lines),
                Role::Foot => self.pending.foot.extend(lines),
                Role::Spent => {}
            }
            *remark = Remark::default();
            self.next_remark += 1;
        }
        if self.next_remark == self.scanner.remarks.len() {
            self.scanner.remarks.clear();
            self.next_remark = 0;
        }
    }

    #[inline(always)]
    pub(super) fn take_comments(&mut self, event: &mut Event) {
        self.stem.clear();
        if !self.pending.is_empty() {
            self.comments.clear();
            std::mem::swap(&mut self.comments, &mut self.pending);
            event.commented = true;
        }
    }

    pub(super) fn pop_state(&mut self) {
        self.state = self.states.pop().unwrap_or(State::End);
    }

    pub(super) fn fail<T>(&self, token: Token, problem: &str) -> Scan<T> {
        Err(fault(token.start.line, problem))
    }

    pub(super) fn empty_scalar(&mut self, mark: Mark) -> Scan<Event> {
        let mut event = Event::new(EventKind::Scalar, mark, mark.index);
        event.text = Span::new(mark.index as usize, mark.index as usize);
        Ok(event)
    }

    /// The place right behind `token`.
    pub(super) fn behind(token: Token) -> Mark {
        let length = token.end - token.start.index;
        Mark { index: token.end, line: token.start.line, column: token.start.column + length }
    }

    fn document_start(&mut self, implicit: bool) -> Scan<Event> {
        let mut token = self.peek()?;
        if !implicit {
            while token.kind == TokenKind::DocumentEnd {
                self.skip();
                token = self.peek()?;
            }
        }
        if token.kind == TokenKind::StreamEnd {
            self.state = State::End;
            let mut event = Event::new(EventKind::StreamEnd, token.start, token.end);
            self.take_comments(&mut event);
            return Ok(event);
        }
        let marked = matches!(
            token.kind,
            TokenKind::VersionDirective | TokenKind::TagDirective | TokenKind::DocumentStart
        );
        if implicit && !marked {
            self.default_directives();
            self.states.push(State::DocumentEnd);
            self.state = State::BlockNode;
            let mut event = Event::new(EventKind::DocumentStart, token.start, token.start.index);
            event.commented = self.split_document_head();
            return Ok(event);
        }
        self.read_directives()?;
        token = self.peek()?;
        if token.kind != TokenKind::DocumentStart {
            return self.fail(token, "did not find expected <document start>");
        }
        self.states.push(State::DocumentEnd);
        self.state = State::DocumentContent;
        let event = Event::new(EventKind::DocumentStart, token.start, token.end);
        self.skip();
        Ok(event)
    }

    /// The part of the head comment above its last blank line is the document's.
    fn split_document_head(&mut self) -> bool {
        let lines = &self.scanner.remark_lines;
        let gap = self.pending.head.iter().rposition(|&line| lines[line as usize].gap);
        let Some(last) = gap else { return false };
        self.comments.clear();
        let rest = self.pending.head.split_off(last + 1);
        self.comments.head = std::mem::replace(&mut self.pending.head, rest);
        true
    }

    fn document_content(&mut self) -> Scan<Event> {
        let token = self.peek()?;
        if matches!(
            token.kind,
            TokenKind::VersionDirective
                | TokenKind::TagDirective
                | TokenKind::DocumentStart
                | TokenKind::DocumentEnd
                | TokenKind::StreamEnd
        ) {
            self.pop_state();
            return self.empty_scalar(token.start);
        }
        self.node(Context::Block)
    }

    fn document_end(&mut self) -> Scan<Event> {
        let token = self.peek()?;
        let mut event = Event::new(EventKind::DocumentEnd, token.start, token.start.index);
        if token.kind == TokenKind::DocumentEnd {
            event.end = token.end;
            self.skip();
        }
        self.directives.clear();
        self.state = State::DocumentStart;
        self.take_comments(&mut event);
        if event.commented && self.comments.foot.is_empty() {
            std::mem::swap(&mut self.comments.foot, &mut self.comments.head);
        }
        Ok(event)
    }

    pub(super) fn node(&mut self, context: Context) -> Scan<Event> {
        let mut token = self.peek()?;
        if token.kind == TokenKind::Alias {
            self.pop_state();
            let mut event = Event::new(EventKind::Alias, token.start, token.end);
            event.text = token.text;
            self.take_comments(&mut event);
            self.skip();
            self.last_end = event.end;
            return Ok(event);
        }
        let (properties, tag, behind) = match token.kind {
            TokenKind::Anchor | TokenKind::Tag => self.properties(token)?,
            _ => (Properties::default(), Tag::None, token.start),
        };
        token = self.peek()?;
        let has_properties = !properties.anchor.is_empty() || !properties.tag.is_empty();
        let block = context != Context::Flow;
        let (kind, style, state) = match token.kind {
            TokenKind::BlockEntry if context == Context::Indentless => {
                (EventKind::SequenceStart, Style::Block, State::IndentlessEntry)
            }
            TokenKind::Scalar => (EventKind::Scalar, token.style, State::End),
            TokenKind::FlowSequenceStart => (EventKind::SequenceStart, Style::Flow, State::FlowSequenceFirst),
            TokenKind::FlowMappingStart => (EventKind::MappingStart, Style::Flow, State::FlowMappingFirst),
            TokenKind::BlockSequenceStart if block => {
                (EventKind::SequenceStart, Style::Block, State::BlockSequenceFirst)
            }
            TokenKind::BlockMappingStart if block => {
                (EventKind::MappingStart, Style::Block, State::BlockMappingFirst)
            }
            _ if has_properties => {
                self.pop_state();
                let mut event = self.empty_scalar(behind)?;
                event.properties = properties;
                event.tag = tag;
                self.last_end = event.end;
                return Ok(event);
            }
            _ => return self.fail(token, "did not find expected node content"),
        };
        let mut event = Event::new(kind, token.start, token.end);
        event.style = style;
        event.properties = properties;
        event.tag = tag;
        if kind == EventKind::Scalar {
            self.pop_state();
            event.text = token.text;
            self.take_comments(&mut event);
            self.skip();
            self.last_end = event.end;
            return Ok(event);
        }
        self.state = state;
        if style == Style::Flow {
            self.take_comments(&mut event);
        } else if token.kind != TokenKind::BlockEntry && !self.stem.is_empty() {
            self.comments.clear();
            std::mem::swap(&mut self.comments.head, &mut self.stem);
            event.commented = true;
        }
        Ok(event)
    }

    /// Takes a tag and an anchor, in either order; also answers the place behind them.
    fn properties(&mut self, mut token: Token) -> Scan<(Properties, Tag, Mark)> {
        let mut properties = Properties::default();
        let mut tag = Tag::None;
        let mut behind = token.start;
        loop {
            let span = Span::new(token.start.index as usize, token.end as usize);
            match token.kind {
                TokenKind::Anchor if properties.anchor.is_empty() => properties.anchor = span,
                TokenKind::Tag if properties.tag.is_empty() => {
                    properties.tag = span;
                    tag = self.resolve_tag(token)?;
                }
                _ => return Ok((properties, tag, behind)),
            }
            behind = Self::behind(token);
            self.skip();
            token = self.peek()?;
        }
    }

    fn block_sequence_entry(&mut self, first: bool) -> Scan<Event> {
        if first {
            self.peek()?;
            self.skip();
        }
        let token = self.peek()?;
        match token.kind {
            TokenKind::BlockEntry => {
                let next = self.behind_entry()?;
                if matches!(next.kind, TokenKind::BlockEntry | TokenKind::BlockEnd) {
                    self.state = State::BlockSequenceEntry;
                    return self.empty_scalar(Self::behind(token));
                }
                self.states.push(State::BlockSequenceEntry);
                self.node(Context::Block)
            }
            TokenKind::BlockEnd => {
                self.pop_state();
                self.skip();
                Ok(Event::new(EventKind::SequenceEnd, token.start, token.end))
            }
            _ => self.fail(token, "did not find expected '-' indicator"),
        }
    }

    fn indentless_entry(&mut self) -> Scan<Event> {
        let token = self.peek()?;
        if token.kind != TokenKind::BlockEntry {
            self.pop_state();
            return Ok(Event::new(EventKind::SequenceEnd, token.start, token.start.index));
        }
        let next = self.behind_entry()?;
        if matches!(
            next.kind,
            TokenKind::BlockEntry | TokenKind::Key | TokenKind::Value | TokenKind::BlockEnd
        ) {
            self.state = State::IndentlessEntry;
            return self.empty_scalar(Self::behind(token));
        }
        self.states.push(State::IndentlessEntry);
        self.node(Context::Block)
    }

    /// Takes a `-` and answers what follows. The head comment of an element that
    /// is a block collection is the whole collection's, not its first entry's.
    fn behind_entry(&mut self) -> Scan<Token> {
        let stem = self.pending.head.len();
        self.skip();
        let next = self.peek()?;
        if stem > 0 && matches!(next.kind, TokenKind::BlockSequenceStart | TokenKind::BlockMappingStart) {
            let rest = self.pending.head.split_off(stem);
            self.stem = std::mem::replace(&mut self.pending.head, rest);
        }
        Ok(next)
    }

    fn block_mapping_key(&mut self, first: bool) -> Scan<Event> {
        if first {
            self.peek()?;
            self.skip();
        }
        let token = self.peek()?;
        match token.kind {
            TokenKind::Key => {
                self.skip();
                let next = self.peek()?;
                if matches!(next.kind, TokenKind::Key | TokenKind::Value | TokenKind::BlockEnd) {
                    self.state = State::BlockMappingValue;
                    self.last_end = token.end;
                    return self.empty_scalar(Self::behind(token));
                }
                self.states.push(State::BlockMappingValue);
                self.node(Context::Indentless)
            }
            TokenKind::BlockEnd => {
                self.pop_state();
                let mut event = Event::new(EventKind::MappingEnd, token.start, token.end);
                self.take_comments(&mut event);
                self.skip();
                Ok(event)
            }
            _ => self.fail(token, "did not find expected key"),
        }
    }

    fn block_mapping_value(&mut self) -> Scan<Event> {
        let token = self.peek()?;
        if token.kind == TokenKind::Value {
            self.skip();
            let next = self.peek()?;
            if !matches!(next.kind, TokenKind::Key | TokenKind::Value | TokenKind::BlockEnd) {
                self.states.push(State::BlockMappingKey);
                return self.node(Context::Indentless);
            }
            self.state = State::BlockMappingKey;
            return self.empty_scalar(Self::behind(token));
        }
        self.state = State::BlockMappingKey;
        // No `:`; the value would stand behind the key.
        let mut mark = token.start;
        mark.index = self.last_end;
        self.empty_scalar(mark)
    }
}
