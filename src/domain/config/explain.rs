//! Why a file is encrypted the way it is: which rule applies and why no earlier
//! one, for whom, and what becomes of every key of the file.

use super::{Config, ConfigError, Flags, Plan, PlanError, Unknown, plan};
use crate::domain::lines::Lines;
use crate::domain::scalar::Scalar;
use crate::domain::select::{Selection, Stage};
use crate::domain::store::Store;
use crate::domain::tree::{Flags as Marks, Kind, NodeId, Tree};

/// What one rule says to a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Its place in `creation_rules`, from 0.
    pub index: usize,
    /// Its line.
    pub line: usize,
    /// Its pattern; empty matches all paths.
    pub path_regex: String,
    /// True for the rule that applies, the last of the list.
    pub applies: bool,
}

/// What becomes of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is encrypted.
    Encrypted,
    /// The rule leaves it in clear.
    Clear,
    /// The rule selects it, but there is nothing to encrypt: null or an empty text.
    Empty,
}

/// A value of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Where it is, as `--extract` writes it: `["database"]["ports"][0]`.
    pub path: String,
    /// Its line in the file.
    pub line: usize,
    /// What becomes of it. An alias is encrypted if anything below it is.
    pub fate: Fate,
}

/// The whole explanation.
#[derive(Debug)]
pub struct Explanation {
    /// Every rule up to the one that applies; all of them if none does.
    pub verdicts: Vec<Verdict>,
    /// For whom and what; or why encrypting the file fails.
    pub plan: Result<Plan, PlanError>,
    /// The values of the file, in order; empty without a plan or a file.
    pub leaves: Vec<Leaf>,
    /// How many of its comments are encrypted, and how many stay.
    pub comments: (usize, usize),
    /// Keys of the config that mean nothing.
    pub unknown: Vec<Unknown>,
}

/// Explains `path` (see [`Config::relative`]) under `config` and `flags`. `file` is the file's
/// plain content with its store, where there is one.
pub fn explain(
    config: &Config,
    path: &str,
    flags: &Flags,
    file: Option<(&dyn Store, &mut Tree<'_>)>,
    binary: bool,
) -> Explanation {
    let (verdicts, rule) = verdicts(config, path);
    let plan = match rule {
        Ok(()) => match config.rule_for(path) {
            Ok(rule) => plan(rule, flags, binary),
            Err(error) => Err(error.into()),
        },
        Err(error) => Err(error.into()),
    };
    let (mut leaves, mut comments) = (Vec::new(), (0, 0));
    if let (Ok(plan), Some((store, tree))) = (&plan, file) {
        plan.selection.mark(tree, Stage::Plain);
        leaves = self::leaves(store, tree, &plan.selection);
        for node in tree.nodes.iter().filter(|node| node.kind == Kind::Comment) {
            let count = if node.flags.has(Marks::SELECTED) && !node.text.is_empty() {
                &mut comments.0
            } else {
                &mut comments.1
            };
            *count += usize::from(!node.flags.has(Marks::METADATA));
        }
    }
    Explanation { verdicts, plan, leaves, comments, unknown: config.unknown.clone() }
}

fn verdicts(config: &Config, path: &str) -> (Vec<Verdict>, Result<(), ConfigError>) {
    let mut verdicts = Vec::new();
    for rule in config.rules.iter().flatten() {
        let applies = match rule.matches(path) {
            Ok(applies) => applies,
            Err(error) => return (verdicts, Err(error)),
        };
        let path_regex = rule.path_regex.clone();
        verdicts.push(Verdict { index: rule.index, line: rule.line, path_regex, applies });
        if applies {
            break;
        }
    }
    (verdicts, Ok(()))
}

/// An open container: where it ends, the length of its path, its next index.
struct Open {
    end: NodeId,
    length: usize,
    next: Option<usize>,
}

fn leaves(store: &dyn Store, tree: &Tree<'_>, selection: &Selection) -> Vec<Leaf> {
    let mut lines = Lines::new(tree.source);
    let mut leaves = Vec::new();
    let mut path = String::new();
    let mut open: Vec<Open> = Vec::new();
    let mut id = 0;
    while (id as usize) < tree.nodes.len() {
        let node = tree.node(id);
        while open.last().is_some_and(|top| id >= top.end) {
            open.pop();
        }
        if node.flags.has(Marks::METADATA) {
            id = node.end.max(id + 1);
            continue;
        }
        path.truncate(open.last().map_or(0, |top| top.length));
        match open.last_mut().map(|top| &mut top.next) {
            // Comments count as elements, as sops counts them.
            Some(Some(next)) => {
                path.push_str(&format!("[{next}]"));
                *next += 1;
            }
            Some(None) if node.kind != Kind::Comment => {
                path.push_str(&format!("[\"{}\"]", String::from_utf8_lossy(tree.key(id))));
            }
            _ => {}
        }
        let fate = match node.kind {
            Kind::Map | Kind::List => {
                let next = (node.kind == Kind::List).then_some(0);
                open.push(Open { end: node.end, length: path.len(), next });
                None
            }
            Kind::Comment => None,
            Kind::Alias => Some(match selection.alias_holds_selected(tree, id, Stage::Plain) {
                true => Fate::Encrypted,
                false => Fate::Clear,
            }),
            Kind::Scalar => Some(fate(store, tree, id)),
        };
        if let Some(fate) = fate {
            let start = if node.key.is_empty() { node.span.start } else { node.key.start };
            leaves.push(Leaf { path: path.clone(), line: lines.of(start as usize), fate });
        }
        id += 1;
    }
    leaves
}

fn fate(store: &dyn Store, tree: &Tree<'_>, id: NodeId) -> Fate {
    if !tree.node(id).flags.has(Marks::SELECTED) {
        return Fate::Clear;
    }
    match store.scalar(tree, id) {
        Scalar::Null => Fate::Empty,
        Scalar::Str(text) if text.is_empty() => Fate::Empty,
        _ => Fate::Encrypted,
    }
}
