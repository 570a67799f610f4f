//! What a file is: plain, encrypted, or meant to be and broken; and all that is
//! wrong with an encrypted one.

use super::encrypted::{Encrypted, metadata_line};
use super::findings::{Finding, Findings};
use super::kinds::Kind;
use super::lines::position;
use super::rulebook::Rule;
use super::{ciphertext, metadata, values, wrapped_keys};
use crate::domain::crypto::token::{self, is_token};
use crate::domain::metadata::{Metadata, MetadataError};
use crate::domain::search;
use crate::domain::select::{SelectError, Stage};
use crate::domain::store::{Format, Purpose, ReadError};
use crate::domain::tree::{self, Tree};

/// What a file turned out to be.
pub enum Look<'s> {
    /// Nothing in it is SOPS's.
    Plain,
    /// It has metadata.
    Encrypted(Box<Encrypted<'s>>),
    /// It was encrypted, and is damaged.
    Broken(Finding),
}

/// Looks at a file. One whose name says no format may be encrypted in any.
pub fn look(bytes: &[u8], format: Format) -> Look<'_> {
    let has_tokens = token::occurs_in(bytes);
    if !has_tokens && search::memmem(b"sops", bytes).is_none() {
        return Look::Plain;
    }
    if has_tokens && let Some(offset) = conflict(bytes) {
        let found = Finding::of_file(Kind::MergeConflict, "an unfinished merge begins here");
        return Look::Broken(found.at_line(Some(position(bytes, offset).0)));
    }
    if format != Format::Binary {
        return look_as(bytes, format, has_tokens);
    }
    for format in [Format::Binary, Format::Yaml, Format::Dotenv, Format::Ini] {
        let found = look_as(bytes, format, has_tokens);
        if matches!(found, Look::Encrypted(_)) {
            return found;
        }
        if !has_tokens {
            break;
        }
    }
    Look::Plain
}

/// Where the first mark of an unfinished merge begins, if all three are there.
fn conflict(bytes: &[u8]) -> Option<usize> {
    let find = |mark: &[u8], from: usize| {
        memchr::memmem::find_iter(&bytes[from..], mark)
            .map(|at| from + at)
            .find(|at| *at == 0 || bytes[at - 1] == b'\n')
    };
    let start = find(b"<<<<<<< ", 0)?;
    let middle = find(b"=======", start)?;
    find(b">>>>>>> ", middle).map(|_| start)
}

fn look_as(bytes: &[u8], format: Format, has_tokens: bool) -> Look<'_> {
    let store = format.encrypted_store();
    // What holds no ciphertext is broken in its own right, which is not our concern.
    let broken = |finding: Finding| if has_tokens { Look::Broken(finding) } else { Look::Plain };
    let mut tree = match store.read(bytes, Purpose::AsIs) {
        Ok(tree) => tree,
        Err(error) => return broken(from_reader(Kind::Unreadable, &error)),
    };
    let block = match store.metadata(&tree) {
        Ok(Some(block)) => block,
        Ok(None) => return without_metadata(&tree, format),
        Err(error) => return broken(from_reader(Kind::BrokenMetadata, &error)),
    };
    match Metadata::parse(block) {
        Ok(metadata) => {
            metadata.selection.mark(&mut tree, Stage::Encrypted);
            Look::Encrypted(Box::new(Encrypted { format, store, tree, metadata }))
        }
        Err(error) => {
            let (kind, line) = match error {
                MetadataError::Rules(SelectError::SeveralInFile) => {
                    (Kind::TwoRules, metadata::second_rule(&tree))
                }
                _ => (Kind::BrokenMetadata, metadata_line(&tree)),
            };
            broken(Finding::of_file(kind, error.to_string()).at_line(line))
        }
    }
}

fn from_reader(kind: Kind, error: &ReadError) -> Finding {
    Finding::of_file(kind, error.message.clone()).at_line(error.line)
}

/// A file without metadata that holds a token where a value would be.
fn without_metadata<'s>(tree: &Tree<'s>, format: Format) -> Look<'s> {
    let token = |node: &&tree::Node| node.kind == tree::Kind::Scalar && is_token(tree.text(node.text));
    match tree.nodes.iter().find(token) {
        Some(node) if format != Format::Binary => {
            let found =
                Finding::of_file(Kind::MissingMetadata, "a value is encrypted, but there is no sops block");
            Look::Broken(found.at_line(Some(tree.line(node.span.start))))
        }
        _ => Look::Plain,
    }
}

/// All that is wrong with an encrypted file in itself and under its creation rule,
/// but for its recipients.
pub fn inspect(file: &mut Encrypted<'_>, rule: Option<&Rule>) -> Vec<Finding> {
    let mut findings = Findings::default();
    values::check(file, &mut findings);
    ciphertext::check(file, &mut findings);
    wrapped_keys::check(file, &mut findings);
    metadata::check(file, &mut findings);
    if let Some(rule) = rule {
        values::check_rule(file, rule, &mut findings);
    }
    findings.finish()
}
