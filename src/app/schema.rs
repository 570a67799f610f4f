//! The types of secrets, as encrypted files show them to everybody. Nothing is opened:
//! the type of a value stands beside its ciphertext, which is authenticated without it.
//! Lengths are not told: of a short value they say too much.

use std::collections::HashMap;
use std::path::PathBuf;

use super::Deps;
use super::can::wrong;
use super::error::{Error, Place};
use super::lookup::{self, Site};
use super::open::Locked;
use super::request::Notice;
use crate::domain::agent::leaves::{self, Source};
use crate::domain::agent::pattern::PathPattern;
use crate::domain::crypto::token::Token;
use crate::domain::scalar::Scalar;
use crate::domain::store::Format;
use crate::domain::tree::{Flags, Kind, NodeId};

/// Which secrets.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// At and below these paths; wildcards as in policies. `None` is all.
    pub path: Option<String>,
    /// In this file only.
    pub file: Option<PathBuf>,
}

/// A secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Its path.
    pub path: Vec<String>,
    /// The file that holds it.
    pub source: String,
    /// Its types, each once: `str`, `int`, `float`, `bool`, `time`, `bytes`, `null`.
    /// Several if it is a list of several.
    pub kinds: Vec<String>,
    /// How many values it has: more than one if it is a list.
    pub values: usize,
    /// True if it holds nothing: an empty text, or null.
    pub is_empty: bool,
    /// False for what the file shows in clear.
    pub is_encrypted: bool,
}

/// What there is.
#[derive(Debug)]
pub struct Outcome {
    /// By file, in the order of the file.
    pub shapes: Vec<Shape>,
    /// What to say on the side.
    pub notices: Vec<Notice>,
}

/// Looks.
///
/// # Errors
/// A path that is none, a file that is not known or cannot be read.
pub fn run(deps: &Deps<'_>, request: &Request) -> Result<Outcome, Error> {
    let pattern = request.path.as_deref().map(PathPattern::parse).transpose().map_err(wrong)?;
    let site = lookup::site(deps)?;
    let only = request.file.as_ref().map(|file| site.source(deps, file)).transpose()?;
    let mut shapes = Vec::new();
    for source in site.sources.iter().filter(|it| only.is_none_or(|only| only.path == it.path)) {
        let is_meant = |path: &[String]| pattern.as_ref().is_none_or(|pattern| pattern.covers(path));
        if source.leaves.iter().any(|leaf| is_meant(leaf)) {
            shapes.extend(shapes_of(deps, &site, source)?.into_iter().filter(|shape| is_meant(&shape.path)));
        }
    }
    if let (true, Some(pattern)) = (shapes.is_empty(), &pattern)
        && let Some(literal) = pattern.literal()
    {
        site.holders(deps, &literal, request.file.as_deref())?;
    }
    Ok(Outcome { shapes, notices: site.notices })
}

fn shapes_of(deps: &Deps<'_>, site: &Site, source: &Source) -> Result<Vec<Shape>, Error> {
    let file = site.root.join(&source.path);
    let bytes = deps.files.read(&file).map_err(Error::Read)?.bytes;
    let locked = Locked::parse(&bytes, Format::of_path(&source.path), &Place::file(&file))?;
    let tree = &locked.tree;
    let mut shapes: Vec<Shape> = Vec::new();
    let mut places: HashMap<Vec<String>, usize> = HashMap::new();
    for id in 0..tree.nodes.len() as NodeId {
        let node = tree.node(id);
        if !matches!(node.kind, Kind::Scalar | Kind::Alias) || node.flags.has(Flags::METADATA) {
            continue;
        }
        let token = Token::parse(tree.text(node.text));
        let (kind, is_empty) = match token {
            Some(token) => (String::from_utf8_lossy(token.kind).into_owned(), false),
            None if node.kind == Kind::Alias => ("alias".to_owned(), false),
            None => match locked.store.scalar(tree, id) {
                Scalar::Null => ("null".to_owned(), true),
                Scalar::Str(text) => ("str".to_owned(), text.is_empty()),
                scalar => (scalar.type_name().unwrap_or("null").to_owned(), false),
            },
        };
        let path = leaves::path_of(tree, id);
        match places.get(&path).and_then(|place| shapes.get_mut(*place)) {
            Some(shape) => {
                shape.values += 1;
                shape.is_empty &= is_empty;
                shape.is_encrypted &= token.is_some() || is_empty;
                if !shape.kinds.contains(&kind) {
                    shape.kinds.push(kind);
                }
            }
            None => {
                places.insert(path.clone(), shapes.len());
                shapes.push(Shape {
                    path,
                    source: source.path.clone(),
                    kinds: vec![kind],
                    values: 1,
                    is_empty,
                    is_encrypted: token.is_some(),
                });
            }
        }
    }
    Ok(shapes)
}
