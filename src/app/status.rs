//! What a repository has of what git needs for encrypted files, what it lacks,
//! and which of these files are in no good state. Nothing is changed, nothing is
//! decrypted, and no key is needed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::Deps;
use super::error::Error;
use super::git_filter::is_encrypted;
use super::git_setup::{self, ATTRIBUTES, Change, Part, Plan};
use super::parallel;
use super::quote;
use super::repository::{Place, Snapshot};
use super::request::Notice;

/// How a part of the setup is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// In place.
    Ok,
    /// There, and not as it should be now.
    Outdated,
    /// Not there.
    Missing,
    /// Nothing is to be there: a bare repository has no hook, and without rules and
    /// encrypted files there are no attributes.
    Needless,
}

/// How a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileState {
    /// It is encrypted.
    Encrypted,
    /// A rule is for it, and it is not encrypted.
    Plain,
    /// It has conflict markers, or git has not finished a merge of it.
    Conflict,
    /// It is not in the work tree.
    Absent,
}

/// A file that is or should be encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its path.
    pub path: PathBuf,
    /// How it is.
    pub state: FileState,
    /// Git knows what it is: its attributes are ours.
    pub attributes: bool,
}

/// Something that is missing or wrong, and the command that mends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong.
    pub text: String,
    /// A command, or lines to write where there is none.
    pub mend: Vec<String>,
}

/// The findings.
#[derive(Debug)]
pub struct Outcome {
    /// The repository.
    pub place: Place,
    /// The parts of the setup, each with its file.
    pub parts: Vec<(Part, PathBuf, State)>,
    /// The files.
    pub files: Vec<File>,
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// What to say on the side.
    pub notices: Vec<Notice>,
}

/// Looks at the repository.
pub fn run(deps: &Deps<'_>, request: &git_setup::Request) -> Result<Outcome, Error> {
    let plan = git_setup::plan(deps, request)?;
    let parts = parts(&plan);
    let files = files(deps, &plan)?;
    let folder = deps.files.absolute(Path::new(".")).map_err(Error::Read)?;
    let problems = problems(&plan, &parts, &files, &folder);
    Ok(Outcome { place: plan.place, parts, files, problems, notices: plan.notices })
}

fn parts(plan: &Plan) -> Vec<(Part, PathBuf, State)> {
    let state = |change: Change| match change {
        Change::Kept => State::Ok,
        Change::Created | Change::Added => State::Missing,
        _ => State::Outdated,
    };
    let has_filter = plan.steps.iter().any(|step| step.part == Part::Filter);
    [Part::Attributes, Part::Settings, Part::Hook, Part::Filter]
        .into_iter()
        .filter(|part| *part != Part::Filter || has_filter)
        .map(|part| {
            let mut steps = plan.steps.iter().filter(|step| step.part == part);
            // The last one is the one that puts something in place.
            match steps.next_back() {
                Some(step) => (part, step.path.clone(), state(step.change)),
                None if part == Part::Hook && plan.place.top.is_some() => {
                    (part, plan.place.hooks.join("pre-commit"), State::Missing)
                }
                None if part == Part::Hook => (part, plan.place.hooks.clone(), State::Needless),
                None => (part, plan.attributes(), State::Needless),
            }
        })
        .collect()
}

fn files(deps: &Deps<'_>, plan: &Plan) -> Result<Vec<File>, Error> {
    let names = ATTRIBUTES.map(|(name, _)| name);
    let root = plan.place.top.as_ref().unwrap_or(&plan.place.git_dir);
    let known = if plan.files.is_empty() {
        Vec::new()
    } else {
        deps.repository.attributes(root, &names, &plan.files).map_err(Error::Read)?
    };
    let unmerged: BTreeSet<PathBuf> = match plan.place.top {
        Some(_) => {
            let index = deps.repository.listing(root, &Snapshot::Index, &[]).map_err(Error::Read)?;
            index.unwrap_or_default().into_iter().filter(|entry| entry.stage > 0).map(|it| it.path).collect()
        }
        None => BTreeSet::new(),
    };
    let bare = plan.place.top.is_none();
    let states = parallel::map(&plan.files, false, |path| match bare {
        true => FileState::Absent,
        false => state(deps, path, unmerged.contains(path)),
    });
    let files = plan.files.iter().zip(states).enumerate().map(|(index, (path, state))| {
        let said = known.get(index);
        let is_ours = |(said, (_, wanted)): (&Option<String>, &(&str, &str))| said.as_deref() == Some(wanted);
        let attributes = said.is_some_and(|said| said.iter().zip(&ATTRIBUTES).all(is_ours));
        File { path: path.clone(), state, attributes }
    });
    Ok(files.collect())
}

