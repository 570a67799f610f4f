//! What changed in an encrypted file, told from its ciphertext: a value whose token is
//! another one was written anew, one whose token stands elsewhere was moved. Nothing
//! here needs a key or shows a value.

use std::collections::{BTreeMap, HashMap, HashSet};

use similar::{Algorithm, DiffOp, capture_diff_slices};

use crate::domain::crypto::token::{is_token, trimmed};
use crate::domain::document::walk::Walk;
use crate::domain::lines::Lines;
use crate::domain::store::Store;
use crate::domain::tree::{Flags, Kind, NodeId, Tree};

/// What happened to a value or comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It has other ciphertext, or in clear another value.
    Changed,
    /// It stands elsewhere.
    Moved,
    /// It was encrypted, and is in clear now.
    Bared,
    /// It was in clear, and is encrypted now.
    Locked,
}

impl What {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
            Self::Moved => "moved",
            Self::Bared => "now in clear",
            Self::Locked => "now encrypted",
        }
    }
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What happened.
    pub what: What,
    /// The key path in index syntax; of a comment, that of the map or list it is in.
    pub key: String,
    /// Where it was, if that is another place.
    pub from: Option<String>,
    /// The line: in the new state, or of what is gone in the old one.
    pub line: usize,
    /// True for a comment.
    pub is_comment: bool,
    /// True where it is, or was, ciphertext.
    pub is_encrypted: bool,
}

/// All differences of two states.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// One by one, in the order of the file.
    pub changes: Vec<Change>,
    /// How many values and comments have new ciphertext, where all have: whether they
    /// changed cannot be told. They are not listed.
    pub all_anew: usize,
}

/// A value or comment of one state.
struct Leaf {
    /// Document and associated data, which list elements share; comments apart.
    group: Vec<u8>,
    path: String,
    offset: u32,
    /// Token, or type and text.
    identity: Vec<u8>,
    is_comment: bool,
    is_token: bool,
}

/// Compares two states of a file. With `new_data_key`, values that all have other
/// ciphertext are counted, not listed.
pub fn compare(old: (&dyn Store, &Tree<'_>), new: (&dyn Store, &Tree<'_>), new_data_key: bool) -> Changes {
    let (before, after) = (leaves(old), leaves(new));
    let pairing = Pairing::of(&before, &after);
    let has_kept = pairing
        .pairs
        .iter()
        .any(|&(one, other)| before[one].is_token && before[one].identity == after[other].identity);
    let anew = |&&(one, other): &&(usize, usize)| before[one].is_token && after[other].is_token;
    let all_anew = if new_data_key && !has_kept { pairing.pairs.iter().filter(anew).count() } else { 0 };
    let mut found: Vec<(What, &Leaf, Option<&Leaf>)> = Vec::new();
    let mut tell = |what, leaf, from| found.push((what, leaf, from));
    for &(one, other) in &pairing.pairs {
        let (from, to) = (&before[one], &after[other]);
        let what = match (from.is_token, to.is_token) {
            _ if from.identity == to.identity => continue,
            (true, false) => What::Bared,
            (false, true) => What::Locked,
            (true, true) if all_anew > 0 => continue,
            _ => What::Changed,
        };
        tell(what, to, Some(from));
    }
    pairing.moved.iter().for_each(|&(one, other)| tell(What::Moved, &after[other], Some(&before[one])));
    pairing.removed.iter().for_each(|&one| tell(What::Removed, &before[one], None));
    pairing.added.iter().for_each(|&other| tell(What::Added, &after[other], None));
    found.sort_by_key(|(what, leaf, _)| (leaf.offset, *what));
    let (mut gone, mut here) = (Lines::new(old.1.source), Lines::new(new.1.source));
    let changes = found.into_iter().map(|(what, leaf, from)| {
        let lines = if what == What::Removed { &mut gone } else { &mut here };
        Change {
            what,
            key: leaf.path.clone(),
            from: from.map(|from| from.path.clone()).filter(|from| *from != leaf.path),
            line: lines.of(leaf.offset as usize),
            is_comment: leaf.is_comment,
            is_encrypted: leaf.is_token || from.is_some_and(|from| from.is_token),
        }
    });
    Changes { changes: changes.collect(), all_anew }
}

