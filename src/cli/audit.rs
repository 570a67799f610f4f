//! `leaflock audit show`, `tail`, `export`, `verify` and `checkpoint`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Parser;
use serde_json::{Value, json};

use super::argv::fields::{flags, words};
use super::envelope::code::Code;
use super::envelope::{Action as Next, Answer};
use super::output::one_line;
use super::report::{Failure, Usage};
use super::{Cli, wire};
use crate::app::audit::checkpoint;
use crate::app::audit::show::{Filter, Line, Outcome as Found, PathFilter, run as show_entries};
use crate::app::audit::verify::{Outcome as Verified, Request as Wanted, run as verify_log};
use crate::app::request::Notice;
use crate::domain::agent::audit::chain::Finding;
use crate::domain::agent::audit::entry::{Action, Entry, Outcome, Reason};
use crate::domain::agent::audit::export;
use crate::domain::agent::denial::DenyCode;
use crate::domain::agent::pattern::NamePattern;

/// Which entries are wanted.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "Filters")]
pub struct Filters {
    /// Entries of this principal; `*` is one part of a name, `**` any number
    #[arg(long, value_name = "NAME")]
    pub agent: Vec<String>,
    /// Entries of this file or secret, as a policy names them
    #[arg(long, value_name = "PATH")]
    pub path: Vec<String>,
    /// Not before this time (UTC): 2026-11-22 or 2026-11-22T13:00
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Not after it; a day counts to its end
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// granted, ok, denied or failed
    #[arg(long, value_name = "OUTCOME", value_parser = ["granted", "ok", "denied", "failed"], hide_possible_values = true)]
    pub outcome: Vec<String>,
    /// What was done: decrypt, get, set, exec.start, …
    #[arg(long, value_name = "ACTION")]
    pub action: Vec<String>,
}

flags!(Filters { agent "agent" "", path "path" "", since "since" "", until "until" "", outcome "outcome" "", action "action" "" });

impl Filters {
    /// The meaning.
    fn resolve(self) -> Result<Filter, Usage> {
        let agent = |text: &String| {
            NamePattern::parse(text)
                .map_err(|error| Usage::new(format!("--agent: {error}")).hint(error.advice))
        };
        let path = |text: &String| {
            PathFilter::parse(text)
                .ok_or_else(|| Usage::new("--path: this is neither a file nor the path of a secret"))
        };
        Ok(Filter {
            agents: self.agent.iter().map(agent).collect::<Result<_, _>>()?,
            paths: self.path.iter().map(path).collect::<Result<_, _>>()?,
            since: self.since.map(|text| time(text, "--since")).transpose()?,
            until: self.until.map(|text| time(text, "--until")).transpose()?,
            outcomes: listed(
                &self.outcome,
                "--outcome",
                Outcome::parse,
                Outcome::ALL.iter().map(|one| one.as_str()),
            )?,
            actions: listed(
                &self.action,
                "--action",
                Action::parse,
                Action::ALL.iter().map(|one| one.as_str()),
            )?,
        })
    }
}

/// The words of a list, each of which must be known.
fn listed<T>(
    words: &[String],
    flag: &str,
    parse: fn(&str) -> Option<T>,
    known: impl Iterator<Item = &'static str> + Clone,
) -> Result<Vec<T>, Usage> {
    let one = |word: &String| {
        parse(word).ok_or_else(|| {
            let all: Vec<&str> = known.clone().collect();
            Usage::new(format!("{flag} has no such value")).hint(format!("there are {}", all.join(", ")))
        })
    };
    words.iter().map(one).collect()
}

/// A time, or the beginning of one, in RFC 3339 and UTC.
pub(super) fn time(text: String, flag: &str) -> Result<String, Usage> {
    const PATTERN: &str = "0000-00-00T00:00:00.000Z";
    let fits = |(given, pattern): (char, char)| match pattern {
        '0' => given.is_ascii_digit(),
        other => given == other,
    };
    let text = text.replace(' ', "T");
    let whole = text.strip_suffix('Z').unwrap_or(&text);
    if whole.len() >= 4 && whole.len() < PATTERN.len() && whole.chars().zip(PATTERN.chars()).all(fits) {
        return Ok(whole.to_owned());
    }
    Err(Usage::new(format!("{flag} is no time")).hint("write it in UTC, as 2026-11-22 or 2026-11-22T13:00"))
}

