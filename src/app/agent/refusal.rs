//! Refusals of the agent layer, made in one way: the file, a code for programs, the
//! reason and what to do.

use std::path::Path;

use super::trust_store::TrustError;
use crate::app::error::{Cause, Error, Place};
use crate::domain::agent::denial::DenyCode;

/// Exit 5: the file does not verify.
pub fn refused(path: &Path, code: DenyCode, cause: impl Into<Cause>, hint: &str) -> Error {
    refused_at(Place::file(path), code, cause, hint)
}

/// The same at a line.
pub fn refused_at(place: Place, code: DenyCode, cause: impl Into<Cause>, hint: &str) -> Error {
    Error::Integrity { place, code, cause: cause.into(), hints: vec![hint.to_owned()] }
}

/// What is trusted cannot be told.
pub fn untold(error: TrustError) -> Error {
    let hint = error.hint().to_owned();
    Error::Integrity {
        place: Place::default(),
        code: DenyCode::UntrustedSigners,
        cause: error.into(),
        hints: vec![hint],
    }
}
