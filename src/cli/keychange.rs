//! What `updatekeys`, `rotate` and `groups` share: the plan for many files as
//! people and programs read it, one question, and what became of it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;

use super::argv::fields::flags;
use super::env::{Environment, Variable};
use super::files;
use super::output::Output;
use super::report::{Failure, Usage};
use super::{Mode, exit};
use crate::app::Deps;
use crate::app::batch::{self, Finished};
use crate::app::error::Error;
use crate::app::names;
use crate::app::rekey::KeyPlan;
use crate::app::rekey_batch::{self, Planned, Planner, Settled};
use crate::app::request::{FileOptions, Notice, OpenOptions};
use crate::domain::keys::access::AccessChange;
use crate::domain::keys::kinds::KeySpec;
use crate::domain::keys::names::Names;

/// Flags of a change of many files.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Many files (all of them change, or none)")]
pub struct Many {
    /// Every encrypted file that git tracks here
    #[arg(long)]
    pub all: bool,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Show what would change, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Show it as JSON
    #[arg(long)]
    pub json: bool,
    /// Finish what a call that was killed began
    #[arg(long = "continue")]
    pub go_on: bool,
    /// Undo what a call that was killed began
    #[arg(long)]
    pub abort: bool,
    /// Whoever loses access keeps the data key, and reads what is added later
    #[arg(long)]
    pub keep_data_key: bool,
}

flags!(Many {
    all "all" "", yes "yes" "y", dry_run "dry-run" "", json "json" "", go_on "continue" "", abort "abort" "",
    keep_data_key "keep-data-key" ""
});

/// A change of keys as it was asked for.
pub struct Change<'c> {
    /// The command.
    pub command: &'static str,
    /// Its flags.
    pub many: &'c Many,
    /// The files as they were typed.
    pub files: &'c [PathBuf],
    /// Formats and config.
    pub file: &'c FileOptions,
    /// Keys.
    pub open: &'c OpenOptions,
}

