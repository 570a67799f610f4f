//! YAML files that stand in SOPS's own layout. When SOPS reads such a file, go-yaml
//! may hang a comment on another node than before, and SOPS prints it there: such
//! files are printed as SOPS does, unless they say that their layout is their
//! owner's.

use super::open::Encrypted;
use super::values::{Whole, values_of};
use crate::domain::secret::SecretBytes;
use crate::domain::store::splice::{Edit, apply};
use crate::domain::store::yaml::emit::DEFAULT_INDENT;
use crate::domain::store::yaml::{self, SopsLook};
use crate::domain::store::{Format, Layout, Store};
use crate::domain::tree::{Flags, Kind, Node, Style, Tree};

/// How SOPS laid out a file that it may have written and that it may print with
/// other bytes than its own; `None` for all others.
pub fn sops_look(store: &'static dyn Store, tree: &Tree<'_>) -> Option<SopsLook> {
    let look = yaml::sops_look(tree)?;
    // What we write has metadata of the default indentation, whatever is around it.
    let may_change = look.has_comments || look.indent != DEFAULT_INDENT;
    let layout = Layout { indent: Some(look.indent) };
    let starts = || starts_like_sops(tree.source, look.indent);
    (may_change && starts() && is_laid_out(store, tree, layout)).then_some(look)
}

/// True if `file` would be printed as SOPS does, and that is not `plain`.
pub fn is_printed_otherwise(file: &Encrypted<'_, '_>, plain: &[u8]) -> bool {
    let Some(look) = sops_look(file.store, file.tree) else { return false };
    let Ok((documents, _)) = file.to_values() else { return false };
    let layout = Layout { indent: Some(look.indent) };
    file.store.emit(&documents, layout).map(SecretBytes::new).is_ok_and(|printed| *printed != *plain)
}

/// False if a plain file cannot come to stand in SOPS's layout when it is
/// encrypted, or has no comments: a quick look.
pub fn may_be_sops_layout(store: &'static dyn Store, tree: &Tree<'_>) -> bool {
    let is_comment = |node: &Node| node.kind == Kind::Comment && !node.flags.has(Flags::METADATA);
    if store.format() != Format::Yaml || !tree.nodes.iter().any(is_comment) {
        return false;
    }
    starts_like_sops(tree.source, DEFAULT_INDENT)
}

/// True if the first indented line is indented as SOPS does, and the last line ends.
fn starts_like_sops(source: &[u8], indent: u8) -> bool {
    let blanks = |line: &[u8]| line.iter().take_while(|byte| **byte == b' ').count();
    let first = source.split(|byte| *byte == b'\n').map(blanks).find(|blanks| *blanks > 0);
    source.ends_with(b"\n") && first.is_none_or(|blanks| blanks == usize::from(indent))
}

/// True when the file stands as SOPS writes it in `layout`, its comments aside.
fn is_laid_out(store: &'static dyn Store, tree: &Tree<'_>, layout: Layout) -> bool {
    if has_stray_blank(tree) {
        return false;
    }
    let comments = tree.nodes.iter().filter(|node| node.kind == Kind::Comment);
    let bare = apply(tree.source, comments.map(|node| Edit::new(node.span, "")).collect());
    let emitted = store.emit(&values_of(store, tree, Whole::DataAndMetadata), layout);
    emitted.is_ok_and(|emitted| skeleton(&emitted) == skeleton(&bare))
}

/// True if a blank line stands where SOPS has none in an encrypted file: elsewhere
/// than behind a comment and in a block.
fn has_stray_blank(tree: &Tree<'_>) -> bool {
    let source = tree.source.strip_suffix(b"\n").unwrap_or(tree.source);
    let is_in_block = |at: usize| {
        let is_around = |node: &Node| {
            matches!(node.style, Style::Literal | Style::Folded) && node.span.range().contains(&at)
        };
        tree.nodes.iter().any(is_around)
    };
    let (mut before, mut at): (&[u8], usize) = (b"#", 0);
    for line in source.split(|byte| *byte == b'\n') {
        if line.is_empty() && !before.trim_ascii_start().starts_with(b"#") && !is_in_block(at) {
            return true;
        }
        if !line.is_empty() {
            before = line;
        }
        at += line.len() + 1;
    }
    false
}

/// A text without blank lines, and with a dash or brace that a comment has parted
/// from what follows it put together again.
fn skeleton(text: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::with_capacity(text.len());
    let mut dangling = None;
    for line in text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end) {
        if line.is_empty() {
            continue;
        }
        let joined = dangling.take().and_then(|column: usize| {
            let behind = line.get(column..).filter(|_| line[..column].trim_ascii().is_empty());
            behind.or_else(|| (line.trim_ascii() == b"}").then_some(b"}"))
        });
        match joined {
            Some(rest) => {
                out.pop();
                if out.ends_with(b"-") {
                    out.push(b' ');
                }
                out.extend_from_slice(rest);
            }
            None => out.extend_from_slice(line),
        }
        out.push(b'\n');
        let last = out[..out.len() - 1].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let last = &out[last..out.len() - 1];
        let dashes = last.iter().all(|byte| matches!(byte, b' ' | b'-'));
        if dashes && last.ends_with(b"-") && last != b"---" || last.ends_with(b"{") {
            dangling = Some(last.len() + 1);
        }
    }
    out
}
