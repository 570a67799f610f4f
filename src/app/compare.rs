//! Whether two values are the same, without showing either.

use std::path::PathBuf;

use super::Deps;
use super::agent::overtaken;
use super::audit::record;
use super::error::Error;
use super::fingerprint::LEVELS;
use super::lookup::{self, Caller, Site};
use super::opened_value::{self, OpenedValue, Options};
use super::request::Notice;
use crate::domain::agent::fingerprint;

/// Which values.
#[derive(Clone, Debug)]
pub struct Request {
    /// The path of the first.
    pub path: String,
    /// The file of the first, where several have the path.
    pub file: Option<PathBuf>,
    /// The file of the second.
    pub with: PathBuf,
    /// The path of the second, if it is another one.
    pub with_path: Option<String>,
    /// How files are opened.
    pub options: Options,
}

/// What was found.
#[derive(Debug)]
pub struct Outcome {
    /// True if the texts are the same.
    pub same: bool,
    /// The source of the first.
    pub source: String,
    /// The file of the second.
    pub with: String,
    /// What to say on the side.
    pub notices: Vec<Notice>,
}

/// Compares.
///
/// # Errors
/// As for `get`, for both values. An agent needs `read` or `exec` for both, and both
/// must be the policy's: with a file of its own making it could guess.
pub fn run(deps: &Deps<'_>, request: &Request) -> Result<Outcome, Error> {
    let path = lookup::path(&request.path)?;
    let other = request.with_path.as_deref().map(lookup::path).transpose()?;
    let other = other.as_ref().unwrap_or(&path);
    record::attempt(deps, &opened_value::recorded(&request.options, &path).intent);
    let site = lookup::site_to_open(deps, request.file.as_deref())?;
    let known = site.source(deps, &request.with).ok().map(|source| source.path.clone());
    let source = match (&request.file, &known) {
        // What is compared with is not what is meant first.
        (None, Some(with)) if *other == path => apart_from(deps, &site, &path, with)?,
        (file, _) => site.holder(deps, &path, file.as_deref())?.path.clone(),
    };
    let one = named(deps, &site, &source, &path, &request.options)?;
    let (with, two) = match known {
        Some(with) => (with.clone(), named(deps, &site, &with, other, &request.options)?),
        None => outside(deps, &site, request, other)?,
    };
    let mut notices = one.notices;
    notices.extend(two.notices);
    Ok(Outcome { same: fingerprint::same(&one.text, &two.text), source, with, notices })
}

fn named(
    deps: &Deps<'_>,
    site: &Site,
    source: &str,
    path: &[String],
    options: &Options,
) -> Result<OpenedValue, Error> {
    let source = site.holder(deps, path, Some(&site.root.join(source)))?;
    opened_value::of_source(deps, site, source, path, &LEVELS, options)
}

/// The one source with `path` that is not `with`; `with` itself if it is the only one.
fn apart_from(deps: &Deps<'_>, site: &Site, path: &[String], with: &str) -> Result<String, Error> {
    let holders = site.holders(deps, path, None)?;
    let mut others = holders.iter().map(|(source, _)| &source.path).filter(|source| *source != with);
    match (others.next(), others.next()) {
        (Some(one), None) => Ok(one.clone()),
        _ => Ok(site.holder(deps, path, None)?.path.clone()),
    }
}

/// A value of a file that is none of the policy's, which is for people only.
fn outside(
    deps: &Deps<'_>,
    site: &Site,
    request: &Request,
    path: &[String],
) -> Result<(String, OpenedValue), Error> {
    if matches!(site.caller, Caller::Agent(_)) {
        return Err(match site.source(deps, &request.with) {
            Err(error) => error,
            Ok(source) => Error::NoSuchFile(site.root.join(&source.path)),
        });
    }
    let file = deps.files.absolute(&request.with).map_err(Error::Read)?;
    let name = request.with.display().to_string();
    let read = || opened_value::of_file(deps, &file, name.clone(), path, &request.options);
    let value = overtaken::again(deps, read)?;
    Ok((name, value))
}
