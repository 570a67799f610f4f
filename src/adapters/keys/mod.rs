//! Key sources: one file per kind of master key, each keeping the contract of
//! [`crate::domain::keys`].

pub mod age;
pub mod age_identity;
mod age_parse;
