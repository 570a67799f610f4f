//! What keys there are, what is in their way, and which files here they open.
//! Everything is looked at, nothing is decrypted, nobody is asked anything, and no
//! secret is shown.

use std::path::{Path, PathBuf};

use super::Deps;
use super::config;
use super::error::Error;
use super::names;
use super::quote;
use super::request::{FileOptions, Notice};
use super::who::{self, FileKeys};
use crate::domain::keys::kinds::KeyKind;
use crate::domain::keys::sources::{Outcome as Looked, Source};
use crate::domain::keys::survey::{Opener, Place, Survey};

/// What to look at.
#[derive(Clone, Debug)]
pub struct Request {
    /// Files, directories and patterns.
    pub paths: Vec<PathBuf>,
    /// Formats, config.
    pub file: FileOptions,
}

/// Whether a file can be opened here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// With what.
    Opens(Vec<Opener>),
    /// Only trying would tell.
    Perhaps(Vec<Opener>),
    /// With nothing.
    Closed,
}

/// Something that is wrong, and the command that mends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong.
    pub text: String,
    /// A command, or words where there is none.
    pub mend: String,
}

/// The findings.
#[derive(Debug)]
pub struct Outcome {
    /// Places and programs.
    pub survey: Survey,
    /// The permission bits of the files among the places, in their order.
    pub modes: Vec<Option<u32>>,
    /// The config in force.
    pub config: Option<PathBuf>,
    /// The file of names in force.
    pub names: Option<PathBuf>,
    /// The encrypted files here.
    pub files: Vec<(FileKeys, Verdict)>,
    /// What is wrong.
    pub problems: Vec<Problem>,
}

/// Looks at everything.
pub fn run(deps: &Deps<'_>, request: &Request) -> Result<Outcome, Error> {
    let request = who::Request { paths: request.paths.clone(), recipient: None, file: request.file.clone() };
    let here = deps.files.absolute(Path::new("x")).map_err(Error::Read)?;
    let mut problems = Vec::new();
    let config = the_config(deps, &here, &request.file, &mut problems);
    let (_, found) = names::of(deps, &here, &request.file);
    let names = found.map(|found| {
        problems.extend(found.bad.iter().map(|bad| Problem {
            text: format!("{}, line {}: this names nobody", found.path.display(), bad.line),
            mend: "write a key, a blank and a name on each line".to_owned(),
        }));
        found.path
    });
    let who::Outcome { files, failed } = who::run(deps, &request)?;
    problems.extend(failed.iter().map(|(path, error)| {
        Problem {
            text: format!("{}: {error}", path.display()),
            mend: error
                .hints()
                .first()
                .cloned()
                .unwrap_or_else(|| format!("leaflock filestatus {}", path.display())),
        }
    }));
    let uses = |kind| files.iter().flat_map(|file| file.groups.iter().flatten()).any(|key| key.kind == kind);
    let survey = deps.keys.survey(uses(KeyKind::Pgp));
    let modes: Vec<Option<u32>> = survey.places.iter().map(|place| mode(deps, place)).collect();
    for (place, mode) in survey.places.iter().zip(&modes) {
        problems.extend(wrong_place(place, *mode));
    }
    problems.extend(wrong_programs(&survey));
    let nowhere = survey.places.iter().all(|place| place.identities.is_empty() && place.outcome.is_some());
    if nowhere && (files.is_empty() || uses(KeyKind::Age)) {
        problems.push(Problem {
            text: "there is no age identity in any place".to_owned(),
            mend: "leaflock init".to_owned(),
        });
    }
    let files =
        files.into_iter().map(|file| (verdict(deps, &file), file)).map(|(v, file)| (file, v)).collect();
    Ok(Outcome { survey, modes, config, names, files, problems })
}

fn the_config(
    deps: &Deps<'_>,
    here: &Path,
    options: &FileOptions,
    problems: &mut Vec<Problem>,
) -> Option<PathBuf> {
    let mut notices: Vec<Notice> = Vec::new();
    let found = config::find(deps, here, options, &mut notices);
    problems.extend(
        notices
            .into_iter()
            .map(|notice| Problem { text: notice.text, mend: "mv .sops.yml .sops.yaml".to_owned() }),
    );
    match found {
        Ok(found) => found.map(|found| found.path.clone()),
        Err(error) => {
            let place = error.place();
            let line = place.line.map(|line| format!(", line {line}")).unwrap_or_default();
            let path = place.path.map(|path| path.display().to_string()).unwrap_or_default();
            problems.push(Problem {
                text: format!("{path}{line}: {error}"),
                mend: error.hints().into_iter().next().unwrap_or_else(|| "correct that line".to_owned()),
            });
            None
        }
    }
}

