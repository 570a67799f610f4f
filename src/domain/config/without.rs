//! A config without somebody's key: the key goes wherever it stands, as an item of
//! a list, as a piece of a comma list, behind an anchor, and every other byte stays.

use super::{Config, ConfigError};
use crate::domain::search;
use crate::domain::store::splice::{Edit, apply};
use crate::domain::store::{Format, Purpose};
use crate::domain::tree::{Kind, NodeId, Span, Style, Tree};

/// The file without the keys that are `gone`; `None` if none of them is in it.
///
/// # Errors
/// A rule or group would be left without any key: nobody could be encrypted for.
pub fn without(source: &[u8], gone: &dyn Fn(&str) -> bool) -> Result<Option<Vec<u8>>, ConfigError> {
    let before = Config::parse(source)?;
    let mut text = source.to_vec();
    // One at a time: edits of neighbours would cross.
    while let Some(next) = with_one_less(&text, gone)? {
        text = next;
    }
    if text == source {
        return Ok(None);
    }
    let after = Config::parse(&text)?;
    for (old, new) in before.rules.iter().flatten().zip(after.rules.iter().flatten()) {
        let (had, has) = (old.key_groups(&[])?, new.key_groups(&[])?);
        if had.len() != has.len() || had.iter().zip(&has).any(|(had, has)| has.is_empty() && !had.is_empty())
        {
            return Err(ConfigError {
                message: "a creation rule would be left without keys in a group".to_owned(),
                line: Some(old.line),
                key: format!("creation_rules[{}]", old.index),
                advice: Some("add another key to it first".to_owned()),
            });
        }
    }
    Ok(Some(text))
}

fn with_one_less(source: &[u8], gone: &dyn Fn(&str) -> bool) -> Result<Option<Vec<u8>>, ConfigError> {
    let refused = |message: String| ConfigError::new(format!("the key cannot be taken out: {message}"));
    let store = Format::Yaml.store();
    let Ok(tree) = store.read(source, Purpose::AsIs) else { return Ok(None) };
    let ids = || 1..tree.nodes.len() as NodeId;
    let target = |id: NodeId| match tree.node(id).kind {
        Kind::Alias => tree.node(id).text.start,
        _ => id,
    };
    let pieces = |id: NodeId| -> (usize, usize) {
        let node = tree.node(target(id));
        if !matches!(node.kind, Kind::Scalar) {
            return (0, 0);
        }
        let text = String::from_utf8_lossy(tree.text(node.text)).into_owned();
        let pieces: Vec<&str> = text.split(',').map(str::trim).filter(|piece| !piece.is_empty()).collect();
        (pieces.iter().filter(|piece| gone(piece)).count(), pieces.len())
    };
    let whole = |id: NodeId| matches!(pieces(id), (lost, all) if lost > 0 && lost == all);
    // An alias goes before its anchor.
    let aliases = ids().filter(|id| tree.node(*id).kind == Kind::Alias && whole(*id));
    let scalars = ids().filter(|id| tree.node(*id).kind == Kind::Scalar && whole(*id));
    if let Some(id) = aliases.chain(scalars).next() {
        if let Some(edit) = name_behind(&tree, id) {
            return Ok(Some(apply(source, vec![edit])));
        }
        let edits = store.remove(&tree, removable(&tree, id)).map_err(|error| refused(error.to_string()))?;
        return Ok(Some(apply(source, edits)));
    }
    let Some(id) = ids().find(|id| tree.node(*id).kind == Kind::Scalar && pieces(*id).0 > 0) else {
        return Ok(None);
    };
    let edit = piece(&tree, id, gone).ok_or_else(|| refused("its list has an odd layout".to_owned()))?;
    Ok(Some(apply(source, vec![edit])))
}

/// The edit that takes away the comment behind a key: it says whose it was.
fn name_behind(tree: &Tree<'_>, id: NodeId) -> Option<Edit> {
    let comment = tree.node(id.checked_sub(1)?);
    let fits = comment.kind == Kind::Comment && comment.style == Style::Inline;
    if !fits || comment.parent != tree.node(id).parent {
        return None;
    }
    let start = comment.span.start as usize;
    let before = tree.source[..start].trim_ascii_end().len();
    Some(Edit::new(Span::new(before, comment.span.end as usize), Vec::new()))
}

/// What goes with node `id`: the list or map that holds nothing else.
fn removable(tree: &Tree<'_>, mut id: NodeId) -> NodeId {
    loop {
        let parent = tree.node(id).parent;
        let data = |child: &NodeId| tree.node(*child).kind != Kind::Comment;
        let alone = tree.children(parent).filter(data).count() == 1;
        if !alone || parent == 0 || tree.node(parent).parent == parent || is_rule(tree, parent) {
            return id;
        }
        id = parent;
    }
}

