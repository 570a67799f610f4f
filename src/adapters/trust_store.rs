//! Pins and marks on disk: `trust.json` in the user's folder of configuration,
//! `repositories.json` in that of state, both 0600 and replaced whole. A lock on a
//! file beside each keeps two processes from losing each other's changes.
#![expect(clippy::disallowed_methods, reason = "the home of what is trusted")]

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use crate::app::agent::trust_store::{TrustError, TrustStore};
use crate::app::ports::Durability;
use crate::domain::agent::trust::{Damaged, Marks, Pins};
use crate::domain::digest;

use super::replace;
use super::system_error::reason;

/// The two files, and what the environment announces.
#[derive(Clone, Debug)]
pub struct SystemTrustStore {
    pins: Option<PathBuf>,
    marks: Option<PathBuf>,
    announced: Option<String>,
}

impl SystemTrustStore {
    /// `announced` is `LEAFLOCK_TRUST`.
    pub fn new(config: Option<PathBuf>, state: Option<PathBuf>, announced: Option<String>) -> Self {
        let pins = config.map(|folder| folder.join("trust.json"));
        Self { pins, marks: state.map(|folder| folder.join("repositories.json")), announced }
    }
}

impl TrustStore for SystemTrustStore {
    fn announced(&self) -> Result<Vec<String>, TrustError> {
        let words = self.announced.iter().flat_map(|list| list.split(',')).map(str::trim);
        words
            .filter(|word| !word.is_empty())
            .map(|word| digest::is_one(word).then(|| word.to_owned()).ok_or(TrustError::Variable))
            .collect()
    }

    fn pins(&self) -> Result<Pins, TrustError> {
        read(self.pins.as_deref(), Pins::parse)
    }

    fn marks(&self) -> Result<Marks, TrustError> {
        read(self.marks.as_deref(), Marks::parse)
    }

    fn change_pins(&self, change: &mut dyn FnMut(&mut Pins)) -> Result<(), TrustError> {
        self::change(self.pins.as_deref(), Pins::parse, Pins::to_bytes, change)
    }

    fn change_marks(&self, change: &mut dyn FnMut(&mut Marks)) -> Result<(), TrustError> {
        self::change(self.marks.as_deref(), Marks::parse, Marks::to_bytes, change)
    }
}

/// Larger files are damaged.
const LARGEST: u64 = 64 * 1024 * 1024;

fn read<T: Default>(
    path: Option<&Path>,
    parse: impl Fn(&[u8]) -> Result<T, Damaged>,
) -> Result<T, TrustError> {
    let Some(path) = path else { return Ok(T::default()) };
    let failed = |reason: String| TrustError::Unreadable { path: path.to_owned(), reason };
    match fs::metadata(path) {
        Ok(found) if !found.is_file() || found.len() > LARGEST => return Err(failed(Damaged.to_string())),
        _ => {}
    }
    match fs::read(path) {
        Ok(bytes) => parse(&bytes).map_err(|error| failed(error.to_string())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(T::default()),
        Err(error) => Err(failed(reason(&error))),
    }
}

fn change<T: Default + PartialEq + Clone>(
    path: Option<&Path>,
    parse: impl Fn(&[u8]) -> Result<T, Damaged>,
    print: impl Fn(&T) -> Vec<u8>,
    change: &mut dyn FnMut(&mut T),
) -> Result<(), TrustError> {
    let path = path.ok_or(TrustError::NoPlace)?;
    let failed = |reason: String| TrustError::Unwritable { path: path.to_owned(), reason };
    let _lock = lock(path).map_err(|error| failed(reason(&error)))?;
    let old = read(Some(path), parse)?;
    let mut new = old.clone();
    change(&mut new);
    if new == old {
        return Ok(());
    }
    let bytes = print(&new);
    let written = match path.exists() {
        true => replace::replace(path, &bytes, None, Durability::Power, &mut || true),
        false => replace::create_private(path, &bytes),
    };
    written.map_err(|error| failed(error.reason))
}

/// Waits until no other process changes the file; dropped, the next one may.
fn lock(path: &Path) -> io::Result<File> {
    let mut folder = fs::DirBuilder::new();
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
        folder.mode(0o700);
        options.mode(0o600);
    }
    if let Some(parent) = path.parent() {
        folder.recursive(true).create(parent)?;
    }
    let file = options.write(true).create(true).truncate(false).open(path.with_extension("lock"))?;
    file.lock()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::agent::trust::Pin;

    fn store(folder: &Path) -> SystemTrustStore {
        SystemTrustStore::new(Some(folder.join("config")), Some(folder.join("state")), None)
    }

    fn pin(repo: &str) -> Pin {
        let [list, since, place] = ["l", "s", "p"].map(str::to_owned);
        Pin { repo: repo.to_owned(), list, since, place }
    }

    #[cfg(unix)]
    #[track_caller]
    fn assert_is_private(path: &Path, mode: u32) {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, mode);
    }

    #[cfg(not(unix))]
    fn assert_is_private(_: &Path, _: u32) {}

    #[test]
    fn what_is_not_there_is_empty_and_what_is_damaged_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        assert_eq!((store.pins(), store.marks()), (Ok(Pins::default()), Ok(Marks::default())));
        store.change_pins(&mut |pins| drop(pins.0.insert("a".to_owned(), pin("a")))).unwrap();
        let path = folder.path().join("config/trust.json");
        assert_is_private(&path, 0o600);
        assert_is_private(&folder.path().join("config"), 0o700);
        assert_eq!(store.pins().unwrap().0["a"], pin("a"));
        for damage in [&b""[..], b"{", b"{}"] {
            fs::write(&path, damage).unwrap();
            assert!(matches!(store.pins(), Err(TrustError::Unreadable { .. })));
            let changed = store.change_pins(&mut |pins| pins.0.clear());
            assert!(matches!(changed, Err(TrustError::Unreadable { .. })));
            assert_eq!(fs::read(&path).unwrap(), damage);
        }
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(matches!(store.pins(), Err(TrustError::Unreadable { .. })));
    }

    #[test]
    fn nobody_loses_the_change_of_another() {
        let folder = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for worker in 0..8 {
                let store = store(folder.path());
                scope.spawn(move || {
                    for round in 0..5 {
                        let repo = format!("{worker}-{round}");
                        store.change_pins(&mut |pins| drop(pins.0.insert(repo.clone(), pin(&repo)))).unwrap();
                    }
                });
            }
        });
        assert_eq!(store(folder.path()).pins().unwrap().0.len(), 40);
    }

    #[test]
    fn the_environment_announces_digests_and_nothing_else() {
        let announced = |text: &str| SystemTrustStore::new(None, None, Some(text.to_owned())).announced();
        let (a, b) = (digest::of(b"a"), digest::of(b"b"));
        assert_eq!(announced(&format!(" {a}, {b},")), Ok(vec![a.clone(), b]));
        assert_eq!(announced(""), Ok(Vec::new()));
        assert_eq!(announced(&a[..60]), Err(TrustError::Variable));
        let store = SystemTrustStore::new(None, None, None);
        assert_eq!(store.change_pins(&mut |_| {}), Err(TrustError::NoPlace));
    }
}
