//! The page for agents, put where they look for instructions: into `AGENTS.md` at the
//! top of the repository, and into the folders of skills and rules that are there.

use std::path::{Path, PathBuf};

use super::Deps;
use super::error::{Error, Place};
use super::lookup::{self, Caller};
use super::ports::{Contents, Durability, FileKind};
use crate::domain::managed_block::{AGENT_GUIDE, Endless, Position, Without};

/// What is written where.
#[derive(Clone, Debug)]
pub struct Request {
    /// The page, lines that end in `\n`.
    pub page: String,
    /// This file only.
    pub target: Option<PathBuf>,
    /// The page is taken out again.
    pub remove: bool,
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is new.
    Created,
    /// The page was put behind what was there.
    Added,
    /// The page was brought up to date.
    Renewed,
    /// It had the page already, or there was nothing to take out.
    Kept,
    /// The page was taken out.
    Restored,
    /// The file is gone: it was made for the page.
    Removed,
}

impl Change {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Added => "added",
            Self::Renewed => "renewed",
            Self::Kept => "unchanged",
            Self::Restored => "taken out",
            Self::Removed => "removed",
        }
    }
}

/// A folder where agents look, from the top of the repository, and the file for it.
struct Spot {
    folder: &'static str,
    file: &'static str,
    head: &'static str,
}

/// The file that every agent is told to read.
const EVERYWHERE: &str = "AGENTS.md";

/// How a skill begins (agentskills.io: `name` is that of its folder).
const SKILL: &str = "\
---
name: leaflock
description: How to use secrets of this repository without reading them. Use whenever a task needs a password, token, key or other secret, or an encrypted file.
---

";

/// How a rule begins that is applied when its description fits.
const RULE: &str = "\
---
description: How to use secrets of this repository without reading them, whenever a task needs one
alwaysApply: false
---

";

/// Folders that count where they exist. The first is shared by many agents, the others
/// are those of one each.
const SPOTS: [Spot; 5] = [
    Spot { folder: ".agents/skills", file: "leaflock/SKILL.md", head: SKILL },
    Spot { folder: ".claude/skills", file: "leaflock/SKILL.md", head: SKILL },
    Spot { folder: ".github/skills", file: "leaflock/SKILL.md", head: SKILL },
    Spot { folder: ".cursor/skills", file: "leaflock/SKILL.md", head: SKILL },
    Spot { folder: ".cursor/rules", file: "leaflock.mdc", head: RULE },
];

/// Writes the page, or takes it out.
///
/// # Errors
/// A file that cannot be read or written, a block without an end.
pub fn run(deps: &Deps<'_>, request: &Request) -> Result<Vec<(PathBuf, Change)>, Error> {
    let here = deps.files.absolute(Path::new(".")).map_err(Error::Read)?;
    let targets = match &request.target {
        Some(target) => vec![(deps.files.absolute(target).map_err(Error::Read)?, head_of(target))],
        None => targets(deps, &here)?,
    };
    let mut done = Vec::new();
    for (path, head) in targets {
        refuse_way_out(deps, &here, &path)?;
        let now = deps.files.read_if_there(&path).map_err(Error::Read)?;
        let change = match request.remove {
            true => take_out(deps, &path, now, head)?,
            false => put_in(deps, &path, now, head, &request.page)?,
        };
        let shown = path.strip_prefix(&here).map(Path::to_owned).unwrap_or(path);
        done.push((shown, change));
    }
    Ok(done)
}

/// Refuses a file of the repository that is a link to one elsewhere, or into git's own
/// folder: whoever can push could have the page written anywhere.
fn refuse_way_out(deps: &Deps<'_>, here: &Path, path: &Path) -> Result<(), Error> {
    let place = deps.repository.place(here).map_err(Error::Read)?;
    let Some((top, git)) = place.and_then(|place| Some((place.top?, place.common_dir))) else {
        return Ok(());
    };
    let real = |path: &Path| deps.files.real(path).map_err(Error::Read);
    let (top, git, to) = (real(&top)?, real(&git)?, real(path)?);
    let is_within = |path: &Path| path.starts_with(&top) && !path.starts_with(&git);
    let is_of_repository = path.ancestors().skip(1).any(|above| real(above).is_ok_and(|above| above == top));
    if is_within(&to) && !deps.files.is_link(&to) || !is_of_repository {
        return Ok(());
    }
    Err(Error::Other {
        place: Place::file(path),
        cause: "this is a link to a file outside of the repository, and the page is not written there".into(),
        hints: vec!["take the link away; `--install --target FILE` writes the page elsewhere".to_owned()],
    })
}

/// Who asks, as far as there is a policy.
pub fn caller(deps: &Deps<'_>) -> Option<Caller> {
    let site = lookup::site(deps).ok()?;
    site.policy.map(|_| site.caller)
}

fn targets(deps: &Deps<'_>, here: &Path) -> Result<Vec<(PathBuf, &'static str)>, Error> {
    let place = deps.repository.place(here).map_err(Error::Read)?;
    let top = place.and_then(|place| place.top).unwrap_or_else(|| here.to_owned());
    let mut targets = vec![(top.join(EVERYWHERE), "")];
    for spot in SPOTS {
        let folder = top.join(spot.folder);
        if deps.files.kind(&folder).map_err(Error::Read)? == Some(FileKind::Directory) {
            targets.push((folder.join(spot.file), spot.head));
        }
    }
    Ok(targets)
}

/// How a new file of that name begins.
fn head_of(path: &Path) -> &'static str {
    match path.file_name().and_then(|name| name.to_str()) {
        Some("SKILL.md") => SKILL,
        Some(name) if name.ends_with(".mdc") => RULE,
        _ => "",
    }
}

fn put_in(
    deps: &Deps<'_>,
    path: &Path,
    now: Option<Contents>,
    head: &str,
    page: &str,
) -> Result<Change, Error> {
    let text = AGENT_GUIDE
        .with(now.as_ref().map(|now| &now.bytes[..]), page, Position::End, head)
        .map_err(|error| endless(error, path))?;
    let Some(now) = now else {
        deps.files.create(path, &text, false).map_err(|error| Error::Write { in_place: false, error })?;
        return Ok(Change::Created);
    };
    if now.bytes[..] == text[..] {
        return Ok(Change::Kept);
    }
    let had = AGENT_GUIDE.is_in(&now.bytes);
    replace(deps, path, &text, &now)?;
    Ok(if had { Change::Renewed } else { Change::Added })
}

fn take_out(deps: &Deps<'_>, path: &Path, now: Option<Contents>, head: &str) -> Result<Change, Error> {
    let Some(now) = now else { return Ok(Change::Kept) };
    match AGENT_GUIDE.without(&now.bytes, head).map_err(|error| endless(error, path))? {
        Without::Same => Ok(Change::Kept),
        Without::Nothing => {
            deps.files.remove(path).map_err(|error| Error::Write { in_place: true, error })?;
            Ok(Change::Removed)
        }
        Without::Text(text) => {
            replace(deps, path, &text, &now)?;
            Ok(Change::Restored)
        }
    }
}

fn replace(deps: &Deps<'_>, path: &Path, text: &[u8], now: &Contents) -> Result<(), Error> {
    deps.files
        .replace(path, text, now.fingerprint, Durability::Process)
        .map_err(|error| Error::Write { in_place: true, error })
}

fn endless(error: Endless, path: &Path) -> Error {
    Error::Other {
        place: Place::file(path).at_line(Some(error.line)),
        cause: error.into(),
        hints: vec!["take it out by hand: from that line to the last one that is ours".to_owned()],
    }
}
