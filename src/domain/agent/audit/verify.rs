//! The pieces of all chains together: segments of the work tree against each other,
//! against what git's history holds, against the chains of this clone, against
//! checkpoints, and against what other writers saw.
//!
//! What is on another branch is not lost: a tree that lacks it is told apart from one
//! that it was taken out of, by what the commits before this one hold.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::chain::{Checked, Finding, Kind, Known, Owner, Piece, Reader, Walk, walk};
use super::checkpoint::Checkpoint;
use super::entry::{Action, Entry, Head};
use super::segments;
use crate::domain::agent::public_key::PublicKey;

/// Pieces by writer.
pub type Pieces<'p> = BTreeMap<String, Vec<Piece<'p>>>;

/// Whether a key may sign for the principal that an entry names.
pub type MaySign<'m> = dyn Fn(&Entry, &PublicKey) -> bool + 'm;

/// All that is known of a log.
pub struct Material<'m> {
    /// The id of the repository's policy.
    pub repo: Option<&'m str>,
    /// The segments in the work tree.
    pub tree: Pieces<'m>,
    /// Every version of segments in the commits that the present one comes from.
    pub past: Pieces<'m>,
    /// The same in all other commits.
    pub elsewhere: Pieces<'m>,
    /// The chains of this clone.
    pub chains: Pieces<'m>,
    /// The files that this clone wrote into this work tree, each with the number of
    /// its last entry.
    pub published: BTreeMap<String, u64>,
    /// The checkpoints whose signatures hold, with their files.
    pub checkpoints: Vec<(String, Checkpoint)>,
    /// Whose key may sign.
    pub may_sign: &'m MaySign<'m>,
    /// Whether a policy ever gave a key to anybody.
    pub is_listed: &'m dyn Fn(&PublicKey) -> bool,
}

/// A chain as the work tree shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriterState {
    /// The writer.
    pub writer: String,
    /// The principal that its last entry names.
    pub agent: Option<String>,
    /// How far the work tree has it without a hole.
    pub head: Option<Head>,
    /// How many entries of this clone's own chain are not in the work tree.
    pub unpublished: u64,
}

/// What came out.
#[derive(Debug, Default)]
pub struct Verdict {
    /// What is wrong, file by file, in each the first line.
    pub findings: Vec<Finding>,
    /// What should be known and is not wrong.
    pub notes: Vec<String>,
    /// All chains.
    pub writers: Vec<WriterState>,
}

/// A line of the work tree.
struct Standing {
    line: Rc<Checked>,
    file: String,
    number: usize,
}

/// One writer's part of the material.
struct Examination<'e> {
    owner: Owner<'e>,
    /// The digest of every line that is known from outside of the work tree.
    references: BTreeMap<u64, String>,
    /// The lines of the work tree.
    standing: BTreeMap<u64, Standing>,
    findings: Vec<Finding>,
}

/// Checks everything.
pub fn verify(material: &Material<'_>) -> Verdict {
    let mut reader = Reader::default();
    let mut verdict = Verdict::default();
    let sources = [&material.tree, &material.past, &material.elsewhere, &material.chains];
    let writers: BTreeSet<&String> = sources.iter().flat_map(|pieces| pieces.keys()).collect();
    let mut witnesses: BTreeMap<String, Vec<(Head, String)>> = BTreeMap::new();
    for (file, checkpoint) in &material.checkpoints {
        for (writer, head) in &checkpoint.writers {
            let told = format!("the checkpoint {file}");
            witnesses.entry(writer.clone()).or_default().push((head.clone(), told));
        }
    }
    let mut examined = BTreeMap::new();
    for writer in &writers {
        let one = Examination::of(material, writer, &mut reader, &mut verdict);
        for (seq, standing) in &one.standing {
            // What a stranger says that he saw speaks against nobody.
            let told = standing.line.genuine().filter(|(_, key)| (material.is_listed)(key));
            let Some((entry, _)) = told else { continue };
            for (seen, head) in &entry.witness {
                let told = format!("entry {seq} of {writer} ({}, line {})", standing.file, standing.number);
                witnesses.entry(seen.clone()).or_default().push((head.clone(), told));
            }
        }
        examined.insert((*writer).clone(), one);
    }
    for (writer, heads) in &witnesses {
        match examined.get_mut(writer) {
            Some(one) => one.compare_heads(material, heads),
            None => verdict.findings.extend(heads.first().map(|(_, told)| Finding {
                kind: Kind::WriterMissing,
                writer: writer.clone(),
                file: format!("{}/{writer}", segments::FOLDER),
                line: None,
                detail: format!("{told} names this writer, and nothing of it is here"),
            })),
        }
    }
    for (writer, one) in examined {
        verdict.writers.push(one.state(material, &writer, &mut reader, &mut verdict.notes));
        verdict.findings.extend(one.findings);
    }
    verdict.findings.sort_by(|a, b| (&a.file, a.line, a.kind).cmp(&(&b.file, b.line, b.kind)));
    verdict
}

