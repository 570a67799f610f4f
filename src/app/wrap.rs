//! A data key goes to every master key of a file: whole, or in shares.

use super::Deps;
use super::error::Error;
use crate::domain::crypto::data_key::DataKey;
use crate::domain::crypto::shamir;
use crate::domain::keys::KeyError;
use crate::domain::keys::kinds::KeyKind;
use crate::domain::metadata::MasterKey;
use crate::domain::secret::SecretBytes;

/// The data key, or a share of it, for every key of every group. Inside a group
/// the keys are ordered by kind. `threshold` counts where there are several groups.
///
/// # Errors
/// The first key that cannot be used, an empty group, or a threshold that the
/// groups cannot meet.
pub fn groups(
    deps: &Deps<'_>,
    groups: Vec<Vec<MasterKey>>,
    threshold: Option<usize>,
    data_key: &DataKey,
) -> Result<Vec<Vec<MasterKey>>, Error> {
    if groups.iter().any(Vec::is_empty) {
        return Err(failed("[empty key group provided]"));
    }
    let parts = parts(deps, groups.len(), threshold, data_key)?;
    let created = deps.clock.now();
    let mut wrapped = Vec::with_capacity(groups.len());
    for (group, part) in groups.into_iter().zip(&parts) {
        let mut keys = Vec::with_capacity(group.len());
        for kind in KeyKind::ALL {
            let same: Vec<&MasterKey> = group.iter().filter(|key| key.kind == kind).collect();
            let names: Vec<String> = same.iter().map(|key| key.spec().identity()).collect();
            if names.is_empty() {
                continue;
            }
            let texts = deps.keys.wrap(kind, &names, part).map_err(|error| match error {
                KeyError::Refused { .. } => failed(&format!("[{error}]")),
                error => Error::Recipients { cause: error.to_string().into(), hints: Vec::new() },
            })?;
            keys.extend(same.iter().zip(&texts).map(|(key, enc)| (*key).clone().wrapped(enc, &created)));
        }
        wrapped.push(keys);
    }
    Ok(wrapped)
}

/// What each group gets. Shares are put together again before they are used.
fn parts(
    deps: &Deps<'_>,
    count: usize,
    threshold: Option<usize>,
    data_key: &DataKey,
) -> Result<Vec<SecretBytes>, Error> {
    if count < 2 {
        return Ok(vec![SecretBytes::new(data_key.expose().to_vec())]);
    }
    let shamir = |error| failed(&format!("[could not split data key into parts for Shamir: {error}]"));
    let threshold = threshold.unwrap_or(count);
    let parts =
        shamir::split(data_key.expose(), count, threshold, &mut *deps.random.rng()).map_err(shamir)?;
    match shamir::combine(&parts[..threshold]) {
        Ok(key) if *key == *data_key.expose() => Ok(parts),
        _ => Err(failed("[the parts for Shamir do not fit together]")),
    }
}

fn failed(reason: &str) -> Error {
    let cause = format!("Could not generate data key: {reason}");
    Error::Recipients { cause: cause.into(), hints: Vec::new() }
}
