//! Which values and comments stand in clear that should not, and the other way
//! round: by the rule in the file's metadata, and by the creation rule.

use super::encrypted::{Encrypted, is_ciphertext, metadata_line};
use super::findings::{Finding, Findings};
use super::kinds::Kind;
use super::rulebook::Rule;
use crate::domain::crypto::token::is_token;
use crate::domain::document::alias;
use crate::domain::scalar::Scalar;
use crate::domain::select::{MAC_ONLY_ENCRYPTED, Settings, Stage};
use crate::domain::store::Format;
use crate::domain::tree::{self, Flags, NodeId};

/// Compares the file with its own rule.
pub(super) fn check(file: &Encrypted<'_>, findings: &mut Findings) {
    let (mut leaves, mut selected) = (0, 0);
    for (id, node) in file.data() {
        let is_selected = node.flags.has(Flags::SELECTED);
        match node.kind {
            tree::Kind::Scalar => {
                leaves += usize::from(!matches!(file.store.scalar(&file.tree, id), Scalar::Null));
                selected += usize::from(is_selected);
                check_value(file, id, is_selected, findings);
            }
            tree::Kind::Comment => check_comment(file, id, is_selected, findings),
            tree::Kind::Alias => check_alias(file, id, findings),
            tree::Kind::Map | tree::Kind::List => {}
        }
    }
    if leaves > 0 && selected == 0 {
        let message =
            format!("none of its {leaves} values is encrypted: {}", file.metadata.selection.describe());
        findings.push(Finding::of_file(Kind::NothingEncrypted, message).at_line(metadata_line(&file.tree)));
    }
}

fn check_value(file: &Encrypted<'_>, id: NodeId, is_selected: bool, findings: &mut Findings) {
    if is_selected && file.is_open(id) {
        let message = "this value stands in clear, and the rule of the file selects it";
        findings.at_node(Kind::PlaintextValue, file.as_read(), id, || message.to_owned());
    } else if !is_selected && is_token(file.tree.text(file.tree.node(id).text)) {
        let message = "this value is encrypted, and the rule of the file does not select it";
        findings.at_node(Kind::UnselectedCiphertext, file.as_read(), id, || message.to_owned());
    }
}

fn check_comment(file: &Encrypted<'_>, id: NodeId, is_selected: bool, findings: &mut Findings) {
    let text = file.tree.text(file.tree.node(id).text);
    if is_selected && !text.is_empty() && !is_ciphertext(text) {
        let message = "this comment stands in clear, and the rule of the file selects it";
        findings.at_node(Kind::PlaintextComment, file.as_read(), id, || message.to_owned());
    }
}

/// An alias stands for a copy at its own path: what the rule selects there is
/// neither in clear nor opens.
fn check_alias(file: &Encrypted<'_>, id: NodeId, findings: &mut Findings) {
    let mut marks = file.metadata.selection.alias_marks(&file.tree, id, Stage::Encrypted).into_iter();
    let mut open = false;
    let mut visit = |leaf, _: &[u8]| {
        let is_selected = marks.next().unwrap_or(false);
        open |= is_selected && file.is_open(leaf);
        Ok::<(), ()>(())
    };
    let _ = alias::each_leaf(&file.tree, id, b"", &mut visit);
    if open {
        let message = "what this alias stands for is in clear, and the rule of the file selects it here";
        findings.at_node(Kind::PlaintextValue, file.as_read(), id, || message.to_owned());
    }
}

/// Compares the file with its creation rule, where that is another one than its own.
pub(super) fn check_rule(file: &mut Encrypted<'_>, rule: &Rule, findings: &mut Findings) {
    let Some(selection) = rule.selection.as_ref().filter(|_| file.format != Format::Binary) else { return };
    let own = file.metadata.selection.settings().clone().or_default();
    if own == *selection.settings() {
        return;
    }
    let message =
        format!("its rule is {}, the creation rule is {}", described(&own), described(selection.settings()));
    findings.push(Finding::of_file(Kind::RuleMismatch, message).at_line(metadata_line(&file.tree)));
    // Comments may be encrypted: what they say to another rule is not known.
    if selection.kind().is_some_and(|kind| kind.reads_comments()) {
        return;
    }
    let by_own: Vec<bool> = file.tree.nodes.iter().map(|node| node.flags.has(Flags::SELECTED)).collect();
    selection.mark(&mut file.tree, Stage::Encrypted);
    for (id, node) in file.data() {
        let newly = node.flags.has(Flags::SELECTED) && !by_own[id as usize];
        if newly && node.kind == tree::Kind::Scalar && file.is_open(id) {
            let message = "this value stands in clear, and the creation rule selects it";
            findings.at_node(Kind::PlaintextValue, file.as_read(), id, || message.to_owned());
        }
    }
    file.metadata.selection.mark(&mut file.tree, Stage::Encrypted);
}

/// A rule as it is written.
fn described(settings: &Settings) -> String {
    let mut parts: Vec<String> =
        settings.chosen().map(|(kind, text)| format!("{} '{text}'", kind.name())).collect();
    if settings.mac_only_encrypted {
        parts.push(MAC_ONLY_ENCRYPTED.to_owned());
    }
    parts.join(" with ")
}
