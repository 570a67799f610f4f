//! The entry of the YAML reader.

use super::super::{Purpose, ReadError, ReadErrorKind};
use super::chars::{self, BadByte};
use super::comments::Bare;
use super::compose::Composer;
use super::parse::Parser;
use super::scan::Scanner;
use crate::domain::tree::Tree;

/// Reads YAML as go-yaml v3.0.4 and SOPS read it.
///
/// # Errors
/// What SOPS refuses, in its words where they hold nothing of the input
/// (sops-compat 5.1), and sources of 4 GiB − 2 bytes or more.
pub fn read(source: &[u8], purpose: Purpose) -> Result<Tree<'_>, ReadError> {
    let _ = purpose;
    if source.len() >= u32::MAX as usize / 2 {
        return Err(plain_error("the file is too large", ReadErrorKind::Syntax));
    }
    if source.is_empty() {
        let message = "File cannot be completely empty, it must contain at least one document";
        return Err(plain_error(message, ReadErrorKind::Empty));
    }
    let census = chars::census(source).map_err(|bad| bad_byte(source, bad))?;
    let lines = memchr::memchr_iter(b'\n', source).count();
    let mut composer = Composer::new(Parser::new(Scanner::new(source, census)), lines + 8);
    composer.run()?;
    if composer.documents.is_empty() {
        return Err(plain_error("EOF", ReadErrorKind::Syntax));
    }
    let Composer { parser, nodes, documents, properties, assignments, assigned, .. } = composer;
    let mut scanner = parser.scanner;
    let lines = std::mem::take(&mut scanner.remark_lines);
    let bare = Bare { nodes, properties, documents, assignments, assigned, lines: &lines };
    let dressed = bare.dress();
    let mut tree = Tree::new(source);
    tree.decoded = scanner.decoded;
    tree.nodes = dressed.nodes;
    tree.properties = dressed.properties;
    tree.documents = dressed.documents;
    Ok(tree)
}

fn plain_error(message: &str, kind: ReadErrorKind) -> ReadError {
    ReadError { message: message.to_owned(), line: None, hint: None, kind }
}

fn bad_byte(source: &[u8], bad: BadByte) -> ReadError {
    let line = 1 + memchr::memchr_iter(b'\n', &source[..bad.at]).count();
    let mut error = ReadError::syntax(line, format!("yaml: line {line}: {}", bad.problem));
    if source.starts_with(b"\xFF\xFE") || source.starts_with(b"\xFE\xFF") {
        error.hint = Some("the file is in UTF-16: save it as UTF-8");
    }
    error
}
