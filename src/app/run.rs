//! A command, started without a shell, with the values of files in its environment
//! or in private files. It takes this process's place where nothing has to be
//! cleaned up behind it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::Deps;
use super::agent::{listed, overtaken, root};
use super::audit::record;
use super::decrypt;
use super::error::{Error, Place, While};
use super::launch::{self, InFile, Room, conflict};
use super::open::{self, Locked};
use super::ports::{Ending, Launch};
use super::redact;
use super::request::{Destination, FileOptions, Notice, OpenOptions, Source, Task};
use super::variables::Variables;
use crate::domain::agent::redact::Named;
use crate::domain::environment::{self, Pattern, Variable, dotenv, is_name};
use crate::domain::secret::SecretBytes;
use crate::domain::store::Format;
use crate::domain::store::flat_names::Case;

/// The file that is meant where none is named.
pub const DEFAULT_FILE: &str = ".env";

/// What to run.
#[derive(Clone, Debug)]
pub struct Request {
    /// The encrypted files; a later one wins over an earlier one.
    pub files: Vec<PathBuf>,
    /// Formats, config, names.
    pub file: FileOptions,
    /// Keys and MAC.
    pub open: OpenOptions,
    /// The keys that are wanted; none is all.
    pub only: Vec<String>,
    /// Stands before every name.
    pub prefix: String,
    /// Variables that hold the path of a file with a value: their names, the keys.
    pub in_files: Vec<(String, String)>,
    /// The letters of names that keys become.
    pub case: Case,
    /// Whether the values are taken out of the command's output.
    pub redact: bool,
    /// The program and its arguments.
    pub command: Vec<OsString>,
    /// The caller's environment, if the command is to have it.
    pub inherited: Variables,
    /// Where the program is looked for.
    pub search_path: Option<OsString>,
}

/// Runs the command. Returns how it ended, or not at all. `tell` hears what is to be
/// said before it starts.
pub fn run(deps: &Deps<'_>, request: &Request, tell: &mut dyn FnMut(Notice)) -> Result<Ending, Error> {
    let mut wanted = request.clone();
    wanted.open = launch::keys_for(&request.command, &request.open);
    wanted.open.intent.secrets.clone_from(&request.only);
    let request = &wanted;
    let mut variables = Vec::new();
    let mut is_by_agent = false;
    for path in &request.files {
        refuse_vanished(deps, path)?;
        let more = overtaken::again(deps, || of_file(deps, request, path, &variables, tell))?;
        is_by_agent |= record::last(deps).is_some_and(|recorded| recorded.agent().is_some());
        variables.retain(|known: &Variable| more.iter().all(|new| new.name != known.name));
        variables.extend(more);
    }
    let in_files = take_files(&mut variables, &request.in_files)?;
    select(&mut variables, &request.only)?;
    let mut launch = Launch {
        words: request.command.clone(),
        environment: request.inherited.clone(),
        search_path: request.search_path.clone(),
        account: None,
        memory: Vec::new(),
    };
    for variable in &variables {
        let name = format!("{}{}", request.prefix, variable.name);
        if in_files.iter().any(|(other, _)| *other == name) {
            let message =
                format!("{name} would be both the value of {} and the path of a file", variable.path);
            return Err(conflict(
                message,
                "give the file's variable another name, or leave the key out with --only",
            ));
        }
        launch::add_variable(
            &mut launch.environment,
            name,
            &variable.value,
            &variable.path,
            "--file NAME=KEY",
        )?;
    }
    // What an agent may use and not read is not shown to it.
    let patterns = (request.redact || is_by_agent).then(|| {
        let handed_over = variables.iter().chain(in_files.iter().map(|(_, variable)| variable));
        let named = handed_over.map(|variable| Named { path: &variable.dotted, value: &variable.value });
        let (patterns, short) = redact::patterns(&named.collect::<Vec<_>>());
        short.into_iter().for_each(&mut *tell);
        patterns
    });
    drop(variables);
    if in_files.is_empty() && patterns.is_none() {
        return launch::replaced(deps, &launch).map_err(|error| launch::failed(error, &launch));
    }
    // It lives as long as the command.
    let files: Vec<InFile<'_>> = in_files
        .iter()
        .map(|(name, variable)| InFile { name, file: file_name(name, variable), value: &variable.value })
        .collect();
    let _folder = launch::hand_over(deps, &mut launch, &files, Room::Folder)?;
    drop(in_files);
    launch::waited(deps, &launch, patterns.as_ref()).map_err(|error| launch::failed(error, &launch))
}

/// Refuses to go on where the policy of a file is gone.
fn refuse_vanished(deps: &Deps<'_>, path: &Path) -> Result<(), Error> {
    let path = deps.files.absolute(path).map_err(Error::Read)?;
    path.parent().map_or(Ok(()), |folder| root::refuse_vanished(deps, folder))
}

