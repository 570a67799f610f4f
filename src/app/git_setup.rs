//! What a repository needs so that git knows encrypted files: attributes, the
//! settings of their drivers, and a hook. All of it is planned first, as the
//! difference between what is there and what is wanted, and can be taken away
//! again to the last byte.

pub mod coverage;
pub mod drivers;
pub mod hook;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::Deps;
use super::error::{Error, Place as ErrorPlace};
use super::ports::{Contents, Durability, Fingerprint};
use super::repository::Place;
use super::request::{FileOptions, Notice};
use crate::domain::managed_block::{self, Endless, Position, Without};
use hook::{Advice, Home};

/// What is wanted.
#[derive(Clone, Debug)]
pub struct Request {
    /// A folder of the repository.
    pub folder: PathBuf,
    /// Everything is to be taken away.
    pub remove: bool,
    /// Where git will look for this program.
    pub search_path: OsString,
    /// The config.
    pub file: FileOptions,
}

/// What there is to do.
#[derive(Debug)]
pub struct Plan {
    /// The repository.
    pub place: Place,
    /// In the order in which they are done.
    pub steps: Vec<Step>,
    /// What somebody else has to do.
    pub advice: Vec<Advice>,
    /// The tracked files that the attributes are for.
    pub files: Vec<PathBuf>,
    /// What to say on the side.
    pub notices: Vec<Notice>,
}

/// One file, and what becomes of it.
#[derive(Debug)]
pub struct Step {
    /// The file.
    pub path: PathBuf,
    /// What happens to it.
    pub change: Change,
    /// The lines that are ours.
    pub lines: Vec<String>,
    work: Work,
}

/// What happens to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It has all that it needs.
    Kept,
    /// It is made.
    Created,
    /// Lines are added or renewed.
    Extended,
    /// Our lines go.
    Restored,
    /// It was made for our lines, and goes with them.
    Removed,
}

