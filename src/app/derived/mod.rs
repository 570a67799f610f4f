//! Derived files: what each principal may have of each source, in a file of its own,
//! encrypted for it alone, and the signed manifest that lists all of them.
//!
//! `sources` finds what the policy governs, `compile` makes one derived file, `plan` the
//! next state of all of them, `put` brings it to the disk together with the sources that
//! changed, all or nothing. `stale` says without any key what is out of date.

pub mod sources;
pub mod compile;
pub mod stale;
pub mod plan;
pub mod put;