/// Show who opened what, when and why
///
/// Reads the entries of all writers that the work tree and this clone hold, and shows
/// them by time. It does not verify them: `leaflock audit verify` does.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "audit show", override_usage = "leaflock audit show [OPTIONS]", after_help = SHOW_EXAMPLES)]
pub struct Show {
    /// Answer in one JSON object [env: LEAFLOCK_OUTPUT=json]
    #[arg(long)]
    pub json: bool,
    /// Which entries.
    #[command(flatten)]
    pub filters: Filters,
}

flags!(Show { json "json" "" } filters);
words!(Show, 0);

const SHOW_EXAMPLES: &str = "\
Examples:
  leaflock audit show --agent 'ops/**' --since 2026-11-01
  leaflock audit show --path databases.postgres --outcome denied
  leaflock audit show --json | jq '.result.entries[].file'";

/// Answers `audit show`.
pub fn show(arguments: Show, cli: &mut Cli) -> Result<Answer, Failure> {
    let filter = arguments.filters.resolve()?;
    wire::with_deps(&cli.env, |deps| Ok(entries(show_entries(deps, &filter, None)?)))
}

/// Show the last entries
///
/// As `leaflock audit show`, the last 10 of them.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "audit tail", override_usage = "leaflock audit tail [-n N] [OPTIONS]", after_help = TAIL_EXAMPLES)]
pub struct Tail {
    /// How many entries [default: 10]
    #[arg(short = 'n', long = "lines", value_name = "N")]
    pub lines: Option<i64>,
    /// Answer in one JSON object [env: LEAFLOCK_OUTPUT=json]
    #[arg(long)]
    pub json: bool,
    /// Which entries.
    #[command(flatten)]
    pub filters: Filters,
}

flags!(Tail { lines "lines" "n", json "json" "" } filters);
words!(Tail, 0);

const TAIL_EXAMPLES: &str = "\
Examples:
  leaflock audit tail
  leaflock audit tail -n 50 --outcome denied";

/// Answers `audit tail`.
pub fn tail(arguments: Tail, cli: &mut Cli) -> Result<Answer, Failure> {
    const LAST: i64 = 10;
    let filter = arguments.filters.resolve()?;
    let last = usize::try_from(arguments.lines.unwrap_or(LAST))
        .map_err(|_| Usage::new("-n is a number of entries, 0 or more"))?;
    wire::with_deps(&cli.env, |deps| Ok(entries(show_entries(deps, &filter, Some(last))?)))
}

/// Print entries for other programs
///
/// jsonl prints the lines as they stand in the log, signatures included; csv prints
/// one record an entry, with names of columns. Neither verifies them.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "audit export", override_usage = "leaflock audit export [--format jsonl|csv] [OPTIONS]", after_help = EXPORT_EXAMPLES)]
pub struct Export {
    /// jsonl or csv [default: jsonl]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<String>,
    /// Answer in one JSON object [env: LEAFLOCK_OUTPUT=json]
    #[arg(long)]
    pub json: bool,
    /// Which entries.
    #[command(flatten)]
    pub filters: Filters,
}

flags!(Export { format "format" "", json "json" "" } filters);
words!(Export, 0);

const EXPORT_EXAMPLES: &str = "\
Examples:
  leaflock audit export --format csv > accesses.csv
  leaflock audit export --since 2026-11-01 | jq -r .agent_id | sort | uniq -c";