fn mode(deps: &Deps<'_>, place: &Place) -> Option<u32> {
    let read = !matches!(place.outcome, Some(Looked::Absent | Looked::Unreadable(_)) | None);
    place.path.as_deref().filter(|_| read).and_then(|path| deps.files.mode(path))
}

/// Permissions that let others read.
const OTHERS: u32 = 0o077;

/// What is wrong with a place of identities.
fn wrong_place(place: &Place, mode: Option<u32>) -> Vec<Problem> {
    let location = match (&place.path, place.source.variable()) {
        (Some(path), Some(variable)) => format!("{} ({variable})", path.display()),
        (Some(path), None) => path.display().to_string(),
        (None, variable) => variable.unwrap_or_default().to_owned(),
    };
    let path = place.path.as_deref().map(|path| quote::shell(&path.display().to_string()));
    let mut problems = Vec::new();
    match &place.outcome {
        Some(Looked::Unreadable(reason)) => {
            let mend = match (place.source.variable(), &path) {
                (Some(variable), _) => format!("unset {variable}, or let it name a file that can be read"),
                (None, Some(path)) => format!("chmod 600 {path}"),
                (None, None) => "make it readable".to_owned(),
            };
            problems.push(Problem { text: format!("{location}: {reason}"), mend });
        }
        Some(Looked::Malformed(reason)) => problems.push(Problem {
            text: format!("{location}: {reason}"),
            mend: mend_malformed(place, path.as_deref()),
        }),
        Some(Looked::Found(0)) => problems.push(Problem {
            text: format!("{location} holds no identity"),
            mend: path
                .as_ref()
                .map_or("unset SOPS_AGE_KEY".to_owned(), |path| format!("age-keygen >> {path}")),
        }),
        Some(Looked::Absent | Looked::Found(_)) | None => {}
    }
    if let (Some(mode), Some(path)) = (mode.filter(|mode| mode & OTHERS != 0), path) {
        problems.push(Problem {
            text: format!("{location}: others than its owner can read it (mode {mode:04o})"),
            mend: format!("chmod 600 {path}"),
        });
    }
    problems
}

fn mend_malformed(place: &Place, path: Option<&str>) -> String {
    match (path, place.source) {
        (Some(path), Source::SshKeyFile | Source::HomeEd25519 | Source::HomeRsa) => {
            format!("ssh-keygen -p -f {path}  (writes the key in today's format)")
        }
        (Some(path), _) => format!("correct that line: ${{EDITOR:-vi}} {path}"),
        (None, _) => format!("unset {}", place.source.variable().unwrap_or_default()),
    }
}

/// What is wrong with the programs that keys need.
fn wrong_programs(survey: &Survey) -> Vec<Problem> {
    let missing = survey.plugins.iter().filter(|plugin| plugin.path.is_none());
    let mut problems: Vec<Problem> = missing
        .map(|plugin| Problem {
            text: format!("age-plugin-{} is not on the search path, and an identity needs it", plugin.name),
            mend: format!("install age-plugin-{}, and check with: command -v age-plugin-{0}", plugin.name),
        })
        .collect();
    if let Some(gpg) = &survey.gpg
        && let Err(reason) = &gpg.keys
    {
        problems.push(Problem {
            text: format!("files here have PGP keys, and {} failed: {reason}", gpg.program),
            mend: format!("{} --list-secret-keys", gpg.program),
        });
    }
    problems
}

/// Whether enough groups of a file can be opened.
fn verdict(deps: &Deps<'_>, file: &FileKeys) -> Verdict {
    let mut certain = Vec::new();
    let mut perhaps = Vec::new();
    for group in &file.groups {
        let openers: Vec<Opener> =
            group.iter().filter_map(|key| deps.keys.opener(key.kind, &key.key)).collect();
        match openers.iter().find(|opener| opener.certain) {
            Some(opener) => certain.push(opener.clone()),
            None => perhaps.extend(openers.into_iter().next()),
        }
    }
    let needed = file.threshold.unwrap_or(1);
    if certain.len() >= needed {
        Verdict::Opens(certain)
    } else if certain.len() + perhaps.len() >= needed {
        certain.append(&mut perhaps);
        Verdict::Perhaps(certain)
    } else {
        Verdict::Closed
    }
}