/// The variables of one file, of which the last of a name counts.
fn of_file(
    deps: &Deps<'_>,
    request: &Request,
    path: &Path,
    earlier: &[Variable],
    tell: &mut dyn FnMut(Notice),
) -> Result<Vec<Variable>, Error> {
    let source = Source::File(path.to_owned());
    let name = deps.files.absolute(path).map_err(Error::Read)?;
    let format = request.file.input_format.unwrap_or_else(|| Format::of_path(&name.to_string_lossy()));
    if format == Format::Dotenv {
        return of_dotenv(deps, request, source, earlier, tell);
    }
    let input = open::read_input(deps, &source, &request.file)?;
    let unlocked = Locked::parse(&input.bytes, format, &input.place())
        .map_err(|error| listed::unreadable(deps, Some(&name), &input.bytes, error))?
        .unlock(deps, &request.open)?;
    unlocked.notices.iter().cloned().for_each(tell);
    let documents = launch::values(&unlocked, &request.open)?;
    let Some(document) = documents.first() else { return Ok(Vec::new()) };
    environment::of_document(document, request.case).map_err(|error| Error::Emit {
        place: input.place(),
        during: While::Decrypting,
        error,
    })
}

/// A dotenv file as its owner wrote it, read as programs read it.
fn of_dotenv(
    deps: &Deps<'_>,
    request: &Request,
    source: Source,
    earlier: &[Variable],
    tell: &mut dyn FnMut(Notice),
) -> Result<Vec<Variable>, Error> {
    let place = match &source {
        Source::File(path) => Place::file(deps.files.absolute(path).map_err(Error::Read)?),
        Source::Stdin => Place::default(),
    };
    let mut decrypted = decrypt::run(
        deps,
        &decrypt::Request {
            task: Task::single(source, request.file.clone(), Destination::Stdout),
            output_format: Some(decrypt::OutputFormat::File(Format::Dotenv)),
            extract: None,
            open: request.open.clone(),
            terminal: true,
        },
    )?;
    std::mem::take(&mut decrypted.notices).into_iter().for_each(tell);
    let outer = |name: &str| {
        let of_files = earlier.iter().find(|variable| variable.name == name);
        let of_caller = || request.inherited.get(name);
        match of_files {
            Some(variable) => Some(variable.value.clone()),
            None => of_caller().map(|value| SecretBytes::new(value.as_encoded_bytes().to_vec())),
        }
    };
    let assignments = dotenv::read(&decrypted.into_bytes(), &outer)
        .map_err(|error| open::read_error(error, &place, While::Decrypting))?;
    let mut variables: Vec<Variable> = Vec::with_capacity(assignments.len());
    for assignment in assignments {
        variables.retain(|known| known.name != assignment.name);
        variables.push(Variable {
            path: format!("[\"{}\"]", assignment.name),
            dotted: assignment.name.clone(),
            name: assignment.name,
            value: assignment.value,
        });
    }
    Ok(variables)
}

/// Takes out the variables that are wanted in files.
fn take_files(
    variables: &mut Vec<Variable>,
    in_files: &[(String, String)],
) -> Result<Vec<(String, Variable)>, Error> {
    let mut taken: Vec<(String, Variable)> = Vec::new();
    for (name, key) in in_files {
        if !is_name(name) || taken.iter().any(|(other, _)| other == name) {
            let message = format!("--file {name}={key}: {name} is no name, or is given twice");
            return Err(conflict(message, "write --file NAME=KEY, NAME in letters, digits and _"));
        }
        let pattern = Pattern::new(key);
        let meant: Vec<usize> = (0..variables.len()).filter(|at| pattern.means(&variables[*at])).collect();
        match meant[..] {
            [at] => taken.push((name.clone(), variables.remove(at))),
            [] => return Err(unknown(key, variables)),
            _ => {
                let message = format!("--file {name}={key} means {} values", meant.len());
                return Err(conflict(message, "name one of them, for example by its whole path"));
            }
        }
    }
    Ok(taken)
}

/// Keeps the variables that `only` means; every word of it must mean one.
fn select(variables: &mut Vec<Variable>, only: &[String]) -> Result<(), Error> {
    if only.is_empty() {
        return Ok(());
    }
    let patterns: Vec<Pattern> = only.iter().map(|text| Pattern::new(text)).collect();
    for pattern in &patterns {
        if !variables.iter().any(|variable| pattern.means(variable)) {
            return Err(unknown(&pattern.text, variables));
        }
    }
    variables.retain(|variable| patterns.iter().any(|pattern| pattern.means(variable)));
    Ok(())
}

fn unknown(key: &str, variables: &[Variable]) -> Error {
    /// How many names are worth showing.
    const SHOWN: usize = 12;
    let names: Vec<&str> = variables.iter().take(SHOWN).map(|variable| variable.name.as_str()).collect();
    Error::NotFound {
        place: Place::default(),
        message: format!("no value is called {key}"),
        hints: vec![format!("the variables are {}", names.join(", "))],
    }
}

/// The name of a file tells its key, for programs that look at the end of a name.
fn file_name(name: &str, variable: &Variable) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
    let key: String = variable.dotted.chars().map(allowed).collect();
    format!("{name}.{}", key.trim_start_matches('.'))
}
