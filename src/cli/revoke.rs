//! `leaflock revoke`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Parser;
use serde_json::{Value, json};

use super::args::Reading;
use super::argv::fields::{flags, words};
use super::keychange::{self, Screen};
use super::output::escape;
use super::report::{Failure, Usage};
use super::{Cli, args, exit, files, wire};
use crate::app::Deps;
use crate::app::error::Error;
use crate::app::exposure::{Exposure, Secret, State};
use crate::app::rekey_batch;
use crate::app::repository::Commit;
use crate::app::revoke::{self as use_case, Request, Revocation};

/// Take somebody's key out of every file, and list what he could ever read
///
/// The key goes out of .sops.yaml and of every encrypted file, each of which gets
/// a new data key: all of it happens, or nothing. Then every secret is listed that
/// the key could ever read according to the history of git, with the first and the
/// last commit, and whether it changed since: whoever knew a value knows it still,
/// until it is changed where it comes from. --check lists them again later, and
/// ends with exit code 1 as long as one of them is unchanged.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "revoke", override_usage = "leaflock revoke [OPTIONS] RECIPIENT|NAME [PATH…]\n       leaflock revoke --check [--json] RECIPIENT|NAME [PATH…]\n       leaflock revoke --continue|--abort", after_help = EXAMPLES)]
pub struct Arguments {
    /// The key or the name, then files, directories and patterns [default: all that git tracks here]
    #[arg(value_name = "RECIPIENT|NAME")]
    pub words: Vec<PathBuf>,
    /// Change nothing; list what is still to be changed
    #[arg(long)]
    pub check: bool,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Show what would change, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Write files although they have recipients that their rule does not list
    #[arg(long)]
    pub accept_recipients: bool,
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
    check "check" "", yes "yes" "y", dry_run "dry-run" "", json "json" "",
    accept_recipients "accept-recipients" "", go_on "continue" "", abort "abort" ""
} reading);

words!(Arguments, usize::MAX, words);

const EXAMPLES: &str = "\
Examples:
  leaflock revoke --dry-run 'Bob Example'
  leaflock revoke age1… config/
  leaflock revoke --check --json 'Bob Example' | jq -r '.secrets[].key'";

/// Revokes a key, or lists what it could read.
pub fn run(arguments: Arguments, cli: &mut Cli) -> Result<(), Failure> {
    let mut notices = Vec::new();
    let (file, open) = arguments.reading.resolve(cli.mode, &cli.env, &mut notices)?;
    cli.output.notices(&notices);
    let mut screen = Screen::new(&mut cli.output, &cli.env);
    let (go_on, abort) = (arguments.go_on, arguments.abort);
    let mut words = arguments.words.into_iter();
    let wanted = words.next().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
    if wanted.is_empty() && !go_on && !abort {
        let usage = Usage::with_code(exit::NO_FILE, "Error: no recipient specified");
        return Err(usage.hint("name the key that goes, or whose it is").into());
    }
    if arguments.json && !arguments.check && !arguments.yes && !arguments.dry_run {
        return Err(Usage::new("--json cannot ask: add --yes, or --dry-run").into());
    }
    let request = Request {
        wanted,
        paths: words.collect(),
        strangers: args::strangers(arguments.accept_recipients, cli.mode),
        file,
        open,
    };
    let (check, dry, yes, json) = (arguments.check, arguments.dry_run, arguments.yes, arguments.json);
    wire::with_deps(&cli.env, |deps| {
        if go_on || abort {
            return keychange::settle(deps, go_on, abort, &mut screen);
        }
        let report = Report::new(deps, &request)?;
        if check {
            let exposure = use_case::check(deps, &request)?;
            screen.output.text(&report.of(&exposure, None, json))?;
            let open = exposure.secrets.iter().any(|secret| secret.state == State::Unchanged);
            return if open { Err(Failure::Batch { code: exit::GENERIC }) } else { Ok(()) };
        }
        rekey_batch::refuse_unfinished(deps)?;
        let planned = use_case::plan(deps, &request)?;
        screen.output.notices(&planned.notices);
        if !json {
            screen.output.text(&report.plan(&planned))?;
        }
        let changes = !planned.plans.is_empty() || !planned.configs.is_empty();
        if changes && !dry {
            if !yes && !keychange::confirmed(deps, &mut screen)? {
                screen.output.talk("nothing was changed\n");
                return Ok(());
            }
            match use_case::run(deps, &request, &planned) {
                Ok(notices) => screen.output.notices(&notices),
                Err(failed) => return Err(refused(&failed, &mut screen)),
            }
        }
        screen.output.text(&report.of(&planned.exposure, Some((&planned, changes && !dry)), json))
    })
}

fn refused(failed: &[(PathBuf, Error)], screen: &mut Screen<'_>) -> Failure {
    for (path, error) in failed {
        screen.output.talk(&files::failure(path, error));
    }
    screen.output.talk("nothing was changed\n");
    let worst = failed.iter().map(|(_, error)| exit::of_error(error)).max();
    Failure::Batch { code: worst.unwrap_or(exit::GENERIC) }
}

/// How paths and the recipient are shown.
pub struct Report {
    folder: PathBuf,
    wanted: String,
    /// What lists again what is unchanged.
    again: String,
}

impl Report {
    fn new(deps: &Deps<'_>, request: &Request) -> Result<Self, Failure> {
        let folder = deps.files.absolute(Path::new(".")).map_err(Error::Read)?;
        let again = format!("leaflock revoke --check '{}'", request.wanted);
        Ok(Self { folder, wanted: request.wanted.clone(), again })
    }