fn state(deps: &Deps<'_>, path: &Path, unmerged: bool) -> FileState {
    let Ok(contents) = deps.files.read(path) else {
        return if unmerged { FileState::Conflict } else { FileState::Absent };
    };
    if unmerged || has_markers(&contents.bytes) {
        return FileState::Conflict;
    }
    match is_encrypted(&contents.bytes, path) {
        true => FileState::Encrypted,
        false => FileState::Plain,
    }
}

/// True when lines begin as those around a conflict do, in their order.
fn has_markers(bytes: &[u8]) -> bool {
    let mut markers = ["<<<<<<< ", "=======", ">>>>>>> "].into_iter().peekable();
    for line in bytes.split(|byte| *byte == b'\n') {
        if markers.peek().is_some_and(|marker| line.starts_with(marker.as_bytes())) {
            markers.next();
        }
    }
    markers.peek().is_none()
}

fn problems(plan: &Plan, parts: &[(Part, PathBuf, State)], files: &[File], folder: &Path) -> Vec<Problem> {
    let setup = || vec!["leaflock git setup".to_owned()];
    let shown = |path: &Path| path.strip_prefix(folder).unwrap_or(path).display().to_string();
    let mut problems = Vec::new();
    let mut add = |text: String, mend: Vec<String>| problems.push(Problem { text, mend });
    for (part, path, state) in parts {
        let what = match part {
            Part::Attributes => "git is not told which files are encrypted",
            Part::Settings => "git is not told how to show and to merge encrypted files",
            Part::Filter => "git is not told which files are plaintext in the work tree",
            Part::Hook => "nothing looks for secrets in plain text before a commit",
        };
        match state {
            // Advice says more.
            State::Missing if *part == Part::Hook && !plan.advice.is_empty() => {}
            State::Missing => add(what.to_owned(), setup()),
            State::Outdated => {
                add(format!("what `git setup` wrote into {} is out of date", shown(path)), setup())
            }
            State::Ok | State::Needless => {}
        }
    }
    for advice in &plan.advice {
        add(advice.text.clone(), advice.lines.clone());
    }
    let set_up = parts.iter().any(|(part, _, state)| *part == Part::Attributes && *state == State::Ok);
    for file in files {
        let path = shown(&file.path);
        if set_up && !file.attributes {
            let text = format!("{path}: another line gives it other attributes");
            add(text, vec![format!("git check-attr -a {}", quote::shell(&path))]);
        }
        let word = quote::shell(&path);
        match file.state {
            // What is plaintext here is encrypted on its way into git.
            FileState::Plain if plan.filter => {}
            FileState::Plain => {
                add(
                    format!("{path}: a rule is for it, and it is not encrypted"),
                    vec![format!("leaflock encrypt -i {word}")],
                );
            }
            FileState::Conflict => {
                add(format!("{path}: its merge is not finished"), vec![format!("leaflock resolve {word}")]);
            }
            FileState::Encrypted | FileState::Absent => {}
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::has_markers;

    #[test]
    fn conflicts_are_told_from_lines_alike() {
        assert!(has_markers(b"a\n<<<<<<< ours\nb\n=======\nc\n>>>>>>> theirs\n"));
        assert!(!has_markers(b"title\n=======\n<<<<<<< x\n"));
        assert!(!has_markers(b""));
    }
}
