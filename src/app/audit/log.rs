//! Where chains are kept, as the use cases see it: files that only grow, under one
//! lock for all processes of a clone.

use std::path::Path;

use crate::app::ports::FileError;

/// Files that only grow.
pub trait AuditLog: Sync {
    /// Waits until no other process writes chains in `folder`, which is made if it is
    /// not there (0700), and keeps others from it until the result is dropped.
    fn lock(&self, folder: &Path) -> Result<Box<dyn Held>, FileError>;

    /// Adds `bytes` to the end of a file, which is made if it is not there (0600).
    /// When this returns they outlast a loss of power; after an error the file is what
    /// it was, as far as the system lets it.
    fn append(&self, path: &Path, bytes: &[u8]) -> Result<(), FileError>;

    /// Takes everything behind the last line feed away.
    fn cut_torn(&self, path: &Path) -> Result<(), FileError>;

    /// The first line and the end of a file; `None` if it is not there.
    fn ends(&self, path: &Path) -> Result<Option<Ends>, FileError>;

    /// The names of files and folders in `folder`, with the sizes of files in bytes,
    /// sorted. None where there is no such folder.
    fn list(&self, folder: &Path) -> Result<Vec<(String, u64)>, FileError>;

    /// Takes away what calls that were killed while they replaced a file left in
    /// `folder`. For the holder of the lock alone: to others it may be a write under way.
    fn sweep(&self, folder: &Path);

    /// The login name, or else the number, of the user that runs this process.
    fn user(&self) -> Option<String>;
}

/// A lock; dropping it lets go.
pub trait Held {}

/// How a file begins and ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ends {
    /// The first line without its line feed; empty if no line has an end, or if it is
    /// longer than an entry may be.
    pub first: Vec<u8>,
    /// The last whole line without its line feed; empty in the same cases.
    pub last: Vec<u8>,
    /// Bytes behind the last line feed.
    pub torn: u64,
}
