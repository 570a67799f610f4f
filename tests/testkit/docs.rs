//! Pages of the manual that tests make from what they see.

use std::path::Path;

/// Compares a page with what it should be; `LEAFLOCK_WRITE_DOCS=1` writes it.
#[track_caller]
pub(crate) fn check(path: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("LEAFLOCK_WRITE_DOCS").is_some() {
        std::fs::write(&file, text).unwrap();
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    let at = found.lines().zip(text.lines()).position(|(found, wanted)| found != wanted);
    let line = at.unwrap_or(found.lines().count().min(text.lines().count()));
    assert!(
        found == text,
        "{path}:{}: is\n  {}\nand should be\n  {}\n(LEAFLOCK_WRITE_DOCS=1 writes it)",
        line + 1,
        found.lines().nth(line).unwrap_or_default(),
        text.lines().nth(line).unwrap_or_default()
    );
}
