//! `leaflock seal`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Parser;

use super::args::{self, Reading};
use super::argv::fields::{flags, words};
use super::keychange::{Screen, confirmed, count, printable};
use super::report::{Failure, Usage};
use super::{Cli, exit, files, wire};
use crate::app::Deps;
use crate::app::batch::{self, Finished, Item};
use crate::app::error::Error;
use crate::app::rekey_batch;
use crate::app::request::{Destination, Named, Notice};
use crate::app::seal::{self as use_case, Plan, Proof, Renewal, Request};
use crate::app::signers::Verdict;
use crate::domain::seal::changes::{Change, Kind};

/// Seal files, or seal them again after another program has changed them
///
/// A seal is a MAC over everything in an encrypted file: comments, the names and
/// places of all values, recipients and rules, of which sops's own MAC covers
/// little. Commands of leaflock keep it; sops drops it. Shows what changed since
/// the last sealed state that git knows, by key and without values, and asks.
/// With --sign, or where .leaflock/config.yaml says so, the seal is signed with
/// the SSH key that git signs with; --verify checks signatures without a key of
/// the files.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "seal", override_usage = "leaflock seal [OPTIONS] FILE|DIRECTORY|PATTERN…\n       leaflock seal --verify [OPTIONS] FILE|DIRECTORY|PATTERN…\n       leaflock seal --print message|signature FILE", after_help = EXAMPLES)]
pub struct Arguments {
    /// The files
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Every encrypted file that git tracks here
    #[arg(long)]
    pub all: bool,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Show what would be sealed, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Change nothing; check seals and signatures
    #[arg(long)]
    pub verify: bool,
    /// Sign as well; with --verify: every file must be signed
    #[arg(long)]
    pub sign: bool,
    /// Print what ssh-keygen -Y verify wants
    #[arg(long, value_name = "PART", value_parser = ["message", "signature"])]
    pub print: Option<String>,
    /// How the files are read.
    #[command(flatten)]
    pub reading: Reading,
}

flags!(Arguments {
    all "all" "", yes "yes" "y", dry_run "dry-run" "", verify "verify" "", sign "sign" "", print "print" ""
} reading);

words!(Arguments, usize::MAX, files);

const EXAMPLES: &str = "\
Examples:
  leaflock seal config/prod.yaml
  leaflock seal --verify --all
  leaflock seal --print signature prod.yaml > sig && leaflock seal --print message prod.yaml |
    ssh-keygen -Y verify -f ~/.ssh/allowed_signers -I ana@example.org -n leaflock-file@v1 -s sig";

/// Seals files, or checks them.
pub fn run(arguments: Arguments, cli: &mut Cli) -> Result<(), Failure> {
    let mut notices = Vec::new();
    let Arguments { files, all, yes, dry_run, verify, sign, print, reading } = arguments;
    let (file, mut open) = reading.resolve(cli.mode, &cli.env, &mut notices)?;
    open.together.paths = files.as_slice().into();
    let request = Request { file, open, sign };
    let mut screen = Screen::new(&mut cli.output, &cli.env);
    screen.output.notices(&notices);
    if !all && files.is_empty() {
        files::required(None)?;
    }
    wire::with_deps(&cli.env, |deps| {
        if let Some(what) = args::non_empty(print) {
            return show(deps, &files, &what, &request, &mut screen);
        }
        let mut items = if all { rekey_batch::all(deps)? } else { Vec::new() };
        items.extend(batch::expand(deps.files, &files)?);
        if verify {
            return check(deps, items, &request, &mut screen);
        }
        let planned = batch::run(deps, items, &|item| {
            use_case::plan(deps, &item.path, item.named == Named::Directly, &request)
        });
        let code = failures(&planned, &mut screen);
        screen.output.text(&printable(&planned.iter().map(told).collect::<String>()))?;
        let wanted = |file: Finished<Plan>| match file.result {
            Ok(Plan::Seal(renewal)) => Some((file.item, renewal)),
            _ => None,
        };
        let wanted: Vec<(Item, Renewal)> = planned.into_iter().filter_map(wanted).collect();
        if wanted.is_empty() || dry_run {
            let text = if wanted.is_empty() { "nothing to seal\n" } else { "" };
            screen.output.talk(text);
            return code.map_or(Ok(()), |code| Err(Failure::Batch { code }));
        }
        if !yes && !confirmed(deps, &mut screen)? {
            screen.output.talk("nothing was changed\n");
            return Ok(());
        }
        renew(deps, wanted, &request, code, &mut screen)
    })
}

