//! LAYER 2: the outside world. Each file implements a port of [`crate::app::ports`]
//! and is the only one that touches its piece of the system: its module is where
//! the banned calls of `ci/clippy.toml` are allowed.
//!
//! What is special to an operating system stays in here, behind `cfg`.

pub mod accounts;
pub mod audit_log;
pub mod children;
pub mod clock;
pub mod edit_lock;
pub mod editor;
pub mod expand;
pub mod files;
pub mod hardening;
pub mod keys;
mod lock_file;
mod paths;
pub mod private_dir;
pub mod processes;
pub mod progress;
pub mod prompt;
pub mod pty;
pub mod random;
mod redacted;
pub mod replace;
pub mod repository;
mod search_path;
pub mod signals;
pub mod signers;
pub mod signing_key;
pub mod staging;
mod system_error;
pub mod transaction;
pub mod trust_store;
mod unlinked;
mod wipe;
