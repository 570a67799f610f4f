//! Ports that do nothing, until the adapters are here.

use std::path::{Path, PathBuf};

use crate::app::ports::{
    Clock, Contents, Durability, EditLock, EditLockError, EditLocks, Editor, EditorError, FileError,
    FileErrorKind, FileKind, Files, Fingerprint, PrivateDir, PrivateFiles, Progress, Prompt, PromptError,
    Random, SecureRng,
};
use crate::domain::secret::SecretBytes;

pub(super) struct Absent;

fn no<T>(path: &Path) -> Result<T, FileError> {
    Err(FileError {
        action: "open",
        path: path.to_owned(),
        kind: FileErrorKind::Other,
        reason: "not built".into(),
    })
}

impl Files for Absent {
    fn read(&self, path: &Path) -> Result<Contents, FileError> {
        no(path)
    }
    fn kind(&self, path: &Path) -> Result<Option<FileKind>, FileError> {
        Ok(path.exists().then_some(FileKind::Regular))
    }
    fn replace(&self, path: &Path, _: &[u8], _: Option<Fingerprint>, _: Durability) -> Result<(), FileError> {
        no(path)
    }
    fn write(&self, path: &Path, _: &[u8], _: Durability) -> Result<(), FileError> {
        no(path)
    }
    fn create_private(&self, path: &Path, _: &[u8]) -> Result<(), FileError> {
        no(path)
    }
    fn absolute(&self, path: &Path) -> Result<PathBuf, FileError> {
        no(path)
    }
    fn expand(&self, arguments: &[PathBuf]) -> Result<Vec<PathBuf>, FileError> {
        Ok(arguments.to_vec())
    }
}
impl PrivateFiles for Absent {
    fn create(&self) -> Result<Box<dyn PrivateDir>, FileError> {
        no(Path::new(""))
    }
}
impl EditLocks for Absent {
    fn lock(&self, path: &Path) -> Result<Box<dyn EditLock>, EditLockError> {
        Ok(no(path)?)
    }
}
impl Editor for Absent {
    fn edit(&self, _: &Path) -> Result<(), EditorError> {
        Err(EditorError("not built".into()))
    }
}
impl Prompt for Absent {
    fn secret(&self, wanted: &str) -> Result<SecretBytes, PromptError> {
        Err(PromptError::NoTerminal { wanted: wanted.into() })
    }
    fn confirm(&self, wanted: &str) -> Result<bool, PromptError> {
        Err(PromptError::NoTerminal { wanted: wanted.into() })
    }
    fn pause(&self, wanted: &str) -> Result<(), PromptError> {
        Err(PromptError::NoTerminal { wanted: wanted.into() })
    }
}
impl Clock for Absent {
    fn now(&self) -> String {
        String::new()
    }
}
impl Random for Absent {
    fn rng(&self) -> Box<dyn SecureRng> {
        Box::new(rand::rngs::OsRng)
    }
}
impl Progress for Absent {
    fn start(&self, _: usize) {}
    fn step(&self) {}
    fn finish(&self) {}
}
