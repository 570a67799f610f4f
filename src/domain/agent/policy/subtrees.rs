//! Leaves put together: where all that is below a key is the same, the key stands for it.

/// A path, and what holds for everything at and below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subtree<T> {
    /// The keys that lead to it.
    pub path: Vec<String>,
    /// How many leaves it has.
    pub leaves: usize,
    /// What holds for them.
    pub what: T,
}

/// The largest subtrees whose leaves are all alike. `leaves` are sorted by path, each path once; they are all
/// that there is at and below a path of `depth` keys, and no subtree is larger than that.
pub fn subtrees<T: PartialEq + Clone>(leaves: &[(Vec<String>, T)], depth: usize) -> Vec<Subtree<T>> {
    let least = depth.max(1);
    let mut found = Vec::new();
    // Groups of leaves that share so many keys, the first one on top.
    let mut waiting = vec![(leaves, 0)];
    while let Some((group, depth)) = waiting.pop() {
        let [(path, what), others @ ..] = group else { continue };
        if others.is_empty() {
            found.push(Subtree { path: path.clone(), leaves: 1, what: what.clone() });
        } else if depth >= least && others.iter().all(|(_, other)| other == what) {
            found.push(Subtree { path: path[..depth].to_vec(), leaves: group.len(), what: what.clone() });
        } else {
            let parts = group.chunk_by(|one, other| one.0.get(depth) == other.0.get(depth));
            waiting.extend(parts.rev().map(|part| (part, depth + 1)));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::subtrees;
    use crate::domain::agent::pattern::{parse_path, show_path};

    #[test]
    fn what_is_alike_is_one() {
        let shown = |leaves: &[(&str, u8)]| {
            let leaves: Vec<_> =
                leaves.iter().map(|(path, what)| (parse_path(path).unwrap(), *what)).collect();
            let found = subtrees(&leaves, 0);
            found
                .iter()
                .map(|it| format!("{} {} {}", show_path(&it.path), it.leaves, it.what))
                .collect::<Vec<_>>()
        };
        assert_eq!(shown(&[("a", 1), ("b.x", 1), ("b.y", 1)]), ["a 1 1", "b 2 1"]);
        assert_eq!(
            shown(&[("a.b", 1), ("a.b.c", 1), ("a.d.e", 1), ("a.d.f", 2)]),
            ["a.b 2 1", "a.d.e 1 1", "a.d.f 1 2"]
        );
        assert_eq!(shown(&[("a.b.c.d", 1)]), ["a.b.c.d 1 1"]);
        assert!(shown(&[]).is_empty());
        // Of a larger whole: the key above is not all alike.
        let below = [("a.b.c", 1), ("a.b.d", 1)].map(|(path, what)| (parse_path(path).unwrap(), what));
        assert_eq!(show_path(&subtrees(&below, 2)[0].path), "a.b");
    }
}
