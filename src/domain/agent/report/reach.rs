//! Who can reach what: principals against secrets, by what the policy grants and by
//! what their keys open.

use std::collections::BTreeSet;

use super::super::leaves::Source;
use super::super::pattern::show_path;
use super::super::policy::{Level, Levels, Policy, Principal, PrincipalKind, Revocation, Subject};

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
            let row = |leaf: &Vec<String>| {
                let mut cells: Vec<Cell> = principals
                    .iter()
                    .zip(&opens_source)
                    .map(|(principal, source_key)| {
                        let mut cell = cell(policy, revocations, principal, &source.path, leaf);
                        cell.source = *source_key;
                        cell
                    })
                    .collect();
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

/// What `principal` has of a leaf by the policy; the key of the source is left out.
fn cell(
    policy: &Policy,
    revocations: &[Revocation],
    principal: &Principal,
    file: &str,
    leaf: &[String],
) -> Cell {
    let subject = Subject { agent: &principal.name, source: file, path: leaf };
    let decision = policy.decide(revocations, &subject);
    let standing = |rule: &&super::super::policy::RuleRef| !rule.lease;
    let allowed: Levels =
        decision.allowed_by.iter().filter(standing).fold(Levels::NONE, |all, rule| all.with(rule.levels));
    let allowed = if allowed.has(Level::Read) { allowed.with(Level::Exec.into()) } else { allowed };
    Cell {
        levels: decision.levels,
        denied: allowed.without(decision.levels),
        lease: decision.needs_lease,
        source: false,
        opens: !principal.age.is_empty() && policy.is_compiled_for(revocations, &principal.name, file, leaf),
    }
}
