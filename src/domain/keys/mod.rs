//! Master keys.

pub mod kinds;
