//! Which entries of three containers are one and the same, and in which order they
//! stand when merged.

use std::collections::{HashMap, HashSet};
use std::hash::{Hash, RandomState};
use std::ops::Range;

use similar::{Algorithm, DiffOp, capture_diff_slices};

use super::comparison::View;
use super::conflict::{Side, Trio};
use crate::domain::tree::NodeId;

/// An entry, by its index in each of the three containers.
pub(super) type Slot = Trio<usize>;

const BASE: usize = Side::Base as usize;
const OURS: usize = Side::Ours as usize;
const THEIRS: usize = Side::Theirs as usize;

/// The entries of three containers, and whether both sides moved the same one.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Merged {
    /// The entries in merged order; those that a side took away are among them.
    pub(super) slots: Vec<Slot>,
    /// Lists only: an element that both sides took from its place and put back
    /// elsewhere would stand there twice.
    pub(super) moved: bool,
}

/// The entries of maps, which are the same by their keys; a key that stands there
/// several times is told by its turn.
pub(super) fn keyed(views: &[Option<View<'_, '_>>; 3], entries: [&[NodeId]; 3]) -> Merged {
    let keys: Vec<Vec<(&[u8], usize)>> = views
        .iter()
        .zip(entries)
        .map(|(view, entries)| view.as_ref().map_or_else(Vec::new, |view| numbered(view, entries)))
        .collect();
    let mut slots: HashMap<(&[u8], usize), Slot> = HashMap::new();
    for (side, keys) in keys.iter().enumerate() {
        for (at, key) in keys.iter().enumerate() {
            slots.entry(*key).or_default()[side] = Some(at);
        }
    }
    let order = order(&keys[BASE], &keys[OURS], &keys[THEIRS]);
    Merged { slots: order.iter().filter_map(|key| slots.get(key).copied()).collect(), moved: false }
}

/// The keys of `entries`, each with its turn among the same ones.
pub(super) fn numbered<'v>(view: &'v View<'_, '_>, entries: &[NodeId]) -> Vec<(&'v [u8], usize)> {
    let mut seen: HashMap<&[u8], usize> = HashMap::new();
    let mut keys = Vec::with_capacity(entries.len());
    for &id in entries {
        let key = view.tree.key(id);
        let turn = seen.entry(key).or_default();
        keys.push((key, *turn));
        *turn += 1;
    }
    keys
}

/// The keys of all three in merged order: that of ours, or of theirs if only theirs
/// changed it; what the other side has beside that stands behind its own neighbour.
fn order<K: Copy + Eq + Hash>(base: &[K], ours: &[K], theirs: &[K]) -> Vec<K> {
    let common = |of: &[K], other: &[K]| {
        let other: HashSet<K> = other.iter().copied().collect();
        of.iter().copied().filter(|key| other.contains(key)).collect::<Vec<K>>()
    };
    let ours_kept = common(ours, base) == common(base, ours);
    let theirs_kept = common(theirs, base) == common(base, theirs);
    let by_theirs = ours_kept && !theirs_kept;
    let (first, second) = if by_theirs { (theirs, ours) } else { (ours, theirs) };
    let mut order = first.to_vec();
    let old: HashSet<K> = base.iter().copied().collect();
    put_beside(&mut order, second, |key| !by_theirs && !old.contains(key));
    put_beside(&mut order, base, |_| false);
    order
}

/// Puts what `order` lacks of `more` behind the neighbour that it has there, and behind
/// the entries there that go `before` it.
fn put_beside<K: Copy + Eq + Hash>(order: &mut Vec<K>, more: &[K], before: impl Fn(&K) -> bool) {
    let known: HashSet<K> = order.iter().copied().collect();
    let listed: HashSet<K> = more.iter().copied().collect();
    let mut behind: HashMap<Option<K>, Vec<K>> = HashMap::new();
    let mut neighbour = None;
    for &key in more {
        if known.contains(&key) {
            neighbour = Some(key);
        } else {
            behind.entry(neighbour).or_default().push(key);
        }
    }
    let mut merged = Vec::with_capacity(order.len() + more.len());
    let mut waiting = behind.remove(&None).unwrap_or_default();
    for &key in order.iter() {
        if listed.contains(&key) || !before(&key) {
            merged.append(&mut waiting);
        }
        merged.push(key);
        if let Some(found) = behind.remove(&Some(key)) {
            waiting = found;
        }
    }
    merged.append(&mut waiting);
    *order = merged;
}

/// The elements of lists: equal ones are the same, and between those the ones that
/// resemble each other, or that stand in each other's place.
pub(super) fn listed(
    views: &[Option<View<'_, '_>>; 3],
    entries: [&[NodeId]; 3],
    hasher: &RandomState,
) -> Merged {
    let hashes: Vec<Vec<u64>> = views
        .iter()
        .zip(entries)
        .map(|(view, entries)| match view {
            Some(view) => entries.iter().map(|&id| view.hash(id, hasher)).collect(),
            None => Vec::new(),
        })
        .collect();
    let pairs = |side: usize| {
        move |one: usize, other: usize| match (&views[BASE], &views[side]) {
            (Some(base), Some(view)) => base.resembles(entries[BASE][one], view, entries[side][other]),
            _ => false,
        }
    };
    aligned(&hashes[BASE], [&hashes[OURS], &hashes[THEIRS]], [&pairs(OURS), &pairs(THEIRS)], true)
}

