//! What an agent may be shown of a file that its key opens. `exec` puts a value into its
//! file for programs to have, not for the tool to print; so the commands that show values
//! ask for `read`. This is co-operation: another program shows what the key opens.

use super::authority::Authority;
use super::refusal::not_granted;
use crate::app::error::Error;
use crate::app::request::Intent;
use crate::domain::agent::audit::entry::Action;
use crate::domain::agent::pattern::parse_path;
use crate::domain::agent::policy::{Level, Subject};

/// The levels of which an agent needs one for every value of a file that a command opens;
/// none where nothing of it is shown. `is_for_people` tells SOPS's ways to start a program
/// from ours, which redacts the program's output.
fn levels(action: Action, is_for_people: bool) -> &'static [Level] {
    match action {
        Action::ExecStart if !is_for_people => &[Level::Read, Level::Exec],
        Action::Inspect => &[Level::Read, Level::Exec],
        Action::Decrypt
        | Action::Get
        | Action::ExecStart
        | Action::Edit
        | Action::Diff
        | Action::Textconv
        | Action::Smudge
        | Action::Resolve => &[Level::Read],
        _ => &[],
    }
}

/// Refuses `agent` a file made from `source` with `leaves`, if one of those that are meant
/// is only to be used, or is denied to it.
///
/// # Errors
/// [`Error::Denied`], by the rule that decides.
pub fn check(
    authority: &Authority,
    (agent, source): (&str, &str),
    leaves: &[Vec<String>],
    intent: &Intent,
    is_for_people: bool,
) -> Result<(), Error> {
    let levels = levels(intent.action, is_for_people);
    // One value is shown; a program gets what its words mean, which may be no paths.
    let shows_one = matches!(intent.action, Action::Get | Action::Inspect);
    let meant: Vec<Vec<String>> = match shows_one {
        true => intent.secrets.iter().filter_map(|secret| parse_path(secret).ok()).collect(),
        false => Vec::new(),
    };
    let is_meant = |leaf: &&Vec<String>| meant.is_empty() || meant.iter().any(|path| leaf.starts_with(path));
    let scope = authority.policy.scope(&authority.revocations, agent, source);
    for leaf in leaves.iter().filter(is_meant) {
        let decision = scope.decide(leaf);
        let is_shown = levels.is_empty() || levels.iter().any(|level| decision.levels.has(*level));
        // Of what no rule speaks, its key alone decides: it is a recipient of the source.
        let is_ruled = decision.levels.has(Level::Exec)
            || levels.iter().any(|it| decision.because(*it).rule().is_some());
        if !is_shown && is_ruled {
            let subject = Subject { agent, source, path: leaf };
            return Err(not_granted(&subject, &decision, levels));
        }
    }
    Ok(())
}
