//! What to say when no master key opens a file: sops's own report, word for
//! word (sops-compat 8), and a short answer beneath it: which identities were
//! tried, who can open the file, what to do.

use super::names::Names;
use super::{RecipientKind, Refusal, plugin_of_recipient, recipient_kind};

/// Columns at which sops wraps the error of a key.
const REASON_COLUMNS: usize = 60;

/// Columns at which sops wraps the last paragraph.
const TRAILER_COLUMNS: usize = 75;

/// Recipients that the short answer lists before it only counts.
const LISTED: usize = 10;

/// What became of one key group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupOutcome {
    /// One of its keys opened.
    Recovered,
    /// None did; the keys in the order they were tried.
    Failed(Vec<Refusal>),
}

impl GroupOutcome {
    /// Why its keys did not open.
    pub fn refusals(&self) -> &[Refusal] {
        match self {
            Self::Recovered => &[],
            Self::Failed(refusals) => refusals,
        }
    }
}

/// One place where identities were looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tried {
    /// The variable or path.
    pub location: String,
    /// The public keys of the identities found there, or a description where
    /// one has no public key to show. Never a secret.
    pub identities: Vec<String>,
    /// Why the place could not be used.
    pub problem: Option<String>,
}

/// How every such report begins; clients match on it.
pub const FIRST_LINE: &str = "Failed to get the data key required to decrypt the SOPS file.";

/// The report of sops for exit code 128: no newline at its end. `threshold` is
/// the number of groups needed, 0 if the file has one group only; a key's name
/// stands behind sops's word; `colour` is
/// for a standard output that is a terminal.
pub fn data_key_failure(groups: &[GroupOutcome], threshold: usize, names: &Names, colour: bool) -> String {
    let mut out = format!("{FIRST_LINE}\n\n");
    for (number, group) in groups.iter().enumerate() {
        match group {
            GroupOutcome::Recovered => {
                out.push_str(&format!("Group {number}: {}\n\n", status(true, colour)));
            }
            GroupOutcome::Failed(refusals) => {
                out.push_str(&format!("Group {number}: {}\n", status(false, colour)));
                for (position, refusal) in refusals.iter().enumerate() {
                    if position > 0 {
                        out.push_str("  \n");
                    }
                    push_refusal(&mut out, refusal, names, colour);
                }
                out.push('\n');
            }
        }
    }
    let recovered = groups.iter().filter(|group| matches!(group, GroupOutcome::Recovered)).count();
    out.push_str(&wrapped(&trailer(threshold, recovered), TRAILER_COLUMNS));
    out
}

/// The facts in short, without a newline at the end: which identities were
/// tried from where, what went wrong in other places, and who can open the file.
/// `recipients` are those of the groups that failed, `refusals` what was said of
/// their keys.
pub fn short_answer(tried: &[Tried], refusals: &[&Refusal], recipients: &[&str], names: &Names) -> String {
    let mut out = String::new();
    let own =
        tried.iter().flat_map(|place| place.identities.iter().map(|identity| (identity, &place.location)));
    for (number, (identity, location)) in own.enumerate() {
        out.push_str(if number == 0 { "identities tried:\n" } else { "" });
        out.push_str(&format!("  {} from {location}\n", printable(identity)));
    }
    if out.is_empty() && !tried.is_empty() {
        let places: Vec<&str> = tried.iter().map(|place| place.location.as_str()).collect();
        out.push_str(&format!("no age identity found in {}\n", places.join(", ")));
    }
    for place in tried {
        if let Some(problem) = &place.problem {
            out.push_str(&format!("not usable: {}\n", printable(problem)));
        }
    }
    for (key, problem) in problems(tried, refusals) {
        out.push_str(&format!("not opened: {}: {}\n", printable(&names.shown(key)), printable(problem)));
    }
    out.push_str("the file can be opened by:");
    for recipient in recipients.iter().take(LISTED) {
        out.push_str(&format!("\n  {}", printable(&names.shown(recipient))));
    }
    if recipients.len() > LISTED {
        out.push_str(&format!("\n  and {} more", recipients.len() - LISTED));
    }
    out
}

/// What stood in the way of which key: each thing once, and not what is said of
/// an identity already.
fn problems<'r>(tried: &[Tried], refusals: &[&'r Refusal]) -> Vec<(&'r str, &'r str)> {
    let mut problems: Vec<(&str, &str)> = Vec::new();
    for refusal in refusals {
        let Some(problem) = &refusal.problem else { continue };
        let said = tried.iter().flat_map(|place| &place.identities).any(|it| it.contains(problem.as_str()));
        if !said && problems.iter().all(|(_, known)| known != problem) {
            problems.push((&refusal.key, problem));
        }
    }
    problems
}

/// What a question without a person says, in every key source's words.
pub const NOBODY_TO_ASK: &str = "there is no terminal to ask on";

