//! TEMP
pub mod kinds;
