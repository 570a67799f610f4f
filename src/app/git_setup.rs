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
use super::git_filter::{self, Way};
use super::ports::{Contents, Durability, Fingerprint};
use super::repository::{Objects, Place};
use super::request::{FileOptions, Notice};
use crate::domain::managed_block::{Endless, GIT_SETUP, Position, Without};
use crate::domain::secret::SecretBytes;
use coverage::Coverage;
use hook::{Advice, Home};

/// What is wanted.
#[derive(Clone, Debug)]
pub struct Request {
    /// A folder of the repository.
    pub folder: PathBuf,
    /// Everything is to be taken away.
    pub remove: bool,
    /// Plaintext in the work tree: on, off, or as it is.
    pub filter: Option<bool>,
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
    /// The work tree holds plaintext.
    pub filter: bool,
    /// In the order in which they are done.
    pub steps: Vec<Step>,
    /// What somebody else has to do.
    pub advice: Vec<Advice>,
    /// The tracked files that the attributes are for.
    pub files: Vec<PathBuf>,
    /// What to say on the side.
    pub notices: Vec<Notice>,
    /// The config.
    options: FileOptions,
}

/// One file, and what becomes of it.
#[derive(Debug)]
pub struct Step {
    /// What it is for.
    pub part: Part,
    /// The file.
    pub path: PathBuf,
    /// What happens to it.
    pub change: Change,
    /// The lines that are ours.
    pub lines: Vec<String>,
    work: Work,
}

/// What a repository needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Which files are encrypted.
    Attributes,
    /// How git shows and merges them.
    Settings,
    /// The check before a commit.
    Hook,
    /// Plaintext in the work tree.
    Filter,
}

/// What happens to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It has all that it needs.
    Kept,
    /// It is made.
    Created,
    /// Lines are added.
    Added,
    /// Our lines are out of date.
    Renewed,
    /// Our lines go.
    Restored,
    /// It was made for our lines, and goes with them.
    Removed,
    /// The files in it are encrypted.
    Locked,
    /// The files in it are decrypted.
    Unlocked,
}

