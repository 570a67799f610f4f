//! Whether somebody may do something with a secret, and by which rule.

use std::path::Path;

use super::Deps;
use super::absent::nothing_at;
use super::agent::listed;
use super::error::{Error, Place};
use super::governed::{self, Governed};
use super::request::Notice;
use crate::domain::agent::leaves::{self, Held, Source};
use crate::domain::agent::pattern::{self, PatternError, show_path};
use crate::domain::agent::policy::{self, Decision, Level, Subtree, subtrees};
use crate::domain::nearest::question;

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
    demand_known(&governed, &request.agent)?;
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
    let scope = governed.policy.scope(&governed.revocations, agent, &source.path);
    let decided = leaves.iter().map(|leaf| ((*leaf).clone(), scope.decide(leaf)));
    subtrees(&decided.collect::<Vec<_>>(), depth)
}

/// The sources that hold `path`, each with its leaves at and below it.
///
/// # Errors
/// There is none.
pub fn holders<'g>(governed: &'g Governed, path: &[String]) -> Result<Vec<Held<'g>>, Error> {
    let found = leaves::holders(&governed.sources, path);
    if found.is_empty() {
        let message = format!("no source of the policy holds {}", show_path(path));
        let leaves = governed.sources.iter().flat_map(|source| &source.leaves);
        let mut error = nothing_at(message, path, leaves);
        if let Error::NotFound { hints, .. } = &mut error {
            hints.push(
                "`leaflock can AGENT PATH --file SOURCE` answers for a secret that is yet to come".to_owned(),
            );
        }
        return Err(error);
    }
    Ok(found)
}

/// Refuses to answer for a name that the policy does not know: a pattern may match it, and
/// it would be granted what nobody has.
///
/// # Errors
/// [`Error::NotFound`], with the name that was probably meant.
pub fn demand_known(governed: &Governed, agent: &str) -> Result<(), Error> {
    let known = governed.policy.known_names();
    if known.contains(agent) {
        return Ok(());
    }
    let mut hints: Vec<String> = question(agent, known.iter().map(String::as_str)).into_iter().collect();
    hints.push("`leaflock agent list` names the principals".to_owned());
    Err(Error::NotFound {
        place: Place::file(governed.root.join(policy::PLACE)),
        message: format!("the policy has no principal {agent}"),
        hints,
    })
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
    let source = governed.sources.iter().find(|source| source.path == file).ok_or_else(|| {
        let names = governed.sources.iter().map(|source| source.path.as_str());
        let mut hints: Vec<String> = question(file, names).into_iter().collect();
        hints.push("`leaflock policy explain` lists the sources".to_owned());
        let message = format!("{file} is no source of the policy");
        Error::NotFound { place: Place::default(), message, hints }
    })?;
    let leaves = source.below(path);
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
