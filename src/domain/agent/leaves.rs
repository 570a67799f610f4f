//! The secrets of a file as policies name them: the keys that lead to each leaf. Keys are in the clear in
//! an encrypted file, so this takes no key.

use std::collections::BTreeSet;

use crate::domain::tree::{Flags, Kind, NodeId, Tree};

/// A source and the paths of its leaves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// The file, from the folder that the policy governs, with `/`.
    pub path: String,
    /// The paths of its leaves, sorted, each once: items of a list share theirs.
    pub leaves: Vec<Vec<String>>,
    /// The age recipients that can open it.
    pub recipients: Vec<String>,
    /// True when keys of other kinds can open it as well.
    pub has_other_keys: bool,
}

impl Source {
    /// Its leaves at and below `path`.
    pub fn below(&self, path: &[String]) -> Vec<&Vec<String>> {
        self.leaves.iter().filter(|leaf| leaf.starts_with(path)).collect()
    }
}

/// A source, and leaves of it.
pub type Held<'s> = (&'s Source, Vec<&'s Vec<String>>);

/// Those of `sources` that hold `path`, each with its leaves at and below it.
pub fn holders<'s>(sources: impl IntoIterator<Item = &'s Source>, path: &[String]) -> Vec<Held<'s>> {
    let held = sources.into_iter().map(|source| (source, source.below(path)));
    held.filter(|(_, leaves)| !leaves.is_empty()).collect()
}

/// The path of `id`: the keys on the way to it. Places in lists have none.
pub fn path_of(tree: &Tree<'_>, mut id: NodeId) -> Vec<String> {
    let mut path = Vec::new();
    while tree.node(id).parent != id {
        if tree.has_key(id) {
            path.push(String::from_utf8_lossy(tree.key(id)).into_owned());
        }
        id = tree.node(id).parent;
    }
    path.reverse();
    path
}

/// The paths of all leaves of a file, its metadata aside; sorted, each once.
pub fn paths(tree: &Tree<'_>) -> Vec<Vec<String>> {
    let is_leaf = |id: &NodeId| {
        let node = tree.node(*id);
        matches!(node.kind, Kind::Scalar | Kind::Alias) && !node.flags.has(Flags::METADATA)
    };
    let leaves = (0..tree.nodes.len() as NodeId).filter(is_leaf);
    leaves.map(|id| path_of(tree, id)).collect::<BTreeSet<_>>().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::paths;
    use crate::domain::agent::pattern::show_path;
    use crate::domain::store::{Format, Purpose};

    #[test]
    fn lists_add_no_segment_and_metadata_is_no_leaf() {
        let shown = |format: Format, text: &str| {
            let tree = format.encrypted_store().read(text.as_bytes(), Purpose::AsIs).unwrap();
            paths(&tree).iter().map(|path| show_path(path)).collect::<Vec<_>>()
        };
        let yaml = "b:\n  - x: 1\n  - [2, 3]\n# c\na.b: {c: 4}\ne: {}\n---\nb: 5\nsops: {mac: x}\n";
        assert_eq!(shown(Format::Yaml, yaml), [r#"["a.b"].c"#, "b", "b.x"]);
        assert_eq!(shown(Format::Dotenv, "A=1\n#x\nB=2\nsops_mac=x\n"), ["A", "B"]);
        assert_eq!(shown(Format::Ini, "[s]\nk=1\n[sops]\nmac=x\n"), ["s.k"]);
        assert_eq!(shown(Format::Binary, r#"{"data": "x", "sops": {"mac": "y"}}"#), ["data"]);
    }
}