/// How a step is done.
#[derive(Debug)]
enum Work {
    Nothing,
    Create { bytes: Vec<u8>, program: bool },
    Replace { bytes: Vec<u8>, seen: Option<Fingerprint> },
    Remove,
    Settings(Vec<(&'static str, Option<String>)>),
    Convert(Way, Vec<PathBuf>),
}

/// The name that git finds this program by.
const PROGRAM: &str = "leaflock";

/// The first line of our attributes.
const ATTRIBUTES_TITLE: &str = "# Made by `leaflock git setup`: run it again when rules or files change.";

/// The attributes of an encrypted file, each with its value.
pub const ATTRIBUTES: [(&str, &str); 2] = [("diff", "leaflock"), ("merge", "leaflock")];

/// The attribute of a file that is plaintext in the work tree.
const FILTER: (&str, &str) = ("filter", "leaflock");

/// Plans, and changes nothing.
pub fn plan(deps: &Deps<'_>, request: &Request) -> Result<Plan, Error> {
    let place = deps.repository.place(&request.folder).map_err(Error::Read)?;
    let place = place.ok_or_else(|| Error::Other {
        place: ErrorPlace::file(&request.folder),
        cause: "there is no git repository here".into(),
        hints: vec!["git init".to_owned()],
    })?;
    let mut plan = Plan {
        place,
        filter: false,
        steps: Vec::new(),
        advice: Vec::new(),
        files: Vec::new(),
        notices: Vec::new(),
        options: request.file.clone(),
    };
    let own = deps.repository.settings(&request.folder, true).map_err(Error::Read)?;
    let was_filtered = own.iter().any(|(name, _)| name == drivers::FILTER_NAMES[0]);
    plan.filter = request.filter.unwrap_or(was_filtered) && !request.remove;
    if was_filtered && !plan.filter {
        plan.lock_work_trees(deps, request)?;
    }
    if request.remove {
        plan.remove_hooks(deps, None)?;
        let attributes = plan.attributes();
        plan.take_away(deps, Part::Attributes, &attributes)?;
        plan.filter_attributes(deps, None)?;
        let all = drivers::NAMES.into_iter().chain(drivers::FILTER_NAMES);
        plan.settings(&own, all.map(|name| (name, None)).collect());
        return Ok(plan);
    }
    if plan.filter && plan.place.top.is_none() {
        return Err(Error::Conflict {
            message: "a bare repository has no work tree that plaintext could be in".to_owned(),
            hints: vec!["leave --filter out".to_owned()],
        });
    }
    let program = program(deps, request);
    let settings = drivers::wanted(&program, is_found_as(deps, request, drivers::TEXTCONV));
    let mut wanted: Vec<(&str, Option<String>)> =
        settings.into_iter().map(|(name, value)| (name, Some(value))).collect();
    match plan.filter {
        true => wanted.extend(drivers::filter(&program).into_iter().map(|(name, value)| (name, Some(value)))),
        false => wanted.extend(drivers::FILTER_NAMES.map(|name| (name, None))),
    }
    plan.settings(&own, wanted);
    let coverage = plan.cover(deps, &request.file, was_filtered || plan.filter)?;
    plan.filter_attributes(deps, Some(&coverage).filter(|_| plan.filter))?;
    plan.install_hook(deps, &program)?;
    if request.filter == Some(true) {
        plan.unlock_work_tree(deps);
    }
    Ok(plan)
}

/// The program for git's settings: its name where that leads to it, else its path.
fn program(deps: &Deps<'_>, request: &Request) -> String {
    let by_name = deps.processes.find(PROGRAM, &request.search_path);
    let own = || deps.processes.own_program().map(|path| path.to_string_lossy().into_owned());
    by_name.map(|_| PROGRAM.to_owned()).or_else(own).unwrap_or_else(|| PROGRAM.to_owned())
}

/// True if `name` leads git to this very program.
fn is_found_as(deps: &Deps<'_>, request: &Request, name: &str) -> bool {
    let real = |path: PathBuf| deps.files.real(&path).ok();
    let found = deps.processes.find(name, &request.search_path).and_then(real);
    found.is_some() && found == deps.processes.own_program().and_then(real)
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
            Work::Convert(way, files) => convert(deps, &step.path, *way, files, &plan.options)?,
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

/// Encrypts or decrypts the files of a work tree in place. When one cannot be
/// encrypted, none is changed.
fn convert(
    deps: &Deps<'_>,
    top: &Path,
    way: Way,
    files: &[PathBuf],
    options: &FileOptions,
) -> Result<(), Error> {
    let mut index = deps.repository.objects(top).map_err(Error::Read)?;
    let mut converted = Vec::with_capacity(files.len());
    let mut unchanged = Vec::new();
    for path in files {
        let Contents { bytes: old, fingerprint } = deps.files.read(path).map_err(Error::Read)?;
        let held = held(index.as_deref_mut(), top, path);
        let is_held = |bytes: &[u8]| held.as_ref().is_some_and(|held| held[..] == *bytes);
        let (new, same) = match way {
            Way::Clean => {
                let new = git_filter::clean(deps, path, old, options)?.0;
                let same = is_held(&new);
                (new, same)
            }
            Way::Smudge => {
                let same = is_held(&old);
                (git_filter::smudge(deps, path, old), same)
            }
        };
        converted.push((path, new, fingerprint));
        unchanged.extend(same.then(|| path.clone()));
    }
    for (path, bytes, seen) in converted {
        let replaced = deps.files.replace(path, &bytes, seen, Durability::Power);
        replaced.map_err(|error| Error::Write { in_place: true, error })?;
    }
    // Git takes another size for another content, and would not look.
    deps.repository.refresh(top, &unchanged).map_err(Error::Read)
}

/// What the index holds of a file.
fn held(index: Option<&mut (dyn Objects + 'static)>, top: &Path, path: &Path) -> Option<SecretBytes> {
    let mut name = OsString::from(":0:");
    name.push(path.strip_prefix(top).ok()?);
    index?.read(&name).ok().flatten()
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

    /// Sets what is not so; `None` is to be taken away.
    fn settings(&mut self, own: &[(String, String)], wanted: Vec<(&'static str, Option<String>)>) {
        let values = |name: &str| own.iter().filter(|(known, _)| known == name).collect::<Vec<_>>();
        let is_so = |name: &str, value: &Option<String>| match (&values(name)[..], value) {
            ([], None) => true,
            ([(_, now)], Some(value)) => now == value,
            _ => false,
        };
        let added: Vec<&str> =
            wanted.iter().filter_map(|(name, value)| value.as_ref().map(|_| *name)).collect();
        let lines = wanted.iter().filter_map(|(name, value)| Some(format!("{name} = {}", value.as_ref()?)));
        let lines = lines.collect();
        let settings: Vec<_> = wanted.iter().filter(|(name, value)| !is_so(name, value)).cloned().collect();
        let change = if settings.is_empty() {
            Change::Kept
        } else if added.is_empty() {
            Change::Restored
        } else if added.iter().all(|name| values(name).is_empty()) {
            Change::Added
        } else {
            Change::Renewed
        };
        if change != Change::Kept || !added.is_empty() {
            let work = if settings.is_empty() { Work::Nothing } else { Work::Settings(settings) };
            let path = self.place.common_dir.join("config");
            self.steps.push(Step { part: Part::Settings, path, change, lines, work });
        }
    }

    /// Adds or renews the attributes that everybody needs.
    fn cover(&mut self, deps: &Deps<'_>, options: &FileOptions, filtered: bool) -> Result<Coverage, Error> {
        let mut coverage = coverage::of(deps, &self.place, options, filtered)?;
        self.files.append(&mut coverage.files);
        if self.filter && !coverage.notices.is_empty() {
            let text = "a new file that no glob stands for has no filter: git takes it as it is";
            self.notices.push(
                Notice::warning(text).with_hint("encrypt such a file before `git add`, then set up again"),
            );
        }
        self.notices.append(&mut coverage.notices);
        let path = self.attributes();
        if coverage.patterns.is_empty() {
            let nothing =
                Notice::note("there is no creation rule for certain files, and no encrypted file yet");
            self.notices.push(nothing.with_hint("`leaflock git setup` once more when there is one"));
            self.take_away(deps, Part::Attributes, &path)?;
            return Ok(coverage);
        }
        self.write_attributes(deps, Part::Attributes, path, &coverage, &ATTRIBUTES)?;
        Ok(coverage)
    }

    /// Adds, renews or takes away the attribute that is for this clone alone: in a file
    /// that is committed, it would be for those who have no filter.
    fn filter_attributes(&mut self, deps: &Deps<'_>, coverage: Option<&Coverage>) -> Result<(), Error> {
        let path = self.place.common_dir.join("info/attributes");
        match coverage.filter(|coverage| !coverage.patterns.is_empty()) {
            Some(coverage) => self.write_attributes(deps, Part::Filter, path, coverage, &[FILTER]),
            None if path == self.attributes() => Ok(()),
            None => self.take_away(deps, Part::Filter, &path),
        }
    }

    fn write_attributes(
        &mut self,
        deps: &Deps<'_>,
        part: Part,
        path: PathBuf,
        coverage: &Coverage,
        attributes: &[(&str, &str)],
    ) -> Result<(), Error> {
        let joined = |words: Vec<String>| words.join(" ");
        let set = joined(attributes.iter().map(|(name, value)| format!("{name}={value}")).collect());
        let unset = joined(attributes.iter().map(|(name, _)| format!("!{name}")).collect());
        let lines: Vec<String> = [ATTRIBUTES_TITLE.to_owned()]
            .into_iter()
            .chain(coverage.patterns.iter().map(|pattern| format!("{pattern} {set}")))
            .chain(coverage.exceptions.iter().map(|pattern| format!("{pattern} {unset}")))
            .collect();
        let body: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let now = deps.files.read_if_there(&path).map_err(Error::Read)?;
        let text = GIT_SETUP
            .with(now.as_ref().map(|now| &now.bytes[..]), &body, Position::End, "")
            .map_err(|error| endless(error, &path))?;
        self.write(part, path, now, text, lines[1..].to_vec());
        Ok(())
    }

    /// Decrypts the files of this work tree that open.
    fn unlock_work_tree(&mut self, deps: &Deps<'_>) {
        let opens = |path: &&PathBuf| {
            let Ok(contents) = deps.files.read(path) else { return false };
            let is_encrypted = git_filter::is_encrypted(&contents.bytes, path);
            is_encrypted && !git_filter::is_encrypted(&git_filter::smudge(deps, path, contents.bytes), path)
        };
        let files: Vec<PathBuf> = self.files.iter().filter(opens).cloned().collect();
        if let Some(top) = &self.place.top {
            self.convert(top.clone(), Way::Smudge, files);
        }
    }

    /// Encrypts what the filter decrypted in any work tree: without the filter, git
    /// would take plaintext.
    fn lock_work_trees(&mut self, deps: &Deps<'_>, request: &Request) -> Result<(), Error> {
        for top in deps.repository.work_trees(&request.folder).map_err(Error::Read)? {
            let Some(place) = deps.repository.place(&top).map_err(Error::Read)? else { continue };
            if place.top.is_none() {
                continue;
            }
            let is_plain = |path: &PathBuf| match deps.files.read(path) {
                Ok(contents) => {
                    !contents.bytes.is_empty() && !git_filter::is_encrypted(&contents.bytes, path)
                }
                Err(_) => false,
            };
            let tracked = deps.repository.tracked(&top).map_err(Error::Read)?.unwrap_or_default();
            let (name, wanted) = FILTER;
            let said = deps.repository.attributes(&top, &[name], &tracked).map_err(Error::Read)?;
            let filtered = said.iter().map(|said| matches!(&said[..], [Some(said)] if said == wanted));
            let files = tracked.iter().zip(filtered).filter(|(path, filtered)| *filtered && is_plain(path));
            let files = files.map(|(path, _)| path.clone()).collect();
            self.convert(top, Way::Clean, files);
        }
        Ok(())
    }

    fn convert(&mut self, top: PathBuf, way: Way, files: Vec<PathBuf>) {
        if files.is_empty() {
            return;
        }
        let change = if way == Way::Clean { Change::Locked } else { Change::Unlocked };
        let shown = |path: &PathBuf| path.strip_prefix(&top).unwrap_or(path).display().to_string();
        let lines = files.iter().map(shown).collect();
        self.steps.push(Step {
            part: Part::Filter,
            path: top,
            change,
            lines,
            work: Work::Convert(way, files),
        });
    }

    /// Adds or renews the hook, and takes it away where it was before.
    fn install_hook(&mut self, deps: &Deps<'_>, program: &str) -> Result<(), Error> {
        let home = hook::home(deps, &self.place)?;
        let script = match home {
            Home::Script(script) => script,
            Home::Called(path, missing) => {
                self.remove_hooks(deps, None)?;
                self.advice.extend(missing.map(|command| uncalled(&path, command)));
                let lines = vec![format!("leaflock {}", hook::CHECK)];
                let (part, change, work) = (Part::Hook, Change::Kept, Work::Nothing);
                self.steps.push(Step { part, path, change, lines, work });
                return Ok(());
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
        let text = GIT_SETUP
            .with(now, &body, Position::BehindShebang, hook::SHEBANG)
            .map_err(|error| endless(error, &script.path))?;
        let lines = vec![format!("leaflock {}", hook::CHECK)];
        self.remove_hooks(deps, Some(&script.path))?;
        self.write(Part::Hook, script.path, script.now, text, lines);
        Ok(())
    }

    /// Takes our block out of every hook but one.
    fn remove_hooks(&mut self, deps: &Deps<'_>, except: Option<&Path>) -> Result<(), Error> {
        for path in hook::candidates(&self.place) {
            if except != Some(&path) {
                self.take_away(deps, Part::Hook, &path)?;
            }
        }
        Ok(())
    }

    fn write(&mut self, part: Part, path: PathBuf, now: Option<Contents>, text: Vec<u8>, lines: Vec<String>) {
        let (change, work) = match now {
            Some(now) if now.bytes[..] == text[..] => (Change::Kept, Work::Nothing),
            Some(now) => {
                let known = GIT_SETUP.is_in(&now.bytes);
                let change = if known { Change::Renewed } else { Change::Added };
                (change, Work::Replace { bytes: text, seen: now.fingerprint })
            }
            None => (Change::Created, Work::Create { bytes: text, program: part == Part::Hook }),
        };
        self.steps.push(Step { part, path, change, lines, work });
    }

    /// Takes our block out of a file, if it has one.
    fn take_away(&mut self, deps: &Deps<'_>, part: Part, path: &Path) -> Result<(), Error> {
        let Some(now) = deps.files.read_if_there(path).map_err(Error::Read)? else { return Ok(()) };
        let shebang = if part == Part::Hook { hook::SHEBANG } else { "" };
        let without = GIT_SETUP.without(&now.bytes, shebang).map_err(|error| endless(error, path))?;
        let (change, work) = match without {
            Without::Same => return Ok(()),
            Without::Nothing => (Change::Removed, Work::Remove),
            Without::Text(bytes) => (Change::Restored, Work::Replace { bytes, seen: now.fingerprint }),
        };
        self.steps.push(Step { part, path: path.to_owned(), change, lines: Vec::new(), work });
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
