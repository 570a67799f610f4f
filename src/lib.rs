//! Leaflock: secrets in git, file-compatible with SOPS.

pub mod domain;
pub mod app;
pub mod adapters;
pub mod cli;
pub mod docs;
