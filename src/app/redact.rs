//! Secrets taken out of text that somebody else wrote: a log, the output of a
//! program that has ended. Which secrets: those of encrypted files that an identity
//! here opens.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Deps;
use super::agent::{overtaken, root};
use super::audit::record;
use super::error::{Error, Place};
use super::granted;
use super::open::{self, Locked};
use super::parallel;
use super::ports::Asking;
use super::request::{FileOptions, Notice, OpenOptions, Source};
use super::secret_values::{self, SecretValue};
use crate::domain::agent::audit::entry::Action;
use crate::domain::agent::pattern::{PathPattern, show_path};
use crate::domain::agent::redact::{Named, Patterns, Redactor, SHORTEST, is_too_short};
use crate::domain::crypto::token;
use crate::domain::store::flat_names::Case;

/// Which secrets are looked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// The encrypted files that hold them; none is all of the repository.
    pub with: Vec<PathBuf>,
    /// The principal whose values are looked for; `None`: all values.
    pub agent: Option<String>,
    /// Only values below these paths; none is all.
    pub only: Vec<String>,
    /// Formats, config, names.
    pub file: FileOptions,
    /// Keys.
    pub open: OpenOptions,
}

/// What is to be looked for, and what its user should hear first.
#[derive(Debug)]
pub struct Prepared {
    /// The patterns.
    pub patterns: Arc<Patterns>,
    /// Values that are not redacted, files that were left out.
    pub notices: Vec<Notice>,
}

/// Opens the files and makes the patterns.
///
/// # Errors
/// A named file that does not open; nothing to look for at all, because text would
/// pass that somebody believes is redacted.
pub fn prepare(deps: &Deps<'_>, request: &Request) -> Result<Prepared, Error> {
    let only = patterns_of(&request.only)?;
    if let Some(agent) = &request.agent {
        return of_agent(deps, request, agent, only);
    }
    for folder in folders(deps, request)? {
        root::refuse_vanished(deps, &folder)?;
    }
    let mut notices = Vec::new();
    let mut values = if request.with.is_empty() {
        everything(deps, request, &mut notices)?
    } else {
        overtaken::again(deps, || named(deps, request))?
    };
    if let Some(nothing) = only.iter().find(|only| !values.iter().any(|value| only.covers(&value.path))) {
        return Err(Error::NotFound {
            place: Place::default(),
            message: format!("no value is at or below {}", nothing.as_str()),
            hints: vec!["paths are keys with dots between them: database.password".to_owned()],
        });
    }
    values.retain(|value| {
        value.is_encrypted && (only.is_empty() || only.iter().any(|only| only.covers(&value.path)))
    });
    if values.is_empty() {
        return Err(Error::NotFound {
            place: Place::default(),
            message: "there is no encrypted value to look for".to_owned(),
            hints: vec!["`leaflock redact --with FILE` names the encrypted files".to_owned()],
        });
    }
    let shown: Vec<String> = values.iter().map(|value| show_path(&value.path)).collect();
    let named = values.iter().zip(&shown).map(|(value, path)| Named { path, value: &value.value });
    let (patterns, short) = patterns(&named.collect::<Vec<_>>());
    notices.extend(short);
    Ok(Prepared { patterns, notices })
}

/// The folders of what is asked for.
fn folders(deps: &Deps<'_>, request: &Request) -> Result<Vec<PathBuf>, Error> {
    let here = || deps.files.absolute(Path::new(".")).map_err(Error::Read);
    let folder = |path: &PathBuf| {
        let path = deps.files.absolute(path).map_err(Error::Read)?;
        Ok(path.parent().map_or(path.clone(), Path::to_owned))
    };
    if request.with.is_empty() { Ok(vec![here()?]) } else { request.with.iter().map(folder).collect() }
}

/// The values that a principal may have, out of the files that were made for it.
fn of_agent(
    deps: &Deps<'_>,
    request: &Request,
    agent: &str,
    only: Vec<PathPattern>,
) -> Result<Prepared, Error> {
    let asked = granted::Request {
        agent: agent.to_owned(),
        files: request.with.clone(),
        paths: only.clone(),
        demanded: only,
        case: Case::default(),
        open: request.open.to(Action::Redact),
    };
    let (mut plan, values) = overtaken::again(deps, || {
        let mut plan = granted::plan(deps, &asked)?;
        let values = plan.open(deps)?;
        Ok((plan, values))
    })?;
    let named: Vec<Named<'_>> =
        values.iter().map(|value| Named { path: &value.shown, value: &value.value }).collect();
    let mut notices = std::mem::take(&mut plan.notices);
    let (patterns, short) = patterns(&named);
    notices.extend(short);
    Ok(Prepared { patterns, notices })
}