/// The lines of comments, of which only equal ones are the same.
pub(super) fn lines(base: &[u64], ours: &[u64], theirs: &[u64]) -> Merged {
    let never = |_: usize, _: usize| false;
    aligned(base, [ours, theirs], [&never, &never], false)
}

type Resembles<'r> = dyn Fn(usize, usize) -> bool + 'r;

fn aligned(base: &[u64], sides: [&[u64]; 2], resemble: [&Resembles<'_>; 2], in_place: bool) -> Merged {
    let [ours, theirs] = [0, 1].map(|side| Alignment::new(base, sides[side], resemble[side], in_place));
    let mut slots = Vec::with_capacity(base.len());
    for gap in 0..=base.len() {
        let added = [&ours, &theirs].map(|side| side.added[gap].clone());
        side_by_side(sides, added, &mut slots);
        if gap < base.len() {
            slots.push([Some(gap), ours.kept[gap], theirs.kept[gap]]);
        }
    }
    let moved = both_moved(base, sides, &slots);
    Merged { slots, moved }
}

/// What both sides put at one place: what is equal once, the rest of ours before that of
/// theirs.
fn side_by_side(sides: [&[u64]; 2], added: [Range<usize>; 2], slots: &mut Vec<Slot>) {
    let [ours, theirs] = added;
    let (from, to) = (ours.start, theirs.start);
    for op in capture_diff_slices(Algorithm::Myers, &sides[0][ours], &sides[1][theirs]) {
        let (_, ours, theirs) = op.as_tag_tuple();
        if let DiffOp::Equal { .. } = op {
            slots.extend(ours.zip(theirs).map(|(one, two)| [None, Some(from + one), Some(to + two)]));
        } else {
            slots.extend(ours.map(|at| [None, Some(from + at), None]));
            slots.extend(theirs.map(|at| [None, None, Some(to + at)]));
        }
    }
}

/// True when both sides took the same element away, and both put it back at different
/// places.
fn both_moved(base: &[u64], sides: [&[u64]; 2], slots: &[Slot]) -> bool {
    let gone: HashSet<u64> = slots
        .iter()
        .filter(|slot| slot[OURS].is_none() && slot[THEIRS].is_none())
        .filter_map(|slot| slot[BASE])
        .map(|at| base[at])
        .collect();
    let new = |side: usize, other: usize| -> HashSet<u64> {
        let is_new = |slot: &&Slot| slot[BASE].is_none() && slot[other].is_none();
        slots.iter().filter(is_new).filter_map(|slot| slot[side]).map(|at| sides[side - 1][at]).collect()
    };
    let (ours, theirs) = (new(OURS, THEIRS), new(THEIRS, OURS));
    gone.iter().any(|hash| ours.contains(hash) && theirs.contains(hash))
}

/// How the elements of one side follow from those of the base.
struct Alignment {
    /// For each element of the base, where it is now.
    kept: Vec<Option<usize>>,
    /// What stands before each element of the base, and behind the last, that is new.
    added: Vec<Range<usize>>,
}

impl Alignment {
    fn new(base: &[u64], side: &[u64], resembles: &Resembles<'_>, in_place: bool) -> Self {
        let mut kept = vec![None; base.len()];
        for op in capture_diff_slices(Algorithm::Myers, base, side) {
            let (_, old, new) = op.as_tag_tuple();
            if let DiffOp::Equal { .. } = op {
                old.zip(new).for_each(|(old, new)| kept[old] = Some(new));
            } else {
                pair(old, new, resembles, in_place, &mut kept);
            }
        }
        let mut added = Vec::with_capacity(base.len() + 1);
        let mut next = 0;
        for at in &kept {
            added.push(next..at.map_or(next, |at| at.max(next)));
            next = at.map_or(next, |at| at + 1);
        }
        added.push(next..side.len());
        Self { kept, added }
    }
}

/// Pairs elements that were replaced with those that replaced them: those that
/// resemble each other, in order; then, if as many are left on both sides of each
/// pair, the ones in the same place.
fn pair(
    old: Range<usize>,
    new: Range<usize>,
    resembles: &Resembles<'_>,
    in_place: bool,
    kept: &mut [Option<usize>],
) {
    let (mut old_from, mut new_from) = (old.start, new.start);
    let mut fill = |old: Range<usize>, new: Range<usize>| {
        if in_place && old.len() == new.len() {
            old.zip(new).for_each(|(old, new)| kept[old] = Some(new));
        }
    };
    let mut pairs = Vec::new();
    for one in old.clone() {
        if let Some(other) = (new_from..new.end).find(|&other| resembles(one, other)) {
            fill(old_from..one, new_from..other);
            pairs.push((one, other));
            (old_from, new_from) = (one + 1, other + 1);
        }
    }
    fill(old_from..old.end, new_from..new.end);
    pairs.into_iter().for_each(|(one, other)| kept[one] = Some(other));
}
