//! A command that gets what the policy grants a principal, and nothing else of ours: its
//! environment is rid of credentials, its output of the values, and the audit trail tells
//! when it started and how it ended.

use std::ffi::OsString;
use std::path::PathBuf;

use super::Deps;
use super::agent::overtaken;
use super::error::{Error, Place};
use super::granted::{self, GrantedValue};
use super::launch::{self, InFile, Room, conflict};
use super::ports::{Ending, Launch};
use super::redact::{self, patterns_of};
use super::request::{Notice, OpenOptions};
use super::variables::Variables;
use crate::domain::agent::child_environment::{is_credential, is_refused};
use crate::domain::agent::pattern::PathPattern;
use crate::domain::agent::redact::Named;
use crate::domain::environment::is_name;
use crate::domain::store::flat_names::Case;

/// What to run, and for whom.
#[derive(Clone, Debug)]
pub struct Request {
    /// The principal.
    pub agent: String,
    /// Sources; none is all.
    pub files: Vec<PathBuf>,
    /// Paths of values that go into variables named after their keys; none is all that
    /// is granted, unless `named` has some.
    pub only: Vec<String>,
    /// Variables that hold a value: their names, the paths.
    pub named: Vec<(String, String)>,
    /// Variables that hold the path of a file with a value: their names, the paths.
    pub in_files: Vec<(String, String)>,
    /// Stands before every name that keys make.
    pub prefix: String,
    /// The letters of such names.
    pub case: Case,
    /// Whether the values are taken out of the command's output.
    pub redact: bool,
    /// Variables with credentials that the command inherits all the same.
    pub keep: Vec<String>,
    /// Keys, and what the audit trail says of it.
    pub open: OpenOptions,
    /// The program and its arguments.
    pub command: Vec<OsString>,
    /// The caller's environment, if the command is to have it.
    pub inherited: Variables,
    /// Where the program is looked for.
    pub search_path: Option<OsString>,
}

/// Runs the command. Returns how it ended, or not at all. `tell` hears what is to be
/// said before it starts.
///
/// # Errors
/// As [`granted::plan`] and [`granted::Plan::open`]; names that no secret may have; a
/// program that does not start.
pub fn run(deps: &Deps<'_>, request: &Request, tell: &mut dyn FnMut(Notice)) -> Result<Ending, Error> {
    let only = patterns_of(&request.only)?;
    let named = pairs(&request.named, "--env")?;
    let in_files = pairs(&request.in_files, "--file")?;
    let chosen = named.iter().chain(&in_files).map(|(_, pattern)| pattern);
    let demanded: Vec<PathPattern> = only.iter().chain(chosen).cloned().collect();
    // Files alone do not keep the others from being variables.
    let is_all = only.is_empty() && named.is_empty();
    let wish = Wish { request, only, named: &named, in_files: &in_files };
    let asked = granted::Request {
        agent: request.agent.clone(),
        files: request.files.clone(),
        paths: if is_all { Vec::new() } else { demanded.clone() },
        demanded,
        case: request.case,
        open: launch::keys_for(&request.command, &request.open),
    };
    let (mut plan, values) = overtaken::again(deps, || {
        let mut plan = granted::plan(deps, &asked)?;
        wish.assign(&plan.preview()?)?;
        let values = plan.open(deps)?;
        Ok((plan, values))
    })?;
    let assigned = wish.assign(&values)?;
    std::mem::take(&mut plan.notices).into_iter().for_each(&mut *tell);
    let mut launch = Launch {
        words: request.command.clone(),
        environment: scrubbed(&request.inherited, &request.keep),
        search_path: request.search_path.clone(),
        account: None,
        memory: Vec::new(),
    };
    for (name, value) in &assigned.variables {
        if !launch::fits(name, &value.value) {
            if wish.names(value) {
                return Err(not_text(value));
            }
            tell(left_out(value));
            continue;
        }
        let environment = &mut launch.environment;
        launch::add_variable(environment, name.clone(), &value.value, &value.shown, "--file NAME=PATH")?;
    }
    let files: Vec<InFile<'_>> = assigned
        .files
        .iter()
        .map(|(name, value)| InFile { name, file: name.clone(), value: &value.value })
        .collect();
    // It lives as long as the command.
    let _folder = launch::hand_over(deps, &mut launch, &files, Room::Memory)?;
    let patterns = request.redact.then(|| {
        let handed = assigned.variables.iter().chain(&assigned.files).map(|(_, value)| *value);
        let named = handed.map(|value| Named { path: &value.shown, value: &value.value });
        let (patterns, short) = redact::patterns(&named.collect::<Vec<_>>());
        short.into_iter().for_each(&mut *tell);
        patterns
    });
    drop(values);
    drop(plan);
    launch::waited(deps, &launch, patterns.as_ref()).map_err(|error| launch::failed(error, &launch))
}

/// The paths of `NAME=PATH`.
fn pairs(words: &[(String, String)], flag: &str) -> Result<Vec<(String, PathPattern)>, Error> {
    let pair = |(name, path): &(String, String)| match PathPattern::parse(path) {
        Ok(pattern) => Ok((name.clone(), pattern)),
        Err(error) => Err(Error::Conflict {
            message: format!("{flag} {name}={path}: {error}"),
            hints: vec!["paths are keys with dots between them: database.password".to_owned()],
        }),
    };
    words.iter().map(pair).collect()
}

