//! Three states of an encrypted file become one: what `git` asks of a merge driver.

use std::path::{Path, PathBuf};

use super::Deps;
use super::derived::put;
use super::error::{Error, Place};
use super::open::{Input, Locked, read_input};
use super::ports::Durability;
use super::repository::MergeFile;
use super::request::{FileOptions, Notice, OpenOptions, Source};
use super::sides::{Question, Sides, States, Unopened};
use crate::domain::agent::audit::entry::Action;
use crate::domain::merge::{Choice, Conflict, Labels, Side, marked, split};
use crate::domain::secret::SecretBytes;
use crate::domain::store::Format;

/// What to merge.
#[derive(Clone, Debug)]
pub struct Request {
    /// The common ancestor; an empty file if both sides added theirs.
    pub base: PathBuf,
    /// The state that is merged into, and where the result goes.
    pub ours: PathBuf,
    /// The state that is merged.
    pub theirs: PathBuf,
    /// The file that these are states of: for its format, its rules and messages.
    pub name: Option<PathBuf>,
    /// What stands behind conflict markers, and how long they are.
    pub labels: Labels,
    /// The result goes back to the caller, who prints it.
    pub to_stdout: bool,
    /// Conflicts that are settled.
    pub choices: Vec<Choice>,
    /// Formats, config, names.
    pub file: FileOptions,
    /// Keys and MAC.
    pub open: OpenOptions,
}

/// How a merge ended.
#[derive(Debug)]
pub enum Ending {
    /// Without conflicts.
    Merged,
    /// With these.
    Conflicts(Vec<Conflict>),
    /// As files without secrets are merged, line by line.
    ByLines {
        /// Whether that made conflicts, or may have.
        conflicts: bool,
        /// The side that could not be opened, and why.
        cause: Option<(Side, Error)>,
    },
}

/// What came of a merge.
#[derive(Debug)]
pub struct Outcome {
    /// The file, as messages name it.
    pub name: PathBuf,
    /// How it ended.
    pub ending: Ending,
    /// The result, if it was asked for.
    pub printed: Option<SecretBytes>,
    /// What to say on the side.
    pub notices: Vec<Notice>,
}

/// Merges one file. An error leaves the file of ours as it is: then there is no
/// result, not even one with conflicts.
pub fn run(deps: &Deps<'_>, request: &Request) -> Result<Outcome, Error> {
    let read = |path: &Path| read_input(deps, &Source::File(path.to_owned()), &request.file);
    let [base, ours, theirs] = [read(&request.base)?, read(&request.ours)?, read(&request.theirs)?];
    let name = request.name.clone().unwrap_or_else(|| request.ours.clone());
    let format = request.file.input_format.unwrap_or_else(|| Format::of_path(&name.to_string_lossy()));
    let place = Place::file(deps.files.absolute(&name).map_err(Error::Read)?);
    let question =
        Question { format, place, open: request.open.to(Action::Merge), file: request.file.clone() };
    let states = States { base: Some(&base.bytes), ours: &ours.bytes, theirs: &theirs.bytes };
    let mut merged = match by_values(deps, states, question, request) {
        Ok(merged) => merged,
        Err(unopened) => by_lines(deps, request, [&ours.bytes, &theirs.bytes], unopened)?,
    };
    let printed = match request.to_stdout {
        true => Some(merged.bytes),
        false => {
            merged.notices.extend(write(deps, &name, &ours, &merged.bytes)?);
            None
        }
    };
    Ok(Outcome { name, ending: merged.ending, printed, notices: merged.notices })
}

/// A merged file.
struct MergedFile {
    bytes: SecretBytes,
    ending: Ending,
    notices: Vec<Notice>,
}

/// Merges what is in the files.
fn by_values(
    deps: &Deps<'_>,
    states: States<'_>,
    question: Question,
    request: &Request,
) -> Result<MergedFile, Unopened> {
    let nested = states.base.and_then(split);
    let sides = match &nested {
        Some(marked) => Sides::open_above(deps, states, [&marked.ours, &marked.theirs], question)?,
        None => Sides::open(deps, states, question)?,
    };
    let failed = |error| Unopened::Side { side: Side::Ours, error };
    let joined = sides.join(deps, &request.choices).map_err(failed)?;
    let locked = sides.lock(deps, &joined).map_err(failed)?;
    if joined.conflicts.is_empty() {
        return Ok(MergedFile { bytes: locked.ours, ending: Ending::Merged, notices: locked.notices });
    }
    let bytes = marked(&locked.ours, &locked.theirs, &request.labels);
    Ok(MergedFile { bytes, ending: Ending::Conflicts(joined.conflicts), notices: locked.notices })
}

/// Merges the files line by line, as git does without a driver. Where a side could not
/// be opened, nobody has looked at the result: it counts as one with conflicts.
fn by_lines(
    deps: &Deps<'_>,
    request: &Request,
    bytes: [&[u8]; 2],
    unopened: Unopened,
) -> Result<MergedFile, Error> {
    let paths = [&request.base, &request.ours, &request.theirs].map(|path| deps.files.absolute(path));
    let [base, ours, theirs] = paths;
    let (base, ours, theirs) =
        (base.map_err(Error::Read)?, ours.map_err(Error::Read)?, theirs.map_err(Error::Read)?);
    let question = MergeFile { base: &base, ours: &ours, theirs: &theirs, labels: &request.labels };
    let (bytes, conflicts) = match deps.repository.merge_file(&question).map_err(Error::Read)? {
        Some(merged) => merged,
        None if bytes.iter().any(|bytes| bytes.contains(&0)) => (SecretBytes::new(bytes[0].to_vec()), true),
        None => (marked(bytes[0], bytes[1], &request.labels), bytes[0] != bytes[1]),
    };
    let cause = match unopened {
        Unopened::Plain => None,
        Unopened::Side { side, error } => Some((side, error)),
    };
    let conflicts = conflicts || cause.is_some();
    Ok(MergedFile { bytes, ending: Ending::ByLines { conflicts, cause }, notices: Vec::new() })
}

/// Replaces a file by its new state. Nobody has looked at what came from the other side,
/// so nobody signs for it here: under a policy, the notice says who does.
pub fn write(deps: &Deps<'_>, name: &Path, ours: &Input, bytes: &[u8]) -> Result<Vec<Notice>, Error> {
    let Some(path) = &ours.path else { return Ok(Vec::new()) };
    deps.files
        .replace(path, bytes, ours.seen, Durability::Power)
        .map_err(|error| Error::Write { in_place: true, error })?;
    let is_whole = Locked::parse(bytes, Format::of_path(&name.to_string_lossy()), &ours.place()).is_ok();
    // A policy that does not verify is no reason to lose the merge.
    let is_governed = || put::governing(deps, &deps.files.absolute(name).ok()?).ok()?;
    if !is_whole || is_governed().is_none() {
        return Ok(Vec::new());
    }
    let text = format!("{}: nobody has signed for the merged state yet", name.display());
    let hint = format!(
        "`leaflock diff --names` shows what changed; `leaflock agent sync --accept {}` takes it over",
        name.display()
    );
    Ok(vec![Notice::note(text).with_hint(hint)])
}
