//! The names of keys, wherever one is shown: from `.leaflock/names` and from the
//! comments of the config in force. A source that cannot be read names nobody.

use std::path::{Path, PathBuf};

use super::Deps;
use super::config;
use super::request::FileOptions;
use crate::domain::keys::names::{BadLine, Names};

/// Where names may stand, in a folder at or above the file or the working folder.
pub const PLACE: &str = ".leaflock/names";

/// How many folders are searched, as for a config.
const DEPTH: usize = 100;

/// A file of names that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where.
    pub path: PathBuf,
    /// Its lines that name nobody.
    pub bad: Vec<BadLine>,
}

/// The names that hold for `file` (absolute), and the file that they come from.
pub fn of(deps: &Deps<'_>, file: &Path, options: &FileOptions) -> (Names, Option<Found>) {
    let mut names = Names::default();
    let found = from_file(deps, file, &mut names);
    if let Ok(Some(config)) = config::find(deps, file, options, &mut Vec::new()) {
        config.config.names(&mut names);
    }
    (names, found)
}

/// The names that `.leaflock/names` gives near `file`: without a look at any rule.
pub fn listed(deps: &Deps<'_>, file: &Path) -> Names {
    let mut names = Names::default();
    from_file(deps, file, &mut names);
    names
}

fn from_file(deps: &Deps<'_>, file: &Path, names: &mut Names) -> Option<Found> {
    let working = deps.files.absolute(Path::new(".")).ok();
    for start in [working.as_deref(), file.parent()].into_iter().flatten() {
        for folder in start.ancestors().take(DEPTH) {
            let path = folder.join(PLACE);
            if let Ok(Some(contents)) = deps.files.read_if_there(&path) {
                let bad = names.add_lines(&String::from_utf8_lossy(&contents.bytes));
                return Some(Found { path, bad });
            }
        }
    }
    None
}
