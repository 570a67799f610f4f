//! `.leaflock/config.yaml`: what a repository asks of everybody who works in it.
//!
//! ```yaml
//! seal: strict   # false, true: new files are sealed; strict: and no other is read
//! sign: true     # false, true: seals are signed; strict: no file without is read
//! ```

use crate::domain::scalar::Scalar;
use crate::domain::store::{Format, Purpose, ReadErrorKind};
use crate::domain::tree::{Kind, NodeId, Tree};

/// How much is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing.
    #[default]
    Off,
    /// Files that are written get it.
    On,
    /// Files without it are not read.
    Strict,
}

/// The settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Seals.
    pub seal: Level,
    /// Signatures.
    pub sign: Level,
}

/// A fault of the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SettingsError {
    /// What is wrong; names keys, never values.
    pub message: String,
    /// One-based line, where known.
    pub line: Option<usize>,
    /// What belongs there.
    pub advice: Option<&'static str>,
}

/// The keys that there are.
const KEYS: &str = "the keys are seal and sign";

/// The values that they take.
const LEVELS: &str = "write false, true or strict";

impl Settings {
    /// Reads the file. What it does not know is an error: a setting that is silently
    /// ignored protects nobody.
    pub fn parse(source: &[u8]) -> Result<Self, SettingsError> {
        let tree = match Format::Yaml.store().read(source, Purpose::AsIs) {
            Ok(tree) => tree,
            Err(error) if error.kind == ReadErrorKind::Empty || error.message == "EOF" => {
                return Ok(Self::default());
            }
            Err(error) => {
                return Err(SettingsError { message: error.message, line: error.line, advice: error.hint });
            }
        };
        let mut settings = Self::default();
        let mut seen: Vec<&[u8]> = Vec::new();
        for id in tree.documents.iter().flat_map(|document| tree.children(document.root)) {
            if tree.node(id).kind == Kind::Comment {
                continue;
            }
            let key = tree.key(id);
            let slot = match key {
                b"seal" => &mut settings.seal,
                b"sign" => &mut settings.sign,
                _ => return Err(fault(&tree, id, "is no setting", Some(KEYS))),
            };
            if seen.contains(&key) {
                return Err(fault(&tree, id, "is set twice", None));
            }
            seen.push(key);
            *slot = level(&tree, id).ok_or_else(|| fault(&tree, id, "has no such value", Some(LEVELS)))?;
        }
        Ok(settings)
    }
}

fn level(tree: &Tree<'_>, id: NodeId) -> Option<Level> {
    if tree.node(id).kind != Kind::Scalar {
        return None;
    }
    match Format::Yaml.store().scalar(tree, id) {
        Scalar::Bool(false) => Some(Level::Off),
        Scalar::Bool(true) => Some(Level::On),
        Scalar::Str(text) if text[..] == *b"strict" => Some(Level::Strict),
        _ => None,
    }
}

fn fault(tree: &Tree<'_>, id: NodeId, what: &str, advice: Option<&'static str>) -> SettingsError {
    let line = Some(tree.line(tree.node(id).key.start));
    SettingsError { message: format!("{} {what}", String::from_utf8_lossy(tree.key(id))), line, advice }
}

#[cfg(test)]
mod tests {
    use super::{Level, Settings};

    #[test]
    fn levels_are_read() {
        let read = |text: &str| Settings::parse(text.as_bytes()).unwrap();
        assert_eq!(read(""), Settings::default());
        assert_eq!(read("# nothing yet\n"), Settings::default());
        assert_eq!(read("seal: strict # all\nsign: true\n").seal, Level::Strict);
        assert_eq!(read("{seal: 'strict', sign: false}").sign, Level::Off);
        assert_eq!(read("sign: true").sign, Level::On);
    }

    #[test]
    fn what_is_not_known_is_refused_with_its_line() {
        for (text, line) in [
            ("seal: true\nsael: strict\n", 2),
            ("\nseal: yes\n", 2),
            ("seal: [strict]\n", 1),
            ("seal: true\nsign: Strict\n", 2),
            ("seal: true\n---\nseal: false\n", 3),
        ] {
            assert_eq!(Settings::parse(text.as_bytes()).unwrap_err().line, Some(line), "{text}");
        }
        assert!(
            Settings::parse(b"- seal\n").is_err() && Settings::parse(b"seal: true\nseal: false\n").is_err()
        );
    }
}
