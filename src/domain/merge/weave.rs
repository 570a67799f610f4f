//! Three outlines become one text, entry by entry. What both sides changed, each its
//! way, is a conflict; the text takes one side of it.

use std::hash::RandomState;

use super::comparison::{Compare, View};
use super::conflict::{Choice, Conflict, Disagreement, Side, Trio, is_at_or_below};
use super::lines::{self, shifted};
use super::outline::{Body, Document, Entry, Form, Outline, Parts};
use super::sequence::{self, Merged};
use crate::domain::document::walk::index_path;
use crate::domain::secret::{SecretBytes, Text};
use crate::domain::store::Format;
use crate::domain::tree::{Kind, NodeId, Span};

/// What a merge goes by, beside its sides.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms<'w> {
    /// Nobody knows what there was before: whatever differs is a conflict.
    pub(super) two_way: bool,
    /// Conflicts that were settled.
    pub(super) choices: &'w [Choice],
    /// Key paths at and below which whatever differs is a conflict.
    pub(super) doubtful: &'w [(String, Disagreement)],
    /// The side that all other conflicts take.
    pub(super) prefer: Side,
}

/// What a weave made.
pub(super) struct Woven {
    /// The merged text.
    pub(super) text: SecretBytes,
    /// The conflicts that nobody settled.
    pub(super) conflicts: Vec<Conflict>,
    /// The nodes of all conflicts, and the side that each took.
    pub(super) taken: Vec<(Trio<NodeId>, Side)>,
}

/// Merges the sides, whose outlines are given with them. The base may be missing.
pub(super) fn weave(
    views: &[Option<View<'_, '_>>; 3],
    outlines: &[Option<Outline>; 3],
    hasher: &RandomState,
    terms: Terms<'_>,
) -> Woven {
    let room = views.iter().flatten().map(|view| view.tree.source.len()).sum();
    let woven =
        Woven { text: SecretBytes::new(Vec::with_capacity(room)), conflicts: Vec::new(), taken: Vec::new() };
    let mut weaver = Weaver { views, hasher, terms, woven };
    weaver.file(outlines);
    weaver.woven
}

struct Weaver<'a, 't, 's> {
    views: &'a [Option<View<'t, 's>>; 3],
    hasher: &'a RandomState,
    terms: Terms<'a>,
    woven: Woven,
}

const BASE: usize = Side::Base as usize;
const OURS: usize = Side::Ours as usize;
const THEIRS: usize = Side::Theirs as usize;

/// Containers that are merged, by side, with the column that theirs entries get.
type Places<'p> = Trio<&'p Parts>;

