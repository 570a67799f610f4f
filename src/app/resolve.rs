//! Conflicts of encrypted files are solved: in the editor with both sides in clear, or
//! key by key. Also of files that git marked without knowing what they are.

use std::path::{Path, PathBuf};

use super::Deps;
use super::change;
use super::error::{Error, Place};
use super::lock::Plain;
use super::merge;
use super::open::{Input, Locked};
use super::repository::Snapshot;
use super::request::{FileOptions, Notice, OpenOptions};
use super::session;
use super::sides::{Joined, Question, Sides, States, Unopened};
use crate::domain::agent::audit::entry::Action;
use crate::domain::merge::{Choice, Conflict, Labels, Marked, Side, first_marker, free_size, marked, split};
use crate::domain::secret::SecretBytes;
use crate::domain::store::Format;

/// What to solve.
#[derive(Clone, Debug)]
pub struct Request {
    /// The file.
    pub path: PathBuf,
    /// What is settled, each in the spellings that it may have been meant in; without
    /// any, the editor is opened.
    pub choices: Vec<Vec<Choice>>,
    /// Only tell what is to solve.
    pub list: bool,
    /// Formats, config, names.
    pub file: FileOptions,
    /// Keys and MAC.
    pub open: OpenOptions,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// What is left to solve; if nothing is, the file was replaced, unless its conflicts
    /// were only listed.
    pub conflicts: Vec<Conflict>,
    /// What to say on the side.
    pub notices: Vec<Notice>,
}

/// Solves the conflicts of one file.
pub fn run(deps: &Deps<'_>, request: &Request) -> Result<Outcome, Error> {
    let path = deps.files.absolute(&request.path).map_err(Error::Read)?;
    let _claim = deps.edit_locks.lock(&path).map_err(Error::EditLock)?;
    let input = change::read(deps, &request.path, &request.file)?;
    let question = Question {
        format: request.file.input_format.unwrap_or_else(|| input.format()),
        place: Place::file(&path),
        open: request.open.to(Action::Resolve),
        file: request.file.clone(),
    };
    let found = find(deps, &input, &question)?;
    let open =
        OpenOptions { ignore_mac: request.open.ignore_mac || found.unverified, ..question.open.clone() };
    let question = Question { open, ..question };
    let sides =
        Sides::open(deps, found.states(), question.clone()).map_err(|it| unopened(it, &question.place))?;
    let choices = request.choices.concat();
    let joined = sides.join(deps, &choices)?;
    let mut notices = found.notices(&request.path);
    if request.list {
        return Ok(Outcome { conflicts: joined.conflicts, notices });
    }
    refuse_unknown(deps, &sides, request)?;
    if joined.conflicts.is_empty() {
        let locked = sides.lock(deps, &joined)?;
        notices.extend(locked.notices);
        notices.extend(merge::write(deps, &request.path, &input, &locked.ours)?);
    } else if request.choices.is_empty() {
        let plain = edited(deps, request, &question, &joined)?;
        let (bytes, said) = sides.lock_text(deps, &joined, &plain)?;
        notices.extend(said);
        notices.extend(merge::write(deps, &request.path, &input, &bytes)?);
        return Ok(Outcome { conflicts: Vec::new(), notices });
    } else {
        let locked = sides.lock(deps, &joined)?;
        notices.extend(locked.notices);
        let bytes = marked(&locked.ours, &locked.theirs, &found.labels);
        notices.extend(merge::write(deps, &request.path, &input, &bytes)?);
    }
    Ok(Outcome { conflicts: joined.conflicts, notices })
}

/// The states that a conflict is made of.
struct Found {
    base: Option<SecretBytes>,
    ours: SecretBytes,
    theirs: SecretBytes,
    labels: Labels,
    /// Git put them together line by line: no MAC can fit.
    unverified: bool,
}

impl Found {
    fn states(&self) -> States<'_> {
        States { base: self.base.as_deref(), ours: &self.ours, theirs: &self.theirs }
    }

    fn notices(&self, path: &Path) -> Vec<Notice> {
        if !self.unverified {
            return Vec::new();
        }
        let text = format!(
            "{}: git put this file together line by line, so no MAC fits: each value is authenticated for its \
             key path alone",
            path.display()
        );
        vec![
            Notice::warning(text)
                .with_hint("look at the result before it is committed: `leaflock edit FILE`"),
        ]
    }
}

/// Finds the two sides: between the markers if those are whole files, else in the index,
/// else between the markers all the same.
fn find(deps: &Deps<'_>, input: &Input, question: &Question) -> Result<Found, Error> {
    let between = split(&input.bytes).map(|Marked { ours, theirs, labels, .. }| Found {
        base: None,
        ours,
        theirs,
        labels,
        unverified: false,
    });
    if let Some(found) = &between
        && let Ok(sides) = Sides::open(deps, found.states(), question.clone())
    {
        drop(sides);
        return between.ok_or_else(|| no_conflict(&question.place));
    }
    if between.is_none() && opens(deps, input, question) {
        return Err(no_conflict(&question.place));
    }
    if let Some(found) = staged(deps, input)? {
        return Ok(found);
    }
    match between {
        Some(found) => Ok(Found { unverified: true, ..found }),
        None => Err(no_conflict(&question.place)),
    }
}