impl<'e> Examination<'e> {
    fn of<'m>(
        material: &'e Material<'m>,
        writer: &'e str,
        reader: &mut Reader<'m>,
        verdict: &mut Verdict,
    ) -> Self {
        let mut owner = Owner { writer, repo: material.repo, key: None };
        owner.key = key_of(material, &owner, reader);
        let mut one =
            Self { owner, references: BTreeMap::new(), standing: BTreeMap::new(), findings: Vec::new() };
        for pieces in [&material.chains, &material.past, &material.elsewhere] {
            for piece in pieces.get(writer).into_iter().flatten() {
                for line in reader.read_all(piece.bytes) {
                    if let Some(entry) = line.of(&one.owner) {
                        one.references.entry(entry.seq).or_insert_with(|| line.digest.clone());
                    }
                }
            }
        }
        for piece in material.chains.get(writer).into_iter().flatten() {
            let found = one.walk(reader, piece, None);
            if found.torn {
                verdict.notes.push(format!(
                    "{}: the last line is not whole, as after a crash; nothing was opened for it, and the \
                     next command that records something takes it out",
                    piece.file
                ));
            }
            one.findings.extend(found.finding);
        }
        let mut tree: Vec<&Piece<'m>> = material.tree.get(writer).into_iter().flatten().collect();
        tree.sort_by(|a, b| (a.first, &a.file).cmp(&(b.first, &b.file)));
        for piece in &tree {
            let last = one.last_known(material, reader, &piece.file);
            let found = one.walk(reader, piece, last);
            one.enter(piece, found);
        }
        one.compare_order();
        one.compare_files(material, reader);
        one.compare_gaps(material);
        one.check_keys(material);
        one
    }

    fn walk<'m>(&self, reader: &mut Reader<'m>, piece: &Piece<'m>, last: Option<u64>) -> Walk {
        let reference = |seq| self.references.get(&seq).cloned();
        walk(reader, piece, &self.owner, &Known { reference: &reference, last })
    }

    /// The last entry that a file of the work tree had when it was committed, or when this
    /// clone wrote it.
    fn last_known<'m>(&self, material: &Material<'m>, reader: &mut Reader<'m>, file: &str) -> Option<u64> {
        let committed = of(&material.past, self.owner.writer).filter(|piece| piece.file == file);
        let committed = committed.map(|piece| self.last_of(piece, reader)).max();
        committed.max(material.published.get(file).copied()).filter(|last| *last > 0)
    }

    /// Enters what a walk found in the work tree.
    fn enter(&mut self, piece: &Piece<'_>, found: Walk) {
        let stopped = found.finding.as_ref().and_then(|finding| finding.line).unwrap_or(usize::MAX);
        self.findings.extend(found.finding);
        self.findings.extend(found.clock);
        for (number, line) in found.lines {
            let Some(entry) = &line.entry else { continue };
            let seq = entry.seq;
            let other =
                self.standing.get(&seq).map(|standing| (&standing.line.digest, standing.file.clone()));
            let known =
                self.references.get(&seq).map(|digest| (digest, "what is known of the chain".to_owned()));
            let contradicted =
                [other, known].into_iter().flatten().find(|(digest, _)| **digest != line.digest);
            if let Some((_, by)) = contradicted
                && number < stopped
                && !self.has_finding(&piece.file)
            {
                let detail =
                    format!("the writer signed this entry {seq} and another one: {by} has the other");
                self.find(Kind::Forked, &piece.file, Some(number), detail);
            }
            let standing = Standing { line, file: piece.file.clone(), number };
            self.standing.entry(seq).or_insert(standing);
        }
    }

    fn find(&mut self, kind: Kind, file: &str, line: Option<usize>, detail: String) {
        let writer = self.owner.writer.to_owned();
        self.findings.push(Finding { kind, writer, file: file.to_owned(), line, detail });
    }

    fn has_finding(&self, file: &str) -> bool {
        self.findings.iter().any(|finding| finding.file == file && finding.kind != Kind::ClockBack)
    }

    fn is_sound(&self) -> bool {
        self.findings.iter().all(|finding| finding.kind == Kind::ClockBack)
    }

    /// The last entry of the work tree.
    fn last(&self) -> u64 {
        self.standing.keys().next_back().copied().unwrap_or(0)
    }

    /// Whether lines of different files follow each other.
    fn compare_order(&mut self) {
        let mut broken = None;
        for (seq, standing) in &self.standing {
            let before = seq.checked_sub(1).and_then(|before| self.standing.get(&before));
            let prev = standing.line.entry.as_ref().and_then(|entry| entry.prev.as_ref());
            if before.is_some_and(|before| Some(&before.line.digest) != prev)
                && !self.has_finding(&standing.file)
            {
                broken = Some((standing.file.clone(), standing.number, *seq));
                break;
            }
        }
        if let Some((file, number, seq)) = broken {
            let detail = format!("entry {seq} was signed after another entry {} than the tree has", seq - 1);
            self.find(Kind::Forked, &file, Some(number), detail);
        }
    }

    /// Whether the files are there, and as long as they were.
    fn compare_files<'m>(&mut self, material: &Material<'m>, reader: &mut Reader<'m>) {
        let writer = self.owner.writer;
        let tree: BTreeMap<&str, &Piece<'m>> =
            of(&material.tree, writer).map(|piece| (&*piece.file, piece)).collect();
        let mut ends: BTreeMap<String, (u64, &str)> = BTreeMap::new();
        for piece in of(&material.past, writer) {
            let last = self.last_of(piece, reader);
            let end = ends.entry(piece.file.clone()).or_insert((0, "a commit before this one"));
            end.0 = end.0.max(last);
        }
        for (file, last) in &material.published {
            let mine = file.split('/').any(|part| part == writer);
            let committed = of(&material.elsewhere, writer).any(|piece| piece.file == *file);
            if mine && !committed {
                let end = ends.entry(file.clone()).or_insert((0, "this clone"));
                end.0 = end.0.max(*last);
            }
        }
        if tree.is_empty() && !ends.is_empty() {
            let folder = format!("{}/{writer}", segments::FOLDER);
            let by = ends.values().next().map_or("", |(_, by)| by);
            self.find(
                Kind::WriterMissing,
                &folder,
                None,
                format!("{by} has segments of this writer, the work tree has none"),
            );
            return;
        }
        for (file, (last, by)) in ends {
            let Some(piece) = tree.get(file.as_str()) else {
                self.find(
                    Kind::SegmentMissing,
                    &file,
                    None,
                    format!("{by} has this file, the work tree has not"),
                );
                continue;
            };
            let here = self.last_of(piece, reader);
            if here < last && !self.has_finding(&file) {
                let line = segments::lines(piece.bytes).0.len() + 1;
                let detail = format!("{by} has the entries {} to {last} here", here + 1);
                self.find(Kind::Truncated, &file, Some(line), detail);
            }
        }
    }

    /// The number of the last entry in a piece.
    fn last_of<'m>(&self, piece: &Piece<'m>, reader: &mut Reader<'m>) -> u64 {
        let lines = reader.read_all(piece.bytes);
        lines.iter().filter_map(|line| Some(line.of(&self.owner)?.seq)).max().unwrap_or(0)
    }

    /// Whether entries are missing between those that are there, and whether the
    /// clone's own chain goes as far as the work tree.
    fn compare_gaps(&mut self, material: &Material<'_>) {
        if !self.is_sound() {
            return;
        }
        let mut expected = 1;
        let mut gap = None;
        for (seq, standing) in &self.standing {
            if *seq > expected {
                gap = Some((expected, *seq - 1, standing.file.clone()));
                break;
            }
            expected = seq + 1;
        }
        if let Some((from, to, file)) = gap {
            let known = (from..=to).all(|seq| self.references.contains_key(&seq));
            let where_else = if known {
                "they are on another branch or in this clone's own chain"
            } else {
                "no branch and no chain of this clone has them"
            };
            let detail = format!("entries {from} to {to} are missing before this file: {where_else}");
            self.find(Kind::SegmentMissing, &file, None, detail);
        }
        for chain in of(&material.chains, self.owner.writer) {
            let lines = segments::lines(chain.bytes).0.len() as u64;
            if lines < self.last() {
                let detail = format!("the work tree has entries up to {}", self.last());
                self.find(Kind::Truncated, &chain.file, Some(lines as usize + 1), detail);
            }
        }
    }

    /// Whether the writer's key may sign for whom its entries name, and as what.
    fn check_keys(&mut self, material: &Material<'_>) {
        let mut asked = BTreeSet::new();
        let mut found = None;
        for standing in self.standing.values() {
            let Some((entry, key)) = standing.line.genuine() else { continue };
            let Entry { agent_id, actor, policy, action, outcome, .. } = entry;
            let of_chain = matches!(action, Action::Genesis | Action::Recover);
            let question = (agent_id, actor.asserted, actor.kind, policy, of_chain, outcome);
            if asked.insert(question) && !(material.may_sign)(entry, key) {
                found = Some((standing.file.clone(), standing.number, agent_id.clone(), actor.kind));
                break;
            }
        }
        if let Some((file, number, agent, kind)) = found {
            let detail = match agent {
                Some(agent) => {
                    format!("no policy lets the key of this entry write for {agent}, as {}", kind.as_str())
                }
                None => "it names nobody, and only what was refused is written so".to_owned(),
            };
            self.find(Kind::BadSignature, &file, Some(number), detail);
        }
    }

    /// Compares the chain with what others signed of it.
    fn compare_heads(&mut self, material: &Material<'_>, heads: &[(Head, String)]) {
        if !self.is_sound() {
            return;
        }
        if self.standing.is_empty() {
            let folder = format!("{}/{}", segments::FOLDER, self.owner.writer);
            if let Some((_, told)) = heads.first() {
                self.find(Kind::WriterMissing, &folder, None, format!("{told} names this writer"));
            }
            return;
        }
        for (head, told) in heads {
            let Some(standing) = self.standing.get(&head.seq) else {
                if head.seq > self.last() {
                    self.lacks(material, head, told);
                    return;
                }
                continue;
            };
            if standing.line.digest != head.digest {
                let (file, number) = (standing.file.clone(), standing.number);
                let detail = format!("{told} names another entry {}", head.seq);
                self.find(Kind::Forked, &file, Some(number), detail);
                return;
            }
        }
    }

    /// The work tree ends before a head that somebody signed.
    fn lacks(&mut self, material: &Material<'_>, head: &Head, told: &str) {
        let Some(last) =
            self.standing.last_key_value().map(|(_, standing)| (standing.file.clone(), standing.number))
        else {
            return;
        };
        let on_a_branch = self.references.get(&head.seq) == Some(&head.digest)
            && !of(&material.elsewhere, self.owner.writer).all(|piece| piece.bytes.is_empty());
        let (kind, line) =
            if on_a_branch { (Kind::SegmentMissing, None) } else { (Kind::Truncated, Some(last.1 + 1)) };
        let more = if on_a_branch { "; another branch has it" } else { "" };
        let detail = format!("{told} names entry {} of this writer{more}", head.seq);
        self.find(kind, &last.0, line, detail);
    }

    fn state<'m>(
        &self,
        material: &Material<'m>,
        writer: &str,
        reader: &mut Reader<'m>,
        notes: &mut Vec<String>,
    ) -> WriterState {
        let mut expected = 1;
        let whole = self.standing.iter().take_while(|(seq, _)| {
            expected += 1;
            **seq == expected - 1
        });
        let head =
            whole.last().map(|(seq, standing)| Head { seq: *seq, digest: standing.line.digest.clone() });
        let chain = of(&material.chains, writer).map(|piece| self.last_of(piece, reader)).max().unwrap_or(0);
        let unpublished = chain.saturating_sub(self.last());
        if unpublished > 0 && self.is_sound() {
            notes.push(format!(
                "{unpublished} entries of this clone's writer {writer} are not in this work tree yet: the next \
                 command that records something writes them"
            ));
        }
        let last = self.standing.values().next_back();
        let agent = last.and_then(|standing| standing.line.entry.as_ref()?.agent_id.clone());
        WriterState { writer: writer.to_owned(), agent, head, unpublished }
    }
}

fn of<'p, 'm>(pieces: &'p Pieces<'m>, writer: &str) -> impl Iterator<Item = &'p Piece<'m>> {
    pieces.get(writer).into_iter().flatten()
}

/// The key of a writer, by its first entry where that is known, else by any that it
/// signed. What lies in the work tree is asked last: that is what is checked.
fn key_of<'m>(material: &Material<'m>, owner: &Owner<'_>, reader: &mut Reader<'m>) -> Option<PublicKey> {
    let mut any = None;
    for pieces in [&material.chains, &material.past, &material.tree, &material.elsewhere] {
        for piece in of(pieces, owner.writer) {
            for line in reader.read_all(piece.bytes) {
                let (Some(entry), Ok(key)) = (line.of(owner), &line.signer) else { continue };
                if entry.genesis.is_some() {
                    return Some(key.clone());
                }
                any = any.or_else(|| Some(key.clone()));
            }
        }
    }
    any
}
