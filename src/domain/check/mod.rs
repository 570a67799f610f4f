//! What is wrong with a file as far as it can be seen without a key. A rule takes
//! what was read and returns findings, one file a group of rules: `values`,
//! `ciphertext`, `wrapped_keys`, `recipients`, `metadata`, `secrets`, `leftovers`
//! and `configs`. `rulebook` holds the creation rules ready for many files,
//! `ignore` the findings that were reviewed.
//!
//! A finding names file, line and key path, and never a value.

mod ciphertext;
mod configs;
mod encrypted;
mod findings;
mod history;
mod ignore;
mod kinds;
mod leftovers;
mod lines;
mod look;
mod metadata;
mod plain;
mod recipients;
mod rulebook;
mod secrets;
mod values;
mod wrapped_keys;

pub use configs::{broken_config, config};
pub use encrypted::Encrypted;
pub use findings::Finding;
pub use history::history;
pub use ignore::{Ignores, Place};
pub use kinds::{Kind, Severity};
pub use leftovers::{Related, Shape, leftover, related_name};
pub use look::{Look, inspect, look};
pub use plain::plain;
pub use recipients::recipients;
pub use rulebook::{Rule, Rulebook};
pub use secrets::secrets;
pub use wrapped_keys::is_recipient;

#[cfg(test)]
mod tests;
