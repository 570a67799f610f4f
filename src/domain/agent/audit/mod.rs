//! The audit trail: one chain of signed lines a writer, published in segments that
//! merge without conflict, and checked line by line.
//!
//! A writer is a clone together with a principal's key. Its chain lives in git's
//! common directory, where no checkout reaches it; [`segments`] says how the same
//! lines come into the work tree. [`chain`] finds the first line of a piece that is
//! not as it was written, [`verify`] compares pieces with each other and with what
//! else is known: checkpoints, witnesses, git's history.

pub mod entry;
pub mod paths;
pub mod segments;
pub mod checkpoint;
pub mod chain;
pub mod verify;
pub mod export;
