//! `leaflock updatekeys`.

use std::path::{Path, PathBuf};

use clap::Parser;

use super::args::Reading;
use super::argv::fields::{flags, words};
use super::keychange::{Change, Many, Screen, confirmed, printable, table};
use super::report::{Failure, Usage};
use super::{Cli, Mode, exit, files, wire};
use crate::app::Deps;
use crate::app::derived::put;
use crate::app::error::Error;
use crate::app::ports::FileKind;
use crate::app::rekey::{self, Rewritten};
use crate::app::request::{Destination, FileOptions, OpenOptions};
use crate::app::{names, updatekeys as use_case};
use crate::domain::keys::names::Names;

/// Give files the keys that their creation rules list
///
/// Compares the recipients of each file with the rule of .sops.yaml that matches
/// it, shows who comes and who goes, and asks. Whoever is taken away does not get
/// the new data key, so that what is added later stays hidden from him; what he
/// could read until now he may have kept.
#[derive(Parser, Clone, Debug, Default)]
#[command(verbatim_doc_comment, name = "updatekeys", override_usage = "leaflock updatekeys [OPTIONS] FILE|DIRECTORY|PATTERN…\n       leaflock updatekeys [OPTIONS] --all\n       leaflock updatekeys --continue|--abort", after_help = EXAMPLES)]
pub struct Arguments {
    /// The files
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Many files.
    #[command(flatten)]
    pub many: Many,
    /// How the files are read.
    #[command(flatten)]
    pub reading: Reading,
}

flags!(Arguments {} many, reading);

words!(Arguments, usize::MAX, files);

const EXAMPLES: &str = "\
Examples:
  leaflock updatekeys config/prod.yaml
  leaflock updatekeys --all --dry-run
  leaflock updatekeys --yes --all";

/// Updates one file as SOPS does, or many at once.
pub fn run(arguments: Arguments, cli: &mut Cli) -> Result<(), Failure> {
    let mut notices = Vec::new();
    let Arguments { files, many, reading } = arguments;
    let (file, mut open) = reading.resolve(cli.mode, &cli.env, &mut notices)?;
    open.together.paths = files.as_slice().into();
    let mut screen = Screen::new(&mut cli.output, &cli.env);
    screen.output.notices(&notices);
    let mode = cli.mode;
    wire::with_deps(&cli.env, |deps| {
        let change = Change { command: "updatekeys", many: &many, files: &files, file: &file, open: &open };
        if change.is_for_many(deps, mode) {
            return change.run(deps, &mut screen, &|path, notices| {
                use_case::plan(deps, path, &file, many.keep_data_key, notices)
            });
        }
        let call = Call { file: &file, open: &open, many: &many, mode };
        match &files[..] {
            [] => files::required(None).map(drop).map_err(Failure::from),
            [only] => call.one(deps, only, &mut screen),
            several => call.each(deps, several, &mut screen),
        }
    })
}

/// What every file of a call is updated with.
struct Call<'c> {
    file: &'c FileOptions,
    open: &'c OpenOptions,
    many: &'c Many,
    mode: Mode,
}

impl Call<'_> {
    /// SOPS's way with several files: one after the other, each with its question.
    fn each(&self, deps: &Deps<'_>, files: &[PathBuf], screen: &mut Screen<'_>) -> Result<(), Failure> {
        let mut failed = 0;
        for path in files {
            if let Err(failure) = self.one(deps, path, screen) {
                screen.output.failure(&failure);
                failed += 1;
            }
        }
        match failed {
            0 => Ok(()),
            failed => Err(Usage::new(format!("failed updating {failed} key(s)")).into()),
        }
    }

    /// One file, in SOPS's words.
    fn one(&self, deps: &Deps<'_>, path: &Path, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let path = deps.files.absolute(path).map_err(Error::Read)?;
        match deps.files.kind(&path).map_err(Error::Read)? {
            Some(FileKind::Directory) => {
                return Err(Usage::new("can't operate on a directory").into());
            }
            Some(_) => {}
            None => {
                let message = format!("stat {}: no such file or directory", path.display());
                return Err(Usage::with_code(exit::GENERIC, message).into());
            }
        }
        let shown = path.display();
        let mut notices = Vec::new();
        let plan = use_case::plan(deps, &path, self.file, self.many.keep_data_key, &mut notices);
        // SOPS looks for the config before it looks at any file.
        if !matches!(&plan, Err(Error::Config { cause, .. }) if cause.to_string() == use_case::NO_CONFIG) {
            log(deps, screen, &format!("Syncing keys for file {shown}"));
        }
        screen.output.notices(&notices);
        let plan = plan?;
        if !plan.is_change() {
            log(deps, screen, &format!("File {shown} already up to date"));
            return Ok(());
        }
        let heading = "The following changes will be made to the file's groups:\n";
        // Scripts for SOPS read its table as it is.
        let names = match self.mode {
            Mode::Leaflock => names::of(deps, &path, self.file).0,
            Mode::Sops => Names::nobody(),
        };
        screen.output.text(&format!("{heading}{}", printable(&table(&plan.access, screen, &names))))?;
        if !self.many.yes && !confirmed(deps, screen)? {
            log(deps, screen, &format!("File {shown} left unchanged"));
            return Ok(());
        }
        let Rewritten { input, bytes, mut notices, data_key } =
            rekey::rewrite(deps, &plan, self.file, self.open)?;
        let key = Some(&data_key);
        put::deliver(deps, &Destination::InPlace, &input, bytes, key, &mut notices)?;
        screen.output.notices(&notices);
        log(deps, screen, &format!("File {shown} synced with new keys"));
        Ok(())
    }
}

/// A line of SOPS's log: `2026/11/22 01:18:54 Syncing keys for file /a/b`.
fn log(deps: &Deps<'_>, screen: &mut Screen<'_>, text: &str) {
    let now = deps.clock.now().replace('-', "/").replace('T', " ").replace('Z', "");
    screen.output.talk(&format!("{now} {text}\n"));
}
