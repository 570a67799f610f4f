//! Whether a list of allowed signers is trusted, by what stands outside of the repository.

use super::refusal::untold;
use super::signer_chain;
use crate::app::Deps;
use crate::app::error::Error;
use crate::domain::digest;

/// By what a list is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// It is pinned itself.
    Pin,
    /// The environment has its digest.
    Environment,
    /// It has to follow from one that is trusted.
    Chain,
    /// Nothing is known of this repository.
    Nobody,
}

/// What is trusted for a repository.
pub struct Trust {
    /// The lists.
    pub lists: signer_chain::Trusted,
    /// True if this machine has a pin of the repository.
    pub is_pinned: bool,
    /// By what the list that is there is trusted.
    pub by: By,
}

impl Trust {
    /// Of `list` in the repository `repo`.
    pub fn of(deps: &Deps<'_>, repo: &str, list: &[u8]) -> Result<Self, Error> {
        let announced = deps.trust.announced().map_err(untold)?;
        let pins = deps.trust.pins().map_err(untold)?;
        let pin = pins.0.get(repo);
        let digest = digest::of(list);
        let by = match (pin, announced.is_empty()) {
            (Some(pin), _) if pin.digest() == digest => By::Pin,
            _ if announced.contains(&digest) => By::Environment,
            (None, true) => By::Nobody,
            _ => By::Chain,
        };
        let mut lists: signer_chain::Trusted = announced.into_iter().map(|digest| (digest, None)).collect();
        lists.extend(pin.map(|pin| (pin.digest(), Some(pin.list.clone().into_bytes()))));
        Ok(Self { lists, is_pinned: pin.is_some(), by })
    }
}
