//! What to say of secrets that are not there: what was probably meant, and what there is.

use super::error::{Error, Place};
use crate::domain::agent::pattern::show_path;
use crate::domain::nearest::question;

/// Exit 4: nothing is at `path`, with what was probably meant, and the keys where it
/// leaves what there is.
pub fn nothing_at<'s>(
    message: String,
    path: &[String],
    leaves: impl Iterator<Item = &'s Vec<String>>,
) -> Error {
    let leaves: Vec<&Vec<String>> = leaves.collect();
    let shared = |leaf: &Vec<String>| leaf.iter().zip(path).take_while(|(one, other)| one == other).count();
    let depth = leaves.iter().map(|leaf| shared(leaf)).max().unwrap_or(0);
    let near: Vec<String> = leaves
        .iter()
        .filter(|leaf| shared(leaf) == depth)
        .flat_map(|leaf| (depth..leaf.len()).map(|end| show_path(&leaf[..=end])))
        .collect();
    let mut keys: Vec<String> = leaves
        .iter()
        .filter(|leaf| shared(leaf) == depth)
        .filter_map(|leaf| leaf.get(..=depth).map(show_path))
        .collect();
    keys.sort_unstable();
    keys.dedup();
    keys.truncate(12);
    let mut hints: Vec<String> =
        question(&show_path(path), near.iter().map(String::as_str)).into_iter().collect();
    hints.push(match &keys[..] {
        [] => "`leaflock list` names the secrets".to_owned(),
        keys => format!("there is: {}", keys.join(", ")),
    });
    Error::NotFound { place: Place::default(), message, hints }
}