impl<'t, 's> Weaver<'_, 't, 's> {
    fn file(&mut self, outlines: &[Option<Outline>; 3]) {
        let counts: Vec<usize> = outlines.iter().flatten().map(|outline| outline.documents.len()).collect();
        let fits = counts.iter().all(|count| *count == counts[0]);
        let documents = outlines.each_ref().map(|outline| outline.as_ref().map(|it| &it.documents[..]));
        let behind = outlines.each_ref().map(|outline| outline.as_ref().map(|it| it.behind));
        let [base, Some(ours), Some(theirs)] = documents else { return };
        let between =
            |at: usize| [base.map(|it| it[at].before), Some(ours[at].before), Some(theirs[at].before)];
        if !fits
            || (0..counts[0]).any(|at| self.of_one_side(between(at)).is_none())
            || self.of_one_side(behind).is_none()
        {
            let side = self.take([None, Some(0), Some(0)], String::new(), Disagreement::Changed);
            if let Some(view) = self.views[side as usize] {
                self.woven.text.as_mut_vec().extend_from_slice(view.tree.source);
            }
            return;
        }
        for at in 0..counts[0] {
            if let Some(text) = self.of_one_side(between(at)) {
                self.put(text, 0, false);
            }
            self.document([base.map(|it| &it[at]), Some(&ours[at]), Some(&theirs[at])]);
        }
        if let Some(text) = self.of_one_side(behind) {
            self.put(text, 0, false);
        }
    }

    fn document(&mut self, documents: Trio<&Document>) {
        let nodes = documents.map(|document| document.map(|it| it.root));
        let bodies = documents.map(|document| document.map(|it| &it.body));
        self.body(nodes, bodies, [None; 3], 0);
    }

    fn text(&self, side: usize, span: Span) -> &'s [u8] {
        self.views[side].map_or(&[], |view| view.raw(span))
    }

    /// The text that a side changed, if no two did so differently.
    fn of_one_side(&self, spans: Trio<Span>) -> Option<&'s [u8]> {
        let [base, ours, theirs] = [0, 1, 2].map(|side| spans[side].map(|span| self.text(side, span)));
        match (ours?, theirs?) {
            (ours, theirs) if ours == theirs => Some(ours),
            (ours, theirs) if base == Some(ours) => Some(theirs),
            (ours, theirs) if base == Some(theirs) => Some(ours),
            _ => None,
        }
    }

    fn put(&mut self, text: &[u8], shift: isize, from_line_start: bool) {
        let text = shifted(text, shift, from_line_start);
        self.woven.text.as_mut_vec().extend_from_slice(&text);
    }

    /// The key path of a conflict: that of ours, else of theirs, else of the base.
    fn path(&self, nodes: Trio<NodeId>) -> String {
        for side in [OURS, THEIRS, BASE] {
            if let (Some(view), Some(node)) = (self.views[side], nodes[side]) {
                return index_path(view.tree, node);
            }
        }
        String::new()
    }

    /// The side that a conflict takes, which is noted.
    fn take(&mut self, nodes: Trio<NodeId>, path: String, kind: Disagreement) -> Side {
        let chosen = self.terms.choices.iter().rev().find(|choice| choice.is_about(&path));
        let side = chosen.map_or(self.terms.prefer, |choice| choice.side);
        if chosen.is_none() {
            self.woven.conflicts.push(Conflict { path, kind });
        }
        if kind != Disagreement::Comment {
            self.woven.taken.push((nodes, side));
        }
        side
    }

    fn conflict(&mut self, nodes: Trio<NodeId>, kind: Disagreement) -> Side {
        let path = self.path(nodes);
        let doubt = self.doubt(&path).unwrap_or(kind);
        self.take(nodes, path, doubt)
    }

    /// Why whatever differs at `path` is a conflict, if it is.
    fn doubt(&self, path: &str) -> Option<Disagreement> {
        self.terms.doubtful.iter().find(|(doubtful, _)| is_at_or_below(path, doubtful)).map(|(_, kind)| *kind)
    }

    /// True when a difference at or below the nodes may be a conflict although only one
    /// side made it.
    fn is_doubtful(&self, nodes: Trio<NodeId>) -> bool {
        if self.terms.doubtful.is_empty() {
            return false;
        }
        let path = self.path(nodes);
        self.doubt(&path).is_some() || self.terms.doubtful.iter().any(|(it, _)| is_at_or_below(it, &path))
    }

    fn same(&self, nodes: Trio<NodeId>, one: usize, other: usize, compare: Compare) -> bool {
        match (self.views[one], nodes[one], self.views[other], nodes[other]) {
            (Some(view), Some(node), Some(against), Some(found)) => view.same(node, &against, found, compare),
            _ => false,
        }
    }

    fn kind(&self, side: usize, node: NodeId) -> Kind {
        self.views[side].map_or(Kind::Scalar, |view| view.tree.node(node).kind)
    }

    /// Merges the values of nodes whose containers are `parents`; entries of those get
    /// the column `column`.
    fn body(&mut self, nodes: Trio<NodeId>, bodies: Trio<&Body>, parents: Places<'_>, column: isize) {
        let [base, Some(ours), Some(theirs)] = bodies else { return };
        let is_doubtful = self.terms.two_way || self.is_doubtful(nodes);
        let shift = |side: usize| column - parents[side].map_or(column, |parts| parts.column as isize);
        let equal = |one: usize, other: usize| {
            let text = |side: usize| {
                let span = bodies[side].map(Body::span)?;
                Some(shifted(self.text(side, span), shift(side), false))
            };
            text(one).is_some() && text(one) == text(other)
        };
        let same = |one, other| self.same(nodes, one, other, Compare::All);
        if equal(OURS, THEIRS) {
            return self.whole_body(OURS, ours, shift(OURS));
        }
        if !is_doubtful && equal(BASE, OURS) {
            return self.whole_body(THEIRS, theirs, shift(THEIRS));
        }
        if !is_doubtful && equal(BASE, THEIRS) {
            return self.whole_body(OURS, ours, shift(OURS));
        }
        if let Some(parts) = self.mergeable(nodes, [base, Some(ours), Some(theirs)]) {
            return self.container(nodes, parts, parents, column);
        }
        let side = if same(OURS, THEIRS) {
            Side::Ours
        } else if !is_doubtful && same(BASE, OURS) {
            Side::Theirs
        } else if !is_doubtful && same(BASE, THEIRS) {
            Side::Ours
        } else {
            self.conflict(nodes, self.difference(nodes))
        };
        match side {
            Side::Theirs => self.whole_body(THEIRS, theirs, shift(THEIRS)),
            _ => self.whole_body(OURS, ours, shift(OURS)),
        }
    }

    fn difference(&self, nodes: Trio<NodeId>) -> Disagreement {
        match (self.terms.two_way, nodes[BASE]) {
            (true, _) => Disagreement::Differs,
            (false, None) => Disagreement::Added,
            (false, Some(_)) => Disagreement::Changed,
        }
    }

    fn whole_body(&mut self, side: usize, body: &Body, shift: isize) {
        let text = self.text(side, body.span());
        self.put(text, shift, false);
    }

    /// The parts of containers that can be merged entry by entry. A base of another shape
    /// counts as an empty one only if it is empty.
    fn mergeable<'p>(&self, nodes: Trio<NodeId>, bodies: Trio<&'p Body>) -> Option<Trio<&'p Parts>> {
        let (ours, theirs) = (bodies[OURS]?.parts()?, bodies[THEIRS]?.parts()?);
        let kind = self.kind(OURS, nodes[OURS]?);
        let same_form = ours.form == theirs.form || ours.entries.is_empty() || theirs.entries.is_empty();
        if kind != self.kind(THEIRS, nodes[THEIRS]?) || !same_form {
            return None;
        }
        let Some((node, body)) = nodes[BASE].zip(bodies[BASE]) else {
            // Nobody can tell elements that one side added from those that the other changed.
            let can = kind == Kind::Map || self.terms.two_way;
            return can.then_some([None, Some(ours), Some(theirs)]);
        };
        let is_empty = self.views[BASE].is_some_and(|view| view.values(node).is_empty());
        let is_container = matches!(self.kind(BASE, node), Kind::Map | Kind::List);
        match body.parts() {
            Some(base) if self.kind(BASE, node) == kind && base.form == ours.form => {
                Some([Some(base), Some(ours), Some(theirs)])
            }
            _ if is_empty && is_container => Some([None, Some(ours), Some(theirs)]),
            _ => None,
        }
    }

    fn slots(&self, nodes: Trio<NodeId>, parts: Places<'_>) -> Merged {
        let entries = parts.map(|parts| {
            parts.map_or_else(Vec::new, |parts| {
                parts.entries.iter().map(|entry| entry.node).collect::<Vec<_>>()
            })
        });
        let entries = entries.each_ref().map(|entries| &entries[..]);
        match nodes[OURS].map(|node| self.kind(OURS, node)) {
            Some(Kind::List) => sequence::listed(self.views, entries, self.hasher),
            _ => sequence::keyed(self.views, entries),
        }
    }

    fn container(&mut self, nodes: Trio<NodeId>, parts: Places<'_>, parents: Places<'_>, column: isize) {
        let Merged { slots, moved } = self.slots(nodes, parts);
        let is_list = nodes[OURS].is_some_and(|node| self.kind(OURS, node) == Kind::List);
        // Without a base, lists of one length are compared in place.
        let two_way_list = is_list && self.terms.two_way;
        let lengths = parts.map(|parts| parts.map_or(0, |parts| parts.entries.len()));
        let unclear = two_way_list && lengths[OURS] != lengths[THEIRS];
        if moved || unclear {
            let kind = if moved { Disagreement::Moved } else { Disagreement::Differs };
            let side = self.conflict(nodes, kind) as usize;
            let shift = column - parents[side].map_or(column, |parts| parts.column as isize);
            if let Some(parts) = parts[side] {
                let span = Span { start: parts.open.start, end: parts.close.end };
                let text = self.text(side, span);
                self.put(text, shift, false);
            }
            return;
        }
        let slots = match two_way_list {
            true => (0..lengths[OURS]).map(|at| [None, Some(at), Some(at)]).collect(),
            false => slots,
        };
        let shape = self.shape(parts);
        let Some(like) = parts[shape] else { return };
        let nested =
            like.column as isize - parents[shape].map_or(like.column as isize, |it| it.column as isize);
        let own_column = column + nested;
        let own_column = if parents[shape].is_none() { like.column as isize } else { own_column };
        let mut cloth = Cloth { parts, like, shape, column: own_column, count: 0 };
        let start = self.woven.text.len();
        self.open(nodes, &cloth, column, parents);
        for slot in slots {
            self.slot(slot, &mut cloth);
        }
        if cloth.count == 0 && self.is_yaml() && like.form == Form::Lines {
            let brackets: &[u8] = if is_list { b"[]" } else { b"{}" };
            self.empty(start, brackets, parents[shape].is_none());
        }
        self.close(nodes, &cloth);
    }

    fn is_yaml(&self) -> bool {
        self.views[OURS].is_some_and(|view| view.store.format() == Format::Yaml)
    }

    /// A container that lost all of its entries is written as an empty one.
    fn empty(&mut self, start: usize, brackets: &[u8], is_root: bool) {
        let text = self.woven.text.as_mut_vec();
        if is_root {
            text.extend_from_slice(brackets);
            text.push(b'\n');
            return;
        }
        let mut insert = vec![b' '];
        insert.extend_from_slice(brackets);
        if !text[start..].contains(&b'\n') {
            insert.push(b'\n');
            text.truncate(start);
        }
        text.splice(start..start, insert);
    }

    /// The side whose container the merged one looks like: the one that changed its looks.
    fn shape(&self, parts: Places<'_>) -> usize {
        let look =
            |side: usize| parts[side].map(|it| (it.form, it.column, it.compact, self.text(side, it.open)));
        match parts {
            [_, Some(ours), Some(theirs)] if ours.entries.is_empty() && !theirs.entries.is_empty() => THEIRS,
            [_, Some(ours), Some(theirs)] if theirs.entries.is_empty() && !ours.entries.is_empty() => OURS,
            _ if parts[BASE].is_some() && look(BASE) == look(OURS) => THEIRS,
            _ => OURS,
        }
    }

    fn open(&mut self, nodes: Trio<NodeId>, cloth: &Cloth<'_>, column: isize, parents: Places<'_>) {
        let shift = |side: usize| column - parents[side].map_or(column, |parts| parts.column as isize);
        let texts = [0, 1, 2]
            .map(|side| cloth.parts[side].map(|it| shifted(self.text(side, it.open), shift(side), false)));
        let is_clash =
            |one: &Text<'_>, other: &Text<'_>| one != other && (has_comment(one) || has_comment(other));
        let mut side = cloth.shape;
        if let [Some(base), Some(ours), Some(theirs)] = &texts
            && base != ours
            && base != theirs
            && is_clash(ours, theirs)
        {
            let same_shape =
                cloth.parts[OURS].map(|it| it.compact) == cloth.parts[THEIRS].map(|it| it.compact);
            let taken = self.conflict(nodes, Disagreement::Comment) as usize;
            side = if same_shape { taken } else { cloth.shape };
        }
        if let Some(text) = &texts[side] {
            self.woven.text.as_mut_vec().extend_from_slice(text);
        }
    }

    fn close(&mut self, nodes: Trio<NodeId>, cloth: &Cloth<'_>) {
        let spans = cloth.parts.map(|parts| parts.map(|it| it.close));
        if cloth.like.form == Form::Flow {
            let brackets = self.of_one_side(spans).unwrap_or(self.text(cloth.shape, cloth.like.close));
            self.put(brackets, 0, false);
            return;
        }
        self.comment_lines(nodes, spans, cloth);
    }

    /// Merges lines of comments.
    fn comment_lines(&mut self, nodes: Trio<NodeId>, spans: Trio<Span>, cloth: &Cloth<'_>) {
        let texts = [0, 1, 2].map(|side| {
            let text = spans[side].map_or(&[][..], |span| self.text(side, span));
            shifted(text, cloth.shift(side), true)
        });
        let merged = lines::merge(&texts[BASE], &texts[OURS], &texts[THEIRS], self.hasher);
        let differs = texts[OURS] != texts[THEIRS];
        let clash = merged.clash || self.terms.two_way && differs;
        let text = match clash {
            true => Some(self.conflict(nodes, Disagreement::Comment) as usize),
            false => None,
        };
        let text = text.map_or(&merged.text[..], |side| &texts[side]);
        self.woven.text.as_mut_vec().extend_from_slice(text);
    }

    /// Merges one entry, if it is still there.
    fn slot(&mut self, slot: sequence::Slot, cloth: &mut Cloth<'_>) {
        let entries = [0, 1, 2].map(|side| {
            let at = slot[side]?;
            cloth.parts[side].and_then(|parts| parts.entries.get(at))
        });
        let nodes = entries.map(|entry| entry.map(|entry| entry.node));
        let gone = |by: Side| Disagreement::Removed { by };
        let kept = |weaver: &mut Self, side: Side, other: Side| {
            let is_new = nodes[BASE].is_none();
            let doubtful = weaver.terms.two_way || weaver.is_doubtful(nodes);
            let unchanged = weaver.same(nodes, BASE, side as usize, Compare::Data);
            match (is_new, doubtful) {
                (true, false) => Some(side),
                (false, false) if unchanged => None,
                _ => {
                    let only = Disagreement::Only { side };
                    let kind = if is_new { only } else { gone(other) };
                    (weaver.conflict(nodes, kind) == side).then_some(side)
                }
            }
        };
        let side = match entries {
            [_, Some(_), Some(_)] => return self.entry(entries, cloth),
            [_, Some(_), None] => kept(self, Side::Ours, Side::Theirs),
            [_, None, Some(_)] => kept(self, Side::Theirs, Side::Ours),
            [_, None, None] => None,
        };
        if let Some(side) = side
            && let Some(entry) = entries[side as usize]
        {
            self.whole_entry(side as usize, entry, cloth);
        }
    }

    fn whole_entry(&mut self, side: usize, entry: &Entry, cloth: &mut Cloth<'_>) {
        let lead = shifted(self.text(side, entry.lead), cloth.shift(side), true);
        self.begin(&lead, side, entry, cloth);
        let rest = Span { start: entry.head.start, end: entry.tail.end };
        let text = self.text(side, rest);
        self.put(text, cloth.shift(side), false);
    }

    /// What stands before an entry's key: the comma, the lines above, the indentation.
    fn begin(&mut self, lead: &[u8], side: usize, entry: &Entry, cloth: &mut Cloth<'_>) {
        let is_first = cloth.count == 0;
        let by_spaces = self.is_yaml();
        cloth.count += 1;
        let out = self.woven.text.as_mut_vec();
        if cloth.like.form == Form::Flow {
            if !is_first {
                out.push(b',');
            }
            let indent = self.gap(side, entry, cloth, is_first);
            self.woven.text.as_mut_vec().extend_from_slice(indent);
            return;
        }
        if is_first && cloth.like.compact {
            if lead.is_empty() {
                return;
            }
            // Comments need a line of their own.
            while out.last() == Some(&b' ') {
                out.pop();
            }
            out.push(b'\n');
        }
        out.extend_from_slice(lead);
        if by_spaces {
            let length = out.len() + usize::try_from(cloth.column).unwrap_or(0);
            out.resize(length, b' ');
        } else {
            let indent = self.text(side, entry.indent);
            self.woven.text.as_mut_vec().extend_from_slice(indent);
        }
    }

    /// The blanks in front of an entry in brackets: its own, unless it became the first
    /// or is not that any more.
    fn gap(&self, side: usize, entry: &Entry, cloth: &Cloth<'_>, is_first: bool) -> &'s [u8] {
        let own = self.text(side, entry.indent);
        let Some(entries) = cloth.parts[side].map(|parts| &parts.entries) else { return own };
        let was_first = entries.first().is_some_and(|first| std::ptr::eq(first, entry));
        if was_first == is_first {
            return own;
        }
        let wanted = |side: usize| {
            let entries = cloth.parts[side].map(|parts| &parts.entries)?;
            let like = if is_first { entries.first() } else { entries.get(1) };
            like.map(|like| self.text(side, like.indent))
        };
        let usual = if own.is_empty() && !is_first { b" " } else { own };
        wanted(side).or_else(|| wanted(OURS)).or_else(|| wanted(THEIRS)).unwrap_or(usual)
    }

    /// Merges an entry that both sides have.
    fn entry(&mut self, entries: Trio<&Entry>, cloth: &mut Cloth<'_>) {
        let [base, Some(ours), Some(theirs)] = entries else { return };
        let nodes = entries.map(|entry| entry.map(|entry| entry.node));
        let spans = entries.map(|entry| entry.map(|it| it.lead));
        // The lines above are written before the key, and merged before that.
        let done = std::mem::take(&mut self.woven.text);
        self.comment_lines(nodes, spans, cloth);
        let lead = std::mem::replace(&mut self.woven.text, done);
        let pick = |of: &dyn Fn(&Entry) -> Span| match base.map(|base| self.text(BASE, of(base))) {
            Some(base) if base == self.text(OURS, of(ours)) => (THEIRS, theirs),
            _ => (OURS, ours),
        };
        let (side, entry) = pick(&|entry| entry.indent);
        let (head_side, head) = pick(&|entry| entry.head);
        let head = self.text(head_side, head.head);
        self.begin(&lead, side, entry, cloth);
        self.put(head, 0, false);
        self.body(nodes, entries.map(|entry| entry.map(|it| &it.body)), cloth.parts, cloth.column);
        self.tail(nodes, [base, Some(ours), Some(theirs)], cloth);
    }

    /// What stands behind a value on its line.
    fn tail(&mut self, nodes: Trio<NodeId>, entries: Trio<&Entry>, cloth: &Cloth<'_>) {
        // A value that ends with its lines has no rest of a line.
        if cloth.like.form == Form::Lines && self.woven.text.last() == Some(&b'\n') {
            return;
        }
        let spans = entries.map(|entry| entry.map(|it| it.tail));
        let texts = [OURS, THEIRS].map(|side| spans[side].map_or(&[][..], |span| self.text(side, span)));
        let text = match self.of_one_side(spans) {
            Some(text) if !self.terms.two_way || texts[0] == texts[1] => text,
            _ if texts.iter().any(|text| has_comment(text)) => {
                texts[self.conflict(nodes, Disagreement::Comment) as usize - 1]
            }
            _ => texts[0],
        };
        self.woven.text.as_mut_vec().extend_from_slice(text);
        let needs_break = cloth.like.form == Form::Lines && self.woven.text.last() != Some(&b'\n');
        if needs_break {
            self.woven.text.as_mut_vec().push(b'\n');
        }
    }
}

/// The container that is being written.
struct Cloth<'p> {
    parts: Places<'p>,
    /// The one that it looks like.
    like: &'p Parts,
    /// Whose that is.
    shape: usize,
    /// The column of its entries.
    column: isize,
    /// How many entries it has by now.
    count: usize,
}

impl Cloth<'_> {
    /// How far text of a side moves to the right.
    fn shift(&self, side: usize) -> isize {
        self.parts[side].map_or(0, |parts| self.column - parts.column as isize)
    }
}

/// True when a piece between values holds more than blanks and brackets.
fn has_comment(text: &[u8]) -> bool {
    text.iter().any(|byte| b"#;".contains(byte))
}