impl Change<'_> {
    /// True when it is about more than one named file.
    pub fn is_for_many(&self, deps: &Deps<'_>, mode: Mode) -> bool {
        let Many { all, go_on, abort, dry_run, json, .. } = self.many;
        *all || *go_on
            || *abort
            || (mode == Mode::Leaflock && (*dry_run || *json || batch::is_batch(deps.files, self.files)))
    }

    /// Plans, asks, and changes all files or none.
    pub fn run(
        &self,
        deps: &Deps<'_>,
        screen: &mut Screen<'_>,
        planner: &Planner<'_>,
    ) -> Result<(), Failure> {
        if self.many.go_on || self.many.abort {
            return settle(deps, self.many.go_on, self.many.abort, screen);
        }
        if !self.many.all && self.files.is_empty() {
            files::required(None)?;
        }
        rekey_batch::refuse_unfinished(deps)?;
        let mut items = if self.many.all { rekey_batch::all(deps)? } else { Vec::new() };
        if !self.files.is_empty() {
            items.extend(batch::expand(deps.files, self.files)?);
        }
        let planned = rekey_batch::plan(deps, items, planner);
        self.report(screen, &planned)?;
        let plans: Vec<&KeyPlan> = planned.iter().filter_map(changing).collect();
        self.show(deps, screen, &planned)?;
        let (others, skipped) = rest(&planned);
        if plans.is_empty() || self.many.dry_run {
            if plans.is_empty() && !self.many.json {
                screen.output.talk(&format!("nothing to change{others}{skipped}\n"));
            }
            return Ok(());
        }
        if !self.many.yes && !confirmed(deps, screen)? {
            screen.output.talk("nothing was changed\n");
            return Ok(());
        }
        match rekey_batch::change(deps, self.command, &plans, &[], self.file, self.open) {
            Ok(notices) => {
                screen.output.notices(&notices);
                let done = count(plans.len(), "file");
                screen.output.talk(&format!("{done} changed{others}{skipped}\n"));
                Ok(())
            }
            Err(failed) => {
                let code =
                    failed.iter().map(|(_, error)| exit::of_error(error)).max().unwrap_or(exit::GENERIC);
                for (path, error) in failed {
                    screen.output.talk(&files::failure(&path, &error));
                }
                screen.output.talk("nothing was changed\n");
                Err(Failure::Batch { code })
            }
        }
    }

    /// Lists the files that no plan could be made for: then nothing is changed.
    fn report(&self, screen: &mut Screen<'_>, planned: &[Finished<Planned>]) -> Result<(), Failure> {
        let mut worst = None;
        for file in planned {
            match &file.result {
                Ok(Planned::Plan(_, notices)) => notices.iter().for_each(|notice| {
                    let text = format!("{}: {}", file.item.path.display(), notice.text);
                    screen.output.notice(&Notice { text, ..notice.clone() });
                }),
                Ok(Planned::Skipped(_)) => {}
                Err(error) => {
                    worst = worst.max(Some(exit::of_error(error)));
                    screen.output.talk(&files::failure(&file.item.path, error));
                }
            }
        }
        match worst {
            None => Ok(()),
            Some(code) => {
                screen.output.talk("nothing was changed\n");
                Err(Failure::Batch { code })
            }
        }
    }

    fn show(
        &self,
        deps: &Deps<'_>,
        screen: &mut Screen<'_>,
        planned: &[Finished<Planned>],
    ) -> Result<(), Failure> {
        if self.many.json {
            return screen.output.text(&self.json(planned));
        }
        let mut kinds: Vec<(String, Vec<&Path>)> = Vec::new();
        for (file, plan) in planned.iter().filter_map(|file| Some((file, changing(file)?))) {
            let (names, _) = names::of(deps, &plan.path, self.file);
            let text = table(&plan.access, screen, &names);
            let text = if plan.new_data_key { format!("a new data key\n{text}") } else { text };
            match kinds.iter_mut().find(|(known, _)| *known == text) {
                Some((_, paths)) => paths.push(&file.item.path),
                None => kinds.push((text, vec![&file.item.path])),
            }
        }
        let mut text = String::new();
        for (change, paths) in &kinds {
            let _ = writeln!(text, "The following changes will be made to {}:", count(paths.len(), "file"));
            for path in paths {
                let _ = writeln!(text, "    {}", path.display());
            }
            text.push_str(change);
            text.push('\n');
        }
        screen.output.text(&printable(&text))
    }

    fn json(&self, planned: &[Finished<Planned>]) -> String {
        let names =
            |keys: Vec<&KeySpec>| -> Vec<String> { keys.into_iter().map(KeySpec::identity).collect() };
        let files: Vec<serde_json::Value> = planned
            .iter()
            .map(|file| {
                let path = file.item.path.to_string_lossy();
                match &file.result {
                    Ok(Planned::Plan(plan, _)) => serde_json::json!({
                        "path": path,
                        "change": plan.is_change(),
                        "gains": names(plan.access.gains()),
                        "loses": names(plan.access.loses()),
                        "new_data_key": plan.new_data_key,
                    }),
                    Ok(Planned::Skipped(why)) => serde_json::json!({ "path": path, "skipped": why }),
                    Err(_) => serde_json::json!({ "path": path, "failed": true }),
                }
            })
            .collect();
        format!("{}\n", serde_json::json!({ "command": self.command, "files": files }))
    }
}

/// Finishes or undoes what a call that was killed began.
pub fn settle(deps: &Deps<'_>, go_on: bool, abort: bool, screen: &mut Screen<'_>) -> Result<(), Failure> {
    if go_on && abort {
        return Err(Usage::with_code(exit::CONFLICT, "--continue and --abort exclude each other").into());
    }
    let Some(Settled { files, left }) = rekey_batch::settle(deps, go_on)? else {
        return Err(Usage::new("there is nothing to finish or to undo here").into());
    };
    let what = if go_on { "in their new state" } else { "back in their old state" };
    screen.output.talk(&format!("{} {what}\n", count(files.len() - left.len(), "file")));
    for path in &left {
        let text = format!("{} was changed by somebody else and left alone", path.display());
        screen.output.notice(&Notice::warning(text));
    }
    if left.is_empty() { Ok(()) } else { Err(Failure::Batch { code: exit::GENERIC }) }
}