/// What finds these values, and what is to be said of those that it does not look for.
pub fn patterns(values: &[Named<'_>]) -> (Arc<Patterns>, Option<Notice>) {
    (Arc::new(Patterns::new(values)), too_short(values))
}

/// Says which values are too short to be found, if any are. Empty ones have nothing
/// to hide.
fn too_short(values: &[Named<'_>]) -> Option<Notice> {
    let is_short = |named: &Named<'_>| is_too_short(named.value) && !named.value.trim_ascii().is_empty();
    let mut paths: Vec<&str> =
        values.iter().filter(|named| is_short(named)).map(|named| named.path).collect();
    let mut seen = std::collections::BTreeSet::new();
    paths.retain(|path| seen.insert(*path));
    (!paths.is_empty()).then(|| {
        Notice::warning(format!("too short to be redacted: {}", paths.join(", ")))
            .with_hint(format!("values of fewer than {SHORTEST} bytes occur in any text by chance"))
    })
}

/// The paths that `words` mean, which may be comma-separated.
pub fn patterns_of(words: &[String]) -> Result<Vec<PathPattern>, Error> {
    let words = words.iter().flat_map(|list| list.split(',')).map(str::trim);
    let parse = |word| {
        PathPattern::parse(word).map_err(|error| Error::Conflict {
            message: format!("--only {word}: {error}"),
            hints: vec!["paths are keys with dots between them: database.password".to_owned()],
        })
    };
    words.filter(|word| !word.is_empty()).map(parse).collect()
}

/// Redacts one text and hands what is left of it to `show`, piece by piece as it
/// comes, until that says to stop.
pub fn run(
    deps: &Deps<'_>,
    patterns: &Arc<Patterns>,
    source: &Source,
    show: &mut dyn FnMut(&[u8]) -> bool,
) -> Result<(), Error> {
    let mut redactor = Redactor::new(Arc::clone(patterns));
    let mut out = Vec::new();
    let mut goes_on = true;
    let path = match source {
        Source::Stdin => Path::new("/dev/stdin").to_owned(),
        Source::File(path) => deps.files.absolute(path).map_err(Error::Read)?,
    };
    let mut take = |piece: &[u8]| {
        out.clear();
        redactor.push(piece, &mut out);
        goes_on = out.is_empty() || show(&out);
        goes_on
    };
    deps.files.read_pieces(&path, &mut take).map_err(Error::Read)?;
    out.clear();
    redactor.finish(&mut out);
    if goes_on && !out.is_empty() {
        show(&out);
    }
    Ok(())
}

/// The values of the files that were named.
fn named(deps: &Deps<'_>, request: &Request) -> Result<Vec<SecretValue>, Error> {
    let mut values = Vec::new();
    let mut options = request.open.to(Action::Redact);
    options.together.paths = request.with.as_slice().into();
    for path in &request.with {
        let input = open::read_input(deps, &Source::File(path.clone()), &request.file)?;
        let format = request.file.input_format.unwrap_or_else(|| input.format());
        let unlocked = Locked::parse(&input.bytes, format, &input.place())?.unlock(deps, &options)?;
        values.extend(secret_values::of(&unlocked)?);
    }
    Ok(values)
}

/// The values of all encrypted files of the repository that an identity here opens
/// without asking anybody.
fn everything(
    deps: &Deps<'_>,
    request: &Request,
    notices: &mut Vec<Notice>,
) -> Result<Vec<SecretValue>, Error> {
    let here = deps.files.absolute(Path::new(".")).map_err(Error::Read)?;
    let place = deps.repository.place(&here).map_err(Error::Read)?;
    let top = place.and_then(|place| place.top).ok_or_else(|| Error::NotFound {
        place: Place::default(),
        message: "no git repository is here whose encrypted files could say what is secret".to_owned(),
        hints: vec!["`leaflock redact --with FILE` names them".to_owned()],
    })?;
    let files = deps.repository.present(&top).map_err(Error::Read)?.unwrap_or_default();
    // What is not proven to be the owner's is redacted all the same.
    let mut options = OpenOptions {
        asking: Asking::Commands,
        ignore_mac: true,
        ignore_seal: true,
        ..request.open.to(Action::Redact)
    };
    options.together.paths = files.as_slice().into();
    let opened = parallel::map(&files, false, |path| {
        let input = open::read_input(deps, &Source::File(path.clone()), &request.file).ok()?;
        if !token::occurs_in(&input.bytes) {
            return None;
        }
        let locked = Locked::parse(&input.bytes, input.format(), &input.place()).ok()?;
        let values = locked.unlock(deps, &options).and_then(|unlocked| secret_values::of(&unlocked));
        Some(values.map_err(|_| path.clone()))
    });
    // What may not be opened is not left out: it would stand in the text.
    if let Some(refusal) = record::refusal(deps) {
        return Err(refusal);
    }
    let mut values = Vec::new();
    let mut left_out = Vec::new();
    for file in opened.into_iter().flatten() {
        match file {
            Ok(found) => values.extend(found),
            Err(path) => left_out.push(path.strip_prefix(&top).unwrap_or(&path).display().to_string()),
        }
    }
    if values.is_empty() && !left_out.is_empty() {
        return Err(Error::NoIdentity {
            cause: "no identity here opens an encrypted file of this repository: nothing would be redacted"
                .into(),
            hints: vec!["`leaflock who` lists who can open which file".to_owned()],
        });
    }
    if !left_out.is_empty() {
        let text =
            format!("the values of {} are not redacted: no identity here opens it", left_out.join(", "));
        notices.push(Notice::warning(text));
    }
    Ok(values)
}