/// How a step is done.
#[derive(Debug)]
enum Work {
    Nothing,
    Create { bytes: Vec<u8>, program: bool },
    Replace { bytes: Vec<u8>, seen: Option<Fingerprint> },
    Remove,
    Settings(Vec<(&'static str, Option<String>)>),
}

/// The name that git finds this program by.
const PROGRAM: &str = "leaflock";

/// The first line of our attributes.
const ATTRIBUTES_TITLE: &str = "# Made by `leaflock git setup`: run it again when rules or files change.";

/// The attributes of an encrypted file, each with its value.
pub const ATTRIBUTES: [(&str, &str); 2] = [("diff", "leaflock"), ("merge", "leaflock")];

/// Plans, and changes nothing.
pub fn plan(deps: &Deps<'_>, request: &Request) -> Result<Plan, Error> {
    let place = deps.repository.place(&request.folder).map_err(Error::Read)?;
    let place = place.ok_or_else(|| Error::Other {
        place: ErrorPlace::file(&request.folder),
        cause: "there is no git repository here".into(),
        hints: vec!["git init".to_owned()],
    })?;
    let mut plan =
        Plan { place, steps: Vec::new(), advice: Vec::new(), files: Vec::new(), notices: Vec::new() };
    if request.remove {
        plan.remove_hooks(deps, None)?;
        let attributes = plan.attributes();
        plan.take_away(deps, &attributes, "")?;
        let nothing = drivers::NAMES.map(|name| (name, None));
        plan.settings(deps, &request.folder, nothing.into())?;
    } else {
        let program = program(deps, request);
        let wanted = drivers::wanted(&program).into_iter().map(|(name, value)| (name, Some(value)));
        plan.settings(deps, &request.folder, wanted.collect())?;
        plan.cover(deps, &request.file)?;
        plan.install_hook(deps, &program)?;
    }
    Ok(plan)
}

/// The program for git's settings: its name where that leads to it, else its path.
fn program(deps: &Deps<'_>, request: &Request) -> String {
    let by_name = deps.processes.find(PROGRAM, &request.search_path);
    let own = || deps.processes.own_program().map(|path| path.to_string_lossy().into_owned());
    by_name.map(|_| PROGRAM.to_owned()).or_else(own).unwrap_or_else(|| PROGRAM.to_owned())
}

/// Does what was planned. What fails leaves the steps before it done; the next
/// call goes on from there.
pub fn run(deps: &Deps<'_>, plan: &Plan) -> Result<(), Error> {
    let failed = |error| Error::Write { in_place: false, error };
    for step in &plan.steps {
        match &step.work {
            Work::Nothing => {}
            Work::Create { bytes, program } => {
                deps.files.create(&step.path, bytes, *program).map_err(failed)?;
            }
            Work::Replace { bytes, seen } => {
                deps.files.replace(&step.path, bytes, *seen, Durability::Power).map_err(failed)?;
            }
            Work::Remove => deps.files.remove(&step.path).map_err(failed)?,
            Work::Settings(settings) => {
                let folder = plan.place.top.as_ref().unwrap_or(&plan.place.git_dir);
                for (name, value) in settings {
                    deps.repository.set(folder, name, value.as_deref()).map_err(failed)?;
                }
            }
        }
    }
    Ok(())
}

impl Plan {
    /// True when there is something to do.
    pub fn changes(&self) -> bool {
        self.steps.iter().any(|step| step.change != Change::Kept)
    }

    /// The file of attributes: in a bare repository, git's own.
    pub fn attributes(&self) -> PathBuf {
        match &self.place.top {
            Some(top) => top.join(".gitattributes"),
            None => self.place.common_dir.join("info/attributes"),
        }
    }

    fn settings(
        &mut self,
        deps: &Deps<'_>,
        folder: &Path,
        wanted: Vec<(&'static str, Option<String>)>,
    ) -> Result<(), Error> {
        let now = deps.repository.settings(folder, true).map_err(Error::Read)?;
        let values = |name: &str| now.iter().filter(|(known, _)| known == name).collect::<Vec<_>>();
        let is_so = |name: &str, value: &Option<String>| match (&values(name)[..], value) {
            ([], None) => true,
            ([(_, now)], Some(value)) => now == value,
            _ => false,
        };
        let adds = wanted.iter().any(|(_, value)| value.is_some());
        let lines = wanted.iter().filter_map(|(name, value)| Some(format!("{name} = {}", value.as_ref()?)));
        let lines = lines.collect();
        let settings: Vec<_> = wanted.iter().filter(|(name, value)| !is_so(name, value)).cloned().collect();
        let (change, work) = match (settings.is_empty(), adds) {
            (true, _) => (Change::Kept, Work::Nothing),
            (false, true) => (Change::Extended, Work::Settings(settings)),
            (false, false) => (Change::Restored, Work::Settings(settings)),
        };
        if adds || change != Change::Kept {
            self.steps.push(Step { path: self.place.common_dir.join("config"), change, lines, work });
        }
        Ok(())
    }

    /// Adds or renews the attributes.
    fn cover(&mut self, deps: &Deps<'_>, options: &FileOptions) -> Result<(), Error> {
        let coverage = coverage::of(deps, &self.place, options)?;
        self.files = coverage.files;
        self.notices.extend(coverage.notices);
        let path = self.attributes();
        if coverage.patterns.is_empty() {
            let nothing =
                Notice::note("there is no creation rule for certain files, and no encrypted file yet");
            self.notices.push(nothing.with_hint("`leaflock git setup` once more when there is one"));
            return self.take_away(deps, &path, "");
        }
        let set = ATTRIBUTES.map(|(name, value)| format!("{name}={value}")).join(" ");
        let unset = ATTRIBUTES.map(|(name, _)| format!("!{name}")).join(" ");
        let lines: Vec<String> = [ATTRIBUTES_TITLE.to_owned()]
            .into_iter()
            .chain(coverage.patterns.iter().map(|pattern| format!("{pattern} {set}")))
            .chain(coverage.exceptions.iter().map(|pattern| format!("{pattern} {unset}")))
            .collect();
        let body: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let now = deps.files.read_if_there(&path).map_err(Error::Read)?;
        let text = managed_block::with(now.as_ref().map(|now| &now.bytes[..]), &body, Position::End, "")
            .map_err(|error| endless(error, &path))?;
        self.write(path, now, text, lines[1..].to_vec(), false);
        Ok(())
    }

    /// Adds or renews the hook, and takes it away where it was before.
    fn install_hook(&mut self, deps: &Deps<'_>, program: &str) -> Result<(), Error> {
        let home = hook::home(deps, &self.place)?;
        let script = match home {
            Home::Script(script) => script,
            Home::Called(path, missing) => {
                self.advice.extend(missing.map(|command| uncalled(&path, command)));
                let lines = vec![format!("leaflock {}", hook::CHECK)];
                self.steps.push(Step { path, change: Change::Kept, lines, work: Work::Nothing });
                return self.remove_hooks(deps, None);
            }
            Home::Elsewhere(advice) => {
                self.advice.push(advice);
                return self.remove_hooks(deps, None);
            }
            Home::Nowhere => return Ok(()),
        };
        self.advice.extend(script.missing.map(|command| uncalled(&script.path, command)));
        let body = hook::body(program, script.shared);
        let now = script.now.as_ref().map(|now| &now.bytes[..]);
        let text = managed_block::with(now, &body, Position::BehindShebang, hook::SHEBANG)
            .map_err(|error| endless(error, &script.path))?;
        let lines = vec![format!("leaflock {}", hook::CHECK)];
        self.remove_hooks(deps, Some(&script.path))?;
        self.write(script.path, script.now, text, lines, true);
        Ok(())
    }

    /// Takes our block out of every hook but one.
    fn remove_hooks(&mut self, deps: &Deps<'_>, except: Option<&Path>) -> Result<(), Error> {
        for path in hook::candidates(&self.place) {
            if except != Some(&path) {
                self.take_away(deps, &path, hook::SHEBANG)?;
            }
        }
        Ok(())
    }

    fn write(
        &mut self,
        path: PathBuf,
        now: Option<Contents>,
        text: Vec<u8>,
        lines: Vec<String>,
        program: bool,
    ) {
        let (change, work) = match now {
            Some(now) if now.bytes[..] == text[..] => (Change::Kept, Work::Nothing),
            Some(now) => (Change::Extended, Work::Replace { bytes: text, seen: now.fingerprint }),
            None => (Change::Created, Work::Create { bytes: text, program }),
        };
        self.steps.push(Step { path, change, lines, work });
    }

    /// Takes our block out of a file, if it has one.
    fn take_away(&mut self, deps: &Deps<'_>, path: &Path, shebang: &str) -> Result<(), Error> {
        let Some(now) = deps.files.read_if_there(path).map_err(Error::Read)? else { return Ok(()) };
        let without = managed_block::without(&now.bytes, shebang).map_err(|error| endless(error, path))?;
        let (change, work) = match without {
            Without::Same => return Ok(()),
            Without::Nothing => (Change::Removed, Work::Remove),
            Without::Text(bytes) => (Change::Restored, Work::Replace { bytes, seen: now.fingerprint }),
        };
        self.steps.push(Step { path: path.to_owned(), change, lines: Vec::new(), work });
        Ok(())
    }
}

/// A hook that nothing calls yet.
fn uncalled(path: &Path, command: String) -> Advice {
    Advice {
        text: format!("git does not come to {} in this clone yet", path.display()),
        lines: vec![command],
    }
}

fn endless(error: Endless, path: &Path) -> Error {
    Error::Other {
        place: ErrorPlace::file(path).at_line(Some(error.line)),
        cause: error.into(),
        hints: vec!["take it out by hand: from that line to the last one that is ours".to_owned()],
    }
}
