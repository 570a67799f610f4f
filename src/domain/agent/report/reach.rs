//! Who can reach what: principals against secrets, by what the policy grants and by
//! what their keys open.

use std::collections::BTreeSet;

use super::super::leaves::Source;
use super::super::pattern::show_path;
use super::super::policy::{Compiled, Level, Levels, Policy, Principal, PrincipalKind, Revocation, Scope};

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// The name of the principal.
    pub name: String,
    /// What it is.
    pub kind: PrincipalKind,
    /// Who holds for it what it may use without reading it.
    pub broker: Option<String>,
    /// True if its key opens the files of all agents.
    pub recovers: bool,
    /// True if it has no key to open anything with.
    pub keyless: bool,
    /// How many secrets its key opens.
    pub opens: usize,
}

/// What one principal has of one secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// What is granted.
    pub levels: Levels,
    /// What a rule grants and a denial takes away.
    pub denied: Levels,
    /// A grant that holds during a lease only.
    pub lease: bool,
    /// Its key opens the whole source.
    pub source: bool,
    /// Its key opens the secret, in whichever file.
    pub opens: bool,
}

/// A secret and what each principal has of it, in the order of the columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its shown path.
    pub path: String,
    /// Of each principal.
    pub cells: Vec<Cell>,
}

/// The secrets of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The source.
    pub file: String,
    /// Age recipients of the source that are no principal's.
    pub strangers: Vec<String>,
    /// True when keys of other kinds open it as well.
    pub has_other_keys: bool,
    /// Its secrets.
    pub rows: Vec<Row>,
}

/// The matrix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// The principals: agents, brokers, builds, people, each by name.
    pub columns: Vec<Column>,
    /// The secrets by source.
    pub blocks: Vec<Block>,
}

impl Reach {
    /// Finds it out.
    pub fn of(policy: &Policy, revocations: &[Revocation], sources: &[Source]) -> Self {
        let mut principals: Vec<&Principal> = policy.principals.values().collect();
        principals.sort_by_key(|principal| (principal.kind(), principal.name.as_str()));
        let recovery: BTreeSet<String> = policy.recovery_recipients().into_iter().collect();
        let recovers = |principal: &Principal| principal.age.iter().any(|key| recovery.contains(key));
        let known: BTreeSet<&str> =
            principals.iter().flat_map(|principal| &principal.age).map(String::as_str).collect();
        let mut reach = Self {
            columns: principals
                .iter()
                .map(|principal| Column {
                    name: principal.name.clone(),
                    kind: principal.kind(),
                    broker: principal.broker.clone(),
                    recovers: recovers(principal),
                    keyless: principal.age.is_empty(),
                    opens: 0,
                })
                .collect(),
            blocks: Vec::with_capacity(sources.len()),
        };
        for source in sources {
            let opens_source: Vec<bool> = principals
                .iter()
                .map(|principal| principal.age.iter().any(|key| source.recipients.contains(key)))
                .collect();
            let rights: Vec<Rights<'_>> = principals
                .iter()
                .map(|principal| Rights::of(policy, revocations, principal, &source.path))
                .collect();
            let row = |leaf: &Vec<String>| {
                let cells = rights.iter().zip(&opens_source);
                let mut cells: Vec<Cell> =
                    cells.map(|(rights, source)| Cell { source: *source, ..rights.cell(leaf) }).collect();
                let compiled = cells.iter().any(|cell| cell.opens);
                for (cell, column) in cells.iter_mut().zip(&reach.columns) {
                    cell.opens |= cell.source || (column.recovers && compiled);
                }
                Row { path: show_path(leaf), cells }
            };
            let rows: Vec<Row> = source.leaves.iter().map(row).collect();
            for (at, column) in reach.columns.iter_mut().enumerate() {
                column.opens += rows.iter().filter(|row| row.cells[at].opens).count();
            }
            let strangers =
                source.recipients.iter().filter(|key| !known.contains(key.as_str())).cloned().collect();
            reach.blocks.push(Block {
                file: source.path.clone(),
                strangers,
                has_other_keys: source.has_other_keys,
                rows,
            });
        }
        reach
    }

    /// How many secrets there are.
    pub fn secrets(&self) -> usize {
        self.blocks.iter().map(|block| block.rows.len()).sum()
    }

    /// How many principals are of that kind.
    pub fn of_kind(&self, kind: PrincipalKind) -> usize {
        self.columns.iter().filter(|column| column.kind == kind).count()
    }
}

/// What a principal has of the leaves of a source by the policy; the key of the source is
/// left out.
struct Rights<'p> {
    scope: Scope<'p>,
    /// Where there is a key to open its file with.
    file: Option<Compiled<'p>>,
}

impl<'p> Rights<'p> {
    fn of(policy: &'p Policy, revocations: &'p [Revocation], principal: &Principal, source: &str) -> Self {
        let compiled = || policy.compiled(revocations, &principal.name, source);
        Self {
            scope: policy.scope(revocations, &principal.name, source),
            file: if principal.age.is_empty() { None } else { compiled() },
        }
    }

    fn cell(&self, leaf: &[String]) -> Cell {
        let decision = self.scope.decide(leaf);
        let standing = decision.allowed_by.iter().filter(|rule| !rule.lease);
        let allowed = standing.fold(Levels::NONE, |all, rule| all.with(rule.levels));
        let allowed = if allowed.has(Level::Read) { allowed.with(Level::Exec.into()) } else { allowed };
        Cell {
            levels: decision.levels,
            denied: allowed.without(decision.levels),
            lease: decision.needs_lease,
            source: false,
            opens: self.file.as_ref().is_some_and(|file| file.holds(leaf)),
        }
    }
}