    /// The same for an agent.
    pub fn of_agent(deps: &Deps<'_>, name: &str) -> Result<Self, Failure> {
        let folder = deps.files.absolute(Path::new(".")).map_err(Error::Read)?;
        Ok(Self { folder, wanted: name.to_owned(), again: format!("leaflock agent exposure {name}") })
    }

    /// A path as it is shown.
    pub fn path(&self, path: &Path) -> String {
        path.strip_prefix(&self.folder).unwrap_or(path).display().to_string()
    }

    /// What is going to change.
    fn plan(&self, planned: &Revocation) -> String {
        let mut text = String::new();
        let mut list = |what: &str, paths: Vec<&Path>| {
            if !paths.is_empty() {
                let _ = writeln!(text, "{what}:");
                for path in paths {
                    let _ = writeln!(text, "    {}", self.path(path));
                }
            }
        };
        let files = planned.plans.iter().map(|plan| plan.path.as_path()).collect();
        list("The key goes, and everything gets a new data key, in", files);
        list("The key goes from", planned.configs.iter().map(|config| config.path.as_path()).collect());
        escape(&text).into_owned()
    }

    /// What could be read, and what was done.
    fn of(&self, exposure: &Exposure, planned: Option<(&Revocation, bool)>, json: bool) -> String {
        if json {
            return format!("{:#}\n", self.as_json(exposure, planned));
        }
        let mut text = String::new();
        if let Some((planned, changed)) = planned {
            let verb = if changed { "changed" } else { "would change" };
            let (files, configs) = (planned.plans.len(), planned.configs.len());
            let files = keychange::count(files, "file");
            let _ = writeln!(text, "{files} and {} {verb}", keychange::count(configs, "config"));
        }
        self.secrets(exposure, &mut text);
        escape(&text).into_owned()
    }

    /// What could be read, for people.
    pub fn secrets(&self, exposure: &Exposure, text: &mut String) {
        let keys: Vec<String> = exposure.keys.iter().map(|key| exposure.names.shown(key)).collect();
        if !exposure.has_history {
            text.push_str("No git repository is here: only what the files hold now is listed\n");
        }
        if exposure.secrets.is_empty() {
            let _ = writeln!(text, "No secret could ever be read with {}", self.wanted);
            return;
        }
        let _ = writeln!(text, "What could ever be read with {}:", keys.join(", "));
        let mut file: Option<&Path> = None;
        for secret in &exposure.secrets {
            if file != Some(&secret.path) {
                let _ = writeln!(text, "  {}", self.path(&secret.path));
                file = Some(&secret.path);
            }
            let others = if secret.alone { "" } else { ", with the keys of others" };
            let _ = writeln!(
                text,
                "    {}  {} to {}  {}{others}",
                secret.key,
                when(secret.first.as_ref()),
                when(secret.last.as_ref()),
                word(secret.state)
            );
        }
        let count = |state| exposure.secrets.iter().filter(|secret| secret.state == state).count();
        let (unchanged, unknown, all) =
            (count(State::Unchanged), count(State::Unknown), exposure.secrets.len());
        if unchanged > 0 {
            let _ = writeln!(
                text,
                "{unchanged} of {all} are unchanged: change them where they come from.\n`{}` lists them until \
                 they are",
                self.again
            );
        } else if unknown == 0 {
            let _ = writeln!(text, "All {all} were changed or removed since");
        }
        if unknown > 0 {
            let _ = writeln!(text, "{unknown} cannot be compared with the keys of this machine");
        }
    }

    /// What could be read, for programs.
    pub fn as_json(&self, exposure: &Exposure, planned: Option<(&Revocation, bool)>) -> Value {
        let commit = |commit: Option<&Commit>| commit.map(|it| json!({ "commit": it.id, "date": it.date }));
        let secret = |secret: &Secret| {
            json!({
                "path": self.path(&secret.path),
                "key": secret.key,
                "first": commit(secret.first.as_ref()),
                "last": commit(secret.last.as_ref()),
                "state": word(secret.state),
                "alone": secret.alone,
            })
        };
        let keys: Vec<Value> =
            exposure.keys.iter().map(|key| json!({ "key": key, "name": exposure.names.of(key) })).collect();
        let secrets: Vec<Value> = exposure.secrets.iter().map(secret).collect();
        let mut all =
            json!({ "version": 1, "recipient": keys, "history": exposure.has_history, "secrets": secrets });
        if let Some((planned, changed)) = planned {
            let files: Vec<String> = planned.plans.iter().map(|plan| self.path(&plan.path)).collect();
            let configs: Vec<String> = planned.configs.iter().map(|it| self.path(&it.path)).collect();
            all["files"] = json!(files);
            all["configs"] = json!(configs);
            all["changed"] = json!(changed);
        }
        all
    }
}

fn word(state: State) -> &'static str {
    match state {
        State::Unchanged => "unchanged",
        State::Changed => "changed",
        State::Removed => "removed",
        State::Unknown => "unknown",
    }
}

/// `2026-01-02 0a1b2c3d4e`
fn when(commit: Option<&Commit>) -> String {
    match commit {
        Some(commit) => {
            let date = commit.date.get(..10).unwrap_or(&commit.date);
            format!("{date} {}", commit.id.get(..10).unwrap_or(&commit.id))
        }
        None => "not committed".to_owned(),
    }
}
