//! Files with plaintext are overwritten before they are removed.
#![expect(clippy::disallowed_methods, reason = "the home of wiping")]

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// Zeros per write when wiping.
pub(super) const WIPE_CHUNK: usize = 64 * 1024;

/// Attempts to empty a directory that an editor still writes to.
const ATTEMPTS: usize = 5;

/// Overwrites every file in and below `folder`, the editor's own copies among
/// them, and removes it. Failures leave what cannot be removed; there is nobody
/// to tell.
pub(super) fn wipe_tree(folder: &Path, in_memory: bool) {
    for _ in 0..ATTEMPTS {
        let mut folders = vec![folder.to_owned()];
        while let Some(next) = folders.pop() {
            for entry in fs::read_dir(&next).into_iter().flatten().flatten() {
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                    Ok(kind) if kind.is_file() => {
                        let _ = overwrite(&entry.path(), in_memory);
                    }
                    _ => {}
                }
            }
        }
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {}
            _ => return,
        }
    }
}

fn overwrite(path: &Path, in_memory: bool) -> io::Result<()> {
    let zeros = vec![0; WIPE_CHUNK];
    let mut file: File = OpenOptions::new().write(true).open(path)?;
    let mut left = file.metadata()?.len();
    while left > 0 {
        let size = usize::try_from(left).unwrap_or(WIPE_CHUNK).min(WIPE_CHUNK);
        file.write_all(&zeros[..size])?;
        left -= u64::try_from(size).unwrap_or(left);
    }
    if in_memory { Ok(()) } else { file.sync_data() }
}