/// Answers `audit export`.
pub fn export(arguments: Export, cli: &mut Cli) -> Result<Answer, Failure> {
    let is_csv = match arguments.format.as_deref() {
        None | Some("" | "jsonl") => false,
        Some("csv") => true,
        Some(_) => return Err(Usage::new("--format is jsonl or csv").into()),
    };
    let filter = arguments.filters.resolve()?;
    wire::with_deps(&cli.env, |deps| {
        let found = show_entries(deps, &filter, None)?;
        let mut text = if is_csv { export::header() } else { String::new() };
        for line in &found.lines {
            match is_csv {
                true => text.push_str(&export::csv(&line.entry)),
                false => {
                    text.push_str(&line.text);
                    text.push('\n');
                }
            }
        }
        Ok(Answer { text, ..entries(found) })
    })
}

/// Entries in both forms.
fn entries(found: Found) -> Answer {
    let mut text = String::new();
    for Line { entry, .. } in &found.lines {
        let _ = writeln!(text, "{}", told(entry, &found.owners));
    }
    let objects: Vec<Value> =
        found.lines.iter().filter_map(|line| serde_json::from_str(&line.text).ok()).collect();
    let result = json!({ "entries": objects, "unreadable": found.unreadable, "owners": found.owners });
    let answer = Answer::new(text, result);
    match found.unreadable {
        0 => answer,
        count => answer
            .with_warnings([Notice::warning(format!(
                "{} of the log cannot be relied on",
                counted(count, "line", "lines")
            ))
            .with_hint("`leaflock audit verify` tells which")])
            .then(Next::leaflock(["audit", "verify", "--json"], "tells what is wrong with the log")),
    }
}

/// An entry in one line.
fn told(entry: &Entry, owners: &BTreeMap<String, String>) -> String {
    let time = entry.timestamp.get(..19).unwrap_or(&entry.timestamp).replace('T', " ");
    let who = entry.agent_id.as_deref().unwrap_or("?");
    let mut line = format!("{time}  {who}");
    if entry.actor.asserted {
        let _ = write!(line, " (by {})", owners.get(&entry.actor.key).unwrap_or(&entry.actor.key));
    }
    let _ = write!(line, "  {}  {}", entry.action.as_str(), entry.outcome.as_str());
    if let Some(code) = entry.deny_code {
        let _ = write!(line, " ({code})");
    }
    let mut add = |text: &str| {
        line.push_str("  ");
        line.push_str(text);
    };
    if let Some(file) = &entry.file {
        add(file);
    }
    for path in &entry.secret_path {
        add(path);
    }
    if let Some(target) = &entry.target {
        let exit = target.exit.map(|exit| format!(", exit {exit}")).unwrap_or_default();
        add(&format!("[{}, {}{exit}]", target.program, counted(target.arguments, "argument", "arguments")));
    }
    if let Some(reason) = entry.reason.as_ref().map(Reason::as_str) {
        add(&format!("\"{reason}\""));
    }
    one_line(&line)
}

/// Find out whether the log is what was written
///
/// Checks every line of every writer, the files against what git's history and this
/// clone's own chain hold, and the heads that checkpoints and other writers signed.
/// For each file it names the first line that is wrong, and what was done to it.
/// Ends with exit code 5 if something is wrong.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "audit verify", override_usage = "leaflock audit verify [OPTIONS]", after_help = VERIFY_EXAMPLES)]
pub struct Verify {
    /// A checkpoint that is kept outside of the repository; repeatable
    #[arg(long, value_name = "FILE")]
    pub checkpoint: Vec<PathBuf>,
    /// Answer in one JSON object [env: LEAFLOCK_OUTPUT=json]
    #[arg(long)]
    pub json: bool,
}

flags!(Verify { checkpoint "checkpoint" "", json "json" "" });
words!(Verify, 0);

const VERIFY_EXAMPLES: &str = "\
Examples:
  leaflock audit verify
  leaflock audit verify --checkpoint ~/checkpoints/20261122T130000Z-5f3a91c0.json";

/// Answers `audit verify`.
pub fn verify(arguments: Verify, cli: &mut Cli) -> Result<Answer, Failure> {
    let wanted = Wanted { checkpoints: arguments.checkpoint };
    wire::with_deps(&cli.env, |deps| Ok(judged(&verify_log(deps, &wanted)?)))
}

