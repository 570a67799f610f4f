//! Files and folders: reading whole files, asking what stands at a path, making
//! paths absolute, and new private files. Writing over something that exists is
//! [`super::replace`]'s.
#![expect(clippy::disallowed_methods, reason = "the home of reading files")]

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::app::ports::{
    Contents, Durability, FileError, FileErrorKind, FileKind, Files, Fingerprint, Proof,
};
use crate::domain::secret::SecretBytes;

use super::paths::{clean, fingerprint, is_descriptor, kind_of, same_file};
use super::system_error::file_error;
use super::{expand, replace};

/// First buffer for input of unknown size, in bytes.
const STREAM_START: usize = 64 * 1024;

/// Bytes of a file that is read piece by piece.
const PIECE: usize = 64 * 1024;

/// The least room in bytes: into less the standard library reads by way of the stack.
const SMALLEST: usize = 64;

/// The files of the machine.
#[derive(Clone, Debug, Default)]
pub struct SystemFiles {
    logical_folder: Option<PathBuf>,
    /// The working directory, which stays the same, once it was asked for.
    working_folder: OnceLock<PathBuf>,
}

impl SystemFiles {
    /// `logical_folder` is `$PWD`: where it names the working directory, paths are
    /// made absolute with it, links and all, as Go's `os.Getwd` does.
    pub fn new(logical_folder: Option<PathBuf>) -> Self {
        Self { logical_folder, working_folder: OnceLock::new() }
    }

    fn working_folder(&self) -> io::Result<&Path> {
        if let Some(known) = self.working_folder.get() {
            return Ok(known);
        }
        let found = self.find_working_folder()?;
        Ok(self.working_folder.get_or_init(|| found))
    }

    fn find_working_folder(&self) -> io::Result<PathBuf> {
        if let Some(logical) = &self.logical_folder
            && logical.is_absolute()
            && let (Ok(named), Ok(real)) = (fs::metadata(logical), fs::metadata("."))
            && same_file(&named, &real)
        {
            return Ok(logical.clone());
        }
        std::env::current_dir()
    }
}

impl Files for SystemFiles {
    fn read(&self, path: &Path) -> Result<Contents, FileError> {
        read(path)
    }

    fn read_pieces(&self, path: &Path, take: &mut dyn FnMut(&[u8]) -> bool) -> Result<(), FileError> {
        let (mut file, _) = open(path)?;
        let mut buffer = SecretBytes::new(vec![0; PIECE]);
        loop {
            match file.read(buffer.as_mut_vec()) {
                Ok(0) => return Ok(()),
                Ok(count) if take(&buffer[..count]) => {}
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(file_error("read", path, &error)),
            }
        }
    }

    #[cfg(unix)]
    fn mode(&self, path: &Path) -> Option<u32> {
        use std::os::unix::fs::PermissionsExt;
        fs::metadata(path).ok().map(|found| found.permissions().mode() & 0o7777)
    }

    fn kind(&self, path: &Path) -> Result<Option<FileKind>, FileError> {
        match fs::metadata(path) {
            Ok(found) => Ok(Some(kind_of(&found))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(file_error("stat", path, &error)),
        }
    }

    fn is_link(&self, path: &Path) -> bool {
        fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_symlink())
    }

    fn replace_proven(
        &self,
        path: &Path,
        bytes: &[u8],
        seen: Option<Fingerprint>,
        durability: Durability,
        proof: Proof<'_>,
    ) -> Result<(), FileError> {
        replace::replace(path, bytes, seen, durability, proof)
    }

    fn write(&self, path: &Path, bytes: &[u8], durability: Durability) -> Result<(), FileError> {
        replace::write(path, bytes, durability)
    }

    fn create_private(&self, path: &Path, bytes: &[u8]) -> Result<(), FileError> {
        replace::create_private(path, bytes)
    }

    fn create(&self, path: &Path, bytes: &[u8], program: bool) -> Result<(), FileError> {
        replace::create(path, bytes, program)
    }

    fn remove(&self, path: &Path) -> Result<(), FileError> {
        fs::remove_file(path).map_err(|error| file_error("remove", path, &error))
    }