/// The values and comments of a file, in order; without its metadata.
fn leaves((store, tree): (&dyn Store, &Tree<'_>)) -> Vec<Leaf> {
    let mut walk = Walk::default();
    let mut leaves = Vec::new();
    let mut container = String::new();
    for id in 0..tree.nodes.len() as NodeId {
        let node = tree.node(id);
        if node.flags.has(Flags::METADATA) {
            continue;
        }
        let mut group = vec![tree.document_of(id).to_le_bytes()[0], u8::from(node.kind == Kind::Comment)];
        let mut path = String::new();
        if node.kind == Kind::Comment {
            let mut aad = Vec::new();
            walk.comment_aad(tree, node.parent, &mut aad);
            group.extend(aad);
            path.clone_from(&container);
        } else {
            group.extend_from_slice(walk.enter(tree, id));
            path.push_str(&walk.spelling_path(tree, id));
        }
        match node.kind {
            Kind::Map | Kind::List => container = path,
            Kind::Comment if node.text.is_empty() => {}
            Kind::Alias => leaves.push(Leaf {
                group,
                path,
                offset: node.span.start,
                identity: tree.raw(node.span).to_vec(),
                is_comment: false,
                is_token: false,
            }),
            Kind::Comment | Kind::Scalar => {
                let text = tree.text(node.text);
                let is_token = is_token(text);
                let identity = match (is_token, node.kind) {
                    (true, _) => trimmed(text).to_vec(),
                    (_, Kind::Comment) => text.to_vec(),
                    _ => {
                        let value = store.scalar(tree, id);
                        let mut identity = value.type_name().unwrap_or("null").as_bytes().to_vec();
                        identity.push(b':');
                        value.write_canonical(&mut identity);
                        identity
                    }
                };
                let is_comment = node.kind == Kind::Comment;
                leaves.push(Leaf { group, path, offset: node.span.start, identity, is_comment, is_token });
            }
        }
    }
    leaves
}

/// Which leaf of the old state is which of the new one.
#[derive(Default)]
struct Pairing {
    pairs: Vec<(usize, usize)>,
    moved: Vec<(usize, usize)>,
    removed: Vec<usize>,
    added: Vec<usize>,
}

impl Pairing {
    fn of(before: &[Leaf], after: &[Leaf]) -> Self {
        let mut groups: BTreeMap<&[u8], [Vec<usize>; 2]> = BTreeMap::new();
        for (side, leaves) in [before, after].into_iter().enumerate() {
            for (index, leaf) in leaves.iter().enumerate() {
                groups.entry(&leaf.group).or_default()[side].push(index);
            }
        }
        let mut pairing = Self::default();
        for [old, new] in groups.values() {
            pairing.pair(before, after, old, new);
        }
        pairing.follow(before, after);
        pairing.find_moved_keys(before);
        pairing
    }

    /// Pairs what stands at one path: a value, or the elements of a list in order.
    fn pair(&mut self, before: &[Leaf], after: &[Leaf], old: &[usize], new: &[usize]) {
        if let ([one], [other]) = (old, new) {
            self.pairs.push((*one, *other));
            return;
        }
        let steps = steps(before, after, old, new);
        let is_change = |step: &&Step<'_>| !step.is_equal;
        let mut gone: HashMap<&[u8], Vec<usize>> = HashMap::new();
        for one in steps.iter().filter(is_change).flat_map(|step| step.old) {
            gone.entry(&before[*one].identity).or_default().push(*one);
        }
        let mut moved = HashSet::new();
        for other in steps.iter().filter(is_change).flat_map(|step| step.new) {
            let from = gone.get_mut(after[*other].identity.as_slice()).and_then(Vec::pop);
            if let Some(one) = from.filter(|_| after[*other].is_token) {
                self.moved.push((one, *other));
                moved.extend([(0, one), (1, *other)]);
            }
        }
        for step in &steps {
            let stays = |side: u8, index: &&usize| !moved.contains(&(side, **index));
            let one: Vec<usize> = step.old.iter().filter(|it| stays(0, it)).copied().collect();
            let other: Vec<usize> = step.new.iter().filter(|it| stays(1, it)).copied().collect();
            let both = one.len().min(other.len());
            self.pairs.extend(one.iter().copied().zip(other.iter().copied()));
            self.removed.extend(&one[both..]);
            self.added.extend(&other[both..]);
        }
    }

    /// Ciphertext that went from one place to another was moved.
    fn follow(&mut self, before: &[Leaf], after: &[Leaf]) {
        let mut gone: HashMap<&[u8], usize> = HashMap::new();
        for &one in self.removed.iter().filter(|one| before[**one].is_token) {
            gone.insert(&before[one].identity, one);
        }
        let mut moved = HashSet::new();
        self.added.retain(|&other| match gone.remove(after[other].identity.as_slice()) {
            Some(one) => {
                moved.insert(one);
                self.moved.push((one, other));
                false
            }
            None => true,
        });
        self.removed.retain(|one| !moved.contains(one));
    }

    /// Keys that both states have, in another order: the fewest that explain it.
    fn find_moved_keys(&mut self, before: &[Leaf]) {
        let mut first: HashMap<&[u8], (usize, usize)> = HashMap::new();
        for &(one, other) in self.pairs.iter().filter(|(one, _)| !before[*one].is_comment) {
            let place = first.entry(&before[one].group).or_insert((one, other));
            *place = (place.0.min(one), place.1.min(other));
        }
        let mut places: Vec<(usize, usize)> = first.into_values().collect();
        places.sort_unstable();
        let old: Vec<usize> = places.iter().map(|(_, other)| *other).collect();
        let mut new = old.clone();
        new.sort_unstable();
        let by_new: HashMap<usize, usize> = places.iter().map(|(one, other)| (*other, *one)).collect();
        for operation in capture_diff_slices(Algorithm::Myers, &old, &new) {
            if !matches!(operation, DiffOp::Equal { .. }) {
                let others = new[operation.new_range()].iter();
                self.moved.extend(others.filter_map(|other| Some((*by_new.get(other)?, *other))));
            }
        }
    }
}

fn identities<'l>(leaves: &'l [Leaf], side: &[usize]) -> Vec<&'l [u8]> {
    side.iter().map(|index| leaves[*index].identity.as_slice()).collect()
}

