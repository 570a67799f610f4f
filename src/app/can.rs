//! Whether somebody may do something with a secret, and by which rule.

use std::path::Path;

use super::Deps;
use super::agent::listed;
use super::error::{Error, Place};
use super::governed::{self, Governed};
use super::request::Notice;
use crate::domain::agent::leaves::Source;
use crate::domain::agent::pattern::{self, PatternError, show_path};
use crate::domain::agent::policy::{Decision, Level, Subject, Subtree, subtrees};

/// A question.
#[derive(Clone, Debug)]
pub struct Request {
    /// The name of a principal.
    pub agent: String,
    /// A path, perhaps of a subtree.
    pub path: String,
    /// What it wants to do.
    pub level: Level,
    /// In which source; `None`: in all that have the path.
    pub file: Option<String>,
}

/// The answer for one source.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The source.
    pub source: String,
    /// The path, or the parts of it for which the answer differs.
    pub parts: Vec<Subtree<Decision>>,
    /// False for a secret that is not there: the rules are asked all the same.
    pub exists: bool,
}

/// The answers.
#[derive(Debug)]
pub struct Outcome {
    /// True if it may, everywhere that was asked about.
    pub allowed: bool,
    /// By source.
    pub answers: Vec<Answer>,
    /// True if the agent is a principal.
    pub is_principal: bool,
    /// True if the policy is in force.
    pub is_in_force: bool,
    /// What to say on the side.
    pub notices: Vec<Notice>,
}

/// Asks the policy.
///
/// # Errors
/// No policy, a name or a path that cannot be one, a path that no source has.
pub fn run(deps: &Deps<'_>, request: &Request) -> Result<Outcome, Error> {
    pattern::check_name(&request.agent).map_err(wrong)?;
    let governed = governed::load(deps)?;
    let path = pattern::parse_path(&request.path).map_err(wrong)?;
    let file = request.file.as_ref().map(|file| named(deps, &governed, file)).transpose()?;
    let answers = match &file {
        Some(file) => vec![in_file(&governed, request, file, &path)?],
        None => holders(&governed, &path)?
            .into_iter()
            .map(|(source, leaves)| Answer {
                source: source.path.clone(),
                parts: decide(&governed, &request.agent, source, &leaves, path.len()),
                exists: true,
            })
            .collect(),
    };
    let allowed = answers.iter().flat_map(|it| &it.parts).all(|part| part.what.levels.has(request.level));
    Ok(Outcome {
        allowed,
        answers,
        is_principal: governed.policy.principals.contains_key(&request.agent),
        is_in_force: governed.is_in_force,
        notices: governed.notices,
    })
}

/// What is decided about the leaves of a source below a path of `depth` keys, like ones together.
pub fn decide(
    governed: &Governed,
    agent: &str,
    source: &Source,
    leaves: &[&Vec<String>],
    depth: usize,
) -> Vec<Subtree<Decision>> {
    let decided = leaves.iter().map(|leaf| {
        let subject = Subject { agent, source: &source.path, path: leaf };
        ((*leaf).clone(), governed.policy.decide(&governed.revocations, &subject))
    });
    subtrees(&decided.collect::<Vec<_>>(), depth)
}

/// A source with leaves of it.
pub type Held<'g> = (&'g Source, Vec<&'g Vec<String>>);

/// The sources that hold `path`, each with its leaves at and below it.
///
/// # Errors
/// There is none.
pub fn holders<'g>(governed: &'g Governed, path: &[String]) -> Result<Vec<Held<'g>>, Error> {
    let below = |source: &'g Source| {
        let leaves: Vec<_> = source.leaves.iter().filter(|leaf| leaf.starts_with(path)).collect();
        (!leaves.is_empty()).then_some((source, leaves))
    };
    let found: Vec<_> = governed.sources.iter().filter_map(below).collect();
    if found.is_empty() {
        return Err(Error::NotFound {
            place: Place::default(),
            message: format!("no source of the policy holds {}", show_path(path)),
            hints: vec![
                "`leaflock policy explain` lists the sources".to_owned(),
                "`leaflock can AGENT PATH --file SOURCE` answers for a secret that is yet to come".to_owned(),
            ],
        });
    }
    Ok(found)
}

/// The name of a source that is meant by a path from the policy's folder, or from the
/// working folder.
fn named(deps: &Deps<'_>, governed: &Governed, file: &str) -> Result<String, Error> {
    let is_source = |name: &str| governed.sources.iter().any(|source| source.path == name);
    let absolute = deps.files.absolute(Path::new(file)).map_err(Error::Read)?;
    let from_here = listed::name_of(&governed.root, &deps.files.real(&absolute).unwrap_or(absolute));
    let is_outside = file.split('/').any(|segment| segment == "..");
    Ok(from_here.filter(|name| is_outside || !is_source(file) && is_source(name)).unwrap_or(file.to_owned()))
}

fn in_file(governed: &Governed, request: &Request, file: &str, path: &[String]) -> Result<Answer, Error> {
    pattern::FilePattern::parse(file).map_err(wrong)?;
    let named = governed.sources.iter().find(|source| source.path == file);
    let new = Source { path: file.to_owned(), ..Source::default() };
    let source = named.unwrap_or(&new);
    let leaves: Vec<_> = source.leaves.iter().filter(|leaf| leaf.starts_with(path)).collect();
    let itself = path.to_vec();
    let exists = !leaves.is_empty();
    let leaves = if exists { leaves } else { vec![&itself] };
    let parts = decide(governed, &request.agent, source, &leaves, path.len());
    Ok(Answer { source: file.to_owned(), parts, exists })
}

/// What a word that is no name, path or file is to a use case.
pub fn wrong(error: PatternError) -> Error {
    Error::Conflict { hints: vec![error.advice.to_owned()], message: error.message }
}
