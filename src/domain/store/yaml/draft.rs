//! A file that was read, its comments not yet among its nodes.

use std::mem::swap;
use std::sync::Arc;

use super::super::{ReadError, ReadErrorKind};
use super::chars::{self, BadByte};
use super::comments::Bare;
use super::compose::Composer;
use super::parse::Parser;
use super::scan::Scanner;
use crate::domain::lines::Lines;
use crate::domain::secret::SecretBytes;
use crate::domain::tree::{Span, Tree};

/// A file that was read, its comments not yet among its nodes.
pub(super) struct Draft {
    pub(super) bare: Bare,
    pub(super) decoded: Arc<SecretBytes>,
}

impl Draft {
    /// The nodes over `source` as a tree without comments, until [`Draft::take_back`].
    pub(super) fn lend<'s>(&mut self, source: &'s [u8]) -> Tree<'s> {
        let mut tree = Tree::new(source);
        tree.decoded = Arc::clone(&self.decoded);
        self.swap(&mut tree);
        tree
    }

    /// Takes back what [`Draft::lend`] gave.
    pub(super) fn take_back(&mut self, mut tree: Tree<'_>) {
        self.swap(&mut tree);
    }

    fn swap(&mut self, tree: &mut Tree<'_>) {
        swap(&mut self.bare.nodes, &mut tree.nodes);
        swap(&mut self.bare.documents, &mut tree.documents);
        swap(&mut self.bare.properties, &mut tree.properties);
    }

    /// Moves the text spans from `from` on down by `by`: the source is shorter
    /// than what was read.
    pub(super) fn rebase(&mut self, from: u32, by: u32) {
        let shift = |span: &mut Span| {
            if span.start >= from && span.end > span.start {
                span.start -= by;
                span.end -= by;
            }
        };
        for node in &mut self.bare.nodes {
            shift(&mut node.text);
            shift(&mut node.key_text);
        }
    }
}

/// Reads `source` as it stands.
pub(super) fn draft(source: &[u8]) -> Result<Draft, ReadError> {
    compose(source, true)
}

/// Reads `source`, plain lines at a glance or token by token.
pub(super) fn compose(source: &[u8], by_line: bool) -> Result<Draft, ReadError> {
    let census = chars::census(source).map_err(|bad| bad_byte(source, bad))?;
    let mut composer = Composer::new(Parser::new(Scanner::new(source, census)));
    composer.by_line = by_line;
    composer.run().map_err(|error| *error)?;
    if composer.documents.is_empty() {
        let eof =
            ReadError { message: "EOF".to_owned(), line: None, hint: None, kind: ReadErrorKind::Syntax };
        return Err(eof);
    }
    let Composer { parser, nodes, documents, properties, assignments, assigned, .. } = composer;
    let Scanner { remark_lines: lines, mut decoded, .. } = parser.scanner;
    // Room that was never used need not be wiped, which would touch it.
    decoded.as_mut_vec().shrink_to_fit();
    let bare = Bare { nodes, properties, documents, assignments, assigned, lines, settled: false };
    Ok(Draft { bare, decoded: Arc::new(decoded) })
}

fn bad_byte(source: &[u8], bad: BadByte) -> ReadError {
    let line = Lines::new(source).of(bad.at);
    let mut error = ReadError::syntax(line, format!("yaml: line {line}: {}", bad.problem));
    if source.starts_with(b"\xFF\xFE") || source.starts_with(b"\xFE\xFF") {
        error.hint = Some("the file is in UTF-16: save it as UTF-8");
    }
    error
}
