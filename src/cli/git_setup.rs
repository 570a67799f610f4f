//! `leaflock git setup`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Parser;

use super::args::{General, InputType};
use super::argv::fields::{flags, words};
use super::env::Variable;
use super::output::escape;
use super::report::{Failure, Usage};
use super::{Cli, exit, wire};
use crate::app::Deps;
use crate::app::error::Error;
use crate::app::git_setup::hook::Advice;
use crate::app::git_setup::{Change, Plan, Request, plan, run as use_case};
use crate::app::ports::PromptError;

/// Teach git of this repository about encrypted files
///
/// Diffs show values instead of ciphertext, merges go key by key, and no commit
/// holds a secret in plain text: lines of .gitattributes for the files that the
/// rules of .sops.yaml match, settings of this clone (never those of the user), and
/// a pre-commit hook beside what is there already. Shows everything first. A second
/// call changes nothing, or renews what is out of date; --remove takes all of it
/// away, to the last byte. Clones without it work as before.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "git setup", override_usage = "leaflock git setup [OPTIONS] [DIRECTORY]", after_help = EXAMPLES)]
pub struct Arguments {
    /// The repository [default: that of the current folder]
    #[arg(value_name = "DIRECTORY")]
    pub directory: Option<PathBuf>,
    /// Take everything away again
    #[arg(long)]
    pub remove: bool,
    /// Plaintext in the work tree, ciphertext in git: files are decrypted when they are checked out
    #[arg(long)]
    pub filter: bool,
    /// Ciphertext in the work tree again
    #[arg(long)]
    pub no_filter: bool,
    /// Show what would change, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// General flags.
    #[command(flatten)]
    pub general: General,
}

flags!(Arguments { remove "remove" "", filter "filter" "", no_filter "no-filter" "", dry_run "dry-run" "", yes "yes" "y" } general);

words!(Arguments, 1, directory);

const EXAMPLES: &str = "\
Examples:
  leaflock git setup
  leaflock git setup --dry-run
  leaflock git setup --filter
  leaflock git setup --yes --remove";

/// Sets the repository up, or takes everything away.
pub fn run(arguments: Arguments, cli: &mut Cli) -> Result<(), Failure> {
    let file = cli.file_options(arguments.general, InputType::default())?;
    let filter = match (arguments.filter, arguments.no_filter, arguments.remove) {
        (true, true, _) | (true, _, true) => {
            let message = "--filter and what takes it away exclude each other";
            return Err(Usage::with_code(exit::CONFLICT, message).into());
        }
        (true, ..) => Some(true),
        (_, true, _) => Some(false),
        _ => None,
    };
    let search_path = cli.env.get(Variable::Path).unwrap_or_default();
    wire::with_deps(&cli.env, |deps| {
        let working = deps.files.absolute(Path::new(".")).map_err(Error::Read)?;
        let folder = arguments.directory.unwrap_or_else(|| working.clone());
        let request = Request { folder, remove: arguments.remove, filter, search_path, file };
        let plan = plan(deps, &request)?;
        cli.output.notices(&plan.notices);
        cli.output.text(&escape(&render(&plan, &working)))?;
        if !plan.changes() {
            return cli.output.text("nothing to change\n");
        }
        if arguments.dry_run {
            return Ok(());
        }
        if !arguments.yes && !confirmed(deps)? {
            cli.output.talk("nothing was changed\n");
            return Ok(());
        }
        use_case(deps, &plan)?;
        cli.output.text("done\n")
    })
}

fn confirmed(deps: &Deps<'_>) -> Result<bool, Failure> {
    match deps.prompt.confirm("Is this okay?") {
        Err(PromptError::NoTerminal { .. }) => Err(Usage::new("there is no terminal to ask on")
            .hint("--yes changes the files without a question, --dry-run shows what would change")
            .into()),
        answer => Ok(answer.map_err(Error::Prompt)?),
    }
}

/// Every file with what happens to it and the lines that are ours, then what is
/// left to the user.
fn render(plan: &Plan, folder: &Path) -> String {
    let mut text = String::new();
    for step in &plan.steps {
        let change = match step.change {
            Change::Kept => "keep",
            Change::Created => "create",
            Change::Added | Change::Renewed => "change",
            Change::Restored => "restore",
            Change::Removed => "remove",
            Change::Locked => "lock",
            Change::Unlocked => "unlock",
        };
        let _ = writeln!(text, "{change:<8} {}", shown(&step.path, folder));
        for line in &step.lines {
            let _ = writeln!(text, "    {line}");
        }
    }
    for Advice { text: why, lines } in &plan.advice {
        let _ = writeln!(text, "yours    {why}");
        for line in lines {
            let _ = writeln!(text, "    {line}");
        }
    }
    text
}

fn shown(path: &Path, folder: &Path) -> String {
    let short: PathBuf = path.strip_prefix(folder).unwrap_or(path).to_owned();
    short.display().to_string()
}
