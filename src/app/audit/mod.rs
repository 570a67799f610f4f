//! The audit trail, as the use cases write and read it. [`record`] is asked before any
//! value is opened; [`chains`] keeps the lines and brings them into the work tree;
//! [`material`] gathers all that is known of a log; the others are commands.

pub mod log;
pub mod state;
pub mod chains;
pub mod record;
pub mod material;
pub mod show;
pub mod verify;
pub mod checkpoint;
