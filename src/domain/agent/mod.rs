//! Agents: who may have which value, by what right, and what is written down about it.

pub mod denial;
pub mod public_key;
pub mod sshsig;
pub mod allowed_signers;
