//! Builds the adapters and hands them to the use cases; the only file that may
//! import adapters.

use super::env::Environment;
use super::report::Failure;
use crate::app::Deps;

mod absent;

/// Calls `work` with the ports of this machine.
pub fn with_deps<T>(
    _env: &Environment,
    work: impl FnOnce(&Deps<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let absent = absent::Absent;
    work(&Deps {
        files: &absent,
        private_files: &absent,
        edit_locks: &absent,
        editor: &absent,
        prompt: &absent,
        clock: &absent,
        random: &absent,
        progress: &absent,
    })
}