/// True when the file is a whole one.
fn opens(deps: &Deps<'_>, input: &Input, question: &Question) -> bool {
    let open = OpenOptions { only_looks: true, ..question.open.clone() };
    let file = Locked::parse(&input.bytes, question.format, &question.place)
        .and_then(|locked| locked.unlock(deps, &open));
    file.is_ok_and(|file| change::open(&file, &question.open, false).is_ok())
}

fn no_conflict(place: &Place) -> Error {
    let name = place.path.as_deref().unwrap_or(Path::new("FILE")).display().to_string();
    Error::NotFound {
        place: place.clone(),
        message: "this file has no conflict".to_owned(),
        hints: vec![format!("`git add {name}` tells git so, if it still thinks otherwise")],
    }
}

/// The states that git's index holds while a merge is unfinished.
fn staged(deps: &Deps<'_>, input: &Input) -> Result<Option<Found>, Error> {
    let Some((path, folder)) = input.path.as_ref().and_then(|path| Some((path, path.parent()?))) else {
        return Ok(None);
    };
    let listed = deps.repository.listing(folder, &Snapshot::Index, std::slice::from_ref(path));
    let entries = listed.map_err(Error::Read)?.unwrap_or_default();
    let mut blobs = [None, None, None];
    for entry in entries {
        if let Some(place) = usize::from(entry.stage).checked_sub(1).and_then(|at| blobs.get_mut(at)) {
            *place = Some(entry.blob);
        }
    }
    let [base, Some(ours), Some(theirs)] = &blobs else { return Ok(None) };
    let wanted: Vec<String> =
        [Some(ours), Some(theirs), base.as_ref()].into_iter().flatten().cloned().collect();
    let mut contents: Vec<(String, SecretBytes)> = Vec::new();
    deps.repository
        .contents(folder, &wanted, &mut |blob, bytes| contents.push((blob.to_owned(), bytes)))
        .map_err(Error::Read)?;
    let find =
        |wanted: &String| contents.iter().find(|(blob, _)| blob == wanted).map(|(_, bytes)| bytes.clone());
    let (Some(ours), Some(theirs)) = (find(ours), find(theirs)) else { return Ok(None) };
    let base = match base {
        Some(blob) => find(blob),
        // Both sides added the file.
        None => Some(SecretBytes::default()),
    };
    let labels = Labels { ours: "ours".to_owned(), theirs: "theirs".to_owned(), size: 0 };
    Ok(Some(Found { base, ours, theirs, labels, unverified: false }))
}

fn unopened(unopened: Unopened, place: &Place) -> Error {
    match unopened {
        Unopened::Plain => Error::NotEncrypted(place.clone()),
        Unopened::Side { error, .. } => error,
    }
}

/// Refuses a choice about what is no conflict: it is a mistake.
fn refuse_unknown(deps: &Deps<'_>, sides: &Sides<'_>, request: &Request) -> Result<(), Error> {
    if request.choices.is_empty() {
        return Ok(());
    }
    let conflicts = sides.join(deps, &[])?.conflicts;
    let is_idle = |choices: &&Vec<Choice>| {
        !choices.iter().any(|choice| {
            choice.path.is_empty() || conflicts.iter().any(|conflict| choice.is_about(&conflict.path))
        })
    };
    let Some(choice) = request.choices.iter().find(is_idle).and_then(|choices| choices.last()) else {
        return Ok(());
    };
    let paths: Vec<&str> = conflicts.iter().map(|conflict| conflict.path.as_str()).collect();
    Err(Error::NotFound {
        place: Place::file(&request.path).at_key(choice.path.clone()),
        message: "there is no conflict at this key".to_owned(),
        hints: vec![format!("there are conflicts at {}", paths.join(", "))],
    })
}

/// What the user makes of both sides in the editor.
fn edited(
    deps: &Deps<'_>,
    request: &Request,
    question: &Question,
    joined: &Joined,
) -> Result<SecretBytes, Error> {
    let Question { format, place, .. } = question;
    if let Some(conflict) = joined.conflicts.iter().find(|it| it.path.starts_with("[\"sops\"]")) {
        return Err(Error::NotFound {
            place: place.clone().at_key(conflict.path.clone()),
            message: "the sides disagree on keys or rules, which no editor can show".to_owned(),
            hints: vec![format!("say whose holds: --ours '{0}' or --theirs '{0}'", conflict.path)],
        });
    }
    let (ours, theirs) = (joined.plain(Side::Ours), joined.plain(Side::Theirs));
    if [ours, theirs].iter().any(|text| std::str::from_utf8(text).is_err()) {
        return Err(Error::NotFound {
            place: place.clone(),
            message: "the file is no text, which no editor can show".to_owned(),
            hints: vec!["say whose holds: --all-ours or --all-theirs".to_owned()],
        });
    }
    let size = free_size(&[ours, theirs]);
    let labels = Labels { ours: "ours".to_owned(), theirs: "theirs".to_owned(), size };
    let text = marked(ours, theirs, &labels);
    session::run(deps, &request.path, &text, &mut |text| {
        if let Some(line) = first_marker(text, size) {
            return Err(Error::Other {
                place: place.clone().at_line(Some(line)),
                cause: "a conflict marker is left".into(),
                hints: Vec::new(),
            });
        }
        if *format == Format::Binary {
            return Ok(SecretBytes::new(text.to_vec()));
        }
        Plain::parse(text, *format, place)?;
        Ok(SecretBytes::new(text.to_vec()))
    })
}
