//! The secrets that an entry names: each by its path, as long as there is room.
//!
//! A line has a longest length, and a source may have any number of secrets. Where
//! their paths take too much room, those of a subtree that has no other leaves become
//! the path of that subtree; where that is still too much, the entry names the whole
//! file: it tells of more than was asked for, never of less.

use std::collections::BTreeSet;

use crate::domain::agent::pattern::show_path;
use crate::domain::agent::policy::subtrees;

/// The most bytes that paths take in an entry, before JSON's escapes: those make at
/// most six of one, which leaves room for the other fields.
pub const ROOM: usize = 32 * 1024;

/// The paths of an entry about `secrets`, shown paths. `leaves` are those of all leaves
/// of the file, sorted, each once; none where they are not known. No path is the whole
/// file.
pub fn shortened(secrets: &[String], leaves: &dyn Fn() -> Vec<Vec<String>>) -> Vec<String> {
    if has_room(secrets) {
        return secrets.to_vec();
    }
    let named: BTreeSet<&str> = secrets.iter().map(String::as_str).collect();
    let leaves: Vec<(Vec<String>, bool)> = leaves()
        .into_iter()
        .map(|path| {
            let is_named = named.contains(show_path(&path).as_str());
            (path, is_named)
        })
        .collect();
    if leaves.iter().all(|(_, is_named)| *is_named) {
        return Vec::new();
    }
    let named = subtrees(&leaves, 0).into_iter().filter(|subtree| subtree.what);
    let paths: Vec<String> = named.map(|subtree| show_path(&subtree.path)).collect();
    if has_room(&paths) { paths } else { Vec::new() }
}

fn has_room(paths: &[String]) -> bool {
    /// Quotes and a comma.
    const AROUND: usize = 3;
    paths.iter().map(|path| path.len() + AROUND).sum::<usize>() <= ROOM
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `count` leaves below each of these keys.
    fn below(keys: &[&str], count: usize) -> Vec<Vec<String>> {
        let name = |key: &str, at: usize| vec![key.to_owned(), format!("{}{at:05}", "k".repeat(40))];
        keys.iter().flat_map(|key| (0..count).map(move |at| name(key, at))).collect()
    }

    fn shown(paths: &[Vec<String>]) -> Vec<String> {
        paths.iter().map(|path| show_path(path)).collect()
    }

    #[test]
    fn few_paths_stay_as_they_are() {
        let secrets = shown(&below(&["a"], 100));
        assert_eq!(shortened(&secrets, &|| unreachable!()), secrets);
        assert!(shortened(&[], &|| unreachable!()).is_empty());
    }

    #[test]
    fn many_become_subtrees_or_the_whole_file() {
        let leaves = below(&["a", "b", "c"], 2000);
        let all = shown(&leaves);
        assert!(shortened(&all, &|| leaves.clone()).is_empty());
        assert_eq!(shortened(&all[..4000], &|| leaves.clone()), ["a", "b"]);
        assert_eq!(shortened(&all[1999..4000], &|| leaves.clone()), [&all[1999], "b"]);
        let every_second: Vec<String> = all.iter().step_by(2).cloned().collect();
        assert!(shortened(&every_second, &|| leaves.clone()).is_empty());
        assert!(shortened(&all, &Vec::new).is_empty());
    }
}
