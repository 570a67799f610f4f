//! The grammar of flow collections.

use super::events::{Event, EventKind};
use super::parse::{Context, Parser, State};
use super::scan::Scan;
use super::tokens::{Token, TokenKind};
use crate::domain::tree::Style;

impl Parser<'_> {
    pub(super) fn flow_sequence_entry(&mut self, first: bool) -> Scan<Event> {
        if first {
            self.peek()?;
            self.skip();
        }
        let mut token = self.peek()?;
        if token.kind != TokenKind::FlowSequenceEnd {
            if !first {
                if token.kind != TokenKind::FlowEntry {
                    return self.fail(token, "did not find expected ',' or ']'");
                }
                self.skip();
                token = self.peek()?;
            }
            if token.kind == TokenKind::Key {
                self.state = State::FlowPairKey;
                let mut event = Event::new(EventKind::MappingStart, token.start, token.start.index);
                event.style = Style::Flow;
                self.skip();
                return Ok(event);
            }
            if token.kind != TokenKind::FlowSequenceEnd {
                self.states.push(State::FlowSequenceEntry);
                return self.node(Context::Flow);
            }
        }
        self.flow_end(EventKind::SequenceEnd, token)
    }

    fn flow_end(&mut self, kind: EventKind, token: Token) -> Scan<Event> {
        self.pop_state();
        let mut event = Event::new(kind, token.start, token.end);
        self.take_comments(&mut event);
        self.skip();
        Ok(event)
    }

    pub(super) fn flow_pair_key(&mut self) -> Scan<Event> {
        let token = self.peek()?;
        if !matches!(token.kind, TokenKind::Value | TokenKind::FlowEntry | TokenKind::FlowSequenceEnd) {
            self.states.push(State::FlowPairValue);
            return self.node(Context::Flow);
        }
        // go-yaml swallows the token here.
        self.skip();
        self.state = State::FlowPairValue;
        self.empty_scalar(Self::behind(token))
    }

    pub(super) fn flow_pair_value(&mut self) -> Scan<Event> {
        let mut token = self.peek()?;
        if token.kind == TokenKind::Value {
            self.skip();
            token = self.peek()?;
            if !matches!(token.kind, TokenKind::FlowEntry | TokenKind::FlowSequenceEnd) {
                self.states.push(State::FlowPairEnd);
                return self.node(Context::Flow);
            }
        }
        self.state = State::FlowPairEnd;
        self.empty_scalar(token.start)
    }

    pub(super) fn flow_pair_end(&mut self) -> Scan<Event> {
        let token = self.peek()?;
        self.state = State::FlowSequenceEntry;
        Ok(Event::new(EventKind::MappingEnd, token.start, token.start.index))
    }

    pub(super) fn flow_mapping_key(&mut self, first: bool) -> Scan<Event> {
        if first {
            self.peek()?;
            self.skip();
        }
        let mut token = self.peek()?;
        if token.kind != TokenKind::FlowMappingEnd {
            if !first {
                if token.kind != TokenKind::FlowEntry {
                    return self.fail(token, "did not find expected ',' or '}'");
                }
                self.skip();
                token = self.peek()?;
            }
            if token.kind == TokenKind::Key {
                self.skip();
                token = self.peek()?;
                if matches!(token.kind, TokenKind::Value | TokenKind::FlowEntry | TokenKind::FlowMappingEnd) {
                    self.state = State::FlowMappingValue;
                    return self.empty_scalar(token.start);
                }
                self.states.push(State::FlowMappingValue);
                return self.node(Context::Flow);
            }
            if token.kind != TokenKind::FlowMappingEnd {
                self.states.push(State::FlowMappingEmptyValue);
                return self.node(Context::Flow);
            }
        }
        self.flow_end(EventKind::MappingEnd, token)
    }

    pub(super) fn flow_mapping_value(&mut self, empty: bool) -> Scan<Event> {
        let mut token = self.peek()?;
        if !empty && token.kind == TokenKind::Value {
            self.skip();
            token = self.peek()?;
            if !matches!(token.kind, TokenKind::FlowEntry | TokenKind::FlowMappingEnd) {
                self.states.push(State::FlowMappingKey);
                return self.node(Context::Flow);
            }
        }
        self.state = State::FlowMappingKey;
        self.empty_scalar(token.start)
    }
}