/// Which value is to be called what.
struct Wish<'r> {
    request: &'r Request,
    only: Vec<PathPattern>,
    named: &'r [(String, PathPattern)],
    in_files: &'r [(String, PathPattern)],
}

/// Values under the names that the program knows them by.
struct Assigned<'v> {
    variables: Vec<(String, &'v GrantedValue)>,
    files: Vec<(String, &'v GrantedValue)>,
}

impl Wish<'_> {
    /// True if the caller asked for this value and not only for what is granted.
    fn names(&self, value: &GrantedValue) -> bool {
        let is_named = self.named.iter().any(|(_, pattern)| pattern.covers(&value.path));
        is_named || self.only.iter().any(|only| only.as_str() == value.shown)
    }

    /// Gives the values their names.
    fn assign<'v>(&self, values: &'v [GrantedValue]) -> Result<Assigned<'v>, Error> {
        let mut assigned = Assigned { variables: Vec::new(), files: Vec::new() };
        let mut taken: Vec<usize> = Vec::new();
        for (pairs, flag) in [(self.named, "--env"), (self.in_files, "--file")] {
            for (name, pattern) in pairs {
                let at = one(values, name, pattern, flag)?;
                assigned.add(name.clone(), &values[at], flag == "--file")?;
                taken.push(at);
            }
        }
        if !self.named.is_empty() && self.only.is_empty() {
            return Ok(assigned);
        }
        for (at, value) in values.iter().enumerate() {
            let is_meant = self.only.is_empty() || self.only.iter().any(|only| only.covers(&value.path));
            if taken.contains(&at) || !is_meant {
                continue;
            }
            let Some(name) = &value.name else {
                let message = format!("{} of {} gives no name for a variable", value.shown, value.source);
                return Err(conflict(message, &rename(value)));
            };
            assigned.add(format!("{}{name}", self.request.prefix), value, false)?;
        }
        Ok(assigned)
    }
}

impl<'v> Assigned<'v> {
    fn add(&mut self, name: String, value: &'v GrantedValue, in_file: bool) -> Result<(), Error> {
        if !is_name(&name) {
            let message = format!("{name} is no name for a variable");
            return Err(conflict(
                message,
                "names are made of letters, digits and _, and start with no digit",
            ));
        }
        if is_refused(&name) {
            let message = format!(
                "{} of {} would be the variable {name}, which no secret may be: programs take \
                                   commands, libraries or places from it",
                value.shown, value.source
            );
            return Err(conflict(message, &rename(value)));
        }
        // A key that is repeated in one file (dotenv allows it) has its last value.
        let is_repeated = |(known, other): &(String, &GrantedValue)| {
            *known == name && other.source == value.source && other.path == value.path
        };
        self.variables.retain(|known| !is_repeated(known));
        let all = self.variables.iter().chain(&self.files);
        if let Some((_, other)) = all.clone().find(|(known, _)| *known == name) {
            let of = |value: &GrantedValue| format!("{} of {}", value.shown, value.source);
            let message = format!("{} and {} would both be the variable {name}", of(other), of(value));
            return Err(conflict(
                message,
                "name the file that is meant, or give one of them its name with --env",
            ));
        }
        if in_file { &mut self.files } else { &mut self.variables }.push((name, value));
        Ok(())
    }
}

/// The one value that a path means.
fn one(values: &[GrantedValue], name: &str, pattern: &PathPattern, flag: &str) -> Result<usize, Error> {
    let meant: Vec<usize> = (0..values.len()).filter(|at| pattern.covers(&values[*at].path)).collect();
    match meant[..] {
        [at] => Ok(at),
        _ => {
            let places: Vec<String> =
                meant.iter().map(|at| format!("{} of {}", values[*at].shown, values[*at].source)).collect();
            let message = format!(
                "{flag} {name}={} means {} values: {}",
                pattern.as_str(),
                meant.len(),
                places.join(", ")
            );
            Err(conflict(message, "name one value, and before `--` the file that it is in"))
        }
    }
}

fn rename(value: &GrantedValue) -> String {
    format!("--env NAME={} gives it another name", value.shown)
}

fn not_text(value: &GrantedValue) -> Error {
    Error::Other {
        place: Place::file(&value.source).at_key(value.shown.clone()),
        cause: UNFIT.into(),
        hints: vec![as_file(value)],
    }
}

const UNFIT: &str = "this system's environment cannot hold the value, which is binary or too long";

fn as_file(value: &GrantedValue) -> String {
    format!("--file NAME={} hands it over as a file", value.shown)
}

/// That the program does without a value that nobody asked for.
fn left_out(value: &GrantedValue) -> Notice {
    let text = format!("{}: {} is left out: {UNFIT}", value.source, value.shown);
    Notice::warning(text).with_hint(as_file(value))
}

/// The environment of the caller without credentials, but for those that are to be kept.
fn scrubbed(inherited: &Variables, keep: &[String]) -> Variables {
    let mut environment = inherited.clone();
    let names: Vec<String> = inherited.iter().map(|(name, _)| name.to_string_lossy().into_owned()).collect();
    for name in names.iter().filter(|name| is_credential(name) && !keep.contains(name)) {
        environment.remove(name);
    }
    environment
}