/// True for an entry of `creation_rules`, which says more than its keys.
fn is_rule(tree: &Tree<'_>, id: NodeId) -> bool {
    let parent = tree.node(id).parent;
    tree.key(parent) == b"creation_rules" || tree.key(parent) == b"key_groups"
}

/// The edit that takes the first gone piece out of a comma list, with its comma.
fn piece(tree: &Tree<'_>, id: NodeId, gone: &dyn Fn(&str) -> bool) -> Option<Edit> {
    let span = tree.node(id).span;
    let raw = tree.raw(span);
    let start = span.start as usize;
    let body = match raw.first()? {
        b'|' | b'>' => search::memchr(b'\n', raw)? + 1,
        b'"' | b'\'' => 1,
        _ => 0,
    };
    let end = raw.len() - usize::from(body == 1);
    let mut at = body;
    for part in raw[body..end].split(|byte| *byte == b',') {
        let (from, to) = (at, at + part.len());
        at = to + 1;
        let text = String::from_utf8_lossy(part);
        if text.trim().is_empty() || !gone(text.trim()) {
            continue;
        }
        // With the comma behind it, else with the one before.
        let lead = part.len() - part.trim_ascii_start().len();
        return Some(match (to < end, from > body) {
            (true, _) => {
                let next = &raw[to + 1..end];
                let blanks = next.len() - next.trim_ascii_start().len();
                Edit::new(Span::new(start + from + lead, start + to + 1 + blanks), Vec::new())
            }
            (false, true) => {
                let kept = part.trim_ascii_end().len();
                Edit::new(Span::new(start + from - 1, start + from + kept), Vec::new())
            }
            (false, false) => return None,
        });
    }
    None
}

#[cfg(test)]
mod tests {
    use super::without;

    fn less(source: &str) -> String {
        let made = without(source.as_bytes(), &|key| key == "age1gone").unwrap();
        String::from_utf8(made.unwrap()).unwrap()
    }

    #[test]
    fn a_key_goes_and_everything_else_stays() {
        for (before, after) in [
            (
                "# rules\ncreation_rules:\n  - path_regex: x   # dev\n    age:\n      - age1gone # Bob\n      - age1b # Ann\n",
                "# rules\ncreation_rules:\n  - path_regex: x   # dev\n    age:\n      - age1b # Ann\n",
            ),
            (
                "creation_rules:\n  - age: age1a,age1gone,age1b # team\n",
                "creation_rules:\n  - age: age1a,age1b # team\n",
            ),
            ("creation_rules:\n  - age: 'age1gone, age1b'\n", "creation_rules:\n  - age: 'age1b'\n"),
            ("creation_rules:\n  - age: \"age1b, age1gone\"\n", "creation_rules:\n  - age: \"age1b\"\n"),
            ("creation_rules: [{age: [age1a, age1gone]}]\n", "creation_rules: [{age: [age1a]}]\n"),
            (
                "creation_rules:\n  - age: >-\n      age1a,\n      age1gone,\n      age1b\n",
                "creation_rules:\n  - age: >-\n      age1a,\n      age1b\n",
            ),
            (
                "creation_rules:\n  - age: >-\n      age1a,\n      age1gone\n",
                "creation_rules:\n  - age: >-\n      age1a\n",
            ),
            (
                "keys:\n  - &bob age1gone\n  - &ann age1a\ncreation_rules:\n  - key_groups:\n      - age:\n          - *bob\n          - *ann\n",
                "keys:\n  - &ann age1a\ncreation_rules:\n  - key_groups:\n      - age:\n          - *ann\n",
            ),
            ("creation_rules:\n  - age: age1gone\n    pgp: AAAA\n", "creation_rules:\n  - pgp: AAAA\n"),
        ] {
            assert_eq!(less(before), after);
        }
        assert_eq!(without(b"creation_rules:\n  - age: age1goner\n", &|key| key == "age1gone"), Ok(None));
    }

    #[test]
    fn no_rule_is_left_without_keys() {
        for source in [
            "creation_rules:\n  - age: age1gone\n",
            "creation_rules:\n  - key_groups:\n      - age: [age1a]\n      - age: [age1gone]\n",
        ] {
            let error = without(source.as_bytes(), &|key| key == "age1gone").unwrap_err();
            assert!(error.message.contains("would be left without keys"), "{error}");
        }
    }
}
