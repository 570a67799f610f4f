//! What is different between two states of a file: their lines, where both can be
//! read, and what their ciphertext alone tells, where they cannot.

pub mod access;
pub mod ciphertext;
pub mod hunks;
pub mod placeholder;