    fn real(&self, path: &Path) -> Result<PathBuf, FileError> {
        for there in path.ancestors() {
            match fs::canonicalize(there) {
                Ok(real) => {
                    return Ok(path.strip_prefix(there).map_or(real.clone(), |rest| clean(&real.join(rest))));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(file_error("stat", path, &error)),
            }
        }
        self.absolute(path)
    }

    fn absolute(&self, path: &Path) -> Result<PathBuf, FileError> {
        if path.is_absolute() {
            return Ok(clean(path));
        }
        let folder = self.working_folder().map_err(|error| file_error("getwd", path, &error))?;
        Ok(clean(&folder.join(path)))
    }

    fn entries(&self, folder: &Path) -> Result<Vec<PathBuf>, FileError> {
        let failed = |error: io::Error| file_error("open", folder, &error);
        let entries = match fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed)?,
        };
        let paths = entries.map(|entry| entry.map(|entry| entry.path()));
        let mut paths = paths.collect::<io::Result<Vec<_>>>().map_err(failed)?;
        paths.sort();
        Ok(paths)
    }

    fn first_link(&self, path: &Path) -> Result<Option<PathBuf>, FileError> {
        let failed = |path: &Path, error: io::Error| file_error("open", path, &error);
        let mut folders = match fs::symlink_metadata(path) {
            Ok(found) if found.is_symlink() => return Ok(Some(path.to_owned())),
            Ok(found) if found.is_dir() => vec![path.to_owned()],
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(path, error)),
            _ => Vec::new(),
        };
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).map_err(|error| failed(&folder, error))? {
                let entry = entry.map_err(|error| failed(&folder, error))?;
                match entry.file_type() {
                    Ok(kind) if kind.is_symlink() => return Ok(Some(entry.path())),
                    Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                    // What is gone by now leads nowhere.
                    _ => {}
                }
            }
        }
        Ok(None)
    }

    fn expand(&self, arguments: &[PathBuf]) -> Result<Vec<PathBuf>, FileError> {
        expand::expand(arguments)
    }
}

/// Reads a whole file into a buffer that wipes itself. See [`Files::read`].
pub fn read(path: &Path) -> Result<Contents, FileError> {
    let (mut file, found) = open(path)?;
    let regular = found.is_file() && !is_descriptor(path);
    let expected = if found.is_file() { usize::try_from(found.len()).unwrap_or(0) } else { STREAM_START };
    let bytes = read_all(&mut file, expected).map_err(|error| file_error("read", path, &error))?;
    Ok(Contents { bytes, fingerprint: regular.then(|| fingerprint(&found)) })
}

/// Opens what can be read, which a directory cannot.
fn open(path: &Path) -> Result<(File, fs::Metadata), FileError> {
    let file = match standard_input(path) {
        Some(stdin) => stdin,
        None => File::open(path),
    }
    .map_err(|error| file_error("open", path, &error))?;
    let found = file.metadata().map_err(|error| file_error("stat", path, &error))?;
    if found.is_dir() {
        return Err(FileError {
            action: "read",
            path: path.to_owned(),
            kind: FileErrorKind::Directory,
            reason: "is a directory".to_owned(),
        });
    }
    Ok((file, found))
}

/// Reads to the end. `expected` is a guess; the extra byte lets a right guess
/// see the end without growing. Grown buffers are wiped when left behind.
fn read_all(input: &mut impl Read, expected: usize) -> io::Result<SecretBytes> {
    let mut bytes = SecretBytes::new(Vec::with_capacity(expected.saturating_add(1).max(SMALLEST)));
    loop {
        let buffer = bytes.as_mut_vec();
        // No more than there is room for, so the buffer is not moved behind our back.
        let room = buffer.capacity() - buffer.len();
        input.by_ref().take(room as u64).read_to_end(buffer)?;
        if buffer.len() < buffer.capacity() {
            return Ok(bytes);
        }
        bytes.grow(1);
    }
}

/// Standard input under one of its path names: opening those anew fails for
/// sockets and would start regular files from their beginning.
fn standard_input(path: &Path) -> Option<io::Result<File>> {
    if !["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"].iter().any(|name| path == Path::new(name)) {
        return None;
    }
    #[cfg(unix)]
    {
        use std::os::fd::AsFd;
        Some(io::stdin().as_fd().try_clone_to_owned().map(File::from))
    }
    #[cfg(windows)]
    {
        use std::os::windows::io::AsHandle;
        Some(io::stdin().as_handle().try_clone_to_owned().map(File::from))
    }
}

#[cfg(test)]
mod tests;
