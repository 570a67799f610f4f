//! LAYER 0: bytes and values in, bytes and values out. No file, clock,
//! terminal, process or environment is touched here; randomness and time are
//! arguments. Modules import only those listed above them.

pub mod search;
pub mod lines;
pub mod globs;
pub mod nearest;
pub mod digest;
pub mod secret;
pub mod scalar;
pub mod value;
pub mod tree;
pub mod index;
pub mod store;
pub mod environment;
pub mod sample;
pub mod crypto;
pub mod go_regex;
pub mod managed_block;
pub mod select;
pub mod document;
pub mod keys;
pub mod metadata;
pub mod seal;
pub mod merge;
pub mod config;
pub mod settings;
pub mod check;
pub mod diff;
pub mod agent;