/// Leaves at one path that stand for each other, or all those between two such.
struct Step<'l> {
    old: &'l [usize],
    new: &'l [usize],
    is_equal: bool,
}

/// From the first of `old` and `new` to their last. What only one state has cannot be
/// equal to anything: without it, a comparison of states that have nothing in common
/// takes no time.
fn steps<'l>(before: &'l [Leaf], after: &'l [Leaf], old: &'l [usize], new: &'l [usize]) -> Vec<Step<'l>> {
    let (before, after) = (identities(before, old), identities(after, new));
    let shared = |side: &[&[u8]], others: &[&[u8]]| -> Vec<usize> {
        let others: HashSet<&[u8]> = others.iter().copied().collect();
        (0..side.len()).filter(|place| others.contains(side[*place])).collect()
    };
    let (ours, theirs) = (shared(&before, &after), shared(&after, &before));
    let of = |places: &[usize], side: &[&'l [u8]]| -> Vec<&'l [u8]> {
        places.iter().map(|place| side[*place]).collect()
    };
    let operations = capture_diff_slices(Algorithm::Myers, &of(&ours, &before), &of(&theirs, &after));
    let equal = operations.iter().filter(|operation| matches!(operation, DiffOp::Equal { .. }));
    let equal = equal.flat_map(|operation| operation.old_range().zip(operation.new_range()));
    let (mut steps, mut one, mut other) = (Vec::new(), 0, 0);
    for (at, to) in equal.map(|(at, to)| (ours[at], theirs[to])) {
        steps.push(Step { old: &old[one..at], new: &new[other..to], is_equal: false });
        steps.push(Step { old: &old[at..=at], new: &new[to..=to], is_equal: true });
        (one, other) = (at + 1, to + 1);
    }
    steps.push(Step { old: &old[one..], new: &new[other..], is_equal: false });
    steps
}

#[cfg(test)]
mod tests {
    use super::compare;
    use crate::domain::store::{Format, Purpose};

    /// A file in which `name@12` stands for a token that is told by its number.
    fn text(short: &str) -> String {
        let mut out = String::new();
        for (index, part) in short.split('@').enumerate() {
            let digits = part.bytes().take_while(u8::is_ascii_digit).count();
            if index > 0 {
                let number = &part[..digits];
                let quote = if out.ends_with('#') { "" } else { "\"" };
                out.push_str(&format!(
                    "{quote}ENC[AES256_GCM,data:{number},iv:{number},tag:{number},type:str]{quote}"
                ));
            }
            out.push_str(if index > 0 { &part[digits..] } else { part });
        }
        out
    }

    fn told(old: &str, new: &str, new_data_key: bool) -> String {
        let store = Format::Yaml.store();
        let (old, new) = (text(old), text(new));
        let read = |text| store.read(text, Purpose::AsIs).unwrap();
        let (old, new) = (read(old.as_bytes()), read(new.as_bytes()));
        let changes = compare((store, &old), (store, &new), new_data_key);
        let mut lines: Vec<String> = changes
            .changes
            .iter()
            .map(|it| format!("{} {}<{}", it.what.word(), it.key, it.from.as_deref().unwrap_or("")))
            .collect();
        lines.extend((changes.all_anew > 0).then(|| format!("{} anew", changes.all_anew)));
        lines.join("; ")
    }

    #[test]
    fn what_ciphertext_tells() {
        for (old, new, expected) in [
            ("a: @1\nb: @2\n", "a: @1\nb: @2\n", ""),
            ("a: @1\nb: @2\n", "a: @1\nb: @3\n", "changed [\"b\"]<"),
            ("a: @1\n", "a: @1\nb: {c: @2}\n", "added [\"b\"][\"c\"]<"),
            ("a: @1\nb: @2\n", "a: @1\n", "removed [\"b\"]<"),
            ("a: @1\n", "b: @1\n", "moved [\"b\"]<[\"a\"]"),
            ("a: @1\nb: @2\nc: @3\n", "b: @2\nc: @3\na: @1\n", "moved [\"a\"]<"),
            ("a: @1\n", "a: clear\n", "now in clear [\"a\"]<"),
            ("a: clear\n", "a: @1\n", "now encrypted [\"a\"]<"),
            ("a: clear\n", "a: other\n", "changed [\"a\"]<"),
            ("a: 'x'\n", "a: x\n", ""),
            ("a: '1'\n", "a: 1\n", "changed [\"a\"]<"),
            ("l: [@1, @2]\n", "l: [@3, @1, @2]\n", "added [\"l\"][0]<"),
            ("l: [@1, @2, @3]\n", "l: [@3, @1, @2]\n", "moved [\"l\"][0]<[\"l\"][2]"),
            ("l: [@1, @2]\n", "l: [@1, @4]\n", "changed [\"l\"][1]<"),
            ("a: @1\n---\na: @2\n", "a: @1\n---\na: @3\n", "changed ---1[\"a\"]<"),
            ("#@1\na: @2\n", "#@3\na: @2\n", "changed <"),
        ] {
            assert_eq!(told(old, new, false), expected, "{old} {new}");
        }
    }

    #[test]
    fn a_rotation_is_counted_and_new_keys_are_listed() {
        assert_eq!(told("a: @1\nb: @2\n", "a: @3\nb: @4\nc: @5\n", true), "added [\"c\"]<; 2 anew");
        assert_eq!(told("a: @1\nb: @2\n", "a: @3\nb: @2\n", true), "changed [\"a\"]<");
    }
}
