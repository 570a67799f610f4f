//! What SOPS and its parser refuse in a file that is YAML: other roots than
//! mappings, repeated keys, tags and merges that do not fit.

use super::super::ReadError;
use super::compose::Composer;
use super::events::Event;
use super::resolve::resolve;
use super::scan::Scan;
use super::seen_keys::{SeenKey, all_differ};
use super::tokens::fault;
use crate::domain::search;
use crate::domain::tree::{Kind, NodeId, Style, Tag};

/// Up to so many keys are compared each with each.
const FEW: usize = 12;

impl Composer<'_> {
    /// Only mappings and nothing at all may be documents.
    pub(super) fn check_root(&mut self, root: NodeId) -> Scan<()> {
        let first = self.documents.len() == 1;
        let node = self.nodes[root as usize];
        let kind = match node.kind {
            Kind::Map => return Ok(()),
            Kind::Scalar if node.style == Style::Plain && matches!(node.tag, Tag::None | Tag::Null) => {
                if matches!(self.text(node.text), b"" | b"~" | b"null" | b"Null" | b"NULL") {
                    self.nodes[root as usize].kind = Kind::Map;
                    return Ok(());
                }
                "value"
            }
            Kind::List => "sequence",
            Kind::Alias => "aliase",
            Kind::Scalar | Kind::Comment => "value",
        };
        let line = self.line_of(node.span.start) as usize + 1;
        let message = match (first, kind) {
            (true, "sequence") => format!(
                "yaml: unmarshal errors:\n  line {line}: cannot unmarshal !!seq into map[string]interface {{}}"
            ),
            (true, _) => format!(
                "yaml: unmarshal errors:\n  line {line}: cannot unmarshal a value into map[string]interface {{}}"
            ),
            (false, _) => format!("YAML documents that are {kind}s are not supported"),
        };
        let mut error = ReadError::syntax(line, message);
        error.hint = Some("the top level of every document must be a mapping");
        Err(Box::new(error))
    }

    /// Refuses a text that is not what its tag says.
    pub(super) fn check_tag(&self, event: &Event) -> Scan<()> {
        match resolve(self.text(event.text), event.tag, event.style == Style::Plain) {
            Err(problem) if !problem.is_readable() => Err(fault(event.start.line, &problem.to_string())),
            _ => Ok(()),
        }
    }

    /// Refuses a merge key whose value is not made of maps (first document only).
    pub(super) fn check_merge(&self, value: NodeId) -> Scan<()> {
        let is_map = |id: NodeId| match self.nodes.get(id as usize) {
            Some(node) if node.kind == Kind::Alias => {
                self.nodes.get(node.text.start as usize).is_some_and(|target| target.kind == Kind::Map)
            }
            Some(node) => node.kind == Kind::Map,
            None => false,
        };
        let node = self.nodes[value as usize];
        let mut fits = is_map(value) || node.kind == Kind::List;
        if node.kind == Kind::List {
            let mut item = value + 1;
            while item < node.end {
                fits &= is_map(item);
                item = self.nodes[item as usize].end;
            }
        }
        if fits {
            return Ok(());
        }
        Err(fault(self.line_of(node.key.start), "map merge requires map or sequence of maps as the value"))
    }

    /// Refuses keys that stand twice among those from `first` on, and forgets them.
    pub(super) fn check_duplicates(&mut self, first: usize) -> Scan<()> {
        let mut keys = std::mem::take(&mut self.keys);
        let found = self.find_duplicate(&mut keys[first..]);
        keys.truncate(first);
        self.keys = keys;
        let Some((old, new)) = found else { return Ok(()) };
        let name = String::from_utf8_lossy(self.text(new.text));
        let (old, new) = (self.line_of(old.start) + 1, self.line_of(new.start) as usize + 1);
        let message = format!(
            "yaml: unmarshal errors:\n  line {new}: mapping key {name:?} already defined at line {old}"
        );
        Err(Box::new(ReadError::syntax(new, message)))
    }

    /// The first key that repeats another, behind that one.
    fn find_duplicate(&self, keys: &mut [SeenKey]) -> Option<(SeenKey, SeenKey)> {
        if keys.len() <= FEW {
            let repeats = |at: usize| keys[..at].iter().any(|key| key.hash == keys[at].hash);
            if !(1..keys.len()).any(repeats) {
                return None;
            }
        } else if all_differ(keys) {
            return None;
        }
        keys.sort_unstable_by(|a, b| {
            let by_text = || self.text(a.text).cmp(self.text(b.text));
            a.hash.cmp(&b.hash).then_with(by_text).then(a.start.cmp(&b.start))
        });
        let same = |pair: &&[SeenKey]| {
            pair[0].hash == pair[1].hash && self.text(pair[0].text) == self.text(pair[1].text)
        };
        let found = keys.windows(2).filter(same).min_by_key(|pair| pair[1].start)?;
        Some((found[0], found[1]))
    }

    /// The zero-based line of an offset.
    fn line_of(&self, offset: u32) -> u32 {
        search::memchr_iter(b'\n', &self.parser.scanner.source[..offset as usize]).count() as u32
    }
}
