//! The ciphers of the format: data key, `ENC[…]` tokens, MAC, Shamir shares.
//! Randomness is an argument.

pub mod data_key;
pub mod gcm;
pub mod token;
pub mod cipher;
pub mod mac;
pub mod derived_mac;
pub mod shamir;
