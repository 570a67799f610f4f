//! Files that are locked, and removed before the lock is let go: whoever opened one in
//! between holds a lock that nobody else sees.
#![expect(clippy::disallowed_methods, reason = "looks at lock files")]

use std::fs::{self, File};
use std::path::Path;

use super::paths::same_file;

/// Whether a file that was locked is the one that others find at `path`, and was not
/// removed between opening and locking.
pub(super) fn is_still_at(locked: &File, path: &Path) -> bool {
    match (locked.metadata(), fs::metadata(path)) {
        (Ok(locked), Ok(found)) => cfg!(not(unix)) || same_file(&locked, &found),
        _ => false,
    }
}
