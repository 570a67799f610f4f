//! The metadata of a merged file, as bytes: an encrypted file that has them, around
//! which the merged values are locked again.

use super::error::{Error, Place, While};
use super::lock;
use super::open::{self, Locked, Unlocked};
use crate::domain::crypto::data_key::DataKey;
use crate::domain::merge::MergedMetadata;
use crate::domain::metadata::{self, MasterKey};
use crate::domain::secret::SecretBytes;
use crate::domain::store::Purpose;
use crate::domain::store::splice::apply;
use crate::domain::value::{Entry, Value};

/// An encrypted side of a merge.
#[derive(Clone, Copy)]
pub struct Carrying<'c> {
    /// The file.
    pub file: &'c Unlocked<'c>,
    /// Its metadata as they stand in it.
    pub block: &'c Value,
}

/// An encrypted file that has the merged metadata: a side's own, if that has them, so
/// that it keeps its bytes.
pub fn carrier(
    sides: &[Carrying<'_>],
    metadata: &MergedMetadata,
    data_key: &DataKey,
    place: &Place,
) -> Result<SecretBytes, Error> {
    let has_it = |side: &&Carrying<'_>| {
        let own = &side.file.locked.metadata;
        side.file.data_key.expose() == data_key.expose()
            && own.shamir_threshold == metadata.threshold
            && same_entries(&own.groups, &metadata.groups)
            && same_fields(side.block, &metadata.block)
    };
    if let Some(side) = sides.iter().find(has_it) {
        return Ok(SecretBytes::new(side.file.locked.tree.source.to_vec()));
    }
    let Some(side) = sides.first() else { return Err(lock::refusal(place, "no side is encrypted")) };
    let locked = &side.file.locked;
    let mut new = locked.metadata.clone();
    new.groups.clone_from(&metadata.groups);
    new.shamir_threshold = metadata.threshold;
    new.former = Some(metadata.block.clone());
    let body = SecretBytes::new(apply(locked.tree.source, locked.store.detach(&locked.tree)));
    let tree = locked.store.read(&body, Purpose::AsIs);
    let tree = tree.map_err(|error| open::read_error(error, place, While::Decrypting))?;
    let bytes = SecretBytes::new(apply(&body, locked.store.attach(&tree, &new.to_value())));
    let made = Locked::parse(&bytes, locked.format, place)?;
    let fits = same_entries(&made.metadata.groups, &metadata.groups)
        && made.metadata.shamir_threshold == metadata.threshold;
    drop(made);
    if fits { Ok(bytes) } else { Err(lock::refusal(place, "its metadata reads back otherwise")) }
}

fn same_entries(one: &[Vec<MasterKey>], other: &[Vec<MasterKey>]) -> bool {
    one.len() == other.len()
        && one.iter().zip(other).all(|(one, other)| {
            one.len() == other.len() && one.iter().all(|key| other.iter().any(|it| it.equals(key)))
        })
}

/// True when both blocks hold the same, but for what changes with keys and values.
fn same_fields(one: &Value, other: &Value) -> bool {
    let fields = |block: &Value| -> Vec<(String, Value)> {
        let Value::Map(entries) = block else { return Vec::new() };
        let pairs = entries.iter().filter_map(Entry::pair);
        let kept = pairs.filter(|(name, _)| !metadata::changes(name));
        kept.map(|(name, value)| (name.to_owned(), value.clone())).collect()
    };
    let (one, other) = (fields(one), fields(other));
    one.len() == other.len() && one.iter().all(|field| other.contains(field))
}
