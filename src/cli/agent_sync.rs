//! `leaflock agent sync`.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Parser;
use serde_json::json;

use super::args::{Reading, SigningKey};
use super::argv::fields::{flags, words};
use super::envelope::code::Code;
use super::envelope::{Action, Answer};
use super::keychange::count;
use super::output::one_line;
use super::report::{Failure, Usage};
use super::{Cli, exit, wire};
use crate::app::agent_sync::{self as use_case, Accepted, Outcome, Request, Stale};

/// Make the files that agents read, from the sources and the policy
///
/// What the policy lets a principal have of a source is written to
/// .leaflock/agents/NAME/SOURCE: an ordinary SOPS file with the same keys, for that
/// principal alone, with a data key of its own. The signed manifest lists sources and
/// derived files. All of it changes, or nothing; what need not change keeps its bytes.
/// set, unset, edit, rotate, updatekeys, groups, encrypt -i and revoke do the same for
/// the sources that they change. A source that another program changed or put there is
/// refused until --accept takes it over; at the first sync that is every source, and at a
/// terminal you are asked. --check needs no key: it lists what is out of date, and ends
/// with exit code 1, or 5 where a file is not the one that was signed for.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "agent sync", override_usage = "leaflock agent sync [OPTIONS]\n       leaflock agent sync --check [--json]\n       leaflock agent sync --continue|--abort", after_help = EXAMPLES)]
pub struct Arguments {
    /// Change nothing, open nothing; list what is out of date
    #[arg(long)]
    pub check: bool,
    /// Take over a source, those of a folder, or what .leaflock/revocations.jsonl lost; repeatable
    #[arg(long, value_name = "FILE")]
    pub accept: Vec<String>,
    /// Say what would change, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Signing.
    #[command(flatten)]
    pub signing: SigningKey,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Finish what a call that was killed began
    #[arg(long = "continue")]
    pub go_on: bool,
    /// Undo what a call that was killed began
    #[arg(long)]
    pub abort: bool,
    /// How the files are read.
    #[command(flatten)]
    pub reading: Reading,
}

flags!(Arguments {
    check "check" "", accept "accept" "", dry_run "dry-run" "", json "json" "",
    go_on "continue" "", abort "abort" ""
} signing, reading);

words!(Arguments, 0);

const EXAMPLES: &str = "\
Examples:
  leaflock agent sync
  leaflock agent sync --accept secrets/prod.yaml --dry-run
  leaflock agent sync --check --json | jq -r '.result.stale[].file'";

/// Syncs, or tells what a sync would change.
pub fn run(arguments: Arguments, cli: &mut Cli) -> Result<Answer, Failure> {
    let Arguments { check, accept, dry_run, signing, go_on, abort, reading, .. } = arguments;
    if check && (dry_run || !accept.is_empty()) || go_on && abort {
        let text = "--check, --accept and --dry-run, --continue and --abort exclude each other";
        return Err(Usage::with_code(exit::CONFLICT, text).into());
    }
    let mut notices = Vec::new();
    let (_, open) = reading.resolve(cli.mode, &cli.env, &mut notices)?;
    let signing_key = signing.file();
    let accept = accept.into_iter().map(PathBuf::from).collect();
    let request = Request { accept, dry_run, signing_key, open };
    let answer = wire::with_deps(&cli.env, |deps| {
        if go_on || abort {
            return settled(use_case::settle(deps, go_on)?, go_on);
        }
        if check {
            return Ok(checked(&use_case::check(deps)?));
        }
        Ok(synced(use_case::run(deps, &request)?, dry_run))
    })?;
    Ok(answer.with_warnings(notices))
}

fn settled(settled: Option<(usize, Vec<PathBuf>)>, forward: bool) -> Result<Answer, Failure> {
    let Some((all, left)) = settled else {
        return Err(Usage::new("there is nothing to finish or to undo here").into());
    };
    let what = if forward { "in their new state" } else { "back in their old state" };
    let mut text = format!("{} {what}\n", count(all - left.len(), "file"));
    for path in &left {
        let _ = writeln!(text, "{} was changed by somebody else and left alone", path.display());
    }
    let names: Vec<String> = left.iter().map(|path| path.display().to_string()).collect();
    let answer = Answer::new(text, json!({ "files": all, "left": names }));
    Ok(match left.is_empty() {
        true => answer,
        false => answer.but(Code::Failed, "files that somebody else changed were left alone"),
    })
}

fn checked(found: &[Stale]) -> Answer {
    let mut text = String::new();
    for Stale { file, reason } in found {
        let _ = writeln!(text, "{} {}", one_line(file), reason.text());
    }
    if found.is_empty() {
        text.push_str("everything is up to date\n");
    }
    let stale: Vec<_> =
        found.iter().map(|it| json!({ "file": it.file, "reason": it.reason.as_str() })).collect();
    let answer = Answer::new(text, json!({ "stale": stale }));
    if found.is_empty() {
        return answer;
    }
    let code = use_case::verdict(found).map_or(Code::Findings, Code::Refused);
    answer
        .then(Action::leaflock(["agent", "sync"], "makes the derived files and the manifest anew"))
        .but(code, format!("{} out of date", count(found.len(), "file")))
}

fn synced(outcome: Outcome, dry_run: bool) -> Answer {
    let Outcome { changed, serial, made, removed, kept, sources, accepted, notices } = outcome;
    let (makes, removes, takes) = match dry_run {
        true => ("would make", "would remove", "would take over"),
        false => ("made", "removed", "took over"),
    };
    let mut text = String::new();
    for Accepted { name, changes } in &accepted {
        let _ = writeln!(text, "{takes} {}", one_line(name));
        for (what, key) in changes.iter().flatten() {
            let _ = writeln!(text, "    {key} {}", what.word());
        }
    }
    for (did, name) in made.iter().map(|name| (makes, name)).chain(removed.iter().map(|name| (removes, name)))
    {
        let _ = writeln!(text, "{did} {}", one_line(name));
    }
    let kept_files = if kept > 0 { format!(", {} kept", count(kept, "derived file")) } else { String::new() };
    let _ = match changed {
        false => writeln!(text, "everything is up to date"),
        true if dry_run => writeln!(text, "nothing was changed"),
        true => writeln!(text, "manifest {serial}: {}{kept_files}", count(sources, "source")),
    };
    let accepted: Vec<_> = accepted
        .iter()
        .map(|Accepted { name, changes }| {
            let change = |(what, key): &(_, String)| change_json(*what, key);
            let changes = changes.as_ref().map(|all| all.iter().map(change).collect::<Vec<_>>());
            json!({ "file": name, "changes": changes })
        })
        .collect();
    let result = json!({
        "changed": changed,
        "written": changed && !dry_run,
        "serial": serial,
        "sources": sources,
        "made": made,
        "removed": removed,
        "kept": kept,
        "accepted": accepted,
    });
    Answer::new(text, result).with_warnings(notices)
}

fn change_json(what: crate::domain::diff::ciphertext::What, key: &str) -> serde_json::Value {
    json!({ "key": key, "what": what.word() })
}