/// Asks on stdout and reads stdin, as SOPS does, because scripts pipe the answer.
pub fn confirmed(deps: &Deps<'_>, screen: &mut Screen<'_>) -> Result<bool, Failure> {
    loop {
        screen.output.text("Is this okay? (y/n):")?;
        match deps.prompt.line().map_err(Error::Prompt)?.as_deref() {
            Some("y") => return Ok(true),
            Some("n") => return Ok(false),
            Some(_) => {}
            None => {
                return Err(Usage::new("EOF").hint("--yes changes the files without a question").into());
            }
        }
    }
}

/// The plan of a file that changes.
fn changing(file: &Finished<Planned>) -> Option<&KeyPlan> {
    match &file.result {
        Ok(Planned::Plan(plan, _)) if plan.is_change() => Some(plan),
        _ => None,
    }
}

/// What is said of the files that stay.
fn rest(planned: &[Finished<Planned>]) -> (String, String) {
    let mut same = 0;
    let mut skipped: Vec<(&str, usize)> = Vec::new();
    for file in planned {
        match &file.result {
            Ok(Planned::Plan(plan, _)) if !plan.is_change() => same += 1,
            Ok(Planned::Skipped(why)) => match skipped.iter_mut().find(|(known, _)| known == why) {
                Some((_, count)) => *count += 1,
                None => skipped.push((why, 1)),
            },
            _ => {}
        }
    }
    let same = if same > 0 { format!(", {same} up to date") } else { String::new() };
    (same, skipped.iter().map(|(why, count)| format!(", {count} skipped ({why})")).collect())
}

/// `1 file`, `2 files`.
pub(super) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Stands for the escape character where text is made safe for a terminal first.
const ESCAPE: &str = "\u{e01b}";

/// Where a change is shown.
pub struct Screen<'o> {
    /// The printer.
    pub output: &'o mut Output,
    /// Colours as SOPS uses them.
    pub colours: bool,
}

impl<'o> Screen<'o> {
    /// With colours where stdout is a terminal and `NO_COLOR` is not set.
    pub fn new(output: &'o mut Output, env: &Environment) -> Self {
        let colours = output.stdout_is_terminal() && env.get(Variable::NoColor).is_none();
        Self { output, colours }
    }

    fn paint(&self, code: u8, text: &str) -> String {
        if self.colours { format!("{ESCAPE}[{code}m{text}{ESCAPE}[0m") } else { text.to_owned() }
    }
}

/// The change of a file's groups in SOPS's table (sops-compat 10.7), with names
/// behind the keys that have one.
pub fn table(access: &AccessChange, screen: &Screen<'_>, names: &Names) -> String {
    const UNDERLINE: u8 = 4;
    const GREEN: u8 = 32;
    const RED: u8 = 31;
    let mut text = String::new();
    let threshold = |sign: &str, count: usize| format!("{sign}shamir_threshold: {count}");
    match (access.old_threshold, access.new_threshold) {
        (Some(old), Some(new)) if old == new => drop(writeln!(text, "{}", threshold("", new))),
        (old, new) => {
            if let Some(new) = new {
                let _ = writeln!(text, "{}", screen.paint(GREEN, &threshold("+++ ", new)));
            }
            if let Some(old) = old {
                let _ = writeln!(text, "{}", screen.paint(RED, &threshold("--- ", old)));
            }
        }
    }
    for (index, group) in access.groups.iter().enumerate() {
        let _ = writeln!(text, "{}", screen.paint(UNDERLINE, &format!("Group {}", index + 1)));
        for key in &group.kept {
            let _ = writeln!(text, "    {}", names.shown(&key.identity()));
        }
        for key in &group.added {
            let _ =
                writeln!(text, "{}", screen.paint(GREEN, &format!("+++ {}", names.shown(&key.identity()))));
        }
        for key in &group.removed {
            let _ = writeln!(text, "{}", screen.paint(RED, &format!("--- {}", names.shown(&key.identity()))));
        }
    }
    text
}

/// The table, safe for a terminal.
pub fn printable(text: &str) -> String {
    super::output::escape(text).replace(ESCAPE, "\u{1b}")
}
