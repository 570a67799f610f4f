//! The user's editor on a plain text, in a private place, until what comes back can
//! be encrypted.

use std::path::Path;

use super::Deps;
use super::error::Error;
use crate::domain::secret::SecretBytes;

/// Shown when what comes back from the editor cannot be encrypted, as SOPS says it.
const SYNTAX: &str = "Could not load tree, probably due to invalid syntax. \
                      Press enter to return to the editor, or Ctrl+C to exit.";

/// Opens the editor on `plain`, under the name of `path`, until `check` accepts what
/// comes back. The text stays as the user left it between two tries.
pub fn run(
    deps: &Deps<'_>,
    path: &Path,
    plain: &[u8],
    check: &mut dyn FnMut(&[u8]) -> Result<SecretBytes, Error>,
) -> Result<SecretBytes, Error> {
    let name = path.file_name().map_or("secrets".into(), |name| name.to_string_lossy());
    let private = deps.private_files.create().map_err(Error::Read)?;
    let path = private.write(&name, plain).map_err(Error::Read)?;
    loop {
        deps.editor.edit(&path).map_err(Error::Editor)?;
        let text = private.read(&name).map_err(Error::Read)?;
        if *text == *plain {
            return Err(Error::FileNotChanged);
        }
        match check(&text) {
            Ok(text) => return Ok(text),
            Err(error) => {
                let line = error.place().line.map(|line| format!(" (line {line})")).unwrap_or_default();
                deps.prompt.pause(&format!("{error}{line}\n{SYNTAX}")).map_err(Error::Prompt)?;
            }
        }
    }
}