/// What to do where a question reached nobody.
pub fn advice_to_be_asked(refusals: &[&Refusal]) -> Option<String> {
    let unasked = |refusal: &&Refusal| refusal.reasons.iter().any(|reason| reason.contains(NOBODY_TO_ASK));
    refusals.iter().any(unasked).then(|| {
        "a passphrase or PIN is wanted: run it on a terminal, or name a program that asks for it: --askpass \
         PROGRAM, or SSH_ASKPASS with SSH_ASKPASS_REQUIRE=force"
            .to_owned()
    })
}

/// What a person can do about it, one remedy a line. `default_file` is where
/// identities are looked for without being asked.
pub fn advice(tried: &[Tried], recipients: &[&str], default_file: &str) -> Vec<String> {
    let mut advice = Vec::new();
    let mut own = tried.iter().flat_map(|place| &place.identities);
    if recipients.iter().any(|recipient| recipient.starts_with("ssh-")) {
        advice.push(
            "if one of these is yours, put its identity into the file that SOPS_AGE_KEY_FILE names, or name \
             the SSH key in SOPS_AGE_SSH_PRIVATE_KEY_FILE"
                .to_owned(),
        );
    } else {
        advice.push(format!(
            "if one of these is yours, put its identity into {default_file}, or into the file that \
             SOPS_AGE_KEY_FILE names"
        ));
    }
    match own.next() {
        Some(public) if own.next().is_none() && recipient_kind(public).is_ok() => advice.push(format!(
            "if not, ask somebody who can open the file to add {} to its recipients",
            printable(public)
        )),
        Some(_) => {
            advice.push(
                "if not, ask somebody who can open the file to add your public key to its recipients"
                    .to_owned(),
            );
        }
        None => advice.push("no identity yet? `leaflock init` makes one".to_owned()),
    }
    let mut plugins: Vec<&str> = recipients
        .iter()
        .filter(|recipient| recipient_kind(recipient) == Ok(RecipientKind::Plugin))
        .filter_map(|recipient| plugin_of_recipient(recipient))
        .collect();
    plugins.sort_unstable();
    plugins.dedup();
    for name in plugins {
        advice.push(format!(
            "age1{name}1… keys are opened by the program age-plugin-{name}, with an identity \
             AGE-PLUGIN-{}-1… of yours",
            name.to_ascii_uppercase()
        ));
    }
    advice
}

fn status(good: bool, colour: bool) -> &'static str {
    match (good, colour) {
        (true, false) => "SUCCESS",
        (true, true) => "\u{1b}[32mSUCCESS\u{1b}[0m",
        (false, false) => "FAILED",
        (false, true) => "\u{1b}[31mFAILED\u{1b}[0m",
    }
}

fn push_refusal(out: &mut String, refusal: &Refusal, names: &Names, colour: bool) {
    let name = names.of(&refusal.key).filter(|name| !refusal.key.ends_with(name));
    let name = name.map(|name| format!(" ({})", printable(name))).unwrap_or_default();
    out.push_str(&format!("  {}: {}{name}\n", printable(&refusal.key), status(false, colour)));
    for (attempt, reason) in refusal.reasons.iter().enumerate() {
        if attempt > 0 {
            out.push_str("    \n");
        }
        for (number, line) in wrapped(reason, REASON_COLUMNS).split('\n').enumerate() {
            out.push_str(if number == 0 { "    - | " } else { "      | " });
            out.push_str(&printable(line));
            out.push('\n');
        }
    }
}

fn trailer(threshold: usize, recovered: usize) -> String {
    if threshold == 0 {
        return "Recovery failed because no master key was able to decrypt the file. In order for \
                SOPS to recover the file, at least one key has to be successful, but none were."
            .to_owned();
    }
    format!(
        "Recovery failed because the file was encrypted with a Shamir threshold of {threshold}, but \
         only {recovered} part(s) were successfully recovered, one for each successful key group. In \
         order for SOPS to recover the file, at least {threshold} groups have to be successful. In \
         order for a group to be successful, decryption has to succeed with any of the keys in that \
         key group."
    )
}

/// A file's own text must not steer a terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Greedy wrapping as the Go library of sops does it: breaks at blanks, keeps
/// runs of blanks inside a line, never breaks a word, counts characters.
fn wrapped(text: &str, columns: usize) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / columns + 1);
    for (number, line) in text.split('\n').enumerate() {
        if number > 0 {
            out.push('\n');
        }
        wrap_line(&mut out, line, columns);
    }
    out
}

fn wrap_line(out: &mut String, line: &str, columns: usize) {
    let is_blank = |c: char| c.is_whitespace() && c != '\u{a0}';
    let mut column = 0;
    let mut rest = line;
    while !rest.is_empty() {
        let word_start = rest.find(|c| !is_blank(c)).unwrap_or(rest.len());
        let (blanks, after) = rest.split_at(word_start);
        let word_end = after.find(is_blank).unwrap_or(after.len());
        let (word, next) = after.split_at(word_end);
        let gap = blanks.chars().count();
        let length = word.chars().count();
        let overflows = column + gap + length > columns;
        if overflows && (word.is_empty() || column + gap > 1) {
            if !word.is_empty() {
                out.push('\n');
            }
            column = 0;
        } else {
            out.push_str(blanks);
            column += gap;
        }
        out.push_str(word);
        column += length;
        rest = next;
    }
}
