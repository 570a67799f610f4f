//! Leaflock: secrets in git, file-compatible with SOPS.
#![cfg_attr(
    test,
    allow(clippy::disallowed_methods, reason = "a test owns the files and processes it touches")
)]

pub mod domain;
pub mod app;
pub mod adapters;
pub mod cli;
pub mod docs;
