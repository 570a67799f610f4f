//! Programs of others that tests run, where `ci/callers.sh` has put them.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where a program is on the search path of the tests.
#[track_caller]
pub(crate) fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{name} is not installed: run ci/test once"))
}

/// The Python interpreter itself, not a script that looks for it.
pub(crate) fn python() -> PathBuf {
    let asked = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().unwrap();
    PathBuf::from(String::from_utf8(asked.stdout).unwrap().trim())
}

/// The folder of Node's packages.
pub(crate) fn node_modules() -> PathBuf {
    folder("LEAFLOCK_TEST_NODE", "node-1/node_modules")
}

/// The folder of Python's packages.
pub(crate) fn python_packages() -> PathBuf {
    folder("LEAFLOCK_TEST_PYTHON", "python-1")
}

#[track_caller]
fn folder(variable: &str, below: &str) -> PathBuf {
    // target/debug/leaflock → target
    let target = Path::new(env!("CARGO_BIN_EXE_leaflock")).ancestors().nth(2).unwrap();
    let installed = target.join("test-tools").join(below);
    let folder = std::env::var_os(variable).map_or(installed, PathBuf::from);
    assert!(folder.is_dir(), "no packages at {}: run ci/test once", folder.display());
    folder
}