/// Reports the files that failed, and returns the worst exit code.
fn failures<T>(finished: &[Finished<T>], screen: &mut Screen<'_>) -> Option<u8> {
    let mut worst = None;
    for Finished { item, result } in finished {
        if let Err(error) = result {
            screen.output.talk(&files::failure(&item.path, error));
            worst = worst.max(Some(exit::of_error(error)));
        }
    }
    worst
}

/// What is to become of a file, in words.
fn told(file: &Finished<Plan>) -> String {
    let Ok(Plan::Seal(Renewal { why, since, .. })) = &file.result else { return String::new() };
    let mut text = format!("{}: {why}\n", file.item.path.display());
    match since {
        None => text.push_str("    git knows no sealed state of it to compare with\n"),
        Some((commit, changes)) if changes.is_empty() => {
            let _ = writeln!(text, "    nothing differs from {commit}, which was sealed");
        }
        Some((commit, changes)) => {
            let _ = writeln!(text, "    changed since {commit}, which was sealed:");
            for change in changes {
                let _ = writeln!(text, "        {}", line(change));
            }
        }
    }
    text
}

fn line(change: &Change) -> String {
    let path = match change.path.as_str() {
        "" => "the top level",
        path => path,
    };
    let what = match change.kind {
        Kind::Added => "added",
        Kind::Removed => "removed",
        Kind::Changed => "changed",
        Kind::Type => "has another type",
        Kind::Order => "has its keys in another order",
        Kind::Comments => "has other comments",
    };
    format!("{path} {what}")
}

fn renew(
    deps: &Deps<'_>,
    wanted: Vec<(Item, Renewal)>,
    request: &Request,
    code: Option<u8>,
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    let (items, renewals): (Vec<Item>, Vec<Renewal>) = wanted.into_iter().unzip();
    let renewal_of = |path: &Path| items.iter().position(|item| item.path == path).map(|at| &renewals[at]);
    let finished = batch::in_place(deps, items.clone(), &|item| match renewal_of(&item.path) {
        Some(renewal) => use_case::renew(deps, &item.path, renewal, &Destination::Staged, request),
        None => Err(Error::NoSuchFile(item.path.clone())),
    });
    for Finished { item, result } in &finished {
        for notice in result.iter().flat_map(|outcome| &outcome.notices) {
            let text = format!("{}: {}", item.path.display(), notice.text);
            screen.output.notice(&Notice { text, ..notice.clone() });
        }
    }
    let code = failures(&finished, screen).max(code);
    let done = finished.iter().filter(|file| file.result.is_ok()).count();
    screen.output.talk(&format!("{} sealed\n", count(done, "file")));
    code.map_or(Ok(()), |code| Err(Failure::Batch { code }))
}

/// Checks files and says of each what it has.
fn check(
    deps: &Deps<'_>,
    items: Vec<Item>,
    request: &Request,
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    let checked = batch::run(deps, items, &|item| match use_case::verify(deps, &item.path, request) {
        Err(Error::NotEncrypted(_) | Error::Syntax { .. } | Error::Metadata { .. })
            if item.named != Named::Directly && !use_case::has_tokens(deps, &item.path)? =>
        {
            Ok(None)
        }
        proof => proof.map(Some),
    });
    let mut code = failures(&checked, screen);
    let mut text = String::new();
    for Finished { item, result } in &checked {
        let Ok(Some(proof)) = result else { continue };
        let _ = writeln!(text, "{}: {}", item.path.display(), state(proof));
        if !proof.faults.is_empty() {
            code = code.max(Some(exit::MAC));
        }
    }
    screen.output.text(&printable(&text))?;
    code.map_or(Ok(()), |code| Err(Failure::Batch { code }))
}

fn state(Proof { seal, no_key, standing, faults }: &Proof) -> String {
    let mut words = faults.clone();
    if let Some(Ok(())) = seal {
        words.push("sealed".to_owned());
    }
    if let Some(Verdict::Good(signer)) = &standing.signature {
        words.push(format!("signed by {signer}"));
    }
    if let Some(why) = standing.unchecked.as_ref().filter(|why| !faults.contains(why)) {
        words.push(format!("the signature was not checked: {why}"));
    }
    if *no_key {
        words.push("the seal was not checked, because no key here opens the file".to_owned());
    }
    words.join("; ")
}

/// Prints one part of what a check by hand needs.
fn show(
    deps: &Deps<'_>,
    files: &[PathBuf],
    what: &str,
    request: &Request,
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    let [path] = files else {
        return Err(Usage::new("--print takes one file").into());
    };
    let signed = use_case::signed(deps, path, request)?;
    match (what, signed.signature) {
        ("message", _) => screen.output.text(&signed.message),
        ("signature", Some(signature)) => screen.output.text(&signature),
        ("signature", None) => Err(Usage::new("the file has no signature").into()),
        _ => Err(Usage::new("--print knows message and signature").into()),
    }
}