/// A number of things, in words.
fn counted(count: usize, one: &str, more: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { more })
}

fn judged(found: &Verified) -> Answer {
    let Verified { verdict, checkpoints, .. } = found;
    let mut text = String::new();
    for finding in &verdict.findings {
        let _ = writeln!(text, "{}", finding_text(finding));
    }
    let entries: u64 = verdict.writers.iter().filter_map(|state| Some(state.head.as_ref()?.seq)).sum();
    let counts = [
        counted(verdict.writers.len(), "writer", "writers"),
        counted(usize::try_from(entries).unwrap_or(usize::MAX), "entry", "entries"),
        counted(*checkpoints, "checkpoint", "checkpoints"),
    ]
    .join(", ");
    let wrong = verdict.findings.len();
    let _ = match wrong {
        0 => writeln!(text, "the log is whole: {counts}"),
        _ => writeln!(
            text,
            "the log is not what was written: {} ({counts})",
            counted(wrong, "finding", "findings")
        ),
    };
    let writers: Vec<Value> = verdict
        .writers
        .iter()
        .map(|state| {
            json!({
                "writer": state.writer,
                "agent_id": state.agent,
                "seq": state.head.as_ref().map(|head| head.seq),
                "head": state.head.as_ref().map(|head| head.digest.clone()),
                "unpublished": state.unpublished,
            })
        })
        .collect();
    let findings: Vec<Value> = verdict
        .findings
        .iter()
        .map(|finding| {
            json!({
                "kind": finding.kind.as_str(),
                "writer": finding.writer,
                "file": finding.file,
                "line": finding.line,
                "detail": finding.detail,
            })
        })
        .collect();
    let result = json!({ "findings": findings, "writers": writers, "checkpoints": checkpoints });
    let answer = Answer::new(text, result).with_warnings(verdict.notes.iter().map(Notice::note));
    match wrong {
        0 => answer,
        _ => answer.but(Code::Refused(DenyCode::AuditMismatch), "the log is not what was written"),
    }
}

/// `file:line: kind: what was found`.
fn finding_text(finding: &Finding) -> String {
    let line = finding.line.map(|line| format!(":{line}")).unwrap_or_default();
    format!("{}{line}: {}: {}", finding.file, finding.kind.as_str(), finding.detail)
}

/// Sign the heads of all chains
///
/// Verifies the log, then signs how far each writer's chain goes, by the key of an
/// administrator or auditor. What is cut off or written anew below a checkpoint
/// contradicts it. Commit the file, or keep it where the writers cannot reach it.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "audit checkpoint", override_usage = "leaflock audit checkpoint [OPTIONS]", after_help = CHECKPOINT_EXAMPLES)]
pub struct Checkpoint {
    /// Answer in one JSON object [env: LEAFLOCK_OUTPUT=json]
    #[arg(long)]
    pub json: bool,
}

flags!(Checkpoint { json "json" "" });
words!(Checkpoint, 0);

const CHECKPOINT_EXAMPLES: &str = "\
Examples:
  leaflock audit checkpoint && git add .leaflock/audit && git commit -m 'Checkpoint'";

/// Answers `audit checkpoint`.
pub fn checkpoint(_arguments: Checkpoint, cli: &mut Cli) -> Result<Answer, Failure> {
    wire::with_deps(&cli.env, |deps| {
        let made = checkpoint::run(deps)?;
        let path = made.path.display().to_string();
        let count = made.checkpoint.writers.len();
        let result = json!({ "file": path, "signer": made.checkpoint.signer, "writers": count });
        let text = format!(
            "{path}: the heads of {}, signed by {}\n",
            counted(count, "writer", "writers"),
            made.checkpoint.signer
        );
        Ok(Answer::new(text, result)
            .then(Next::leaflock(["audit", "verify", "--json"], "compares the log with its checkpoints")))
    })
}
